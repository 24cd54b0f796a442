"""Rows of predictions in a small database of their own, so that 100,000 of them are filtered and sorted in pages."""

import hashlib
import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from coverslip.cache import Journal, open_database, remove_database
from coverslip.datasets import UNCERTAIN, UNFAMILIAR, UNREADABLE
from coverslip.errors import NotFound
from coverslip.images import ReadPlan
from coverslip.runs import Prediction
from coverslip.runs.lookup import ImageSource
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.viewing.images import PictureSource
from coverslip.workspace.viewing.pictures import View, large_picture, small_picture

Sort = Literal["probability", "-probability", "input"]
FILE = "rows.sqlite"
_COLUMNS = (
    *("k", "image_id", "path", "file", "plan", "label", "predicted", "decision", "probability", "probabilities"),
    "reason",
)
_SCHEMA = """
CREATE TABLE IF NOT EXISTS rows (
    k INTEGER PRIMARY KEY, image_id TEXT NOT NULL, path TEXT NOT NULL, file TEXT NOT NULL, plan TEXT NOT NULL,
    label TEXT, predicted TEXT, decision TEXT NOT NULL, probability REAL, probabilities TEXT NOT NULL, reason TEXT
);
CREATE INDEX IF NOT EXISTS rows_by_probability ON rows (probability);
CREATE INDEX IF NOT EXISTS rows_by_decision ON rows (decision, probability);
CREATE INDEX IF NOT EXISTS rows_by_cell ON rows (label, predicted, probability);
"""
_ORDER = {"input": "k", "probability": "probability, k", "-probability": "probability DESC, k"}
NOT_FOUND = ImageSource(Path("/nowhere"), ReadPlan())  # its row still counts
_REVIEWED = (UNCERTAIN, UNFAMILIAR, UNREADABLE)


@dataclass(frozen=True, slots=True)
class Row:
    """One image and what was said about it."""

    k: int
    image_id: str
    path: str
    label: str | None
    predicted: str | None
    decision: str
    probability: float | None
    probabilities: dict[str, float | None]
    correction: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class RowsPage:
    items: list[Row]
    total: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows; all that is said must hold."""

    label: str | None = None
    predicted: str | None = None
    decision: str | None = None
    only: Literal["mistakes", "review", "corrected"] | None = None
    search: str | None = None  # part of the path, in letters of any case

    def as_sql(self, corrected: Sequence[int]) -> tuple[str, list[object]]:
        """A condition and its values."""
        conditions, values = ["1"], list[object]()
        for column in ("label", "predicted", "decision"):
            value = getattr(self, column)
            if value is not None:
                conditions.append(f"{column} = ?")
                values.append(value)
        if self.search:
            conditions.append("instr(lower(path), lower(?))")
            values.append(self.search)
        if self.only == "mistakes":
            conditions.append("predicted <> label")
        elif self.only == "review":
            conditions.append("decision IN (?, ?, ?) AND k NOT IN (SELECT value FROM json_each(?))")
            values += [*_REVIEWED, json.dumps(list(corrected))]
        elif self.only == "corrected":
            conditions.append("k IN (SELECT value FROM json_each(?))")
            values.append(json.dumps(list(corrected)))
        return " AND ".join(conditions), values


class RowsWriter:
    """Adds rows, some at a time; readers see them at once, and what was written stays when the process is killed."""

    def __init__(self, file: Path, *, journal: Journal = "WAL") -> None:
        if not file.exists():  # whoever finds the file finds the table in it
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
            self._connection.executemany(f"INSERT OR REPLACE INTO rows VALUES ({marks})", map(_cells, rows))

    def added(self) -> Iterator[Prediction]:
        """What was added so far, also by an earlier process, in order."""
        for one in self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM rows ORDER BY k"):
            cells = dict(zip(_COLUMNS, one, strict=True))
            probabilities = tuple(math.nan if p is None else p for p in json.loads(cells["probabilities"]))
            told = {field.name: cells[field.name] for field in fields(Prediction)}
            yield Prediction(**{**told, "probabilities": probabilities})

    def close(self) -> None:
        self._connection.close()


def _cells(numbered: tuple[int, Prediction, Path, ReadPlan]) -> tuple[object, ...]:
    k, row, file, plan = numbered
    probabilities = json.dumps([None if math.isnan(p) else p for p in row.probabilities])
    texts = (row.image_id, row.path, _text(file), plan.model_dump_json(exclude_defaults=True), row.label, row.predicted)
    return (k, *texts, row.decision, row.probability, probabilities, row.reason)


def _text(file: Path) -> str:
    """A path that SQLite takes: bytes that are no text are kept as surrogates, which JSON writes as escapes."""
    return json.dumps(str(file))


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    # Rows that are sent piece by piece are read by whichever thread of the server is free, one after the other.
    with closing(sqlite3.connect(file, timeout=30, check_same_thread=False)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def page_of_prediction(
    workspace: Workspace, prediction_id: str, wanted: Wanted, *, sort: Sort, offset: int, limit: int
) -> RowsPage:
    """Rows of a prediction so far.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    if not (job.folder / FILE).is_file():
        return RowsPage([], 0)
    corrected = corrections_of(workspace, prediction_id)
    return page_in(job.folder / FILE, job.choices["classes"], wanted, corrected, sort=sort, offset=offset, limit=limit)


