"""The batches of an epoch as tensors."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coverslip.augmentation.drawing import draw_changes
from coverslip.augmentation.transform import apply_changes
from coverslip.machine import is_out_of_memory
from coverslip.runs.recipe import Augment, LastBatch, Recipe
from coverslip.training.task import PixelsOf, TrainingImages, n_batches

Ints = npt.NDArray[np.int64]


def training_batches(
    pixels_of: PixelsOf,
    order: Ints,
    label: Ints,
    *,
    batch_size: int,
    augment: Augment,
    seed: int,
    epoch: int,
    device: str = "cpu",
    last_batch: LastBatch = "skip",
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield ((B, C, S, S) float in [0, 1] channels-last, (B,) labels) on `device`.

    A thread reads the pixels of the next batch during a step. Augmentation is computed on the device, in the main
    thread: on the CPU, a second computing thread would take a core from the step, whose parallel operations would wait
    for the slower core.
    """

    def positions_at(step: int) -> Ints:
        return order[step * batch_size : (step + 1) * batch_size]

    with ThreadPoolExecutor(1, thread_name_prefix="batch") as pool:
        steps = n_batches(len(order), batch_size, last_batch)
        following = pool.submit(pixels_of, positions_at(0).tolist())
        for step in range(steps):
            x = as_tensor(following.result(), device)
            if step + 1 < steps:
                following = pool.submit(pixels_of, positions_at(step + 1).tolist())
            x = augmented(x, augment, [seed, epoch, step], device)
            yield x, moved(torch.from_numpy(label[positions_at(step)]), device)


def augmented(x: Tensor, augment: Augment, seeds: Sequence[int], device: str) -> Tensor:
    """Return (B, C, S, S) in [0, 1] on `device`, changed at random by these seeds; channels-last in memory."""
    changes = draw_changes(len(x), augment, np.random.default_rng(seeds))
    changes = changes.mapped(lambda values: moved(torch.from_numpy(np.ascontiguousarray(values)), device))
    return apply_changes(x, changes).contiguous(memory_format=torch.channels_last)


def plain_batches(pixels_of: PixelsOf, positions: Ints, *, batch_size: int, device: str = "cpu") -> Iterator[Tensor]:
    """Yield (B, C, S, S) float in [0, 1] channels-last on `device`, without augmentation and in order."""
    for start in range(0, len(positions), batch_size):
        yield as_tensor(pixels_of(positions[start : start + batch_size].tolist()), device)


def selecting_logits(network: nn.Module, images: TrainingImages, recipe: Recipe, device: str) -> Tensor:
    """Return (n, K) float32 logits on the CPU of the images that select the epoch, then those of their copies.

    The images are not augmented. With `validation_copies`, there are so many augmented copies of all images, the same
    in every epoch. If memory is insufficient for a batch, smaller batches are used.
    """
    network.eval()
    batch_size = recipe.batch_size
    while True:
        try:
            with torch.inference_mode():
                return torch.cat(
                    [network(x).float() for x in _selecting_batches(images, recipe, batch_size, device)]
                ).cpu()
        except RuntimeError as error:
            if batch_size == 1 or not is_out_of_memory(error):
                raise
        batch_size //= 2  # outside the handler, where the error no longer holds the tensors of the failed pass


def _selecting_batches(images: TrainingImages, recipe: Recipe, batch_size: int, device: str) -> Iterator[Tensor]:
    positions, _ = images.selecting
    for copy in range(1 + recipe.validation_copies):
        # The random changes depend on the number of images, so they are drawn for batches of the recipe's size.
        batches = plain_batches(images.pixels_of, positions, batch_size=recipe.batch_size, device=device)
        for step, x in enumerate(batches):
            changed = augmented(x, recipe.augment_in_training, [recipe.seed, 3, copy, step], device) if copy else x
            yield from torch.split(changed, batch_size)


def as_tensor(pixels: npt.NDArray[np.unsignedinteger], device: str = "cpu") -> Tensor:
    """Convert (B, S, S, C) integers to (B, C, S, S) float32 in [0, 1] on `device`, channels-last in memory."""
    top = float(np.iinfo(pixels.dtype).max)
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float32)
    return moved(torch.from_numpy(pixels), device).permute(0, 3, 1, 2).to(torch.float32) / top


def moved(tensor: Tensor, device: str) -> Tensor:
    """Return the tensor on `device`. Copies to a CUDA GPU use pinned memory: other copies wait for all queued work."""
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)
