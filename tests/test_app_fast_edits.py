"""Forms that save each edit: edits during a save are neither lost nor reverted, however fast a person types."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from browser import Stock, open_page
from drawing import write_cells

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow

SECONDS = 30  # that saves may take on a busy machine


@contextmanager
def slow_saves(page: "Page", address: str, method: str) -> Iterator[Callable[[Callable[[], bool]], None]]:
    """Let all saves wait until the yielded function is called, which answers them until its argument is true."""
    waiting: list[Route] = []

    def wait(route: "Route") -> None:
        if route.request.method == method:
            waiting.append(route)
        else:
            route.continue_()

    def answer_until(is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while waiting or not is_so():
            assert time.monotonic() < end
            if waiting:
                waiting.pop(0).continue_()
            page.wait_for_timeout(20)  # the page sends the next save meanwhile

    page.route(address, wait)
    yield answer_until
    page.unroute(address)


def test_edits_during_a_save_are_not_lost(page: "Page", stock: Stock, request: pytest.FixtureRequest) -> None:
    samples = f"predictions/{stock.prediction}/samples"
    by_slide = {"by": "pattern", "pattern": r"slide\d+"}

    def save_by_slide() -> None:
        replaces = stock.app.get(samples)["sampling"]
        stock.app.send(samples, {"sampling": by_slide, "replaces": replaces}, "PUT")

    save_by_slide()
    open_page(page, f"/{samples}?part=samples")
    fields = page.get_by_role("textbox", name=re.compile("^Condition of slide"))
    fields.nth(1).wait_for()
    n = fields.count()
    typed = {f"slide{k}": f"day {k % 2}" for k in range(n)}
    with slow_saves(page, f"**/{samples}", "PUT") as answer_until:
        fields.first.focus()
        for condition in typed.values():
            page.keyboard.type(condition)
            page.keyboard.press("Tab")
        answer_until(lambda: stock.app.get(samples)["sampling"]["conditions"] == typed)
    assert [fields.nth(k).input_value() for k in range(n)] == list(typed.values())
    save_by_slide()

    folder = write_cells(stock.app.root / request.node.name, 8, classes=("a", "b", "c", "d"))
    dataset = f"datasets/{stock.app.opened(folder)['id']}"

    def classes() -> list[str]:
        return [each["name"] for each in stock.app.get(dataset)["classes"]]

    def set_classes(*names: str) -> None:
        stock.app.send(dataset, {"classes": names}, "PATCH")

    def plan() -> Any:
        return stock.app.get(dataset)["class_plan"]["rename"]

    open_page(page, f"/{dataset}?tab=checks&part=classes")
    with slow_saves(page, f"**/{dataset}", "PATCH") as answer_until:
        set_classes("a", "b", "c", "d", "e")  # by somebody else
        for _ in range(3):
            page.get_by_role("button", name="Move d up").click()
        page.get_by_label("Name of a in training").fill("first")
        page.get_by_role("button", name="Save these classes").click()
        page.get_by_label("Name of b in training").fill("second")
        answer_until(lambda: classes() == ["d", "a", "b", "c", "e"] and plan() == {"a": "first"})
    page.get_by_role("status").get_by_text("saved", exact=False).first.wait_for()
    assert page.get_by_label("Name of b in training").input_value() == "second"

    groups = {"slide0": ["slide0", "slide1"], "slide2": ["slide2", "slide3"], "slide4": ["slide4", "slide5"]}
    stock.app.send(dataset, {"group_pattern": r"slide\d+"}, "PATCH")
    stock.app.send(dataset, {"group_merge": groups}, "PATCH")
    open_page(page, f"/{dataset}?tab=checks&part=groups")
    with slow_saves(page, f"**/{dataset}", "PATCH") as answer_until:
        for name in ("slide0", "slide2"):
            page.get_by_role("button", name=f"Separate the groups that are joined in {name}").click()
        answer_until(lambda: list(stock.app.get(dataset)["groups"]["merge"]) == ["slide4"])

    open_page(page, f"/{dataset}?tab=images")
    page.get_by_role("button", name="New class").click()
    name = page.get_by_label("Name of the new class")
    with slow_saves(page, f"**/{dataset}", "PATCH") as answer_until:
        set_classes("d", "a", "b", "c", "e", "f")  # by somebody else
        for each in ("g", "h"):
            name.fill(each)
            name.press("Enter")
        answer_until(lambda: classes() == ["d", "a", "b", "c", "e", "f", "g", "h"])
    name.wait_for(state="hidden")
