"""Statistics of extreme numbers: no exception, no NaN, and every value in its range."""

import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coverslip.evaluation.calibration import apply_temperature, calibration_line, fit_temperature
from coverslip.evaluation.comparison import as_if_independent, procedure_difference, units_to_show
from coverslip.evaluation.intervals import exact_ends
from coverslip.evaluation.learning import extrapolate
from coverslip.evaluation.ood import more_than_expected
from coverslip.evaluation.prevalence import chance_of_shares, estimated_shares
from coverslip.evaluation.proportions import (
    ErrorRates,
    Votes,
    correlations_within_groups,
    difference_of_means,
    effective_counts,
    raw_shares,
)
from coverslip.evaluation.results import Metric
from coverslip.evaluation.sample_proportions import LabelShift
from coverslip.evaluation.spot_check import CheckedSample, labels_needed, powered_share
from coverslip.evaluation.summary import evaluate_predictions

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

# Around 0 and 1, by less than the rounding of their sums.
SHARES = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, 1e-300, 1e-17, 1e-9, 1 - 1e-16, 1 - 1e-9, 0.1, 0.02]),
    st.floats(0, 1, allow_subnormal=False),
)
SMALL = st.one_of(st.sampled_from([0.0, 1e-300, 1e-12, 1e-9, 0.03, 1.0]), st.floats(0, 10))
COUNTS = st.one_of(st.integers(1, 12), st.sampled_from([100, 10_000, 10**7]))
FEW = st.lists(SHARES, min_size=2, max_size=6)


def check(values: Iterable[float | None], low: float = -math.inf, high: float = math.inf) -> None:
    """Check that values are numbers in their range, or missing."""
    for value in values:
        assert value is None or low <= value <= high


@given(FEW, FEW, st.booleans(), SMALL, SMALL)
@example([0.02, 0.26, 0.05], [0.03, 0.09, 0.08], False, 0.0, 0.03)
@example([0.1, 0.1], [0.1, 0.1 + 1e-6], False, 0.0, 1e-300)
@example([0.0, 0.0], [0.5, 0.50001], False, 0.0, 1e-9)
def test_a_difference_of_means_is_a_number_with_its_interval(
    first: list[float], second: list[float], is_paired: bool, relative: float, absolute: float
) -> None:
    n = min(len(first), len(second))
    first, second = (first[:n], second[:n]) if is_paired else (first, second)
    result = difference_of_means(first, second, is_paired=is_paired, relative_error=relative, absolute_error=absolute)
    check([result.value], -1, 1)
    check([result.p], 0, 1)
    check([result.effect_size])
    if result.low is not None and result.high is not None:
        assert result.low <= result.high
        if not relative:
            assert result.low <= result.value <= result.high
        if result.p is not None and abs(result.p - 0.05) > 1e-6:
            assert (result.low <= 0 <= result.high) == (result.p >= 0.05)


@given(SHARES, st.one_of(st.floats(1e-6, 1e9), st.sampled_from([1e-300, 1e-12, 1.0, 1e15])))
def test_an_interval_of_a_share_contains_it(share: float, n: float) -> None:
    low, high = exact_ends(share, n)
    assert 0 <= low <= share <= high <= 1


VOTES = st.lists(st.tuples(st.lists(SHARES, min_size=2, max_size=2), COUNTS), min_size=1, max_size=8)


def votes_of(rows: list[tuple[list[float], int]]) -> Votes:
    shares = np.array([[each[0], 1 - each[0]] for each, _ in rows])
    n = np.array([float(n) for _, n in rows])
    return Votes(shares * n[:, None], n)


@given(VOTES)
def test_proportions_of_extreme_votes_are_in_range(rows: list[tuple[list[float], int]]) -> None:
    votes = votes_of(rows)
    counts = effective_counts(votes)
    assert 0 < counts.n <= votes.n.sum() * (1 + 1e-9)
    for share, low, high in raw_shares(votes):
        assert -1e-9 <= low <= share + 1e-9 <= high + 2e-9 <= 1 + 1e-8
    for correlation in correlations_within_groups([votes, None]):
        check([] if correlation is None else [correlation.value, *correlation.interval], 0, 1)


@given(VOTES, VOTES, VOTES, st.booleans())
def test_corrected_proportions_of_extreme_votes_are_in_range(
    first: list[tuple[list[float], int]],
    second: list[tuple[list[float], int]],
    new: list[tuple[list[float], int]],
    has_mean_rates: bool,
) -> None:
    rates = ErrorRates([votes_of(first), votes_of(second)])
    if rates.reason is not None:
        return
    corrected = rates.correct(votes_of(new), has_mean_rates=has_mean_rates)
    if corrected.reason is not None:
        return
    for values in (corrected.shares, corrected.low, corrected.high):
        check(map(float, values), -1e-9, 1 + 1e-9)
    error = rates.error_of_difference(np.array([0.5, -0.5]))
    check([error.relative, *error.absolute], 0)


@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=8), st.sampled_from([0.0, 1e-9, 0.25, 1.0, 1e9]), st.floats(0, 1)
)
@example([1e-12, 1e-12, 1.1e-12], 0.25, 0.01)
@example([1.0, 1.0, 1 - 1e-11], 0.0, 0.0)
def test_differences_of_procedures_have_probabilities(
    differences: list[float], test_to_train: float, equivalence: float
) -> None:
    result = procedure_difference(differences, test_to_train=test_to_train, equivalence=equivalence)
    check([result.p, result.p_better, result.p_equal, result.p_worse], 0, 1)
    check([result.low, result.high])
    if result.low is not None and result.high is not None:
        assert result.low <= result.mean <= result.high
    n = units_to_show(result, 10, effect=max(equivalence, 1e-9))
    assert n is None or n >= 0
    if (common := as_if_independent(differences)) is not None:
        check([common.t_p], 0, 1)
        assert common.bootstrap_low <= common.bootstrap_high


