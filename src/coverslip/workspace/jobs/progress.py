"""How far a training is, told from its events alone."""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

Json = dict[str, Any]  # Any: JSON values
Stage = Literal["reading", "instant", "finetune", "measuring"]

# Where each stage of one training begins and ends, as a rough share of its time.
_SPANS: dict[bool, dict[Stage, tuple[float, float]]] = {
    False: {"reading": (0.0, 0.4), "instant": (0.4, 0.9), "finetune": (0.9, 0.9), "measuring": (0.9, 1.0)},
    True: {"reading": (0.0, 0.05), "instant": (0.05, 0.15), "finetune": (0.15, 0.95), "measuring": (0.95, 1.0)},
}
_TELLING_SECONDS, _TELLING_SHARE = 10.0, 0.05  # before that, a pace of the whole is a guess


@dataclass(frozen=True, slots=True)
class Progress:
    """A share of the whole, and the countable stage that is being worked on."""

    stage: str
    done: int
    total: int
    unit: str
    share: float
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class Note:
    time: str
    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Instant:
    """What the first classifier reached on validation images."""

    fold: int | None
    seconds: float
    val_accuracy: float | None
    val_macro_f1: float | None


@dataclass
class Story:
    """What the events of one run say, taken one by one."""

    is_finetuned: bool = True
    has_first: bool = False  # a training on other images comes before
    n_folds: int = 0
    fold: int | None = None
    stage: Stage | None = None
    epoch: int | None = None
    n_epochs: int | None = None
    last_event: int = 0
    notes: list[Note] = field(default_factory=list)
    instants: list[Instant] = field(default_factory=list)
    _is_first: bool = False
    _n_folds_done: int = 0
    _counted: tuple[str, int, int, str] | None = None
    _inner: float = 0.0  # share of the training that is being done
    _share: float = 0.0
    _left: tuple[float, float] | None = None  # seconds left of this training, and when that was said
    _left_of_all: tuple[float, float] | None = None  # the same of all that comes after this fold
    _began: float | None = None  # when this process began to work, and what was done by then
    _began_at: float = 0.0
    _now: float = 0.0

    def take(self, event: Json) -> None:
        """Go on with the next event of the log."""
        self.last_event = int(event.get("n", self.last_event))
        self._now = float(event.get("time", self._now))
        if self._began is None:
            self._began, self._began_at = self._now, self._share
        kind = event.get("event")
        is_first, fold = bool(event.get("is_first")), event.get("fold")
        if kind == "Noted":
            self.notes.append(Note(_iso(self._now), event.get("level", "info"), str(event.get("text", ""))))
            return
        if kind == "FoldEnded" and not is_first:
            self._n_folds_done = max(self._n_folds_done, int(event["fold"]))
            left = event.get("seconds_left")
            self._left_of_all = None if left is None else (float(left), self._now)
            self._begin_training(None)
        elif kind == "FoldStarted" and not is_first:
            self.n_folds = int(event["n_folds"])
            self._begin_training(int(event["fold"]))
        elif kind == "RunEnded" and not is_first and fold is None:
            self._began, self._left, self._left_of_all = None, None, None
            if event.get("state") == "done":
                self._share = 1.0
        else:
            if is_first != self._is_first:
                self._is_first = is_first
                self._begin_training(fold)
            self._take_stage(str(kind), event)
        self._share = max(self._share, self._whole())

    def _take_stage(self, kind: str, event: Json) -> None:
        match kind:
            case "Progressed":
                self._take_progress(event)
            case "StageStarted":
                self.stage = "finetune" if event["stage"] == "finetune" else "instant"
                self._enter(self.stage)
                self.n_epochs = int(event.get("n_epochs") or 0) or self.n_epochs
                self._counted = None
            case "HeadFitted":
                scores = [event.get("val_accuracy"), event.get("val_macro_f1")]
                self.instants.append(Instant(event.get("fold"), float(event["seconds"]), scores[0], scores[1]))
                self._move(1.0)
            case "StepEnded":
                epoch, step, n_steps = int(event["epoch"]), int(event["step"]), int(event["n_steps"])
                self.stage, self.n_epochs = "finetune", self.n_epochs or epoch
                done, total = (epoch - 1) * n_steps + step, self.n_epochs * n_steps
                self._counted = ("training", done, total, "steps")
                self._move(done / max(total, 1))
                self._left = (float(event["seconds_left"]), self._now)
            case "EpochEnded":
                self.stage, self.epoch, self.n_epochs = "finetune", int(event["epoch"]), int(event["n_epochs"])
                self._move(self.epoch / max(self.n_epochs, 1))
                left = event["seconds_left"]
                self._left = (float(left), self._now) if left is not None else None
            case _:
                pass

    def _take_progress(self, event: Json) -> None:
        name, done, total = str(event["stage"]), int(event["done"]), int(event["total"])
        share = done / max(total, 1)
        if name == "predicting":
            self.stage = "measuring"
        elif self.stage in (None, "measuring"):
            self.stage = "reading"
        self._counted = (name, done, total, str(event.get("unit", "images")))
        if self.stage == "reading":  # once to look at images, once to prepare them
            share = share / 2 if name == "reading images" else 0.5 + share / 2
        self._move(share)
        left = event.get("seconds_left")
        is_last = self.stage == "measuring" or (self.stage == "instant" and not self.is_finetuned)
        self._left = (float(left), self._now) if is_last and left is not None else None

    def _begin_training(self, fold: int | None) -> None:
        self.fold, self.stage, self.epoch, self._inner = fold, None, None, 0.0
        self._counted, self._left = None, None

    def _enter(self, stage: Stage) -> None:
        self._inner = max(self._inner, _SPANS[self.is_finetuned][stage][0])

    def _move(self, share: float) -> None:
        """So much of the stage is done."""
        low, high = _SPANS[self.is_finetuned][self.stage or "reading"]
        self._inner = max(self._inner, low + (high - low) * min(share, 1.0))

    def _whole(self) -> float:
        n_before = int(self.has_first)
        n_trainings = n_before + (self.n_folds + 1 if self.n_folds else 1)
        place = 0 if self._is_first else n_before + (self.fold - 1 if self.fold else self._n_folds_done)
        return min((min(place, n_trainings - 1) + self._inner) / n_trainings, 1.0)

    def progress(self, now: float | None = None) -> Progress | None:
        """How far it is at this moment (seconds since 1970), or when the last event was told."""
        if self.last_event == 0:
            return None
        name, done, total, unit = self._counted or (self.stage or "reading", 0, 0, "images")
        left = None if now is None else self._seconds_left(now)
        return Progress(name, done, total, unit, round(self._share, 4), left)

    def _seconds_left(self, now: float) -> float | None:
        if self._left_of_all is not None:
            return _aged(self._left_of_all, now)
        if self._left is not None and not (self.n_folds or self._is_first):
            return _aged(self._left, now)
        if self._began is None:
            return None
        seconds, share = now - self._began, self._share - self._began_at
        if not (self.n_folds or self._is_first) or seconds < _TELLING_SECONDS or share < _TELLING_SHARE:
            return None
        return round(seconds / share * (1 - self._share), 1)


