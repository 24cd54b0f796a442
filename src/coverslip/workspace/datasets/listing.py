"""Sets of images as the app knows them: their rows, their counts, and what is told of them."""

import datetime
import json
import secrets
from collections.abc import Iterable
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, func, select, update

from coverslip.datasets import natural_key, printable
from coverslip.errors import NotFound
from coverslip.workspace.store.database import datasets, images, label_changes
from coverslip.workspace.store.home import Workspace

Kind = Literal["folders", "table", "files", "upload", "samples"]
State = Literal["reading", "ready", "failed"]
Json = dict[str, Any]  # Any: JSON values
AnyRow = Row[Any]  # Any: columns as the table defines them

_N_THUMBNAILS = 12
NO_COUNTS: Json = {
    "n_images": 0,
    "n_labelled": 0,
    "n_unreadable": 0,
    "n_changed": 0,
    "classes": {},
    "n_groups": 0,
    "domains": {},
    "thumbnail_images": [],
}


def list_datasets(home: Workspace) -> list[Json]:
    """All sets of images, newest first."""
    with home.engine.connect() as connection:
        known = select(datasets).where(datasets.c.forgotten.is_(None))
        rows = connection.execute(known.order_by(datasets.c.created.desc(), datasets.c.id)).all()
        return [_described(connection, row) for row in rows]


def describe(home: Workspace, dataset_id: str) -> Json:
    """What the app tells of one set.

    Raises:
        NotFound: there is none of that id.
    """
    with home.engine.connect() as connection:
        return _described(connection, dataset_row(connection, dataset_id))


def dataset_row(connection: Connection, dataset_id: str) -> AnyRow:
    """The set's own row.

    Raises:
        NotFound: there is none of that id, or it was forgotten.
    """
    row = connection.execute(select(datasets).where(datasets.c.id == dataset_id)).one_or_none()
    if row is None or row.forgotten is not None:
        raise NotFound("There is no such set of images", do="It may have been forgotten; look at the list of sets.")
    return row


def class_order(class_names: Iterable[str], found: Iterable[str]) -> list[str]:
    """The names that have a place, then all others in natural order."""
    first = list(dict.fromkeys(class_names))
    return [*first, *sorted(set(found).difference(first), key=natural_key)]


def count_again(connection: Connection, dataset_id: str) -> None:
    """Bring the counts in step with the images, and say that something has changed."""
    counts = _counts(connection, dataset_id)
    connection.execute(
        update(datasets).where(datasets.c.id == dataset_id).values(summary=counts, revision=datasets.c.revision + 1)
    )


def mark_equal_pixels(connection: Connection, dataset_id: str, positions: str | None = None) -> None:
    """Say of readable images whether another has the same pixels, with the same label or another one.

    Args:
        connection: in a transaction that writes.
        dataset_id: which set.
        positions: a JSON list; only of images that equal these. None: of all.
    """
    hashes = select(images.c.pixel_hash).where(images.c.dataset_id == dataset_id)
    if positions is not None:
        hashes = hashes.where(images.c.position.in_(_values(positions)))
    asked = list({pixel_hash for pixel_hash in connection.execute(hashes).scalars() if pixel_hash is not None})
    among = images.c.dataset_id == dataset_id, images.c.pixel_hash.in_(_values(json.dumps(asked)))
    equal = connection.execute(
        select(images.c.pixel_hash, func.count(images.c.label.distinct()))
        .where(*among)
        .group_by(images.c.pixel_hash)
        .having(func.count() > 1)
    ).all()
    for problem, is_conflict in (("conflicting", True), ("duplicate", False)):
        found = json.dumps([pixel_hash for pixel_hash, n_labels in equal if (n_labels > 1) == is_conflict])
        connection.execute(
            update(images)
            .where(
                images.c.dataset_id == dataset_id,
                images.c.pixel_hash.in_(_values(found)),
                images.c.problem.is_distinct_from(problem),
            )
            .values(problem=problem)
        )


