"""The page of a second reading, in a browser: labels by keys, agreement of the readers, and decisions."""

from typing import TYPE_CHECKING

import pytest
from browser import RunningApp, open_page
from drawing import write_cells
from image_sets import in_lists

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow


def test_images_are_read_again_compared_and_decided(page: "Page", app_server: RunningApp) -> None:
    app = app_server
    images = write_cells(app.root / "read twice", 12)  # 4 of each class, so that 9 at random have all classes
    dataset = f"datasets/{app.opened(images)['id']}"
    draw = f"{in_lists(dataset)}/draw"
    open_page(page, f"/{dataset}/second-reading")
    page.get_by_role("textbox", name="Reader").fill("Eve")
    page.get_by_role("button", name="Save name").click()
    page.get_by_role("spinbutton", name="Images").fill("9")
    page.get_by_role("button", name="Draw images").click()
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    saves = f"**/{draw}/rows/*"
    for k in range(1, 10):
        page.get_by_role("img", name=f"Image {k} of 9").evaluate("picture => picture.decode()")
        if k == 8:
            page.route(saves, hold, times=1)
        page.locator("[data-mark='1']").wait_for()
        page.keyboard.press("1")
    page.get_by_role("textbox", name="Reader").fill("Ann")
    page.get_by_role("button", name="Save name").click()
    held[0].continue_()
    page.get_by_text("This browser labels as Ann.").wait_for()
    app.until(f"{draw}/result", lambda body: body["pairs"] and body["pairs"][0]["agreement"]["n"] == 9)

    page.get_by_role("link", name="Agreement").click()
    first_class = app.get(dataset)["classes"][0]["name"]
    (pair,) = app.get(f"{draw}/result")["pairs"]
    assert (pair["first"], pair["second"]) == (None, "Eve")
    agreement = page.get_by_role("region", name="Agreement")
    row = agreement.get_by_role("row").filter(has=page.get_by_role("cell", name="Eve", exact=True)).first
    assert f"{pair['agreement']['agreement']['value']:.2f}" in row.inner_text()  # the interval of 9 images is wide
    different = app.get(f"{draw}/result")["disagreements"]
    assert 0 < len(different) < 9
    assert {image["readings"][0]["label"] for image in different} == {first_class}

    image = different[0]
    label = page.get_by_role("group", name="Label of image 1", exact=True)
    label.get_by_role("button", name=first_class).click()
    decided = label.get_by_text(f"Decided: {first_class} (Ann)")  # it stays in its place
    decided.wait_for()
    assert app.get(f"{in_lists(dataset)}/rows/{image['row_id']}")["label"] == first_class
    shown = label.element_handle()
    with page.expect_response(f"**/{draw}"), page.expect_response(f"**/{draw}/result"):
        app.opened(write_cells(app.root / "unrelated", 3))
    shown.evaluate("() => new Promise(end => requestAnimationFrame(() => requestAnimationFrame(end)))")
    assert shown.evaluate("node => node.isConnected")  # the page is not built again at an unrelated event
    decided.wait_for()
    decided.get_by_role("button", name="Undo").click()
    decided.wait_for(state="detached")
    assert app.get(f"{in_lists(dataset)}/rows/{image['row_id']}")["label"] == image["first"]["label"]

    table = app.root / "readings.csv"
    image_id = app.get(f"{in_lists(dataset)}/rows/{image['row_id']}")["image_id"]
    table.write_text(f"image_id,label,author\n{image_id},{first_class},Zoe\n")
    page.get_by_label("Import readings (CSV)").set_input_files(table)
    agreement.get_by_role("cell", name="Zoe", exact=True).first.wait_for()
