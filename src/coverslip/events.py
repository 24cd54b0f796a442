"""Events: immutable records that long work passes to one callable while it runs, and their display as progress.

Progress bars, `events.jsonl` and the app all receive events through an `Emit`. `as_json` converts an event to JSON with
its class name under `event`, `from_json` converts it back. `str(event)` is one line of text for users.
"""

import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from html import escape
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from coverslip.messages import (
    Level,
    Message,
    Note,
    Parameters,
    Remedies,
    duration,
    message_of,
    remedies_of,
    rough_duration,
    text,
)

CheckpointSelection = Literal["best", "last"]
"""The selected epoch of fine-tuning: the best by the primary metric on validation images, or the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""

    fold: int | None = None  # 1-based fold of the training that emitted the event; None: not in cross-validation
    is_pretraining: bool = False  # whether it is an event of pretraining on other images

    def __str__(self) -> str:
        """Return one line of text."""
        line = self._text()
        if self.fold is not None and not isinstance(self, FoldStarted | FoldEnded):  # which name it themselves
            line = text("event-of-fold", fold=self.fold, event=line)
        return text("event-of-pretraining", event=line) if self.is_pretraining else line

    def _text(self) -> str:
        return repr(self)


COMPUTING_FEATURES = "computing-features"  # a stage of `Progressed`; its pace is used for estimates


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed(Event):
    """Progress of a countable stage of work (reading images, embedding, predicting)."""

    stage: str  # an identifier, such as "reading-images"; its name is the entry `stage-reading-images` of the catalogue
    done: int
    total: int
    unit: str = "images"  # an identifier; its name is an entry of the catalogue, such as `unit-images`
    per_second: float | None = None
    seconds_left: float | None = None
    parameters: Parameters = field(default_factory=dict)  # of the name of the stage

    @property
    def title(self) -> str:
        """The name of the stage for users; the identifier if the event is from another version."""
        try:
            return text(f"stage-{self.stage}", **self.parameters)
        except (KeyError, TypeError):
            return self.stage

    @property
    def unit_name(self) -> str:
        """The name of the counted things for users; the identifier if the event is from another version."""
        try:
            return text(f"unit-{self.unit}")
        except KeyError:
            return self.unit

    def _text(self) -> str:
        done = {"stage": self.title, "n_done": self.done, "n_total": self.total, "unit": self.unit_name}
        pace = None
        if self.per_second is not None:
            pace = text("progress-per-second", n=f"{self.per_second:,.0f}", unit=self.unit_name)
        return _joined(text("progress-done-of", **done), pace, None if self.done >= self.total else _left(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Event):
    """Information for the user that requires no immediate action."""

    code: str = ""  # of the message
    text: str
    level: Level = "info"
    parameters: Parameters = field(default_factory=dict)  # of the message
    remedies: Remedies = ()  # possible actions

    @classmethod
    def of(cls, note: Note) -> "Noted":
        """Return the event of a note."""
        return cls(code=note.code, text=note.text, level=note.level, parameters=note.parameters, remedies=note.remedies)

    @property
    def note(self) -> Note:
        """The note without fold and pretraining."""
        return Note(self.code, self.text, level=self.level, parameters=self.parameters, remedies=self.remedies)

    def _text(self) -> str:
        return text("progress-warning" if self.level == "warning" else "progress-note", note=self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Speeds in seconds per image; by default, usual ones."""

    reading: float = 0.01  # decoding and preprocessing
    embedding: float = 0.03  # without training: the forward passes of all copies of test-time augmentation
    training: float = 0.15  # a step of training
    n_epochs: int = 0  # measured epochs
    # Seconds in all:
    fitting: float = 2.5  # of an instant classifier, apart from the forward passes
    loading: float = 1.5  # of loading and testing a classifier, apart from the forward passes
    closing: float = 4.0  # of the end of a run: metrics, figures and report


_N = Field(ge=0, le=10**9)


