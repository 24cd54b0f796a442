"""Datasets as the app knows them: what is told of them."""

from typing import Literal

from sqlalchemy import Connection, select

from coverslip.datasets import printable
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import AnyRow, Json, class_order, dataset_row
from coverslip.workspace.store.tables import datasets, label_changes

Kind = Literal["folders", "table", "files", "upload", "samples"]
State = Literal["reading", "ready", "failed"]


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
