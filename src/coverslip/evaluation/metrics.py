"""Metrics from confusion matrices, rankings and losses, and confidence intervals from the influence of each image.

The prediction is the decided class, by default the class of highest probability (the first of equals). Macro averages
are over the classes that occur in `label`, so that images of only some classes can be scored. They equal those of
scikit-learn with `labels=` these classes and `zero_division=0`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from coverslip.evaluation.results import LEVEL, Metric
from coverslip.messages import message


def confusion_matrix(label: np.ndarray, predicted: np.ndarray, n_classes: int) -> np.ndarray:
    """Return (n_classes, n_classes) counts; rows are the true class, columns the predicted one."""
    cells = np.asarray(label) * n_classes + np.asarray(predicted)
    return np.bincount(cells, minlength=n_classes * n_classes).reshape(n_classes, n_classes)


class Margins(NamedTuple):
    """The counts of one or several confusion matrices that metrics need: (..., K) each."""

    right: np.ndarray  # correctly predicted images of each class
    n_true: np.ndarray  # images of each class
    n_predicted: np.ndarray  # images predicted as each class


def margins_of(confusion: np.ndarray) -> Margins:
    """Return the margins of (..., K, K) confusion matrices; counts may be fractional."""
    confusion = confusion.astype(np.float64)
    return Margins(np.einsum("...kk->...k", confusion), confusion.sum(axis=-1), confusion.sum(axis=-2))


def accuracy(margins: Margins) -> np.ndarray:
    """Return (...) the share of correctly predicted images. Without images, this and the metrics below are NaN."""
    right, n_true, _ = margins
    return _over(right.sum(axis=-1), n_true.sum(axis=-1))


def macro_recall(margins: Margins) -> np.ndarray:
    """Return the mean recall (share of images of a class that are predicted as it) over the classes that occur."""
    right, n_true, _ = margins
    return _macro(_over(right, n_true), n_true > 0)


def macro_precision(margins: Margins) -> np.ndarray:
    """Return the mean precision over the classes that occur; it is 0 for a class that is never predicted."""
    right, n_true, n_predicted = margins
    precision = np.where(n_predicted > 0, _over(right, n_predicted), 0.0)
    return _macro(precision, n_true > 0)


def macro_f1(margins: Margins) -> np.ndarray:
    """Return the mean F1, the harmonic mean of precision and recall, over the classes that occur."""
    right, n_true, n_predicted = margins
    return _macro(_over(2 * right, n_true + n_predicted), n_true > 0)


def _macro(of_class: np.ndarray, present: np.ndarray) -> np.ndarray:
    return _over(np.where(present, of_class, 0.0).sum(axis=-1), present.sum(axis=-1))


def _over(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        share: np.ndarray = part / whole
    return share


def mcc(margins: Margins) -> np.ndarray:
    """Return the Matthews correlation coefficient of true and predicted classes (Gorodkin 2004).

    It is 1 for perfect predictions and 0 by chance; NaN if all images are of one class or are predicted as one.
    """
    right, n_true, n_predicted = margins
    n = n_true.sum(axis=-1)
    together = n * right.sum(axis=-1) - (n_true * n_predicted).sum(axis=-1)
    apart = (n**2 - (n_true**2).sum(axis=-1)) * (n**2 - (n_predicted**2).sum(axis=-1))
    return _over(together, np.sqrt(apart))


def kappa(margins: Margins) -> np.ndarray:
    """Return Cohen's kappa: the gain in accuracy over chance, as a share of the largest possible gain.

    It is NaN if all images are of one class and are predicted as it.
    """
    right, n_true, n_predicted = margins
    n = n_true.sum(axis=-1)
    by_chance = (n_true * n_predicted).sum(axis=-1) / n**2
    return _over(right.sum(axis=-1) / n - by_chance, 1 - by_chance)


def one_vs_rest_accuracy(margins: Margins) -> np.ndarray:
    """Return the mean accuracy of each class against the rest, over the classes that occur: AIMIC's equation 1.

    An error counts in two of K classes, and a correct prediction in all K, so the value is high with many classes.
    """
    right, n_true, n_predicted = margins
    n = n_true.sum(axis=-1)[..., None]
    return _macro(_over(n - n_true - n_predicted + 2 * right, n), n_true > 0)


def image_log_loss(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return (n_images,) log losses: minus the natural logarithm of the true class's probability.

    Rows are normalized to sum to 1. Probabilities of 0 are clipped, so that losses are finite.
    """
    exact = np.asarray(probability, dtype=np.float64)
    tiny = np.finfo(exact.dtype).eps
    share = exact[np.arange(len(label)), label] / exact.sum(axis=1)
    loss: np.ndarray = -np.log(np.clip(share, tiny, 1 - tiny))
    return loss


