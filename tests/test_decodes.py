"""A training decodes each image once; results do not depend on what the cache holds."""

import io
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from odd_formats import installed
from parameters import only_first
from PIL import Image
from tables import rows_of
from trained import INSTANT

import coverslip as cs
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.pixels import PixelCache, PixelWriter
from coverslip.datasets.quality.scanning import Scan, scan_images
from coverslip.errors import UnreadableImage
from coverslip.images.decoding import read_pixels
from coverslip.images.preprocessing import PixelFacts, PreprocessedImage, Preprocessing, preprocess
from coverslip.images.reader import Decoded, Reader, Selection, Series
from coverslip.pipeline import train_without_report
from coverslip.reports.sections.images import N_EXAMPLES, N_MISCLASSIFIED
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Pretraining, Recipe, SplitPlan
from coverslip.stopping import BY_SIGNAL

MARK = b"COUNTED PNG "
SMALL = Preprocessing(image_size=16)


class CountedSource:
    """A PNG file behind a mark, whose reads are counted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with Image.open(io.BytesIO(path.read_bytes().removeprefix(MARK))) as image:
            self._array = np.atleast_3d(np.asarray(image))

    def describe(self) -> tuple[Series, ...]:
        axes = "YXS" if self._array.shape[2] > 1 else "YX"
        return (Series(axes, self._array.shape[: len(axes)], dtype="uint8"),)

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        N_READS[str(self._path)] += 1
        return Decoded(self._array[selection.window.of_array], 8)


N_READS: Counter[str] = Counter()  # by path


@contextmanager
def open_counted(path: Path) -> Iterator[CountedSource]:
    yield CountedSource(path)


COUNTED = Reader(
    name="counted",
    title="PNG files whose reads are counted",
    suffixes=(".counted",),
    is_this=lambda head: head.startswith(MARK),
    open=open_counted,
)


@pytest.fixture
def n_reads(tmp_path: Path) -> Iterator[Counter[str]]:
    """Number of reads of each image of a format that is installed for a test."""
    N_READS.clear()
    with installed(tmp_path / "site", "test_decodes:COUNTED"):
        yield N_READS


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))


def write_counted(folder: Path, n: int = 72, *, seed: int = 0) -> Path:
    for file in write_cells(folder, n, seed=seed).rglob("*.png"):
        file.with_suffix(".counted").write_bytes(MARK + file.read_bytes())
        file.unlink()
    return folder


def recipe(**changes: object) -> Recipe:
    return INSTANT.model_copy(update={"seed": 1, **changes})


TRAININGS = {
    "instant": recipe(),
    "fine-tuned": recipe(stage="finetune", epochs=1, image_size=32),
    "folds": recipe(split=SplitPlan(folds=2)),
    "from scratch": recipe(stage="finetune", init="scratch", epochs=1, image_size=32),
}


N_MEASURED = 32  # images that the measurement of the speed reads without the cache, and again for steps of fine-tuning


def n_shown_at_most(n_classes: int) -> int:
    return N_EXAMPLES * n_classes + N_MISCLASSIFIED


@pytest.mark.slow
@pytest.mark.parametrize("recipe", only_first(1, TRAININGS.values()), ids=TRAININGS)
def test_a_training_decodes_each_image_once_and_those_of_the_report_and_the_measurement_again(
    tmp_path: Path, n_reads: Counter[str], recipe: Recipe
) -> None:
    cs.train(write_counted(tmp_path / "cells"), recipe, out=tmp_path / "run")
    assert len(n_reads) == 72
    n_measured = N_MEASURED * (1 if recipe.stage == "instant" else 2)
    assert min(n_reads.values()) == 1
    assert n_reads.total() - 72 <= n_measured + n_shown_at_most(n_classes=3)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_pretraining_decodes_each_image_once_and_those_of_the_reports_and_the_measurements_again(
    tmp_path: Path, n_reads: Counter[str]
) -> None:
    init = Pretraining(train_on=str(write_counted(tmp_path / "first", seed=1)), recipe={"init": "scratch"})
    in_two_steps = TRAININGS["from scratch"].model_copy(update={"init": init})
    cs.train(write_counted(tmp_path / "second"), in_two_steps, out=tmp_path / "run")
    assert len(n_reads) == 2 * 72
    assert min(n_reads.values()) == 1
    assert n_reads.total() - 2 * 72 <= 2 * (2 * N_MEASURED + n_shown_at_most(n_classes=3))


def content_of(run: Run) -> list[bytes]:
    names = ["split.csv", "predictions.csv", "validation.csv", "classifier/weights.safetensors"]
    return [(run.folder / name).read_bytes() for name in names]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_training_has_the_same_results_whatever_the_cache_holds(
    tmp_path: Path, n_reads: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = write_counted(tmp_path / "cells")
    cold = train_without_report(open_dataset(cells), TRAININGS["instant"], out=tmp_path / "cold")
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "after inspect"))
    cs.inspect(cells)
    n_reads.clear()
    inspected = train_without_report(open_dataset(cells), TRAININGS["instant"], out=tmp_path / "inspected")
    assert min(n_reads.values()) == 1
    assert n_reads.total() <= 72 + N_MEASURED
    n_reads.clear()
    warm = train_without_report(open_dataset(cells), TRAININGS["instant"], out=tmp_path / "warm")
    n_test = sum(row.split == "test" for row in warm.split)  # a scan without cached facts would store these too
    assert n_reads.total() <= n_test + N_MEASURED
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "small"))
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "100 kB")
    small = train_without_report(open_dataset(cells), TRAININGS["instant"], out=tmp_path / "small cache")
    assert not sum(file.stat().st_size for file in (tmp_path / "small").glob("pixels/*/records.bin"))
    for run in (inspected, warm, small):
        assert content_of(run) == content_of(cold)


@pytest.mark.slow
def test_test_images_are_those_in_the_files_now(tmp_path: Path) -> None:
    """Also if the facts of an earlier training are taken for theirs, because names, sizes and times are equal."""
    cells, random = tmp_path / "cells", np.random.default_rng(1)
    for name, brightness in (("dark", 60), ("light", 200)):
        (cells / name).mkdir(parents=True)
        for k in range(20):
            file = cells / name / f"{k}.bmp"
            Image.fromarray(random.integers(0, 50, (32, 32), dtype=np.uint8) + np.uint8(brightness)).save(file)
    set_times(cells)
    train_without_report(open_dataset(cells), recipe(), out=tmp_path / "first")
    for k in range(20):
        (cells / "dark" / f"{k}.bmp").rename(cells / "dark" / "exchanged")
        (cells / "light" / f"{k}.bmp").rename(cells / "dark" / f"{k}.bmp")
        (cells / "dark" / "exchanged").rename(cells / "light" / f"{k}.bmp")
    set_times(cells)
    run = train_without_report(open_dataset(cells), recipe(), out=tmp_path / "second")
    rows = rows_of(run.predictions_file)
    now = cs.load_classifier(run, "cpu").predict([cells / row["image_id"] for row in rows])
    assert [row["predicted"] for row in rows] == now["predicted"]
    assert sum(row["predicted"] == row["label"] for row in rows) >= 0.9 * len(rows)  # of the images as they are labeled


def set_times(folder: Path) -> None:
    for file in folder.rglob("*.bmp"):
        os.utime(file, (1.7e9, 1.7e9))


def scan_into_cache(data: Dataset, is_used: bytes, preprocessing_of: object) -> Scan:
    with PixelWriter(is_used, preprocessing_of) as writer:  # type: ignore[arg-type]
        scan = scan_images(data, on_pixels=writer)
    return replace(scan, is_decoded=bytes(writer.is_decoded))


def same_for_all(facts: PixelFacts) -> Preprocessing:
    return SMALL


@pytest.fixture
def few(tmp_path: Path, n_reads: Counter[str]) -> Dataset:
    """Color images, a gray one stored as color, a duplicate, and two that cannot be read."""
    folder = write_counted(tmp_path / "few", 12)
    files = sorted(folder.rglob("*.counted"))
    gray = io.BytesIO()
    Image.fromarray(np.repeat(np.arange(48 * 48, dtype=np.uint8).reshape(48, 48, 1), 3, axis=2)).save(gray, "PNG")
    files[0].write_bytes(MARK + gray.getvalue())
    files[1].write_bytes(files[2].read_bytes())
    files[3].write_bytes(MARK + b"no PNG")
    files[4].write_bytes(b"")
    return open_dataset(folder)


def test_pixels_that_a_scan_stores_are_those_of_the_images(n_reads: Counter[str], few: Dataset) -> None:
    scan = scan_into_cache(few, bytes([1] * 12), same_for_all)
    readable = [i for i, facts in enumerate(scan.facts) if isinstance(facts, PixelFacts)]
    assert len(readable) == 10
    expected = {i: preprocess(read_pixels(few.records[i].path).array, SMALL) for i in readable}
    n_reads.clear()
    with PixelCache(few, scan, readable, SMALL) as cache:
        assert np.array_equal(cache(readable), np.stack([*expected.values()]))
        for i, image in zip(readable, cache.images(readable), strict=True):
            assert isinstance(image, PreprocessedImage)
            facts = scan.facts[i]
            assert isinstance(facts, PixelFacts)
            assert np.array_equal(image.pixels, expected[i])
            assert (image.width_px, image.height_px, image.n_channels) == (48, 48, facts.n_channels)
            assert (image.dtype, image.pixel_hash) == ("uint8", facts.pixel_hash)
    assert not n_reads


def test_a_scan_stores_no_pixels_of_images_that_are_not_used_or_need_facts_of_others(
    n_reads: Counter[str], few: Dataset
) -> None:
    scan = scan_into_cache(few, bytes([0] * 6 + [1] * 6), lambda facts: SMALL if facts.n_channels == 3 else None)
    readable = [i for i, facts in enumerate(scan.facts) if isinstance(facts, PixelFacts)]
    n_reads.clear()
    with PixelCache(few, scan, readable, SMALL) as cache:
        cache(readable)
    assert len(n_reads) == len({scan.facts[i].pixel_hash for i in readable if i < 6})  # type: ignore[union-attr]


def test_images_that_are_not_stored_are_decoded_with_their_errors(n_reads: Counter[str], few: Dataset) -> None:
    scan = scan_into_cache(few, bytes([0] * 6 + [1] * 6), same_for_all)
    readable = [i for i, facts in enumerate(scan.facts) if isinstance(facts, PixelFacts)]
    few.records[readable[0]].path.unlink()
    few.records[readable[-1]].path.unlink()  # its pixels are stored
    with PixelCache(few, scan, (), SMALL) as cache:
        first, *others = cache.images(readable)
    assert isinstance(first, UnreadableImage)
    assert first.code == "no-such-image"
    assert all(isinstance(image, PreprocessedImage) for image in others)


def test_a_scan_continues_if_pixels_cannot_be_stored(
    few: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    scan = scan_into_cache(few, bytes([1] * 12), same_for_all)
    assert scan.n_readable == 10


def test_an_interrupted_scan_keeps_the_pixels_that_it_stored(few: Dataset, n_reads: Counter[str]) -> None:
    class Interrupted(Exception):
        pass

    done = []

    with PixelWriter(bytes([1] * 12), same_for_all) as writer:

        def collect(position: int, *image: object) -> None:
            writer(position, *image)  # type: ignore[arg-type]
            done.append(position)
            if len(done) == 6:
                raise Interrupted

        with pytest.raises(Interrupted):
            scan_images(few, on_pixels=collect, n_threads=1, stop=BY_SIGNAL)
        stored = list(done)  # a thread may still collect an image after the writer has closed
    scan = scan_images(few)
    n_reads.clear()
    with PixelCache(few, scan, stored, SMALL) as cache:
        assert len(cache(stored)) == len(stored) >= 6
    assert not n_reads
