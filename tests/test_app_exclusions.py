"""Duplicates can be excluded from a dataset, and included again."""

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import RunningApp, open_page
from drawing import save_cell
from image_sets import ids_at, images_at, positions_of
from PIL import Image, ImageOps
from playwright.sync_api import expect
from small_workspace import QUICK, new_workspace, open_images, trained_here, write_cells
from sqlalchemy import select

from coverslip.datasets.columns import TableChoices
from coverslip.errors import Conflict
from coverslip.messages import text
from coverslip.reports.reported import read_run
from coverslip.reports.sections.methods import methods
from coverslip.reports.verdict import verdict_of_run
from coverslip.synthetic_cells import write_sample_images
from coverslip.workspace.correcting import undoing
from coverslip.workspace.correcting.corrections import exclude, exclude_by_job, excluded_by_job
from coverslip.workspace.datasets import grouping, labels, reading_images, sources
from coverslip.workspace.datasets.reading_images import removable_duplicates
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.state import DatasetState, dataset_state
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.change_log import add_change
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import ChangedSince
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import Filters

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

pytestmark = pytest.mark.slow


def with_near_duplicates(folder: Path) -> Path:
    """30 cells; of three of the class `large` there is a copy, of one cell one that is called `medium`."""
    cells = write_cells(folder, 30)
    for file in sorted((cells / "large").iterdir())[:3]:
        shutil.copy(file, file.with_name(f"copy of {file.name}"))
    shutil.copy(sorted((cells / "large").iterdir())[-1], cells / "medium" / "doubtful.png")
    return cells


@pytest.fixture
def copies(tmp_path: Path) -> tuple[Workspace, str]:
    workspace = new_workspace(tmp_path)
    return workspace, open_images(workspace, with_near_duplicates(tmp_path / "cells"))


def count_of(state: DatasetState, name: str) -> int:
    return next(each.n for each in state.classes if each.name == name)


def codes(workspace: Workspace, dataset_id: str) -> set[str]:
    return {finding.code for finding in reading_images.inspection(workspace, dataset_id).findings}


def test_of_duplicates_with_one_label_all_but_the_first_are_removable() -> None:
    label_of = {"a": "x", "b": "x", "c": "x", "d": "x", "e": "y", "f": None, "g": None, "h": None}
    clusters = [("a", "b", "c"), ("d", "e"), ("f", "g"), ("a", "h")]
    assert removable_duplicates(clusters, label_of) == ["b", "c", "g"]


def test_excluded_images_are_neither_counted_nor_trained_on_until_they_are_included_again(
    copies: tuple[Workspace, str],
) -> None:
    workspace, dataset_id = copies
    before = dataset_state(workspace, dataset_id)
    duplicates = reading_images.inspection(workspace, dataset_id).removable_duplicates["duplicates"]
    exclude(workspace, dataset_id, ImageSelection(images=duplicates), is_excluded=True)

    state = dataset_state(workspace, dataset_id)
    assert (state.n_images, state.n_excluded) == (before.n_images, 3)
    assert count_of(state, "large") == count_of(before, "large") - 3
    assert state.n_labeled == before.n_labeled - 3
    assert ids_at(workspace, dataset_id, positions_of(workspace, dataset_id, Filters(only="excluded"))) == duplicates
    assert positions_of(workspace, dataset_id, Filters(only="duplicate")) == []
    assert len(positions_of(workspace, dataset_id, Filters(only="conflicting"))) == 2
    finding_codes = codes(workspace, dataset_id)
    assert "duplicates" not in finding_codes
    assert "conflicting-labels" in finding_codes

    run = trained_here(workspace, dataset_id, QUICK)
    reported = read_run(find_job(workspace, run).folder)
    assert f"Of {before.n_images} images found, " in methods(reported)[0]
    assert f"3 {text('excluded-by-hand')}" in methods(reported)[0]
    claims = [reason.claim for reason in verdict_of_run(reported).reasons]
    assert "3 images of the dataset were excluded by users." in claims
    exported = "".join(labels.table_lines(workspace, dataset_id))
    assert exported.count(",excluded") == 3  # as `coverslip train` reads it

    sources.refresh_dataset(workspace, dataset_id)
    workspace.background.wait_all()
    assert dataset_state(workspace, dataset_id).n_excluded == 3

    exclude(workspace, dataset_id, ImageSelection(images=duplicates), is_excluded=False)
    state_now = dataset_state(workspace, dataset_id)
    assert (state_now.classes, state_now.n_excluded) == (before.classes, 0)
    assert "duplicates" in codes(workspace, dataset_id)


