"""Predictions, and their table: `predictions.csv` of a run and its columns."""

import errno
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np

from coverslip.datasets.columns import plain_name, unique_columns
from coverslip.datasets.names import counted
from coverslip.errors import BadRun, CoverslipError
from coverslip.files import ReadyCell, check_replaceable, write_csv
from coverslip.messages import Message, message_of, text
from coverslip.notebooks import data_frame, html_table
from coverslip.runs.documents import columns_of_table, rows_of_table

if TYPE_CHECKING:
    from pandas import DataFrame

_SEPARATOR = "; "  # between classes of a prediction set
_MOST_SHOWN = 10  # rows in a notebook


CellValue = str | float | tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The prediction of one image."""

    image_id: str
    path: str  # absolute; in run folders, relative to the root of its domain in `environment.json`
    label: str | None  # None if unknown
    predicted: str | None  # None: unreadable
    probability: float | None  # of the predicted class, 0-1
    decision: str  # the class, `uncertain`, `unfamiliar` or `unreadable`
    probabilities: tuple[float, ...]  # by class; NaN: not a class of the network; empty: unreadable
    reason: Message | None = None  # why it is unreadable, unfamiliar or uncertain
    warning: Message | None = None  # how it differs from all training images, or how it was rescaled
    ood_score: float | None = None  # 0 is typical, above 1 unfamiliar; None: unknown
    prediction_set: tuple[str, ...] | None = None  # contains the true class with the nominal probability; None: unknown
    logits: tuple[float, ...] = ()  # by class, before calibration; empty if unknown
    field: str = ""  # the field of view of an object; empty: not an object, or unknown; so are the next two
    object_id: str = ""  # within its field of view
    sample: str = ""  # such as a well, an animal or a patient
    repeats: str = ""  # image_id of the first row of the same image; empty: this is the first one
    about: tuple[tuple[str, str], ...] = ()  # columns of its input table, by their names there

    @property
    def reason_code(self) -> str | None:
        """The reason as data."""
        return None if self.reason is None else self.reason.as_json()

    @property
    def warning_code(self) -> str | None:
        """The warning as data."""
        return None if self.warning is None else self.warning.as_json()

    def value(self, column: str) -> CellValue:
        """Return the value of a column of tables."""
        value = getattr(self, column)
        return value.english if isinstance(value, Message) else value


FIRST_COLUMNS = (
    *("image_id", "path", "label", "predicted", "probability", "decision", "reason", "warning", "ood_score"),
    "prediction_set",
)
LAST_COLUMNS = ("reason_code", "warning_code")  # after those of classes
CLASSIFIER_COLUMN = "classifier"  # the code of the classifier and its settings, as `identity_of`
EXCLUDED_COLUMN = "excluded"
ANSWER_COLUMNS = ("corrected", EXCLUDED_COLUMN, "corrected_by", "final_decision")  # of downloads from the app
REPEATS_COLUMN = "repeats"  # the image_id of the first row of an image that is listed again; else empty
FILE_COLUMN = "file_sha256"  # the hash of the files of the image
STATE_COLUMN = "coverslip_state"  # of the app: the state of the files before they were read, as `state_text`
PIXELS_COLUMN = "pixels_read"  # as `ReadPlan` states them; files without the column: the first plane
PLAN_COLUMN, FIRST_COLUMN = "coverslip_plan", "coverslip_first"  # of the app: pixels, first row of a listed image
_RESERVED = {*FIRST_COLUMNS, *LAST_COLUMNS, *ANSWER_COLUMNS, CLASSIFIER_COLUMN, REPEATS_COLUMN, FILE_COLUMN}
_RESERVED |= {PIXELS_COLUMN, PLAN_COLUMN, FIRST_COLUMN, STATE_COLUMN}
_OF_CLASS = re.compile(r"p:.*|top_\d+(_probability)?", re.DOTALL)
_NUMBERS = ("probability", "ood_score")
_BEGINS_WITH = ",".join(FIRST_COLUMNS).encode()


@lru_cache(maxsize=4_096)  # called for each cell of a table
def is_reserved(name: str) -> bool:
    """Return whether tables of predictions can have a column of this name with a meaning of its own."""
    return plain_name(name) in _RESERVED or _OF_CLASS.fullmatch(plain_name(name)) is not None


def output_columns(columns: Iterable[tuple[str, ...]]) -> dict[str, str]:
    """Return the columns of a table of predictions for those of its input tables, by their names there.

    Names with a meaning in tables of predictions are written with `input:` before them: `input:predicted`.

    Args:
        columns: of each image.
    """
    names = list(dict.fromkeys(chain.from_iterable(dict.fromkeys(columns))))
    return dict(zip(names, unique_columns(names, is_reserved), strict=True))


class Predictions:
    """A table with one row per image, in input order.

    `table["decision"]` is a column, `table[0]` a row, and `table[:5]` a table of the first rows. `len(table)` is the
    number of images. Iteration yields rows.

    Args:
        rows: the predictions.
        classes: of the classifier.
        classifier: its code and settings, as `identity_of`; empty: unknown.
    """

    def __init__(self, rows: Iterable[Prediction], classes: Sequence[str], classifier: str = "") -> None:
        self.rows, self.classes, self.classifier = tuple(rows), tuple(classes), classifier

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of `predictions.csv`, and of those of the input tables."""
        return (*self._written_columns, *self._input_columns)

    @property
    def _written_columns(self) -> tuple[str, ...]:
        return (*columns_for(self.classes), *([CLASSIFIER_COLUMN] if self.classifier else ()))

    @cached_property
    def _input_columns(self) -> dict[str, str]:
        """The names of columns in the input tables, by their names here."""
        columns = output_columns(tuple(name for name, _ in row.about) for row in self.rows)
        return {output: name for name, output in columns.items()}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self.rows)

    @overload
    def __getitem__(self, key: int) -> Prediction: ...
    @overload
    def __getitem__(self, key: slice) -> "Predictions": ...
    @overload
    def __getitem__(self, key: str) -> list[CellValue]: ...

    def __getitem__(self, key: int | slice | str) -> "Prediction | Predictions | list[CellValue]":
        if isinstance(key, str):
            return self._column(key)
        if isinstance(key, slice):
            return Predictions(self.rows[key], self.classes, self.classifier)
        return self.rows[key]

    def _column(self, column: str) -> list[CellValue]:
        if column.startswith("p:") and column in self.columns:
            k = self.classes.index(column[2:])
            return [row.probabilities[k] if row.probabilities else None for row in self.rows]
        if column not in self.columns:
            raise KeyError(f"there is no column '{column}'; there are {', '.join(self.columns)}")
        if column == CLASSIFIER_COLUMN:
            return [self.classifier for _ in self.rows]
        if column in self._input_columns:
            name = self._input_columns[column]
            return [next((cell for each, cell in row.about if each == name), "") for row in self.rows]
        return [row.value(column) for row in self.rows]

    @property
    def probabilities(self) -> np.ndarray:
        """(n, K) float64 probabilities of the rows, in the order of `classes`; NaN for an unreadable image."""
        return self._by_class([row.probabilities for row in self.rows])

    @property
    def logits(self) -> np.ndarray:
        """(n, K) float64 logits of the rows; NaN for an unreadable image."""
        return self._by_class([row.logits for row in self.rows])

    def _by_class(self, numbers: Sequence[tuple[float, ...]]) -> np.ndarray:
        missing = (math.nan,) * len(self.classes)
        return np.array([row or missing for row in numbers], dtype=np.float64).reshape(-1, len(self.classes))

    def to_pandas(self) -> "DataFrame":
        """Return a data frame with the columns of `predictions.csv`, including one per class.

        Raises:
            CoverslipError: pandas is not installed.
        """
        return data_frame({name: self[name] for name in self.columns})

    def __repr__(self) -> str:
        """Return the number of images, and the first rows."""
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
        """Return the first rows, for notebooks."""
        title = f"Predictions of {counted(len(self), 'image')}"
        names = [name for name in self.columns if name not in ("image_id", "label")]
        rows = list(zip(*(self[:_MOST_SHOWN][name] for name in names), strict=True))
        n_more = len(self) - len(rows)
        return html_table(title, names, rows, f"and {n_more:,} more" if n_more else "")

    def measured(self) -> "MeasuredPredictions":
        """Return the rows of readable images whose label is one of the classes, as arrays."""
        number = {name: k for k, name in enumerate(self.classes)}
        place = [
            k
            for k, row in enumerate(self.rows)
            if row.label in number and row.predicted in number and not math.isnan(row.probabilities[number[row.label]])
        ]
        rows = [self.rows[k] for k in place]
        probability = np.array([row.probabilities for row in rows], dtype=np.float64).reshape(-1, len(self.classes))
        return MeasuredPredictions(
            rows=tuple(rows),
            place=np.array(place, dtype=np.int64),
            label=np.array([number[row.label or ""] for row in rows], dtype=np.int64),
            predicted=np.array([number[row.predicted or ""] for row in rows], dtype=np.int64),
            probability=np.nan_to_num(probability),
        )

    def write_csv(self, file: Path | str) -> None:
        """Write `predictions.csv`, completely or not at all.

        Raises:
            CoverslipError: it cannot be written, or exists and is not a table of predictions.
        """
        check_replaceable(Path(file), _BEGINS_WITH)
        identity = [self.classifier] if self.classifier else []
        rows = (map(csv_cell, [*values_of(row, len(self.classes)), *identity]) for row in self.rows)
        write_csv(Path(file), self._written_columns, rows)


