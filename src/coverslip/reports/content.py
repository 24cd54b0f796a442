"""What a report shows besides its sentences and drawings: rows of its tables, by which pages show the same."""

from typing import Any

import numpy as np

from coverslip.evaluation import METRICS, row_metrics, without_temperature
from coverslip.reports import words
from coverslip.reports.reading import Predictions, RunFolder


def facts(run: RunFolder) -> list[tuple[str, str]]:
    """The small line of figures below the headline."""
    n_images = sum(row["split"] != "left-out" for row in run.split)
    n_groups = len({row["group"] for row in run.split if row.get("group") and row["split"] != "left-out"})
    seconds = run.seconds_of_training
    shown = [
        ("images", words.count(n_images)),
        ("classes", str(len(run.classes))),
        ("groups", str(n_groups) if n_groups else "none given"),
        ("model", run.recipe.model),
    ]
    if run.collections:
        shown.insert(1, ("collections", str(len(run.collections))))
    if seconds:
        shown.append(("training", f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"))
    return shown


def metric(name: str, one: dict[str, Any]) -> dict[str, Any]:  # Any: JSON values
    """A number with its title, meaning and scale, and which end of it is good."""
    record = METRICS[name]
    return {
        "name": name,
        "title": record.title,
        "meaning": record.meaning + ("; lower is better" if record.better == "lower" else ""),
        "better": record.better,
        "scale": record.scale,
        **{key: one.get(key) for key in ("value", "low", "high", "level", "method", "reason")},
    }


def metrics(run: RunFolder) -> list[dict[str, Any]]:  # Any: JSON values
    """All numbers, in the order of the table of metrics."""
    found = run.metrics["metrics"]
    return [
        {**metric(name, found[name]), "is_primary": name == run.metrics.get("primary")}
        for name in METRICS
        if name in found
    ]


def classes(run: RunFolder) -> list[dict[str, Any]]:  # Any: JSON values
    """The numbers of each class."""
    empty = dict.fromkeys(("precision", "recall", "specificity", "f1", "auroc"))
    points = dict(zip(run.classifier.get("classes", []), run.classifier.get("operating_points") or [], strict=False))
    return [
        {
            "number": k + 1,
            "name": name,
            "n": 0,
            "reason": "",
            **empty,
            **{key: _value(number) for key, number in run.metrics["per_class"].get(name, {}).items()},
            "operating_point": points.get(name),
        }
        for k, name in enumerate(run.classes)
    ]


def _value(number: Any) -> Any:  # Any: a metric of metrics.json, a count or a reason
    return number["value"] if isinstance(number, dict) else number


def domains(run: RunFolder) -> list[dict[str, Any]]:  # Any: JSON values
    """The numbers of each collection, and how many classes it has test images of."""
    domain_of = {row["image_id"]: row.get("domain") or "" for row in run.split}
    tested = run.predictions
    own = (
        set()
        if tested is None
        else {
            (domain_of.get(image_id, ""), label)
            for image_id, label in zip(tested.image_id, tested.label.tolist(), strict=True)
        }
    )
    return [
        {
            "name": name,
            "n": one["n"],
            "n_groups": one.get("n_groups"),
            "n_classes": sum(domain == name for domain, _ in own),
            "metrics": _some(run, one["metrics"]),
        }
        for name, one in (run.metrics.get("by_domain") or {}).items()
    ]


def folds(run: RunFolder) -> dict[str, Any]:  # Any: what the template shows
    """The numbers of each fold and their mean; empty where there was one split."""
    found = run.metrics.get("folds")
    if not found:
        return {}
    rows = [{**one, "metrics": _some(run, one["metrics"])} for one in found["per_fold"]]
    return {"rows": rows, "mean": _some(run, found["mean"]), "has_groups": rows[0]["n_groups"]}


def _some(run: RunFolder, numbers: dict[str, Any]) -> list[dict[str, Any]]:  # Any: JSON values
    """The numbers that a row for each part of the images has room for."""
    return [metric(name, numbers[name]) for name in row_metrics(run.metrics["primary"])]


def decided(run: RunFolder) -> str:
    """What the threshold for `uncertain` did to the test images, in words."""
    threshold, predictions = run.calibration.get("uncertain_below"), run.predictions
    if predictions is None or not isinstance(threshold, (int, float)) or threshold <= 0:
        return ""
    is_decided = np.array([decision != "uncertain" for decision in predictions.decision])
    n_aside = int((~is_decided).sum())
    is_right = predictions.predicted == predictions.label
    below = "Each fold marks predictions as uncertain that lie below a limit set on its validation images."
    if not run.n_folds:
        below = f"Predictions below {threshold:.2f} are marked uncertain, a limit set on validation images."
    if n_aside == 0 or not is_decided.any():
        return f"{below} Among these images that was none."
    kept, aside = (words.percent(float(is_right[rows].mean())) for rows in (is_decided, ~is_decided))
    return (
        f"{below} Here that sets aside {n_aside} of {len(is_decided)} images; of the others {kept} are right, of those "
        f"set aside {aside}."
    )


def n_mistakes(run: RunFolder) -> int:
    """Measured images that were called another class than theirs."""
    return 0 if run.predictions is None else int((run.predictions.predicted != run.predictions.label).sum())


def uncalibrated(run: RunFolder, predictions: Predictions) -> np.ndarray | None:
    """(n, n_classes) probabilities before calibration; None where they are not known: folds have a temperature each."""
    temperature = run.calibration.get("temperature")
    if not isinstance(temperature, (int, float)) or temperature in (0, 1) or run.n_folds:
        return None
    return without_temperature(predictions.probability, temperature)
