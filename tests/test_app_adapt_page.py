"""From unfamiliar images to a classifier that is adapted to them, by clicks and keys in a real browser."""

from typing import TYPE_CHECKING

import pytest
from browser import RunningApp, open_page
from drawing import write_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow
CLASSES = ("large", "medium", "small")
RECIPE = {"stage": "instant", "image_size": 48, "split": {"folds": 0}}


def test_unfamiliar_images_are_labeled_and_the_classifier_is_adapted_to_them(
    page: "Page", app_server: RunningApp
) -> None:
    home = app_server.opened(write_cells(app_server.root / "home", 150, classes=CLASSES, ground=(0.25, 0.25, 0.3)))
    there = write_cells(app_server.root / "there", 60, classes=CLASSES, ground=(0.6, 0.2, 0.5), is_sorted=False, seed=7)
    new = app_server.opened(there, is_labeled=False)
    run = app_server.trained(home["id"], RECIPE, "At home", with_report=True)
    prediction = app_server.predicted(run, new["id"])
    open_page(page, f"/predictions/{prediction}")
    page.get_by_role("button", name="Adapt to these images").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("None of them has a label").wait_for()  # the images of the prediction
    assert dialog.get_by_role("combobox").input_value() == new["id"]
    # The gallery has a key for each class of the classifier.
    with page.expect_response(lambda response: "only=suggested" in response.url):  # once their features are computed
        dialog.get_by_role("button", name="Label images").click()
    page.wait_for_url("**/datasets/**only=suggested**")
    page.get_by_role("gridcell").first.click()
    names = [each["name"] for each in app_server.get(f"datasets/{new['id']}")["classes"]]
    assert sorted(names) == sorted(CLASSES)
    for _ in range(18):
        name = page.locator("[role=gridcell][aria-selected=true]").first.get_attribute("title") or ""
        kind = CLASSES[int(name.rpartition("_")[2].partition(".")[0]) % 3]
        page.keyboard.press(str(names.index(kind) + 1))
    app_server.until(f"datasets/{new['id']}", lambda dataset: dataset["n_labeled"] == 18)
    page.get_by_role("button", name="Adapt the classifier …").click()
    dialog.get_by_text("18 images of them have a label of a class").wait_for()
    dialog.locator("img").nth(2).wait_for()  # as the classifier sees them
    dialog.get_by_role("button", name="Adapt", exact=True).click()
    page.wait_for_url("**/runs/*")
    adapted = page.url.rpartition("/")[2]
    assert app_server.ended(f"jobs/{adapted}")["state"] == "done"
    page.get_by_text("It was adapted to another laboratory.").first.wait_for()
    # The accuracy there is stated beside external tests, too.
    open_page(page, f"/runs/{adapted}?tab=trust&part=evaluations")
    page.locator("#evaluations").get_by_text("Of 18 labeled images there").wait_for()
    open_page(page, f"/runs/{adapted}")
    # Its next step is to adapt the first classifier again, with further labels.
    page.get_by_role("button", name="Adapt to images from there").click()
    dialog.get_by_text("18 images of them have a label").wait_for()
    assert dialog.get_by_role("combobox").input_value() == new["id"]


def test_after_a_failed_external_test_the_labels_of_classes_are_counted_and_images_can_be_added(
    page: "Page", app_server: RunningApp
) -> None:
    home = app_server.opened(write_cells(app_server.root / "first", 150, classes=CLASSES))
    exchanged, radii = (*CLASSES[1:], CLASSES[0], "odd"), (0.1, 0.2, 0.3, 0.4)
    other = app_server.opened(write_cells(app_server.root / "third", 80, classes=exchanged, radii=radii, seed=8))
    run = app_server.trained(home["id"], RECIPE, "Of three classes")
    test = app_server.send(f"runs/{run}/evaluations", {"dataset_id": other["id"]})
    assert app_server.ended(f"jobs/{test['id']}")["state"] == "done"
    open_page(page, f"/runs/{run}")
    page.get_by_role("button", name="Adapt to images from there").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("60 images of them have a label of a class").wait_for()
    dialog.get_by_text("20 further images are excluded").wait_for()
    dialog.locator("img").nth(2).wait_for()
    assert dialog.get_by_role("button", name="Adapt", exact=True).is_enabled()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Add images to the dataset").click()
    page.get_by_role("dialog", name="Sources").wait_for()
    assert page.url.endswith(f"/datasets/{home['id']}")


def test_a_dataset_without_a_known_label_is_adapted_to_by_matching_alone(page: "Page", app_server: RunningApp) -> None:
    home = app_server.opened(write_cells(app_server.root / "own", 150, classes=CLASSES, ground=(0.25, 0.25, 0.3)))
    foreign = write_cells(app_server.root / "foreign", 60, classes=("a", "b", "c"), ground=(0.6, 0.2, 0.5), seed=7)
    other = app_server.opened(foreign)
    run = app_server.trained(home["id"], RECIPE, "Of own cells")
    prediction = app_server.predicted(run, other["id"])
    open_page(page, f"/predictions/{prediction}")
    page.get_by_role("button", name="Adapt to these images").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("None of them has a label of a class").wait_for()
    dialog.get_by_text("60 further images are used without their labels").wait_for()
    dialog.locator("img").nth(2).wait_for()
    dialog.get_by_role("button", name="Adapt", exact=True).click()
    page.wait_for_url("**/runs/*")
    job = app_server.ended(f"jobs/{page.url.rpartition('/')[2]}")
    assert job["state"] == "done", job["error"]
    assert "adapt-labels-not-used" in [each["code"] for each in job["notes"]]
    rows = app_server.get(f"lists/{other['id']}/rows?limit=100")["items"]
    images = [row["image_id"] for row in rows if row["label"] == "a"]
    assert len(images) > 10
    app_server.send(f"datasets/{other['id']}/changes", {"images": images, "label": CLASSES[0]})
    open_page(page, f"/predictions/{prediction}")
    page.get_by_role("button", name="Adapt to these images").click()
    dialog.get_by_text("Fewer than 10, or of a single class, are not used").wait_for()
    dialog.get_by_text("further images are used without their labels").wait_for()
