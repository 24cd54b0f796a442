"""A copy of a workspace and the original: neither changes the files of the other."""

import hashlib
import os
import random
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from browser import RunningApp, open_page
from drawing import write_cells
from image_sets import App
from PIL import Image
from prediction_tables import written_prediction
from refusing import refusing
from small_workspace import QUICK

from coverslip.errors import Conflict, CoverslipError
from coverslip.events import Emit, ignore
from coverslip.images.reader import ReadPlan
from coverslip.machine import process_started
from coverslip.processes import Json
from coverslip.runs.folder import Run
from coverslip.runs.predictions import Prediction
from coverslip.runs.status import StatusFile
from coverslip.server.backups import restore_server_backup, write_server_backup
from coverslip.server.folder import AccountServer, open_account_server
from coverslip.server.projects import add_project, list_projects, remove_project, workspace_of
from coverslip.workspace.backups import restore_backup, write_backup
from coverslip.workspace.cleanup import delete_expired, remove_partial_files
from coverslip.workspace.correcting.corrections import correct
from coverslip.workspace.jobs import process
from coverslip.workspace.jobs.process import write_request
from coverslip.workspace.jobs.queue import (
    clear_processes_of_original,
    finish_job,
    remove_job,
    restore_job,
    resume_job,
    stop_job,
)
from coverslip.workspace.jobs.records import (
    JobKind,
    add_job,
    change_job,
    find_job,
    find_jobs,
    list_unlisted_jobs,
    new_job_folder,
    state_of,
    status_of,
)
from coverslip.workspace.predictions.samples import reset_sampling
from coverslip.workspace.store.workspace import Workspace, open_workspace
from coverslip.workspace.trainings.queueing import rename_run

if TYPE_CHECKING:
    from playwright.sync_api import Page

KINDS = ("train", "predict", "study", "evaluate", "export", "import")


def written_jobs(workspace: Workspace) -> list[str]:
    """The IDs of jobs of all kinds whose files are their results, written instead of computed."""
    rows = [Prediction(f"{k}.png", f"{k}.png", None, "x", 0.75, "x", (0.75, 0.25)) for k in range(3)]
    job_ids = [written_prediction(workspace, ("x", "y"), [(row, ReadPlan()) for row in rows])]
    inside = workspace.runs
    for number, kind in enumerate(2 * KINDS):
        parent = inside / ("evaluations" if kind == "evaluate" else "exports")
        parents = {"train": workspace.runs, "predict": workspace.predictions, "study": workspace.studies}
        job_id, folder = new_job_folder(workspace, parents.get(kind, parent), kind)
        if kind == "import":
            folder = workspace.folder / "classifiers" / f"{job_id}.coverslip"
            folder.parent.mkdir(exist_ok=True)
            folder.write_bytes(b"classifier")
        else:
            folder.mkdir()
            StatusFile(Run(folder).status_file).write("done" if number < len(KINDS) else "stopped")
            folder.with_name(f"{folder.name}.log").write_text("begun")
            if kind == "predict":
                (folder / "samples.json").write_text("damaged")
        if kind == "train":
            inside = folder
            Run(folder).recipe_file.write_text("format_version: 1\n")
        values = {"id": job_id, "name": kind, "dataset_name": "", "choices": {"classes": ["x", "y"], "sources": []}}
        command = [] if kind == "import" else ["-c", "pass"]
        add_job(workspace, kind=kind, folder=str(folder), command=command, state="ended", queued=None, **values)
        job_ids.append(job_id)
    return job_ids


