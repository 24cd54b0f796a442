"""The workspace's tables: of other versions, damaged, on full and read-only disks."""

import asyncio
import json
import os
import re
import resource
import signal
import sqlite3
import warnings
import zipfile
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from itertools import count
from pathlib import Path

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from refusing import refusing
from sqlalchemy import Engine, MetaData, insert, select
from sqlalchemy.exc import OperationalError

from coverslip._version import __version__
from coverslip.app.server import bound_socket, run_until_ended, runner_of
from coverslip.cache.stores import exclusive_lock
from coverslip.cli import main
from coverslip.errors import CoverslipError, DiskFull
from coverslip.events import Emit, Event, Noted, OnProgress, ignore
from coverslip.files import WORKSPACE_DATABASE
from coverslip.messages import ChooseOther, Remedy, RestoreBackup
from coverslip.server.app import open_accounts_server
from coverslip.server.backups import write_server_backup
from coverslip.server.folder import open_account_server
from coverslip.server.projects import ProjectApps, add_project, workspace_of
from coverslip.server.users import add_user
from coverslip.workspace.backups import MANIFEST, restore_backup, write_backup
from coverslip.workspace.store import database, tables
from coverslip.workspace.store.database import check_pages, open_database, write_transaction
from coverslip.workspace.store.tables import images, with_absolute_paths, with_relative_paths
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


def versions_in(file: Path) -> dict[int, str]:
    """The version of coverslip that wrote each version of the tables."""
    with closing(sqlite3.connect(file)) as connection:
        return dict(connection.execute("SELECT version, coverslip FROM coverslip_versions"))


def content_of(file: Path) -> list[object]:
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [*connection.execute("PRAGMA user_version").fetchone(), *connection.iterdump()]


NEXT = database.VERSION + 1


def add_size(connection: sqlite3.Connection, report: OnProgress) -> None:
    """A step of a made-up next version."""
    for done in range(3):
        report(done, 3)
    connection.execute("ALTER TABLE images ADD COLUMN size INTEGER NOT NULL DEFAULT 7")


def open_next(file: Path, step: Step = add_size, emit: Emit = ignore) -> None:
    open_database(file, version=NEXT, steps={database.VERSION: step}, emit=emit).dispose()


def test_a_step_brings_a_workspace_to_the_next_version_and_keeps_a_copy(written: Path) -> None:
    before, events = content_of(written), list[Event]()

    def fail(connection: sqlite3.Connection, report: OnProgress) -> None:
        add_size(connection, report)
        raise sqlite3.OperationalError("interrupted")

    with pytest.raises(CoverslipError):
        open_next(written, fail)
    assert content_of(written) == before
    with closing(exclusive_lock(written.parent / "server.lock")), pytest.raises(CoverslipError) as refused:
        open_next(written)  # a server with this version uses it
    assert refused.value.code == "workspace-upgraded-while-served"
    abandoned = written.with_name(f".workspace-version-{database.VERSION}.sqlite.0123abcd.part")
    abandoned.write_bytes(b"of a killed upgrade")
    with only_server(written.parent):
        open_next(written, emit=events.append)
    open_next(written, emit=events.append)
    (noted,) = (event.note for event in events if isinstance(event, Noted))
    copy = written.with_name(f"workspace-version-{database.VERSION}.sqlite")
    stated = {"folder": str(written.parent), "version": database.VERSION, "expected": NEXT, "copy": copy.name}
    assert (noted.code, noted.parameters) == ("workspace-upgrade", stated)
    assert content_of(copy) == before
    assert not abandoned.exists()
    assert versions_in(written) == dict.fromkeys((database.VERSION, NEXT), __version__)
    with closing(sqlite3.connect(written)) as connection:
        assert connection.execute("SELECT label, size FROM images").fetchall() == [("given here", 7)]
    with refusing(CoverslipError, "workspace-version", version=NEXT, has_needed=True, needed=__version__):
        open_database(written)


def test_a_backup_of_a_later_version_names_that_version(written: Path, tmp_path: Path) -> None:
    open_next(written)
    size = {"n_files": 1, "n_bytes": written.stat().st_size, "n_rows": {}, "n_images_outside": 0, "n_links": 0}
    source = {"coverslip": "0.9.0", "system": os.name, "workspace": "/c", "created": "2026-01-01T00:00:00+00:00"}
    backup = tmp_path / "backup.zip"
    with zipfile.ZipFile(backup, "w") as archive:
        archive.write(written, WORKSPACE_DATABASE)
        archive.writestr(MANIFEST, json.dumps({"format_version": 1, "database_version": NEXT, **source, **size}))
    with refusing(CoverslipError, "backup-version", has_needed=True, needed="0.9.0"):
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


def test_an_upgrade_that_is_killed_at_any_write_leaves_one_version_or_the_other(written: Path) -> None:
    """A limit of the size of files ends the process in the midst of writing: in the copy, or in the log of SQLite."""
    copy, before = written.with_name(f"workspace-version-{database.VERSION}.sqlite"), content_of(written)

    def killed_at(n_bytes: int) -> Callable[[], None]:
        def work() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))
            open_next(written)

        return work

    states = set()
    for n_bytes in count(10_000, 30_000):
        is_ended = ends_when_killed(killed_at(n_bytes))
        assert not copy.exists() or content_of(copy) == before
        version = content_of(written)[0]
        assert version == NEXT or content_of(written) == before
        states.add((copy.exists(), version))
        if is_ended:
            break
    assert states >= {(False, database.VERSION), (True, NEXT)}


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


def test_a_thread_that_outlives_a_removed_workspace_creates_no_database(tmp_path: Path) -> None:
    engine = open_database(tmp_path / "workspace.sqlite")
    with engine.connect():
        pass
    engine.dispose()
    for file in tmp_path.iterdir():
        file.unlink()
    with refusing(CoverslipError, "workspace-database-unusable"), engine.connect():
        pass
    assert not list(tmp_path.iterdir())


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


JSON_TEXTS = st.one_of(st.text(max_size=9), st.sampled_from(["workspace:", "workspace:/a", "workspace:workspace:/a"]))


@given(texts=st.lists(st.tuples(st.sampled_from(["", "/home/w", "/home/w/", "--out=", "--out=/home/w/"]), JSON_TEXTS)))
def test_a_text_that_looks_like_a_stored_path_stays_a_text(texts: list[tuple[str, str]]) -> None:
    values = {"choices": [start + text for start, text in texts]}
    stored = with_relative_paths(values, "/home/w")
    assert with_absolute_paths(stored, "/home/w") == values
    moved = with_absolute_paths(stored, "/new")["choices"]
    for before, after, (start, _) in zip(values["choices"], moved, texts, strict=True):
        if start in ("", "--out="):
            assert after == before
