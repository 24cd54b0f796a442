"""Plain tables of numbers."""

from rich.table import Table

from coverslip.evaluation import Metric


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
    """The ends of its interval, or a dash."""
    return "–" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"
