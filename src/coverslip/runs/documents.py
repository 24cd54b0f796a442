"""Read and write the files of a run folder: JSON objects as frozen models, tables as CSV."""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    PlainSerializer,
    SerializationInfo,
    ValidationError,
    ValidationInfo,
)

from coverslip.datasets.text_tables import TextTable, open_text_table
from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadDataset, BadRun
from coverslip.files import csv_text, read_bytes, resolved_path, stated_paths, write_csv, write_text
from coverslip.messages import text

FORMAT_VERSION = 1
# Limits for files from untrusted sources. They allow hashes of 400,000 images (30 MB of JSON), and probabilities of
# 200,000 images in 121 classes. Each value takes a few hundred bytes of memory.
_MOST_BYTES, _MOST_VALUES = 64 * 2**20, 2_000_000
_MOST_TABLE_BYTES, _MOST_CELLS = 512 * 2**20, 25_000_000


def _resolved(path: str, info: ValidationInfo) -> str:
    return path if info.context is None else resolved_path(path, info.context)


def _stated(path: str, info: SerializationInfo) -> str:
    return path if info.context is None else stated_paths(info.context)(path)


StatedPath = Annotated[str, AfterValidator(_resolved), PlainSerializer(_stated)]
"""An absolute path. Files that may be moved with their folder state it as `stated_paths`."""


class Record(DocumentedModel):
    """An object in a JSON file of a run folder.

    Numbers are finite. A value that cannot be computed is null, with a reason in another field.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Document(Record):
    """A JSON file of a run folder."""

    format_version: int = FORMAT_VERSION

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file. The values of `StatedPath` are absolute.

        Raises:
            BadRun: the file is missing, damaged, or of a newer format.
        """
        values = read_object(file)
        try:
            return cls.model_validate(values, context=file.parent)
        except ValidationError as error:
            raise BadRun("damaged-run-file", file=file, reason=first_fault(error)) from error

    @classmethod
    def read_if_there(cls, file: Path) -> Self | None:
        """Read a file; None if it does not exist."""
        return cls.read(file) if file.is_file() else None

    def write(self, file: Path) -> None:
        """Write the file, completely or not at all."""
        values = self.model_dump(mode="json", round_trip=True, context=file.parent)
        write_text(file, json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def first_fault(error: ValidationError) -> str:
    """Return the path and the message of the first fault in a document."""
    fault = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"


def read_object(file: Path) -> dict[str, Any]:  # Any: JSON values
    """Read a JSON object from a run folder.

    Raises:
        BadRun: the file is missing, damaged, or of a newer format.
    """
    try:
        data = read_bytes(file, _MOST_BYTES)
    except FileNotFoundError as error:
        raise _missing(file) from error
    except (OSError, ValueError) as error:
        raise BadRun("unreadable-run-file", file=file, reason=str(error)) from error
    return object_of(data, file)


def object_of(data: bytes, file: Path) -> dict[str, Any]:  # Any: JSON values
    """Return a JSON object from its bytes in a file.

    Raises:
        BadRun: the bytes are damaged, or a newer version of coverslip wrote them.
    """
    try:
        if sum(map(data.count, (b"[", b"{", b","))) > _MOST_VALUES:
            raise ValueError(text("too-many-json-values", n_values=_MOST_VALUES))
        values = json.loads(data.decode(), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise BadRun("unreadable-run-file", file=file, reason=str(error)) from error
    if not isinstance(values, dict):
        raise BadRun("no-json-object", file=file)
    if (version := values.get("format_version", FORMAT_VERSION)) != FORMAT_VERSION:
        raise BadRun("newer-run-format", file=file, version=str(version), supported=FORMAT_VERSION)
    return values


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(text("not-a-number", value=digits))
    return number


def write_table(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV table that is safe to open in a spreadsheet, completely or not at all."""
    write_csv(file, columns, ([row[name] for name in columns] for row in rows))


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """Return a CSV table that is safe to open in a spreadsheet."""
    return csv_text([columns, *([row[name] for name in columns] for row in rows)])


def rows_of_table(file: Path, is_number: Callable[[str], bool] = lambda _: False) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV table of a run folder. All rows at once would take much more memory than the file.

    A spreadsheet may have saved the table with other separators, decimal commas, or another encoding.

    Args:
        file: the table.
        is_number: returns whether a column contains numbers, in which `1,5` becomes `1.5`.

    Raises:
        BadRun: the table is missing, damaged or too large, or the commas of numbers have an unknown meaning.
    """
    with _opened_table(file) as table:
        for n, row in enumerate(table.named_rows(is_number), start=1):
            if n * len(row) > _MOST_CELLS:
                raise ValueError(text("too-many-cells", n_cells=_MOST_CELLS))
            yield row


def columns_of_table(file: Path) -> tuple[str, ...]:
    """Return the columns of a CSV table of a run folder; raises as `rows_of_table`."""
    with _opened_table(file) as table:
        return table.columns


@contextmanager
def _opened_table(file: Path) -> Iterator[TextTable]:
    if not file.exists():
        raise _missing(file)
    try:
        if not file.is_file():
            raise ValueError(text("not-a-regular-file"))
        if file.stat().st_size > _MOST_TABLE_BYTES:
            raise ValueError(text("larger-than-allowed", limit=_MOST_TABLE_BYTES // 2**20))
        yield open_text_table(file, is_exact=True)
    except BadDataset as error:
        raise BadRun(error.code, file=file, **error.parameters) from error
    except ValueError as error:
        raise BadRun("damaged-run-table", file=file, reason=str(error)) from error


def _missing(file: Path) -> BadRun:
    return BadRun("missing-run-file", file=file)
