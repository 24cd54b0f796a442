"""Make the pictures of the documentation; make_readme_pictures.py makes those of README.

    python docs/make_pictures.py            # docs/app/*.webp, docs/report.webp and docs/preview.webp
    python docs/make_pictures.py compare    # only those whose name contains this word
    python docs/make_pictures.py images     # those of datasets, for which nothing is trained
    python docs/make_pictures.py live       # those of a live session
    python docs/make_pictures.py objects    # the page that finds objects, on a drawn field

The script starts the app in a new workspace, opens the sample images as the tutorial does, trains an instant and a
fine-tuned classifier on small images, predicts the new sample images, and takes screenshots of the pages in Chromium at
1280 × 800, with the guide of the tutorial. This takes a few minutes. Build the pages first (`make pages`). Look at each
picture before you commit it: the script does not check what a picture shows.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

DOCS = Path(__file__).resolve().parent
PICTURES = DOCS / "app"
SIZE = {"width": 1280, "height": 800}
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MOST_BYTES, WIDTHS = 40_000, (1280, 1120, 960, 880)  # of a picture
QUICK = {"image_size": 96, "tta": 1, "split": {"folds": 0}}  # a minute instead of ten; the pages look the same
REPORT_SIZE = {"width": 1100, "height": 1000}
EPOCHS = 5

Json = dict[str, Any]  # Any: JSON values
Step = Callable[["Page"], object]


def main() -> None:
    wanted = sys.argv[1:]
    folder = Path(tempfile.gettempdir()) / "coverslip-pictures"  # one name, since pages show it
    shutil.rmtree(folder, ignore_errors=True)
    write_images(folder)
    PICTURES.mkdir(exist_ok=True)
    try:
        if is_wanted("preview", wanted):
            draw_preview(folder / "images" / "my_cells")
        with app(folder) as server, Album(server, wanted) as album:
            take_all(server, album)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_wanted(name: str, wanted: list[str]) -> bool:
    return not wanted or any(word in name for word in wanted)


def draw_preview(cells: Path) -> None:
    """Two cells as training sees them, from the Python interface."""
    import coverslip as cs

    file = cells.parent / "preview.png"
    cs.preview(cells, cs.Recipe(image_size=96), out=file, n=2, emit=lambda _: None)
    (DOCS / "preview.webp").write_bytes(encoded(Image.open(file).convert("RGB")))


def write_images(folder: Path) -> None:
    """What a laboratory might have: a labeled folder."""
    from coverslip.synthetic_cells import write_sample_images

    write_sample_images(folder / "images" / "my_cells", n_images=480)
    for note in folder.rglob("README.txt"):
        note.unlink()


class Server:
    """The app's API, as far as it is needed here."""

    def __init__(self, address: str) -> None:
        self.address = address

    def get(self, path: str) -> Json:
        with urllib.request.urlopen(f"{self.address}api/v1/{path}", timeout=60) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def send(self, path: str, body: Json, method: str = "POST") -> Json:
        request = urllib.request.Request(
            f"{self.address}api/v1/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def until(self, path: str, is_so: Callable[[Json], bool], seconds: float = 1800) -> Json:
        """Ask again and again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            body = self.get(path)
            if body.get("state") == "failed":
                break
            if is_so(body):
                return body
            time.sleep(0.5)
        raise SystemExit(f"{path} did not come to an end: {body}")


@contextmanager
def app(folder: Path) -> Iterator[Server]:
    """The app on a workspace in the folder; it may read the images there."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "coverslip", "app", "--no-browser", "--port", "0"),
            *("--workspace", str(folder / "workspace"), "--root", str(folder / "images")),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    line = next((line for line in process.stdout if "http://" in line), None)
    if line is None:
        raise SystemExit("the app did not start")
    server = Server(line.split()[-1])
    try:
        yield server
    finally:
        for run in server.get("runs")["items"]:  # a training continues without the app
            if run["state"] in ("queued", "starting", "running"):
                server.send(f"jobs/{run['id']}/stop", {})
        process.terminate()
        process.wait(30)


class Album:
    """A browser, and where its pictures go."""

    def __init__(self, server: Server, wanted: list[str]) -> None:
        self.server = server
        self.wanted = wanted

    def __enter__(self) -> "Album":
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        program = next(filter(None, map(shutil.which, BROWSERS)), None)
        self._browser = self._playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._playwright.stop()

    def take(
        self,
        name: str,
        path: str,
        *steps: Step,
        is_dark: bool = False,
        guide: Json | None = None,
        cell_px: int | None = None,
    ) -> None:
        """One picture: go there, do these, and look; with the guide, as its saved state, and cells of this size."""
        if not is_wanted(name, self.wanted):
            return
        context = self._browser.new_context(
            base_url=self.server.address,
            viewport=REPORT_SIZE if name == "report" else SIZE,  # type: ignore[arg-type]
            color_scheme="dark" if is_dark else "light",
            reduced_motion="reduce",
            locale="en-GB",
        )
        page = context.new_page()
        page.add_init_script("delete globalThis.SharedWorker")  # "networkidle" would wait for its request in vain
        if guide:
            save = "(guide) => localStorage.setItem(`coverslip.guide ${location.origin}/`, JSON.stringify(guide))"
            page.add_init_script(f"({save})({json.dumps(guide)})")
        if cell_px:
            page.add_init_script(f"localStorage.setItem('coverslip.gallery.size', '{cell_px}')")
        page.goto(path)
        page.locator("h1").first.wait_for()
        settle(page)
        for step in steps:
            step(page)
            settle(page)
        picture = Image.open(BytesIO(page.screenshot())).convert("RGB")
        context.close()
        file = (DOCS if name == "report" else PICTURES) / f"{name}.webp"
        file.write_bytes(encoded(picture))
        say(f"{file.relative_to(DOCS.parent)}  {file.stat().st_size // 1000} KB")


def encoded(picture: Image.Image) -> bytes:
    """As WebP of at most `MOST_BYTES`: with less quality, then smaller."""
    for width in WIDTHS:
        smaller = picture.copy()
        smaller.thumbnail((width, picture.height))
        for quality in (80, 70, 60, 50):
            content = BytesIO()
            smaller.save(content, "WEBP", quality=quality, method=4)
            if content.tell() <= MOST_BYTES:
                return content.getvalue()
    raise SystemExit(f"a picture needs more than {MOST_BYTES} bytes at a width of {WIDTHS[-1]} pixels")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def settle(page: "Page") -> None:
    """Until all thumbnails are there; a page that watches a training never falls silent, so not for ever."""
    from playwright.sync_api import Error

    with suppress(Error):
        page.wait_for_load_state("networkidle", timeout=4000)
    with suppress(Error):
        page.get_by_text("Loading …").first.wait_for(state="hidden", timeout=10_000)
        page.wait_for_function("[...document.images].every((each) => each.complete)", timeout=10_000)
    page.wait_for_timeout(400)


def press(name: str, role: Any = "button") -> Step:  # Any: one of ARIA's roles
    return lambda page: page.get_by_role(role, name=name).first.click()


def into(folder: str) -> Step:
    """Go into a folder in the chooser."""
    return lambda page: page.locator("dialog[open]").get_by_role("button", name=folder).first.click()


def unfold(title: str) -> Step:
    """Open a folded section, and bring it to the top."""

    def do(page: "Page") -> None:
        section = page.locator("details", has=page.locator("summary", has_text=title)).last
        section.locator("summary").click()
        section.evaluate("(element) => scrollTo({top: element.getBoundingClientRect().top + scrollY - 24})")

    return do


def take_all(server: Server, album: Album) -> None:
    """Work through the job as a user would, with a picture of each page on the way."""
    album.take("start-empty", "/")

    album.take("add-images", "/datasets", press("Add images"), into("my_cells"))

    cells = server.send("samples", {})
    for dataset in (cells["id"], "samples-new"):
        server.until(f"datasets/{dataset}", lambda state: state["state"] == "ready")
    here = f"/datasets/{cells['id']}"
    addresses = {
        "overview": here[1:],
        "checks": f"{here[1:]}?tab=checks",
        "groups": f"{here[1:]}?tab=checks&part=groups",
        "train": f"train?dataset={cells['id']}",
    }
    first = {"step": "overview", "addresses": addresses}

    album.take("images-overview", here, guide=first)
    album.take("images-gallery", f"{here}?tab=images", guide=first)
    album.take("images-gallery-dark", f"{here}?tab=images", is_dark=True)
    album.take("images-viewer", f"{here}?tab=images", lambda page: page.get_by_role("gridcell").nth(12).dblclick())
    album.take("images-checks", f"{here}?tab=checks")
    album.take("images-groups", f"{here}?tab=checks&part=groups", at_heading("Groups"), guide=first)
    album.take("study-new", "/studies/new")

    train = f"/train?dataset={cells['id']}"
    album.take("train", train, timed, guide=first)
    album.take("train-changes", train, unfold("Expert settings"), press("Preview data augmentation"), drawn)

    if any(is_wanted(f"live-{name}", album.wanted) for name in ("off", "on", 6, 30, 60)):
        take_live(server, album)
    if is_wanted("objects-find", album.wanted):
        take_objects(server, album)
    without = ("images", "live", "objects", "study", "train")
    if album.wanted and all(word.partition("-")[0] in without for word in album.wanted):
        return

    def trained(name: str, **recipe: object) -> Json:
        return server.send("runs", {"dataset_id": cells["id"], "name": name, "recipe": QUICK | recipe})

    instant, tuned = trained("Instant, 32 px", stage="instant", image_size=32), trained("First", epochs=EPOCHS)
    server.until(f"jobs/{tuned['id']}", lambda run: (run["epoch"] or 0) > EPOCHS // 2)
    run = f"/runs/{tuned['id']}"
    addresses["result"] = run[1:]
    result = {"step": "result", "addresses": addresses}
    album.take("training", run, guide=result)
    server.until(f"jobs/{tuned['id']}", lambda run: run["state"] == "done")

    album.take("results", run, guide=result)
    album.take("results-trust", f"{run}?tab=trust")
    album.take("results-confusion", run, worst_cell, select_first, guide=result)
    album.take("report", f"/api/v1/jobs/{tuned['id']}/report")
    album.take("compare", f"/compare?runs={instant['id']},{tuned['id']}")

    prediction = server.send("predictions", {"classifier_id": tuned["id"], "dataset_id": "samples-new"})
    server.until(f"jobs/{prediction['id']}", lambda state: state["state"] == "done")
    addresses["predict"] = f"predict?classifier={tuned['id']}"
    review = {"step": "predict", "addresses": addresses}
    album.take("prediction", f"/predictions/{prediction['id']}", guide=review)
    of_prediction = f"/predictions/{prediction['id']}"
    album.take("prediction-review", of_prediction, press("Needs review", "link"))
    album.take("prediction-spot-check", f"{of_prediction}/spot-check")
    if any(is_wanted(name, album.wanted) for name in ("evaluation", "adapt")):
        take_other_laboratory(server, album, tuned["id"])


def take_other_laboratory(server: Server, album: Album, run: str) -> None:
    """An external test set with another stain, and the dialog that adapts the classifier to it."""
    root = Path(server.get("system")["roots"][0])
    for file in sorted((root / "my_cells").rglob("slide*.png"))[::3]:
        with suppress(OSError):  # one of the images is truncated
            red, green, blue = Image.open(file).convert("RGB").split()
            there = root / "other_laboratory" / file.relative_to(root / "my_cells")
            there.parent.mkdir(parents=True, exist_ok=True)
            Image.merge("RGB", (blue.point(lambda value: value * 0.6), red, green)).save(there)
    new = {"sources": [{"path": str(root / "other_laboratory")}], "name": "Other laboratory"}
    dataset = server.send("datasets", new)["id"]
    server.until(f"datasets/{dataset}", lambda state: state["state"] == "ready")
    evaluation = server.send(f"runs/{run}/evaluations", {"dataset_id": dataset})["id"]
    server.until(f"jobs/{evaluation}", lambda state: state["state"] == "done")
    album.take("evaluation", f"/evaluations/{evaluation}")
    album.take("adapt", f"/evaluations/{evaluation}", press(re.compile("^Adapt to these images")), matched)


def matched(page: "Page") -> None:
    """Until the dialog shows the images as the adapted classifier would see them."""
    page.locator("dialog[open] figure img").first.wait_for(timeout=240_000)


def take_live(server: Server, album: Album) -> None:
    """A session of live, on the images of the laboratory as if they had no class."""
    source = {"path": str(Path(server.get("system")["roots"][0]) / "my_cells")}
    cells = server.send("datasets", {"sources": [source], "is_labeled": False, "name": "my_cells, unlabeled"})
    at = f"datasets/{cells['id']}"
    server.until(at, lambda state: state["state"] == "ready")
    classes = sorted(path.name for path in Path(source["path"]).iterdir() if path.is_dir())
    server.send(at, {"classes": classes}, "PATCH")

    def label(n: int) -> Step:
        """Label `n` suggested images by keys, each after the last one is saved and the gallery went to the next one."""

        def do(page: "Page") -> None:
            first = server.get(f"lists/{cells['id']}/rows?only=suggested&sort=suggested")["items"][0]["path"]
            page.locator(f"[data-index='0'][title='{first}']").click()
            for _ in range(n):
                selected = "[role=gridcell][aria-selected=true]"
                name = page.locator(selected).first.get_attribute("title") or ""
                with page.expect_response(lambda answer: answer.url.endswith("/changes")):
                    page.keyboard.press(str(classes.index(name.split("/")[-2]) + 1))
                has_moved = "([selected, name]) => document.querySelector(selected)?.title !== name"
                page.wait_for_function(has_moved, arg=[selected, name], timeout=60_000)

        return do

    gallery = f"/{at}?tab=images"
    large = 164
    album.take("live-off", gallery, pictured, cell_px=large)
    album.take("live-on", gallery, press("Switch live on"), with_features, suggest, pictured, cell_px=large)
    album.take("live-6", gallery, suggest, label(6), cell_px=large)
    album.take("live-30", gallery, suggest, label(24), press("Least certain first"), pictured, cell_px=large)
    album.take("live-60", gallery, suggest, label(30), cell_px=large)


def take_objects(server: Server, album: Album) -> None:
    """Find the cells of a drawn field."""
    import numpy as np
    from make_readme_pictures import write_field

    folder = Path(server.get("system")["roots"][0]) / "fields"
    for number in (1, 2):
        names = np.random.default_rng(number).choice(["lymphocyte", "monocyte", "neutrophil"], 30)
        write_field(folder / f"slide{number:02d}.png", list(names), number)
    fields = server.send("datasets", {"sources": [{"path": str(folder)}], "is_labeled": False, "name": "fields"})
    server.until(f"datasets/{fields['id']}", lambda state: state["state"] == "ready")
    album.take("objects-find", f"/datasets/{fields['id']}/objects", outlined)


def outlined(page: "Page") -> None:
    """Until objects are outlined."""
    page.get_by_role("button", name=re.compile("^Apply to all")).wait_for(timeout=120_000)
    page.get_by_text("Searching objects").first.wait_for(state="hidden", timeout=240_000)


def at_heading(name: str) -> Step:
    """Scroll to a heading."""
    move = "(element) => scrollTo({top: element.getBoundingClientRect().top + scrollY - 24})"
    return lambda page: page.get_by_role("heading", name=name, exact=True).first.evaluate(move)


def pictured(page: "Page") -> None:
    """Until the thumbnails of a gallery are drawn, for which its cells have no sign."""
    page.wait_for_timeout(20_000)


def suggest(page: "Page") -> None:
    """List the suggested images."""
    with page.expect_response(lambda answer: "sort=suggested" in answer.url):
        page.get_by_role("button", name="Suggest images").first.click()


def with_features(page: "Page") -> None:
    """Until all images have features."""
    page.get_by_role("button", name="Suggest images").wait_for(timeout=300_000)


def timed(page: "Page") -> None:
    """Until the times of the presets are measured."""
    page.get_by_role("status").filter(has_text="on this computer").wait_for(timeout=120_000)


def drawn(page: "Page") -> None:
    """Until the random changes are there: a process of their own makes them."""
    page.get_by_role("button", name="Refresh the preview").wait_for(timeout=120_000)


def select_first(page: "Page") -> None:
    """Select the first image."""
    page.get_by_role("gridcell").first.click()


def worst_cell(page: "Page") -> None:
    """Open the cell of the matrix with the most mistakes."""
    cells = page.get_by_role("button", name=re.compile(" predicted as .*: "))
    most = (0, 0)
    for k in range(cells.count()):
        label, predicted, n = re.fullmatch(
            r"(.*) predicted as (.*): (\d+) .*", cells.nth(k).get_attribute("aria-label") or ""
        ).groups()
        most = max(most, (int(n) * (label != predicted), k))
    cells.nth(most[1]).click()


if __name__ == "__main__":
    main()
