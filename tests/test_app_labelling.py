"""Labeling in the gallery and the viewer, in a real browser."""

from typing import TYPE_CHECKING, Any

import pytest
from browser import RunningApp, open_page
from drawing import write_cells
from image_sets import in_lists

if TYPE_CHECKING:
    from playwright.sync_api import FloatRect, Locator, Page

pytestmark = pytest.mark.slow


@pytest.fixture
def images(app_server: RunningApp, request: pytest.FixtureRequest) -> Any:  # Any: JSON
    folder = write_cells(app_server.root / request.node.name, 24, classes=("large", "medium", "small"))
    return app_server.opened(folder)


def test_no_image_is_labeled_before_one_is_selected(page: "Page", app_server: RunningApp, images: Any) -> None:
    open_page(page, f"/datasets/{images['id']}?tab=images")
    classes = page.get_by_role("group", name="Label selected images")
    button = classes.get_by_role("button", name="small")
    page.get_by_role("gridcell").first.wait_for()
    assert button.is_disabled()
    page.keyboard.press("3")
    page.get_by_role("status").get_by_text("No image is selected").wait_for()
    assert app_server.get(f"datasets/{images['id']}")["n_label_changes"] == 0

    page.get_by_role("gridcell").nth(1).click()
    button.click()
    app_server.until(f"datasets/{images['id']}", lambda dataset: dataset["n_label_changes"] == 1)
    listed = app_server.get(f"lists/{images['id']}/rows")["items"]
    assert [k for k, image in enumerate(listed) if image["label"] != image["label_before"]] == [1]


def box_of(locator: "Locator") -> "FloatRect":
    box = locator.bounding_box()
    assert box is not None
    return box


def lower_edge(locator: "Locator") -> float:
    box = box_of(locator)
    return box["y"] + box["height"]


def test_each_labeling_key_answers_with_image_and_class_and_neither_moves_nor_covers_images(
    page: "Page", app_server: RunningApp
) -> None:
    images = app_server.opened(write_cells(app_server.root / "answers", 24, classes=("large", "medium", "small")))
    first, second = (each["image_id"] for each in app_server.get(f"lists/{images['id']}/rows?limit=2")["items"])
    open_page(page, f"/datasets/{images['id']}?tab=images")
    gallery, notices = page.get_by_role("grid"), page.get_by_role("status").locator(".notice")
    page.get_by_role("gridcell").first.click()
    before = box_of(gallery)
    for key, answer in (
        ("3", f"{first}: small"),
        ("2", f"{second}: medium"),
        ("Control+z", f"{second}: large"),
        ("Control+z", f"{first}: large"),
        ("Control+Shift+Z", f"{first}: small"),
    ):
        page.keyboard.press(key)
        notices.get_by_text(answer).wait_for()
        assert notices.count() == 1
        assert box_of(gallery) == before
        assert lower_edge(notices) <= before["y"]
    page.keyboard.press("Delete")
    notices.get_by_text(f"{first}: No class").wait_for()  # which offers to suggest images, in a line above the gallery

    page.get_by_role("gridcell").first.dblclick()
    viewer = page.get_by_role("dialog")
    stage = viewer.locator(".middle")
    stage.wait_for()
    before = box_of(stage)
    page.keyboard.press("2")
    viewer.locator(".notice").get_by_text("medium").wait_for()
    assert box_of(stage) == before
    assert lower_edge(viewer.locator(".notice")) <= before["y"]


def test_all_matching_images_but_one_are_labeled_and_undone(page: "Page", app_server: RunningApp, images: Any) -> None:
    where = f"datasets/{images['id']}"
    n = next(each["n"] for each in images["classes"] if each["name"] == "medium")
    open_page(page, f"/datasets/{images['id']}?tab=images&class=medium")
    cells = page.get_by_role("gridcell")
    cells.nth(n - 1).wait_for()
    cells.first.click()
    page.keyboard.press("Control+a")
    cells.nth(1).click(modifiers=["Control"])
    left = app_server.get(f"{in_lists(where)}/rows?label=medium")["items"][1]["row_id"]
    page.keyboard.press("3")
    app_server.until(where, lambda dataset: dataset["n_label_changes"] == n - 1)
    assert [image["row_id"] for image in app_server.get(f"{in_lists(where)}/rows?label=medium")["items"]] == [left]
    page.keyboard.press("Control+z")
    app_server.until(where, lambda dataset: dataset["n_label_changes"] == 0)


def test_the_notice_of_a_label_that_changed_nothing_undoes_no_earlier_change(
    page: "Page", app_server: RunningApp, images: Any
) -> None:
    where = f"datasets/{images['id']}"
    open_page(page, f"/{where}?tab=images&class=medium")
    cells = page.get_by_role("gridcell")
    cells.nth(2).click()
    page.keyboard.press("3")
    app_server.until(where, lambda dataset: dataset["n_label_changes"] == 1)
    cells.first.click()
    cells.nth(1).click(modifiers=["Shift"])
    with page.expect_response(lambda response: response.request.method != "GET" and "changes" in response.url):
        page.keyboard.press("2")  # both are medium
    page.get_by_role("status").get_by_role("button", name="Undo").wait_for(state="detached")
    assert app_server.get(where)["n_label_changes"] == 1


@pytest.mark.exhaustive
def test_arrow_keys_select_images_after_a_filter_was_clicked(page: "Page", images: Any) -> None:
    open_page(page, f"/datasets/{images['id']}?tab=images&class=medium")
    page.get_by_role("button", name="Remove the filter").click()
    cells = page.get_by_role("gridcell")
    cells.nth(23).wait_for()
    for k in (0, 1):
        page.keyboard.press("ArrowRight")
        page.locator(f"[role=gridcell][aria-selected=true][data-index='{k}']").wait_for()


def test_the_next_image_is_selected_after_a_relabeled_and_an_answered_one_left_the_list(
    page: "Page", app_server: RunningApp, images: Any
) -> None:
    first = [image["image_id"] for image in app_server.get(f"lists/{images['id']}/rows?limit=4")["items"]]
    app_server.send(f"datasets/{images['id']}/changes", {"images": first, "is_confirmed": True})
    open_page(page, f"/datasets/{images['id']}?tab=images&only=confirmed")
    cells = page.get_by_role("gridcell")
    cells.first.click()
    names = [cells.nth(k).get_attribute("aria-label") for k in range(4)]
    page.keyboard.press("3")
    page.locator("[role=gridcell][aria-selected=true][data-index='1']").wait_for()
    page.keyboard.press(";")
    cells.nth(2).wait_for(state="detached")
    selected = page.locator("[role=gridcell][aria-selected=true]")
    selected.wait_for()
    assert [selected.get_attribute("aria-label"), cells.nth(1).get_attribute("aria-label")] == names[2:]


@pytest.mark.exhaustive
def test_the_class_list_of_the_viewer_is_not_squeezed_by_what_stands_below_it(page: "Page", images: Any) -> None:
    page.set_viewport_size({"width": 1280, "height": 640})  # display and file facts do not fit below the classes
    open_page(page, f"/datasets/{images['id']}?tab=images")
    page.get_by_role("gridcell").first.dblclick()
    classes = page.get_by_role("dialog").get_by_role("group", name="Label this image")
    classes.get_by_role("button").nth(4).wait_for()
    page.get_by_role("dialog").get_by_text("File size").wait_for()
    height, content = classes.evaluate("(list) => [list.clientHeight, list.scrollHeight]")
    assert height == content
