"""The jobs that the workspace's table lists: processes that were asked for. What one is doing is not told here."""

import itertools
import re
import secrets
import time
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from coverslip.errors import BadRecipe, BadRun, Conflict, NotFound
from coverslip.runs import Run
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import now

Json = dict[str, Any]  # Any: JSON values
JobKind = Literal["train", "evaluate", "predict", "study"]

# Jobs of one line wait for each other. A study trains, so that trainings wait for it and it for them.
LINES: tuple[frozenset[JobKind], ...] = (
    frozenset(("train", "study")),
    frozenset(("evaluate",)),
    frozenset(("predict",)),
)


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for."""

    id: str
    kind: JobKind
    name: str
    dataset_id: str | None
    dataset_name: str
    classifier_id: str | None
    again_of: str | None
    study_id: str | None
    folder: Path
    command: tuple[str, ...]
    choices: Json
    state: str
    queued: float | None
    launched: float | None
    pid: int | None
    process_started: float | None
    stop_asked: float | None
    created: str

    @property
    def run(self) -> Run:
        """The files of its folder, read anew."""
        return Run(self.folder)

    @property
    def log(self) -> Path:
        """What its process prints."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def failure_file(self) -> Path:
        """How its process failed, where it had no folder yet to say so in."""
        return self.folder.with_name(f"{self.folder.name}.failure.json")

    @property
    def asked_recipe(self) -> Path:
        """The recipe that it is begun with; a run folder has one of its own later."""
        return asked_recipe(self.folder)

    @property
    def settled_choices(self) -> Json:
        """Its recipe as the run's time budget completed it, else as it was asked for.

        Its groups are the asked ones: the run may have read them from a column of a table that the app wrote.
        """
        with suppress(BadRun, BadRecipe):
            budget = self.run.budget
            if budget is not None and (budget.ended or budget.is_fixed):
                return {**self.run.recipe.model_dump(mode="json"), "group": self.choices.get("group")}
        return self.choices

    @property
    def files(self) -> list[Path]:
        """Its folder with what lies beside it, as far as they are there."""
        return [file for file in (self.folder, self.log, self.failure_file, self.asked_recipe) if file.exists()]


def asked_recipe(folder: Path) -> Path:
    """Where the recipe lies that a training in `folder` is begun with."""
    return folder.with_name(f"{folder.name}.recipe.yaml")


def find_job(workspace: Workspace, job_id: str, *kinds: JobKind, is_removed: bool = False) -> Job:
    """A job by its id.

    Raises:
        NotFound: there is none of these kinds.
    """
    with workspace.engine.connect() as connection:
        row = connection.execute(select(db.jobs).where(db.jobs.c.id == job_id)).mappings().first()
    if row is None or (kinds and row["kind"] not in kinds) or (row["state"] == "removed") != is_removed:
        raise NotFound("no-such-job")
    return _job(row)


def training_not_finished() -> Conflict:
    """Return the error of work that needs a finished training."""
    return Conflict("training-not-finished")


def no_classifier_yet() -> Conflict:
    """Return the error of work that needs a classifier."""
    return Conflict("no-classifier-yet")


def no_results_yet() -> Conflict:
    """Return the error of work that needs the results of a training."""
    return Conflict("no-results-yet")


def all_jobs(
    workspace: Workspace, kind: JobKind, *, classifier_id: str | None = None, study_id: str | None = None
) -> list[Job]:
    """All jobs of a kind, or those with one classifier, or of one study; the newest first."""
    query = select(db.jobs).where(db.jobs.c.kind == kind, db.jobs.c.state != "removed")
    if classifier_id is not None:
        query = query.where(db.jobs.c.classifier_id == classifier_id)
    if study_id is not None:
        query = query.where(db.jobs.c.study_id == study_id)
    with workspace.engine.connect() as connection:
        rows = connection.execute(query.order_by(db.jobs.c.created.desc(), db.jobs.c.id)).mappings().all()
    return [_job(row) for row in rows]


def unended_jobs(connection: Connection, dataset_id: str) -> list[Job]:
    """Jobs with the images of a dataset that wait, or whose process has not been seen to end."""
    reads = (db.jobs.c.dataset_id == dataset_id) | (db.jobs.c.kind == "study")
    query = select(db.jobs).where(reads, db.jobs.c.state.in_(("queued", "started")))
    jobs = [_job(row) for row in connection.execute(query).mappings()]
    return [job for job in jobs if job.kind != "study" or dataset_id in job.choices["dataset_ids"]]


def started_jobs(workspace: Workspace) -> list[Job]:
    """Jobs whose process has not been seen to end."""
    with workspace.engine.connect() as connection:
        rows = connection.execute(select(db.jobs).where(db.jobs.c.state == "started")).mappings().all()
    return [_job(row) for row in rows]


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "folder": Path(row["folder"]), "command": tuple(row["command"])})


def waiting(workspace: Workspace, kind: JobKind) -> list[str]:
    """Ids of the queued jobs that wait in the line of a kind, the next first."""
    line = next(line for line in LINES if kind in line)
    query = select(db.jobs.c.id).where(db.jobs.c.kind.in_(line), db.jobs.c.state == "queued")
    with workspace.engine.connect() as connection:
        return list(connection.execute(query.order_by(db.jobs.c.queued, db.jobs.c.id)).scalars())


def new_job_folder(parent: Path, name: str) -> tuple[str, Path]:
    """A new id, and a folder whose name says what it is."""
    job_id = secrets.token_hex(5)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-")
    parent.mkdir(parents=True, exist_ok=True)
    return job_id, parent / (f"{slug}-{job_id}" if slug else job_id)


def unused_name(workspace: Workspace, kind: JobKind, name: str) -> str:
    """A name that no job of a kind has, be it a deleted one: this one, or with a number behind it."""
    with workspace.engine.connect() as connection:
        taken = set(connection.execute(select(db.jobs.c.name).where(db.jobs.c.kind == kind)).scalars())
    numbered = (f"{name} {k}" for k in itertools.count(2))
    return name if name not in taken else next(each for each in numbered if each not in taken)


def add_job(workspace: Workspace, **values: object) -> None:
    """List a job by the columns of its row; unless told otherwise it waits from now on."""
    waits = {"state": "queued", "queued": time.time(), "created": now()}
    with workspace.engine.begin() as connection:
        connection.execute(insert(db.jobs).values(**{**waits, **values}))


def drop_trainings_of(workspace: Workspace, study_id: str) -> None:
    """List the trainings of a study no more: their folders lie in its own, and are listed again with it."""
    with workspace.engine.begin() as connection:
        connection.execute(delete(db.jobs).where(db.jobs.c.study_id == study_id))


def change_job(workspace: Workspace, job_id: str, **values: object) -> None:
    """Give columns of a job's row new values, whatever they were."""
    with workspace.engine.begin() as connection:
        connection.execute(update(db.jobs).where(db.jobs.c.id == job_id).values(**values))


def change_as_seen(workspace: Workspace, job: Job, **values: object) -> None:
    """Change a job that is as it was seen: the queue, and another request, may be at it at the same moment.

    Raises:
        Conflict: one of them was quicker.
    """
    columns = db.jobs.c
    is_same = (columns.id == job.id) & ((columns.state == "removed") == (job.state == "removed"))
    for name in ("queued", "launched"):
        is_same &= columns[name].is_not_distinct_from(getattr(job, name))
    with workspace.engine.begin() as connection:
        if not connection.execute(update(db.jobs).where(is_same).values(**values)).rowcount:
            raise Conflict("job-changed")
