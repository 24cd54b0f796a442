"""Five tasks in Chromium: numbers of clicks and keys, and times, from the start page of the app.

The tasks: sample images to a result; a labeled folder to a table of predictions; 60 images labeled by keys and used for
training; three labels corrected, and both classifiers compared; fields of view with a table of boxes to a corrected
table. All trainings are of the instant classifier with the default network and sizes; choosing this stage is one click.
The page counts clicks and keys. Choosing files in the system's dialog counts as one click, and typed text is not
counted. Times are from the first click to the last result, separated into the time of trainings and the other time, in
which a script is faster than a person.

    python benchmarks/flows.py [--only boxes] [--count 120]

Requirements: built pages (`make pages`) and Chromium. Other work on the machine affects the times.
"""

import argparse
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from app import CHROMIUM, Server
from loop import correct, misfile, opened, train_again, trained
from PIL import Image

from coverslip.synthetic_cells import write_new_images, write_sample_images

if TYPE_CHECKING:
    from playwright.sync_api import Page

COUNT = """
const count = (what) => (event) => {
  if (event.isTrusted) sessionStorage.setItem(what, 1 + Number(sessionStorage.getItem(what) ?? 0));
};
window.addEventListener('click', count('clicks'), true);
window.addEventListener('keydown', count('keys'), true);
"""
N_LABELED = 60
RADII = {"large": 15, "small": 7}  # pixels, of discs in fields


@dataclass
class Flow:
    """A task in progress: the page, and the counts that the page cannot provide."""

    page: "Page"
    server: Server
    folder: Path  # below which the app may read
    n_system_clicks: int = 0
    seconds_training: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    def train(self) -> None:
        """Train from the page of the dataset and wait for the results."""
        self.page.get_by_role("link", name="Train a classifier").click()
        self.page.get_by_role("radio", name="Instant classifier only").check()
        start = self.page.get_by_role("button", name="Start training")
        start.and_(self.page.locator(":enabled")).click()
        self.wait_for_results()

    def wait_for_results(self) -> None:
        began = time.perf_counter()
        self.page.get_by_role("heading", name="Limitations").wait_for()
        self.seconds_training += time.perf_counter() - began

    def choose_folder(self, name: str) -> None:
        """Choose a folder at the top level of the folder dialog."""
        chooser = self.page.get_by_role("dialog")
        chooser.get_by_role("listitem").get_by_role("button", name=name, exact=True).click()
        chooser.get_by_role("navigation").get_by_role("button", name=name, exact=True).wait_for()
        chooser.get_by_role("button", name="Use this folder").click()

    def give_files(self, label: str, files: list[Path]) -> None:
        self.page.get_by_label(label).set_input_files(files)
        self.n_system_clicks += 1

    def predict(self) -> None:
        self.page.get_by_role("button", name="Predict", exact=True).click()
        self.page.wait_for_url("**/predictions/*")
        self.page.get_by_role("link", name="Download CSV").wait_for()

    def save_table(self) -> None:
        with self.page.expect_download():
            self.page.get_by_role("link", name="Download CSV").click()


def samples_to_result(flow: Flow) -> None:
    flow.page.get_by_role("button", name="Use the sample images").click()
    flow.page.get_by_role("heading", name=re.compile(r"^\d+ groups")).wait_for()
    flow.train()


def folder_to_table(flow: Flow) -> None:
    flow.page.get_by_role("button", name="Choose a folder").click()
    flow.choose_folder("cells")
    flow.page.wait_for_url("**/datasets/*")
    flow.train()
    flow.page.get_by_role("link", name="Predict new images").click()
    flow.page.get_by_role("button", name="A folder on this computer").click()
    flow.page.get_by_role("dialog").get_by_role("navigation").get_by_role("button").nth(1).click()
    flow.choose_folder("new")
    flow.page.get_by_text("Selected:").wait_for()
    flow.predict()
    flow.save_table()


def label_and_train(flow: Flow) -> None:
    page = flow.page
    page.get_by_role("button", name="Choose images").click()
    flow.choose_folder("unlabeled")
    page.get_by_text("First add classes").wait_for()
    for name in ("first", "second"):
        page.get_by_role("button", name="New class").click()
        page.get_by_label("Name of the new class").fill(name)
        page.get_by_label("Name of the new class").press("Enter")
        page.get_by_role("group", name="Label selected images").get_by_role("button", name=name).wait_for()
    page.get_by_role("grid").get_by_role("gridcell").first.click()
    for k in range(N_LABELED):
        page.keyboard.press("12"[k % 2])
    page.get_by_role("group", name="Label selected images").get_by_role("button", name="No class 0").wait_for()
    flow.train()


