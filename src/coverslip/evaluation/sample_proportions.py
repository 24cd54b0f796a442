"""Class proportions in samples, conditions and trends compared, and the controls of plates."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field

from coverslip.evaluation.comparison import holm
from coverslip.evaluation.proportions import (
    POWER,
    ErrorOfRates,
    ErrorRates,
    difference_of_means,
    samples_needed,
    trend_of_shares,
)
from coverslip.evaluation.results import Metric
from coverslip.messages import message
from coverslip.table_cells import number_of

_WELL = re.compile(r"(?P<plate>.*?)[\s/_-]*(?<![A-Za-z])(?P<row>[A-P])(?P<column>0?[1-9]|1[0-9]|2[0-4])", re.DOTALL)
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Well:
    """A well of a plate with 96 or 384 wells."""

    plate: Annotated[str, Field(description="Empty: the only plate.")]
    row: Annotated[int, Field(description="From 0.")]
    column: Annotated[int, Field(description="From 0.")]


def wells_of(samples: Sequence[str]) -> dict[str, Well] | None:
    """Return the well at the end of each sample, such as `plate 1/B03`; None if one has no well, or two are equal."""
    wells: dict[str, Well] = {}
    for sample in samples:
        match = _WELL.fullmatch(sample)
        if match is None:
            return None
        wells[sample] = Well(match["plate"], ord(match["row"]) - ord("A"), int(match["column"]) - 1)
    # Patients P1 to P9 are no wells of row P.
    is_plate = len({well.row for well in wells.values()}) > 1 and len({well.column for well in wells.values()}) > 1
    return wells if is_plate and len(set(wells.values())) == len(wells) else None


def plate_size(wells: Sequence[Well]) -> tuple[int, int]:
    """Return the rows and columns of the smallest plate with these wells: 8 x 12 or 16 x 24."""
    is_small = all(well.row < 8 and well.column < 12 for well in wells)
    return (8, 12) if is_small else (16, 24)


def z_score(value: float, negative: Sequence[float]) -> float | None:
    """Return the distance from the mean of negative controls in their standard deviations; None: they are alike."""
    if len(negative) < 2:
        return None
    spread = float(np.std(negative, ddof=1))
    return (value - float(np.mean(negative))) / spread if spread > _SMALLEST else None


def z_prime(negative: Sequence[float], positive: Sequence[float]) -> float | None:
    """Return Z' of Zhang, Chung and Oldenburg (1999), from 1 (perfect) over .5 (good) to below 0 (controls overlap).

    None: there are fewer than two controls of a kind, or their means are equal.
    """
    if len(negative) < 2 or len(positive) < 2:
        return None
    distance = abs(float(np.mean(positive)) - float(np.mean(negative)))
    if distance <= _SMALLEST:
        return None
    return 1 - 3 * float(np.std(positive, ddof=1) + np.std(negative, ddof=1)) / distance


TREND_METHOD = "quasi-binomial GEE of samples with logit link; variance of Mancl and DeRouen (2001), t distribution"
TREND_TEST = "permutation test of the correlation of samples with the condition"
WELCH_TEST, PAIRED_TEST = "Welch's t test of samples", "paired t test of blocks"
_BY_CHANCE = 0.01  # p-value below which two estimates of proportions disagree
_FEWEST_SAMPLES = 3  # of each condition, or blocks of both, for an interval of their difference
_MOST_LOG = 700.0  # whose exponential is a finite number


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassProportion:
    """The proportion of a class in some samples."""

    count: Annotated[float, Field(description="1 for each decided image, the probability of others.")]
    raw: Annotated[Metric, Field(description="Biased by errors of the classifier.")]
    corrected: Annotated[Metric, Field(description="Its value is null, with a reason, where it is not corrected.")]
    unclipped: Annotated[float | None, Field(description="Corrected, without limits at 0 and 1, for means and tests.")]
    z_score: Annotated[float | None, Field(description="From the negative controls of its plate, in their SDs.")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlateControls:
    """The controls of a plate, or of all samples if these are no wells."""

    plate: Annotated[str, Field(description="Empty: all samples.")]
    name: str  # the class
    n_negative: int
    n_positive: int
    z_prime: Annotated[float | None, Field(description="1 - 3 (SD of positive + SD of negative) / distance of means.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleProportions:
    """The proportions of all classes in a sample, or in all samples of a condition."""

    sample: Annotated[str | None, Field(description="null: all samples of the condition.")]
    condition: str | None  # None: there are no conditions
    block: Annotated[str | None, Field(description="Such as an experiment day or a patient; null: none, or several.")]
    time: Annotated[float | None, Field(description="null: all times.")]
    n: int  # readable images
    n_samples: int
    n_uncertain: Annotated[int, Field(description="Of n.")]
    n_unfamiliar: Annotated[int, Field(description="Number of unfamiliar images, which count by their probabilities.")]
    n_unreadable: Annotated[int, Field(description="Not of n.")]
    classes: Mapping[str, ClassProportion]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDifference:
    """The difference of the proportion of a class between two conditions, with the sample as the unit."""

    name: str  # the class
    conditions: tuple[str, str]
    difference: Annotated[Metric, Field(description="Second minus first.")]
    test: str
    p: float | None
    p_holm: Annotated[float | None, Field(description="Holm's method over all classes and pairs of conditions.")]
    effect_size: Annotated[float | None, Field(description="Hedges' g.")]
    n_samples: Annotated[tuple[int, int], Field(description="Of each condition.")]
    n_blocks: Annotated[int | None, Field(description="That contain both conditions; null: there are no blocks.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionTrend:
    """The change of the proportion of a class per unit of a condition that is a number, such as a dose."""

    name: str  # the class
    slope: Annotated[Metric, Field(description="Of the log odds.")]
    odds_ratio: Annotated[Metric, Field(description="Its exponential.")]
    test: str
    p: float | None
    p_holm: Annotated[float | None, Field(description="Holm's method over all classes.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplesNeeded:
    """How many samples of each of two conditions, or blocks, would show a difference of the proportion of a class."""

    name: str  # the class
    difference: float  # of proportions
    n: Annotated[int | None, Field(description="null: the samples of no condition vary, or more than 10,000.")]
    are_blocks: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShift:
    """Whether two estimates of the proportions disagree, which they do not if the classifier errs as on its run."""

    violated: Annotated[
        bool, Field(description="Whether two estimates disagree: do not rely on corrected proportions.")
    ]
    p: Annotated[float, Field(description="Of the difference of the two estimates.")]
    detectable: Annotated[float, Field(description="Difference in any class that is detected with a power of 80%.")]

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
        least = float(ndtri(1 - _BY_CHANCE / 2 / len(errors)) + ndtri(POWER))
        return cls(violated=p < _BY_CHANCE, p=min(p, 1.0), detectable=min(1.0, least * max(errors)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The proportions of samples and conditions, and the comparison of conditions."""

    classes: tuple[str, ...]
    samples: tuple[SampleProportions, ...]
    conditions: Annotated[
        tuple[SampleProportions, ...], Field(description="One without a name if there are no conditions.")
    ]
    comparisons: tuple[ConditionDifference, ...]
    trends: Annotated[
        tuple[ConditionTrend, ...], Field(description="Over conditions that are numbers; empty: there are none.")
    ]
    series: Annotated[
        tuple[SampleProportions, ...], Field(description="Samples and conditions at each time; empty: no times.")
    ]
    samples_needed: Annotated[
        tuple[SamplesNeeded, ...], Field(description="Empty: no difference to detect was stated.")
    ]
    controls: Annotated[tuple[PlateControls, ...], Field(description="Empty: no negative control was named.")]
    label_shift: Annotated[LabelShift | None, Field(description="null: not corrected, or too few images.")]
    correlations: Annotated[
        Mapping[str, float | None], Field(description="Of votes on test images within groups; null: unknown.")
    ]
    cautions: Annotated[tuple[str, ...], Field(description="About single samples.")]
    similar_samples: Annotated[
        tuple[tuple[str, ...], ...], Field(description="Probably one sample with several spellings.")
    ]
    similar_conditions: tuple[tuple[str, ...], ...]
    similar_blocks: tuple[tuple[str, ...], ...]
    is_corrected: Annotated[
        bool, Field(description="Whether the run has errors on test images, with which to correct.")
    ]
    method: Annotated[str, Field(description="The method of the proportions and their intervals.")]
    assumption: Annotated[str, Field(description="What corrected proportions assume, or why there are none.")]


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
                metric = Metric(value=result.value, low=result.low, high=result.high, method=comparison.test)
                if result.p is not None and result.low is None:
                    metric = replace(metric, reason=message("summary-size-unknown"))
                comparison = replace(comparison, p=result.p, effect_size=result.effect_size)
            differences.append(replace(comparison, difference=metric))
    return _adjusted(differences, classes)


