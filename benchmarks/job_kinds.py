"""Jobs of the web app, of eight kinds: how long until one begins to work, and what is left if one is killed?

The script opens synthetic cells in a server, trains a classifier and predicts images. Then it requests one job of each
kind after another and measures the time until its first progress or its end. Then it kills the process of a job of a
random kind at a random moment, as often as `--kills` says: the job must end as failed with the signal as the reason,
and after it is resumed, the training, the predictions and the tables must have the same bytes as without a kill, and
other results must exist. At the end, no process of a job may be left, no zombie, and no job that is listed as running.
Exit code 1 on any fault.

    python benchmarks/job_kinds.py [--rounds 3] [--kills 30] [--seed 0]

Other work on the machine affects the times, not the kills.
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from _records import Record

RECORD = Record("Jobs of the web app", [f"src/coverslip/{name}" for name in ("app", "runtime", "workspace")])
API, PORT = "/api/v1", 8741
INSTANT = {"stage": "instant", "image_size": 48, "tta": 1, "split.folds": 0}
FINETUNED = {**INSTANT, "stage": "finetune", "epochs": 2, "batch_size": 16, "patience": None}
SAME = ("weights.safetensors", "predictions.csv", "split.csv", "samples.csv")  # of which no time is a part
ENDED = ("done", "failed", "stopped", "interrupted")
MOST_SECONDS = 300.0

Json = dict[str, Any]  # Any: JSON values


class App:
    """A server with a dataset, a training and a prediction, which the jobs are about."""

    def __init__(self, client: httpx.Client, scratch: Path) -> None:
        self.client = client
        self.images = self.ready(self.post("datasets", sources=[{"path": str(scratch / "cells")}], is_labeled=True))
        self.other = self.ready(self.post("datasets", sources=[{"path": str(scratch / "others")}], is_labeled=True))
        self.new = str(scratch / "others")
        self.run = self.ended(self.post("runs", dataset_id=self.images, recipe=INSTANT))["id"]
        self.n = 0
        rows = self.get(f"lists/{self.run}/rows", limit=100)["items"]
        self.rows = [row["row_id"] for row in rows]

    def get(self, path: str, **query: object) -> Json:
        return checked(self.client.get(f"{API}/{path}", params=query))

    def post(self, path: str, **body: object) -> Json:
        return checked(self.client.post(f"{API}/{path}", json=body or None))

    def ready(self, dataset: Json) -> str:
        until(lambda: self.get(f"datasets/{dataset['id']}")["state"] == "ready")
        return str(dataset["id"])

    def job(self, job_id: str) -> Json:
        return self.get(f"jobs/{job_id}")

    def ended(self, job: Json) -> Json:
        return until(lambda: (now := self.job(job["id"]))["state"] in ENDED and now)

    def latest(self, kind: str) -> str:
        return str(self.get("jobs", kind=kind, limit=1)["items"][0]["id"])

    def request(self, kind: str) -> str:
        """Request a job of a kind whose result is not there yet; return its ID."""
        self.n += 1
        if kind == "train":
            return str(self.post("runs", dataset_id=self.images, name=f"Run {self.n}", recipe=FINETUNED)["id"])
        if kind == "predict":
            return str(self.post("predictions", classifier_id=self.run, sources=[self.new])["id"])
        if kind == "evaluate":
            return str(self.post(f"runs/{self.run}/evaluations", dataset_id=self.other)["id"])
        if kind == "export":
            return str(self.post(f"runs/{self.run}/exports", to="onnx")["id"])
        if kind == "explanation":
            subject = f"{self.run}.{self.rows.pop()}"
        else:
            self.rename()
            subject = self.run if kind == "label-errors" else self.images
        self.post("computations", kind=kind, subject=subject)
        return self.latest(kind)

    def rename(self) -> None:
        """Change something of the dataset, so that a stored result is not current."""
        checked(self.client.patch(f"{API}/datasets/{self.images}", json={"name": f"Cells {self.n}"}))


def checked(response: httpx.Response) -> Json:
    if response.is_error:
        raise SystemExit(f"{response.request.method} {response.request.url}: {response.status_code} {response.text}")
    return dict(response.json()) if response.content else {}


def until(
    condition: Callable[[], Any], *, interval_s: float = 0.05, most_s: float = MOST_SECONDS
) -> Any:  # Any: what the condition returns
    end = time.monotonic() + most_s
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(interval_s)
    raise SystemExit("nothing happened for some minutes")


KINDS = ("train", "predict", "evaluate", "export", "explanation", "dataset-map", "label-errors", "leakage-estimate")


def seconds_to_begin(app: App, kind: str) -> tuple[float, float]:
    """Return the seconds from a request to the first progress, and to the end."""
    began = time.monotonic()
    job_id = app.request(kind)
    until(lambda: (now := app.job(job_id))["progress"] or now["state"] in ENDED, interval_s=0.01)
    first = time.monotonic() - began
    app.ended({"id": job_id})
    return first, time.monotonic() - began


def files_of(scratch: Path, job_id: str) -> dict[str, bytes]:
    """Return the files of a job whose bytes depend on its input only."""
    folders = [each for each in (scratch / "workspace").glob("*/*") if job_id in each.name]
    return {file.name: file.read_bytes() for folder in folders for file in folder.rglob("*") if file.name in SAME}


def kill_one(app: App, scratch: Path, kind: str, after_s: float, whole: dict[str, bytes]) -> tuple[bool, list[str]]:
    """Kill a job after some seconds, and resume it; return whether it was killed, and the faults."""
    job_id = app.request(kind)
    time.sleep(after_s)
    processes = [each for each in job_processes(scratch) if job_id in " ".join(each.cmdline())]
    for process in processes:
        process.kill()
    state = app.ended({"id": job_id})
    if not processes or state["state"] == "done":
        return False, []
    faults = []
    if (state["state"], (state["error"] or {}).get("code")) != ("failed", "job-ended-by-signal"):
        faults.append(f"{kind}: {state['state']}, {state['error']}")
    app.post(f"jobs/{job_id}/resume")
    state = app.ended({"id": job_id})
    if state["state"] != "done":
        faults.append(f"{kind}: {state['state']} after it was resumed, {state['error']}")
    faults += [f"{kind}: {name} differs" for name, data in files_of(scratch, job_id).items() if data != whole[name]]
    return True, faults


def job_processes(scratch: Path) -> list[psutil.Process]:
    """Return the processes of jobs of the workspace: their arguments or their folder name it."""
    processes = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(scratch / "workspace") in words and " app " not in words:
            processes.append(process)
    return processes


def zombies_of(server: psutil.Process) -> list[psutil.Process]:
    return [each for each in server.children(recursive=True) if each.status() == psutil.STATUS_ZOMBIE]


@contextmanager
def server(scratch: Path) -> Iterator[tuple[httpx.Client, psutil.Process]]:
    command = [sys.executable, "-m", "coverslip", "app", "--no-browser", "--port", str(PORT), "--root", str(scratch)]
    command += ["--workspace", str(scratch / "workspace")]
    environment = {**os.environ, "COVERSLIP_CACHE": str(scratch / "cache")}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}", timeout=60) as client:

            def is_up() -> bool:
                try:
                    return client.get(f"{API}/system").is_success
                except httpx.TransportError:
                    return False

            until(is_up)
            yield client, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="measured jobs of each kind (default: 3)")
    parser.add_argument("--kills", type=int, default=30, help="(default: 30)")
    parser.add_argument("--seed", type=int, default=0)
    RECORD.add_option(parser)
    options = parser.parse_args()
    from coverslip.synthetic_cells import write_sample_images

    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        shutil.move(write_sample_images(scratch / "a", n_images=80).folder, scratch / "cells")
        shutil.move(write_sample_images(scratch / "b", n_images=80, seed=1).folder, scratch / "others")
        with server(scratch) as (client, process):
            app = App(client, scratch)
            seconds, firsts, whole = {}, [], {}
            for kind in KINDS:
                times = [seconds_to_begin(app, kind) for _ in range(options.rounds)]
                firsts.append(first := statistics.median(each[0] for each in times))
                seconds[kind] = statistics.median(each[1] for each in times)
                print(f"{kind}: first progress after {first:.2f} s, end after {seconds[kind]:.2f} s", flush=True)
                whole[kind] = files_of(scratch, app.latest(kind))
            n_kills, faults = 0, []
            while n_kills < options.kills:
                kind = rng.choice(KINDS)
                was_killed, more = kill_one(app, scratch, kind, rng.uniform(0, seconds[kind]), whole[kind])
                n_kills, faults = n_kills + was_killed, faults + more
                print(f"{kind}: {'killed' if was_killed else 'had ended'}", flush=True)
            with suppress(SystemExit):  # the processes of ended jobs end a little later
                until(lambda: not (job_processes(scratch) or zombies_of(process)), most_s=10)
            running = [job["id"] for job in app.get("jobs", limit=500)["items"] if job["state"] not in ENDED]
            faults += [f"left: {each}" for each in (*running, *zombies_of(process), *job_processes(scratch))]
    for fault in faults:
        print(f"WRONG: {fault}")
    print(f"{n_kills} kills, {len(faults)} faults")
    RECORD.add("First progress of a job, median of eight kinds", round(statistics.median(firsts), 2), "s")
    RECORD.add("First progress, slowest kind", round(max(firsts), 2), "s")
    RECORD.add("Faults after random kills", len(faults), n=f"{n_kills} kills")
    RECORD.write()
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
