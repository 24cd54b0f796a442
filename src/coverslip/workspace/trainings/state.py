"""The state of trainings and their results, read from their folders."""

import statistics
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRecipe, BadRun, CoverslipError
from coverslip.evaluation.results import Evaluation, Metric
from coverslip.evaluation.table import METRICS
from coverslip.messages import language, text
from coverslip.models.zoo import network_title
from coverslip.reports.reported import ReportedRun, Rule
from coverslip.reports.verdict import Use, verdict_of_run
from coverslip.runs.folder import Run, is_run
from coverslip.runs.log import MOST_LINES, LogLine
from coverslip.runs.progress import LoggedProgress, StageTime, Step, TimedNote, Training, Work, seconds_left, work_by
from coverslip.runs.recipe import SET_BY_FINISHING
from coverslip.runs.recipe_keys import load_recipe, recipe_text
from coverslip.runs.timing import Stage
from coverslip.runtime.programs import last_output
from coverslip.workspace.jobs.records import (
    ACTIVE,
    Job,
    JobFacts,
    Json,
    State,
    all_jobs,
    facts_of,
    folded_log,
    state_of,
    status_of,
)
from coverslip.workspace.store.rows import Page, Paging, keys_in
from coverslip.workspace.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Headline(DocumentedFields):
    """The verdict on a result, and the primary metric with its confidence interval."""

    use: Use | None
    """Whether to use the classifier: `yes`, `care` (with care), `unknown` or `no`; null: its files cannot be read."""
    verdict: str
    """The verdict in a few sentences; empty if it is not known."""
    metric: str
    """`adapted_accuracy` of a training that was adapted: that in the other laboratory."""
    title: str
    value: float | None
    low: float | None
    high: float | None
    digits: int
    """Digits after the decimal point that are shown."""
    has_groups: bool
    """Whether the groups of the measured images are known."""
    rule: Rule
    """How the classes of the measured images were predicted."""
    n_relabeled: int
    """Test images with another label than in the first training with this split."""


