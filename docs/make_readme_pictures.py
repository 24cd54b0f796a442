"""Make the pictures of README from real runs on synthetic images.

    python docs/make_readme_pictures.py            # docs/readme/*.webp
    python docs/make_readme_pictures.py leakage    # only those whose name contains this word

The script draws synthetic fields of view of 30 slides and the labels of their cells, opens them in the app, finds the
cells, trains a classifier with cross-validation over slides, predicts the cells in fields of two conditions, and takes
pictures of the pages in Chromium. For the picture of leakage, it draws slides of which each contains mostly one class,
as if each class had been imaged on slides of its own. The heat maps are those of `coverslip explain`, which draws none
that failed its checks. All of this takes two to fifteen minutes. Build the pages first (`make pages`). Look at each
picture before you commit it: the script checks its size, not what it shows.
"""

import base64
import csv
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from make_pictures import BROWSERS, DOCS, Server, app, encoded, is_wanted, say, settle
from PIL import Image

import coverslip as cs
from coverslip import synthetic_cells
from coverslip.events import ignore
from coverslip.objects.finding import FinderSettings
from coverslip.synthetic_cells import FIVE_CLASSES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

PICTURES = DOCS / "readme"
MOST_BYTES = 150_000
CLASSES = FIVE_CLASSES.classes
N_SLIDES, CELLS_OF_FIELD = 30, 24
FIELD_GRID = 7, 5  # positions for cells, columns and rows
FIELD_STEP_UM = 24.0
SHIFT_UM = 4.0  # at most, so that cells may touch but do not overlap
PX_PER_UM = 6.0
FINDER = {"diameter": 75, "threshold": "local"}
EOSINOPHILS = {"control": 0.06, "treated": 0.3}  # expected proportion
OTHERS = (0.1, 0.25, 0.2, 0.45)  # proportions of the other classes among each other
SAMPLES = 4  # of each condition
RECIPE = {"stage": "instant", "image_size": 96, "crop_margin": 0.2, "split": {"folds": 3}}
PANEL = (410, 264)  # CSS pixels of a panel of the overview
STYLE = """
body { margin: 0; font: 15px system-ui, sans-serif; color: #1a1a1a; background: white }
main { display: grid; grid-template-columns: repeat(2, 1fr); gap: 12px }
figure { margin: 0; border: 1px solid #c8c8c8; border-radius: 6px; overflow: hidden }
figcaption { padding: 6px 10px; font-weight: 600; background: #f2f2f2; white-space: nowrap }
figcaption div { font-size: 10.5px; font-weight: 400 }
img { display: block }
.folder { display: grid; grid-template-columns: repeat(3, 1fr); gap: 10px; padding: 10px }
.folder div { font-size: 12px; text-align: center }
"""

Truth = list[tuple[str, np.ndarray]]  # class and (row, column) of the center of each cell


def main() -> None:
    wanted = sys.argv[1:]
    folder = Path(tempfile.gettempdir()) / "coverslip-readme"  # one name, since pages show it
    shutil.rmtree(folder, ignore_errors=True)
    PICTURES.mkdir(exist_ok=True)
    try:
        if is_wanted("heatmap", wanted):
            draw_heatmap(folder / "explained")
        if any(is_wanted(name, wanted) for name in ("leakage", "overview", "proportions")):
            write_all(folder / "images")
            with app(folder) as server, browser() as chromium:
                for name, draw in {"leakage": take_leakage, "overview": take_objects}.items():
                    if is_wanted(name, wanted) or (name == "overview" and is_wanted("proportions", wanted)):
                        draw(server, chromium, folder / "images")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


# Images ---------------------------------------------------------------------------------------------------------------


def write_all(folder: Path) -> None:
    """Write fields to train on with the labels of their cells, new fields, and crops for the estimate of leakage."""
    truths = {}
    for number in range(1, N_SLIDES + 1):
        draw = np.random.default_rng([7, number])
        names = draw.choice(CLASSES, CELLS_OF_FIELD, p=draw.dirichlet([0.35] * len(CLASSES)))
        file = folder / "fields" / f"slide{number:02d}.png"
        truths[file.name] = write_field(file, list(names), number)
    for condition, sample in product(EOSINOPHILS, range(1, SAMPLES + 1)):
        number = N_SLIDES + sample + SAMPLES * list(EOSINOPHILS).index(condition)
        draw = np.random.default_rng([7, number])
        share = float(np.clip(draw.normal(EOSINOPHILS[condition], 0.03), 0.02, 0.9))
        names = draw.choice(CLASSES, 33, p=[share, *(np.array(OTHERS) * (1 - share))])
        write_field(folder / "new" / f"{condition}_{sample}.png", list(names), number)
    write_labels(folder, truths)
    for number in range(1, N_SLIDES + 1):
        write_slide_of_one_class(folder / "one_class_per_slide", number)
    say("images are drawn")


