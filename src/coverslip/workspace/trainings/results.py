"""Results of a finished training or evaluation: numbers and text of the report as data, and downloads."""

import hashlib
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import IO, Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter

from coverslip import pipeline
from coverslip.cache.stores import Kind, RecordStore
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict
from coverslip.evaluation.calibration import ReliabilityBin, reliability_bins
from coverslip.evaluation.comparison import independent_difference
from coverslip.evaluation.learning import LearningCurve
from coverslip.evaluation.metrics import pr_curve, roc_curve
from coverslip.evaluation.results import Metric, values_by_field
from coverslip.evaluation.table import METRICS
from coverslip.events import ignore
from coverslip.experiments.rethreshold import Thresholds, thresholds_of
from coverslip.images.confining import open_below
from coverslip.messages import ENGLISH, in_language, language, text
from coverslip.reports import metric_rows, reported
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.reports.comparison import Difference
from coverslip.reports.metric_rows import ClassResult, DomainResult, FoldResult, Measured, MetricValue
from coverslip.reports.reported import ReportedRun, read_evaluation, read_run
from coverslip.reports.sections import SECTIONS, sections_of
from coverslip.reports.sections.curves import pr_averages, roc_averages
from coverslip.reports.sections.images import n_mistakes
from coverslip.reports.sections.methods import methods
from coverslip.reports.sections.results import uncertain_words
from coverslip.reports.verdict import Reason, Use, lead, verdict_of_run
from coverslip.runs.classifier import export_classifier
from coverslip.runs.folder import Run
from coverslip.runs.results import LeakageEstimate, metrics_as_json
from coverslip.workspace.jobs.records import Job, Json, all_jobs, find_job, find_owned_job
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.state import Headline, headline_of

RESULTS = Kind("app-results", bound_bytes=5 * 10**8)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion(DocumentedFields):
    """Rows are the true class, columns the predicted one."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    """A row for each true class, a column for each predicted class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RocCurve:
    """The receiver operating characteristic (ROC) curve of a class."""

    class_name: str
    fpr: tuple[float, ...]
    tpr: tuple[float, ...]
    auroc: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrecisionRecallCurve(DocumentedFields):
    """The precision-recall curve of a class."""

    class_name: str
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    ap: float | None
    """Average precision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationPlot(DocumentedFields):
    """Calibration: probabilities against accuracy."""

    before: list[ReliabilityBin] | None
    """Null if unknown: each fold has its own temperature."""
    after: list[ReliabilityBin]
    """The reliability diagram after calibration, by bin."""
    error: Measured | None
    """Calibration error above chance. Null if unknown."""
    error_before: Measured | None
    """The same before calibration."""
    mean_confidence: float | None
    """Mean probability of the predicted class."""
    accuracy: float | None
    """Share of images whose predicted class is correct."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(DocumentedFields):
    """Results of a classifier on labeled images, as numbers and text."""

    metrics: Json
    """metrics.json as it is."""
    use: Use
    """Whether to use the classifier: `yes`, `care` (with care) or `no`."""
    headline: str
    """The verdict in one or two sentences."""
    reasons: list[Reason]
    """Why, and the further limitations of the result; the most serious first."""
    words: list[str]
    """Paragraphs that explain the numbers."""
    values: list[MetricValue]
    intervals: str
    """Description of the confidence intervals."""
    tested_on: str
    per_class: list[ClassResult]
    confusion: Confusion
    roc: list[RocCurve]
    roc_averages: list[RocCurve]
    """Averages over all classes; empty for two classes."""
    precision_recall: list[PrecisionRecallCurve]
    precision_recall_averages: list[PrecisionRecallCurve]
    calibration: CalibrationPlot | None
    by_domain: list[DomainResult]
    decided: str
    """Effect of the limit for `uncertain` on these images; empty if there is none."""
    n_mistakes: int
    verdicts: dict[str, str]
    """The result of a section in a sentence, by its name."""
    sections: list[ReportSection]
    """All sections of the report, from top to bottom."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparableEvaluation(DocumentedFields):
    """An evaluation of another run on the same dataset."""

    id: str
    name: str
    """Name of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationResults(Measurement):
    """Results of a run on an external test set, and the difference from its own test set."""

    against_own_test: list[Difference]
    """For each headline metric, `first` on the run's own test set, `second` on this one, and the difference of these
    independent numbers."""
    test_set: Headline | None
    """The result on the run's own test set."""
    primary: str
    """Name of the run's primary metric."""
    comparable: list[ComparableEvaluation]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Measurement):
    """Results of a run on its test set, as in its report."""

    methods: list[str]
    """A methods paragraph for a paper, in three parts."""
    folds: list[FoldResult] | None
    """The metrics of each fold; null without folds."""
    facts: list[tuple[str, str]]
    """Key facts: name and value."""
    learning_curve: LearningCurve | None
    """Expected results with twice as many images; null without a learning curve."""
    leakage_estimate: LeakageEstimate | None
    """The result of an image-level split; null if it was not requested."""


