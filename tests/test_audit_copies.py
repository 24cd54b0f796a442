"""Images that show the same though their pixels differ are found, shown, and kept on one side of a split."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from image_sets import App, workspace_in
from PIL import Image, ImageEnhance, ImageFilter
from refusing import refusing
from scipy.ndimage import gaussian_filter

import coverslip as cs
from coverslip.audit.alignment import align_coarsely, compare
from coverslip.audit.near_duplicates import (
    MemoryBudget,
    ScanCollector,
    with_cached_near_duplicates,
    with_near_duplicates,
    with_recorded_near_duplicates,
)
from coverslip.audit.small_pictures import small_picture
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.related_images import (
    connected_components,
    predefined_split_leaks,
    undivided_clusters,
)
from coverslip.datasets.quality.scanning import scan_images
from coverslip.datasets.splits.folding import fold_images
from coverslip.datasets.splits.splitting import split_images
from coverslip.errors import LeakageFound
from coverslip.events import Event, Noted, Progressed
from coverslip.images.preprocessing import PixelFacts
from coverslip.messages import text
from coverslip.synthetic_cells import write_sample_images


def saved_again(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=60)
    return Image.open(buffer).convert("RGB")


CHANGES = {
    "saved again": saved_again,
    "resized": lambda p: p.resize((round(0.6 * p.width), round(0.6 * p.height))),
    "blurred": lambda p: p.filter(ImageFilter.GaussianBlur(1)),
    "brightened": lambda p: ImageEnhance.Brightness(p).enhance(1.15),
    "mirrored": lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "turned by a right angle": lambda p: p.transpose(Image.Transpose.ROTATE_90),
    "turned by 20 degrees": lambda p: p.rotate(20, Image.Resampling.BICUBIC),
    "cropped": lambda p: p.crop((0, 4, round(0.92 * p.width), 4 + round(0.92 * p.height))),
}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 drawn cells, and of eight of them a changed copy under the same class."""
    folder = tmp_path_factory.mktemp("copies") / "images"
    broken = write_sample_images(folder, n_images=80).broken
    originals = [path for path in sorted(folder.rglob("*.png")) if path not in broken][3::7]
    for (name, change), path in zip(CHANGES.items(), originals, strict=False):
        change(Image.open(path).convert("RGB")).save(path.with_name(f"copy of {path.stem} {name}.png"))
    return folder


@pytest.fixture(scope="module")
def scanned(planted: Path):
    data, seen = open_dataset(planted), ScanCollector(1_000)
    scan = scan_images(data, on_pixels=seen)
    return data, with_near_duplicates(data, scan, seen)


def originals_found(data, scan) -> dict[str, bool]:
    """Of every copy, whether it is in a cluster with its original and nothing else that is not equal to that."""
    name_of = [record.path.stem for record in data.records]
    cluster_of = {name_of[i]: {name_of[j] for j in members} for members in scan.near_duplicates for i in members}
    copies = [name for name in name_of if name.startswith("copy of")]
    return {name: any(other in name for other in cluster_of.get(name, set()) - {name}) for name in copies}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_changed_copies_of_every_kind_are_found_and_nothing_else(scanned):
    data, scan = scanned
    originals = originals_found(data, scan)
    assert len(originals) == len(CHANGES)
    assert all(originals.values()), originals
    assert all(
        any(data.records[i].path.stem.startswith("copy of") for i in members) for members in scan.near_duplicates
    )


@pytest.mark.slow
def test_twelve_versions_of_one_image_are_one_cluster(tmp_path):
    rng = np.random.default_rng(0)
    textures = gaussian_filter(rng.normal(0, 1, (30, 90, 90)), (0, 2, 2))
    first, *others = [Image.fromarray(texture) for texture in np.uint8(np.clip(128 + 250 * textures, 0, 255))]
    folder = tmp_path / "cells"
    folder.mkdir()
    for k in range(12):
        first.rotate(13 * k, Image.Resampling.BICUBIC).crop((15, 15, 75, 75)).save(folder / f"version {k}.png")
    for k, other in enumerate(others):
        other.crop((15, 15, 75, 75)).save(folder / f"other {k}.png")
    data, seen = open_dataset(tmp_path), ScanCollector(1_000)
    (cluster,) = with_near_duplicates(data, scan_images(data, on_pixels=seen), seen).near_duplicates
    assert sorted(data.records[i].path.stem for i in cluster) == sorted(f"version {k}" for k in range(12))