@dataclass(frozen=True, slots=True)
class MeasuredPredictions:
    """Predictions of images whose label is one of the classes."""

    rows: tuple[Prediction, ...]
    place: np.ndarray  # (n,) int, of the rows among all predictions
    label: np.ndarray  # (n,) int, class numbers
    predicted: np.ndarray  # (n,) int
    probability: np.ndarray  # (n, K) float; 0 for a class that the network does not have

    @property
    def probability_of_predicted(self) -> np.ndarray:
        """(n,) float probabilities of the predicted classes. With operating points, these need not be the highest."""
        probability: np.ndarray = self.probability[np.arange(len(self.predicted)), self.predicted]
        return probability


def read_predictions(file: Path) -> Predictions:
    """Read a CSV table of predictions with the probability of each class, rounded.

    Raises:
        BadRun: the table is missing or damaged.
    """
    try:
        classes = classes_in(file)
    except ValueError as error:
        raise BadRun("damaged-predictions", file=file, reason=str(error)) from error
    return Predictions((row for row, _ in predictions_with_cells(file, classes)), classes)


def predictions_with_cells(
    file: Path, classes: Sequence[str], is_number: Callable[[str], bool] = lambda _: False
) -> Iterator[tuple[Prediction, dict[str, str]]]:
    """Yield each row of a CSV table of predictions, and its cells by column.

    Args:
        file: the table.
        classes: in the order of the probabilities of a row.
        is_number: returns whether a further column contains numbers, in which `1,5` becomes `1.5`.

    Raises:
        BadRun: the table is missing or damaged.
    """

    def has_numbers(name: str) -> bool:
        return name in _NUMBERS or name.startswith("p:") or is_number(name)

    try:
        for cells in rows_of_table(file, has_numbers):
            yield prediction_of(cells, classes), cells
    except (KeyError, ValueError) as error:
        raise BadRun("damaged-predictions", file=file, reason=str(error)) from error


