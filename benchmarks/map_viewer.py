"""Measure the map of a dataset with 100,000 images: opening, frames, lassos, and colors by prediction.

The script writes a dataset, a map and a prediction of all images into a new workspace, without reading images: points
are in 40 clusters of different sizes, and the prediction has two classes of each image's cluster. It opens the map in
Chromium, drags and zooms it, and measures the time between two frames in both of which the map was drawn. It measures
the time from the end of a lasso around about a tenth of the points to their number on the page, and the time from the
choice of another coloring to the new colors. The naive way, in the same run, draws a filled circle for each point in
every frame.

    python benchmarks/map_viewer.py [--count 100000] [--drags 12]

Requirements: built pages (`make pages`) and Chromium. Other work on the machine affects all numbers.
"""

import argparse
import os
import shutil
import statistics
import tempfile
import time
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from _records import Record
from app import CHROMIUM, Server, drag_and_zoom, serving
from app_rows import DATASET, write_dataset
from sqlalchemy import bindparam, insert, select, update

from coverslip.images.reader import ReadPlan
from coverslip.runs.folder import Run
from coverslip.runs.prediction_tables import PredictionColumns, prediction_table
from coverslip.runs.predictions import CLASSIFIER_COLUMN, FIRST_COLUMN, PLAN_COLUMN, Prediction
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import keys_of_dataset, now
from coverslip.workspace.store.tables import dataset_maps, images
from coverslip.workspace.store.workspace import Workspace, open_workspace

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RECORD = Record("Map of a dataset in the browser", ["web/src/features", "src/coverslip/workspace", "src/coverslip/app"])
N_CLUSTERS = 40
FRAMES = "Median frames per second while the map is dragged and zoomed"
CLASSES = tuple(f"class {k}" for k in range(10))

# The time of every frame in which the canvas of the map was drawn.
SAMPLE = """
window.samples = [];
let isDrawn = false;
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (...values) {
  isDrawn ||= this.canvas.isConnected;
  return draw.apply(this, values);
};
const sample = () => {
  window.samples.push([performance.now(), isDrawn]);
  isDrawn = false;
  requestAnimationFrame(sample);
};
requestAnimationFrame(sample);
"""

# The milliseconds from the last event of a kind until the page contains another text in an element.
CHANGED = """
([kind, selector]) => new Promise((done) => {
  const text = () => document.querySelector(selector)?.textContent ?? '';
  const before = text();
  addEventListener(kind, ({ timeStamp }) => {
    const look = () => {
      if (text() !== before) requestAnimationFrame(() => done(performance.now() - timeStamp));
      else requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
})
"""

# The milliseconds that circles for all points take in a frame.
NAIVE = """
([n, size]) => {
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext('2d');
  const xy = Float32Array.from({ length: 2 * n }, () => Math.random() * size);
  const times = [];
  for (let frame = 0; frame < 5; frame += 1) {
    const start = performance.now();
    context.clearRect(0, 0, size, size);
    for (let k = 0; k < n; k += 1) {
      context.fillStyle = `hsl(${(k % 10) * 36} 80% 50%)`;
      context.beginPath();
      context.arc(xy[2 * k], xy[2 * k + 1], 2, 0, 7);
      context.fill();
    }
    context.getImageData(0, 0, 1, 1);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[2];
}
"""


def write_map(workspace: Workspace, folder: Path, count: int) -> None:
    """Write the dataset, a file name for each image, the map, and a prediction."""
    rng = np.random.default_rng(0)
    write_dataset(workspace, folder / "pictures", count)
    with workspace.engine.connect() as connection:
        query = select(images.c.row_id, images.c.path, images.c.label, images.c.image_id)
        listed = connection.execute(query.order_by(images.c.position)).all()
    links = folder / "links"
    links.mkdir()
    files = [links / f"{row.row_id}.png" for row in listed]
    for row, file in zip(listed, files, strict=True):
        file.hardlink_to(row.path)
    share = rng.dirichlet(np.full(N_CLUSTERS, 2.0))
    cluster = np.sort(rng.choice(N_CLUSTERS, count, p=share))
    center, width = rng.uniform(0.1, 0.9, (N_CLUSTERS, 2)), rng.uniform(0.01, 0.05, (N_CLUSTERS, 1))
    places = (center[cluster] + rng.normal(size=(count, 2)) * width[cluster]).clip(0, 1)
    columns = (np.array([row.row_id for row in listed], "<u4"), places.astype("<f4"), cluster.astype("<u2"))
    with write_transaction(workspace.engine) as connection:
        paths = [{"row": row.row_id, "file": str(file)} for row, file in zip(listed, files, strict=True)]
        moved = update(images).where(images.c.row_id == bindparam("row")).values(path=bindparam("file"))
        connection.execute(moved, paths)
        stored = {"n": count, "columns": b"".join(part.tobytes() for part in columns), "created": now()}
        connection.execute(insert(dataset_maps).values(dataset_id=DATASET, **stored))

    job = workspace.predictions / "all"
    job.mkdir(parents=True)
    predicted = [
        CLASSES[(int(k) + int(second)) % 10] for k, second in zip(cluster, rng.random(count) < 0.1, strict=True)
    ]
    probabilities = (0.91, *[0.01] * 9)
    rows = [
        Prediction(row.image_id, str(file), row.label, name, 0.91, name, probabilities)
        for row, file, name in zip(listed, files, predicted, strict=True)
    ]
    layout = PredictionColumns(tuple(CLASSES), None, (PLAN_COLUMN, FIRST_COLUMN, CLASSIFIER_COLUMN))
    with prediction_table(Run(job).predictions_file, layout, "csv", {}) as table:
        assert not list(table.saved_rows([]))
        for prediction in rows:
            table.write(prediction, {PLAN_COLUMN: ReadPlan().as_json()})
    choices = {"sources": [], "classes": list(CLASSES), "classifier_name": "None", "prevalence": {}}
    add_job(
        workspace,
        id="all",
        kind="predict",
        name="All images",
        dataset_id=DATASET,
        dataset_name="Many",
        folder=str(job),
        command=[],
        choices=choices,
        state="ended",
        queued=None,
        image_keys=keys_of_dataset(workspace, DATASET),
    )


