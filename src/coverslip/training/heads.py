"""Linear heads on the features of a network: fitting, selection by validation images, calibration by held-out images.

Validation images select the shrinkage. Then the head is fitted again on training and validation images. Heads that are
fitted without a part of the validation images predict that part, and calibrate the final head. If a fifth of the images
are validation images, the head is fitted on a third more images in this way.

After fine-tuning, such a head is averaged with the trained head: dozens of epochs change the features considerably, and
the last layer does not keep up. The mean of the calibrated logits is one linear layer again. The gains of both are in
benchmarks/RESULTS.md.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.augmentation.copies import Copies
from coverslip.engines import Engine, Features, embed, fastest_engine, n_missing, run_tta, turned
from coverslip.evaluation.calibration import calibrated_temperature, fit_temperature
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.models.backbone import Backbone
from coverslip.models.zoo import linear_logits
from coverslip.runs.folder import RunContext
from coverslip.runs.recipe import IMAGES_COPIED, IMAGES_REFITTED, Recipe
from coverslip.runs.training import FittedOn, RefittedHead
from coverslip.training.linear_probe import (
    SHRINKAGES,
    HeldOutProbes,
    LinearHead,
    calibrated_log_loss,
    fit_linear_probe,
    primary_score,
)
from coverslip.training.task import TrainingImages, TrainingTask

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.unsignedinteger]

_Numbers = TypeVar("_Numbers", npt.NDArray[np.float32], Floats)

_SHARES = tuple(tenth / 10 for tenth in range(11))  # candidate weights of the refitted head
_MOST_COMPARED = 0.5  # images per feature: with more, shrinkages are not compared in folds
_LOSSLESS_WEIGHT, _LIGHT_WEIGHT = 0.5, 1.0  # of the covariance within images, added to the covariance within classes


@dataclass(frozen=True, slots=True)
class Variation:
    """The covariance of features within images, over augmented copies of each."""

    rows: npt.NDArray[np.float32]  # (R, D): rows.T @ rows is the covariance
    image: Ints  # (R,) image of each row, by its position among the training images


def features_of(
    backbone: Backbone, task: TrainingTask, positions: Ints, emit: Emit | None = None
) -> AbstractContextManager[tuple[Features, Engine | None]]:
    """Return the features, as of `embed`, of the images at these positions, averaged over test-time augmentation."""
    dataset_positions = positions.tolist()

    def pixels_of(rows: Sequence[int]) -> npt.NDArray[np.unsignedinteger]:
        return task.images.pixels_of([dataset_positions[i] for i in rows])

    return embed(
        backbone,
        task.digest_of(dataset_positions),
        pixels_of,
        preprocessing=task.preprocessing.model_dump(mode="json"),
        tta=task.recipe.n_views,
        device=task.context.device,
        emit=emit or task.context.emit,
        stop=task.context.stop,
    )


class AugmentedCopies:
    """Augmented copies of at most `IMAGES_COPIED` training images, within the recipe's data augmentation."""

    def __init__(self, backbone: Backbone, task: TrainingTask) -> None:
        self._backbone, self._images, self._context = backbone, task.images, task.context
        self._copies = Copies.within(dict(task.recipe.augment_in_training))
        digests = task.digest_of(task.images.train.tolist())
        # By digest, so that folds select mostly the same images.
        self._copied_images = np.array(
            nsmallest(IMAGES_COPIED, range(len(digests)), key=lambda i: (digests[i], i)), np.int64
        )
        lossless, light = self._copies.lossless, range(self._copies.n_light)
        names = [*(f"turned {k}" for k in lossless), *(f"light {k}" for k in light)][: len(self._copies)]
        self._digests = [f"{digests[i]} {name}" for i in self._copied_images for name in names]
        self._embed_arguments: dict[str, Any] = {  # Any: as of `embed`
            "preprocessing": {**task.preprocessing.model_dump(mode="json"), "light": self._copies.light_changes},
            "tta": 1,
            "device": task.context.device,
        }

    def n_missing(self) -> int:
        """Return the number of copies whose features are not in the cache."""
        return n_missing(self._backbone, self._digests, **self._embed_arguments)

    def variation(self, emit: Emit) -> Variation | None:
        """Return the covariance of features within images; None if the data augmentation allows no copies.

        Raises:
            Stopped: on request.
        """
        if not self._digests:
            return None
        with embed(
            self._backbone,
            self._digests,
            self._pixels_of,
            **self._embed_arguments,
            emit=emit,
            stop=self._context.stop,
        ) as (features, _):
            by_copy = [features[slice(k, None, len(self._copies))] for k in range(len(self._copies))]
        n_lossless = len(self._copies.lossless)
        weighted = ((_LOSSLESS_WEIGHT, by_copy[:n_lossless]), (_LIGHT_WEIGHT, [by_copy[0], *by_copy[n_lossless:]]))
        rows = [np.sqrt(weight, dtype=np.float32) * _deviations(copies) for weight, copies in weighted]
        image = [np.tile(self._copied_images, len(part) // len(self._copied_images)) for part in rows]
        return Variation(np.concatenate(rows), np.concatenate(image))

    def _pixels_of(self, rows: Sequence[int]) -> Pixels:
        image, copy = np.divmod(rows, len(self._copies))
        distinct, index = np.unique(image, return_inverse=True)
        pixels = self._images.pixels_of(self._images.train[self._copied_images[distinct]].tolist())
        return np.stack([self._copied(pixels[index[i]], copy[i], self._digests[rows[i]]) for i in range(len(rows))])

    def _copied(self, pixels: Pixels, copy: int, digest: str) -> Pixels:
        lossless = self._copies.lossless
        if copy >= len(lossless):
            return self._copies.with_other_light(pixels, digest)
        copied: Pixels = turned(pixels.transpose(2, 0, 1)[None], lossless[copy])[0]
        return copied.transpose(1, 2, 0)


def _deviations(by_copy: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """Return the fewest rows for which rows.T @ rows is the mean covariance within images.

    Row i belongs to image i modulo n. There are no rows for a single copy.

    Args:
        by_copy: (n, D) features of each copy.
    """
    from scipy.linalg import helmert

    n_copies, (n, d) = len(by_copy), by_copy[0].shape
    if n_copies == 1:
        return by_copy[0][:0]
    contrasts = (helmert(n_copies) / np.sqrt(n * (n_copies - 1))).astype(np.float32)
    return np.tensordot(contrasts, np.stack(by_copy), axes=1).reshape(-1, d)


def some_of_training(images: TrainingImages, seed: int, most: int) -> tuple[Ints, Ints]:
    """Return positions and labels of at most `most` random training images, with every class among them."""
    order = np.random.default_rng(seed).permutation(len(images.train))
    first_of_class = np.unique(images.train_label[order], return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(order)), first_of_class)
    rows = np.sort(order[np.concatenate([first_of_class, rest])[:most]])
    return images.train[rows], images.train_label[rows]


def some_of_validation(images: TrainingImages, seed: int, most: int) -> tuple[Ints, Ints]:
    """Return positions and labels of at most `most` random validation images."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(images.val))[:most])
    return images.val[rows], images.val_label[rows]


class CrossFitting:
    """Linear probes that were fitted on the images of the other folds.

    Args:
        features: (n, D).
        label: (n,) in [0, K); every class occurs.
        fold_index: (n,) fold in which each image is held out; negative for never.
        n_classes: K.
        balanced: give all classes the same weight, whatever their numbers of images.
        variation: as for `fit_linear_probe`.
    """

    def __init__(
        self,
        features: Features,
        label: Ints,
        fold_index: Ints,
        *,
        n_classes: int,
        balanced: bool,
        variation: Variation | None = None,
    ) -> None:
        self._order = np.argsort(fold_index, kind="stable")
        self._probes = HeldOutProbes(
            features.part(self._order),
            label[self._order],
            fold_index[self._order],
            n_classes=n_classes,
            balanced=balanced,
            variation=variation.rows if variation else None,
            fold_of_variation=fold_index[variation.image] if variation else None,
        )

    def logits(self, shrinkage: float, *, excludes_copies: bool = True) -> Floats:
        """Return (n, K) logits; NaN for images that are never held out.

        Args:
            shrinkage: of every probe.
            excludes_copies: exclude the rows of the variation that are of held-out images too.
        """
        ordered = self._probes.logits(shrinkage, excludes_variation=excludes_copies)
        logits = np.empty_like(ordered)
        logits[self._order] = ordered
        return logits


def is_balanced(recipe: Recipe) -> bool:
    """Return whether the linear probe gives all classes the same weight."""
    return recipe.class_weights == "balanced" or recipe.sampling not in ("all", "domains")


@dataclass(frozen=True, slots=True)
class HeadsByValidation:
    """Heads that were fitted and selected with training and validation images."""

    head: LinearHead  # fitted on all images, or on training images only
    of_training: LinearHead  # fitted on training images only, so that validation images can evaluate it
    val_logits: Floats  # (n_val, K) by heads that were fitted without the image

    @property
    def fitted_on(self) -> FittedOn:
        """The images that the head was fitted on."""
        return "training images" if self.head is self.of_training else "training and validation images"


@dataclass(frozen=True, slots=True)
class HeadFitter:
    """Fits linear probes to K classes by the recipe."""

    n_classes: int
    recipe: Recipe
    context: RunContext
    variation: Variation | None = None  # its images come first among the images to fit on

    def fit(self, features: Features, label: Ints, shrinkage: float) -> LinearHead:
        """Fit on all these images, with a given shrinkage."""
        return self._fit(features, label, features, label, [shrinkage])

    def fit_and_choose(self, features: Features, label: Ints, val: Features, val_label: Ints) -> LinearHead:
        """Fit with the shrinkage that is best on validation images."""
        return self._fit(features, label, val, val_label, SHRINKAGES)

    def fit_by_folds(
        self, features: Features, label: Ints, fold_index: Ints, shrinkage: float, *, compares: bool
    ) -> tuple[LinearHead, Floats]:
        """Fit on all these images, with a shrinkage that is best on images that are held out in their folds.

        A comparison begins with the given shrinkage and its neighbors, and goes on while a neighbor is better.

        Args:
            features, label: of the images.
            fold_index: (n,) fold in which each image is held out; negative for never, but not for all images.
            shrinkage: of `SHRINKAGES`.
            compares: compare it with others; otherwise it is used.

        Returns:
            The head, and (n, K) logits as of `CrossFitting` with its shrinkage.
        """
        is_held_out, selected = fold_index >= 0, SHRINKAGES.index(shrinkage)
        probes, scores = self.cross_fitting(features, label, fold_index), dict[int, float]()
        while compares:
            near = range(max(0, selected - 1), min(len(SHRINKAGES), selected + 2))
            for i in near:
                if i not in scores:
                    self.context.stop.check()
                    # Copies have no labels. Those of held-out images stay in, so that all folds share most of the work.
                    logits = probes.logits(SHRINKAGES[i], excludes_copies=False)
                    scores[i] = primary_score(logits[is_held_out], label[is_held_out], self.recipe)
            # The larger shrinkage wins if scores are equal. A metric may be undefined if a class has few images.
            best = max(near, key=lambda i: (np.nan_to_num(scores[i], nan=-np.inf), i))
            compares, selected = best != selected, best
        return self.fit(features, label, SHRINKAGES[selected]), probes.logits(SHRINKAGES[selected])

    def cross_fitting(self, features: Features, label: Ints, fold_index: Ints) -> CrossFitting:
        """Return probes that are fitted without the images of each fold, as of `CrossFitting`."""
        return CrossFitting(
            features,
            label,
            fold_index,
            n_classes=self.n_classes,
            balanced=is_balanced(self.recipe),
            variation=self.variation,
        )

    def fit_by_validation(
        self, features: Features, label: Ints, val_label: Ints, fold_index: Ints | None
    ) -> HeadsByValidation:
        """Fit on training images, select the shrinkage by validation images, then fit on both.

        Args:
            features: of the training images, then the validation images.
            label, val_label: of the training images and of the validation images.
            fold_index: (n_val,) fold in which each validation image is held out; negative if the head of the training
                images predicts it. None: the final head is not fitted on validation images.
        """
        n = len(label)
        val = features.part(slice(n, None))
        of_training = self.fit_and_choose(features.part(slice(n)), label, val, val_label)
        if fold_index is None or not len(val_label):
            return HeadsByValidation(of_training, of_training, of_training.logits(val))
        assert of_training.shrinkage is not None, "a fitted head has a shrinkage"
        both = np.concatenate([label, val_label])
        fold_indices = np.concatenate([np.full(n, -1), fold_index])
        logits = self.cross_fitting(features, both, fold_indices).logits(of_training.shrinkage)[n:]
        is_never_held_out = fold_index < 0
        logits[is_never_held_out] = of_training.logits(val)[is_never_held_out]
        return HeadsByValidation(self.fit(features, both, of_training.shrinkage), of_training, logits)

    def _fit(
        self, features: Features, label: Ints, val: Features, val_label: Ints, shrinkages: Sequence[float]
    ) -> LinearHead:
        report = progress_reporter(self.context.emit, "fitting-classifier")

        def report_unless_stopped(done: int, total: int) -> None:
            self.context.stop.check()
            report(done, total)

        return fit_linear_probe(
            features,
            label,
            val,
            val_label,
            n_classes=self.n_classes,
            balanced=is_balanced(self.recipe),
            better=lambda logits, label: primary_score(logits, label, self.recipe),
            shrinkages=shrinkages,
            variation=self.variation.rows if self.variation else None,
            on_progress=report_unless_stopped,
        )


def trained_logits(
    backbone: Backbone, head: LinearHead, images: TrainingImages, recipe: Recipe, context: RunContext
) -> Floats:
    """Return (n_val, K) validation logits averaged over test-time augmentation."""
    if not len(images.val):
        return np.zeros((0, images.n_classes))
    engine = fastest_engine(backbone, device=context.device, emit=context.emit)
    n_at_once = 128
    features = [
        run_tta(engine, images.pixels_of(images.val[i : i + n_at_once].tolist()), recipe.n_views)
        for i in range(0, len(images.val), n_at_once)
    ]
    return linear_logits(np.concatenate(features), head.weight, head.bias)


def refit_head(
    backbone: Backbone, trained: LinearHead, task: TrainingTask, fold_index: Ints | None
) -> tuple[Floats, RefittedHead, LinearHead]:
    """Average the trained head with a head that is fitted to the network's features; validation images set the weights.

    Args:
        backbone: fine-tuned.
        trained: its head.
        task: with validation images.
        fold_index: as for `fit`.

    Returns:
        (n_val, K) logits averaged over test-time augmentation, by heads that were fitted without the image, the record
        of the average, and the average.

    Raises:
        Stopped: on request.
    """
    images, recipe = task.images, task.recipe
    train, label = some_of_training(images, recipe.seed, IMAGES_REFITTED)
    with features_of(backbone, task, np.concatenate([train, images.val])) as (features, _):
        fitter = HeadFitter(images.n_classes, recipe, task.context)
        heads = fitter.fit_by_validation(features, label, images.val_label, fold_index)
        of_val = features[slice(len(train), len(train) + len(images.val))]
    val_logits = linear_logits(of_val, trained.weight, trained.bias)
    average = _weighted_by_loss(val_logits, heads, images.val_label)
    return _averaged(val_logits, heads.val_logits, average), average, _average_of(trained, heads.head, average)


def fit_head_on_all(
    backbone: Backbone, task: TrainingTask, test: Ints, test_label: Ints, fold_index: Ints, shrinkage: float
) -> tuple[LinearHead, float]:
    """Fit a linear probe to training, validation and test images, and return it with its temperature.

    The temperature follows from logits of heads that were fitted without the image. They also select the shrinkage if
    there are fewer images than half of the features. With more images, many validation images have selected it, and a
    comparison would take longer than everything else.

    Args:
        backbone: the network.
        task: of the training; its pixels include those of test images.
        test: positions of test images.
        test_label: (n_test,) in [0, K).
        fold_index: fold in which each image is held out, as of `HeadFitter.fit_by_folds`: of the training images, then
            the validation images, then the test images.
        shrinkage: that validation images have selected.

    Raises:
        Stopped: on request.
    """
    images, recipe = task.images, task.recipe
    label = np.concatenate([images.train_label, images.val_label, test_label])
    variation = AugmentedCopies(backbone, task).variation(ignore)  # from the cache
    with features_of(backbone, task, np.concatenate([images.train, images.val, test]), ignore) as (features, _):
        fitter = HeadFitter(images.n_classes, recipe, task.context, variation)
        compares = len(label) <= _MOST_COMPARED * features.shape[1]
        head, logits = fitter.fit_by_folds(features, label, fold_index, shrinkage, compares=compares)
    is_held_out = fold_index >= 0
    return head, calibrated_temperature(logits[is_held_out], label[is_held_out])


def refit_head_as_folds_chose(
    backbone: Backbone, trained: LinearHead, task: TrainingTask, average: RefittedHead
) -> LinearHead:
    """Return the average of the trained head with a refitted head as folds have chosen, on training images only.

    Raises:
        Stopped: on request.
    """
    train, label = some_of_training(task.images, task.recipe.seed, IMAGES_REFITTED)
    with features_of(backbone, task, train) as (features, _):
        fitter = HeadFitter(task.images.n_classes, task.recipe, task.context)
        fitted = fitter.fit(features, label, average.shrinkage)
    return _average_of(trained, fitted, average)


def _weighted_by_loss(trained: Floats, heads: HeadsByValidation, label: Ints) -> RefittedHead:
    """Return the average of the heads whose (n_val, K) logits have the lowest log loss."""
    assert heads.head.shrinkage is not None, "a fitted head has a shrinkage"
    trained_temperature, temperature = (fit_temperature(logits, label) for logits in (trained, heads.val_logits))
    averages = [
        RefittedHead(
            shrinkage=heads.head.shrinkage,
            share=share,
            temperature=temperature,
            trained_temperature=trained_temperature,
            fitted_on=heads.fitted_on,
        )
        for share in _SHARES
    ]
    return min(averages, key=lambda each: calibrated_log_loss(_averaged(trained, heads.val_logits, each), label))


def _average_of(trained: LinearHead, refitted: LinearHead, average: RefittedHead) -> LinearHead:
    weight = _averaged(trained.weight, refitted.weight, average)
    return LinearHead(weight, _averaged(trained.bias, refitted.bias, average), None)


def _averaged(trained: _Numbers, refitted: _Numbers, average: RefittedHead) -> _Numbers:
    """Average logits, weights or biases of both heads, each divided by its temperature."""
    of_trained = (1 - average.share) / average.trained_temperature
    return trained * of_trained + refitted * (average.share / average.temperature)
