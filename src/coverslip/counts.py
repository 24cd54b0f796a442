"""The counts of groups that users see, with the definition of the glossary: docs/glossary.md.

A group has a name. An image without one is no group, and is counted beside them. In splits and in confidence intervals,
each group and each image without a group is one unit.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
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
