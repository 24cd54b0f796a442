"""The images of each set of a split, and the fit of a network to them."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coverslip.datasets.index.records import Dataset
from coverslip.datasets.pixels import DecodedPixels, PixelCache, PixelKeys, fits_cache
from coverslip.datasets.quality.scanning import Scan
from coverslip.datasets.splits.folding import Folds, cap_training, held_out_units, inner_folds
from coverslip.datasets.splits.splitting import Split, trained_classes
from coverslip.events import Noted, ValidationImagesChosen
from coverslip.images.preprocessing import PixelFacts, Preprocessing
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import FromRun, Recipe
from coverslip.runs.split import pretraining_hashes
from coverslip.training.preprocessing import canvas_notes, learn_preprocessing

if TYPE_CHECKING:
    from coverslip.training.fitting import Choices, Fitted
    from coverslip.training.instant import OnFeatures
    from coverslip.training.ood import FoldDistances, OodDetector
    from coverslip.training.task import ChosenImages, PixelsOf, TrainingImages

Ints = npt.NDArray[np.int64]
_N_WATCHED = 24  # validation images whose predictions are shown during fine-tuning


class SplitData:
    """Positions in the dataset of the images of each set, with labels as class numbers."""

    def __init__(self, data: Dataset, scan: Scan, split: Split) -> None:
        self.data, self.scan, self.split = data, scan, split
        self.classes = trained_classes(data, split)
        number = {name: k for k, name in enumerate(self.classes)}
        parts = np.array(split.parts)
        self.train, self.val, self.test = (np.flatnonzero(parts == part) for part in ("train", "val", "test"))
        self.label = np.array([number.get(record.label or "", -1) for record in data.records])
        self.group = np.array([record.group or "" for record in data.records], dtype=str)
        self.domain = np.unique([record.domain for record in data.records], return_inverse=True)[1]

    @property
    def train_facts(self) -> Sequence[PixelFacts]:
        """Format facts of each training image."""
        return self.scan.readable(self.train.tolist())

    def pixel_keys(self, preprocessing: Preprocessing) -> Callable[[Sequence[int]], PixelKeys]:
        """Return a function from positions of images to hashes by which their pixels and features are stored."""
        return partial(PixelKeys, self.data, self.scan, preprocessing=preprocessing)

    def selecting(self, recipe: Recipe) -> Ints:
        """Return the positions of the images that select the epoch: of the validation set, unless the recipe differs.

        Test images of classes without training images, which cross-validation can have, are not among them.
        """
        return self.test[self.label[self.test] >= 0] if recipe.checkpoint_selection_set == "test" else self.val

    def training_images(self, pixels_of: "PixelsOf", recipe: Recipe) -> "TrainingImages":
        """Return training and validation images.

        Args:
            pixels_of: returns the pixels of images by their positions.
            recipe: names the set that selects the epoch.
        """
        from coverslip.training.task import TrainingImages

        tested = self.selecting(recipe) if recipe.checkpoint_selection_set == "test" else None
        return TrainingImages(
            pixels_of=pixels_of,
            train=self.train,
            train_label=self.label[self.train],
            val=self.val,
            val_label=self.label[self.val],
            n_classes=len(self.classes),
            train_domain=self.domain[self.train],
            chosen=self._watched_images(self.selecting(recipe)),
            tested=tested,
            tested_label=None if tested is None else self.label[tested],
        )

    def _watched_images(self, selecting: Ints) -> "ChosenImages | None":
        """Return the images that are shown during fine-tuning; None if no images select the epoch."""
        from coverslip.training.task import ChosenImages

        if not len(selecting):
            return None
        watched = np.sort(self._sample_by_class(selecting, _N_WATCHED, seed=0))
        event = ValidationImagesChosen(
            image_ids=tuple(self.data.records[i].image_id for i in watched.tolist()),
            labels=tuple(self.label[watched].tolist()),
            classes=tuple(self.classes),
        )
        return ChosenImages(np.searchsorted(selecting, watched), event)

    def n_drawn(self, recipe: Recipe) -> int:
        """Return the number of images per epoch, which sampling can make larger or smaller than the training set."""
        n_of_class, n_of_domain = (
            np.unique(kind[self.train], return_counts=True)[1].tolist() for kind in (self.label, self.domain)
        )
        return recipe.n_drawn(n_of_class, n_of_domain)

    def with_epochs(self, recipe: Recipe) -> Recipe:
        """Return the recipe with a number of epochs, which for `auto` depends on the number of images per epoch."""
        return recipe.with_epochs(self.n_drawn(recipe))

    def sample_training_images(self, n: int, *, seed: int) -> list[int]:
        """Return positions of n random training images, balanced over classes and ordered by class."""
        positions = self._sample_by_class(self.train, n, seed=seed)
        return [int(i) for i in positions[np.argsort(self.label[positions], kind="stable")]]

    def _sample_by_class(self, positions: np.ndarray, n: int, *, seed: int) -> np.ndarray:
        """Return at most n of these positions at random, balanced over classes."""
        order = np.random.default_rng(seed).permutation(positions)
        n_of_class: Counter[int] = Counter()
        rank = []
        for label in self.label[order].tolist():
            rank.append(n_of_class[label])
            n_of_class[label] += 1
        return np.asarray(order[np.argsort(rank, kind="stable")[:n]])


def capped_split(data: Dataset, split: Split, recipe: Recipe) -> Split:
    """Return the split with at most as many training images as the recipe allows."""
    plan = recipe.split
    return cap_training(data, split, plan.train_per_class, recipe.split_seed)


def capped_split_data(data: Dataset, scan: Scan, split: Split, recipe: Recipe) -> SplitData:
    """Return the sets of a split, with at most as many training images per class as the recipe allows."""
    return SplitData(data, scan, capped_split(data, split, recipe))


def with_epochs_for_folds(data: Dataset, scan: Scan, folds: Folds, recipe: Recipe) -> Recipe:
    """Return the recipe with the largest number of epochs of the folds, since all folds use the same number."""
    recipes = (capped_split_data(data, scan, split, recipe).with_epochs(recipe) for split in folds.splits)
    return max(recipes, key=lambda recipe: recipe.n_epochs)


def preprocess(split_data: SplitData, recipe: Recipe, context: RunContext) -> Preprocessing:
    """Return the preprocessing, fitted on training images."""
    preprocessing = learn_preprocessing(split_data.train_facts, recipe)
    for each in canvas_notes(split_data.train_facts, preprocessing):
        context.emit(Noted.of(each))
    return preprocessing


def fit_network(
    split_data: SplitData,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
    choices: "Choices | None" = None,
    on_features: "OnFeatures | None" = None,
    folds: "FoldDistances | None" = None,
) -> "tuple[Fitted, OodDetector | None]":
    """Train the network, and fit the detector of out-of-distribution images.

    Args:
        split_data: the images and their split.
        preprocessing: of the images.
        recipe: of the training.
        context: of the training.
        choices: hyperparameters; default: selected on validation images.
        on_features: receives the features of the instant stage.
        folds: distances of test images to training images in the networks of the folds.

    Returns:
        The network, and the detector; None for the detector if training was stopped.
    """
    from coverslip.training.fitting import fit, fit_as_folds_chose
    from coverslip.training.instant import ignore_features, initial_classifier
    from coverslip.training.ood import fit_ood_detector
    from coverslip.training.task import TrainingTask

    fold_indices_of = partial(inner_folds, split_data.data, split_data.scan, seed=recipe.seed)
    initial = None
    if isinstance(recipe.init, FromRun):
        hashes, positions = pretraining_hashes(recipe), split_data.val if choices is None else split_data.train
        shared = hashes.find_shared(
            split_data.data, split_data.scan, positions.tolist(), emit=context.emit, stop=context.stop
        )
        initial = initial_classifier(recipe.init, split_data.classes, offers_head=hashes.is_complete and not shared)
    with _preprocessed_pixels(split_data, preprocessing, recipe, context) as pixels:
        images = split_data.training_images(pixels, recipe)
        task = TrainingTask(images, split_data.pixel_keys(preprocessing), preprocessing, recipe, context)
        on_features = on_features or ignore_features
        if choices is not None:
            fold_index = held_out_units(split_data.data, split_data.scan, split_data.train.tolist())
            fitted = fit_as_folds_chose(task, fold_index, choices, initial, on_features)
        else:
            # With a cap on the training images, the last layer is not fitted on validation images too.
            is_capped = recipe.split.train_per_class is not None
            val, fitted_on = split_data.val.tolist(), [*split_data.train.tolist(), *split_data.val.tolist()]
            units = None if is_capped else held_out_units(split_data.data, split_data.scan, val, fitted_on)
            fitted = fit(task, units, initial, on_features)
        if fitted.is_stopped:
            return fitted, None
        return fitted, fit_ood_detector(fitted, task, fold_indices_of, folds)


def _preprocessed_pixels(
    split_data: SplitData, preprocessing: Preprocessing, recipe: Recipe, context: RunContext
) -> PixelCache | DecodedPixels:
    needed = [*split_data.train.tolist(), *split_data.val.tolist()]
    if recipe.stage == "instant" and recipe.init != "scratch":
        if not fits_cache(len(needed), preprocessing):
            return DecodedPixels(split_data.data, split_data.scan, preprocessing)
        needed = []  # their features may be in the cache
    if recipe.checkpoint_selection_set == "test":
        needed += split_data.selecting(recipe).tolist()
    return PixelCache(split_data.data, split_data.scan, needed, preprocessing, emit=context.emit, stop=context.stop)
