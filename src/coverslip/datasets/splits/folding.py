"""Caps of the training set, images that heads are fitted without, and cross-validation folds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from coverslip.datasets.index.records import SIDES, Dataset, Part
from coverslip.datasets.names import counted, natural_key, one_line, some
from coverslip.datasets.quality.related_images import (
    ON_REQUEST,
    connected_components,
    dropped_notes,
    exclusion_notes,
    exclusion_reasons,
)
from coverslip.datasets.quality.scanning import FEW_GROUPS_FOR_ONE_SPLIT, Scan
from coverslip.datasets.splits.partition import Ints, fold_units, split_units
from coverslip.datasets.splits.splitting import (
    Split,
    balance_classes,
    classes_and_domains,
    in_random_order,
    trained_classes,
)
from coverslip.errors import BadDataset, BadRecipe
from coverslip.messages import Note, Set, note

_OVER_CAP = f"{ON_REQUEST} training has"  # begins the reason of an image over the cap


def is_over_cap(reason: str) -> bool:
    """Return whether an image is excluded because training has enough other images of its class."""
    return reason.startswith(_OVER_CAP)


def cap_training(dataset: Dataset, split: Split, n_per_class: int | None, seed: int) -> Split:
    """Limit the training images of each class, drawn at random; the others are excluded, with a reason.

    Validation and test set are unchanged. The random order depends only on the seed and the image_id. So the order of
    records does not matter, and a larger cap includes the images of a smaller cap.

    Args:
        dataset, split: the images and their sets. Groups stay in their set.
        n_per_class: 1 or more; None uses all images.
        seed: different seeds select different images.
    """
    if n_per_class is None:
        return split
    positions: dict[str, list[int]] = defaultdict(list)
    for i, (record, part) in enumerate(zip(dataset.records, split.parts, strict=True)):
        if part == "train":
            positions[record.label or ""].append(i)
    part_of, reasons = list(split.parts), list(split.reasons)
    n_over = 0
    for label, of_class in positions.items():
        for i in in_random_order(dataset, of_class, seed)[n_per_class:]:
            part_of[i] = "excluded"
            reasons[i] = f"{_OVER_CAP} {counted(n_per_class, 'other image')} of the class {label}"
            n_over += 1
    if not n_over:
        return split
    notes = (*split.notes, note("capped", n_images=n_over, n_per_class=n_per_class))
    return replace(split, parts=tuple(part_of), reasons=tuple(reasons), notes=notes)


_MOST_INNER_FOLDS = 10
# Share of a class. On 1,200 nuclei by movie, 46 of a class's 47 images were in one movie. Their predictions by a head
# fitted on the single other nucleus dominated the temperature: it was 15.0 instead of the best value of 4.8.
_MOST_OF_CLASS = 0.5


def held_out_units(dataset: Dataset, scan: Scan, positions: Sequence[int], fitted: Sequence[int] | None = None) -> Ints:
    """Return the unit with which each image is held out while a head is fitted on all others, to calibrate a head.

    Images that a group or duplicates connect are one unit. Held out together, several units would leave fewer images
    to fit on, and a head on fewer images needs a higher temperature than the head on all (`benchmarks/refit.py`). Units
    with half of a class's images or more are never held out, for the same reason.

    Args:
        dataset, scan: the images.
        positions: of the images, all labeled and readable.
        fitted: positions of all images that the head is fitted on; default: the same.

    Returns:
        (n,) from 0; -1 if an image is never held out.
    """
    unit, records = connected_components(dataset, scan, positions), dataset.records
    n_of_class = Counter(records[i].label for i in (positions if fitted is None else fitted))
    n_of_unit = Counter((k, records[i].label) for k, i in zip(unit.tolist(), positions, strict=True))
    large = [k for (k, label), n in n_of_unit.items() if n >= _MOST_OF_CLASS * n_of_class[label]]
    return np.where(np.isin(unit, large), -1, unit)


def inner_folds(dataset: Dataset, scan: Scan, positions: Sequence[int], *, seed: int) -> Ints:
    """Return the fold of up to ten in which each image is held out, without units that take half of a class.

    Args:
        dataset, scan: the images.
        positions: of the images, all labeled and readable.
        seed: equal seeds give equal folds, whatever the order of records.

    Returns:
        (n,) from 0; -1 if an image is never held out. There are up to ten folds, and none if all images belong
        together.
    """
    order = sorted(range(len(positions)), key=lambda i: (dataset.records[positions[i]].image_id, positions[i]))
    ordered_positions = [positions[i] for i in order]
    unit = connected_components(dataset, scan, ordered_positions)
    label, domain = classes_and_domains(dataset, ordered_positions)
    fold = np.empty(len(positions), dtype=np.intp)
    fold[order] = inner_folds_of_units(label, unit, seed, domain)
    return fold


def inner_folds_of_units(label: Ints, unit: Ints, seed: int, domain: Ints | None = None) -> Ints:
    """Return the inner folds for arrays: (n,) class numbers from 0, units that stay together, domains."""
    n_units = len(set(unit.tolist()))
    if n_units < 2:
        return np.full(len(label), -1, dtype=np.intp)
    fold = fold_units(label, unit, min(_MOST_INNER_FOLDS, n_units), seed, domain)
    n_of_class = np.bincount(label)
    held_out = np.zeros((fold.max() + 1, len(n_of_class)))
    np.add.at(held_out, (fold, label), 1)
    takes_half = held_out[fold, label] >= _MOST_OF_CLASS * n_of_class[label]
    fold[np.isin(unit, unit[takes_half])] = -1
    return fold


# Of a single split. With fewer, cross-validation is the default for instant classifiers, whose features are computed
# once, and recommended with fine-tuning.
FEWEST_TEST_IMAGES, FEWEST_TEST_GROUPS = 60, 10
_FEW_IMAGES = 100  # of all sets: with fewer without groups, cross-validation is the default with fine-tuning too
_USUAL_FOLDS = 5
_FEWEST_UNITS = 3  # one for each set
_LARGEST_VAL = 0.5  # of the images that a fold does not test
_ONE_SPLIT = Set("split.folds", 0)


@dataclass(frozen=True)
class Folds:
    """A split for each fold, and the fold that tests each image, in the order of the dataset's records."""

    splits: tuple[Split, ...]
    fold_of: tuple[int | None, ...]  # 1-based; None: excluded
    reasons: tuple[str, ...]  # why an image is excluded; "" for all others
    notes: tuple[Note, ...]

    @property
    def whole(self) -> Split:
        """All images that are not excluded as test images, as in `split.csv` of the whole run."""
        return self._all_in("test")

    @property
    def refit_split(self) -> Split:
        """All images that are not excluded as training images, as for the run's classifier."""
        return self._all_in("train")

    def _all_in(self, part: Part) -> Split:
        parts: tuple[Part, ...] = tuple("excluded" if fold is None else part for fold in self.fold_of)
        return Split(parts, self.reasons, self.notes)


