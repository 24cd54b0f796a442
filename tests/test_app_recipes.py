"""Recipes in the app: what a form needs to hold every key, recipe files in and out, and the papers' recipes started."""

import csv
from pathlib import Path

import pytest
from drawing import save_cell, save_cells
from image_sets import App, workspace_in
from trained import can_have_weights

from coverslip.models import check_declared, list_models, model_info
from coverslip.models.building import default_options
from coverslip.runs.recipe import Pretraining, Recipe
from coverslip.runs.recipe_keys import load_recipe, named_sets, recipe_keys, recipe_text
from coverslip.studies.presets import PRESETS, preset_recipe
from coverslip.workspace.jobs.records import find_job, requested_recipe

HERLEV = (
    *("normal_columnar", "normal_intermediate", "normal_superficiel"),
    *("carcinoma_in_situ", "light_dysplastic", "moderate_dysplastic", "severe_dysplastic"),
)


TWO_STEP = (
    'init={train_on: gband.csv, recipe: {group: case, stage_selection: finetune}, labels: {"1": "01", "2": "02"}}',
    "group=cell",
)
RECIPES = {
    f"{name}.yaml": recipe_text(preset_recipe(name, TWO_STEP if PRESETS[name].has_two_steps else ()))
    for name in PRESETS
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    """Nothing that is queued here begins: the queue is not at work."""
    return App(workspace_in(tmp_path_factory.mktemp("recipes")))


def folder(app: App, name: str) -> Path:
    return app.home.folder.parent / name


@pytest.fixture(scope="module")
def cells(app: App) -> str:
    return str(app.open(save_cells(folder(app, "cells")), group_pattern=r"slide\d_\d")["id"])


def chromosomes(app: App, name: str, group: str, labels: list[str]) -> Path:
    """A table of small images, with a column that says which belong together."""
    file = folder(app, name) / f"{name}.csv"
    file.parent.mkdir()
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["path", "label", group])
        for k, label in enumerate(labels * 6):
            save_cell(file.parent / f"{k}.png", seed=k)
            rows.writerow([f"{k}.png", label, f"{group}{k // len(labels)}"])
    return file


@pytest.fixture(scope="module")
def bands(app: App) -> dict[str, str]:
    """The ids of the two chromosome sets: Q bands with classes from 01, G bands with classes from 1."""
    return {
        "qband.csv": app.open(chromosomes(app, "qband", "cell", ["01", "10", "23"]), group="cell")["id"],
        "gband.csv": app.open(chromosomes(app, "gband", "case", ["1", "10", "23"]), group="case")["id"],
    }


def recipe_of_job(app: App, run: str) -> Recipe:
    """The recipe that a training was queued with."""
    return load_recipe(requested_recipe(find_job(app.home, run).folder))


def test_a_form_can_hold_every_key() -> None:
    types = {key.key: key.type for key in recipe_keys()}
    assert [key for key, kind in types.items() if kind == "other"] == ["schedule_changes"]  # time budgets write it
    del types["schedule_changes"]
    assert {key: kind for key, kind in types.items() if kind not in ("number", "integer", "choice", "boolean")} == {
        "model": "text",
        "model_options": "options",
        "init": "start",
        "freeze_to": "text",
        "loss_options": "options",
        "images.channels": "channels",
        "classes.merge": "merges",
        "classes.drop": "names",
        "classes.rename": "renames",
        "classes.order": "names",
        "group": "text",
        "channel_files": "names",
        "crop_margin": "length",
        "crop_size": "length",
        "positive_class": "text",
        "split.run": "text",
    }
    z = next(key for key in recipe_keys() if key.key == "images.z")
    assert (z.type, z.minimum, [choice.value for choice in z.choices or []]) == (
        *("integer", 0),
        ["max", "mean", "best-focus", "channels"],
    )


@pytest.mark.parametrize("path", ["recipe/read", "recipe/write"])
def test_a_recipe_nested_without_end_is_refused_as_text_and_as_values(app: App, path: str) -> None:
    deep = {"a": 1}
    for _ in range(300):
        deep = {"a": deep}  # type: ignore[dict-item]
    text = "model_options: " + "{a: " * 900 + "1" + "}" * 900
    problem = app.refused(
        "POST", path, {"text": text} if path == "recipe/read" else {"recipe": {"model_options": deep}}
    )
    assert problem["status"] == 422
    assert "more than 12 levels deep" in problem["detail"]


