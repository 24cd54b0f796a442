"""Measure the field viewer with 100,000 outlines on a field of 10,000 × 10,000 pixels: frames, hit tests and lassos.

The script writes a field with round objects of about 24 pixels (a tiled TIFF) and their table, opens it in the app, and
views it in Chromium. It drags and zooms the field where all objects are pixels, where some thousand are, and where
outlines are drawn, and measures the time between two frames in both of which the field has moved. It measures the time
from a click to the selected object on the page, and from the end of a lasso around a tenth of the objects to their
number on the page. Hit tests and lassos alone run in Chromium, too, in the code of the pages; the naive way, in the
same run, tests every object.

    python benchmarks/field_viewer.py [--count 100000] [--drags 12]

Requirements: built pages (`make pages`) and Chromium. Other work on the machine affects all numbers.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from _records import Record
from app import CHROMIUM, Server, drag_and_zoom, serving, wait_for

from coverslip.objects.outlines import Outlines, trace_labels
from coverslip.objects.table import FieldImage, ObjectsBuilder

if TYPE_CHECKING:
    from playwright.sync_api import Browser

RECORD = Record(
    "The field viewer with 100,000 objects",
    ["web/src/images/field", "src/coverslip/app", "src/coverslip/workspace"],
)
PITCH = 31.6  # pixels between two objects
TILE_OBJECTS = 16  # objects in each direction that are drawn and traced; the field repeats them
WEB = Path(__file__).resolve().parent.parent / "web"

# The time and the position of the field in every frame.
SAMPLE = """
window.samples = [];
const sample = () => {
  const place = document.querySelector('.tiles')?.dataset;
  if (place?.scale) window.samples.push([performance.now(), Number(place.x), Number(place.y), Number(place.scale)]);
  requestAnimationFrame(sample);
};
requestAnimationFrame(sample);
"""

# The milliseconds from the last event of a kind until the text beside the field contains a number.
AFTER = """
([kind, text]) => new Promise((done) => {
  addEventListener(kind, ({ timeStamp }) => {
    const look = () => {
      const now = document.querySelector('.rail .head .number')?.textContent ?? '';
      if (now.includes(text)) requestAnimationFrame(() => done(performance.now() - timeStamp));
      else requestAnimationFrame(look);
    };
    look();
  }, { once: true, capture: true });
})
"""

# Hit tests at random points and lassos around a tenth of the objects, by the code of the pages and by testing all.
ALONE = """
async ([code, address, side, nHits, nLassos]) => {
  const { FieldObjects } = await import(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
  const buffer = await (await fetch(address)).arrayBuffer();
  const time = (work) => {
    const start = performance.now();
    work();
    return performance.now() - start;
  };
  let objects;
  const decoding = time(() => (objects = new FieldObjects(buffer)));
  let state = 1;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
  const naive = (x, y) => {
    let best = null;
    for (let k = 0; k < objects.n; k += 1) {
      const [left, top, width, height] = objects.boxes.subarray(4 * k, 4 * k + 4);
      if (x < left || y < top || x > left + width || y > top + height) continue;
      best = k;
    }
    return best;
  };
  const result = { n: objects.n, decoding, hits: [], naiveHits: [], lassos: [], naiveLassos: [], inLasso: [] };
  for (let k = 0; k < nHits; k += 1) {
    const [x, y] = [random() * side, random() * side];
    result.hits.push(time(() => objects.at(x, y, 2)));
    if (k < 100) result.naiveHits.push(time(() => naive(x, y)));
  }
  const radius = side * Math.sqrt(0.1 / Math.PI);
  for (let k = 0; k < nLassos; k += 1) {
    const [x, y] = [radius + random() * (side - 2 * radius), radius + random() * (side - 2 * radius)];
    const polygon = Array.from({ length: 200 }, (_, a) => [
      x + radius * Math.cos((a * Math.PI) / 100),
      y + radius * Math.sin((a * Math.PI) / 100),
    ]);
    let inside;
    result.lassos.push(time(() => (inside = objects.inside(polygon))));
    result.inLasso.push(inside.length);
    result.naiveLassos.push(
      time(() => {
        let n = 0;
        for (let i = 0; i < objects.n; i += 1) {
          const [cx, cy] = [objects.centerX(i), objects.centerY(i)];
          let isIn = false;
          for (let a = 0, b = 199; a < 200; b = a, a += 1) {
            const [[ax, ay], [bx, by]] = [polygon[a], polygon[b]];
            if (ay > cy !== by > cy && cx < ax + ((cy - ay) / (by - ay)) * (bx - ax)) isIn = !isIn;
          }
          n += isIn;
        }
        return n;
      }),
    );
  }
  return result;
}
"""


def write_field(folder: Path, count: int) -> int:
    """Write a field and the table of its objects; return the side of the field in pixels."""
    rng = np.random.default_rng(0)
    per_side = round(count**0.5)
    tile_side = round(TILE_OBJECTS * PITCH)
    rows, columns = np.mgrid[:tile_side, :tile_side]
    labels = np.zeros((tile_side, tile_side), np.int32)
    for k in range(TILE_OBJECTS**2):
        y, x = (np.array(divmod(k, TILE_OBJECTS)) + 0.5) * PITCH + rng.uniform(-2, 2, 2)
        radii = rng.uniform(10, 13, 2)
        labels[((columns - x) / radii[0]) ** 2 + ((rows - y) / radii[1]) ** 2 < 1] = k + 1
    _, traced = trace_labels(labels)
    tile = (rng.normal(40, 6, labels.shape) + 120 * (labels > 0)).clip(0, 255).astype(np.uint8)
    repeats = -(-per_side // TILE_OBJECTS)
    side = repeats * tile_side
    tifffile.imwrite(folder / "field.tif", np.tile(tile, (repeats, repeats)), tile=(512, 512), compression="zlib")
    shifts = [(x * tile_side, y * tile_side) for y in range(repeats) for x in range(repeats)]
    n = repeats**2
    outlines = Outlines(
        np.concatenate([traced.xy + np.array(shift, np.float32) for shift in shifts]),
        np.concatenate([[0], np.cumsum(np.tile(np.diff(traced.ring_start), n))]),
        np.concatenate([[0], np.cumsum(np.tile(np.diff(traced.object_start), n))]),
    )
    builder = ObjectsBuilder()
    field = FieldImage(folder / "field.tif", "field.tif", width=side, height=side)
    classes = [("small", "medium", "large")[k % 3] for k in range(len(outlines))]
    builder.add(field, outlines, object_id=[str(k + 1) for k in range(len(outlines))], labels=classes)
    objects = builder.finish()
    objects.write_csv(folder / "objects.csv")
    print(f"{len(objects):,} objects of {len(outlines.xy) / len(objects):.0f} vertices on {side:,} × {side:,} pixels; ")
    return side


def moved_intervals(samples: list[list[float]]) -> list[float]:
    """Return the milliseconds between frames in both of which the field moved."""
    moved = [samples[k][1:] != samples[k - 1][1:] for k in range(1, len(samples))]
    times = [samples[k][0] - samples[k - 1][0] for k in range(1, len(samples))]
    return [times[k] for k in range(1, len(times)) if moved[k] and moved[k - 1]]


def measure(server: Server, browser: "Browser", folder: Path, side: int, n_drags: int) -> None:
    answer = server.ask("datasets", {"sources": [{"path": str(folder / "objects.csv")}]})
    dataset_id = answer["id"]
    started = time.perf_counter()
    wait_for(lambda: server.ask(f"datasets/{dataset_id}")["state"] != "reading", 7_200, every=1)
    print(f"crops read: {time.perf_counter() - started:.0f} s")
    row = server.ask(f"lists/{dataset_id}/fields")["items"][0]["row_id"]
    field = f"lists/{dataset_id}/rows/{row}/field"
    for visit in ("first", "second"):
        started = time.perf_counter()
        with urllib.request.urlopen(f"{server.address}api/v1/{field}/outlines", timeout=600) as response:
            n_bytes = len(response.read())
        print(f"outlines, {visit} request: {time.perf_counter() - started:.2f} s, {n_bytes / 1e6:.1f} MB", flush=True)

    context = browser.new_context(base_url=server.address, viewport={"width": 1280, "height": 800})
    context.add_init_script(SAMPLE)
    page = context.new_page()
    started = time.perf_counter()
    page.goto(f"/datasets/{dataset_id}?tab=fields")
    page.locator(".tiles[data-sharp=true]").wait_for(timeout=120_000)
    page.locator("canvas[aria-hidden]").wait_for(timeout=120_000)
    print(f"field on the page, with objects: {time.perf_counter() - started:.1f} s\n", flush=True)

    print("| view | magnification | frames per second, median | 10th percentile |\n|---|---|---|---|")
    for name, n_steps in (("all objects, as pixels", 0), ("some objects, as pixels", 6), ("outlines", 7)):
        for _ in range(n_steps):
            page.get_by_role("button", name="Larger (+)").click()
        page.wait_for_timeout(1_500)
        scale = page.locator(".field .scale").inner_text()
        intervals = sorted(moved_intervals(drag_and_zoom(page, ".tiles", n_drags)))
        slow = intervals[int(0.9 * len(intervals))]
        RECORD.add("Median frames per second (target: 30)", round(1000 / statistics.median(intervals)), of=name)
        print(f"| {name} | {scale} | {1000 / statistics.median(intervals):.0f} | {1000 / slow:.0f} |", flush=True)

    box = page.locator(".tiles").bounding_box()
    assert box is not None
    clicks = []
    for k in range(10):
        page.get_by_role("button", name="Lasso").focus()
        page.keyboard.press("Escape")
        waiting = page.evaluate_handle(f"(window.done = ({AFTER})(['pointerup', '1 image']), 0)")
        page.mouse.click(box["x"] + 200 + 31 * k, box["y"] + 200 + 17 * k)
        clicks.append(page.evaluate("Promise.race([window.done, new Promise((d) => setTimeout(() => d(null), 3000))])"))
        waiting.dispose()
    hits = [each for each in clicks if each is not None]
    print(f"\nclick until the object is selected on the page: median {statistics.median(hits):.0f} ms, n = {len(hits)}")
    page.get_by_role("button", name="Fit to window").click()
    page.wait_for_timeout(1_500)
    page.get_by_role("button", name="Lasso").click()
    x, y, radius = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, 0.17 * box["height"]
    lassos = []
    for _ in range(5):
        angles = np.linspace(0, 2 * np.pi, 60)
        page.mouse.move(x + radius, y)
        page.mouse.down()
        for angle in angles:
            page.mouse.move(x + radius * np.cos(angle), y + radius * np.sin(angle))
        page.evaluate(f"(window.done = ({AFTER})(['pointerup', ' images']), 0)")
        page.mouse.up()
        lassos.append(page.evaluate("window.done"))
        selected = page.locator(".rail .head .number").inner_text()
        page.mouse.click(box["x"] + 5, box["y"] + 5)
        page.wait_for_timeout(300)
    print(f"lasso until its objects are selected on the page ({selected}): median {statistics.median(lassos):.0f} ms")
    context.close()

    program = "const ts = require('typescript'); const text = require('fs').readFileSync(0, 'utf8');"
    program += (
        "console.log(ts.transpileModule(text, { compilerOptions: { target: 'es2022', module: 'esnext' } }).outputText)"
    )
    node = shutil.which("node") or str(WEB.parent / ".node" / "bin" / "node")
    source = (WEB / "src" / "images" / "field" / "objects.ts").read_text()
    code = subprocess.run(
        [node, "-e", program], cwd=WEB, input=source, capture_output=True, text=True, check=True
    ).stdout
    context = browser.new_context(base_url=server.address, bypass_csp=True)
    page = context.new_page()
    page.goto("/help")
    alone = page.evaluate(ALONE, [code, f"/api/v1/{field}/outlines", side, 2_000, 20])
    context.close()
    naive_hit = statistics.median(alone["naiveHits"])
    p99 = sorted(alone["hits"])[int(0.99 * len(alone["hits"]))]
    n_inside = statistics.median(alone["inLasso"])
    print(f"\ndecoding of {alone['n']:,} outlines and the grid: {alone['decoding']:.0f} ms")
    print("\n| alone | median (ms) | 99th percentile or largest (ms) | naive (ms) |\n|---|---|---|---|")
    print(f"| hit test | {statistics.median(alone['hits']):.3f} | {p99:.3f} | {naive_hit:.2f} |")
    lassos, naive = alone["lassos"], statistics.median(alone["naiveLassos"])
    RECORD.add(
        "Hit test, 99th percentile", round(p99, 3), "ms", note=f"target: 10; test of each object {naive_hit:.2f}"
    )
    lasso = round(statistics.median(lassos), 1)
    RECORD.add(f"Lasso of {n_inside:,.0f} objects, median", lasso, "ms", note="target: 200")
    print(f"| lasso of {n_inside:,.0f} | {statistics.median(lassos):.1f} | {max(lassos):.1f} | {naive:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="approximate number of objects")
    parser.add_argument("--drags", type=int, default=12, help="number of drags at each magnification")
    RECORD.add_option(parser)
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        raise SystemExit("Chromium is not installed. To install it, see .ci/programs.")
    from playwright.sync_api import sync_playwright

    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        side = write_field(folder, options.count)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with serving(folder) as server:
            measure(server, browser, folder, side, options.drags)
            print(f"\nmemory of the server: {server.memory_mib():.0f} MiB")
            RECORD.add("Memory of the server", round(server.memory_mib()), "MiB")
        browser.close()
    RECORD.write()


if __name__ == "__main__":
    main()
