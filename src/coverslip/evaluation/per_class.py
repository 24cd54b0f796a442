"""How well each class is separated from the others, with intervals."""

import numpy as np

from coverslip.evaluation.influence import Influence, influence_on_counts, influence_on_proportion
from coverslip.evaluation.intervals import Units, metric_with_interval
from coverslip.evaluation.metrics import Margins, check_arrays
from coverslip.evaluation.ranking import OfScore, auroc, average_precision
from coverslip.evaluation.results import ClassScores, Metric
from coverslip.messages import text


def per_class(
    probability: np.ndarray, label: np.ndarray, predicted: np.ndarray | None = None, group: np.ndarray | None = None
) -> list[ClassScores]:
    """Return the scores of each class, in order.

    They are `precision` (PPV), `recall` (sensitivity), `specificity`, `npv` (negative predictive value), `f1`, `auroc`
    and `average_precision`. A number that is not defined is None, and its `reason` says why.
    Args and errors as in `evaluation.metric_intervals`.
    """
    check_arrays(probability, label)
    if predicted is None:
        predicted = probability.argmax(axis=1)
    units = Units.of((label == 0).astype(int), group, 2)
    return [_one_class(probability[:, k], label == k, predicted == k, units) for k in range(probability.shape[1])]


def _one_class(score: np.ndarray, is_class: np.ndarray, is_predicted: np.ndarray, units: Units) -> ClassScores:
    units = Units(units.code, units.n, is_class.astype(int), 2, units.has_groups)
    n, n_predicted, n_images = int(is_class.sum()), int(is_predicted.sum()), len(is_class)
    absent = text("class-without-images") if n == 0 else None
    unpredicted = text("class-never-predicted") if n_predicted == 0 else None
    alone = text("class-of-all-images") if n == n_images else None
    always = text("class-always-predicted") if n_predicted == n_images else None
    missing = [reason for reason in (absent, unpredicted, alone) if reason]
    return ClassScores(
        n=n,
        metrics={
            "precision": _share(is_class, is_predicted, units, unpredicted),
            "recall": _share(is_predicted, is_class, units, absent),
            "specificity": _share(~is_predicted, ~is_class, units, alone),
            "npv": _share(~is_class, ~is_predicted, units, always),
            "f1": _f1(is_class, is_predicted, units, absent),
            "auroc": _of_ranking(auroc, score, is_class, units, absent or alone),
            "average_precision": _of_ranking(average_precision, score, is_class, units, absent),
        },
        reason="; ".join(missing) or None,
    )


def _share(is_right: np.ndarray, is_counted: np.ndarray, units: Units, missing: str | None) -> Metric:
    if missing:
        return Metric(value=None, method=units.method, reason=missing)
    influence = influence_on_proportion(is_right, is_counted, units.label, 2)
    return metric_with_interval(float(is_right[is_counted].mean()), influence, units, "share")


def _f1(is_class: np.ndarray, is_predicted: np.ndarray, units: Units, missing: str | None) -> Metric:
    if missing:
        return Metric(value=None, method=units.method, reason=missing)
    influence = influence_on_counts(_f1_of_margins, is_class.astype(int), is_predicted.astype(int), 2)
    value = 2 * int((is_class & is_predicted).sum()) / int(is_class.sum() + is_predicted.sum())
    return metric_with_interval(value, influence, units, "share", n_groups=units.n_groups(is_class | is_predicted))


def _f1_of_margins(margins: Margins) -> np.ndarray:
    """Of the second of two classes."""
    right, n_true, n_predicted = (each[..., 1] for each in margins)
    f1: np.ndarray = 2 * right / (n_true + n_predicted)
    return f1


def _of_ranking(
    of_score: OfScore, score: np.ndarray, is_class: np.ndarray, units: Units, missing: str | None
) -> Metric:
    if missing:
        return Metric(value=None, method=units.method, reason=missing)
    ranked = of_score(score, is_class)
    positive, negative = ranked.of_worst
    influence = Influence(
        ranked.of_image, np.array([negative, positive]) ** 2 / 2, ranked.value + (positive + negative) / 2
    )
    n_groups = units.n_groups(is_class) if is_class.all() else min(map(units.n_groups, (is_class, ~is_class)))
    return metric_with_interval(ranked.value, influence, units, "share", n_groups=n_groups)
