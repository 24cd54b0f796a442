"""What can be chosen for a training."""

from fastapi import APIRouter

from coverslip.app.schemas.system_recipe import ModelList, RecipeFields
from coverslip.workspace.recipes import model_advice, recipe_fields

router = APIRouter(tags=["system"])


@router.get("/models", operation_id="list_models", response_model=ModelList)
def list_models() -> object:
    """The networks of the zoo, with what each costs beside the default one."""
    items = model_advice.advised_models()
    return {"items": items, "total": len(items)}


@router.get("/recipe", operation_id="get_recipe_fields", response_model=RecipeFields)
def get_recipe_fields() -> object:
    """The choices of a recipe, each with its range, default and a sentence on it."""
    return {"fields": recipe_fields.recipe_fields()}
