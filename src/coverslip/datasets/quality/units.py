"""Units of a split: connected images, reasons for exclusion, and data leakage of predefined splits.

Images of one group, with equal pixels or near-duplicates are connected: crops of one slide resemble each other.
"""

from array import array
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index.records import Dataset, Side
from coverslip.datasets.names import one_line
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.messages import Note, joined, message, note


def labels_of(dataset: Dataset, positions: Iterable[int]) -> set[str]:
    """Return the labels at these positions, without those of excluded classes."""
    records = (dataset.records[i] for i in positions)
    return {record.label for record in records if record.label is not None and dataset.has_class(record)}


def undivided_clusters(dataset: Dataset, scan: Scan) -> tuple[tuple[int, ...], ...]:
    """Return the clusters of near-duplicates that no split divides: all, except clusters in too many groups.

    Simple shapes, such as spots, can be as similar as near-duplicates. If clusters would merge the named groups into
    half as many or fewer, clusters in several groups are ignored as such shapes.
    """
    clusters = scan.near_duplicates or ()
    groups = [sorted({dataset.records[i].group or "" for i in members} - {""}) for members in clusters]
    n_groups = len({record.group for record in dataset.records if record.group is not None})
    components = _DisjointSets(n_groups)
    number = {
        group: k
        for k, group in enumerate(sorted({group for groups_of_cluster in groups for group in groups_of_cluster}))
    }
    for groups_of_cluster in groups:
        for group in groups_of_cluster[1:]:
            components.join(number[groups_of_cluster[0]], number[group])
    if components.n > n_groups / 2:
        return clusters
    return tuple(
        members for members, groups_of_cluster in zip(clusters, groups, strict=True) if len(groups_of_cluster) < 2
    )


class _DisjointSets:
    """Disjoint sets of the integers 0 to n - 1."""

    def __init__(self, n: int) -> None:
        self.n = n  # number of sets
        self._parent = array("q", range(n))

    def root(self, i: int) -> int:
        """Return the least number in the set of `i`."""
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
    components = _DisjointSets(len(order))
    group_of = (dataset.records[position].group for position in order)
    _join_equal(components, group_of)
    for clusters in (scan.equal_pixels, undivided_clusters(dataset, scan)):
        cluster_of = {i: k for k, members in enumerate(clusters) for i in members}
        _join_equal(components, (cluster_of.get(position) for position in order))
    return np.array([components.root(i) for i in range(len(order))], dtype=np.intp)


def _join_equal(components: _DisjointSets, values: Iterable[Hashable]) -> None:
    """Join the numbers of equal values; None equals no other."""
    first: dict[Hashable, int] = {}
    for i, value in enumerate(values):
        if value is not None:
            components.join(first.setdefault(value, i), i)


ON_REQUEST = "on request:"  # begins the reason of an image that is valid but that the recipe excludes


def exclusion_reasons(dataset: Dataset, scan: Scan) -> list[str]:
    """Return the reason why each image is excluded from the split; "" for images that are not."""
    reasons = [""] * len(dataset.records)
    for i, (record, fact) in enumerate(zip(dataset.records, scan.facts, strict=True)):
        if record.label in dataset.dropped:
            reasons[i] = f"{ON_REQUEST} the class {record.label} is dropped"
        elif isinstance(fact, Unreadable):
            reasons[i] = f"unreadable: {fact.reason}"
        elif record.label is None:
            reasons[i] = "no label"
    for members in scan.equal_pixels:
        labels = labels_of(dataset, members)
        if len(labels) < 2:
            continue
        for i in members:
            if not reasons[i]:
                record = dataset.records[i]
                twin_position = next(j for j in members if dataset.records[j].label in labels - {record.label})
                twin = dataset.records[twin_position]
                reasons[i] = f"same pixels as {twin.image_id}, labeled {twin.label}"
    return reasons


