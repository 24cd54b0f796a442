"""Trainings and predictions as they are asked for: queued, stopped, resumed, thrown away and taken back.

What a job is doing is read from its folder and its process, never remembered: a server that was killed knows all of it
again when it is started.
"""

import json
import re
import secrets
import shutil
import time
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, RowMapping, insert, select, update

from coverslip.datasets import ClassPlan, natural_key
from coverslip.errors import BadRecipe, BadRun, Conflict, CoverslipError, NotFound
from coverslip.files import cannot_write, write_json, write_text
from coverslip.models import model_info
from coverslip.runs import Recipe, check_recipe, find_classifier, is_alive, open_classifier, read_status, save_recipe
from coverslip.workspace.datasets.classes import trained_order
from coverslip.workspace.datasets.snapshots import training_sources
from coverslip.workspace.jobs.processes import is_running, lines_of_last_process
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import AnyRow, dataset_row, now

Json = dict[str, Any]  # Any: JSON values
Kind = Literal["train", "predict", "classifier"]
State = Literal["queued", "starting", "running", "stopping", "stopped", "done", "failed", "interrupted"]
ACTIVE: frozenset[State] = frozenset({"starting", "running", "stopping"})

_LAUNCH_SECONDS = 10.0  # a server that dies between beginning a process and noting its number leaves this doubt
_FAULT_LINE = re.compile(r"^Error: (.+)$")


@dataclass(frozen=True, slots=True)
class Job:
    """What was asked for."""

    id: str
    kind: Kind
    name: str
    dataset_id: str | None
    dataset_name: str
    run_id: str | None
    folder: Path
    command: tuple[str, ...]
    choices: Json
    state: str
    queued: float | None
    launched: float | None
    pid: int | None
    process_started: float | None
    stop_asked: float | None
    created: str

    @property
    def log(self) -> Path:
        """What its process prints."""
        return self.folder.with_name(f"{self.folder.name}.log")


@dataclass(frozen=True, slots=True)
class Fault:
    what: str
    do: str


def find_job(workspace: Workspace, job_id: str, *kinds: Kind, is_removed: bool = False) -> Job:
    """A job by its id.

    Raises:
        NotFound: there is none of these kinds.
    """
    with workspace.engine.connect() as connection:
        row = connection.execute(select(db.jobs).where(db.jobs.c.id == job_id)).mappings().first()
    if row is None or (kinds and row["kind"] not in kinds) or (row["state"] == "removed") != is_removed:
        raise NotFound("There is nothing of this id here", do="Look at the list; it may have been removed.")
    return _job(row)


def all_jobs(workspace: Workspace, kind: Kind) -> list[Job]:
    """All jobs of a kind, the newest first."""
    wanted = select(db.jobs).where(db.jobs.c.kind == kind, db.jobs.c.state != "removed")
    with workspace.engine.connect() as connection:
        rows = connection.execute(wanted.order_by(db.jobs.c.created.desc(), db.jobs.c.id)).mappings().all()
    return [_job(row) for row in rows]


def jobs_reading(connection: Connection, dataset_id: str) -> list[Job]:
    """Jobs that wait for the images of a set or work on them."""
    wanted = select(db.jobs).where(db.jobs.c.dataset_id == dataset_id, db.jobs.c.state.in_(("queued", "started")))
    found = [_job(row) for row in connection.execute(wanted).mappings()]
    return [job for job in found if job.state == "queued" or is_at_work(job)]


def started_jobs(workspace: Workspace) -> list[Job]:
    """Jobs whose process has not been seen to end."""
    with workspace.engine.connect() as connection:
        rows = connection.execute(select(db.jobs).where(db.jobs.c.state == "started")).mappings().all()
    return [_job(row) for row in rows]


def _job(row: RowMapping) -> Job:
    values = {name: row[name] for name in Job.__dataclass_fields__}
    return Job(**{**values, "folder": Path(row["folder"]), "command": tuple(row["command"])})


