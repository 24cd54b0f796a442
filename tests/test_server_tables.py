"""The tables of a server with accounts and of its projects: changes, transactions, backups."""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from small_workspace import API, until, write_cells
from sqlalchemy import func, select
from tables import label_changes
from test_accounts import Served, serving

from coverslip.cli import main
from coverslip.errors import Busy, CoverslipError
from coverslip.server import projects, users
from coverslip.server.backups import ServerManifest, restore_server_backup, write_server_backup
from coverslip.server.folder import open_account_server
from coverslip.workspace.backups import count_rows
from coverslip.workspace.correcting.corrections import exclude
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.store import database
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import AnyRow, change_rows, replace_rows
from coverslip.workspace.store.tables import changes, datasets, images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import DatasetImages, Filters

pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


def opened(admin: TestClient, served: Served, n: int = 24) -> tuple[str, str, Workspace]:
    """A project with a dataset that was read: the address, the ID and the workspace."""
    project = served.project(admin, "cells")
    folder = write_cells(served.server.roots[0] / "cells", n)
    answer = admin.post(f"{project}{API}/datasets", json={"sources": [{"path": str(folder)}]})
    assert answer.status_code == 201, answer.text
    (record,) = projects.list_projects(served.server)
    workspace = projects.workspace_of(served.server, record)
    until(lambda: dataset_state(workspace, answer.json()["id"]).state == "ready")
    return project, answer.json()["id"], workspace


def test_labels_are_changed_searched_and_undone(served: Served) -> None:
    admin = served.client("maria")
    project, dataset_id, workspace = opened(admin, served)
    of_dataset = f"{project}{API}/datasets/{dataset_id}"
    rows = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()
    assert len(rows) == 24
    assert rows == sorted(rows)
    answer = admin.post(f"{of_dataset}/changes", json={"rows": rows[:5], "label": "large"})
    assert answer.status_code == 200, answer.text
    state = dataset_state(workspace, dataset_id)
    assert state.n_label_changes == sum(
        image.label_before != "large" for image in images_at(workspace, dataset_id, rows[:5])
    )
    by_label = DatasetImages(workspace, dataset_id).page(Filters(sort="label", search="SLIDE"), limit=100).items
    assert [image.label for image in by_label] == sorted(image.label for image in by_label if image.label is not None)
    again = admin.post(f"{of_dataset}/changes", json={"rows": rows[:5], "label": "large"}).json()
    assert (again["change"], again["n"]) == (None, 0)
    with workspace.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(changes)).scalar_one() == 1
    undone = admin.post(f"{project}{API}/changes/{answer.json()['change']}/undo")
    assert undone.status_code == 200, undone.text
    assert dataset_state(workspace, dataset_id).n_label_changes == 0
    changed, n = exclude(workspace, dataset_id, ImageSelection(rows=rows[:3]), is_excluded=True)
    assert (changed is None, n) == (False, 3)
    assert DatasetImages(workspace, dataset_id).row_ids(Filters(only="excluded")).tolist() == rows[:3]


def test_an_address_with_nul_does_not_exist(served: Served) -> None:
    admin = served.client("maria")
    for path in ("/projects/%00/", "/projects/A%00b/", f"/projects/%00{API}/datasets", f"{API}/session%00"):
        assert admin.get(path).status_code == admin.post(path).status_code == 404


def test_the_history_lists_small_and_large_changes(served: Served) -> None:
    admin = served.client("maria")
    project, dataset_id, workspace = opened(admin, served)
    rows = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()
    sent = [(rows[:1], "a"), (rows[:12], "b"), (rows[:13], "c"), (rows, "d"), (rows[2:4], "e")]
    for row_ids, label in sent:
        assert set_labels(workspace, dataset_id, ImageSelection(rows=row_ids), label)[0] is not None
    listed = label_changes(admin, f"{project}{API}/datasets/{dataset_id}")
    assert [row["label"] for row in listed] == [label for row_ids, label in sent for _ in row_ids]
    assert listed[-1]["label_before"] == "d"


def images_at(workspace: Workspace, dataset_id: str, rows: list[int]) -> list[AnyRow]:
    query = select(images).where(images.c.dataset_id == dataset_id, images.c.row_id.in_(rows))
    with workspace.engine.connect() as connection:
        return list(connection.execute(query).all())


