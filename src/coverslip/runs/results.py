"""Results of a run: metrics, learning curve, checks of maps, label errors, inspection and test set accesses."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from coverslip.datasets.index.records import Part
from coverslip.datasets.quality.inspecting import Inspection
from coverslip.datasets.quality.scanning import Signal
from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadRun
from coverslip.evaluation.learning import LearningCurve
from coverslip.evaluation.results import (
    ClassScores,
    DomainScores,
    Evaluation,
    FoldScores,
    FoldsScores,
    Metric,
    SubgroupScores,
)
from coverslip.files import check_replaceable, resolved_path, stated_paths, write_json
from coverslip.notebooks import html_table
from coverslip.runs.classifier import EVIDENCE, METRICS, result_bytes
from coverslip.runs.documents import (
    FORMAT_VERSION,
    Document,
    Record,
    first_fault,
    object_of,
    read_object,
    write_table,
)

Json = dict[str, Any]  # Any: JSON values
_EVALUATION = TypeAdapter(Evaluation)
_OPTIONAL = ("reason", "n_correct", "n_images", "n_groups")  # keys of a metric


class LearningCurveRecord(Document):
    """`learning_curve.json`: metrics of instant classifiers trained on part of the images, and the expected gain."""

    curve: LearningCurve


def write_metrics(file: Path, evaluation: Evaluation) -> None:
    """Write `metrics.json`, completely or not at all.

    Raises:
        ValueError: a number is NaN or infinite instead of None with a reason.
    """
    write_json(file, metrics_as_json(evaluation))


def write_confusion(file: Path, evaluation: Evaluation) -> None:
    """Write the confusion matrix as a table with a row per true class and a column per predicted class."""
    columns = ("true class", *(f"predicted: {name}" for name in evaluation.classes))
    # The matrix has no rows if no image could be evaluated.
    rows = zip(evaluation.classes, evaluation.confusion_matrix, strict=False)
    write_table(file, columns, (dict(zip(columns, (name, *counts), strict=True)) for name, counts in rows))


def read_metrics(file: Path) -> Evaluation:
    """Read `metrics.json`.

    Raises:
        BadRun: the file is missing, damaged or of a newer format.
    """
    return _evaluation_of(read_object(file), file)


def metrics_of_classifier(path: Path) -> Evaluation | None:
    """Return the metrics on test images of a run or a `.coverslip` file; None if there are none, or they are damaged.

    Args:
        path: a run folder, its `classifier/`, or a `.coverslip` file.
    """
    data = result_bytes(path, METRICS)
    try:
        return None if data is None else _evaluation_of(object_of(data, path), path)
    except BadRun:
        return None


class StoredReason(Record):
    """A reason of the verdict, by a rule on runs."""

    code: str
    severity: Literal["no", "unknown", "care"]
    parameters: dict[str, JsonValue]
    """Of the texts of the rule, in English."""


class Evidence(Document):
    """`evidence.json`: the verdict on a classifier, and its reasons besides metrics, such as failed external tests."""

    use: Literal["yes", "care", "unknown", "no"] | None = None
    headline: str = ""
    """The verdict when the report was written, in English."""
    reasons: tuple[StoredReason, ...] = ()


def evidence_of_classifier(path: Path) -> Evidence:
    """Return the evidence in a `.coverslip` file; empty if there is none, or it is damaged."""
    data = result_bytes(path, EVIDENCE)
    try:
        return Evidence() if data is None else Evidence.model_validate(object_of(data, path))
    except (BadRun, ValidationError):
        return Evidence()


class BorderProbe(Record):
    """How well the border of the images alone predicts a class, on held-out images."""

    label: str
    recall: Metric
    specificity: Metric


class TrainingChecks(Document):
    """`checks.json`: checks of the training and validation images by their features and borders."""

    wrong_labels: Metric
    """Share of labels of another class among the images that are clearest by their features."""
    border: tuple[BorderProbe, ...]


def _evaluation_of(content: Json, file: Path) -> Evaluation:
    try:
        per_class = {name: _nested(scores) for name, scores in content["per_class"].items()}
        return _EVALUATION.validate_python({**content, "per_class": per_class})
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        reason = first_fault(error) if isinstance(error, ValidationError) else str(error)
        raise BadRun("unreadable-metrics", file=file, reason=reason) from error


def metrics_as_json(evaluation: Evaluation) -> Json:
    """Return the content of `metrics.json`."""
    content = {
        "format_version": FORMAT_VERSION,
        "split": evaluation.split,
        "n": evaluation.n,
        "n_groups": evaluation.n_groups,
        "n_ungrouped": evaluation.n_ungrouped,
        "n_units": evaluation.n_units,
        "metrics": _metrics(evaluation.metrics),
        "primary": evaluation.primary,
        "per_class": {name: _of_class(scores) for name, scores in evaluation.per_class.items()},
        "by_domain": {name: _of_images(scores) for name, scores in evaluation.by_domain.items()},
        "confusion_matrix": [list(row) for row in evaluation.confusion_matrix],
        "classes": list(evaluation.classes),
        **({"positive_class": evaluation.positive_class} if evaluation.positive_class else {}),
    }
    if evaluation.n_leaks is not None:
        content["n_leaks"] = evaluation.n_leaks
    if evaluation.protocol:
        content["protocol"] = list(evaluation.protocol)
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
    """Return metrics as JSON values. `reason` and counts are omitted if they are None."""
    return {
        name: {key: value for key, value in asdict(metric).items() if key not in _OPTIONAL or value is not None}
        for name, metric in metrics.items()
    }


def _of_class(scores: ClassScores) -> Json:
    return {"n": scores.n, **_metrics(scores.metrics), **({"reason": asdict(scores.reason)} if scores.reason else {})}


def _nested(scores: Json) -> Json:
    """Return the values of `ClassScores`. In the file, metrics are beside `n`."""
    metrics = {name: metric for name, metric in scores.items() if name not in ("n", "reason")}
    return {"n": scores["n"], "metrics": metrics, "reason": scores.get("reason")}


def _of_images(scores: DomainScores | FoldScores) -> Json:
    return {
        "n": scores.n,
        "n_groups": scores.n_groups,
        "n_ungrouped": scores.n_ungrouped,
        "metrics": _metrics(scores.metrics),
    }


def _of_subgroup(scores: SubgroupScores) -> Json:
    return {
        "n": scores.n,
        "n_groups": scores.n_groups,
        "n_ungrouped": scores.n_ungrouped,
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


CandidateName = Literal["as-is", "matched", "pooled", "averaged"]


class Candidate(Record):
    """A classifier that labels of the other laboratory could choose."""

    name: CandidateName
    """`as-is`: not adapted; `matched`: fitted to matched training images; `pooled`: fitted to these and labels
    together; `averaged`: its mean with a classifier of features that are standardized in each laboratory."""
    n_right: int
    """Labels that it predicts right, each without having been fitted to it."""


class AdaptationRecord(Document):
    """`adaptation.json`: how a classifier was adapted to another laboratory, and its accuracy there."""

    parent: str
    """Fingerprint of the classifier that was adapted."""
    n_images: int
    """Readable images of the other laboratory that are not excluded."""
    n_unfamiliar: int | None
    """Of these, unfamiliar ones to the classifier that was adapted; null: it cannot tell."""
    n_excluded: int = 0
    """Other images, which are left out because a table or a label excludes them."""
    has_shift: bool
    """Whether the share of unfamiliar images is at least 15%. Otherwise, images are not matched."""
    n_labels: int = 0
    """Labeled images of the other laboratory. 0: the accuracy there is not known."""
    n_groups: int | None = None
    """Groups of these images, such as patients, which are held out together unless it is one; an image without a group
    counts as one. null: no group is stated."""
    selected: CandidateName | None = None
    """null: without a shift and without labels, nothing was adapted."""
    zoom: tuple[float, float] = (1.0, 1.0)
    """Factors by which training images and new images are enlarged."""
    has_fixed_stain: bool = False
    """Whether the stain of each image is set to fixed values."""
    is_inverted: bool = False
    """Whether dark becomes bright in new images."""
    candidates: tuple[Candidate, ...] = ()
    """The simplest first; empty without labels."""
    n_right_before: int | None = None
    """Labels that the classifier that was adapted predicts right."""
    n_right: int | None = None
    """Labels that the procedure predicts right, each without using it: neither for the choice nor for the fit."""
    confusion_matrix: tuple[tuple[int, ...], ...] = ()
    """Of these predictions: rows are the label, columns the predicted class, in the order of the classes; empty without
    labels."""
    low: float | None = None
    """Of the 95% confidence interval of the accuracy in the other laboratory, exact at the effective number of
    images."""
    high: float | None = None
    """Of the interval."""
    home_before: float | None = None
    """Accuracy of the classifier that was adapted, on the test images of this run."""
    home_after: float | None = None
    """Accuracy of the adapted classifier on the same images."""

    @property
    def accuracy(self) -> Metric | None:
        """The accuracy in the other laboratory; None without labels."""
        if self.n_right is None or self.low is None or self.high is None:
            return None
        return Metric(value=self.n_right / self.n_labels, low=self.low, high=self.high)

    def __repr__(self) -> str:
        """Return what was adapted, and how many labels are predicted right before and after."""
        outcome = "not adapted" if self.selected is None else self.selected
        unfamiliar = "unknown" if self.n_unfamiliar is None else f"{self.n_unfamiliar:,}"
        first = f"{outcome}; {self.n_images:,} images, {unfamiliar} unfamiliar"
        if self.n_right is None:
            return f"{first}; accuracy there not known, since no image has a label"
        labels = f"of {self.n_labels:,} labels, {self.n_right_before:,} right before, {self.n_right:,} after"
        has_interval = self.low is not None and self.high is not None
        return f"{first}; {labels}" + (f" (95% CI {self.low:.3f}–{self.high:.3f})" if has_interval else "")

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Return the candidates with the number of labels that each predicts right, for notebooks."""
        return html_table(repr(self), ("candidate", "right"), [(each.name, each.n_right) for each in self.candidates])


