"""Metrics of a run as rows, and cells with their intervals, shared by the report and the app's pages."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field
from pydantic.config import JsonDict

from coverslip.evaluation.calibration import without_temperature
from coverslip.evaluation.intervals import Scale
from coverslip.evaluation.results import ClassScores, Evaluation, Metric, values_by_field
from coverslip.evaluation.table import METRICS, Better
from coverslip.messages import ENGLISH, language, text
from coverslip.reports.reported import ReportedRun, count, few_images, listed, number, signed, spanned


def _describe_metrics(schema: JsonDict) -> None:
    schema["description"] = "; ".join(f"`{name}`: {record.meaning}" for name, record in METRICS.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricValue(Metric):
    """The value of a metric on all measured images of a run, with its title and meaning."""

    name: Annotated[str, Field(json_schema_extra=_describe_metrics)]
    title: str
    meaning: str
    better: Better
    scale: Scale
    """`share`: from 0 to 1; `positive`: 0 or larger, without an upper limit."""
    is_primary: bool
    """Whether training and model selection used this metric."""
    is_headline: bool
    """Whether the metric is shown first, before the further metrics."""
    is_bound: bool
    """Whether only the upper end of the interval is shown: that of a calibration error above chance contains 0, so the
    value is mostly noise, and on average below the true error."""


def facts(run: ReportedRun) -> list[tuple[str, str]]:
    """Return the titles and values of the line below the headline."""
    seconds, is_own = run.seconds_of_training, run.evaluation is None
    n_groups = run.n_groups if is_own else run.metrics.n_groups
    n_ungrouped = run.n_ungrouped if is_own else run.metrics.n_ungrouped
    rows = [
        (text("report-fact-images", is_own=is_own), count(len(run.used) if is_own else run.metrics.n)),
        (text("column-classes"), str(len(run.classes))),
        (text("report-fact-groups", is_own=is_own), str(n_groups) if n_groups else text("report-no-groups-given")),
        *([(text("report-ungrouped"), count(n_ungrouped))] if n_ungrouped else []),
        (text("report-network"), run.recipe.model),
        *([(text("report-classifier"), _stage(run))] if is_own else []),
    ]
    if run.domains and is_own:
        rows.insert(1, (text("report-domains"), str(len(run.domains))))
    if seconds and is_own:
        rows.append((text("report-training-time"), f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"))
    return rows


def _stage(run: ReportedRun) -> str:
    """Return the stage of the training whose classifier is used."""
    training = run.training
    stage = None if training is None else training.finetune
    if training is None or stage is None or training.chosen == "instant":
        return text("report-is-instant", has_finetuning=stage is not None and stage.epochs_run > 0)
    return text("report-is-finetuned", epoch=stage.selected_epoch, n_epochs=stage.epochs_run)


# Metrics of a single probability: that of the second class if there are two classes, otherwise that of the predicted
# class. See evaluation/decisions.py.
_BY_ONE_PROBABILITY = ("calibration_slope", "calibration_intercept")
_ABOVE_CHANCE = ("ece_excess", "ece_excess_uncalibrated")


def metrics(evaluation: Evaluation) -> list[MetricValue]:
    """Return all metrics that are shown, in the order of the table of metrics."""
    return [metric_of(evaluation, name) for name in METRICS if name in evaluation.metrics]


# Beginnings of `Metric.method`, in English as in metrics.json, with the codes of their names in the reader's language.
_METHODS = {
    "calibration error less chance": "chance",
    "infinitesimal jackknife over images": "jackknife-images",
    "infinitesimal jackknife over groups": "jackknife-groups",
    "exact binomial": "binomial",
    "corrected resampled t": "folds",
}


def interval_methods(run: ReportedRun, *, has_details: bool = True) -> str:
    """Return how the confidence intervals of the headline metrics were computed; empty if no metric has an interval.

    The most frequent method comes first. Other methods are followed by the titles of their metrics: for example, a
    value of exactly 1 has an exact binomial interval. Details, which are stored in English, are left out elsewhere.
    """
    titles_of: dict[str, list[str]] = {}
    for metric in metrics(run.metrics):
        if metric.is_headline and metric.low is not None:
            code = next((code for beginning, code in _METHODS.items() if metric.method.startswith(beginning)), None)
            is_stored = code is None or (has_details and language() == ENGLISH)
            method = metric.method if is_stored else text("interval-method", method=code)
            titles_of.setdefault(method, []).append(in_sentence(metric.title))
    methods = sorted(titles_of, key=lambda method: -len(titles_of[method]))
    return "; ".join(
        text("report-interval-method", method=method, metrics=listed(titles_of[method])) if place else method
        for place, method in enumerate(methods)
    )


def in_sentence(title: str) -> str:
    """Return the title of a metric as it is written within a sentence of the current language."""
    return title if language() != ENGLISH or title[:2].isupper() else title[:1].lower() + title[1:]


def metric_of(evaluation: Evaluation, name: str) -> MetricValue:
    """Return a metric of an evaluation as it is shown."""
    metric = evaluation[name]
    record, is_primary = METRICS[name], name == evaluation.primary
    meaning = text("lower-is-better", meaning=record.meaning) if record.better == "lower" else record.meaning
    if name in _BY_ONE_PROBABILITY:
        is_of_two = len(evaluation.classes) == 2
        label = evaluation.classes[1] if is_of_two else ""
        meaning = text("report-of-one-probability", is_of_two=is_of_two, label=label, meaning=meaning)
    return MetricValue(
        **values_by_field(metric),
        name=name,
        title=record.title,
        meaning=meaning,
        better=record.better,
        scale=record.scale,
        is_primary=is_primary,
        is_headline=record.is_headline or is_primary,
        is_bound=is_bound(name, metric.low),
    )


def is_bound(name: str, low: float | None) -> bool:
    """Return whether only the upper end of the interval of a metric is shown, by its lower end."""
    return name in _ABOVE_CHANCE and low is not None and low <= 0


def class_values(evaluation: Evaluation, metric: str) -> list[float | None]:
    """Return a metric of each class; None where it is not defined."""
    no_scores = ClassScores(n=0, metrics={})
    scores = [evaluation.per_class.get(name, no_scores).metrics for name in evaluation.classes]
    return [of_class[metric].value if metric in of_class else None for of_class in scores]


def uncalibrated(run: ReportedRun) -> np.ndarray | None:
    """Return (n, n_classes) probabilities before calibration.

    None if they are not available, as after cross-validation, in which each fold has its temperature.
    """
    # An evaluation of other images is of the delivered classifier, with its own temperature.
    card = run.run.tested_card if run.evaluation is None else run.run.card
    temperature = run.calibration.temperature if card is None else card.temperature
    if run.tested is None or temperature in (0, 1) or run.n_folds:
        return None
    return without_temperature(run.tested.probability, temperature)


# Cells of tables with a value and its confidence interval, and why values are missing.


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its confidence interval (CI), as one cell of a table."""

    value: str
    interval: str = ""
    counts: str = ""  # instead of the interval: the counts of a proportion, or that there are too few images
    reason: str = ""  # why there is no interval, or no value
    is_strong: bool = False
    number: float | None = None  # the value, not rounded
    low: float | None = None  # ends of the interval
    high: float | None = None
    n_correct: int | None = None  # of `n_images`, if it is a proportion of images
    n_images: int | None = None

    def __str__(self) -> str:
        return f"{self.value} ({self.below})" if self.below else self.value

    @property
    def below(self) -> str:
        """Text below the value: the interval or the counts."""
        return self.interval or self.counts


