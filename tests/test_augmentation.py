"""Shear, crop, blur, color and stain: known answers, and what holds for all that can be drawn."""

import inspect
import math
import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing
from scipy.ndimage import gaussian_filter

from coverslip.augmentation import drawing
from coverslip.augmentation.copies import Copies, changed_image
from coverslip.augmentation.drawing import _STAIN_DENSITIES, AugmentationParameters
from coverslip.augmentation.table import AUGMENTATIONS, Amount, Augmentation, Random
from coverslip.augmentation.transform import apply_changes
from coverslip.engines import turned
from coverslip.errors import BadRecipe
from coverslip.keys import Key
from coverslip.messages import add_entries, text
from coverslip.runs.recipe import Augment, Recipe, augment_named
from coverslip.runs.recipe_keys import RecipeKey, phrases, recipe_keys, with_settings

SEED_7 = AugmentationParameters(
    np.array(
        [
            [[-0.90822566, -0.32759425, -0.08889369], [0.32759425, -0.90822566, -0.0429866]],
            [[0.6551503, -0.65593636, -0.03996675], [-0.65593636, -0.6551503, 0.07471068]],
        ],
        np.float32,
    ),
    np.array([1.0825247, 0.9010531], np.float32),
    np.array([-4.2653086e-05, 6.4245678e-02], np.float32),
)
SAME = torch.tensor([[1.0, 0, 0], [0, 1, 0]])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def draw_changes(
    n: int, amounts: Iterable[tuple[str, Amount]] | Mapping[str, Amount], random: np.random.Generator
) -> AugmentationParameters:
    """What is drawn, as tensors."""
    return drawing.draw_changes(n, amounts, random).mapped(lambda array: torch.from_numpy(np.ascontiguousarray(array)))