def _aged(said: tuple[float, float], now: float) -> float:
    """Seconds left by now, of which some were left then."""
    left, then = said
    return round(max(0.0, left - max(0.0, now - then)), 1)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


class LogTail:
    """Follows one `events.jsonl` as it grows; a last line that is torn waits until it is whole."""

    def __init__(self, file: Path, *, is_finetuned: bool = True, has_first: bool = False) -> None:
        self._file, self._kinds = file, (is_finetuned, has_first)
        self._offset, self._lock = 0, threading.Lock()
        self.story = Story(*self._kinds)

    def refresh(self) -> list[tuple[int, str]]:
        """Take what is new, and give its lines with their numbers."""
        with self._lock:
            try:
                if self._file.stat().st_size < self._offset:  # another file of that name
                    self._offset, self.story = 0, Story(*self._kinds)
                with self._file.open("rb") as opened:
                    opened.seek(self._offset)
                    data = opened.read()
            except OSError:
                return []
            whole = data[: data.rfind(b"\n") + 1]
            self._offset += len(whole)
            lines = []
            for raw in whole.splitlines():
                event = _event(raw)
                if event is not None:
                    self.story.take(event)
                    lines.append((self.story.last_event, raw.decode()))
            return lines


def _event(raw: bytes) -> Json | None:
    """An event of the log; None for its first line, and for one that was torn by a crash."""
    try:
        event = json.loads(raw)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "n" in event and "event" in event else None
