"""Records of a comparison: one per run and one per pair of runs."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from coverslip.evaluation import McNemar
from coverslip.reports.comparing.differences import ChangedImages
from coverslip.reports.content import Measured

Labels = Literal["both", "first", "second"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How well the most probable class by the kept network was right on its own training and validation images.

    None where that was not measured.
    """

    train_accuracy: float | None
    train_f1: float | None
    val_accuracy: float | None
    val_f1: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A run, or an evaluation of one, beside others."""

    run_id: str
    name: str
    is_evaluation: Annotated[bool, Field(description="Measured on an external test set, not on its own test set.")]
    model: str
    n: Annotated[int, Field(description="Images that it was measured on.")]
    classes: tuple[str, ...]
    metrics: list[Measured]
    fit: Fit
    confusion: Annotated[
        tuple[tuple[int, ...], ...], Field(description="Rows are the true class, columns the predicted one.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference(Measured):
    """A metric of the second run minus that of the first, on the images that both have measured."""

    first: Annotated[float | None, Field(description="Of the first run, on these images.")]
    second: float | None
    p: Annotated[float | None, Field(description="Two-sided, of no difference; null without an interval.")]
    is_shown: Annotated[bool, Field(description="Statistically significant: the interval excludes 0.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumbersByLabels:
    """The differences by one set of labels."""

    labels: Annotated[
        Labels, Field(description="`both`: they have the same ones; else those that one of the runs was measured with.")
    ]
    differences: list[Difference]
    mcnemar: Annotated[
        McNemar, Field(description="Images that only one of them named rightly, and the exact test of that.")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The first run and another one, on the images that both have measured."""

    first: Annotated[str, Field(description="Its run_id.")]
    second: str
    n: int
    n_groups: int | None
    n_by_content: Annotated[
        int, Field(description="Of the n images, those matched by equal pixels, because their files are not the same.")
    ]
    n_only_first: Annotated[int, Field(description="Images that only the first run was measured on.")]
    n_only_second: int
    n_relabeled: Annotated[int, Field(description="Images that have another label in the second run.")]
    has_same_rule: Annotated[
        bool,
        Field(description="Both predict classes by the same decision rule; if not, differences come from it as well."),
    ]
    numbers: Annotated[
        list[NumbersByLabels],
        Field(description="By the labels of both; where some differ, by the first run's and by the second's."),
    ]
    changed: Annotated[
        ChangedImages | None, Field(description="Null if the runs have no images or no classes in common.")
    ]
    notes: list[str]
