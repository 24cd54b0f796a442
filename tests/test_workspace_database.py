"""The workspace's tables: of other versions, damaged, on full and read-only disks."""

import asyncio
import json
import os
import re
import resource
import signal
import sqlite3
import time
import warnings
import zipfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path

import pytest
from fastapi import FastAPI
from refusing import refusing
from sqlalchemy import Engine, MetaData, insert, select
from sqlalchemy.exc import OperationalError

import coverslip as cs
from coverslip._version import __version__
from coverslip.app.server import bound_socket, run_until_ended, runner_of
from coverslip.cache.stores import exclusive_lock
from coverslip.cli import main
from coverslip.errors import CoverslipError, DiskFull
from coverslip.events import Event, Noted, OnProgress, Progressed
from coverslip.images.reading import BEYOND_EDGE, NO_SUCH_FILE
from coverslip.messages import ChooseOther, Remedy, RestoreBackup, message, message_of
from coverslip.server.app import open_accounts_server
from coverslip.server.backups import write_server_backup
from coverslip.server.folder import open_account_server
from coverslip.server.projects import ProjectApps, add_project, workspace_of
from coverslip.server.users import add_user
from coverslip.workspace.backups import DATABASE, MANIFEST, count_rows, restore_backup, write_backup
from coverslip.workspace.cleanup import list_deleted
from coverslip.workspace.jobs.listing import job_state
from coverslip.workspace.jobs.queue import remove_job, restore_job
from coverslip.workspace.lists import image_in_dataset, images_of_job, match_earlier_jobs
from coverslip.workspace.predictions.classifiers import list_classifiers
from coverslip.workspace.store import database, tables, upgrades
from coverslip.workspace.store.database import check_pages, open_database, write_transaction
from coverslip.workspace.store.rows import OUTSIDE, Paging
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace, only_server, open_workspace

UPLOAD = {"id": "u", "name": "first", "is_labeled": True, "n_files": 0, "n_bytes": 0, "has_folders": False}
UPLOAD |= {"max_files": 1, "max_bytes": 1, "created": ""}