def test_groups_are_previewed_without_excluded_images(copies: tuple[Workspace, str], tmp_path: Path) -> None:
    workspace, dataset_id = copies
    before = grouping.preview_groups(workspace, dataset_id, pattern=r"slide\d+", column=None)
    exclude(workspace, dataset_id, images_at(workspace, dataset_id, [0, 1, 2]), is_excluded=True)
    after = grouping.preview_groups(workspace, dataset_id, pattern=r"slide\d+", column=None)
    assert sum(group.n for group in before.largest) - sum(group.n for group in after.largest) == 3
    assert after.refusal is None

    table = tmp_path / "cells.csv"
    rows = [f"{file},{file.parent.name},{file.name[:6]}" for file in sorted((tmp_path / "cells").rglob("*.png"))]
    table.write_text("\n".join(["path,label,slide", *rows]))
    of_table = open_images(workspace, table)
    exclude(workspace, of_table, images_at(workspace, of_table, [0]), is_excluded=True)
    by_column = grouping.preview_groups(workspace, of_table, pattern=None, column="slide")
    assert sum(group.n for group in by_column.largest) + by_column.n_unmatched == len(rows) - 1


def test_the_groups_of_now_are_previewed_where_none_are_named(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    cells = write_cells(tmp_path / "cells", 12)
    rows = [f"{file},{x},20,{file.parent.name}" for file in sorted(cells.rglob("*.png")) for x in (16, 24)]
    (tmp_path / "points.csv").write_text("\n".join(["path,x,y,label", *rows]))
    of_files = open_images(workspace, tmp_path / "points.csv", choices=TableChoices(crop_size=16))
    proposal = grouping.preview_groups(workspace, of_files, pattern=None, column=None)
    assert dataset_state(workspace, of_files).groups.by == "file"
    assert (proposal.n_groups, proposal.n_unmatched) == (12, 0)
    assert {group.n for group in proposal.largest} == {2}
    by_slide = open_images(workspace, cells, group_pattern=r"slide\d+")
    preview = grouping.preview_groups(workspace, by_slide, pattern=r"slide\d+", column=None)
    assert grouping.preview_groups(workspace, by_slide, pattern=None, column=None).largest == preview.largest


def test_near_duplicates_are_searched_again_after_an_exclusion_in_a_prediction(copies: tuple[Workspace, str]) -> None:
    workspace, dataset_id = copies
    workspace.background.wait_all()
    (row,) = images_at(workspace, dataset_id, [0]).rows or ()
    by_monday(workspace, dataset_id, [row], is_excluded=True)
    for _ in range(2):  # the first request of a page starts the search
        reading_images.inspection(workspace, dataset_id)
        workspace.background.wait_all()
    assert reading_images.inspection(workspace, dataset_id).are_copies_known


def by_monday(workspace: Workspace, dataset_id: str, rows: Collection[int], *, is_excluded: bool) -> None:
    """Exclude or include images as a prediction does."""
    with write_transaction(workspace.engine) as connection:
        change = add_change(connection, dataset_id, "monday")
        exclude_by_job(connection, dataset_id, rows, change, is_excluded=is_excluded, job_id="monday")


def exclusion(workspace: Workspace, row: int) -> tuple[bool, bool]:
    """Whether an image is excluded, and whether the prediction excluded it."""
    with workspace.engine.connect() as connection:
        is_excluded = connection.execute(select(db.images.c.is_excluded).where(db.images.c.row_id == row)).scalar_one()
        return is_excluded, row in excluded_by_job(connection, "monday")


def test_an_undone_inclusion_leaves_the_exclusion_to_the_prediction_that_made_it(copies: tuple[Workspace, str]) -> None:
    workspace, dataset_id = copies
    image = images_at(workspace, dataset_id, [0])
    (row,) = image.rows or ()
    by_monday(workspace, dataset_id, [row], is_excluded=True)
    included, _ = exclude(workspace, dataset_id, image, is_excluded=False)
    excluded, _ = exclude(workspace, dataset_id, image, is_excluded=True)
    undoing.undo(workspace, excluded or 0)
    assert exclusion(workspace, row) == (False, True)
    undoing.undo(workspace, included or 0)
    assert exclusion(workspace, row) == (True, True)
    by_monday(workspace, dataset_id, [row], is_excluded=False)
    assert exclusion(workspace, row) == (False, False)


def test_no_undo_restores_an_exclusion_whose_prediction_has_withdrawn_it(copies: tuple[Workspace, str]) -> None:
    workspace, dataset_id = copies
    rows = images_at(workspace, dataset_id, [0, 1]).rows or []
    by_monday(workspace, dataset_id, rows, is_excluded=True)
    included, _ = exclude(workspace, dataset_id, ImageSelection(rows=rows), is_excluded=False)
    exclude(workspace, dataset_id, ImageSelection(rows=rows[1:]), is_excluded=True)
    by_monday(workspace, dataset_id, rows, is_excluded=False)
    assert exclusion(workspace, rows[0]) == (False, False)
    assert exclusion(workspace, rows[1]) == (True, False)  # by the gallery
    with pytest.raises(ChangedSince):
        undoing.undo(workspace, included or 0)
    exclude(workspace, dataset_id, ImageSelection(rows=rows[1:]), is_excluded=False)
    assert dataset_state(workspace, dataset_id).n_excluded == 0


def test_a_withdrawn_exclusion_of_an_image_included_since_needs_no_unchanged_file(
    copies: tuple[Workspace, str],
) -> None:
    workspace, dataset_id = copies
    rows = images_at(workspace, dataset_id, [0]).rows or []
    by_monday(workspace, dataset_id, rows, is_excluded=True)
    exclude(workspace, dataset_id, ImageSelection(rows=rows), is_excluded=False)
    image = db.images.c
    with workspace.engine.connect() as connection:
        file = Path(connection.execute(select(image.path).where(image.row_id.in_(rows))).scalar_one())
    file.write_bytes(b"changed")
    by_monday(workspace, dataset_id, rows, is_excluded=False)
    assert exclusion(workspace, rows[0]) == (False, False)
    with pytest.raises(Conflict):
        by_monday(workspace, dataset_id, rows, is_excluded=True)


@pytest.mark.exhaustive
def test_duplicates_are_excluded_from_checks_and_included_again(page: "Page", app_server: RunningApp) -> None:
    images: dict[str, Any] = app_server.opened(with_near_duplicates(app_server.root / "with copies"))
    open_page(page, f"/datasets/{images['id']}?tab=checks")
    page.get_by_role("button", name="Exclude 3 duplicates").click()
    page.get_by_role("heading", name="Excluded 3").wait_for()
    page.get_by_text("Solved: Same pixels, same class").wait_for()
    page.get_by_role("button", name="Include the images").click()
    page.get_by_role("button", name="Exclude 3 duplicates").wait_for()


def test_selected_images_are_excluded_and_one_of_them_is_included_in_the_viewer(
    page: "Page", app_server: RunningApp
) -> None:
    dataset = f"datasets/{app_server.opened(write_cells(app_server.root / 'selected', 9))['id']}"
    open_page(page, f"/{dataset}?tab=images")
    page.get_by_role("gridcell").nth(0).click()
    page.get_by_role("gridcell").nth(1).click(modifiers=["Shift"])
    page.get_by_role("button", name="Exclude from training").click()
    page.get_by_text("2 images are excluded.").wait_for()
    assert app_server.get(dataset)["n_excluded"] == 2
    page.get_by_role("gridcell").nth(0).dblclick()
    viewer = page.get_by_role("dialog")
    expect(viewer.get_by_text("Excluded: not counted")).to_be_visible()
    viewer.get_by_role("button", name="Include").click()
    expect(viewer.get_by_text("Excluded: not counted")).to_be_hidden()
    assert app_server.get(dataset)["n_excluded"] == 1
    viewer.get_by_role("button", name="Undo", exact=True).click()
    expect(viewer.get_by_text("Excluded: not counted")).to_be_visible()
    assert app_server.get(dataset)["n_excluded"] == 2


def test_a_conflict_is_decided_by_one_of_its_classes_and_its_card_stays_as_solved(
    page: "Page", app_server: RunningApp
) -> None:
    cells = with_near_duplicates(app_server.root / "in conflict")
    shutil.copy(sorted((cells / "large").iterdir())[-2], cells / "medium" / "other.png")
    dataset = f"datasets/{app_server.opened(cells)['id']}"
    app_server.send(dataset, {"class_plan": {"rename": {"medium": "mid"}}}, "PATCH")
    open_page(page, f"/{dataset}?tab=checks")
    cards = page.locator("section.finding")
    expect(cards.first).to_contain_text("Same pixels, different classes")
    cards.first.get_by_role("button", name="Enlarge").last.click()
    dialog = page.get_by_role("dialog", name="Compare the images")
    expect(dialog.get_by_role("img")).to_have_count(2)
    page.keyboard.press("Escape")
    sets = cards.first.get_by_role("listitem")
    second = sets.nth(1).inner_text()
    sets.nth(0).get_by_role("group", name="Right class:").get_by_role("button", name="large").click()
    expect(sets.nth(0)).to_contain_text("Solved")
    assert sets.nth(1).inner_text() == second  # no other set came under the pointer
    before = {each["name"]: each["n"] for each in app_server.get(dataset)["classes"]}
    cards.first.get_by_role("group", name="Right class:").get_by_role("button", name="medium").click()
    expect(cards.first).to_contain_text("Solved: Same pixels, different classes")
    expect(cards.first).to_be_focused()
    expect(cards.first.get_by_role("group", name="Right class:")).to_have_count(0)
    for images, label in zip(sets.all(), ("large", "medium"), strict=True):
        expect(images.locator("figure", has_text="used in training")).to_contain_text(label)
        expect(images.locator("figure", has_text="excluded")).to_have_count(1)
    after = {each["name"]: each["n"] for each in app_server.get(dataset)["classes"]}
    assert after == before | {"large": before["large"] - 1}  # the copy is excluded, not a duplicate
    page.get_by_role("button", name="Undo").click()
    expect(cards.first.get_by_role("group", name="Right class:")).to_be_visible()
    assert {each["name"]: each["n"] for each in app_server.get(dataset)["classes"]} == before
    cards.first.get_by_role("button", name="Enlarge").last.click()
    dialog.get_by_role("group", name="Right class:").get_by_role("button", name="medium").click()
    expect(cards.first).to_contain_text("Solved: Same pixels, different classes")
    assert {each["name"]: each["n"] for each in app_server.get(dataset)["classes"]} == after


def test_near_duplicates_are_not_solved_while_they_are_searched_again(page: "Page", app_server: RunningApp) -> None:
    folder = app_server.root / "alike"
    broken = write_sample_images(folder, n_images=60).broken
    for file in [each for each in sorted(folder.rglob("*.png")) if each not in broken][3::7][:2]:
        ImageOps.mirror(Image.open(file)).save(file.with_name(f"copy of {file.name}"))
    dataset = f"datasets/{app_server.opened(folder)['id']}"
    app_server.until(f"{dataset}/inspection", lambda inspection: inspection["are_copies_known"])

    def search(route: "Route") -> None:
        """Answer as while near-duplicates are searched."""
        response = route.fetch()
        findings = [finding for finding in response.json()["findings"] if finding["code"] != "near-duplicates"]
        state = {"findings": findings, "are_copies_known": False, "is_searching_duplicates": True}
        route.fulfill(response=response, json=response.json() | state)

    open_page(page, f"/{dataset}?tab=checks")
    card = page.locator("section.finding").filter(has=page.get_by_role("heading", name="Near-duplicates"))
    card.get_by_role("button", name="Enlarge").nth(1).wait_for()
    page.route("**/inspection", search)
    card.get_by_role("button", name="Enlarge").first.click()
    page.get_by_role("button", name="Exclude this image").first.click()
    page.get_by_role("status").get_by_text("searching for near-duplicates").wait_for()
    expect(card).to_contain_text("Checking again")
    expect(page.get_by_text("Solved: Near-duplicates")).to_have_count(0)
    page.unroute("**/inspection")
    app_server.send(dataset, {"name": "alike, checked"}, "PATCH")
    card.get_by_role("button", name="Enlarge").first.wait_for()


@pytest.mark.exhaustive
def test_labels_of_overwritten_images_are_kept_or_dropped_in_checks(page: "Page", app_server: RunningApp) -> None:
    folder = write_cells(app_server.root / "overwritten", 12)
    images: dict[str, Any] = app_server.opened(folder)
    files = sorted(folder.rglob("*.png"))[:2]
    for is_kept in (True, False):
        ids = [str(file.relative_to(folder)) for file in files]
        app_server.send(f"datasets/{images['id']}/changes", {"images": ids, "label": "other"})
        for k, file in enumerate(files):
            save_cell(file, seed=100 + 2 * is_kept + k)
        app_server.send(f"datasets/{images['id']}/refresh")
        app_server.until(f"datasets/{images['id']}", lambda dataset: dataset["state"] == "ready")
        open_page(page, f"/datasets/{images['id']}?tab=checks")
        heading = page.get_by_role("heading", name="Overwritten since they were labeled")
        for is_last in (False, True):
            page.get_by_role("heading", name="Overwritten since they were labeled 2").wait_for()
            if is_kept:
                page.get_by_role("button", name="Keep the labels of 2 images").click()
            else:
                page.get_by_role("button", name="Drop the labels of 2 images").click()
                page.get_by_role("dialog").get_by_role("button", name="Drop the labels of 2 images").click()
            heading.wait_for(state="detached")
            if not is_last:
                page.get_by_role("button", name="Undo").click()
        state = app_server.get(f"datasets/{images['id']}")
        assert {each["name"]: each["n"] for each in state["classes"]}["other"] == (2 if is_kept else 0)
        assert state["n_missing"] == (0 if is_kept else 2)
