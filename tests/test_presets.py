"""Presets change only keys that have their default values, and their recipes give the same without them."""

from pathlib import Path

import pytest
from drawing import write_cells
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import BadRecipe
from coverslip.events import SetSizes
from coverslip.experiments.estimating import Speed
from coverslip.experiments.presets import PRESETS, Preset, apply_preset, preset_plans, with_preset
from coverslip.files import sha256_file
from coverslip.runs.recipe import Recipe, Stage
from coverslip.runs.recipe_keys import load_recipe, with_settings
from coverslip.studies.cells import cells_of
from coverslip.studies.plan import plan_of

ONE_SPLIT = [SetSizes(n_train=3000, n_val=1000, n_test=1000, n_drawn=3000, n_selecting=1000)]
SIZES: dict[Stage, list[SetSizes]] = {"finetune": ONE_SPLIT, "instant": ONE_SPLIT}


def test_a_preset_changes_only_keys_with_their_default_values() -> None:
    recipe = Recipe(seed=3, epochs=5)
    assert with_preset(recipe, "best") == recipe
    assert with_preset(recipe, "good") == recipe.model_copy(update={"stage": "instant"})
    assert with_preset(recipe, "first-look") == recipe.model_copy(update={"stage": "instant", "image_size": 112})
    instant = Recipe(stage="instant", image_size=64)
    assert [with_preset(instant, preset) for preset in ("good", "best")] == [instant, instant]


@pytest.mark.parametrize(
    ("recipe", "preset", "reason"),
    [
        (Recipe(image_size=224), "first-look", "stated-size"),
        (Recipe(model="timm/test_efficientnet"), "first-look", "network-size"),  # 160 px
        (Recipe(model="swin_t"), "good", None),
        (Recipe(init="scratch"), "first-look", "random-weights"),
        (Recipe(init="scratch"), "good", "random-weights"),
        (Recipe(init="scratch"), "best", None),
    ],
)
def test_a_preset_that_does_not_fit_is_refused(recipe: Recipe, preset: Preset, reason: str | None) -> None:
    if reason is None:
        with_preset(recipe, preset)
        return
    with pytest.raises(BadRecipe) as refused:
        with_preset(recipe, preset)
    assert (refused.value.code, refused.value.parameters["reason"]) == ("preset-not-offered", reason)


def test_a_first_look_is_useful_only_if_it_takes_at_most_half_of_the_time() -> None:
    slow = Speed(reading=0.001, embedding=0.1, training=0.5, product=0.004, slowness=1.0)
    assert list(preset_plans(Recipe(), SIZES, slow)) == list(PRESETS)
    seconds = [plan.seconds for plan in preset_plans(Recipe(), SIZES, slow).values()]
    assert seconds == sorted(seconds)
    fast = Speed(reading=0.1, embedding=0.01, training=0.05, product=0.004, slowness=1.0)  # images are read slowly
    assert list(preset_plans(Recipe(), SIZES, fast)) == ["good", "best"]
    assert list(preset_plans(Recipe(init="scratch"), SIZES, slow)) == ["best"]


def test_each_preset_takes_the_time_of_its_own_number_of_folds() -> None:
    speed = Speed(reading=0.001, embedding=0.1, training=0.5, product=0.004, slowness=1.0)
    in_folds = preset_plans(Recipe(), {"finetune": ONE_SPLIT, "instant": 6 * ONE_SPLIT}, speed)
    assert [plan.n_folds for plan in in_folds.values()] == [5, 5, 0]
    assert list(preset_plans(Recipe(), {"finetune": ONE_SPLIT}, speed)) == ["best"]


@pytest.mark.parametrize(
    ("settings", "preset", "key"),
    [
        (["stage=finetune"], "good", "stage"),
        (["stage=finetune"], "first-look", "stage"),
        (["image_size=null"], "first-look", "image_size"),
        (["image_size=null", "stage=instant"], "good", None),
        (["stage=finetune"], "best", None),
        (["seed=3"], "good", None),
    ],
)
def test_a_stated_value_that_a_preset_would_change_is_refused(
    settings: list[str], preset: Preset, key: str | None, tmp_path: Path
) -> None:
    by_settings = with_settings(Recipe(), settings)
    (tmp_path / "mine.yaml").write_text("\n".join(setting.replace("=", ": ") for setting in settings))
    for recipe in (by_settings, load_recipe(tmp_path / "mine.yaml"), with_settings(by_settings, ["epochs=5"])):
        if key is None:
            assert apply_preset(recipe, preset) == with_preset(recipe, preset)
            continue
        with pytest.raises(BadRecipe) as refused:
            apply_preset(recipe, preset)
        assert (refused.value.code, refused.value.parameters["reason"]) == ("preset-not-offered", "stated-value")
        assert refused.value.parameters["key"] == key


def test_a_preset_of_a_study_applies_to_each_training(tmp_path: Path) -> None:
    plan = plan_of({"datasets": [str(tmp_path)], "models": ["efficientnet_lite0", "mobilenet_v2"], "preset": "good"})
    assert [cell.recipe.stage for cell in cells_of(plan, tmp_path)] == ["instant", "instant"]


@pytest.mark.slow
def test_the_recipe_of_a_run_with_a_preset_gives_the_same_without_it(tmp_path: Path) -> None:
    # Fine-tuning would have one split of these images, and the preset has folds.
    small = {"model": SMALL_NETWORK, "image_size": 48, "tta": 1, "augment": "none"}
    data, recipe = cs.open_dataset(write_cells(tmp_path / "cells", 102)), Recipe.model_validate(small)
    with pytest.raises(BadRecipe):
        cs.train(data, with_settings(recipe, ["stage=finetune"]), out=tmp_path / "refused", preset="good")
    run = cs.train(data, recipe, out=tmp_path / "run", preset="good")
    again = cs.train(data, load_recipe(run.recipe_file), out=tmp_path / "again")
    assert (run.budget, len(run.folds), run.recipe.split.folds) == (None, 5, 5)
    weights = [sha256_file(each.folder / "classifier/weights.safetensors") for each in (run, again)]
    assert weights[0] == weights[1]


def test_a_resumed_run_takes_no_preset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--resume", str(tmp_path), "--preset", "good"]) == 2
