"""A backup of a workspace in use, restored elsewhere: the same content, right paths, and nothing from hostile files."""

import io
import itertools
import json
import os
import shutil
import sqlite3
import string
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from image_sets import App
from prediction_tables import written_prediction
from refusing import refusing
from small_workspace import (
    CLASSES,
    FINETUNE,
    QUICK,
    evaluated_here,
    predicted_here,
    studied_here,
    trained_here,
    until,
    write_cells,
)
from trained import SMALL_NETWORK

import coverslip as cs
from coverslip.cli import main
from coverslip.errors import Conflict, CoverslipError, Stopped
from coverslip.files import WORKSPACE_DATABASE
from coverslip.images.reader import ReadPlan
from coverslip.reports.page import write_report
from coverslip.runs import images as runs_images
from coverslip.runs.prediction_tables import AppendedTable, unfinished_rows
from coverslip.runs.predictions import Prediction
from coverslip.runs.recipe import FromRun, Recipe, SplitPlan
from coverslip.studies.plan import load_plan
from coverslip.workspace import backups
from coverslip.workspace.backups import (
    MANIFEST,
    count_rows,
    entry_name,
    path_of_entry,
    restore_backup,
    write_backup,
)
from coverslip.workspace.correcting.corrections import answered_table, correct
from coverslip.workspace.datasets import folders
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.jobs import process
from coverslip.workspace.jobs.queue import Queue, Turns, finish_job, remove_job, restore_job, stop_job
from coverslip.workspace.jobs.records import all_jobs, change_job, find_job, has_ended, state_of, status_of
from coverslip.workspace.lists import images_of_job
from coverslip.workspace.predictions import classifiers
from coverslip.workspace.predictions.state import queue_prediction
from coverslip.workspace.store.rows import load_dataset
from coverslip.workspace.store.workspace import Workspace, open_workspace
from coverslip.workspace.studies.planning import StudyChoices, outlook
from coverslip.workspace.trainings.queueing import queue_training

Json = dict[str, Any]  # Any: JSON values


