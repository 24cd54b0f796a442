"""The pages of a server with accounts, in Chromium."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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
        page = browser.new_context().new_page()
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
        page.get_by_role("dialog").get_by_role("button", name="New project").click()
        page.get_by_label("Account").select_option(label="ben")
        page.get_by_role("combobox", name="Role", exact=True).select_option("viewer")
        page.get_by_role("button", name="Add").click()
        page.get_by_label("Role of ben").wait_for()
        page.get_by_role("button", name="Done").click()
        page.get_by_role("link", name="Malaria").click()
        page.wait_for_url(f"{start}projects/*/")
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

        ben = browser.new_context().new_page()
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
        ben.get_by_role("button", name="Use the sample images").click()
        ben.get_by_role("alert").wait_for()  # refused
        page.goto(f"{start}activity")
        page.get_by_role("cell", name="403").wait_for()
