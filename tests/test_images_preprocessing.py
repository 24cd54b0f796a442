"""Facts, scaling and the one preprocessing: known answers and properties."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from refusing import refusing

from coverslip.audit.small_pictures import small_picture
from coverslip.errors import BadDataset, UnreadableImage
from coverslip.images import preprocessing as module
from coverslip.images.decoding import read_pixels
from coverslip.images.output import as_webp, small_pixels
from coverslip.images.preprocessing import Preprocessing, Scaling, image_facts, learn_scaling, pixel_hash, preprocess
from coverslip.images.reading import Pixels

RNG = np.random.default_rng(0)
images = st.one_of(
    arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))),
    arrays(np.uint16, st.tuples(st.integers(1, 12), st.integers(1, 12), st.sampled_from([1, 3]))),
)


def facts_of(array, bit_depth=8):
    return image_facts(Pixels(np.asarray(array), "PNG", bit_depth, 1))


# ---- facts


@given(images)
def test_gray_stored_as_three_channels_is_one_channel_with_the_same_hash(array):
    gray = array[..., :1]
    color = np.repeat(gray, 3, axis=2)
    assert facts_of(color).n_channels == 1
    assert facts_of(color).pixel_hash == facts_of(gray).pixel_hash == pixel_hash(Pixels(color, "PNG", 8, 1))


@given(images, st.data())
def test_any_other_pixel_size_or_depth_gives_another_hash(array, data):
    changed = array.copy()
    where = tuple(data.draw(st.integers(0, size - 1)) for size in array.shape)
    changed[where] ^= 1
    hashes = {facts_of(other).pixel_hash for other in (array, changed, array.astype(np.float32))}
    assert len(hashes) == 3
    if array.shape[0] != array.shape[1]:
        other = facts_of(array.reshape(array.shape[1], array.shape[0], -1))
        assert other.pixel_hash != facts_of(array).pixel_hash


@given(images)
def test_the_range_of_a_small_image_is_its_minimum_and_maximum(array):
    facts = facts_of(array)
    n_channels = facts.n_channels
    assert facts.low == tuple(array.min((0, 1))[:n_channels])
    assert facts.high == tuple(array.max((0, 1))[:n_channels])
    assert (facts.height_px, facts.width_px) == array.shape[:2]
    assert facts.dtype == array.dtype


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_range_of_a_large_image_is_near_its_percentiles_and_passes_over_hot_pixels(dtype):
    array = np.clip(RNG.normal(120, 20, (900, 700, 2)), 40, 200).astype(dtype)
    array[0, 0], array[9, 9] = 0, 255
    facts = facts_of(array)
    assert np.allclose(facts.low, np.percentile(array, 0.1, axis=(0, 1)), atol=8)
    assert np.allclose(facts.high, np.percentile(array, 99.9, axis=(0, 1)), atol=8)


# ---- scaling


def constant_range(dtype, low, high, n_channels=1):
    array = np.full((10, 10, n_channels), low, dtype)
    array[5:] = high
    array[0, 0, -1] = low + 1  # so that three channels are not gray
    return facts_of(array)


def test_eight_bit_images_use_the_full_range_by_default():
    assert learn_scaling([constant_range(np.uint8, 10, 90)], "auto", 3) == Scaling(mode="full")


def test_a_mixed_set_learns_a_range_for_each_depth_and_one_burnt_image_does_not_set_it():
    deep = [constant_range(np.uint16, 500 + i % 7, 4000 + i) for i in range(200)]
    burnt = constant_range(np.uint16, 500, 65535)
    shallow = [constant_range(np.uint8, 5, 60)]
    scaling = learn_scaling([*deep, burnt, *shallow], "auto", 1)
    assert scaling.mode == "training-range"
    assert set(scaling.ranges) == {"uint8", "uint16"}
    assert scaling.ranges["uint8"] == ((5, 60),)
    ((low, high),) = scaling.ranges["uint16"]
    assert low == 500
    assert 4150 < high < 4300


def test_ranges_are_per_channel_and_gray_counts_for_all():
    planes = [np.full((9, 9), 10), np.full((9, 9), 20), np.arange(81).reshape(9, 9)]
    color = facts_of(np.stack(planes, axis=-1).astype(np.uint16))
    scaling = learn_scaling([color], "training-range", 3)
    assert [low for low, _ in scaling.ranges["uint16"]] == [10, 20, 0]
    assert all(high > low for low, high in scaling.ranges["uint16"])  # also where a channel is constant
    gray = constant_range(np.uint16, 3, 300)
    assert learn_scaling([gray], "auto", 3).ranges["uint16"] == ((3, 300),) * 3


@given(st.lists(images, max_size=5), st.sampled_from(["auto", "training-range"]), st.sampled_from([1, 3]))
def test_a_learnt_range_always_rises_and_survives_json(arrays_, mode, n_channels):
    scaling = learn_scaling([facts_of(array) for array in arrays_], mode, n_channels)
    assert all(high > low for ranges in scaling.ranges.values() for low, high in ranges)
    assert Scaling.model_validate_json(scaling.model_dump_json()) == scaling


def test_full_range_of_floats_is_zero_to_one_and_anything_else_is_refused():
    assert learn_scaling([constant_range(np.float32, -0.0, 1.0)], "full", 1).mode == "full"
    with refusing(BadDataset, "full-scaling-of-floats", n_outside=1, n_images=1):
        learn_scaling([constant_range(np.float32, 0.0, 900.0)], "full", 1)
    with refusing(UnreadableImage, "float-range-unknown"):
        preprocess(np.full((4, 4, 1), 900, np.float32), Preprocessing(image_size=4))


def test_both_depths_of_a_mixed_set_become_comparable():
    deep = np.linspace(1000, 3000, 64).reshape(8, 8, 1).astype(np.uint16)
    shallow = np.linspace(50, 150, 64).reshape(8, 8, 1).astype(np.uint8)
    scaling = learn_scaling([facts_of(deep), facts_of(shallow)], "auto", 1)
    preprocessing = Preprocessing(image_size=8, channels=1, scaling=scaling)
    first, other = preprocess(deep, preprocessing), preprocess(shallow, preprocessing)
    assert np.abs(first.astype(int) - other).max() <= 3  # 100 steps of the shallow one over 255
    assert first.min() == 0
    assert first.max() == 255


def test_intensity_survives_the_training_range_and_is_erased_per_image():
    g1 = RNG.integers(800, 1200, (16, 16, 1), np.uint16)
    g2 = (g1 * 2).astype(np.uint16)
    scaling = learn_scaling([facts_of(g1), facts_of(g2)], "auto", 1)
    means = [preprocess(image, Preprocessing(image_size=16, channels=1, scaling=scaling)).mean() for image in (g1, g2)]
    each = Scaling(mode="per-image")
    erased = [preprocess(image, Preprocessing(image_size=16, channels=1, scaling=each)).mean() for image in (g1, g2)]
    assert means[1] > 2 * means[0]
    assert abs(erased[0] - erased[1]) < 2


# ---- preprocessing


def test_an_image_of_the_right_size_passes_unchanged_and_the_result_may_be_written_to():
    image = RNG.integers(0, 256, (32, 32, 3), np.uint8)
    for resize in ("pad", "stretch", "crop"):
        square = preprocess(image, Preprocessing(image_size=32, resize=resize))
        assert np.array_equal(square, image)
        square[0, 0, 0] = 1


def test_pad_keeps_the_shape_and_fills_with_the_median_color_of_the_border():
    image = np.full((20, 40, 3), (200, 210, 220), np.uint8)
    image[5:15, 10:30] = 0
    image[0, :9] = 3  # a minority of the border
    square = preprocess(image, Preprocessing(image_size=40))
    assert (square[:10] == (200, 210, 220)).all()
    assert (square[30:] == (200, 210, 220)).all()
    assert np.array_equal(square[10:30], image)


def test_crop_takes_the_middle_and_stretch_everything():
    image = np.zeros((20, 40, 1), np.uint8)
    image[:, 10:30] = 255
    assert (preprocess(image, Preprocessing(image_size=20, channels=1, resize="crop")) == 255).all()
    stretched = preprocess(image, Preprocessing(image_size=20, channels=1, resize="stretch"))
    assert (stretched[:, :4] == 0).all()
    assert (stretched[:, 8:12] == 255).all()
    assert abs(stretched.mean() - 127.5) < 2


def test_shrinking_averages_instead_of_skipping_pixels():
    board = np.indices((64, 64)).sum(0)[..., None] % 2 * np.uint8(255)
    assert (
        np.abs(preprocess(board.astype(np.uint8), Preprocessing(image_size=8, channels=1)).astype(int) - 127.5).max()
        < 8
    )


@given(
    images,
    st.sampled_from(["pad", "stretch", "crop", "canvas"]),
    st.sampled_from(["auto", "black", "white"]),
    st.sampled_from(["uint8", "uint16"]),
    st.sampled_from([1, 3]),
    st.sampled_from(["full", "per-image"]),
    st.integers(1, 20),
)
def test_every_image_becomes_a_square_of_the_requested_depth(array, resize, pad_color, depth, channels, mode, side):
    preprocessing = Preprocessing(
        image_size=side,
        resize=resize,
        canvas_px=7 if resize == "canvas" else None,
        pad_color=pad_color,
        depth=depth,
        channels=channels,
        scaling=Scaling(mode=mode),
    )
    square = preprocess(array, preprocessing)
    assert square.shape == (side, side, channels)
    assert square.dtype == depth
    assert square.flags.c_contiguous
    assert np.array_equal(square, preprocess(array, preprocessing))


def extent(square):
    """(height, width) of what is not black."""
    rows, columns = np.nonzero(square[..., 0])
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_on_a_canvas_sizes_keep_their_ratio_and_what_is_too_large_is_shrunk(dtype):
    depth = np.dtype(dtype).name
    preprocessing = Preprocessing(
        image_size=80, channels=1, resize="canvas", canvas_px=40, pad_color="black", depth=depth
    )
    white = np.iinfo(dtype).max
    large, small, too_large = (np.full((h, w, 1), white, dtype) for h, w in ((40, 20), (20, 10), (160, 40)))
    assert extent(preprocess(large, preprocessing)) == (80, 40)
    assert extent(preprocess(small, preprocessing)) == (40, 20)
    assert extent(preprocess(too_large, preprocessing)) == (80, 20)
    assert [preprocessing.is_too_large(image.shape[1], image.shape[0]) for image in (large, small, too_large)] == [
        False,
        False,
        True,
    ]


@given(st.integers(1, 30), st.integers(1, 30), st.integers(30, 60), st.integers(30, 90))
def test_on_a_canvas_every_image_has_the_same_scale(height, width, canvas_px, side):
    preprocessing = Preprocessing(image_size=side, channels=1, resize="canvas", canvas_px=canvas_px, pad_color="black")
    size = extent(preprocess(np.full((height, width, 1), 255, np.uint8), preprocessing))
    assert np.abs(np.array(size) - np.array([height, width]) * side / canvas_px).max() <= 0.5


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("resize", ["pad", "canvas"])
def test_pad_colors_are_exact_in_every_depth_and_channel(channels, dtype, resize):
    image = RNG.integers(60, 200, (10, 20, channels)).astype(dtype)
    low = -50.0 if dtype is np.float32 else 50.0  # floats may be negative: black is not the number 0
    scaling = Scaling(mode="training-range", ranges={np.dtype(dtype).name: ((low, 210.0),) * channels})
    for depth in ("uint8", "uint16"):
        for pad_color, level in (("black", 0), ("white", np.iinfo(depth).max)):
            preprocessing = Preprocessing(
                image_size=40,
                channels=channels,
                resize=resize,
                canvas_px=20 if resize == "canvas" else None,
                pad_color=pad_color,
                depth=depth,
                scaling=scaling,
            )
            square = preprocess(image, preprocessing)
            assert (square[:10] == level).all()
            assert (square[30:] == level).all()
            assert ((square[10:30] > 0) & (square[10:30] < np.iinfo(depth).max)).all()


def test_gray_images_are_padded_alike_in_channels_of_different_ranges():
    scaling = Scaling(mode="training-range", ranges={"uint16": ((0, 100), (50, 900), (10, 20))})
    image = np.full((4, 8, 1), 60, np.uint16)
    for pad_color, level in (("black", 0), ("white", 255)):
        square = preprocess(image, Preprocessing(image_size=8, scaling=scaling, pad_color=pad_color))
        assert (square[0] == level).all()


@pytest.mark.parametrize("choices", [{"resize": "canvas"}, {"resize": "pad", "canvas_px": 9}])
def test_a_canvas_and_its_scale_go_together(choices):
    with pytest.raises(ValueError, match="canvas_px"):
        Preprocessing(image_size=8, **choices)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3]))),
    st.sampled_from(["pad", "stretch", "crop"]),
    st.integers(1, 24),
    st.sampled_from([1, 3]),
)
def test_the_quick_way_of_eight_bit_images_is_close_to_the_way_of_deep_ones(array, resize, side, channels):
    quick = preprocess(array, Preprocessing(image_size=side, resize=resize, channels=channels))
    deep = preprocess(array, Preprocessing(image_size=side, resize=resize, channels=channels, depth="uint16"))
    same_depth = preprocess(
        array.astype(np.uint16) * 257, Preprocessing(image_size=side, resize=resize, channels=channels)
    )
    assert np.abs(quick.astype(float) - deep / 257).max() <= 1.5
    assert np.abs(quick.astype(int) - same_depth).max() <= 2


@given(arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(1))))
def test_gray_in_three_channels_becomes_one_exactly(gray):
    preprocessing = Preprocessing(image_size=9, channels=1, depth="uint16")
    assert np.array_equal(preprocess(np.repeat(gray, 3, 2), preprocessing), preprocess(gray, preprocessing))
    as_bytes = (gray >> 8).astype(np.uint8)
    quick = Preprocessing(image_size=9, channels=1)
    assert np.array_equal(preprocess(np.repeat(as_bytes, 3, 2), quick), preprocess(as_bytes, quick))


def test_color_becomes_gray_by_luminance_and_gray_is_repeated():
    red = np.zeros((8, 8, 3), np.uint8)
    red[..., 0] = 255
    assert (preprocess(red, Preprocessing(image_size=8, channels=1)) == 76).all()
    gray = np.full((8, 8, 1), 9, np.uint8)
    assert np.array_equal(preprocess(gray, Preprocessing(image_size=8, channels=4)), np.full((8, 8, 4), 9, np.uint8))


def test_channels_that_do_not_fit_are_refused():
    for n_found, n_needed in ((2, 3), (3, 2), (4, 3), (5, 1)):
        with refusing(UnreadableImage, "channels-do-not-fit", n_channels=n_found, n_needed=n_needed):
            preprocess(np.zeros((8, 8, n_found), np.uint8), Preprocessing(image_size=8, channels=n_needed))


def test_a_preprocessing_survives_json():
    scaling = Scaling(mode="training-range", ranges={"uint16": ((1.5, 2.5), (0, 9), (3, 4))})
    preprocessing = Preprocessing(image_size=224, scaling=scaling, plan={"z": "max", "channels": (0,)})
    assert Preprocessing.model_validate_json(preprocessing.model_dump_json()) == preprocessing


def test_thumbnails_are_small_and_deep_images_are_stretched(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "dark.tif", np.linspace(100, 300, 300 * 200).reshape(200, 300).astype(np.uint16))
    Image.fromarray(RNG.integers(0, 256, (10, 12, 3), np.uint8)).save(tmp_path / "small.png")
    dark = Image.open(io.BytesIO(as_webp(small_pixels(read_pixels(tmp_path / "dark.tif").array, 96))))
    assert dark.format == "WEBP"
    assert dark.size == (96, 64)
    assert np.asarray(dark).min() < 12
    assert np.asarray(dark).max() > 243
    assert small_pixels(read_pixels(tmp_path / "small.png").array, 128).shape == (10, 12, 3)


def test_the_mixed_depths_of_real_nuclei_get_a_range_each(shared_data):
    paths = sorted(shared_data("micronuclei").rglob("*.tif"))[::20]
    facts = [image_facts(read_pixels(path)) for path in paths]
    scaling = learn_scaling(facts, "auto", 3)
    assert set(scaling.ranges) == {"uint8", "uint16"}
    preprocessing = Preprocessing(image_size=64, scaling=scaling)
    brightest = {fact.dtype: 0 for fact in facts}
    for path, fact in zip(paths, facts, strict=True):
        brightest[fact.dtype] = max(
            brightest[fact.dtype], int(preprocess(read_pixels(path).array, preprocessing).max())
        )
    assert min(brightest.values()) > 200  # neither depth is left in the dark by the other


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("box", [None, (3.5, 10.25, 70.0, 90.75)])
@pytest.mark.parametrize("size", [(7, 11), (40, 33), (200, 150)])
def test_a_large_image_is_resized_by_rows_as_it_is_at_once(
    dtype: type, box: tuple[float, float, float, float] | None, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    array = np.random.default_rng(0).integers(0, 256, (101, 83, 2)).astype(dtype)
    at_once = module.resized(array, *size, box, as_float=True)
    monkeypatch.setattr(module, "_LARGE_PLANE", 900)
    np.testing.assert_allclose(module.resized(array, *size, box, as_float=True), at_once, atol=1e-3)


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0.8, 1), (-1, -0.8)])
def test_numbers_as_large_as_floats_can_be_are_scaled_without_overflow(
    tmp_path: Path, low: float, high: float, n_channels: int
) -> None:
    share = np.linspace(low, high, 40 * 40 * n_channels, dtype=np.float32).reshape(40, 40, n_channels)
    usual, huge = tmp_path / "usual.tif", tmp_path / "huge.tif"
    for file, scale in ((usual, 1), (huge, np.finfo(np.float32).max)):
        tifffile.imwrite(file, share * np.float32(scale), photometric="rgb" if n_channels == 3 else "minisblack")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # NumPy reports an overflow as a warning
        results = []
        for file in (usual, huge):
            pixels = read_pixels(file)
            learnt = learn_scaling([image_facts(pixels)], "auto", n_channels)
            square = preprocess(pixels.array, Preprocessing(image_size=16, channels=n_channels, scaling=learnt))
            shown = np.asarray(Image.open(io.BytesIO(as_webp(small_pixels(read_pixels(file).array, 128)))))
            results.append((square, shown, small_picture(pixels.array)))
    (square, shown, small), (square_of_huge, shown_of_huge, small_of_huge) = results
    np.testing.assert_allclose(square_of_huge, square, atol=1)
    np.testing.assert_allclose(shown_of_huge, shown, atol=2)
    np.testing.assert_allclose(small_of_huge, small, atol=1)
