"""How far the numbers could be off: bootstrap intervals over groups or images.

Images of one group (patient, slide, well) resemble each other, so a resample draws whole groups. The spread of the
resamples gives a standard error, and the interval is `value ± t · standard error` with Student's t for the number of
groups, on the logit scale (log for `log_loss`), so that it stays inside the metric's range. Percentiles of the
resamples, the usual way, are far too narrow when groups are few: among 3 groups no percentile reaches beyond the best
and the worst group, which bounds the coverage of a nominal 95 % by .75. `benchmarks/interval_coverage.py` measures
both.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coverslip.evaluation.calibration import confidence_bin, confidence_minus_accuracy
from coverslip.evaluation.metrics import (
    METRICS,
    check_arrays,
    confusion_matrix,
    count_metrics,
    image_log_loss,
    score,
    weighted_auroc,
)
from coverslip.evaluation.results import Metric

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FEW_GROUPS = 30
N_BINS = 15
_COUNTED = frozenset({"accuracy", "balanced_accuracy", "macro_f1", "macro_precision", "macro_recall"})


def bootstrap_intervals(
    probability: np.ndarray,
    label: np.ndarray,
    group: np.ndarray | None,
    *,
    predicted: np.ndarray | None = None,
    level: float = 0.95,
    n_resamples: int = 2000,
    seed: int = 0,
    metrics: Sequence[str] = METRICS[:-1],
) -> dict[str, Metric]:
    """Each metric with an interval that allows for the choice of groups (or images) in hand.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        group: (n_images,) names of groups; all images of a group move together. An empty name or None is a group of its
            own. None for the whole: images are drawn one by one. Classes are not held at fixed counts: how many
            images of each class there are is part of the luck of the draw.
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.
        level: nominal coverage in (0, 1).
        n_resamples: how many times the groups are drawn again; `macro_auroc` takes fewer (200 at least) where
            images x classes are so many that it would take longer than everything else.
        seed: start of the random draws; equal seeds give equal intervals.
        metrics: names out of `METRICS`.

    Returns:
        Metric name to `Metric`; `value`, `low` and `high` are None, with a reason, where they cannot be estimated.

    Raises:
        ValueError: as in `score`, or a metric has no such name.
    """
    check_arrays(probability, label)
    if unknown := [name for name in metrics if name not in METRICS[:-1]]:
        raise ValueError(f"unknown metric {unknown[0]!r}; choose from {', '.join(METRICS[:-1])}")
    unit = np.arange(len(label)) if group is None else group_codes(group)
    n_units = int(unit.max()) + 1
    if predicted is None:
        predicted = probability.argmax(axis=1)
    values = score(probability, label, predicted)
    method = interval_method(n_units, has_groups=group is not None)
    if n_units < 2:
        reason = "all images are of one group" if group is not None else "there is only one image"
        return {name: _without_interval(values[name], level, method, f"{reason}: no interval") for name in metrics}
    sample = _Sample(probability, label, predicted, unit, n_units)
    resampled = _resample(sample, n_resamples, seed, metrics)
    return {name: _interval(name, values[name], resampled[name], sample, level, method) for name in metrics}


def interval_method(n_units: int, *, has_groups: bool) -> str:
    """What the interval is, in words that go into `metrics.json`."""
    if not has_groups:
        return "bootstrap over images (Student's t, logit scale)"
    if n_units == 1:
        return "bootstrap over groups; one group gives no interval"
    if n_units >= FEW_GROUPS:
        return "bootstrap over groups (Student's t, logit scale)"
    return (
        f"bootstrap over groups (Student's t, logit scale); only {n_units} groups: widened "
        "for that and still approximate. A percentile bootstrap is too narrow here (a nominal .95 covers about .75 "
        "with 3 groups, .86 with 8, .93 with 30)"
    )


def group_codes(group: np.ndarray) -> np.ndarray:
    """(n_images,) int from 0: equal names, equal numbers; an empty name or None is a group of its own."""
    codes: dict[object, int] = {}
    named = [("alone", i) if name is None or name == "" else name for i, name in enumerate(group)]
    return np.array([codes.setdefault(name, len(codes)) for name in named], dtype=int)


@dataclass(frozen=True, slots=True)
class _Sample:
    probability: np.ndarray  # (n_images, n_classes)
    label: np.ndarray  # (n_images,)
    predicted: np.ndarray  # (n_images,) int
    unit: np.ndarray  # (n_images,) int: what is drawn together
    n_units: int


def _interval(name: str, value: float, resampled: np.ndarray, sample: _Sample, level: float, method: str) -> Metric:
    if np.isnan(value):
        return _without_interval(value, level, method, "all images are of one class")
    if np.nanstd(resampled) > 1e-12:
        low, high = _t_interval(name, value, resampled, sample, level)
        return Metric(value=value, low=low, high=high, level=level, method=method)
    if name not in _COUNTED:
        return _without_interval(value, level, method, "every resample gives the same value: no interval")
    low, high = _jeffreys_interval(name, sample, level)
    return Metric(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        method=f"Jeffreys interval for {sample.n_units} independent {'groups' if 'groups' in method else 'images'}, "
        "since every bootstrap resample gives the same value",
    )


def _t_interval(name: str, value: float, resampled: np.ndarray, sample: _Sample, level: float) -> tuple[float, float]:
    """Low and high by Student's t on the scale where the metric has no walls."""
    from scipy.special import expit, logit
    from scipy.stats import t

    # Resamples of n units spread by sqrt((n - 1) / n) too little.
    standard_error = np.nanstd(resampled) * np.sqrt(sample.n_units / (sample.n_units - 1))
    reach = t.ppf((1 + level) / 2, sample.n_units - 1) * standard_error
    # The standard error is carried to the other scale by the slope at the value. Transforming every resample instead
    # lets the few that happen to be perfect (infinite there) decide the width.
    if name == "log_loss":
        ends = value * np.exp(np.array([-reach, reach]) / value)
    else:
        edge = 0.5 / len(sample.label)  # 0 and 1 stand for 'less than one image'
        inside = np.clip(value, edge, 1 - edge)
        ends = expit(logit(inside) + np.array([-reach, reach]) / (inside * (1 - inside)))
    return min(float(ends[0]), value), max(float(ends[1]), value)


