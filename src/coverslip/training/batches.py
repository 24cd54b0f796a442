"""Images, recipe and context of a training, the batches of an epoch, and a sheet that shows training images."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from coverslip.augmentation.transform import apply_changes, draw_changes
from coverslip.events import ValidationImagesChosen
from coverslip.images.output import caption_font, fit_caption
from coverslip.images.preprocessing import Preprocessing
from coverslip.machine import is_out_of_memory
from coverslip.messages import text
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import Augment, LastBatch, Recipe, Sampling

Ints = npt.NDArray[np.int64]
PixelsOf = Callable[[Sequence[int]], npt.NDArray[np.unsignedinteger]]
DigestOf = Callable[[Sequence[int]], Sequence[str]]  # positions -> hashes of the content of images


@dataclass(frozen=True, slots=True)
class ChosenImages:
    """Some images whose predictions are shown during training; nothing is selected by them alone."""

    places: Ints  # positions among the images that select the epoch
    event: ValidationImagesChosen  # identifies the images


@dataclass(frozen=True, slots=True)
class TrainingImages:
    """The images to fit on and the images to validate on; there are no validation images after all choices are made."""

    pixels_of: PixelsOf  # (n, S, S, C) integers of the images at these positions of the dataset
    train: Ints  # positions
    train_label: Ints
    val: Ints  # positions
    val_label: Ints
    n_classes: int
    train_domain: Ints | None = None  # domain of each training image; None if there is one domain
    chosen: ChosenImages | None = None
    tested: Ints | None = None  # positions of the test images, if they select the epoch (`checkpoint_selection_set`)
    tested_label: Ints | None = None

    @property
    def selecting(self) -> tuple[Ints, Ints]:
        """Positions and labels of the images that select the epoch; there may be none."""
        if self.tested is None or self.tested_label is None:
            return self.val, self.val_label
        return self.tested, self.tested_label

    def chosen_predicted(self, logits: Tensor) -> tuple[int, ...]:
        """Return the class with the largest logit of each chosen image, by logits of the images that select."""
        return () if self.chosen is None else tuple(logits[torch.from_numpy(self.chosen.places)].argmax(1).tolist())


@dataclass(frozen=True, slots=True)
class TrainingTask:
    """What every stage of a training needs."""

    images: TrainingImages  # to fit on and to validate on; test images are not among them
    digest_of: DigestOf  # features are cached by these hashes
    preprocessing: Preprocessing  # of the pixels; features are cached by it
    recipe: Recipe
    context: RunContext  # checkpoints go into its folder; its stop request is checked before every step


def recipe_order(label: Ints, domain: Ints | None, recipe: Recipe, *, epoch: int) -> Ints:
    """Return the order of one epoch by the sampling of a recipe."""
    return epoch_order(
        label, domain, sampling=recipe.sampling, seed=recipe.seed, epoch=epoch, rare_repeats=recipe.rare_class_repeats
    )


def epoch_order(
    label: Ints, domain: Ints | None = None, *, sampling: Sampling, seed: int, epoch: int, rare_repeats: int = 1
) -> Ints:
    """Return positions 0..n-1 in the random order of one epoch, which depends on seed and epoch only.

    With `oversample`, every class is drawn as often as the largest class: each image once, then images at random.
    `domains` does the same with domains instead of classes.

    With `undersample`, every class is drawn as often as the smallest class, times `rare_repeats`: some images in this
    epoch, the next ones in the following epoch, until all images were drawn. `even` does the same with equal shares of
    n. A class that is smaller than its share starts again, so that the counts of two images of a class differ by at
    most one.

    Args:
        label: (n_images,) class numbers.
        domain: (n_images,) numbers of the images' domains; None if there is one domain.
        sampling: as in the recipe; `all` draws each image once.
        seed: of the run.
        epoch: 1-based.
        rare_repeats: how often each image of the smallest class is drawn with `undersample`.
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
        smallest = rare_repeats * min(map(len, images_of))
        share = smallest if sampling == "undersample" else len(label) // len(images_of)
        class_rng = np.random.default_rng([seed, 2])  # the same in every epoch
        places = np.arange((epoch - 1) * share, epoch * share)
        order = np.concatenate([class_rng.permutation(images).take(places, mode="wrap") for images in images_of])
    return rng.permutation(order)


def n_batches(n_images: int, batch_size: int, last_batch: LastBatch = "skip") -> int:
    """Return the number of batches of an epoch, at least 1 for fewer images than a batch has.

    With `skip`, a remainder that fills no batch is skipped, because a last batch of few images gives noisy statistics
    to batch norms. The order is drawn again in every epoch, so other images are skipped each time. With `keep`, the
    remainder is a smaller batch, unless it is a single image, of which batch norms can have no statistics.
    """
    n_full, n_left = divmod(n_images, batch_size)
    return max(1, n_full + (last_batch == "keep" and n_left > 1))


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
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seeds).generate_state(1)[0]))
    changes = draw_changes(len(x), augment, generator).mapped(lambda tensor: moved(tensor, device))
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


# A sheet of training images after preprocessing and data augmentation.

VARIANTS = 5  # columns of augmented images
SMALLEST_TILE_PX, LARGEST_TILE_PX = 96, 224
GAP_PX, LABEL_PX, HEADER_PX, _FONT_PX = 4, 150, 26, 13
_INK, _PAPER = (29, 37, 41), (225, 230, 230)  # gray, so that the borders of white and black backgrounds are visible


def draw_preview(
    pixels: npt.NDArray[np.unsignedinteger], labels: Sequence[str], augment: Augment, *, seed: int
) -> Image.Image:
    """Draw a row per image: its class, the preprocessed image, and five augmented images.

    Three channels are shown as red, green and blue. For other numbers only the first channel is shown.

    Args:
        pixels: (n, S, S, C) uint8 or uint16, preprocessed.
        labels: n classes.
        augment: data augmentation of the training.
        seed: of the random changes.
    """
    plain = as_tensor(pixels)
    copies = plain.repeat_interleave(VARIANTS, dim=0)
    changes = draw_changes(len(copies), augment, torch.Generator().manual_seed(seed))
    changed = apply_changes(copies, changes).reshape(len(plain), VARIANTS, *plain.shape[1:])
    rows = torch.cat([plain[:, None], changed], dim=1)
    tile_px = min(max(plain.shape[3], SMALLEST_TILE_PX), LARGEST_TILE_PX)
    step = tile_px + GAP_PX
    sheet = Image.new("RGB", (LABEL_PX + (1 + VARIANTS) * step, HEADER_PX + len(rows) * step), _PAPER)
    pen, font = ImageDraw.Draw(sheet), caption_font(_FONT_PX)
    pen.text((LABEL_PX, 5), text("preview-preprocessed"), _INK, font)
    pen.text((LABEL_PX + step, 5), text("preview-augmented"), _INK, font)
    for row, (images, label) in enumerate(zip(rows, labels, strict=True)):
        y = HEADER_PX + row * step
        pen.text((GAP_PX, y), fit_caption(label, font, LABEL_PX - 2 * GAP_PX), _INK, font)
        for column, image in enumerate(images):
            sheet.paste(_picture(image, tile_px), (LABEL_PX + column * step, y))
    return sheet


def _picture(image: Tensor, side_px: int) -> Image.Image:
    """Convert (C, S, S) in [0, 1] to a picture of the size on the sheet."""
    shown = image if len(image) == 3 else image[:1].expand(3, -1, -1)
    levels = (shown * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    return Image.fromarray(np.ascontiguousarray(levels)).resize((side_px, side_px), Image.Resampling.BILINEAR)
