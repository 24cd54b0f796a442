"""Comparison of training variants on each dataset, by the study's primary metric."""

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from coverslip.documented_fields import DocumentedFields
from coverslip.evaluation.comparison import (
    AsIfIndependent,
    ProcedureDifference,
    as_if_independent,
    holm,
    procedure_difference,
    units_to_show,
)
from coverslip.evaluation.intervals import RANGES
from coverslip.evaluation.results import Metric
from coverslip.evaluation.table import METRICS, metrics_for_choices
from coverslip.messages import Message, text
from coverslip.studies.plan import QUANTITIES, StudyPlan, TrainedDataset
from coverslip.studies.published import (
    ArmDifference,
    ArmSetting,
    Paper,
    ProtocolStamp,
    PublishedFigure,
    RocPanel,
    StudyValues,
    papers_of,
    published_figures,
)
from coverslip.studies.results import (
    FEWEST_SPLITS,
    FailedTraining,
    ImageKeys,
    LeftOut,
    MetricMean,
    Overall,
    ResultRow,
    SizeCurve,
    SizePoint,
    disjoint_datasets,
    failed_trainings,
    images_of_datasets,
    metric_mean,
    overall,
)
from coverslip.studies.settings import Tried
from coverslip.studies.variants import (
    EpochCurve,
    FitScores,
    HeatMaps,
    MergedClass,
    NetworkConfusion,
    NetworkLatency,
    StepDistance,
)

