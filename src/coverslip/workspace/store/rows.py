"""Rows of the database: ids, times, datasets, the order of classes, images of runs."""

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
    """A folder or table that images of a dataset come from is not there now."""


class ImagesChanged(Conflict):
    """Images that a request names are no longer in the dataset, which was read again since."""


class ChangedSince(Conflict):
    """What a request takes back was changed again since."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some of many, in order."""

    items: list[Item]
    total: Annotated[int, Field(description="How many there are, on all pages together.")]


class Paging(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offset: Annotated[int, Field(ge=0, lt=2**53)] = 0
    limit: Annotated[int, Field(ge=1, le=2_000)] = 200

    def of(self, rows: Sequence[Item]) -> Sequence[Item]:
        """That part of them."""
        return rows[self.offset : self.offset + self.limit]

    def page_of(self, rows: Sequence[Item]) -> Page[Item]:
        """That part of them as a page."""
        return Page(list(self.of(rows)), len(rows))


def dataset_row(connection: Connection, dataset_id: str) -> AnyRow:
    """The dataset's own row.

    Raises:
        NotFound: there is none of that id, or it was forgotten.
    """
    row = connection.execute(select(datasets).where(datasets.c.id == dataset_id)).one_or_none()
    if row is None or row.forgotten is not None:
        raise NotFound("no-such-dataset")
    return row


def positions_of(connection: Connection, dataset_id: str, image_ids: Collection[str]) -> list[int]:
    """Return the positions that images have now, in order. They hold within the transaction of this connection only.

    Raises:
        ImagesChanged: one of the images is not in the dataset.
    """
    wanted = set(image_ids)
    named = images.c.image_id.in_(values(json.dumps(list(wanted))))
    found = connection.execute(
        select(images.c.position).where(images.c.dataset_id == dataset_id, named).order_by(images.c.position)
    )
    positions = list(found.scalars())
    if len(positions) != len(wanted):
        raise ImagesChanged("images-changed", n_missing=len(wanted) - len(positions))
    return positions


def source_paths(row: AnyRow) -> list[str]:
    """Where a dataset's images come from: absolute paths of folders, tables and files."""
    return [source["path"] for source in row.sources]


def missing_sources(row: AnyRow) -> list[str]:
    """Those of a dataset's folders, tables and files that are not there now: renamed, removed, on a disk elsewhere."""
    if row.opened is None:  # samples that are yet to be drawn
        return []
    return [path for path in source_paths(row) if not Path(path).exists()]


def refuse_missing(row: AnyRow) -> None:
    """Raises MissingSource where a folder or table of a dataset is not there now."""
    for path in missing_sources(row):
        raise MissingSource("missing-source", file=Path(path))


def class_order(class_names: Iterable[str], found: Iterable[str]) -> list[str]:
    """The names that have a place, then all others in natural order."""
    first = list(dict.fromkeys(class_names))
    return [*first, *sorted(set(found).difference(first), key=natural_key)]


def folder_of_run(connection: Connection, run_id: str) -> Path | None:
    """Where a training lies; None where there is none of that id."""
    known = (jobs.c.id == run_id) & (jobs.c.kind == "train") & (jobs.c.state != "removed")
    folder = connection.execute(select(jobs.c.folder).where(known)).scalar_one_or_none()
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
    """The file of a classifier that was brought; None where there is none of that id."""
    known = (classifiers.c.id == classifier_id) & classifiers.c.removed.is_(None)
    file = connection.execute(select(classifiers.c.file).where(known)).scalar_one_or_none()
    return None if file is None else Path(file)


def new_id() -> str:
    """Short, and not to be guessed."""
    return secrets.token_hex(6)


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")


def confirmed_images(dataset_id: str) -> Select[Any]:
    """Ids of the images of a dataset that still have the label that was confirmed."""
    return (
        select(images.c.image_id)
        .join(
            confirmed_labels,
            (confirmed_labels.c.dataset_id == images.c.dataset_id) & (confirmed_labels.c.image_id == images.c.image_id),
        )
        .where(images.c.dataset_id == dataset_id, images.c.label == confirmed_labels.c.label)
    )


def confirmed_ids(connection: Connection, dataset_id: str) -> frozenset[str]:
    """Likewise, as a set; empty where there is no such dataset."""
    return frozenset(connection.execute(confirmed_images(dataset_id)).scalars())


def values(listed: str) -> Select[Any]:
    """What a JSON list holds, however long it is."""
    return select(func.json_each(listed).table_valued("value").c.value)


def ranges(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Starts and ends of pieces of at most `size`."""
    for start in range(0, n, size):
        yield start, min(n, start + size)


def rows_in_dataset(connection: Connection, dataset_id: str, run: Run) -> dict[str, SplitRow]:
    """The row of the split of each image that a training had, by the id that the image has in the dataset now.

    Ids change where a dataset gets or loses a source, so images are found by their files; by their ids only where
    there is no image of that file any more, since its folder was moved.
    """
    of_dataset = select(images.c.image_id, images.c.path).where(images.c.dataset_id == dataset_id)
    there = [(image_id, path) for image_id, path in connection.execute(of_dataset).all()]
    n_of_file = Counter(file for _, file in there)
    rows_of = _rows_by_file(run)
    moved = {row.image_id: row for file, rows in rows_of.items() if file not in n_of_file for row in rows}
    found = {}
    for image_id, file in there:
        of_file = rows_of.get(file)
        row = moved.get(image_id) if of_file is None else _row_of(image_id, of_file, is_only=n_of_file[file] == 1)
        if row is not None:
            found[image_id] = row
    return found


def ids_in_dataset(rows: Mapping[str, SplitRow]) -> dict[str, str]:
    """The ids that images have in a dataset now, by those that they had in the training."""
    return {row.image_id: image_id for image_id, row in rows.items()}


def _rows_by_file(run: Run) -> dict[str, list[SplitRow]]:
    files, rows = file_of_each(run), defaultdict[str, list[SplitRow]](list)
    for row in run.split:
        rows[files[row.image_id]].append(row)
    return rows


def _row_of(image_id: str, of_file: Sequence[SplitRow], *, is_only: bool) -> SplitRow | None:
    """The row of an image among those of its file; where there are several, the name of a source may differ."""
    if is_only and len(of_file) == 1:
        return of_file[0]
    same = (row for row in of_file if _is_same(image_id, row.image_id) or _is_same(row.image_id, image_id))
    return next(same, None)


def _is_same(image_id: str, without_source: str) -> bool:
    return f"/{image_id}".endswith(f"/{without_source}")
