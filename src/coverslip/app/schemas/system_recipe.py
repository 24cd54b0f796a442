"""What can be chosen for a training: the recipe's keys, and recipes as text."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from coverslip.runs.recipe import Group, NamedSet, RecipeKey


@dataclass(frozen=True, slots=True)
class RecipeKeys:
    """All choices of a recipe, and the groups they are in, in the order of a form."""

    groups: list[Group]
    keys: list[RecipeKey]
    sets: Annotated[list[NamedSet], Field(description="Names that stand for all keys of a section.")]


class TextOfRecipe(BaseModel):
    """The content of a recipe file."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=1_000_000, description="YAML.")


class ChoicesOfRecipe(BaseModel):
    """What a form holds."""

    model_config = ConfigDict(extra="forbid")

    # Any: of each key its own
    recipe: dict[str, Any] = Field(description="Only what differs from the defaults; nested keys or dotted ones.")
    is_complete: bool = Field(default=False, description="Write the defaults of all other keys too.")
