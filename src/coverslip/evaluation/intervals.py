"""Confidence intervals of metrics, from the influence of each image, summed over groups.

The influence of an image is the derivative of the metric by the image's weight. Images of one group (patient, slide,
well) resemble each other, so influences are summed over groups, or over single images if there are no groups. The
variance of these sums is that of the metric: the infinitesimal jackknife (Efron 1982, The Jackknife, the Bootstrap and
Other Resampling Plans, chapter 6; for AUROC, it is the method of DeLong, DeLong and Clarke-Pearson 1988). A bootstrap
over groups converges to it. The jackknife needs one pass over the images, and its results are reproducible.

If all images of a class are predicted correctly, or all incorrectly, they have no influence, but the next image may
have. Therefore each class includes one unseen image, half of it correct and half of it as wrong as possible.

Groups vary within classes: from the influence of an image, the mean over the images of its class is subtracted before
the sums over groups. Otherwise, if all images of a patient are of one class, the interval of a precision would be that
for as many patients of random classes, about twice as wide. Intervals are for the class proportions of these images;
the variance of the proportions is added as that of independent images.

Six rules improve the coverage with few or unequal groups, or without errors (`benchmarks/interval_coverage.py`):

- A few large groups are less informative than many equal groups. The variance is corrected, and the degrees of freedom
  of Student's t follow from the sizes of groups and the correlation within groups (Bell and McCaffrey 2002, Bias
  Reduction in Standard Errors for Linear Regression with Multi-Stage Samples).
- A rare class without errors, or with errors only, has no variance. Therefore each class includes an unseen image, and
  the variance is at least that of independent images. Without groups, the degrees of freedom are Satterthwaite's for
  the images of each class, without unseen images.
- Near 0 and 1, symmetric intervals do not fit. The interval of a share is the exact binomial one for the number of
  independent images with the same standard error (after Korn and Graubard 1998, Confidence Intervals for Proportions
  with Small Expected Number of Positive Counts). With groups, it is the wider of this interval and of Student's t on
  the logit scale, since results of groups are skewed. A metric without an upper bound has the gamma interval of Fay and
  Feuer (1997).
- A metric of exactly 0 or 1 gives no information about the variance between groups. It has the exact binomial interval
  for groups that are correct or incorrect as a whole.
- A few groups may agree only because no group on which the classifier fails is among them. With fewer than twenty
  groups, the interval includes the value that the metric would have with one more group of errors only.
- With fewer than five groups, there is no interval, since it would not be informative. Counts are reported instead.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from coverslip.evaluation.metrics import Influence, Margins, confusion_matrix, margins_of
from coverslip.evaluation.results import LEVEL, Metric
from coverslip.messages import message

Scale = Literal["share", "correlation", "positive", "real"]

RANGES: Mapping[Scale, tuple[float, float]] = {
    "share": (0.0, 1.0),
    "correlation": (-1.0, 1.0),
    "positive": (0.0, np.inf),
    "real": (-np.inf, np.inf),
}

_COUNT_STEP = 1e-4  # of an image, for derivatives by counts


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


def influence_on_mean(value: np.ndarray, label: np.ndarray, n_classes: int, of_error: float = 0.0) -> Influence:
    """Return the influence on a mean over images.

    Args:
        value: (n_images,) values that are averaged.
        label: (n_images,) int, the true class.
        n_classes: K.
        of_error: as of `Influence`.
    """
    mean = float(value.mean())
    return Influence((value - mean) / len(value), unseen=np.zeros(n_classes), smoothed=mean, of_error=of_error)


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
    # Together they are smoothed * (1 - smoothed) / n, so that single images get the exact interval for n images.
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
    steps = _COUNT_STEP * np.eye(n_classes) * (margins.n_true > 0)
    steps_predicted = _COUNT_STEP * np.eye(n_classes)
    slopes = []
    for place, step in enumerate((steps, steps, steps_predicted)):
        above, below = (
            of_margins(Margins(*(each + sign * step * (place == k) for k, each in enumerate(margins))))
            for sign in (1, -1)
        )
        slopes.append((above - below) / (2 * _COUNT_STEP))
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
    stratum: np.ndarray  # (n_images,) int, the true class, also where `label` is whether it is a certain one
    has_name: np.ndarray | None = None  # (n_images,) bool: whether the image has a group; None: all or none have one

    @classmethod
    def of(
        cls, label: np.ndarray, group: np.ndarray | None, n_classes: int, has_name: np.ndarray | None = None
    ) -> "Units":
        """Return the groups, and the images without a group, as units; single images without groups."""
        code = np.arange(len(label)) if group is None else group_codes(group)
        if group is not None and has_name is None:
            has_name = has_group_name(group)
        return cls(code, int(code.max()) + 1, label, n_classes, group is not None, label, has_name)

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
        if self.has_name is None or self.has_name.all():
            return "groups"
        return "groups and images without a group" if self.has_name.any() else "images"

    @property
    def method(self) -> str:
        """The method of the intervals, for `metrics.json`."""
        if not self.has_groups:
            return "infinitesimal jackknife over images (exact binomial)"
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
        if units.name == "images":
            return replace(metric, reason=message("interval-needs-images", n_needed=FEWEST_GROUPS))
        return replace(metric, reason=message("interval-needs-groups", n_groups=n_units, n_needed=FEWEST_GROUPS))
    if units.n < 2:
        return replace(metric, reason=message("interval-of-one-image"))
    if units.has_groups and scale == "share" and value in (0, 1):
        low, high = exact_ends(value, n_units)
        return replace(metric, low=low, high=high, method=f"exact binomial over {n_units} {units.name}")
    variance, freedom = _variance(influence, units)
    if not variance > 0:
        return replace(metric, reason=message("interval-without-influence"))
    low, high = _ends(value, influence, variance, freedom, units, scale)
    if units.has_groups and n_units < _ENOUGH_GROUPS and scale in ("share", "correlation"):
        low = min(low, value * n_units / (n_units + 1))
    return replace(metric, low=min(low, value), high=max(high, value))


def share_of_images(n: int, n_images: int) -> Metric:
    """Return a share of independent images with the exact interval; without a value if there is no image."""
    if not n_images:
        return Metric(value=None, n_correct=n, n_images=n_images)
    low, high = exact_ends(n / n_images, n_images)
    return Metric(value=n / n_images, low=low, high=high, method="exact binomial", n_correct=n, n_images=n_images)


def exact_ends(share: float, n: float) -> tuple[float, float]:
    """Return the ends of the exact binomial interval (Clopper and Pearson 1934) of a share.

    It is the only interval of binomial shares: with 3 to 20 images, its coverage is at least .95 (mean .98), and either
    end is on the wrong side of the true share in at most .025 of samples. Other intervals are narrower, but verdicts
    depend on single ends: Jeffreys' has a coverage of .87 or more and an error of one end up to .11, mid-P .91 and .05.

    Args:
        share: from 0 to 1.
        n: number of independent images above 0, which can be a fraction.
    """
    x = share * n
    if x <= 0 or x >= n:  # of few images often, and without SciPy, whose import takes long
        end = _TAIL ** (1 / n)
        return (0.0, 1 - end) if x <= 0 else (end, 1.0)

    from scipy.special import betaincinv

    low, high = float(betaincinv(x, n - x + 1, _TAIL)), float(betaincinv(x + 1, n - x, 1 - _TAIL))
    return min(low, share), max(high, share)


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
    if not units.has_groups:
        of_seen = float((of_images**2 / n).sum())  # the variance of unseen images is not estimated
        freedom = float(by_class.sum() ** 2 / of_seen) if of_seen > 0 and not influence.is_proportion else np.inf
        return float(by_class.sum()), freedom
    mean = np.bincount(units.stratum, weights=influence.of_image) / np.maximum(np.bincount(units.stratum), 1)
    within = influence.of_image - mean[units.stratum]
    of_images_within = np.bincount(units.label, weights=within**2, minlength=units.n_classes)
    of_proportions = float((of_images - of_images_within).sum())
    sums = np.bincount(units.code, weights=within, minlength=units.n)
    spread = float((sums**2).sum())
    counts = np.bincount(units.code * units.n_classes + units.label, minlength=units.n * units.n_classes)
    by_class = of_images_within + influence.unseen
    if not by_class.any():
        return of_proportions, np.inf
    correction, freedom = _small_sample(counts.reshape(units.n, -1), spread, of_images_within, by_class, n)
    return max(spread * correction, float(by_class.sum())) + of_proportions, freedom


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
        return _gamma_ends(value, variance, max(float(np.abs(sums).max()), influence.of_error))
    if scale == "correlation":  # -1 to 1
        low, high = _share_ends((value + 1) / 2, (influence.smoothed + 1) / 2, variance / 4, units)
        return 2 * low - 1, 2 * high - 1
    return _share_ends(value, influence.smoothed, variance, units)


def _share_ends(value: float, smoothed: float, variance: float, units: Units) -> tuple[float, float]:
    from scipy.special import expit, logit, ndtri

    edge = 0.5 / (len(units.label) + 1)
    inside = float(np.clip(smoothed, edge, 1 - edge))
    low, high = exact_ends(value, inside * (1 - inside) / variance)
    if units.has_groups:
        reach = ndtri(1 - _TAIL) * variance**0.5 / (inside * (1 - inside))
        low, high = min(low, float(expit(logit(inside) - reach))), max(high, float(expit(logit(inside) + reach)))
    return low, high


def _gamma_ends(value: float, variance: float, largest: float) -> tuple[float, float]:
    """Return the gamma interval; `largest` is the largest contribution of a unit.

    Source: Fay and Feuer 1997, Confidence Intervals for Directly Standardized Rates.
    """
    from scipy.special import gammaincinv

    upper_variance, upper_value = variance + largest**2, value + largest
    low = variance / value * gammaincinv(value**2 / variance, _TAIL) if value > 0 else 0.0
    return float(low), float(upper_variance / upper_value * gammaincinv(upper_value**2 / upper_variance, 1 - _TAIL))
