"""Comparison of runs: their differences in settings and data, and in metrics on the same images."""

from coverslip.reports.comparing.comparison import (
    MOST_RUNS,
    ComparedRun,
    Comparison,
    Difference,
    Labels,
    NumbersByLabels,
    Pair,
    compare,
)
from coverslip.reports.comparing.differences import ChangedImage, ChangedImages, Differing, Published, read_published

__all__ = [
    "MOST_RUNS",
    "ChangedImage",
    "ChangedImages",
    "ComparedRun",
    "Comparison",
    "Difference",
    "Differing",
    "Labels",
    "NumbersByLabels",
    "Pair",
    "Published",
    "compare",
    "read_published",
]
