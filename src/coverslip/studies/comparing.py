"""Which way of training is better, dataset by dataset, by the study's primary metric."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from coverslip.evaluation import (
    METRICS,
    RANGES,
    AsIfIndependent,
    ProcedureDifference,
    as_if_independent,
    holm,
    procedure_difference,
    units_to_show,
)
from coverslip.messages import text
from coverslip.studies.analyses import EpochCurve, HeatMaps, MergedClass, StepDistance, Tried
from coverslip.studies.classifiers import ClassifierDifference
from coverslip.studies.plan import StudyPlan
from coverslip.studies.results import FailedTraining, Overall, ResultRow, failed_trainings, overall
from coverslip.studies.sizes import SizeCurve, size_curve
from coverslip.studies.timing import NetworkLatency

Split = tuple[int, int | None]  # repeat and fold
_MOST_UNITS = 1_000_000  # beyond it a forecast says nothing
_SMALLEST_SHOWN = 0.0005  # a difference that tables show as 0 has no size to speak of


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantScores:
    """A network with a way to start, on one dataset with so many training images of each class."""

    name: str
    model: str
    regime: str
    n_splits: int  # that were measured
    n_missing: int  # trainings that failed or are still to come
    mean: float | None
    sd: float | None  # over splits, which share training images; no standard error
    parameters: int | None
    gmacs: float | None
    megabytes: float | None
    train_seconds: float | None  # mean of a split's, where features were not read from the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantDifference:
    """One of them against the baseline, on the splits that both were measured on."""

    name: str
    baseline: str
    difference: ProcedureDifference
    p_holm: float | None  # adjusted for all differences within the dataset
    usual: AsIfIndependent | None  # what publications' tests would say; None where no test can
    units_to_show: int | None  # groups (or images) that would show a difference as large as this one in most studies

    @property
    def is_shown(self) -> bool:
        """Whether a difference was shown, allowing for how many were looked at."""
        return self.p_holm is not None and self.p_holm <= 0.05

    @property
    def usual_finds(self) -> tuple[str, ...]:
        """Which of the usual tests would call it a difference."""
        if self.usual is None:
            return ()
        found = {"paired t": self.usual.t_p <= 0.05, "bootstrap": self.usual.bootstrap_shows}
        return tuple(name for name, finds in found.items() if finds)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetComparison:
    """All variants on one dataset, the best mean first."""

    dataset: str
    train_per_class: int | None
    n_units: int | None  # groups, or images where they are alone, that the splits share out
    has_groups: bool
    scores: tuple[VariantScores, ...]
    differences: tuple[VariantDifference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolGap:
    """How much more a publication's protocol promises than the plan's own, on the same images.

    The two test on other splits, so that nothing is tested here.
    """

    dataset: str
    train_per_class: int | None
    name: str
    own: float  # mean over splits
    as_published: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure:
    """The primary metric as somebody else measured it, on other images."""

    name: str
    value: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """A way of training on changed test images against the same classifiers on those images as they are."""

    dataset: str
    train_per_class: int | None
    name: str
    perturbation: str
    mean: float  # of the primary metric, on changed images
    difference: ProcedureDifference  # from images as they are, split by split
    p_holm: float | None  # adjusted for all networks and perturbations of the dataset at this `train_per_class`


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyComparison:
    """What a study shows so far."""

    metric: str
    metric_title: str
    is_higher_better: bool
    equivalence: float
    method: str
    error_rates: str  # of the usual tests, in words
    datasets: tuple[DatasetComparison, ...]
    classifiers: tuple[ClassifierDifference, ...]
    latencies: tuple[NetworkLatency, ...]
    overall: Overall | None  # over datasets; None: there is one
    sizes: tuple[SizeCurve, ...]  # where several numbers of training images were tried
    target: float | None
    gaps: tuple[ProtocolGap, ...]
    robustness: tuple[Robustness, ...]
    merged: tuple[MergedClass, ...]
    curves: tuple[EpochCurve, ...]
    tried: tuple[Tried, ...]
    idle_first_steps: tuple[str, ...]  # of two, which changed nothing
    distances: tuple[StepDistance, ...]  # of datasets from the images of their first steps, where they were measured
    heat_maps: tuple[HeatMaps, ...]  # where they were drawn
    published: tuple[PublishedFigure, ...]
    notes: tuple[str, ...]  # of the plan
    failures: tuple[FailedTraining, ...] = ()


def compare_study(
    plan: StudyPlan,
    rows: Iterable[ResultRow],
    classifiers: Sequence[ClassifierDifference] = (),
    latencies: Sequence[NetworkLatency] = (),
    *,
    merged: Sequence[MergedClass] = (),
    curves: Sequence[EpochCurve] = (),
    tried: Sequence[Tried] = (),
    idle_first_steps: Sequence[str] = (),
    distances: Sequence[StepDistance] = (),
    heat_maps: Sequence[HeatMaps] = (),
) -> StudyComparison:
    """Compare every variant of the plan with its baseline.

    Seeds of one split are averaged first: they tell how much luck there is in training, but are no further splits.

    Args:
        plan: of the study.
        rows: what was measured so far.
        classifiers: trained ones, image by image.
        latencies: of their networks, where they were measured.
        merged: classes of datasets that stand alone and within others.
        curves: how the networks learnt, by epoch.
        tried: what was tried in each way of training.
        idle_first_steps: sentences about pretrainings that changed nothing.
        distances: of datasets from the images of their first steps, where they were measured.
        heat_maps: where they were drawn.
    """
    parts: dict[tuple[str, int | None], list[ResultRow]] = defaultdict(list)
    changed: dict[tuple[str, int | None], list[ResultRow]] = defaultdict(list)
    rows = list(rows)
    for row in rows:
        (parts if row.perturbation is None else changed)[row.dataset, row.train_per_class].append(row)
    record = METRICS.find(plan.primary_metric)
    compared = tuple(_of_dataset(plan, *part, own) for part, own in parts.items())
    return StudyComparison(
        metric=record.name,
        metric_title=record.title,
        is_higher_better=record.better == "higher",
        equivalence=plan.equivalence,
        method=text("study-method"),
        error_rates=text("study-error-rates"),  # of benchmarks/study_error_rate.py
        datasets=compared,
        classifiers=tuple(classifiers),
        latencies=tuple(latencies),
        overall=_overall(plan, compared),
        sizes=tuple(_sizes(plan, parts)),
        target=plan.target,
        gaps=tuple(_gaps(plan, compared)),
        robustness=tuple(each for part, own in changed.items() for each in _robustness(plan, part, parts[part], own)),
        merged=tuple(merged),
        curves=tuple(curves),
        tried=tuple(tried),
        idle_first_steps=tuple(idle_first_steps),
        distances=tuple(distances),
        heat_maps=tuple(heat_maps),
        published=tuple(
            PublishedFigure(name=row.name, value=row.metrics[record.name], source=row.source)
            for row in plan.published
            if record.name in row.metrics
        ),
        notes=plan.notes,
        failures=failed_trainings(rows),
    )


def _overall(plan: StudyPlan, compared: Sequence[DatasetComparison]) -> Overall | None:
    """By the plan's own protocol, with as many training images as there are."""
    own = {dataset.name for dataset in plan.datasets if dataset.as_published_of is None}
    n = plan.train_per_class[-1]
    parts = [part for part in compared if part.dataset in own and part.train_per_class == n]
    means = {part.dataset: {row.name: row.mean for row in part.scores if row.mean is not None} for part in parts}
    return overall(means, _sign(plan))