def uploaded(workspace: Workspace, folder: Path) -> str:
    """A dataset of images inside the workspace; its id."""
    upload = folders.start_upload(workspace, "cells", is_labeled=True).id
    for file in sorted(folder.rglob("*.png")):
        sent = Path(shutil.copy(file, workspace.uploads / upload / ".sent"))
        folders.store_file(workspace, upload, PurePosixPath(file.relative_to(folder)), sent)
    dataset = folders.finish_upload(workspace, upload).id
    until(lambda: dataset_state(workspace, dataset).state != "reading")
    return dataset


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a dataset, a training, predictions, one of them deleted, and an imported classifier."""
    folder = tmp_path_factory.mktemp("lab with spaces")
    workspace = open_workspace(folder / "Arbeit é, 1", (folder,))
    dataset = uploaded(workspace, write_cells(folder / "cells"))
    run = trained_here(workspace, dataset, QUICK, name="first")
    predicted_here(workspace, run, dataset)
    cs.export(find_job(workspace, run).folder, out=folder / "sent.coverslip")
    classifiers.import_file(workspace, folder / "sent.coverslip", "sent")
    remove_job(workspace, predicted_here(workspace, run, dataset))
    (workspace.folder / "token.json").write_text("{}")
    return workspace


@pytest.fixture(scope="module")
def backup(workspace: Workspace) -> Path:
    file = workspace.folder.parent / "backup.zip"
    write_backup(workspace, file)
    return file


def rows_in(workspace: Workspace) -> dict[str, int]:
    with closing(sqlite3.connect(workspace.folder / WORKSPACE_DATABASE)) as connection:
        return count_rows(connection)


def files_with(folder: Path, text: str) -> list[str]:
    """The files and rows of a workspace that contain a text, besides logs and written reports."""
    with closing(sqlite3.connect(folder / WORKSPACE_DATABASE)) as connection:
        rows = [line for line in connection.iterdump() if text in line]
    described = ("events.jsonl", "report.html", "results.json")
    for file in (file for file in folder.rglob("*") if file.is_file() and file.name not in described):
        if file.suffix in (".json", ".jsonl", ".csv", ".yaml") and text in file.read_text(encoding="utf-8"):
            rows.append(str(file))
    return rows


@pytest.mark.slow
def test_a_restored_workspace_has_the_same_content_and_paths_of_its_own(
    workspace: Workspace, backup: Path, tmp_path: Path
) -> None:
    restored = restore_backup(backup, tmp_path / "moved: here")
    copy = open_workspace(restored.folder, workspace.roots)
    assert rows_in(copy) == rows_in(workspace) == restored.manifest.n_rows
    assert restored.manifest.n_images_outside == restored.manifest.n_links == restored.n_interrupted == 0

    assert not (copy.folder / "token.json").exists()
    assert not list(copy.folder.rglob("*.part"))

    (dataset,) = {job.dataset_id for job in all_jobs(copy, "train")}
    assert dataset is not None
    with copy.engine.connect() as connection:
        records = load_dataset(connection, dataset).records
    assert all(record.path.is_file() and record.path.is_relative_to(copy.folder) for record in records)
    with workspace.engine.connect() as connection:
        assert [each.label for each in records] == [each.label for each in load_dataset(connection, dataset).records]

    (job,) = all_jobs(copy, "train")
    assert job.folder.is_relative_to(copy.folder)
    (predicted,) = all_jobs(copy, "predict")
    assert predicted.run.predictions_file.read_text().count("\n") == len(records) + 1
    (imported,) = all_jobs(copy, "import")
    assert imported.folder.is_file()

    evaluation = cs.evaluate(job.folder)  # the images of the run are found
    assert evaluation.metrics["accuracy"].value == find_job(workspace, job.id).run.metrics["accuracy"].value
    predicted_here(copy, job.id, dataset)


def stop() -> None:
    raise Stopped("reading-stopped")


def studied(workspace: Workspace, dataset: str) -> str:
    """A study of one small training on a dataset; its ID."""
    choices = StudyChoices(preset="aimic", dataset_ids=(dataset,), is_small=True)
    plan = yaml.safe_load(outlook(workspace, choices).plan_text)
    recipe = {"stage": "instant", "image_size": 32, "tta": 1}
    plan |= {"models": [SMALL_NETWORK], "folds": 0, "arms": [], "baseline": None, "recipe": recipe}
    return studied_here(workspace, choices.model_copy(update={"plan": yaml.safe_dump(plan)}), "study")


@pytest.mark.slow
def test_a_workspace_that_is_restored_and_moved_names_only_its_own_files(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = all_jobs(workspace, "train")
    dataset = str(first.dataset_id)
    image_ids = App(workspace).image_ids(f"datasets/{dataset}")
    tuned = trained_here(workspace, dataset, {**FINETUNE, "init": {"run": str(first.folder)}})
    same_split = trained_here(workspace, dataset, {**QUICK, "split": {"run": str(first.folder)}})
    evaluation, study = evaluated_here(workspace, first.id, dataset), studied(workspace, dataset)
    App(workspace).send("POST", f"datasets/{dataset}/changes", {"images": image_ids[:1], "label": CLASSES[1]})
    relabeled = trained_here(workspace, dataset, QUICK)  # on a table in `snapshots/`
    stopped = queue_prediction(workspace, classifier_id=first.id, dataset_id=dataset)
    with monkeypatch.context() as patched:
        rows = itertools.count()
        write = AppendedTable.write
        patched.setattr(AppendedTable, "write", lambda *row: write(*row) if next(rows) < 20 else stop())
        process.main(*map(Path, find_job(workspace, stopped).command[2:]))
    assert unfinished_rows(find_job(workspace, stopped).run.predictions_file).is_file()
    assert files_with(workspace.folder, str(workspace.folder)) == []

    write_backup(workspace, tmp_path / "backup.zip")
    folder = restore_backup(tmp_path / "backup.zip", tmp_path / "restored" / "here").folder
    moved = open_workspace(folder.rename(tmp_path / "moved"), (tmp_path,))
    shutil.move(workspace.folder, workspace.folder.with_name("away"))  # nothing may be read from the original
    try:
        app = App(moved)
        runs = {run_id: find_job(moved, run_id).run for run_id in (first.id, tuned, same_split, relabeled)}
        assert runs[tuned].recipe.init == FromRun(run=str(runs[first.id].folder))
        assert runs[same_split].recipe.split.run == str(runs[first.id].folder)
        for run_id, run in runs.items():
            assert app.get(f"jobs/{run_id}")["state"] == "done"
            assert all(record.path.is_relative_to(moved.folder) for record in runs_images.images_of(run).records)
            assert len(runs_images.held_out_images(run)) == len(run.predictions)
        for run_id in (tuned, same_split):
            before = runs[run_id].metrics_file.read_bytes()
            status = runs[run_id].status
            assert status is not None
            status.model_copy(update={"state": "stopped"}).write(runs[run_id].status_file)
            assert cs.resume(runs[run_id].folder).metrics_file.read_bytes() == before
        evaluated = find_job(moved, evaluation).run.evaluated_images
        assert evaluated is not None
        assert Path(evaluated.data[0].root).is_relative_to(moved.folder)
        evaluated_here(moved, relabeled, dataset)
        plan = load_plan(find_job(moved, study).folder / "study.yaml")
        assert all(Path(path).is_relative_to(moved.folder) for each in plan.datasets for path in each.path)
        assert [each["state"] for each in app.get(f"jobs/{study}")["trainings"]] == ["done"]
        assert main(list(find_job(moved, study).command[2:])) == 0
        assert process.main(*map(Path, find_job(moved, stopped).command[2:])) == 0
        rows_of_prediction = [row for row, _ in images_of_job(moved, stopped).every_row()]
        assert len(rows_of_prediction) == len(image_ids)
        paths = [Path(row.path) for row in rows_of_prediction]
        assert all(path.is_file() and path.is_relative_to(moved.folder) for path in paths)
        assert "".join(answered_table(moved, stopped)).count(str(moved.folder)) == len(image_ids)
        predicted_here(moved, tuned, dataset)
        assert files_with(moved.folder, str(workspace.folder)) == files_with(moved.folder, str(moved.folder)) == []
    finally:
        shutil.move(workspace.folder.with_name("away"), workspace.folder)


@pytest.mark.slow
def test_a_run_that_was_moved_predicts_evaluates_and_reports(tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells")
    recipe = Recipe(model=SMALL_NETWORK, stage="instant", image_size=32, tta=1, split=SplitPlan(folds=0))
    run = cs.train(cells, recipe, out=tmp_path / "runs" / "first")
    before = run.metrics["accuracy"].value
    moved = (tmp_path / "runs").rename(tmp_path / "elsewhere") / "first"
    assert cs.evaluate(moved).metrics["accuracy"].value == before
    write_report(cs.open_run(moved))
    assert sum(cs.predict(moved, cells, out=tmp_path / "predictions.csv").decisions.values()) == 60


def test_a_prediction_in_the_trash_can_be_restored_from_a_backup(backup: Path, tmp_path: Path) -> None:
    copy = open_workspace(restore_backup(backup, tmp_path / "copy").folder, (tmp_path,))
    (trashed,) = copy.trash.iterdir()
    restore_job(copy, trashed.name)
    job = find_job(copy, trashed.name)
    assert state_of(job, status_of(job)) == "done"


def images_of(workspace: Workspace) -> list[tuple[str, str | None]]:
    """The IDs and corrections of a written prediction."""
    return [(row.image_id, row.correction) for row, _ in images_of_job(workspace, "written").every_row()]


@pytest.mark.parametrize("name", ["w", "a name that is much longer"])
def test_a_prediction_has_the_same_rows_where_paths_are_longer_or_shorter(name: str, tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "workspace", (tmp_path,))
    file = workspace.uploads / "u" / "files" / "a.png"
    rows = [Prediction(f"plate 3/well {k}.png", str(file), None, "x", 0.75, "x", (0.75, 0.25)) for k in range(60)]
    written_prediction(workspace, ("x", "y"), [(row, ReadPlan()) for row in rows])
    before = images_of(workspace)
    correct(workspace, "written", 7, "y")
    write_backup(workspace, tmp_path / "backup.zip")
    copy = open_workspace(restore_backup(tmp_path / "backup.zip", tmp_path / name).folder, (tmp_path,))
    assert images_of(copy) == [*before[:7], (before[7][0], "y"), *before[8:]]


def test_a_part_of_a_row_is_restored_as_a_part(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "workspace", (tmp_path,))
    rows = [Prediction(f"{k}.png", str(workspace.uploads), None, "x", 0.75, "x", (0.75, 0.25)) for k in range(3)]
    written_prediction(workspace, ("x", "y"), [(row, ReadPlan()) for row in rows])
    table = workspace.predictions / "written" / "predictions.csv"
    content = table.read_bytes()
    table.unlink()
    unfinished = unfinished_rows(table)
    unfinished.parent.mkdir()
    unfinished.write_bytes(content[:-20])  # as a process leaves it that is writing, or was killed
    write_backup(workspace, tmp_path / "backup.zip")
    copy = open_workspace(restore_backup(tmp_path / "backup.zip", tmp_path / "copy").folder, (tmp_path,))
    assert images_of(copy) == [("0.png", None), ("1.png", None)]
    restored = unfinished_rows(copy.predictions / "written" / "predictions.csv").read_bytes()
    complete, _, part = restored.rpartition(b"\n")
    assert part == content[:-20].rpartition(b"\n")[2]
    assert complete in content


def test_a_backup_of_a_restored_workspace_is_the_same(backup: Path, tmp_path: Path) -> None:
    first = restore_backup(backup, tmp_path / "first")
    write_backup(open_workspace(first.folder, (tmp_path,)), tmp_path / "second.zip")
    second = restore_backup(tmp_path / "second.zip", tmp_path / "first copy")
    assert second.manifest.n_rows == first.manifest.n_rows
    assert second.manifest.n_files == first.manifest.n_files
    for file in first.folder.rglob("*.png"):
        copied = second.folder / file.relative_to(first.folder)
        assert copied.read_bytes() == file.read_bytes()
        assert copied.stat().st_mtime_ns == file.stat().st_mtime_ns


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_backup_under_load_is_restored_elsewhere_and_its_training_resumed(tmp_path: Path) -> None:
    """Labels are written and a training runs while another process makes the backup."""
    home = open_workspace(tmp_path / "home", (tmp_path,))
    dataset = uploaded(home, write_cells(tmp_path / "cells", 30))
    run = queue_training(home, dataset_id=dataset, name=None, recipe={**FINETUNE, "epochs": 1000})
    queue, folder = Queue(home, Turns()), find_job(home, run).folder
    queue.update()
    until((folder / "checkpoints" / "last.safetensors").exists)
    app, is_over, n_labeled = App(home), threading.Event(), 0
    image_ids = app.image_ids(f"datasets/{dataset}")

    def label() -> None:
        nonlocal n_labeled
        for image_id, name in itertools.cycle(itertools.product(image_ids, CLASSES)):
            if is_over.is_set():
                return
            app.send("POST", f"datasets/{dataset}/changes", {"images": [image_id], "label": name})
            n_labeled += 1

    thread = threading.Thread(target=label)
    thread.start()
    try:
        until(lambda: n_labeled > 3)
        command = [
            sys.executable,
            "-m",
            "coverslip",
            "backup",
            str(tmp_path / "backup.zip"),
            "--workspace",
            home.folder,
        ]
        done = subprocess.run([*command, "--json"], capture_output=True, check=True)
        n_at_end = n_labeled
        until(lambda: n_labeled > n_at_end)
    finally:
        is_over.set()
        thread.join()
    job = find_job(home, run)
    assert state_of(job, status_of(job)) == "running"
    n_rows = json.loads(done.stdout)["n_rows"]
    assert 3 <= n_rows["changes"] < rows_in(home)["changes"]

    # The training still runs, so the restored one must not be taken for it.
    assert main(["restore", str(tmp_path / "backup.zip"), "--workspace", str(tmp_path / "elsewhere")]) == 0
    copy = open_workspace(tmp_path / "elsewhere", (tmp_path,))
    there = App(copy)
    assert there.get(f"jobs/{run}")["state"] == "interrupted"
    stop_job(home, run)
    until(lambda: queue.update() or has_ended(state_of(job, status_of(job))))
    assert rows_in(copy) == n_rows
    assert there.image_ids(f"datasets/{dataset}") == image_ids
    finish_job(copy, run)
    assert main(list(find_job(copy, run).command[2:])) == 0
    change_job(copy, run, state="ended", queued=None)
    assert there.get(f"jobs/{run}")["state"] == "done"


# What is refused


def test_a_backup_is_refused_where_it_would_do_harm(workspace: Workspace, backup: Path, tmp_path: Path) -> None:
    with refusing(CoverslipError, "backup-exists"):
        write_backup(workspace, backup)
    with refusing(CoverslipError, "backup-inside-workspace"):
        write_backup(workspace, workspace.folder / "backup.zip")
    with refusing(CoverslipError, "backup-without-workspace"):
        write_backup(Workspace(tmp_path, ()), tmp_path / "backup.zip")
    assert list(tmp_path.iterdir()) == []
    with refusing(CoverslipError, "restore-folder-not-empty"):
        restore_backup(backup, workspace.folder)


def changed(backup: Path, file: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A copy of a backup with other entries."""
    with zipfile.ZipFile(backup) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    change(entries)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return file


