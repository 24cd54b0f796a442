"""What a set of images is like, and what to do about it before training: plain facts and plain advice."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from coverslip.datasets.index import (
    SIDES,
    Dataset,
    counted,
    natural_key,
    one_line,
    posix_below,
    printable,
    shared_class_notes,
    some,
)
from coverslip.datasets.quality.leaks import given_leaks
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.datasets.quality.ties import equal_pixels, labels_of
from coverslip.images import NO_SUCH_FILE, ImageFacts

FEW_GROUPS = 10  # with fewer, one split tests on a patient or two: folds are the default
SOME_GROUPS = 30  # with fewer, folds are advised
_FEW_IMAGES = 20  # of a class: below, its numbers say little
_LARGE_GROUP = 10  # images: a slide or patient rather than one field of view
_IMBALANCED = 5.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Smallest, middle and largest of some numbers."""

    min: float
    median: float
    max: float

    @staticmethod
    def of(numbers: Iterable[float]) -> "Spread | None":
        """None without numbers."""
        values = sorted(numbers)
        return Spread(values[0], median(values), values[-1]) if values else None


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """How images lie in groups."""

    n_groups: int
    images_per_group: Spread
    classes_per_group: Spread
    groups_per_class: dict[str, int]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Images with the same pixels, by path relative to the root."""

    same_label: list[list[str]]
    conflicting: list[list[tuple[str, str | None]]]  # (path, label)
    across_groups: list[list[tuple[str, str | None]]]  # (path, group)


@dataclass(frozen=True, slots=True)
class GivenSplit:
    """A split that folders or a table give."""

    images: dict[str, int]  # per part
    leaking_groups: list[str]
    leaking_pixels: list[list[str]]  # paths; one of each side first
    leaking_chains: list[list[str]]  # paths; tied by several groups and equal pixels one after the other


@dataclass(frozen=True)
class Inspection:
    """Everything that `coverslip inspect` tells. Counts by format, depth and the like are over readable images."""

    root: str
    source: str
    n_images: int
    n_readable: int
    n_unlabelled: int
    classes: dict[str, int]  # images per label, readable or not
    domains: dict[str, int]
    groups: GroupFacts | None
    width_px: Spread | None
    height_px: Spread | None
    dtypes: dict[str, int]
    bit_depths: dict[str, int]
    channels: dict[str, int]
    formats: dict[str, int]
    planes: dict[str, int]
    reading_notes: dict[str, int]
    unreadable: list[tuple[str, str]]  # (path, reason)
    duplicates: Duplicates
    imbalance_ratio: float | None  # largest class over smallest
    given_split: GivenSplit | None
    notes: list[str]
    advice: list[str]

    def as_json(self) -> dict[str, Any]:  # Any: JSON values
        """Plain JSON: tuples become lists, missing parts null."""
        return {"format_version": 1, **asdict(self)}


def inspect_dataset(dataset: Dataset, scan: Scan) -> Inspection:
    """Counts, sizes, depths, formats, broken files, duplicates, leakage, and advice in the order of importance."""
    records = dataset.records
    # From the root of all: two domains may each have an `a/1.png`.
    paths = [printable(posix_below(record.path, dataset.root)) for record in records]
    readable = [fact for fact in scan.facts if isinstance(fact, ImageFacts)]
    labels = Counter(record.label for record in records if record.label is not None)
    classes = {label: labels[label] for label in dataset.classes}
    domains = Counter(record.domain for record in records if record.domain)
    inspection = Inspection(
        root=str(dataset.root),
        source=dataset.source,
        n_images=len(records),
        n_readable=len(readable),
        n_unlabelled=sum(record.label is None for record in records),
        classes=classes,
        domains=dict(sorted(domains.items())),
        groups=_group_facts(dataset),
        width_px=Spread.of(fact.width_px for fact in readable),
        height_px=Spread.of(fact.height_px for fact in readable),
        dtypes=_counts(fact.dtype for fact in readable),
        bit_depths=_counts(str(fact.bit_depth) for fact in readable),
        channels=_counts(str(fact.n_channels) for fact in readable),
        formats=_counts(fact.file_format for fact in readable),
        planes=_counts(str(fact.n_planes) for fact in readable),
        reading_notes=_counts(fact.note for fact in readable if fact.note),
        unreadable=[(path, f.reason) for path, f in zip(paths, scan.facts, strict=True) if isinstance(f, Unreadable)],
        duplicates=_duplicates(dataset, scan, paths),
        imbalance_ratio=max(classes.values()) / min(classes.values()) if len(classes) > 1 else None,
        given_split=_given_split(dataset, scan, paths),
        notes=[*dataset.notes, *shared_class_notes(dataset)],
        advice=[],
    )
    inspection.advice.extend(_advice(inspection))
    return inspection


def _group_facts(dataset: Dataset) -> GroupFacts | None:
    labels_of_group: dict[str, set[str]] = defaultdict(set)
    groups_of_label: dict[str, set[str]] = defaultdict(set)
    n_of_group: Counter[str] = Counter()
    for record in dataset.records:
        if record.group is None:
            continue
        n_of_group[record.group] += 1
        if record.label is not None and dataset.has_class(record):
            labels_of_group[record.group].add(record.label)
            groups_of_label[record.label].add(record.group)
    images = Spread.of(n_of_group.values())
    per_group = Spread.of(len(labels_of_group[group]) for group in n_of_group)
    if images is None or per_group is None:
        return None
    groups_per_class = {label: len(groups_of_label[label]) for label in dataset.classes}
    return GroupFacts(len(n_of_group), images, per_group, groups_per_class)


def _duplicates(dataset: Dataset, scan: Scan, paths: list[str]) -> Duplicates:
    found = Duplicates([], [], [])
    for members in equal_pixels(dataset, scan):
        if len(labels_of(dataset, members)) > 1:
            found.conflicting.append([(paths[i], dataset.records[i].label) for i in members])
        else:
            found.same_label.append([paths[i] for i in members])
        if len({dataset.records[i].group for i in members}) > 1:
            found.across_groups.append([(paths[i], dataset.records[i].group) for i in members])
    return found


def _given_split(dataset: Dataset, scan: Scan, paths: list[str]) -> GivenSplit | None:
    if not dataset.has_given_split:
        return None
    images = Counter(record.given_split for record in dataset.records)
    leaks = given_leaks(dataset, scan)
    return GivenSplit(
        {side: images[side] for side in SIDES},
        [leak.name for leak in leaks if leak.kind == "group"],
        *([[paths[i] for i in leak.images] for leak in leaks if leak.kind == kind] for kind in ("pixels", "chain")),
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    """Most frequent first; equal ones in natural order."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], natural_key(item[0]))))


