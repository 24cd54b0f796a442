"""How many training images of each class a network needs for a target value of the primary metric."""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from coverslip.evaluation import procedure_difference

Split = tuple[int, int | None]  # repeat and fold


@dataclass(frozen=True, slots=True, kw_only=True)
class SizePoint:
    """A way of training with so many training images of each class."""

    n: int
    mean: float
    sd: float | None  # over splits


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeCurve:
    """A way of training by how many images it has, and how many it needs."""

    dataset: str
    name: str
    points: tuple[SizePoint, ...]
    needed: int | None  # images of each class; None: no target, or not every split reached it
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
    """The curve, and the size that reaches the target: between two sizes along a straight line over the logarithm.

    The interval is the corrected resampled t's of the splits' logarithms.

    Args:
        dataset, name: what it is of.
        values: by images of each class and split.
        target: of the metric.
        sign: 1 where more is better, -1 where less is.
        test_to_train, n_units: see `procedure_difference`.
    """
    points = tuple(
        SizePoint(
            n=n,
            mean=float(np.mean([*own.values()])),
            sd=float(np.std([*own.values()], ddof=1)) if len(own) > 1 else None,
        )
        for n, own in sorted(values.items())
        if own
    )
    splits = sorted(set.intersection(*map(set, values.values())), key=lambda split: (split[0], split[1] or 0))
    reached = [] if target is None else [_reached({n: values[n][s] for n in values}, target, sign) for s in splits]
    logs = [math.log(n) for n in reached if n is not None]
    known = procedure_difference(logs, test_to_train=test_to_train, n_units=n_units) if logs else None
    is_whole = known is not None and len(logs) == len(splits)
    return SizeCurve(
        dataset=dataset,
        name=name,
        points=points,
        needed=_images(known.mean) if known is not None and is_whole else None,
        low=_images(known.low) if known is not None and is_whole else None,
        high=_images(known.high) if known is not None and is_whole else None,
        n_reached=len(logs),
        n_splits=len(splits),
    )


def _reached(values: Mapping[int, float], target: float, sign: int) -> float | None:
    """The size, not whole, at which the target is first met."""
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
