"""The page of a spot check, in a browser: keys label one image after another, and the result follows."""

from typing import TYPE_CHECKING

import pytest
from browser import Stock, open_page
from drawing import write_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow


def test_images_are_labeled_by_keys_and_the_work_continues_later(page: "Page", stock: Stock) -> None:
    address = f"lists/{stock.prediction}/draw"
    stock.app.send(address, method="DELETE")
    open_page(page, f"/predictions/{stock.prediction}")
    page.get_by_role("link", name="Spot check").click()
    needed = page.get_by_role("region", name="Number of labels for an interval")
    needed.get_by_role("rowheader", name="Accuracy").wait_for()
    page.get_by_role("spinbutton", name="Images of each condition").fill("4")
    page.get_by_role("button", name="Draw images").click()

    page.get_by_role("img", name="Image 1 of 4").wait_for()
    page.locator("[data-mark='1']").wait_for()  # before, keys have no meaning
    rows = [image["row_id"] for image in stock.app.get(address)["images"]]
    predicted = {row["row_id"]: row for row in stock.app.get(f"lists/{stock.prediction}/rows")["items"]}
    shown = page.locator("main").inner_text()
    assert all(predicted[row]["image_id"] not in shown for row in rows)  # the name of a file may tell its class
    page.keyboard.press("1")
    page.get_by_role("img", name="Image 2 of 4").wait_for()
    with page.expect_response(lambda response: response.request.method == "PUT"):
        page.keyboard.press(".")
    page.get_by_role("img", name="Image 3 of 4").wait_for()

    page.reload()  # the next day
    page.get_by_role("img", name="Image 3 of 4").wait_for()
    page.locator("[data-mark='1']").wait_for()
    first, second = stock.app.get(address)["images"][:2]
    assert first["label"] == stock.app.get(address)["classes"][0]
    assert second["excluded"] == "unusable"
    page.keyboard.press("ArrowLeft")
    page.get_by_role("img", name="Image 2 of 4").wait_for()
    page.keyboard.press("Backspace")
    page.keyboard.press("2")
    page.get_by_role("img", name="Image 3 of 4").wait_for()
    page.keyboard.press("3")
    page.get_by_role("img", name="Image 4 of 4").wait_for()
    page.keyboard.press("1")
    page.get_by_role("region", name="Accuracy on these images").get_by_role("rowheader", name="all samples").wait_for()
    assert [image["made"] is not None for image in stock.app.get(address)["images"]] == [True] * 4
    page.get_by_role("button", name="Remove spot check").click()
    question = page.get_by_role("dialog", name="Remove spot check")
    question.get_by_role("button", name="Cancel").click()
    assert len(stock.app.get(address)["images"]) == 4
    page.get_by_role("button", name="Remove spot check").click()
    question.get_by_role("button", name="Remove spot check").click()
    page.get_by_role("button", name="Draw images").wait_for()
    assert stock.app.get(address)["images"] == []


def test_an_answer_that_is_being_saved_stays_while_other_people_work(page: "Page", stock: Stock) -> None:
    address = f"lists/{stock.prediction}/draw"
    stock.app.send(address, method="DELETE")
    stock.app.send(address, {"n": 4})
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.route("**/draw/rows/**", hold)
    open_page(page, f"/predictions/{stock.prediction}/spot-check")
    page.get_by_role("img", name="Image 1 of 4").wait_for()
    page.locator("[data-mark='1']").wait_for()  # before, keys have no meaning
    page.keyboard.press("1")
    page.get_by_role("img", name="Image 2 of 4").wait_for()
    assert len(held) == 1
    with page.expect_response(f"**/jobs/{stock.prediction}?kind=predict"):  # the page hears of the new dataset
        stock.app.opened(write_cells(stock.app.root / "of somebody else", 4))
    with page.expect_response(f"**/{address}") as reloaded:
        held[0].continue_()
    assert reloaded.value.json()["images"][0]["label"] == reloaded.value.json()["classes"][0]
    page.unroute("**/draw/rows/**")
    stock.app.send(address, method="DELETE")
