"""Tables for other programs and for people's notebooks: pandas, where it is installed, and HTML."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

from coverslip.errors import require_extra

if TYPE_CHECKING:
    from pandas import DataFrame


def data_frame(columns: Mapping[str, Sequence[object]], index: Sequence[object] | None = None) -> "DataFrame":
    """A pandas table of these columns, with numbered rows if no index is given.

    Raises:
        ExtraNotInstalled: pandas is not installed; nothing else needs it.
    """
    require_extra("pandas", "A data frame")
    from pandas import DataFrame

    return DataFrame(dict(columns), index=index)


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], below: str = "") -> str:
    """What a notebook shows: a line, a table, and perhaps a line below; names of the user's are no HTML."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    end = f"<p>{escape(below)}</p>" if below else ""
    return f"<p>{escape(title)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{end}"


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))
