"""Sessions with one version of coverslip, through its public doors: app, commands, Python; with answers and counters.

The version runs in programs of its own; nothing of it is imported here.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from _answers import Names, Values, content_of, flat
from PIL import Image

HERE = Path(__file__).resolve().parent
CLASSES = ("small", "medium", "large")
SAMPLES = ("0/rep1", "0/rep2", "10/rep1", "10/rep2")  # dose and repetition
GROUPS = r"slide\d+"
SIDE = 32
QUICK = {"stage": "instant", "image_size": 32, "tta": 1, "split.folds": 0, "augment": "none"}
FINETUNED = {**QUICK, "stage": "finetune", "epochs": 1, "batch_size": 16, "patience": None}
SECONDS_TO_START, SECONDS_OF_JOB = 120, 300
SETTLE_SECONDS = 3  # for the end of processes after their job; longer-lived ones remain
BUSY = ("queued", "starting", "running", "stopping", "waiting", "reading")
# The server ends idle decoders after a minute, so that the number that it starts depends on the speed of the computer.
IDLE_ENDED = re.compile(r"python -m coverslip\.images\.decod\w*")
# Threads that answer requests; work in the background of the server depends on time.
REQUEST_THREADS = re.compile(r"MainThread|AnyIO worker thread|asyncio_\d+")

Json = Any  # JSON values


@dataclass(frozen=True)
class Version:
    """A version of coverslip, with a folder for what it writes; `core` is the only processor core that it uses."""

    src: Path
    work: Path
    core: int | None = None

    @property
    def counts(self) -> Path:
        return self.work / "counts.txt"

    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PYTHONPATH": f"{HERE / '_counting'}{os.pathsep}{self.src}",
            "PYTHONUNBUFFERED": "1",
            "SAME_ANSWERS_COUNTS": str(self.counts),
            "COVERSLIP_CACHE": str(self.work / "cache"),
            "COVERSLIP_HOME": str(self.work / "home"),
            "COVERSLIP_WEIGHTS": str(self.work / "weights"),
            "OMP_NUM_THREADS": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "HF_HUB_OFFLINE": "1",
            "LC_ALL": "C.UTF-8",
            "TZ": "UTC",
            "COLUMNS": "120",
        }

    def start(self, *arguments: str, out: Path, err: Path | None = None) -> "subprocess.Popen[bytes]":
        """Start a Python program of this version."""
        if self.core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, {self.core})  # of this thread; programs inherit it
        with out.open("wb") as stdout, (err or out).open("ab" if err is None else "wb") as stderr:
            return subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.work,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
            )


@dataclass
class Recording:
    """The answers of a session, the exact counters, and peak memory, each by step and path."""

    names: Names
    answers: dict[str, Values] = field(default_factory=dict)
    counters: dict[str, Values] = field(default_factory=dict)
    memory_mib: dict[str, Values] = field(default_factory=dict)

    def add(self, step: str, answer: Json) -> None:
        if step in self.answers:
            raise ValueError(f"two steps have the name {step!r}")
        self.answers[step] = dict(flat(answer, self.names, step))

    def count(self, step: str, lines: Sequence[Sequence[str]], sampled: Mapping[str, int], server: int = 0) -> None:
        """Add the counters of a job or a command: processes, openings of images, peak memory.

        Args:
            step: the name of the step.
            lines: of the counters.
            sampled: the peak memory of processes that did not write it, by PID.
            server: the PID of the app; decoders that it starts itself are not counted.
        """
        counters = self.counters.setdefault(step, {})
        peaks: dict[str, int] = {}
        openings: Counter[str] = Counter()
        programs: Counter[str] = Counter()
        written = {line[0] for line in lines if line[1] == "peak"}
        for pid, what, *fields in lines:
            if what == "start" and pid in sampled and pid not in written:
                peaks[fields[0]] = max(sampled[pid], peaks.get(fields[0], 0))
            if what == "open":
                openings[fields[0]] += 1
            elif what == "start" or (what == "program" and not fields[0].startswith("python -m")):
                # Python programs with the counters write their start; others are counted where they are started.
                if what == "start" and fields[1] == str(server) and IDLE_ENDED.fullmatch(fields[0]):
                    continue
                if what == "start" or not re.match(r"python (?!.*-[IES])", fields[0]):
                    programs[fields[0]] += 1
            elif what == "peak":
                peaks[fields[0]] = max(int(fields[1]), peaks.get(fields[0], 0))
        counters |= {f"processes.{program}": n for program, n in sorted(programs.items())}
        for n, n_images in sorted(Counter(openings.values()).items()):
            counters[f"file openings.images opened {n} times"] = n_images
        if openings:
            counters["file openings.total"] = openings.total()
        if peaks:
            self.memory_mib[step] = dict(sorted(peaks.items()))


@dataclass
class Counts:
    """The lines of the counters of a version."""

    file: Path
    sampled: dict[str, int] = field(default_factory=dict)  # peak memory in MiB of running processes, by PID

    def position(self) -> int:
        return self.file.stat().st_size if self.file.exists() else 0

    def since(self, position: int) -> list[list[str]]:
        if not self.file.exists():
            return []
        with self.file.open("rb") as file:
            file.seek(position)
            return [line.split("\t") for line in file.read().decode(errors="replace").splitlines()]

    def end_all(self) -> None:
        """End the processes of the session that still run, such as jobs after a failure."""
        for line in self.since(0):
            with suppress(OSError, ValueError):
                if line[1] == "start" and str(self.file) in Path(f"/proc/{line[0]}/environ").read_text(
                    errors="replace"
                ):
                    os.kill(int(line[0]), signal.SIGTERM)

    def sample(self, position: int) -> None:
        """Measure the peak memory of the processes that were started since a position: killed ones do not write it."""
        for pid, what, *_ in self.since(position):
            with suppress(OSError, IndexError, ValueError):
                if what == "start":
                    status = Path(f"/proc/{pid}/status").read_text()
                    self.sampled[pid] = int(status.split("VmHWM:")[1].split()[0]) // 1024

    def settled(self, position: int) -> list[list[str]]:
        """Return the lines since a position, once the processes that were started since have ended."""
        until = time.monotonic() + SETTLE_SECONDS
        while True:
            self.sample(position)
            lines = self.since(position)
            if time.monotonic() > until or not any(is_alive(int(line[0])) for line in lines if line[1] == "start"):
                return lines
            time.sleep(0.05)


def is_alive(pid: int) -> bool:
    """Return whether a process runs."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    if Path("/proc").is_dir():
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class Refused(Exception):
    """A step without which the session cannot continue failed."""


