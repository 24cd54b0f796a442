"""Analyses on request: leakage estimates, distances and maps of datasets, and explanations of single images."""

import datetime
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
from pydantic import Field, TypeAdapter
from sqlalchemy import Connection, delete, insert, select

from coverslip.cache.file_hashes import FileHashes
from coverslip.cache.stores import RECORDS, Kind, RecordStore, register_kind
from coverslip.datasets import DECISIONS, Dataset, ImageRecord, Signal, hash_files, name_as_text, open_image_file
from coverslip.datasets.tables import is_table
from coverslip.errors import Conflict, CoverslipError, NotFound, require_extra
from coverslip.evaluation.distances import Distances
from coverslip.events import Emit
from coverslip.files import sha256_json
from coverslip.images import PLAN_COLUMNS, ReadPlan
from coverslip.machine import Json
from coverslip.messages import text
from coverslip.reports.sections import leakage_sentences
from coverslip.runs.classifier import find_classifier, fingerprint_of
from coverslip.runs.folder import Run
from coverslip.runs.results import LeakageEstimate
from coverslip.workspace.datasets.reading_images import stored_leakage_audit, update_inspection
from coverslip.workspace.datasets.sources import reopen_sources
from coverslip.workspace.jobs.computing import Computation, ResultState, computation, request_result
from coverslip.workspace.jobs.records import find_job, kind_of, register_function
from coverslip.workspace.lists import KINDS, NOT_FOUND, decisions_of_dataset, images_of_job
from coverslip.workspace.predictions.classifiers import location_of
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    class_order,
    dataset_row,
    is_reserved,
    load_as_trained,
    load_dataset,
    load_scan,
    now,
    refuse_unread,
    row_ids_of,
    source_paths,
)
from coverslip.workspace.store.tables import dataset_maps, images, jobs
from coverslip.workspace.store.workspace import Workspace

# Leakage estimates of datasets, and distances between datasets, on request.
#
# Both use the features of a network, in a separate process. This module starts them, reports progress and stores
# results.

DISTANCES = register_kind(Kind("app-distances", RECORDS, bound_bytes=2 * 10**7))
LEAKAGE_ESTIMATE = register_function("leakage-estimate", "coverslip.workspace.analyses:audit_dataset")
MEASUREMENT = register_function("distances", "coverslip.workspace.analyses:measure_distances")
_DISTANCES = TypeAdapter(Distances)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakageEstimateState(ResultState):
    """The results of an image-level split against a grouped split, and the progress of the audit."""

    leakage_estimate: Annotated[
        LeakageEstimate | None,
        Field(description="Null without an audit, or without groups and duplicates: then both splits are the same."),
    ]
    words: Annotated[list[str], Field(description="Explanation of the estimate.")]
    signal: Annotated[Signal | None, Field(description="The features that predict the labels, with their scores.")]


