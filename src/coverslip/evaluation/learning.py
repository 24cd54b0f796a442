"""Learning curves, and the expected gain from twice as many training images.

The error is approximately a power of the number of training images (Hestness et al. 2017, Deep Learning Scaling is
Predictable, Empirically). On logarithmic scales, the curve is a line, which is extrapolated to twice the number of
images. Power laws with a positive limit, and curves in 1 / sqrt(n), were less accurate (`benchmarks/NOT_KEPT.md`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.documented_fields import DocumentedFields
from coverslip.evaluation.intervals import group_codes
from coverslip.evaluation.metrics import confusion_matrix, macro_f1, margins_of
from coverslip.evaluation.results import LEVEL, Metric
from coverslip.messages import Message

LEARNING_METHOD = "bootstrap over {units} (Student's t), and {shape:.0%} of the gain for drawing the curve on"
_SHAPE = 0.4  # standard error of the gain, as a share of it, since errors may not follow a power law
_EXTRAPOLATION = 2.5  # ratio to the largest size for which that holds; the error increases beyond it
_LEAST_ERROR = 1e-3  # replaces smaller errors, which have no logarithm
_STEEPEST = 1.0  # largest exponent: errors are at most inversely proportional to the number of images
_RESAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint(DocumentedFields):
    """The score of classifiers trained on a number of images."""

    n_images: int
    """For training and validation: the mean of the repeats."""
    macro_f1: Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve(DocumentedFields):
    """Scores of classifiers trained on parts of the images, and the extrapolation to more images."""

    n_images: int
    """For training and validation of the classifier."""
    n_groups: int | None  # of these images; None if no groups are known
    points: tuple[CurvePoint, ...] = ()  # by rising number of images; empty with too few images
    now: float | None = None
    """Macro-F1 on the line at n_images."""
    gain: Metric
    """In macro-F1, of twice as many images."""
    n_images_of_fold: int | None = None
    """Training images of a fold; null: no folds."""
    over_folds: Metric | None = None
    """Gain in macro-F1 of all images over a fold's."""


def extrapolate(
    predicted: np.ndarray,
    label: np.ndarray,
    unit: np.ndarray,
    n_trained: Sequence[float],
    *,
    n_images: int,
    n_groups: int | None,
    n_images_of_fold: int | None = None,
    seed: int = 0,
) -> LearningCurve:
    """Return the learning curve, and the expected gain from twice as many images.

    The interval includes the sampling error (groups are resampled as a whole) and the uncertain shape of the curve. It
    is an interval for the expected gain and does not include the sampling error of the new images.

    Args:
        predicted: (n_passes, n_sizes, n) int; classes predicted by classifiers trained on each number of other images.
        label: (n,) int, the true class.
        unit: (n,) groups, or images without groups, which are resampled as a whole.
        n_trained: (n_sizes,) training images of these classifiers, rising; at least two sizes.
        n_images, n_groups: training images and groups of the classifier itself.
        n_images_of_fold: training images of the classifiers of folds; None without folds.
        seed: of the random numbers.
    """
    from scipy.special import stdtrit

    sizes, codes = np.asarray(n_trained, dtype=np.float64), group_codes(unit)
    n_units = int(codes.max()) + 1
    score, resampled = _scores(predicted, label, codes, seed)
    t = float(stdtrit(n_units - 1, (1 + LEVEL) / 2))
    units = "images" if n_groups is None else "groups"

    def gain(fewer: int, more: int) -> Metric:
        before, after = (error_on_the_line(sizes, 1 - score, n) for n in (fewer, more))
        resampled_before, resampled_after = (error_on_the_line(sizes, 1 - resampled, n) for n in (fewer, more))
        value = float(before - after)
        shape = _SHAPE * max(1.0, float(np.log(more / sizes[-1]) / np.log(_EXTRAPOLATION)))
        reach = t * float(np.hypot(np.std(resampled_before - resampled_after), shape * value))
        return Metric(
            value=value, low=value - reach, high=value + reach, method=LEARNING_METHOD.format(units=units, shape=shape)
        )

    return LearningCurve(
        n_images=n_images,
        n_groups=n_groups,
        points=tuple(
            CurvePoint(n_images=round(n), macro_f1=_between(value, t * spread, f"bootstrap over {units}"))
            for n, value, spread in zip(sizes, score.tolist(), np.std(resampled, axis=0).tolist(), strict=True)
        ),
        now=float(1 - error_on_the_line(sizes, 1 - score, n_images)),
        gain=gain(n_images, 2 * n_images),
        n_images_of_fold=n_images_of_fold,
        over_folds=gain(n_images_of_fold, n_images) if n_images_of_fold and n_images_of_fold != n_images else None,
    )


def no_learning_curve(n_images: int, n_groups: int | None, reason: Message) -> LearningCurve:
    """Return a learning curve without points, and the reason."""
    return LearningCurve(n_images=n_images, n_groups=n_groups, gain=Metric(value=None, reason=reason))


def _scores(predicted: np.ndarray, label: np.ndarray, codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean macro-F1 of each size over passes: (n_sizes,), and (resamples, n_sizes) of resampled units."""
    from scipy.sparse import csr_array

    generator, n_units, n_classes = np.random.default_rng(seed), int(codes.max()) + 1, int(label.max()) + 1
    times = generator.multinomial(n_units, np.full(n_units, 1 / n_units), size=_RESAMPLES).astype(np.float64)
    score, resampled = np.zeros(predicted.shape[1]), np.zeros((_RESAMPLES, predicted.shape[1]))
    for one_pass in predicted:
        for size, predicted_by_size in enumerate(one_pass):
            score[size] += macro_f1(margins_of(confusion_matrix(label, predicted_by_size, n_classes))) / len(predicted)
            by_unit = csr_array(
                (np.ones(len(label)), (codes, label * n_classes + predicted_by_size)), (n_units, n_classes**2)
            )
            counts = (by_unit.T @ times.T).T.reshape(-1, n_classes, n_classes)
            resampled[:, size] += macro_f1(margins_of(counts)) / len(predicted)
    return score, resampled


def error_on_the_line(sizes: np.ndarray, error: np.ndarray, n: int) -> np.ndarray:
    """Return (...) errors on the line at n training images from (..., n_sizes); larger sizes have more weight.

    Args:
        sizes: (n_sizes,) training images, rising.
        error: (..., n_sizes) shares of wrong predictions, or 1 minus a metric.
        n: a number of training images.
    """
    weight = sizes / sizes.sum()
    x = np.log(sizes) - weight @ np.log(sizes)
    y = np.log(np.maximum(error, _LEAST_ERROR))
    exponent = np.clip(-(y @ (weight * x)) / (weight @ x**2), 0, _STEEPEST)
    at_n: np.ndarray = np.exp(y @ weight - exponent * (np.log(n) - weight @ np.log(sizes)))
    return at_n


def _between(value: float, reach: float, method: str) -> Metric:
    """Return a share with its interval, within [0, 1]."""
    return Metric(value=value, low=max(value - reach, 0.0), high=min(value + reach, 1.0), method=method)
