"""How far the numbers could be off: bootstrap intervals over groups or images.

Images of one group (patient, slide, well) resemble each other, so a resample draws whole groups. The spread of the
resamples gives a standard error, and the interval is `value ± t · standard error` with Student's t for the number of
groups, on the logit scale (log for `log_loss`), so that it stays inside the metric's range. Percentiles of the
resamples, the usual way, are far too narrow when groups are few: among 3 groups no percentile reaches beyond the best
and the worst group, which bounds the coverage of a nominal 95 % by .75. `benchmarks/interval_coverage.py` measures
both.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from coverslip.evaluation.metrics import check_arrays, confusion_matrix
from coverslip.evaluation.results import LEVEL, Metric
from coverslip.evaluation.table import METRICS, FromCounts, FromSums, FromWeights, MetricRecord, scored_metrics

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FEW_GROUPS_FOR_INTERVALS = 30

OnResamples = Callable[[int, int], None]  # so many are done, of so many


def ignore_resamples(done: int, total: int) -> None:
    """For resamples that nobody watches."""


def bootstrap_intervals(
    probability: np.ndarray,
    label: np.ndarray,
    group: np.ndarray | None,
    *,
    predicted: np.ndarray | None = None,
    n_resamples: int = 2000,
    seed: int = 0,
    metrics: Sequence[str] | None = None,
    on_progress: OnResamples = ignore_resamples,
) -> dict[str, Metric]:
    """Each metric with an interval that allows for the choice of groups (or images) in hand.

    Args:
        probability: (n_images, n_classes) float; rows sum to 1.
        label: (n_images,) int in [0, n_classes).
        group: (n_images,) names of groups; all images of a group move together. An empty name or None is a group of its
            own. None for the whole: images are drawn one by one. Classes are not held at fixed counts: how many
            images of each class there are is part of the luck of the draw.
        predicted: (n_images,) int, the class that was decided; None: that of highest probability.
        n_resamples: how many times the groups are drawn again; metrics that need all images at once (AUROC) take
            fewer (200 at least) where images x classes are so many that it would take longer than everything else.
        seed: start of the random draws; equal seeds give equal intervals.
        metrics: names out of `METRICS`; None takes all `scored_metrics`.
        on_progress: told of resamples that are done.

    Returns:
        Metric name to `Metric`; `value`, `low` and `high` are None, with a reason, where they cannot be estimated.

    Raises:
        ValueError: as in `score`, or there is no such metric.
    """
    check_arrays(probability, label)
    records = [METRICS.find(name) for name in (scored_metrics() if metrics is None else metrics)]
    unit = np.arange(len(label)) if group is None else group_codes(group)
    n_units = int(unit.max()) + 1
    if predicted is None:
        predicted = probability.argmax(axis=1)
    values = {record.name: record.value(probability, label, predicted) for record in records}
    method = interval_method(n_units, has_groups=group is not None)
    if n_units < 2:
        reason = ("all images are of one group" if group is not None else "there is only one image") + ": no interval"
        return {name: _without_interval(value, method, reason) for name, value in values.items()}
    sample = _Sample(probability, label, predicted, unit, n_units)
    resampled = _resample(sample, n_resamples, seed, records, on_progress)
    return {
        record.name: _interval(record, values[record.name], resampled.get(record.name), sample, method)
        for record in records
    }


def interval_method(n_units: int, *, has_groups: bool) -> str:
    """What the interval is, in words that go into `metrics.json`."""
    if not has_groups:
        return "bootstrap over images (Student's t, logit scale)"
    if n_units == 1:
        return "bootstrap over groups; one group gives no interval"
    if n_units >= FEW_GROUPS_FOR_INTERVALS:
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


def _interval(record: MetricRecord, value: float, resampled: np.ndarray | None, sample: _Sample, method: str) -> Metric:
    if np.isnan(value):
        return _without_interval(value, method, record.undefined)
    if resampled is None:
        return _without_interval(value, "none", "no interval is known for it")
    if np.nanstd(resampled) > 1e-12:
        low, high = _t_interval(record, value, resampled, sample)
        return Metric(value=value, low=low, high=high, method=method)
    if not isinstance(record.bootstrap, FromCounts):
        return _without_interval(value, method, "every resample gives the same value: no interval")
    low, high = _jeffreys_interval(record.bootstrap, sample)
    return Metric(
        value=value,
        low=min(low, value),
        high=max(high, value),
        method=f"Jeffreys interval for {sample.n_units} independent {'groups' if 'groups' in method else 'images'}, "
        "since every bootstrap resample gives the same value",
    )


def _t_interval(record: MetricRecord, value: float, resampled: np.ndarray, sample: _Sample) -> tuple[float, float]:
    """Low and high by Student's t on the scale where the metric has no walls."""
    from scipy.special import expit, logit, stdtrit

    # Resamples of n units spread by sqrt((n - 1) / n) too little.
    standard_error = np.nanstd(resampled) * np.sqrt(sample.n_units / (sample.n_units - 1))
    reach = stdtrit(sample.n_units - 1, (1 + LEVEL) / 2) * standard_error
    # The standard error is carried to the other scale by the slope at the value. Transforming every resample instead
    # lets the few that happen to be perfect (infinite there) decide the width.
    if record.scale == "positive":
        ends = value * np.exp(np.array([-reach, reach]) / value)
    else:
        edge = 0.5 / len(sample.label)  # 0 and 1 stand for 'less than one image'
        inside = np.clip(value, edge, 1 - edge)
        ends = expit(logit(inside) + np.array([-reach, reach]) / (inside * (1 - inside)))
    return min(float(ends[0]), value), max(float(ends[1]), value)