def results_of(workspace: Workspace, run_id: str) -> Results:
    """Return the results of a run. They are computed once for each state of its files.

    Raises:
        NotFound: there is no such run.
        Conflict: it has no results yet.
    """
    job = find_job(workspace, run_id, "train")
    if not job.run.is_measured:
        raise Conflict("no-results-yet")
    return stored_result(job.id, Results, _stamp(job.run), lambda: _results(read_run(job.folder)))


def evaluation_results_of(workspace: Workspace, evaluation_id: str) -> EvaluationResults:
    """Return the results of an evaluation on an external test set.

    Raises:
        NotFound: there is no such evaluation.
        Conflict: it has no results yet.
    """
    job = find_job(workspace, evaluation_id, "evaluate")
    if not job.run.is_measured:
        raise Conflict("no-evaluation-results-yet")
    results = stored_result(
        job.id, EvaluationResults, _stamp(job.run), lambda: _evaluation_results(read_evaluation(job.folder))
    )
    return replace(
        results,
        tested_on=text("images-of-evaluation", name=job.name),  # its folder has another name
        comparable=_comparable(workspace, job),
    )


def _comparable(workspace: Workspace, job: Job) -> list[ComparableEvaluation]:
    """Return finished evaluations of other runs on the same dataset, the newest first."""
    names = {run.id: run.name for run in all_jobs(workspace, "train") if run.id != job.classifier_id}
    return [
        ComparableEvaluation(id=evaluation.id, name=names[evaluation.classifier_id])
        for evaluation in all_jobs(workspace, "evaluate")
        if evaluation.dataset_id == job.dataset_id is not None
        and evaluation.classifier_id in names
        and evaluation.run.is_measured
    ]


def _evaluation_results(run: ReportedRun) -> EvaluationResults:
    own_metrics = run.run.metrics.metrics if run.run.is_measured else {}
    return EvaluationResults(
        **_measurement(run),
        against_own_test=[
            _difference_from_test_set(metric, own_metrics[metric.name], run.metrics[metric.name])
            for metric in metric_rows.metrics(run)
            if METRICS[metric.name].is_compared and metric.name in own_metrics
        ],
        test_set=headline_of(run.run) if own_metrics else None,
        primary=run.metrics.primary,
        comparable=[],
    )


def _difference_from_test_set(result: MetricValue, own_metric: Metric, metric: Metric) -> Difference:
    difference = independent_difference(own_metric, metric, ("own test set", "external test set"))
    has_interval = difference.low is not None and difference.high is not None
    return Difference(
        **values_by_field(metric_rows.measured(result.name, difference)),
        first=own_metric.value,
        second=metric.value,
        p=None,
        is_shown=has_interval and not (difference.low or 0) <= 0 <= (difference.high or 0),
    )