def test_the_form_gets_options_and_named_sets(app: App) -> None:
    form = app.get("recipe")
    loss_options = next(key["options"] for key in form["keys"] if key["key"] == "loss_options")
    assert [option["name"] for option in loss_options["focal"]] == ["gamma"]
    assert loss_options["cross_entropy"] == []
    assert {named_set["name"]: named_set["values"]["augment.blur"] for named_set in form["sets"]}["chromosomes"] == 1.0
    assert {named_set.section for named_set in named_sets()} == {"augment"}
    models = {model["name"]: model for model in app.get("models")["items"]}
    assert [option["name"] for option in models["mobilevit_mn"]["options"]][:2] == ["dsc", "mv2_attention"]
    assert (models["mobincep"]["options"], models["mobincep"]["takes_others"]) == ([], False)
    assert models["resnet50"]["takes_others"]
    assert models["efficientnetv2_b0"]["parts"][-1] == "backbone"


@pytest.mark.parametrize("name", [model.name for model in list_models() if default_options(model)])
def test_the_record_of_a_network_shows_the_options_that_its_class_has(name: str) -> None:
    record = model_info(name)
    assert {option.name: option.default for option in record.options} == default_options(record)
    check_declared(record, default_options(record))


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"dcs": True}, "the model has no such option"),
        ({"mv2_attention": "much"}, "it must be one of none, se, nam"),
        ({"dsc": 1}, "it must be true or false"),
        ({"depths": [1, 2]}, "it must be a list of 3 whole numbers between 1 and 64"),
    ],
)
def test_an_option_that_a_network_does_not_take_is_reported_at_its_field(
    app: App, cells: str, options: dict[str, object], fault: str
) -> None:
    recipe = {"model": "mobilevit_mn", "model_options": options}
    problem = app.refused("POST", "runs", {"dataset_id": cells, "recipe": recipe})
    assert [(error["field"], error["message"]) for error in problem["errors"]] == [
        (f"model_options.{next(iter(options))}", fault)
    ]


def test_a_recipe_file_is_read_into_values_and_written_as_it_was(app: App) -> None:
    text = "epochs: 8\naugment: chromosomes\nclasses:\n  merge: {sick: [early, late]}\npatience: null\n"
    read = app.send("POST", "recipe/read", {"text": text})
    assert read["values"]["epochs"] == 8, "a default that was written down is kept"
    assert read["values"]["patience"] is None
    assert read["values"]["classes.merge"] == {"sick": ["early", "late"]}
    assert read["values"]["augment.blur"] == 1.0
    assert "learning_rate" not in read["values"]
    written = app.send("POST", "recipe/write", {"recipe": read["values"]})
    assert written == read
    whole = app.send("POST", "recipe/write", {"recipe": read["values"], "is_complete": True})
    assert whole["values"].keys() == {key.key for key in recipe_keys()}
    assert app.send("POST", "recipe/read", {"text": whole["text"]}) == whole


def test_all_that_is_wrong_with_a_recipe_file_is_reported_with_key_and_line(app: App) -> None:
    text = "epochs: 3\nsplit:\n  val: 2\n  tset: 0.1\nlr: 3\ninit:\n  train_on: x\n"
    problem = app.refused("POST", "recipe/read", {"text": text})
    assert [(error["field"], error["line"]) for error in problem["errors"]] == [
        ("split.val", 3),
        ("split.tset", 4),
        ("lr", 5),
    ]
    assert "line 4: there is no key 'split.tset' (did you mean 'split.test'?)" in problem["title"]
    inner = app.refused("POST", "recipe/read", {"text": "init:\n  train_on: x\n  recipe:\n    epoch: 3\n"})
    assert [(error["field"], error["line"]) for error in inner["errors"]] == [("init.recipe.epoch", 4)]
    torn = app.refused("POST", "recipe/read", {"text": "epochs: 3\nsplit: [1\n"})
    assert [error["line"] for error in torn["errors"]] == [3]
    assert app.refused("POST", "recipe/read", {"text": "- 3"})["code"] == "recipe-not-a-mapping"


