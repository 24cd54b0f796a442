"""Images of a dataset: filters, facts about each image, and label errors of trainings."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Select, func, select

from coverslip.datasets import (
    name_as_text,
    natural_key,
    with_classes,
)
from coverslip.errors import BadRun, CoverslipError, NotFound, PreconditionFailed, PreconditionRequired
from coverslip.messages import Message, message_of
from coverslip.runs import LabelErrors, Run
from coverslip.workspace.store.rows import (
    AnyRow,
    ImagesChanged,
    are_rows,
    as_dataset,
    class_order,
    confirmed_ids,
    confirmed_images,
    dataset_row,
    folder_of_run,
    is_present_in,
    is_reserved,
    load_records,
    plan_of,
    source_paths,
    split_in_dataset,
)
from coverslip.workspace.store.sql import among
from coverslip.workspace.store.tables import image_facts, images, inspections, suggested_images
from coverslip.workspace.viewing.lists import (
    UNLABELED,
    FilteredImages,
    Filters,
    ImageList,
    ImageSelection,
    ObjectLabels,
    Only,
    PictureSource,
    digest_of,
    matching_query,
    row_ids_of,
)

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
    "suggested",
    "reserved",
}  # filters and orders that depend on other tables


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a gallery."""

    row_id: Annotated[int, Field(description="Its permanent number in the app.")]
    image_id: str
    path: Annotated[str, Field(description="Path relative to its folder or table.")]
    label: Annotated[str | None, Field(description="The current label.")]
    label_before: Annotated[str | None, Field(description="The label of the folder or table.")]
    group: str | None
    domain: Annotated[str, Field(description="Such as its laboratory, device or day.")]
    problem: Annotated[
        ImageProblem | None,
        Field(description="duplicate: an equal image has the same class in trainings; conflicting: it has another."),
    ]
    is_excluded: Annotated[bool, Field(description="Whether it was excluded in the app.")]
    width: Annotated[int | None, Field(description="In pixels; null: unreadable.")]
    height: Annotated[int | None, Field(description="In pixels; null: unreadable.")]
    version: Annotated[str, Field(description="Changes with the file; give it as ?v= to cache pictures permanently.")]


@dataclass(frozen=True, slots=True)
class ImageFacts(Image):
    """The facts about an image."""

    format: str | None
    bit_depth: int | None
    n_channels: int | None
    n_planes: int | None
    dtype: str | None
    low: Annotated[list[float] | None, Field(description="0.1 percentile of each channel.")]
    high: Annotated[list[float] | None, Field(description="99.9 percentile of each channel.")]
    pixel_hash: str | None
    equal_to: Annotated[list[int], Field(description="row_ids of the first images with the same pixels.")]
    pixel_size_um: Annotated[list[float] | None, Field(description="Width and height of a pixel in µm; null: unknown.")]
    note: Annotated[Message | None, Field(description="A note about reading it, or why it cannot be read.")]
    duplicates: Annotated[int, Field(description="Number of other images with the same pixels.")]
    size_bytes: int | None
    file: Annotated[str, Field(description="Absolute path.")]
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
        confirmations, or on the search for near-duplicates.
        """
        with self.workspace.engine.connect() as connection:
            row = dataset_row(connection, self.dataset_id)
        depends_on_more = filters.run is not None or {filters.only, filters.sort} & _NOT_OF_IMAGES
        return None if row.state == "reading" or depends_on_more else str(row.revision)

    def gallery(self, connection: Connection, filters: Filters) -> FilteredImages:
        """Return the table of the images, with the data that these filters need."""
        return _gallery(connection, dataset_row(connection, self.dataset_id), filters)

    def items(self, connection: Connection, row_ids: Sequence[int]) -> list[Image]:
        """Return images in this order, without those that are no longer in the dataset."""
        dataset_row(connection, self.dataset_id)
        query = select(*_COLUMNS).where(are_rows(self.dataset_id, row_ids))
        by_row = {image["row_id"]: Image(**image) for image in connection.execute(query).mappings()}
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
            **read_facts,
            format=facts.get("file_format"),
            note=None if note is None else message_of(note),
            equal_to=duplicates,
            duplicates=n_duplicates,
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
        """Return the labels of images, in the order of a query for their row_ids."""
        row = dataset_row(connection, self.dataset_id)
        labeled = connection.execute(query.with_only_columns(images.c.label, images.c.is_excluded)).all()
        classes = class_order(row.class_names, row.summary["classes"])
        number = {name: k for k, name in enumerate(classes)}
        return ObjectLabels(
            classes,
            [UNLABELED if label is None else number[label] for label, _ in labeled],
            [k for k, (_, is_excluded) in enumerate(labeled) if is_excluded],
        )


def selected_rows(connection: Connection, row: AnyRow, selection: ImageSelection) -> list[int]:
    """Return the row_ids of selected images of a dataset.

    Everything that acts on images by filters calls it, in the transaction that changes the images: it accepts only the
    images that the client listed.

    Raises:
        PreconditionRequired: the selection has filters, but does not state which images the client listed.
        PreconditionFailed: other images match the filters now.
        ImagesChanged: one of the images is not in the dataset.
        NotFound, CoverslipError: as `ImageList.row_ids`.
    """
    if selection.filters is not None:
        if selection.n_listed is None or selection.digest is None:
            raise PreconditionRequired("filters-without-list")
        query = matching_query(_gallery(connection, row, selection.filters), selection.filters).order_by(None)
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


def _gallery(connection: Connection, row: AnyRow, filters: Filters) -> FilteredImages:
    """Return the gallery of a dataset, with the data that these filters need."""
    names = {}
    if filters.sort == "label":
        names["label"] = class_order(row.class_names, row.summary["classes"])
    if filters.sort == "group":
        names["group"] = _groups(connection, row.id)
    named = {name: images.c[name] for name in ("label", "group", "domain")}
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
    if "suggested" in (filters.only, filters.sort):
        named["suggested"] = images.c.image_id
        names["suggested"] = _suggested(connection, row.id)
        only["suggested"] = images.c.image_id.in_(among(names["suggested"]))
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


def _suggested(connection: Connection, dataset_id: str) -> list[str]:
    """Return the IDs of the images that were suggested last, the most useful first."""
    query = select(images.c.image_id).join(suggested_images, is_present_in(dataset_id, suggested_images))
    query = query.where(suggested_images.c.dataset_id == dataset_id)
    return list(connection.execute(query.order_by(suggested_images.c.rank)).scalars())


def _duplicates(connection: Connection, dataset_id: str) -> list[str]:
    """Return the IDs of duplicates and near-duplicates, ordered by cluster."""
    content = connection.execute(
        select(inspections.c.content).where(inspections.c.dataset_id == dataset_id)
    ).scalar_one_or_none()
    findings = [] if content is None else content["inspection"]["findings"]
    clusters = (
        cluster for code in _DUPLICATE_FINDINGS for f in findings if f["code"] == code for cluster in f["images"]
    )
    return list(dict.fromkeys(image_id for cluster in clusters for image_id in cluster))


def _training(connection: Connection, filters: Filters) -> Run:
    """Return the training of the filters."""
    if filters.run is None:
        raise CoverslipError("filter-without-training")
    folder = folder_of_run(connection, filters.run)
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