def check_predictions_table(file: Path) -> None:
    """Check that a file is a CSV table of predictions with the probability of each class.

    Raises:
        CoverslipError: it does not exist or is another file, or has the most probable classes only.
    """
    if not file.exists():
        raise CoverslipError("table-not-read", file=file, reason=os.strerror(errno.ENOENT))
    columns: tuple[str, ...] = ()
    try:
        columns = columns_of_table(file)
    except BadRun as error:
        if error.code not in ("not-a-text-table", "invalid-table-line"):
            raise
    if not {*FIRST_COLUMNS} <= {*columns}:
        raise CoverslipError("not-predictions", file=file)
    if "top_1" in columns and not any(name.startswith("p:") for name in columns):
        raise CoverslipError("predictions-of-top-classes", file=file)


def classes_in(file: Path) -> tuple[str, ...]:
    """Return the classes of a table of predictions.

    Raises:
        BadRun: the table is missing or damaged.
        ValueError: it has no column of probabilities.
    """
    return _classes_among(columns_of_table(file))


def _classes_among(columns: Iterable[str]) -> tuple[str, ...]:
    classes = tuple(name.removeprefix("p:") for name in columns if name.startswith("p:"))
    if not classes:
        raise ValueError(text("no-probability-column"))
    return classes


def prediction_of(cells: Mapping[str, str], classes: Sequence[str]) -> Prediction:
    """Return a row from its cells by column.

    Raises:
        KeyError, ValueError: a cell is missing or is not a number.
    """
    is_read = bool(cells["probability"])
    probabilities = tuple(float(cells[f"p:{name}"] or "nan") for name in classes) if is_read else ()
    if is_read and cells["predicted"] not in classes:
        raise ValueError(text("predicted-unknown-class", image=cells["path"], name=cells["predicted"]))
    return Prediction(
        image_id=cells["image_id"],
        path=cells["path"],
        label=cells["label"] or None,
        predicted=cells["predicted"] or None,
        probability=float(cells["probability"]) if is_read else None,
        decision=cells["decision"],
        reason=_message(cells.get("reason_code", "")),
        warning=_message(cells.get("warning_code", "")),
        ood_score=float(cells["ood_score"]) if cells["ood_score"] else None,
        prediction_set=_set_of(cells["prediction_set"], classes),
        probabilities=probabilities,
        repeats=cells.get(REPEATS_COLUMN, ""),
        about=tuple((name, cell) for name, cell in cells.items() if not is_reserved(name)),
    )


