"""The meanings of a table's columns, and errors about missing and duplicate columns."""

import difflib
import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from coverslip.datasets.index.boxes import BoxColumns, Layout, find_box_columns, suggested_crop_size, used_box_columns
from coverslip.datasets.index.table import ImageTable
from coverslip.datasets.names import has_image_suffix, one_line, some
from coverslip.datasets.tables.columns import (
    IMAGE_TABLES,
    OBJECT_TABLE,
    chosen_columns,
    column_named,
    find_column,
    is_image_column,
    is_position,
    plain_name,
    refuse_duplicates,
    spelling_hint,
    unique_columns,
)
from coverslip.errors import BadDataset
from coverslip.images import MAX_CHANNEL_FILES, PLAN_COLUMNS
from coverslip.messages import GroupBy, MapColumn, Note, note, text
from coverslip.text_tables import number_of

_LIKELY_GROUPS = (
    *("patient", "subject", "donor", "case", "slide", "plate", "well", "experiment", "movie", "image"),
    *("field", "cell", "sample", "animal", "batch"),
)
_NAMES = IMAGE_TABLES.columns
_PREDICTION_COLUMNS = {"predicted", "decision"}
_N_FIRST_ROWS = 20
_FEWEST_CLASSES = 2


@dataclass(frozen=True, slots=True)
class Columns:
    """The column of each meaning; None: the table has none."""

    path: int
    other_files: tuple[int, ...]  # of the further channels, in their order
    label: int | None
    classes: tuple[int, ...]  # one column for each class, with 1 for its images and 0 for others, instead of labels
    group: int | None
    image_id: int | None
    split: int | None
    domain: int | None
    plan: Mapping[str, int]  # fields of the reading plan that the table has
    box: BoxColumns | None
    field: int | None  # of a table of objects: the field of view, which is the group of its objects by default
    outline: int | None  # of a table of objects


def with_mapping(table: ImageTable, mapping: Mapping[str, str]) -> ImageTable:
    """Return the table with the columns of some meanings: `{"path": "File", "label": "Class", "split": ""}`.

    Raises:
        BadDataset: there is no such meaning or column.
    """
    return replace(table, mapping=chosen_columns(table.columns, mapping, _NAMES, table.file))


def path_column(table: ImageTable) -> int | None:
    """Return the index of the path column, by its name, else the first column whose cells have image suffixes."""
    at = table.index("path")
    if at is not None or "path" in table.mapping:
        return at
    first = table.rows[:_N_FIRST_ROWS]
    mapped = set(table.mapping.values())
    return next(
        (
            k
            for k, column in enumerate(table.columns)
            if column not in mapped and all(has_image_suffix(row[k]) for row in first)
        ),
        None,
    )


def find_columns(
    table: ImageTable,
    *,
    group: str | None,
    wants_groups: bool,
    labeled: bool,
    crop_size: int | str | None,
    notes: list[Note],
) -> Columns:
    """Return the column of each meaning, and add notes about columns that name groups or may do so.

    Args:
        table: with its columns' names.
        group: the column that names groups; None takes a column named `group`.
        wants_groups: False if groups do not come from the table, so that no notes on group columns are needed.
        labeled: whether there must be a label column.
        crop_size: side of the square around a point; None: unknown.
        notes: notes on the table are added here.

    Raises:
        BadDataset: a column is missing, unknown, or duplicated.
    """
    read = {plain_name(name) for name in table.columns if is_image_column(name) or is_position(name)}
    refuse_duplicates(table.columns, read | {plain_name(group or "path")}, table.file)
    at_path = path_column(table)
    if at_path is None:
        raise _no_column(table, "path")
    if table.index("path") is None:
        notes.append(note("path-column", column=one_line(table.columns[at_path], 60)))
    _refuse_unread_times(table, at_path)
    at_label = table.index("label")
    has_labels = at_label is not None and any(row[at_label] for row in table.rows)
    if labeled and not has_labels and set(map(plain_name, table.columns)) >= _PREDICTION_COLUMNS:
        raise BadDataset("predictions-without-labels", file=table.file)
    classes = class_columns(table, group) if at_label is None and labeled else ()
    if classes:
        names = some((table.columns[at] for at in classes), 12)
        notes.append(note("labels-of-class-columns", n_classes=len(classes), names=names))
    elif at_label is None and labeled:
        raise _no_column(table, "label")
    plain_names = [plain_name(column) for column in table.columns]
    is_of_objects = {"field", "object_id"} <= set(plain_names)
    return Columns(
        path=at_path,
        other_files=_other_files(table, notes),
        label=at_label,
        classes=classes,
        group=_group_column(
            table, group, {at_path, at_label, *classes}, wants_groups, notes, is_of_objects=is_of_objects
        ),
        image_id=table.index("image_id"),
        split=table.index("split"),
        domain=table.index("domain"),
        plan={name: at for name in PLAN_COLUMNS if (at := table.index(name)) is not None},
        box=used_box_columns(table, at_path, crop_size),
        field=plain_names.index("field") if is_of_objects else None,
        outline=plain_names.index("outline") if is_of_objects and "outline" in plain_names else None,
    )


