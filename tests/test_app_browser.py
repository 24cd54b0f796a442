"""Every page in a real browser: for everyone, by keyboard, and with nothing from elsewhere."""

from typing import TYPE_CHECKING

import pytest
from browser import RunningApp, check_focus_ring, check_for_everyone, open_page
from drawing import save_cells

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route

pytestmark = pytest.mark.slow

PAGES = ["/", "/nothing/is/here"]  # pages that need no images of their own


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_in_light_and_dark_and_shows_what_has_the_focus(page_for_axe: "Page", path: str) -> None:
    reached = check_for_everyone(page_for_axe, path)
    assert len(reached) >= 5, "the way past the links, the name, and the links"


def test_the_search_of_the_help_is_accessible_and_leads_to_a_section(page_for_axe: "Page") -> None:
    page = page_for_axe

    def search(page: "Page") -> None:
        page.get_by_role("searchbox", name="Search the documentation").fill("estimate leakage")
        page.get_by_role("region", name="Search the documentation").get_by_role("link").first.wait_for()

    check_for_everyone(page, "/help", search)
    page.get_by_role("link", name="Shortcuts and leakage estimate").click()
    page.wait_for_url("**/help/checks#shortcuts-and-leakage-estimate")
    page.get_by_role("heading", name="Shortcuts and leakage estimate").wait_for()


def test_a_ring_that_is_not_there_is_found(page: "Page") -> None:
    open_page(page, "/")
    page.evaluate("document.querySelector('nav a').style.outline = 'none'")
    with pytest.raises(AssertionError, match="do not show"):
        check_focus_ring(page)


def test_the_colors_can_be_chosen_and_stay(page: "Page") -> None:
    open_page(page, "/")
    page.get_by_label("Colors").select_option("dark")
    page.reload()
    assert page.get_by_label("Colors").input_value() == "dark"
    page.get_by_label("Colors").select_option("auto")


def test_links_change_the_page_without_reloading_it(page: "Page") -> None:
    open_page(page, "/")
    page.evaluate("window.isStillThere = true")
    page.get_by_role("navigation").get_by_role("link", name="Trainings").click()
    page.wait_for_url("**/runs")
    assert page.title().startswith(page.get_by_role("heading", level=1).inner_text())
    assert page.evaluate("window.isStillThere")
    page.go_back()
    page.wait_for_url(lambda url: url.endswith("/"))


def test_a_page_stays_until_the_next_one_is_loaded(page: "Page") -> None:
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.route("**/assets/RunsPage-*.js", hold)
    open_page(page, "/")
    title = page.locator("h1").inner_text()
    with page.expect_request("**/assets/RunsPage-*.js"):
        page.get_by_role("navigation").get_by_role("link", name="Trainings").click()
    page.locator("main[aria-busy=true]").wait_for()
    assert (page.locator("h1").inner_text(), page.url.endswith("/runs")) == (title, False)
    for route in held:
        route.continue_()
    page.unroute_all()
    page.get_by_role("heading", name="Trainings", level=1).wait_for()
    page.locator("main[aria-busy=false]").wait_for()
    assert page.url.endswith("/runs")


def test_a_page_that_cannot_be_loaded_says_so_once_and_can_be_reloaded(page: "Page") -> None:
    page.route("**/assets/RunsPage-*.js", lambda route: route.abort())
    open_page(page, "/")
    page.get_by_role("navigation").get_by_role("link", name="Trainings").click()
    page.get_by_role("alert").get_by_role("heading", level=1).wait_for()
    assert page.get_by_role("alert").count() == 1
    page.wait_for_url("**/runs")
    page.unroute_all()
    page.get_by_role("button", name="Reload").click()
    page.get_by_role("heading", name="Trainings", level=1).wait_for()
    assert page.get_by_role("alert").count() == 0


@pytest.mark.exhaustive
def test_the_last_of_two_links_is_followed_whichever_page_is_loaded_first(page: "Page") -> None:
    held: list[Route] = []

    def hold(route: "Route") -> None:
        held.append(route)

    page.route("**/assets/RunsPage-*.js", hold)
    open_page(page, "/")
    with page.expect_request("**/assets/RunsPage-*.js"):
        page.get_by_role("navigation").get_by_role("link", name="Trainings").click()
    page.get_by_role("navigation").get_by_role("link", name="Studies").click()
    page.wait_for_url("**/studies")
    with page.expect_response("**/assets/RunsPage-*.js"):
        for route in held:
            route.continue_()
    page.unroute_all()
    page.get_by_role("heading", name="Studies", level=1).wait_for()
    assert page.url.endswith("/studies")
    page.go_back()
    page.wait_for_url(lambda url: url.endswith("/"))


