"""Jobs of any kind: the table of them, their state (read from folders and processes), and the kinds themselves."""

import itertools
import os
import platform
import re
import secrets
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, RowMapping, String, delete, func, insert, select, type_coerce, update

from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRecipe, BadRun, Conflict, CoverslipError, NotFound
from coverslip.messages import Failure, failure, language, localized_failure
from coverslip.runs.folder import Run
from coverslip.runs.log import FoldedLog
from coverslip.runs.progress import LoggedProgress, Work, work_by
from coverslip.runs.status import Status, mark_interrupted
from coverslip.runtime.programs import failure_file, is_running, log_file, record_exit, recorded_failure
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import author_name, now
from coverslip.workspace.store.workspace import Workspace

# The table: requested processes. `state_of` determines their current state.

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
    def is_adaptation(self) -> bool:
        """Whether it adapts the classifier of an earlier training, also before it begins."""
        return "adapt" in self.command[:3] or self.run.adaptation is not None

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


def find_owned_job(workspace: Workspace, job_id: str, *kinds: str, is_removed: bool = False) -> Job:
    """Return a job, as `find_job`, whose files may be changed.

    Raises:
        NotFound: there is no such job of these kinds.
        Conflict: its files are outside the workspace.
    """
    job = find_job(workspace, job_id, *kinds, is_removed=is_removed)
    workspace.owned(job.run.status_file)
    return job


def jobs_where(connection: Connection, *conditions: ColumnElement[bool]) -> list[Job]:
    """Return the jobs that meet all conditions, the newest first."""
    query = select(db.jobs).where(*conditions).order_by(db.jobs.c.created.desc(), db.jobs.c.id)
    return [_job(row) for row in connection.execute(query).mappings()]


def find_jobs(workspace: Workspace, *conditions: ColumnElement[bool]) -> list[Job]:
    """Return the jobs that meet all conditions, the newest first, with a new connection."""
    with workspace.engine.connect() as connection:
        return jobs_where(connection, *conditions)


def all_jobs(workspace: Workspace, kind: str, *conditions: ColumnElement[bool]) -> list[Job]:
    """Return the jobs of a kind that are not removed and meet all conditions, the newest first."""
    return find_jobs(workspace, db.jobs.c.kind == kind, db.jobs.c.state != "removed", *conditions)


def unended_jobs(connection: Connection) -> list[Job]:
    """Return the jobs that are waiting, or that are not recorded as ended, the newest first."""
    return jobs_where(connection, db.jobs.c.state.in_(("queued", "started")))


def is_inside(workspace: Workspace, folder: Path) -> ColumnElement[bool]:
    """Return the condition that the folder of a job is in this folder, such as that of an evaluation of a training."""
    start = db.relative_path(f"{folder}{os.sep}", str(workspace.folder))
    return type_coerce(db.jobs.c.folder, String).startswith(start, autoescape=True)


@dataclass(frozen=True, slots=True)
class JobFolders:
    """The folders of all jobs."""

    listed: frozenset[str]  # including those of removed jobs
    of_kind: Mapping[str, Mapping[str, Path]]  # by the ID of the job, without removed jobs


_FOLDERS = select(db.jobs.c.id, db.jobs.c.kind, db.jobs.c.folder, db.jobs.c.state)  # once: it runs often


def job_folders(workspace: Workspace) -> JobFolders:
    """Return the folders of all jobs."""
    of_kind: dict[str, dict[str, Path]] = {}
    with workspace.engine.connect() as connection:
        rows = connection.execute(_FOLDERS).all()
    for row in rows:
        if row.state != "removed":
            of_kind.setdefault(row.kind, {})[row.id] = Path(row.folder)
    return JobFolders(frozenset(row.folder for row in rows), of_kind)


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "folder": Path(row["folder"]), "command": tuple(row["command"])})


def new_job_folder(workspace: Workspace, parent: Path, name: str) -> tuple[str, Path]:
    """Return a new ID, and a folder whose name contains the name and the ID.

    Raises:
        Conflict: the parent is outside the workspace.
    """
    job_id = secrets.token_hex(5)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-")
    folder = workspace.owned(parent / (f"{slug}-{job_id}" if slug else job_id))
    parent.mkdir(parents=True, exist_ok=True)
    return job_id, folder


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


