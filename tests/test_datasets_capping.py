"""A cap on training images: of training only, drawn by the seed, and each larger cap holds the smaller one's images."""

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from coverslip.datasets.index.records import Dataset, ImageRecord, Part
from coverslip.datasets.splits.folding import cap_training, is_over_cap
from coverslip.datasets.splits.splitting import Split
from coverslip.images.reader import ReadPlan
from coverslip.messages import Note

images = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["train", "train", "val", "test", "excluded"])))


def make(described: list[tuple[str, Part]]) -> tuple[Dataset, Split]:
    records = tuple(
        ImageRecord(f"{i}.png", Path(f"/data/{i}.png"), label, f"slide{i % 4}", "", None, ReadPlan())
        for i, (label, _) in enumerate(described)
    )
    parts = tuple(part for _, part in described)
    reasons = tuple("no label" if part == "excluded" else "" for part in parts)
    return Dataset(Path("/data"), "table", records, ()), Split(parts, reasons, (Note("a-note", "A note."),))


def trained_on(dataset: Dataset, split: Split) -> set[str]:
    return {record.image_id for record, part in zip(dataset.records, split.parts, strict=True) if part == "train"}


@given(images, st.integers(1, 6), st.integers(0, 9), st.randoms(use_true_random=False))
def test_caps_are_kept_nested_and_blind_to_order(
    described: list[tuple[str, Part]], cap: int, seed: int, shuffled: random.Random
) -> None:
    dataset, split = make(described)
    capped = cap_training(dataset, split, cap, seed)
    before = Counter(label for label, part in described if part == "train")
    after = Counter(label for (label, _), part in zip(described, capped.parts, strict=True) if part == "train")
    assert after == {label: min(n, cap) for label, n in before.items()}
    for was, part, reason, old in zip(split.parts, capped.parts, capped.reasons, split.reasons, strict=True):
        if was == part:
            assert reason == old
        else:
            assert (was, part) == ("train", "excluded")
            assert reason.startswith("on request: ")
        assert is_over_cap(reason) is (was != part)
    assert trained_on(dataset, capped) <= trained_on(dataset, cap_training(dataset, split, cap + 1, seed))
    order = shuffled.sample(range(len(described)), len(described))
    moved = Split(tuple(split.parts[i] for i in order), tuple(split.reasons[i] for i in order), split.notes)
    assert trained_on(dataset.subset(order), cap_training(dataset.subset(order), moved, cap, seed)) == trained_on(
        dataset, capped
    )


def test_seeds_draw_other_images_and_each_image_equally_often() -> None:
    dataset, split = make([("a", "train")] * 10)
    drawn = Counter(i for seed in range(1000) for i in trained_on(dataset, cap_training(dataset, split, 3, seed)))
    assert all(240 < drawn[f"{i}.png"] < 360 for i in range(10))  # 300 expected, standard deviation 14.5


def test_a_note_says_how_many_are_excluded_and_an_ample_cap_changes_nothing() -> None:
    dataset, split = make([("a", "train")] * 5 + [("b", "train")] * 2 + [("a", "test")] * 9)
    capped = cap_training(dataset, split, 2, 0)
    assert [note.code for note in capped.notes] == ["a-note", "capped"]
    assert capped.notes[-1].parameters == {"n_images": 3, "n_per_class": 2}
    assert cap_training(dataset, split, 5, 0) == split


def test_an_image_keeps_its_place_in_the_draw_when_others_leave() -> None:
    dataset, split = make([("a", "train")] * 12)
    first = trained_on(dataset, cap_training(dataset, split, 4, 0))
    parts = tuple("val" if record.image_id not in first else "train" for record in dataset.records)
    assert trained_on(dataset, cap_training(dataset, replace(split, parts=parts), 4, 0)) == first
