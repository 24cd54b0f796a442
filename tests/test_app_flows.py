"""Whole jobs in a real browser against the real server: from images to predictions, as people do them."""

import csv
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import FINETUNE, JOB_MS, LONG_CLASS, RunningApp, Stock, open_page
from drawing import write_cells
from playwright.sync_api import expect

from coverslip.synthetic_cells import write_sample_images

if TYPE_CHECKING:
    from playwright.sync_api import APIResponse, Page, Route

pytestmark = pytest.mark.slow

Tab = Callable[[RunningApp], "Page"]
TITLES = {"accuracy": "Accuracy", "balanced_accuracy": "Balanced accuracy", "macro_f1": "Macro-F1"}


def train_by_clicks(page: "Page", name: str) -> None:
    """On the page of a dataset: train the instant model alone, small and without folds."""
    page.get_by_role("link", name="Train a classifier").click()
    page.get_by_role("radio", name="Good").check()
    page.get_by_text("Expert settings").click()
    page.get_by_role("spinbutton", name="Image size").fill("32")
    page.get_by_role("spinbutton", name="Image size").press("Enter")  # begins nothing
    page.get_by_role("searchbox", name="Find a setting").fill("split.folds")
    page.get_by_role("button", name="Add “Folds” to the recipe").click()
    page.keyboard.type("0")  # in place of the default, which is selected
    page.get_by_role("list", name="Settings that differ").get_by_text("Folds: 0").wait_for()
    page.get_by_text(re.compile(r"\d training image")).wait_for()  # the picture of the split
    page.get_by_label("Name of the training").fill(name)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/runs/\w+$"))
    page.get_by_role("heading", name="Limitations").wait_for(timeout=JOB_MS)


def check_numbers(page: "Page", app: RunningApp) -> None:
    """The page of a training says what is in its metrics.json."""
    run = app.get(f"jobs/{page.url.rpartition('/')[2]}")
    metrics = json.loads((Path(run["folder"]) / "metrics.json").read_text())
    matrix = page.get_by_role("table", name="Confusion matrix")
    for label, row_counts in zip(metrics["classes"], metrics["confusion_matrix"], strict=True):
        for predicted, n in zip(metrics["classes"], row_counts, strict=True):
            cell = matrix.get_by_role("button", name=f"{label} predicted as {predicted}: {n} image")
            assert cell.count() == 1, (label, predicted, n)
    # The images behind the cell of the first class, by keyboard.
    first, n = metrics["classes"][0], metrics["confusion_matrix"][0][0]
    matrix.get_by_role("button", name=f"{first} predicted as {first}:").press("Enter")
    page.get_by_role("gridcell").nth(n - 1).wait_for()
    assert page.get_by_role("gridcell").count() == n
    page.get_by_role("link", name="Trust").click()
    page.get_by_text("Metrics per class and fold").click()
    numbers = page.get_by_role("region", name=re.compile("^Metrics on"))
    for key, title in TITLES.items():
        value = metrics["metrics"][key]
        row = numbers.get_by_role("row", name=re.compile(f"^{title}"))
        digits = 2 if value["high"] - value["low"] > 0.3 else 3
        shown, low, high = (f"{value[name]:.{digits}f}" for name in ("value", "low", "high"))
        row.wait_for()
        assert row.get_by_role("cell", name=shown, exact=True).count() == 1, row.inner_text()
        assert row.get_by_role("cell", name=f"95% CI {low} to {high}", exact=True).count() == 1
    per_class = page.get_by_role("region", name="Metrics per class")
    for name, of_class in metrics["per_class"].items():
        row = per_class.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))
        recall = of_class["recall"]
        digits = 2 if recall["high"] is not None and recall["high"] - recall["low"] > 0.3 else 3
        assert f"{recall['value']:.{digits}f}" in row.inner_text()


