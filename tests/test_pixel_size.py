"""Pixel sizes: read from files, stated, compared with those of the training images, and rescaled to them."""

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from drawing import write_cells
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from refusing import fault_in_line, note_of, refusing
from small_workspace import new_workspace
from trained import GROUPS, INSTANT, MadeOnce

import coverslip as cs
from coverslip.cli import main
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.pixels import read_preprocessed
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.errors import BadClassifier, BadDataset, CoverslipError, UnreadableImage
from coverslip.events import Event, Noted
from coverslip.images.decoding import describe_image, read_pixels
from coverslip.images.decoding_pool import Decoders
from coverslip.images.preprocessing import PixelFacts, Preprocessing, Rescaling, rescaled
from coverslip.images.reader import ReadPlan
from coverslip.messages import Note, text
from coverslip.pipeline import train_without_report
from coverslip.runs.classifier import TrainedOn
from coverslip.runs.folder import Run
from coverslip.runs.recipe import ImageChoices
from coverslip.workspace.jobs import process
from coverslip.workspace.jobs.listing import story_of
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.classifiers import list_classifiers
from coverslip.workspace.predictions.state import queue_prediction
from coverslip.workspace.store.rows import Paging
from coverslip.workspace.trainings.queueing import adopt_runs

UM = 0.5


def save_ome(path: Path, pixels: np.ndarray[Any, Any], um: float | tuple[float, float], unit: str = "µm") -> Path:
    """Write (H, W) or (H, W, 3) pixels as an OME-TIFF."""
    width, height = um if isinstance(um, tuple) else (um, um)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"PhysicalSizeX": width, "PhysicalSizeXUnit": unit, "PhysicalSizeY": height, "PhysicalSizeYUnit": unit}
    axes, photometric = ("YXS", "rgb") if pixels.ndim == 3 else ("YX", "minisblack")
    tifffile.imwrite(path, pixels, metadata={"axes": axes, **about}, photometric=photometric)
    return path


def as_ome(folder: Path, out: Path, um: float) -> Path:
    """Copy the images of class folders as OME-TIFF with a pixel size."""
    for file in sorted(folder.rglob("*.png")):
        save_ome(out / file.relative_to(folder).with_suffix(".ome.tif"), np.asarray(Image.open(file)), um)
    return out


def noise(side: int = 24, seed: int = 0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 255, (side, side), dtype=np.uint8)


# What files state.


@pytest.mark.parametrize(("unit", "um"), [("µm", 0.65), ("nm", 0.00065), ("mm", 650.0)])
def test_the_pixel_size_of_an_ome_tiff_is_in_its_unit(tmp_path: Path, unit: str, um: float) -> None:
    file = save_ome(tmp_path / "a.ome.tif", noise(), (0.65, 1.3), unit)
    assert read_pixels(file).pixel_size_um == pytest.approx((um, 2 * um))


def test_imagej_states_pixels_per_unit(tmp_path: Path) -> None:
    for unit, um in (("micron", 0.25), ("\\u00B5m", 0.25), ("nm", 0.00025), ("cm", None), ("inch", None), ("", None)):
        tifffile.imwrite(tmp_path / "a.tif", noise(), imagej=True, resolution=(4, 4), metadata={"unit": unit})
        size = read_pixels(tmp_path / "a.tif").pixel_size_um
        assert size == (None if um is None else pytest.approx((um, um))), unit


@pytest.mark.parametrize("compression", [None, "zlib"])  # read by Pillow, and by tifffile
def test_a_tiff_in_pixels_per_cm_states_a_pixel_size_and_one_of_a_screen_does_not(
    tmp_path: Path, compression: str | None
) -> None:
    for number, unit, um in ((20_000, "CENTIMETER", 0.5), (72, "INCH", None), (28.35, "CENTIMETER", None)):
        tifffile.imwrite(
            tmp_path / "a.tif",
            noise(),
            resolution=(number, number),
            resolutionunit=unit,
            metadata=None,
            compression=compression,
        )
        size = read_pixels(tmp_path / "a.tif").pixel_size_um
        assert size == (None if um is None else pytest.approx((um, um)))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp"])
