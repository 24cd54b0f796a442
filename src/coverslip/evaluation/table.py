"""The table of metrics (names, functions for values and influences), and their values with intervals.

The texts of a metric are in the catalogue, `messages/en/metrics.ftl`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from coverslip.evaluation import metrics
from coverslip.evaluation.calibration import (
    N_BINS,
    calibration_line,
    confidence_bin,
    confidence_minus_accuracy,
    design_effect_in_bins,
    error_above_chance,
    expected_calibration_error,
    expected_error_of_calibrated,
)
from coverslip.evaluation.intervals import (
    Scale,
    Units,
    influence_on_counts,
    influence_on_mean,
    influence_on_proportion,
    metric_with_interval,
)
from coverslip.evaluation.metrics import Influence, check_arrays
from coverslip.evaluation.results import Metric
from coverslip.messages import Message, has_entry, message, text
from coverslip.registry import Registry

Better = Literal["higher", "lower", "near 0", "near 1"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRecord:
    """One metric of predictions.

    To add a metric, add its record to `METRICS`, and its title and meaning to `metrics.ftl` in all languages. Tables,
    the report, the app and `primary_metric` then have it.
    """

    name: str
    value: Callable[[np.ndarray, np.ndarray, np.ndarray], float]  # from (n, K) probability, (n,) label, (n,) predicted
    influence: Callable[[np.ndarray, np.ndarray, np.ndarray], Influence] | None = (
        None  # same arguments; for the interval
    )
    better: Better = "higher"
    scale: Scale = "share"
    is_headline: bool = True  # shown if space is limited to a few metrics
    is_for_choices: bool = True  # networks may be selected by it
    is_counted: bool = False  # computed from predicted classes only, not from probabilities
    is_before_calibration: bool = False  # of probabilities before temperature scaling
    needs_calibration: bool = False  # networks are compared by it only after calibration
    with_interval: Callable[[np.ndarray, Units], Metric] | None = None  # in place of the interval by `influence`

    @property
    def title(self) -> str:
        """The name of the metric for users."""
        return text(self._code)

    @property
    def meaning(self) -> str:
        """The meaning of the metric, for the app and reports."""
        return text(f"{self._code}.meaning")

    @property
    def undefined(self) -> Message:
        """The reason why `value` can be NaN."""
        return self._reason("undefined")

    @property
    def no_interval(self) -> Message:
        """The reason why the metric has no interval, or why a paired difference of it has none."""
        return self._reason("no-interval")

    @property
    def has_interval(self) -> bool:
        """Whether values of the metric have an interval."""
        return self.influence is not None or self.with_interval is not None

    @property
    def _code(self) -> str:
        return f"metric-{self.name}".replace("_", "-")

    def _reason(self, name: str) -> Message:
        """Return an attribute of the metric's entry, or else the message for all metrics."""
        code = f"{self._code}.{name}"
        return message(code if has_entry(code) else f"any-metric.{name}")

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
        of_image = function(probability, label)
        # Without errors, losses hardly vary: the loss of an error is that of the next probable class.
        order = np.argsort(probability, axis=1)
        loss = function(probability, np.where(label == order[:, -1], order[:, -2], order[:, -1])) - of_image
        of_error = float(loss[loss > 0].mean() / len(label)) if (loss > 0).any() else 0.0
        return influence_on_mean(of_image, label, probability.shape[1], of_error)

    return value, influence


def _counted(
    name: str,
    function: Callable[[metrics.Margins], np.ndarray],
    *,
    scale: Scale = "share",
    is_headline: bool = True,
) -> MetricRecord:
    value, influence = of_margins(function)
    return MetricRecord(
        name=name,
        value=value,
        influence=influence,
        scale=scale,
        is_headline=is_headline,
        is_counted=True,
    )