def labels_in(file: Path) -> list[str]:
    with open_database(file).connect() as connection:
        return list(connection.execute(select(images.c.label)).scalars())


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A workspace with a label."""
    file = tmp_path / "workspace.sqlite"
    dataset = {"id": "d", "name": "cells", "kind": "folders", "sources": [], "is_labeled": True, "class_names": []}
    dataset |= {"class_plan": {}, "summary": {}, "revision": 0, "state": "ready", "created": ""}
    image = {"dataset_id": "d", "position": 0, "image_id": "a.png", "path": "/c/a.png", "shown_path": "a.png"}
    with write_transaction(open_database(file)) as connection:
        connection.execute(insert(tables.datasets).values(**dataset))
        connection.execute(insert(images).values(**image, label="given here", domain="", version="1"))
    return file


@pytest.mark.parametrize(("version", "needed"), [(0, ""), (database.VERSION + 1, "9.8.7")])
def test_a_workspace_of_another_version_is_refused_and_left_alone(written: Path, version: int, needed: str) -> None:
    with closing(sqlite3.connect(written)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
        if needed:  # as that version of coverslip records itself
            connection.execute("INSERT INTO coverslip_versions VALUES (?, ?, '')", (version, needed))
        connection.commit()
        before = [version, *connection.iterdump()]
    with pytest.raises(CoverslipError) as refused:
        open_database(written)
    error = refused.value
    assert (error.code, error.file, error.remedies) == ("workspace-version", written, (ChooseOther("workspace"),))
    stated = {"version": version, "expected": database.VERSION, "has_needed": bool(needed), "needed": needed}
    assert error.parameters == stated
    with closing(sqlite3.connect(written)) as connection:
        assert [*connection.execute("PRAGMA user_version").fetchone(), *connection.iterdump()] == before


Step = Callable[[sqlite3.Connection, OnProgress], None]
WORKSPACES = Path(__file__).parent / "workspaces"  # the statements of a small workspace of each version


def versions_in(file: Path) -> dict[int, str]:
    """The version of coverslip that wrote each version of the tables."""
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT version, coverslip FROM coverslip_versions"))


def earlier_workspace(version: int, folder: Path) -> Path:
    """A database as that version wrote it: three images; what is said about them, and about images that are missing."""
    file = folder / "workspace.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        statements = WORKSPACES / f"version_{max(version, 6)}.sql"
        connection.executescript(statements.read_text(encoding="utf-8"))
        if version == 5:
            connection.execute("ALTER TABLE datasets DROP COLUMN group_merge")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    return file


def described(file: Path) -> dict[str, list[object]]:
    """The columns, references and indexes of each table."""
    with closing(sqlite3.connect(file)) as connection:
        names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        described: dict[str, list[object]] = {}
        for (table,) in connection.execute(names).fetchall():
            columns = [row[1:] for row in connection.execute(f"PRAGMA table_info({table})")]
            references = [row[2:] for row in connection.execute(f"PRAGMA foreign_key_list({table})")]
            indexes = [row[1:3] for row in connection.execute(f"PRAGMA index_list({table})")]
            inner = [connection.execute(f"PRAGMA index_info({name})").fetchall() for name, _ in indexes]
            described[table] = [sorted(columns), references, sorted(zip(indexes, inner, strict=True))]
        return described


@pytest.mark.parametrize("version", [5, 6, 7])
def test_a_workspace_of_an_earlier_version_is_brought_to_this_one(tmp_path: Path, version: int) -> None:
    file, new = earlier_workspace(version, tmp_path), tmp_path / "new.sqlite"
    open_database(new).dispose()
    for _ in range(2):
        engine = open_database(file)
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
            statements = {
                table.name: [tuple(row)[1:] for row in connection.execute(select(table))]
                for table in (tables.confirmed_labels, tables.reserved_images, tables.suggested_images, tables.readings)
            }
            rows = connection.execute(select(images).order_by(images.c.row_id)).all()
            assert connection.execute(select(tables.datasets.c.group_merge)).scalars().all() == [{}]
        engine.dispose()
        now = [(row.row_id, row.dataset_id, row.image_id, row.path, row.label_before, row.label) for row in rows]
        assert now == [
            *((k + 1, "d", f"{k}.png", f"/c/{k}.png", None, "a") for k in range(3)),
            *((5, None, "x.png", "/c/x.png", None, "z"), (6, None, "", "/c/y.png", "", None)),  # of missing images
            (7, None, "gone.png", "", None, None),
        ]
        assert statements == {
            "confirmed_labels": [(2, "a", "m", "me"), (5, "z", "m", "me"), (7, "b", "m", "me")],
            "reserved_images": [(3,)],
            "suggested_images": [(1, 1, 0.5, message_of("r"))],
            "readings": [(1, "eva", "b", "m")],
        }
        after, expected = described(file), described(new)
        if version == 5:  # the column that was added is the last one
            after.pop("datasets"), expected.pop("datasets")
        assert after == expected
    assert versions_in(file)[database.VERSION] == versions_in(new)[database.VERSION] == __version__
    with closing(sqlite3.connect(tmp_path / f"workspace-version-{version}.sqlite")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
        if version < 7:
            assert connection.execute("SELECT count(*) FROM removed_image_labels").fetchone() == (2,)


_ROWS_7 = """
CREATE TABLE rows (
    row_id INTEGER PRIMARY KEY, image_id TEXT NOT NULL, path TEXT NOT NULL, file TEXT NOT NULL, plan TEXT NOT NULL,
    label TEXT, predicted TEXT, decision TEXT NOT NULL, probability REAL, probabilities TEXT NOT NULL, reason TEXT,
    warning TEXT, ood_score REAL, prediction_set TEXT
);
CREATE TABLE repeats (row_id INTEGER PRIMARY KEY, first INTEGER NOT NULL);
"""


def test_predictions_of_version_7_keep_their_rows_and_find_their_images(tmp_path: Path) -> None:
    file, folder = earlier_workspace(7, tmp_path), tmp_path / "predictions" / "monday"
    folder.mkdir(parents=True)
    listed = [("0.png", "/c/0.png"), ("2.png", "/c/2.png"), ("0.png (2)", "/c/0.png"), ("other.png", "/other/0.png")]
    with closing(sqlite3.connect(folder / "rows.sqlite")) as connection:
        connection.executescript(_ROWS_7)
        for k, (image_id, path) in enumerate(listed):
            cells = (k, image_id, path, json.dumps(path), "{}", "a", "b", "b", 0.75, "[0.25, 0.75]", "b" * k or None)
            connection.execute(f"INSERT INTO rows VALUES ({', '.join('?' * 11)}, NULL, 0.5, '[\"b\"]')", cells)
        connection.execute("INSERT INTO repeats VALUES (2, 0)")
        connection.commit()
    (folder / "cells.jsonl").write_text('["well"]\n["A1"]\n["A2"]\n["A1"]\n[""]\n')
    (folder / "predictions.csv").write_text("image_id\n")
    with closing(sqlite3.connect(file)) as connection:
        choices = json.dumps({"sources": [], "classes": ["a", "b"]})
        connection.execute(
            "INSERT INTO jobs (id, kind, name, dataset_id, dataset_name, folder, command, choices, state, created) "
            "VALUES ('p', 'predict', 'Monday', 'd', 'd', ?, '[]', ?, 'ended', '2026-01-01')",
            (str(folder), choices),
        )
        connection.commit()
    workspace = open_workspace(tmp_path, (tmp_path,))
    match_earlier_jobs(workspace)
    predicted = images_of_job(workspace, "p")
    rows = [
        (row.image_id, row.probabilities, row.reason and row.reason.parameters["text"], row.cells["well"])
        for row, _ in predicted.every_row()
    ]
    both = {"a": 0.25, "b": 0.75}
    assert rows == [(listed[k][0], both, "b" * k or None, well) for k, well in enumerate(("A1", "A2", "A1", ""))]
    assert predicted.rows_of_image(2) == [0, 2]
    with workspace.engine.connect() as connection:
        assert [image_in_dataset(connection, predicted.job, k) for k in range(4)] == [1, 3, 1, None]


def test_a_workspace_of_this_version_is_kept_for_later_ones(tmp_path: Path) -> None:
    """After a change of the tables, `workspaces/write.py` writes it."""
    new = tmp_path / "new.sqlite"
    open_database(new).dispose()
    assert described(earlier_workspace(database.VERSION, tmp_path)) == described(new)


def test_a_database_in_use_by_a_server_is_not_brought_to_this_version(tmp_path: Path) -> None:
    file = earlier_workspace(6, tmp_path)
    server = closing(exclusive_lock(tmp_path / "server.lock"))  # of the earlier version
    with server, pytest.raises(CoverslipError) as refused:
        open_database(file)
    assert refused.value.code == "workspace-upgraded-while-served"
    with only_server(tmp_path):
        open_database(file).dispose()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (database.VERSION,)


def backup_of(file: Path, folder: str, backup: Path) -> None:
    """A backup of a workspace in this folder, as the version of the database wrote it."""
    with closing(sqlite3.connect(file)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        rows = count_rows(connection)
    size = {"n_files": 1, "n_bytes": file.stat().st_size, "n_rows": rows, "n_images_outside": 0, "n_links": 0}
    source = {"coverslip": "0.1.0", "system": os.name, "workspace": folder, "created": "2026-01-01T00:00:00+00:00"}
    with zipfile.ZipFile(backup, "w") as archive:
        archive.write(file, DATABASE)
        archive.writestr(MANIFEST, json.dumps({"format_version": 1, "database_version": version, **source, **size}))


@pytest.mark.parametrize("version", [5, 6, 7])
def test_a_backup_of_an_earlier_version_is_restored_and_brought_to_this_one(tmp_path: Path, version: int) -> None:
    file, backup = earlier_workspace(version, tmp_path), tmp_path / "backup.zip"
    backup_of(file, "/c", backup)
    folder = restore_backup(backup, tmp_path / "restored").folder
    open_database(file).dispose()
    restored = open_workspace(folder, (tmp_path,))
    with restored.engine.connect() as connection:
        paths = connection.execute(select(images.c.path).where(images.c.dataset_id.is_not(None))).scalars().all()
        assert paths == [str(folder / f"{k}.png") for k in range(3)]
        labels = connection.execute(select(tables.confirmed_labels.c.label)).scalars().all()
        assert labels == ["a", "z", "b"]
    assert versions_in(restored.database_file)[database.VERSION] == __version__
    assert described(restored.database_file) == described(file)


def test_a_backup_of_a_later_version_names_that_version(tmp_path: Path) -> None:
    file, backup = earlier_workspace(6, tmp_path), tmp_path / "backup.zip"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {database.VERSION + 1}")
    backup_of(file, "/c", backup)
    with refusing(CoverslipError, "backup-version", has_needed=True, needed="0.1.0"):
        restore_backup(backup, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_server_on_a_network_drive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    server = open_account_server(tmp_path / "server")
    add_user(server, "maria", is_admin=True)
    drive = psutil.disk_partitions(all=True)[0]._replace(mountpoint=str(tmp_path), fstype="nfs4")
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [drive])
    with pytest.raises(CoverslipError) as refused, open_accounts_server(server, port=0):
        pass
    assert (refused.value.code, refused.value.parameters) == ("workspace-on-network-drive", {"file_system": "nfs4"})


def test_a_server_that_lost_its_accounts_is_not_started_without_them(tmp_path: Path) -> None:
    server = open_account_server(tmp_path / "server")
    add_user(server, "maria", is_admin=True)
    (server.projects / "p").mkdir()
    server.engine.dispose()
    for file in server.folder.glob("accounts.sqlite*"):
        file.unlink()
    with pytest.raises(CoverslipError) as refused:
        open_account_server(tmp_path / "server")
    assert refused.value.code == "server-without-accounts"


def test_a_step_that_fails_leaves_the_earlier_version(tmp_path: Path) -> None:
    file = earlier_workspace(6, tmp_path)

    def fail(connection: sqlite3.Connection, report: OnProgress) -> None:
        upgrades.STEPS[6](connection, report)
        raise sqlite3.OperationalError("interrupted")

    with closing(sqlite3.connect(file)) as connection:
        before = list(connection.iterdump())
    with pytest.raises(CoverslipError):
        open_database(file, steps={**upgrades.STEPS, 6: fail})
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (6,)
        assert list(connection.iterdump()) == before
    open_database(file).dispose()


@pytest.mark.exhaustive
def test_an_upgrade_reports_its_copy_and_a_rising_share_of_each_step(tmp_path: Path) -> None:
    file, events = earlier_workspace(5, tmp_path), list[Event]()

    def slowly(step: Step) -> Step:
        def upgrade(connection: sqlite3.Connection, report: OnProgress) -> None:
            time.sleep(1.1)  # events are emitted after a second
            step(connection, report)

        return upgrade

    steps = {version: slowly(step) for version, step in upgrades.STEPS.items()}
    open_database(file, steps=steps, emit=events.append).dispose()
    first, *others = events
    assert isinstance(first, Noted)
    assert first.note.code == "workspace-upgrade"
    upgrade = {"folder": str(tmp_path), "version": 5, "expected": database.VERSION}
    assert first.note.parameters == {**upgrade, "copy": "workspace-version-5.sqlite"}
    assert (tmp_path / "workspace-version-5.sqlite").is_file()
    shares = defaultdict[int, list[int]](list)
    for event in others:
        assert isinstance(event, Progressed)
        shares[event.parameters["version"]].append(event.done)
    assert list(shares) == list(range(6, database.VERSION + 1))
    for each in shares.values():
        assert each == sorted(each)
        assert each[-1] == 100


def content_of(file: Path) -> list[object]:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [*connection.execute("PRAGMA user_version").fetchone(), *connection.iterdump()]


def ends_when_killed(work: Callable[[], object]) -> bool:
    """Whether the work ends in a process of its own, in which it may be killed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the work needs none of the other threads
        pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status in (0, signal.SIGKILL, signal.SIGXFSZ)
    return status == 0