def correct_and_compare(flow: Flow) -> None:
    misfiled = misfile(write_sample_images(flow.folder / "misfiled", n_images=120).folder)
    first = trained(flow.server, opened(flow.server, flow.folder / "misfiled"))
    flow.page.goto(f"/runs/{first}")
    flow.page.get_by_role("heading", name="Limitations").wait_for()
    flow.began = time.perf_counter()  # the first training is not counted
    correct(flow.page, 3, misfiled, None)
    train_again(flow.page, first)
    flow.wait_for_results()
    flow.page.get_by_role("link", name="Compare with the earlier run").click()
    flow.page.get_by_role("heading", name="Settings and data that differ").wait_for()


def fields_with_boxes(flow: Flow) -> None:
    page = flow.page
    page.get_by_role("button", name="Choose a folder").click()
    page.get_by_role("dialog").get_by_role("button", name="Upload files").click()
    flow.give_files("Files …", write_fields(flow.folder / "labeled fields", 10, seed=0, is_labeled=True))
    page.get_by_role("button", name="Open this table").click()
    page.wait_for_url("**/datasets/*")
    flow.train()
    page.get_by_role("link", name="Predict new images").click()
    flow.give_files("Files …", write_fields(flow.folder / "new fields", 2, seed=1, is_labeled=False))
    page.get_by_role("button", name="Open this table").click()
    page.get_by_text("Selected:").wait_for()
    flow.predict()
    page.get_by_role("gridcell", name=re.compile("^field")).first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    page.get_by_role("navigation", name="Show").get_by_role("link", name="Reviewed").wait_for()
    flow.save_table()


FLOWS: dict[str, tuple[str, Callable[[Flow], None]]] = {
    "sample": ("sample images → result", samples_to_result),
    "folder": ("labeled folder → table of predictions", folder_to_table),
    "label": (f"label {N_LABELED} → train", label_and_train),
    "correct": ("correct 3 → train again → compare", correct_and_compare),
    "boxes": ("fields with boxes → corrected table", fields_with_boxes),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=FLOWS)
    parser.add_argument("--count", type=int, default=120, help="number of images in the labeled folder")
    options = parser.parse_args()
    print("| task | clicks | keys | waiting for trainings (s) | other time (s) |\n|---|---|---|---|---|")
    for name, (title, do) in FLOWS.items():
        if options.only in (None, name):
            with tempfile.TemporaryDirectory() as temporary:
                print(f"| {title} | {measure(do, Path(temporary), options.count)} |", flush=True)


def measure(do: Callable[[Flow], None], folder: Path, count: int) -> str:
    """Measure one task in a separate app; return its row of the table."""
    from playwright.sync_api import sync_playwright

    write_images(folder, count)
    server = Server(folder)
    try:
        with sync_playwright() as playwright:
            program = next(filter(None, map(shutil.which, CHROMIUM)))
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            page = browser.new_page(base_url=server.address, viewport={"width": 1280, "height": 900})
            page.set_default_timeout(300_000)
            page.add_init_script(COUNT)
            page.goto("/")
            page.locator("main h1").wait_for()
            flow = Flow(page, server, folder)
            do(flow)
            seconds = time.perf_counter() - flow.began
            clicks, keys = (int(page.evaluate(f"sessionStorage.getItem('{what}') ?? 0")) for what in ("clicks", "keys"))
            browser.close()
    finally:
        server.process.terminate()
        server.process.wait(30)
    seconds_alone = seconds - flow.seconds_training
    return f"{clicks + flow.n_system_clicks} | {keys} | {flow.seconds_training:.0f} | {seconds_alone:.0f}"


def write_images(folder: Path, count: int) -> None:
    write_sample_images(folder / "cells", n_images=count)
    write_new_images(folder / "new", n_images=20)
    (folder / "unlabeled").mkdir()
    for k, file in enumerate(sorted((folder / "cells").rglob("slide*.png"))[:N_LABELED]):
        shutil.copy(file, folder / "unlabeled" / f"{k:02}.png")


def write_fields(folder: Path, n_fields: int, *, seed: int, is_labeled: bool) -> list[Path]:
    """Write fields of 320 x 240 pixels with twelve discs each, and a table of the centers of the discs."""
    folder.mkdir()
    rng = np.random.default_rng(seed)
    rows = [f"path,{'label,' if is_labeled else ''}x_center,y_center,width,height"]
    down, across = np.mgrid[:240, :320]
    for number in range(n_fields):
        pixels = rng.normal(200, 8, (240, 320))
        for k, name in enumerate(["large", "small"] * 6):
            x, y = 40 + 80 * (k % 4), 40 + 80 * (k // 4)
            pixels[(across - x) ** 2 + (down - y) ** 2 < RADII[name] ** 2] -= 90
            rows.append(f"field{number}.png,{f'{name},' if is_labeled else ''}{x},{y},40,40")
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"field{number}.png")
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return sorted(folder.iterdir())


if __name__ == "__main__":
    main()
