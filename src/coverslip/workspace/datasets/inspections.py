"""Inspections of datasets, stored until labels or groups change."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, false, func, select
from sqlalchemy.exc import SQLAlchemyError

from coverslip.audit import (
    ScanCollector,
    cached_leakage_audit,
    inspect_with_leakage_audit,
    with_cached_near_duplicates,
    with_cached_quality,
    with_near_duplicates,
    with_quality,
)
from coverslip.datasets import FileFact, Inspection, Signal, list_finders
from coverslip.errors import Busy, Conflict, CoverslipError, DiskFull
from coverslip.events import Emit, ignore
from coverslip.images import PixelFacts
from coverslip.messages import ENGLISH, in_language, localized_note
from coverslip.runs import InspectionWithLeakageEstimate, LeakageEstimate, inspection_of
from coverslip.workspace.datasets.state import labels_for_training
from coverslip.workspace.jobs.computing import request_result
from coverslip.workspace.jobs.kinds import register_function
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import Json, dataset_row, load_as_trained, load_dataset, load_scan, refuse_unread
from coverslip.workspace.store.sql import among, replace_rows
from coverslip.workspace.store.tables import datasets, images, inspections
from coverslip.workspace.store.workspace import Workspace

_DUPLICATE_FINDINGS = ("duplicates", "near-duplicates")
_SMALL_IMAGES, _SMALL_VALUES = 500, 5_000_000  # intensities of all images: 40 MB during the check
IMAGE_CHECK = register_function("image-check", "coverslip.workspace.datasets.inspections:check_dataset")


class DatasetInspection(Inspection):
    """The content of `coverslip inspect --json`, with the groups and classes of trainings, and row_ids of images."""

    row_ids: dict[str, int] = Field(description="row_ids of the images that findings name, by image_id.")
    facts: list[FileFact] = Field(description="Sizes, formats and channels of the files.")
    is_searching_duplicates: bool = Field(
        description="Whether a search for near-duplicates is running; its findings follow."
    )
    removable_duplicates: dict[str, list[str]] = Field(
        description="Removable duplicates by the code of the finding: all but the first image of each cluster whose"
        " images have the same label. Clusters with several labels are not included."
    )


def inspect_stored(connection: Connection, dataset_id: str) -> Inspection:
    """Inspect the images by their stored facts, with the classes of trainings."""
    with in_language(ENGLISH):  # as in files; `with_row_ids` returns it in the language of the page
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
        scan = with_cached_quality(with_cached_near_duplicates(scan))
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
        row, finders, stored = refuse_unread(connection, dataset_id), current_finders(), _row(connection, dataset_id)
        return _Computed(inspect_stored(connection, dataset_id), row.revision, finders, stored)


def _store_if_current(workspace: Workspace, dataset_id: str, computed: _Computed) -> bool:
    """Store an inspection, unless labels or groups changed meanwhile, or another inspection was stored.

    The other one may contain a search or an audit that ended after this one had begun. Return whether it was stored.
    """
    with write_transaction(workspace.engine) as connection:
        if dataset_row(connection, dataset_id).revision != computed.revision:
            return False
        if _row(connection, dataset_id) != computed.stored:
            return False
        store_inspection(connection, dataset_id, computed.inspection, computed.revision, computed.finders)
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
    connection: Connection, dataset_id: str, inspection: Inspection, revision: int, finders: list[str]
) -> None:
    """Store an inspection and the codes of the finders that it was made with, as `current_finders` gave them before.

    `connection` is in a writing transaction.
    If there is no leakage audit for the current labels and groups, the earlier audit is stored with it.
    """
    inspection_json = inspection.model_dump(mode="json", round_trip=True)
    earlier = (
        None
        if isinstance(inspection, InspectionWithLeakageEstimate)
        else _last_leakage_audit(_row(connection, dataset_id))
    )
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
    earlier = _last_leakage_audit(_row(connection, dataset_id))
    if earlier is None:
        return StoredLeakageAudit("not-requested")
    try:
        return TypeAdapter(StoredLeakageAudit).validate_python({"state": "outdated", **earlier})
    except ValidationError:  # written by another version of coverslip
        return StoredLeakageAudit("not-requested")


def _row(connection: Connection, dataset_id: str) -> Json | None:
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
    """Search for near-duplicates and check image quality, unless this is done, and store the findings.

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
    """Search a dataset for near-duplicates and check the quality of its images. The cache stores the results.

    Raises:
        NotFound: the dataset does not exist any more.
    """
    with read_transaction(workspace.engine) as connection:
        if dataset_row(connection, dataset_id).state != "ready":
            return
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    signatures = ScanCollector(len(data))
    scan = with_near_duplicates(data, scan, signatures, emit=emit)
    with_quality(data, scan, signatures.quality, emit=emit)


def check_dataset(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Search a dataset for near-duplicates, check its image quality, and store the findings.

    Raises:
        NotFound: the dataset does not exist any more.
    """
    fill_check_cache(workspace, arguments["dataset_id"], emit)
    update_inspection(workspace, arguments["dataset_id"])


def update_inspection(workspace: Workspace, dataset_id: str) -> None:
    """Inspect a dataset with its current facts and store the result, unless its images are being read again."""
    with suppress(Conflict):
        while not _store_if_current(workspace, dataset_id, _compute(workspace, dataset_id)):
            pass  # a request that began before the facts were known may store its inspection, so this one is repeated


def current_finders() -> list[str]:
    """Return the codes of all finders. One that is registered during an inspection may not have been asked."""
    return [finder.code for finder in list_finders()]
