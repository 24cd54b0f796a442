"""What trainings are doing and what they have left, read from their folders."""

import threading
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from coverslip.datasets import natural_key
from coverslip.errors import BadRun
from coverslip.evaluation import METRICS
from coverslip.runs.documents import read_object, read_table
from coverslip.workspace.jobs.faults import Fault, fault_of
from coverslip.workspace.jobs.processes import lines_of_last_process
from coverslip.workspace.jobs.progress import Instant, LogTail, Note, Progress, Stage, Story
from coverslip.workspace.jobs.records import Job, Json, all_jobs, find_job, waiting
from coverslip.workspace.jobs.state import ACTIVE, State, state_of, status_of
from coverslip.workspace.store.home import Workspace

_TAILS_KEPT = 32


@dataclass(frozen=True, slots=True)
class Headline:
    """The number that a run is known by."""

    metric: str
    title: str
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RunState:
    """A training as its folder says that it is now."""

    id: str
    name: str
    folder: str
    state: State
    dataset_id: str | None
    dataset_name: str
    model: str
    stage: Stage | None
    n_folds: int
    fold: int | None
    progress: Progress | None
    epoch: int | None
    n_epochs: int | None
    has_classifier: bool
    headline: Headline | None
    error: Fault | None
    queue_position: int | None
    created: str
    started: str | None
    ended: str | None


@dataclass(frozen=True, slots=True)
class Epoch:
    """A row of `history.csv`, and which training it belongs to."""

    epoch: int
    fold: int | None
    is_first: bool
    seconds: float | None
    learning_rate: float | None
    train_loss: float | None
    train_accuracy: float | None
    train_precision: float | None
    train_recall: float | None
    train_f1: float | None
    val_loss: float | None
    val_accuracy: float | None
    val_precision: float | None
    val_recall: float | None
    val_f1: float | None


@dataclass(frozen=True, slots=True)
class RunStory(RunState):
    """A training with its recipe, its curves so far and its notes."""

    recipe: Json
    recipe_text: str
    history: list[Epoch]
    best_epoch: int | None
    instant: list[Instant]
    notes: list[Note]
    is_cross_validated: bool
    last_event: int
    log_tail: list[str]


def all_runs(workspace: Workspace) -> list[RunState]:
    """All trainings, the newest first."""
    queue = waiting(workspace, "train")
    return [state_of_run(job, queue) for job in all_jobs(workspace, "train")]


def run_state(workspace: Workspace, run_id: str) -> RunState:
    """One training.

    Raises:
        NotFound: there is none of this id.
    """
    return state_of_run(find_job(workspace, run_id, "train"), waiting(workspace, "train"))


def state_of_run(job: Job, queue: list[str], story: Story | None = None) -> RunState:
    """What a training is doing.

    Args:
        job: the training.
        queue: ids of those that wait.
        story: what its log says, where it has just been read.
    """
    status = status_of(job)
    state = state_of(job, status)
    if story is None:
        story = _tail_of(job).story if state != "done" else Story()
    metrics = read_or_empty(job.folder / "metrics.json") if state == "done" else {}
    is_active = state in ACTIVE
    n_folds = story.n_folds or len(metrics.get("folds", {}).get("per_fold", []))
    return RunState(
        id=job.id,
        name=job.name,
        folder=str(job.folder),
        state=state,
        dataset_id=job.dataset_id,
        dataset_name=job.dataset_name,
        model=str(job.choices.get("model", "")),
        stage=story.stage or "reading" if state in ("running", "stopping") else None,
        n_folds=n_folds or int((job.choices.get("split") or {}).get("folds") or 0),
        fold=story.fold if is_active else None,
        progress=story.progress(time.time() if is_active else None) if state != "done" else None,
        epoch=story.epoch if state != "done" else status.epoch if status else None,
        n_epochs=story.n_epochs if state != "done" else status.n_epochs if status else None,
        has_classifier=(job.folder / "classifier" / "classifier.json").is_file(),
        headline=headline_of(metrics),
        error=fault_of(job, status) if state == "failed" else None,
        queue_position=queue.index(job.id) + 1 if job.id in queue else None,
        created=job.created,
        started=_started(job),
        ended=None if is_active or state == "queued" or status is None else status.heartbeat,
    )


