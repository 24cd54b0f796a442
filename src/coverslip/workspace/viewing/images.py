"""Lists of images of datasets and jobs: filters, facts about each image, and label errors of trainings."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

import numpy as np
from pydantic import ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, Connection, Select, case, func, literal, null, select, true, tuple_

from coverslip.datasets.index.classes import with_classes
from coverslip.datasets.index.records import Part
from coverslip.datasets.names import name_as_text, natural_key
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import BadRun, CoverslipError, NotFound
from coverslip.images.decoding import prepare_decoding
from coverslip.images.reader import ReadPlan
from coverslip.messages import Message, message_of
from coverslip.runs.folder import Run
from coverslip.runs.results import LabelErrors
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    among,
    among_integers,
    are_rows,
    as_dataset,
    class_order,
    confirmed_ids,
    confirmed_images,
    contains,
    dataset_row,
    folder_of_job,
    is_reserved,
    items_of,
    load_records,
    plan_of,
    read_integers,
    source_paths,
    split_in_dataset,
    unindexed,
)
from coverslip.workspace.store.tables import image_colors, image_facts, images, inspections
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.live import LiveView, live_view, require_view

# A list of images: those of a dataset, or those that a job has measured or predicted.
#
# Each image of a list has a number (`row_id`) that never changes. Pages, pictures, tiles and fields of view of all
# lists are the same; the lists differ in what is known of their images.

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
    "position",
    "label",
    "group",
    "label-quality",
    "near-duplicates",
    "suggested",
    "certainty",
    "-certainty",
    "probability",
    "-probability",
]

_NAMED = ("label", "group", "domain", "predicted", "decision")
Item = TypeVar("Item")


class Filters(DocumentedModel):
    """Filters and order of images. All filters apply together. A gallery refuses filters that it does not support."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Text | None = Field(default=None, description="The current label; empty for images without a label.")
    group: Text | None = Field(default=None, description="Such as a patient or a slide.")
    domain: Annotated[Text | None, Field(description="A laboratory, device or day, as the dataset names it.")] = None
    predicted: Text | None = Field(
        default=None, description="The most probable class by the classifier; of a dataset, while live is on."
    )
    decision: Text | None = Field(
        default=None,
        description="A class, or `uncertain`, `unfamiliar` or `unreadable`: the decision of the classifier.",
    )
    only: Only | None = Field(
        default=None,
        description="For datasets: unreadable; duplicate: an equal image has the same class in trainings; "
        "conflicting: an equal image has another class; problem: any of these; excluded: excluded in the app; "
        "changed: relabeled in the app; questioned: misclassified by a classifier of `run` that was not trained on the "
        "image; suspected: of these, images to check first; confirmed: images with a confirmed label, "
        "which neither of the two contains; near-duplicates: duplicates and near-duplicates found so far; "
        "suggested: the images to label next, while live is on; reserved: the test set. For predictions: "
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
        description="`-probability`: the highest first; `label-quality`: the most likely label error by `run` first. "
        "While live is on: `suggested`: the images to label next; `certainty`: the least certain predictions first, "
        "with images of the reserved test set among them; `-certainty`: the most certain ones first.",
    )


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
        decided: the corrected class, else the predicted class or decision; null without predictions.
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
    decided: ColumnElement[Any] = field(default_factory=null)  # Any: text, or none


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
        last = query.with_only_columns(*keys).where(gallery.condition, gallery.row_id == after)
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
class ImagePage(DocumentedFields, Generic[Item]):
    """Some images of a list."""

    items: list[Item]
    next: int | None
    """Give it as `after` to get the images that follow; null: these are the last."""


@dataclass(frozen=True, slots=True)
class PictureSource:
    """The location of the pixels of an image."""

    path: Path
    plan: ReadPlan
    version: str
    is_readable: bool


@dataclass(frozen=True, slots=True)
class ObjectPredictions(DocumentedFields):
    """The predictions of some objects."""

    predicted: list[int]
    """Positions in `classes`; -1: unreadable; of a dataset, as `predicted` of an image."""
    probabilities: list[float | None]
    """Of the predicted classes; null: unreadable, or of a dataset."""
    decisions: list[int]
    """Positions in `classes`, followed by `uncertain`, `unfamiliar` and `unreadable`; of a dataset, as `predicted`."""
    corrections: list[int]
    """Classes that a user corrected or confirmed, or changed labels; -1: none."""


