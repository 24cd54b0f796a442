"""Tables of predictions of new images as CSV, JSON Lines or Parquet, written row by row.

Rows are collected in the folder `NAME.unfinished` beside the table, which contains the rows and `settings.json`. The
table appears when it is complete. If the process ends earlier, the folder stays, and a later process can resume after
the last complete row.
"""

import codecs
import csv
import json
import math
import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from typing import IO, Any, Literal, get_args

from coverslip.cache.file_hashes import FileHashes, state_text
from coverslip.datasets.content_hashes import ContentHashes, SharedReads, hash_files
from coverslip.datasets.index.records import ImageRecord, first_positions
from coverslip.errors import CoverslipError, require_extra
from coverslip.files import atomic_write, check_replaceable, csv_text, plain_cell, write_error, write_json
from coverslip.messages import ChooseOther
from coverslip.runs.folder import Run
from coverslip.runs.predictions import FIRST_COLUMNS, LAST_COLUMNS, CellValue, Prediction, csv_cell, values_of
from coverslip.runs.status import work_lock

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

_OTHER_SUFFIXES = frozenset({".xlsx", ".xls", ".ods", ".numbers", ".tsv", ".tab", ".json", ".feather", ".html"})
_DIGITS = 6
_SECONDS_BETWEEN_WRITES = 1.0
_ROWS_PER_GROUP = 10_000


@dataclass(frozen=True)
class PredictionColumns:
    """The columns of a table of predictions."""

    classes: tuple[str, ...]
    top_k: int | None = None  # number of most probable classes in place of the probability of each class
    more: tuple[str, ...] = ()  # further columns: of the input tables, and of the program that writes the table

    def __post_init__(self) -> None:
        """Raise CoverslipError if there are fewer classes than `top_k`."""
        if self.top_k is not None and not 1 <= self.top_k <= len(self.classes):
            raise CoverslipError("top-k-out-of-range", top_k=self.top_k, n_classes=len(self.classes))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of all columns."""
        return (*FIRST_COLUMNS, *self._of_classes, *LAST_COLUMNS, *self.more)

    @property
    def numbers(self) -> tuple[str, ...]:
        """The names of the columns that contain numbers."""
        shares = self._of_classes if self.top_k is None else self._of_classes[1::2]
        return ("probability", "ood_score", *shares)

    @cached_property
    def _of_classes(self) -> tuple[str, ...]:
        if self.top_k is None:
            return tuple(f"p:{name}" for name in self.classes)
        ranks = (f"top_{rank}" for rank in range(1, self.top_k + 1))
        return tuple(name for rank in ranks for name in (rank, f"{rank}_probability"))

    def values(self, row: Prediction, about: Mapping[str, str]) -> list[CellValue]:
        """Return the values of all columns; `about` has the cells of the further ones."""
        values = values_of(row, len(self.classes))
        if self.top_k is not None:
            pairs: list[tuple[CellValue, CellValue]] = [(None, None)] * self.top_k
            if row.probabilities:
                by_rank = sorted(zip(self.classes, row.probabilities, strict=True), key=lambda pair: -pair[1])
                pairs = [*by_rank[: self.top_k]]
            values[len(FIRST_COLUMNS) : -len(LAST_COLUMNS)] = [value for pair in pairs for value in pair]
        return [*values, *(about.get(name, "") for name in self.more)]


def check_output(file: Path, format_: Format) -> None:
    """Check that predictions in this format can have this file name.

    Raises:
        CoverslipError: the suffix is that of another format, or the file holds the test predictions of a run, which
            reports and comparisons need.
        ExtraNotInstalled: the format needs an extra.
    """
    if file.exists() and Run(file.parent).metrics_file.exists():
        raise CoverslipError("predictions-of-run", file=file, remedies=(ChooseOther("output"),))
    if file.suffix.lower() in _OTHER_SUFFIXES | {f".{other}" for other in FORMATS if other != format_}:
        raise CoverslipError(
            "unsupported-predictions-format",
            file=file,
            remedies=(ChooseOther("output"),),
            format=format_,
            suffix=file.suffix,
            name=file.with_suffix(f".{format_}").name,
        )
    if format_ == "parquet":
        require_extra("parquet")


class PredictionTable(ABC):
    """A table that is being written."""

    @abstractmethod
    def saved_rows(self, records: Sequence[ImageRecord]) -> Iterator[Prediction]:
        """Yield the rows of an interrupted process, which stay. Must be exhausted before the first `write`.

        Args:
            records: all images, in order. Rows from the first one of another image, or of other bytes, on are
                discarded.
        """

    @abstractmethod
    def write(self, row: Prediction, about: Mapping[str, str], content_hash: str = "") -> None:
        """Write one row, with its cells of further columns, and the SHA-256 of the files of its image."""

    @abstractmethod
    def save(self) -> int:
        """Return the number of rows that will stay if the table is not completed, after saving them."""


def prediction_table(
    file: Path, layout: PredictionColumns, format_: Format, settings: Mapping[str, object], *, resume: bool = False
) -> AbstractContextManager[PredictionTable]:
    """Return a context manager with the table to write. The file appears if the block ends without an error.

    Args:
        file: the table. Earlier predictions of this name are replaced.
        layout: the columns.
        format_: of the file.
        settings: JSON values on which the rows depend. Rows of other settings cannot be resumed.
        resume: continue after the last complete row of an interrupted process, if there is one.

    Raises:
        CoverslipError: the file cannot be written, is not a table of predictions, or is a Parquet file, which cannot
            be resumed; the rows of the interrupted process have other settings.
        Conflict: another process writes this table.
    """
    if format_ == "parquet":
        if resume:
            raise CoverslipError("parquet-not-resumable")
        return _parquet_table(file, layout)
    return _text_table(file, layout, format_, settings, resume=resume)


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A text format. A record is a row, or the line with the names of the columns."""

    begins_with: bytes  # every table of predictions
    has_header: bool
    record: Callable[
        [Sequence[str], Sequence[CellValue] | None], str
    ]  # of the columns with these values; None: the header
    is_complete: Callable[[bytes], bool]  # whether a record that ends in a line feed is complete
    values: Callable[[PredictionColumns, bytes], dict[str, Any]]  # of a complete record; ValueError if it is damaged


