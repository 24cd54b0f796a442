"""Splits into training, validation and test set by connected images, and checks of classes, groups and splits.

Crops of one slide resemble each other, and duplicates are equal. With a random split of images, the network would be
tested on cells that are nearly the same as those in the training set.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from coverslip.datasets.index.records import DECISIONS, SIDES, Dataset, Part, Side
from coverslip.datasets.names import counted, natural_key, one_line, some
from coverslip.datasets.quality.related_images import (
    ON_REQUEST,
    Leak,
    LeakKind,
    connected_components,
    dropped_notes,
    exclusion_notes,
    exclusion_reasons,
    labels_of,
    predefined_split_leaks,
)
from coverslip.datasets.quality.scanning import Scan, Unreadable, single_groups
from coverslip.datasets.splits.partition import split_units
from coverslip.errors import BadDataset, BadRecipe, LeakageFound
from coverslip.messages import AllowLeakage, GroupBy, Note, Set, note, text

_IGNORE_NEAR_DUPLICATES = Set("split.near_duplicates", "ignore")
_MOST_NOTES = 8  # on classes and domains
_MOST_LEAKS = 3  # in the message


def class_notes(
    dataset: Dataset, order: Sequence[int], units: NDArray[np.intp], side_of: dict[int, Side]
) -> list[Note]:
    """Return notes on classes and domains that cannot be in every set, with the reasons."""
    labels = [dataset.records[i].label or "" for i in order]
    domains = [dataset.records[i].domain for i in order]
    sides, numbers = [side_of[i] for i in order], units.tolist()
    notes = list(_missing_notes(dataset, "class", labels, numbers, sides))
    if len(set(domains)) > 1:
        notes += _missing_notes(dataset, "domain", domains, numbers, sides)
    if len(notes) > _MOST_NOTES:
        notes[_MOST_NOTES - 1 :] = [note("more-missing-parts", level="warning", n=len(notes) - _MOST_NOTES + 1)]
    return notes


def _missing_notes(
    dataset: Dataset,
    subject: Literal["class", "domain"],
    names: Sequence[str],
    units: Sequence[int],
    sides: Sequence[Side],
) -> Iterator[Note]:
    """Yield a note for each class or domain without validation or test images.

    Args:
        dataset: the images.
        subject: kind of the names.
        names, units, sides: of each image.
    """
    sides_of: dict[str, set[Side]] = defaultdict(set)
    units_of: dict[str, set[int]] = defaultdict(set)
    for name, unit, side in zip(names, units, sides, strict=True):
        sides_of[name].add(side)
        units_of[name].add(unit)
    used, n_of = set(sides), Counter(names)
    for name in sorted(sides_of, key=natural_key):
        missing = [side for side in SIDES if side in used and side not in sides_of[name]]
        if not missing or "train" in missing:
            continue
        n_units = len(units_of[name])
        if n_units < len(used):
            reason = "few-groups" if dataset.has_groups else "few-images"
        else:
            reason = "predefined-split" if dataset.has_predefined_split else "groups"
        yield note(
            "missing-part",
            level="warning",
            subject=subject,
            name=one_line(name, 60),
            missing="-and-".join(missing),
            parts=list(missing),
            reason=reason,
            n_images=n_of[name],
            n_units=n_units,
            n_parts=len(used),
            is_tested="test" not in missing,
        )


def too_few_units(dataset: Dataset, positions: Sequence[int], n_units: int, n_parts: int) -> BadDataset:
    """Return the error for fewer units than sets."""
    n_images = len(positions)
    if not dataset.has_groups:
        return BadDataset(
            "too-few-distinct-images", file=dataset.root, n_images=n_images, n_units=n_units, n_parts=n_parts
        )
    group_of = [dataset.records[i].group for i in positions]
    groups = sorted({group for group in group_of if group is not None}, key=natural_key)
    return BadDataset(
        "too-few-separate-groups" if len(groups) + group_of.count(None) > n_units else "too-few-groups",
        file=dataset.root,
        n_images=n_images,
        n_units=n_units,
        n_groups=len(groups),
        groups=some(groups, 3),
        n_parts=n_parts,
    )


def leakage_error(dataset: Dataset, leaks: Sequence[Leak]) -> LeakageFound:
    """Return the error for leaks of a predefined split, with examples."""
    examples = []
    for leak in leaks[:_MOST_LEAKS]:
        first, second = (dataset.records[i] for i in leak.images[:2])
        examples.append(
            text(
                "leaking-images",
                relation=leak.kind,
                group=one_line(leak.name, 60),
                first=first.predefined_split,
                first_image=one_line(first.image_id, 80),
                second=second.predefined_split,
                second_image=one_line(second.image_id, 80),
            )
        )
    n_of = Counter(leak.kind for leak in leaks)
    counts: dict[LeakKind, Callable[[int], str]] = {
        "group": lambda n: text("leak-of-groups", n=n),
        "pixels": lambda n: text("leak-of-pixels", n=n),
        "near-duplicates": lambda n: text("leak-of-near-duplicates", n=n),
        "chain": lambda n: text("leak-of-chains", n=n),
    }
    grouping = [each for each in dataset.notes if each.code in ("grouped", "not-grouped")]
    return LeakageFound(
        "leaking-split",
        file=dataset.root,
        remedies=(*([_IGNORE_NEAR_DUPLICATES] if set(n_of) == {"near-duplicates"} else []), AllowLeakage()),
        leaks=" and ".join(count(n_of[kind]) for kind, count in counts.items() if n_of[kind]),
        examples="; ".join(examples),
        has_more=len(leaks) > _MOST_LEAKS,
        grouping="".join(f" {each.text}" for each in grouping),
        n_leaks=len(leaks),
        notes=[each.code for each in grouping],
    )


_UNEVEN = 0.05  # difference of a set from its share that causes a note


@dataclass(frozen=True)
class Split:
    """The set of each image, in the order of the dataset's records."""

    parts: tuple[Part, ...]
    reasons: tuple[str, ...]  # why an image is excluded; "" for all others
    notes: tuple[Note, ...]


