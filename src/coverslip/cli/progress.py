"""Show the events of long work on stderr: live bars on a terminal, a few plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from coverslip.events import (
    Emit,
    EpochEnded,
    Event,
    FoldEnded,
    FoldStarted,
    HeadFitted,
    Noted,
    Progressed,
    RunEnded,
    RunStarted,
    StageStarted,
    StepEnded,
)

SECONDS_BETWEEN_LINES = 10.0

# 80 columns wide, as narrow as terminals get.
EPOCH_HEADER = (
    "  epoch    loss         accuracy     precision    recall       F1           time\n"
    "           train val    train val    train val    train val    train val    (* best so far)"
)


@contextmanager
def shown_progress(console: Console) -> Iterator[Emit]:
    """A listener for as long as the work lasts.

    On a terminal that can move its cursor it draws bars; otherwise (a file, a pipe, a job's log) it prints a line per
    stage and epoch, and at most one every ten seconds in between.
    """
    if console.is_terminal and not console.is_dumb_terminal:
        with _Bars(console) as bars:
            yield bars.show
    else:
        yield _Lines(console).show


class _Bars:
    """Bars at the bottom, finished stages and epochs as lines above them."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[beside]}", markup=False),
            console=console,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.n_epochs = 0

    def __enter__(self) -> "_Bars":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def show(self, event: Event) -> None:
        match event:
            case Progressed():
                self._move(event.stage, event.done, event.total, _pace(event))
                if event.done >= event.total:
                    self._remove(event.stage)
            case StageStarted(stage="finetune", n_epochs=n_epochs):
                self.n_epochs = n_epochs
            case StepEnded():
                pace = f"loss {event.loss:.3f}  {event.images_per_second:.0f} images/s"
                left = f"{duration(event.epoch_seconds_left)} left"
                self._move(f"epoch {event.epoch}", event.step, event.n_steps, f"{pace}  {left}")
                done, total = (event.epoch - 1) * event.n_steps + event.step, self.n_epochs * event.n_steps
                self._move("training", done, total, f"{duration(event.seconds_left)} left at most")
            case EpochEnded():
                self._remove(f"epoch {event.epoch}")
                if event.epoch == event.n_epochs:
                    self._remove("training")
            case FoldEnded(fold=fold) if fold is not None:
                left = "" if event.seconds_left is None else f"about {duration(event.seconds_left)} left in all"
                self._move("folds", fold, event.n_folds + 1, left)
            case RunEnded(fold=None, is_first=False):
                for name in list(self.tasks):
                    self._remove(name)
            case _:
                pass
        for line in lines_of(event):
            self.progress.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _move(self, name: str, done: int, total: int, beside: str) -> None:
        if name not in self.tasks:
            self.tasks[name] = self.progress.add_task(name, total=total, beside="")
        self.progress.update(self.tasks[name], completed=done, total=total, beside=beside)

    def _remove(self, name: str) -> None:
        if name in self.tasks:
            self.progress.remove_task(self.tasks.pop(name))


class _Lines:
    """Plain lines, few enough for a log."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last = time.monotonic()

    def show(self, event: Event) -> None:
        match event:
            case StepEnded():
                self._between(
                    f"epoch {event.epoch}, step {event.step}/{event.n_steps}: loss {event.loss:.3f}, "
                    f"{event.images_per_second:.0f} images/s, {duration(event.seconds_left)} left at most"
                )
            case Progressed() if event.done < event.total:
                self._between(f"{event.stage}: {event.done:,} of {event.total:,} {event.unit}  {_pace(event)}".rstrip())
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
        case Noted():
            return [f"{'Warning' if event.level == 'warning' else 'Note'}: {event.text}"]
        case Progressed() if event.done >= event.total:
            return [f"{event.stage}: {event.total:,} {event.unit} done"]
        case RunStarted():
            return [
                f"{event.n_train:,} images to train on, {event.n_val:,} to make choices by (validation), "
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
            return [f"Stage 2: train the whole network, at most {event.n_epochs} epochs", EPOCH_HEADER]
        case HeadFitted(val_accuracy=None):
            return [f"The classifier on top of the pretrained network is ready after {duration(event.seconds)}"]
        case HeadFitted():
            return [
                f"A first classifier is ready after {duration(event.seconds)}: "
                f"validation accuracy {event.val_accuracy:.3f}, macro-F1 {event.val_macro_f1:.3f}"
            ]
        case EpochEnded():
            return [epoch_row(event)]
        case _:
            return []


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
    return f"{e.epoch:>5}/{e.n_epochs:<3}{'*' if e.is_best else ' '} {values}  {duration(e.seconds)}"


def _five(value: float | None) -> str:
    """A number in five characters: 0.412, 12.40."""
    return "  -  " if value is None else f"{value:.3f}"[:5]


def _pace(event: Progressed) -> str:
    parts = []
    if event.per_second is not None:
        parts.append(f"{event.per_second:,.0f} {event.unit}/s")
    if event.seconds_left is not None:
        parts.append(f"{duration(event.seconds_left)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Seconds for people: `48 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
