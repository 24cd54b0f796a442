"""The number of training images per class that a network needs to reach a target of the primary metric."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coverslip.evaluation import procedure_difference

Split = tuple[int, int | None]  # repeat and fold


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePoint:
    """The score of a variant at one number of training images per class."""

    n: int
    mean: float
    sd: float | None  # over splits


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCurve:
    """The learning curve of a variant, and the number of images that it needs."""

    dataset: str
    name: str
    points: tuple[SizePoint, ...]
    needed: int | None  # images per class; None: no target, or a split did not reach it
    low: int | None
    high: int | None
    n_reached: int  # splits that reached the target
    n_splits: int


def size_curve(
    dataset: str,
    name: str,
    values: Mapping[int, Mapping[Split, float]],
    *,
    target: float | None,
    sign: int,
    test_to_train: float,
    n_units: int | None,
) -> SizeCurve:
    """Return the learning curve, and the size that reaches the target, interpolated linearly in the logarithm of size.

    The interval is that of the corrected resampled t test on the logarithms of the splits.

    Args:
        dataset, name: of the dataset and the variant.
        values: of the metric, by images per class and split.
        target: of the metric.
        sign: 1 if higher is better, -1 if lower is better.
        test_to_train, n_units: see `procedure_difference`.
    """
    points = tuple(
        SizePoint(
            n=n,
            mean=float(np.mean([*by_split.values()])),
            sd=float(np.std([*by_split.values()], ddof=1)) if len(by_split) > 1 else None,
        )
        for n, by_split in sorted(values.items())
        if by_split
    )
    splits = sorted(set.intersection(*map(set, values.values())), key=lambda split: (split[0], split[1] or 0))
    reached = [] if target is None else [_reached({n: values[n][s] for n in values}, target, sign) for s in splits]
    logs = [math.log(n) for n in reached if n is not None]
    mean_log = procedure_difference(logs, test_to_train=test_to_train, n_units=n_units) if logs else None
    is_complete = mean_log is not None and len(logs) == len(splits)
    return SizeCurve(
        dataset=dataset,
        name=name,
        points=points,
        needed=_images(mean_log.mean) if mean_log is not None and is_complete else None,
        low=_images(mean_log.low) if mean_log is not None and is_complete else None,
        high=_images(mean_log.high) if mean_log is not None and is_complete else None,
        n_reached=len(logs),
        n_splits=len(splits),
    )


def _reached(values: Mapping[int, float], target: float, sign: int) -> float | None:
    """Return the interpolated size at which the target is first reached."""
    sizes = sorted(values)
    if sign * values[sizes[0]] >= sign * target:
        return float(sizes[0])
    for before, after in itertools.pairwise(sizes):
        low, high = values[before], values[after]
        if sign * high >= sign * target:
            share = (target - low) / (high - low)
            return math.exp(math.log(before) + share * math.log(after / before))
    return None


def _images(log: float | None) -> int | None:
    return None if log is None else math.ceil(math.exp(log) - 1e-9)