def _errors_of_rates(values: Sequence[tuple[list[float], list[float]]], rates: ErrorRates | None) -> ErrorOfRates:
    """Return the effect of uncertain error rates on the differences of all classes between two conditions."""
    if rates is None or not all(a and b for a, b in values):
        return ErrorOfRates()
    return rates.error_of_difference(np.array([np.mean(b) - np.mean(a) for a, b in values]))


def trends_of_conditions(
    samples: Sequence[SampleProportions], names: Sequence[str | None], classes: Sequence[str]
) -> list[ConditionTrend]:
    if has_blocks(samples):  # the test would have to permute within blocks, and the model to include them
        return []
    named = [name for name in names if name is not None]
    doses = {name: dose for name in named if (dose := number_of(name or "")) is not None}
    if len(doses) < _FEWEST_SAMPLES or len(doses) < len(named):
        return []
    trends = []
    for name in classes:
        values = values_by_condition(samples, name)
        pairs = [(dose, value) for condition, dose in doses.items() for value in values[condition]]
        if len({dose for dose, _ in pairs}) < _FEWEST_SAMPLES:  # samples without a readable image
            return []
        fit = trend_of_shares([dose for dose, _ in pairs], [value for _, value in pairs])
        slope = Metric(
            value=fit.value,
            low=fit.low,
            high=fit.high,
            method=TREND_METHOD,
            reason=message("trend-not-estimable") if fit.value is None else None,
        )
        ratio = replace(slope, value=_exp(slope.value), low=_exp(slope.low), high=_exp(slope.high))
        trends.append(ConditionTrend(name=name, slope=slope, odds_ratio=ratio, test=TREND_TEST, p=fit.p, p_holm=None))
    return _adjusted(trends, classes)