def stored_result(job_id: str, kind: type[Result], stamp: str, compute: Callable[[], Result]) -> Result:
    """Return the stored result of a job with this stamp; otherwise compute and store it.

    Args:
        job_id: the job.
        kind: the type of its result.
        stamp: as of `stamp_of`.
        compute: computes the result.
    """
    adapter: TypeAdapter[Result] = _adapter(kind)  # type: ignore[arg-type]  # classes have a hash
    with RecordStore(RESULTS, job_id) as store:
        stored = store.find([stamp]).get(stamp)
        if stored is not None:
            return adapter.validate_json(stored)
        result = compute()
        store.keep({stamp: adapter.dump_json(result, round_trip=True)})
        return result


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:  # Any: one of two
    """Return the adapter of a type. It is built on first use, because that takes time."""
    return TypeAdapter(kind)


def _stamp(run: Run) -> str:
    files = [
        run.metrics_file,
        run.predictions_file,
        run.learning_curve_file,
        run.test_set_accesses_file,
        run.label_errors_file,
        run.training_file,
        run.split_file,
        run.inspection_file,
        run.environment_file,
    ]
    if run.is_evaluation:  # it is compared with the test set of the run
        files += [run.parent_run.metrics_file, run.parent_run.training_file]
    return stamp_of(*files, about=(*SECTIONS, *METRICS))


def stamp_of(*files: Path, about: Sequence[object]) -> str:
    """Return a key of a result that changes with the language, the code, the files, and anything else it is about."""
    stats = [file.stat() for file in files if file.is_file()]
    content = [language(), _code_fingerprint(), *about, *((stat.st_mtime_ns, stat.st_size) for stat in stats)]
    return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


@cache
def _code_fingerprint() -> str:
    """Return a key that changes with the code and texts of results, also in a checkout, whose version stays."""
    workspace = Path(__file__).parent.parent
    rooms = ("evaluation", "inference", "messages", "reports", "runs")
    folders = (*(workspace.parent / room for room in rooms), workspace / "predictions")
    return fingerprint_of_code(*folders, Path(__file__))


