"""Labels of single images in the app of one user, while a page shows what the app computes of all images.

The script opens small images as one dataset in `coverslip app`, and labels single images one after the other. There
are three kinds of rounds: without other requests; with a second client that requests the suggested groups after each
label; and with one that also requests the inspection and a preview of the split, as open pages do. The rounds
alternate, because other work on the machine varies. The script prints the durations of labels in each kind of round,
their ratio to those without other requests, and the processor time of the server itself per label: this is the time
for which it delays other requests. Finally, the server reads the rows of a finished prediction into its database, and
labels meanwhile are compared with labels before and after that.

    python benchmarks/labeling.py [--count 15000] [--labels 40] [--rounds 4] [--rows 1000000]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import httpx
import numpy as np
import psutil
from _records import Record
from PIL import Image
from sqlalchemy import insert

from coverslip.workspace.store.tables import jobs
from coverslip.workspace.store.workspace import open_workspace

RECORD = Record(
    "Labels beside what pages show of all images", [f"src/coverslip/{name}" for name in ("app", "workspace")]
)
CLASSES = ("first", "second", "third")
PREDICTION = "prediction"
N_BESIDE = 200  # labels before and after the rows are read
COMPUTED = ("group-suggestions", "inspection", "split")
ROUNDS = {"no page open": (), "beside suggested groups": COMPUTED[:1], "pages open": COMPUTED}  # what is requested


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=15_000, metavar="N")
    parser.add_argument("--labels", type=int, default=40, metavar="N", help="of each round")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="of each kind")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="of the prediction")
    RECORD.add_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), arguments)
    RECORD.write()


def measure(folder: Path, arguments: argparse.Namespace) -> None:
    write_images(folder / "cells", arguments.count)
    write_prediction(folder, arguments.rows)
    command = [sys.executable, "-m", "coverslip", "app", "--no-browser", "--port", "0", "--root", str(folder)]
    environment = {**os.environ, "COVERSLIP_CACHE": str(folder / "cache")}
    server = subprocess.Popen(
        [*command, "--workspace", str(folder / "workspace")], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert server.stdout is not None
    base = server.stdout.readline().split()[-1]
    try:
        with httpx.Client(base_url=f"{base}api/v1", timeout=600) as client:
            dataset = open_dataset(client, folder / "cells")
            compare(client, psutil.Process(server.pid), dataset, arguments.labels, arguments.rounds)
            compare_with_rows(client, dataset, arguments.rows)
    finally:
        server.terminate()
        server.wait()


def write_images(folder: Path, count: int) -> None:
    """Write images of 60 slides in class folders."""
    generator = np.random.default_rng(0)
    for name in CLASSES:
        (folder / name).mkdir(parents=True)
    for k in range(count):
        name = f"patient{k % 20:02}_slide{k % 60:02}_{k:06}.png"
        pixels = generator.integers(0, 255, (16, 16), np.uint8)
        Image.fromarray(pixels).save(folder / CLASSES[k % len(CLASSES)] / name, compress_level=1)


def write_prediction(folder: Path, n_rows: int) -> None:
    """Add a finished prediction to a new workspace, whose rows no server has read yet."""
    run = folder / "workspace" / "runs" / PREDICTION
    workspace = open_workspace(folder / "workspace", (folder,))
    run.mkdir(parents=True)
    with (run / "predictions.csv").open("w", encoding="utf-8") as table:
        shares = ",".join(f"p:{name}" for name in CLASSES)
        columns = ("image_id,path,label,predicted,probability,decision,reason,warning,ood_score,prediction_set", shares)
        table.write(",".join((*columns, "reason_code,warning_code,coverslip_plan,coverslip_first\n")))
        for k in range(n_rows):
            table.write(
                f"cell{k}.png,{folder}/new/cell{k}.png,,first,0.8,first,,,0.5,{{first}},0.8,0.15,0.05,,,{{}},\n"
            )
    values: dict[str, Any] = {
        "id": PREDICTION,
        "kind": "predict",
        "name": "Prediction",
        "dataset_name": "",
        "folder": str(run),
    }
    values |= {
        "command": [],
        "choices": {"sources": [], "classes": list(CLASSES)},
        "state": "ended",
        "created": "",
        "made_by": "",
    }
    with workspace.engine.begin() as connection:
        connection.execute(insert(jobs).values(**values))
    workspace.engine.dispose()


def open_dataset(client: httpx.Client, folder: Path) -> str:
    dataset_id = str(
        client.post("/datasets", json={"sources": [{"path": str(folder)}]}).raise_for_status().json()["id"]
    )
    while client.get(f"/datasets/{dataset_id}").json()["state"] == "reading":
        time.sleep(1)
    while client.get(f"/datasets/{dataset_id}/inspection").raise_for_status().json()["is_searching_duplicates"]:
        time.sleep(2)
    return dataset_id


def compare(client: httpx.Client, process: psutil.Process, dataset_id: str, n_labels: int, n_rounds: int) -> None:
    at = f"/datasets/{dataset_id}"
    images = client.get(f"/lists/{dataset_id}/rows", params={"limit": 500}).raise_for_status().json()["items"]
    rounds = [name for _ in range(n_rounds) for name in ROUNDS]
    durations: dict[str, list[float]] = {name: [] for name in ROUNDS}
    seconds: dict[str, list[float]] = {name: [] for name in ROUNDS}
    for what in COMPUTED:  # the first request loads modules
        request(client, at, what)
    position = 0
    for name in rounds:
        labeled = threading.Event()
        ended = threading.Event()
        thread = threading.Thread(target=ask, args=(client, at, ROUNDS[name], labeled, ended))
        if ROUNDS[name]:
            thread.start()
        before = processor_seconds(process)
        for _ in range(n_labels):
            durations[name].append(change_label(client, at, images, position))
            position += 1
            labeled.set()
            time.sleep(0.3)
        ended.set()
        labeled.set()
        if ROUNDS[name]:
            thread.join()
        seconds[name].append((processor_seconds(process) - before) / n_labels)
    p95_of = {name: quantiles(each, n=20)[-1] for name, each in durations.items()}
    for name, each in durations.items():
        p95, ratio = p95_of[name], p95_of[name] / p95_of["no page open"]
        used = median(seconds[name])
        print(f"{name}: p50 {median(each):.3f} s, p95 {p95:.3f} s (x {ratio:.2f}), server {used:.3f} s per label")
        RECORD.add(f"Label, {name}", round(median(each), 3), "s", of="median", n=len(each))
        RECORD.add(f"Label, {name}", round(p95, 3), "s", of="95th percentile")
        if ROUNDS[name]:
            RECORD.add(f"Label, {name}", round(ratio, 2), of="95th percentile, ratio to no page open")
    for what in COMPUTED:  # after one more label
        client.post(f"{at}/changes", json={"images": [images[0]["image_id"]], "label": "first"}).raise_for_status()
        before, start = processor_seconds(process), time.monotonic()
        request(client, at, what)
        used, waited = processor_seconds(process) - before, time.monotonic() - start
        print(f"{what}: server {used:.2f} s of processor time, response after {waited:.2f} s")


def change_label(client: httpx.Client, at: str, images: list[Any], position: int) -> float:
    """Label an image as another class than before; return the seconds."""
    label = CLASSES[(position + position // len(images)) % len(CLASSES)]
    start = time.monotonic()
    body = {"rows": [images[position % len(images)]["row_id"]], "label": label}
    client.post(f"{at}/changes", json=body).raise_for_status()
    return time.monotonic() - start


def compare_with_rows(client: httpx.Client, dataset_id: str, n_rows: int) -> None:
    """Label images before, while and after the rows of a prediction are read into the database."""
    at = f"/datasets/{dataset_id}"
    images = client.get(f"/lists/{dataset_id}/rows", params={"limit": 500}).raise_for_status().json()["items"]
    alone, meanwhile = list[float](), list[float]()

    def label(durations: list[float]) -> None:
        durations.append(change_label(client, at, images, len(alone) + len(meanwhile)))
        time.sleep(0.1)

    for _ in range(N_BESIDE):
        label(alone)
    reading = threading.Thread(
        target=lambda: client.get(f"/lists/{PREDICTION}/rows", params={"limit": 1}).raise_for_status()
    )
    start = time.monotonic()
    reading.start()
    while reading.is_alive():
        label(meanwhile)
    seconds = time.monotonic() - start
    for _ in range(N_BESIDE):
        label(alone)
    assert len(client.get(f"/lists/{PREDICTION}/row-ids").raise_for_status().content) == 4 * n_rows
    p95, p95_alone = quantiles(meanwhile, n=20)[-1], quantiles(alone, n=20)[-1]
    what = f"Label, while {n_rows:,} rows of a prediction are read in {seconds:.0f} s"
    print(f"{what}: p50 {median(meanwhile):.3f} s, p95 {p95:.3f} s (x {p95 / p95_alone:.2f}, n = {len(meanwhile)})")
    RECORD.add(what, round(p95, 3), "s", of="95th percentile", n=len(meanwhile))
    RECORD.add(what, round(p95 / p95_alone, 2), of="95th percentile, ratio to before and after")


def ask(
    client: httpx.Client, at: str, computed: tuple[str, ...], labeled: threading.Event, ended: threading.Event
) -> None:
    """Request what pages show after each label, one request at a time."""
    while labeled.wait() and not ended.is_set():
        labeled.clear()
        for what in computed:
            request(client, at, what)


def request(client: httpx.Client, at: str, what: str) -> Any:
    if what == "split":
        body = {"kind": "split", "dataset_id": at.rpartition("/")[2]}
        return client.post("/previews", json=body).raise_for_status().json()
    return client.get(f"{at}/{what}").raise_for_status().json()


def processor_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
