"""Many clients of one server: response times, errors, lost labels, and the server's memory, minute by minute.

Each client requests the images of a dataset as a browser does (state, window of the gallery, sheets of thumbnails,
filter), waits for a moment, and sometimes labels images. Each client has its own images and its own name. At the end,
every image must have the last label of its client. Each client keeps one connection, as a browser does, and also reads
the event stream. Clients run in processes on the same machine as the server and share its cores.

    python benchmarks/app_clients.py [--clients 50] [--minutes 10] [--count 30000]
"""

import argparse
import http
import http.client
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from app import Server, link_images, serving

PROCESSES = 2  # of clients
PAUSE_S = (2.0, 6.0)  # between two requests of a client
WINDOW, SHEET_ROWS, SHEET_SIDE = 200, 48, 128
LABEL_EVERY = 5  # requests
LABELS_EACH = 20  # images that a client labels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--count", type=int, default=30_000, help="number of images in the dataset")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as scratch:
        link_images(Path(scratch) / "images", options.count)
        with serving(Path(scratch)) as server:
            fresh = server.memory_mib()
            dataset_id = server.read(Path(scratch) / "images")[0]
            print(
                f"memory: fresh {fresh:.0f} MiB, after reading {options.count:,} images {server.memory_mib():.0f} MiB"
            )
            measure(server, dataset_id, options.clients, options.minutes)


def measure(server: Server, dataset_id: str, n_clients: int, minutes: float) -> None:
    results: multiprocessing.Queue[Outcome] = multiprocessing.get_context("spawn").Queue()
    until, used = time.time() + minutes * 60, server.processor_s()
    workers = [
        multiprocessing.get_context("spawn").Process(
            target=run_clients,
            args=(server.address, dataset_id, list(range(k, n_clients, PROCESSES)), until, results),
        )
        for k in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    memory = list(memory_by_minute(server, until))
    outcomes = [results.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    total = Outcome()
    for each in outcomes:
        total.seconds.extend(each.seconds)
        total.states.update(each.states)
        total.labels.update(each.labels)
    print(f"memory (MiB) at the end of each minute: {', '.join(f'{mib:.0f}' for mib in memory)}")
    ms = sorted(1_000 * s for s in total.seconds)
    cuts = statistics.quantiles(ms, n=100)
    print(f"{len(ms):,} requests, ms: median {cuts[49]:.0f}, p95 {cuts[94]:.0f}, p99 {cuts[98]:.0f}, most {ms[-1]:.0f}")
    print(f"the server's processor time per request: {1_000 * (server.processor_s() - used) / len(ms):.1f} ms")
    print(f"status codes: {dict(sorted(total.states.items()))}")
    lost = [row for row, label in total.labels.items() if label_of(server, dataset_id, row) != label]
    print(f"{len(total.labels)} images labeled by {n_clients} clients, {len(lost)} without their last label")


def memory_by_minute(server: Server, until: float) -> Iterator[float]:
    while time.time() < until:
        time.sleep(max(0.0, min(60.0, until - time.time())))
        yield server.memory_mib()


def label_of(server: Server, dataset_id: str, row: int) -> str | None:
    label: str | None = server.ask(f"datasets/{dataset_id}/images/{row}")["label"]
    return label


@dataclass
class Outcome:
    """Measurements of the clients."""

    seconds: list[float] = field(default_factory=list)
    states: Counter[int] = field(default_factory=Counter)
    labels: dict[int, str] = field(default_factory=dict)  # the last label of an image, by its row


def run_clients(
    address: str, dataset_id: str, numbers: list[int], until: float, results: "multiprocessing.Queue[Outcome]"
) -> None:
    outcome = Outcome()
    threads = [
        threading.Thread(target=Client(address, dataset_id, number, outcome).work, args=(until,)) for number in numbers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put(outcome)


class Client:
    """A client that views images and labels some."""

    def __init__(self, address: str, dataset_id: str, number: int, outcome: Outcome) -> None:
        self._host = urlsplit(address).netloc
        self._connection = http.client.HTTPConnection(self._host, timeout=120)
        self._dataset = f"/api/v1/datasets/{dataset_id}"
        self._number = number
        self._outcome = outcome
        self._random = random.Random(number)
        self._cached: dict[str, tuple[str, bytes]] = {}  # ETag and content by path, as a browser keeps them

    def work(self, until: float) -> None:
        threading.Thread(target=self._follow, args=(until,), daemon=True).start()
        time.sleep(self._random.uniform(0, PAUSE_S[1]))
        n_views = 0
        while time.time() < until:
            self._look()
            n_views += 1
            if n_views % LABEL_EVERY == 0:
                self._label(f"client {self._number} look {n_views // LABEL_EVERY % 3}")
            time.sleep(self._random.uniform(*PAUSE_S))

    def _look(self) -> None:
        self._get("", {})
        query: dict[str, Any] = {}
        if self._random.random() < 0.3:
            query = {"search": f"part{self._random.randrange(10):03d}"}
        elif self._random.random() < 0.3:
            query = {"sort": "label"}
        self._get("/rows", {**query, "offset": 0})
        rows = [each["row_id"] for each in self._get("/images", {**query, "limit": WINDOW})["items"]]
        start = self._random.randrange(max(1, len(rows) - SHEET_ROWS))
        shown = rows[start : start + SHEET_ROWS]
        if shown:
            self._get("/sheet", {"rows": ",".join(map(str, shown)), "side": SHEET_SIDE})

    def _label(self, label: str) -> None:
        row = 1 + self._number * LABELS_EACH + self._random.randrange(LABELS_EACH)
        body = json.dumps({"rows": [row], "label": label}).encode()
        state, _ = self._request("POST", "/labels", body)
        if state == 200:
            self._outcome.labels[row] = label

    def _get(self, path: str, query: dict[str, Any]) -> Any:
        state, content = self._request("GET", f"{path}?{urlencode(query)}" if query else path)
        return json.loads(content) if state in (200, 304) and content[:1] == b"{" else {"items": []}

    def _request(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        headers = (
            {"Content-Type": "application/json"} if body else {"If-None-Match": self._cached.get(path, ("", b""))[0]}
        )
        started = time.perf_counter()
        try:
            response = self._sent(method, path, body, headers)
            content, state = response.read(), response.status
            if state == http.HTTPStatus.NOT_MODIFIED:
                content = self._cached[path][1]
            elif tag := response.headers.get("ETag"):
                self._cached[path] = (tag, content)
        except (OSError, http.client.HTTPException):
            self._connection.close()
            content, state = b"", 0
        self._outcome.seconds.append(time.perf_counter() - started)
        self._outcome.states[state] += 1
        return state, content

    def _sent(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send a request, and repeat it if the server has closed the idle connection, as browsers do."""
        for is_last in (False, True):
            try:
                self._connection.request(method, self._dataset + path, body, headers)
                return self._connection.getresponse()
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
                self._connection.close()
                if is_last:
                    raise
        raise AssertionError

    def _follow(self, until: float) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=120)
        connection.request("GET", "/api/v1/events")
        response = connection.getresponse()
        while time.time() < until and response.read1(65_536):
            pass
        connection.close()


if __name__ == "__main__":
    main()