def _csv_record(columns: Sequence[str], values: Sequence[CellValue] | None) -> str:
    return csv_text([columns if values is None else map(csv_cell, values)])


def _csv_values(layout: PredictionColumns, record: bytes) -> dict[str, Any]:
    try:
        (cells,) = csv.reader([record.decode()], strict=True)
    except csv.Error as error:
        raise ValueError(record) from error
    return dict(zip(layout.columns, map(plain_cell, cells), strict=True))


def _json_record(columns: Sequence[str], values: Sequence[CellValue] | None) -> str:
    if values is None:
        return ""
    row = dict(zip(columns, map(_rounded, values), strict=True))
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


def _json_values(layout: PredictionColumns, record: bytes) -> dict[str, Any]:
    row = json.loads(record)
    if not isinstance(row, dict) or tuple(row) != layout.columns:
        raise ValueError(record)
    return row


def _rounded(value: CellValue) -> CellValue:
    """Return a value with the digits of CSV tables; None for NaN."""
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, _DIGITS)
    return value


TEXT_FORMATS: Mapping[Format, TextFormat] = {
    "csv": TextFormat(
        ",".join(FIRST_COLUMNS).encode(),
        True,
        _csv_record,
        lambda record: record.count(b'"') % 2 == 0,  # else the line feed is in a quoted cell
        _csv_values,
    ),
    "jsonl": TextFormat(f'{{"{FIRST_COLUMNS[0]}":'.encode(), False, _json_record, lambda record: True, _json_values),
}


def complete_records(stream: IO[bytes], format_: TextFormat) -> Iterator[bytes]:
    """Yield the complete records of a table, without the last one if a killed process wrote only a part of it."""
    record = b""
    for line in stream:
        record += line
        if record.endswith(b"\n") and format_.is_complete(record):
            yield record
            record = b""


