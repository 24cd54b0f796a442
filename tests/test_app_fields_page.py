"""Fields of view in a browser: objects are read, selected on the image by click, lasso and keys, and labeled."""

import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from browser import JOB_MS, RunningApp, check_for_everyone, open_page
from image_sets import in_lists
from playwright.sync_api import expect
from small_workspace import QUICK
from test_app_fields import CENTERS, write_fields

import coverslip as cs
from coverslip.events import ignore

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def objects(app_server: RunningApp) -> Any:
    """A dataset of 27 objects in three fields, with the classes large and small."""
    folder = write_fields(app_server.root / "objects", 3)
    cs.collect_objects(folder / "fields", points=folder / "points", size_px=40, out=folder / "objects.csv", emit=ignore)
    return app_server.opened(folder / "objects.csv")


def stage_of(page: "Page") -> "tuple[Locator, Callable[[float, float], tuple[float, float]]]":
    """The sharp field, and the place on the page of a point of it."""
    tiles = page.locator(".tiles[data-sharp=true]")
    tiles.wait_for()
    box = tiles.bounding_box()
    assert box is not None
    x, y, scale = (float(tiles.get_attribute(f"data-{name}") or "nan") for name in ("x", "y", "scale"))
    return tiles, lambda left, top: (box["x"] + x + left * scale, box["y"] + y + top * scale)


def labels_of(app: RunningApp, dataset_id: str, row: int) -> list[str | None]:
    seen = app.get(f"lists/{dataset_id}/rows/{row}/field/labels")
    return [None if k < 0 else seen["classes"][k] for k in seen["labels"]]


def test_objects_are_selected_on_the_field_and_labeled_with_undo(
    page: "Page", app_server: RunningApp, objects: Any
) -> None:
    at = objects["id"]
    rows = [field["row_id"] for field in app_server.get(f"lists/{in_lists(at)}/fields")["items"]]
    open_page(page, f"/datasets/{at}?tab=images")
    page.get_by_role("gridcell").nth(10).dblclick()
    page.get_by_role("dialog").get_by_role("link", name="Show in its field").click()
    page.get_by_role("combobox", name="Field of view").wait_for()
    assert page.get_by_role("combobox", name="Field of view").input_value() == str(rows[1])
    grid = page.get_by_role("grid", name="Objects of field1.png")
    selected = grid.get_by_role("gridcell", selected=True)
    grid.get_by_role("gridcell", name="field1.png#2, class small", selected=True).wait_for()

    _, place = stage_of(page)
    page.mouse.click(*place(*CENTERS[4]))
    grid.get_by_role("gridcell", name="field1.png#5, class large", selected=True).wait_for()
    assert selected.count() == 1
    page.keyboard.down("Control")
    page.mouse.click(*place(*CENTERS[5]))
    page.keyboard.up("Control")
    page.get_by_text("2 images selected").wait_for()
    page.mouse.click(*place(100, 100))
    page.get_by_text("No image selected").wait_for()

    def encircle(left: float, top: float, right: float, bottom: float) -> None:
        page.mouse.move(*place(left, top))
        page.mouse.down()
        for corner in ((right, top), (right, bottom), (left, bottom)):
            page.mouse.move(*place(*corner), steps=4)
        page.mouse.up()

    page.get_by_role("button", name="Lasso").click()
    encircle(10, 10, 190, 90)
    page.get_by_text("2 images selected").wait_for()
    page.get_by_role("button", name="Lasso").click()
    page.keyboard.down("Shift")
    encircle(10, 110, 90, 290)
    page.keyboard.up("Shift")
    page.get_by_text("4 images selected").wait_for()
    before = labels_of(app_server, at, rows[1])
    page.keyboard.press("2")
    changed = ["small" if k in (0, 1, 3, 6) else label for k, label in enumerate(before)]
    app_server.until(f"datasets/{at}", lambda dataset: dataset["n_label_changes"] == 2)
    assert labels_of(app_server, at, rows[1]) == changed
    of_color = page.get_by_role("list", name="Colors").get_by_text("6", exact=True)
    of_color.wait_for()
    page.keyboard.press("Control+z")
    app_server.until(f"datasets/{at}", lambda dataset: dataset["n_label_changes"] == 0)
    assert labels_of(app_server, at, rows[1]) == before
    expect(of_color).to_have_count(0)

    # By keys alone: the next object, its label, the viewer.
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    grid.get_by_role("gridcell", name="field1.png#", selected=True).wait_for()
    page.keyboard.press("Enter")
    page.get_by_role("group", name="Label this image").get_by_role("button", name="large").wait_for()
    page.keyboard.press("Escape")
    scale = page.locator(".field .scale").inner_text()
    page.keyboard.press("+")
    page.locator(".field .scale").filter(has_not_text=scale).wait_for()
    page.get_by_role("button", name="Next field").click()
    page.get_by_role("grid", name="Objects of field2.png").wait_for()
    assert page.get_by_role("button", name="Next field").is_disabled()


