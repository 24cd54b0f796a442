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
from coverslip.workspace.store.tables import images

# As the first app made them, before their form had a number.
OLD = """
CREATE TABLE datasets (id VARCHAR NOT NULL PRIMARY KEY, name VARCHAR NOT NULL, kind VARCHAR NOT NULL,
    sources JSON NOT NULL, is_labelled BOOLEAN NOT NULL, group_column VARCHAR, group_pattern VARCHAR,
    class_names JSON NOT NULL, class_plan JSON NOT NULL, opened JSON, summary JSON NOT NULL, revision INTEGER NOT NULL,
    state VARCHAR NOT NULL, progress JSON, error JSON, created VARCHAR NOT NULL);
CREATE TABLE images (dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE, position INTEGER NOT NULL,
    image_id VARCHAR NOT NULL, path VARCHAR NOT NULL, shown_path VARCHAR NOT NULL, label_before VARCHAR, label VARCHAR,
    "group" VARCHAR, domain VARCHAR NOT NULL, given_split VARCHAR, plan JSON, problem VARCHAR, pixel_hash VARCHAR,
    width_px INTEGER, height_px INTEGER, version VARCHAR NOT NULL, PRIMARY KEY (dataset_id, position));
INSERT INTO datasets VALUES ('d', 'cells', 'folders', '[]', 1, NULL, NULL, '[]', '{}', NULL, '{}', 0, 'ready', NULL,
    NULL, '2026-01-01T00:00:00+00:00');
INSERT INTO images VALUES ('d', 0, 'a.png', '/c/a.png', 'a.png', 'before', 'given here', NULL, '', NULL, NULL, NULL,
    NULL, 1, 1, '1');
"""


def version_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def labels_in(file: Path) -> list[str]:
    with open_database(file).connect() as connection:
        return list(connection.execute(select(images.c.label)).scalars())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "workspace.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(OLD)
    return file


def test_an_older_workspace_gets_what_it_lacks_and_keeps_its_labels(old: Path) -> None:
    assert labels_in(old) == ["given here"]
    new = open_database(old.with_name("new.sqlite"))
    assert version_of(old) == version_of(old.with_name("new.sqlite")) > 0
    with open_database(old).connect() as found, new.connect() as fresh:
        ids = select(tables.jobs.c.id), select(tables.corrections.c.row), select(tables.uploads.c.id)
        assert [list(found.execute(one)) for one in ids] == [list(fresh.execute(one)) for one in ids]
    copy = old.with_name(f"workspace.sqlite.before-{version_of(old)}")
    assert version_of(copy) == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT label FROM images").fetchall() == [("given here",)]


def test_a_step_that_fails_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM images")
        raise sqlite3.DatabaseError("no such thing")

    with monkeypatch.context() as patched:
        patched.setattr(database, "_STEPS", (*database._STEPS, breaks))
        with pytest.raises(CoverslipError, match="damaged: no such thing"):
            open_database(old)
    assert version_of(old) == 0
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
