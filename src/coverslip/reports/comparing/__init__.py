"""Runs side by side: what differed between them, and by how much their numbers differ on the same images."""

from coverslip.reports.comparing.comparison import (
    MOST_RUNS,
    ComparedRun,
    Comparison,
    Difference,
    Labels,
    NumbersByLabels,
    Pair,
    compare,
    interval,
)
from coverslip.reports.comparing.differing import Differing
from coverslip.reports.comparing.published import Published, read_published

__all__ = [
    "MOST_RUNS",
    "ComparedRun",
    "Comparison",
    "Difference",
    "Differing",
    "Labels",
    "NumbersByLabels",
    "Pair",
    "Published",
    "compare",
    "interval",
    "read_published",
]
