"""The workspace's tables: of other versions, damaged, on full and read-only disks."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError

from coverslip.errors import CoverslipError, DiskFull
from coverslip.messages import ChooseOther
from coverslip.workspace.store import database, tables
from coverslip.workspace.store.database import open_database, write_transaction
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import open_workspace


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


@pytest.mark.parametrize("version", [0, database.VERSION + 1])
def test_a_workspace_of_another_version_is_refused_and_left_alone(written: Path, version: int) -> None:
    with closing(sqlite3.connect(written)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
        before = [version, *connection.iterdump()]
    with pytest.raises(CoverslipError) as refused:
        open_database(written)
    error = refused.value
    assert (error.code, error.file, error.remedies) == ("workspace-version", written, (ChooseOther("workspace"),))
    assert error.parameters == {"version": version, "expected": database.VERSION}
    with closing(sqlite3.connect(written)) as connection:
        assert [*connection.execute("PRAGMA user_version").fetchone(), *connection.iterdump()] == before


def test_a_workspace_of_this_version_keeps_its_labels(written: Path) -> None:
    assert labels_in(written) == ["given here"]


def test_tables_that_cannot_be_created_leave_an_empty_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def create(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("CREATE TABLE images (label VARCHAR)")
        raise sqlite3.DatabaseError("no such thing")

    file = tmp_path / "workspace.sqlite"
    with monkeypatch.context() as patched:
        patched.setattr(database, "_create_tables", create)
        with pytest.raises(CoverslipError) as refused:
            open_database(file)
    assert refused.value.parameters == {"reason": "no such thing"}
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


def test_an_empty_database_beside_results_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    home = open_workspace(tmp_path / "home")
    (home.runs / "first").mkdir(parents=True)
    (home.folder / "workspace.sqlite").touch()
    with pytest.raises(CoverslipError) as refused:
        home.engine  # noqa: B018
    assert refused.value.code == "workspace-database-empty"
    assert (home.folder / "workspace.sqlite").stat().st_size == 0
    (home.folder / "workspace.sqlite").unlink()
    assert labels_in(home.folder / "workspace.sqlite") == []
    home.engine.dispose()


def test_a_new_workspace_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert open_workspace(tmp_path / "further" / "home").folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").mkdir(mode=0o750)
    assert open_workspace(tmp_path / "shared").folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(("pragma", "reason"), [("query_only = ON", "read-only"), ("max_page_count = 1", "full")])
def test_a_full_disk_is_reported_as_such(tmp_path: Path, pragma: str, reason: str) -> None:
    engine = open_database(tmp_path / "workspace.sqlite")
    row = {"id": "u", "name": "n" * 10**6, "is_labeled": True, "n_files": 0, "n_bytes": 0, "has_folders": False}
    limits = {"max_files": 1, "max_bytes": 1, "created": ""}
    with engine.connect() as connection:  # the pool gives the same one again
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    with pytest.raises(CoverslipError) as refused, write_transaction(engine) as connection:
        connection.execute(insert(tables.uploads).values(**row, **limits))
    assert (refused.value.code, refused.value.parameters) == ("workspace-database-unusable", {"reason": reason})
    assert isinstance(refused.value, DiskFull) == (reason == "full")  # the app answers 507
    with pytest.raises(OperationalError), engine.connect() as connection:  # a fault of ours stays one
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