def split_images(
    dataset: Dataset,
    scan: Scan,
    *,
    val: float,
    test: float,
    seed: int,
    allow_leakage: bool = False,
    keeps_split: bool = False,
    balanced: bool = False,
) -> Split:
    """Divide readable, labeled images into training, validation and test set.

    Images that a group or duplicates connect stay in the same set. Classes are divided as evenly as that allows. Each
    class is in all three sets if it has enough groups (without groups: images). Excluded, with a reason, are
    unreadable images, images without a label or of an excluded class, equal pixels with different labels (all of them,
    since it is unknown which label is right), and images of a class without training images. The order of records does
    not matter.

    A predefined split is unchanged. Missing sets are taken from its training set, and rows without a set are added to
    the training set. Domains without a predefined split are split like a separate dataset. With `keeps_split`, the
    predefined split is that of an earlier run, and all other images are added to the training set. With `balanced`,
    each class is first reduced to the size of the smallest, as of `balance_classes`.

    Raises:
        BadDataset: no image can be trained on, all images belong together, or all images of a predefined validation or
            test set are excluded.
        LeakageFound: a predefined split has duplicates or a group in two sets, and `allow_leakage` is False.
    """
    if not (0 <= val < 1 and 0 <= test < 1 and val + test < 1):
        raise BadRecipe("no-training-share", val=val, test=test)
    reasons = exclusion_reasons(dataset, scan)
    notes = [*dropped_notes(dataset), *exclusion_notes(reasons)]
    if balanced:
        notes += balance_classes(dataset, reasons, seed)
    used = (i for i, reason in enumerate(reasons) if not reason)
    order = sorted(used, key=lambda i: dataset.records[i].image_id)
    if not order:
        reason = " ".join(each.text for each in notes).rstrip(".")
        raise BadDataset("no-usable-image", file=dataset.root, n_images=len(dataset.records), reason=reason)
    leaks = predefined_split_leaks(dataset, scan)
    if leaks and not allow_leakage:
        raise leakage_error(dataset, leaks)
    if leaks:
        notes.append(note("leakage", level="warning", n_leaks=len(leaks)))
    units = connected_components(dataset, scan, order)
    side_of: dict[int, Side] = {}
    if dataset.has_predefined_split:
        if not keeps_split:
            _check_predefined_sets(dataset, order, {"val": val, "test": test})
        side_of = _predefined_parts(dataset, units, order)
        domains_with_split = {
            dataset.records[i].domain for i in order if dataset.records[i].predefined_split is not None
        }
        n_free = sum(
            r.predefined_split is None and (r.domain in domains_with_split or keeps_split)
            for r in (dataset.records[i] for i in order)
        )
        if n_free:
            notes.append(note("without-part", n_images=n_free))
    for selected, has_split in [] if keeps_split else _domains_by_split(dataset, order):
        _assign_parts(dataset, order, units, side_of, selected, has_split, (val, test), seed, notes)
    _exclude_untrained(dataset, side_of, reasons, notes)
    notes += class_notes(dataset, order, units, side_of)
    assigned: list[Part] = [side_of.get(i, "excluded") if not reasons[i] else "excluded" for i in range(len(reasons))]
    return Split(tuple(assigned), tuple(reasons), tuple(notes))


