"""From probabilities to classes: decision rules, operating points, abstention and prediction sets.

The predicted class is the most probable class, or the class whose probability is largest relative to its threshold.

Tran, Meunier and Cheriet (Multi-domain learning CNN model for microscopy image classification) propose to take the
threshold of a class from its ROC curve: their network ranked a lymphoma well, but did not predict it. They leave the
point open. Here it is the point of the one-vs-rest curve on validation images with the largest sensitivity +
specificity - 1 (Youden 1950, Index for Rating Diagnostic Tests).

For calibrated probabilities, the threshold at this point is the proportion of the class. Division by it removes the
advantage of frequent classes: balanced accuracy tends to increase, while accuracy and the precision of rare classes
tend to decrease. Each threshold is optimal for its class against the rest. Thresholds are not optimized jointly, which
would overfit few validation images.

With two classes, the threshold can instead follow from a target sensitivity or specificity of the positive class, or be
set by the user. On new images, a threshold that just reaches the target on validation images misses it more often than
not. Therefore the lower bound of the metric reaches the target (`lower_bounds`).

Prediction sets contain the true class of a specified share of images of each class (class-conditional split-conformal
prediction).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from coverslip.evaluation.intervals import group_codes
from coverslip.messages import Message, message

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Aim = Literal["sensitivity", "specificity"]

# Probabilities are compared with the number of digits in predictions.csv. A threshold between finer values would not
# separate them in that file, and with a threshold nearer to 0, a tiny probability would outweigh a certain prediction.
_DIGITS = 6
# Images required for a threshold. With a single image of a class, the best point is just below the score of that image,
# which may be near 0: with 3 basophils among 351 cells (blood_bccd), a fold predicted 113 of 117 cells as basophils.
FEWEST_OF_A_CLASS = 5


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The threshold of one class, and its sensitivity and specificity on the images for its choice."""

    threshold: float  # in (0, 1)
    n: int  # images of the class
    sensitivity: float | None  # share of the class at or above the threshold; None with a `reason`
    specificity: float | None  # share of the other images below it
    reason: Message | None = None  # why the threshold is the default 1 / n_classes, or does not show its target
    least_sensitivity: float | None = None  # lower bound for further images of new groups; None for other rules
    least_specificity: float | None = None


def operating_points(probability: np.ndarray, label: np.ndarray) -> tuple[OperatingPoint, ...]:
    """Return the point of each class's ROC curve with the largest Youden index.

    Thresholds are midpoints between neighboring probabilities. Of equally good thresholds, the one nearest to
    1 / n_classes is taken, and the lower of two equally near ones. If the curve is not informative (fewer than 5 images
    of the class, or of all others, or no threshold better than chance), the threshold is 1 / n_classes.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1. There may be no images.
        label: (n_images,) int in [0, n_classes).

    Returns:
        One point per class. With two classes, the second threshold is 1 minus the first, so that `decided_classes`
        returns the first class exactly if its probability reaches its threshold.
    """
    n_classes = probability.shape[1]
    points = tuple(_operating_point(probability[:, k], label == k, 1 / n_classes) for k in range(n_classes))
    if n_classes != 2:
        return points
    first, second = points
    return first, _opposite_point(first, second.n, second.reason)


