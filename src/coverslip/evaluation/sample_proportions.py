"""Class proportions in samples, and conditions compared by them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from coverslip.documented_fields import DocumentedFields
from coverslip.evaluation.comparison import holm
from coverslip.evaluation.proportions import ErrorOfRates, ErrorRates, ErrorsOfSample, difference_of_means
from coverslip.evaluation.results import Metric
from coverslip.messages import message
from coverslip.notebooks import data_frame, html_table
from coverslip.table_cells import number_of

if TYPE_CHECKING:
    from pandas import DataFrame

WELCH_TEST, PAIRED_TEST = "Welch's t test of samples", "paired t test of blocks"
_BY_CHANCE = 0.01  # p-value below which two estimates of proportions disagree
_POWER = 0.8
SUMMARY_COLUMNS = (
    *("sample", "condition", "block", "n_images", "n_uncertain", "n_unfamiliar", "n_unreadable", "class", "count"),
    *("raw", "raw_low", "raw_high", "corrected", "corrected_low", "corrected_high", "unclipped", "standard_error"),
    *("shown", "shown_low", "shown_high", "reason"),
)
_CLEARLY_SMALLER = 0.8  # ratio of expected squared errors, below which corrected values of single samples are shown
_FEWEST_SAMPLES = 3  # of each condition, or blocks of both, for an interval of their difference


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProportion(DocumentedFields):
    """The proportion of a class in some samples."""

    n_decided: int
    """Images whose decision is the class."""
    count: float
    """1 for each decided image, the probability of others."""
    raw: Metric
    """Biased by errors of the classifier."""
    corrected: Metric
    """Its value is null, with a reason, where it is not corrected."""
    unclipped: float | None
    """Corrected, without limits at 0 and 1, for means and tests."""
    standard_error: float | None
    """Of the unclipped value of a single sample."""
    shown: Metric
    """The value to use. Of a single sample: corrected if the correction is expected to be more accurate than counts,
    else counted, with the interval of the corrected one. Counted if a sample cannot be corrected; without an interval,
    and with the reason, if it is this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProportions(DocumentedFields):
    """The proportions of all classes in a sample, or in all samples of a condition."""

    sample: str | None
    """null: all samples of the condition."""
    condition: str | None  # None: there are no conditions
    block: str | None
    """Such as an experiment day or a patient; null: none, or several."""
    n: int  # readable images
    n_samples: int
    n_uncertain: int
    """Of n."""
    n_unfamiliar: int
    """Number of unfamiliar images, which count by their probabilities."""
    n_unreadable: int
    """Not of n."""
    classes: Mapping[str, ClassProportion]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDifference(DocumentedFields):
    """The difference of the proportion of a class between two conditions, with the sample as the unit."""

    name: str  # the class
    conditions: tuple[str, str]
    difference: Metric
    """Second minus first."""
    test: str
    p: float | None
    p_holm: float | None
    """Holm's method over all classes and pairs of conditions."""
    effect_size: float | None
    """Hedges' g."""
    n_samples: tuple[int, int]
    """Of each condition."""
    n_blocks: int | None
    """That contain both conditions; null: there are no blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShift(DocumentedFields):
    """Whether two estimates of the proportions disagree, which they do not if the classifier errs as on its run."""

    violated: bool
    """Whether two estimates disagree: do not rely on corrected proportions."""
    p: float
    """Of the difference of the two estimates."""
    detectable: float
    """Difference in any class that is detected with a power of 80%."""

    @classmethod
    def of(cls, differences: Sequence[float], errors: Sequence[float]) -> "LabelShift":
        """Return whether two estimates of the proportion of each class disagree, by p of Bonferroni below .01.

        Args:
            differences: of the estimates, for each class.
            errors: their standard errors.
        """
        from scipy.special import ndtr, ndtri

        z = max(abs(each) / max(error, 1e-9) for each, error in zip(differences, errors, strict=True))
        p = 2 * float(ndtr(-z)) * len(errors)
        least = float(ndtri(1 - _BY_CHANCE / 2 / len(errors)) + ndtri(_POWER))
        return cls(violated=p < _BY_CHANCE, p=min(p, 1.0), detectable=min(1.0, least * max(errors)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedErrors(DocumentedFields):
    """Root mean squares of the expected errors of single samples, over samples and classes."""

    counted: float
    corrected: float
    is_correction_better: bool
    """Whether the shown proportions of single samples are corrected ones, which needs a clearly smaller error."""

    @classmethod
    def of(cls, errors: Sequence[ErrorsOfSample]) -> "ExpectedErrors":
        """Return the errors to expect of any of these samples."""
        n_classes = len(errors[0].standard)
        counted = float(np.mean([each.squared_counted for each in errors]))
        corrected = float(np.mean([each.squared_corrected for each in errors]))
        return cls(
            counted=(max(counted, 0) / n_classes) ** 0.5,
            corrected=(corrected / n_classes) ** 0.5,
            is_correction_better=corrected < _CLEARLY_SMALLER * counted,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary(DocumentedFields):
    """The proportions of samples and conditions, and the comparison of conditions."""

    classes: tuple[str, ...]
    samples: tuple[SampleProportions, ...]
    conditions: tuple[SampleProportions, ...]
    """One without a name if there are no conditions."""
    comparisons: tuple[ConditionDifference, ...]
    label_shift: LabelShift | None
    """null: not corrected, or too few images."""
    correlations: Mapping[str, float | None]
    """Of votes on test images within groups; null: unknown."""
    cautions: tuple[str, ...]
    """About single samples."""
    similar_samples: tuple[tuple[str, ...], ...]
    """Probably one sample with several spellings."""
    similar_conditions: tuple[tuple[str, ...], ...]
    similar_blocks: tuple[tuple[str, ...], ...]
    is_corrected: bool
    """Whether the run has errors on test images, with which to correct."""
    expected_errors: ExpectedErrors | None
    """null: a sample is not corrected."""
    positive_class: str | None
    """The class to show, since the other is its complement; null: not two classes."""
    method: str
    """The method of the proportions and their intervals."""
    assumption: str
    """What corrected proportions assume, or why there are none."""
    are_objects: bool = False
    """Whether all predictions are of objects in fields of view, not of whole images."""

    def rows(self) -> Iterator[dict[str, object]]:
        """Yield a row for each class in each sample, with `SUMMARY_COLUMNS`."""
        for sample in self.samples:
            for name, of_class in sample.classes.items():
                raw, corrected = of_class.raw, of_class.corrected
                numbers = (sample.n, sample.n_uncertain, sample.n_unfamiliar, sample.n_unreadable)
                values = (raw.value, raw.low, raw.high, corrected.value, corrected.low, corrected.high)
                shown = of_class.shown
                further = (of_class.unclipped, of_class.standard_error, shown.value, shown.low, shown.high)
                cells = (
                    sample.sample,
                    sample.condition,
                    sample.block,
                    *numbers,
                    name,
                    of_class.count,
                    *values,
                    *further,
                )
                yield dict(zip(SUMMARY_COLUMNS, (*cells, corrected.reason), strict=True))

    def to_pandas(self) -> "DataFrame":
        """Return a data frame with `SUMMARY_COLUMNS` and a row for each class in each sample.

        Raises:
            CoverslipError: pandas is not installed.
        """
        rows = list(self.rows())
        return data_frame({name: [row[name] for row in rows] for name in SUMMARY_COLUMNS})

    def __repr__(self) -> str:
        """Return how much is compared."""
        n_conditions = sum(each.condition is not None for each in self.conditions)
        return f"Summary({len(self.classes)} classes, {len(self.samples)} samples, {n_conditions} conditions)"

    def _repr_html_(self) -> str:
        """Return the proportions to use of each sample, and of each condition, for notebooks."""
        rows = [
            (each.sample, each.condition, each.n, *(each.classes[name].shown.value for name in self.classes))
            for each in (*self.samples, *(each for each in self.conditions if each.condition is not None))
        ]
        return html_table(repr(self), ("sample", "condition", "images", *self.classes), rows, self.assumption)


def values_by_condition(samples: Sequence[SampleProportions], name: str) -> dict[str | None, list[float]]:
    """Return the proportion of a class in each readable sample of each condition, as `tested_shares`."""
    shares = tested_shares(samples, name)
    values: dict[str | None, list[float]] = {each.condition: [] for each in samples}
    for each in samples:
        if (share := shares[str(each.sample)]) is not None:
            values[each.condition].append(share)
    return values


def has_blocks(samples: Sequence[SampleProportions]) -> bool:
    """Return whether conditions are compared within blocks."""
    return any(each.block is not None for each in samples)


def block_means(
    samples: Sequence[SampleProportions], conditions: Sequence[str | None], name: str
) -> dict[str, list[float | None]]:
    """Return the proportion of a class by block, and by condition in this order: the mean of the samples of both.

    None: the block has no readable sample of the condition.
    """
    shares = tested_shares(samples, name)
    values: dict[tuple[str, str | None], list[float]] = defaultdict(list)
    for each in samples:
        share = shares[str(each.sample)]
        if each.block is not None and share is not None:
            values[each.block, each.condition].append(share)
    means = {cell: float(np.mean(of_cell)) for cell, of_cell in values.items()}
    blocks = dict.fromkeys(block for block, _ in means)
    return {block: [means.get((block, condition)) for condition in conditions] for block in blocks}


def _compared_values(
    samples: Sequence[SampleProportions], pairs: Sequence[tuple[str, str]], name: str
) -> list[tuple[list[float], list[float]]]:
    """Return the compared values of each pair of conditions: of samples, or of the blocks that contain both."""
    values = values_by_condition(samples, name)
    if not has_blocks(samples):
        return [(values[first], values[second]) for first, second in pairs]
    of_blocks = [dict(zip(values, means, strict=True)) for means in block_means(samples, [*values], name).values()]
    complete = [
        [(a, b) for block in of_blocks if (a := block[first]) is not None and (b := block[second]) is not None]
        for first, second in pairs
    ]
    return [([a for a, _ in both], [b for _, b in both]) for both in complete]


def _pairs(names: Sequence[str | None], control: str | None) -> list[tuple[str, str]]:
    """Return the pairs of conditions to compare: each two, or each with the control."""
    named = [name for name in names if name is not None]
    if control is None:
        return list(combinations(named, 2))
    return [(control, name) for name in named if name != control]


def compared_conditions(
    samples: Sequence[SampleProportions],
    names: Sequence[str | None],
    classes: Sequence[str],
    rates: ErrorRates | None,
    control: str | None = None,
) -> list[ConditionDifference]:
    """Compare conditions by the proportions of their samples, or by their differences within blocks.

    Args:
        samples: of all conditions.
        names: the conditions.
        classes: all classes.
        rates: the error rates by which samples are corrected; None: they are not.
        control: the condition that all others are compared with; None: each two are compared.
    """
    are_blocks, pairs = has_blocks(samples), _pairs(names, control)
    of_classes = {name: _compared_values(samples, pairs, name) for name in classes}
    of_samples = {name: values_by_condition(samples, name) for name in classes}
    if not all(is_corrected(samples, name) for name in classes):
        rates = None
    differences = []
    for pair, values in zip(pairs, zip(*of_classes.values(), strict=True), strict=True):
        errors = _errors_of_rates(values, rates)
        for k, (name, (a, b)) in enumerate(zip(classes, values, strict=True)):
            n_samples = tuple(len(of_samples[name][each]) for each in pair)
            comparison = ConditionDifference(
                name=name, conditions=pair, difference=Metric(value=None),
                test=PAIRED_TEST if are_blocks else WELCH_TEST, p=None, p_holm=None, effect_size=None,
                n_samples=(n_samples[0], n_samples[1]), n_blocks=len(a) if are_blocks else None,
            )  # fmt: skip
            if min(len(a), len(b)) < _FEWEST_SAMPLES:
                reason = message(
                    "summary-few-blocks" if are_blocks else "summary-few-samples", n_needed=_FEWEST_SAMPLES
                )
                value = float(np.mean(b) - np.mean(a)) if a and b else None
                metric = Metric(value=value, reason=reason)
            else:
                absolute = errors.absolute[k] if errors.absolute else 0.0
                result = difference_of_means(
                    a, b, is_paired=are_blocks, relative_error=errors.relative, absolute_error=absolute
                )
                metric = Metric(value=result.value, method=comparison.test)
                if result.low is not None and result.high is not None:
                    low, high = max(result.low, min(-1.0, result.value)), min(result.high, max(1.0, result.value))
                    metric = replace(metric, low=low, high=high)
                else:
                    is_varying = result.p is not None
                    reason = message("summary-size-unknown" if is_varying else "summary-without-variation")
                    metric = replace(metric, reason=reason)
                comparison = replace(comparison, p=result.p, effect_size=result.effect_size)
            differences.append(replace(comparison, difference=metric))
    # Of two classes, only one is counted: the proportion of the other is its complement.
    counted = [each.p for each in differences if len(classes) > 2 or each.name == classes[0]]
    adjusted = [p for p in holm(counted) for _ in range(len(differences) // len(counted))]
    return [replace(each, p_holm=p) for each, p in zip(differences, adjusted, strict=True)]


def _errors_of_rates(values: Sequence[tuple[list[float], list[float]]], rates: ErrorRates | None) -> ErrorOfRates:
    """Return the effect of uncertain error rates on the differences of all classes between two conditions."""
    if rates is None or not all(a and b for a, b in values):
        return ErrorOfRates()
    return rates.error_of_difference(np.array([np.mean(b) - np.mean(a) for a, b in values]))


def is_corrected(samples: Sequence[SampleProportions], name: str) -> bool:
    """Return whether the proportion of a class is corrected in all samples with readable images."""
    return all(each.classes[name].corrected.value is not None for each in samples if each.n)


COUNTED_METHOD = "votes of the classifier, without an interval"


def with_shown(samples: Sequence[SampleProportions], errors: ExpectedErrors | None) -> list[SampleProportions]:
    """Return samples or conditions with the values to show.

    Args:
        samples: whose shown values are counted ones. Counts that cannot be corrected lose their interval.
        errors: expected of a single sample; None: not all samples are corrected, so that counted ones are compared.
    """
    return [
        replace(
            each,
            classes={
                name: _with_shown(of_class, errors, is_single=each.n_samples == 1)
                for name, of_class in each.classes.items()
            },
        )
        for each in samples
    ]


def _with_shown(of_class: ClassProportion, errors: ExpectedErrors | None, *, is_single: bool) -> ClassProportion:
    raw, corrected = of_class.raw, of_class.corrected
    if raw.value is None or corrected.low is None or corrected.high is None:
        # The interval of counts leaves out errors of the classifier, which are not known here.
        counted = replace(raw, low=None, high=None, method=COUNTED_METHOD)
        return replace(of_class, raw=counted, shown=replace(counted, reason=raw.reason or corrected.reason))
    if errors is not None and (not is_single or errors.is_correction_better):
        return replace(of_class, shown=corrected)
    low, high = min(corrected.low, raw.value), max(corrected.high, raw.value)
    reason = message("summary-counts-are-compared" if errors is None else "summary-counts-are-closer")
    return replace(of_class, shown=replace(corrected, value=raw.value, low=low, high=high, reason=reason))


def has_corrections(proportions: Iterable[SampleProportions]) -> bool:
    """Return whether the proportion of a class is corrected in a sample or a condition."""
    return any(of_class.corrected.value is not None for each in proportions for of_class in each.classes.values())


def tested_shares(samples: Sequence[SampleProportions], name: str) -> dict[str, float | None]:
    """Return the proportion of a class in each sample for means and tests, corrected if that of all samples is.

    Corrected proportions below 0 and above 1 are errors of the estimate, which cancel in a mean. If they were moved to
    0 and 1, all means of a rare class would be too large, and differences too small.
    """
    if not is_corrected(samples, name):
        return {str(each.sample): each.classes[name].raw.value for each in samples}
    return {str(each.sample): each.classes[name].unclipped for each in samples}


def conditions_in_order(names: Iterable[str | None]) -> list[str | None]:
    """Return each condition once: numbers by size, else in the order of the tables."""
    once: list[str | None] = list(dict.fromkeys(names))
    numbers = [number_of(name or "") for name in once]
    if any(number is None for number in numbers):
        return once
    return [name for _, name in sorted(zip(numbers, once, strict=True), key=lambda pair: pair[0] or 0.0)]
