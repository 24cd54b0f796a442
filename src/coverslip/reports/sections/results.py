"""Report sections on results: all metrics with their confidence intervals, and the limitations of the run.

Metrics are also shown per fold and per domain if there are several.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.evaluation import FEW_GROUPS_FOR_INTERVALS, FEWEST_GROUPS, METRICS
from coverslip.messages import text
from coverslip.reports import content
from coverslip.reports.content import DomainResult, FoldResult, Measured, MetricValue
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section, SectionText
from coverslip.reports.tables import Cell, column_titles, estimate, reason_words
from coverslip.reports.words import (
    count,
    decision_images,
    group_words,
    interval_words,
    listed,
    number,
    percent,
    split_words,
    unknown_labels,
)
from coverslip.runs.folder import read_test_set_accesses

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
    return SectionText(tuple(filter(None, [uncertain_words(run)])), columns, rows, columns[2:])


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
    """Yield what the strips show, why an interval is missing, and the predictions that are uncertain."""
    metrics = [metric for metric in content.metrics(run) if metric.is_headline]
    if methods := content.interval_methods(run):
        yield text("report-interval-methods", interval=interval_words(run.metrics), methods=methods)
    titles_of: dict[str, list[str]] = {}
    for metric in metrics:
        if metric.low is None and metric.reason and METRICS[metric.name].has_interval:
            titles_of.setdefault(metric.reason, []).append(metric.title)
    for reason, titles in titles_of.items():
        for_some = f" ({listed(titles)})" if len(titles_of) > 1 else ""
        yield f"{reason_words(reason)}{for_some}"
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
    text=_metrics_text,
    shown=_metrics_shown,
    template=Path(__file__).with_name("numbers.html"),
)


Limit = tuple[str, str]  # the claim, and what it means
_FEW_IMAGES, _RARE = 100, 10  # minimum number of test images in total, and per class


def limits(run: ReportedRun) -> list[Limit]:
    """Return the limitations that hold for the run, the most serious first."""
    return [*_split_limits(run), *_access_limits(run), *_size_limits(run), *_data_limits(run), *_lasting_limits(run)]


def limit(code: str, **parameters: Any) -> Limit:
    """Return the claim of a message of the catalogue, and its attribute `.meaning`."""
    return text(code, **parameters), text(f"{code}.meaning", **parameters)


def _split_limits(run: ReportedRun) -> Iterator[Limit]:
    n_units, has_folds = run.metrics.n_units, bool(run.n_folds)
    if has_folds:
        yield limit("limit-classifier-not-measured", n_folds=run.n_folds)
    if run.environment.allow_leakage:
        yield limit("limit-leakage-allowed")
    if run.labels_before:
        yield limit("limit-relabeled", n_images=len(run.labels_before))
    if run.recipe.split.run is not None and run.first_of_split is None:
        yield unknown_labels()
    if run.metrics.split == "val":
        yield limit("limit-validation-images")
    groups = group_words(run.metrics)
    if not n_units:
        yield limit("limit-no-groups")
    elif n_units < FEWEST_GROUPS:
        yield limit("limit-too-few-groups", has_folds=has_folds, groups=groups, n_needed=FEWEST_GROUPS)
    elif n_units < FEW_GROUPS_FOR_INTERVALS:
        yield limit("limit-few-groups", has_folds=has_folds, groups=groups)


def _access_limits(run: ReportedRun) -> Iterator[Limit]:
    """Return the limits of test metrics that were computed repeatedly, or compared with those of other runs."""
    accesses = read_test_set_accesses(run.run)
    if accesses.compared_with:
        yield limit("limit-compared-runs", n_others=len(accesses.compared_with), n_runs=len(accesses.compared_with) + 1)
    if accesses.decided:
        yield limit("limit-decision-after-test")
    n_computed = 1 + accesses.evaluated + accesses.decided
    if n_computed > 2:
        yield limit("limit-tested-repeatedly", n_times=n_computed)


def _size_limits(run: ReportedRun) -> Iterator[Limit]:
    n = run.metrics.n
    if n < _FEW_IMAGES:
        yield limit("limit-few-test-images", n_images=n)
    counts = {name: scores.n for name, scores in run.metrics.per_class.items()}
    if absent := [name for name, count in counts.items() if count == 0]:
        yield limit("limit-class-without-test-image", labels=listed(absent))
    present = [count for count in counts.values() if count]
    if rare := [f"{name} ({count})" for name, count in counts.items() if 0 < count < _RARE]:
        is_all = len(rare) == len(present)
        yield limit("limit-rare-classes", is_all=is_all, n_fewest=_RARE, labels=listed(rare))
    if present and max(present) >= 5 * min(present):
        yield limit("limit-class-imbalance", ratio=f"{max(present) / min(present):.0f}")


def _data_limits(run: ReportedRun) -> Iterator[Limit]:
    inspection = run.run.inspection
    if not run.initialization_is_known:
        yield limit("limit-unknown-initialization")
    if not run.domains:
        yield limit("limit-one-domain")
    else:
        of_test_images = {row.domain for row in run.used if row.split == run.metrics.split}
        tested = list(run.metrics.by_domain) or sorted(of_test_images)
        untested = [domain for domain in run.domains if domain not in tested]
        yield limit(
            "limit-training-domains", tested=listed(tested), untested=listed(untested), n_untested=len(untested)
        )
        if not _shared_classes(run):
            yield limit("limit-no-shared-class")
    if inspection is not None and not inspection.are_copies_known:
        yield limit("limit-near-duplicates")
    # Prefix of the reason for images that the recipe excludes. Nothing is wrong with those images.
    reasons = [row.reason for row in run.run.split if row.split == "excluded"]
    if n_excluded := sum(not reason.startswith("on request:") for reason in reasons):
        yield limit("limit-excluded-images", n_images=n_excluded)
    if n := run.n_excluded_by_hand:
        yield limit("limit-excluded-by-hand", n_images=n)
    for finding in inspection.findings if inspection is not None else ():
        if finding.limit:
            localized = finding.localized()
            yield localized.text, localized.limit
    if run.recipe.scaling == "per-image":
        yield limit("limit-scaled-per-image")


def _shared_classes(run: ReportedRun) -> list[str]:
    """Return the classes of more than one domain."""
    pairs = {(row.label, row.domain) for row in run.used}
    return [name for name in run.classes if sum(label == name for label, _ in pairs) > 1]


def _lasting_limits(run: ReportedRun) -> Iterator[Limit]:
    yield limit("limit-known-classes", n_classes=len(run.classes))
    yield limit("limit-class-proportions")
    yield limit("limit-unverified-labels")


LIMITS = Section(
    name="limits",
    title=lambda: text("report-title-limits"),
    order=800,
    is_about_training=True,
    text=lambda run: SectionText([f"{claim} {meaning}" for claim, meaning in limits(run)]),
    shown=lambda run: {"limits": limits(run)},
    template=Path(__file__).with_name("limits.html"),
)
