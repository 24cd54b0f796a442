"""A small workspace with images that train in seconds, and a server on it."""

import hashlib
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import drawing
import httpx
from fastapi.testclient import TestClient
from pydantic_core import to_jsonable_python
from sqlalchemy import event
from trained import SMALL_NETWORK, train_cells

from coverslip.cli import main
from coverslip.cli.train import images_and_recipe
from coverslip.errors import Conflict
from coverslip.events import ignore
from coverslip.machine import process_started
from coverslip.pipeline import train_without_report
from coverslip.runs.folder import Run
from coverslip.studies.study import plan_study
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.evaluations import queue_evaluation
from coverslip.workspace.exports import ExportTo, queue_export
from coverslip.workspace.jobs import process
from coverslip.workspace.jobs.queue import Queue, Turns
from coverslip.workspace.jobs.records import (
    Job,
    change_if_unchanged,
    change_job,
    find_job,
    has_ended,
    state_of,
    status_of,
    unended_jobs,
)
from coverslip.workspace.predictions.state import queue_prediction
from coverslip.workspace.store import database
from coverslip.workspace.store.workspace import Workspace, open_workspace
from coverslip.workspace.studies.planning import StudyChoices, queue_study
from coverslip.workspace.trainings.queueing import queue_training

Json = dict[str, Any]  # Any: JSON values
API = "/api/v1"
CLASSES = ("<script>", "large", "medium")
QUICK: Json = {"model": SMALL_NETWORK, "stage": "instant", "image_size": 32, "tta": 1, "split.folds": 0}
FINETUNE: Json = {**QUICK, "stage": "finetune", "epochs": 2, "batch_size": 8, "patience": None}


def write_cells(folder: Path, n: int = 60, *, seed: int = 0, is_sorted: bool = True) -> Path:
    """Cells of three sizes on ten slides; one class is called as a page would be attacked."""
    return drawing.write_cells(folder, n, classes=CLASSES, n_slides=10, side=32, is_sorted=is_sorted, seed=seed)


def new_workspace(folder: Path) -> Workspace:
    return open_workspace(folder / "home", (folder,))


def open_images(workspace: Workspace, *folders: Path, **how: Any) -> str:  # Any: as for `open_sources`
    """A dataset that has been read; its id."""
    dataset_id = sources.open_sources(workspace, [sources.Source(str(folder)) for folder in folders], **how).id
    until(lambda: dataset_state(workspace, dataset_id).state != "reading")
    return dataset_id


def until(is_so: Callable[[], Any], seconds: float = 90) -> Any:  # Any: what is waited for
    """What `is_so` gives as soon as it is true."""
    end, pause = time.monotonic() + seconds, 0.01
    while not (value := is_so()):
        assert time.monotonic() < end, "waited too long"
        time.sleep(pause)
        pause = min(2 * pause, 0.1)
    return value


def ended(client: httpx.Client, job_id: str, seconds: float = 90) -> Json:
    """A job once it has ended."""

    def look() -> Json | None:
        body: Json = client.get(f"{API}/jobs/{job_id}").json()
        return None if body["state"] in ("queued", "starting", "running", "stopping") else body

    return until(look, seconds)  # type: ignore[no-any-return]


@contextmanager
def once_before(workspace: Workspace, statement: str, act: Callable[[], object]) -> Iterator[None]:
    """Within the block, act once: before the first SQL statement that begins like this."""
    has_begun: list[bool] = []

    def act_once(_: object, __: object, sql: str, *___: object) -> None:
        if not has_begun and sql.startswith(statement):
            has_begun.append(True)
            act()

    event.listen(workspace.engine, "before_cursor_execute", act_once)
    try:
        yield
    finally:
        event.remove(workspace.engine, "before_cursor_execute", act_once)
    assert has_begun, "there was no such statement"