def corrections_of(workspace: Workspace, prediction_id: str) -> dict[int, str]:
    """What people said that images really show, by row."""
    wanted = select(db.corrections.c.row, db.corrections.c.label).where(db.corrections.c.job_id == prediction_id)
    with workspace.engine.connect() as connection:
        return {found.row: found.label for found in connection.execute(wanted)}


def every_row(workspace: Workspace, job: Job) -> Iterator[tuple[Row, ImageSource]]:
    """All rows of a prediction, in order; memory does not grow with their number."""
    corrected = corrections_of(workspace, job.id)
    if not (job.folder / FILE).is_file():
        return
    with _reading(job.folder / FILE) as connection:
        for one in connection.execute("SELECT * FROM rows ORDER BY k"):
            yield _row(one, job.choices["classes"], corrected), picture_in(one)


def count_rows(job: Job) -> tuple[int, dict[str, int]]:
    """How many rows a prediction has so far, and how many of each decision, most frequent first."""
    if not (job.folder / FILE).is_file():
        return 0, {}
    with _reading(job.folder / FILE) as connection:
        counts = connection.execute("SELECT decision, count(*) FROM rows GROUP BY decision").fetchall()
    decisions = dict(sorted(((str(name), int(n)) for name, n in counts), key=lambda pair: -pair[1]))
    return sum(decisions.values()), decisions


def count_review(job: Job, corrected: Iterable[int]) -> int:
    """How many rows nothing was decided about so far, neither by the classifier nor by a person."""
    if not (job.folder / FILE).is_file():
        return 0
    condition, values = Wanted(only="review").as_sql(list(corrected))
    with _reading(job.folder / FILE) as connection:
        (n,) = connection.execute(f"SELECT count(*) FROM rows WHERE {condition}", values).fetchone()
    return int(n)


def one_row(workspace: Workspace, job: Job, k: int) -> Row:
    """One row of a prediction.

    Raises:
        NotFound: there is none of that number.
    """
    corrected = corrections_of(workspace, job.id)
    return _row(row_in(job.folder / FILE, k), job.choices["classes"], corrected)


def row_of_prediction(workspace: Workspace, prediction_id: str, k: int) -> ImageSource:
    """The picture of a predicted image."""
    return picture_in(row_in(find_job(workspace, prediction_id, "predict").folder / FILE, k))


def row_in(file: Path, k: int) -> sqlite3.Row:
    one: sqlite3.Row | None = None
    if file.is_file() and 0 <= k < 2**53:
        with _reading(file) as connection:
            one = connection.execute("SELECT * FROM rows WHERE k = ?", (k,)).fetchone()
    if one is None:
        raise NotFound("There is no row of this number", do="Look at the list of rows.")
    return one


def page_in(
    file: Path,
    classes: Sequence[str],
    wanted: Wanted,
    corrected: Mapping[int, str],
    *,
    sort: Sort,
    offset: int,
    limit: int,
) -> RowsPage:
    condition, values = wanted.as_sql(list(corrected))
    with _reading(file) as connection:
        (total,) = connection.execute(f"SELECT count(*) FROM rows WHERE {condition}", values).fetchone()
        page = f"SELECT * FROM rows WHERE {condition} ORDER BY {_ORDER[sort]} LIMIT ? OFFSET ?"
        found = connection.execute(page, [*values, limit, offset]).fetchall()
    return RowsPage([_row(one, classes, corrected) for one in found], int(total))


def _row(one: sqlite3.Row, classes: Sequence[str], corrected: Mapping[int, str]) -> Row:
    probabilities: list[float | None] = json.loads(one["probabilities"])
    return Row(
        k=one["k"],
        image_id=one["image_id"],
        path=one["path"],
        label=one["label"],
        predicted=one["predicted"],
        decision=one["decision"],
        probability=one["probability"],
        probabilities=dict(zip(classes, probabilities, strict=False)),
        correction=corrected.get(one["k"]),
        reason=one["reason"],
    )


def picture_in(one: sqlite3.Row) -> ImageSource:
    return ImageSource(Path(json.loads(one["file"])), ReadPlan.model_validate_json(one["plan"]))


def thumbnail_of(workspace: Workspace, job_id: str, picture: ImageSource, side: int) -> bytes:
    """A small WebP picture of a row's image, kept for the next time; a blank one where it cannot be read."""
    return small_picture(workspace, job_id, _source(picture), side)


def picture_of(workspace: Workspace, picture: ImageSource, view: View) -> bytes:
    """A row's image as it is looked at in a viewer.

    Raises:
        NotFound: where it lies is not known any more.
        CoverslipError: it lies outside the allowed roots, or cannot be read.
    """
    if picture == NOT_FOUND:
        raise NotFound("The image is not where it was", do="Put back the folder or table that it was opened from.")
    return large_picture(workspace, _source(picture), view)


def _source(picture: ImageSource) -> PictureSource:
    try:
        stat = picture.file.stat()
        version = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
    except (OSError, ValueError):
        version = "gone"
    described = f"{picture.file!r} {version} {picture.plan.model_dump_json()}"
    return PictureSource(picture.file, picture.plan, hashlib.sha256(described.encode()).hexdigest()[:24], True)
