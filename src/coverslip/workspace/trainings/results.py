"""Results of a finished training or evaluation: verdict and sections of the report as data, and downloads."""

import hashlib
import io
import json
import tempfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter
from sqlalchemy import select

from coverslip.cache.stores import Kind, RecordStore
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict, CoverslipError
from coverslip.evaluation.table import METRICS
from coverslip.events import ignore
from coverslip.experiments.rethreshold import Thresholds, thresholds_of
from coverslip.files import resolved_path
from coverslip.images.confining import open_below
from coverslip.messages import language
from coverslip.reports import metric_rows
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.reports.reported import ReportedRun, read_evaluation, read_run
from coverslip.reports.sections import SECTIONS, sections_of
from coverslip.reports.sections.images import n_mistakes
from coverslip.reports.sections.results import uncertain_words
from coverslip.reports.verdict import Action, Reason, Use, lead, verdict_of_run
from coverslip.runs.classifier import export_classifier
from coverslip.runs.documents import object_of
from coverslip.runs.folder import IN_MEMORY_TABLE, Run
from coverslip.runs.images import image_table_text
from coverslip.runs.prediction_tables import table_of_objects
from coverslip.runs.predictions import Prediction
from coverslip.runs.recipe_keys import as_yaml, read_yaml, with_paths
from coverslip.runs.results import metrics_as_json
from coverslip.workspace.jobs.records import Job, Json, all_jobs, find_job, find_owned_job
from coverslip.workspace.store.rows import reserved_counts, source_paths
from coverslip.workspace.store.tables import datasets, jobs
from coverslip.workspace.store.workspace import Workspace