def waiting(workspace: Workspace, kind: Kind) -> list[str]:
    """Ids of the queued jobs of a kind, the next first."""
    wanted = select(db.jobs.c.id).where(db.jobs.c.kind == kind, db.jobs.c.state == "queued")
    with workspace.engine.connect() as connection:
        return list(connection.execute(wanted.order_by(db.jobs.c.queued, db.jobs.c.id)).scalars())


def is_at_work(job: Job) -> bool:
    """Whether a process works on it: ours, or one that was begun in a terminal."""
    if job.state == "started" and is_running(job.pid, job.process_started):
        return True
    return _is_being_launched(job) or is_alive(status_of(job))


def _is_being_launched(job: Job) -> bool:
    if job.state != "started" or job.pid is not None or job.launched is None:
        return False
    return time.time() - job.launched < _LAUNCH_SECONDS


def status_of(job: Job) -> Json:
    """What its `status.json` says; empty before there is one."""
    try:
        return read_status(job.folder)
    except BadRun:
        return {}


def state_of(job: Job, status: Mapping[str, Any]) -> State:  # Any: JSON values
    """What a job is doing, by its row, its process and its status."""
    if job.state == "queued":
        return "queued"
    if _is_being_launched(job):
        return "starting"
    said = status.get("state")
    is_own = said is not None and not _is_of_earlier_process(job, status)
    if is_own and said in ("done", "stopped", "failed"):  # its process may still be saying so
        return said  # type: ignore[no-any-return]  # JSON: one of the three
    if is_at_work(job):
        if job.stop_asked is not None or (job.folder / "stop").exists():
            return "stopping"
        return "running" if is_own else "starting"
    if is_own:
        return "interrupted"
    if job.stop_asked is not None:  # it was ended before it could say so
        return "stopped"
    return "failed" if fault_in_log(job) else "interrupted"


def _is_of_earlier_process(job: Job, status: Mapping[str, Any]) -> bool:  # Any: JSON values
    """Whether the status was written before the job's last process was begun."""
    if job.process_started is None:
        return False
    return float(status.get("process_started") or 0.0) < job.process_started - 1


def fault_of(job: Job, status: Mapping[str, Any]) -> Fault:  # Any: JSON values
    """Why a job failed: as its status says, else as the last line that it printed."""
    if status.get("what") and not _is_of_earlier_process(job, status):
        return Fault(str(status["what"]), str(status.get("do") or ""))
    if status.get("state") == "failed" and status.get("reason") and not _is_of_earlier_process(job, status):
        return Fault(str(status["reason"]), "What the process printed may say more.")
    return fault_in_log(job) or Fault("It ended without a word", "Start it again; the computer may have been short.")


def fault_in_log(job: Job) -> Fault | None:
    """The error that the last process printed, or else its last line; None where it said nothing."""
    lines = [line.strip() for line in lines_of_last_process(job.log) if line.strip()]
    if not lines:
        return None
    found = next((match[1] for line in reversed(lines) if (match := _FAULT_LINE.match(line))), None)
    if found is None:
        return Fault(lines[-1], "This is a fault of coverslip; please report it, with what the process printed.")
    what, _, do = found.rpartition(". ")  # what happened, then the sentence that says what to do
    return Fault(what, do) if what else Fault(found, "")


@dataclass(frozen=True, slots=True)
class _Images:
    """Where a job finds the images of a set."""

    name: str
    sources: tuple[str, ...]
    options: tuple[str, ...]  # of the command line
    row: AnyRow


def _images_of(workspace: Workspace, dataset_id: str, *, for_training: bool) -> _Images:
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
    if row.state == "reading":
        raise Conflict("The images are still being read", do="Wait until they are.")
    if row.state == "failed":
        raise Conflict("The images could not be read", do="Look at the image set; it says why.")
    if not for_training:
        return _Images(row.name, tuple(row.sources), (), row)
    sources, options = training_sources(workspace, dataset_id)
    return _Images(row.name, tuple(sources), tuple(options), row)