def plan_folds(
    dataset: Dataset,
    scan: Scan,
    *,
    n_folds: int | None,
    val: float,
    test: float,
    seed: int,
    is_finetuned: bool,
    by_domain: bool = False,
    balanced: bool = False,
) -> tuple[Folds | None, Note | None]:
    """Return the folds of a run (None: a single split), and a note about the choice.

    If the test set of a single split is expected to have few images or groups, its metrics are unreliable.
    Cross-validation is then the default for an instant classifier. With fine-tuning it takes several times as long, and
    is the default only if there are few images or groups in all.

    Args:
        dataset, scan: the images.
        n_folds: the recipe's `split.folds`; None decides by the data.
        val, seed, balanced: as for `fold_images`.
        test: share of the test set of a single split.
        is_finetuned: whether networks are fine-tuned.
        by_domain: a fold for each domain, see `fold_domains`.

    Raises:
        BadDataset, BadRecipe: as `fold_images`, if folds are requested.
    """
    if by_domain:
        return fold_domains(dataset, scan, val=val, seed=seed, balanced=balanced), None
    if n_folds:
        return fold_images(dataset, scan, n_folds=n_folds, val=val, seed=seed, balanced=balanced), None
    if n_folds == 0 or dataset.has_predefined_split:
        return None, None
    order, unit = _usable(dataset, scan, exclusion_reasons(dataset, scan))
    n_units = len(set(unit.tolist()))
    has_few_groups = dataset.has_groups and test * n_units < FEWEST_TEST_GROUPS
    if n_units < _FEWEST_UNITS or not (has_few_groups or test * len(order) < FEWEST_TEST_IMAGES):
        return None, None  # with fewer units, a single split raises a clear error
    counted_unit, n = ("group", n_units) if has_few_groups else ("image", len(order))
    n_folds = min(_USUAL_FOLDS, n_units)
    # Any: parameters of a note
    facts: dict[str, Any] = {"n_units": n, "n_tested": round(test * n), "unit": counted_unit}
    is_tiny = n_units < FEW_GROUPS_FOR_ONE_SPLIT if dataset.has_groups else n < _FEW_IMAGES
    if is_finetuned and not is_tiny:
        return None, note("small-test-set", **facts, factor=n_folds + 1, remedies=(Set("split.folds", n_folds),))
    try:
        folds = fold_images(dataset, scan, n_folds=n_folds, val=val, seed=seed, balanced=balanced)
    except BadDataset as error:
        return None, note("folds-not-possible", reason=error.message)
    return folds, note("folds", **facts, n_folds=n_folds, remedies=(_ONE_SPLIT,))


