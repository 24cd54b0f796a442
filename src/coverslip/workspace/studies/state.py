"""The state of studies and their trainings, their results, and further analyses of the trainings."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRecipe, BadRun, Conflict, CoverslipError, NotFound
from coverslip.evaluation.table import METRICS
from coverslip.events import Emit
from coverslip.files import sha256_json
from coverslip.processes import Json
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.runs.documents import read_object
from coverslip.runs.folder import is_run
from coverslip.runs.progress import Work
from coverslip.runs.recipe_keys import as_yaml
from coverslip.studies.cells import Cell as StudyCell
from coverslip.studies.cells import CellWord, as_trained, cells_of, finished
from coverslip.studies.cells import state_of as state_of_cell
from coverslip.studies.comparing import DatasetComparison, StudyComparison, verdict
from coverslip.studies.plan import StudyPlan, load_plan
from coverslip.studies.presets import PRESETS, notes_of_plan
from coverslip.studies.published import publication_of
from coverslip.studies.report import result_of, study_sections
from coverslip.studies.study import study_comparison
from coverslip.workspace.datasets.labels import refuse_exchanged_files
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.queue import TRAININGS_QUEUE
from coverslip.workspace.jobs.records import (
    Job,
    JobFacts,
    JobFolders,
    JobKind,
    add_job,
    all_jobs,
    end_time,
    facts_of,
    find_job,
    find_jobs,
    find_owned_job,
    folded_log,
    has_ended,
    has_process,
    job_kinds,
    register,
    register_function,
    state_of,
    status_of,
)
from coverslip.workspace.store import tables
from coverslip.workspace.store.rows import Page, Paging, dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import PlannedTraining, planned


def _list_unlisted(workspace: Workspace, folders: JobFolders) -> None:
    """List the trainings of studies whose run folders exist. The process of the study does not know the workspace."""
    for study_id, folder in folders.of_kind.get(STUDY.name, {}).items():
        run_folders = (*folder.glob("cells/*"), *folder.glob("pretraining/*"))
        unlisted = {each for each in run_folders if str(each) not in folders.listed and is_run(each)}
        if not unlisted:
            continue
        with suppress(BadRecipe, NotFound):  # the page of a study reports a damaged plan; the study may be removed now
            study = find_job(workspace, study_id, STUDY.name)
            for cell in cells_in(folder):
                if cell.run.folder in unlisted:
                    _list(workspace, study, cell)


def _list(workspace: Workspace, study: Job, cell: StudyCell) -> None:
    path = cell.dataset.path[0] if len(cell.dataset.path) == 1 else ""  # several as one are no dataset of the workspace
    add_job(
        workspace,
        id=sha256_json([study.id, cell.name])[:10],  # the same after the study is deleted and restored
        kind="train",
        name=f"{study.name}: {cell.label}" + (f", {cell.repeat}" if cell.repeat > 1 else ""),
        dataset_id=study.choices["dataset_of"].get(path),
        dataset_name=cell.dataset.name,
        study_id=study.id,
        folder=str(cell.run.folder),
        command=["-m", "coverslip", "train", f"--resume={cell.run.folder}"],
        choices=cell.recipe.model_dump(mode="json"),
        state="started",
        queued=None,
        created=study.created,  # its labels are those of that time
        image_keys=study.choices.get("keys_of", {}).get(path),
    )


@dataclass(frozen=True, slots=True)
class StudyTraining(PlannedTraining):
    """The current state of a training of a study."""

    state: CellWord
    run_id: str | None
    """The run of the training; null before its start."""
    value: float | None
    """The primary metric of the study, the mean of folds; null until it is done."""
    seconds: float | None
    """Duration of a finished training."""
    share: float | None
    """Progress of a running training."""
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyState(JobFacts):
    """The current state of a study."""

    kind: Literal["study"]
    preset: str | None
    """Null if its networks were chosen without a preset."""
    publication: str | None
    """The short title of the publication of the preset."""
    dataset_names: list[str]
    is_small: bool
    arms: list[str]
    """Recipes and protocols that are compared; empty: none."""
    budget_seconds: float | None
    """The time limit of each start or resumption; null if there is none."""
    n_trainings: int
    n_done: int
    n_failed: int
    seconds_left: float | None
    has_comparison: bool
    """Whether a comparison exists; it is written when the study ends or is stopped."""


@dataclass(frozen=True, slots=True)
class StudyStory(StudyState):
    """A study with the details of its page."""

    metric_title: str
    folds: int
    """Number of cross-validation folds; 0: one split."""
    trainings: list[StudyTraining]
    notes: list[str]
    """Differences from the publication."""
    plan_text: str
    """`study.yaml` for the command line."""


def list_studies(workspace: Workspace, paging: Paging) -> Page[StudyState]:
    """Return the studies, the newest first."""
    jobs = all_jobs(workspace, STUDY.name)
    return Page([state_of_study(workspace, job) for job in paging.of(jobs)], len(jobs))


def study_story(workspace: Workspace, job: Job) -> StudyStory:
    """Return a study with its trainings.

    Raises:
        BadRecipe: its plan is damaged.
    """
    state = state_of_study(workspace, job)
    plan = plan_in(job.folder)
    return StudyStory(
        **{each.name: getattr(state, each.name) for each in fields(StudyState)},
        metric_title=METRICS[plan.primary_metric].title,
        folds=plan.folds,
        trainings=trainings_of(workspace, job),
        notes=[str(each) for each in notes_of_plan(plan, [as_trained(cell) for cell in cells_in(job.folder)])],
        plan_text=as_yaml(plan.model_dump(mode="json", exclude_defaults=True)),
    )


def state_of_study(workspace: Workspace, job: Job) -> StudyState:
    """Return the state of a study."""
    status = status_of(job)
    state = state_of(job, status)
    states: list[CellWord] = []
    names: list[str] = []
    arms: list[str] = []
    facts = facts_of(workspace, job, status, state)
    preset = job.choices.get("preset")
    try:
        states = [state_of_cell(cell).state for cell in cells_in(job.folder)]
        plan = plan_in(job.folder)
        names, arms = [dataset.name for dataset in plan.datasets], [arm.name for arm in plan.arms]
        if state == "done" and set(states) == {"failed"}:
            facts["state"] = "failed"
    except BadRecipe as damaged:  # a damaged study must not hide the others
        state = "failed"
        facts |= {"state": state, "error": damaged.failure, "ended": end_time(state, status)}
    return StudyState(
        **facts,
        kind="study",
        preset=preset,
        publication=publication_of(preset).publication if preset in PRESETS else None,
        dataset_names=names,
        is_small=bool(job.choices.get("is_small")),
        arms=arms,
        budget_seconds=job.choices.get("budget_seconds"),
        n_trainings=len(states),
        n_done=states.count("done"),
        n_failed=states.count("failed"),
        seconds_left=status.seconds_left if status is not None and state == "running" else None,
        has_comparison=(job.folder / _COMPARISON_FILE).is_file(),
    )


def trainings_of(workspace: Workspace, study: Job) -> list[StudyTraining]:
    """Return the current state of the trainings of a study, in the order of their start."""
    runs = {job.folder: job for job in all_jobs(workspace, "train", tables.jobs.c.study_id == study.id)}
    metric = plan_in(study.folder).primary_metric
    return [_training(cell, runs.get(cell.run.folder), metric) for cell in cells_in(study.folder)]


def plan_in(folder: Path) -> StudyPlan:
    """Return the plan of a study.

    Raises:
        BadRecipe: it is damaged.
    """
    file = folder / "study.yaml"
    return _read_plan(file, _version(file))[0]


def cells_in(folder: Path) -> list[StudyCell]:
    """Return the trainings of the plan of a study.

    Raises:
        BadRecipe: it is damaged.
    """
    file = folder / "study.yaml"
    return _read_plan(file, _version(file))[1]


def _version(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


@lru_cache(maxsize=32)
def _read_plan(file: Path, version: int) -> tuple[StudyPlan, list[StudyCell]]:
    """Read a plan, cached by the version of its file: watchers read it twice a second."""
    plan = load_plan(file)
    return plan, cells_of(plan, file.parent)


def _training(cell: StudyCell, run: Job | None, metric: str) -> StudyTraining:
    cell_state = state_of_cell(cell)
    is_done = cell_state.state == "done"
    return StudyTraining(
        **{each.name: getattr(planned(cell), each.name) for each in fields(PlannedTraining)},
        state=cell_state.state,
        run_id=run.id if run is not None else None,
        value=_value(cell, metric) if is_done else None,
        seconds=_seconds(cell) if is_done else None,
        share=round(folded_log(run).progress.share, 3) if cell_state.state == "running" and run is not None else None,
        error=cell_state.error,
    )


def _value(cell: StudyCell, metric: str) -> float | None:
    with suppress(CoverslipError):
        evaluation = cell.run.metrics
        # As in the comparison: the mean of the folds, which the metric of all images together can differ from.
        metrics = evaluation.metrics if evaluation.folds is None else evaluation.folds.mean
        return None if metric not in metrics else metrics[metric].value
    return None


def _seconds(cell: StudyCell) -> float | None:
    try:
        return None if cell.run.status is None else cell.run.status.seconds_worked
    except BadRun:
        return None


def _progress(job: Job) -> Work | None:
    with suppress(BadRecipe):
        states = [state_of_cell(cell).state for cell in cells_in(job.folder)]
        status = status_of(job)
        n_ended = states.count("done") + states.count("failed")
        return Work(done=n_ended, total=len(states), seconds_left=None if status is None else status.seconds_left)
    return None


STUDY = register(
    JobKind(
        name="study",
        queue=TRAININGS_QUEUE,
        can_be_submitted=True,
        story=study_story,
        progress=_progress,
        can_resume_finished=True,
        list_unlisted=_list_unlisted,
        refuse=refuse_exchanged_files,
    )
)


_COMPARISON = TypeAdapter(StudyComparison)
_COMPARISON_FILE = "comparison.json"


@dataclass(frozen=True, slots=True)
class StudyResults:
    """The comparison of a study as numbers, and the sections of its report."""

    comparison: StudyComparison
    result: str  # as a sentence
    sections: list[ReportSection]


def study_results(workspace: Workspace, study_id: str) -> StudyResults:
    """Return the results of a study so far.

    Raises:
        NotFound: there is no such study.
        Conflict: nothing was compared yet.
        BadRun: its file is damaged.
    """
    job = find_job(workspace, study_id, STUDY.name)
    comparison = comparison_of(job)
    sections = [as_data(section, job.folder / "figures") for section in study_sections(comparison)]
    return StudyResults(comparison, result_of(comparison), sections)


def comparison_of(job: Job) -> StudyComparison:
    """Return the results of a study so far.

    Raises:
        Conflict: nothing was compared yet.
        BadRun: its file is damaged or of a newer format.
    """
    if not (job.folder / _COMPARISON_FILE).is_file():
        raise Conflict("no-comparison-yet")
    return read_comparison(job.folder)


def read_comparison(folder: Path) -> StudyComparison:
    """Return the results in the folder of a study.

    Raises:
        BadRun: the file is damaged or of a newer format.
    """
    file = folder / _COMPARISON_FILE
    try:
        return _COMPARISON.validate_python(read_object(file))
    except ValidationError as error:
        raise BadRun("comparison-damaged", file=file) from error


@dataclass(frozen=True, slots=True)
class NetworkFinding(DocumentedFields):
    """The result of a network on a dataset in a study, with its best initial weights."""

    study_id: str
    study_name: str
    model: str
    way: str | None
    """Its name in the study, if that differs from the name of the network."""
    regime: str | None
    """Its best initial weights; null if the study compares none."""
    train_per_class: int | None
    """Training images of each class; null: all."""
    metric_title: str
    mean: float
    """Mean over splits."""
    n_splits: int
    baseline: str | None
    """The baseline of the comparison; null for the baseline itself."""
    verdict: str | None
    """Explanation of the comparison."""


def findings_on(workspace: Workspace, dataset_id: str) -> list[NetworkFinding]:
    """Return the results of studies on a dataset, the newest first. Damaged studies are ignored.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
    findings: list[NetworkFinding] = []
    for job in all_jobs(workspace, STUDY.name):
        with suppress(CoverslipError):  # the page of a study reports that it is damaged or has no comparison yet
            findings += _findings_of_study(job, dataset_id)
    return findings


