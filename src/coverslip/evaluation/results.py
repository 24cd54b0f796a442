"""The results of an evaluation: metrics with intervals, overall and by class, domain, subgroup, group and fold."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from coverslip.documented_fields import DocumentedFields
from coverslip.messages import Message
from coverslip.notebooks import data_frame, html_table

if TYPE_CHECKING:
    from pandas import DataFrame

LEVEL = 0.95  # nominal coverage of every interval

# Names of the metrics of the positive class of two, and their names among the metrics of each class.
OF_POSITIVE = {"sensitivity": "recall", "specificity": "specificity", "ppv": "precision", "npv": "npv"}


def values_by_field(record: Any) -> dict[str, Any]:  # Any: a dataclass, and its values
    """Return the values of a dataclass, which `asdict` would convert to JSON."""
    return {each.name: getattr(record, each.name) for each in fields(record)}


_WIDE, _USELESS = 0.3, 0.8  # widths of a confidence interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric(DocumentedFields):
    """A metric with its confidence interval."""

    value: float | None  # None if it is not defined or not known, for the given `reason`
    low: float | None = None  # ends of the interval; None if there is none
    high: float | None = None
    level: float = LEVEL  # nominal coverage of the interval, in (0, 1)
    method: str = ""
    """How the interval was computed."""
    reason: Message | None = None
    """Why a value is null."""
    n_correct: int | None = None  # of `n_images`, if the metric is a share of images
    n_images: int | None = None
    n_groups: int | None = None  # of these images, if groups are known

    @property
    def width(self) -> float:
        """Width of the interval; 0 without an interval."""
        return 0.0 if self.low is None or self.high is None else self.high - self.low

    @property
    def is_wide(self) -> bool:
        """Whether the interval is so wide that the value says little."""
        return self.width > _WIDE

    @property
    def is_useless(self) -> bool:
        """Whether the interval contains most values from 0 to 1, so that a sentence is shown instead of it."""
        return self.width >= _USELESS and (self.low or 0.0) >= 0 and (self.high or 0.0) <= 1

    @property
    def digits(self) -> int:
        """Digits after the decimal point that are shown."""
        return 2 if self.is_wide else 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """How well one class is separated from the others."""

    n: int  # images of the class
    metrics: Mapping[str, Metric]  # precision, recall, specificity, f1, auroc
    reason: Message | None = None  # why some metrics are not defined


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainScores:
    """The metrics of one domain's images."""

    n: int
    n_groups: int | None  # None if no groups are known
    n_ungrouped: int = 0  # images without a group
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupScores:
    """The metrics of the images with one value in a column of the dataset's table, and their gaps to all others."""

    n: int
    n_groups: int | None
    n_ungrouped: int = 0
    is_small: bool  # too few images or groups for precise metrics
    n_missing: int  # classes of the evaluated images without an image here
    metrics: Mapping[str, Metric]
    gaps: Mapping[str, Metric]  # by metric name: value of these images minus that of all others


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDecisions:
    """Metrics of predictions for whole groups (patients, slides), each from all images of the group."""

    n: int  # number of predicted groups
    n_mixed: int  # groups with images of several classes, which are not predicted
    n_alone: int = 0  # images without a named group, which are excluded
    metrics: Mapping[str, Metric]  # accuracy; with two classes also sensitivity and the like
    confusion_matrix: tuple[tuple[int, ...], ...]  # of groups


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldScores:
    """The metrics of the images that one fold tested."""

    fold: int  # 1-based
    n: int
    n_groups: int | None
    n_ungrouped: int = 0
    n_train: int  # training images of its network
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldsScores:
    """Each fold's metrics, and their mean."""

    per_fold: tuple[FoldScores, ...]
    mean: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All results of one set of predictions. `evaluation["macro_f1"]` is a metric."""

    split: str  # which images: "test", "val", "out-of-fold", or the name of an evaluation
    n: int
    n_groups: int | None  # None if no groups are known
    primary: str  # metric by which choices were made
    metrics: Mapping[str, Metric]
    per_class: Mapping[str, ClassScores]  # in the order of `classes`; empty if no image was evaluated
    by_domain: Mapping[str, DomainScores]  # empty unless there are several domains
    confusion_matrix: tuple[tuple[int, ...], ...]  # rows are the true class, columns the predicted one
    classes: tuple[str, ...]
    folds: FoldsScores | None = None
    positive_class: str | None = None  # of two classes, the one to detect
    by_column: Mapping[str, Mapping[str, SubgroupScores]] = field(default_factory=dict)  # by column and value
    of_groups: GroupDecisions | None = None  # None if groups are unknown, or mostly of several classes
    group_mean_accuracy: Metric | None = None  # mean over named groups with equal weights; None without groups
    over_majority_class: Metric | None = None  # accuracy minus that of predicting the most frequent class
    n_ungrouped: int = 0  # images without a group, if groups are known
    n_leaks: int | None = None  # groups and duplicates in the test set and in another set; None: not allowed
    protocol: tuple[str, ...] = ()  # recipe keys of a published protocol, which usually makes metrics too high

    @property
    def n_units(self) -> int | None:
        """Number of units of the intervals: groups, and images without a group; None if no groups are known."""
        return None if self.n_groups is None else self.n_groups + self.n_ungrouped

    @property
    def is_group_mean_different(self) -> bool:
        """Whether the mean over groups and the accuracy differ by more than a quarter of the accuracy's interval."""
        of_groups, of_images = self.group_mean_accuracy, self.metrics.get("accuracy")
        if of_groups is None or of_groups.value is None or of_groups.low is None:
            return False
        if of_images is None or of_images.value is None or of_images.low is None or of_images.high is None:
            return False
        return abs(of_groups.value - of_images.value) > (of_images.high - of_images.low) / 4

    @property
    def two_classes(self) -> Mapping[str, Metric]:
        """Sensitivity, specificity, PPV and NPV of the positive class of two; empty for more classes."""
        if self.positive_class is None or self.positive_class not in self.per_class:
            return {}
        of_positive = self.per_class[self.positive_class].metrics
        return {name: of_positive[of_class] for name, of_class in OF_POSITIVE.items()}

    @property
    def against_majority_class(self) -> Literal["better", "worse", "not significant"] | None:
        """Comparison with predicting the most frequent class; None if `over_majority_class` has no interval."""
        over = self.over_majority_class
        if over is None or over.value is None:
            return None
        if over.value == 0:
            return "not significant"
        if over.low is None or over.high is None:
            return None
        if over.high < 0:
            return "worse"
        return "not significant" if over.low <= 0 else "better"

    def __getitem__(self, name: str) -> Metric:
        return self.metrics[name]

    def to_pandas(self, table: Literal["metrics", "classes", "confusion"] = "metrics") -> "DataFrame":
        """Return results as a data frame.

        Args:
            table: `metrics` has a row for each metric with its interval, `classes` a row for each class with its
                metrics, and `confusion` a row for each true class and a column for each predicted class.

        Raises:
            CoverslipError: pandas is not installed.
        """
        match table:
            case "metrics":
                rows = [{"metric": name, **asdict(metric)} for name, metric in self.metrics.items()]
                return data_frame({key: [row[key] for row in rows] for key in (rows[0] if rows else ())})
            case "classes":
                names = list(dict.fromkeys(name for scores in self.per_class.values() for name in scores.metrics))
                columns = {name: [_value(scores, name) for scores in self.per_class.values()] for name in names}
                sizes = [scores.n for scores in self.per_class.values()]
                return data_frame({"class": list(self.per_class), "n": sizes, **columns})
            case "confusion":
                predicted = zip(self.classes, zip(*self.confusion_matrix, strict=True), strict=True)
                return data_frame(dict(predicted), index=self.classes)

    def _repr_html_(self) -> str:
        """Return each metric with its interval, for notebooks."""
        title = f"Measured on {self.n:,} images ({self.split})"
        rows = [(name, metric.value, metric.low, metric.high) for name, metric in self.metrics.items()]
        return html_table(title, ("metric", "value", f"{LEVEL:.0%} from", "to"), rows)


def _value(scores: ClassScores, name: str) -> float | None:
    metric = scores.metrics.get(name)
    return None if metric is None else metric.value
