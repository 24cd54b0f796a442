"""The recipe: its keys, section by section, and recipes as text."""

from coverslip.runs.recipe.augment import Augment, augment_named
from coverslip.runs.recipe.finetuning import Sampling
from coverslip.runs.recipe.initialisation import FromRun, Pretraining
from coverslip.runs.recipe.keys import GROUPS, Group, RecipeKey, changed_phrases, phrases, recipe_keys
from coverslip.runs.recipe.recipe import Recipe
from coverslip.runs.recipe.regulariser import Regulariser
from coverslip.runs.recipe.split_plan import SplitPlan
from coverslip.runs.recipe.text import check_recipe, load_recipe, pretraining_recipe, save_recipe, with_settings

__all__ = [
    "GROUPS",
    "Augment",
    "FromRun",
    "Group",
    "Pretraining",
    "Recipe",
    "RecipeKey",
    "Regulariser",
    "Sampling",
    "SplitPlan",
    "augment_named",
    "changed_phrases",
    "check_recipe",
    "load_recipe",
    "phrases",
    "pretraining_recipe",
    "recipe_keys",
    "save_recipe",
    "with_settings",
]