def queue_training(
    workspace: Workspace, *, dataset_id: str, name: str | None, recipe: Mapping[str, Any], allow_leakage: bool = False
) -> str:
    """Put a training behind those that wait; gives its id.

    Args:
        workspace: where it will lie.
        dataset_id: of labelled images.
        name: what people call it.
        recipe: what differs from the defaults, nested or with dotted keys; `init.run` may be a run's id.
        allow_leakage: accept a given split with the same pixels or groups on both sides.

    Raises:
        NotFound, Conflict: the image set is not there, or not ready.
        BadRecipe: a key or value is not valid.
    """
    images = _images_of(workspace, dataset_id, for_training=True)
    chosen = recipe_of_set(workspace, images.row, recipe)
    job_id, folder = _new_place(workspace.runs, name or images.name)
    recipe_file = folder.with_name(f"{folder.name}.recipe.yaml")
    save_recipe(chosen, recipe_file)
    leakage = ("--allow-leakage",) if allow_leakage else ()
    options = (*images.options, *leakage, f"--recipe={recipe_file}", f"--out={folder}")
    _insert(
        workspace,
        id=job_id,
        kind="train",
        name=name or images.name,
        dataset_id=dataset_id,
        dataset_name=images.name,
        folder=str(folder),
        command=["-m", "coverslip", "train", *options, "--", *images.sources],
        choices=chosen.model_dump(mode="json"),
    )
    return job_id


