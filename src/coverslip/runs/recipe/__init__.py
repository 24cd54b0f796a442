"""The recipe: its keys, section by section, and recipes as text."""

from coverslip.runs.recipe.augment import Augment, augment_named
from coverslip.runs.recipe.finetuning import Sampling
from coverslip.runs.recipe.keys import (
    GROUPS,
    Group,
    NamedSet,
    RecipeKey,
    Values,
    changed_phrases,
    named_sets,
    phrases,
    recipe_keys,
    values_of,
)
from coverslip.runs.recipe.recipe import Recipe
from coverslip.runs.recipe.regulariser import Regulariser
from coverslip.runs.recipe.split_plan import SplitPlan
from coverslip.runs.recipe.start import FromRun, TrainFirst
from coverslip.runs.recipe.text import (
    as_yaml,
    check_recipe,
    first_recipe,
    load_recipe,
    parse_recipe,
    save_recipe,
    values_given,
    with_settings,
)

__all__ = [
    "GROUPS",
    "Augment",
    "FromRun",
    "Group",
    "NamedSet",
    "Recipe",
    "RecipeKey",
    "Regulariser",
    "Sampling",
    "SplitPlan",
    "TrainFirst",
    "Values",
    "as_yaml",
    "augment_named",
    "changed_phrases",
    "check_recipe",
    "first_recipe",
    "load_recipe",
    "named_sets",
    "parse_recipe",
    "phrases",
    "recipe_keys",
    "save_recipe",
    "values_given",
    "values_of",
    "with_settings",
]
