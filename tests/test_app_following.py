"""Pages keep what was chosen, follow what is changed in other tabs, and outlive the server."""

import asyncio
import json
import os
import threading
import urllib.request
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from browser import RunningApp, Stock, open_page
from drawing import save_cells
from pydantic_core import to_jsonable_python
from small_workspace import API, new_workspace, open_images, server, until
from sqlalchemy import select, text, update

from coverslip.app.guard import IDLE_SECONDS
from coverslip.errors import CoverslipError
from coverslip.messages import in_language
from coverslip.runs.status import StatusFile
from coverslip.runtime.programs import record_exit
from coverslip.workspace.changes import Changed, Changes
from coverslip.workspace.dataset_maps import MAPS
from coverslip.workspace.datasets.reading_images import SourceWatch, duplicates_thread_of
from coverslip.workspace.datasets.sources import refresh_dataset
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.jobs.listing import JobState, job_state
from coverslip.workspace.jobs.records import (
    Job,
    JobKind,
    add_job,
    change_job,
    find_job,
    register,
    requested_recipe,
    unregister,
)
from coverslip.workspace.store import tables
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import MissingSource
from coverslip.workspace.store.workspace import Workspace

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.slow


@pytest.mark.exhaustive
def test_choices_for_a_training_are_there_again_after_back(page: "Page", app_server: RunningApp) -> None:
    images = app_server.opened(save_cells(app_server.root / "chosen"))["id"]
    open_page(page, f"/train?dataset={images}")
    page.get_by_text("Expert settings").click()
    page.get_by_label("Name of the training").fill("Once more")
    page.get_by_role("radio", name="Good").check()
    page.get_by_role("link", name="In the dataset").click()
    page.get_by_role("heading", name="chosen").wait_for()
    page.go_back()
    page.get_by_role("button", name="Start training").wait_for()
    page.get_by_text("Expert settings").click()
    assert page.get_by_label("Name of the training").input_value() == "Once more"
    assert page.get_by_role("radio", name="Good").is_checked()


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


