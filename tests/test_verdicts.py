"""The verdict on constructed results: whether to use the classifier, and by which rule."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest

from coverslip.datasets.quality.findings import FINDINGS
from coverslip.evaluation.results import Evaluation, FoldsScores
from coverslip.evaluation.summary import empty_evaluation, evaluate_predictions
from coverslip.messages import has_entry, in_language, text
from coverslip.reports.reported import MANY_CLASSES, N_HARDEST
from coverslip.reports.sections.classes import summary_table
from coverslip.reports.verdict import RULES_OF_METRICS, RULES_OF_RUNS, SERIOUS_FINDINGS, verdict_of


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
two_right_classes = [[60, 0, 0], [0, 60, 0]]  # of three

# By name: the metrics, the expected use, and the expected code of the first reason that is not a note, as a
# statistician judged them who had not seen the rules.
CASES = {
    "good": (good, "yes", None),
    "good, many classes": (spread(many_classes), "yes", None),
    "good without groups": (measured([[285, 15], [12, 288]]), "yes", None),
    "good, 60 images without groups": (measured([[28, 2], [3, 27]]), "yes", None),
    "one class less good": (spread([[97, 3, 0], [2, 98, 0], [5, 25, 70]]), "yes", None),
    "few images of a class, all right": (measured([[90, 6, 0], [2, 98, 0], [0, 0, 5]]), "care", "limit-unsure-classes"),
    "majority only": (spread([[0, 5], [0, 55]]), "no", "limit-not-above-chance"),
    "majority only, no groups": (measured([[0, 30], [0, 300]]), "no", "limit-not-above-chance"),
    "finds none of five": (measured([[0, 5], [0, 55]]), "no", "limit-not-above-chance"),
    "guessing": (spread([[52, 48], [49, 51]]), "no", "limit-not-above-chance"),
    "worse than guessing": (
        measured((27 * np.eye(4, k=1) + 3 * np.eye(4)).astype(int)),
        "no",
        "limit-not-above-chance",
    ),
    "slightly better than guessing": (spread([[580, 420], [420, 580]]), "no", "limit-not-above-chance"),
    "62 of 100 where 50 are by chance": (spread([[310, 190], [190, 310]]), "no", "limit-not-above-chance"),
    "one of three classes lost": (spread([[95, 5, 0], [3, 97, 0], [60, 35, 5]]), "no", "limit-class-lost"),
    "one of eight classes lost": (spread(one_lost_of_many), "care", "limit-class-lost-of-many"),
    "none of 100 found, in few groups": (
        measured([[90, 10, 0, 0], [5, 95, 0, 0], [0, 0, 100, 0], [50, 50, 0, 0]], n_groups=15),
        "care",
        "limit-class-lost-of-many",
    ),
    "one of three never found, in few groups": (
        measured([[90, 10, 0], [5, 95, 0], [50, 50, 0]], n_groups=15),
        "no",
        "limit-class-lost",
    ),
    "2 of 3 of the rare class": (measured([[300, 0], [1, 2]]), "unknown", "limit-unsure-classes"),
    "finds 3 of 9 without false alarms": (measured([[100, 0], [6, 3]]), "care", "limit-unsure-classes"),
    "a class with 0 of 4": (measured([*two_right_classes, [2, 2, 0]]), "care", "limit-unsure-classes"),
    "a class with 1 of 9": (measured([*two_right_classes, [4, 4, 1]]), "care", "limit-weak-classes"),
    "a class with 2 of 9": (measured([*two_right_classes, [4, 3, 2]]), "care", "limit-unsure-classes"),
    "a class with 3 of 3": (measured([*two_right_classes, [0, 0, 3]]), "care", "limit-unsure-classes"),
    "28 images, a class with 5 of 9": (measured([[9, 1, 0], [1, 8, 0], [2, 2, 5]]), "care", "limit-unsure-classes"),
    "a weak class": (spread([[97, 3, 0], [2, 98, 0], [15, 55, 30]]), "care", "limit-weak-classes"),
    "a class of which many are missed": (spread([[60, 40], [0, 900]]), "care", "limit-unsure-classes"),
    "a class that may be weak": (spread([[97, 3, 0], [2, 98, 0], [5, 50, 45]]), "care", "limit-unsure-classes"),
    "one percent, false alarms": (spread([[18, 2], [90, 1890]]), "care", "limit-false-alarms"),
    "5 of 11 predictions right": (measured([[5, 0], [6, 189]]), "care", "limit-unsure-classes"),
    "9 of 14 predictions right": (measured([[9, 1], [5, 185]]), "care", "limit-unsure-predictions"),
    "wrong more often than right": (spread((8 * np.eye(8, dtype=int) + 2).tolist()), "no", "limit-mostly-wrong"),
    "often wrong": (spread([[350, 150], [160, 340]]), "care", "limit-weak"),
    "may be often wrong": (measured([[48, 12], [12, 48]]), "care", "limit-unsure-average"),
    "leaking": (dataclasses.replace(good, n_leaks=7), "unknown", "limit-leaks"),
    "leakage allowed": (dataclasses.replace(good, n_leaks=0), "care", "limit-leakage-allowed"),
    "published protocol": (dataclasses.replace(good, protocol=("checkpoint_selection_set",)), "care", "limit-protocol"),
    "validation images": (dataclasses.replace(good, split="val"), "care", "limit-validation-images"),
    "tiny test set": (measured([[10, 0], [1, 9]]), "care", "limit-wide-interval"),
    "8 of 8 images": (measured([[4, 0], [0, 4]]), "care", "limit-unsure-classes"),
    "too small for any claim": (measured([[5, 3], [3, 5]]), "unknown", "limit-chance-not-excluded"),
    "three groups": (measured([[96, 4], [3, 97]], n_groups=1), "unknown", "limit-too-few-groups"),
    "eight groups": (measured([[96, 4], [3, 97]], n_groups=4), "care", "limit-few-groups"),
    "good on most groups only": (
        measured([[32, 8], [6, 34]], n_groups=8, is_clustered=True),
        "care",
        "limit-unsure-classes",
    ),
    "a class without a test image": (
        spread([[285, 15, 0], [12, 288, 0], [0, 0, 0]]),
        "care",
        "limit-class-without-test-image",
    ),
    "uncalibrated": (measured([[270, 30], [30, 270]], n_groups=20, confidence=0.999), "care", "limit-miscalibrated"),
    "too low probabilities": (measured([[190, 10], [10, 190]], n_groups=20, confidence=0.7), "yes", None),
    "no image": (
        empty_evaluation(("a", "b"), split="test", primary="macro_f1", reason="none"),
        "unknown",
        "limit-no-test-image",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_verdicts_of_constructed_results(case: str) -> None:
    metrics, use, code = CASES[case]
    verdict = verdict_of(metrics)
    assert verdict.use == use, verdict
    assert (verdict.reasons[0].code == code) if code else all(each.severity == "note" for each in verdict.reasons)
    assert use == "yes" or verdict.reasons[0].claim in verdict.headline


@pytest.mark.parametrize(
    ("case", "kind"),
    [
        ("majority only", "constant"),
        ("majority only, no groups", "constant"),
        ("finds none of five", "constant"),
        ("worse than guessing", "worse"),
        ("slightly better than guessing", "hardly"),
        ("guessing", "not-shown"),
    ],
)
def test_what_is_shown_of_a_classifier_that_is_not_above_chance(case: str, kind: str) -> None:
    metrics = CASES[case][0]
    rule = RULES_OF_METRICS[0]
    (parameters,) = rule.parameters(metrics)
    assert (rule.code, parameters["kind"]) == ("limit-not-above-chance", kind)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("one of three classes lost", "limit-wide-interval"),  # the accuracy of groups of single classes is known well
        ("one of three classes lost", "limit-unsure-predictions"),
        ("slightly better than guessing", "limit-unsure-predictions"),
        ("a weak class", "limit-unsure-predictions"),
        ("a class that may be weak", "limit-unsure-predictions"),
        ("one of eight classes lost", "limit-false-alarms"),  # 0 of 4
        ("finds none of five", "limit-weak-classes"),  # 0 of 5
        ("wrong more often than right", "limit-weak"),
        ("majority only", "limit-wide-interval"),  # it is known that it gives one class
        ("guessing", "limit-unsure-classes"),
        ("guessing", "limit-like-majority-class"),  # its classes have equal sizes, so accuracy is not misleading
        ("majority only", "limit-like-majority-class"),  # it is that rule
        ("one of three classes lost", "limit-unsure-average"),  # one class is known to be lost
        ("a class with 0 of 4", "limit-weak-classes"),
    ],
)
def test_no_claim_is_made_that_the_evidence_does_not_bear(case: str, code: str) -> None:
    assert code not in {reason.code for reason in verdict_of(CASES[case][0]).reasons}


@pytest.mark.parametrize(
    ("case", "action", "parts"),
    [
        ("no image", "", ("test images",)),
        ("published protocol", "test-more", ("this step",)),
        ("eight groups", "test-more", ("patients", "split.folds")),
        ("three groups", "test-more", ("patients",)),
        ("few images of a class, all right", "test-more", ("at least 30", "class 2")),
        ("good on most groups only", "test-more", ("class 0", "class 1", "further patients")),
        ("a class that may be weak", "label-more", ("class 2",)),
        ("a class of which many are missed", "label-more", ("class 0",)),  # 100 test images say enough
        ("tiny test set", "test-more", ("name these first",)),  # folds without groups would share patients too
        ("finds 3 of 9 without false alarms", "label-more", ("class 1",)),
        ("worse than guessing", "", ("exchanged or shifted",)),
        ("uncalibrated", "", ("only its classes",)),
        ("majority only", "label-more", ("other classes",)),
        ("9 of 14 predictions right", "test-more", ("at least 30", "class 0")),
    ],
)
def test_the_next_step_is_one_that_helps(case: str, action: str, parts: tuple[str, ...]) -> None:
    verdict = verdict_of(CASES[case][0])
    assert verdict.action == action
    assert all(part in verdict.next_step for part in parts), verdict.next_step
    with in_language("de"):
        assert verdict_of(CASES[case][0]).next_step != verdict.next_step


def test_cross_validation_is_a_next_step_of_a_single_split_only() -> None:
    for case in ("tiny test set", "few images of a class, all right", "eight groups", "validation images"):
        metrics = CASES[case][0]
        assert "split.folds" in verdict_of(metrics).next_step
        for split in ("out-of-fold", "other_lab"):
            verdict = verdict_of(dataclasses.replace(metrics, split=split), is_external=split == "other_lab")
            assert "split.folds" not in verdict.next_step, (case, split)
            assert not any("Cross-validation" in reason.meaning for reason in verdict.reasons)
    assert "Cross-validation" in verdict_of(CASES["three groups"][0]).reasons[0].meaning
    of_folds = dataclasses.replace(CASES["few images of a class, all right"][0], split="out-of-fold")
    again = verdict_of(dataclasses.replace(of_folds, folds=FoldsScores(per_fold=(), mean={})))
    assert all(part in again.next_step for part in ("at least 30", "class 2", "train again"))
    assert "train again" not in verdict_of(of_folds).next_step


def test_probabilities_are_too_high_or_too_low() -> None:
    rules = [rule for rule in RULES_OF_METRICS if rule.code == "limit-miscalibrated"]

    def found(metrics: Evaluation) -> list[tuple[str, str]]:
        return [(rule.severity, each["kind"]) for rule in rules for each in rule.parameters(metrics)]

    for case in ("uncalibrated", "worse than guessing"):
        assert found(CASES[case][0]) == [("care", "high")]
    assert found(measured([[270, 30], [30, 270]], n_groups=20, confidence=0.6)) == [("note", "low")]
    assert not found(measured([[8, 0], [0, 8]], confidence=0.9))  # too few images to say


def test_a_class_of_two_that_is_not_known_is_one_reason() -> None:
    reasons = verdict_of(CASES["2 of 3 of the rare class"][0]).reasons
    assert [each.severity for each in reasons if each.code == "limit-unsure-classes"] == ["unknown"]


def test_two_classes_that_are_confused_with_each_other_are_the_next_step() -> None:
    counts = [[200, 0, 0, 0], [0, 200, 0, 0], [0, 0, 105, 95], [0, 0, 98, 102]]
    verdict = verdict_of(measured(counts, n_groups=20))
    assert all(f"class {k}" in verdict.next_step for k in (2, 3))
    merged = text("verdict-action", action="label-more", classes="x", confused="y")
    assert merged.partition("y")[2][:30] in verdict.next_step
    apart = measured([[200, 0, 0], [0, 200, 0], [60, 60, 80]], n_groups=20)
    assert merged.partition("y")[2][:30] not in verdict_of(apart).next_step


def test_numbers_of_test_images_are_not_shown_as_certain() -> None:
    """The claim states the interval, and the lead what would change the verdict."""
    verdict = verdict_of(measured([[100, 0], [6, 3]]))
    assert all(part in verdict.headline for part in ("3 of 9", "7.5%", "70.1%"))
    assert verdict_of(measured([[28, 2], [3, 27]])).reasons[0].action == "name-groups"
    assert verdict_of(good).next_step == ""


def test_worst_reasons_come_first_and_every_rule_has_texts_in_both_languages() -> None:
    metrics = dataclasses.replace(measured([[0, 5], [0, 20]], split="val"), n_leaks=3)
    for language in ("en", "de"):
        with in_language(language):
            verdict = verdict_of(metrics)
            assert all(reason.claim and reason.meaning for reason in verdict.reasons)
    severities = [reason.severity for reason in verdict.reasons]
    assert severities == sorted(severities, key=("no", "unknown", "care", "note").index)
    assert verdict.use == "no"
    assert {"limit-leaks", "limit-not-above-chance"} <= {each.code for each in verdict.reasons}
    assert verdict.further == tuple(each for each in verdict.reasons[1:] if each.severity != "note")


def test_each_rule_of_metrics_applies_to_a_constructed_result() -> None:
    """No rule is dead: each one applies somewhere."""
    results = [metrics for metrics, _, _ in CASES.values()]
    results += [measured([[5, 1], [1, 60]]), spread([[95, 5], [5, 895]]), measured([[96, 4], [3, 97]], n_groups=8)]
    applied = {(reason.code, reason.severity) for each in results for reason in verdict_of(each).reasons}
    assert {(rule.code, rule.severity) for rule in RULES_OF_METRICS} == applied


def test_another_threshold_is_the_next_step_with_two_classes_only() -> None:
    two, three = spread([[18, 2], [90, 1890]]), spread([[18, 2, 0], [90, 1890, 0], [0, 0, 500]])
    actions = [
        {each.code: each.action for each in verdict_of(metrics).reasons}["limit-false-alarms"]
        for metrics in (two, three)
    ]
    assert actions == ["choose-threshold", "label-more"]


def test_classes_without_test_images_and_thresholds_are_not_called_guessing() -> None:
    only_negative = verdict_of(spread([[1990, 12], [0, 0]]))
    assert {each.code for each in only_negative.reasons}.isdisjoint({"limit-false-alarms", "limit-like-majority-class"})
    two_of_eight = many_classes * np.array([[1], [1], [0], [0], [0], [0], [0], [0]])
    assert verdict_of(spread(two_of_eight)).use == "care"
    few = verdict_of(spread([[98, 2, 0], [1, 99, 0], [3, 0, 0]]))  # 3 images are no proof
    assert (few.use, few.reasons[0].code) == ("care", "limit-unsure-classes")
    probability = np.array([[0.4 + 0.2 * k, 0.6 - 0.2 * k] for k in (0, 1) for _ in range(100)])
    label = np.repeat([1, 0], 100)
    predicted = np.array([1] * 100 + [1] * 85 + [0] * 15)  # sensitivity 1 at specificity .15, by a threshold
    decided = evaluate_predictions(
        probability, label, ["a", "b"], split="test", primary="macro_f1", predicted=predicted
    )
    verdict = verdict_of(decided)
    assert (verdict.use, "limit-weak-classes" in {each.code for each in verdict.reasons}) == ("care", True)


def test_serious_findings_are_findings() -> None:
    assert set(FINDINGS) >= set(SERIOUS_FINDINGS)


def test_rules_have_distinct_codes_and_texts_for_each_severity() -> None:
    rules = [(rule.code, rule.severity) for rule in RULES_OF_METRICS]
    rules += [(rule.code, rule.severity) for rule in RULES_OF_RUNS]
    assert len(rules) == len(set(rules))
    assert all(has_entry(code) and has_entry(f"{code}.meaning") for code, _ in rules)


def test_verdict_and_tables_name_the_class_with_the_lowest_recall() -> None:
    counts = np.diag([1000, *[300] * MANY_CLASSES])
    counts[0, :2] = (850, 150)  # the F1 of class 1 is lower, as a third of its predictions are wrong
    metrics = measured(counts.tolist(), n_groups=20)
    scores = metrics.per_class
    assert (scores["class 1"].metrics["f1"].value or 1) < (scores["class 0"].metrics["f1"].value or 0)
    assert text("verdict-weakest-class", label="class 0", n_correct=850, n_images=1000) in verdict_of(metrics).headline
    assert [row[0] for row in summary_table(metrics).rows[:2]] == ["class 0", "class 1"]
    assert len(summary_table(metrics).rows) == N_HARDEST
