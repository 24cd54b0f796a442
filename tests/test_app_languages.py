"""The app in the language of its user: the pages, the server behind them, and scripts, which get English."""

import csv
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browser import RunningApp, open_page
from drawing import save_cells
from fastapi.testclient import TestClient
from prediction_tables import write_predictions
from small_workspace import new_workspace, open_images

from coverslip.app.clients import COOKIE, Languages
from coverslip.app.server import create_app
from coverslip.images.reader import ReadPlan
from coverslip.inference.new_images import note_on_pixels, other_pixels
from coverslip.messages import Note, in_language, localized_note, message, text
from coverslip.runs.predictions import Prediction
from coverslip.workspace.jobs.records import add_job
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


def test_an_unreadable_image_has_its_reason_in_each_language_from_the_same_stored_bytes(
    client: TestClient, workspace: Workspace, tmp_path: Path
) -> None:
    cells = save_cells(tmp_path / "cells")
    broken = next(cells.rglob("*.png"))
    broken.write_bytes(bytes(5_000))
    dataset = open_images(workspace, cells)
    rows = f"{API}/lists/{dataset}/rows"
    (image,) = client.get(rows, params={"only": "unreadable"}).json()["items"]

    def shown(headers: dict[str, str]) -> tuple[str, str, str]:
        finding = next(
            each
            for each in client.get(f"{API}/datasets/{dataset}/inspection", headers=headers).json()["findings"]
            if each["code"] == "unreadable"
        )
        facts = client.get(f"{rows}/{image['row_id']}", headers=headers).json()
        return facts["note"], finding["notes"][0][0], finding["text"]

    def stored() -> list[tuple[object, ...]]:
        queries = ("SELECT * FROM image_facts", "SELECT * FROM inspections")
        with closing(sqlite3.connect(workspace.database_file)) as connection:
            return [row for query in queries for row in connection.execute(query)]

    english, before = shown({}), stored()
    german = shown(GERMAN)
    assert stored() == before
    reason = message("image-damaged", reason=message("image-of-zeros"))
    for language, (note, note_of_finding, words) in (("en", english), ("de", german)):
        with in_language(language):
            assert note == note_of_finding == str(reason)
            assert str(reason) in words
    assert english[0] != german[0]


def test_predictions_have_their_reasons_in_each_language(client: TestClient, workspace: Workspace) -> None:
    damaged = message("image-damaged", reason=message("tiff-page-missing", page=3))
    uncertain = message("reason-uncertain", threshold=0.7)
    sizes = message("size-of-training-images", low="5 x 5", high="6 x 6", is_range=True)
    other_size = message("size-differs", width="9", height="9", trained=sizes)
    rows = [
        Prediction("a", "/a.png", None, None, None, "unreadable", (), damaged),
        Prediction("b", "/b.png", None, "x", 0.6, "uncertain", (0.6, 0.4), uncertain),
        Prediction("c", "/c.png", None, "x", 0.9, "x", (0.9, 0.1), warning=other_size),
    ]
    folder = workspace.predictions / "new"
    write_predictions(folder, ("x", "y"), [(row, ReadPlan()) for row in rows])
    add_job(
        workspace,
        id="new",
        kind="predict",
        name="new",
        dataset_id=None,
        dataset_name="images",
        classifier_id="none",
        folder=str(folder),
        command=[],
        choices={"sources": [], "classes": ["x", "y"], "classifier_name": "None", "prevalence": {}},
        state="ended",
        queued=None,
    )
    with (folder / "predictions.csv").open(newline="") as stream:
        cells = list(csv.DictReader(stream))
    assert [row["reason"] for row in cells[:2]] == [str(row.reason) for row in rows[:2]], "a file is in English"
    for language, headers in (("en", {}), ("de", GERMAN)):
        items = client.get(f"{API}/lists/new/rows", headers=headers).json()["items"]
        shown = [(each["reason"], each["warning"]) for each in items]
        with in_language(language):
            assert shown == [tuple(each and str(each) for each in (row.reason, row.warning)) for row in rows]


def test_a_note_that_a_job_stored_is_wholly_in_the_language_of_its_reader() -> None:
    def note_on_difference() -> Note | None:
        return note_on_pixels(other_pixels([ReadPlan(channels=("GFP",)), ReadPlan(z=1)], [ReadPlan()]))

    stored = note_on_difference()
    with in_language("de"):
        german = note_on_difference()
        assert stored is not None
        assert german is not None
        assert localized_note(stored).text == german.text


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
        page.locator("summary").get_by_text("Experteneinstellungen").click()
        page.get_by_text(re.compile(r"\d,\d")).first.wait_for(state="attached")
        title = page.evaluate("fetch('api/v1/nothing').then((answer) => answer.json()).then(({ title }) => title)")
        with in_language("de"):
            assert title == f"{text('unknown-address')}."
    finally:
        page.get_by_label("Sprache").select_option("en")
        page.get_by_role("navigation", name="Main").wait_for()