@dataclass(frozen=True, slots=True, kw_only=True)
class SetSizes:
    """Numbers of images of a training: of one split, of a fold, or of the training on all images after the folds."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    n_train: Annotated[int, _N]
    n_val: Annotated[int, _N]
    n_test: Annotated[int, _N]
    n_drawn: Annotated[int, _N]  # per epoch
    n_selecting: Annotated[int, _N]  # predicted after each epoch to select one, with copies

    @property
    def n_images(self) -> int:
        """The number of images of all sets."""
        return self.n_train + self.n_val + self.n_test


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkPlanned(Event):
    """The amount of work of a training, and the speed of this computer."""

    sizes: tuple[SetSizes, ...]  # of one split, or of each fold and then of the training on all images
    n_reprocessed: tuple[int, ...]  # of each training: images except test images that its network processes afterwards
    n_epochs: int  # expected; 0: no fine-tuning
    has_instant: bool
    tta: int = 1  # forward passes of each image without training
    copies: float = 0.0  # augmented copies in the instant stage, as the number of images with equal duration
    pace: Pace = Pace()
    seconds: float | None = None  # expected total; None: the speed was not measured
    patience: int | None = None  # epochs without improvement after which fine-tuning ends; None: all epochs are run
    refits: bool = False  # the delivered classifier, if it is the instant one, is fitted on all images after the test

    @property
    def n_folds(self) -> int:
        """The number of folds; 0 for one split."""
        return len(self.sizes) - 1

    def _text(self) -> str:
        expected = None if self.seconds is None else text("event-expected-time", time=rough_duration(self.seconds))
        return _joined(text("event-work-planned", n_train=self.sizes[0].n_train, n_epochs=self.n_epochs), expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    """A training started, with these numbers of images."""

    run: str  # folder
    n_train: int
    n_val: int
    n_test: int
    classes: tuple[str, ...]

    def _text(self) -> str:
        sizes = {"n_train": self.n_train, "n_val": self.n_val, "n_test": self.n_test}
        return text("event-run-started", n_classes=len(self.classes), **sizes)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldStarted(Event):
    """The training of a fold of cross-validation started."""

    n_folds: int

    def _text(self) -> str:
        return text("event-fold-started", fold=self.fold, n_folds=self.n_folds)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldEnded(Event):
    """The training and the test of a fold of cross-validation ended."""

    n_folds: int
    accuracy: float | None  # 0-1, on the test images of the fold
    macro_f1: float | None  # 0-1

    def _text(self) -> str:
        scores = (_score("test-accuracy", self.accuracy), _score("macro-f1", self.macro_f1))
        return _joined(text("event-fold-ended", fold=self.fold, n_folds=self.n_folds), *scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(Event):
    """A stage of the training started: `instant` or `finetune`."""

    stage: str
    n_epochs: int = 0
    checkpoint_selection: CheckpointSelection | None = None  # of fine-tuning

    def _text(self) -> str:
        return text("event-stage-started", stage=self.stage, n_epochs=self.n_epochs)


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantClassifierFitted(Event):
    """The instant classifier, a linear probe on frozen features, is ready to use."""

    seconds: float
    val_accuracy: float | None  # 0-1; None: there are no validation images
    val_macro_f1: float | None  # 0-1

    def _text(self) -> str:
        scores = (_score("val-accuracy", self.val_accuracy), _score("macro-f1", self.val_macro_f1))
        return _joined(text("event-instant-classifier-fitted", time=duration(self.seconds)), *scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Event):
    """A step of fine-tuning ended."""

    epoch: int  # 1-based
    n_epochs: int  # planned
    step: int  # 1-based within the epoch
    n_steps: int
    loss: float
    images_per_second: float

    def _text(self) -> str:
        pace = text("progress-images-per-second", n=f"{self.images_per_second:,.0f}")
        step = text("event-step-ended", epoch=self.epoch, step=self.step, n_steps=self.n_steps)
        return _joined(step, _score("loss", self.loss), pace)


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationImagesChosen(Event):
    """A few validation images were selected whose predictions are reported after every epoch."""

    image_ids: tuple[str, ...]
    labels: tuple[int, ...]  # index in `classes` of each image
    classes: tuple[str, ...]

    def _text(self) -> str:
        return text("event-validation-images-chosen", n_images=len(self.image_ids))


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded(Event):
    """One pass over the training images ended. Scores are in [0, 1]; precision, recall and F1 are macro averages.

    Epoch 0 is the network before fine-tuning, evaluated on validation images.
    """

    epoch: int
    n_epochs: int
    seconds: float
    learning_rate: float
    train_loss: float | None  # training metrics are None in epoch 0
    train_penalty: float | None = None  # a term of the loss that is not that of images; None: the loss has none
    train_accuracy: float | None
    train_precision: float | None
    train_recall: float | None
    train_f1: float | None
    val_loss: float | None  # validation metrics are None without validation images
    val_accuracy: float | None
    val_precision: float | None
    val_recall: float | None
    val_f1: float | None
    is_best: bool  # so far, by the primary metric on validation images; without them the last epoch
    seconds_left: float | None  # None in epoch 0
    chosen_predicted: tuple[int, ...] = ()  # class index of each image of `ValidationImagesChosen`

    def _text(self) -> str:
        return _joined(
            text("event-epoch-ended", epoch=self.epoch, n_epochs=self.n_epochs),
            _score("train-loss", self.train_loss),
            _score("val-loss", self.val_loss),
            _score("accuracy", self.val_accuracy),
            _score("macro-f1", self.val_f1),
            _left_of_finetuning(self.seconds_left),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(Event):
    """A state from which the training can be resumed was saved."""

    path: str
    epoch: int
    is_best: bool

    def _text(self) -> str:
        return text("event-checkpoint-saved", epoch=self.epoch, path=self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSelected(Event):
    """Training ended, and the network of one stage was selected."""

    stage: Literal["instant", "finetune"]
    epoch: int | None = None  # of fine-tuning, 1-based
    checkpoint_selection: CheckpointSelection | None = None  # the rule that selected this epoch

    def _text(self) -> str:
        rule = "instant" if self.stage == "instant" else self.checkpoint_selection or "best"
        return text("event-classifier-selected", rule=rule, epoch=self.epoch or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    """A training ended: `done`, `stopped` or `failed`, with the reason."""

    run: str
    state: str  # "done", "stopped" or "failed"
    reason: Message | None = None

    def _text(self) -> str:
        line = text("event-run-ended", state=self.state)
        return line if self.reason is None else text("event-with-reason", event=line, reason=self.reason)


def _joined(first: str, *others: str | None) -> str:
    return ", ".join([first, *(other for other in others if other is not None)])


def _score(name: str, value: float | None) -> str | None:
    return None if value is None else text("event-score", name=name, value=value)


def _left(event: Progressed) -> str | None:
    return None if event.seconds_left is None else text("progress-time-left", time=duration(event.seconds_left))


def _left_of_finetuning(seconds: float | None) -> str | None:
    return None if seconds is None else text("event-finetuning-left", time=duration(seconds))


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignore an event."""


