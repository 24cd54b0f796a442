"""Numbers of a run as rows, by which the report and the app's pages show the same."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from coverslip.evaluation import METRICS, Metric, row_metrics, without_temperature
from coverslip.reports.reading import ReportedRun
from coverslip.reports.words import count

Json = dict[str, Any]  # Any: JSON values


def facts(run: ReportedRun) -> list[tuple[str, str]]:
    """The small line of figures below the headline."""
    seconds = run.seconds_of_training
    shown = [
        ("images", count(len(run.used))),
        ("classes", str(len(run.classes))),
        ("groups", str(run.n_groups) if run.n_groups else "none given"),
        ("model", run.recipe.model),
    ]
    if run.collections:
        shown.insert(1, ("collections", str(len(run.collections))))
    if seconds:
        shown.append(("training", f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"))
    return shown


def metric(name: str, metric: Metric) -> Json:
    """A number with its title, meaning and scale, and which end of it is good."""
    record = METRICS[name]
    return {
        "name": name,
        "title": record.title,
        "meaning": record.meaning + ("; lower is better" if record.better == "lower" else ""),
        "better": record.better,
        "scale": record.scale,
        **{key: getattr(metric, key) for key in ("value", "low", "high", "level", "method", "reason")},
    }


def metrics(run: ReportedRun) -> list[Json]:
    """All numbers, in the order of the table of metrics."""
    return [
        {**metric(name, run.metrics[name]), "is_primary": name == run.metrics.primary}
        for name in METRICS
        if name in run.metrics.metrics
    ]


def classes(run: ReportedRun) -> list[Json]:
    """The numbers of each class."""
    card = run.run.card
    points = {} if card is None else dict(zip(card.classes, card.operating_points or (), strict=False))
    return [
        {"number": k + 1, "name": name, **_class_numbers(run, name), "operating_point": points.get(name)}
        for k, name in enumerate(run.classes)
    ]


def _class_numbers(run: ReportedRun, name: str) -> Json:
    empty: Json = dict.fromkeys(("precision", "recall", "specificity", "f1", "auroc"))
    scores = run.metrics.per_class.get(name)
    if scores is None:
        return {"n": 0, "reason": "", **empty}
    values = {key: number.value for key, number in scores.metrics.items()}
    return {"n": scores.n, "reason": scores.reason or "", **empty, **values}


def domains(run: ReportedRun) -> list[Json]:
    """The numbers of each collection, and how many classes it has test images of."""
    domain_of = {row.image_id: row.domain for row in run.run.split}
    tested = () if run.tested is None else run.tested.rows
    own = {(domain_of.get(row.image_id, ""), row.label) for row in tested}
    return [
        {
            "name": name,
            "n": scores.n,
            "n_groups": scores.n_groups,
            "n_classes": sum(domain == name for domain, _ in own),
            "metrics": _some(run, scores.metrics),
        }
        for name, scores in run.metrics.by_domain.items()
    ]


def folds(run: ReportedRun) -> Json:
    """The numbers of each fold and their mean; empty where there was one split."""
    scores = run.metrics.folds
    if scores is None:
        return {}
    rows = [
        {"fold": fold.fold, "n": fold.n, "n_groups": fold.n_groups, "metrics": _some(run, fold.metrics)}
        for fold in scores.per_fold
    ]
    return {"rows": rows, "mean": _some(run, scores.mean), "has_groups": rows[0]["n_groups"]}


def _some(run: ReportedRun, numbers: Mapping[str, Metric]) -> list[Json]:
    """The numbers that a row for each part of the images has room for."""
    return [metric(name, numbers[name]) for name in row_metrics(run.metrics.primary)]


def uncalibrated(run: ReportedRun) -> np.ndarray | None:
    """(n, n_classes) probabilities before calibration; None where they are not known: folds have a temperature each."""
    temperature = run.calibration.temperature
    if run.tested is None or temperature in (0, 1) or run.n_folds:
        return None
    return without_temperature(run.tested.probability, temperature)


def calibration_errors(run: ReportedRun) -> dict[str, float | None]:
    """Mean gap between probability and share that is right, after and before calibration."""
    names = ("ece", "ece_uncalibrated")
    return {name: run.metrics[name].value if name in run.metrics.metrics else None for name in names}