@dataclass(frozen=True, slots=True)
class ObjectLabels(DocumentedFields):
    """The labels of some objects, in the order of their outlines."""

    classes: list[str]
    labels: list[int]
    """Positions in `classes`; -1: no label. For jobs, the labels at the request of the job."""
    excluded: list[int]
    """Positions of the objects that a user excluded."""
    predictions: ObjectPredictions | None = None
    """null for datasets while live is off."""


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


# The images of a dataset.

ImageProblem = Literal["unreadable", "duplicate", "conflicting"]

_MOST_EQUAL = 100
_DUPLICATE_FINDINGS = (
    "near-duplicates",
    "conflicting-labels",
    "duplicates",
)  # findings of images with the same content
_NOT_OF_IMAGES = {
    "confirmed",
    "near-duplicates",
    "reserved",
}  # filters and orders that depend on other tables
_OF_LIVE = {"suggested", "certainty", "-certainty"}  # filters and orders by current predictions


@dataclass(frozen=True, slots=True)
class Image(DocumentedFields):
    """An image of a gallery."""

    row_id: int
    """Its permanent number in the app."""
    image_id: str
    path: str
    """Path relative to its folder or table."""
    label: str | None
    """The current label."""
    label_before: str | None
    """The label of the folder or table."""
    group: str | None
    domain: str
    """Such as its laboratory, device or day."""
    problem: ImageProblem | None
    """duplicate: an equal image has the same class in trainings; conflicting: it has another."""
    is_excluded: bool
    """Whether it was excluded in the app."""
    width: int | None
    """In pixels; null: unreadable."""
    height: int | None
    """In pixels; null: unreadable."""
    version: str
    """Changes with the file; give it as ?v= to cache pictures permanently."""
    predicted: str | None
    """The most probable class by the current labels; null: live is off, or the image has a label, is excluded, or
    belongs to the reserved test set."""


@dataclass(frozen=True, slots=True)
class ImageFacts(Image):
    """The facts about an image."""

    format: str | None
    bit_depth: int | None
    n_channels: int | None
    n_planes: int | None
    dtype: str | None
    low: list[float] | None
    """0.1 percentile of each channel."""
    high: list[float] | None
    """99.9 percentile of each channel."""
    pixel_hash: str | None
    equal_to: list[int]
    """row_ids of the first images with the same pixels."""
    pixel_size_um: list[float] | None
    """Width and height of a pixel in µm; null: unknown."""
    note: Message | None
    """A note about reading it, or why it cannot be read."""
    duplicates: int
    """Number of other images with the same pixels."""
    related: list[int]
    """row_ids of other images in the same sets of duplicates and near-duplicates, as far as they are searched for."""
    size_bytes: int | None
    file: str
    """Absolute path."""
    predefined_split: str | None


_COLUMNS = (
    images.c.row_id,
    images.c.image_id,
    images.c.shown_path.label("path"),
    images.c.label,
    images.c.label_before,
    images.c.group,
    images.c.domain,
    images.c.problem,
    images.c.is_excluded,
    images.c.width_px.label("width"),
    images.c.height_px.label("height"),
    images.c.version,
)