def target_points(
    probability: np.ndarray,
    label: np.ndarray,
    *,
    positive: int,
    aim: Aim,
    share: float,
    group: np.ndarray | None = None,
) -> tuple[OperatingPoint, OperatingPoint]:
    """Return, for two classes, the threshold with the target sensitivity or specificity and the best other metric.

    Args:
        probability: (n_images, 2) float, calibrated; rows sum to 1. There may be no images.
        label: (n_images,) int, 0 or 1.
        positive: number of the class to detect.
        aim: metric with the target.
        share: least lower bound of this metric, in (0, 1].
        group: (n_images,) names of groups, or None without groups.

    Returns:
        One point per class, as of `operating_points`; 1/2 if either class has fewer than 5 images, or if no threshold
        is shown to be better than chance at the 90% level (`_least_youden`). If no such threshold shows the target, the
        threshold has the highest bound, and the point of the positive class a reason.
    """
    is_positive = label == positive
    n, n_other = int(is_positive.sum()), int((~is_positive).sum())

    def refused(reason: Message) -> tuple[OperatingPoint, OperatingPoint]:
        point = OperatingPoint(0.5, n, None, None, reason)
        return _by_class(positive, point, _opposite_point(point, n_other, reason))

    if min(n, n_other) < FEWEST_OF_A_CLASS:
        return refused(_few_images_reason("this" if n < FEWEST_OF_A_CLASS else "other"))
    curve = threshold_curve(probability[:, positive], is_positive)
    shares = curve.sensitivity, curve.specificity
    least = [
        lower_bounds(reached, probability[side, positive], None if group is None else group[side])
        for reached, side in zip(shares, (is_positive, ~is_positive), strict=True)
    ]
    is_useful = shares[0] + shares[1] - 1 > _least_youden(probability[:, positive], is_positive, group)
    if not is_useful.any():
        return refused(message("no-threshold-above-chance"))
    bound = np.where(is_useful, least[0] if aim == "sensitivity" else least[1], 0)
    enough = np.flatnonzero(is_useful & (bound >= min(share, float(bound.max())) - 1e-9))
    k = int(enough[-1] if aim == "sensitivity" else enough[0])  # thresholds rise
    first, second = points_at(probability, label, positive=positive, threshold=float(curve.threshold[k]), group=group)
    if bound[k] >= share - 1e-9:
        return first, second
    reason = message(
        "target-not-shown",
        aim=aim,
        n_images=n if aim == "sensitivity" else n_other,
        target=share,
        bound=float(bound[k]),
    )
    return (first, replace(second, reason=reason)) if positive == 1 else (replace(first, reason=reason), second)


def points_at(
    probability: np.ndarray, label: np.ndarray, *, positive: int, threshold: float, group: np.ndarray | None = None
) -> tuple[OperatingPoint, OperatingPoint]:
    """Return, for two classes, the operating points of a given threshold on these images.

    Args:
        probability, label, group: as of `target_points`.
        positive: number of the class with this threshold.
        threshold: in (0, 1).

    Returns:
        One point per class; shares are None without images of the class.
    """
    is_positive, score = label == positive, np.round(probability[:, positive], _DIGITS)
    is_correct = (score >= threshold) == is_positive
    shares: list[tuple[float, float] | tuple[None, None]] = []
    for side in (is_positive, ~is_positive):
        if not side.any():
            shares.append((None, None))
            continue
        share = is_correct[side].mean()
        bound = lower_bounds(share, score[side], None if group is None else group[side])
        shares.append((float(share), float(bound)))
    (sensitivity, least_sensitivity), (specificity, least_specificity) = shares
    point = OperatingPoint(
        threshold, int(is_positive.sum()), sensitivity, specificity, None, least_sensitivity, least_specificity
    )
    return _by_class(positive, point, _opposite_point(point, int((~is_positive).sum()), None))


def _by_class(positive: int, point: OperatingPoint, opposite: OperatingPoint) -> tuple[OperatingPoint, OperatingPoint]:
    """Return the point of the class to detect and that of the other class, in the order of the classes."""
    return (opposite, point) if positive == 1 else (point, opposite)


BOUND_LEVEL = 0.9  # confidence level of lower bounds of sensitivity and specificity
_CORRELATION_LEVEL = 0.75  # of the correlation within groups in these bounds


def lower_bounds(reached: np.ndarray, score: np.ndarray, group: np.ndarray | None) -> np.ndarray:
    """Return the lower 90% bounds of shares of the images of a class, for further images of new groups.

    For single images, it is the bound of Clopper and Pearson (1934). With groups, it is that of a smaller number of
    independent images, by the correlation of scores within groups (of the ranks, on the scale of a normal
    distribution). The correlation of being correct follows from it for each share.

    Args:
        reached: (...) shares of these images that thresholds decide correctly.
        score: (n,) of the images, n > 0.
        group: (n,) names of groups, or None without groups.

    Source: benchmarks/NOT_KEPT.md compares it with the share of the images itself.
    """
    from scipy.special import betaincinv

    n_independent = _n_independent(reached, score, group)
    bounds: np.ndarray = betaincinv(
        np.maximum(n_independent * reached, 1e-9), n_independent * (1 - reached) + 1, 1 - BOUND_LEVEL
    )
    return bounds


