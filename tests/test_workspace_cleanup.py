"""What nobody comes back for is removed; what somebody needs is not."""

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from drawing import save_cell, save_cells
from image_sets import client_of, images_at, workspace_in
from small_workspace import once_before
from sqlalchemy import func, insert, select, update

from coverslip.errors import NotFound
from coverslip.runs.folder import Run
from coverslip.runs.recipe import Recipe
from coverslip.runs.recipe_keys import save_recipe
from coverslip.runs.status import StatusFile
from coverslip.workspace import cleanup
from coverslip.workspace.cleanup import delete_expired, remove_partial_files
from coverslip.workspace.datasets import folders, labels, sources
from coverslip.workspace.jobs.queue import remove_job
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import free_space
from coverslip.workspace.store.rows import Paging
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.queueing import adopt_runs

DAY = 86_400


def aged(home: Workspace, upload_id: str, days: float) -> Path:
    """An upload as it is so many days after it was begun."""
    place = home.uploads / upload_id
    long_ago = time.time() - days * DAY
    os.utime(place, (long_ago, long_ago))
    created = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(long_ago))
    with home.engine.begin() as connection:
        connection.execute(update(db.uploads).where(db.uploads.c.id == upload_id).values(created=created))
    return place


def begun(home: Workspace) -> str:
    upload_id = folders.start_upload(home, "cells", is_labeled=False).id
    save_cell(home.uploads / upload_id / "files" / "a.png", 0)
    return upload_id


def removed(home: Workspace, job_id: str, days: float) -> Path:
    folder = home.runs / job_id
    folder.mkdir(parents=True)
    row = {"id": job_id, "kind": "train", "name": job_id, "dataset_name": "", "folder": str(folder), "command": []}
    with home.engine.begin() as connection:
        connection.execute(insert(db.jobs).values(**row, choices={}, state="ended", created="", made_by=""))
    StatusFile(Run(folder).status_file).write("done")
    remove_job(home, job_id)
    place = home.trash / job_id
    os.utime(place, (time.time() - days * DAY,) * 2)
    return place


