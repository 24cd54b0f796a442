"""Label correction, retraining and comparison in Chromium: number of clicks and times.

The script writes synthetic cells, moves some into the folder of another class, and trains the instant classifier. This
training is not counted. In the browser, it then opens the misclassified images, corrects incorrect labels, trains again
on the same split, and compares. At the end it checks that the corrections are in the dataset, that the history lists
them, and that both trainings have the same test images.

    python benchmarks/loop.py [--count 120] [--corrected 3] [--shots FOLDER]

Requirements: built pages (`make pages`) and Chromium. Other work on the machine affects the times.
"""

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import CHROMIUM, Server, wait_for

from coverslip.synthetic_cells import write_sample_images

if TYPE_CHECKING:
    from playwright.sync_api import Page

RECIPE: dict[str, Any] = {"stage": "instant", "image_size": 64, "tta": 1, "split": {"folds": 0, "test": 0.4}}
GOING = ("queued", "starting", "running", "stopping")
COUNT_CLICKS = """
window.addEventListener('click', (event) => {
  if (event.isTrusted) sessionStorage.setItem('clicks', 1 + Number(sessionStorage.getItem('clicks') ?? 0));
}, true);
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--corrected", type=int, default=3)
    parser.add_argument("--shots", type=Path, help="folder for screenshots")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        misfiled = misfile(write_sample_images(folder / "cells", n_images=options.count).folder)
        server = Server(folder)
        try:
            dataset = opened(server, folder / "cells")
            first = trained(server, dataset)
            measure(server, dataset, first, options.corrected, misfiled, options.shots)
        finally:
            server.process.terminate()
            server.process.wait(30)


def misfile(cells: Path, every: int = 6) -> dict[str, str]:
    """Move every sixth image of each class to the next class's folder; return the true class by file name."""
    classes = sorted(path for path in cells.iterdir() if path.is_dir())
    moved = {}
    for at, of_class in enumerate(classes):
        for file in sorted(of_class.glob("slide*.png"))[2::every]:
            if file.name not in moved:
                moved[file.name] = of_class.name
                file.rename(classes[(at + 1) % len(classes)] / file.name)
    return moved


def opened(server: Server, cells: Path) -> str:
    made = server.ask("datasets", {"sources": [{"path": str(cells)}], "group_pattern": r"slide\d+"})
    wait_for(lambda: server.ask(f"datasets/{made['id']}")["state"] == "ready", 120)
    return str(made["id"])


def trained(server: Server, dataset: str) -> str:
    run = str(server.ask("runs", {"dataset_id": dataset, "recipe": RECIPE, "name": "First"})["id"])
    wait_for(lambda: server.ask(f"runs/{run}")["state"] not in GOING, 600)
    return run


def measure(
    server: Server, dataset: str, first: str, n_corrected: int, misfiled: dict[str, str], shots: Path | None
) -> None:
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, CHROMIUM)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(base_url=server.address, viewport={"width": 1280, "height": 900})
        page.set_default_timeout(300_000)
        page.add_init_script(COUNT_CLICKS)
        page.goto(f"/runs/{first}")
        page.get_by_role("link", name="Misclassified").wait_for()
        start = time.perf_counter()
        corrected = correct(page, n_corrected, misfiled, shots)
        at_corrected = time.perf_counter()
        train_again(page, first)
        link = page.get_by_role("link", name="Compare with the earlier run")
        link.wait_for()
        at_trained = time.perf_counter()
        shoot(page, shots, "retrained")
        second = page.url.split("/runs/")[1].split("?")[0]
        link.click()
        page.get_by_role("heading", name="Settings and data that differ").wait_for()
        at_compared = time.perf_counter()
        shoot(page, shots, "compare")
        n_clicks = int(page.evaluate("sessionStorage.getItem('clicks')"))
        browser.close()
    check(server, dataset, first, second, corrected)
    print(f"{n_corrected} labels corrected, trained again, compared: {n_clicks} clicks")
    print(
        f"correcting {at_corrected - start:.1f} s, training again {at_trained - at_corrected:.1f} s, "
        f"comparing {at_compared - at_trained:.1f} s"
    )


def correct(page: "Page", n: int, misfiled: dict[str, str], shots: Path | None) -> int:
    """Correct the first misclassified images with an incorrect label; return their number."""
    page.get_by_role("link", name="Misclassified").click()
    images = page.get_by_role("gridcell")
    images.first.wait_for()
    names = [image.get_attribute("title") or "" for image in images.all()]
    wrong = [(k, misfiled[file]) for k, name in enumerate(names) if (file := name.rpartition("/")[2]) in misfiled][:n]
    for k, true_class in wrong:
        images.nth(k).click()
        group = page.get_by_role("group", name="Correct ")
        group.get_by_role("button", name=true_class).click()
        group.get_by_role("button", name="Remove the correction").wait_for()
        shoot(page, shots, "correct")
        page.keyboard.press("Escape")
    shoot(page, shots, "misclassified")
    return len(wrong)


def train_again(page: "Page", first: str) -> None:
    """Train on the changed dataset with the settings and split of the first run; wait for the new page."""
    page.get_by_role("link", name="Train again with these changes").click()
    page.get_by_role("radio", name="Instant classifier only", checked=True).wait_for()  # the settings of the first run
    page.get_by_role("button", name="Start training").and_(page.locator(":enabled")).click()
    page.wait_for_url(lambda url: "/runs/" in url and first not in url)


def check(server: Server, dataset: str, first: str, second: str, n_corrected: int) -> None:
    changes = server.ask(f"datasets/{dataset}/label-changes")["items"]
    assert len(changes) == n_corrected, changes
    assert all(change["seen_in"]["id"] == first for change in changes)
    pair = server.ask(f"comparison?run_id={first}&run_id={second}")["pairs"][0]
    assert (pair["n_only_first"], pair["n_only_second"], pair["n_relabeled"]) == (0, 0, n_corrected), pair


def shoot(page: "Page", shots: Path | None, name: str) -> None:
    if shots is not None:
        shots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=shots / f"{name}.png", full_page=name == "compare")


if __name__ == "__main__":
    main()