RESULTS = Kind("app-results", bound_bytes=5 * 10**8)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement(DocumentedFields):
    """Results of a classifier on labeled images."""

    metrics: Json
    """metrics.json as it is."""
    use: Use
    """Whether to use the classifier: `yes`, `care` (with care), `unknown` or `no`."""
    headline: str
    """The verdict in one or two sentences."""
    reasons: list[Reason]
    """Why, and the further limitations of the result; the most serious first."""
    action: Action
    """What would change the verdict; empty if no single action would."""
    next_step: str
    """The action in words; empty if there is none."""
    words: list[str]
    """Paragraphs that explain the numbers."""
    decided: str
    """Effect of the limit for `uncertain` on these images; empty if there is none."""
    n_mistakes: int
    decisions: dict[str, int]
    """Number of images by decision: a class, or `uncertain`, `unfamiliar` or `unreadable`."""
    examples: list[list[int | None]]
    """For each cell of the confusion matrix, the row of its image with the highest probability; null: no image."""
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
    """Results of a run on an external test set."""

    comparable: list[ComparableEvaluation]
    adapted_run: str | None = None
    """The latest adaptation of the classifier to these images; null: there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results(Measurement):
    """Results of a run on its test set, as in its report."""

    facts: list[tuple[str, str]]
    """Key facts: name and value."""
    n_reserved: int = 0
    """Images of the random test set that its dataset has reserved now; 0: none."""
    n_reserved_labeled: int = 0
    """These with a label: the test set of the next training."""
    adapt_to: str | None = None
    """If the action is to adapt the classifier: the dataset of the latest external test that fails, or of the
    adaptation. null: these images are in no dataset."""
    adapted_run: str | None = None
    """The latest adaptation to this dataset; of an adapted classifier, a later one. null: there is none."""
    adapted_matrix: list[list[int]]
    """Confusion matrix of the labels of the laboratory that it was adapted to, each predicted without using it. Empty:
    there are none."""


def results_of(workspace: Workspace, run_id: str) -> Results:
    """Return the results of a run. They are computed once for each state of its files.

    Raises:
        NotFound: there is no such run.
        Conflict: it has no results yet.
    """
    job = find_job(workspace, run_id, "train")
    if not job.run.is_measured:
        raise Conflict("no-results-yet")
    results = stored_result(job.id, Results, _stamp(job.run), lambda: _results(read_run(job.folder)))
    with workspace.engine.connect() as connection:
        n_reserved, n_labeled = reserved_counts(connection, job.dataset_id or "")
    adapt_to = _dataset_to_adapt_to(workspace, job) if results.action == "adapt" else None
    adapted_run = _latest_adaptation(workspace, job, adapt_to)
    return replace(
        results, n_reserved=n_reserved, n_reserved_labeled=n_labeled, adapt_to=adapt_to, adapted_run=adapted_run
    )


def _dataset_to_adapt_to(workspace: Workspace, job: Job) -> str | None:
    """Return the dataset of the latest external test that fails, else that of the adaptation of a training."""
    for test in all_jobs(workspace, "evaluate", jobs.c.classifier_id == job.id):  # the newest first
        if test.run.is_measured and evaluation_results_of(workspace, test.id).action == "adapt":
            return test.dataset_id
    if job.run.adaptation is None or not (adapted := adapted_from(job)):
        return None
    _, *sources = adapted
    with workspace.engine.connect() as connection:
        rows = connection.execute(select(datasets).where(datasets.c.removed.is_(None))).all()
    return next((row.id for row in rows if source_paths(row) == sources), None)


def _latest_adaptation(workspace: Workspace, job: Job, dataset_id: str | None) -> str | None:
    """Return the latest adaptation of a training to the images of a dataset; of an adapted one, a later one."""
    with workspace.engine.connect() as connection:
        is_dataset = (datasets.c.id == dataset_id) & datasets.c.removed.is_(None)
        row = connection.execute(select(datasets).where(is_dataset)).one_or_none()
    if row is None:
        return None
    first, *_ = adapted_from(job) or [str(job.folder)]
    adapted = [first, *source_paths(row)]
    newer = takewhile(lambda each: each.id != job.id, all_jobs(workspace, "train"))  # the newest first
    return next((each.id for each in newer if each.run.is_measured and adapted_from(each) == adapted), None)


def adapted_from(job: Job) -> list[str]:
    """Return the folder of the training that was adapted, and the images; none: it is no adaptation of the app."""
    is_adaptation = "adapt" in job.command[:3] and "--" in job.command
    return list(job.command[job.command.index("--") + 1 :]) if is_adaptation else []


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
        job.id,
        EvaluationResults,
        _stamp(job.run),
        lambda: EvaluationResults(**_measurement(read_evaluation(job.folder)), comparable=[]),
    )
    adapted_run = None
    if results.action == "adapt" and job.classifier_id is not None:
        adapted_run = _latest_adaptation(workspace, find_job(workspace, job.classifier_id), job.dataset_id)
    return replace(results, comparable=_comparable(workspace, job), adapted_run=adapted_run)


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
        run.checks_file,
        run.training_file,
        run.split_file,
        run.inspection_file,
        run.environment_file,
        run.adaptation_file,
    ]
    if run.is_evaluation:  # it is compared with the test set of the run
        files += [run.parent_run.metrics_file, run.parent_run.training_file]
    else:  # external tests that fail are in the verdict
        files += [evaluation.metrics_file for evaluation in run.evaluations]
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
    adapted = run.run.adaptation
    matrix = [list(row) for row in adapted.confusion_matrix] if adapted else []
    return Results(**_measurement(run), facts=metric_rows.facts(run), adapted_matrix=matrix)


def _measurement(run: ReportedRun) -> dict[str, Any]:  # Any: each field has its own type
    """Return the fields of a measurement."""
    has_numbers, verdict = run.metrics["accuracy"].value is not None, verdict_of_run(run)
    return {
        "use": verdict.use,
        "headline": verdict.headline if has_numbers else "",
        "action": verdict.action if has_numbers else "",
        "next_step": verdict.next_step if has_numbers else "",
        "words": [*filter(None, (" ".join(lead(run, verdict)), run.delivered_words))] if has_numbers else [],
        "reasons": list(verdict.reasons),
        "verdicts": _verdicts(run),
        "sections": [as_data(section.content(run), run.measured.figures_folder) for section in sections_of(run)],
        "metrics": metrics_as_json(run.metrics),
        "decided": uncertain_words(run),
        "n_mistakes": n_mistakes(run),
        "decisions": dict(Counter(row.decision for row in _rows(run))),
        "examples": _examples(run),
    }


def _rows(run: ReportedRun) -> Sequence[Prediction]:
    """Return the rows of the measured images; none if their table is missing."""
    return run.measured.predictions.rows if run.measured.predictions_file.is_file() else ()


def _examples(run: ReportedRun) -> list[list[int | None]]:
    """Return the row with the highest probability in each cell of the confusion matrix."""
    row_of = dict[tuple[str | None, str | None], int]()
    if (tested := run.tested) is not None:
        for i in tested.probability_of_predicted.argsort(kind="stable"):
            row_of[tested.rows[i].label, tested.rows[i].predicted] = int(tested.place[i])
    return [[row_of.get((label, predicted)) for predicted in run.classes] for label in run.classes]


def _verdicts(run: ReportedRun) -> dict[str, str]:
    """Return the result of each section in a sentence, in the language of the request."""
    is_own = run.evaluation is None
    return {
        section.name: section.verdict(run)
        for section in SECTIONS.values()
        if section.verdict is not None and (is_own or not section.is_about_training)
    }


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
    from coverslip.pipeline import decide

    with _deciding:
        decide(find_owned_job(workspace, _finished(workspace, run_id).id).folder, **choices, emit=ignore)
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


JobFile = Literal["report", "model-card", "predictions", "objects-table", "recipe", "confusion-matrix", "results"]


def file_of_job(job: Job, name: JobFile) -> Path:
    """Return a file of a training, an evaluation, a prediction or a study.

    Raises:
        Conflict: the job has not written it yet.
    """
    files = {
        "report": job.run.report_file,
        "model-card": job.run.model_card_file,
        "predictions": job.run.predictions_file,
        "objects-table": table_of_objects(job.run.predictions_file),
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
    return f"{folder.name}.zip", zipped(folder, folder.name, is_run=True)


def _portable(source: IO[bytes], file: Path, folder: Path) -> IO[bytes]:
    """Return the content of a file of a run with absolute paths of what is not in the run's folder.

    In a workspace, they are relative to the file, and would lead to other files where the run is unpacked.
    """

    def stated(path: str) -> str:
        absolute = resolved_path(path, file.parent)
        return path if Path(absolute).is_relative_to(folder) else absolute

    def converted(name: str, value: Any) -> Any:  # Any: JSON values
        match value:
            case str() if name in ("root", "sources"):
                return stated(value)
            case list():
                return [converted(name, each) for each in value]
            case dict():
                return {key: converted(key, each) for key, each in value.items()}
        return value

    run, table = Run(file.parent), Run(file.parents[1]).in_memory_folder / IN_MEMORY_TABLE
    if file not in (run.recipe_file, run.environment_file, run.inspection_file, table):
        return source
    data = source.read()
    with suppress(CoverslipError, UnicodeError):  # a damaged file is sent as it is
        if file == run.recipe_file:
            data = as_yaml(with_paths(read_yaml(data.decode(), file)[0], stated)).encode()
        elif file == table:
            data = image_table_text(file, stated).encode()
        else:
            data = json.dumps(converted("", object_of(data, file)), indent=2).encode()
    return io.BytesIO(data)


def zipped(folder: Path, name: str, *, is_run: bool = False) -> Iterator[bytes]:
    """Yield the bytes of a zip of a folder, which is called `name` there; `is_run`: with paths that can be moved."""
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
                yield from _copied(_portable(source, file, folder) if is_run else source, target, pipe)
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