def table_of_objects(predictions: Path) -> Path:
    """Return the table of the objects that were found in whole fields, beside a table of predictions."""
    return predictions.with_name(f"{predictions.stem}_objects.csv")


def unfinished_rows(file: Path, format_: Format = "csv") -> Path:
    """Return the file with the rows so far of a table that is not complete."""
    return file.with_name(f"{file.name}.unfinished") / f"rows.{format_}"


# The hashes of the image files from which the rows of a growing table were computed, one line per row.

_NONE = "-" * 64  # of an image without a file, or with a file that could not be read
_LINE_BYTES = len(_NONE) + 1
_SECONDS_BETWEEN_SAVES = 10
_LINE = re.compile(r"(?:[0-9a-f]{64}|-{64})\n")


class RowHashes:
    """The hashes of the rows of a table, in a file beside it."""

    def __init__(self, file: Path) -> None:
        """Open the file, which is created if it does not exist."""
        self._file = file
        self._stream = file.open("a", encoding="ascii", newline="\n")

    def __enter__(self) -> "RowHashes":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def unchanged(self, records: Sequence[ImageRecord]) -> Iterator[bool]:
        """Yield for each row of an earlier process whether the files of its image still have the same bytes.

        Args:
            records: of all rows, also of those that are not computed yet.
        """
        lines = [*self._lines()]
        with FileHashes() as hashes:
            for line, digest in zip(lines, hash_files(records[: len(lines)], hashes), strict=True):
                yield line == (digest or _NONE)

    def keep(self, n_rows: int) -> None:
        """Remove the hashes after these rows."""
        self._stream.truncate(n_rows * _LINE_BYTES)

    def add(self, content_hash: str) -> None:
        """Add the hash of the next row, before the row itself is written. It stays if the process is killed."""
        self._stream.write(f"{content_hash or _NONE}\n")
        self._stream.flush()

    def _lines(self) -> Iterator[str]:
        """Yield the complete lines; a killed process can leave others at the end."""
        with self._file.open(encoding="ascii", errors="replace", newline="\n") as stream:
            yield from (line[:-1] for line in takewhile(_LINE.fullmatch, stream))


class HashedReading:
    """Computes the hashes of the files of images just before they are decoded. Thread-safe."""

    def __init__(self, records: Sequence[ImageRecord]) -> None:
        self._hashes, self._first = ContentHashes(len(records)), first_positions(records)
        self._states: dict[int, str] = {}
        self._records, self._file_hashes = records, FileHashes()
        self._read = SharedReads(self._file_hashes)
        self._saved_at = time.monotonic()

    def __enter__(self) -> "HashedReading":
        return self

    def __exit__(self, *error: object) -> None:
        self._file_hashes.close()

    def __call__(self, i: int) -> None:
        """Compute the hash of the files of the image at a position."""
        identity = self._read(self._records[i])
        if identity is not None:
            self._hashes[i] = identity.sha256
            self._states[i] = state_text(identity.states)

    def state_of(self, i: int) -> str:
        """Return the state of these files before they were read; empty: it is unknown."""
        return self._states.get(int(self._first[i]), "")

    def hash_of(self, i: int) -> str:
        """Return the hash of the files of the image at a position, which an equal earlier image was decoded for."""
        if time.monotonic() - self._saved_at > _SECONDS_BETWEEN_SAVES:  # they also take memory
            self._file_hashes.save()
            self._saved_at = time.monotonic()
        return self._hashes[int(self._first[i])]


def hashes_of_rows(file: Path) -> RowHashes:
    """Return the hashes of the image files of the rows so far of a table that is not complete."""
    return RowHashes(unfinished_rows(file).with_name("files.sha256"))


