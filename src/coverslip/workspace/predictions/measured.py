"""Measured images of runs and evaluations, and the images of jobs in the dataset that they come from.

`predictions.csv` of a run is converted to a database on first use.
"""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection, or_, select

from coverslip.cache import Kind, Layout, claim_store, register, remove_database
from coverslip.datasets import ClassPlan, ImageRecord, with_classes
from coverslip.errors import Conflict, NotFound
from coverslip.files import sha256_json
from coverslip.images import ReadPlan, box_center
from coverslip.runs import Run
from coverslip.runs.images import ImageLookup, ImageSource
from coverslip.runs.predictions import classes_in
from coverslip.workspace.jobs.kinds import find_measured_job, kind_of
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.rows import (
    FILE,
    NOT_FOUND,
    Row,
    RowsWriter,
    cells_in,
    corrections_of,
    page_in,
    reading,
    row_ids_in,
    row_of,
    rows_at,
    source_of,
    sources_in,
)
from coverslip.workspace.store.rows import Json, Page, as_dataset, dataset_row, load_records, missing_sources, plan_of
from coverslip.workspace.store.tables import changed_labels, images, label_changes
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.filters import Filters
from coverslip.workspace.viewing.images import PictureSource
from coverslip.workspace.viewing.tiles import ChannelDisplay, stored_display

_Box = tuple[int, int, int, int]  # x, y, width, height in pixels


def row_id_of(connection: Connection, dataset_id: str, picture: ImageSource) -> int | None:
    """Return the row_id of an image in a dataset; None if the dataset does not contain it."""
    of_file = (images.c.dataset_id == dataset_id) & (images.c.path == str(picture.file))
    rows = connection.execute(select(images.c.row_id, images.c.plan).where(of_file)).all()
    planned = [plan_of(row.plan) for row in rows]
    index = index_of_same_pixels(
        [plan for plan, _ in planned], picture.plan, ["point" in stated for _, stated in planned]
    )
    return None if index is None else int(rows[index].row_id)


def relabeled_since(workspace: Workspace, job: Job, classes: Sequence[str], file: Path) -> dict[int, str]:
    """Return the new labels of measured images that were relabeled in their dataset since then.

    Args:
        workspace: the workspace of the dataset.
        job: a training or an evaluation.
        classes: the classes of its classifier.
        file: the database of its rows.

    Returns:
        The class by the number of the row, with the class names of the training. Images whose label was removed are not
        included.
    """
    records = _changed_records(workspace, job, classes)
    if not records:
        return {}
    with reading(file) as connection:
        rows = connection.execute("SELECT row_id, file, plan, label FROM rows").fetchall()
    rows_of: dict[str, list[tuple[int, ReadPlan, str]]] = {json.dumps(str(record.path)): [] for record in records}
    for row_id, path, plan, label in rows:
        if path in rows_of:
            rows_of[path].append((row_id, ReadPlan.from_json(plan), label))
    relabeled = {}
    for record in records:
        file_rows = rows_of[json.dumps(str(record.path))]
        are_points = ["point" in record.stated] * len(file_rows)
        index = index_of_same_pixels([plan for _, plan, _ in file_rows], record.plan, are_points)
        if index is not None and record.label not in (None, file_rows[index][2]):
            relabeled[file_rows[index][0]] = str(record.label)
    return relabeled


def class_plan_of(workspace: Workspace, job: Job) -> ClassPlan:
    """Return the plan of classes of the training of a job."""
    training = job if job.classifier_id is None else find_job(workspace, job.classifier_id)
    choices: Mapping[str, object] = training.choices
    return ClassPlan.model_validate(choices.get("classes") or {})


def index_of_same_pixels(plans: Sequence[ReadPlan], plan: ReadPlan, are_points: Sequence[bool]) -> int | None:
    """Return the index of the matching image of one file: the only one, the same crop, or the same plan.

    A recipe may read another plane, other channels or larger crops around points than a dataset shows.

    Args:
        plans: the plans of the images of the file.
        plan: the plan of the image to find.
        are_points: for each image, whether the dataset gives a point without a crop size.
    """
    candidates = [k for k in range(len(plans)) if _is_same_crop(plans[k].region, plan.region, is_point=are_points[k])]
    if not candidates and len(plans) == 1 and None in (plans[0].region, plan.region):
        candidates = [0]  # only the dataset or only the classifier crops the file
    if len(candidates) > 1:
        candidates = [k for k in candidates if plans[k] == plan]
    return candidates[0] if len(candidates) == 1 else None