@dataclass(frozen=True, slots=True)
class RunProgress(DocumentedFields):
    """The progress of a training."""

    share: Annotated[float, Field(ge=0, le=1)]
    """Share of the whole run; never decreases."""
    seconds_left: float | None
    """Time left for the whole run; null if unknown, or if the estimate is used up."""
    may_take_longer: bool
    """Takes longer if validation results improve further."""
    training_share: Annotated[float, Field(ge=0, le=1)]
    """Share of the current training, such as a fold."""
    work: Work | None
    """The step in progress, unless it is an epoch."""
    step: Step | None
    """The position within an epoch."""
    stages: tuple[StageTime, ...]
    """Stages of the current training so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunState(JobFacts):
    """The current state of a training."""

    kind: Literal["train"]
    dataset_id: str | None
    """null: its images are not a dataset of the app."""
    dataset_name: str
    model: str
    network: str
    """Title of the network."""
    stage: Stage | None
    n_folds: int
    """0 for one split, or if this is not decided yet."""
    fold: int | None
    """The fold that is being trained, from 1."""
    step: int | None
    """1 (pretraining) or 2 while a training of two steps is running."""
    is_finishing: bool
    """Fine-tuning ends early on request; test and report follow."""
    can_finish: bool
    """Whether fine-tuning can be ended now."""
    progress: RunProgress | None
    epoch: int | None
    """0 is before fine-tuning; null: it has not started."""
    n_epochs: int | None
    """The largest number; null: no fine-tuning."""
    has_classifier: bool
    curve: list[float]
    """F1 on validation images for each epoch. One number for an instant classifier, and for cross-validation: the mean
    over the trained folds."""
    curve_folds: int
    """The number of folds whose mean the curve is; 0 for a single split."""
    example_rows: dict[str, int]
    """The row_ids in the dataset of the watched images of its trainings, by ID."""
    headline: Headline | None
    repeats_run: str | None
    """The earlier training that it repeats with the same split."""
    study_id: str | None
    """The study of the training."""
    started: str | None


@dataclass(frozen=True, slots=True)
class LogText(DocumentedFields):
    """The text of an important event."""

    n: int
    """1-based number of its line in the log."""
    time: float
    """Seconds since 1970."""
    text: str
    is_warning: bool


@dataclass(frozen=True, slots=True)
class RunStory(RunState):
    """A training with its recipe, its curves so far and its notes."""

    recipe: Json
    requested_recipe: Json
    """The requested recipe, before it was adapted to the time budget."""
    is_adapted: bool
    """Whether it adapts the classifier of an earlier training to another laboratory."""
    budget_seconds: float | None
    """Its time budget; null without one."""
    recipe_text: str
    trainings: tuple[Training, ...]
    """The trainings of the run, such as folds, in the order of their start."""
    notes: tuple[TimedNote, ...]
    log: Annotated[list[LogText], Field(description=f"The last {MOST_LINES} important events, the oldest first.")]
    log_tail: list[str]
    """The last lines of output of the process."""


def list_runs(workspace: Workspace, paging: Paging) -> Page[RunState]:
    """Return the trainings that are not part of a study, the newest first."""
    jobs = [job for job in all_jobs(workspace, "train") if job.study_id is None]
    return Page([state_of_run(workspace, job) for job in paging.of(jobs)], len(jobs))


def state_of_run(workspace: Workspace, job: Job) -> RunState:
    """Return the state of a training."""
    status = status_of(job)
    state = state_of(job, status)
    progress = folded_log(job).progress if state != "done" else LoggedProgress()
    evaluation = evaluation_of(job) if state == "done" else None
    is_active, choices = state in ACTIVE, job.effective_choices
    model = str(choices.get("model", ""))
    is_finishing = is_active and job.run.finish_file.is_file()
    n_folds = progress.n_folds or (len(evaluation.folds.per_fold) if evaluation and evaluation.folds else 0)
    fold_scores = _validation_f1_of_folds(job.run)
    return RunState(
        **facts_of(workspace, job, status, state),
        kind="train",
        dataset_id=job.dataset_id,
        dataset_name=job.dataset_name,
        model=model,
        network=network_title(model),
        stage=progress.stage or "reading" if state in ("running", "stopping") else None,
        n_folds=n_folds or int((choices.get("split") or {}).get("folds") or 0),
        fold=progress.fold if is_active else None,
        step=_step(choices, progress) if is_active else None,
        is_finishing=is_finishing,
        can_finish=can_finish(job, state, progress),
        progress=_run_progress(progress, is_time_known=is_active and not is_finishing) if state != "done" else None,
        epoch=progress.epoch if state != "done" else status.epoch if status else None,
        n_epochs=progress.n_epochs if state != "done" else status.n_epochs if status else None,
        has_classifier=job.run.has_classifier,
        curve=_curve(job, progress, fold_scores) if state != "queued" else [],
        curve_folds=len(fold_scores),
        example_rows=_example_rows(job, progress),
        headline=headline_of(job.run) if evaluation is not None else None,
        repeats_run=job.repeats_run,
        study_id=job.study_id,
        started=_started(job),
    )


def _example_rows(job: Job, progress: LoggedProgress) -> dict[str, int]:
    watched = [each.watched.image_ids for each in progress.trainings if each.watched and not each.is_pretraining]
    row_of = keys_in(job.image_keys) if watched else {}
    return {image_id: row_of[image_id] for image_ids in watched for image_id in image_ids if image_id in row_of}


def _step(choices: Json, progress: LoggedProgress) -> int | None:
    """Return the current step of a training of two steps; None for one step."""
    init = choices.get("init")
    if not isinstance(init, dict) or "train_on" not in init:
        return None
    return 1 if progress.is_pretraining or not progress.plan else 2


def can_finish(job: Job, state: State, progress: LoggedProgress) -> bool:
    """Return whether the fine-tuning can be ended now: not after its end, and not in trainings that must be alike."""
    from coverslip.experiments.run_state import finish_refusal

    if state not in ("running", "stopped", "interrupted") or not is_run(job.folder):
        return False
    try:
        return finish_refusal(job.run) is None and progress.stage != "measuring"
    except CoverslipError:  # its recipe cannot be read
        return False


def _curve(job: Job, progress: LoggedProgress, fold_scores: list[float]) -> list[float]:
    """Return the validation F1 from the log of a running training, else from its files; for folds, their mean.

    Without fine-tuning, or if its network is not selected, the F1 is that of the instant classifier.
    """
    if job.run.is_cross_validated:
        return [statistics.mean(fold_scores)] if fold_scores else []
    epochs = next((training.epochs for training in reversed(progress.trainings) if training.epochs), ())
    scores: list[float | None] = []
    with suppress(BadRun):
        record = job.run.training
        epochs = epochs or job.run.history
        if not job.run.is_done or (record is not None and record.chosen == "finetune"):
            scores = [epoch.val_f1 for epoch in epochs]
        if not scores and record is not None and record.instant is not None:
            scores = [record.instant.val_macro_f1]
    return [f1 for f1 in scores if f1 is not None]


def _validation_f1_of_folds(run: Run) -> list[float]:
    """Return the validation F1 of the network that each trained fold kept; without folds, nothing."""
    scores: list[float | None] = []
    with suppress(BadRun):
        for fold in run.folds:
            record = fold.training
            if record is None:
                continue
            if record.chosen == "finetune":
                scores += [epoch.val_f1 for epoch in fold.history if epoch.epoch == record.selected_epoch]
            elif record.instant is not None:
                scores.append(record.instant.val_macro_f1)
    return [f1 for f1 in scores if f1 is not None]


def _run_progress(progress: LoggedProgress, *, is_time_known: bool) -> RunProgress | None:
    """Return the progress, or None before the first event. The time left is unknown while a training finishes early."""
    if not progress.has_begun:
        return None
    return RunProgress(
        share=round(progress.share, 4),
        seconds_left=seconds_left(progress, time.time()) if is_time_known else None,
        may_take_longer=progress.may_take_longer,
        training_share=round(progress.training_share, 4),
        work=work_by(progress, time.time()),
        step=progress.step,
        stages=progress.stages,
    )


def evaluation_of(job: Job) -> Evaluation | None:
    """Return the results of a job; None if there are none or they cannot be read."""
    try:
        return job.run.metrics if job.run.is_measured else None
    except BadRun:
        return None


def headline_of(run: Run) -> Headline | None:
    """Return the primary metric of a training or evaluation; None if it cannot be read."""
    training = run.parent_run if run.is_evaluation else run
    files = [run.metrics_file, run.environment_file, run.checks_file, training.metrics_file, training.training_file]
    files += [
        training.test_set_accesses_file,
        run.adaptation_file,
        *(each.metrics_file for each in training.evaluations),
    ]
    return _headline(run.folder, language(), tuple(file.stat().st_mtime_ns for file in files if file.is_file()))


@lru_cache(maxsize=4_096)
def _headline(folder: Path, _language: str, _versions: tuple[int, ...]) -> Headline | None:
    """Return the primary metric, cached by language and versions of its files: watchers read it twice a second."""
    run = Run(folder)
    reported = ReportedRun(run.parent_run, run) if run.is_evaluation else ReportedRun(run)
    try:
        name = reported.measured.metrics.primary
        metric, title = reported.measured.metrics.metrics.get(name), METRICS[name].title if name in METRICS else name
        if metric is None:
            return None
        adapted = None if run.is_evaluation else run.adaptation
        if adapted is not None:  # its own test images are of the other laboratory than the one that it is for
            metric = adapted.accuracy or Metric(value=None)
            name, title = "adapted_accuracy", text("accuracy-after-adaptation")
        verdict = None
        with suppress(CoverslipError):  # a file of the run that its metrics do not need cannot be read
            verdict = verdict_of_run(reported, has_notes=False)
        return Headline(
            use=None if verdict is None else verdict.use,
            verdict="" if verdict is None else verdict.headline,
            metric=name,
            title=title,
            value=metric.value,
            low=metric.low,
            high=metric.high,
            digits=metric.digits,
            has_groups=bool(reported.metrics.n_units if adapted is None else adapted.n_groups),
            rule=reported.rule,
            n_relabeled=len(reported.labels_before),
        )
    except CoverslipError:
        return None


def _recipe_of(job: Job, state: str) -> Json:
    """Return the recipe that repeats the training, also if fine-tuning was ended early."""
    choices = job.effective_choices
    with suppress(BadRun, BadRecipe):
        if state == "done":
            final_values = job.run.recipe.model_dump(mode="json", include={"stage", *SET_BY_FINISHING})
            return {**choices, **final_values}
    return choices


def _budget_of(job: Job) -> float | None:
    with suppress(BadRun):
        return None if job.run.budget is None else job.run.budget.seconds
    return None


def run_story(workspace: Workspace, job: Job) -> RunStory:
    """Return the state and details of a training."""
    state = state_of_run(workspace, job)
    log = folded_log(job)  # read after the state, so that it is complete if the training has ended
    recipe = ""
    with suppress(BadRecipe):
        recipe = recipe_text(
            load_recipe(job.run.recipe_file if job.run.recipe_file.is_file() else job.requested_recipe)
        )
    return RunStory(
        **{each.name: getattr(state, each.name) for each in fields(RunState)},
        recipe=_recipe_of(job, state.state),
        requested_recipe=job.choices,
        is_adapted=job.is_adaptation,
        budget_seconds=_budget_of(job),
        recipe_text=recipe,
        trainings=log.progress.trainings,
        notes=log.progress.notes,
        log=[_as_text(line) for line in log.lines],
        log_tail=last_output(job.folder),
    )


def _as_text(line: LogLine) -> LogText:
    return LogText(line.n, line.time, line.text, is_warning=line.values.get("level") == "warning")


def _started(job: Job) -> str | None:
    try:
        return job.run.environment.started
    except BadRun:  # it has not started
        return None
