"""Two classifiers on the same images: by how much their numbers differ, and how far that difference could be luck.

What both find easy or hard is the same for both, so the difference is far better known than either number: intervals
of the two that overlap say nothing about it. Images of one group (patient, slide, well) move together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.evaluation.intervals import group_codes
from coverslip.evaluation.metrics import check_arrays
from coverslip.evaluation.results import LEVEL, Metric
from coverslip.evaluation.table import METRICS, MetricRecord, scored_metrics

_MOST_BLOCKS = 100
_FEWEST_BLOCKS = 20
_NUMBERS_AT_ONCE = 4e7  # probabilities that are looked at in all, above which blocks become fewer


@dataclass(frozen=True, slots=True)
class Answers:
    """What one classifier says of some images."""

    probability: np.ndarray  # (n, K) float; rows sum to 1
    predicted: np.ndarray  # (n,) int, the class that was decided


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """The images that only one of two classifiers named rightly, and how likely so unequal counts are by chance."""

    n_first: int
    n_second: int
    p: float  # exact, two-sided; images counted as independent


def mcnemar(first_is_right: np.ndarray, second_is_right: np.ndarray) -> McNemar:
    """McNemar's exact test.

    Args:
        first_is_right, second_is_right: (n,) bool, of the same images.

    Returns:
        `p` is 1 where both were right and wrong on the same images. It takes images for independent: where groups are
        known, the interval of the difference tells more.
    """
    from scipy.stats import binomtest

    n_first = int((first_is_right & ~second_is_right).sum())
    n_second = int((second_is_right & ~first_is_right).sum())
    n = n_first + n_second
    return McNemar(n_first=n_first, n_second=n_second, p=float(binomtest(n_first, n).pvalue) if n else 1.0)


def paired_differences(
    first: Answers,
    second: Answers,
    label: np.ndarray,
    group: np.ndarray | None,
    *,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
) -> dict[str, Metric]:
    """Each metric of the second classifier minus that of the first, with an interval.

    The jackknife: groups are left out in turn (without groups: images, in up to 100 blocks), and the spread of the
    differences gives a standard error; the interval is `difference ± t · standard error` with Student's t. Accuracy
    without groups has the interval of Bonett and Price (2012, Adjusted Wald confidence interval for a difference of
    binomial proportions based on paired data), which holds where few images differ.

    Args:
        first, second: what both say of the same images.
        label: (n,) int, the true classes.
        group: (n,) names; an empty name or None is a group of its own. None for the whole: images are alone.
        metrics: names out of `METRICS`; None takes all `scored_metrics`.
        seed: which images make a block.

    Returns:
        Metric name to `Metric` from -1 to 1 (or without ends); `low` and `high` are None, with a reason, where both
        say the same or there is one group.

    Raises:
        ValueError: the arrays cannot belong together, or there is no such metric.
    """
    for answers in (first, second):
        check_arrays(answers.probability, label)
    records = [METRICS.find(name) for name in (scored_metrics() if metrics is None else metrics)]
    blocks = _blocks(label, group, first.probability.shape[1], seed)
    return {record.name: _difference(record, first, second, label, group, blocks) for record in records}


def _blocks(label: np.ndarray, group: np.ndarray | None, n_classes: int, seed: int) -> np.ndarray:
    """(n,) int from 0: what is left out together; groups are never divided."""
    unit = np.arange(len(label)) if group is None else group_codes(group)
    n_units = int(unit.max()) + 1
    most = int(np.clip(_NUMBERS_AT_ONCE / (len(label) * n_classes), _FEWEST_BLOCKS, _MOST_BLOCKS))
    block_of_unit = np.random.default_rng(seed).permutation(n_units) % min(n_units, most)
    blocks: np.ndarray = block_of_unit[unit]
    return blocks


def _difference(
    record: MetricRecord,
    first: Answers,
    second: Answers,
    label: np.ndarray,
    group: np.ndarray | None,
    blocks: np.ndarray,
) -> Metric:
    every = np.ones(len(label), dtype=bool)
    value = _of(record, first, second, label, every)
    if np.isnan(value):
        return Metric(value=None, method=_method(group), reason=record.undefined)
    if record.name == "accuracy" and group is None:
        return _bonett_price(first, second, label)
    n_blocks = int(blocks.max()) + 1
    if n_blocks < 2:
        reason = "all images are of one group" if group is not None else "there is only one image"
        return Metric(value=value, method=_method(group), reason=f"{reason}: no interval")
    left_out = np.array([_of(record, first, second, label, blocks != k) for k in range(n_blocks)])
    left_out = left_out[~np.isnan(left_out)]
    variance = (n_blocks - 1) / n_blocks * float(((left_out - left_out.mean()) ** 2).sum()) if len(left_out) else 0.0
    if variance < 1e-24:
        return Metric(value=value, method=_method(group), reason="both say the same of all images: no interval")
    from scipy.special import stdtrit

    reach = float(stdtrit(n_blocks - 1, (1 + LEVEL) / 2)) * variance**0.5
    low, high = value - reach, value + reach
    if record.scale == "share":
        low, high = max(low, -1.0), min(high, 1.0)
    return Metric(value=value, low=low, high=high, method=_method(group))


def _of(record: MetricRecord, first: Answers, second: Answers, label: np.ndarray, chosen: np.ndarray) -> float:
    of_first, of_second = (
        record.value(answers.probability[chosen], label[chosen], answers.predicted[chosen])
        for answers in (first, second)
    )
    return of_second - of_first


def _bonett_price(first: Answers, second: Answers, label: np.ndarray) -> Metric:
    from scipy.special import ndtri

    n = len(label)
    first_is_right, second_is_right = first.predicted == label, second.predicted == label
    n_better = int((second_is_right & ~first_is_right).sum())
    n_worse = int((first_is_right & ~second_is_right).sum())
    better, worse = (n_better + 1) / (n + 2), (n_worse + 1) / (n + 2)
    reach = float(ndtri((1 + LEVEL) / 2)) * ((better + worse - (better - worse) ** 2) / (n + 2)) ** 0.5
    value, middle = (n_better - n_worse) / n, better - worse
    return Metric(
        value=value,
        low=max(min(middle - reach, value), -1.0),
        high=min(max(middle + reach, value), 1.0),
        method="paired difference over images (Bonett and Price)",
    )


def _method(group: np.ndarray | None) -> str:
    return f"paired difference, jackknife over {'images' if group is None else 'groups'} (Student's t)"