def drawn_intervals(samples: list[tuple[float, bool]]) -> list[float]:
    """Return the milliseconds between consecutive frames in both of which the map was drawn, in order of size."""
    return sorted(at - before for (before, was), (at, is_drawn) in pairwise(samples) if was and is_drawn)


def measure(server: Server, browser: "Browser", count: int, n_drags: int) -> None:
    for name in ("map-points", "map-predictions/all"):
        started = time.perf_counter()
        with urllib.request.urlopen(f"{server.address}api/v1/datasets/{DATASET}/{name}", timeout=600) as response:
            n_bytes = len(response.read())
        print(f"{name}: {time.perf_counter() - started:.2f} s, {n_bytes / 1e6:.1f} MB", flush=True)
    context = browser.new_context(base_url=server.address, viewport={"width": 1280, "height": 800})
    context.add_init_script(SAMPLE)
    page = context.new_page()
    for visit in ("first", "second"):
        started = time.perf_counter()
        page.goto(f"/datasets/{DATASET}?tab=map")
        page.locator(".field .stage canvas").wait_for(timeout=120_000)
        page.wait_for_function("window.samples.some(([, isDrawn]) => isDrawn)", timeout=120_000)
        seconds = time.perf_counter() - started
        print(f"map on the page, {visit} visit: {seconds:.1f} s", flush=True)
        RECORD.add("Opening of the map", round(seconds, 1), "s", of=f"{visit} visit", n=f"{count:,} points")
    page.wait_for_timeout(1_500)
    print("\n| view | frames per second, median | 10th percentile |\n|---|---|---|")
    for view, n_steps in (("whole map", 0), ("magnified 6 times", 8), ("magnified 36 times", 8)):
        for _ in range(n_steps):
            page.get_by_role("button", name="Larger (+)").click()
        page.wait_for_timeout(1_000)
        intervals = drawn_intervals(drag_and_zoom(page, ".field .stage", n_drags))
        slow = intervals[int(0.9 * len(intervals))]
        print(f"| {view} | {1000 / statistics.median(intervals):.0f} | {1000 / slow:.0f} |", flush=True)
        RECORD.add(FRAMES, round(1000 / statistics.median(intervals)), of=view)
    naive = 1000 / page.evaluate(NAIVE, [count, 700])
    print(f"| naive: circles for all points | {naive:.0f} | |\n", flush=True)
    RECORD.add(FRAMES, round(naive), of="naive: a filled circle for each point")

    page.get_by_role("button", name="Fit to window").click()
    page.get_by_role("button", name="Lasso").click()
    page.wait_for_timeout(1_000)
    box = page.locator(".field .stage").bounding_box()
    assert box is not None
    x, y, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.19 * box["height"]
    milliseconds = []
    for k in range(5):
        page.mouse.move(x + radius, y + 7 * k)
        page.mouse.down()
        for angle in np.linspace(0, 2 * np.pi, 60):
            page.mouse.move(x + radius * np.cos(angle), y + 7 * k + radius * np.sin(angle))
        page.evaluate(f"(window.done = ({CHANGED})(['pointerup', 'aside .row .number']), 0)")
        page.mouse.up()
        milliseconds.append(page.evaluate("window.done"))
        selected = page.locator("aside .row .number").inner_text()
    print(f"lasso until its images are selected on the page ({selected}): {statistics.median(milliseconds):.0f} ms")
    RECORD.add(
        "Lasso until its images are selected on the page", round(statistics.median(milliseconds)), "ms", note=selected
    )
    for name, option in (("cluster", "cluster"), ("prediction", "job all"), ("class", "class")):
        page.evaluate(f"(window.done = ({CHANGED})(['change', 'aside ul']), 0)")
        page.get_by_label("Color by").select_option(option)
        print(f"color by {name}: {page.evaluate('window.done'):.0f} ms", flush=True)
    context.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="number of images")
    parser.add_argument("--drags", type=int, default=12, help="number of drags at each magnification")
    RECORD.add_option(parser)
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        raise SystemExit("Chromium is not installed. To install it, see .ci/browsers.")
    from playwright.sync_api import sync_playwright

    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        workspace = open_workspace(folder / "workspace", (folder,))
        write_map(workspace, folder, options.count)
        workspace.engine.dispose()
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with serving(folder) as server:
            measure(server, browser, options.count, options.drags)
            print(f"\nmemory of the server: {server.memory_mib():.0f} MiB")
            RECORD.add("Memory of the server", round(server.memory_mib()), "MiB")
        browser.close()
    RECORD.write()


if __name__ == "__main__":
    main()