def fold_images(dataset: Dataset, scan: Scan, *, n_folds: int, val: float, seed: int, balanced: bool = False) -> Folds:
    """Divide readable, labeled images into folds; each has a test set, a validation set and a training set.

    Images that a group or duplicates connect stay in one fold. Images are excluded as by `split_images`. A class in a
    single group has no training images in the fold that tests it. Its images are still predicted.

    Args:
        dataset, scan: the images.
        n_folds: 2 or more.
        val: share of all images in the validation set of each fold (at most half of its images that are not tested).
            0: no fold has validation images.
        seed: equal seeds give equal folds.
        balanced: reduce each class to the size of the smallest before folds are made.

    Raises:
        BadDataset: there are too few groups or distinct images, or a fold would have a single class to train on, or no
            validation image.
        BadRecipe: the images have a predefined split.
    """
    check_no_split(dataset)
    reasons = exclusion_reasons(dataset, scan)
    notes = [*dropped_notes(dataset), *exclusion_notes(reasons)]
    if balanced:
        notes += balance_classes(dataset, reasons, seed)
    order, unit = _usable(dataset, scan, reasons)
    n_units = len(set(unit.tolist()))
    n_needed = max(_FEWEST_UNITS, n_folds)
    if n_units < n_needed:
        is_enough_for_fewer = n_units >= _FEWEST_UNITS
        raise BadDataset(
            "too-few-for-folds",
            file=dataset.root,
            remedies=(Set("split.folds", n_units),) if is_enough_for_fewer else (),
            n_images=len(order),
            n_units=n_units,
            has_groups=dataset.has_groups,
            n_folds=n_folds,
            n_needed=n_needed,
            is_enough_for_fewer=is_enough_for_fewer,
        )
    label, domain = classes_and_domains(dataset, order)
    fold = fold_units(label, unit, n_folds, seed, domain)
    share = min(val * n_folds / (n_folds - 1), _LARGEST_VAL)
    splits = []
    for k in range(n_folds):
        rest = fold != k
        if len(set(unit[rest].tolist())) < 2:
            raise BadDataset(
                "fold-with-one-unit",
                file=dataset.root,
                remedies=(_ONE_SPLIT,),
                n_folds=n_folds,
                n_units=n_units,
                has_groups=dataset.has_groups,
            )
        part = np.full(len(order), SIDES.index("test"))
        part[rest] = split_units(label[rest], unit[rest], (1 - share, share, 0.0), seed + k, domain[rest])
        splits.append(_split(dataset, order, part, reasons))
        if not _can_be_trained(dataset, splits[-1], needs_validation=val > 0):
            raise BadDataset(
                "fold-not-trainable",
                file=dataset.root,
                remedies=(_ONE_SPLIT,),
                n_folds=n_folds,
                n_units=n_units,
                has_groups=dataset.has_groups,
            )
    return _folds(dataset, order, fold, splits, reasons, notes)


