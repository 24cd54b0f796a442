"""Differences of two classifiers on the same images: known answers, and intervals that hold the truth."""

import numpy as np
import pytest
from parameters import only_first
from scipy.stats import ttest_1samp
from statsmodels.stats import contingency_tables
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from coverslip.evaluation.comparison import Answers, independent_difference, mcnemar, paired_differences
from coverslip.evaluation.results import Metric
from coverslip.evaluation.table import METRICS, metric_intervals
from coverslip.messages import message


def answers(label: np.ndarray, is_right: np.ndarray, n_classes: int = 3) -> Answers:
    """The right class, or the next one; sure of it by .8."""
    predicted = np.where(is_right, label, (label + 1) % n_classes)
    probability = np.full((len(label), n_classes), 0.2 / (n_classes - 1))
    probability[np.arange(len(label)), predicted] = 0.8
    return Answers(probability, predicted)


def test_mcnemar_is_the_exact_binomial_test_of_images_that_only_one_has_right() -> None:
    first = np.array([True] * 10 + [False] * 2 + [True] * 30)
    second = np.array([False] * 10 + [True] * 2 + [True] * 30)
    test = mcnemar(first, second)
    assert (test.n_first, test.n_second) == (10, 2)
    # 2 · P(X ≤ 2), X ~ Binomial(12, ½): 2 · (1 + 12 + 66) / 4096
    assert test.p == pytest.approx(2 * 79 / 4096)
    table = [[30, 10], [2, 0]]
    assert test.p == pytest.approx(contingency_tables.mcnemar(table, exact=True).pvalue)
    assert mcnemar(first, first).p == 1
    grouped = mcnemar(first, second, are_independent=False)
    assert (grouped.n_first, grouped.n_second, grouped.p) == (test.n_first, test.n_second, None)
    assert grouped.reason is not None
    assert grouped.reason.code == "mcnemar-of-groups"


def test_accuracy_without_groups_has_the_interval_of_bonett_and_price() -> None:
    label = np.arange(50) % 3
    first = answers(label, np.arange(50) >= 12)  # 12 wrong
    second = answers(label, np.arange(50) < 47)  # 3 others wrong
    difference = paired_differences(first, second, label, None, metrics=["accuracy"])["accuracy"]
    assert difference.value == pytest.approx((12 - 3) / 50)
    better, worse = 13 / 52, 4 / 52
    reach = 1.959964 * ((better + worse - (better - worse) ** 2) / 52) ** 0.5
    assert (difference.low, difference.high) == pytest.approx(
        (better - worse - reach, better - worse + reach), abs=1e-6
    )


def test_the_interval_of_a_mean_is_that_of_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    label = np.zeros(40, dtype=int)
    first, second = (np.column_stack([p, 1 - p]) for p in rng.uniform(0.2, 0.9, (2, 40)))
    pair = Answers(first, first.argmax(1)), Answers(second, second.argmax(1))
    difference = paired_differences(*pair, label, None, metrics=["log_loss"])["log_loss"]
    gap = np.log(first[:, 0]) - np.log(second[:, 0])
    assert difference.value == pytest.approx(gap.mean())
    reach = 2.022691 * gap.std(ddof=1) / 40**0.5  # t of 39 degrees of freedom
    assert (difference.low, difference.high) == pytest.approx((gap.mean() - reach, gap.mean() + reach), abs=1e-6)
    assert difference.p == pytest.approx(ttest_1samp(gap, 0).pvalue)


def test_a_p_value_is_below_0_05_exactly_where_the_interval_excludes_0() -> None:
    label = np.arange(60) % 3
    group = np.array([f"slide {k % 8}" for k in range(60)])
    first = answers(label, np.arange(60) >= 2)
    n_significant = 0
    for n_wrong in range(3, 24, 2):
        second = answers(label, np.arange(60) >= n_wrong)
        for names in (None, group):
            for difference in paired_differences(
                first, second, label, names, metrics=["accuracy", "macro_f1"]
            ).values():
                p, low, high = difference.p or 0, difference.low or 0, difference.high or 0
                assert (p < 0.05) == (not low <= 0 <= high)
                n_significant += p < 0.05
    assert 5 < n_significant < 40
    assert paired_differences(first, first, label, None, metrics=["macro_f1"])["macro_f1"].p is None


def test_the_difference_of_two_test_sets_is_that_of_newcombe_for_proportions() -> None:
    def share(k: int, n: int) -> Metric:
        low, high = proportion_confint(k, n, method="wilson")
        return Metric(value=k / n, low=low, high=high)

    difference = independent_difference(share(45, 50), share(70, 100))
    low, high = confint_proportions_2indep(70, 100, 45, 50, method="newcomb")
    assert (difference.value, difference.low, difference.high) == pytest.approx((-0.2, low, high))
    few = message("interval-of-one-image")
    neither = independent_difference(Metric(value=0.5, reason=few), Metric(value=0.7, reason=few))
    assert neither.reason == few
    without = independent_difference(share(45, 50), Metric(value=0.7, reason=few))
    assert (without.value, without.low, str(without.reason)) == (pytest.approx(-0.2), None, f"second set: {few}")


