"""Tiles of images for the viewer: pixels, colors, limits, planes and levels."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from image_sets import App, in_lists, workspace_in
from PIL import Image
from small_workspace import evaluated_here, predicted_here, trained_here, until
from trained import SMALL_NETWORK

from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.recipes import recipe_of_dataset
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.viewing import tiles

Array = np.ndarray[Any, Any]


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


def opened(app: App, folder: Path) -> str:
    """Return the address of the only image of a folder."""
    dataset = app.open(folder, is_labeled=False)
    (image,) = app.get(f"lists/{dataset['id']}/rows")["items"]
    return f"lists/{dataset['id']}/rows/{image['row_id']}"


def tile(app: App, image: str, level: int, x: int, y: int, **query: Any) -> Array:
    answer = app.client.get(f"/api/v1/{image}/tiles/{level}/{x}/{y}", params=query)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))


def assembled(app: App, image: str, level: int, size: tuple[int, int], **query: Any) -> Array:
    """Return a level from its tiles, (height, width, 3)."""
    rows = [
        np.concatenate([tile(app, image, level, x, y, **query) for x in range(-(-size[0] // 512))], axis=1)
        for y in range(-(-size[1] // 512))
    ]
    return np.concatenate(rows)


def gradient(width: int, height: int) -> Array:
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([255 * x // width, 255 * y // height, 255 - 255 * x // width], axis=-1).astype(np.uint8)


@pytest.mark.slow
def test_a_small_color_image_is_one_level_with_exact_pixels(app: App, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (600, 700, 3), dtype=np.uint8)
    (tmp_path / "a").mkdir()
    Image.fromarray(pixels).save(tmp_path / "a" / "noise.png")
    image = opened(app, tmp_path / "a")
    facts = app.get(f"{image}/tiles")
    assert (facts["width"], facts["height"], facts["n_levels"], facts["is_color"]) == (700, 600, 1, True)
    assert [each["color"] for each in facts["channels"]] == ["ff0000", "00ff00", "0000ff"]
    assert np.array_equal(assembled(app, image, 0, (700, 600)), pixels)
    green = tile(app, image, 0, 1, 0, display="1:00ff00")
    assert not green[..., ::2].any()
    assert np.array_equal(green[..., 1], pixels[:512, 512:, 1])
    assert not tile(app, image, 0, 1, 1, display="").any()
    for wrong in ("1/0/0", "0/2/0", "0/0/2"):
        assert app.refused("GET", f"{image}/tiles/{wrong}")["code"] == "no-such-tile"
    for wrong in ("x", "0:ff0000:1", "0:red"):
        assert app.client.get(f"/api/v1/{image}/tiles/0/0/0", params={"display": wrong}).status_code == 422


def test_channels_are_added_in_their_colors_within_their_limits(app: App, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    stack = rng.integers(100, 4000, (3, 2, 40, 50), dtype=np.uint16)  # z, channel
    (tmp_path / "a").mkdir()
    tifffile.imwrite(
        tmp_path / "a" / "cells.ome.tif",
        stack,
        metadata={
            "axes": "ZCYX",
            "Channel": {"Name": ["DAPI", "GFP"]},
            **{f"PhysicalSize{axis}": 0.25 for axis in "XY"},
            **{f"PhysicalSize{axis}Unit": "µm" for axis in "XY"},
        },
    )
    image = opened(app, tmp_path / "a")
    facts = app.get(f"{image}/tiles")
    assert (facts["n_z"], facts["z"], facts["n_t"], facts["pixel_size_um"]) == (3, 0, 1, [0.25, 0.25])
    assert [each["name"] for each in facts["channels"]] == ["DAPI", "GFP"]
    shown = tile(app, image, 0, 0, 0, z=2, display="0:ff0000:0:4000,1:00ff80:1000:3000")
    red = np.clip(stack[2, 0] / 4000, 0, 1) * 255
    green = np.clip((stack[2, 1] - 1000.0) / 2000, 0, 1) * 255
    expected = np.stack([red, green, green * 128 / 255], axis=-1)
    assert np.abs(shown - expected).max() <= 1
    highest = tile(app, image, 0, 0, 0, z="max", display="0:ffffff:0:4000")
    assert np.abs(highest[..., 0] - stack[:, 0].max(axis=0) / 4000 * 255).max() <= 1
    automatic = tile(app, image, 0, 0, 0)
    assert automatic.min() < 3 and automatic.max() > 252  # noqa: PT018
    assert app.refused("GET", f"{image}/tiles?z=3")["code"] == "no-such-plane"
    assert app.refused("GET", f"{image}/tiles?series=1")["code"] == "no-such-series"
    assert app.client.get(f"/api/v1/{image}/tiles?z=middle").status_code == 422


@pytest.mark.slow
@pytest.mark.parametrize(
    "levels",
    ["computed", pytest.param("of the file", marks=pytest.mark.exhaustive), "of the file, each a quarter"],
)
def test_every_level_shows_the_whole_image(app: App, tmp_path: Path, levels: str) -> None:
    pixels = gradient(2401, 1703)
    (tmp_path / "a").mkdir()
    file = tmp_path / "a" / "large.tif"
    if levels == "computed":
        tifffile.imwrite(file, pixels, tile=(256, 256))
    else:
        step = 2 if levels == "of the file" else 4
        with tifffile.TiffWriter(file) as writer:
            writer.write(pixels, tile=(256, 256), subifds=1, photometric="rgb")
            writer.write(pixels[::step, ::step], tile=(256, 256), subfiletype=1, photometric="rgb")
    image = opened(app, tmp_path / "a")
    facts = app.get(f"{image}/tiles")
    assert (facts["width"], facts["height"], facts["n_levels"]) == (2401, 1703, 3)
    for level in range(3):
        size = -(-2401 // 2**level), -(-1703 // 2**level)
        shown = assembled(app, image, level, size)
        assert shown.shape == (size[1], size[0], 3)
        assert np.abs(shown.astype(int) - gradient(*size)).max() <= 4
    small = app.client.get(f"/api/v1/{image}/overview", params={"side": 200})
    assert Image.open(io.BytesIO(small.content)).size == (200, 142)


@pytest.mark.slow
def test_an_image_too_large_to_decode_is_prepared_once_and_then_shown(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiles, "MAX_BYTES", 2**20)
    (tmp_path / "a").mkdir()
    tifffile.imwrite(tmp_path / "a" / "large.tif", gradient(4500, 1100)[..., 0], tile=(256, 256))
    image = opened(app, tmp_path / "a")
    first = app.get(f"{image}/tiles")
    assert (first["n_levels"], first["channels"], first["preparation"]["done"]) == (4, [], 0)
    facts = until(lambda: each if not (each := app.get(f"{image}/tiles"))["preparation"] else None)
    assert len(facts["channels"]) == 1
    for level in (0, 3):
        size = -(-4500 // 2**level), -(-1100 // 2**level)
        shown = assembled(app, image, level, size)[..., 0]
        assert np.abs(shown.astype(int) - gradient(*size)[..., 0]).max() <= 4


def test_a_damaged_file_has_one_clear_error(app: App, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "broken.tif").write_bytes(b"II*\0" + bytes(40))
    image = opened(app, tmp_path / "a")
    assert app.refused("GET", f"{image}/tiles")["code"] == "image-damaged"
    assert app.refused("GET", f"{image}/tiles/0/0/0")["code"] == "image-damaged"


def stacks(folder: Path) -> Path:
    """Two stacks of different z-planes and channels, in folders of their classes."""
    rng = np.random.default_rng(2)
    for label in ("bright", "dark"):
        (folder / label).mkdir(parents=True)
        stack = rng.integers(0, 3000, (3, 2, 32, 32), dtype=np.uint16)
        stack[1] += 20_000
        tifffile.imwrite(
            folder / label / "cell.ome.tif", stack, metadata={"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}}
        )
    return folder


def test_a_dataset_of_stacks_states_what_can_be_chosen_and_keeps_labels_when_it_is(app: App, tmp_path: Path) -> None:
    dataset = app.open(stacks(tmp_path / "a"))
    at = f"datasets/{dataset['id']}"
    assert app.get(at)["pixels"] is None
    options = app.get(f"{at}/pixel-options")
    assert (options["keys"], options["n_files"], options["are_alike"]) == (["z", "channels"], 2, True)
    (series,) = options["series"]
    assert (series["n_z"], series["n_t"], series["channels"]) == (3, 1, ["DAPI", "GFP"])
    first = app.get(f"{in_lists(at)}/rows")["items"][0]
    app.label(at, [0], "dark")
    pixels = {"series": 0, "t": 0, "z": "max", "channels": ["GFP"], "level": 0}
    changed = app.send("PATCH", at, {"pixels": pixels})
    assert changed["pixels"] == pixels
    until(lambda: app.get(at)["state"] == "ready")
    again = app.get(f"{in_lists(at)}/rows")["items"][0]
    assert (again["row_id"], again["label"], again["version"] != first["version"]) == (first["row_id"], "dark", True)
    facts = app.get(f"{in_lists(at)}/rows/{again['row_id']}")
    assert (facts["n_channels"], facts["low"][0] > 15_000) == (1, True)
    viewed = app.get(f"{in_lists(at)}/rows/{again['row_id']}/tiles")
    assert (viewed["z"], [each["is_visible"] for each in viewed["channels"]]) == ("max", [False, True])
    display = [{"name": "DAPI", "color": "0000ff", "low": 0.0, "high": 9.0}, {"name": "GFP", "color": "00ff00"}]
    app.send("PATCH", at, {"display": display})
    assert app.get(f"{in_lists(at)}/rows/{again['row_id']}/tiles")["channels"][0]["high"] == 9.0
    assert app.refused("PATCH", at, {"display": [display[0] | {"high": 0.0}]})["status"] == 422
    with app.home.engine.connect() as connection:
        row = dataset_row(connection, dataset["id"])
    recipe = recipe_of_dataset(app.home, row, {})
    assert (recipe.images.z, recipe.images.channels) == ("max", ("GFP",))
    recipe = recipe_of_dataset(app.home, row, {"images.z": 1})
    assert (recipe.images.z, recipe.images.channels) == (1, ("GFP",))


def test_nothing_is_asked_about_ordinary_files(app: App, tmp_path: Path) -> None:
    for label in ("x", "y"):
        (tmp_path / "a" / label).mkdir(parents=True)
        Image.fromarray(gradient(40, 30)).save(tmp_path / "a" / label / "cell.png")
        tifffile.imwrite(tmp_path / "a" / label / "cell.tif", gradient(40, 31), photometric="rgb")
    dataset = app.open(tmp_path / "a")
    assert app.get(f"datasets/{dataset['id']}/pixel-options")["keys"] == []


@pytest.mark.slow
def test_trainings_and_predictions_read_the_chosen_pixels(app: App, tmp_path: Path) -> None:
    """The classes differ in the last z-plane of the second channel only."""
    rng = np.random.default_rng(3)
    for folder, n in (("a", 12), ("b", 4)):
        for label, level in (("bright", 40_000), ("dark", 4_000)):
            (tmp_path / folder / label).mkdir(parents=True)
            for k in range(n):
                stack = rng.integers(0, 3000, (3, 2, 32, 32), dtype=np.uint16)
                stack[2, 1] += level
                file = tmp_path / folder / label / f"{k}.ome.tif"
                tifffile.imwrite(file, stack, metadata={"axes": "ZCYX", "Channel": {"Name": ["DAPI", "GFP"]}})
    new = app.open(tmp_path / "b")
    dataset = app.open(tmp_path / "a")
    pixels = {"series": 0, "t": 0, "z": 2, "channels": ["GFP"], "level": 0}
    app.send("PATCH", f"datasets/{dataset['id']}", {"pixels": pixels})
    until(lambda: app.get(f"datasets/{dataset['id']}")["state"] == "ready")
    recipe = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 32, "tta": 1, "split.folds": 0}
    run = trained_here(app.home, dataset["id"], recipe)
    assert find_job(app.home, run).run.recipe.images.model_dump(mode="json") == {**pixels, "pixel_size_um": None}
    # As in training, unless other pixels were chosen for the new images.
    for other_pixels, is_right in ((None, True), ({**pixels, "z": 0}, False)):
        if other_pixels is not None:
            app.send("PATCH", f"datasets/{new['id']}", {"pixels": other_pixels})
            until(lambda: app.get(f"datasets/{new['id']}")["state"] == "ready")
        prediction = predicted_here(app.home, run, new["id"])
        rows = find_job(app.home, prediction).folder / "predictions.csv"
        table = list(csv.DictReader(rows.read_text(encoding="utf-8").splitlines()))
        assert len(table) == 8
        n_right = sum(row["predicted"] in row["path"] for row in table)
        assert (n_right == 8) == is_right
        codes = [note["code"] for note in app.get(f"jobs/{prediction}")["notes"]]
        assert ("other-pixels" in codes) == (other_pixels is not None)
        # The images were labeled as they are shown, so that an evaluation reads the same pixels.
        evaluation = evaluated_here(app.home, run, new["id"])
        measured = find_job(app.home, evaluation).run.predictions
        assert {row.image_id: row.predicted for row in measured} == {row["image_id"]: row["predicted"] for row in table}
        codes = [note["code"] for note in app.get(f"jobs/{evaluation}")["notes"]]
        assert ("other-pixels" in codes) == (other_pixels is not None)
    # The viewer shows what was read, in the colors of the dataset.
    display = [{"name": "DAPI", "color": "00ff00"}, {"name": "GFP", "color": "ff0000", "low": 0.0, "high": 9_000.0}]
    app.send("PATCH", f"datasets/{new['id']}", {"display": display})
    at = f"lists/{prediction}/rows/0"
    viewed = app.get(f"{at}/tiles")
    assert (viewed["z"], viewed["n_z"], viewed["width"]) == (0, 3, 32)
    assert [channel["color"] for channel in viewed["channels"]] == ["00ff00", "ff0000"]
    (path,) = {row["path"] for row in table[:1]}
    stack = tifffile.imread(path)
    np.testing.assert_array_equal(
        tile(app, at, 0, 0, 0, display="0:ffffff:0:255")[..., 0], np.minimum(stack[0, 0], 255)
    )
    plane = tile(app, at, 0, 0, 0, z=2, display="1:ffffff:0:65535")[..., 0]
    np.testing.assert_allclose(plane, stack[2, 1] / 257, atol=1)
    assert app.client.get(f"/api/v1/{at}/tiles/9/0/0").status_code == 404
    assert app.client.get(f"/api/v1/lists/{prediction}/rows/99/tiles").status_code == 404
    at = f"lists/{run}/rows/{app.get(f'lists/{run}/rows')['items'][0]['row_id']}"
    assert app.get(f"{at}/tiles")["z"] == 2
