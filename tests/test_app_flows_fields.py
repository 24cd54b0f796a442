"""Fields of view with a table of boxes in a real browser: a gallery of crops, a training, corrected predictions."""

import csv
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import JOB_MS, RunningApp, open_page
from PIL import Image
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
    page.get_by_role("navigation", name="Show").get_by_role("link", name="All images 24").wait_for()
    crops = page.get_by_role("gridcell", name=re.compile("^field"))
    crops.nth(23).wait_for()
    prediction = page.url.rpartition("/")[2].partition("?")[0]
    uncertain_row = app.get(f"predictions/{prediction}/rows?sort=probability&limit=1")["items"][0]
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
