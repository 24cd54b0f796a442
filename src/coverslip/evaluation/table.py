"""The table of metrics: what each is called, what it means, how it is computed, and how its interval is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from coverslip.evaluation import metrics
from coverslip.evaluation.calibration import confidence_bin, confidence_minus_accuracy, expected_calibration_error
from coverslip.tables import Table

Better = Literal["higher", "lower"]
Scale = Literal["share", "positive"]  # 0 to 1; from 0 without a top

N_BINS = 15  # of the expected calibration error


@dataclass(frozen=True, slots=True)
class FromCounts:
    """A metric of confusion matrices, many at once: (..., K, K), fractions too -> (...)."""

    of_counts: Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True)
class FromSums:
    """A metric of something that adds up over images, in one column or several."""

    of_images: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    """(n, K) probability, (n,) label -> (n,) what each image adds, and (n,) int to which column."""
    of_sums: Callable[[np.ndarray, np.ndarray], np.ndarray]
    """(resamples, columns) sums, (resamples,) images in each -> (resamples,)"""
    n_columns: int = 1


@dataclass(frozen=True, slots=True)
class FromWeights:
    """A metric that needs all images at once: (n, K) probability, (n,) label, (n, resamples) weight -> (resamples,)."""

    of_weights: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRecord:
    """One metric of predictions."""

    name: str
    title: str
    meaning: str  # in plain words, for pages and reports
    value: Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # of (n, K) probability, (n,) label, (n,) predicted
    bootstrap: FromCounts | FromSums | FromWeights | None = None  # how resamples have it fast; None: no interval
    better: Better = "higher"
    scale: Scale = "share"
    undefined: str = "it is not defined for these images"  # why `value` is NaN where it is
    is_headline: bool = True  # shown where there is room for a few
    is_before_calibration: bool = False  # of the probabilities before the temperature was applied
    needs_calibration: bool = False  # networks are compared by it only after calibration, which all of them get

    def as_higher_is_better(self, value: float) -> float:
        """A value as choices are made by it: turned round where lower is better; the least where it is not defined."""
        if not np.isfinite(value):
            return float("-inf")
        return value if self.better == "higher" else -value


def _counted(
    name: str, title: str, meaning: str, of_counts: Callable[[np.ndarray], np.ndarray], *, is_headline: bool = True
) -> MetricRecord:
    def value(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
        return float(of_counts(metrics.confusion_matrix(label, predicted, probability.shape[1])))

    bootstrap = FromCounts(of_counts)
    return MetricRecord(
        name=name, title=title, meaning=meaning, value=value, bootstrap=bootstrap, is_headline=is_headline
    )


def _macro_auroc(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return metrics.macro_auroc(probability, label)


def _log_loss(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return float(metrics.image_log_loss(probability, label).mean())


def _loss_of_images(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return metrics.image_log_loss(probability, label), np.zeros(len(label), dtype=int)


def _mean(sums: np.ndarray, n: np.ndarray) -> np.ndarray:
    mean: np.ndarray = sums[:, 0] / n
    return mean


def _calibration_error(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return expected_calibration_error(probability, label, n_bins=N_BINS)


def _gaps_of_images(probability: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return confidence_minus_accuracy(probability, label), confidence_bin(probability, N_BINS)


def _mean_gap(gaps: np.ndarray, n: np.ndarray) -> np.ndarray:
    mean: np.ndarray = np.abs(gaps).sum(axis=1) / n
    return mean


METRICS: Table[MetricRecord] = Table(
    "metric",
    [
        _counted("accuracy", "Accuracy", "share of images named correctly", metrics.accuracy),
        _counted(
            "balanced_accuracy", "Balanced accuracy", "the same, every class counting alike", metrics.macro_recall
        ),
        _counted("macro_f1", "Macro-F1", "precision and recall in one, every class counting alike", metrics.macro_f1),
        _counted(
            "macro_precision",
            "Macro-precision",
            "of what is called a class, how much is (PPV)",
            metrics.macro_precision,
            is_headline=False,
        ),
        _counted(
            "macro_recall",
            "Macro-recall",
            "of what is a class, how much is found (sensitivity)",
            metrics.macro_recall,
            is_headline=False,
        ),
        MetricRecord(
            name="macro_auroc",
            title="Macro-AUROC",
            meaning="how well probabilities rank a class above the others",
            value=_macro_auroc,
            bootstrap=FromWeights(metrics.weighted_macro_auroc),
            undefined="all images are of one class",
        ),
        MetricRecord(
            name="ece",
            title="Calibration error",
            meaning="mean gap between probability and share that is right",
            value=_calibration_error,
            bootstrap=FromSums(_gaps_of_images, _mean_gap, N_BINS),
            better="lower",
            needs_calibration=True,
        ),
        MetricRecord(
            name="ece_uncalibrated",
            title="… before calibration",
            meaning="the same, before the temperature was applied",
            value=_calibration_error,
            bootstrap=FromSums(_gaps_of_images, _mean_gap, N_BINS),
            better="lower",
            is_headline=False,
            is_before_calibration=True,
        ),
        MetricRecord(
            name="log_loss",
            title="Log loss",
            meaning="how far probabilities are from the truth",
            value=_log_loss,
            bootstrap=FromSums(_loss_of_images, _mean),
            better="lower",
            scale="positive",
            is_headline=False,
            needs_calibration=True,
        ),
    ],
)


def score(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray | None = None) -> dict[str, float]:
    """Every metric of calibrated probabilities, as plain floats.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.

    Returns:
        Metric name to value; NaN where it is not defined (`macro_auroc` when all images are of one class).

    Raises:
        ValueError: there are no images, the shapes disagree, or a label is outside [0, n_classes).
    """
    metrics.check_arrays(probability, label)
    if predicted is None:
        predicted = probability.argmax(axis=1)
    return {name: METRICS[name].value(probability, label, predicted) for name in scored_metrics()}


def scored_metrics() -> tuple[str, ...]:
    """Names of the metrics that one set of probabilities is enough for: what choices can be made by."""
    return tuple(name for name, record in METRICS.items() if not record.is_before_calibration)


def row_metrics(primary: str) -> tuple[str, ...]:
    """Names of those that a row for a part of the images (a fold, a domain) has room for.

    Args:
        primary: the metric that choices were made by.
    """
    return tuple(dict.fromkeys(["accuracy", "macro_f1", primary]))
