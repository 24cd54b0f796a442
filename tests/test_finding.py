"""Finders of objects: known answers, invariances, warnings, rubbish, and finders of other packages."""

import math
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from drawing import draw_field
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from pydantic import ValidationError
from refusing import refusing

from coverslip.errors import CoverslipError
from coverslip.images.decoding import read_pixels
from coverslip.objects import finders, finding
from coverslip.objects.finders import find_with
from coverslip.objects.finding import FinderResult, FinderSettings, find_objects

Pixels = npt.NDArray[np.generic]


def drawn(n: int = 40, seed: int = 0, side: int = 320, **options: float) -> tuple[npt.NDArray[np.float32], Pixels]:
    return draw_field(np.random.default_rng(seed), n, side=side, **options)


def codes(result: FinderResult) -> set[str]:
    return {warning.code for warning in result.warnings}


def matches(labels: Pixels, truth: Pixels, least: float = 0.5) -> int:
    """The number of true objects that a found one overlaps with an intersection over union above `least`."""
    pairs = labels.astype(np.int64) * (int(truth.max()) + 1) + truth
    counts = np.bincount(pairs.ravel(), minlength=(int(labels.max()) + 1) * (int(truth.max()) + 1))
    table = counts.reshape(int(labels.max()) + 1, -1)
    union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
    return int((table / np.maximum(union, 1) > least)[1:, 1:].sum())


# Known answers


@pytest.mark.parametrize(
    "options",
    [
        {"noise": 0.0},
        {"noise": 0.2},
        {"noise": 0.6},
        {"shading": 1.5},
        {"dimmest": 0.25},
        {"radius": 6, "noise": 0.05},
        {"radius": 35},
    ],
    ids=str,
)
def test_separate_objects_are_all_found_and_nothing_else(options: dict[str, float]) -> None:
    n = 4 if options.get("radius") == 35 else 40
    pixels, truth = drawn(n, **options)
    result = find_objects(pixels)
    assert result.n_objects == truth.max() == matches(result.labels, truth, 0.6)
    assert codes(result) == set()
    assert result.settings.objects == "bright"
    assert result.labels.dtype == np.int32


@pytest.mark.slow
def test_few_objects_in_a_large_shaded_field_are_found() -> None:
    pixels, truth = drawn(3, side=512, shading=0.8)
    result = find_objects(pixels)
    assert result.n_objects == 3 == matches(result.labels, truth, 0.7)


def test_touching_objects_are_divided_unless_this_is_switched_off() -> None:
    y, x = np.mgrid[:100, :160]
    disks = [np.hypot(y - 50, x - center) < 15 for center in (50, 76, 102)]
    pixels = np.any(disks, axis=0) * 100.0
    divided = find_objects(pixels).labels
    assert divided.max() == 3
    assert len({int(divided[50, center]) for center in (50, 76, 102)}) == 3
    assert find_objects(pixels, FinderSettings(split=False)).n_objects == 1


def test_a_pale_center_belongs_to_its_cell_and_a_gap_between_cells_does_not() -> None:
    y, x = np.mgrid[:160, :160]
    centers = [(60, 60), (60, 90), (90, 60), (90, 90)]
    pixels = np.zeros((160, 160))
    for row, column in centers:
        distances = np.hypot(y - row, x - column)
        pixels[(distances < 15.5) & (distances > 5)] = 100
    labels = find_objects(pixels).labels
    assert labels.max() == 4
    assert len({int(labels[center]) for center in centers} - {0}) == 4
    assert labels[75, 75] == 0


def test_cells_with_pale_centers_are_found_whole_where_they_touch() -> None:
    pixels, truth = drawn(50, side=512, touching=0.6, pale=1.0, radius=25, dimmest=0.8)
    labels = find_objects(pixels).labels
    n_matches = matches(labels, truth)
    assert n_matches / truth.max() > 0.85
    assert n_matches / labels.max() > 0.85


def test_limits_of_size_that_exclude_most_objects_are_a_warning() -> None:
    pixels, _ = drawn()
    all_objects = find_with("classical", pixels)
    few = find_with("classical", pixels, FinderSettings(largest=8))
    assert few.n_objects < all_objects.n_objects / 2
    assert "finder-limits" in codes(few)
    most = find_with("classical", pixels, FinderSettings(largest=100, at_edge=False))
    assert "finder-limits" not in codes(all_objects) | codes(most)


