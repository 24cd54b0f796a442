"""A list of images: those of a dataset, or those that a job has measured or predicted.

Each image of a list has a number (`row_id`) that never changes. Pages, pictures, tiles and fields of view of all lists
are the same; the lists differ in what is known of their images.

Filters and sort orders of images, the same for datasets, measured images and predictions.

`Filters` are the query parameters of pages. `FilteredImages` describes the filters of a table of images, and
`matching_query` returns the SELECT.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, Self, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import ColumnElement, Connection, Select, func, select, true, tuple_

from coverslip.datasets import Part
from coverslip.errors import CoverslipError, NotFound
from coverslip.images import ReadPlan, prepare_decoding
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.sql import contains, items_of, read_integers, unindexed
from coverslip.workspace.store.tables import image_colors
from coverslip.workspace.store.workspace import Workspace

RowId = Annotated[int, Field(ge=1, lt=2**32)]
Text = Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00]*$")]
Only = Literal[
    "unreadable",
    "duplicate",
    "conflicting",
    "problem",
    "excluded",
    "changed",
    "questioned",
    "suspected",
    "confirmed",
    "near-duplicates",
    "suggested",
    "reserved",
    "misclassified",
    "review",
    "corrected",
    "warning",
]
Sort = Literal[
    "position", "label", "group", "label-quality", "near-duplicates", "suggested", "probability", "-probability"
]

_NAMED = ("label", "group", "domain", "predicted", "decision")
Item = TypeVar("Item")


class Filters(BaseModel):
    """Filters and order of images. All filters apply together. A gallery refuses filters that it does not support."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Text | None = Field(default=None, description="The current label; empty for images without a label.")
    group: Text | None = Field(default=None, description="Such as a patient or a slide.")
    domain: Annotated[Text | None, Field(description="A laboratory, device or day, as the dataset names it.")] = None
    predicted: Text | None = Field(default=None, description="The most probable class by the classifier.")
    decision: Text | None = Field(default=None, description="A class, or `uncertain`, `unfamiliar` or `unreadable`.")
    only: Only | None = Field(
        default=None,
        description="For datasets: unreadable; duplicate: an equal image has the same class in trainings; "
        "conflicting: an equal image has another class; problem: any of these; excluded: excluded in the app; "
        "changed: relabeled in the app; questioned: misclassified by a classifier of `run` that was not trained on the "
        "image; suspected: of these, images whose labels are probably wrong; confirmed: images with a confirmed label, "
        "which neither of the two contains; near-duplicates: duplicates and near-duplicates found so far; "
        "suggested: suggested last for labeling; reserved: the test set, which is never suggested. For predictions: "
        "misclassified; review: neither decided nor answered by a user; corrected: corrected, confirmed or excluded by "
        "a user; excluded: of these, the excluded ones; warning: different from all training images.",
    )
    search: Text | None = Field(
        default=None, description="Part of the path, case-insensitive; for rows of predictions, part of the image_id."
    )
    part: Part | None = Field(default=None, description="The set in the split of `run`.")
    run: Text | None = Field(default=None, description="A training on this dataset.")
    sort: Sort = Field(
        default="position",
        description="`-probability`: the highest first; `label-quality`: the most likely label error by `run` first.",
    )