def _advice(found: Inspection) -> list[str]:
    advice: list[str] = []
    given = found.given_split
    if given and (given.leaking_groups or given.leaking_pixels or given.leaking_chains):
        n_groups, n_pixels = len(given.leaking_groups), len(given.leaking_pixels)
        n_chains = len(given.leaking_chains)
        chains = f" and {counted(n_chains, 'chain')} of groups tied by equal images" if n_chains else ""
        advice.append(
            f"The given split has {counted(n_groups, 'group')} and {counted(n_pixels, 'set')} of equal images{chains} "
            "on two sides. Numbers from it would be too good: move them to one side, or let coverslip split."
        )
    missing = [path for path, reason in found.unreadable if reason == NO_SUCH_FILE]
    if missing:
        advice.append(
            f"{counted(len(missing), 'file')} not found, so left out (first: '{one_line(missing[0], 80)}'). "
            "Put what is missing in its place, or correct the table."
        )
    damaged = [(path, reason) for path, reason in found.unreadable if reason != NO_SUCH_FILE]
    if damaged:
        path, reason = damaged[0]
        advice.append(
            f"{counted(len(damaged), 'image')} cannot be read and will be left out (first: "
            f"'{one_line(path, 80)}': {one_line(reason)}). Copy or export again what you need."
        )
    if found.duplicates.conflicting:
        n = sum(map(len, found.duplicates.conflicting))
        advice.append(
            f"{counted(n, 'image')} have the same pixels as an image with another label. All of them will be left out "
            "until the labels agree; decide which label is right."
        )
    if found.duplicates.same_label:
        n = sum(len(members) - 1 for members in found.duplicates.same_label)
        advice.append(
            f"{counted(n, 'image is an exact copy', 'images are exact copies')} of another one. Copies are kept on one "
            "side of the split, but they count more than once; delete them if they are accidents."
        )
    advice += _class_advice(found)
    advice += _group_advice(found)
    advice += _pixel_advice(found)
    return advice or ["Nothing to fix was found."]