@contextmanager
def _text_table(
    file: Path, layout: PredictionColumns, format_: Format, settings: Mapping[str, object], *, resume: bool
) -> Iterator[PredictionTable]:
    check_replaceable(file, TEXT_FORMATS[format_].begins_with)
    rows = unfinished_rows(file, format_)
    folder, settings_file = rows.parent, rows.with_name("settings.json")
    settings = {**settings, "columns": list(layout.columns), "format": format_}
    stays = True  # the folder, after an error
    try:
        with work_lock(folder):
            if resume and rows.exists():
                _check_settings(settings_file, settings)
            else:
                stays = False
                rows.unlink(missing_ok=True)
                write_json(settings_file, settings)
            with rows.open("a+", newline="", encoding="utf-8") as stream, hashes_of_rows(file) as hashes:
                table = AppendedTable(rows, stream, layout, TEXT_FORMATS[format_], hashes)
                try:
                    yield table
                except BaseException:
                    stays = stays or table.save() > 0
                    raise
            rows.replace(file)
            stays = False
    except OSError as error:
        raise write_error(file, error) from error
    finally:
        if not stays:
            shutil.rmtree(folder, ignore_errors=True)


def _check_settings(file: Path, settings: Mapping[str, object]) -> None:
    try:
        saved = json.loads(file.read_bytes())
    except (OSError, ValueError):
        saved = None
    if saved != settings:
        raise CoverslipError("rows-of-other-settings", file=file.parent)


class AppendedTable(PredictionTable):
    """A table in a text format, to which rows are appended."""

    def __init__(
        self,
        file: Path,
        stream: IO[str],
        layout: PredictionColumns,
        format_: TextFormat,
        hashes: RowHashes | None = None,
    ) -> None:
        """Take an open file, and the hashes of the files of its rows if it can be resumed."""
        self._file, self._stream, self._layout, self._format = file, stream, layout, format_
        self._hashes = hashes
        self._n_written = self._n_saved = 0
        self._saved_at = time.monotonic()

    def saved_rows(self, records: Sequence[ImageRecord]) -> Iterator[Prediction]:
        n_bytes = 0
        are_unchanged = iter(()) if self._hashes is None else self._hashes.unchanged(records)
        with self._file.open("rb") as stream:
            lines = complete_records(stream, self._format)
            if self._format.has_header:
                header = next(lines, b"")
                if header.removeprefix(codecs.BOM_UTF8) != self._format.record(self._layout.columns, None).encode():
                    lines = iter(())  # rows of another version, with other columns
                else:
                    n_bytes += len(header)
            for line, record, is_unchanged in zip(lines, records, are_unchanged, strict=False):
                try:
                    row = _saved(self._format.values(self._layout, line), self._layout)
                except ValueError:  # after a power failure, a file can end in other bytes
                    break
                if row.image_id != record.image_id or not is_unchanged:
                    break
                n_bytes += len(line)
                self._n_written += 1
                yield row
        self._start_after(n_bytes)

    def all_rows(self) -> Iterator[tuple[Prediction, dict[str, str]]]:
        """Yield all rows with their cells of further columns. Must be exhausted before the first `write`.

        Raises:
            CoverslipError: the table has other columns.
        """
        n_bytes, header = 0, self._format.record(self._layout.columns, None).encode()
        with self._file.open("rb") as stream:
            records = complete_records(stream, self._format)
            try:
                first = next(records, header) if header else b""
                if first.removeprefix(codecs.BOM_UTF8) != header:
                    raise ValueError(self._file.name)
                for record in records:
                    values = self._format.values(self._layout, record)
                    n_bytes += len(record)
                    self._n_written += 1
                    yield _saved(values, self._layout), {name: values[name] for name in self._layout.more}
            except ValueError as error:
                raise CoverslipError("rows-of-other-columns", file=self._file) from error
        self._start_after(n_bytes + len(first) if n_bytes else 0)

    def _start_after(self, n_bytes: int) -> None:
        """Discard what follows the complete rows."""
        self._stream.truncate(n_bytes)
        if not n_bytes:
            self._stream.write(self._format.record(self._layout.columns, None))
        self._n_saved = self._n_written
        if self._hashes is not None:
            self._hashes.keep(self._n_written)

    def write(self, row: Prediction, about: Mapping[str, str], content_hash: str = "") -> None:
        if self._hashes is not None:  # before the row: a row without a hash is computed again
            self._hashes.add(content_hash)
        self._stream.write(self._format.record(self._layout.columns, self._layout.values(row, about)))
        self._n_written += 1
        if time.monotonic() - self._saved_at > _SECONDS_BETWEEN_WRITES:
            self._flush()

    def save(self) -> int:
        with suppress(OSError):  # the disk is full
            self._flush()
        return self._n_saved

    def _flush(self) -> None:
        self._stream.flush()
        self._n_saved, self._saved_at = self._n_written, time.monotonic()