# Images -------------------------------------------------------------------------------------------------------------


def write_images(folder: Path) -> None:
    """Write the images of all sessions, equal in every run."""
    write_cells(folder / "cells", "cells", 90, slides=range(10), seed=0)
    write_cells(folder / "external", "external", 24, slides=range(10, 15), seed=1)
    write_cells(folder / "more", "more", 6, slides=range(3), seed=2)
    for k, sample in enumerate(SAMPLES):
        write_cells(folder / "new" / sample, f"new{k}", 10, slides=range(20, 22), seed=3 + k, is_sorted=False)
    write_cells(folder / "pictures", "pictures", 30, slides=range(6), seed=7, is_sorted=False)
    rows = [
        f"pictures/{file.name},{CLASSES[k % 3]},patient {k % 6}"
        for k, file in enumerate(sorted((folder / "pictures").iterdir(), key=lambda file: file.stem[-3:]))
    ]
    (folder / "table.csv").write_text("\n".join(["path,label,patient", *rows, ""]), encoding="utf-8")
    write_cells(folder / "flawed", "flawed", 12, slides=range(4), seed=8)
    small = sorted((folder / "flawed" / "small").iterdir())
    shutil.copy(small[0], folder / "flawed" / "small" / "slide9_copy.png")
    shutil.copy(small[1], folder / "flawed" / "large" / "slide9_conflict.png")
    (folder / "flawed" / "large" / "slide9_broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    write_fields(folder)


def write_cells(folder: Path, name: str, n: int, *, slides: Sequence[int], seed: int, is_sorted: bool = True) -> None:
    """Write bright cells, whose size is their class, on slides that differ in brightness."""
    rng = np.random.default_rng(seed)
    rows, columns = (np.mgrid[:SIDE, :SIDE] + 0.5) / SIDE
    for i in range(n):
        kind, slide = i % 3, slides[i // 3 % len(slides)]
        y, x = rng.uniform(0.4, 0.6, 2)
        cell = np.hypot(rows - y, columns - x) < (0.1, 0.2, 0.3)[kind] + rng.normal(0, 0.025)
        picture = 0.25 + 0.02 * (slide % 9) + cell[..., None] * rng.uniform(0.35, 0.5, 3)
        pixels = (picture + rng.normal(0, 0.03, (SIDE, SIDE, 3))).clip(0, 1) * 255
        file = (folder / CLASSES[kind] if is_sorted else folder) / f"slide{slide}_{name}{i:03}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(file)


def write_fields(folder: Path) -> None:
    """Write two fields of nine discs, their label images, and their centers with classes."""
    rng = np.random.default_rng(9)
    side, centers = 300, [(50 + 100 * (k % 3), 50 + 100 * (k // 3)) for k in range(9)]
    rows, columns = np.mgrid[:side, :side]
    for name in ("fields", "masks", "points"):
        (folder / name).mkdir(parents=True)
    for number in range(2):
        pixels, labels = rng.normal(60, 4, (side, side)), np.zeros((side, side), np.uint8)
        for k, (x, y) in enumerate(centers):
            is_inside = (columns - x) ** 2 + (rows - y) ** 2 < (24, 14)[k % 2] ** 2
            pixels[is_inside] += 120
            labels[is_inside] = k + 1
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "fields" / f"slide{number}_field.png")
        Image.fromarray(labels).save(folder / "masks" / f"slide{number}_field_mask.tif")
        lines = [f"{x} {y} {('large', 'small')[k % 2]}" for k, (x, y) in enumerate(centers)]
        (folder / "points" / f"slide{number}_field.txt").write_text("\n".join(lines), encoding="utf-8")


# The app ------------------------------------------------------------------------------------------------------------


@dataclass
class App:
    """The app of a version on a workspace. Every request is a step: its answer and its SQL statements are recorded."""

    version: Version
    record: Recording
    address: str
    pid: int

    def __post_init__(self) -> None:
        self.counts = Counts(self.version.counts)

    def send(
        self, method: str, path: str, body: Json = None, /, *, author: str | None = None, **query: Any
    ) -> tuple[int, str, bytes]:
        """Return the status, the content type and the content of an answer. A body of bytes is sent as it is."""
        headers = {"Content-Type": "application/octet-stream" if isinstance(body, bytes) else "application/json"}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        address = f"{self.address}api/v1/{path}{'?' + urlencode(query) if query else ''}"
        headers |= {"X-Author": author} if author else {}
        request = urllib.request.Request(address, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                self.headers = answer.headers
                return answer.status, answer.headers.get("Content-Type", ""), answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers.get("Content-Type", ""), error.read()

    def ask(self, step: str, method: str, path: str, body: Json = None, /, *, name: str = "", **more: Any) -> Json:
        """Send a request, record the answer and the SQL statements, and return the content as JSON.

        Args:
            step: the name of the step.
            method: of the request.
            path: of the request.
            body: of the request.
            name: what answers call the new identifier that the answer contains.
            more: as for `send`.
        """
        position = self.counts.position()
        status, kind, data = self.send(method, path, body, **more)
        lines = self.counts.since(position)
        content = content_of(data, kind, self.record.names) if data else None
        if name and isinstance(content, dict) and "id" in content:
            self.record.names.name(content["id"], name)
        self.record.add(step, {"status": status, "content": content})
        statements = Counter(
            f"SQL.{line[2]}.{line[4]}"
            for line in lines
            if line[0] == str(self.pid) and line[1] == "sql" and REQUEST_THREADS.fullmatch(line[3])
        )
        self.record.counters.setdefault(step, {}).update(sorted(statements.items()))
        return content

    def get(self, step: str, path: str, /, **query: Any) -> Json:
        """Send a request for an answer, and record it."""
        return self.ask(step, "GET", path, **query)

    def made(self, step: str, path: str, body: Json, name: str, **more: Any) -> str:
        """Return the identifier of what a request made; answers call it by the name."""
        content = self.ask(step, "POST", path, body, name=name, **more)
        if not isinstance(content, dict) or "id" not in content:
            raise Refused(f"{step}: {json.dumps(content)[:500]}")
        return str(content["id"])

    def until(self, path: str, is_done: Callable[[Json], bool], position: int | None = None) -> None:
        """Wait for the state of an answer; the requests are not recorded, but memory since a position is sampled."""
        end = time.monotonic() + SECONDS_OF_JOB
        while time.monotonic() < end:
            status, _, data = self.send("GET", path)
            if status != 200 or is_done(json.loads(data)):
                return
            if position is not None:
                self.counts.sample(position)
            time.sleep(0.1)
        raise Refused(f"waited too long for {path}: {data.decode()[:500]}")

    def job(self, step: str, path: str, body: Json, *, name: str = "", state: str = "", method: str = "POST") -> str:
        """Start a job, wait for its end, record its state and its counters; return its identifier.

        Args:
            step: the name of the step.
            path: where the job is queued.
            body: its choices.
            name: how answers call it; without, the state of the job has no identifier.
            state: the address of its state, if it has no name.
            method: of the request.
        """
        position = self.counts.position()
        identifier = ""
        if name:
            identifier = self.made(step, path, body, name)
            state = f"jobs/{identifier}"
        else:
            self.ask(step, method, path, body)
            state = state or path
        self.until(state, is_idle, position)
        self.record.count(f"{step}: job", self.counts.settled(position), self.counts.sampled, self.pid)
        self.get(f"{step}: result", state)
        return identifier

    def compute(self, step: str, kind: str, subject: str, **choices: Any) -> None:
        """Request a result, wait for it, and record it."""
        body = {"kind": kind, "subject": subject, **choices}
        self.job(step, "computations", body, state=f"computations/{kind}/{subject}")

    def send_json(self, method: str, path: str, body: Json = None, /, **more: Any) -> Json:
        """Send a request that is not recorded."""
        return json.loads(self.send(method, path, body, **more)[2])

    def all_of(self, dataset: str, **filters: str) -> dict[str, Any]:
        """Return the images of a dataset that match, for a change of them by filters; it is not recorded."""
        _, _, data = self.send("GET", f"lists/{dataset}/row-ids", **filters)
        if "Rows-Digest" not in self.headers:  # an earlier version, which changes whatever matches
            return {"filters": filters}
        row_ids = np.sort(np.frombuffer(data, "<u4"))
        return {"filters": filters, "n_listed": len(row_ids), "digest": hashlib.sha256(row_ids.tobytes()).hexdigest()}

    def rows(self, dataset: str) -> dict[str, int]:
        """Return the row_ids of a dataset by file name."""
        items = self.send_json("GET", f"lists/{dataset}/rows", limit=2000)["items"]
        return {image["image_id"].rpartition("/")[2]: image["row_id"] for image in items}


def is_idle(state: Json) -> bool:
    """Return whether a dataset, a job or a work has ended."""
    return state.get("state") not in BUSY


@contextmanager
def app_of(version: Version, workspace: Path, root: Path, record: Recording, step: str) -> Iterator[App]:
    """Run the app of a version; record what it counts from start to end under `step`."""
    log = version.work / "app.txt"
    position = Counts(version.counts).position()
    process = version.start(
        *("-m", "coverslip", "app", "--no-browser", "--port", "0"),
        *("--workspace", str(workspace), "--root", str(root)),
        out=log,
    )
    try:
        until = time.monotonic() + SECONDS_TO_START
        while "Ctrl-C" not in (printed := log.read_text(errors="replace")):
            if process.poll() is not None or time.monotonic() > until:
                raise Refused(f"{step}: the app did not start: {printed}")
            time.sleep(0.05)
        address = next(word for word in printed.split() if word.startswith("http://"))
        yield App(version, record, address.partition("?")[0], process.pid)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(90)
        peaks = [line for line in Counts(version.counts).since(position) if line[:2] == [str(process.pid), "peak"]]
        record.memory_mib[step] = {line[2]: int(line[3]) for line in peaks}
