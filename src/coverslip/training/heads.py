"""Linear heads on what a network sees: fitted, chosen by validation images, calibrated by images that are held out.

Validation images choose the shrinkage. Then the head is fitted once more, on training and validation images. Heads that
are fitted without a part of the validation images predict that part, and calibrate the last head. Where a fifth of the
images validates, the head learns from a third more images in this way.

After fine-tuning such a head is averaged with the trained one: some dozens of epochs move the features far, and
gradients leave the last layer behind. The mean of the calibrated logits is one linear layer again. What both gain
stands in benchmarks/RESULTS.md.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.augmentation import Copies
from coverslip.engines import N_CHECKED, Engine, Features, as_input, embed, fastest_engine, n_missing, run_tta, turned
from coverslip.evaluation import fit_temperature
from coverslip.events import Emit, progress_reporter
from coverslip.images import Preprocessing
from coverslip.models.networks import FeatureNetwork, Network
from coverslip.runs import IMAGES_COPIED, IMAGES_REFITTED, FittedOn, Recipe, RefittedHead, RunContext
from coverslip.training.batches import TrainingImages
from coverslip.training.linear_probe import SHRINKAGES, LinearHead, fit_linear_probe, held_out_logits
from coverslip.training.ranking import calibrated_log_loss, primary_score

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pixels = npt.NDArray[np.unsignedinteger]
DigestOf = Callable[[Sequence[int]], list[str]]  # positions -> hashes of the content of images

_Numbers = TypeVar("_Numbers", npt.NDArray[np.float32], Floats)

_SHARES = tuple(tenth / 10 for tenth in range(11))  # of the refitted head
_LOSSLESS_WEIGHT, _LIGHT_WEIGHT = 0.5, 1.0  # of the covariance within images, added to that within classes


@dataclass(frozen=True, slots=True)
class Variation:
    """The covariance of features within images, over augmented copies of each."""

    rows: npt.NDArray[np.float32]  # (R, D) whose products with each other are the covariance
    image: Ints  # (R,) that each row is of, by its place among the training images


def features_of(
    network: Network,
    images: TrainingImages,
    positions: Ints,
    digest_of: DigestOf,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
) -> AbstractContextManager[tuple[Features, Engine | None]]:
    """As `embed`: of the images at these positions of the dataset, averaged over test-time augmentation."""
    dataset_positions = positions.tolist()

    def pixels_of(places: Sequence[int]) -> npt.NDArray[np.unsignedinteger]:
        return images.pixels_of([dataset_positions[i] for i in places])

    return embed(
        FeatureNetwork(network),
        network.head.in_features,
        digest_of(dataset_positions),
        pixels_of,
        preprocessing=preprocessing.model_dump(mode="json"),
        tta=recipe.tta,
        device=context.device,
        emit=context.emit,
        stop=context.stop,
    )


class AugmentedCopies:
    """Augmented copies of training images: of at most `IMAGES_COPIED`, as the recipe's data augmentation allows.

    Args:
        network, images, digest_of, preprocessing, recipe, context: as for `fit`.
    """

    def __init__(
        self,
        network: Network,
        images: TrainingImages,
        digest_of: DigestOf,
        preprocessing: Preprocessing,
        recipe: Recipe,
        context: RunContext,
    ) -> None:
        self._network, self._images, self._context = network, images, context
        self._copies = Copies.within(dict(recipe.augment))
        digests = digest_of(images.train.tolist())
        # Whichever part of the images a fold trains on, mostly the same are chosen.
        self._chosen = np.array(sorted(range(len(digests)), key=lambda i: (digests[i], i))[:IMAGES_COPIED], np.int64)
        lossless, light = self._copies.lossless, range(self._copies.n_light)
        names = [*(f"turned {k}" for k in lossless), *(f"light {k}" for k in light)][: len(self._copies)]
        self._digests = [f"{digests[i]} {name}" for i in self._chosen for name in names]
        self._as_cached: dict[str, Any] = {  # Any: as `embed` takes them
            "preprocessing": {**preprocessing.model_dump(mode="json"), "light": self._copies.light_changes},
            "tta": 1,
            "device": context.device,
        }

    def n_missing(self) -> int:
        """Copies whose features are not in the cache."""
        network = FeatureNetwork(self._network)
        return n_missing(network, self._network.head.in_features, self._digests, **self._as_cached)

    def variation(self, emit: Emit) -> Variation | None:
        """The covariance of features within images; None if data augmentation allows no copies.

        Raises:
            Stopped: on request.
        """
        if not self._digests:
            return None
        with embed(
            FeatureNetwork(self._network),
            self._network.head.in_features,
            self._digests,
            self._pixels_of,
            **self._as_cached,
            emit=emit,
            stop=self._context.stop,
        ) as (features, _):
            of_copy = [features[slice(k, None, len(self._copies))] for k in range(len(self._copies))]
        n_lossless = len(self._copies.lossless)
        weighted = ((_LOSSLESS_WEIGHT, of_copy[:n_lossless]), (_LIGHT_WEIGHT, [of_copy[0], *of_copy[n_lossless:]]))
        rows = [np.sqrt(weight, dtype=np.float32) * _deviations(deviating) for weight, deviating in weighted]
        image = [np.tile(self._chosen, len(part) // len(self._chosen)) for part in rows]
        return Variation(np.concatenate(rows), np.concatenate(image))

    def _pixels_of(self, places: Sequence[int]) -> Pixels:
        image, copy = np.divmod(places, len(self._copies))
        distinct, which = np.unique(image, return_inverse=True)
        pixels = self._images.pixels_of(self._images.train[self._chosen[distinct]].tolist())
        return np.stack([self._copied(pixels[which[i]], copy[i], self._digests[places[i]]) for i in range(len(places))])

    def _copied(self, pixels: Pixels, copy: int, digest: str) -> Pixels:
        lossless = self._copies.lossless
        if copy >= len(lossless):
            return self._copies.with_other_light(pixels, digest)
        copied: Pixels = turned(pixels.transpose(2, 0, 1)[None], lossless[copy])[0]
        return copied.transpose(1, 2, 0)


def _deviations(of_copy: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    """The fewest rows whose products with each other are the mean covariance of (n, D) features of each copy.

    Row i belongs to image i modulo n. There are none where there is a single copy.
    """
    from scipy.linalg import helmert

    n_copies, (n, d) = len(of_copy), of_copy[0].shape
    if n_copies == 1:
        return of_copy[0][:0]
    contrasts = (helmert(n_copies) / np.sqrt(n * (n_copies - 1))).astype(np.float32)
    return np.tensordot(contrasts, np.stack(of_copy), axes=1).reshape(-1, d)


def some_of_training(images: TrainingImages, seed: int, most: int) -> tuple[Ints, Ints]:
    """Positions of training images drawn at random, with every class among them, and their labels."""
    order = np.random.default_rng(seed).permutation(len(images.train))
    first_of_class = np.unique(images.train_label[order], return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(order)), first_of_class)
    rows = np.sort(order[np.concatenate([first_of_class, rest])[:most]])
    return images.train[rows], images.train_label[rows]


def cross_fitted_logits(
    features: Features,
    label: Ints,
    fold_index: Ints,
    *,
    n_classes: int,
    balanced: bool,
    shrinkage: float,
    variation: Variation | None = None,
) -> Floats:
    """(n, K) logits of linear probes that were fitted on the images of other folds; NaN where the fold is negative.

    Args:
        features: (n, D).
        label: (n,) in [0, K), each of them somewhere.
        fold_index: (n,) in which each image is held out.
        n_classes: K.
        balanced: every class counts the same, however many images it has.
        shrinkage: of every probe.
        variation: as for `fit_linear_probe`; rows of held-out images are excluded too.
    """
    order = np.argsort(fold_index, kind="stable")
    logits = np.empty((len(label), n_classes))
    logits[order] = held_out_logits(
        features.part(order),
        label[order],
        fold_index[order],
        n_classes=n_classes,
        balanced=balanced,
        shrinkage=shrinkage,
        variation=variation.rows if variation else None,
        fold_of_variation=fold_index[variation.image] if variation else None,
    )
    return logits


def is_balanced(recipe: Recipe) -> bool:
    """Whether every class counts the same to the linear probe, however many images it has."""
    return recipe.class_weights == "balanced" or recipe.sampling not in ("all", "domains")


@dataclass(frozen=True, slots=True)
class HeadsByValidation:
    """What training and validation images together give."""

    head: LinearHead  # fitted on all of them, or on training images alone
    of_training: LinearHead  # fitted on training images alone, so that validation images may judge it
    val_logits: Floats  # (n_val, K) by heads that were not fitted on the image

    @property
    def fitted_on(self) -> FittedOn:
        """Which images the head was fitted on."""
        return "training images" if self.head is self.of_training else "training and validation images"


@dataclass(frozen=True, slots=True)
class HeadFitter:
    """Fits linear probes to K classes as the recipe says."""

    n_classes: int
    recipe: Recipe
    context: RunContext
    variation: Variation | None = None  # among augmented copies; its images are the first of those that are fitted on

    def fit(self, features: Features, label: Ints, shrinkage: float) -> LinearHead:
        """On all these images, of a given shrinkage."""
        return self._fit(features, label, features, label, [shrinkage])

    def fit_and_choose(self, features: Features, label: Ints, val: Features, val_label: Ints) -> LinearHead:
        """The one whose shrinkage is best on validation images."""
        return self._fit(features, label, val, val_label, SHRINKAGES)

    def predict_held_out(self, features: Features, label: Ints, fold_index: Ints, shrinkage: float) -> Floats:
        """(n, K) logits by heads fitted on the images of all other folds; NaN where the fold is negative."""
        balanced = is_balanced(self.recipe)
        return cross_fitted_logits(
            features,
            label,
            fold_index,
            n_classes=self.n_classes,
            balanced=balanced,
            shrinkage=shrinkage,
            variation=self.variation,
        )

    def fit_by_validation(
        self, features: Features, label: Ints, val_label: Ints, fold_index: Ints | None
    ) -> HeadsByValidation:
        """Fit on training images, choose by validation images, then fit on both.

        Args:
            features: of the training images, then the validation images.
            label, val_label: of each.
            fold_index: (n_val,) in which each validation image is held out; negative where the head of training images
                predicts it. None: validation images choose, and the head is not fitted on them.
        """
        n = len(label)
        val = features.part(slice(n, None))
        of_training = self.fit_and_choose(features.part(slice(n)), label, val, val_label)
        if fold_index is None or not len(val_label):
            return HeadsByValidation(of_training, of_training, of_training.logits(val))
        assert of_training.shrinkage is not None, "it was fitted"
        both = np.concatenate([label, val_label])
        fold_indices = np.concatenate([np.full(n, -1), fold_index])
        logits = self.predict_held_out(features, both, fold_indices, of_training.shrinkage)[n:]
        is_never_held_out = fold_index < 0
        logits[is_never_held_out] = of_training.logits(val)[is_never_held_out]
        return HeadsByValidation(self.fit(features, both, of_training.shrinkage), of_training, logits)

    def _fit(
        self, features: Features, label: Ints, val: Features, val_label: Ints, shrinkages: Sequence[float]
    ) -> LinearHead:
        tell = progress_reporter(self.context.emit, "fitting the classifier")

        def tell_unless_stopped(done: int, total: int) -> None:
            self.context.stop.check()
            tell(done, total)

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
            on_progress=tell_unless_stopped,
        )


def trained_logits(network: Network, images: TrainingImages, recipe: Recipe, device: str) -> Floats:
    """(n_val, K) validation logits averaged over test-time augmentation."""
    if not len(images.val):
        return np.zeros((0, images.n_classes))
    example = as_input(images.pixels_of(images.val[:N_CHECKED].tolist()))
    engine = fastest_engine(FeatureNetwork(network), example, device=device)
    n_at_once = 128
    features = [
        run_tta(engine, images.pixels_of(images.val[i : i + n_at_once].tolist()), recipe.tta)
        for i in range(0, len(images.val), n_at_once)
    ]
    return network.logits(np.concatenate(features))


def refit_head(
    network: Network,
    images: TrainingImages,
    fold_index: Ints | None,
    digest_of: DigestOf,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
) -> tuple[Floats, RefittedHead]:
    """Average the trained head with one that is fitted to the network's features, by what validation images choose.

    Args:
        network: fine-tuned, on the processor; its head is replaced.
        images, fold_index, digest_of, preprocessing, recipe, context: as for `fit`; there are validation images.

    Returns:
        (n_val, K) logits averaged over test-time augmentation, by heads that were not fitted on the image, and what
        was chosen.

    Raises:
        Stopped: on request.
    """
    train, label = some_of_training(images, recipe.seed, IMAGES_REFITTED)
    positions = np.concatenate([train, images.val])
    with features_of(network, images, positions, digest_of, preprocessing, recipe, context) as (features, _):
        heads = HeadFitter(images.n_classes, recipe, context).fit_by_validation(
            features, label, images.val_label, fold_index
        )
        val_logits = network.logits(features[slice(len(train), len(positions))])
    average = _weighted_by_loss(val_logits, heads, images.val_label)
    _average_into(network, heads.head, average)
    return _averaged(val_logits, heads.val_logits, average), average


def refit_head_as_chosen(
    network: Network,
    images: TrainingImages,
    digest_of: DigestOf,
    preprocessing: Preprocessing,
    recipe: Recipe,
    context: RunContext,
    chosen: RefittedHead,
) -> None:
    """The same where folds have chosen, on training images alone.

    Raises:
        Stopped: on request.
    """
    train, label = some_of_training(images, recipe.seed, IMAGES_REFITTED)
    with features_of(network, images, train, digest_of, preprocessing, recipe, context) as (features, _):
        fitted = HeadFitter(images.n_classes, recipe, context).fit(features, label, chosen.shrinkage)
    _average_into(network, fitted, chosen)


def _weighted_by_loss(trained: Floats, heads: HeadsByValidation, label: Ints) -> RefittedHead:
    """The average of heads whose (n_val, K) logits have the lowest log loss."""
    assert heads.head.shrinkage is not None, "it was fitted"
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


def _average_into(network: Network, refitted: LinearHead, how: RefittedHead) -> None:
    trained = (tensor.detach().numpy() for tensor in (network.head.weight, network.head.bias))
    weight, bias = map(partial(_averaged, how=how), trained, (refitted.weight, refitted.bias))
    network.set_head(weight, bias)


def _averaged(trained: _Numbers, refitted: _Numbers, how: RefittedHead) -> _Numbers:
    """Logits, weights or biases of both heads, each divided by its temperature."""
    return trained * ((1 - how.share) / how.trained_temperature) + refitted * (how.share / how.temperature)
