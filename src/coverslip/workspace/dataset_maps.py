"""Maps of datasets: a worker process computes them, pages show them with the current labels."""

import datetime
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, delete, insert, select

from coverslip.datasets.index.records import DECISIONS
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import NotFound, require_extra
from coverslip.events import Emit
from coverslip.processes import Json
from coverslip.runs.folder import Run
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.records import register_function
from coverslip.workspace.lists import KINDS, decisions_of_dataset
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    class_order,
    dataset_row,
    is_reserved,
    load_dataset,
    now,
    refuse_unread,
    row_ids_of,
)
from coverslip.workspace.store.tables import dataset_maps, images, jobs
from coverslip.workspace.store.workspace import Workspace

MAPS = register_function("dataset-map", "coverslip.workspace.dataset_maps:draw_map")
_SIDE = 1_000_000  # of the map in its units; boxes are integers
_NONE = 65_535
_MOST_GROUPS = 65_534


@dataclass(frozen=True, slots=True)
class MapJob(DocumentedFields):
    """A finished job with predictions of images of the dataset."""

    id: str
    kind: Literal["train", "evaluate", "predict"]
    """The predictions of a training are those of its test images, or all out-of-fold ones."""
    name: str


@dataclass(frozen=True, slots=True)
class MapPredictions(DocumentedFields):
    """The predictions of a job for images of a dataset."""

    decisions: list[str]
    """The classes of the job, then all other decisions."""
    rows: list[int]
    """The row_id of each image with a prediction."""
    numbers: list[int]
    """Of each of these images, the position of its decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MapState(ResultState):
    """The map of a dataset, and the progress of a new one."""

    kind: Literal["dataset-map"]
    created: str | None
    """Time of the map: ISO 8601, UTC; null: there is none."""
    n: int
    """Images on the map that are still in the dataset."""
    n_missing: int
    """Readable images of the dataset that are not on the map."""
    classes: list[str]
    """The classes, as the points count them."""
    groups: list[str]
    """The groups, as the points count them."""
    jobs: list[MapJob]
    """Jobs whose predictions can color the map, the newest first."""


def map_state(workspace: Workspace, dataset_id: str) -> MapState:
    """Return the state of the map of a dataset.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    work = computation(workspace, MAPS, dataset_id)
    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        stored = _stored_map(connection, dataset_id)
        groups = _group_names(connection, dataset_id)
        rows = np.zeros(0, np.int64) if stored is None else _map_columns(stored)[0]
        query = select(images.c.row_id, images.c.problem).where(images.c.dataset_id == dataset_id)
        problem_of = {row.row_id: row.problem for row in connection.execute(query)}
    on_map = problem_of.keys() & set(rows.tolist())
    if stored is not None and work.started is not None and work.started <= _time_of(stored) <= time.time():
        work = replace(work, state=None, progress=None, error=None)  # its result is stored
    return MapState(
        **work.of_result("not-requested" if stored is None else "ready"),
        created=None if stored is None else stored.created,
        n=len(on_map),
        n_missing=sum(problem != "unreadable" for row_id, problem in problem_of.items() if row_id not in on_map),
        classes=class_order(row.class_names, row.summary["classes"]),
        groups=groups,
        jobs=_jobs_with_predictions(workspace, dataset_id),
    )


def start_map(workspace: Workspace, dataset_id: str) -> MapState:
    """Compute the map of a dataset, unless it is being computed.

    Raises:
        ExtraNotInstalled: the extra `map` is not installed.
        NotFound, Conflict: as for `map_state`.
    """
    require_extra("map")
    with workspace.engine.connect() as connection:
        row = refuse_unread(connection, dataset_id)
    request_result(
        workspace,
        MAPS,
        dataset_id,
        {"dataset_id": dataset_id},
        name=row.name,
        dataset_id=dataset_id,
    )
    return map_state(workspace, dataset_id)


