"""`events.jsonl` read as it grows: its lines, and the progress that they fold to."""

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.events import CheckpointSaved, Progressed, StepEnded, ValidationImagesChosen, WorkPlanned, from_json
from coverslip.runs.log.progress import Progress, fold_event

_PASSING = frozenset(
    kind.__name__ for kind in (Progressed, StepEnded, CheckpointSaved, ValidationImagesChosen, WorkPlanned)
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something that happened; an event as data, which pages put into words."""

    n: int  # 1-based number of the line in the log
    time: float  # seconds since 1970
    event: str  # its kind
    values: dict[str, Any]  # Any: JSON values

    @property
    def is_lasting(self) -> bool:
        """Return whether the line is more than progress, so that it is worth reading later."""
        return self.event not in _PASSING


def lasting_lines(file: Path) -> list[LogLine]:
    """Return the lines of a log, without those that only state progress."""
    return [line for line in LogReader(file).new_lines() if line.is_lasting]


class LogReader:
    """Reads one `events.jsonl` as it grows; a last line that is torn waits until it is whole."""

    def __init__(self, file: Path) -> None:
        self._file, self._offset = file, 0

    def has_begun_anew(self) -> bool:
        """Return whether the file was replaced by a shorter one, which is then read from its beginning."""
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
    """Parse a line. Return None for the line with the format version and for an incomplete or foreign line."""
    try:
        values = json.loads(raw)
        n, time, event = (values.pop(name) for name in ("n", "time", "event"))
        return LogLine(int(n), float(time), str(event), values)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


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
