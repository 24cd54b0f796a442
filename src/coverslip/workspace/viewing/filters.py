"""Filters and sort orders of images, the same for datasets, measured images and predictions.

`Filters` are the query parameters of pages. A `Gallery` describes the filters of a table of images, and
`matching_query` returns the SELECT.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import ColumnElement, Select, func, select, true, tuple_

from coverslip.datasets import Part
from coverslip.errors import CoverslipError
from coverslip.workspace.store.sql import contains, items_of, unindexed

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
class Gallery:
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


def matching_query(gallery: Gallery, filters: Filters, after: int | None = None) -> Select[Any]:
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


def _conditions(gallery: Gallery, filters: Filters) -> list[ColumnElement[bool]]:
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


def _is_named(gallery: Gallery, name: str, value: str) -> ColumnElement[bool]:
    if name not in gallery.named:
        raise _unsupported(name, value)
    return gallery.named[name] == value if value else gallery.named[name].is_(None)


def _with_rank(query: Select[Any], gallery: Gallery, column: str) -> tuple[Select[Any], ColumnElement[int]]:
    """Return the query with the rank of each image in the order of names; None without a name."""
    ordered_names = items_of(gallery.names[column])
    # Materialized, so that SQLite creates an index: there may be as many groups as images.
    ranked = select(ordered_names.c.key, ordered_names.c.value).cte("ranked").prefix_with("MATERIALIZED")
    is_named = ranked.c.value == gallery.named[column]
    return query.outerjoin_from(gallery.position.table, ranked, is_named), ranked.c.key


def _unsupported(name: str, value: str) -> CoverslipError:
    return CoverslipError("unknown-filter", name=name, value=value)
