"""Who trains, who validates, who tests: by group and by pixels, never by image alone.

Crops of one slide resemble each other, and a picture that was saved twice resembles itself. A random split would
grade the network on cells that it has all but seen.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index.records import DECISIONS, Dataset, Part, Side, counted, natural_key, one_line, some
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.datasets.splits.partition import split_units
from coverslip.errors import BadDataset, BadRecipe, LeakageFound

SIDES: tuple[Side, Side, Side] = ("train", "val", "test")
_WORDS: dict[Side, str] = {"train": "training", "val": "validation", "test": "test"}
ON_REQUEST = "on request:"  # begins the reason of an image that the recipe leaves out, with which nothing is wrong
_UNEVEN = 0.05  # a part this far from its share is worth a note


@dataclass(frozen=True)
class Split:
    """Where each image goes, in the order of the dataset's records."""

    parts: tuple[Part, ...]
    reasons: tuple[str, ...]  # why an image was left out; "" for all others
    notes: tuple[str, ...]


Tie = Literal["group", "pixels", "chain"]  # chain: several groups and equal pixels, one after the other


@dataclass(frozen=True, slots=True)
class Leak:
    """Images that stand on two sides of a given split though they belong together."""

    kind: Tie
    name: str  # the group's name, or the first image's
    images: tuple[int, ...]  # positions in the dataset's records; one of each side first


def split_images(
    dataset: Dataset, scan: Scan, *, val: float, test: float, seed: int, allow_leakage: bool = False
) -> Split:
    """Share readable, labelled images out among training, validation and test.

    What is connected by a group or by equal pixels stays on one side. Classes are spread as evenly as that allows;
    each is in all three parts whenever it has enough groups (without groups: images). Left out, with a reason, are
    unreadable images, those without a label or of a dropped class, equal pixels with different labels (all of them:
    nobody can tell which label is right), and images of a class that training has none of. The order of records does
    not matter.

    A given split is kept. Parts that it lacks are taken from its training part; rows without a part join training.

    Raises:
        BadDataset: nothing can be trained on, or everything belongs together.
        LeakageFound: a given split has equal pixels or one group on two sides, and `allow_leakage` is False.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise BadRecipe(
            f"split.val = {val:g} and split.test = {test:g} leave nothing to train on",
            do="Both must be below 1, and so must their sum.",
        )
    reasons = reasons_to_leave_out(dataset, scan)
    notes = [*dropped_notes(dataset), *left_out_notes(reasons)]
    order = sorted(
        (i for i, reason in enumerate(reasons) if not reason), key=lambda i: (dataset.records[i].image_id, i)
    )
    if not order:
        raise BadDataset(
            f"None of {counted(len(dataset.records), 'image')} can be used: {' '.join(notes).rstrip('.')}",
            file=dataset.root,
            do="Inspect the images: that says why of each.",
        )
    leaks = given_leaks(dataset, scan)
    if leaks and not allow_leakage:
        raise _leakage(dataset, leaks)
    if leaks:
        notes.append(
            f"The given split has {counted(len(leaks), 'group or picture', 'groups or pictures')} on two sides, which "
            "makes the numbers too good."
        )
    units = tied_units(dataset, scan, order)
    parts: dict[int, Side] = {}
    if dataset.has_given_split:
        parts = _given_parts(dataset, units, order)
        given = {dataset.records[i].domain for i in order if dataset.records[i].given_split is not None}
        n_free = sum(r.given_split is None and r.domain in given for r in (dataset.records[i] for i in order))
        if n_free:
            notes.append(
                f"{counted(n_free, 'image')} without a part in the given split joined training, or the part that their "
                "group or copies are in."
            )
    for own, is_given in _split_alike(dataset, order):
        _share_out(dataset, order, units, parts, own, is_given, (val, test), seed, notes)
    _leave_out_unlearnt(dataset, parts, reasons, notes)
    notes += _class_notes(dataset, order, units, parts)
    chosen: list[Part] = [parts.get(i, "left-out") if not reasons[i] else "left-out" for i in range(len(reasons))]
    return Split(tuple(chosen), tuple(reasons), tuple(notes))


def trained_classes(dataset: Dataset, split: Split) -> tuple[str, ...]:
    """The classes that training has images of, in the dataset's order: what a network has outputs for."""
    found = {r.label for r, part in zip(dataset.records, split.parts, strict=True) if part == "train"}
    return tuple(label for label in dataset.classes if label in found)


