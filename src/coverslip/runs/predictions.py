"""`predictions.csv`: predictions as rows and as a table, the file they stream into, and reading it again."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, overload

import numpy as np

from coverslip.datasets import counted
from coverslip.errors import BadRun, CoverslipError
from coverslip.files import CsvWriter, atomic_write, check_replaceable, plain_cell, safe_cell, write_error
from coverslip.messages import ChooseOther, text
from coverslip.runs.documents import read_table
from coverslip.tables import data_frame, html_table

if TYPE_CHECKING:
    from pandas import DataFrame

_BETWEEN = "; "  # classes of a prediction set
_MOST_SHOWN = 10  # rows in a notebook


Cell = str | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a classifier says about one image."""

    image_id: str
    path: str  # absolute; in run folders below the root that their `environment.json` states, else absolute
    label: str | None  # where it is known
    predicted: str | None  # None: unreadable
    probability: float | None  # of the predicted class, 0-1
    decision: str  # the class, `uncertain`, `unfamiliar` or `unreadable`
    probabilities: tuple[float, ...]  # by class, NaN: not known to the network; empty: unreadable
    reason: str | None = None  # why it is unreadable, unfamiliar or uncertain
    warning: str | None = None  # how it differs from all training images
    ood_score: float | None = None  # 0 as training images usually are, above 1 unfamiliar; None: not known
    prediction_set: tuple[str, ...] | None = None  # classes that hold the true one as often as promised; None: unknown
    logits: tuple[float, ...] = ()  # by class, as the network gave them; empty where they are not known


_COLUMNS = (
    *("image_id", "path", "label", "predicted", "probability", "decision", "reason", "warning", "ood_score"),
    "prediction_set",
)
_FIRST_COLUMNS = ",".join(_COLUMNS).encode()


