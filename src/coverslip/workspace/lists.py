"""The images that jobs measured or predicted: read from their tables once, and listed for pages, downloads, maps."""

import csv
import hashlib
import json
import logging
import math
import os
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, Any

from sqlalchemy import ColumnElement, Connection, Select, delete, false, func, insert, or_, select, union

from coverslip.cache.file_hashes import state_of
from coverslip.counts import most_frequent_first
from coverslip.datasets.index.classes import ClassPlan, with_classes
from coverslip.datasets.index.records import DECISIONS, ImageFinder, ImageRecord
from coverslip.datasets.names import name_as_text, name_from_text, some
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRun, Busy, Conflict, DiskFull, NotFound
from coverslip.files import plain_cell, resolved_path
from coverslip.images.reader import ReadPlan
from coverslip.messages import Message
from coverslip.runs.images import ImageLookup, ImageSource
from coverslip.runs.prediction_tables import TEXT_FORMATS, complete_records, table_of_objects, unfinished_rows
from coverslip.runs.predictions import (
    FILE_COLUMN,
    FIRST_COLUMN,
    PLAN_COLUMN,
    REPEATS_COLUMN,
    STATE_COLUMN,
    Prediction,
    is_reserved,
    prediction_of,
)
from coverslip.workspace.datasets.image_rows import compare_files
from coverslip.workspace.jobs.records import Job, find_job, kind_of
from coverslip.workspace.store.change_log import ChangedField
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    among,
    among_integers,
    as_dataset,
    change_rows,
    confirmed_images,
    dataset_row,
    keys_in,
    plan_of,
    replace_rows,
    source_paths,
    unindexed,
)
from coverslip.workspace.store.tables import (
    FOLDERS,
    changed_rows,
    changes,
    corrections,
    datasets,
    images,
    jobs,
    path_as_stored,
    relative_path,
    result_tables,
    results,
)
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import (
    UNLABELED,
    DatasetImages,
    FilteredImages,
    Filters,
    ImageList,
    ObjectLabels,
    ObjectPredictions,
    Only,
    PictureSource,
    matching_query,
)

# Read the tables of jobs (`predictions.csv`) into the database: once, while they grow or when they were replaced.
#
# The processes of jobs do not know the database, and may run on other computers. Rows are stored in short transactions,
# so that other requests rarely wait.

