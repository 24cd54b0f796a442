"""Images of datasets that are suggested for labeling, and the test set that is reserved before.

A worker process chooses them. Labeled images of the reserved test set are the test set of trainings on the dataset.
"""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, Table, delete, func, insert, select

from coverslip.errors import Conflict
from coverslip.events import Emit
from coverslip.messages import Message
from coverslip.processes import Json
from coverslip.workspace.datasets.state import update_counts
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.kinds import register_function
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    dataset_row,
    is_present_in,
    load_dataset,
    refuse_unread,
    reserved_ids,
    row_ids_of,
)
from coverslip.workspace.store.sql import replace_rows
from coverslip.workspace.store.tables import images, reserved_images, suggested_images
from coverslip.workspace.store.workspace import Workspace

SUGGESTIONS = register_function("suggestions", "coverslip.workspace.suggestions:suggest_images")


@dataclass(frozen=True, slots=True)
class SuggestedImage:
    """An image that is suggested for labeling."""

    image_id: str
    rank: Annotated[int, Field(description="From 1, the most useful image first.")]
    score: Annotated[
        float,
        Field(description="Share of the images without a label that it represents, or 1 - margin between two classes."),
    ]
    reason: Annotated[Message, Field(description="Why it is suggested.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSuggestions(ResultState):
    """The images that were suggested last for labeling, and the reserved test set."""

    suggestions: list[SuggestedImage]
    n_labeled: Annotated[int, Field(description="Number of suggested images that have a label now.")]
    n_reserved: Annotated[int, Field(description="Number of images of the reserved test set; 0: none is reserved.")]
    n_reserved_labeled: Annotated[int, Field(description="Number of these with a label: the test set of trainings.")]


def suggestions_state(workspace: Workspace, dataset_id: str) -> LabelSuggestions:
    """Return the suggestions for a dataset, and the progress of new ones.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    work = computation(workspace, SUGGESTIONS, dataset_id)
    columns = (images.c.image_id, *(suggested_images.c[name] for name in ("rank", "score", "reason")))
    is_present = is_present_in(dataset_id, suggested_images)
    with read_transaction(workspace.engine) as connection:
        refuse_unread(connection, dataset_id)
        rows = connection.execute(
            select(*columns)
            .join_from(suggested_images, images, is_present)
            .where(suggested_images.c.dataset_id == dataset_id)
            .order_by(suggested_images.c.rank)
        ).mappings()
        suggestions = [SuggestedImage(**row) for row in rows]
        _, n_labeled = _counts(connection, dataset_id, suggested_images)
        n_reserved, n_reserved_labeled = _counts(connection, dataset_id, reserved_images)
    return LabelSuggestions(
        **work.of_result("ready" if suggestions or n_reserved else "not-requested"),
        suggestions=suggestions,
        n_labeled=n_labeled,
        n_reserved=n_reserved,
        n_reserved_labeled=n_reserved_labeled,
    )


def _counts(connection: Connection, dataset_id: str, table: Table) -> tuple[int, int]:
    """Return how many images of a dataset are in a table, and how many of them have a label.

    The page asks after every label, so that only these images are read.
    """
    is_present = is_present_in(dataset_id, table)
    counted = select(func.count(), func.count(images.c.label)).select_from(table).join(images, is_present)
    n, n_labeled = connection.execute(counted.where(table.c.dataset_id == dataset_id)).one()
    return n, n_labeled


def start_suggestions(workspace: Workspace, dataset_id: str, n: int) -> LabelSuggestions:
    """Choose `n` images to label, unless images are being chosen; raises as `suggestions_state`."""
    with workspace.engine.connect() as connection:
        row = refuse_unread(connection, dataset_id)
    request_result(
        workspace,
        SUGGESTIONS,
        dataset_id,
        {"dataset_id": dataset_id, "n": n},
        name=row.name,
        link=f"/datasets/{dataset_id}/suggestions",
        dataset_id=dataset_id,
    )
    return suggestions_state(workspace, dataset_id)


def remove_reserved_test(workspace: Workspace, dataset_id: str) -> None:
    """Remove the suggestions and the reserved test set: trainings split the images at random again.

    Raises:
        NotFound: there is no such dataset.
        Conflict: images are being chosen.
    """
    if computation(workspace, SUGGESTIONS, dataset_id).state is not None:
        raise Conflict("suggestions-in-progress")
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        for table in (suggested_images, reserved_images):
            connection.execute(delete(table).where(table.c.dataset_id == dataset_id))
        update_counts(connection, dataset_id)


def suggest_images(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Choose `n` images of a dataset to label next, and its reserved test set, and store both.

    Raises:
        CoverslipError: there is no image without a label, or the images cannot be read.
    """
    from coverslip.audit.suggesting import reserved, still_reserved, suggest_among

    dataset_id = arguments["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        data = load_dataset(connection, dataset_id, with_reserved=False)
        before = reserved_ids(connection, dataset_id)
    is_reserved = still_reserved(data, reserved(data), before)
    suggested = suggest_among(data, is_reserved, n=arguments["n"], emit=emit)
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        row_of = row_ids_of(connection, dataset_id)  # without images that were removed meanwhile
        connection.execute(delete(suggested_images).where(suggested_images.c.dataset_id == dataset_id))
        rows = [
            {
                "dataset_id": dataset_id,
                "row_id": row_of[e.image_id],
                "rank": e.rank,
                "score": e.score,
                "reason": e.reason,
            }
            for e in suggested.suggestions
            if e.image_id in row_of
        ]
        reserved_rows = [
            {"dataset_id": dataset_id, "row_id": row_of[each]} for each in suggested.reserved_test if each in row_of
        ]
        if rows:
            connection.execute(insert(suggested_images), rows)
        replace_rows(connection, reserved_images, reserved_rows)
        update_counts(connection, dataset_id)
