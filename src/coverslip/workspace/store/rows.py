"""Rows of the database and their conversion to datasets, records and plans, and the SQL that they share.

Tables in folders of jobs name images as the command line does, by IDs that change if a source is added to the dataset.
A job records for each ID the permanent `row_id` of the image, in a file that jobs on the same images share.
"""

import csv
import datetime
import hashlib
import json
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import numpy as np
from pydantic import ConfigDict, Field
from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    String,
    Table,
    TableValuedAlias,
    UnaryExpression,
    bindparam,
    case,
    column,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql.operators import custom_op

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.index.classes import ClassPlan, with_classes
from coverslip.datasets.index.records import Dataset, ImageRecord, Opening, Origin
from coverslip.datasets.names import natural_key
from coverslip.datasets.quality.scanning import Scan, Unreadable
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.files import csv_text, plain_cell, write_bytes
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import ReadPlan
from coverslip.machine import account_name
from coverslip.messages import message, note_of
from coverslip.runs.folder import Run
from coverslip.runs.split import SplitRow
from coverslip.workspace.store.tables import (
    blind_labels,
    changed_rows,
    confirmed_labels,
    datasets,
    image_facts,
    images,
    jobs,
    reserved_images,
)
from coverslip.workspace.store.workspace import Workspace

Value = TypeVar("Value")


def items_of(values: Iterable[str]) -> TableValuedAlias:
    """Return any number of texts as a table: their `key`, from 0, and their `value`."""
    return func.json_each(json.dumps(list(values))).table_valued(column("key", Integer), column("value", String))


def among(values: Iterable[str]) -> Select[tuple[str]]:
    """Return a subquery for `column.in_` with texts that are too many for parameters."""
    return select(items_of(values).c.value)


def among_integers(values: Iterable[int]) -> Select[tuple[int]]:
    """Return a subquery for `column.in_` with integers that are too many for parameters."""
    return select(func.json_each(json.dumps(list(values))).table_valued(column("value", Integer)).c.value)


def unindexed(values: ColumnElement[Value]) -> ColumnElement[Value]:
    """Return a column whose index SQLite does not use."""
    return UnaryExpression(values, operator=custom_op("+"), type_=values.type)


def contains(text: ColumnElement[str], part: str) -> ColumnElement[bool]:
    """Return the condition that a text contains another one. The case of ASCII letters is ignored."""
    # SQLite's LIKE ignores it; `ilike` takes three times as long for the same result.
    escaped = "".join(f"/{character}" if character in "/%_" else character for character in part)
    return text.like(f"%{escaped}%", escape="/")


def replace_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    *,
    changed: Collection[str] | None = None,
) -> None:
    """Insert rows. A row that has the primary key of one of them is changed instead.

    Args:
        connection: a connection in a writing transaction.
        table: the table.
        rows: the rows, all with the same columns. Of rows with the same key, the last one counts.
        changed: the columns that are changed; None: all of these columns.
    """
    if not rows:
        return
    keys = [each.name for each in table.primary_key]
    by_key = {tuple(row[name] for name in keys): dict(row) for row in rows}
    insertion = sqlite.insert(table)
    names = [name for name in (rows[0] if changed is None else changed) if name not in keys]
    excluded = {name: insertion.excluded[name] for name in names}
    if excluded:
        statement = insertion.on_conflict_do_update(index_elements=keys, set_=excluded)
    else:
        statement = insertion.on_conflict_do_nothing(index_elements=keys)
    connection.execute(statement, list(by_key.values()))


def change_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, str | int | None]]) -> None:
    """Change rows that exist, by their primary key.

    Args:
        connection: a connection in a writing transaction.
        table: the table.
        rows: the primary key of each row and its new values, texts or integers; all with the same columns.
    """
    if not rows:
        return
    keys = [each.name for each in table.primary_key]
    names = [name for name in rows[0] if name not in keys]
    marked = [{f"new {name}": value for name, value in row.items()} for row in rows]
    is_row = [table.c[name] == bindparam(f"new {name}") for name in keys]
    statement = update(table).where(*is_row).values({name: bindparam(f"new {name}") for name in names})
    connection.execute(statement, marked)


