"""Read and inspect the images of datasets in the background, and watch their folders and tables.

Every image is decoded once. The database and the cache store the facts in batches, so that a killed server resumes
where it ended.
"""

import logging
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import compress
from typing import Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, false, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from coverslip.audit.leakage_estimate import LeakageAudit, cached_leakage_audit, inspect_with_leakage_audit
from coverslip.audit.near_duplicates import (
    MOST_SEARCHED,
    with_cached_near_duplicates,
    with_near_duplicates,
)
from coverslip.datasets.content_hashes import ContentHashes
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.findings import FINDINGS
from coverslip.datasets.quality.inspecting import FileFact, Inspection
from coverslip.datasets.quality.scanning import Signal, Unreadable, scan_images
from coverslip.errors import Busy, Conflict, CoverslipError, DiskFull, NotFound, Stopped
from coverslip.events import Emit, Event, Progressed, ignore, time_left
from coverslip.images.decoding import Fields
from coverslip.images.preprocessing import PixelFacts
from coverslip.messages import ENGLISH, Failure, failure, in_language, localized_note
from coverslip.runs.results import InspectionWithLeakageEstimate, LeakageEstimate, inspection_of
from coverslip.workspace.datasets.image_rows import content_of, states_of_images, store_images, version_of
from coverslip.workspace.datasets.state import find_missing, labels_for_training, mark_equal_pixels, update_counts
from coverslip.workspace.jobs.computing import cancel_result, computation, request_result
from coverslip.workspace.jobs.records import register_function
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    OUTSIDE,
    AnyRow,
    Json,
    MissingSource,
    among,
    among_integers,
    as_dataset,
    change_rows,
    dataset_row,
    is_annotated,
    load_as_trained,
    load_dataset,
    load_records,
    load_scan,
    missing_sources,
    opened_as_json,
    ranges,
    refuse_missing,
    refuse_unread,
    replace_rows,
    source_paths,
)
from coverslip.workspace.store.tables import datasets, image_facts, images, inspections
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing import pictures
from coverslip.workspace.viewing.pictures import create_missing, datasets_without_colors, store_colors

_DUPLICATE_FINDINGS = ("duplicates", "near-duplicates")
_SMALL_IMAGES, _SMALL_VALUES = 500, 5_000_000  # intensities of all images: 40 MB during the check
IMAGE_CHECK = register_function("image-check", "coverslip.workspace.datasets.reading_images:check_dataset")


class DatasetInspection(Inspection):
    """The content of `coverslip inspect --json`, with the groups and classes of trainings, and row_ids of images."""

    row_ids: dict[str, int]
    """row_ids of the images that findings name, by image_id."""
    labels: dict[str, str | None]
    """Labels of these images in the dataset; findings name the classes of trainings."""
    facts: list[FileFact]
    """Sizes, formats and channels of the files."""
    is_searching_duplicates: bool
    """Whether a search for near-duplicates is running; its findings follow."""
    removable_duplicates: dict[str, list[str]]
    """Removable duplicates by the code of the finding: all but the first image of each cluster whose images have the
    same label. Clusters with several labels are not included."""


def inspect_stored(connection: Connection, dataset_id: str) -> Inspection:
    """Inspect the images by their stored facts, with the classes of trainings."""
    with in_language(ENGLISH):  # as in files; `with_row_ids` returns it in the language of the page
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
        scan = with_cached_near_duplicates(scan)
        return inspect_with_leakage_audit(data, scan, cached_leakage_audit(data, scan))


def inspect_now(workspace: Workspace, dataset_id: str) -> Inspection:
    """Return the inspection with the current labels and groups. It is stored, unless they change meanwhile.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are being read again, or could not be read.
    """
    computed = _compute(workspace, dataset_id)
    with suppress(Busy, DiskFull):  # the stored inspection is a cache, and this request only reads
        _store_if_current(workspace, dataset_id, computed)
    return computed.inspection


@dataclass(frozen=True, slots=True)
class _Computed:
    """An inspection, and what it was computed from."""

    inspection: Inspection
    revision: int  # of the dataset
    finders: list[str]
    stored: Json | None  # the stored inspection before


def _compute(workspace: Workspace, dataset_id: str) -> _Computed:
    with read_transaction(workspace.engine) as connection:
        row, finders, stored = (
            refuse_unread(connection, dataset_id),
            current_finders(),
            _inspection_row(connection, dataset_id),
        )
        return _Computed(inspect_stored(connection, dataset_id), row.revision, finders, stored)


