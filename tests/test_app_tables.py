"""Tables of other programs in the app: columns and a crop size are chosen before a table is opened, and kept."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from browser import RunningApp, check_accessible, open_page
from drawing import save_cell, save_cells, write_cells
from image_sets import App, workspace_in
from PIL import Image
from small_workspace import until

from coverslip.datasets.index.opening import open_dataset
from coverslip.images.reader import ReadPlan
from coverslip.messages import text
from coverslip.workspace.datasets.labels import training_images
from coverslip.workspace.datasets.sources import Grouping
from coverslip.workspace.recipes import recipe_of_dataset
from coverslip.workspace.store.rows import dataset_row

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

COLUMNS = {"path": "Bild", "label": "Phenotype"}


def write_points(folder: Path, n_fields: int = 6) -> Path:
    """A table of bright and dark squares in gray fields, with a header that nobody would guess."""
    (folder / "fields").mkdir(parents=True)
    rows = ["Bild;Pos X;Pos Y;Phenotype;Operator"]
    for k in range(n_fields):
        field = np.random.default_rng(k).integers(90, 110, (90, 120), dtype=np.uint8)
        for j, (x, y) in enumerate(((20, 20), (60, 25), (100, 30), (25, 65), (65, 70), (100, 68))):
            field[y - 6 : y + 6, x - 6 : x + 6] = 220 if j % 2 else 30
            rows.append(f"fields/{k}.png;{x};{y};{'bright' if j % 2 else 'dark'};{'AB'[k % 2]}")
        Image.fromarray(field).save(folder / "fields" / f"{k}.png")
    table = folder / "points.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


def opened(app: App, table: Path, **choices: Any) -> Any:
    body = {"sources": [{"path": str(table)}], "columns": COLUMNS, "crop_size": 24, **choices}
    return app.wait(app.send("POST", "datasets", body)["id"])


def test_a_preview_detects_columns_and_suggests_a_crop_size(app: App, tmp_path: Path) -> None:
    table = write_points(tmp_path / "data")
    seen = app.send("POST", "previews", {"kind": "table", "path": str(table), "columns": {"label": "Phenotype"}})
    assert seen["mapping"] == {"path": "Bild", "label": "Phenotype", "x": "Pos X", "y": "Pos Y"}
    assert (seen["n_rows"], seen["n_files"], seen["layout"]) == (36, 6, "point")
    assert 60 <= seen["suggested_crop_size"] <= 90  # the points are some 40 pixels apart
    assert seen["first_rows"][0] == ["fields/0.png", "20", "20", "dark", "A"]
    app.refused("POST", "previews", {"kind": "table", "path": "/etc/passwd"})
    app.refused("POST", "previews", {"kind": "table", "path": str(table), "columns": {"label": "Nothing"}})


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
@pytest.mark.parametrize("what, of", [("previews", {"kind": "table"}), ("table-crops-preview", {})])
def test_only_tables_are_previewed(app: App, tmp_path: Path, what: str, of: dict[str, str]) -> None:
    (tmp_path / "config").write_text("Host,User\nlab,me\n")
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("config", "pipe.csv"):
        problem = app.refused("POST", what, {**of, "path": str(tmp_path / name)})
        assert (problem["code"], problem["file"]) == ("not-a-table-file", str(tmp_path / name))


def test_without_a_crop_size_opening_says_which_would_fit(app: App, tmp_path: Path) -> None:
    table = write_points(tmp_path / "data")
    body = {"sources": [{"path": str(table)}], "columns": COLUMNS}
    problem = app.refused("POST", "datasets", body)
    assert problem["remedies"][0]["key"] == "crop_size"


def test_what_was_chosen_holds_when_images_are_regrouped_read_again_and_trained_on(app: App, tmp_path: Path) -> None:
    dataset = opened(app, write_points(tmp_path / "data"))
    assert (dataset["n_images"], dataset["groups"]["by"], dataset["groups"]["n_groups"]) == (36, "file", 6)
    app.send("PATCH", f"datasets/{dataset['id']}", {"group": "Operator"})
    app.send("POST", f"datasets/{dataset['id']}/refresh")
    reread = app.wait(dataset["id"])
    assert (reread["n_images"], reread["groups"]["n_groups"]) == (36, 2)
    app.send("PATCH", f"datasets/{dataset['id']}", {"group": None})
    images = training_images(app.home, dataset["id"])
    data = open_dataset(images.sources, crop_size=24)  # the recipe says so
    assert {record.plan.region[2:] for record in data.records if record.plan.region} == {(24, 24)}
    assert len({record.group for record in open_dataset(images.sources, group="group", crop_size=24).records}) == 6


@pytest.mark.slow
def test_a_crop_size_in_um_reaches_crops_viewer_and_recipe(app: App, tmp_path: Path) -> None:
    table = write_points(tmp_path / "data")
    fields = tmp_path / "data" / "fields"
    for k in range(6):  # of two pixel sizes
        pixels = np.asarray(Image.open(fields / f"{k}.png")).repeat(1 + k % 2, 0).repeat(1 + k % 2, 1)
        size = (20_000 * (1 + k % 2),) * 2  # pixels per cm
        tifffile.imwrite(fields / f"{k}.tif", pixels, resolution=size, resolutionunit="CENTIMETER", metadata=None)
    table.write_text(table.read_text().replace(".png", ".tif"))
    preview = {"path": str(table), "columns": COLUMNS, "crop_size": "12µm"}
    assert app.client.post("/api/v1/table-crops-preview", json=preview).status_code == 200
    dataset = opened(app, table, crop_size="12 um")
    rows = app.send("GET", f"lists/{dataset['id']}/rows")["items"]
    sides = {}
    for row in rows:
        tiles = app.send("GET", f"lists/{dataset['id']}/rows/{row['row_id']}/tiles")
        sides[Path(row["path"]).stem] = tiles["width"], tiles["height"]
    assert sides == {str(k): (24, 24) if k % 2 == 0 else (48, 48) for k in range(6)}
    with app.home.engine.connect() as connection:
        row = dataset_row(connection, dataset["id"])
    recipe = recipe_of_dataset(app.home, row, {})
    assert recipe.crop_size == "12 um"
    problem = app.refused("POST", "table-crops-preview", {**preview, "crop_size": "12 mm"})
    assert problem["code"] == "invalid-request"


def test_files_of_formats_that_cannot_be_read_are_counted_apart(app: App, tmp_path: Path) -> None:
    (tmp_path / "data" / "a").mkdir(parents=True)
    for name in ("1.ims", "2.ims", "3.vsi", "4.png"):
        (tmp_path / "data" / "a" / name).touch()
    listing = app.client.get("/api/v1/folders", params={"path": str(tmp_path / "data")}).json()
    assert listing["n_images"] == 1
    assert [(each["title"], each["n_files"]) for each in listing["unread"]] == [
        ("HDF5 (Imaris and others)", 2),
        ("slide scanners", 1),
    ]


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_table_of_points_is_opened_with_its_columns_and_crops(page: "Page", app_server: RunningApp) -> None:
    table = write_points(app_server.root / "foreign")
    header, *rows = table.read_text().splitlines()
    halved = [f"{row};{int(row.split(';')[1]) // 2}" for row in rows]
    table.write_text("\n".join([f"{header};Half X", *halved]) + "\n")
    open_page(page, "/")
    page.get_by_role("button", name="Choose a folder").click()
    page.get_by_label("Path of a folder or table").wait_for()
    page.keyboard.type(str(table.parent))
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Use this table").last.click()
    crop_size = page.get_by_label("Crop size")
    suggested = until(crop_size.input_value)
    page.get_by_role("combobox", name="x", exact=True).select_option("Half X")
    until(lambda: crop_size.input_value() != suggested)
    page.get_by_role("button", name="Back to the folder").click()
    page.get_by_role("button", name="Use this table").last.click()
    until(lambda: crop_size.input_value() == suggested)
    assert page.get_by_role("combobox", name="x", exact=True).input_value() == "Pos X"
    page.get_by_label("Class label").select_option("Phenotype")
    crop_size.fill("2")
    button = page.get_by_role("button", name="Open this table")
    assert button.is_disabled()
    crop_size.fill("24")
    page.get_by_alt_text("Example crops").wait_for()
    check_accessible(page)
    button.click()
    page.get_by_text("36 images · 2 classes").wait_for()
    page.get_by_role("heading", name="6 groups").wait_for()


@pytest.mark.slow
def test_a_table_beside_class_folders_is_offered_with_its_columns(page: "Page", app_server: RunningApp) -> None:
    folder = write_cells(app_server.root / "both", 12)
    files = sorted(folder.rglob("*.png"))
    rows = [f"{file.relative_to(folder)},{file.parent.name},p{k // 4}" for k, file in enumerate(files)]
    (folder / "images.csv").write_text("\n".join(["path,label,patient", *rows]) + "\n")
    open_page(page, "/")
    page.get_by_role("button", name="Choose a folder").click()
    page.get_by_label("Path of a folder or table").wait_for()
    page.keyboard.type(str(folder))
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_text("(images.csv)").wait_for()
    assert page.get_by_role("button", name="Use this folder").is_enabled()
    page.get_by_role("button", name="Use this table").last.click()
    page.get_by_role("button", name="Open this table").click()
    page.wait_for_url("**/datasets/*")
    dataset = page.url.rpartition("/")[2].partition("?")[0]
    assert app_server.get(f"datasets/{dataset}/columns")["items"] == ["patient"]


@pytest.mark.slow
def test_an_upload_that_makes_no_dataset_stays_and_is_opened_otherwise(
    page: "Page", app_server: RunningApp, tmp_path: Path
) -> None:
    image, table = save_cell(tmp_path / "1.png"), tmp_path / "cells.csv"
    table.write_text("filename,cell_type\n1.png,round\n")
    open_page(page, "/")
    page.get_by_role("button", name="Choose a folder").click()
    page.get_by_role("button", name="Upload files").click()
    page.get_by_label("Files …").set_input_files([image, table])
    page.get_by_role("button", name="Ignore the table").click()
    page.get_by_role("alert").get_by_text(text("no-class-folders", n_images=1)).wait_for()
    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Ignore the table").click()
    page.get_by_role("button", name="Open without labels").click()
    page.wait_for_url("**/datasets/*")
    assert app_server.get(f"datasets/{page.url.rpartition('/')[2].partition('?')[0]}")["n_images"] == 1


@pytest.mark.slow
def test_an_upload_is_not_changed_by_the_canceled_one_before_and_ends_without_files_that_fail_twice(
    page: "Page", app_server: RunningApp, tmp_path: Path
) -> None:
    files = [save_cell(tmp_path / f"{k}.png") for k in range(3)]
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.route("**/api/v1/uploads", hold, times=1)
    page.route("**/files/2.png", lambda route: route.abort())
    open_page(page, "/")
    page.get_by_role("button", name="Choose a folder").click()
    page.get_by_role("button", name="Upload files").click()
    with page.expect_request("**/api/v1/uploads"):
        page.get_by_label("Files …").set_input_files(files[:1])
    page.get_by_role("button", name="Cancel").click()
    page.get_by_label("Files …").set_input_files(files)
    with page.expect_response("**/api/v1/uploads"):
        held[0].continue_()
    for _ in range(2):
        page.get_by_role("button", name="Retry these files").click()
    page.get_by_role("button", name="Continue without these files").click()
    page.get_by_role("button", name="Open without labels").click()
    page.wait_for_url("**/datasets/*")
    assert app_server.get(f"datasets/{page.url.rpartition('/')[2].partition('?')[0]}")["n_images"] == 2


@pytest.mark.slow
def test_a_training_takes_groups_from_the_users_own_column_where_images_were_excluded(app: App, tmp_path: Path) -> None:
    save_cells(tmp_path / "cells")
    files = sorted((tmp_path / "cells").rglob("*.png"))
    table = tmp_path / "cells" / "cells.csv"
    rows = [f"{file},{file.parent.name},{k % 3 if k else ''}" for k, file in enumerate(files)]
    table.write_text("\n".join(["path,label,Patient", *rows]) + "\n")
    dataset = app.open(table)
    app.send(
        "POST",
        f"datasets/{dataset['id']}/changes",
        {"images": app.ids(f"datasets/{dataset['id']}", [3]), "is_excluded": True},
    )
    images = training_images(app.home, dataset["id"], grouped=Grouping(column="Patient"))
    assert images.sources != [str(table)]
    assert images.grouped == Grouping(column="Patient")
    data = open_dataset(images.sources, group="Patient")
    assert [record.group for record in data.records] == [None, "1", "2", *[str(k % 3) for k in range(4, 12)]]


@pytest.mark.slow
def test_a_table_of_objects_is_opened_grouped_by_field_and_trained_with_its_margin(app: App, tmp_path: Path) -> None:
    data = write_points(tmp_path / "data").parent
    rows = ["path,field,object_id,x,y,width,height,outline,at_edge,label,group"]
    for k in range(6):
        for j, (x, y) in enumerate(((20, 20), (60, 25), (100, 30), (25, 65), (65, 70), (100, 68))):
            label = "bright" if j % 2 else "dark"
            rows.append(f"fields/{k}.png,{k}.png,{j},{x - 6},{y - 6},12,12,POINT ({x} {y}),0,{label},")
    (data / "objects.csv").write_text("\n".join(rows) + "\n")
    dataset = app.wait(app.send("POST", "datasets", {"sources": [{"path": str(data / "objects.csv")}]})["id"])
    images = training_images(app.home, dataset["id"])
    records = open_dataset(images.sources).read_with(ReadPlan(crop_margin=0.5)).records
    assert {record.group for record in records} == {f"{k}.png" for k in range(6)}
    assert [records[1].plan.region, records[1].plan.crop((120, 90), None)] == [(54, 19, 12, 12), (48, 13, 24, 24)]
    assert (records[1].field, records[1].object_id) == ("0.png", "1")