@pytest.mark.slow
def test_of_too_many_images_near_duplicates_stay_unknown_with_a_note(planted: Path, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("COVERSLIP_CACHE", str(tmp_path))  # another test has searched these images
    monkeypatch.setattr("coverslip.audit.near_duplicates.MOST_SEARCHED", 50)
    events: list[Event] = []
    data, collector = open_dataset(planted), ScanCollector(51)
    scan = scan_images(data, on_pixels=collector)
    assert not collector.pictures
    inspection = inspect_dataset(data, with_near_duplicates(data, scan, collector, emit=events.append))
    assert not inspection.are_copies_known
    (note,) = (event for event in events if isinstance(event, Noted))
    n_different = len({fact.pixel_hash for fact in scan.facts if isinstance(fact, PixelFacts)})
    assert (note.code, note.parameters) == ("too-many-for-near-duplicates", {"n_images": n_different, "most": 50})


@pytest.mark.slow
def test_near_duplicates_are_recognized_by_the_pixels_alone(scanned, planted):
    data, scan = scanned
    other = data.subset(reversed(range(len(data))))
    cached = with_cached_near_duplicates(replace(scan_images(other), near_duplicates=None))
    names = {frozenset(other.records[i].image_id for i in members) for members in cached.near_duplicates}
    assert names == {frozenset(data.records[i].image_id for i in members) for members in scan.near_duplicates}
    fewer = data.subset(range(10))
    assert with_cached_near_duplicates(scan_images(fewer)).near_duplicates is None


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_inspection_shows_the_clusters_and_a_training_keeps_them_together(scanned, planted, tmp_path):
    assert scanned[1].near_duplicates
    inspection = cs.inspect(planted)
    (finding,) = inspection.of("near-duplicates")
    assert inspection.are_copies_known
    assert sum(len(cluster) for cluster in finding.images) == finding.parameters["n_images"] >= 16
    recipe = cs.Recipe.model_validate({"stage": "instant", "split": {"folds": 0}})
    run = cs.train(planted, recipe, out=tmp_path / "run")
    side = {row.image_id: row.split for row in run.split if row.split != "excluded"}
    assert all(len({side[name] for name in cluster if name in side}) < 2 for cluster in finding.images)
    assert run.inspection is not None
    assert run.inspection.of("near-duplicates")


def test_a_run_that_is_resumed_keeps_the_clusters_that_it_began_with(scanned):
    data, scan = scanned
    recorded = with_recorded_near_duplicates(data, replace(scan, near_duplicates=None), inspect_dataset(data, scan))
    assert sorted(recorded.near_duplicates) == sorted(scan.near_duplicates)


def test_copies_stay_on_one_side_and_in_one_fold(scanned):
    data, scan = scanned
    for seed in range(3):
        split = split_images(data, scan, val=0.2, test=0.2, seed=seed)
        folds = fold_images(data, scan, n_folds=5, val=0.2, seed=seed)
        for members in scan.near_duplicates:
            assert len({split.parts[i] for i in members} - {"excluded"}) == 1
            assert len({folds.fold_of[i] for i in members} - {None}) == 1


def test_a_predefined_split_that_divides_changed_copies_is_refused(scanned):
    data, scan = scanned
    first, second = scan.near_duplicates[0][:2]
    records = [replace(record, predefined_split="train") for record in data.records]
    records[second] = replace(records[second], predefined_split="test")
    divided = replace(data, records=tuple(records))
    kinds = [leak.kind for leak in predefined_split_leaks(divided, scan)]
    assert kinds == ["near-duplicates"]
    with refusing(LeakageFound, "leaking-split", n_leaks=1, leaks=text("leak-of-near-duplicates", n=1)):
        split_images(divided, scan, val=0.2, test=0.2, seed=0)
    assert {first, second} <= set(predefined_split_leaks(divided, scan)[0].images)


def test_progress_is_reported_and_plain_images_have_no_duplicates(tmp_path, monkeypatch):
    clock = count()  # each reading of the clock is a second later, because fast work reports no progress
    monkeypatch.setattr("coverslip.events.time.monotonic", lambda: float(next(clock)))
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for k in range(3):
            Image.fromarray(np.full((20, 20), 40 * k + len(name), np.uint8)).save(tmp_path / name / f"{k}{name}.png")
    events = []
    data = open_dataset(tmp_path)
    scan = scan_images(data)
    assert with_near_duplicates(data, scan, emit=events.append).near_duplicates == ()
    assert {event.stage for event in events if isinstance(event, Progressed)} == {"reading-images-for-duplicates"}


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 200, 3), (64, 64, 4), (50, 50, 1)])
def test_small_pictures_are_made_of_images_of_any_shape_and_depth(shape):
    noise = np.random.default_rng(0).normal(1000, 100, shape)
    for dtype in (np.uint16, np.float32):
        picture = small_picture(noise.astype(dtype))
        assert picture is None if shape == (1, 1, 1) else picture is not None and picture.shape == (64, 64)