def _store_if_current(
    workspace: Workspace, dataset_id: str, computed: _Computed, audit: LeakageAudit | None = None
) -> bool:
    """Store an inspection, unless labels or groups changed meanwhile, or another inspection was stored.

    The other one may contain a search or an audit that ended after this one had begun. Return whether it was stored.
    """
    with write_transaction(workspace.engine) as connection:
        if dataset_row(connection, dataset_id).revision != computed.revision:
            return False
        if _inspection_row(connection, dataset_id) != computed.stored:
            return False
        store_inspection(connection, dataset_id, computed.inspection, computed.revision, computed.finders, audit)
        return True


def stored_inspection(connection: Connection, dataset_id: str, revision: int) -> Inspection | None:
    """Return the stored inspection of this revision by the current finders; None if there is none."""
    stored: Json | None = connection.execute(
        select(inspections.c.content).where(inspections.c.dataset_id == dataset_id, inspections.c.revision == revision)
    ).scalar_one_or_none()
    if stored is None or stored.get("finders") != current_finders():
        return None
    try:
        return inspection_of(stored["inspection"])
    except ValidationError:  # written by another version of coverslip
        return None


def store_inspection(
    connection: Connection,
    dataset_id: str,
    inspection: Inspection,
    revision: int,
    finders: list[str],
    audit: LeakageAudit | None = None,
) -> None:
    """Store an inspection and the codes of the finders that it was made with, as `current_finders` gave them before.

    `connection` is in a writing transaction.
    If there is no leakage audit for the current labels and groups, `audit` is stored with it, which may be for earlier
    ones, else the audit that was stored before.
    """
    inspection_json = inspection.model_dump(mode="json", round_trip=True)
    earlier: Json | None = None
    if not isinstance(inspection, InspectionWithLeakageEstimate):
        earlier = _last_leakage_audit(_inspection_row(connection, dataset_id))
        if audit is not None:
            earlier = TypeAdapter(LeakageAudit).dump_python(audit, mode="json", round_trip=True)
    content = {"finders": finders, "inspection": inspection_json, "earlier_audit": earlier}
    replace_rows(connection, inspections, [{"dataset_id": dataset_id, "revision": revision, "content": content}])


@dataclass(frozen=True, slots=True)
class StoredLeakageAudit:
    """A stored leakage audit, and whether it is for the current labels and groups."""

    state: Literal["not-requested", "outdated", "ready"]
    leakage_estimate: LeakageEstimate | None = None
    signal: Signal | None = None


def stored_leakage_audit(connection: Connection, dataset_id: str, revision: int) -> StoredLeakageAudit:
    """Return the last leakage audit of a dataset."""
    inspection = stored_inspection(connection, dataset_id, revision)
    if isinstance(inspection, InspectionWithLeakageEstimate):
        return StoredLeakageAudit("ready", inspection.leakage_estimate, inspection.signal)
    earlier = _last_leakage_audit(_inspection_row(connection, dataset_id))
    if earlier is None:
        return StoredLeakageAudit("not-requested")
    try:
        return TypeAdapter(StoredLeakageAudit).validate_python({"state": "outdated", **earlier})
    except ValidationError:  # written by another version of coverslip
        return StoredLeakageAudit("not-requested")


def _inspection_row(connection: Connection, dataset_id: str) -> Json | None:
    content: Json | None = connection.execute(
        select(inspections.c.content).where(inspections.c.dataset_id == dataset_id)
    ).scalar_one_or_none()
    return content


def _last_leakage_audit(content: Json | None) -> Json | None:
    """Return the leakage audit in a stored inspection, or the earlier audit that is stored with it."""
    if content is None:
        return None
    inspection: Json = content["inspection"]
    if "leakage_estimate" in inspection:
        return {"leakage_estimate": inspection["leakage_estimate"], "signal": inspection["signal"]}
    earlier: Json | None = content.get("earlier_audit")
    return earlier


def with_row_ids(
    connection: Connection, dataset_id: str, inspection: Inspection, *, is_searching_duplicates: bool
) -> DatasetInspection:
    """Return the inspection in the current language, with the row_ids of the images in findings."""
    named_ids = {image_id for finding in inspection.findings for cluster in finding.images for image_id in cluster}
    rows = connection.execute(
        select(images.c.image_id, images.c.row_id, images.c.label, images.c.domain).where(
            images.c.dataset_id == dataset_id, images.c.image_id.in_(among(named_ids))
        )
    ).all()
    kind_of = {row.image_id: (row.label, row.domain) for row in rows}
    trained = labels_for_training(dataset_row(connection, dataset_id), set(kind_of.values()))
    label_of = {image_id: trained[kind] for image_id, kind in kind_of.items()}
    removable = {
        finding.code: removable_duplicates(finding.images, label_of)
        for finding in inspection.findings
        if finding.code in _DUPLICATE_FINDINGS
    }
    return DatasetInspection.model_validate(
        {
            **dict(inspection),
            "findings": [finding.localized() for finding in inspection.findings],
            "notes": [localized_note(each) for each in inspection.notes],
            "facts": inspection.file_facts(),
            "row_ids": {row.image_id: row.row_id for row in rows},
            "labels": {row.image_id: row.label for row in rows},
            "removable_duplicates": removable,
            "is_searching_duplicates": is_searching_duplicates,
        }
    )


