"""Every key of a recipe has its texts in the catalogue, and every interface shows them."""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import BaseModel, Field
from test_reports import write_run

from coverslip.cli import main
from coverslip.errors import BadRecipe
from coverslip.evaluation.table import METRICS, MetricRecord
from coverslip.keys import Key
from coverslip.messages import add_entries, text
from coverslip.reports.reported import read_run
from coverslip.reports.sections.methods import methods
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import (
    GROUPS,
    changed_phrases,
    named_values,
    phrases,
    recipe_keys,
    save_recipe,
    with_settings,
)

# For each key that the methods text reports: a value that is not the default, and settings that it needs.
OTHER_VALUES = {
    "rare_class_repeats": 5,
    "schedule_changes": "{0.5: 9}",
    "model_options": "{width: 2}",
    "freeze_to": "blocks.2",
    "image_size": "64",
    "images.series": "2",
    "images.t": "3",
    "images.level": "1",
    "images.pixel_size_um": "0.325",
    "images.channels": "[0, DAPI]",
    "images.z": "max",
    "channel_files": "[_w1, _w2]",
    "split.train_per_class": "7",
    "split.by_domain": "true",
    "split.run": "runs/first",
    "epochs": "20",
    "patience": "null",
    "clip_gradient": "0.5",
    "crop_size": "32",
    "crop_margin": "4",
    "loss_options": "{gamma: 1}",
}
NEEDED = {
    "patience": ["checkpoint_selection=best"],
    "loss_options": ["loss=focal"],
    "sgd_from": ["optimizer=adam-then-sgd"],
    "sgd_learning_rate": ["optimizer=adam-then-sgd"],
    "regularizer.spread_weight": ["regularizer.groups=labels"],
    "regularizer.scatter_weight": ["regularizer.groups=labels"],
    "regularizer.scatter": ["regularizer.groups=labels"],
    "regularizer.memory": ["regularizer.groups=labels"],
}


def plain_values(section: dict[str, Any], before: str = "") -> dict[str, Any]:
    """Each dotted key of a recipe with its value."""
    values: dict[str, Any] = {}
    for name, value in section.items():
        is_section = isinstance(value, dict) and not name.endswith(("_options", "_changes"))
        if is_section and before != "classes.":
            values |= plain_values(value, f"{before}{name}.")
        else:
            values[f"{before}{name}"] = value
    return values


def test_every_key_of_a_recipe_is_described_and_its_default_is_valid() -> None:
    keys = {key.key: key for key in recipe_keys()}
    assert {key.key: key.default for key in keys.values()} == plain_values(Recipe().model_dump(mode="json"))
    for key in keys.values():
        assert "" not in (key.title, key.help, key.meaning, key.allowed), key
        assert key.group in GROUPS, key
        assert (key.type == "choice") <= (key.default in [choice.value for choice in key.choices or []]), key
    assert len({key.title for key in keys.values()}) == len(keys), "titles must be unique"
    assert (keys["epochs"].minimum, keys["epochs"].maximum, keys["epochs"].type) == (1, 10_000, "integer")
    assert [choice.value for choice in keys["augment.flip"].choices or []] == [True, False, "horizontal"]
    assert (keys["patience"].is_optional, keys["patience"].empty) == (True, "never stop early")


def literals(annotation: Any) -> set[object]:
    """The values that an annotation allows by name."""
    if getattr(annotation, "__origin__", None) is Literal:
        return {(type(value), value) for value in get_args(annotation)}
    return {value for inner in get_args(annotation) if not isinstance(inner, Key) for value in literals(inner)}


def all_fields(model: type[BaseModel]) -> list[tuple[str, Any]]:
    fields = []
    for name, field in model.model_fields.items():
        is_section = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        fields += all_fields(field.annotation) if is_section else [(name, field)]
    return fields


def test_every_value_that_can_be_chosen_by_name_has_a_title() -> None:
    for name, field in all_fields(Recipe):
        assert literals(field.annotation) <= {(type(value), value) for value in named_values(field)}, name


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("methods"), n_test=60)


