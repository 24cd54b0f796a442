"""Labels to look at again: by probabilities of classifiers that never saw the images."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tables import rows_of
from trained import GROUPS, INSTANT

import coverslip as cs
from coverslip.audit.label_issues import FEWEST_IMAGES, SHRINKAGE, count_suspected_errors, label_issues
from coverslip.cli import main
from coverslip.pipeline import train_without_report
from coverslip.reports.sections.data import label_error_blocks
from coverslip.runs.folder import Run
from coverslip.runs.recipe import SplitPlan
from coverslip.training.heads import CrossFitting

# Probabilities and labels, and what cleanlab 2.9 says of them: `get_self_confidence_for_each_label`, and
# `find_label_issues(filter_by="predicted_neq_given", return_indices_ranked_by="self_confidence")`.
PROBABILITY = np.array(
    [
        *([[0.9, 0.08, 0.02]] * 9 + [[0.15, 0.8, 0.05]]),
        *([[0.1, 0.85, 0.05]] * 8 + [[0.5, 0.45, 0.05], [0.02, 0.01, 0.97]]),
        *([[0.2, 0.1, 0.7]] * 9 + [[0.3, 0.35, 0.35]]),
    ]
)
LABEL = np.repeat(np.arange(3), 10)


def test_scores_and_their_order_are_those_of_cleanlab() -> None:
    issues = label_issues(PROBABILITY, LABEL)
    assert issues.ranked.tolist() == [19, 9, 18]
    np.testing.assert_allclose(1 - issues.score[[9, 18, 19, 29]], [0.15, 0.45, 0.01, 0.35])
    assert issues.suggested[[9, 18, 19]].tolist() == [1, 0, 2]


def test_of_a_class_with_few_images_no_label_is_suspected() -> None:
    label = LABEL.copy()
    label[LABEL == 2] = 0
    label[[9, 0]] = 2  # two images of class 2, nowhere near it
    issues = label_issues(PROBABILITY, label)
    assert (label == 2).sum() < FEWEST_IMAGES
    assert not issues.is_misclassified[[9, 0]].any()
    assert not issues.is_checked[[9, 0]].any()


def test_fewer_labels_are_suspected_than_images_are_misclassified() -> None:
    """Counted off the diagonal of the confident joint; hard images are misclassified without reaching it."""
    rng = np.random.default_rng(0)
    label = np.repeat(np.arange(2), 500)
    sure = np.where(rng.random(1000) < 0.6, 0.97, rng.uniform(0.3, 0.9, 1000))  # the rest is hard: some misclassified
    probability = np.where(label[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None])
    planted = rng.choice(1000, 40, replace=False)
    label[planted] = 1 - label[planted]
    n_suspected = count_suspected_errors(probability, label)
    assert 20 <= n_suspected <= 60
    assert int((probability.argmax(axis=1) != label).sum()) > 2 * n_suspected
    assert count_suspected_errors(np.eye(2)[label], label) == 0


class Rows:
    """Features as the cache gives them."""

    def __init__(self, rows: np.ndarray) -> None:
        self._rows, self.shape = rows, rows.shape

    def __getitem__(self, which: slice) -> np.ndarray:
        return self._rows[which]

    def part(self, which: np.ndarray) -> "Rows":
        return Rows(self._rows[which])


def test_what_is_said_of_an_image_does_not_depend_on_the_labels_of_its_turn() -> None:
    rng = np.random.default_rng(0)
    label, turn = np.arange(60) % 3, np.arange(60) // 12
    features = Rows(rng.normal(size=(60, 8)) + np.eye(3, 8)[label])
    swapped = label.copy()
    swapped[[0, 1]] = swapped[[1, 0]]  # both held out together
    logits, others = (
        CrossFitting(features, labels, turn, n_classes=3, balanced=False).logits(SHRINKAGE)
        for labels in (label, swapped)
    )
    np.testing.assert_allclose(logits[turn == 0], others[turn == 0], atol=0.01)  # the shrinkage is that of all images
    assert not np.allclose(logits[turn == 1], others[turn == 1])


@pytest.fixture(scope="module")
def mislabeled(cells: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """The cells with three of them in the folder of another class, and their ids there."""
    folder = tmp_path_factory.mktemp("mislabeled") / "cells"
    shutil.copytree(cells, folder)
    classes = sorted(place for place in folder.iterdir() if place.is_dir())
    moved = set()
    for here, there in zip(classes, [*classes[1:], classes[0]], strict=True):
        image = sorted(here.iterdir())[4]
        image.rename(there / f"moved_{image.name}")
        moved.add(f"{there.name}/moved_{image.name}")
    return folder, moved


@pytest.mark.slow
@pytest.mark.parametrize("folds", [0, pytest.param(3, marks=pytest.mark.exhaustive)])
def test_moved_images_stand_first_with_and_without_folds(
    mislabeled: tuple[Path, set[str]], folds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, moved = mislabeled
    recipe = INSTANT.model_copy(update={"split": SplitPlan(folds=folds)})
    run = train_without_report(cs.open_dataset(folder, group_pattern=GROUPS), recipe, out=tmp_path / "run")
    capsys.readouterr()
    assert main(["label-errors", str(run.folder), "--out", str(tmp_path / "label_issues.csv"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    rows = rows_of(tmp_path / "label_issues.csv")
    assert list(rows[0]) == ["image_id", "path", "label", "suggested", "score", "set"]
    sets = {"train": "training", "val": "validation", "test": "test"}
    assert [row["set"] for row in rows] == [sets[image["split"]] for image in printed["images"]]
    assert [row["image_id"] for row in rows] == [image["image_id"] for image in printed["images"]]
    n_found = len(moved & {row["image_id"] for row in rows[:10]})
    assert n_found >= (2 if folds else 3)  # folds are trained on less
    stored = Run(run.folder).label_errors
    assert stored is not None
    assert stored.checked_by == ("folds" if folds else "linear probes")
    assert stored.n_checked + stored.n_not_checked == 90
    assert stored.n_suspected < len(stored.images)  # else the next line shows nothing
    first, shown, _ = label_error_blocks(stored)
    assert first.words  # the answer precedes the table
    assert not first.rows
    assert [row[1] for row in shown.rows] == [row["set"] for row in rows[: len(shown.rows)]]
    cs.write_report(run.folder)
    assert str(stored) == repr(stored)
    assert str(stored).startswith(f"{stored.n_suspected} of {stored.n_checked} labels to check first")


def test_no_other_file_is_lost_to_a_slip_in_the_name_of_the_table(
    trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = tmp_path / "cell.png"
    image.write_bytes(b"an image of a patient")
    for file in (image, trained.folder / "metrics.json"):
        before = file.read_bytes()
        assert main(["label-errors", str(trained.folder), "--out", str(file)]) == 1
        assert "another file of that name" in capsys.readouterr().err.replace("\n", " ")
        assert file.read_bytes() == before