def with_manifest(**values: object) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        entries[MANIFEST] = json.dumps(json.loads(entries[MANIFEST]) | values).encode()

    return change


def with_entry(name: str) -> Callable[[dict[str, bytes]], None]:
    def change(entries: dict[str, bytes]) -> None:
        content = json.loads(entries[MANIFEST])
        with_manifest(n_files=content["n_files"] + 1, n_bytes=content["n_bytes"] + 1)(entries)
        entries[name] = b"x"

    return change


def with_zeros(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda entries: entries.update({name: b"0" * len(entries[name])})


def without(name: str) -> Callable[[dict[str, bytes]], None]:
    return lambda entries: entries.pop(next(each for each in entries if each.startswith(name))) and None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *((with_entry(name), "backup-not-accepted") for name in ("../out.json", "/out.json", "runs/../../out.json")),
        *(
            (with_entry(name), "backup-not-accepted")
            for name in ("runs/%2E%2E/out.json", "runs/a%2Fb.json", "runs/%00")
        ),
        *((with_entry(name), "backup-not-accepted") for name in ("token.json", "log/app.log", "other/a.txt", "runs")),
        (without("uploads/"), "backup-not-accepted"),
        (without(WORKSPACE_DATABASE), "backup-not-accepted"),
        (without(MANIFEST), "backup-not-accepted"),
        (with_manifest(n_rows={"jobs": 1}), "backup-not-accepted"),
        (with_manifest(n_rows=None), "backup-not-accepted"),
        (with_manifest(format_version=2), "backup-version"),
        (with_manifest(database_version=0), "backup-version"),
        (with_manifest(system="amiga"), "backup-other-system"),
        (with_zeros(WORKSPACE_DATABASE), "backup-not-accepted"),
    ],
)
def test_a_hostile_backup_leaves_nothing(
    change: Callable[[dict[str, bytes]], None], code: str, backup: Path, tmp_path: Path
) -> None:
    file = changed(backup, tmp_path / "hostile.zip", change)
    with refusing(CoverslipError, code):
        restore_backup(file, tmp_path / "target" / "new")
    assert {each.name for each in tmp_path.iterdir()} <= {"hostile.zip", "target"}
    assert not (tmp_path / "target" / "new").exists()


