"""Compare ways to write many rows to PostgreSQL, on a server that the script starts for itself.

Rows of images are changed by their keys, and facts of images are inserted or replaced: in statements for many rows, as
coverslip does, and by `executemany` of the driver, which sends each row on its own. Requirement: PostgreSQL's programs
(`.ci/programs`).

    python benchmarks/postgresql_writes.py [--images 10000] [--rounds 3]
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.dialects import postgresql

from coverslip.workspace.store.database import VERSION, write_transaction
from coverslip.workspace.store.postgres import Schema, open_schema
from coverslip.workspace.store.sql import change_rows, replace_rows
from coverslip.workspace.store.tables import datasets, image_facts, images, metadata

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from postgresql import running_postgresql

Rows = Sequence[Mapping[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with running_postgresql() as server:
        schema = Schema(server.address(server.new_database()), "benchmark")
        engine = open_schema(schema, (), tables=metadata, version=VERSION)
        texts = dict.fromkeys(("id", "name", "kind", "state", "created"), "x")
        values = {"sources": [], "is_labeled": True, "class_names": [], "class_plan": {}, "summary": {}, "revision": 0}
        image = {"dataset_id": "x", "domain": "", "is_excluded": False, "version": ""}
        paths = [
            {"position": k, "image_id": f"{k}", "path": f"/a/{k}", "shown_path": f"{k}"} for k in range(options.images)
        ]
        with write_transaction(engine) as connection:
            connection.execute(insert(datasets).values(**texts, **values))
            connection.execute(insert(images), [{**image, **path} for path in paths])
            numbers = connection.execute(select(images.c.row_id)).scalars().all()
        changed = [{"row_id": n, "pixel_hash": f"{n:064x}", "width_px": 80, "height_px": 80} for n in numbers]
        facts = [{"row_id": n, "facts": {"width_px": 80}, "reason": None} for n in numbers]

        def seconds(work: Callable[[Connection], object]) -> float:
            began = time.perf_counter()
            with write_transaction(engine) as connection:
                work(connection)
            return time.perf_counter() - began

        for name, many, one_by_one, rows in (
            ("change", lambda c: change_rows(c, images, changed), _change_each, changed),
            ("insert or replace", lambda c: replace_rows(c, image_facts, facts), _replace_each, facts),
        ):
            best = min(seconds(many) for _ in range(options.rounds))
            naive = min(seconds(lambda c, each=one_by_one, of=rows: each(c, of)) for _ in range(options.rounds))
            print(
                f"{name} {len(rows):,} rows: {best:.2f} s; one by one {naive:.2f} s, {naive / best:.1f} times as long"
            )
        engine.dispose()


def _change_each(connection: Connection, rows: Rows) -> None:
    names = [name for name in rows[0] if name != "row_id"]
    statement = update(images).where(images.c.row_id == bindparam("key"))
    statement = statement.values({name: bindparam(f"new {name}") for name in names})
    connection.execute(
        statement, [{"key": row["row_id"], **{f"new {name}": row[name] for name in names}} for row in rows]
    )


def _replace_each(connection: Connection, rows: Rows) -> None:
    insertion = postgresql.insert(image_facts)
    new = {name: insertion.excluded[name] for name in rows[0] if name != "row_id"}
    connection.execute(insertion.on_conflict_do_update(index_elements=["row_id"], set_=new), list(rows))


if __name__ == "__main__":
    main()