OnProgress = Callable[[int, int], None]  # receives the number of completed steps, and of all steps


def ignore_progress(done: int, total: int) -> None:
    """Ignore progress."""


SHOWN_AFTER_SECONDS, SHOWN_AFTER_SHARE = 5.0, 0.03  # an earlier estimate is hardly better than a guess


def time_left(done: float, total: float, seconds: float) -> float | None:
    """Return the expected remaining seconds of counted work.

    Args:
        done, total: counts.
        seconds: of the work so far.

    Returns:
        None if both the time and the share of the work so far are too small for an estimate.
    """
    if not done or (seconds < SHOWN_AFTER_SECONDS and done < SHOWN_AFTER_SHARE * total):
        return None
    return seconds * max(0.0, total - done) / done


def paced(*, stage: str, done: int, total: int, n: int, seconds: float) -> Progressed:
    """Return the event of work whose pace is that of its last `n` units, which took some seconds."""
    pace = n / seconds if n and seconds else None
    left = None if pace is None else time_left(done, total, done / pace)
    return Progressed(stage=stage, done=done, total=total, per_second=pace, seconds_left=left)


def progress_reporter(emit: Emit, stage: str, unit: str = "steps", **parameters: Any) -> OnProgress:
    """Return a callable that emits progress events.

    Work of less than a second emits no event. Other work emits two events per second, and one at its end.

    Args:
        emit: receives the events.
        stage, unit, parameters: fields of the events.
    """
    began = last = time.monotonic()
    has_emitted = False

    def report(done: int, total: int) -> None:
        nonlocal last, has_emitted
        now = time.monotonic()
        if now - last >= (0.5 if has_emitted else 1.0) or (has_emitted and done >= total):
            left = time_left(done, total, now - began)
            event = Progressed(stage=stage, done=done, total=total, unit=unit, seconds_left=left, parameters=parameters)
            emit(event)
            last, has_emitted = now, True

    return report


def as_json(event: Event) -> dict[str, Any]:  # Any: JSON values
    """Return the event as a flat JSON object with its class name under `event`, without unset base fields."""
    omitted = {name for name in ("fold", "is_pretraining") if not getattr(event, name)}
    values = {name: value for name, value in asdict(event).items() if name not in omitted}
    return {"event": type(event).__name__, **values}


