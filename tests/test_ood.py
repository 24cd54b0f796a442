"""Images unlike those of training: distances, the threshold, and notes."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from refusing import refusing
from scipy.stats import betabinom

import coverslip as cs
from coverslip.errors import BadClassifier
from coverslip.evaluation.ood import (
    directions_for,
    feature_statistics,
    held_out_distances,
    limit_of,
    more_than_expected,
    n_directions,
)
from coverslip.events import Event, Noted
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.results import UNFAMILIAR
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Predictions


def drawn(n: int, rng: np.random.Generator, n_features: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """(n, n_features) features of three classes, and their labels."""
    label = np.concatenate([np.arange(3), rng.integers(0, 3, n - 3)])
    return rng.normal(size=(n, n_features)) + 4 * np.eye(3, n_features)[label], label


def test_the_distance_is_the_relative_mahalanobis_distance() -> None:
    rng = np.random.default_rng(0)
    features, label = drawn(300, rng)
    directions = directions_for(features, 0, n_directions(*features.shape))
    new = drawn(5, rng)[0]
    place, other = directions(features), directions(new)
    centers = np.stack([place[label == k].mean(axis=0) for k in range(3)])

    def squared(rows: np.ndarray, spread: np.ndarray, n: int) -> np.ndarray:
        covariance = 0.7 * spread.T @ spread / n
        covariance += 0.3 / 0.7 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        return np.einsum("nd,de,ne->n", rows, np.linalg.inv(covariance), rows)

    offset = place - centers[label]
    to_class = np.min([squared(other - center, offset, 297) for center in centers], axis=0)
    whole = place - place.mean(axis=0)
    expected = to_class - 0.9 * squared(other - place.mean(axis=0), whole, 300)
    np.testing.assert_allclose(feature_statistics(directions, features, label).distance(new), expected, rtol=1e-3)


@pytest.mark.parametrize("n_features", [40, 300])  # fewer, and more, than there are directions and images
@pytest.mark.exhaustive
def test_the_limit_lets_its_share_of_images_pass_and_strange_ones_do_not(n_features: int) -> None:
    rng = np.random.default_rng(1)
    shares, foreign, calibrated_on = [], [], []
    for _ in range(20):
        features, label = drawn(200, rng, n_features)
        directions = directions_for(features, 0, n_directions(*features.shape))
        limit = limit_of(held_out_distances(features, label, rng.permutation(200) % 5, seed=0))
        statistics = feature_statistics(directions, features, label)
        shares.append((statistics.distance(drawn(500, rng, n_features)[0]) > limit).mean())
        calibrated_on.append((statistics.distance(features) > limit).mean())
        foreign.append((statistics.distance(3 * rng.normal(size=(100, n_features))) > limit).mean())
    assert 0.002 <= np.mean(shares) <= 0.04
    assert np.mean(calibrated_on) <= 0.04
    assert np.mean(foreign) > 0.95


@pytest.mark.slow
def test_directions_are_found_though_no_fold_could_say_how_many() -> None:
    features, _ = drawn(30, np.random.default_rng(0), n_features=300)
    assert directions_for(features, 0, 1)(features).shape == (30, 257)


def test_the_limit_is_a_conformal_quantile() -> None:
    distance = np.random.default_rng(0).permutation(np.arange(1.0, 100))
    assert limit_of(distance, 0.05) == 95
    assert limit_of(distance[:10], 0.05) == distance[:10].max()


@pytest.mark.parametrize(("n_beyond", "n"), [(0, 10), (3, 10), (40, 50), (60, 2000)])
def test_how_surprising_so_many_are_is_beta_binomial(n_beyond: int, n: int) -> None:
    expected = betabinom.sf(n_beyond - 1, n, 4, 98)
    assert more_than_expected(n_beyond, n, 3, 100) == pytest.approx(expected, abs=1e-9)


def test_foreign_images_are_unfamiliar_and_a_note_says_so(trained: Run, cells: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for i in range(8):
        Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    events: list[Event] = []
    classifier = cs.load_classifier(trained.folder)
    rows = classifier.predict([tmp_path, *sorted(cells.rglob("*.png"))[::3]], emit=events.append)
    assert {row.decision for row in rows[:8]} == {"unfamiliar"}
    assert all((row.ood_score or 0) > 1 and "instrument" in str(row.reason or "") for row in rows[:8])
    assert sum(row.decision == "unfamiliar" for row in rows[8:]) <= 5  # of 30
    notes = [event for event in events if isinstance(event, Noted) and event.code == "unfamiliar-images"]
    assert len(notes) == 1
    assert notes[0].parameters["n_images"] >= 8


def test_a_single_file_and_a_table_keep_what_is_unfamiliar(trained: Run, cells: Path, tmp_path: Path) -> None:
    packed = cs.export(trained.folder, to="zip", out=tmp_path / "c.coverslip")
    images = sorted(cells.rglob("*.png"))[:3]
    rows = cs.load_classifier(packed).predict(images)
    assert list(rows) == list(cs.load_classifier(trained.folder).predict(images))
    rows.write_csv(tmp_path / "p.csv")
    assert cs.runs.predictions.read_predictions(tmp_path / "p.csv")["ood_score"] == pytest.approx(
        rows["ood_score"], abs=1e-6
    )


def test_statistics_that_do_not_fit_the_network_are_refused(own_run: Run, cells: Path) -> None:
    card = json.loads((own_run.classifier_folder / "classifier.json").read_text())
    assert card["ood"]["calibrated_on"] == "held-out training images"
    file = own_run.classifier_folder / "ood.safetensors"
    file.write_bytes((own_run.classifier_folder / "weights.safetensors").read_bytes())
    with refusing(BadClassifier, "classifier-file-damaged"):
        cs.load_classifier(own_run.folder)
    card["sha256"][file.name] = card["sha256"]["weights.safetensors"]  # a file that was made so
    (own_run.classifier_folder / "classifier.json").write_text(json.dumps(card))
    with refusing(BadClassifier, "weights-statistics-mismatch"):
        cs.load_classifier(own_run.folder).predict(sorted(cells.rglob("*.png"))[:1])


def test_the_report_shows_how_many_test_images_are_unfamiliar(trained: Run) -> None:
    assert "Out-of-distribution images" in trained.report_file.read_text()


def test_the_report_names_groups_with_many_unfamiliar_images(own_run: Run) -> None:
    """Three images of one group are; of two other groups one each, which is no sign of an unfamiliar group."""
    group_of = {row.image_id: row.group for row in own_run.split if row.split == "test"}
    rows, card = list(own_run.predictions), own_run.card
    assert card is not None
    groups = sorted(set(group_of.values()))
    n_of = Counter(group_of.values())
    wanted = Counter({groups[0]: 3, **dict.fromkeys(groups[1:3], 1)})
    for i, row in enumerate(rows):
        is_unlike = wanted[group_of[row.image_id]] > 0
        wanted[group_of[row.image_id]] -= is_unlike
        decision = "unfamiliar" if is_unlike else row.label or ""
        rows[i] = replace(row, decision=decision, ood_score=1.5 if is_unlike else 0.1)
    Predictions(rows, card.classes).write_csv(own_run.predictions_file)
    words = " ".join(UNFAMILIAR.blocks(ReportedRun(Run(own_run.folder)))[0].words)
    assert f"In 1 of {len(groups)} groups" in words
    assert f"{groups[0]} (3 of {n_of[groups[0]]})" in words
    assert not any(f"{name} (" in words for name in groups[1:])


def test_single_unfamiliar_images_are_no_warnings_since_some_are_among_any(trained: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(tmp_path / "noise.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    events: list[Event] = []
    summary = cs.predict(trained.folder, tmp_path, out=tmp_path / "p.csv", emit=events.append)
    assert summary.decisions == {"unfamiliar": 1, "unreadable": 1}
    named = [event.text for event in events if isinstance(event, Noted) and event.code == "unreadable-image"]
    assert len(named) == 1
    assert named[0].startswith("broken.png")