def _jeffreys_interval(name: str, sample: _Sample, level: float) -> tuple[float, float]:
    """An interval where resampling cannot vary, as when every prediction is right.

    Rows of the confusion matrix are drawn from their posterior under Jeffreys' prior (half an image right, half an
    image spread over the mistakes). Each class counts as many images as there are groups that hold it.
    """
    n_classes = sample.probability.shape[1]
    confusion = confusion_matrix(sample.label, sample.predicted, n_classes)
    prior = np.full((n_classes, n_classes), 0.5 / max(n_classes - 1, 1))
    np.fill_diagonal(prior, 0.5)
    generator = np.random.default_rng(0)
    drawn = np.zeros((2000, n_classes, n_classes))
    for k in np.unique(sample.label):
        n_units = len(np.unique(sample.unit[sample.label == k]))
        n = confusion[k].sum()
        drawn[:, k] = n * generator.dirichlet(confusion[k] / n * n_units + prior[k], size=len(drawn))
    low, high = np.quantile(count_metrics(drawn)[name], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _without_interval(value: float, level: float, method: str, reason: str) -> Metric:
    return Metric(value=None if np.isnan(value) else value, level=level, method=method, reason=reason)


def _resample(sample: _Sample, n_resamples: int, seed: int, metrics: Sequence[str]) -> dict[str, np.ndarray]:
    """(n_resamples,) values per metric (fewer for `macro_auroc` where it would take too long)."""
    n_images, n_classes = sample.probability.shape
    sums = _sums_by_unit(sample)
    n_for_auroc = int(np.clip(2e8 / (n_images * n_classes), 200, n_resamples)) if "macro_auroc" in metrics else 0
    blocks: list[dict[str, np.ndarray]] = []
    n_done = 0
    for weight in _draws(sample.n_units, n_images, n_resamples, seed):  # (units, resamples)
        total = (sums.T @ weight).T  # (resamples, K * K + N_BINS + 1)
        counts, gaps, losses = np.split(total, [n_classes**2, n_classes**2 + N_BINS], axis=1)
        n = counts.sum(axis=1)
        values = count_metrics(counts.reshape(-1, n_classes, n_classes))
        values |= {"ece": np.abs(gaps).sum(axis=1) / n, "log_loss": losses[:, 0] / n}
        if n_done < n_for_auroc:
            values["macro_auroc"] = _macro_auroc(sample, weight[:, : n_for_auroc - n_done])
        n_done += weight.shape[1]
        blocks.append(values)
    return {name: np.concatenate([block[name] for block in blocks if name in block]) for name in metrics}


def _sums_by_unit(sample: _Sample) -> "csr_array":
    """(n_units, K * K + N_BINS + 1): counts of the confusion matrix, calibration gaps by bin, log loss.

    All three add up over images, so a resample is a weighted sum over units.
    """
    from scipy.sparse import csr_array

    probability, label = sample.probability, sample.label
    n_images, n_classes = probability.shape
    cell = label * n_classes + sample.predicted
    bins = n_classes**2 + confidence_bin(probability, N_BINS)
    last = np.full(n_images, n_classes**2 + N_BINS)
    gap, loss = confidence_minus_accuracy(probability, label), image_log_loss(probability, label)
    value = np.concatenate([np.ones(n_images), gap, loss])
    place = (np.tile(sample.unit, 3), np.concatenate([cell, bins, last]))
    return csr_array((value, place), shape=(sample.n_units, int(last[0]) + 1))


def _draws(n_units: int, n_images: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """(n_units, resamples) float32 arrays: how often each unit was drawn, in blocks that keep memory flat."""
    generator = np.random.default_rng(seed)
    block = int(np.clip(8e6 / n_images, 10, n_resamples))
    for start in range(0, n_resamples, block):
        n = min(block, n_resamples - start)
        drawn = generator.integers(n_units, size=(n, n_units)) + n_units * np.arange(n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n * n_units).reshape(n, n_units).T.astype(np.float32)


def _macro_auroc(sample: _Sample, weight: np.ndarray) -> np.ndarray:
    """(n_resamples,) mean over classes; `weight` is (n_units, n_resamples)."""
    by_image = weight[sample.unit]
    by_class = np.stack(
        [weighted_auroc(column, sample.label == k, by_image) for k, column in enumerate(sample.probability.T)]
    )
    is_defined = ~np.isnan(by_class)
    with np.errstate(invalid="ignore"):
        mean: np.ndarray = np.where(is_defined, by_class, 0).sum(axis=0) / is_defined.sum(axis=0)
    return mean