def _is_same_crop(box: _Box | None, other_box: _Box | None, *, is_point: bool) -> bool:
    if is_point and box is not None and other_box is not None:
        return box_center(box) == box_center(other_box)
    return box == other_box


def _changed_records(workspace: Workspace, job: Job, classes: Sequence[str]) -> Sequence[ImageRecord]:
    """Return the images, with their current classes, that may have been relabeled since a job was requested."""
    if job.dataset_id is None:
        return ()
    with suppress(NotFound), workspace.engine.connect() as connection:
        row = dataset_row(connection, job.dataset_id)
        records = load_records(connection, job.dataset_id, row_ids=_changed_rows(connection, job))
        return with_classes(as_dataset(row, records), class_plan_of(workspace, job), classes).records
    return ()


def _changed_rows(connection: Connection, job: Job) -> Sequence[int]:
    """Return the row_ids of images whose labels may have changed since a job was requested."""
    since = or_(label_changes.c.made >= job.created, label_changes.c.is_undone)
    changes = select(label_changes.c.id).where(label_changes.c.dataset_id == job.dataset_id, since)
    changed = select(changed_labels.c.row_id).where(changed_labels.c.change_id.in_(changes)).distinct()
    return connection.execute(changed).scalars().all()


LabelsOfFiles = Mapping[str, Sequence[Json]]  # plan and label of each image, by its path as JSON


def labels_of_files(connection: Connection, dataset_id: str) -> LabelsOfFiles:
    """Return the labels of all images of a dataset, as JSON for the process of the prediction."""
    query = select(images.c.path, images.c.plan, images.c.label).where(images.c.dataset_id == dataset_id)
    labels: dict[str, list[Json]] = defaultdict(list)
    for path, plan, label in connection.execute(query.order_by(images.c.position)):
        labels[json.dumps(path)].append({"plan": plan, "label": label})  # JSON can represent bytes that are not text
    return labels


def with_dataset_labels(records: Sequence[ImageRecord], labels: LabelsOfFiles) -> list[ImageRecord]:
    """Return the records with the labels of the dataset. Images that are not in the dataset keep their labels."""
    listed = [(path, image["plan"], image["label"]) for path, of_file in labels.items() for image in of_file]
    index_of = _index_by_pixels([(path, plan) for path, plan, _ in listed])
    indices = [index_of(json.dumps(str(record.path)), record.plan) for record in records]
    return [
        record if index is None else replace(record, label=listed[index][2])
        for record, index in zip(records, indices, strict=True)
    ]


