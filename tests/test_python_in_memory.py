"""Images and tables that a Python program holds: the same as files of the same pixels, wherever files may be given."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import polars as pl
import pytest
from drawing import save_cells, save_pixels
from PIL import Image
from refusing import refusing
from tables import json_of, rows_of
from tifffile import imwrite
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.datasets.index.records import ImageRecord
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadDataset, BadRun, UnreadableImage
from coverslip.images.decoding import read_pixels
from coverslip.images.preprocessing import pixel_hash
from coverslip.images.reader import ReadPlan
from coverslip.messages import text
from coverslip.runs.folder import Run, create_run_folder
from coverslip.runs.images import ImageLookup, unchanged_images, write_in_memory_images

Pixels = npt.NDArray[Any]  # Any: each test's own dtype
RNG = np.random.default_rng(0)


def only(source: object, **choices: Any) -> ImageRecord:  # Any: choices of open_dataset
    (record,) = cs.open_dataset(source, labeled=False, **choices)
    return record


def drawn(dtype: str, *shape: int) -> Pixels:
    top = 1 if dtype.startswith("float") else np.iinfo(dtype).max
    return (RNG.random(shape) * top).astype(dtype)


# One image


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [
        ("uint8", (7, 9)),
        ("uint8", (7, 9, 3)),
        ("uint16", (7, 9)),
        ("uint16", (7, 9, 3)),
        ("uint16", (7, 9, 5)),
        ("float32", (7, 9, 2)),
        ("float64", (7, 9)),
        ("int16", (7, 9)),
    ],
)
def test_an_array_is_what_a_lossless_file_of_its_pixels_is(dtype: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    array = drawn(dtype, *shape)
    imwrite(tmp_path / "a.tif", array, photometric="rgb" if shape[2:] == (3,) else "minisblack", planarconfig="contig")
    plan = ReadPlan(region=(2, 1, 4, 3))
    for plan_of_read in (ReadPlan(), plan, *([ReadPlan(channels=(1, 0))] if array.ndim == 3 else [])):
        of_file, of_array = read_pixels(tmp_path / "a.tif", plan_of_read), only(array, plan=plan_of_read).read()
        assert of_array.array.dtype == of_file.array.dtype
        assert np.array_equal(of_array.array, of_file.array)
        assert (of_array.bit_depth, of_array.n_planes) == (of_file.bit_depth, of_file.n_planes)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_wide_integers_are_the_pixels_that_they_hold(dtype: str) -> None:
    dark, bright = drawn("uint8", 7, 9), drawn("uint16", 7, 9) // 2 + 256

    def read(*images: Pixels, **choices: Any) -> list[Pixels]:
        images_given = [image.astype(dtype) for image in images]
        return [record.read().array[..., 0] for record in cs.open_dataset(images_given, labeled=False, **choices)]

    (as_8_bit,) = read(dark)
    assert as_8_bit.dtype == np.uint8
    assert np.array_equal(as_8_bit, dark)
    assert [array.dtype for array in read(dark, bright)] == [np.uint16, np.uint16]
    assert np.array_equal(read(dark, bright)[1], bright)
    assert [array.dtype for array in read(dark, depth="uint16")] == [np.uint16]
    with refusing(BadDataset, "values-out-of-range", depth="uint8", highest=255):
        read(bright, depth="uint8")
    with refusing(BadDataset, "values-out-of-range", high=70_000, depth="uint16"):
        read(np.full((3, 3), 70_000))


def test_integers_below_zero_are_no_pixels() -> None:
    with refusing(BadDataset, "values-out-of-range", low=-1, high=-1):
        only(np.full((3, 3), -1))


def test_channels_first_are_declared_by_name_and_distinguished_from_channels_last() -> None:
    array = drawn("uint8", 12, 10, 3)
    first = np.ascontiguousarray(array.transpose(2, 0, 1))
    assert np.array_equal(only(first, axes="CHW").read().array, array)
    with refusing(BadDataset, "wrong-axes", axes="CHW", n_channels=10):
        only(first)
    with refusing(BadDataset, "wrong-axes", n_channels=32, height=100, width=32):
        only(drawn("uint8", 100, 32, 32))


def test_truth_values_are_black_and_white() -> None:
    assert only(np.array([[True, False]])).read().array.ravel().tolist() == [255, 0]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "LA", "I;16", "F"])
def test_a_pillow_image_is_what_its_file_is(mode: str, tmp_path: Path) -> None:
    gray = Image.fromarray(drawn("uint8", 8, 11))
    image = Image.fromarray(drawn("uint16", 8, 11)) if mode == "I;16" else gray.convert(mode)
    image.save(tmp_path / "a.tif")
    of_file = read_pixels(tmp_path / "a.tif")
    for source in (image, Image.open(tmp_path / "a.tif")):
        assert np.array_equal(only(source).read().array, of_file.array)
        assert only(source).read().bit_depth == of_file.bit_depth


def test_a_pillow_image_is_turned_upright_as_its_file_is(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(drawn("uint8", 8, 16, 3)).save(tmp_path / "a.jpg", exif=exif)
    with Image.open(tmp_path / "a.jpg") as image:
        assert np.array_equal(only(image).read().array, read_pixels(tmp_path / "a.jpg").array)


def test_what_cannot_be_an_image_is_refused_by_name() -> None:
    good = drawn("uint8", 5, 5)
    refused = (
        (np.zeros((0, 5)), "no-pixels", {"name": "image 0", "shape": "(0, 5)"}),
        (np.zeros((5, 5), complex), "not-an-array-of-numbers", {"dtype": "complex128"}),
        ([good, 7], "unsupported-item", {"index": 1, "item": "7"}),
        ([good, (good, "red")], "unsupported-item", {"index": 1}),
        (7, "not-images-in-memory", {"type_name": "int"}),
        (np.zeros((2, 2, 2, 2, 2)), "not-a-stack", {"n_axes": 5}),
        ([], "no-images-given", {"is_labeled": False}),
    )
    for source, code, parameters in refused:
        with refusing(BadDataset, code, **parameters):
            cs.open_dataset(source, labeled=False)
    with pytest.raises(UnreadableImage, match="finite"):
        only(np.full((3, 3), np.nan)).read()
    with pytest.raises(UnreadableImage, match="z-plane 1"):
        only(good, plan=ReadPlan(z=1)).read()


# Several


def test_stacks_lists_generators_and_mixtures_keep_their_order_and_every_copy(tmp_path: Path) -> None:
    stack = drawn("uint8", 4, 6, 6, 3)
    file = save_pixels(tmp_path / "a.png", stack[1])
    for source in (stack, list(stack), iter(stack), [stack[0], file, stack[2], Image.fromarray(stack[3])]):
        data = cs.open_dataset(source, labeled=False)
        pixels = [record.read() for record in data]
        expected = [replace(each, array=image) for each, image in zip(pixels, stack, strict=True)]
        assert list(map(pixel_hash, pixels)) == list(map(pixel_hash, expected))
        assert data[2].image_id == "image 2"
    assert len(cs.open_dataset([stack[0], stack[0]], labeled=False)) == 2
    assert len(cs.open_dataset([{"image": stack}, {"image": stack}], labeled=False)) == 8
    assert [f.n_channels for f in scan_images(cs.open_dataset(stack, labeled=False)).facts] == [3] * 4


# Tables

FRAMES: list[Callable[[dict[str, list[Any]]], object]] = [dict, pd.DataFrame, pl.DataFrame]


@pytest.mark.parametrize("frame", FRAMES, ids=["dict", "pandas", "polars"])
def test_a_data_frame_of_paths_is_what_its_file_is(
    frame: Callable[[dict[str, list[Any]]], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_cells(tmp_path, ["red", "blue"], n=3)
    monkeypatch.chdir(tmp_path)
    columns: dict[str, list[Any]] = {
        "file": [f"{label}/slide{i % 3}_{i}.png" for label in ("red", "blue") for i in range(3)],
        "label": ["red"] * 3 + ["blue"] * 3,
        "patient": [7, 8, None] * 2,
        "x": [0] * 6,
        "y": [1] * 6,
        "width": [20] * 6,
        "height": [10] * 6,
    }
    lines = [",".join(columns), *(",".join("" if c is None else str(c) for c in row) for row in zip(*columns.values()))]  # noqa: B905
    (tmp_path / "cells.csv").write_text("\n".join(lines))
    of_file = cs.open_dataset("cells.csv", group="patient")
    data = cs.open_dataset(frame(columns), group="patient")
    assert data.records == of_file.records
    assert data.classes == of_file.classes
    assert cs.open_dataset(frame({"file": columns["file"]}), labeled=False)[5].path == data[5].path
    assert len(cs.open_dataset(pd.Series(columns["file"]), labeled=False)) == 6


@pytest.mark.parametrize("frame", FRAMES[:2], ids=["dict", "pandas"])  # polars has no type for them
def test_a_table_may_hold_the_images_themselves(frame: Callable[[dict[str, list[Any]]], object]) -> None:
    images = [drawn("uint8", 6, 6), Image.fromarray(drawn("uint8", 6, 6, 3)), drawn("uint16", 5, 5, 4)]
    data = cs.open_dataset(frame({"image": images, "label": ["a", "b", "a"], "group": ["p", "p", "q"]}))
    assert [record.label for record in data] == ["a", "b", "a"]
    assert [record.group for record in data] == ["p", "p", "q"]
    assert [record.read().array.shape for record in data] == [(6, 6, 1), (6, 6, 3), (5, 5, 4)]
    assert data.is_in_memory


@pytest.mark.parametrize(
    ("table", "code", "parameters"),
    [
        ({"image": [np.zeros((4, 4), np.uint8)]}, "no-labels-given", {}),
        (
            {"image": [np.zeros((4, 4), np.uint8)], "lable": ["a"]},
            "missing-column",
            {"meaning": "label", "hint": f" {text('is-it-column', column='lable')}"},
        ),
        (
            {"image": [np.zeros((4, 4), np.uint8)], "label": ["a", "b"]},
            "unequal-columns",
            {
                "columns": ", ".join(
                    text("column-length", column=column, n_cells=n) for column, n in (("image", 1), ("label", 2))
                )
            },
        ),
        ({"image": [], "label": []}, "no-table-rows", {}),
        (
            {"image": [np.zeros((4, 4), np.uint8)], "path": ["a.png"], "label": ["a"]},
            "images-and-paths",
            {"columns": "'image', 'path'"},
        ),
        (
            {"image": [np.zeros((4, 4), np.uint8)], "label": ["a"], "split": ["tset"]},
            "invalid-rows",
            {"n_rows": 1},
        ),
        ({"path": ["nowhere.png"], "label": ["a"]}, "no-file-exists", {"n_files": 1, "cell": "nowhere.png"}),
    ],
)
def test_a_table_that_cannot_be_used_says_why(table: dict[str, Any], code: str, parameters: dict[str, Any]) -> None:
    with refusing(BadDataset, code, **parameters):
        cs.open_dataset(table)


def test_an_invalid_row_is_named_by_its_position() -> None:
    table = {"image": [np.zeros((4, 4), np.uint8)] * 2, "label": ["a", "b"], "split": ["train", "tset"]}
    with refusing(BadDataset, "invalid-rows") as refused:
        cs.open_dataset(table)
    assert refused.value.parameters["rows"].startswith(text("table-row", row=1))


@pytest.mark.parametrize("labels", [["a", "b", "a"], np.array(["a", "b", "a"]), pd.Series(["a", "b", "a"])])
def test_images_and_labels_may_be_given_side_by_side(labels: object) -> None:
    for images in (drawn("uint8", 3, 6, 6), drawn("int64", 3, 6, 6, 3) % 256, list(drawn("uint8", 3, 6, 6))):
        data = cs.open_dataset((images, labels))
        assert [record.label for record in data] == ["a", "b", "a"]
        assert np.array_equal(data[1].read().array.squeeze(), images[1])


def test_images_and_labels_are_of_one_number() -> None:
    with refusing(BadDataset, "unequal-labels", n_images=3, n_labels=2):
        cs.open_dataset((drawn("uint8", 3, 6, 6), [0, 1]))


def test_labels_may_be_numbers() -> None:
    assert cs.open_dataset((drawn("uint8", 2, 6, 6), np.array([0, 1]))).classes == ("0", "1")


def test_two_paths_in_a_tuple_are_two_sources(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_cells(tmp_path / name, ["red", "blue"], n=1)
    assert len(cs.open_dataset((tmp_path / "a", tmp_path / "b"))) == 4


def test_images_in_memory_are_not_grouped_by_patterns() -> None:
    with refusing(BadDataset, "pattern-matches-nothing", n_paths=2):
        cs.open_dataset({"image": drawn("uint8", 2, 5, 5), "label": ["a", "b"]}, group_pattern="slide")


# The main job


def loaded(cells: Path) -> dict[str, Any]:  # Any: columns
    """The cells as a program may hold them, with their slides."""
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    return {
        "image": [np.asarray(Image.open(record.path)) for record in data],
        "label": [record.label for record in data],
        "slide": [record.group for record in data],
    }


@pytest.mark.slow
def test_predictions_of_arrays_are_exactly_those_of_their_files(trained: Run, cells: Path, tmp_path: Path) -> None:
    files = sorted(cells.rglob("*.png"))[::9]
    arrays = [np.asarray(Image.open(file)) for file in files]
    classifier = cs.load_classifier(trained.folder, "cpu")
    of_files = classifier.predict(files)
    for source in (arrays, np.stack(arrays), [Image.open(file) for file in files], pd.DataFrame({"path": files})):
        table = classifier.predict(source)
        assert [row.logits for row in table] == [row.logits for row in of_files]
        assert table["decision"] == of_files["decision"]
    wide = [array.astype(np.int64) for array in arrays]
    assert [row.logits for row in classifier.predict(wide)] == [row.logits for row in of_files]
    first = [array.transpose(2, 0, 1) for array in arrays]
    assert np.array_equal(classifier.predict_proba(first, axes="CHW"), of_files.probabilities)
    cs.predict(trained.folder, arrays, out=tmp_path / "p.csv", device="cpu")
    rows = rows_of(tmp_path / "p.csv")
    assert [row["image_id"] for row in rows] == [f"image {k}" for k in range(len(files))]
    assert [float(row["probability"]) for row in rows] == pytest.approx(of_files["probability"], abs=1e-6)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_training_on_arrays_is_that_on_their_files_and_its_folder_is_whole(
    trained: Run, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cs.train(loaded(cells), INSTANT.model_copy(update={"group": "slide"}), out=tmp_path / "run")
    assert run.metrics.metrics == trained.metrics.metrics
    assert np.array_equal(run.test_logits, trained.test_logits)
    assert run.recipe.group == "slide"
    notes = [note for note in json_of(run.inspection_file)["notes"] if note["code"] == "given-in-memory"]
    assert notes[0]["parameters"]["n_images"] == 90
    first = run.predictions[0]
    source = ImageLookup(run).find(first.image_id)
    assert source is not None
    assert source.file.parent == run.in_memory_folder
    assert cs.evaluate(run.folder, device="cpu").metrics.metrics == run.metrics.metrics
    report = run.report_file.read_text(encoding="utf-8")
    assert "data:image/webp" in report
    assert "90 images were given in memory" in report
    run = Run(run.folder.rename(tmp_path / "moved"))
    resumed = unchanged_images(run)  # what a resumed training begins with
    assert len(resumed) == 90
    assert [note.text for note in resumed.notes if note.code == "given-in-memory"] == [notes[0]["text"]]
    assert ImageLookup(run).find(first.image_id) is not None
    run.in_memory_folder.rename(tmp_path / "away")
    with pytest.raises((BadDataset, BadRun)):
        cs.evaluate(run.folder, device="cpu")


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_run_is_measured_on_arrays_under_a_name_of_their_own(own_run: Run, cells: Path) -> None:
    columns = loaded(cells)
    some = {name: values[::3] for name, values in columns.items()}
    measured = cs.evaluate(own_run.folder, some, device="cpu")
    assert measured.folder == own_run.evaluation("in_memory").folder
    assert measured.metrics.n == 30
    assert cs.evaluate(own_run.folder, some, device="cpu").metrics.n == 30
    with pytest.raises(BadRun) as refused:
        cs.evaluate(own_run.folder, {name: values[:20] for name, values in columns.items()}, device="cpu")
    assert refused.value.code == "evaluation-name-taken"


def test_copies_in_a_run_are_read_back_exactly_with_all_that_is_known_of_them(tmp_path: Path) -> None:
    table = {
        "image": [drawn("uint16", 9, 9, 5), drawn("float32", 9, 9), drawn("uint8", 9, 9, 3), np.ones((9, 9), bool)] * 2,
        "label": ["a", "b"] * 4,
        "domain": ["x", "y"] * 4,
        "split": ["train", "test"] * 4,
        "channels": ["1 0", "0", "2", ""] * 2,
        "x": [1] * 8,
        "y": [2] * 8,
        "width": [3] * 8,
        "height": [4] * 8,
        "patient": [1] * 8,
    }
    data = cs.open_dataset(table, group="patient")
    stored = write_in_memory_images(data, Run(tmp_path))
    assert not stored.is_in_memory
    assert len(list(Run(tmp_path).in_memory_folder.glob("*.tif"))) == 4
    for before, after in zip(data, stored, strict=True):
        assert np.array_equal(before.read().array, after.read().array)
        for field in ("image_id", "label", "domain", "predefined_split", "plan", "stated", "group"):
            assert getattr(before, field) == getattr(after, field), field


@pytest.mark.slow
@pytest.mark.exhaustive
def test_functions_take_a_folder_as_it_is(trained: Run, cells: Path, tmp_path: Path) -> None:
    assert cs.inspect(cells).n_images == 90
    run = cs.train(str(cells), INSTANT.model_copy(update={"group": GROUPS}), out=tmp_path / "run")
    assert run.metrics.metrics == trained.metrics.metrics


def test_a_training_that_was_killed_while_copies_were_written_can_be_started_again(tmp_path: Path) -> None:
    data = cs.open_dataset({"image": [drawn("uint8", 5, 5)], "label": ["a"]})
    write_in_memory_images(data, create_run_folder(tmp_path / "run"))
    write_in_memory_images(data, create_run_folder(tmp_path / "run"))
    (tmp_path / "run" / "in_memory_images" / "mine.tif").touch()
    with pytest.raises(BadRun) as refused:
        create_run_folder(tmp_path / "run")
    assert refused.value.code == "run-folder-exists"


@pytest.mark.slow
def test_the_documented_steps_around_the_network_give_its_probabilities(
    own_run: Run, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card_file = own_run.classifier_folder / "classifier.json"
    card_file.write_text(card_file.read_text(encoding="utf-8").replace('"tta": 1', '"tta": 8'), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("runs/first").symlink_to(own_run.folder)
    save_pixels(Path("new/1.tif"), np.asarray(Image.open(next(cells.rglob("*.png")))))
    page = (Path(__file__).parent.parent / "docs" / "python_images.md").read_text(encoding="utf-8")
    code = page.partition("## The network itself")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["card"].tta == 8
    expected = cs.load_classifier("runs/first", "cpu").predict_proba("new/1.tif")
    assert names["probabilities"].numpy() == pytest.approx(expected, abs=1e-4)
