"""`events.jsonl` and `history.csv`: write and read the events of a training as they happen."""

import json
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from coverslip.documented_fields import DocumentedFields
from coverslip.events import (
    CheckpointSaved,
    EpochEnded,
    Event,
    Progressed,
    StepEnded,
    ValidationImagesChosen,
    WorkPlanned,
    as_json,
    from_json,
)
from coverslip.files import finite_or_none, write_error
from coverslip.messages import localized
from coverslip.runs.folder import Run
from coverslip.runs.progress import LoggedProgress, fold_event
from coverslip.runs.status import StatusFile
from coverslip.runs.training import Epoch, read_history, write_history

MOST_LINES = 500  # of a folded log
_PASSING = frozenset(
    kind.__name__ for kind in (Progressed, StepEnded, CheckpointSaved, ValidationImagesChosen, WorkPlanned)
)


@dataclass(frozen=True, slots=True)
class LogLine(DocumentedFields):
    """An event in the log, as data."""

    n: int
    """1-based number of the line in the log."""
    time: float
    """Seconds since 1970."""
    event: str  # name of the event class
    values: dict[str, Any]  # Any: JSON values
    text: str = ""  # for users, in their language; empty for mere progress

    @property
    def is_lasting(self) -> bool:
        """Whether the line is more than progress, so that it is of interest later."""
        return self.event not in _PASSING


def _localized(line: LogLine) -> LogLine:
    """Return a line with its text in the current language, which a note has also among its values."""
    values = line.values
    if line.event == "Noted":  # logs of other programs may lack the code
        note_text = localized(str(values["text"]), str(values.get("code", "")), values.get("parameters", {}))
        return replace(line, values={**values, "text": note_text}, text=note_text)
    if not line.is_lasting:
        return line
    event = from_json({"event": line.event, **values})
    return replace(line, text=line.event if event is None else str(event))


class LogReader:
    """Reads one `events.jsonl` as it grows. An incomplete last line is read once it is complete.

    Notes are in the current language.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._offset = file, 0

    def was_replaced(self) -> bool:
        """Return whether a shorter file replaced the log. It is then read from its beginning."""
        try:
            is_shorter = self._file.stat().st_size < self._offset
        except OSError:
            return False
        if is_shorter:
            self._offset = 0
        return is_shorter

    def new_lines(self) -> list[LogLine]:
        """Return the lines written since the last call."""
        try:
            with self._file.open("rb") as opened:
                opened.seek(self._offset)
                data = opened.read()
        except OSError:
            return []
        complete = data[: data.rfind(b"\n") + 1]
        self._offset += len(complete)
        return [line for raw in complete.splitlines() if (line := _line(raw)) is not None]


def _line(raw: bytes) -> LogLine | None:
    """Parse a line. Return None for an incomplete or foreign line."""
    try:
        values = json.loads(raw)
        if b"\\u" in raw:  # perhaps a byte of a file name that is not UTF-8, which no response can contain
            values = json.loads(json.dumps(values, ensure_ascii=False).encode(errors="replace"))
        n, time, event = (values.pop(name) for name in ("n", "time", "event"))
        return _localized(LogLine(int(n), float(time), str(event), values))
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


class FoldedLog:
    """The progress of a training, updated from its log. Notes and names of stages are in the language of its reader."""

    def __init__(self, file: Path, before: LoggedProgress) -> None:
        self._reader, self._before, self._lock = LogReader(file), before, threading.Lock()
        self.progress, self.lines = before, list[LogLine]()  # the last lines without mere progress

    def refresh(self) -> LoggedProgress:
        """Read new lines of the log, and return the current progress."""
        with self._lock:
            if self._reader.was_replaced():
                self.progress, self.lines = self._before, []
            lines = self._reader.new_lines()
            self.lines = [*self.lines, *(line for line in lines if line.is_lasting)][-MOST_LINES:]
            for line in lines:
                event = from_json({**line.values, "event": line.event})
                if event is not None:
                    self.progress = fold_event(self.progress, event, line.time)
            return self.progress


_SECONDS_BETWEEN_STEPS = 1.0


class RunLog:
    """A listener that writes events to `events.jsonl` (steps at most once per second), and epochs to `history.csv`.

    Every event has a sequence number. Readers skip a line that a crash has cut off.
    """

    def __init__(self, run: Run, status: StatusFile) -> None:
        self._run, self._status = run, status
        self._last_step = 0.0
        self._epochs = {row.epoch: row for row in read_history(run.history_file)}  # not empty if the run is resumed
        file = run.events_file
        before = file.read_bytes() if file.exists() else b""
        self._number = before.count(b'{"n": ')
        self._file = file.open("a", encoding="utf-8", errors="backslashreplace")  # as `write_text` does
        if before and not before.endswith(b"\n"):
            self._file.write("\n")  # ends a line that a crash has cut off

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as closing:  # the disk is full; an earlier error is more informative
            if error is None:
                raise write_error(self._run.events_file, closing) from closing

    def __call__(self, event: Event) -> None:
        match event:
            case StepEnded() | Progressed():
                self._status.beat()
                is_last = isinstance(event, Progressed) and event.done >= event.total
                if time.monotonic() - self._last_step < _SECONDS_BETWEEN_STEPS and not is_last:
                    return
                self._last_step = time.monotonic()
            case EpochEnded(fold=None, is_pretraining=False):  # folds and pretraining have their own history
                # An epoch that is repeated after a crash replaces the lost one.
                self._epochs[event.epoch] = Epoch.of(event)
                write_history(self._run.history_file, self._epochs.values())
                self._status.beat(epoch=event.epoch, n_epochs=event.n_epochs)
            case _:
                pass
        self._number += 1
        values = {key: finite_or_none(v) if isinstance(v, float) else v for key, v in as_json(event).items()}
        self._write({"n": self._number, "time": round(time.time(), 3), **values})

    def _write(self, line: dict[str, object]) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise write_error(self._run.events_file, error) from error
