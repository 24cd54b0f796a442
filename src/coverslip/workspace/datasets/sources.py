"""Open datasets from their sources, and change them: names, sources, groups and classes.

Opening lists file names while the user waits, so that errors are returned at once. The images are read in the
background afterwards. Changes keep labels from the app.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy import Connection, insert, select, update

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.index.opening import NO_GROUPS, has_class_folders, open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import one_line, printable
from coverslip.datasets.text_tables import is_table
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadDataset, Conflict
from coverslip.images.reader import ReadPlan
from coverslip.messages import text
from coverslip.workspace.datasets import grouping, reading_images
from coverslip.workspace.datasets.grouping import check_grouping
from coverslip.workspace.datasets.image_rows import find_file_hashes, replace_images, store_images
from coverslip.workspace.datasets.reading_images import LABELED_SAMPLES, SAMPLE_DATASETS
from coverslip.workspace.datasets.state import (
    NO_COUNTS,
    DatasetState,
    Kind,
    dataset_state,
    mark_equal_pixels,
    update_counts,
    validated_names,
    validated_plan,
)
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import (
    WHOLE,
    AnyRow,
    Json,
    change_rows,
    dataset_row,
    load_dataset,
    new_id,
    now,
    opened_as_json,
    plan_of_choice,
    plan_of_dataset,
    refuse_missing,
    table_choices,
)
from coverslip.workspace.store.tables import datasets, images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import Text

_HEADERS_ONLY = TableChoices()
_LISTED_BY = ("sources", "group_column", "group_pattern", "group_merge", "pixel_choice")  # the images of a dataset
_KINDS: dict[str, Kind] = {"folders": "folders", "split folders": "folders", "table": "table", "files": "files"}


Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Source(DocumentedFields):
    """A folder, table or file, and the domain of its images."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    path: Annotated[Text, Field(examples=["/data/cells"])]
    """A folder of class folders, or a table; without labels, also a plain folder or file."""
    domain: Name | None = None
    """A laboratory, device or day. Default: named after the folder. Equal names are one domain."""


def open_sources(
    workspace: Workspace,
    sources: Sequence[Source],
    *,
    name: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    is_labeled: bool = True,
    classes: Collection[str] = (),
    choices: TableChoices = _HEADERS_ONLY,
    pixels: Json | None = None,
    kind: Kind | None = None,
) -> DatasetState:
    """Open folders, tables or files as a new dataset, and start to read them.

    Args:
        workspace: the workspace.
        sources: existing paths below its roots; several become one dataset with a domain for each.
        name: the name; by default that of the sources.
        group, group_pattern, is_labeled: as for `coverslip.open_dataset`.
        classes: of a classifier that will predict the images. They are labeled if each source is a folder with a class
            folder of one of these names.
        choices: columns and crop size of its tables.
        pixels: the series, time point, z-plane, channels and level that are read, unless a row of a table states them.
        kind: the kind, if it differs from that of the sources.

    Raises:
        BadDataset: as `coverslip.open_dataset`, or no image is in the readable folders.
    """
    sources = _validated(workspace, sources)
    if classes and not is_labeled:
        is_labeled = all(has_class_folders(Path(source.path), classes) for source in sources)
    group = group or choices.columns.get("group") or None
    plan = plan_of_choice(pixels, choices)
    opened = _open_dataset(workspace, sources, group, group_pattern, is_labeled, choices, plan=plan)
    dataset_id = new_id()
    with write_transaction(workspace.engine) as connection:
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
                pixel_choice=pixels,
                summary=NO_COUNTS,
                revision=0,
                state="reading",
                created=now(),
            )
        )
        store_images(connection, workspace, dataset_id, opened)
    reading_images.start(workspace, dataset_id)
    return dataset_state(workspace, dataset_id)


def open_samples(workspace: Workspace) -> DatasetState:
    """Open the sample datasets, and return the labeled one. Their images are drawn on the first call."""
    with write_transaction(workspace.engine) as connection:
        used_ids = set(connection.execute(select(datasets.c.id)).scalars())
        connection.execute(update(datasets).where(datasets.c.id.in_(SAMPLE_DATASETS)).values(removed=None))
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
    return dataset_state(workspace, LABELED_SAMPLES)


