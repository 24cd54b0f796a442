"""Results as pandas data frames, and as HTML tables in notebooks."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from coverslip.errors import require_extra

if TYPE_CHECKING:
    from pandas import DataFrame


def data_frame(columns: Mapping[str, Sequence[object]], index: Sequence[object] | None = None) -> "DataFrame":
    """Return a pandas data frame of these columns; without an index, rows are numbered.

    Raises:
        ExtraNotInstalled: pandas is not installed; only data frames need it.
    """
    require_extra("pandas")
    from pandas import DataFrame

    return DataFrame(dict(columns), index=index)


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], below: str = "") -> str:
    """Return an HTML table for notebooks with a title and an optional line below; texts are escaped."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    end = f"<p>{escape(below)}</p>" if below else ""
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{end}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))