def fold_domains(dataset: Dataset, scan: Scan, *, val: float, seed: int, balanced: bool = False) -> Folds:
    """Return a fold for each domain, in natural order: a network trained on all others tests it.

    Images of the others that a group or duplicates connect with tested images are excluded from that fold.

    Args:
        dataset, scan: the images.
        val: share of the validation set in the images that are not tested.
        seed: equal seeds give equal sets.
        balanced: reduce each class to the size of the smallest before folds are made.

    Raises:
        BadDataset: there is only one domain, or without a domain there is a single class to train on, or no validation
            image.
        BadRecipe: the images have a predefined split.
    """
    check_no_split(dataset)
    reasons = exclusion_reasons(dataset, scan)
    notes = [*dropped_notes(dataset), *exclusion_notes(reasons)]
    if balanced:
        notes += balance_classes(dataset, reasons, seed)
    order, unit = _usable(dataset, scan, reasons)
    names = sorted({dataset.records[i].domain for i in order}, key=natural_key)
    if len(names) < 2:
        raise BadDataset("single-domain", file=dataset.root, remedies=(Set("split.by_domain", False),))
    label, domain = classes_and_domains(dataset, order)
    fold = np.array([names.index(dataset.records[i].domain) for i in order], dtype=np.intp)
    share, splits = min(val, _LARGEST_VAL), []
    for k, name in enumerate(names):
        fold_reasons, is_tested = list(reasons), fold == k
        is_connected = ~is_tested & np.isin(unit, unit[is_tested])
        for at in np.flatnonzero(is_connected).tolist():
            fold_reasons[order[at]] = f"it belongs together with images of {name}, which this fold tests"
        rest = ~is_tested & ~is_connected
        part = np.full(len(order), SIDES.index("test"))
        if len(set(unit[rest].tolist())) > 1:
            part[rest] = split_units(label[rest], unit[rest], (1 - share, share, 0.0), seed + k, domain[rest])
        splits.append(_split(dataset, order, part, fold_reasons))
        if not _can_be_trained(dataset, splits[-1], needs_validation=val > 0):
            raise BadDataset(
                "domain-not-trainable",
                file=dataset.root,
                remedies=(Set("split.by_domain", False),),
                domain=one_line(name, 60),
            )
    return _folds(dataset, order, fold, splits, reasons, notes)


def _can_be_trained(dataset: Dataset, split: Split, *, needs_validation: bool) -> bool:
    return len(trained_classes(dataset, split)) > 1 and ("val" in split.parts or not needs_validation)


def _folds(
    dataset: Dataset, order: list[int], fold: Ints, splits: list[Split], reasons: list[str], notes: list[Note]
) -> Folds:
    fold_of: list[int | None] = [None] * len(dataset.records)
    for i, k in zip(order, fold.tolist(), strict=True):
        fold_of[i] = k + 1
    return Folds(
        tuple(splits), tuple(fold_of), tuple(reasons), (*notes, *_untrained_class_notes(dataset, order, splits))
    )


def tested_classes(dataset: Dataset, folds: Folds) -> set[str]:
    """Return the classes with usable images, each of which a fold tests."""
    return {r.label for r, fold in zip(dataset.records, folds.fold_of, strict=True) if r.label and fold is not None}


def check_no_split(dataset: Dataset) -> None:
    """Refuse images with a predefined split.

    Raises:
        BadRecipe: there is one.
    """
    if dataset.has_predefined_split:
        raise BadRecipe("folds-of-predefined-split", file=dataset.root, remedies=(Set("split.folds", None),))


def _usable(dataset: Dataset, scan: Scan, reasons: Sequence[str]) -> tuple[list[int], Ints]:
    """Return the positions of the images that are not excluded, in an order independent of records, and units."""
    usable = (i for i, reason in enumerate(reasons) if not reason)
    order = sorted(usable, key=lambda i: (dataset.records[i].image_id, i))
    return order, connected_components(dataset, scan, order)


def _split(dataset: Dataset, order: list[int], part: Ints, reasons: list[str]) -> Split:
    """Return the split of one fold, without validation images of classes that it does not train on."""
    part_of: list[Part] = ["excluded"] * len(reasons)
    for i, p in zip(order, part.tolist(), strict=True):
        part_of[i] = "excluded" if reasons[i] else SIDES[p]
    reasons = list(reasons)
    trained = {dataset.records[i].label for i in order if part_of[i] == "train"}
    for i in order:
        if part_of[i] == "val" and dataset.records[i].label not in trained:
            part_of[i] = "excluded"
            reasons[i] = f"no training image of the class {dataset.records[i].label} in this fold"
    return Split(tuple(part_of), tuple(reasons), ())


def _untrained_class_notes(dataset: Dataset, order: list[int], splits: list[Split]) -> list[Note]:
    """Return a note on classes without training images in the fold that tests them."""
    n_of: dict[str, int] = {}
    for split in splits:
        trained = {dataset.records[i].label for i in order if split.parts[i] == "train"}
        for i in order:
            label = dataset.records[i].label or ""
            if split.parts[i] == "test" and label not in trained:
                n_of[label] = n_of.get(label, 0) + 1
    if not n_of:
        return []
    listed = some([f"{one_line(name, 60)} ({n_of[name]:,})" for name in sorted(n_of, key=natural_key)])
    n_images = sum(n_of.values())
    return [note("not-measured", level="warning", n_images=n_images, has_groups=dataset.has_groups, classes=listed)]
