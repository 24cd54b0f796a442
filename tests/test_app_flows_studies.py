"""Studies in the browser: planned from a preset, changed, started, watched to their end, compared."""

import re
from typing import TYPE_CHECKING

import pytest
from browser import JOB_MS, Stock, open_page, tiny_plan

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.mark.exhaustive
def test_a_study_is_planned_and_its_plan_changed(page: "Page", stock: Stock) -> None:
    open_page(page, "/studies")
    page.get_by_role("link", name="New study").click()
    page.get_by_text("Choose a dataset to see the trainings").wait_for()
    assert page.get_by_role("button", name="Start the study").is_disabled()
    page.get_by_role("checkbox", name="Cells of two clinics").check()
    page.get_by_text("3 trainings, each with 2 folds.").wait_for()
    page.get_by_role("checkbox", name="Small test study").uncheck()
    page.get_by_text("10 trainings, each with 5 folds.").wait_for()
    page.get_by_text("The pretrained weights of these networks are not on this computer").wait_for()
    page.get_by_role("checkbox", name="Small test study").check()
    page.get_by_text("3 trainings, each with 2 folds.").wait_for()

    page.get_by_text("Plan as text").click()
    plan = page.get_by_role("textbox", name="Plan (YAML)")
    start = page.get_by_role("button", name="Start the study")
    plan.fill("models: [resnet18]")
    page.get_by_text("You edited the text of the plan.").wait_for()
    assert start.is_disabled()  # what would start is not what is written
    page.get_by_role("button", name="Discard the edits").click()
    page.get_by_text("You edited the text of the plan.").wait_for(state="hidden")
    assert start.is_enabled()
    assert "resnet18]" not in plan.input_value()
    plan.fill("modells: [x]")
    page.get_by_role("button", name="Use this plan").click()
    page.get_by_text("did you mean 'models'").wait_for()
    assert plan.input_value() == "modells: [x]"
    page.get_by_role("button", name="Reset to the plan of the preset").click()
    page.get_by_text("3 trainings, each with 2 folds.").wait_for()
    assert start.is_enabled()


@pytest.mark.exhaustive
def test_a_study_is_started_watched_and_compared(page: "Page", stock: Stock) -> None:
    open_page(page, "/studies/new")
    page.get_by_role("checkbox", name="Cells of two clinics").check()
    page.get_by_text("3 trainings, each with 2 folds.").wait_for()
    asked = {"preset": "aimic", "dataset_ids": [stock.images], "is_small": True}
    page.get_by_text("Plan as text").click()
    plan = page.get_by_role("textbox", name="Plan (YAML)")
    plan.fill(tiny_plan(stock.app.send("study-preview", asked)["plan_text"]))
    page.get_by_role("button", name="Use this plan").click()
    page.get_by_text("2 trainings.").wait_for()
    page.get_by_role("textbox", name="Name").fill("From the browser")
    page.get_by_role("button", name="Start the study").click()

    page.get_by_role("heading", level=1, name="From the browser").wait_for()
    trainings = page.get_by_role("region", name="Trainings").get_by_role("row")
    trainings.nth(2).wait_for()
    page.get_by_role("columnheader", name="Conclusion").wait_for(timeout=JOB_MS)
    assert trainings.get_by_text("done").count() == 2
    assert page.get_by_role("img", name="of each network on Cells of two clinics").count() == 1
    trainings.get_by_role("link", name="smaller images").click()
    page.get_by_role("link", name="Part of a study").wait_for()
    page.get_by_role("heading", name="Limitations").wait_for()


@pytest.mark.exhaustive
def test_what_a_study_shows_is_said_in_words_and_taken_away(page: "Page", stock: Stock) -> None:
    open_page(page, f"/studies/{stock.study}")
    page.get_by_text("too few splits", exact=True).first.wait_for()  # one split
    with page.expect_download() as taken:
        page.get_by_role("link", name="Table (CSV)").click()
    assert taken.value.path().read_text().startswith("dataset,model,regime")
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("heading", level=1, name="Two networks").wait_for()


def test_classifiers_of_studies_are_folded_away_and_can_be_had(page: "Page", stock: Stock) -> None:
    stock.app.get(f"studies/{stock.study}")  # lists its trainings
    open_page(page, f"/predict?classifier={stock.run}")
    page.get_by_text(re.compile(r"\d+ classifiers of studies")).click()
    page.get_by_role("radio", name="Two networks").first.check()