def kind_of(dataset: Dataset) -> Kind:
    """Return the kind of a dataset by its sources."""
    return _KINDS[dataset.source]


def reopen_sources(
    workspace: Workspace,
    row: AnyRow,
    column: str | None,
    pattern: str | None,
    plan: ReadPlan | None = None,
    *,
    ignores_groups: bool = False,
) -> Dataset:
    """Open the sources of a dataset again, with these groups, and with another plan if there is one.

    With `ignores_groups`, a column of groups is not read, as with `NO_GROUPS` in a recipe.

    Raises:
        MissingSource: a folder or table does not exist.
        BadDataset: as `coverslip.open_dataset`.
    """
    with workspace.engine.connect() as connection:
        shown_paths = (
            connection.execute(select(images.c.shown_path).where(images.c.dataset_id == row.id)).scalars().all()
        )
    refuse_missing(row)
    sources = _validated(workspace, [Source(**source) for source in row.sources])
    plan, choices = plan or plan_of_dataset(row), table_choices(row)
    if ignores_groups:
        choices = replace(choices, columns={**choices.columns, "group": ""})
    return _open_dataset(workspace, sources, column, pattern, row.is_labeled, choices, shown_paths, plan)


def _validated(workspace: Workspace, sources: Sequence[Source]) -> list[Source]:
    """Return the sources with real paths, which may be read.

    Raises:
        BadDataset: one may not be read, is given twice, or has a name that is not text.
    """
    relative = [each.path for each in sources if not Path(each.path).is_absolute() and not each.path.startswith("~")]
    if relative:
        raise BadDataset("source-not-absolute", path=one_line(relative[0]))
    real_sources = [Source(str(workspace.allowed(source.path)), source.domain) for source in sources]
    unnamed = [source.path for source in real_sources if printable(source.path) != source.path]
    if unnamed:  # a link may lead to such a path, and JSON can contain text only
        raise BadDataset("source-not-text", file=Path(unnamed[0]))
    path, n = Counter(source.path for source in real_sources).most_common(1)[0]
    if n > 1:
        raise BadDataset("repeated-source", file=Path(path))
    return real_sources


def _open_dataset(
    workspace: Workspace,
    sources: Sequence[Source],
    group: str | None,
    pattern: str | None,
    is_labeled: bool,
    choices: TableChoices,
    shown_paths: Sequence[str] | None = None,
    plan: ReadPlan = WHOLE,
) -> Dataset:
    """Open sources. A pattern is first tested on the paths, in a process that can be stopped."""
    if group is not None and pattern is not None:
        raise BadDataset("both-column-and-pattern")
    open_with = partial(
        open_dataset,
        [source.path for source in sources],
        labeled=is_labeled,
        distinct=True,
        domains=[source.domain for source in sources],
        columns=choices.columns,
        crop_size=choices.crop_size,
        plan=plan,
        may_read=workspace.may_read,
    )
    if pattern is None:
        return open_with(group=group)
    if shown_paths is None:
        ungrouped = open_with()
        shown_paths = [ungrouped.relative_path(record) for record in ungrouped.records]
    grouping.check_pattern(pattern, list(shown_paths))
    return open_with(group_pattern=pattern)


@dataclass(frozen=True, slots=True)
class Grouping:
    """How images are grouped: by a column of the table, by a pattern for paths, or else as the table states."""

    column: str | None = None
    pattern: str | None = None
    column_pattern: str | None = None  # the pattern that found the content of the column
    ignores_groups: bool = False  # those that the table states, too


def grouping_for(workspace: Workspace, row: AnyRow, group: str | None) -> Grouping:
    """Return the grouping by a recipe's `group`: a column if the tables have it, else a pattern, or `NO_GROUPS`."""
    if group is None or group == NO_GROUPS:
        return Grouping(ignores_groups=group == NO_GROUPS)
    return Grouping(column=group) if group in grouping.common_columns(workspace, row.id) else Grouping(pattern=group)


def groups_of_images(workspace: Workspace, row: AnyRow, grouped: Grouping) -> dict[str, str | None]:
    """Return the group of every image by its ID, with another grouping of the dataset, without joined groups.

    Raises:
        BadDataset: there is no such column, or the pattern finds nothing or takes too long.
    """
    with_groups = reopen_sources(workspace, row, grouped.column, grouped.pattern, ignores_groups=grouped.ignores_groups)
    return {record.image_id: record.group for record in with_groups.records}


