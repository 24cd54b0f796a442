"""Images that belong together: images of one group, images with the same pixels, and near-duplicates.

Crops of one slide resemble each other, and so do copies of an image.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index import Dataset
from coverslip.datasets.quality.scanning import Scan, Unreadable


def labels_of(dataset: Dataset, positions: Iterable[int]) -> set[str]:
    """Return the labels at these positions, without those of excluded classes."""
    records = (dataset.records[i] for i in positions)
    return {record.label for record in records if record.label is not None and dataset.has_class(record)}


def kept_together(dataset: Dataset, scan: Scan) -> tuple[tuple[int, ...], ...]:
    """Return the clusters of near-duplicates that no split divides: all, except clusters in too many groups.

    Plain shapes, such as spots, can resemble each other as near-duplicates do. If clusters would merge the named groups
    into half as many or fewer, those in several groups are considered such shapes, and the groups stay as named.
    """
    clusters = scan.near_duplicates or ()
    groups = [sorted({dataset.records[i].group or "" for i in members} - {""}) for members in clusters]
    n_groups = len({record.group for record in dataset.records if record.group is not None})
    components = _Components(n_groups)
    number = {group: k for k, group in enumerate(sorted({group for several in groups for group in several}))}
    for several in groups:
        for another in several[1:]:
            components.join(number[several[0]], number[another])
    if components.n > n_groups / 2:
        return clusters
    return tuple(members for members, several in zip(clusters, groups, strict=True) if len(several) < 2)


class _Components:
    """Disjoint sets of the numbers from 0."""

    def __init__(self, n: int) -> None:
        self.n = n  # number of sets
        self._parent = list(range(n))

    def root(self, i: int) -> int:
        """Return the least number of its set."""
        while self._parent[i] != i:
            self._parent[i] = self._parent[self._parent[i]]
            i = self._parent[i]
        return i

    def join(self, i: int, j: int) -> None:
        a, b = self.root(i), self.root(j)
        self._parent[max(a, b)] = min(a, b)
        self.n -= a != b


def connected_components(dataset: Dataset, scan: Scan, order: Sequence[int]) -> NDArray[np.intp]:
    """Return for each image in `order` the number of its connected component.

    Groups, equal pixels and near-duplicates connect.
    """
    cluster_of = {i: str(k) for k, members in enumerate(kept_together(dataset, scan)) for i in members}
    components = _Components(len(order))
    first: dict[tuple[str, str], int] = {}
    for i, position in enumerate(order):
        fact, group = scan.facts[position], dataset.records[position].group
        links = [] if isinstance(fact, Unreadable) else [("pixels", fact.pixel_hash)]
        if group is not None:
            links.append(("group", group))
        if position in cluster_of:
            links.append(("copies", cluster_of[position]))
        for link in links:
            components.join(first.setdefault(link, i), i)
    return np.array([components.root(i) for i in range(len(order))], dtype=np.intp)
