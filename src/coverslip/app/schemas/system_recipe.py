"""What can be chosen for a training: networks and the recipe's keys."""

from pydantic import BaseModel, Field

from coverslip.runs.recipe import Group, RecipeKey


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


class RecipeKeys(BaseModel):
    """All choices of a recipe, and the groups they are in, in the order of a form."""

    groups: list[Group]
    keys: list[RecipeKey]
