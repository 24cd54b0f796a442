"""The kinds of jobs: a record for each, which queue, control, trash, lists and event streams read."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, Protocol

from pydantic import Field
from pydantic_core import to_jsonable_python
from sqlalchemy import func, select

from coverslip.errors import NotFound
from coverslip.workspace.jobs.records import Job, JobFolders, find_job, job_folders
from coverslip.workspace.jobs.state import State, folded_log, has_ended
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of a job."""

    done: int
    total: Annotated[int, Field(description="Of the same unit as `done`; 0 if unknown.")]
    stage: Annotated[str | None, Field(description="Description of the step in progress.")] = None
    seconds_left: Annotated[float | None, Field(description="Expected time until the end; null if unknown.")] = None


def progress_of_work(job: Job) -> JobProgress | None:
    """Return the progress of a job whose work is one stage after another, from its log."""
    work = folded_log(job).progress.work
    return None if work is None else JobProgress(work.done, work.total, work.stage, work.seconds_left)


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event of a job. `number` increases within a job; None: it describes the current state."""

    kind: str  # the name of a field of the events of its kind of job
    text: str  # JSON
    number: int | None = None


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """The current state of a job, and what is new since the last snapshot."""

    now: dict[str, str]  # JSON by kind of message, the state first; empty if the job was removed
    is_over: bool
    lines: list[JobEvent]


class EventSource(Protocol):
    """The source of events of a job; its methods block."""

    def snapshot(self) -> JobSnapshot: ...

    def backlog(self, after: int, up_to: int) -> list[JobEvent]: ...


NewSource = Callable[[Workspace, str], EventSource]  # the argument is the ID of a job


def as_text(content: object) -> str:
    """Return dataclasses, also in lists, as JSON."""
    return json.dumps(to_jsonable_python(content), allow_nan=False)


class StateSource:
    """The source of the events of a job without numbered lines.

    Args:
        read: returns the current events of the job as a dataclass, whose first field is its state.
        workspace: the workspace of the job.
        job_id: the job.
    """

    def __init__(self, read: Callable[[Workspace, str], Any], workspace: Workspace, job_id: str) -> None:  # Any: events
        self._read, self._workspace, self._id = read, workspace, job_id

    def snapshot(self) -> JobSnapshot:
        try:
            events = self._read(self._workspace, self._id)
        except NotFound:
            return JobSnapshot({}, True, [])
        now = {each.name: as_text(getattr(events, each.name)) for each in fields(events)}
        return JobSnapshot(now, has_ended(events.state.state), [])

    def backlog(self, after: int, up_to: int) -> list[JobEvent]:
        return []


def _same_command(job: Job, _: bool) -> list[str]:
    return list(job.command)


def _is_never_finished_early(_job: Job, _state: State) -> bool:
    return False


def _do_nothing(_workspace: Workspace, _job: Job) -> None:
    pass


def _list_nothing(_workspace: Workspace, _folders: JobFolders) -> None:
    pass


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job: a process with a folder.

    To add a kind, call `register_function` with the function that computes its result, or `register` with a kind whose
    jobs have a command, at the top of the module that starts these jobs. Queue, progress, cancellation and the list of
    jobs then work. The route that starts a job is in `app/routes/`, its page in `web/src/features/`.

    Jobs with a function compute a result on request and store it elsewhere. They end with the server, also if it is
    killed, and the newest request is next. Other jobs outlive the server, and their files are their results.

    Args:
        name: the value of `kind` in the API and in the tables.
        function: `MODULE:FUNCTION`, as `computing.Function`; None: each job has a command.
        collection: the path of its details in the API, without the ID of the job; empty: each job has a link.
        queue: jobs of the same queue run one at a time.
        can_be_submitted: whether a server with Slurm submits its jobs, which then do not wait for each other.
        events: a dataclass with a field for each event in the stream of a job; the first is its state. None: its state
            is that of any job.
        source: the source of these events.
        progress: the progress of a job; None if unknown.
        has_measurements: whether a job measures a classifier on labeled images.
        can_resume_finished: whether a finished job can be resumed, to retry what failed.
        resume_command: the command that resumes a job; the second argument is whether it is to finish early.
        can_finish: whether a job can be finished early in this state.
        refuse: raises a CoverslipError if a waiting job must not start, such as after a change of its files.
        store_rows: stores what a job has added to its table; called while it runs, and once
            after its end, before its row records the end.
        list_unlisted: adds jobs to the table whose folders exist without it, given the folders in the table; called
            by the queue in short intervals, and by one thread at a time.
    """

    name: str
    queue: str
    collection: str = ""
    function: str | None = None
    events: type | None = None
    source: NewSource | None = None
    progress: Callable[[Job], JobProgress | None] = field(default=progress_of_work)
    can_be_submitted: bool = False
    has_measurements: bool = False
    can_resume_finished: bool = False
    resume_command: Callable[[Job, bool], list[str]] = field(default=_same_command)
    can_finish: Callable[[Job, State], bool] = field(default=_is_never_finished_early)
    refuse: Callable[[Workspace, Job], None] = field(default=_do_nothing)
    store_rows: Callable[[Workspace, Job], None] = field(default=_do_nothing)
    list_unlisted: Callable[[Workspace, JobFolders], None] = field(default=_list_nothing)

    @property
    def outlives_server(self) -> bool:
        """Whether its running jobs continue when the server ends."""
        return self.function is None


