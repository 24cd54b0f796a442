"""The training page: every key of a recipe has a field, recipe files go in and out, the papers' recipes are started."""

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
    from playwright.sync_api import Page, Response, Route

pytestmark = pytest.mark.slow

PAPERS = {name: text for name, text in RECIPES.items() if name != "g_two_step.yaml"}  # the other one's mirror image
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
    closed = page.locator("form.training details:not([open]) > summary")
    while closed.count():
        closed.first.click()


def load(page: "Page", file: Path) -> None:
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


def test_every_key_has_a_field_with_its_title(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    page.get_by_role("button", name="Start training").wait_for()
    unfold(page)
    text = page.locator("form.training").inner_text()
    apart = {"stage": "Preset", "init": "Pretraining on another dataset"}
    missing = [key.key for key in recipe_keys() if apart.get(key.key, key.title) not in text]
    assert missing == []


# The others are started by test_app_recipes.py as the page does.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.exhaustive] * (name != "mobincep.yaml")) for name in PAPERS],
)
def test_the_recipe_of_a_paper_is_loaded_into_the_form_and_started(
    page: "Page", lab: Lab, tmp_path: Path, name: str
) -> None:
    file = tmp_path / name
    file.write_text(PAPERS[name])
    wanted = load_recipe(file)
    images = {"mobincep.yaml": "herlev", "q_two_step.yaml": "qband"}.get(name, "cells")
    open_page(page, f"/train?dataset={lab.sets[images]}")
    load(page, file)
    page.get_by_text(f"settings of {name} are loaded").wait_for()
    page.get_by_role("link", name="settings differ").wait_for()
    assert saved(page, tmp_path) == wanted
    if wanted.init == "imagenet" and not can_have_weights(wanted.model):
        return  # it cannot be started here
    changes = {}
    if isinstance(wanted.init, Pretraining):
        unfold(page)
        page.get_by_role("combobox", name=re.compile("^Pretraining dataset")).select_option(label="gband")
        # These images have no such column: they are grouped as their page says.
        page.get_by_role("button", name=f"Reset “{TITLES['group']}” to the default").first.click()
        page.get_by_label("Settings of the pretraining").fill("epochs: 3")
        expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("epochs: 3$", re.M))
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
    page.get_by_role("row", name=f"{TITLES['epochs']} 3").wait_for()
    assert faults.count() == 0
    assert text.input_value() == mended, "what was typed stays, with its comments"
    page.get_by_role("button", name=f"Reset “{TITLES['split.test']}” to the default").click()
    page.get_by_role("row", name=TITLES["split.test"]).wait_for(state="detached")
    assert saved(page, tmp_path) == Recipe(epochs=3)


@pytest.mark.exhaustive
def test_lists_names_and_options_are_given_in_fields(page: "Page", lab: Lab, tmp_path: Path) -> None:
    open_page(page, f"/train?dataset={lab.sets['herlev']}")
    page.get_by_role("button", name="Start training").wait_for()
    unfold(page)
    page.get_by_label(TITLES["images.channels"], exact=True).fill("0, 2")
    page.get_by_role("combobox", name=TITLES["classes.drop"], exact=True).fill(HERLEV[0])
    joined = page.get_by_role("group", name=TITLES["classes.merge"])
    for old, key in zip(HERLEV[3:5], ("Enter", "Tab"), strict=True):
        joined.get_by_label("New name").fill("abnormal")
        joined.get_by_role("combobox", name="Classes merged into abnormal").last.fill(old)
        joined.get_by_role("combobox", name="Classes merged into abnormal").last.press(key)
        joined.get_by_role("button", name=f"Remove {old}").wait_for()
    renamed = page.get_by_role("group", name=TITLES["classes.rename"])
    renamed.get_by_label("Old name").fill(HERLEV[1])
    renamed.get_by_label("New name").fill("normal")
    renamed.get_by_label("New name").press("Tab")
    page.get_by_role("combobox", name="Preset").select_option("chromosomes")
    page.get_by_label(TITLES["images.z"], exact=True).select_option("mean")
    page.get_by_label(TITLES["loss"], exact=True).select_option("focal")
    page.get_by_label("Gamma").fill("1.5")
    page.get_by_role("combobox", name=TITLES["model"], exact=True).fill("mobilevit_mn")
    page.get_by_role("combobox", name=TITLES["model"], exact=True).press("Tab")
    page.get_by_label("Encoders per block").fill("1, 1, 1")
    page.get_by_label("Encoders per block").press("Tab")
    page.get_by_label("Attention between blocks").select_option("nam")
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("mv2_attention: nam"))
    settings = saved(page, tmp_path)
    assert (settings.images.channels, settings.images.z, settings.augment.blur) == ((0, 2), "mean", 1.0)
    assert settings.classes.merge == {"abnormal": HERLEV[3:5]}
    assert (settings.classes.drop, settings.classes.rename) == ((HERLEV[0],), {HERLEV[1]: "normal"})
    assert (settings.loss, settings.loss_options) == ("focal", {"gamma": 1.5})
    assert (settings.model, settings.model_options) == ("mobilevit_mn", {"depths": [1, 1, 1], "mv2_attention": "nam"})