def _exp(value: float | None) -> float | None:
    return None if value is None else float(np.exp(np.clip(value, -_MOST_LOG, _MOST_LOG)))


def _plates_of(samples: Sequence[SampleProportions]) -> dict[str, str]:
    """Return the plate of each sample; if not all samples are wells, they have one in common."""
    names = [str(each.sample) for each in samples]
    wells = wells_of(names)
    return dict.fromkeys(names, "") if wells is None else {name: well.plate for name, well in wells.items()}


def is_corrected(samples: Sequence[SampleProportions], name: str) -> bool:
    """Return whether the proportion of a class is corrected in all samples with readable images."""
    return all(each.classes[name].corrected.value is not None for each in samples if each.n)


def has_corrections(proportions: Iterable[SampleProportions]) -> bool:
    """Return whether the proportion of a class is corrected in a sample, a condition or at a time."""
    return any(of_class.corrected.value is not None for each in proportions for of_class in each.classes.values())


def shares_of_samples(samples: Sequence[SampleProportions], name: str) -> dict[str, float | None]:
    """Return the proportion of a class in each sample: corrected if all samples are, else counted."""
    use_corrected = is_corrected(samples, name)
    return {
        str(each.sample): (each.classes[name].corrected if use_corrected else each.classes[name].raw).value
        for each in samples
    }


