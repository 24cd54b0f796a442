"""Records of the images in a table, one per row, and errors about invalid rows."""

import difflib
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from coverslip.datasets.index.folders import FileFinder
from coverslip.datasets.index.image_tables import (
    Columns,
    ImageTable,
    Size,
    box_of,
    find_columns,
    listed_columns,
    other_columns,
    size_of,
    states_class,
    with_points_in_numbers,
)
from coverslip.datasets.index.records import SIDE_WORDS, ImageRecord, side_named
from coverslip.datasets.names import (
    absolute_path,
    clean_label,
    name_as_text,
    name_from_text,
    one_line,
    posix_below,
    printable,
    some,
)
from coverslip.datasets.text_tables import CellFault, RowFaults
from coverslip.errors import BadDataset
from coverslip.images.reader import PIXEL_SIZES_UM, Channel, Decoded, ReadPlan, box_center
from coverslip.messages import Note, note, text
from coverslip.table_cells import number_of

EXCLUDED_BY_HAND = "excluded-rows"  # the code of the note that counts them
GROUPED_BY_FIELD = "grouped-by-field"  # of the note that the groups are fields of view
_EXCLUDED = "excluded"
_ALL_PLANES = ("max", "mean", "best-focus", "channels")
_MOST_LISTED = 5  # rows in a note
_FEWEST_FIELDS = 3  # one for each set of a split


def open_table(
    table: ImageTable,
    plan: ReadPlan,
    *,
    group: str | None,
    wants_groups: bool,
    labeled: bool,
    distinct: bool,
    with_split: bool,
    may_read: Callable[[Path], bool] | None = None,
) -> tuple[list[ImageRecord], list[ImageRecord], list[Note]]:
    """Return the records of a table's rows, those of excluded rows, and notes.

    Relative paths start from the table's folder.

    Args:
        table: as read.
        plan: the pixels to read, unless a row states them; `crop_size` applies to points.
        group: the column that names groups; None takes a column named `group`, or the file for crops of several files.
        wants_groups: False if groups do not come from the table, so that no notes on group columns are needed.
        labeled: whether there must be a label column.
        distinct: whether rows that repeat an image with its label, group and set are ignored. Otherwise each row has a
            record with all its cells, whatever its set.
        with_split: whether the sets of rows matter. Otherwise only excluded rows do.
        may_read: returns whether a file may be opened for its width and height; None: all.

    Raises:
        BadDataset: a column is missing or unknown, cells are invalid, two rows give an image different labels, or none
            of the files exists.
    """
    notes = list(table.notes)
    columns = find_columns(
        table, group=group, wants_groups=wants_groups, labeled=labeled, crop_size=plan.crop_size, notes=notes
    )
    box_columns = () if columns.box is None else columns.box.at
    plan_columns = (at for name, at in columns.plan.items() if name != "channels")
    table = with_points_in_numbers(table, (*box_columns, *plan_columns))
    finder = FileFinder(may_read)
    records, excluded = _records(table, columns, plan, distinct, _Sizes(may_read), finder, notes, with_split)
    if not any(record.exists for record in records):
        raise _all_missing(table, table.rows[0][columns.path], records[0].path, len(records), finder)
    if wants_groups and columns.group is None and columns.box is not None:
        records = _grouped_by_field(records, table.path.parent, notes)
    return records, excluded, notes


def _grouped_by_field(records: list[ImageRecord], root: Path, notes: list[Note]) -> list[ImageRecord]:
    """Group crops by field of view if there are several fields, since they share focus, stain and slide."""
    n_fields = len({record.field or record.path for record in records})
    if n_fields == len(records):
        return records
    if n_fields < _FEWEST_FIELDS:
        notes.append(note("few-fields", level="warning", n_fields=n_fields, n_images=len(records)))
        return records
    notes.append(note(GROUPED_BY_FIELD, n_fields=n_fields, n_images=len(records)))
    shared: dict[str, str] = {}
    for at, record in enumerate(records):
        group = record.field or name_as_text(posix_below(record.path, root))
        records[at] = record.with_group(shared.setdefault(group, group))
    return records


