"""Recipes as files: read into a form's values, and written from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from coverslip.runs.recipe import Values, as_yaml, check_recipe, parse_recipe, values_given, values_of
from coverslip.workspace.recipes.checking import nested


@dataclass(frozen=True, slots=True)
class RecipeText:
    """A recipe as a form keeps it and as a file holds it."""

    values: Annotated[Values, Field(description="The value of each dotted key that was given; others have defaults.")]
    text: Annotated[str, Field(description="The same as YAML; without comments.")]


def read_text(text: str) -> RecipeText:
    """What a recipe's text says. Paths in it are not looked at: they are checked when a training is asked for.

    Raises:
        BadRecipe: not YAML, or a key or value is not valid; all faults at once, each with its line.
    """
    _, values = parse_recipe(text)
    return RecipeText(values, _as_text(values))


def write_text(choices: Mapping[str, Any], *, is_complete: bool = False) -> RecipeText:
    """Values as the text of a recipe.

    Args:
        choices: nested or with dotted keys.
        is_complete: with the defaults of all other keys.

    Raises:
        BadRecipe: a key or value is not valid; all faults at once.
    """
    data = nested(choices)
    recipe = check_recipe(data)
    values = values_of(recipe) if is_complete else values_given(recipe, data)
    return RecipeText(values, _as_text(values))


def _as_text(values: Values) -> str:
    return as_yaml({"format_version": 1, **nested(values)})