def read_integers(connection: Connection, query: Select[Any]) -> list[Any]:  # Any: NumPy arrays
    """Return the columns of a SELECT of integers.

    SQLite joins them to texts, which takes a third of the time of reading rows, and other threads run meanwhile.
    """
    joined = [func.group_concat(each) for each in query.subquery().c]
    return _arrays(connection.execute(select(*joined)).one())


def _arrays(texts: Sequence[str | None]) -> list[Any]:
    return [np.fromstring(text, np.int64, sep=",") if text else np.zeros(0, np.int64) for text in texts]


# Rows, and their conversion to datasets, records, plans and facts.

Json = dict[str, Any]  # Any: JSON values
AnyRow = Row[Any]  # Any: columns as the table defines them
Item = TypeVar("Item")
_author: ContextVar[str | None] = ContextVar("author", default=None)
_KEY_COLUMNS = ("image_id", "key")


class MissingSource(Conflict):
    """A source of a dataset does not exist."""


class ImagesChanged(Conflict):
    """Images of a request are no longer in the dataset, which was read again."""


class ChangedSince(Conflict):
    """A change that a request undoes was followed by another one."""


@dataclass(frozen=True, slots=True)
class Page(DocumentedFields, Generic[Item]):
    """A page of a list."""

    items: list[Item]
    total: int
    """Total number of items on all pages."""


Limit = Annotated[int, Field(ge=1, le=2_000, description="Largest number of items to return.")]


class Paging(DocumentedModel):
    """The part of a list to return."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offset: Annotated[int, Field(ge=0, lt=2**53, description="Number of items to skip.")] = 0
    limit: Limit = 200

    def of(self, rows: Sequence[Item]) -> Sequence[Item]:
        """Return this part of the rows."""
        return rows[self.offset : self.offset + self.limit]

    def page_of(self, rows: Sequence[Item]) -> Page[Item]:
        """Return this part of the rows as a page."""
        return Page(list(self.of(rows)), len(rows))


_DATASET = select(datasets).where(datasets.c.id == bindparam("dataset_id"))  # once: most requests run it


def dataset_row(connection: Connection, dataset_id: str) -> AnyRow:
    """Return the row of a dataset.

    Raises:
        NotFound: there is no such dataset, or it was removed from the list.
    """
    row = connection.execute(_DATASET, {"dataset_id": dataset_id}).one_or_none()
    if row is None or row.removed is not None:
        raise NotFound("no-such-dataset")
    return row


def source_paths(row: AnyRow) -> list[str]:
    """Return the absolute paths of the folders, tables and files of a dataset."""
    return [source["path"] for source in row.sources]


def missing_sources(row: AnyRow) -> list[str]:
    """Return the missing sources of a dataset: renamed, removed or on a disconnected disk."""
    if row.opened is None:  # samples that are not drawn yet
        return []
    return [path for path in source_paths(row) if not Path(path).exists()]


def refuse_missing(row: AnyRow) -> None:
    """Raise MissingSource if a source of a dataset does not exist."""
    for path in missing_sources(row):
        raise MissingSource("missing-source", file=Path(path))


def refuse_unread(connection: Connection, dataset_id: str) -> AnyRow:
    """Return the row of a dataset whose images have been read.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    row = dataset_row(connection, dataset_id)
    if row.state == "reading":
        raise Conflict("images-still-reading")
    if row.state == "failed":
        raise Conflict("images-not-read")
    return row


def refuse_unready(connection: Connection, dataset_id: str) -> AnyRow:
    """Return the row of a dataset that a job can use: its images were read and its files exist.

    Raises:
        NotFound, Conflict: as `refuse_unread`.
        MissingSource: a folder or table does not exist.
    """
    row = refuse_unread(connection, dataset_id)
    refuse_missing(row)
    return row


def class_order(class_names: Iterable[str], used_names: Iterable[str]) -> list[str]:
    """Return the ordered class names, then all other used names in natural order."""
    ordered = list(dict.fromkeys(class_names))
    return [*ordered, *sorted(set(used_names).difference(ordered), key=natural_key)]


CLASSIFIER_KINDS = ("train", "import")  # of jobs whose folder or file is a classifier


def folder_of_job(connection: Connection, job_id: str, *kinds: str) -> Path | None:
    """Return the folder of a job of these kinds; None if there is no such job."""
    is_listed = (jobs.c.id == job_id) & jobs.c.kind.in_(kinds) & (jobs.c.state != "removed")
    folder = connection.execute(select(jobs.c.folder).where(is_listed)).scalar_one_or_none()
    return None if folder is None else Path(folder)


