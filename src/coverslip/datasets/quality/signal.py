"""How well labels are told from whole images, and from what has nothing to do with the object in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

SignalSource = Literal["border", "background", "size", "format"]

HIGHEST_P = 0.05  # above it, labels at random are told as well


@dataclass(frozen=True, slots=True)
class Told:
    """How well classes are told apart by something."""

    balanced_accuracy: float  # mean recall over classes, of images that were left out
    p: float  # share of labels at random that are told apart as well


@dataclass(frozen=True, slots=True)
class Signal:
    """What each source tells of the labels, beside the whole image."""

    chance: float  # balanced accuracy of guessing
    whole: Told
    by_source: Mapping[SignalSource, Told]

    @property
    def is_there(self) -> bool:
        """Whether anything tells the labels better than chance."""
        return min(told.p for told in (self.whole, *self.by_source.values())) <= HIGHEST_P

    def share(self, source: SignalSource) -> float:
        """Of the whole image's gain over chance, at most 1; 0 where the source tells nothing that chance could not.

        A network may see less in few whole images than the source alone tells.
        """
        told = self.by_source[source]
        gain = told.balanced_accuracy - self.chance
        if told.p > HIGHEST_P or gain <= 0:
            return 0.0
        return gain / max(gain, self.whole.balanced_accuracy - self.chance)