class ImageSelection(BaseModel):
    """Images of a dataset: a list of them, or all that match filters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: Annotated[list[Annotated[Text, Field(min_length=1)]], Field(min_length=1, max_length=1_000_000)] | None = (
        Field(
            default=None,
            description="Their image_ids. Give exactly one of `images`, `rows` and `filters`.",
            examples=[["round/slide1_1.png"]],
        )
    )
    rows: Annotated[list[RowId], Field(min_length=1, max_length=1_000_000)] | None = Field(
        default=None, description="Their row_ids."
    )
    filters: Filters | None = Field(
        default=None,
        description="All images that match; without filters, all images. Give also `n_listed` and `digest`.",
    )
    n_listed: int | None = Field(
        default=None,
        ge=0,
        lt=2**53,
        description="With `filters`: how many images the client listed with these filters. If others match now, the "
        "response is 412, and nothing is changed.",
    )
    digest: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="With `filters`: the header `Rows-Digest` of that list (`GET /lists/ID/row-ids`)."
    )
    except_rows: Annotated[list[RowId], Field(max_length=1_000_000)] = Field(
        default=[], description="With `filters`: the row_ids of matching images that are not selected."
    )

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if sum(each is not None for each in (self.images, self.rows, self.filters)) != 1:
            raise ValueError("give exactly one of images, rows and filters")
        if self.filters is None and self.model_fields_set & {"except_rows", "n_listed", "digest"}:
            raise ValueError("except_rows, n_listed and digest need filters")
        return self


@dataclass(frozen=True, slots=True)
class FilteredImages:
    """A table of images and its filters.

    Args:
        row_id: the number of an image, which never changes.
        position: the default order, also among equal images.
        path: the column for text search.
        image: the row_id of the image in a dataset; null: it is in none.
        file: the absolute path of the file.
        plan: the pixels of the file that are the image, as JSON.
        named: columns by the filter of their values.
        only: conditions by the value of `only`.
        names: for orders by name, all names of the column in order; images without a name are last.
        condition: the condition for all images of the gallery.
        in_part: the condition for images of the requested set.
    """

    row_id: ColumnElement[int]
    position: ColumnElement[int]
    path: ColumnElement[str]
    image: ColumnElement[int]
    file: ColumnElement[Any]  # Any: a path
    plan: ColumnElement[Any]  # Any: JSON
    named: Mapping[str, ColumnElement[Any]]  # Any: text, or none
    only: Mapping[Only, ColumnElement[bool]]
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    condition: ColumnElement[bool] = field(default_factory=true)
    in_part: ColumnElement[bool] | None = None


def matching_query(gallery: FilteredImages, filters: Filters, after: int | None = None) -> Select[Any]:
    """Return a query for the row_ids of the matching images, in order.

    Args:
        gallery: the table of images.
        filters: the filters and the order.
        after: only images that follow the image with this row_id.

    Raises:
        CoverslipError: the gallery does not support a filter.
    """
    query = select(gallery.row_id)
    order: list[ColumnElement[Any]]
    keys: list[ColumnElement[Any]]
    if filters.sort == "position":
        order, keys = [gallery.position], [gallery.position]
    else:
        column, is_descending = filters.sort.removeprefix("-"), filters.sort.startswith("-")
        if column in gallery.names:
            query, by = _with_rank(query, gallery, column)
        elif column in gallery.named:
            by = gallery.named[column]
        else:
            raise _unsupported("sort", filters.sort)
        if filters.only is not None or filters.search:
            # In the order of an index, SQLite would read most rows of the table, one page of the file for each.
            by = unindexed(by)
        # Missing values, such as probabilities of unreadable images, are last in both directions.
        order = [(by.desc() if is_descending else by.asc()).nulls_last(), gallery.position]
        keys = [by.is_(None), func.coalesce(-by if is_descending else by, 0), gallery.position]
    if after is not None:
        last = query.with_only_columns(*keys).where(gallery.row_id == after)
        query = query.where(tuple_(*keys) > last.correlate(None).scalar_subquery())
    return query.where(gallery.condition, *_conditions(gallery, filters)).order_by(*order)


def _conditions(gallery: FilteredImages, filters: Filters) -> list[ColumnElement[bool]]:
    conditions = [_is_named(gallery, name, value) for name in _NAMED if (value := getattr(filters, name)) is not None]
    if filters.search:
        conditions.append(contains(gallery.path, filters.search))
    if filters.only is not None:
        if filters.only not in gallery.only:
            raise _unsupported("only", filters.only)
        conditions.append(gallery.only[filters.only])
    if filters.part is not None:
        if gallery.in_part is None:
            raise _unsupported("part", filters.part)
        conditions.append(gallery.in_part)
    return conditions


def _is_named(gallery: FilteredImages, name: str, value: str) -> ColumnElement[bool]:
    if name not in gallery.named:
        raise _unsupported(name, value)
    return gallery.named[name] == value if value else gallery.named[name].is_(None)


def _with_rank(query: Select[Any], gallery: FilteredImages, column: str) -> tuple[Select[Any], ColumnElement[int]]:
    """Return the query with the rank of each image in the order of names; None without a name."""
    ordered_names = items_of(gallery.names[column])
    # Materialized, so that SQLite creates an index: there may be as many groups as images.
    ranked = select(ordered_names.c.key, ordered_names.c.value).cte("ranked").prefix_with("MATERIALIZED")
    is_named = ranked.c.value == gallery.named[column]
    return query.outerjoin_from(gallery.position.table, ranked, is_named), ranked.c.key


def _unsupported(name: str, value: str) -> CoverslipError:
    return CoverslipError("unknown-filter", name=name, value=value)


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
    def gallery(self, connection: Connection, filters: Filters) -> FilteredImages:
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