_ROWS_AT_ONCE = 200
_locks: dict[tuple[Path, str], threading.Lock] = {}
_INSERT = (
    f"INSERT OR REPLACE INTO results ({', '.join(chr(34) + each.name + chr(34) for each in results.columns)}) "  # noqa: S608 - fixed names
    f"VALUES ({', '.join('?' * len(results.columns))})"
)
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of a table, and what the table or the run knows of its image."""

    prediction: Prediction
    path: str | None  # as in the table of a measurement; None: that of the file
    file: str | None  # absolute path
    plan: str
    content: str | None = None  # the hash of its files
    file_state: str | None = None
    first_row: int | None = None
    group: str | None = None
    about: str | None = None


def read_results(workspace: Workspace, job: Job) -> AnyRow | None:
    """Read new rows of a job, and return what is known of its table: classes and columns; None: it has none yet.

    Raises:
        BadRun: the table is damaged.
    """
    with _locks.setdefault((workspace.folder, job.id), threading.Lock()):
        if kind_of(job).has_measurements:
            _read_measured(workspace, job)
        else:
            for file in (job.run.predictions_file, unfinished_rows(job.run.predictions_file)):
                if file.is_file():
                    _read_new(workspace, job, file)
                    break
        return _stored_results(workspace, job)


def delete_results(workspace: Workspace, job_id: str) -> None:
    """Delete the rows of a job, in short transactions."""
    rows = select(results.c.row_id).where(results.c.job_id == job_id).limit(_ROWS_AT_ONCE)
    is_next = (results.c.job_id == job_id) & results.c.row_id.in_(rows.scalar_subquery())
    n_deleted = 1
    while n_deleted:
        with write_transaction(workspace.engine) as connection:
            n_deleted = connection.execute(delete(results).where(is_next)).rowcount
            connection.execute(delete(result_tables).where(result_tables.c.job_id == job_id))


def _stored_results(workspace: Workspace, job: Job) -> AnyRow | None:
    with workspace.engine.connect() as connection:
        return connection.execute(select(result_tables).where(result_tables.c.job_id == job.id)).one_or_none()


def _read_measured(workspace: Workspace, job: Job) -> None:
    """Read the table of a run or an evaluation, if it is new: it appears when it is complete, and can be replaced."""
    try:
        status = job.run.predictions_file.stat()
    except FileNotFoundError:
        return
    version, stored = f"{status.st_mtime_ns:x}-{status.st_size:x}", _stored_results(workspace, job)
    if stored is not None and stored.version == version:
        return
    predictions = job.run.predictions
    lookup = ImageLookup(job.run)
    split = job.run.split if job.run.split_file.is_file() else ()  # evaluations have none
    groups = {row.image_id: row.group for row in split}

    def rows() -> Iterator[_Row]:
        for prediction in predictions:
            source = lookup.find(prediction.image_id)
            group = groups.get(prediction.image_id) or None
            if source is None:
                yield _Row(prediction, prediction.path, None, "", group=group)
            else:
                file, plan = str(source.file), source.plan.as_json()
                yield _Row(prediction, prediction.path, file, plan, group=group)

    remaining, n_rows = rows(), 0
    while chunk := list(islice(remaining, _ROWS_AT_ONCE)):
        with write_transaction(workspace.engine) as connection:
            _insert(connection, job, n_rows, chunk)
        n_rows += len(chunk)
    with write_transaction(workspace.engine) as connection:
        connection.execute(delete(results).where(results.c.job_id == job.id, results.c.row_id >= n_rows))
        _store_position(connection, job, version, status.st_size, n_rows, list(predictions.classes), [])


def _read_new(workspace: Workspace, job: Job, file: Path) -> None:
    """Read the rows that a prediction has added to its table."""
    try:
        stream = file.open("rb")
    except FileNotFoundError:  # it was renamed, because it is complete: the next call reads it
        return
    with stream:
        _read_rows(workspace, job, file, stream)


def _read_rows(workspace: Workspace, job: Job, file: Path, stream: IO[bytes]) -> None:
    stored = _stored_results(workspace, job)
    size = os.fstat(stream.fileno()).st_size
    if stored is not None and size == stored.n_bytes:
        return
    is_continued = stored is not None and 0 < stored.n_bytes < size
    n_bytes, n_rows = (stored.n_bytes, stored.n_rows) if stored is not None and is_continued else (0, 0)
    records = complete_records(stream, TEXT_FORMATS["csv"])
    header = next(records, b"")
    if not header:
        return
    with _as_damage(file, n_rows):
        columns = _cells(header)
    classes = [name.removeprefix("p:") for name in columns if name.startswith("p:")]
    names = [name for name in columns if name == REPEATS_COLUMN or not is_reserved(name)]
    if n_bytes:
        stream.seek(n_bytes)
    else:
        n_bytes = len(header)
    while chunk := list(islice(records, _ROWS_AT_ONCE)):
        with _as_damage(file, n_rows):
            cells = [dict(zip(columns, _cells(record), strict=True)) for record in chunk]
            rows = [_row_of(each, classes, names, job.folder) for each in cells]
        with write_transaction(workspace.engine) as connection:
            _insert(connection, job, n_rows, rows)
            n_bytes, n_rows = n_bytes + sum(map(len, chunk)), n_rows + len(chunk)
            _store_position(connection, job, "", n_bytes, n_rows, classes, names)


@contextmanager
def _as_damage(file: Path, n_rows: int) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, csv.Error) as error:
        raise BadRun("prediction-damaged", file=file, n_rows=n_rows) from error


def _cells(record: bytes) -> list[str]:
    (cells,) = csv.reader([record.decode()])
    return [plain_cell(cell) for cell in cells]


def _row_of(cells: Mapping[str, str], classes: list[str], names: list[str], folder: Path) -> _Row:
    about = json.dumps([cells[name] for name in names]) if names else None
    first, file = cells[FIRST_COLUMN], resolved_path(name_from_text(cells["path"]), folder)
    content, state = (cells.get(name) or None for name in (FILE_COLUMN, STATE_COLUMN))
    first_row = int(first) if first else None
    return _Row(prediction_of(cells, classes), None, file, cells[PLAN_COLUMN], content, state, first_row, about=about)


def _insert(connection: Connection, job: Job, start: int, rows: list[_Row]) -> None:
    """Store rows with the images of the dataset that the job named."""
    key_of = keys_in(job.image_keys)
    keys = [key_of.get(row.prediction.image_id) for row in rows]
    of_first = [row.first_row for row in rows if row.first_row is not None]
    query = select(results.c.row_id, results.c.image).where(
        results.c.job_id == job.id, results.c.row_id.in_(among_integers(of_first))
    )
    image_of: dict[int | None, int | None] = {row.row_id: row.image for row in connection.execute(query)}
    is_key = images.c.row_id.in_(among_integers(key for key in keys if key is not None))
    present = connection.execute(select(images.c.row_id, images.c.plan).where(is_key))
    plan_of_image: dict[int | None, Any] = {row.row_id: row.plan for row in present}
    cells = []
    for row_id, (row, key) in enumerate(zip(rows, keys, strict=True), start):
        image = key if key in plan_of_image else image_of.get(row.first_row)
        image_of[row_id] = image
        plan = row.plan or (plan_of(plan_of_image[image])[0] if image in plan_of_image else ReadPlan()).as_json()
        cells.append((job.id, row_id, row.first_row, image, *_values(row, plan, FOLDERS[connection.dialect])))
    connection.exec_driver_sql(_INSERT, cells)
    _correct_repeats(connection, job, start)


def _correct_repeats(connection: Connection, job: Job, start: int) -> None:
    """Copy the answers about the first rows of images to further rows of them, which users could not see before."""
    is_repeat = (results.c.first_row == corrections.c.row_id) & (results.c.job_id == corrections.c.job_id)
    columns = [results.c.row_id if each.name == "row_id" else each for each in corrections.columns]
    answers = select(*columns).join(results, is_repeat).where(results.c.job_id == job.id, results.c.row_id >= start)
    names = [each.name for each in corrections.columns]
    connection.execute(insert(corrections).prefix_with("OR IGNORE").from_select(names, answers))


def _values(row: _Row, plan: str, folder: str) -> tuple[object, ...]:
    """Return the values of the columns from `image_id` on, for the database of a folder."""
    prediction = row.prediction
    file = None if row.file is None else path_as_stored(relative_path(row.file, folder))
    classes = None if prediction.prediction_set is None else json.dumps(prediction.prediction_set)
    return (
        *(prediction.image_id, row.path, file),
        *(row.content, row.file_state, plan),
        *(row.group, prediction.label, prediction.predicted, prediction.decision, prediction.probability),
        json.dumps([None if math.isnan(p) else p for p in prediction.probabilities]),
        *(prediction.reason_code, prediction.warning_code, prediction.ood_score, classes, row.about),
    )


def _store_position(
    connection: Connection, job: Job, version: str, n_bytes: int, n_rows: int, classes: list[str], columns: list[str]
) -> None:
    """Store how much of the table has been read."""
    values = {"version": version, "n_bytes": n_bytes, "n_rows": n_rows, "classes": classes, "columns": columns}
    replace_rows(connection, result_tables, [{"job_id": job.id, **values}])


def rows_in_dataset(
    connection: Connection, job: Job, dataset_id: str, rows: Sequence[tuple[int, ImageSource]]
) -> list[int | None]:
    """Return the row_ids in a dataset of images of a job, which may have predicted another dataset or folder.

    Images are matched by their permanent rows, and, where these are unknown, by their files and pixels.

    Args:
        connection: a connection to the database.
        job: the job.
        dataset_id: the dataset.
        rows: the numbers of rows of the job, and their images.

    Returns:
        None for images that are not in the dataset, or that two images of it could be.
    """
    is_in_dataset = (images.c.row_id == results.c.image) & (images.c.dataset_id == dataset_id)
    query = select(results.c.row_id, images.c.row_id.label("image")).join(images, is_in_dataset)
    is_row = (results.c.job_id == job.id) & results.c.row_id.in_(among_integers(row_id for row_id, _ in rows))
    image_of = {row.row_id: int(row.image) for row in connection.execute(query.where(is_row))}
    if len(image_of) == len(rows):
        return [image_of[row_id] for row_id, _ in rows]
    finder, row_ids = finder_in(connection, dataset_id)
    matches = [finder.find(str(source.file), source.plan) for _, source in rows]
    return [
        image_of.get(row_id, None if index is None else row_ids[index])
        for (row_id, _), index in zip(rows, matches, strict=True)
    ]


def finder_in(connection: Connection, dataset_id: str) -> tuple[ImageFinder, list[int]]:
    """Return a finder of the images of a dataset, and their row_ids in its order."""
    query = select(images.c.row_id, images.c.path, images.c.plan).where(images.c.dataset_id == dataset_id)
    listed = connection.execute(query.order_by(images.c.position)).all()
    return ImageFinder((image.path, *plan_of(image.plan)) for image in listed), [image.row_id for image in listed]


# The list: pages, single images, their pictures, and what users answered.

KINDS = ("train", "evaluate", "predict")  # of jobs with rows
_LISTED_AT_ONCE = 2_000
_CURRENT_FILE = func.coalesce(images.c.path, results.c.file)  # where the image is now, else where it was
_LOCATED = results.outerjoin(images, images.c.row_id == results.c.image)
_CELLS = (
    *(each for each in results.c if each.name != "file"),
    _CURRENT_FILE.label("file"),
    results.c.file.label("file_before"),
)


class Exclusion(StrEnum):
    """Why a user excluded an image from training."""

    NONE_OF_THESE = "none-of-these"  # it shows none of the classifier's classes
    UNUSABLE = "unusable"  # such as blurred, cut off, empty


Answer = str | Exclusion | None  # the class of an image, or why it is excluded


@dataclass(frozen=True, slots=True)
class Row(DocumentedFields):
    """An image with its prediction and correction."""

    row_id: int
    """Its permanent number in the job, from 0."""
    first_row: int | None
    """The first row of the same image; null: it is this one."""
    image_id: str
    path: str
    label: str | None
    """Its label at the request of the job; null: unknown."""
    predicted: str | None
    """null: unreadable image."""
    decision: str
    """The predicted class, or `uncertain`, `unfamiliar` or `unreadable`."""
    probability: float | None
    """Of the predicted class; null: unreadable image."""
    probabilities: dict[str, float | None]
    correction: str | None
    """The class that a user corrected or confirmed."""
    excluded: Exclusion | None
    """Why a user excluded it: it shows none of the classes, or is unusable."""
    reason: Message | None
    """Why the image could not be read, or is unfamiliar."""
    warning: Message | None
    """How the image differs from all training images."""
    ood_score: float | None
    """0 for typical training images, above 1 for unfamiliar images; null: unknown."""
    prediction_set: tuple[str, ...] | None
    """Set of classes that contains the true class for 90% of the images of each class; null: unknown."""
    group: str | None = None
    """For images of a training, the group in its split; null: unknown."""
    image: int | None = None
    """Its row_id in the dataset; null: it is in none."""
    is_confirmed: bool = False
    """Whether a user confirmed its current label in the dataset."""
    corrected_by: str | None = None
    """Who corrected, confirmed or excluded it in a prediction; null: nobody did."""
    file_sha256: str | None = None
    """The hash of the files that were predicted; null: unknown."""
    cells: dict[str, str] = field(default_factory=dict)
    """Its cells in the table that names the images, by column."""


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Numbers of a job's rows, as many as filters match, and of its images, each once if several rows list it."""

    n_review: int  # rows
    n_warned: int  # rows
    n_corrected: int  # rows; also excluded ones
    n_labeled: int  # images
    n_excluded: int  # images
    n_excluded_rows: int


