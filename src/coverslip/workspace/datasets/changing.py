"""Datasets that are open, changed: named, grouped or classed otherwise, or looked at again. Labels given here stay."""

import json
from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, delete, select, update

from coverslip.datasets import Dataset
from coverslip.errors import Conflict
from coverslip.workspace.datasets import reading
from coverslip.workspace.datasets.classes import checked_names, checked_plan
from coverslip.workspace.datasets.counting import count_again
from coverslip.workspace.datasets.keeping import store_images
from coverslip.workspace.datasets.listing import DatasetState, describe
from coverslip.workspace.datasets.opening import opened_again
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import opened_as_json, plan_as_json
from coverslip.workspace.store.rows import AnyRow, Json, dataset_row
from coverslip.workspace.store.tables import datasets, images, label_changes


def change(home: Workspace, dataset_id: str, changes: Json) -> DatasetState:
    """Change a set's name, groups, classes or their order; labels given in the app stay.

    Args:
        home: the workspace.
        dataset_id: which set.
        changes: some of name, group, group_pattern, class_plan, classes.

    Raises:
        NotFound: there is no such set.
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
    if (column, pattern) != (row.group_column, row.group_pattern):
        if row.opened is None:
            raise Conflict("The images are not there yet", do="Wait until they are.")
        found = opened_again(home, row, column, pattern)
        _regroup(home, row, found, column, pattern)
    if values:
        with writing(home.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(**values))
            count_again(connection, dataset_id)
    reading.resume(home)
    return describe(home, dataset_id)


def read_again(home: Workspace, dataset_id: str) -> DatasetState:
    """Look at the sources again: new images come in, vanished ones go, labels given in the app stay.

    Raises:
        NotFound: there is no such set.
        BadDataset: the sources cannot be opened any more; then all stays as it was.
    """
    with home.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    if row.kind != "samples":
        _take(home, dataset_id, opened_again(home, row, row.group_column, row.group_pattern))
    else:
        with home.background.held(reading.thread_of(dataset_id)), writing(home.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(state="reading"))
    reading.start(home, dataset_id)
    return describe(home, dataset_id)


def _groups_asked(row: AnyRow, changes: Json) -> tuple[str | None, str | None]:
    """Column and pattern after the changes: naming one takes the place of the other."""
    column, pattern = row.group_column, row.group_pattern
    asked = [changes[key] for key in ("group", "group_pattern") if key in changes]
    if asked and not any(asked):
        return None, None
    if "group" in changes:
        column = changes["group"] or None
        pattern = None if column is not None else pattern
    if "group_pattern" in changes:
        pattern = changes["group_pattern"] or None
        column = None if pattern is not None and not changes.get("group") else column
    return column, pattern


def _regroup(home: Workspace, row: AnyRow, found: Dataset, column: str | None, pattern: str | None) -> None:
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
        if [tuple(image) for image in known] == [(r.image_id, str(r.path), r.label) for r in found.records]:
            connection.exec_driver_sql(
                'UPDATE images SET "group" = ? WHERE dataset_id = ? AND position = ?',
                [(record.group, row.id, position) for position, record in enumerate(found.records)],
            )
            connection.execute(update(datasets).where(datasets.c.id == row.id).values(opened=opened_as_json(found)))
            count_again(connection, row.id)
            return
    _take(home, row.id, found)


def _take(home: Workspace, dataset_id: str, found: Dataset) -> None:
    """What was found in place of what is known; it has to be read anew."""
    with home.background.held(reading.thread_of(dataset_id)), writing(home.engine) as connection:
        _replace(connection, home, dataset_id, found)


def _replace(connection: Connection, home: Workspace, dataset_id: str, found: Dataset) -> None:
    """Other images in place of those that are known. What was labelled here is found again."""
    known = connection.execute(select(images).where(images.c.dataset_id == dataset_id)).all()
    moved = _found_again(known, found)
    given = {
        found.records[moved[row.position]].image_id: row.label
        for row in known
        if row.label != row.label_before and row.position in moved
    }
    changes = connection.execute(
        select(label_changes.c.id, label_changes.c.before).where(label_changes.c.dataset_id == dataset_id)
    ).all()
    for row in changes:
        before = [[moved[position], label] for position, label in row.before if position in moved]
        kept = label_changes.c.id == row.id
        connection.execute(
            update(label_changes).where(kept).values(before=before) if before else delete(label_changes).where(kept)
        )
    connection.execute(delete(images).where(images.c.dataset_id == dataset_id))
    connection.execute(
        update(datasets)
        .where(datasets.c.id == dataset_id)
        .values(state="reading", progress=None, error=None, opened=opened_as_json(found))
    )
    store_images(connection, home, dataset_id, found, given)


def _found_again(known: Sequence[AnyRow], found: Dataset) -> dict[int, int]:
    """Where images that are known stand now: those of the same pixels of the same file, else of the same image_id.

    The id alone will not do: where a table repeats ids, they are numbered in the order of its rows.
    """
    paths = [str(record.path) for record in found.records]
    times = Counter(pixels := [_pixels(paths[k], plan_as_json(record)) for k, record in enumerate(found.records)])
    by_pixels = {one: position for position, one in enumerate(pixels) if times[one] == 1}
    by_id = {record.image_id: position for position, record in enumerate(found.records)}
    there = set(paths)
    moved = {}
    for row in known:
        position = by_pixels.get(_pixels(row.path, row.plan))
        if position is None:
            position = by_id.get(row.image_id)
            if position is None or (paths[position] != row.path and row.path in there):
                continue
        moved[row.position] = position
    return moved


def _pixels(path: str, plan: Json | None) -> str:
    return json.dumps([path, plan], sort_keys=True)
