"""Reading images in the background, while other requests come and disks go."""

import importlib
import os
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from drawing import save_cell, save_cells
from image_sets import images_at, positions_of, workspace_in
from small_workspace import do_jobs, once_before, until
from sqlalchemy import delete, event, select, update

from coverslip.app.server import create_app, open_server
from coverslip.cache.stores import clean, list_stores
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.findings import FINDINGS, FindingCase, FindingKind
from coverslip.datasets.quality.scanning import Scan
from coverslip.errors import BadRecipe, Busy, Conflict, NotFound
from coverslip.machine import n_cores
from coverslip.messages import in_language
from coverslip.workspace import cleanup
from coverslip.workspace import suggestions as group_suggestions
from coverslip.workspace.correcting import undoing
from coverslip.workspace.datasets import labels, reading_images, sources
from coverslip.workspace.datasets.reading_images import check_images, inspect_now, update_inspection
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.store import tables as db
from coverslip.workspace.store import workspace as workspace_module
from coverslip.workspace.store.workspace import Background, Workspace, compute_in_worker, compute_pool
from coverslip.workspace.trainings import queueing
from coverslip.workspace.viewing.images import Filters
from coverslip.workspace.workers import WorkerPool


def test_while_a_thread_is_held_none_of_its_name_begins() -> None:
    background, has_begun = Background(lambda: None), []

    def work(is_over: threading.Event) -> None:
        has_begun.append(1)
        is_over.wait()

    background.start("reading", work)
    with background.held("reading"):
        assert not background.is_running("reading")
        background.start("reading", work)
        assert not background.is_running("reading")
    background.start("reading", work)
    assert background.is_running("reading")
    background.end_all(within_s=60)
    assert len(has_begun) == 2


def test_no_thread_begins_after_the_end_of_a_server(tmp_path: Path) -> None:
    home, is_over = workspace_in(tmp_path), threading.Event()
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    home.background.wait_all()
    threads = (reading_images.thread_of(dataset_id), reading_images.duplicates_thread_of(dataset_id))
    n_started = [*map(home.background.n_started, threads)]
    _as_interrupted(home)
    is_over.set()
    reading_images.resume(home, is_over)
    assert [*map(home.background.n_started, threads)] == n_started
    home.background.start(threads[0], lambda _: reading_images._work(home, dataset_id, is_over))
    home.background.wait_all()
    assert [*map(home.background.n_started, threads)] == [n_started[0] + 1, n_started[1]]


