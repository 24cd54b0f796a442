"""Opening sets of images, changing them and forgetting them.

Opening lists names and is done while the user waits, so that faults are told at once; the images themselves are read
in the background afterwards.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from coverslip.datasets import ClassPlan, Dataset, check_classes, one_line, open_dataset
from coverslip.datasets.index.records import printable
from coverslip.errors import BadDataset, BadRecipe, Conflict, CoverslipError
from coverslip.workspace.datasets import grouping, reading
from coverslip.workspace.datasets.listing import (
    NO_COUNTS,
    AnyRow,
    Json,
    Kind,
    count_again,
    dataset_row,
    describe,
    new_id,
    now,
)
from coverslip.workspace.datasets.samples import LABELLED, SAMPLE_SETS
from coverslip.workspace.jobs.state import jobs_reading
from coverslip.workspace.store.database import datasets, images, label_changes, writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.stored import one_of_each, opened_as_json, plan_as_json, store_images

_KINDS: dict[str, Kind] = {"folders": "folders", "split folders": "folders", "table": "table", "files": "files"}


def open_sources(
    home: Workspace,
    sources: Sequence[str],
    *,
    name: str | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    is_labelled: bool = True,
    kind: Kind | None = None,
) -> Json:
    """Open folders, tables or files as a new set of images, and begin to read them.

    Args:
        home: the workspace.
        sources: existing paths below its roots.
        name: default: after the sources.
        group, group_pattern, is_labelled: as for `coverslip.open_dataset`.
        kind: other than what the sources are.

    Raises:
        BadDataset: as `coverslip.open_dataset`, or no image lies where the app may read.
    """
    relative = [source for source in sources if not Path(source).is_absolute() and not source.startswith("~")]
    if relative:
        raise BadDataset(
            f"'{one_line(relative[0])}' is not a whole path", do="Name folders from the top, such as /home/me/cells."
        )
    paths = [str(home.allowed(source)) for source in sources]
    unnamed = [path for path in paths if printable(path) != path]
    if unnamed:  # a link may lead to such a place, and JSON holds text only
        raise BadDataset("The name of this place is not text", file=Path(unnamed[0]), do="Rename the folder or file.")
    found = _opened(paths, group, group_pattern, is_labelled)
    dataset_id = new_id()
    with writing(home.engine) as connection:
        connection.execute(
            insert(datasets).values(
                id=dataset_id,
                name=name or _name_of(paths),
                kind=kind or _KINDS[found.source],
                sources=paths,
                is_labelled=is_labelled,
                group_column=group,
                group_pattern=group_pattern,
                class_names=list(found.classes),
                class_plan={},
                opened=opened_as_json(found),
                summary=NO_COUNTS,
                revision=0,
                state="reading",
                created=now(),
            )
        )
        store_images(connection, home, dataset_id, found, {})
    reading.start(home, dataset_id)
    return describe(home, dataset_id)


def open_samples(home: Workspace) -> Json:
    """The labelled sample images as a set; drawn in the background when first asked for, as are new ones to predict."""
    with writing(home.engine) as connection:
        there = set(connection.execute(select(datasets.c.id)).scalars())
        connection.execute(update(datasets).where(datasets.c.id.in_(SAMPLE_SETS)).values(forgotten=None))
        for samples in SAMPLE_SETS.values():
            if samples.id not in there:
                connection.execute(
                    insert(datasets).values(
                        id=samples.id,
                        name=samples.name,
                        kind="samples",
                        sources=[str(home.samples / samples.folder)],
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
    for dataset_id in SAMPLE_SETS:
        reading.start(home, dataset_id)
    return describe(home, LABELLED)


def read_again(home: Workspace, dataset_id: str) -> Json:
    """Look at the sources again: new images come in, vanished ones go, labels given in the app stay.

    Raises:
        NotFound: there is no such set.
        BadDataset: the sources cannot be opened any more; then all stays as it was.
    """
    with home.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    if row.kind != "samples":
        _take(home, dataset_id, _opened_again(home, row, row.group_column, row.group_pattern))
    else:
        with home.background.held(reading.thread_of(dataset_id)), writing(home.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(state="reading"))
    reading.start(home, dataset_id)
    return describe(home, dataset_id)


def change(home: Workspace, dataset_id: str, changes: Json) -> Json:
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
            values["class_plan"] = _checked_plan(connection, row, changes["class_plan"])
        if changes.get("classes") is not None:
            values["class_names"] = _checked_names(changes["classes"])
    column, pattern = _groups_asked(row, changes)
    if (column, pattern) != (row.group_column, row.group_pattern):
        if row.opened is None:
            raise Conflict("The images are not there yet", do="Wait until they are.")
        found = _opened_again(home, row, column, pattern)
        _regroup(home, row, found, column, pattern)
    if values:
        with writing(home.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(**values))
            count_again(connection, dataset_id)
    reading.resume(home)
    return describe(home, dataset_id)


def forget(home: Workspace, dataset_id: str) -> None:
    """Show a set no more. For 30 days `restore` brings it back, with the labels that were given here.

    The user's own folders and tables stay as they are, in any case. Tables that trainings were started with stay in
    `snapshots/`.

    Raises:
        NotFound: there is no such set.
        Conflict: a training or prediction is reading it.
    """
    with home.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        _refuse_in_use(connection, dataset_id)
    with home.background.held(reading.thread_of(dataset_id)), writing(home.engine) as connection:
        _refuse_in_use(connection, dataset_id)
        connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(forgotten=now()))


def restore(home: Workspace, dataset_id: str) -> Json:
    """Bring back a set that was forgotten, as it was.

    Raises:
        NotFound: there is no such set, or not any more.
    """
    with writing(home.engine) as connection:
        connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(forgotten=None))
    reading.start(home, dataset_id)
    return describe(home, dataset_id)


def _opened(
    paths: list[str],
    group: str | None,
    pattern: str | None,
    is_labelled: bool,
    shown_paths: Sequence[str] | None = None,
) -> Dataset:
    """The images, grouped by a pattern only after a try of it, on their paths, in a process that can be ended."""
    if group is not None and pattern is not None:
        raise BadDataset("Both a group column and a group pattern were given", do="Choose one of them.")
    source: str | list[str] = paths[0] if len(paths) == 1 else paths
    if pattern is None:
        return open_dataset(source, group=group, labelled=is_labelled)
    if shown_paths is None:
        found = open_dataset(source, labelled=is_labelled)
        shown_paths = [found.relative_path(record) for record in found.records]
    grouping.try_pattern(pattern, list(shown_paths))
    return open_dataset(source, group_pattern=pattern, labelled=is_labelled)


def _opened_again(home: Workspace, row: AnyRow, column: str | None, pattern: str | None) -> Dataset:
    paths = [str(home.allowed(source)) for source in row.sources]
    with home.engine.connect() as connection:
        shown = connection.execute(select(images.c.shown_path).where(images.c.dataset_id == row.id)).scalars().all()
    return _opened(paths, column, pattern, row.is_labelled, shown)


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


def _checked_plan(connection: Connection, row: AnyRow, plan: Json) -> Json:
    """The plan, if it fits the classes that there are.

    Raises:
        BadRecipe: it contradicts itself, or names classes that are not there.
    """
    from pydantic import ValidationError

    try:
        checked = ClassPlan.model_validate(plan)
    except ValidationError as error:
        said = "; ".join(str(fault.get("ctx", {}).get("error", fault["msg"])) for fault in error.errors())
        raise BadRecipe(f"The classes cannot be changed so: {said}", do="Correct it.") from error
    pairs = connection.execute(
        select(images.c.label, images.c.domain).where(images.c.dataset_id == row.id).distinct()
    ).all()
    if row.opened is not None:
        check_classes(one_of_each(row, [(label, domain) for label, domain in pairs]), checked)
    return {
        "merge": {new: list(olds) for new, olds in checked.merge.items()},
        "drop": list(checked.drop),
        "rename": dict(checked.rename),
    }


def _checked_names(names: list[str]) -> list[str]:
    from coverslip.workspace.datasets.labels import clean_name

    cleaned = [clean_name(name) for name in names]
    if len(set(cleaned)) < len(cleaned):
        raise CoverslipError("Two classes have one name", do="Give each its own.")
    return cleaned


def _refuse_in_use(connection: Connection, dataset_id: str) -> None:
    for job in jobs_reading(connection, dataset_id):
        raise Conflict(f"'{job.name}' still needs these images", do="Stop it first, or wait until it is done.")


def _name_of(paths: list[str]) -> str:
    """After the folders; a table is called after the folder that it lies in, since many are called `images.csv`."""
    folders = (Path(path).parent if Path(path).is_file() else Path(path) for path in paths)
    names = list(dict.fromkeys(printable(folder.name) for folder in folders))
    shown = ", ".join(names[:3]) or "images"
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
