"""By what rule images are decided, and what that sets: thresholds, and when an image is better left to a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from coverslip.evaluation.deciding.operating_points import (
    OperatingPoint,
    decided_classes,
    operating_points,
    points_at,
    wished_points,
)

_ERROR_KEPT = 0.5  # share of the error rate that decided images may have
_SHARE_DECIDED = 0.8  # least share of images that must stay decided
_SHARE_DECIDED_BY_WISH = 0.2  # the same where an error rate is wished for

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
    wished: float = 0.95  # sensitivity or specificity of it, where `by` says so
    threshold: float = 0.5  # from which probability on an image is of it, where `by` says so
    error_rate: float | None = None  # wished for among decided images; None halves that of all


def positive_class(classes: Sequence[str], chosen: str | None = None) -> str | None:
    """Which one of two classes is the one that is looked for; None unless there are two.

    Args:
        classes: their names, in order.
        chosen: one of them; None takes the class beside one called negative, normal, healthy, control or the like
            (`uninfected`, `not mitotic`), else the second.
    """
    if len(classes) != 2:
        return None
    if chosen in classes:
        return chosen
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
            assert rule.positive is not None, "a recipe that wishes for it has been checked"
            return wished_points(probability, label, positive=rule.positive, aim=rule.by, share=rule.wished)
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
    """The probability below which a prediction is called `uncertain`, chosen on validation images.

    The rule in words: set aside as few images as it takes to halve the share of mistakes among those that are decided,
    and never more than one image in five. Where halving would cost more than that, it is the best share of mistakes
    that setting aside one in five can give. With a wished error rate: as few as it takes to reach that, and never more
    than four in five.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.
        error_rate: share of mistakes that decided images may have; None halves it.

    Returns:
        A float in [0, 1]; decide where the predicted class has at least this probability. 0.0 where there are no
        validation images, no mistakes among them, or setting images aside would not lower the error rate. It lies
        half-way between the last image set aside and the first one decided, so that rounding does not move an image
        across.
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
    least_decided = _SHARE_DECIDED if error_rate is None else _SHARE_DECIDED_BY_WISH
    starts = starts[n_images - starts >= least_decided * n_images]
    wrong_kept = n_wrong - np.concatenate([[0], np.cumsum(is_wrong)])[starts]
    error = wrong_kept / (n_images - starts)
    most_wrong = _ERROR_KEPT * n_wrong / n_images if error_rate is None else error_rate
    enough = np.flatnonzero(error <= most_wrong)
    first = int(starts[enough[0] if len(enough) else np.argmin(error)])
    return 0.0 if first == 0 else float((confidence[first - 1] + confidence[first]) / 2)