def _sizes(plan: StudyPlan, parts: Mapping[tuple[str, int | None], Sequence[ResultRow]]) -> Iterator[SizeCurve]:
    for dataset in dict.fromkeys(name for name, _ in parts):
        of_size = {n: rows for (name, n), rows in parts.items() if name == dataset and n is not None}
        if len(of_size) < 2:
            continue
        all_rows = [row for rows in of_size.values() for row in rows]
        for variant in plan.variant_names:
            values = {n: _by_split(_of_variant(plan, rows, variant)) for n, rows in of_size.items()}
            if all(values.values()):
                ratio, n_units, sign = _test_to_train(all_rows), _n_units(all_rows)[0], _sign(plan)
                yield size_curve(
                    dataset, variant, values, target=plan.target, sign=sign, test_to_train=ratio, n_units=n_units
                )


def _of_variant(plan: StudyPlan, rows: Iterable[ResultRow], name: str) -> list[ResultRow]:
    return [row for row in rows if plan.variant_name(row.model, row.regime) == name]


def _sign(plan: StudyPlan) -> int:
    return 1 if METRICS.find(plan.primary_metric).better == "higher" else -1


def _test_to_train(rows: Iterable[ResultRow]) -> float:
    """Test images per image that training could draw from: how much splits share does not depend on a cap."""
    return float(np.mean([row.n_test / row.n_untested for row in rows if row.n_test and row.n_untested]))


