"""Published figures beside one's own: of other images, so that no test can tell them apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.evaluation import METRICS
from coverslip.runs.documents import read_table
from coverslip.tables import no_such

_WORDS = ("name", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Figures that somebody else published."""

    name: str
    metrics: Mapping[str, float]  # by the names of the table of metrics
    source: str = ""  # a reference


def read_published(file: Path) -> list[Published]:
    """The rows of a table (CSV) with the column `name`, one for each metric (`accuracy`, `macro_f1`), and `source`.

    Raises:
        CoverslipError: it cannot be read, or a column or number cannot be understood.
    """
    try:
        rows = list(read_table(file))
    except CoverslipError as error:
        raise CoverslipError(f"The published figures could not be read: {error.what}", file=file, do=_DO) from error
    if not rows:
        raise CoverslipError("The table of published figures has no rows", file=file, do=_DO)
    return [_row(cells, file) for cells in rows]


_DO = "Make it a CSV file with the columns name and, for example, accuracy and macro_f1; shares as 0.95."


def _row(cells: Mapping[str, str], file: Path) -> Published:
    if not cells.get("name", "").strip():
        raise CoverslipError("A row of the published figures has no name", file=file, do=_DO)
    metrics = {}
    for column, text in cells.items():
        if column in _WORDS or not text.strip():
            continue
        if column not in METRICS:
            raise CoverslipError(f"Published figures: {no_such('metric', column, METRICS)}", file=file, do=_DO)
        metrics[column] = _number(text, column, file)
    return Published(name=cells["name"].strip(), metrics=metrics, source=cells.get("source", "").strip())


def _number(text: str, metric: str, file: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not (value >= -1 and (METRICS[metric].scale not in ("share", "correlation") or value <= 1)):
        raise CoverslipError(f"Published figures: '{text[:40]}' is no {METRICS[metric].title}", file=file, do=_DO)
    return value