@dataclass(frozen=True)
class JobImages(ImageList[Row]):
    """The images that a job has measured or predicted so far, in the order of its table."""

    job: Job
    table: AnyRow | None  # what is stored of its table; None: nothing so far
    classes: list[str]
    columns: list[str]  # further columns of the tables that name the images

    @property
    def dataset_ids(self) -> Sequence[str]:
        """The datasets that the images were of at the request of the job."""
        return self.job.dataset_ids

    def revision(self, filters: Filters) -> str | None:
        """Return a text that changes whenever other images may match: with the table, and answers of users."""
        if self.table is None or kind_of(self.job).has_measurements:  # answers are labels in a dataset
            return None
        latest = select(func.count(), func.max(corrections.c.made)).where(corrections.c.job_id == self.job.id)
        with self.workspace.engine.connect() as connection:
            answers = connection.execute(latest).one()
        return f"{self.table.version} {self.table.n_rows} {tuple(answers)}"

    def source_paths(self) -> list[str]:
        """Return the folders and tables of the images; none if the dataset of a measurement was removed."""
        if not kind_of(self.job).has_measurements:
            object_table = table_of_objects(self.job.run.predictions_file)  # in whole fields
            return [*self.job.choices["sources"], *([str(object_table)] if object_table.is_file() else [])]
        with suppress(NotFound), self.workspace.engine.connect() as connection:
            return source_paths(dataset_row(connection, self.job.dataset_id or ""))
        return []

    def labels_of(self, connection: Connection, query: Select[Any]) -> ObjectLabels:
        """Return the labels and predictions of images, in the order of a query for their row_ids."""
        columns = tuple(results.c[name] for name in ("row_id", "label", "predicted", "decision", "probability"))
        rows = connection.execute(query.with_only_columns(*columns, maintain_column_froms=True)).all()
        answers = self.answers(connection, [row.row_id for row in rows])
        decisions = {name: k for k, name in enumerate((*self.classes, *DECISIONS))}
        number: dict[str | None, int] = {name: k for k, name in enumerate(self.classes)}
        predictions = ObjectPredictions(
            [number.get(row.predicted, UNLABELED) for row in rows],
            [None if row.probability is None else round(row.probability, 4) for row in rows],
            [decisions[row.decision] for row in rows],
            [number.get(answers.get(row.row_id, ""), UNLABELED) for row in rows],
        )
        return ObjectLabels(
            self.classes,
            [number.get(row.label, UNLABELED) for row in rows],
            [k for k, row in enumerate(rows) if isinstance(answers.get(row.row_id), Exclusion)],
            predictions,
        )

    def facts(self, row_id: int) -> Row:
        """Return one row.

        Raises:
            NotFound: there is no row of that number.
        """
        rows = self.at([row_id])
        if not rows:
            raise NotFound("no-such-row")
        return rows[0]

    def decisions(self) -> dict[str, int]:
        """Return the number of rows by decision of the classifier, the most frequent first."""
        counted = select(results.c.decision, func.count().label("n")).where(self.is_of_job)
        query = counted.group_by(results.c.decision)
        with self.workspace.engine.connect() as connection:
            return most_frequent_first({row.decision: row.n for row in connection.execute(query)})

    def counts(self) -> RowCounts:
        """Return the numbers of rows that match filters, and of images."""
        with read_transaction(self.workspace.engine) as connection:
            gallery = self.gallery(connection, Filters())

            def n_of(only: Only, *more: ColumnElement[bool]) -> int:
                query = matching_query(gallery, Filters(only=only)).where(*more).order_by(None)
                counted = query.with_only_columns(func.count(), maintain_column_froms=True)
                return int(connection.execute(counted).scalar_one())

            is_first = results.c.first_row.is_(None)
            n_excluded = n_of("excluded", is_first)
            return RowCounts(
                n_review=n_of("review"),
                n_warned=n_of("warning"),
                n_corrected=n_of("corrected"),
                n_labeled=n_of("corrected", is_first) - n_excluded,
                n_excluded=n_excluded,
                n_excluded_rows=n_of("excluded"),
            )

    def every_row(self) -> Iterator[tuple[Row, ImageSource]]:
        """Yield all rows in order with their images, with constant memory. Texts are in the language of the table."""
        for cells, answers, authors in self._batches():
            yield self._row(cells, answers, authors), source_of(cells)

    def every_image(self) -> Iterator[tuple[Row, ImageSource]]:
        """Yield the first row of each image, as `every_row`. All rows of an image have the same answer of a user."""
        return ((row, source) for row, source in self.every_row() if row.first_row is None)

    def sources(self, row_ids: Sequence[int]) -> list[ImageSource]:
        """Return the files of images, and how they are read.

        Raises:
            NotFound: there is no row of such a number.
        """
        with self.workspace.engine.connect() as connection:
            cells_of = self._cells(connection, row_ids)
        if not cells_of.keys() >= set(row_ids):
            raise NotFound("no-such-row")
        return [source_of(cells_of[row_id]) for row_id in row_ids]

    def picture_sources(self, row_ids: Sequence[int]) -> list[PictureSource]:
        """Return the locations of the pixels of rows; raises as `sources`."""
        return [_picture_source(source) for source in self.sources(row_ids)]

    def picture_source(self, row_id: int) -> PictureSource:
        """Return the location of the pixels of a row.

        Raises:
            NotFound: there is no such row, or its file is missing.
        """
        source = super().picture_source(row_id)
        if source.path == NOT_FOUND.file:
            raise NotFound("image-moved")
        return source

    def answered_rows(self) -> list[int]:
        """Return the rows of a prediction with answers of users."""
        query = select(corrections.c.row_id).where(corrections.c.job_id == self.job.id)
        with self.workspace.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def refuse_changed_files(self, row_ids: Collection[int]) -> None:
        """Raise Conflict if files of images have other content than when they were predicted.

        Files whose state is the same are not read. Files that could not be read then, and those of measured images,
        are not compared: their hashes are unknown.

        Args:
            row_ids: the rows.
        """
        with self.workspace.engine.connect() as connection:
            cells_of = self._cells(connection, list(row_ids))
        cells_of_hashed = {
            k: cells for k, cells in cells_of.items() if cells.content is not None and cells.file is not None
        }
        source_by_row = {row_id: source_of(cells) for row_id, cells in cells_of_hashed.items()}
        changed, states = compare_files(
            {k: (each.plan.files(each.file), cells_of_hashed[k].file_state) for k, each in source_by_row.items()},
            lambda equal: {k: _record_of(source_by_row[k]) for k in equal},
            lambda row_id, _, digest: digest == cells_of_hashed[row_id].content,
        )
        job_id = self.job.id
        new_states: list[Mapping[str, str | int | None]] = [
            {"job_id": job_id, "row_id": row_id, "file_state": state} for row_id, state in states.items()
        ]
        if new_states:  # else the files are read again at the next time
            with suppress(Busy, DiskFull), write_transaction(self.workspace.engine) as connection:
                change_rows(connection, results, new_states)
        if changed:
            names = some(cells_of_hashed[row_id].image_id for row_id in sorted(changed))
            raise Conflict("predicted-files-changed", n_images=len(changed), names=names)

    def rows_of_image(self, row_id: int) -> list[int]:
        """Return the numbers of all rows of the image of a row so far."""
        is_row = self.is_of_job & (results.c.row_id == row_id)
        first = select(func.coalesce(results.c.first_row, results.c.row_id)).where(is_row).scalar_subquery()
        # Two queries, each by an index: for one with OR, SQLite reads all rows of the job.
        row_ids = (
            select(results.c.row_id).where(self.is_of_job, column == first)
            for column in (results.c.row_id, results.c.first_row)
        )
        with self.workspace.engine.connect() as connection:
            return sorted(connection.execute(union(*row_ids)).scalars())

    @property
    def is_of_job(self) -> ColumnElement[bool]:
        """The condition for the rows of the job."""
        return results.c.job_id == self.job.id

    def answers(self, connection: Connection, row_ids: Collection[int] | None = None) -> Mapping[int, str | Exclusion]:
        """Return what users answered, by row: a class, or why the image is excluded.

        For a measurement these are labels that were changed in the dataset since then.

        Args:
            connection: a connection to the database.
            row_ids: the rows; None: all.
        """
        if kind_of(self.job).has_measurements:
            return self._relabeled
        query = select(corrections).where(corrections.c.job_id == self.job.id)
        if row_ids is not None:
            query = query.where(corrections.c.row_id.in_(among_integers(row_ids)))
        return {answer.row_id: answer_of(answer) for answer in connection.execute(query)}

    @cached_property
    def _relabeled(self) -> Mapping[int, str | Exclusion]:
        """The new labels of measured images that were relabeled in their dataset since then, by row.

        Images whose label was removed are not included.
        """
        dataset_id = self.job.dataset_id
        if dataset_id is None:
            return {}
        are_of_dataset = (changes.c.dataset_id == dataset_id) & (changed_rows.c.field == ChangedField.LABEL)
        since = or_(changes.c.made >= self.job.created, changed_rows.c.is_undone)
        changed = select(changed_rows.c.row_id).join_from(changed_rows, changes).where(are_of_dataset, since)
        query = (
            select(results.c.row_id, results.c.label.label("before"), images.c.label, images.c.domain)
            .join(images, images.c.row_id == results.c.image)
            .where(self.is_of_job, images.c.row_id.in_(changed), unindexed(images.c.dataset_id) == dataset_id)
        )
        with suppress(NotFound), self.workspace.engine.connect() as connection:
            dataset = dataset_row(connection, dataset_id)
            rows = connection.execute(query).all()
            kinds = list(dict.fromkeys((row.domain, row.label) for row in rows if row.label is not None))
            records = [ImageRecord("", Path(), label, None, domain, None, ReadPlan()) for domain, label in kinds]
            plan = class_plan_of(self.workspace, self.job)
            labels = [record.label for record in with_classes(as_dataset(dataset, records), plan, self.classes).records]
            now = dict(zip(kinds, labels, strict=True))
            return {
                row.row_id: label
                for row in rows
                if (label := now.get((row.domain, row.label))) is not None and label != row.before
            }
        return {}

    def _batches(self) -> Iterator[tuple[AnyRow, Mapping[int, str | Exclusion], Mapping[int, str]]]:
        """Yield the cells of all rows in order, with the answers about some rows and their authors."""
        last = -1
        while True:
            query = self._cells_query.where(results.c.row_id > last)
            with self.workspace.engine.connect() as connection:
                batch = connection.execute(query.order_by(results.c.row_id).limit(_LISTED_AT_ONCE)).all()
                row_ids = [cells.row_id for cells in batch]
                answers, authors = self.answers(connection, row_ids), self._authors(connection, row_ids)
            if not batch:
                return
            for cells in batch:
                yield cells, answers, authors
            last = batch[-1].row_id

    def items(self, connection: Connection, row_ids: Sequence[int]) -> list[Row]:
        """Return the rows with these numbers in this order, without missing ones."""
        cells_of = self._cells(connection, row_ids)
        answers, authors = self.answers(connection, row_ids), self._authors(connection, row_ids)
        return [self._row(cells_of[row_id], answers, authors) for row_id in row_ids if row_id in cells_of]

    @property
    def _cells_query(self) -> Select[Any]:
        """The cells of the rows of the job, and what their images have in its dataset."""
        is_confirmed = results.c.image.in_(confirmed_images(self.job.dataset_id or ""))
        return select(*_CELLS, is_confirmed.label("is_confirmed")).select_from(_LOCATED).where(self.is_of_job)

    def _cells(self, connection: Connection, row_ids: Sequence[int]) -> dict[int, AnyRow]:
        query = self._cells_query.where(results.c.row_id.in_(among_integers(row_ids)))
        return {cells.row_id: cells for cells in connection.execute(query)}

    def _authors(self, connection: Connection, row_ids: Sequence[int]) -> dict[int, str]:
        """Return who gave the answers about a prediction, by row."""
        is_answer = (corrections.c.job_id == self.job.id) & corrections.c.row_id.in_(among_integers(row_ids))
        query = select(corrections.c.row_id, corrections.c.made_by).where(is_answer)
        return {answer.row_id: answer.made_by for answer in connection.execute(query)}

    def _row(self, cells: AnyRow, answers: Mapping[int, str | Exclusion], authors: Mapping[int, str]) -> Row:
        answer = answers.get(cells.row_id)
        probabilities: list[float | None] = json.loads(cells.probabilities)
        return Row(
            row_id=cells.row_id,
            first_row=cells.first_row,
            image_id=cells.image_id,
            path=cells.path or name_as_text(cells.file_before),
            label=cells.label,
            predicted=cells.predicted,
            decision=cells.decision,
            probability=cells.probability,
            probabilities=dict(zip(self.classes, probabilities, strict=False)),
            correction=None if isinstance(answer, Exclusion) else answer,
            excluded=answer if isinstance(answer, Exclusion) else None,
            reason=cells.reason,
            warning=cells.warning,
            ood_score=cells.ood_score,
            prediction_set=None if cells.prediction_set is None else tuple(json.loads(cells.prediction_set)),
            group=cells.group,
            image=cells.image,
            is_confirmed=bool(cells.is_confirmed),
            corrected_by=authors.get(cells.row_id),
            file_sha256=cells.content,
            cells=dict(zip(self.columns, json.loads(cells.about or "[]"), strict=False)),
        )

    @property
    def _answered(self) -> Select[tuple[int]]:
        """The rows of a prediction that a user answered."""
        return select(corrections.c.row_id).where(corrections.c.job_id == self.job.id)

    @property
    def _is_excluded(self) -> ColumnElement[bool]:
        """Whether a user excluded the image of a row of a prediction."""
        if kind_of(self.job).has_measurements:
            return false()
        return results.c.row_id.in_(self._answered.where(corrections.c.is_excluded))

    def gallery(self, connection: Connection, filters: Filters) -> FilteredImages:
        """Return the table of the images."""
        is_excluded = self._is_excluded
        decided: ColumnElement[Any] = results.c.decision
        if kind_of(self.job).has_measurements:
            is_corrected = results.c.row_id.in_(among_integers(self._relabeled))
        else:
            is_corrected = results.c.row_id.in_(self._answered)
            is_answer = (corrections.c.job_id == self.job.id) & (corrections.c.row_id == results.c.row_id)
            answer = select(corrections.c.label).where(is_answer, ~corrections.c.is_excluded).scalar_subquery()
            decided = func.coalesce(answer, decided)
        return FilteredImages(
            row_id=results.c.row_id,
            position=results.c.row_id,
            path=results.c.image_id,  # paths are absolute: most of their folders are the same
            image=results.c.image,
            file=results.c.file,
            plan=results.c.plan,
            named={name: results.c[name] for name in ("label", "predicted", "decision", "probability")},
            only={
                # As in reports, images of classes that the classifier does not have are not misclassified.
                "misclassified": (results.c.predicted != results.c.label) & results.c.label.in_(among(self.classes)),
                "review": results.c.decision.in_(DECISIONS) & ~is_corrected,
                "corrected": is_corrected,
                "excluded": is_excluded,
                "warning": results.c.warning.is_not(None) & ~is_excluded,
            },
            condition=self.is_of_job,
            decided=decided,
        )


