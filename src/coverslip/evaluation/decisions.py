"""Decision rules and operating points: how probabilities become predicted classes.

An image is of the most probable class, or of the one that exceeds its own threshold most.

Tran, Meunier and Cheriet (Multi-domain learning CNN model for microscopy image classification), whose network misses a
lymphoma that it ranks well, propose to take the class's threshold from its ROC curve, and leave open which. Here it is
the point of the one-vs-rest curve on validation images where sensitivity + specificity - 1 is largest (Youden 1950,
Index for Rating Diagnostic Tests).

For calibrated probabilities that point is the class's share of the images. Dividing by it takes the advantage from
frequent classes: balanced accuracy tends to rise, at the price of accuracy and of the precision of rare classes. Each
threshold is the best one for its class against the rest, not all together the best for telling classes apart: searching
for those would fit few validation images too closely.

With two classes, a target sensitivity or specificity of the positive class can set its threshold instead. Or a person
sets the threshold itself.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from coverslip.messages import text

Aim = Literal["sensitivity", "specificity"]

# Probabilities are compared with as many digits as predictions.csv has. A threshold between finer ones would have no
# room of its own, and one nearer to 0 would let next to nothing outweigh a sure prediction of another class.
_DIGITS = 6
# Images that a threshold must rest on. Where a class has a single one, the best point lies just below that image's
# score, be it next to 0: with 3 basophils among 351 cells (blood_bccd) a fold called 113 of its 117 cells basophils.
FEWEST_IMAGES = 5


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """The threshold of one class, and what it does on the images that it was chosen on."""

    threshold: float  # in (0, 1)
    n: int  # images of the class
    sensitivity: float | None  # share of the class that reaches the threshold; None where `reason` says why
    specificity: float | None  # share of the others that does not
    reason: str | None = None  # why the threshold is the neutral 1 / n_classes


def operating_points(probability: np.ndarray, label: np.ndarray) -> tuple[OperatingPoint, ...]:
    """Return the point of each class's ROC curve with the largest Youden index.

    Thresholds lie half-way between neighboring probabilities. Of equally good ones it is the one nearest to
    1 / n_classes, which changes least, and the lower one of two that are as near. A class whose curve says nothing
    (fewer than 5 images of it, or of all others, or no threshold better than chance) gets 1 / n_classes itself.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1. There may be no images.
        label: (n_images,) int in [0, n_classes).

    Returns:
        One per class. Two classes have one curve, drawn from either end: the second threshold is 1 minus the first, so
        that `decided_classes` gives the first class exactly where its probability reaches its threshold.
    """
    n_classes = probability.shape[1]
    points = tuple(_operating_point(probability[:, k], label == k, 1 / n_classes) for k in range(n_classes))
    if n_classes != 2:
        return points
    first, second = points
    return first, _from_the_other_side(first, second.n, second.reason)


def target_points(
    probability: np.ndarray, label: np.ndarray, *, positive: int, aim: Aim, share: float
) -> tuple[OperatingPoint, OperatingPoint]:
    """Of two classes: the threshold that gives the target sensitivity or specificity, and costs least of the other.

    Args:
        probability: (n_images, 2) float, calibrated; rows sum to 1. There may be no images.
        label: (n_images,) int, 0 or 1.
        positive: number of the class that is to be found.
        aim: the metric that has the target.
        share: how much of it at least, in (0, 1].

    Returns:
        One per class, as of `operating_points`; 1/2 where fewer than 5 images are of either class. If no threshold
        reaches the target, the nearest one is returned.
    """
    is_positive = label == positive
    n, n_other = int(is_positive.sum()), int((~is_positive).sum())
    if min(n, n_other) < FEWEST_IMAGES:
        point = OperatingPoint(0.5, n, None, None, _few("this" if n < FEWEST_IMAGES else "other"))
    else:
        curve = threshold_curve(probability[:, positive], is_positive)
        reached = curve.sensitivity if aim == "sensitivity" else curve.specificity
        enough = np.flatnonzero(reached >= min(share - 1e-9, float(reached.max())))
        k = int(enough[-1] if aim == "sensitivity" else enough[0])  # thresholds rise
        point = OperatingPoint(float(curve.threshold[k]), n, *curve.at(k))
    other = _from_the_other_side(point, n_other, point.reason)
    return (other, point) if positive == 1 else (point, other)


def points_at(
    probability: np.ndarray, label: np.ndarray, *, positive: int, threshold: float
) -> tuple[OperatingPoint, OperatingPoint]:
    """Of two classes: a threshold that was set, and what it does on these images.

    Args:
        probability, label: as of `target_points`.
        positive: number of the class whose probability has to reach the threshold.
        threshold: in (0, 1).

    Returns:
        One per class; shares are None where there is no image to tell them from.
    """
    is_positive, score = label == positive, np.round(probability[:, positive], _DIGITS)
    n, n_other = int(is_positive.sum()), int((~is_positive).sum())
    sensitivity = float((score[is_positive] >= threshold).mean()) if n else None
    specificity = float((score[~is_positive] < threshold).mean()) if n_other else None
    point = OperatingPoint(threshold, n, sensitivity, specificity)
    other = _from_the_other_side(point, n_other, None)
    return (other, point) if positive == 1 else (point, other)


@dataclass(frozen=True, slots=True)
class ThresholdCurve:
    """What each threshold would do: (n_thresholds,) each, thresholds rising."""

    threshold: np.ndarray  # in (0, 1), half-way between neighboring scores, and beyond both ends
    sensitivity: np.ndarray  # share of the class above it
    specificity: np.ndarray  # share of the others below it

    def at(self, k: int) -> tuple[float, float]:
        """Sensitivity and specificity of one threshold."""
        return float(self.sensitivity[k]), float(self.specificity[k])


def threshold_curve(score: np.ndarray, is_class: np.ndarray) -> ThresholdCurve:
    """Return every threshold that tells images apart.

    Args:
        score: (n_images,) float, 0 to 1, high for the class.
        is_class: (n_images,) bool, some of either kind.
    """
    score = np.round(score, _DIGITS)
    levels = np.unique(score)
    threshold = np.concatenate([[levels[0] / 2], (levels[:-1] + levels[1:]) / 2, [(1 + levels[-1]) / 2]])
    threshold = threshold[(threshold > 0) & (threshold < 1)]
    of_class, of_others = np.sort(score[is_class]), np.sort(score[~is_class])
    return ThresholdCurve(
        threshold=threshold,
        sensitivity=1 - np.searchsorted(of_class, threshold) / len(of_class),
        specificity=np.searchsorted(of_others, threshold) / len(of_others),
    )


@dataclass(frozen=True, slots=True)
class ThresholdNumbers:
    """What one threshold did on some images."""

    threshold: float
    sensitivity: float
    specificity: float
    ppv: float | None  # positive predictive value; None if no image is predicted as positive
    npv: float | None


def threshold_numbers(
    score: np.ndarray, is_class: np.ndarray, *, in_use: float, most: int = 200
) -> list[ThresholdNumbers]:
    """Return the useful thresholds, the highest of all with the same sensitivity, and the one in use.

    Args:
        score, is_class: as of `threshold_curve`.
        in_use: a threshold that is always included.
        most: so many others at most, evenly among them.

    Returns:
        Thresholds falling, so that sensitivity rises.
    """
    curve, n = threshold_curve(score, is_class), int(is_class.sum())
    n_detected = np.round(curve.sensitivity * n).astype(int)
    highest = np.flatnonzero((np.diff(n_detected, append=-1) != 0) & (n_detected > 0))[::-1]
    places = np.unique(np.linspace(0, len(highest) - 1, most).round().astype(int)) if len(highest) > most else ...
    thresholds = sorted({*curve.threshold[highest[places]].tolist(), in_use}, reverse=True)
    score = np.round(score, _DIGITS)
    return [_numbers_at(score, is_class, threshold) for threshold in thresholds]


def _numbers_at(score: np.ndarray, is_class: np.ndarray, threshold: float) -> ThresholdNumbers:
    is_called = score >= threshold
    n_found, n_spared = int((is_called & is_class).sum()), int((~is_called & ~is_class).sum())
    n_called = int(is_called.sum())
    return ThresholdNumbers(
        threshold=threshold,
        sensitivity=n_found / int(is_class.sum()),
        specificity=n_spared / int((~is_class).sum()),
        ppv=n_found / n_called if n_called else None,
        npv=n_spared / (len(score) - n_called) if n_called < len(score) else None,
    )


def _from_the_other_side(point: OperatingPoint, n: int, reason: str | None) -> OperatingPoint:
    """Return the other one of two classes' points, of which it has `n` images."""
    return OperatingPoint(
        threshold=1 - point.threshold,
        n=n,
        sensitivity=point.specificity,
        specificity=point.sensitivity,
        reason=point.reason and (reason or point.reason),
    )


