"""Two classes: which one is positive, and thresholds by wish, against scikit-learn's curve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
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


@given(st.integers(30, 90), st.integers(0, 10_000), st.sampled_from([0.5, 0.9, 0.95, 1.0]), st.sampled_from([0, 1]))
def test_a_target_takes_the_point_of_the_curve_that_costs_least(n, seed, share, positive):
    probability, label = draw(n, seed)
    is_positive = label == positive
    if min(is_positive.sum(), (~is_positive).sum()) < 5:
        return
    points = target_points(probability, label, positive=positive, aim="sensitivity", share=share)
    false_rate, true_rate, _ = sk.roc_curve(is_positive, probability[:, positive], drop_intermediate=False)
    reachable = true_rate >= share - 1e-9
    assert points[positive].sensitivity >= share - 1e-9 or (probability[is_positive, positive] == 0).any()
    assert points[positive].specificity >= 1 - false_rate[reachable].min() - 1e-9
    decided = decided_classes(probability, [point.threshold for point in points])
    assert (decided[is_positive] == positive).mean() == pytest.approx(points[positive].sensitivity)
    assert (decided[~is_positive] != positive).mean() == pytest.approx(points[positive].specificity)
    # A target specificity of one class is a target sensitivity of the other.
    turned = target_points(probability, label, positive=1 - positive, aim="specificity", share=share)
    assert turned[positive].sensitivity >= min(share - 1e-9, points[positive].sensitivity)


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