def test_objects_that_sample_windows_cut_and_debris_do_not_make_the_typical_diameter_smaller() -> None:
    y, x = np.mgrid[:300, :300]
    large = np.tile(np.hypot(y - 150, x - 150) < 130, (7, 7)) * 100.0  # of more pixels than are read at once
    assert find_objects(large).settings.diameter == pytest.approx(260, rel=0.1)
    y, x = np.mgrid[:80, :80]
    debris = [np.hypot(y - row, x - column) < 6 for row, column in ((72, 20), (72, 55), (20, 72), (55, 72))]
    cells = np.tile(np.any([np.hypot(y - 35, x - 35) < 30, *debris], axis=0), (4, 4))
    assert find_objects(cells * 100.0).settings.diameter == pytest.approx(60, rel=0.1)


def test_gaps_that_a_crowded_smear_encloses_are_not_objects() -> None:
    rows, columns = np.mgrid[:300, :300] % 60 - 30
    distance = np.hypot(rows, columns)  # from the center of a cell, which touches four others
    cells = np.where(distance < 31, 130 + 50 * np.exp(-((distance / 15) ** 2)), 210)
    smear = (cells + np.random.default_rng(0).normal(0, 2, cells.shape)).clip(0, 255).astype(np.uint8)
    assert find_objects(smear).settings.objects == "dark"


@pytest.mark.parametrize("threshold", ["log", "otsu", "local"])
def test_every_threshold_finds_objects_of_equal_brightness(threshold: str) -> None:
    pixels, truth = drawn(dimmest=0.95)
    result = find_objects(pixels, FinderSettings(threshold=threshold))
    assert result.n_objects == truth.max() == matches(result.labels, truth)


@pytest.mark.slow
def test_dim_objects_beside_bright_ones_need_the_logarithmic_threshold() -> None:
    pixels, truth = drawn(dimmest=0.1)
    by_log, by_otsu = (find_objects(pixels, FinderSettings(threshold=name)).labels for name in ("log", "otsu"))
    assert matches(by_log, truth) >= 0.95 * truth.max()
    assert matches(by_otsu, truth) < 0.85 * truth.max()


@pytest.mark.slow
def test_the_diameter_selects_sizes_in_pixels_and_micrometers() -> None:
    y, x = np.mgrid[:200, :200]
    pixels = np.zeros((200, 200))
    for row, column, radius in ((50, 50, 20), (50, 150, 20), (150, 50, 20), (150, 120, 3), (150, 150, 3)):
        pixels[np.hypot(y - row, x - column) < radius] = 1
    assert find_objects(pixels).n_objects == 3
    assert find_objects(pixels, FinderSettings(diameter=6)).n_objects == 5
    assert find_objects(pixels, FinderSettings(diameter=3, unit="um"), pixel_size_um=0.5).n_objects == 5
    estimate = find_objects(pixels, FinderSettings(unit="um"), pixel_size_um=0.5).settings.diameter
    assert estimate == pytest.approx(20, rel=0.15)
    for size in (None, 0.0, float("nan")):
        with refusing(CoverslipError, "finder-no-pixel-size"):
            find_objects(pixels, FinderSettings(diameter=3, unit="um"), pixel_size_um=size)


@pytest.mark.slow
def test_the_result_states_settings_that_give_the_same_objects() -> None:
    pixels, _ = drawn(touching=0.4)
    first = find_objects(pixels)
    assert None not in (first.settings.diameter, first.settings.objects, first.settings.smoothing)
    repeated = find_objects(pixels, first.settings)
    assert repeated.n_objects == first.n_objects
    assert ((repeated.labels > 0) == (first.labels > 0)).mean() > 0.999


# What must not change the result


@pytest.mark.slow
def test_bit_depth_offset_and_scale_change_nothing() -> None:
    pixels, _ = drawn(touching=0.3)
    eight = (pixels * 120).clip(0, 255).astype(np.uint8)
    labels = find_objects(eight).labels
    for other in (
        eight.astype(np.uint16) * 257,
        eight.astype(np.int32) - 1000,
        eight.astype(np.float64) * 1e300,
        eight.astype(np.uint32) * 2**20 + 2**30,
    ):
        assert np.array_equal(find_objects(other).labels, labels), other.dtype