def predict_by_clicks(page: "Page", n_images: int, choose: Callable[[], object]) -> list[dict[str, str]]:
    """On the page of a finished training: predict the images that `choose` selects; the CSV's rows."""
    page.get_by_role("link", name="Predict new images").click()
    choose()
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url("**/predictions/*")
    page.get_by_role("link", name="Download CSV").wait_for(timeout=JOB_MS)
    page.get_by_role("navigation", name="Show").get_by_role("link", name=f"All images {n_images}").wait_for()
    page.get_by_role("gridcell").first.wait_for()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download CSV").click()
    with downloading.value.path().open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def choose_folder(page: "Page", folder: list[str], n_images: int) -> None:
    """Select the images of a folder, by its way below the root."""
    page.get_by_role("button", name="A folder on this computer").click()
    chooser = page.get_by_role("dialog", name="Open images")
    chooser.get_by_role("navigation").get_by_role("button").nth(1).click()  # the root: it opens where one was last
    for name in folder:
        chooser.get_by_role("listitem").get_by_role("button", name=name, exact=True).click()
        chooser.get_by_role("navigation").get_by_role("button", name=name, exact=True).wait_for()
    chooser.get_by_text(f"{n_images} images in this folder").wait_for()
    chooser.get_by_role("button", name="Use this folder").click()
    page.get_by_text(f"Selected: {folder[-1]}").wait_for()


def test_from_sample_images_to_a_table_of_predictions(
    other_app: Callable[..., RunningApp], other_page: Tab, tmp_path: Path
) -> None:
    app = other_app()
    drawn = write_sample_images(app.workspace / "samples" / "images", n_images=180)  # of 480 that the app draws
    page = other_page(app)  # which asks nobody else for anything: seen to when it closes
    open_page(page, "/")
    page.get_by_role("button", name="Use the sample images").click()
    page.wait_for_url("**/datasets/samples")
    page.get_by_role("heading", name=f"{len(drawn.slides)} groups").wait_for(timeout=JOB_MS)
    page.get_by_text("neutrophil").first.wait_for()
    guide = page.get_by_role("region", name="First steps")
    guide.get_by_text("Step 1 of 7").wait_for()
    page.get_by_role("link", name="Images").click()
    guide.get_by_text("Step 2 of 7").wait_for()  # as the tab Checks
    guide.get_by_role("link", name="Next").click()
    guide.get_by_text("Step 3 of 7").wait_for()
    assert page.url.endswith("/datasets/samples?tab=checks&part=groups")
    page.locator("#groups").get_by_role("button", name="Explain the terms").click()
    terms = page.locator("#groups").get_by_role("definition")
    terms.filter(has_text="images of one patient, slide or well").wait_for()
    page.keyboard.press("Escape")
    guide.get_by_role("link", name="Back").click()
    guide.get_by_text("Step 2 of 7").wait_for()
    page.goto(f"{app.address}/studies")  # a page without a step; the guide remembers its place
    guide.get_by_role("link", name="Go to this step").click()
    page.wait_for_url("**/datasets/samples?tab=checks")
    train_by_clicks(page, "My first")
    page.get_by_role("heading", name="My first", level=1).wait_for()
    guide.get_by_text("Step 5 of 7").wait_for()
    for other in ("datasets/other", "runs/other", "predictions/other", "help/tutorial"):
        page.goto(f"{app.address}{other}")
        page.get_by_role("heading", level=1).wait_for()
        assert not guide.is_visible()
    page.goto(f"{app.address}datasets/samples")
    guide.get_by_text("Step 5 of 7").wait_for()  # never back to an earlier step
    guide.get_by_role("link", name="Go to this step").click()
    page.get_by_role("heading", name="Limitations").wait_for()
    check_numbers(page, app)
    new = app.workspace / "samples" / "new"
    names = {file.name for file in new.glob("*.png")}
    choice = page.get_by_label("or a dataset in coverslip")
    table = predict_by_clicks(page, len(names), lambda: choice.select_option("samples-new"))
    assert {Path(row["path"]).name for row in table} == names
    assert len(table) == len(names)
    assert [row["decision"] for row in table if not row["predicted"]] == ["unreadable"]  # one file is cut off
    guide.get_by_text("Step 6 of 7").wait_for()
    guide.get_by_role("link", name="Next").click()
    guide.get_by_text("Step 7 of 7").wait_for()
    page.wait_for_url("**/runs/*")
    guide.get_by_role("button", name="Finish").click()
    page.reload()
    page.get_by_role("heading", level=1).wait_for()
    assert not guide.is_visible()


