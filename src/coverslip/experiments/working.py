"""The work of a run folder: its state and events are stored, and its end is reported in any case."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Emit, Event, Noted, RunEnded
from coverslip.experiments.estimating import why_not_finished
from coverslip.messages import Finish, Resume, note
from coverslip.runs import Run, RunContext, RunLog, StatusFile

_ONCE = "cache-not-usable"  # a note that every store of the cache gives, and a run passes on once


@contextmanager
def working_in(
    context: RunContext, *, is_inner: bool = False, stopped: Callable[[Run], Stopped] | None = None
) -> Iterator[RunContext]:
    """A context whose events are also written down, for the time of the work.

    Args:
        context: of the work.
        is_inner: it is part of another's, whose listener it has.
        stopped: says what a stop leaves; default: of a training.

    Raises:
        Stopped: on request, with a remedy to resume.
    """
    status = StatusFile(context.run.status_file)
    status.say("running")
    with RunLog(context.run, status) as log:
        tell: Emit = _InnerTelling(log, context.emit) if is_inner else _Telling(log, context)
        try:
            yield context.telling(tell)
            status.say("done")
        except (Stopped, KeyboardInterrupt) as error:  # the latter: the second Ctrl-C
            end = (stopped or _stopped_training)(context.run)
            _tell_the_end(end, "stopped", context, status, (log, context.emit))
            raise end from error
        except BaseException as error:
            _tell_the_end(error, "failed", context, status, (log, context.emit))
            raise
        tell(RunEnded(run=str(context.folder), state="done"))


class _Telling:
    """Writes events down and passes them on; no training ends because of who listens to it.

    If a listener raises, the first fault goes into the log, and the listener still receives later events.
    """

    def __init__(self, log: RunLog, context: RunContext) -> None:
        self._log, self._context = log, context
        self._is_fault_told = self._is_stop_told = self._is_cache_told = False

    def __call__(self, event: Event) -> None:
        if isinstance(event, Noted) and event.code == _ONCE:
            if self._is_cache_told:
                return
            self._is_cache_told = True
        self._log(event)
        self._pass_on(event)
        if self._context.stop.is_requested() and not self._is_stop_told and not isinstance(event, RunEnded):
            self._is_stop_told = True
            by_file = self._context.run.stop_file.exists()
            self(Noted.of(note("stopping", by_file=by_file)))

    def _pass_on(self, event: Event) -> None:
        try:
            self._context.emit(event)
        except Exception as error:  # noqa: BLE001  whatever a listener does wrong is its own affair
            if not self._is_fault_told:
                self._is_fault_told = True
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                self._log(Noted.of(note("listener-fault", level="warning", reason=reason)))


class _InnerTelling:
    """Writes events down and passes them to the log of the whole run, whose faults end the work."""

    def __init__(self, log: RunLog, emit: Emit) -> None:
        self._log, self._emit = log, emit

    def __call__(self, event: Event) -> None:
        self._log(event)
        self._emit(event)


def _tell_the_end(
    error: BaseException, state: str, context: RunContext, status: StatusFile, listeners: tuple[Emit, Emit]
) -> None:
    """Report an early end as far as possible: on a full disk writing fails, and `error` matters more."""
    reason = str(error) or type(error).__name__
    failure = error.failure if isinstance(error, CoverslipError) else None
    with suppress(CoverslipError, OSError):
        status.say("stopped" if state == "stopped" else "failed", reason=reason, failure=failure)
    for listener in listeners:
        with suppress(Exception):
            listener(RunEnded(run=str(context.folder), state=state, reason=reason))


def _stopped_training(run: Run) -> Stopped:
    """Return the error of a stopped training: what was saved, and how to resume."""
    resume = Resume(str(run.folder))
    if run.has_classifier:
        can_finish = why_not_finished(run) is None
        return Stopped(
            "training-stopped",
            file=run.classifier_folder,
            remedies=(resume, Finish(str(run.folder))) if can_finish else (resume,),
            can_finish=can_finish,
        )
    return Stopped(
        "cross-validation-stopped" if run.is_cross_validated else "training-stopped-early",
        file=run.folder,
        remedies=(resume,),
    )
