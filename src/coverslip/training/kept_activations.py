"""What leaves the frozen part of a network, computed once for several random variants of every training image.

In every epoch the frozen part gives the same for the same picture. So it is asked once, and fine-tuning takes its steps
on what it gave. Random changes remain, as many as there are variants. What is kept lies in a file without a name in the
run's folder: it is gone when training ends, however that comes about, and drawn again where training is resumed.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.errors import CoverslipError
from coverslip.events import Noted, Progressed
from coverslip.messages import Set
from coverslip.models.frozen_part import CannotSplit, FrozenPart, evaluating
from coverslip.models.networks import Network
from coverslip.runs import Recipe, RunContext
from coverslip.training.batches import KeptActivations, TrainingImages, changed_at_random, plain_batches

Float = type[np.float16] | type[np.float32]

_AT_ONCE = 32  # images
_N_COMPARED = 16  # images whose logits must stay as they are
# Of the logits, as a share of their spread. Numbers of 16 bits are off by 5e-4, some up and some down.
_LARGEST_DIFFERENCE: dict[Float, float] = {np.float16: 5e-3, np.float32: 1e-3}
_SHARE_OF_DISK = 0.9  # of what is free, that may be taken
_STREAM = 4  # of random numbers: no other draw has it

_NOT_SPLIT = (
    "This network cannot be split after its frozen part: fine-tuning passes every image through the whole network "
    "in every epoch, with new random changes each time."
)


@contextmanager
def with_activations(
    network: Network, images: TrainingImages, recipe: Recipe, context: RunContext
) -> Iterator[TrainingImages]:
    """Where the recipe asks for it: let the network take what leaves its frozen part, kept, in place of images.

    Args:
        network: on the device, as it is going to be trained; within it takes what the images give as `kept`.
        images: to fit on and to validate on.
        recipe: says how many variants.
        context: its folder holds the file; told about progress, and why nothing is kept where that cannot be.

    Yields:
        The images; with what is kept, unless the network cannot be taken apart.

    Raises:
        CoverslipError: the disk has too little room.
        Stopped: on request.
        OutOfTime: the deadline came first.
    """
    if recipe.frozen_variants is None:
        yield images
        return
    chosen = images.train[:_N_COMPARED]
    example = next(plain_batches(images.pixels_of, chosen, batch_size=len(chosen), device=context.device))
    try:
        part = FrozenPart(network, example)
        kind, n_numbers = _numbers(network, part, example)
    except CannotSplit:
        context.emit(Noted(code="frozen-part-not-kept", text=_NOT_SPLIT, level="warning"))
        yield images
        return
    folder = context.run.checkpoint_file("last").parent
    folder.mkdir(parents=True, exist_ok=True)
    n_variants = min(recipe.frozen_variants, recipe.n_epochs)  # an epoch sees one
    shape = (n_variants * len(images.train) + len(images.val), n_numbers)
    _check_room(shape, kind, images, shutil.disk_usage(folder).free)
    with tempfile.TemporaryFile(dir=folder) as file:
        for rows in _all_rows(part, images, recipe, n_variants, context):
            file.write(_as_kind(rows, kind).tobytes())  # not into a map, where a full disk would end the process
        file.flush()
        rows_on_disk: npt.NDArray[np.floating[Any]] = np.memmap(file, kind, "r", shape=shape)  # Any: either precision
        kept = KeptActivations(rows_on_disk, n_variants, len(images.train))
        with part.replayed():
            yield replace(images, kept=kept)


def _numbers(network: Network, part: FrozenPart, x: Tensor) -> tuple[Float, int]:
    """The smallest kind of number that leaves the logits of some images as they are, and how many an image has.

    Raises:
        CannotSplit: none does.
    """
    rows = part.leaving(x)
    with torch.no_grad(), evaluating(network):
        expected = network(x)
        spread = max(float(expected.std()), 1e-6)
        for kind, largest in _LARGEST_DIFFERENCE.items():
            try:
                with part.replayed():
                    logits = network(torch.from_numpy(_as_kind(rows, kind)).to(rows))
            except RuntimeError as error:  # it does with its input what the stand-in for it cannot bear
                raise CannotSplit from error
            if float((logits - expected).abs().max()) <= largest * spread:  # nor where it is no number
                return kind, rows.shape[1]
    raise CannotSplit


def _as_kind(rows: Tensor, kind: Float) -> npt.NDArray[Any]:  # Any: either precision
    top = float(np.finfo(kind).max)
    return rows.clamp(-top, top).cpu().numpy().astype(kind)


def _check_room(shape: tuple[int, int], kind: Float, images: TrainingImages, free: int) -> None:
    n_rows, n_numbers = shape
    row_bytes = n_numbers * np.dtype(kind).itemsize
    needed, available = n_rows * row_bytes, int(_SHARE_OF_DISK * free)
    if needed <= available:
        return
    n_fitting = (available // row_bytes - len(images.val)) // len(images.train)
    what = (
        f"What leaves the frozen part of the network takes {needed / 1e9:.1f} GB on the disk, and "
        f"{available / 1e9:.1f} GB can be had"
    )
    values = {"needed_bytes": needed, "free_bytes": free}
    if n_fitting < 1:
        remedies = (Set("frozen_variants", None),)
        raise CoverslipError(what, do="Do not keep it, or free some space.", remedies=remedies, parameters=values)
    raise CoverslipError(
        what,
        do=f"Keep at most {n_fitting} variants, or free some space.",
        remedies=(Set("frozen_variants", n_fitting),),
        parameters=values,
    )


def _all_rows(
    part: FrozenPart, images: TrainingImages, recipe: Recipe, n_variants: int, context: RunContext
) -> Iterator[Tensor]:
    """(B, D) of every variant of the training images, variant by variant, then of the validation images as they are."""
    started, done = time.monotonic(), 0
    total = n_variants * len(images.train) + len(images.val)
    for x in _pictures(images, recipe, n_variants, context.device):
        yield part.leaving(x)
        context.stop.check()
        context.deadline.check()
        done += len(x)
        per_second = done / max(time.monotonic() - started, 1e-9)
        left = (total - done) / per_second
        stage = "computing the frozen part"
        context.emit(Progressed(stage=stage, done=done, total=total, per_second=per_second, seconds_left=left))


def _pictures(images: TrainingImages, recipe: Recipe, n_variants: int, device: str) -> Iterator[Tensor]:
    """(B, C, S, S) in the order of the rows; what is drawn depends on seed, variant and image alone."""
    for variant in range(n_variants):
        batches = plain_batches(images.pixels_of, images.train, batch_size=_AT_ONCE, device=device)
        for number, x in enumerate(batches):
            yield changed_at_random(x, recipe.augment, [recipe.seed, variant, number, _STREAM], device)
    yield from plain_batches(images.pixels_of, images.val, batch_size=_AT_ONCE, device=device)
