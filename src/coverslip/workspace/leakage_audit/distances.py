"""How far apart datasets are: asking for it, how far it is, and what was found, which is kept."""

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
from coverslip.pipes import Json
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.workers.submit import Asked, StepProgress

DISTANCES = register(Kind("app-distances", "how far apart datasets are, in the app", RECORDS, bound_bytes=2 * 10**7))
_MOST = 6  # datasets at once: each pair takes seconds
_DISTANCES = TypeAdapter(Distances)


@dataclass(frozen=True, slots=True)
class DatasetDistances:
    """How far a dataset is from others, and how far the measuring is."""

    state: Annotated[
        Literal["not-asked", "waiting", "measuring", "known"],
        Field(description="waiting: for the turn of what was asked before."),
    ]
    progress: Annotated[StepProgress | None, Field(description="Null until it is known.")]
    error: Annotated[Failure | None, Field(description="Why the last try, since the server began, came to nothing.")]
    distances: Annotated[Distances | None, Field(description="Null before they are known.")]


class Measuring:
    """The distances that were asked for, one after the other."""

    def __init__(self, home: Workspace) -> None:
        self._home, self._asked = home, Asked("coverslip.workspace.leakage_audit.distance_worker", home.readable)

    def state_of(self, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
        """What is known of how far a dataset is from others.

        Raises:
            NotFound: one is not there.
            Conflict: images of one are still being read, or could not be.
            CoverslipError: these are too many, or the dataset is among the others.
        """
        key = self._key(dataset_id, others)
        return self._state(dataset_id, key)

    def start(self, dataset_id: str, others: Sequence[str]) -> DatasetDistances:
        """Measure them, unless they are known or being measured; raises as `state_of`."""
        key = self._key(dataset_id, others)
        if _kept(dataset_id, key) is None:
            roots = [str(root) for root in self._home.roots]
            question: Json = {"workspace": str(self._home.folder), "roots": roots, "datasets": [dataset_id, *others]}
            self._asked.start(key, question, lambda result: _keep(dataset_id, key, result))
        return self._state(dataset_id, key)

    def cancel(self, dataset_id: str, others: Sequence[str]) -> None:
        """Measure them no further; raises as `state_of`."""
        self._asked.cancel(self._key(dataset_id, others))

    def close(self) -> None:
        """End all of it."""
        self._asked.close()

    def _state(self, dataset_id: str, key: str) -> DatasetDistances:
        going_on = self._asked.state_of(key)
        if going_on.state is not None:
            state: Literal["waiting", "measuring"] = "waiting" if going_on.state == "waiting" else "measuring"
            return DatasetDistances(state, going_on.progress, None, None)
        known = _kept(dataset_id, key)
        return DatasetDistances("not-asked" if known is None else "known", None, going_on.error, known)

    def _key(self, dataset_id: str, others: Sequence[str]) -> str:
        """Another where the images, groups or names of one are others."""
        if not 1 <= len(others) < _MOST or len({dataset_id, *others}) <= len(others):
            raise CoverslipError("distance-of-one-dataset", n_max=_MOST - 1)
        with one_moment(self._home.engine) as connection:
            rows = [reading_images.refuse_unread(connection, each) for each in (dataset_id, *others)]
        return sha256_json([[row.id, row.revision, row.name] for row in rows])


def _kept(dataset_id: str, key: str) -> Distances | None:
    with RecordStore(DISTANCES, dataset_id) as kept:
        known = kept.find([key]).get(key)
    return None if known is None else _DISTANCES.validate_json(known)


def _keep(dataset_id: str, key: str, result: Json) -> None:
    with RecordStore(DISTANCES, dataset_id) as kept:
        kept.keep({key: json.dumps(result).encode()})