def image_brier(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return (n_images,) Brier scores: squared errors summed over classes, 0 to 2 (Brier 1950)."""
    of_label = probability[np.arange(len(label)), label]
    distance: np.ndarray = (probability**2).sum(axis=1) - 2 * of_label + 1
    return distance


def check_arrays(probability: np.ndarray, label: np.ndarray) -> None:
    """Raise ValueError if probabilities and labels do not match."""
    if len(label) == 0 or probability.ndim != 2 or probability.shape[:1] != np.shape(label):
        raise ValueError(
            f"probability {probability.shape} and label {np.shape(label)} need the same number of images, > 0"
        )
    if np.min(label) < 0 or np.max(label) >= probability.shape[1]:
        raise ValueError(f"labels must lie in [0, {probability.shape[1]}); found {np.min(label)} to {np.max(label)}")
    if not np.isfinite(probability).all():
        raise ValueError("probability has NaN or infinite entries; leave unreadable images out")


@dataclass(frozen=True, slots=True)
class ConfusedPair:
    """Images of one class that were predicted as another class."""

    true: int  # number of the class
    predicted: int
    n: int
    share: float  # of the images of the true class


def confused_pairs(matrix: np.ndarray, at_most: int) -> list[ConfusedPair]:
    """Return the most frequent confusions first; of equally frequent ones, those of a larger share of their class.

    Args:
        matrix: (K, K) counts; rows are the true class, columns the predicted one.
        at_most: largest number of pairs.
    """
    wrong = matrix - np.diag(np.diag(matrix))
    share = wrong / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    true, predicted = np.nonzero(wrong)
    order = np.lexsort((-share[true, predicted], -wrong[true, predicted]))[:at_most]
    return [
        ConfusedPair(row, column, int(wrong[row, column]), float(share[row, column]))
        for row, column in zip(true[order].tolist(), predicted[order].tolist(), strict=True)
    ]


def confused_classes(matrix: np.ndarray, at_most: int) -> list[int]:
    """Return the most frequently confused classes, both of a pair in sequence, then the first of the other classes.

    Args:
        matrix: (K, K) counts.
        at_most: largest number of classes.
    """
    both_ways = np.triu(matrix + matrix.T, k=1)
    pairs = np.argsort(-both_ways, axis=None, kind="stable")[: at_most * at_most]
    by_confusion = np.stack(np.unravel_index(pairs, matrix.shape), axis=1).ravel().tolist()
    return list(dict.fromkeys([*by_confusion, *range(len(matrix))]))[:at_most]


def hardest_classes(f1: Sequence[float | None], at_most: int) -> list[int]:
    """Return the numbers of the classes with the lowest F1, lowest first; classes without F1 (no images) come last."""
    order = sorted(range(len(f1)), key=lambda k: 2.0 if (value := f1[k]) is None else value)
    return order[:at_most]


# Confidence intervals of metrics, from the influence of each image, summed over groups.
#
# The influence of an image is the derivative of the metric by the image's weight. Images of one group (patient, slide,
# well) resemble each other, so influences are summed over groups, or over single images if there are no groups. The
# variance of these sums is that of the metric: the infinitesimal jackknife (Efron 1982, The Jackknife, the Bootstrap
# and Other Resampling Plans, chapter 6; for AUROC, it is the method of DeLong, DeLong and Clarke-Pearson 1988). A
# bootstrap over groups converges to it. The jackknife needs one pass over the images, and its results are reproducible.
#
# If all images of a class are predicted correctly, or all incorrectly, they have no influence, but the next image may
# have. Therefore each class includes one unseen image, half of it correct and half of it as wrong as possible.
#
# Six rules improve the coverage with few or unequal groups, or without errors (`benchmarks/interval_coverage.py`):
#
# - A few large groups are less informative than many equal groups. The variance is corrected, and the degrees of
#   freedom of Student's t follow from the sizes of groups and the correlation within groups (Bell and McCaffrey 2002,
#   Bias Reduction in Standard Errors for Linear Regression with Multi-Stage Samples).
# - A rare class without errors, or with errors only, has no variance. Therefore each class includes an unseen image,
#   and the variance is at least that of independent images. Without groups, the degrees of freedom are Satterthwaite's
#   for the images of each class, without unseen images.
# - Near 0 and 1, symmetric intervals do not fit. The interval of a share is Jeffreys' interval for the number of
#   independent images with the same standard error (after Korn and Graubard 1998, Confidence Intervals for Proportions
#   with Small Expected Number of Positive Counts). With groups, it is the wider of this interval and of Student's t on
#   the logit scale, since results of groups are skewed. A metric without an upper bound has the gamma interval of Fay
#   and Feuer (1997).
# - A metric of exactly 0 or 1 gives no information about the variance between groups. It has the exact binomial
#   interval (Clopper and Pearson 1934) for groups that are correct or incorrect as a whole.
# - A few groups may agree only because no group on which the classifier fails is among them. With fewer than twenty
#   groups, the interval includes the value that the metric would have with one more group of errors only.
# - With fewer than five groups, there is no interval, since it would not be informative. Counts are reported instead.

Scale = Literal["share", "correlation", "positive", "real"]

RANGES: Mapping[Scale, tuple[float, float]] = {
    "share": (0.0, 1.0),
    "correlation": (-1.0, 1.0),
    "positive": (0.0, np.inf),
    "real": (-np.inf, np.inf),
}

_STEP = 1e-4  # of an image, for derivatives by counts


@dataclass(frozen=True, slots=True)
class Influence:
    """The influence of images on one metric."""

    of_image: np.ndarray  # (n_images,) derivative by the weight of each; their sum is about 0
    unseen: np.ndarray  # (K,) variance that the unseen image of each class adds
    smoothed: float  # the metric including the unseen images
    is_proportion: bool = False  # the metric is a share of images, so that its variance follows from its value


def influence_on_counts(
    of_margins: Callable[[Margins], np.ndarray], label: np.ndarray, predicted: np.ndarray, n_classes: int
) -> Influence:
    """Return the influence on a metric of the margins of a confusion matrix.

    Args:
        of_margins: (..., K) margins to (...) values.
        label: (n_images,) int, the true class.
        predicted: (n_images,) int, the class that was decided.
        n_classes: K.
    """
    confusion = confusion_matrix(label, predicted, n_classes)
    half = _unseen_images(confusion)
    slope = _slope_by_cell(of_margins, margins_of(confusion + half))
    return Influence(
        of_image=slope[label, predicted],
        unseen=(half * slope**2).sum(axis=1),
        smoothed=float(of_margins(margins_of(confusion + half))),
    )


def influence_on_mean(value: np.ndarray, label: np.ndarray, n_classes: int) -> Influence:
    """Return the influence on a mean over images.

    Args:
        value: (n_images,) values that are averaged.
        label: (n_images,) int, the true class.
        n_classes: K.
    """
    mean = float(value.mean())
    return Influence(of_image=(value - mean) / len(value), unseen=np.zeros(n_classes), smoothed=mean)


def influence_on_proportion(
    is_correct: np.ndarray, is_counted: np.ndarray, label: np.ndarray, n_classes: int
) -> Influence:
    """Return the influence on the share of correct images among the counted ones.

    Args:
        is_correct: (n_images,) bool.
        is_counted: (n_images,) bool: the denominator, at least one image.
        label: (n_images,) int, the true class.
        n_classes: K.
    """
    n, right = int(is_counted.sum()), int((is_correct & is_counted).sum())
    smoothed = (right + 0.5) / (n + 1)
    # Together they are smoothed * (1 - smoothed) / n, so that single images get Jeffreys' interval for n images.
    of_image = np.where(is_counted, is_correct - smoothed, 0.0) / np.sqrt(n * (n + 1))
    unseen = ((1 - smoothed) ** 2 + smoothed**2) / 2 / (n * (n + 1))
    by_class = np.bincount(label[is_counted], minlength=n_classes) / n
    return Influence(of_image, unseen * by_class, smoothed, is_proportion=True)


def _unseen_images(confusion: np.ndarray) -> np.ndarray:
    """Return (K, K) counts: for each class that occurs, half a correct image and half an incorrect image."""
    n_classes = len(confusion)
    images = np.full((n_classes, n_classes), 0.5 / max(n_classes - 1, 1))
    np.fill_diagonal(images, 0.5)
    images[confusion.sum(axis=1) == 0] = 0
    return images


def _slope_by_cell(of_margins: Callable[[Margins], np.ndarray], margins: Margins) -> np.ndarray:
    """Return (K, K) derivatives by each count, from those by its three margins; 0 for classes without images."""
    n_classes = len(margins.n_true)
    steps = _STEP * np.eye(n_classes) * (margins.n_true > 0)
    steps_predicted = _STEP * np.eye(n_classes)
    slopes = []
    for place, step in enumerate((steps, steps, steps_predicted)):
        above, below = (
            of_margins(Margins(*(each + sign * step * (place == k) for k, each in enumerate(margins))))
            for sign in (1, -1)
        )
        slopes.append((above - below) / (2 * _STEP))
    by_right, by_true, by_predicted = slopes
    by_cell: np.ndarray = by_true[:, None] + by_predicted + np.diag(by_right)
    return by_cell


FEW_GROUPS_FOR_INTERVALS = 30
FEWEST_GROUPS = 5  # for an interval
_ENOUGH_GROUPS = 20  # with more, no unseen group of errors is included, which would double good classifiers' intervals
_TAIL = (1 - LEVEL) / 2


@dataclass(frozen=True, slots=True)
class Units:
    """The units of resampling (groups, or single images) and the class of each image."""

    code: np.ndarray  # (n_images,) int: the unit of each image
    n: int
    label: np.ndarray  # (n_images,) int, the true class
    n_classes: int
    has_groups: bool
    has_name: np.ndarray | None = None  # (n_images,) bool: whether the image has a group; None: all or none have one

    @classmethod
    def of(cls, label: np.ndarray, group: np.ndarray | None, n_classes: int) -> "Units":
        """Return the groups, and the images without a group, as units; single images without groups."""
        code = np.arange(len(label)) if group is None else group_codes(group)
        has_name = None if group is None else has_group_name(group)
        return cls(code, int(code.max()) + 1, label, n_classes, group is not None, has_name)

    def n_counted(self, is_counted: np.ndarray) -> int:
        """Return the number of units with any of the counted images."""
        return len(np.unique(self.code[is_counted]))

    def n_groups(self, is_counted: np.ndarray) -> int | None:
        """Return the number of groups with any of the counted images; None without groups."""
        if not self.has_groups:
            return None
        return self.n_counted(is_counted if self.has_name is None else is_counted & self.has_name)

    @property
    def name(self) -> str:
        """What the units are, for the method of an interval."""
        are_groups = self.has_name is None or bool(self.has_name.all())
        return "groups" if are_groups else "groups and images without a group"

    @property
    def method(self) -> str:
        """The method of the intervals, for `metrics.json`."""
        if not self.has_groups:
            return "infinitesimal jackknife over images (Jeffreys' interval)"
        method = f"infinitesimal jackknife over {self.name} (Student's t, logit scale)"
        return method if self.n >= FEW_GROUPS_FOR_INTERVALS else f"{method}; only {self.n} {self.name}: approximate"


def metric_with_interval(
    value: float, influence: Influence, units: Units, scale: Scale, *, n_units: int | None = None
) -> Metric:
    """Return a metric with its interval, computed from the influence of each image.

    Args:
        value: of the metric.
        influence: of each image on the metric.
        units: groups or images.
        scale: range of the metric.
        n_units: number of units that the metric is computed from; default: all with counted images.
    """
    counted = influence.of_image != 0 if influence.is_proportion else np.ones(len(units.code), dtype=bool)
    if n_units is None:
        n_units = units.n_counted(counted)
    metric = Metric(value=value, method=units.method)
    if influence.is_proportion:
        n_images = int(counted.sum())
        n_correct, n_groups = round(value * n_images), units.n_groups(counted)
        metric = replace(metric, n_correct=n_correct, n_images=n_images, n_groups=n_groups)
    if units.has_groups and n_units < FEWEST_GROUPS:
        return replace(metric, reason=message("interval-needs-groups", n_groups=n_units, n_needed=FEWEST_GROUPS))
    if units.n < 2:
        return replace(metric, reason=message("interval-of-one-image"))
    if units.has_groups and scale == "share" and value in (0, 1):
        reach = 1 - _TAIL ** (1 / n_units)
        low, high = (1 - reach, 1.0) if value == 1 else (0.0, reach)
        return replace(
            metric, low=low, high=high, method=f"exact binomial over {n_units} {units.name} (Clopper-Pearson)"
        )
    variance, freedom = _variance(influence, units)
    if not variance > 0:
        return replace(metric, reason=message("interval-without-influence"))
    low, high = _ends(value, influence, variance, freedom, units, scale)
    if units.has_groups and n_units < _ENOUGH_GROUPS and scale in ("share", "correlation"):
        low = min(low, value * n_units / (n_units + 1))
    return replace(metric, low=min(low, value), high=max(high, value))


def difference_with_interval(value: float, influence: Influence, units: Units, *, n_units: int | None = None) -> Metric:
    """Return a difference of two shares with its interval, within [-1, 1]. Args as of `metric_with_interval`."""
    metric = metric_with_interval(value, influence, units, "real", n_units=n_units)
    if metric.low is None or metric.high is None:
        return metric
    return replace(metric, low=max(metric.low, -1.0), high=min(metric.high, 1.0))


def standard_error(influence: Influence, units: Units) -> tuple[float, float]:
    """Return the standard error of a metric and its degrees of freedom (infinite: normal distribution)."""
    variance, freedom = _variance(influence, units)
    return variance**0.5, freedom


def has_group_name(group: np.ndarray) -> np.ndarray:
    """Return (n_images,) bool: whether each image has a group."""
    return np.array([name not in ("", None) for name in group.tolist()], dtype=bool)


def group_codes(group: np.ndarray) -> np.ndarray:
    """Return (n_images,) group numbers from 0. Each empty name or None is a separate group."""
    codes: dict[object, int] = {}
    named = [("alone", i) if name is None or name == "" else name for i, name in enumerate(group)]
    return np.array([codes.setdefault(name, len(codes)) for name in named], dtype=int)


def _variance(influence: Influence, units: Units) -> tuple[float, float]:
    """Return the variance of a metric, and its degrees of freedom."""
    of_images = np.bincount(units.label, weights=influence.of_image**2, minlength=units.n_classes)
    by_class = of_images + influence.unseen
    n = np.maximum(np.bincount(units.label, minlength=units.n_classes), 1)
    if not by_class.any():
        return 0.0, np.inf
    if not units.has_groups:
        of_seen = float((of_images**2 / n).sum())  # the variance of unseen images is not estimated
        freedom = float(by_class.sum() ** 2 / of_seen) if of_seen > 0 and not influence.is_proportion else np.inf
        return float(by_class.sum()), freedom
    sums = np.bincount(units.code, weights=influence.of_image, minlength=units.n)
    spread = float((sums**2).sum())
    counts = np.bincount(units.code * units.n_classes + units.label, minlength=units.n * units.n_classes)
    correction, freedom = _small_sample(counts.reshape(units.n, -1), spread, of_images, by_class, n)
    return max(spread * correction, float(by_class.sum())), freedom


def _small_sample(
    counts: np.ndarray, spread: float, of_images: np.ndarray, by_class: np.ndarray, n: np.ndarray
) -> tuple[float, float]:
    """Return the correction factor of the sum of squares over groups, and its degrees of freedom.

    Both assume an equal correlation between images of one class in one group, estimated from the sum of squares. The
    groups' sums are then independent, except that their total is zero.

    Args:
        counts: (n_groups, K) images.
        spread: the sum of squares of the groups' influences.
        of_images, by_class: (K,) sums of squares of single images, without and with unseen images.
        n: (K,) number of images of each class; 1 for a class without images.
    """
    pairs = counts * (counts - 1.0)
    of_pairs = float((pairs @ (of_images / n)).sum())
    correlation = np.clip((spread - of_images.sum()) / of_pairs, 0, 1) if of_pairs > 0 else 0.0
    variance = (counts + correlation * pairs) @ (by_class / n)
    leverage = (counts / n) @ (by_class / by_class.sum())
    squared_leverage, total = float((leverage**2).sum()), float(variance.sum())
    first, second = float(variance @ leverage), float(variance @ leverage**2)
    # Trace of A and of A², where A = diag(variance)^½ (1 - leverage 1ᵀ)ᵀ (1 - leverage 1ᵀ) diag(variance)^½.
    trace = total * (1 + squared_leverage) - 2 * first
    of_square = (
        (squared_leverage * total) ** 2
        + 2 * total * second
        - 4 * squared_leverage * total * first
        + 2 * first**2
        + float((variance**2 * (1 + 2 * squared_leverage - 4 * leverage)).sum())
    )
    freedom = trace**2 / of_square if of_square > 0 else 1.0  # 0 if a single group has all influence
    return max(total / max(trace, total / 2), 1.0), max(freedom, 1.0)


def _ends(
    value: float, influence: Influence, variance: float, freedom: float, units: Units, scale: Scale
) -> tuple[float, float]:
    from scipy.special import ndtri, stdtrit

    widening = float(stdtrit(freedom, 1 - _TAIL) / ndtri(1 - _TAIL)) if np.isfinite(freedom) else 1.0
    variance *= widening**2  # so that quantiles of the normal distribution apply
    if scale == "real":
        reach = float(ndtri(1 - _TAIL)) * variance**0.5
        return value - reach, value + reach
    if scale == "positive":
        sums = np.bincount(units.code, weights=influence.of_image, minlength=units.n)
        return _gamma_ends(value, variance, float(np.abs(sums).max()))
    if scale == "correlation":  # -1 to 1
        low, high = _share_ends((value + 1) / 2, (influence.smoothed + 1) / 2, variance / 4, units)
        return 2 * low - 1, 2 * high - 1
    return _share_ends(value, influence.smoothed, variance, units)


def _share_ends(value: float, smoothed: float, variance: float, units: Units) -> tuple[float, float]:
    from scipy.special import betaincinv, expit, logit, ndtri

    edge = 0.5 / (len(units.label) + 1)
    inside = float(np.clip(smoothed, edge, 1 - edge))
    n = inside * (1 - inside) / variance
    low, high = betaincinv(n * value + 0.5, n * (1 - value) + 0.5, [_TAIL, 1 - _TAIL]).tolist()
    if units.has_groups:
        reach = ndtri(1 - _TAIL) * variance**0.5 / (inside * (1 - inside))
        low, high = min(low, float(expit(logit(inside) - reach))), max(high, float(expit(logit(inside) + reach)))
    return 0.0 if value <= 0 else low, 1.0 if value >= 1 else high


def _gamma_ends(value: float, variance: float, largest: float) -> tuple[float, float]:
    """Return the gamma interval; `largest` is the largest contribution of a unit.

    Source: Fay and Feuer 1997, Confidence Intervals for Directly Standardized Rates.
    """
    from scipy.special import gammaincinv

    if value <= 0:
        return 0.0, 0.0
    upper_variance, upper_value = variance + largest**2, value + largest
    low = variance / value * gammaincinv(value**2 / variance, _TAIL)
    return float(low), float(upper_variance / upper_value * gammaincinv(upper_value**2 / upper_variance, 1 - _TAIL))


# Ranking metrics: area under the ROC curve and average precision, their influences, and points of the curves.
#
# The area under the ROC curve (AUROC) of a class against the rest is the probability that an image of the class has a
# higher score than another image; ties count half.

_NEXT_WORST = 0.85  # rank of the unseen image of a class, as a share of the worst observed rank or precision

_STILL_ABOVE = 0.5  # share of the images above all others of which an unseen other image ranks below


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A ranking metric of one score, and the influence of images on it."""

    value: float  # NaN if there are no images of the class, or no others
    of_image: np.ndarray  # (n,) derivative by the weight of each image
    of_worst: tuple[
        float, float
    ]  # of an unseen image of the class that ranks low, and of another unseen image that ranks high


OfScore = Callable[[np.ndarray, np.ndarray], Ranked]


def auroc(score: np.ndarray, is_class: np.ndarray) -> Ranked:
    """Return the area under the ROC curve.

    Args:
        score: (n,) float, high for the class.
        is_class: (n,) bool.
    """
    positive, negative = np.sort(score[is_class]), np.sort(score[~is_class])
    n_positive, n_negative = len(positive), len(negative)
    if not n_positive or not n_negative:
        return _undefined(len(score))
    won = np.empty(len(score))  # share of the opposite images that each image ranks correctly against
    won[is_class] = _midrank(negative, score[is_class]) / n_negative
    won[~is_class] = 1 - _midrank(positive, score[~is_class]) / n_positive
    area = float(won[is_class].mean())
    of_image = (won - area) / np.where(is_class, n_positive, n_negative)
    lost = [_worst_loss(won[side], area) for side in (is_class, ~is_class)]
    return Ranked(value=area, of_image=of_image, of_worst=(-lost[0] / n_positive, -lost[1] / n_negative))


def _worst_loss(won: np.ndarray, area: float) -> float:
    """Return how far an unseen image is below the mean: slightly more than the worst, or fully if all rank first."""
    return area - _NEXT_WORST * float(won.min()) if won.min() < 1 else area


def average_precision(score: np.ndarray, is_class: np.ndarray) -> Ranked:
    """Return the mean precision over the images of the class, each at its score. Args as of `auroc`.

    The value equals scikit-learn's `average_precision_score`. Images of other classes are not required.
    """
    n_positive = int(is_class.sum())
    if not n_positive:
        return _undefined(len(score))
    order = np.argsort(-score, kind="stable")
    last = np.searchsorted(-score[order], -score[order], side="right") - 1  # of images with equal scores
    right = np.cumsum(is_class[order])[last].astype(np.float64)
    n = last + 1.0
    precision = right / n
    value = float(precision[is_class[order]].mean())
    # An image changes the precision at its own score and at all lower ones.
    by_other = -right / n**2
    first = np.searchsorted(-score[order], -score[order], side="left")
    lower = np.concatenate([np.cumsum((is_class[order] * by_other)[::-1])[::-1], [0.0]])[first]
    lower_one = np.concatenate([np.cumsum((is_class[order] / n)[::-1])[::-1], [0.0]])[first]
    of_image = np.empty(len(score))
    of_image[order] = (lower + is_class[order] * (lower_one + precision - value)) / n_positive
    # An unseen image of another class ranks above half of the images that rank above all others. If it ranked above all
    # of them, intervals would be twice as wide (benchmarks/interval_coverage.py).
    n_above = int((score[is_class] > score[~is_class].max(initial=-np.inf)).sum())
    n_still_above = 0 if n_above == n_positive else int(_STILL_ABOVE * n_above)
    below = (is_class[order] * by_other)[is_class[order]][n_still_above:]
    worst = _worst_loss(precision[is_class[order]], value)
    return Ranked(value=value, of_image=of_image, of_worst=(-worst / n_positive, float(below.sum()) / n_positive))


def _undefined(n: int) -> Ranked:
    return Ranked(value=float("nan"), of_image=np.zeros(n), of_worst=(0.0, 0.0))


def _midrank(others: np.ndarray, score: np.ndarray) -> np.ndarray:
    """Return (n,) the number of sorted scores below each score; equal ones count half."""
    middle: np.ndarray = (np.searchsorted(others, score, "left") + np.searchsorted(others, score, "right")) / 2
    return middle


def by_class(of_score: OfScore, probability: np.ndarray, label: np.ndarray) -> list[Ranked]:
    """Return the `auroc` or `average_precision` of each class against the rest."""
    return [of_score(column, label == k) for k, column in enumerate(probability.T)]


def macro_value(ranked: Sequence[Ranked]) -> float:
    """Return the mean over classes with a defined value; NaN if there are none."""
    defined = [each.value for each in ranked if not np.isnan(each.value)]
    return float(np.mean(defined)) if defined else float("nan")


def macro_influence(ranked: Sequence[Ranked], label: np.ndarray) -> Influence:
    """Return the influence on `macro_value`, which must be defined."""
    n_classes, value = len(ranked), macro_value(ranked)
    defined = [each for each in ranked if not np.isnan(each.value)]
    of_image = np.sum([each.of_image for each in defined], axis=0) / len(defined)
    positive, negative = np.array([each.of_worst for each in ranked]).T / len(defined)
    # The worst possible image ranks last in its class and first in another class.
    worst = positive + (negative.sum() - negative) / max(n_classes - 1, 1)
    worst = np.where(np.bincount(label, minlength=n_classes) > 0, worst, 0.0)
    return Influence(of_image, worst**2 / 2, value + float(worst.sum()) / 2)


def micro_auroc(probability: np.ndarray, label: np.ndarray) -> Ranked:
    """Return the AUROC of all pairs of image and class: correct pairs should have higher scores than incorrect ones."""
    return auroc(probability.ravel(), np.eye(probability.shape[1], dtype=bool)[label].ravel())


def micro_influence(probability: np.ndarray, label: np.ndarray) -> Influence:
    """Return the influence on `micro_auroc`."""
    n_classes, ranked = probability.shape[1], micro_auroc(probability, label)
    worst = np.where(np.bincount(label, minlength=n_classes) > 0, sum(ranked.of_worst), 0.0)
    of_image = ranked.of_image.reshape(-1, n_classes).sum(axis=1)
    return Influence(of_image, worst**2 / 2, ranked.value + float(worst.sum()) / 2)


_MOST_RATES = 2001


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of one curve, in drawing order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


def roc_curve(score: np.ndarray, is_class: np.ndarray, *, n_points: int = 200) -> Curve | None:
    """Return the false positive rate (x) against the true positive rate (y), from (0, 0) to (1, 1).

    Args:
        score: (n_images,) float, high for the class.
        is_class: (n_images,) bool.
        n_points: largest number of points. If there are more corners, points are omitted evenly.

    Returns:
        The curve, or None if there are no images of the class, or no others.
    """
    right, wrong = _cumulated(score, is_class)
    if right[-1] == 0 or wrong[-1] == 0:
        return None
    x, y = np.concatenate([[0.0], wrong / wrong[-1]]), np.concatenate([[0.0], right / right[-1]])
    return _thinned(x, y, n_points)


def pr_curve(score: np.ndarray, is_class: np.ndarray, *, n_points: int = 200) -> Curve | None:
    """Return recall (x, rising) against precision (y). Args as of `roc_curve`; None without images of the class."""
    right, wrong = _cumulated(score, is_class)
    if right[-1] == 0:
        return None
    return _thinned(right / right[-1], right / (right + wrong), n_points)


def micro_roc_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the ROC curve of all pairs of image and class; the area below it is the micro-AUROC.

    Args:
        probability: (n_images, n_classes) float.
        label: (n_images,) int in [0, n_classes).
    """
    return roc_curve(probability.ravel(), _is_label(probability, label))


def macro_roc_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the mean of the classes' ROC curves at each false positive rate; the area below it is the macro-AUROC.

    Args as of `micro_roc_curve`; None if no class has a curve. At most 2,001 rates are used.
    """
    curves = [roc_curve(probability[:, k], label == k, n_points=_MOST_RATES) for k in range(probability.shape[1])]
    points = [(np.array(curve.x), np.array(curve.y)) for curve in curves if curve is not None]
    if not points:
        return None
    rates = np.unique(np.concatenate([x for x, _ in points]))
    if len(rates) > _MOST_RATES:
        rates = np.linspace(0, 1, _MOST_RATES)
    ends = np.mean([_both_ends(x, y, rates) for x, y in points], axis=0)  # (2, n_rates): a curve may step up at a rate
    x, y = np.repeat(rates, 2), ends.T.ravel()
    is_new = np.append(True, (np.diff(x) != 0) | (np.diff(y) != 0))
    return _thinned(x[is_new], y[is_new], 200)


def micro_pr_curve(probability: np.ndarray, label: np.ndarray) -> Curve | None:
    """Return the precision-recall curve of all pairs of image and class. Args as of `micro_roc_curve`."""
    return pr_curve(probability.ravel(), _is_label(probability, label))


def _is_label(probability: np.ndarray, label: np.ndarray) -> np.ndarray:
    is_label = np.zeros(probability.shape, dtype=bool)
    is_label[np.arange(len(label)), label] = True
    return is_label.ravel()


def _both_ends(x: np.ndarray, y: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return (2, n): the lowest and highest y of a rising, piecewise linear curve at each x; they differ at steps."""
    places, first = np.unique(x, return_index=True)
    last = np.append(first[1:], len(x)) - 1
    low, high = y[first], y[last]
    left = np.searchsorted(places, at, side="right") - 1
    right = np.minimum(left + 1, len(places) - 1)
    share = (at - places[left]) / np.maximum(places[right] - places[left], 1e-300)
    between = high[left] + share * (low[right] - high[left])
    is_place = places[left] == at
    return np.array([np.where(is_place, low[left], between), np.where(is_place, high[left], between)])


def _cumulated(score: np.ndarray, is_class: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of images of the class, and of others, at or above each distinct score, high to low."""
    if len(score) == 0:
        return np.zeros(1), np.zeros(1)
    order = np.argsort(-score, kind="stable")
    last_of_equal = np.flatnonzero(np.diff(score[order], append=-np.inf))
    right = np.cumsum(is_class[order])[last_of_equal].astype(float)
    return right, last_of_equal + 1 - right


def _thinned(x: np.ndarray, y: np.ndarray, n_points: int) -> Curve:
    # A point on a straight horizontal or vertical run adds nothing to the drawing.
    inner = (np.diff(x[:-1]) * np.diff(y[1:]) - np.diff(x[1:]) * np.diff(y[:-1])) != 0
    x, y = (axis[np.concatenate([[True], inner, [True]])] if len(axis) > 2 else axis for axis in (x, y))
    if len(x) > n_points:
        indices = np.unique(np.linspace(0, len(x) - 1, n_points).round().astype(int))
        x, y = x[indices], y[indices]
    return Curve(tuple(map(float, x)), tuple(map(float, y)))