_BALANCED = f"{ON_REQUEST} all classes have"  # begins the reason of an image that balancing excludes


def balance_classes(dataset: Dataset, reasons: list[str], seed: int) -> list[Note]:
    """Exclude images before the split, so that each class has as many as the smallest; return a note on them.

    All sets then have equal classes, so that metrics do not describe the proportions of the dataset. The random order
    depends only on the seed and the image_id.

    Args:
        dataset: the images.
        reasons: why each image is excluded; extended in place.
        seed: different seeds exclude different images.
    """
    positions: dict[str, list[int]] = defaultdict(list)
    for i, (record, reason) in enumerate(zip(dataset.records, reasons, strict=True)):
        if not reason:
            positions[record.label or ""].append(i)
    if not positions:
        return []
    n_per_class, n_over = min(map(len, positions.values())), 0
    for of_class in positions.values():
        for i in in_random_order(dataset, of_class, seed)[n_per_class:]:
            reasons[i] = f"{_BALANCED} {counted(n_per_class, 'image')}"
            n_over += 1
    return [note("balanced-before-split", level="warning", n_images=n_over, n_per_class=n_per_class)]


def in_random_order(dataset: Dataset, positions: Sequence[int], seed: int) -> list[int]:
    """Return the positions in an order that depends only on the seed and the image_id, not on the order of records."""

    def order_key(i: int) -> bytes:
        return hashlib.sha256(f"{seed} {dataset.records[i].image_id}".encode()).digest()

    return sorted(positions, key=order_key)


def _check_predefined_sets(dataset: Dataset, order: Sequence[int], share_of: Mapping[str | None, float]) -> None:
    """Refuse predefined sets whose images are all excluded: images from the training set would replace them."""
    usable = [dataset.records[i] for i in order]
    trained = {record.domain for record in usable if record.predefined_split in ("train", None)}
    sets = {(record.domain, record.predefined_split) for record in usable}
    for record in dataset.records:
        side, domain = record.predefined_split, record.domain
        if share_of.get(side) and domain in trained and (domain, side) not in sets:
            raise BadDataset(
                "predefined-set-excluded",
                file=dataset.root,
                set=side,
                domain=some([domain]),
                has_domain=bool(domain),
            )


def _predefined_parts(dataset: Dataset, units: NDArray[np.intp], order: Sequence[int]) -> dict[int, Side]:
    """Return the predefined sets. An image without one joins its duplicates and its group, else training."""
    side_of = {i: side for i in order if (side := dataset.records[i].predefined_split) is not None}
    side_of_unit: dict[int, Side] = {}
    for side in SIDES:  # test set last: images connected with a test image must not be trained on
        side_of_unit.update({int(u): side for i, u in zip(order, units, strict=True) if side_of.get(i) == side})
    return {i: side_of.get(i) or side_of_unit.get(int(u), "train") for i, u in zip(order, units, strict=True)}