@contextmanager
def growing_table(file: Path, layout: PredictionColumns, format_: Format) -> Iterator[AppendedTable]:
    """Open a table in a text format to append rows, each of which stays.

    Raises:
        CoverslipError: the file cannot be written, or is not a table of predictions.
        Conflict: another process appends rows.
    """
    check_replaceable(file, TEXT_FORMATS[format_].begins_with)
    folder = file.with_name(f"{file.name}.watching")  # contains the lock only
    is_locked = False
    try:
        with work_lock(folder), file.open("a+", newline="", encoding="utf-8") as stream:
            is_locked = True
            yield AppendedTable(file, stream, layout, TEXT_FORMATS[format_])
    except OSError as error:
        raise write_error(file, error) from error
    finally:
        if is_locked:
            shutil.rmtree(folder, ignore_errors=True)


def _saved(values: Mapping[str, Any], layout: PredictionColumns) -> Prediction:  # Any: JSON values
    """Return a row with the fields that summaries need, from its values as text or numbers.

    Raises:
        ValueError: a value is not a number.
    """
    cells = [values.get(f"p:{name}") for name in layout.classes]
    probabilities = tuple(float(cell) for cell in cells if cell not in (None, ""))
    return Prediction(
        image_id=values["image_id"],
        path=values["path"],
        label=values["label"] or None,
        predicted=values["predicted"] or None,
        probability=None,
        decision=values["decision"],
        probabilities=probabilities if len(probabilities) == len(cells) else (),
    )


@contextmanager
def _parquet_table(file: Path, layout: PredictionColumns) -> Iterator[PredictionTable]:
    import pyarrow
    import pyarrow.parquet

    check_replaceable(file, b"PAR1")
    if file.exists() and file.stat().st_size:
        names: list[str] = []
        with suppress(pyarrow.ArrowException, OSError):
            names = pyarrow.parquet.read_schema(file).names
        if tuple(names[: len(FIRST_COLUMNS)]) != FIRST_COLUMNS:
            raise CoverslipError("other-file-in-place", file=file)
    types = {"prediction_set": pyarrow.list_(pyarrow.string()), **dict.fromkeys(layout.numbers, pyarrow.float64())}
    schema = pyarrow.schema([(name, types.get(name, pyarrow.string())) for name in layout.columns])
    with atomic_write(file) as part, pyarrow.parquet.ParquetWriter(part, schema) as writer:
        table = _ParquetTable(writer, schema, layout)
        yield table
        table.write_group()


class _ParquetTable(PredictionTable):
    def __init__(self, writer: Any, schema: Any, layout: PredictionColumns) -> None:  # Any: pyarrow is untyped
        self._writer, self._schema, self._layout = writer, schema, layout
        self._rows: list[list[CellValue]] = []

    def saved_rows(self, records: Sequence[ImageRecord]) -> Iterator[Prediction]:
        return iter(())

    def write(self, row: Prediction, about: Mapping[str, str], content_hash: str = "") -> None:
        self._rows.append([_rounded(value) for value in self._layout.values(row, about)])
        if len(self._rows) == _ROWS_PER_GROUP:
            self.write_group()

    def save(self) -> int:
        return 0

    def write_group(self) -> None:
        """Write the rows since the last group."""
        import pyarrow

        columns = [[row[i] for row in self._rows] for i in range(len(self._schema))]
        arrays = [pyarrow.array(column, field.type) for column, field in zip(columns, self._schema, strict=True)]
        self._writer.write_table(pyarrow.Table.from_arrays(arrays, schema=self._schema))
        self._rows.clear()
