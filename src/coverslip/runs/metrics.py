"""`metrics.json`, `confusion_matrix.csv` and `learning_curve.json`: what was measured, on disk."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from coverslip.errors import BadRun
from coverslip.evaluation import (
    ClassScores,
    DomainScores,
    Evaluation,
    FoldScores,
    FoldsScores,
    LearningCurve,
    Metric,
    SubgroupScores,
)
from coverslip.files import write_json
from coverslip.runs.documents import FORMAT_VERSION, Document, check_format, first_fault, read_object, write_table

Json = dict[str, Any]  # Any: JSON values

_EVALUATION = TypeAdapter(Evaluation)
_OPTIONAL = ("reason", "n_correct", "n_images", "n_groups")  # keys of a metric


class LearningCurveRecord(Document):
    """How good instant classifiers are that were trained on part of the images, and what more would bring."""

    curve: LearningCurve


def write_metrics(file: Path, evaluation: Evaluation) -> None:
    """Write what was measured, whole or not at all.

    Raises:
        ValueError: a number is NaN or infinite, where it should be None with a reason.
    """
    write_json(file, metrics_as_json(evaluation))


def write_confusion(file: Path, evaluation: Evaluation) -> None:
    """Write the confusion matrix as a table: a row for each true class, a column for each that was predicted."""
    columns = ("true class", *(f"predicted: {name}" for name in evaluation.classes))
    rows = zip(evaluation.classes, evaluation.confusion_matrix, strict=False)  # no rows: nothing could be measured
    write_table(file, columns, (dict(zip(columns, (name, *counts), strict=True)) for name, counts in rows))


def read_metrics(file: Path) -> Evaluation:
    """What was measured.

    Raises:
        BadRun: the file is missing, damaged or of a newer format.
    """
    content = read_object(file)
    try:
        check_format(content["format_version"], file)
        per_class = {name: _nested(scores) for name, scores in content["per_class"].items()}
        return _EVALUATION.validate_python({**content, "per_class": per_class})
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise BadRun("unreadable-metrics", file=file, reason=reason) from error


def metrics_as_json(evaluation: Evaluation) -> Json:
    """The content of `metrics.json`."""
    content = {
        "format_version": FORMAT_VERSION,
        "split": evaluation.split,
        "n": evaluation.n,
        "n_groups": evaluation.n_groups,
        "n_ungrouped": evaluation.n_ungrouped,
        "metrics": _metrics(evaluation.metrics),
        "primary": evaluation.primary,
        "per_class": {name: _of_class(scores) for name, scores in evaluation.per_class.items()},
        "by_domain": {name: _of_images(scores) for name, scores in evaluation.by_domain.items()},
        "confusion_matrix": [list(row) for row in evaluation.confusion_matrix],
        "classes": list(evaluation.classes),
        **({"positive_class": evaluation.positive_class} if evaluation.positive_class else {}),
    }
    if evaluation.by_column:
        content["by_column"] = {
            column: {value: _of_subgroup(scores) for value, scores in by_value.items()}
            for column, by_value in evaluation.by_column.items()
        }
    if evaluation.group_mean_accuracy is not None:
        content |= _metrics({"group_mean_accuracy": evaluation.group_mean_accuracy})
    if evaluation.over_majority_class is not None:
        content |= _metrics({"over_majority_class": evaluation.over_majority_class})
    if evaluation.of_groups is not None:
        content["of_groups"] = {**asdict(evaluation.of_groups), "metrics": _metrics(evaluation.of_groups.metrics)}
    return content if evaluation.folds is None else {**content, "folds": _of_folds(evaluation.folds)}


def _metrics(metrics: Mapping[str, Metric]) -> Json:
    """Each number; `reason` and the counts only where there are any."""
    return {
        name: {key: value for key, value in asdict(metric).items() if key not in _OPTIONAL or value is not None}
        for name, metric in metrics.items()
    }


def _of_class(scores: ClassScores) -> Json:
    return {"n": scores.n, **_metrics(scores.metrics), **({"reason": scores.reason} if scores.reason else {})}


def _nested(scores: Json) -> Json:
    """A class's numbers as `ClassScores` has them; on disk they stand beside `n`."""
    metrics = {name: metric for name, metric in scores.items() if name not in ("n", "reason")}
    return {"n": scores["n"], "metrics": metrics, "reason": scores.get("reason")}


def _of_images(scores: DomainScores | FoldScores) -> Json:
    return {"n": scores.n, "n_groups": scores.n_groups, "metrics": _metrics(scores.metrics)}


def _of_subgroup(scores: SubgroupScores) -> Json:
    return {
        "n": scores.n,
        "n_groups": scores.n_groups,
        "is_small": scores.is_small,
        "n_missing": scores.n_missing,
        "metrics": _metrics(scores.metrics),
        "gaps": _metrics(scores.gaps),
    }


def _of_folds(folds: FoldsScores) -> Json:
    return {
        "per_fold": [
            {"fold": scores.fold, "n_train": scores.n_train, **_of_images(scores)} for scores in folds.per_fold
        ],
        "mean": _metrics(folds.mean),
    }
