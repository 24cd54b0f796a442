"""Findings about classes: none, too few, too small, too unequal, or one under several names."""

import re
from collections import defaultdict
from collections.abc import Iterator

from coverslip.datasets.index import Dataset, counted, some
from coverslip.datasets.quality.facts import class_sizes
from coverslip.datasets.quality.finding import Found
from coverslip.datasets.quality.scanning import Scan
from coverslip.images import ImageFacts
from coverslip.messages import Set

_FEWEST_IMAGES = 3  # of a class: one for each part
_FEW_IMAGES = 20  # of a class: below, its numbers say little
_IMBALANCED = 5.0


def no_labels(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """No image of a class."""
    if not dataset.classes:
        yield Found(
            text="No image has a label.",
            do="Label images in the app, put each class into a folder, or give a table with a label column.",
        )


def one_class(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Nothing to tell apart."""
    if len(dataset.classes) == 1:
        yield Found(
            text=f"There is one class, {some(dataset.classes)}. A classifier needs at least two.",
            do="Add images of another class, in a folder of their own.",
        )


def classes_not_trained(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Classes whose usable images all stand in other parts of a predefined split than training."""
    if "train" not in {record.predefined_split for record in dataset.records}:
        return
    usable, trained = set(), set()
    for record, fact in zip(dataset.records, scan.facts, strict=True):
        if record.label is not None and dataset.has_class(record) and isinstance(fact, ImageFacts):
            usable.add(record.label)
            if record.predefined_split in (None, "train"):
                trained.add(record.label)
    missing = [name for name in dataset.classes if name in usable - trained]
    if missing:
        yield Found(
            text=f"The predefined split has no training image of {some(missing)}, so this cannot be learnt and its "
            "images will be excluded.",
            do="Move some of them to training, or leave the split to coverslip.",
            values={"classes": list(missing)},
        )


def unlabelled(dataset: Dataset, _: Scan) -> Iterator[Found]:
    """Images without a label among others that have one."""
    n = sum(record.label is None for record in dataset.records)
    if n and dataset.classes:
        yield Found(
            text=f"{counted(n, 'image')} without a label will be excluded.",
            do="Label those that the classifier should learn from.",
            values={"n": n},
        )


def small_classes(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Classes that cannot be in every part, and classes whose numbers will say little."""
    sizes = class_sizes(dataset, scan)
    tiny = [label for label, n in sizes.items() if n < _FEWEST_IMAGES]
    few = [label for label, n in sizes.items() if _FEWEST_IMAGES <= n < _FEW_IMAGES]
    if tiny:
        yield Found(
            text=f"{some(tiny)}: fewer than {_FEWEST_IMAGES} images, so such a class cannot be in training, validation "
            "and test at once.",
            do="Add images or exclude it.",
            values={"classes": list(tiny)},
        )
    if few:
        yield Found(
            text=f"{some(few)}: fewer than {_FEW_IMAGES} images, so the metrics of such a class will be imprecise.",
            do="Add images if you can, and look at the confidence intervals of its metrics.",
            values={"classes": list(few)},
        )


def imbalance(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """One class many times as large as another."""
    sizes = [n for n in class_sizes(dataset, scan).values() if n]
    ratio = max(sizes) / min(sizes) if len(sizes) > 1 else 1.0
    if ratio >= _IMBALANCED:
        yield Found(
            text=f"The largest class has {ratio:.0f} times as many images as the smallest.",
            do="Judge by balanced accuracy or macro-F1, and consider letting rare classes count more in training.",
            remedies=(Set("class_weights", "balanced"),),
            values={"ratio": ratio},
        )


def similar_class_names(dataset: Dataset, scan: Scan) -> Iterator[Found]:
    """Names that differ only in capitals, spaces or marks."""
    sizes = class_sizes(dataset, scan)
    spellings_of: dict[str, list[str]] = defaultdict(list)
    for label in dataset.classes:
        spellings_of[re.sub(r"[\W_]+", "", label.casefold()) or label].append(label)
    for spellings in spellings_of.values():
        if len(spellings) > 1:
            name = max(spellings, key=sizes.__getitem__)
            yield Found(
                text=f"The labels {some(spellings)} may be one class in several spellings.",
                do="If they are one class, merge them. Or use one spelling in the names of the folders or in the "
                "label column of the table.",
                remedies=(Set("classes.merge", {name: spellings}),),
                values={"classes": list(spellings)},
            )