@pytest.mark.exhaustive
@pytest.mark.slow
def test_an_upgrade_that_is_killed_at_any_statement_leaves_the_earlier_version(tmp_path: Path) -> None:
    file = earlier_workspace(5, tmp_path)
    copy, before = tmp_path / "workspace-version-5.sqlite", content_of(file)

    def killed_at(last: int) -> Callable[[], object]:
        statements = count(1)

        def kill(_: str) -> None:
            if next(statements) == last:
                os.kill(os.getpid(), signal.SIGKILL)

        def traced(step: Step) -> Step:
            def upgrade(connection: sqlite3.Connection, report: OnProgress) -> None:
                connection.set_trace_callback(kill)  # until the end of the transaction
                step(connection, report)

            return upgrade

        return lambda: open_database(file, steps={version: traced(step) for version, step in upgrades.STEPS.items()})

    for n_killed in count():
        assert not ends_when_killed(killed_at(n_killed + 1))
        content = content_of(file)
        assert content_of(copy) == before
        if content[0] == database.VERSION:  # it was killed after the transaction
            break
        assert content == before
    assert n_killed > 30
    open_database(file).dispose()
    assert versions_in(file) == {database.VERSION: __version__}
    assert content_of(copy) == before


def test_an_upgrade_that_is_killed_at_any_write_leaves_one_version_or_the_other(tmp_path: Path) -> None:
    """A limit of the size of files ends the process in the midst of writing: in the copy, or in the log of SQLite."""
    file = earlier_workspace(6, tmp_path)
    copy, before = tmp_path / "workspace-version-6.sqlite", content_of(file)

    def killed_at(n_bytes: int) -> Callable[[], None]:
        def work() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
            open_database(file)

        return work

    states = set()
    for n_bytes in count(10_000, 30_000):
        is_ended = ends_when_killed(killed_at(n_bytes))
        assert not copy.exists() or content_of(copy) == before
        version = content_of(file)[0]
        assert version == database.VERSION or content_of(file) == before
        states.add((copy.exists(), version))
        if is_ended:
            break
    assert states == {(False, 6), (True, 6), (True, database.VERSION)}
    open_database(file).dispose()
    assert versions_in(file) == {database.VERSION: __version__}


