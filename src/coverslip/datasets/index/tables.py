"""Images named in a table (CSV, TSV, semicolons): finding the columns, and saying clearly what is wrong with them."""

import codecs
import csv
import difflib
import io
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coverslip.datasets.index.records import (
    SIDE_WORDS,
    ImageRecord,
    Side,
    absolute_path,
    clean_label,
    counted,
    one_line,
    posix_below,
    printable,
    side_named,
    some,
)
from coverslip.errors import BadDataset
from coverslip.files import for_shell, plain_cell
from coverslip.images import ReadPlan

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".tab", ".txt"})
PLAIN_TABLE_SUFFIXES = frozenset({".csv", ".tsv"})  # what is looked for; most other text files are notes
SHEET_SUFFIXES = frozenset({".xlsx", ".xls", ".ods", ".numbers"})

# Names that a column may have, best first. `image` holds a path only where no better name does: in tables of crops
# it often names the field of view that the crops come from.
_ALIASES: dict[str, tuple[str, ...]] = {
    "path": ("path", "filepath", "file_path", "image_path", "filename", "file_name", "file", "image"),
    "label": ("label", "class", "target", "class_name", "category"),
    "image_id": ("image_id",),
    "split": ("split",),
    "domain": ("domain",),
    "group": ("group",),
    "channel": ("channel",),
    "plane": ("plane",),
    "x": ("x",),
    "y": ("y",),
    "width": ("width",),
    "height": ("height",),
}
_MAYBE_GROUPS = (
    *("patient", "subject", "donor", "case", "slide", "plate", "well", "experiment", "movie", "image"),
    *("field", "cell", "sample", "animal", "batch"),
)
_LEFT_OUT = "left-out"


@dataclass(frozen=True, slots=True)
class Table:
    """A table's cells as text. Lines are numbered as an editor shows them."""

    path: Path
    columns: tuple[str, ...]  # as written
    rows: tuple[tuple[str, ...], ...]  # as many cells as columns, spaces around them removed
    lines: tuple[int, ...]
    notes: tuple[str, ...]

    def index(self, meaning: str) -> int | None:
        """Which column holds a path, label, ...: the best of its accepted names."""
        known = [_plain(column) for column in self.columns]
        return next((known.index(alias) for alias in _ALIASES[meaning] if alias in known), None)


def is_table(path: Path) -> bool:
    """Whether a file name ends like a table that can be read here."""
    return path.suffix.lower() in TABLE_SUFFIXES


