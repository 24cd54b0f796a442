"""How far classifiers can be trusted elsewhere, on pages: shares stated, explanations asked for."""

import re
from typing import TYPE_CHECKING

import pytest
from browser import IMAGE_CLASS, LONG_CLASS, QUICK, Stock, open_page

from coverslip.evaluation.prevalence import predictive_values
from coverslip.reports.reported import number

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow


def test_shares_are_stated_where_images_are_predicted_and_reported_beside_the_answers(
    page: "Page", stock: Stock
) -> None:
    open_page(page, f"/predict?classifier={stock.run}")
    page.get_by_text("Expected class proportions").click()
    share = page.get_by_label(re.compile("% of these images")).first
    share.fill("90")
    page.get_by_label("or a dataset in coverslip").select_option(stock.unlabeled)
    page.get_by_role("button", name="Predict", exact=True).click()
    page.get_by_text(re.compile("class proportions: .* 90%")).wait_for()


@pytest.mark.exhaustive
def test_an_explanation_shows_that_it_is_running_and_is_canceled(page: "Page", stock: Stock) -> None:
    open_page(page, f"/predictions/{stock.prediction}?show=all&sort=position")
    page.get_by_role("gridcell").first.dblclick()
    page.get_by_role("button", name="Why this class?").click()
    page.get_by_role("progressbar").first.wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Why this class?").wait_for()
    # The button that was pressed is gone, and with it the focus: keys are the viewer's all the same.
    rows = f"lists/{stock.prediction}/rows"
    answered = [row["row_id"] for row in stock.app.get(rows)["items"] if row["correction"]]
    page.keyboard.press("1")
    changed = stock.app.until(
        rows,
        lambda listing: [
            row["row_id"] for row in listing["items"] if row["correction"] and row["row_id"] not in answered
        ],
    )
    for row in changed["items"]:
        if row["correction"] and row["row_id"] not in answered:
            stock.app.send(f"{rows}/{row['row_id']}/correction", {"label": None}, "PUT")


@pytest.mark.exhaustive
def test_a_request_that_waits_is_dropped_when_its_image_is_left(page: "Page", stock: Stock) -> None:
    # Of the first three images: the first takes long, somebody else requested the second.
    states = ["running", "waiting", "not-requested"]
    canceled: list[int] = []

    def answer(route: "Route") -> None:
        is_start = route.request.method == "POST"  # of the third image
        k = 2 if is_start else int(route.request.url.rpartition(".")[2])
        if is_start:
            states[k] = "waiting"
        values = {"job_id": str(k), "progress": None, "error": None, "fold": None, "seconds": 75.0, "version": "1"}
        route.fulfill(json={"state": states[k], **values})

    def stop(route: "Route") -> None:
        canceled.append(int(route.request.url.split("/")[-2]))
        route.fulfill(json={})

    page.route("**/computations**", answer)
    page.route("**/jobs/*/stop", stop)
    open_page(page, f"/predictions/{stock.prediction}?show=all&sort=position")
    page.get_by_role("gridcell").first.dblclick()
    for _ in range(2):
        page.get_by_text("1 min since the request").wait_for()
        page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Why this class?").click()
    page.get_by_text("1 min since the request").wait_for()
    with page.expect_response("**/jobs/*/stop"):
        page.keyboard.press("ArrowLeft")
    page.unroute_all(behavior="wait")
    assert canceled == [2]  # the first goes on: its checks are those of all images


@pytest.mark.exhaustive
def test_the_time_since_a_request_passes_between_two_answers_of_the_server(page: "Page", stock: Stock) -> None:
    work = {"stage": "x", "title": "Checks", "done": 1, "total": 22, "seconds_left": None}
    state = {"state": "running", "progress": work, "error": None, "fold": None, "seconds": 1.0, "job_id": None}
    page.route("**/computations/explanation/*", lambda route: route.fulfill(json=state))
    open_page(page, f"/predictions/{stock.prediction}?show=all&sort=position")
    page.get_by_role("gridcell").first.dblclick()
    page.get_by_text("1 / 22").wait_for()
    page.get_by_text("4 s since the request").wait_for()
    page.unroute_all(behavior="wait")


@pytest.mark.exhaustive
def test_ppv_and_npv_are_reported_at_the_share_that_is_stated(page: "Page", stock: Stock) -> None:
    recipe = {**QUICK, "classes": {"merge": {"others": [IMAGE_CLASS, LONG_CLASS]}}}
    run = stock.app.trained(stock.images, recipe, "Two classes")
    choices = stock.app.get(f"runs/{run}/thresholds")
    choice = [each for each in choices["choices"] if each["threshold"] >= choices["threshold"] - 1e-9][-1]
    values = predictive_values(choice["sensitivity"], choice["specificity"], 0.01)
    open_page(page, f"/runs/{run}?tab=trust&part=threshold")
    card = page.get_by_role("region", name="Decision threshold", exact=True)
    card.get_by_label(re.compile("^Expected proportion of")).fill("1")
    words = f"At this prevalence, PPV is {number(values.ppv)} and NPV is {number(values.npv)}"
    assert words in card.get_by_text("At this prevalence").inner_text()
