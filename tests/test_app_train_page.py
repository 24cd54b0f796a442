"""The training page: the test set with reasons, all keys of a recipe, recipe files, and the papers' recipes."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import QUICK, RunningApp, check_for_everyone, open_page
from drawing import write_cells
from playwright.sync_api import expect
from test_app_recipes import HERLEV, RECIPES
from trained import can_have_weights

from coverslip.models import select_models
from coverslip.runs.recipe import Pretraining, Recipe
from coverslip.runs.recipe_keys import load_recipe, recipe_keys

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Response, Route

pytestmark = pytest.mark.slow

TITLES = {key.key: key.title for key in recipe_keys()}


@dataclass(frozen=True)
class Lab:
    """The app with images whose classes fit the papers' recipes, and a training that was stopped."""

    app: RunningApp
    sets: dict[str, str]  # ids of datasets by name
    earlier: str


@pytest.fixture(scope="module")
def lab(app_server: RunningApp) -> Lab:
    app = app_server
    classes = {
        "cells": ("lymphocyte", "monocyte"),
        "herlev": HERLEV,
        "qband": ("01", "10", "23"),
        "gband": ("1", "10", "23"),
    }
    sets = {
        name: app.opened(
            write_cells(app.root / "recipes" / name, 10 * len(named), classes=named),
            name=name,
            group_pattern=r"slide\d+_\d+",
        )["id"]
        for name, named in classes.items()
    }
    recipe = {**QUICK, "stage": "finetune", "init": "scratch", "epochs": 500, "patience": None}
    earlier = app.send("runs", {"dataset_id": sets["cells"], "recipe": recipe})["id"]
    app.send(f"jobs/{earlier}/stop")
    app.ended(f"jobs/{earlier}")
    return Lab(app, sets, earlier)


def unfold(page: "Page") -> None:
    page.get_by_role("button", name="Start training").wait_for()
    closed = page.locator("form.training details:not([open]) > summary")
    while closed.count():
        closed.first.click()


def differences(page: "Page") -> "Locator":
    """The chips of the settings that differ from the defaults, without the button that resets all."""
    return page.get_by_role("list", name="Settings that differ").get_by_role("listitem").filter(has_text=":")


def load(page: "Page", file: Path) -> None:
    unfold(page)
    page.get_by_label("A recipe file").set_input_files(file)


