"""Microscope files in a real browser: the choice of their pixels, and the viewer of tiles."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import tifffile
from browser import RunningApp, open_page

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow


def write_stacks(folder: Path) -> Path:
    """Stacks of three z-planes and two channels with pixels of 0.25 µm, in folders of their classes."""
    rng = np.random.default_rng(0)
    for label in ("bright", "dark"):
        (folder / label).mkdir(parents=True)
        for k in range(2):
            stack = rng.integers(100, 4000, (3, 2, 80, 100), dtype=np.uint16)
            metadata: dict[str, Any] = {
                "axes": "ZCYX",
                "Channel": {"Name": ["DAPI", "GFP"]},
                **{f"PhysicalSize{axis}": 0.25 for axis in "XY"},
                **{f"PhysicalSize{axis}Unit": "µm" for axis in "XY"},
            }
            tifffile.imwrite(folder / label / f"cell{k}.ome.tif", stack, metadata=metadata)
    return folder


@pytest.fixture(scope="module")
def stacks(app_server: RunningApp) -> Any:
    folder = write_stacks(app_server.root / "stacks")
    return app_server.opened(folder)


def test_an_image_with_fewer_planes_is_shown_after_one_with_more(page: "Page", app_server: RunningApp) -> None:
    folder = app_server.root / "planes"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for name, n in (("a", 8), ("b", 3)):
        tifffile.imwrite(
            folder / f"{name}.ome.tif", rng.integers(0, 255, (n, 64, 64), np.uint8), metadata={"axes": "ZYX"}
        )
    dataset = app_server.opened(folder, is_labeled=False)
    open_page(page, f"/datasets/{dataset['id']}?tab=images")
    page.get_by_role("gridcell").first.dblclick()
    viewer = page.get_by_role("dialog")
    viewer.get_by_text("1 / 8").wait_for()
    slide_to(viewer.get_by_label("z-plane"), 5)
    viewer.get_by_text("6 / 8").wait_for()
    viewer.get_by_role("button", name="Next image").click()
    viewer.get_by_text("1 / 3").wait_for()
    viewer.locator(".tiles[data-sharp=true]").wait_for()
    assert viewer.locator(".unreadable").count() == 0


def slide_to(slider: "Locator", value: int) -> None:
    slider.evaluate(
        "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }", value
    )


def test_pixels_of_files_are_chosen_once_and_viewed_in_colors(
    page: "Page", app_server: RunningApp, stacks: Any
) -> None:
    at = f"datasets/{stacks['id']}"
    open_page(page, f"/{at}")
    card = page.locator("#pixels")
    card.get_by_role("radio", name="Maximum").check()
    card.get_by_role("checkbox", name="DAPI").uncheck()
    card.get_by_role("button", name="Use this choice").click()
    card.get_by_role("button", name="Change").wait_for()
    assert app_server.get(at)["pixels"] == {"series": 0, "t": 0, "z": "max", "channels": ["GFP"], "level": 0}
    open_page(page, f"/{at}?tab=images")
    page.get_by_role("gridcell", name=", class ").first.dblclick()
    viewer = page.get_by_role("dialog")
    image = viewer.locator(".tiles[data-sharp=true]")
    image.wait_for()
    viewer.get_by_role("img", name="Scale bar").wait_for()
    assert not viewer.get_by_role("checkbox", name="Show DAPI").is_checked()
    assert viewer.get_by_label("z-projection").input_value() == "max"
    with page.expect_response(lambda answer: "/tiles/0/0/0" in answer.url and "z=1" in answer.url) as tile:
        viewer.get_by_label("z-projection").select_option("none")
        slide_to(viewer.get_by_label("z-plane"), 1)
    viewer.get_by_label("z-projection").press("2")  # keys in a list choose its options
    assert tile.value.ok
    with page.expect_response(lambda answer: "/tiles/0/0/0" in answer.url and "0%3A0000ff" in answer.url) as tile:
        viewer.get_by_role("checkbox", name="Show DAPI").check()
    assert tile.value.ok
    slide_to(viewer.get_by_label("White point of GFP"), 2500)
    viewer.get_by_role("button", name="Use for all images").click()
    viewer.get_by_role("button", name="Automatic display").wait_for()
    dapi, gfp = app_server.get(at)["display"]
    assert (dapi["is_visible"], dapi["low"]) == (True, None)
    assert 2400 < gfp["high"] < 2600
    before = viewer.locator(".scale").inner_text()
    page.keyboard.press("+")
    viewer.locator(".scale").filter(has_not_text=before).wait_for()
    viewer.get_by_role("button", name="Automatic display").click()
    viewer.get_by_role("button", name="Automatic display").wait_for(state="detached")
    assert (app_server.get(at)["display"], app_server.get(at)["n_label_changes"]) == ([], 0)
    open_page(page, f"/train?dataset={stacks['id']}")
    page.get_by_text("Expert settings").click()
    plane = page.get_by_role("list", name="settings").get_by_role("listitem").filter(has_text="images.z")
    assert plane.locator("[aria-pressed=true]").all_inner_texts() == ["the maximum of all z-planes"]
    page.get_by_text("All settings have their defaults").wait_for()
