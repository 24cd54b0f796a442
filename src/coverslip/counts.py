"""The counts of groups and of predictions that users see, with the definitions of the glossary: docs/glossary.md.

A group has a name. An image without one is no group, and is counted beside them. In splits and in confidence intervals,
each group and each image without a group is one unit.

Each row of a table of predictions has one decision. A row that lists an image again counts by decision, but each image
counts once in proportions, and not at all if a user excluded it.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GroupCount:
    """The groups of some images."""

    n_groups: int
    n_ungrouped: int  # images without a group

    @property
    def n_units(self) -> int:
        """Number of groups and of images without a group."""
        return self.n_groups + self.n_ungrouped


def count_groups(names: Iterable[Hashable]) -> GroupCount:
    """Return the number of groups of some images.

    Args:
        names: the group of each image; empty or None: it has none.
    """
    n_of_name = Counter(names)
    n_ungrouped = n_of_name.pop(None, 0) + n_of_name.pop("", 0)
    return GroupCount(len(n_of_name), n_ungrouped)


def most_frequent_first(n_of: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of rows by decision, the most frequent decision first, then by name."""
    return dict(sorted(n_of.items(), key=lambda item: (-item[1], item[0])))


class ImagesInProportions:
    """The images that count in proportions: each once, without those that a user excluded."""

    def __init__(self) -> None:
        self.n_repeated = 0  # rows that list an image again
        self.n_excluded = 0  # images that a user excluded
        self._images = set[Hashable]()

    def add(self, image: Hashable, *, is_excluded: bool) -> bool:
        """Return whether the next row of a table counts."""
        is_repeated = image in self._images
        self._images.add(image)
        self.n_repeated += is_repeated
        self.n_excluded += is_excluded and not is_repeated
        return not is_repeated and not is_excluded