@contextmanager
def busy_database(workspace: Workspace) -> Iterator[None]:
    """Another transaction writes to the database during the block, and no request waits for its end."""
    token = database._wait_seconds.set(0)
    try:
        with closing(sqlite3.connect(workspace.folder / "workspace.sqlite")) as writer:
            writer.execute("BEGIN IMMEDIATE")
            yield
    finally:
        database._wait_seconds.reset(token)


def do_jobs(workspace: Workspace) -> None:
    """Do the jobs that compute a result on request, as the queue of a server does."""
    queue = Queue(workspace, Turns())

    def are_done() -> bool:
        queue.update()
        with workspace.engine.connect() as connection:
            return all(job.key is None for job in unended_jobs(connection))

    until(are_done)


def queue_run(client: httpx.Client, dataset_id: str, recipe: Json, **more: Any) -> str:
    answer = client.post(f"{API}/runs", json={"dataset_id": dataset_id, "recipe": recipe, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def trained_here(
    workspace: Workspace,
    dataset_id: str,
    recipe: Json,
    name: str | None = None,
    *,
    with_report: bool = False,
    **more: Any,  # as for `queue_training`
) -> str:
    """A training that is done, as the app asks for it, but by this process; its id.

    For tests about what a training left. A job of the app is a new program, which imports for five seconds. Most of a
    small training is the drawing of its report, without which it is done if it has no time limit and keeps its groups
    in no table of the app. A training of the same images with the same recipe as an earlier one is a copy of its files.
    """
    job_id = queue_training(workspace, dataset_id=dataset_id, recipe=recipe, name=name, **more)
    return _done_here(workspace, job_id, with_report=with_report)


def studied_here(workspace: Workspace, choices: StudyChoices, name: str) -> str:
    """The same of a study and all its trainings."""
    job = queue_study(workspace, choices, name=name)
    folder = find_job(workspace, job).folder
    train_cells(plan_study(folder / "study.yaml", folder))
    return _done_here(workspace, job)


def predicted_here(workspace: Workspace, classifier_id: str, dataset_id: str) -> str:
    """The same of a prediction."""
    job = queue_prediction(workspace, classifier_id=classifier_id, dataset_id=dataset_id)
    return _done_here(workspace, job)


def evaluated_here(workspace: Workspace, run: str, dataset_id: str) -> str:
    """The same of an evaluation."""
    return _done_here(workspace, queue_evaluation(workspace, run, dataset_id=dataset_id))


def exported_here(workspace: Workspace, run: str, to: ExportTo) -> str:
    """The same of an export."""
    return _done_here(workspace, queue_export(workspace, run, to))


def _done_here(workspace: Workspace, job_id: str, *, with_report: bool = True) -> str:
    job = find_job(workspace, job_id)
    try:
        status = {"state": "started", "queued": None, "launched": time.time()}
        change_if_unchanged(workspace, job, **status, pid=os.getpid(), process_started=process_started())
    except Conflict:  # a server was quicker
        until(lambda: has_ended(state_of(now := find_job(workspace, job_id), status_of(now))))
        return job_id
    _, module, *arguments = job.command
    if module == "coverslip" and arguments[0] == "train":
        code = _train_or_copy(workspace, job, arguments, with_report=with_report)
    else:
        code = main(arguments) if module == "coverslip" else process.main(*map(Path, arguments))
    assert code == 0, job.command
    change_job(workspace, job_id, state="ended", pid=None, process_started=None)
    return job_id


# The roots of the images, the folders and the files of earlier trainings, by all that their results depend on.
_TRAININGS: dict[str, tuple[Path, Path, dict[str, bytes]]] = {}
_WITH_PATHS = (".csv", ".html", ".json", ".jsonl", ".md", ".yaml")


_WITHOUT_REPORT = {"--group", "--group-pattern", "--out", "--recipe"}  # options of trainings that can have none


def _train(arguments: list[str], *, with_report: bool) -> int:
    at = arguments.index("--")
    options = dict(option.split("=", 1) for option in arguments[1:at] if "=" in option)
    if with_report or len(options) < at - 1 or set(options) - _WITHOUT_REPORT:
        return main(arguments)
    choices = {name: options.get(f"--{name.replace('_', '-')}") for name in ("recipe", "group", "group_pattern")}
    train_without_report(*images_and_recipe(arguments[at + 1 :], **choices), out=Path(options["--out"]), emit=ignore)
    return 0


def _train_or_copy(workspace: Workspace, job: Job, arguments: list[str], *, with_report: bool) -> int:
    root, key = workspace.roots[0], _key_of_training(workspace.roots[0], job.folder, arguments)
    key = key and f"{key} {with_report}"
    if key not in _TRAININGS:
        code = _train(arguments, with_report=with_report)
        if key and code == 0:
            files = [file for file in job.folder.rglob("*") if file.is_file()]
            contents = {file.relative_to(job.folder).as_posix(): file.read_bytes() for file in files}
            _TRAININGS[key] = root, job.folder, contents
        return code
    earlier_root, earlier, files_of_earlier = _TRAININGS[key]
    for name, content in files_of_earlier.items():
        if name.endswith(_WITH_PATHS):
            for old, new in ((earlier, job.folder), (earlier_root, root), (earlier.name, job.folder.name)):
                content = content.replace(str(old).encode(), str(new).encode())
        file = job.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    _end_now(job.run)
    return 0


def _end_now(run: Run) -> None:
    """Move the times of the status, so that the work on the folder ends now."""
    assert run.status is not None
    now = datetime.now(UTC)
    began = now - timedelta(seconds=run.status.seconds_worked)
    times = {"began": began.isoformat(timespec="seconds"), "heartbeat": now.isoformat(timespec="seconds")}
    run.status.model_copy(update=times).write(run.status_file)


def _key_of_training(root: Path, folder: Path, arguments: list[str]) -> str:
    """A digest of the images, the recipe and the options; empty for images that are not all in folders below `root`."""
    at = arguments.index("--")
    options, sources = arguments[:at], [Path(source) for source in arguments[at + 1 :]]
    if not all(source.is_dir() and source.is_relative_to(root) for source in sources):
        return ""
    digest = hashlib.sha256()
    for option in options:
        if option.startswith("--recipe="):
            digest.update(Path(option.removeprefix("--recipe=")).read_bytes())
        elif option != f"--out={folder}":
            digest.update(option.encode() + b"\0")
    for file in (file for source in sources for file in (source, *sorted(source.rglob("*")))):
        digest.update(file.relative_to(root).as_posix().encode() + b"\0")
        if file.is_file():
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


_SERVE = """
import sys, uvicorn
from pathlib import Path
from coverslip.app.clients import Languages
from coverslip.app.server import create_app
from coverslip.workspace.store.workspace import open_workspace
app = create_app(open_workspace(Path(sys.argv[1]), (Path(sys.argv[2]),)))
uvicorn.run(Languages(app), host="127.0.0.1", port=int(sys.argv[3]), log_level="warning")
"""


@contextmanager
def server(home: Path, root: Path, port: int) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """A server in a process of its own; it is ended however the test ends."""
    command = [sys.executable, "-c", _SERVE, str(home), str(root), str(port)]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

    def answers() -> bool:
        try:
            return client.get(f"{API}/runs").status_code == 200
        except httpx.HTTPError:
            return False

    try:
        until(answers, 30)
        yield process, client
    finally:
        client.close()
        process.kill()
        process.wait()


def stories_of(client: TestClient, job_id: str, app: Any = None) -> list[Json]:  # Any: the app of the client
    """A job after each of its changes until it has ended, as those who follow it receive it."""
    stories: list[Json] = [{}]
    app = app or client.app

    async def follow() -> None:
        async with aclosing(app.state.changes.follow(None, [job_id])) as changes:
            async for change in changes:
                if job_id in change.jobs:
                    stories.append(stories[-1] | to_jsonable_python(change.jobs[job_id]))
                if has_ended(stories[-1].get("state", "queued")):
                    return

    assert client.portal is not None
    client.portal.call(follow)
    return stories[1:]
