"""Results of runs in the browser: the result, images and their labels, and comparisons with their conclusion."""

from itertools import chain, product
from typing import TYPE_CHECKING

import pytest
from browser import QUICK, Stock, open_page, use_no_worker
from clipping import clipped_text
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

PARTS = ("evaluations", "metrics", "calibration", "curves", "data", "threshold", "training")
WIDTHS = (800, 1280, 1920)


def check_text(page: "Page", path: str) -> None:
    """No text is cut off or drawn over other text at any width."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        assert clipped_text(page) == [], f"{path} at {width} px"
    page.set_viewport_size({"width": 1280, "height": 800})


def test_text_that_is_cut_off_or_overlaps_is_found(page: "Page") -> None:
    open_page(page, "/runs")
    assert clipped_text(page) == []
    page.evaluate("""() => {
      document.querySelector('main h1').style.cssText = 'width: 9px; overflow: hidden; white-space: nowrap';
      const over = Object.assign(document.createElement('p'), {textContent: 'over the heading'});
      over.style.cssText = 'position: absolute; left: 0; top: 0';
      const under = Object.assign(document.createElement('p'), {textContent: 'under it'});
      under.style.cssText = 'position: absolute; left: 4px; top: 4px';
      document.querySelector('main').append(over, under);
    }""")
    faults = clipped_text(page)
    assert [fault.partition(":")[0] for fault in faults] == ["cut off", "overlap"], faults


def test_a_cell_opens_its_images_whose_labels_are_corrected_and_confirmed(page: "Page", stock: Stock) -> None:
    row = stock.app.get(f"lists/{stock.folds}/rows?only=misclassified&sort=-probability&limit=1")["items"][0]
    results = stock.app.get(f"jobs/{stock.folds}/results")
    classes, examples = results["metrics"]["classes"], results["examples"]
    cells = {example: cell for cell, example in zip(product(classes, repeat=2), chain(*examples), strict=True)}
    cells.pop(None, None)
    shown = stock.app.get(f"lists/{stock.folds}/rows?rows={','.join(map(str, cells))}")["items"]
    assert {each["row_id"]: (each["label"], each["predicted"]) for each in shown} == cells
    open_page(page, f"/runs/{stock.folds}")
    name = f"{row['label']} predicted as {row['predicted']}: "
    cell = page.get_by_role("table", name="Confusion matrix").get_by_role("button", name=name)
    expect(cell.locator("img")).to_have_count(1)
    cell.press("Enter")
    page.wait_for_url(f"**/runs/{stock.folds}?tab=images&show=all&label=*&predicted=*")
    tile = page.get_by_role("gridcell", name=row["image_id"])
    tile.click()
    side = page.locator(".rail")

    def saved() -> tuple[str | None, bool]:
        (now,) = stock.app.get(f"lists/{stock.folds}/rows?rows={row['row_id']}")["items"]
        return now["correction"], now["is_confirmed"]

    with page.expect_response("**/correction"):
        side.get_by_role("button", name="Change label to").click()
    expect(tile.locator(".badge")).to_have_attribute("data-sign", "✎")
    assert saved() == (row["predicted"], False)
    form = page.context.new_page()
    link = page.get_by_role("link", name="Train again with these changes").get_attribute("href")
    open_page(form, f"{stock.app.address}{link}")
    form.get_by_text("1 label corrected").wait_for()
    form.close()
    with page.expect_response("**/correction"):
        side.get_by_role("button", name="Remove the correction").click()
    expect(tile.locator(".badge")).to_have_count(0)
    is_correct = side.get_by_role("button", name="Label is correct")
    with page.expect_response("**/changes"):
        is_correct.click()
    expect(tile.locator(".badge")).to_have_attribute("data-sign", "✓")
    assert saved() == (None, True)
    expect(is_correct).to_have_attribute("aria-pressed", "true")
    with page.expect_response("**/changes"):
        tile.press(";")
    expect(tile.locator(".badge")).to_have_count(0)
    assert saved() == (None, False)


@pytest.mark.exhaustive
def test_suspected_label_errors_of_all_images_are_corrected_and_confirmed_in_the_same_list(
    page: "Page", stock: Stock
) -> None:
    from coverslip.pipeline import label_errors

    label_errors(stock.app.get(f"jobs/{stock.folds}")["folder"])
    errors = stock.app.get(f"computations/label-errors/{stock.folds}")
    rows = f"lists/{stock.images}/rows?only=suspected&run={stock.folds}"
    images = {image["image_id"]: image["label"] for image in stock.app.get(rows)["items"]}
    assert len(images) == errors["n_suspected"] > 0
    issue = next(each for each in errors["images"] if each["image_id"] in images)
    open_page(page, f"/runs/{stock.folds}?tab=images&show=suspected")
    expect(page.get_by_role("gridcell")).to_have_count(len(images))
    page.get_by_role("gridcell", name=issue["image_id"]).click()
    with page.expect_response("**/changes"):
        page.locator(".rail").get_by_role("button", name=f"Change label to “{issue['suggested']}”").click()
    changed = stock.app.get(f"lists/{stock.images}/rows?only=changed")["items"]
    assert [(each["image_id"], each["label"]) for each in changed] == [(issue["image_id"], issue["suggested"])]
    with page.expect_response("**/changes"):
        page.locator(".rail").get_by_role("button", name="Remove the correction").click()
    assert stock.app.get(f"lists/{stock.images}/rows?only=changed")["items"] == []
    with page.expect_response("**/changes"):
        page.locator(".rail").get_by_role("button", name="Label is correct").click()
    confirmed = stock.app.get(f"lists/{stock.images}/rows?only=confirmed")["items"]
    assert [each["image_id"] for each in confirmed] == [issue["image_id"]]
    page.get_by_role("gridcell", name=issue["image_id"]).press(";")
    stock.app.until(f"lists/{stock.images}/rows?only=confirmed", lambda body: body["items"] == [])


def test_an_image_is_tried_on_the_page_of_its_classifier_and_not_kept(page: "Page", stock: Stock) -> None:
    file = next(file for file in sorted((stock.app.root / "new").glob("slide*.png")))
    n_predictions = stock.app.get("predictions")["total"]
    open_page(page, f"/runs/{stock.run}")
    with page.expect_response("**/predict") as answered:
        page.locator("main input[type=file]").set_input_files(file)
    (predicted,) = answered.value.json()["predictions"]
    tried = page.get_by_role("dialog").get_by_role("status")
    expect(tried.get_by_role("row")).to_have_count(3)
    first = tried.get_by_role("row").first.inner_text()
    assert f"{100 * max(predicted['probabilities'].values()):.1f}%" in first
    assert stock.app.get("predictions")["total"] == n_predictions
    assert list((stock.app.workspace / "classifying").glob("*")) == []


@pytest.mark.exhaustive
def test_a_cell_of_a_wide_confusion_matrix_that_has_the_keyboard_is_not_beneath_names_or_totals(
    page: "Page", stock: Stock
) -> None:
    open_page(page, f"/runs/{stock.folds}")
    page.set_viewport_size({"width": 260, "height": 800})
    box = page.locator(".scroll.wider")
    expect(box).to_have_count(1)
    cells = box.locator("[data-cell^='0-']")
    names, totals = box.locator("tbody th").first.bounding_box(), box.locator("td.total").first.bounding_box()
    assert names is not None
    assert totals is not None
    cells.first.focus()
    for key, k in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        place = cells.nth(k).bounding_box()
        assert place is not None
        assert names["x"] + names["width"] - 1 <= place["x"], k
        assert place["x"] + place["width"] <= totals["x"] + 1, k


@pytest.mark.exhaustive
def test_totals_of_a_confusion_matrix_stay_in_sight_where_it_scrolls(page: "Page", stock: Stock) -> None:
    open_page(page, f"/runs/{stock.folds}")
    page.set_viewport_size({"width": 260, "height": 800})
    box = page.locator(".scroll.wider")
    expect(box).to_have_count(1)
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    total = box.locator("td.total").first
    place = total.bounding_box()
    assert place is not None
    assert place["x"] + place["width"] <= 260


def test_an_image_that_was_relabeled_elsewhere_gets_its_label_back(page: "Page", stock: Stock) -> None:
    row = stock.app.get(f"lists/{stock.folds}/rows?only=misclassified")["items"][0]
    stock.app.send(f"datasets/{stock.images}/changes", {"images": [row["image_id"]], "label": row["predicted"]})
    open_page(page, f"/runs/{stock.folds}?tab=images&show=misclassified")
    page.get_by_role("gridcell", name=row["image_id"]).dblclick()
    classes = page.get_by_role("dialog").get_by_role("group", name=f"Correct {row['image_id']}")
    with page.expect_response("**/correction"):
        classes.get_by_role("button", name=row["label"]).click()
    assert stock.app.get(f"lists/{stock.folds}/rows?only=corrected")["items"] == []


@pytest.mark.exhaustive
def test_the_result_fits_on_two_screens_and_the_parts_of_trust_begin_with_a_verdict(page: "Page", stock: Stock) -> None:
    use_no_worker(page)
    open_page(page, f"/runs/{stock.run}")
    limits = page.get_by_role("region", name="Limitations")
    limits.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollHeight") <= 2 * 800
    results = stock.app.get(f"jobs/{stock.run}/results")
    (numbers,) = (section for section in results["sections"] if section["name"] == "numbers")
    primary = next(value for value in numbers["blocks"][0]["metrics"] if value["is_primary"])
    assert f"{primary['value']:.3f}" in page.get_by_label("Key metrics").inner_text()
    n_notes = sum(reason["severity"] == "note" for reason in results["reasons"])
    assert limits.locator("summary").count() == len(results["reasons"]) + (n_notes > 0)
    check_text(page, "result")
    for part in PARTS:
        open_page(page, f"/runs/{stock.run}?tab=trust&part={part}")
        opened = page.locator("main details[open]").first
        opened.wait_for()
        assert opened.locator("summary p, .verdict").first.inner_text().endswith("."), part
        page.wait_for_load_state("networkidle")
        check_text(page, part)
    for tab in ("images", "images&show=suspected", "use", "use&part=recipe"):
        open_page(page, f"/runs/{stock.run}?tab={tab}")
        page.wait_for_load_state("networkidle")
        check_text(page, tab)


@pytest.mark.exhaustive
def test_a_comparison_opens_with_its_conclusion_and_shows_the_images_that_changed(page: "Page", stock: Stock) -> None:
    recipe = {**QUICK, "split": {"run": stock.app.get(f"jobs/{stock.run}")["folder"]}}
    other = stock.app.trained(stock.images, recipe, "Same split")
    compared = stock.app.get(f"comparison?run_id={stock.run}&run_id={other}")
    open_page(page, f"/compare?runs={stock.run},{other}")
    assert page.get_by_role("region", name="Conclusion").locator(".verdict").inner_text() == compared["conclusion"]
    pair, changed = compared["sections"][0], compared["rows"][1]["changed"]
    (headline, *_) = (block["rows"] for block in pair["blocks"] if block["rows"])
    assert page.get_by_role("table").first.get_by_role("row").count() == 1 + len(headline)
    for kind, name in (("to-right", "Misclassified → correct"), ("to-wrong", "Correct → misclassified")):
        n = sum(image["change"] == kind for image in changed["images"])
        assert n == changed[f"n_{kind.replace('-', '_')}"]
        if n:
            page.get_by_role("grid", name=name).get_by_role("gridcell").first.wait_for()
    check_text(page, "compare")


def test_the_next_step_opens_its_tab_or_a_training_in_folds(page: "Page", stock: Stock) -> None:
    assert stock.app.get(f"jobs/{stock.run}/results")["action"] == "test-more"
    open_page(page, f"/runs/{stock.run}")
    page.get_by_role("link", name="Test on other images").click()
    datasets = page.get_by_role("dialog").get_by_role("combobox", name="Labeled dataset")
    datasets.locator("option[disabled]", has_text="no labels").first.wait_for(state="attached")
    page.wait_for_url(f"**/runs/{stock.run}?tab=trust&part=evaluations")
    page.keyboard.press("Escape")
    page.go_back()
    page.get_by_role("link", name="Cross-validate in 5 folds (up to 6 times as long)").click()
    page.wait_for_url("**/train?**")
    page.get_by_text("5 folds: each image is a test image once").wait_for()
    assert stock.app.get(f"jobs/{stock.folds}/results")["action"] == "test-more"
    open_page(page, f"/runs/{stock.folds}")
    page.get_by_role("link", name="Test on other images").wait_for()
    assert page.get_by_role("link", name="Cross-validate").count() == 0


def test_the_list_of_trainings_has_the_verdict_as_text(page: "Page", stock: Stock) -> None:
    headline = stock.app.get(f"jobs/{stock.run}")["headline"]
    assert headline["use"] != "yes"
    open_page(page, "/runs")
    expect(page.get_by_role("row", name="Fine-tuned")).to_contain_text(headline["verdict"])
    check_text(page, "/runs")
