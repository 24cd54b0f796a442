"""Arrays in, numbers out: how well classes were told apart.

The prediction is the class that was decided; where none is given, that of highest probability (the first of equals).
`macro_auroc`, `log_loss` and `ece` are about the probabilities, whatever was decided. A macro average is taken over the
classes that occur in `label`, so that images with some of the classes can be scored too; it equals scikit-learn's with
`labels=` those classes and `zero_division=0`.
"""

import numpy as np

from coverslip.evaluation.results import ClassScores, Metric


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


def accuracy(confusion: np.ndarray) -> np.ndarray:
    """The share of images named rightly, for one (K, K) matrix or many (..., K, K) at once; so for those below.

    Counts may be fractional. A matrix without any count gives NaN.
    """
    right, n_true, _ = _right_true_predicted(confusion)
    return _over(right.sum(axis=-1), n_true.sum(axis=-1))


def macro_recall(confusion: np.ndarray) -> np.ndarray:
    """Of what is a class, the share that is found: the mean over the classes that occur."""
    right, n_true, _ = _right_true_predicted(confusion)
    return _macro(_over(right, n_true), n_true > 0)


def macro_precision(confusion: np.ndarray) -> np.ndarray:
    """Of what is called a class, the share that is it (0 where nothing is): the mean over the classes that occur."""
    right, n_true, n_predicted = _right_true_predicted(confusion)
    precision = np.where(n_predicted > 0, _over(right, n_predicted), 0.0)
    return _macro(precision, n_true > 0)


def macro_f1(confusion: np.ndarray) -> np.ndarray:
    """The harmonic mean of precision and recall: the mean over the classes that occur."""
    right, n_true, n_predicted = _right_true_predicted(confusion)
    return _macro(_over(2 * right, n_true + n_predicted), n_true > 0)


def _right_true_predicted(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(..., K) each: images of a class named rightly, images of it, images named so."""
    confusion = confusion.astype(np.float64)
    return np.einsum("...kk->...k", confusion), confusion.sum(axis=-1), confusion.sum(axis=-2)


def _macro(of_class: np.ndarray, present: np.ndarray) -> np.ndarray:
    return _over(np.where(present, of_class, 0.0).sum(axis=-1), present.sum(axis=-1))


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        share: np.ndarray = part / whole
    return share


def macro_auroc(probability: np.ndarray, label: np.ndarray) -> float:
    """The mean over classes of `class_auroc`, where it is defined; NaN where it is nowhere."""
    by_class = [class_auroc(probability[:, k], label == k) for k in range(probability.shape[1])]
    defined = [auroc for auroc in by_class if not np.isnan(auroc)]
    return float(np.mean(defined)) if defined else float("nan")


def weighted_macro_auroc(probability: np.ndarray, label: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(n_weightings,) `macro_auroc` where images count as often as (n_images, n_weightings) `weight` says."""
    by_class = np.stack([weighted_auroc(column, label == k, weight) for k, column in enumerate(probability.T)])
    is_defined = ~np.isnan(by_class)
    return _over(np.where(is_defined, by_class, 0).sum(axis=0), is_defined.sum(axis=0))


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
    positive, negative = score[is_class], score[~is_class]
    # Between the scores of the class, and at each of them: all that counts about the others is in which place they are.
    levels, level_of = np.unique(positive, return_inverse=True)
    place = np.searchsorted(levels, negative, side="left") + np.searchsorted(levels, negative, side="right")
    others = _sums_by(place, 2 * len(levels) + 1, weight, np.flatnonzero(~is_class))
    at_level = _sums_by(level_of, len(levels), weight, np.flatnonzero(is_class))
    below = np.cumsum(others, axis=0)
    won = np.einsum("lr,lr->r", at_level, below[0:-1:2] + others[1::2] / 2.0)
    pairs = at_level.sum(axis=0) * below[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, won / pairs, np.nan)


def _sums_by(place: np.ndarray, n_places: int, weight: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n_places, n_weightings) float64 sums of those rows of `weight` that belong to each place."""
    if weight.shape[1] == 1:
        return np.bincount(place, weights=weight[rows, 0], minlength=n_places)[:, None].astype(np.float64)
    from scipy.sparse import csr_array

    belongs = csr_array((np.ones(len(rows), weight.dtype), (place, rows)), shape=(n_places, len(weight)))
    sums: np.ndarray = (belongs @ weight).astype(np.float64)
    return sums


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
