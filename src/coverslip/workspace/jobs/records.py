"""The table of jobs: requested processes. `state` determines their current state."""

import itertools
import os
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, delete, insert, select, update

from coverslip.errors import BadRecipe, BadRun, Conflict, NotFound
from coverslip.runs import Run
from coverslip.runtime.programs import failure_file, log_file
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import author_name, now
from coverslip.workspace.store.workspace import Workspace

Json = dict[str, Any]  # Any: JSON values


@dataclass(frozen=True, slots=True)
class Job:
    """A requested process."""

    id: str
    kind: str
    key: str | None
    name: str
    dataset_id: str | None
    dataset_name: str
    classifier_id: str | None
    repeats_run: str | None
    study_id: str | None
    folder: Path
    command: tuple[str, ...]
    choices: Json
    state: str
    queued: float | None
    launched: float | None
    pid: int | None
    process_started: float | None
    stop_requested: float | None
    created: str
    made_by: str
    image_keys: str | None  # the file of `store.keys`; None: its images are in no dataset

    @property
    def dataset_ids(self) -> list[str]:
        """The datasets that it reads: a job may choose several."""
        return list(self.choices.get("dataset_ids", ())) or [each for each in (self.dataset_id,) if each is not None]

    @property
    def run(self) -> Run:
        """The files of its folder, read from disk."""
        return Run(self.folder)

    @property
    def log(self) -> Path:
        """The output of its process."""
        return log_file(self.folder)

    @property
    def requested_recipe(self) -> Path:
        """The requested recipe. The run folder contains its own copy later."""
        return requested_recipe(self.folder)

    @property
    def effective_choices(self) -> Json:
        """Its recipe after the time budget was applied, else the requested recipe.

        The groups are the requested ones: the run may have read them from a column of a table that the app wrote.
        """
        with suppress(BadRun, BadRecipe):
            budget = self.run.budget
            if budget is not None and (budget.ended or budget.is_fixed):
                return {**self.run.recipe.model_dump(mode="json"), "group": self.choices.get("group")}
        return self.choices

    @property
    def files(self) -> list[Path]:
        """Its folder and the files that belong to it, if they exist."""
        files = (self.folder, self.log, failure_file(self.folder), self.requested_recipe)
        return [file for file in files if file.exists()]


def requested_recipe(folder: Path) -> Path:
    """Return the file of the requested recipe of a training in `folder`."""
    return folder.with_name(f"{folder.name}.recipe.yaml")


def find_job(workspace: Workspace, job_id: str, *kinds: str, is_removed: bool = False) -> Job:
    """Return a job by its ID.

    Raises:
        NotFound: there is no such job of these kinds.
    """
    with workspace.engine.connect() as connection:
        row = connection.execute(select(db.jobs).where(db.jobs.c.id == job_id)).mappings().first()
    if row is None or (kinds and row["kind"] not in kinds) or (row["state"] == "removed") != is_removed:
        raise NotFound("no-such-job")
    return _job(row)


def all_jobs(
    workspace: Workspace, kind: str, *, classifier_id: str | None = None, study_id: str | None = None
) -> list[Job]:
    """Return all jobs of a kind, optionally of one classifier or study, the newest first."""
    query = select(db.jobs).where(db.jobs.c.kind == kind, db.jobs.c.state != "removed")
    if classifier_id is not None:
        query = query.where(db.jobs.c.classifier_id == classifier_id)
    if study_id is not None:
        query = query.where(db.jobs.c.study_id == study_id)
    with workspace.engine.connect() as connection:
        rows = connection.execute(query.order_by(db.jobs.c.created.desc(), db.jobs.c.id)).mappings().all()
    return [_job(row) for row in rows]


@dataclass(frozen=True, slots=True)
class JobFolders:
    """The folders of all jobs."""

    listed: frozenset[str]  # including those of removed jobs
    of_kind: Mapping[str, Mapping[str, Path]]  # by the ID of the job, without removed jobs


_FOLDERS = select(db.jobs.c.id, db.jobs.c.kind, db.jobs.c.folder, db.jobs.c.state)  # once: it runs often
_UNENDED = select(db.jobs).where(db.jobs.c.state.in_(("queued", "started")))  # once: it runs often


def job_folders(workspace: Workspace) -> JobFolders:
    """Return the folders of all jobs."""
    of_kind: dict[str, dict[str, Path]] = {}
    with workspace.engine.connect() as connection:
        rows = connection.execute(_FOLDERS).all()
    for row in rows:
        if row.state != "removed":
            of_kind.setdefault(row.kind, {})[row.id] = Path(row.folder)
    return JobFolders(frozenset(row.folder for row in rows), of_kind)


def jobs_where(connection: Connection, condition: ColumnElement[bool]) -> list[Job]:
    """Return the jobs that meet a condition, the newest first."""
    rows = connection.execute(select(db.jobs).where(condition).order_by(db.jobs.c.created.desc(), db.jobs.c.id))
    return [_job(row) for row in rows.mappings()]


def unended_jobs(connection: Connection) -> list[Job]:
    """Return the jobs that are waiting, or that are not recorded as ended."""
    return [_job(row) for row in connection.execute(_UNENDED).mappings()]


