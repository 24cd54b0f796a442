"""Inspecting: the facts are counted right, and planted faults lead to advice that names them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coverslip.datasets import Inspection, inspect_dataset, open_dataset, scan_images
from coverslip.datasets.quality.inspecting import Spread


def save(path: Path, seed: int, side: int = 10, dtype: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (side, side + 2), dtype=dtype)
    Image.fromarray(pixels).save(path)


def inspect(source: Path, **options: str) -> Inspection:
    dataset = open_dataset(source, **options)
    inspection = inspect_dataset(dataset, scan_images(dataset))
    json.dumps(inspection.as_json(), allow_nan=False)
    return inspection


def test_planted_faults_are_counted_and_advised_on(tmp_path):
    for i in range(30):
        save(tmp_path / "big" / f"s{i % 5}_{i}.png", i, side=10 + i)
    for i in range(4):
        save(tmp_path / "small" / f"s{i}_{i}.png", 100 + i, dtype=np.uint16)
    save(tmp_path / "big" / "s1_copy.bmp", 0)  # same pixels as s0_0.png, other container and group
    save(tmp_path / "small" / "s2_wrong.png", 1, side=11)  # same pixels as big/s1_1.png
    (tmp_path / "small" / "s3_broken.png").write_bytes(b"")
    found = inspect(tmp_path, group_pattern=r"s\d")
    assert found.n_images == 37
    assert found.n_readable == 36
    assert found.classes == {"big": 31, "small": 6}
    assert found.groups is not None
    assert found.groups.n_groups == 5
    assert found.groups.groups_per_class == {"big": 5, "small": 4}
    assert found.width_px == Spread(12, found.width_px.median if found.width_px else 0, 41)
    assert found.bit_depths == {"8": 32, "16": 4}
    assert found.formats == {"PNG": 35, "BMP": 1}
    assert [path for path, _ in found.unreadable] == ["small/s3_broken.png"]
    assert found.duplicates.same_label == [["big/s0_0.png", "big/s1_copy.bmp"]]
    assert found.duplicates.conflicting == [[("big/s1_1.png", "big"), ("small/s2_wrong.png", "small")]]
    assert len(found.duplicates.across_groups) == 2
    assert found.imbalance_ratio == pytest.approx(31 / 6)
    advice = " ".join(found.advice)
    for said in (
        "1 image cannot be read",
        "another label",
        "1 image is an exact copy",
        "'small': fewer than 20 images",
        "5 times as many images",
        "only 5 groups",
        "Bit depths are mixed",
    ):
        assert said in advice


def test_a_leaking_given_split_is_told_first(tmp_path):
    for i, name in enumerate(["train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png"]):
        save(tmp_path / name, i % 3)
    found = inspect(tmp_path)
    assert found.given_split is not None
    assert found.given_split.images == {"train": 2, "val": 0, "test": 2}
    # natural order of folders: test before train
    assert found.given_split.leaking_pixels == [["test/b/4.png", "train/a/1.png"]]
    assert "two sides" in found.advice[0]


def test_one_class_and_several_spellings_are_pointed_out(tmp_path):
    save(tmp_path / "one" / "1.png", 1)
    assert any("one class" in advice for advice in inspect(tmp_path).advice)
    save(tmp_path / "One " / "2.png", 2)
    assert any("several spellings" in advice for advice in inspect(tmp_path).advice)


def test_a_set_without_any_readable_image_can_be_inspected(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").touch()
    found = inspect(tmp_path)
    assert found.n_readable == 0
    assert found.width_px is None


def test_real_sets_have_the_facts_that_are_known_of_them(shared_data):
    found = inspect(shared_data("blood_bccd"))
    assert (found.n_images, found.n_readable, found.classes["BASOPHIL"]) == (351, 351, 3)
    assert found.imbalance_ratio == pytest.approx(69.0)
    assert found.width_px == Spread(640, 640, 640)
    found = inspect(shared_data("cellcycle_jurkat_16bit"))
    assert found.dtypes == {"uint16": 712}
    assert found.channels == {"3": 712}
    assert found.planes == {"1": 712}
