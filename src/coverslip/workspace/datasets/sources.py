"""Where the images of a dataset come from, and opening it from there.

Opening lists names and is done while the user waits, so that faults are told at once; the images themselves are read
in the background afterwards.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import insert, select, update

from coverslip.datasets import Dataset, is_table, one_line, open_dataset, printable
from coverslip.errors import BadDataset
from coverslip.messages import text
from coverslip.workspace.datasets import grouping, reading_images
from coverslip.workspace.datasets.counting import NO_COUNTS
from coverslip.workspace.datasets.keeping import store_images
from coverslip.workspace.datasets.listing import DatasetState, Kind, describe
from coverslip.workspace.datasets.samples import LABELLED, SAMPLE_DATASETS
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import TableChoices, opened_as_json, table_choices
from coverslip.workspace.store.rows import AnyRow, new_id, now, refuse_missing
from coverslip.workspace.store.tables import datasets, images

_BY_HEADER = TableChoices()
_KINDS: dict[str, Kind] = {"folders": "folders", "split folders": "folders", "table": "table", "files": "files"}


@dataclass(frozen=True, slots=True)
class Source:
    """A folder, table or file to open, and the name of its domain; None: that of its folder."""

    path: str
    domain: str | None = None


def open_sources(
    home: Workspace,
    sources: Sequence[Source],
    *,
    name: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    is_labelled: bool = True,
    choices: TableChoices = _BY_HEADER,
    kind: Kind | None = None,
) -> DatasetState:
    """Open folders, tables or files as a new dataset, and begin to read them.

    Args:
        home: the workspace.
        sources: existing paths below its roots; several become one dataset, each its own domain.
        name: default: after the sources.
        group, group_pattern, is_labelled: as for `coverslip.open_dataset`.
        choices: columns and crop size of its tables.
        kind: other than what the sources are.

    Raises:
        BadDataset: as `coverslip.open_dataset`, or no image lies where the app may read.
    """
    sources = _checked(home, sources)
    group = group or choices.columns.get("group") or None
    opened = _opened(home, sources, group, group_pattern, is_labelled, choices)
    dataset_id = new_id()
    with writing(home.engine) as connection:
        connection.execute(
            insert(datasets).values(
                id=dataset_id,
                name=name or _name_of([source.path for source in sources]),
                kind=kind or kind_of(opened),
                sources=[asdict(source) for source in sources],
                is_labelled=is_labelled,
                group_column=group,
                group_pattern=group_pattern,
                class_names=list(opened.classes),
                class_plan={},
                opened=opened_as_json(opened),
                summary=NO_COUNTS,
                revision=0,
                state="reading",
                created=now(),
            )
        )
        store_images(connection, home, dataset_id, opened, {})
    reading_images.start(home, dataset_id)
    return describe(home, dataset_id)


def open_samples(home: Workspace) -> DatasetState:
    """The labelled sample images as a dataset; it and new ones to predict are drawn when this is first asked for."""
    with writing(home.engine) as connection:
        used_ids = set(connection.execute(select(datasets.c.id)).scalars())
        connection.execute(update(datasets).where(datasets.c.id.in_(SAMPLE_DATASETS)).values(forgotten=None))
        for samples in SAMPLE_DATASETS.values():
            if samples.id not in used_ids:
                connection.execute(
                    insert(datasets).values(
                        id=samples.id,
                        name=samples.name,
                        kind="samples",
                        sources=[asdict(Source(str(home.samples / samples.folder)))],
                        is_labelled=samples.is_labelled,
                        group_pattern=samples.groups,
                        class_names=[],
                        class_plan={},
                        summary=NO_COUNTS,
                        revision=0,
                        state="reading",
                        created=now(),
                    )
                )
    for dataset_id in SAMPLE_DATASETS:
        reading_images.start(home, dataset_id)
    return describe(home, LABELLED)


def kind_of(found: Dataset) -> Kind:
    """What the sources of a dataset are."""
    return _KINDS[found.source]


def opened_again(home: Workspace, row: AnyRow, column: str | None, pattern: str | None) -> Dataset:
    """The images of a dataset as they lie there now, in these groups.

    Raises:
        MissingSource: a folder or table is not there now.
        BadDataset: as `coverslip.open_dataset`.
    """
    with home.engine.connect() as connection:
        shown = connection.execute(select(images.c.shown_path).where(images.c.dataset_id == row.id)).scalars().all()
    refuse_missing(row)
    sources = _checked(home, [Source(**source) for source in row.sources])
    return _opened(home, sources, column, pattern, row.is_labelled, table_choices(row), shown)


def opened_from(
    home: Workspace, row: AnyRow, sources: Sequence[Source], column: str | None, pattern: str | None
) -> tuple[Dataset, list[Source]]:
    """The images of other sources, opened as those of a dataset were, and the sources with real paths.

    Raises:
        BadDataset: as `coverslip.open_dataset`, or one is given twice or may not be read.
    """
    checked = _checked(home, sources)
    return _opened(home, checked, column, pattern, row.is_labelled, table_choices(row)), checked


def _checked(home: Workspace, sources: Sequence[Source]) -> list[Source]:
    """The sources with real paths, which may be read.

    Raises:
        BadDataset: one may not be, is named twice, or has a name that cannot be kept.
    """
    relative = [each.path for each in sources if not Path(each.path).is_absolute() and not each.path.startswith("~")]
    if relative:
        raise BadDataset("source-not-absolute", path=one_line(relative[0]))
    checked = [Source(str(home.allowed(source.path)), source.domain) for source in sources]
    unnamed = [source.path for source in checked if printable(source.path) != source.path]
    if unnamed:  # a link may lead to such a place, and JSON holds text only
        raise BadDataset("source-not-text", file=Path(unnamed[0]))
    path, n = Counter(source.path for source in checked).most_common(1)[0]
    if n > 1:
        raise BadDataset("repeated-source", file=Path(path))
    return checked


def _opened(
    home: Workspace,
    sources: Sequence[Source],
    group: str | None,
    pattern: str | None,
    is_labelled: bool,
    choices: TableChoices,
    shown_paths: Sequence[str] | None = None,
) -> Dataset:
    """The images, grouped by a pattern only after a try of it, on their paths, in a process that can be ended."""
    if group is not None and pattern is not None:
        raise grouping.both_column_and_pattern()
    open_them = partial(
        open_dataset,
        [source.path for source in sources],
        labelled=is_labelled,
        domains=[source.domain for source in sources],
        columns=choices.columns,
        crop_size=choices.crop_size,
        may_read=home.may_read,
    )
    if pattern is None:
        return open_them(group=group)
    if shown_paths is None:
        ungrouped = open_them()
        shown_paths = [ungrouped.relative_path(record) for record in ungrouped.records]
    grouping.try_pattern(pattern, list(shown_paths))
    return open_them(group_pattern=pattern)


@dataclass(frozen=True, slots=True)
class GroupedBy:
    """What says which images belong together: a column of the table, a pattern for paths, or nothing."""

    column: str | None = None
    pattern: str | None = None
    column_pattern: str | None = None  # that found what a column of a training's table holds


def grouped_by(home: Workspace, row: AnyRow, group: str | None) -> GroupedBy:
    """What a recipe's `group` means for a dataset: a column where its tables have one of that name, else a pattern."""
    if group is None:
        return GroupedBy()
    return GroupedBy(column=group) if group in grouping.columns(home, row.id) else GroupedBy(pattern=group)


def groups_by(home: Workspace, row: AnyRow, grouped: GroupedBy) -> dict[str, str | None]:
    """The group of every image, by its id, if the dataset were grouped so.

    Raises:
        BadDataset: there is no such column, or the pattern finds nothing or takes too long.
    """
    regrouped = opened_again(home, row, grouped.column, grouped.pattern)
    return {record.image_id: record.group for record in regrouped.records}


def _shown(path: Path) -> str:
    if not path.is_file():
        return path.name
    return f"{path.stem} ({path.parent.name})" if is_table(path) else path.parent.name


def _name_of(paths: list[str]) -> str:
    """After the folders and tables; a table's folder stands beside it, since many are called `images.csv`."""
    names = list(dict.fromkeys(printable(_shown(Path(path))) for path in paths))
    shown = ", ".join(names[:3]) or "images"
    return shown if len(names) <= 3 else text("names-and-more", names=shown, n=len(names) - 3)
