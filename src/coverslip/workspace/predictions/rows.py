"""Rows of predictions in a database for each, with filters, sorting, pages and pictures."""

import hashlib
import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Select, column, func, select, table

from coverslip.cache import Journal, open_database, remove_database, state_of
from coverslip.datasets import UNCERTAIN, UNFAMILIAR, UNREADABLE
from coverslip.errors import NotFound
from coverslip.images import ReadPlan
from coverslip.messages import localized_reason
from coverslip.runs import Prediction
from coverslip.runs.images import ImageSource
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store.rows import Page
from coverslip.workspace.store.sql import among, among_integers, as_sqlite, read_integers_of_file
from coverslip.workspace.store.tables import corrections
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.filters import Filters, Gallery, Only, matching_query
from coverslip.workspace.viewing.images import PictureSource
from coverslip.workspace.viewing.pictures import View, large_picture

FILE = "rows.sqlite"
_COLUMNS = (
    *("row_id", "image_id", "path", "file", "plan", "label", "predicted", "decision", "probability", "probabilities"),
    *("reason", "warning", "ood_score", "prediction_set"),
)
_PLAIN = (  # stored unchanged
    *("image_id", "path", "label", "predicted", "probability", "decision", "reason", "warning", "ood_score"),
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    row_id INTEGER PRIMARY KEY, image_id TEXT NOT NULL, path TEXT NOT NULL, file TEXT NOT NULL, plan TEXT NOT NULL,
    label TEXT, predicted TEXT, decision TEXT NOT NULL, probability REAL, probabilities TEXT NOT NULL, reason TEXT,
    warning TEXT, ood_score REAL, prediction_set TEXT
);
CREATE INDEX IF NOT EXISTS rows_by_probability ON rows (probability);
CREATE INDEX IF NOT EXISTS rows_by_decision ON rows (decision, probability);
CREATE INDEX IF NOT EXISTS rows_by_cell ON rows (label, predicted, probability);
CREATE TABLE IF NOT EXISTS repeats (row_id INTEGER PRIMARY KEY, first INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS repeats_by_first ON repeats (first);
"""
_ROWS = table("rows", *(column(name) for name in _COLUMNS))
_REVIEWED = (UNCERTAIN, UNFAMILIAR, UNREADABLE)


class Exclusion(StrEnum):
    """Why a user excluded an image from training."""

    NONE_OF_THESE = "none-of-these"  # it shows none of the classifier's classes
    UNUSABLE = "unusable"  # such as blurred, cut off, empty


@dataclass(frozen=True, slots=True)
class Row:
    """An image with its prediction and correction."""

    row_id: Annotated[int, Field(description="Its permanent number in the job, from 0.")]
    image_id: str
    path: str
    label: Annotated[str | None, Field(description="Its label at the request of the job; null: unknown.")]
    predicted: str | None
    decision: str
    probability: float | None
    probabilities: dict[str, float | None]
    correction: Annotated[str | None, Field(description="The class that a user corrected or confirmed.")]
    excluded: Annotated[
        Exclusion | None,
        Field(description="Why a user excluded it: it shows none of the classes, or is unusable."),
    ]
    reason: Annotated[str | None, Field(description="Why the image could not be read, or is unfamiliar.")]
    warning: Annotated[str | None, Field(description="How the image differs from all training images.")]
    ood_score: Annotated[
        float | None, Field(description="0 for typical training images, above 1 for unfamiliar images; null: unknown.")
    ]
    prediction_set: Annotated[
        tuple[str, ...] | None,
        Field(
            description="Set of classes that contains the true class for 90% of the images of each class; null: "
            "unknown."
        ),
    ]
    group: Annotated[
        str | None, Field(description="For images of a training, the group in its split; null: unknown.")
    ] = None
    corrected_by: Annotated[
        str | None, Field(description="Who corrected, confirmed or excluded it in a prediction; null: nobody did.")
    ] = None


class RowsWriter:
    """Adds rows in batches. Readers see them at once, and they survive if the process is killed."""

    def __init__(self, file: Path, *, journal: Journal = "WAL") -> None:
        if not file.exists():  # the file appears only with its table
            part = file.with_name(f".{file.name}.part")
            remove_database(part)
            open_database(part, _SCHEMA).close()
            part.replace(file)
        self._connection = open_database(file, _SCHEMA, journal=journal)

    def add(self, rows: Iterable[tuple[int, Prediction, Path, ReadPlan]]) -> None:
        """Add rows with their numbers, files and plans."""
        marks = ", ".join("?" * len(_COLUMNS))
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(f"INSERT OR REPLACE INTO rows VALUES ({marks})", map(_cells, rows))  # noqa: S608 - only marks and fixed names are put in

    def set_repeats(self, first_rows: Iterable[tuple[int, int]]) -> None:
        """Store the rows of an image that an earlier row has: the number of each, and of the first row of its image."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO repeats VALUES (?, ?)", first_rows)

    def added(self) -> Iterator[Prediction]:
        """Yield the rows so far in order, including those of earlier processes."""
        for cells in self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM rows ORDER BY row_id"):  # noqa: S608 - only marks and fixed names are put in
            yield _prediction_of(dict(zip(_COLUMNS, cells, strict=True)))

    def close(self) -> None:
        self._connection.close()