@dataclass(frozen=True)
class DatasetImages(ImageList[Image]):
    """The images of a dataset. All methods raise NotFound if there is no such dataset."""

    dataset_id: str

    @property
    def dataset_ids(self) -> tuple[str]:
        """The dataset itself."""
        return (self.dataset_id,)

    def revision(self, filters: Filters) -> str | None:
        """Return a text that changes whenever other images may match.

        It is None while the images are read, and for filters that depend on more than the images: on a training, on
        confirmations, or on the search for near-duplicates. Predictions of live follow from the labels, and from
        features, which count as a revision when they are computed.
        """
        with self.workspace.engine.connect() as connection:
            row = dataset_row(connection, self.dataset_id)
        depends_on_more = filters.run is not None or {filters.only, filters.sort} & _NOT_OF_IMAGES
        return None if row.state == "reading" or depends_on_more else str(row.revision)

    def gallery(self, connection: Connection, filters: Filters) -> FilteredImages:
        """Return the table of the images, with the data that these filters need."""
        view = view_of(self.workspace, self.dataset_id, filters)
        return dataset_gallery(connection, dataset_row(connection, self.dataset_id), filters, view)

    def items(self, connection: Connection, row_ids: Sequence[int]) -> list[Image]:
        """Return images in this order, without those that are no longer in the dataset."""
        dataset_row(connection, self.dataset_id)
        query = select(*_COLUMNS).where(are_rows(self.dataset_id, row_ids))
        view = live_view(self.workspace, self.dataset_id)
        predicted = {} if view is None else view.predicted
        by_row = {
            image["row_id"]: Image(**image, predicted=predicted.get(image["row_id"]))
            for image in connection.execute(query).mappings()
        }
        return [by_row[row_id] for row_id in row_ids if row_id in by_row]

    def facts(self, row_id: int) -> ImageFacts:
        """Return the facts about an image.

        Raises:
            NotFound: it is not in the dataset.
        """
        with self.workspace.engine.connect() as connection:
            dataset_row(connection, self.dataset_id)
            query = select(*_COLUMNS, images.c.pixel_hash, images.c.predefined_split, images.c.path.label("file"))
            is_image = (images.c.dataset_id == self.dataset_id) & (images.c.row_id == row_id)
            row = connection.execute(query.where(is_image)).mappings().one_or_none()
            if row is None:
                raise _no_image(row_id)
            stored = connection.execute(
                select(image_facts.c.facts, image_facts.c.reason).where(image_facts.c.row_id == row_id)
            ).one_or_none()
            duplicates, n_duplicates = _duplicates_of(connection, self.dataset_id, row_id, row["pixel_hash"])
            clusters = (each for each in _clusters(connection, self.dataset_id) if row["image_id"] in each)
            others = {image_id for cluster in clusters for image_id in cluster} - {row["image_id"]}
            of_others = select(images.c.row_id).where(
                images.c.dataset_id == self.dataset_id, images.c.image_id.in_(among(others)), ~images.c.is_excluded
            )
            related = list(connection.execute(of_others.order_by(images.c.position)).scalars())
        view = live_view(self.workspace, self.dataset_id)
        facts = stored.facts if stored is not None and stored.facts else {}
        note = stored.reason if stored is not None and not facts else facts.get("note")
        try:
            size = self.workspace.allowed(row["file"]).stat().st_size
        except (CoverslipError, OSError):
            size = None
        read_facts: dict[str, Any] = {
            name: facts.get(name)
            for name in ("bit_depth", "n_channels", "n_planes", "dtype", "low", "high", "pixel_size_um")
        }
        return ImageFacts(
            **{**row, "file": name_as_text(row["file"])},
            predicted=None if view is None else view.predicted.get(row_id),
            **read_facts,
            format=facts.get("file_format"),
            note=None if note is None else message_of(note),
            equal_to=duplicates,
            duplicates=n_duplicates,
            related=related,
            size_bytes=size,
        )

    def picture_sources(self, row_ids: Sequence[int]) -> list[PictureSource]:
        """Return the locations of the pixels of images, in the given order.

        Raises:
            NotFound: one of the images is not in the dataset.
        """
        query = select(images.c.row_id, images.c.path, images.c.plan, images.c.version, images.c.problem)
        with self.workspace.engine.connect() as connection:
            rows = connection.execute(query.where(are_rows(self.dataset_id, row_ids))).all()
            if not rows:
                dataset_row(connection, self.dataset_id)
        sources = {
            row.row_id: PictureSource(Path(row.path), plan_of(row.plan)[0], row.version, row.problem != "unreadable")
            for row in rows
        }
        missing = [row_id for row_id in row_ids if row_id not in sources]
        if missing:
            raise _no_image(missing[0])
        return [sources[row_id] for row_id in row_ids]

    def source_paths(self) -> list[str]:
        """Return the folders and tables of the dataset."""
        with self.workspace.engine.connect() as connection:
            return source_paths(dataset_row(connection, self.dataset_id))

    def labels_of(self, connection: Connection, query: Select[Any]) -> ObjectLabels:
        """Return the labels of images, in the order of a query for their row_ids, and their predictions by live."""
        row = dataset_row(connection, self.dataset_id)
        columns = (images.c.label, images.c.is_excluded, images.c.row_id)
        labeled = connection.execute(query.with_only_columns(*columns)).all()
        view = live_view(self.workspace, self.dataset_id)
        classes = class_order(row.class_names, row.summary["classes"])
        number: dict[str | None, int] = {name: k for k, name in enumerate(classes)}
        predictions = None
        if view is not None:
            predicted = [number.get(view.predicted.get(each.row_id), UNLABELED) for each in labeled]
            n = len(labeled)
            predictions = ObjectPredictions(predicted, [None] * n, predicted, [UNLABELED] * n)
        return ObjectLabels(
            classes,
            [number.get(each.label, UNLABELED) for each in labeled],  # an excluded image can be of a class not in use
            [k for k, each in enumerate(labeled) if each.is_excluded],
            predictions,
        )