def _records(
    table: ImageTable,
    columns: Columns,
    plan: ReadPlan,
    is_distinct: bool,
    sizes: "_Sizes",
    finder: FileFinder,
    notes: list[Note],
    with_split: bool,
) -> tuple[list[ImageRecord], list[ImageRecord]]:
    root = table.path.parent
    crop, plan = plan, plan.of_whole_image
    faults = RowFaults(table.file, table.place)
    records, distinct = list[ImageRecord](), set[ImageRecord]()
    labeled: dict[object, tuple[str, int]] = {}  # label and line by pixels
    excluded: dict[Path, dict[ReadPlan, int]] = {}  # line by pixels
    left_out = list[ImageRecord]()
    files: dict[str, Path] = {}
    shared: dict[object, Any] = {}  # equal sets and texts are stored once  (Any: of the type of its key)
    about_columns = (
        [(at, table.columns[at]) for at in other_columns(table, columns)]
        if is_distinct
        else listed_columns(table, columns)
    )
    n_repeated = n_excluded = n_alone = 0
    other_sides = Counter[str]()
    without_box: list[int] = []  # lines
    for row, line in zip(table.rows, table.lines, strict=True):
        if fault := _cell_fault(table, columns, row):
            faults.add(line, fault)
            continue
        cell = row[columns.path]
        image_in_memory = table.images.get(cell)
        if cell not in files:
            try:
                files[cell] = _resolve(cell, table, finder) if image_in_memory is None else Path(cell)
            except CellFault as fault:
                faults.add(line, fault)
                continue
        file = files[cell]
        stated_side = row[columns.split] if is_distinct and columns.split is not None else ""
        is_excluded = stated_side.casefold() == _EXCLUDED
        side = side_named(stated_side)
        if side is None and stated_side and not is_excluded:
            if with_split:
                faults.add(line, _unknown_side(stated_side))
            other_sides[stated_side] += 1
        side = side if with_split else None
        row_plan, stated, tag = plan, frozenset[str](), ""
        try:
            row_plan, stated, tag = _row_plan(row, columns, plan, crop, partial(sizes, file, image_in_memory))
            row_plan, stated = _with_other_files(row_plan, stated, row, columns, file, table, finder)
        except ValueError as error:
            if not is_excluded:
                faults.add(line, error)
        if is_excluded:
            n_excluded += 1
            excluded.setdefault(file, {}).setdefault(row_plan, line)
            left_out.append(ImageRecord(cell, file, None, None, "", None, row_plan, stated, image_in_memory))
            continue
        if columns.box is not None and not any(row[at] for at in columns.box.at):
            without_box.append(line)
        stated_id = row[columns.image_id] if columns.image_id is not None else ""
        identity = printable(stated_id) if stated_id else name_as_text(posix_below(file, root)) + tag
        group = None
        if columns.group is not None:
            group = row[columns.group] or ("" if columns.field is None else row[columns.field]) or None
            n_alone += group is None
        label = _label(table, columns, row)
        record = ImageRecord(
            image_id=identity,
            path=file,
            label=shared.setdefault(label, label),
            group=shared.setdefault(group, group),
            domain=row[columns.domain] if columns.domain is not None else "",
            predefined_split=side,
            plan=row_plan,
            stated=shared.setdefault(stated, stated),
            in_memory=image_in_memory,
            about=tuple([(name, row[at]) for at, name in about_columns]),
        )
        if is_distinct and record in distinct:
            n_repeated += 1
            continue
        if is_distinct:
            distinct.add(record)
            if label is not None:
                first_label, first_line = labeled.setdefault(record.pixels, (label, line))
                if first_label != label:
                    faults.add(line, _second_label(cell, label, first_label, table.place(first_line), row_plan))
        records.append(record)
    # Objects of a field can have equal boxes: one that was merged has that of its largest part.
    for record in records if excluded and columns.field is None else ():
        line_of = excluded.get(record.path)
        if line_of is not None and record.plan in line_of:
            faults.add(line_of.pop(record.plan), CellFault("excluded-and-used", image=one_line(record.image_id)))
    faults.check()
    if without_box:
        places = ", ".join(map(table.place, without_box[:_MOST_LISTED]))
        notes.append(note("rows-without-box", level="warning", n_rows=len(without_box), rows=places))
    if other_sides:
        values = some(sorted(other_sides), 8)
        notes.append(note("other-split-values", n_rows=other_sides.total(), values=values))
    notes += _notes_on_rows(table, columns, n_repeated=n_repeated, n_excluded=n_excluded, n_alone=n_alone)
    if not records:
        raise BadDataset("all-rows-excluded", file=table.file)
    return records, left_out