def recipe_of_set(workspace: Workspace, row: AnyRow, given: Mapping[str, Any]) -> Recipe:
    """The recipe of a training on a set: its classes, in the order that they have on the set's pages.

    Without that order a class would have another key and colour among the results than it was labelled with.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    recipe = checked_recipe(workspace, given, row.class_plan)
    if "order" in (_nested(given).get("classes") or {}):
        return recipe
    with workspace.engine.connect() as connection:
        order = trained_order(connection, row, recipe.classes)
    if order == sorted(order, key=natural_key):  # as they stand in results anyway: nothing to be said in the recipe
        return recipe
    classes = ClassPlan.model_validate({**recipe.classes.model_dump(), "order": order})
    return recipe.model_copy(update={"classes": classes})


def checked_recipe(workspace: Workspace, given: Mapping[str, Any], class_plan: Mapping[str, Any]) -> Recipe:
    """A recipe from what differs from the defaults, with the classes of the image set and whole paths.

    Raises:
        BadRecipe: a key or value is not valid.
    """
    data = _nested(given)
    if not data.get("classes"):
        data["classes"] = {key: value for key, value in class_plan.items() if value}
    recipe = check_recipe(data)
    if not recipe.model.startswith("timm/"):  # those are looked up by the training itself, which may import timm
        model_info(recipe.model)
    if isinstance(data.get("init"), dict):
        recipe = check_recipe(_with_whole_start(workspace, data))
    return recipe


def _with_whole_start(workspace: Workspace, data: Mapping[str, Any]) -> Json:
    """A recipe whose start, and that of a first training, is a path below the allowed roots."""
    init = data.get("init")
    if not isinstance(init, dict):
        return dict(data)
    key = "run" if "run" in init else "train_on"
    whole = {**init, key: str(_start(workspace, key, str(init[key])))}
    if isinstance(init.get("recipe"), dict):
        whole["recipe"] = _with_whole_start(workspace, init["recipe"])
    return {**data, "init": whole}


def _nested(given: Mapping[str, Any]) -> Json:
    """Dotted keys become sections."""
    data: Json = {}
    for key, value in given.items():
        *sections, last = str(key).split(".")
        place = data
        for section in sections:
            inner = place.setdefault(section, {})
            if not isinstance(inner, dict):
                raise BadRecipe(f"'{section}' is given twice", do="Give a section once.")
            place = inner
        both = isinstance(value, dict) and isinstance(place.get(last), dict)
        place[last] = {**place[last], **value} if both else value
    return data


def _start(workspace: Workspace, key: str, given: str) -> Path:
    """Where the weights of a training start: an earlier run by its id, or a path below the allowed roots."""
    if key == "run" and "/" not in given:
        with suppress(NotFound):
            return find_job(workspace, given, "train", "classifier").folder
    return workspace.allowed(given)


def queue_prediction(
    workspace: Workspace,
    *,
    run_id: str,
    dataset_id: str | None = None,
    sources: Sequence[str] | None = None,
    name: str | None = None,
) -> str:
    """Put a prediction behind those that wait; gives its id.

    Raises:
        NotFound, Conflict: the classifier or the image set is not there, or not ready.
        CoverslipError: a source lies outside the allowed roots.
        BadClassifier: the run has no classifier, or a damaged one.
    """
    run = find_job(workspace, run_id, "train", "classifier")
    card = open_classifier(find_classifier(run.folder)).card
    if dataset_id is not None:
        images = _images_of(workspace, dataset_id, for_training=False)
        paths, images_name = list(images.sources), images.name
    else:
        paths = [str(workspace.allowed(source)) for source in sources or ()]
        images_name = Path(paths[0]).name if len(paths) == 1 else f"{len(paths)} places"
    job_id, folder = _new_place(workspace.predictions, name or images_name)
    asked: Json = {"format_version": 1, "classifier": str(run.folder), "sources": paths}
    asked["roots"] = [str(root) for root in (*workspace.roots, workspace.folder)]
    write_json(folder / "request.json", asked)
    _insert(
        workspace,
        id=job_id,
        kind="predict",
        name=name or images_name,
        dataset_id=dataset_id,
        dataset_name=images_name,
        run_id=run_id,
        folder=str(folder),
        command=["-m", "coverslip.workspace.predictions.predicting", str(folder)],
        choices={"sources": paths, "classes": list(card.classes), "run_name": run.name},
    )
    return job_id


def _new_place(parent: Path, name: str) -> tuple[str, Path]:
    """A new id, and a folder whose name says what it is."""
    job_id = secrets.token_hex(5)
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain)[:40].strip("-")
    parent.mkdir(parents=True, exist_ok=True)
    return job_id, parent / (f"{slug}-{job_id}" if slug else job_id)


def _insert(workspace: Workspace, **values: object) -> None:
    waits = {"state": "queued", "queued": time.time(), "created": now()}
    with workspace.engine.begin() as connection:
        connection.execute(insert(db.jobs).values(**{**waits, **values}))


def _set(workspace: Workspace, job_id: str, **values: object) -> None:
    with workspace.engine.begin() as connection:
        connection.execute(update(db.jobs).where(db.jobs.c.id == job_id).values(**values))


def _move_on(workspace: Workspace, job: Job, **values: object) -> None:
    """Change a job that is as it was seen: the queue, and another request, may be at it at the same moment.

    Raises:
        Conflict: one of them was quicker.
    """
    columns = db.jobs.c
    is_same = (columns.id == job.id) & ((columns.state == "removed") == (job.state == "removed"))
    for name in ("queued", "launched"):
        is_same &= columns[name].is_not_distinct_from(getattr(job, name))
    with workspace.engine.begin() as connection:
        if not connection.execute(update(db.jobs).where(is_same).values(**values)).rowcount:
            raise Conflict("It has changed at this very moment", do="Look at it again.")


def rename(workspace: Workspace, run_id: str, name: str) -> None:
    """Call a training something else."""
    find_job(workspace, run_id, "train")
    _set(workspace, run_id, name=name)


def stop(workspace: Workspace, job_id: str) -> None:
    """Ask a job to end; one that waits is taken out of the queue.

    Raises:
        Conflict: it has ended.
    """
    job = find_job(workspace, job_id, "train", "predict")
    if job.state == "queued":
        with workspace.engine.begin() as connection:
            mine = (db.jobs.c.id == job_id) & (db.jobs.c.state == "queued")
            taken_out = connection.execute(
                update(db.jobs).where(mine).values(state="started", queued=None, stop_asked=time.time())
            )
            if taken_out.rowcount:
                return
        job = find_job(workspace, job_id)  # it was begun at this very moment
    if state_of(job, status_of(job)) not in ACTIVE:
        raise Conflict("It has ended already", do="Nothing is to be done.")
    if job.folder.is_dir():
        write_text(job.folder / "stop", "")
    if job.stop_asked is None:
        _set(workspace, job_id, stop_asked=time.time())


def resume(workspace: Workspace, job_id: str, kind: Kind) -> None:
    """Queue a training or prediction again that ended before its time; it goes on where it was.

    Raises:
        NotFound: there is none of this kind.
        Conflict: it waits, is at work, or is done.
    """
    job = find_job(workspace, job_id, kind)
    state = state_of(job, status_of(job))
    if state == "done":
        raise Conflict("It is finished", do="Begin a new one.")
    if state not in ("stopped", "failed", "interrupted"):
        raise Conflict("It has not ended", do="Stop it first.")
    command = list(job.command)
    if kind == "train" and (job.folder / "recipe.yaml").is_file():
        command = ["-m", "coverslip", "train", f"--resume={job.folder}"]
    (job.folder / "stop").unlink(missing_ok=True)
    anew = dict.fromkeys(("pid", "process_started", "launched", "stop_asked"))
    _move_on(workspace, job, state="queued", queued=time.time(), command=command, **anew)


def remove(workspace: Workspace, job_id: str, *kinds: Kind) -> None:
    """Move what a job made to the trash.

    Raises:
        NotFound: there is none of these kinds.
        Conflict: it is at work.
    """
    job = find_job(workspace, job_id, *kinds)
    if state_of(job, status_of(job)) in ACTIVE:
        raise Conflict("It is still at work", do="Stop it first.")
    place = workspace.trash / job_id
    try:
        place.mkdir(parents=True, exist_ok=True)
        _move_on(workspace, job, state="removed", choices={**job.choices, "_was": job.state})
        for found in _files_of(job.folder):
            shutil.move(found, place / found.name)
    except OSError as error:
        raise cannot_write(place, error) from error


def restore(workspace: Workspace, job_id: str, kind: Kind) -> None:
    """Take a job out of the trash; one that waited waits again.

    Raises:
        NotFound: there is none of this kind in the trash, or not any more.
        Conflict: something else lies in its place.
    """
    job = find_job(workspace, job_id, kind, is_removed=True)
    place = workspace.trash / job_id
    if not place.is_dir():
        raise NotFound("It is in the trash no longer", do="Nothing can bring it back.")
    files = list(place.iterdir())
    if any((job.folder.parent / found.name).exists() for found in files):
        raise Conflict("Something else lies in its place", do=f"Move '{job.folder.name}' away.")
    for found in files:
        shutil.move(found, job.folder.parent / found.name)
    place.rmdir()
    choices = dict(job.choices)
    _move_on(workspace, job, state=choices.pop("_was", "started"), choices=choices)


def _files_of(folder: Path) -> list[Path]:
    """A job's folder, or file, with what lies beside it."""
    beside = [folder, *(folder.with_name(f"{folder.name}{end}") for end in (".log", ".recipe.yaml"))]
    return [file for file in beside if file.exists()]


def adopt_runs(workspace: Workspace) -> None:
    """List run folders that lie in the workspace but not in its tables: made in a terminal, or copied there."""
    with workspace.engine.connect() as connection:
        known = set(connection.execute(select(db.jobs.c.folder)).scalars())
    for recipe_file in sorted(workspace.runs.glob("*/recipe.yaml")):
        folder = recipe_file.parent
        if str(folder) in known:
            continue
        # No run of ours, or half of one: it stays where it is.
        with suppress(CoverslipError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
            from coverslip.runs import load_recipe

            recipe = load_recipe(recipe_file)
            environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
            source = str(environment["opened"]["sources"][0])
            _insert(
                workspace,
                id=secrets.token_hex(5),
                kind="train",
                name=folder.name,
                dataset_name=Path(source).name,
                folder=str(folder),
                command=["-m", "coverslip", "train", f"--resume={folder}"],
                choices=recipe.model_dump(mode="json"),
                state="started",
                queued=None,
            )
