"""The workspace's tables: of older and newer versions, on full and read-only disks."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import OperationalError

from coverslip.errors import CoverslipError
from coverslip.workspace.store import database, tables
from coverslip.workspace.store.database import open_database, writing
from coverslip.workspace.store.home import open_workspace
from coverslip.workspace.store.tables import images


def version_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def labels_in(file: Path) -> list[str]:
    with open_database(file).connect() as connection:
        return list(connection.execute(select(images.c.label)).scalars())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A workspace with a label, which the steps of a newer coverslip find."""
    file = tmp_path / "workspace.sqlite"
    dataset = {"id": "d", "name": "cells", "kind": "folders", "sources": [], "is_labelled": True, "class_names": []}
    dataset |= {"class_plan": {}, "summary": {}, "revision": 0, "state": "ready", "created": ""}
    image = {"dataset_id": "d", "position": 0, "image_id": "a.png", "path": "/c/a.png", "shown_path": "a.png"}
    with writing(open_database(file)) as connection:
        connection.execute(insert(tables.datasets).values(**dataset))
        connection.execute(insert(images).values(**image, label="given here", domain="", version="1"))
    return file


def test_an_older_workspace_is_changed_step_by_step_and_keeps_its_labels(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def adds(connection: sqlite3.Connection) -> None:
        connection.execute("ALTER TABLE images ADD COLUMN note VARCHAR")

    before = version_of(old)
    monkeypatch.setattr(database, "_STEPS", (*database._STEPS, adds))
    assert labels_in(old) == ["given here"]
    assert version_of(old) == before + 1
    copy = old.with_name(f"workspace.sqlite.before-{version_of(old)}")
    assert version_of(copy) == before
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT label FROM images").fetchall() == [("given here",)]


def test_corrections_of_an_older_workspace_exclude_nothing(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("ALTER TABLE corrections DROP COLUMN is_excluded")
        connection.execute("DROP TABLE confirmed_labels")
        connection.execute("ALTER TABLE images DROP COLUMN excluded_by")
        connection.execute("DROP INDEX images_by_id")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO corrections (job_id, row, label, made) VALUES ('p', 0, 'large', '')")
        connection.commit()
    with open_database(old).connect() as connection:
        assert [row.is_excluded for row in connection.execute(select(tables.corrections))] == [False]


def test_an_older_workspace_gets_the_table_of_confirmed_labels_as_a_new_one_has_it(old: Path) -> None:
    def columns() -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(old)) as connection:
            return connection.execute("PRAGMA table_info(confirmed_labels)").fetchall()

    new = columns()
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("DROP TABLE confirmed_labels")
        connection.execute("ALTER TABLE images DROP COLUMN excluded_by")
        connection.execute("DROP INDEX images_by_id")
        connection.execute("PRAGMA user_version = 2")
    open_database(old)
    assert columns() == new != []


def test_images_that_an_older_workspace_excludes_stay_excluded_as_by_its_gallery(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("UPDATE images SET is_excluded = 1")
        connection.execute("ALTER TABLE images DROP COLUMN excluded_by")
        connection.execute("DROP INDEX images_by_id")
        connection.execute("PRAGMA user_version = 3")
        connection.commit()
    with open_database(old).connect() as connection:
        (row,) = connection.execute(select(images)).all()
    assert (row.is_excluded, row.excluded_by) == (True, None)


def test_a_step_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM images")
        raise sqlite3.DatabaseError("no such thing")

    with monkeypatch.context() as patched:
        patched.setattr(database, "_STEPS", (*database._STEPS, breaks))
        with pytest.raises(CoverslipError, match="damaged: no such thing"):
            open_database(old)
    assert version_of(old) == len(database._STEPS)
    assert labels_in(old) == ["given here"]


def test_a_step_that_makes_a_table_anew_takes_nothing_from_those_below_it(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def anew(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE other AS SELECT * FROM datasets")
        connection.execute("DROP TABLE datasets")
        connection.execute("ALTER TABLE other RENAME TO datasets")

    monkeypatch.setattr(database, "_STEPS", (*database._STEPS, anew))
    assert labels_in(old) == ["given here"]


def test_a_newer_workspace_is_refused_in_one_line_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "workspace.sqlite"
    open_database(file)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = file.read_bytes()
    with pytest.raises(CoverslipError, match=r"newer coverslip .* version 99.*Update coverslip"):
        open_database(file)
    assert file.read_bytes() == before


def test_what_is_no_database_is_said_to_be_damaged(tmp_path: Path) -> None:
    file = tmp_path / "workspace.sqlite"
    file.write_bytes(b"no database, but long enough to look like one" * 100)
    with pytest.raises(CoverslipError, match="is damaged"):
        open_database(file)


@pytest.fixture
def whole(old: Path) -> Path:
    """The same, all of it in the one file."""
    with closing(sqlite3.connect(old)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return old


def test_zeroed_pages_are_said_to_be_damage_wherever_they_are_met(whole: Path) -> None:
    data = whole.read_bytes()
    outcomes = set()
    for at in range(0, len(data), 4096):
        whole.write_bytes(data[:at] + bytes(4096) + data[at + 4096 :])
        try:
            labels_in(whole)
        except CoverslipError as error:
            outcomes.add(error.what.split(":")[0])
    assert outcomes == {"The workspace's database is damaged"}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("DROP TABLE images", "the table 'images' is missing"),
        ("ALTER TABLE datasets DROP COLUMN name", "the table 'datasets' lacks name"),
    ],
)
def test_a_missing_table_or_column_is_told_when_the_workspace_is_opened(
    whole: Path, change: str, expected: str
) -> None:
    with closing(sqlite3.connect(whole)) as connection:
        connection.execute(change)
        connection.commit()
    with pytest.raises(CoverslipError, match=expected):
        open_database(whole)


def test_an_empty_database_beside_results_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    home = open_workspace(tmp_path / "home")
    (home.runs / "first").mkdir(parents=True)
    (home.folder / "workspace.sqlite").touch()
    with pytest.raises(CoverslipError, match="is empty, although there are results beside it"):
        home.engine  # noqa: B018
    assert (home.folder / "workspace.sqlite").stat().st_size == 0
    (home.folder / "workspace.sqlite").unlink()
    assert labels_in(home.folder / "workspace.sqlite") == []
    home.engine.dispose()


def test_a_new_workspace_is_for_its_owner_alone(tmp_path: Path) -> None:
    assert open_workspace(tmp_path / "further" / "home").folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "shared").mkdir(mode=0o750)
    assert open_workspace(tmp_path / "shared").folder.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(("pragma", "said"), [("query_only = ON", "read-only"), ("max_page_count = 1", "disk is full")])
def test_a_disk_that_takes_nothing_is_told_as_such(tmp_path: Path, pragma: str, said: str) -> None:
    engine = open_database(tmp_path / "workspace.sqlite")
    row = {"id": "u", "name": "n" * 10**6, "is_labelled": True, "n_files": 0, "n_bytes": 0, "has_folders": False}
    limits = {"max_files": 1, "max_bytes": 1, "created": ""}
    with engine.connect() as connection:  # the pool gives the same one again
        connection.exec_driver_sql(f"PRAGMA {pragma}")
    with pytest.raises(CoverslipError, match=said), writing(engine) as connection:
        connection.execute(insert(tables.uploads).values(**row, **limits))
    with pytest.raises(OperationalError), engine.connect() as connection:  # a fault of ours stays one
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
