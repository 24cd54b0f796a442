"""Load a server with accounts: people who label and browse in five projects, by HTTP and in Chromium.

The script starts `coverslip server` on this computer with five projects, and users who are members of one project
each. HTTP clients wait a while between requests, as people do; each labels images of its own, so that every label that
the server has accepted is known. In contexts of Chromium, editors follow links from page to page. The script prints the
durations by kind of request, responses with 5xx, labels that are lost or have another author than the client that sent
them, and the memory of the server with its processes. Trainings run outside of the server at nice 10. Each browser is
driven by a process of its own: in one process, it would delay the HTTP clients. As those of ordinary users, browsers
cannot raise their own priority, as they would for an administrator, at the expense of the server on the same computer.

    python benchmarks/server_load.py [--minutes 20] [--clients 50] [--browsers 3] [--trainings 2]

Requirements: built pages (`make pages`) and Chromium, unless there are no browsers. Other work on the machine affects
all durations.
"""

import argparse
import multiprocessing
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from _records import Record
from many_images import draw
from sqlalchemy import select

from coverslip.server import projects, users
from coverslip.server.folder import AccountServer, open_account_server
from coverslip.workspace.store.tables import changed_rows, changes, images

RECORD = Record(
    "Many clients of a server with accounts", [f"src/coverslip/{name}" for name in ("server", "app", "workspace")]
)
API = "/api/v1"
N_PROJECTS = 5
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
CLASSES = ("first", "second", "third")

Results = SimpleQueue[tuple[dict[str, list[float]], Counter[int], list[str]]]
"""Durations by kind of request, statuses and failures, as in `Measured`."""