def _source_name(path: Path) -> str:
    if not path.is_file():
        return path.name
    return f"{path.stem} ({path.parent.name})" if is_table(path) else path.parent.name


def _name_of(paths: list[str]) -> str:
    """Return a name from the folders and tables. Tables are shown with their folder: many are named `images.csv`."""
    names = list(dict.fromkeys(printable(_source_name(Path(path))) for path in paths))
    name = ", ".join(names[:3]) or "images"
    return name if len(names) <= 3 else text("names-and-more", names=name, n=len(names) - 3)


def change_dataset(
    workspace: Workspace, dataset_id: str, changes: Json, *, since: AnyRow | None = None
) -> DatasetState:
    """Change the name, sources, groups, classes or class order of a dataset. Labels from the app are kept.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        changes: some of name, sources, group, group_pattern, group_merge, class_plan, classes, pixels, display.
        since: the row of the dataset that the changes were derived from; None: the current row.

    Raises:
        NotFound: there is no such dataset.
        CoverslipError: a change is not valid, or other sources, groups or pixels were set since; nothing is changed.
    """
    with workspace.engine.connect() as connection:
        row = since or dataset_row(connection, dataset_id)
        values: Json = {}
        if changes.get("name"):
            values["name"] = changes["name"]
        if changes.get("class_plan") is not None:
            values["class_plan"] = validated_plan(connection, row, changes["class_plan"])
        if changes.get("classes") is not None:
            values["class_names"] = validated_names(changes["classes"])
        if changes.get("display") is not None:
            values["display"] = changes["display"] or None
    column, pattern = _groups_after(row, changes)
    has_other_groups = (column, pattern) != (row.group_column, row.group_pattern)
    merge = row.group_merge
    if changes.get("group_merge") is not None:
        merge = grouping.validated_merge(changes["group_merge"])
    elif has_other_groups:
        merge = {}  # its names were those of the former groups
    has_other_groups = has_other_groups or merge != row.group_merge
    has_other_pixels = changes.get("pixels") is not None and changes["pixels"] != row.pixel_choice
    if (has_other_groups or has_other_pixels or changes.get("sources")) and row.opened is None:
        raise Conflict("images-not-there")
    plan = plan_before = plan_of_dataset(row)
    if has_other_pixels:  # perhaps the choice confirms the default
        values["pixel_choice"], plan = changes["pixels"], plan_of_choice(changes["pixels"], table_choices(row))
    if has_other_groups:
        values |= {"group_column": column, "group_pattern": pattern, "group_merge": merge}
    opened: Dataset | None = None
    if changes.get("sources"):
        sources = _validated(workspace, [Source(**source) for source in changes["sources"]])
        opened = _open_dataset(workspace, sources, column, pattern, row.is_labeled, table_choices(row), plan=plan)
        values["sources"] = [asdict(source) for source in sources]
        values["kind"] = row.kind if row.kind == "upload" else kind_of(opened)
    elif has_other_groups or plan != plan_before:
        opened = reopen_sources(workspace, row, column, pattern, plan)
    if opened is None:
        _set_values(workspace, row, values)
    else:
        opened = grouping.with_merged_groups(opened, merge)
        has_same_files = "sources" not in values and plan == plan_before
        if has_other_groups and "sources" not in values:
            _check_grouping(workspace, row, opened)
        if not (has_same_files and _regroup(workspace, row, opened, values)):
            _replace(workspace, row, opened, values)
    reading_images.resume(workspace)
    return dataset_state(workspace, dataset_id)


