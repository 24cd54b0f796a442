"""Measure the viewer on an image of 50,000 × 50,000 pixels: the first view, and blank areas while panning and zooming.

The script writes a pyramidal TIFF (tiles of 512 pixels, JPEG, synthetic cells) and opens it in the app. In Chromium it
measures the time from opening the viewer until the image covers its place, and until all tiles of the view are sharp.
Then it drags the image by up to a whole screen, and zooms, at several levels, and samples the canvas in every frame: a
pixel is blank if no level of the pyramid covers it. It reports the longest time during which anything was blank, and
the memory of the server with its decoding processes. The naive way, for comparison, reads a whole level of the file and
sends it as one picture of 4,096 pixels.

    python benchmarks/viewer.py [--side 50000] [--steps 40] [--file SLIDE]

Requirements: built pages (`make pages`) and Chromium. Other work on the machine affects all numbers.
"""

import argparse
import io
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import tifffile
from _records import Record
from app import CHROMIUM, Server, serving, wait_for
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

RECORD = Record(
    "The viewer on an image of 50,000 × 50,000 pixels",
    ["src/coverslip/images", "src/coverslip/app", "src/coverslip/workspace", "web/src/images"],
)
TILE = 512
VARIANTS = 16


def draw_variants() -> list[Image.Image]:
    """Return tiles with round cells on a bright background, which repeat at their borders."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:TILE, :TILE]
    variants = []
    for _ in range(VARIANTS):
        tile = np.full((TILE, TILE, 3), (236, 228, 240), np.float32)
        for _ in range(40):
            cx, cy, radius = *rng.uniform(0, TILE, 2), rng.uniform(8, 26)
            dx, dy = np.abs(x - cx), np.abs(y - cy)
            distance = np.hypot(np.minimum(dx, TILE - dx), np.minimum(dy, TILE - dy))
            cover = np.clip(radius - distance, 0, 1)[..., np.newaxis]
            color = np.array((170, 90, 160), np.float32) + rng.normal(0, 18, 3)
            tile = tile * (1 - cover) + color * cover
        tile += rng.normal(0, 5, tile.shape)
        variants.append(Image.fromarray(np.clip(tile, 0, 255).astype(np.uint8)))
    return variants


def jpeg(tile: Image.Image) -> bytes:
    buffer = io.BytesIO()
    tile.save(buffer, "JPEG", quality=80, subsampling=0)
    return buffer.getvalue()


def write_pyramid(file: Path, side: int) -> None:
    """Write a pyramid of JPEG tiles. A tile of level k shows 2^k × 2^k tiles of level 0."""
    variants = draw_variants()
    n = -(-side // TILE)
    variant_of = np.random.default_rng(1).integers(0, VARIANTS, (n, n))
    n_levels = 1
    while -(-side // 2 ** (n_levels - 1)) > TILE:
        n_levels += 1
    encoded = [jpeg(tile) for tile in variants]

    def tiles(level: int) -> Iterator[bytes]:
        count, share = -(-side // 2**level // TILE), 2**level
        small = [tile.resize((max(1, TILE // share),) * 2, Image.Resampling.BOX) for tile in variants]
        for row in range(count):
            for column in range(count):
                if level == 0:
                    yield encoded[variant_of[row, column]]
                    continue
                tile = Image.new("RGB", (TILE, TILE))
                for y in range(min(share, n - row * share)):
                    for x in range(min(share, n - column * share)):
                        picture = small[variant_of[row * share + y, column * share + x]]
                        tile.paste(picture, (x * picture.width, y * picture.height))
                yield jpeg(tile)

    options: dict[str, Any] = {  # Any: of different types
        "tile": (TILE, TILE),
        "photometric": "ycbcr",
        "subsampling": (1, 1),
        "compression": "jpeg",
        "dtype": np.uint8,
    }
    with tifffile.TiffWriter(file, bigtiff=True) as writer:
        for level in range(n_levels):
            length = -(-side // 2**level)
            writer.write(
                tiles(level),
                shape=(length, length, 3),
                subifds=n_levels - 1 if level == 0 else None,
                subfiletype=int(level > 0),
                resolution=(4e4, 4e4) if level == 0 else None,
                resolutionunit="CENTIMETER" if level == 0 else None,
                **options,
            )


# Sample the canvas of the viewer in every frame: the share of the image's area on the screen that no tile covers.
SAMPLE = """
window.samples = [];
window.side = 0;  // of the image in pixels
const EDGE = 3;  // CSS px at the edges of the image, where rounding counts
const small = document.createElement('canvas');
small.width = small.height = 96;
const context = small.getContext('2d', { willReadFrequently: true });
const sample = () => {
  const canvas = document.querySelector('.openseadragon-canvas canvas');
  const place = document.querySelector('.tiles')?.dataset;
  if (canvas && canvas.width && place?.scale) {
    const [x, y, size] = [Number(place.x), Number(place.y), window.side * Number(place.scale)];
    const left = Math.max(0, x + EDGE), top = Math.max(0, y + EDGE);
    const right = Math.min(canvas.clientWidth, x + size - EDGE);
    const bottom = Math.min(canvas.clientHeight, y + size - EDGE);
    const ratio = canvas.width / canvas.clientWidth;
    context.clearRect(0, 0, 96, 96);
    context.imageSmoothingEnabled = false;
    const part = [left * ratio, top * ratio, (right - left) * ratio, (bottom - top) * ratio];
    context.drawImage(canvas, ...part, 0, 0, 96, 96);
    const { data } = context.getImageData(0, 0, 96, 96);
    let blank = 0;
    for (let k = 3; k < data.length; k += 4) blank += data[k] === 0;
    window.samples.push([performance.now(), blank / 9216]);
  }
  requestAnimationFrame(sample);
};
requestAnimationFrame(sample);
"""
STAGE = (0, 52, 980, 748)  # left, top, width and height of the image in a window of 1280 x 800 pixels
PAUSE_S = 70
BLANK = 0.0005  # smaller shares are rounding at the edges


class Memory:
    """The memory of a server and its child processes, sampled by a thread."""

    def __init__(self, server: Server) -> None:
        self._process = psutil.Process(server.process.pid)
        self.peak_mib = self.server_mib = 0.0
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def _sample(self) -> None:
        while not self._ends.wait(0.05):
            try:
                rss = self._process.memory_info().rss
                children = sum(child.memory_info().rss for child in self._process.children(recursive=True))
            except psutil.Error:
                continue
            self.server_mib = max(self.server_mib, rss / 2**20)
            self.peak_mib = max(self.peak_mib, (rss + children) / 2**20)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.set()
        self._thread.join()


@contextmanager
def viewing(server: Server, browser: "Browser", dataset_id: str, side: int) -> "Iterator[tuple[Page, float, float]]":
    """Open the viewer; yield the page, and the milliseconds to the first view and to a sharp one."""
    context = browser.new_context(base_url=server.address, viewport={"width": 1280, "height": 800})
    context.add_init_script(SAMPLE)
    page = context.new_page()
    page.goto(f"/datasets/{dataset_id}?tab=images")
    cell = page.locator("[role=gridcell]").first
    cell.wait_for()
    page.wait_for_timeout(1_500)
    page.evaluate(f"window.side = {side}")
    opened = page.evaluate("performance.now()")
    cell.dblclick()
    wait_for(lambda: page.evaluate("window.samples.some(([, blank]) => blank === 0)"), 60)
    first = page.evaluate("window.samples.find(([, blank]) => blank === 0)[0]") - opened
    page.locator(".tiles[data-sharp=true]").wait_for(timeout=60_000)
    sharp = page.evaluate("performance.now()") - opened
    yield page, first, sharp
    context.close()


def moves(page: "Page", steps: int, seed: int) -> tuple[list[tuple[float, float]], list[float]]:
    """Drag the image in random directions; return the samples and the times until each view was sharp."""
    rng = np.random.default_rng(seed)
    left, top, width, height = STAGE
    page.evaluate("window.samples = []")
    sharp = []
    for step in range(steps):
        dx, dy = rng.uniform(-0.45, 0.45, 2) * (width, height)
        x, y = left + width / 2 - dx / 2, top + height / 2 - dy / 2
        page.mouse.move(x, y)
        page.mouse.down()
        for k in range(1, 7):
            page.mouse.move(x + dx * k / 6, y + dy * k / 6)
        page.mouse.up()
        if step % 8 == 7:
            page.mouse.wheel(0, -400 if step % 16 == 7 else 400)
        began = time.perf_counter()
        page.wait_for_timeout(60)
        page.locator(".tiles[data-sharp=true]").wait_for(timeout=30_000)
        sharp.append(1000 * (time.perf_counter() - began))
        page.wait_for_timeout(200)
    return [(moment, blank) for moment, blank in page.evaluate("window.samples")], sharp


def longest_blank(samples: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the longest time in which something was blank, in ms, and the largest blank share."""
    longest, since = 0.0, None
    for moment, blank in samples:
        if blank <= BLANK:
            since = None
            continue
        since = moment if since is None else since
        longest = max(longest, moment - since)
    return longest, max(blank for _, blank in samples)


