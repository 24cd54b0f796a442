"""Show the progress of long tasks on stderr: live bars on a terminal, otherwise a few plain lines."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task, TaskID, TextColumn
from rich.text import Text

from coverslip.cli._options import with_remedies
from coverslip.events import (
    ClassifierSelected,
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
from coverslip.messages import duration, rough_duration, text
from coverslip.runs.progress import LoggedProgress, Work, fold_event, seconds_left, work_by
from coverslip.runs.training import EARLY_DIP

SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def shown_progress(console: Console) -> Iterator[Emit]:
    """Return a context manager with the receiver of progress events.

    On a terminal that can move its cursor it draws bars; otherwise (a file, a pipe, a job's log) it prints a line per
    stage and epoch, and one every ten seconds in between.
    """
    if console.is_terminal and not console.is_dumb_terminal:
        with _Bars(console) as bars:
            yield bars.show
    else:
        yield progress_lines(console)


def progress_lines(console: Console) -> Emit:
    """Return a receiver of progress events that prints lines, also on a terminal."""
    return _Lines(console).show


@dataclass(frozen=True, slots=True)
class Bar:
    """The progress of a task."""

    name: str
    done: int
    total: int
    beside: Callable[[float], str]  # text beside the bar at a time, in seconds since 1970


_INDETERMINATE = "indeterminate"  # name of the bar that is shown if no countable progress is available
_WHOLE = 1000  # number of steps of the bar for the whole task


def bars_of(progress: LoggedProgress) -> list[Bar]:
    """Return the bars of the current tasks, the innermost first."""
    bars = []
    work, step = progress.work, progress.step
    if work is not None and work.done < work.total:
        bars.append(Bar(work.title, work.done, work.total, lambda now: _pace_of_work(progress, now)))
    if step is not None and (progress.epoch is None or progress.epoch < step.epoch):
        name = text("progress-epoch", epoch=step.epoch, n_epochs=max(progress.n_epochs or 0, step.epoch))
        speed = text("progress-images-per-second", n=f"{step.images_per_second:.0f}")
        beside = f"{text('progress-loss', loss=_five_characters(step.loss))}  {speed}"
        bars.append(Bar(name, step.step, step.n_steps, lambda _: beside))
    if progress.plan is not None:
        share = round(progress.share * _WHOLE)
        bars.append(Bar(_training_title(progress), share, _WHOLE, lambda now: _time_left(progress, now)))
    return bars


def _training_title(progress: LoggedProgress) -> str:
    """Return the title of the current training, such as its fold."""
    if progress.has_pretraining:
        return text("progress-step", step=1 if progress.is_pretraining else 2)
    if progress.n_folds:
        if progress.fold:
            return text("progress-current-fold", fold=progress.fold, n_folds=progress.n_folds)
        return text("progress-all-folds")
    return text("progress-whole-training")


def _time_left(progress: LoggedProgress, now: float) -> str:
    remaining_seconds = seconds_left(progress, now)
    if not remaining_seconds:
        return ""
    return text("progress-left", time=rough_duration(remaining_seconds), is_open=progress.may_take_longer)


class _Beside(ProgressColumn):
    """The text beside a bar, computed whenever the bars are drawn: time passes between events too."""

    def render(self, task: Task) -> Text:
        return Text(task.fields["beside"](time.time()))


class _Bars:
    """Bars at the bottom, finished stages and epochs as lines above them."""

    def __init__(self, console: Console) -> None:
        self.display = rich.progress.Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            TextColumn("{task.percentage:>3.0f} %"),
            _Beside(),
            console=console,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.progress = LoggedProgress()

    def __enter__(self) -> "_Bars":
        self.display.start()
        self._draw([])
        return self

    def __exit__(self, *error: object) -> None:
        self.display.stop()

    def show(self, event: Event) -> None:
        now = time.time()
        before, self.progress = self.progress, fold_event(self.progress, event, now)
        self._draw(bars_of(self.progress))
        for line in (*lines_of(event, self.progress, now), *_new_notes(before, self.progress)):
            self.display.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _draw(self, bars: list[Bar]) -> None:
        for name in self.tasks.keys() - {*(bar.name for bar in bars), *(() if bars else (_INDETERMINATE,))}:
            self.display.remove_task(self.tasks.pop(name))
        if not bars and _INDETERMINATE not in self.tasks:
            self.tasks[_INDETERMINATE] = self.display.add_task(
                text("progress-working"), total=None, beside=lambda _: ""
            )
        for bar in bars:
            if bar.name not in self.tasks:
                self.tasks[bar.name] = self.display.add_task(bar.name, total=bar.total, beside=bar.beside)
            self.display.update(self.tasks[bar.name], completed=bar.done, total=bar.total, beside=bar.beside)


class _Lines:
    """Plain lines at intervals suitable for a log."""

    def __init__(self, console: Console) -> None:
        self.console, self.progress = console, LoggedProgress()
        self.last = time.monotonic()  # time of the last printed line

    def show(self, event: Event) -> None:
        now = time.time()
        before, self.progress = self.progress, fold_event(self.progress, event, now)
        match event:
            case StepEnded():
                time_left = _time_left(self.progress, now)
                line = text(
                    "progress-line-of-step",
                    epoch=event.epoch,
                    n_epochs=self.progress.n_epochs or event.epoch,
                    step=event.step,
                    n_steps=event.n_steps,
                    loss=_five_characters(event.loss),
                    speed=text("progress-images-per-second", n=f"{event.images_per_second:.0f}"),
                )
                self._between(f"{line}{time_left and ', '}{time_left}")
            case Progressed() if event.done < event.total:
                done = text(
                    "progress-done-of",
                    stage=event.title,
                    n_done=event.done,
                    n_total=event.total,
                    unit=event.unit_name,
                )
                self._between(f"{done}  {_pace(event)}".rstrip())
            case _:
                for line in (*lines_of(event, self.progress, now), *_new_notes(before, self.progress)):
                    self._print(line)

    def _between(self, line: str) -> None:
        if time.monotonic() - self.last >= SECONDS_BETWEEN_LINES:
            self._print(line)

    def _print(self, line: str) -> None:
        self.last = time.monotonic()
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _new_notes(before: LoggedProgress, after: LoggedProgress) -> list[str]:
    """Return notes on conditions that occur for the first time in a run."""
    is_dip_new = _has_dip(after) and not _has_dip(before)
    return [text("progress-note", note=EARLY_DIP)] if is_dip_new else []


def _has_dip(progress: LoggedProgress) -> bool:
    return any(training.has_early_dip for training in progress.trainings)


def lines_of(event: Event, progress: LoggedProgress, now: float) -> list[str]:
    """Return the lines to print permanently for an event; `progress` is the state after the event."""
    match event:
        case Noted():
            note = text("progress-warning" if event.level == "warning" else "progress-note", note=event.text)
            is_ctrl_c = event.code == "stopping" and not event.parameters["by_file"]
            line = with_remedies(note, event.remedies)
            return [f"{line} {text('progress-after-ctrl-c')}" if is_ctrl_c else line]
        case Progressed() if event.done >= event.total:
            return [text("progress-done", stage=event.title, n_total=event.total, unit=event.unit_name)]
        case RunStarted():
            second_step = "pretraining" if event.is_pretraining else "training"
            return [
                text(
                    "progress-started",
                    step=second_step if progress.has_pretraining else "only",
                    n_train=event.n_train,
                    n_val=event.n_val,
                    n_test=event.n_test,
                    n_classes=len(event.classes),
                )
            ]
        case FoldStarted():
            return ["", text("progress-fold", fold=event.fold, n_folds=event.n_folds)]
        case FoldEnded():
            time_left = _time_left(progress, now)
            scores = {"accuracy": _five_characters(event.accuracy), "f1": _five_characters(event.macro_f1)}
            sentence = text("progress-fold-tested", fold=event.fold, n_folds=event.n_folds, **scores)
            return [f"{sentence}{time_left and '; '}{time_left}"]
        case StageStarted(stage="instant"):
            return [text("progress-instant")]
        case StageStarted(stage="finetune"):
            return [text("progress-finetuning", n_epochs=event.n_epochs)]
        case InstantClassifierFitted(val_accuracy=None):
            return [text("progress-instant-ready", time=duration(event.seconds))]
        case InstantClassifierFitted():
            accuracy, f1 = f"{event.val_accuracy:.3f}", f"{event.val_macro_f1:.3f}"
            return [text("progress-instant-scored", time=duration(event.seconds), accuracy=accuracy, f1=f1)]
        case EpochEnded():
            training_key = (event.fold, event.is_pretraining)
            n_epochs = sum(
                len(training.epochs)
                for training in progress.trainings
                if (training.fold, training.is_pretraining) == training_key
            )
            return [text("progress-epoch-header"), epoch_row(event)] if n_epochs == 1 else [epoch_row(event)]
        case ClassifierSelected(stage="finetune", epoch=epoch):
            return [text("progress-selected", epoch=epoch, selection=event.checkpoint_selection or "best")]
        case _:
            return []


def epoch_row(e: EpochEnded) -> str:
    """Return a line of the table of epochs: training and validation values side by side."""
    pairs = (
        (e.train_loss, e.val_loss),
        (e.train_accuracy, e.val_accuracy),
        (e.train_precision, e.val_precision),
        (e.train_recall, e.val_recall),
        (e.train_f1, e.val_f1),
    )
    values = "  ".join(f"{_five_characters(train)} {_five_characters(val)}" for train, val in pairs)
    rate = f"{e.learning_rate:.1e}" if e.learning_rate else "0"
    return f"{e.epoch:>3} {rate:>7} {values} {duration(e.seconds)}"


def _five_characters(value: float | None) -> str:
    """Format a number in five characters: 0.412, 12.40."""
    return "  -  " if value is None else f"{value:.3f}"[:5]


def _pace_of_work(progress: LoggedProgress, now: float) -> str:
    work = work_by(progress, now)
    return "" if work is None else _pace(work)


def _pace(event: Progressed | Work) -> str:
    texts = []
    if event.per_second is not None:
        n = f"{event.per_second:,.0f}"
        unit = event.unit if isinstance(event, Work) else event.unit_name
        texts.append(text("progress-per-second", n=n, unit=unit))
    if event.seconds_left is not None:
        texts.append(text("progress-time-left", time=duration(event.seconds_left)))
    return "  ".join(texts)