def test_the_policy_stops_scripts_inside_the_page(context: "BrowserContext") -> None:
    page = context.new_page()
    open_page(page, "/")
    with page.expect_console_message(lambda message: "Content Security Policy" in message.text):
        page.evaluate(
            "document.body.append(Object.assign(document.createElement('script'), {text: 'window.isBad = true'}))"
        )
    assert page.evaluate("window.isBad") is None
    page.close()


@pytest.mark.exhaustive
def test_the_documentation_of_the_api_needs_no_other_server(page: "Page") -> None:
    page.goto("/api/v1/docs")
    page.get_by_text("/api/v1/folders").wait_for()
    page.get_by_role("button", name="get /api/v1/system", exact=False).first.click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    page.get_by_text('"workspace"').first.wait_for()


def test_a_removed_dataset_can_be_restored(page: "Page", app_server: RunningApp) -> None:
    cells = save_cells(app_server.root / "to forget")
    app_server.opened(cells)
    page.goto("/datasets")
    page.get_by_role("button", name="Remove from list: to forget").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove from list").click()
    page.get_by_text("“to forget” was removed from the list.").wait_for()
    page.get_by_role("link", name="to forget").wait_for(state="hidden")
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("link", name="to forget").wait_for()


def test_no_page_says_that_the_checks_found_nothing_before_they_end(page: "Page", app_server: RunningApp) -> None:
    dataset = f"datasets/{app_server.opened(save_cells(app_server.root / 'to check'))['id']}"

    def show(tab: str, *, is_searching: bool) -> None:
        def without_search(route: "Route") -> None:
            response = route.fetch()
            state = {"findings": [], "are_copies_known": False, "is_searching_duplicates": is_searching}
            route.fulfill(response=response, json=response.json() | state)

        page.unroute("**/inspection")
        page.route("**/inspection", without_search)
        open_page(page, f"/{dataset}{tab}")

    praise = page.get_by_text("no problem").or_(page.get_by_text("Yes"))
    for tab in ("", "?tab=checks"):
        show(tab, is_searching=False)  # there are too many images, or the search failed
        page.get_by_text("Near-duplicates were not searched for").wait_for()
        assert praise.count() == 0
        show(tab, is_searching=True)
        searching = page.get_by_role("status").get_by_text("searching for near-duplicates")
        searching.wait_for()
        assert praise.count() == 0
        page.unroute("**/inspection")
        app_server.send(dataset, {"name": f"checked{tab}"}, "PATCH")
        searching.wait_for(state="detached")


@pytest.mark.exhaustive
def test_undo_of_a_label_closes_with_its_page_and_that_of_a_removal_stays(page: "Page", app_server: RunningApp) -> None:
    dataset = app_server.opened(save_cells(app_server.root / "to leave"))
    page.goto(f"/datasets/{dataset['id']}?tab=images")
    page.get_by_role("grid").get_by_role("gridcell").first.click()
    page.keyboard.press("2")
    page.get_by_role("button", name="Undo").wait_for()
    page.get_by_role("link", name="Datasets").first.click()
    page.get_by_role("button", name="Undo").wait_for(state="detached")
    page.get_by_role("button", name="Remove from list: to leave").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove from list").click()
    page.get_by_role("button", name="Undo").wait_for()
    page.get_by_role("link", name="Trainings").click()
    page.get_by_role("heading", name="Trainings", level=1).wait_for()
    assert page.get_by_role("button", name="Undo").count() == 1


@pytest.mark.exhaustive
def test_no_other_set_takes_the_place_of_one_that_cannot_be_trained_on(page: "Page", app_server: RunningApp) -> None:
    app_server.opened(save_cells(app_server.root / "with classes"))
    plain = app_server.opened(save_cells(app_server.root / "without"), is_labeled=False)
    page.goto(f"/train?dataset={plain['id']}")
    page.get_by_role("heading", name="These images have no labels yet").wait_for()
    assert page.get_by_role("button", name="Start training").count() == 0
    for gone in ("forgotten", "&from=some-run"):  # of a training whose dataset was removed
        page.goto(f"/train?dataset={gone}")
        page.get_by_role("heading", name="This dataset is no longer available").wait_for()
    page.get_by_role("button", name="Train on another dataset").click()
    page.get_by_role("button", name="Start training").wait_for()
    page.wait_for_url("**/train?*dataset=*")  # datasets that come later do not take its place
