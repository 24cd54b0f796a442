"""Predictions looked through with the keys alone, quickly, and while more of them come."""

import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import QUICK, STREAM, RunningApp, open_page, send_stories
from drawing import write_cells

from coverslip.runs.folder import Run

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow

CLASSES = ("large", "medium", "small")
N_BROKEN = 130  # more than come at once
ROWS = "**/lists/*/row-ids?*"
CORRECTIONS = "**/rows/*/correction"


@dataclass(frozen=True)
class Review:
    app: RunningApp
    prediction: str

    @property
    def rows(self) -> list[dict[str, object]]:
        items: list[dict[str, object]] = self.app.get(f"lists/{self.prediction}/rows?limit=500")["items"]
        return items

    def corrections(self, n: int = 4) -> list[object]:
        return [row["correction"] for row in self.rows[:n]]

    def until_corrected(self, page: "Page", expected: list[object]) -> None:
        end = time.monotonic() + 20
        while (corrections := self.corrections(len(expected))) != expected:
            assert time.monotonic() < end, corrections
            page.wait_for_timeout(100)  # requests that a test delays go on meanwhile

    def open(self, page: "Page", show: str = "all") -> None:
        open_page(page, f"/predictions/{self.prediction}?show={show}&sort=position")
        page.locator("[role=gridcell][data-index='0']:focus").wait_for()


@pytest.fixture(scope="module")
def predicted(app_server: RunningApp) -> Review:
    """A few cells whose class is known for sure, and many files that are no images."""
    app = app_server
    cells = app.opened(write_cells(app.root / "cells to review", 30, classes=CLASSES))
    run = app.trained(cells["id"], QUICK)
    new = write_cells(app.root / "new to review", 6, is_sorted=False, seed=3)
    for k in range(N_BROKEN):
        (new / f"z{k:03d}.png").write_bytes(b"no image")
    plain = app.opened(new, is_labeled=False)
    return Review(app, app.predicted(run, plain["id"]))


@pytest.fixture
def review(predicted: Review) -> Review:
    """The same without any correction."""
    for row in predicted.rows:
        if row["correction"] is not None or row["excluded"] is not None:
            path = f"lists/{predicted.prediction}/rows/{row['row_id']}/correction"
            predicted.app.send(path, {"label": None}, "PUT")
    return predicted


def others(review: Review, n: int) -> list[str]:
    """For each of the first images a class that it was not called."""
    return [next(name for name in CLASSES if name != row["decision"]) for row in review.rows[:n]]


def slowly(route: "Route") -> None:
    time.sleep(0.3)
    route.continue_()


@pytest.mark.exhaustive
def test_quick_keys_correct_one_image_each_and_are_undone_and_redone_in_turn(page: "Page", review: Review) -> None:
    review.open(page)
    page.route(CORRECTIONS, slowly)
    labels = others(review, 3)
    page.keyboard.press("1")
    page.get_by_role("status").get_by_text("Nothing is selected").wait_for()
    assert review.corrections() == [None] * 4
    page.keyboard.press("ArrowRight")
    for label in labels:
        page.keyboard.press(str(1 + CLASSES.index(label)))
    page.get_by_role("link", name="Reviewed 3").wait_for()
    assert review.corrections() == [*labels, None]
    for _ in range(2):
        page.keyboard.press("Control+z")
    page.get_by_role("link", name="Reviewed 1").wait_for()
    assert review.corrections() == [labels[0], None, None, None]
    page.keyboard.press("Control+Shift+z")
    review.until_corrected(page, [*labels[:2], None, None])
    page.keyboard.press("Control+z")
    review.until_corrected(page, [labels[0], None, None, None])
    page.keyboard.press("Home")
    page.keyboard.press("Delete")
    review.until_corrected(page, [None] * 4)


