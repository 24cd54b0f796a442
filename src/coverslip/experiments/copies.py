"""Data augmentation before the split: copies of each image on disk, which are split like images of their own.

Some publications augment a dataset first, and then divide it into sets. Versions of one image are then in the training
and in the test set.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from coverslip.datasets import Dataset, ImageRecord
from coverslip.errors import BadRecipe, UnreadableImage
from coverslip.events import Emit, ignore
from coverslip.images import Decoded, ReadPlan
from coverslip.messages import text
from coverslip.runs import Augment, Recipe, Run, copy_id, plan_of, write_records

Pixels = npt.NDArray[Any]  # Any: uint8, uint16 or float32


def write_copies(data: Dataset, recipe: Recipe, run: Run, *, emit: Emit = ignore) -> Dataset:
    """Write `split.copies` augmented copies of each image to the folder of a run; return images and copies.

    A copy has the label, group, domain and predefined split of its image.

    Args:
        data: labeled images, as they were opened.
        recipe: of the training; its seed determines the copies.
        run: gets the files.
        emit: receives progress events.

    Raises:
        BadRecipe: the recipe reads planes or channels of the images, which their copies do not have.
    """
    if plan_of(recipe) != ReadPlan():
        raise BadRecipe("copies-of-planes", faults=[("split.copies", text("copies-of-planes.fault"))])
    n = len(data) * (1 + recipe.split.copies)
    return replace(write_records(data, _with_copies(data, recipe), n, run, emit=emit), notes=data.notes)


def _with_copies(data: Dataset, recipe: Recipe) -> Iterator[ImageRecord]:
    for record in data.records:
        yield record
        if not data.has_class(record):
            continue
        try:
            pixels = record.read()
        except UnreadableImage:  # reported by the scan
            continue
        for k in range(1, recipe.split.copies + 1):
            name = copy_id(record.image_id, k)
            array = augmented_copy(pixels.array, recipe.augment, f"{recipe.seed} {name}")
            decoded = Decoded(array, bit_depth=pixels.bit_depth)
            plain = {"path": Path(name), "plan": ReadPlan(), "stated": frozenset(), "in_memory": decoded}
            yield replace(record, image_id=name, **plain)  # type: ignore[arg-type]  # each field has its own type


def augmented_copy(array: Pixels, augment: Augment, seed_text: str) -> Pixels:
    """Return the (H, W, C) image changed at random, of the same shape and type; equal texts give equal changes."""
    import torch

    from coverslip.augmentation.transform import apply_changes, draw_changes

    low, high = (0.0, float(np.iinfo(array.dtype).max)) if array.dtype.kind == "u" else _range(array)
    x = torch.from_numpy((array.astype(np.float32) - low) / (high - low)).permute(2, 0, 1)[None]
    changes = draw_changes(1, augment, torch.Generator().manual_seed(crc32(seed_text.encode())))
    changed = apply_changes(x, changes)[0].permute(1, 2, 0).numpy() * (high - low) + low
    return (np.rint(changed) if array.dtype.kind == "u" else changed).astype(array.dtype)


def _range(array: Pixels) -> tuple[float, float]:
    low, high = float(array.min()), float(array.max())
    return low, high if high > low else low + 1.0
