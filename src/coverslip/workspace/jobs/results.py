"""What a finished training reached: the report's numbers and words as data, and runs side by side."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

from pydantic import Field, TypeAdapter
from pydantic.config import JsonDict

from coverslip._version import __version__
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import Conflict, CoverslipError
from coverslip.evaluation import (
    METRICS,
    Evaluation,
    ReliabilityBin,
    average_precision,
    pr_curve,
    reliability_bins,
    roc_curve,
)
from coverslip.reports import content, words
from coverslip.reports.content import ClassResult, DomainResult, FoldResult, Measured, MetricValue
from coverslip.reports.reading import ReportedRun, read_run
from coverslip.reports.sections import SECTIONS, sections_of
from coverslip.reports.sections.limits import limits
from coverslip.reports.sections.methods import methods
from coverslip.reports.sections.numbers import decided
from coverslip.reports.sections.record import Section
from coverslip.reports.sections.tiles import n_mistakes
from coverslip.runs import Run, metrics_as_json
from coverslip.workspace.jobs.records import Job, Json, find_job
from coverslip.workspace.store.home import Workspace

RESULTS = register(Kind("app-results", "results as the app's pages show them", RECORDS, bound_bytes=5 * 10**8))
_MOST_COMPARED = 20


def _tell_sections(schema: JsonDict) -> None:
    schema["description"] = "; ".join(f"`{name}`: {record.title}" for name, record in SECTIONS.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Rows are the true class, columns the predicted one."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """How many of a class are found for how many false alarms."""

    class_name: str
    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionRecallCurve:
    """How many of those called a class are of it, for how many of it that are found."""

    class_name: str
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    ap: Annotated[float | None, Field(description="Average precision.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Probabilities against the share that is right."""

    before: Annotated[
        list[ReliabilityBin] | None,
        Field(description="Null where it is not known: folds have a temperature each."),
    ]
    after: list[ReliabilityBin]
    ece: float | None
    ece_uncalibrated: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What the numbers do not show: a claim, and what it means."""

    claim: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureName:
    """A drawing of the report: `/runs/{run_id}/figures/{name}`."""

    name: str
    title: Annotated[str, Field(description="What is seen, for those who cannot see it.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """What one section of the report says: words, a table, drawings."""

    name: Annotated[str, Field(json_schema_extra=_tell_sections)]
    title: str
    subtitle: str
    words: list[str]
    columns: list[str]
    rows: list[list[str]]
    drawings: list[FigureName]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a run reached, in numbers and words; the same as in its report."""

    metrics: Annotated[Json, Field(description="metrics.json as it is.")]
    headline: Annotated[str, Field(description="The result in one sentence.")]
    words: Annotated[list[str], Field(description="Paragraphs: what the numbers mean.")]
    methods: Annotated[list[str], Field(description="A methods paragraph for a paper, in three parts.")]
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
    decided: Annotated[
        str, Field(description="What the limit for `uncertain` did to these images; empty where nothing.")
    ]
    n_mistakes: int
    facts: Annotated[list[tuple[str, str]], Field(description="The small line of figures: a name and its value.")]
    sections: Annotated[list[ReportSection], Field(description="All sections of the report, from top to bottom.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A run beside others."""

    run: str
    name: str
    model: str
    n: int
    classes: tuple[str, ...]
    metrics: list[Measured]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs side by side, and whether their numbers can be compared at all."""

    classes_equal: bool
    images_equal: bool
    rows: list[ComparedRun]
    note: str


def results_of(workspace: Workspace, run_id: str) -> Results:
    """All that a page of results shows; worked out once for each state of the run's files.

    Raises:
        NotFound: there is no such run.
        Conflict: it has no numbers yet.
    """
    job = find_job(workspace, run_id, "train")
    if not Run(job.folder).is_measured:
        raise Conflict("This run has no numbers yet", do="Let the training finish, or resume it.")
    stamp = _stamp(job)
    with RecordStore(RESULTS, run_id) as kept:
        known = kept.find([stamp]).get(stamp)
        if known is not None:
            return _adapter().validate_json(known)
        results = _results(read_run(job.folder))
        kept.keep({stamp: _adapter().dump_json(results)})
        return results


@cache
def _adapter() -> TypeAdapter[Results]:
    """Built when it is first used, which takes a while."""
    return TypeAdapter(Results)


def _stamp(job: Job) -> str:
    """Changes with the files that results are made from, and with this program."""
    run = Run(job.folder)
    files = (run.metrics_file, run.predictions_file, run.training_file, run.split_file, run.inspection_file)
    stats = [file.stat() for file in (*files, run.environment_file) if file.is_file()]
    told = [__version__, *((stat.st_mtime_ns, stat.st_size) for stat in stats)]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def _results(run: ReportedRun) -> Results:
    has_numbers = run.metrics["accuracy"].value is not None
    classes, folds = content.classes(run), content.folds(run)
    return Results(
        metrics=metrics_as_json(run.metrics),
        headline=words.headline(run) if has_numbers else "",
        words=[" ".join(words.lead(run))] if has_numbers else [],
        methods=methods(run),
        values=content.metrics(run),
        tested_on=words.split_words(run),
        per_class=classes,
        confusion=Confusion(classes=run.classes, counts=run.metrics.confusion_matrix),
        roc=_roc(run, classes),
        precision_recall=_precision_recall(run),
        calibration=_calibration(run),
        folds=None if folds is None else folds.rows,
        by_domain=content.domains(run),
        limits=[Limit(claim=claim, meaning=meaning) for claim, meaning in limits(run)],
        decided=decided(run),
        n_mistakes=n_mistakes(run),
        facts=content.facts(run),
        sections=_sections(run),
    )


def _sections(run: ReportedRun) -> list[ReportSection]:
    """All that the report says, section by section, for pages that have no view of their own for one."""
    return [_section(run, section) for section in sections_of(run)]


def _section(run: ReportedRun, section: Section) -> ReportSection:
    text = section.text(run)
    return ReportSection(
        name=section.name,
        title=section.title,
        subtitle=section.subtitle(run),
        words=list(text.words),
        columns=list(text.columns),
        rows=[list(row) for row in text.rows],
        drawings=[FigureName(name=drawing.name, title=drawing.title) for drawing in section.drawings(run)],
    )


def _roc(run: ReportedRun, classes: Sequence[ClassResult]) -> list[RocCurve]:
    """Each class against all others, in their order; curves that can't be drawn are left out."""
    tested = run.tested
    if tested is None:
        return []
    curves = [(row, roc_curve(tested.probability[:, k], tested.label == k)) for k, row in enumerate(classes)]
    return [RocCurve(class_name=row.name, fpr=curve.x, tpr=curve.y, auroc=row.auroc) for row, curve in curves if curve]


def _precision_recall(run: ReportedRun) -> list[PrecisionRecallCurve]:
    """Likewise."""
    curves, tested = [], run.tested
    for k, name in enumerate(run.classes if tested is not None else ()):
        assert tested is not None
        score, is_class = tested.probability[:, k], tested.label == k
        if curve := pr_curve(score, is_class):
            ap = average_precision(score, is_class)
            curves.append(PrecisionRecallCurve(class_name=name, recall=curve.x, precision=curve.y, ap=ap))
    return curves


def _calibration(run: ReportedRun) -> Calibration | None:
    tested, before = run.tested, content.uncalibrated(run)
    if tested is None:
        return None
    return Calibration(
        before=None if before is None else reliability_bins(before, tested.label),
        after=reliability_bins(tested.probability, tested.label),
        **content.calibration_errors(run),
    )


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run as it is compared."""

    job: Job
    metrics: Evaluation
    images: str  # tells the measured images and their labels


def compared(workspace: Workspace, run_ids: Sequence[str]) -> Comparison:
    """Runs side by side, and whether they were measured on the same images.

    Raises:
        NotFound: there is no such run.
        Conflict: one has no numbers yet.
        CoverslipError: fewer than two, or too many.
    """
    ids = list(dict.fromkeys(run_ids))
    if not 2 <= len(ids) <= _MOST_COMPARED:
        raise CoverslipError("Two runs or more can be compared", do=f"Choose 2 to {_MOST_COMPARED} of them.")
    runs = [_measured(workspace, run_id) for run_id in ids]
    classes_equal = len({tuple(sorted(run.metrics.classes)) for run in runs}) == 1
    images_equal = len({run.images for run in runs}) == 1
    return Comparison(
        classes_equal=classes_equal,
        images_equal=images_equal,
        rows=[_compared_run(run) for run in runs],
        note=_comparison_note(runs[0].metrics.n, classes_equal=classes_equal, images_equal=images_equal),
    )


def _compared_run(run: _Measured) -> ComparedRun:
    return ComparedRun(
        run=run.job.id,
        name=run.job.name,
        model=str(run.job.choices.get("model", "")),
        n=run.metrics.n,
        classes=run.metrics.classes,
        metrics=[content.measured(name, one) for name, one in run.metrics.metrics.items() if name in METRICS],
    )


def _comparison_note(n: int, *, classes_equal: bool, images_equal: bool) -> str:
    if images_equal and classes_equal:
        return (
            f"All were measured on the same {words.plural(n, 'image')}. Where intervals overlap widely, the difference "
            "may be chance."
        )
    if classes_equal:
        return (
            "They were measured on different images: a difference may come from the images, not from the networks. "
            "Train with the same split settings and seed on the same image set to compare them."
        )
    return "They tell different classes apart, so their numbers answer different questions."


def _measured(workspace: Workspace, run_id: str) -> _Measured:
    job = find_job(workspace, run_id, "train")
    run = Run(job.folder)
    if not run.is_measured:
        raise Conflict(f"“{job.name}” has no numbers yet", do="Compare runs that are finished.")
    return _Measured(job, run.metrics, _images_of(run))


def _images_of(run: Run) -> str:
    """Tells which images were measured with which labels, in any order."""
    rows = sorted((row.image_id, row.label or "") for row in run.predictions)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
