"""What can be chosen for a training: networks and the recipe's keys."""

from typing import Literal

from pydantic import BaseModel, Field


class Model(BaseModel):
    """A network of the zoo. Counts are with 1,000 classes, at its own image size."""

    name: str
    title: str
    family: str
    paper: str | None
    parameters: int
    macs: int | None = Field(description="Multiply-accumulates of one image.")
    input_px: int
    weights_at_hand: bool
    licence: str | None = Field(description="Of the weights.")
    advice: str
    is_recommended: bool


class ModelList(BaseModel):
    items: list[Model]
    total: int


class RecipeField(BaseModel):
    """One choice of a recipe. `key` has a dot where it lies in a section."""

    key: str
    title: str
    help: str
    type: Literal["number", "integer", "choice", "boolean", "text"]
    default: float | int | bool | str | None
    choices: list[str | int | bool] | None
    is_optional: bool = Field(description="It may be left empty (null); `help` says what that means.")
    minimum: float | None
    maximum: float | None
    group: Literal["basic", "training", "images", "split", "augment"]


class RecipeFields(BaseModel):
    fields: list[RecipeField]
