"""`data.json`: the inspection of the images of a run."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from coverslip.datasets import Inspection, Part, Signal
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
from coverslip.files import check_replaceable, write_json
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


MapMethod = Literal["contributions", "grad-cam", "grad-cam++", "occlusion"]
MapVerdict = Literal["passed", "failed", "not checked"]
CheckedOn = Literal["validation", "training", "explained"]


class MapCheck(BaseModel):
    """What both checks gave for one kind of map, as means over images."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: MapMethod
    similarity: float = Field(ge=0, le=1, description="To maps by random weights: size of the rank correlation.")
    changes: bool = Field(description="Maps by random weights are others: it shows what was learnt.")
    gain: float = Field(
        description="Probability that blurring an image by its map takes away, beyond blurring it from the center on."
    )
    gain_low: float = Field(description="Its lower 95 % bound.")
    beats_center: bool = Field(description="That bound is above 0.")
    passes: bool


class MapChecks(Document):
    """Both checks of the kinds of map that were tried."""

    classifier: str = Field(description="Fingerprint of what was checked: another training needs other checks.")
    checked_on: CheckedOn = Field(description="Images of the run's validation or training, or those to be explained.")
    n_images: int
    checks: tuple[MapCheck, ...]


CheckedBy = Literal["folds", "linear probes"]

_COLUMNS = ("image_id", "path", "label", "suggested", "score", "set")
_SETS: dict[Part, str] = {"train": "training", "val": "validation", "test": "test", "excluded": "excluded"}


class LabelIssue(BaseModel):
    """An image that a classifier which never saw it takes for another class."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    image_id: str
    path: str = Field(description="Below the root of its domain.")
    label: str
    suggested: str = Field(description="The class that is most probable.")
    score: float = Field(ge=0, le=1, description="1 minus the probability of its label: 1 is the most likely error.")
    split: Part


class CheckedClass(BaseModel):
    """How many images of one class are misclassified."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    n: int = Field(description="Images that could be checked.")
    n_misclassified: int | None = Field(description="Null: there are too few to tell a wrong label from a rare look.")


class LabelErrors(Document):
    """Misclassified images, most likely label errors first: the first `n_suspected` are suspected."""

    checked_by: CheckedBy = Field(
        description="folds: the networks of the run's folds; linear probes: on features of the frozen network."
    )
    classes: tuple[CheckedClass, ...]
    n_suspected: int = Field(
        description="Labels that are probably wrong: images that resemble another class as much as its own images do."
    )
    n_not_checked: int = Field(description="Images that no classifier without them could check.")
    images: tuple[LabelIssue, ...]

    def __repr__(self) -> str:
        n, of_all = len(self.images), f"{self.n_checked:,} labels"
        return f"{self.n_suspected:,} suspected label errors of {of_all}; {n:,} misclassified images"

    __str__ = __repr__  # Pydantic's prints every image

    @property
    def n_checked(self) -> int:
        """Images that were checked."""
        return sum(row.n for row in self.classes if row.n_misclassified is not None)

    def without(self, image_ids: Collection[str]) -> Self:
        """Return a copy without images whose labels were reviewed since. They are removed from the counts too."""
        n_suspected = sum(image.image_id not in image_ids for image in self.images[: self.n_suspected])
        left = tuple(image for image in self.images if image.image_id not in image_ids)
        gone = Counter(image.label for image in self.images if image.image_id in image_ids)
        classes = tuple(_without(row, gone[row.name]) for row in self.classes)
        return self.model_copy(update={"images": left, "n_suspected": n_suspected, "classes": classes})

    def renamed(self, new_ids: Mapping[str, str]) -> Self:
        """The same with other ids of the images, without those that have none."""
        there = self.without({image.image_id for image in self.images if image.image_id not in new_ids})
        renamed = (image.model_copy(update={"image_id": new_ids[image.image_id]}) for image in there.images)
        return there.model_copy(update={"images": tuple(renamed)})

    def write_csv(self, file: Path) -> None:
        """The table, whole or not at all; raises CoverslipError as `check_label_errors_file` does."""
        check_label_errors_file(file)
        rows = (
            {**image.model_dump(exclude={"split"}), "score": f"{image.score:.6f}", "set": _SETS[image.split]}
            for image in self.images
        )
        write_table(file, _COLUMNS, rows)


def _without(row: CheckedClass, n_gone: int) -> CheckedClass:
    n_misclassified = None if row.n_misclassified is None else row.n_misclassified - n_gone
    return row.model_copy(update={"n": row.n - n_gone, "n_misclassified": n_misclassified})


def check_label_errors_file(file: Path) -> None:
    """Raises CoverslipError where something else than an earlier table of label errors would be lost."""
    check_replaceable(file, ",".join(_COLUMNS[:-1]).encode())  # earlier tables have no column "set"


class SplitComparison(BaseModel):
    """The same classifier with an image-level split and with a grouped split."""

    model_config = ConfigDict(frozen=True)

    image_level: Metric
    grouped: Metric
    difference: Metric = Field(description="Image-level minus grouped.")


class LeakageEstimate(SplitComparison):
    """What an image-level split would have reported: instant classifiers, each image named by one not fitted on it."""

    metric: str
    nearest_image: SplitComparison = Field(description="The same with the label of the nearest image.")
    n_images: int
    n_units: int = Field(description="Groups and copies that the grouped split keeps together; the rest by themselves.")


class InspectionWithLeakageEstimate(Inspection):
    """An inspection for which images were shown to a network too."""

    leakage_estimate: LeakageEstimate | None = Field(
        description="None where no groups or copies are known: both splits are the same."
    )
    signal: Signal | None = Field(
        description="How well the whole image predicts the classes, and how well parts without the object do; None "
        "where there are too few images to tell."
    )


# Other fields in a file are passed over, so the one that needs more comes first.
_EITHER = Annotated[InspectionWithLeakageEstimate | Inspection, Field(union_mode="left_to_right")]
_ADAPTER: TypeAdapter[Inspection] = TypeAdapter(_EITHER)


def inspection_as_json(inspection: Inspection) -> dict[str, Any]:  # Any: JSON values
    """An inspection as a JSON object, as `inspect --json` prints it."""
    return {"format_version": FORMAT_VERSION, **inspection.model_dump(mode="json")}


def write_inspection(file: Path, inspection: Inspection) -> None:
    """Write what was found, whole or not at all."""
    write_json(file, inspection_as_json(inspection))


def inspection_of(values: Any) -> Inspection:  # Any: JSON values
    """What `inspection_as_json` gave; an `InspectionWithLeakageEstimate` where images were shown to a network.

    Raises:
        ValidationError: these values are none.
    """
    return _ADAPTER.validate_python(values)


def read_inspection(file: Path) -> Inspection:
    """What was found; an `InspectionWithLeakageEstimate` where images were shown to a network.

    Raises:
        BadRun: the file is missing, damaged, or of a newer format.
    """
    values = read_object(file)
    check_format(values.pop("format_version", FORMAT_VERSION), file)
    try:
        return inspection_of(values)
    except ValidationError as error:
        raise BadRun("damaged-run-file", file=file, reason=first_fault(error)) from error
