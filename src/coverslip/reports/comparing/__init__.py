"""Comparison of runs: their differences in settings and data, and in metrics on the same images."""

from coverslip.reports.comparing.comparison import MOST_RUNS, Comparison, compare
from coverslip.reports.comparing.differences import ChangedImage, ChangedImages, Differing, Published, read_published
from coverslip.reports.comparing.records import ComparedRun, Difference, Labels, NumbersByLabels, Pair

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
