"""Measure the gallery of the web app with very many images, and the cost of observing a training.

The script makes a folder of hard links to a few hundred small images, opens it in the app and views it in Chromium. It
measures the time until images are read (with colors and thumbnails), the time to the first color and the first picture
of the gallery, frame times while scrolling, the proportions of visible cells without picture and without color, and the
memory of the server. Then it runs a training that is observed in turn by nobody, by event streams, by nobody, and by
open pages, for two epochs each. It compares the second epoch with the unobserved epochs before and after it, because
the speed of a shared machine varies, and measures the server's processor time. Pages are rendered on the same cores.

    python benchmarks/app.py [--count 100000] [--watchers 10] [--rounds 6]

Requirements: built pages (`make pages`) and Chromium. Other work on the machine affects all numbers.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
from _records import Record
from many_images import draw
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RECORD = Record("The web app", ["src/coverslip/app", "src/coverslip/workspace", "web/src"])

Json = dict[str, Any]  # Any: JSON values

DISTINCT = 400
SIDE = 128  # px, as in a cell of the gallery
IN_A_FOLDER = 2_000
FRAMES = 300
SPEEDS = (20, 100)  # px per frame
VISITS = 3
TRAINING: Json = {
    "stage": "finetune",
    "image_size": 64,
    "batch_size": 32,
    "patience": None,
    "tta": 1,
    "split.folds": 0,
}
TRAINED = 960  # images: an epoch of some seconds
CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Milliseconds from the request of the page to the first color and the first picture of a cell.
FIRST = """
window.first = {};
const look = () => {
  const shown = document.querySelector('.gallery .picture');
  if (shown) window.first.color ??= performance.now();
  if (shown && shown.style.backgroundImage) window.first.picture ??= performance.now();
  if (!window.first.picture) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""

# Scroll by so many px in every frame; every fifth is checked on a screenshot.
SCROLL = """
async ([step, frames]) => {
  const wall = document.querySelector('.gallery');
  const times = [];
  const seen = { all: 0, pictures: 0, colors: 0 };
  const pitch = () => {
    const tops = [...wall.querySelectorAll('.cells')].map((row) => row.getBoundingClientRect().top);
    tops.sort((a, b) => a - b);
    return Math.min(...tops.slice(1).map((top, k) => top - tops[k]));
  };
  const height = pitch();
  const count = () => {
    const frame = wall.getBoundingClientRect();
    const columns = wall.querySelector('.cells').children.length;
    seen.all += (frame.height / height) * columns;
    for (const row of wall.querySelectorAll('.cells')) {
      const box = row.getBoundingClientRect();
      const share = (Math.min(frame.bottom, box.top + height) - Math.max(frame.top, box.top)) / height;
      if (share <= 0) continue;
      for (const picture of row.querySelectorAll('.picture'))
        if (picture.style.backgroundImage) seen.pictures += share;
        else seen.colors += share;
    }
  };
  let last = await new Promise(requestAnimationFrame);
  for (let k = 0; k < frames; k += 1) {
    wall.scrollTop += step;
    const now = await new Promise(requestAnimationFrame);
    times.push(now - last);
    last = now;
    if (k % 5 === 4) count();
  }
  return { times, ...seen };
}
"""


FOLLOW = """
import sys, threading, urllib.request
def follow():
    with urllib.request.urlopen(sys.argv[1]) as answer:
        for _ in answer:
            pass
for _ in range(int(sys.argv[2])):
    threading.Thread(target=follow).start()
"""


class Server:
    """`coverslip app` on a workspace, with methods for requests."""

    def __init__(self, folder: Path) -> None:
        log = folder / "log.txt"
        command = [sys.executable, "-m", "coverslip", "app", "--no-browser", "--port", "0"]
        command += ["--workspace", str(folder / "workspace"), "--root", str(folder)]
        environment = os.environ | {"COVERSLIP_CACHE": str(folder / "cache"), "PYTHONUNBUFFERED": "1"}
        with log.open("w") as out:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
            )
        wait_for(lambda: "Ctrl-C" in log.read_text() or self.process.poll() is not None, 120)
        if self.process.poll() is not None:
            raise SystemExit(f"The app did not start:\n{log.read_text()}")
        address = next(word for word in log.read_text().split() if word.startswith("http://"))
        self.address = address.partition("?")[0]

    def ask(self, path: str, body: Json | None = None, method: str | None = None) -> Json:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.address}api/v1/{path}", data, {"Content-Type": "application/json"} if data else {}, method=method
        )
        with urllib.request.urlopen(request, timeout=600) as answer:
            parsed: Json = json.load(answer)
        return parsed

    def read(self, folder: Path) -> tuple[str, float, float]:
        """Open a folder; return the dataset's id and the seconds until it is listed and until its images are read."""
        started = time.perf_counter()
        dataset_id: str = self.ask("datasets", {"sources": [{"path": str(folder)}]})["id"]
        listed = time.perf_counter() - started
        wait_for(lambda: self.ask(f"datasets/{dataset_id}")["state"] != "reading", 7_200, every=0.5)
        return dataset_id, listed, time.perf_counter() - started

    def memory_mib(self) -> float:
        return float(psutil.Process(self.process.pid).memory_info().rss / 2**20)

    def processor_s(self) -> float:
        used = psutil.Process(self.process.pid).cpu_times()
        return float(used.user + used.system)

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """The app on the workspace in `folder`."""
    server = Server(folder)
    try:
        yield server
    finally:
        server.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="number of images in the gallery")
    parser.add_argument("--watchers", type=int, default=10, help="number of observers of the training")
    parser.add_argument("--rounds", type=int, default=6, help="number of observed rounds; 0 skips them")
    RECORD.add_option(parser)
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        raise SystemExit("Chromium is not installed. To install it, see .ci/programs.")
    from playwright.sync_api import sync_playwright

    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        folder = Path(scratch)
        link_images(folder / "images", options.count)
        measure_wall(folder, browser, options.count)
        if options.rounds:
            draw(folder / "cells", TRAINED)
            with serving(folder) as server:
                measure_training(server, server.read(folder / "cells")[0], browser, options.watchers, options.rounds)
        browser.close()
    RECORD.write()