def check_class_names(dataset: Dataset, classes: Sequence[str]) -> None:
    """Refuse, from names alone, what no classifier can be trained on.

    Raises:
        BadDataset: there are fewer than two classes, or one has a name that predictions use for something else.
    """
    if len(classes) < 2:
        only = f"only one class, '{one_line(classes[0], 60)}'" if classes else "no class"
        known = len(dataset.classes)
        raise BadDataset(
            f"A classifier needs two classes, but there are usable training images of {only}"
            + (f" (of {known} in the data)" if known > 1 else ""),
            file=dataset.root,
            do="Add images of another class, each class in a folder of its own."
            if known < 2
            else "Inspect the images: that says why the others cannot be used.",
        )
    reserved = sorted(DECISIONS.intersection(classes))
    if reserved:
        raise BadDataset(
            f"A class cannot be called '{reserved[0]}': that word says in predictions that no class was decided for",
            file=dataset.root,
            do="Give the class another name, for example with classes.rename in the recipe.",
        )


def check_trainable(dataset: Dataset, scan: Scan, split: Split) -> None:
    """Refuse, before any work, what no classifier can be trained on.

    Raises:
        BadDataset: fewer than two classes to train on, one with a name that predictions use for something else, or an
            empty training, validation or test part.
    """
    if not scan.n_readable:
        first = next((f.reason for f in scan.facts if isinstance(f, Unreadable)), "there are no images")
        raise BadDataset(
            f"None of {counted(len(scan.facts), 'image')} could be read (the first: {one_line(first)})",
            file=dataset.root,
            do="Check that these are image files; inspecting them lists each with its reason.",
        )
    check_class_names(dataset, trained_classes(dataset, split))
    n = Counter(split.parts)
    for side in SIDES:
        if not n[side]:
            raise BadDataset(
                f"There are no images for the {_WORDS[side]} part",
                file=dataset.root,
                do="Give that part a share above 0 and enough images (without a given split, at least three groups).",
            )


def given_leaks(dataset: Dataset, scan: Scan) -> list[Leak]:
    """Equal pixels and groups that a given split has on two sides, among readable images with a label.

    An image without a part can tie two sides together, when it is of one's group and equal to an image of the other.
    """
    by_pixels: dict[Hashable, list[int]] = defaultdict(list)
    by_group: dict[Hashable, list[int]] = defaultdict(list)
    for i, (record, fact) in enumerate(zip(dataset.records, scan.facts, strict=True)):
        if record.given_split is None or not dataset.has_class(record) or isinstance(fact, Unreadable):
            continue
        by_pixels[fact.pixel_hash].append(i)
        if record.group is not None:
            by_group[record.group].append(i)
    direct = [*_leaks_among("group", dataset, by_group.values()), *_leaks_among("pixels", dataset, by_pixels.values())]
    told = {i for leak in direct for i in leak.images}
    chains = (unit for unit in _given_units(dataset, scan) if told.isdisjoint(unit))
    return [*direct, *_leaks_among("chain", dataset, chains)]


def _leaks_among(kind: Tie, dataset: Dataset, tied: Iterable[Sequence[int]]) -> Iterator[Leak]:
    """Those of the images tied together that stand on two sides."""
    for members in tied:
        first_of_side: dict[Side | None, int] = {}
        for i in members:
            first_of_side.setdefault(dataset.records[i].given_split, i)
        if len(first_of_side) > 1:
            firsts = list(first_of_side.values())
            first = dataset.records[members[0]]
            rest = (i for i in members if i not in firsts)
            yield Leak(kind, (first.group if kind == "group" else first.image_id) or "", (*firsts, *rest))


def _given_units(dataset: Dataset, scan: Scan) -> Iterable[list[int]]:
    """The images with a given part of each unit that a split must not divide."""
    if not dataset.has_given_split:
        return []
    order = [i for i, reason in enumerate(reasons_to_leave_out(dataset, scan)) if not reason]
    members: dict[int, list[int]] = defaultdict(list)
    for i, unit in zip(order, tied_units(dataset, scan, order).tolist(), strict=True):
        if dataset.records[i].given_split is not None:
            members[unit].append(i)
    return members.values()