def _findings_of_study(job: Job, dataset_id: str) -> Iterator[NetworkFinding]:
    paths = {path for path, path_dataset_id in job.choices["dataset_of"].items() if path_dataset_id == dataset_id}
    plan, results = plan_in(job.folder), comparison_of(job)
    for dataset in plan.reference_datasets:
        if len(dataset.path) == 1 and dataset.path[0] in paths:
            comparisons = [comparison for comparison in results.datasets if comparison.dataset == dataset.name]
            if comparisons:
                largest = max(comparisons, key=lambda comparison: comparison.train_per_class or float("inf"))
                yield from _findings_of_comparison(
                    job, plan, largest, METRICS[results.metric].title, is_higher_better=results.is_higher_better
                )


def _findings_of_comparison(
    job: Job, plan: StudyPlan, comparison: DatasetComparison, metric_title: str, *, is_higher_better: bool
) -> Iterable[NetworkFinding]:
    difference_of = {each.name: each for each in comparison.differences}
    measured = [row for row in comparison.scores if row.mean is not None]
    for model in plan.models:
        model_scores = [row for row in measured if row.model == model.name]
        if not model_scores or "model_options" in model.recipe:  # with options, it is another network
            continue
        best = max(model_scores, key=lambda row: (row.mean or 0.0) * (1 if is_higher_better else -1))
        difference = difference_of.get(best.name)
        network = str(model.recipe.get("model", model.name))
        yield NetworkFinding(
            study_id=job.id,
            study_name=job.name,
            model=network,
            way=None if network == model.name else model.name,
            regime=best.regime if len(plan.regimes) > 1 else None,
            train_per_class=comparison.train_per_class,
            metric_title=metric_title,
            mean=float(best.mean or 0.0),
            n_splits=best.n_splits,
            baseline=None if difference is None else difference.baseline,
            verdict=None if difference is None else verdict(difference, comparison),
        )