_EVENTS: dict[str, type[Event]] = {
    event.__name__: event
    for event in (
        *(Progressed, Noted, RunStarted, RunEnded, FoldStarted, FoldEnded),
        *(StageStarted, InstantClassifierFitted, ValidationImagesChosen, StepEnded, EpochEnded, CheckpointSaved),
        *(ClassifierSelected, WorkPlanned),
    )
}


def from_json(line: Mapping[str, Any]) -> Event | None:  # Any: JSON values
    """Return the event from the result of `as_json`; additional keys are ignored. None: the event is unknown.

    Numbers that were not finite are None, because JSON lacks them.
    """
    event_type = _EVENTS.get(str(line.get("event")))
    if event_type is None:
        return None
    names = {field.name for field in fields(event_type)}
    values: dict[str, Any] = {  # Any: JSON values
        name: tuple(value) if isinstance(value, list) else value for name, value in line.items() if name in names
    }
    try:
        if isinstance(values.get("pace"), dict):
            values["pace"] = Pace(**values["pace"])
        if "sizes" in values:
            values["sizes"] = tuple(SetSizes(**each) for each in values["sizes"])
        if "remedies" in values:
            values["remedies"] = remedies_of(values["remedies"])
        if event_type is RunEnded and values.get("reason") is not None:
            values["reason"] = message_of(values["reason"])
        return event_type(**values)
    except (KeyError, TypeError, ValueError):  # a field is missing, or a remedy is of a newer version
        return None


# The default `emit` of the Python functions: show progress on a terminal or in a notebook.

_UPDATE_INTERVAL_S = 0.1  # of the progress line
_BAR_WIDTH = 20


@dataclass
class _Output:
    """The output of a notebook cell, and the time of the last update."""

    cell: int = -1
    handle: Any = None  # Any: IPython's DisplayHandle
    lines: list[str] = field(default_factory=list)
    updated: float = 0.0


_output = _Output()


def show(event: Event) -> None:
    """Show an event: progress in one line that is updated, other events in one line each.

    Writes to stderr if it is a terminal, or to the output of a notebook cell. To run a function without output, pass
    `emit=coverslip.events.ignore`.
    """
    shell = _notebook()
    is_terminal = sys.stderr is not None and sys.stderr.isatty()  # None in programs without a console
    if (shell is None and not is_terminal) or isinstance(event, CheckpointSaved | ValidationImagesChosen | WorkPlanned):
        return
    fraction = _fraction(event)
    if fraction is not None and fraction < 1:
        if time.monotonic() - _output.updated < _UPDATE_INTERVAL_S:
            return
        _output.updated = time.monotonic()
    line = str(event) if fraction is None else f"{_bar(fraction)} {event}"
    if shell is None:
        _overwrite_line(line, is_lasting=_is_lasting(event))
    else:
        _display(shell.execution_count, line, is_lasting=_is_lasting(event))


def _fraction(event: Event) -> float | None:
    """Return the completed fraction of the work, 0-1; None for other events than progress."""
    match event:
        case Progressed():
            return event.done / max(event.total, 1)
        case StepEnded():
            return event.step / max(event.n_steps, 1)
    return None


def _is_lasting(event: Event) -> bool:
    return not isinstance(event, StepEnded) and not (isinstance(event, Progressed) and event.done < event.total)


def _bar(fraction: float) -> str:
    n_full = int(fraction * _BAR_WIDTH)
    return f"{fraction:4.0%} |{'#' * n_full}{'-' * (_BAR_WIDTH - n_full)}|"


def _overwrite_line(line: str, *, is_lasting: bool) -> None:
    """Overwrite the progress line; a lasting line stays above it."""
    width = shutil.get_terminal_size().columns - 1
    sys.stderr.write("\r" + (f"{line.ljust(width)}\n" if is_lasting else line[:width].ljust(width)))
    sys.stderr.flush()


def _notebook() -> Any:  # Any: IPython's shell
    """Return the IPython shell of the notebook; None outside of notebooks."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell if hasattr(shell, "kernel") else None


def _display(cell: int, line: str, *, is_lasting: bool) -> None:
    from IPython.display import HTML, display

    is_new = cell != _output.cell
    if is_new:
        _output.cell, _output.lines = cell, []
    shown = HTML(f"<pre>{escape(chr(10).join([*_output.lines, line]))}</pre>")
    if is_lasting:
        _output.lines.append(line)
    if is_new:
        _output.handle = display(shown, display_id=True)
    else:
        _output.handle.update(shown)