LOGITS = st.one_of(st.floats(-1e4, 1e4), st.sampled_from([0.0, 1e6, -1e6, 1e-12, 700.0, 1e30, -1e30]))


@given(st.lists(st.tuples(LOGITS, LOGITS, st.integers(0, 1)), max_size=12))
def test_temperatures_and_calibration_lines_of_extreme_logits(rows: list[tuple[float, float, int]]) -> None:
    logits = np.array([row[:2] for row in rows]).reshape(-1, 2)
    label = np.array([row[2] for row in rows], dtype=int)
    temperature = fit_temperature(logits, label)
    assert 0.0099 <= temperature <= 10_001
    probability = apply_temperature(logits, temperature)
    assert np.isfinite(probability).all()
    if len(rows):
        for line in calibration_line(probability, label):
            assert not math.isinf(line.value)
            assert np.isfinite(line.of_image).all()


@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 200), st.integers(1, 200))
def test_more_than_expected_is_a_probability(n_beyond: int, n: int, reference_beyond: int, n_reference: int) -> None:
    chance = more_than_expected(min(n_beyond, n), n, min(reference_beyond, n_reference), n_reference)
    check([chance], 0, 1)


PRIOR = st.sampled_from([(0.5, 0.5), (1e-9, 1 - 1e-9), (0.999, 0.001)])


@given(st.lists(SHARES, min_size=30, max_size=40), PRIOR)
def test_estimated_shares_of_extreme_probabilities_are_in_range(first: list[float], prior: tuple[float, float]) -> None:
    probability = np.column_stack([first, 1 - np.array(first)])
    check([chance_of_shares(probability, prior)], 0, 1)
    for share in estimated_shares(probability, prior):
        check([share.value, share.low, share.high], 0, 1)
        if share.value is not None and share.low is not None and share.high is not None:
            assert share.low - 1e-9 <= share.value <= share.high + 1e-9


@given(st.lists(st.tuples(st.floats(-1, 1), SMALL), min_size=1, max_size=5))
def test_label_shift_has_a_probability(pairs: list[tuple[float, float]]) -> None:
    shift = LabelShift.of([each for each, _ in pairs], [error for _, error in pairs])
    check([shift.p, shift.detectable], 0, 1)


SAMPLES = st.lists(
    st.lists(st.tuples(SHARES, st.sampled_from([None, 0, 1])), min_size=1, max_size=8), min_size=1, max_size=4
)


@given(SAMPLES)
def test_proportions_of_a_spot_check_are_in_range(samples: list[list[tuple[float, int | None]]]) -> None:
    checked = []
    for images in samples:
        labels = [(k, label) for k, (_, label) in enumerate(images) if label is not None] or [(0, 1)]
        numbers, values = np.array([k for k, _ in labels]), np.array([float(label) for _, label in labels])
        votes = np.array([vote for vote, _ in images])
        checked.append(CheckedSample(votes, numbers, values, np.ones(len(values))))
    result = powered_share(checked)
    assert 0 <= result.low <= result.value <= result.high <= 1
    assert 0 <= result.power <= 1


@given(st.floats(1e-6, 1), SHARES, COUNTS, st.integers(1, 50), st.floats(0, 1), SMALL)
def test_labels_needed_is_a_number_of_images(
    half_width: float, share: float, n_images: int, n_samples: int, correlation: float, between: float
) -> None:
    n = labels_needed(half_width, share, n_images, n_samples, correlation, between)
    assert n is None or 1 <= n <= n_images


@given(st.data(), st.integers(2, 3), st.booleans())
def test_metrics_of_extreme_probabilities_are_in_range(data: st.DataObject, n_classes: int, has_groups: bool) -> None:
    n = data.draw(st.integers(1, 14))
    logits = data.draw(st.lists(st.lists(LOGITS, min_size=n_classes, max_size=n_classes), min_size=n, max_size=n))
    label = np.array(data.draw(st.lists(st.integers(0, n_classes - 1), min_size=n, max_size=n)))
    group = np.array(data.draw(st.lists(st.sampled_from(["", "a", "b", "c", "d"]), min_size=n, max_size=n)), object)
    probability = apply_temperature(np.array(logits), 1.0)
    evaluation = evaluate_predictions(
        probability,
        label,
        [str(k) for k in range(n_classes)],
        split="test",
        primary="macro_f1",
        group=group if has_groups else None,
    )
    metrics: list[Metric] = [*evaluation.metrics.values()]
    metrics += [metric for scores in evaluation.per_class.values() for metric in scores.metrics.values()]
    for metric in metrics:
        check([metric.value, metric.low, metric.high])
        if metric.value is not None and metric.low is not None and metric.high is not None:
            assert metric.low <= metric.value <= metric.high


@given(st.data(), st.integers(2, 30))
def test_learning_curves_of_any_predictions_are_in_range(data: st.DataObject, n: int) -> None:
    label = np.array([*data.draw(st.lists(st.integers(0, 1), min_size=n - 1, max_size=n - 1)), 1])
    sizes = sorted(data.draw(st.sets(st.integers(2, 1000), min_size=2, max_size=3)))
    seed = data.draw(st.integers(0, 9))
    predicted = np.random.default_rng(seed).integers(0, 2, (1, len(sizes), n))
    if data.draw(st.booleans()):
        predicted[:] = label
    curve = extrapolate(predicted, label, np.arange(n).astype(object), sizes, n_images=sizes[-1], n_groups=None)
    check([curve.gain.value, curve.gain.low, curve.gain.high])
    for point in curve.points:
        check([point.macro_f1.value, point.macro_f1.low, point.macro_f1.high], 0, 1)
