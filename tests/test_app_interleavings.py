"""Several people label one dataset at once, over slow connections: every label was given, and none is refused."""

import csv
import io
import json
import random
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest
from browser import RunningApp, open_page
from drawing import write_cells
from image_sets import in_lists
from parameters import only_first

if TYPE_CHECKING:
    from playwright.sync_api import APIResponse, BrowserContext, Page, Request, Route

pytestmark = pytest.mark.slow

CLASSES = ("large", "medium", "small")  # in the order of their keys
VIEWS = ({}, {"class": "medium"}, {"class": "small", "sort": "label"}, {"only": "changed"}, {"search": "slide1"})
N_IMAGES, N_STEPS = 24, 25
SECONDS = 30  # that responses may take on a busy machine
# Records what a person sees when a class key is pressed: before the page handles the key, the names of the selected
# images, and how many the page says are selected.
RECORD_KEYS = """
localStorage.setItem('coverslip.author', AUTHOR);
window.presses = [];
addEventListener('keydown', (event) => {
  if (!'123'.includes(event.key) || !event.target.closest('[role=grid]')) return;
  const cells = [...document.querySelectorAll('[role=gridcell][aria-selected=true]')];
  const status = document.querySelector('.bar .status strong');
  window.presses.push({
    key: Number(event.key),
    selected: cells.map((cell) => cell.title),
    count: status ? Number(status.textContent.match(/[0-9]+/)[0]) : 0,
  });
}, true);
"""
CLICK = """([index, ctrlKey]) => {
  const cell = document.querySelector(`[role=gridcell][data-index="${index}"]`);
  cell?.dispatchEvent(new MouseEvent('click', { bubbles: true, ctrlKey }));
  cell?.focus();
}"""


@dataclass
class Annotator:
    """A browser whose list requests wait until the test answers them, in part with the list as it was before."""

    name: str
    page: "Page"
    chance: random.Random
    waiting: list[tuple["Route", "APIResponse | None"]] = field(default_factory=list)
    n_requests: int = 0  # that change labels
    statuses: list[int] = field(default_factory=list)  # of their responses

    def start(self, where: str) -> None:
        self.page.add_init_script(RECORD_KEYS.replace("AUTHOR", json.dumps(self.name)))
        self.page.on("request", self.sent)
        self.page.on("response", lambda answer: self.answered(answer.request, answer.status))
        open_page(self.page, f"/{where}?tab=images")
        self.page.locator("[role=gridcell][title]").nth(N_IMAGES - 1).wait_for()
        self.page.route("**/rows*", self.delay)

    def sent(self, request: "Request") -> None:
        self.n_requests += is_change(request)

    def answered(self, request: "Request", status: int) -> None:
        if is_change(request):
            self.statuses.append(status)

    def delay(self, route: "Route") -> None:
        """Let a list wait: its request, or its response, which then is older than changes in the meantime."""
        self.waiting.append((route, route.fetch() if self.chance.random() < 0.5 else None))

    def answer_a_list(self) -> None:
        route, answer = self.waiting.pop(self.chance.randrange(len(self.waiting)))
        if answer is None:
            route.continue_()
        else:
            route.fulfill(response=answer)

    def show(self, view: dict[str, str]) -> None:
        """Show other images, as the back button does."""
        address = urlencode({"tab": "images", **view})
        self.page.evaluate(
            "query => { history.pushState(null, '', `${location.pathname}?${query}`); "
            "dispatchEvent(new PopStateEvent('popstate')); }",
            address,
        )

    def act(self) -> None:
        """Do one of the things that a person does quickly, without waiting for the effect of the one before."""
        cells = self.page.get_by_role("gridcell")
        n = cells.count()
        match self.chance.choice(("show", "select", "add", "all", "all", "key", "key", "key", "list", "list")):
            case "show":
                self.show(self.chance.choice(VIEWS))
            case "select" if n:
                self.press_cell(self.chance.randrange(n), is_added=False)
            case "add" if n:
                self.press_cell(self.chance.randrange(n), is_added=True)
            case "all":
                self.page.keyboard.press("Control+a")
            case "key":
                self.page.keyboard.press(self.chance.choice("123"))
            case "list" if self.waiting:
                self.answer_a_list()

    def press_cell(self, k: int, *, is_added: bool) -> None:
        """Click a cell, if it is still there."""
        self.page.evaluate(CLICK, [k, is_added])

    def settle(self) -> None:
        """Answer all lists, until every change of labels has its response."""
        end = time.monotonic() + SECONDS
        while self.waiting or len(self.statuses) < self.n_requests:
            assert time.monotonic() < end
            if self.waiting:
                self.answer_a_list()
            self.page.wait_for_timeout(20)  # the handlers above run meanwhile


def is_change(request: "Request") -> bool:
    return request.method == "POST" and request.url.endswith("/changes")


@dataclass(frozen=True)
class Press:
    """A class key, and the images that were selected when it was pressed."""

    label: str
    images: frozenset[str]


def presses_of(annotator: Annotator) -> list[Press]:
    """The keys of a person, in order. The page names each selected image, and says how many there are."""
    presses = annotator.page.evaluate("window.presses")
    for press in presses:
        assert press["count"] == len(press["selected"]), press
    return [Press(CLASSES[press["key"] - 1], frozenset(press["selected"])) for press in presses]


