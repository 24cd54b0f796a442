"""Wells of multi-well plates, and the quality of a screen from its control wells."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field

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
