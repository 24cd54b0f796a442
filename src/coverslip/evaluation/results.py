"""What is said about predictions of labeled images: numbers, how far they could be off, and where they come from."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Literal

from coverslip.tables import data_frame, html_table

if TYPE_CHECKING:
    from pandas import DataFrame

LEVEL = 0.95  # nominal coverage of every interval

# What the numbers of the positive one of two classes are called, and their names among those of any class.
OF_POSITIVE = {"sensitivity": "recall", "specificity": "specificity", "ppv": "precision", "npv": "npv"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number and how far it could be off."""

    value: float | None  # None where it is not defined or not known: `reason` says why
    low: float | None = None  # ends of the interval; None where there is none
    high: float | None = None
    level: float = LEVEL  # nominal coverage of the interval, in (0, 1)
    method: str = ""  # how the interval was made
    reason: str | None = None  # why a number is None
    n_correct: int | None = None  # of `n_images`, where the number is a proportion of images
    n_images: int | None = None
    n_groups: int | None = None  # that these images come from, where groups are known


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """How well one class is separated from the others."""

    n: int  # images of the class
    metrics: Mapping[str, Metric]  # precision, recall, specificity, f1, auroc
    reason: str | None = None  # why some of them are not defined


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainScores:
    """The metrics of one domain's images."""

    n: int
    n_groups: int | None  # None where no groups are known
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubgroupScores:
    """The images that have one value in a column of the dataset's table, and how they differ from all others."""

    n: int
    n_groups: int | None
    is_small: bool  # too few images or groups to say much
    n_missing: int  # classes of the measured images that none of these is of
    metrics: Mapping[str, Metric]
    gaps: Mapping[str, Metric]  # by the same names: these images minus all others


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDecisions:
    """Whole groups (patients, slides) decided by all their images together."""

    n: int  # groups that were decided
    n_mixed: int  # groups with images of several classes, which have no class of their own
    n_alone: int = 0  # images without a named group, which are not counted here
    metrics: Mapping[str, Metric]  # accuracy; sensitivity and the like where there are two classes
    confusion_matrix: tuple[tuple[int, ...], ...]  # of groups


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldScores:
    """The metrics of the images that one fold tested."""

    fold: int  # 1-based
    n: int
    n_groups: int | None
    n_train: int  # images that its network was trained on
    metrics: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldsScores:
    """Each fold's metrics, and their mean."""

    per_fold: tuple[FoldScores, ...]
    mean: Mapping[str, Metric]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All that is said about one set of predictions. `evaluation["macro_f1"].low` is one number of it."""

    split: str  # what the images are: "test", "val", "out-of-fold", the name of an evaluation
    n: int
    n_groups: int | None  # None where no groups are known
    primary: str  # the metric that choices were made by
    metrics: Mapping[str, Metric]
    per_class: Mapping[str, ClassScores]  # in the order of `classes`; empty where nothing could be measured
    by_domain: Mapping[str, DomainScores]  # empty unless there are several
    confusion_matrix: tuple[tuple[int, ...], ...]  # rows are the true class, columns the predicted one
    classes: tuple[str, ...]
    folds: FoldsScores | None = None
    positive_class: str | None = None  # of two classes the one that is looked for
    by_column: Mapping[str, Mapping[str, SubgroupScores]] = field(default_factory=dict)  # by column and value
    of_groups: GroupDecisions | None = None  # None where groups are not known, or are of several classes each
    group_mean_accuracy: Metric | None = None  # mean over named groups, each of the same weight; None if none are known
    over_majority_class: Metric | None = None  # accuracy minus that of always predicting the most frequent class
    n_ungrouped: int = 0  # images without a known group, where others have one: each counts as one of `n_groups`

    @property
    def n_named_groups(self) -> int | None:
        """The groups among `n_groups` that have a name; None where no groups are known."""
        return None if self.n_groups is None else self.n_groups - self.n_ungrouped

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
        """Sensitivity, specificity, PPV and NPV of the positive one of two classes; empty where there are others."""
        if self.positive_class is None or self.positive_class not in self.per_class:
            return {}
        of_positive = self.per_class[self.positive_class].metrics
        return {name: of_positive[of_class] for name, of_class in OF_POSITIVE.items()}

    @property
    def against_majority_class(self) -> Literal["better", "worse", "not significant"] | None:
        """Against always predicting the most frequent class; None where `over_majority_class` has no interval."""
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
        """Return the numbers as a data frame.

        Args:
            table: `metrics` has a row for each metric with its interval; `classes` a row for each class with its
                metrics; `confusion` a row for each true class and a column for each predicted one.

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
        where = f"Measured on {self.n:,} images ({self.split})"
        rows = [(name, metric.value, metric.low, metric.high) for name, metric in self.metrics.items()]
        return html_table(where, ("metric", "value", f"{LEVEL:.0%} from", "to"), rows)


def _value(scores: ClassScores, name: str) -> float | None:
    metric = scores.metrics.get(name)
    return None if metric is None else metric.value
