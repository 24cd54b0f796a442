"""Inspecting: the facts are counted right, and planted faults lead to advice that names them."""

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coverslip.cli import main
from coverslip.datasets.index.classes import ClassPlan, with_classes
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.findings import FINDINGS, FindingCase, FindingKind
from coverslip.datasets.quality.inspecting import Inspection, inspect_dataset
from coverslip.datasets.quality.scanning import Scan, Spread, scan_images
from coverslip.datasets.splits.splitting import check_trainable, split_images
from coverslip.errors import BadDataset
from coverslip.messages import has_entry, message


def save(path: Path, seed: int, side: int = 10, dtype: type = np.uint8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, (side, side + 2), dtype=dtype)
    Image.fromarray(pixels).save(path)


def inspect(source: Path, **options: str) -> Inspection:
    dataset = open_dataset(source, **options)
    inspection = inspect_dataset(dataset, scan_images(dataset))
    text = json.dumps(inspection.model_dump(mode="json", round_trip=True), allow_nan=False)
    assert Inspection.model_validate_json(text) == inspection
    return inspection


def codes(inspection: Inspection) -> set[str]:
    return {finding.code for finding in inspection.findings}


def test_planted_faults_are_counted_and_advised_on(tmp_path):
    for i in range(30):
        save(tmp_path / "big" / f"s{i % 5}_{i}.png", i, side=10 + i)
    for i in range(4):
        save(tmp_path / "small" / f"s{i}_{i}.png", 100 + i, dtype=np.uint16)
    save(tmp_path / "big" / "s1_copy.bmp", 0)  # same pixels as s0_0.png, other container and group
    save(tmp_path / "small" / "s2_wrong.png", 1, side=11)  # same pixels as big/s1_1.png
    (tmp_path / "small" / "s3_broken.png").write_bytes(b"")
    inspection = inspect(tmp_path, group_pattern=r"s\d")
    assert inspection.n_images == 37
    assert inspection.n_readable == 36
    assert inspection.classes == {"big": 31, "small": 5}
    assert inspection.groups is not None
    assert inspection.groups.n_groups == 5
    assert inspection.groups.groups_per_class == {"big": 5, "small": 4}
    assert inspection.width_px == Spread(
        min=12, median=inspection.width_px.median if inspection.width_px else 0, max=41
    )
    assert inspection.bit_depths == {"8": 32, "16": 4}
    assert inspection.formats == {"PNG": 35, "BMP": 1}
    (unreadable,) = inspection.of("unreadable")
    assert unreadable.images == (("small/s3_broken.png",),)
    assert unreadable.notes[0][0]
    (copies,) = inspection.of("duplicates")
    assert copies.images == (("big/s0_0.png", "big/s1_copy.bmp"),)
    (conflicting,) = inspection.of("conflicting-labels")
    assert conflicting.images == (("big/s1_1.png", "small/s2_wrong.png"),)
    assert conflicting.notes == (("big", "small"),)
    (divided,) = inspection.of("groups-divide-copies")
    assert divided.notes == (("s0", "s1"),)  # no split contains the images with conflicting labels
    (imbalance,) = inspection.of("imbalance")
    assert imbalance.parameters["ratio"] == pytest.approx(31 / 5)
    assert unreadable.parameters["n"] == 1
    assert conflicting.parameters["n"] == 2
    assert copies.parameters == {"n_clusters": 1, "n_images": 2}
    assert [finding.parameters["classes"] for finding in inspection.of("small-class")] == [["small"]]
    assert [finding.parameters["n_groups"] for finding in inspection.of("few-groups")] == [5]


