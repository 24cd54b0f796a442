"""Which columns of a table say what, and clear words about those that are missing or stand there twice."""

import difflib
from collections import Counter
from dataclasses import dataclass

from coverslip.datasets.index.boxes import BoxColumns, find_box_columns
from coverslip.datasets.index.records import counted, one_line, some
from coverslip.datasets.index.table import ALIASES, RELATIVE, TABLE_NAMES, Table, plain_name
from coverslip.errors import BadDataset
from coverslip.images import MOST_CHANNEL_FILES
from coverslip.messages import GroupBy, Note

_MAYBE_GROUPS = (
    *("patient", "subject", "donor", "case", "slide", "plate", "well", "experiment", "movie", "image"),
    *("field", "cell", "sample", "animal", "batch"),
)


@dataclass(frozen=True, slots=True)
class Columns:
    """Where in a row each thing stands; None: the table does not say it."""

    path: int
    other_files: tuple[int, ...]  # of the further channels, in their order
    label: int | None
    group: int | None
    image_id: int | None
    split: int | None
    domain: int | None
    channel: int | None
    plane: int | None
    box: BoxColumns | None


def find_columns(table: Table, *, group: str | None, wants_groups: bool, labelled: bool, notes: list[Note]) -> Columns:
    """Where the table says what; `notes` gets a line about columns that name groups or may do so.

    Args:
        table: with its columns' names.
        group: the column that names groups; without it a column called `group` is used.
        wants_groups: False where groups come from elsewhere, so that no advice about columns is due.
        labelled: whether there must be a label column.
        notes: what is told about the table.

    Raises:
        BadDataset: a column is missing, unknown, or stands there twice.
    """
    _refuse_twins(table, group)
    at_path = table.index("path")
    if at_path is None:
        raise _no_column(table, "path", "the images' paths")
    at_label = table.index("label")
    if at_label is None and labelled:
        raise _no_column(table, "label", "the labels")
    return Columns(
        path=at_path,
        other_files=_other_files(table, notes),
        label=at_label,
        group=_group_column(table, group, {at_path, at_label}, wants_groups, notes),
        image_id=table.index("image_id"),
        split=table.index("split"),
        domain=table.index("domain"),
        channel=table.index("channel"),
        plane=table.index("plane"),
        box=find_box_columns(table),
    )


def _other_files(table: Table, notes: list[Note]) -> tuple[int, ...]:
    """The columns `channel_2`, `channel_3`, ..., which hold files unless `path` stands beside `channel_1`."""
    columns = [table.index(f"channel_{n}") for n in range(2, MOST_CHANNEL_FILES + 1)]
    named = [column for column in columns if column is not None]
    known = [plain_name(column) for column in table.columns]
    if named and "channel_1" in known and any(name in known for name in ALIASES["path"][:-1]):
        text = "The table names files in one column, so its columns channel_1, channel_2, ... were passed over."
        notes.append(Note("channel-columns", text))
        return ()
    if columns[: len(named)] != named:
        raise BadDataset(
            "The columns of the channels' files do not follow each other",
            file=table.file,
            do="Name them channel_1, channel_2, and so on, without a gap.",
        )
    return tuple(named)


def other_columns(table: Table, columns: Columns) -> list[int]:
    """Which columns say something of images that nothing here has a word for: sex, stain, operator, day."""
    relative = {f"{name}{suffix}" for name in TABLE_NAMES for suffix in RELATIVE}
    taken = {columns.group, *map(table.index, ALIASES)}
    return [
        at
        for at, column in enumerate(table.columns)
        if at not in taken and column and plain_name(column) not in relative
    ]


def _group_column(
    table: Table, group: str | None, taken: set[int | None], wants_groups: bool, notes: list[Note]
) -> int | None:
    if group is not None:
        known = [plain_name(column) for column in table.columns]
        if plain_name(group) in known:
            return known.index(plain_name(group))
        near = difflib.get_close_matches(plain_name(group), known, n=1, cutoff=0.5)
        hint = f" (did you mean '{table.columns[known.index(near[0])]}'?)" if near else ""
        raise BadDataset(
            f"The table has no column '{one_line(group, 60)}' to group by{hint}",
            file=table.file,
            do=f"Its columns are {', '.join(table.columns)}.",
        )
    if not wants_groups:
        return None
    used = table.index("group")
    others = []
    for at, column in enumerate(table.columns):
        if at in taken or at == used or plain_name(column).removesuffix("_id") not in _MAYBE_GROUPS:
            continue
        n_values = len({row[at] for row in table.rows if row[at]})
        if 1 < n_values < len(table.rows):
            others.append((column, n_values))
    listed = ", ".join(f"{column} ({counted(n, 'value')})" for column, n in others)
    if used is not None:
        also = f" Other columns that may name groups: {listed}." if others else ""
        text = f"Groups are taken from the column '{table.columns[used]}'.{also}"
        notes.append(Note("grouped", text, values={"column": table.columns[used]}))
    elif others:
        text = (
            f"The table has columns that may name groups: {listed}. No group was chosen, so images of the "
            f"same {others[0][0]} can stand in training and test at once, which flatters the numbers; choose one."
        )
        ways = tuple(GroupBy(column) for column, _ in others)
        notes.append(Note("not-grouped", text, level="warning", remedies=ways))
    return used


def _refuse_twins(table: Table, group: str | None) -> None:
    """Two columns of one name may say different things, and nobody could tell which was used.

    Raises:
        BadDataset: two columns that would be read here have the same name.
    """
    relative = {f"{name}{suffix}" for name in TABLE_NAMES for suffix in RELATIVE}
    read = TABLE_NAMES | relative | ({plain_name(group)} if group else set())
    times = Counter(plain_name(column) for column in table.columns)
    twins = [column for column in table.columns if times[plain_name(column)] > 1 and plain_name(column) in read]
    if twins:
        raise BadDataset(
            f"The table has {times[plain_name(twins[0])]} columns called '{one_line(twins[0], 60)}'",
            file=table.file,
            do="Take all but one of them out, or give them other names.",
        )


def _no_column(table: Table, meaning: str, holds: str) -> BadDataset:
    known = [plain_name(column) for column in table.columns]
    near = [c for alias in ALIASES[meaning] for c in difflib.get_close_matches(alias, known, n=1, cutoff=0.7)]
    hint = f" (is it '{table.columns[known.index(near[0])]}'?)" if near else ""
    if table.is_in_memory and meaning == "label" and len(table.columns) == 1:
        return BadDataset(
            "The images were given without labels",
            do="Give them in one table with their labels: {'image': images, 'label': labels}.",
        )
    if len(table.columns) == 1 and not table.is_in_memory:
        return BadDataset(
            f"The table has one column only, '{one_line(table.columns[0], 80)}'",
            file=table.file,
            do="Part the columns by commas, semicolons or tabs, and name them in the first line: path,label.",
        )
    return BadDataset(
        f"The table has no column for {holds}{hint}; its columns are {some(table.columns, 12)}",
        file=table.file,
        do=f"Name it '{meaning}' in the first line. Also accepted: {', '.join(ALIASES[meaning][1:])}.",
    )