def _few(which: Literal["this", "other", "others"]) -> str:
    return text("few-validation-images", n_needed=FEWEST_IMAGES, which=which)


def decided_classes(probability: np.ndarray, thresholds: Sequence[float] | None) -> np.ndarray:
    """(n_images,) int: the class whose probability is largest in proportion to its threshold, the first of equals.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        thresholds: one per class, in (0, 1); None takes the class of the highest probability.
    """
    weighed = probability if thresholds is None else probability / np.asarray(thresholds)
    decided: np.ndarray = weighed.argmax(axis=1)
    return decided


def _operating_point(score: np.ndarray, is_class: np.ndarray, neutral: float) -> OperatingPoint:
    n, n_other = int(is_class.sum()), int((~is_class).sum())
    if min(n, n_other) < FEWEST_IMAGES:
        return OperatingPoint(neutral, n, None, None, _few("this" if n < FEWEST_IMAGES else "others"))
    score = np.round(score, _DIGITS)
    levels = np.unique(score)
    midway = (levels[:-1] + levels[1:]) / 2
    n_found = n - np.searchsorted(np.sort(score[is_class]), levels[1:])  # images of the class above each threshold
    false = n_other - np.searchsorted(np.sort(score[~is_class]), levels[1:])
    index = n_found * n_other - false * n  # Youden's times n * n_other: whole numbers, so that equals are equal
    if index.max(initial=0) <= 0:
        return OperatingPoint(neutral, n, None, None, text("no-threshold-above-chance"))
    best = np.flatnonzero(index == index.max())
    nearest = best[np.argmin(np.abs(midway[best] - neutral))]
    return OperatingPoint(float(midway[nearest]), n, float(n_found[nearest] / n), float(1 - false[nearest] / n_other))