def changes_of(app: RunningApp, where: str) -> dict[str, list[Press]]:
    """The changes of labels of each person, in order."""
    with urllib.request.urlopen(f"{app.address}api/v1/{where}/download/label-changes", timeout=30) as answer:
        table = list(csv.DictReader(io.StringIO(answer.read().decode("utf-8-sig"))))
    name_of = {each["image_id"]: each["path"] for each in app.get(f"{in_lists(where)}/rows")["items"]}
    changes: dict[str, list[Press]] = {}
    by_change: dict[tuple[str, str, str], set[str]] = {}
    for row in table:
        by_change.setdefault((row["made_by"], row["made"], row["label"]), set()).add(name_of[row["image_id"]])
    for (author, _, label), names in by_change.items():
        changes.setdefault(author, []).append(Press(label, frozenset(names)))
    return changes


@pytest.mark.parametrize("n_interleavings", only_first(1, (5, 50)))
def test_every_label_was_given_by_a_key_while_its_image_was_selected(
    page: "Page",
    context: "BrowserContext",
    app_server: RunningApp,
    n_interleavings: int,
    record_property: Callable[[str, object], None],
) -> None:
    assert context.browser is not None
    folder = write_cells(app_server.root / f"interleavings {n_interleavings}", N_IMAGES, classes=CLASSES)
    second_context = context.browser.new_context(base_url=app_server.address, viewport={"width": 1280, "height": 800})
    n_changes = n_refused = 0
    try:
        pages = {"Ada": page, "Eve": second_context.new_page()}
        where = f"datasets/{app_server.opened(folder)['id']}"
        annotators = [Annotator(name, each, random.Random(name)) for name, each in pages.items()]
        for annotator in annotators:
            annotator.start(where)
        for seed in range(n_interleavings):
            chance = random.Random(seed)
            for annotator in annotators:
                annotator.chance.seed(f"{seed} {annotator.name}")
            for _ in range(N_STEPS):
                chance.choice(annotators).act()
            for annotator in annotators:
                annotator.settle()
        changes = changes_of(app_server, where)
        for annotator in annotators:
            presses = iter(presses_of(annotator))
            for change in changes[annotator.name]:
                # Each change is that of a later key. It may contain fewer images: others had the label already.
                matches = (p for p in presses if p.label == change.label and change.images <= p.images)
                assert next(matches, None) is not None, (annotator.name, change)
            n_changes += len(changes[annotator.name])
            n_refused += annotator.statuses.count(412)
            assert set(annotator.statuses) <= {200, 412}
    finally:
        second_context.close()
    record_property("changes of labels", n_changes)
    record_property("refused changes", n_refused)
    assert n_changes >= 2 * n_interleavings


def test_a_list_that_is_out_of_date_is_read_again_and_its_images_stay_selected(
    page: "Page", app_server: RunningApp, request: pytest.FixtureRequest
) -> None:
    folder = write_cells(app_server.root / request.node.name, N_IMAGES, classes=CLASSES)
    where = f"datasets/{app_server.opened(folder)['id']}"
    rows = {
        name: [each["row_id"] for each in app_server.get(f"{in_lists(where)}/rows?label={name}")["items"]]
        for name in CLASSES
    }
    n = len(rows["medium"])
    open_page(page, f"/{where}?tab=images&class=medium")
    cells, selected = page.get_by_role("gridcell"), page.get_by_role("gridcell", selected=True)
    cells.nth(n - 1).wait_for()
    cells.first.click()
    page.keyboard.press("Control+a")
    app_server.send(f"{where}/changes", {"rows": rows["large"][:1], "label": "medium"})
    with page.expect_response(f"**/{where}/changes") as answer:
        page.keyboard.press("3")
    assert answer.value.status == 412
    cells.nth(n).wait_for()
    assert app_server.get(where)["n_label_changes"] == 1
    assert selected.count() == n
    cells.first.focus()
    page.keyboard.press("3")  # now the page shows the image that joined, which is not selected
    app_server.until(where, lambda dataset: dataset["n_label_changes"] == 1 + n)
    assert [each["row_id"] for each in app_server.get(f"{in_lists(where)}/rows?label=medium")["items"]] == rows[
        "large"
    ][:1]


@pytest.mark.parametrize("n_labels", only_first(1, (2, 20)))
def test_labels_of_single_images_by_fifty_people_at_once_are_not_refused(app_server: RunningApp, n_labels: int) -> None:
    folder = write_cells(app_server.root / f"fifty people {n_labels}", N_IMAGES, classes=CLASSES)
    where = f"datasets/{app_server.opened(folder)['id']}"
    rows = [image["row_id"] for image in app_server.get(f"{in_lists(where)}/rows")["items"]]

    def label(person: int) -> None:
        chance = random.Random(person)
        for _ in range(n_labels):
            body = {"rows": [chance.choice(rows)], "label": chance.choice(CLASSES)}
            app_server.send(f"{where}/changes", body)  # fails if it is refused

    with ThreadPoolExecutor(50) as people:
        list(people.map(label, range(50)))
