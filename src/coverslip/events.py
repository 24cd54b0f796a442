"""What long work reports while it runs: frozen facts in the past tense, handed to one callable.

Loops know no listener. Progress bars, `events.jsonl` and the app are all an `Emit`. Every event turns into
plain JSON by `as_json`, with its class name under `event`, and back by `from_json`. `str(event)` is one
line for people.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from coverslip.messages import Level, Note, Parameters, Remedies, duration, remedies_of, rough_duration

CheckpointSelection = Literal["best", "last"]
"""Which epoch of fine-tuning is kept: the best by the primary metric on validation images, or the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""

    fold: int | None = None  # 1-based; of the training that it is about, where a run has several
    is_pretraining: bool = False  # of the training on other images that comes before the run's own

    def __str__(self) -> str:
        """Return one line of text: `print` is a listener."""
        of_fold = "" if self.fold is None else f"Fold {self.fold}: "
        return f"{'Pretraining: ' if self.is_pretraining else ''}{of_fold}{self._text()}"

    def _text(self) -> str:
        return repr(self)


COMPUTING_FEATURES = "computing features"  # a stage of `Progressed` whose pace is used for estimates


@dataclass(frozen=True, slots=True, kw_only=True)
class Progressed(Event):
    """Progress of a countable stage of work (reading images, embedding, predicting)."""

    stage: str  # what is being done, for people: "reading images"
    done: int
    total: int
    unit: str = "images"
    per_second: float | None = None
    seconds_left: float | None = None

    def _text(self) -> str:
        pace = None if self.per_second is None else f"{self.per_second:,.0f} {self.unit}/s"
        left = None if self.done >= self.total else _left(self.seconds_left)
        return _joined(f"{self.stage}: {self.done:,} of {self.total:,} {self.unit}", pace, left)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted(Event):
    """Something the user should know but need not act on at once."""

    code: str = ""  # what kind of note it is
    text: str
    level: Level = "info"
    parameters: Parameters = field(default_factory=dict)  # those of the message
    remedies: Remedies = ()  # what can be done about it

    @classmethod
    def of(cls, note: Note) -> "Noted":
        """Return the event of a note."""
        return cls(code=note.code, text=note.text, level=note.level, parameters=note.parameters, remedies=note.remedies)

    @property
    def note(self) -> Note:
        """The note, without the training that it is of."""
        return Note(self.code, self.text, level=self.level, parameters=self.parameters, remedies=self.remedies)

    def _text(self) -> str:
        return f"{'Warning' if self.level == 'warning' else 'Note'}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Seconds for each image; None: not known."""

    reading: float | None = None  # decoded and preprocessed
    embedding: float | None = None  # forward pass of the network, without training
    training: float | None = None  # shown in an epoch, its share of validation and checkpoint included
    closing: float | None = None  # seconds in all for what ends a training: numbers, figures and report
    step: float | None = None  # as `training`, by the steps of the current epoch
    n_epochs: int = 0  # that were measured


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkPlanned(Event):
    """How much there is to do, and how quick this computer was at such work before.

    With folds the numbers of images are those of the first of them.
    """

    n_train: int
    n_val: int
    n_test: int
    n_drawn: int  # images that an epoch shows
    n_again: int  # images that the trained network processes again, except test images
    n_epochs: int  # 0: no fine-tuning
    has_instant: bool
    copies: float = 0.0  # images that take as long as copies of training images in the instant stage
    n_folds: int = 0
    pace: Pace = Pace()
    basis: str | None = None  # which earlier training the pace is from, for people; None: there was none
    seconds: float | None = None  # for all of it, where that is known
    limit_seconds: float | None = None  # that are left of the time budget; None: there is no budget

    def _text(self) -> str:
        expected = None if self.seconds is None else f"expected time {rough_duration(self.seconds)}"
        return _joined(f"Planned: {self.n_train:,} training images, {self.n_epochs} epochs", expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    run: str  # folder
    n_train: int
    n_val: int
    n_test: int
    classes: tuple[str, ...]

    def _text(self) -> str:
        sets = f"{self.n_train:,} training, {self.n_val:,} validation and {self.n_test:,} test images"
        return f"Training started in {self.run}: {sets}, {len(self.classes)} classes"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldStarted(Event):
    """Cross-validation turned to the fold named by `fold`."""

    n_folds: int

    def _text(self) -> str:
        return f"started, of {self.n_folds}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldEnded(Event):
    """The fold named by `fold` is trained and tested."""

    n_folds: int
    accuracy: float | None  # 0-1, of its test images
    macro_f1: float | None  # 0-1

    def _text(self) -> str:
        scores = (_score("test accuracy", self.accuracy), _score("macro-F1", self.macro_f1))
        return _joined(f"ended, of {self.n_folds}", *scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(Event):
    """Training entered one of its stages: `instant` or `finetune`."""

    stage: str
    n_epochs: int = 0
    checkpoint_selection: CheckpointSelection | None = None  # of fine-tuning

    def _text(self) -> str:
        return (
            f"Fine-tuning started: {self.n_epochs} epochs"
            if self.stage == "finetune"
            else f"Stage '{self.stage}' started"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantClassifierFitted(Event):
    """The instant classifier is ready, a linear probe on frozen features: from here on there is one to use."""

    seconds: float
    val_accuracy: float | None  # 0-1; None where no images are kept for validation
    val_macro_f1: float | None  # 0-1

    def _text(self) -> str:
        scores = (_score("validation accuracy", self.val_accuracy), _score("macro-F1", self.val_macro_f1))
        return _joined(f"Instant classifier ready after {duration(self.seconds)}", *scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(Event):
    epoch: int  # 1-based
    n_epochs: int  # planned
    step: int  # 1-based within the epoch
    n_steps: int
    loss: float
    images_per_second: float
    epoch_seconds_left: float
    seconds_left: float  # of the whole fine-tuning

    def _text(self) -> str:
        pace = f"{self.images_per_second:,.0f} images/s"
        step = f"Epoch {self.epoch}: step {self.step} of {self.n_steps}"
        return _joined(step, _score("loss", self.loss), pace, _left_of_finetuning(self.seconds_left))


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidationImagesChosen(Event):
    """A few validation images that can be watched as they are learnt: the same ones in every epoch."""

    image_ids: tuple[str, ...]
    labels: tuple[int, ...]  # of each image, its class's number in `classes`
    classes: tuple[str, ...]

    def _text(self) -> str:
        return f"{len(self.image_ids)} validation images chosen to watch"


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochEnded(Event):
    """One pass over the training images. Scores lie in [0, 1]; precision, recall and F1 are macro averages.

    Epoch 0 is the network that fine-tuning starts from, evaluated on validation images.
    """

    epoch: int
    n_epochs: int
    seconds: float
    learning_rate: float
    train_loss: float | None  # all of training: None in epoch 0
    train_accuracy: float | None
    train_precision: float | None
    train_recall: float | None
    train_f1: float | None
    val_loss: float | None  # all of validation: None where no images are kept for it
    val_accuracy: float | None
    val_precision: float | None
    val_recall: float | None
    val_f1: float | None
    is_best: bool  # so far, by the primary metric on validation images; without any, the last epoch is the best
    seconds_left: float | None  # None in epoch 0
    chosen_predicted: tuple[int, ...] = ()  # of `ValidationImagesChosen`: the class's number, of each image

    def _text(self) -> str:
        return _joined(
            f"Epoch {self.epoch} of {self.n_epochs} ended",
            _score("training loss", self.train_loss),
            _score("validation loss", self.val_loss),
            _score("accuracy", self.val_accuracy),
            _score("macro-F1", self.val_f1),
            _left_of_finetuning(self.seconds_left),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointSaved(Event):
    path: str
    epoch: int
    is_best: bool

    def _text(self) -> str:
        return f"Checkpoint of epoch {self.epoch} saved in {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierSelected(Event):
    """Training ended, and the network of one stage is kept."""

    stage: Literal["instant", "finetune"]
    epoch: int | None = None  # of fine-tuning, 1-based
    checkpoint_selection: CheckpointSelection | None = None  # the rule that keeps this epoch

    def _text(self) -> str:
        if self.stage == "instant":
            return "Kept: the instant classifier"
        rule = "the last" if self.checkpoint_selection == "last" else "the best on validation images"
        return f"Kept: epoch {self.epoch}, {rule}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    run: str
    state: str  # "done", "stopped" or "failed"
    reason: str | None = None

    def _text(self) -> str:
        return f"Training {self.state} in {self.run}{'' if self.reason is None else f': {self.reason}'}"


def _joined(first: str, *others: str | None) -> str:
    return ", ".join([first, *(other for other in others if other is not None)])


def _score(name: str, value: float | None) -> str | None:
    return None if value is None else f"{name} {value:.3f}"


def _left(seconds: float | None) -> str | None:
    return None if seconds is None else f"{duration(seconds)} left"


def _left_of_finetuning(seconds: float | None) -> str | None:
    return None if seconds is None else f"{duration(seconds)} of fine-tuning left"


Emit = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Ignore an event."""


OnProgress = Callable[[int, int], None]  # so many parts of a piece of work are done, of so many


def ignore_progress(done: int, total: int) -> None:
    """Ignore progress."""


def telling(emit: Emit, stage: str, unit: str = "steps") -> OnProgress:
    """Return a callable that turns progress into events.

    Work of less than a second emits no event. Other work emits two events per second, and one at its end.
    """
    began = last = time.monotonic()
    is_told = False

    def tell(done: int, total: int) -> None:
        nonlocal last, is_told
        now = time.monotonic()
        if now - last >= (0.5 if is_told else 1.0) or (is_told and done >= total):
            left = (now - began) * (total - done) / max(done, 1)
            emit(Progressed(stage=stage, done=done, total=total, unit=unit, seconds_left=left))
            last, is_told = now, True

    return tell


def as_json(event: Event) -> dict[str, Any]:  # Any: JSON values
    """The event as a flat JSON object, its class name under `event`; `fold` and `is_pretraining` only if set."""
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
    """The event that `as_json` made such an object of, whatever else stands in it; None where it is none known here.

    What was not finite is None in it, since JSON has no such numbers.
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
        if "remedies" in values:
            values["remedies"] = remedies_of(values["remedies"])
        return event_type(**values)
    except (KeyError, TypeError):  # something is missing, or a remedy is of a later version
        return None