def _least_youden(score: np.ndarray, is_class: np.ndarray, group: np.ndarray | None) -> float:
    """Return Youden's index that some threshold of scores without information exceeds with a probability of 10%.

    With groups, the numbers of independent images are those of `lower_bounds`, for shares of 1/2.

    Source: Smirnov 1939, the one-sided test of two samples. Bounds of single thresholds would find a threshold above
    chance for too many classifiers without information, since each threshold is a test.
    """
    n_independent = (
        _n_independent(np.array(0.5), score[side], None if group is None else group[side])
        for side in (is_class, ~is_class)
    )
    return math.sqrt(-math.log(1 - BOUND_LEVEL) / 2 * float(sum(1 / n for n in n_independent)))


def _n_independent(reached: np.ndarray, score: np.ndarray, group: np.ndarray | None) -> np.ndarray:
    """Return the number of independent images that estimate shares as precisely, as of `lower_bounds`."""
    from scipy.special import ndtr, ndtri, owens_t

    n = len(score)
    likely = np.clip(reached, 0.5 / n, 1 - 0.5 / n)
    correlation, n_others = (0.0, 0.0) if group is None else _similarity(score, group_codes(group))
    deviate = ndtri(likely)
    of_pairs = ndtr(deviate) - 2 * owens_t(deviate, ((1 - correlation) / (1 + correlation)) ** 0.5)
    n_independent: np.ndarray = n / (1 + (of_pairs - likely**2) / (likely * (1 - likely)) * n_others)
    return n_independent


def _similarity(score: np.ndarray, unit: np.ndarray) -> tuple[float, float]:
    """Return the intraclass correlation of the ranks of scores, and the mean number of other images in a unit.

    A few units can resemble each other by chance. Therefore the correlation is the upper 75% bound by the F
    distribution of the analysis of variance.
    """
    from scipy.special import fdtri, ndtri

    n, n_of_unit = len(score), np.bincount(unit)
    n_units = len(n_of_unit)
    n_others = float((n_of_unit**2).sum() / n - 1)
    if n_units in (1, n):
        return float(n_units == 1), n_others
    _, level, n_equal = np.unique(score, return_inverse=True, return_counts=True)
    deviate = ndtri((np.cumsum(n_equal) - n_equal / 2)[level] / n)  # of the middle rank of equal scores
    mean = np.bincount(unit, weights=deviate) / n_of_unit
    between = (n_of_unit * (mean - deviate.mean()) ** 2).sum() / (n_units - 1)
    between /= fdtri(n_units - 1, n - n_units, 1 - _CORRELATION_LEVEL)
    within = ((deviate - mean[unit]) ** 2).sum() / (n - n_units)
    total = between + ((n - (n_of_unit**2).sum() / n) / (n_units - 1) - 1) * within
    return float(np.clip((between - within) / total, 0, 1)) if total > 0 else 0.0, n_others


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """Sensitivity and specificity by threshold: (n_thresholds,) each, by rising threshold."""

    threshold: np.ndarray  # in (0, 1), midpoints between neighboring scores, and beyond both ends
    sensitivity: np.ndarray  # share of the class above the threshold
    specificity: np.ndarray  # share of the other images below the threshold


def threshold_curve(score: np.ndarray, is_class: np.ndarray) -> ThresholdCurve:
    """Return every threshold that separates images.

    Args:
        score: (n_images,) float, 0 to 1, high for the class.
        is_class: (n_images,) bool, with both values.
    """
    score = np.round(score, _DIGITS)
    levels = np.unique(score)
    threshold = np.concatenate([[levels[0] / 2], (levels[:-1] + levels[1:]) / 2, [(1 + levels[-1]) / 2]])
    threshold = threshold[(threshold > 0) & (threshold < 1)]
    of_class, of_other_images = np.sort(score[is_class]), np.sort(score[~is_class])
    return ThresholdCurve(
        threshold=threshold,
        sensitivity=1 - np.searchsorted(of_class, threshold) / len(of_class),
        specificity=np.searchsorted(of_other_images, threshold) / len(of_other_images),
    )


