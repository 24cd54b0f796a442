"""Which way of training is better, dataset by dataset, by the study's primary metric."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from coverslip.evaluation import METRICS, ProcedureDifference, holm, procedure_difference
from coverslip.studies.plan import StudyPlan
from coverslip.studies.results import ResultRow

Split = tuple[int, int | None]  # repeat and fold
METHOD = "corrected resampled t (Nadeau and Bengio 2003), Holm over the comparisons of a dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantScores:
    """A network with a way to start, on one dataset with so many training images of each class."""

    name: str
    n_splits: int  # that were measured
    n_missing: int  # trainings that failed or are still to come
    mean: float | None
    sd: float | None  # over splits, which share training images; no standard error
    parameters: int | None
    gmacs: float | None
    train_seconds: float | None  # mean of a split's


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantDifference:
    """One of them against the baseline, on the splits that both were measured on."""

    name: str
    baseline: str
    difference: ProcedureDifference
    p_holm: float | None

    @property
    def is_shown(self) -> bool:
        """Whether a difference was shown, allowing for how many were looked at."""
        return self.p_holm is not None and self.p_holm <= 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetComparison:
    """All variants on one dataset, the best mean first."""

    dataset: str
    train_per_class: int | None
    scores: tuple[VariantScores, ...]
    differences: tuple[VariantDifference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyComparison:
    """What a study shows so far."""

    metric: str
    metric_title: str
    is_higher_better: bool
    equivalence: float
    method: str
    datasets: tuple[DatasetComparison, ...]


def compare_study(plan: StudyPlan, rows: Iterable[ResultRow]) -> StudyComparison:
    """Compare every variant of the plan with its baseline.

    Seeds of one split are averaged first: they tell how much luck there is in training, but are no further splits.

    Args:
        plan: of the study.
        rows: what was measured so far.
    """
    parts: dict[tuple[str, int | None], list[ResultRow]] = defaultdict(list)
    for row in rows:
        parts[row.dataset, row.train_per_class].append(row)
    record = METRICS.find(plan.primary_metric)
    return StudyComparison(
        metric=record.name,
        metric_title=record.title,
        is_higher_better=record.better == "higher",
        equivalence=plan.equivalence,
        method=METHOD,
        datasets=tuple(_of_dataset(plan, *part, own) for part, own in parts.items()),
    )


def _of_dataset(plan: StudyPlan, dataset: str, n: int | None, rows: Sequence[ResultRow]) -> DatasetComparison:
    by_variant: dict[str, list[ResultRow]] = defaultdict(list)
    for row in rows:
        by_variant[plan.variant_name(row.model, row.regime)].append(row)
    by_split = {name: _by_split(own) for name, own in by_variant.items()}
    scores = [_scores(name, own, by_split[name]) for name, own in by_variant.items()]
    sign = 1 if METRICS.find(plan.primary_metric).better == "higher" else -1
    scores.sort(key=lambda each: -np.inf if each.mean is None else sign * each.mean, reverse=True)
    baseline = _baseline(plan)
    return DatasetComparison(
        dataset=dataset,
        train_per_class=n,
        scores=tuple(scores),
        differences=_differences(baseline, by_split, rows, plan, sign),
    )


def _baseline(plan: StudyPlan) -> str:
    names = plan.variant_names
    return plan.baseline if plan.baseline in names else names[0]


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
        n_splits=len(values),
        n_missing=sum(row.primary is None for row in rows),
        mean=float(np.mean(values)) if values else None,
        sd=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        parameters=rows[0].parameters,
        gmacs=rows[0].gmacs,
        train_seconds=float(np.mean(seconds)) if seconds else None,
    )


def _differences(
    baseline: str, by_split: Mapping[str, Mapping[Split, float]], rows: Sequence[ResultRow], plan: StudyPlan, sign: int
) -> tuple[VariantDifference, ...]:
    sizes = [(row.n_test, row.n_train) for row in rows if row.n_test and row.n_train]
    if not sizes or baseline not in by_split:
        return ()
    test_to_train = float(np.mean([n_test / n_train for n_test, n_train in sizes]))
    found: list[tuple[str, ProcedureDifference]] = []
    for name, own in by_split.items():
        common = sorted(set(own) & set(by_split[baseline]), key=lambda split: (split[0], split[1] or 0))
        if name != baseline and common:
            values = [own[split] - by_split[baseline][split] for split in common]
            found.append((name, _difference(values, test_to_train, plan.equivalence, sign)))
    adjusted = holm([difference.p for _, difference in found])
    return tuple(
        VariantDifference(name=name, baseline=baseline, difference=difference, p_holm=p)
        for (name, difference), p in zip(found, adjusted, strict=True)
    )


def _difference(values: list[float], test_to_train: float, equivalence: float, sign: int) -> ProcedureDifference:
    """`p_better` means better, also where lower is better."""
    found = procedure_difference(values, test_to_train=test_to_train, equivalence=equivalence)
    return found if sign > 0 else replace(found, p_better=found.p_worse, p_worse=found.p_better)
