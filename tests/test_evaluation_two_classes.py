"""Two classes: which one is positive, and thresholds by wish, against scikit-learn's curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from sklearn import metrics as sk

from coverslip.errors import BadRecipe
from coverslip.evaluation.decisions import (
    DecisionRule,
    decided_classes,
    learn_decisions,
    positive_class,
    target_points,
    uncertain_threshold,
)
from coverslip.evaluation.summary import evaluate_predictions
from coverslip.messages import message
from coverslip.runs.recipe import Recipe


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    label = (generator.random(n) < 0.3).astype(int)
    score = np.round(1 / (1 + np.exp(-generator.normal(2 * label - 1, 1.5))), 2)
    return np.stack([1 - score, score], axis=1), label


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (("parasitized", "uninfected"), "parasitized"),
        (("normal", "tumour"), "tumour"),
        (("mitotic", "Not mitotic"), "mitotic"),
        (("non-mitotic", "mitotic"), "mitotic"),
        (("cat", "dog"), "dog"),
        (("negative", "control"), "control"),
        (("a", "b", "c"), None),
    ],
)
def test_the_positive_class_is_the_one_beside_what_is_called_negative(classes, positive):
    assert positive_class(classes) == positive
    if positive is not None:
        assert positive_class(classes, classes[0]) == classes[0]


@given(st.integers(30, 90), st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 0.9, 0.95]), st.sampled_from([0, 1]))
def test_a_target_takes_the_point_of_the_curve_that_costs_least_among_those_that_show_it(n, seed, share, positive):
    """The bound of single images is that of Clopper and Pearson."""
    probability, label = draw(n, seed)
    is_positive = label == positive
    if min(is_positive.sum(), (~is_positive).sum()) < 5:
        return
    points = target_points(probability, label, positive=positive, aim="sensitivity", share=share)
    false_rate, true_rate, _ = sk.roc_curve(is_positive, probability[:, positive], drop_intermediate=False)
    n_positive = int(is_positive.sum())
    bound = np.array([exact_bound(round(rate * n_positive), n_positive) for rate in true_rate])
    n_others = len(label) - n_positive
    is_useful = true_rate - false_rate > (np.log(10) / 2 * (1 / n_positive + 1 / n_others)) ** 0.5
    point = points[positive]
    if not is_useful.any():
        assert point.reason == message("no-threshold-above-chance")
        return
    bound = np.where(is_useful, bound, 0)
    is_shown = is_useful & (bound >= min(share, bound.max()) - 1e-9)
    assert (point.reason is None) == (bound.max() >= share)
    if (probability[is_positive, positive] > 0).all():  # else no threshold detects all
        assert point.specificity >= 1 - false_rate[is_shown].min() - 1e-9
        assert point.least_sensitivity == pytest.approx(exact_bound(round(point.sensitivity * n_positive), n_positive))
    decided = decided_classes(probability, [point.threshold for point in points])
    assert (decided[is_positive] == positive).mean() == pytest.approx(points[positive].sensitivity)
    assert (decided[~is_positive] != positive).mean() == pytest.approx(points[positive].specificity)
    # A target specificity of one class is a target sensitivity of the other.
    turned = target_points(probability, label, positive=1 - positive, aim="specificity", share=share)
    assert turned[positive].least_sensitivity >= min(share - 1e-9, point.least_sensitivity - 1e-9)


def exact_bound(n_right: int, n: int) -> float:
    return float(stats.binomtest(n_right, n).proportion_ci(0.8).low) if n_right else 0.0


@pytest.mark.parametrize(
    ("n_groups", "n_of_group", "correlation"), [(200, 1, 0.0), (60, 1, 0.0), (6, 40, 0.5), (10, 10, 0.3), (40, 5, 0.3)]
)
def test_new_images_of_new_groups_reach_the_target(n_groups, n_of_group, correlation):
    """Known answer: scores of the population are normal, so that a threshold has a known sensitivity."""
    rng, is_reached = np.random.default_rng(0), []
    group = np.repeat(np.arange(n_groups), n_of_group)
    for _ in range(300):
        of_group = rng.normal(size=n_groups)[group] * correlation**0.5
        score = of_group + rng.normal(size=len(group)) * (1 - correlation) ** 0.5
        probability = special.expit(np.concatenate([score, rng.normal(-2, 1, 50)]))
        label = np.concatenate([np.ones(len(group), int), np.zeros(50, int)])
        names = np.concatenate([group.astype(str), [f"other {i}" for i in range(50)]])
        table = np.stack([1 - probability, probability], axis=1)
        _, point = target_points(table, label, positive=1, aim="sensitivity", share=0.9, group=names)
        is_reached.append(special.ndtr(-special.logit(point.threshold)) >= 0.9)
    assert np.mean(is_reached) > 0.88


def test_a_target_that_images_cannot_show_is_stated_with_the_best_bound():
    n, score = 20, np.concatenate([np.linspace(0.3, 0.95, 20), np.linspace(0.05, 0.6, 40)])
    table, label = np.stack([1 - score, score], axis=1), np.repeat([1, 0], [n, 40])
    first, second = target_points(table, label, positive=1, aim="sensitivity", share=0.99)
    assert second.reason is not None
    assert second.reason.code == "target-not-shown"
    assert second.reason.parameters["n_images"] == n
    assert second.reason.parameters["bound"] == second.least_sensitivity == pytest.approx(0.1 ** (1 / n))
    assert second.sensitivity == 1
    assert first.reason is None


def test_a_threshold_that_is_no_better_than_chance_is_never_chosen():
    score = np.concatenate([[0.05], np.linspace(0.4, 0.95, 59), [0.01], np.linspace(0.06, 0.6, 59)])
    table, label = np.stack([1 - score, score], axis=1), np.repeat([1, 0], 60)
    _, point = target_points(table, label, positive=1, aim="sensitivity", share=0.99)
    assert point.reason is not None
    assert point.reason.code == "target-not-shown"
    assert point.sensitivity == 59 / 60  # the highest bound is that of all 60, with a specificity of 1/60
    assert point.specificity > 0.5
    assert point.reason.parameters["bound"] == point.least_sensitivity
    points = target_points(table[:, ::-1], label, positive=1, aim="sensitivity", share=0.95)
    assert [(each.threshold, each.sensitivity) for each in points] == [(0.5, None)] * 2
    assert points[1].reason == message("no-threshold-above-chance")


def test_too_few_validation_images_leave_the_neutral_threshold_and_say_so():
    probability, label = draw(8, 0)
    points = target_points(probability, label, positive=1, aim="sensitivity", share=0.9)
    assert [point.threshold for point in points] == [0.5, 0.5]
    assert points[1].reason == message("few-validation-images", n_needed=5, which="this")


def test_a_target_error_rate_leaves_as_few_images_uncertain_as_needed():
    confidence = np.array([0.51, 0.55, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99])
    is_right = np.array([0, 0, 1, 0, 1, 1, 1, 1, 1, 1], bool)
    probability = np.stack([1 - confidence, confidence], axis=1)
    label = is_right.astype(int)
    assert uncertain_threshold(probability, label, error_rate=0.15) == pytest.approx((0.55 + 0.6) / 2)
    assert uncertain_threshold(probability, label, error_rate=0.01) == pytest.approx((0.7 + 0.8) / 2)
    assert uncertain_threshold(probability, label, error_rate=0.5) == 0
    rule = DecisionRule(by="sensitivity", positive=1, target=0.9, error_rate=0.01)
    assert learn_decisions(probability, label, rule)[0] is not None


def test_the_numbers_of_two_classes_are_those_of_the_positive_one():
    probability, label = draw(200, 1)
    evaluation = evaluate_predictions(probability, label, ("normal", "tumour"), split="test", primary="macro_f1")
    true_negative, false_positive, false_negative, true_positive = sk.confusion_matrix(
        label, probability.argmax(axis=1)
    ).ravel()
    values = {name: metric.value for name, metric in evaluation.two_classes.items()}
    assert values == {
        "sensitivity": pytest.approx(true_positive / (true_positive + false_negative)),
        "specificity": pytest.approx(true_negative / (true_negative + false_positive)),
        "ppv": pytest.approx(true_positive / (true_positive + false_positive)),
        "npv": pytest.approx(true_negative / (true_negative + false_negative)),
    }
    turned = evaluate_predictions(
        probability, label, ("normal", "tumour"), split="test", primary="macro_f1", positive="normal"
    )
    assert turned.two_classes["sensitivity"].value == values["specificity"]


def test_targets_that_do_not_fit_the_classes_are_refused_with_what_to_do():
    with pytest.raises(BadRecipe) as refused:
        Recipe(decide_by="sensitivity").check_decision(["a", "b", "c"])
    assert refused.value.code == "needs-two-classes"
    assert refused.value.parameters["n_classes"] == 3
    with pytest.raises(BadRecipe) as refused:
        Recipe(positive_class="tumor").check_decision(["normal", "tumour"])
    assert refused.value.code == "unknown-positive-class"
    assert "'tumour'" in refused.value.parameters["reason"]
    Recipe(decide_by="specificity", positive_class="normal").check_decision(["normal", "tumour"])