def with_further(data: bytes, info: zipfile.ZipInfo, content: bytes) -> bytes:
    buffer = io.BytesIO(data)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def test_links_and_damaged_files_are_refused(backup: Path, tmp_path: Path) -> None:
    data, link = backup.read_bytes(), zipfile.ZipInfo("runs/link")
    link.external_attr = 0o120777 << 16
    files = {"truncated": data[:-2_000], "no zip": b"a", "changed": data[:5_000] + b"\0" * 500 + data[5_500:]}
    files["link"] = with_further(data, link, b"/etc")
    for name, content in files.items():
        (tmp_path / "bad.zip").write_bytes(content)
        with refusing(CoverslipError, "backup-not-accepted"):
            restore_backup(tmp_path / "bad.zip", tmp_path / name)
    assert [each.name for each in tmp_path.iterdir()] == ["bad.zip"]
    with refusing(CoverslipError, "backup-file-not-read"):
        restore_backup(tmp_path / "missing.zip", tmp_path / "new")


@pytest.mark.exhaustive
def test_a_bomb_is_refused(backup: Path, tmp_path: Path) -> None:
    bomb = zipfile.ZipInfo("runs/bomb.json")
    (tmp_path / "bomb.zip").write_bytes(with_further(backup.read_bytes(), bomb, b"\0" * (2**30 + 1)))
    with refusing(CoverslipError, "backup-not-accepted"):
        restore_backup(tmp_path / "bomb.zip", tmp_path / "new")
    assert [each.name for each in tmp_path.iterdir()] == ["bomb.zip"]


