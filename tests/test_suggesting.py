"""Which images are suggested, and that the reserved test set stays apart."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawing import save_cell, save_cells
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.audit.selecting import reserved, still_reserved, typical, undecided
from coverslip.audit.suggesting import SUGGESTION_COLUMNS
from coverslip.cli import main
from coverslip.errors import BadDataset, CoverslipError
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.runs.recipe import SplitPlan


def in_clusters(sizes: tuple[int, ...]) -> np.ndarray:
    """Features of distant clusters, one after another."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(len(sizes), 16)) * 20
    return np.concatenate([center + rng.normal(size=(n, 16)) for center, n in zip(centers, sizes, strict=True)]).astype(
        np.float32
    )


def test_typical_images_come_from_all_clusters_and_the_largest_first() -> None:
    sizes = (60, 30, 10)
    cluster = np.repeat(range(3), sizes)
    suggested = typical(in_clusters(sizes), np.zeros(0, np.int64), np.arange(100), 3)
    assert [int(cluster[row]) for row, _, _ in suggested] == [0, 1, 2]
    assert [share for _, share, _ in suggested] == [0.6, 0.3, 0.1]
    assert [n for _, _, n in suggested] == [60, 30, 10]


def test_a_cluster_with_a_label_waits_for_the_others() -> None:
    sizes = (60, 30, 10)
    cluster = np.repeat(range(3), sizes)
    labeled = np.array([0, 60])
    unlabeled = np.setdiff1d(np.arange(100), labeled)
    first, *_ = typical(in_clusters(sizes), labeled, unlabeled, 1)
    assert cluster[first[0]] == 2


def test_undecided_images_have_small_margins_and_are_of_the_predicted_classes_with_few_labels() -> None:
    logits = np.tile(np.array([4, 0, 0], np.float32), (60, 1))
    logits[[3, 4, 25, 30]] = [[1, 0.9, 0], [1, 0.8, 0], [0, 1, 0.9], [0, 0.3, 2]]
    unlabeled = np.arange(100, 160)
    suggested = undecided(logits, np.array([0, 0, 1]), unlabeled, 4)
    assert [row - 100 for row, _, _ in suggested] == [3, 25, 4, 30]
    assert [classes for _, _, classes in suggested] == [(0, 1), (1, 2), (0, 1), (2, 1)]
    probabilities = np.exp([1, 0.9, 0]) / np.exp([1, 0.9, 0]).sum()
    assert suggested[0][1] == pytest.approx(probabilities[0] - probabilities[1], abs=1e-6)


@given(n=st.integers(1, 12), n_labeled=st.integers(0, 5), n_unlabeled=st.integers(1, 8), is_constant=st.booleans())
def test_as_many_images_as_there_are_each_once(n: int, n_labeled: int, n_unlabeled: int, is_constant: bool) -> None:
    features = np.ones((13, 4), np.float32) if is_constant else np.random.default_rng(1).normal(size=(13, 4))
    labeled, unlabeled = np.arange(n_labeled), np.arange(5, 5 + n_unlabeled)
    rows = [row for row, _, _ in typical(features.astype(np.float32), labeled, unlabeled, n)]
    assert len(rows) == len(set(rows)) == min(n, n_unlabeled)
    assert set(rows) <= set(unlabeled.tolist())
    even = np.zeros((n_unlabeled, 2), np.float32)
    rows = [row for row, _, _ in undecided(even, np.array([3, 1]), unlabeled, n)]
    assert len(rows) == len(set(rows)) == min(n, n_unlabeled)


def test_the_reserved_test_set_stays_when_images_are_added_and_labeled(tmp_path: Path) -> None:
    save_cells(tmp_path / "cells", n=12)
    few = cs.open_dataset(tmp_path / "cells", labeled=False)
    before = {r.image_id for r, is_test in zip(few, reserved(few), strict=True) if is_test}
    save_cells(tmp_path / "cells", n=40)
    many = cs.open_dataset(tmp_path / "cells")
    after = {r.image_id for r, is_test in zip(many, reserved(many), strict=True) if is_test}
    assert before <= after
    assert 0.05 < len(after) / len(many) < 0.4


def test_groups_are_reserved_as_a_whole_and_at_least_one(tmp_path: Path) -> None:
    save_cells(tmp_path / "cells", n=6)
    data = cs.open_dataset(tmp_path / "cells", group_pattern=r"slide\d+")
    groups = {record.group for record in data}
    is_test = reserved(data)
    of_test = {record.group for record, is_reserved in zip(data, is_test, strict=True) if is_reserved}
    others = {record.group for record, is_reserved in zip(data, is_test, strict=True) if not is_reserved}
    assert of_test
    assert not of_test & others
    assert of_test | others == groups


def test_an_image_without_a_group_is_not_reserved_with_the_group_of_its_name(tmp_path: Path) -> None:
    rows = [("0.png", "cell", ""), *((f"{k}.png", "" if k < 4 else "cell", "0.png") for k in range(1, 6))]
    for name, _, _ in rows:
        save_cell(tmp_path / name)
    (tmp_path / "images.csv").write_text("path,label,group\n" + "".join(",".join(row) + "\n" for row in rows))
    data = cs.open_dataset(tmp_path / "images.csv", group="group")
    ids = [record.image_id for record in data.records]
    assert ids[0] == "0.png"
    settled = still_reserved(data, np.ones(6, bool), {*ids[1:]})
    assert settled.tolist() == [False, *[True] * 5]
    settled = still_reserved(data, np.ones(6, bool), {ids[5]})
    assert settled.tolist() == [False, *[False] * 4, True]
    unlabeled = replace(data, records=tuple(each.with_label(None) if k == 0 else each for k, each in enumerate(data)))
    assert still_reserved(unlabeled, np.ones(6, bool), {ids[5]}).tolist() == [True, *[False] * 4, True]