def headline_of(metrics: Json) -> Headline | None:
    """The metric that choices were made by, with its interval."""
    name = metrics.get("primary")
    if not name or name not in metrics.get("metrics", {}):
        return None
    one = metrics["metrics"][name]
    return Headline(name, METRICS[name].title, one["value"], one["low"], one["high"])


def run_story(workspace: Workspace, run_id: str) -> RunStory:
    """One training with all that a page about it shows.

    Raises:
        NotFound: there is none of this id.
    """
    job = find_job(workspace, run_id, "train")
    tail = _tail_of(job)
    state = state_of_run(job, waiting(workspace, "train"), tail.story)
    recipe_file = job.folder / "recipe.yaml"
    if not recipe_file.is_file():
        recipe_file = job.asked_recipe
    return RunStory(
        **{each.name: getattr(state, each.name) for each in fields(RunState)},
        recipe=job.choices,
        recipe_text=recipe_file.read_text(encoding="utf-8") if recipe_file.is_file() else "",
        history=_history(job.folder),
        best_epoch=_best_epoch(job.folder),
        instant=list(tail.story.instants),
        notes=list(tail.story.notes),
        is_cross_validated=(job.folder / "folds").is_dir(),
        last_event=tail.story.last_event,
        log_tail=lines_of_last_process(job.log),
    )


def _started(job: Job) -> str | None:
    found = read_or_empty(job.folder / "environment.json").get("started")
    return None if found is None else str(found)


def read_or_empty(file: Path) -> Json:
    """A JSON object of a run folder; empty where it is missing or damaged."""
    try:
        return read_object(file) if file.is_file() else {}
    except BadRun:
        return {}


def _history(folder: Path) -> list[Epoch]:
    """The epochs of all trainings of a run: the first on other images, the folds, its own."""
    folds = sorted(folder.glob("folds/*/history.csv"), key=lambda file: natural_key(file.parent.name))
    found = _epochs(folder / "first" / "history.csv", None, is_first=True)
    for file in folds:
        found += _epochs(file, int(file.parent.name), is_first=False)
    return found + _epochs(folder / "history.csv", None, is_first=False)


def _epochs(file: Path, fold: int | None, *, is_first: bool) -> list[Epoch]:
    if not file.is_file():
        return []
    names = [each.name for each in fields(Epoch)][3:]
    rows = read_table(file)
    return [
        Epoch(int(row["epoch"]), fold, is_first, *(float(row[name]) if row.get(name) else None for name in names))
        for row in rows
    ]


def _best_epoch(folder: Path) -> int | None:
    """The epoch that was kept, once it is known."""
    stages: list[dict[str, Any]] = read_or_empty(folder / "training.json").get("stages", [])
    return next((stage.get("best_epoch") for stage in stages if stage.get("stage") == "finetune"), None)


_tails: dict[Path, LogTail] = {}  # a log that was read is not read from its beginning again
_tails_lock = threading.Lock()


def _tail_of(job: Job) -> LogTail:
    with _tails_lock:
        tail = _tails.pop(job.folder, None) or new_tail(job)
        _tails[job.folder] = tail
        while len(_tails) > _TAILS_KEPT:
            del _tails[next(iter(_tails))]
    tail.refresh()
    return tail


def new_tail(job: Job) -> LogTail:
    """A reader of a training's log from its beginning."""
    init = job.choices.get("init")
    return LogTail(
        job.folder / "events.jsonl",
        is_finetuned=job.choices.get("stage") != "instant" or init == "scratch",
        has_first=isinstance(init, dict) and "train_on" in init,
    )
