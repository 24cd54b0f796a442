"""Trainings: how they are asked for, how they go on, what they left."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

State = Literal["queued", "starting", "running", "stopping", "stopped", "done", "failed", "interrupted"]
Stage = Literal["reading", "instant", "finetune", "measuring"]


class Fault(BaseModel):
    """Why work failed, and what to do about it."""

    what: str
    do: str


class Progress(BaseModel):
    """How far a training is."""

    stage: str = Field(description="What is being done, for people.")
    done: int
    total: int
    unit: str
    share: float = Field(ge=0, le=1, description="Of the whole training; never falls.")
    seconds_left: float | None = Field(description="Of the whole training, where it can be told.")


class Headline(BaseModel):
    """The number that a run is known by, with its interval."""

    metric: str
    title: str = Field(description="The metric's plain name.")
    value: float | None
    low: float | None
    high: float | None


class Run(BaseModel):
    """A training, as its folder says that it is now."""

    id: str
    name: str
    folder: str
    state: State
    dataset_id: str | None
    dataset_name: str
    model: str
    stage: Stage | None
    n_folds: int = Field(description="0 where there is one split, or it is not decided yet.")
    fold: int | None = Field(description="1-based; the one that is being trained.")
    progress: Progress | None
    epoch: int | None
    n_epochs: int | None
    has_classifier: bool
    headline: Headline | None
    error: Fault | None
    queue_position: int | None = Field(description="1 is next.")
    created: str
    started: str | None
    ended: str | None


class RunList(BaseModel):
    items: list[Run]
    total: int


class Epoch(BaseModel):
    """One pass over the training images; scores lie in 0-1, precision, recall and F1 are macro averages."""

    epoch: int
    fold: int | None = Field(description="Of the training that it belongs to, in a cross-validated run.")
    is_first: bool = Field(description="Of the training on other images that comes before the run's own.")
    seconds: float | None
    learning_rate: float | None
    train_loss: float | None
    train_accuracy: float | None
    train_precision: float | None
    train_recall: float | None
    train_f1: float | None
    val_loss: float | None
    val_accuracy: float | None
    val_precision: float | None
    val_recall: float | None
    val_f1: float | None


class Note(BaseModel):
    """What the training wants known."""

    time: str
    level: Literal["info", "warning"]
    text: str


class InstantResult(BaseModel):
    """What the first classifier, on frozen features, reached on validation images."""

    fold: int | None
    seconds: float
    val_accuracy: float | None
    val_macro_f1: float | None


class RunDetail(Run):
    """A training with its recipe, its curves so far and its notes."""

    recipe: dict[str, Any]
    recipe_text: str
    history: list[Epoch]
    best_epoch: int | None
    instant: list[InstantResult]
    notes: list[Note]
    is_cross_validated: bool
    last_event: int = Field(description="Give it as `after` to the event stream, so that nothing comes twice.")
    log_tail: list[str] = Field(description="The last lines that the training's process wrote.")


class NewRun(BaseModel):
    """A training to queue."""

    model_config = ConfigDict(extra="forbid")

    dataset_id: str
    name: str | None = Field(None, max_length=120, description="Default: named after the image set.")
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="Only what differs from the defaults; nested keys or dotted ones."
    )
    allow_leakage: bool = False


class RunName(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=120)


class Removed(BaseModel):
    """What was moved to the trash can come back."""

    undo_token: str


class Classifier(BaseModel):
    """A trained network that can predict; its id is that of its run."""

    id: str
    name: str
    classes: list[str]
    model: str
    headline: Headline | None
    is_imported: bool


class ClassifierList(BaseModel):
    items: list[Classifier]
    total: int
