"""Splits: nothing that belongs together is divided, shares are kept, seeds matter, faults are said clearly."""

from collections import Counter
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from parameters import only_first
from PIL import Image
from refusing import note_of, refusing

from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.quality.inspecting import inspect_dataset
from coverslip.datasets.quality.related_images import connected_components, predefined_split_leaks
from coverslip.datasets.quality.scanning import Scan, Unreadable, scan_images
from coverslip.datasets.splits.partition import fold_units, split_units
from coverslip.datasets.splits.splitting import (
    check_groups,
    check_no_class_is_empty,
    check_trainable,
    split_images,
    trained_classes,
)
from coverslip.errors import BadDataset, BadRecipe, LeakageFound
from coverslip.experiments.cross_validation import folds_of_recipe
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import ReadPlan
from coverslip.messages import AllowLeakage, GroupBy, Set, message, text
from coverslip.runs.recipe import Recipe, SplitPlan

THIRDS = (0.6, 0.2, 0.2)


def facts(pixels: str) -> PixelFacts:
    return PixelFacts(pixels, 8, 8, 1, "uint8", 8, "PNG", 1, (0.0,), (255.0,), None)


def make(
    labels: str | list[str | None],
    groups: list[str] | None = None,
    pixels: list[str | None] | None = None,
    predefined: list[str | None] | None = None,
) -> tuple[Dataset, Scan]:
    """A dataset of one image per label; equal `pixels` are equal images, None is unreadable."""
    records = tuple(
        ImageRecord(
            f"{i:05}.png",
            Path(f"/data/{i:05}.png"),
            label,
            groups[i] if groups else None,
            "",
            predefined[i] if predefined else None,  # type: ignore[arg-type]
            ReadPlan(),
        )
        for i, label in enumerate(labels)
    )
    hashes = pixels or [str(i) for i in range(len(labels))]
    scan = Scan(tuple(facts(p) if p is not None else Unreadable(message("image-incomplete")) for p in hashes))
    return Dataset(Path("/data"), "table", records, ()), scan


def split_60_20_20(dataset: Dataset, scan: Scan, seed: int = 0, **options: bool):
    return split_images(dataset, scan, val=0.2, test=0.2, seed=seed, **options)


def assert_undivided(keys, parts) -> None:
    sides: dict = {}
    for key, part in zip(keys, parts, strict=True):
        if part != "excluded":
            sides.setdefault(key, set()).add(part)
    assert all(len(side) == 1 for side in sides.values())


units = st.integers(3, 60).flatmap(
    lambda n: st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, n - 1)),
        min_size=3,
        max_size=200,
    )
)


@pytest.mark.slow
@given(units, st.integers(0, 2**32 - 1))
def test_no_unit_is_divided_and_no_part_is_empty(images, seed):
    label, unit = (np.array(column) for column in zip(*images, strict=True))
    assume(len(set(unit.tolist())) >= 3)
    part = split_units(label, unit, THIRDS, seed)
    assert_undivided(unit.tolist(), part.tolist())
    assert set(part.tolist()) == {0, 1, 2}
    assert np.array_equal(part, split_units(label, unit, THIRDS, seed))


@given(st.lists(st.integers(3, 80), min_size=1, max_size=12), st.integers(0, 99))
def test_without_groups_every_class_keeps_its_shares_to_within_one_image(sizes, seed):
    label = np.repeat(np.arange(len(sizes)), sizes)
    part = split_units(label, np.arange(len(label)), THIRDS, seed)
    for k, n in enumerate(sizes):
        counts = np.bincount(part[label == k], minlength=3)
        assert counts.min() >= 1
        assert np.all(np.abs(counts - np.array(THIRDS) * n) < 2)
    # Rounding evens out over classes; only classes too small for their shares can pull the whole off.
    slack = sum(n < 8 for n in sizes) + 2
    assert np.all(np.abs(np.bincount(part, minlength=3) - np.array(THIRDS) * len(label)) <= slack)