def test_a_page_that_asks_begins_no_reading_while_images_are_replaced(tmp_path: Path) -> None:
    home, cells = workspace_in(tmp_path), save_cells(tmp_path / "cells")
    dataset_id = sources.open_sources(home, [sources.Source(str(cells))]).id
    home.background.wait_all()
    _as_interrupted(home)
    is_reading: list[bool] = []

    def ask(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("DELETE FROM images"):  # the old ones go
            reading_images.resume(home)
            is_reading.append(home.background.is_running(reading_images.thread_of(dataset_id)))

    event.listen(home.engine, "before_cursor_execute", ask)
    sources.refresh_dataset(home, dataset_id)
    event.remove(home.engine, "before_cursor_execute", ask)
    assert is_reading == [False]
    home.background.wait_all()
    assert dataset_state(home, dataset_id).state == "ready"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_reading_waits_for_a_transaction_that_takes_longer_than_requests_wait(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    home.background.wait_all()
    _as_interrupted(home)
    file = home.folder / "workspace.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(7, other.execute, ["ROLLBACK"])
        release.start()
        reading_images.resume(home)
        home.background.wait_all()
        release.join()
    assert dataset_state(home, dataset_id).state == "ready"


def test_reading_that_a_busy_database_interrupts_is_resumed(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    home.background.wait_all()
    _as_interrupted(home)

    def wait_for_too_long() -> None:
        raise Busy("workspace-busy", file=home.database_file)

    with once_before(home, "BEGIN IMMEDIATE", wait_for_too_long):
        reading_images.start(home, dataset_id)
        home.background.wait_all()
    assert dataset_state(home, dataset_id).state == "reading"
    reading_images.resume(home)
    home.background.wait_all()
    assert dataset_state(home, dataset_id).state == "ready"


def test_images_on_a_disk_that_is_gone_are_not_called_unreadable(tmp_path: Path) -> None:
    home, cells = workspace_in(tmp_path), save_cells(tmp_path / "cells")
    dataset_id = sources.open_sources(home, [sources.Source(str(cells))]).id
    home.background.wait_all()
    cells.rename(tmp_path / "unplugged")
    _as_interrupted(home)
    reading_images.resume(home)
    home.background.wait_all()
    state = dataset_state(home, dataset_id)
    assert (state.state, state.n_unreadable) == ("failed", 0)
    assert str(cells) in str(state.error and state.error.file)
    (tmp_path / "unplugged").rename(cells)
    sources.refresh_dataset(home, dataset_id)
    home.background.wait_all()
    assert dataset_state(home, dataset_id).state == "ready"


def test_a_killed_search_for_duplicates_starts_again_and_shows_duplicates_side_by_side(tmp_path: Path) -> None:
    home, cells = workspace_in(tmp_path), save_cells(tmp_path / "cells")
    first, *_, last = sorted(file for file in cells.rglob("*.png"))
    shutil.copy(first, last.with_name("zz copy.png"))
    dataset_id = sources.open_sources(home, [sources.Source(str(cells))]).id
    _wait(home)
    with home.engine.begin() as connection:  # as a server leaves it that was killed meanwhile
        inspection = connection.execute(select(db.inspections.c.content)).scalar_one()
        inspection["inspection"]["are_copies_known"] = False
        connection.execute(update(db.inspections).values(content=inspection))
    reading_images.begin(home)
    assert reading_images.inspection(home, dataset_id).is_searching_duplicates
    _wait(home)
    inspection = reading_images.inspection(home, dataset_id)
    assert (inspection.are_copies_known, inspection.is_searching_duplicates) == (True, False)
    positions = positions_of(home, dataset_id, Filters(only="near-duplicates", sort="near-duplicates"))
    assert positions[:2] == [0, dataset_state(home, dataset_id).n_images - 1]


@pytest.mark.slow
def test_an_inspection_that_began_before_the_search_for_duplicates_ended_does_not_replace_its_result(
    tmp_path: Path,
) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    _wait(home)
    clean(list_stores())  # as before the search
    searched: list[bool] = []

    def search_meanwhile(dataset: Dataset, scan: Scan) -> Iterator[FindingCase]:
        if not searched:
            searched.append(True)
            check_images(home, dataset_id)
        return iter(())

    with home.engine.begin() as connection:
        connection.execute(delete(db.inspections))
    FINDINGS.add(FindingKind("searching", "advice", search_meanwhile, title="Searching"))
    try:
        assert not inspect_now(home, dataset_id).are_copies_known
        assert reading_images.inspection(home, dataset_id).are_copies_known
    finally:
        FINDINGS.remove("searching")


@pytest.mark.slow
@pytest.mark.new_interpreter
def test_a_process_computes_the_same_as_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_module, "_FEW_IMAGES", 0)
    home, pool = workspace_in(tmp_path), _StrictPool((), most_seconds=60)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    _wait(home)
    server = replace(home, pool=pool)
    try:
        for row, language in ((0, "en"), (1, "de")):  # each label makes the stored inspection outdated
            labels.set_labels(home, dataset_id, images_at(home, dataset_id, [row]), "flat")
            with in_language(language):
                suggestions = group_suggestions.list_suggestions(server, dataset_id)
                inspection = reading_images.inspection(server, dataset_id)
                preview = queueing.preview_split(server, dataset_id, {})
                assert _stored_revision(home) == dataset_state(home, dataset_id).revision
                with home.engine.begin() as connection:
                    connection.execute(delete(db.inspections))
                group_suggestions._suggestions.cache_clear()
                assert group_suggestions.list_suggestions(home, dataset_id) == suggestions != []
                assert reading_images.inspection(home, dataset_id) == inspection
                assert queueing.preview_split(home, dataset_id, {}) == preview
    finally:
        pool.close()
    assert not _worker_processes()


class _StrictPool(WorkerPool):
    """A pool whose processes must compute everything."""

    def call(self, function: Callable[..., object], /, **arguments: Any) -> Any:  # Any: as of `WorkerPool`
        result = super().call(function, **arguments)
        assert isinstance(result, dict)
        return result


@pytest.mark.slow
@pytest.mark.new_interpreter
def test_the_server_computes_itself_what_a_process_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace_module, "_FEW_IMAGES", 0)
    home, pool = workspace_in(tmp_path), compute_pool(2.0)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    _wait(home)
    server, expected = replace(home, pool=pool), queueing.preview_split(home, dataset_id, {})
    assert queueing.preview_split(server, dataset_id, {}) == expected
    (process,) = _worker_processes()
    process.kill()  # a later request starts another one
    process.wait()
    assert queueing.preview_split(server, dataset_id, {}) == expected
    with pytest.raises(BadRecipe):
        queueing.preview_split(server, dataset_id, {"lr": float("nan")})  # is not JSON
    with pytest.raises(NotFound):
        queueing.preview_split(server, "0" * 12, {})
    assert queueing.preview_split(server, dataset_id, {}) == expected
    assert _worker_processes()
    pool.close()
    assert queueing.preview_split(server, dataset_id, {}) == expected
    assert not _worker_processes()


@pytest.mark.slow
@pytest.mark.new_interpreter
def test_the_app_of_one_user_computes_in_a_process_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    _wait(home)
    address = f"api/v1/datasets/{dataset_id}/group-suggestions"
    with open_server(home, port=0) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            until(lambda: server.runner.started)
            assert httpx.get(server.address + address, timeout=60).status_code == 200
            assert not _worker_processes()  # for a few images, a thread does
            monkeypatch.setattr(workspace_module, "_FEW_IMAGES", 0)
            group_suggestions._suggestions.cache_clear()
            assert httpx.get(server.address + address, timeout=60).status_code == 200
            assert _worker_processes()
        finally:
            server.runner.should_exit = True
            thread.join()
    assert not _worker_processes()


def test_suggested_groups_are_computed_again_with_other_names_or_classes_but_not_with_each_label(
    tmp_path: Path,
) -> None:
    home, folder = workspace_in(tmp_path), tmp_path / "cells"
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(folder, n=20)))]).id
    _wait(home)
    rows = iter(range(3))

    def is_computed_after(change: Callable[[], object]) -> bool:
        change()
        n = group_suggestions._suggestions.cache_info().misses
        group_suggestions.list_suggestions(home, dataset_id)
        return group_suggestions._suggestions.cache_info().misses > n

    def label_next() -> None:
        labels.set_labels(home, dataset_id, images_at(home, dataset_id, [next(rows)]), "new")

    def rename() -> None:
        file = next(folder.rglob("*.png"))
        file.rename(file.with_name("renamed.png"))
        sources.refresh_dataset(home, dataset_id)
        _wait(home)

    assert is_computed_after(lambda: None)
    assert [is_computed_after(label_next) for _ in range(3)] == [True, True, False]  # a new class of 1, 2 and 3 images
    assert is_computed_after(rename)
    assert not is_computed_after(lambda: None)


