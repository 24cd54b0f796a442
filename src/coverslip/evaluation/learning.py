"""What twice as many training images would bring, read off a learning curve.

Errors fall with the number of training images about as a power of it (Hestness et al. 2017, Deep Learning Scaling is
Predictable, Empirically): on logarithmic scales the curve is a line, which is drawn on to twice the images at hand.
Lines that end above zero and curves in 1 / sqrt(n) were tried beside it and came out further off
(`benchmarks/RESULTS.md`, where predictions stand beside what twice the images did bring).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.evaluation.intervals import group_codes
from coverslip.evaluation.metrics import confusion_matrix, macro_f1, margins_of
from coverslip.evaluation.results import LEVEL, Metric

METHOD = "bootstrap over {units} (Student's t), and {shape:.0%} of the gain for drawing the curve on"
_SHAPE = 0.4  # standard error, in gains, for that errors need not fall as a power of the images
_DRAWN_ON = 2.5  # how far beyond the largest size the curve is drawn for that; further is less sure
_LEAST_ERROR = 1e-3  # stands for none: less than an image in a thousand
_STEEPEST = 1.0  # exponent; errors fall no faster than the images grow
_RESAMPLES = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """The score of networks trained on so many images."""

    n_images: int  # mean of the repeats
    macro_f1: Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class LearningCurve:
    """How good classifiers are that were trained on part of the images, and where that leads."""

    n_images: int  # that the classifier was trained on, which are to be doubled
    n_groups: int | None  # that these come from; None where none are known
    points: tuple[CurvePoint, ...] = ()  # rising; empty where too little is there to say anything
    now: float | None = None  # macro-F1 by the line, at n_images
    gain: Metric  # in macro-F1, of twice as many images
    n_images_of_fold: int | None = None  # that a fold's classifier was trained on; None without folds
    over_folds: Metric | None = None  # in macro-F1, of all images over as many as a fold had


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
    """Return the learning curve, and what twice as many images would bring.

    The interval allows for the choice of images in hand (whole groups are drawn again) and for the shape of the curve.
    It is about the gain to be expected, not about the luck of the images that will come.

    Args:
        predicted: (n_passes, n_sizes, n) int; what networks trained on each number of other images said of every image.
        label: (n,) int, the true class.
        unit: (n,) what moves together: groups, else images.
        n_trained: (n_sizes,) images that these networks were trained on, rising; two sizes at least.
        n_images, n_groups: that the classifier itself was trained on.
        n_images_of_fold: that the classifiers of folds were trained on; None without folds.
        seed: start of the random draws.
    """
    from scipy.special import stdtrit

    sizes, codes = np.asarray(n_trained, dtype=np.float64), group_codes(unit)
    n_units = int(codes.max()) + 1
    score, drawn = _scores(predicted, label, codes, seed)
    t = float(stdtrit(n_units - 1, (1 + LEVEL) / 2))
    units = "images" if n_groups is None else "groups"

    def gain(fewer: int, more: int) -> Metric:
        before, after = (_on_the_line(sizes, 1 - score, n) for n in (fewer, more))
        drawn_before, drawn_after = (_on_the_line(sizes, 1 - drawn, n) for n in (fewer, more))
        value = float(before - after)
        shape = _SHAPE * max(1.0, float(np.log(more / sizes[-1]) / np.log(_DRAWN_ON)))
        reach = t * float(np.hypot(np.std(drawn_before - drawn_after), shape * value))
        return Metric(
            value=value, low=value - reach, high=value + reach, method=METHOD.format(units=units, shape=shape)
        )

    return LearningCurve(
        n_images=n_images,
        n_groups=n_groups,
        points=tuple(
            CurvePoint(n_images=round(n), macro_f1=_between(value, t * spread, f"bootstrap over {units}"))
            for n, value, spread in zip(sizes, score.tolist(), np.std(drawn, axis=0).tolist(), strict=True)
        ),
        now=float(1 - _on_the_line(sizes, 1 - score, n_images)),
        gain=gain(n_images, 2 * n_images),
        n_images_of_fold=n_images_of_fold,
        over_folds=gain(n_images_of_fold, n_images) if n_images_of_fold and n_images_of_fold != n_images else None,
    )


def no_learning_curve(n_images: int, n_groups: int | None, reason: str) -> LearningCurve:
    """Return where nothing can be said of more images, and why."""
    return LearningCurve(n_images=n_images, n_groups=n_groups, gain=Metric(value=None, reason=reason))


def _scores(predicted: np.ndarray, label: np.ndarray, codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Macro-F1 of each size, mean over passes: (n_sizes,) of all images, (resamples, n_sizes) of units drawn again."""
    from scipy.sparse import csr_array

    generator, n_units, n_classes = np.random.default_rng(seed), int(codes.max()) + 1, int(label.max()) + 1
    times = generator.multinomial(n_units, np.full(n_units, 1 / n_units), size=_RESAMPLES).astype(np.float64)
    score, drawn = np.zeros(predicted.shape[1]), np.zeros((_RESAMPLES, predicted.shape[1]))
    for one_pass in predicted:
        for size, predicted_by_size in enumerate(one_pass):
            score[size] += macro_f1(margins_of(confusion_matrix(label, predicted_by_size, n_classes))) / len(predicted)
            by_unit = csr_array(
                (np.ones(len(label)), (codes, label * n_classes + predicted_by_size)), (n_units, n_classes**2)
            )
            counts = (by_unit.T @ times.T).T.reshape(-1, n_classes, n_classes)
            drawn[:, size] += macro_f1(margins_of(counts)) / len(predicted)
    return score, drawn


def _on_the_line(sizes: np.ndarray, error: np.ndarray, n: int) -> np.ndarray:
    """Return (...) error at n training images for errors (..., n_sizes); larger sizes weigh more, being nearer."""
    weight = sizes / sizes.sum()
    x = np.log(sizes) - weight @ np.log(sizes)
    y = np.log(np.maximum(error, _LEAST_ERROR))
    exponent = np.clip(-(y @ (weight * x)) / (weight @ x**2), 0, _STEEPEST)
    at_n: np.ndarray = np.exp(y @ weight - exponent * (np.log(n) - weight @ np.log(sizes)))
    return at_n


def _between(value: float, reach: float, method: str) -> Metric:
    """Return a share with its interval."""
    return Metric(value=value, low=max(value - reach, 0.0), high=min(value + reach, 1.0), method=method)
