"""Jobs that compute a result on request, such as a map: request one, and report its progress.

The function of the kind of job computes the result and stores it.
"""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import update

from coverslip.documented_fields import DocumentedFields
from coverslip.messages import Failure
from coverslip.processes import Json
from coverslip.runs.progress import Work
from coverslip.workspace.jobs import queue
from coverslip.workspace.jobs.process import write_request
from coverslip.workspace.jobs.records import (
    Job,
    JobKind,
    add_job_in,
    failure_of_job,
    folded_log,
    has_ended,
    jobs_where,
    remove_files,
    remove_rows,
    state_of,
    status_of,
)
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.workspace import Workspace

_MOST_ENDED = 100  # ended computations that are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultState(DocumentedFields):
    """The state of a result that is computed on request, and the last job that computed it."""

    subject: str
    """What the result is about, in the address of this state."""
    state: Literal["not-possible", "not-requested", "waiting", "running", "outdated", "ready"]
    """not-possible: what it needs does not exist; waiting: another result of this kind is computed first, and the
    newest request is next; outdated: what it was computed from has changed since then."""
    job_id: str | None
    """The last job that computed it; null if none is listed."""
    progress: Work | None
    """Null until the first report."""
    error: Failure | None
    """Why the last attempt failed."""


@dataclass(frozen=True, slots=True)
class Computation:
    """The last job that computed the result of a key."""

    kind: str
    subject: str
    state: Literal["waiting", "running"] | None = None  # None: it has ended, or there is none
    progress: Work | None = None
    error: Failure | None = None  # why it failed
    requested: float | None = None  # when: seconds since 1970; None: it has ended
    started: float | None = None  # None: it is waiting, or has ended
    id: str | None = None

    def of_result(self, otherwise: str) -> Json:
        """Return the values of a `ResultState`, whose state without a waiting or running job is `otherwise`."""
        values = {
            "kind": self.kind,
            "subject": self.subject,
            "job_id": self.id,
            "progress": self.progress,
            "error": self.error,
        }
        return {"state": self.state or otherwise, **values}


def request_result(
    workspace: Workspace,
    kind: JobKind,
    key: str,
    arguments: Mapping[str, object],
    *,
    name: str,
    subject: str | None = None,
    link: str | None = None,
    dataset_id: str | None = None,
    choices: Mapping[str, object] | None = None,
) -> None:
    """Compute a result next, unless it is being computed. Ended jobs of the same key are removed.

    Args:
        workspace: the workspace.
        kind: the kind of job, which ends with the server.
        key: identifies what is computed, and its version.
        arguments: the arguments of the function, as JSON values.
        name: the name of what it is about, for lists of jobs.
        subject: identifies what is computed, in any version; None: the key.
        link: the path of its result in the API; None: that of the computations of this kind and subject.
        dataset_id: the dataset that it reads.
        choices: what the server needs to know of its result.
    """
    job_id = secrets.token_hex(5)
    with write_transaction(workspace.engine) as connection:
        earlier = jobs_where(connection, (db.jobs.c.kind == kind.name) & (db.jobs.c.key == key))
        for job in list(earlier):
            state = state_of(job, status_of(job))
            if state == "queued":
                connection.execute(update(db.jobs).where(db.jobs.c.id == job.id).values(queued=time.time()))
            if state == "stopping":  # the queue still has to end its process
                earlier.remove(job)
            elif not has_ended(state):
                return
        is_ended = db.jobs.c.key.is_not(None) & (db.jobs.c.state == "ended")
        earlier += jobs_where(connection, is_ended)[_MOST_ENDED:]
        remove_rows(connection, earlier)
        folder = workspace.jobs / job_id
        folder.mkdir(parents=True)
        add_job_in(
            connection,
            id=job_id,
            kind=kind.name,
            key=key,
            name=name,
            dataset_id=dataset_id,
            dataset_name="",
            folder=str(folder),
            command=write_request(workspace, kind, folder, arguments),
            choices={"link": link or f"/computations/{kind.name}/{subject or key}", **(choices or {})},
        )
    remove_files(workspace, earlier)


def computation(workspace: Workspace, kind: JobKind, key: str) -> Computation:
    """Return the last job that computed the result of a key, and its progress."""
    job = _last_job(workspace, kind, key)
    if job is None:
        return Computation(kind.name, key)
    status = status_of(job)
    state = state_of(job, status)
    if has_ended(state):
        error = failure_of_job(job, status) if state == "failed" else None
        return Computation(kind.name, key, error=error, id=job.id)
    if state == "queued":
        return Computation(kind.name, key, "waiting", requested=job.queued, id=job.id)
    work = folded_log(job).progress.work
    return Computation(kind.name, key, "running", work, None, job.launched, job.launched, job.id)


def cancel_result(workspace: Workspace, kind: JobKind, key: str) -> None:
    """Stop the job that computes the result of a key, unless it has ended."""
    job = _last_job(workspace, kind, key)
    if job is not None:
        queue.stop_computations(workspace, lambda each: each.id == job.id)


def _last_job(workspace: Workspace, kind: JobKind, key: str) -> Job | None:
    with workspace.engine.connect() as connection:
        jobs = jobs_where(connection, (db.jobs.c.kind == kind.name) & (db.jobs.c.key == key))
    return jobs[0] if jobs else None