def fingerprint_of_code(*paths: Path) -> str:
    """Return a hash of the content of Python files and texts, including those in folders."""
    files = [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*.*")))]
    files = [file for file in files if file.suffix in (".py", ".ftl")]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _results(run: ReportedRun) -> Results:
    folds = metric_rows.folds(run)
    with in_language(ENGLISH):  # texts of the report
        paragraphs = methods(run)
    return Results(
        **_measurement(run),
        methods=paragraphs,
        folds=None if folds is None else folds.rows,
        facts=metric_rows.facts(run),
        learning_curve=run.run.learning_curve,
        leakage_estimate=run.leakage_estimate,
    )


def _measurement(run: ReportedRun) -> dict[str, Any]:  # Any: each field has its own type
    """Return the fields of a measurement."""
    has_numbers = run.metrics["accuracy"].value is not None
    classes, verdict = metric_rows.classes(run), verdict_of_run(run)
    with in_language(ENGLISH):  # texts of the report
        sections = [as_data(section.content(run), run.measured.figures_folder) for section in sections_of(run)]
    return {
        "use": verdict.use,
        "headline": verdict.headline if has_numbers else "",
        "words": [*filter(None, (" ".join(lead(run, verdict)), run.delivered_words))] if has_numbers else [],
        "reasons": list(verdict.reasons),
        "intervals": reported.interval_words(run),
        "tested_on": run.split_words,
        "verdicts": _verdicts(run),
        "sections": sections,
        "metrics": metrics_as_json(run.metrics),
        "values": metric_rows.metrics(run),
        "per_class": classes,
        "confusion": Confusion(classes=run.classes, counts=run.metrics.confusion_matrix),
        "roc": _roc(run, classes),
        "roc_averages": [
            RocCurve(class_name=each.name, fpr=each.curve.x, tpr=each.curve.y, auroc=each.value)
            for each in roc_averages(run)
            if each.curve
        ],
        "precision_recall": _precision_recall(run),
        "precision_recall_averages": [
            PrecisionRecallCurve(class_name=each.name, recall=each.curve.x, precision=each.curve.y, ap=each.value)
            for each in pr_averages(run)
            if each.curve
        ],
        "calibration": _calibration(run),
        "by_domain": metric_rows.domains(run),
        "decided": uncertain_words(run),
        "n_mistakes": n_mistakes(run),
    }


def _verdicts(run: ReportedRun) -> dict[str, str]:
    """Return the result of each section in a sentence, in the language of the request."""
    is_own = run.evaluation is None
    return {
        section.name: section.verdict(run)
        for section in SECTIONS.values()
        if section.verdict is not None and (is_own or not section.is_about_training)
    }


def _roc(run: ReportedRun, classes: Sequence[ClassResult]) -> list[RocCurve]:
    """Return the curves of each class against all others. Undefined curves are skipped."""
    tested = run.tested
    if tested is None:
        return []
    curves = [(row, roc_curve(tested.probability[:, k], tested.label == k)) for k, row in enumerate(classes)]
    return [
        RocCurve(class_name=row.name, fpr=curve.x, tpr=curve.y, auroc=row.value("auroc"))
        for row, curve in curves
        if curve
    ]


def _precision_recall(run: ReportedRun) -> list[PrecisionRecallCurve]:
    """Return the curves of each class. Undefined curves are skipped."""
    curves, tested = [], run.tested
    for k, name in enumerate(run.classes if tested is not None else ()):
        assert tested is not None
        score, is_class = tested.probability[:, k], tested.label == k
        if curve := pr_curve(score, is_class):
            ap = run.metrics.per_class[name].metrics["average_precision"].value
            curves.append(PrecisionRecallCurve(class_name=name, recall=curve.x, precision=curve.y, ap=ap))
    return curves


def _calibration(run: ReportedRun) -> CalibrationPlot | None:
    tested, uncalibrated = run.tested, metric_rows.uncalibrated(run)
    if tested is None:
        return None
    return CalibrationPlot(
        error=metric_rows.calibration_error(run),
        error_before=metric_rows.calibration_error(run, is_before=True),
        mean_confidence=float(tested.probability.max(axis=1).mean()),
        accuracy=float((tested.probability.argmax(axis=1) == tested.label).mean()),
        before=None if uncalibrated is None else reliability_bins(uncalibrated, tested.label),
        after=reliability_bins(tested.probability, tested.label),
    )


# The decision threshold.


def thresholds(workspace: Workspace, run_id: str) -> Thresholds:
    """Return the possible thresholds of a classifier of two classes.

    Raises:
        NotFound: there is no such run.
        Conflict: it is not finished, or does not have two classes.
    """
    thresholds_of_run = thresholds_of(_finished(workspace, run_id).run)
    if thresholds_of_run is None:
        raise Conflict("no-threshold-to-choose")
    return thresholds_of_run


_deciding = threading.Lock()  # a change writes several files


def set_decision(
    workspace: Workspace,
    run_id: str,
    choices: Mapping[str, Any],  # Any: several types
) -> Thresholds:
    """Change the decision threshold of a run, and update its results and report.

    Args:
        workspace: the workspace.
        run_id: the run.
        choices: recipe keys of the decision rule.

    Raises:
        NotFound, Conflict: as `thresholds`.
        BadRecipe: a choice is not valid.
        BadRun: its images are missing.
    """
    with _deciding:
        pipeline.decide(find_owned_job(workspace, _finished(workspace, run_id).id).folder, **choices, emit=ignore)
        return thresholds(workspace, run_id)


def _finished(workspace: Workspace, run_id: str) -> Job:
    job = find_job(workspace, run_id, "train")
    if not job.run.is_done or not job.run.is_measured:
        raise Conflict("no-results-yet")
    return job


# Files and downloads.

_CHUNK = 1024 * 1024
_COMPRESSED_SUFFIXES = frozenset({".safetensors", ".png", ".npy", ".pt", ".zip"})
_LOCAL = frozenset({"checkpoints", "exports"})  # for resuming in place, and with downloads of their own
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # so that the same run gives the same bytes


JobFile = Literal["report", "model-card", "predictions", "recipe", "confusion-matrix", "results"]


def file_of_job(job: Job, name: JobFile) -> Path:
    """Return a file of a training, an evaluation or a study.

    Raises:
        Conflict: the job has not written it yet.
    """
    files = {
        "report": job.run.report_file,
        "model-card": job.run.model_card_file,
        "predictions": job.run.predictions_file,
        "recipe": job.run.recipe_file,
        "confusion-matrix": job.run.confusion_file,
        "results": job.folder / "results.csv",
    }
    return _existing(files[name])


def figure_of_job(job: Job, name: str) -> Path:
    """Return a file of a figure in the report of a job; raises as `file_of_job`."""
    return _existing(job.run.figures_folder / name)


def _existing(file: Path) -> Path:
    if file.is_file():
        return file
    raise Conflict("no-run-file-yet", name=file.name)


def classifier_of(workspace: Workspace, run_id: str) -> tuple[str, IO[bytes]]:
    """Return the name of a run's classifier file, and the file open for reading.

    Raises:
        NotFound: there is no such run.
        Conflict: it has no classifier yet.
        BadClassifier: the classifier is damaged.
    """
    job = find_job(workspace, run_id, "train")
    if not job.run.has_classifier:
        raise Conflict("no-classifier-yet")
    workspace.downloads.mkdir(exist_ok=True)
    # The file is removed as soon as it is open; on systems that keep open files, at the next start of the app.
    with tempfile.TemporaryDirectory(dir=workspace.downloads, ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "classifier.coverslip"
        export_classifier(job.folder, file)
        return f"{job.folder.name}.coverslip", file.open("rb")


def file_chunks(file: IO[bytes], mark: bytes = b"") -> Iterator[bytes]:
    """Yield a mark, if there is one, and the bytes of an open file in chunks, then close it."""
    with file:
        if mark:
            yield mark
        while chunk := file.read(_CHUNK):
            yield chunk


def disposition(name: str) -> str:
    """Return the header that makes a browser save the response as a file."""
    quoted = quote(name)
    return f'attachment; filename="{name}"' if quoted == name else f"attachment; filename*=UTF-8''{quoted}"


def zipped_run(workspace: Workspace, run_id: str) -> tuple[str, Iterator[bytes]]:
    """Return the name of a zip of the run's folder, and its bytes, as they are produced.

    Raises:
        NotFound: there is no such run.
        Conflict: the run has not started.
    """
    folder = find_job(workspace, run_id, "train").folder
    if not folder.is_dir():
        raise Conflict("no-run-folder-yet")
    return f"{folder.name}.zip", zipped(folder, folder.name)


def zipped(folder: Path, name: str) -> Iterator[bytes]:
    """Yield the bytes of a zip of a folder, which is called `name` there."""
    pipe, roots = _Pipe(), (folder.resolve(),)
    files = sorted(file for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    with zipfile.ZipFile(pipe, "w", allowZip64=True) as archive:  # type: ignore[call-overload]  # only written to
        for file in files:
            if file.suffix == ".part" or not _LOCAL.isdisjoint(file.relative_to(folder).parts):
                continue
            entry = zipfile.ZipInfo(f"{name}/{file.relative_to(folder).as_posix()}", _FIXED_TIME)
            compression = zipfile.ZIP_STORED if file.suffix in _COMPRESSED_SUFFIXES else zipfile.ZIP_DEFLATED
            entry.compress_type, entry.create_system, entry.external_attr = compression, 3, 0o100644 << 16
            with open_below(file, roots) as source, archive.open(entry, "w", force_zip64=True) as target:
                yield from _copied(source, target, pipe)
    yield pipe.take()


def _copied(source: IO[bytes], target: IO[bytes], pipe: "_Pipe") -> Iterator[bytes]:
    while chunk := source.read(_CHUNK):
        target.write(chunk)
        if data := pipe.take():
            yield data


class _Pipe:
    """The target of a zip: it buffers bytes until `take` returns them."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None: ...

    def take(self) -> bytes:
        data = bytes(self._waiting)
        self._waiting.clear()
        return data
