"""The queues of jobs, and how to stop, resume, finish, remove and restore jobs of any kind."""

import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import update

from coverslip.errors import BadRun, Busy, Conflict, CoverslipError, DiskFull, NotFound
from coverslip.experiments.run_state import request_finish
from coverslip.files import write_error, write_json, write_text
from coverslip.machine import memory_of_processes, n_cores, process_started
from coverslip.messages import failure
from coverslip.processes import Json
from coverslip.runs.documents import read_object
from coverslip.runtime.programs import (
    Program,
    is_running,
    kill_with_children,
    launch,
    python_command,
    record_failure,
    terminate,
)
from coverslip.runtime.slurm import Slurm, cancel_waiting
from coverslip.workspace.jobs.records import (
    ACTIVE,
    Job,
    change_if_unchanged,
    change_if_unchanged_in,
    change_job,
    clear_processes,
    find_job,
    find_jobs,
    find_owned_job,
    has_ended,
    has_process,
    is_inside,
    job_kinds,
    kind_of,
    list_unlisted_jobs,
    mark_ended,
    queued_ids,
    record_end,
    record_lost_result,
    remove_files,
    remove_rows,
    remove_trainings_of,
    state_of,
    status_of,
    unended_jobs,
)
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers import child_environment


def stop_job(workspace: Workspace, job_id: str) -> None:
    """Request a job to stop. A waiting job is removed from the queue.

    Raises:
        NotFound: there is no such job.
        Conflict: it has already ended, or its files are outside the workspace.
    """
    job = find_owned_job(workspace, job_id)
    if job.state == "queued":
        if _unqueue(workspace, job):
            return
        job = find_job(workspace, job_id)  # it was started meanwhile
    if state_of(job, status_of(job)) not in ACTIVE:
        raise Conflict("job-ended")
    if job.folder.is_dir():
        write_text(job.run.stop_file, "")
    if job.stop_requested is None:
        change_job(workspace, job_id, stop_requested=time.time())
    if job.key is not None and job.pid is not None:  # else the queue ends it
        kill_with_children(job.pid, job.process_started)
        mark_ended(workspace, job)


def _unqueue(workspace: Workspace, job: Job) -> bool:
    """Remove a waiting job from the queue; return whether it was waiting."""
    is_waiting = (db.jobs.c.id == job.id) & (db.jobs.c.state == "queued")
    update_query = update(db.jobs).where(is_waiting).values(state="started", queued=None, stop_requested=time.time())
    with write_transaction(workspace.engine) as connection:
        return bool(connection.execute(update_query).rowcount)


def resume_job(workspace: Workspace, job_id: str, *, finishes: bool = False) -> None:
    """Queue a job that ended early again. It resumes where it ended, except for evaluations, which are short.

    A finished study can also be resumed: failed trainings are retried.

    Args:
        workspace: the workspace of the job.
        job_id: the job.
        finishes: keep a request to end fine-tuning; otherwise such a request is withdrawn.

    Raises:
        NotFound: there is no such job.
        Conflict: it is waiting, running or finished, or its files are outside the workspace.
    """
    job = find_owned_job(workspace, job_id)
    state = state_of(job, status_of(job))
    kind = kind_of(job)
    if state == "done" and not kind.can_resume_finished:
        raise Conflict("job-finished")
    if not has_ended(state):
        raise Conflict("job-not-ended")
    command = kind.resume_command(job, finishes)
    job.run.stop_file.unlink(missing_ok=True)
    if not finishes:
        job.run.finish_file.unlink(missing_ok=True)
    reset = dict.fromkeys(("pid", "process_started", "launched", "stop_requested"))
    change_if_unchanged(workspace, job, state="queued", queued=time.time(), command=command, **reset)


def finish_job(workspace: Workspace, job_id: str) -> None:
    """Finish a job early with what it has: a training calibrates, tests and reports its best epoch so far.

    A stopped job is queued again for this.

    Raises:
        NotFound: there is no such job.
        Conflict: it cannot be finished early, or its files are outside the workspace.
    """
    job = find_owned_job(workspace, job_id)
    state = state_of(job, status_of(job))
    if not kind_of(job).can_finish(job, state):
        raise Conflict("not-finished-early")
    request_finish(job.folder)
    if has_ended(state):
        resume_job(workspace, job_id, finishes=True)


