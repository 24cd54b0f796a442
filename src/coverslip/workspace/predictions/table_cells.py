"""The other columns of the tables that name the images of a prediction, such as the well of each image.

The process of a prediction writes them to `cells.jsonl` in its folder: the names of the columns, then the cells of each
image in the order of the rows. Downloads can contain these columns.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from coverslip.datasets import ImageRecord
from coverslip.errors import CoverslipError
from coverslip.files import atomic_write
from coverslip.runs import CLASSIFIER_COLUMN, is_reserved

_FILE = "cells.jsonl"
ANSWER_COLUMNS = ("corrected", "excluded", "corrected_by")  # of downloads


def write_cells(folder: Path, records: Sequence[ImageRecord]) -> None:
    """Write the other columns of the tables of these images, unless there are none."""
    names = dict.fromkeys(name for record in records for name, _ in record.about)
    columns = [name for name in names if not is_reserved(name) and name not in (*ANSWER_COLUMNS, CLASSIFIER_COLUMN)]
    if not columns:
        return
    with atomic_write(folder / _FILE) as part, part.open("w", encoding="utf-8") as file:
        file.write(json.dumps(columns) + "\n")
        for record in records:
            cells = dict(record.about)
            file.write(json.dumps([cells.get(name, "") for name in columns]) + "\n")


def columns_of(folder: Path) -> list[str]:
    """Return the names of the columns."""
    try:
        with (folder / _FILE).open(encoding="utf-8") as file:
            return [str(name) for name in json.loads(file.readline())]
    except FileNotFoundError:
        return []


def check_columns(folder: Path, names: Sequence[str]) -> None:
    """Check that there are such columns.

    Raises:
        CoverslipError: there is no such column.
    """
    columns = columns_of(folder)
    for name in names:
        if name not in columns:
            raise CoverslipError("no-column-to-keep", column=name, columns=", ".join(columns))


def cells_by_row(folder: Path) -> Iterator[dict[str, str]]:
    """Yield the cells of each image by column, in the order of the rows."""
    columns = columns_of(folder)
    if columns:
        with (folder / _FILE).open(encoding="utf-8") as file:
            file.readline()
            for line in file:
                yield dict(zip(columns, json.loads(line), strict=True))