def test_objects_are_found_or_read_from_the_overview_of_their_fields(page: "Page", app_server: RunningApp) -> None:
    folder = write_fields(app_server.root / "read", 3)
    fields = app_server.opened(folder / "fields", is_labeled=False)
    open_page(page, f"/datasets/{fields['id']}")
    page.get_by_role("button", name="Read objects from files").click()
    dialog = page.get_by_role("dialog", name="Objects in the fields of view")
    dialog.get_by_role("radio", name="Masks").check()
    dialog.get_by_label("Folder or file of the objects").fill(str(folder / "masks"))
    dialog.get_by_role("button", name="Read objects").click()
    page.wait_for_url("**?tab=fields", timeout=JOB_MS)
    page.get_by_role("grid", name="Objects of field0.png").get_by_role("gridcell").nth(8).wait_for()
    page.get_by_role("heading", name="Objects of fields").wait_for()
    page.get_by_role("button", name="Next field").click()
    cells = page.get_by_role("grid", name="Objects of field1.png").get_by_role("gridcell")
    cells.first.click()  # the address names it
    page.get_by_role("button", name="Split").click()
    expect(cells).to_have_count(10)
    expect(page.get_by_role("button", name="Exclude")).to_be_disabled()  # nothing is selected
    page.keyboard.press("Control+z")
    expect(cells).to_have_count(9)
    open_page(page, f"/datasets/{fields['id']}")
    page.get_by_text("27 objects in 3 fields").wait_for()
    page.get_by_role("link", name="Find objects").click()
    page.get_by_role("heading", name="9 objects in this field").wait_for(timeout=JOB_MS)
    handle = page.get_by_role("slider", name="Smallest object")
    handle.focus()
    for _ in range(6):
        page.keyboard.press("PageUp")  # beyond the small discs, whose diameter is 28
    page.get_by_role("heading", name="5 objects in this field").wait_for()
    page.get_by_text("4 objects of the preview").wait_for()
    page.get_by_role("button", name="Apply to all 3 fields").click()
    page.wait_for_url("**?tab=fields", timeout=JOB_MS)
    page.get_by_role("grid", name="Objects of field0.png").get_by_role("gridcell").nth(4).wait_for()
    page.get_by_role("link", name="Find objects").click()
    page.get_by_role("heading", name="5 objects in this field").wait_for(timeout=JOB_MS)


def test_fields_are_accessible(page_for_axe: "Page", app_server: RunningApp, objects: Any) -> None:
    def select(page: "Page") -> None:
        page.get_by_role("gridcell", name="field0.png#1").click()

    reached = check_for_everyone(page_for_axe, f"/datasets/{objects['id']}?tab=fields", select)
    assert reached


@pytest.fixture(scope="module")
def trained(app_server: RunningApp, objects: Any) -> tuple[str, str]:
    """A training on the objects, and its prediction of the same objects."""
    run = app_server.trained(objects["id"], QUICK)
    prediction = app_server.send("predictions", {"classifier_id": run, "dataset_id": objects["id"]})["id"]
    app_server.ended(f"jobs/{prediction}")
    return run, prediction


def test_predicted_objects_are_exported_from_their_page(
    page: "Page", app_server: RunningApp, trained: tuple[str, str]
) -> None:
    _, prediction = trained
    open_page(page, f"/predictions/{prediction}")
    page.get_by_role("button", name="Export objects").click()
    dialog = page.get_by_role("dialog", name="Objects for other programs")
    for name, file in (("QuPath", "field0.geojson"), ("OME-TIFF", "crops.csv")):
        dialog.get_by_role("radio", name=name).check()
        assert dialog.get_by_label("Fill the pixels of other objects").count() == (name == "OME-TIFF")
        dialog.get_by_role("button", name="Write the files").click()
        with page.expect_download(timeout=JOB_MS) as downloading:
            dialog.get_by_role("link", name="Download the files").click(timeout=JOB_MS)
        names = zipfile.ZipFile(downloading.value.path()).namelist()
        assert any(each.endswith(file) for each in names)


