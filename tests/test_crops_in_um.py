"""Crop sizes and margins in µm: equal areas of images with different pixel sizes, through every interface."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawing import write_cells
from pydantic import ValidationError
from refusing import refusing
from test_pixel_size import as_ome, noise, notes_of, save_ome, write_table
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.opening import open_dataset
from coverslip.errors import BadDataset, BadRecipe, UnreadableImage
from coverslip.events import Event
from coverslip.images.decoding import Fields, describe_image, read_pixels
from coverslip.images.reader import ReadPlan
from coverslip.pipeline import train_without_report
from coverslip.runs.recipe import ImageChoices, Recipe
from coverslip.runs.recipe_keys import with_settings

BOXES = ["path", "label", "x", "y", "width", "height"]


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("czi_ometiff/test_image.ome.tif", 12),
        ("nd2/example-cerevisiae.nd2", 20),
        ("lif/tests_artifacts_misc_LeicaLASX_wavelength-sweep_example.lif", 5),
        ("wsi_tiny/small.svs", 1),
    ],
)
def test_the_center_of_a_real_image_is_read_in_its_pixel_size(shared_data: Any, name: str, length: int) -> None:
    file = shared_data("microscope_formats") / name
    um = describe_image(file)[0].pixel_size_at(0)
    assert um is not None
    whole, part = read_pixels(file).array, read_pixels(file, ReadPlan(crop_size=f"{length} um")).array
    width, height = round(length / um[0]), round(length / um[1])
    left, top = whole.shape[1] // 2 - width // 2, whole.shape[0] // 2 - height // 2
    assert min(left, top) > 0
    np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])


def test_boxes_points_and_whole_images_of_two_pixel_sizes_cover_the_same_area(tmp_path: Path) -> None:
    for name, um in (("coarse", 0.5), ("fine", 0.25)):
        save_ome(tmp_path / f"{name}.ome.tif", noise(200), um)
    files = ("coarse.ome.tif", "fine.ome.tif")
    boxes = write_table(tmp_path / "boxes.csv", BOXES, [[file, "a", 90, 95, 20, 10] for file in files])
    points = write_table(
        tmp_path / "points.csv", ["path", "label", "x", "y"], [[file, "a", 100, 100] for file in files]
    )
    whole = write_table(tmp_path / "whole.csv", ["path", "label"], [[file, "a"] for file in files])
    for table in (boxes, points, whole):
        data = open_dataset(table, crop_size="20um")
        arrays = [record.read(Fields()).array for record in data.records]
        assert [array.shape for array in arrays] == [(40, 40, 1), (80, 80, 1)]
        for side, array in zip((40, 80), arrays, strict=True):
            np.testing.assert_array_equal(array[..., 0], noise(200)[100 - side // 2 :, 100 - side // 2 :][:side, :side])
        smaller = data.read_with(ReadPlan(crop_size="10 um"))
        assert [record.read().array.shape[0] for record in smaller.records] == [20, 40]
    in_pixels = open_dataset(points, crop_size="20um").read_with(ReadPlan(crop_size=30))
    assert [record.plan for record in in_pixels.records] == [
        record.plan for record in open_dataset(points, crop_size=30).records
    ]
    margins = [record.read().array.shape for record in open_dataset(boxes).read_with(ReadPlan(crop_margin="2 um"))]
    assert margins == [(10 + 2 * 4, 20 + 2 * 4, 1), (10 + 2 * 8, 20 + 2 * 8, 1)]


def test_without_a_pixel_size_a_size_in_um_is_refused_and_a_table_can_state_it(tmp_path: Path) -> None:
    save_ome(tmp_path / "known.ome.tif", noise(64), 0.5)
    write_cells(tmp_path / "png", 1)
    png = next((tmp_path / "png").rglob("*.png"))
    rows = [["known.ome.tif", "a", ""], [str(png), "a", ""], [str(png), "a", 1]]
    table = write_table(tmp_path / "t.csv", ["path", "label", "pixel_size_um"], rows)
    declared, unstated, stated = open_dataset(table, crop_size="8 um").records
    assert declared.read().array.shape[:2] == (16, 16)
    assert stated.read().array.shape[:2] == (8, 8)
    with refusing(UnreadableImage, "crop-needs-pixel-size", length="8 um"):
        unstated.read()
    with refusing(UnreadableImage, "crop-needs-pixel-size"):
        read_pixels(png, ReadPlan(region=(4, 4, 8, 8), crop_margin="1 um"))


@pytest.mark.parametrize("written", ["32um", "32 um", "32µm", "32 μm", "32.0 um"])
def test_a_length_is_written_in_several_ways_and_stored_in_one(written: str) -> None:
    recipe = with_settings(Recipe(), [f"crop_size={written}", "crop_margin=2.50um"])
    assert (recipe.crop_size, recipe.crop_margin) == ("32 um", "2.5 um")
    assert Recipe.model_validate(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize(
    "setting", ["crop_size=0um", "crop_size=3", "crop_size=32mm", "crop_size=1.5", "crop_margin=-1um", "crop_margin=11"]
)
def test_other_values_are_refused_with_one_fault(setting: str, tmp_path: Path) -> None:
    with refusing(BadRecipe, "invalid-recipe") as error:
        with_settings(Recipe(), [setting])
    key, _, value = setting.partition("=")
    assert [fault[0] for fault in error.value.faults] == [key]
    if key == "crop_size":
        with pytest.raises(ValidationError):
            ReadPlan(crop_size=value)
        with refusing(BadDataset, "crop-size-out-of-range"):
            open_dataset(tmp_path, crop_size=value)


def test_an_image_size_in_um_names_the_key_for_it() -> None:
    with refusing(BadRecipe, "invalid-recipe") as error:
        with_settings(Recipe(), ["image_size=32um"])
    ((key, fault),) = error.value.faults
    assert key == "image_size"
    assert "crop_size" in fault


@pytest.mark.slow
def test_a_classifier_of_squares_in_um_predicts_images_of_another_pixel_size(own_cache: None, tmp_path: Path) -> None:
    coarse = as_ome(write_cells(tmp_path / "png"), tmp_path / "coarse", 0.5)
    run = tmp_path / "run"
    settings = [f"{key}={INSTANT.model_dump()[key]}" for key in ("model", "stage", "image_size", "tta")]
    options = [f"--set={each}" for each in (*settings, "split.folds=0", "augment=none")]
    command = ["train", str(coarse), "--group-pattern", GROUPS, "--crop-size", "16um", "--out", str(run), *options]
    assert main(command) == 0
    card = cs.load_classifier(run, device="cpu").card
    assert card.preprocessing.plan == ReadPlan(crop_size="16 um")
    assert card.trained_on.width_px == (32, 32)
    fine = tmp_path / "fine"
    for file in sorted(coarse.rglob("*.tif")):
        pixels = read_pixels(file).array.repeat(2, 0).repeat(2, 1)
        save_ome(fine / file.relative_to(coarse), pixels, 0.25)
    rows = {}
    for folder in (coarse, fine):
        events: list[Event] = []
        predictions = cs.load_classifier(run, device="cpu").predict(folder, emit=events.append)
        assert not {note.code for note in notes_of(events)} & {"other-pixel-size", "unlike-training", "field-of-view"}
        rows[folder] = [row.predicted for row in predictions]
    assert np.mean([a == b for a, b in zip(rows[coarse], rows[fine], strict=True)]) > 0.95
    # Without a pixel size, every image is one row that says why.
    assert {row.decision for row in cs.load_classifier(run, device="cpu").predict(tmp_path / "png")} == {"unreadable"}


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_stated_pixel_size_sets_the_area_and_stays_with_the_training_images(own_cache: None, tmp_path: Path) -> None:
    png = write_cells(tmp_path / "png")
    recipe = INSTANT.model_copy(update={"crop_size": "16 um", "images": ImageChoices(pixel_size_um=0.4)})
    run = train_without_report(
        open_dataset(png, group_pattern=GROUPS), recipe, out=tmp_path / "run", emit=lambda _: None
    )
    assert run.card is not None
    assert run.card.trained_on.width_px == (40, 40)
    assert run.card.preprocessing.plan == ReadPlan(crop_size="16 um")
