"""The expected time of the trainings of a study, before it is started."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import NotFound
from coverslip.events import Emit
from coverslip.files import sha256_json
from coverslip.processes import Json
from coverslip.studies import cells_of
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.kinds import register_function
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.studies.planning import StudyChoices, chosen_plan

STUDY_TIME = register_function("study-time", "coverslip.workspace.studies.times:time_study")
_TIMES = register(Kind("app-study-times", RECORDS, bound_bytes=10**7))
_STORE = "times"


@dataclass(frozen=True, slots=True)
class TrainingTime:
    """The expected time of a training of a study."""

    name: str
    seconds: Annotated[float | None, Field(description="Null if its images or weights are not available.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyTime(ResultState):
    """The expected time of a study on this computer, and the progress of the measurement."""

    id: str
    seconds: Annotated[
        float | None, Field(description="Sum of the known times of all trainings; null until they are measured.")
    ]
    n_unknown: Annotated[int, Field(description="Number of trainings whose time is not known.")]
    trainings: Annotated[list[TrainingTime], Field(description="The trainings; empty until their times are measured.")]


def start_study_time(workspace: Workspace, choices: StudyChoices) -> StudyTime:
    """Start the measurement for a study with these choices, unless it is done or running; return its state.

    Each network is built and timed for a few steps. Nothing is trained.

    Raises:
        NotFound, Conflict: a dataset does not exist or is not ready.
        BadDataset: a dataset has no labeled image.
        BadRecipe: the choices are not valid.
    """
    plan, dataset_of = chosen_plan(workspace, choices)
    cells_of(plan, workspace.studies)  # checks every recipe
    with workspace.engine.connect() as connection:
        rows = [dataset_row(connection, dataset_id) for dataset_id in sorted(set(dataset_of.values()))]
    content = plan.model_dump(mode="json")
    key = sha256_json([content, [[row.id, row.revision] for row in rows]])
    if _stored(key) is None:
        request_result(
            workspace,
            STUDY_TIME,
            key,
            {"plan": content, "folder": str(workspace.studies), "key": key},
            name=" · ".join(row.name for row in rows),
            link=f"/study-times/{key}",
        )
    return study_time(workspace, key)


def study_time(workspace: Workspace, time_id: str) -> StudyTime:
    """Return the expected time of a study by the ID of its measurement.

    Raises:
        NotFound: there is no such measurement.
    """
    work, seconds = computation(workspace, STUDY_TIME, time_id), _stored(time_id)
    if work.id is None and seconds is None:
        raise NotFound("no-such-study-time")
    durations = [each for each in (seconds or {}).values() if each is not None]
    return StudyTime(
        **work.of_result("not-requested" if seconds is None else "ready"),
        id=time_id,
        seconds=None if seconds is None else sum(durations),
        n_unknown=len(seconds or {}) - len(durations),
        trainings=[TrainingTime(name, each) for name, each in (seconds or {}).items()],
    )


def _stored(key: str) -> dict[str, float | None] | None:
    with RecordStore(_TIMES, _STORE) as store:
        stored = store.find([key]).get(key)
    return None if stored is None else json.loads(stored)


def time_study(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Measure and store the expected seconds of each training of a plan by name; null if it cannot be timed."""
    from coverslip.studies import cell_seconds, plan_of

    plan = plan_of(arguments["plan"])
    seconds = dict(cell_seconds(cells_of(plan, Path(arguments["folder"])), emit))
    with RecordStore(_TIMES, _STORE) as store:
        store.keep({arguments["key"]: json.dumps(seconds).encode()})