@pytest.mark.parametrize("name", RECIPES)
def test_the_recipe_of_a_paper_can_be_started_as_the_page_does(
    app: App, cells: str, bands: dict[str, str], name: str
) -> None:
    values = app.send("POST", "recipe/read", {"text": RECIPES[name]})["values"]
    dataset = cells
    if name == "mobincep.yaml":
        dataset = app.open(save_cells(folder(app, "herlev"), classes=HERLEV, n=4))["id"]
    if isinstance(values.get("init"), dict):
        dataset = bands["qband.csv" if values["init"]["train_on"] == "gband.csv" else "gband.csv"]
        values["init"] = {**values["init"], "train_on": bands[values["init"]["train_on"]]}
    assert app.send("POST", "recipe/write", {"recipe": values})["values"] == values
    app.preview("split", dataset, recipe=values)
    file = folder(app, name)
    file.write_text(RECIPES[name])
    wanted = load_recipe(file)
    if wanted.init == "imagenet" and not can_have_weights(wanted.model):
        assert app.refused("POST", "runs", {"dataset_id": dataset, "recipe": values})["status"] == 422
        return
    run = app.send("POST", "runs", {"dataset_id": dataset, "recipe": values})
    queued = recipe_of_job(app, run["id"])
    if isinstance(wanted.init, Pretraining):
        assert isinstance(queued.init, Pretraining)
        assert Path(queued.init.train_on).name == Path(wanted.init.train_on).name
        assert queued.init.model_copy(update={"train_on": wanted.init.train_on}) == wanted.init
    assert queued.model_dump(exclude={"init"}) == wanted.model_dump(exclude={"init"})


@pytest.mark.slow
def test_a_first_training_takes_the_labels_of_now_and_the_groups_of_its_dataset(app: App, cells: str) -> None:
    first = app.open(save_cells(folder(app, "first"), classes=("a", "b")), group_pattern=r"slide\d")["id"]
    init = {"train_on": first, "recipe": {"epochs": 2}, "labels": {"a": "round"}}
    whole = recipe_of_job(app, app.send("POST", "runs", {"dataset_id": cells, "recipe": {"init": init}})["id"]).init
    assert isinstance(whole, Pretraining)
    assert (whole.train_on, whole.recipe["group"]) == (str(folder(app, "first")), r"slide\d")
    app.label(f"datasets/{first}", [0, 1], "c")
    app.send("PATCH", f"datasets/{first}", {"class_plan": {"rename": {"c": "d"}}})
    changed = recipe_of_job(app, app.send("POST", "runs", {"dataset_id": cells, "recipe": {"init": init}})["id"]).init
    assert isinstance(changed, Pretraining)
    with Path(changed.train_on).open() as stream:
        assert [row["label"] for row in csv.DictReader(stream)][:3] == ["c", "c", "a"]
    assert changed.recipe == {"epochs": 2, "group": "group", "classes": {"rename": {"c": "d"}}}
    assert changed.labels == {"a": "round"}
    problem = app.refused("POST", "runs", {"dataset_id": cells, "recipe": {"init": {"train_on": "gone.csv"}}})
    assert [error["field"] for error in problem["errors"]] == ["init.train_on"]


def test_groups_and_classes_of_a_recipe_go_before_those_of_the_dataset(app: App, cells: str) -> None:
    def n_groups(**recipe: object) -> int:
        split = app.preview("split", cells, recipe={"split.folds": 0, **recipe})
        return sum(part["n_groups"] for part in split["parts"])

    assert (n_groups(), n_groups(group=r"slide[0-9]")) == (6, 3)
    assert n_groups(group=None) == 0
    run = app.send("POST", "runs", {"dataset_id": cells, "recipe": {"group": None}})
    assert not [part for part in find_job(app.home, run["id"]).command if part.startswith("--group")]
    app.send("PATCH", f"datasets/{cells}", {"class_plan": {"rename": {"flat": "thin"}}})
    queued = app.send("POST", "runs", {"dataset_id": cells, "recipe": {"classes.order": ["thin"]}})
    assert recipe_of_job(app, queued["id"]).classes.rename == {"flat": "thin"}
    queued = app.send("POST", "runs", {"dataset_id": cells, "recipe": {"classes.rename": {}}})
    assert recipe_of_job(app, queued["id"]).classes.rename == {}
    app.send("PATCH", f"datasets/{cells}", {"class_plan": {}})


def test_a_network_whose_weights_cannot_be_fetched_is_not_queued(
    app: App, cells: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "https://localhost")  # where no hub answers
    before = sorted(app.home.runs.glob("*"))
    answer = app.refused("POST", "runs", {"dataset_id": cells, "recipe": {"model": "resnet34"}})
    assert answer["status"] == 422
    assert [remedy["key"] for remedy in answer["remedies"] if "key" in remedy] == ["init"]
    assert sorted(app.home.runs.glob("*")) == before
