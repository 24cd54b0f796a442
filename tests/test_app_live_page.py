"""Live in the gallery, by keys in a real browser: labels predict all others, and are trained and tested."""

from typing import TYPE_CHECKING

import pytest
from browser import JOB_MS, RunningApp, check_accessible, open_page
from drawing import write_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow
CLASSES = ("large", "small")
N = 60


def class_of(name: str) -> str:
    return CLASSES[int(name.rpartition("_")[2].partition(".")[0]) % 2]


def label_next(page: "Page", n: int) -> None:
    """Label the selected image by its key, `n` times; the gallery goes to the next one each time."""
    for _ in range(n):
        name = page.locator("[role=gridcell][aria-selected=true]").first.get_attribute("title")
        assert name is not None
        page.keyboard.press(str(CLASSES.index(class_of(name)) + 1))


def switched_on(page: "Page", app_server: RunningApp, name: str, n: int) -> str:
    """Open images without classes, switch live on, and select the first suggested one; the dataset."""
    images = app_server.opened(
        write_cells(app_server.root / name, n, classes=CLASSES, is_sorted=False), is_labeled=False
    )
    at = f"datasets/{images['id']}"
    app_server.send(at, {"classes": CLASSES}, "PATCH")
    open_page(page, f"/{at}?tab=images")
    page.get_by_role("button", name="Switch live on").click()
    page.get_by_role("button", name="Suggest images", exact=True).wait_for(timeout=120_000)
    with page.expect_response(lambda answer: "sort=suggested" in answer.url):
        page.get_by_role("button", name="Suggest images", exact=True).click()
    suggested = app_server.get(f"lists/{images['id']}/rows?only=suggested&sort=suggested")["items"]
    page.locator(f"[data-index='0'][title='{suggested[0]['path']}']").click()
    return str(images["id"])


def test_sixty_labels_become_a_classifier_that_is_tested_on_the_reserved_images(
    page: "Page", app_server: RunningApp
) -> None:
    dataset = switched_on(page, app_server, "tested", 150)
    at, live_at = f"datasets/{dataset}", f"computations/live/{dataset}"
    assert page.get_by_role("button", name="Train and test").is_disabled()
    label_next(page, 60)
    app_server.until(at, lambda dataset: dataset["n_labeled"] == 60)
    listed = app_server.get(f"lists/{dataset}/rows?only=reserved&limit=500")["items"]
    tested = {image["row_id"] for image in listed if image["label"] is not None}
    state = app_server.get(live_at)
    assert len(tested) == state["n_reserved_labeled"] < state["n_reserved"] < 60

    def train_small(route: "Route") -> None:
        body = route.request.post_data_json
        route.continue_(post_data=body | {"recipe": body["recipe"] | {"image_size": 32, "tta": 1}})

    page.route("**/api/v1/runs", train_small)  # for time
    page.get_by_role("button", name="Train and test").click()
    page.wait_for_url("**/runs/*")
    page.get_by_role("link", name="Label test images").wait_for(timeout=JOB_MS)
    run = page.url.rpartition("/")[2].partition("?")[0]
    of_test = app_server.get(f"lists/{dataset}/rows?run={run}&part=test&limit=500")["items"]
    assert {image["row_id"] for image in of_test} == tested
    results = app_server.get(f"jobs/{run}/results")
    assert results["metrics"]["n"] == results["n_reserved_labeled"] == len(tested)
    assert "folds" not in results["metrics"]
    # Folds would test images that were selected.
    assert not page.get_by_role("link", name="Cross-validate").is_visible()
    page.get_by_role("link", name="Label test images").click()
    page.get_by_text(f"{len(listed) - len(tested)} images").wait_for()


def test_a_few_keys_predict_all_other_images(page_for_axe: "Page", app_server: RunningApp) -> None:
    page = page_for_axe
    dataset = switched_on(page, app_server, "live", N)
    at = f"datasets/{dataset}"
    label_next(page, 16)
    page.locator(".ring.predicted").first.wait_for()
    app_server.until(at, lambda dataset: dataset["n_labeled"] == 16)
    state = app_server.get(f"computations/live/{dataset}")
    n_tested = min(8, state["n_reserved"])  # every second image is one of the test set
    assert (state["estimate"]["n"], state["n_fitted"]) == (n_tested, 16 - n_tested)
    page.get_by_text(f"{state['estimate']['n_right']} of {n_tested} random test images right").wait_for()
    check_accessible(page)

    # An order stays while images are labeled, until it is renewed.
    page.get_by_role("button", name="Least certain first", exact=True).click()
    page.get_by_text("44 images").wait_for()
    page.get_by_role("gridcell").first.click()
    names = [cell.get_attribute("title") for cell in page.get_by_role("gridcell").all()[:8]]
    label_next(page, 4)
    app_server.until(at, lambda dataset: dataset["n_labeled"] == 20)
    assert [cell.get_attribute("title") for cell in page.get_by_role("gridcell").all()[:8]] == names
    page.get_by_role("button", name="Renew the order").click()
    page.get_by_text("40 images").wait_for()

    page.get_by_role("button", name="Switch off").click()
    page.get_by_role("button", name="Switch live on").wait_for()
    assert app_server.get(f"computations/live/{dataset}")["n_reserved"] > 0
