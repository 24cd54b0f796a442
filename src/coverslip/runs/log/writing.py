"""`events.jsonl` and `history.csv`: what training reported, kept as it happens."""

import json
import time
from types import TracebackType

from coverslip.events import EpochEnded, Event, Progressed, StepEnded, as_json
from coverslip.files import cannot_write, finite_or_none
from coverslip.runs.documents import FORMAT_VERSION
from coverslip.runs.folder import Run
from coverslip.runs.history import Epoch, read_history, write_history
from coverslip.runs.status import StatusFile

_SECONDS_BETWEEN_STEPS = 1.0


class RunLog:
    """A listener that writes every event to `events.jsonl` (steps thinned), and every epoch to `history.csv`.

    The log's first line is its format version; every event has a sequence number. A line that was torn by a crash is
    the reader's to skip.
    """

    def __init__(self, run: Run, status: StatusFile) -> None:
        self._run, self._status = run, status
        self._last_step = 0.0
        self._epochs = {row.epoch: row for row in read_history(run.history_file)}  # not empty if the run is resumed
        file = run.events_file
        before = file.read_bytes() if file.exists() else b""
        self._number = before.count(b'{"n": ')
        self._file = file.open("a", encoding="utf-8", errors="backslashreplace")  # as `write_text` does
        if not before:
            self._write({"format_version": FORMAT_VERSION})
        elif not before.endswith(b"\n"):
            self._file.write("\n")  # ends the line that was torn

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError as closing:  # the disk is full; an earlier error says more
            if error is None:
                raise cannot_write(self._run.events_file, closing) from closing

    def __call__(self, event: Event) -> None:
        match event:
            case StepEnded() | Progressed():
                self._status.beat()
                is_last = isinstance(event, Progressed) and event.done >= event.total
                if time.monotonic() - self._last_step < _SECONDS_BETWEEN_STEPS and not is_last:
                    return
                self._last_step = time.monotonic()
            case EpochEnded(fold=None, is_pretraining=False):  # other trainings keep a history of their own
                # An epoch that is repeated after a crash takes the place of the one that was lost.
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
            raise cannot_write(self._run.events_file, error) from error
