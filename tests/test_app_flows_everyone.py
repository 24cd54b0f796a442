"""Every page with data on it: axe finds nothing serious in light and dark, and whatever has the focus shows it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from browser import FINETUNE, JOB_MS, ROOT, Stock, check_accessible, check_focus_ring, check_for_everyone, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

Prepare = Callable[["Page"], None]


def see(name: str) -> Prepare:
    """Wait for a text."""
    return lambda page: page.get_by_text(name).first.wait_for()


def open_all_folds(page: "Page") -> None:
    page.locator("summary").first.wait_for()
    for summary in page.locator("summary").all():
        summary.click()
    page.get_by_text(re.compile(r"\d training image")).wait_for()


def open_the_tables(page: "Page") -> None:
    for name in ("Differences from the baseline", "Trainings"):
        page.get_by_role("heading", name=name, exact=True).click()
    page.get_by_role("table").first.wait_for()


def choose_a_folder(page: "Page") -> None:
    page.get_by_role("button", name="Choose a folder").click()
    chooser = page.get_by_role("dialog")
    chooser.get_by_role("listitem").get_by_role("button", name="first clinic").click()
    chooser.get_by_text("Sub-folders become classes").wait_for()


def send_files(page: "Page") -> None:
    page.get_by_role("button", name="Choose images").click()
    page.get_by_role("button", name="Upload files").click()
    page.get_by_text("A zip file …").wait_for()


def choose_images(page: "Page") -> None:
    cells = page.get_by_role("gridcell", name=", class ")
    cells.first.click()
    cells.nth(2).click(modifiers=["Shift"])
    page.get_by_text("3 selected").wait_for()


def view_an_image(page: "Page") -> None:
    page.get_by_role("gridcell", name=", class ").first.dblclick()
    page.get_by_role("dialog").get_by_text("File size").wait_for()


def name_a_class(page: "Page") -> None:
    page.get_by_role("button", name="New class").click()
    page.get_by_label("Name of the new class").wait_for()


def ask_for_keys(page: "Page") -> None:
    page.get_by_role("gridcell").first.wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()


def select_an_image_of_a_cell(page: "Page") -> None:
    page.get_by_role("table").get_by_role("button").first.click()
    page.get_by_role("gridcell").first.click()
    page.get_by_role("button", name="Label is correct").wait_for()


def enlarge_a_test_image(page: "Page") -> None:
    page.get_by_role("gridcell").first.dblclick()
    page.get_by_role("dialog").get_by_text("Probabilities").wait_for()


def try_an_image(page: "Page") -> None:
    page.locator("main input[type=file]").set_input_files(ROOT / "docs" / "app" / "train.webp")
    page.get_by_role("status").get_by_role("row").first.wait_for()


def show_the_curves(page: "Page") -> None:
    page.get_by_text("Show as a table").click()
    page.get_by_role("columnheader", name="Epoch").wait_for()


def view_a_prediction(page: "Page") -> None:
    page.get_by_role("gridcell", name="slide").first.dblclick()
    page.get_by_text("Probabilities").wait_for()


def ask_for_an_evaluation(page: "Page") -> None:
    page.get_by_role("button", name="Evaluate on an external test set").click()
    images = page.get_by_role("combobox", name="Labeled dataset")
    images.get_by_role("option", name="Cells of two clinics").wait_for(state="attached")
    images.select_option(label="Cells of two clinics: 90 images, training dataset")
    page.get_by_text(re.compile("were used to train this classifier")).wait_for()  # these are its own images


def evaluate(page: "Page") -> None:
    ask_for_an_evaluation(page)
    page.get_by_role("textbox", name="Name").fill("Once more")
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.get_by_role("heading", level=1, name="Once more").wait_for()
    page.get_by_role("heading", name="Comparison with the run's test set").wait_for(timeout=JOB_MS)
    page.get_by_text(re.compile("were used to train this classifier")).wait_for()


def plan_a_study(page: "Page") -> None:
    page.get_by_role("group", name="Datasets").get_by_role("checkbox", name="Cells of two clinics").check()
    page.get_by_text("6 trainings, each with 2 folds.").wait_for()
    for title in ("All trainings", "Differences from the publication", "Plan as text"):
        page.get_by_text(title, exact=True).click()
    page.get_by_role("textbox", name="Plan (YAML)").wait_for()


PAGES: dict[str, tuple[str, Prepare]] = {
    "start": ("/", see("Recent trainings")),
    "chooser": ("/", choose_a_folder),
    "sending": ("/", send_files),
    "sets": ("/datasets", see("Cells of two clinics")),
    "overview": ("/datasets/{images}", see("Images per class")),
    "gallery": ("/datasets/{images}?tab=images", choose_images),
    "viewer": ("/datasets/{images}?tab=images", view_an_image),
    "class": ("/datasets/{images}?tab=images", name_a_class),
    "keys": ("/datasets/{images}?tab=images", ask_for_keys),
    "classes": ("/datasets/{images}?tab=checks&part=classes", see("Save these classes")),
    "checks": ("/datasets/{unlabeled}?tab=checks", see("cut off.png")),
    "train": ("/train?dataset={images}", see("Start training")),
    "train unfolded": ("/train?dataset={images}", open_all_folds),
    "trainings": ("/runs", see("Fine-tuned")),
    "summary": ("/runs/{run}", see("Limitations")),
    "metrics": ("/runs/{run}?tab=trust&part=metrics", see("Metrics per class")),
    "threshold": ("/runs/{run}?tab=trust&part=threshold", see("Uncertain predictions")),
    "data": ("/runs/{run}?tab=trust&part=data", see("Images per domain")),
    "folds": ("/runs/{folds}?tab=trust&part=metrics", see("Metrics per fold")),
    "cell": ("/runs/{run}", select_an_image_of_a_cell),
    "test image": ("/runs/{run}?tab=images&show=all", enlarge_a_test_image),
    "tried": ("/runs/{run}", try_an_image),
    "curves": ("/runs/{run}?tab=trust&part=curves", see("ROC and precision-recall curves")),
    "calibration": ("/runs/{run}?tab=trust&part=calibration", see("predicted probability against accuracy")),
    "suspected": ("/runs/{run}?tab=images&show=suspected", see("Find suspected label errors")),
    "training": ("/runs/{run}?tab=trust&part=training", show_the_curves),
    "evaluations": ("/runs/{run}?tab=trust&part=evaluations", ask_for_an_evaluation),
    "evaluation": ("/runs/{run}?tab=trust&part=evaluations", evaluate),
    "details": ("/runs/{run}?tab=use&part=methods", see("Copy")),
    "compare": ("/compare?runs={run},{folds}", see("Metrics of each run")),
    "studies": ("/studies", see("Two networks")),
    "new study": ("/studies/new", plan_a_study),
    "study": ("/studies/{study}", open_the_tables),
    "predict": ("/predict?classifier={run}", see("Earlier predictions")),
    "classifier": ("/classifiers/{run}", see("Metrics on test images")),
    "prediction": ("/predictions/{prediction}", see("Needs review")),
    "review": ("/predictions/{prediction}?show=review", see("Needs review")),
    "samples": ("/predictions/{prediction}/samples", see("Counted proportion")),
    "predicted image": ("/predictions/{prediction}", view_a_prediction),
}


ONE_OF_A_KIND = {"overview", "gallery", "viewer", "train", "summary"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in ONE_OF_A_KIND)) for name in PAGES]
)
def test_a_page_with_data_is_accessible_in_light_and_dark_and_shows_what_has_the_focus(
    page_for_axe: "Page", stock: Stock, name: str
) -> None:
    path, prepare = PAGES[name]
    assert check_for_everyone(page_for_axe, path.format_map(vars(stock)), prepare)


@pytest.mark.exhaustive
def test_a_running_training_is_accessible_and_says_what_a_stop_leaves(page_for_axe: "Page", stock: Stock) -> None:
    page = page_for_axe
    recipe = {**FINETUNE, "epochs": 400, "split": {"folds": 2}}
    run = stock.app.send("runs", {"dataset_id": stock.images, "recipe": recipe})["id"]
    waiting = stock.app.send("runs", {"dataset_id": stock.images, "recipe": recipe})["id"]
    open_page(page, f"/runs/{waiting}")
    page.get_by_text("Waiting in the queue").wait_for()
    page.get_by_role("button", name="Stop (resume later)").click()
    page.get_by_role("button", name="Resume").wait_for()
    stock.app.send(f"jobs/{waiting}", method="DELETE")
    open_page(page, f"/runs/{run}")
    page.get_by_text(" of 400").first.wait_for(timeout=JOB_MS)
    page.get_by_text(" since the start").wait_for()
    page.get_by_role("heading", name="First results preliminary").wait_for()
    page.get_by_text("These results are computed on validation images").wait_for()
    check_accessible(page)
    assert check_focus_ring(page)
    page.get_by_role("button", name="Stop (resume later)").click()
    page.get_by_text("There is no classifier yet, but progress up to this point is saved.").first.wait_for(
        timeout=JOB_MS
    )
    check_accessible(page)
    assert stock.app.get(f"jobs/{run}")["has_classifier"] is False
    stock.app.send(f"jobs/{run}", method="DELETE")
