"""What can be chosen for a training."""

from fastapi import APIRouter

from coverslip.app.schemas.system_recipe import RecipeKeys
from coverslip.runs.recipe import GROUPS, recipe_keys
from coverslip.workspace.recipes.model_advice import AdvisedModel, advised_models
from coverslip.workspace.store.rows import Page, page_of

router = APIRouter(tags=["system"])


@router.get("/models", operation_id="list_models")
def list_models() -> Page[AdvisedModel]:
    """The networks of the zoo, with what each costs beside the default one."""
    return page_of(advised_models())


@router.get("/recipe", operation_id="get_recipe_keys", response_model=RecipeKeys)
def get_recipe_keys() -> object:
    """The choices of a recipe, each with its title, range, default and a sentence on it, and the groups they are in."""
    return {"groups": GROUPS, "keys": recipe_keys()}
