"""What was found about the images, kept until labels or groups change."""

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import Connection, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from coverslip.audit import (
    SeenWhileScanning,
    cached_leakage_audit,
    inspect_with_leakage_audit,
    with_cached_near_duplicates,
    with_known_quality,
    with_near_duplicates,
    with_quality,
)
from coverslip.datasets import Inspection, Signal, list_finders
from coverslip.errors import CoverslipError
from coverslip.events import Emit, ignore
from coverslip.images import ImageFacts
from coverslip.runs import InspectionWithLeakageEstimate, LeakageEstimate, inspection_of
from coverslip.workspace.datasets.classes import trained_labels
from coverslip.workspace.store.database import one_moment, writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_as_trained, load_dataset, load_scan
from coverslip.workspace.store.rows import Json, dataset_row
from coverslip.workspace.store.tables import datasets, images, inspections
from coverslip.workspace.workers.submit import Asked

_OF_COPIES = ("duplicates", "near-duplicates")
_POLL_S = 0.1
_SMALL_IMAGES, _SMALL_VALUES = 500, 5_000_000  # intensities of all images: 40 MB while they are checked
_turn = threading.Lock()  # of the processes that check images: each may take a gigabyte and all cores


class DatasetInspection(Inspection):
    """What `coverslip inspect --json` tells, of groups and classes as trainings see them, and where images stand."""

    positions: dict[str, int] = Field(description="Positions of the images that findings name, by image_id.")
    is_looking_for_copies: bool = Field(
        description="Whether the server is at it; after it ended in between, it begins anew. Findings follow then."
    )
    spare: dict[str, list[str]] = Field(
        description="Of findings of copies, by their code: image_ids of all but the first of each cluster whose images "
        "have one label. They can be left out; of clusters with several labels none is told."
    )


def inspect_stored(connection: Connection, dataset_id: str) -> Inspection:
    """Look through all that is known of the images, with the classes that trainings see."""
    data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
    scan = with_known_quality(with_cached_near_duplicates(scan))
    return inspect_with_leakage_audit(data, scan, cached_leakage_audit(data, scan))


def kept_inspection(connection: Connection, dataset_id: str, revision: int) -> Inspection | None:
    """What was found at this revision, by the same finders as now; None where that is not known."""
    kept: Json | None = connection.execute(
        select(inspections.c.found).where(inspections.c.dataset_id == dataset_id, inspections.c.revision == revision)
    ).scalar_one_or_none()
    if kept is None or kept.get("finders") != _finders():
        return None
    try:
        return inspection_of(kept["inspection"])
    except ValidationError:  # of another version of this program
        return None


def keep_inspection(connection: Connection, dataset_id: str, inspection: Inspection, revision: int) -> None:
    """Remember what was found; `connection` is in a transaction that writes.

    Where nobody has looked at the images with a network since labels or groups changed, what was seen before stays
    beside it.
    """
    found = inspection.model_dump(mode="json")
    before = (
        None
        if isinstance(inspection, InspectionWithLeakageEstimate)
        else _last_leakage_audit(_row(connection, dataset_id))
    )
    kept = {"finders": _finders(), "inspection": found, "look_before": before}
    replaced = insert(inspections).prefix_with("OR REPLACE")
    connection.execute(replaced.values(dataset_id=dataset_id, revision=revision, found=kept))


@dataclass(frozen=True, slots=True)
class KnownLeakageAudit:
    """What showing the images to a network told, and whether it is of the labels and groups of now."""

    state: Literal["not-asked", "outdated", "known"]
    leakage_estimate: LeakageEstimate | None = None
    signal: Signal | None = None


def known_leakage_audit(connection: Connection, dataset_id: str, revision: int) -> KnownLeakageAudit:
    """What was seen when somebody last looked."""
    inspection = kept_inspection(connection, dataset_id, revision)
    if isinstance(inspection, InspectionWithLeakageEstimate):
        return KnownLeakageAudit("known", inspection.leakage_estimate, inspection.signal)
    before = _last_leakage_audit(_row(connection, dataset_id))
    if before is None:
        return KnownLeakageAudit("not-asked")
    try:
        return TypeAdapter(KnownLeakageAudit).validate_python({"state": "outdated", **before})
    except ValidationError:  # of another version of this program
        return KnownLeakageAudit("not-asked")


def _row(connection: Connection, dataset_id: str) -> Json | None:
    kept: Json | None = connection.execute(
        select(inspections.c.found).where(inspections.c.dataset_id == dataset_id)
    ).scalar_one_or_none()
    return kept


def _last_leakage_audit(kept: Json | None) -> Json | None:
    """The look that a kept inspection holds, or that stood beside it."""
    if kept is None:
        return None
    found: Json = kept["inspection"]
    if "leakage_estimate" in found:
        return {"leakage_estimate": found["leakage_estimate"], "signal": found["signal"]}
    before: Json | None = kept.get("look_before")
    return before


