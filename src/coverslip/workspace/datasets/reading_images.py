"""Read the images of datasets in the background, and draw the images of sample datasets.

Every image is decoded once. The database and the cache store the facts in batches, so that a killed server resumes
where it ended.
"""

import shutil
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import compress
from typing import NamedTuple

from sqlalchemy import Connection, select, update
from sqlalchemy.exc import SQLAlchemyError

from coverslip.datasets import ContentHashes, Dataset, Unreadable, open_dataset, scan_images
from coverslip.errors import CoverslipError, NotFound, Stopped
from coverslip.events import Emit, Event, Progressed, time_left
from coverslip.images import Fields, PixelFacts
from coverslip.messages import Failure, failure
from coverslip.runs import inspection_of
from coverslip.workspace.datasets.image_rows import content_of, states_of_images, store_images, version_of
from coverslip.workspace.datasets.inspections import (
    IMAGE_CHECK,
    DatasetInspection,
    check_images,
    current_finders,
    datasets_not_searched,
    inspect_now,
    inspect_stored,
    store_inspection,
    stored_inspection,
    with_row_ids,
)
from coverslip.workspace.datasets.state import mark_equal_pixels, update_counts
from coverslip.workspace.jobs.computing import cancel_result, computation
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    OUTSIDE,
    Json,
    MissingSource,
    as_dataset,
    dataset_row,
    load_records,
    missing_sources,
    opened_as_json,
    ranges,
    refuse_missing,
    refuse_unread,
    source_paths,
)
from coverslip.workspace.store.sql import change_rows, replace_rows
from coverslip.workspace.store.tables import datasets, image_facts, images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing import pictures
from coverslip.workspace.viewing.pictures import create_missing, datasets_without_colors, store_colors

LABELED_SAMPLES = "samples"  # the ID of the dataset for training


@dataclass(frozen=True, slots=True)
class SampleDataset:
    """A sample dataset, which exists once and has a fixed ID."""

    id: str
    name: str
    folder: str  # in `samples/` of the workspace
    is_labeled: bool
    groups: str | None  # a pattern


SAMPLE_DATASETS = {
    samples.id: samples
    for samples in (
        SampleDataset("samples-new", "New sample images", "new", is_labeled=False, groups=None),
        SampleDataset(LABELED_SAMPLES, "Sample images", "images", is_labeled=True, groups=r"slide\d+"),
    )
}


def draw(workspace: Workspace, dataset_id: str, emit: Emit) -> Dataset:
    """Return a sample dataset. Its images are drawn if its folder does not exist."""
    from coverslip.synthetic_cells import write_new_images, write_sample_images

    samples = SAMPLE_DATASETS[dataset_id]
    folder = workspace.samples / samples.folder
    if not folder.is_dir():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        (write_sample_images if samples.is_labeled else write_new_images)(part, emit=emit)
        part.rename(folder)
    return open_dataset(folder, group_pattern=samples.groups, labeled=samples.is_labeled)


_IMAGES_AT_ONCE = 2_000  # images of one batch: limits memory, and the loss if the server is killed
_WRITE_EVERY_S = 0.5


def begin(workspace: Workspace) -> None:
    """Resume the work of an earlier server: read images, create pictures, search near-duplicates."""
    resume(workspace)
    for dataset_id in dict.fromkeys([*datasets_without_colors(workspace), *datasets_not_searched(workspace)]):
        start(workspace, dataset_id)


def resume(workspace: Workspace) -> None:
    """Resume reading: interrupted datasets, and datasets whose missing folders are available."""
    _retry_missing_sources(workspace)
    with workspace.engine.connect() as connection:
        interrupted = (datasets.c.state == "reading") & datasets.c.removed.is_(None)
        waiting = connection.execute(select(datasets.c.id).where(interrupted)).scalars().all()
    for dataset_id in waiting:
        start(workspace, dataset_id)


def _retry_missing_sources(workspace: Workspace) -> None:
    with workspace.engine.connect() as connection:
        failed = (datasets.c.state == "failed") & datasets.c.removed.is_(None)
        rows = connection.execute(select(datasets).where(failed)).all()
    available = [row.id for row in rows if row.error["kind"] == MissingSource.kind and not missing_sources(row)]
    if available:
        with write_transaction(workspace.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id.in_(available)).values(state="reading", error=None))