def equal_pixels(dataset: Dataset, scan: Scan) -> list[list[int]]:
    """Positions of readable images that have the same pixels, two or more each."""
    members: dict[str, list[int]] = defaultdict(list)
    for i, fact in enumerate(scan.facts):
        if not isinstance(fact, Unreadable):
            members[fact.pixel_hash].append(i)
    return [found for found in members.values() if len(found) > 1]


def labels_of(dataset: Dataset, positions: Iterable[int]) -> set[str]:
    """The labels at these positions; images without one, or of a dropped class, do not count."""
    records = (dataset.records[i] for i in positions)
    return {record.label for record in records if record.label is not None and dataset.has_class(record)}


def reasons_to_leave_out(dataset: Dataset, scan: Scan) -> list[str]:
    reasons = [""] * len(dataset.records)
    for i, (record, fact) in enumerate(zip(dataset.records, scan.facts, strict=True)):
        if record.label in dataset.dropped:
            reasons[i] = f"{ON_REQUEST} the class {record.label} is dropped"
        elif isinstance(fact, Unreadable):
            reasons[i] = f"unreadable: {fact.reason}"
        elif record.label is None:
            reasons[i] = "no label"
    for members in equal_pixels(dataset, scan):
        labels = labels_of(dataset, members)
        if len(labels) < 2:
            continue
        for i in members:
            if not reasons[i]:
                record = dataset.records[i]
                other = next(j for j in members if dataset.records[j].label in labels - {record.label})
                twin = dataset.records[other]
                reasons[i] = f"same pixels as {twin.image_id}, labelled {twin.label}"
    return reasons


def dropped_notes(dataset: Dataset) -> list[str]:
    n_of = Counter(record.label for record in dataset.records if record.label in dataset.dropped)
    if not n_of:
        return []
    each = ", ".join(f"{n:,} of '{one_line(label or '', 60)}'" for label, n in n_of.most_common())
    return [f"{counted(n_of.total(), 'image')} left out on request, since classes are dropped: {each}."]


def left_out_notes(reasons: Sequence[str]) -> list[str]:
    kinds = Counter(reason.split(" ")[0] for reason in reasons if reason)
    said = {
        "unreadable:": ("it could not be read", "they could not be read"),
        "no": ("it has no label", "they have no label"),
        "same": (
            "it has the same pixels as an image with another label",
            "they have the same pixels as an image with another label",
        ),
    }
    return [
        f"{counted(n, 'image')} left out: {one if n == 1 else many}."
        for kind, (one, many) in said.items()
        if (n := kinds[kind])
    ]


