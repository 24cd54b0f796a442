"""Files of objects of other programs, whose kind is recognized by their content."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.datasets.tables.columns import TableChoices
from coverslip.datasets.tables.reading import TABLE_SUFFIXES, is_table
from coverslip.errors import BadDataset
from coverslip.images import open_image
from coverslip.objects.fields import FieldObjects
from coverslip.objects.label_images import LABEL_SUFFIXES, read_label_planes
from coverslip.objects.object_tables import (
    columns_of,
    kind_of_table,
    open_object_table,
    read_object_table,
    read_points,
)
from coverslip.objects.polygon_files import (
    is_coco,
    is_geojson,
    is_roi,
    load_json,
    read_cellpose_outlines,
    read_coco,
    read_geojson,
    read_rois,
    read_yolo,
    yolo_classes,
)
from coverslip.objects.table import FieldImage
from coverslip.objects.text_files import text_lines, words_of

OBJECT_SUFFIXES = frozenset({".geojson", ".json", ".zip", ".roi", ".npy", *TABLE_SUFFIXES})
_HEAD_BYTES = 4096
_N_FIRST_LINES = 50
# Files beside those of objects.
_COMPANIONS = re.compile(r"(?:classes|obj)\.(?:txt|names)|(?:.*_?(?:Image|Experiment))\.csv|readme.*", re.IGNORECASE)


@dataclass(slots=True)
class Sources:
    """What the files were."""

    kinds: dict[str, int] = field(default_factory=dict)  # number of files of each kind
    n_files: int = 0  # also those that were not read
    table: Path | None = None  # the first table


def is_companion(file: Path) -> bool:
    """Return whether a file in a folder belongs to files of objects, without containing any."""
    return bool(_COMPANIONS.fullmatch(file.name))


def read_object_file(
    file: Path, objects: FieldObjects, sources: Sources, *, choices: TableChoices, is_only_file: bool
) -> None:
    """Add the objects in a file.

    Args:
        file: the file.
        objects: receives them.
        sources: receives the kind of the file.
        choices: of the user, for tables.
        is_only_file: it then belongs to the only field, whatever its name is.

    Raises:
        BadDataset: the kind of the file is unknown, or the file is broken.
    """
    try:
        with open_image(file) as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise BadDataset("object-file-not-read", file=file, reason=error.strerror or str(error)) from error
    if file.suffix.lower() in LABEL_SUFFIXES:
        for _ in read_label_planes(file):  # its error about pickled files comes first
            break
        raise BadDataset("mask-instead-of-outlines", file=file)
    kind = "empty"
    if is_roi(head):
        kind = "rois"
        if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
            read_rois(file, of, objects)
    elif head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        kind = _read_json(file, objects, is_only_file=is_only_file)
    elif head.strip():
        kind = _read_text(file, objects, sources, choices, is_only_file=is_only_file)
    sources.kinds[kind] = sources.kinds.get(kind, 0) + 1


def _field_of(file: Path, objects: FieldObjects, *, is_only_file: bool) -> FieldImage | None:
    """Return the field of a file with objects of one field; None: there is none of its name."""
    names = objects.names
    if is_only_file and len(names.fields) == 1:
        return names.fields[0]
    return names.match(str(file))


def _read_json(file: Path, objects: FieldObjects, *, is_only_file: bool) -> str:
    content = load_json(file)
    if is_coco(content):
        read_coco(file, content, objects)
        return "coco"
    if not is_geojson(content):
        raise BadDataset("unknown-json", file=file)
    if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
        read_geojson(file, content, of, objects)
    return "geojson"


def _read_text(
    file: Path, objects: FieldObjects, sources: Sources, choices: TableChoices, *, is_only_file: bool
) -> str:
    kind = _kind_of_lines(text_lines(file, _N_FIRST_LINES))
    if kind is not None:
        if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
            lines = text_lines(file)
            match kind:
                case "yolo":
                    read_yolo(file, lines, yolo_classes(file), of, objects)
                case "cellpose":
                    read_cellpose_outlines(file, lines, of, objects)
                case _:
                    read_points(file, lines, of, objects, choices.unit)
        return kind
    table = open_object_table(file)
    if table is None:
        raise BadDataset("unknown-object-file", file=file)
    table_kind = kind_of_table(table.columns)
    sources.table = sources.table or file
    columns = columns_of(table, table_kind, choices)
    of = None
    if not {"path", "image_number"} & columns.keys():
        of = _field_of(file, objects, is_only_file=is_only_file)
        if of is None:
            return table_kind.name
    read_object_table(table, table_kind, columns, choices.unit, objects, of)
    return table_kind.name


def is_table_of_objects(file: Path) -> bool:
    """Return whether a file is a table with names of columns.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    if not is_table(file):
        return False
    lines = text_lines(file, _N_FIRST_LINES)
    return any(map(str.strip, lines)) and _kind_of_lines(lines) is None


def _kind_of_lines(lines: Sequence[str]) -> str | None:
    """Return the kind of a text file without names of columns; None if its first line has names."""
    read = words_of(lines)
    numbers = [read.numbers_at_start(words) for words in read.words if words]
    if not numbers or len(numbers[0]) < 2:
        return None
    if read.has_comma_separators and all(len(each) >= 6 and len(each) % 2 == 0 for each in numbers):
        return "cellpose"
    if not read.has_comma_separators and all(map(_is_yolo, numbers)):
        return "yolo"
    return "points"


def _is_yolo(numbers: Sequence[float]) -> bool:
    is_long = len(numbers) in (5, 6) or (len(numbers) >= 7 and len(numbers) % 2 == 1)
    return is_long and numbers[0].is_integer() and all(-0.01 <= each <= 1.01 for each in numbers[1:])