@pytest.mark.slow
def test_dark_objects_are_bright_ones_inverted() -> None:
    pixels, _ = drawn(touching=0.3)
    eight = (pixels * 120).clip(0, 255).astype(np.uint8)
    bright, dark = find_objects(eight), find_objects(255 - eight)
    assert (bright.settings.objects, dark.settings.objects) == ("bright", "dark")
    assert np.array_equal(bright.labels, dark.labels)
    assert np.array_equal(find_objects(255 - eight, FinderSettings(objects="dark")).labels, bright.labels)


@pytest.mark.slow
def test_a_margin_of_background_changes_no_object() -> None:
    pixels, truth = drawn(shading=0.0)
    padded = np.pad(pixels, 40, mode="reflect") * 0 + 0.2 + np.random.default_rng(1).normal(0, 0.02, (400, 400))
    padded[40:-40, 40:-40] = pixels
    labels, within = find_objects(pixels).labels, find_objects(padded).labels[40:-40, 40:-40]
    assert matches(within, labels, 0.9) == labels.max() == within.max() == truth.max()


@pytest.mark.slow
def test_channel_and_luminance_are_searched_and_the_first_of_several_channels_is_stated() -> None:
    pixels, _ = drawn()
    eight = (pixels * 120).clip(0, 255).astype(np.uint8)
    labels = find_objects(eight).labels
    nothing = np.zeros_like(eight)
    assert np.array_equal(find_objects(np.stack([nothing, eight], -1), FinderSettings(channel=1)).labels, labels)
    assert matches(find_objects(np.stack([eight] * 3, -1)).labels, labels, 0.9) == labels.max()
    first = find_objects(np.stack([eight, nothing], -1))
    assert np.array_equal(first.labels, labels)
    assert codes(first) == {"finder-first-channel"}
    with refusing(CoverslipError, "finder-no-channel"):
        find_objects(eight, FinderSettings(channel=1))


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 999),
    radius=st.sampled_from([5, 8, 12]),
    touching=st.sampled_from([0.0, 0.3, 0.5]),
    tile=st.integers(40, 160),
)
def test_objects_in_tiles_are_those_of_the_whole_field(seed: int, radius: int, touching: float, tile: int) -> None:
    pixels, _ = drawn(90, seed, side=260, touching=touching, radius=radius, noise=0.1)
    done: list[int] = []
    whole = find_objects(pixels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "_SAMPLE_PIXELS", 0)
        patch.setattr(finding, "_TILE_SIDE", tile)
        patch.setattr(finding, "_sample_windows", lambda *_: [(slice(0, 260), slice(0, 260))])
        tiled = find_objects(pixels, report=lambda n_done, n: done.append(n_done))
    assert tiled.n_objects == whole.n_objects == matches(tiled.labels, whole.labels, 0.9999)
    assert np.array_equal(tiled.labels > 0, whole.labels > 0)
    assert len(done) == math.ceil(260 / tile) ** 2
    assert done[-1] == pixels.size


# Warnings


@pytest.mark.parametrize(
    "pixels, code",
    [
        (np.zeros((40, 40), np.uint8), "finder-nothing"),
        (np.full((30, 20), np.nan), "finder-nothing"),
        (np.ones((1, 1)), "finder-nothing"),
        (np.random.default_rng(0).normal(size=(256, 256)), "finder-low-contrast"),
        (drawn(40, noise=4)[0], "finder-low-contrast"),
        (drawn(200, radius=2)[0], "finder-small-objects"),
        (drawn(110, touching=0.5)[0], "finder-crowded"),
    ],
    ids=["constant", "no number", "one pixel", "noise", "more noise than signal", "small", "crowded"],
)
def test_fields_that_do_not_suit_the_finder_are_warned_about(pixels: Pixels, code: str) -> None:
    assert code in codes(find_objects(pixels))


@pytest.mark.slow
def test_tissue_is_warned_about_and_a_blood_smear_is_not(shared_data: Callable[[str], Path]) -> None:
    tissue = read_pixels(shared_data("microscope_formats") / "zstack_16bit" / "histo.jpg").array
    smear = read_pixels(shared_data("fields_rbc_chula") / "fields" / "10.jpg").array
    assert "finder-tissue" in codes(find_objects(tissue))
    assert codes(find_objects(smear)) == set()


@pytest.mark.slow
def test_points_of_experts_lie_in_objects(shared_data: Callable[[str], Path]) -> None:
    folder = shared_data("fields_rbc_chula")
    labels = find_objects(read_pixels(folder / "fields" / "10.jpg").array).labels
    points = np.loadtxt(folder / "points" / "10.txt", dtype=int)
    assert (labels[points[:, 1], points[:, 0]] > 0).mean() > 0.9


