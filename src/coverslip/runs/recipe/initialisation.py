"""What the weights of a network are before it is trained (its initialisation), as data."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from coverslip.datasets import Name
from coverslip.runs.recipe.choices import Choices

_LABELS = (
    "Names of classes there, each with its name here, where the same class is called differently; where all classes "
    "are known by then, what tells them is kept if validation images prefer it."
)


class FromRun(Choices):
    """The weights of an earlier run: its network goes on learning."""

    run: str = Field(description="The run's folder, its classifier/ or a .coverslip file.")
    labels: dict[Name, Name] = Field(default_factory=dict, description=_LABELS)


class Pretraining(Choices):
    """Two-step transfer: pretraining on other labelled images, whose network then learns these.

    Its network is chosen as any: the best epoch by validation images of its own (paper 004 does not say which
    checkpoint it went on from).
    """

    train_on: str = Field(description="A folder with one sub-folder per class, or a table with path and label.")
    # Any: checked as a recipe
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="What is other than in this recipe when pretraining, such as group."
    )
    labels: dict[Name, Name] = Field(default_factory=dict, description=_LABELS)


def _kind(value: object) -> str:
    if isinstance(value, FromRun | Pretraining):
        return "run" if isinstance(value, FromRun) else "train_on"
    if isinstance(value, dict):
        return "train_on" if "train_on" in value or "recipe" in value else "run"
    return "name"


Initialisation = Annotated[
    Annotated[Literal["imagenet", "scratch"], Tag("name")]
    | Annotated[FromRun, Tag("run")]
    | Annotated[Pretraining, Tag("train_on")],
    Discriminator(_kind),
]
