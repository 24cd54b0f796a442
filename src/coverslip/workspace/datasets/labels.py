"""Labels that are given or confirmed in the app: each change is kept at once and can be taken back."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, delete, insert, select, text, update

from coverslip.datasets import natural_key
from coverslip.errors import Conflict, NotFound
from coverslip.machine import account_name
from coverslip.workspace.datasets.classes import clean_name
from coverslip.workspace.datasets.counting import mark_equal_pixels
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import AnyRow, class_order, dataset_row, now, values
from coverslip.workspace.store.tables import confirmed_labels, datasets, images, label_changes

_AT = "WHERE dataset_id = :dataset AND position IN (SELECT value FROM json_each(:positions))"


def set_labels(
    home: Workspace, dataset_id: str, positions: Sequence[int], label: str | None, *, job_id: str | None = None
) -> tuple[int | None, int]:
    """Give images a label, or take theirs away; a new name becomes a class, and what was undone is gone.

    Args:
        home: the workspace.
        dataset_id: which dataset.
        positions: which images.
        label: None for none.
        job_id: the training, evaluation or prediction in whose images it was seen; None: in the dataset's gallery.

    Returns:
        The number of the change (None where all had that label already), and how many images it changed.

    Raises:
        NotFound: there is no such dataset, or one of the images is not in it.
        CoverslipError: no class can be called so.
    """
    label = None if label is None else clean_name(label)
    wanted = sorted(set(positions))
    with writing(home.engine) as connection:
        row = dataset_row(connection, dataset_id)
        known = connection.execute(
            text(f"SELECT position, label FROM images {_AT} ORDER BY position"),  # noqa: S608 - only marks and fixed names are put in
            {"dataset": dataset_id, "positions": json.dumps(wanted)},
        ).all()
        if len(known) < len(wanted):
            missing = min(set(wanted).difference(position for position, _ in known))
            raise NotFound(f"There is no image {missing} in this dataset", do="Reload the page.")
        before = [[position, was] for position, was in known if was != label]
        if not before:
            return None, 0
        connection.execute(
            delete(label_changes).where(label_changes.c.dataset_id == dataset_id, label_changes.c.is_undone)
        )
        change = connection.execute(
            insert(label_changes).values(
                dataset_id=dataset_id,
                made=now(),
                is_undone=False,
                label=label,
                before=before,
                made_by=account_name(),
                job_id=job_id,
            )
        ).inserted_primary_key
        _add_class(connection, row, label)
        _give(connection, row, {label: [position for position, _ in before]})
    return (change[0] if change else None), len(before)


def add_classes(home: Workspace, dataset_id: str, classes: Sequence[str]) -> None:
    """Give classes that a dataset does not have yet the next places, and so the next keys; they have no images.

    Raises:
        NotFound: there is no such dataset.
    """
    with writing(home.engine) as connection:
        row = dataset_row(connection, dataset_id)
        names = class_order(row.class_names, row.summary["classes"])
        if not set(classes) <= set(names):
            wanted = list(dict.fromkeys([*names, *classes]))
            connection.execute(update(datasets).where(datasets.c.id == dataset_id).values(class_names=wanted))


def label_before(home: Workspace, dataset_id: str, position: int, *, job_id: str) -> tuple[str | None, bool]:
    """The label that an image had before it was first changed among the images of a job, and whether it was."""
    query = (
        select(label_changes.c.before)
        .where(label_changes.c.dataset_id == dataset_id, label_changes.c.job_id == job_id, ~label_changes.c.is_undone)
        .order_by(label_changes.c.id)
    )
    with home.engine.connect() as connection:
        for before in connection.execute(query).scalars():
            for place, label in before:
                if place == position:
                    return label, True
    return None, False


def undo(home: Workspace, dataset_id: str) -> tuple[int | None, list[int]]:
    """Take the last change back.

    Returns:
        Its number and its images; None and no image where there is nothing to take back.

    Raises:
        NotFound: there is no such dataset.
    """
    with writing(home.engine) as connection:
        dataset_row(connection, dataset_id)
        change = _change(connection, dataset_id, is_undone=False)
        if change is None:
            return None, []
        of_label: dict[str | None, list[int]] = defaultdict(list)
        for position, was in change.before:
            of_label[was].append(position)
        return _done(connection, dataset_id, change, of_label, is_undone=True)


def redo(home: Workspace, dataset_id: str) -> tuple[int | None, list[int]]:
    """Make the change that was last taken back once more; returns and raises as `undo`."""
    with writing(home.engine) as connection:
        dataset_row(connection, dataset_id)
        change = _change(connection, dataset_id, is_undone=True)
        if change is None:
            return None, []
        of_label = {change.label: [position for position, _ in change.before]}
        return _done(connection, dataset_id, change, of_label, is_undone=False)


def confirm_labels(home: Workspace, dataset_id: str, positions: Sequence[int], *, is_confirmed: bool) -> None:
    """Confirm the labels that images have now as right, or remove these confirmations.

    Args:
        home: the workspace.
        dataset_id: which dataset.
        positions: which images.
        is_confirmed: confirm their labels; otherwise remove the confirmations.

    Raises:
        NotFound: there is no such dataset, or one of the images is not in it.
        Conflict: one of the images has no label.
    """
    wanted = sorted(set(positions))
    with writing(home.engine) as connection:
        dataset_row(connection, dataset_id)
        here = (images.c.dataset_id == dataset_id) & images.c.position.in_(values(json.dumps(wanted)))
        known = connection.execute(select(images.c.image_id, images.c.label).where(here)).all()
        if len(known) < len(wanted):
            raise NotFound("One of these images is not in the dataset", do="Reload the page.")
        ids = values(json.dumps([image_id for image_id, _ in known]))
        of_images = (confirmed_labels.c.dataset_id == dataset_id) & confirmed_labels.c.image_id.in_(ids)
        if is_confirmed and any(label is None for _, label in known):
            raise Conflict("An image without a label cannot be confirmed", do="Label it first.")
        connection.execute(delete(confirmed_labels).where(of_images))
        if is_confirmed and known:
            answer = {"dataset_id": dataset_id, "made": now(), "made_by": account_name()}
            rows = [{**answer, "image_id": image_id, "label": label} for image_id, label in known]
            connection.execute(insert(confirmed_labels), rows)


def _change(connection: Connection, dataset_id: str, *, is_undone: bool) -> AnyRow | None:
    """The change to undo (the last that stands), or to redo (the first that was undone)."""
    number = label_changes.c.id
    return connection.execute(
        select(label_changes)
        .where(label_changes.c.dataset_id == dataset_id, label_changes.c.is_undone == is_undone)
        .order_by(number if is_undone else number.desc())
        .limit(1)
    ).one_or_none()


def _done(
    connection: Connection,
    dataset_id: str,
    change: AnyRow,
    of_label: dict[str | None, list[int]],
    *,
    is_undone: bool,
) -> tuple[int, list[int]]:
    _give(connection, dataset_row(connection, dataset_id), of_label)
    connection.execute(update(label_changes).where(label_changes.c.id == change.id).values(is_undone=is_undone))
    return change.id, [position for position, _ in change.before]


def _give(connection: Connection, row: AnyRow, of_label: dict[str | None, list[int]]) -> None:
    """Give labels to positions, and keep all that follows from labels in step.

    Counts are corrected by what has changed: counting 100,000 images at every key press would be felt.
    """
    places = json.dumps([position for positions in of_label.values() for position in positions])
    n_of, n_changed = _counted(connection, row.id, places)
    for label, positions in of_label.items():
        connection.execute(
            text(f"UPDATE images SET label = :label {_AT}"),  # noqa: S608 - only marks and fixed names are put in
            {"label": label, "dataset": row.id, "positions": json.dumps(positions)},
        )
    n_of_now, n_changed_now = _counted(connection, row.id, places)
    n_of_now.subtract(n_of)
    summary = dict(row.summary)
    summary["n_labelled"] -= n_of_now.pop(None, 0)
    summary["n_changed"] += n_changed_now - n_changed
    counts: Counter[str] = Counter(summary["classes"])
    counts.update({name: n for name, n in n_of_now.items() if name is not None})
    summary["classes"] = {name: counts[name] for name in sorted(counts, key=natural_key) if counts[name]}
    connection.execute(
        update(datasets).where(datasets.c.id == row.id).values(summary=summary, revision=datasets.c.revision + 1)
    )
    mark_equal_pixels(connection, row.id, places)


def _counted(connection: Connection, dataset_id: str, places: str) -> tuple[Counter[str | None], int]:
    """Of these images: how many have each label, and how many another than their folder or table gives them."""
    rows = connection.execute(  # the plus keeps SQLite from walking through the index of all labels
        text(
            f"SELECT label, COUNT(*), SUM(label IS NOT label_before) FROM images {_AT} "  # noqa: S608 - only marks and fixed names are put in
            "AND NOT is_left_out GROUP BY +label"
        ),
        {"dataset": dataset_id, "positions": places},
    ).all()
    return Counter({label: n for label, n, _ in rows}), sum(changed for _, _, changed in rows)


def _add_class(connection: Connection, row: AnyRow, label: str | None) -> None:
    """A new class takes the next place, and keeps it when no image has it any more."""
    names = class_order(row.class_names, row.summary["classes"])
    if label is not None and label not in names:
        names.append(label)
        connection.execute(update(datasets).where(datasets.c.id == row.id).values(class_names=names))
