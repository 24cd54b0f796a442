"""An item of a reporting guideline, and how a run answers it."""

from collections.abc import Callable
from dataclasses import dataclass

from coverslip.reports.reported import ReportedRun

NOT_KNOWN = "not known"


def not_known(run: ReportedRun) -> str:
    """What no file of the run tells: its user must."""
    return NOT_KNOWN


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to report."""

    number: str  # in the guideline; empty where it has none
    subject: str  # in our words
    answer: Callable[[ReportedRun], str] = not_known