def refresh_dataset(workspace: Workspace, dataset_id: str) -> DatasetState:
    """Read the sources again: new images are added, missing ones are kept apart, and labels stay on their images.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: the sources cannot be opened any more; nothing is changed.
        Conflict: another request changed the sources, groups or pixels meanwhile.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    if row.kind != "samples":
        opened = reopen_sources(workspace, row, row.group_column, row.group_pattern)
        _replace(workspace, row, grouping.with_merged_groups(opened, row.group_merge), {})
    else:
        with (
            workspace.background.held(reading_images.thread_of(dataset_id)),
            write_transaction(workspace.engine) as connection,
        ):
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(state="reading"))
        reading_images.start(workspace, dataset_id)
    return dataset_state(workspace, dataset_id)


def _groups_after(row: AnyRow, changes: Json) -> tuple[str | None, str | None]:
    """Return column and pattern after the changes: each replaces the other."""
    column, pattern = row.group_column, row.group_pattern
    new_values = [changes[key] for key in ("group", "group_pattern") if key in changes]
    if new_values and not any(new_values):
        return None, None
    if "group" in changes:
        column = changes["group"] or None
        pattern = None if column is not None else pattern
    if "group_pattern" in changes:
        pattern = changes["group_pattern"] or None
        column = None if pattern is not None and not changes.get("group") else column
    return column, pattern


def _check_grouping(workspace: Workspace, row: AnyRow, with_groups: Dataset) -> None:
    """Raise BadDataset if the groups are identical to the classes, with the current labels."""
    with workspace.engine.connect() as connection:
        current = load_dataset(connection, row.id)
    by_id = {record.image_id: record.group for record in with_groups.records}
    check_grouping(current, [by_id.get(record.image_id) for record in current.records])


def _set_values(workspace: Workspace, row: AnyRow, values: Json) -> None:
    """Write values of a dataset that do not affect which images it has."""
    if not values:
        return
    with write_transaction(workspace.engine) as connection:
        connection.execute(update(datasets).where(datasets.c.id == row.id).values(**values))
        if row.opened is not None and values.get("class_plan", row.class_plan) != row.class_plan:
            mark_equal_pixels(connection, row.id)
        if values.keys() != {"display"}:  # no other result depends on it
            update_counts(connection, row.id)


def _regroup(workspace: Workspace, row: AnyRow, with_groups: Dataset, values: Json) -> bool:
    """Replace the groups, and write values of the dataset, if its images are the same. Facts about them are kept.

    Return whether they are the same; otherwise nothing is changed.
    """
    with write_transaction(workspace.engine) as connection:
        _refuse_other_sources(connection, row)
        rows = connection.execute(
            select(
                images.c.row_id, *(images.c[name] for name in ("image_id", "path", "label_before", "predefined_split"))
            )
            .where(images.c.dataset_id == row.id)
            .order_by(images.c.position)
        ).all()
        listed = [(r.image_id, str(r.path), r.label, r.predefined_split) for r in with_groups.records]
        if [tuple(image[1:]) for image in rows] != listed:
            return False
        pairs = zip(rows, with_groups.records, strict=True)
        grouped = [  # a column that gives groups is not a further column
            {"row_id": image.row_id, "group": record.group, "about": list(record.about) or None}
            for image, record in pairs
        ]
        change_rows(connection, images, grouped)
        values = {**values, "opened": opened_as_json(with_groups)}
        connection.execute(update(datasets).where(datasets.c.id == row.id).values(**values))
        if "class_plan" in values:
            mark_equal_pixels(connection, row.id)
        update_counts(connection, row.id)
        return True


def _replace(workspace: Workspace, row: AnyRow, dataset: Dataset, values: Json) -> None:
    """Replace the images of a dataset, write values of it, and start to read the images.

    Raises:
        Conflict: another request changed the sources, groups or pixels since `row` was read.
    """
    try:
        with workspace.background.held(reading_images.thread_of(row.id)):
            hashes = find_file_hashes(workspace, row.id, dataset)
            with write_transaction(workspace.engine) as connection:
                _refuse_other_sources(connection, row)
                if values:
                    connection.execute(update(datasets).where(datasets.c.id == row.id).values(**values))
                replace_images(connection, workspace, row.id, dataset, hashes)
    finally:
        reading_images.start(workspace, row.id)  # also what was stopped before this was refused


def _refuse_other_sources(connection: Connection, row: AnyRow) -> None:
    """Raise Conflict if the images were listed by other sources, groups or pixels than those that are stored now."""
    current = dataset_row(connection, row.id)
    if any(getattr(current, name) != getattr(row, name) for name in _LISTED_BY):
        raise Conflict("dataset-changed-meanwhile")