_kinds: dict[str, JobKind] = {}
_listing = threading.Lock()


def register(kind: JobKind) -> JobKind:
    """Add a kind of job; return it."""
    _kinds[kind.name] = kind
    return kind


def register_function(name: str, function: str, **values: Any) -> JobKind:  # Any: further fields
    """Add a kind of job that computes a result on request; return it. One of its jobs runs at a time."""
    return register(JobKind(name=name, queue=name, function=function, **values))


def unregister(name: str) -> None:
    """Remove a kind of job."""
    del _kinds[name]


def job_kinds() -> Mapping[str, JobKind]:
    """Return the kinds of jobs by name."""
    return dict(_kinds)


def kind_of(job: Job) -> JobKind:
    """Return the kind of a job."""
    return _kinds[job.kind]


def find_measured_job(workspace: Workspace, job_id: str) -> Job:
    """Return a job that measures a classifier on labeled images.

    Raises:
        NotFound: there is no such job.
    """
    return find_job(workspace, job_id, *(kind.name for kind in job_kinds().values() if kind.has_measurements))


def list_unlisted_jobs(workspace: Workspace) -> None:
    """Add jobs to the table that were started outside the app: the trainings of studies, and evaluations.

    The next call adds the evaluations of trainings that this call adds.
    """
    with _listing:
        folders = job_folders(workspace)
        for kind in job_kinds().values():
            kind.list_unlisted(workspace, folders)


def queued_ids(workspace: Workspace, queue: str) -> list[str]:
    """Return the IDs of the waiting jobs of a queue, the next first: users take turns."""
    is_in_queue = db.jobs.c.kind.in_([kind.name for kind in job_kinds().values() if kind.queue == queue])
    waiting = select(db.jobs.c.id, db.jobs.c.made_by).where(is_in_queue, db.jobs.c.state == "queued")
    if queue in _kinds and _kinds[queue].function is not None:  # the clients of earlier requests may have left
        with workspace.engine.connect() as connection:
            return list(connection.execute(waiting.order_by(db.jobs.c.queued.desc(), db.jobs.c.id)).scalars())
    starts = select(db.jobs.c.made_by, func.max(db.jobs.c.launched)).where(is_in_queue).group_by(db.jobs.c.made_by)
    with workspace.engine.connect() as connection:
        rows = connection.execute(waiting.order_by(db.jobs.c.queued, db.jobs.c.id)).all()
        n_users = len({row.made_by for row in rows})
        last_starts = {row[0]: row[1] for row in connection.execute(starts)} if n_users > 1 else {}
    n_of = Counter[str]()
    turns = []
    for position, row in enumerate(rows):
        turns.append((n_of[row.made_by], last_starts.get(row.made_by) or 0.0, position, row.id))
        n_of[row.made_by] += 1
    return [job_id for *_, job_id in sorted(turns)]
