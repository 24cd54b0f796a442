"""All metrics with their confidence intervals; per fold and per domain where there are several."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.evaluation import METRICS
from coverslip.reports import content
from coverslip.reports.content import DomainResult, FoldResult, Measured, MetricValue
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.tables import Cell, estimate, reason_words
from coverslip.reports.words import DECISION_IMAGES, count, interval_words, listed, percent, plural, split_words

Json = dict[str, Any]  # Any: JSON values


def decided(run: ReportedRun) -> str:
    """Return what the threshold for `uncertain` does to the measured images, and after folds to new ones, in words."""
    threshold, tested = run.calibration.uncertain_below, run.tested
    if tested is None:
        return ""
    decision = np.array([row.decision for row in tested.rows], dtype=object)
    is_uncertain, is_unfamiliar = decision == "uncertain", decision == "unfamiliar"
    if threshold <= 0 and not is_uncertain.any():
        return ""
    is_decided = ~(is_uncertain | is_unfamiliar)
    below = "Each fold labels predictions as uncertain below a threshold that was set on its validation images."
    of_final = f" {_by_final_classifier(run)}" if run.n_folds else ""
    if not run.n_folds:
        chosen_on = DECISION_IMAGES[run.calibration.learnt_on]
        below = f"Predictions below {threshold:.2f} are labeled uncertain. This threshold was set on {chosen_on}."
    if not is_uncertain.any():
        return f"{below} None of these images is uncertain.{of_final}"
    is_right = tested.predicted == tested.label
    parts = {"images with a decided class": is_decided, "uncertain ones": is_uncertain}
    accuracies = [
        f"{percent(float(is_right[rows].mean()))} on the {name}" for name, rows in parts.items() if rows.any()
    ]
    text = (
        f"{below} Here {count(int(is_uncertain.sum()))} of {count(len(decision))} images are uncertain. "
        f"Accuracy is {' and '.join(accuracies)}."
    )
    if n_unfamiliar := int(is_unfamiliar.sum()):
        text += f" {plural(n_unfamiliar, 'unfamiliar image')} {'counts' if n_unfamiliar == 1 else 'count'} as neither."
    return f"{text}{of_final}"


def _by_final_classifier(run: ReportedRun) -> str:
    """Return which predictions the classifier that folds leave behind labels as uncertain, in words."""
    calibration = run.calibration
    if calibration.uncertain_below <= 0:
        return "The final classifier labels no prediction as uncertain for a low probability."
    return (
        f"The final classifier has a threshold of its own, {calibration.uncertain_below:.2f}: it labels "
        f"{percent(calibration.uncertain_share)} of the images that this threshold was set on as uncertain. "
        "Expect about this share of new images, not the share in the folds."
    )


def _text(run: ReportedRun) -> SectionText:
    rows = [(metric.title, estimate(metric), metric.meaning) for metric in content.metrics(run)]
    return SectionText(tuple(filter(None, [decided(run)])), ("metric", "value", "meaning"), rows, ("meaning",))


def _shown(run: ReportedRun) -> Json:
    metrics = content.metrics(run)
    return {
        "shares": _strips([metric for metric in metrics if metric.is_headline and _is_good_share(metric)]),
        "others": [metric for metric in metrics if metric.is_headline and not _is_good_share(metric)],
        "further": [(each.title, estimate(each), each.meaning) for each in metrics if not each.is_headline],
        "notes": list(_notes(run)),
        "folds": _folds(run),
        "domains": _domains(run),
        "estimate": estimate,
    }


def _notes(run: ReportedRun) -> Iterator[str]:
    """What the strips show, why an interval is missing, and the predictions that are uncertain."""
    metrics = [metric for metric in content.metrics(run) if metric.is_headline]
    if methods := content.interval_methods(run):
        text = f"Each value is followed by its 95% confidence interval (CI). {interval_words(run.metrics)}"
        yield f"{text} Method: {methods}."
    titles_of: dict[str, list[str]] = {}
    for metric in metrics:
        if metric.low is None and metric.reason and METRICS[metric.name].influence is not None:
            titles_of.setdefault(metric.reason, []).append(metric.title)
    for reason, titles in titles_of.items():
        for_some = f" ({listed(titles)})" if len(titles_of) > 1 else ""
        yield f"{reason_words(reason)}{for_some}"
    if text := decided(run):
        yield text


def _folds(run: ReportedRun) -> Json | None:
    """The rows of each fold and of their mean; None where there was one split."""
    folds = content.folds(run)
    if folds is None:
        return None
    counts = ("images", "groups") if folds.has_groups else ("images",)

    def row(fold: FoldResult) -> list[Cell]:
        numbers = [fold.n, fold.n_groups or 0] if folds.has_groups else [fold.n]
        return [str(fold.fold), *map(count, numbers), *map(estimate, fold.metrics)]

    return {
        "columns": ("fold", *counts, *(metric.title for metric in folds.mean)),
        "rows": [row(fold) for fold in folds.rows],
        "mean": ["mean", *("" for _ in counts), *map(estimate, folds.mean)],
        "units": counts[-1],
        "has_intervals": any(metric.low is not None for fold in folds.rows for metric in fold.metrics),
    }


def _domains(run: ReportedRun) -> Json | None:
    """The row of each domain; None where there is one."""
    domains = content.domains(run)
    if not domains:
        return None
    has_groups = bool(domains[0].n_groups)
    counts = ("images", "groups", "classes") if has_groups else ("images", "classes")

    def row(domain: DomainResult) -> list[Cell]:
        groups = [domain.n_groups or 0] if has_groups else []
        return [domain.name, *map(count, [domain.n, *groups, domain.n_classes]), *map(estimate, domain.metrics)]

    titles = (metric.title for metric in domains[0].metrics)
    return {"columns": ("domain", *counts, *titles), "rows": [row(domain) for domain in domains]}


def _strips(metrics: list[MetricValue]) -> Json:
    """The metrics between 0 and 1 where high is good, with where their interval lies on a common scale."""
    lows = [x for metric in metrics for x in (metric.low, metric.value) if x is not None]
    start = min(0.9, int(10 * min(lows, default=0.0)) / 10)

    def place(x: float) -> float:  # percent of the scale
        return round(100 * (x - start) / (1 - start), 2)

    def strip(metric: MetricValue) -> Json:
        at = None if metric.value is None else place(metric.value)
        if metric.low is None or metric.high is None:
            return {"metric": metric, "at": at, "left": None, "width": None}
        left = place(metric.low)
        return {"metric": metric, "at": at, "left": left, "width": round(place(metric.high) - left, 2)}

    rows = [strip(metric) for metric in metrics]
    return {"rows": rows, "start": f"{start:g}", "middle": f"{(start + 1) / 2:g}"}


def _is_good_share(metric: Measured) -> bool:
    return (metric.better, metric.scale) == ("higher", "share")


NUMBERS = Section(
    name="numbers",
    title="Metrics",
    order=100,
    subtitle=lambda run: f"on {split_words(run)}",
    text=_text,
    shown=_shown,
    template=Path(__file__).with_name("numbers.html"),
)