def test_a_process_without_the_finders_of_the_server_computes_nothing() -> None:
    pool = compute_pool(2.0)
    try:
        finders = ["of a program"]
        assert pool.call(compute_in_worker, function="os:getpid", workspace="", arguments={}, finders=finders) is None
    finally:
        pool.close()


@pytest.fixture
def wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function that hangs, also in other processes."""
    (tmp_path / "slow.py").write_text("import time\n\ndef wait():\n    time.sleep(600)\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")])))
    monkeypatch.syspath_prepend(tmp_path)
    function: Callable[[], None] = importlib.import_module("slow").wait
    return function


@pytest.mark.new_interpreter
def test_a_pool_that_is_closed_kills_a_busy_process(wait: Callable[[], None]) -> None:
    hasty = WorkerPool((), most_seconds=1)
    assert hasty.call(wait) is None  # a process that hangs is killed
    assert not _worker_processes()
    pool = WorkerPool((), most_seconds=600)
    thread = threading.Thread(target=pool.call, args=(wait,), daemon=True)
    thread.start()
    while not _worker_processes():
        thread.join(0.05)
    pool.close()
    thread.join(60)
    assert not thread.is_alive()
    assert not _worker_processes()
    assert pool.call(wait) is None  # and no other process is started
    assert not _worker_processes()


@pytest.mark.slow
@pytest.mark.new_interpreter
def test_a_picture_that_takes_long_leaves_a_process_for_other_previews(
    tmp_path: Path, wait: Callable[[], None]
) -> None:
    pool = create_app(workspace_in(tmp_path)).state.previews
    thread = threading.Thread(target=pool.call, args=(wait,), daemon=True)
    thread.start()
    while not _worker_processes():
        thread.join(0.05)
    assert pool.call(n_cores)
    assert thread.is_alive()
    pool.close()
    thread.join(60)
    assert not _worker_processes()


def test_a_dataset_that_is_read_again_is_not_inspected(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    _wait(home)
    with home.engine.begin() as connection:
        connection.execute(delete(db.image_facts))
        connection.execute(update(db.datasets).values(state="reading"))
    with pytest.raises(Conflict):
        inspect_now(home, dataset_id)
    update_inspection(home, dataset_id)  # nothing is stored, and no error is raised


@pytest.mark.slow
@pytest.mark.new_interpreter
def test_while_all_processes_compute_the_server_computes_itself(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    _wait(home)
    server = replace(home, pool=WorkerPool((), most_seconds=60, most_processes=0))
    assert queueing.preview_split(server, dataset_id, {}) == queueing.preview_split(home, dataset_id, {})
    assert not _worker_processes()


def _worker_processes() -> list[psutil.Process]:
    processes = []
    for each in psutil.Process().children():
        with suppress(psutil.Error):  # another child has ended
            processes += [each] if "coverslip.workspace.workers" in each.cmdline() else []
    return processes


def _stored_revision(home: Workspace) -> int | None:
    with home.engine.connect() as connection:
        return connection.execute(select(db.inspections.c.revision)).scalar_one_or_none()


def test_duplicates_are_not_searched_among_images_that_are_missing(tmp_path: Path) -> None:
    home, cells = workspace_in(tmp_path), save_cells(tmp_path / "cells")
    dataset_id = sources.open_sources(home, [sources.Source(str(cells))]).id
    _wait(home)
    with home.engine.begin() as connection:  # as a server leaves samples that it was drawing
        connection.execute(update(db.datasets).values(state="reading", opened=None))
    check_images(home, dataset_id)
    with home.engine.connect() as connection:
        assert connection.execute(select(db.datasets.c.opened)).scalar_one() is None


def test_nothing_is_reported_of_images_that_are_being_read_again(tmp_path: Path) -> None:
    """A search for copies may end just when a refresh has put other images in place, of which no facts are known."""
    home, cells = workspace_in(tmp_path), save_cells(tmp_path / "cells")
    dataset_id = sources.open_sources(home, [sources.Source(str(cells))]).id
    _wait(home)
    before = reading_images.inspection(home, dataset_id).n_images
    with home.engine.begin() as connection:
        connection.execute(update(db.datasets).values(state="reading"))
        connection.execute(delete(db.image_facts))
    update_inspection(home, dataset_id)
    with home.engine.connect() as connection:
        stored = connection.execute(select(db.inspections.c.content)).scalar_one()
    assert stored["inspection"]["n_images"] == before


def _wait(home: Workspace) -> None:
    """Until images are read, and what is looked for then is found."""
    home.background.wait_all()
    home.background.wait_all()
    do_jobs(home)


def _as_interrupted(home: Workspace) -> None:
    """As a server that was killed leaves its sets."""
    with home.engine.begin() as connection:
        connection.execute(update(db.datasets).values(state="reading"))


def test_labels_stay_with_their_pixels_where_a_table_repeats_ids(tmp_path: Path) -> None:
    """Repeated ids are numbered in the order of the rows, which may change."""
    home, cells = workspace_in(tmp_path), tmp_path / "cells"
    rows = [f"{save_cell(cells / f'{k}.png', k).name},{'ab'[k % 2]},same" for k in range(4)]
    table = cells / "table.csv"
    table.write_text("\n".join(["path,label,image_id", *rows]))
    dataset = sources.open_sources(home, [sources.Source(str(table))])
    assert dataset.name == f"{table.stem} ({table.parent.name})"
    dataset_id = dataset.id
    home.background.wait_all()
    change, _ = labels.set_labels(home, dataset_id, images_at(home, dataset_id, [0]), "by hand")
    table.write_text("\n".join(["path,label,image_id", *reversed(rows)]))
    sources.refresh_dataset(home, dataset_id)
    home.background.wait_all()
    with home.engine.connect() as connection:
        stored_rows = connection.execute(select(db.images.c.path, db.images.c.label)).all()
    expected = {"0.png": "by hand", "1.png": "b", "2.png": "a", "3.png": "b"}
    assert {Path(path).name: label for path, label in stored_rows} == expected
    undoing.undo(home, change or 0)
    with home.engine.connect() as connection:
        first = db.images.c.path == str(cells / "0.png")
        assert connection.execute(select(db.images.c.label).where(first)).scalar_one() == "a"


def test_a_set_that_comes_back_while_it_was_begun_to_be_read_is_whole(tmp_path: Path) -> None:
    home, cells = workspace_in(tmp_path), save_cells(tmp_path / "cells")
    dataset_id = sources.open_sources(home, [sources.Source(str(cells))]).id
    home.background.wait_all()
    cleanup.remove_dataset(home, dataset_id)
    reading_images.start(home, dataset_id)  # by a page that asked just before
    home.background.wait_all()
    assert cleanup.restore_dataset(home, dataset_id).state == "ready"
    home.background.wait_all()
    assert dataset_state(home, dataset_id).state == "ready"