def _cell_fault(table: ImageTable, columns: Columns, row: Sequence[str]) -> CellFault | None:
    """Return the error of a row's path or group, if any. A stray quotation mark causes line breaks in cells."""
    if not row[columns.path]:
        return CellFault("path-empty")
    for at in (columns.path, columns.group):
        if at is not None and not table.is_in_memory and ("\n" in row[at] or "\r" in row[at]):
            return CellFault("multi-line-cell", column=one_line(table.columns[at], 60))
    return None


def _label(table: ImageTable, columns: Columns, row: Sequence[str]) -> str | None:
    """Return the label of a row, of a column of labels or of the one column of a class that states it."""
    if columns.classes:
        return clean_label(table.columns[next(at for at in columns.classes if states_class(row[at]))])
    return clean_label(row[columns.label]) or None if columns.label is not None else None


def _second_label(cell: str, label: str, first_label: str, place: str, plan: ReadPlan) -> CellFault:
    """Return the error of a row that gives an image another label than an earlier row."""
    return CellFault(
        "second-label",
        path=one_line(cell),
        has_box=plan.region is not None,
        box=", ".join(map(str, plan.region or ())),
        label=one_line(label, 60),
        first_label=one_line(first_label, 60),
        place=place,
    )


def _notes_on_rows(
    table: ImageTable, columns: Columns, *, n_repeated: int, n_excluded: int, n_alone: int
) -> Iterator[Note]:
    """Yield notes on rows that are repeated or excluded, or that name no group."""
    if n_repeated:
        yield note("repeated-rows", n_rows=n_repeated)
    if n_excluded:
        yield note(EXCLUDED_BY_HAND, n_images=n_excluded)
    if n_alone and columns.group is not None:
        yield note("rows-without-group", n_rows=n_alone, column=table.columns[columns.group])


def _row_plan(
    row: Sequence[str], columns: Columns, plan: ReadPlan, crop: ReadPlan, size: Callable[[int], Size | None]
) -> tuple[ReadPlan, frozenset[str], str]:
    """Return the plan of a row, the fields of it that the row states, and a suffix that makes its image_id unique.

    `crop` has the crop size and the margin of boxes. `size` returns the size of a series of the row's file, and is
    called only if needed.

    Raises:
        ValueError: a cell is not a valid number, or a box is incomplete or empty.
    """
    changes: dict[str, object] = {}
    tag = ""
    for name, at in columns.plan.items():
        cell = row[at]
        if not cell:
            continue
        if name == "channels":
            changes[name] = channels = _channels(cell)
            tag += f"#channels={'+'.join(map(str, channels))}"
        elif name == "pixel_size_um":
            changes[name] = _length(name, cell)
        else:
            is_word = name == "z" and cell.casefold() in _ALL_PLANES
            changes[name] = cell.casefold() if is_word else _number(name, cell)
            tag += f"#{name}={changes[name]}"
    series = changes.get("series", plan.series)
    assert isinstance(series, int)
    box = None if columns.box is None else box_of(row, columns.box, partial(size, series), crop.crop_size)
    stated = frozenset(changes)  # before the box
    if box is not None and columns.box is not None:
        changes["region"] = box
        if not columns.box.are_points:
            changes |= {"crop_size": crop.crop_size, "crop_margin": crop.crop_margin}
        numbers = box_center(box) if columns.box.are_points else box
        stated |= {"point" if columns.box.are_points else "region"}
        tag += f"#{'point' if columns.box.are_points else 'box'}=" + ",".join(map(str, numbers))
    row_plan = plan.model_copy(update=changes) if changes else plan  # checked above; a validated copy is much larger
    return row_plan, stated, tag