def decisions_of_dataset(workspace: Workspace, dataset_id: str, job_id: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the classes of a run, an evaluation or a prediction, and its decisions by row_id of a dataset.

    Raises:
        NotFound: there is no such dataset or job.
        Conflict: nothing was measured yet.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        query = select(images.c.row_id, images.c.path, images.c.plan).where(images.c.dataset_id == dataset_id)
        listed = connection.execute(query.order_by(images.c.position)).all()
    index_of = _index_by_pixels([(json.dumps(image.path), image.plan) for image in listed])
    decisions = []
    with rows_of_job(workspace, job_id) as (_, file, classes):
        if file is None:
            return classes, []
        plan_from = cache(ReadPlan.from_json)  # most plans are equal
        with reading(file) as connection:
            for path, plan, decision in connection.execute("SELECT file, plan, decision FROM rows ORDER BY row_id"):
                index = index_of(path, plan_from(plan))
                if index is not None:
                    decisions.append((int(listed[index].row_id), str(decision)))
    return classes, decisions


def _index_by_pixels(listed: Sequence[tuple[str, Json | None]]) -> Callable[[str, ReadPlan], int | None]:
    """Return a function that finds an image by its path as JSON and its plan, as `index_of_same_pixels`.

    Args:
        listed: the path as JSON and the stored plan of each image.
    """
    by_file: dict[str, list[int]] = defaultdict(list)
    by_center: dict[tuple[str, tuple[int, int] | None], list[int]] = defaultdict(list)
    plans: list[tuple[ReadPlan, frozenset[str]]] = []
    for k, (path, stored) in enumerate(listed):
        plans.append(plan_of(stored))
        by_file[path].append(k)
        by_center[path, _center(plans[-1][0])].append(k)

    def index_of(path: str, plan: ReadPlan) -> int | None:
        # A field of view can contain thousands of images: only those around the same point are compared.
        candidates = of_file if len(of_file := by_file.get(path, [])) == 1 else by_center.get((path, _center(plan)), [])
        are_points = ["point" in plans[k][1] for k in candidates]
        index = index_of_same_pixels([plans[k][0] for k in candidates], plan, are_points)
        return None if index is None else candidates[index]

    return index_of


def _center(plan: ReadPlan) -> tuple[int, int] | None:
    return None if plan.region is None else box_center(plan.region)


ROWS = register(Kind("app-rows", Layout(FILE, "rows"), bound_bytes=2 * 10**9))
_indexing = threading.Lock()


def page_of_measured(
    workspace: Workspace,
    job_id: str,
    filters: Filters,
    *,
    offset: int,
    limit: int,
    row_ids: Sequence[int] | None = None,
) -> Page[Row]:
    """Return a page of the measured images of a run or an evaluation, or the images with these numbers.

    Raises:
        NotFound: there is no such job.
        Conflict: nothing was measured yet.
    """
    job = find_measured_job(workspace, job_id)
    with _rows_of(workspace, job) as (file, classes):
        relabeled = relabeled_since(workspace, job, classes, file)
        if row_ids is None:
            page = page_in(file, classes, relabeled, filters, offset=offset, limit=limit)
        else:
            page = rows_at(file, classes, relabeled, row_ids)
    return Page(_with_groups(job, page.items), page.total)


def row_ids_of_job(workspace: Workspace, job_id: str, filters: Filters) -> Any:  # Any: a NumPy array
    """Return the numbers of the matching rows of a run, an evaluation or a prediction, in order, as `row_ids_in`.

    Raises:
        NotFound: there is no such job.
        Conflict: nothing was measured yet.
        CoverslipError: rows do not support a filter.
    """
    job = find_job(workspace, job_id)
    if kind_of(job).has_measurements:
        with _rows_of(workspace, job) as (file, classes):
            return row_ids_in(file, classes, relabeled_since(workspace, job, classes, file), filters)
    file = _rows_of_prediction(job)
    if not file.is_file():  # no image was predicted yet
        return np.empty(0, "<u4")
    return row_ids_in(file, job.choices["classes"], corrections_of(workspace, job_id), filters)


def picture_sources_of_job(workspace: Workspace, job_id: str, row_ids: Sequence[int]) -> list[PictureSource]:
    """Return the locations of the pixels of rows of a run, an evaluation or a prediction.

    Raises:
        NotFound: there is no such job or row.
        Conflict: nothing was measured yet.
    """
    job = find_job(workspace, job_id)
    if kind_of(job).has_measurements:
        with _rows_of(workspace, job) as (file, _):
            return sources_in(file, row_ids)
    file = _rows_of_prediction(job)
    if not file.is_file():
        raise NotFound("no-such-row")
    return sources_in(file, row_ids)


@contextmanager
def rows_of_job(workspace: Workspace, job_id: str) -> Iterator[tuple[Job, Path | None, list[str]]]:
    """Open the rows of a run, an evaluation or a prediction: the job, their database, and the classes.

    The database is kept during the block. It is None if no image was predicted yet.

    Raises:
        NotFound: there is no such job.
        Conflict: nothing was measured yet.
    """
    job = find_job(workspace, job_id)
    if kind_of(job).has_measurements:
        with _rows_of(workspace, job) as (file, classes):
            yield job, file, classes
        return
    file = _rows_of_prediction(job)
    yield job, file if file.is_file() else None, list(map(str, job.choices["classes"]))


def answers_of_job(workspace: Workspace, job: Job, file: Path, classes: Sequence[str]) -> Mapping[int, str]:
    """Return the classes that users assigned, by row: corrections, or labels changed since a measurement."""
    if kind_of(job).has_measurements:
        return relabeled_since(workspace, job, classes, file)
    return corrections_of(workspace, job.id)


def display_of_job(workspace: Workspace, job_id: str) -> tuple[ChannelDisplay, ...]:
    """Return how the channels of the dataset of a job are shown; none: automatic, or there are several datasets.

    Raises:
        NotFound: there is no such job.
    """
    dataset_ids = find_job(workspace, job_id).dataset_ids
    if len(dataset_ids) != 1:
        return ()
    try:
        return stored_display(workspace, dataset_ids[0])
    except NotFound:  # deleted since
        return ()


def _rows_of_prediction(job: Job) -> Path:
    if job.kind != "predict":
        raise NotFound("no-such-job")
    return job.folder / FILE


def row_of_measured(workspace: Workspace, job_id: str, row_id: int) -> Row:
    """Return the row of a measured image; raises as `source_of_measured`."""
    job = find_measured_job(workspace, job_id)
    with _rows_of(workspace, job) as (file, classes):
        row = row_of(cells_in(file, row_id), classes, relabeled_since(workspace, job, classes, file))
    return _with_groups(job, [row])[0]


def _with_groups(job: Job, rows: list[Row]) -> list[Row]:
    """Return the rows of a training with the groups of its split."""
    file = job.run.split_file
    if not file.is_file():  # evaluations have no split
        return rows
    groups = _groups_in(job.folder, file.stat().st_mtime_ns)
    return [replace(row, group=groups.get(row.image_id)) for row in rows]


@lru_cache(maxsize=4)
def _groups_in(folder: Path, _version: int) -> dict[str, str]:
    """Return the named group of each image; `_version` is the time of the split file."""
    return {row.image_id: row.named_group for row in Run(folder).split if row.named_group}


def source_of_measured(workspace: Workspace, job_id: str, row_id: int) -> ImageSource:
    """Return the location of the pixels of a measured image.

    Raises:
        NotFound: there is no such job or row.
        Conflict: nothing was measured yet.
    """
    with _rows_of(workspace, find_measured_job(workspace, job_id)) as (file, _):
        return source_of(cells_in(file, row_id))


@contextmanager
def _rows_of(workspace: Workspace, job: Job) -> Iterator[tuple[Path, list[str]]]:
    """Open the database of a run's rows, which is kept during the block; yields it with the run's classes."""
    run = Run(job.folder)
    table = run.predictions_file
    if not table.is_file():
        raise Conflict("no-measured-images")
    classes = list(classes_in(table))
    stat, dataset_key = table.stat(), _dataset_key(workspace, job)
    with claim_store(ROWS, f"{job.id}-{stat.st_mtime_ns:x}-{stat.st_size:x}-{dataset_key}", will_grow=False) as claim:
        pass
    file, is_new = claim.folder / FILE, False
    try:
        with _indexing:
            if not file.is_file():
                is_new = True
                _index(workspace, job, file)
        yield file, classes
    finally:
        claim.release(has_grown=is_new)


def _dataset_key(workspace: Workspace, job: Job) -> str:
    """Return a key that changes if folders of the dataset are moved, missing or restored."""
    with suppress(NotFound), workspace.engine.connect() as connection:
        row = dataset_row(connection, job.dataset_id or "")
        return sha256_json([row.sources, missing_sources(row)])[:8]
    return ""


def _index(workspace: Workspace, job: Job, file: Path) -> None:
    part = file.with_name(f".{file.name}.part")
    remove_database(part)
    writer = RowsWriter(part, journal="DELETE")
    find = _image_finder(workspace, job)
    try:
        sources = ((row_id, row, find(row.image_id)) for row_id, row in enumerate(job.run.predictions))
        writer.add((row_id, row, source.file, source.plan) for row_id, row, source in sources)
    finally:
        writer.close()
    part.replace(file)


def _image_finder(workspace: Workspace, job: Job) -> Callable[[str], ImageSource]:
    """Return a function that locates images: by the run, else by its dataset, whose folder may have been moved."""
    lookup = ImageLookup(job.run)
    dataset_images: dict[str, ImageSource] | None = None

    def find(image_id: str) -> ImageSource:
        nonlocal dataset_images
        source = lookup.find(image_id)
        if source is not None and source.file.exists():
            return source
        if dataset_images is None:
            dataset_images = _images_of_dataset(workspace, job)
        return dataset_images.get(image_id) or source or NOT_FOUND

    return find


def _images_of_dataset(workspace: Workspace, job: Job) -> dict[str, ImageSource]:
    with suppress(NotFound), workspace.engine.connect() as connection:
        dataset_row(connection, job.dataset_id or "")
        records = load_records(connection, job.dataset_id or "")
        return {record.image_id: ImageSource(record.path, record.plan) for record in records}
    return {}