def datasets_not_searched(workspace: Workspace) -> list[str]:
    """Return the IDs of the datasets without a finished search for near-duplicates."""
    is_known = inspections.c.content["inspection", "are_copies_known"].as_boolean()
    is_read = (datasets.c.state == "ready") & datasets.c.removed.is_(None)
    unknown = select(datasets.c.id).join(inspections, inspections.c.dataset_id == datasets.c.id)
    with workspace.engine.connect() as connection:
        return list(connection.execute(unknown.where(is_read, is_known == false())).scalars())


def removable_duplicates(clusters: Iterable[Sequence[str]], label_of: Mapping[str, str | None]) -> list[str]:
    """Return all but the first image of each cluster with a single label. If labels differ, each may be right."""
    agreeing = (cluster for cluster in clusters if len({label_of.get(image_id) for image_id in cluster}) == 1)
    return [image_id for cluster in agreeing for image_id in cluster[1:]]


def check_images(workspace: Workspace, dataset_id: str) -> None:
    """Search for near-duplicates, unless this is done, and store the findings.

    The caller checks a small dataset itself. For others it starts a process, one at a time for all datasets. If the
    dataset is removed meanwhile, or the server ends, nothing is stored.
    """
    with suppress(CoverslipError, SQLAlchemyError):  # it was removed, or is checked next time: the database is busy
        if _is_small(workspace, dataset_id):
            fill_check_cache(workspace, dataset_id)
            update_inspection(workspace, dataset_id)
            return
        with workspace.engine.connect() as connection:
            name = dataset_row(connection, dataset_id).name
        request_result(
            workspace,
            IMAGE_CHECK,
            dataset_id,
            {"dataset_id": dataset_id},
            name=name,
            link=f"/datasets/{dataset_id}/inspection",
            dataset_id=dataset_id,
        )


def _is_small(workspace: Workspace, dataset_id: str) -> bool:
    """Return whether a check needs less time and memory than starting a process for it."""
    with read_transaction(workspace.engine) as connection:
        if dataset_row(connection, dataset_id).state != "ready":  # then nothing is checked
            return True
        of_dataset = images.c.dataset_id == dataset_id
        if connection.execute(select(func.count()).where(of_dataset)).scalar_one() > _SMALL_IMAGES:
            return False
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    if any(record.plan.region is not None for record in data.records):  # facts lack the size of the whole image
        return False
    facts = [fact for fact in scan.facts if isinstance(fact, PixelFacts)]
    return sum(fact.width_px * fact.height_px * fact.n_channels * fact.n_planes for fact in facts) <= _SMALL_VALUES


def fill_check_cache(workspace: Workspace, dataset_id: str, emit: Emit = ignore) -> None:
    """Search a dataset for near-duplicates. The cache stores the results.

    Raises:
        NotFound: the dataset does not exist any more.
    """
    with read_transaction(workspace.engine) as connection:
        if dataset_row(connection, dataset_id).state != "ready":
            return
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    with_near_duplicates(data, scan, emit=emit)


