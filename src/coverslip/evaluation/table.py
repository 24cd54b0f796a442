"""The table of metrics (names, meanings, functions for values and influences), and their values with intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from coverslip.evaluation import metrics, ranking
from coverslip.evaluation.calibration import (
    calibration_line,
    expected_calibration_error,
    expected_error_of_calibrated,
)
from coverslip.evaluation.intervals import (
    Influence,
    Scale,
    Units,
    influence_on_counts,
    influence_on_mean,
    influence_on_proportion,
    metric_with_interval,
)
from coverslip.evaluation.metrics import check_arrays
from coverslip.evaluation.results import Metric
from coverslip.tables import Table

Better = Literal["higher", "lower", "near 0", "near 1"]

N_BINS = 15  # of the expected calibration error


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRecord:
    """One metric of predictions."""

    name: str
    title: str
    meaning: str  # plain text for the app and reports
    value: Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # from (n, K) probability, (n,) label, (n,) predicted
    influence: Callable[[np.ndarray, np.ndarray, np.ndarray], Influence] | None = (
        None  # same arguments; for the interval
    )
    better: Better = "higher"
    scale: Scale = "share"
    undefined: str = "it is not defined for these images"  # why `value` can be NaN
    no_interval: str = "no interval is known for it"  # reason if `influence` is None
    is_headline: bool = True  # shown if space is limited to a few metrics
    is_for_choices: bool = True  # networks may be selected by it
    is_counted: bool = False  # computed from predicted classes only, not from probabilities
    is_before_calibration: bool = False  # of probabilities before temperature scaling
    needs_calibration: bool = False  # networks are compared by it only after calibration

    @property
    def is_compared(self) -> bool:
        """Whether comparisons of two results include a difference of this metric."""
        return self.is_headline and self.is_for_choices

    def as_higher_is_better(self, value: float) -> float:
        """Return a value in which higher is better, for choices; minus infinity if it is not defined."""
        if not np.isfinite(value):
            return float("-inf")
        match self.better:
            case "higher":
                return value
            case "lower":
                return -value
            case "near 0":
                return -abs(value)
            case "near 1":
                return -abs(value - 1)


def of_margins(
    function: Callable[[metrics.Margins], np.ndarray],
) -> tuple[Callable[..., float], Callable[..., Influence]]:
    """Return `value` and `influence` of a metric of margins: (..., K) counts, also fractional, to (...) values."""

    def value(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
        counts = metrics.confusion_matrix(label, predicted, probability.shape[1])
        return float(function(metrics.margins_of(counts)))

    def influence(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
        return influence_on_counts(function, label, predicted, probability.shape[1])

    return value, influence


def of_mean(
    function: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> tuple[Callable[..., float], Callable[..., Influence]]:
    """Return `value` and `influence` of a mean over images: (n, K) probability and (n,) label to (n,) values."""

    def value(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
        return float(function(probability, label).mean())

    def influence(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
        return influence_on_mean(function(probability, label), label, probability.shape[1])

    return value, influence


def _counted(
    name: str,
    title: str,
    meaning: str,
    function: Callable[[metrics.Margins], np.ndarray],
    *,
    scale: Scale = "share",
    undefined: str = "it is not defined for these images",
    is_headline: bool = True,
) -> MetricRecord:
    value, influence = of_margins(function)
    return MetricRecord(
        name=name,
        title=title,
        meaning=meaning,
        value=value,
        influence=influence,
        scale=scale,
        undefined=undefined,
        is_headline=is_headline,
        is_counted=True,
    )


def _averaged(
    name: str, title: str, meaning: str, function: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> MetricRecord:
    value, influence = of_mean(function)
    return MetricRecord(
        name=name,
        title=title,
        meaning=meaning,
        value=value,
        influence=influence,
        better="lower",
        scale="positive",
        is_headline=False,
        needs_calibration=True,
    )


def _ranked(name: str, title: str, meaning: str, of_score: ranking.OfScore, *, is_headline: bool) -> MetricRecord:
    def value(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
        return ranking.macro_value(ranking.by_class(of_score, probability, label))

    def influence(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
        return ranking.macro_influence(ranking.by_class(of_score, probability, label), label)

    return MetricRecord(
        name=name,
        title=title,
        meaning=meaning,
        value=value,
        influence=influence,
        undefined="all images are of one class",
        is_headline=is_headline,
    )


def _micro_auroc(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return ranking.micro_auroc(probability, label).value


def _influence_on_micro_auroc(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
    return ranking.micro_influence(probability, label)


def _influence_on_accuracy(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
    return influence_on_proportion(predicted == label, np.ones(len(label), dtype=bool), label, probability.shape[1])


def _calibration_error(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return expected_calibration_error(probability, label, n_bins=N_BINS)


def _error_of_calibrated(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return expected_error_of_calibrated(probability, n_bins=N_BINS)


def _line(position: int) -> tuple[Callable[..., float], Callable[..., Influence]]:
    """Return `value` and `influence` of the calibration intercept (position 0) or slope (position 1)."""

    def value(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
        return calibration_line(probability, label)[position].value

    def influence(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
        number = calibration_line(probability, label)[position]
        return Influence(number.of_image, np.zeros(probability.shape[1]), number.value)

    return value, influence


_INTERCEPT, _SLOPE = _line(0), _line(1)
_NO_INTERVAL_OF_ECE = "a calibration error has no confidence interval"


METRICS: Table[MetricRecord] = Table(
    "metric",
    [
        MetricRecord(
            name="accuracy",
            title="Accuracy",
            meaning="share of the images that are classified correctly",
            value=of_margins(metrics.accuracy)[0],
            influence=_influence_on_accuracy,
            is_counted=True,
        ),
        _counted("balanced_accuracy", "Balanced accuracy", "mean recall over classes", metrics.macro_recall),
        _counted("macro_f1", "Macro-F1", "mean F1 over classes; F1 combines precision and recall", metrics.macro_f1),
        _counted(
            "macro_precision",
            "Macro-precision",
            "mean over classes of the share of predictions that are correct (PPV)",
            metrics.macro_precision,
            is_headline=False,
        ),
        _counted(
            "macro_recall",
            "Macro-recall",
            "mean over classes of the share of images that are recognized (sensitivity); equal to balanced accuracy",
            metrics.macro_recall,
            is_headline=False,
        ),
        _ranked(
            "macro_auroc",
            "Macro-AUROC",
            "mean area under the ROC curve over classes; 0.5 is chance",
            ranking.auroc,
            is_headline=True,
        ),
        MetricRecord(
            name="micro_auroc",
            title="Micro-AUROC",
            meaning="area under the ROC curve of all pairs of image and class; frequent classes have more weight",
            value=_micro_auroc,
            influence=_influence_on_micro_auroc,
            is_headline=False,
        ),
        _ranked(
            "average_precision",
            "Average precision",
            "mean area under the precision-recall curve over classes",
            ranking.average_precision,
            is_headline=False,
        ),
        _counted(
            "mcc",
            "Matthews correlation",
            "correlation of true and predicted classes; 0 is chance",
            metrics.mcc,
            scale="correlation",
            undefined="all images are of one class, or are predicted as one",
            is_headline=False,
        ),
        _counted(
            "kappa",
            "Cohen's kappa",
            "agreement beyond chance; 0 is chance",
            metrics.kappa,
            scale="correlation",
            undefined="all images are of one class and are predicted as it",
            is_headline=False,
        ),
        _counted(
            "one_vs_rest_accuracy",
            "One-against-rest accuracy",
            "mean over classes of 'this class or not' (AIMIC's accuracy); high wherever classes are many",
            metrics.one_vs_rest_accuracy,
            is_headline=False,
        ),
        MetricRecord(
            name="ece",
            title="Calibration error",
            meaning="mean difference between probability and accuracy; compare it with the calibration error by chance",
            value=_calibration_error,
            no_interval=_NO_INTERVAL_OF_ECE,
            better="lower",
            needs_calibration=True,
        ),
        MetricRecord(
            name="ece_expected",
            title="Calibration error by chance",
            meaning="expected calibration error of a perfectly calibrated classifier with as many images",
            value=_error_of_calibrated,
            no_interval="it is an expected value",
            better="lower",
            is_for_choices=False,
        ),
        MetricRecord(
            name="ece_uncalibrated",
            title="Calibration error before calibration",
            meaning="calibration error without temperature scaling",
            value=_calibration_error,
            no_interval=_NO_INTERVAL_OF_ECE,
            better="lower",
            is_headline=False,
            is_for_choices=False,
            is_before_calibration=True,
        ),
        MetricRecord(
            name="calibration_slope",
            title="Calibration slope",
            meaning="below 1: probabilities are too extreme; above 1: not extreme enough",
            value=_SLOPE[0],
            influence=_SLOPE[1],
            better="near 1",
            scale="real",
            undefined="the probability separates errors from correct predictions, or there are none of either",
            is_headline=False,
            is_for_choices=False,
        ),
        MetricRecord(
            name="calibration_intercept",
            title="Calibration intercept",
            meaning="below 0: probabilities are too high on average; above 0: too low",
            value=_INTERCEPT[0],
            influence=_INTERCEPT[1],
            better="near 0",
            scale="real",
            undefined="all predictions are correct, or all are errors",
            is_headline=False,
            is_for_choices=False,
        ),
        _averaged("log_loss", "Log loss", "how far probabilities are from the truth", metrics.image_log_loss),
        _averaged(
            "brier", "Brier score", "squared distance of probabilities from the truth, 0 to 2", metrics.image_brier
        ),
    ],
)


def score(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None = None,
    *,
    names: Sequence[str] | None = None,
) -> dict[str, float]:
    """Return metrics of calibrated probabilities, as plain floats.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the decided class; None takes the class of highest probability.
        names: of the metrics; None takes all `scored_metrics`.

    Returns:
        Metric name to value; NaN if it is not defined (`macro_auroc` if all images are of one class).

    Raises:
        ValueError: there are no images, the shapes disagree, or a label is outside [0, n_classes).
    """
    check_arrays(probability, label)
    if predicted is None:
        predicted = probability.argmax(axis=1)
    metric_names = scored_metrics() if names is None else names
    return {name: METRICS[name].value(probability, label, predicted) for name in metric_names}


def scored_metrics() -> tuple[str, ...]:
    """Return the names of the metrics that do not need uncalibrated probabilities."""
    return tuple(name for name, record in METRICS.items() if not record.is_before_calibration)


def metrics_for_choices() -> tuple[str, ...]:
    """Return the names of the metrics by which networks may be selected."""
    return tuple(name for name, record in METRICS.items() if record.is_for_choices)


def row_metrics(primary: str) -> tuple[str, ...]:
    """Return the names of the metrics in a table row for a fold or domain.

    Args:
        primary: metric by which choices were made.
    """
    return tuple(dict.fromkeys(["accuracy", "macro_f1", primary]))


OnMetrics = Callable[[int, int], None]  # number of finished metrics, and of all


def ignore_metrics(done: int, total: int) -> None:
    """Ignore the progress of metrics."""


def metric_intervals(
    probability: np.ndarray,
    label: np.ndarray,
    group: np.ndarray | None,
    *,
    predicted: np.ndarray | None = None,
    metrics: Sequence[str] | None = None,
    on_progress: OnMetrics = ignore_metrics,
) -> dict[str, Metric]:
    """Return each metric with an interval for the sampling error of groups, or of images without groups.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        group: (n_images,) names of groups, which are resampled as a whole. Each empty name or None is a separate group.
            None instead of an array treats images as independent. The class frequencies are random, not fixed.
        predicted: (n_images,) int, the decided class; None takes the class of highest probability.
        metrics: names out of `METRICS`; None takes all `scored_metrics`.
        on_progress: called with the number of metrics that are done.

    Returns:
        Metric name to `Metric`; `value`, `low` and `high` are None, with a reason, if they cannot be estimated.

    Raises:
        ValueError: as in `score`, or there is no such metric.
    """
    check_arrays(probability, label)
    records = [METRICS.find(name) for name in (scored_metrics() if metrics is None else metrics)]
    units = Units.of(label, group, probability.shape[1])
    if predicted is None:
        predicted = probability.argmax(axis=1)
    results = {}
    for done, record in enumerate(records, start=1):
        results[record.name] = _metric(record, probability, predicted, units)
        on_progress(done, len(records))
    return results


def _metric(record: MetricRecord, probability: np.ndarray, predicted: np.ndarray, units: Units) -> Metric:
    value = record.value(probability, units.label, predicted)
    if np.isnan(value):
        return Metric(value=None, method=units.method, reason=record.undefined)
    if record.influence is None:
        return Metric(value=value, reason=record.no_interval)
    influence = record.influence(probability, units.label, predicted)
    return metric_with_interval(value, influence, units, record.scale)