def view_of(workspace: Workspace, dataset_id: str, filters: Filters) -> LiveView | None:
    """Return the predictions of live if these filters need them.

    Raises:
        NotFound: there is no such dataset.
        Conflict: live is off.
    """
    is_of_live = filters.predicted is not None or {filters.only, filters.sort} & _OF_LIVE
    return require_view(workspace, dataset_id) if is_of_live else None


def dataset_gallery(connection: Connection, row: AnyRow, filters: Filters, view: LiveView | None) -> FilteredImages:
    """Return the gallery of a dataset, with the data that these filters need, `view_of` them among these."""
    names: dict[str, Sequence[str]] = {}
    if filters.sort == "label":
        names["label"] = class_order(row.class_names, row.summary["classes"])
    if filters.sort == "group":
        names["group"] = _groups(connection, row.id)
    named: dict[str, ColumnElement[Any]] = {name: images.c[name] for name in ("label", "group", "domain")}
    only: dict[Only, ColumnElement[bool]] = {
        **{name: images.c.problem == name for name in get_args(ImageProblem)},
        "problem": images.c.problem.is_not(None),
        "excluded": images.c.is_excluded,
        "changed": images.c.label.is_distinct_from(images.c.label_before),
        "confirmed": images.c.row_id.in_(confirmed_images(row.id)),
        "reserved": is_reserved,
    }
    if filters.only in ("questioned", "suspected") or filters.sort == "label-quality":
        errors = _label_errors(connection, row.id, filters)
        named["label-quality"] = images.c.image_id
        names["label-quality"] = [image.image_id for image in errors.images]
        only["questioned"] = images.c.image_id.in_(among(names["label-quality"]))
        only["suspected"] = images.c.image_id.in_(among(names["label-quality"][: errors.n_suspected]))
    if "near-duplicates" in (filters.only, filters.sort):
        named["near-duplicates"] = images.c.image_id
        names["near-duplicates"] = _duplicates(connection, row.id)
        only["near-duplicates"] = images.c.image_id.in_(among(names["near-duplicates"]))
    if view is not None and filters.predicted is not None:
        rows = [row_id for row_id, name in view.predicted.items() if filters.predicted in ("", name)]
        is_predicted = images.c.row_id.in_(among_integers(rows))
        named["predicted"] = case((is_predicted, literal(filters.predicted)))
    if view is not None and filters.sort in ("certainty", "-certainty"):
        named["certainty"] = images.c.image_id
        names["certainty"] = view.least_certain if filters.sort == "certainty" else view.most_certain[::-1]
    if view is not None and "suggested" in (filters.only, filters.sort):
        named["suggested"] = images.c.image_id
        names["suggested"] = view.suggested
        only["suggested"] = images.c.image_id.in_(among(view.suggested))
    return FilteredImages(
        row_id=images.c.row_id,
        position=images.c.position,
        path=images.c.shown_path,
        image=images.c.row_id,
        file=images.c.path,
        plan=images.c.plan,
        named=named,
        only=only,
        names=names,
        condition=images.c.dataset_id == row.id,
        in_part=None if filters.part is None else images.c.image_id.in_(among(_in_part(connection, row.id, filters))),
    )