def test_the_resolution_of_a_picture_is_no_pixel_size(tmp_path: Path, name: str) -> None:
    Image.fromarray(noise()).save(tmp_path / name, dpi=(25_400, 25_400))  # 1 µm
    assert read_pixels(tmp_path / name).pixel_size_um is None


def test_width_and_height_of_a_pixel_turn_with_the_image(tmp_path: Path) -> None:
    about: dict[str, Any] = {"resolution": (20_000, 10_000), "resolutionunit": "CENTIMETER", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", noise(), **about)
    tifffile.imwrite(tmp_path / "b.tif", noise(), **about, extratags=[(274, "H", 1, 6, True)])
    assert read_pixels(tmp_path / "a.tif").pixel_size_um == pytest.approx((0.5, 1.0))
    assert read_pixels(tmp_path / "b.tif").pixel_size_um == pytest.approx((1.0, 0.5))


@pytest.mark.parametrize("um", [math.inf, 1e300, 1e-300, -1.0, math.nan])
def test_an_impossible_size_is_none(tmp_path: Path, um: float) -> None:
    assert read_pixels(save_ome(tmp_path / "a.ome.tif", noise(), (0.5, um))).pixel_size_um is None


def test_a_coarser_level_has_larger_pixels(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as writer:
        about = {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        writer.write(noise(256), subifds=1, metadata=about, tile=(64, 64))
        writer.write(noise(64), subfiletype=1, tile=(64, 64))
    sizes = [read_pixels(tmp_path / "a.ome.tif", ReadPlan(level=level)).pixel_size_um for level in (0, 1)]
    assert sizes == [(0.5, 0.5), (2.0, 2.0)]
    assert read_pixels(tmp_path / "a.ome.tif", ReadPlan(level=1, pixel_size_um=1)).pixel_size_um == (4.0, 4.0)


@pytest.mark.slow
def test_real_files_are_read_with_the_size_that_they_declare_also_in_another_process(shared_data: Any) -> None:
    sizes, decoders = {}, Decoders()
    for file in sorted(each for each in shared_data("microscope_formats").rglob("*") if each.is_file()):
        try:
            pixels, declared = read_pixels(file), describe_image(file)[0].pixel_size_at(0)
        except UnreadableImage:
            continue
        assert pixels.pixel_size_um == declared
        if declared is not None and file.suffix in (".tif", ".svs"):
            assert decoders.read(file, ReadPlan(), 2**28).pixel_size_um == declared
        sizes[file.name] = declared
    decoders.close()
    assert sizes["test_image.ome.tif"] is not None
    assert sizes["small.svs"] == pytest.approx((0.499, 0.499), abs=1e-3)
    assert {sizes[name] for name in ("01_POS002_D.TIF", "histo.jpg", "nemo.jp2")} == {None}


# Facts, statements and findings.


def test_facts_keep_the_pixel_size_and_change_with_a_statement(tmp_path: Path) -> None:
    save_ome(tmp_path / "images" / "a" / "1.ome.tif", noise(), UM)
    Image.fromarray(noise(seed=1)).save(tmp_path / "images" / "a" / "2.png")
    for stated, expected in ((None, [UM, None]), (0.25, [0.25, 0.25]), (None, [UM, None]), (0.25, [0.25, 0.25])):
        data = open_dataset(tmp_path / "images", plan=ReadPlan(pixel_size_um=stated))
        facts = [each for each in scan_images(data).facts if isinstance(each, PixelFacts)]
        assert [each.pixel_size_um for each in facts] == [None if um is None else (um, um) for um in expected]
    assert len({each.pixel_hash for each in facts}) == 2


def write_table(path: Path, columns: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([columns, *rows])
    return path


def test_a_column_states_the_pixel_size_without_another_name_of_the_image(tmp_path: Path) -> None:
    for i in range(3):
        save_ome(tmp_path / f"{i}.ome.tif", noise(seed=i), UM)
    rows: list[list[object]] = [["0.ome.tif", "a", ""], ["1.ome.tif", "b", "0.325"], ["2.ome.tif", "b", "1e-1"]]
    table = write_table(tmp_path / "t.csv", ["path", "label", "Pixel size um"], rows)
    data = open_dataset(table)
    facts = [each for each in scan_images(data).facts if isinstance(each, PixelFacts)]
    assert [each.pixel_size_um for each in facts] == [(0.5, 0.5), (0.325, 0.325), (0.1, 0.1)]
    assert [record.image_id for record in data] == ["0.ome.tif", "1.ome.tif", "2.ome.tif"]
    planned = data.read_with(ReadPlan(pixel_size_um=2))
    assert [record.plan.pixel_size_um for record in planned] == [2, 0.325, 0.1]


@pytest.mark.parametrize("cell", ["0", "-1", "nan", "inf", "0.5 µm", "1e9"])
def test_a_cell_that_is_no_pixel_size_is_refused(tmp_path: Path, cell: str) -> None:
    save_ome(tmp_path / "0.ome.tif", noise(), UM)
    table = write_table(tmp_path / "t.csv", ["path", "label", "pixel_size_um"], [["0.ome.tif", "a", cell]])
    fault = fault_in_line(2, "not-a-pixel-size", column="pixel_size_um", value=cell)
    with refusing(BadDataset, "invalid-rows", n_rows=1, rows=fault):
        open_dataset(table)


@pytest.mark.parametrize(
    ("um_of_class", "differs_by_class"),
    [
        ({"a": (0.5,), "b": (0.54,)}, None),
        ({"a": (0.5, 0.5, 0.6), "b": (0.5,)}, False),
        ({"a": (0.5,), "b": (1,)}, True),
    ],
)
def test_a_finding_states_whether_sizes_differ_and_between_classes(
    tmp_path: Path, um_of_class: dict[str, tuple[float, ...]], differs_by_class: bool | None
) -> None:
    for label, sizes in um_of_class.items():
        for i, um in enumerate(sizes):
            save_ome(tmp_path / label / f"{i}.ome.tif", noise(seed=i), um)
    Image.fromarray(noise(seed=9)).save(tmp_path / "a" / "9.png")
    data = open_dataset(tmp_path)
    inspection = inspect_dataset(data, scan_images(data))
    sizes = [um for each in um_of_class.values() for um in each]
    assert inspection.n_pixel_sizes == len(sizes) == inspection.n_readable - 1
    assert inspection.pixel_side_um is not None
    assert (inspection.pixel_side_um.min, inspection.pixel_side_um.max) == pytest.approx((min(sizes), max(sizes)))
    cases = inspection.of("mixed-pixel-sizes")
    assert [each.parameters["differs_by_class"] for each in cases] == (
        [] if differs_by_class is None else [differs_by_class]
    )


def test_inspect_lists_the_series_of_the_files_of_a_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_ome(tmp_path / "a" / "1.ome.tif", noise(), UM)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "2.png").write_bytes(b"no image")
    assert main(["inspect", str(tmp_path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["n_files"] == 2
    good, bad = shown["sources"]
    assert (good["series"][0]["axes"], good["series"][0]["pixel_size_um"], good["error"]) == ("YX", [UM, UM], None)
    assert (bad["series"], bad["error"]["code"]) == ([], "not-an-image")


# Rescaling.


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    new=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    frame=st.none() | st.tuples(st.integers(1, 60), st.integers(1, 60)),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    n_channels=st.sampled_from([1, 2, 3]),
)
def test_a_rescaled_image_has_the_size_or_the_frame_in_its_depth_and_range(
    size: tuple[int, int], new: tuple[int, int], frame: tuple[int, int] | None, dtype: str, n_channels: int
) -> None:
    array = np.random.default_rng(0).integers(10, 90, (size[1], size[0], n_channels)).astype(dtype)
    result = rescaled(Path("a.tif"), array, new, frame)
    width, height = frame or new
    assert result.shape == (height, width, n_channels)
    assert result.dtype == array.dtype
    assert array.min() <= result.min() <= result.max() <= array.max()
    if new == size and frame in (None, size):
        assert result is array


def test_a_square_keeps_its_length_in_um_at_the_center_of_the_frame() -> None:
    array = np.zeros((80, 80, 1), np.uint8)
    array[30:50, 36:56] = 200  # 20 x 20 pixels, 6 px right of the center
    target = Rescaling((0.5, 0.5), (80, 80))
    size = target.size_of((80, 80), (0.25, 0.25))
    assert size == (40, 40)
    small = rescaled(Path("a"), array, size, target.frame)[..., 0]
    rows, columns = np.nonzero(small > 100)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (10, 10)
    assert (rows.mean(), columns.mean()) == (39.5, 42.5)
    large = rescaled(Path("a"), array, target.size_of((80, 80), (1, 1)), target.frame)[..., 0]
    rows, columns = np.nonzero(large > 100)
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (40, 40)
    assert (rows.mean(), columns.mean()) == (39.5, 51.5)


@pytest.mark.parametrize(
    ("widths", "frame"), [((48, 48), (48, 50)), ((360, 366), (366, 50)), ((48, 53), None), ((13, 200), None)]
)
def test_the_frame_is_the_size_of_training_images_that_differ_little(
    widths: tuple[int, int], frame: tuple[int, int] | None
) -> None:
    trained_on = TrainedOn(
        n_images=2,
        n_groups=None,
        width_px=widths,
        height_px=(50, 50),
        pixel_size_um=(UM, UM),
        pixel_side_um=(UM, UM),
        usual_area_px=2500,
        dtypes=("uint8",),
        channels=(1,),
    )
    assert trained_on.rescaling() == Rescaling((UM, UM), frame)


def test_an_image_that_would_become_too_large_is_refused() -> None:
    array = np.zeros((60, 60, 1), np.uint8)
    target = Rescaling((1e-3, 1e-3), None)
    with refusing(UnreadableImage, "image-too-large"):
        rescaled(Path("a.tif"), array, target.size_of((60, 60), (1, 1)))
    assert rescaled(Path("a.tif"), array, target.size_of((60, 60), (1, 1)), (60, 60)).shape == (60, 60, 1)


def test_a_square_around_a_point_covers_as_many_um_as_in_training(tmp_path: Path) -> None:
    for name, side, um in (("training", 40, UM), ("finer", 80, UM / 2)):  # waves in µm
        y, x = (np.mgrid[:side, :side] + 0.5) * um
        save_ome(tmp_path / f"{name}.ome.tif", (127 + 60 * np.sin(x / 2) + 60 * np.cos(y / 1.5)).astype(np.uint8), um)
    images = []
    for name, x, y in (("training", 20, 12), ("finer", 40, 24)):
        table = write_table(tmp_path / f"{name}.csv", ["path", "x", "y"], [[f"{name}.ome.tif", x, y]])
        data = open_dataset(table, labeled=False, crop_size=16)
        preprocessing = Preprocessing(image_size=16, channels=1)
        (image,) = read_preprocessed(data.records, preprocessing, rescaling=Rescaling((UM, UM), None))
        assert not isinstance(image, UnreadableImage)
        images.append(image)
    assert np.abs(images[0].pixels.astype(int) - images[1].pixels).max() <= 4
    assert [image.is_rescaled for image in images] == [False, True]


# From training to prediction.


@pytest.fixture(scope="module")
def calibrated(made_once: MadeOnce, own_cache: None) -> Run:
    """A classifier of cells of three sizes, of 0.5 µm per pixel. Nobody may change it."""

    def train(folder: Path) -> None:
        data = as_ome(write_cells(folder / "png"), folder / "cells", UM)
        cs.train(cs.open_dataset(data, group_pattern=GROUPS), INSTANT, out=folder / "run", emit=lambda _: None)

    return Run(made_once("calibrated", train) / "run")


@pytest.fixture(scope="module")
def magnified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Other cells, taken with twice the magnification: half the field of view with as many pixels."""
    folder = tmp_path_factory.mktemp("magnified")
    for file in sorted(write_cells(folder / "png", 30, side=96, seed=1).rglob("*.png")):
        pixels = np.asarray(Image.open(file))[24:72, 24:72]
        save_ome(folder / "cells" / file.relative_to(folder / "png").with_suffix(".ome.tif"), pixels, UM / 2)
    return folder / "cells"


def notes_of(events: list[Event]) -> list[Note]:
    return [event.note for event in events if isinstance(event, Noted)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_run_records_the_pixel_size_everywhere(calibrated: Run) -> None:
    card, inspection = calibrated.card, calibrated.inspection
    assert card is not None
    assert card.trained_on.pixel_size_um == (UM, UM)
    assert card.trained_on.pixel_side_um == (UM, UM)
    assert inspection is not None
    assert (inspection.n_pixel_sizes, inspection.pixel_side_um and inspection.pixel_side_um.median) == (90, UM)
    for file in (calibrated.report_file, calibrated.folder / "model_card.md"):
        assert "0.5 µm" in file.read_text(encoding="utf-8")


@pytest.mark.slow
def test_rescaling_recovers_the_class_that_another_magnification_hides(calibrated: Run, magnified: Path) -> None:
    plain, correct = cs.load_classifier(calibrated, device="cpu"), {}
    for classifier in (plain, plain.with_rescaling()):
        events: list[Event] = []
        rows = classifier.predict(magnified, emit=events.append)
        correct[classifier.is_rescaling] = np.mean([row.predicted == Path(row.path).parent.name for row in rows])
        note = note_of(notes_of(events), "rescaled-images" if classifier.is_rescaling else "other-pixel-size")
        assert (note.parameters["n_images"], note.parameters["trained_um"]) == (30, UM)
        if not classifier.is_rescaling:
            assert (note.parameters["um"], note.parameters["image"]) == (UM / 2, rows[0].image_id)
            assert [remedy.kind for remedy in note.remedies] == ["rescale"]
        code = "image-rescaled" if classifier.is_rescaling else "pixel-size-differs"
        warning = text(code, um=UM / 2, trained_um=UM)
        assert all(warning in str(row.warning or "") for row in rows)
    assert correct[False] <= 0.6
    assert correct[True] >= 0.8


@pytest.mark.exhaustive
def test_an_evaluation_records_whether_images_were_rescaled(calibrated: Run, magnified: Path, tmp_path: Path) -> None:
    run = shutil.copytree(calibrated.folder, tmp_path / "run")
    accuracy = {}
    for rescale in (False, True):
        name = f"rescale {rescale}"
        evaluated = cs.evaluate(run, magnified, name=name, rescale=rescale, device="cpu", emit=lambda _: None)
        assert evaluated.evaluated_images is not None
        assert evaluated.evaluated_images.is_rescaled is rescale
        assert (text("report-rescaled") in evaluated.report_file.read_text(encoding="utf-8")) is rescale
        accuracy[rescale] = evaluated.metrics["accuracy"].value or 0.0
    assert accuracy[True] > accuracy[False] + 0.2


@pytest.mark.slow
def test_rescaling_changes_no_image_like_the_training_images(calibrated: Run, tmp_path: Path) -> None:
    folder = calibrated.folder.parent / "cells"
    tables = []
    for rescale in (False, True):
        events: list[Event] = []
        cs.predict(calibrated, folder, out=tmp_path / "p.csv", rescale=rescale, device="cpu", emit=events.append)
        lines = (tmp_path / "p.csv").read_text().splitlines()
        tables.append([line.rpartition(",")[0] for line in lines])  # the last column is the settings
        codes = {note.code for note in notes_of(events)}
        assert not codes & {"other-pixel-size", "rescaled-images", "no-pixel-size"}
    assert tables[0] == tables[1]


@pytest.mark.slow
def test_images_without_a_size_are_counted_in_one_note_and_a_table_states_it(calibrated: Run, tmp_path: Path) -> None:
    for i in range(4):
        Image.fromarray(noise(48, seed=i)).save(tmp_path / f"{i}.png")
    events: list[Event] = []
    cs.predict(calibrated, tmp_path, out=tmp_path / "p.csv", rescale=True, device="cpu", emit=events.append)
    assert note_of(notes_of(events), "no-pixel-size").parameters["n_images"] == 4
    rows: list[list[object]] = [[f"{i}.png", um] for i, um in enumerate(("", 0.52, 0.7, 0.3))]
    table, events = write_table(tmp_path / "t.csv", ["path", "pixel_size_um"], rows), []
    cs.predict(calibrated, table, out=tmp_path / "p.csv", device="cpu", emit=events.append)
    other = note_of(notes_of(events), "other-pixel-size").parameters
    assert (other["n_images"], other["image"], other["um"]) == (2, "2.png", 0.7)
    assert note_of(notes_of(events), "no-pixel-size").parameters["n_images"] == 1
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        has_warning = [
            text("pixel-size-differs", um=um, trained_um=UM) in row["warning"]
            for um, row in zip((0.0, 0.52, 0.7, 0.3), csv.DictReader(file), strict=True)
        ]
    assert has_warning == [False, False, True, True]


@pytest.mark.slow
def test_a_classifier_without_a_pixel_size_warns_of_nothing_and_cannot_rescale(
    trained: Run, magnified: Path, tmp_path: Path
) -> None:
    assert trained.card is not None
    assert trained.card.trained_on.pixel_size_um is None
    events: list[Event] = []
    cs.predict(trained, magnified, out=tmp_path / "p.csv", device="cpu", emit=events.append)
    assert not {note.code for note in notes_of(events)} & {"other-pixel-size", "no-pixel-size"}
    with refusing(CoverslipError, "no-pixel-size-of-training"):
        cs.predict(trained, magnified, out=tmp_path / "q.csv", rescale=True, device="cpu")
    with refusing(CoverslipError, "rescaling-of-own-test"):
        cs.evaluate(trained, rescale=True)
    assert main(["evaluate", str(trained.folder), "--rescale"]) == 2


@pytest.mark.exhaustive
def test_a_statement_of_the_recipe_reaches_the_classifier_but_not_new_images(cells: Path, tmp_path: Path) -> None:
    recipe = INSTANT.model_copy(update={"images": ImageChoices(pixel_size_um=0.25)})
    data = cs.open_dataset(cells, group_pattern=GROUPS)
    run = train_without_report(data, recipe, out=tmp_path / "run", emit=lambda _: None)
    card = run.card
    assert card is not None
    assert card.trained_on.pixel_size_um == (0.25, 0.25)
    assert card.preprocessing.plan == ReadPlan()
    assert run.recipe.images.pixel_size_um == 0.25
    plain = train_without_report(data, INSTANT, out=tmp_path / "plain", emit=lambda _: None)
    assert (plain.folder / "predictions.csv").read_bytes() == (run.folder / "predictions.csv").read_bytes()
    events: list[Event] = []
    cs.predict(run, cells, out=tmp_path / "p.csv", device="cpu", emit=events.append)
    assert note_of(notes_of(events), "no-pixel-size").parameters["n_images"] == 90
    events.clear()
    cs.evaluate(run, device="cpu", emit=events.append)
    assert not {note.code for note in notes_of(events)} & {"no-pixel-size", "other-pixel-size"}


@pytest.mark.slow
def test_the_app_shows_the_pixel_size_of_a_classifier_and_rescales_on_request(
    calibrated: Run, magnified: Path, tmp_path: Path
) -> None:
    workspace = new_workspace(tmp_path)
    shutil.copytree(calibrated.folder, workspace.runs / "first")
    images = shutil.copytree(magnified, workspace.roots[0] / "magnified")
    adopt_runs(workspace)
    (classifier,) = list_classifiers(workspace, Paging()).items
    assert classifier.pixel_side_um == UM
    codes = {}
    for rescale in (False, True):
        job = queue_prediction(workspace, classifier_id=classifier.id, sources=[str(images)], rescale=rescale)
        assert process.main(find_job(workspace, job).folder, workspace.folder) == 0
        codes[rescale] = {note.code for note in story_of(workspace, job).notes}
    assert "other-pixel-size" in codes[False] - codes[True]
    assert "rescaled-images" in codes[True] - codes[False]


@pytest.mark.parametrize("size", [[0, 0.5], [0.5, float("1e9")], [0.5], "large"])
def test_a_classifier_with_an_impossible_pixel_size_is_refused(calibrated: Run, tmp_path: Path, size: object) -> None:
    folder = shutil.copytree(calibrated.folder / "classifier", tmp_path / "classifier")
    card = json.loads((folder / "classifier.json").read_text(encoding="utf-8"))
    card["trained_on"]["pixel_size_um"] = size
    (folder / "classifier.json").write_text(json.dumps(card), encoding="utf-8")
    with pytest.raises(BadClassifier):
        cs.load_classifier(folder, device="cpu")
