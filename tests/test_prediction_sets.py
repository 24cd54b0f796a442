"""Sets of classes that hold the true one as often as promised."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import coverslip as cs
from coverslip.evaluation.decisions import SET_LEVEL, images_needed, set_coverage, set_floors
from coverslip.messages import text
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.results import PREDICTION_SETS
from coverslip.runs.classifier import write_card
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Predictions, read_predictions


def probabilities(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) of images of three classes, the last one rare and hard, and their labels."""
    label = np.concatenate([np.repeat(np.arange(3), 20), rng.choice(3, n - 60, p=(0.6, 0.3, 0.1))])
    logits = rng.normal(size=(n, 3)) + np.array([3, 2, 1])[label][:, None] * np.eye(3)[label]
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), label


def test_floors_follow_the_definition() -> None:
    rng = np.random.default_rng(0)
    probability, label = probabilities(200, rng)
    floors = set_floors(probability, label)
    assert floors is not None
    for k, floor in enumerate(floors):
        scores = np.sort(1 - probability[label == k, k])
        n = len(scores)
        assert 1 - floor == pytest.approx(scores[int(np.ceil((n + 1) * SET_LEVEL)) - 1])


def test_floors_are_those_of_mapie() -> None:
    """By MAPIE 1.6.0: `SplitConformalClassifier(…, confidence_level=0.9, conformity_score="lac", prefit=True)`, given
    the images of one class at a time; 1 - its quantile, and how many of 600 new images have the class in their sets.
    """
    probability, label = probabilities(200, np.random.default_rng(2))
    new, _ = probabilities(600, np.random.default_rng(3))
    floors = set_floors(probability, label)
    assert floors == pytest.approx((0.672545552423806, 0.20601107679229155, 0.15874995277727177))
    assert (new >= np.array(floors)).sum(axis=0).tolist() == [309, 245, 165]


def test_each_class_is_covered_as_promised_however_hard_it_is() -> None:
    rng = np.random.default_rng(1)
    covered, over = np.zeros(3), np.zeros(3)
    for _ in range(200):
        probability, label = probabilities(300, rng)
        floors = set_floors(probability, label)
        assert floors is not None
        new, truth = probabilities(600, rng)
        is_in = new >= np.array(floors)
        covered += [is_in[truth == k, k].mean() / 200 for k in range(3)]
        over += [1 / (np.bincount(label)[k] + 1) / 200 for k in range(3)]
    assert (covered >= SET_LEVEL - 0.01).all()
    assert (covered <= SET_LEVEL + over + 0.01).all()


def test_a_class_of_too_few_images_is_in_every_set_and_leaves_the_others_as_they_are() -> None:
    assert images_needed() == 9
    probability, label = probabilities(200, np.random.default_rng(0))
    rows = np.concatenate([np.flatnonzero(label != 2), np.flatnonzero(label == 2)[:8]])
    floors, all_known = set_floors(probability[rows], label[rows]), set_floors(probability, label)
    assert floors is not None
    assert all_known is not None
    assert floors == (*all_known[:2], 0)


def test_without_enough_images_of_any_class_there_are_no_sets() -> None:
    probability, label = probabilities(200, np.random.default_rng(0))
    rows = np.concatenate([np.flatnonzero(label == k)[:8] for k in range(3)])
    assert set_floors(probability[rows], label[rows]) is None


def test_coverage_is_counted() -> None:
    is_in_set = np.array([[True, False], [True, True], [False, False], [False, True]])
    coverage = set_coverage(is_in_set, np.array([0, 1, 1, 0]))
    assert (coverage.n, coverage.n_covered, coverage.n_single, coverage.mean_size) == (4, 2, 2, 1.0)


@pytest.mark.slow
def test_predictions_have_sets_that_tables_keep_and_that_stated_proportions_only_add_to(
    own_run: Run, cells: Path, tmp_path: Path
) -> None:
    card = own_run.card
    assert card is not None
    assert card.set_floors is None, "the fixture's validation part has fewer than nine images of a class"
    for floors in ((0.2, 0.3, 0.4), (0.999, 0.999, 0.2)):
        write_card(own_run.classifier_folder, card.model_copy(update={"set_floors": floors}))
        classifier = cs.load_classifier(own_run.folder)
        rows = classifier.predict(cells)
        for row in rows:
            with_floors = zip(classifier.classes, row.probabilities, floors, strict=True)
            assert row.prediction_set == tuple(
                name for name, p, floor in with_floors if p >= floor or p == max(row.probabilities)
            )
    rarer = classifier.at_prevalence({classifier.classes[0]: 0.01}).predict(cells)
    for row, usual in zip(rarer, rows, strict=True):
        assert set(row.prediction_set) == {*usual.prediction_set, row.predicted}
    rows.write_csv(tmp_path / "p.csv")
    assert read_predictions(tmp_path / "p.csv")["prediction_set"] == rows["prediction_set"]


def test_reports_name_classes_that_are_in_every_set_and_say_what_groups_do_to_the_promise(own_run: Run) -> None:
    card = own_run.card
    assert card is not None
    assert "There are no prediction sets" in PREDICTION_SETS.blocks(ReportedRun(own_run))[0].words[0]
    write_card(own_run.classifier_folder, card.model_copy(update={"set_floors": (0.2, 0.3, 0.0)}))
    (of_final,) = PREDICTION_SETS.blocks(ReportedRun(Run(own_run.folder)))  # as if folds had too few images for sets
    assert of_final.words[0] == text(
        "report-sets-of-final-classifier", has_folds=False, target=f"{SET_LEVEL:.0%}", n_needed=images_needed()
    )
    assert of_final.words[-1].endswith(f": {card.classes[2]}.")
    assert (len(of_final.words), list(of_final.rows)) == (3, [])
    rows = [replace(row, prediction_set=(card.classes[2],)) for row in own_run.predictions]
    Predictions(rows, card.classes).write_csv(own_run.predictions_file)
    (section,) = PREDICTION_SETS.blocks(ReportedRun(Run(own_run.folder)))
    (always,) = [words for words in section.words if words.startswith("These classes have fewer")]
    assert always.endswith(f": {card.classes[2]}.")
    assert any("further images of the same groups" in words for words in section.words)
    large = text("report-large-sets", mean_size="3.0", n_classes=3)
    assert large not in section.words
    whole = [replace(row, prediction_set=card.classes) for row in own_run.predictions]
    Predictions(whole, card.classes).write_csv(own_run.predictions_file)
    (section,) = PREDICTION_SETS.blocks(ReportedRun(Run(own_run.folder)))
    assert large in section.words