def listed_jobs(workspace: Workspace, kind: str | None = None) -> list[Job]:
    """Return the jobs of a kind, or of all, the newest first, without those in the folder of a removed job."""
    query = select(db.jobs) if kind is None else select(db.jobs).where(db.jobs.c.kind == kind)
    is_removed = db.jobs.c.state == "removed"
    with workspace.engine.connect() as connection:
        removed = set(connection.execute(select(db.jobs.c.folder).where(is_removed)).scalars())
        rows = (
            connection.execute(query.where(~is_removed).order_by(db.jobs.c.created.desc(), db.jobs.c.id))
            .mappings()
            .all()
        )
    return [job for job in map(_job, rows) if removed.isdisjoint(map(str, job.folder.parents))]


def jobs_inside(workspace: Workspace, job: Job) -> list[Job]:
    """Return the jobs whose folders are in the folder of a job, such as the evaluations of a training."""
    with workspace.engine.connect() as connection:
        rows = connection.execute(select(db.jobs).where(is_inside(job.folder))).mappings().all()
    return [_job(row) for row in rows]


def is_inside(folder: Path) -> ColumnElement[bool]:
    """Return the condition that the folder of a job is in this folder."""
    return db.jobs.c.folder.startswith(f"{folder}{os.sep}", autoescape=True)


def jobs_of_process(workspace: Workspace, pid: int, started: float) -> list[Job]:
    """Return the started or ended job whose last process this is: one or none."""
    is_process = (db.jobs.c.pid == pid) & (db.jobs.c.process_started == started)
    is_of_process = is_process & db.jobs.c.state.in_(("started", "ended"))
    with workspace.engine.connect() as connection:
        rows = connection.execute(select(db.jobs).where(is_of_process)).mappings().all()
    return [_job(row) for row in rows]


def started_jobs(workspace: Workspace) -> list[Job]:
    """Return the started jobs that are not recorded as ended."""
    with workspace.engine.connect() as connection:
        rows = connection.execute(select(db.jobs).where(db.jobs.c.state == "started")).mappings().all()
    return [_job(row) for row in rows]


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "folder": Path(row["folder"]), "command": tuple(row["command"])})


def new_job_folder(parent: Path, name: str) -> tuple[str, Path]:
    """Return a new ID, and a folder whose name contains the name and the ID."""
    job_id = secrets.token_hex(5)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-")
    parent.mkdir(parents=True, exist_ok=True)
    return job_id, parent / (f"{slug}-{job_id}" if slug else job_id)


def unused_name(workspace: Workspace, kind: str, name: str) -> str:
    """Return a name that no job of a kind has, not even a deleted one: this name, or with a number appended."""
    with workspace.engine.connect() as connection:
        used_names = set(connection.execute(select(db.jobs.c.name).where(db.jobs.c.kind == kind)).scalars())
    numbered = (f"{name} {k}" for k in itertools.count(2))
    return name if name not in used_names else next(each for each in numbered if each not in used_names)


def add_job(workspace: Workspace, **values: object) -> None:
    """Add a job by the columns of its row. By default, it is queued."""
    with write_transaction(workspace.engine) as connection:
        add_job_in(connection, **values)


def add_job_in(connection: Connection, **values: object) -> None:
    """Add a job as `add_job` does, in a writing transaction."""
    defaults = {"state": "queued", "queued": time.time(), "created": now(), "made_by": author_name()}
    connection.execute(insert(db.jobs).values(**{**defaults, **values}))


def remove_rows(connection: Connection, jobs: Collection[Job]) -> None:
    """Remove jobs from the table, in a writing transaction."""
    connection.execute(delete(db.jobs).where(db.jobs.c.id.in_([job.id for job in jobs])))


def remove_trainings_of(workspace: Workspace, study_id: str) -> None:
    """Remove the trainings of a study from the table. They are listed again if the study is restored."""
    with write_transaction(workspace.engine) as connection:
        connection.execute(delete(db.jobs).where(db.jobs.c.study_id == study_id))


def remove_files(jobs: Collection[Job]) -> None:
    """Delete the files of jobs."""
    for file in (file for job in jobs for file in job.files):
        if file.is_dir():
            shutil.rmtree(file, ignore_errors=True)
        else:
            file.unlink(missing_ok=True)


def change_job(workspace: Workspace, job_id: str, **values: object) -> None:
    """Set columns of a job's row."""
    with write_transaction(workspace.engine) as connection:
        connection.execute(update(db.jobs).where(db.jobs.c.id == job_id).values(**values))


def mark_ended(workspace: Workspace, job: Job) -> None:
    """Record that the process of a started job has ended, unless the job was queued again or removed meanwhile."""
    is_same = (db.jobs.c.id == job.id) & (db.jobs.c.state == "started")
    is_same &= db.jobs.c.queued.is_(None) & db.jobs.c.launched.is_not_distinct_from(job.launched)
    with write_transaction(workspace.engine) as connection:
        connection.execute(update(db.jobs).where(is_same).values(state="ended"))


def change_if_unchanged(workspace: Workspace, job: Job, **values: object) -> None:
    """Change a job, if neither the queue nor another request changed it since it was read.

    Raises:
        Conflict: it was changed.
    """
    columns = db.jobs.c
    is_same = (columns.id == job.id) & ((columns.state == "removed") == (job.state == "removed"))
    for name in ("queued", "launched"):
        is_same &= columns[name].is_not_distinct_from(getattr(job, name))
    with write_transaction(workspace.engine) as connection:
        if not connection.execute(update(db.jobs).where(is_same).values(**values)).rowcount:
            raise Conflict("job-changed")
