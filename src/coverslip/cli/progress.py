"""Show the events of long work on stderr: live bars on a terminal, a few plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn

from coverslip.cli._remedies import with_remedies
from coverslip.events import (
    Emit,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    InstantClassifierFitted,
    Noted,
    Progressed,
    RunStarted,
    StageStarted,
    StepEnded,
)
from coverslip.messages import duration
from coverslip.runs.log import Progress, Work, fold_event, seconds_left

SECONDS_BETWEEN_LINES = 3.0

# 80 columns wide, as narrow as terminals get.
EPOCH_HEADER = (
    "  epoch    loss         accuracy     precision    recall       F1           time\n"
    "           train val    train val    train val    train val    train val    (* kept so far)"
)


@contextmanager
def shown_progress(console: Console) -> Iterator[Emit]:
    """A listener for as long as the work lasts.

    On a terminal that can move its cursor it draws bars; otherwise (a file, a pipe, a job's log) it prints a line per
    stage and epoch, and one every three seconds in between: also where nothing is told of, so that whoever waits knows
    that the work goes on.
    """
    if console.is_terminal and not console.is_dumb_terminal:
        with _Bars(console) as bars:
            yield bars.show
    else:
        with _Lines(console) as lines:
            yield lines.show


@dataclass(frozen=True, slots=True)
class Bar:
    """So much of something is done."""

    name: str
    done: int
    total: int
    beside: str  # what is said beside it


_UNTOLD = Bar("working", 0, 0, "")  # what is done has no parts that are counted, or none yet


def bars_of(progress: Progress, now: float) -> list[Bar]:
    """What goes on, the innermost first; `now` is in seconds since 1970."""
    bars = []
    work, step = progress.work, progress.step
    if work is not None and work.done < work.total:
        bars.append(Bar(work.stage, work.done, work.total, _pace(work)))
    if step is not None:
        n_epochs = max(progress.n_epochs or 0, step.epoch)
        has_epoch_ended = progress.epoch is not None and progress.epoch >= step.epoch
        if not has_epoch_ended:
            pace = f"loss {_five(step.loss)}  {step.images_per_second:.0f} images/s"
            beside = f"{pace}  {duration(step.epoch_seconds_left)} left"
            bars.append(Bar(f"epoch {step.epoch}", step.step, step.n_steps, beside))
        if not (has_epoch_ended and step.epoch == n_epochs):
            done, total = (step.epoch - 1) * step.n_steps + step.step, n_epochs * step.n_steps
            bars.append(Bar("training", done, total, f"{duration(step.seconds_left)} left at most"))
    if progress.n_folds_done and progress.began is not None:
        left = seconds_left(progress, now)
        beside = "" if left is None else f"about {duration(left)} left in all"
        bars.append(Bar("folds", progress.n_folds_done, progress.n_folds + 1, beside))
    return bars


class _Bars:
    """Bars at the bottom, finished stages and epochs as lines above them."""

    def __init__(self, console: Console) -> None:
        self.drawn = rich.progress.Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[beside]}", markup=False),
            console=console,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.progress = Progress()

    def __enter__(self) -> "_Bars":
        self.drawn.start()
        self._draw([])
        return self

    def __exit__(self, *error: object) -> None:
        self.drawn.stop()

    def show(self, event: Event) -> None:
        now = time.time()
        self.progress = fold_event(self.progress, event, now)
        self._draw(bars_of(self.progress, now))
        for line in lines_of(event):
            self.drawn.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _draw(self, bars: list[Bar]) -> None:
        for name in self.tasks.keys() - {bar.name for bar in bars or (_UNTOLD,)}:
            self.drawn.remove_task(self.tasks.pop(name))
        if not bars and _UNTOLD.name not in self.tasks:
            self.tasks[_UNTOLD.name] = self.drawn.add_task(_UNTOLD.name, total=None, beside="")
        for bar in bars:
            if bar.name not in self.tasks:
                self.tasks[bar.name] = self.drawn.add_task(bar.name, total=bar.total, beside="")
            self.drawn.update(self.tasks[bar.name], completed=bar.done, total=bar.total, beside=bar.beside)


class _Lines:
    """Plain lines, few enough for a log."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last = self.told = time.monotonic()  # when the last line was printed, and when anything was told
        self.unfinished = ""  # of what goes on, where its parts are counted
        self._lock, self._has_ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._fill_silences, name="still working", daemon=True)

    def __enter__(self) -> "_Lines":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._has_ended.set()
        self._thread.join()

    def show(self, event: Event) -> None:
        with self._lock:
            self._show(event)
            self.told = time.monotonic()

    def _fill_silences(self) -> None:
        while not self._has_ended.wait(SECONDS_BETWEEN_LINES / 8):
            with self._lock, suppress(OSError, ValueError):  # nobody reads any more
                since = f"still working, {duration(time.monotonic() - self.told)} since the last news"
                self._between(self.unfinished or since)

    def _show(self, event: Event) -> None:
        self.unfinished = ""
        match event:
            case StepEnded():
                self.unfinished = (
                    f"epoch {event.epoch}, step {event.step}/{event.n_steps}: loss {event.loss:.3f}, "
                    f"{event.images_per_second:.0f} images/s, {duration(event.seconds_left)} left at most"
                )
                self._between(self.unfinished)
            case Progressed() if event.done < event.total:
                done = f"{event.stage}: {event.done:,} of {event.total:,} {event.unit}  {_pace(event)}"
                self.unfinished = done.rstrip()
                self._between(self.unfinished)
            case _:
                for line in lines_of(event):
                    self._print(line)

    def _between(self, line: str) -> None:
        if time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self._print(line)

    def _print(self, line: str) -> None:
        self.last = time.monotonic()
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def lines_of(event: Event) -> list[str]:
    """What is worth a lasting line."""
    match event:
        case Noted(code="plan"):
            return plan_table(event.values["seconds"], event.values["steps"])
        case Noted():
            level = "Warning" if event.level == "warning" else "Note"
            again = event.code == "stopping" and not event.values["by_file"]
            return [
                with_remedies(f"{level}: {event.text}", event.remedies)
                + (" Press Ctrl-C again to end at once." if again else "")
            ]
        case Progressed() if event.done >= event.total:
            return [f"{event.stage}: {event.total:,} {event.unit} done"]
        case RunStarted():
            return [
                f"{event.n_train:,} images to train on, {event.n_val:,} for validation, "
                f"{event.n_test:,} kept aside for the final numbers (test); {len(event.classes)} classes"
            ]
        case FoldStarted():
            return ["", f"Fold {event.fold} of {event.n_folds}"]
        case FoldEnded():
            left = "" if event.seconds_left is None else f"; about {duration(event.seconds_left)} left in all"
            scores = f"accuracy {_five(event.accuracy)}, macro-F1 {_five(event.macro_f1)}"
            return [f"Fold {event.fold} of {event.n_folds} tested: {scores}{left}"]
        case StageStarted(stage="instant"):
            return ["Stage 1: a classifier on top of the pretrained network"]
        case StageStarted(stage="finetune"):
            return [f"Stage 2: fine-tune the network, {event.n_epochs} epochs", EPOCH_HEADER]
        case InstantClassifierFitted(val_accuracy=None):
            return [f"The classifier on top of the pretrained network is ready after {duration(event.seconds)}"]
        case InstantClassifierFitted():
            return [
                f"A first classifier is ready after {duration(event.seconds)}: "
                f"validation accuracy {event.val_accuracy:.3f}, macro-F1 {event.val_macro_f1:.3f}"
            ]
        case EpochEnded():
            return [epoch_row(event)]
        case _:
            return []


