"""Change datasets: their names, sources, groups and classes; read them again. Labels from the app are kept."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select, update

from coverslip.datasets import Dataset
from coverslip.errors import Conflict
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.classes import checked_names, checked_plan
from coverslip.workspace.datasets.grouping import refuse_classes
from coverslip.workspace.datasets.keeping import replace_images
from coverslip.workspace.datasets.listing import DatasetState, count_again, describe, mark_equal_pixels
from coverslip.workspace.datasets.sources import Source, kind_of, open_from, reopen_sources
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.rows import AnyRow, Json, dataset_row, load_dataset, opened_as_json
from coverslip.workspace.store.tables import datasets, images
from coverslip.workspace.store.workspace import Workspace


def change(workspace: Workspace, dataset_id: str, changes: Json) -> DatasetState:
    """Change the name, sources, groups, classes or class order of a dataset. Labels from the app are kept.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        changes: some of name, sources, group, group_pattern, class_plan, classes.

    Raises:
        NotFound: there is no such dataset.
        CoverslipError: a change is not valid; nothing is changed.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        values: Json = {}
        if changes.get("name"):
            values["name"] = changes["name"]
        if changes.get("class_plan") is not None:
            values["class_plan"] = checked_plan(connection, row, changes["class_plan"])
        if changes.get("classes") is not None:
            values["class_names"] = checked_names(changes["classes"])
    column, pattern = _groups_after(row, changes)
    has_other_groups = (column, pattern) != (row.group_column, row.group_pattern)
    if (has_other_groups or changes.get("sources")) and row.opened is None:
        raise Conflict("images-not-there")
    if changes.get("sources"):
        _replace_sources(workspace, row, [Source(**source) for source in changes["sources"]], column, pattern)
    elif has_other_groups:
        regrouped = reopen_sources(workspace, row, column, pattern)
        _refuse_classes(workspace, row, regrouped)
        _regroup(workspace, row, regrouped, column, pattern)
    if values:
        with writing(workspace.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(**values))
            if row.opened is not None and values.get("class_plan", row.class_plan) != row.class_plan:
                mark_equal_pixels(connection, dataset_id)
            count_again(connection, dataset_id)
    reading_images.resume(workspace)
    return describe(workspace, dataset_id)


def refresh(workspace: Workspace, dataset_id: str) -> DatasetState:
    """Read the sources again: new images are added, missing images are removed, labels from the app are kept.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: the sources cannot be opened any more; nothing is changed.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    if row.kind != "samples":
        _replace(workspace, dataset_id, reopen_sources(workspace, row, row.group_column, row.group_pattern))
    else:
        with workspace.background.held(reading_images.thread_of(dataset_id)), writing(workspace.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(state="reading"))
    reading_images.start(workspace, dataset_id)
    return describe(workspace, dataset_id)


def _groups_after(row: AnyRow, changes: Json) -> tuple[str | None, str | None]:
    """Return column and pattern after the changes: each replaces the other."""
    column, pattern = row.group_column, row.group_pattern
    named = [changes[key] for key in ("group", "group_pattern") if key in changes]
    if named and not any(named):
        return None, None
    if "group" in changes:
        column = changes["group"] or None
        pattern = None if column is not None else pattern
    if "group_pattern" in changes:
        pattern = changes["group_pattern"] or None
        column = None if pattern is not None and not changes.get("group") else column
    return column, pattern


def _refuse_classes(workspace: Workspace, row: AnyRow, regrouped: Dataset) -> None:
    """Raise BadDataset if the groups are identical to the classes, with the current labels."""
    with workspace.engine.connect() as connection:
        current = load_dataset(connection, row.id)
    by_id = {record.image_id: record.group for record in regrouped.records}
    refuse_classes(current, [by_id.get(record.image_id) for record in current.records])


def _regroup(workspace: Workspace, row: AnyRow, regrouped: Dataset, column: str | None, pattern: str | None) -> None:
    """Replace the groups. If the images are the same, facts about them are kept."""
    with writing(workspace.engine) as connection:
        rows = connection.execute(
            select(images.c.image_id, images.c.path, images.c.label_before)
            .where(images.c.dataset_id == row.id)
            .order_by(images.c.position)
        ).all()
        connection.execute(
            update(datasets).where(datasets.c.id == row.id).values(group_column=column, group_pattern=pattern)
        )
        if [tuple(image) for image in rows] == [(r.image_id, str(r.path), r.label) for r in regrouped.records]:
            connection.exec_driver_sql(
                'UPDATE images SET "group" = ? WHERE dataset_id = ? AND position = ?',
                [(record.group, row.id, position) for position, record in enumerate(regrouped.records)],
            )
            connection.execute(update(datasets).where(datasets.c.id == row.id).values(opened=opened_as_json(regrouped)))
            count_again(connection, row.id)
            return
    _replace(workspace, row.id, regrouped)


def _replace_sources(
    workspace: Workspace, row: AnyRow, sources: Sequence[Source], column: str | None, pattern: str | None
) -> None:
    """Replace the sources, or the names of their domains.

    Raises:
        BadDataset: the sources cannot be opened; nothing is changed.
    """
    opened, checked = open_from(workspace, row, sources, column, pattern)
    changed = {
        "sources": [asdict(source) for source in checked],
        "kind": row.kind if row.kind == "upload" else kind_of(opened),
        "group_column": column,
        "group_pattern": pattern,
    }
    _replace(workspace, row.id, opened, changed)


def _replace(workspace: Workspace, dataset_id: str, opened: Dataset, changed: Json | None = None) -> None:
    """Replace the images of a dataset. They must be read again."""
    with workspace.background.held(reading_images.thread_of(dataset_id)), writing(workspace.engine) as connection:
        if changed:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(**changed))
        replace_images(connection, workspace, dataset_id, opened)
