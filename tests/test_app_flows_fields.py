"""Fields of view in a real browser: boxes or objects of other programs, a training, corrected predictions, exports."""

import csv
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import JOB_MS, RunningApp, open_page
from PIL import Image
from test_app_fields_page import stage_of
from test_app_flows import train_by_clicks

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

SIDE = 40  # pixels of a box
RADII = {"large": 15, "small": 7}


def write_fields(folder: Path, n_fields: int, *, seed: int, is_labeled: bool) -> list[Path]:
    """Fields of 320 x 240 pixels with twelve discs each, and a table of the discs by their centers."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    rows = [f"path,{'label,' if is_labeled else ''}x_center,y_center,width,height"]
    down, across = np.mgrid[:240, :320]
    for number in range(n_fields):
        field = rng.normal(200, 8, (240, 320))
        for k, name in enumerate(["large", "small"] * 6):
            x, y = 40 + 80 * (k % 4), 40 + 80 * (k // 4)
            field[(across - x) ** 2 + (down - y) ** 2 < RADII[name] ** 2] -= 90
            rows.append(f"field{number}.png,{f'{name},' if is_labeled else ''}{x},{y},{SIDE},{SIDE}")
        Image.fromarray(field.clip(0, 255).astype(np.uint8)).save(folder / f"field{number}.png")
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return sorted(folder.iterdir())


@pytest.mark.exhaustive
def test_from_fields_with_boxes_to_corrected_predictions(
    other_app: Callable[..., RunningApp], other_page: "Callable[[RunningApp], Page]", tmp_path: Path
) -> None:
    app = other_app()
    page = other_page(app)
    open_page(page, "/")
    page.get_by_role("button", name="Choose a folder").click()
    chooser = page.get_by_role("dialog", name="Open labeled images")
    chooser.get_by_role("button", name="Upload files").click()
    chooser.get_by_label("Files …").set_input_files(write_fields(tmp_path / "a", 5, seed=0, is_labeled=True))
    chooser.get_by_role("button", name="Open this table").click()
    page.wait_for_url("**/datasets/*")
    dataset = app.get(f"datasets/{page.url.rpartition('/')[2].partition('?')[0]}")
    open_page(page, f"/datasets/{dataset['id']}?tab=images")
    page.get_by_role("grid").get_by_role("gridcell", name=", class ").nth(11).wait_for()
    assert {each["name"]: each["n"] for each in dataset["classes"]} == {"large": 30, "small": 30}
    train_by_clicks(page, "Discs")
    page.get_by_role("link", name="Predict new images").click()
    page.get_by_label("Files …").set_input_files(write_fields(tmp_path / "b", 2, seed=1, is_labeled=False))
    page.get_by_role("button", name="Open this table").click()
    page.get_by_text("Selected:").wait_for()
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url("**/predictions/*")
    page.get_by_role("link", name="Download CSV").wait_for(timeout=JOB_MS)
    page.get_by_role("navigation", name="Show").get_by_role("link", name="All objects 24").wait_for()
    crops = page.get_by_role("gridcell", name=re.compile("^field"))
    crops.nth(23).wait_for()
    prediction = page.url.rpartition("/")[2].partition("?")[0]
    uncertain_row = app.get(f"lists/{prediction}/rows?sort=probability&limit=1")["items"][0]
    page.keyboard.press("ArrowRight")
    page.get_by_role("gridcell", name=f"{uncertain_row['image_id']},", selected=True).wait_for()
    page.keyboard.press("2" if uncertain_row["predicted"] == "large" else "1")
    page.get_by_role("navigation", name="Show").get_by_role("link", name="Reviewed").wait_for()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download CSV").click()
    with downloading.value.path().open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]).name for row in rows} == {"field0.png", "field1.png"}
    assert {row["warning"] for row in rows} == {""}
    expected = ["large", "small"] * 12
    assert sum(row["predicted"] == label for row, label in zip(rows, expected, strict=True)) >= 20
    assert [row["image_id"] for row in rows if row["corrected"]] == [uncertain_row["image_id"]]


def write_red_cells(source: Path, folder: Path, numbers: list[str], columns: str) -> None:
    """Fields of red blood cells, and a table of some of their normal cells (0) and others."""
    (folder / "fields").mkdir(parents=True)
    rows = [columns]
    for number in numbers:
        shutil.copy(source / "fields" / f"{number}.jpg", folder / "fields")
        cells = [line.split() for line in (source / "points" / f"{number}.txt").read_text().splitlines()]
        for is_normal in (True, False):
            kind = [(x, y) for x, y, label in cells if (label == "0") is is_normal][:10]
            rows += [f"{x},{y},{number}.jpg,{'normal' if is_normal else 'abnormal'}" for x, y in kind]
    (folder / "cells.csv").write_text("\n".join(rows) + "\n")


def open_fields(page: "Page", folder: Path) -> None:
    """On the first page: open a folder of fields without labels."""
    open_page(page, "/")
    page.get_by_role("button", name="Choose a folder").click()
    chooser = page.get_by_role("dialog")  # its name depends on the folder
    chooser.get_by_label("Path of a folder or table").fill(str(folder))
    chooser.get_by_role("button", name="Open this path").click()
    chooser.get_by_text("images in this folder").wait_for()
    chooser.get_by_role("button", name="Use this folder").click()
    page.wait_for_url("**/datasets/*")


def read_cells(page: "Page", table: Path, columns: dict[str, str], n_objects: int) -> None:
    """On the page of fields: read a table of points, whose columns are chosen in the preview."""
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("button", name="Read objects from files").click()
    dialog = page.get_by_role("dialog", name="Objects in the fields of view")
    dialog.get_by_label("Folder or file of the objects").fill(str(table))
    dialog.get_by_label("Side of the square around each point").fill("80")
    for meaning, column in columns.items():
        dialog.get_by_label(meaning).select_option(column)
    dialog.get_by_text(f"{n_objects} objects in").wait_for()
    dialog.get_by_role("button", name="Read objects").click()
    page.wait_for_url("**?tab=fields", timeout=JOB_MS)
    page.get_by_role("grid", name="Objects of").get_by_role("gridcell").first.wait_for()


@pytest.mark.exhaustive
def test_from_fields_and_points_to_an_export_of_relabeled_objects_by_the_app_alone(
    other_app: Callable[..., RunningApp],
    other_page: "Callable[[RunningApp], Page]",
    shared_data: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    source = shared_data("fields_rbc_chula")
    write_red_cells(source, tmp_path / "first", ["4", "7", "10", "11", "14", "20"], "Pos_A,Pos_B,Slide,Kind")
    write_red_cells(source, tmp_path / "second", ["36", "43"], "x,y,image,type")
    app = other_app()
    page = other_page(app)
    open_fields(page, tmp_path / "first" / "fields")
    columns = {"x of the center": "Pos_A", "y of the center": "Pos_B", "Image name": "Slide", "Class": "Kind"}
    n_first = len((tmp_path / "first" / "cells.csv").read_text().splitlines()) - 1
    read_cells(page, tmp_path / "first" / "cells.csv", columns, n_first)
    objects = app.get(f"datasets/{page.url.rpartition('/')[2].partition('?')[0]}")
    assert (objects["n_images"], objects["groups"]["n_groups"]) == (n_first, 6)
    open_page(page, f"/datasets/{objects['id']}")
    train_by_clicks(page, "Red cells")
    run = page.url.rpartition("/")[2]
    sets: dict[str, set[str]] = {}
    for row in csv.DictReader((Path(app.get(f"jobs/{run}")["folder"]) / "split.csv").open(encoding="utf-8")):
        sets.setdefault(row["image_id"].partition("#")[0], set()).add(row["split"])
    assert len(sets) == 6
    assert all(len(each) == 1 for each in sets.values())

    open_fields(page, tmp_path / "second" / "fields")
    n_second = len((tmp_path / "second" / "cells.csv").read_text().splitlines()) - 1
    read_cells(page, tmp_path / "second" / "cells.csv", {}, n_second)
    others = page.url.rpartition("/")[2].partition("?")[0]
    open_page(page, f"/predict?classifier={run}")
    page.get_by_role("combobox", name="or a dataset in coverslip").select_option(others)
    page.get_by_role("button", name="Predict", exact=True).click()
    page.wait_for_url("**/predictions/*")
    page.get_by_role("link", name="View fields").click(timeout=JOB_MS)
    prediction = page.url.rpartition("/predictions/")[2].partition("/")[0]
    page.locator(".tiles[data-sharp=true]").wait_for()
    page.locator("canvas[aria-hidden]").wait_for()
    app.until(f"jobs/{prediction}", lambda state: state["state"] == "done", seconds=JOB_MS / 1000)
    first = app.get(f"lists/{prediction}/rows?rows=0")["items"][0]
    x, y = map(float, (tmp_path / "second" / "cells.csv").read_text().splitlines()[1].split(",")[:2])
    _, place = stage_of(page)
    page.mouse.click(*place(x, y))
    page.get_by_role("grid", name="Objects of 36.jpg").get_by_role(
        "gridcell", name="36.jpg#1,", selected=True
    ).wait_for()
    page.keyboard.press("1" if first["predicted"] == "normal" else "2")
    app.until(
        f"lists/{prediction}/rows?rows=0",
        lambda rows: rows["items"][0]["correction"] not in (None, first["predicted"]),
    )
    answer = app.get(f"lists/{prediction}/rows?rows=0")["items"][0]["correction"]

    page.get_by_role("link", name="Back to the predictions").click()
    page.get_by_role("button", name="Export objects").click()
    dialog = page.get_by_role("dialog", name="Objects for other programs")
    dialog.get_by_role("radio", name="GeoJSON").check()
    dialog.get_by_role("button", name="Write the files").click()
    with page.expect_download() as downloading:
        dialog.get_by_role("link", name="Download the files").click(timeout=JOB_MS)
    with zipfile.ZipFile(downloading.value.path()) as archive:
        files = {Path(name).name: json.loads(archive.read(name))["features"] for name in archive.namelist()}
    assert files.keys() == {"36.geojson", "43.geojson"}
    assert sum(map(len, files.values())) == n_second
    assert files["36.geojson"][0]["properties"]["classification"]["name"] == answer
