"""Measure requests of the outlines of a field with 100,000 objects: the first, the second, and an unchanged one.

The script opens a few objects of a field and adds the others to the database of the app, so that no crops are read. To
compare two versions of coverslip, run it with PYTHONPATH set to the sources of each.

    python benchmarks/field_outlines.py [--count 100000]
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from field_viewer import write_field
from sqlalchemy import insert, select

from coverslip.objects import read_objects
from coverslip.workspace.store.tables import images

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from image_sets import App, workspace_in

N_OPENED = 40


def add_rows(app: App, dataset_id: str, table: Path) -> None:
    """Add the objects of a table to a dataset of the first of them."""
    objects = read_objects(table)
    with app.home.engine.begin() as connection:
        query = select(images).where(images.c.dataset_id == dataset_id, images.c.position == 0)
        first = dict(connection.execute(query).mappings().one())
        del first["row_id"]
        rows = [
            {**first, "position": k, "image_id": name, "plan": {**first["plan"], "region": objects.box[k].tolist()}}
            for k, name in enumerate(objects.image_ids)
            if k >= N_OPENED
        ]
        connection.execute(insert(images), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="approximate number of objects")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "data").mkdir()
        write_field(folder / "data", options.count)
        table = folder / "data" / "objects.csv"
        content = table.read_text()
        table.write_text("".join(content.splitlines(keepends=True)[: N_OPENED + 1]))
        app = App(workspace_in(folder))
        dataset_id = app.open(table)["id"]
        table.write_text(content)
        add_rows(app, dataset_id, table)
        address = f"/api/v1/datasets/{dataset_id}/images/{app.rows(f'datasets/{dataset_id}')[0]}/field/outlines"
        headers = {"Accept-Encoding": "identity"}
        print("\n| request | status | MB | s | processor time (s) |\n|---|---|---|---|---|")
        for name in ("first", "second", "unchanged"):
            started, cpu = time.perf_counter(), time.process_time()
            response = app.client.get(address, headers=headers)
            seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
            print(
                f"| {name} | {response.status_code} | {len(response.content) / 1e6:.1f} | {seconds:.2f} | {cpu:.2f} |"
            )
            if name == "second":
                headers["If-None-Match"] = response.headers["etag"]


if __name__ == "__main__":
    main()
