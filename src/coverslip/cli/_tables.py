"""Plain tables of numbers."""

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from coverslip.inference.latency import Latency, Timing
    from coverslip.reports.tables import Cell


def table_of(first: str, *titles: str, text_columns: Collection[str] = ()) -> Table:
    """Return a plain table with right-aligned numbers. In a table that is too wide, the widest cells are wrapped."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 3, 0, 0))
    table.add_column(first, overflow="fold")
    for title in titles:
        is_text = title in text_columns
        table.add_column(title, justify="left" if is_text else "right", overflow="fold")
    return table


def filled_table(
    columns: Sequence[str], rows: "Iterable[Sequence[Cell]]", *, text_columns: Collection[str] = ()
) -> Table:
    """Return a table of a report, with confidence intervals after their values."""
    table = table_of(*columns, text_columns=text_columns)
    for row in rows:
        table.add_row(*map(str, row))
    return table


def latency_table(name: str, latency: "Latency") -> Table:
    """Return a table of the seconds that a network needs for one image and for many."""
    n = f"{latency.n_many:,} images"
    table = table_of(
        "network", "image size", "network, 1 image", f"network, {n}", "total, 1 image", f"total, {n}", f"{n} / 1 image"
    )
    table.title = f"{latency.processor}, {latency.n_threads} threads: seconds, median (shortest–longest)"
    table.title_justify = "left"
    times = (latency.network_one, latency.network_many, latency.whole_one, latency.whole_many)
    table.add_row(name, f"{latency.image_px} px", *map(_seconds, times), f"{latency.ratio:.1f}")
    return table


def _seconds(timing: "Timing") -> str:
    return f"{timing.median:.3g} ({timing.low:.2g}–{timing.high:.2g})"