@pytest.mark.exhaustive
def test_an_earlier_training_is_begun_with_and_each_choice_set_back(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['qband']}")
    page.get_by_label("An earlier training", exact=True).select_option(lab.earlier)
    page.get_by_role("link", name="settings differ").click()
    unfold(page)
    page.get_by_role("row", name=f"{TITLES['epochs']} 500").wait_for()
    page.get_by_role("button", name=f"Reset “{TITLES['epochs']}” to the default").first.click()
    page.get_by_role("row", name=TITLES["epochs"]).wait_for(state="detached")
    page.get_by_role("button", name="Reset to the defaults").click()
    page.get_by_text("All settings have their defaults").wait_for()


@pytest.mark.exhaustive
def test_the_recipe_of_a_publication_is_chosen_and_networks_are_filtered_by_publication(
    page: "Page", lab: Lab, tmp_path: Path
) -> None:
    open_page(page, f"/train?dataset={lab.sets['herlev']}")
    page.get_by_label("A publication", exact=True).select_option("mobincep")
    page.get_by_text("The settings of mobincep are loaded.").wait_for()
    unfold(page)
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
    page.get_by_role("link", name="1 setting differs").wait_for()
    page.get_by_text("each image is a test image once").wait_for()  # with fine-tuning, these images have one split
    unfold(page)
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("^stage: instant$", re.M))
    if first_look.count():  # useful only if it saves half of the time
        first_look.check()
        expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("^image_size: 112$", re.M))
        expect(first_look).to_be_checked()
    best.check()
    page.get_by_text("All settings have their defaults").wait_for()
    page.get_by_text("Single split:").wait_for()
    page.get_by_label("Image size").fill("32")
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
    page.get_by_text(f"({suggestion['n_groups']} groups)").wait_for()
    assert define.count() == 0
    ways.get_by_role("button").first.click()
    define.wait_for()


@pytest.mark.exhaustive
def test_a_number_in_place_of_automatic_is_awaited_not_guessed(page: "Page", lab: Lab) -> None:
    """One epoch would begin a training that nobody wants, where the number is never typed."""
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    page.get_by_role("button", name="Start training").wait_for()
    unfold(page)
    epochs = page.get_by_label(TITLES["epochs"], exact=True)
    number = page.get_by_role("spinbutton", name="a number:").and_(page.locator("[max='10000']"))
    epochs.select_option("a number:")
    expect(number).to_be_focused()
    number.press("Tab")  # left empty: as before
    expect(number).to_have_count(0)
    expect(epochs).to_have_value("auto")
    epochs.select_option("a number:")
    number.press_sequentially("12")
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("^epochs: 12$", re.M))  # while it is typed
    expect(number).to_be_focused()
    number.press("Tab")
    expect(number).to_have_value("12")
    expect(page.get_by_label("Recipe (YAML)")).to_have_value(re.compile("^epochs: 12$", re.M))
    epochs.select_option("auto")
    expect(page.get_by_label("Recipe (YAML)")).not_to_have_value(re.compile("^epochs:", re.M))