SplitKey = tuple[int, int | None]  # repeat and fold
_MAX_UNITS = 1_000_000  # larger forecasts are not informative
_MIN_DIFFERENCE = 0.0005  # tables show a smaller difference as 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantScores(DocumentedFields):
    """The scores of one network and initialization on one dataset at one number of training images per class."""

    name: str
    model: str
    regime: str
    n_splits: int  # measured splits
    n_missing: int  # trainings that failed or are not finished
    mean: float | None
    sd: float | None
    """Over splits, which share training images: no standard error."""
    parameters: int | None
    gmacs: float | None
    """Billions of multiply-accumulate operations for one image."""
    megabytes: float | None
    """Size of the parameters in MB."""
    train_seconds: float | None
    """Mean over splits without cached features."""
    metrics: Mapping[str, MetricMean]  # of all metrics by which networks may be selected


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantDifference(DocumentedFields):
    """The difference of a variant from the baseline, on the splits that both were measured on."""

    name: str
    baseline: str
    difference: ProcedureDifference
    p_holm: float | None
    """Holm's method over all differences within the dataset."""
    usual: AsIfIndependent | None
    """Tests of publications; null: not possible."""
    units_to_show: int | None
    """Groups (or images) that would show this difference."""

    @property
    def is_shown(self) -> bool:
        """Return whether the difference is statistically significant after correction for multiple comparisons."""
        return self.p_holm is not None and self.p_holm <= 0.05

    @property
    def usual_finds(self) -> tuple[str, ...]:
        """Return the names of the usual tests that find a significant difference."""
        if self.usual is None:
            return ()
        significance = {"paired t": self.usual.t_p <= 0.05, "bootstrap": self.usual.bootstrap_shows}
        return tuple(name for name, is_significant in significance.items() if is_significant)


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitSizes(DocumentedFields):
    """The images of the splits of a dataset."""

    n_images: int
    n_classes: int
    n_splits: int
    n_train: tuple[int, int]
    """Training images of a split: the smallest and the largest number."""
    n_test: tuple[int, int]
    """Test images of a split, in the same way."""
    copies: int
    """Of each test image that were made before the split, and are tested like images."""
    largest_class: tuple[float, float]
    """Proportion of test images of the most frequent class: the accuracy of always predicting it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetComparison(DocumentedFields):
    """All variants on one dataset, in order of decreasing performance."""

    dataset: str
    train_per_class: int | None
    n_units: int | None
    """Groups, or images without groups, that the splits divide."""
    has_groups: bool
    splits: SplitSizes | None
    """Null: no training is finished."""
    scores: tuple[VariantScores, ...]
    differences: tuple[VariantDifference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyComparison(DocumentedFields):
    """The results of a study so far."""

    metric: str
    is_higher_better: bool
    equivalence: float
    """Differences up to this size are practically equivalent."""
    datasets: tuple[DatasetComparison, ...]
    latencies: tuple[NetworkLatency, ...] = ()
    counted: tuple[str, ...]
    """Datasets with results and, within their arm, without common images: those of means and ranks."""
    left_out: tuple[LeftOut, ...]
    """Datasets that means and ranks leave out."""
    overall: tuple[Overall, ...]
    """Of each arm. Missing: fewer than two datasets count, or fewer than two variants were measured on all."""
    sizes: tuple[SizeCurve, ...]
    """Empty with a single number of training images."""
    arms: tuple[str, ...]
    """Names; empty: the study has no arms."""
    arm_differences: tuple[ArmDifference, ...] = ()
    """Of protocols and recipes."""
    arm_settings: tuple[ArmSetting, ...] = ()
    """In which arms differ."""
    merged: tuple[MergedClass, ...]
    curves: tuple[EpochCurve, ...] = ()
    fits: tuple[FitScores, ...]
    """Empty if no network was fine-tuned."""
    confusions: tuple[NetworkConfusion, ...] = ()
    tried: tuple[Tried, ...] = ()
    idle_first_steps: tuple[Message, ...] = ()  # pretrainings that did not change the network
    distances: tuple[StepDistance, ...] = ()
    """Of datasets and their pretraining images."""
    heat_maps: tuple[HeatMaps, ...] = ()  # if drawn
    published: tuple[PublishedFigure, ...]
    papers: tuple[Paper, ...]  # the publications of the plan
    notes: tuple[str | Message, ...]  # of the plan, and settings that the publication does not state
    failures: tuple[FailedTraining, ...] = ()
    unreadable: tuple[FailedTraining, ...] = ()
    """Finished trainings with a table that cannot be read."""
    protocols: tuple[ProtocolStamp, ...] = ()  # steps of published protocols in the trainings
    roc_panels: tuple[RocPanel, ...] = ()  # if a publication of the plan shows ROC curves


def compare_study(
    plan: StudyPlan,
    rows: Iterable[ResultRow],
    *,
    merged: Sequence[MergedClass] = (),
    fits: Sequence[FitScores] = (),
    images: Mapping[str, ImageKeys] | None = None,
    latencies: Sequence[NetworkLatency] = (),
    distances: Sequence[StepDistance] = (),
) -> StudyComparison:
    """Compare every variant of the plan with its baseline.

    Seeds of one split are averaged first. They measure the randomness of training and are not additional splits.

    Args:
        plan: of the study.
        rows: the results so far.
        merged: results per class of datasets that are also part of a merged dataset.
        fits: metrics on training and validation images.
        images: of each dataset; None: datasets are identified by their folders and tables.
        latencies: measured prediction times of networks.
        distances: measured distances of datasets to their pretraining images.

    Returns:
        The comparison, without what only the trainings show, such as curves.
    """
    parts: dict[tuple[str, int | None], list[ResultRow]] = defaultdict(list)
    rows = list(rows)
    for row in rows:
        parts[row.dataset, row.train_per_class].append(row)
    record = METRICS.find(plan.primary_metric)
    images = images_of_datasets(plan, ()) if images is None else images
    compared = tuple(_of_dataset(plan, *key, part_rows, len(images[key[0]])) for key, part_rows in parts.items())
    values = {
        **_values_of(plan, compared, fits, merged),
        **_quantities_of(plan, compared, latencies, distances),
    }
    by_arm = {arm: disjoint_datasets(names, images) for arm, names in _measured_datasets(plan, compared).items()}
    counted = [name for names, _ in by_arm.values() for name in names]
    return StudyComparison(
        metric=record.name,
        is_higher_better=record.better == "higher",
        equivalence=plan.equivalence,
        datasets=compared,
        latencies=tuple(latencies),
        distances=tuple(distances),
        counted=tuple(counted),
        left_out=tuple(each for _, left_out in by_arm.values() for each in left_out),
        overall=tuple(
            each for arm, (names, _) in by_arm.items() for each in [_overall(plan, compared, arm, names)] if each
        ),
        sizes=(*_sizes(plan, compared), *_shares(plan, compared)),
        arms=tuple(arm.name for arm in plan.arms),
        merged=tuple(merged),
        fits=tuple(fits),
        published=tuple(published_figures(plan, values, images)),
        papers=papers_of(plan),
        notes=plan.notes,
        failures=failed_trainings(rows),
    )


def _measured_datasets(plan: StudyPlan, compared: Sequence[DatasetComparison]) -> dict[str, list[str]]:
    """Return the datasets of each arm with results, with the plan's last number of training images."""
    names = {part.dataset for part in _largest(plan, compared) if any(row.mean is not None for row in part.scores)}
    measured: dict[str, list[str]] = {}
    for each in plan.trained_datasets:
        if each.name in names:
            measured.setdefault(each.arm, []).append(each.name)
    return measured


