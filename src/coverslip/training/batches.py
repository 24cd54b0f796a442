"""Batches of one epoch: which images, in which order, augmented, ready before the step that needs them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from coverslip.runs import Augment
from coverslip.training.augmentation import apply_changes, draw_changes

Ints = npt.NDArray[np.int64]
PixelsOf = Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]]


def epoch_order(label: Ints, *, oversample: bool, seed: int, epoch: int) -> Ints:
    """Positions 0..n-1 in the random order of one epoch; drawn from seed and epoch alone, so that it can be repeated.

    With `oversample` every class is drawn as often as the largest: each image once, then again at random.
    """
    rng = np.random.default_rng([seed, epoch, 1])
    order = np.arange(len(label))
    if oversample:
        counts = np.bincount(label)
        more = [rng.choice(np.flatnonzero(label == k), counts.max() - n) for k, n in enumerate(counts) if n]
        order = np.concatenate([order, *more])
    return rng.permutation(order)


def n_batches(n_images: int, batch_size: int) -> int:
    """Full batches, or one smaller batch where there is no full one.

    A remainder is left out: a last batch of one or two images would give batch norms statistics of noise. The order
    is drawn afresh in every epoch, so other images are left out each time.
    """
    return max(1, n_images // batch_size)


def training_batches(
    pixels_of: PixelsOf,
    order: Ints,
    label: Ints,
    *,
    batch_size: int,
    augment: Augment,
    seed: int,
    epoch: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    """((B, C, S, S) float in [0, 1] channels-last, (B,) labels), the next batch being made while one is used."""

    def make(step: int) -> tuple[Tensor, Tensor]:
        chosen = order[step * batch_size : (step + 1) * batch_size]
        x = as_tensor(pixels_of(chosen.tolist()))
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, epoch, step]).generate_state(1)[0]))
        x = apply_changes(x, draw_changes(len(chosen), augment, generator))
        return x.contiguous(memory_format=torch.channels_last), torch.from_numpy(label[chosen])

    with ThreadPoolExecutor(1, thread_name_prefix="batch") as pool:
        steps = n_batches(len(order), batch_size)
        following = pool.submit(make, 0)
        for step in range(steps):
            batch = following.result()
            if step + 1 < steps:
                following = pool.submit(make, step + 1)
            yield batch


def plain_batches(pixels_of: PixelsOf, positions: Ints, *, batch_size: int) -> Iterator[Tensor]:
    """(B, C, S, S) float in [0, 1] channels-last, unchanged and in order."""
    for start in range(0, len(positions), batch_size):
        yield as_tensor(pixels_of(positions[start : start + batch_size].tolist()))


def as_tensor(pixels: npt.NDArray[np.unsignedinteger]) -> Tensor:
    """(B, S, S, C) integers -> (B, C, S, S) float32 in [0, 1], channels-last in memory."""
    top = float(np.iinfo(pixels.dtype).max)
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float32)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32) / top
