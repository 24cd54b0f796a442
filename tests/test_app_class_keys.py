"""Keys and marks of classes in a browser: those of the dataset, also where a classifier lacks one of its classes."""

from typing import TYPE_CHECKING

import pytest
from browser import RunningApp, open_page
from drawing import write_cells
from small_workspace import QUICK

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.slow
CLASSES = ("basophil", "eosinophil", "lymphocyte", "monocyte")


def legend_of(buttons: "Locator") -> dict[str, str]:
    """The key of each class that a group of buttons shows."""
    buttons.locator("[data-mark]").first.wait_for()
    return {
        button.locator("[data-mark] + span").inner_text(): button.locator("[data-mark]").get_attribute("data-mark")
        or ""
        for button in buttons.get_by_role("button").filter(has=buttons.page.locator("[data-mark]")).all()
    }


def test_a_key_stores_the_class_of_the_dataset_on_results_and_predictions_of_a_classifier_without_it(
    page: "Page", app_server: RunningApp
) -> None:
    app = app_server
    dataset = app.opened(write_cells(app.root / "without eosinophils", 48, classes=CLASSES))["id"]
    app.send(f"datasets/{dataset}", {"class_plan": {"drop": ["eosinophil"]}}, "PATCH")
    run = app.trained(dataset, QUICK)
    prediction = app.predicted(run, dataset)

    open_page(page, f"/datasets/{dataset}?tab=images")
    legend = legend_of(page.get_by_role("group", name="Label selected images"))
    assert legend == dict(zip(CLASSES, "1234", strict=True))

    open_page(page, f"/runs/{run}?tab=images&show=all&label=basophil&predicted=basophil")
    page.get_by_role("gridcell").first.dblclick()
    buttons = page.get_by_role("group", name="Correct basophil")
    assert legend_of(buttons) == legend
    for name in ("eosinophil", "lymphocyte", "monocyte"):
        with page.expect_response("**/correction"):
            page.keyboard.press(legend[name])
        buttons.get_by_role("button", name=name, pressed=True).wait_for()
        assert [row["correction"] for row in app.get(f"lists/{run}/rows?only=corrected")["items"]] == [name]
        changed = app.get(f"lists/{dataset}/rows?only=changed")["items"]
        assert [image["label"] for image in changed] == [name]

    open_page(page, f"/predictions/{prediction}")
    buttons = page.get_by_role("group", name="Correct the selection")
    assert legend_of(buttons) == {name: key for name, key in legend.items() if name != "eosinophil"}
    page.get_by_role("gridcell").first.click()
    page.keyboard.press(legend["eosinophil"])  # the classifier does not have it
    answers = page.get_by_role("status").locator(".notice")
    answers.get_by_text("does not have the class eosinophil").wait_for()
    with page.expect_response("**/correction"):
        page.keyboard.press(legend["monocyte"])
    corrected = app.get(f"lists/{prediction}/rows?only=corrected")["items"]
    assert [row["correction"] for row in corrected] == ["monocyte"]
    answers.get_by_text(f"{corrected[0]['image_id']}: monocyte").wait_for()
    assert answers.count() == 1