def test_a_workspace_of_this_version_keeps_its_labels(written: Path) -> None:
    assert labels_in(written) == ["given here"]


def test_tables_that_cannot_be_created_leave_no_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("CREATE TABLE images (label VARCHAR)")
        raise sqlite3.DatabaseError("no such thing")

    file = tmp_path / "workspace.sqlite"
    with monkeypatch.context() as patched:
        patched.setattr(database, "_create_tables", create)
        with pytest.raises(CoverslipError) as refused:
            open_database(file)
    assert refused.value.parameters["reason"] == "no such thing"
    assert list(tmp_path.iterdir()) == []
    assert labels_in(file) == []


def test_what_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "workspace.sqlite"
    file.write_bytes(b"no database, but long enough to look like one" * 100)
    with pytest.raises(CoverslipError) as refused:
        open_database(file)
    assert (refused.value.code, refused.value.remedies) == ("workspace-database-damaged", (ChooseOther("workspace"),))


@pytest.fixture
def whole(written: Path) -> Path:
    """The same, all of it in the one file."""
    with closing(sqlite3.connect(written)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return written


def test_zeroed_pages_are_said_to_be_damage_wherever_they_are_met(whole: Path) -> None:
    data = whole.read_bytes()
    outcomes = set()
    for at in range(0, len(data), 4096):
        whole.write_bytes(data[:at] + bytes(4096) + data[at + 4096 :])
        try:
            labels_in(whole)
        except CoverslipError as error:
            outcomes.add(error.code)
    assert outcomes == {"workspace-database-damaged"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("DROP TABLE images", "'images'"),
        ("ALTER TABLE datasets DROP COLUMN name", "'datasets' .* name$"),
    ],
)
def test_a_missing_table_or_column_is_reported_when_the_workspace_is_opened(
    whole: Path, change: str, expected: str
) -> None:
    with closing(sqlite3.connect(whole)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(CoverslipError) as refused:
        open_database(whole)
    assert refused.value.code == "workspace-database-damaged"
    assert re.search(expected, refused.value.parameters["reason"])


def refusal_of(file: Path) -> str:
    with pytest.raises(CoverslipError) as refused:
        open_database(file)
    assert refused.value.file == file
    return refused.value.code


def test_a_database_without_tables_is_never_opened_as_a_new_one(written: Path, tmp_path: Path) -> None:
    content, log = written.read_bytes(), written.with_name(f"{written.name}-wal").read_bytes()
    assert log
    written.write_bytes(b"")
    assert refusal_of(written) == "workspace-database-empty"
    assert (written.read_bytes(), written.with_name(f"{written.name}-wal").read_bytes()) == (b"", log)
    written.unlink()
    assert refusal_of(written) == "workspace-database-damaged"  # the log has labels
    written.write_bytes(content)
    assert labels_in(written) == ["given here"]
    emptied = tmp_path / "emptied.sqlite"
    with closing(sqlite3.connect(emptied)) as connection:
        connection.executescript("CREATE TABLE images (label VARCHAR); DROP TABLE images; VACUUM")
    assert emptied.stat().st_size
    assert refusal_of(emptied) == "workspace-database-empty"
    emptied.unlink()  # to begin again
    assert labels_in(emptied) == []


def test_a_database_that_another_process_creates_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, create = tmp_path / "workspace.sqlite", database._create_tables

    def create_late(connection: sqlite3.Connection, created: MetaData) -> None:
        monkeypatch.setattr(database, "_create_tables", create)
        create(connection, created)
        with write_transaction(open_database(file)) as other:
            other.execute(insert(tables.uploads).values(**UPLOAD))

    monkeypatch.setattr(database, "_create_tables", create_late)
    with open_database(file).connect() as connection:
        assert connection.execute(select(tables.uploads.c.name)).scalars().all() == ["first"]
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_every_zeroed_page_is_found_when_a_server_starts(whole: Path) -> None:
    data = whole.read_bytes()
    check_pages(whole)
    for at in range(0, len(data), 4096):
        whole.write_bytes(data[:at] + bytes(4096) + data[at + 4096 :])
        with pytest.raises(CoverslipError) as refused:
            check_pages(whole)
        assert refused.value.code == "workspace-database-damaged"


def test_the_newest_backup_that_exists_is_the_remedy_of_damage(tmp_path: Path) -> None:
    workspace = open_workspace(tmp_path / "home")
    workspace.engine.dispose()
    for name in ("first", "second"):
        write_backup(Workspace(workspace.folder, ()), tmp_path / f"{name}.zip")
    damage(workspace.folder / "workspace.sqlite")

    def remedy() -> Remedy:
        with pytest.raises(CoverslipError) as refused:
            Workspace(workspace.folder, ()).check_database()
        return refused.value.remedies[0]

    assert remedy() == RestoreBackup(str(tmp_path / "second.zip"))
    with pytest.raises(CoverslipError) as of_request:
        read_all(workspace.engine)
    assert of_request.value.code == "workspace-database-damaged"
    assert of_request.value.remedies == (ChooseOther("workspace"),)  # clients need not know where backups are
    (tmp_path / "second.zip").unlink()
    assert remedy() == RestoreBackup(str(tmp_path / "first.zip"))
    (tmp_path / "first.zip").unlink()
    assert remedy() == ChooseOther("workspace")


def read_all(engine: Engine) -> None:
    with engine.connect() as connection:
        for table in tables.metadata.sorted_tables:
            connection.execute(select(table).order_by(*table.columns)).all()


def damage(file: Path) -> None:
    """Zero the first page of the labels, which opening a database does not read."""
    with closing(sqlite3.connect(file)) as connection:
        name = "images" if file.name == "workspace.sqlite" else "activity"
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()
    with file.open("r+b") as stream:
        stream.seek((page - 1) * 4096)
        stream.write(bytes(4096))


@pytest.mark.slow
def test_damage_and_the_newest_backup_reach_the_terminal_of_the_app(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, backup = open_workspace(tmp_path / "home"), tmp_path / "backup.zip"
    workspace.engine.dispose()
    write_backup(workspace, backup)
    damage(workspace.folder / "workspace.sqlite")
    command = ["app", "--no-browser", "--port", "0", "--workspace", str(workspace.folder)]
    assert main(command) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"coverslip restore {backup} --workspace" in err.replace("\n", " ")


@pytest.mark.slow
def test_damage_of_accounts_and_projects_reaches_the_terminal_of_the_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, backup = open_account_server(tmp_path / "server"), tmp_path / "backup"
    add_user(server, "maria", is_admin=True)
    project = add_project(server, "Blood")
    workspace_of(server, project).engine.dispose()
    write_server_backup(server, backup)
    server.engine.dispose()
    damage(server.projects / project.id / "workspace.sqlite")
    reports: list[tuple[str, tuple[Remedy, ...]]] = []

    async def serve() -> None:
        apps = ProjectApps(server, report=lambda each, error: reports.append((each.name, error.remedies)))  # type: ignore[union-attr]
        async with apps.serving():
            assert apps.served(project.id) is None

    with ThreadPoolExecutor(1) as pool:  # a browser's event loop may run in this thread
        pool.submit(asyncio.run, serve()).result()
    zipped = backup / "projects" / f"{project.id}.zip"
    assert reports == [("Blood", (RestoreBackup(str(zipped)), ChooseOther("workspace")))]
    server.engine.dispose()
    damage(server.folder / "accounts.sqlite")
    assert main(["server", str(server.folder), "--port", "0"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert f"coverslip restore {backup} --server" in err.replace("\n", " ")


@pytest.mark.slow
def test_an_error_of_the_start_of_a_server_is_raised() -> None:
    @asynccontextmanager
    async def failing(_: FastAPI) -> AsyncIterator[None]:
        raise CoverslipError("workspace-busy")
        yield

    # A browser's event loop may run in this thread.
    with bound_socket("127.0.0.1", 0) as bound, ThreadPoolExecutor(1) as pool, pytest.raises(CoverslipError) as raised:
        pool.submit(run_until_ended, runner_of(FastAPI(lifespan=failing)), bound).result()
    assert raised.value.code == "workspace-busy"


def test_a_new_workspace_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert open_workspace(tmp_path / "further" / "home").folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").mkdir(mode=0o750)
    assert open_workspace(tmp_path / "shared").folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(("pragma", "reason"), [("query_only = ON", "read-only"), ("max_page_count = 1", "full")])
def test_a_full_disk_is_reported_as_such(tmp_path: Path, pragma: str, reason: str) -> None:
    engine = open_database(tmp_path / "workspace.sqlite")
    row = {**UPLOAD, "name": "n" * 10**6}
    with engine.connect() as connection:  # the pool gives the same one again
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    with pytest.raises(CoverslipError) as refused, write_transaction(engine) as connection:
        connection.execute(insert(tables.uploads).values(**row))
    assert (refused.value.code, refused.value.parameters) == ("workspace-database-unusable", {"reason": reason})
    assert isinstance(refused.value, DiskFull) == (reason == "full")  # the app answers 507
    with pytest.raises(OperationalError), engine.connect() as connection:  # a fault of ours stays one
        connection.exec_driver_sql("SELECT nothing FROM nowhere")


def test_a_workspace_of_version_10_keeps_what_is_done_with_its_images(tmp_path: Path) -> None:
    """Texts that decide something become codes; others stay, as English texts."""
    file = earlier_workspace(10, tmp_path)
    words = "the box reaches beyond the edge of its image, and is filled up with the color of its border"
    facts = json.dumps({"note": f"it was read alone; {words}"})
    stored = {
        1: (None, "outside"),
        2: (None, "There is no such file"),
        3: (None, "The file is empty"),
        5: (facts, None),
    }
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DELETE FROM image_facts")
        for row_id, cells in stored.items():
            connection.execute("INSERT INTO image_facts VALUES (?, ?, ?)", (row_id, *cells))
        connection.commit()
    engine = open_database(file)
    with engine.connect() as connection:
        reasons = connection.execute(select(tables.image_facts.c.reason)).scalars().all()
        (note,) = (each["note"] for each in connection.execute(select(tables.image_facts.c.facts)).scalars() if each)
    engine.dispose()
    assert reasons == [OUTSIDE, NO_SUCH_FILE, message("english-text", text="The file is empty"), None]
    earlier = message("english-text", text="it was read alone")
    assert message_of(note) == message("two-messages", first=earlier, second=BEYOND_EDGE)
    assert BEYOND_EDGE in message_of(note)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["0.png", "0.png", "2.png", None], ["0.png", "0.png", None, None]),
        (["x.png", "1.png", None, "x.png"], ["x.png", None, None, "x.png"]),  # the last image is missing
        (["0.png", None, None, "0.png"], ["0.png", None, None, "0.png"]),
        ([None, None, None, "x.png"], [None, None, None, None]),
    ],
)
def test_images_of_version_11_without_a_group_have_none(
    tmp_path: Path, before: list[str | None], after: list[str | None]
) -> None:
    """Such an image was in a group with its name; a group of several images can have the name of one of them."""
    file = earlier_workspace(11, tmp_path)
    with closing(sqlite3.connect(file)) as connection:
        rows = zip(before, (1, 2, 3, 5), strict=True)
        connection.executemany('UPDATE images SET "group" = ? WHERE row_id = ?', rows)
        connection.commit()
    engine = open_database(file)
    with engine.connect() as connection:
        query = select(images.c.group).where(images.c.row_id.in_((1, 2, 3, 5))).order_by(images.c.row_id)
        assert connection.execute(query).scalars().all() == after
    engine.dispose()


def test_imported_classifiers_of_version_12_are_jobs(tmp_path: Path) -> None:
    file = earlier_workspace(12, tmp_path)
    for folder, name in (("classifiers", "listed"), ("trash/removed", "removed")):
        (tmp_path / folder).mkdir(parents=True)
        cs.export(WORKSPACES / "results" / "run", out=tmp_path / folder / f"{name}.coverslip")
    with closing(sqlite3.connect(file)) as connection:
        for name, removed in (("listed", None), ("removed", "2026-02-01")):
            values = (name, f"{name} one", str(tmp_path / "classifiers" / f"{name}.coverslip"), "2026-01-01", removed)
            connection.execute("INSERT INTO classifiers VALUES (?, ?, ?, ?, ?)", values)
        connection.commit()
    workspace = open_workspace(tmp_path)
    (listed,) = list_classifiers(workspace, Paging()).items
    assert (listed.id, listed.name, listed.created, listed.is_imported) == ("listed", "listed one", "2026-01-01", True)
    assert [(each.kind, each.id) for each in list_deleted(workspace, Paging()).items] == [("import", "removed")]
    restore_job(workspace, "removed")
    listed_ids = {each.id for each in list_classifiers(workspace, Paging()).items}
    assert listed_ids == {"listed", "removed"}
    assert job_state(workspace, "removed").state == "done"
    remove_job(workspace, "listed")
    assert [each.id for each in list_classifiers(workspace, Paging()).items] == ["removed"]
    workspace.engine.dispose()