def partly_labeled(folder: Path, labeled: int) -> Path:
    """Save cells and a table in which the first images of each class have a label."""
    save_cells(folder / "cells", n=30)
    table = folder / "cells.csv"
    with table.open("w", newline="", encoding="utf-8") as opened:
        rows = csv.writer(opened)
        rows.writerow(["path", "label"])
        for of_class in sorted(path for path in (folder / "cells").iterdir() if path.is_dir()):
            for i, file in enumerate(sorted(of_class.iterdir())):
                rows.writerow([file.relative_to(folder), of_class.name if i < labeled else ""])
    return table


@pytest.mark.slow
@pytest.mark.parametrize("labeled", [pytest.param(0, marks=pytest.mark.exhaustive), 20])
def test_only_unlabeled_images_outside_the_test_set_are_suggested(tmp_path: Path, labeled: int) -> None:
    table = partly_labeled(tmp_path, labeled)
    data = cs.open_dataset(table, labeled=labeled > 0)
    suggested = cs.suggest(table, n=5, out=tmp_path / "suggestions.csv", device="cpu")
    label_of = {record.image_id: record.label for record in data}
    ids = [each.image_id for each in suggested.suggestions]
    assert len(ids) == 5
    assert all(label_of[image_id] is None for image_id in ids)
    assert not set(ids) & set(suggested.reserved_test)
    n_reserved_unlabeled = len(suggested.reserved_test) - suggested.n_reserved_labeled
    assert suggested.n_labeled + suggested.n_reserved_labeled == sum(label is not None for label in label_of.values())
    assert suggested.n_unlabeled + n_reserved_unlabeled == sum(label is None for label in label_of.values())
    with (tmp_path / "suggestions.csv").open(newline="", encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    assert tuple(rows[0]) == SUGGESTION_COLUMNS
    assert [row["image_id"] for row in rows] == ids
    again = cs.suggest(table, n=5, device="cpu")
    assert again == suggested


@pytest.mark.slow
def test_labels_of_reserved_images_do_not_change_suggestions(tmp_path: Path) -> None:
    table = partly_labeled(tmp_path, 20)
    suggested = cs.suggest(table, n=5, device="cpu")
    header, *rows = table.read_text(encoding="utf-8").splitlines()
    swapped = {"round": "flat", "flat": "round", "": ""}
    changed = [
        f"{path},{swapped[label]}" if path in suggested.reserved_test else f"{path},{label}"
        for path, label in (row.split(",") for row in rows)
    ]
    assert changed != rows
    table.write_text("\n".join([header, *changed]), encoding="utf-8")
    assert cs.suggest(table, n=5, device="cpu") == suggested


@pytest.mark.slow
def test_the_command_with_a_run(trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_cells(tmp_path / "new", n=10)
    assert main(["suggest", str(tmp_path / "new" / "*" / "*"), "--run", str(trained.folder), "-n", "3", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert [each["rank"] for each in printed["suggestions"]] == [1, 2, 3]
    assert all(0 <= each["score"] <= 1 for each in printed["suggestions"])
    assert printed["reserved_test"]


def test_refusals(tmp_path: Path) -> None:
    save_cells(tmp_path / "cells", n=3)
    with refusing(BadDataset, "no-image-to-suggest"):
        cs.suggest(tmp_path / "cells", device="cpu")
    with refusing(CoverslipError, "no-number-of-suggestions", n=0):
        cs.suggest(tmp_path / "cells", n=0)
    (tmp_path / "own.csv").write_text("mine\n", encoding="utf-8")
    with refusing(CoverslipError, "other-file-in-place"):
        cs.suggest(tmp_path / "cells", out=tmp_path / "own.csv")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_no_image_of_a_cross_validated_run_is_reserved(tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells", n=9)
    recipe = cs.Recipe(
        model=SMALL_NETWORK, stage="instant", image_size=32, tta=1, augment="none", split=SplitPlan(folds=3)
    )
    run = train_without_report(cs.open_dataset(cells), recipe, out=tmp_path / "run", emit=lambda event: None)
    assert run.is_cross_validated
    data = cs.open_dataset(cells)
    assert reserved(data).any()
    assert not reserved(data, run).any()  # the classifier was trained on all of them


def test_labeled_images_never_enter_a_test_set_that_was_reserved_before(tmp_path: Path) -> None:
    rows = [(f"{k}.png", "cell" if k < 6 else "", f"slide{k // 3}") for k in range(12)]
    for name, _, _ in rows:
        save_cell(tmp_path / name)
    (tmp_path / "images.csv").write_text("path,label,group\n" + "".join(",".join(row) + "\n" for row in rows))
    data = cs.open_dataset(tmp_path / "images.csv")
    drawn = np.ones(12, bool)  # after new names, for example
    ids = [record.image_id for record in data.records]
    assert still_reserved(data, drawn, ()).tolist() == [*[False] * 6, *[True] * 6]
    later = still_reserved(data, drawn, {ids[0], ids[11]})
    # The first image stays; others with a label, and images of their groups, do not join it.
    assert later.tolist() == [True, *[False] * 5, *[True] * 6]
