"""The state of studies and their trainings, and their results, read from their folders."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from coverslip.errors import BadRecipe, BadRun, Conflict, CoverslipError, NotFound
from coverslip.evaluation import METRICS
from coverslip.files import sha256_json
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.runs import is_run
from coverslip.runs.documents import read_object
from coverslip.runs.recipe import as_yaml
from coverslip.studies import Cell as StudyCell
from coverslip.studies import (
    CellWord,
    StudyComparison,
    StudyPlan,
    cells_of,
    load_plan,
    study_comparison,
    study_sections,
    verdict,
)
from coverslip.studies import state_of as state_of_cell
from coverslip.studies.comparing import DatasetComparison
from coverslip.workspace.datasets.snapshots import refuse_exchanged_files
from coverslip.workspace.jobs.kinds import (
    JobKind,
    JobProgress,
    StateSource,
    queued_ids,
    register,
)
from coverslip.workspace.jobs.queue import TRAININGS_QUEUE
from coverslip.workspace.jobs.records import Job, JobFolders, add_job, all_jobs, find_job
from coverslip.workspace.jobs.state import (
    JobFacts,
    end_time,
    facts_of,
    folded_log,
    state_of,
    status_of,
)
from coverslip.workspace.store.rows import Page, Paging, dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import PlannedTraining, planned
from coverslip.workspace.trainings.runs import Headline, headline_of


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
        image_keys=study.choices.get("keys_of", {}).get(path),
    )


@dataclass(frozen=True, slots=True)
class StudyTraining(PlannedTraining):
    """The current state of a training of a study."""

    state: CellWord
    run_id: Annotated[str | None, Field(description="The run of the training; null before its start.")]
    headline: Headline | None
    seconds: Annotated[float | None, Field(description="Duration of a finished training.")]
    share: Annotated[float | None, Field(description="Progress of a running training.")]
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyState(JobFacts):
    """The current state of a study."""

    kind: Literal["study"]
    folder: str
    preset: Annotated[str | None, Field(description="Null if its networks were chosen without a preset.")]
    dataset_names: list[str]
    is_small: bool
    arms: Annotated[list[str], Field(description="Recipes and protocols that are compared; empty: none.")]
    budget_seconds: Annotated[
        float | None, Field(description="The time limit of each start or resumption; null if there is none.")
    ]
    n_trainings: int
    n_done: int
    n_failed: int
    seconds_left: float | None
    has_comparison: Annotated[
        bool, Field(description="Whether a comparison exists; it is written when the study ends or is stopped.")
    ]
    queue_position: Annotated[int | None, Field(description="1 is next.")]


@dataclass(frozen=True, slots=True)
class StudyStory(StudyState):
    """A study with the details of its page."""

    metric_title: str
    folds: Annotated[int, Field(description="Number of cross-validation folds; 0: one split.")]
    trainings: list[StudyTraining]
    notes: Annotated[list[str], Field(description="Differences from the publication.")]
    plan_text: Annotated[str, Field(description="`study.yaml` for the command line.")]


def list_studies(workspace: Workspace, paging: Paging) -> Page[StudyState]:
    """Return the studies, the newest first."""
    jobs, queue = all_jobs(workspace, STUDY.name), queued_ids(workspace, TRAININGS_QUEUE)
    return Page([state_of_study(job, queue) for job in paging.of(jobs)], len(jobs))


def study_state(workspace: Workspace, study_id: str) -> StudyState:
    """Return the state of a study.

    Raises:
        NotFound: there is no such study.
    """
    return state_of_study(find_job(workspace, study_id, STUDY.name), queued_ids(workspace, TRAININGS_QUEUE))


def study_story(workspace: Workspace, study_id: str) -> StudyStory:
    """Return a study with its trainings.

    Raises:
        NotFound: there is no such study.
        BadRecipe: its plan is damaged.
    """
    job = find_job(workspace, study_id, STUDY.name)
    state = state_of_study(job, queued_ids(workspace, TRAININGS_QUEUE))
    plan = plan_in(job.folder)
    return StudyStory(
        **{each.name: getattr(state, each.name) for each in fields(StudyState)},
        metric_title=METRICS[plan.primary_metric].title,
        folds=plan.folds,
        trainings=trainings_of(workspace, job),
        notes=list(plan.all_notes),
        plan_text=as_yaml(plan.model_dump(mode="json", exclude_defaults=True)),
    )


def state_of_study(job: Job, queue: list[str]) -> StudyState:
    """Return the state of a study; `queue` contains the IDs of waiting studies."""
    status = status_of(job)
    state = state_of(job, status)
    states: list[CellWord] = []
    names: list[str] = []
    arms: list[str] = []
    facts = facts_of(job, status, state)
    try:
        states = [state_of_cell(cell).state for cell in cells_in(job.folder)]
        plan = plan_in(job.folder)
        names, arms = [dataset.name for dataset in plan.datasets], [arm.name for arm in plan.arms]
    except BadRecipe as damaged:  # a damaged study must not hide the others
        state = "failed"
        facts |= {"state": state, "error": damaged.failure, "ended": end_time(state, status)}
    return StudyState(
        **facts,
        kind="study",
        folder=str(job.folder),
        preset=job.choices.get("preset"),
        dataset_names=names,
        is_small=bool(job.choices.get("is_small")),
        arms=arms,
        budget_seconds=job.choices.get("budget_seconds"),
        n_trainings=len(states),
        n_done=states.count("done"),
        n_failed=states.count("failed"),
        seconds_left=status.seconds_left if status is not None and state == "running" else None,
        has_comparison=(job.folder / "comparison.json").is_file(),
        queue_position=queue.index(job.id) + 1 if job.id in queue else None,
    )


def trainings_of(workspace: Workspace, study: Job) -> list[StudyTraining]:
    """Return the current state of the trainings of a study, in the order of their start."""
    runs = {job.folder: job for job in all_jobs(workspace, "train", study_id=study.id)}
    return [_training(cell, runs.get(cell.run.folder)) for cell in cells_in(study.folder)]


def plan_in(folder: Path) -> StudyPlan:
    """Return the plan of a study.

    Raises:
        BadRecipe: it is damaged.
    """
    file = folder / "study.yaml"
    return _read(file, _version(file))[0]


def cells_in(folder: Path) -> list[StudyCell]:
    """Return the trainings of the plan of a study.

    Raises:
        BadRecipe: it is damaged.
    """
    file = folder / "study.yaml"
    return _read(file, _version(file))[1]


def _version(file: Path) -> int:
    return file.stat().st_mtime_ns if file.is_file() else 0


@lru_cache(maxsize=32)
def _read(file: Path, version: int) -> tuple[StudyPlan, list[StudyCell]]:
    """Read a plan, cached by the version of its file: watchers read it twice a second."""
    plan = load_plan(file)
    return plan, cells_of(plan, file.parent)


def _training(cell: StudyCell, run: Job | None) -> StudyTraining:
    cell_state = state_of_cell(cell)
    is_done = cell_state.state == "done"
    return StudyTraining(
        **{each.name: getattr(planned(cell), each.name) for each in fields(PlannedTraining)},
        state=cell_state.state,
        run_id=run.id if run is not None else None,
        headline=headline_of(run.run) if is_done and run is not None else None,
        seconds=_seconds(cell) if is_done else None,
        share=round(folded_log(run).progress.share, 3) if cell_state.state == "running" and run is not None else None,
        error=cell_state.error,
    )


def _seconds(cell: StudyCell) -> float | None:
    try:
        return None if cell.run.status is None else cell.run.status.seconds_worked
    except BadRun:
        return None


@dataclass(frozen=True, slots=True)
class StudyEvents:
    """The events of a study by name."""

    state: Annotated[StudyState, Field(description="The current state: first, after each change, and last.")]
    cells: Annotated[list[StudyTraining], Field(description="The current state of its trainings.")]


def study_events(workspace: Workspace, study_id: str) -> StudyEvents:
    """Return the current events of a study; raises as `study_state`."""
    job = find_job(workspace, study_id, STUDY.name)
    return StudyEvents(state_of_study(job, queued_ids(workspace, TRAININGS_QUEUE)), trainings_of(workspace, job))


def _progress(job: Job) -> JobProgress | None:
    with suppress(BadRecipe):
        states = [state_of_cell(cell).state for cell in cells_in(job.folder)]
        status = status_of(job)
        n_ended = states.count("done") + states.count("failed")
        return JobProgress(n_ended, len(states), seconds_left=None if status is None else status.seconds_left)
    return None


STUDY = register(
    JobKind(
        name="study",
        collection="studies",
        queue=TRAININGS_QUEUE,
        can_be_submitted=True,
        events=StudyEvents,
        source=partial(StateSource, study_events),
        progress=_progress,
        can_resume_finished=True,
        list_unlisted=_list_unlisted,
        refuse=refuse_exchanged_files,
    )
)


_COMPARISON = TypeAdapter(StudyComparison)


@dataclass(frozen=True, slots=True)
class StudyResults:
    """The comparison of a study as numbers, and the sections of its report."""

    comparison: StudyComparison
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
    return StudyResults(comparison, sections)


def comparison_of(job: Job) -> StudyComparison:
    """Return the results of a study so far. Compare its trainings again if the file has not the current fields.

    Raises:
        Conflict: nothing was compared yet.
        BadRun: its file is damaged, and no training is done.
        BadRecipe: its plan is damaged.
    """
    file = _existing(job, "comparison.json")
    try:
        data = {key: value for key, value in read_object(file).items() if key != "format_version"}
        return _COMPARISON.validate_python(data)
    except ValidationError as error:
        if not any(state_of_cell(cell).state == "done" for cell in cells_in(job.folder)):
            raise BadRun("comparison-damaged", file=file) from error
    return study_comparison(job.folder)  # a former version wrote the file, with other fields


def _existing(job: Job, name: str) -> Path:
    file = job.folder / name
    if not file.is_file():
        raise Conflict("no-comparison-yet")
    return file


@dataclass(frozen=True, slots=True)
class NetworkFinding:
    """The result of a network on a dataset in a study, with its best initial weights."""

    study_id: str
    study_name: str
    model: str
    way: Annotated[
        str | None, Field(description="Its name in the study, if that differs from the name of the network.")
    ]
    regime: Annotated[str | None, Field(description="Its best initial weights; null if the study compares none.")]
    train_per_class: Annotated[int | None, Field(description="Training images of each class; null: all.")]
    metric_title: str
    mean: Annotated[float, Field(description="Mean over splits.")]
    n_splits: int
    baseline: Annotated[str | None, Field(description="The baseline of the comparison; null for the baseline itself.")]
    verdict: Annotated[str | None, Field(description="Explanation of the comparison.")]


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