def test_a_run_removed_meanwhile_makes_a_backup_fail_without_a_trace(
    workspace: Workspace, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = open_workspace(restore_backup(backup, tmp_path / "copy").folder, (tmp_path,))
    (job,) = all_jobs(copy, "train")
    list_files = backups._list_files

    def remove_then_list(folder: Path) -> object:
        remove_job(copy, job.id)
        return list_files(folder)

    monkeypatch.setattr(backups, "_list_files", remove_then_list)
    with refusing(Conflict, "backup-overtaken"):
        write_backup(copy, tmp_path / "backup.zip")
    assert [each.name for each in tmp_path.iterdir()] == ["copy"]


def test_a_run_removed_and_restored_meanwhile_makes_a_backup_fail(
    workspace: Workspace, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = open_workspace(restore_backup(backup, tmp_path / "copy").folder, (tmp_path,))
    (job,) = all_jobs(copy, "train")
    list_files, removed = backups._list_files, backups._removed

    def list_then_remove(folder: Path) -> object:
        files = list_files(folder)
        remove_job(copy, job.id)
        return files

    def restore_then_compare(home: Workspace) -> object:
        restore_job(copy, job.id)
        return removed(home)

    monkeypatch.setattr(backups, "_list_files", list_then_remove)
    monkeypatch.setattr(backups, "_removed", restore_then_compare)
    with refusing(Conflict, "backup-overtaken"):
        write_backup(copy, tmp_path / "backup.zip")
    assert [each.name for each in tmp_path.iterdir()] == ["copy"]


def test_the_only_job_of_its_folder_can_be_restored_from_a_backup(backup: Path, tmp_path: Path) -> None:
    """A backup contains no empty folders."""
    copy = open_workspace(restore_backup(backup, tmp_path / "copy").folder, (tmp_path,))
    removed_jobs = [*all_jobs(copy, "predict"), *all_jobs(copy, "import")]
    for job in removed_jobs:
        remove_job(copy, job.id)
    copy.engine.dispose()
    write_backup(copy, tmp_path / "second.zip")
    again = open_workspace(restore_backup(tmp_path / "second.zip", tmp_path / "again").folder, (tmp_path,))
    assert not (again.folder / "classifiers").exists()
    for job in removed_jobs:
        restore_job(again, job.id)
        assert find_job(again, job.id).folder.exists()
    again.engine.dispose()


def test_an_interrupted_backup_or_restore_leaves_nothing(
    workspace: Workspace, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, n_copied = shutil.copyfileobj, 0

    def copy_five(*arguments: Any) -> None:
        nonlocal n_copied
        copy(*arguments)
        n_copied += 1
        if n_copied % 5 == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copyfileobj", copy_five)
    with pytest.raises(KeyboardInterrupt):
        write_backup(workspace, tmp_path / "backup.zip")
    with pytest.raises(KeyboardInterrupt):
        restore_backup(backup, tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


# Names

NAMES = st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b".."))


@given(st.lists(NAMES, min_size=1, max_size=4))
@example([b"CON", b"a.", b" ", b"100%", b"\xff", "é".encode(), "e\u0301".encode(), b"a:b"])
def test_every_name_of_a_file_can_be_stored(names: list[bytes]) -> None:
    from coverslip.files import safe_name

    path = PurePosixPath("runs", *map(os.fsdecode, names))
    assert path_of_entry(safe_name(entry_name(path))) == path


@given(st.text(string.printable))
def test_no_name_of_an_entry_leads_out_of_the_folder(name: str) -> None:
    path = path_of_entry(PurePosixPath(f"runs/{name}"))
    assert path is None or (not {"..", "."} & set(path.parts) and path.parts[0] == "runs")
