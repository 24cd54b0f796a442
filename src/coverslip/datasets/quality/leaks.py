"""Data leakage of predefined splits: images that belong together but are in several sets."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from coverslip.datasets.index import Dataset, Side
from coverslip.datasets.quality.components import connected_components, kept_together
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.datasets.quality.usable import exclusion_reasons

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
    by_copies: dict[Hashable, list[int]] = defaultdict(list)
    cluster_of = {i: k for k, members in enumerate(kept_together(dataset, scan)) for i in members}
    for i, (record, fact) in enumerate(zip(dataset.records, scan.facts, strict=True)):
        if record.predefined_split is None or not dataset.has_class(record) or isinstance(fact, Unreadable):
            continue
        by_pixels[fact.pixel_hash].append(i)
        if record.group is not None:
            by_group[record.group].append(i)
        if i in cluster_of:
            by_copies[cluster_of[i]].append(i)
    direct = [*_leaks_among("group", dataset, by_group.values()), *_leaks_among("pixels", dataset, by_pixels.values())]
    in_equal = {i for leak in direct if leak.kind == "pixels" for i in leak.images}
    changed = (members for members in by_copies.values() if in_equal.isdisjoint(members))
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