@pytest.mark.exhaustive
def test_the_same_with_real_blood_cells(
    other_app: Callable[..., RunningApp],
    other_page: Tab,
    tmp_path: Path,
    shared_data: Callable[[str], Path],
) -> None:
    images, new = tmp_path / "cells", tmp_path / "new cells"
    new.mkdir()
    for folder in sorted(path for path in shared_data("blood_pbc").iterdir() if path.is_dir()):
        files = sorted(folder.glob("*.jpg"))
        (images / folder.name).mkdir(parents=True)
        for file in files[:20]:
            shutil.copyfile(file, images / folder.name / file.name)
        for file in files[20:25]:
            shutil.copyfile(file, new / file.name)
    app = other_app()
    page = other_page(app)
    open_page(page, "/")
    page.get_by_role("button", name="Choose a folder").click()
    chooser = page.get_by_role("dialog", name="Open labeled images")
    chooser.get_by_role("listitem").get_by_role("button", name="cells", exact=True).click()
    chooser.get_by_text("Sub-folders become classes").wait_for()
    chooser.get_by_role("button", name="Use this folder").click()
    page.get_by_role("heading", name="No groups defined").wait_for()
    page.get_by_text("jpeg", exact=False).first.wait_for()
    train_by_clicks(page, "Blood")
    check_numbers(page, app)
    table = predict_by_clicks(page, 40, lambda: choose_folder(page, ["new cells"], 40))
    assert {Path(row["path"]).name for row in table} == {file.name for file in new.iterdir()}
    assert {row["predicted"] for row in table} <= {folder.name for folder in images.iterdir()}


@pytest.mark.exhaustive
def test_labels_given_by_keys_survive_a_killed_app(
    other_app: Callable[..., RunningApp], other_page: Tab, tmp_path: Path
) -> None:
    folder = write_cells(tmp_path / "unlabeled", 14, is_sorted=False)
    before = {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}
    app = other_app()
    page = other_page(app)
    open_page(page, "/")
    page.get_by_role("button", name="Choose images").click()
    chooser = page.get_by_role("dialog", name="Open images")
    chooser.get_by_role("listitem").get_by_role("button", name="unlabeled").click()
    chooser.get_by_text("14 images in this folder").wait_for()
    chooser.get_by_role("button", name="Use this folder").click()
    page.get_by_text("First add classes").wait_for()
    for name in ("</script><b>round</b>", LONG_CLASS):
        page.get_by_role("button", name="New class").click()
        page.get_by_label("Name of the new class").fill(name)
        page.get_by_label("Name of the new class").press("Enter")
        page.get_by_role("group", name="Label selected images").get_by_role("button", name=name).wait_for()
    gallery = page.get_by_role("grid")
    gallery.get_by_role("gridcell").first.click()
    for key in "1212212111":
        page.keyboard.press(key)
    gallery.get_by_role("gridcell", name=", class ").nth(9).wait_for()
    labeled = page.get_by_role("group", name="Label selected images")
    labeled.get_by_role("button", name="No class 4").wait_for()
    page.keyboard.press("Control+z")
    page.get_by_text("Undone for 1 image").wait_for()
    labeled.get_by_role("button", name="No class 5").wait_for()
    page.keyboard.press("Control+Shift+Z")
    labeled.get_by_role("button", name="No class 4").wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").get_by_text("Undo or redo a label change").wait_for()
    page.keyboard.press("Escape")
    app.end(signal.SIGKILL)
    app.start()
    page.reload()
    labeled.get_by_role("button", name="No class 4").wait_for()
    gallery.get_by_role("gridcell", name=", class ").nth(9).wait_for()
    shown = [gallery.get_by_role("gridcell").nth(i).get_attribute("aria-label") or "" for i in range(14)]
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download labels (CSV)").click()
    with downloading.value.path().open(newline="", encoding="utf-8-sig") as file:
        table = {Path(row["path"]).name: row["label"] for row in csv.DictReader(file) if row["label"]}
    expected = ["</script><b>round</b>" if key == "1" else LONG_CLASS for key in "1212212111"]
    assert list(table.values()) == expected
    assert [name.partition(", class ")[2] for name in shown] == expected + [""] * 4
    assert [name.partition(", ")[0] for name in shown[:10]] == list(table)
    assert {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()} == before


