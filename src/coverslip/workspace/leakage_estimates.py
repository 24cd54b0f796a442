"""Leakage estimates of datasets, and distances between datasets, on request.

Both use the features of a network, in a separate process. This module starts them, reports progress and stores results.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated
from urllib.parse import urlencode

from pydantic import Field, TypeAdapter

from coverslip.cache.stores import Kind, RecordStore
from coverslip.datasets.quality.scanning import Signal
from coverslip.errors import CoverslipError
from coverslip.evaluation.distances import Distances
from coverslip.events import Emit
from coverslip.files import sha256_json
from coverslip.processes import Json
from coverslip.reports.sections import leakage_sentences
from coverslip.runs.results import LeakageEstimate
from coverslip.workspace.datasets.reading_images import stored_leakage_audit, update_inspection
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.records import register_function
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import (
    dataset_row,
    load_as_trained,
    load_dataset,
    load_scan,
    refuse_unread,
)
from coverslip.workspace.store.workspace import Workspace

DISTANCES = Kind("app-distances", bound_bytes=2 * 10**7)
LEAKAGE_ESTIMATE = register_function("leakage-estimate", "coverslip.workspace.leakage_estimates:audit_dataset")
MEASUREMENT = register_function("distances", "coverslip.workspace.leakage_estimates:measure_distances")
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
    if _stored(dataset_id, request.key) is None:
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
    distances = None if work.state is not None else _stored(dataset_id, request.key)
    return DatasetDistances(**work.of_result("not-requested" if distances is None else "ready"), distances=distances)


def _distances_request(workspace: Workspace, dataset_id: str, others: Sequence[str]) -> _DistancesRequest:
    if not others or len({dataset_id, *others}) <= len(others):
        raise CoverslipError("distance-of-one-dataset")
    with read_transaction(workspace.engine) as connection:
        rows = [refuse_unread(connection, each) for each in (dataset_id, *others)]
    key = sha256_json([str(workspace.folder), *([row.id, row.revision, row.name] for row in rows)])
    return _DistancesRequest(key, [row.name for row in rows])


def _stored(dataset_id: str, key: str) -> Distances | None:
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

    dataset_id = arguments["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
    audit_leakage(data, with_near_duplicates(data, scan, emit=emit), emit=emit)
    update_inspection(workspace, dataset_id)


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