@dataclass
class Measured:
    """Durations in seconds by kind of request, failures, and labels that the server accepted."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    durations: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    by_minute: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))  # of HTTP requests
    start: float = field(default_factory=time.monotonic)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    labels: dict[tuple[str, int], tuple[str, str]] = field(default_factory=dict)  # of project and row: label, user
    changes: Counter[str] = field(default_factory=Counter)  # by project
    memory_mb: list[tuple[float, float]] = field(default_factory=list)  # minutes, MB

    def add(self, kind: str, seconds: float, status: int, detail: str = "") -> None:
        with self.lock:
            self.durations[kind].append(seconds)
            self.by_minute[int(time.monotonic() - self.start) // 60].append(seconds)
            self.statuses[status] += 1
            if status >= 400:
                self.failures.append(f"{kind}: {status} {detail[:200]}")

    def join(self, durations: dict[str, list[float]], statuses: Counter[int], failures: list[str]) -> None:
        """Add what another process has measured."""
        for kind, seconds in durations.items():
            self.durations[kind] += seconds
        self.statuses += statuses
        self.failures += failures


@dataclass(frozen=True)
class Person:
    """A member of a project, with a session."""

    name: str
    secret: str
    project: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--clients", type=int, default=50, help="number of HTTP clients")
    parser.add_argument("--browsers", type=int, default=3, help="number of contexts of Chromium")
    parser.add_argument("--pause", type=float, default=2.0, help="mean seconds between the requests of a client")
    parser.add_argument("--trainings", type=int, default=0, help="trainings at the same time, at nice 10")
    parser.add_argument("--images", type=int, default=1_000, help="images of each project")
    RECORD.add_option(parser)
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if options.browsers and program is None:
        raise SystemExit("Chromium is not installed. To install it, see .ci/programs.")
    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}; ", end="")
    print(f"{options.clients} clients with a mean pause of {options.pause} s, {options.browsers} browsers")
    with tempfile.TemporaryDirectory() as scratch:
        folder, measured = Path(scratch), Measured()
        draw(folder / "data" / "cells", options.images)
        server = open_account_server(folder / "server", (folder / "data",))
        people = add_people(server, folder / "data" / "cells", options.clients, options.browsers)
        with serving(folder) as (address, process):
            wait_until_read(address, people, folder / "data" / "cells")
            ended = threading.Event()
            threads = [threading.Thread(target=observe, args=(process, measured, ended))]
            for k, person in enumerate(people[: options.clients]):
                work = (address, person, k // N_PROJECTS, -(-options.clients // N_PROJECTS), options.pause)
                threads.append(threading.Thread(target=label_and_browse, args=(*work, measured, ended)))
            if program is not None and os.geteuid() == 0:
                program = without_priority(program, folder / "browser.sh")
            spawning = multiprocessing.get_context("spawn")
            results, browsers_end = spawning.SimpleQueue(), spawning.Event()
            browsers = [
                spawning.Process(target=browse, args=(program, address, person, results, browsers_end))
                for person in people[options.clients :]
            ]
            for k in range(options.trainings):
                threads.append(threading.Thread(target=train, args=(folder, k, ended)))
            measured.start = time.monotonic()
            for worker in (*threads, *browsers):
                worker.start()
            ended.wait(60 * options.minutes)
            ended.set()
            browsers_end.set()
            for _ in browsers:
                measured.join(*results.get())
            for worker in (*threads, *browsers):
                worker.join()
        report(server, people, measured)
        log = "".join(file.read_text(encoding="utf-8") for file in (folder / "server" / "log").iterdir())
        print(f"errors in the log of the server: {log.count('while answering')}")
        RECORD.write(f"beside {options.trainings} trainings" if options.trainings else "")


def add_people(server: AccountServer, cells: Path, n_labeling: int, n_browsing: int = 0) -> list[Person]:
    """Add the projects, and people who are members of one each, in turn. The first and those who browse are editors."""
    added = [projects.add_project(server, f"project {k}", roots=[str(cells)]) for k in range(N_PROJECTS)]
    people = []
    for k in range(n_labeling + n_browsing):
        project, user = added[k % N_PROJECTS], users.add_user(server, f"person{k}")
        projects.set_member(server, project.id, user.id, "annotator" if N_PROJECTS <= k < n_labeling else "editor")
        _, secret = users.accept_invitation(server, users.invite(server, user.id), f"password of {k}")
        people.append(Person(user.name, secret, project.id))
    users.add_user(server, "admin", is_admin=True)  # without one, the server does not start
    server.engine.dispose()
    return people


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """Start the server; yield its address and process."""
    command = [sys.executable, "-m", "coverslip", "server", str(folder / "server"), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*command, "--root", str(folder / "data")], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout is not None
        address = next((word for line in process.stdout for word in line.split() if word.startswith("http://")), None)
        if address is None:
            raise SystemExit("the server did not start")
        yield address.rstrip("/"), psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def client_of(address: str, person: Person) -> httpx.Client:
    port = httpx.URL(address).port
    cookies = {f"coverslip-session-{port}": person.secret}
    return httpx.Client(base_url=f"{address}/projects/{person.project}{API}", cookies=cookies, timeout=60)


def wait_until_read(address: str, people: list[Person], cells: Path) -> None:
    """Add a dataset to each project, and wait until its images are read."""
    for person in people[:N_PROJECTS]:
        with client_of(address, person) as client:
            client.post("/datasets", json={"sources": [{"path": str(cells)}]}).raise_for_status()
    for person in people[:N_PROJECTS]:
        with client_of(address, person) as client:
            while client.get("/datasets").json()["items"][0]["state"] != "ready":
                time.sleep(0.5)


def label_and_browse(
    address: str,
    person: Person,
    place: int,
    n_in_project: int,
    pause: float,
    measured: Measured,
    ended: threading.Event,
) -> None:
    """Label the images of one client and look at the dataset, until the end."""
    dice = random.Random(person.name)
    with client_of(address, person) as client:
        dataset_id = client.get("/datasets").json()["items"][0]["id"]
        of_dataset, of_list = f"/datasets/{dataset_id}", f"/lists/{dataset_id}"

        def send(kind: str, method: str, address: str, **body: Any) -> httpx.Response | None:
            start = time.perf_counter()
            try:
                answer = client.request(method, address, **body)
            except httpx.HTTPError as error:
                measured.add(kind, time.perf_counter() - start, 599, repr(error))
                return None
            measured.add(kind, time.perf_counter() - start, answer.status_code, answer.text if answer.is_error else "")
            return answer

        listed = send("row_ids of a gallery", "GET", f"{of_list}/row-ids")
        if listed is None or listed.is_error:
            return
        rows = np.frombuffer(listed.content, "<u4").tolist()
        labeled = rows[place::n_in_project]
        while not ended.wait(dice.expovariate(1 / pause)):
            match dice.choices(("label", "images", "dataset", "rows", "picture", "history"), (4, 3, 2, 1, 3, 1))[0]:
                case "label":
                    row_id, label = dice.choice(labeled), dice.choice(CLASSES)
                    answer = send("label", "POST", f"{of_dataset}/changes", json={"rows": [row_id], "label": label})
                    if answer is None:  # the label may have been stored or not
                        with measured.lock:
                            measured.labels.pop((person.project, row_id), None)
                    elif answer.is_success:
                        with measured.lock:
                            measured.labels[person.project, row_id] = label, person.name
                            measured.changes[person.project] += answer.json()["change"] is not None
                case "images":
                    send("images of a page", "GET", f"{of_list}/rows", params={"limit": 60, "after": dice.choice(rows)})
                case "dataset":
                    send("dataset", "GET", of_dataset)
                case "rows":
                    params = {"label": dice.choice(CLASSES), "sort": "label"}
                    send("row_ids of a gallery", "GET", f"{of_list}/row-ids", params=params)
                case "picture":
                    send("picture", "GET", f"{of_list}/rows/{dice.choice(rows)}/overview")
                case "history":
                    send("history of labels", "GET", f"{of_dataset}/download/label-changes")


def browse(program: str, address: str, person: Person, results: Results, ended: Event) -> None:
    """Follow the links to the pages of a project in turn in Chromium, until the end."""
    from playwright.sync_api import Error, sync_playwright

    measured = Measured()
    with client_of(address, person) as client:
        dataset_id = client.get("/datasets").json()["items"][0]["id"]
    base = f"{address}/projects/{person.project}"
    links = ("./", "./datasets", f"datasets/{dataset_id}", f"train?dataset={dataset_id}", "./runs", "./predict")
    with sync_playwright() as playwright, ExitStack() as stack:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        stack.callback(browser.close)
        context = browser.new_context()
        port = httpx.URL(address).port
        context.add_cookies([{"name": f"coverslip-session-{port}", "value": person.secret, "url": address}])
        page = context.new_page()
        page.on("response", lambda answer: answer.status >= 500 and measured.add("page", 0, answer.status, answer.url))
        with suppress(Error):  # the first link fails then, which is counted
            page.goto(f"{base}/")
        while not ended.is_set():
            for link in links:
                start = time.perf_counter()
                try:
                    page.locator(f"a[href='{link}']").first.click()
                    page.locator("main[aria-busy=false] h1").first.wait_for()
                    measured.add("page in Chromium", time.perf_counter() - start, 200)
                except Error as error:
                    measured.add("page in Chromium", time.perf_counter() - start, 598, f"{link} {error}")
                if ended.wait(2):
                    break
    results.put((dict(measured.durations), measured.statuses, measured.failures))


def without_priority(program: str, script: Path) -> str:
    """Return a script that starts a program without the right of an administrator to raise its priority."""
    command = ["setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", program]
    script.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n', encoding="utf-8")
    script.chmod(0o700)
    return str(script)


def train(folder: Path, number: int, ended: threading.Event) -> None:
    """Train again and again at nice 10, until the end."""
    turn = 0
    while not ended.is_set():
        out = folder / "runs" / f"{number}-{turn}"
        command = [sys.executable, "-m", "coverslip", "train", str(folder / "data" / "cells"), f"--out={out}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        psutil.Process(process.pid).nice(10)
        while process.poll() is None and not ended.wait(0.5):
            pass
        process.terminate()
        process.wait()
        turn += 1


def observe(process: psutil.Process, measured: Measured, ended: threading.Event) -> None:
    """Measure the memory of the server and its processes every few seconds."""
    start = time.monotonic()
    while not ended.wait(5):
        n_bytes = 0
        for each in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                n_bytes += each.memory_info().rss
        measured.memory_mb.append(((time.monotonic() - start) / 60, n_bytes / 1e6))


def report(server: AccountServer, people: list[Person], measured: Measured) -> None:
    """Print what was measured, and compare the accepted labels with those in the database."""
    print(f"\n{'request':<24}{'n':>8}{'p50':>9}{'p95':>9}{'p99':>9}  ms")
    for kind, seconds in sorted(measured.durations.items()):
        p50, p95, p99 = np.percentile(seconds, (50, 95, 99)) * 1e3
        print(f"{kind:<24}{len(seconds):>8}{p50:>9.0f}{p95:>9.0f}{p99:>9.0f}")
    http = [s for kind, seconds in measured.durations.items() if "Chromium" not in kind for s in seconds]
    p50, p95, p99 = np.percentile(http, (50, 95, 99)) * 1e3
    note = f"median {p50:.0f}; target without trainings: 300"
    RECORD.add(
        f"95th percentile of the requests of {len(people)} people on the computer of the server",
        round(p95),
        "ms",
        n=len(http),
        note=note,
    )
    print(f"{'all HTTP requests':<24}{len(http):>8}{p50:>9.0f}{p95:>9.0f}{p99:>9.0f}")
    by_minute = [f"{np.percentile(seconds, 95) * 1e3:.0f}" for _, seconds in sorted(measured.by_minute.items())]
    print(f"p95 of each minute: {', '.join(by_minute)} ms")
    n_failed = sum(n for status, n in measured.statuses.items() if status >= 500)
    RECORD.add("Responses with an error of the server (5xx)", n_failed, n=measured.statuses.total())
    print(f"\n5xx: {n_failed}; statuses: ", end="")
    print(", ".join(f"{status}: {n}" for status, n in sorted(measured.statuses.items())))
    for failure in measured.failures[:10]:
        print(f"  {failure}")
    n_lost = n_foreign = n_stored = 0
    for record in projects.list_projects(server):
        workspace = projects.workspace_of(server, record)
        with workspace.engine.connect() as connection:
            label_of = {row.row_id: row.label for row in connection.execute(select(images.c.row_id, images.c.label))}
            authors = select(changed_rows.c.row_id, changes.c.made_by).join_from(changed_rows, changes)
            author_of = defaultdict[int, set[str]](set)
            for row_id, made_by in connection.execute(authors):
                author_of[row_id].add(made_by)
                n_stored += 1
        workspace.engine.dispose()
        sent = {row_id: by for (project, row_id), by in measured.labels.items() if project == record.id}
        n_lost += sum(label_of[row_id] != label for row_id, (label, _) in sent.items())
        n_foreign += sum(
            author_of[row_id] - {sent[row_id][1] if row_id in sent else ""} != set() for row_id in author_of
        )
    RECORD.add("Labels lost or of another user", n_lost + n_foreign, n=measured.changes.total())
    print(
        f"labels: {len(measured.labels)} images by {len(people)} people, {measured.changes.total()} accepted changes, ",
        end="",
    )
    print(f"{n_stored} stored; lost: {n_lost}, of others: {n_foreign}")
    if measured.memory_mb:
        shown = measured.memory_mb[:: max(1, len(measured.memory_mb) // 10)]
        last = round(measured.memory_mb[-1][1])
        RECORD.add("Memory of the server and its processes at the end", last, "MB")
        print("memory, MB: " + ", ".join(f"{mb:.0f} at {minute:.1f} min" for minute, mb in shown))


if __name__ == "__main__":
    main()