@dataclass(frozen=True, slots=True)
class ThresholdNumbers:
    """Metrics of one threshold on some images."""

    threshold: float
    sensitivity: float
    specificity: float
    ppv: float | None  # positive predictive value; None if no image is predicted as positive
    npv: float | None
    least_sensitivity: float  # lower bound for further images of new groups
    least_specificity: float


_MOST_LISTED = 200  # besides that in use, selected evenly


def threshold_numbers(
    score: np.ndarray, is_class: np.ndarray, *, in_use: float, group: np.ndarray | None = None
) -> list[ThresholdNumbers]:
    """Return the highest threshold of each sensitivity, and the threshold in use.

    Args:
        score, is_class: as of `threshold_curve`.
        in_use: a threshold that is always included.
        group: (n_images,) names of groups, or None without groups.

    Returns:
        Metrics by falling threshold, so that sensitivity rises.
    """
    curve, n = threshold_curve(score, is_class), int(is_class.sum())
    n_detected = np.round(curve.sensitivity * n).astype(int)
    highest = np.flatnonzero((np.diff(n_detected, append=-1) != 0) & (n_detected > 0))[::-1]
    selection = (
        np.unique(np.linspace(0, len(highest) - 1, _MOST_LISTED).round().astype(int))
        if len(highest) > _MOST_LISTED
        else ...
    )
    threshold = np.unique([*curve.threshold[highest[selection]].tolist(), in_use])[::-1]
    score = np.round(score, _DIGITS)
    n_other = len(score) - n
    n_detected = n - np.searchsorted(np.sort(score[is_class]), threshold)
    n_rejected = np.searchsorted(np.sort(score[~is_class]), threshold)
    least_sensitivity, least_specificity = (
        lower_bounds(shares, score[side], None if group is None else group[side])
        for shares, side in ((n_detected / n, is_class), (n_rejected / n_other, ~is_class))
    )
    return [
        ThresholdNumbers(
            threshold=float(threshold[k]),
            sensitivity=detected / n,
            specificity=rejected / n_other,
            ppv=detected / n_predicted if (n_predicted := detected + n_other - rejected) else None,
            npv=rejected / n_left if (n_left := n - detected + rejected) else None,
            least_sensitivity=float(least_sensitivity[k]),
            least_specificity=float(least_specificity[k]),
        )
        for k, (detected, rejected) in enumerate(zip(n_detected.tolist(), n_rejected.tolist(), strict=True))
    ]


def _opposite_point(point: OperatingPoint, n: int, reason: Message | None) -> OperatingPoint:
    """Return the point of the opposite class of two, which has `n` images."""
    return OperatingPoint(
        threshold=1 - point.threshold,
        n=n,
        sensitivity=point.specificity,
        specificity=point.sensitivity,
        reason=point.reason and (reason or point.reason),
        least_sensitivity=point.least_specificity,
        least_specificity=point.least_sensitivity,
    )


def _few_images_reason(which: Literal["this", "other", "others"]) -> Message:
    return message("few-validation-images", n_needed=FEWEST_OF_A_CLASS, which=which)


def decided_classes(probability: np.ndarray, thresholds: Sequence[float] | None) -> np.ndarray:
    """Return (n_images,) int: the class with the largest ratio of probability to threshold, the first of equals.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        thresholds: one per class, in (0, 1); None takes the most probable class.
    """
    weighted = probability if thresholds is None else probability / np.asarray(thresholds)
    decided: np.ndarray = weighted.argmax(axis=1)
    return decided


def _operating_point(score: np.ndarray, is_class: np.ndarray, neutral: float) -> OperatingPoint:
    n, n_other = int(is_class.sum()), int((~is_class).sum())
    if min(n, n_other) < FEWEST_OF_A_CLASS:
        return OperatingPoint(neutral, n, None, None, _few_images_reason("this" if n < FEWEST_OF_A_CLASS else "others"))
    score = np.round(score, _DIGITS)
    levels = np.unique(score)
    midway = (levels[:-1] + levels[1:]) / 2
    n_detected = n - np.searchsorted(np.sort(score[is_class]), levels[1:])
    false = n_other - np.searchsorted(np.sort(score[~is_class]), levels[1:])
    index = n_detected * n_other - false * n  # Youden's index times n * n_other, as integers, so that ties are exact
    if index.max(initial=0) <= 0:
        return OperatingPoint(neutral, n, None, None, message("no-threshold-above-chance"))
    best = np.flatnonzero(index == index.max())
    nearest = best[np.argmin(np.abs(midway[best] - neutral))]
    return OperatingPoint(
        float(midway[nearest]), n, float(n_detected[nearest] / n), float(1 - false[nearest] / n_other)
    )


