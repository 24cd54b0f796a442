"""The page with the proportions in the samples of a prediction, in a browser."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import Stock, drop, open_page
from playwright.sync_api import expect

from coverslip.reports.reported import number

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.slow


def test_samples_are_chosen_and_their_conditions_are_saved(page: "Page", stock: Stock, tmp_path: Path) -> None:
    page.add_init_script("delete window.SharedWorker")  # its requests are not those of the page
    open_page(page, f"/predictions/{stock.prediction}")
    page.get_by_role("link", name="Proportions by sample").click()
    page.get_by_role("button", name="part of the path").click()
    page.get_by_role("textbox", name="Pattern").fill(r"slide\d+")
    page.get_by_role("button", name="Apply").click()
    page.locator("#samples summary").click()
    samples = page.locator("#samples")
    fields = samples.get_by_role("textbox", name=re.compile("^Condition of slide"))
    fields.nth(1).wait_for()
    n_samples = len(stock.app.get(f"predictions/{stock.prediction}/samples")["summary"]["samples"])
    assert fields.count() == n_samples
    summary = stock.app.get(f"predictions/{stock.prediction}/samples")["summary"]
    for sample, row in zip(summary["samples"], samples.get_by_role("row").all()[1:], strict=True):
        metrics = sample["classes"][summary["classes"][-1]]
        numbers = [metrics["raw"]["value"], metrics["corrected"]["value"], metrics["standard_error"]]
        if metrics["corrected"]["value"] is not None:
            numbers += [metrics["shown"]["low"], metrics["shown"]["high"]]
        assert all(number(value) in row.inner_text() for value in numbers if value is not None)
        counts = [str(n) for n in (sample["n"], metrics["n_decided"], sample["n_uncertain"], sample["n_unfamiliar"])]
        assert [cell for cell in row.get_by_role("cell").all_inner_texts() if cell.strip().isdigit()] == counts
    fields.nth(1).fill("treated")
    page.reload()  # while the field has the focus, before anything is saved
    conditions = page.get_by_role("region", name="Conditions")
    conditions.get_by_text("Saved.").wait_for()
    names = [sample["sample"] for sample in summary["samples"]]

    def saved(**of_samples: str) -> None:
        address = f"predictions/{stock.prediction}/samples"
        stock.app.until(address, lambda body: body["sampling"]["conditions"] == of_samples)

    saved(**{names[1]: "treated"})

    # The server does not respond for a while.
    are_lost = re.compile(r"/api/v1/(predictions/\w+/samples|events)")
    page.route(are_lost, lambda route: route.abort())
    page.locator("#samples summary").click()
    fields.nth(0).fill("control")
    fields.nth(0).press("Tab")
    page.get_by_text("coverslip does not answer").wait_for()
    expect(fields.nth(0)).to_have_value("control")
    page.unroute(are_lost)
    saved(**{names[0]: "control", names[1]: "treated"})
    conditions.get_by_text("Saved.").wait_for()
    fields.nth(0).fill("")
    fields.nth(0).press("Tab")
    saved(**{names[1]: "treated"})
    page.reload()
    treated = conditions.get_by_role("group", name="treated")
    conditions.get_by_role("button", name=names[0], exact=True).drag_to(treated)
    saved(**dict.fromkeys(names[:2], "treated"))
    conditions.get_by_role("button", name=names[2], exact=True).press("Enter")
    conditions.get_by_role("button", name="New condition").press("Enter")
    page.keyboard.type("control")
    page.keyboard.press("Enter")
    saved(**dict.fromkeys(names[:2], "treated"), **{names[2]: "control"})
    result = page.get_by_role("status").filter(has_text="percentage points")
    assert "an interval needs at least 3 samples of each condition" in result.inner_text()
    table = tmp_path / "table.csv"
    table.write_text(f"slide,condition\n{names[0]},control\nslide99,treated\n")
    drop(page, table)
    page.get_by_role("dialog").get_by_role("button", name="Take the conditions").click()
    page.get_by_text("Not among the samples: slide99").wait_for()
    saved(**{names[0]: "control", names[1]: "treated", names[2]: "control"})
    page.get_by_role("button", name="Remove all conditions").click()
    saved()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download for Prism").click()
    assert len(download.value.path().read_text(encoding="utf-8").splitlines()) == 1 + n_samples
    with page.expect_download() as download:
        page.get_by_role("link", name="Download report").click()
    assert download.value.path().read_text(encoding="utf-8").startswith("<!doctype html>")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download table").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + n_samples * len(stock.app.get(f"jobs/{stock.prediction}")["classes"])
    (saved,) = stock.app.workspace.rglob("samples.json")
    saved.write_text("{")
    page.reload()
    page.get_by_role("alert").wait_for()
    page.get_by_role("button", name="Start again").click()
    page.get_by_text("samples.unreadable-1.json").wait_for()
    expect(page.get_by_role("button", name="folder")).to_have_attribute("aria-pressed", "true")
