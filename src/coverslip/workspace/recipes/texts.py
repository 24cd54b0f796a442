"""Recipes as files: read into the values of a form, and written from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from coverslip.runs.recipe import Values, as_yaml, check_recipe, parse_recipe, values_given, values_of
from coverslip.workspace.recipes.checking import nested


@dataclass(frozen=True, slots=True)
class RecipeText:
    """A recipe as values of a form and as text of a file."""

    values: Annotated[
        Values, Field(description="The value of each dotted key that is given; others have their defaults.")
    ]
    text: Annotated[str, Field(description="The same as YAML, without comments.")]


def read_text(text: str) -> RecipeText:
    """Return the values in the text of a recipe. Paths are not checked before a training is requested.

    Raises:
        BadRecipe: it is not YAML, or a key or value is not valid; all errors with their lines.
    """
    _, values = parse_recipe(text)
    return RecipeText(values, _as_text(values))


def write_text(choices: Mapping[str, Any], *, is_complete: bool = False) -> RecipeText:
    """Return values as the text of a recipe.

    Args:
        choices: nested or with dotted keys.
        is_complete: include the defaults of all other keys.

    Raises:
        BadRecipe: a key or value is not valid; all errors at once.
    """
    data = nested(choices)
    recipe = check_recipe(data)
    values = values_of(recipe) if is_complete else values_given(recipe, data)
    return RecipeText(values, _as_text(values))


def _as_text(values: Values) -> str:
    return as_yaml({"format_version": 1, **nested(values)})
