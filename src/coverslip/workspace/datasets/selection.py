"""The images of a dataset that a request changes, and the precondition of such a request.

Every write that acts on images by filters runs in the transaction of `selecting`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import Connection, select

from coverslip.documented_fields import DocumentedModel
from coverslip.errors import PreconditionFailed, PreconditionRequired
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    ImagesChanged,
    among,
    are_rows,
    dataset_row,
)
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import (
    Filters,
    RowId,
    Text,
    dataset_gallery,
    digest_of,
    matching_query,
    row_ids_of,
    view_of,
)
from coverslip.workspace.viewing.live import LiveView


class ImageSelection(DocumentedModel):
    """Images of a dataset: a list of them, or all that match filters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1, max_length=1_000_000)] | None = (
        Field(default=None, examples=[["round/slide1_1.png"]])
    )
    """Their image_ids. Give exactly one of `images`, `rows` and `filters`."""
    rows: Annotated[list[RowId], Field(min_length=1, max_length=1_000_000)] | None = None
    """Their row_ids."""
    filters: Filters | None = None
    """All images that match; without filters, all images. Give also `n_listed` and `digest`."""
    n_listed: int | None = Field(default=None, ge=0, lt=2**53)
    """With `filters`: how many images the client listed with these filters. If others match now, the response is 412,
    and nothing is changed."""
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    """With `filters`: the header `Rows-Digest` of that list (`GET /lists/ID/row-ids`)."""
    except_rows: Annotated[list[RowId], Field(max_length=1_000_000)] = Field(default=[])
    """With `filters`: the row_ids of matching images that are not selected."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if sum(each is not None for each in (self.images, self.rows, self.filters)) != 1:
            raise ValueError("give exactly one of images, rows and filters")
        if self.filters is None and self.model_fields_set & {"except_rows", "n_listed", "digest"}:
            raise ValueError("except_rows, n_listed and digest need filters")
        return self


@contextmanager
def selecting(
    workspace: Workspace, dataset_id: str, selection: ImageSelection
) -> Iterator[tuple[Connection, AnyRow, list[int]]]:
    """Yield a writing transaction, the row of a dataset, and the row_ids of its selected images.

    Everything that acts on images by filters runs in it: it accepts only the images that the client listed. What live
    predicts is computed before, while others can write.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired: the selection has filters, but does not state which images the client listed.
        PreconditionFailed: other images match the filters now.
        ImagesChanged: one of the images is not in the dataset.
        Conflict: the filters need live, which is off.
        CoverslipError: as `ImageList.row_ids`.
    """
    view = None if selection.filters is None else view_of(workspace, dataset_id, selection.filters)
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        yield connection, row, _selected_rows(connection, row, selection, view)


def _selected_rows(connection: Connection, row: AnyRow, selection: ImageSelection, view: LiveView | None) -> list[int]:
    if selection.filters is not None:
        if selection.n_listed is None or selection.digest is None:
            raise PreconditionRequired("filters-without-list")
        gallery = dataset_gallery(connection, row, selection.filters, view)
        query = matching_query(gallery, selection.filters).order_by(None)
        rows = row_ids_of(connection, query)
        if (len(rows), digest_of(rows)) != (selection.n_listed, selection.digest):
            raise PreconditionFailed("other-images-match", n_listed=selection.n_listed, n_matching=len(rows))
        excepted = set(selection.except_rows)
        return [row_id for row_id in rows.tolist() if row_id not in excepted]
    n_requested = len(set(selection.rows or ()) | set(selection.images or ()))
    of_images = (images.c.dataset_id == row.id) & images.c.image_id.in_(among(selection.images or ()))
    is_requested = of_images if selection.rows is None else are_rows(row.id, selection.rows)
    query = select(images.c.row_id).where(is_requested)
    row_ids: list[int] = row_ids_of(connection, query).tolist()
    if len(row_ids) != n_requested:
        raise ImagesChanged("images-changed", n_missing=n_requested - len(row_ids))
    return row_ids