def _values(listed: str) -> Select[Any]:
    """What a JSON list holds, however long it is."""
    return select(func.json_each(listed).table_valued("value").c.value)


def new_id() -> str:
    """Short, and not to be guessed."""
    return secrets.token_hex(6)


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def _described(connection: Connection, row: AnyRow) -> Json:
    counts = row.summary
    kinds = set(
        connection.execute(
            select(label_changes.c.is_undone).where(label_changes.c.dataset_id == row.id).distinct()
        ).scalars()
    )
    names = class_order(row.class_names, counts["classes"])
    by = "column" if row.group_column is not None else "pattern" if row.group_pattern is not None else None
    return {
        "id": row.id,
        "name": row.name,
        "sources": [printable(source) for source in row.sources],
        "kind": row.kind,
        "state": row.state,
        "is_labelled": row.is_labelled,
        "progress": row.progress,
        "error": row.error,
        "n_images": counts["n_images"],
        "n_labelled": counts["n_labelled"],
        "n_unreadable": counts["n_unreadable"],
        "classes": [
            {"name": name, "n": counts["classes"].get(name, 0), "color_index": k} for k, name in enumerate(names)
        ],
        "groups": {"by": by, "value": row.group_column or row.group_pattern, "n_groups": counts["n_groups"]},
        "domains": [{"name": name, "n": n} for name, n in counts["domains"].items()],
        "n_label_changes": counts["n_changed"],
        "can_undo": False in kinds,
        "can_redo": True in kinds,
        "class_plan": row.class_plan,
        "created": row.created,
        "thumbnail_images": counts["thumbnail_images"],
    }


def _counts(connection: Connection, dataset_id: str) -> Json:
    own = images.c.dataset_id == dataset_id

    def numbered(column: Any) -> dict[str | None, int]:  # Any: SQLAlchemy's column
        pairs = connection.execute(select(column, func.count()).where(own).group_by(column)).all()
        return {value: n for value, n in pairs}  # noqa: C416 - rows, which dict() is not typed for

    labels, domains, problems = (numbered(images.c[name]) for name in ("label", "domain", "problem"))
    n_images = sum(labels.values())
    n_groups = connection.execute(select(func.count(images.c.group.distinct())).where(own)).scalar_one()
    changed = images.c.label.is_distinct_from(images.c.label_before)
    n_changed = connection.execute(select(func.count()).where(own, changed)).scalar_one()
    classes = sorted((name for name in labels if name is not None), key=natural_key)
    named = sorted((name for name in domains if name), key=natural_key)
    return {
        "n_images": n_images,
        "n_labelled": n_images - labels.get(None, 0),
        "n_unreadable": problems.get("unreadable", 0),
        "n_changed": n_changed,
        "classes": {name: labels[name] for name in classes},
        "n_groups": n_groups,
        "domains": {name: domains[name] for name in named},
        "thumbnail_images": _some_of_each(connection, dataset_id, {name: labels[name] for name in classes} or labels),
    }


def _some_of_each(connection: Connection, dataset_id: str, n_of: dict[str | None, int]) -> list[int]:
    """A few images from all over each class, classes taking turns; what has a problem is passed over."""
    shown = [name for name, n in n_of.items() if n][:_N_THUMBNAILS]
    each = -(-_N_THUMBNAILS // len(shown)) if shown else 0

    def at(name: str | None, k: int) -> int | None:
        asked = select(images.c.position).where(
            images.c.dataset_id == dataset_id, images.c.label.is_not_distinct_from(name), images.c.problem.is_(None)
        )
        place = n_of[name] * k // each
        return connection.execute(asked.order_by(images.c.position).offset(place).limit(1)).scalar_one_or_none()

    turns = (at(name, k) for k in range(each) for name in shown)
    return list(dict.fromkeys(place for place in turns if place is not None))[:_N_THUMBNAILS]
