"""Results of runs in the browser: a short summary, tabs with a verdict each, and comparisons with their conclusion."""

from typing import TYPE_CHECKING

import pytest
from browser import QUICK, Stock, open_page, use_no_worker
from clipping import clipped_text
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

TABS = (
    *(
        "metrics",
        "confusion",
        "misclassified",
        "threshold",
        "curves",
        "calibration",
        "data",
        "label-errors",
        "evaluations",
    ),
    *("evaluations", "training", "details"),
)
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


def test_a_misclassified_image_of_the_summary_opens_among_all_of_them_with_the_keyboard(
    page: "Page", stock: Stock
) -> None:
    mistake = stock.app.get(f"lists/{stock.folds}/rows?only=misclassified&sort=-probability&limit=1")["items"][0]
    open_page(page, f"/runs/{stock.folds}")
    page.get_by_role("link", name=f"Enlarge {mistake['image_id']},").press("Enter")
    viewer = page.get_by_role("dialog")
    viewer.get_by_title(mistake["image_id"]).wait_for()
    viewer.locator(".tiles[data-sharp=true]").wait_for()
    page.keyboard.press("Escape")
    viewer.wait_for(state="hidden")
    page.wait_for_url(f"**/runs/{stock.folds}?tab=misclassified")
    page.go_back()
    page.get_by_role("heading", name="Limitations").wait_for()


@pytest.mark.exhaustive
def test_the_words_below_a_misclassified_image_of_the_summary_open_it(page: "Page", stock: Stock) -> None:
    open_page(page, f"/runs/{stock.folds}")
    words = page.locator("aside li .number").first.bounding_box()
    assert words is not None
    page.mouse.click(words["x"] + 4, words["y"] + words["height"] / 2)
    page.get_by_role("dialog").wait_for()


@pytest.mark.exhaustive
def test_a_misclassified_image_is_opened_by_a_double_click_and_a_correction_there_changes_its_label(
    page: "Page", stock: Stock
) -> None:
    mistake = stock.app.get(f"lists/{stock.folds}/rows?only=misclassified&sort=-probability&limit=1")["items"][0]
    open_page(page, f"/runs/{stock.folds}?tab=misclassified")
    page.get_by_role("gridcell").first.dblclick()
    viewer = page.get_by_role("dialog")
    label = viewer.locator("dt", has_text="Labeled").locator("+ dd")
    expect(label).to_contain_text(mistake["label"])
    other = viewer.locator("[role=group] button[aria-pressed=false]").first
    name = other.inner_text().strip()
    other.click()
    expect(label.locator("> *").first).to_contain_text(name)
    viewer.get_by_role("button", name="Remove the correction").click()
    expect(label.locator("> *").first).to_contain_text(mistake["label"])


@pytest.mark.exhaustive
def test_a_cell_of_a_wide_confusion_matrix_that_has_the_keyboard_is_not_beneath_names_or_totals(
    page: "Page", stock: Stock
) -> None:
    open_page(page, f"/runs/{stock.run}?tab=confusion")
    page.set_viewport_size({"width": 460, "height": 800})
    cells = page.locator("[data-cell^='0-']")
    expect(page.locator(".scroll.wider")).to_have_count(1)
    names, totals = page.locator("tbody th").first.bounding_box(), page.locator("td.total").first.bounding_box()
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
    open_page(page, f"/runs/{stock.run}?tab=confusion")
    page.set_viewport_size({"width": 340, "height": 800})
    total = page.locator("td.total").first
    total.wait_for()
    box = page.locator(".scroll", has=total).first
    assert box.evaluate("box => box.scrollWidth > box.clientWidth")
    expect(page.locator(".scroll.wider")).to_have_count(1)
    place = total.bounding_box()
    assert place is not None
    assert place["x"] + place["width"] <= 340


def test_a_confusion_links_to_its_images(page: "Page", stock: Stock) -> None:
    open_page(page, f"/runs/{stock.folds}")
    page.get_by_role("region", name="Most frequent confusions").get_by_role("link").first.click()
    page.wait_for_url(f"**/runs/{stock.folds}?tab=misclassified&label=*&predicted=*")
    page.get_by_role("gridcell").first.wait_for()


def test_an_image_that_was_relabeled_elsewhere_gets_its_label_back(page: "Page", stock: Stock) -> None:
    row = stock.app.get(f"lists/{stock.folds}/rows?only=misclassified")["items"][0]
    stock.app.send(f"datasets/{stock.images}/changes", {"images": [row["image_id"]], "label": row["predicted"]})
    open_page(page, f"/runs/{stock.folds}?tab=misclassified&image={row['row_id']}")
    classes = page.get_by_role("dialog").get_by_role("group", name=f"Correct {row['image_id']}")
    with page.expect_response("**/correction"):
        classes.get_by_role("button", name=row["label"]).click()
    assert stock.app.get(f"lists/{stock.folds}/rows?only=corrected")["items"] == []


@pytest.mark.exhaustive
def test_the_summary_fits_on_two_screens_and_every_tab_opens_with_a_verdict(page: "Page", stock: Stock) -> None:
    use_no_worker(page)
    open_page(page, f"/runs/{stock.run}")
    page.get_by_role("heading", name="Limitations").wait_for()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.documentElement.scrollHeight") <= 2 * 800
    results = stock.app.get(f"jobs/{stock.run}/results")
    (numbers,) = (section for section in results["sections"] if section["name"] == "numbers")
    primary = next(value for value in numbers["blocks"][0]["metrics"] if value["is_primary"])
    assert f"{primary['value']:.3f}" in page.get_by_label("Key metrics").inner_text()
    assert page.get_by_role("region", name="Limitations").locator("summary").count() == len(results["reasons"])
    check_text(page, "summary")
    for tab in TABS:
        open_page(page, f"/runs/{stock.run}?tab={tab}")
        verdict = page.locator(".verdict")
        verdict.first.wait_for()
        assert verdict.count() == 1, tab
        assert verdict.inner_text().endswith("."), tab
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
    page.wait_for_url(f"**/runs/{stock.run}?tab=evaluations")
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