@pytest.mark.exhaustive
def test_an_answer_from_before_a_label_does_not_take_it_off_the_wall(
    other_app: Callable[..., RunningApp], other_page: Tab, tmp_path: Path
) -> None:
    app = other_app()
    images = app.opened(write_cells(tmp_path / "cells", 12, classes=("large", "small")))
    page = other_page(app)
    held: list[tuple[Route, APIResponse]] | None = []

    def hold(route: "Route") -> None:
        answer = route.fetch()
        if held is None:
            route.fulfill(response=answer)
        else:
            held.append((route, answer))

    page.route("**/rows?*", hold)
    open_page(page, f"/datasets/{images['id']}?tab=images")
    gallery = page.get_by_role("grid")
    gallery.get_by_role("gridcell").first.click()
    for key in "2222221111":  # the other way round than before
        page.keyboard.press(key)
    app.until(f"datasets/{images['id']}", lambda dataset: dataset["n_label_changes"] == 10)
    page.keyboard.press("Control+z")
    page.get_by_text("Undone for 1 image").wait_for()
    answers, held = held, None
    assert len(answers) >= 2
    for route, answer in reversed(answers):  # the newest first
        route.fulfill(response=answer)
    labels = ["small"] * 6 + ["large"] * 3 + ["small"] * 3
    for i, label in enumerate(labels):
        gallery.get_by_role("gridcell").nth(i).and_(gallery.get_by_role("gridcell", name=f", class {label}")).wait_for()


def epochs_on_the_page(page: "Page") -> list[str]:
    page.get_by_text("Show as a table").click()
    rows = page.get_by_role("region", name="Curves").get_by_role("rowheader")
    return [text.split()[0] for text in rows.all_inner_texts()]


@pytest.mark.exhaustive
def test_a_training_outlives_the_browser_and_the_app(
    other_app: Callable[..., RunningApp], other_page: Tab, tmp_path: Path
) -> None:
    cells = write_cells(tmp_path / "cells", 45, classes=("large", "medium", "small"))
    app = other_app()
    images = app.opened(cells, group_pattern=r"slide\d+")
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(json.dumps({**FINETUNE, "epochs": 20}))
    page = other_page(app)
    open_page(page, f"/train?dataset={images['id']}")
    page.get_by_label("A recipe file").set_input_files(recipe)
    page.get_by_text("settings of recipe.yaml are loaded").wait_for()
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"/runs/\w+$"))
    address = page.url
    run = address.rpartition("/")[2]
    page.get_by_role("heading", name="First results").wait_for(timeout=JOB_MS)
    page.close()
    app.end(signal.SIGKILL)
    status = json.loads((next((app.workspace / "runs").glob(f"*{run}")) / "status.json").read_text())
    os.kill(status["pid"], 0)  # it is there
    app.start()
    page = other_page(app)
    open_page(page, address)
    page.get_by_role("heading", name="Limitations").wait_for(timeout=JOB_MS)
    page.get_by_role("link", name="Trust").click()
    page.get_by_text("Course of the training").click()
    assert epochs_on_the_page(page) == [str(n) for n in range(21)]
    run_state = app.get(f"jobs/{run}")
    assert [row["epoch"] for row in run_state["trainings"][0]["epochs"]] == list(range(21))


