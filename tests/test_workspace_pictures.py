"""Pictures: small ones and sheets for walls, large ones for the viewer."""

import asyncio
import io
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from drawing import save_cell, save_cells, write_cells
from image_sets import App, in_lists, workspace_in
from PIL import Image
from sqlalchemy import delete

import coverslip as cs
from coverslip.app.server import create_app
from coverslip.cache.stores import cache_folder, remove_stores_of
from coverslip.pipeline import draw_training_images
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.tables import image_colors


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


def picture(app: App, where: str, **query: Any) -> np.ndarray[Any, Any]:
    answer = app.client.get(f"/api/v1/{where}", params=query)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def rows_at(app: App, dataset: Any, *positions: int) -> str:
    """The row_ids of the images at these positions, as an address names them."""
    rows = app.rows(f"datasets/{dataset['id']}")
    return ",".join(str(rows[position]) for position in positions)


@pytest.mark.slow
def test_thumbnails_are_small_and_kept_for_good(app: App, tmp_path: Path) -> None:
    save_cell(tmp_path / "cells" / "a.png", 1, side=300)
    dataset = app.open(tmp_path / "cells", is_labeled=False)
    (image,) = app.get(f"lists/{dataset['id']}/rows")["items"]
    where, rows = f"/api/v1/lists/{dataset['id']}/sheet", image["row_id"]
    version = image["version"]
    answer = app.client.get(where, params={"rows": rows, "side": 64, "v": version})
    assert Image.open(io.BytesIO(answer.content)).size == (64, 64)
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    tag = answer.headers["etag"]
    second = app.client.get(where, params={"rows": rows, "side": 64}, headers={"If-None-Match": tag})
    assert (second.status_code, second.content) == (304, b"")
    assert second.headers["cache-control"] == "private, no-cache"
    assert app.client.get(where, params={"rows": rows, "side": 4000}).status_code == 422


@pytest.mark.slow
def test_a_sheet_shows_images_in_the_requested_order(app: App, tmp_path: Path) -> None:
    for k, color in enumerate([(250, 0, 0), (0, 250, 0), (0, 0, 250)]):
        folder = tmp_path / "cells" / "x"
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), color).save(folder / f"{k}.png")
    (folder / "3.png").write_bytes(b"broken")
    dataset = app.open(tmp_path / "cells", is_labeled=False)
    sheet = picture(app, f"lists/{dataset['id']}/sheet", rows=rows_at(app, dataset, 2, 3, 0, 1, 2, 2, 2, 2, 0), side=32)
    assert sheet.shape == (64, 256, 4)
    middles = [sheet[16, 16 + 32 * k] for k in range(8)]
    assert [int(np.argmax(cell[:3])) if cell[3] else None for cell in middles] == [2, None, 0, 1, 2, 2, 2, 2]
    assert int(np.argmax(sheet[48, 16, :3])) == 0
    assert sheet[48, 48, 3] == 0
    for wrong in ("", "a", "1,,2", ",".join(["0"] * 65), "-1"):
        assert app.client.get(f"/api/v1/lists/{dataset['id']}/sheet?rows={wrong}").status_code == 422
    assert app.refused("GET", f"lists/{dataset['id']}/sheet?rows={rows_at(app, dataset, 0)},99")["status"] == 404


