"""The pages of a server with accounts, in Chromium."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_accounts import running_in_thread
from written_workspace import write_workspace

from coverslip.app.clients import Role
from coverslip.app.guard import cookie_of
from coverslip.server import users
from coverslip.server.app import open_accounts_server
from coverslip.server.folder import open_account_server
from coverslip.server.projects import add_project, set_member
from coverslip.synthetic_cells import write_sample_images

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Request, Response

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"  # noqa: S105 - of the tests


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[str]:
    """Run `coverslip server` and yield the address of the first invitation."""
    command = [sys.executable, "-m", "coverslip", "server", str(folder), "--admin", "maria", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            lines = iter(process.stdout.readline, "")
            yield next(match[0] for line in lines if (match := re.search(r"http\S+/invitation/\S+", line)))
        finally:
            process.terminate()
            process.wait(20)


def accepted(page: "Page", address: str) -> None:
    page.goto(address)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    page.get_by_role("heading", name="Projects").wait_for()


def test_an_administrator_invites_a_viewer_to_a_project(browser: "Browser", tmp_path: Path) -> None:
    with serving(tmp_path / "server", "--base-path", "/lab") as invitation:
        start = invitation.split("invitation")[0]
        page = browser.new_context(reduced_motion="reduce").new_page()
        accepted(page, invitation)
        page.get_by_role("link", name="Accounts").click()
        page.get_by_role("button", name="New account").click()
        page.get_by_label("Name").fill("ben")
        page.get_by_role("button", name="Add").click()
        of_ben = page.get_by_label("Address").input_value()
        page.get_by_role("button", name="Close").click()
        page.get_by_role("link", name="Projects").click()
        page.get_by_role("button", name="New project").click()
        page.get_by_label("Name").fill("Malaria")
        page.get_by_role("dialog").get_by_role("button", name="New project").dblclick()
        page.get_by_label("Account").select_option(label="ben")
        page.get_by_role("combobox", name="Role", exact=True).select_option("viewer")
        page.get_by_role("button", name="Add").click()
        page.get_by_label("Role of ben").wait_for()
        page.get_by_role("button", name="Done").click()
        assert page.get_by_role("link", name="Malaria").count() == 1
        page.get_by_role("link", name="Malaria").click()
        page.wait_for_url(f"{start}projects/*/")
        workspace = tmp_path / "server" / "projects" / page.url.split("/")[-2]
        write_sample_images(workspace / "samples" / "images", n_images=60)  # an eighth of what the server draws
        page.get_by_role("button", name="Use the sample images").wait_for()
        assert not page.get_by_text("stays on this computer").count()  # but on the server
        page.get_by_role("button", name="Use the sample images").click()
        page.wait_for_url(f"{start}projects/*/datasets/samples")
        project = page.url.removesuffix("datasets/samples")
        page.get_by_role("link", name="Trainings").click()
        page.wait_for_url(f"{project}runs")
        page.reload()
        page.get_by_role("heading", name="Trainings", level=1).wait_for()
        page.go_back()
        page.get_by_role("heading", name="Sample images", level=1).wait_for()
        page.get_by_text("does not answer").wait_for(state="hidden")  # the stream of changes works below the path
        page.get_by_role("link", name="Checks", exact=True).click()
        page.wait_for_url(f"{project}datasets/samples?tab=checks")
        page.get_by_role("link", name="Overview", exact=True).click()
        page.wait_for_url(f"{project}datasets/samples")

        ben = browser.new_context(reduced_motion="reduce").new_page()
        accepted(ben, of_ben)
        ben.get_by_role("button", name="Sign out").click()
        ben.get_by_role("heading", name="Sign in").wait_for()
        ben.goto(f"{project}datasets")
        ben.get_by_label("Name").fill("ben")
        ben.get_by_label("Password").fill("a wrong password")
        ben.get_by_role("button", name="Sign in").click()
        ben.get_by_role("alert").wait_for()
        ben.get_by_label("Password").fill(PASSWORD)
        ben.get_by_role("button", name="Sign in").click()
        ben.wait_for_url(project)
        ben.get_by_text("You are a viewer of this project").wait_for()
        assert not ben.get_by_role("button", name="Use the sample images").is_visible()
        assert ben.request.post(f"{project}api/v1/samples").status == 403
        page.goto(f"{start}activity")
        page.get_by_role("cell", name="403", exact=True).wait_for()


@contextmanager
def serving_used_project(folder: Path, study_report: Path, role: Role) -> Iterator[tuple[str, dict[str, str], str]]:
    """Serve a project with datasets, trainings, a prediction and a study; yield its address, their IDs, a cookie."""
    ids = write_workspace(folder / "data", study_report)
    server = open_account_server(folder / "server", (folder / "data",))
    users.add_user(server, "maria", is_admin=True)
    project = add_project(server, "Malaria", roots=[str(folder / "data" / "images")])
    (server.projects / project.id).symlink_to(folder / "data" / "workspace")
    ben = users.add_user(server, "ben")
    set_member(server, project.id, ben.id, role)
    _, secret = users.accept_invitation(server, users.invite(server, ben.id), PASSWORD)
    with open_accounts_server(server, port=0) as running, running_in_thread(running):
        yield f"{running.address}projects/{project.id}/", ids, secret


TABS = {
    "datasets/{dataset}": ("overview", "images", "map", "classes", "checks"),
    "runs/{instant}": (
        "result",
        "images",
        "images&show=suspected",
        "trust&part=threshold",
        "trust&part=evaluations",
        "use&part=exports",
    ),
}
PAGES = (
    *("", "datasets", "runs", "predict", "studies", "studies/new", "train?dataset={dataset}", "runs/{running}"),
    *("datasets/{dataset}/second-reading", "compare?runs={instant},{fine-tuned}", "classifiers/{instant}"),
    *("predictions/{prediction}", "predictions/{prediction}/samples", "predictions/{prediction}/spot-check"),
    *("studies/{study}", *(f"{page}?tab={tab}" for page, tabs in TABS.items() for tab in tabs)),
)
MAIN_PAGES = ("", "datasets", "predict", "predictions/{prediction}", *PAGES[-10:-6])
KEYS = ("1", ";", ",", "Delete", "Control+z")
BUTTONS = "button:enabled:visible"


@pytest.mark.parametrize(
    ("role", "pages"),
    [
        ("viewer", MAIN_PAGES),
        pytest.param("viewer", PAGES, marks=pytest.mark.exhaustive),
        pytest.param("annotator", PAGES, marks=pytest.mark.exhaustive),
    ],
)
@pytest.mark.exhaustive
def test_no_button_and_no_key_is_refused_to_a_role(
    browser: "Browser", tmp_path: Path, study_report: Path, role: Role, pages: tuple[str, ...]
) -> None:
    with serving_used_project(tmp_path, study_report, role) as (address, ids, secret):
        context = browser.new_context(reduced_motion="reduce")
        cookie, _ = cookie_of({"type": "http", "headers": [], "server": ("", int(address.split(":")[2].split("/")[0]))})
        context.add_cookies([{"name": cookie, "value": secret, "url": address}])
        page = context.new_page()
        used = _Used(page, address)
        for path in pages:
            used.try_page(address + path.format_map(ids))
        assert used.refused == []
        assert used.outside == set()
        assert used.n_acts > len(pages)
        context.close()


class _Used:
    """Click every button of pages; record what the server refuses, and requests that leave the project."""

    def __init__(self, page: "Page", project: str) -> None:
        self.outside: set[str] = set()
        self._project = project
        self.refused: list[tuple[str, str, str]] = []
        self.n_acts = 0
        self._page, self._act = page, ""
        self._pending: set[Request] = set()
        page.on("request", self._begin)
        page.on("requestfailed", self._end)
        page.on("response", self._note)

    def _begin(self, request: "Request") -> None:
        if "/api/" in request.url and not request.url.startswith(self._project):
            self.outside.add(request.url)
        if "/api/" in request.url and request.resource_type != "eventsource":
            self._pending.add(request)

    def _end(self, request: "Request") -> None:
        self._pending.discard(request)

    def _note(self, response: "Response") -> None:
        self._end(response.request)
        if response.status == 403:
            self.refused.append((self._page.url, self._act, f"{response.request.method} {response.url}"))

    def try_page(self, address: str) -> None:
        self._open(address)
        tried: set[str] = set()
        while untried := [each for each in self._names() if each not in tried]:
            self._begin_act(untried[0])
            tried.add(untried[0])
            self._buttons().nth(self._names().index(untried[0])).click()
            self._settle()
            if self._page.url.split("?")[0] != address.split("?", maxsplit=1)[0]:
                self._open(address)
        self._open(address)
        images = self._page.locator("main [role='gridcell']")
        if images.count():
            images.first.click()
            for key in KEYS:
                self._begin_act(key)
                self._page.keyboard.press(key)
                self._settle()

    def _open(self, address: str) -> None:
        self._act = "open"
        self._page.goto(address)
        self._page.locator("main h1").first.wait_for()
        self._settle()
        self._settle()

    def _begin_act(self, name: str) -> None:
        self.n_acts += 1
        self._act = name

    def _names(self) -> list[str]:
        return [" ".join(text.split()) for text in self._buttons().all_inner_texts()]

    def _buttons(self) -> "Locator":
        """Return the buttons that can be clicked: those of the dialog if one is open."""
        dialog = self._page.locator("dialog[open]")
        return (dialog if dialog.count() else self._page.locator("main")).locator(BUTTONS)

    def _settle(self) -> None:
        while True:  # a response may lead to further requests
            self._page.wait_for_timeout(100)
            if not self._pending:
                return
