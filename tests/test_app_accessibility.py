"""Keys, touch and spoken names, in a real browser; `test_app_browser.py` has the checks for every page."""

from typing import TYPE_CHECKING, Any

import pytest
from browser import RunningApp, Stock, open_page
from drawing import write_cells
from image_sets import in_lists

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow


@pytest.fixture
def images(app_server: RunningApp, request: pytest.FixtureRequest) -> Any:  # Any: JSON
    folder = write_cells(app_server.root / request.node.name, 24, classes=("large", "medium", "small"))
    return app_server.opened(folder)


def test_single_keys_label_images_only_while_the_gallery_has_the_focus(
    page: "Page", app_server: RunningApp, images: Any
) -> None:
    where = f"datasets/{images['id']}"
    open_page(page, f"/{where}?tab=images")
    page.locator("[role=gridcell][data-index='0']:focus").wait_for()  # at once
    page.get_by_role("gridcell").nth(1).click()
    page.get_by_role("button", name="Keys (?)").focus()
    for key in ("3", "?", "Delete", ";"):
        page.keyboard.press(key)
    assert page.get_by_role("dialog").count() == 0
    page.keyboard.press("ArrowRight")  # back into the gallery
    page.keyboard.press("3")
    app_server.until(where, lambda dataset: dataset["n_label_changes"] == 1)
    listed = app_server.get(f"{in_lists(where)}/rows")["items"]
    assert [k for k, image in enumerate(listed) if image["label"] != image["label_before"]] == [2]
    page.get_by_role("button", name="Keys (?)").focus()
    page.keyboard.press("Control+z")  # has a modifier
    app_server.until(where, lambda dataset: dataset["n_label_changes"] == 0)


def test_the_gallery_gets_the_focus_with_its_tab_and_after_a_filter_is_removed_but_takes_it_from_no_field(
    page: "Page", images: Any
) -> None:
    open_page(page, f"/datasets/{images['id']}")
    page.get_by_role("link", name="Images").last.press("Enter")
    page.locator("[role=gridcell]:focus").wait_for()
    search = page.get_by_role("searchbox")
    search.fill("slide")
    page.wait_for_url("**search=slide*")
    page.locator("[role=gridcell]").first.wait_for()
    assert search.evaluate("(field) => field === document.activeElement")
    page.get_by_role("button", name="Remove the filter").press("Enter")
    page.locator("[role=gridcell]:focus").wait_for()


@pytest.mark.exhaustive
def test_single_keys_correct_predictions_only_while_the_list_has_the_focus(page: "Page", stock: Stock) -> None:
    rows = f"lists/{stock.prediction}/rows"
    before = [row["correction"] for row in stock.app.get(rows)["items"]]
    open_page(page, f"/predictions/{stock.prediction}?show=all&sort=position")
    page.locator("[role=gridcell][data-index='0']:focus").wait_for()  # at once
    page.keyboard.press("ArrowRight")
    page.locator("[role=gridcell][aria-selected=true]:focus").wait_for()
    page.get_by_role("checkbox", name="Go to the next one").focus()
    for key in ("1", "?", ",", "Delete"):
        page.keyboard.press(key)
    assert page.get_by_role("dialog").count() == 0
    page.get_by_role("button", name="? Keys").click()
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("1")
    assert [row["correction"] for row in stock.app.get(rows)["items"]] == before


def test_the_keyboard_moves_the_picture_in_the_viewer(page: "Page", images: Any) -> None:
    open_page(page, f"/datasets/{images['id']}")
    page.locator("a[href$='?tab=images']").first.click()
    page.get_by_role("gridcell").first.dblclick()
    viewer = page.get_by_role("dialog")
    image = viewer.locator(".tiles[data-drawn=true][data-x]")
    image.wait_for()
    viewer.get_by_text("1 of 24").wait_for()

    def place() -> tuple[float, float]:
        return float(image.get_attribute("data-x") or "nan"), float(image.get_attribute("data-y") or "nan")

    def moved(*keys: str) -> tuple[float, float]:
        """Press a key for each axis, and wait until the image has moved."""
        for axis, key in zip("xy", keys, strict=True):
            before = image.get_attribute(f"data-{axis}")
            page.keyboard.press(f"Shift+{key}")
            viewer.locator(f".tiles:not([data-{axis}='{before}'])").wait_for()
        return place()

    before = place()
    x, y = moved("ArrowRight", "ArrowDown")
    assert (x < before[0], y < before[1]) == (True, True)
    assert moved("ArrowLeft", "ArrowUp") == before
    page.keyboard.press("ArrowRight")
    viewer.get_by_text("2 of 24").wait_for()
    address = page.url
    page.evaluate("history.back()")
    viewer.wait_for(state="hidden")
    assert page.url == address


@pytest.mark.exhaustive
def test_an_image_is_opened_by_touch(browser: "Browser", app_server: RunningApp, images: Any) -> None:
    context = browser.new_context(base_url=app_server.address, has_touch=True, viewport={"width": 800, "height": 1000})
    page = context.new_page()
    open_page(page, f"/datasets/{images['id']}?tab=images")
    cell = page.get_by_role("gridcell").first
    cell.tap()
    cell.tap()
    page.get_by_role("dialog").wait_for()
    context.close()


def test_images_are_named_with_their_class_and_probability(page: "Page", stock: Stock) -> None:
    row = stock.app.get(f"lists/{stock.prediction}/rows?sort=probability&limit=1")["items"][0]
    percent = f"{100 * row['probability']:.1f}%"
    for form in ("", "&form=list"):
        open_page(page, f"/predictions/{stock.prediction}?show=all&sort=probability{form}")
        name = f"{row['image_id']}, predicted as {row['predicted']}, {percent}"
        page.get_by_role("gridcell", name=name).wait_for()
    mistake = stock.app.get(f"lists/{stock.folds}/rows?only=misclassified&sort=-probability&limit=1")["items"][0]
    open_page(page, f"/runs/{stock.folds}?tab=images")
    label, predicted = mistake["label"], mistake["predicted"]
    name = f"{mistake['image_id']}, labeled {label}, predicted as {predicted}, probability "
    page.get_by_role("gridcell", name=name).wait_for()


def test_a_failure_is_an_alert_and_other_messages_are_not(page: "Page", app_server: RunningApp, images: Any) -> None:
    open_page(page, f"/datasets/{images['id']}?tab=images")
    page.locator("[role=gridcell]:focus").wait_for()
    page.keyboard.press("1")
    page.get_by_role("status").get_by_text("No image is selected").wait_for()
    assert page.get_by_role("alert").count() == 0
    page.route("**/changes", lambda route: route.abort())
    page.get_by_role("gridcell").first.click()
    page.keyboard.press("3")
    page.get_by_role("alert").get_by_text("does not answer").first.wait_for()
    page.unroute_all()