def test_groups_that_move_together_make_the_interval_wider_and_one_group_has_none() -> None:
    label = np.arange(120) % 3
    group = np.array([f"slide {k // 20}" for k in range(120)])
    first = answers(label, np.arange(120) // 20 != 2)  # wrong on one whole slide
    second = answers(label, np.arange(120) // 20 != 4)  # and on another
    alone, grouped = (
        paired_differences(first, second, label, which, metrics=["macro_f1"])["macro_f1"] for which in (None, group)
    )
    assert alone.high is not None
    assert grouped.high is not None
    assert grouped.high > 1.5 * alone.high
    difference = paired_differences(first, second, label, np.array(["a"] * 120), metrics=["accuracy"])["accuracy"]
    assert (difference.value, difference.low) == (0.0, None)
    assert difference.reason.code == "interval-needs-groups"


def test_two_that_say_the_same_differ_by_nothing_and_have_no_interval() -> None:
    label = np.arange(30) % 3
    both = answers(label, np.arange(30) > 4)
    differences = paired_differences(both, both, label, None)
    assert set(differences) == {name for name, record in METRICS.items() if not record.is_before_calibration}
    assert all(metric.value == 0 or metric.reason for metric in differences.values())  # some have no calibration slope
    assert differences["macro_f1"].low is None
    accuracy = differences["accuracy"]  # that they agree on 30 images does not say that they always do
    assert accuracy.low is not None
    assert accuracy.low < 0


def test_metrics_of_predicted_classes_agree_where_few_images_are_predicted_differently() -> None:
    label = np.arange(30) % 5
    first = answers(label, np.arange(30) > 5, 5)
    second = answers(label, np.arange(30) > 2, 5)  # right on three more
    differences = paired_differences(first, second, label, None, metrics=["accuracy", "balanced_accuracy", "macro_f1"])
    assert all((metric.p or 0) > 0.05 for metric in differences.values())  # McNemar's exact test: 0.25


@pytest.mark.slow
def test_few_images_that_are_predicted_differently_rarely_look_like_a_difference() -> None:
    rng = np.random.default_rng(2)
    n, n_found = 30, dict.fromkeys(("balanced_accuracy", "macro_f1"), 0)
    for _ in range(400):
        label = rng.permutation(np.arange(n) % 5)
        is_right = np.tile(rng.random(n) > 0.08, (2, 1))
        changed = rng.choice(n, rng.integers(3, 9), replace=False)
        is_right[:, changed] = (is_first := rng.random(len(changed)) < 0.5), ~is_first  # both alike
        pair = [answers(label, each, 5) for each in is_right]
        for name, difference in paired_differences(pair[0], pair[1], label, None, metrics=list(n_found)).items():
            n_found[name] += difference.p is not None and difference.p < 0.05
    assert max(n_found.values()) <= 0.08 * 400


@pytest.mark.slow
@pytest.mark.parametrize("n_groups", only_first(2, [None, 8, 30]))
def test_intervals_of_differences_hold_the_truth(n_groups: int | None) -> None:
    rng = np.random.default_rng(5)
    n, held = 240, 0
    for _ in range(200):
        label = rng.integers(0, 3, n)
        group = None if n_groups is None else rng.integers(0, n_groups, n)
        hardness = rng.normal(size=n) + (0 if group is None else rng.normal(0, 0.7, n_groups)[group])
        group_effect = 0 if group is None else rng.normal(0, 0.5, (2, n_groups))[:, group]
        skill = 1.2 + rng.normal(size=(2, n)) * 0.8 - hardness + group_effect  # both alike: the truth is no difference
        pair = [answers(label, score > 0) for score in skill]
        names = None if group is None else np.array([f"g{k}" for k in group])
        difference = paired_differences(pair[0], pair[1], label, names, metrics=["macro_f1"])["macro_f1"]
        assert difference.low is not None
        assert difference.high is not None
        held += difference.low <= 0 <= difference.high
    assert held >= 0.92 * 200


def test_the_difference_of_calibration_errors_is_that_of_the_shown_ones() -> None:
    """With groups, chance is larger than for as many independent images."""
    rng = np.random.default_rng(0)
    group = np.arange(200) // 10
    label = np.repeat(rng.integers(0, 2, 20), 10)
    both = [rng.dirichlet([4, 1], 200) for _ in range(2)]
    answers = [Answers(probability, probability.argmax(axis=1)) for probability in both]
    shown = [metric_intervals(each, label, group, metrics=["ece_excess"])["ece_excess"] for each in both]
    difference = paired_differences(*answers, label, group, metrics=["ece_excess"])["ece_excess"]
    assert difference.value == pytest.approx(shown[1].value - shown[0].value)
    assert difference.low is None
    alone = [metric_intervals(each, label, None, metrics=["ece_excess"])["ece_excess"] for each in both]
    assert all(with_groups.value < each.value for with_groups, each in zip(shown, alone, strict=True))
