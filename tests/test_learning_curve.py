"""The gain of twice as many images: known answers, images that are not used, and when there is no estimate."""

import csv
from pathlib import Path

import numpy as np
import pytest
from drawing import write_cells
from hypothesis import given, settings
from hypothesis import strategies as st
from trained import INSTANT

import coverslip as cs
from coverslip.audit.learning_curve import (
    FEWEST_GROUPS,
    gram_matrix,
    gram_matrix_with_variation,
    learning_curve,
    nested_order,
    probe_logits,
)
from coverslip.evaluation.learning import CurvePoint, LearningCurve, extrapolate, no_learning_curve
from coverslip.evaluation.results import Metric
from coverslip.messages import message
from coverslip.reports.figures import draw
from coverslip.reports.reported import read_run
from coverslip.reports.sections import sections_of
from coverslip.reports.sections.curves import doubling, over_folds
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe
from coverslip.runs.results import LearningCurveRecord
from coverslip.training.linear_probe import fit_linear_probe

SIZES = (100, 200, 400, 800)


def predictions(errors: tuple[float, ...], n: int = 1600) -> tuple[np.ndarray, np.ndarray]:
    """(1, n_sizes, n) predictions of two classes with these shares of errors, as many in each class; labels."""
    label = np.arange(n) % 2
    predicted = np.tile(label, (1, len(errors), 1))
    for size, error in enumerate(errors):
        wrong = np.random.default_rng(0).permutation(n // 2)[: round(error * n / 2)]
        predicted[0, size, 2 * wrong] = 1
        predicted[0, size, 2 * wrong + 1] = 0
    return predicted, label


def drawn(errors: tuple[float, ...], n_units: int = 1600, n_images_of_fold: int | None = None) -> LearningCurve:
    predicted, label = predictions(errors)
    unit = np.arange(len(label)) * n_units // len(label)
    return extrapolate(predicted, label, unit, SIZES, n_images=800, n_groups=n_units, n_images_of_fold=n_images_of_fold)


def test_errors_that_halve_with_every_doubling_halve_once_more() -> None:
    curve = drawn((0.4, 0.2, 0.1, 0.05))
    assert curve.now == pytest.approx(0.95)
    assert curve.gain.value == pytest.approx(0.025)
    assert [point.macro_f1.value for point in curve.points] == pytest.approx([0.6, 0.8, 0.9, 0.95])


@pytest.mark.parametrize(("n_of_fold", "gain"), [(400, 0.05), (640, 0.0125)])
def test_the_classifier_of_all_images_gains_what_the_line_says_over_those_of_folds(n_of_fold: int, gain: float) -> None:
    """Errors of 40 / n: those of 400 images are twice as many as those of 800, those of 640 a quarter more."""
    curve = drawn((0.4, 0.2, 0.1, 0.05), n_images_of_fold=n_of_fold)
    assert curve.over_folds is not None
    assert (curve.n_images_of_fold, curve.over_folds.value) == (n_of_fold, pytest.approx(gain))
    assert curve.over_folds.low is not None
    assert curve.over_folds.low < gain
    for n in (None, 800):  # without folds, and with as many images in each
        assert drawn((0.4, 0.2, 0.1, 0.05), n_images_of_fold=n).over_folds is None


def test_a_flat_curve_stays_flat_and_a_rising_one_brings_nothing() -> None:
    assert drawn((0.2, 0.2, 0.2, 0.2)).gain.value == pytest.approx(0)
    assert drawn((0.1, 0.12, 0.14, 0.16)).gain.value == pytest.approx(0)


def test_without_any_error_nothing_is_left_to_gain() -> None:
    gain = drawn((0.1, 0.05, 0.0, 0.0)).gain
    assert gain.value == pytest.approx(0, abs=0.001)


def test_the_interval_allows_for_few_groups_and_for_drawing_far() -> None:
    errors = (0.4, 0.3, 0.225, 0.17)
    many, few = drawn(errors).gain, drawn(errors, n_units=20).gain
    predicted, label = predictions(errors)
    far = extrapolate(predicted, label, np.arange(len(label)), SIZES, n_images=8000, n_groups=None).gain
    assert many.value == few.value
    assert many.low < many.value < many.high
    assert few.high - few.low > many.high - many.low
    assert (far.high - far.low) / far.value > (many.high - many.low) / many.value


@pytest.mark.parametrize("balanced", [True, False])
@pytest.mark.parametrize("n_rows", [0, 7, 200])  # of variation among copies
@pytest.mark.parametrize("n", [60, 150])  # fewer images than features, and more
def test_by_products_it_is_the_same_linear_probe(n: int, n_rows: int, balanced: bool) -> None:
    rng = np.random.default_rng(1)
    label = np.concatenate([np.arange(4), rng.integers(0, 4, n - 4)])
    features = (rng.normal(size=(4, 90))[label] + rng.normal(size=(n, 90)) * rng.uniform(0.3, 3, 90)).astype(np.float32)
    variation = rng.normal(size=(n_rows, 90)).astype(np.float32) if n_rows else None
    head = fit_linear_probe(
        features,
        label,
        features[:0],
        label[:0],
        n_classes=4,
        balanced=balanced,
        better=lambda logits, label: 0.0,
        shrinkages=[0.3],
        variation=variation,
    )
    gram, shrinkage = gram_matrix(features), 0.3
    if variation is not None:
        gram = gram_matrix_with_variation(features, label, variation, shrinkage=0.3, balanced=balanced)
        shrinkage = None
    logits = probe_logits(gram, gram, label, n_classes=4, n_features=90, shrinkage=shrinkage, balanced=balanced)
    expected = head.logits(features)
    centerd = [values - values.mean(axis=1, keepdims=True) for values in (logits, expected)]
    np.testing.assert_allclose(*centerd, atol=2e-3 * np.abs(expected).max())


def test_a_class_that_was_not_trained_on_is_never_predicted() -> None:
    rng = np.random.default_rng(0)
    label = np.array([0, 2] * 20)
    gram = gram_matrix((rng.normal(size=(3, 8))[label] + rng.normal(size=(40, 8))).astype(np.float32))
    logits = probe_logits(gram, gram, label, n_classes=3, n_features=8, shrinkage=1.0, balanced=False)
    assert set(logits.argmax(axis=1).tolist()) == {0, 2}
    assert np.isneginf(logits[:, 1]).all()


@settings(max_examples=30, deadline=None)
@given(n_units=st.integers(20, 60), share=st.floats(0.2, 0.8), seed=st.integers(0, 99))
def test_parts_are_nested_keep_units_whole_and_hold_every_class_alike(n_units: int, share: float, seed: int) -> None:
    unit = np.repeat(np.arange(n_units), 3)
    label = np.repeat(np.arange(n_units) % 2, 3)
    key = nested_order(label, unit, np.random.default_rng(seed))
    assert all(len(set(key[unit == u])) == 1 for u in range(n_units))
    for k in (0, 1):
        of_class = label == k
        n_units_of_class = of_class.sum() / 3
        assert abs((key[of_class] < share).mean() - share) <= 1.01 / n_units_of_class


def clouds(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping clouds in 60 dimensions, always the same ones."""
    rng, label = np.random.default_rng(seed), np.arange(n) % 3
    centers = np.random.default_rng(99).normal(size=(3, 60)) * 0.35
    return (centers[label] + rng.normal(size=(n, 60))).astype(np.float32), label


def curve_of(n: int, **changes: object) -> LearningCurve:
    features, label = clouds(n, 0)
    choices = {"n_images": n, "n_groups": None, "has_name": None, "shrinkage": 1.0, "balanced": False, **changes}
    return learning_curve(features, label, np.arange(n), **choices)


def test_what_twice_as_many_images_bring_lies_in_the_interval() -> None:
    curve, (others, truth) = curve_of(300), clouds(3000, 7)
    rights = []
    for n in (300, 600):
        features, label = clouds(n, 0)
        head = fit_linear_probe(
            features,
            label,
            features[:0],
            label[:0],
            n_classes=3,
            balanced=False,
            better=lambda logits, label: 0.0,
            shrinkages=[1.0],
        )
        rights.append((head.logits(others).argmax(axis=1) == truth).mean())
    assert curve.gain.low < rights[1] - rights[0] < curve.gain.high
    assert [point.n_images for point in curve.points] == [30, 60, 120, 240]


def test_the_same_seed_gives_the_same_curve() -> None:
    assert curve_of(150) == curve_of(150)
    assert curve_of(150) != curve_of(150, seed=1)


def test_of_too_few_groups_or_images_nothing_is_said() -> None:
    features, label = clouds(300, 0)
    unit = np.arange(300) % (FEWEST_GROUPS - 1)
    has_name = np.ones(300, dtype=bool)
    grouped = learning_curve(
        features, label, unit, n_images=200, n_groups=15, has_name=has_name, shrinkage=1.0, balanced=False
    )
    assert grouped.gain.value is None
    assert grouped.gain.reason == message(
        "learning-curve-few-groups", n_groups=FEWEST_GROUPS - 1, n_needed=FEWEST_GROUPS
    )
    assert curve_of(24).points == ()
    assert curve_of(24).gain.reason == message("learning-curve-few-images", n_images=24, n_classes=3, n_needed=10)


def curve(gain: float, low: float, high: float) -> LearningCurve:
    points = tuple(
        CurvePoint(n_images=n, macro_f1=Metric(value=value, low=value - 0.02, high=value + 0.02))
        for n, value in ((50, 0.7), (100, 0.8), (200, 0.85), (400, 0.9))
    )
    return LearningCurve(
        n_images=400, n_groups=None, points=points, now=0.9, gain=Metric(value=gain, low=low, high=high)
    )


def test_it_is_said_in_plain_words() -> None:
    assert doubling(curve(0.021, 0.011, 0.031)) == (
        "Twice as many images like these for training and validation (800 instead of 400) would change the result by "
        "about +0.021 macro-F1 (95%\N{NO-BREAK SPACE}CI +0.011 to +0.031)."
    )
    assert doubling(curve(0.02, -0.01, 0.05)).endswith("This is not statistically significant.")
    assert "curve is flat" in doubling(curve(0.002, 0.0, 0.004))
    few = message("learning-curve-few-groups", n_groups=4, n_needed=5)
    assert doubling(no_learning_curve(9, None, few)).endswith(f"cannot be estimated: {few}.")


def test_the_report_shows_it(own_run: Run, tmp_path: Path) -> None:
    LearningCurveRecord(curve=curve(0.021, 0.011, 0.031)).write(own_run.learning_curve_file)
    section = {section.name: section for section in sections_of(read_run(own_run.folder))}["learning_curve"]
    (block,) = section.blocks(read_run(own_run.folder))
    words = " ".join(block.words)
    assert "would change the result by about +0.021 macro-F1" in words
    assert "more images of the same slides bring less" in words
    (drawing,) = block.drawings
    svg = draw(drawing.name, drawing.figure, tmp_path, title=drawing.title)
    assert all(f">{n}<" in svg for n in (50, 400, 800))  # sizes, and twice as many


def test_a_run_with_few_groups_says_so(trained: Run) -> None:
    assert trained.learning_curve is not None
    assert trained.learning_curve.points == ()
    assert "groups" in doubling(trained.learning_curve)


@pytest.mark.slow
@pytest.mark.parametrize(("pattern", "n_points"), [(r"slide[0-4](?=_)", 0), (r"slide\d?[0-8](?=_)", 4)])
@pytest.mark.exhaustive
def test_only_named_groups_count_towards_the_fewest(tmp_path: Path, pattern: str, n_points: int) -> None:
    """5 and 36 of 40 slides have a name; images of other slides have no group."""
    cells = write_cells(tmp_path / "cells", 120, n_slides=40)
    run = cs.train(cs.open_dataset(cells, group_pattern=pattern), INSTANT, out=tmp_path / "run")
    assert run.learning_curve is not None
    assert len(run.learning_curve.points) == n_points


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_training_draws_it_and_test_images_have_no_part_in_it(cells: Path, tmp_path: Path) -> None:
    """Two trainings on the same images, with other test images: the same bytes."""
    records = cs.open_dataset(cells).records
    written = []
    for name, for_test in (("all", (0, 1)), ("fewer", (1,))):
        table = tmp_path / f"{name}.csv"
        with table.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("path", "label", "split"))
            for i, record in enumerate(records):
                part = "train" if i % 6 > 2 else "val" if i % 6 == 2 else "test"
                if part != "test" or i % 6 in for_test:
                    rows.writerow((record.path, record.label, part))
        run = cs.train(cs.open_dataset(table), INSTANT, out=tmp_path / name)
        assert run.learning_curve is not None
        assert len(run.learning_curve.points) == 4
        written.append(run.learning_curve_file.read_bytes())
    assert written[0] == written[1]


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize(("most", "n_all", "n_of_fold"), [(None, 90, 60), (10, 30, 30)])
def test_with_folds_the_curve_says_what_the_final_classifier_gains(
    tmp_path: Path, most: int | None, n_all: int, n_of_fold: int
) -> None:
    cells = write_cells(tmp_path / "cells", n=90)
    plan = INSTANT.split.model_copy(update={"folds": 3, "train_per_class": most})
    run = cs.train(
        cs.open_dataset(cells),
        INSTANT.model_copy(update={"split": plan, "augment": Recipe().augment}),
        out=tmp_path / "run",
    )
    curve = run.learning_curve
    assert curve is not None
    assert (curve.n_images, curve.n_images_of_fold) == (n_all, n_of_fold)
    section = next(section for section in sections_of(read_run(run.folder)) if section.name == "learning_curve")
    words = next(iter(section.blocks(read_run(run.folder)))).words
    assert (curve.over_folds is not None) == (n_of_fold < n_all)
    assert bool(over_folds(curve)) == (n_of_fold < n_all)
    assert not over_folds(curve) or over_folds(curve) in words


def test_products_with_variation_take_a_class_that_the_sample_lacks() -> None:
    rng = np.random.default_rng(0)
    features, variation = rng.normal(size=(30, 8)).astype(np.float32), rng.normal(size=(5, 8)).astype(np.float32)
    label = np.arange(30) % 3
    lacking, whole = (
        gram_matrix_with_variation(features, labels, variation, shrinkage=1.0, balanced=True)
        for labels in (np.array([0, 1, 3])[label], label)
    )
    np.testing.assert_array_equal(lacking, whole)