def test_changes_of_jobs_and_datasets_are_sent_with_their_topics(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    row = {"kind": "train", "name": "n", "dataset_name": "d", "folder": "/f", "command": [], "choices": {}}

    async def watch() -> None:
        changes = Changes(workspace, SourceWatch(workspace))
        stream = changes.follow(None)

        async def next_topics() -> set[str]:
            return set((await asyncio.wait_for(anext(stream), 60)).topics)

        start = await anext(stream)
        assert start.topics == []
        add_job(workspace, id="j", **row)
        assert await next_topics() == {"jobs/j", "train", "activity"}
        change_job(workspace, "j", name="renamed")
        assert await next_topics() == {"jobs/j", "train"}
        for state in ("started", "ended", "removed"):
            change_job(workspace, "j", state=state)
            assert await next_topics() == {"jobs/j", "train", "activity"}
        images = await asyncio.to_thread(open_images, workspace, save_cells(tmp_path / "cells"))
        topics = await next_topics()
        assert topics >= {f"datasets/{images}", "datasets", "activity"}
        missed = await anext(changes.follow(start.number))
        assert set(missed.topics) >= {"jobs/j", f"datasets/{images}"}
        assert (await anext(changes.follow("1-1"))).topics == ["*"]  # of another server
        changes.close()
        assert [each async for each in changes.follow(None)] == []

    with ThreadPoolExecutor(1) as pool:  # the thread of this test may have the event loop of a browser
        pool.submit(asyncio.run, watch()).result()


def test_no_change_is_missed_after_a_failed_check_or_by_a_short_search(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    images = open_images(workspace, save_cells(tmp_path / "cells"))
    workspace.background.wait_all()

    async def watch() -> None:
        changes = Changes(workspace, SourceWatch(workspace))
        stream = changes.follow(None)
        await anext(stream)
        workspace.background.start(duplicates_thread_of(images), lambda _: None)
        assert set((await asyncio.wait_for(anext(stream), 60)).topics) == {f"datasets/{images}", "datasets"}
        workspace.background.wait_all()
        with workspace.engine.connect() as connection:
            name = connection.execute(select(tables.datasets.c.name)).scalar_one()
        with write_transaction(workspace.engine) as connection:
            connection.execute(update(tables.datasets).values(name=f"{name} 2"))
            connection.execute(text("ALTER TABLE jobs RENAME TO other"))
        await asyncio.sleep(1.5)  # checks fail meanwhile
        with write_transaction(workspace.engine) as connection:
            connection.execute(text("ALTER TABLE other RENAME TO jobs"))
        assert set((await asyncio.wait_for(anext(stream), 60)).topics) == {f"datasets/{images}", "datasets"}
        changes.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, watch()).result()


def test_a_page_follows_a_job_that_is_resumed_in_a_terminal(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    status = StatusFile(added_map(workspace, "j") / "status.json")
    status.write("running")

    async def watch() -> None:
        changes = Changes(workspace, SourceWatch(workspace))
        stream = changes.follow(None, ["j", "none"])
        start = await anext(stream)
        assert (await following(stream)).jobs["j"]["state"] == "running"
        status.write("done")  # which no row of the database records
        change = await following(stream)
        assert (change.topics, change.jobs["j"]["state"]) == ([], "done")
        assert "kind" not in change.jobs["j"]  # has not changed
        status.write("running")  # followers do not know it yet
        later = changes.follow(start.number, ["j"])
        change = await following(later)
        assert (change.jobs["j"]["state"], change.jobs["j"]["kind"]) == ("running", MAPS.name)
        change = await following(stream)
        assert (change.topics, change.jobs["j"]["state"]) == ([], "running")
        change_job(workspace, "j", state="queued")
        assert set((await anext(stream)).topics) == {"jobs/j", MAPS.name, "activity"}
        assert (await following(stream)).jobs["j"]["state"] == "queued"
        changes.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, watch()).result()


def added_map(workspace: Workspace, job_id: str, **changed: Any) -> Path:
    """The folder of a new job that computes a map."""
    folder = workspace.folder / job_id
    folder.mkdir()
    values = {"kind": MAPS.name, "key": job_id, "name": job_id, "dataset_name": "", "command": ["x"], "queued": None}
    values |= {"folder": str(folder), "choices": {"link": "/"}, "state": "ended"}
    add_job(workspace, id=job_id, **values | changed)
    return folder


async def following(stream: AsyncGenerator[Changed]) -> Changed:
    """The next message with values of jobs."""
    while not (change := await asyncio.wait_for(anext(stream), 60)).jobs:
        pass
    return change


def test_a_job_that_is_read_slowly_delays_no_other_change(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    is_topic_sent = threading.Event()

    def slow(workspace: Workspace, job: Job) -> JobState:
        is_topic_sent.wait()
        return job_state(workspace, job)

    register(JobKind(name="slow", queue="slow", progress=lambda _: None, story=slow))
    added_map(workspace, "j", kind="slow", key=None)

    async def watch() -> None:
        changes = Changes(workspace, SourceWatch(workspace))
        stream = changes.follow(None, ["j"])
        assert (await asyncio.wait_for(anext(stream), 60)).jobs == {}
        added_map(workspace, "other")
        assert "jobs/other" in (await asyncio.wait_for(anext(stream), 60)).topics
        is_topic_sent.set()
        assert (await following(stream)).jobs["j"]["kind"] == "slow"
        changes.close()

    try:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, asyncio.wait_for(watch(), 60)).result()
    finally:
        is_topic_sent.set()
        unregister("slow")


def test_unreadable_jobs_do_not_end_the_stream_of_the_others(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    added_map(workspace, "a")
    record_exit(workspace.folder / "a", 1)
    training: Any = {"kind": "train", "key": None}
    requested_recipe(added_map(workspace, "b", **training)).write_bytes(b"\xff")
    added_map(workspace, "c", **training | {"choices": {"note": "\ud800"}})
    with (
        server(workspace.folder, tmp_path, 9411 + os.getpid() % 500) as (_, client),
        client.stream("GET", f"{API}/events?job=b&job=c&job=a", headers={"Cookie": "coverslip-language=de"}) as stream,
    ):
        lines = (json.loads(line.removeprefix("data: ")) for line in stream.iter_lines() if line.startswith("data: "))
        jobs = next(line["jobs"] for line in lines if line["jobs"])
    with in_language("de"):
        expected = to_jsonable_python(job_state(workspace, find_job(workspace, "a")))
    assert (jobs.keys(), jobs["a"], jobs["b"]["recipe_text"]) == ({"a", "b"}, expected, "")


@pytest.mark.exhaustive
def test_folders_that_are_gone_and_back_are_noticed_without_a_request(tmp_path: Path) -> None:
    workspace, cells = new_workspace(tmp_path), save_cells(tmp_path / "cells")
    images = open_images(workspace, cells)
    watch = SourceWatch(workspace)
    watch.start()
    try:
        watch.is_watched = True
        cells.rename(tmp_path / "moved")
        until(lambda: workspace.missing_sources.n_changes(images) == 1)
        with pytest.raises(CoverslipError):
            refresh_dataset(workspace, images)
        with workspace.engine.begin() as connection:  # as a server leaves a dataset that it could not read
            failed = {"state": "failed", "error": {"kind": MissingSource.kind}}
            connection.execute(update(tables.datasets).values(**failed))
        (tmp_path / "moved").rename(cells)
        until(lambda: workspace.missing_sources.n_changes(images) == 2)
        until(lambda: dataset_state(workspace, images).state == "ready")
    finally:
        watch.close()


def test_a_page_that_shows_a_missing_folder_learns_that_it_is_back(tmp_path: Path) -> None:
    workspace, cells = new_workspace(tmp_path), save_cells(tmp_path / "cells")
    images = open_images(workspace, cells)
    workspace.background.wait_all()

    async def watch() -> None:
        sources = SourceWatch(workspace)
        changes = Changes(workspace, sources)
        stream = changes.follow(None)
        await anext(stream)
        cells.rename(tmp_path / "moved")
        assert [source.is_missing for source in dataset_state(workspace, images).sources] == [True]  # before a check
        assert set((await asyncio.wait_for(anext(stream), 20)).topics) == {f"datasets/{images}", "datasets"}
        (tmp_path / "moved").rename(cells)
        sources.check()
        assert set((await asyncio.wait_for(anext(stream), 20)).topics) == {f"datasets/{images}", "datasets"}
        changes.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, watch()).result()


N_TABS = 7


@pytest.mark.exhaustive
def test_many_tabs_follow_by_one_connection_and_none_is_left_without_a_visible_tab(
    other_app: Callable[..., RunningApp], other_page: Callable[[RunningApp], "Page"]
) -> None:
    app = other_app()
    assert app.process is not None
    server = psutil.Process(app.process.pid)

    def n_connections() -> int:
        return sum(each.status == psutil.CONN_ESTABLISHED for each in server.net_connections())

    first = other_page(app)
    tabs = [first, *(first.context.new_page() for _ in range(N_TABS - 1))]
    for tab in tabs:
        open_page(tab, "/datasets")
    images = app.opened(save_cells(app.root / "from elsewhere"), name="From elsewhere")["id"]
    for tab in tabs:
        tab.get_by_role("link", name="From elsewhere").first.wait_for()
    until(lambda: n_connections() == 1, seconds=IDLE_SECONDS + 60)  # others are closed when they were idle
    app.send(f"datasets/{images}", method="DELETE")
    for tab in tabs:
        tab.get_by_role("link", name="From elsewhere").first.wait_for(state="detached")
    for tab in tabs[1:]:
        tab.close()
    until(lambda: n_connections() == 1, seconds=IDLE_SECONDS + 60)
    first.evaluate("""() => {
        Object.defineProperty(document, 'visibilityState', {value: 'hidden', configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));
    }""")
    until(lambda: n_connections() == 0, seconds=IDLE_SECONDS + 60)
    app.opened(save_cells(app.root / "hidden"), name="Opened meanwhile")
    first.evaluate("""() => {
        delete document.visibilityState;
        document.dispatchEvent(new Event('visibilitychange'));
    }""")
    first.get_by_role("link", name="Opened meanwhile").first.wait_for()


def test_without_shared_workers_each_tab_follows_by_itself(page: "Page", app_server: RunningApp) -> None:
    page.add_init_script("delete window.SharedWorker")
    open_page(page, "/datasets")
    images = app_server.opened(save_cells(app_server.root / "alone"), name="Opened alone")["id"]
    page.get_by_role("link", name="Opened alone").first.wait_for()
    app_server.send(f"datasets/{images}", method="DELETE")


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
def test_a_missing_folder_is_named_everywhere_and_comes_back_or_is_replaced(page: "Page", stock: Stock) -> None:
    folder, moved_folder = (stock.app.workspace.parent / "images" / name for name in ("first clinic", "moved"))
    before = stock.app.get(f"datasets/{stock.images}")
    mistake = stock.app.get(f"lists/{stock.run}/rows?limit=1")["items"][0]
    gone = page.get_by_role("alert").filter(has_text=str(folder))
    folder.rename(moved_folder)
    try:
        for path in (f"/datasets/{stock.images}?tab=images", f"/runs/{stock.run}"):
            open_page(page, path)
            gone.wait_for()
        open_page(page, f"/train?dataset={stock.images}")
        gone.wait_for()
        assert page.get_by_role("button", name="Start training").is_disabled()
        moved_folder.rename(folder)
        gone.wait_for(state="hidden")
        page.get_by_role("button", name="Start training").and_(page.locator(":enabled")).wait_for()

        folder.rename(moved_folder)
        open_page(page, f"/runs/{stock.run}")
        page.get_by_role("button", name="Choose the new location").click()
        chooser = page.get_by_role("dialog")
        page.wait_for_function("document.activeElement?.matches('dialog input')")
        chooser.get_by_label("Path of a folder or table").fill(str(moved_folder))
        chooser.get_by_role("button", name="Open this path").click()
        chooser.get_by_text("Sub-folders become classes").wait_for()
        chooser.get_by_role("button", name="Use this folder").click()
        gone.wait_for(state="hidden")
        moved = stock.app.until(f"datasets/{stock.images}", lambda state: state["state"] == "ready")
        assert [domain["name"] for domain in moved["domains"]] == [domain["name"] for domain in before["domains"]]
        assert moved["n_images"] == before["n_images"]
        picture = f"{stock.app.address}api/v1/lists/{stock.run}/sheet?rows={mistake['row_id']}"
        assert urllib.request.urlopen(picture).headers["content-type"] == "image/jpeg"  # a blank one is WebP
    finally:
        if not folder.exists():
            moved_folder.rename(folder)
        sources = [{"path": source["path"], "domain": source["domain"]} for source in before["sources"]]
        stock.app.send(f"datasets/{stock.images}", {"sources": sources}, method="PATCH")
        stock.app.until(f"datasets/{stock.images}", lambda state: state["state"] == "ready")
