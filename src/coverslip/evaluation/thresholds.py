"""Below which probability a decision is better left to a person."""

import numpy as np


def uncertain_threshold(
    probability: np.ndarray, label: np.ndarray, *, error_kept: float = 0.5, share_kept: float = 0.8
) -> float:
    """The probability below which a prediction is called `uncertain`, chosen on validation images.

    The rule in words: set aside as few images as it takes to halve the share of mistakes among those that are decided,
    and never more than one image in five. Where halving would cost more than that, it is the best share of mistakes
    that setting aside one in five can give.

    Args:
        probability: (n_images, n_classes) float, calibrated; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        error_kept: share of today's error rate that decided images may have, in [0, 1].
        share_kept: least share of images that must stay decided, in (0, 1].

    Returns:
        A float in [0, 1]; decide where the top probability is at least this. 0.0 where there are no validation images,
        no mistakes among them, or setting images aside would not lower the error rate. It lies half-way between the
        last image set aside and the first one decided, so that rounding does not move an image across.
    """
    if len(label) == 0:
        return 0.0
    order = np.argsort(probability.max(axis=1), kind="stable")
    confidence = probability.max(axis=1)[order]
    is_wrong = (probability.argmax(axis=1) != label)[order]
    n_images, n_wrong = len(label), int(is_wrong.sum())
    if n_wrong == 0:
        return 0.0
    starts = np.flatnonzero(np.diff(confidence, prepend=-np.inf) > 0)  # equal probabilities stay together
    starts = starts[n_images - starts >= share_kept * n_images]
    wrong_kept = n_wrong - np.concatenate([[0], np.cumsum(is_wrong)])[starts]
    error = wrong_kept / (n_images - starts)
    enough = np.flatnonzero(error <= error_kept * n_wrong / n_images)
    first = int(starts[enough[0] if len(enough) else np.argmin(error)])
    return 0.0 if first == 0 else float((confidence[first - 1] + confidence[first]) / 2)
