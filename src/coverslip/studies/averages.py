"""Means and ranks over datasets, which count only datasets without common images.

A union of datasets, a degraded copy or another split of the same images is not a further independent dataset.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coverslip.datasets import is_over_cap
from coverslip.errors import CoverslipError
from coverslip.evaluation import METRICS, RANGES, ProcedureDifference
from coverslip.runs import Run
from coverslip.runs.documents import rows_of_table
from coverslip.studies.cells import Cell
from coverslip.studies.plan import StudyPlan
from coverslip.studies.results import MetricMean
from coverslip.studies.running import state_of

ImageKeys = Sequence[frozenset[str]]  # of each image: the hash of its files and the hash of its pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A dataset that is left out of means and ranks, because it has images of datasets that count."""

    dataset: str
    shared_with: tuple[str, ...]
    n_common: int
    n_images: int


def images_of_datasets(plan: StudyPlan, cells: Iterable[Cell]) -> dict[str, ImageKeys]:
    """Return the images of each dataset, by the content of their files and by their pixels.

    Args:
        plan: of the study.
        cells: its trainings. A dataset without a finished training is identified by its folders or tables.
    """
    keys: dict[str, ImageKeys] = {
        each.name: [frozenset([source]) for source in each.sources] for each in plan.trained_datasets
    }
    read_datasets = set[str]()
    for cell in cells:
        name = cell.dataset.name
        if not cell.is_pretraining and name not in read_datasets and state_of(cell).state == "done":
            recorded_keys = _recorded_keys(cell.run)
            if recorded_keys:
                keys[name] = recorded_keys
                read_datasets.add(name)
    return keys


def _recorded_keys(run: Run) -> ImageKeys:
    """Return the images that a run could use; empty if a file was changed or removed."""
    try:
        used = {row.image_id for row in run.split if row.split != "excluded" or is_over_cap(row.reason)}
        hashes = [row for row in rows_of_table(run.content_hashes_file) if row.get("image_id") in used]
    except CoverslipError:
        return ()
    return [frozenset(filter(None, (row.get("sha256"), row.get("pixel_hash")))) for row in hashes]


def disjoint_datasets(names: Sequence[str], images: Mapping[str, ImageKeys]) -> tuple[list[str], list[LeftOut]]:
    """Return the datasets that count in means and ranks, and those that have images of these.

    Datasets with fewer images take precedence, so that the parts of a union count instead of the union; then the first.

    Args:
        names: of the datasets, in the order of the plan.
        images: of each dataset.
    """
    counted: list[str] = []
    left_out: dict[str, LeftOut] = {}
    content = {name: frozenset[str]().union(*images[name]) for name in names}
    for name in sorted(names, key=lambda name: len(images[name])):
        shared_with = tuple(other for other in counted if content[name] & content[other])
        if not shared_with:
            counted.append(name)
            continue
        others = frozenset[str]().union(*(content[other] for other in shared_with))
        n_common = sum(not image.isdisjoint(others) for image in images[name])
        left_out[name] = LeftOut(dataset=name, shared_with=shared_with, n_common=n_common, n_images=len(images[name]))
    return [name for name in names if name in counted], [left_out[name] for name in names if name in left_out]


LEAST_DATASETS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class OverallScore:
    """The mean and mean rank of a variant over the datasets that count; 1 is the best rank."""

    name: str
    mean: float
    mean_rank: float
    metrics: Mapping[str, MetricMean]  # by metric, with the SD over datasets and a CI for these datasets
    difference: MetricMean | None  # from the baseline; None: the baseline, or a dataset has no difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Overall:
    """The variants that were measured on every dataset that counts, the best mean rank first."""

    arm: str  # empty: the study has no arms
    datasets: tuple[str, ...]  # that count: those without common images
    scores: tuple[OverallScore, ...]
    critical_difference: float  # of mean ranks (Nemenyi); smaller differences are not significant


def overall(
    arm: str,
    metric: str,
    scores: Mapping[str, Mapping[str, Mapping[str, MetricMean]]],
    differences: Mapping[str, Mapping[str, ProcedureDifference]],
) -> Overall | None:
    """Return means and mean ranks over datasets without common images.

    Source: Demsar 2006, Statistical Comparisons of Classifiers over Multiple Data Sets.

    Args:
        arm: of the datasets.
        metric: by which variants are ranked.
        scores: of each metric, by dataset and variant.
        differences: from the baseline, by dataset and variant.

    Returns:
        The means; None with fewer than two datasets, or fewer than two variants measured on all datasets.
    """
    from scipy.stats import rankdata, studentized_range

    names = sorted(set.intersection(*map(set, scores.values()))) if scores else []
    if len(scores) < LEAST_DATASETS or len(names) < 2:
        return None
    sign = 1 if METRICS.find(metric).better == "higher" else -1
    table = np.array([[of_dataset[name][metric].mean for name in names] for of_dataset in scores.values()])
    ranks = np.mean([rankdata(-sign * row) for row in table], axis=0)
    k = len(names)
    q = float(studentized_range.ppf(0.95, k, math.inf)) / math.sqrt(2)
    rows = [
        OverallScore(
            name=name,
            mean=float(mean),
            mean_rank=float(rank),
            metrics=_means([of_dataset[name] for of_dataset in scores.values()]),
            difference=_mean_difference([differences[dataset].get(name) for dataset in scores], metric),
        )
        for name, mean, rank in zip(names, table.mean(axis=0), ranks, strict=True)
    ]
    return Overall(
        arm=arm,
        datasets=tuple(scores),
        scores=tuple(sorted(rows, key=lambda row: row.mean_rank)),
        critical_difference=q * math.sqrt(k * (k + 1) / (6 * len(scores))),
    )


def _means(of_datasets: Sequence[Mapping[str, MetricMean]]) -> dict[str, MetricMean]:
    """Return the mean of each metric that all datasets have."""
    names = [name for name in of_datasets[0] if all(name in each for each in of_datasets)]
    return {
        name: _mean([(each[name].mean, each[name].low, each[name].high) for each in of_datasets], *_range_of(name))
        for name in names
    }


def _mean_difference(of_datasets: Sequence[ProcedureDifference | None], metric: str) -> MetricMean | None:
    values = [(each.mean, each.low, each.high) for each in of_datasets if each is not None]
    bottom, top = _range_of(metric)
    return _mean(values, bottom - top, top - bottom) if len(values) == len(of_datasets) else None


def _range_of(metric: str) -> tuple[float, float]:
    return RANGES[METRICS.find(metric).scale]


def _mean(of_datasets: Sequence[tuple[float, float | None, float | None]], bottom: float, top: float) -> MetricMean:
    """Return the mean of values with intervals. Datasets without common images have independent errors.

    The half-width of an interval is that of its longer side: the other side may be cut off at the end of the range.
    """
    means = [mean for mean, _, _ in of_datasets]
    mean = float(np.mean(means))
    reaches = [
        max(high - value, value - low) for value, low, high in of_datasets if low is not None and high is not None
    ]
    reach = math.hypot(*reaches) / len(means) if len(reaches) == len(means) else None
    return MetricMean(
        mean=mean,
        sd=float(np.std(means, ddof=1)),
        low=None if reach is None else max(mean - reach, bottom),
        high=None if reach is None else min(mean + reach, top),
        n=len(means),
    )