_ERROR_KEPT = 0.5  # share of the error rate that decided images may have
_SHARE_DECIDED = 0.8  # least share of images that must stay decided
_SHARE_DECIDED_BY_TARGET = 0.2  # the same where there is a target error rate

DecideBy = Literal["highest", "roc", "sensitivity", "specificity", "threshold"]

# Words in the name of a class by which it is the one that is not looked for.
_NEGATIVE = frozenset(
    {
        *("negative", "neg", "normal", "healthy", "control", "controls", "benign", "uninfected", "unaffected"),
        *("none", "no", "not", "non", "without", "absent", "clean"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRule:
    """How a class is decided, and how many mistakes decided images may have."""

    by: DecideBy = "highest"
    positive: int | None = None  # number of the class that is looked for; None unless there are two
    target: float = 0.95  # sensitivity or specificity of it, where `by` says so
    threshold: float = 0.5  # from which probability on an image is of it, where `by` says so
    error_rate: float | None = None  # the target among decided images; None halves that of all


def positive_class(classes: Sequence[str], choice: str | None = None) -> str | None:
    """Return which one of two classes is the one that is looked for; None unless there are two.

    Args:
        classes: their names, in order.
        choice: one of them; None takes the class beside one called negative, normal, healthy, control or the like
            (`uninfected`, `not mitotic`), else the second.
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
    probability: np.ndarray, label: np.ndarray, rule: DecisionRule
) -> tuple[tuple[OperatingPoint, ...] | None, float]:
    """Each class's operating point (None where the most probable class is decided), and the `uncertain_threshold`.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        rule: how classes are decided; all but `highest` and `roc` need a positive class.
    """
    points = _points(probability, label, rule)
    predicted = decided_classes(probability, [point.threshold for point in points] if points else None)
    return points, uncertain_threshold(probability, label, predicted, error_rate=rule.error_rate)


def uncertain_share(probability: np.ndarray, points: Sequence[OperatingPoint] | None, uncertain_below: float) -> float:
    """Return the share of images whose predicted class has a probability below a threshold; 0 without images.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        points: of each class; None where the most probable class is decided.
        uncertain_below: the threshold.
    """
    if not len(probability):
        return 0.0
    predicted = decided_classes(probability, [point.threshold for point in points] if points else None)
    return float(np.mean(probability[np.arange(len(predicted)), predicted] < uncertain_below))


def _points(probability: np.ndarray, label: np.ndarray, rule: DecisionRule) -> tuple[OperatingPoint, ...] | None:
    match rule.by:
        case "highest":
            return None
        case "roc":
            return operating_points(probability, label)
        case "sensitivity" | "specificity":
            assert rule.positive is not None, "a recipe with a target has been checked"
            return target_points(probability, label, positive=rule.positive, aim=rule.by, share=rule.target)
        case "threshold":
            assert rule.positive is not None, "a recipe that sets it has been checked"
            return points_at(probability, label, positive=rule.positive, threshold=rule.threshold)


def uncertain_threshold(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None = None,
    *,
    error_rate: float | None = None,
) -> float:
    """Return the probability below which a prediction is called `uncertain`, chosen on validation images.

    The rule: abstain on as few images as needed to halve the error rate of decided images, and never on more than one
    image in five. If halving it needs more than that, the threshold gives the lowest error rate that abstaining on one
    in five can reach. With a target error rate: abstain on as few images as needed to reach it, and never on more than
    four in five.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.
        error_rate: share of mistakes that decided images may have; None halves it.

    Returns:
        A float in [0, 1]; decide where the predicted class has at least this probability. 0.0 where there are no
        validation images, no errors among them, or abstaining would not lower the error rate. It lies half-way between
        the last undecided image and the first decided one, so that rounding does not move an image across.
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
    wrong_kept = n_wrong - np.concatenate([[0], np.cumsum(is_wrong)])[starts]
    error = wrong_kept / (n_images - starts)
    most_wrong = _ERROR_KEPT * n_wrong / n_images if error_rate is None else error_rate
    enough = np.flatnonzero(error <= most_wrong)
    first = int(starts[enough[0] if len(enough) else np.argmin(error)])
    return 0.0 if first == 0 else float((confidence[first - 1] + confidence[first]) / 2)


Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEVEL = 0.9  # share of images of each class whose set holds it


@dataclass(frozen=True, slots=True)
class SetCoverage:
    """How often sets held the true class."""

    n: int
    n_covered: int
    n_single: int  # sets of one class
    mean_size: float


def images_needed(level: float = LEVEL) -> int:
    """Of each class: with fewer, the promise is kept only where the class is in every set."""
    return math.ceil(round(1 / (1 - level), 9)) - 1


def set_floors(probability: Floats, label: Ints, level: float = LEVEL) -> tuple[float, ...] | None:
    """(K,) the probability from which on each class is in an image's set; None where every class has too few images.

    A class of too few images has a floor of 0, and is in every set: that keeps the promise for it, and the others'
    sets tell as much as they would without it. A floor from the images of all classes would promise it nothing.

    Args:
        probability: (n, K) of images that were not fitted on.
        label: (n,) in [0, K).
        level: share of images of each class whose set shall hold it.
    """
    floors = [_floor(probability[label == k, k], level) for k in range(probability.shape[1])]
    return tuple(floors) if any(floors) else None


def _floor(probability: Floats, level: float) -> float:
    """Return the floor of a class whose images have these (n,) probabilities of being it."""
    n = len(probability)
    if n < images_needed(level):
        return 0.0
    # The k-th smallest score 1 - p with k = ceil((n + 1) level) is the (n + 1 - k)-th smallest probability.
    return float(np.sort(probability)[n - math.ceil(round((n + 1) * level, 9))])


def classes_in_sets(probability: Floats, floors: Sequence[float]) -> npt.NDArray[np.bool_]:
    """Return (n, K) whether a class is in an image's set.

    The most probable class is in every set: it is right for most of the images whose set would be empty without it.

    Args:
        probability: (n, K).
        floors: (K,) of `set_floors`.
    """
    is_in_set = probability >= np.array(floors)
    is_in_set[np.arange(len(probability)), probability.argmax(axis=1)] = True
    return is_in_set


def set_coverage(is_in_set: npt.NDArray[np.bool_], label: Ints) -> SetCoverage:
    """Return how often sets held the true class.

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