# Further analyses: prediction time, distances to pretraining images, and explanations.
#
# Each runs in a separate process, stores its results in the folder of the study and writes the comparison again.

# One kind: two analyses at a time would slow each other, and the prediction times would be wrong.
STUDY_ANALYSIS = register_function("study-analysis", "coverslip.workspace.studies.state:analyze_study")
ANALYSES = ("latency", "distances", "explanations")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyAnalysis(ResultState):
    """A further analysis of a study, and its progress."""

    kind: Literal["study-analysis"]


def analysis_state(workspace: Workspace, subject: str) -> StudyAnalysis:
    """Return the state of an analysis of a study; the subject is STUDY_ID.ANALYSIS.

    Raises:
        NotFound: there is no such study or analysis.
        BadRecipe: its plan is damaged.
        BadRun: its comparison is damaged.
    """
    study_id, _, name = subject.partition(".")
    study = find_job(workspace, study_id, STUDY.name)
    if name not in ANALYSES:
        raise NotFound("no-such-job")
    state = "ready" if name in _compared(study) else "not-requested" if name in _possible(study) else "not-possible"
    return StudyAnalysis(**computation(workspace, STUDY_ANALYSIS, subject).of_result(state))


def start_analysis(workspace: Workspace, subject: str) -> StudyAnalysis:
    """Start an analysis of a study, also if there are earlier results; return its state.

    Raises:
        NotFound: there is no such study or analysis.
        Conflict: the study has not ended, no training that the analysis needs has finished, or a training is running,
            which would make the measured prediction time wrong.
        BadRecipe, BadRun: as `analysis_state`.
    """
    state = analysis_state(workspace, subject)
    study_id, _, name = subject.partition(".")
    study = find_owned_job(workspace, study_id, STUDY.name)
    if not has_ended(state_of(study, status_of(study))):
        raise Conflict("study-not-ended")
    if state.state == "not-possible":
        raise Conflict("no-training-to-analyze", is_distance=name == "distances")
    if name == "latency" and (running := _running_trainings(workspace)):
        raise Conflict("training-while-timing", name=running[0].name)
    request_result(
        workspace,
        STUDY_ANALYSIS,
        subject,
        {"folder": str(study.folder), "analysis": name},
        name=study.name,
    )
    return analysis_state(workspace, subject)


