"""The steps that bring the database of a workspace from each version to the next one.

Each step runs in one transaction with those after it, so that a database which is interrupted keeps its version.
Steps contain the tables of their time, not those of today. They report the completed share of their work, which takes
tens of seconds for a million images.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from functools import reduce
from pathlib import Path

from coverslip.events import OnProgress
from coverslip.runs.folder import Run
from coverslip.workspace.store.tables import path_as_stored

Steps = Mapping[int, Callable[[sqlite3.Connection, OnProgress], None]]  # by the version that they start from


def _add_group_merge(connection: sqlite3.Connection, report: OnProgress) -> None:
    connection.execute("ALTER TABLE datasets ADD COLUMN group_merge JSON NOT NULL DEFAULT '{}'")


_IMAGES_7 = """CREATE TABLE images_7 (
    row_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    dataset_id VARCHAR REFERENCES datasets (id) ON DELETE CASCADE,
    missing_from VARCHAR REFERENCES datasets (id) ON DELETE CASCADE,
    position INTEGER,
    image_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    shown_path VARCHAR NOT NULL,
    label_before VARCHAR,
    label VARCHAR,
    "group" VARCHAR,
    domain VARCHAR NOT NULL,
    predefined_split VARCHAR,
    "plan" JSON,
    about JSON,
    problem VARCHAR,
    is_excluded BOOLEAN NOT NULL,
    excluded_by VARCHAR,
    pixel_hash VARCHAR,
    width_px INTEGER,
    height_px INTEGER,
    version VARCHAR NOT NULL,
    content VARCHAR,
    file_state VARCHAR
)"""
_COPIED_6 = (
    'row_id, dataset_id, position, image_id, path, shown_path, label_before, label, "group", domain, predefined_split, '
    '"plan", about, problem, is_excluded, excluded_by, pixel_hash, width_px, height_px, version'
)
_INDEXES_7 = {  # of images
    "images_by_position": 'UNIQUE (dataset_id, "position")',
    "images_by_id": "(dataset_id, image_id)",
    "images_by_label": '(dataset_id, label, "position")',
    "images_by_group": '(dataset_id, "group", "position")',
    "images_by_pixels": "(dataset_id, pixel_hash)",
    "images_by_problem": '(dataset_id, problem, "position")',
}
_OF_DATASET = "dataset_id VARCHAR NOT NULL REFERENCES datasets (id) ON DELETE CASCADE"
_OF_IMAGE = "row_id INTEGER NOT NULL REFERENCES images (row_id) ON DELETE CASCADE"
_BY_IMAGE_ID_6 = {  # the columns besides the dataset and the image, the primary key, whether SQLite numbers the rows
    "confirmed_labels": ("label VARCHAR NOT NULL, made VARCHAR NOT NULL, made_by VARCHAR NOT NULL", "", True),
    "reserved_images": ("", "", False),
    "suggested_images": ('"rank" INTEGER NOT NULL, score FLOAT NOT NULL, reason VARCHAR NOT NULL', "", False),
    "second_reading_images": (
        '"position" INTEGER, label VARCHAR NOT NULL, made VARCHAR, made_by VARCHAR',
        "",
        False,
    ),
    "readings": ("made_by VARCHAR NOT NULL, label VARCHAR NOT NULL, made VARCHAR NOT NULL", ", made_by", False),
    "adjudications": (
        "label VARCHAR NOT NULL, made VARCHAR NOT NULL, made_by VARCHAR NOT NULL, change_id INTEGER",
        "",
        False,
    ),
}


def _refer_to_images_by_row(connection: sqlite3.Connection, report: OnProgress) -> None:
    """Let all tables refer to images by `row_id`, and keep missing images instead of their paths or IDs."""
    execute = connection.execute
    first = 3  # parts of the work before the indexes; each part takes about as long as an index of all images
    n_parts = first + len(_INDEXES_7) + len(_BY_IMAGE_ID_6)
    execute(_IMAGES_7)
    execute(f"INSERT INTO images_7 ({_COPIED_6}) SELECT {_COPIED_6} FROM images")
    execute("DELETE FROM sqlite_sequence WHERE name = 'images_7'")  # numbers of removed images are not used again
    execute("INSERT INTO sqlite_sequence (name, seq) SELECT 'images_7', seq FROM sqlite_sequence WHERE name = 'images'")
    # A label that was removed in the app is stored as a change from a name that no class has.
    execute(
        "INSERT INTO images_7 (missing_from, image_id, path, shown_path, label_before, label, domain, plan, "
        "is_excluded, version) SELECT dataset_id, '', path, '', CASE WHEN label IS NULL THEN '' END, label, '', "
        "CASE WHEN plan != 'null' THEN plan END, 0, '' FROM removed_image_labels"
    )
    execute("DROP TABLE removed_image_labels")
    execute("CREATE INDEX ix_images_missing_from ON images_7 (missing_from)")  # by which each missing image is found
    report(2, n_parts)
    named = " UNION ".join(f"SELECT dataset_id, image_id FROM {table}" for table in _BY_IMAGE_ID_6)
    is_listed = "(dataset_id, image_id) IN (SELECT dataset_id, image_id FROM images)"
    for name in execute(f"SELECT dataset_id, image_id FROM ({named}) WHERE NOT {is_listed}").fetchall():
        _add_missing(connection, *name)
    execute("DROP TABLE images")
    execute("ALTER TABLE images_7 RENAME TO images")
    for n, (name, columns) in enumerate(_INDEXES_7.items(), start=first):
        report(n, n_parts)
        is_unique = columns.startswith("UNIQUE")
        execute(f"CREATE {'UNIQUE ' * is_unique}INDEX {name} ON images {columns.removeprefix('UNIQUE ')}")
    for n, (table, (columns, key, has_numbers)) in enumerate(_BY_IMAGE_ID_6.items(), start=first + len(_INDEXES_7)):
        report(n, n_parts)
        execute(f"ALTER TABLE {table} RENAME TO {table}_6")
        further = f", {columns}" if columns else ""
        execute(
            f"CREATE TABLE {table} ({_OF_DATASET}, {_OF_IMAGE}{further}, PRIMARY KEY (dataset_id, row_id{key}))"
            f"{'' if has_numbers else ' WITHOUT ROWID'}"
        )
        names = "".join(f", old.{each.split(' ')[0]}" for each in columns.split(", ") if each)
        execute(
            f"INSERT INTO {table} SELECT old.dataset_id, images.row_id{names} FROM {table}_6 AS old "
            "JOIN images ON coalesce(images.dataset_id, images.missing_from) = old.dataset_id "
            "AND images.image_id = old.image_id"
        )
        execute(f"DROP TABLE {table}_6")
        execute(f"CREATE INDEX ix_{table}_row_id ON {table} (row_id)")
    execute("ALTER TABLE changed_labels RENAME TO changed_labels_6")
    execute(
        "CREATE TABLE changed_labels (change_id INTEGER NOT NULL REFERENCES label_changes (id) ON DELETE CASCADE, "
        f"{_OF_IMAGE}, earlier_label VARCHAR, PRIMARY KEY (change_id, row_id)) WITHOUT ROWID"
    )
    execute(
        "INSERT INTO changed_labels SELECT change_id, row_id, earlier_label FROM changed_labels_6 "
        "WHERE row_id IN (SELECT row_id FROM images)"
    )
    execute("DROP TABLE changed_labels_6")
    execute("CREATE INDEX ix_changed_labels_row_id ON changed_labels (row_id)")


def _add_missing(connection: sqlite3.Connection, dataset_id: str, image_id: str) -> None:
    """Add an image that is known by its ID only, unless exactly one label of a missing image has a path with it."""
    with_label = connection.execute(
        "SELECT row_id FROM images_7 WHERE missing_from = ? AND image_id = '' AND path != '' "
        "AND substr('/' || CAST(path AS TEXT), -length(?) - 1) = '/' || ?",
        (dataset_id, image_id, image_id),
    ).fetchall()
    if len(with_label) == 1:
        connection.execute("UPDATE images_7 SET image_id = ? WHERE row_id = ?", (image_id, *with_label[0]))
        return
    connection.execute(
        "INSERT INTO images_7 (missing_from, image_id, path, shown_path, domain, is_excluded, version) "
        "VALUES (?, ?, '', '', '', 0, '')",
        (dataset_id, image_id),
    )


_RESULTS_8 = """CREATE TABLE results (
    job_id VARCHAR NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    row_id INTEGER NOT NULL,
    first_row INTEGER,
    image INTEGER REFERENCES images (row_id) ON DELETE SET NULL,
    image_id VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    file VARCHAR,
    "plan" VARCHAR NOT NULL,
    "group" VARCHAR,
    label VARCHAR,
    predicted VARCHAR,
    decision VARCHAR NOT NULL,
    probability FLOAT,
    probabilities VARCHAR NOT NULL,
    reason VARCHAR,
    warning VARCHAR,
    ood_score FLOAT,
    prediction_set VARCHAR,
    about VARCHAR,
    PRIMARY KEY (job_id, row_id)
) WITHOUT ROWID"""
_RESULT_TABLES_8 = """CREATE TABLE result_tables (
    job_id VARCHAR NOT NULL PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    version VARCHAR NOT NULL,
    n_bytes INTEGER NOT NULL,
    n_rows INTEGER NOT NULL,
    classes JSON NOT NULL,
    columns JSON NOT NULL
)"""
_INDEXES_8 = {  # of results
    "ix_results_image": "(image)",
    "results_by_probability": "(job_id, probability)",
    "results_by_decision": "(job_id, decision, probability)",
    "results_by_cell": "(job_id, label, predicted, probability)",
}


def _store_results(connection: sqlite3.Connection, report: OnProgress) -> None:
    """Store the rows of predictions, which had a database each. Those of measurements are read from their tables."""
    connection.execute("ALTER TABLE jobs ADD COLUMN image_keys VARCHAR")
    connection.execute(_RESULTS_8)
    connection.execute(_RESULT_TABLES_8)
    for name, columns in _INDEXES_8.items():
        connection.execute(f"CREATE INDEX {name} ON results {columns}")
    predictions = "SELECT id, folder, choices FROM jobs WHERE kind = 'predict'"
    jobs = connection.execute(predictions).fetchall()
    for n, (job_id, folder, choices) in enumerate(jobs):
        report(n, len(jobs))
        file = Path(folder) / "rows.sqlite"
        if file.is_file():
            _store_prediction(connection, job_id, file, json.loads(choices)["classes"])


def _store_prediction(connection: sqlite3.Connection, job_id: str, file: Path, classes: list[str]) -> None:
    names = "image_id, path, file, plan, label, predicted, decision, probability, probabilities, reason, warning"
    names = f"{names}, ood_score, prediction_set"
    n_rows = 0
    cells_file = file.with_name("cells.jsonl")
    with closing(sqlite3.connect(file)) as rows, ExitStack() as stack:
        if not _is_intact(rows):
            return  # its rows are read from its table, where it is complete
        has_repeats = rows.execute("SELECT 1 FROM sqlite_master WHERE name = 'repeats'").fetchone()
        first_of = dict(rows.execute("SELECT row_id, first FROM repeats")) if has_repeats else {}
        lines = stack.enter_context(cells_file.open(encoding="utf-8")) if cells_file.is_file() else iter(())
        columns = next(lines, "[]")
        query = f"SELECT row_id, {names} FROM rows ORDER BY row_id"
        for row_id, image_id, path, located, *others in rows.execute(query):
            located = json.loads(located)
            cells = (
                job_id,
                row_id,
                first_of.get(row_id),
                image_id,
                path,
                path_as_stored(located),
                *others,
                next(lines, None),
            )
            connection.execute(
                f"INSERT INTO results (job_id, row_id, first_row, {names}, about) VALUES ({', '.join('?' * 17)})",
                cells,
            )
            n_rows += 1
    table = Run(file.parent).predictions_file
    n_bytes = table.stat().st_size if table.is_file() else 0
    values = (job_id, "", n_bytes, n_rows, json.dumps(classes), columns)
    connection.execute("INSERT INTO result_tables VALUES (?, ?, ?, ?, ?, ?)", values)


def _is_intact(connection: sqlite3.Connection) -> bool:
    try:
        (result,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError:
        return False
    return bool(result == "ok")


def _index_first_rows(connection: sqlite3.Connection, report: OnProgress) -> None:
    where = "WHERE first_row IS NOT NULL"
    connection.execute(f"CREATE INDEX results_by_first_row ON results (job_id, first_row) {where}")


def _add_keys_of_jobs(connection: sqlite3.Connection, report: OnProgress) -> None:
    connection.execute("ALTER TABLE jobs ADD COLUMN key VARCHAR")


def _store_messages(connection: sqlite3.Connection, report: OnProgress) -> None:
    """Store the messages that decide what is done with an image; other texts stay, and are shown in English."""
    for words, code in (("outside", "reason-outside"), ("There is no such file", "no-such-image")):
        stored = json.dumps({"code": code, "parameters": {}})
        connection.execute("UPDATE image_facts SET reason = ? WHERE reason = ?", (stored, words))
    words = "the box reaches beyond the edge of its image, and is filled up with the color of its border"
    changed = []
    notes = "SELECT rowid, json_extract(facts, '$.note') FROM image_facts WHERE json_extract(facts, '$.note') LIKE ?"
    for row_id, note in connection.execute(notes, (f"%{words}%",)):
        parts = [
            {"code": "box-beyond-edge", "parameters": {}}
            if part == words
            else {"code": "english-text", "parameters": {"text": part}}
            for part in note.split("; ")
        ]
        joined = reduce(
            lambda first, second: {"code": "two-messages", "parameters": {"first": first, "second": second}}, parts
        )
        changed.append((json.dumps(joined), row_id))
    connection.executemany("UPDATE image_facts SET facts = json_set(facts, '$.note', json(?)) WHERE rowid = ?", changed)


def _remove_groups_of_no_group(connection: sqlite3.Connection, report: OnProgress) -> None:
    """Leave the group of an image without one empty; it had the name of the image. Missing images are members, too."""
    of_image = 'coalesce(dataset_id, missing_from), "group"'
    connection.execute(
        f'UPDATE images SET "group" = NULL WHERE "group" = image_id AND ({of_image}) IN '
        f"(SELECT {of_image} FROM images GROUP BY 1, 2 HAVING count(*) = 1)"
    )


def _list_imports_as_jobs(connection: sqlite3.Connection, report: OnProgress) -> None:
    """List imported classifiers, which had a table of their own, as jobs."""
    connection.execute(
        "INSERT INTO jobs (id, kind, name, dataset_name, folder, command, choices, state, created) "
        """SELECT id, 'import', name, '', file, '[]', iif(removed IS NULL, '{}', '{"_was": "ended"}'), """
        "iif(removed IS NULL, 'ended', 'removed'), created FROM classifiers"
    )
    connection.execute("DROP TABLE classifiers")


STEPS: Steps = {
    5: _add_group_merge,
    6: _refer_to_images_by_row,
    7: _store_results,
    8: _index_first_rows,
    9: _add_keys_of_jobs,
    10: _store_messages,
    11: _remove_groups_of_no_group,
    12: _list_imports_as_jobs,
}


def can_upgrade(steps: Steps, version: int, expected: int) -> bool:
    """Return whether there are steps from a version to a later one."""
    return version < expected and all(each in steps for each in range(version, expected))
