"""The results of a study: the table `results.csv`, and means and ranks over datasets.

`results.csv` has a row per training and fold. Each variant has a learning curve; a target of the primary
metric gives the number of images that it needs.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from coverslip.datasets.splits.folding import is_over_cap
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import CoverslipError
from coverslip.evaluation.comparison import ProcedureDifference, procedure_difference
from coverslip.evaluation.intervals import RANGES
from coverslip.evaluation.results import Evaluation, Metric
from coverslip.evaluation.table import METRICS
from coverslip.files import ReadyCell, write_csv
from coverslip.runs.classifier import ClassifierCard
from coverslip.runs.documents import rows_of_table
from coverslip.runs.folder import Run
from coverslip.runs.training import TrainingRecord
from coverslip.studies.cells import Cell, finished, state_of
from coverslip.studies.plan import StudyPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """The test results of one training or one of its folds; None if not measured."""

    dataset: str
    model: str
    regime: str
    train_per_class: int | None
    repeat: int
    fold: int | None  # None: a single split
    seed: int
    protocol: str = ""  # recipe keys of a published protocol in the training, separated by spaces
    n_train: int | None = None  # training images
    n_untested: int | None = None  # training and validation images, and those that `train_per_class` excludes
    n_test: int | None = None
    n_classes: int | None = None
    largest_class: float | None = None  # proportion of test images of the most frequent class
    n_groups: int | None = None  # of the tested images
    n_ungrouped: int | None = None  # tested images without a group
    copies: int = 0  # of each image, made before the split and tested like images; not in the table
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # by name; one column each in the table
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # 95% CI over images or groups
    primary: float | None = None  # value of the study's primary metric
    parameters: int | None = None
    gmacs: float | None = None  # for one image at the training image size
    megabytes: float | None = None  # of the classifier's files
    train_seconds: float | None = None  # None if all features were in the cache
    state: str  # of the training: done, failed, stopped, not begun
    run: str  # folder, relative to the study's folder
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricMean(DocumentedFields):
    """The mean of a metric over splits."""

    mean: float
    sd: float | None
    """Over splits, which share training images: no standard error."""
    low: float | None  # 95% CI; of a single split, over its images or groups; None: too few splits for one
    high: float | None
    n: int  # number of splits


FEWEST_SPLITS = 3  # of a mean with an interval, and of a test


def metric_mean(values: Sequence[float], metric: str, *, test_to_train: float, n_units: int | None) -> MetricMean:
    """Return the mean over splits, with the interval of the corrected resampled t test.

    Two splits have no interval, because it would say more about the chance of their difference; nor has a mean whose
    interval contains most values.

    Args:
        values: of the metric, one for each split.
        metric: its name; the interval is clipped to its range.
        test_to_train, n_units: see `procedure_difference`.
    """
    mean = procedure_difference(values, test_to_train=test_to_train, n_units=n_units)
    bottom, top = RANGES[METRICS.find(metric).scale]
    interval: tuple[float | None, float | None] = (None, None)
    if mean.low is not None and mean.high is not None and len(values) >= FEWEST_SPLITS:
        within = Metric(value=mean.mean, low=max(mean.low, bottom), high=min(mean.high, top))
        interval = (None, None) if within.is_useless else (within.low, within.high)
    return MetricMean(
        mean=mean.mean,
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        low=interval[0],
        high=interval[1],
        n=len(values),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTraining:
    """A training that ended with an error, or of which a file cannot be read."""

    name: str  # of its folder
    reason: str


def rows_of(cells: Iterable[Cell], folder: Path, primary_metric: str) -> list[ResultRow]:
    """Return the current rows of all trainings. A training without results has one row without numbers."""
    return [row for cell in cells if not cell.is_pretraining for row in _rows_of_cell(cell, folder, primary_metric)]


def failed_trainings(rows: Iterable[ResultRow]) -> tuple[FailedTraining, ...]:
    """Return the trainings that failed, with their reasons."""
    failed = {row.run: row.error for row in rows if row.state == "failed"}
    return tuple(FailedTraining(name=run.rpartition("/")[2], reason=error) for run, error in failed.items())


def unreadable_tables(cells: Iterable[Cell], failures: Iterable[FailedTraining]) -> Iterator[FailedTraining]:
    """Yield other trainings with a table that cannot be read. These are done, but figures lack them."""
    names = {failed.name for failed in failures}
    for cell in finished(cells):
        try:
            for run in (cell.run, *cell.run.folds):
                _ = run.predictions, run.history_file.is_file() and run.history
        except CoverslipError as error:
            if cell.name not in names:
                yield FailedTraining(name=cell.name, reason=str(error))


def write_results(rows: Iterable[ResultRow], file: Path) -> None:
    """Write the table atomically."""
    metrics = tuple(METRICS)
    columns = [
        name
        for each in fields(ResultRow)
        if each.name not in ("intervals", "copies")
        for name in (metrics if each.name == "metrics" else (each.name,))
    ]
    values_of_rows = (asdict(row) | {name: row.metrics.get(name) for name in metrics} for row in rows)
    write_csv(file, columns, ([_cell(values[name]) for name in columns] for values in values_of_rows))


def _cell(value: object) -> object:
    return "" if value is None else ReadyCell(f"{value:.6g}") if isinstance(value, float) else value


def _rows_of_cell(cell: Cell, folder: Path, primary_metric: str) -> list[ResultRow]:
    status = state_of(cell)
    common = _of_cell(cell, folder)
    if status.state != "done":
        return [ResultRow(**common, fold=None)]  # type: ignore[arg-type]  # by name
    try:
        common |= {"megabytes": _megabytes(cell.run), **_size(cell)}
        _ = cell.run.recipe  # if it is damaged, the settings of these numbers are not known
        return [ResultRow(**common, **row) for row in _measured(cell.run, primary_metric)]  # type: ignore[arg-type]
    except CoverslipError as error:  # a file was changed or removed
        return [ResultRow(**common | {"state": "failed", "error": str(error)}, fold=None)]  # type: ignore[arg-type]


def _of_cell(cell: Cell, folder: Path) -> dict[str, object]:
    """Return the values that all rows of a training share."""
    status = state_of(cell)
    return {
        "dataset": cell.dataset.name,
        "model": cell.model,
        "regime": cell.regime,
        "train_per_class": cell.train_per_class,
        "repeat": cell.repeat,
        "seed": cell.seed,
        "state": status.state,
        "run": cell.run.folder.relative_to(folder).as_posix(),
        "error": status.error or "",
        "protocol": " ".join(cell.recipe.protocol_keys),
        "copies": cell.recipe.split.copies,
    }


def _measured(run: Run, primary_metric: str) -> list[dict[str, object]]:
    folds = run.metrics.folds
    if folds is None:
        return [{"fold": None, **_metric_numbers(run, run.metrics, primary_metric)}]
    return [
        {"fold": fold.fold, **_metric_numbers(fold_run, fold_run.metrics, primary_metric)}
        for fold in folds.per_fold
        for fold_run in [run.fold(fold.fold)]
    ]


def _metric_numbers(run: Run, metrics: Evaluation, primary_metric: str) -> dict[str, object]:
    return {
        "metrics": {name: metrics[name].value for name in METRICS if name in metrics.metrics},
        "intervals": {
            name: (each.low, each.high)
            for name, each in metrics.metrics.items()
            if each.low is not None and each.high is not None
        },
        "n_train": sum(row.split == "train" for row in run.split),
        "n_untested": sum(row.split in ("train", "val") or is_over_cap(row.reason) for row in run.split),
        "n_test": metrics.n,
        "n_classes": len(metrics.classes),
        "largest_class": max((each.n for each in metrics.per_class.values()), default=0) / metrics.n
        if metrics.n
        else None,
        "n_groups": metrics.n_groups,
        "n_ungrouped": metrics.n_ungrouped,
        "primary": metrics[primary_metric].value,
        "train_seconds": _train_seconds(run.training),
    }


def _train_seconds(training: TrainingRecord | None) -> float | None:
    """Return the time of a training; None if all features were read from the cache, so that the time is unknown."""
    if training is None or (
        training.finetune is None and training.instant is not None and training.instant.engine == "cache"
    ):
        return None
    return training.seconds


def training_time(seconds: float | None, *, is_measured: bool) -> str:
    """Return the mean training time as text for a cell, or the reason why there is none."""
    if seconds is None:
        return "cached" if is_measured else "–"
    return f"{seconds:,.0f}" if seconds >= 1 else "< 1"


def _megabytes(run: Run) -> float:
    """Return the size of the shared classifier files, without files of caches or converted engines."""
    return sum(file.stat().st_size for file in run.classifier_folder.glob("*") if file.is_file()) / 1e6


def _size(cell: Cell) -> dict[str, object]:
    """Return the parameters and operations of the trained network, at its image size and with its classes."""
    card = cell.run.card
    if card is None:
        return {}
    try:
        parameters, macs = _counted(json.dumps(_network_of(card), sort_keys=True))
    except CoverslipError:  # the package of the network is no longer installed
        return {}
    return {"parameters": parameters, "gmacs": macs / 1e9}


def _network_of(card: ClassifierCard) -> dict[str, object]:
    """Return the arguments of `cost_of_model` for the network of a classifier."""
    return {
        "model": card.model,
        "options": card.model_options,
        "head": card.head,
        "n_classes": len(card.classes),
        "channels": card.preprocessing.channels,
        "image_size": card.preprocessing.image_size,
    }


@lru_cache(maxsize=256)
def _counted(network: str) -> tuple[int, int]:
    """Return the parameters and multiply-adds of a network, described as JSON. The call takes about one second."""
    from coverslip.models.networks import cost_of_model

    cost = cost_of_model(**json.loads(network))
    return cost.parameters, cost.macs


SplitKey = tuple[int, int | None]  # repeat and fold
SizeAxis = Literal["images per class", "training share"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePoint(DocumentedFields):
    """The score of a variant at one amount of training images."""

    n: float
    """Images per class, or percent of all images."""
    score: MetricMean


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCurve(DocumentedFields):
    """The learning curve of a variant."""

    dataset: str
    name: str
    axis: SizeAxis
    """Whether points are images per class or shares of training images."""
    points: tuple[SizePoint, ...]


# Means and ranks over datasets, which count only datasets without common images.
#
# A union of datasets, a degraded copy or another split of the same images is not a further independent dataset.

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
    for cell in finished(cells):
        name = cell.dataset.name
        if name not in read_datasets:
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
