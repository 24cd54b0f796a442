"""Shortcuts: what is planted is found, what is not there is not, and real clean cells give no warning."""

import numpy as np
import pytest

from coverslip.audit.shortcuts import ADVICE_SHARE, WARNING_SHARE, find_shortcuts
from coverslip.audit.surroundings import background_features, border_features


def cells(n: int, *, marked: bool = False, dim: bool = False, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Discs on grey noise: those of class 1 are larger; `marked` ones have a dot in a corner, `dim` ones less light."""
    generator = np.random.default_rng(seed)
    label = np.arange(n) % 2
    rows, columns = np.mgrid[:48, :48]
    images = []
    for k in label:
        image = generator.normal(0.5, 0.02, (48, 48, 1))
        radius = generator.normal(9 + 2 * k, 1)
        image[(rows - 24) ** 2 + (columns - 24) ** 2 < radius**2] -= 0.2
        if marked and k:
            image[2:5, 40:43] = 0.9
        if dim and k:
            image -= 0.03
        images.append(image.astype(np.float32))
    return images, label


def whole(images: list[np.ndarray]) -> np.ndarray:
    """What a network might see: rows and columns of the image."""
    pixels = np.stack(images)[:, :, :, 0]
    return np.concatenate([pixels.mean(axis=1), pixels.mean(axis=2)], axis=1)


def shortcuts(images: list[np.ndarray], label: np.ndarray, unit: np.ndarray | None = None):
    sources = {
        "border": np.stack([border_features(image) for image in images]),
        "background": np.stack([background_features(image) for image in images]),
        "size": np.full((len(label), 2), 48.0, np.float32),
    }
    found = find_shortcuts(whole(images), sources, label, np.arange(len(label)) if unit is None else unit)
    assert found is not None
    return found


def test_a_mark_in_a_corner_of_one_class_is_a_shortcut() -> None:
    images, label = cells(200, marked=True)
    found = shortcuts(images, label)
    assert found.by_source["border"].balanced_accuracy > 0.95
    assert found.share("border") > WARNING_SHARE
    assert "size" not in found.by_source  # the same for all images


def test_less_light_in_one_class_is_a_shortcut_of_the_background() -> None:
    images, label = cells(200, dim=True)
    assert shortcuts(images, label).share("background") > WARNING_SHARE


def test_cells_that_differ_in_themselves_have_none() -> None:
    images, label = cells(200)
    found = shortcuts(images, label)
    assert found.has_signal
    assert max(found.share("border"), found.share("background")) < ADVICE_SHARE


def test_labels_at_random_have_no_signal() -> None:
    n_signals = 0
    for seed in range(5):
        images, label = cells(120, seed=seed)
        found = shortcuts(images, np.random.default_rng(seed).permutation(label))
        n_signals += found.has_signal
    assert n_signals <= 1  # of a test at .05


def test_labels_that_whole_groups_share_are_no_shortcut_of_what_groups_share() -> None:
    """Slides differ in their light, and each holds one class: by chance light and class go together."""
    n_groups, generator = 8, np.random.default_rng(0)
    images, label = cells(160)
    group = np.repeat(np.arange(n_groups), 160 // n_groups)
    light = generator.normal(0, 0.05, n_groups)
    images = [image + light[g] for image, g in zip(images, group, strict=True)]
    label = (np.arange(n_groups) % 2)[group]
    found = shortcuts([image.astype(np.float32) for image in images], label, group)
    assert found.share("background") < WARNING_SHARE


def test_a_single_class_or_classes_of_one_group_each_cannot_be_asked_about() -> None:
    images, label = cells(40)
    sources = {"border": np.stack([border_features(image) for image in images])}
    assert find_shortcuts(whole(images), sources, np.zeros_like(label), np.arange(40)) is None
    assert find_shortcuts(whole(images), sources, label, label) is None


@pytest.mark.parametrize("shape", [(2, 2, 1), (3, 200, 3), (5, 4, 2), (700, 41, 4)])
def test_any_shape_is_described_by_as_many_numbers(shape: tuple[int, int, int]) -> None:
    image = np.random.default_rng(0).random(shape).astype(np.float32)
    border, background = border_features(image), background_features(image)
    assert border.shape == (80 * shape[2],)
    assert background.shape == (7 * shape[2],)
    assert np.isfinite(border).all() and np.isfinite(background).all()