def stain_matrices(relative: torch.Tensor, absolute: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(drawing.stain_matrices(relative.numpy(), absolute.numpy()))


def color_matrices(saturation: torch.Tensor, hue: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(drawing._color_matrices(saturation.numpy(), hue.numpy()))


def pictures(n: int = 3, side: int = 16, channels: int = 3) -> torch.Tensor:
    return torch.from_numpy(generator(1).random((n, channels, side, side), np.float32))


def only(**changes: float | bool) -> Augment:
    return augment_named("none").model_copy(update=changes)


def changes(n: int = 3, map_: torch.Tensor = SAME, **others: torch.Tensor) -> AugmentationParameters:
    return AugmentationParameters(map_.expand(n, 2, 3), torch.ones(n), torch.zeros(n), **others)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_without_changes_images_stay_as_they_are(channels: int) -> None:
    x = pictures(channels=channels)
    torch.testing.assert_close(apply_changes(x, draw_changes(3, only(), generator())), x, rtol=0, atol=1e-6)


def test_what_is_drawn_for_an_earlier_recipe_stays_the_same() -> None:
    drawn = drawing.draw_changes(2, Augment(), generator(7))
    for name in ("maps", "gain", "offset"):
        np.testing.assert_allclose(getattr(drawn, name), getattr(SEED_7, name), rtol=1e-6)
    assert (drawn.stain, drawn.color, drawn.blur) == (None, None, None)


@pytest.mark.parametrize("change", [{"blur": 2.0}, {"stain": 0.2}, {"hue_degrees": 9.0}, {"saturation": 0.5}])
def test_switching_one_change_on_leaves_the_others_as_they_were(change: dict[str, float]) -> None:
    everything = Augment(shear_degrees=9, crop=0.2, blur=1, saturation=0.2, hue_degrees=5, stain=0.1)
    before, after = (draw_changes(8, augment, generator()) for augment in (Augment(), Augment(**change)))
    torch.testing.assert_close(before.maps, after.maps, rtol=0, atol=0)
    all_on = draw_changes(8, everything, generator())
    torch.testing.assert_close(before.gain, all_on.gain, rtol=0, atol=0)
    torch.testing.assert_close(before.offset, all_on.offset, rtol=0, atol=0)


def test_shear_by_45_degrees_makes_a_diagonal_of_a_line() -> None:
    line = torch.zeros(1, 1, 9, 9)
    line[..., 4] = 1
    slanted = apply_changes(line, changes(1, torch.tensor([[1.0, 1, 0], [0, 1, 0]])))
    torch.testing.assert_close(slanted[0, 0], torch.eye(9).flip(0), rtol=0, atol=1e-5)


def test_shear_stays_within_its_angle_and_keeps_areas() -> None:
    maps = draw_changes(500, only(shear_degrees=20), generator()).maps
    slant = torch.rad2deg(torch.atan(maps[:, 0, 1]))
    assert slant.abs().max() <= 20
    assert slant.abs().max() > 19
    torch.testing.assert_close(maps[:, :, :2].det(), torch.ones(500))
    assert (maps[:, 1] == torch.tensor([0.0, 1.0, 0.0])).all()


def test_a_crop_lies_within_the_image_and_keeps_its_share() -> None:
    maps = draw_changes(500, only(crop=0.4), generator()).maps
    corners = maps @ torch.tensor([[-1.0, 1, -1, 1], [-1, -1, 1, 1], [1, 1, 1, 1]])  # (500, 2, 4)
    assert corners.abs().max() <= 1 + 1e-6
    cropped = maps[:, 0, 0]
    assert 0.6 - 1e-6 <= cropped.min() < 0.62
    assert cropped.max() > 0.98
    assert corners[:, 0, 0].std() > 0.1  # at any place


def test_cropping_a_quarter_of_a_chequered_image_shows_its_color_alone() -> None:
    x = torch.zeros(1, 1, 16, 16)
    x[..., :8, :8] = 1
    quarter = apply_changes(x, changes(1, torch.tensor([[0.5, 0, -0.5], [0, 0.5, -0.5]])))
    torch.testing.assert_close(quarter[..., :15, :15], torch.ones(1, 1, 15, 15))


def test_horizontal_flips_never_turn_an_image_upside_down() -> None:
    maps = draw_changes(500, only(flip="horizontal"), generator()).maps  # type: ignore[arg-type]
    assert (maps[:, 1, 1] == 1).all()
    assert abs((maps[:, 0, 0] == 1).float().mean() - 0.5) < 0.1
    both = draw_changes(500, only(flip=True), generator()).maps
    assert (both[:, 0, 0] == maps[:, 0, 0]).all()


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("largest", [0.3, 1.5, 6.0])
def test_blur_is_scipys_gaussian_filter_with_each_images_own_sigma(channels: int, largest: float) -> None:
    x = pictures(4, 16, channels)
    drawn = draw_changes(4, only(blur=largest), generator())
    assert drawn.blur is not None
    radius = drawn.blur.shape[1] // 2
    sigma = (0.5 / torch.log(drawn.blur[:, radius] / drawn.blur[:, radius + 1])).sqrt()
    assert (sigma <= largest).all()
    assert sigma.unique().numel() == 4
    expected = [
        gaussian_filter(image.double().numpy(), (0, s, s), mode="reflect", radius=(0, radius, radius))
        for image, s in zip(x, sigma.tolist(), strict=True)
    ]
    np.testing.assert_allclose(apply_changes(x, drawn).numpy(), np.stack(expected), atol=1e-5)


@given(st.floats(0.01, 10), st.integers(1, 5), st.integers(16, 40), st.integers(0, 99))
def test_blur_keeps_the_mean_and_smooths(largest: float, channels: int, side: int, seed: int) -> None:
    x = pictures(3, side, channels)
    blurred = apply_changes(x, draw_changes(3, only(blur=largest), generator(seed)))
    torch.testing.assert_close(blurred.mean((2, 3)), x.mean((2, 3)), rtol=0, atol=1e-4)
    assert (blurred.var((1, 2, 3)) <= x.var((1, 2, 3)) + 1e-6).all()


def test_stains_that_stay_as_they_are_change_nothing() -> None:
    none = torch.zeros(3, 3)
    x = pictures()
    torch.testing.assert_close(apply_changes(x, changes(stain=stain_matrices(none, none))), x, rtol=0, atol=1e-6)


def test_more_of_one_stain_is_more_of_its_density_only() -> None:
    directions = torch.nn.functional.normalize(torch.from_numpy(_STAIN_DENSITIES))
    amounts = torch.tensor([[0.8, 0.3, 0.0], [0.0, 1.0, 0.2], [0.5, 0.5, 0.5]])  # of H, E and DAB in three images
    x = torch.exp(-(amounts @ directions))[:, :, None, None].expand(3, 3, 4, 4)
    stronger, added = torch.tensor([[0.25, 0, 0]] * 3), torch.tensor([[0, 0.1, 0]] * 3)
    expected = torch.exp(-((amounts * torch.tensor([1.25, 1, 1]) + torch.tensor([0, 0.1, 0])) @ directions))
    restained = apply_changes(x, changes(stain=stain_matrices(stronger, added)))
    torch.testing.assert_close(restained, expected[:, :, None, None].expand(3, 3, 4, 4), rtol=0, atol=1e-5)


def test_black_stays_black_and_white_that_takes_no_dye_stays_white() -> None:
    x = torch.stack([torch.zeros(3, 8, 8), torch.ones(3, 8, 8)])
    stronger = torch.tensor([[0.5, -0.5, 0.5]] * 2)
    restained = apply_changes(x, changes(2, stain=stain_matrices(stronger, torch.zeros(2, 3))))
    torch.testing.assert_close(restained, x, rtol=0, atol=1e-6)


def test_color_changes_keep_gray_and_luminance() -> None:
    matrices = color_matrices(torch.tensor([0.0, 0.6, 1.4]), torch.tensor([0.0, 0.5, -0.3]))
    torch.testing.assert_close(matrices @ torch.ones(3, 1), torch.ones(3, 3, 1), rtol=0, atol=1e-5)
    luminance = torch.tensor([[0.299, 0.587, 0.114]])
    torch.testing.assert_close(luminance @ matrices, luminance.expand(3, 1, 3), rtol=0, atol=1e-5)
    without_color = apply_changes(pictures(1), changes(1, color=matrices[:1]))
    assert without_color.std(dim=1).max() < 1e-5


def test_no_turn_and_full_saturation_is_the_image_itself() -> None:
    x = pictures(1)
    same = color_matrices(torch.ones(1), torch.zeros(1))
    torch.testing.assert_close(apply_changes(x, changes(1, color=same)), x, rtol=0, atol=1e-5)
    back = (
        same
        @ color_matrices(torch.ones(1), torch.tensor([math.pi]))
        @ color_matrices(torch.ones(1), torch.tensor([math.pi]))
    )
    torch.testing.assert_close(back, same, rtol=0, atol=1e-5)


@given(
    st.builds(
        Augment,
        flip=st.sampled_from([True, False, "horizontal"]),
        shear_degrees=st.floats(0, 45),
        crop=st.floats(0, 0.8),
        blur=st.floats(0, 5),
    ),
    st.tuples(st.floats(0, 1), st.floats(0, 180), st.floats(0, 0.5)),
    st.integers(1, 5),
    st.integers(0, 2**31),
)
def test_pixels_stay_in_range_and_equal_seeds_give_equal_images(
    augment: Augment, color: tuple[float, float, float], channels: int, seed: int
) -> None:
    if channels == 3:
        names = ("saturation", "hue_degrees", "stain")
        augment = augment.model_copy(update=dict(zip(names, color, strict=True)))
    x = pictures(6, 20, channels)
    changed, repeated = (apply_changes(x, draw_changes(6, augment, generator(seed))) for _ in range(2))
    assert changed.shape == x.shape
    assert changed.min() >= 0
    assert changed.max() <= 1
    assert torch.equal(changed, repeated)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_change_is_off_at_nothing_and_draws_the_same_for_the_same_seed(name: str) -> None:
    record = AUGMENTATIONS[name]
    x = pictures()
    torch.testing.assert_close(apply_changes(x, draw_changes(3, {name: record.off}, generator())), x, rtol=0, atol=1e-6)
    amount = True if isinstance(record.default, bool) else record.limits.get("le", record.limits.get("lt", 0)) / 2
    once, repeated = (apply_changes(x, draw_changes(3, {name: amount}, generator(3))) for _ in range(2))
    assert torch.equal(once, repeated)
    assert not torch.equal(once, x)


add_entries("""
key-augment-speckle =
    .name = Speckle
    .help = A little noise.
    .meaning = Largest noise as a share of the full range.
    .phrase = speckle of up to { $value }
""")


@pytest.fixture
def speckle() -> Iterator[Augmentation]:
    """Noise, as a package outside might add it: drawn by a function of its own, applied by another."""

    def draw(random: Random, amount: float) -> dict[str, np.ndarray]:
        return {"amount": random.uniform(0, 1) * amount} if amount else {}

    def change(x: torch.Tensor, drawn: dict[str, torch.Tensor]) -> torch.Tensor:
        pattern = torch.linspace(-1, 1, x.shape[-1])
        return x + drawn["amount"].reshape(-1, 1, 1, 1) * pattern

    record = Augmentation(
        name="speckle",
        key=Key("augment", is_percentage=True),
        draw=draw,
        change=change,
        limits={"ge": 0, "lt": 1},
    )
    AUGMENTATIONS.add(record)
    yield record
    AUGMENTATIONS.remove(record.name)
    assert "speckle" not in recipe_keys_by_name()


def recipe_keys_by_name() -> dict[str, RecipeKey]:
    return {key.key.removeprefix("augment."): key for key in recipe_keys()}


def test_a_change_that_is_added_is_a_key_and_changes_images(speckle: Augmentation) -> None:
    key = recipe_keys_by_name()["speckle"]
    assert (key.title, key.group, key.type, key.default, key.maximum) == ("Speckle", "augment", "number", 0.0, 1)
    assert len(str(inspect.signature(Recipe))) < 1500, "not Pydantic's, with all annotations"
    recipe = with_settings(Recipe(), ["augment=stain", "augment.speckle=0.3"])
    assert recipe.augment.speckle == 0.3
    assert phrases(recipe)["augment.speckle"] == "speckle of up to 30%"
    assert recipe.model_dump()["augment"]["speckle"] == 0.3
    with refusing(BadRecipe, "invalid-recipe") as error:
        with_settings(Recipe(), ["augment.speckle=2"])
    assert dict(error.value.faults)["augment.speckle"].endswith(text("value-not-below", limit=1))
    similar = text("similar-recipe-key", key="augment.speckel", nearest="augment.speckle")
    with refusing(BadRecipe, "invalid-recipe", faults={"augment.speckel": similar}):
        with_settings(Recipe(), ["augment.speckel=0.1"])
    x = pictures()
    plain, speckled = (apply_changes(x, draw_changes(3, amounts, generator())) for amounts in (only(), recipe.augment))
    assert not torch.equal(plain, speckled)
    off = draw_changes(3, recipe.augment.model_copy(update={"speckle": 0.0}), generator())
    assert off.others == {}, "off, it costs nothing, and what others drew is the same"
    on = draw_changes(3, recipe.augment, generator())
    assert torch.equal(on.maps, off.maps)
    assert on.mapped(lambda tensor: tensor + 1).others["speckle"]["amount"].min() >= 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.usefixtures("speckle")
def test_an_image_without_pytorch_is_changed_as_in_a_batch(channels: int) -> None:
    image = generator(1).random((24, 33, channels), np.float32)
    color = {"saturation": 0.4, "hue_degrees": 20.0, "stain": 0.2} if channels == 3 else {}
    others = {"shear_degrees": 15.0, "crop": 0.2, "blur": 1.5, "speckle": 0.2, **color}
    for amounts in (
        {},
        {"zoom": 0.3, "contrast": 0.2, "brightness": 0.1},
        dict(Augment()),
        {**dict(Augment()), **others},
    ):
        batch = apply_changes(torch.from_numpy(image).permute(2, 0, 1)[None], draw_changes(1, amounts, generator(5)))
        changed = changed_image(image, amounts, generator(5))
        np.testing.assert_allclose(changed, batch[0].permute(1, 2, 0).numpy(), atol=2e-5)


def test_no_two_changes_draw_the_same_part_of_the_transform() -> None:
    record = Augmentation(
        name="spin",
        key=Key("augment"),
        draw="coverslip.augmentation.drawing:rotation",
    )
    AUGMENTATIONS.add(record)
    try:
        with pytest.raises(ValueError, match=re.escape(text("augmentation-draws-unknown", name="spin", part="angle"))):
            draw_changes(2, Augment(), generator())
    finally:
        AUGMENTATIONS.remove("spin")


@pytest.mark.parametrize(
    ("augment", "lossless", "n_light", "n"),
    [
        ({}, (0, 1, 2, 3, 4, 5, 6, 7), 4, 12),
        ("none", (0,), 0, 0),
        ({"rotate_degrees": 0}, (0, 1, 2, 3), 4, 8),
        ({"rotate_degrees": 90, "flip": "horizontal"}, (0, 2), 4, 6),
        ({"flip": False}, (0, 1, 6, 7), 4, 8),
        ({"brightness": 0, "contrast": 0, "zoom": 0}, (0, 1, 2, 3, 4, 5, 6, 7), 0, 8),
        ({"rotate_degrees": 0, "flip": False, "brightness": 0, "contrast": 0}, (0,), 4, 5),
    ],
)
def test_copies_are_those_that_the_random_changes_allow(
    augment: object, lossless: tuple[int, ...], n_light: int, n: int
) -> None:
    copies = Copies.within(dict(Recipe.model_validate({"augment": augment}).augment))
    assert (copies.lossless, copies.n_light, len(copies)) == (lossless, n_light, n)


@pytest.mark.parametrize(("flip", "degrees"), [(True, 180), (False, 180), (True, 0), ("horizontal", 0)])
def test_lossless_copies_are_a_group_of_turns_and_mirror_images(flip: bool | str, degrees: float) -> None:
    """Each copy of a copy is a copy, and only where mirroring is allowed some are mirror images."""
    image = np.arange(18, dtype=np.uint8).reshape(1, 2, 3, 3)
    lossless = Copies.within({"flip": flip, "rotate_degrees": degrees}).lossless
    copies = [turned(image, k) for k in lossless]
    assert len({copy.tobytes() for copy in copies}) == len(lossless)
    assert {turned(copy, k).tobytes() for copy in copies for k in lossless} == {copy.tobytes() for copy in copies}
    rotated = {np.ascontiguousarray(np.rot90(image, k, axes=(2, 3))).tobytes() for k in range(4)}
    assert ({copy.tobytes() for copy in copies} <= rotated) == (not flip)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_copies_with_other_light_depend_on_their_text_alone(dtype: type) -> None:
    top = np.iinfo(dtype).max
    image = (np.random.default_rng(0).random((9, 9, 3)) * top).astype(dtype)
    copies = Copies.within({"flip": True, "rotate_degrees": 180.0, "brightness": 0.1})
    first, repeated, other = (copies.with_other_light(image, text) for text in ("a 1", "a 1", "a 2"))
    assert first.dtype == image.dtype
    np.testing.assert_array_equal(first, repeated)
    is_inside = (first > 0) & (first < top)
    change = (first.astype(float) - image.astype(float))[is_inside] / top
    assert np.ptp(change) < 2 / 255  # brighter or darker alike, and nothing moved
    assert 0 < abs(change.mean()) <= 0.1
    assert not np.array_equal(first, other)