def remove_trainings_of(connection: Connection, study_id: str) -> None:
    """Remove the trainings of a study from the table, in a writing transaction.

    They are listed again if the study is restored. Those in the trash remain, so that they can be restored after it.
    """
    connection.execute(delete(db.jobs).where(db.jobs.c.study_id == study_id, db.jobs.c.state != "removed"))


def remove_files(workspace: Workspace, jobs: Collection[Job]) -> None:
    """Delete the files of jobs."""
    for file in (file for job in jobs for file in job.files):
        workspace.remove(file)


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
    with write_transaction(workspace.engine) as connection:
        change_if_unchanged_in(connection, job, **values)


def change_if_unchanged_in(connection: Connection, job: Job, **values: object) -> None:
    """Change a job as `change_if_unchanged` does, in a writing transaction."""
    columns = db.jobs.c
    is_same = (columns.id == job.id) & ((columns.state == "removed") == (job.state == "removed"))
    for name in ("queued", "launched"):
        is_same &= columns[name].is_not_distinct_from(getattr(job, name))
    if not connection.execute(update(db.jobs).where(is_same).values(**values)).rowcount:
        raise Conflict("job-changed")


# The state, always read from folders and processes, so that a restarted server has it.


def record_end(job: Job, exit_code: int) -> None:
    """Record how the process of a job ended, unless it did so itself, or was to stop."""
    status = status_of(job)
    if status is not None and is_from_earlier_process(job, status):
        status = None
    if status is not None and status.host != platform.node() and exit_code >= 0:
        # The process waited for the end of a job of Slurm; if it was killed, that job may continue.
        with suppress(CoverslipError):  # the disk is full
            mark_interrupted(job.run.status_file)
    is_recorded = status is not None and status.state != "running"
    if not is_recorded and job.stop_requested is None:
        record_exit(job.folder, exit_code)


def clear_processes(workspace: Workspace) -> int:
    """Let jobs and their folders name no process, so that their work can be resumed, as in a copied workspace.

    A process of the same number could otherwise be taken for the job, and be stopped in its place.

    Returns:
        The number of jobs that were running.
    """
    interrupted = set[Path]()
    for parent in (workspace.jobs, workspace.predictions, workspace.runs, workspace.studies):
        for file in parent.rglob(Run(parent).status_file.name):
            if mark_interrupted(workspace.owned(file)):
                interrupted.add(file.parent)
    with write_transaction(workspace.engine) as connection:
        connection.execute(update(db.jobs).values(pid=None, process_started=None, launched=None))
        folders = connection.execute(select(db.jobs.c.folder)).scalars().all()
    return sum(Path(folder) in interrupted for folder in folders)


def record_lost_result(job: Job, error: Exception) -> None:
    """Record that a finished computation failed, because its result could not be stored."""
    status = status_of(job)
    if status is not None and status.state == "done":
        reason = error.failure if isinstance(error, CoverslipError) else None
        changes = {"state": "failed", "failure": reason, "reason": str(error) or type(error).__name__}
        status.model_copy(update=changes).write(job.run.status_file)


def is_from_earlier_process(job: Job, status: Status) -> bool:
    """Return whether the status was written before the job's last process started."""
    if job.process_started is None or job.launched is None:
        return False
    if status.host == platform.node() and status.process_started <= job.process_started:
        return status.process_started < job.process_started
    # Start times are relative to that of the computer, which may have restarted since. `began` has whole seconds.
    return datetime.fromisoformat(status.began).timestamp() < job.launched - 1


def failure_of_job(job: Job, status: Status | None) -> Failure:
    """Return why a job failed: by its status, else as it was recorded beside its folder."""
    if status is not None and not is_from_earlier_process(job, status):
        if status.failure is not None:
            return localized_failure(status.failure)
        if status.state == "failed" and status.reason:
            return failure("job-fault", kind="fault", reason=status.reason)
    return recorded_failure(job.folder) or failure("job-ended-silently", kind="ended")


_MOST_LOGS = 32

_logs: dict[tuple[Path, str], FoldedLog] = {}  # folded logs are kept, so that only new lines are read
_logs_lock = threading.Lock()


def folded_log(job: Job) -> FoldedLog:
    """Return the log of a job up to now, folded once for all callers."""
    key = (job.folder, language())
    with _logs_lock:
        log = _logs.pop(key, None) or FoldedLog(job.run.events_file, _initial_progress(job))
        _logs[key] = log
        while len(_logs) > _MOST_LOGS:
            del _logs[next(iter(_logs))]
    log.refresh()
    return log


