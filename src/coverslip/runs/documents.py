"""How the files of a run folder are written and read: JSON objects as frozen models, tables as CSV."""

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from coverslip.errors import BadRun
from coverslip.files import CsvWriter, plain_cell, safe_cell, write_text

FORMAT_VERSION = 1


class Document(BaseModel):
    """One JSON file of a run folder.

    Numbers are finite: what could not be computed is null, with the reason beside it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format_version: int = FORMAT_VERSION

    @classmethod
    def read(cls, file: Path) -> Self:
        """What a file says.

        Raises:
            BadRun: it is missing, damaged, or of a newer format.
        """
        values = read_object(file)
        check_format(values.get("format_version", FORMAT_VERSION), file)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(part) for part in fault["loc"])
            raise BadRun(f"The file is damaged: {place}: {fault['msg']}", file=file, do="Train again.") from error

    @classmethod
    def read_if_there(cls, file: Path) -> Self | None:
        """What a file says; None where a run has not got that far."""
        return cls.read(file) if file.is_file() else None

    def write(self, file: Path) -> None:
        """Write it whole or not at all."""
        write_text(file, json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def check_format(version: object, file: Path) -> None:
    """Raises BadRun where a file was written by a newer coverslip."""
    if version != FORMAT_VERSION:
        raise BadRun(
            f"It has format version {version}; this coverslip reads {FORMAT_VERSION}", file=file, do="Update coverslip."
        )


def read_object(file: Path) -> dict[str, Any]:  # Any: JSON values
    """A JSON object from a run folder.

    Raises:
        BadRun: it is missing or damaged.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise _missing(file) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadRun(f"The file could not be read: {error}", file=file, do="Train again.") from error
    if not isinstance(values, dict):
        raise BadRun("The file holds no JSON object", file=file, do="Train again.")
    return values


def write_table(file: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write a CSV table that is safe to open in a spreadsheet, whole or not at all."""
    text = io.StringIO()
    writer = CsvWriter(text)
    writer.writerow(columns)
    for row in rows:
        cells = (row[name] for name in columns)
        writer.writerow(safe_cell(cell) if isinstance(cell, str) else cell for cell in cells)
    write_text(file, text.getvalue())


def read_table(file: Path) -> list[dict[str, str]]:
    """Rows of a CSV table of a run folder.

    Raises:
        BadRun: it is missing.
    """
    try:
        with file.open(newline="", encoding="utf-8") as opened:
            return [{name: plain_cell(cell or "") for name, cell in row.items()} for row in csv.DictReader(opened)]
    except OSError as error:
        raise _missing(file) from error


def _missing(file: Path) -> BadRun:
    return BadRun("The run has no such file", file=file, do="It may not have finished: see its status.json.")
