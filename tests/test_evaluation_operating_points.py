"""Operating points against scikit-learn's ROC curve, and what is decided by them."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import beta
from sklearn import metrics as sk

from coverslip.evaluation.decisions import (
    DecisionRule,
    decided_classes,
    learn_decisions,
    operating_points,
    uncertain_threshold,
)
from coverslip.evaluation.summary import evaluate_predictions, per_class
from coverslip.evaluation.table import score
from coverslip.messages import message


def draw(n: int, n_classes: int, seed: int, *, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated probabilities of classes that halve in size, and labels."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(n, n_classes)) * 1.5 - np.arange(n_classes) * np.log(2)
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    label = np.array([generator.choice(n_classes, p=row) for row in probability])
    if ties:
        probability = np.round(probability, 1) + 0.01
        probability /= probability.sum(axis=1, keepdims=True)
    return np.round(probability, 6), label  # as the tables show them


sample = st.builds(draw, st.integers(2, 60), st.integers(2, 6), st.integers(0, 10_000), ties=st.booleans())


@given(sample)
def test_no_point_of_scikit_learns_curve_is_better(drawn):
    probability, label = drawn
    for k, point in enumerate(operating_points(probability, label)):
        is_class = label == k
        assert point.n == is_class.sum()
        if min(is_class.sum(), (~is_class).sum()) < 5:
            assert point.threshold == 1 / probability.shape[1]
            assert point.reason in [
                message("few-validation-images", n_needed=5, which=which) for which in ("this", "others")
            ]
            continue
        false_rate, true_rate, _ = sk.roc_curve(is_class, probability[:, k])
        best = (true_rate - false_rate).max()
        if point.reason:
            assert point.threshold == 1 / probability.shape[1]
            assert best == pytest.approx(0, abs=1e-12)
            continue
        is_above = probability[:, k] >= point.threshold
        assert point.sensitivity == pytest.approx(is_above[is_class].mean())
        assert point.specificity == pytest.approx(1 - is_above[~is_class].mean())
        assert point.sensitivity + point.specificity - 1 == pytest.approx(best)


def three_of_each(score_of_first: np.ndarray, label: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Two classes' probabilities and labels, every image three times: enough to choose operating points by."""
    score = np.repeat(score_of_first, 3)
    return np.stack([score, 1 - score], axis=1), np.repeat(label, 3)


def test_worked_out_by_hand():
    """Cut between 0.2 and 0.4: two of two found, one of three others too. No other cut reaches 2/3."""
    score_of_a = np.array([0.9, 0.6, 0.4, 0.2, 0.1])
    first, second = operating_points(*three_of_each(score_of_a, [0, 1, 0, 1, 1]))
    assert first.threshold == pytest.approx(0.3)
    assert (first.n, first.sensitivity, first.specificity) == (6, 1.0, pytest.approx(2 / 3))
    assert second.threshold == pytest.approx(0.7)
    assert (second.n, second.sensitivity, second.specificity) == (9, pytest.approx(2 / 3), 1.0)


def test_of_equally_good_thresholds_the_one_nearest_to_the_neutral_value_is_taken():
    # Of class a: 0.85 finds one of two and calls no other; 0.45 finds both and calls one of two others. Both have 0.5.
    score_of_a = np.array([0.9, 0.8, 0.5, 0.4])
    first, second = operating_points(*three_of_each(score_of_a, [0, 1, 0, 1]))
    assert first.threshold == pytest.approx(0.45)
    assert second.threshold == pytest.approx(0.55)


@pytest.mark.parametrize(
    ("scores", "label"),
    [
        ([0.2, 0.3, 0.7, 0.8], [0, 0, 1, 1]),  # ranked the wrong way round
        ([0.4, 0.4, 0.4, 0.4], [0, 0, 1, 1]),  # not ranked at all
    ],
)
def test_a_curve_that_is_no_better_than_chance_gives_the_neutral_value(scores, label):
    for point in operating_points(*three_of_each(np.array(scores), label)):
        assert point.threshold == 0.5
        assert point.reason == message("no-threshold-above-chance")


def test_too_few_images_give_the_neutral_value_and_the_reason():
    assert [point.threshold for point in operating_points(np.zeros((0, 4)), np.zeros(0, int))] == [0.25] * 4
    probability = np.stack([np.linspace(0.5, 0.1, 24), np.linspace(0.5, 0.9, 24)], axis=1)
    first, second = operating_points(probability, np.array([0] * 4 + [1] * 20))
    assert (first.threshold, second.threshold) == (0.5, 0.5)
    assert first.reason == message("few-validation-images", n_needed=5, which="this")
    assert second.reason == message("few-validation-images", n_needed=5, which="others")
    first, second = operating_points(probability, np.array([0] * 5 + [1] * 19))
    assert first.threshold == pytest.approx((probability[4, 0] + probability[5, 0]) / 2, abs=1e-6)
    assert (first.reason, second.reason) == (None, None)


def test_a_threshold_is_never_finer_than_the_written_probabilities():
    rare = np.repeat([1e-9, 1e-12], 10)
    probability = np.stack([rare, 0.4 - rare, 0.6 * np.ones(20)], axis=1)
    point = operating_points(probability, np.repeat([0, 1], 10))[0]
    assert point.threshold == pytest.approx(1 / 3)
    assert point.reason == message("no-threshold-above-chance")


@given(sample)
def test_thresholds_can_always_be_divided_by(drawn):
    thresholds = [point.threshold for point in operating_points(*drawn)]
    assert all(1e-7 < threshold < 1 - 1e-7 for threshold in thresholds)


