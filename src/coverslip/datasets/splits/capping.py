"""Fewer training images than there are: for learning curves, and for comparing datasets of unequal size."""

import hashlib
from collections import defaultdict
from dataclasses import replace

from coverslip.datasets.index import Dataset, counted
from coverslip.datasets.quality import ON_REQUEST
from coverslip.datasets.splits.splitting import Split
from coverslip.messages import Note

_OVER_CAP = f"{ON_REQUEST} training has"  # begins the reason of an image over the cap


def is_over_cap(reason: str) -> bool:
    """Whether an image was left out because training has enough others of its class."""
    return reason.startswith(_OVER_CAP)


def cap_training(dataset: Dataset, split: Split, n_per_class: int | None, seed: int) -> Split:
    """At most so many training images of each class, drawn at random; those over it are left out, with a reason.

    Validation and test stay whole. Each image has a place in the draw by the seed and its image_id alone. So the order
    of records does not matter, and what a smaller cap keeps, a larger one keeps too.

    Args:
        dataset, split: the images and where they go; groups stay on their side, and are thinned out like all others.
        n_per_class: 1 or more; None takes all.
        seed: other seeds draw other images.
    """
    if n_per_class is None:
        return split
    positions: dict[str, list[int]] = defaultdict(list)
    for i, (record, part) in enumerate(zip(dataset.records, split.parts, strict=True)):
        if part == "train":
            positions[record.label or ""].append(i)

    def place(i: int) -> bytes:
        return hashlib.sha256(f"{seed} {dataset.records[i].image_id}".encode()).digest()

    parts, reasons = list(split.parts), list(split.reasons)
    n_over = 0
    for label, of_class in positions.items():
        for i in sorted(of_class, key=place)[n_per_class:]:
            parts[i] = "left-out"
            reasons[i] = f"{_OVER_CAP} {counted(n_per_class, 'other image')} of the class {label}"
            n_over += 1
    if not n_over:
        return split
    text = f"{counted(n_over, 'training image')} excluded on request: at most {n_per_class:,} of each class are used."
    note = Note("capped", text, values={"n_images": n_over, "n_per_class": n_per_class})
    return replace(split, parts=tuple(parts), reasons=tuple(reasons), notes=(*split.notes, note))
