"""What can be chosen for a training: the recipe's keys."""

from pydantic import BaseModel

from coverslip.runs.recipe import Group, RecipeKey


class RecipeKeys(BaseModel):
    """All choices of a recipe, and the groups they are in, in the order of a form."""

    groups: list[Group]
    keys: list[RecipeKey]