def saved(page: "Page", folder: Path) -> Recipe:
    """The recipe that the page saves."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as recipe.yaml").click()
    file = folder / "saved.yaml"
    download.value.save_as(file)
    return load_recipe(file)


def started(page: "Page", lab: Lab) -> Recipe:
    """Start a training; its recipe. It is stopped at once: what it would come to is not asked here."""
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs/*")
    run = page.url.rsplit("/", 1)[1]
    folder = Path(lab.app.get(f"jobs/{run}")["folder"])
    recipe = load_recipe(folder.with_name(f"{folder.name}.recipe.yaml"))
    lab.app.send(f"jobs/{run}/stop")
    lab.app.ended(f"jobs/{run}")
    return recipe


def test_every_key_is_listed_with_its_title(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    unfold(page)
    keys = page.get_by_role("list", name=f"{len(TITLES)} settings").get_by_role("listitem")
    expect(keys).to_have_count(len(TITLES))
    text = "\n".join(keys.all_inner_texts())
    assert [key for key, title in TITLES.items() if title not in text or key not in text] == []


def test_the_test_set_is_shown_by_group_with_the_reason(page: "Page", lab: Lab) -> None:
    with page.expect_response(lambda answer: answer.url.endswith("/previews") and '"tested"' in answer.text()) as got:
        open_page(page, f"/train?dataset={lab.sets['herlev']}")
    split = got.value.json()
    strips = page.get_by_role("region", name="Tested on").get_by_role("listitem")
    expect(strips).to_have_count(min(4, len(split["tested"])))
    for shown, tested in zip(strips.all(), split["tested"], strict=False):
        expect(shown).to_contain_text(tested["group"] or tested["label"])
        expect(shown).to_contain_text("chosen at random")
        expect(shown.locator("img")).to_have_count(len(tested["row_ids"]))
    assert sum(tested["n"] for tested in split["tested"]) == next(
        part["n"] for part in split["parts"] if part["part"] == "test"
    )
    page.get_by_role("button", name=re.compile(r"^Show \d+ more")).click()
    expect(strips).to_have_count(len(split["tested"]))


# The others are started by test_app_recipes.py as the page does.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.exhaustive] * (name != "mobincep.yaml")) for name in RECIPES],
)
def test_the_recipe_of_a_paper_is_loaded_into_the_form_and_started(
    page: "Page", lab: Lab, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_text(RECIPES[name])
    wanted = load_recipe(file)
    images = {"mobincep.yaml": "herlev", "two-step.yaml": "qband"}.get(name, "cells")
    open_page(page, f"/train?dataset={lab.sets[images]}")
    load(page, file)
    page.get_by_text(f"settings of {name} are loaded").wait_for()
    expect(differences(page).first).to_be_visible()
    assert saved(page, tmp_path) == wanted
    if wanted.init == "imagenet" and not can_have_weights(wanted.model):
        return  # it cannot be started here
    changes = {}
    if isinstance(wanted.init, Pretraining):
        # These images have no such column: they are grouped as their page says.
        page.get_by_role("button", name=f"Reset “{TITLES['group']}” to the default").click()
        text = page.get_by_label("Recipe (YAML)")
        expect(text).not_to_have_value(re.compile("^group:", re.M))
        labels = json.dumps(wanted.init.labels)
        init = f"init: {{train_on: {lab.sets['gband']}, recipe: {{epochs: 3}}, labels: {labels}}}\n"
        text.fill(re.sub(r"^init:\n( .*\n)*", init, text.input_value(), flags=re.M))
        changes = {"group": None}
    recipe = started(page, lab)
    assert recipe.model_dump(exclude={"init"}) == wanted.model_copy(update=changes).model_dump(exclude={"init"})
    if isinstance(wanted.init, Pretraining):
        assert isinstance(recipe.init, Pretraining)
        assert recipe.init.labels == wanted.init.labels
        assert recipe.init.train_on == str(lab.app.root / "recipes" / "gband")
        assert recipe.init.recipe == {"epochs": 3, "group": r"slide\d+_\d+"}
    else:
        assert recipe.init == wanted.init


@pytest.mark.exhaustive
def test_what_is_wrong_in_a_recipe_file_is_said_by_key_and_line_and_mended_there(
    page: "Page", lab: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "outsiders.yaml"
    file.write_text("epochs: 3 # few\nlr: 0.1\nsplit:\n  tset: 0.3\n")
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    load(page, file)
    faults = page.get_by_role("alert").filter(has_text="Line 2")
    faults.get_by_text("there is no key 'lr'").wait_for()
    assert faults.get_by_role("listitem").count() == 2
    expect(page.get_by_text("settings of outsiders.yaml are loaded")).to_be_hidden()
    assert page.get_by_role("button", name="Start training").is_disabled()
    text = page.get_by_label("Recipe (YAML)")
    assert text.input_value() == file.read_text()
    mended = "epochs: 3 # few\nsplit:\n  test: 0.3\n"
    text.fill(mended)
    differences(page).filter(has_text=f"{TITLES['epochs']}: 3").wait_for()
    assert faults.count() == 0
    assert text.input_value() == mended, "what was typed stays, with its comments"
    page.get_by_role("button", name=f"Reset “{TITLES['split.test']}” to the default").click()
    differences(page).filter(has_text=TITLES["split.test"]).wait_for(state="detached")
    assert saved(page, tmp_path) == Recipe(epochs=3)


@pytest.mark.exhaustive
def test_settings_are_found_added_and_set_by_their_values(page: "Page", lab: Lab, tmp_path: Path) -> None:
    open_page(page, f"/train?dataset={lab.sets['herlev']}")
    unfold(page)
    text, find = page.get_by_label("Recipe (YAML)"), page.get_by_role("searchbox", name="Find a setting")
    page.get_by_role("spinbutton", name="Image size").fill("96")
    page.get_by_role("combobox", name="Data augmentation").select_option("chromosomes")
    page.get_by_role("combobox", name=TITLES["class_weights"]).select_option("balanced")
    for key, value in (("loss", "focal"), ("classes.drop", HERLEV[0])):
        find.fill(key)
        page.get_by_role("list", name="1 setting").get_by_role("button", name=value, exact=True).click()
    expect(text).to_have_value(re.compile("loss: focal"))
    find.fill("loss_options")
    page.get_by_role("list", name="1 setting").get_by_role("button", name="Gamma").click()
    expect(text).to_have_value(re.compile("gamma"))
    find.fill("split.val")
    page.get_by_role("button", name=f"Add “{TITLES['split.val']}” to the recipe").click()
    page.keyboard.type("0.3")  # in place of the default, which is selected
    expect(differences(page).filter(has_text=f"{TITLES['split.val']}: 0.3")).to_be_visible()
    text.press("Control+End")
    text.press_sequentially("epo")
    page.get_by_role("button", name=f"Add “{TITLES['epochs']}” to the recipe").click()
    page.keyboard.type("7")
    expect(differences(page).filter(has_text=f"{TITLES['epochs']}: 7")).to_be_visible()
    recipe = saved(page, tmp_path)
    assert (recipe.image_size, recipe.augment.blur, recipe.class_weights) == (96, 1.0, "balanced")
    assert (recipe.loss, list(recipe.loss_options), recipe.classes.drop) == ("focal", ["gamma"], (HERLEV[0],))
    assert (recipe.split.val, recipe.epochs) == (0.3, 7)


@pytest.mark.exhaustive
def test_an_earlier_training_is_begun_with_and_each_choice_set_back(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['qband']}")
    unfold(page)
    page.get_by_label("An earlier training", exact=True).select_option(lab.earlier)
    epochs = differences(page).filter(has_text=f"{TITLES['epochs']}: 500")
    epochs.wait_for()
    page.get_by_role("button", name=f"Reset “{TITLES['epochs']}” to the default").click()
    epochs.wait_for(state="detached")
    page.get_by_role("button", name="Reset to the defaults").click()
    page.get_by_text("All settings have their defaults").wait_for()


@pytest.mark.exhaustive
def test_the_recipe_of_a_publication_is_chosen_and_networks_are_filtered_by_publication(
    page: "Page", lab: Lab, tmp_path: Path
) -> None:
    open_page(page, f"/train?dataset={lab.sets['herlev']}")
    unfold(page)
    page.get_by_label("A publication", exact=True).select_option("mobincep")
    page.get_by_text("The settings of mobincep are loaded.").wait_for()
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("groups: kmeans"))
    settings = saved(page, tmp_path)
    assert (settings.model, settings.init, settings.optimizer) == ("mobincep", "scratch", "amsgrad")
    page.get_by_label("Publication", exact=True).select_option("mobincep")
    networks = page.get_by_role("table", name="List of networks").get_by_role("radio")
    expect(networks).to_have_count(len(select_models(paper="mobincep")))
    assert page.get_by_role("radio", name="Mobincep").is_checked()


@pytest.mark.exhaustive
def test_a_preset_sets_keys_of_the_recipe_and_shows_its_time(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    best, first_look = (page.get_by_role("radio", name=re.compile(f"^{name} ")) for name in ("Best", "First look"))
    expect(best).to_be_checked()
    page.get_by_role("radio", name=re.compile("^Good ")).check()
    expect(page.get_by_role("button", name="Start training · Good")).to_be_visible()
    expect(differences(page)).to_have_count(0)  # the preset is no expert setting
    page.get_by_text("each image is a test image once").wait_for()  # with fine-tuning, these images have one split
    unfold(page)
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("^stage: instant$", re.M))
    if first_look.count():  # useful only if it saves half of the time
        first_look.check()
        expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("^image_size: 112$", re.M))
        expect(first_look).to_be_checked()
    best.check()
    page.get_by_text("All settings have their defaults").wait_for()
    page.get_by_text("stay on one side of the split").wait_for()
    page.get_by_role("spinbutton", name="Image size").fill("32")
    expect(first_look).to_have_count(0)


@pytest.mark.exhaustive
def test_groups_chosen_for_a_training_are_counted_and_no_longer_missing(page: "Page", app_server: RunningApp) -> None:
    cells = app_server.opened(write_cells(app_server.root / "cells without groups", 54))["id"]
    suggestion = app_server.get(f"datasets/{cells}/group-suggestions")["items"][0]
    open_page(page, f"/train?dataset={cells}")
    ways = page.get_by_role("group", name="Group by")
    define = page.get_by_role("link", name="Define groups")
    define.wait_for()
    ways.get_by_role("button").first.click()
    page.get_by_text(f"grouped by “{suggestion['pattern']}”").wait_for()
    page.get_by_text(f"({suggestion['n_groups']} groups)").wait_for(state="attached")
    assert define.count() == 0
    ways.get_by_role("button").first.click()
    define.wait_for()


def test_a_recipe_that_is_not_valid_is_named_below_the_button_and_led_to(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    unfold(page)
    page.get_by_role("spinbutton", name="Image size").fill("4")
    fault = page.get_by_role("alert").filter(has_text="image_size")
    expect(fault).to_be_visible()
    expect(page.get_by_role("button", name="Start training")).to_be_disabled()
    page.locator("summary", has_text="Expert settings").click()
    page.get_by_role("button", name="The text of the recipe is not valid.").click()
    expect(fault).to_be_in_viewport()


def test_keys_are_added_with_the_values_of_the_dataset_and_another_dataset_gets_what_the_text_says(
    page: "Page", lab: Lab
) -> None:
    app, classes = lab.app, ("a", "b", "c", "d")
    cells = write_cells(app.root / "recipes" / "planned", 40, classes=classes)
    planned, _ = (app.opened(cells, name=name)["id"] for name in ("planned", "plain"))
    app.send(f"datasets/{planned}", {"class_plan": {"drop": ["d"]}}, "PATCH")
    open_page(page, f"/train?dataset={planned}")
    unfold(page)
    text, find = page.get_by_label("Recipe (YAML)"), page.get_by_role("searchbox", name="Find a setting")
    find.fill("classes.drop")
    page.get_by_role("button", name=f"Add “{TITLES['classes.drop']}” to the recipe").click()
    expect(text).to_have_value('classes:\n  drop: ["d"]\n')
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    expect(differences(page)).to_have_count(0)
    page.get_by_role("combobox", name="Dataset for the training").select_option(label="plain")
    expect(differences(page)).to_have_text([re.compile(f"{TITLES['classes.drop']}: .*d")])
    find.fill("classes.drop")
    value = page.get_by_role("list", name="1 setting")
    expect(value.get_by_role("button", name="d", exact=True)).to_have_attribute("aria-pressed", "true")
    value.get_by_role("button", name="c", exact=True).click()
    expect(text).to_have_value("classes:\n  drop:\n  - d\n  - c\n")


@pytest.mark.exhaustive
def test_a_remedy_is_a_button_that_makes_the_choice(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    unfold(page)
    page.get_by_label("Recipe (YAML)").fill("split: {folds: 60}")
    page.get_by_role("button", name=re.compile(f"^Set “{TITLES['split.folds']}”")).click()
    page.get_by_text(re.compile(r"\d training image")).wait_for()
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile(r"folds: [1-5]?\d$", re.M))


@pytest.mark.exhaustive
def test_the_page_with_all_unfolded_is_accessible(page_for_axe: "Page", lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    file.write_text(RECIPES["two-step.yaml"])

    def prepare(page: "Page") -> None:
        load(page, file)
        page.get_by_text("are loaded").wait_for()
        unfold(page)
        differences(page).filter(has_text="Pretraining on another dataset").wait_for()

    assert check_for_everyone(page_for_axe, f"/train?dataset={lab.sets['qband']}", prepare)


@pytest.mark.exhaustive
def test_a_recipe_is_saved_once_its_text_says_what_was_chosen(page: "Page", lab: Lab, tmp_path: Path) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    unfold(page)

    def hold(route: "Route") -> None:
        """Leave it without an answer."""

    page.route("**/api/v1/recipe/write", hold)
    with page.expect_request("**/api/v1/recipe/write"):
        page.get_by_role("spinbutton", name="Image size").fill("64")
    save = page.get_by_role("button", name="Save as recipe.yaml")
    expect(save).to_be_disabled()
    page.unroute("**/api/v1/recipe/write", hold)  # which lets all go on that are held
    expect(save).to_be_enabled()
    assert saved(page, tmp_path).image_size == 64


def test_the_split_is_previewed_again_only_after_the_search_for_near_duplicates_or_a_change(
    page: "Page", lab: Lab
) -> None:
    app, previews = lab.app, list[str]()
    page.on("request", lambda request: previews.append(request.url) if request.url.endswith("/previews") else None)
    new = app.opened(write_cells(app.root / "recipes" / "new", 20, classes=("a", "b")), name="new")["id"]

    def is_complete(answer: "Response") -> bool:
        is_of_split = answer.url.endswith("/previews") and '"by_class"' in answer.text()
        return is_of_split and "near-duplicates-pending" not in answer.text()

    with page.expect_response(is_complete):
        open_page(page, f"/train?dataset={new}")
    page.wait_for_timeout(1500)  # until the event stream is open and the list of datasets has reloaded
    n = len(previews)
    with page.expect_response("**/api/v1/datasets?*"):
        app.send(f"datasets/{lab.sets['herlev']}", {"name": "renamed"}, "PATCH")
    page.wait_for_timeout(1000)
    assert len(previews) == n
    with page.expect_request("**/previews"):
        app.send(f"datasets/{new}", {"name": "renamed too"}, "PATCH")


@pytest.mark.exhaustive
def test_images_that_are_being_read_again_are_no_error_of_a_choice(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    unfold(page)
    start = page.get_by_role("button", name="Start training")
    expect(start).to_be_enabled()
    unread = {
        "title": "The images are still being read.",
        "status": 409,
        "kind": "conflict",
        "code": "images-still-reading",
    }
    page.route("**/previews", lambda route: route.fulfill(json=unread, status=409), times=1)
    with page.expect_response(lambda answer: answer.status == 409), page.expect_response("**/api/v1/datasets*"):
        page.get_by_role("combobox", name="An earlier training").select_option(lab.earlier)
    expect(start).to_be_enabled()
    assert page.get_by_role("alert").count() == 0


def test_a_choice_while_the_text_is_read_keeps_what_was_typed(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    unfold(page)
    page.route("**/api/v1/recipe/read", lambda _: None, times=1)  # no answer before the choice
    with page.expect_request("**/api/v1/recipe/read"):
        page.get_by_label("Recipe (YAML)").fill("epochs: 17 # few")
    page.get_by_role("spinbutton", name="Image size").fill("64")
    expect(differences(page)).to_have_count(2)
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile(r"epochs: 17\n(.*\n)*image_size: 64\n"))
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()


@pytest.mark.parametrize(
    "source", ["text", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("file", "earlier training"))]
)
def test_nothing_starts_before_the_recipe_is_read(page: "Page", lab: Lab, tmp_path: Path, source: str) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    unfold(page)
    start = page.get_by_role("button", name="Start training")
    expect(start).to_be_enabled()
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    address = f"**/api/v1/jobs/{lab.earlier}?kind=train" if source == "earlier training" else "**/api/v1/recipe/read"
    with page.expect_request(address):
        page.route(address, hold)
        if source == "file":
            file = tmp_path / "recipe.yaml"
            file.write_text("epochs: 17\n")
            load(page, file)
        elif source == "text":
            page.get_by_label("Recipe (YAML)").fill("epochs: 17")
        else:
            page.get_by_role("combobox", name="An earlier training").select_option(lab.earlier)
    expect(start).to_be_disabled()
    expect(page.get_by_text("settings of recipe.yaml are loaded")).to_be_hidden()
    held.pop().continue_()
    expect(start).to_be_enabled()
    assert saved(page, tmp_path).epochs == (500 if source == "earlier training" else 17)


@pytest.mark.exhaustive
def test_nothing_starts_before_the_settings_of_the_training_in_the_address_are_read(page: "Page", lab: Lab) -> None:
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.route("**/api/v1/models*", hold, times=1)
    page.goto(f"/train?dataset={lab.sets['cells']}&from={lab.earlier}")
    page.get_by_text(re.compile(r"\d training image")).first.wait_for()  # the split, of the default settings
    start = page.get_by_role("button", name="Start training")
    assert start.is_disabled()
    held.pop().continue_()
    expect(start).to_be_enabled()


def test_a_reload_keeps_the_settings(page: "Page", lab: Lab) -> None:
    page.route("**/api/v1/models*", lambda _: None, times=1)  # no answer before the reload
    page.goto(f"/train?dataset={lab.sets['cells']}&from={lab.earlier}")
    page.get_by_text(re.compile(r"\d training image")).first.wait_for()
    page.reload()
    unfold(page)
    page.get_by_label("Name of the training").fill("Once more")
    differences(page).filter(has_text=f"{TITLES['epochs']}: 500").wait_for()
    page.reload()
    differences(page).filter(has_text=f"{TITLES['epochs']}: 500").wait_for()
    unfold(page)
    expect(page.get_by_label("Name of the training")).to_have_value("Once more")
