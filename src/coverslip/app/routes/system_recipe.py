"""What can be chosen for a training."""

from fastapi import APIRouter

from coverslip.app.schemas.system_recipe import ModelList, RecipeKeys
from coverslip.runs.recipe import GROUPS, recipe_keys
from coverslip.workspace.recipes import model_advice

router = APIRouter(tags=["system"])


@router.get("/models", operation_id="list_models", response_model=ModelList)
def list_models() -> object:
    """The networks of the zoo, with what each costs beside the default one."""
    items = model_advice.advised_models()
    return {"items": items, "total": len(items)}


@router.get("/recipe", operation_id="get_recipe_keys", response_model=RecipeKeys)
def get_recipe_keys() -> object:
    """The choices of a recipe, each with its title, range, default and a sentence on it, and the groups they are in."""
    return {"groups": GROUPS, "keys": recipe_keys()}