def rod(height: int, width: int, *, bands: float = 5.0) -> Image.Image:
    """A banded rod on white, as long as the image is high, and a little bent."""
    y, x = np.mgrid[:height, :width]
    middle = width / 2 + 0.06 * width * np.sin(y / height * 4)
    inside = (np.abs(x - middle) < 0.3 * width) & (np.abs(y - height / 2) < 0.46 * height)
    shade = 110 + 60 * np.sin(y / height * bands * 6.3 + 0.1 * x)
    return Image.fromarray(np.where(inside, shade, 255).astype(np.uint8))


def likeness(first: Image.Image, second: Image.Image) -> float:
    """The likeness of two images by which copies are detected; -inf if they differ at low resolution."""
    pictures = [small_picture(np.asarray(image)[..., None]) for image in (first, second)]
    stack = np.stack([picture for picture in pictures if picture is not None])
    comparison = compare(stack, align_coarsely(stack, np.array([0]), np.array([1]))[0])
    return float(comparison.likeness[0]) if len(comparison.first) else -np.inf


def test_a_long_image_is_recognized_after_rotation_with_filled_corners():
    original = rod(72, 32)
    turned = original.rotate(20, Image.Resampling.BICUBIC)  # black corners, where the background is white
    picture = small_picture(np.asarray(turned)[..., None])
    assert picture is not None
    shown = picture & 1
    assert 0.7 < shown.sum() / (small_picture(np.asarray(original)[..., None]) & 1).sum() < 0.95
    assert likeness(original, turned) > likeness(original, rod(72, 32, bands=4.5)) + 1


def test_an_object_in_a_large_empty_frame_is_compared_by_its_detail():
    framed = Image.new("L", (200, 100), 255)
    framed.paste(rod(40, 18), (90, 30))
    other = Image.new("L", (100, 200), 255)
    other.paste(rod(40, 18), (20, 110))
    another = Image.new("L", (200, 100), 255)
    another.paste(rod(40, 18, bands=3.5), (90, 30))
    assert likeness(framed, other) > likeness(framed, another) + 1


def test_an_object_on_a_noisy_ground_is_compared_by_its_detail():
    noise = np.random.default_rng(0).normal(0, 4, (2, 200, 200))
    framed, other = (
        np.full(shape, 240.0) + n[: shape[0], : shape[1]]
        for shape, n in zip(((100, 200), (200, 100)), noise, strict=True)
    )
    for picture, (top, left) in ((framed, (30, 90)), (other, (110, 20))):
        picture[top : top + 40, left : left + 18] = np.asarray(rod(40, 18))
    images = [Image.fromarray(picture.clip(0, 255).astype(np.uint8)) for picture in (framed, other)]
    assert likeness(*images) > 4.4


@pytest.mark.exhaustive
def test_plain_shapes_that_fit_in_any_turn_are_no_copies(tmp_path):
    files = sorted(write_cells(tmp_path / "cells", 54).rglob("*.png"))
    pictures = [small_picture(np.asarray(Image.open(file))) for file in files]
    first, second = np.triu_indices(len(files), 1)
    stack = np.stack([picture for picture in pictures if picture is not None])
    comparison = compare(stack, align_coarsely(stack, first, second)[0])
    assert len(comparison.first) > 30  # discs on an even ground: laid over each other with ease
    assert not comparison.are_duplicates.any()


def test_chromosomes_of_several_cells_that_agree_when_turned_are_no_copies(shared_data):
    folder = shared_data("chromosomes_qband") / "images"
    names = "02/27 2b.bmp", "02/80 2a.bmp", "02/52 2a.bmp", "02/96 2b.bmp", "03/111 3b.bmp", "03/2 3b.bmp"
    shown = [Image.open(folder / name).convert("L") for name in names]
    shown += [shown[0], shown[0].rotate(20, Image.Resampling.BICUBIC)]
    stack = np.stack([small_picture(np.asarray(image)[..., None]) for image in shown])
    comparison = compare(stack, align_coarsely(stack, np.arange(0, 8, 2), np.arange(1, 8, 2))[0])
    assert (comparison.likeness > 4.4).all()
    # The third is of a cell that was photographed twice, upright both times; the last was turned on purpose.
    assert comparison.is_askew.tolist() == [True, True, False, True]
    assert comparison.are_duplicates.tolist() == [False, False, True, True]


