"""Which pixels an image of a run is: report and app show what the network saw, not the file that it lies in."""

import base64
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.datasets.index.records import Dataset
from coverslip.images.decoding import read_pixels
from coverslip.images.output import as_webp, small_pixels
from coverslip.runs.folder import Run
from coverslip.runs.images import ImageLookup
from coverslip.runs.recipe import Recipe, SplitPlan
from coverslip.runs.recipe_keys import save_recipe

RECIPE = Recipe(model=SMALL_NETWORK, stage="instant", image_size=32, tta=1, split=SplitPlan(folds=0))


def write_fields(folder: Path) -> Path:
    """A table of 40 cells: 20 boxes of 20 × 20 in one field of 160 × 107, and 20 in the second page of a stack."""
    rng = np.random.default_rng(0)
    rows = ["path,label,z,x,y,width,height"]
    field = rng.integers(0, 60, (107, 160), dtype=np.uint8)
    pages = [rng.integers(200, 256, (107, 160), dtype=np.uint8), field.copy()]
    for i in range(20):
        x, y = 30 * (i % 5) + 5, 25 * (i // 5) + 3
        for pixels in (field, pages[1]):
            pixels[y : y + 20, x : x + 20] += np.uint8(120 if i % 2 else 40)
        rows.append(f"field.png,{'bright' if i % 2 else 'dark'},,{x},{y},20,20")
        rows.append(f"stack.tif,{'bright' if i % 2 else 'dark'},1,{x},{y},20,20")
    folder.mkdir()
    Image.fromarray(field).save(folder / "field.png")
    first, second = map(Image.fromarray, pages)
    first.save(folder / "stack.tif", save_all=True, append_images=[second])
    table = folder / "cells.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    return table


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return cs.open_dataset(write_fields(tmp_path_factory.mktemp("data") / "fields"))


@pytest.fixture(scope="module")
def run(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return cs.train(data, RECIPE, out=tmp_path_factory.mktemp("runs") / "cells")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_tiles_of_the_report_show_the_box_and_the_plane_of_a_row(data: Dataset, run: Run) -> None:
    page = (run.folder / "report.html").read_text(encoding="utf-8")
    tiles = re.findall(r'base64,([^"]+)".*?class="file" title="([^"]+)"', page, flags=re.S)
    assert tiles
    plans = {record.image_id: (record.path, record.plan) for record in data.records}
    for shown, image_id in tiles:
        file, plan = plans[image_id]
        assert plan.region is not None
        assert base64.b64decode(shown) == as_webp(small_pixels(read_pixels(file, plan).array, 160)), image_id


@pytest.mark.slow
def test_an_image_of_a_run_is_a_file_and_how_it_is_read(data: Dataset, run: Run) -> None:
    lookup = ImageLookup(run)
    for record in data.records:
        source = lookup.find(record.image_id)
        assert source is not None
        assert (source.file, source.plan) == (record.path, record.plan)
    assert {source.plan.z for record in data.records if (source := lookup.find(record.image_id))} == {0, 1}
    assert lookup.find("another.png") is None


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_recipes_channels_hold_where_a_row_says_none(data: Dataset, run: Run, tmp_path: Path) -> None:
    copied = Run(Path(shutil.copytree(run.folder, tmp_path / "run")))
    save_recipe(
        RECIPE.model_copy(update={"images": RECIPE.images.model_copy(update={"channels": (0,)})}), copied.recipe_file
    )
    record = data.records[0]
    source = ImageLookup(copied).find(record.image_id)
    assert source is not None
    assert source.plan == record.plan.model_copy(update={"channels": (0,)})


def test_images_that_cannot_be_opened_again_are_not_found(data: Dataset, run: Run) -> None:
    table = data.root / "cells.csv"
    moved = table.rename(table.with_name("moved.csv"))
    try:  # the fields are still there, but which part of them an image was is not known
        assert ImageLookup(run).find(data.records[0].image_id) is None
    finally:
        moved.rename(table)