class MapCheck(Record):
    """Results of both sanity checks for one kind of map, as means over images."""

    method: MapMethod
    similarity: float = Field(ge=0, le=1)
    """Absolute rank correlation with maps of random weights."""
    changes: bool
    """Whether maps change with random weights, so that they depend on the training."""
    gain: float
    """Loss of probability by blurring the image in the order of its map, minus the loss by blurring it from the center
    outwards."""
    gain_low: float
    """Lower bound of its 95% confidence interval."""
    beats_center: bool
    """Whether that bound is above 0."""
    passes: bool


class MapChecks(Document):
    """`map_checks.json`: sanity checks of each kind of map."""

    classifier: str
    """Fingerprint of the checked classifier."""
    checked_on: CheckedOn
    """Set of the images of the checks: validation, training, or the explained images."""
    n_images: int
    checks: tuple[MapCheck, ...]


_MOST_SHOWN = 20  # images in a notebook
CheckedBy = Literal["folds", "linear probes"]
_LABEL_ERROR_COLUMNS = ("image_id", "path", "label", "suggested", "score", "set")
_SETS: dict[Part, str] = {"train": "training", "val": "validation", "test": "test", "excluded": "excluded"}


class LabelIssue(Record):
    """An image for which a classifier that was not trained on it predicts another class than its label."""

    image_id: str
    path: str
    """Relative to the root of its domain."""
    label: str
    suggested: str
    """The most probable class."""
    score: float = Field(ge=0, le=1)
    """1 minus the probability of the label; 1 is the most likely label error."""
    split: Part