@pytest.mark.slow
def test_a_large_white_cell_does_not_hide_the_red_cells_of_its_field(shared_data: Callable[[str], Path]) -> None:
    field = read_pixels(shared_data("blood_bccd") / "EOSINOPHIL" / "BloodImage_00353.jpg").array
    assert find_objects(field).n_objects >= 18  # 10 at twice the diameter of the red cells


# Rubbish


@pytest.mark.slow
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arrays.arrays(
        st.sampled_from(["bool", "uint8", "int16", "uint16", "int64", "float16", "float32", "float64"]),
        st.one_of(
            arrays.array_shapes(min_dims=2, max_dims=2, max_side=40),
            arrays.array_shapes(min_dims=3, max_dims=3, max_side=6),
        ),
    )
)
def test_any_array_gives_labels_without_gaps(pixels: Pixels) -> None:
    result = find_objects(pixels)
    assert result.labels.shape == pixels.shape[:2]
    numbers = np.unique(result.labels)
    assert set(numbers[numbers > 0]) == set(range(1, result.n_objects + 1))
    assert result.n_objects or "finder-nothing" in codes(result)


def test_pixels_that_are_no_number_are_background() -> None:
    pixels, truth = drawn()
    pixels[100:110, 100:110] = np.nan
    pixels[0, 0] = np.inf
    result = find_objects(pixels)
    assert abs(result.n_objects - int(truth.max())) <= 1


@pytest.mark.parametrize(
    "pixels", [np.zeros((0, 5)), np.zeros(5), np.zeros((2, 2, 2, 2)), np.zeros((4, 4), complex), np.array([["a"]])]
)
def test_what_is_no_image_is_refused(pixels: Pixels) -> None:
    with refusing(CoverslipError, "finder-no-image"):
        find_objects(pixels)


@pytest.mark.parametrize("values", [{"diameter": 0}, {"diameter": float("inf")}, {"smoothing": -1}, {"size": 3}])
def test_settings_out_of_range_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        FinderSettings.model_validate(values)


# Finders of other packages

FINDER_MODULE = """
import numpy as np
from scipy import ndimage
from coverslip.objects.finders import Finder

def find(pixels, settings, pixel_size_um):
    return ndimage.label(pixels[..., 0] > 128)[0] * 10

def fail(pixels, settings, pixel_size_um):
    raise RuntimeError("out of memory")

def finder(find):
    return Finder(name="components", title="Connected components", license="MIT", find=find)

FINDER, FAILING = finder(find), finder(fail)
OTHER_SHAPE = finder(lambda *_: np.zeros((9, 8), int))
NO_INTEGERS = finder(lambda *_: np.zeros((9, 9)))
NEGATIVE = finder(lambda *_: np.full((9, 9), -1))
NO_FINDER = "a text"
"""


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("FINDER", None),
        ("NO_FINDER", "finder-not-loaded"),
        ("X", "finder-not-loaded"),
        ("FAILING", "finder-failed"),
        ("OTHER_SHAPE", "finder-wrong-labels"),
        ("NO_INTEGERS", "finder-wrong-labels"),
        ("NEGATIVE", "finder-wrong-labels"),
    ],
)
def test_an_installed_package_brings_a_finder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, code: str | None
) -> None:
    (tmp_path / "outside.py").write_text(FINDER_MODULE)
    about = tmp_path / "outside-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[coverslip.finders]\ncomponents = outside:{target}\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "outside", raising=False)  # of an earlier case
    finders._installed.cache_clear()
    pixels = np.zeros((9, 9), np.uint8)
    pixels[1:4, 1:4] = pixels[5:8, 5:8] = 255
    try:
        if code is None:
            assert np.unique(find_with("components", pixels).labels).tolist() == [0, 1, 2]
            return
        with refusing(CoverslipError, code, **({"package": "outside"} if code == "finder-not-loaded" else {})):
            find_with("components", pixels)
    finally:
        finders._installed.cache_clear()


def test_unknown_names_of_finders_are_refused() -> None:
    with refusing(CoverslipError, "finder-unknown"):
        find_with("unknown", np.zeros((5, 5)))
    assert find_with("classical", np.zeros((5, 5))).n_objects == 0