def map_points(workspace: Workspace, dataset_id: str) -> bytes:
    """Return the points of the map, by cluster, as the viewer of fields reads objects, with further columns.

    Three uint32 (n, 0, 0); row_ids (n uint32); boxes (4 n int32: x, y, width, height); n + 1 and then one uint32 of 0,
    for outlines, of which there are none. Then, uint16 of each point: its class and its group (as `MapState` counts
    them; 65535: none), its cluster (from 0, the largest first), and 1 if it is excluded plus 2
    if it belongs to the reserved test set.

    Raises:
        NotFound: there is no such dataset or map.
    """
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        stored = _stored_map(connection, dataset_id)
        if stored is None:
            raise NotFound("no-dataset-map")
        reserved = is_reserved.label("is_reserved")
        columns = (images.c.row_id, images.c.label, images.c.group, images.c.is_excluded, reserved)
        listed = {
            each.row_id: each for each in connection.execute(select(*columns).where(images.c.dataset_id == dataset_id))
        }
        number_of_group = {name: k for k, name in enumerate(_group_names(connection, dataset_id))}
    number_of_class = {name: k for k, name in enumerate(class_order(row.class_names, row.summary["classes"]))}
    rows, places, cluster = _map_columns(stored)
    order = [k for k in np.argsort(cluster, kind="stable").tolist() if int(rows[k]) in listed]
    rows, places, cluster = rows[order], places[order], cluster[order]
    n = len(rows)
    side = max(1, round(0.4 * _SIDE / max(n, 1) ** 0.5))
    boxes = np.empty((n, 4), "<i4")
    boxes[:, :2] = (places * _SIDE - side / 2).round()
    boxes[:, 2:] = side
    shown = [listed[each] for each in rows.tolist()]
    details = (
        [number_of_class.get(each.label, _NONE) for each in shown],
        [number_of_group.get(each.group, _NONE) for each in shown],
        cluster.tolist(),
        [each.is_excluded + 2 * each.is_reserved for each in shown],
    )
    parts = (np.array([n, 0, 0], "<u4"), rows.astype("<u4"), boxes, np.zeros(n + 2, "<u4"))
    return b"".join(part.tobytes() for part in (*parts, *(np.array(column, "<u2") for column in details)))


def map_predictions(workspace: Workspace, dataset_id: str, job_id: str) -> MapPredictions:
    """Return the predictions of a job for images of a dataset.

    Raises:
        NotFound: there is no such dataset or job.
        Conflict: nothing was measured yet.
    """
    classes, decisions = decisions_of_dataset(workspace, dataset_id, job_id)
    names = [*classes, *DECISIONS]
    number_of = {name: k for k, name in enumerate(names)}
    return MapPredictions(names, [row for row, _ in decisions], [number_of[decision] for _, decision in decisions])


def _jobs_with_predictions(workspace: Workspace, dataset_id: str) -> list[MapJob]:
    query = select(jobs.c.id, jobs.c.kind, jobs.c.name, jobs.c.folder).where(
        jobs.c.dataset_id == dataset_id, jobs.c.kind.in_(KINDS), jobs.c.state == "ended"
    )
    with workspace.engine.connect() as connection:
        listed = connection.execute(query.order_by(jobs.c.created.desc(), jobs.c.id)).all()
    return [MapJob(job.id, job.kind, job.name) for job in listed if Run(Path(job.folder)).predictions_file.is_file()]


def _group_names(connection: Connection, dataset_id: str) -> list[str]:
    is_named = (images.c.dataset_id == dataset_id) & (images.c.group.is_not(None))
    query = select(images.c.group).where(is_named).distinct().order_by(images.c.group)
    return list(connection.execute(query.limit(_MOST_GROUPS)).scalars())


def _stored_map(connection: Connection, dataset_id: str) -> AnyRow | None:
    return connection.execute(select(dataset_maps).where(dataset_maps.c.dataset_id == dataset_id)).one_or_none()


def _time_of(stored: AnyRow) -> float:
    return datetime.datetime.fromisoformat(stored.created).timestamp()


def _map_columns(stored: AnyRow) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    n = stored.n
    rows = np.frombuffer(stored.columns, "<u4", n)
    places = np.frombuffer(stored.columns, "<f4", 2 * n, 4 * n).reshape(n, 2)
    cluster = np.frombuffer(stored.columns, "<u2", n, 12 * n)
    return rows.astype(np.int64), places, cluster.astype(np.int64)


def draw_map(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Compute the places of the images of a dataset on its map, and their clusters, and store them.

    Raises:
        CoverslipError: there are too few images, or they cannot be read.
    """
    from coverslip.audit.features import dataset_map

    dataset_id = arguments["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        data = load_dataset(connection, dataset_id)
        row_ids = row_ids_of(connection, dataset_id)
    result = dataset_map(data, emit=emit)
    rows = np.array([row_ids[image_id] for image_id in result.image_ids], "<u4")
    columns = (rows, result.places.astype("<f4"), result.cluster.astype("<u2"))
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        connection.execute(delete(dataset_maps).where(dataset_maps.c.dataset_id == dataset_id))
        content = b"".join(each.tobytes() for each in columns)
        values = {"dataset_id": dataset_id, "n": len(rows), "columns": content, "created": now()}
        connection.execute(insert(dataset_maps).values(**values))