@lru_cache(maxsize=1_024)  # most rows have one of few messages
def _message(cell: str) -> Message | None:
    return message_of(cell) if cell else None


def values_of(row: Prediction, n_classes: int) -> list[CellValue]:
    """Return the values of a row in the order of `columns_for`."""
    numbers = row.probabilities or (None,) * n_classes
    return [*map(row.value, FIRST_COLUMNS), *numbers, *map(row.value, LAST_COLUMNS)]


def csv_cell(value: CellValue) -> str:
    """Return a value as the cell of a CSV table."""
    if isinstance(value, float):
        return "" if math.isnan(value) else ReadyCell(f"{value:.6f}")
    return _as_text(value) if isinstance(value, tuple) else value or ""


def _as_text(classes: tuple[str, ...]) -> str:
    """Return a prediction set in braces, which distinguish an empty set from an unknown one."""
    return f"{{{_SEPARATOR.join(classes)}}}"


def _set_of(cell: str, classes: Sequence[str]) -> tuple[str, ...] | None:
    """Return a prediction set from its cell, in the order of the classes."""
    if not cell:
        return None
    rest, members = f"{cell[1:-1]}{_SEPARATOR}", []
    for name in classes:
        if rest.startswith(name + _SEPARATOR):
            members.append(name)
            rest = rest[len(name + _SEPARATOR) :]
    return tuple(members)


def columns_for(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of `predictions.csv`."""
    return (*FIRST_COLUMNS, *(f"p:{name}" for name in classes), *LAST_COLUMNS)
