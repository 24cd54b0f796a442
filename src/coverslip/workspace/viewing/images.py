"""Images of a dataset: filters, facts about each image, and label errors of trainings."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field
from sqlalchemy import ColumnElement, Connection, func, select

from coverslip.datasets import (
    name_as_text,
    natural_key,
    with_classes,
)
from coverslip.errors import BadRun, CoverslipError, NotFound
from coverslip.images import ReadPlan
from coverslip.runs import LabelErrors, Run
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    Page,
    as_dataset,
    class_order,
    confirmed_ids,
    confirmed_images,
    dataset_row,
    folder_of_run,
    load_records,
    plan_of,
    reason_text,
    rows_in_dataset,
)
from coverslip.workspace.store.tables import image_facts, images, inspections
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.filters import Filters, Gallery, Only, among, as_sqlite, matching_query

ImageProblem = Literal["unreadable", "duplicate", "conflicting"]

_MOST_EQUAL = 100
_DUPLICATE_FINDINGS = (
    "near-duplicates",
    "conflicting-labels",
    "duplicates",
)  # findings of images with the same content


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a gallery."""

    i: Annotated[int, Field(description="Its position in the dataset, from 0.")]
    image_id: str
    path: Annotated[str, Field(description="Path relative to its folder or table.")]
    label: Annotated[str | None, Field(description="The current label.")]
    label_before: Annotated[str | None, Field(description="The label of the folder or table.")]
    group: str | None
    domain: str
    problem: Annotated[
        ImageProblem | None,
        Field(description="duplicate: an equal image has the same class in trainings; conflicting: it has another."),
    ]
    is_excluded: Annotated[bool, Field(description="Whether it was excluded in the app.")]
    width: int | None
    height: int | None
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
    equal_to: Annotated[list[int], Field(description="Images with the same pixels.")]
    note: Annotated[str | None, Field(description="A note about reading it, or why it cannot be read.")]
    duplicates: Annotated[int, Field(description="Number of other images with the same pixels.")]
    size_bytes: int | None
    file: Annotated[str, Field(description="Absolute path.")]
    predefined_split: str | None


