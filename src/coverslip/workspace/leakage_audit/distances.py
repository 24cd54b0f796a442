"""Distances between datasets: start the measurement, report its progress, and store the results."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import CoverslipError
from coverslip.evaluation.distances import Distances
from coverslip.files import sha256_json
from coverslip.messages import Failure
from coverslip.processes import Json
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers.submit import StepProgress, WorkQueue

DISTANCES = register(Kind("app-distances", "distances between datasets in the app", RECORDS, bound_bytes=2 * 10**7))
_MOST = 6  # datasets at once: each pair takes seconds
_DISTANCES = TypeAdapter(Distances)


@dataclass(frozen=True, slots=True)
class DatasetDistances:
    """The distances of a dataset from others, and the progress of the measurement."""

    state: Annotated[
        Literal["not-requested", "waiting", "measuring", "known"],
        Field(description="waiting: another measurement runs first."),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until the first report.")]
    error: Annotated[Failure | None, Field(description="Why the last attempt since the server started failed.")]
    distances: Annotated[Distances | None, Field(description="Null until they are measured.")]


class DistanceMeasurements:
    """Requests for distances, which are measured one at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self._asked = (
            workspace,
            WorkQueue("coverslip.workspace.leakage_audit.distance_worker", workspace.readable),
        )

    def state_of(self, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
        """Return the distances of a dataset from others, and the progress.

        Raises:
            NotFound: a dataset does not exist.
            Conflict: images of a dataset are still being read, or could not be read.
            CoverslipError: there are too many datasets, or one is given twice.
        """
        key = self._key(dataset_id, others)
        return self._state(dataset_id, key)

    def start(self, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
        """Start the measurement, unless it is done or running; raises as `state_of`."""
        key = self._key(dataset_id, others)
        if _stored(dataset_id, key) is None:
            roots = [str(root) for root in self._workspace.roots]
            question: Json = {
                "workspace": str(self._workspace.folder),
                "roots": roots,
                "datasets": [dataset_id, *others],
            }
            self._asked.start(key, question, lambda result: _store(dataset_id, key, result))
        return self._state(dataset_id, key)

    def cancel(self, dataset_id: str, others: Sequence[str]) -> None:
        """Cancel the measurement; raises as `state_of`."""
        self._asked.cancel(self._key(dataset_id, others))

    def close(self) -> None:
        """Cancel all requests."""
        self._asked.close()

    def _state(self, dataset_id: str, key: str) -> DatasetDistances:
        work = self._asked.state_of(key)
        if work.state is not None:
            state: Literal["waiting", "measuring"] = "waiting" if work.state == "waiting" else "measuring"
            return DatasetDistances(state, work.progress, None, None)
        distances = _stored(dataset_id, key)
        return DatasetDistances("not-requested" if distances is None else "known", None, work.error, distances)

    def _key(self, dataset_id: str, others: Sequence[str]) -> str:
        """Return a key that changes with images, groups and names of the datasets."""
        if not 1 <= len(others) < _MOST or len({dataset_id, *others}) <= len(others):
            raise CoverslipError("distance-of-one-dataset", n_max=_MOST - 1)
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