@pytest.mark.slow
@given(st.integers(2, 6), st.integers(3, 12), st.integers(0, 99))
def test_every_class_is_in_every_part_when_each_has_three_units_of_its_own(n_classes, n_units, seed):
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(n_classes * n_units), rng.integers(1, 9, n_classes * n_units))
    part = split_units(unit // n_units, unit, THIRDS, seed)
    for k in range(n_classes):
        assert set(part[unit // n_units == k].tolist()) == {0, 1, 2}


@pytest.mark.slow
def test_rare_classes_that_share_units_with_common_ones_still_reach_every_part():
    rng = np.random.default_rng(3)
    unit = np.repeat(np.arange(40), 20)
    label = rng.integers(0, 3, len(unit))
    for k, holders in enumerate([(1, 17, 33), (1, 5, 8), (17, 30, 39), (2, 3, 4)], start=3):
        for u in holders:
            label[np.flatnonzero(unit == u)[k]] = k
    for seed in range(10):
        part = split_units(label, unit, THIRDS, seed)
        assert all(set(part[label == k].tolist()) == {0, 1, 2} for k in range(7))


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", [5, 8, 12, 30])
def test_seeds_give_different_splits_of_few_groups(n_groups):
    label = np.tile(np.arange(3), 10 * n_groups)
    unit = np.repeat(np.arange(n_groups), 30)
    splits = {split_units(label, unit, THIRDS, seed).tobytes() for seed in range(6)}
    assert len(splits) == 6


def test_a_part_of_share_zero_stays_empty():
    label, unit = np.arange(60) % 3, np.arange(60) // 2
    assert set(split_units(label, unit, (0.8, 0.2, 0.0), 0).tolist()) == {0, 1}


def test_a_large_set_without_groups_and_many_groups_are_split_to_the_share():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 20, 100_000)
    for unit in (np.arange(100_000), rng.integers(0, 5000, 100_000)):
        part = split_units(label, unit, THIRDS, 1)
        shares = np.array([np.bincount(part[label == k], minlength=3) / np.sum(label == k) for k in range(20)])
        assert np.abs(shares - THIRDS).max() < 0.003


def test_impossible_shares_and_too_few_units_are_refused():
    label = np.zeros(4, dtype=int)
    with pytest.raises(ValueError, match="2 units cannot fill 3 parts"):
        split_units(label, np.array([0, 0, 1, 1]), THIRDS, 0)
    with pytest.raises(ValueError, match="sum to 1"):
        split_units(label, np.arange(4), (0.5, 0.2, 0.2), 0)
    with pytest.raises(ValueError, match="same length"):
        split_units(label, np.arange(3), THIRDS, 0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "group", "evenness"),
    only_first(
        2,
        [
            ("nuclei_mitocheck", "movie", 0.05),
            ("chromosomes_gband", "case", 0.03),
            ("chromosomes_gband", "cell", 0.01),
            pytest.param("blood_malaria", "patient", 0.01, marks=pytest.mark.exhaustive),
            ("pap_herlev", "image", 0.01),
        ],
    ),
)
def test_real_groups_are_split_evenly_and_differently_for_every_seed(shared_data, name, group, evenness):
    records = open_dataset(shared_data(name) / "images.csv", group=group).records
    label = np.unique([r.label for r in records], return_inverse=True)[1]
    unit = np.unique([r.group for r in records], return_inverse=True)[1]
    splits = set()
    for seed in range(5):
        part = split_units(label, unit, THIRDS, seed)
        splits.add(part.tobytes())
        assert_undivided(unit.tolist(), part.tolist())
        shares = np.array(
            [np.bincount(part[label == k], minlength=3) / np.sum(label == k) for k in range(max(label) + 1)]
        )
        assert shares.min() > 0
        assert np.abs(shares - THIRDS).mean() < evenness
        assert np.abs(np.bincount(part) / len(part) - THIRDS).max() < 0.03
    assert len(splits) == 5


tangled = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 14).map(str), st.integers(0, 40).map(str)),
    min_size=20,
    max_size=90,
)


@pytest.mark.slow
@given(tangled, st.integers(0, 99))
def test_neither_a_group_nor_pixels_stand_in_two_parts(images, seed):
    labels, groups, pixels = (list(column) for column in zip(*images, strict=True))
    dataset, scan = make(labels, groups, pixels)
    try:
        split = split_60_20_20(dataset, scan, seed)
    except BadDataset:
        assume(False)
    assert_undivided(groups, split.parts)
    assert_undivided(pixels, split.parts)
    labels_of_pixels: dict[str, set[str]] = {}
    for label, pixel in zip(labels, pixels, strict=True):
        labels_of_pixels.setdefault(pixel, set()).add(label)
    for pixel, part, reason in zip(pixels, split.parts, split.reasons, strict=True):
        assert (part == "excluded") == bool(reason)
        if len(labels_of_pixels[pixel]) > 1:
            assert reason.startswith("same pixels as")