def tree(folder: Path) -> str:
    """A hash of the names, bytes and modification times of all files of a folder."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*")):
        digest.update(f"{file.relative_to(folder)} {file.stat().st_mtime_ns}\n".encode())
        digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


@pytest.fixture
def original(tmp_path: Path) -> tuple[Workspace, list[str]]:
    workspace = open_workspace(tmp_path / "lab" / "original", (tmp_path,))
    job_ids = written_jobs(workspace)
    remove_job(workspace, job_ids.pop())
    workspace.engine.dispose()
    return workspace, job_ids


def clean_up(workspace: Workspace, _: str) -> None:
    long_ago = time.time() - 400 * 86_400
    for file in (*workspace.trash.glob("*"), *workspace.snapshots.glob("*")):
        os.utime(file, (long_ago, long_ago))
    remove_partial_files(workspace)
    delete_expired(workspace, threading.Event())


REQUESTS: list[Callable[[Workspace, str], object]] = [
    *(3 * [remove_job, restore_job]),
    clean_up,
    stop_job,
    resume_job,
    finish_job,
    lambda workspace, job_id: rename_run(workspace, job_id, "Renamed"),
    reset_sampling,
]


@pytest.mark.parametrize("seed", range(4))
def test_no_request_in_a_copy_changes_a_file_of_the_original(seed: int, original: tuple[Workspace, list[str]]) -> None:
    workspace, job_ids = original
    before = tree(workspace.folder)
    copy = copied(workspace)
    chance = random.Random(seed)
    for _ in range(40):
        with suppress(CoverslipError):
            chance.choice(REQUESTS)(copy, chance.choice(job_ids))
    copy.engine.dispose()
    assert tree(workspace.folder) == before


def copied(workspace: Workspace) -> Workspace:
    workspace.engine.dispose()
    return open_workspace(shutil.copytree(workspace.folder, workspace.folder.with_name("copy")), workspace.roots)


def test_a_deletion_in_a_copy_is_one_of_the_copy(original: tuple[Workspace, list[str]]) -> None:
    workspace, job_ids = original
    copy, before = copied(workspace), tree(workspace.folder)
    for job_id in job_ids[::-1]:
        remove_job(copy, job_id)
        assert not (copy.folder / find_job(workspace, job_id).folder.relative_to(workspace.folder)).exists()
    copy.engine.dispose()
    workspace.engine.dispose()
    assert tree(workspace.folder) == before


def test_the_jobs_of_a_copy_are_those_of_the_original_in_its_own_folder(original: tuple[Workspace, list[str]]) -> None:
    workspace, _ = original
    copy = copied(workspace)
    for _ in range(2):
        list_unlisted_jobs(copy)
    of_original, of_copy = ({job.id: job for job in find_jobs(each)} for each in (workspace, copy))
    assert of_copy.keys() == of_original.keys()
    for job_id, job in of_copy.items():
        assert job.folder == copy.folder / of_original[job_id].folder.relative_to(workspace.folder)
        assert job.command == of_original[job_id].command


def test_a_copy_takes_no_process_of_the_original_for_its_own(original: tuple[Workspace, list[str]]) -> None:
    workspace, job_ids = original
    job = find_job(workspace, job_ids[1])
    StatusFile(job.run.status_file).write("running")
    values = {"pid": os.getpid(), "process_started": process_started(), "launched": time.time()}
    change_job(workspace, job.id, state="started", **values)
    clear_processes_of_original(workspace)
    copy = copied(workspace)
    for each, state in ((workspace, "running"), (copy, "interrupted")):
        clear_processes_of_original(each)
        job = find_job(each, job.id)
        assert state_of(job, status_of(job)) == state
    with refusing(Conflict, "job-ended"):
        stop_job(copy, job.id)
    moved = open_workspace(workspace.folder.rename(workspace.folder.with_name("moved")), workspace.roots)
    clear_processes_of_original(moved)
    job = find_job(moved, job.id)
    assert state_of(job, status_of(job)) == "running"


def moved(folder: Path) -> Path:
    return folder.rename(folder.with_name("moved"))


def linked(folder: Path) -> Path:
    """Moved, with a link to the new folder at the former place."""
    place = moved(folder)
    folder.symlink_to(place)
    return folder


def replaced(folder: Path) -> Path:
    """A copy in the place of the original, which was removed."""
    copy = shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    return copy.rename(folder)


def copied_folder(folder: Path) -> Path:
    return Path(shutil.copytree(folder, folder.with_name("copy")))


def restored(folder: Path) -> Path:
    file = folder.with_name("backup.zip")
    write_backup(Workspace(folder, ()), file)
    return restore_backup(file, folder.with_name("restored")).folder


def restored_server(folder: Path) -> Path:
    server = AccountServer(folder, ())
    write_server_backup(server, folder.with_name("backup"))
    server.engine.dispose()
    restore_server_backup(folder.with_name("backup"), folder.with_name("restored"))
    return folder.with_name("restored")


def answered(workspace: Workspace) -> dict[str, object]:
    """What pages show of a workspace: its jobs, rows, corrections, labels, pictures and deleted jobs."""
    app = App(workspace)
    with app.client:
        (dataset,) = app.get("datasets")["items"]
        rows = app.rows(f"datasets/{dataset['id']}")
        pictures = [app.client.get(f"/api/v1/lists/{dataset['id']}/rows/{row}/overview").status_code for row in rows]
        table = app.client.get("/api/v1/jobs/written/download/predictions").text
        jobs = {job["id"]: (job["kind"], job["state"]) for job in app.get("jobs")["items"]}
        return {
            "jobs": jobs,
            "labels": {name: dataset[name] for name in ("n_images", "n_labeled", "classes")},
            "pictures": pictures,
            "table": table.replace(str(workspace.folder), ""),
            "deleted": [each["id"] for each in app.get("trash")["items"]],
        }


def used(workspace: Workspace) -> str:
    """A workspace with jobs of all kinds, a corrected prediction, and labeled images; the ID of a deleted job."""
    job_ids = written_jobs(workspace)
    files = workspace.uploads / "u" / "files" / "x"
    files.mkdir(parents=True)
    for seed in range(2):
        pixels = np.random.default_rng(seed).integers(0, 256, (16, 16), np.uint8)
        Image.fromarray(pixels).save(files / f"{seed}.png")
    app = App(workspace)
    dataset = app.open(files.parent)["id"]
    app.send("POST", f"datasets/{dataset}/changes", {"rows": app.rows(f"datasets/{dataset}")[:1], "label": "y"})
    correct(workspace, "written", 0, "y")
    remove_job(workspace, job_ids[2])
    workspace.background.wait_all()
    return job_ids[2]


CHANGES = {"moved": moved, "linked": linked, "replaced": replaced, "copied": copied_folder, "restored": restored}


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES)
def test_a_workspace_is_the_same_in_another_folder(change: str, tmp_path: Path) -> None:
    """The table of "Move and copy" in `docs/workspace.md`."""
    workspace = open_workspace(tmp_path / "lab" / "home", (tmp_path,))
    deleted = used(workspace)
    before = answered(workspace)
    assert before["deleted"] == [deleted]
    workspace.engine.dispose()
    other = open_workspace(CHANGES[change](workspace.folder), workspace.roots)
    assert answered(other) == before
    app = App(other)
    with app.client:
        assert app.get("system")["is_copy"] == (change in ("copied", "replaced"))
        app.send("POST", f"jobs/{deleted}/restore")
        assert answered(other)["deleted"] == []


@contextmanager
def running(workspace: Path, root: Path) -> "Iterator[RunningApp]":
    workspace.parent.mkdir(exist_ok=True)
    app = RunningApp(workspace, root).start()
    yield app
    app.end()


@pytest.mark.exhaustive
def test_a_training_deleted_in_a_copy_stays_in_the_original_which_is_moved(
    tmp_path: Path, other_page: "Callable[[RunningApp], Page]"
) -> None:
    """A walk with `cp -a` and `mv` in a browser."""
    original, copy, place = (tmp_path / name / "workspace" for name in ("original", "copy", "moved"))
    cells = write_cells(tmp_path / "cells", 24)
    with running(original, tmp_path) as app:
        run = app.trained(app.opened(cells)["id"], QUICK, "first", with_report=True)
    copy.parent.mkdir()
    subprocess.run(["cp", "-a", original, copy], check=True)
    before = tree(original)
    with running(copy, tmp_path) as app:
        page = other_page(app)
        open_page(page, "/")
        page.get_by_text("This workspace was copied").wait_for()
        open_page(page, "/runs")
        page.get_by_role("button", name="Delete first").click()
        page.get_by_text(re.compile("first is in the trash")).wait_for()
    assert not list((copy / "runs").glob("first*"))
    assert tree(original) == before
    place.parent.mkdir()
    subprocess.run(["mv", original, place], check=True)
    with running(place, tmp_path) as app:
        page = other_page(app)
        open_page(page, f"/runs/{run}")
        page.get_by_role("heading", name="first").wait_for()
        open_page(page, "/")
        page.get_by_role("link", name="first").first.wait_for()
        assert page.get_by_text("This workspace was copied").count() == 0


SERVERS = {"moved": moved, "copied": copied_folder, "restored": restored_server}


@pytest.mark.slow
@pytest.mark.parametrize("change", SERVERS)
def test_the_projects_of_a_server_are_the_same_in_another_folder(change: str, tmp_path: Path) -> None:
    """The projects of "Move and copy" in `docs/workspace.md`."""
    server = open_account_server(tmp_path / "lab" / "server")
    project, gone = add_project(server, "Cells"), add_project(server, "Removed")
    workspace = workspace_of(server, project)
    used(workspace)
    before = answered(workspace)
    workspace_of(server, gone).upgrade_database(ignore)
    remove_project(server, gone.id)
    for engine in (workspace.engine, server.engine):
        engine.dispose()
    other = open_account_server(SERVERS[change](server.folder))
    assert [(each.id, each.is_removed) for each in list_projects(other)] == [(project.id, False), (gone.id, True)]
    assert answered(workspace_of(other, project)) == before
    assert not remove_project(other, gone.id, is_removed=False).is_removed
    assert workspace_of(other, gone).database_file.is_file()


def record_folder(workspace: Workspace, arguments: Json, _: Emit) -> None:
    """The function of a job: it writes into its folder and into that of the workspace."""
    for folder in (Path(arguments["folder"]), workspace.folder):
        (folder / "worked.txt").write_text("")


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_job_that_waits_in_a_copied_or_moved_workspace_works_there(tmp_path: Path, *, is_moved: bool) -> None:
    workspace = open_workspace(tmp_path / "original", (tmp_path,))
    kind = JobKind(name="recording", queue="recording", function=f"{__name__}:record_folder")
    job_id, folder = new_job_folder(workspace, workspace.predictions, "x")
    command = write_request(workspace, kind, folder, {"folder": str(folder)})
    values = {"name": "x", "dataset_name": "", "choices": {}, "command": command}
    add_job(workspace, id=job_id, kind="predict", folder=str(folder), state="queued", **values)
    before, place = tree(workspace.folder / "predictions"), tmp_path / "copy"
    workspace.engine.dispose()
    copy = open_workspace(workspace.folder.rename(place) if is_moved else shutil.copytree(workspace.folder, place))
    assert process.main(*map(Path, find_job(copy, job_id).command[2:])) == 0
    assert {file.parent for file in tmp_path.rglob("worked.txt")} == {place, find_job(copy, job_id).folder}
    assert is_moved or tree(workspace.folder / "predictions") == before


def test_the_database_of_a_workspace_does_not_contain_its_folder(tmp_path: Path) -> None:
    home = open_workspace(tmp_path / "lab", (tmp_path,))
    app = App(home)
    upload = home.uploads / "u" / "files" / "x"
    written_jobs(home)
    for seed in range(2):
        file = upload / f"{seed}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16), np.uint8)).save(file)
    table = home.snapshots / "table.csv"
    table.parent.mkdir()
    table.write_text(f"path,image_id,label\n{upload / '0.png'},a,x\n{upload / '1.png'},b,y\n")
    datasets = [app.open(upload.parent)["id"], app.open(table)["id"]]
    app.get(f"datasets/{datasets[0]}/inspection")
    home.background.wait_all()
    with closing(sqlite3.connect(home.database_file)) as connection:
        assert str(home.folder) not in "\n".join(connection.iterdump())
    home.engine.dispose()
    moved = App(open_workspace(home.folder.rename(tmp_path / "moved"), (tmp_path,)))
    for dataset in datasets:
        for row in moved.rows(f"datasets/{dataset}"):
            assert moved.client.get(f"/api/v1/lists/{dataset}/rows/{row}/overview").status_code == 200


def test_files_behind_a_link_out_of_the_workspace_are_passed_over_at_the_start(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "lab", (tmp_path,))
    file = tmp_path / "large disk" / "upload" / ".part"
    file.parent.mkdir(parents=True)
    file.write_text("")
    for link in (workspace.uploads, workspace.jobs):
        link.symlink_to(file.parent.parent)
    remove_partial_files(workspace)
    assert file.exists()


@pytest.mark.parametrize("request_of", [remove_job, stop_job, resume_job, finish_job])
def test_a_folder_that_is_a_link_out_of_the_workspace_is_not_changed(
    request_of: Callable[[Workspace, str], object], original: tuple[Workspace, list[str]], tmp_path: Path
) -> None:
    workspace, job_ids = original
    folder = find_job(workspace, job_ids[1], "train").folder
    outside = Path(shutil.move(folder, tmp_path / "outside"))
    folder.symlink_to(outside)
    before = tree(outside)
    with refusing(Conflict, "outside-workspace"):
        request_of(workspace, job_ids[1])
    with refusing(Conflict, "outside-workspace"):
        new_job_folder(workspace, Run(folder).evaluations_folder, "further")
    assert tree(outside) == before


@pytest.mark.parametrize("path", ["", ".", "..", "../original", "runs/../..", "runs/../../a", "/a"])
def test_no_path_leads_out_of_a_workspace(path: str, original: tuple[Workspace, list[str]]) -> None:
    workspace, _ = original
    before = tree(workspace.folder.parent)
    for change in (workspace.owned, workspace.remove):
        with refusing(Conflict, "outside-workspace"):
            change(workspace.folder / path)
    assert tree(workspace.folder.parent) == before