def with_positions(
    connection: Connection, dataset_id: str, inspection: Inspection, *, is_looking_for_copies: bool
) -> DatasetInspection:
    """The same, and where in the dataset the images stand that findings name."""
    named = {image_id for finding in inspection.findings for cluster in finding.images for image_id in cluster}
    listed = func.json_each(json.dumps(sorted(named))).table_valued("value")
    rows = connection.execute(
        select(images.c.image_id, images.c.position, images.c.label, images.c.domain).where(
            images.c.dataset_id == dataset_id, images.c.image_id.in_(select(listed.c.value))
        )
    ).all()
    positions = {row.image_id: row.position for row in rows}
    kind_of = {row.image_id: (row.label, row.domain) for row in rows}
    trained = trained_labels(dataset_row(connection, dataset_id), set(kind_of.values()))
    label_of = {image_id: trained[kind] for image_id, kind in kind_of.items()}
    spare = {
        finding.code: spare_images(finding.images, label_of)
        for finding in inspection.findings
        if finding.code in _OF_COPIES
    }
    more = {"positions": positions, "spare": spare, "is_looking_for_copies": is_looking_for_copies}
    return DatasetInspection.model_validate({**dict(inspection), **more})


def datasets_not_searched(home: Workspace) -> list[str]:
    """Ids of the datasets in which nobody has looked for changed copies to the end."""
    is_known = func.json_extract(inspections.c.found, "$.inspection.are_copies_known")
    is_read = (datasets.c.state == "ready") & datasets.c.forgotten.is_(None)
    unknown = select(datasets.c.id).join(inspections, inspections.c.dataset_id == datasets.c.id)
    with home.engine.connect() as connection:
        return list(connection.execute(unknown.where(is_read, is_known == 0)).scalars())


def spare_images(clusters: Iterable[Sequence[str]], label_of: Mapping[str, str | None]) -> list[str]:
    """All but the first of each cluster whose images have one label: where labels differ, one of them may be right."""
    agreeing = (cluster for cluster in clusters if len({label_of.get(image_id) for image_id in cluster}) == 1)
    return [image_id for cluster in agreeing for image_id in cluster[1:]]


def check_images(home: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    """Search for near-duplicates and check image quality, unless that is known, and keep what is found.

    The server checks small datasets itself. For others it starts a process, one for all datasets at a time. Nothing
    else rests on it: where the dataset was removed meanwhile, or the server ends, nothing is kept.
    """

    def keep(_: Json) -> None:
        with suppress(SQLAlchemyError):
            inspect_again(home, dataset_id)

    try:
        if _is_small(home, dataset_id):
            fill_check_cache(home, dataset_id)
            keep({})
            return
    except (CoverslipError, SQLAlchemyError):  # the dataset is gone, or the database busy: checked next time
        return
    question = {
        "workspace": str(home.folder),
        "roots": [str(root) for root in home.roots],
        "dataset_id": dataset_id,
    }
    checks = Asked("coverslip.workspace.datasets.checks_worker", home.readable)
    while not _turn.acquire(timeout=_POLL_S):
        if is_over.is_set():
            return
    try:
        checks.start(dataset_id, question, keep)
        while checks.state_of(dataset_id).state is not None:
            if is_over.wait(_POLL_S):
                checks.cancel(dataset_id)
    finally:
        _turn.release()


def _is_small(home: Workspace, dataset_id: str) -> bool:
    """Whether checking takes less time and memory than starting a process for it."""
    with one_moment(home.engine) as connection:
        if dataset_row(connection, dataset_id).state != "ready":  # nothing is checked then
            return True
        of_dataset = images.c.dataset_id == dataset_id
        if connection.execute(select(func.count()).where(of_dataset)).scalar_one() > _SMALL_IMAGES:
            return False
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    if any(record.plan.box is not None for record in data.records):  # facts do not say how large the whole image is
        return False
    facts = [fact for fact in scan.facts if isinstance(fact, ImageFacts)]
    return sum(fact.width_px * fact.height_px * fact.n_channels * fact.n_planes for fact in facts) <= _SMALL_VALUES


def fill_check_cache(home: Workspace, dataset_id: str, emit: Emit = ignore) -> None:
    """Search a dataset for near-duplicates and check the quality of its images; results go to the cache.

    Raises:
        NotFound: there is no such dataset any more.
    """
    with one_moment(home.engine) as connection:
        if dataset_row(connection, dataset_id).state != "ready":
            return
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    seen = SeenWhileScanning()
    scan = with_near_duplicates(data, scan, seen, emit=emit)
    with_quality(data, scan, seen.quality, emit=emit)


def inspect_again(home: Workspace, dataset_id: str) -> None:
    """Keep what is found with all that is known by now, unless labels, groups or images are being changed."""
    with one_moment(home.engine) as connection:
        row = dataset_row(connection, dataset_id)
        if row.state != "ready":  # read anew: of some images nothing is known yet
            return
        revision = row.revision
        inspected = inspect_stored(connection, dataset_id)
    with writing(home.engine) as connection:
        if dataset_row(connection, dataset_id).revision == revision:
            keep_inspection(connection, dataset_id, inspected, revision)


def _finders() -> list[str]:
    return [finder.code for finder in list_finders()]
