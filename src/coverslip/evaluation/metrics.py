"""Arrays in, numbers out: how well classes were told apart.

The prediction is the class that was decided; where none is given, that of highest probability (the first of equals).
`macro_auroc`, `log_loss` and `ece` are about the probabilities, whatever was decided. A macro average is taken over the
classes that occur in `label`, so that images with some of the classes can be scored too; it equals scikit-learn's with
`labels=` those classes and `zero_division=0`.
"""

import numpy as np

from coverslip.evaluation.calibration import expected_calibration_error
from coverslip.evaluation.results import ClassScores, Metric

METRICS: tuple[str, ...] = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "macro_precision",
    "macro_recall",
    "macro_auroc",
    "log_loss",
    "ece",
    "ece_uncalibrated",
)
LOWER_IS_BETTER: frozenset[str] = frozenset({"log_loss", "ece", "ece_uncalibrated"})


def score(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray | None = None) -> dict[str, float]:
    """Every metric but `ece_uncalibrated`, as plain floats.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.

    Returns:
        Metric name to value; NaN where it is not defined (`macro_auroc` when all images are of one class).

    Raises:
        ValueError: there are no images, the shapes disagree, or a label is outside [0, n_classes).
    """
    check_arrays(probability, label)
    if predicted is None:
        predicted = probability.argmax(axis=1)
    confusion = confusion_matrix(label, predicted, probability.shape[1])
    aurocs = [class_auroc(probability[:, k], label == k) for k in range(probability.shape[1])]
    defined = [auroc for auroc in aurocs if not np.isnan(auroc)]
    return {
        **{name: float(value) for name, value in count_metrics(confusion).items()},
        "macro_auroc": float(np.mean(defined)) if defined else float("nan"),
        "log_loss": float(image_log_loss(probability, label).mean()),
        "ece": expected_calibration_error(probability, label),
    }


def per_class(probability: np.ndarray, label: np.ndarray, predicted: np.ndarray | None = None) -> list[ClassScores]:
    """The scores of each class, in order: `precision`, `recall`, `specificity`, `f1`, `auroc`.

    A number that is not defined is None, and its `reason` says why (no image of the class, never predicted, no other
    class). No interval is estimated for the numbers of one class. Args and errors as in `score`.
    """
    check_arrays(probability, label)
    if predicted is None:
        predicted = probability.argmax(axis=1)
    n_classes = probability.shape[1]
    confusion = confusion_matrix(label, predicted, n_classes)
    return [_one_class(confusion, k, class_auroc(probability[:, k], label == k)) for k in range(n_classes)]


def _one_class(confusion: np.ndarray, k: int, auroc: float) -> ClassScores:
    n, n_predicted, right = int(confusion[k].sum()), int(confusion[:, k].sum()), int(confusion[k, k])
    n_other = int(confusion.sum()) - n
    absent = "no image of this class" if n == 0 else None
    unnamed = "never predicted" if n_predicted == 0 else None
    alone = "no image of another class" if n_other == 0 else None
    missing = [reason for reason in (absent, unnamed, alone) if reason]
    return ClassScores(
        n=n,
        metrics={
            "precision": _class_metric(right, n_predicted, unnamed),
            "recall": _class_metric(right, n, absent),
            "specificity": _class_metric(n_other - n_predicted + right, n_other, alone),
            "f1": _class_metric(2 * right, n + n_predicted, absent),
            "auroc": _class_metric(auroc, 1, absent or alone),
        },
        reason="; ".join(missing) or None,
    )


def _class_metric(part: float, whole: int, missing: str | None) -> Metric:
    return Metric(value=None if missing else part / whole, method="no interval for a single class", reason=missing)


def confusion_matrix(label: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """(n_classes, n_classes) counts; rows are the true class, columns the predicted one."""
    cells = np.asarray(label) * n_classes + np.asarray(predicted)
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


def count_metrics(confusion: np.ndarray) -> dict[str, np.ndarray]:
    """The metrics that follow from a confusion matrix, for one (K, K) or many (..., K, K) at once.

    Counts may be fractional. A matrix without any count gives NaN.
    """
    confusion = confusion.astype(np.float64)
    right = np.einsum("...kk->...k", confusion)
    n_true, n_predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    present = n_true > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        accuracy = right.sum(axis=-1) / n_true.sum(axis=-1)
        recall = np.where(present, right / n_true, 0.0)
        precision = np.where(present & (n_predicted > 0), right / n_predicted, 0.0)
        f1 = np.where(present, 2 * right / (n_true + n_predicted), 0.0)
        n_present = present.sum(axis=-1)
        macro_recall = recall.sum(axis=-1) / n_present
        return {
            "accuracy": accuracy,
            "balanced_accuracy": macro_recall,
            "macro_f1": f1.sum(axis=-1) / n_present,
            "macro_precision": precision.sum(axis=-1) / n_present,
            "macro_recall": macro_recall,
        }


def class_auroc(score: np.ndarray, is_class: np.ndarray) -> float:
    """Chance that an image of the class scores higher than one that is not, ties counting half; NaN without both."""
    return float(weighted_auroc(score, is_class, np.ones((len(score), 1)))[0])


def weighted_auroc(score: np.ndarray, is_class: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for many weightings of the same images at once.

    Args:
        score: (n_images,) float, high for the class.
        is_class: (n_images,) bool.
        weight: (n_images, n_weightings) non-negative, for example how often a resample drew each image.

    Returns:
        (n_weightings,) floats in [0, 1]; NaN where one side has no weight.
    """
    positive, negative = np.flatnonzero(is_class), np.flatnonzero(~is_class)
    negative = negative[np.argsort(score[negative], kind="stable")]
    below = np.zeros((len(negative) + 1, weight.shape[1]), dtype=weight.dtype)
    np.cumsum(weight[negative], axis=0, out=below[1:])
    first = np.searchsorted(score[negative], score[positive], side="left")
    last = np.searchsorted(score[negative], score[positive], side="right")
    won = np.einsum("ir,ir->r", weight[positive].astype(np.float64), (below[first] + below[last]) / 2.0)
    pairs = weight[positive].sum(axis=0, dtype=np.float64) * below[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, won / pairs, np.nan)


def image_log_loss(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(n_images,) minus the natural logarithm of the true class's probability; rows made to sum to 1, 0 kept finite."""
    exact = np.asarray(probability, dtype=np.float64)
    tiny = np.finfo(exact.dtype).eps
    share = exact[np.arange(len(label)), label] / exact.sum(axis=1)
    loss: np.ndarray = -np.log(np.clip(share, tiny, 1 - tiny))
    return loss


def check_arrays(probability: np.ndarray, label: np.ndarray) -> None:
    """Raise ValueError where probabilities and labels cannot belong together."""
    if len(label) == 0 or probability.ndim != 2 or probability.shape[:1] != np.shape(label):
        raise ValueError(
            f"probability {probability.shape} and label {np.shape(label)} need the same number of images, > 0"
        )
    if np.min(label) < 0 or np.max(label) >= probability.shape[1]:
        raise ValueError(f"labels must lie in [0, {probability.shape[1]}); found {np.min(label)} to {np.max(label)}")
    if not np.isfinite(probability).all():
        raise ValueError("probability has NaN or infinite entries; leave unreadable images out")