def _refuse_unread_times(table: ImageTable, at_path: int) -> None:
    """Refuse a column that is probably the time point, under a name that is accepted in tables of objects only.

    Raises:
        BadDataset: several rows of a file have different numbers there, so that all would be of the first time point.
    """
    at = find_column(table.columns, "t", OBJECT_TABLE, table.mapping)
    if at is None or table.index("t") is not None or "t" in table.mapping:
        return
    first: dict[str, str] = {}
    for row in table.rows:
        if number_of(row[at]) is not None and first.setdefault(row[at_path], row[at]) != row[at]:
            column, remedies = one_line(table.columns[at], 60), (MapColumn("t"),)
            raise BadDataset("unread-time-column", file=table.file, remedies=remedies, column=column)


def _other_files(table: ImageTable, notes: list[Note]) -> tuple[int, ...]:
    """Return the columns `channel_2`, `channel_3`, ..., which name files unless there are `path` and `channel_1`."""
    columns = [table.index(f"channel_{n}") for n in range(2, MAX_CHANNEL_FILES + 1)]
    numbered = [column for column in columns if column is not None]
    plain_names = [plain_name(column) for column in table.columns]
    if numbered and "channel_1" in plain_names and any(name in plain_names for name in _NAMES["path"][:-1]):
        notes.append(note("channel-columns"))
        return ()
    if columns[: len(numbered)] != numbered:
        raise BadDataset("gap-in-channel-columns", file=table.file)
    return tuple(numbered)


def other_columns(table: ImageTable, columns: Columns) -> list[int]:
    """Return the indices of the other columns, such as sex, stain, operator or day."""
    return _other_columns(table, {columns.path, columns.group, columns.outline, *columns.classes})


def listed_columns(table: ImageTable, columns: Columns) -> list[tuple[int, str]]:
    """Return the index and a unique name of each column that predictions copy, whatever its meaning.

    These are all but the columns that tables of predictions have themselves (`path`, `label` and `image_id`), pixels in
    memory and outlines. A column without a name is named after its number, unless it is empty.
    """
    meanings = {"path": columns.path, "label": columns.label, "image_id": columns.image_id}
    skipped = {columns.outline, columns.path if table.images else None}
    skipped |= {at for name, at in meanings.items() if at is not None and plain_name(table.columns[at]) == name}
    remaining = [at for at in range(len(table.columns)) if at not in skipped]
    unnamed = {at for at in remaining if not table.columns[at]}
    empty = unnamed and {at for at in unnamed if not any(row[at] for row in table.rows)}
    positions = [at for at in remaining if at not in empty]
    names = unique_columns([table.columns[at] or str(at + 1) for at in positions])
    return list(zip(positions, names, strict=True))


def _other_columns(table: ImageTable, used: Collection[int | None]) -> list[int]:
    used_columns = {*used, *map(table.index, _NAMES)}
    return [
        at for at, column in enumerate(table.columns) if at not in used_columns and column and not is_position(column)
    ]


# As pandas and spreadsheets write them, in English and German.
_ONE = re.compile(r"1(?:[.,]0*)?|true|wahr", re.IGNORECASE)
_ZERO = re.compile(r"0(?:[.,]0*)?|false|falsch", re.IGNORECASE)


def states_class(cell: str) -> bool:
    """Return whether a cell of a column of a class is 1 or true, so that the image has this class."""
    return _ONE.fullmatch(cell) is not None


def class_columns(table: ImageTable, group: str | None = None) -> tuple[int, ...]:
    """Return the columns that give labels together: one for each class, and exactly one of them has 1 in each row.

    Args:
        table: without a column of labels.
        group: the column that names groups.

    Raises:
        BadDataset: there are several columns of 0 and 1, but a row has no 1, or several.
    """
    if "label" in table.mapping:
        return ()
    at_group = None if group is None else column_named(table.columns, group)
    classes = _other_columns(table, {path_column(table), at_group})
    are_filled = set[int]()
    for row in table.rows:
        classes = [at for at in classes if not row[at] or states_class(row[at]) or _ZERO.fullmatch(row[at])]
        are_filled.update(at for at in classes if row[at])
        if len(classes) < _FEWEST_CLASSES:
            return ()
    classes = [at for at in classes if at in are_filled]
    if len(classes) < _FEWEST_CLASSES:
        return ()
    for row, line in zip(table.rows, table.lines, strict=True):
        n_ones = sum(states_class(row[at]) for at in classes)
        if n_ones != 1:
            raise BadDataset(
                "row-without-one-class",
                file=table.file,
                remedies=(MapColumn("label"),),
                place=table.place(line),
                n_ones=n_ones,
                names=some((table.columns[at] for at in classes), 12),
                columns=list(table.columns),
            )
    return tuple(classes)


