"""Scanning: every image is read once, remembered, and none of them can stop the others."""

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusing import refusing

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.pixels import DecodedPixels, PixelCache
from coverslip.datasets.quality.scanning import Scan, Unreadable, scan_images
from coverslip.errors import Stopped, UnreadableImage
from coverslip.events import Event, Noted, Progressed
from coverslip.images.decoding import read_pixels
from coverslip.images.preprocessing import PixelFacts, Preprocessing, Scaling, image_facts, preprocess
from coverslip.messages import CleanCache


@pytest.fixture(autouse=True)
def fresh_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "images"
    for label in "ab":
        (root / label).mkdir(parents=True)
        for i in range(20):
            pixels = np.random.default_rng([ord(label), i]).integers(0, 256, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / label / f"{i}.png")
    return root


def scan_loudly(folder: Path, **options) -> tuple[Scan, list[Event], int]:
    """Return the scan, its events, and the number of images that it decoded."""
    events: list[Event] = []
    decoded: list[int] = []

    def on_pixels(i, pixels, facts):
        decoded.append(i)

    scan = scan_images(open_dataset(folder), emit=events.append, on_pixels=on_pixels, **options)
    return scan, events, len(decoded)


@pytest.mark.parametrize("n_threads", [1, 3])
def test_facts_are_those_of_each_image_in_the_order_of_records(folder, n_threads):
    dataset = open_dataset(folder)
    scan = scan_images(dataset, n_threads=n_threads)
    assert scan.facts == tuple(image_facts(read_pixels(r.path, r.plan)) for r in dataset.records)
    assert scan.n_readable == 40


