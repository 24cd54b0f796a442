"""The log of a training, read as it grows: its progress, and the lines that are worth reading."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path

from coverslip.events import CheckpointSaved, Progressed, StepEnded, from_json
from coverslip.runs.progress import Progress, fold_event
from coverslip.workspace.jobs.records import Job, Json, find_job
from coverslip.workspace.store.home import Workspace

_LOGS_KEPT = 32
_PASSING = frozenset(kind.__name__ for kind in (Progressed, StepEnded, CheckpointSaved))


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened; an event as data, which pages put into words."""

    n: int  # 1-based number of the line in the log
    time: float  # seconds since 1970
    event: str  # its kind
    values: Json

    @property
    def is_lasting(self) -> bool:
        """Whether it is worth reading later: it tells more than how far something was."""
        return self.event not in _PASSING


def log_file(job: Job) -> Path:
    """Where a training's log lies, once it has begun."""
    return job.folder / "events.jsonl"


def lasting_lines(file: Path) -> list[LogLine]:
    """What a log says so far, without what only told how far something was."""
    return [line for line in LogReader(file).new_lines() if line.is_lasting]


class LogReader:
    """Reads one `events.jsonl` as it grows; a last line that is torn waits until it is whole."""

    def __init__(self, file: Path) -> None:
        self._file, self._offset = file, 0

    def has_begun_anew(self) -> bool:
        """Whether another file of that name lies there now, which is then read from its beginning."""
        try:
            is_shorter = self._file.stat().st_size < self._offset
        except OSError:
            return False
        if is_shorter:
            self._offset = 0
        return is_shorter

    def new_lines(self) -> list[LogLine]:
        """The lines that were written since it was asked last."""
        try:
            with self._file.open("rb") as opened:
                opened.seek(self._offset)
                data = opened.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        return [line for raw in whole.splitlines() if (line := _line(raw)) is not None]


def _line(raw: bytes) -> LogLine | None:
    """None for the line that tells the format, and for one that was torn by a crash."""
    try:
        values = json.loads(raw)
    except ValueError:
        return None
    if not isinstance(values, dict) or not {"n", "time", "event"} <= set(values):
        return None
    n, time, event = (values.pop(name) for name in ("n", "time", "event"))
    return LogLine(int(n), float(time), str(event), values)


class FoldedLog:
    """The progress of a training, kept up with its log."""

    def __init__(self, file: Path, before: Progress) -> None:
        self._reader, self._before, self._lock = LogReader(file), before, threading.Lock()
        self.progress, self.last_event = before, 0

    def refresh(self) -> Progress:
        """Take what is new in the log; how far the training is by now."""
        with self._lock:
            if self._reader.has_begun_anew():
                self.progress, self.last_event = self._before, 0
            for line in self._reader.new_lines():
                self.last_event = line.n
                event = from_json({**line.values, "event": line.event})
                if event is not None:
                    self.progress = fold_event(self.progress, event, line.time)
            return self.progress


_logs: dict[Path, FoldedLog] = {}  # a log that was folded is not folded from its beginning again
_logs_lock = threading.Lock()


def folded_log(job: Job) -> FoldedLog:
    """A training's log as far as it goes, folded once for all who ask."""
    with _logs_lock:
        log = _logs.pop(job.folder, None) or FoldedLog(log_file(job), _before_first_event(job))
        _logs[job.folder] = log
        while len(_logs) > _LOGS_KEPT:
            del _logs[next(iter(_logs))]
    log.refresh()
    return log


def _before_first_event(job: Job) -> Progress:
    init = job.choices.get("init")
    is_finetuned = job.choices.get("stage") != "instant" or init == "scratch"
    return Progress(is_finetuned=is_finetuned, has_first=isinstance(init, dict) and "train_on" in init)


def log_of(workspace: Workspace, run_id: str, most: int) -> tuple[list[LogLine], int]:
    """The last lines worth reading of a training's log, at most so many, and how many there are.

    Raises:
        NotFound: there is no training of this id.
    """
    lines = lasting_lines(log_file(find_job(workspace, run_id, "train")))
    return lines[-most:], len(lines)
