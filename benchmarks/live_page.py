"""Live in Chromium: the time from the key of a label to the predictions that it changes, and how many are right.

The script opens white blood cells without classes, switches live on, and labels suggested images by keys as their
folders say. The order is renewed after each 20 labels. The time is that until the rows of visible images, which the
page requests after each label, have arrived and two frames were drawn. Then it trains and tests a classifier by the
button of live.

    python benchmarks/live_page.py [--data ../shared/data] [--images 800] [--labels 60] [--pictures FOLDER]
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any

import numpy as np
from _records import ROOT, Record
from app import CHROMIUM, Server, serving, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

RECORD = Record("Live in Chromium", ["src/coverslip/audit", "src/coverslip/workspace", "web/src"])
RENEWED_AFTER = 20  # labels
PICTURES = (0, 4, 20, 60)  # labels after which the page is pictured
SETTLED_MS = 300  # without another answer
# Notes when details of rows were drawn.
NOTE_DRAWN = """
globalThis.drawn = []
const request = globalThis.fetch
globalThis.fetch = async (...of) => {
  const answer = await request(...of)
  if (/rows\\?rows=/.test(answer.url))
    answer.clone().text().then(() =>
      requestAnimationFrame(() => requestAnimationFrame(() => drawn.push(performance.now()))))
  return answer
}
addEventListener('keydown', () => (globalThis.pressed = performance.now()), true)
"""
ARE_DRAWN = f"() => drawn.at(-1) > pressed && performance.now() - drawn.at(-1) > {SETTLED_MS}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data", metavar="FOLDER")
    parser.add_argument("--images", type=int, default=800, metavar="N")
    parser.add_argument("--labels", type=int, default=60, metavar="N")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="folder for pictures of the page")
    RECORD.add_option(parser)
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch)
        truth = link_images(arguments.data / "blood_pbc", folder / "cells", arguments.images)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        with serving(folder) as server:
            page = browser.new_page(base_url=server.address, viewport={"width": 1280, "height": 800}, locale="en-GB")
            page.set_default_timeout(120_000)
            page.add_init_script("delete globalThis.SharedWorker")
            page.add_init_script(NOTE_DRAWN)
            label(server, page, folder / "cells", truth, arguments.labels, arguments.pictures)
        browser.close()
    RECORD.write()


def link_images(source: Path, folder: Path, n_images: int) -> dict[str, str]:
    """Link random images in one folder; return their classes."""
    files = sorted(source.rglob("*.jpg"))
    folder.mkdir()
    truth = dict[str, str]()
    for k in np.random.default_rng(0).permutation(len(files))[:n_images].tolist():
        name = f"{k:04}.jpg"
        shutil.copyfile(files[k], folder / name)
        truth[name] = files[k].parent.name
    return truth


def label(
    server: Server, page: "Page", folder: Path, truth: dict[str, str], n_labels: int, pictures: Path | None
) -> None:
    classes = sorted(set(truth.values()))
    dataset = server.ask("datasets", {"sources": [{"path": str(folder)}], "is_labeled": False})["id"]
    wait_for(lambda: server.ask(f"datasets/{dataset}")["state"] == "ready", 600, every=0.5)
    page.request.patch(f"{server.address}api/v1/datasets/{dataset}", data={"classes": classes})
    page.goto(f"datasets/{dataset}?tab=images")
    started = time.perf_counter()
    page.get_by_role("button", name="Switch live on").click()
    suggest = page.get_by_role("button", name="Suggest images", exact=True)
    suggest.wait_for(timeout=600_000)
    print(f"features of {len(truth)} images: {time.perf_counter() - started:.0f} s")
    milliseconds, n_clicks = list[float](), 1
    for n in range(n_labels + 1):
        if pictures is not None and n in PICTURES:
            page.screenshot(path=pictures / f"live-{n}.png")
        if n % RENEWED_AFTER == 0:
            share, n_predicted = right_share(server, dataset, truth)
            print(f"{n} labels: {share:.3f} of {n_predicted} predictions are right")
            with page.expect_response(lambda answer: "row-ids" in answer.url and "suggested" in answer.url):
                (suggest if n == 0 else page.get_by_role("button", name="Renew the order")).click()
            page.wait_for_timeout(SETTLED_MS)
            page.locator("[data-index='0']").click()
            n_clicks += 2
        if n == n_labels:
            break
        name = page.locator("[role=gridcell][aria-selected=true]").first.get_attribute("title")
        page.keyboard.press(str(classes.index(truth[str(name)]) + 1))
        page.wait_for_function(ARE_DRAWN)
        milliseconds.append(page.evaluate("drawn.at(-1) - pressed"))
    p95 = quantiles(milliseconds, n=20)[-1]
    print(f"key to predictions: median {median(milliseconds):.0f} ms, 95th percentile {p95:.0f} ms, n = {n_labels}")
    RECORD.add("Key to predictions", round(median(milliseconds)), "ms", of="median", n=n_labels)
    RECORD.add("Key to predictions", round(p95), "ms", of="95th percentile")
    RECORD.add(f"Right predictions with {n_labels} labels", round(share, 3), n=n_predicted)
    page.get_by_role("button", name="Train and test").click()
    page.wait_for_url("**/runs/*")
    run = page.url.rpartition("/")[2].partition("?")[0]
    wait_for(lambda: server.ask(f"jobs/{run}")["state"] in ("done", "failed"), 1_800, every=1)
    results = server.ask(f"jobs/{run}/results")
    metrics: Any = results["metrics"]
    page.reload()
    page.wait_for_load_state("networkidle")
    if pictures is not None:
        page.screenshot(path=pictures / "live-result.png")
    print(f"{n_clicks + 1} clicks and {n_labels} keys; test: {metrics['n']} images. {results['headline']}")


def right_share(server: Server, dataset: str, truth: dict[str, str]) -> tuple[float, int]:
    """Return the share of right predictions, and their number."""
    rows = server.ask(f"lists/{dataset}/rows?limit=1000")["items"]
    right = [truth[row["image_id"]] == row["predicted"] for row in rows if row["predicted"] is not None]
    return float(np.mean(right)) if right else 0.0, len(right)


if __name__ == "__main__":
    main()
