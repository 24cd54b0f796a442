"""Rows of the database: IDs, times, datasets, the order of classes, images of runs."""

import datetime
import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, Select, func, select

from coverslip.datasets import natural_key
from coverslip.errors import Conflict, NotFound
from coverslip.runs import Run, SplitRow
from coverslip.runs.lookup import file_of_each
from coverslip.workspace.store.tables import classifiers, confirmed_labels, datasets, images, jobs

Json = dict[str, Any]  # Any: JSON values
AnyRow = Row[Any]  # Any: columns as the table defines them
Item = TypeVar("Item")


class MissingSource(Conflict):
    """A source of a dataset does not exist."""


class ImagesChanged(Conflict):
    """Images of a request are no longer in the dataset, which was read again."""


class ChangedSince(Conflict):
    """A change that a request undoes was followed by another one."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """A page of a list."""

    items: list[Item]
    total: Annotated[int, Field(description="Total number of items on all pages.")]


class Paging(BaseModel):
    """The part of a list to return."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offset: Annotated[int, Field(ge=0, lt=2**53)] = 0
    limit: Annotated[int, Field(ge=1, le=2_000)] = 200

    def of(self, rows: Sequence[Item]) -> Sequence[Item]:
        """Return this part of the rows."""
        return rows[self.offset : self.offset + self.limit]

    def page_of(self, rows: Sequence[Item]) -> Page[Item]:
        """Return this part of the rows as a page."""
        return Page(list(self.of(rows)), len(rows))


def dataset_row(connection: Connection, dataset_id: str) -> AnyRow:
    """Return the row of a dataset.

    Raises:
        NotFound: there is no such dataset, or it was removed from the list.
    """
    row = connection.execute(select(datasets).where(datasets.c.id == dataset_id)).one_or_none()
    if row is None or row.forgotten is not None:
        raise NotFound("no-such-dataset")
    return row


def positions_of(connection: Connection, dataset_id: str, image_ids: Collection[str]) -> list[int]:
    """Return the current positions of images, in order. They are valid in the transaction of this connection only.

    Raises:
        ImagesChanged: one of the images is not in the dataset.
    """
    wanted = set(image_ids)
    named = images.c.image_id.in_(values(json.dumps(list(wanted))))
    rows = connection.execute(
        select(images.c.position).where(images.c.dataset_id == dataset_id, named).order_by(images.c.position)
    )
    positions = list(rows.scalars())
    if len(positions) != len(wanted):
        raise ImagesChanged("images-changed", n_missing=len(wanted) - len(positions))
    return positions


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


def class_order(class_names: Iterable[str], used: Iterable[str]) -> list[str]:
    """Return the ordered class names, then all other used names in natural order."""
    first = list(dict.fromkeys(class_names))
    return [*first, *sorted(set(used).difference(first), key=natural_key)]


def folder_of_run(connection: Connection, run_id: str) -> Path | None:
    """Return the folder of a training; None if there is no such training."""
    is_training = (jobs.c.id == run_id) & (jobs.c.kind == "train") & (jobs.c.state != "removed")
    folder = connection.execute(select(jobs.c.folder).where(is_training)).scalar_one_or_none()
    return None if folder is None else Path(folder)


def no_such_training() -> NotFound:
    """Return the error of a training that does not exist."""
    return NotFound("no-such-training")


def not_in_trash() -> NotFound:
    """Return the error of something that cannot be restored."""
    return NotFound("not-in-trash")


def original_location_taken(name: str) -> Conflict:
    """Return the error of something that cannot be restored while another file or folder has its name."""
    return Conflict("original-location-taken", name=name)


def file_of_classifier(connection: Connection, classifier_id: str) -> Path | None:
    """Return the file of an imported classifier; None if there is no such classifier."""
    is_listed = (classifiers.c.id == classifier_id) & classifiers.c.removed.is_(None)
    file = connection.execute(select(classifiers.c.file).where(is_listed)).scalar_one_or_none()
    return None if file is None else Path(file)


def new_id() -> str:
    """Return a short random ID."""
    return secrets.token_hex(6)


def now() -> str:
    """Return the current time: ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def confirmed_images(dataset_id: str) -> Select[Any]:
    """Return a query for the IDs of images that still have their confirmed label."""
    return (
        select(images.c.image_id)
        .join(
            confirmed_labels,
            (confirmed_labels.c.dataset_id == images.c.dataset_id) & (confirmed_labels.c.image_id == images.c.image_id),
        )
        .where(images.c.dataset_id == dataset_id, images.c.label == confirmed_labels.c.label)
    )


def confirmed_ids(connection: Connection, dataset_id: str) -> frozenset[str]:
    """Return the IDs of images that still have their confirmed label."""
    return frozenset(connection.execute(confirmed_images(dataset_id)).scalars())


def values(listed: str) -> Select[Any]:
    """Return a query for the values of a JSON list of any length."""
    return select(func.json_each(listed).table_valued("value").c.value)


def ranges(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield starts and ends of ranges of at most `size`."""
    for start in range(0, n, size):
        yield start, min(n, start + size)


def rows_in_dataset(connection: Connection, dataset_id: str, run: Run) -> dict[str, SplitRow]:
    """Return the split row of each image of a training, by the current ID of the image in the dataset.

    IDs change if a source is added or removed, so images are matched by file. They are matched by ID only if no image
    of the file exists any more, because its folder was moved.
    """
    of_dataset = select(images.c.image_id, images.c.path).where(images.c.dataset_id == dataset_id)
    there = [(image_id, path) for image_id, path in connection.execute(of_dataset).all()]
    n_of_file = Counter(file for _, file in there)
    rows_of = _rows_by_file(run)
    moved = {row.image_id: row for file, rows in rows_of.items() if file not in n_of_file for row in rows}
    by_id = {}
    for image_id, file in there:
        of_file = rows_of.get(file)
        row = moved.get(image_id) if of_file is None else _row_of(image_id, of_file, is_only=n_of_file[file] == 1)
        if row is not None:
            by_id[image_id] = row
    return by_id


def ids_in_dataset(rows: Mapping[str, SplitRow]) -> dict[str, str]:
    """Return the current IDs of images by their IDs in the training."""
    return {row.image_id: image_id for image_id, row in rows.items()}


def _rows_by_file(run: Run) -> dict[str, list[SplitRow]]:
    files, rows = file_of_each(run), defaultdict[str, list[SplitRow]](list)
    for row in run.split:
        rows[files[row.image_id]].append(row)
    return rows


def _row_of(image_id: str, of_file: Sequence[SplitRow], *, is_only: bool) -> SplitRow | None:
    """Return the row of an image among those of its file. If there are several, source names may differ."""
    if is_only and len(of_file) == 1:
        return of_file[0]
    same = (row for row in of_file if _is_same(image_id, row.image_id) or _is_same(row.image_id, image_id))
    return next(same, None)


def _is_same(image_id: str, without_source: str) -> bool:
    return f"/{image_id}".endswith(f"/{without_source}")