def dropped_notes(dataset: Dataset) -> list[Note]:
    """Return a note on the images of classes that the recipe excludes."""
    n_of = Counter(record.label for record in dataset.records if record.label in dataset.dropped)
    if not n_of:
        return []
    counts = (
        message("images-of-class", n_images=n, label=one_line(label or "", 60)) for label, n in n_of.most_common()
    )
    return [note("dropped", n_images=n_of.total(), classes=joined(counts, "list-of-messages"))]


def exclusion_notes(reasons: Sequence[str]) -> list[Note]:
    """Return a note for each kind of reason from `exclusion_reasons`, except excluded classes."""
    n_of = Counter(reason.split(" ")[0] for reason in reasons if reason)
    reason_of = {"unreadable:": "unreadable", "no": "no-label", "same": "conflicting-labels"}
    return [note("excluded", n_images=n, reason=reason) for word, reason in reason_of.items() if (n := n_of[word])]


LeakKind = Literal["group", "pixels", "near-duplicates", "chain"]  # chain: groups and duplicates that connect images


@dataclass(frozen=True, slots=True)
class Leak:
    """Images that belong together but are in several sets of a predefined split."""

    kind: LeakKind
    name: str  # the group's name, or the first image's
    images: tuple[int, ...]  # positions in the dataset's records; one of each set first


def predefined_split_leaks(dataset: Dataset, scan: Scan) -> list[Leak]:
    """Return duplicates and groups that a predefined split has in several sets, among readable images with a label.

    An image without a set can connect two sets, if it is in a group of one and equal to an image of the other.
    """
    by_pixels: dict[Hashable, list[int]] = defaultdict(list)
    by_group: dict[Hashable, list[int]] = defaultdict(list)
    by_cluster: dict[Hashable, list[int]] = defaultdict(list)
    cluster_of = {i: k for k, members in enumerate(undivided_clusters(dataset, scan)) for i in members}
    for i, (record, fact) in enumerate(zip(dataset.records, scan.facts, strict=True)):
        if record.predefined_split is None or not dataset.has_class(record) or isinstance(fact, Unreadable):
            continue
        by_pixels[fact.pixel_hash].append(i)
        if record.group is not None:
            by_group[record.group].append(i)
        if i in cluster_of:
            by_cluster[cluster_of[i]].append(i)
    direct = [*_leaks_among("group", dataset, by_group.values()), *_leaks_among("pixels", dataset, by_pixels.values())]
    in_equal = {i for leak in direct if leak.kind == "pixels" for i in leak.images}
    changed = (members for members in by_cluster.values() if in_equal.isdisjoint(members))
    direct += _leaks_among("near-duplicates", dataset, changed)
    in_direct = {i for leak in direct for i in leak.images}
    chains = (unit for unit in _predefined_components(dataset, scan) if in_direct.isdisjoint(unit))
    return [*direct, *_leaks_among("chain", dataset, chains)]


def _leaks_among(kind: LeakKind, dataset: Dataset, connected: Iterable[Sequence[int]]) -> Iterator[Leak]:
    """Yield a leak for each collection of connected images that is in several sets."""
    for members in connected:
        first_of_side: dict[Side | None, int] = {}
        for i in members:
            first_of_side.setdefault(dataset.records[i].predefined_split, i)
        if len(first_of_side) > 1:
            firsts = list(first_of_side.values())
            first = dataset.records[members[0]]
            rest = (i for i in members if i not in firsts)
            yield Leak(kind, (first.group if kind == "group" else first.image_id) or "", (*firsts, *rest))


def _predefined_components(dataset: Dataset, scan: Scan) -> Iterable[list[int]]:
    """Return the images with a predefined set of each unit that a split must not divide."""
    if not dataset.has_predefined_split:
        return []
    order = [i for i, reason in enumerate(exclusion_reasons(dataset, scan)) if not reason]
    members: dict[int, list[int]] = defaultdict(list)
    for i, unit in zip(order, connected_components(dataset, scan, order).tolist(), strict=True):
        if dataset.records[i].predefined_split is not None:
            members[unit].append(i)
    return members.values()
