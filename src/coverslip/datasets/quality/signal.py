"""How well labels are told from whole images, and from what has nothing to do with the object in them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

SignalSource = Literal["border", "background", "size", "format", "metadata", "name"]

UNSEEN: frozenset[SignalSource] = frozenset({"name"})  # by networks
SEEN = 0.5  # of the way from guessing to certainty, from which on images show what plate or day they are of
HIGHEST_P = 0.05  # above it, labels at random are told as well


@dataclass(frozen=True, slots=True)
class Told:
    """How well classes are told apart by something."""

    balanced_accuracy: float  # mean recall over classes, of images that were left out
    p: float  # share of labels at random that are told apart as well


@dataclass(frozen=True, slots=True)
class ToldByColumn:
    """A column of the table that tells classes apart, such as plate or day, and whether images show its values."""

    told: Told  # classes, by the value alone
    seen: float  # how well images of one class tell its values apart: 0 as by guessing, 1 always


@dataclass(frozen=True, slots=True)
class Signal:
    """What each source tells of the labels, beside the whole image."""

    chance: float  # balanced accuracy of guessing
    whole: Told
    by_source: Mapping[SignalSource, Told]
    by_column: Mapping[str, ToldByColumn] = field(default_factory=dict)

    @property
    def is_there(self) -> bool:
        """Whether anything that a network sees tells the labels better than chance."""
        visible = (score for source, score in self.by_source.items() if source not in UNSEEN)
        return min(score.p for score in (self.whole, *visible)) <= HIGHEST_P

    def share(self, source: SignalSource) -> float:
        """Of the whole image's gain over chance, at most 1; 0 where the source tells nothing that chance could not.

        A network may see less in few whole images than the source alone tells.
        """
        return self._share(self.by_source[source])

    def share_of_column(self, column: str) -> float:
        """The same of a column whose values images show; 0 where they do not."""
        by_column = self.by_column[column]
        return self._share(by_column.told) if by_column.seen >= SEEN else 0.0

    def _share(self, score: Told) -> float:
        gain = score.balanced_accuracy - self.chance
        if score.p > HIGHEST_P or gain <= 0:
            return 0.0
        return gain / max(gain, self.whole.balanced_accuracy - self.chance)
