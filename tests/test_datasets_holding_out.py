"""Training images held out in turn: what belongs together is, and no class loses half of its images."""

from pathlib import Path

import numpy as np
import pytest
from drawing import save_cell
from PIL import Image

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.quality.scanning import scan_images
from coverslip.datasets.splits.folding import held_out_units, inner_folds, inner_folds_of_units


@pytest.mark.slow
def test_training_images_are_held_out_in_ten_turns_with_what_belongs_to_them() -> None:
    label, unit = np.arange(600) % 3, np.arange(600) // 6
    turn = inner_folds_of_units(label, unit, 0)
    assert np.bincount(turn).tolist() == [60] * 10
    assert all(len(set(turn[unit == u].tolist())) == 1 for u in range(100))
    assert (turn == inner_folds_of_units(label, unit, 0)).all()
    assert set(inner_folds_of_units(label, unit // 25, 0).tolist()) == {0, 1, 2, 3}  # four units


@pytest.mark.slow
def test_nothing_is_held_out_that_takes_half_of_a_class_with_it() -> None:
    label = np.array([0, 1] * 60 + [2] * 9 + [2])  # nine of the ten of class 2 are of one unit, with others
    unit = np.arange(120) // 4
    unit = np.concatenate([unit, np.full(9, 0), [1]])
    turn = inner_folds_of_units(label, unit, 0)
    assert (turn[unit == 0] == -1).all()
    assert (turn[unit > 0] >= 0).all()
    for t in range(turn.max() + 1):
        assert (np.bincount(label[turn != t], minlength=3) > np.bincount(label) / 2).all()


def test_nothing_is_held_out_where_everything_belongs_together() -> None:
    assert inner_folds_of_units(np.array([0, 1, 0, 1]), np.zeros(4, int), 0).tolist() == [-1] * 4
    assert inner_folds_of_units(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1]), 0).tolist() == [-1] * 4


@pytest.mark.slow
def test_turns_follow_groups_and_equal_pixels_whatever_the_order_of_records(tmp_path: Path) -> None:
    for i in range(24):
        save_cell(tmp_path / "ab"[i % 2] / f"{i}.png", seed=i % 20)  # 20 to 23 are copies of 0 to 3
    data = open_dataset(tmp_path)
    scan = scan_images(data)
    turn = inner_folds(data, scan, range(24), seed=3)
    of_image = {record.image_id: t for record, t in zip(data.records, turn.tolist(), strict=True)}
    assert all(of_image[f"{'ab'[i % 2]}/{i}.png"] == of_image[f"{'ab'[i % 2]}/{i + 20}.png"] for i in range(4))
    backwards = inner_folds(data, scan, range(23, -1, -1), seed=3)
    assert backwards.tolist() == turn.tolist()[::-1]
    unit = held_out_units(data, scan, range(24))
    assert sorted(np.bincount(unit[unit >= 0]).tolist(), reverse=True)[:5] == [
        2,
        2,
        2,
        2,
        1,
    ]  # pairs, and single images


def test_a_unit_with_half_of_a_class_is_held_out_only_if_more_of_the_class_is_fitted(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    for label, group, n in (("a", "s1", 4), ("a", "s2", 2), ("b", "s2", 1), ("b", "s3", 1), ("b", "s4", 1)):
        for k in range(n):
            file = tmp_path / label / f"{group}_{k}.png"
            file.parent.mkdir(exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(file)
    data = open_dataset(tmp_path, group_pattern=r"s\d")
    scan = scan_images(data)
    groups = [record.group for record in data.records]
    unit = held_out_units(data, scan, range(9))
    assert [group for group, k in zip(groups, unit, strict=True) if k < 0] == ["s1"] * 4
    positions = [i for i, group in enumerate(groups) if group == "s1"]
    assert (held_out_units(data, scan, positions) < 0).all()
    assert (held_out_units(data, scan, [0, 1], range(9)) >= 0).all()
