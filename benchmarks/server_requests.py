"""Processor time of the requests of one client to a server with accounts, which has nothing else to do.

    python benchmarks/server_requests.py [--requests 100]

With the address of PostgreSQL in COVERSLIP_DATABASE, the tables are in an empty database there.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from many_images import draw
from server_load import add_people, client_of, serving, wait_until_read

from coverslip.accounts.server import open_account_server

SECONDS_TO_REST = 30  # thumbnails are drawn after the images are read


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=100, help="number of requests of each kind")
    n = parser.parse_args().requests
    database = os.environ.get("COVERSLIP_DATABASE") or None
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        draw(folder / "data" / "cells", 1_000)
        server = open_account_server(folder / "server", (folder / "data",), database)
        people = add_people(server, folder / "data" / "cells", 5)
        with serving(folder, database) as (address, process), client_of(address, people[0]) as client:
            wait_until_read(address, people, folder / "data" / "cells")
            time.sleep(SECONDS_TO_REST)
            of_dataset = f"/datasets/{client.get('/datasets').json()['items'][0]['id']}"
            rows = np.frombuffer(client.get(f"{of_dataset}/rows").content, "<u4").tolist()
            print("| request | ms of processor time | ms until its end |\n|---|---:|---:|")
            for kind, path, choices in (
                ("session", "/session", {}),
                ("dataset", of_dataset, {}),
                ("images of a page", f"{of_dataset}/images", {"limit": 60}),
                ("row_ids of a gallery", f"{of_dataset}/rows", {"label": "first", "sort": "label"}),
                ("picture", f"{of_dataset}/images/{rows[0]}/picture", {}),
                ("label", f"{of_dataset}/labels", None),
                ("history of labels", f"{of_dataset}/label-changes", {"limit": 20}),
                ("suggested groups", f"{of_dataset}/group-suggestions", {}),
                ("settings", "/recipe", {}),
            ):
                used, start = sum(process.cpu_times()[:2]), time.perf_counter()
                for k in range(n):
                    if choices is None:
                        client.post(path, json={"rows": [rows[k]], "label": "abc"[k % 3]}).raise_for_status()
                    else:
                        client.get(path, params=choices).raise_for_status()
                elapsed = time.perf_counter() - start
                used = sum(process.cpu_times()[:2]) - used
                print(f"| {kind} | {used / n * 1e3:.1f} | {elapsed / n * 1e3:.1f} |", flush=True)


if __name__ == "__main__":
    main()