def _possible(study: Job) -> Iterator[str]:
    cells = finished(cells_in(study.folder))
    if cells:
        yield from ("latency", "explanations")
    if any(cell.starts_from is not None for cell in cells):
        yield "distances"


def _running_trainings(workspace: Workspace) -> list[Job]:
    """Return the running trainings and studies. A process that only has to exit, with its results written, is none."""
    kinds = {kind.name for kind in job_kinds().values() if kind.queue == TRAININGS_QUEUE}
    started = [
        job for job in find_jobs(workspace, tables.jobs.c.state == "started") if job.kind in kinds and has_process(job)
    ]
    return [job for job in started if not has_ended(state_of(job, status_of(job)))]


def _compared(study: Job) -> Iterator[str]:
    """Yield the analyses whose results are in the comparison. Results of a canceled one are not."""
    try:
        comparison = comparison_of(study)
    except Conflict:
        return
    results = {
        "latency": comparison.latencies,
        "distances": comparison.distances,
        "explanations": comparison.heat_maps,
    }
    yield from (name for name in ANALYSES if results[name])


def analyze_study(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Measure prediction times or distances of a study, or draw explanations. The folder of the study stores them.

    Raises:
        CoverslipError: the study does not exist any more, or its files are damaged.
    """
    analysis = arguments["analysis"]
    study_comparison(
        arguments["folder"],
        bench=analysis == "latency",
        distances=analysis == "distances",
        explain=analysis == "explanations",
        emit=emit,
    )