def _largest(plan: StudyPlan, compared: Iterable[DatasetComparison]) -> list[DatasetComparison]:
    """Return the comparisons with the plan's last number of training images."""
    return [part for part in compared if part.train_per_class == plan.train_per_class[-1]]


def _overall(
    plan: StudyPlan, compared: Sequence[DatasetComparison], arm: str, counted: Sequence[str]
) -> Overall | None:
    parts = {part.dataset: part for part in _largest(plan, compared)}
    return overall(
        arm,
        plan.primary_metric,
        {name: {row.name: row.metrics for row in parts[name].scores if row.mean is not None} for name in counted},
        {name: {row.name: row.difference for row in parts[name].differences} for name in counted},
    )


def _values_of(
    plan: StudyPlan,
    compared: Sequence[DatasetComparison],
    fits: Sequence[FitScores],
    merged: Sequence[MergedClass],
) -> StudyValues:
    """Return the values with the last number of training images, which published values are shown beside."""
    parts = _largest(plan, compared)
    scores = {
        (part.dataset, row.name, "test", metric): score.mean
        for part in parts
        for row in part.scores
        for metric, score in row.metrics.items()
    }
    differences = {
        (part.dataset, row.name, "difference", plan.primary_metric): row.difference.mean
        for part in parts
        for row in part.differences
    }
    of_fits = {
        (fit.dataset, fit.name, images, metric): mean
        for fit in fits
        if fit.train_per_class == plan.train_per_class[-1]
        for images, metrics in (("training", fit.training), ("validation", fit.validation))
        for metric, (mean, _) in metrics.items()
    }
    of_merged = {
        key: value.value
        for row in merged
        if row.train_per_class == plan.train_per_class[-1]
        for dataset, images, metrics in _places_of(row)
        for metric, value in metrics.items()
        for key in [(dataset, row.name, images, metric)]
        if value.value is not None
    }
    return {**scores, **differences, **of_fits, **of_merged}


def _quantities_of(
    plan: StudyPlan,
    compared: Sequence[DatasetComparison],
    latencies: Sequence[NetworkLatency],
    distances: Sequence[StepDistance],
) -> StudyValues:
    """Return the values that are no metrics, which published values are shown beside."""
    values: dict[str, dict[tuple[str, str], float | None]] = {name: {} for name in QUANTITIES}
    timed = {(each.dataset, each.model): each.latency for each in latencies}
    for part in _largest(plan, compared):
        for row in part.scores:
            key = part.dataset, row.name
            values["parameters"][key] = row.parameters and row.parameters / 1e6
            values["training_hours"][key] = row.train_seconds and row.train_seconds / 3600
            if latency := timed.get((part.dataset, row.model)):
                values["seconds_one"][key] = values["time"][key] = latency.whole_one.median
                values["seconds_many"][key] = latency.whole_many.median
                values["time_ratio"][key] = latency.ratio
    for each in distances:
        values["mmd2"][each.dataset, plan.variant_name(each.model, each.regime)] = each.mmd2.value
    return {
        (dataset, variant, "test", name): value
        for name, of_name in values.items()
        for (dataset, variant), value in of_name.items()
        if value is not None
    }


def _places_of(row: MergedClass) -> Iterator[tuple[str, str, Mapping[str, Metric]]]:
    """Yield dataset, images and metrics of the two networks; a class is part of the name of the images."""
    if row.class_name is None:
        yield row.dataset, "merged", row.with_others
    else:
        of_class = f"test {row.class_name.casefold()}"
        yield row.dataset, of_class, row.single
        yield row.merged, of_class, row.on_all_images


