"""What a finished training reached."""

from typing import Any

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from coverslip.evaluation import METRICS, Better, ReliabilityBin, Scale
from coverslip.reports.sections import SECTIONS


def _tell_metrics(schema: JsonDict) -> None:
    schema["description"] = "; ".join(f"`{name}`: {record.meaning}" for name, record in METRICS.items())


def _tell_sections(schema: JsonDict) -> None:
    schema["description"] = "; ".join(f"`{name}`: {record.title}" for name, record in SECTIONS.items())


class Measured(BaseModel):
    """A number with its interval, its plain name and what it means."""

    name: str = Field(json_schema_extra=_tell_metrics)
    title: str
    meaning: str
    better: Better
    scale: Scale = Field(description="`share` is 0 to 1; `positive` is from 0 without a top.")
    value: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    reason: str | None


class MetricValue(Measured):
    """A number of the whole run."""

    is_primary: bool = Field(description="Choices were made by it.")


class ClassResult(BaseModel):
    """The numbers of one class."""

    number: int = Field(description="1-based, as in the confusion matrix.")
    name: str
    n: int
    precision: float | None
    recall: float | None
    specificity: float | None
    f1: float | None
    auroc: float | None
    operating_point: float | None
    reason: str | None


class Confusion(BaseModel):
    """Rows are the true class, columns the predicted one."""

    classes: list[str]
    counts: list[list[int]]


class RocCurve(BaseModel):
    class_name: str
    fpr: list[float]
    tpr: list[float]
    auroc: float | None


class PrecisionRecallCurve(BaseModel):
    class_name: str
    recall: list[float]
    precision: list[float]
    ap: float | None = Field(description="Average precision.")


class Calibration(BaseModel):
    before: list[ReliabilityBin] | None = Field(
        description="Null where it is not known: folds have a temperature each."
    )
    after: list[ReliabilityBin]
    ece: float | None
    ece_uncalibrated: float | None


class FoldResult(BaseModel):
    fold: int
    n: int
    n_groups: int | None
    metrics: list[Measured] = Field(description="Those that a row has room for; the same in every row.")


class DomainResult(BaseModel):
    name: str
    n: int
    n_groups: int | None
    n_classes: int
    metrics: list[Measured] = Field(description="Those that a row has room for; the same in every row.")


class Limit(BaseModel):
    """What the numbers do not show: a claim, and what it means."""

    claim: str
    meaning: str


class FigureName(BaseModel):
    """A drawing of the report: `/runs/{run_id}/figures/{name}`."""

    name: str
    title: str = Field(description="What is seen, for those who cannot see it.")


class ReportSection(BaseModel):
    """What one section of the report says: words, a table, drawings."""

    name: str = Field(json_schema_extra=_tell_sections)
    title: str
    subtitle: str
    words: list[str]
    columns: list[str]
    rows: list[list[str]]
    drawings: list[FigureName]


class Results(BaseModel):
    """What a run reached, in numbers and words; the same as in its report."""

    metrics: dict[str, Any] = Field(description="metrics.json as it is.")
    headline: str = Field(description="The result in one sentence.")
    words: list[str] = Field(description="Paragraphs: what the numbers mean.")
    methods: list[str] = Field(description="A methods paragraph for a paper, in three parts.")
    values: list[MetricValue]
    tested_on: str
    per_class: list[ClassResult]
    confusion: Confusion
    roc: list[RocCurve]
    precision_recall: list[PrecisionRecallCurve]
    calibration: Calibration | None
    folds: list[FoldResult] | None
    by_domain: list[DomainResult]
    limits: list[Limit]
    decided: str = Field(description="What the limit for `uncertain` did to these images; empty where nothing.")
    n_mistakes: int
    facts: list[tuple[str, str]] = Field(description="The small line of figures: a name and its value.")
    sections: list[ReportSection] = Field(description="All sections of the report, from top to bottom.")


class ComparedRun(BaseModel):
    run: str
    name: str
    model: str
    n: int
    classes: list[str]
    metrics: list[Measured]


class Comparison(BaseModel):
    """Runs side by side, and whether their numbers can be compared at all."""

    classes_equal: bool
    images_equal: bool
    rows: list[ComparedRun]
    note: str