def images_of_job(workspace: Workspace, job_id: str, *kinds: str) -> JobImages:
    """Return the images of a run, an evaluation or a prediction, with all rows that its table has now.

    Raises:
        NotFound: there is no such job of these kinds.
        Conflict: nothing was measured yet.
        BadRun: the table is damaged.
    """
    job = find_job(workspace, job_id, *(kinds or KINDS))
    table = read_results(workspace, job)
    if table is None and kind_of(job).has_measurements:
        raise Conflict("no-measured-images")
    if table is None:
        return JobImages(workspace, job, None, list(map(str, job.choices["classes"])), [])
    return JobImages(workspace, job, table, table.classes, table.columns)


def open_list(workspace: Workspace, list_id: str) -> ImageList[Any]:  # Any: `Image` or `Row`
    """Return the images of a dataset, or of a run, an evaluation or a prediction.

    Raises:
        NotFound: there is no such dataset or job.
        Conflict: nothing was measured yet.
    """
    is_dataset = (datasets.c.id == list_id) & datasets.c.removed.is_(None)
    with workspace.engine.connect() as connection:
        if connection.execute(select(datasets.c.id).where(is_dataset)).scalar() is not None:
            return DatasetImages(workspace, list_id)
        if connection.execute(select(jobs.c.kind).where(jobs.c.id == list_id)).scalar() not in KINDS:
            raise NotFound("no-such-list")
    return images_of_job(workspace, list_id)