_ERROR_RATIO = 0.5  # target error rate of decided images, as a share of that of all images
_SHARE_DECIDED = 0.8  # least share of decided images
_SHARE_DECIDED_BY_TARGET = 0.2  # the same with a target error rate

DecideBy = Literal["highest", "roc", "sensitivity", "specificity", "threshold"]

# Words in the name of a class that mark it as the negative class.
_NEGATIVE = frozenset(
    {
        *("negative", "neg", "normal", "healthy", "control", "controls", "benign", "uninfected", "unaffected"),
        *("none", "no", "not", "non", "without", "absent", "clean"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRule:
    """How classes are predicted, and the target error rate of decided images."""

    by: DecideBy = "highest"
    positive: int | None = None  # number of the class to detect; None unless there are two classes
    target: float = 0.95  # of its sensitivity or specificity, according to `by`
    threshold: float = 0.5  # probability from which images are predicted as it, if `by` is "threshold"
    error_rate: float | None = None  # target for decided images; None: half of that of all images


def positive_class(classes: Sequence[str], choice: str | None = None) -> str | None:
    """Return the positive class of two, the one to detect; None unless there are two classes.

    Args:
        classes: their names, in order.
        choice: one of them. None takes the class that is opposite to one named negative, normal, healthy, control or
            the like (`uninfected`, `not mitotic`), else the second class.
    """
    if len(classes) != 2:
        return None
    if choice in classes:
        return choice
    is_negative = [bool(_NEGATIVE.intersection(_words(name))) for name in classes]
    return classes[0] if is_negative == [False, True] else classes[1]


def _words(name: str) -> list[str]:
    return "".join(c if c.isalpha() else " " for c in name.casefold()).split()


def learn_decisions(
    probability: np.ndarray, label: np.ndarray, rule: DecisionRule, group: np.ndarray | None = None
) -> tuple[tuple[OperatingPoint, ...] | None, float]:
    """Return the operating points (None if the most probable class is predicted), and the `uncertain_threshold`.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        rule: how classes are predicted; all but `highest` and `roc` need a positive class.
        group: (n_images,) names of groups, or None without groups.
    """
    points = _points(probability, label, rule, group)
    predicted = decided_classes(probability, [point.threshold for point in points] if points else None)
    return points, uncertain_threshold(probability, label, predicted, error_rate=rule.error_rate)


def uncertain_share(probability: np.ndarray, points: Sequence[OperatingPoint] | None, uncertain_below: float) -> float:
    """Return the share of images whose predicted class has a probability below a threshold; 0 without images.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        points: of each class; None if the most probable class is predicted.
        uncertain_below: the threshold.
    """
    if not len(probability):
        return 0.0
    predicted = decided_classes(probability, [point.threshold for point in points] if points else None)
    return float(np.mean(probability[np.arange(len(predicted)), predicted] < uncertain_below))


def _points(
    probability: np.ndarray, label: np.ndarray, rule: DecisionRule, group: np.ndarray | None
) -> tuple[OperatingPoint, ...] | None:
    match rule.by:
        case "highest":
            return None
        case "roc":
            return operating_points(probability, label)
        case "sensitivity" | "specificity":
            assert rule.positive is not None, "a recipe with a target has been checked"
            return target_points(
                probability, label, positive=rule.positive, aim=rule.by, share=rule.target, group=group
            )
        case "threshold":
            assert rule.positive is not None, "a recipe that sets it has been checked"
            return points_at(probability, label, positive=rule.positive, threshold=rule.threshold, group=group)


def uncertain_threshold(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None = None,
    *,
    error_rate: float | None = None,
) -> float:
    """Return the probability below which a prediction is `uncertain`, selected on validation images.

    The classifier abstains on as few images as needed to halve the error rate of decided images, and on at most one
    image in five. If half the error rate is not reachable, the threshold gives the lowest error rate that is reachable
    with that limit. With a target error rate, the classifier abstains on as few images as needed to reach it, and on at
    most four images in five.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the decided class; None takes the most probable class.
        error_rate: target for decided images; None takes half of that of all images.

    Returns:
        A float in [0, 1]. An image is decided if its predicted class has at least this probability. 0.0 if there are no
        validation images, no errors among them, or abstention would not lower the error rate. The threshold is the
        midpoint between the last undecided image and the first decided image, so that rounding changes no decision.
    """
    if len(label) == 0:
        return 0.0
    if predicted is None:
        predicted = probability.argmax(axis=1)
    confidence = probability[np.arange(len(label)), predicted]
    order = np.argsort(confidence, kind="stable")
    confidence, is_wrong = confidence[order], (predicted != label)[order]
    n_images, n_wrong = len(label), int(is_wrong.sum())
    if n_wrong == 0:
        return 0.0
    starts = np.flatnonzero(np.diff(confidence, prepend=-np.inf) > 0)  # equal probabilities stay together
    least_decided = _SHARE_DECIDED if error_rate is None else _SHARE_DECIDED_BY_TARGET
    starts = starts[n_images - starts >= least_decided * n_images]
    n_wrong_decided = n_wrong - np.concatenate([[0], np.cumsum(is_wrong)])[starts]
    error = n_wrong_decided / (n_images - starts)
    most_wrong = _ERROR_RATIO * n_wrong / n_images if error_rate is None else error_rate
    enough = np.flatnonzero(error <= most_wrong)
    first = int(starts[enough[0] if len(enough) else np.argmin(error)])
    return 0.0 if first == 0 else float((confidence[first - 1] + confidence[first]) / 2)


# Prediction sets.

SET_LEVEL = 0.9  # share of images of each class whose prediction set contains it


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """Coverage and size of prediction sets."""

    n: int
    n_covered: int
    n_single: int  # sets of one class
    mean_size: float


def images_needed() -> int:
    """Return the number of images of a class required for a floor; with fewer, the class is in every set."""
    return math.ceil(round(1 / (1 - SET_LEVEL), 9)) - 1


def set_floors(probability: Floats, label: Ints) -> tuple[float, ...] | None:
    """Return (K,) floors, the least probability of each class in a prediction set; None if all classes have few images.

    A class with too few images has a floor of 0 and is in every set. This guarantees its coverage and does not change
    the other classes in sets. A floor from the images of all classes would not guarantee its coverage.

    Args:
        probability: (n, K) of images that were not used for fitting.
        label: (n,) in [0, K).
    """
    floors = [_floor(probability[label == k, k]) for k in range(probability.shape[1])]
    return tuple(floors) if any(floors) else None


def _floor(probability: Floats) -> float:
    """Return the floor of a class from the (n,) probabilities of its images for it."""
    n = len(probability)
    if n < images_needed():
        return 0.0
    # The k-th smallest score 1 - p with k = ceil((n + 1) SET_LEVEL) is the (n + 1 - k)-th smallest probability.
    return float(np.sort(probability)[n - math.ceil(round((n + 1) * SET_LEVEL, 9))])


def classes_in_sets(probability: Floats, floors: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Return (n, K): whether each class is in the prediction set of each image.

    The most probable class is in every set, since it is correct for most images whose set would otherwise be empty.

    Args:
        probability: (n, K).
        floors: (K,) of `set_floors`.
    """
    is_in_set = probability >= np.array(floors)
    is_in_set[np.arange(len(probability)), probability.argmax(axis=1)] = True
    return is_in_set


def set_coverage(is_in_set: npt.NDArray[np.bool_], label: Ints) -> SetCoverage:
    """Return coverage and size of prediction sets.

    Args:
        is_in_set: (n, K).
        label: (n,) in [0, K).
    """
    sizes = is_in_set.sum(axis=1)
    return SetCoverage(
        n=len(label),
        n_covered=int(is_in_set[np.arange(len(label)), label].sum()),
        n_single=int((sizes == 1).sum()),
        mean_size=float(sizes.mean()) if len(label) else 0.0,
    )