def _initial_progress(job: Job) -> LoggedProgress:
    init = job.effective_choices.get("init")
    return LoggedProgress(has_pretraining=isinstance(init, dict) and "train_on" in init)


State = Literal["queued", "starting", "running", "stopping", "stopped", "done", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts(DocumentedFields):
    """What the states of all kinds of jobs have in common."""

    id: str
    name: str
    folder: str
    """Where its files are; of an imported classifier, its file."""
    state: State
    queue_position: int | None
    """1 is next; null if it is not waiting."""
    error: Failure | None
    """Why it failed."""
    created: str
    """Time of the request; ISO 8601, UTC."""
    queued: str | None
    """Time of the request to start or resume it; ISO 8601, UTC; null if it is not waiting."""
    began: str | None
    """Start of its last process; ISO 8601, UTC; null while it waits for one, and for an imported classifier."""
    ended: str | None
    """ISO 8601, UTC; null until it ends, and for an imported classifier."""


def facts_of(
    workspace: Workspace, job: Job, status: Status | None, state: State
) -> dict[str, Any]:  # Any: the fields of `JobFacts`
    """Return the values of `JobFacts`."""
    queue = queued_ids(workspace, kind_of(job).queue) if state == "queued" else []
    return {
        "id": job.id,
        "name": job.name,
        "folder": str(job.folder),
        "state": state,
        "queue_position": queue.index(job.id) + 1 if job.id in queue else None,
        "error": failure_of_job(job, status) if state == "failed" else None,
        "created": job.created,
        "queued": None if job.queued is None else datetime.fromtimestamp(job.queued, UTC).isoformat(),
        "began": None if status is None or state in ("queued", "starting") else status.began,
        "ended": end_time(state, status),
    }


ACTIVE: frozenset[State] = frozenset({"starting", "running", "stopping"})

_LAUNCH_SECONDS = 10.0  # if the server dies before it records the PID, the state is unknown this long


def has_ended(state: State) -> bool:
    """Return whether a job is neither waiting nor running."""
    return state not in ACTIVE and state != "queued"


def has_process(job: Job) -> bool:
    """Return whether a process runs the job, started by the app or in a terminal."""
    if job.state == "started" and is_running(job.pid, job.process_started):
        return True
    status = status_of(job)
    return _is_being_launched(job) or (status is not None and status.is_alive)


def _is_being_launched(job: Job) -> bool:
    if job.state != "started" or job.pid is not None or job.launched is None:
        return False
    return 0 <= time.time() - job.launched < _LAUNCH_SECONDS  # negative: the clock was set back


def status_of(job: Job) -> Status | None:
    """Return the last status of its process; None before the first."""
    try:
        return job.run.status
    except BadRun:
        return None


def state_of(job: Job, status: Status | None) -> State:
    """Return the state of a job by its row, process and status."""
    if not job.command:  # an import, whose file is complete
        return "done"
    if job.state == "queued":
        return "queued"
    if _is_being_launched(job):
        return "starting" if job.stop_requested is None else "stopping"
    is_current = status is not None and not is_from_earlier_process(job, status)
    if status is not None and is_current and status.state != "running":  # its process may still be ending
        # A process that failed may still remove its folder: before its end, the job could look as if it were starting.
        is_removing = status.state == "failed" and is_running(job.pid, job.process_started)
        return "running" if is_removing else status.state
    is_watched = job.state == "started" and job.pid is not None  # until the queue has recorded how its process ended
    if is_watched or has_process(job):
        if job.stop_requested is not None or job.run.stop_file.exists():
            return "stopping"
        return "running" if is_current else "starting"
    if recorded_failure(job.folder):
        return "failed"
    # Without a failure, nobody watched its end. If it was to stop, it was ended before it could write that.
    was_ended = job.stop_requested is not None and (job.key is not None or not is_current)
    return "stopped" if was_ended else "interrupted"


def end_time(state: State, status: Status | None) -> str | None:
    """Return when a job ended: ISO 8601, UTC; None if it has not ended or has no status."""
    return status.heartbeat if status is not None and has_ended(state) else None


def refuse_in_use(connection: Connection, dataset_id: str) -> None:
    """Check that no job waits for a dataset or reads it, apart from computations for pages.

    Raises:
        Conflict: one of them does.
    """
    for job in unended_jobs(connection):
        if job.key is None and dataset_id in job.dataset_ids and (job.state == "queued" or has_process(job)):
            raise Conflict("dataset-in-use", name=job.name)


# The kinds: a record for each, which queues, lists, the trash and the event stream read.


def progress_of_work(job: Job) -> Work | None:
    """Return the progress of a job whose work is one stage after another, from its log."""
    return work_by(folded_log(job).progress, time.time())


def _same_command(job: Job, _: bool) -> list[str]:
    return list(job.command)


def _is_never_finished_early(_job: Job, _state: State) -> bool:
    return False


def _do_nothing(_workspace: Workspace, _job: Job) -> None:
    pass


def _check_nothing(_folder: Path) -> None:
    pass


def _list_nothing(_workspace: Workspace, _folders: JobFolders) -> None:
    pass


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job: a process with a folder, or an imported file.

    To add a kind, call `register_function` with the function that computes its result, or `register` with a kind whose
    jobs outlive the server, at the top of the module that starts these jobs. Queue, progress, cancellation and the list
    of jobs then work. The route that starts a job is in `app/routes/`, its page in `web/src/features/`.

    Args:
        name: the value of `kind` in the API and in the tables.
        function: `MODULE:FUNCTION`, as `process.Function`; None: each job has a command of the command line.
        ends_with_server: whether its jobs compute a result on request and store it elsewhere. They end with the server,
            also if it is killed, and the newest request is next. Other jobs outlive the server, and their files are
            their results.
        queue: jobs of the same queue run one at a time.
        can_be_submitted: whether a server with Slurm submits its jobs, which then do not wait for each other.
        story: returns what the API answers about a job; None: the state of any job.
        progress: the progress of a job; None if unknown.
        has_measurements: whether a job measures a classifier on labeled images.
        can_resume_finished: whether a finished job can be resumed, to retry what failed.
        resume_command: the command that resumes a job; the second argument is whether it is to finish early.
        can_finish: whether a job can be finished early in this state.
        refuse: raises a CoverslipError if a waiting job must not start, such as after a change of its files.
        store_rows: stores what a job has added to its table; called while it runs, and once
            after its end, before its row records the end.
        check_files: raises a CoverslipError if the folder of a job is damaged; called before it leaves the trash.
        list_unlisted: adds jobs to the table whose folders exist without it, given the folders in the table; called
            by the queue in short intervals, and by one thread at a time.
    """

    name: str
    queue: str
    function: str | None = None
    ends_with_server: bool = False
    story: Callable[[Workspace, Job], Any] | None = None  # Any: a dataclass
    progress: Callable[[Job], Work | None] = field(default=progress_of_work)
    can_be_submitted: bool = False
    has_measurements: bool = False
    can_resume_finished: bool = False
    resume_command: Callable[[Job, bool], list[str]] = field(default=_same_command)
    can_finish: Callable[[Job, State], bool] = field(default=_is_never_finished_early)
    refuse: Callable[[Workspace, Job], None] = field(default=_do_nothing)
    store_rows: Callable[[Workspace, Job], None] = field(default=_do_nothing)
    check_files: Callable[[Path], object] = field(default=_check_nothing)
    list_unlisted: Callable[[Workspace, JobFolders], None] = field(default=_list_nothing)


_kinds: dict[str, JobKind] = {}
_listing = threading.Lock()


def register(kind: JobKind) -> JobKind:
    """Add a kind of job; return it."""
    _kinds[kind.name] = kind
    return kind


def register_function(name: str, function: str, **values: Any) -> JobKind:  # Any: further fields
    """Add a kind of job that computes a result on request; return it. One of its jobs runs at a time."""
    return register(JobKind(name=name, queue=name, function=function, ends_with_server=True, **values))


def unregister(name: str) -> None:
    """Remove a kind of job."""
    del _kinds[name]


def job_kinds() -> Mapping[str, JobKind]:
    """Return the kinds of jobs by name."""
    return dict(_kinds)


def kind_of(job: Job) -> JobKind:
    """Return the kind of a job.

    Raises:
        NotFound: it is of another version.
    """
    if job.kind not in _kinds:
        raise NotFound("no-such-job")
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
    if queue in _kinds and _kinds[queue].ends_with_server:  # the clients of earlier requests may have left
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
