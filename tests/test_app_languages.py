"""The app in the language of its user: the pages, the server behind them, and scripts, which get English."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import RunningApp, open_page
from drawing import save_cells
from fastapi.testclient import TestClient
from small_workspace import new_workspace, open_images

from coverslip.app.languages import COOKIE, Languages
from coverslip.app.server import create_app
from coverslip.messages import in_language, text
from coverslip.workspace.store.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import Page

API = "/api/v1"
GERMAN = {"Cookie": f"{COOKIE}=de"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return new_workspace(tmp_path)


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(Languages(create_app(workspace))) as client:
        yield client


def test_errors_are_in_the_language_of_the_cookie_and_in_english_without_one(client: TestClient) -> None:
    with in_language("de"):
        german = text("unknown-address")
    address = f"{API}/nothing"
    assert client.get(address, headers=GERMAN).json()["title"] == f"{german}."
    for headers in ({}, {"Accept-Language": "de"}, {"Cookie": f"{COOKIE}=xx"}):
        problem = client.get(address, headers=headers).json()
        assert (problem["code"], problem["title"]) == ("unknown-address", f"{text('unknown-address')}.")


def test_a_stored_inspection_is_shown_in_each_language(
    client: TestClient, workspace: Workspace, tmp_path: Path
) -> None:
    dataset = open_images(workspace, save_cells(tmp_path / "cells"))
    german = client.get(f"{API}/datasets/{dataset}/inspection", headers=GERMAN).json()  # which stores it
    english = client.get(f"{API}/datasets/{dataset}/inspection").json()
    assert german["findings"]
    for of_german, of_english in zip(german["findings"], english["findings"], strict=True):
        assert of_german["code"] == of_english["code"]
        assert of_german["text"] != of_english["text"]
        assert of_german["title"] != of_english["title"]


@pytest.mark.slow
def test_settings_are_in_the_language_of_each_request(client: TestClient) -> None:
    def titles(headers: dict[str, str]) -> dict[str, str]:
        return {each["key"]: each["title"] for each in client.get(f"{API}/recipe", headers=headers).json()["keys"]}

    english, german = titles({}), titles(GERMAN)
    with in_language("de"):
        assert german["epochs"] == text("key-epochs.name")
    assert english["epochs"] == text("key-epochs.name")
    assert (titles({}), titles(GERMAN)) == (english, german)


def test_a_page_is_served_in_the_language_of_its_cookie_or_of_the_browser(client: TestClient) -> None:
    for accepted, cookie, language in (
        ("de-AT,de;q=0.9,en;q=0.5", None, "de"),
        ("fr,en;q=0.8,de;q=0.7", None, "en"),
        ("fr", None, "en"),
        ("de", "en", "en"),
        ("en", "de", "de"),
    ):
        client.cookies.clear()
        headers = {"Accept-Language": accepted} | ({"Cookie": f"{COOKIE}={cookie}"} if cookie else {})
        page = client.get("/", headers=headers)
        assert f'<html lang="{language}"' in page.text, (accepted, cookie)
        # The requests of the page get the same language.
        assert page.cookies.get(COOKIE) == (None if cookie else language)


@pytest.mark.slow
def test_the_app_in_german(page: "Page", app_server: RunningApp) -> None:
    dataset = app_server.opened(save_cells(app_server.root / "Zellen"))["id"]
    open_page(page, f"/datasets/{dataset}")
    page.get_by_label("Language").select_option("de")
    page.get_by_role("navigation", name="Hauptmenü").wait_for()
    assert page.evaluate("document.documentElement.lang") == "de"
    try:
        open_page(page, f"/train?dataset={dataset}")
        page.locator("summary").get_by_text("Weitere Einstellungen").click()
        page.get_by_text(re.compile(r"\d,\d")).first.wait_for(state="attached")
        title = page.evaluate("fetch('api/v1/nothing').then((answer) => answer.json()).then(({ title }) => title)")
        with in_language("de"):
            assert title == f"{text('unknown-address')}."
    finally:
        page.get_by_label("Sprache").select_option("en")
        page.get_by_role("navigation", name="Main").wait_for()