def start(workspace: Workspace, dataset_id: str) -> None:
    """Read a dataset in the background, unless it is being read or was read; then create its thumbnails."""
    workspace.background.start(thread_of(dataset_id), lambda is_over: _work(workspace, dataset_id, is_over))


def inspection(workspace: Workspace, dataset_id: str) -> DatasetInspection:
    """Return the inspection of a dataset, with its current labels and groups.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        current = stored_inspection(connection, dataset_id, row.revision)
    if current is None:
        current = workspace.compute(inspect_now, inspection_of, dataset_id=dataset_id)
    is_searching = computation(workspace, IMAGE_CHECK, dataset_id).state is not None or any(
        map(workspace.background.is_running, (thread_of(dataset_id), duplicates_thread_of(dataset_id)))
    )
    with read_transaction(workspace.engine) as connection:
        return with_row_ids(
            connection, dataset_id, current, is_searching_duplicates=is_searching and not current.are_copies_known
        )


def thread_of(dataset_id: str) -> str:
    return f"reading {dataset_id}"


def duplicates_thread_of(dataset_id: str) -> str:
    return f"copies {dataset_id}"


def _work(workspace: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    _read(workspace, dataset_id, is_over)
    # Pictures that fail here are created when they are viewed; the dataset is complete without them.
    with suppress(CoverslipError, SQLAlchemyError, OSError):
        if not is_over.is_set():
            create_missing(workspace, dataset_id, is_over)
    search_duplicates(workspace, dataset_id)


def search_duplicates(workspace: Workspace, dataset_id: str) -> None:
    """Search near-duplicates in the background. A running search is restarted, because the images may differ."""
    name = duplicates_thread_of(dataset_id)
    with workspace.background.held(name):
        cancel_result(workspace, IMAGE_CHECK, dataset_id)
    workspace.background.start(name, lambda _: check_images(workspace, dataset_id))


def _read(workspace: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    """Read the images. If this is interrupted, the state stays `reading`, so that it is started again."""
    try:
        with workspace.engine.connect() as connection:
            row = dataset_row(connection, dataset_id)
        if row.state != "reading":
            return
        if row.opened is None:
            _draw_samples(workspace, dataset_id, _ProgressWriter(workspace, dataset_id, is_over))
        _scan(workspace, dataset_id, _ProgressWriter(workspace, dataset_id, is_over))
        _finish(workspace, dataset_id)
    except (Stopped, NotFound):  # NotFound: the dataset was removed meanwhile
        return
    except CoverslipError as error:
        _fail(workspace, dataset_id, error.failure)
    except Exception as error:  # noqa: BLE001 - nothing else would report the error of a thread
        if is_over.is_set() or sys.is_finalizing() or not threading.main_thread().is_alive():
            return
        reason = f"{type(error).__name__}: {error}"
        _fail(workspace, dataset_id, failure("reading-failed", kind="fault", reason=reason))


@dataclass
class _ProgressWriter:
    """Writes progress to the database at intervals, and stops the work on request."""

    workspace: Workspace
    dataset_id: str
    is_over: threading.Event
    start: int = 0
    total: int = 0
    last_written: float = 0.0
    started_at: float = 0.0

    def __call__(self, event: Event) -> None:
        if self.is_over.is_set():
            raise Stopped("dataset-reading-stopped")
        moment = time.monotonic()
        self.started_at = self.started_at or moment
        if not isinstance(event, Progressed) or moment - self.last_written < _WRITE_EVERY_S:
            return
        self.last_written = moment
        done, total = self.start + event.done, self.total or event.total
        seconds = moment - self.started_at
        left = time_left(done, total, seconds)
        with write_transaction(self.workspace.engine) as connection:
            connection.execute(
                update(datasets)
                .where(datasets.c.id == self.dataset_id)
                .values(progress={"done": done, "total": total, "seconds_left": left})
            )


def _draw_samples(workspace: Workspace, dataset_id: str, emit: Emit) -> None:
    samples = draw(workspace, dataset_id, emit)
    with write_transaction(workspace.engine) as connection:
        connection.execute(
            update(datasets)
            .where(datasets.c.id == dataset_id)
            .values(opened=opened_as_json(samples), class_names=list(samples.classes))
        )
        store_images(connection, workspace, dataset_id, samples)


def _scan(workspace: Workspace, dataset_id: str, progress: _ProgressWriter) -> None:
    """Decode every image once, in batches, for facts, colors and thumbnails."""
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    refuse_missing(row)  # on a disconnected disk, every image would be unreadable
    for source in source_paths(row):
        workspace.allowed(source)
    progress.total = row.summary["n_images"]
    fields = Fields()  # a field of many objects is decoded once
    for start, end in ranges(progress.total, _IMAGES_AT_ONCE):
        progress.start = start
        with read_transaction(workspace.engine) as connection:
            records = load_records(connection, dataset_id, start, end)
            described = connection.execute(
                select(images.c.row_id, image_facts.c.reason)
                .outerjoin(image_facts, image_facts.c.row_id == images.c.row_id)
                .where(images.c.dataset_id == dataset_id, images.c.position.between(start, end - 1))
                .order_by(images.c.position)
            ).all()
        is_inside = [image.reason != OUTSIDE for image in described]
        batch = as_dataset(row, list(compress(records, is_inside)))
        row_ids = [image.row_id for image in compress(described, is_inside)]
        state_of = states_of_images(record.files for record in batch.records)  # before the files are read
        hashes = ContentHashes(len(batch))
        on_pixels = pictures.PictureWriter(dataset_id, lambda k: version_of(batch.records[k], hashes[k]))  # noqa: B023 - called within this pass
        facts = scan_images(batch, emit=progress, on_pixels=on_pixels, fields=fields, content_hashes=hashes).facts
        on_pixels.close()
        identities = [
            _Identity(version_of(each, digest), content_of(each, digest), state_of[each.files]) if digest else None
            for each, digest in zip(batch.records, hashes, strict=True)
        ]
        refuse_missing(row)  # the disk may have been disconnected meanwhile
        with write_transaction(workspace.engine) as connection:
            _store_facts(connection, row_ids, facts, identities)
            store_colors(connection, {row_ids[k]: color for k, color in on_pixels.colors.items()})


class _Identity(NamedTuple):
    """The columns of `images` about the files of an image as they were read."""

    version: str
    content: str
    file_state: str | None


def _store_facts(
    connection: Connection,
    row_ids: Sequence[int],
    facts: Sequence[PixelFacts | Unreadable],
    identities: Sequence[_Identity | None],
) -> None:
    """Store facts, and the identities of the images; None: the file could not be read."""
    if not row_ids:
        return
    fact_rows: list[Json] = []
    image_rows: list[Json] = []
    version_rows: list[Json] = []
    for row_id, fact, identity in zip(row_ids, facts, identities, strict=True):
        if isinstance(fact, PixelFacts):
            stored, reason = fact.as_json(), None
            size = {"width_px": fact.width_px, "height_px": fact.height_px}
            image_rows.append({"row_id": row_id, "problem": None, "pixel_hash": fact.pixel_hash, **size})
        else:
            stored, reason = None, fact.reason
            unknown = dict.fromkeys(("pixel_hash", "width_px", "height_px"))
            image_rows.append({"row_id": row_id, "problem": "unreadable", **unknown})
        fact_rows.append({"row_id": row_id, "facts": stored, "reason": reason})
        if identity is not None:
            version_rows.append({"row_id": row_id, **identity._asdict()})
    change_rows(connection, images, image_rows)
    change_rows(connection, images, version_rows)
    replace_rows(connection, image_facts, fact_rows)


def _finish(workspace: Workspace, dataset_id: str) -> None:
    with write_transaction(workspace.engine) as connection:
        mark_equal_pixels(connection, dataset_id)
        update_counts(connection, dataset_id)
    with workspace.engine.connect() as connection:
        revision = dataset_row(connection, dataset_id).revision
        finders = current_finders()
        inspected = inspect_stored(connection, dataset_id)
    with write_transaction(workspace.engine) as connection:
        connection.execute(
            update(datasets).where(datasets.c.id == dataset_id).values(state="ready", progress=None, error=None)
        )
        store_inspection(connection, dataset_id, inspected, revision, finders)


def _fail(workspace: Workspace, dataset_id: str, reason: Failure) -> None:
    with suppress(CoverslipError), write_transaction(workspace.engine) as connection:
        connection.execute(
            update(datasets)
            .where(datasets.c.id == dataset_id, datasets.c.removed.is_(None))
            .values(state="failed", progress=None, error=asdict(reason))
        )