def test_changes_at_the_same_time_follow_one_another(served: Served) -> None:
    _, dataset_id, workspace = opened(served.client("maria"), served)
    rows = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()
    before = dataset_state(workspace, dataset_id).revision
    failures: list[BaseException] = []

    def label(of_thread: list[int]) -> None:
        try:
            for row_id in of_thread:
                set_labels(workspace, dataset_id, ImageSelection(rows=[row_id]), "large")
                set_labels(workspace, dataset_id, ImageSelection(rows=[row_id]), "medium")
        except BaseException as error:  # noqa: BLE001 - shown by the assertion
            failures.append(error)

    threads = [threading.Thread(target=label, args=[rows[k::6]]) for k in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    state = dataset_state(workspace, dataset_id)
    assert {each.name: each.n for each in state.classes if each.n} == {"medium": 24}
    assert state.revision > before
    with workspace.engine.connect() as connection:
        assert set(connection.execute(select(images.c.label)).scalars()) == {"medium"}


def test_a_reader_sees_one_state_and_a_writer_waits_for_another(served: Served) -> None:
    _, dataset_id, workspace = opened(served.client("maria"), served)
    name = select(datasets.c.name).where(datasets.c.id == dataset_id)
    with read_transaction(workspace.engine) as reader:
        earlier = reader.execute(name).scalar_one()
        with write_transaction(workspace.engine) as writer:
            writer.execute(datasets.update().values(name="renamed"))
        assert reader.execute(name).scalar_one() == earlier
    with write_transaction(workspace.engine) as writer:
        assert writer.execute(name).scalar_one() == "renamed"
        token = database._wait_seconds.set(1)
        try:
            with pytest.raises(Busy), write_transaction(workspace.engine):
                pass
        finally:
            database._wait_seconds.reset(token)


def test_paths_and_texts_of_all_kinds_are_stored(served: Served) -> None:
    _, dataset_id, workspace = opened(served.client("maria"), served)
    paths = ["/c/ü.png", os.fsdecode(b"/c/\xff.png"), "/c/it's %41 $1.png"]
    rows = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()[:3]
    texts = ["zelle", None, "Zelle"]
    with workspace.engine.connect() as connection:
        stored = connection.execute(select(images).where(images.c.row_id.in_(rows))).mappings().all()
    new = [{**row, "path": path, "label": label} for row, path, label in zip(stored, paths, texts, strict=True)]
    with write_transaction(workspace.engine) as connection:
        replace_rows(connection, images, [{**new[0], "label": "earlier"}, *new])
    with workspace.engine.connect() as connection:
        assert {
            row.path: row.label for row in connection.execute(select(images).where(images.c.row_id.in_(rows)))
        } == dict(zip(paths, texts, strict=True))


def test_many_rows_are_changed_by_their_keys(served: Served) -> None:
    _, dataset_id, workspace = opened(served.client("maria"), served)
    rows = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()
    texts: list[str | None] = [None, "", "it's %s", "Zelle ü", '{"a": 1}']
    new = [{"row_id": row, "group": texts[k % len(texts)], "width_px": k or None} for k, row in enumerate(rows[:-1])]
    query = select(images.c.row_id, images.c.group, images.c.width_px, images.c.path).order_by(images.c.row_id)
    with workspace.engine.connect() as connection:
        before = {row.row_id: row for row in connection.execute(query)}
    with write_transaction(workspace.engine) as connection:
        change_rows(connection, images, new)
        change_rows(connection, images, [])
    with workspace.engine.connect() as connection:
        after = {row.row_id: row for row in connection.execute(query)}
    assert [(row, after[row].group, after[row].width_px) for row in rows[:-1]] == [tuple(row.values()) for row in new]
    assert after[rows[-1]] == before[rows[-1]]
    assert [row.path for row in after.values()] == [row.path for row in before.values()]


def test_a_dataset_that_is_read_again_keeps_its_rows_and_new_images_get_new_ones(served: Served) -> None:
    _, dataset_id, workspace = opened(served.client("maria"), served)
    folder = served.server.roots[0] / "cells"
    before = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()
    set_labels(workspace, dataset_id, ImageSelection(rows=before[:2]), "large")
    removed, *_ = sorted(folder.rglob("*.png"))
    copy = removed.with_name("added.png")
    removed.rename(copy)
    sources.refresh_dataset(workspace, dataset_id)
    workspace.background.wait_all()
    after = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()
    assert sorted(after) == sorted(before)  # it is the same image under another name
    (copy.parent / "second.png").write_bytes(copy.read_bytes() + b" ")
    sources.refresh_dataset(workspace, dataset_id)
    workspace.background.wait_all()
    new = set(DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()) - set(before)
    assert len(new) == 1
    assert min(new) > max(before)


def refusal(action: Callable[[], object]) -> tuple[type, str]:
    with pytest.raises(CoverslipError) as refused:
        action()
    return type(refused.value), refused.value.code


def test_a_backup_of_a_running_server_is_restored(served: Served, tmp_path: Path) -> None:
    admin = served.client("maria")
    served.client("tom")
    project, dataset_id, workspace = opened(admin, served)
    rows = DatasetImages(workspace, dataset_id).row_ids(Filters()).tolist()
    set_labels(workspace, dataset_id, ImageSelection(rows=rows[:4]), "large")
    set_labels(workspace, dataset_id, ImageSelection(rows=rows[4:]), "medium")
    admin.put(f"{API}{project}/members/{users.find_user_by_name(served.server, 'tom').id}", json={"role": "annotator"})
    ended = threading.Event()

    def label() -> None:
        while not ended.is_set():
            set_labels(workspace, dataset_id, ImageSelection(rows=rows[4:]), "large")
            set_labels(workspace, dataset_id, ImageSelection(rows=rows[4:]), "medium")

    labeling = threading.Thread(target=label)
    labeling.start()
    try:
        assert main(["backup", str(tmp_path / "backup"), "--server", str(served.server.folder)]) == 0
    finally:
        ended.set()
        labeling.join()
    manifest = ServerManifest.read(tmp_path / "backup" / "server.json")
    project_id = workspace.folder.name
    assert manifest.accounts["users"] == 2
    assert manifest.projects[project_id].n_rows["images"] == 24
    folder = tmp_path / "restored"
    assert main(["restore", str(tmp_path / "backup"), "--server", str(folder)]) == 0
    copy = open_account_server(folder, served.server.roots)
    assert [user.name for user in users.list_users(copy)] == ["maria", "tom"]
    (record,) = projects.list_projects(copy)
    assert [(member.name, member.role) for member in projects.list_members(copy, record.id)] == [("tom", "annotator")]
    restored = projects.workspace_of(copy, record)
    with closing(sqlite3.connect(restored.folder / "workspace.sqlite")) as connection:
        assert count_rows(connection) == manifest.projects[project_id].n_rows
    with restored.engine.connect() as connection:
        labels = connection.execute(select(images.c.label).order_by(images.c.position)).scalars().all()
    assert labels[:4] == ["large"] * 4
    assert len(set(labels[4:])) == 1
    assert DatasetImages(restored, dataset_id).row_ids(Filters()).tolist() == rows
    with write_transaction(restored.engine) as connection:
        row = connection.execute(select(images).where(images.c.row_id == rows[-1])).mappings().one()
        new = {**row, "position": 24, "image_id": "new"}
        del new["row_id"]
        (number,) = connection.execute(images.insert().values(**new).returning(images.c.row_id)).one()
        assert number > max(rows)
    restored.engine.dispose()
    assert main(["restore", str(tmp_path / "backup"), "--server", str(folder)]) == 1


def test_an_incomplete_backup_of_a_server_is_refused_and_leaves_nothing(served: Served, tmp_path: Path) -> None:
    opened(served.client("maria"), served)
    write_server_backup(served.server, tmp_path / "backup")
    (archive,) = (tmp_path / "backup" / "projects").iterdir()
    stated = (tmp_path / "backup" / "server.json").read_text()
    (tmp_path / "backup" / "server.json").write_text(stated.replace(archive.stem, "../elsewhere"))
    assert refusal(lambda: restore_server_backup(tmp_path / "backup", tmp_path / "restored")) == (
        CoverslipError,
        "backup-of-server-not-accepted",
    )
    (tmp_path / "backup" / "server.json").write_text(stated)
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(CoverslipError):
        restore_server_backup(tmp_path / "backup", tmp_path / "restored")
    assert not (tmp_path / "restored").exists()
    (tmp_path / "backup" / "server.json").unlink()
    assert refusal(lambda: restore_server_backup(tmp_path / "backup", tmp_path / "restored")) == (
        CoverslipError,
        "backup-of-server-not-accepted",
    )