def _domains_by_split(dataset: Dataset, order: Sequence[int]) -> list[tuple[NDArray[np.bool_], bool]]:
    """Return which images of `order` are divided together, and whether they have a predefined split.

    These are the images of all domains whose predefined splits have the same sets, and of all domains without one.
    """
    records = [dataset.records[i] for i in order]
    sides_of_domain: dict[str, set[Side | None]] = {record.domain: set() for record in records}
    for record in records:
        sides_of_domain[record.domain].add(record.predefined_split)
    kinds = {domain: frozenset(sides - {None}) for domain, sides in sides_of_domain.items()}
    return [
        (np.array([kinds[record.domain] == kind for record in records], dtype=bool), bool(kind))
        for kind in sorted(set(kinds.values()), key=lambda sides: sorted(map(str, sides)))
    ]


def _assign_parts(
    dataset: Dataset,
    order: Sequence[int],
    units: NDArray[np.intp],
    side_of: dict[int, Side],
    selected: NDArray[np.bool_],
    has_split: bool,
    val_and_test: tuple[float, float],
    seed: int,
    notes: list[Note],
) -> None:
    """Assign a set to every image: to all, or to the training images of an incomplete predefined split."""
    val, test = val_and_test
    if has_split:
        existing = {side_of[i] for i, is_selected in zip(order, selected, strict=True) if is_selected}
        val, test = (0.0 if "val" in existing else val), (0.0 if "test" in existing else test)
        if "train" not in existing or not val + test:
            return
        # Shares are of all images, so the shares of the remaining sets refer to the images outside the existing sets.
        remaining_share = (
            1 - (val_and_test[0] if "val" in existing else 0) - (val_and_test[1] if "test" in existing else 0)
        )
        val, test = val / remaining_share, test / remaining_share
        domains = sorted(
            {dataset.records[i].domain for i, is_selected in zip(order, selected, strict=True) if is_selected}
        )
        notes.append(
            note(
                "part-taken",
                missing="-and-".join(side for side, share in (("val", val), ("test", test)) if share),
                has_domains=not selected.all(),
                domains=some(domains),
            )
        )
    is_free = selected & np.array([side_of.get(i, "train") == "train" for i in order], dtype=bool)
    is_free &= ~np.isin(units, units[~selected])  # images connected with another domain stay in its set
    positions = [i for i, is_selected in zip(order, is_free, strict=True) if is_selected]
    label, domain = classes_and_domains(dataset, positions)
    shares = (1 - val - test, val, test)
    n_units, n_parts = len(set(units[is_free].tolist())), sum(share > 0 for share in shares)
    if n_units < n_parts and selected.all():
        raise too_few_units(dataset, positions, n_units, n_parts)
    if n_units < n_parts:
        side_of.update(dict.fromkeys(positions, "train"))
        return
    assigned = split_units(label, units[is_free], shares, seed, domain)
    side_of.update({i: SIDES[side] for i, side in zip(positions, assigned.tolist(), strict=True)})
    actual_shares = np.bincount(assigned, minlength=3) / len(assigned)
    if np.abs(actual_shares - shares).max() > _UNEVEN:
        # Of all these images: with those of an existing set, of which the user knows the size.
        others = [side_of.get(i, "") for i, is_in in zip(order, selected & ~is_free, strict=True) if is_in]
        n_placed = np.array([others.count(side) for side in SIDES])
        n_all = n_placed.sum() + len(assigned)
        of_all = [(n_placed + len(assigned) * np.array(each)) / n_all for each in (actual_shares, shares)]
        percent_reached, percent_requested = (
            ", ".join(f"{100 * share:.0f}" for share in of_sides) for of_sides in of_all
        )
        notes.append(
            note(
                "uneven-parts",
                has_groups=dataset.has_groups,
                reached=percent_reached,
                requested=percent_requested,
            )
        )


