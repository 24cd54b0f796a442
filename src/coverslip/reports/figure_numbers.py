"""The data of each figure, as the rows of a table: `figures/NAME.csv`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from coverslip.evaluation import Curve, LearningCurve, Metric, pr_curve, reliability_bins, roc_curve
from coverslip.reports.class_curves import Average
from coverslip.runs.training import Epoch

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Numbers:
    """A table; an empty cell is None."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]


def confusion(matrix: np.ndarray, classes: Sequence[str]) -> Numbers:
    """Return a row per pair of true and predicted class: number of images, and their share of the true class."""
    whole = np.maximum(matrix.sum(axis=1), 1)
    rows = [
        (true, predicted, int(matrix[i, k]), float(matrix[i, k] / whole[i]))
        for i, true in enumerate(classes)
        for k, predicted in enumerate(classes)
    ]
    return Numbers(("true", "predicted", "images", "share_of_true"), rows)


def calibration(probability: np.ndarray, label: np.ndarray, before: np.ndarray | None) -> Numbers:
    """Return the bins of predicted probability, before and after calibration."""
    stages = (("before", before), ("after", probability))
    rows = [
        (name, b.low, b.high, b.n, b.confidence, b.accuracy)
        for name, values in stages
        if values is not None
        for b in reliability_bins(values, label)
    ]
    return Numbers(("calibration", "low", "high", "images", "mean_probability", "share_right"), rows)


def roc(
    probability: np.ndarray, label: np.ndarray, classes: Sequence[str], averages: Sequence[Average] = ()
) -> Numbers:
    """Return the points of every ROC curve."""
    curves = [(name, roc_curve(probability[:, k], label == k)) for k, name in enumerate(classes)]
    return _points(curves, averages, ("false_positive_rate", "true_positive_rate"))


def precision_recall(
    probability: np.ndarray, label: np.ndarray, classes: Sequence[str], averages: Sequence[Average] = ()
) -> Numbers:
    """Return the points of every precision-recall curve."""
    curves = [(name, pr_curve(probability[:, k], label == k)) for k, name in enumerate(classes)]
    return _points(curves, averages, ("recall", "precision"))


def _points(curves: Iterable[tuple[str, Curve | None]], averages: Sequence[Average], axes: tuple[str, str]) -> Numbers:
    every = [*curves, *((average.name, average.curve) for average in averages)]
    rows = [(name, x, y) for name, curve in every if curve is not None for x, y in zip(curve.x, curve.y, strict=True)]
    return Numbers(("class", *axes), rows)


def epochs(histories: Sequence[tuple[int | None, Sequence[Epoch]]]) -> Numbers:
    """Return a row per epoch of each fold; the fold is None for a single split."""
    names = [field.name for field in fields(Epoch)]
    rows = [(fold, *(getattr(row, name) for name in names)) for fold, history in histories for row in history]
    return Numbers(("fold", *names), rows)


def learning(curve: LearningCurve) -> Numbers:
    """Return the measured points, and the expected gain of twice as many images."""
    rows = [("measured", point.n_images, *_ends(point.macro_f1)) for point in curve.points]
    rows.append(("gain of twice as many", 2 * curve.n_images, *_ends(curve.gain)))
    return Numbers(("what", "training_images", "macro_f1", "low", "high"), rows)


def leakage_estimate(names: Sequence[str], image_level: Sequence[Metric], grouped: Sequence[Metric]) -> Numbers:
    """Return the metric of each classifier for both splits."""
    splits = (("image_level", image_level), ("grouped", grouped))
    rows = [
        (name, split, *_ends(metric)) for split, metrics in splits for name, metric in zip(names, metrics, strict=True)
    ]
    return Numbers(("classifier", "split", "value", "low", "high"), rows)


def _ends(metric: Metric) -> tuple[Cell, Cell, Cell]:
    return metric.value, metric.low, metric.high