def remove_job(workspace: Workspace, job_id: str) -> None:
    """Move a job and its files to the trash. One whose result is stored elsewhere is removed.

    Computations whose results belong to it, or to a job inside its folder, are stopped.

    Raises:
        NotFound: there is no such job.
        Conflict: it is running, a job inside its folder has not ended, or its files are outside the workspace.
    """
    job = find_owned_job(workspace, job_id)
    if state_of(job, status_of(job)) in ACTIVE:
        raise Conflict("job-not-ended")
    if job.key is not None:
        with write_transaction(workspace.engine) as connection:
            change_if_unchanged_in(connection, job, state="removed")
            remove_rows(connection, [job])
        remove_files(workspace, [job])
        return
    removed = [job, *find_jobs(workspace, is_inside(workspace, job.folder))]
    for each in removed[1:]:
        if not has_ended(state_of(each, status_of(each))):
            raise Conflict("job-in-use", name=each.name)
    stop_computations(workspace, lambda each: is_about(each, *(of.id for of in removed)))
    trash_folder = workspace.owned(workspace.trash / job_id)
    try:
        trash_folder.mkdir(parents=True, exist_ok=True)
        with write_transaction(workspace.engine) as connection:
            change_if_unchanged_in(connection, job, state="removed", choices={**job.choices, "_was": job.state})
            remove_trainings_of(connection, job_id)
        for file in job.files:
            shutil.move(file, trash_folder / file.name)
    except OSError as error:
        raise write_error(trash_folder, error) from error


def stop_computations(workspace: Workspace, is_meant: Callable[[Job], bool]) -> None:
    """Stop computations that have not ended, such as those whose results belong to a job that is removed."""
    with workspace.engine.connect() as connection:
        computations = [each for each in unended_jobs(connection) if each.key is not None]
    for each in filter(is_meant, computations):
        with suppress(Conflict, NotFound):  # it has ended meanwhile
            stop_job(workspace, each.id)


def is_about(computation: Job, *ids: str) -> bool:
    """Return whether the result of a computation is of one of these datasets or jobs."""
    return not set(ids).isdisjoint(re.split(r"[/.]", computation.choices["link"]))


def restore_job(workspace: Workspace, job_id: str) -> None:
    """Restore a job from the trash. A job that was waiting is queued again.

    Raises:
        NotFound: there is no such job in the trash.
        Conflict: something else is at its location, which can be outside the workspace, or the training that contained
            it was removed.
        CoverslipError: its files are damaged; they stay in the trash.
    """
    job = find_owned_job(workspace, job_id, is_removed=True)
    trash_folder = workspace.owned(workspace.trash / job_id)
    if not trash_folder.is_dir():
        raise NotFound("not-in-trash")
    files = list(trash_folder.iterdir())
    if not job.folder.parent.parent.is_dir():
        raise Conflict("training-removed")
    if any((job.folder.parent / file.name).exists() for file in files):
        raise Conflict("original-location-taken", name=job.folder.name)
    if (in_trash := trash_folder / job.folder.name) in files:
        kind_of(job).check_files(in_trash)
    job.folder.parent.mkdir(exist_ok=True)  # a backup contains no empty folders
    for file in files:
        shutil.move(file, job.folder.parent / file.name)
    choices = dict(job.choices)
    change_if_unchanged(workspace, job, state=choices.pop("_was", "started"), choices=choices)
    trash_folder.rmdir()  # last, so that a request that failed can be repeated
    list_unlisted_jobs(workspace)


# The queues: in a workspace, one job of each runs at a time. Workspaces on one computer share the queues of jobs with
# folders, but not those of computations; with Slurm, the cluster decides. Jobs that were started outside the app are
# listed.

