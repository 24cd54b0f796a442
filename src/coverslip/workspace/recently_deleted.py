"""What was deleted in the app and can still be restored."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import select

from coverslip.workspace.store import tables
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Page, Paging


@dataclass(frozen=True, slots=True)
class DeletedItem:
    """A job or an imported classifier in the trash, or a dataset that was removed from the list."""

    kind: Literal["train", "evaluate", "predict", "study", "classifier", "dataset"]
    id: str
    name: str
    deleted: Annotated[str, Field(description="When: ISO 8601, UTC.")]


def list_deleted(workspace: Workspace, paging: Paging) -> Page[DeletedItem]:
    """What can be restored, the latest deletion first."""
    jobs, datasets, classifiers = tables.jobs.c, tables.datasets.c, tables.classifiers.c
    with workspace.engine.connect() as connection:
        removed = connection.execute(select(jobs.kind, jobs.id, jobs.name).where(jobs.state == "removed")).all()
        forgotten = connection.execute(
            select(datasets.id, datasets.name, datasets.forgotten).where(datasets.forgotten.is_not(None))
        ).all()
        imported = connection.execute(
            select(classifiers.id, classifiers.name, classifiers.removed).where(classifiers.removed.is_not(None))
        ).all()
    places = [(row, workspace.trash / row.id) for row in removed]
    items = [DeletedItem(*row, _time(place.stat().st_mtime)) for row, place in places if place.is_dir()]
    items += [DeletedItem("dataset", *row) for row in forgotten]
    items += [DeletedItem("classifier", *row) for row in imported]
    return paging.page_of(sorted(items, key=lambda item: item.deleted, reverse=True))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