def read_table(path: Path) -> Table:
    """Read a table whose first line names the columns; separators , ; or tab, quoted cells, any UTF or Windows-1252.

    Raises:
        BadDataset: it cannot be opened, is not text, has no rows, or rows with too many cells.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadDataset(
            f"The table could not be read: {error.strerror}", file=path, do="Check its name and that you may read it."
        ) from error
    text, notes = _decode(data, path)
    text = text.removeprefix("\ufeff")
    first_line = 1
    forced = None
    if text[:4].casefold() == "sep=":  # a line that Excel writes and reads
        forced, (_, _, text), first_line = text[4:5], text.partition("\n"), 2
    separator = forced or max(",;\t", key=lambda mark: _header_quality(text, mark))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    columns: tuple[str, ...] = ()
    too_long: list[int] = []
    line = first_line
    try:
        for cells in reader:
            stripped = [plain_cell(cell.strip()) for cell in cells]
            if any(stripped):
                if not columns:
                    columns = tuple(stripped)
                else:
                    if any(stripped[len(columns) :]):
                        too_long.append(line)
                    padded = (*stripped, *[""] * len(columns))[: len(columns)]
                    rows.append(padded)
                    lines.append(line)
            line = first_line + reader.line_num
    except csv.Error as error:
        raise BadDataset(f"The table breaks off in line {line}: {error}", file=path, do="Correct that line.") from error
    if too_long:
        raise BadDataset(
            f"{counted(len(too_long), 'row')} of the table with more cells than the header names columns "
            f"(first: line {too_long[0]})",
            file=path,
            do="A cell that holds the separator must stand in quotation marks.",
        )
    if not rows:
        raise BadDataset(
            "The table has no rows" if columns else "The table is empty", file=path, do="Add one row per image."
        )
    return Table(path, columns, tuple(rows), tuple(lines), tuple(notes))


def open_table(
    path: Path, plan: ReadPlan, *, group: str | None, wants_groups: bool, labelled: bool
) -> tuple[list[ImageRecord], list[str]]:
    """Records of a table's rows; relative paths start from the table's folder.

    Args:
        group: the column that names groups; without it a column called `group` is used.
        wants_groups: False where groups come from elsewhere, so that no advice about columns is due.
        labelled: whether there must be a label column.

    Raises:
        BadDataset: a column is missing or unknown, cells cannot be understood, or none of the files exists.
    """
    table = read_table(path)
    _refuse_twins(table, group)
    notes = list(table.notes)
    at_path = table.index("path")
    if at_path is None:
        raise _no_column(table, "path", "the images' paths")
    at_label = table.index("label")
    if at_label is None and labelled:
        raise _no_column(table, "label", "the labels")
    at_group = _group_column(table, group, {at_path, at_label}, wants_groups, notes)
    columns = _Columns(
        path=at_path,
        label=at_label,
        group=at_group,
        image_id=table.index("image_id"),
        split=table.index("split"),
        domain=table.index("domain"),
        channel=table.index("channel"),
        plane=table.index("plane"),
        box=_box_columns(table),
    )
    records = _records(table, columns, plan, notes)
    if not any(os.path.lexists(record.path) for record in records):
        raise _all_missing(table, table.rows[0][at_path], records[0].path, len(records))
    return records, notes


@dataclass(frozen=True, slots=True)
class _Columns:
    path: int
    label: int | None
    group: int | None
    image_id: int | None
    split: int | None
    domain: int | None
    channel: int | None
    plane: int | None
    box: tuple[int, int, int, int] | None


def _records(table: Table, columns: _Columns, plan: ReadPlan, notes: list[str]) -> list[ImageRecord]:
    root = table.path.parent
    faults: list[str] = []
    seen: dict[ImageRecord, int] = {}
    n_twice = n_left_out = n_alone = 0
    for row, line in zip(table.rows, table.lines, strict=True):
        if not row[columns.path]:
            faults.append(f"line {line}: the path is empty")
            continue
        file = _resolve(row[columns.path], root)
        side: Side | None = None
        if columns.split is not None and row[columns.split]:
            if row[columns.split].casefold() == _LEFT_OUT:
                n_left_out += 1
                continue
            side = side_named(row[columns.split])
            if side is None:
                faults.append(_unknown_side(line, row[columns.split]))
        own_plan, stated, identity = plan, frozenset[str](), printable(posix_below(file, root))
        try:
            own_plan, stated, tag = _row_plan(row, columns, plan)
            identity += tag
        except ValueError as error:
            faults.append(f"line {line}: {error}")
        if columns.image_id is not None and row[columns.image_id]:
            identity = printable(row[columns.image_id])
        group = None
        if columns.group is not None:
            group = row[columns.group] or identity
            n_alone += not row[columns.group]
        record = ImageRecord(
            image_id=identity,
            path=file,
            label=clean_label(row[columns.label]) or None if columns.label is not None else None,
            group=group,
            domain=row[columns.domain] if columns.domain is not None else "",
            given_split=side,
            plan=own_plan,
            stated=stated,
        )
        n_twice += record in seen
        seen.setdefault(record, line)
    if faults:
        raise BadDataset(
            f"{counted(len(faults), 'row')} of the table could not be understood: {'; '.join(faults[:5])}"
            + ("; ..." if len(faults) > 5 else ""),
            file=table.path,
            do="Correct them and run again.",
        )
    if not seen:
        raise BadDataset("Every row of the table says 'left-out'", file=table.path, do="Keep some images in.")
    if n_twice:
        notes.append(
            f"{counted(n_twice, 'row of the table repeats', 'rows of the table repeat')} an earlier one: counted once."
        )
    if n_left_out:
        notes.append(
            f"{counted(n_left_out, 'row of the table says', 'rows of the table say')} 'left-out': passed over."
        )
    if n_alone and columns.group is not None:
        notes.append(
            f"{counted(n_alone, 'row')} without a value in the column '{table.columns[columns.group]}': "
            "each counts as a group of its own."
        )
    return list(seen)


def _row_plan(row: Sequence[str], columns: _Columns, plan: ReadPlan) -> tuple[ReadPlan, frozenset[str], str]:
    """The row's own plan, which parts of it the row states, and what tells it apart from others of the same file.

    Raises:
        ValueError: a cell is not a number, or a box is incomplete or empty; says which.
    """
    changes: dict[str, object] = {}
    tag = ""
    if columns.plane is not None and row[columns.plane]:
        text = row[columns.plane].casefold()
        changes["plane"] = text if text in ("max", "mean") else _whole(text, "plane", "or 'max' or 'mean'")
        tag += f"#plane={changes['plane']}"
    if columns.channel is not None and row[columns.channel]:
        words = row[columns.channel]
        for mark in ",;+|":
            words = words.replace(mark, " ")
        changes["channels"] = tuple(_whole(word, "channel", "(several are parted by spaces)") for word in words.split())
        tag += f"#channel={'+'.join(words.split())}"
    if columns.box is not None:
        cells = [row[at] for at in columns.box]
        if any(cells):
            names = ("x", "y", "width", "height")
            box = tuple(_whole(cell, name) for cell, name in zip(cells, names, strict=True))
            if min(box[2:]) < 1:
                raise ValueError("width and height must be 1 or more")
            changes["box"] = box
            tag += "#box=" + ",".join(map(str, box))
    own_plan = ReadPlan.model_validate({**plan.model_dump(), **changes}) if changes else plan
    return own_plan, frozenset(changes), tag


def _whole(text: str, column: str, alternatives: str = "") -> int:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number.is_integer() or number < 0:
        raise ValueError(f"{column} '{one_line(text, 40)}' is not a whole number of 0 or more {alternatives}".strip())
    return int(number)


def _group_column(
    table: Table, group: str | None, taken: set[int | None], wants_groups: bool, notes: list[str]
) -> int | None:
    if group is not None:
        known = [_plain(column) for column in table.columns]
        if _plain(group) in known:
            return known.index(_plain(group))
        near = difflib.get_close_matches(_plain(group), known, n=1, cutoff=0.5)
        hint = f" (did you mean '{table.columns[known.index(near[0])]}'?)" if near else ""
        raise BadDataset(
            f"The table has no column '{one_line(group, 60)}' to group by{hint}",
            file=table.path,
            do=f"Its columns are {', '.join(table.columns)}.",
        )
    if not wants_groups:
        return None
    used = table.index("group")
    others = []
    for at, column in enumerate(table.columns):
        if at in taken or at == used or _plain(column).removesuffix("_id") not in _MAYBE_GROUPS:
            continue
        n_values = len({row[at] for row in table.rows if row[at]})
        if 1 < n_values < len(table.rows):
            others.append((column, n_values))
    listed = ", ".join(f"{column} ({counted(n, 'value')})" for column, n in others)
    if used is not None:
        also = f" Other columns that may name groups: {listed}." if others else ""
        notes.append(f"Groups are taken from the column '{table.columns[used]}'.{also}")
    elif others:
        notes.append(
            f"The table has columns that may name groups: {listed}. No group was chosen, so images of the "
            f"same {others[0][0]} can stand in training and test at once, which flatters the numbers; choose one, "
            f"for example --group {for_shell(others[0][0])}."
        )
    return used


def _refuse_twins(table: Table, group: str | None) -> None:
    """Two columns of one name may say different things, and nobody could tell which was used.

    Raises:
        BadDataset: two columns that would be read here have the same name.
    """
    read = {alias for aliases in _ALIASES.values() for alias in aliases} | ({_plain(group)} if group else set())
    times = Counter(_plain(column) for column in table.columns)
    twins = [column for column in table.columns if times[_plain(column)] > 1 and _plain(column) in read]
    if twins:
        raise BadDataset(
            f"The table has {times[_plain(twins[0])]} columns called '{one_line(twins[0], 60)}'",
            file=table.path,
            do="Take all but one of them out, or give them other names.",
        )


def _box_columns(table: Table) -> tuple[int, int, int, int] | None:
    """The columns of a crop's box. `width` and `height` alone are often just the image's size: not a box.

    Raises:
        BadDataset: three of the four are there; whole fields of view would be taken for crops.
    """
    found = {name: table.index(name) for name in ("x", "y", "width", "height")}
    missing = [name for name, column in found.items() if column is None]
    if len(missing) == 1:
        raise BadDataset(
            f"The table gives boxes without the column '{missing[0]}'",
            file=table.path,
            do="A box takes x, y, width and height in pixels; add the column, or take the other three out.",
        )
    x, y, width, height = found.values()
    if x is None or y is None or width is None or height is None:
        return None
    return x, y, width, height


def _resolve(cell: str, root: Path) -> Path:
    if "\\" in cell and os.sep == "/" and not os.path.lexists(root / cell):
        cell = cell.replace("\\", "/")  # a table written on Windows
    return absolute_path(cell, root)


def _all_missing(table: Table, cell: str, looked_for: Path, n: int) -> BadDataset:
    do = "Paths in a table are absolute or start from the folder that the table lies in; move it or correct them."
    if os.path.lexists(cell):
        do = "They exist from the current folder, but paths start from the folder that the table lies in; move it."
    return BadDataset(
        f"None of the {n:,} files that the table names exists: '{one_line(cell)}' was looked for at "
        f"'{one_line(os.fspath(looked_for), 200)}'",
        file=table.path,
        do=do,
    )


def _no_column(table: Table, meaning: str, holds: str) -> BadDataset:
    known = [_plain(column) for column in table.columns]
    near = [c for alias in _ALIASES[meaning] for c in difflib.get_close_matches(alias, known, n=1, cutoff=0.7)]
    hint = f" (is it '{table.columns[known.index(near[0])]}'?)" if near else ""
    if len(table.columns) == 1:
        return BadDataset(
            f"The table has one column only, '{one_line(table.columns[0], 80)}'",
            file=table.path,
            do="Part the columns by commas, semicolons or tabs, and name them in the first line: path,label.",
        )
    return BadDataset(
        f"The table has no column for {holds}{hint}; its columns are {some(table.columns, 12)}",
        file=table.path,
        do=f"Name it '{meaning}' in the first line. Also accepted: {', '.join(_ALIASES[meaning][1:])}.",
    )


def _unknown_side(line: int, text: str) -> str:
    near = difflib.get_close_matches(text.casefold(), SIDE_WORDS, n=1, cutoff=0.6)
    hint = f" (did you mean '{near[0]}'?)" if near else ""
    return f"line {line}: split '{one_line(text, 40)}' is none of train, val, test, left-out{hint}"


def _decode(data: bytes, path: Path) -> tuple[str, list[str]]:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), []
    if b"\0" in data[:4096]:
        raise BadDataset("This file is not a text table", file=path, do="Save it as CSV (comma-separated values).")
    try:
        return data.decode("utf-8"), []
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), [
            f"The table '{one_line(path.name)}' is not UTF-8; it was read as Windows-1252."
        ]


def _header_quality(text: str, separator: str) -> tuple[int, int]:
    """How well a separator parts the first line: columns with a known name, then columns at all."""
    try:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
    except csv.Error:
        return 0, 0
    known = {alias for aliases in _ALIASES.values() for alias in aliases}
    return sum(_plain(column) in known for column in header), len(header)


def _plain(column: str) -> str:
    """A column's name as it is compared."""
    return "_".join(column.casefold().replace("-", " ").replace("_", " ").split())