@pytest.mark.exhaustive
def test_a_key_stays_with_its_image_if_that_is_chosen(page: "Page", review: Review) -> None:
    review.open(page)
    first, second = (name for name in CLASSES if name != review.rows[0]["decision"])
    goes_on = page.get_by_role("checkbox", name="Go to the next one")
    goes_on.uncheck()
    page.keyboard.press("ArrowRight")
    for label in (first, second):
        page.keyboard.press(str(1 + CLASSES.index(label)))
    review.until_corrected(page, [second, None, None, None])
    goes_on.check()
    page.keyboard.press("ArrowLeft")  # stays at the first one
    page.keyboard.press(str(1 + CLASSES.index(first)))
    page.locator("[role=gridcell][data-index='1'][aria-selected=true]").wait_for()
    review.until_corrected(page, [first, None, None, None])


@pytest.mark.exhaustive
def test_the_key_of_the_predicted_class_confirms_a_decided_image_too(page: "Page", review: Review) -> None:
    k = next(k for k, row in enumerate(review.rows) if row["decision"] in CLASSES)
    label = review.rows[k]["decision"]
    review.open(page)
    for _ in range(k + 1):
        page.keyboard.press("ArrowRight")
    page.keyboard.press(str(1 + CLASSES.index(label)))
    review.until_corrected(page, [label if other == k else None for other in range(4)])


@pytest.mark.exhaustive
def test_a_correction_that_could_not_be_kept_is_reported_and_not_undone(page: "Page", review: Review) -> None:
    is_cut_off = False
    # From the beginning: a route that comes later may let the request pass that is made next.
    page.route(CORRECTIONS, lambda route: route.abort() if is_cut_off else route.continue_())
    review.open(page)
    labels = others(review, 2)
    key = [str(1 + CLASSES.index(label)) for label in labels]
    page.keyboard.press("ArrowRight")
    page.keyboard.press(key[0])
    page.get_by_role("link", name="Reviewed 1").wait_for()
    is_cut_off = True
    page.keyboard.press(key[1])
    page.get_by_text("does not answer").first.wait_for()
    is_cut_off = False
    assert review.corrections() == [labels[0], None, None, None]
    page.keyboard.press("Control+z")
    review.until_corrected(page, [None] * 4)


@pytest.mark.exhaustive
def test_what_needs_the_eye_gets_less_and_none_is_skipped(page: "Page", review: Review) -> None:
    before = review.app.get(f"jobs/{review.prediction}")["n_review"]
    assert before >= N_BROKEN
    review.open(page, "review")
    rows = page.get_by_role("gridcell")
    names = [rows.nth(k).get_attribute("title") for k in range(3)]
    page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("1")
    page.get_by_role("link", name=f"Needs review {before - 3}").wait_for()
    assert [rows.nth(k).get_attribute("title") for k in range(3)] == names  # until the list is loaded again
    shown: set[str] = set()
    for k in range(0, before, 4):
        page.locator(f"[role=gridcell][data-index='{min(before - 1, k + 3)}'][title]").wait_for()
        shown |= set(rows.evaluate_all("(all) => all.map((one) => one.title)"))
        for _ in range(4):
            page.keyboard.press("ArrowRight")
    assert len(shown) == before
    review.open(page, "review")
    assert rows.first.get_attribute("title") not in names
    open_page(page, "/predict")
    page.get_by_role("row", name="new to review").get_by_text(str(before - 3)).wait_for()


def hear_of_rows(page: "Page", n: int) -> None:
    """Let the page listen so many times to a stream that ends with word of new rows."""
    for _ in range(n):
        with page.expect_request(STREAM):
            pass