def gives_labels(table: ImageTable) -> bool:
    """Return whether a table has a column of paths, and one of labels or one for each class."""
    if table.index("path") is None:
        return False
    try:
        return table.index("label") is not None or bool(class_columns(table))
    except BadDataset:
        return False


def _group_column(
    table: ImageTable,
    group: str | None,
    used_columns: set[int | None],
    wants_groups: bool,
    notes: list[Note],
    *,
    is_of_objects: bool,
) -> int | None:
    if group is not None:
        if (at := column_named(table.columns, group)) is not None:
            return at
        raise BadDataset(
            "unknown-group-column",
            file=table.file,
            column=one_line(group, 60),
            hint=spelling_hint(group, table.columns),
            columns=", ".join(table.columns),
        )
    if not wants_groups:
        return None
    used = table.index("group")
    if is_of_objects and (used is None or not any(row[used] for row in table.rows)):
        return None  # the field of an object is its group
    candidates = []
    for at, column in enumerate(table.columns):
        if at in used_columns or at == used or plain_name(column).removesuffix("_id") not in _LIKELY_GROUPS:
            continue
        n_values = len({row[at] for row in table.rows if row[at]})
        if 1 < n_values < len(table.rows):
            candidates.append((column, n_values))
    listed = ", ".join(text("column-with-values", column=column, n_values=n) for column, n in candidates)
    if used is not None:
        notes.append(note("grouped", column=table.columns[used], has_others=bool(candidates), others=listed))
    elif candidates:
        remedies = tuple(GroupBy(column) for column, _ in candidates)
        notes.append(note("not-grouped", level="warning", remedies=remedies, columns=listed, first=candidates[0][0]))
    return used


def _no_column(table: ImageTable, meaning: Literal["path", "label"]) -> BadDataset:
    plain_names = [plain_name(column) for column in table.columns]
    near = [c for alias in _NAMES[meaning] for c in difflib.get_close_matches(alias, plain_names, n=1, cutoff=0.7)]
    hint = f" {text('is-it-column', column=table.columns[plain_names.index(near[0])])}" if near else ""
    if table.is_in_memory and meaning == "label" and len(table.columns) == 1:
        return BadDataset("no-labels-given")
    if len(table.columns) == 1 and not table.is_in_memory:
        return BadDataset("single-column-table", file=table.file, column=one_line(table.columns[0], 80))
    return BadDataset(
        "missing-column",
        file=table.file,
        remedies=(MapColumn(meaning),),
        meaning=meaning,
        hint=hint,
        names=some(table.columns, 12),
        columns=list(table.columns),
    )


@dataclass(frozen=True, slots=True)
class TableContent:
    """The columns, first rows and inferred meanings of a table."""

    columns: tuple[str, ...]
    first_rows: tuple[tuple[str, ...], ...]
    n_rows: int
    n_files: int  # number of distinct files in its rows; 0 without a path column
    mapping: Mapping[str, str]  # from meaning to column: path, label, group, split, and positions
    class_columns: tuple[str, ...]  # one for each class, that give the labels together; empty: none
    layout: Layout | None  # of boxes or points; None: each row is a whole image
    suggested_crop_size: int | None


def describe_table(table: ImageTable, *, n_rows: int = 5) -> TableContent:
    """Return the columns of a table and their inferred meanings, without checks.

    Args:
        table: as read, optionally with a mapping.
        n_rows: number of first rows to return.
    """
    at_path = path_column(table)
    try:
        box = find_box_columns(table)
    except BadDataset:
        box = None
    column_indices = {meaning: table.index(meaning) for meaning in ("label", "group", "split")} | {"path": at_path}
    mapping = {meaning: table.columns[at] for meaning, at in column_indices.items() if at is not None}
    paths = set() if at_path is None else {row[at_path] for row in table.rows}
    are_positions = box is not None and (
        not box.are_points or len(paths) < len(table.rows) or set(box.meanings) <= table.mapping.keys()
    )
    if box is not None and are_positions:
        mapping |= dict(zip(box.meanings, box.names, strict=True))
    classes: tuple[int, ...] = ()
    side: int | None = None
    with suppress(BadDataset):
        classes = class_columns(table) if "label" not in mapping else ()
    with suppress(BadDataset):
        if box is not None and are_positions and box.are_points and at_path is not None:
            side = suggested_crop_size(table, at_path, box)
    return TableContent(
        columns=table.columns,
        first_rows=tuple(table.rows[:n_rows]),
        n_rows=len(table.rows),
        n_files=len(paths),
        mapping=mapping,
        class_columns=tuple(table.columns[at] for at in classes),
        layout=box.layout if box is not None and are_positions else None,
        suggested_crop_size=side,
    )
