"""All datasets of a study together: the mean of each way of training, and its mean rank."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

LEAST_DATASETS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallScore:
    """A way of training over all datasets; 1 is the best rank."""

    name: str
    mean: float
    mean_rank: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """Ways of training that were measured on every dataset, the best mean rank first."""

    datasets: tuple[str, ...]
    scores: tuple[OverallScore, ...]
    critical_difference: float  # of mean ranks (Nemenyi); smaller ones are no more than chance


def overall(means: Mapping[str, Mapping[str, float]], sign: int) -> Overall | None:
    """Ranks as Demsar (2006, Statistical Comparisons of Classifiers over Multiple Data Sets) draws them.

    Args:
        means: of the metric, by dataset and way of training.
        sign: 1 where more is better, -1 where less is.

    Returns:
        None with fewer than two datasets, or fewer than two ways that were measured on all.
    """
    from scipy.stats import rankdata, studentized_range

    datasets = [name for name, own in means.items() if own]
    names = sorted(set.intersection(*(set(means[name]) for name in datasets))) if datasets else []
    if len(datasets) < LEAST_DATASETS or len(names) < 2:
        return None
    table = np.array([[means[dataset][name] for name in names] for dataset in datasets])
    ranks = np.mean([rankdata(-sign * row) for row in table], axis=0)
    k = len(names)
    q = float(studentized_range.ppf(0.95, k, math.inf)) / math.sqrt(2)
    scores = [
        OverallScore(name=name, mean=float(mean), mean_rank=float(rank))
        for name, mean, rank in zip(names, table.mean(axis=0), ranks, strict=True)
    ]
    return Overall(
        datasets=tuple(datasets),
        scores=tuple(sorted(scores, key=lambda score: score.mean_rank)),
        critical_difference=q * math.sqrt(k * (k + 1) / (6 * len(datasets))),
    )
