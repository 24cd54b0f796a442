"""Presets: how long a training takes, as changes of recipe keys that have their default values.

`first-look` and `good` give the instant classifier, of images of half the side and of the full side. `best`, the
default, then fine-tunes the network; the instant classifier is its first result.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal

from coverslip.errors import BadRecipe
from coverslip.events import SetSizes, WorkPlanned
from coverslip.experiments.estimating import Speed, plan_work
from coverslip.models import model_info
from coverslip.runs.recipe import Recipe, Stage
from coverslip.runs.timing import total_seconds

Preset = Literal["first-look", "good", "best"]
PRESETS: tuple[Preset, ...] = ("first-look", "good", "best")  # the fastest first

_USEFUL_SHARE = 0.5  # of the time of `good` that a first look may take


def apply_preset(recipe: Recipe, preset: Preset) -> Recipe:
    """Return the recipe of a user with a preset.

    Raises:
        BadRecipe: as of `with_preset`, or the recipe states another value of a key that the preset changes.
    """
    changed_recipe = with_preset(recipe, preset)
    for key in ("stage", "image_size"):
        value = getattr(recipe, key)
        if key in recipe.model_fields_set and value != getattr(changed_recipe, key):
            raise _not_offered(recipe, preset, "stated-value", key, value)
    return changed_recipe


def with_preset(recipe: Recipe, preset: Preset) -> Recipe:
    """Return the recipe with a preset. Keys without their default values are not changed.

    Raises:
        BadRecipe: the network has no instant classifier, or no smaller images for a first look.
    """
    if preset == "best":
        return recipe
    if recipe.init == "scratch":
        raise _not_offered(recipe, preset, "random-weights")
    if preset == "good":
        return recipe.model_copy(update={"stage": "instant"})
    px = model_info(recipe.model).first_look_px
    if recipe.image_size is not None:
        raise _not_offered(recipe, preset, "stated-size")
    if px is None:
        raise _not_offered(recipe, preset, "network-size")
    return recipe.model_copy(update={"stage": "instant", "image_size": px})


def preset_plans(recipe: Recipe, sizes: Mapping[Stage, Sequence[SetSizes]], speed: Speed) -> dict[Preset, WorkPlanned]:
    """Return the work of the presets that are useful for a recipe, with its expected time; the fastest first.

    A first look is not useful if it takes more than half of the time of `good`.

    Args:
        recipe: of the training.
        sizes: by the stage of a recipe, of one split, or of each fold and then of the training on all images. Presets
            with other stages are not planned.
        speed: of this computer, at the image size of the recipe.
    """
    plans: dict[Preset, WorkPlanned] = {}
    for preset in PRESETS:
        with suppress(BadRecipe):
            preset_recipe = with_preset(recipe, preset)
            if set_sizes := sizes.get(preset_recipe.stage):
                plans[preset] = plan_work(preset_recipe, set_sizes, speed_at(recipe, speed, preset_recipe.image_size))
    if "first-look" in plans:
        first_look, good = (total_seconds(plans[preset], plans[preset].pace) for preset in ("first-look", "good"))
        if first_look > _USEFUL_SHARE * good:
            del plans["first-look"]
    return plans


def speed_at(recipe: Recipe, speed: Speed, image_size: int | None) -> Speed:
    """Return the speed at another image size than that of the recipe; None for that of the network."""
    sides = [side or model_info(recipe.model).input_px for side in (image_size, recipe.image_size)]
    return speed.at_side(sides[0] / sides[1])


def _not_offered(recipe: Recipe, preset: Preset, reason: str, key: str = "", value: object = "") -> BadRecipe:
    return BadRecipe(
        "preset-not-offered",
        preset=preset,
        reason=reason,
        model=recipe.model,
        key=key,
        value="null" if value is None else value,
    )