def _sizes(plan: StudyPlan, compared: Sequence[DatasetComparison]) -> Iterator[SizeCurve]:
    """Yield learning curves by the number of training images per class."""
    scores = {
        (part.dataset, part.train_per_class, row.name): row.metrics[plan.primary_metric]
        for part in compared
        for row in part.scores
        if plan.primary_metric in row.metrics
    }
    sizes = sorted({part.train_per_class for part in compared if part.train_per_class is not None})
    for dataset in dict.fromkeys(part.dataset for part in compared) if len(sizes) > 1 else ():
        for variant in plan.variant_names:
            points = [
                SizePoint(n=n, score=scores[dataset, n, variant]) for n in sizes if (dataset, n, variant) in scores
            ]
            if len(points) == len(sizes):
                yield SizeCurve(dataset=dataset, name=variant, axis="images per class", points=tuple(points))


def _shares(plan: StudyPlan, compared: Sequence[DatasetComparison]) -> Iterator[SizeCurve]:
    """Yield learning curves of the same images with several shares of training images."""
    scores = {(part.dataset, row.name): row.metrics for part in compared for row in part.scores}
    same: dict[str, list[TrainedDataset]] = defaultdict(list)
    for dataset in plan.trained_datasets:
        if not dataset.by_domain and {"val", "test"} <= set(dataset.recipe.get("split", {})):
            split = {key: value for key, value in dataset.recipe["split"].items() if key not in ("val", "test")}
            other_keys = dataset.model_dump(exclude={"name", "plan_name", "models"})
            other_keys["recipe"] = {**dataset.recipe, "split": split}
            same[repr(other_keys)].append(dataset)
    for datasets in same.values():
        shares = {_training_share(each): each.name for each in datasets}
        for variant in plan.variant_names if len(shares) > 1 else ():
            points = [
                SizePoint(n=share, score=score)
                for share, name in sorted(shares.items())
                if (score := scores.get((name, variant), {}).get(plan.primary_metric)) is not None
            ]
            if len(points) == len(shares):
                yield SizeCurve(
                    dataset=_common_words([each.name for each in datasets]),
                    name=variant,
                    axis="training share",
                    points=tuple(points),
                )


def _training_share(dataset: TrainedDataset) -> float:
    """Return the percentage of training images."""
    split = dataset.recipe["split"]
    return round(100 * (1 - float(split["val"]) - float(split["test"])), 1)


def _common_words(names: Sequence[str]) -> str:
    """Return the words that all names have at their beginning and at their end; without such words, the first name."""
    words = [name.split() for name in names]
    first = _n_common(words)
    last = _n_common([each[first:][::-1] for each in words])
    return " ".join([*words[0][:first], *words[0][len(words[0]) - last :]]) or names[0]


def _n_common(words: Sequence[Sequence[str]]) -> int:
    """Return with how many equal words all sequences begin."""
    return len(list(itertools.takewhile(lambda same: len(set(same)) == 1, zip(*words, strict=False))))


def _sign(plan: StudyPlan) -> int:
    return 1 if METRICS.find(plan.primary_metric).better == "higher" else -1


def _test_to_train(rows: Iterable[ResultRow]) -> float:
    """Return the test images per image available for training; a cap on training images does not change the ratio."""
    return float(np.mean([row.n_test / row.n_untested for row in rows if row.n_test and row.n_untested]))


def _n_units(rows: Sequence[ResultRow]) -> tuple[int | None, bool]:
    """Return the number of units that the splits divide, and whether these are groups and images without a group.

    Folds test each unit once. For single splits, the number is estimated from the test proportion. Copies count as
    their image.
    """
    first = next((row for row in rows if row.n_test), None)
    if first is None or not first.n_test:
        return None, False
    same = [r for r in rows if (r.run, r.repeat, r.seed) == (first.run, first.repeat, first.seed)]
    has_groups = all((row.n_groups or 0) + (row.n_ungrouped or 0) for row in same)
    if has_groups:
        n: float = sum((row.n_groups or 0) + (row.n_ungrouped or 0) / (1 + row.copies) for row in same)
    else:
        n = sum(row.n_test or 0 for row in same) / (1 + first.copies)
    return round(n * (1 + (first.n_untested or 0) / first.n_test) if first.fold is None else n), has_groups


