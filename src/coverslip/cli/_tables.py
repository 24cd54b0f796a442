"""Plain tables of numbers."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Table

from coverslip.evaluation import Metric

if TYPE_CHECKING:
    from coverslip.inference.latency import Latency, Timing


def table_of(first: str, *others: str) -> Table:
    """A plain table; numbers stand at the right."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column(first, overflow="fold")
    for other in others:
        table.add_column(other, justify="right", no_wrap=True)
    return table


def decimal(value: float | None) -> str:
    """A number with three digits, or a dash."""
    return "–" if value is None else f"{value:.3f}"


def interval(metric: Metric) -> str:
    """Return the ends of the interval; without one the counts of a proportion from few groups, or a dash."""
    if metric.low is not None and metric.high is not None:
        return f"{metric.low:.3f} to {metric.high:.3f}"
    return f"{metric.n_correct:,} of {metric.n_images:,}" if is_counted(metric) else "–"


def is_counted(metric: Metric) -> bool:
    """Return whether counts stand in place of an interval, since images are from too few groups."""
    return metric.value is not None and metric.low is None and metric.n_groups is not None


def distance_cells(mmd2: Metric, p: float, coral: Metric) -> tuple[str, str, str, str]:
    """MMD², its interval, p and CORAL of two datasets."""
    return f"{mmd2.value:.4f}", f"{mmd2.low:.4f} to {mmd2.high:.4f}", f"{p:.3f}", f"{coral.value:.3g}"


def latency_table(any_of_them: "Latency", rows: Iterable[tuple[str, "Latency"]]) -> Table:
    """Seconds for one image and for many, of several networks on one computer, named above it."""
    computer = f"{any_of_them.processor}, {any_of_them.n_threads} threads: seconds, median (shortest to longest)"
    n = f"{any_of_them.n_many}"
    table = table_of("", "px", "network, 1 image", f"network, {n}", "whole, 1 image", f"whole, {n}", f"{n} / 1")
    table.title, table.title_justify = computer, "left"
    for name, latency in rows:
        times = (latency.network_one, latency.network_many, latency.whole_one, latency.whole_many)
        table.add_row(name, str(latency.image_px), *map(_seconds, times), f"{latency.ratio:.1f}")
    return table


def _seconds(timing: "Timing") -> str:
    return f"{timing.median:.3g} ({timing.low:.2g} to {timing.high:.2g})"