def plan_table(budget: float, steps: Sequence[Mapping[str, Any]]) -> list[str]:  # Any: JSON values
    """What a training with a time budget will do, and how long each part takes."""
    total = sum(step["seconds"] for step in steps)
    rows = [*((step["what"], step["seconds"]) for step in steps), ("in all", total)]
    width = max(len(what) for what, _ in rows)
    return [f"Plan for {duration(budget)}", *(f"  {what:<{width}}  {duration(seconds):>12}" for what, seconds in rows)]


def epoch_row(e: EpochEnded) -> str:
    """One line of the table under `EPOCH_HEADER`: training and validation values side by side."""
    pairs = (
        (e.train_loss, e.val_loss),
        (e.train_accuracy, e.val_accuracy),
        (e.train_precision, e.val_precision),
        (e.train_recall, e.val_recall),
        (e.train_f1, e.val_f1),
    )
    values = "  ".join(f"{_five(train)} {_five(val)}" for train, val in pairs)
    return f"{e.epoch:>5}/{e.n_epochs:<3}{'*' if e.is_kept else ' '} {values}  {duration(e.seconds)}"


def _five(value: float | None) -> str:
    """A number in five characters: 0.412, 12.40."""
    return "  -  " if value is None else f"{value:.3f}"[:5]


def _pace(event: Progressed | Work) -> str:
    parts = []
    if event.per_second is not None:
        parts.append(f"{event.per_second:,.0f} {event.unit}/s")
    if event.seconds_left is not None:
        parts.append(f"{duration(event.seconds_left)} left")
    return "  ".join(parts)