def _split_sizes(rows: Iterable[ResultRow], n_images: int) -> SplitSizes | None:
    measured = [row for row in rows if row.n_test and row.n_train and row.n_classes and row.largest_class]
    if not measured:
        return None
    n_train, n_test = [row.n_train or 0 for row in measured], [row.n_test or 0 for row in measured]
    of_class = [row.largest_class or 0.0 for row in measured]
    return SplitSizes(
        n_images=n_images,
        n_classes=max(row.n_classes or 0 for row in measured),
        n_splits=len({(row.repeat, row.fold) for row in measured}),
        n_train=(min(n_train), max(n_train)),
        n_test=(min(n_test), max(n_test)),
        copies=measured[0].copies,
        largest_class=(min(of_class), max(of_class)),
    )


def _of_dataset(
    plan: StudyPlan, dataset: str, n: int | None, rows: Sequence[ResultRow], n_images: int
) -> DatasetComparison:
    by_variant: dict[str, list[ResultRow]] = defaultdict(list)
    for row in rows:
        by_variant[plan.variant_name(row.model, row.regime)].append(row)
    by_split = {name: _by_split(variant_rows) for name, variant_rows in by_variant.items()}
    sign, (n_units, has_groups) = _sign(plan), _n_units(rows)
    ratio = _test_to_train(rows) if n_units is not None else 0.0
    scores = [
        _scores(plan, name, variant_rows, by_split[name], test_to_train=ratio, n_units=n_units)
        for name, variant_rows in by_variant.items()
    ]
    scores.sort(key=lambda each: -np.inf if each.mean is None else sign * each.mean, reverse=True)
    return DatasetComparison(
        dataset=dataset,
        train_per_class=n,
        n_units=n_units,
        has_groups=has_groups,
        splits=_split_sizes(rows, n_images),
        scores=tuple(scores),
        differences=_differences(by_split, rows, plan, n_units),
    )


def _by_split(rows: Iterable[ResultRow], metric: str | None = None) -> dict[SplitKey, float]:
    """Return the mean over seeds on each split, of a metric or else of the primary metric."""
    values: dict[SplitKey, list[float]] = defaultdict(list)
    for row in rows:
        value = row.primary if metric is None else row.metrics.get(metric)
        if value is not None:
            values[row.repeat, row.fold].append(value)
    return {split: float(np.mean(seed_values)) for split, seed_values in values.items()}


def _metrics(
    plan: StudyPlan,
    rows: Sequence[ResultRow],
    by_split: Mapping[SplitKey, float],
    test_to_train: float,
    n_units: int | None,
) -> Iterator[tuple[str, MetricMean]]:
    """Yield each metric with its spread over splits; of a single split, with the interval of its test images."""
    for metric in metrics_for_choices():
        values = by_split if metric == plan.primary_metric else _by_split(rows, metric)
        if not values:
            continue
        score = metric_mean([*values.values()], metric, test_to_train=test_to_train, n_units=n_units)
        measured = [row for row in rows if row.metrics.get(metric) is not None]
        if len(measured) == 1 and (interval := measured[0].intervals.get(metric)) is not None:
            score = replace(score, low=interval[0], high=interval[1])
        yield metric, score


def _scores(
    plan: StudyPlan,
    name: str,
    rows: Sequence[ResultRow],
    by_split: Mapping[SplitKey, float],
    *,
    test_to_train: float,
    n_units: int | None,
) -> VariantScores:
    values, seconds = list(by_split.values()), [row.train_seconds for row in rows if row.train_seconds is not None]
    return VariantScores(
        name=name,
        model=rows[0].model,
        regime=rows[0].regime,
        n_splits=len(values),
        n_missing=sum(row.primary is None for row in rows),
        mean=float(np.mean(values)) if values else None,
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        parameters=rows[0].parameters,
        gmacs=rows[0].gmacs,
        megabytes=rows[0].megabytes,
        train_seconds=float(np.mean(seconds)) if seconds else None,
        metrics=dict(_metrics(plan, rows, by_split, test_to_train, n_units)),
    )


