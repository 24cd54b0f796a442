"""Metrics, curves and the summary against scikit-learn and against numbers worked out by hand."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from coverslip.evaluation.calibration import expected_calibration_error, expected_error_of_calibrated
from coverslip.evaluation.metrics import confusion_matrix, macro_roc_curve, micro_roc_curve, pr_curve, roc_curve
from coverslip.evaluation.summary import evaluate_predictions, per_class
from coverslip.evaluation.table import score
from coverslip.messages import message, text
from coverslip.runs.results import metrics_as_json


def draw(n: int, n_classes: int, seed: int, *, present: int | None = None, ties: bool = False):
    generator = np.random.default_rng(seed)
    label = generator.integers(0, present or n_classes, n)
    logits = generator.normal(size=(n, n_classes))
    logits[np.arange(n), label] += 1.5
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    if ties:
        probability = np.round(probability, 1) + 0.01
        probability /= probability.sum(axis=1, keepdims=True)
    return probability, label


sample = st.builds(
    draw,
    st.integers(2, 60),
    st.integers(2, 6),
    st.integers(0, 10_000),
    present=st.sampled_from([None, 2]),
    ties=st.booleans(),
)


@pytest.mark.slow
@given(sample)
def test_every_metric_equals_scikit_learn_on_the_classes_that_occur(drawn):
    probability, label = drawn
    predicted, present = probability.argmax(axis=1), np.unique(label)
    ours = score(probability, label)
    options = {"labels": present, "average": "macro", "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(label, predicted),
        "balanced_accuracy": sk.recall_score(label, predicted, **options),
        "macro_f1": sk.f1_score(label, predicted, **options),
        "macro_precision": sk.precision_score(label, predicted, **options),
        "macro_recall": sk.recall_score(label, predicted, **options),
        "kappa": sk.cohen_kappa_score(label, predicted),
        "brier": ((probability - np.eye(probability.shape[1])[label]) ** 2).sum(axis=1).mean(),
        "one_vs_rest_accuracy": np.mean([((label == k) == (predicted == k)).mean() for k in present]),
        "average_precision": np.mean([sk.average_precision_score(label == k, probability[:, k]) for k in present]),
        "micro_auroc": sk.roc_auc_score(np.eye(probability.shape[1])[label].ravel(), probability.ravel()),
        "log_loss": sk.log_loss(label, probability, labels=np.arange(probability.shape[1])),
    }
    for name, value in expected.items():
        assert ours[name] == pytest.approx(value, abs=1e-12, nan_ok=True), name
    if not np.isnan(ours["mcc"]):  # scikit-learn has 0 where it is not defined
        assert ours["mcc"] == pytest.approx(sk.matthews_corrcoef(label, predicted), abs=1e-12)
    if len(present) < 2:
        assert np.isnan(ours["macro_auroc"])
    else:
        aurocs = [sk.roc_auc_score(label == k, probability[:, k]) for k in present]
        assert ours["macro_auroc"] == pytest.approx(np.mean(aurocs), abs=1e-12)


def test_balanced_accuracy_is_scikit_learns():
    probability, label = draw(300, 5, 1)
    expected = sk.balanced_accuracy_score(label, probability.argmax(axis=1))
    assert score(probability, label)["balanced_accuracy"] == pytest.approx(expected)


@given(sample)
def test_per_class_numbers_equal_scikit_learn(drawn):
    probability, label = drawn
    predicted, n_classes = probability.argmax(axis=1), probability.shape[1]
    precision, recall, f1, n = sk.precision_recall_fscore_support(
        label, predicted, labels=np.arange(n_classes), zero_division=0
    )
    for k, scores in enumerate(per_class(probability, label)):
        values = {name: number.value for name, number in scores.metrics.items()}
        assert scores.n == n[k]
        assert (values["precision"] or 0) == pytest.approx(precision[k])
        assert (values["recall"] or 0) == pytest.approx(recall[k])
        assert (values["f1"] or 0) == pytest.approx(f1[k])
        others = label != k
        if others.any():
            assert values["specificity"] == pytest.approx((predicted[others] != k).mean())
        if 0 < n[k] < len(label):
            assert values["auroc"] == pytest.approx(sk.roc_auc_score(label == k, probability[:, k]))
            ap = sk.average_precision_score(label == k, probability[:, k])
            assert values["average_precision"] == pytest.approx(ap)
        else:
            assert values["auroc"] is None
            assert scores.reason


def test_a_class_without_images_gives_none_and_the_reason():
    probability = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    absent = per_class(probability, np.array([0, 1]))[2]
    assert absent.n == 0
    absent_metrics = {name: (number.value, number.reason) for name, number in absent.metrics.items()}
    assert (
        absent_metrics["recall"]
        == absent_metrics["f1"]
        == absent_metrics["auroc"]
        == (None, message("class-without-images"))
    )
    assert absent_metrics["precision"] == (None, message("class-never-predicted"))
    assert absent_metrics["specificity"] == (1.0, None)
    assert str(absent.reason) == f"{text('class-without-images')}; {text('class-never-predicted')}"


@given(sample)
def test_confusion_matrix_equals_scikit_learn(drawn):
    probability, label = drawn
    predicted, n_classes = probability.argmax(axis=1), probability.shape[1]
    expected = sk.confusion_matrix(label, predicted, labels=np.arange(n_classes))
    assert (confusion_matrix(label, predicted, n_classes) == expected).all()


@pytest.mark.slow
def test_calibration_slope_and_intercept_are_those_of_a_logistic_regression():
    import statsmodels.api as sm  # here, since it takes two seconds

    for n_classes in (2, 4):
        probability, label = draw(500, n_classes, 7)
        top = probability.argmax(axis=1)
        right, predicted = (
            (label == 1, probability[:, 1]) if n_classes == 2 else (top == label, probability.max(axis=1))
        )
        predicted = np.log(predicted / (1 - predicted))
        binomial = sm.families.Binomial()
        with_slope = sm.GLM(right.astype(float), sm.add_constant(predicted), family=binomial).fit()
        alone = sm.GLM(right.astype(float), np.ones(500), family=binomial, offset=predicted).fit()
        metrics = evaluate_predictions(probability, label, "abcd"[:n_classes], split="test", primary="accuracy")
        slope, intercept = metrics["calibration_slope"], metrics["calibration_intercept"]
        assert slope.value == pytest.approx(with_slope.params[1], abs=1e-6)
        assert intercept.value == pytest.approx(alone.params[0], abs=1e-6)
        robust = sm.GLM(right.astype(float), sm.add_constant(predicted), family=binomial).fit(cov_type="HC0")
        assert (slope.high - slope.low) / 2 == pytest.approx(1.96 * robust.bse[1], rel=0.02)


def test_a_perfectly_calibrated_classifier_has_the_error_that_is_expected():
    generator = np.random.default_rng(3)
    probability = generator.dirichlet([2, 1, 1], 300)
    errors = []
    for _ in range(100):
        label = (probability.cumsum(axis=1) < generator.random((300, 1))).sum(axis=1)
        errors.append(expected_calibration_error(probability, label))
    expected = expected_error_of_calibrated(probability)
    assert expected > 0.03
    assert np.mean(errors) == pytest.approx(expected, rel=0.1)


@given(sample)
def test_roc_curve_passes_through_scikit_learns_points(drawn):
    probability, label = drawn
    curve = roc_curve(probability[:, 0], label == 0, n_points=1000)
    if (label == 0).all() or not (label == 0).any():
        assert curve is None
        return
    false_rate, true_rate, _ = sk.roc_curve(label == 0, probability[:, 0])
    assert np.interp(false_rate, curve.x, curve.y).max() <= 1
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(np.trapezoid(true_rate, false_rate))
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)


@given(sample)
def test_the_areas_below_average_curves_are_the_average_areas(drawn):
    probability, label = drawn
    curve = macro_roc_curve(probability, label)
    numbers = score(probability, label, names=["macro_auroc", "micro_auroc"])
    if curve is None:
        assert np.isnan(numbers["macro_auroc"])
        return
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(numbers["macro_auroc"], abs=1e-9)
    micro = micro_roc_curve(probability, label)
    assert micro is not None
    assert np.trapezoid(micro.y, micro.x) == pytest.approx(numbers["micro_auroc"], abs=0.01)
    assert (np.diff(curve.y) >= -1e-12).all()


def test_pr_curve_holds_scikit_learns_points():
    probability, label = draw(200, 3, 5)
    curve = pr_curve(probability[:, 1], label == 1, n_points=1000)
    precision, recall, _ = sk.precision_recall_curve(label == 1, probability[:, 1])
    expected = {(round(r, 9), round(p, 9)) for r, p in zip(recall, precision, strict=True)}
    assert curve is not None
    assert {(round(x, 9), round(y, 9)) for x, y in zip(curve.x, curve.y, strict=True)} <= expected
    assert pr_curve(probability[:, 1], label == 7) is None


def test_curves_are_thinned():
    probability, label = draw(5000, 2, 3)
    curve = roc_curve(probability[:, 1], label == 1, n_points=200)
    assert curve is not None
    assert len(curve.x) <= 200
    assert (curve.x[-1], curve.y[-1]) == (1, 1)


@pytest.mark.parametrize(
    ("probability", "label"),
    [
        (np.zeros((0, 2)), np.zeros(0, int)),
        (np.full((2, 2), 0.5), np.array([0])),
        (np.full((2, 2), 0.5), np.array([0, 2])),
        (np.full((2, 2), 0.5), np.array([0, -1])),
        (np.full((2, 2), np.nan), np.array([0, 1])),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(probability, label):
    with pytest.raises(ValueError, match=r"image|label"):
        score(probability, label)


def test_summary_is_json_without_nan_and_says_why_a_number_is_missing():
    probability, label = draw(40, 3, 2, present=1)
    summary = evaluate_predictions(probability, label, ["a", "b", "c"], split="test", primary="macro_f1")
    summary_as_json = json.loads(json.dumps(metrics_as_json(summary), allow_nan=False))
    assert summary_as_json["n"] == 40
    assert summary_as_json["n_groups"] is None
    assert summary_as_json["metrics"]["macro_auroc"]["value"] is None
    assert summary_as_json["metrics"]["macro_auroc"]["reason"]["code"] == "metric-macro-auroc.undefined"
    assert summary_as_json["metrics"]["ece_excess_uncalibrated"]["reason"]["code"] == "no-uncalibrated-probabilities"
    assert summary_as_json["per_class"]["b"]["n"] == 0
    assert summary_as_json["per_class"]["b"]["recall"]["reason"] == {"code": "class-without-images", "parameters": {}}
    assert np.sum(summary_as_json["confusion_matrix"]) == 40
    of_value = {"value", "low", "high", "level", "method"}
    assert set(summary_as_json["metrics"]["accuracy"]) == of_value | {"n_correct", "n_images"}
    assert set(summary_as_json["metrics"]["macro_f1"]) == of_value


def test_summary_by_domain_scores_each_domain_alone():
    probability, label = draw(90, 3, 4)
    domain = np.array(["Ghent", "Oslo", "Ghent"] * 30, dtype=object)
    summary = evaluate_predictions(
        probability,
        label,
        ["a", "b", "c"],
        split="test",
        primary="accuracy",
        domain=domain,
        group=np.arange(90) // 9,
        probability_uncalibrated=probability**2 / (probability**2).sum(axis=1, keepdims=True),
    )
    oslo = domain == "Oslo"
    assert summary.n_groups == 10
    assert summary.by_domain["Oslo"].n == 30
    expected = score(probability[oslo], label[oslo])["accuracy"]
    assert summary.by_domain["Oslo"].metrics["accuracy"].value == pytest.approx(expected)
    assert summary["ece_excess_uncalibrated"].value != summary["ece_excess"].value


def test_summary_refuses_what_does_not_fit():
    probability, label = draw(9, 3, 4)
    with pytest.raises(ValueError, match="2 class names"):
        evaluate_predictions(probability, label, ["a", "b"], split="test", primary="accuracy")
    with pytest.raises(ValueError, match=r"no such metric.*macro_f1"):
        evaluate_predictions(probability, label, ["a", "b", "c"], split="test", primary="f1")


def test_macro_averages_of_a_domain_are_over_its_own_classes():
    """Classes 0 and 1 are Ghent's, 2 and 3 Oslo's; one of Ghent's images is taken for one of Oslo's."""
    label = np.array([0, 0, 1, 1, 2, 2, 3, 3] * 3)
    predicted = np.array([0, 2, 1, 1, 2, 2, 2, 3] * 3)
    probability = np.full((24, 4), 0.1)
    probability[np.arange(24), predicted] = 0.7
    domain = np.array((["Ghent"] * 4 + ["Oslo"] * 4) * 3, dtype=object)
    summary = evaluate_predictions(probability, label, "abcd", split="test", primary="macro_f1", domain=domain)
    ghent, oslo = (summary.by_domain[name].metrics for name in ("Ghent", "Oslo"))
    assert ghent["macro_recall"].value == pytest.approx((1 / 2 + 1) / 2)
    assert ghent["balanced_accuracy"].value == pytest.approx(3 / 4)
    assert ghent["macro_precision"].value == pytest.approx(1)
    assert ghent["macro_f1"].value == pytest.approx((2 / 3 + 1) / 2)
    assert oslo["macro_f1"].value == pytest.approx((4 / 5 + 2 / 3) / 2)
    assert oslo["macro_auroc"].value == pytest.approx((3 / 4 + 3 / 4) / 2)
    assert summary["macro_f1"].value == pytest.approx((2 / 3 + 1 + 2 / 3 + 2 / 3) / 4)
    assert ghent["macro_f1"].low < ghent["macro_f1"].value < ghent["macro_f1"].high