@pytest.mark.exhaustive
def test_the_image_under_the_keys_stays_while_others_come(page: "Page", review: Review) -> None:
    state = {**review.app.get(f"jobs/{review.prediction}"), "state": "running"}
    send_stories(page, review.prediction, *({**state, "n_done": n} for n in (1, state["n_done"])))
    page.route(f"**/api/v1/jobs/{review.prediction}?kind=predict", lambda route: route.fulfill(json=state))
    requests: list[str] = []
    have_all_come = False

    def answer(route: "Route") -> None:  # at first as if three of the images were not there yet
        requests.append(route.request.url)
        response = route.fetch()
        route.fulfill(response=response, body=response.body()[0 if have_all_come else 12 :])

    page.route(ROWS, answer)
    review.open(page)
    page.get_by_text(re.compile("predicting$")).wait_for()
    third = review.rows[3]
    page.keyboard.press("ArrowRight")  # the first of those that are shown
    have_all_come = True
    page.get_by_role("gridcell", name=str(review.rows[0]["image_id"])).wait_for()  # they have come
    page.locator("[role=gridcell][data-index='3'][aria-selected=true]:focus").wait_for()  # with its focus
    label = next(name for name in CLASSES if name != third["decision"])
    page.keyboard.press(str(1 + CLASSES.index(label)))
    review.until_corrected(page, [None, None, None, label])
    page.keyboard.press("Enter")  # the one after it; while it is open no rows are asked for
    viewer = page.get_by_role("dialog")
    viewer.get_by_text(str(review.rows[4]["image_id"])).first.wait_for()
    viewer.locator(".tiles[data-sharp=true]").wait_for()
    hear_of_rows(page, 4)  # what was under way before comes to its end
    n_requests = len(requests)
    hear_of_rows(page, 8)
    assert len(requests) == n_requests
    page.keyboard.press("Escape")
    page.locator("[role=gridcell][data-index='4']:focus").wait_for()
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.exhaustive
def test_corrections_join_the_training_set_and_it_is_trained_again(page: "Page", review: Review) -> None:
    prediction = review.app.get(f"jobs/{review.prediction}")
    run = review.app.get(f"jobs/{prediction['run_id']}")
    before = review.app.get(f"datasets/{run['dataset_id']}")
    review.open(page)
    label = others(review, 1)[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press(str(1 + CLASSES.index(label)))
    page.keyboard.press(",")
    page.keyboard.press(".")
    page.get_by_role("link", name="Reviewed 3").wait_for()
    assert page.locator(".badge[title=corrected]").count() == 1
    assert page.locator(".badge[title=excluded]").count() == 2
    excluded = [row["excluded"] for row in review.rows[:4]]
    assert excluded == [None, "none-of-these", "unusable", None]
    page.get_by_role("button", name="Add corrections").click()

    def answer_late(route: "Route") -> None:  # what changes elsewhere makes the page ask for all datasets meanwhile
        with page.expect_request("**/api/v1/datasets?*"):
            review.app.opened(write_cells(review.app.root / "others", 6))
        route.continue_()

    page.route(f"**/api/v1/datasets/{run['dataset_id']}", answer_late, times=1)
    page.get_by_role("button", name="Add and retrain").click()
    page.wait_for_url("**/runs/*")
    page.unroute_all(behavior="ignoreErrors")
    second_run = review.app.ended(f"jobs/{page.url.rpartition('/')[2]}")
    assert (second_run["state"], second_run["repeats_run"]) == ("done", run["id"])
    after = review.app.get(f"datasets/{run['dataset_id']}")
    assert (after["n_images"], after["n_labeled"]) == (before["n_images"] + 1, before["n_labeled"] + 1)
    # Of the training: an image that it lacked, and no label of its own.
    trained = {"id": second_run["id"], "name": f"{run['name']}, images added"}
    changes = review.app.get(f"runs/{run['id']}/image-changes")
    assert (changes["n_added"], changes["n_relabeled"], changes["n_removed"]) == (1, 0, 0)
    assert changes["trained"] == trained
    assert [each["name"] for each in after["classes"]] == [each["name"] for each in before["classes"]]
    old, new = (Run(Path(each["folder"])).split for each in (run, second_run))
    tested = [sorted(Path(row.path).name for row in rows if row.split == "test") for rows in (old, new)]
    assert tested[0] == tested[1]
    assert Counter(row.split for row in new) - Counter(row.split for row in old) == {"train": 1}
    meanings = [reason["meaning"] for reason in review.app.get(f"jobs/{second_run['id']}/results")["reasons"]]
    assert [meaning for meaning in meanings if f"No test image is from {prediction['name']}." in meaning]
    page.locator("[role=status], [role=alert]").get_by_role("button", name="Undo").click()
    page.wait_for_url(f"**/datasets/{run['dataset_id']}")
    n_images = review.app.ended(f"datasets/{run['dataset_id']}")["n_images"]
    assert n_images == before["n_images"]


@pytest.mark.exhaustive
def test_the_selection_stays_while_a_long_list_is_scrolled(page: "Page", review: Review) -> None:
    with page.expect_response("**/lists/*/sheet?*") as sheet:
        review.open(page)
    assert sheet.value.ok
    last = len(review.rows) - 1
    cells = page.get_by_role("gridcell")
    page.keyboard.press("ArrowRight")
    selected = page.locator("[role=gridcell][aria-selected=true]")
    page.get_by_role("grid").evaluate("(grid) => grid.scrollTo(0, grid.scrollHeight)")
    page.locator(f"[role=gridcell][data-index='{last}']").wait_for()
    assert (selected.get_attribute("data-index"), selected.evaluate("(cell) => cell.matches(':focus')")) == ("0", True)
    for key, index in (("End", last), ("ArrowLeft", last - 1), ("Home", 0)):
        page.keyboard.press(key)
        page.locator(f"[role=gridcell][data-index='{index}'][aria-selected=true]:focus").wait_for()
        assert selected.count() == 1
    assert cells.count() < N_BROKEN  # only those in sight, and the selected one


@pytest.mark.exhaustive
def test_arrow_keys_select_images_after_a_filter_was_clicked(page: "Page", review: Review) -> None:
    review.open(page)
    page.get_by_role("navigation", name="Show").get_by_role("link", name="All images").click()
    label = others(review, 1)[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press(str(1 + CLASSES.index(label)))
    review.until_corrected(page, [label, None, None, None])


@pytest.mark.exhaustive
def test_enter_on_a_link_elsewhere_is_the_links(page: "Page", review: Review) -> None:
    review.open(page)
    page.get_by_role("navigation", name="Show").get_by_role("link", name="Needs review").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**show=review*")
    assert page.get_by_role("dialog").count() == 0
    page.get_by_role("searchbox").focus()
    page.keyboard.type("1")
    assert review.corrections() == [None] * 4


def test_a_click_selects_an_image_that_was_searched_for_and_a_double_click_opens_it(
    page: "Page", review: Review
) -> None:
    review.open(page)
    row = review.rows[0]
    page.get_by_role("searchbox").press_sequentially(str(row["image_id"]))
    page.get_by_role("gridcell").nth(1).wait_for(state="detached")
    cell = page.get_by_role("gridcell", name=str(row["image_id"]))
    cell.click()
    label = others(review, 1)[0]
    page.keyboard.press(str(1 + CLASSES.index(label)))
    review.until_corrected(page, [label, None, None, None])
    assert page.get_by_role("dialog").count() == 0
    cell.dblclick()
    page.get_by_role("dialog").wait_for()


def test_a_prediction_in_the_queue_says_what_it_waits_for(page: "Page", review: Review) -> None:
    state = {**review.app.get(f"jobs/{review.prediction}"), "state": "queued", "n_done": 0}
    send_stories(page, review.prediction, state)
    page.route(f"**/api/v1/jobs/{review.prediction}?kind=predict", lambda route: route.fulfill(json=state))
    page.route(ROWS, lambda route: route.fulfill(body=b""))
    page.goto(f"/predictions/{review.prediction}")
    page.get_by_text("Waiting in the queue.").wait_for()