def test_broken_files_keep_their_place_and_stop_nobody(folder):
    good = (folder / "a" / "3.png").read_bytes()
    (folder / "a" / "3.png").write_bytes(good[: len(good) // 2])
    (folder / "a" / "4.png").write_bytes(b"")
    (folder / "b" / "5.png").write_text("not an image")
    (folder / "b" / "6.png").unlink()
    (folder / "b" / "6.png").symlink_to("nowhere")
    dataset = open_dataset(folder)
    scan, events, _ = scan_loudly(folder)
    broken = [r.image_id for r, f in zip(dataset.records, scan.facts, strict=True) if isinstance(f, Unreadable)]
    assert broken == ["a/3.png", "a/4.png", "b/5.png", "b/6.png"]
    assert all(f.reason for f in scan.facts if isinstance(f, Unreadable))
    noted = [event for event in events if isinstance(event, Noted)]
    assert [(each.code, each.level, each.parameters) for each in noted] == [("unreadable", "warning", {"n_images": 4})]


def test_a_second_scan_decodes_nothing_and_finds_the_same(folder):
    first, _, n_decoded = scan_loudly(folder)
    assert n_decoded == 40
    second, events, n_decoded = scan_loudly(folder)
    assert n_decoded == 0
    assert second == first
    last = events[-1]
    assert isinstance(last, Progressed)
    assert (last.stage, last.done, last.total) == ("reading-images", 40, 40)


def test_a_changed_file_is_read_again(folder):
    first, _, _ = scan_loudly(folder)
    path = folder / "a" / "0.png"
    status = path.stat()
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    second, _, n_decoded = scan_loudly(folder)
    assert n_decoded > 0
    changed = [i for i, (a, b) in enumerate(zip(first.facts, second.facts, strict=True)) if a != b]
    assert changed == [0]
    assert isinstance(second.facts[0], PixelFacts)
    assert second.facts[0].width_px == 9


def test_other_pixels_of_the_same_file_are_other_facts(tmp_path):
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(tmp_path / "f.png")
    table = tmp_path / "t.csv"
    table.write_text("path,label,x,y,width,height\nf.png,a,0,0,4,4\nf.png,b,4,4,4,4\nf.png,b,9,9,4,4\n")
    for _ in range(2):
        facts = scan_images(open_dataset(table)).facts
        assert isinstance(facts[0], PixelFacts)
        assert isinstance(facts[1], PixelFacts)
        assert facts[0].pixel_hash != facts[1].pixel_hash
        assert isinstance(facts[2], Unreadable)


@pytest.mark.parametrize("damage", ["not writable", "other columns"])
def test_without_a_working_memory_the_scan_continues_and_says_so(folder, tmp_path, monkeypatch, damage):
    cache = tmp_path / "unusable"
    if damage == "not writable":
        cache.write_text("a file where the folder should be")
    else:
        (cache / "facts" / "images").mkdir(parents=True)
        with sqlite3.connect(cache / "facts" / "images" / "records.sqlite") as connection:
            connection.execute("CREATE TABLE records (something TEXT)")
    monkeypatch.setenv("COVERSLIP_CACHE", str(cache))
    scan, events, _ = scan_loudly(folder)
    assert scan.n_readable == 40
    (note,) = [e for e in events if isinstance(e, Noted)]
    assert (note.code, note.remedies) == ("cache-not-usable", (CleanCache(),))


def test_a_damaged_memory_is_rebuilt(folder, tmp_path):
    first, _, _ = scan_loudly(folder)
    (tmp_path / "cache" / "facts" / "images" / "records.sqlite").write_bytes(b"this is no database" * 100)
    second, _, n_decoded = scan_loudly(folder)
    assert second == first
    assert n_decoded > 0
    assert scan_loudly(folder)[2] == 0


def test_facts_of_another_version_are_read_again(folder, tmp_path):
    first, _, _ = scan_loudly(folder)
    with sqlite3.connect(tmp_path / "cache" / "facts" / "images" / "records.sqlite") as connection:
        connection.execute("UPDATE records SET value = CAST('{\"unknown\": 1}' AS BLOB)")
    second, _, n_decoded = scan_loudly(folder)
    assert second == first
    assert n_decoded > 0


def test_an_interrupted_scan_keeps_what_it_reached(folder):
    def stop(event: Event) -> None:
        if isinstance(event, Progressed) and event.done == event.total:  # a slow computer also says something before
            raise Stopped("reading-stopped")

    with pytest.raises(Stopped):
        scan_images(open_dataset(folder), emit=stop)
    _, _, n_decoded = scan_loudly(folder)
    assert n_decoded == 0


@pytest.mark.slow
def test_two_processes_may_scan_at_the_same_time(folder):
    code = (
        "import sys; from coverslip.datasets.index.opening import open_dataset;"
        "from coverslip.datasets.quality.scanning import scan_images;"
        "notes = []; scan = scan_images(open_dataset(sys.argv[1]), emit=notes.append);"
        "assert scan.n_readable == 40; assert all(type(n).__name__ == 'Progressed' for n in notes), notes"
    )
    source = Path(__file__).resolve().parent.parent / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    workers = [subprocess.Popen([sys.executable, "-c", code, str(folder)], env=environment) for _ in range(2)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    _, _, n_decoded = scan_loudly(folder)
    assert n_decoded == 0


@pytest.mark.skipif(os.name == "nt", reason="Windows allows no such names")
def test_files_with_undecodable_names_are_read_and_remembered(folder):
    try:
        Path(os.fsdecode(os.fsencode(folder / "a") + b"/caf\xe9.png")).write_bytes(
            (folder / "a" / "1.png").read_bytes()
        )
    except OSError:
        pytest.skip("this file system allows UTF-8 names only")
    first, _, _ = scan_loudly(folder)
    second, _, n_decoded = scan_loudly(folder)
    assert first == second
    assert first.n_readable == 41
    assert n_decoded == 0


def test_progress_counts_up_to_all_images(folder):
    _, events, _ = scan_loudly(folder)
    done = [event.done for event in events if isinstance(event, Progressed)]
    assert done == sorted(done)
    assert done[-1] == 40


@pytest.mark.exhaustive
@pytest.mark.slow
def test_all_tiffs_that_pillow_cannot_decode_are_read_with_one_line_about_it(shared_data):
    events: list[Event] = []
    dataset = open_dataset(shared_data("chromosomes_gband") / "images.csv")
    scan = scan_images(dataset, emit=events.append)
    assert scan.n_readable == len(dataset.records) == 2806
    assert sum(isinstance(event, Noted) for event in events) <= 1


@pytest.mark.exhaustive
@pytest.mark.slow
def test_mixed_depths_of_a_real_set_are_seen(shared_data):
    scan = scan_images(open_dataset(shared_data("micronuclei") / "images.csv"))
    depths = [fact.bit_depth for fact in scan.facts if isinstance(fact, PixelFacts)]
    assert (depths.count(16), depths.count(8)) == (1760, 205)


def test_a_pixel_cache_that_cannot_be_filled_leaves_no_file_open(folder):
    import psutil

    dataset = open_dataset(folder)
    scan = scan_images(dataset)
    (folder / "a" / "3.png").write_bytes(b"cut off")
    with pytest.raises(UnreadableImage):
        PixelCache(dataset, scan, range(40), Preprocessing(image_size=8))
    assert not [file.path for file in psutil.Process().open_files() if "pixels" in file.path]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on memory")
def test_an_image_too_large_for_the_memory_is_unreadable_and_stops_nobody_else(tmp_path):
    """In a process of its own, which gets too little memory for the second image."""
    (tmp_path / "x" / "a").mkdir(parents=True)
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "x" / "a" / "1.png")
    Image.fromarray(np.zeros((20_000, 20_000), np.uint8)).save(tmp_path / "x" / "a" / "2.png", compress_level=1)
    code = (
        "import resource, sys, psutil\n"
        "from coverslip.datasets.index.opening import open_dataset\n"
        "from coverslip.datasets.pixels import read_preprocessed\n"
        "from coverslip.datasets.quality.scanning import scan_images\n"
        "from coverslip.images.preprocessing import Preprocessing\n"
        "data = open_dataset(sys.argv[1])\n"
        "limit = psutil.Process().memory_info().vms + 300_000_000\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "facts = scan_images(data, n_threads=1).facts\n"
        "images = list(read_preprocessed(data.records, Preprocessing(image_size=8), n_threads=1))\n"
        "print(*(type(each).__name__ for each in [*facts, *images]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "x")], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["PixelFacts", "Unreadable", "PreprocessedImage", "UnreadableImage"], done.stderr


def test_pixels_of_a_file_that_changed_after_the_scan_are_not_kept_as_those_that_were_scanned(folder):
    dataset = open_dataset(folder)
    scan = scan_images(dataset)
    original = (folder / "a" / "3.png").read_bytes()
    (folder / "a" / "3.png").write_bytes((folder / "b" / "3.png").read_bytes())
    small = Preprocessing(image_size=8)
    with refusing(UnreadableImage, "image-changed") as first:
        PixelCache(dataset, scan, range(40), small)
    with refusing(UnreadableImage, "image-changed") as second:
        DecodedPixels(dataset, scan, small)(range(40))
    for refused in (first.value, second.value):
        assert refused.file == folder / "a" / "3.png"
        assert refused.remedies == (CleanCache("facts"),)
    (folder / "a" / "3.png").write_bytes(original)
    with PixelCache(dataset, scan, range(40), small) as cache:
        assert np.array_equal(cache(range(40)), as_decoded(dataset, small))


def as_decoded(dataset: Dataset, preprocessing: Preprocessing) -> np.ndarray:
    """What every image must look like to the network, without any cache."""
    return np.stack([preprocess(read_pixels(r.path, r.plan).array, preprocessing) for r in dataset.records])


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
def test_pixels_of_every_depth_and_number_of_channels_come_back_as_they_are_decoded(tmp_path, dtype, n_channels):
    import tifffile

    (tmp_path / "x" / "a").mkdir(parents=True)
    top = np.iinfo(dtype).max
    for i in range(4):
        array = np.random.default_rng(i).integers(0, top, (n_channels, 30, 24), dtype=dtype)
        tifffile.imwrite(tmp_path / "x" / "a" / f"{i}.tif", array, photometric="minisblack", metadata={"axes": "CYX"})
    dataset = open_dataset(tmp_path / "x")
    scan = scan_images(dataset)
    preprocessing = Preprocessing(image_size=16, channels=n_channels, depth=dtype, scaling=Scaling(mode="per-image"))
    for _ in range(2):  # filled, then found
        with PixelCache(dataset, scan, range(4), preprocessing) as cache:
            assert cache([3, 0]).dtype == dtype
            assert np.array_equal(cache([0, 1, 2, 3]), as_decoded(dataset, preprocessing))


OTHER_CHOICES = {
    "size": {"image_size": 12},
    "resize": {"resize": "stretch"},
    "scaling": {"scaling": Scaling(mode="per-image")},
    "depth": {"depth": "uint8"},
    "channels the network sees": {"channels": 1},
}


@pytest.mark.parametrize("change", OTHER_CHOICES.values(), ids=OTHER_CHOICES)
def test_pixels_preprocessed_in_another_way_are_never_mistaken(tmp_path, change):
    import tifffile

    (tmp_path / "x" / "a").mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 9000, (30, 24, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "x" / "a" / "1.tif", pixels, photometric="rgb")
    dataset = open_dataset(tmp_path / "x")
    scan = scan_images(dataset)
    wide = Preprocessing(image_size=16, depth="uint16")
    other = wide.model_copy(update=change)
    for preprocessing in (wide, other, wide):
        with PixelCache(dataset, scan, [0], preprocessing) as cache:
            assert np.array_equal(cache([0]), as_decoded(dataset, preprocessing))
    assert not np.array_equal(as_decoded(dataset, wide), as_decoded(dataset, other)), "the choice makes a difference"


def test_pages_channels_and_boxes_of_one_file_are_never_mistaken(tmp_path):
    import tifffile

    pages = np.random.default_rng(0).integers(0, 256, (3, 2, 20, 20), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "f.tif", pages, imagej=True, metadata={"axes": "ZCYX"})
    rows = ["0,0,0,0,9,9", "1,0,0,0,9,9", "max,0,0,0,9,9", "0,1,0,0,9,9", "0,0,5,5,9,9", "0,0,0,0,9,8"]
    table = tmp_path / "t.csv"
    table.write_text("path,label,z,channels,x,y,width,height\n" + "".join(f"f.tif,a,{row}\n" for row in rows))
    dataset = open_dataset(table)
    preprocessing = Preprocessing(image_size=8, channels=1)
    expected = as_decoded(dataset, preprocessing)
    assert len(np.unique(expected, axis=0)) == len(rows)
    for _ in range(2):
        with PixelCache(dataset, scan_images(dataset), range(len(rows)), preprocessing) as cache:
            assert np.array_equal(cache(range(len(rows))), expected)


def build_slowly_or_whole(folder: str, cache: str) -> None:
    os.environ["COVERSLIP_CACHE"] = cache
    dataset = open_dataset(folder)
    with PixelCache(dataset, scan_images(dataset), range(len(dataset.records)), Preprocessing(image_size=256)):
        pass


@pytest.mark.exhaustive
@pytest.mark.slow
def test_two_processes_that_build_at_once_one_of_them_killed_leave_right_pixels(folder, tmp_path):
    context = multiprocessing.get_context("spawn")
    work = (str(folder), str(tmp_path / "cache"))
    builders = [context.Process(target=build_slowly_or_whole, args=work) for _ in range(2)]
    for builder in builders:
        builder.start()
    while not list((tmp_path / "cache").glob("pixels/*/records.bin")):
        time.sleep(0.001)
    os.kill(builders[0].pid, signal.SIGKILL)
    for builder in builders:
        builder.join()
    assert builders[1].exitcode == 0
    dataset, preprocessing = open_dataset(folder), Preprocessing(image_size=256)
    with PixelCache(dataset, scan_images(dataset), range(40), preprocessing) as cache:
        assert np.array_equal(cache(range(40)), as_decoded(dataset, preprocessing))