def _differences(
    by_split: Mapping[str, Mapping[SplitKey, float]], rows: Sequence[ResultRow], plan: StudyPlan, n_units: int | None
) -> tuple[VariantDifference, ...]:
    if n_units is None:
        return ()
    test_to_train = _test_to_train(rows)
    baseline_of = {plan.variant_name(row.model, row.regime): plan.baseline_of(row.model, row.regime) for row in rows}
    pairs: list[tuple[str, str, list[float]]] = []
    for name, of_variant in by_split.items():
        of_baseline = by_split.get(baseline_of[name], {})
        common = sorted(set(of_variant) & set(of_baseline), key=lambda split: (split[0], split[1] or 0))
        if name != baseline_of[name] and common:
            values = [of_variant[split] - of_baseline[split] for split in common]
            pairs.append((name, baseline_of[name], values))
    differences = [_difference(values, test_to_train, plan, n_units) for _, _, values in pairs]
    adjusted = holm([difference.p for difference in differences])
    return tuple(
        VariantDifference(
            name=name,
            baseline=baseline,
            difference=_within_range(difference, plan),
            p_holm=p,
            usual=as_if_independent(values) if len(values) >= FEWEST_SPLITS else None,
            units_to_show=units_to_show(difference, n_units, effect=max(abs(difference.mean), plan.equivalence)),
        )
        for (name, baseline, values), difference, p in zip(pairs, differences, adjusted, strict=True)
    )


def _difference(values: list[float], test_to_train: float, plan: StudyPlan, n_units: int) -> ProcedureDifference:
    """Return the difference of paired values; if lower is better, `p_better` and `p_worse` are exchanged."""
    result = procedure_difference(values, test_to_train=test_to_train, equivalence=plan.equivalence, n_units=n_units)
    if len(values) < FEWEST_SPLITS:
        return replace(result, low=None, high=None, p=None, p_better=None, p_equal=None, p_worse=None)
    return result if _sign(plan) > 0 else replace(result, p_better=result.p_worse, p_worse=result.p_better)


_WIDEST = 1.0  # interval of a difference that is shown


def _within_range(difference: ProcedureDifference, plan: StudyPlan) -> ProcedureDifference:
    """Clip the interval to the range of the metric, and omit it if it contains most values.

    With few splits, Student's t interval is wider than the range.
    """
    bottom, top = RANGES[METRICS.find(plan.primary_metric).scale]
    if difference.low is None or difference.high is None:
        return difference
    low, high = max(difference.low, bottom - top), min(difference.high, top - bottom)
    return replace(difference, low=None, high=None) if high - low > _WIDEST else replace(difference, low=low, high=high)


def verdict(variant: VariantDifference, part: DatasetComparison) -> str:
    """Return the conclusion of the comparison as text.

    Args:
        variant: the difference of a variant from its baseline.
        part: the comparison on the dataset.
    """
    result, n_needed = _result(variant, part), 0
    if result == "size-needed" and variant.units_to_show is not None:
        n_needed = _to_two_digits(variant.units_to_show)
    return text("study-verdict", result=result, n_needed=n_needed, has_groups=part.has_groups)


def _result(variant: VariantDifference, part: DatasetComparison) -> str:
    """Return the key of the verdict in the catalogue."""
    difference, n_units = variant.difference, variant.units_to_show
    if difference.p is None:
        if difference.n_splits < FEWEST_SPLITS:
            return "few-splits"
        return "constant" if difference.mean else "equal"
    if variant.is_shown:
        return "better" if (difference.p_better or 0) > (difference.p_worse or 0) else "worse"
    if (difference.p_equal or 0) >= 0.95:
        return "equivalent"
    if n_units is None or n_units > _MAX_UNITS or abs(difference.mean or 0) < _MIN_DIFFERENCE:
        return "not-significant"
    # The dataset has enough units, so the number of splits is too small.
    return "splits-needed" if part.n_units is not None and n_units <= part.n_units else "size-needed"


def usual_verdict(variant: VariantDifference) -> str:
    """Return the results of the tests used in publications; empty if no test was possible."""
    if variant.usual is None:
        return ""
    if not variant.usual_finds:
        return text("study-usual-verdict-none")
    return text("study-usual-verdict", tests=" and ".join(variant.usual_finds), is_shown=variant.is_shown)


def _to_two_digits(n: int) -> int:
    """Round up to two significant digits, because the number is a forecast."""
    step = int(10 ** max(0, len(str(n)) - 2))
    return -(-n // step) * step