TRAININGS_QUEUE = "trainings"  # also of studies, which contain trainings
_WAITING_SECONDS = 10.0  # a workspace that does not report again loses its turn
_SECONDS_WHILE_RUNNING, _SECONDS_WHILE_IDLE = 0.5, 3.0  # between two checks, unless something changes
_LEAST_SECONDS = 0.1  # between two checks: many changes at once need one
_SECONDS_TO_END = 1.0  # enough: a starting job is recorded before its process
_INODE_FILE = "inode.json"  # which folder this is, and whether it is a copy
_PATIENCE_SECONDS = 60.0  # that a job may take to stop on request
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How the jobs of a server run.

    Args:
        slurm: submits jobs of some kinds to a cluster; None: all run on this computer.
        most_bytes: the memory that a job on this computer may take, with its child processes; None: no limit.
    """

    slurm: Slurm | None = None
    most_bytes: int | None = None


DEFAULT = JobOptions()


@dataclass(slots=True)
class _Queues:
    """The queues of one workspace, as it reported them last."""

    busy: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    reported: float = 0.0
    last_starts: dict[str, int] = field(default_factory=dict)


class Turns:
    """The queues that the workspaces of a server share. Thread-safe.

    Args:
        is_open: whether jobs may start. If not, they wait for `open`: all workspaces must have reported before.
    """

    def __init__(self, *, is_open: bool = True) -> None:
        self._lock, self._is_open, self._n_starts = threading.Lock(), is_open, 0
        self._queues: dict[Hashable, _Queues] = {}

    def open(self) -> None:
        """Let jobs start."""
        self._is_open = True

    def enter(self, workspace: Hashable) -> None:
        """Add a workspace."""
        with self._lock:
            self._queues[workspace] = _Queues()

    def leave(self, workspace: Hashable) -> None:
        """Remove a workspace. What it reports later is ignored, and its running jobs no longer count."""
        with self._lock:
            self._queues.pop(workspace, None)

    def report(self, workspace: Hashable, *, busy: Collection[str], waiting: Collection[str]) -> None:
        """Report in which queues a workspace has running and waiting jobs."""
        with self._lock:
            if queues := self._queues.get(workspace):
                queues.busy, queues.waiting, queues.reported = set(busy), set(waiting), time.monotonic()

    def take(self, workspace: Hashable, queue: str, *, most: int | None = 1) -> bool:
        """Return whether a workspace may start a job of this queue now; if so, the queue is busy from now on.

        Among the workspaces that wait, the one whose last start is the longest ago is next.

        Args:
            workspace: the workspace.
            queue: one of its queues.
            most: the number of workspaces in which jobs of this queue may run at a time; None: a cluster decides when
                they run.
        """
        with self._lock:
            taking = self._queues.get(workspace)
            if not self._is_open or taking is None:
                return False
            if most is None:
                return True
            if queue in taking.busy or sum(queue in each.busy for each in self._queues.values()) >= most:
                return False
            since = time.monotonic() - _WAITING_SECONDS
            waiting = [each for each in self._queues.values() if queue in each.waiting and each.reported >= since]
            if waiting and min(waiting, key=lambda each: each.last_starts.get(queue, 0)) is not taking:
                return False
            self._n_starts += 1
            taking.last_starts[queue] = self._n_starts
            taking.busy.add(queue)
            return True


class Queue:
    """A thread that starts and stops jobs. Its state is in the tables and on disk.

    Args:
        workspace: its jobs.
        turns: whose job starts next.
        options: how they run.
    """

    def __init__(self, workspace: Workspace, turns: Turns, options: JobOptions = DEFAULT) -> None:
        self._workspace, self._turns, self._options = workspace, turns, options
        turns.enter(workspace.folder)
        self._is_closed, self._is_running = threading.Event(), False
        # With their start times, until it is recorded how they ended.
        self._started: list[tuple[Program, float]] = []
        self._unrecorded: dict[str, tuple[int, float]] = {}  # PIDs and start times of jobs that are not in the table
        self._thread = threading.Thread(target=self._work, name="coverslip queue", daemon=True)

    def start(self) -> None:
        # Before the first request. The clients of computations that an earlier server left have gone.
        self._attempt(partial(clear_processes_of_original, self._workspace))
        self._attempt(partial(stop_computations, self._workspace, lambda _: True))
        self._attempt(self._list_unlisted)
        self._thread.start()

    def close(self) -> None:
        """Start no further jobs. Running jobs of kinds that outlive the server continue."""
        self._is_closed.set()
        self._workspace.pulse.woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_SECONDS_TO_END)
        self._turns.leave(self._workspace.folder)
        for program, began in self._started:
            if program.stdin is not None:
                kill_with_children(program.pid, began)

    def _work(self) -> None:
        pulse = self._workspace.pulse
        while not self._is_closed.wait(_LEAST_SECONDS):
            pulse.woken.clear()
            self._attempt(self.update)
            self._attempt(self._list_unlisted)
            if self._is_running:
                pulse.announce()
            pulse.woken.wait(_SECONDS_WHILE_RUNNING if self._is_running else _SECONDS_WHILE_IDLE)

    def _attempt(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001  an error must not end the queue; it is logged
            _log.exception("the queue of jobs failed")

    def _list_unlisted(self) -> None:
        list_unlisted_jobs(self._workspace)

    def update(self) -> None:
        """Handle stop requests and the limit of memory, then start the next job of each queue without a running job."""
        self._attempt(self._record_starts)
        ended = [each for each in self._started if each[0].poll() is not None]
        self._started = [each for each in self._started if each not in ended]
        with self._workspace.engine.connect() as connection:
            jobs = unended_jobs(connection)
        for program, began in ended:
            is_of_process = (db.jobs.c.pid == program.pid) & (db.jobs.c.process_started == began)
            for job in find_jobs(self._workspace, is_of_process, db.jobs.c.state.in_(("started", "ended"))):
                record_end(job, program.returncode)
        started = [job for job in jobs if job.state == "started"]
        unended = {(program.pid, began) for program, began in self._started}  # how they end is recorded first
        running = [job for job in started if (job.pid, job.process_started) in unended or has_process(job)]
        for job in running:
            self._attempt(partial(_enforce_stop, self._workspace, job))
            if self._options.most_bytes is not None:
                self._attempt(partial(_limit_memory, self._workspace, job, self._options.most_bytes))
        queue_of = {name: kind.queue for name, kind in job_kinds().items()}  # without kinds of other versions
        queues = {queue_of[job.kind]: None for job in jobs if job.state == "queued" and job.kind in queue_of}
        next_ids = {queue: ids[0] for queue in queues if (ids := queued_ids(self._workspace, queue))}
        folder = self._workspace.folder
        busy = {queue_of[job.kind] for job in running if job.kind in queue_of}
        self._turns.report(folder, busy=busy, waiting=next_ids)
        self._is_running = bool(running or next_ids)
        for queue, job_id in next_ids.items():
            with suppress(NotFound):  # it was removed meanwhile
                job = find_job(self._workspace, job_id)
                # A result that somebody waits for must not wait for a long computation of another project.
                most = None if self._slurm_of(job) else 1 if job.key is None else n_cores()
                if not self._unrecorded and self._turns.take(folder, queue, most=most):
                    self._begin(job)
                    self._record_starts()
        for job in started:  # last: a damaged table must not keep other jobs from starting
            self._attempt(partial(self._store_rows, job, has_process=job in running))

    def _store_rows(self, job: Job, *, has_process: bool) -> None:
        """Store what a job has added to its table. If its process has ended, record that."""
        if job.kind in job_kinds():
            try:
                kind_of(job).store_rows(self._workspace, job)
            except (Busy, DiskFull):  # the next call repeats it
                raise
            except Exception as error:  # noqa: BLE001  the error is logged; it must not keep the job from ending
                _log.exception("the rows of a job could not be stored")
                if not has_process and job.key is not None:  # files of other jobs can be read again
                    record_lost_result(job, error)
            if not has_process and self._slurm_of(job):  # if this computer has restarted, it may wait in Slurm
                cancel_waiting(job.log)
        if not has_process:  # after its rows: pages that follow the change read them
            mark_ended(self._workspace, job)

    def _slurm_of(self, job: Job) -> Slurm | None:
        return self._options.slurm if kind_of(job).can_be_submitted else None

    def _begin(self, job: Job) -> None:
        try:
            self._workspace.owned(job.run.status_file)
            kind_of(job).refuse(self._workspace, job)
            self._launch(job)
        except Busy:  # before its process was started: it remains in the queue
            raise
        except (CoverslipError, OSError) as error:  # OSError: the disk is full, or there are too many processes
            if isinstance(error, CoverslipError):
                reason = error.failure
            else:
                reason = failure("job-not-started", kind="ended", reason=str(error))
            with suppress(CoverslipError):
                self._workspace.owned(job.run.status_file)
                record_failure(job.folder, reason)
            is_waiting = (db.jobs.c.id == job.id) & db.jobs.c.state.in_(("queued", "started"))
            # The times of an attempt, so that a status of an earlier process is not taken for its end.
            attempt = {"launched": time.time(), "process_started": process_started()}
            with write_transaction(self._workspace.engine) as connection:
                connection.execute(update(db.jobs).where(is_waiting).values(state="ended", queued=None, **attempt))

    def _launch(self, job: Job) -> None:
        with write_transaction(self._workspace.engine) as connection:
            is_queued = (db.jobs.c.id == job.id) & (db.jobs.c.state == "queued")
            # Recorded first: if the server dies here, the job can be resumed, and is never started twice.
            result = connection.execute(
                update(db.jobs)
                .where(is_queued)
                .values(state="started", queued=None, launched=time.time(), pid=None, process_started=None)
            )
        if not result.rowcount:
            return
        program = launch(
            python_command(*job.command),
            job.folder,
            cwd=self._workspace.folder,
            environment=child_environment(self._workspace.readable),
            holds_stdin=kind_of(job).ends_with_server,
            slurm=self._slurm_of(job),
        )
        _reset_niceness(program)
        began = process_started(program.pid)
        self._started.append((program, began))
        self._unrecorded[job.id] = program.pid, began
        threading.Thread(target=self._wait_for, args=(program,), name="coverslip job", daemon=True).start()

    def _record_starts(self) -> None:
        """Record the processes of started jobs. After an error, such as a full disk, the next call repeats it."""
        for job_id, (pid, began) in list(self._unrecorded.items()):
            change_job(self._workspace, job_id, pid=pid, process_started=began)
            del self._unrecorded[job_id]

    def _wait_for(self, program: Program) -> None:
        program.wait()
        self._workspace.pulse.beat()


def clear_processes_of_original(workspace: Workspace) -> None:
    """Let jobs name no process if the workspace was copied: the processes work on the original.

    A folder keeps its inode when it is moved, and gets another one when it is copied, or moved to another disk.
    """
    mark, inode = workspace.folder / _INODE_FILE, workspace.folder.stat().st_ino
    stated = _mark_of(workspace)
    is_new_copy = stated.get("inode", inode) != inode
    if is_new_copy:
        clear_processes(workspace)
    write_json(mark, {"format_version": 1, "inode": inode, "is_copy": is_new_copy or bool(stated.get("is_copy"))})


def is_copy(workspace: Workspace) -> bool:
    """Return whether the workspace was copied from another folder, or moved to another disk, since it was new."""
    return bool(_mark_of(workspace).get("is_copy"))


def _mark_of(workspace: Workspace) -> Json:
    try:
        return read_object(workspace.folder / _INODE_FILE)
    except BadRun:  # a new or restored workspace
        return {}


def _reset_niceness(program: Program) -> None:
    import psutil

    with suppress(psutil.Error, OSError):  # only an administrator may reset the niceness of the server
        psutil.Process(program.pid).nice(0)


def _enforce_stop(workspace: Workspace, job: Job) -> None:
    """End a job after a stop request: at once if it has no status yet, else if it does not stop in time."""
    if job.stop_requested is None:
        return
    workspace.owned(job.run.stop_file)
    if job.key is not None:  # it was stopped while it was started
        kill_with_children(job.pid, job.process_started)
        return
    has_started = job.run.status_file.exists()
    if has_started and not job.run.stop_file.exists():
        job.run.stop_file.touch()
    has_patience = 0 <= time.time() - job.stop_requested <= _PATIENCE_SECONDS  # negative: the clock was set back
    if not has_started or not has_patience:
        terminate(job.pid, job.process_started)


def _limit_memory(workspace: Workspace, job: Job, most_bytes: int) -> None:
    """End a job whose processes take more memory than allowed. It can be resumed from its last checkpoint."""
    n_bytes = 0 if job.pid is None else memory_of_processes(job.pid)
    if n_bytes > most_bytes and is_running(job.pid, job.process_started):
        workspace.owned(job.run.status_file)
        reason = failure("job-took-memory", kind="memory", taken=n_bytes / 1e9, limit=most_bytes / 1e9)
        with suppress(CoverslipError):  # the disk is full
            record_failure(job.folder, reason)
        kill_with_children(job.pid, job.process_started)
