"""Comparing two ways of training over splits, against numbers worked out by hand and by SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from coverslip.evaluation.comparison import as_if_independent, holm, procedure_difference, units_to_show

DIFFERENCES = [0.02, 0.05, -0.01, 0.04, 0.03]


def test_without_shared_images_it_is_the_paired_t_test() -> None:
    difference = procedure_difference(DIFFERENCES, test_to_train=0)
    expected = stats.ttest_1samp(DIFFERENCES, 0)
    low, high = expected.confidence_interval(0.95)
    assert (difference.mean, difference.p) == (pytest.approx(np.mean(DIFFERENCES)), pytest.approx(expected.pvalue))
    assert (difference.low, difference.high) == (pytest.approx(low), pytest.approx(high))


def test_shared_images_widen_it_as_nadeau_and_bengio_say() -> None:
    difference = procedure_difference(DIFFERENCES, test_to_train=0.25, equivalence=0.01)
    error = np.std(DIFFERENCES, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    posterior = stats.t(df=4, loc=np.mean(DIFFERENCES), scale=error)  # of Corani and Benavoli's correlated t test
    assert difference.p == pytest.approx(2 * stats.t(df=4).sf(np.mean(DIFFERENCES) / error))
    assert (difference.low, difference.high) == pytest.approx(posterior.interval(0.95))
    assert difference.p_worse == pytest.approx(posterior.cdf(-0.01))
    assert difference.p_better == pytest.approx(posterior.sf(0.01))
    assert difference.p_equal == pytest.approx(posterior.cdf(0.01) - posterior.cdf(-0.01))


def test_probabilities_are_those_of_baycomp() -> None:
    """By `baycomp.CorrelatedTTest.probs(DIFFERENCES, zeros, rope=0.01, runs=1)` of baycomp 1.0.3."""
    difference = procedure_difference(DIFFERENCES, test_to_train=0.25, equivalence=0.01)
    expected = (0.8206468767966375, 0.1392747860982516, 0.040078337105110884)
    assert (difference.p_better, difference.p_equal, difference.p_worse) == pytest.approx(expected)


def test_nothing_is_claimed_of_one_split_or_of_equal_ones() -> None:
    for differences in ([0.1], [0.1, 0.1, 0.1]):
        difference = procedure_difference(differences, test_to_train=0.25)
        assert difference.mean == pytest.approx(0.1)
        assert (difference.low, difference.p, difference.p_better) == (None, None, None)


def test_equal_procedures_differ_significantly_as_rarely_as_stated() -> None:
    """2,000 studies of five folds whose training images are shared as those of five folds are."""
    draws = np.random.default_rng(0)
    shared = 0.2  # correlation of folds' differences that the correction is made for: test / (test + train)
    p = []
    for _ in range(2000):
        folds = np.sqrt(shared) * draws.normal() + np.sqrt(1 - shared) * draws.normal(size=5)
        p.append(procedure_difference(folds, test_to_train=0.25).p)
    assert np.mean(np.array(p) <= 0.05) <= 0.065


def test_usual_tests_are_those_of_scipy_and_find_what_the_corrected_one_does_not() -> None:
    tests = as_if_independent(DIFFERENCES)
    assert tests is not None
    assert tests.t_p == pytest.approx(stats.ttest_1samp(DIFFERENCES, 0).pvalue)
    expected = stats.bootstrap((DIFFERENCES,), np.mean, method="percentile", rng=np.random.default_rng(1))
    assert (tests.bootstrap_low, tests.bootstrap_high) == pytest.approx(expected.confidence_interval, abs=0.002)
    assert tests.bootstrap_shows
    assert procedure_difference(DIFFERENCES, test_to_train=0.25).p > 0.05
    assert as_if_independent([0.1]) is None
    assert as_if_independent([0.1, 0.1, 0.1]) is None


def test_holm_is_that_of_the_textbook() -> None:
    assert holm([0.01, 0.04, None, 0.03]) == [pytest.approx(0.03), pytest.approx(0.06), None, pytest.approx(0.06)]


@pytest.mark.exhaustive  # importing statsmodels takes longer than all tests of this file
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_that_of_statsmodels(p: list[float]) -> None:
    from statsmodels.stats.multitest import multipletests  # here, since it takes a second

    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1].tolist())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lowers_no_p_and_keeps_their_order(p: list[float]) -> None:
    adjusted = [value for value in holm(p) if value is not None]
    assert all(low <= high <= 1 for low, high in zip(p, adjusted, strict=True))
    assert np.all(np.diff(np.array(adjusted)[np.argsort(p, kind="stable")]) >= 0)


def test_repeats_on_few_groups_have_no_more_degrees_of_freedom_than_groups() -> None:
    many = DIFFERENCES * 4
    difference = procedure_difference(many, test_to_train=0.25, n_units=6)
    error = np.std(many, ddof=1) * np.sqrt(1 / 20 + 1 / 4)
    assert (difference.df, difference.n_splits) == (5, 20)
    assert difference.p == pytest.approx(2 * stats.t(df=5).sf(np.mean(many) / error))
    assert procedure_difference(many, test_to_train=0.25, n_units=1).p is None


def test_the_groups_that_would_show_a_difference_are_those_of_a_textbooks_power() -> None:
    difference = procedure_difference(DIFFERENCES, test_to_train=0.25)
    error = np.std(DIFFERENCES, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
    assert units_to_show(difference, 40, effect=0.01) == pytest.approx(40 * (2.8016 * error / 0.01) ** 2, abs=1)
    assert units_to_show(difference, 40, effect=0) is None