def _n_units(rows: Sequence[ResultRow]) -> tuple[int | None, bool]:
    """How many groups, or images where they are alone, the splits share out; and whether they are groups.

    Folds test each once. Of single splits it follows from the share that is tested.
    """
    first = next((row for row in rows if row.n_test), None)
    if first is None or not first.n_test:
        return None, False
    same = [r for r in rows if (r.run, r.repeat, r.seed) == (first.run, first.repeat, first.seed)]
    has_groups = all(row.n_groups for row in same)
    n = sum((row.n_groups if has_groups else row.n_test) or 0 for row in same)
    return (round(n * (1 + (first.n_untested or 0) / first.n_test)) if first.fold is None else n), has_groups


def _robustness(
    plan: StudyPlan, part: tuple[str, int | None], plain: Sequence[ResultRow], changed: Sequence[ResultRow]
) -> list[Robustness]:
    test_to_train, n_units = _test_to_train(plain), _n_units(plain)[0]
    compared: list[tuple[str, str, float, ProcedureDifference]] = []  # network, perturbation, mean, difference
    for name in plan.variant_names:
        before = _by_split(_of_variant(plan, plain, name))
        for perturbation in (each.name for each in plan.perturbations):
            own = [row for row in _of_variant(plan, changed, name) if row.perturbation == perturbation]
            after = _by_split(own)
            common = sorted(set(before) & set(after), key=lambda split: (split[0], split[1] or 0))
            if common and n_units is not None:
                values = [after[split] - before[split] for split in common]
                mean = float(np.mean([after[split] for split in common]))
                difference = _within_range(_difference(values, test_to_train, plan, n_units), plan)
                compared.append((name, perturbation, mean, difference))
    adjusted = holm([difference.p for *_, difference in compared])
    return [
        Robustness(
            dataset=part[0],
            train_per_class=part[1],
            name=name,
            perturbation=perturbation,
            mean=mean,
            difference=difference,
            p_holm=p,
        )
        for (name, perturbation, mean, difference), p in zip(compared, adjusted, strict=True)
    ]


def _gaps(plan: StudyPlan, compared: Sequence[DatasetComparison]) -> Iterator[ProtocolGap]:
    honest_of = {dataset.name: dataset.as_published_of for dataset in plan.datasets}
    means = {(part.dataset, part.train_per_class, row.name): row.mean for part in compared for row in part.scores}
    for (dataset, n, name), mean in means.items():
        honest = honest_of[dataset]
        own = None if honest is None else means.get((honest, n, name))
        if honest is not None and own is not None and mean is not None:
            yield ProtocolGap(dataset=honest, train_per_class=n, name=name, own=own, as_published=mean)


def _of_dataset(plan: StudyPlan, dataset: str, n: int | None, rows: Sequence[ResultRow]) -> DatasetComparison:
    by_variant: dict[str, list[ResultRow]] = defaultdict(list)
    for row in rows:
        by_variant[plan.variant_name(row.model, row.regime)].append(row)
    by_split = {name: _by_split(own) for name, own in by_variant.items()}
    scores = [_scores(name, own, by_split[name]) for name, own in by_variant.items()]
    sign, (n_units, has_groups) = _sign(plan), _n_units(rows)
    scores.sort(key=lambda each: -np.inf if each.mean is None else sign * each.mean, reverse=True)
    return DatasetComparison(
        dataset=dataset,
        train_per_class=n,
        n_units=n_units,
        has_groups=has_groups,
        scores=tuple(scores),
        differences=_differences(by_split, rows, plan, n_units),
    )