def test_test_images_of_a_training_are_seen_in_their_fields_and_corrected(
    page: "Page", app_server: RunningApp, objects: Any, trained: tuple[str, str]
) -> None:
    run, _ = trained
    at, of_dataset = f"lists/{run}/rows", f"datasets/{objects['id']}"
    field = app_server.get(f"lists/{run}/fields")["items"][0]
    colors = page.get_by_role("list", name="Colors")

    def check_legend(**expected: int) -> None:
        """The legend has these numbers of objects; those that are 0 are not in it."""
        shown = [f"{name.replace('_', ' ')}{n}" for name, n in expected.items() if n]
        expect(colors.get_by_role("listitem")).to_have_text(shown)

    def numbers_of_results() -> dict[str, int]:
        values = app_server.get(f"{at}/{field['row_id']}/field/labels")
        predicted = values["predictions"]["predicted"]
        is_correct = [label == k for label, k in zip(values["labels"], predicted, strict=True)]
        return {"Correct": is_correct.count(True), "Misclassified": is_correct.count(False)}

    values = app_server.get(f"{at}/{field['row_id']}/field/labels")
    predicted = values["predictions"]["predicted"]
    of_class = {name: predicted.count(k) for k, name in enumerate(values["classes"])}
    before = numbers_of_results()
    assert sum(before.values()) == sum(of_class.values()) == field["n_objects"] == len(CENTERS)
    open_page(page, f"/runs/{run}")
    page.get_by_role("link", name="View fields").first.click()
    grid = page.get_by_role("grid", name=f"Objects of {field['name']}")
    expect(grid.get_by_role("gridcell")).to_have_count(len(CENTERS))
    check_legend(**before)
    page.get_by_role("combobox", name="Color by").select_option("class")
    check_legend(**of_class)
    page.get_by_role("combobox", name="Color by").select_option("result")

    _, place = stage_of(page)
    page.mouse.click(*place(*CENTERS[4]))
    grid.get_by_role("gridcell", name=f"{field['name']}#5", selected=True).wait_for()
    page.get_by_role("group", name="Correct").get_by_role("button", name="small").click()
    app_server.until(of_dataset, lambda dataset: dataset["n_label_changes"] == 1)
    was_correct = values["classes"][predicted[4]] == "large"
    change = -1 if was_correct else 1
    check_legend(Correct=before["Correct"] + change, Misclassified=before["Misclassified"] - change)
    page.keyboard.press("Control+z")
    app_server.until(of_dataset, lambda dataset: dataset["n_label_changes"] == 0)
    check_legend(**before)


@pytest.mark.exhaustive
def test_columns_and_groups_of_a_table_are_chosen_in_the_preview(page: "Page", app_server: RunningApp) -> None:
    folder = write_fields(app_server.root / "table", 3)
    rows = [f"field{k}.png,{x},{y},{'large' if x > 100 else 'small'}" for k in range(3) for x, y in CENTERS]
    (folder / "cells.csv").write_text("\n".join(["Slide,Where A,Where B,Kind", *rows]))
    fields = app_server.opened(folder / "fields", is_labeled=False)
    open_page(page, f"/datasets/{fields['id']}")
    page.get_by_role("button", name="Read objects from files").click()
    dialog = page.get_by_role("dialog", name="Objects in the fields of view")
    dialog.get_by_label("Folder or file of the objects").fill(str(folder / "cells.csv"))
    dialog.get_by_label("Side of the square around each point").fill("40")
    start = dialog.get_by_role("button", name="Read objects")
    dialog.get_by_role("group", name="First rows of the table").wait_for()
    assert start.is_disabled()  # the columns of the positions are not recognized
    for meaning, column in (("Image name", "Slide"), ("x of the center", "Where A"), ("y of the center", "Where B")):
        dialog.get_by_role("combobox", name=meaning, exact=True).select_option(column)
    dialog.get_by_role("combobox", name="Class", exact=True).select_option("Kind")
    dialog.get_by_text("27 objects in 3 of").wait_for()
    dialog.get_by_role("radio", name="A part of the path").check()
    dialog.get_by_role("textbox", name="Pattern in the path").fill(r"field(?P<group>\d)")
    dialog.get_by_role("table", name="Groups").get_by_role("row", name="field2.png 9 2").wait_for()
    assert start.is_enabled()