def _jeffreys_interval(metric: FromCounts, sample: _Sample) -> tuple[float, float]:
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
    low, high = np.quantile(metric.of_counts(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _without_interval(value: float, method: str, reason: str) -> Metric:
    return Metric(value=None if np.isnan(value) else value, method=method, reason=reason)


def _resample(
    sample: _Sample,
    n_resamples: int,
    seed: int,
    records: Sequence[MetricRecord],
    on_progress: OnResamples = ignore_resamples,
) -> dict[str, np.ndarray]:
    """(n_resamples,) values of each metric that has a way (fewer of those that would take too long)."""
    n_images, n_classes = sample.probability.shape
    # Those of the whole table, asked for or not: in which order a row's numbers are added, and with it their last
    # digit, depends on what else stands in the row.
    summed = list(
        dict.fromkeys(record.bootstrap for record in METRICS.values() if isinstance(record.bootstrap, FromSums))
    )
    sums, ends = _sums_by_unit(sample, summed)
    n_of_weights = int(np.clip(2e8 / (n_images * n_classes), 200, n_resamples))
    blocks: list[dict[str, np.ndarray]] = []
    n_done = 0
    for weight in _draws(sample.n_units, n_images, n_resamples, seed):  # (units, resamples)
        counts, *parts = np.split((sums.T @ weight).T, ends, axis=1)  # (resamples, columns) each
        n = counts.sum(axis=1)
        values = {}
        for record in records:
            match record.bootstrap:
                case FromCounts(of_counts):
                    values[record.name] = of_counts(counts.reshape(-1, n_classes, n_classes))
                case FromSums(of_sums=of_sums) as form:
                    values[record.name] = of_sums(parts[summed.index(form)], n)
                case FromWeights(of_weights) if n_done < n_of_weights:
                    by_image = weight[sample.unit, : n_of_weights - n_done]
                    values[record.name] = of_weights(sample.probability, sample.label, by_image)
        n_done += weight.shape[1]
        on_progress(n_done, n_resamples)
        blocks.append(values)
    return {name: np.concatenate([block[name] for block in blocks if name in block]) for name in blocks[0]}


def _sums_by_unit(sample: _Sample, summed: Sequence[FromSums]) -> "tuple[csr_array, list[int]]":
    """(n_units, columns): counts of the confusion matrix, then each metric's columns; and where each of these begins.

    All add up over images, so a resample is a weighted sum over units.
    """
    from scipy.sparse import csr_array

    n_images, n_classes = sample.probability.shape
    values, columns, ends = [np.ones(n_images)], [sample.label * n_classes + sample.predicted], [n_classes**2]
    for form in summed:
        value, column = form.of_images(sample.probability, sample.label)
        values.append(value)
        columns.append(ends[-1] + column)
        ends.append(ends[-1] + form.n_columns)
    place = (np.tile(sample.unit, len(values)), np.concatenate(columns))
    sums = csr_array((np.concatenate(values), place), shape=(sample.n_units, ends[-1]))
    return sums, ends[:-1]


def _draws(n_units: int, n_images: int, n_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """(n_units, resamples) float32 arrays: how often each unit was drawn, in blocks that keep memory flat."""
    generator = np.random.default_rng(seed)
    block = int(np.clip(8e6 / n_images, 10, n_resamples))
    for start in range(0, n_resamples, block):
        n = min(block, n_resamples - start)
        drawn = generator.integers(n_units, size=(n, n_units)) + n_units * np.arange(n)[:, None]
        yield np.bincount(drawn.ravel(), minlength=n * n_units).reshape(n, n_units).T.astype(np.float32)