def settings_for(key: Any) -> list[str]:
    if key.key in OTHER_VALUES:
        value = OTHER_VALUES[key.key]
    elif key.choices:
        value = next(str(choice.value).lower() for choice in reversed(key.choices) if choice.value != key.default)
    elif isinstance(key.default, bool):
        value = str(not key.default).lower()
    elif key.type in ("number", "integer"):
        value = str(key.default / 2 if key.default else key.maximum / 2)
        value = str(int(float(value))) if key.type == "integer" else value
    else:
        value = "resnet18"
    return [*NEEDED.get(key.key, []), f"{key.key}={value}"]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_methods_text_shows_each_key_that_is_not_at_its_default(run: Path) -> None:
    silent = {
        "stage",
        "last_epoch",
        "init",
        "device",
        "group",
        "split.val",
        "split.test",
        "split.folds",
        "decide_by",
        "target",
        "threshold",
    }
    for key in recipe_keys():
        if key.key in silent or key.key.startswith("classes."):
            continue  # reported by separate sentences, or without effect on this run
        recipe = with_settings(Recipe(), settings_for(key))
        phrase = phrases(recipe)[key.key]
        if recipe.model_dump() == Recipe().model_dump() or not phrase:
            assert key.key == "augment.flip" or phrase, f"{key.key} has no phrase"
        save_recipe(recipe, run / "recipe.yaml")
        text = " ".join(methods(read_run(run)))
        assert phrase.casefold() in text.casefold(), key.key


def test_zero_is_reported_as_off_where_it_means_off() -> None:
    for setting in ("warmup=0", "clip_gradient=null"):
        key = setting.partition("=")[0]
        off = text(f"key-{key.replace('_', '-')}.phrase-off")
        assert changed_phrases(with_settings(Recipe(), [setting]), "training") == [off]
    assert phrases(with_settings(Recipe(), ["weight_decay=0"]))["weight_decay"].endswith(" 0")


def test_a_new_key_is_described_and_reported_without_further_code() -> None:
    add_entries("""
key-averaging =
    .name = Average of weights
    .help = Over epochs.
    .empty = none
    .phrase = weights averaged over { $value }

key-order =
    .name = Order
    .help = The order.

key-order-choice-random = random

key-order-choice-sorted = sorted
""")

    class Newer(Recipe):
        averaging: Annotated[
            float | None,
            Key("training"),
        ] = Field(None, gt=0)
        order: Annotated[
            Literal["random", "sorted"],
            Key("training"),
        ] = "random"

    newest, last = recipe_keys(Newer)[-2:]
    assert (newest.key, newest.title, newest.allowed) == ("averaging", "Average of weights", "above 0 or `null`")
    assert (last.type, [choice.title for choice in last.choices or []]) == ("choice", ["random", "sorted"])
    assert changed_phrases(Newer(), "training") == []
    assert changed_phrases(Newer(averaging=1.5), "training") == ["weights averaged over 1.5"]


def test_the_command_line_lists_all_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--keys"]) == 0
    listed = capsys.readouterr().out
    for key in recipe_keys():
        assert f"  {key.key}=" in listed
        assert key.title in listed


def test_an_added_metric_can_select_and_is_reported() -> None:
    add_entries("""
metric-half = Half
    .meaning = one half
""")
    METRICS.add(MetricRecord(name="half", value=lambda *_: 0.5))
    try:
        key = next(key for key in recipe_keys() if key.key == "primary_metric")
        assert "half" in [choice.value for choice in key.choices or []]
        assert "`half`" in key.allowed
        assert phrases(with_settings(Recipe(), ["primary_metric=half"]))["primary_metric"] == "half"
    finally:
        METRICS.remove("half")
    with pytest.raises(BadRecipe, match=r"primary_metric = 'macro_fl': .*did you mean 'macro_f1'"):
        with_settings(Recipe(), ["primary_metric=macro_fl"])
