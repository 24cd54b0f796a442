"""How well whole images, and sources unrelated to the object in them, predict the labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SignalSource = Literal["border", "background", "size", "format", "metadata", "name"]

UNSEEN: frozenset[SignalSource] = frozenset({"name"})  # not available to networks
SEEN = 0.5  # of the way from chance to certainty: from here on, images show their plate or day
HIGHEST_P = 0.05  # above it, random labels are predicted as well


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """The score of a probe that predicts classes."""

    balanced_accuracy: float  # mean recall over classes, on held-out images
    p: float  # share of random labels that are predicted as well


@dataclass(frozen=True, slots=True)
class ColumnProbe:
    """How well a column of the table, such as plate or day, predicts classes, and whether images show its values."""

    score: ProbeScore  # classes, from the value alone
    visibility: float  # how well images of one class predict its values: 0 by chance, 1 always


@dataclass(frozen=True, slots=True)
class Signal:
    """How well each source, and the whole image, predicts the labels."""

    chance: float  # balanced accuracy of random predictions
    whole: ProbeScore
    by_source: Mapping[SignalSource, ProbeScore]
    by_column: Mapping[str, ColumnProbe] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        """Whether any input of a network predicts the labels better than chance."""
        visible = (score for source, score in self.by_source.items() if source not in UNSEEN)
        return min(score.p for score in (self.whole, *visible)) <= HIGHEST_P

    def share(self, source: SignalSource) -> float:
        """Return the share of the whole image's gain over chance, at most 1; 0 if the source is no better than chance.

        From few whole images, a network may learn less than the source alone predicts.
        """
        return self._share(self.by_source[source])

    def share_of_column(self, column: str) -> float:
        """Return the same of a column whose values images show; 0 if they do not."""
        by_column = self.by_column[column]
        return self._share(by_column.score) if by_column.visibility >= SEEN else 0.0

    def _share(self, score: ProbeScore) -> float:
        gain = score.balanced_accuracy - self.chance
        if score.p > HIGHEST_P or gain <= 0:
            return 0.0
        return gain / max(gain, self.whole.balanced_accuracy - self.chance)