def check_dataset(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Search a dataset for near-duplicates, and store the findings.

    Raises:
        NotFound: the dataset does not exist any more.
    """
    fill_check_cache(workspace, arguments["dataset_id"], emit)
    update_inspection(workspace, arguments["dataset_id"])


def update_inspection(workspace: Workspace, dataset_id: str, audit: LeakageAudit | None = None) -> None:
    """Inspect a dataset with its current facts and store the result, unless its images are being read again.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        audit: an audit that has ended. Labels or groups may have changed since it began.
    """
    with suppress(Conflict):
        while not _store_if_current(workspace, dataset_id, _compute(workspace, dataset_id), audit):
            pass  # a request that began before the facts were known may store its inspection, so this one is repeated


def current_finders() -> list[str]:
    """Return the codes of all finders. One that is registered during an inspection may not have been asked."""
    return list(FINDINGS)


# Read the images of datasets in the background, and draw the images of sample datasets.

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


def resume(workspace: Workspace, is_over: threading.Event | None = None) -> None:
    """Resume reading: interrupted datasets, and datasets whose missing folders are available; none if it is over."""
    _retry_missing_sources(workspace)
    with workspace.engine.connect() as connection:
        interrupted = (datasets.c.state == "reading") & datasets.c.removed.is_(None)
        waiting = connection.execute(select(datasets.c.id).where(interrupted)).scalars().all()
    for dataset_id in waiting:
        if is_over is None or not is_over.is_set():
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

    If the near-duplicates among its images are unknown, such as after exclusions in a prediction, a search starts.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        current = stored_inspection(connection, dataset_id, row.revision)
    if current is None:
        current = workspace.compute(inspect_now, inspection_of, dataset_id=dataset_id)
    is_searching = not current.are_copies_known and _is_searching(workspace, row)
    with read_transaction(workspace.engine) as connection:
        return with_row_ids(connection, dataset_id, current, is_searching_duplicates=is_searching)


def _is_searching(workspace: Workspace, row: AnyRow) -> bool:
    """Return whether near-duplicates are searched. A search starts, unless the last one failed."""
    check, threads = computation(workspace, IMAGE_CHECK, row.id), (thread_of(row.id), duplicates_thread_of(row.id))
    if check.state is not None or any(map(workspace.background.is_running, threads)):
        return True
    if check.error is None and row.summary["n_images"] - row.summary["n_excluded"] <= MOST_SEARCHED:
        with suppress(Busy, DiskFull):  # this request only reads; the next one tries again
            _search_once(workspace, row.id, row.revision)
    return workspace.background.is_running(duplicates_thread_of(row.id))


@lru_cache(maxsize=1_000)
def _search_once(workspace: Workspace, dataset_id: str, _revision: int) -> None:
    """Search near-duplicates, unless this revision was searched: pages that follow the search would repeat it."""
    search_duplicates(workspace, dataset_id)


def thread_of(dataset_id: str) -> str:
    return f"reading {dataset_id}"


def duplicates_thread_of(dataset_id: str) -> str:
    return f"copies {dataset_id}"


def _work(workspace: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    _read_images(workspace, dataset_id, is_over)
    # Pictures that fail here are created when they are viewed; the dataset is complete without them.
    with suppress(CoverslipError, SQLAlchemyError, OSError):
        if not is_over.is_set():
            create_missing(workspace, dataset_id, is_over)
    if not is_over.is_set():
        search_duplicates(workspace, dataset_id)


def search_duplicates(workspace: Workspace, dataset_id: str) -> None:
    """Search near-duplicates in the background. A running search is restarted, because the images may differ."""
    name = duplicates_thread_of(dataset_id)
    with workspace.background.held(name):
        cancel_result(workspace, IMAGE_CHECK, dataset_id)
    workspace.background.start(name, lambda _: check_images(workspace, dataset_id))


def _read_images(workspace: Workspace, dataset_id: str, is_over: threading.Event) -> None:
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
    except (Stopped, Busy, NotFound):  # NotFound: the dataset was removed meanwhile
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
    columns = (images.c.row_id, func.coalesce(images.c.content_before, images.c.content).label("content"))
    are_annotated = images.c.row_id.in_(among_integers(row_ids)) & is_annotated
    content_of_row = {row.row_id: row.content for row in connection.execute(select(*columns).where(are_annotated))}
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
            before = content_of_row.get(row_id)
            is_overwritten = before is not None and before != identity.content
            content_before = before if is_overwritten else None
            version_rows.append({"row_id": row_id, "content_before": content_before, **identity._asdict()})
    change_rows(connection, images, image_rows)
    change_rows(connection, images, version_rows)
    replace_rows(connection, image_facts, fact_rows)


def _finish(workspace: Workspace, dataset_id: str) -> None:
    with write_transaction(workspace.engine) as connection:
        mark_equal_pixels(connection, dataset_id)
        update_counts(connection, dataset_id)
    with read_transaction(workspace.engine) as connection:
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


# Watch the folders and tables of datasets: which are missing, and which are available again.

_SECONDS_BETWEEN_CHECKS = 3.0
_SECONDS_TO_END = 1.0  # a network drive may block the thread for longer
_log = logging.getLogger("coverslip")


class SourceWatch:
    """A thread that resumes interrupted datasets, and those whose missing folders are available again.

    It is a thread of its own, because a network drive can block whoever looks at it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.is_watched = False  # whether somebody wants to know what is missing
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="coverslip sources", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._is_closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_SECONDS_TO_END)

    def _work(self) -> None:
        while not self._is_closed.wait(_SECONDS_BETWEEN_CHECKS):
            try:
                resume(self._workspace, self._is_closed)  # its threads would outlive the server
                if self.is_watched:
                    self.check()
            except (CoverslipError, SQLAlchemyError, OSError):  # the next check may succeed
                if not self._is_closed.is_set():
                    _log.exception("the folders of datasets could not be checked")

    def check(self) -> None:
        """Announce which datasets miss sources, if this has changed."""
        with self._workspace.engine.connect() as connection:
            rows = connection.execute(select(datasets).where(datasets.c.removed.is_(None))).all()
        for row in rows:
            find_missing(self._workspace, row)