shares = st.floats(0, 1)


@given(st.lists(shares, min_size=1, max_size=20), st.floats(1e-6, 1 - 1e-6))
def test_with_two_classes_the_first_is_decided_exactly_where_it_reaches_its_threshold(first, threshold):
    p = np.array([*first, threshold])  # the edge itself too
    decided = decided_classes(np.stack([p, 1 - p], axis=1), [threshold, 1 - threshold])
    assert ((decided == 0) == (p >= threshold)).all()


@given(sample, st.floats(1e-3, 0.999))
def test_equal_thresholds_decide_the_most_probable_class(drawn, threshold):
    probability = drawn[0]
    top = np.sort(probability, axis=1)
    assume((top[:, -1] - top[:, -2] > 1e-12).all())  # division may round two that nearly agree to the same
    decided = decided_classes(probability, [threshold] * probability.shape[1])
    assert (decided == probability.argmax(axis=1)).all()
    assert (decided_classes(probability, None) == probability.argmax(axis=1)).all()


@pytest.mark.exhaustive
@pytest.mark.slow
@given(st.integers(12, 80), st.integers(0, 10_000))
def test_with_two_classes_no_other_decision_by_one_threshold_is_more_balanced(n, seed):
    """Youden's index of two classes is twice their balanced accuracy less one."""
    probability, label = draw(n, 2, seed)
    assume(5 <= label.sum() <= n - 5)
    points, _ = learn_decisions(probability, label, DecisionRule(by="roc"))
    assert points is not None
    decided = decided_classes(probability, [point.threshold for point in points])
    reached = score(probability, label, decided)["balanced_accuracy"]
    for threshold in [*probability[:, 0], 1.1]:
        other = np.where(probability[:, 0] >= threshold, 0, 1)
        assert score(probability, label, other)["balanced_accuracy"] <= reached + 1e-12


@pytest.mark.slow
def test_for_calibrated_probabilities_operating_points_are_the_classes_shares():
    probability, label = draw(60_000, 3, 0)
    share = np.bincount(label) / len(label)
    thresholds = np.array([point.threshold for point in operating_points(probability, label)])
    assert thresholds == pytest.approx(share, abs=0.04)
    before = score(probability, label)
    after = score(probability, label, decided_classes(probability, list(thresholds)))
    assert after["balanced_accuracy"] > before["balanced_accuracy"] + 0.01
    assert after["accuracy"] < before["accuracy"]


@pytest.mark.slow
@given(sample, st.integers(0, 999))
def test_metrics_of_decisions_equal_scikit_learn_and_those_of_probabilities_do_not_follow_them(drawn, seed):
    probability, label = drawn
    decided = np.random.default_rng(seed).integers(0, probability.shape[1], len(label))
    options = {"labels": np.unique(label), "average": "macro", "zero_division": 0}
    ours, by_probability = score(probability, label, decided), score(probability, label)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(label, decided))
    assert ours["macro_f1"] == pytest.approx(sk.f1_score(label, decided, **options))
    assert ours["macro_precision"] == pytest.approx(sk.precision_score(label, decided, **options))
    assert ours["balanced_accuracy"] == pytest.approx(sk.recall_score(label, decided, **options))
    for name in ("macro_auroc", "log_loss", "ece_excess"):
        np.testing.assert_equal(ours[name], by_probability[name])
    recall = sk.recall_score(label, decided, labels=np.arange(probability.shape[1]), average=None, zero_division=0)
    recalls = [scores.metrics["recall"].value or 0 for scores in per_class(probability, label, decided)]
    assert recalls == pytest.approx(recall)


def test_the_summary_follows_the_decided_class_in_every_part():
    probability, label = draw(200, 3, 1)
    decided = (label + (np.arange(200) % 4 == 0)) % 3  # three in four right, whatever the probabilities say
    summary = evaluate_predictions(
        probability,
        label,
        ["a", "b", "c"],
        split="test",
        primary="accuracy",
        predicted=decided,
        domain=np.array(["one", "two"] * 100),
    )
    accuracy = summary["accuracy"]
    assert accuracy.value == 0.75
    assert accuracy.low < 0.75 < accuracy.high
    assert np.array_equal(summary.confusion_matrix, sk.confusion_matrix(label, decided))
    assert summary.by_domain["one"].metrics["accuracy"].value == np.mean((decided == label)[::2])
    auroc = sk.roc_auc_score(label, probability, multi_class="ovr")
    assert summary["macro_auroc"].value == pytest.approx(auroc)


def test_an_interval_around_decisions_that_are_all_right_is_theirs():
    probability, label = draw(60, 3, 2)
    assert score(probability, label)["accuracy"] < 1
    evaluation = evaluate_predictions(probability, label, list("abc"), split="t", primary="accuracy", predicted=label)
    accuracy = evaluation["accuracy"]
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert accuracy.low == pytest.approx(beta.ppf(0.025, 60, 1))


def test_uncertain_depends_on_the_probability_of_the_decided_class():
    # Decided for b at 0.3 twice and wrong once; all others are right and surer of what was decided.
    probability = np.array([[0.7, 0.3], [0.7, 0.3], *[[0.9, 0.1]] * 10])
    label = np.array([0, 1, *[0] * 10])
    decided = np.array([1, 1, *[0] * 10])
    assert uncertain_threshold(probability, label, decided) == pytest.approx((0.3 + 0.9) / 2)
