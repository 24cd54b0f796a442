"""From the network's outputs to a decision, as a classifier's card says."""

from dataclasses import replace

import numpy as np

from coverslip.datasets import UNCERTAIN, UNFAMILIAR
from coverslip.errors import BadClassifier
from coverslip.evaluation import apply_temperature, decided_classes
from coverslip.evaluation.prediction_sets import classes_in_sets
from coverslip.runs import ClassifierCard, Prediction

UNLIKE_TRAINING = "Unlike the training images: another size, another stain or instrument, or none of the classes?"


def decided_row(
    row: Prediction, card: ClassifierCard, logits: np.ndarray, shift: np.ndarray | float = 0.0
) -> Prediction:
    """The row of an image whose (K,) logits are known, decided as the card says.

    Args:
        row: what is known of the image.
        card: of the classifier.
        logits: of the image.
        shift: what was added to them because classes have other shares; prediction sets do not depend on them,
            but for the predicted class, which is always a member.

    Raises:
        BadClassifier: its numbers leave what a computer can hold, so that nothing can be said of any image.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        probability = apply_temperature(logits[None], card.temperature)[0]
    if not np.isfinite(probability).all():
        raise BadClassifier(
            "The classifier computes numbers that are too large or none at all",
            do="Ask whoever made it to train it again.",
        )
    k = int(decided_classes(probability[None], card.operating_points)[0])
    predicted, its_probability = card.classes[k], float(probability[k])
    decision, reason = predicted, None
    if row.unfamiliarity is not None and row.unfamiliarity > 1:
        decision, reason = UNFAMILIAR, UNLIKE_TRAINING
    elif its_probability < card.uncertain_below:
        decision, reason = UNCERTAIN, f"The probability is below {card.uncertain_below:.3g}"
    return replace(
        row,
        predicted=predicted,
        probability=its_probability,
        decision=decision,
        reason=reason,
        probabilities=tuple(probability.tolist()),
        logits=tuple(logits.tolist()),
        prediction_set=_prediction_set(card, logits - shift, k),
    )


def _prediction_set(card: ClassifierCard, logits: np.ndarray, predicted: int) -> tuple[str, ...] | None:
    if card.set_floors is None:
        return None
    probability = apply_temperature(logits[None], card.temperature)[0]
    (is_in_set,) = classes_in_sets(probability[None], card.set_floors)
    is_in_set[predicted] = True  # more classes only raise the coverage
    return tuple(name for name, is_in in zip(card.classes, is_in_set, strict=True) if is_in)