Cell = str | int | Estimate


def shown(cell: Cell) -> str:
    """Return a cell as text in one line."""
    return count(cell) if isinstance(cell, int) else str(cell)


def estimate(
    metric: Metric, *, is_signed: bool = False, is_strong: bool = False, digits: int | None = None
) -> Estimate:
    """Return the cell of a metric.

    Args:
        metric: a value with or without an interval; its `reason` explains a missing one.
        is_signed: whether it is a difference, whose sign is always shown.
        is_strong: whether the cell is emphasized.
        digits: after the decimal point; None: those that the width of the interval allows.
    """

    n_digits = metric.digits if digits is None else digits

    def rounded(value: float | None) -> str:
        return signed(value, n_digits) if is_signed else number(value, n_digits)

    value, low, high, n_correct, n_images = metric.value, metric.low, metric.high, metric.n_correct, metric.n_images
    interval = counts = ""
    if isinstance(metric, MetricValue) and metric.is_bound:
        return upper_end(metric, n_digits)
    if value is not None and metric.is_useless and not is_signed:
        counts = few_images(metric)
    elif value is not None and low is not None and high is not None:
        interval = spanned(low, high, rounded)
    elif value is not None and n_correct is not None and n_images is not None:
        counts = text("report-counts", n_correct=n_correct, n_images=n_images)
    reason = "" if low is not None else str(metric.reason or "")
    return Estimate(rounded(value), interval, counts, reason, is_strong, value, low, high, n_correct, n_images)


def upper_end(metric: Metric, digits: int) -> Estimate:
    """Return the cell of a metric of which only the upper end of the interval is shown, rounded up."""
    high = metric.high and math.ceil(round(metric.high * 10**digits, 6)) / 10**digits
    return Estimate(f"≤\N{NO-BREAK SPACE}{number(high, digits)}", low=metric.low, high=metric.high)


def column_titles(*codes: str) -> tuple[str, ...]:
    """Return the titles of columns from the message catalogue."""
    return tuple(map(text, codes))


def below_values(rows: Iterable[Sequence[Cell]]) -> str:
    """Return a sentence that explains the text below the values of a table; empty if there is none."""
    cells = [cell for row in rows for cell in row if isinstance(cell, Estimate)]
    if any(cell.interval for cell in cells):
        return text("report-values-with-interval")
    return text("report-shares-with-count") if any(cell.counts for cell in cells) else ""


def reasons(rows: Iterable[Sequence[Cell]]) -> dict[str, str]:
    """Return a sentence per reason for a missing confidence interval or value."""
    cells = [cell for row in rows for cell in row if isinstance(cell, Estimate) and cell.reason]
    has_value = dict.fromkeys((cell.reason for cell in cells), True)
    for cell in cells:
        has_value[cell.reason] &= cell.value != number(None)
    return {reason: reason_words(reason, has_value=is_value_present) for reason, is_value_present in has_value.items()}


def reason_words(reason: str, *, has_value: bool = True) -> str:
    """Return why a value, or only its confidence interval, is missing as a sentence."""
    cleaned = reason.removesuffix(": no interval").replace(": ", "; ").rstrip(".")
    return text("report-missing-value", has_value=has_value, reason=cleaned)