_COLUMNS = (
    images.c.position.label("i"),
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


@dataclass(frozen=True, slots=True)
class PictureSource:
    """The location of the pixels of an image."""

    path: Path
    plan: ReadPlan
    version: str
    is_readable: bool


def matching(workspace: Workspace, dataset_id: str, filters: Filters) -> list[tuple[int, str]]:
    """Return positions and IDs of the matching images, in order, of one state of the database.

    Raises:
        NotFound: there is no such dataset, or no such run.
        CoverslipError: a dataset does not support a filter, or a filter needs a run.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        query = matching_query(_gallery(connection, row, filters), filters).add_columns(images.c.image_id)
        cursor = connection.connection.cursor()  # SQLite's own interface: 100,000 rows take a tenth of the time
        return [(position, image_id) for position, image_id in cursor.execute(*as_sqlite(query))]


def list_images(workspace: Workspace, dataset_id: str, filters: Filters, *, offset: int, limit: int) -> Page[Image]:
    """Return a page of the matching images."""
    with read_transaction(workspace.engine) as connection:
        query = matching_query(_gallery(connection, dataset_row(connection, dataset_id), filters), filters)
        total = connection.execute(select(func.count()).select_from(query.order_by(None).subquery())).scalar_one()
        page = query.with_only_columns(*_COLUMNS).offset(offset).limit(limit)
        return Page([Image(**row) for row in connection.execute(page).mappings()], total)


def _gallery(connection: Connection, row: AnyRow, filters: Filters) -> Gallery:
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
        "confirmed": images.c.image_id.in_(confirmed_images(row.id)),
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
    return Gallery(
        position=images.c.position,
        path=images.c.shown_path,
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
    rows = rows_in_dataset(connection, dataset_id, run)
    return [image_id for image_id, row in rows.items() if row.split == filters.part]


def _label_errors(connection: Connection, dataset_id: str, filters: Filters) -> LabelErrors:
    """Return the suspected label errors of a training, without confirmed and changed labels."""
    now = current_label_errors(connection, dataset_id, _training(connection, filters))
    if now is None:
        raise CoverslipError("labels-not-checked")
    return now.unconfirmed


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


def facts_of(workspace: Workspace, dataset_id: str, position: int) -> ImageFacts:
    """Return the facts about an image.

    Raises:
        NotFound: there is no such dataset or image.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        query = select(*_COLUMNS, images.c.pixel_hash, images.c.predefined_split, images.c.path.label("file"))
        row = connection.execute(query.where(*_at(dataset_id, [position]))).mappings().one_or_none()
        if row is None:
            raise _no_image(position)
        stored = connection.execute(
            select(image_facts.c.facts, image_facts.c.reason).where(
                image_facts.c.dataset_id == dataset_id, image_facts.c.position == position
            )
        ).one_or_none()
        duplicates, n_duplicates = _duplicates_of(connection, dataset_id, position, row["pixel_hash"])
    facts = stored.facts if stored is not None and stored.facts else {}
    try:
        size = workspace.allowed(row["file"]).stat().st_size
    except (CoverslipError, OSError):
        size = None
    read_facts: dict[str, Any] = {
        name: facts.get(name) for name in ("bit_depth", "n_channels", "n_planes", "dtype", "low", "high")
    }
    return ImageFacts(
        **{**row, "file": name_as_text(row["file"])},
        **read_facts,
        format=facts.get("file_format"),
        note=reason_text(stored.reason) if stored is not None and not facts else facts.get("note"),
        equal_to=duplicates,
        duplicates=n_duplicates,
        size_bytes=size,
    )


def picture_source(workspace: Workspace, dataset_id: str, position: int) -> PictureSource:
    """Return the location of the pixels of an image.

    Raises:
        NotFound: there is no such dataset or image.
    """
    return picture_sources(workspace, dataset_id, [position])[0]


def picture_source_of(workspace: Workspace, dataset_id: str, image_id: str) -> PictureSource:
    """Return the location of the pixels of the image with this ID."""
    query = select(images.c.position).where(images.c.dataset_id == dataset_id, images.c.image_id == image_id)
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        position = connection.execute(query.limit(1)).scalar()
    if position is None:
        raise NotFound("no-image-with-id")
    return picture_source(workspace, dataset_id, position)


def picture_sources(workspace: Workspace, dataset_id: str, positions: list[int]) -> list[PictureSource]:
    """Return the locations of the pixels of images, in the given order.

    Raises:
        NotFound: there is no such dataset, or one of the images is not in it.
    """
    query = select(images.c.position, images.c.path, images.c.plan, images.c.version, images.c.problem)
    with workspace.engine.connect() as connection:
        rows = connection.execute(query.where(*_at(dataset_id, positions))).all()
        if not rows:
            dataset_row(connection, dataset_id)
    sources = {
        row.position: PictureSource(Path(row.path), plan_of(row.plan)[0], row.version, row.problem != "unreadable")
        for row in rows
    }
    missing = [position for position in positions if position not in sources]
    if missing:
        raise _no_image(missing[0])
    return [sources[position] for position in positions]


def _no_image(position: int) -> NotFound:
    return NotFound("no-image-at-position", position=position)


def _at(dataset_id: str, positions: Iterable[int]) -> list[ColumnElement[bool]]:
    """Return the conditions for any number of positions."""
    return [images.c.dataset_id == dataset_id, images.c.position.in_(among(positions))]


def _duplicates_of(
    connection: Connection, dataset_id: str, position: int, pixel_hash: str | None
) -> tuple[list[int], int]:
    """Return the first images with the same pixels, and their number."""
    if pixel_hash is None:
        return [], 0
    is_duplicate: Any = (
        images.c.dataset_id == dataset_id,
        images.c.pixel_hash == pixel_hash,
        images.c.position != position,
    )
    n = connection.execute(select(func.count()).where(*is_duplicate)).scalar_one()
    query = select(images.c.position).where(*is_duplicate).order_by(images.c.position).limit(_MOST_EQUAL)
    return list(connection.execute(query).scalars()), n


@dataclass(frozen=True, slots=True)
class CurrentLabelErrors:
    """Misclassified images of a training, by their current IDs in the dataset."""

    unchanged: LabelErrors  # of images that still exist with their label of the training
    unconfirmed: LabelErrors  # of these, images without a confirmed label
    n_relabeled: int


def current_label_errors(connection: Connection, dataset_id: str, run: Run) -> CurrentLabelErrors | None:
    """Return the current label errors; None without a search. Without the dataset, all of them are returned."""
    errors = run.label_errors
    if errors is None:
        return None
    with suppress(NotFound):
        dataset = dataset_row(connection, dataset_id)
        errors_now = errors.renamed(
            {row.image_id: image_id for image_id, row in rows_in_dataset(connection, dataset_id, run).items()}
        )
        labels = {image.image_id: image.label for image in errors_now.images}
        records = load_records(connection, dataset_id, image_ids=labels)
        current = with_classes(as_dataset(dataset, records), run.recipe.classes).records if records else ()
        changed_ids = {record.image_id for record in current if record.label != labels[record.image_id]}
        unchanged = errors_now.without(changed_ids)
        return CurrentLabelErrors(unchanged, unchanged.without(confirmed_ids(connection, dataset_id)), len(changed_ids))
    return CurrentLabelErrors(errors, errors, 0)
