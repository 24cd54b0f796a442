"""Open datasets from their sources.

Opening lists file names while the user waits, so that errors are returned at once. The images are read in the
background afterwards.
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
from coverslip.workspace.datasets.keeping import store_images
from coverslip.workspace.datasets.listing import NO_COUNTS, DatasetState, Kind, describe
from coverslip.workspace.datasets.sample_datasets import LABELLED, SAMPLE_DATASETS
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.rows import (
    AnyRow,
    TableChoices,
    new_id,
    now,
    opened_as_json,
    refuse_missing,
    table_choices,
)
from coverslip.workspace.store.tables import datasets, images
from coverslip.workspace.store.workspace import Workspace

_BY_HEADER = TableChoices()
_KINDS: dict[str, Kind] = {"folders": "folders", "split folders": "folders", "table": "table", "files": "files"}


@dataclass(frozen=True, slots=True)
class Source:
    """A folder, table or file to open, and the name of its domain; None: the name of its folder."""

    path: str
    domain: str | None = None


def open_sources(
    workspace: Workspace,
    sources: Sequence[Source],
    *,
    name: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    is_labeled: bool = True,
    choices: TableChoices = _BY_HEADER,
    kind: Kind | None = None,
) -> DatasetState:
    """Open folders, tables or files as a new dataset, and start to read them.

    Args:
        workspace: the workspace.
        sources: existing paths below its roots; several become one dataset with a domain for each.
        name: the name; by default that of the sources.
        group, group_pattern, is_labeled: as for `coverslip.open_dataset`.
        choices: columns and crop size of its tables.
        kind: the kind, if it differs from that of the sources.

    Raises:
        BadDataset: as `coverslip.open_dataset`, or no image is in the readable folders.
    """
    sources = _checked(workspace, sources)
    group = group or choices.columns.get("group") or None
    opened = _opened(workspace, sources, group, group_pattern, is_labeled, choices)
    dataset_id = new_id()
    with writing(workspace.engine) as connection:
        connection.execute(
            insert(datasets).values(
                id=dataset_id,
                name=name or _name_of([source.path for source in sources]),
                kind=kind or kind_of(opened),
                sources=[asdict(source) for source in sources],
                is_labeled=is_labeled,
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
        store_images(connection, workspace, dataset_id, opened, {})
    reading_images.start(workspace, dataset_id)
    return describe(workspace, dataset_id)


def open_samples(workspace: Workspace) -> DatasetState:
    """Open the sample datasets, and return the labeled one. Their images are drawn on the first call."""
    with writing(workspace.engine) as connection:
        used_ids = set(connection.execute(select(datasets.c.id)).scalars())
        connection.execute(update(datasets).where(datasets.c.id.in_(SAMPLE_DATASETS)).values(forgotten=None))
        for samples in SAMPLE_DATASETS.values():
            if samples.id not in used_ids:
                connection.execute(
                    insert(datasets).values(
                        id=samples.id,
                        name=samples.name,
                        kind="samples",
                        sources=[asdict(Source(str(workspace.samples / samples.folder)))],
                        is_labeled=samples.is_labeled,
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
        reading_images.start(workspace, dataset_id)
    return describe(workspace, LABELLED)


def kind_of(dataset: Dataset) -> Kind:
    """Return the kind of a dataset by its sources."""
    return _KINDS[dataset.source]


def reopen_sources(workspace: Workspace, row: AnyRow, column: str | None, pattern: str | None) -> Dataset:
    """Open the sources of a dataset again, with these groups.

    Raises:
        MissingSource: a folder or table does not exist.
        BadDataset: as `coverslip.open_dataset`.
    """
    with workspace.engine.connect() as connection:
        shown = connection.execute(select(images.c.shown_path).where(images.c.dataset_id == row.id)).scalars().all()
    refuse_missing(row)
    sources = _checked(workspace, [Source(**source) for source in row.sources])
    return _opened(workspace, sources, column, pattern, row.is_labeled, table_choices(row), shown)


def open_from(
    workspace: Workspace, row: AnyRow, sources: Sequence[Source], column: str | None, pattern: str | None
) -> tuple[Dataset, list[Source]]:
    """Open other sources with the options of a dataset. Return the images, and the sources with real paths.

    Raises:
        BadDataset: as `coverslip.open_dataset`, or one is given twice or may not be read.
    """
    checked = _checked(workspace, sources)
    return _opened(workspace, checked, column, pattern, row.is_labeled, table_choices(row)), checked


def _checked(workspace: Workspace, sources: Sequence[Source]) -> list[Source]:
    """Return the sources with real paths, which may be read.

    Raises:
        BadDataset: one may not be read, is given twice, or has a name that is not text.
    """
    relative = [each.path for each in sources if not Path(each.path).is_absolute() and not each.path.startswith("~")]
    if relative:
        raise BadDataset("source-not-absolute", path=one_line(relative[0]))
    checked = [Source(str(workspace.allowed(source.path)), source.domain) for source in sources]
    unnamed = [source.path for source in checked if printable(source.path) != source.path]
    if unnamed:  # a link may lead to such a path, and JSON can contain text only
        raise BadDataset("source-not-text", file=Path(unnamed[0]))
    path, n = Counter(source.path for source in checked).most_common(1)[0]
    if n > 1:
        raise BadDataset("repeated-source", file=Path(path))
    return checked


def _opened(
    workspace: Workspace,
    sources: Sequence[Source],
    group: str | None,
    pattern: str | None,
    is_labeled: bool,
    choices: TableChoices,
    shown_paths: Sequence[str] | None = None,
) -> Dataset:
    """Open sources. A pattern is first tested on the paths, in a process that can be stopped."""
    if group is not None and pattern is not None:
        raise grouping.both_column_and_pattern()
    open_them = partial(
        open_dataset,
        [source.path for source in sources],
        labeled=is_labeled,
        domains=[source.domain for source in sources],
        columns=choices.columns,
        crop_size=choices.crop_size,
        may_read=workspace.may_read,
    )
    if pattern is None:
        return open_them(group=group)
    if shown_paths is None:
        ungrouped = open_them()
        shown_paths = [ungrouped.relative_path(record) for record in ungrouped.records]
    grouping.try_pattern(pattern, list(shown_paths))
    return open_them(group_pattern=pattern)


@dataclass(frozen=True, slots=True)
class Grouping:
    """How images are grouped: by a column of the table, by a pattern for paths, or not at all."""

    column: str | None = None
    pattern: str | None = None
    column_pattern: str | None = None  # the pattern that found the content of the column


def grouping_for(workspace: Workspace, row: AnyRow, group: str | None) -> Grouping:
    """Return the grouping by a recipe's `group`: by a column if the tables have it, else by a pattern."""
    if group is None:
        return Grouping()
    return Grouping(column=group) if group in grouping.columns(workspace, row.id) else Grouping(pattern=group)


def groups_of_images(workspace: Workspace, row: AnyRow, grouped: Grouping) -> dict[str, str | None]:
    """Return the group of every image by its ID, with another grouping of the dataset.

    Raises:
        BadDataset: there is no such column, or the pattern finds nothing or takes too long.
    """
    regrouped = reopen_sources(workspace, row, grouped.column, grouped.pattern)
    return {record.image_id: record.group for record in regrouped.records}


def _shown(path: Path) -> str:
    if not path.is_file():
        return path.name
    return f"{path.stem} ({path.parent.name})" if is_table(path) else path.parent.name


def _name_of(paths: list[str]) -> str:
    """Return a name from the folders and tables. Tables are shown with their folder: many are named `images.csv`."""
    names = list(dict.fromkeys(printable(_shown(Path(path))) for path in paths))
    shown = ", ".join(names[:3]) or "images"
    return shown if len(names) <= 3 else text("names-and-more", names=shown, n=len(names) - 3)
