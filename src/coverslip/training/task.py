"""Images, recipe and context of a training, and the order of images in an epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from coverslip.events import ValidationImagesChosen
from coverslip.images.preprocessing import Preprocessing
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import LastBatch, Recipe, Sampling

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

    def chosen_predicted(self, logits: npt.NDArray[np.float32]) -> tuple[int, ...]:
        """Return the class with the largest logit of each chosen image, by logits of the images that select."""
        return () if self.chosen is None else tuple(logits[self.chosen.places].argmax(axis=1).tolist())


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
