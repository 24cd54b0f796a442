"""Learning curves of linear probes trained on an eighth, a quarter, half and all of the images.

For each size, five probes are each tested on a held-out fifth of the training and validation images. Test images are
not used. Up to 2,000 images, this is repeated with the images in another order, which gives ten probes of each size.

The discriminant is that of `coverslip.training.linear_probe` at one shrinkage, written with the Gram matrix (Mika et
al. 1999, Fisher Discriminant Analysis with Kernels), which is computed once. Each fold then needs one Cholesky
factorization instead of an eigendecomposition over thousands of features.
"""

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.learning import LearningCurve, extrapolate, no_learning_curve
from coverslip.events import OnProgress, ignore_progress
from coverslip.messages import Message, message
from coverslip.training.linear_probe import Whitening, moments

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


def gram_matrix(features: npt.NDArray[np.float32]) -> Singles:
    """Return (n, n) products of (n, D) features, each feature standardized over all images."""
    rows, _ = standardized(features)
    gram: Singles = rows @ rows.T
    return gram


def standardized(features: npt.NDArray[np.float32]) -> tuple[Singles, npt.NDArray[np.float64]]:
    """Return standardized features and their standard deviations."""
    mean, sd = moments(features)
    return ((features - mean) / sd).astype(np.float32), sd


def gram_matrix_with_variation(
    features: npt.NDArray[np.float32],
    label: Ints,
    variation: npt.NDArray[np.float32],
    *,
    shrinkage: float,
    balanced: bool,
) -> Singles:
    """Return (n, n) products in a space where covariance within images and shrinkage together are the identity.

    In this space, a probe adds the identity instead of a shrinkage in units of the mean variance of all these images.

    Args:
        features: (n, D).
        label: (n,) int.
        variation: (R, D), as for the linear probe.
        shrinkage, balanced: as for the linear probe.
    """
    label = np.unique(label, return_inverse=True)[1]  # a sample may lack a class
    rows, sd = standardized(features)
    within = (variation / sd).astype(np.float32)
    count = np.bincount(label)
    share = np.full(len(count), 1 / len(count)) if balanced else count / len(label)
    gram: Singles = Whitening(rows, label, share, within).products(shrinkage).astype(np.float32)
    return gram


def probe_logits(
    train: Singles,
    cross: Singles,
    label: Ints,
    *,
    n_classes: int,
    n_features: int,
    shrinkage: float | None,
    balanced: bool,
) -> Singles:
    """Return (m, n_classes) logits, up to a constant for all classes; -inf for a class without training images.

    Args:
        train: (n, n) Gram matrix of the training images.
        cross: (m, n) products of other images with them.
        label: (n,) int of the training images.
        n_classes: K.
        n_features: D, that the products sum over.
        shrinkage: as for the linear probe; None if the products include it.
        balanced: as for the linear probe.
    """
    from scipy.linalg import cho_factor, cho_solve

    n, count = len(label), np.bincount(label, minlength=n_classes)
    share = (count > 0) / np.count_nonzero(count) if balanced else count / n
    mean_of = np.zeros((n, n_classes), np.float32)  # images -> class centers
    mean_of[np.arange(n), label] = 1 / count[label]
    with_centers = train @ mean_of  # (n, K): images x centers
    centers = mean_of.T @ with_centers  # (K, K)
    weight = np.sqrt(share[label] / count[label]).astype(np.float32)
    scatter = train - with_centers[:, label]
    scatter -= with_centers[:, label].T
    scatter += centers[np.ix_(label, label)]
    scatter *= weight
    scatter *= weight[:, None]
    floor = 1.0 if shrinkage is None else shrinkage * max(float(np.trace(scatter)) / n_features, 1e-12)
    scatter[np.diag_indices(n)] += np.float32(floor)
    deviation = weight[:, None] * (with_centers - centers[label])  # (n, K): weighted deviations x centers
    factor = cho_factor(scatter, lower=True, overwrite_a=True, check_finite=False)
    solved = cho_solve(factor, deviation, check_finite=False)
    by_image = weight[:, None] * solved
    cross_centers = cross @ mean_of  # (m, K)
    linear = cross_centers - cross @ by_image + cross_centers @ (count[:, None] * (mean_of.T @ by_image))
    quadratic = np.diag(centers) - np.einsum("nk,nk->k", deviation, solved)
    with np.errstate(divide="ignore"):
        logits: Singles = (linear - quadratic / 2) / floor + np.log(share)
    return logits


SHARES = (1 / 8, 1 / 4, 1 / 2, 1.0)  # of the images that are not held out
_N_FOLDS = 5  # probes of each size, which hold out each image once
_N_PASSES = 2
_MOST_FOR_TWO_PASSES = 2000  # images; with more, one pass is as stable
MOST_IMAGES = 4000  # random sample of more images, to limit the size of the Gram matrix
# With fewer, predicted gains from twice as many images had errors of half the gain (benchmarks/NOT_KEPT.md).
FEWEST_GROUPS = 20  # with a name
FEWEST_IMAGES_OF_A_CLASS = 10  # on average