def test_a_choice_that_is_not_valid_is_named_beside_the_button_and_led_to(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    page.get_by_role("button", name="Start training").wait_for()
    unfold(page)
    field = page.locator("#field-image_size")
    field.get_by_role("spinbutton").fill("4")
    field.get_by_role("spinbutton").press("Tab")
    expect(field.get_by_role("alert")).to_be_visible()
    expect(field.get_by_role("alert")).not_to_contain_text("image_size")
    page.locator("details:has(#field-image_size)").evaluate("(group) => group.open = false")
    page.get_by_role("link", name=TITLES["image_size"]).click()
    expect(field).to_be_in_viewport()


@pytest.mark.exhaustive
def test_a_remedy_is_a_button_that_makes_the_choice(page: "Page", lab: Lab) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    page.get_by_role("button", name="Start training").wait_for()
    unfold(page)
    page.get_by_label(TITLES["split.folds"], exact=True).fill("60")
    page.get_by_label(TITLES["split.folds"], exact=True).press("Tab")
    page.get_by_role("button", name=re.compile(f"^Set “{TITLES['split.folds']}”")).click()
    page.get_by_text(re.compile(r"\d training image")).wait_for()
    assert int(page.get_by_label(TITLES["split.folds"], exact=True).input_value()) < 60


@pytest.mark.exhaustive
def test_the_page_with_all_unfolded_is_accessible(page_for_axe: "Page", lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "q.yaml"
    file.write_text(RECIPES["q_two_step.yaml"])

    def prepare(page: "Page") -> None:
        load(page, file)
        page.get_by_text("are loaded").wait_for()
        unfold(page)
        page.get_by_role("combobox", name=re.compile("^Pretraining dataset")).wait_for()

    assert check_for_everyone(page_for_axe, f"/train?dataset={lab.sets['qband']}", prepare)


@pytest.mark.exhaustive
def test_a_recipe_is_saved_once_its_text_says_what_was_chosen(page: "Page", lab: Lab, tmp_path: Path) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
    page.get_by_role("button", name="Start training").wait_for()
    unfold(page)

    def hold(route: "Route") -> None:
        """Leave it without an answer."""

    page.route("**/api/v1/recipe/write", hold)
    with page.expect_request("**/api/v1/recipe/write"):
        page.get_by_role("radio", name="Pretraining on another dataset").check()
    save = page.get_by_role("button", name="Save as recipe.yaml")
    expect(save).to_be_disabled()
    page.unroute("**/api/v1/recipe/write", hold)  # which lets all go on that are held
    expect(save).to_be_enabled()
    assert isinstance(saved(page, tmp_path).init, Pretraining)


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


@pytest.mark.parametrize(
    "source",
    ["field", *(pytest.param(name, marks=pytest.mark.exhaustive) for name in ("file", "text", "earlier training"))],
)
def test_nothing_starts_before_the_recipe_is_read(page: "Page", lab: Lab, tmp_path: Path, source: str) -> None:
    open_page(page, f"/train?dataset={lab.sets['cells']}")
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
            unfold(page)
            page.get_by_label("Recipe (YAML)").fill("epochs: 17")
        elif source == "field":
            unfold(page)
            page.get_by_role("radio", name="Pretraining on another dataset").check()
            page.get_by_label("Settings of the pretraining").fill("epochs: 17")
        else:
            page.get_by_role("combobox", name="An earlier training").select_option(lab.earlier)
    expect(start).to_be_disabled()
    expect(page.get_by_text("settings of recipe.yaml are loaded")).to_be_hidden()
    held.pop().continue_()
    expect(start).to_be_enabled()
    unfold(page)
    recipe = saved(page, tmp_path)
    if source == "field":
        assert isinstance(recipe.init, Pretraining)
        assert recipe.init.recipe == {"epochs": 17}
    else:
        assert recipe.epochs == (500 if source == "earlier training" else 17)


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


def test_a_reload_and_links_within_the_page_keep_the_settings(page: "Page", lab: Lab) -> None:
    page.route("**/api/v1/models*", lambda _: None, times=1)  # no answer before the reload
    page.goto(f"/train?dataset={lab.sets['cells']}&from={lab.earlier}")
    page.get_by_text(re.compile(r"\d training image")).first.wait_for()
    page.reload()
    to_recipe = page.get_by_role("link", name="settings differ")
    text = page.locator("#recipe")
    for _ in range(2):
        to_recipe.click()
        expect(text).to_be_in_viewport()
        page.evaluate("scrollTo(0, 0)")
        expect(text).not_to_be_in_viewport()
    page.get_by_label("Name of the training").fill("Once more")
    to_recipe.click()
    page.reload()
    expect(page.get_by_label("Name of the training")).to_have_value("Once more")
    unfold(page)
    page.get_by_role("row", name=f"{TITLES['epochs']} 500").wait_for()