class Predictions:
    """A table with one row per image, in the order in which images were given.

    `table["decision"]` is a column, `table[0]` a row, `table[:5]` the first rows as such a table. `len(table)` is the
    number of images, and iterating gives rows.
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

    @overload
    def __getitem__(self, wanted: int) -> Prediction: ...
    @overload
    def __getitem__(self, wanted: slice) -> "Predictions": ...
    @overload
    def __getitem__(self, wanted: str) -> list[Cell]: ...

    def __getitem__(self, wanted: int | slice | str) -> "Prediction | Predictions | list[Cell]":
        if isinstance(wanted, str):
            return self._column(wanted)
        return Predictions(self.rows[wanted], self.classes) if isinstance(wanted, slice) else self.rows[wanted]

    def _column(self, column: str) -> list[Cell]:
        if column.startswith("p:") and column in self.columns:
            place = self.classes.index(column[2:])
            return [row.probabilities[place] if row.probabilities else None for row in self.rows]
        if column not in self.columns:
            raise KeyError(f"there is no column '{column}'; there are {', '.join(self.columns)}")
        return [getattr(row, column) for row in self.rows]

    @property
    def probabilities(self) -> np.ndarray:
        """(n, K) float64 probabilities of the rows, in the order of `classes`; NaN where an image could not be read."""
        return self._by_class([row.probabilities for row in self.rows])

    @property
    def logits(self) -> np.ndarray:
        """(n, K) float64 logits of the rows; NaN where an image could not be read."""
        return self._by_class([row.logits for row in self.rows])

    def _by_class(self, numbers: Sequence[tuple[float, ...]]) -> np.ndarray:
        nothing = (math.nan,) * len(self.classes)
        return np.array([row or nothing for row in numbers], dtype=np.float64).reshape(-1, len(self.classes))

    def to_pandas(self) -> "DataFrame":
        """The columns of `predictions.csv`, one for each class among them.

        Raises:
            CoverslipError: pandas is not installed.
        """
        return data_frame({name: self[name] for name in self.columns})

    def __repr__(self) -> str:
        """The number of images, and the first rows."""
        shown = [("image_id", "predicted", "probability", "decision")]
        for row in self.rows[:_MOST_SHOWN]:
            probability = "" if row.probability is None else f"{row.probability:.3f}"
            shown.append((row.image_id, row.predicted or "", probability, row.decision))
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = ("  ".join(map(str.ljust, cells, widths)).rstrip() for cells in shown)
        n_more = len(self) - len(shown) + 1
        title = f"Predictions of {counted(len(self), 'image')}"
        return "\n".join([title, *lines, *([f"and {n_more:,} more"] if n_more else [])])

    def _repr_html_(self) -> str:
        """The first rows, for notebooks."""
        title = f"Predictions of {counted(len(self), 'image')}"
        names = [name for name in self.columns if name not in ("image_id", "label")]
        rows = list(zip(*(self[:_MOST_SHOWN][name] for name in names), strict=True))
        n_more = len(self) - len(rows)
        return html_table(title, names, rows, f"and {n_more:,} more" if n_more else "")

    def measured(self) -> "MeasuredPredictions":
        """The rows of readable images whose label is one of the classes, as arrays."""
        number = {name: k for k, name in enumerate(self.classes)}
        rows = [
            row
            for row in self.rows
            if row.label in number and row.predicted in number and not math.isnan(row.probabilities[number[row.label]])
        ]
        probability = np.array([row.probabilities for row in rows], dtype=np.float64).reshape(-1, len(self.classes))
        return MeasuredPredictions(
            rows=tuple(rows),
            label=np.array([number[row.label or ""] for row in rows], dtype=np.int64),
            predicted=np.array([number[row.predicted or ""] for row in rows], dtype=np.int64),
            probability=np.nan_to_num(probability),
        )

    def write_csv(self, file: Path | str) -> None:
        """Write `predictions.csv`, whole or not at all."""
        with PredictionsFile(Path(file), self.classes) as opened:
            for row in self.rows:
                opened.write(row)


@dataclass(frozen=True, slots=True)
class MeasuredPredictions:
    """What was predicted of images whose label is known."""

    rows: tuple[Prediction, ...]
    label: np.ndarray  # (n,) int, number of the class
    predicted: np.ndarray  # (n,) int
    probability: np.ndarray  # (n, K) float; 0 for a class that was not known to the network

    @property
    def probability_of_predicted(self) -> np.ndarray:
        """(n,) float: how sure each prediction is; not always the highest, where classes have operating points."""
        sure: np.ndarray = self.probability[np.arange(len(self.predicted)), self.predicted]
        return sure


_OTHER_FORMATS = frozenset(
    {".xlsx", ".xls", ".ods", ".numbers", ".tsv", ".tab", ".json", ".parquet", ".feather", ".html"}
)


def check_predictions_file(file: Path) -> None:
    """Raises CoverslipError where a name promises another format, or is that of measured predictions of a run.

    These begin as a table of new predictions does, but the run's report and comparisons are made of them.
    """
    if file.exists() and (file.parent / "metrics.json").exists():
        raise CoverslipError("predictions-of-run", file=file, remedies=(ChooseOther("output"),))
    if file.suffix.lower() in _OTHER_FORMATS:
        raise CoverslipError(
            "unsupported-predictions-format",
            file=file,
            remedies=(ChooseOther("output"),),
            suffix=file.suffix,
            name=file.with_suffix(".csv").name,
        )


class PredictionsFile:
    """A CSV file that grows row by row under a temporary name and gets its own when it is complete."""

    def __init__(self, file: Path, classes: Sequence[str]) -> None:
        self._file, self._classes = file, classes
        self._whole = atomic_write(file)

    def __enter__(self) -> "PredictionsFile":
        """Raises CoverslipError where the file cannot be written, or what stands there is no table of predictions."""
        check_replaceable(self._file, _FIRST_COLUMNS)
        part = self._whole.__enter__()
        try:
            self._opened = part.open("w", newline="", encoding="utf-8")
            self._writer = CsvWriter(self._opened)
            self._writer.writerow([safe_cell(name) for name in columns_for(self._classes)])
        except OSError as error:
            raise write_error(self._file, error) from error
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
            raise write_error(self._file, error) from error


def read_predictions(file: Path) -> Predictions:
    """The rows of a table that `PredictionsFile` wrote; probabilities as it shows them.

    Raises:
        BadRun: it is missing or damaged.
    """
    try:
        rows = read_table(file)
        first = next(rows, None)
        if first is None:
            return Predictions([], _classes_in(file))
        classes = _classes_among(first)
        return Predictions([_row(cells, classes) for cells in chain([first], rows)], classes)
    except (KeyError, ValueError) as error:
        raise BadRun("damaged-predictions", file=file, reason=str(error)) from error


def _classes_in(file: Path) -> tuple[str, ...]:
    """Of a table without rows."""
    with file.open(newline="", encoding="utf-8") as opened:
        return _classes_among(plain_cell(cell) for cell in next(csv.reader(opened), []))


def _classes_among(columns: Iterable[str]) -> tuple[str, ...]:
    classes = tuple(name.removeprefix("p:") for name in columns if name.startswith("p:"))
    if not classes:
        raise ValueError(text("no-probability-column"))
    return classes


def _row(cells: dict[str, str], classes: Sequence[str]) -> Prediction:
    is_read = bool(cells["probability"])
    return Prediction(
        image_id=cells["image_id"],
        path=cells["path"],
        label=cells["label"] or None,
        predicted=cells["predicted"] or None,
        probability=float(cells["probability"]) if is_read else None,
        decision=cells["decision"],
        reason=cells["reason"] or None,
        warning=cells["warning"] or None,
        ood_score=float(cells["ood_score"]) if cells["ood_score"] else None,
        prediction_set=_set_of(cells["prediction_set"], classes),
        probabilities=tuple(float(cells[f"p:{name}"] or "nan") for name in classes) if is_read else (),
    )


def cells_of(row: Prediction, n_classes: int) -> list[str]:
    """The cells of a row in `predictions.csv`, safe for spreadsheets."""
    texts = [row.image_id, row.path, row.label or "", row.predicted or ""]
    numbers = [] if row.probability is None else ["" if math.isnan(p) else f"{p:.6f}" for p in row.probabilities]
    top = "" if row.probability is None else f"{row.probability:.6f}"
    words = [row.decision, row.reason or "", row.warning or ""]
    unlike = "" if row.ood_score is None else f"{row.ood_score:.6f}"
    words = [*map(safe_cell, words), unlike, _as_text(row.prediction_set)]
    return [*map(safe_cell, texts), top, *words, *(numbers or [""] * n_classes)]


def _as_text(classes: tuple[str, ...] | None) -> str:
    """In braces, since an empty set is not the same as none."""
    return "" if classes is None else f"{{{_BETWEEN.join(classes)}}}"


def _set_of(cell: str, classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return a prediction set from its cell, in the order of the classes."""
    if not cell:
        return None
    rest, members = f"{cell[1:-1]}{_BETWEEN}", []
    for name in classes:
        if rest.startswith(name + _BETWEEN):
            members.append(name)
            rest = rest[len(name + _BETWEEN) :]
    return tuple(members)


def columns_for(classes: Sequence[str]) -> tuple[str, ...]:
    """The columns of `predictions.csv`."""
    return (*_COLUMNS, *(f"p:{name}" for name in classes))
