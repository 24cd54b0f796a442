"""A list of images: those of a dataset, or those that a job has measured or predicted.

Each image of a list has a number (`row_id`) that never changes. Pages, pictures, tiles and fields of view of all lists
are the same; the lists differ in what is known of their images.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from pydantic import Field
from sqlalchemy import Connection, Select, select

from coverslip.errors import CoverslipError, NotFound
from coverslip.images import ReadPlan, prepare_decoding
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.sql import read_integers
from coverslip.workspace.store.tables import image_colors
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.filters import Filters, Gallery, matching_query

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ImagePage(Generic[Item]):
    """Some images of a list."""

    items: list[Item]
    next: Annotated[
        int | None, Field(description="Give it as `after` to get the images that follow; null: these are the last.")
    ]


@dataclass(frozen=True, slots=True)
class PictureSource:
    """The location of the pixels of an image."""

    path: Path
    plan: ReadPlan
    version: str
    is_readable: bool


@dataclass(frozen=True, slots=True)
class ObjectPredictions:
    """The predictions of some objects."""

    predicted: Annotated[list[int], Field(description="Positions in `classes`; -1: unreadable.")]
    probabilities: Annotated[list[float | None], Field(description="Of the predicted classes; null: unreadable.")]
    decisions: Annotated[
        list[int],
        Field(description="Positions in `classes`, followed by `uncertain`, `unfamiliar` and `unreadable`."),
    ]
    corrections: Annotated[
        list[int], Field(description="Classes that a user corrected or confirmed, or changed labels; -1: none.")
    ]


@dataclass(frozen=True, slots=True)
class ObjectLabels:
    """The labels of some objects, in the order of their outlines."""

    classes: list[str]
    labels: Annotated[
        list[int],
        Field(description="Positions in `classes`; -1: no label. For jobs, the labels at the request of the job."),
    ]
    excluded: Annotated[list[int], Field(description="Positions of the objects that a user excluded.")]
    predictions: Annotated[ObjectPredictions | None, Field(description="null for datasets.")] = None


UNLABELED = -1


@dataclass(frozen=True)
class ImageList(ABC, Generic[Item]):
    """An ordered list of images."""

    workspace: Workspace

    @property
    @abstractmethod
    def dataset_ids(self) -> Sequence[str]:
        """The datasets that the images are of."""

    @abstractmethod
    def revision(self, filters: Filters) -> str | None:
        """Return a text that changes whenever other images may match; None: it is unknown."""

    @abstractmethod
    def gallery(self, connection: Connection, filters: Filters) -> Gallery:
        """Return the table of the images, with the data that these filters need."""

    @abstractmethod
    def items(self, connection: Connection, row_ids: Sequence[int]) -> list[Item]:
        """Return images in this order, without missing ones."""

    @abstractmethod
    def facts(self, row_id: int) -> Item:
        """Return all facts about an image.

        Raises:
            NotFound: it is not in the list.
        """

    @abstractmethod
    def picture_sources(self, row_ids: Sequence[int]) -> list[PictureSource]:
        """Return the locations of the pixels of images, in this order.

        Raises:
            NotFound: one of the images is not in the list.
        """

    @abstractmethod
    def source_paths(self) -> list[str]:
        """Return the folders and tables from which the images were opened; none if they are unknown."""

    @abstractmethod
    def labels_of(self, connection: Connection, query: Select[Any]) -> ObjectLabels:
        """Return the labels and predictions of images, in the order of a query for their row_ids."""

    def picture_source(self, row_id: int) -> PictureSource:
        """Return the location of the pixels of an image; raises as `picture_sources`."""
        return self.picture_sources([row_id])[0]

    def row_ids(self, filters: Filters) -> Any:  # Any: a NumPy array
        """Return the row_ids of the matching images, in order, as unsigned integers of 32 bit.

        Raises:
            NotFound: there is no such dataset, or no such run.
            CoverslipError: the list does not support a filter, or a filter needs a run.
        """
        with suppress(CoverslipError):  # a request to view an image reports it
            prepare_decoding()  # the next request may open an image of the list
        with read_transaction(self.workspace.engine) as connection:
            return row_ids_of(connection, matching_query(self.gallery(connection, filters), filters))

    def page(self, filters: Filters, *, after: int | None = None, limit: int) -> ImagePage[Item]:
        """Return the first matching images, or those that follow the image with the row_id `after`.

        Raises:
            NotFound: as `row_ids`, or there is no image `after`.
            CoverslipError: as `row_ids`.
        """
        with read_transaction(self.workspace.engine) as connection:
            gallery = self.gallery(connection, filters)
            if after is not None and not self.items(connection, [after]):
                raise NotFound("no-image-with-row-id", row_id=after)
            query = matching_query(gallery, filters, after).limit(limit + 1)
            row_ids = connection.execute(query).scalars().all()
            items = self.items(connection, row_ids[:limit])
        return ImagePage(items, row_ids[limit - 1] if len(row_ids) > limit else None)

    def at(self, row_ids: Sequence[int]) -> list[Item]:
        """Return images in this order, without missing ones."""
        with read_transaction(self.workspace.engine) as connection:
            return self.items(connection, row_ids)

    def colors(self) -> bytes:
        """Return eight bytes for each image with a known color, in the order of row_ids.

        The first four are the row_id as a little-endian unsigned integer, the last four the color of
        `pictures.color_of`.
        """
        with read_transaction(self.workspace.engine) as connection:
            gallery = self.gallery(connection, Filters())
            query = (
                select(gallery.row_id, image_colors.c.color)
                .join(image_colors, image_colors.c.row_id == gallery.image)
                .where(gallery.condition)
            )
            row_ids, of_rows = read_integers(connection, query)
        pairs = np.empty(len(row_ids), [("row_id", "<u4"), ("color", ">u4")])
        order = row_ids.argsort()
        pairs["row_id"], pairs["color"] = row_ids[order], of_rows[order]
        return pairs.tobytes()


def row_ids_of(connection: Connection, query: Select[Any]) -> Any:  # Any: a NumPy array
    """Return the row_ids of a query, in order, as unsigned integers of 32 bit."""
    return read_integers(connection, query)[0].astype("<u4")


def digest_of(rows: Any) -> str:  # Any: a NumPy array
    """Return the SHA-256 of row_ids in ascending order, so that a list with the same images has the same digest."""
    ascending = rows.copy()
    ascending.sort()
    return hashlib.sha256(ascending).hexdigest()
