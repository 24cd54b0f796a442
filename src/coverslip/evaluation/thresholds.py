"""What validation images set about decisions: operating points, and when one is better left to a person."""

import numpy as np

from coverslip.evaluation.operating_points import OperatingPoint, decided_classes, operating_points

_ERROR_KEPT = 0.5  # share of the error rate that decided images may have
_SHARE_DECIDED = 0.8  # least share of images that must stay decided


def learn_decisions(
    probability: np.ndarray, label: np.ndarray, *, by_roc: bool
) -> tuple[tuple[OperatingPoint, ...] | None, float]:
    """Each class's operating point (None unless `by_roc`), and the `uncertain_threshold` of what is decided by them.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        by_roc: whether classes are decided by operating points; else the most probable class is.
    """
    points = operating_points(probability, label) if by_roc else None
    predicted = decided_classes(probability, [point.threshold for point in points] if points else None)
    return points, uncertain_threshold(probability, label, predicted)


def uncertain_threshold(
    probability: np.ndarray,
    label: np.ndarray,
    predicted: np.ndarray | None = None,
) -> float:
    """The probability below which a prediction is called `uncertain`, chosen on validation images.

    The rule in words: set aside as few images as it takes to halve the share of mistakes among those that are decided,
    and never more than one image in five. Where halving would cost more than that, it is the best share of mistakes
    that setting aside one in five can give.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.

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
    starts = starts[n_images - starts >= _SHARE_DECIDED * n_images]
    wrong_kept = n_wrong - np.concatenate([[0], np.cumsum(is_wrong)])[starts]
    error = wrong_kept / (n_images - starts)
    enough = np.flatnonzero(error <= _ERROR_KEPT * n_wrong / n_images)
    first = int(starts[enough[0] if len(enough) else np.argmin(error)])
    return 0.0 if first == 0 else float((confidence[first - 1] + confidence[first]) / 2)