def _groups(connection: Connection, dataset_id: str) -> list[str]:
    groups = select(images.c.group).where(images.c.dataset_id == dataset_id, images.c.group.is_not(None)).distinct()
    return sorted(connection.execute(groups).scalars(), key=natural_key)


def _in_part(connection: Connection, dataset_id: str, filters: Filters) -> list[str]:
    """Return the IDs of the images in a set of a training's split."""
    run = _training(connection, filters)
    if not run.split:
        raise BadRun("no-split-yet", file=run.split_file)
    rows = split_in_dataset(connection, dataset_id, filters.run or "")
    return [image_id for image_id, row in rows.items() if row.split == filters.part]


def _label_errors(connection: Connection, dataset_id: str, filters: Filters) -> LabelErrors:
    """Return the suspected label errors of a training, without confirmed and changed labels."""
    now = current_label_errors(connection, dataset_id, filters.run or "", _training(connection, filters))
    if now is None:
        raise CoverslipError("labels-not-checked")
    return now.unconfirmed


def _duplicates(connection: Connection, dataset_id: str) -> list[str]:
    """Return the IDs of duplicates and near-duplicates, ordered by cluster."""
    clusters = _clusters(connection, dataset_id)
    return list(dict.fromkeys(image_id for cluster in clusters for image_id in cluster))


def _clusters(connection: Connection, dataset_id: str) -> list[list[str]]:
    """Return the IDs of the images of each set of duplicates or near-duplicates."""
    content = connection.execute(
        select(inspections.c.content).where(inspections.c.dataset_id == dataset_id)
    ).scalar_one_or_none()
    findings = [] if content is None else content["inspection"]["findings"]
    return [cluster for code in _DUPLICATE_FINDINGS for f in findings if f["code"] == code for cluster in f["images"]]


def _training(connection: Connection, filters: Filters) -> Run:
    """Return the training of the filters."""
    if filters.run is None:
        raise CoverslipError("filter-without-training")
    folder = folder_of_job(connection, filters.run, "train")
    if folder is None:
        raise NotFound("no-such-training")
    return Run(folder)


def _no_image(row_id: int) -> NotFound:
    return NotFound("no-image-with-row-id", row_id=row_id)


def _duplicates_of(
    connection: Connection, dataset_id: str, row_id: int, pixel_hash: str | None
) -> tuple[list[int], int]:
    """Return the first images with the same pixels, and their number."""
    if pixel_hash is None:
        return [], 0
    is_duplicate: Any = (
        images.c.dataset_id == dataset_id,
        images.c.pixel_hash == pixel_hash,
        images.c.row_id != row_id,
    )
    n = connection.execute(select(func.count()).where(*is_duplicate)).scalar_one()
    query = select(images.c.row_id).where(*is_duplicate).order_by(images.c.position).limit(_MOST_EQUAL)
    return list(connection.execute(query).scalars()), n


@dataclass(frozen=True, slots=True)
class CurrentLabelErrors:
    """Misclassified images of a training, by their current IDs in the dataset."""

    unchanged: LabelErrors  # of images that still exist with their label of the training
    unconfirmed: LabelErrors  # of these, images without a confirmed label
    n_relabeled: int


def current_label_errors(connection: Connection, dataset_id: str, run_id: str, run: Run) -> CurrentLabelErrors | None:
    """Return the current label errors; None without a search. Without the dataset, all of them are returned."""
    errors = run.label_errors
    if errors is None:
        return None
    with suppress(NotFound):
        dataset = dataset_row(connection, dataset_id)
        errors_now = errors.renamed(
            {row.image_id: image_id for image_id, row in split_in_dataset(connection, dataset_id, run_id).items()}
        )
        labels = {image.image_id: image.label for image in errors_now.images}
        records = load_records(connection, dataset_id, image_ids=labels)
        current = with_classes(as_dataset(dataset, records), run.recipe.classes).records if records else ()
        changed_ids = {record.image_id for record in current if record.label != labels[record.image_id]}
        unchanged = errors_now.without(changed_ids)
        return CurrentLabelErrors(unchanged, unchanged.without(confirmed_ids(connection, dataset_id)), len(changed_ids))
    return CurrentLabelErrors(errors, errors, 0)