class CheckedClass(Record):
    """Number of misclassified images of one class."""

    name: str
    n: int
    """Number of checked images."""
    n_misclassified: int | None
    """Null if there are too few images to distinguish a wrong label from a rare appearance."""


class LabelErrors(Document):
    """Misclassified images, the most likely label errors first. The first `n_suspected` are suspected label errors."""

    checked_by: CheckedBy
    """folds: networks of the run's folds; linear probes: classifiers on features of the frozen network."""
    classes: tuple[CheckedClass, ...]
    n_suspected: int
    """Suspected label errors: images that resemble another class as much as the images of that class do."""
    n_not_checked: int
    """Images for which there is no classifier that was not trained on them."""
    images: tuple[LabelIssue, ...]

    def __repr__(self) -> str:
        first = f"{self.n_suspected:,} of {self.n_checked:,} labels to check first (how many are wrong is not known)"
        return f"{first}; {len(self.images):,} misclassified images"

    __str__ = __repr__  # Pydantic's would print every image

    def _repr_html_(self) -> str:
        """Return the first images, for notebooks."""
        names = ("path", "label", "suggested", "score")
        rows = [tuple(getattr(image, name) for name in names) for image in self.images[:_MOST_SHOWN]]
        return html_table(repr(self), names, rows)

    @property
    def n_checked(self) -> int:
        """Number of checked images."""
        return sum(row.n for row in self.classes if row.n_misclassified is not None)

    def without(self, image_ids: Collection[str]) -> Self:
        """Return a copy without these images, in lists and counts, such as images whose labels were reviewed since."""
        n_suspected = sum(image.image_id not in image_ids for image in self.images[: self.n_suspected])
        remaining = tuple(image for image in self.images if image.image_id not in image_ids)
        n_removed = Counter(image.label for image in self.images if image.image_id in image_ids)
        classes = tuple(_without(row, n_removed[row.name]) for row in self.classes)
        return self.model_copy(update={"images": remaining, "n_suspected": n_suspected, "classes": classes})

    def renamed(self, new_ids: Mapping[str, str]) -> Self:
        """Return a copy with new image ids, without images that have no new id."""
        renamable = self.without({image.image_id for image in self.images if image.image_id not in new_ids})
        renamed = (image.model_copy(update={"image_id": new_ids[image.image_id]}) for image in renamable.images)
        return renamable.model_copy(update={"images": tuple(renamed)})

    def write_csv(self, file: Path) -> None:
        """Write the table, completely or not at all. Raises CoverslipError as `check_label_errors_file` does."""
        check_label_errors_file(file)
        rows = (
            {**image.model_dump(exclude={"split"}), "score": f"{image.score:.6f}", "set": _SETS[image.split]}
            for image in self.images
        )
        write_table(file, _LABEL_ERROR_COLUMNS, rows)