def test_a_finding_in_json_is_flat_and_names_its_images_by_cluster(tmp_path):
    for i in range(3):
        save(tmp_path / "a" / f"{i}.png", i)
        save(tmp_path / "b" / f"{i}.png", 10 + i)
    save(tmp_path / "a" / "copy.png", 0)
    inspection = inspect(tmp_path).model_dump(mode="json")
    (copies,) = [finding for finding in inspection["findings"] if finding["code"] == "duplicates"]
    assert copies["severity"] == "warning"
    assert copies["images"] == [["a/0.png", "a/copy.png"]]
    assert copies["text"]
    assert copies["do"]
    (small,) = [finding for finding in inspection["findings"] if finding["code"] == "small-class"]
    assert small["classes"] == ["a", "b"]  # what only this kind of finding has stands beside the rest


def test_a_copy_without_a_label_is_no_duplicate_among_training_images(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", i)
    save(tmp_path / "copy.png", 0)
    (tmp_path / "t.csv").write_text("path,label\n0.png,a\n1.png,b\n2.png,a\ncopy.png,\n")
    assert inspect(tmp_path / "t.csv").of("duplicates") == ()
    (tmp_path / "t.csv").write_text("path,label\n0.png,a\n1.png,b\n2.png,a\ncopy.png,a\n")
    (copies,) = inspect(tmp_path / "t.csv").of("duplicates")
    assert copies.parameters == {"n_clusters": 1, "n_images": 2}


def test_findings_name_images_as_the_table_does(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", i % 2)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        rows = [["path", "label", "image_id"], *([f"{i}.png", "ab"[i % 2], f"cell {i}"] for i in range(3))]
        csv.writer(file).writerows(rows)
    (copies,) = inspect(tmp_path / "t.csv").of("duplicates")
    assert copies.images == (("cell 0", "cell 2"),)


def test_a_leaking_predefined_split_is_reported_first(tmp_path):
    for i, name in enumerate(["train/a/1.png", "train/b/2.png", "test/b/3.png", "test/a/4.png"]):
        save(tmp_path / name, i % 3)
    inspection = inspect(tmp_path)
    assert inspection.predefined_split == {"train": 2, "val": 0, "test": 2}
    leakage = inspection.findings[0]
    assert (leakage.code, leakage.severity) == ("leakage", "error")
    assert leakage.parameters == {"n_groups": 0, "n_equal": 1, "n_near": 0, "n_chains": 0, "groups": []}
    # natural order of folders: test before train
    assert leakage.images == (("test/a/4.png", "train/a/1.png"),)
    assert leakage.notes == (("test", "train"),)


def test_of_a_leaking_group_one_image_of_each_side_is_named(tmp_path):
    for i, name in enumerate(["train/a/p1_1.png", "train/a/p1_2.png", "train/b/p2.png", "test/a/p1_3.png"]):
        save(tmp_path / name, i)
    (leakage,) = inspect(tmp_path, group_pattern=r"p\d").of("leakage")
    assert leakage.parameters["groups"] == ["p1"]
    assert leakage.images == (("test/a/p1_3.png", "train/a/p1_1.png"),)


def test_a_clean_set_has_no_findings_and_others_have_the_gravest_first(tmp_path):
    for i in range(60):
        save(tmp_path / "clean" / "ab"[i % 2] / f"s{i // 2}_{i}.png", i)
    assert inspect(tmp_path / "clean", group_pattern=r"s\d+_").findings == ()
    save(tmp_path / "odd" / "a" / "1.png", 1)
    severities = [finding.severity for finding in inspect(tmp_path / "odd").findings]
    assert severities == sorted(severities, key=["error", "warning", "advice"].index)
    assert severities[0] == "error"


def test_groups_of_one_class_each_and_classes_of_few_groups_are_pointed_out(tmp_path):
    for i in range(40):
        save(tmp_path / "ab"[i // 20] / f"s{i // 10}_{i}.png", i)
    assert {"group-is-class", "class-in-few-groups", "few-groups"} <= codes(inspect(tmp_path, group_pattern=r"s\d"))


def test_folds_are_promised_only_where_classes_can_be_held_out_and_groups_of_dropped_classes_do_not_count(tmp_path):
    for i in range(60):
        save(tmp_path / "all" / "abc"[i // 20] / f"s{i // 10}_{i}.png", i)
    (few,) = inspect(tmp_path / "all", group_pattern=r"s\d").of("few-groups")
    assert (few.parameters["n_groups"], few.remedies) == (6, ())
    data = replace(open_dataset(tmp_path / "all", group_pattern=r"s\d"), dropped=frozenset("c"))
    (few,) = inspect_dataset(data, scan_images(data)).of("few-groups")
    assert few.parameters["n_groups"] == 4
    for i in range(20):
        save(tmp_path / "alone" / "ab"[i // 10] / f"s{i // 10}_{i}.png", 100 + i)
    save(tmp_path / "alone" / "a" / "s2_1.png", 200)
    (few,) = inspect(tmp_path / "alone", group_pattern=r"s\d").of("few-groups")
    assert few.remedies  # class b is in one group


def test_without_labels_or_groups_what_to_do_is_said(tmp_path):
    save(tmp_path / "1.png", 1)
    data = open_dataset(tmp_path, labeled=False)
    inspection = inspect_dataset(data, scan_images(data))
    assert {"no-labels", "no-groups"} == codes(inspection)


def test_one_class_and_several_spellings_are_pointed_out(tmp_path):
    save(tmp_path / "one" / "1.png", 1)
    assert "one-class" in codes(inspect(tmp_path))
    save(tmp_path / "One " / "2.png", 2)
    (similar,) = inspect(tmp_path).of("similar-class-names")
    assert similar.parameters["classes"] == ["One", "one"]
    (merge,) = similar.remedies
    save(tmp_path / "two" / "3.png", 3)
    dataset = with_classes(open_dataset(tmp_path), ClassPlan.model_validate({"merge": merge.value}))
    assert dataset.classes == ("One", "two")


def test_images_that_are_not_of_one_kind_are_pointed_out(tmp_path):
    save(tmp_path / "a" / "gray.png", 1)
    save(tmp_path / "a" / "deep.png", 2, dtype=np.uint16)
    color = np.random.default_rng(3).integers(0, 256, (10, 10, 3), dtype=np.uint8)
    Image.fromarray(color).save(tmp_path / "a" / "color.png")
    pages = [Image.fromarray(color[..., i]) for i in range(2)]
    pages[0].save(tmp_path / "a" / "stack.tif", save_all=True, append_images=pages[1:])
    save(tmp_path / "loose.png", 4)
    inspection = inspect(tmp_path)
    assert {"several-planes", "unlabeled"} <= codes(inspection)
    assert (inspection.bit_depths, inspection.channels) == ({"8": 4, "16": 1}, {"1": 4, "3": 1})


def test_files_that_are_not_there_or_broken_are_unreadable_with_the_reason(tmp_path):
    save(tmp_path / "1.png", 1)
    (tmp_path / "2.png").write_bytes(b"no image")
    (tmp_path / "t.csv").write_text("path,label\n1.png,a\n2.png,a\n3.png,b\n")
    inspection = inspect(tmp_path / "t.csv")
    (finding,) = inspection.of("unreadable")
    assert finding.images == (("2.png",), ("3.png",))
    assert finding.notes[1] == (message("no-such-image"),)


@pytest.fixture
def odd_sizes() -> Iterator[FindingKind]:
    def find(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
        yield FindingCase(text="Sizes are odd.", do="Cut them.", images=(tuple(r.image_id for r in dataset.records),))

    finder = FindingKind("odd-sizes", "warning", find, title="Odd sizes")
    FINDINGS.add(finder)
    yield finder
    FINDINGS.remove(finder.name)


def test_a_registered_finder_finds_and_a_second_of_its_code_is_refused(tmp_path, odd_sizes):
    save(tmp_path / "a" / "1.png", 1)
    (odd,) = inspect(tmp_path).of("odd-sizes")
    assert (odd.severity, odd.title, odd.images) == ("warning", "Odd sizes", (("a/1.png",),))
    with pytest.raises(ValueError, match="odd-sizes"):
        FINDINGS.add(odd_sizes)


def test_every_kind_of_finding_is_named_in_one_style():
    for kind in FINDINGS.values():
        assert kind.name.replace("-", "").isalpha()
        assert kind.name == kind.name.lower()
        assert has_entry(f"finding-{kind.name}.title")
        assert kind.heading[0].isupper()


def test_a_set_without_any_readable_image_can_be_inspected(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").touch()
    inspection = inspect(tmp_path)
    assert inspection.n_readable == 0
    assert inspection.width_px is None


@pytest.mark.slow
def test_real_sets_have_the_facts_that_are_known_of_them(shared_data):
    inspection = inspect(shared_data("blood_bccd"))
    assert (inspection.n_images, inspection.n_readable, inspection.classes["BASOPHIL"]) == (351, 351, 3)
    assert [finding.parameters["ratio"] for finding in inspection.of("imbalance")] == [pytest.approx(69.0)]
    assert inspection.width_px == Spread(min=640, median=640, max=640)
    inspection = inspect(shared_data("cellcycle_jurkat_16bit"))
    assert inspection.dtypes == {"uint16": 712}
    assert inspection.channels == {"3": 712}
    assert inspection.planes == {"1": 712}


def all_broken(root: Path) -> None:
    for i in range(4):
        save(root / "ab"[i % 2] / f"{i}.png", i)
        (root / "ab"[i % 2] / f"{i}.png").write_bytes(b"no image")


def one_class_broken(root: Path) -> None:
    for i in range(4):
        save(root / "a" / f"{i}.png", i)
        save(root / "b" / f"{i}.png", i)
        (root / "b" / f"{i}.png").write_bytes(b"no image")


def one_class_in_the_test_part_only(root: Path) -> None:
    for i in range(4):
        for part, label in (("train", "a"), ("val", "a"), ("test", "a"), ("test", "b")):
            save(root / part / label / f"{i}.png", int.from_bytes(f"{part}{label}{i}".encode()[-4:]))


def all_contradicting(root: Path) -> None:
    for i in range(4):
        save(root / "a" / f"{i}.png", i)
        save(root / "b" / f"{i}.png", i)


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (all_broken, "unreadable"),
        (one_class_broken, "unreadable"),
        (one_class_in_the_test_part_only, "class-not-in-training"),
        (all_contradicting, "conflicting-labels"),
    ],
)
def test_who_is_sent_to_inspect_finds_there_what_is_wrong(
    tmp_path: Path, write: Callable[[Path], None], code: str
) -> None:
    write(tmp_path)
    data = open_dataset(tmp_path)
    scan = scan_images(data)
    with pytest.raises(BadDataset) as refused:
        check_trainable(data, scan, split_images(data, scan, val=0.2, test=0.2, seed=0))
    assert refused.value.code in ("no-usable-image", "too-few-classes")
    assert refused.value.parameters.get("is_of_several", True)  # then it says to inspect the dataset
    (finding,) = (finding for finding in inspect(tmp_path).findings if finding.code == code)
    assert finding.images or finding.parameters["classes"] == ["b"]


@pytest.mark.parametrize(
    ("names", "sentence"), [((0, 0, 1, 1), "2 groups of 2 images each"), ((0, 0, 0, 1), "of 1 to 3 images")]
)
def test_groups_of_one_size_have_one_number(
    tmp_path: Path, names: tuple[int, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for k, name in enumerate(names):
        save(tmp_path / "cells" / "ab"[k % 2] / f"p{name}_{k}.png", seed=k)
    assert main(["inspect", str(tmp_path / "cells"), "--group-pattern", r"p\d"]) == 0
    assert sentence in capsys.readouterr().out
