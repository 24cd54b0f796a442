"""Correct → train again → compare, in Chromium: how many clicks and seconds it takes.

Draws sample images, puts a few into the folder of another class, trains the instant classifier, and then does in the
browser what a person would: open the mistakes, correct the labels that are wrong, train again on the same split, and
compare. The first training is no part of it. At the end it looks whether the corrections are in the dataset, its
history lists them, and both trainings have the same test images.

    python benchmarks/loop.py [--count 120] [--corrected 3] [--shots FOLDER]

The pages must be built (`make pages`), and a Chromium be there. Other work on the machine shows in the seconds.
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
    parser.add_argument("--shots", type=Path, help="where to keep pictures of the pages")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        misfiled = misfile(write_sample_images(folder / "cells", n_images=chosen.count).folder)
        server = Server(folder)
        try:
            dataset = opened(server, folder / "cells")
            first = trained(server, dataset)
            measure(server, dataset, first, chosen.corrected, misfiled, chosen.shots)
        finally:
            server.process.terminate()
            server.process.wait(30)


def misfile(cells: Path, every: int = 6) -> dict[str, str]:
    """Put every sixth image of each class into the next class's folder; gives the true class by the file's name."""
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
        page.get_by_role("tab", name="Mistakes").or_(page.get_by_role("link", name="Mistakes")).first.wait_for()
        start = time.perf_counter()
        corrected = correct(page, n_corrected, misfiled, shots)
        at_corrected = time.perf_counter()
        page.get_by_role("button", name="Train again with these images").click()
        page.wait_for_url(lambda url: "/runs/" in url and first not in url)
        link = page.get_by_role("link", name="Compare with the training before")
        link.wait_for()
        at_trained = time.perf_counter()
        shoot(page, shots, "again")
        second = page.url.split("/runs/")[1].split("?")[0]
        link.click()
        page.get_by_role("heading", name="What differed").wait_for()
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
    """Correct the first mistakes whose label is wrong; how many they were."""
    page.get_by_role("tab", name="Mistakes").or_(page.get_by_role("link", name="Mistakes")).first.click()
    images = page.get_by_role("button", name="Enlarge")
    images.first.wait_for()
    names = [name.get_attribute("aria-label") or "" for name in images.all()]
    wrong = [(k, misfiled[file]) for k, name in enumerate(names) if (file := name.rpartition("/")[2]) in misfiled][:n]
    for k, true_class in wrong:
        images.nth(k).click()
        group = page.get_by_role("group", name="Correct ")
        group.get_by_role("button", name=true_class).click()
        group.get_by_role("button", name="Undo").wait_for()
        shoot(page, shots, "correct")
        page.keyboard.press("Escape")
    shoot(page, shots, "mistakes")
    return len(wrong)


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
