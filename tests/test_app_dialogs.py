"""Every dialog with something to fill in can be typed into at once; opening a folder again offers its labels."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import JOB_MS, ROOT, RunningApp, Stock, drop, open_page
from drawing import save_cells, write_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow

Open = Callable[["Page"], None]


def press(name: str) -> Open:
    return lambda page: page.get_by_role("button", name=name, exact=True).first.click()


# Component: the page, how its dialog is opened there, and the field that is typed into.
WITH_FIELDS: dict[str, tuple[str, Open, str]] = {
    "NewClass": ("/datasets/{images}?tab=images", press("New class"), "Name of the new class"),
    "DatasetPage": ("/datasets/{images}", press("Rename"), "Name"),
    "RunPage": ("/runs/{run}", press("Rename"), "Name of the training"),
    "AddImages": ("/", press("Choose a folder"), "Path of a folder or table"),
    "ChangeSources": ("/datasets/{images}", press("Add, rename or remove folders"), "Domain of"),
    "NewEvaluation": (
        "/runs/{run}?tab=trust&part=evaluations",
        press("Evaluate on an external test set …"),
        "Labeled dataset",
    ),
}
WITHOUT = {
    "Clusters",
    "CollectDialog",
    "DropDialog",
    "DownloadTable",
    "DrawPage",
    "ExportObjects",
    "Keys",
    "List",
    "LiveRun",
    "UseCorrections",
}  # images, choices, keys to read, and questions
# Tested as AddImages, where files are overwritten, a folder is removed and a classifier is adapted, and in accounts.
IN_ANOTHER_FILE = {
    "AddImagesDialog",
    "Checks",
    "NewAdaptation",
    "InvitationDialog",
    "MissingFolder",
    "ProjectDialog",
    "UsersPage",
}


@pytest.mark.parametrize(
    "component",
    [
        pytest.param(name, marks=[pytest.mark.exhaustive] * (name not in ("NewClass", "AddImages")))
        for name in WITH_FIELDS
    ],
)
def test_what_is_typed_into_a_dialog_goes_to_its_first_field(page: "Page", stock: Stock, component: str) -> None:
    path, opened, label = WITH_FIELDS[component]
    open_page(page, path.format(images=stock.images, run=stock.run))
    opened(page)
    page.get_by_role("dialog").wait_for()
    page.wait_for_function("document.activeElement?.matches('dialog input, dialog select')")
    name = page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.labels[0].innerText")
    assert name.strip().startswith(label)


def test_every_dialog_is_tested_here() -> None:
    using = {
        file.stem
        for file in (ROOT / "web" / "src").rglob("*.svelte")
        if re.search(r"^ *<Dialog\b", file.read_text(encoding="utf-8"), re.M)
    }
    assert using == WITH_FIELDS.keys() | WITHOUT | IN_ANOTHER_FILE


def test_no_folder_can_be_used_while_another_one_is_listed(page: "Page", app_server: RunningApp) -> None:
    first, second = (save_cells(app_server.root / name) for name in ("listed first", "listed second"))
    requests: list[Route] = []

    def hold(route: "Route") -> None:
        requests.append(route)

    open_page(page, "/")
    press("Choose a folder")(page)
    chooser = page.get_by_role("dialog")
    path = chooser.get_by_label("Path of a folder or table")
    use = chooser.get_by_role("button", name="Use this folder")
    path.fill(str(first))
    path.press("Enter")
    chooser.get_by_text("Sub-folders become classes").wait_for()
    page.route(re.compile("/api/v1/folders"), hold)
    path.fill(str(second))
    with page.expect_request(re.compile("/api/v1/folders")):
        path.press("Enter")
    use.and_(page.locator(":disabled")).wait_for()
    requests[0].continue_()
    use.and_(page.locator(":enabled")).wait_for()
    page.unroute(re.compile("/api/v1/folders"))
    path.fill(str(first))  # typed, and not open yet
    assert use.is_disabled()
    path.blur()
    use.and_(page.locator(":enabled")).wait_for()
    path.fill(str(app_server.root / "nowhere"))
    path.press("Enter")
    chooser.get_by_role("alert").wait_for()
    assert use.is_disabled()


def test_a_folder_lists_classes_only_if_its_labels_are_used(page: "Page", app_server: RunningApp) -> None:
    folder = save_cells(app_server.root / "with or without labels")
    open_page(page, "/")
    press("Choose a folder")(page)
    chooser = page.get_by_role("dialog")
    chooser.get_by_label("Path of a folder or table").fill(str(folder))
    chooser.get_by_label("Path of a folder or table").press("Enter")
    classes = chooser.get_by_text("Sub-folders become classes")
    classes.wait_for()
    chooser.get_by_label("None yet").check()
    classes.wait_for(state="hidden")


@pytest.mark.exhaustive
def test_a_folder_that_is_open_already_is_continued_or_opened_again(page: "Page", app_server: RunningApp) -> None:
    folder = save_cells(app_server.root / "twice")
    first = app_server.opened(folder)

    def choose() -> None:
        open_page(page, "/")
        page.get_by_role("button", name="Choose a folder").click()
        page.get_by_label("Path of a folder or table").wait_for()
        page.keyboard.type(f'"{folder}"')  # as Windows copies paths
        page.keyboard.press("Enter")
        page.get_by_role("dialog").get_by_text("Sub-folders become classes").wait_for()
        page.get_by_role("button", name="Use this folder").click()
        page.get_by_text("These images are already open as the dataset “twice”.").wait_for()

    choose()
    page.get_by_role("button", name="Use this dataset").click()
    page.wait_for_url(f"**/datasets/{first['id']}*")
    choose()
    page.get_by_role("button", name="Open as a new dataset").click()
    page.wait_for_url(re.compile(f"/datasets/(?!{first['id']})"))


def test_a_drop_whose_dialog_cannot_be_loaded_is_an_error(page: "Page", app_server: RunningApp) -> None:
    page.route(re.compile("/assets/DropDialog"), lambda route: route.abort())
    open_page(page, "/")
    for _ in range(2):
        drop(page, save_cells(app_server.root / "cannot be asked"))
        page.get_by_role("alert").get_by_role("button", name="Close").click()


def answers(page: "Page") -> list[str]:
    dialog = page.get_by_role("dialog", name=re.compile("."))
    dialog.locator(".choice").first.wait_for()
    return dialog.locator(".choice strong").all_inner_texts()


def test_what_is_dropped_on_any_page_is_asked_about(page: "Page", stock: Stock, tmp_path: Path) -> None:
    """A folder is predicted, evaluated, added or opened; the likely answer depends on the page."""
    folder = write_cells(tmp_path / "dropped cells", 12)
    (tmp_path / "conditions.csv").write_text("sample,condition\n")
    image = next(folder.rglob("*.png"))
    opened, added = "Open as a new labeled dataset", "Add the images to this dataset"
    predicted = "Predict the images"
    for path, dropped, first in (
        ("/help", folder, opened),
        ("/train", tmp_path / "conditions.csv", "Open the table where it lies"),
        (f"/datasets/{stock.images}", image, added),
        (f"/predictions/{stock.prediction}", image, predicted),
        (f"/runs/{stock.run}", folder, predicted),
    ):
        open_page(page, path)
        drop(page, dropped)
        assert answers(page)[0] == first, path
    page.get_by_role("button", name=predicted).click()
    page.wait_for_url(re.compile(r"/predictions/\w+$"), timeout=JOB_MS)
    prediction = page.url.rpartition("/")[2]
    assert stock.app.ended(f"jobs/{prediction}")["n_done"] == 12

    images = stock.app.opened(write_cells(stock.app.root / "before", 6), name="before")["id"]
    open_page(page, f"/datasets/{images}")
    drop(page, folder)
    with page.expect_response("**/finish"):
        page.get_by_role("button", name=added).click()
    changed = stock.app.until(f"datasets/{images}", lambda body: body["state"] == "ready")
    assert (changed["n_images"], changed["n_labeled"]) == (18, 18)
    assert [source["domain"] for source in changed["sources"]] == [None, "dropped cells"]
