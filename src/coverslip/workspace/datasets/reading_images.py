"""Reading datasets in the background.

Every image is decoded once; what is found is kept in the database piece by piece, and by coverslip's own cache of
facts, so that a server that was killed goes on where it was.
"""

import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from coverslip.datasets import Unreadable, scan_images
from coverslip.errors import Conflict, CoverslipError, NotFound, Stopped
from coverslip.events import Emit, Event, Progressed
from coverslip.images import ImageFacts
from coverslip.messages import Failure, failure
from coverslip.workspace.datasets.counting import count_again, mark_equal_pixels
from coverslip.workspace.datasets.inspections import (
    DatasetInspection,
    check_images,
    datasets_not_searched,
    inspect_stored,
    keep_inspection,
    kept_inspection,
    with_positions,
)
from coverslip.workspace.datasets.keeping import store_images
from coverslip.workspace.datasets.samples import draw
from coverslip.workspace.store.database import one_moment, writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import (
    OUTSIDE,
    as_dataset,
    facts_as_json,
    load_records,
    load_versions,
    opened_as_json,
)
from coverslip.workspace.store.rows import (
    AnyRow,
    Json,
    MissingSource,
    dataset_row,
    missing_sources,
    ranges,
    refuse_missing,
    source_paths,
)
from coverslip.workspace.store.tables import datasets, image_facts
from coverslip.workspace.viewing import thumbnails
from coverslip.workspace.viewing.pictures import datasets_without, fill, keep_colours

_IMAGES_AT_ONCE = 2_000  # scanned, then stored: bounds memory, and what a kill costs
_TELL_EVERY_S = 0.5


def begin(home: Workspace) -> None:
    """Go on with what a server that ended was at: reading, making pictures of what was read, looking for copies."""
    resume(home)
    for dataset_id in dict.fromkeys([*datasets_without(home), *datasets_not_searched(home)]):
        start(home, dataset_id)


def resume(home: Workspace) -> None:
    """Go on reading what a server that ended was reading, and what could not be read since its folder was away."""
    _take_up_returned(home)
    with home.engine.connect() as connection:
        interrupted = (datasets.c.state == "reading") & datasets.c.forgotten.is_(None)
        waiting = connection.execute(select(datasets.c.id).where(interrupted)).scalars().all()
    for dataset_id in waiting:
        start(home, dataset_id)


def _take_up_returned(home: Workspace) -> None:
    with home.engine.connect() as connection:
        failed = (datasets.c.state == "failed") & datasets.c.forgotten.is_(None)
        rows = connection.execute(select(datasets).where(failed)).all()
    back = [row.id for row in rows if row.error["kind"] == MissingSource.kind and not missing_sources(row)]
    if back:
        with writing(home.engine) as connection:
            connection.execute(update(datasets).where(datasets.c.id.in_(back)).values(state="reading", error=None))


def start(home: Workspace, dataset_id: str) -> None:
    """Read a dataset in the background, unless that is being done or is done already; then make its thumbnails."""
    home.background.start(thread_of(dataset_id), lambda is_over: _work(home, dataset_id, is_over))