def new_id() -> str:
    """Return a short random ID."""
    return secrets.token_hex(6)


def now() -> str:
    """Return the current time: ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def is_present_in(dataset_id: str, table: Table) -> ColumnElement[bool]:
    """Return the condition that joins a table with its images that are in a dataset now, read by their row_ids."""
    return (images.c.row_id == table.c.row_id) & (unindexed(images.c.dataset_id) == dataset_id)


def confirmed_images(dataset_id: str) -> Select[Any]:
    """Return a query for the row_ids of images that still have their confirmed label."""
    return (
        select(images.c.row_id)
        .join(confirmed_labels, is_present_in(dataset_id, confirmed_labels))
        .where(confirmed_labels.c.dataset_id == dataset_id, images.c.label == confirmed_labels.c.label)
    )


def confirmed_ids(connection: Connection, dataset_id: str) -> frozenset[str]:
    """Return the IDs of images that still have their confirmed label."""
    confirmed = confirmed_images(dataset_id).with_only_columns(images.c.image_id, maintain_column_froms=True)
    return frozenset(connection.execute(confirmed).scalars())


def are_rows(dataset_id: str, row_ids: Iterable[int]) -> ColumnElement[bool]:
    """Return the condition for images of a dataset with these row_ids, any number of them."""
    # With the index of datasets, SQLite would read all images of the dataset.
    return (unindexed(images.c.dataset_id) == dataset_id) & images.c.row_id.in_(among_integers(row_ids))


def ranges(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield starts and ends of ranges of at most `size`."""
    for start in range(0, n, size):
        yield start, min(n, start + size)


OUTSIDE = message("reason-outside")  # of an image that the app may not read
WHOLE = ReadPlan()


def opened_as_json(dataset: Dataset) -> Json:
    """Return the facts about a dataset besides its images as JSON."""
    return {
        "root": os.fspath(dataset.root),
        "source": dataset.source,
        "notes": [asdict(note) for note in dataset.notes],
        "columns": dict(dataset.opening.columns),
        "crop_size": dataset.opening.plan.crop_size,
        "origins": [
            {"domain": origin.domain, "root": os.fspath(origin.root), "sources": list(origin.sources)}
            for origin in dataset.origins
        ],
    }


def table_choices(row: AnyRow) -> TableChoices:
    """Return the choices for the tables of a dataset."""
    opened = row.opened or {}
    return TableChoices(opened.get("columns", {}), crop_size=opened.get("crop_size"))


def plan_of_dataset(row: AnyRow) -> ReadPlan:
    """Return how the files of a dataset are read, unless a row of a table states it."""
    return plan_of_choice(row.pixel_choice, table_choices(row))


def plan_of_choice(choice: Json | None, tables: TableChoices) -> ReadPlan:
    """Return how files are read: the chosen series, time point, z-planes, channels and level, and the crop size."""
    values = dict(choice or {})
    if values.get("channels") is not None:
        values["channels"] = tuple(values["channels"])
    return ReadPlan(**values, crop_size=tables.crop_size)


def plan_as_json(record: ImageRecord) -> Json | None:
    """Return the plan of an image as JSON, with the parts that its table row states; None: the default plan."""
    if record.plan == WHOLE and not record.stated:
        return None
    return {**record.plan.model_dump(mode="json"), "stated": sorted(record.stated)}


def plan_of(stored: Json | None) -> tuple[ReadPlan, frozenset[str]]:
    """Return the plan of a row, and the parts that its table row states."""
    if stored is None:
        return WHOLE, frozenset()
    values = dict(stored)
    stated = frozenset(values.pop("stated"))
    for name in ("region", "channels", "other_files"):
        if values[name] is not None:
            values[name] = tuple(values[name])
    return _plan(**values), stated