def tested_shares(samples: Sequence[SampleProportions], name: str) -> dict[str, float | None]:
    """Return the proportion of a class in each sample for means and tests: as `shares_of_samples`, without limits.

    Corrected proportions below 0 and above 1 are errors of the estimate, which cancel in a mean. If they were moved to
    0 and 1, all means of a rare class would be too large, and differences too small.
    """
    if not is_corrected(samples, name):
        return shares_of_samples(samples, name)
    return {str(each.sample): each.classes[name].unclipped for each in samples}


def _controls_on(samples: Sequence[SampleProportions], plate: str, condition: str | None, name: str) -> list[float]:
    """Return the proportions of a class in the controls of a plate."""
    shares, plates = tested_shares(samples, name), _plates_of(samples)
    values = (
        shares[str(each.sample)]
        for each in samples
        if condition is not None and each.condition == condition and plates[str(each.sample)] == plate
    )
    return [value for value in values if value is not None]


def with_z_scores(samples: Sequence[SampleProportions], negative: str | None) -> Iterator[SampleProportions]:
    if negative is None or not samples:
        yield from samples
        return
    plates = _plates_of(samples)
    names = list(samples[0].classes)
    shares = {name: tested_shares(samples, name) for name in names}
    of_plate = {
        (plate, name): _controls_on(samples, plate, negative, name) for plate in {*plates.values()} for name in names
    }
    for each in samples:
        sample, classes = str(each.sample), {}
        for name, proportion in each.classes.items():
            value = shares[name][sample]
            score = None if value is None else z_score(value, of_plate[plates[sample], name])
            classes[name] = replace(proportion, z_score=score)
        yield replace(each, classes=classes)


def controls_of_plates(
    samples: Sequence[SampleProportions], controls: tuple[str | None, str | None], classes: Sequence[str]
) -> Iterator[PlateControls]:
    if controls[0] is None:
        return
    for plate in dict.fromkeys(_plates_of(samples).values()):
        for name in classes:
            negative, positive = (_controls_on(samples, plate, control, name) for control in controls)
            yield PlateControls(
                plate=plate,
                name=name,
                n_negative=len(negative),
                n_positive=len(positive),
                z_prime=z_prime(negative, positive),
            )


def samples_for_difference(
    samples: Sequence[SampleProportions], names: Sequence[str | None], classes: Sequence[str], difference: float
) -> Iterator[SamplesNeeded]:
    are_blocks = has_blocks(samples)
    for name in classes:
        values = [*values_by_condition(samples, name).values()]
        if are_blocks:
            both = _compared_values(samples, _pairs(names, None), name)
            values = [[second - first for first, second in zip(a, b, strict=True)] for a, b in both]
        n = samples_needed(values, difference, is_paired=are_blocks)
        yield SamplesNeeded(name=name, difference=difference, n=n, are_blocks=are_blocks)


Tested = TypeVar("Tested", ConditionDifference, ConditionTrend)


def _adjusted(tests: Sequence[Tested], classes: Sequence[str]) -> list[Tested]:
    """Adjust p over all tests. Of two classes, only one is counted: the proportion of the other is its complement."""
    counted = [each.p for each in tests if len(classes) > 2 or each.name == classes[0]]
    repeats = len(tests) // len(counted) if counted else 1
    adjusted = [p for p in holm(counted) for _ in range(repeats)]
    return [replace(each, p_holm=p) for each, p in zip(tests, adjusted, strict=True)]


def conditions_in_order(names: Iterable[str | None]) -> list[str | None]:
    """Return each condition once: numbers by size, else in the order of the tables."""
    once: list[str | None] = list(dict.fromkeys(names))
    numbers = [number_of(name or "") for name in once]
    if any(number is None for number in numbers):
        return once
    return [name for _, name in sorted(zip(numbers, once, strict=True), key=lambda pair: pair[0] or 0.0)]