def class_plan_of(workspace: Workspace, job: Job) -> ClassPlan:
    """Return the plan of classes of the training of a job."""
    training = job if job.classifier_id is None else find_job(workspace, job.classifier_id)
    choices: Mapping[str, object] = training.choices
    return ClassPlan.model_validate(choices.get("classes") or {})


def labels_of_other_classes(workspace: Workspace, job: Job) -> dict[str, int]:
    """Return the labels of a prediction's dataset that are no class of its classifier, whatever plans call them.

    Returns:
        The number of images of each label; empty if the dataset was removed.
    """
    plans = [ClassPlan()]
    with workspace.engine.connect() as connection, suppress(NotFound):
        row = dataset_row(connection, job.dataset_id or "")
        plans.append(ClassPlan.model_validate(row.class_plan or {}))
        with suppress(NotFound):  # an imported classifier has no plan
            plans.append(class_plan_of(workspace, find_job(workspace, job.classifier_id or "", "train")))
        return {
            label: n
            for label, n in row.summary["classes"].items()
            if label not in {*Exclusion}
            and not any(plan.changes().get(label, label) in job.choices["classes"] for plan in plans)
        }
    return {}


def image_in_dataset(connection: Connection, job: Job, row_id: int) -> int | None:
    """Return the row_id of the image of a row in the dataset of the job; None if it is not there now."""
    query = (
        select(images.c.row_id)
        .join(results, results.c.image == images.c.row_id)
        .where(results.c.job_id == job.id, results.c.row_id == row_id, images.c.dataset_id == job.dataset_id)
    )
    return connection.execute(query).scalar_one_or_none()


