"""Batches of one epoch: which images, in which order, augmented, ready before the step that needs them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coverslip.augmentation.transform import apply_changes, draw_changes
from coverslip.events import ValidationImagesChosen
from coverslip.runs import Augment, Recipe, Sampling

Ints = npt.NDArray[np.int64]
PixelsOf = Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]]


@dataclass(frozen=True, slots=True)
class ChosenImages:
    """Some of the validation images, for people to watch: nothing is chosen by them alone."""

    places: Ints  # among the validation images
    event: ValidationImagesChosen  # which images these are


@dataclass(frozen=True, slots=True)
class TrainingImages:
    """The images to fit on and those to validate on; none of the latter where all choices are made."""

    pixels_of: PixelsOf  # (n, S, S, C) integers of the images at these positions of the dataset
    train: Ints  # positions
    train_label: Ints
    val: Ints  # positions
    val_label: Ints
    n_classes: int
    train_domain: Ints | None = None  # which domain each training image comes from; None where there is one
    chosen: ChosenImages | None = None

    def chosen_predicted(self, logits: Tensor) -> tuple[int, ...]:
        """The class of largest logit of each chosen image, of (n_val, K) logits."""
        return () if self.chosen is None else tuple(logits[torch.from_numpy(self.chosen.places)].argmax(1).tolist())


def n_drawn(label: Ints, domain: Ints | None, recipe: Recipe) -> int:
    """How many of the training images an epoch shows: more or fewer than there are, where sampling says so."""
    return len(epoch_order(label, domain, sampling=recipe.sampling, seed=recipe.seed, epoch=1))


def epoch_order(label: Ints, domain: Ints | None = None, *, sampling: Sampling, seed: int, epoch: int) -> Ints:
    """Positions 0..n-1 in the random order of one epoch; drawn from seed and epoch alone, so that it can be repeated.

    With `oversample` every class is drawn as often as the largest: each image once, then again at random. `domains`
    does so with domains in place of classes.
    With `undersample` every class is drawn as often as the smallest: some images in this epoch, the next ones in the
    following epoch, until all have had their turn. `even` does so with equal shares of n, where a class that is smaller
    than its share starts again: each image is drawn at most once more than another.

    Args:
        label: (n_images,) class numbers.
        domain: (n_images,) numbers of the domains that the images come from; None where there is one.
        sampling: as in the recipe; `all` draws each image once.
        seed: of the run.
        epoch: 1-based.
    """
    rng = np.random.default_rng([seed, epoch, 1])
    order = np.arange(len(label))
    if domain is None:
        domain = np.zeros_like(label)
    kind = domain if sampling == "domains" else label
    images_of = [np.flatnonzero(kind == k) for k in np.unique(kind)]
    if sampling in ("oversample", "domains"):
        most = max(map(len, images_of))
        order = np.concatenate([order, *(rng.choice(images, most - len(images)) for images in images_of)])
    elif sampling in ("undersample", "even"):
        share = min(map(len, images_of)) if sampling == "undersample" else len(label) // len(images_of)
        rng_of_classes = np.random.default_rng([seed, 2])  # the same in every epoch
        places = np.arange((epoch - 1) * share, epoch * share)
        order = np.concatenate([rng_of_classes.permutation(images).take(places, mode="wrap") for images in images_of])
    return rng.permutation(order)


def n_batches(n_images: int, batch_size: int) -> int:
    """Full batches, or one smaller batch where there is no full one.

    A remainder is skipped, because a last batch of one or two images gives noisy statistics to batch norms. The order
    is drawn again in every epoch, so other images are skipped each time.
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
    device: str = "cpu",
) -> Iterator[tuple[Tensor, Tensor]]:
    """((B, C, S, S) float in [0, 1] channels-last, (B,) labels) on `device`.

    The pixels of the next batch are read while one is used; they are changed on the device. On the processor a second
    thread that computed would take a core from the step for as long as it runs, and each of the step's parts waits
    for the slower core.
    """

    def chosen_at(step: int) -> Ints:
        return order[step * batch_size : (step + 1) * batch_size]

    with ThreadPoolExecutor(1, thread_name_prefix="batch") as pool:
        steps = n_batches(len(order), batch_size)
        following = pool.submit(pixels_of, chosen_at(0).tolist())
        for step in range(steps):
            x = as_tensor(following.result(), device)
            if step + 1 < steps:
                following = pool.submit(pixels_of, chosen_at(step + 1).tolist())
            x = changed_at_random(x, augment, [seed, epoch, step], device)
            yield x, moved(torch.from_numpy(label[chosen_at(step)]), device)


def changed_at_random(x: Tensor, augment: Augment, drawn_from: Sequence[int], device: str) -> Tensor:
    """(B, C, S, S) in [0, 1] on `device`, changed by what these numbers draw; channels-last in memory."""
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(drawn_from).generate_state(1)[0]))
    changes = draw_changes(len(x), augment, generator).mapped(lambda drawn: moved(drawn, device))
    return apply_changes(x, changes).contiguous(memory_format=torch.channels_last)


def plain_batches(pixels_of: PixelsOf, positions: Ints, *, batch_size: int, device: str = "cpu") -> Iterator[Tensor]:
    """(B, C, S, S) float in [0, 1] channels-last on `device`, unchanged and in order."""
    for start in range(0, len(positions), batch_size):
        yield as_tensor(pixels_of(positions[start : start + batch_size].tolist()), device)


def plain_logits(network: nn.Module, images: TrainingImages, batch_size: int, device: str) -> Tensor:
    """(n_val, K) float32 on the processor, of the validation images as they are."""
    network.eval()
    with torch.inference_mode():
        batches = plain_batches(images.pixels_of, images.val, batch_size=batch_size, device=device)
        return torch.cat([network(x).float() for x in batches]).cpu()


def as_tensor(pixels: npt.NDArray[np.unsignedinteger], device: str = "cpu") -> Tensor:
    """(B, S, S, C) integers -> (B, C, S, S) float32 in [0, 1] on `device`, channels-last in memory."""
    top = float(np.iinfo(pixels.dtype).max)
    if pixels.dtype != np.uint8:
        pixels = pixels.astype(np.float32)
    return moved(torch.from_numpy(pixels), device).permute(0, 3, 1, 2).to(torch.float32) / top


def moved(tensor: Tensor, device: str) -> Tensor:
    """The tensor on `device`. To a CUDA GPU out of pinned memory: other copies wait until all work before is done."""
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor.to(device)