def test_pairs_that_all_differ_when_seen_coarsely_match_nothing():
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64), dtype=np.uint8)
    assert not len(align_coarsely(noise, np.array([0, 1]), np.array([2, 3]))[1])


@pytest.mark.slow
def test_the_app_shows_duplicates_after_it_has_read_the_images(planted):
    app = App(workspace_in(planted.parent))
    dataset = app.open(planted)
    until = time.monotonic() + 60
    while not (inspected := app.get(f"datasets/{dataset['id']}/inspection"))["are_copies_known"]:
        assert time.monotonic() < until
        time.sleep(0.1)
    (finding,) = [finding for finding in inspected["findings"] if finding["code"] == "near-duplicates"]
    assert finding["n_images"] >= 16
    assert {name for cluster in finding["images"] for name in cluster} <= set(inspected["row_ids"])


@pytest.mark.parametrize(("clusters", "n_units"), [(((0, 1),), 5), (((0, 1, 2),), 4), (((0, 1), (2, 3), (4, 5)), 6)])
def test_copies_connect_groups_unless_most_groups_would_become_one(
    tmp_path: Path, clusters: tuple[tuple[int, ...], ...], n_units: int
) -> None:
    rows = ["path,label,group"]
    for i in range(12):
        Image.fromarray(np.full((4, 4), 20 * i, np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{'ab'[i % 2]},g{i % 6}")
    (tmp_path / "t.csv").write_text("\n".join(rows), encoding="utf-8")
    data = open_dataset(tmp_path / "t.csv")
    scan = replace(scan_images(data), near_duplicates=clusters)
    assert len(set(connected_components(data, scan, range(12)).tolist())) == n_units
    (finding,) = inspect_dataset(data, scan).of("groups-divide-copies")
    assert finding.parameters["are_kept_together"] == (n_units != 6)


def test_a_copy_that_no_split_contains_is_no_duplicate_in_several_groups(tmp_path: Path) -> None:
    """Images 1, 8 and 9 have no label. The pixels of 4 and 5, and of 8 and 10, are equal."""
    rows = ["path,label,group"]
    for i in range(12):
        gray = 20 * {5: 4, 10: 8}.get(i, i)
        Image.fromarray(np.full((4, 4), gray, np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{'' if i in (1, 8, 9) else 'ab'[i % 2]},g{i}")
    table = "\n".join(rows).replace("5.png,b", "5.png,a")
    (tmp_path / "t.csv").write_text(table, encoding="utf-8")
    data = open_dataset(tmp_path / "t.csv")
    scan = scan_images(data)
    excluded_only = replace(scan, near_duplicates=((0, 1), (4, 5, 9)))
    inspection = inspect_dataset(data, excluded_only)
    assert undivided_clusters(data, excluded_only) == ()
    assert inspection.of("near-duplicates") == ()
    assert [finding.notes for finding in inspection.of("groups-divide-copies")] == [(("g4", "g5"),)]
    partly = replace(scan, near_duplicates=((0, 1, 2), (3, 9)))
    (finding,) = inspect_dataset(data, partly).of("near-duplicates")
    assert undivided_clusters(data, partly) == ((0, 2),)
    assert finding.images == (("0.png", "2.png"),)
    assert [finding.parameters[name] for name in ("n_images", "n_clusters_together", "are_all_together")] == [
        2,
        1,
        True,
    ]


def test_an_image_outside_the_split_connects_no_groups(tmp_path: Path) -> None:
    """A blank image of patient p1 that has no label equals one of patient p2."""
    labels = ("a", "", "a", "b", "b")
    for i, gray in enumerate((10, 90, 90, 150, 200)):
        Image.fromarray(np.full((4, 4), gray, np.uint8)).save(tmp_path / f"{i}.png")
    rows = [f"{i}.png,{label},{'p1' if i < 2 else f'p{i}'}" for i, label in enumerate(labels)]
    (tmp_path / "t.csv").write_text("\n".join(["path,label,group", *rows]), encoding="utf-8")
    data = open_dataset(tmp_path / "t.csv")
    components = connected_components(data, scan_images(data), [0, 2, 3, 4]).tolist()
    assert components == [0, 1, 2, 3]


def test_what_needs_more_than_the_budget_waits_until_no_other_memory_is_in_use() -> None:
    at_work, most, budget = [0], [], MemoryBudget(100)

    def look(_: int) -> None:
        with budget.reserve(150):
            at_work[0] += 1
            most.append(at_work[0])
            time.sleep(0.01)
            at_work[0] -= 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(look, range(8)))
    assert most == [1] * 8