@pytest.mark.exhaustive
@pytest.mark.slow
@given(st.randoms(use_true_random=False), st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(random, seed):
    dataset, scan = make(list("abc") * 20, [str(i // 4) for i in range(60)])
    split = split_60_20_20(dataset, scan, seed)
    order = list(range(60))
    random.shuffle(order)
    shuffled = replace(dataset, records=tuple(dataset.records[i] for i in order))
    of_shuffled = split_60_20_20(shuffled, Scan(tuple(scan.facts[i] for i in order)), seed)
    assert [split.parts[i] for i in order] == list(of_shuffled.parts)


def test_equal_images_of_two_groups_tie_the_groups_together():
    groups = [str(i // 5) for i in range(60)]
    pixels: list[str | None] = [str(i) for i in range(60)]
    pixels[0] = pixels[59] = "same"
    dataset, scan = make("ab" * 30, groups, pixels)
    labels = [r.label for r in dataset.records]
    labels[59] = labels[0]
    dataset = replace(dataset, records=tuple(replace(r, label=x) for r, x in zip(dataset.records, labels, strict=True)))
    for seed in range(8):
        parts = split_60_20_20(dataset, scan, seed).parts
        assert parts[0] == parts[59] == parts[1] == parts[58] != "excluded"


def test_unreadable_unlabeled_and_contradicting_images_are_excluded_with_the_reason():
    pixels: list[str | None] = [str(i) for i in range(30)]
    pixels[3] = None
    pixels[10], pixels[11] = "same", "same"
    labels: list[str | None] = list("ab" * 15)
    labels[20] = None
    dataset, scan = make(labels, pixels=pixels)
    split = split_60_20_20(dataset, scan)
    assert split.reasons[3] == f"unreadable: {text('image-incomplete')}"
    assert split.reasons[20] == "no label"
    assert split.reasons[10] == "same pixels as 00011.png, labeled b"
    assert split.reasons[11] == "same pixels as 00010.png, labeled a"
    assert [i for i, part in enumerate(split.parts) if part == "excluded"] == [3, 10, 11, 20]
    assert len(split.notes) == 3


def test_a_predefined_split_is_kept():
    predefined = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    dataset, scan = make("ab" * 6, predefined=predefined)
    assert list(split_60_20_20(dataset, scan).parts) == predefined


def test_shares_beside_a_predefined_test_set_are_of_all_images():
    groups = ["x"] * 15 + ["y"] * 15 + ["z"] * 30
    dataset, scan = make("ab" * 30, groups, predefined=["train"] * 30 + ["test"] * 30)
    notes = split_60_20_20(dataset, scan).notes
    (uneven,) = [note.parameters for note in notes if note.code == "uneven-parts"]
    assert (uneven["reached"], uneven["requested"]) == ("25, 25, 50", "38, 12, 50")


def test_parts_that_a_predefined_split_lacks_are_taken_from_training():
    predefined = ["train"] * 80 + ["test"] * 20
    dataset, scan = make("ab" * 50, [str(i // 2) for i in range(100)], predefined=predefined)
    split = split_60_20_20(dataset, scan)
    assert Counter(split.parts) == {"train": 60, "val": 20, "test": 20}
    assert set(split.parts[80:]) == {"test"}
    taken = note_of(split.notes, "part-taken").parameters
    assert taken == {"missing": "val", "has_domains": False, "domains": "''"}
    only_train = split_60_20_20(*make("ab" * 50, predefined=["train"] * 100))
    assert Counter(only_train.parts) == {"train": 60, "val": 20, "test": 20}


def test_rows_without_a_part_join_training_unless_tied_to_a_given_part():
    predefined = ["train", "train", None, None, "val", "val", "test", "test"]
    pixels: list[str | None] = [str(i) for i in range(8)]
    pixels[2] = pixels[6]
    split = split_60_20_20(*make("abababab", pixels=pixels, predefined=predefined))
    assert list(split.parts) == ["train", "train", "test", "train", "val", "val", "test", "test"]


@pytest.mark.parametrize("kind", ["group", "pixels"])
def test_a_predefined_split_that_leaks_is_refused_with_both_places(kind):
    predefined = ["train"] * 6 + ["val"] * 3 + ["test"] * 3
    groups, pixels = [str(i) for i in range(12)], [str(i) for i in range(12)]
    (groups if kind == "group" else pixels)[11] = "1"
    dataset, scan = make("ab" * 6, groups, pixels, predefined)
    first, second = {"first": "train", "first_image": "00001.png"}, {"second": "test", "second_image": "00011.png"}
    example = text("leaking-images", relation=kind, group="1", **first, **second)
    with refusing(LeakageFound, "leaking-split", n_leaks=1, examples=example, has_more=False) as caught:
        split_60_20_20(dataset, scan)
    assert caught.value.remedies == (AllowLeakage(),)
    split = split_60_20_20(dataset, scan, allow_leakage=True)
    assert list(split.parts) == predefined
    assert note_of(split.notes, "leakage").parameters == {"n_leaks": 1}


@pytest.mark.parametrize(("column", "note"), [("group", "grouped"), ("patient", "not-grouped")])
def test_a_refused_split_names_the_column_of_groups_that_nobody_chose(tmp_path, column, note):
    rows = [f"path,label,split,{column}"]
    for i in range(12):
        Image.fromarray(np.full((8, 8), i % 10, np.uint8)).save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{'ab'[i % 2]},{'train' if i < 9 else 'test'},p{i % 5}")
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    dataset = open_dataset(tmp_path / "table.csv")
    with pytest.raises(LeakageFound) as caught:
        split_60_20_20(dataset, scan_images(dataset))
    assert caught.value.parameters["notes"] == [note]
    (note_text,) = (each.text for each in dataset.notes if each.code == note)
    assert note_text in caught.value.do


def test_small_classes_are_explained_and_go_to_training_first():
    labels = ["a"] * 40 + ["b"] * 40 + ["rare"] * 2 + ["single"]
    split = split_60_20_20(*make(labels))
    assert sorted(split.parts[80:82]) == ["test", "train"]
    assert split.parts[82] == "train"
    notes = {note.parameters["name"]: note.parameters for note in split.notes if note.code == "missing-part"}
    assert notes.keys() == {"rare", "single"}
    for name, missing, n_images in (("rare", "val", 2), ("single", "val-and-test", 1)):
        assert (notes[name]["subject"], notes[name]["reason"]) == ("class", "few-images")
        assert (notes[name]["missing"], notes[name]["is_tested"]) == (missing, name == "rare")
        assert (notes[name]["n_images"], notes[name]["n_units"], notes[name]["n_parts"]) == (n_images, n_images, 3)


@pytest.mark.slow
def test_a_class_of_three_real_images_is_in_every_part(shared_data):
    dataset = open_dataset(shared_data("blood_bccd"))
    split = split_60_20_20(dataset, scan_images(dataset))
    rarest = min(Counter(r.label for r in dataset.records).items(), key=lambda item: item[1])
    assert rarest == ("BASOPHIL", 3)
    assert {p for r, p in zip(dataset.records, split.parts, strict=True) if r.label == "BASOPHIL"} == {
        "train",
        "val",
        "test",
    }


def test_classes_that_training_lacks_are_excluded_visibly():
    predefined = ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    dataset, scan = make("ababababc", predefined=predefined)
    split = split_60_20_20(dataset, scan)
    assert split.parts[8] == "excluded"
    assert split.reasons[8] == "no training image of the class c"
    assert trained_classes(dataset, split) == ("a", "b")


def test_everything_in_one_group_is_refused_with_advice():
    with refusing(BadDataset, "too-few-groups", n_images=6, n_units=1, groups="'p'", n_parts=3):
        split_60_20_20(*make("ababab", ["p"] * 6))
    connected = make("aaabbb", list("pqrstu"), ["x", "x", "x", "y", "y", "y"])
    with refusing(BadDataset, "too-few-separate-groups", n_images=6, n_units=2, n_groups=6, n_parts=3):
        split_60_20_20(*connected)
    with refusing(BadDataset, "too-few-distinct-images", n_images=2, n_units=2, n_parts=3):
        split_60_20_20(*make("ab"))


def test_shares_that_leave_nothing_to_train_on_are_refused():
    dataset, scan = make("ab" * 10)
    with refusing(BadRecipe, "no-training-share", val=0.5, test=0.5):
        split_images(dataset, scan, val=0.5, test=0.5, seed=0)


def test_what_cannot_be_trained_is_refused_in_one_sentence():
    data = make("a" * 10)
    with refusing(BadDataset, "too-few-classes", n_usable=1, label="a", is_of_several=False):
        check_trainable(*data, split_60_20_20(*data))
    alone = make("ab" * 5, predefined=["test"] * 10)
    with refusing(BadDataset, "too-few-classes", n_usable=0, n_classes=2, is_of_several=True):
        check_trainable(*alone, split_60_20_20(*alone))
    dataset, scan = make("ab" * 10)
    split = split_images(dataset, scan, val=0.2, test=0.0, seed=0)
    with refusing(BadDataset, "empty-set", set="test"):
        check_trainable(dataset, scan, split)
    check_trainable(dataset, scan, split_60_20_20(dataset, scan))
    broken, none_readable = make("ab", pixels=[None, None])
    with refusing(BadDataset, "no-usable-image", n_images=2):
        split_60_20_20(broken, none_readable)


@pytest.mark.parametrize("side", ["val", "test"])
def test_a_predefined_set_of_excluded_images_is_not_replaced(side: str) -> None:
    """Its images have the pixels of training images with other labels, cannot be read, or have no label."""
    labels: list[str | None] = [*"ab" * 20, "a", "b", "a", None]
    pixels: list[str | None] = [*map(str, range(40)), "1", "0", None, "43"]
    predefined: list[str | None] = [*["train"] * 40, *[side] * 4]
    dataset, scan = make(labels, pixels=pixels, predefined=predefined)
    with refusing(BadDataset, "predefined-set-excluded", set=side, has_domain=False):
        split_60_20_20(dataset, scan)
    shares = {"val": 0.2, "test": 0.2, side: 0.0}  # of this set, nothing is taken from the training images
    assert Counter(split_images(dataset, scan, seed=0, **shares).parts)[side] == 0
    of_two = [replace(record, domain="old" if i % 4 < 2 else "new") for i, record in enumerate(dataset.records)]
    of_two[40:] = [replace(record, domain="new") for record in of_two[40:]]
    usable = replace(dataset.records[0], image_id="usable.png", domain="old", predefined_split=side)
    both = replace(dataset, records=(*of_two, usable))
    with refusing(BadDataset, "predefined-set-excluded", set=side, domain="'new'", has_domain=True):
        split_60_20_20(both, replace(scan, facts=(*scan.facts, facts("usable"))))
    dataset, scan = make([*labels, "a"], pixels=[*pixels, "usable"], predefined=[*predefined, side])
    assert Counter(split_60_20_20(dataset, scan).parts)[side] == 1


@pytest.mark.parametrize("is_dropped", [True, False])
def test_near_duplicates_among_excluded_images_do_not_change_which_images_stay_together(is_dropped: bool):
    """Blank images of all patients form a cluster; two patients share a near-duplicate."""
    labels = ["blank" if k % 7 == 6 else "ab"[k % 2] for k in range(140)]
    dataset, scan = make(labels, [f"patient{k // 7}" for k in range(140)], predefined=["train"] * 7 + ["test"] * 133)
    dataset = replace(dataset, dropped=frozenset({"blank"}) if is_dropped else frozenset())
    blank = tuple(range(6, 140, 7))
    scan = replace(scan, near_duplicates=((0, 7), blank))
    order = [k for k, label in enumerate(labels) if label in dataset.classes]
    component = dict(zip(order, connected_components(dataset, scan, order).tolist(), strict=True))
    assert (component[0] == component[7]) == is_dropped
    leaks = [leak.images for leak in predefined_split_leaks(dataset, scan) if leak.kind == "near-duplicates"]
    assert leaks == ([(0, 7)] if is_dropped else [])
    by_code = {finding.code: finding.parameters for finding in inspect_dataset(dataset, scan).findings}
    assert by_code["near-duplicates"]["n_clusters_together"] == (1 if is_dropped else 0)


def test_excluded_images_are_in_no_set_so_that_they_are_no_leak():
    """The first two images have equal pixels, but different labels; the last has no label."""
    pixels = ["same", "same", *"cdefg", "g"]
    dataset, scan = make([*"ababab", "a", None], pixels=pixels, predefined=["train", "test"] * 4)
    assert predefined_split_leaks(dataset, scan) == []
    in_groups, scan = make([*"ababab", "a", None], [*"xxyzzwvv"], pixels, ["train", "test"] * 4)
    assert [leak.name for leak in predefined_split_leaks(in_groups, scan)] == ["z"]


@pytest.mark.parametrize(
    ("group_of", "are_classes", "groups"),
    [
        ({"a": "x", "b": "y", "c": "z"}, True, "'x', 'y', 'z'"),
        ({"a": "x", "b": "x", "c": "z"}, False, "'x', 'z'"),
    ],
)
def test_groups_that_leave_no_class_to_test_are_refused_by_their_names(group_of, are_classes, groups):
    labels = "abc" * 10
    with refusing(BadDataset, "confounded-groups", are_classes=are_classes, groups=groups) as refused:
        check_groups(make(labels, [group_of[label] for label in labels])[0])
    assert refused.value.remedies == (GroupBy(),)
    check_groups(make(labels)[0])
    check_groups(make(labels, [*"pq" * 15])[0])
    # The second class has one image without a group, whose name is that of the group of the first class.
    named_alike = make([*"aab"], ["00002.png", "00002.png", None])[0]
    with refusing(BadDataset, "confounded-groups", are_classes=True):
        check_groups(named_alike)
    check_groups(make(labels, [group_of[label] for label in labels], predefined=["train"] * 30)[0])


def test_a_class_without_training_images_is_refused_and_can_be_excluded():
    dataset, scan = make("ab" * 10 + "c" * 3, pixels=[*map(str, range(20)), None, None, None])
    split = split_60_20_20(dataset, scan)
    with refusing(BadDataset, "class-without-training-images", n_classes=1, classes=["c"]) as refused:
        check_no_class_is_empty(dataset, trained_classes(dataset, split))
    assert refused.value.remedies == (Set("classes.drop", ["c"]),)
    check_no_class_is_empty(dataset, {"a", "b", "c"})


@pytest.mark.exhaustive
@pytest.mark.slow
def test_seeds_part_real_groups_differently_after_a_scan(shared_data):
    dataset = open_dataset(shared_data("nuclei_mitocheck") / "images.csv", group="movie")
    scan = scan_images(dataset)
    splits = [split_60_20_20(dataset, scan, seed) for seed in range(3)]
    assert all(first.parts != other.parts for first, other in combinations(splits, 2))
    assert splits[1].parts == split_60_20_20(dataset, scan, 1).parts
    for split in splits:
        assert_undivided([r.group for r in dataset.records], split.parts)
        assert_undivided([f.pixel_hash for f in scan.facts if isinstance(f, PixelFacts)], split.parts)


def test_a_group_is_not_divided_by_a_predefined_split_through_an_image_without_a_part():
    predefined = ["train", None, "test", *["train"] * 6, *["val"] * 2, *["test"] * 3]
    groups = ["g1", "g1", "g2", *[f"h{i}" for i in range(11)]]
    pixels: list[str | None] = [str(i) for i in range(14)]
    pixels[1] = pixels[2]
    dataset, scan = make("aaa" + "ab" * 5 + "b", groups, pixels, predefined)
    first, second = {"first": "train", "first_image": "00000.png"}, {"second": "test", "second_image": "00002.png"}
    example = text("leaking-images", relation="chain", group="00000.png", **first, **second)
    with refusing(LeakageFound, "leaking-split", leaks=text("leak-of-chains", n=1), examples=example):
        split_60_20_20(dataset, scan)
    split = split_60_20_20(dataset, scan, allow_leakage=True)
    assert note_of(split.notes, "leakage").parameters == {"n_leaks": 1}


def test_a_class_may_not_be_called_like_a_decision():
    dataset, scan = make(["uncertain", "b"] * 10)
    with refusing(BadDataset, "class-name-is-a-decision", label="uncertain"):
        check_trainable(dataset, scan, split_60_20_20(dataset, scan))


several_sets = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=9, max_size=150)


@pytest.mark.slow
@given(several_sets, st.integers(0, 99), st.sampled_from([0, 3, 5]))
def test_every_set_and_class_and_class_of_a_set_that_has_enough_images_is_in_every_part(images, seed, n_folds):
    domain, label = (np.array(column) for column in zip(*images, strict=True))
    unit = np.arange(len(label))
    if n_folds:
        part = fold_units(label, unit, n_folds, seed, domain)
    else:
        part = split_units(label, unit, THIRDS, seed, domain)
    n_parts = n_folds or 3
    for kind in (domain, label, domain * 10 + label):
        for name in np.unique(kind):
            n = int((kind == name).sum())
            assert len(set(part[kind == name].tolist())) >= (n_parts if n >= n_parts else 1)


@pytest.mark.slow
@settings(max_examples=20)
@given(several_sets, st.lists(st.integers(0, 40), min_size=150, max_size=150), st.integers(0, 99))
def test_sets_do_not_divide_groups_that_they_share(images, groups, seed):
    domain, label = (np.array(column) for column in zip(*images, strict=True))
    unit = np.array(groups[: len(label)])
    assume(len(set(unit.tolist())) >= 3)
    part = split_units(label, unit, THIRDS, seed, domain)
    assert_undivided(unit.tolist(), part.tolist())
    assert set(part.tolist()) == {0, 1, 2}


def test_classes_keep_their_shares_within_each_set():
    sizes = {("large", "a"): 200, ("large", "b"): 50, ("small", "a"): 10, ("small", "b"): 20}
    labels = [label for (_, label), n in sizes.items() for _ in range(n)]
    dataset, scan = make(labels)
    names = [name for (name, _), n in sizes.items() for _ in range(n)]
    dataset = replace(
        dataset, records=tuple(replace(r, domain=name) for r, name in zip(dataset.records, names, strict=True))
    )
    counts = Counter(zip(names, labels, split_60_20_20(dataset, scan).parts, strict=True))
    for (name, label), n in sizes.items():
        assert [counts[name, label, part] for part in ("train", "val", "test")] == [n * 3 // 5, n // 5, n // 5]


def test_a_set_of_two_groups_cannot_be_in_every_part_and_a_note_says_so():
    dataset, scan = make("ab" * 20, groups=[f"g{i % 8}" for i in range(36)] + ["x", "x", "y", "y"])
    of_sets = tuple(replace(r, domain="new" if r.group in "xy" else "old") for r in dataset.records)
    split = split_60_20_20(replace(dataset, records=of_sets), scan)
    (parameters,) = (note.parameters for note in split.notes if note.parameters.get("subject") == "domain")
    assert parameters == {
        "subject": "domain",
        "name": "new",
        "missing": "val",
        "parts": ["val"],
        "reason": "few-groups",
        "n_images": 4,
        "n_units": 2,
        "n_parts": 3,
        "is_tested": True,
    }


def test_a_set_without_a_split_of_its_own_is_divided_beside_one_that_has_one():
    predefined = ["train"] * 20 + ["test"] * 10 + [None] * 30
    dataset, scan = make(
        "ab" * 30, predefined=predefined, pixels=[*map(str, range(59)), "29"]
    )  # the last one: a copy of a test
    names = ["published"] * 30 + ["ours"] * 30
    dataset = replace(
        dataset, records=tuple(replace(r, domain=name) for r, name in zip(dataset.records, names, strict=True))
    )
    parts = split_60_20_20(dataset, scan).parts
    assert parts[20:30] == ("test",) * 10
    assert Counter(parts[:20]) == {"train": 15, "val": 5}
    assert Counter(parts[30:59]) == {"train": 17, "val": 6, "test": 6}
    assert parts[59] == "test"


def test_a_group_that_two_sets_share_is_not_divided_where_one_has_a_split():
    dataset, scan = make("ab" * 30, groups=[f"p{i % 10}" for i in range(60)], predefined=["train"] * 30 + [None] * 30)
    of_sets = tuple(
        replace(r, domain="published" if i < 30 else "ours", group=r.group if i < 50 else f"q{i % 5}")
        for i, r in enumerate(dataset.records)
    )
    dataset = replace(dataset, records=of_sets)
    parts = split_60_20_20(dataset, scan).parts
    assert_undivided([r.group for r in dataset.records], parts)
    assert set(parts[50:]) == {"train", "val", "test"}


def test_a_new_domain_joins_training_where_the_split_of_an_earlier_run_is_kept():
    predefined = [*(["train"] * 6), "val", "val", "test", "test", *([None] * 10)]
    data, scan = make("ab" * 10, groups=[f"g{i}" for i in range(19)] + ["g9"], predefined=predefined)
    domains = ["old"] * 10 + ["new"] * 10
    records = tuple(replace(r, domain=d) for r, d in zip(data.records, domains, strict=True))
    split = split_images(replace(data, records=records), scan, val=0.2, test=0.2, seed=0, keeps_split=True)
    assert list(split.parts[:10]) == predefined[:10]
    assert list(split.parts[10:]) == ["train"] * 9 + ["test"]  # the last one is of the group of a test image


def test_a_domain_that_only_trained_in_an_earlier_run_gives_no_test_images_where_its_split_is_kept():
    predefined = [*(["train"] * 6), "val", "val", "test", "test", *(["train"] * 8), None, None]
    data, scan = make("ab" * 10, groups=[f"g{i}" for i in range(20)], predefined=predefined)
    domains = ["old"] * 10 + ["added"] * 10
    records = tuple(replace(r, domain=d) for r, d in zip(data.records, domains, strict=True))
    split = split_images(replace(data, records=records), scan, val=0.2, test=0.2, seed=0, keeps_split=True)
    assert list(split.parts) == [*predefined[:-2], "train", "train"]


@pytest.mark.parametrize(
    ("n_images", "n_groups", "test", "instant", "finetuned"),
    [
        (99, None, 0.2, "folds", "folds"),
        (100, None, 0.2, "folds", "small-test-set"),
        (299, None, 0.2, "folds", "small-test-set"),
        (300, None, 0.2, None, None),
        (150, None, 0.4, None, None),
        (599, None, 0.1, "folds", "small-test-set"),
        (300, 9, 0.2, "folds", "folds"),
        (300, 10, 0.2, "folds", "small-test-set"),
        (300, 49, 0.2, "folds", "small-test-set"),
        (300, 50, 0.2, None, None),
        (299, 60, 0.2, "folds", "small-test-set"),
        (90, 60, 0.2, "folds", "small-test-set"),
        (90, 20, 0.2, "folds", "small-test-set"),
    ],
)
def test_a_small_test_set_means_cross_validation_by_default_for_instant_classifiers(
    n_images: int, n_groups: int | None, test: float, instant: str | None, finetuned: str | None
) -> None:
    groups = None if n_groups is None else [f"p{i % n_groups}" for i in range(n_images)]
    data, scan = make("".join("ab"[i // (n_groups or 1) % 2] for i in range(n_images)), groups)
    unit, n_units = ("image", n_images) if n_groups in (None, 60) else ("group", n_groups)
    for stage, code in (("instant", instant), ("finetune", finetuned)):
        folds, note = folds_of_recipe(data, scan, Recipe(stage=stage, split=SplitPlan(test=test)))
        assert (None if note is None else note.code) == code
        assert (folds is not None) == (code == "folds")
        if note is None:
            continue
        assert (note.parameters["unit"], note.parameters["n_units"]) == (unit, n_units)
        assert note.parameters["n_tested"] == round(test * n_units)  # type: ignore[operator]
        if code == "small-test-set":
            assert (note.parameters["factor"], note.remedies) == (6, (Set("split.folds", 5),))
        stated = SplitPlan(test=test, folds=0)
        assert folds_of_recipe(data, scan, Recipe(stage=stage, split=stated)) == (None, None)
    scratch = Recipe(init="scratch", stage="instant", split=SplitPlan(test=test))  # is fine-tuned all the same
    _, note = folds_of_recipe(data, scan, scratch)
    assert (None if note is None else note.code) == finetuned


def test_a_class_in_a_single_group_leaves_one_split_where_folds_are_the_default() -> None:
    data, scan = make("b" + 71 * "a", [f"p{i % 24}" for i in range(72)])
    folds, note = folds_of_recipe(data, scan, Recipe(stage="instant"))
    assert (folds, note and note.code) == (None, "folds-not-possible")