def _averaged(name: str, function: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> MetricRecord:
    value, influence = of_mean(function)
    return MetricRecord(
        name=name,
        value=value,
        influence=influence,
        better="lower",
        scale="positive",
        is_headline=False,
        needs_calibration=True,
    )


def _ranked(name: str, of_score: metrics.OfScore, *, is_headline: bool) -> MetricRecord:
    def value(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
        return metrics.macro_value(metrics.by_class(of_score, probability, label))

    def influence(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
        return metrics.macro_influence(metrics.by_class(of_score, probability, label), label)

    return MetricRecord(
        name=name,
        value=value,
        influence=influence,
        is_headline=is_headline,
    )


def _micro_auroc(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    return metrics.micro_auroc(probability, label).value


def _influence_on_micro_auroc(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
    return metrics.micro_influence(probability, label)


def _influence_on_accuracy(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
    return influence_on_proportion(predicted == label, np.ones(len(label), dtype=bool), label, probability.shape[1])


def _excess(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
    error = np.array(expected_calibration_error(probability, label))
    return float(error_above_chance(error, expected_error_of_calibrated(probability)))


def _excess_with_interval(probability: np.ndarray, units: Units) -> Metric:
    """Return the calibration error above chance; its interval is that of the calibration error, without chance too."""
    error = expected_calibration_error(probability, units.label)
    by_chance = expected_error_of_calibrated(probability)
    if units.has_groups:
        by_chance *= design_effect_in_bins(probability, units.label, units.code) ** 0.5
    bins, gap = confidence_bin(probability), confidence_minus_accuracy(probability, units.label)
    sign = np.sign(np.bincount(bins, weights=gap, minlength=N_BINS))[bins]
    # If all predictions are correct, the errors do not vary, but the next prediction may be wrong.
    unseen = _influence_on_accuracy(probability, units.label, probability.argmax(axis=1)).unseen
    influence = Influence((sign * gap - error) / len(gap), unseen, error, of_error=1 / len(gap))
    metric = metric_with_interval(error, influence, units, "positive")  # with groups, errors are skewed
    value = float(error_above_chance(np.array(error), by_chance))
    if metric.low is None or metric.high is None:
        return replace(metric, value=value)
    low, high = error_above_chance(np.array([metric.low, min(metric.high, 1.0)]), by_chance).tolist()
    method = f"calibration error less chance, {metric.method}"
    return replace(metric, value=value, low=low, high=high, method=method)


def _line(position: int) -> tuple[Callable[..., float], Callable[..., Influence]]:
    """Return `value` and `influence` of the calibration intercept (position 0) or slope (position 1)."""

    def value(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> float:
        return calibration_line(probability, label)[position].value

    def influence(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
        number = calibration_line(probability, label)[position]
        return Influence(number.of_image, np.zeros(probability.shape[1]), number.value)

    return value, influence


_INTERCEPT, _SLOPE = _line(0), _line(1)


def _influence_on_gap(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray) -> Influence:
    top = probability.max(axis=1)
    accuracy = _influence_on_accuracy(probability, label, probability.argmax(axis=1))
    of_image = (top - top.mean()) / len(top) - accuracy.of_image
    return Influence(of_image, accuracy.unseen, float(top.mean()) - accuracy.smoothed)


def _gap_with_interval(probability: np.ndarray, units: Units) -> Metric:
    """Return the mean top probability minus accuracy; without errors, the interval covers that of accuracy."""
    predicted, top = probability.argmax(axis=1), float(probability.max(axis=1).mean())
    share = float((predicted == units.label).mean())
    gap = metric_with_interval(top - share, _influence_on_gap(probability, units.label, predicted), units, "real")
    # Without errors, the influence hardly varies and is symmetric, but accuracy can only be lower.
    accuracy = metric_with_interval(share, _influence_on_accuracy(probability, units.label, predicted), units, "share")
    if 0 < share < 1 or gap.low is None or gap.high is None or accuracy.low is None or accuracy.high is None:
        return gap
    return replace(gap, low=min(gap.low, top - accuracy.high), high=max(gap.high, top - accuracy.low))


METRICS: Registry[MetricRecord] = Registry(
    "metric",
    [
        MetricRecord(
            name="accuracy",
            value=of_margins(metrics.accuracy)[0],
            influence=_influence_on_accuracy,
            is_counted=True,
        ),
        _counted("balanced_accuracy", metrics.macro_recall),
        _counted("macro_f1", metrics.macro_f1),
        _counted("macro_precision", metrics.macro_precision, is_headline=False),
        _counted("macro_recall", metrics.macro_recall, is_headline=False),
        _ranked("macro_auroc", metrics.auroc, is_headline=True),
        MetricRecord(
            name="micro_auroc",
            value=_micro_auroc,
            influence=_influence_on_micro_auroc,
            is_headline=False,
        ),
        _ranked("average_precision", metrics.average_precision, is_headline=False),
        _counted("mcc", metrics.mcc, scale="correlation", is_headline=False),
        _counted("kappa", metrics.kappa, scale="correlation", is_headline=False),
        _counted("one_vs_rest_accuracy", metrics.one_vs_rest_accuracy, is_headline=False),
        MetricRecord(
            name="ece_excess",
            value=_excess,
            with_interval=_excess_with_interval,
            better="lower",
            scale="real",
            needs_calibration=True,
        ),
        MetricRecord(
            name="ece_excess_uncalibrated",
            value=_excess,
            with_interval=_excess_with_interval,
            better="lower",
            scale="real",
            is_headline=False,
            is_for_choices=False,
            is_before_calibration=True,
        ),
        MetricRecord(
            name="calibration_slope",
            value=_SLOPE[0],
            influence=_SLOPE[1],
            better="near 1",
            scale="real",
            is_headline=False,
            is_for_choices=False,
        ),
        MetricRecord(
            name="calibration_intercept",
            value=_INTERCEPT[0],
            influence=_INTERCEPT[1],
            better="near 0",
            scale="real",
            is_headline=False,
            is_for_choices=False,
        ),
        MetricRecord(
            name="confidence_gap",
            value=lambda probability, label, predicted: float(confidence_minus_accuracy(probability, label).mean()),
            influence=_influence_on_gap,
            with_interval=_gap_with_interval,
            better="near 0",
            scale="real",
            is_headline=False,
            is_for_choices=False,
        ),
        _averaged("log_loss", metrics.image_log_loss),
        _averaged("brier", metrics.image_brier),
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


def value_with_groups(
    name: str, probability: np.ndarray, label: np.ndarray, predicted: np.ndarray, group: np.ndarray | None
) -> float:
    """Return a metric as `metric_intervals` does, without its interval; NaN if it is not defined. Args as there."""
    record = METRICS[name]
    if record.with_interval is None or group is None:
        return record.value(probability, label, predicted)
    value = record.with_interval(probability, Units.of(label, group, probability.shape[1])).value
    return np.nan if value is None else value


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
    has_group: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
    metrics: Sequence[str] | None = None,
    on_progress: OnMetrics = ignore_metrics,
) -> dict[str, Metric]:
    """Return each metric with an interval for the sampling error of groups, or of images without groups.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        group: (n_images,) names of groups, which are resampled as a whole. Each empty name or None is a separate group.
            None instead of an array treats images as independent. The class frequencies of groups are fixed.
        has_group: (n_images,) bool, whether the name is that of a group, and not of an image that is listed several
            times; None: every name is.
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
    units = Units.of(label, group, probability.shape[1], has_group)
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
    if record.with_interval is not None:
        return record.with_interval(probability, units)
    if record.influence is None:
        return Metric(value=value, reason=record.no_interval)
    influence = record.influence(probability, units.label, predicted)
    return metric_with_interval(value, influence, units, record.scale)


# Metrics of one class against all others.


@dataclass(frozen=True, slots=True)
class ClassImages:
    """Images as those of a class and those of all others.

    Args:
        score: (n,) float, the probability of the class.
        is_class, is_predicted: (n,) bool, whether the class is the label, and whether it is predicted.
        units: units of the intervals, with the label 1 for images of the class.
    """

    score: np.ndarray
    is_class: np.ndarray
    is_predicted: np.ndarray
    units: Units

    @property
    def none_of_class(self) -> Message | None:
        """Why there is no value if no image is of the class; None if there is such an image, as below."""
        return None if self.is_class.any() else message("class-without-images")

    @property
    def none_of_others(self) -> Message | None:
        """Why there is no value if all images are of the class."""
        return message("class-of-all-images") if self.is_class.all() else None

    @property
    def none_predicted(self) -> Message | None:
        """Why there is no value if the class is never predicted."""
        return None if self.is_predicted.any() else message("class-never-predicted")

    @property
    def all_predicted(self) -> Message | None:
        """Why there is no value if the class is always predicted."""
        return message("class-always-predicted") if self.is_predicted.all() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetricRecord:
    """One metric of a class against all others.

    To add one, add its record to `CLASS_METRICS`, and its heading to `reports.ftl`.
    """

    name: str
    heading: str  # code of the heading of its column in the catalogue
    value: Callable[[ClassImages], Metric]
    macro: str | None = None  # the metric in `METRICS` that is its mean over the classes, if predictions alone give it


def _share(is_right: np.ndarray, is_counted: np.ndarray, units: Units, missing: Message | None) -> Metric:
    if missing:
        return Metric(value=None, method=units.method, reason=missing)
    influence = influence_on_proportion(is_right, is_counted, units.label, 2)
    return metric_with_interval(float(is_right[is_counted].mean()), influence, units, "share")


def _f1(images: ClassImages) -> Metric:
    is_class, is_predicted, units = images.is_class, images.is_predicted, images.units
    if missing := images.none_of_class:
        return Metric(value=None, method=units.method, reason=missing)
    influence = influence_on_counts(_f1_of_margins, is_class.astype(int), is_predicted.astype(int), 2)
    value = 2 * int((is_class & is_predicted).sum()) / int(is_class.sum() + is_predicted.sum())
    metric = metric_with_interval(value, influence, units, "share", n_units=units.n_counted(is_class | is_predicted))
    # Recall or precision may be as low or high as their own intervals say, while the other is as measured.
    recall, precision = (CLASS_METRICS[name].value(images) for name in ("recall", "precision"))
    if metric.low is None or metric.high is None or recall.low is None or precision.low is None:
        return metric
    ends = [_harmonic_mean(end, precision.value) for end in (recall.low, recall.high)]
    ends += [_harmonic_mean(recall.value, end) for end in (precision.low, precision.high)]
    return replace(metric, low=min(metric.low, *ends), high=max(metric.high, *ends))


def _harmonic_mean(first: float | None, second: float | None) -> float:
    a, b = first or 0.0, second or 0.0
    return 2 * a * b / (a + b) if a + b else 0.0


def _f1_of_margins(margins: metrics.Margins) -> np.ndarray:
    """Return the F1 of the second of two classes."""
    right, n_true, n_predicted = (each[..., 1] for each in margins)
    f1: np.ndarray = 2 * right / (n_true + n_predicted)
    return f1


def _of_ranking(images: ClassImages, of_score: metrics.OfScore, missing: Message | None) -> Metric:
    is_class, units = images.is_class, images.units
    if missing:
        return Metric(value=None, method=units.method, reason=missing)
    ranked = of_score(images.score, is_class)
    positive, negative = ranked.of_worst
    influence = Influence(
        ranked.of_image, np.array([negative, positive]) ** 2 / 2, ranked.value + (positive + negative) / 2
    )
    n_units = units.n_counted(is_class) if is_class.all() else min(map(units.n_counted, (is_class, ~is_class)))
    return metric_with_interval(ranked.value, influence, units, "share", n_units=n_units)


CLASS_METRICS: Registry[ClassMetricRecord] = Registry(
    "metric of a class",
    [
        ClassMetricRecord(
            name="precision",  # positive predictive value
            heading="column-precision",
            value=lambda of: _share(of.is_class, of.is_predicted, of.units, of.none_predicted),
            macro="macro_precision",
        ),
        ClassMetricRecord(
            name="recall",  # sensitivity
            heading="column-recall",
            value=lambda of: _share(of.is_predicted, of.is_class, of.units, of.none_of_class),
            macro="macro_recall",
        ),
        ClassMetricRecord(
            name="specificity",
            heading="column-specificity",
            value=lambda of: _share(~of.is_predicted, ~of.is_class, of.units, of.none_of_others),
        ),
        ClassMetricRecord(
            name="npv",  # negative predictive value
            heading="column-npv",
            value=lambda of: _share(~of.is_class, ~of.is_predicted, of.units, of.all_predicted),
        ),
        ClassMetricRecord(name="f1", heading="column-f1", value=_f1, macro="macro_f1"),
        ClassMetricRecord(
            name="auroc",
            heading="column-auroc",
            value=lambda of: _of_ranking(of, metrics.auroc, of.none_of_class or of.none_of_others),
        ),
        ClassMetricRecord(
            name="average_precision",
            heading="column-average-precision",
            value=lambda of: _of_ranking(of, metrics.average_precision, of.none_of_class),
        ),
    ],
)
