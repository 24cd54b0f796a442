"""The page on which a classifier is exported for other programs."""

from typing import TYPE_CHECKING

import pytest
from browser import JOB_MS, RunningApp, check_for_everyone, open_page
from clipping import clipped_text
from small_workspace import QUICK, write_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run_with_page(app_server: RunningApp) -> str:
    dataset = app_server.opened(write_cells(app_server.root / "to export"), group_pattern=r"slide\d+")
    return app_server.trained(dataset["id"], QUICK, "To export")


@pytest.mark.exhaustive
def test_a_classifier_is_exported_downloaded_and_deleted_on_its_page(page: "Page", run_with_page: str) -> None:
    open_page(page, f"/runs/{run_with_page}?tab=use&part=exports")
    page.get_by_role("radio", name="ONNX").check()
    page.get_by_role("button", name="Export", exact=True).dblclick()  # one export
    row = page.get_by_role("table").get_by_role("row").filter(has_text="ONNX")
    download = row.get_by_role("link", name="Download ZIP of the ONNX export")
    download.wait_for(timeout=JOB_MS)
    assert "100%" in row.inner_text()
    with page.expect_download() as saving:
        download.click()
    assert saving.value.suggested_filename.endswith("-onnx.zip")
    row.get_by_role("button", name="Delete the ONNX export").click()
    row.wait_for(state="hidden")
    page.get_by_role("button", name="Undo").click()
    download.wait_for()


@pytest.mark.exhaustive
def test_the_page_of_exports_is_for_everyone_at_any_width(
    page_for_axe: "Page", app_server: RunningApp, run_with_page: str
) -> None:
    app_server.exported(run_with_page)
    check_for_everyone(page_for_axe, f"/runs/{run_with_page}?tab=use&part=exports")
    page_for_axe.get_by_role("link", name="Download ZIP of the ONNX export").wait_for()
    for width in (800, 1280, 1920):
        page_for_axe.set_viewport_size({"width": width, "height": 800})
        assert clipped_text(page_for_axe) == []