def _class_advice(found: Inspection) -> list[str]:
    advice = []
    if not found.classes:
        return ["No image has a label: put each class into a folder of its own, or give a table with a label column."]
    if len(found.classes) == 1:
        advice.append(f"There is one class, {some(found.classes)}. A classifier needs at least two.")
    if found.n_unlabelled:
        advice.append(f"{counted(found.n_unlabelled, 'image')} without a label will be left out.")
    tiny = [label for label, n in found.classes.items() if n < 3]
    few = [label for label, n in found.classes.items() if 3 <= n < _FEW_IMAGES]
    if tiny:
        advice.append(
            f"{some(tiny)}: fewer than 3 images, so such a class cannot be in training, validation and test at once. "
            "Add images or leave it out."
        )
    if few:
        advice.append(f"{some(few)}: fewer than {_FEW_IMAGES} images, so the numbers for such a class will be rough.")
    if found.imbalance_ratio and found.imbalance_ratio >= _IMBALANCED:
        advice.append(
            f"The largest class has {found.imbalance_ratio:.0f} times as many images as the smallest. Judge by "
            "balanced accuracy or macro F1, and consider balance: weights in the recipe."
        )
    alike: dict[str, list[str]] = defaultdict(list)
    for label in found.classes:
        alike[re.sub(r"[\W_]+", "", label.casefold()) or label].append(label)
    for spellings in alike.values():
        if len(spellings) > 1:
            advice.append(f"The labels {some(spellings)} may be one class in several spellings.")
    return advice


def _group_advice(found: Inspection) -> list[str]:
    if found.groups is None:
        return [
            "No groups are known. If several images come from one patient, slide or well, say so (by a column of the "
            "table, or a group pattern for file names): otherwise they stand in training and test, which flatters the "
            "numbers."
        ]
    advice = []
    scarce = [label for label, n in found.groups.groups_per_class.items() if n < 3]
    if scarce:
        advice.append(
            f"{some(scarce)}: images from fewer than 3 groups, so such a class cannot be in training, validation and "
            "test at once."
        )
    if found.groups.n_groups < SOME_GROUPS:
        advice.append(
            f"There are only {counted(found.groups.n_groups, 'group')}: which of them fall into the test part matters "
            "much, and intervals will be wide and still approximate. "
            + (
                "A training therefore tests on each of them once, in folds."
                if 3 <= found.groups.n_groups < FEW_GROUPS and not found.given_split
                else "Folds (split.folds=5) test on every group once."
            )
        )
    if found.duplicates.across_groups:
        n_sets = len(found.duplicates.across_groups)
        advice.append(
            f"{counted(n_sets, 'set of equal images lies', 'sets of equal images lie')} in several groups, which are "
            "therefore kept together. Check whether the groups are right."
        )
    large = found.groups.images_per_group.median >= _LARGE_GROUP
    if large and found.groups.classes_per_group.max == 1 and len(found.classes) > 1:
        advice.append(
            "Every group holds one class only, so the network could learn to tell the groups' staining or exposure "
            "apart instead of the classes. Groups with several classes would show that."
        )
    return advice


def _pixel_advice(found: Inspection) -> list[str]:
    advice = []
    if len(found.bit_depths) > 1:
        depths = ", ".join(f"{n:,} of {depth} bit" for depth, n in found.bit_depths.items())
        advice.append(
            f"Bit depths are mixed ({depths}). If depth goes with class, it gives the class away; export all alike."
        )
    if len(found.channels) > 1:
        channels = ", ".join(f"{n:,} with {c}" for c, n in found.channels.items())
        advice.append(f"Numbers of channels are mixed ({channels}). Grey images will be shown to a network as colour.")
    deep = sum(n for planes, n in found.planes.items() if planes != "1")
    if deep:
        advice.append(
            f"{counted(deep, 'image has', 'images have')} several planes, of which the first is used unless the "
            "recipe's plane says otherwise."
        )
    return advice