def link_images(folder: Path, count: int) -> None:
    """Many files of a few hundred images."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as drawn:
        draw(Path(drawn), min(count, DISTINCT))
        files = sorted(Path(drawn).rglob("*.png"))
        for file in files:
            with Image.open(file) as image:
                image.resize((SIDE, SIDE)).save(file)
        for i in range(count):
            file = files[i % len(files)]
            name = file.relative_to(drawn).parts[0]
            target = folder / name / f"part{i // IN_A_FOLDER:03d}" / f"{i:06d}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(file)


def measure_wall(folder: Path, browser: "Browser", count: int) -> None:
    """Reading, the first picture, scrolling, memory."""
    with serving(folder) as server:
        dataset_id, listed, read = server.read(folder / "images")
    n_bytes = sum(file.stat().st_size for file in (folder / "cache" / "app-thumbnails").rglob("*.sqlite"))
    RECORD.add("Reading of an image into the gallery", round(1000 * read / count, 2), "ms", n=f"{count:,} images")
    print("| images | listing (s) | reading (s) | reading per image (ms) | thumbnails (MB) |\n|---|---|---|---|---|")
    print(f"| {count:,} | {listed:.1f} | {read:.0f} | {1000 * read / count:.2f} | {n_bytes / 1e6:.0f} |\n", flush=True)
    with serving(folder) as server:  # a new server, so that its memory is that of galleries
        server.ask("datasets")
        before = server.memory_mib()
        visits = [first_shown(server, browser, dataset_id) for _ in range(VISITS)]
        slowest = round(max(picture for _, picture in visits))
        RECORD.add(f"First picture of the gallery, longest of {VISITS} visits", slowest, "ms", note="target: 1,000")
        print("| visit | first color (ms) | first picture (ms) |\n|---|---|---|")
        for k, (color, picture) in enumerate(visits):
            print(f"| {k + 1} | {color:.0f} | {picture:.0f} |", flush=True)
        print(
            "\n| scrolling (px per frame) | frames | frame time, median (ms) | 95th percentile (ms) "
            "| cells without picture | blank cells |\n|---|---|---|---|---|---|"
        )
        heaps = [scroll(server, browser, dataset_id, step) for step in SPEEDS]
        print("\n| server memory before (MiB) | after (MiB) | JavaScript heap of the pages (MiB) |\n|---|---|---|")
        RECORD.add("Memory of the server after all visits", round(server.memory_mib()), "MiB")
        shown = ", ".join(f"{megabytes:.0f}" for megabytes in heaps)
        print(f"| {before:.0f} | {server.memory_mib():.0f} | {shown} |\n", flush=True)


@contextmanager
def wall(server: Server, browser: "Browser", dataset_id: str) -> "Iterator[Page]":
    """Open a gallery in a browser with an empty cache."""
    context = browser.new_context(base_url=server.address, viewport={"width": 1280, "height": 800})
    context.add_init_script(FIRST)
    page = context.new_page()
    page.goto(f"/datasets/{dataset_id}?tab=images")
    wait_for(lambda: page.evaluate("window.first.picture"), 120)
    yield page
    context.close()


def first_shown(server: Server, browser: "Browser", dataset_id: str) -> tuple[float, float]:
    with wall(server, browser, dataset_id) as page:
        first = page.evaluate("window.first")
        return float(first["color"]), float(first["picture"])


def scroll(server: Server, browser: "Browser", dataset_id: str, step: int) -> float:
    """Print a row about scrolling; return the page's memory in MiB."""
    with wall(server, browser, dataset_id) as page:
        time.sleep(2)
        seen = page.evaluate(SCROLL, [step, FRAMES])
        times = sorted(seen["times"])
        p50, p95 = statistics.median(times), times[int(0.95 * len(times))]
        without = max(0.0, 1 - seen["pictures"] / seen["all"])
        blank = max(0.0, without - seen["colors"] / seen["all"])
        RECORD.add("Median time of a frame while the gallery scrolls", round(p50, 1), "ms", of=f"{step} px per frame")
        print(f"| {step} | {len(times)} | {p50:.1f} | {p95:.1f} | {without:.1%} | {blank:.1%} |", flush=True)
        return float(page.evaluate("performance.memory.usedJSHeapSize")) / 2**20


