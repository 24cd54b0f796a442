"""The recipe: its keys, section by section, and recipes as text."""

from coverslip.runs.recipe.augment import Augment, augment_named
from coverslip.runs.recipe.choices import Choices, OneOf
from coverslip.runs.recipe.finetuning import (
    IMAGES_COPIED,
    IMAGES_FAMILIAR,
    IMAGES_REFITTED,
    IMAGES_SHOWN,
    SET_BY_FINISHING,
    Sampling,
    epochs_called_for,
)
from coverslip.runs.recipe.habits import key_meant
from coverslip.runs.recipe.initialisation import FromRun, Pretraining
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
from coverslip.runs.recipe.text import (
    as_yaml,
    check_recipe,
    load_recipe,
    parse_recipe,
    pretraining_recipe,
    save_recipe,
    values_given,
    with_settings,
)
from coverslip.runs.recipe.yaml_text import read_yaml

__all__ = [
    "GROUPS",
    "IMAGES_COPIED",
    "IMAGES_FAMILIAR",
    "IMAGES_REFITTED",
    "IMAGES_SHOWN",
    "SET_BY_FINISHING",
    "Augment",
    "Choices",
    "FromRun",
    "Group",
    "NamedSet",
    "OneOf",
    "Pretraining",
    "Recipe",
    "RecipeKey",
    "Regulariser",
    "Sampling",
    "SplitPlan",
    "Values",
    "as_yaml",
    "augment_named",
    "changed_phrases",
    "check_recipe",
    "epochs_called_for",
    "key_meant",
    "load_recipe",
    "named_sets",
    "parse_recipe",
    "phrases",
    "pretraining_recipe",
    "read_yaml",
    "recipe_keys",
    "save_recipe",
    "values_given",
    "values_of",
    "with_settings",
]
