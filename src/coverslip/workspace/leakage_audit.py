"""Leakage estimates of datasets, and distances between datasets, on request.

Both use the features of a network, in a separate process. This module starts them, reports progress and stores results.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.datasets import Signal
from coverslip.errors import CoverslipError
from coverslip.evaluation.distances import Distances
from coverslip.files import sha256_json
from coverslip.messages import Failure
from coverslip.processes import Json
from coverslip.reports.sections import leakage_sentences
from coverslip.runs import LeakageEstimate
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.inspections import stored_leakage_audit, update_inspection
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers import StepProgress, WorkQueue

DISTANCES = register(Kind("app-distances", "distances between datasets in the app", RECORDS, bound_bytes=2 * 10**7))
_MOST_DATASETS = 6  # at once: each pair takes seconds
_DISTANCES = TypeAdapter(Distances)


@dataclass(frozen=True, slots=True)
class LeakageEstimateState:
    """The results of an image-level split against a grouped split, and the progress of the audit."""

    state: Annotated[
        Literal["not-requested", "waiting", "running", "outdated", "ready"],
        Field(
            description="outdated: labels, groups or images have changed since then; waiting: another audit runs first."
        ),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until the first report.")]
    error: Annotated[Failure | None, Field(description="Why the last attempt since the server started failed.")]
    leakage_estimate: Annotated[
        LeakageEstimate | None,
        Field(description="Null without an audit, or without groups and duplicates: then both splits are the same."),
    ]
    words: Annotated[list[str], Field(description="Explanation of the estimate.")]
    signal: Annotated[Signal | None, Field(description="The features that predict the labels, with their scores.")]


class LeakageEstimates:
    """Requests for leakage audits, which run one at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._queue = WorkQueue("coverslip.workspace.tasks:audit", workspace.readable)

    def start(self, dataset_id: str) -> LeakageEstimateState:
        """Start the audit of a dataset, unless it is running.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be read.
        """
        with self._workspace.engine.connect() as connection:
            reading_images.refuse_unread(connection, dataset_id)
        request = {"workspace": self._workspace.as_json(), "dataset_id": dataset_id}
        self._queue.start(dataset_id, request, lambda _: update_inspection(self._workspace, dataset_id))
        return self.state_of(dataset_id)

    def cancel(self, dataset_id: str) -> None:
        """Cancel the audit.

        Raises:
            NotFound: there is no such dataset.
        """
        with self._workspace.engine.connect() as connection:
            dataset_row(connection, dataset_id)
        self._queue.cancel(dataset_id)

    def close(self) -> None:
        """Cancel all audits."""
        self._queue.close()

    def state_of(self, dataset_id: str) -> LeakageEstimateState:
        """Return the leakage estimate of a dataset, and the progress of an audit.

        Raises:
            NotFound: there is no such dataset.
            Conflict: its images are still being read, or could not be read.
        """
        work = self._queue.state_of(dataset_id)
        with read_transaction(self._workspace.engine) as connection:
            row = reading_images.refuse_unread(connection, dataset_id)
            audit = stored_leakage_audit(connection, dataset_id, row.revision)
        words = [] if audit.leakage_estimate is None else leakage_sentences(audit.leakage_estimate)
        return LeakageEstimateState(
            work.state or audit.state, work.progress, work.error, audit.leakage_estimate, words, audit.signal
        )


@dataclass(frozen=True, slots=True)
class DatasetDistances:
    """The distances of a dataset from others, and the progress of the measurement."""

    state: Annotated[
        Literal["not-requested", "waiting", "running", "ready"],
        Field(description="waiting: another measurement runs first."),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until the first report.")]
    error: Annotated[Failure | None, Field(description="Why the last attempt since the server started failed.")]
    distances: Annotated[Distances | None, Field(description="Null until they are measured.")]


class DistanceMeasurements:
    """Requests for distances, which are measured one at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._queue = WorkQueue("coverslip.workspace.tasks:measure_distances", workspace.readable)

    def state_of(self, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
        """Return the distances of a dataset from others, and the progress.

        Raises:
            NotFound: a dataset does not exist.
            Conflict: images of a dataset are still being read, or could not be read.
            CoverslipError: there are too many datasets, or one is given twice.
        """
        return self._state(dataset_id, self._key(dataset_id, others))

    def start(self, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
        """Start the measurement, unless it is done or running; raises as `state_of`."""
        key = self._key(dataset_id, others)
        if _stored(dataset_id, key) is None:
            request = {"workspace": self._workspace.as_json(), "datasets": [dataset_id, *others]}
            self._queue.start(key, request, lambda result: _store(dataset_id, key, result))
        return self._state(dataset_id, key)

    def cancel(self, dataset_id: str, others: Sequence[str]) -> None:
        """Cancel the measurement; raises as `state_of`."""
        self._queue.cancel(self._key(dataset_id, others))

    def close(self) -> None:
        """Cancel all requests."""
        self._queue.close()

    def _state(self, dataset_id: str, key: str) -> DatasetDistances:
        work = self._queue.state_of(key)
        if work.state is not None:
            return DatasetDistances(work.state, work.progress, None, None)
        distances = _stored(dataset_id, key)
        return DatasetDistances("not-requested" if distances is None else "ready", None, work.error, distances)

    def _key(self, dataset_id: str, others: Sequence[str]) -> str:
        """Return a key that changes with images, groups and names of the datasets."""
        if not 1 <= len(others) < _MOST_DATASETS or len({dataset_id, *others}) <= len(others):
            raise CoverslipError("distance-of-one-dataset", n_max=_MOST_DATASETS - 1)
        with read_transaction(self._workspace.engine) as connection:
            rows = [reading_images.refuse_unread(connection, each) for each in (dataset_id, *others)]
        return sha256_json([[row.id, row.revision, row.name] for row in rows])


def _stored(dataset_id: str, key: str) -> Distances | None:
    with RecordStore(DISTANCES, dataset_id) as store:
        stored = store.find([key]).get(key)
    return None if stored is None else _DISTANCES.validate_json(stored)


def _store(dataset_id: str, key: str, result: Json) -> None:
    with RecordStore(DISTANCES, dataset_id) as store:
        store.keep({key: json.dumps(result).encode()})