def start_leakage_estimate(workspace: Workspace, dataset_id: str) -> LeakageEstimateState:
    """Start the audit of a dataset, unless it is running.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    with workspace.engine.connect() as connection:
        row = refuse_unread(connection, dataset_id)
    request_result(
        workspace,
        LEAKAGE_ESTIMATE,
        dataset_id,
        {"dataset_id": dataset_id},
        name=row.name,
        link=f"/datasets/{dataset_id}/leakage-estimate",
        dataset_id=dataset_id,
    )
    return leakage_estimate_state(workspace, dataset_id)


def leakage_estimate_state(workspace: Workspace, dataset_id: str) -> LeakageEstimateState:
    """Return the leakage estimate of a dataset, and the progress of an audit.

    Raises:
        NotFound: there is no such dataset.
        Conflict: its images are still being read, or could not be read.
    """
    work = computation(workspace, LEAKAGE_ESTIMATE, dataset_id)
    with read_transaction(workspace.engine) as connection:
        row = refuse_unread(connection, dataset_id)
        audit = stored_leakage_audit(connection, dataset_id, row.revision)
    words = [] if audit.leakage_estimate is None else leakage_sentences(audit.leakage_estimate)
    return LeakageEstimateState(
        **work.of_result(audit.state), leakage_estimate=audit.leakage_estimate, words=words, signal=audit.signal
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDistances(ResultState):
    """The distances of a dataset from others, and the progress of the measurement."""

    distances: Annotated[Distances | None, Field(description="Null until they are measured.")]


def distances_state(workspace: Workspace, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
    """Return the distances of a dataset from others, and the progress.

    Raises:
        NotFound: a dataset does not exist.
        Conflict: images of a dataset are still being read, or could not be read.
        CoverslipError: there is no other dataset, or one is given twice.
    """
    return _distances_state(workspace, dataset_id, _distances_request(workspace, dataset_id, others))


def start_distances(workspace: Workspace, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
    """Start the measurement, unless it is done or running; raises as `distances_state`."""
    request = _distances_request(workspace, dataset_id, others)
    if _stored_distances(dataset_id, request.key) is None:
        request_result(
            workspace,
            MEASUREMENT,
            request.key,
            {"datasets": [dataset_id, *others], "key": request.key},
            name=" · ".join(request.names),
            link=f"/datasets/{dataset_id}/distances?{urlencode([('other', other) for other in others])}",
            dataset_id=dataset_id,
        )
    return _distances_state(workspace, dataset_id, request)


@dataclass(frozen=True, slots=True)
class _DistancesRequest:
    key: str  # it changes with images, groups and names of the datasets
    names: list[str]


def _distances_state(workspace: Workspace, dataset_id: str, request: _DistancesRequest) -> DatasetDistances:
    work = computation(workspace, MEASUREMENT, request.key)
    distances = None if work.state is not None else _stored_distances(dataset_id, request.key)
    return DatasetDistances(**work.of_result("not-requested" if distances is None else "ready"), distances=distances)


def _distances_request(workspace: Workspace, dataset_id: str, others: Sequence[str]) -> _DistancesRequest:
    if not others or len({dataset_id, *others}) <= len(others):
        raise CoverslipError("distance-of-one-dataset")
    with read_transaction(workspace.engine) as connection:
        rows = [refuse_unread(connection, each) for each in (dataset_id, *others)]
    key = sha256_json([str(workspace.folder), *([row.id, row.revision, row.name] for row in rows)])
    return _DistancesRequest(key, [row.name for row in rows])


def _stored_distances(dataset_id: str, key: str) -> Distances | None:
    with RecordStore(DISTANCES, dataset_id) as store:
        stored = store.find([key]).get(key)
    return None if stored is None else _DISTANCES.validate_json(stored)


def audit_dataset(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Search near-duplicates, unless this is done, and audit a dataset for leakage. The results are stored.

    Raises:
        CoverslipError: the audit is not possible.
    """
    from coverslip.audit.near_duplicates import with_near_duplicates
    from coverslip.experiments.leakage_audit import audit_leakage
    from coverslip.runs.recipe import Recipe

    dataset_id = arguments["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
    about = _further_cells(workspace, row)
    data = replace(data, records=tuple(replace(r, about=about.get(r.image_id, ())) for r in data.records))
    audit_leakage(data, with_near_duplicates(data, scan, emit=emit), Recipe(), emit=emit)
    update_inspection(workspace, dataset_id)


def _further_cells(workspace: Workspace, row: AnyRow) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the further table cells of images by ID; empty if the tables do not exist any more."""
    if not any(is_table(Path(source)) for source in source_paths(row)):
        return {}
    with suppress(CoverslipError):
        opened = reopen_sources(workspace, row, row.group_column, row.group_pattern)
        return {record.image_id: record.about for record in opened.records}
    return {}


def measure_distances(workspace: Workspace, arguments: Json, emit: Emit) -> None:
    """Measure and store the distances between the feature distributions of datasets.

    Raises:
        CoverslipError: they cannot be measured.
    """
    from coverslip.audit.features import distance

    with read_transaction(workspace.engine) as connection:
        names = [dataset_row(connection, each).name for each in arguments["datasets"]]
        datasets = [load_dataset(connection, each) for each in arguments["datasets"]]
    distances = distance(datasets, names=names, emit=emit)
    with RecordStore(DISTANCES, arguments["datasets"][0]) as store:
        store.keep({arguments["key"]: json.dumps(asdict(distances)).encode()})


# Maps of datasets: a worker process computes them, pages show them with the current labels.

MAPS = register_function("dataset-map", "coverslip.workspace.analyses:draw_map")
_SIDE = 1_000_000  # of the map in its units; boxes are integers
_NONE = 65_535
_MOST_GROUPS = 65_534


@dataclass(frozen=True, slots=True)
class MapJob:
    """A finished job with predictions of images of the dataset."""

    id: str
    kind: Annotated[
        Literal["train", "evaluate", "predict"],
        Field(description="The predictions of a training are those of its test images, or all out-of-fold ones."),
    ]
    name: str


@dataclass(frozen=True, slots=True)
class MapPredictions:
    """The predictions of a job for images of a dataset."""

    decisions: Annotated[list[str], Field(description="The classes of the job, then all other decisions.")]
    rows: Annotated[list[int], Field(description="The row_id of each image with a prediction.")]
    numbers: Annotated[list[int], Field(description="Of each of these images, the position of its decision.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapState(ResultState):
    """The map of a dataset, and the progress of a new one."""

    created: Annotated[str | None, Field(description="Time of the map: ISO 8601, UTC; null: there is none.")]
    n: Annotated[int, Field(description="Images on the map that are still in the dataset.")]
    n_missing: Annotated[int, Field(description="Images of the dataset that are not on the map.")]
    classes: Annotated[list[str], Field(description="The classes, as the points count them.")]
    groups: Annotated[list[str], Field(description="The groups, as the points count them.")]
    jobs: Annotated[list[MapJob], Field(description="Jobs whose predictions can color the map, the newest first.")]


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
        groups = _groups(connection, dataset_id)
        rows = np.zeros(0, np.int64) if stored is None else _columns(stored)[0]
        present = list(connection.execute(select(images.c.row_id).where(images.c.dataset_id == dataset_id)).scalars())
    n = int(np.isin(rows, present).sum())
    if stored is not None and work.started is not None and work.started <= _time_of(stored) <= time.time():
        work = Computation(id=work.id)  # its result is stored
    return MapState(
        **work.of_result("not-requested" if stored is None else "ready"),
        created=None if stored is None else stored.created,
        n=n,
        n_missing=len(present) - n,
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
    require_extra("map", text("extra-for-map"))
    with workspace.engine.connect() as connection:
        row = refuse_unread(connection, dataset_id)
    request_result(
        workspace,
        MAPS,
        dataset_id,
        {"dataset_id": dataset_id},
        name=row.name,
        link=f"/datasets/{dataset_id}/map",
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
        number_of_group = {name: k for k, name in enumerate(_groups(connection, dataset_id))}
    number_of_class = {name: k for k, name in enumerate(class_order(row.class_names, row.summary["classes"]))}
    rows, places, cluster = _columns(stored)
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


def _groups(connection: Connection, dataset_id: str) -> list[str]:
    query = select(images.c.group).where(images.c.dataset_id == dataset_id, images.c.group.is_not(None)).distinct()
    return list(connection.execute(query.order_by(images.c.group).limit(_MOST_GROUPS)).scalars())


def _stored_map(connection: Connection, dataset_id: str) -> AnyRow | None:
    return connection.execute(select(dataset_maps).where(dataset_maps.c.dataset_id == dataset_id)).one_or_none()


def _time_of(stored: AnyRow) -> float:
    return datetime.datetime.fromisoformat(stored.created).timestamp()


def _columns(stored: AnyRow) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.int64]]:
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


# Explanations of single images: start one, report its progress, and store the picture.
#
# An image that a cross-validation fold tested is explained with the classifier of that fold, which made the prediction.

EXPLANATION = register_function("explanation", "coverslip.workspace.analyses:explain")
_N_NEAREST, _TILES_PER_ROW = 4, 2  # there is space for two next to a picture
EXPLANATIONS = register_kind(Kind("app-explanations", RECORDS, bound_bytes=2 * 10**8))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationState(ResultState):
    """The progress of the explanation of an image."""

    fold: Annotated[
        int | None,
        Field(description="Cross-validation fold whose classifier is explained, from 1; null: the run's classifier."),
    ]
    seconds: Annotated[float | None, Field(description="Seconds since the request; null if none is in progress.")]


def explanation_state(workspace: Workspace, job_id: str, row_id: int) -> ExplanationState:
    """Return the progress of the explanation of an image of a job.

    Raises:
        NotFound: there is no such job or row, or the image is missing.
        Conflict: nothing was measured yet, or there is no classifier.
    """
    return _state(workspace, job_id, _request(workspace, job_id, row_id))


def start_explanation(workspace: Workspace, job_id: str, row_id: int) -> ExplanationState:
    """Start the explanation, unless it is finished or in progress; raises as `explanation_state`."""
    request = _request(workspace, job_id, row_id)
    if _stored(job_id, request.key) is None:
        request_result(
            workspace,
            EXPLANATION,
            request.key,
            {"job_id": job_id, "key": request.key, **request.content},
            name=request.name,
            link=f"/jobs/{job_id}/rows/{row_id}/explanation",
        )
    return _state(workspace, job_id, request)


def explanation_picture(workspace: Workspace, job_id: str, row_id: int) -> bytes:
    """Return a PNG of the explanation and of similar training images.

    Raises:
        NotFound: as `explanation_state`, or there is no explanation.
        Conflict: as `explanation_state`.
    """
    picture = _stored(job_id, _request(workspace, job_id, row_id).key)
    if picture is None:
        raise NotFound("no-explanation-yet")
    return picture


@dataclass(frozen=True, slots=True)
class _Request:
    """One image to explain; the key changes with the job, the weights, the image and its true class."""

    content: Json
    key: str
    fold: int | None
    name: str  # of the image


def _state(workspace: Workspace, job_id: str, request: _Request) -> ExplanationState:
    work = computation(workspace, EXPLANATION, request.key)
    seconds = None if work.requested is None else time.time() - work.requested
    is_stored = work.state is None and _stored(job_id, request.key) is not None
    state = work.of_result("ready" if is_stored else "not-requested")
    return ExplanationState(**state, fold=request.fold, seconds=seconds)


def _stored(job_id: str, key: str) -> bytes | None:
    with RecordStore(EXPLANATIONS, job_id) as store:
        return store.find([key]).get(key)


def _request(workspace: Workspace, job_id: str, row_id: int) -> _Request:
    """Return the request to the worker process for an image."""
    job = find_job(workspace, job_id)
    label, fold = None, None
    folder = job.folder if job.classifier_id is None else location_of(workspace, job.classifier_id).path
    listed = images_of_job(workspace, job_id)
    (source,) = listed.sources([row_id])
    if kind_of(job).has_measurements:
        row, run = listed.facts(row_id), job.run
        fold = _fold_of(run, row.image_id)
        folder = folder if fold is None else run.fold(fold).folder
        label = row.correction or row.label
    if source == NOT_FOUND:
        raise NotFound("image-moved")
    try:
        weights = fingerprint_of(find_classifier(folder))
    except CoverslipError as error:
        raise Conflict("no-classifier-yet") from error
    file, plan = workspace.allowed_image(source.file, source.plan)
    with FileHashes() as hashes:
        digest = next(hash_files([ImageRecord("", file, None, None, "", None, plan)], hashes))
    content = {
        "run": str(folder),
        "tested": job.classifier_id is None,  # the rows of a training are predictions of its tested classifier
        "file": str(file),
        "plan": plan.model_dump(mode="json"),
        "label": label,
    }
    key = sha256_json([job_id, content, weights, digest])
    return _Request(content, key, fold, name_as_text(file.name))


def _fold_of(run: Run, image_id: str) -> int | None:
    """Return the cross-validation fold that tested an image; None after a single split."""
    if not run.is_cross_validated:
        return None
    return next((row.fold for row in run.split if row.image_id == image_id), None)


def explain(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Draw the explanation of an image, and store the picture.

    Raises:
        CoverslipError: the image, or the classifier, cannot be read.
    """
    from coverslip.inference.explain.explaining import explanation_of

    data = _one_image(arguments["file"], ReadPlan.model_validate(arguments["plan"]), arguments["label"])
    picture = explanation_of(
        arguments["run"],
        data,
        tested=arguments["tested"],
        n_nearest=_N_NEAREST,
        tiles_per_row=_TILES_PER_ROW,
        device="cpu",  # fast enough for single images; the GPU stays free for trainings
        emit=emit,
    )
    with RecordStore(EXPLANATIONS, arguments["job_id"]) as store:
        store.keep({arguments["key"]: picture})


def _one_image(file: str, plan: ReadPlan, label: str | None) -> Dataset:
    """Return a dataset of one image, read with its own plan instead of the classifier's."""
    opened = open_image_file(Path(file))
    record = replace(opened.records[0], label=label, plan=plan, stated=frozenset(PLAN_COLUMNS))
    return replace(opened, records=(record,))
