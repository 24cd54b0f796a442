"""Gallery of a dataset with a million images: the first images, the last ones, and a change of 100,000 labels.

The script writes a dataset into a new workspace with the functions of the app, without reading images: rows share a few
thumbnails, and each row has its own pixel hash, metadata and color. Then it times requests to the app in this process.
Each value is the median of several requests in elapsed seconds, and in parentheses the processor seconds, which depend
less on other work on the machine. Some values are compared with the former design of galleries: positions and image_ids
of all matching images as JSON, pages by offset with a count, and changes that list every image_id. With Chromium and
built pages, the script also times the gallery in a browser.

    python benchmarks/app_rows.py [--count 1000000] [--repeats 5]
"""

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from _records import Record
from app import CHROMIUM, serving
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import String, cast, func, insert, select, update

from coverslip.app.server import create_app
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.index.records import ImageRecord
from coverslip.workspace.datasets.image_rows import store_images
from coverslip.workspace.datasets.state import NO_COUNTS, mark_equal_pixels, update_counts
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import WHOLE, now, opened_as_json
from coverslip.workspace.store.tables import datasets, image_colors, image_facts, images
from coverslip.workspace.store.workspace import Workspace, open_workspace

RECORD = Record("A gallery of a million images", ["src/coverslip/workspace", "src/coverslip/app"])
CLAIM = "Time of a request, median (targets: first images 1 s, a change of 100,000 labels and its undo 2 s each)"
DATASET = "many"
N_CLASSES = 10
N_PICTURES = 64
SIDE = 96  # px
GROUP_OF = 50  # images
EQUAL_EVERY = 500  # one in this number of images has the pixels of another image
CHUNK, SHEET = 256, 64  # as the gallery requests them
FACTS = {"width_px": SIDE, "height_px": SIDE, "n_channels": 3, "low": [0.0] * 3, "high": [255.0] * 3}

# When the cell with this index has a picture: ms since the start.
SHOWN = """
async ([index, start]) => {
  const cell = () => document.querySelector(`.gallery [data-index="${index}"] .picture`);
  while (!cell()?.style.backgroundImage) await new Promise(requestAnimationFrame);
  return performance.now() - start;
}
"""

