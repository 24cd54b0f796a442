"""Jobs that compute a result on request, such as a map: request one, report its progress, and do its work.

A function of the room that owns the subject computes the result and stores it. It runs in a process of its own,
`python -m coverslip.workspace.jobs.computing FOLDER`, because it needs libraries that the server does not load, or
memory that the server would not release. FOLDER contains `request.json`, and then the status and the events.
"""

import importlib
import secrets
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import update

from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Emit, Event
from coverslip.experiments.run_state import record_work
from coverslip.files import write_json
from coverslip.messages import Failure
from coverslip.processes import Json
from coverslip.runs.documents import read_object
from coverslip.runs.folder import Run, RunContext
from coverslip.runs.progress import Work
from coverslip.runtime.programs import end_with_parent
from coverslip.stopping import Stop, signals_stop, work_stopped
from coverslip.workspace.jobs import queue
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

Function = Callable[[Workspace, Json, Emit], None]
"""Computes a result from JSON values, stores it, and reports its progress to the receiver of events."""

_REQUEST_FILE = "request.json"
_MOST_ENDED = 100  # ended computations that are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultState:
    """The state of a result that is computed on request, and the last job that computed it."""

    state: Annotated[
        Literal["not-possible", "not-requested", "waiting", "running", "outdated", "ready"],
        Field(
            description="not-possible: what it needs does not exist; waiting: another result of this kind is computed "
            "first, and the newest request is next; outdated: what it was computed from has changed since then."
        ),
    ]
    job_id: Annotated[str | None, Field(description="The last job that computed it; null if none is listed.")]
    progress: Annotated[Work | None, Field(description="Null until the first report.")]
    error: Annotated[Failure | None, Field(description="Why the last attempt failed.")]


@dataclass(frozen=True, slots=True)
class Computation:
    """The last job that computed the result of a key."""

    state: Literal["waiting", "running"] | None = None  # None: it has ended, or there is none
    progress: Work | None = None
    error: Failure | None = None  # why it failed
    requested: float | None = None  # when: seconds since 1970; None: it has ended
    started: float | None = None  # None: it is waiting, or has ended
    id: str | None = None

    def of_result(self, otherwise: str) -> Json:
        """Return the values of a `ResultState`, whose state without a waiting or running job is `otherwise`."""
        values = {"job_id": self.id, "progress": self.progress, "error": self.error}
        return {"state": self.state or otherwise, **values}


def request_result(
    workspace: Workspace,
    kind: JobKind,
    key: str,
    arguments: Mapping[str, object],
    *,
    name: str,
    link: str,
    dataset_id: str | None = None,
    choices: Mapping[str, object] | None = None,
) -> None:
    """Compute a result next, unless it is being computed. Ended jobs of the same key are removed.

    Args:
        workspace: the workspace.
        kind: the kind of job, which has a function.
        key: identifies what is computed, and its version.
        arguments: the arguments of the function, as JSON values.
        name: the name of what it is about, for lists of jobs.
        link: the path of its result in the API.
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
        values = {"function": kind.function, "workspace": workspace.as_json(), "arguments": arguments}
        write_json(folder / _REQUEST_FILE, {"format_version": 1, **values})
        add_job_in(
            connection,
            id=job_id,
            kind=kind.name,
            key=key,
            name=name,
            dataset_id=dataset_id,
            dataset_name="",
            folder=str(folder),
            command=["-m", __name__, str(folder)],
            choices={"link": link, **(choices or {})},
        )
    remove_files(workspace, earlier)


def computation(workspace: Workspace, kind: JobKind, key: str) -> Computation:
    """Return the last job that computed the result of a key, and its progress."""
    job = _last_job(workspace, kind, key)
    if job is None:
        return Computation()
    status = status_of(job)
    state = state_of(job, status)
    if has_ended(state):
        return Computation(error=failure_of_job(job, status) if state == "failed" else None, id=job.id)
    if state == "queued":
        return Computation("waiting", requested=job.queued, id=job.id)
    return Computation("running", folded_log(job).progress.work, None, job.launched, job.launched, job.id)


def cancel_result(workspace: Workspace, kind: JobKind, key: str) -> None:
    """Stop the job that computes the result of a key, unless it has ended."""
    job = _last_job(workspace, kind, key)
    if job is not None:
        queue.stop_computations(workspace, lambda each: each.id == job.id)


def _last_job(workspace: Workspace, kind: JobKind, key: str) -> Job | None:
    with workspace.engine.connect() as connection:
        jobs = jobs_where(connection, (db.jobs.c.kind == kind.name) & (db.jobs.c.key == key))
    return jobs[0] if jobs else None


def main(folder: Path) -> int:
    """Compute a requested result, record in its folder how that ended, and return the exit code."""
    context = RunContext(folder, stop=Stop(Run(folder).stop_file))
    try:
        with signals_stop(), record_work(context, stopped=lambda _: work_stopped()) as recorded:

            def handle(event: Event) -> None:
                recorded.emit(event)
                recorded.stop.check()

            request = read_object(folder / _REQUEST_FILE)
            module, _, name = request["function"].partition(":")
            function: Function = getattr(importlib.import_module(module), name)
            function(Workspace.from_json(request["workspace"]), request["arguments"], handle)
    except Stopped:
        return 0
    except CoverslipError as error:
        sys.stderr.write(f"Error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    end_with_parent()
    sys.exit(main(Path(sys.argv[1])))