def naive(file: Path) -> tuple[float, int]:
    """Read the first level of at most 8,192 pixels, shrink it to 4,096 pixels and encode it; seconds and bytes."""
    began = time.perf_counter()
    with tifffile.TiffFile(file) as tiff:
        level = next(level for level in tiff.series[0].levels if level.shape[0] <= 8_192)
        picture = Image.fromarray(level.asarray())
    picture.thumbnail((4_096, 4_096), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return time.perf_counter() - began, len(buffer.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=50_000, help="width and height of the image in pixels")
    parser.add_argument("--steps", type=int, default=40, help="number of drags at each magnification")
    parser.add_argument("--file", type=Path, help="a pyramidal image, which is linked; otherwise one is written")
    RECORD.add_option(parser)
    options = parser.parse_args()
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        raise SystemExit("Chromium is not installed. To install it, see .ci/programs.")
    from playwright.sync_api import sync_playwright

    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        file = folder / "slides" / "slide.tif"
        file.parent.mkdir()
        if options.file is None:
            write_pyramid(file, options.side)
        else:
            os.link(options.file, file)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        seconds, n_bytes = naive(file)
        print(
            f"file: {file.stat().st_size / 1e6:.0f} MB; one picture of a whole level: {seconds:.1f} s, "
            f"{n_bytes / 1e6:.0f} MB\n",
            flush=True,
        )
        measure(folder, browser, options.steps, 1000 * seconds)
        browser.close()
    RECORD.write()


def measure(folder: Path, browser: "Browser", steps: int, naive_ms: float) -> None:
    with tifffile.TiffFile(folder / "slides" / "slide.tif") as tiff:
        side = tiff.series[0].shape[0]
    with serving(folder) as server, Memory(server) as memory:
        idle = server.memory_mib()
        answer = server.ask("datasets", {"sources": [{"path": str(folder / "slides")}], "is_labeled": False})
        while server.ask(f"datasets/{answer['id']}")["state"] == "reading":
            time.sleep(0.2)
        first_views, blanks, delays = list[float](), list[float](), list[float]()
        print("| visit | first view (ms) | sharp (ms) | naive / first view |\n|---|---|---|---|")
        for visit in ("first", "second", "third", "after a pause"):
            if visit == "after a pause":  # in which the decoding processes end
                time.sleep(PAUSE_S)
            with viewing(server, browser, answer["id"], side) as (_, first, sharp):
                first_views.append(first)
                print(f"| {visit} | {first:.0f} | {sharp:.0f} | {naive_ms / first:.1f} |", flush=True)
        print(
            "\n| magnification | drags | longest blank (ms) | largest blank area | sharp after a drag: median (ms) "
            "| 95th percentile (ms) | frames per second |\n|---|---|---|---|---|---|---|"
        )
        with viewing(server, browser, answer["id"], side) as (page, _, _):
            for seed, share in enumerate((0.06, 0.25, 1.0)):
                page.get_by_role("button", name="1 : 1").click()
                page.wait_for_timeout(1_500)
                for _ in range(round(np.log(1 / share) / np.log(1.25))):
                    page.keyboard.press("-")
                page.wait_for_timeout(1_500)
                samples, times = moves(page, steps, seed)
                longest, largest = longest_blank(samples)
                seconds = (samples[-1][0] - samples[0][0]) / 1000
                p95 = sorted(times)[int(0.95 * len(times))]
                blanks.append(longest)
                delays.append(p95)
                print(
                    f"| {share:.0%} | {steps} | {longest:.0f} | {largest:.1%} | {statistics.median(times):.0f} "
                    f"| {p95:.0f} | {len(samples) / seconds:.0f} |",
                    flush=True,
                )
        print(
            "\n| server, idle (MiB) | server, peak (MiB) | server and decoding processes, peak (MiB) |\n|---|---|---|"
        )
        claim, n = f"Longest of {len(first_views)} first views, one after a pause", f"{len(blanks)} x {steps} drags"
        RECORD.add(claim, round(max(first_views)), "ms", note=f"target: 1,000; a level as one picture {naive_ms:,.0f}")
        RECORD.add("Longest time with a blank area in drags", round(max(blanks)), "ms", n=n, note="target: 300")
        RECORD.add("95th percentile until a drag is sharp, slowest magnification", round(max(delays)), "ms", n=n)
        RECORD.add("Peak memory of the server and its decoding processes", round(memory.peak_mib), "MiB")
        print(f"| {idle:.0f} | {memory.server_mib:.0f} | {memory.peak_mib:.0f} |")


if __name__ == "__main__":
    main()