def _by_split(rows: Iterable[ResultRow]) -> dict[Split, float]:
    """The mean over seeds on each split."""
    values: dict[Split, list[float]] = defaultdict(list)
    for row in rows:
        if row.primary is not None:
            values[row.repeat, row.fold].append(row.primary)
    return {split: float(np.mean(own)) for split, own in values.items()}


def _scores(name: str, rows: Sequence[ResultRow], by_split: Mapping[Split, float]) -> VariantScores:
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
    )


def _differences(
    by_split: Mapping[str, Mapping[Split, float]], rows: Sequence[ResultRow], plan: StudyPlan, n_units: int | None
) -> tuple[VariantDifference, ...]:
    if n_units is None:
        return ()
    test_to_train = _test_to_train(rows)
    baseline_of = {plan.variant_name(row.model, row.regime): plan.baseline_of(row.model, row.regime) for row in rows}
    pairs: list[tuple[str, str, list[float]]] = []
    for name, own in by_split.items():
        of_baseline = by_split.get(baseline_of[name], {})
        common = sorted(set(own) & set(of_baseline), key=lambda split: (split[0], split[1] or 0))
        if name != baseline_of[name] and common:
            values = [own[split] - of_baseline[split] for split in common]
            pairs.append((name, baseline_of[name], values))
    differences = [_difference(values, test_to_train, plan, n_units) for _, _, values in pairs]
    adjusted = holm([difference.p for difference in differences])
    return tuple(
        VariantDifference(
            name=name,
            baseline=baseline,
            difference=_within_range(difference, plan),
            p_holm=p,
            usual=as_if_independent(values),
            units_to_show=units_to_show(difference, n_units, effect=max(abs(difference.mean), plan.equivalence)),
        )
        for (name, baseline, values), difference, p in zip(pairs, differences, adjusted, strict=True)
    )


def _difference(values: list[float], test_to_train: float, plan: StudyPlan, n_units: int) -> ProcedureDifference:
    """`p_better` means better, also where lower is better."""
    found = procedure_difference(values, test_to_train=test_to_train, equivalence=plan.equivalence, n_units=n_units)
    return found if _sign(plan) > 0 else replace(found, p_better=found.p_worse, p_worse=found.p_better)


def _within_range(found: ProcedureDifference, plan: StudyPlan) -> ProcedureDifference:
    """The interval without differences that the metric cannot have: of few splits Student's t is very wide."""
    bottom, top = RANGES[METRICS.find(plan.primary_metric).scale]
    if found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, bottom - top), high=min(found.high, top - bottom))


def verdict(variant: VariantDifference, part: DatasetComparison) -> str:
    """Return what the comparison shows, in words; never more than it does.

    Args:
        variant: the difference of a variant from its baseline.
        part: the comparison that it is of.
    """
    result, n_needed = _result(variant, part), 0
    if result == "size-needed" and variant.units_to_show is not None:
        n_needed = _to_two_digits(variant.units_to_show)
    return text("study-verdict", result=result, n_needed=n_needed, has_groups=part.has_groups)


def _result(variant: VariantDifference, part: DatasetComparison) -> str:
    """Return the key of the verdict in the catalogue."""
    difference, n_units = variant.difference, variant.units_to_show
    if difference.p is None:
        if difference.n_splits < 2:
            return "few-splits"
        return "constant" if difference.mean else "equal"
    if variant.is_shown:
        return "better" if (difference.p_better or 0) > (difference.p_worse or 0) else "worse"
    if (difference.p_equal or 0) >= 0.95:
        return "equivalent"
    if n_units is None or n_units > _MOST_UNITS or abs(difference.mean or 0) < _SMALLEST_SHOWN:
        return "not-significant"
    # With so many units in the dataset, the splits are too few.
    return "splits-needed" if part.n_units is not None and n_units <= part.n_units else "size-needed"


def usual_verdict(variant: VariantDifference) -> str:
    """Return what the tests used in publications show; empty where none was possible."""
    if variant.usual is None:
        return ""
    if not variant.usual_finds:
        return text("study-usual-verdict-none")
    return text("study-usual-verdict", tests=" and ".join(variant.usual_finds), is_shown=variant.is_shown)


def _to_two_digits(n: int) -> int:
    """To two digits: it is a forecast."""
    step = int(10 ** max(0, len(str(n)) - 2))
    return -(-n // step) * step