def _prediction_of(cells: Mapping[str, Any] | sqlite3.Row) -> Prediction:  # Any: text or a number
    probabilities = tuple(math.nan if p is None else p for p in json.loads(cells["probabilities"]))
    prediction_set = _set_of(cells["prediction_set"])
    return Prediction(
        **{name: cells[name] for name in _PLAIN}, probabilities=probabilities, prediction_set=prediction_set
    )


def _cells(numbered: tuple[int, Prediction, Path, ReadPlan]) -> tuple[object, ...]:
    row_id, row, file, plan = numbered
    probabilities = json.dumps([None if math.isnan(p) else p for p in row.probabilities])
    texts = (row.image_id, row.path, _text(file), plan.as_json(), row.label, row.predicted)
    return (
        row_id,
        *texts,
        row.decision,
        row.probability,
        probabilities,
        row.reason,
        row.warning,
        row.ood_score,
        _set_as_text(row.prediction_set),
    )


def _set_as_text(classes: tuple[str, ...] | None) -> str | None:
    return None if classes is None else json.dumps(classes)


def _set_of(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(json.loads(text))


def _text(file: Path) -> str:
    """Return a path as text for SQLite: bytes that are not text become surrogates, which JSON escapes."""
    return json.dumps(str(file))


@contextmanager
def reading(file: Path) -> Iterator[sqlite3.Connection]:
    """Open the database of rows for reading."""
    # Streamed rows are read by different threads of the server, one after another.
    with closing(sqlite3.connect(file, timeout=30, check_same_thread=False)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def page_in(
    file: Path, classes: Sequence[str], corrected: Mapping[int, str], filters: Filters, *, offset: int, limit: int
) -> Page[Row]:
    """Return a page of the matching rows.

    Raises:
        CoverslipError: rows do not support a filter.
    """
    query = matching_query(_gallery(classes, corrected), filters)
    page = query.with_only_columns(*_ROWS.c).limit(limit).offset(offset)
    with reading(file) as connection:
        matching = connection.execute(*as_sqlite(page)).fetchall()
        return Page([row_of(cells, classes, corrected) for cells in matching], _count(connection, query))


def rows_at(file: Path, classes: Sequence[str], corrected: Mapping[int, str], row_ids: Sequence[int]) -> Page[Row]:
    """Return the rows with these numbers in this order, without missing ones."""
    cells_of = _cells_of(file, row_ids)
    rows = [row_of(cells_of[row_id], classes, corrected) for row_id in row_ids if row_id in cells_of]
    return Page(rows, len(rows))


def row_ids_in(
    file: Path, classes: Sequence[str], corrected: Collection[int], filters: Filters
) -> Any:  # Any: a NumPy array
    """Return the numbers of the matching rows, in order, as unsigned integers of 32 bit; raises as `page_in`."""
    query = matching_query(_gallery(classes, corrected), filters)
    with reading(file) as connection:
        return read_integers_of_file(connection, query)[0].astype("<u4")


def sources_in(file: Path, row_ids: Sequence[int]) -> list[PictureSource]:
    """Return the locations of the pixels of rows.

    Raises:
        NotFound: there is no row of such a number.
    """
    cells_of = _cells_of(file, row_ids)
    if not cells_of.keys() >= set(row_ids):
        raise NotFound("no-such-row")
    return [picture_source_of(source_of(cells_of[row_id])) for row_id in row_ids]


def _cells_of(file: Path, row_ids: Sequence[int]) -> dict[int, sqlite3.Row]:
    query = select(_ROWS).where(_ROWS.c.row_id.in_(among_integers(row_ids)))
    with reading(file) as connection:
        return {cells["row_id"]: cells for cells in connection.execute(*as_sqlite(query))}


def count_in(file: Path, classes: Sequence[str], corrected: Collection[int], filters: Filters) -> int:
    """Count the matching rows."""
    with reading(file) as connection:
        return _count(connection, matching_query(_gallery(classes, corrected), filters))


def cells_in(file: Path, row_id: int) -> sqlite3.Row:
    """Return the cells of one row.

    Raises:
        NotFound: there is no row of that number.
    """
    cells: sqlite3.Row | None = None
    if file.is_file() and 0 <= row_id < 2**53:
        with reading(file) as connection:
            cells = connection.execute("SELECT * FROM rows WHERE row_id = ?", (row_id,)).fetchone()
    if cells is None:
        raise NotFound("no-such-row")
    return cells


def row_of(cells: sqlite3.Row, classes: Sequence[str], corrected: Mapping[int, str]) -> Row:
    """Return a row with the answer of a user, which is a class or an `Exclusion`, in the current language."""
    row = _stored_row(cells, classes, corrected)
    return row if row.reason is None else replace(row, reason=localized_reason(row.reason))


def _stored_row(cells: sqlite3.Row, classes: Sequence[str], corrected: Mapping[int, str]) -> Row:
    """Return a row with the answer of a user, and its texts as they are stored."""
    answer = corrected.get(cells["row_id"])
    probabilities: list[float | None] = json.loads(cells["probabilities"])
    return Row(
        row_id=cells["row_id"],
        image_id=cells["image_id"],
        path=cells["path"],
        label=cells["label"],
        predicted=cells["predicted"],
        decision=cells["decision"],
        probability=cells["probability"],
        probabilities=dict(zip(classes, probabilities, strict=False)),
        correction=None if isinstance(answer, Exclusion) else answer,
        excluded=answer if isinstance(answer, Exclusion) else None,
        reason=cells["reason"],
        warning=cells["warning"],
        ood_score=cells["ood_score"],
        prediction_set=_set_of(cells["prediction_set"]),
    )


def as_prediction(row: Row) -> Prediction:
    """Return the prediction of a row, without answers of users."""
    return Prediction(
        row.image_id,
        row.path,
        row.label,
        row.predicted,
        row.probability,
        row.decision,
        tuple(float("nan") if p is None else p for p in row.probabilities.values()),
        row.reason,
        row.warning,
        row.ood_score,
        row.prediction_set,
    )


def source_of(cells: sqlite3.Row) -> ImageSource:
    """Return the location of the pixels of a row's image."""
    return ImageSource(Path(json.loads(cells["file"])), ReadPlan.from_json(cells["plan"]))


def _gallery(classes: Sequence[str], corrected: Collection[int]) -> Gallery:
    is_corrected = _ROWS.c.row_id.in_(among_integers(corrected))
    return Gallery(
        row_id=_ROWS.c.row_id,
        position=_ROWS.c.row_id,
        path=_ROWS.c.image_id,  # paths are absolute: most of their folders are the same
        named={name: _ROWS.c[name] for name in ("label", "predicted", "decision", "probability")},
        only={
            # As in reports, images of classes that the classifier does not have are not misclassified.
            "misclassified": (_ROWS.c.predicted != _ROWS.c.label) & _ROWS.c.label.in_(among(classes)),
            "review": _ROWS.c.decision.in_(_REVIEWED) & ~is_corrected,
            "corrected": is_corrected,
            "warning": _ROWS.c.warning.is_not(None),
        },
    )


def _count(connection: sqlite3.Connection, query: Select[Any]) -> int:
    counted = query.order_by(None).with_only_columns(func.count(), maintain_column_froms=True)
    return int(connection.execute(*as_sqlite(counted)).fetchone()[0])


NOT_FOUND = ImageSource(Path("/nowhere"), ReadPlan())  # the row still counts


def picture_of(workspace: Workspace, picture: ImageSource, view: View) -> bytes:
    """Return a row's image for the viewer.

    Raises:
        NotFound: its file is missing.
        CoverslipError: it is outside the allowed roots, or cannot be read.
    """
    if picture == NOT_FOUND:
        raise NotFound("image-moved")
    return large_picture(workspace, picture_source_of(picture), view)


def picture_source_of(picture: ImageSource) -> PictureSource:
    """Return the location of the pixels of a row's image, with a version that changes with its file."""
    identity = f"{picture.file!r} {state_of(picture.file)} {picture.plan.as_json()}"
    return PictureSource(picture.file, picture.plan, hashlib.sha256(identity.encode()).hexdigest()[:24], True)


def page_of_prediction(
    workspace: Workspace,
    prediction_id: str,
    filters: Filters,
    *,
    offset: int,
    limit: int,
    row_ids: Sequence[int] | None = None,
) -> Page[Row]:
    """Return a page of the rows of a prediction so far, or the rows with these numbers.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    file, classes = job.folder / FILE, job.choices["classes"]
    if not file.is_file():
        return Page([], 0)
    corrected, authors = corrections_of(workspace, prediction_id), authors_of(workspace, prediction_id)
    if row_ids is None:
        page = page_in(file, classes, corrected, filters, offset=offset, limit=limit)
    else:
        page = rows_at(file, classes, corrected, row_ids)
    return Page([replace(row, corrected_by=authors.get(row.row_id)) for row in page.items], page.total)


def corrections_of(workspace: Workspace, prediction_id: str) -> dict[int, str | Exclusion]:
    """Return the answers of users by row: a class, or why the image is excluded."""
    query = select(corrections).where(corrections.c.job_id == prediction_id)
    with workspace.engine.connect() as connection:
        return {
            answer.row_id: Exclusion(answer.label) if answer.is_excluded else answer.label
            for answer in connection.execute(query)
        }


def authors_of(workspace: Workspace, prediction_id: str) -> dict[int, str]:
    """Return who gave the answers, by row."""
    query = select(corrections.c.row_id, corrections.c.made_by).where(corrections.c.job_id == prediction_id)
    with workspace.engine.connect() as connection:
        return {answer.row_id: answer.made_by for answer in connection.execute(query)}


def every_row(workspace: Workspace, job: Job) -> Iterator[tuple[Row, ImageSource]]:
    """Yield all rows of a prediction in order, with constant memory."""
    corrected = corrections_of(workspace, job.id)
    if not (job.folder / FILE).is_file():
        return
    with reading(job.folder / FILE) as connection:
        for cells in connection.execute("SELECT * FROM rows ORDER BY row_id"):
            yield _stored_row(cells, job.choices["classes"], corrected), source_of(cells)


def every_image(workspace: Workspace, job: Job) -> Iterator[tuple[Row, ImageSource]]:
    """Yield the first row of each image, as `every_row`. All rows of an image have the same answer of a user."""
    if not (job.folder / FILE).is_file():
        return
    with reading(job.folder / FILE) as connection:
        repeats = dict(_repeats(connection))
    yield from ((row, picture) for row, picture in every_row(workspace, job) if row.row_id not in repeats)


def rows_of_image(job: Job, row_id: int) -> list[int]:
    """Return the numbers of all rows of the image of a row, those that are not predicted yet included."""
    with reading(job.folder / FILE) as connection:
        first = dict(_repeats(connection, "row_id = ?", row_id)).get(row_id, row_id)
        return [first, *(repeat for repeat, _ in _repeats(connection, "first = ?", first))]


def _repeats(connection: sqlite3.Connection, condition: str = "TRUE", *parameters: int) -> list[tuple[int, int]]:
    """Return the matching rows of images with an earlier row, each with the first one, in order.

    Predictions of the last version have no such table: they had one row per image.
    """
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'repeats'").fetchone() is None:
        return []
    query = f"SELECT row_id, first FROM repeats WHERE {condition} ORDER BY row_id"  # noqa: S608  ours alone
    return [(int(row_id), int(first)) for row_id, first in connection.execute(query, parameters)]


def every_prediction(job: Job) -> Iterator[tuple[int, Prediction, str]]:
    """Yield the number, the prediction, and the JSON of the read plan of the first row of each image, in order."""
    with reading(job.folder / FILE) as connection:
        repeats = dict(_repeats(connection))
        for cells in connection.execute("SELECT * FROM rows ORDER BY row_id"):
            if cells["row_id"] not in repeats:
                yield cells["row_id"], _prediction_of(cells), cells["plan"]


def count_rows(job: Job) -> tuple[int, dict[str, int]]:
    """Return the number of rows of a prediction so far, and by decision, the most frequent first."""
    if not (job.folder / FILE).is_file():
        return 0, {}
    with reading(job.folder / FILE) as connection:
        counts = connection.execute("SELECT decision, count(*) FROM rows GROUP BY decision").fetchall()
    decisions = dict(sorted(((str(name), int(n)) for name, n in counts), key=lambda pair: -pair[1]))
    return sum(decisions.values()), decisions


def count_only(job: Job, corrected: Mapping[int, str], only: Only) -> int:
    """Count the rows of a prediction so far that match a filter."""
    if not (job.folder / FILE).is_file():
        return 0
    return count_in(job.folder / FILE, job.choices["classes"], corrected, Filters(only=only))


def prediction_row(workspace: Workspace, job: Job, row_id: int) -> Row:
    """Return one row of a prediction.

    Raises:
        NotFound: there is no row of that number.
    """
    corrected, authors = corrections_of(workspace, job.id), authors_of(workspace, job.id)
    row = row_of(cells_in(job.folder / FILE, row_id), job.choices["classes"], corrected)
    return replace(row, corrected_by=authors.get(row_id))


def image_source_of_row(workspace: Workspace, prediction_id: str, row_id: int) -> ImageSource:
    """Return the location of the pixels of a predicted image."""
    return source_of(cells_in(find_job(workspace, prediction_id, "predict").folder / FILE, row_id))