_plan = lru_cache(maxsize=1_024)(ReadPlan)
_blindly_labeled = select(blind_labels.c.row_id).join(datasets, datasets.c.id == blind_labels.c.list_id)
# Whether users said something about an image: a label, an exclusion, a decision, a confirmation, a reading, or its
# reservation.
is_annotated = or_(
    images.c.label.is_distinct_from(images.c.label_before),
    images.c.is_excluded,
    images.c.row_id.in_(
        select(changed_rows.c.row_id).where(changed_rows.c.field.in_(("label", "exclusion", "decision")))
    ),
    *(images.c.row_id.in_(select(table.c.row_id)) for table in (confirmed_labels, reserved_images)),
    images.c.row_id.in_(_blindly_labeled),
)
_reserved = select(reserved_images.c.row_id).where(reserved_images.c.row_id == images.c.row_id)
is_reserved = _reserved.correlate(images).exists()
is_reserved_for_test = is_reserved & images.c.predefined_split.is_(None) & images.c.label.is_not(None)


def has_predefined_split(connection: Connection, dataset_id: str) -> bool:
    """Return whether trainings on a dataset follow a split: that of its table, or the reserved test set."""
    is_in_split = ~images.c.is_excluded & (is_reserved_for_test | images.c.predefined_split.is_not(None))
    query = select(images.c.row_id).where(images.c.dataset_id == dataset_id, is_in_split)
    return connection.execute(query).first() is not None


def reserved_ids(connection: Connection, dataset_id: str) -> frozenset[str]:
    """Return the IDs of the images of the reserved test set."""
    query = select(images.c.image_id).join(reserved_images, is_present_in(dataset_id, reserved_images))
    query = query.where(reserved_images.c.dataset_id == dataset_id)
    return frozenset(connection.execute(query).scalars())


def reserved_counts(connection: Connection, dataset_id: str) -> tuple[int, int]:
    """Return how many images are reserved as test set, and how many of them have a label and are not excluded."""
    is_present, label = is_present_in(dataset_id, reserved_images), case((~images.c.is_excluded, images.c.label))
    counted = select(func.count(), func.count(label)).select_from(reserved_images).join(images, is_present)
    n, n_labeled = connection.execute(counted.where(reserved_images.c.dataset_id == dataset_id)).one()
    return n, n_labeled


def row_ids_of(connection: Connection, dataset_id: str) -> dict[str, int]:
    """Return the row_ids of the images of a dataset by ID."""
    query = select(images.c.image_id, images.c.row_id).where(images.c.dataset_id == dataset_id)
    return {row.image_id: row.row_id for row in connection.execute(query)}


def load_records(
    connection: Connection,
    dataset_id: str,
    start: int = 0,
    end: int | None = None,
    *,
    image_ids: Collection[str] | None = None,
    row_ids: Collection[int] | None = None,
    with_excluded: bool = True,
    with_reserved: bool = True,
) -> list[ImageRecord]:
    """Return the images from one position to another, or with these row_ids or image_ids, with their current labels.

    Labeled images of the reserved test set belong to the set `test`, unless `with_reserved` is false.
    """
    query = select(
        images.c.image_id,
        images.c.path,
        images.c.label,
        images.c.group,
        images.c.domain,
        case((is_reserved_for_test, "test"), else_=images.c.predefined_split).label("predefined_split")
        if with_reserved
        else images.c.predefined_split,
        images.c.plan,
        images.c.about,
    ).where(images.c.dataset_id == dataset_id if row_ids is None else are_rows(dataset_id, row_ids))
    if start:
        query = query.where(images.c.position >= start)
    if end is not None:
        query = query.where(images.c.position < end)
    if image_ids is not None:
        query = query.where(images.c.image_id.in_(among(image_ids)))
    if not with_excluded:
        query = query.where(~images.c.is_excluded)
    records = []
    for row in connection.execute(query.order_by(images.c.position)):
        plan, stated = plan_of(row.plan)
        records.append(
            ImageRecord(
                row.image_id,
                Path(row.path),
                row.label,
                row.group,
                row.domain,
                row.predefined_split,
                plan,
                stated,
                about=tuple((name, cell) for name, cell in row.about or ()),
            )
        )
    return records


def load_dataset(connection: Connection, dataset_id: str, *, with_reserved: bool = True) -> Dataset:
    """Return a dataset with its current labels and groups, without excluded images; `with_reserved` as above."""
    row = dataset_row(connection, dataset_id)
    return as_dataset(row, load_records(connection, dataset_id, with_excluded=False, with_reserved=with_reserved))


def load_as_trained(connection: Connection, dataset_id: str) -> Dataset:
    """Return a dataset with the classes of trainings: merged, excluded or renamed by the dataset's plan."""
    plan = ClassPlan.model_validate(dataset_row(connection, dataset_id).class_plan)
    return with_classes(load_dataset(connection, dataset_id), plan)


