"""Temperature, calibration error and the threshold for `uncertain`."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm

from coverslip.evaluation.calibration import (
    COLDEST,
    HOTTEST,
    apply_temperature,
    calibrated_temperature,
    design_effect_in_bins,
    expected_calibration_error,
    fit_temperature,
    matching_temperature,
    merged_bins,
    reliability_bins,
    temperature_loss,
)
from coverslip.evaluation.decisions import uncertain_threshold
from coverslip.evaluation.table import metric_intervals, score


def network(n: int, n_classes: int, true_temperature: float, seed: int):
    """Logits that are `true_temperature` times too large, and labels drawn from the right probabilities."""
    generator = np.random.default_rng(seed)
    right = generator.normal(size=(n, n_classes)) * 2
    probability = apply_temperature(right, 1.0)
    label = (probability.cumsum(axis=1) < generator.random((n, 1))).sum(axis=1)
    return right * true_temperature, np.minimum(label, n_classes - 1)


@pytest.mark.parametrize("true_temperature", [0.3, 1.0, 4.0])
def test_the_temperature_that_spoilt_the_logits_is_found(true_temperature):
    logits, label = network(4000, 5, true_temperature, 0)
    fitted = fit_temperature(logits, label)
    assert fitted == pytest.approx(true_temperature, rel=0.07)
    before, after = (expected_calibration_error(apply_temperature(logits, t), label) for t in (1.0, fitted))
    assert after < 0.02 or after < before


@pytest.mark.slow
@given(st.integers(1, 60), st.integers(2, 5), st.floats(0.1, 8), st.integers(0, 999))
def test_no_temperature_of_a_fine_grid_is_better(n, n_classes, spoilt, seed):
    logits, label = network(n, n_classes, spoilt, seed)
    fitted = fit_temperature(logits, label)
    grid = min(temperature_loss(logits, label, t) for t in np.geomspace(0.01, 100, 801))
    assert temperature_loss(logits, label, fitted) <= grid + 1e-7


@pytest.mark.slow
def test_with_many_images_it_is_the_maximum_of_the_plain_likelihood():
    logits, label = network(3000, 4, 2.0, 1)
    grid = np.geomspace(1, 4, 300)
    losses = [score(apply_temperature(logits, t), label, names=["log_loss"])["log_loss"] for t in grid]
    assert fit_temperature(logits, label) == pytest.approx(grid[int(np.argmin(losses))], rel=0.01)


def test_a_network_without_an_error_is_not_made_certain():
    label = np.arange(50) % 3
    probability = apply_temperature(np.eye(3)[label] * 5.0, fit_temperature(np.eye(3)[label] * 5.0, label))
    assert 0.95 < probability.max() < 0.999


@pytest.mark.parametrize(
    ("logits", "label"),
    [
        (np.zeros((0, 3)), np.zeros(0, int)),
        (np.zeros((4, 3)), np.zeros(4, int)),
        (np.ones((4, 1)), np.zeros(4, int)),
    ],
)
def test_where_nothing_can_be_learnt_the_temperature_is_one(logits, label):
    assert fit_temperature(logits, label) == 1.0


@pytest.mark.parametrize("logits", [[[3.0, 0.0]], [[0.0, 3.0]], [[1e4, -1e4]]])
def test_one_image_gives_a_finite_temperature(logits):
    fitted = fit_temperature(np.array(logits), np.array([0]))
    assert COLDEST <= fitted <= HOTTEST
    assert np.isfinite(apply_temperature(np.array(logits), fitted)).all()


def test_temperature_never_changes_a_prediction():
    logits, _ = network(200, 4, 1.0, 3)
    for temperature in (0.05, 1.0, 30.0):
        probability = apply_temperature(logits, temperature)
        assert (probability.argmax(axis=1) == logits.argmax(axis=1)).all()
        assert probability.sum(axis=1) == pytest.approx(1)


def test_calibration_error_worked_out_by_hand():
    probability = np.array([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    label = np.array([0, 1, 1, 0])
    # .9: two images, one right, gap .4; .7 and .6: right, gaps .3 and .4
    assert expected_calibration_error(probability, label) == pytest.approx((2 * 0.4 + 0.3 + 0.4) / 4)


def test_reliability_bins_add_up_to_the_calibration_error():
    logits, label = network(500, 3, 3.0, 4)
    probability = apply_temperature(logits, 1.0)
    bins = reliability_bins(probability, label)
    gap = sum(b.n * abs(b.confidence - b.accuracy) for b in bins if b.confidence is not None and b.accuracy is not None)
    assert sum(b.n for b in bins) == 500
    assert gap / 500 == pytest.approx(expected_calibration_error(probability, label))
    assert [b.low for b in bins][1:] == [b.high for b in bins][:-1]


@given(st.integers(0, 200), st.integers(0, 999))
def test_bins_with_few_images_are_drawn_with_their_neighbors(n, seed):
    logits, label = network(n, 3, 3.0, seed)
    probability = apply_temperature(logits, 1.0)
    merged = merged_bins(reliability_bins(probability, label), 10)
    assert sum(b.n for b in merged) == n
    assert len(merged) >= min(1, n)
    assert all(b.n >= min(10, n) for b in merged)
    assert [b.low for b in merged][1:] == [b.high for b in merged][:-1]
    assert sum(b.n * b.accuracy for b in merged) == pytest.approx((probability.argmax(axis=1) == label).sum())
    assert sum(b.n * b.confidence for b in merged) == pytest.approx(probability.max(axis=1).sum())


@given(st.integers(1, 80), st.integers(2, 4), st.floats(0.2, 4), st.integers(0, 999))
def test_marking_images_uncertain_never_raises_the_error_nor_takes_more_than_one_in_five(n, n_classes, spoilt, seed):
    logits, label = network(n, n_classes, spoilt, seed)
    probability = apply_temperature(logits, 1.0)
    threshold = uncertain_threshold(probability, label)
    is_kept = probability.max(axis=1) >= threshold
    is_wrong = probability.argmax(axis=1) != label
    assert 0 <= threshold <= 1
    assert is_kept.sum() >= 0.8 * n
    assert is_wrong[is_kept].mean() <= is_wrong.mean()
    if not is_wrong.any():
        assert threshold == 0


@given(st.integers(5, 60), st.integers(0, 999))
def test_no_smaller_threshold_halves_the_error(n, seed):
    logits, label = network(n, 3, 1.0, seed)
    probability = apply_temperature(logits, 1.0)
    confidence, is_wrong = probability.max(axis=1), probability.argmax(axis=1) != label
    threshold = uncertain_threshold(probability, label)
    if is_wrong[confidence >= threshold].mean() <= is_wrong.mean() / 2:
        for lower in confidence[confidence < threshold]:
            assert is_wrong[confidence >= lower].mean() > is_wrong.mean() / 2 or not is_wrong.any()


def test_the_threshold_of_a_clear_case():
    probability = np.array([[0.95, 0.05]] * 8 + [[0.6, 0.4], [0.55, 0.45]])
    label = np.array([0] * 8 + [1, 0])  # 1 of 10 wrong: setting one aside cannot halve that unless it is the wrong one
    assert uncertain_threshold(probability, label) == pytest.approx((0.6 + 0.95) / 2)
    label = np.array([0] * 8 + [0, 1])
    assert uncertain_threshold(probability, label) == pytest.approx((0.55 + 0.6) / 2)
    assert uncertain_threshold(np.zeros((0, 2)), np.zeros(0, int)) == 0.0


def test_a_head_that_is_sure_without_knowing_is_made_to_say_so() -> None:
    """As a linear head of 120 images and 1,280 features, hardly shrunk: logits of thousands, most of them wrong."""
    draws = np.random.default_rng(0)
    logits, label = 1000 * draws.normal(size=(140, 24)), draws.integers(0, 24, 140)
    temperature = fit_temperature(logits, label)
    assert temperature > 1000
    guessing = np.log(24)
    assert -np.log(apply_temperature(logits, temperature)[np.arange(140), label]).mean() < guessing + 0.05


def simulated_sets(temperature, n, n_groups=None, repeats=150):
    """Yield the error above chance of simulated test sets, as `benchmarks/calibration.py`."""
    rng = np.random.default_rng(0)
    for _ in range(repeats):
        confidence, noise = 0.5 + 0.5 * rng.beta(4, 1.2, n), rng.normal(size=n)
        group = None if n_groups is None else rng.integers(0, n_groups, n)
        if group is not None:
            noise = 0.3**0.5 * rng.normal(size=n_groups)[group] + 0.7**0.5 * noise
        label = (norm.cdf(noise) >= expit(logit(np.minimum(confidence, 1 - 1e-9)) / temperature)).astype(int)
        probability = np.column_stack([confidence, 1 - confidence])
        yield metric_intervals(probability, label, group, metrics=["ece_excess"])


@pytest.mark.parametrize("n_groups", [None, 20])
def test_perfect_probabilities_have_no_calibration_error_above_chance(n_groups):
    sets = list(simulated_sets(1.0, 200, n_groups))
    assert abs(np.mean([each["ece_excess"].value for each in sets])) < 0.01
    assert np.mean([each["ece_excess"].low <= 0 <= each["ece_excess"].high for each in sets]) >= 0.94


@pytest.mark.parametrize(("temperature", "true"), [(1.3, 0.047), (2.0, 0.129)])
def test_the_calibration_error_above_chance_is_near_the_true_error(temperature, true):
    sets = [each["ece_excess"] for each in simulated_sets(temperature, 200)]
    assert np.mean([each.value for each in sets]) == pytest.approx(true, abs=0.01)
    assert np.mean([each.low <= true <= each.high for each in sets]) >= 0.92


def test_groups_of_one_image_have_no_design_effect():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet([3, 1, 1], 300)
    label = rng.integers(0, 3, 300)
    assert design_effect_in_bins(probability, label, np.arange(300)) == pytest.approx(1)
    assert design_effect_in_bins(probability, label, np.arange(300) // 10) < 1.2
    repeated = [np.repeat(each, 10, axis=0) for each in (probability, label, np.arange(300))]
    assert design_effect_in_bins(*repeated) == pytest.approx(10, rel=0.1)


@pytest.mark.parametrize("group", [None, np.arange(60) // 6])
def test_without_errors_the_gap_of_probabilities_is_as_uncertain_as_accuracy(group):
    label = np.arange(60) % 2
    top = np.where(np.arange(60) % 3, 0.97, 0.93)
    probability = np.where(np.eye(2, dtype=bool)[label], top[:, None], 1 - top[:, None])
    measured = metric_intervals(probability, label, group, metrics=("confidence_gap", "accuracy"))
    gap, accuracy = measured["confidence_gap"], measured["accuracy"]
    assert gap.value == pytest.approx(top.mean() - 1)
    assert gap.high >= top.mean() - accuracy.low - 1e-12 > 0  # with 60 of 60 right, accuracy may be below .96


def test_few_groups_have_a_calibration_error_without_interval():
    rng = np.random.default_rng(0)
    metrics = metric_intervals(rng.dirichlet([3, 1], 90), rng.integers(0, 2, 90), np.arange(90) % 3)
    assert metrics["ece_excess"].value is not None
    assert metrics["ece_excess"].low is None
    assert metrics["ece_excess"].reason == metrics["brier"].reason


@given(st.integers(5, 200), st.integers(2, 6), st.integers(0, 9999), st.sampled_from([1.0, 40.0]))
def test_at_the_matching_temperature_the_mean_probability_is_the_accuracy(n, n_classes, seed, scale):
    rng = np.random.default_rng(seed)
    logits, label = rng.normal(size=(n, n_classes)) * scale, rng.integers(0, n_classes, n)
    label = np.where(rng.random(n) < 0.7, logits.argmax(axis=1), label)
    accuracy = (np.sum(logits.argmax(axis=1) == label) + 0.5) / (n + 1)
    temperature = matching_temperature(logits, label)
    assume(0.01 < temperature < 1_000)
    assert apply_temperature(logits, temperature).max(axis=1).mean() == pytest.approx(accuracy, abs=1e-4)
    assert matching_temperature(3 * logits, label) == pytest.approx(3 * temperature, rel=1e-3)


def test_without_information_the_matching_temperature_is_one():
    assert matching_temperature(np.zeros((0, 3)), np.zeros(0, int)) == 1.0
    assert matching_temperature(np.zeros((4, 3)), np.zeros(4, int)) == 1.0
    perfect = matching_temperature(np.eye(3) * 100.0, np.arange(3))
    assert apply_temperature(np.eye(3) * 100.0, perfect).max() == pytest.approx(3.5 / 4, abs=1e-3)


def test_mean_probabilities_of_other_images_are_nearer_to_the_accuracy_than_by_the_likelihood():
    """Known answer: logits of most images fit, and those of a few are too large."""
    differences = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        logits, label = network(2200, 4, 1.5, seed)
        logits[rng.random(2200) < 0.05] *= 4
        fitted, others = slice(0, 150), slice(150, None)
        is_correct = logits[others].argmax(axis=1) == label[others]
        differences.append(
            [
                apply_temperature(logits[others], temperature).max(axis=1).mean() - is_correct.mean()
                for temperature in (
                    fit_temperature(logits[fitted], label[fitted]),
                    calibrated_temperature(logits[fitted], label[fitted]),
                )
            ]
        )
    by_likelihood, by_both = np.array(differences).T
    assert abs(by_both.mean()) < 0.6 * abs(by_likelihood.mean())
    assert np.square(by_both).mean() < np.square(by_likelihood).mean()