def learning_curve(
    features: npt.NDArray[np.float32],
    label: Ints,
    unit: Ints,
    *,
    n_images: int,
    n_groups: int | None,
    has_name: npt.NDArray[np.bool_] | None,
    shrinkage: float,
    balanced: bool,
    variation: npt.NDArray[np.float32] | None = None,
    n_images_of_fold: int | None = None,
    seed: int = 0,
    on_progress: OnProgress = ignore_progress,
) -> LearningCurve:
    """Return the learning curve of a linear probe, and the expected gain of twice as many images.

    Args:
        features: (n, D) float32 of the training and validation images; MOST_IMAGES at most.
        label: (n,) int in [0, K).
        unit: (n,) int; groups, or images, that stay together in training and scoring.
        n_images, n_groups: number of training images and groups of the classifier; n_groups is None without groups.
        has_name: (n,) whether the group of each image has a name; None without groups. An image without a named group
            is a separate unit, which may not be another patient or slide.
        shrinkage: of the linear probe, as selected for the classifier.
        balanced: whether all classes have equal weight.
        variation: between augmented copies of an image, as for the linear probe.
        n_images_of_fold: number of training images of the classifiers of folds; None without folds.
        seed: equal seeds give equal curves.
        on_progress: called for each fitted probe.
    """
    n_classes = int(label.max()) + 1
    if reason := _insufficient_data(label, unit, n_classes, has_name):
        return no_learning_curve(n_images, n_groups, reason)
    generator = np.random.default_rng(seed)
    if variation is None:
        gram, probe_shrinkage = gram_matrix(features), shrinkage
    else:
        gram, probe_shrinkage = (
            gram_matrix_with_variation(features, label, variation, shrinkage=shrinkage, balanced=balanced),
            None,
        )
    n_passes, n_probes = _N_PASSES if len(label) <= _MOST_FOR_TWO_PASSES else 1, _N_FOLDS * len(SHARES)
    predicted, n_trained = [], []
    for n_before in range(0, n_passes * n_probes, n_probes):

        def report(done: int, _: int, before: int = n_before) -> None:
            on_progress(before + done, n_passes * n_probes)

        predicted_class, sizes = predict_by_size(
            gram,
            label,
            nested_order(label, unit, generator),
            n_features=features.shape[1],
            shrinkage=probe_shrinkage,
            balanced=balanced,
            on_progress=report,
        )
        predicted.append(predicted_class)
        n_trained.append(sizes)
    return extrapolate(
        np.array(predicted),
        label,
        unit,
        np.mean(n_trained, axis=0).tolist(),
        n_images=n_images,
        n_groups=n_groups,
        n_images_of_fold=n_images_of_fold,
        seed=seed,
    )


def predict_by_size(
    gram: Singles,
    label: Ints,
    key: npt.NDArray[np.float64],
    *,
    n_features: int,
    shrinkage: float | None,
    balanced: bool,
    on_progress: OnProgress = ignore_progress,
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Return the classes that probes of rising numbers of other images predict, and the means of these numbers.

    Args:
        gram: (n, n) products of all images.
        label: (n,) int in [0, K).
        key: (n,) as of `nested_order`.
        n_features, shrinkage, balanced: as for `probe_logits`.
        on_progress: called for each fitted probe.

    Returns:
        (len(SHARES), n) int, and (len(SHARES),) images.
    """
    predicted, n_trained = np.zeros((len(SHARES), len(label)), dtype=np.int64), []
    for fold in range(_N_FOLDS):
        order, ends = _nested_parts((key + fold / _N_FOLDS) % 1)
        train, held_out = order[: ends[-1]], order[ends[-1] :]
        products, cross = gram[np.ix_(train, train)], gram[np.ix_(held_out, train)]
        for size, end in enumerate(ends):
            logits = probe_logits(
                products[:end, :end],
                cross[:, :end],
                label[train[:end]],
                n_classes=int(label.max()) + 1,
                n_features=n_features,
                shrinkage=shrinkage,
                balanced=balanced,
            )
            predicted[size, held_out] = logits.argmax(axis=1)
            on_progress(fold * len(SHARES) + size + 1, _N_FOLDS * len(SHARES))
        n_trained.append(ends)
    return predicted, np.mean(n_trained, axis=0)


def nested_order(label: Ints, unit: Ints, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return (n,) in [0, 1), equal within a unit: the images below any share are about that share of every class.

    Units are ordered by the rarest class that they contain: those of one class are distributed evenly, in random order.
    """
    count = np.bincount(label)
    rarest = np.full(unit.max() + 1, -1)
    by_rarity = np.argsort(-count[label], kind="stable")
    rarest[unit[by_rarity]] = label[by_rarity]  # the rarest class is assigned last
    key = np.zeros(len(rarest))
    for k in range(len(count)):
        units = generator.permutation(np.flatnonzero(rarest == k))
        key[units] = (np.arange(len(units)) + generator.random(len(units))) / max(len(units), 1)
    return key[unit]


def _nested_parts(key: npt.NDArray[np.float64]) -> tuple[Ints, list[int]]:
    """Return the images in order, and the end of each size among them; those after the last end are held out."""
    order = np.argsort(key, kind="stable")
    training_share = 1 - 1 / _N_FOLDS
    ends = np.searchsorted(key[order], np.array(SHARES) * training_share)
    return order, np.maximum(ends, 2).tolist()


def _insufficient_data(
    label: Ints, unit: Ints, n_classes: int, has_name: npt.NDArray[np.bool_] | None
) -> Message | None:
    """Return the reason if there are too few images or groups for a learning curve, else None."""
    n_named = FEWEST_GROUPS if has_name is None else len(np.unique(unit[has_name]))
    if n_named < FEWEST_GROUPS:
        return message("learning-curve-few-groups", n_groups=n_named, n_needed=FEWEST_GROUPS)
    if len(label) < FEWEST_IMAGES_OF_A_CLASS * n_classes:
        return message(
            "learning-curve-few-images",
            n_images=len(label),
            n_classes=n_classes,
            n_needed=FEWEST_IMAGES_OF_A_CLASS,
        )
    return None