@pytest.mark.slow
def test_uploads_that_were_broken_off_go_after_a_week(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    old, young, finished, unnoted = (begun(home) for _ in range(4))
    folders.finish_upload(home, finished)
    sources.open_sources(
        home, [sources.Source(str(home.uploads / unnoted / "files"))], is_labeled=False
    )  # killed right then
    home.background.wait_all()
    remaining = [aged(home, young, 6), aged(home, finished, 30), aged(home, unnoted, 30)]
    gone = aged(home, old, 8)
    unknown = home.uploads / "unknown"
    unknown.mkdir()
    os.utime(unknown, (0, 0))
    delete_expired(home, threading.Event())
    assert [place.is_dir() for place in (*remaining, gone, unknown)] == [True, True, True, False, False]
    with client_of(home) as client:
        assert client.get(f"/api/v1/uploads/{old}").status_code == 404
        assert client.get(f"/api/v1/uploads/{young}").status_code == 200


def test_copies_of_a_removed_dataset_are_deleted_after_a_month(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    old, young = begun(home), begun(home)
    for upload_id, days in ((old, 31), (young, 29)):
        dataset_id = folders.finish_upload(home, upload_id).id
        home.background.wait_all()
        cleanup.remove_dataset(home, dataset_id)
        when = (datetime.now(UTC) - timedelta(days=days)).isoformat()
        with home.engine.begin() as connection:
            connection.execute(update(db.datasets).where(db.datasets.c.id == dataset_id).values(removed=when))
        aged(home, upload_id, days)
    delete_expired(home, threading.Event())
    assert not (home.uploads / old).exists()
    assert (home.uploads / young / "files").is_dir()


def test_a_dataset_that_is_being_deleted_is_not_restored_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells", n=3)))]).id
    home.background.wait_all()
    cleanup.remove_dataset(home, dataset_id)
    with home.engine.begin() as connection:
        connection.execute(update(db.datasets).values(removed="2026-01-01T00:00:00+00:00"))
    monkeypatch.setattr(cleanup, "_ROWS_AT_ONCE", 2)
    is_over = threading.Event()
    with once_before(home, "DELETE FROM images", is_over.set):  # the server ends
        cleanup.delete_removed_datasets(home, is_over)
    with home.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(db.images)).scalar_one() == 4
    assert cleanup.list_deleted(home, Paging()).items == []
    with pytest.raises(NotFound):
        cleanup.restore_dataset(home, dataset_id)
    cleanup.delete_removed_datasets(home, threading.Event())
    with home.engine.connect() as connection:
        assert connection.execute(select(db.images.c.row_id).union(select(db.datasets.c.id))).all() == []


def test_tables_of_labels_go_after_a_month_unless_something_names_them(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells", n=3)))]).id
    home.background.wait_all()
    tables = []
    for k in range(6):
        labels.set_labels(home, dataset_id, images_at(home, dataset_id, [k]), "new")
        tables += map(Path, labels.training_images(home, dataset_id).sources)
    of_job, of_dataset, of_run, of_study, young, _ = tables
    job = {"kind": "train", "dataset_name": "", "folder": str(home.runs / "x"), "choices": {}, "state": "removed"}
    add_job(home, id="a", name="a", command=["coverslip", "train", str(of_job)], **job)
    sources.open_sources(home, [sources.Source(str(of_dataset))])
    make_folder(home.runs / "adopted").joinpath("environment.json").write_text(json.dumps({"sources": [str(of_run)]}))
    plan = f"datasets:\n- path: {of_study}\n  name: plate.csv\n"
    make_folder(home.studies / "study").joinpath("study.yaml").write_text(plan)
    for file in home.snapshots.iterdir():
        if file != young:
            os.utime(file, (0, 0))
    delete_expired(home, threading.Event())
    assert [file.is_file() for file in tables] == [True, True, True, True, True, False]


def test_copies_that_another_set_uses_stay(tmp_path: Path) -> None:
    """Such as the images that corrections of predictions made images to train on."""
    home = workspace_in(tmp_path)
    upload_id = begun(home)
    first = folders.finish_upload(home, upload_id).id
    second = sources.open_sources(home, [sources.Source(str(home.uploads / upload_id / "files"))], is_labeled=False).id
    home.background.wait_all()
    cleanup.remove_dataset(home, first)
    with home.engine.begin() as connection:
        long_ago = update(db.datasets).where(db.datasets.c.id == first)
        connection.execute(long_ago.values(removed="2026-01-01T00:00:00+00:00"))
    aged(home, upload_id, 31)
    for _ in range(2):
        delete_expired(home, threading.Event())
    with home.engine.connect() as connection:
        assert connection.execute(select(db.datasets.c.id)).scalars().all() == [second]
    assert (home.uploads / upload_id / "files").is_dir()


def test_half_a_run_in_the_workspace_keeps_nothing_from_starting(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    for name, environment in (("half", None), ("odd", '{"opened": null}')):
        save_recipe(Recipe(), make_folder(home.runs / name) / "recipe.yaml")
        if environment is not None:
            (home.runs / name / "environment.json").write_text(environment)
    adopt_runs(home)
    with home.engine.connect() as connection:
        assert connection.execute(select(db.jobs.c.id)).all() == []


def make_folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


@pytest.mark.slow
def test_the_trash_is_emptied_of_what_lay_there_for_a_month(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    old, young = removed(home, "old", 31), removed(home, "young", 29)
    drawn = [
        {"list_id": name, "rows": [0], "n": 1, "seed": 0, "made": "", "made_by": "Ada"} for name in ("old", "young")
    ]
    with home.engine.begin() as connection:
        connection.execute(insert(db.draws), drawn)
        label = {"row_id": 0, "is_first": False, "made_by": "Ada", "label": "x", "is_excluded": False, "made": ""}
        connection.execute(insert(db.blind_labels), [{"list_id": each["list_id"], **label} for each in drawn])
    delete_expired(home, threading.Event())
    assert (old.exists(), young.exists()) == (False, True)
    with home.engine.connect() as connection:
        assert connection.execute(select(db.blind_labels.c.list_id)).scalars().all() == ["young"]
    with client_of(home) as client:
        assert client.post("/api/v1/jobs/old/restore").status_code == 404
        assert client.post("/api/v1/jobs/young/restore").json()["state"] == "done"


def test_what_a_killed_server_was_receiving_goes_at_the_next_start(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    upload_id = begun(home)
    upload = home.uploads / upload_id
    pieces = [upload / ".x.part", upload / ".x.unpacked" / "a.png", home.folder / "classifying" / ".abc.png"]
    mine = home.folder / "classifiers" / "0123456789.coverslip"
    pieces += [home.folder / "classifiers" / ".abc.coverslip", home.uploads / ".abc.csv"]
    pieces += [home.folder / f".workspace-version-0.sqlite.0123abcd.part{end}" for end in ("", "-journal")]
    for file in (*pieces, mine):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"")
    remove_partial_files(home)
    assert not any(file.exists() for file in pieces)
    assert mine.exists()
    assert (home.uploads / upload_id / "files" / "a.png").exists()


def test_what_was_deleted_is_listed_until_it_is_restored(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    removed(home, "earlier", 2)
    removed(home, "later", 1)
    save_cell(home.roots[0] / "cells" / "a.png", 0)
    source = sources.Source(str(home.roots[0] / "cells"))
    dataset = sources.open_sources(home, [source], is_labeled=False)
    home.background.wait_all()
    with client_of(home) as client:
        assert client.delete(f"/api/v1/datasets/{dataset.id}").status_code == 204
        listed = client.get("/api/v1/trash").json()
        assert [(item["kind"], item["id"]) for item in listed["items"]] == [
            ("dataset", dataset.id),
            ("train", "later"),
            ("train", "earlier"),
        ]
        deleted = datetime.fromisoformat(listed["items"][1]["deleted"])
        assert abs(datetime.now(UTC) - deleted - timedelta(days=1)) < timedelta(minutes=1)
        assert client.post("/api/v1/jobs/later/restore").status_code == 200
        assert client.post(f"/api/v1/datasets/{dataset.id}/restore").status_code == 200
        assert [item["id"] for item in client.get("/api/v1/trash").json()["items"]] == ["earlier"]


def test_the_space_of_deleted_rows_is_given_back(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)

    with home.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE filled (content BLOB)")
        connection.exec_driver_sql("INSERT INTO filled VALUES (zeroblob(1000000))")
    with home.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE filled")
    free_space(home.engine)
    with home.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() == 0


def test_partial_files_of_killed_processes_go_after_a_day(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    upload = begun(home)
    gone = [
        home.runs / "a" / ".report.html.0123abcd.part",
        home.predictions / "b" / ".predictions.csv.part",
        home.samples / ".images.part" / "round" / "1.png",
        home.studies / "c" / "cells" / ".net.part" / "recipe.yaml",
    ]
    young = home.runs / "a" / ".model.pt.0123abcd.part"
    stay = [young, home.runs / "a" / "mine.part", home.uploads / upload / "files" / ".mine.part"]
    for file in (*gone, *stay):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        if file != young:
            os.utime(file, (time.time() - 2 * DAY,) * 2)
            if file.parent.suffix == ".part":
                os.utime(file.parent, (time.time() - 2 * DAY,) * 2)
    os.utime(gone[2].parents[1], (time.time() - 2 * DAY,) * 2)
    delete_expired(home, threading.Event())
    assert [file.exists() for file in gone] == [False] * 4
    assert [file.exists() for file in stay] == [True] * 3