def _with_other_files(
    plan: ReadPlan,
    stated: frozenset[str],
    row: Sequence[str],
    columns: Columns,
    file: Path,
    table: ImageTable,
    finder: FileFinder,
) -> tuple[ReadPlan, frozenset[str]]:
    """Return the plan with the files of further channels, if the row names any.

    Raises:
        CellFault: it names only some of them, or several files fit a name.
    """
    cells = [row[column] for column in columns.other_files]
    if not any(cells):
        return plan, stated
    if not all(cells):
        raise CellFault("channel-file-empty", channel=cells.index("") + 2)
    further_files = tuple(_from_folder(_resolve(cell, table, finder), file.parent) for cell in cells)
    return plan.model_copy(update={"other_files": further_files}), stated | {"other_files"}


def _from_folder(file: Path, folder: Path) -> str:
    """Return a file relative to a folder; absolute if it is on another drive."""
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:
        return str(file)


class _Sizes:
    """Width and height of images, read once each; None if a file cannot or may not be read."""

    def __init__(self, may_read: Callable[[Path], bool] | None) -> None:
        self._may_read = may_read
        self._size_of: dict[tuple[Path, int], Size | None] = {}

    def __call__(self, file: Path, image_in_memory: Decoded | None, series: int) -> Size | None:
        if image_in_memory is not None:
            return image_in_memory.array.shape[1], image_in_memory.array.shape[0]
        if (file, series) not in self._size_of:
            may_read = self._may_read is None or self._may_read(file)
            self._size_of[file, series] = size_of(file, series) if may_read else None
        return self._size_of[file, series]


def _number(name: str, cell: str) -> int:
    if (number := _non_negative_integer(cell)) is None:
        raise CellFault("not-a-z-plane" if name == "z" else "not-a-count", column=name, value=one_line(cell, 40))
    return number


def _length(name: str, cell: str) -> float:
    length = number_of(cell)
    if length is None or not PIXEL_SIZES_UM[0] <= length <= PIXEL_SIZES_UM[1]:
        raise CellFault("not-a-pixel-size", column=name, value=one_line(cell, 40))
    return length


def _channels(cell: str) -> tuple[Channel, ...]:
    """Return the channels of a cell, separated by spaces if all are numbers, else by commas and the like."""
    words = re.split(r"[,;+|\s]+", cell.strip(",;+|"))
    numbers = [number for word in words if (number := _non_negative_integer(word)) is not None]
    if len(numbers) == len(words):
        return tuple(numbers)
    names = [name.strip() for name in re.split(r"[,;+|]", cell) if name.strip()]
    if not names:
        raise CellFault("not-channels", value=one_line(cell, 40))
    return tuple(name if (number := _non_negative_integer(name)) is None else number for name in names)


def _non_negative_integer(cell: str) -> int | None:
    """Return a non-negative integer, or None."""
    number = number_of(cell)
    return int(number) if number is not None and number.is_integer() and number >= 0 else None


def _resolve(cell: str, table: ImageTable, finder: FileFinder) -> Path:
    """Return the file of a cell. Table files contain names as text, tables in memory unchanged names.

    Raises:
        CellFault: several files fit.
    """
    root = table.path.parent
    if "\\" in cell and os.sep == "/":
        written_on_windows = cell.replace("\\", "/")
        names = [cell, name_from_text(cell)] if table.is_in_memory else [name_from_text(cell), cell]
        cell = next((name for name in names if os.path.lexists(root / name)), written_on_windows)
    return finder.find(absolute_path(cell, root))


def _all_missing(table: ImageTable, cell: str, path: Path, n: int, finder: FileFinder) -> BadDataset:
    folder = None if table.is_in_memory else finder.folder_with(path.name, table.path.parent)
    return BadDataset(
        "no-file-exists",
        file=table.file,
        n_files=n,
        cell=one_line(cell),
        path=one_line(os.fspath(path), 200),
        is_in_current_folder=os.path.lexists(cell),
        has_folder=folder is not None,
        folder="" if folder is None else one_line(posix_below(folder, table.path.parent)),
        name=one_line(path.name),
    )


def _unknown_side(cell: str) -> CellFault:
    near = difflib.get_close_matches(cell.casefold(), SIDE_WORDS, n=1, cutoff=0.6)
    hint = f" {text('did-you-mean', name=near[0])}" if near else ""
    return CellFault("unknown-split-value", value=one_line(cell, 40), hint=hint)