def measure_training(server: Server, dataset_id: str, browser: "Browser", watchers: int, rounds: int) -> None:
    """Measure observed and unobserved epochs of a training, and the server's processor time."""

    def watch(way: str, run_id: str, stack: ExitStack) -> None:
        if way == "streams":
            open_streams(server, run_id, watchers, stack)
        elif way == "pages":
            open_pages(server, browser, run_id, watchers, stack)

    ways = [*(["nobody", "streams", "nobody", "pages"] * rounds), "nobody"]
    run_id = server.ask("runs", {"dataset_id": dataset_id, "recipe": {**TRAINING, "epochs": 2 * len(ways) + 3}})["id"]
    taken = []
    epochs_of(server, run_id, at_least=1)
    for way in ways:
        with ExitStack() as stack:
            watch(way, run_id, stack)
            begun = len(epochs_of(server, run_id))
            epochs_of(server, run_id, at_least=begun + 1)
            began, used = time.monotonic(), server.processor_s()
            watched = epochs_of(server, run_id, at_least=begun + 2)[begun + 1]
            share = (server.processor_s() - used) / (time.monotonic() - began)
            taken.append((float(watched["seconds"]), share))
    server.ask(f"jobs/{run_id}/stop", {})
    wait_for(lambda: server.ask(f"jobs/{run_id}")["state"] == "stopped", 600, every=0.5)
    print(
        "| observers | epoch (s) | relative to the epochs before and after | server (% of a core) |\n|---|---|---|---|"
    )
    ratios: dict[str, list[float]] = {}
    for k, (way, (seconds, share)) in enumerate(zip(ways, taken, strict=True)):
        ratio = seconds / statistics.mean((taken[k - 1][0], taken[k + 1][0])) if way != "nobody" else 1.0
        ratios.setdefault(way, []).append(ratio)
        print(f"| {way} | {seconds:.2f} | {ratio:.3f} | {share:.1%} |")
    for way in ("streams", "pages"):
        low, middle, high = statistics.quantiles(ratios[way], n=4) if rounds > 1 else ratios[way] * 3
        claim = "Duration of an observed epoch, relative to unobserved ones, median"
        RECORD.add(claim, round(middle, 3), of=f"{watchers} {way}", note=f"quartiles {low:.3f} to {high:.3f}")
        print(f"| {watchers} {way}: median (quartiles) | | {middle:.3f} ({low:.3f}-{high:.3f}) | |", flush=True)


def epochs_of(server: Server, run_id: str, at_least: int = 0) -> list[Json]:
    """Return the events of a training as soon as this number of epochs is complete."""
    while True:
        run = server.ask(f"jobs/{run_id}")
        if run["error"]:
            raise SystemExit(f"The training failed: {run['error']}")
        epochs: list[Json] = [epoch for training in run["trainings"] for epoch in training["epochs"]]
        if len(epochs) >= at_least:
            return epochs
        time.sleep(0.5)


def open_streams(server: Server, run_id: str, count: int, stack: ExitStack) -> None:
    """Start a process with clients that follow a training."""
    command = [sys.executable, "-c", FOLLOW, f"{server.address}api/v1/events?job={run_id}", str(count)]
    clients = subprocess.Popen(command)
    stack.callback(clients.wait)
    stack.callback(clients.kill)


def open_pages(server: Server, browser: "Browser", run_id: str, count: int, stack: ExitStack) -> None:
    """Open the training's page in several windows with separate profiles, because a profile allows six streams."""
    for _ in range(count):
        context = browser.new_context(base_url=server.address)
        stack.callback(context.close)
        context.new_page().goto(f"/runs/{run_id}")


def drag_and_zoom(page: "Page", stage: str, n_drags: int) -> list[Any]:  # Any: samples of the script of the page
    """Drag a canvas in random directions, and zoom after every fourth drag; return `window.samples` of meanwhile."""
    rng = np.random.default_rng(0)
    box = page.locator(stage).bounding_box()
    assert box is not None
    page.evaluate("window.samples = []")
    for drag in range(n_drags):
        dx, dy = rng.uniform(-0.3, 0.3, 2) * (box["width"], box["height"])
        x, y = box["x"] + box["width"] / 2 - dx / 2, box["y"] + box["height"] / 2 - dy / 2
        page.mouse.move(x, y)
        page.mouse.down()
        for k in range(1, 41):
            page.mouse.move(x + dx * k / 40, y + dy * k / 40)
        page.mouse.up()
        if drag % 4 == 3:
            page.mouse.wheel(0, -120 if drag % 8 == 3 else 120)
        page.wait_for_timeout(400)
    samples: list[Any] = page.evaluate("window.samples")
    return samples


def wait_for(is_so: Callable[[], object], seconds: float, every: float = 0.05) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise SystemExit("The time limit was exceeded.")
        time.sleep(every)


if __name__ == "__main__":
    main()