def decisions_of_dataset(workspace: Workspace, dataset_id: str, job_id: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the classes of a run, an evaluation or a prediction, and its decisions by row_id of a dataset.

    Raises:
        NotFound: there is no such dataset or job.
        Conflict: nothing was measured yet.
    """
    listed = images_of_job(workspace, job_id)
    query = (
        select(images.c.row_id, results.c.decision)
        .join(results, results.c.image == images.c.row_id)
        .where(listed.is_of_job, unindexed(images.c.dataset_id) == dataset_id)
    )
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        rows = connection.execute(query.order_by(results.c.row_id)).all()
    return listed.classes, [(int(row.row_id), str(row.decision)) for row in rows]


def as_prediction(row: Row) -> Prediction:
    """Return the prediction of a row, without answers of users."""
    return Prediction(
        row.image_id,
        row.path,
        row.label,
        row.predicted,
        row.probability,
        row.decision,
        tuple(math.nan if p is None else p for p in row.probabilities.values()),
        row.reason,
        row.warning,
        row.ood_score,
        row.prediction_set,
    )


def answer_of(saved: AnyRow) -> str | Exclusion:
    """Return the answer of a user in a row of `corrections` or `blind_labels`."""
    return Exclusion(saved.label) if saved.is_excluded else str(saved.label)


NOT_FOUND = ImageSource(Path("/nowhere"), ReadPlan())  # the row still counts


def source_of(cells: AnyRow) -> ImageSource:
    """Return the location of the pixels of a row's image."""
    if cells.file is None:
        return NOT_FOUND
    return ImageSource(Path(cells.file), ReadPlan.from_json(cells.plan))


def _record_of(source: ImageSource) -> ImageRecord:
    return ImageRecord("", source.file, None, None, "", None, source.plan)


def _picture_source(source: ImageSource) -> PictureSource:
    """Return the location of the pixels of a row's image, with a version that changes with its file."""
    identity = f"{source.file!r} {state_of(source.file)} {source.plan.as_json()}"
    return PictureSource(
        source.file, source.plan, hashlib.sha256(identity.encode()).hexdigest()[:24], source != NOT_FOUND
    )
