"""Two clients change one dataset: no label reaches another image, and nobody takes back what another one did."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import RunningApp, open_page
from drawing import save_cell, save_cells, write_cells
from image_sets import App, ids_at, in_lists, workspace_in
from playwright.sync_api import expect
from small_workspace import QUICK, new_workspace, open_images, predicted_here, trained_here
from tables import label_changes

from coverslip.errors import Conflict, CoverslipError
from coverslip.workspace.correcting import undoing
from coverslip.workspace.correcting.corrections import correct, correct_measured
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.lists import Exclusion, images_of_job
from coverslip.workspace.store.rows import ChangedSince
from coverslip.workspace.viewing.images import DatasetImages, Filters

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page, Route


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(workspace_in(tmp_path))


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return save_cells(tmp_path / "cells")


@pytest.fixture
def where(app: App, cells: Path) -> str:
    return f"datasets/{app.open(cells)['id']}"


def labels(app: App, where: str) -> dict[str, Any]:
    return {image["image_id"]: image["label"] for image in app.get(f"{in_lists(where)}/rows")["items"]}


def excluded(app: App, where: str) -> list[str]:
    return app.image_ids(where, only="excluded")


def refresh(app: App, where: str) -> None:
    app.send("POST", f"{where}/refresh")
    app.wait(where.removeprefix("datasets/"))


def relabel(app: App, where: str, images: list[str], label: str) -> int:
    return int(app.send("POST", f"{where}/changes", {"images": images, "label": label})["change"])


def undo(app: App, change: int, *, by: str = "undo") -> str | None:
    """None, or the code of the refusal."""
    answer = app.client.post(f"/api/v1/changes/{change}/{by}")
    assert answer.status_code in (200, 409), answer.text
    code: str | None = answer.json().get("code")
    return code


def test_a_label_reaches_its_image_though_files_came_before_it(app: App, where: str, cells: Path) -> None:
    seen = app.image_ids(where)
    save_cell(cells / "flat" / "a_new.png", 500)
    refresh(app, where)
    relabel(app, where, seen[:2], "odd")
    assert [image_id for image_id, label in labels(app, where).items() if label == "odd"] == seen[:2]


def test_a_removed_image_refuses_the_whole_request(app: App, where: str, cells: Path) -> None:
    seen = app.image_ids(where)
    (cells / seen[1]).unlink()
    refresh(app, where)
    before = app.get(where)
    changes: tuple[dict[str, object], ...] = ({"label": "odd"}, {"is_excluded": True}, {"is_confirmed": True})
    for change in changes:
        problem = app.refused("POST", f"{where}/changes", {"images": seen[:3], **change})
        assert (problem["status"], problem["code"], problem["parameters"]) == (409, "images-changed", {"n_missing": 1})
    assert app.get(where) == before
    assert len(app.rows(where, only="confirmed")) == 0


def test_an_undo_takes_back_the_change_that_it_names(app: App, where: str, cells: Path) -> None:
    seen = app.image_ids(where)
    before = labels(app, where)
    first = relabel(app, where, seen[:2], "of the first")
    second = relabel(app, where, seen[4:6], "of the second")
    save_cell(cells / "flat" / "a_new.png", 500)
    refresh(app, where)
    assert undo(app, first) is None
    assert undo(app, first) == "change-gone"  # once
    assert {key: label for key, label in labels(app, where).items() if label == "of the second"}.keys() == {*seen[4:6]}
    relabel(app, where, seen[8:9], "of the second")
    assert undo(app, first, by="redo") is None  # what another client does in between ends no redo
    assert undo(app, first) is None
    assert undo(app, second) is None
    after = labels(app, where)
    assert {key: after[key] for key in before} == {**before, seen[8]: "of the second"}


def test_an_undo_leaves_and_names_what_another_client_labeled(app: App, where: str) -> None:
    seen = app.image_ids(where)
    before = labels(app, where)
    first = relabel(app, where, seen[:3], "of the first")
    second = relabel(app, where, seen[2:3], "of the second")
    step = app.undo(first)
    assert (step["n"], step["n_left"], step["left"]) == (2, 1, app.rows(where)[2:3])
    assert labels(app, where) == {**before, seen[2]: "of the second"}
    assert undo(app, first) == "changed-since"  # only the other image is left
    assert undo(app, second) is None
    assert undo(app, first) is None
    assert labels(app, where) == before
    other = relabel(app, where, seen[:3], "of the second")
    assert undo(app, first, by="redo") == "changed-since"
    assert undo(app, other) is None
    assert undo(app, first, by="redo") is None
    assert labels(app, where) == {**before, **dict.fromkeys(seen[:3], "of the first")}
    relabel(app, where, seen[:3], "of the second")
    relabel(app, where, seen[:3], "of the first")  # the same label again, but chosen by the other client
    assert undo(app, first) == "changed-since"


def test_the_number_of_a_change_whose_images_are_gone_is_never_that_of_another(
    app: App, where: str, cells: Path
) -> None:
    seen = app.image_ids(where)
    first = relabel(app, where, seen[:1], "of the first")
    (cells / seen[0]).unlink()
    refresh(app, where)
    second = relabel(app, where, seen[1:2], "of the second")
    assert second != first
    step = app.undo(first)
    assert (step["n"], step["rows"]) == (1, [])  # the image is missing, and comes back with its own label
    assert labels(app, where)[seen[1]] == "of the second"
    assert [row["label"] for row in label_changes(app.client, f"/api/v1/{where}")] == ["of the second"]


@pytest.mark.exhaustive
def test_an_undo_of_an_exclusion_leaves_what_another_client_excluded(app: App, where: str, cells: Path) -> None:
    seen = app.image_ids(where)

    def exclude(images: list[str], *, is_excluded: bool = True) -> Any:
        return app.send("POST", f"{where}/changes", {"images": images, "is_excluded": is_excluded})

    def undone(change: int) -> tuple[int, int]:
        step = app.undo(change)
        return step["n"], step["n_left"]

    exclude(seen[:1])
    mine = exclude(seen[:4])
    assert mine["n"] == 3
    exclude(seen[3:4])  # another client wants it too
    save_cell(cells / "flat" / "a_new.png", 500)
    refresh(app, where)
    assert undone(mine["change"]) == (2, 1)
    assert excluded(app, where) == [seen[0], seen[3]]
    assert undo(app, mine["change"]) == "changed-since"

    included = exclude(seen, is_excluded=False)
    refresh(app, where)
    assert undone(included["change"]) == (2, 0)
    assert excluded(app, where) == [seen[0], seen[3]]


def test_confirming_records_whose_confirmation_it_was(app: App, where: str) -> None:
    seen = app.image_ids(where)

    all_rows = app.rows(where)

    def confirm(images: list[str], is_confirmed: bool) -> list[str]:
        body = {"images": images, "is_confirmed": is_confirmed}
        rows = app.send("POST", f"{where}/changes", body)["rows"]
        return sorted(seen[all_rows.index(row)] for row in rows)

    assert confirm(seen[:1], True) == seen[:1]
    assert confirm(seen[:3], True) == seen[1:3]
    assert confirm(seen[1:3], False) == seen[1:3]
    assert app.image_ids(where, only="confirmed") == seen[:1]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_corrections_take_back_no_label_and_no_answer_of_another_client(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    images = open_images(workspace, write_cells(tmp_path / "cells", 30))
    run = trained_here(workspace, images, QUICK)
    prediction = predicted_here(workspace, run, images)
    first, second = ids_at(workspace, images, [0, 1])

    def label_of(image_id: str) -> str | None:
        images_now = DatasetImages(workspace, images).page(Filters(), limit=100).items
        return next(image.label for image in images_now if image.image_id == image_id)

    before = label_of(first)
    _, mine = correct(workspace, prediction, 0, "mine")
    _, other = correct(workspace, prediction, 0, "another's")
    with pytest.raises(ChangedSince):
        undoing.undo(workspace, mine or 0)
    assert label_of(first) == "another's"
    undoing.undo(workspace, other or 0)
    assert label_of(first) == "mine"
    undoing.undo(workspace, mine or 0)
    assert label_of(first) == before

    correct(workspace, prediction, 1, "mine")
    set_labels(workspace, images, ImageSelection(images=[second]), "in the gallery")
    correct(workspace, prediction, 1, Exclusion.UNUSABLE)
    assert label_of(second) == "in the gallery"

    row, change = correct_measured(workspace, run, 0, "seen in the test set")
    assert (row.correction, change is None) == ("seen in the test set", False)
    set_labels(workspace, images, ImageSelection(images=[row.image_id]), "in the gallery")
    with pytest.raises(Conflict):
        correct_measured(workspace, run, 0, None)
    assert label_of(row.image_id) == "in the gallery"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_an_answer_that_its_dataset_does_not_take_is_not_saved(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    images = open_images(workspace, write_cells(tmp_path / "cells", 30))
    prediction = predicted_here(workspace, trained_here(workspace, images, QUICK), images)
    with pytest.raises(CoverslipError):
        correct(workspace, prediction, 0, "x" * 201)
    row, change = correct(workspace, prediction, 1, None)
    assert (row.correction, change) == (None, None)
    assert images_of_job(workspace, prediction).counts().n_corrected == 0


def never_answer(route: "Route") -> None:
    """Leave the page waiting for this request."""


@pytest.mark.slow
def test_two_people_label_one_dataset_and_each_undoes_only_the_own_changes(
    page: "Page", context: "BrowserContext", app_server: RunningApp, request: pytest.FixtureRequest
) -> None:
    assert context.browser is not None
    folder = write_cells(app_server.root / request.node.name, 24, classes=("large", "medium", "small"))
    where = f"datasets/{app_server.opened(folder)['id']}"
    ids = [image["image_id"] for image in app_server.get(f"{in_lists(where)}/rows")["items"]]

    def changed() -> dict[str, str]:
        listed = app_server.get(f"{in_lists(where)}/rows")["items"]
        return {image["image_id"]: image["label"] for image in listed if image["label"] != image["label_before"]}

    def until(expected: dict[str, str]) -> None:
        app_server.until(where, lambda listed: listed["n_label_changes"] == len(expected))
        assert changed() == expected

    second_context = context.browser.new_context(base_url=app_server.address, viewport={"width": 1280, "height": 800})
    other = second_context.new_page()
    try:
        for each in (page, other):
            open_page(each, f"/{where}?tab=images")
            each.get_by_role("gridcell").nth(5).wait_for()
        page.get_by_role("gridcell").nth(0).click()
        page.keyboard.press("3")
        until({ids[0]: "small"})
        other.get_by_role("gridcell").nth(2).click()
        other.keyboard.press("2")
        until({ids[0]: "small", ids[2]: "medium"})

        page.keyboard.press("Control+z")
        until({ids[2]: "medium"})
        expect(page.get_by_role("button", name="Undo (Ctrl-Z)")).to_be_disabled()  # the other is not its own
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+Shift+Z")
        until({ids[0]: "small", ids[2]: "medium"})

        # A file comes before all images that both pages show; one of them does not get to know of it.
        for what in ("**/rows*", f"**/{where}"):
            other.route(what, never_answer)
        other.get_by_role("gridcell").nth(4).click()
        (folder / "large" / "0 new.png").write_bytes((folder / ids[0]).read_bytes())
        app_server.send(f"{where}/refresh")
        app_server.until(where, lambda listed: listed["state"] == "ready")
        other.keyboard.press("3")
        until({ids[0]: "small", ids[2]: "medium", ids[4]: "small"})
        page.reload()
        page.get_by_role("gridcell", name="0 new.png").wait_for()
        page.keyboard.press("Control+z")  # outlives the reload
        until({ids[2]: "medium", ids[4]: "small"})
        for left in ({ids[2]: "medium"}, dict[str, str]()):
            other.keyboard.press("Control+z")
            until(left)
    finally:
        second_context.close()
