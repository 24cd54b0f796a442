"""Report sections on results: all metrics with their confidence intervals, and the limitations of the run.

Metrics are also shown per fold and per domain if there are several.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.evaluation import METRICS
from coverslip.messages import Message, text
from coverslip.reports import content
from coverslip.reports.content import DomainResult, FoldResult, Measured, MetricValue
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.tables import Cell, column_titles, estimate, reason_words
from coverslip.reports.verdict import verdict_of_run
from coverslip.reports.words import (
    count,
    decision_images,
    delivered_words,
    interval_words,
    listed,
    number,
    percent,
    split_words,
    value_words,
)

Json = dict[str, Any]  # Any: JSON values


def uncertain_words(run: ReportedRun) -> str:
    """Return the effect of the `uncertain` threshold on measured images and, after cross-validation, on new images."""
    threshold, tested = run.calibration.uncertain_below, run.tested
    if tested is None:
        return ""
    decision = np.array([row.decision for row in tested.rows], dtype=object)
    is_uncertain, is_unfamiliar = decision == "uncertain", decision == "unfamiliar"
    if threshold <= 0 and not is_uncertain.any():
        return ""
    has_folds, n_uncertain = bool(run.n_folds), int(is_uncertain.sum())
    sentences = [
        text(
            "report-uncertain-threshold",
            has_folds=has_folds,
            threshold=number(threshold, 2),
            image_set=decision_images(run.calibration.calibrated_on),
        )
    ]
    if not n_uncertain:
        sentences.append(text("report-none-uncertain"))
    else:
        is_right, is_decided = tested.predicted == tested.label, ~(is_uncertain | is_unfamiliar)
        sentences.append(
            text(
                "report-uncertain",
                n_uncertain=n_uncertain,
                n_images=len(decision),
                has_decided=bool(is_decided.any()),
                of_decided=percent(float(is_right[is_decided].mean())) if is_decided.any() else "",
                of_uncertain=percent(float(is_right[is_uncertain].mean())),
            )
        )
        if n_unfamiliar := int(is_unfamiliar.sum()):
            sentences.append(text("report-neither-decided", n_images=n_unfamiliar))
    return " ".join([*sentences, *([_by_final_classifier(run)] if has_folds else [])])


def _by_final_classifier(run: ReportedRun) -> str:
    """Return which predictions the final classifier after cross-validation labels as uncertain, in words."""
    calibration = run.calibration
    if calibration.uncertain_below <= 0:
        return text("report-final-classifier-certain")
    threshold, share = number(calibration.uncertain_below, 2), percent(calibration.uncertain_share)
    return text("report-final-classifier-uncertain", threshold=threshold, share=share)


def _metrics_text(run: ReportedRun) -> SectionText:
    rows = [(metric.title, estimate(metric), metric.meaning) for metric in content.metrics(run)]
    columns = column_titles("column-metric", "column-value", "column-meaning")
    words = tuple(filter(None, [delivered_words(run), uncertain_words(run)]))
    return SectionText(words, columns, rows, columns[2:])


def _metrics_shown(run: ReportedRun) -> Json:
    metrics = content.metrics(run)
    return {
        "shares": _strips([metric for metric in metrics if metric.is_headline and _is_good_share(metric)]),
        "others": [metric for metric in metrics if metric.is_headline and not _is_good_share(metric)],
        "further": [(metric.title, estimate(metric), metric.meaning) for metric in metrics if not metric.is_headline],
        "notes": list(_notes(run)),
        "folds": _folds(run),
        "domains": _domains(run),
        "estimate": estimate,
    }


def _notes(run: ReportedRun) -> Iterator[str]:
    """Yield which classifier is measured, what the strips show, missing intervals, and uncertain predictions."""
    if words := delivered_words(run):
        yield words
    metrics = [metric for metric in content.metrics(run) if metric.is_headline]
    if methods := content.interval_methods(run):
        yield text("report-interval-methods", interval=interval_words(run.metrics), methods=methods)
    titles_of: dict[Message, list[str]] = {}
    for metric in metrics:
        if metric.low is None and metric.reason and METRICS[metric.name].has_interval:
            titles_of.setdefault(metric.reason, []).append(metric.title)
    for reason, titles in titles_of.items():
        for_some = f" ({listed(titles)})" if len(titles_of) > 1 else ""
        yield f"{reason_words(str(reason))}{for_some}"
    if words := uncertain_words(run):
        yield words


def _folds(run: ReportedRun) -> Json | None:
    """Return the rows of each fold and of their mean; None for a single split."""
    folds = content.folds(run)
    if folds is None:
        return None
    counts = column_titles("column-images", *(["column-groups"] if folds.has_groups else []))

    def row(fold: FoldResult) -> list[Cell]:
        numbers = [fold.n, fold.n_groups or 0] if folds.has_groups else [fold.n]
        return [str(fold.fold), *map(count, numbers), *map(estimate, fold.metrics)]

    return {
        "columns": (text("column-fold"), *counts, *(metric.title for metric in folds.mean)),
        "rows": [row(fold) for fold in folds.rows],
        "mean": [text("report-mean"), *("" for _ in counts), *map(estimate, folds.mean)],
        "units": counts[-1],
        "has_intervals": any(metric.low is not None for fold in folds.rows for metric in fold.metrics),
    }


def _domains(run: ReportedRun) -> Json | None:
    """Return the row of each domain; None if there is only one."""
    domains = content.domains(run)
    if not domains:
        return None
    has_groups = bool(domains[0].n_groups)
    counts = column_titles("column-images", *(["column-groups"] if has_groups else []), "column-classes")

    def row(domain: DomainResult) -> list[Cell]:
        groups = [domain.n_groups or 0] if has_groups else []
        return [domain.name, *map(count, [domain.n, *groups, domain.n_classes]), *map(estimate, domain.metrics)]

    titles = (metric.title for metric in domains[0].metrics)
    return {"columns": (text("column-domain"), *counts, *titles), "rows": [row(domain) for domain in domains]}


def _numbers_verdict(run: ReportedRun) -> str:
    """Return the primary metric with its interval, and the class with the lowest F1."""
    primary = run.metrics.metrics.get(run.metrics.primary)
    if primary is None or primary.value is None:
        return ""
    reason = f"; {primary.reason}" if primary.low is None and primary.reason else ""
    value = f"{value_words(primary)}{reason}"
    first = text("verdict-metric", metric=METRICS[run.metrics.primary].title, value=value)
    scores = [
        (f1, name) for name, each in run.metrics.per_class.items() if (f1 := each.metrics["f1"].value) is not None
    ]
    if not scores:
        return first
    f1, label = min(scores)
    lowest = text("verdict-lowest-class", label=label, f1=number(f1), n_images=run.metrics.per_class[label].n)
    return f"{first} {lowest}"


def _strips(metrics: list[MetricValue]) -> Json:
    """Return metrics from 0 to 1 for which higher is better, with the position of their interval on a common scale."""
    lows = [x for metric in metrics for x in (metric.low, metric.value) if x is not None]
    start = min(0.9, int(10 * min(lows, default=0.0)) / 10)

    def place(x: float) -> float:  # percent of the scale
        return round(100 * (x - start) / (1 - start), 2)

    def strip(metric: MetricValue) -> Json:
        at = None if metric.value is None else place(metric.value)
        if metric.low is None or metric.high is None:
            return {"metric": metric, "at": at, "left": None, "width": None}
        left_percent = place(metric.low)
        return {"metric": metric, "at": at, "left": left_percent, "width": round(place(metric.high) - left_percent, 2)}

    rows = [strip(metric) for metric in metrics]
    return {"rows": rows, "start": f"{start:g}", "middle": f"{(start + 1) / 2:g}"}


def _is_good_share(metric: Measured) -> bool:
    return (metric.better, metric.scale) == ("higher", "share")


NUMBERS = Section(
    name="numbers",
    title=lambda: text("report-title-numbers"),
    order=100,
    subtitle=lambda run: text("report-measured-on", image_set=split_words(run)),
    verdict=_numbers_verdict,
    text=_metrics_text,
    shown=_metrics_shown,
    template=Path(__file__).with_name("numbers.html"),
)


LIMITS = Section(
    name="limits",
    title=lambda: text("report-title-limits"),
    order=800,
    is_about_training=True,
    text=lambda run: SectionText([f"{each.claim} {each.meaning}" for each in verdict_of_run(run).reasons]),
    shown=lambda run: {"limits": [(each.claim, each.meaning) for each in verdict_of_run(run).reasons]},
    template=Path(__file__).with_name("limits.html"),
)