def as_dataset(row: AnyRow, records: Sequence[ImageRecord]) -> Dataset:
    """Return images of a dataset as a `Dataset`."""
    opened, columns = row.opened, table_choices(row).columns
    return Dataset(
        Path(opened["root"]),
        opened["source"],
        tuple(records),
        tuple(map(note_of, opened["notes"])),
        opening=Opening(
            tuple(source_paths(row)),
            row.group_column,
            row.group_pattern,
            plan_of_dataset(row),
            tuple(source["domain"] for source in row.sources),
            columns,
        ),
        origins=tuple(Origin(o["domain"], Path(o["root"]), tuple(o["sources"])) for o in opened["origins"]),
    )


def load_scan(connection: Connection, dataset_id: str, *, with_excluded: bool = False) -> Scan:
    """Return the scan of the images that `load_dataset` returns, or of all images."""
    rows = connection.execute(
        select(image_facts.c.facts, image_facts.c.reason)
        .join(images, images.c.row_id == image_facts.c.row_id)
        .where(images.c.dataset_id == dataset_id, true() if with_excluded else ~images.c.is_excluded)
        .order_by(images.c.position)
    )
    facts = tuple(PixelFacts.from_json(row.facts) if row.facts else Unreadable(row.reason) for row in rows)
    are_overwritten = (images.c.dataset_id == dataset_id) & images.c.content_before.is_not(None)
    overwritten = select(images.c.image_id, images.c.label).where(are_overwritten).order_by(images.c.position)
    return Scan(facts, overwritten={row.image_id: row.label for row in connection.execute(overwritten)})


@contextmanager
def acting_as(name: str) -> Iterator[None]:
    """Let changes of this context, and of the threads that it starts, be made by this user."""
    token = _author.set(name)
    try:
        yield
    finally:
        _author.reset(token)


def author_name() -> str:
    """Return who makes changes in this context: the user, else the account of this process; empty if it is unknown."""
    name = _author.get()
    return account_name() if name is None else name


def keys_of_dataset(workspace: Workspace, dataset_id: str) -> str:
    """Return the file with the keys of the images of a dataset, for a job on them."""
    with workspace.engine.connect() as connection:
        return write_keys(workspace, row_ids_of(connection, dataset_id))


def write_keys(workspace: Workspace, row_of: Mapping[str, int]) -> str:
    """Write the row_ids of images by ID to a file in `snapshots/`, and return it."""
    data = csv_text([_KEY_COLUMNS, *row_of.items()]).encode()
    return str(write_snapshot(workspace.snapshots, "keys-", data))


def write_snapshot(folder: Path, prefix: str, data: bytes) -> Path:
    """Write a table, whose name is a prefix and a hash of its content.

    If the file exists, its modification time is renewed.
    """
    file = folder / f"{prefix}{hashlib.sha256(data).hexdigest()[:16]}.csv"
    try:
        os.utime(file)
    except OSError:  # writing reports it
        write_bytes(file, data)
    return file


def keys_in(file: str | None) -> Mapping[str, int]:
    """Return the row_ids by ID; none without a file."""
    return {} if file is None else _read_row_ids(Path(file))


@lru_cache(maxsize=4)
def _read_row_ids(file: Path) -> Mapping[str, int]:
    if not file.is_file():  # without it, labels would silently miss the dataset
        raise CoverslipError("missing-path", file=file)
    with file.open(encoding="utf-8", newline="") as opened:
        rows = csv.reader(opened)
        next(rows)
        return {plain_cell(image_id): int(key) for image_id, key in rows}


def split_in_dataset(connection: Connection, dataset_id: str, run_id: str) -> dict[str, SplitRow]:
    """Return the row of the split of a training for each of its images that is in the dataset now, by current ID."""
    query = select(jobs.c.folder, jobs.c.image_keys).where(jobs.c.id == run_id)
    job = connection.execute(query).one_or_none()
    if job is None:
        return {}
    key_of = keys_in(job.image_keys)
    row_of = {key_of.get(row.image_id): row for row in Run(Path(job.folder)).split}
    current = select(images.c.image_id, images.c.row_id).where(images.c.dataset_id == dataset_id)
    return {image_id: row_of[row_id] for image_id, row_id in connection.execute(current) if row_id in row_of}
