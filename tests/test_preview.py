"""The preview: what is drawn is what training would see."""

import base64
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import coverslip as cs
from coverslip.cli import main
from coverslip.runs.recipe import Augment, Recipe, SplitPlan, augment_named
from coverslip.training.preview import GAP_PX, HEADER_PX, LABEL_PX, VARIANTS
from coverslip.workspace.trainings.queueing import draw_augmentation

SIDE = 96
PLAIN = Recipe(image_size=SIDE, augment=augment_named("none"))


def write_images(folder: Path, channels: int, dtype: type, n: int = 24) -> Path:
    rng = np.random.default_rng(0)
    for i in range(n):
        label = ("round", "long", "very long name of a class that nobody can read")[i % 3]
        pixels = rng.integers(0, np.iinfo(dtype).max, (channels, 20, 20 + 10 * (i % 3))).astype(dtype)
        (folder / label).mkdir(parents=True, exist_ok=True)
        color = channels == 3 and dtype is np.uint8
        tifffile.imwrite(
            folder / label / f"{i:02d}.tif",
            np.moveaxis(pixels, 0, -1) if color else pixels,
            photometric="rgb" if color else "minisblack",
            metadata=None if color else {"axes": "CYX"},
        )
    return folder


def tiles(file: Path) -> np.ndarray:
    """(rows, columns, S, S, 3)."""
    sheet, step = np.asarray(Image.open(file)), SIDE + GAP_PX
    n_rows = (sheet.shape[0] - HEADER_PX) // step
    return np.stack(
        [
            [
                sheet[HEADER_PX + row * step :, LABEL_PX + column * step :][:SIDE, :SIDE]
                for column in range(1 + VARIANTS)
            ]
            for row in range(n_rows)
        ]
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_a_sheet_shows_images_as_prepared_and_without_changes_five_times_the_same(
    tmp_path: Path, channels: int, dtype: type
) -> None:
    data = cs.open_dataset(write_images(tmp_path / "images", channels, dtype))
    shown = tiles(cs.preview(data, PLAIN, out=tmp_path / "sheet.png", n=4))
    assert shown.shape == (4, 1 + VARIANTS, SIDE, SIDE, 3)
    assert (shown == shown[:, :1]).all()
    assert shown.std() > 20
    is_colored = bool((shown[..., 0] != shown[..., 1]).any())
    assert is_colored == (channels == 3)


@pytest.mark.slow
def test_changes_follow_recipe_and_seed(tmp_path: Path) -> None:
    data = cs.open_dataset(write_images(tmp_path / "images", 1, np.uint8))
    turned = PLAIN.model_copy(update={"augment": Augment()})
    first, second = (cs.preview(data, turned, out=tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second
    other = cs.preview(data, turned.model_copy(update={"seed": 1}), out=tmp_path / "c.png")
    assert other.read_bytes() != first
    shown = tiles(tmp_path / "a.png")
    assert all((shown[row, 0] != shown[row, column]).any() for row in range(6) for column in range(1, 1 + VARIANTS))


def test_only_images_that_the_recipe_trains_on_are_shown(tmp_path: Path) -> None:
    data = cs.open_dataset(write_images(tmp_path / "images", 1, np.uint8))
    few = PLAIN.model_copy(update={"split": SplitPlan(train_per_class=2)})
    assert len(tiles(cs.preview(data, few, out=tmp_path / "sheet.png", n=12))) == 2 * 3


def test_all_classes_are_shown_in_turn(tmp_path: Path) -> None:
    data = cs.open_dataset(write_images(tmp_path / "images", 1, np.uint8))
    canvas = PLAIN.model_copy(update={"resize": "canvas", "pad_color": "white"})
    shown = tiles(cs.preview(data, canvas, out=tmp_path / "sheet.png", n=3))[:, 0, :, :, 0]
    heights = [(row != 255).any(axis=1).sum() for row in shown]
    widths = sorted((row != 255).any(axis=0).sum() for row in shown)
    assert heights == [48, 48, 48]  # 20 of the 40 pixels of the widest
    assert widths == [48, 72, 96]


def test_the_command_writes_the_file_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = write_images(tmp_path / "images", 3, np.uint8)
    out = tmp_path / "sheet.png"
    settings = ["--set", f"image_size={SIDE}", "--set", "augment=stain", "--set", "augment.blur=1.5"]
    assert main(["preview", str(images), *settings, "--n", "2", "--seed", "4", "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    assert tiles(out).shape[0] == 2
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["sheet.png"]


def test_a_sheet_that_cannot_be_written_is_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = write_images(tmp_path / "images", 1, np.uint8)
    assert main(["preview", str(images), "--set", f"image_size={SIDE}", "--out", str(tmp_path)]) == 1
    assert "The file could not be written" in capsys.readouterr().err


def test_the_picture_of_a_page_is_drawn_without_a_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_images(tmp_path / "cells", 3, np.uint8)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))  # a process that is killed would leave files
    encoded = draw_augmentation(
        group=None, group_pattern=None, sources=[str(folder)], recipe=PLAIN.model_dump(mode="json")
    )
    assert Image.open(io.BytesIO(base64.b64decode(encoded))).format == "PNG"
