"""Predictions as rows and as a table, and the CSV file they stream into."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from coverslip.errors import CoverslipError
from coverslip.files import cannot_write, safe_cell, written_whole


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a classifier says about one image."""

    image_id: str
    path: str
    label: str | None  # where it is known
    predicted: str | None  # None: unreadable
    probability: float | None  # of the predicted class, 0-1
    decision: str  # the class, `uncertain`, `unfamiliar` or `unreadable`
    probabilities: tuple[float, ...]  # by class, NaN: not known to the network; empty: unreadable
    reason: str | None = None  # why it is unreadable


_COLUMNS = ("image_id", "path", "label", "predicted", "probability", "decision")
_FIRST_COLUMNS = ",".join(_COLUMNS).encode()


class Predictions:
    """A table with one row per image, in the order in which images were given.

    `table["decision"]` is a column, `len(table)` the number of images, iterating gives rows.
    """

    def __init__(self, rows: Iterable[Prediction], classes: Sequence[str]) -> None:
        self.rows, self.classes = tuple(rows), tuple(classes)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, those of `predictions.csv`."""
        return columns_for(self.classes)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.rows)

    def __getitem__(self, column: str) -> list[str | float | None]:
        if column.startswith("p:"):
            place = self.classes.index(column[2:])
            return [row.probabilities[place] if row.probabilities else None for row in self.rows]
        if column not in self.columns:
            raise KeyError(f"there is no column '{column}'; there are {', '.join(self.columns)}")
        return [getattr(row, column) for row in self.rows]

    def write_csv(self, file: Path | str) -> None:
        """Write `predictions.csv`, whole or not at all."""
        with PredictionsFile(Path(file), self.classes) as opened:
            for row in self.rows:
                opened.write(row)


class PredictionsFile:
    """A CSV file that grows row by row under a temporary name and gets its own when it is complete."""

    def __init__(self, file: Path, classes: Sequence[str]) -> None:
        self._file, self._classes = file, classes
        self._whole = written_whole(file)

    def __enter__(self) -> "PredictionsFile":
        """Raises CoverslipError where the file cannot be written, or what stands there is no table of predictions."""
        _refuse_to_replace_others(self._file)
        part = self._whole.__enter__()
        try:
            self._opened = part.open("w", newline="", encoding="utf-8")
            self._writer = csv.writer(self._opened, lineterminator="\n")
            self._writer.writerow([safe_cell(name) for name in columns_for(self._classes)])
        except OSError as error:
            raise cannot_write(self._file, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._opened.close()
        except OSError as closing:  # the disk is full: what was buffered has no place
            kind, error, trace = type(closing), closing, closing.__traceback__
        self._whole.__exit__(kind, error, trace)

    def write(self, row: Prediction) -> None:
        """Add one row."""
        cells = cells_of(row, len(self._classes))
        try:
            self._writer.writerow(cells)
        except OSError as error:
            raise cannot_write(self._file, error) from error


def cells_of(row: Prediction, n_classes: int) -> list[str]:
    """The cells of a row in `predictions.csv`, safe for spreadsheets."""
    texts = [row.image_id, row.path, row.label or "", row.predicted or ""]
    numbers = [] if row.probability is None else ["" if math.isnan(p) else f"{p:.6f}" for p in row.probabilities]
    top = "" if row.probability is None else f"{row.probability:.6f}"
    return [*map(safe_cell, texts), top, safe_cell(row.decision), *(numbers or [""] * n_classes)]


def _refuse_to_replace_others(file: Path) -> None:
    """A slip of the hand in `--out` must not cost anybody their images or their own table."""
    if file.is_dir():
        raise CoverslipError("This is a folder, not a file", file=file, do="Name the table to write in it.")
    try:
        if not file.exists():
            return
        if file.is_file():
            with file.open("rb") as opened:
                start = opened.read(len(_FIRST_COLUMNS))
            if start in (b"", _FIRST_COLUMNS):
                return
    except OSError as error:
        raise cannot_write(file, error) from error
    raise CoverslipError(
        "There is another file of that name, which coverslip did not write",
        file=file,
        do="Choose another name, or move that file away.",
    )


def columns_for(classes: Sequence[str]) -> tuple[str, ...]:
    """The columns of `predictions.csv`."""
    return (*_COLUMNS, *(f"p:{name}" for name in classes))