def write_cell(file: Path, name: str, number: int, k: int) -> None:
    """Draw a cell of a slide away from the center of its image, since checks compare heat maps with the center."""
    rng = np.random.default_rng([5, number, k])
    slide = synthetic_cells._draw_slide(np.random.default_rng([5, number]))
    wide = replace(slide, side_px=208, px_per_um=PX_PER_UM)
    pixels = synthetic_cells._draw_image(synthetic_cells._sample_cell(FIVE_CLASSES, name, rng), wide, rng)
    angle = rng.uniform(0, 2 * np.pi)
    middle = np.array(pixels.shape[:2]) / 2 + 38 * np.array([np.sin(angle), np.cos(angle)])
    top, left = (middle - 64).astype(int)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[top : top + 128, left : left + 128]).save(file)


def draw_field(
    cells: list[synthetic_cells._Kind], slide: synthetic_cells._Slide, rng: np.random.Generator
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Draw a field of view (H, W, 3) uint8 without red cells, and return the x and y of each cell in pixels."""
    n_columns, n_rows = FIELD_GRID
    height, width = (round(n * FIELD_STEP_UM * slide.px_per_um) for n in (n_rows, n_columns))
    y, x = np.mgrid[:height, :width].astype(np.float32) / np.float32(slide.px_per_um)
    field = synthetic_cells._Field(y, x, slide.px_per_um, rng)
    amounts = {name: np.zeros((height, width), np.float32) for name in synthetic_cells._DYES}
    amounts["pink"] += np.float32(slide.plasma) * (1 + 0.3 * field.noise(6.0))
    positions = rng.permutation(n_columns * n_rows)[: len(cells)]
    centers = []
    for cell, position in zip(cells, positions.tolist(), strict=True):
        row, column = divmod(position, n_columns)
        middle = (np.array([row, column]) + 0.5) * FIELD_STEP_UM + rng.uniform(-SHIFT_UM, SHIFT_UM, 2)
        first = np.maximum(0, ((middle - FIELD_STEP_UM / 2) * slide.px_per_um).astype(int))
        last = ((middle + FIELD_STEP_UM / 2) * slide.px_per_um).astype(int)
        around = slice(first[0], last[0]), slice(first[1], last[1])
        part = synthetic_cells._Field(y[around], x[around], slide.px_per_um, rng)
        synthetic_cells._add_cell({name: amount[around] for name, amount in amounts.items()}, part, cell, middle)
        centers.append((float(middle[1] * slide.px_per_um), float(middle[0] * slide.px_per_um)))
    return synthetic_cells._photograph(amounts, field, slide), centers


def write_field(file: Path, names: list[str], number: int) -> Truth:
    """Draw a field of view of a slide with cells of these classes."""
    rng = np.random.default_rng([0, number])
    slide = synthetic_cells._draw_slide(np.random.default_rng([0, number]))
    cells = [synthetic_cells._sample_cell(FIVE_CLASSES, name, rng) for name in names]
    pixels, centers = draw_field(cells, replace(slide, px_per_um=PX_PER_UM, plasma=0.0), rng)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file)
    return [(name, np.array([y, x])) for name, (x, y) in zip(names, centers, strict=True)]


def write_labels(folder: Path, truths: dict[str, Truth]) -> None:
    """Find the cells of the labeled fields, and write the class of each into the table, as a reader would."""
    table = folder / "cells.csv"
    finder = FinderSettings(**FINDER)
    cs.collect_objects(folder / "fields", finder="classical", finder_settings=finder, out=table, emit=ignore)
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        left, top, width, height = (float(row[key]) for key in ("x", "y", "width", "height"))
        center = np.array([top + height / 2, left + width / 2])
        row["label"], middle = min(truths[row["field"]], key=lambda cell: float(np.hypot(*(cell[1] - center))))
        if np.hypot(*(middle - center)) > 40:
            raise SystemExit(f"{row['image_id']} is no cell that was drawn")
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_slide_of_one_class(folder: Path, number: int) -> None:
    """Draw twelve cells of a slide, most of one class."""
    slide = synthetic_cells._draw_slide(np.random.default_rng([3, number]))
    for k in range(12):
        rng = np.random.default_rng([3, number, k])
        name = CLASSES[number % len(CLASSES) if rng.random() < 0.85 else rng.integers(len(CLASSES))]
        file = folder / name / f"slide{number:02d}_{k:02d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        cell = synthetic_cells._sample_cell(FIVE_CLASSES, name, rng)
        Image.fromarray(synthetic_cells._draw_image(cell, slide, rng)).save(file)


# Pictures -------------------------------------------------------------------------------------------------------------


def draw_heatmap(folder: Path) -> None:
    """Cells of new slides and their heat maps, as `coverslip explain` draws them."""
    for number in range(1, N_SLIDES + 1):
        for k, name in enumerate(CLASSES * 2):
            write_cell(folder / "cells" / name / f"slide{number:02d}_{k}.png", name, number, k)
    for k, name in enumerate(("monocyte", "eosinophil", "neutrophil")):
        write_cell(folder / "new" / f"{k}_{name}.png", name, N_SLIDES + 11 + k, 0)
    data = cs.open_dataset(folder / "cells", group_pattern=r"slide\d+")
    recipe = cs.Recipe(stage="instant", image_size=128)
    cs.train(data, recipe, out=folder / "run", emit=ignore)
    cs.explain(folder / "run", [folder / "new"], out=folder / "maps", n_nearest=3, emit=ignore)
    drawn = [Image.open(file).convert("RGB") for file in sorted((folder / "maps").glob("*.png"))]
    sheet = Image.new("RGB", (max(each.width for each in drawn), sum(each.height for each in drawn)), "white")
    for k, each in enumerate(drawn):
        sheet.paste(each, (0, sum(above.height for above in drawn[:k])))
    save("heatmap", sheet)


def take_leakage(server: Server, chromium: "Browser", images: Path) -> None:
    """The estimate of leakage on the page *Checks*."""
    source = {"path": str(images / "one_class_per_slide")}
    dataset = opened(server, {"sources": [source], "group_pattern": r"slide\d+"})
    server.send("computations", {"kind": "leakage-estimate", "subject": dataset})
    server.until(f"computations/leakage-estimate/{dataset}", lambda state: state["state"] == "ready")
    page = opened_page(server, chromium, f"datasets/{dataset}?tab=checks", width=860)
    section = page.locator("section", has=page.get_by_role("heading", name="Data leakage")).last
    save("leakage", between(page, section, section.locator("p").first))


def take_objects(server: Server, chromium: "Browser", images: Path) -> None:
    """From labeled fields to the proportions of samples: the overview of four panels, and the proportions."""
    source = {"path": str(images / "cells.csv")}
    labeled = opened(server, {"sources": [source], "name": "Blood cells", "group_pattern": r"slide\d+"})
    fields = opened(server, {"sources": [{"path": str(images / "new")}], "is_labeled": False})
    new = {"kind": "objects", "subject": fields, "source": "finder", "finder_settings": FINDER}
    server.send("computations", new)
    objects = server.until(f"computations/objects/{fields}", lambda state: state["objects"] is not None)["objects"]
    server.until(f"datasets/{objects['dataset_id']}", lambda state: state["state"] == "ready")
    run = server.send("runs", {"dataset_id": labeled, "name": "Blood cells", "recipe": RECIPE})["id"]
    server.until(f"jobs/{run}", lambda state: state["state"] == "done")
    prediction = server.send("predictions", {"classifier_id": run, "dataset_id": objects["dataset_id"]})["id"]
    server.until(f"jobs/{prediction}", lambda state: state["state"] == "done")
    conditions = {f"{name}_{k}": name for name in EOSINOPHILS for k in range(1, SAMPLES + 1)}
    sampling = {"by": "pattern", "pattern": r"(\w+)\.png", "conditions": conditions}
    server.send(f"predictions/{prediction}/samples", sampling, "PUT")

    page = opened_page(server, chromium, f"predictions/{prediction}/samples?class=eosinophil", width=900)
    plot = page.get_by_role("region", name="eosinophil").first.locator(".plot").first
    save("proportions", between(page, plot, plot))
    for name in ("fields", "samples"):
        shown = opened_page(server, chromium, f"predictions/{prediction}/{name}", width=1280)
        (DOCS / "app" / f"prediction-{name}.webp").write_bytes(
            encoded(Image.open(BytesIO(shown.screenshot())).convert("RGB"))
        )
    labels = clip_of_field(opened_page(server, chromium, f"datasets/{labeled}?tab=fields", width=1280))
    result = opened_page(server, chromium, f"runs/{run}", width=PANEL[0])
    summary = clip(result, result.get_by_text("Macro-F1").first, dx=-14, dy=-12)
    predicted = clip_of_field(opened_page(server, chromium, f"predictions/{prediction}/fields", width=1280))
    legend = "<div>" + " ".join(f"<b>{k}</b> {name}" for k, name in enumerate(CLASSES, 1)) + "</div>"
    panels = [
        ("1. A folder of images", folder_panel(images / "fields")),
        (f"2. Labels {legend}", picture(labels)),
        ("3. A result with its uncertainty", picture(summary)),
        (f"4. Predictions {legend}", picture(predicted)),
    ]
    save("overview", composed(chromium, panels))


def opened(server: Server, dataset: dict[str, Any]) -> str:
    """Open a dataset and return its id."""
    name = str(server.send("datasets", dataset)["id"])
    server.until(f"datasets/{name}", lambda state: state["state"] == "ready")
    return name


@contextmanager
def browser() -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def new_page(chromium: "Browser", width: int, address: str | None = None) -> "Page":
    size = {"width": width, "height": 800}
    context = chromium.new_context(
        base_url=address,
        viewport=size,  # type: ignore[arg-type]
        device_scale_factor=2,
        color_scheme="light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    page.add_init_script("delete globalThis.SharedWorker")  # "networkidle" would wait for its request in vain
    return page


def opened_page(server: Server, chromium: "Browser", path: str, width: int) -> "Page":
    page = new_page(chromium, width, server.address)
    page.goto(path)
    page.locator("h1").first.wait_for()
    settle(page)
    return page


def clip(page: "Page", locator: "Locator", dx: int = 0, dy: int = 0) -> bytes:
    """A picture of the size of a panel, from the top left corner of an element."""
    locator.evaluate("(element) => element.scrollIntoView({block: 'center'})")
    settle(page)
    box = locator.bounding_box()
    assert box is not None
    return page.screenshot(clip={"x": box["x"] + dx, "y": box["y"] + dy, "width": PANEL[0], "height": PANEL[1]})


def clip_of_field(page: "Page") -> bytes:
    """A picture of the size of a panel, of the top left part of a field of view."""
    tiles = page.locator(".tiles[data-sharp=true]")
    tiles.wait_for()
    dx, dy = (max(0, round(float(tiles.get_attribute(f"data-{axis}") or 0))) for axis in ("x", "y"))
    return clip(page, tiles, dx, dy)


def between(page: "Page", top: "Locator", bottom: "Locator", margin: int = 16) -> bytes:
    """A picture of the page from the top of an element to the bottom of another in it."""
    top.scroll_into_view_if_needed()
    settle(page)
    box, last = top.bounding_box(), bottom.bounding_box()
    assert box is not None
    assert last is not None
    height = last["y"] + last["height"] - box["y"] + 2 * margin
    rectangle = {"x": box["x"] - margin, "y": box["y"] - margin, "width": box["width"] + 2 * margin, "height": height}
    return page.screenshot(clip=rectangle)  # type: ignore[arg-type]


def picture(content: bytes, style: str = "width: 100%") -> str:
    return f'<img style="{style}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'


def folder_panel(folder: Path) -> str:
    """The first files of a folder with their names, as a file manager shows them."""
    files = sorted(folder.iterdir())
    cells = [f"<div>{picture(file.read_bytes())}<br>{file.name}</div>" for file in files[:6]]
    return f'<div class="folder">{"".join(cells)}</div>'


def composed(chromium: "Browser", panels: list[tuple[str, str]]) -> bytes:
    """Panels with captions in two columns."""
    page = new_page(chromium, 2 * PANEL[0] + 12)
    figures = [f"<figure><figcaption>{caption}</figcaption>{panel}</figure>" for caption, panel in panels]
    page.set_content(f"<style>{STYLE}</style><main>{''.join(figures)}</main>")
    settle(page)
    return page.locator("main").screenshot()


def save(name: str, content: "bytes | Image.Image") -> None:
    """Save a picture as WebP, in the highest quality with which it is small enough."""
    image = Image.open(BytesIO(content)).convert("RGB") if isinstance(content, bytes) else content
    file = PICTURES / f"{name}.webp"
    for quality in range(90, 30, -5):
        image.save(file, quality=quality, method=6)
        if file.stat().st_size <= MOST_BYTES:
            break
    else:
        raise SystemExit(f"{file.name} is larger than {MOST_BYTES} bytes")
    say(f"{file.relative_to(DOCS.parent)}  {image.width} x {image.height}  {file.stat().st_size // 1000} KB")


if __name__ == "__main__":
    main()
