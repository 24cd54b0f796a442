"""Augmentation and batches: known answers for single changes, order and repeatability for epochs."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coverslip.augmentation import drawing
from coverslip.augmentation.drawing import AugmentationParameters
from coverslip.augmentation.transform import apply_changes
from coverslip.runs.recipe import Augment, Recipe, Sampling
from coverslip.training.batches import as_tensor, plain_batches, training_batches
from coverslip.training.task import epoch_order, n_batches

NOTHING = Augment(flip=False, rotate_degrees=0, zoom=0, shift=0, brightness=0, contrast=0)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def draw_changes(n: int, augment: Augment, random: np.random.Generator) -> AugmentationParameters:
    """What is drawn, as tensors."""
    return drawing.draw_changes(n, augment, random).mapped(lambda array: torch.from_numpy(np.ascontiguousarray(array)))


def pictures(n: int = 3, side: int = 16) -> torch.Tensor:
    return torch.from_numpy(generator(1).random((n, 3, side, side), np.float32))


def changes(map_: list[list[float]], gain: float = 1.0, offset: float = 0.0, n: int = 3) -> AugmentationParameters:
    return AugmentationParameters(torch.tensor([map_] * n), torch.full((n,), gain), torch.full((n,), offset))


def test_no_augmentation_changes_nothing() -> None:
    x = pictures()
    torch.testing.assert_close(apply_changes(x, draw_changes(3, NOTHING, generator())), x, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("map_", "expected"),
    [
        ([[-1.0, 0, 0], [0, 1, 0]], lambda x: x.flip(3)),
        ([[1.0, 0, 0], [0, -1, 0]], lambda x: x.flip(2)),
        ([[0.0, -1, 0], [1, 0, 0]], lambda x: x.rot90(1, (2, 3))),
    ],
    ids=["left-right", "top-bottom", "quarter turn"],
)
def test_flips_and_quarter_turns_are_exact(map_: list[list[float]], expected: object) -> None:
    x = pictures()
    torch.testing.assert_close(apply_changes(x, changes(map_)), expected(x), rtol=0, atol=1e-5)  # type: ignore[operator]


def test_contrast_stretches_around_the_mean_and_brightness_adds() -> None:
    x = pictures() * 0.4 + 0.3
    same = [[1.0, 0, 0], [0, 1, 0]]
    stretched = apply_changes(x, changes(same, gain=1.5))
    torch.testing.assert_close(stretched.mean((1, 2, 3)), x.mean((1, 2, 3)), rtol=0, atol=1e-4)
    torch.testing.assert_close(stretched.std((1, 2, 3)), x.std((1, 2, 3)) * 1.5, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(apply_changes(x, changes(same, offset=0.1)), x + 0.1, rtol=0, atol=1e-5)


@given(
    st.builds(
        Augment,
        flip=st.booleans(),
        rotate_degrees=st.floats(0, 180),
        zoom=st.floats(0, 0.9),
        shift=st.floats(0, 0.4),
        brightness=st.floats(0, 0.9),
        contrast=st.floats(0, 0.9),
    ),
    st.integers(0, 2**31),
)
def test_whatever_is_drawn_stays_within_the_recipe_and_pixels_in_range(augment: Augment, seed: int) -> None:
    drawn = draw_changes(16, augment, generator(seed))
    scale = drawn.maps[:, :, :2].det().abs().sqrt()
    slack = 1e-4
    assert ((scale >= 1 / (1 + augment.zoom) - slack) & (scale <= 1 + augment.zoom + slack)).all()
    assert (drawn.maps[:, :, 2].abs() <= 2 * augment.shift + slack).all()
    assert ((drawn.gain - 1).abs() <= augment.contrast + slack).all()
    assert (drawn.offset.abs() <= augment.brightness + slack).all()
    if not augment.flip and augment.rotate_degrees < 90:
        turned = torch.rad2deg(torch.atan2(drawn.maps[:, 1, 0], drawn.maps[:, 0, 0])).abs()
        assert (turned <= augment.rotate_degrees + 0.01).all()
    changed = apply_changes(pictures(16), drawn)
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_angles_cover_the_circle_and_half_the_images_are_mirrored() -> None:
    drawn = draw_changes(4000, Augment(zoom=0, shift=0), generator())
    assert abs((drawn.maps[:, :, :2].det() < 0).float().mean() - 0.5) < 0.05
    angle = torch.atan2(drawn.maps[:, 1, 0], drawn.maps[:, 1, 1])
    quarters = torch.histc(angle, bins=4, min=-math.pi, max=math.pi) / 4000
    assert (quarters - 0.25).abs().max() < 0.05


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), min_size=1, max_size=60),
    st.sampled_from(get_args(Sampling)),
    st.integers(0, 5),
    st.integers(1, 5),
)
def test_an_epoch_has_every_image_and_sampling_makes_classes_or_domains_equal(
    images: list[tuple[int, int]], sampling: Sampling, seed: int, epoch: int
) -> None:
    label, domain = (np.array(column) for column in zip(*images, strict=True))
    order = epoch_order(label, domain, sampling=sampling, seed=seed, epoch=epoch)
    kind = domain if sampling == "domains" else label
    there = np.bincount(kind)[np.unique(kind)]
    drawn = np.bincount(kind[order], minlength=kind.max() + 1)[np.unique(kind)]
    if sampling == "undersample":
        assert len(set(order.tolist())) == len(order)
        assert set(drawn.tolist()) == {there.min()}
    elif sampling == "even":
        assert set(drawn.tolist()) == {len(label) // len(there)}
        times = np.bincount(order, minlength=len(label))
        assert all(np.ptp(times[label == k]) <= 1 for k in np.unique(label))
    else:
        assert set(order.tolist()) == set(range(len(label)))
        repeats = sampling in ("oversample", "domains")
        assert drawn.tolist() == ([there.max()] * len(there) if repeats else there.tolist())
    np.testing.assert_array_equal(order, epoch_order(label, domain, sampling=sampling, seed=seed, epoch=epoch))
    n_of_class, n_of_domain = (np.unique(kind, return_counts=True)[1].tolist() for kind in (label, domain))
    assert Recipe(sampling=sampling).n_drawn(n_of_class, n_of_domain) == len(order)


def test_even_repeats_rare_images_and_takes_those_of_a_large_class_in_turn() -> None:
    label = np.array([0] * 16 + [1] * 2 + [2] * 6)
    orders = [epoch_order(label, sampling="even", seed=3, epoch=epoch) for epoch in (1, 2)]
    for order in orders:
        assert np.bincount(label[order]).tolist() == [8, 8, 8]
        assert np.bincount(order, minlength=24)[16:18].tolist() == [4, 4]
    large = [{i for i in order.tolist() if label[i] == 0} for order in orders]
    assert large[0] | large[1] == set(range(16))
    assert not large[0] & large[1]


def test_domains_change_nothing_where_there_is_one() -> None:
    label = np.array([0] * 9 + [1] * 3)
    plain = epoch_order(label, sampling="all", seed=0, epoch=1)
    for domain in (None, np.zeros(12, int)):
        np.testing.assert_array_equal(plain, epoch_order(label, domain, sampling="domains", seed=0, epoch=1))


def test_undersampling_shows_other_images_of_a_frequent_class_in_every_epoch_until_all_were_shown() -> None:
    label = np.array([0] * 9 + [1] * 3)
    orders = [epoch_order(label, sampling="undersample", seed=7, epoch=epoch).tolist() for epoch in (1, 2, 3, 4)]
    assert all(sorted(i for i in order if label[i] == 1) == [9, 10, 11] for order in orders)
    frequent = [{i for i in order if label[i] == 0} for order in orders]
    assert set.union(*frequent[:3]) == set(range(9))
    assert frequent[3] == frequent[0]
    assert orders[3] != orders[0]
    other_seed = epoch_order(label, sampling="undersample", seed=8, epoch=1).tolist()
    assert {i for i in other_seed if label[i] == 0} != frequent[0]


def numbered(positions: object) -> np.ndarray:
    """A picture that its position can be read from."""
    return np.stack([np.full((8, 8, 1), p, np.uint8) for p in positions])  # type: ignore[attr-defined]


def batches_of(
    n: int, batch_size: int, seed: int = 0, epoch: int = 1, augment: Augment = NOTHING
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    label = np.arange(n)
    order = epoch_order(label, sampling="all", seed=seed, epoch=epoch)
    return list(
        training_batches(numbered, order, label, batch_size=batch_size, augment=augment, seed=seed, epoch=epoch)
    )


def test_every_picture_comes_with_its_own_label() -> None:
    for x, label in batches_of(100, 16):
        torch.testing.assert_close((x[:, 0, 0, 0] * 255).round().long(), label)


def test_full_batches_only_unless_there_is_none() -> None:
    assert [len(label) for _, label in batches_of(100, 16)] == [16] * 6
    assert [len(label) for _, label in batches_of(5, 16)] == [5]
    assert n_batches(5, 16) == 1


def test_an_incomplete_last_batch_can_be_kept_unless_it_is_a_single_image() -> None:
    for n, sizes in ((100, [16] * 6 + [4]), (96, [16] * 6), (97, [16] * 6), (5, [5]), (1, [1])):
        order = np.arange(n)
        batches = training_batches(
            numbered, order, order, batch_size=16, augment=NOTHING, seed=0, epoch=1, last_batch="keep"
        )
        assert [len(label) for _, label in batches] == sizes
    assert (n_batches(154, 32, "keep"), n_batches(154, 32)) == (5, 4)  # the training images of LISC


def test_an_epoch_can_be_repeated_exactly_and_the_next_one_differs() -> None:
    first, repeated, following = (batches_of(64, 16, epoch=epoch, augment=Augment()) for epoch in (1, 1, 2))
    assert all(torch.equal(x, y) for (x, _), (y, _) in zip(first, repeated, strict=True))
    assert not torch.equal(first[0][0], following[0][0])


def test_sixteen_bit_pixels_keep_their_steps() -> None:
    pixels = np.array([0, 1, 32_768, 65_535], np.uint16).reshape(1, 2, 2, 1)
    torch.testing.assert_close(
        as_tensor(pixels).flatten(), torch.tensor([0, 1 / 65_535, 32_768 / 65_535, 1]), rtol=0, atol=1e-7
    )


def test_plain_batches_are_in_order() -> None:
    x = torch.cat(list(plain_batches(numbered, np.arange(50), batch_size=16)))
    assert (x[:, 0, 0, 0] * 255).round().tolist() == list(range(50))