# Whether the gallery has the list of all images, and not only of the first ones.
ALL_LISTED = """
(count) => {
  const gallery = document.querySelector('[aria-rowcount]');
  return Number(gallery?.getAttribute('aria-rowcount')) * Number(gallery?.getAttribute('aria-colcount')) >= count;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, help="number of images in the dataset")
    parser.add_argument("--repeats", type=int, default=5)
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load of the machine at the start: {os.getloadavg()[0]:.1f}\n")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        os.environ["COVERSLIP_CACHE"] = str(folder / "cache")
        workspace = open_workspace(folder / "workspace", (folder,))
        started = time.perf_counter()
        write_dataset(workspace, folder / "pictures", options.count)
        print(f"{options.count:,} rows written in {time.perf_counter() - started:.0f} s\n", flush=True)
        client = TestClient(create_app(workspace), base_url="http://127.0.0.1")  # without the work of a server's start
        measure_lists(client, options.repeats)
        measure_last(client, workspace, options.count, options.repeats)
        measure_changes(client, options.count, options.repeats)
        workspace.background.wait_all()
        measure_gallery(folder, options.count)
    RECORD.write()


def write_dataset(workspace: Workspace, folder: Path, count: int) -> None:
    """Write a dataset of `count` images with labels, groups, metadata and colors."""
    draws = np.random.default_rng(0)
    for k in range(N_PICTURES):
        file = folder / f"class {k % N_CLASSES}" / f"{k}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draws.integers(0, 255, (SIDE, SIDE, 3), np.uint8)).save(file)
    opened = open_dataset(folder)
    pictures = [record.path for record in opened.records]
    records = tuple(
        ImageRecord(
            name_of(k),
            pictures[k % N_PICTURES],
            f"class {k * N_CLASSES // count}",
            f"{k // GROUP_OF}",
            "",
            None,
            WHOLE,
        )
        for k in range(count)
    )
    dataset = replace(opened, records=records)
    row: dict[str, Any] = {"name": "Many", "kind": "folders", "sources": [{"path": str(folder), "domain": None}]}
    row |= {"is_labeled": True, "class_names": [], "class_plan": {}, "opened": opened_as_json(dataset)}
    with write_transaction(workspace.engine) as connection:
        new = insert(datasets).values(id=DATASET, **row, summary=NO_COUNTS, revision=0, state="ready", created=now())
        connection.execute(new)
        store_images(connection, workspace, DATASET, dataset)
        number = images.c.position - (images.c.position % EQUAL_EVERY == 1)
        connection.execute(update(images).values(pixel_hash=cast(number, String), width_px=SIDE, height_px=SIDE))
        facts = select(images.c.row_id, func.json(json.dumps(FACTS)))
        connection.execute(insert(image_facts).from_select(["row_id", "facts"], facts))
        colors = select(images.c.row_id, (images.c.row_id * 7919 % 2**24) * 256 + 128)
        connection.execute(insert(image_colors).from_select(["row_id", "color"], colors))
        mark_equal_pixels(connection, DATASET)
        update_counts(connection, DATASET)


def measure_lists(client: TestClient, repeats: int) -> None:
    """The first images and the list of all of them, for several filters."""
    print(
        "| filter or order | images | first images (s) | all `row_id` values (s) | MB | unchanged (s) |\n"
        "|---|---|---|---|---|---|"
    )
    for query in (
        {},
        {"label": "class 3"},
        {"search": "63.png"},
        {"only": "problem"},
        {"only": "changed"},
        {"sort": "label"},
        {"sort": "group"},
    ):

        def first_images(query: dict[str, str] = query) -> bytes:
            rows = content(client, "row-ids", query)
            if rows:
                content(client, "rows", {"rows": joined(rows, CHUNK)})
                content(client, "sheet", {"rows": joined(rows, SHEET), "side": 128})
            return rows

        first_s, _ = timed(repeats, first_images)
        all_s, rows = timed(repeats, lambda query=query: content(client, "row-ids", query))
        tag = client.get(address("row-ids"), params=query).headers["etag"]
        unchanged_s, _ = timed(
            repeats,
            lambda query=query, tag=tag: client.get(address("row-ids"), params=query, headers={"If-None-Match": tag}),
        )
        name = ", ".join(f"{key}={value}" for key, value in query.items()) or "none"
        if query in ({}, {"sort": "group"}):
            RECORD.add(CLAIM, round(first_s.clock, 2), "s", of=f"first images, filter or order: {name}")
        cells = (
            f"{len(rows) // 4:,}",
            f"{first_s}",
            f"{all_s}",
            f"{len(rows) / 1e6:.1f}",
            f"{unchanged_s}",
        )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def measure_last(client: TestClient, workspace: Workspace, count: int, repeats: int) -> None:
    """Time the last images, by row_id and with the former paging."""
    rows = content(client, "row-ids", {})

    def by_row() -> None:
        content(client, "rows", {"rows": joined(rows[-4 * CHUNK :], CHUNK)})

    def by_offset() -> None:
        with workspace.engine.connect() as connection:
            of_dataset = select(images.c.position).where(images.c.dataset_id == DATASET).order_by(images.c.position)
            connection.execute(select(func.count()).select_from(of_dataset.order_by(None).subquery())).scalar_one()
            page = of_dataset.with_only_columns(images).offset(count - CHUNK).limit(CHUNK)
            json.dumps([dict(row) for row in connection.execute(page).mappings()])

    def positions_as_json() -> None:
        with workspace.engine.connect() as connection:
            query = select(images.c.position, images.c.image_id).where(images.c.dataset_id == DATASET)
            matches = connection.execute(query.order_by(images.c.position)).all()
            json.dumps({"items": [position for position, _ in matches], "image_ids": [name for _, name in matches]})

    print("\n| | s | before (s) | ratio |\n|---|---|---|---|")
    last, last_by_offset = timed(repeats, by_row)[0], timed(repeats, by_offset)[0]
    compare("last 256 images", last, last_by_offset)
    RECORD.add(CLAIM, round(last.clock, 2), "s", of="last 256 images", note=f"by offset {last_by_offset.clock:.2f}")
    all_rows = timed(repeats, lambda: content(client, "row-ids", {}))[0]
    compare("list of all images", all_rows, timed(repeats, positions_as_json)[0])
    sheet = timed(repeats, lambda: content(client, "sheet", {"rows": joined(rows[-4 * SHEET :], SHEET), "side": 128}))
    print(f"| sheet of the last 64 images | {sheet[0]} | | |\n", flush=True)


def measure_changes(client: TestClient, count: int, repeats: int) -> None:
    """Changes of the images of a class, which are consecutive, and their undo."""
    names = [name_of(k) for k in range(3 * count // N_CLASSES, 4 * count // N_CLASSES)]
    print(f"| changes of {len(names):,} of {count:,} images | by filter (s) | undo (s) | by `image_id` (s) | ratio |")
    print("|---|---|---|---|---|")
    for path, change in (("labels", {"label": "relabeled"}), ("exclusions", {"is_excluded": True})):
        seconds: dict[str, list[Seconds]] = {"filter": [], "undo": [], "image_ids": []}
        for _ in range(repeats):
            filters = {"label": "class 3"}
            listed = client.get(address("row-ids"), params=filters)
            listed_rows = {"n_listed": len(listed.content) // 4, "digest": listed.headers["rows-digest"]}
            by_filter = {"filters": filters, **listed_rows}
            for way, selection in (("filter", by_filter), ("image_ids", {"images": names})):
                spent, answer = timed(1, lambda path=path, body={**selection, **change}: posted(client, path, body))
                assert answer["n"] == len(names)
                seconds[way].append(spent)
                undo = f"/api/v1/changes/{answer['change']}/undo"
                seconds["undo"].append(timed(1, lambda undo=undo: client.post(undo).raise_for_status())[0])
        new, undone, old = (median(seconds[way]) for way in ("filter", "undo", "image_ids"))
        of, note = f"{path} of {len(names):,} images", f"undo {undone.clock:.2f}"
        RECORD.add(CLAIM, round(new.clock, 2), "s", of=of, note=note)
        print(f"| {path} | {new} | {undone} | {old} | {old.processor / new.processor:.1f} |", flush=True)


def measure_gallery(folder: Path, count: int) -> None:
    """The gallery in a browser: the first picture, the last one, and a label for all images of a class."""
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        return
    from playwright.sync_api import sync_playwright

    with serving(folder) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(base_url=server.address, viewport={"width": 1280, "height": 800})
        page.goto("/")
        print("\n| in the browser | s |\n|---|---|")
        for visit in (1, 2):
            page.goto(f"/datasets/{DATASET}?tab=images")
            first_s = page.evaluate(SHOWN, [0, 0]) / 1000
            print(f"| first picture, visit {visit} | {first_s:.2f} |", flush=True)
            RECORD.add("First picture in Chromium (target: 1 s)", round(first_s, 2), "s", of=f"visit {visit}")
            page.wait_for_function(ALL_LISTED, arg=count)
            page.get_by_role("gridcell").first.click()
            start = page.evaluate("performance.now()")
            page.keyboard.press("End")
            print(
                f"| last picture, visit {visit} | {page.evaluate(SHOWN, [count - 1, start]) / 1000:.2f} |", flush=True
            )
        height = page.locator(".gallery .all").evaluate("(all) => all.getBoundingClientRect().height")
        print(f"| height of the list in the browser | {height:,.0f} px |")
        page.goto(f"/datasets/{DATASET}?tab=images&class=class%203")
        page.get_by_role("gridcell").first.click()
        page.keyboard.press("Control+a")
        for key, title in (("1", "label all images of a class"), ("Control+z", "undo")):
            started = time.perf_counter()
            with page.expect_response(lambda answer: answer.request.method == "POST") as response:
                page.keyboard.press(key)
            assert response.value.ok
            response.value.finished()
            print(f"| {title} | {time.perf_counter() - started:.2f} |", flush=True)
        print(f"| memory of the server | {server.memory_mib():.0f} MiB |")
        browser.close()


def name_of(k: int) -> str:
    return f"field {k // 100}/{k}.png"


@dataclass(frozen=True)
class Seconds:
    """Elapsed seconds and processor seconds."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} ({self.processor:.3f})"


