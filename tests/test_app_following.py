"""Pages keep what was chosen, follow what is changed in other tabs, and outlive the server."""

import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import RunningApp, Stock, open_page
from drawing import save_cells
from small_workspace import new_workspace

from coverslip.workspace.jobs.records import add_job, change_job
from coverslip.workspace.store.rows import activity_of

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.slow


@pytest.mark.exhaustive
def test_choices_for_a_training_are_there_again_after_back(page: "Page", app_server: RunningApp) -> None:
    images = app_server.opened(save_cells(app_server.root / "chosen"))["id"]
    open_page(page, f"/train?dataset={images}")
    page.get_by_label("Name of the training").fill("Once more")
    page.get_by_label("Instant classifier only").check()
    page.get_by_role("link", name="View the images").click()
    page.get_by_role("heading", name="chosen").wait_for()
    page.go_back()
    page.get_by_role("button", name="Start training").wait_for()
    assert page.get_by_label("Name of the training").input_value() == "Once more"
    assert page.get_by_label("Instant classifier only").is_checked()


@pytest.mark.exhaustive
def test_another_tab_shows_what_was_changed_in_this_one(
    page: "Page", context: "BrowserContext", app_server: RunningApp
) -> None:
    images = app_server.opened(save_cells(app_server.root / "two tabs"))["id"]
    other = context.new_page()
    open_page(other, "/datasets")
    open_page(page, f"/datasets/{images}")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("dialog").get_by_label("Name").fill("renamed")
    page.keyboard.press("Enter")
    other.get_by_role("link", name="renamed").wait_for()
    other.close()


@pytest.mark.exhaustive
def test_a_page_shows_what_was_begun_and_ended_by_other_programs(page: "Page", app_server: RunningApp) -> None:
    open_page(page, "/datasets")  # which asks for nothing by itself once all is read
    images = app_server.opened(save_cells(app_server.root / "from elsewhere"), name="From elsewhere")["id"]
    page.get_by_role("link", name="From elsewhere").first.wait_for()
    app_server.send(f"datasets/{images}", method="DELETE")
    page.get_by_role("link", name="From elsewhere").first.wait_for(state="detached")


def test_activity_changes_with_every_step_of_a_job(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    seen = [activity_of(workspace)]
    row = {"kind": "train", "name": "n", "dataset_name": "d", "folder": "/f", "command": [], "choices": {}}
    add_job(workspace, id="j", **row)
    for state in ("started", "ended", "removed"):
        seen.append(activity_of(workspace))
        change_job(workspace, "j", state=state)
    seen.append(activity_of(workspace))
    assert len(set(seen)) == 5
    assert activity_of(workspace) == seen[-1]


@pytest.mark.exhaustive
def test_a_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(
    other_app: Callable[..., RunningApp], other_page: Callable[[RunningApp], "Page"]
) -> None:
    app = other_app()
    page = other_page(app)
    open_page(page, "/datasets")
    app.end()
    page.get_by_role("link", name="Trainings").click()
    banner = page.get_by_role("alert").filter(has_text="coverslip does not answer")
    banner.wait_for()
    app.start()
    banner.wait_for(state="hidden")
    page.get_by_role("alert").wait_for(state="hidden")


@pytest.mark.exhaustive
def test_a_folder_that_is_gone_is_named_everywhere_and_comes_back_or_is_chosen_anew(page: "Page", stock: Stock) -> None:
    folder, elsewhere = (stock.app.workspace.parent / "images" / name for name in ("first clinic", "moved"))
    before = stock.app.get(f"datasets/{stock.images}")
    mistake = stock.app.get(f"runs/{stock.run}/rows?limit=1")["items"][0]
    gone = page.get_by_role("alert").filter(has_text="is missing").filter(has_text=str(folder))
    folder.rename(elsewhere)
    try:
        for path in (f"/datasets/{stock.images}?tab=images", f"/runs/{stock.run}"):
            open_page(page, path)
            gone.wait_for()
        open_page(page, f"/train?dataset={stock.images}")
        gone.wait_for()
        assert page.get_by_role("button", name="Start training").is_disabled()
        elsewhere.rename(folder)
        gone.wait_for(state="hidden")
        page.get_by_role("button", name="Start training").and_(page.locator(":enabled")).wait_for()

        folder.rename(elsewhere)
        open_page(page, f"/runs/{stock.run}")
        page.get_by_role("button", name="Choose the new location").click()
        chooser = page.get_by_role("dialog")
        page.wait_for_function("document.activeElement?.matches('dialog input')")
        chooser.get_by_label("Path of a folder or table").fill(str(elsewhere))
        chooser.get_by_role("button", name="Open this path").click()
        chooser.get_by_text("Sub-folders become classes").wait_for()
        chooser.get_by_role("button", name="Use this folder").click()
        gone.wait_for(state="hidden")
        moved = stock.app.until(f"datasets/{stock.images}", lambda found: found["state"] == "ready")
        assert [domain["name"] for domain in moved["domains"]] == [domain["name"] for domain in before["domains"]]
        assert moved["n_images"] == before["n_images"]
        picture = f"{stock.app.address}api/v1/runs/{stock.run}/rows/{mistake['row_id']}/thumbnail"
        assert urllib.request.urlopen(picture).headers["content-type"] == "image/jpeg"  # a blank one is WebP
    finally:
        if not folder.exists():
            elsewhere.rename(folder)
        sources = [{"path": source["path"], "domain": source["domain"]} for source in before["sources"]]
        stock.app.send(f"datasets/{stock.images}", {"sources": sources}, method="PATCH")
        stock.app.until(f"datasets/{stock.images}", lambda found: found["state"] == "ready")
