"""Begins what waits: one training or study at a time, and beside it one evaluation and one prediction."""

import logging
import threading
import time

from sqlalchemy import update

from coverslip.workspace.jobs.processes import Launched, launch, terminate
from coverslip.workspace.jobs.records import LINES, Job, find_job, started_jobs, waiting
from coverslip.workspace.jobs.state import is_at_work
from coverslip.workspace.jobs.training import adopt_runs
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace

_SECONDS_BETWEEN_LOOKS = 1.0
_SECONDS_TO_END = 1.0  # a job that is being begun is noted first, so that nothing is lost by less
_PATIENCE_SECONDS = 60.0  # that a job may take to heed a stop by itself
_log = logging.getLogger("coverslip")


class Queue:
    """A thread that begins jobs and sees to stops; all it knows is in the tables and on disk."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._woken, self._is_closed = threading.Event(), False
        self._begun: list[Launched] = []  # so that ended ones do not stay as zombies
        self._thread = threading.Thread(target=self._work, name="coverslip queue", daemon=True)

    def start(self) -> None:
        adopt_runs(self._workspace)
        self._thread.start()

    def wake(self) -> None:
        """Look now: something was queued or stopped."""
        self._woken.set()

    def close(self) -> None:
        """Begin nothing more; jobs that are at work go on."""
        self._is_closed = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_SECONDS_TO_END)

    def _work(self) -> None:
        while not self._is_closed:
            self._woken.clear()
            try:
                self.look()
            except Exception:  # noqa: BLE001  one bad look must not end the queue; the log says why
                _log.exception("the queue of jobs could not be looked at")
            self._woken.wait(_SECONDS_BETWEEN_LOOKS)

    def look(self) -> None:
        """See to stops, then begin the next of each line where none is at work."""
        self._begun = [begun for begun in self._begun if begun.process.poll() is None]
        at_work = [job for job in started_jobs(self._workspace) if self._is_at_work(job)]
        for job in at_work:
            _see_to_stop(job)
        for line in LINES:
            if not any(job.kind in line for job in at_work):
                ids = waiting(self._workspace, next(iter(line)))
                if ids:
                    self._begin(find_job(self._workspace, ids[0]))

    def _is_at_work(self, job: Job) -> bool:
        """As asked; one whose process is gone is not looked at again every second."""
        if is_at_work(job):
            return True
        with self._workspace.engine.begin() as connection:
            is_still_started = (db.jobs.c.id == job.id) & (db.jobs.c.state == "started") & (db.jobs.c.queued.is_(None))
            connection.execute(update(db.jobs).where(is_still_started).values(state="ended"))
        return False

    def _begin(self, job: Job) -> None:
        with self._workspace.engine.begin() as connection:
            is_queued = (db.jobs.c.id == job.id) & (db.jobs.c.state == "queued")
            # Noted first: a server that dies right here leaves a job that can be resumed, never one begun twice.
            taken = connection.execute(
                update(db.jobs)
                .where(is_queued)
                .values(state="started", queued=None, launched=time.time(), pid=None, process_started=None)
            )
        if not taken.rowcount:
            return
        job.log.parent.mkdir(parents=True, exist_ok=True)
        begun = launch(
            job.command,
            log=job.log,
            failure=job.failure_file,
            folder=self._workspace.folder,
            readable=self._workspace.readable,
        )
        self._begun.append(begun)
        with self._workspace.engine.begin() as connection:
            connection.execute(
                update(db.jobs).where(db.jobs.c.id == job.id).values(pid=begun.pid, process_started=begun.started)
            )


def _see_to_stop(job: Job) -> None:
    """End a job that was asked to stop: at once where it has not begun its folder, later where it does not heed."""
    if job.stop_asked is None:
        return
    has_begun = job.run.status_file.exists()
    if has_begun and not job.run.stop_file.exists():
        job.run.stop_file.touch()
    has_patience = 0 <= time.time() - job.stop_asked <= _PATIENCE_SECONDS  # negative: the clock was set back
    if not has_begun or not has_patience:
        terminate(job.pid, job.process_started)