def inspection(home: Workspace, dataset_id: str) -> DatasetInspection:
    """What the images are like and what to do about it, with the labels and groups of now.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be.
    """
    with one_moment(home.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        kept = kept_inspection(connection, dataset_id, row.revision)
        inspected = kept or inspect_stored(connection, dataset_id)
        is_looking = any(map(home.background.is_running, (thread_of(dataset_id), copies_thread_of(dataset_id))))
        answer = with_positions(
            connection, dataset_id, inspected, is_looking_for_copies=is_looking and not inspected.are_copies_known
        )
    if kept is None:
        with writing(home.engine) as connection:
            keep_inspection(connection, dataset_id, inspected, row.revision)
    return answer


def refuse_unread(connection: Connection, dataset_id: str) -> AnyRow:
    """The row of a dataset whose images have been read.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be.
    """
    row = dataset_row(connection, dataset_id)
    if row.state == "reading":
        raise Conflict("images-still-reading")
    if row.state == "failed":
        raise Conflict("images-not-read")
    return row


def refuse_unready(connection: Connection, dataset_id: str) -> AnyRow:
    """The row of a dataset that a job can begin with: read, and its files are there.

    Raises:
        NotFound, Conflict: as `refuse_unread`.
        MissingSource: a folder or table is not there now.
    """
    row = refuse_unread(connection, dataset_id)
    refuse_missing(row)
    return row


def thread_of(dataset_id: str) -> str:
    return f"reading {dataset_id}"


def copies_thread_of(dataset_id: str) -> str:
    return f"copies {dataset_id}"


def _work(home: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    _read(home, dataset_id, is_over)
    # Pictures that cannot be made now are made when they are looked at; the dataset is whole without.
    with suppress(CoverslipError, SQLAlchemyError, OSError):
        if not is_over.is_set():
            fill(home, dataset_id, is_over)
    search_copies(home, dataset_id)


def search_copies(home: Workspace, dataset_id: str) -> None:
    """Look for changed copies in the background; a search that goes on, among other images maybe, is begun anew."""
    name = f"copies {dataset_id}"
    with home.background.held(name):
        pass
    home.background.start(name, lambda is_over: check_images(home, dataset_id, is_over))


def _read(home: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    """All of the reading. Whatever ends it early leaves the state `reading`, so that it is begun again."""
    try:
        with home.engine.connect() as connection:
            row = dataset_row(connection, dataset_id)
        if row.state != "reading":
            return
        if row.opened is None:
            _draw_samples(home, dataset_id, _Teller(home, dataset_id, is_over))
        _scan(home, dataset_id, _Teller(home, dataset_id, is_over))
        _finish(home, dataset_id)
    except (Stopped, NotFound):  # NotFound: the dataset was forgotten meanwhile
        return
    except CoverslipError as error:
        _fail(home, dataset_id, error.failure)
    except Exception as error:  # noqa: BLE001 - a thread's end is a process boundary: nobody else would tell of it
        if is_over.is_set() or sys.is_finalizing() or not threading.main_thread().is_alive():
            return
        reason = f"{type(error).__name__}: {error}"
        _fail(home, dataset_id, failure("reading-failed", kind="fault", reason=reason))


@dataclass
class _Teller:
    """Keeps progress in the database, not too often, and ends the work when that is asked for."""

    home: Workspace
    dataset_id: str
    is_over: threading.Event
    start: int = 0
    total: int = 0
    last_kept: float = 0.0
    began: float = 0.0

    def __call__(self, event: Event) -> None:
        if self.is_over.is_set():
            raise Stopped("dataset-reading-stopped")
        moment = time.monotonic()
        self.began = self.began or moment
        if not isinstance(event, Progressed) or moment - self.last_kept < _TELL_EVERY_S:
            return
        self.last_kept = moment
        done, total = self.start + event.done, self.total or event.total
        seconds = moment - self.began
        left = round(seconds / done * (total - done), 1) if done and seconds > 1 else event.seconds_left
        with writing(self.home.engine) as connection:
            connection.execute(
                update(datasets)
                .where(datasets.c.id == self.dataset_id)
                .values(progress={"done": done, "total": total, "seconds_left": left})
            )


def _draw_samples(home: Workspace, dataset_id: str, emit: Emit) -> None:
    samples = draw(home, dataset_id, emit)
    with writing(home.engine) as connection:
        connection.execute(
            update(datasets)
            .where(datasets.c.id == dataset_id)
            .values(opened=opened_as_json(samples), class_names=list(samples.classes))
        )
        store_images(connection, home, dataset_id, samples, {})


def _scan(home: Workspace, dataset_id: str, tell: _Teller) -> None:
    """Decode every image once, piece by piece, for facts, colour and thumbnail."""
    with home.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    refuse_missing(row)  # on a disk that was unplugged every image would be called unreadable
    for source in source_paths(row):
        home.allowed(source)
    tell.total = row.summary["n_images"]
    for start, end in ranges(tell.total, _IMAGES_AT_ONCE):
        tell.start = start
        with home.engine.connect() as connection:
            records = load_records(connection, dataset_id, start, end)
            outside = set(
                connection.execute(
                    select(image_facts.c.position).where(
                        image_facts.c.dataset_id == dataset_id,
                        image_facts.c.position.between(start, end - 1),
                        image_facts.c.reason == OUTSIDE,
                    )
                ).scalars()
            )
        places = [position for position in range(start, end) if position not in outside]
        piece = as_dataset(row, [records[position - start] for position in places])
        with home.engine.connect() as connection:
            versions = load_versions(connection, dataset_id, places)
        seen = thumbnails.WhileReading(dataset_id, versions)
        facts = scan_images(piece, emit=tell, on_pixels=seen).facts
        seen.close()
        refuse_missing(row)  # it may have been taken away meanwhile
        with writing(home.engine) as connection:
            _keep_facts(connection, dataset_id, places, facts)
            keep_colours(connection, dataset_id, {places[k]: colour for k, colour in seen.colours.items()})


def _keep_facts(
    connection: Connection, dataset_id: str, places: Sequence[int], facts: Sequence[ImageFacts | Unreadable]
) -> None:
    if not places:
        return
    fact_rows: list[Json] = []
    image_rows: list[tuple[object, ...]] = []
    for position, fact in zip(places, facts, strict=True):
        if isinstance(fact, ImageFacts):
            stored, reason = facts_as_json(fact), None
            image_rows.append((None, fact.pixel_hash, fact.width_px, fact.height_px, dataset_id, position))
        else:
            stored, reason = None, fact.reason
            image_rows.append(("unreadable", None, None, None, dataset_id, position))
        fact_rows.append({"dataset_id": dataset_id, "position": position, "facts": stored, "reason": reason})
    connection.exec_driver_sql(
        "UPDATE images SET problem = ?, pixel_hash = ?, width_px = ?, height_px = ? WHERE dataset_id = ? "
        "AND position = ?",
        image_rows,
    )
    connection.execute(insert(image_facts).prefix_with("OR REPLACE"), fact_rows)


def _finish(home: Workspace, dataset_id: str) -> None:
    with writing(home.engine) as connection:
        mark_equal_pixels(connection, dataset_id)
        count_again(connection, dataset_id)
    with home.engine.connect() as connection:
        revision = dataset_row(connection, dataset_id).revision
        inspected = inspect_stored(connection, dataset_id)
    with writing(home.engine) as connection:
        connection.execute(
            update(datasets).where(datasets.c.id == dataset_id).values(state="ready", progress=None, error=None)
        )
        keep_inspection(connection, dataset_id, inspected, revision)


def _fail(home: Workspace, dataset_id: str, reason: Failure) -> None:
    with suppress(CoverslipError), writing(home.engine) as connection:
        connection.execute(
            update(datasets)
            .where(datasets.c.id == dataset_id, datasets.c.forgotten.is_(None))
            .values(state="failed", progress=None, error=asdict(reason))
        )