@pytest.mark.exhaustive
def test_a_training_is_stopped_and_resumed_by_its_buttons(page: "Page", stock: Stock) -> None:
    run = stock.app.send("runs", {"dataset_id": stock.images, "recipe": {**FINETUNE, "epochs": 400}})["id"]
    open_page(page, f"/runs/{run}")
    page.get_by_text("Epoch 2 of 400").first.wait_for(timeout=JOB_MS)
    page.get_by_role("button", name="Stop (resume later)").click()
    page.get_by_text("The best classifier so far is saved. You can resume the training from this point.").wait_for(
        timeout=JOB_MS
    )
    stopped = stock.app.get(f"jobs/{run}")
    assert (stopped["state"], stopped["has_classifier"]) == ("stopped", True)
    page.get_by_role("button", name="Resume", exact=True).click()
    page.get_by_text(f"Epoch {stopped['epoch'] + 2} of 400").first.wait_for(timeout=JOB_MS)
    page.get_by_role("button", name="Stop (resume later)").click()
    page.get_by_role("button", name="Resume", exact=True).wait_for(timeout=JOB_MS)
    n = stock.app.get(f"jobs/{run}")["epoch"]
    assert epochs_on_the_page(page) == [str(k) for k in range(n + 1)]
    open_page(page, f"/predict?classifier={run}")
    page.get_by_role("radio", checked=True).wait_for()
    stock.app.send(f"jobs/{run}", method="DELETE")


def test_the_message_of_a_deletion_goes_when_the_item_is_restored(page: "Page", stock: Stock) -> None:
    open_page(page, "/predict")
    page.get_by_role("button", name="Delete the predictions").first.click()
    page.get_by_role("button", name="Undo").wait_for()
    page.get_by_text("Recently deleted (1)").click()
    page.get_by_role("button", name="Restore").click()
    page.get_by_role("button", name="Undo").wait_for(state="hidden")
    page.get_by_role("button", name="Delete the predictions").first.wait_for()


@pytest.mark.exhaustive
def test_what_was_deleted_is_restored_after_a_reload(page: "Page", stock: Stock) -> None:
    open_page(page, "/predict")
    page.get_by_role("button", name="Delete the predictions").first.click()
    page.get_by_role("button", name="Undo").wait_for()
    page.reload()
    page.get_by_text("Recently deleted (1)").click()
    page.get_by_role("button", name="Restore").click()
    page.get_by_text("Recently deleted").wait_for(state="hidden")
    page.get_by_role("button", name="Delete the predictions").first.wait_for()


def test_a_prediction_is_of_what_was_chosen_when_it_was_started(page: "Page", stock: Stock) -> None:
    posted: list[Route] = []
    page.route("**/api/v1/predictions", lambda route: posted.append(route) if _is_post(route) else route.continue_())
    images = f"**/api/v1/datasets/{stock.unlabeled}"
    page.route(images, _answer_still_reading)
    open_page(page, "/predict?classifier=removed")
    page.get_by_role("heading", name="This classifier is no longer available").wait_for()
    start, cancel = page.get_by_role("button", name="Predict", exact=True), page.get_by_role("button", name="Cancel")
    assert start.count() == 0
    page.get_by_role("radio", name="In three folds").check()
    page.get_by_text("Expected class proportions").click()
    page.get_by_role("spinbutton").first.fill("20")
    datasets = page.get_by_role("combobox", name="or a dataset")
    datasets.select_option(stock.unlabeled)
    start.click()
    cancel.click()
    start.click()
    page.get_by_role("radio", name="Fine-tuned").check()  # another classifier, other proportions
    expect(cancel).to_be_hidden()
    start.click()
    datasets.select_option(stock.images)
    expect(start).to_be_enabled()
    datasets.select_option(stock.unlabeled)
    start.click()
    page.unroute(images)
    for name in ("read", "read again"):
        with page.expect_response(images):
            stock.app.send(f"datasets/{stock.unlabeled}", {"name": name}, "PATCH")
    (request,) = posted
    body = request.request.post_data_json
    assert (body["classifier_id"], body["dataset_id"], body["prevalence"]) == (stock.run, stock.unlabeled, {})
    request.abort()


def _is_post(route: "Route") -> bool:
    return route.request.method == "POST"


def _answer_still_reading(route: "Route") -> None:
    response = route.fetch()
    route.fulfill(response=response, json={**response.json(), "state": "reading"})
