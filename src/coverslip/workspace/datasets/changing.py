"""Datasets that are open, changed: named, grouped or classed otherwise, or looked at again. Labels given here stay."""

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import select, update

from coverslip.datasets import Dataset
from coverslip.errors import Conflict
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.classes import checked_names, checked_plan
from coverslip.workspace.datasets.counting import count_again, mark_equal_pixels
from coverslip.workspace.datasets.grouping import refuse_classes
from coverslip.workspace.datasets.keeping import replace_images
from coverslip.workspace.datasets.listing import DatasetState, describe
from coverslip.workspace.datasets.sources import Source, kind_of, opened_again, opened_from
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_dataset, opened_as_json
from coverslip.workspace.store.rows import AnyRow, Json, dataset_row
from coverslip.workspace.store.tables import datasets, images


def change(home: Workspace, dataset_id: str, changes: Json) -> DatasetState:
    """Change a dataset's name, sources, groups, classes or their order; labels given in the app stay.

    Args:
        home: the workspace.
        dataset_id: which dataset.
        changes: some of name, sources, group, group_pattern, class_plan, classes.

    Raises:
        NotFound: there is no such dataset.
        CoverslipError: something of it is not valid; then nothing is changed.
    """
    with home.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        values: Json = {}
        if changes.get("name"):
            values["name"] = changes["name"]
        if changes.get("class_plan") is not None:
            values["class_plan"] = checked_plan(connection, row, changes["class_plan"])
        if changes.get("classes") is not None:
            values["class_names"] = checked_names(changes["classes"])
    column, pattern = _groups_asked(row, changes)
    has_other_groups = (column, pattern) != (row.group_column, row.group_pattern)
    if (has_other_groups or changes.get("sources")) and row.opened is None:
        raise Conflict("images-not-there")
    if changes.get("sources"):
        _take_from(home, row, [Source(**source) for source in changes["sources"]], column, pattern)
    elif has_other_groups:
        regrouped = opened_again(home, row, column, pattern)
        _refuse_classes(home, row, regrouped)
        _regroup(home, row, regrouped, column, pattern)
    if values:
        with writing(home.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(**values))
            if row.opened is not None and values.get("class_plan", row.class_plan) != row.class_plan:
                mark_equal_pixels(connection, dataset_id)
            count_again(connection, dataset_id)
    reading_images.resume(home)
    return describe(home, dataset_id)


def refresh(home: Workspace, dataset_id: str) -> DatasetState:
    """Look at the sources again: new images come in, vanished ones go, labels given in the app stay.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: the sources cannot be opened any more; then all stays as it was.
    """
    with home.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    if row.kind != "samples":
        _take(home, dataset_id, opened_again(home, row, row.group_column, row.group_pattern))
    else:
        with home.background.held(reading_images.thread_of(dataset_id)), writing(home.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(state="reading"))
    reading_images.start(home, dataset_id)
    return describe(home, dataset_id)


def _groups_asked(row: AnyRow, changes: Json) -> tuple[str | None, str | None]:
    """Column and pattern after the changes: naming one takes the place of the other."""
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


def _refuse_classes(home: Workspace, row: AnyRow, regrouped: Dataset) -> None:
    """Raises BadDataset where the groups are the classes, with the labels of now."""
    with home.engine.connect() as connection:
        known = load_dataset(connection, row.id)
    by_id = {record.image_id: record.group for record in regrouped.records}
    refuse_classes(known, [by_id.get(record.image_id) for record in known.records])


def _regroup(home: Workspace, row: AnyRow, regrouped: Dataset, column: str | None, pattern: str | None) -> None:
    """Other groups. Where the same images were found again, what was read of them stays."""
    with writing(home.engine) as connection:
        known = connection.execute(
            select(images.c.image_id, images.c.path, images.c.label_before)
            .where(images.c.dataset_id == row.id)
            .order_by(images.c.position)
        ).all()
        connection.execute(
            update(datasets).where(datasets.c.id == row.id).values(group_column=column, group_pattern=pattern)
        )
        if [tuple(image) for image in known] == [(r.image_id, str(r.path), r.label) for r in regrouped.records]:
            connection.exec_driver_sql(
                'UPDATE images SET "group" = ? WHERE dataset_id = ? AND position = ?',
                [(record.group, row.id, position) for position, record in enumerate(regrouped.records)],
            )
            connection.execute(update(datasets).where(datasets.c.id == row.id).values(opened=opened_as_json(regrouped)))
            count_again(connection, row.id)
            return
    _take(home, row.id, regrouped)


def _take_from(
    home: Workspace, row: AnyRow, sources: Sequence[Source], column: str | None, pattern: str | None
) -> None:
    """Images of other sources, or the same ones in domains of other names.

    Raises:
        BadDataset: the sources cannot be opened; then all stays as it was.
    """
    opened, chosen = opened_from(home, row, sources, column, pattern)
    changed = {
        "sources": [asdict(source) for source in chosen],
        "kind": row.kind if row.kind == "upload" else kind_of(opened),
        "group_column": column,
        "group_pattern": pattern,
    }
    _take(home, row.id, opened, changed)


def _take(home: Workspace, dataset_id: str, opened: Dataset, changed: Json | None = None) -> None:
    """What was found in place of what is known; it has to be read anew."""
    with home.background.held(reading_images.thread_of(dataset_id)), writing(home.engine) as connection:
        if changed:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(**changed))
        replace_images(connection, home, dataset_id, opened)