def timed(repeats: int, act: Callable[[], Any]) -> tuple[Seconds, Any]:
    """Return the median of the seconds, and the last result."""
    seconds = []
    for _ in range(repeats):
        clock, processor = time.perf_counter(), time.process_time()
        result = act()
        seconds.append(Seconds(time.perf_counter() - clock, time.process_time() - processor))
    return median(seconds), result


def median(seconds: Sequence[Seconds]) -> Seconds:
    return Seconds(
        statistics.median(each.clock for each in seconds), statistics.median(each.processor for each in seconds)
    )


def compare(name: str, new: Seconds, old: Seconds) -> None:
    print(f"| {name} | {new} | {old} | {old.processor / new.processor:.1f} |", flush=True)


def address(path: str) -> str:
    kind = "datasets" if path.startswith(("labels", "exclusions")) else "lists"
    return f"/api/v1/{kind}/{DATASET}/{path}"


def content(client: TestClient, path: str, query: dict[str, Any]) -> bytes:
    answer = client.get(address(path), params=query)
    assert answer.status_code == 200, answer.text
    return answer.content


def posted(client: TestClient, path: str, body: dict[str, Any]) -> Any:
    answer = client.post(address(path), json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def joined(rows: bytes, n: int) -> str:
    """Return the first `n` row_ids as the parameter of an address."""
    return ",".join(map(str, np.frombuffer(rows, "<u4")[:n].tolist()))


if __name__ == "__main__":
    main()