def classes_and_domains(dataset: Dataset, positions: Sequence[int]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return (n,) numbers of the labels, and (n,) numbers of the domains, of the images at these positions."""
    records = [dataset.records[i] for i in positions]
    label = np.unique([record.label or "" for record in records], return_inverse=True)[1]
    return label, np.unique([record.domain for record in records], return_inverse=True)[1]


def _exclude_untrained(dataset: Dataset, side_of: dict[int, Side], reasons: list[str], notes: list[Note]) -> None:
    """Exclude images of classes without training images, which only a predefined split can cause."""
    trained = labels_of(dataset, (i for i, side in side_of.items() if side == "train"))
    if not trained:
        return  # only a test set, for evaluation
    untrained_classes: Counter[str] = Counter()
    for i in side_of:
        label = dataset.records[i].label or ""
        if label not in trained:
            reasons[i] = f"no training image of the class {label}"
            untrained_classes[label] += 1
    if untrained_classes:
        names = some(sorted(untrained_classes, key=natural_key))
        notes.append(note("untrained-classes", n_images=untrained_classes.total(), names=names))


def trained_classes(dataset: Dataset, split: Split) -> tuple[str, ...]:
    """Return the classes with training images, in the dataset's order: the outputs of a network."""
    trained = {r.label for r, part in zip(dataset.records, split.parts, strict=True) if part == "train"}
    return tuple(label for label in dataset.classes if label in trained)


def check_class_names(dataset: Dataset, classes: Sequence[str]) -> None:
    """Refuse classes on which no classifier can be trained, without decoding images.

    Raises:
        BadDataset: there are fewer than two classes, or one has a name with another meaning in predictions.
    """
    if len(classes) < 2:
        raise BadDataset(
            "too-few-classes",
            file=dataset.root,
            n_usable=len(classes),
            label=one_line(classes[0], 60) if classes else "",
            n_classes=len(dataset.classes),
            is_of_several=len(dataset.classes) > 1,
        )
    if reserved := sorted({*DECISIONS}.intersection(classes)):
        raise BadDataset("class-name-is-a-decision", file=dataset.root, label=reserved[0])


def check_groups(dataset: Dataset) -> None:
    """Refuse groups with which no class can be tested, without decoding images.

    Raises:
        BadDataset: each class is in a single group, for example because the groups are the classes themselves.
    """
    groups = single_groups(dataset)
    if not groups:
        return
    n_classes = len({record.label for record in dataset.records if dataset.has_class(record)})
    raise BadDataset(
        "confounded-groups",
        file=dataset.root,
        remedies=(GroupBy(),),
        are_classes=len(groups) == n_classes,
        groups=some(groups, 3),
    )


def check_no_class_is_empty(dataset: Dataset, trained: Container[str]) -> None:
    """Refuse classes without training images.

    Args:
        dataset: the images.
        trained: the classes with training images.

    Raises:
        BadDataset: a class has no training image: none is usable, or its images are in other sets of the split.
    """
    empty = [name for name in dataset.classes if name not in trained]
    if empty:
        raise BadDataset(
            "class-without-training-images",
            file=dataset.root,
            remedies=(Set("classes.drop", [*sorted(dataset.dropped), *empty]),),
            n_classes=len(empty),
            names=some(empty, 8),
            classes=empty,
        )


def check_readable(dataset: Dataset, scan: Scan) -> None:
    """Raise BadDataset if no image can be read."""
    if not scan.n_readable:
        reasons = [fact.reason for fact in scan.facts if isinstance(fact, Unreadable)]
        if not reasons:
            raise BadDataset("no-images-in-dataset", file=dataset.root)
        raise BadDataset("none-readable", file=dataset.root, n_images=len(reasons), reason=reasons[0])


def check_trainable(dataset: Dataset, scan: Scan, split: Split, *, needs_validation: bool = True) -> None:
    """Refuse a split on which no classifier can be trained.

    Args:
        dataset, scan, split: the images and their sets.
        needs_validation: refuse an empty validation set.

    Raises:
        BadDataset: there are fewer than two classes to train on, one has a name with another meaning in predictions,
            or the training, validation or test set is empty.
    """
    check_readable(dataset, scan)
    check_class_names(dataset, trained_classes(dataset, split))
    n = Counter(split.parts)
    for side in SIDES:
        if not n[side] and (side != "val" or needs_validation):
            raise BadDataset("empty-set", file=dataset.root, set=side)