def _without(row: CheckedClass, n_removed: int) -> CheckedClass:
    n_misclassified = None if row.n_misclassified is None else row.n_misclassified - n_removed
    return row.model_copy(update={"n": row.n - n_removed, "n_misclassified": n_misclassified})


def check_label_errors_file(file: Path) -> None:
    """Raise CoverslipError if the file exists and is not a table of label errors."""
    check_replaceable(file, ",".join(_LABEL_ERROR_COLUMNS[:-1]).encode())  # earlier tables have no column "set"


class SplitComparison(DocumentedModel):
    """Metrics of the same classifier with an image-level split and with a grouped split."""

    model_config = ConfigDict(frozen=True)

    image_level: Metric
    """The metric with a split that divides single images."""
    grouped: Metric
    """The metric with a split that keeps groups together."""
    difference: Metric
    """Image-level minus grouped."""


class LeakageEstimate(SplitComparison):
    """Metrics that an image-level split would have reported, and those of a grouped split, by instant classifiers."""

    metric: str
    nearest_image: SplitComparison
    """The same, with the label of the nearest image as prediction."""
    n_images: int
    n_units: int
    """Units of the grouped split: groups, clusters of duplicates, and single images."""


class InspectionWithLeakageEstimate(Inspection):
    """An inspection that includes the leakage audit by a network."""

    leakage_estimate: LeakageEstimate | None
    """None without groups and duplicates, since both splits are then the same."""
    signal: Signal | None
    """How well the whole image predicts the classes, and how well parts without the object do; None if there are too
    few images."""


# Unknown fields of a file are ignored, so the type with more required fields comes first.
_EITHER = Annotated[InspectionWithLeakageEstimate | Inspection, Field(union_mode="left_to_right")]
_ADAPTER: TypeAdapter[Inspection] = TypeAdapter(_EITHER)


def inspection_as_json(inspection: Inspection) -> dict[str, Any]:  # Any: JSON values
    """Return an inspection as a JSON object, as `inspect --json` prints it."""
    return {"format_version": FORMAT_VERSION, **inspection.model_dump(mode="json", round_trip=True)}


def write_inspection(file: Path, inspection: Inspection) -> None:
    """Write `data.json`, completely or not at all."""
    root = stated_paths(file.parent)(inspection.root)
    write_json(file, inspection_as_json(inspection.model_copy(update={"root": root})))


def inspection_of(values: Any) -> Inspection:  # Any: JSON values
    """Return the inspection of a JSON object; an `InspectionWithLeakageEstimate` if it includes the leakage audit.

    Raises:
        ValidationError: the values are not an inspection.
    """
    return _ADAPTER.validate_python(values)


def read_inspection(file: Path) -> Inspection:
    """Read `data.json`; an `InspectionWithLeakageEstimate` if it includes the leakage audit.

    Raises:
        BadRun: the file is missing, damaged, or of a newer format.
    """
    values = read_object(file)
    values.pop("format_version")
    try:
        inspection = inspection_of(values)
    except ValidationError as error:
        raise BadRun("damaged-run-file", file=file, reason=first_fault(error)) from error
    return inspection.model_copy(update={"root": resolved_path(inspection.root, file.parent)})


Occasion = Literal["evaluated", "decided"]


class TestSetAccesses(Document):
    """`test_set_accesses.json`: uses of the test set after the training itself, which is the first one."""

    evaluated: int = Field(default=0, ge=0)
    """Number of repeated evaluations."""
    decided: int = Field(default=0, ge=0)
    """Number of changes of the decision rule."""
    compared_with: tuple[str, ...] = ()
    """Names of the runs in comparisons."""

    @property
    def n(self) -> int:
        """Number of all accesses, including the training's own report."""
        return 1 + self.evaluated + self.decided + len(self.compared_with)