@pytest.mark.slow
def test_small_pictures_are_made_once(app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    first_rows = rows_at(app, dataset, 0, 1, 2)
    first = app.client.get(f"/api/v1/lists/{dataset['id']}/sheet", params={"rows": first_rows}).content
    for path in cells.rglob("*.png"):
        path.unlink()
    assert app.client.get(f"/api/v1/lists/{dataset['id']}/sheet", params={"rows": first_rows}).content == first
    monkeypatch.setenv("COVERSLIP_CACHE_LIMIT", "0")
    save_cell(cells / "flat" / "slide2_2.png", 5)
    where = f"/api/v1/lists/{dataset['id']}/sheet"
    app.client.get(where, params={"rows": rows_at(app, dataset, 4), "side": 256})  # makes a larger one, and makes room
    assert app.client.get(f"/api/v1/lists/{dataset['id']}/sheet", params={"rows": first_rows}).content != first


def n_kept(dataset_id: str) -> int:
    """How many thumbnails are kept."""
    file = cache_folder() / "app-thumbnails" / dataset_id / "records.sqlite"
    if not file.exists():
        return 0
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM records").fetchone()[0])


def colors(app: App, dataset_id: str) -> np.ndarray[Any, Any]:
    """(n, 4): red, green, blue, shape, in the order of the images; all 0 without a color."""
    answer = app.client.get(f"/api/v1/lists/{dataset_id}/colors")
    assert answer.headers["content-type"] == "application/octet-stream"
    numbers = np.frombuffer(answer.content, np.uint8).reshape(-1, 8)
    color_of = dict(zip(numbers[:, :4].copy().view("<u4")[:, 0].tolist(), numbers[:, 4:], strict=True))
    return np.array([color_of.get(row, np.zeros(4, np.uint8)) for row in app.rows(f"datasets/{dataset_id}")])


@pytest.mark.slow
def test_a_cell_of_a_sheet_is_the_thumbnail(app: App, tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 300).astype(np.uint8)
    for k, (height, width) in enumerate([(300, 300), (300, 150), (40, 80)]):
        across, down = np.tile(ramp[:width], (height, 1)), np.tile(ramp[:height, None], (1, width))
        pixels = np.stack([across, np.full_like(across, 90 * k), down], -1)
        (tmp_path / "cells").mkdir(exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "cells" / f"{k}.png")
    dataset = app.open(tmp_path / "cells", is_labeled=False)
    where = f"datasets/{dataset['id']}"
    sheet = picture(app, f"{in_lists(where)}/sheet", rows=rows_at(app, dataset, 0, 1, 2), side=128)
    assert sheet.shape == (128, 3 * 128, 3)
    for k, box in enumerate([(0, 0, 128, 128), (32, 0, 96, 128), (0, 32, 128, 96)]):
        left, top, right, bottom = box
        cell = sheet[top:bottom, 128 * k + left : 128 * k + right].astype(int)
        small = Image.fromarray(picture(app, f"{in_lists(where)}/sheet", rows=rows_at(app, dataset, k), side=128))
        expected = np.asarray(small.resize((right - left, bottom - top), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(cell - expected).mean() < 3
    margin = sheet[10:100, 128 + 4 : 128 + 24].reshape(-1, 3).mean(axis=0)
    assert np.abs(margin - colors(app, dataset["id"])[1, :3]).max() < 6


def test_cells_are_no_larger_than_the_images(app: App, tmp_path: Path) -> None:
    for k, side in enumerate((24, 30)):
        save_cell(tmp_path / "cells" / f"{k}.png", k, side=side)
    dataset = app.open(tmp_path / "cells", is_labeled=False)
    where = f"lists/{dataset['id']}/sheet"
    assert picture(app, where, rows=rows_at(app, dataset, 0, 1), side=128).shape == (30, 60, 3)
    assert picture(app, where, rows=rows_at(app, dataset, 0, 0), side=20).shape == (20, 40, 3)


@pytest.mark.slow
def test_colors_are_averages_with_the_shape(app: App, tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    for name, color, size in [("a", (200, 30, 90), (40, 40)), ("b", (0, 0, 0), (80, 40)), ("c", (9, 9, 9), (20, 40))]:
        Image.new("RGB", size, color).save(tmp_path / "cells" / f"{name}.png")
    (tmp_path / "cells" / "d.png").write_bytes(b"broken")
    Image.new("L", (40, 40), 77).save(tmp_path / "cells" / "e.png")
    tifffile.imwrite(tmp_path / "cells" / "f.tif", np.array([[0, 60_000]] * 2, np.uint16).repeat(20, 0).repeat(20, 1))
    dataset = app.open(tmp_path / "cells", is_labeled=False)
    assert colors(app, dataset["id"])[:5].tolist() == [
        [200, 30, 90, 128],
        [0, 0, 0, 160],
        [9, 9, 9, 96],
        [0, 0, 0, 0],
        [77, 77, 77, 128],
    ]
    assert abs(int(colors(app, dataset["id"])[5, 0]) - 127) < 8  # of what is shown: stretched
    answer = app.client.get(f"/api/v1/lists/{dataset['id']}/colors")
    second = app.client.get(f"/api/v1/lists/{dataset['id']}/colors", headers={"If-None-Match": answer.headers["etag"]})
    assert second.status_code == 304


@pytest.mark.slow
def test_a_wall_is_ready_when_its_images_were_read(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    app.home.background.wait_all()
    for path in cells.rglob("*.png"):
        path.unlink()
    answer = app.client.get(f"/api/v1/lists/{dataset['id']}/sheet?rows={rows_at(app, dataset, 0, 5, 11)}&v=1")
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "image/jpeg"


@pytest.mark.slow
def test_a_file_of_pictures_that_a_kill_left_empty_is_used(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells"))
    app.home.background.wait_all()
    remove_stores_of(dataset["id"])
    file = cache_folder() / "app-thumbnails" / dataset["id"] / "records.sqlite"
    file.parent.mkdir()
    file.touch()
    picture(app, f"lists/{dataset['id']}/sheet", rows=rows_at(app, dataset, 0), side=64)
    assert n_kept(dataset["id"]) == 1


@pytest.mark.slow
def test_pictures_that_reading_did_not_make_are_made_afterwards(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells"))
    app.home.background.wait_all()
    whole = colors(app, dataset["id"])
    with write_transaction(app.home.engine) as connection:  # as after a kill, and with a cache that was emptied
        connection.execute(
            delete(image_colors).where(image_colors.c.row_id.in_(app.rows(f"datasets/{dataset['id']}")[5:]))
        )
    remove_stores_of(dataset["id"])
    reading_images.begin(app.home)
    app.home.background.wait_all()
    assert np.abs(colors(app, dataset["id"]).astype(int) - whole).max() <= 2
    assert n_kept(dataset["id"]) == 7
    # Facts are known from the first reading, so no image is decoded for them.
    reopened = app.open(tmp_path / "cells")
    app.home.background.wait_all()
    assert np.abs(colors(app, reopened["id"]).astype(int) - whole).max() <= 2


@pytest.mark.slow
def test_nobody_is_served_who_has_gone(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells"))
    app.home.background.wait_all()
    remove_stores_of(dataset["id"])
    where = f"/api/v1/lists/{dataset['id']}/sheet"
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": where,
        "raw_path": where.encode(),
        "query_string": f"rows={rows_at(app, dataset, 0, 1, 2, 3)}".encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    statuses = []

    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        statuses.append(message.get("status"))

    with ThreadPoolExecutor(1) as pool:  # where browsers are tested, a loop runs in the main thread
        pool.submit(asyncio.run, create_app(app.home)(scope, gone, send)).result()
    assert statuses[0] == 204
    assert n_kept(dataset["id"]) == 0


@pytest.mark.slow
def test_a_changed_file_gets_a_new_version(app: App, tmp_path: Path) -> None:
    cells = save_cells(tmp_path / "cells")
    dataset = app.open(cells)
    where = f"datasets/{dataset['id']}"
    before = app.get(f"{in_lists(where)}/rows")["items"][0]
    save_cell(cells / "flat" / "slide0_0.png", 777, side=30)
    app.send("POST", f"{where}/refresh")
    app.wait(dataset["id"])
    after = app.get(f"{in_lists(where)}/rows")["items"][0]
    assert after["version"] != before["version"]
    assert (before["width"], after["width"]) == (24, 30)


def test_a_picture_has_the_pixels_of_eight_bit_images_and_all_channels_as_the_dataset_shows_them(
    app: App, tmp_path: Path
) -> None:
    path = save_cell(tmp_path / "cells" / "a.png", 1)
    dataset = app.open(tmp_path / "cells", is_labeled=False)
    where = f"lists/{dataset['id']}/rows/{rows_at(app, dataset, 0)}/overview"
    assert np.array_equal(picture(app, where), np.asarray(Image.open(path)))

    rng = np.random.default_rng(0)
    stack = rng.integers(1_000, 3_000, (2, 3, 40, 60), dtype=np.uint16)  # z, channel, y, x
    (tmp_path / "stacks").mkdir()
    tifffile.imwrite(tmp_path / "stacks" / "a.tif", stack, imagej=True, metadata={"axes": "ZCYX"})
    dataset = app.open(tmp_path / "stacks", is_labeled=False)
    where = f"lists/{dataset['id']}/rows/{rows_at(app, dataset, 0)}/overview"
    assert [(channel.min(), channel.max()) for channel in np.moveaxis(picture(app, where), 2, 0)] == [(0, 255)] * 3
    shown = [{"name": "", "color": color, "low": 0.0, "high": 3_000.0} for color in ("0000ff", "00ff00", "ff0000")]
    shown[1]["is_visible"] = False
    app.send("PATCH", f"datasets/{dataset['id']}", {"display": shown})
    red, green, blue = np.moveaxis(picture(app, where, z=1), 2, 0)
    assert not green.any()
    for pixels, channel in ((red, stack[1, 2]), (blue, stack[1, 0])):
        np.testing.assert_allclose(pixels, channel / 3_000 * 255, atol=1)


@pytest.mark.slow
def test_a_picture_of_a_large_image_has_the_requested_side(app: App, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:1500, :2300]
    pixels = np.stack([rows * 255 / 1500, columns * 255 / 2300, rows * 0], -1).astype(np.uint8)
    (tmp_path / "large").mkdir()
    Image.fromarray(pixels).save(tmp_path / "large" / "a.png")
    dataset = app.open(tmp_path / "large", is_labeled=False)
    where = f"lists/{dataset['id']}/rows/{rows_at(app, dataset, 0)}/overview"
    for side in (1_024, 700, 300):
        shown = picture(app, where, side=side)
        assert shown.shape == (round(1500 * side / 2300), side, 3)
        small = np.asarray(Image.fromarray(pixels).resize(shown.shape[1::-1], Image.Resampling.BOX))
        assert np.abs(shown.astype(int) - small).max() <= 6


@pytest.mark.slow
def test_changed_images_are_drawn_by_another_process(app: App, tmp_path: Path) -> None:
    dataset = app.open(save_cells(tmp_path / "cells", n=12))
    app.label(f"datasets/{dataset['id']}", [0], "flat")
    where = f"/api/v1/datasets/{dataset['id']}/augmentation-preview"
    answer = app.client.post(where, json={"recipe": {"image_size": 32}})
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).width > 300
    assert app.client.post(where, json={"recipe": {"image_size": 32}}).content == answer.content
    assert app.refused("POST", f"datasets/{dataset['id']}/augmentation-preview", {"recipe": {"x": 1}})["status"] == 422
    assert not app.home.snapshots.exists()  # no job needs the table


@pytest.mark.slow
def test_changed_images_are_those_of_the_training_set_by_the_groups_of_the_dataset(app: App, tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", 36)
    dataset = app.open(cells, group_pattern=r"slide\d+")
    where = f"/api/v1/datasets/{dataset['id']}/augmentation-preview"
    answer = app.client.post(where, json={"recipe": {"image_size": 32, "split.folds": 0}})
    recipe = cs.Recipe.model_validate({"image_size": 32, "split": {"folds": 0}})
    with Image.open(io.BytesIO(answer.content)) as shown:
        drawn = draw_training_images(cs.open_dataset(cells, group_pattern=r"slide\d+"), recipe)
        assert np.array_equal(np.asarray(shown), np.asarray(drawn))
        other_split = draw_training_images(cs.open_dataset(cells), recipe)
        assert not np.array_equal(np.asarray(shown), np.asarray(other_split))


@pytest.mark.slow
def test_changed_images_are_those_of_the_training_set_by_the_groups_of_the_recipe(app: App, tmp_path: Path) -> None:
    files = sorted(write_cells(tmp_path / "cells", 36).rglob("*.png"))
    table = tmp_path / "cells.csv"
    rows = (f"{file},{file.parent.name},p{k % 4}" for k, file in enumerate(files))
    table.write_text("\n".join(["path,label,group", *rows]))
    where = f"/api/v1/datasets/{app.open(table)['id']}/augmentation-preview"
    pattern = r"slide\d+"
    for data, choice in (
        (cs.open_dataset(table), {}),
        (cs.open_dataset(table), {"group": "none"}),
        (cs.open_dataset(table, group_pattern=pattern), {"group": pattern}),
    ):
        recipe = {"image_size": 32, "split": {"folds": 0}, **choice}
        drawn = draw_training_images(data, cs.Recipe.model_validate(recipe))
        with Image.open(io.BytesIO(app.client.post(where, json={"recipe": recipe}).content)) as shown:
            assert np.array_equal(np.asarray(shown), np.asarray(drawn))
