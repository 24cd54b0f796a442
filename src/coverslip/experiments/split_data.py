"""The images of each set of a split, and the fit of a network to them."""

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from coverslip.datasets import (
    Dataset,
    DecodedPixels,
    Folds,
    PixelCache,
    Scan,
    Split,
    cap_training,
    inner_folds,
    trained_classes,
)
from coverslip.events import Noted, ValidationImagesChosen
from coverslip.images import ImageFacts, Preprocessing
from coverslip.runs import (
    FromRun,
    Recipe,
    RunContext,
    pretraining_hashes,
)
from coverslip.training.preprocessing import canvas_notes, learn_preprocessing

if TYPE_CHECKING:
    from coverslip.training.batches import ChosenImages, PixelsOf, TrainingImages
    from coverslip.training.fitting import Choices, Fitted
    from coverslip.training.instant_stage import OnFeatures
    from coverslip.training.ood import FoldDistances, OodDetector

Ints = npt.NDArray[np.int64]
N_CHOSEN = 24  # validation images that are watched while they are learnt


class SplitData:
    """Positions in the dataset of each part's images, with labels as class numbers."""

    def __init__(self, data: Dataset, scan: Scan, split: Split) -> None:
        self.data, self.scan, self.split = data, scan, split
        self.classes = trained_classes(data, split)
        number = {name: k for k, name in enumerate(self.classes)}
        parts = np.array(split.parts)
        self.train, self.val, self.test = (np.flatnonzero(parts == part) for part in ("train", "val", "test"))
        self.label = np.array([number.get(record.label or "", -1) for record in data.records])
        self.domain = np.unique([record.domain for record in data.records], return_inverse=True)[1]
        self._facts = {i: facts for i, facts in enumerate(scan.facts) if isinstance(facts, ImageFacts)}

    @property
    def train_facts(self) -> list[ImageFacts]:
        """What is known of each training image."""
        return [self._facts[i] for i in self.train.tolist()]

    def pixel_hashes(self, positions: Sequence[int]) -> list[str]:
        """Return the hashes of the pixels at these positions, which are equal for duplicates."""
        return [self._facts[i].pixel_hash for i in positions]

    def training_images(self, pixels_of: "PixelsOf") -> "TrainingImages":
        """Training and validation images, with whatever gives their pixels."""
        from coverslip.training.batches import TrainingImages

        return TrainingImages(
            pixels_of=pixels_of,
            train=self.train,
            train_label=self.label[self.train],
            val=self.val,
            val_label=self.label[self.val],
            n_classes=len(self.classes),
            train_domain=self.domain[self.train],
            chosen=self._chosen_images(),
        )

    def _chosen_images(self) -> "ChosenImages | None":
        """Validation images to be watched while they are learnt; None where there are none."""
        from coverslip.training.batches import ChosenImages

        if not len(self.val):
            return None
        watched = np.sort(self._in_turn(self.val, N_CHOSEN, seed=0))
        event = ValidationImagesChosen(
            image_ids=tuple(self.data.records[i].image_id for i in watched.tolist()),
            labels=tuple(self.label[watched].tolist()),
            classes=tuple(self.classes),
        )
        return ChosenImages(np.searchsorted(self.val, watched), event)

    def n_drawn(self, recipe: Recipe) -> int:
        """Training images that an epoch shows: more or fewer than there are, where sampling says so."""
        from coverslip.training.batches import n_drawn

        return n_drawn(self.label[self.train], self.domain[self.train], recipe)

    def with_epochs(self, recipe: Recipe) -> Recipe:
        """The recipe with a number of epochs, which `auto` leaves to the images that each of them shows."""
        return recipe.with_epochs(self.n_drawn(recipe))

    def sample_training_images(self, n: int, *, seed: int) -> list[int]:
        """Positions of n training images at random, the classes in turn, ordered by class."""
        positions = self._in_turn(self.train, n, seed=seed)
        return [int(i) for i in positions[np.argsort(self.label[positions], kind="stable")]]

    def _in_turn(self, positions: np.ndarray, n: int, *, seed: int) -> np.ndarray:
        """At most n of these positions at random, an image of each class in turn."""
        order = np.random.default_rng(seed).permutation(positions)
        n_of_class: Counter[int] = Counter()
        rank = []
        for label in self.label[order].tolist():
            rank.append(n_of_class[label])
            n_of_class[label] += 1
        return np.asarray(order[np.argsort(rank, kind="stable")[:n]])


def capped_split_data(data: Dataset, scan: Scan, split: Split, recipe: Recipe) -> SplitData:
    """The parts of a split, with no more training images of a class than the recipe allows."""
    return SplitData(data, scan, cap_training(data, split, recipe.split.train_per_class, recipe.split_seed))


def with_epochs_for_folds(data: Dataset, scan: Scan, folds: Folds, recipe: Recipe) -> Recipe:
    """The recipe with the most epochs that any of the folds calls for: all are trained alike."""
    settled = (capped_split_data(data, scan, split, recipe).with_epochs(recipe) for split in folds.splits)
    return max(settled, key=lambda each: each.n_epochs)


def preprocess(split_data: SplitData, recipe: Recipe, context: RunContext) -> Preprocessing:
    """How images are preprocessed, learnt from training images."""
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
    """Train the network: validation images choose, unless the choices are given; and learn what is familiar to it."""
    from coverslip.training.fitting import fit, refit
    from coverslip.training.initialization import initial_classifier
    from coverslip.training.instant_stage import ignore_features
    from coverslip.training.ood import fit_ood_detector

    fold_indices_of = partial(inner_folds, split_data.data, split_data.scan, seed=recipe.seed)
    initial = None
    if isinstance(recipe.init, FromRun):
        seen, judging = pretraining_hashes(recipe), split_data.val if choices is None else split_data.train
        n_known = seen.find_shared(
            split_data.data, split_data.scan, judging.tolist(), emit=context.emit, stop=context.stop
        )
        initial = initial_classifier(recipe.init, split_data.classes, offers_head=seen.is_complete and not n_known)
    with _preprocessed_pixels(split_data, preprocessing, recipe, context) as pixels:
        images = split_data.training_images(pixels)
        look = on_features or ignore_features
        if choices is not None:
            fold_index = fold_indices_of(split_data.train.tolist())
            fitted = refit(
                images, fold_index, split_data.pixel_hashes, preprocessing, recipe, choices, context, initial, look
            )
        else:
            is_capped = recipe.split.train_per_class is not None  # it would learn from more images of a class
            val_fold_index = None if is_capped else fold_indices_of(split_data.val.tolist())
            fitted = fit(images, val_fold_index, split_data.pixel_hashes, preprocessing, recipe, context, initial, look)
        if fitted.is_stopped or fitted.does_not_fit:
            return fitted, None
        inputs = (split_data.pixel_hashes, preprocessing, recipe, context)
        return fitted, fit_ood_detector(fitted, images, fold_indices_of, *inputs, folds)


def _preprocessed_pixels(
    split_data: SplitData, preprocessing: Preprocessing, recipe: Recipe, context: RunContext
) -> PixelCache | DecodedPixels:
    if recipe.stage == "instant" and recipe.init != "scratch":  # one pass over the images: nothing to keep
        return DecodedPixels(split_data.data, split_data.scan, preprocessing)
    needed = [*split_data.train.tolist(), *split_data.val.tolist()]
    return PixelCache(split_data.data, split_data.scan, needed, preprocessing, emit=context.emit, stop=context.stop)