def tied_units(dataset: Dataset, scan: Scan, order: Sequence[int]) -> NDArray[np.intp]:
    """For each image in `order` a number, equal for what groups and equal pixels connect."""
    parent = list(range(len(order)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, position in enumerate(order):
        fact, group = scan.facts[position], dataset.records[position].group
        ties = [] if isinstance(fact, Unreadable) else [("pixels", fact.pixel_hash)]
        if group is not None:
            ties.append(("group", group))
        for tie in ties:
            one, other = root(first.setdefault(tie, i)), root(i)
            parent[max(one, other)] = min(one, other)
    return np.array([root(i) for i in range(len(order))], dtype=np.intp)


def _given_parts(dataset: Dataset, units: NDArray[np.intp], order: Sequence[int]) -> dict[int, Side]:
    """The parts that are given. A row without one goes where its copies and its group are, else to training."""
    parts = {i: side for i in order if (side := dataset.records[i].given_split) is not None}
    side_of_unit: dict[int, Side] = {}
    for side in SIDES:  # the last one wins: what is tied to a test image must not be trained on
        side_of_unit.update({int(u): side for i, u in zip(order, units, strict=True) if parts.get(i) == side})
    return {i: parts.get(i) or side_of_unit.get(int(u), "train") for i, u in zip(order, units, strict=True)}


def _split_alike(dataset: Dataset, order: Sequence[int]) -> list[tuple[NDArray[np.bool_], bool]]:
    """Which images of `order` are shared out together, and whether they come with a split: sets with the same parts."""
    records = [dataset.records[i] for i in order]
    given: dict[str, set[Side | None]] = {record.domain: set() for record in records}
    for record in records:
        given[record.domain].add(record.given_split)
    kinds = {domain: frozenset(sides - {None}) for domain, sides in given.items()}
    return [
        (np.array([kinds[record.domain] == kind for record in records], dtype=bool), bool(kind))
        for kind in sorted(set(kinds.values()), key=lambda sides: sorted(map(str, sides)))
    ]


def _share_out(
    dataset: Dataset,
    order: Sequence[int],
    units: NDArray[np.intp],
    parts: dict[int, Side],
    own: NDArray[np.bool_],
    is_given: bool,
    wanted: tuple[float, float],
    seed: int,
    notes: list[str],
) -> None:
    """Give a part to every image that may still be placed: all, or the training part of an incomplete given split."""
    val, test = wanted
    if is_given:
        there = {parts[i] for i, is_own in zip(order, own, strict=True) if is_own}
        val, test = (0.0 if "val" in there else val), (0.0 if "test" in there else test)
        if "train" not in there or not val + test:
            return
        # Shares are of all images, so what the given parts hold already makes the others' shares of the rest larger.
        left = 1 - (wanted[0] if "val" in there else 0) - (wanted[1] if "test" in there else 0)
        val, test = val / left, test / left
        named = " and ".join(word for word, share in (("validation", val), ("test", test)) if share)
        sets = sorted({dataset.records[i].domain for i, is_own in zip(order, own, strict=True) if is_own})
        whose = "" if own.all() else f" of {some(sets)}"
        notes.append(f"The given split{whose} has no {named} part; it was taken from the training part.")
    free = own & np.array([parts.get(i, "train") == "train" for i in order], dtype=bool)
    free &= ~np.isin(units, units[~own])  # what is tied to another set stays where that one has it
    positions = [i for i, is_free in zip(order, free, strict=True) if is_free]
    label, domain = classes_and_domains(dataset, positions)
    shares = (1 - val - test, val, test)
    n_units, n_parts = len(set(units[free].tolist())), sum(share > 0 for share in shares)
    if n_units < n_parts and own.all():
        raise too_few_units(dataset, positions, n_units, n_parts)
    if n_units < n_parts:
        parts.update(dict.fromkeys(positions, "train"))
        return
    chosen = split_units(label, units[free], shares, seed, domain)
    parts.update({i: SIDES[side] for i, side in zip(positions, chosen.tolist(), strict=True)})
    reached = np.bincount(chosen, minlength=3) / len(chosen)
    if np.abs(reached - shares).max() > _UNEVEN:
        notes.append(
            f"{'Groups' if dataset.has_groups else 'Images'} are few or unequal, so training, validation and test got "
            f"{', '.join(f'{100 * r:.0f}' for r in reached)} % of the images instead of "
            f"{', '.join(f'{100 * s:.0f}' for s in shares)} %."
        )


def classes_and_domains(dataset: Dataset, positions: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(n,) numbers of the labels, and (n,) numbers of the domains, of the images at these positions."""
    records = [dataset.records[i] for i in positions]
    label = np.unique([record.label or "" for record in records], return_inverse=True)[1]
    return label, np.unique([record.domain for record in records], return_inverse=True)[1]


def _leave_out_unlearnt(dataset: Dataset, parts: dict[int, Side], reasons: list[str], notes: list[str]) -> None:
    """Only after a given split can a class be without training images."""
    learnt = labels_of(dataset, (i for i, side in parts.items() if side == "train"))
    if not learnt:
        return  # a test set by itself, to evaluate on
    unlearnt: Counter[str] = Counter()
    for i in parts:
        label = dataset.records[i].label or ""
        if label not in learnt:
            reasons[i] = f"no training image of the class {label}"
            unlearnt[label] += 1
    if unlearnt:
        notes.append(
            f"{counted(sum(unlearnt.values()), 'image')} left out, since training has no image of the class: "
            f"{some(sorted(unlearnt, key=natural_key))}."
        )


def _class_notes(dataset: Dataset, order: Sequence[int], units: NDArray[np.intp], parts: dict[int, Side]) -> list[str]:
    """Which classes, and which sets of images, cannot be in every part, and why."""
    labels = [dataset.records[i].label or "" for i in order]
    domains = [dataset.records[i].domain for i in order]
    sides, numbers = [parts[i] for i in order], units.tolist()
    notes = list(_missing_notes(dataset, "class", labels, numbers, sides))
    if len(set(domains)) > 1:
        notes += _missing_notes(dataset, "set", domains, numbers, sides)
    if len(notes) > 8:
        notes[7:] = [f"{len(notes) - 7} more classes or sets are not in every part."]
    return notes


def _missing_notes(
    dataset: Dataset, kind: Literal["class", "set"], names: Sequence[str], units: Sequence[int], sides: Sequence[Side]
) -> Iterator[str]:
    """What is not in validation or test; for each image what it is of, its unit, and its side are given."""
    sides_of: dict[str, set[Side]] = defaultdict(set)
    units_of: dict[str, set[int]] = defaultdict(set)
    for name, unit, side in zip(names, units, sides, strict=True):
        sides_of[name].add(side)
        units_of[name].add(unit)
    used, n_of = set(sides), Counter(names)
    unit_word = "group" if dataset.has_groups else "distinct image"
    for name in sorted(sides_of, key=natural_key):
        missing = [side for side in SIDES if side in used and side not in sides_of[name]]
        if not missing or "train" in missing:
            continue
        without = " and ".join(_WORDS[side] for side in missing)
        n_units = len(units_of[name])
        why = (
            f"its {counted(n_of[name], 'image')} make up {counted(n_units, unit_word)}, and a {kind} needs "
            f"{len(used)} to be in every part"
            if n_units < len(used)
            else "the given split has none there"
            if dataset.has_given_split
            else f"its groups cannot be parted so that every {kind} is in every part"
        )
        so = "its numbers cannot be given" if "test" in missing else "no choice is checked on it"
        yield f"{kind.capitalize()} '{one_line(name, 60)}' has no {without} images: {why}; {so}."


def too_few_units(dataset: Dataset, positions: Sequence[int], n_units: int, n_parts: int) -> BadDataset:
    n = counted(len(positions), "usable image")
    if dataset.has_groups:
        groups = sorted({dataset.records[i].group or "" for i in positions}, key=natural_key)
        tied = f" ({some(groups, 3)})"
        if len(groups) > n_units:
            tied = f" ({len(groups):,} named ones, tied together by equal images)"
        return BadDataset(
            f"{n} belong to {counted(n_units, 'separate group')}{tied}, but {n_parts} are needed: a group must not be "
            "in training and test at once",
            file=dataset.root,
            do="Add images of other groups, group by something finer, or take out equal images (blank ones?) that tie "
            "groups together."
            if len(groups) > n_units
            else "Add images of other groups, or group by something finer.",
        )
    return BadDataset(
        f"{n} show {counted(n_units, 'distinct picture')}, but {n_parts} are needed, one for each part",
        file=dataset.root,
        do="Add images: a few dozen of each class are a start.",
    )


def _leakage(dataset: Dataset, leaks: Sequence[Leak]) -> LeakageFound:
    shown = []
    for leak in leaks[:3]:
        one, other = (dataset.records[i] for i in leak.images[:2])
        places = " and ".join(f"{r.given_split} ('{one_line(r.image_id, 80)}')" for r in (one, other))
        what = {
            "group": f"group '{one_line(leak.name, 60)}'",
            "pixels": "the same pixels",
            "chain": "images tied by groups and equal pixels",
        }[leak.kind]
        shown.append(f"{what} in {places}")
    n = Counter(leak.kind for leak in leaks)
    words: dict[Tie, tuple[str, str]] = {
        "group": ("group", "groups"),
        "pixels": ("image with copies", "images with copies"),
        "chain": ("chain of groups and copies", "chains of groups and copies"),
    }
    kinds = [counted(n[kind], one, many) for kind, (one, many) in words.items() if n[kind]]
    return LeakageFound(
        f"The given split has {' and '.join(kinds)} on two sides: {'; '.join(shown)}"
        + ("; ..." if len(leaks) > 3 else ""),
        file=dataset.root,
        do="Move them to one side, leave the split to coverslip, or keep it with --allow-leakage (the numbers will be "
        "too good).",
    )
