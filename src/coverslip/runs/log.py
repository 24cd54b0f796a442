"""`events.jsonl` and `history.csv`: what training reported, kept as it happens."""

import json
import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from coverslip.events import EpochEnded, Event, Progressed, StepEnded, as_json
from coverslip.files import cannot_write, finite_or_none
from coverslip.runs.documents import FORMAT_VERSION, read_table, write_table
from coverslip.runs.folder import Status

HISTORY_COLUMNS = [
    "epoch",
    "seconds",
    "learning_rate",
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "val_precision",
    "val_recall",
    "val_f1",
    "train_precision",
    "train_recall",
    "train_f1",
]

_SECONDS_BETWEEN_STEPS = 1.0


class RunLog:
    """A listener that writes every event to `events.jsonl` (steps thinned), and every epoch to `history.csv`.

    The log's first line is its format version; every event has a sequence number. A line that was torn by a crash is
    the reader's to skip.
    """

    def __init__(self, folder: Path, status: Status) -> None:
        self._folder, self._status = folder, status
        self._last_step = 0.0
        self._epochs: dict[int, dict[str, object]] = {}
        if (folder / "history.csv").exists():  # the run goes on
            self._epochs = {int(row["epoch"]): dict(row) for row in read_table(folder / "history.csv")}
        file = folder / "events.jsonl"
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
                raise cannot_write(self._folder / "events.jsonl", closing) from closing

    def __call__(self, event: Event) -> None:
        match event:
            case StepEnded() | Progressed():
                self._status.beat()
                is_last = isinstance(event, Progressed) and event.done >= event.total
                if time.monotonic() - self._last_step < _SECONDS_BETWEEN_STEPS and not is_last:
                    return
                self._last_step = time.monotonic()
            case EpochEnded(fold=None, is_first=False):  # other trainings keep a history of their own
                # An epoch that is repeated after a crash takes the place of the one that was lost.
                self._epochs[event.epoch] = {k: v for k, v in asdict(event).items() if k in HISTORY_COLUMNS}
                write_table(self._folder / "history.csv", HISTORY_COLUMNS, self._epochs.values())
                self._status.beat(epoch=event.epoch, n_epochs=event.n_epochs)
            case _:
                pass
        self._number += 1
        told = {key: finite_or_none(v) if isinstance(v, float) else v for key, v in as_json(event).items()}
        self._write({"n": self._number, "time": round(time.time(), 3), **told})

    def _write(self, line: dict[str, object]) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise cannot_write(self._folder / "events.jsonl", error) from error
