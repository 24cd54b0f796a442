"""The verdict on constructed results: whether to use the classifier, and by which rule."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from coverslip.datasets.quality.findings import FINDINGS
from coverslip.evaluation.results import Evaluation
from coverslip.evaluation.summary import empty_evaluation, evaluate_predictions
from coverslip.messages import has_entry, in_language
from coverslip.reports.verdict import RULES_OF_METRICS, RULES_OF_RUNS, SERIOUS_FINDINGS, verdict_of_metrics


def measured(
    counts: Sequence[Sequence[int]],
    *,
    n_groups: int = 0,
    is_clustered: bool = False,
    confidence: float | None = None,
    split: str = "test",
) -> Evaluation:
    """Return the metrics of predictions with these counts: a row per true class, a column per predicted one.

    Args:
        counts: images of each true and predicted class.
        n_groups: groups per class, over which its images are distributed in turn; 0: no groups are known.
        is_clustered: whether errors are in few of the groups instead.
        confidence: probability of each predicted class; None: the accuracy, so that predictions are calibrated.
        split: name of the measured set.
    """
    matrix = np.array(counts)
    label, predicted = (np.repeat(index.ravel(), matrix.ravel()) for index in np.indices(matrix.shape))
    n_classes, sizes = len(matrix), matrix.sum(axis=1)
    share = float((label == predicted).mean()) if confidence is None else confidence
    top = np.clip(share, 1 / n_classes + 0.01, 0.999)
    probability = np.full((len(label), n_classes), (1 - top) / (n_classes - 1))
    probability[np.arange(len(label)), predicted] = top
    place_in_class = np.concatenate(
        [np.arange(n) * n_groups // max(n, 1) if is_clustered else np.arange(n) for n in sizes]
    )
    group = np.array([f"{k}-{i % n_groups}" for k, i in zip(label, place_in_class, strict=True)]) if n_groups else None
    return evaluate_predictions(
        probability,
        label,
        [f"class {k}" for k in range(n_classes)],
        split=split,
        primary="macro_f1",
        predicted=predicted,
        group=group,
    )


def spread(counts: Sequence[Sequence[int]]) -> Evaluation:
    """Return metrics in which errors are distributed evenly over 20 groups per class."""
    return measured(counts, n_groups=20)


many_classes = np.diag([40] * 8) + np.eye(8, k=1, dtype=int) * 4
one_lost_of_many = many_classes.copy()
one_lost_of_many[3] = [0, 0, 0, 0, 30, 0, 0, 0]

good = spread([[285, 15], [12, 288]])

CASES = {
    "good": (good, "yes", None),
    "good, many classes": (spread(many_classes), "yes", None),
    "good without groups": (measured([[285, 15], [12, 288]]), "yes", None),
    "majority only": (spread([[0, 5], [0, 55]]), "no", "limit-not-above-chance"),
    "finds none of five": (measured([[0, 5], [0, 55]]), "no", "limit-not-above-chance"),
    "guessing": (spread([[52, 48], [49, 51]]), "no", "limit-not-above-chance"),
    "slightly better than guessing": (spread([[580, 420], [420, 580]]), "no", "limit-not-above-chance"),
    "one of three classes lost": (spread([[95, 5, 0], [3, 97, 0], [60, 35, 5]]), "no", "limit-class-lost"),
    "one of eight classes lost": (spread(one_lost_of_many), "care", "limit-class-lost-of-many"),
    "leaking": (dataclasses.replace(good, n_leaks=7), "no", "limit-leaks"),
    "leakage allowed": (
        dataclasses.replace(good, n_leaks=0),
        "care",
        "limit-leakage-allowed",
    ),
    "published protocol": (
        dataclasses.replace(good, protocol=("checkpoint_selection_set",)),
        "care",
        "limit-protocol",
    ),
    "validation images": (
        measured([[285, 15], [12, 288]], n_groups=20, split="val"),
        "care",
        "limit-validation-images",
    ),
    "tiny test set": (measured([[10, 0], [1, 9]]), "care", "limit-few-test-images"),
    "three groups": (measured([[96, 4], [3, 97]], n_groups=1), "care", "limit-too-few-groups"),
    "eight groups": (measured([[96, 4], [3, 97]], n_groups=4), "care", "limit-few-groups"),
    "wide interval": (measured([[32, 8], [6, 34]], n_groups=8, is_clustered=True), "care", "limit-wide-interval"),
    "often wrong": (spread([[350, 150], [160, 340]]), "care", "limit-weak"),
    "a weak class": (spread([[97, 3, 0], [2, 98, 0], [5, 55, 40]]), "care", "limit-weak-classes"),
    "one percent, false alarms": (spread([[18, 2], [90, 1890]]), "care", "limit-false-alarms"),
    "miscalibrated": (measured([[240, 60], [60, 240]], n_groups=20, confidence=0.99), "care", "limit-miscalibrated"),
}


@pytest.mark.parametrize("case", CASES)
def test_verdicts_of_constructed_results(case: str) -> None:
    metrics, use, code = CASES[case]
    verdict = verdict_of_metrics(metrics)
    assert verdict.use == use, verdict
    assert (verdict.reasons[0].code == code) if code else all(each.severity == "note" for each in verdict.reasons)
    assert use == "yes" or verdict.reasons[0].claim in verdict.headline


def test_a_class_without_test_images_is_not_usable_without_care() -> None:
    verdict = verdict_of_metrics(spread([[285, 15, 0], [12, 288, 0], [0, 0, 0]]))
    assert (verdict.use, verdict.reasons[0].code) == ("care", "limit-class-without-test-image")


def test_worst_reasons_come_first_and_every_rule_has_texts_in_both_languages() -> None:
    metrics = dataclasses.replace(measured([[0, 5], [0, 20]], split="val"), n_leaks=3)
    for language in ("en", "de"):
        with in_language(language):
            verdict = verdict_of_metrics(metrics)
            assert all(reason.claim and reason.meaning for reason in verdict.reasons)
    severities = [reason.severity for reason in verdict.reasons]
    assert severities == sorted(severities, key=("no", "care", "note").index)
    assert verdict.use == "no"
    assert {"limit-leaks", "limit-not-above-chance"} <= {each.code for each in verdict.reasons}
    assert verdict.further == tuple(each for each in verdict.reasons[1:] if each.severity != "note")


def test_each_rule_of_metrics_applies_to_a_constructed_result() -> None:
    """No rule is dead: each one applies somewhere."""
    results = [metrics for metrics, _, _ in CASES.values()]
    results.append(empty_evaluation(("a", "b"), split="test", primary="macro_f1", reason="no image"))
    results += [
        spread([[285, 15, 0], [12, 288, 0], [0, 0, 0]]),
        measured([[5, 1], [1, 60]]),
        spread([[95, 5], [5, 895]]),
    ]
    results += [measured([[96, 4], [3, 97]], n_groups=8), measured([[38, 2], [2, 38]])]
    applied = {(reason.code, reason.severity) for each in results for reason in verdict_of_metrics(each).reasons}
    assert {(rule.code, rule.severity) for rule in RULES_OF_METRICS} == applied


def test_classes_without_test_images_and_thresholds_are_not_called_guessing() -> None:
    only_negative = verdict_of_metrics(spread([[1990, 12], [0, 0]]))
    assert {each.code for each in only_negative.reasons}.isdisjoint({"limit-false-alarms", "limit-like-majority-class"})
    two_of_eight = many_classes * np.array([[1], [1], [0], [0], [0], [0], [0], [0]])
    assert verdict_of_metrics(spread(two_of_eight)).use == "care"
    few = verdict_of_metrics(spread([[98, 2, 0], [1, 99, 0], [3, 0, 0]]))  # 3 images are no proof
    assert "limit-class-lost" not in {each.code for each in few.reasons}
    probability = np.array([[0.4 + 0.2 * k, 0.6 - 0.2 * k] for k in (0, 1) for _ in range(100)])
    label = np.repeat([1, 0], 100)
    predicted = np.array([1] * 100 + [1] * 85 + [0] * 15)  # sensitivity 1 at specificity .15, by a threshold
    decided = evaluate_predictions(
        probability, label, ["a", "b"], split="test", primary="macro_f1", predicted=predicted
    )
    verdict = verdict_of_metrics(decided)
    assert (verdict.use, "limit-weak-classes" in {each.code for each in verdict.reasons}) == ("care", True)


def test_serious_findings_are_findings() -> None:
    assert set(FINDINGS) >= set(SERIOUS_FINDINGS)


def test_rules_have_distinct_codes_and_texts_for_each_severity() -> None:
    rules = [(rule.code, rule.severity) for rule in RULES_OF_METRICS]
    rules += [(rule.code, rule.severity) for rule in RULES_OF_RUNS]
    assert len(rules) == len(set(rules))
    assert all(has_entry(code) and has_entry(f"{code}.meaning") for code, _ in rules)
