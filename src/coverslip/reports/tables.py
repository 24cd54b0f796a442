"""Cells of tables with a value and its confidence interval, and why values are missing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coverslip.evaluation import Metric
from coverslip.messages import text
from coverslip.reports.content import Measured
from coverslip.reports.words import count, number, signed, spanned


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its confidence interval (CI), as one cell of a table."""

    value: str
    interval: str = ""
    counts: str = ""  # of a proportion without an interval
    reason: str = ""  # why there is no interval, or no value
    is_strong: bool = False
    number: float | None = None  # the value, not rounded
    low: float | None = None  # ends of the interval
    high: float | None = None
    n_correct: int | None = None  # of `n_images`, if it is a proportion of images
    n_images: int | None = None

    def __str__(self) -> str:
        return f"{self.value} ({self.below})" if self.below else self.value

    @property
    def below(self) -> str:
        """Text below the value: the interval or the counts."""
        return self.interval or self.counts


Cell = str | int | Estimate


def shown(cell: Cell) -> str:
    """Return a cell as text in one line."""
    return count(cell) if isinstance(cell, int) else str(cell)


def estimate(
    metric: Metric | Measured, *, is_signed: bool = False, is_strong: bool = False, digits: int | None = None
) -> Estimate:
    """Return the cell of a metric.

    Args:
        metric: a value with or without an interval; its `reason` explains a missing one.
        is_signed: whether it is a difference, whose sign is always shown.
        is_strong: whether the cell is emphasized.
        digits: after the decimal point; None: those that the width of the interval allows.
    """

    n_digits = metric.digits if digits is None else digits

    def rounded(value: float | None) -> str:
        return signed(value, n_digits) if is_signed else number(value, n_digits)

    value, low, high, n_correct, n_images = metric.value, metric.low, metric.high, metric.n_correct, metric.n_images
    interval = counts = ""
    if value is not None and low is not None and high is not None:
        interval = spanned(low, high, rounded)
    elif value is not None and n_correct is not None and n_images is not None:
        counts = text("report-counts", n_correct=n_correct, n_images=n_images)
    reason = "" if interval else str(metric.reason or "")
    return Estimate(rounded(value), interval, counts, reason, is_strong, value, low, high, n_correct, n_images)


def column_titles(*codes: str) -> tuple[str, ...]:
    """Return the titles of columns from the message catalogue."""
    return tuple(map(text, codes))


def below_values(rows: Iterable[Sequence[Cell]]) -> str:
    """Return a sentence that explains the text below the values of a table; empty if there is none."""
    cells = [cell for row in rows for cell in row if isinstance(cell, Estimate)]
    if any(cell.interval for cell in cells):
        return text("report-values-with-interval")
    return text("report-shares-with-count") if any(cell.counts for cell in cells) else ""


def reasons(rows: Iterable[Sequence[Cell]]) -> dict[str, str]:
    """Return a sentence per reason for a missing confidence interval or value."""
    cells = [cell for row in rows for cell in row if isinstance(cell, Estimate) and cell.reason]
    has_value = dict.fromkeys((cell.reason for cell in cells), True)
    for cell in cells:
        has_value[cell.reason] &= cell.value != number(None)
    return {reason: reason_words(reason, has_value=is_value_present) for reason, is_value_present in has_value.items()}


def reason_words(reason: str, *, has_value: bool = True) -> str:
    """Return why a value, or only its confidence interval, is missing as a sentence."""
    cleaned = reason.removesuffix(": no interval").replace(": ", "; ").rstrip(".")
    return text("report-missing-value", has_value=has_value, reason=cleaned)
