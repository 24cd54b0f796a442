"""Suggestions of images to label in the app, and the reserved test set of trainings."""

import csv
from pathlib import Path

import pytest
from drawing import save_cell
from small_workspace import do_jobs, new_workspace, open_images, until, write_cells

from coverslip.errors import Conflict, NotFound
from coverslip.workspace.datasets.labels import set_labels, training_images
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.sources import refresh_dataset
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.suggestions import (
    LabelSuggestions,
    compute_suggestions,
    remove_reserved_test,
    start_suggestions,
    suggestions_state,
)
from coverslip.workspace.viewing.images import DatasetImages, Filters


def suggest(workspace: Workspace, dataset_id: str, n: int) -> LabelSuggestions:
    start_suggestions(workspace, dataset_id, n)
    do_jobs(workspace)
    state = suggestions_state(workspace, dataset_id)
    assert state.error is None
    return state


def splits(workspace: Workspace, dataset_id: str) -> dict[str, str]:
    """The set of each image in the table of a training, which is empty if coverslip chooses it."""
    (file,) = training_images(workspace, dataset_id).sources
    with Path(file).open(newline="", encoding="utf-8") as opened:
        return {row["image_id"]: row.get("split", "") for row in csv.DictReader(opened)}


@pytest.mark.slow
def test_suggestions_leave_a_test_set_for_trainings(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 40)
    workspace = new_workspace(tmp_path)
    dataset_id = open_images(workspace, tmp_path / "cells", is_labeled=False)
    assert suggestions_state(workspace, dataset_id).state == "not-requested"

    state = suggest(workspace, dataset_id, 6)
    suggested = [each.image_id for each in state.suggestions]
    listed = DatasetImages(workspace, dataset_id).page(Filters(only="suggested", sort="suggested"), limit=100).items
    assert [image.image_id for image in listed] == suggested
    reserved = {
        image.image_id for image in DatasetImages(workspace, dataset_id).page(Filters(only="reserved"), limit=100).items
    }
    assert len(reserved) == state.n_reserved > 0
    assert not reserved & set(suggested)

    # Without labeled images of the test set, a training chooses its own.
    set_labels(workspace, dataset_id, ImageSelection(images=suggested), "large")
    assert set(splits(workspace, dataset_id).values()) == {""}
    of_test = sorted(reserved)[:2]
    set_labels(workspace, dataset_id, ImageSelection(images=of_test), "medium")
    assert {image_id for image_id, split in splits(workspace, dataset_id).items() if split == "test"} == set(of_test)
    state = suggestions_state(workspace, dataset_id)
    assert (state.n_labeled, state.n_reserved_labeled) == (6, 2)

    # Images that are added belong to the test set or not, and no image changes its side.
    write_cells(tmp_path / "cells", 60)
    refresh_dataset(workspace, dataset_id)
    until(lambda: dataset_state(workspace, dataset_id).state != "reading")
    assert dataset_state(workspace, dataset_id).n_images == 60
    more = suggest(workspace, dataset_id, 6)
    reserved_now = {
        image.image_id for image in DatasetImages(workspace, dataset_id).page(Filters(only="reserved"), limit=100).items
    }
    assert reserved < reserved_now
    assert not reserved_now & {each.image_id for each in more.suggestions}
    assert not set(suggested) & (reserved_now | {each.image_id for each in more.suggestions})

    remove_reserved_test(workspace, dataset_id)
    assert set(splits(workspace, dataset_id).values()) == {""}
    assert suggestions_state(workspace, dataset_id).state == "not-requested"
    assert len(DatasetImages(workspace, dataset_id).row_ids(Filters(only="reserved"))) == 0


def test_a_dataset_with_all_labels_has_nothing_to_suggest(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 12)
    workspace = new_workspace(tmp_path)
    dataset_id = open_images(workspace, tmp_path / "cells")
    start_suggestions(workspace, dataset_id, 6)
    do_jobs(workspace)
    state = suggestions_state(workspace, dataset_id)
    assert state.error is not None
    assert state.error.code == "no-image-to-suggest"
    assert state.n_reserved == 0
    with pytest.raises(NotFound):
        suggestions_state(workspace, "nowhere")


@pytest.mark.exhaustive
def test_the_test_set_stays_while_images_are_chosen(tmp_path: Path) -> None:
    write_cells(tmp_path / "cells", 12)
    workspace = new_workspace(tmp_path)
    dataset_id = open_images(workspace, tmp_path / "cells", is_labeled=False)
    start_suggestions(workspace, dataset_id, 2)
    with pytest.raises(Conflict):
        remove_reserved_test(workspace, dataset_id)
    do_jobs(workspace)


def test_groups_of_several_sources_are_suggested_by_the_paths_that_patterns_see(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    for k in range(64):
        lab, slide = "xy"[k // 32], k % 4
        save_cell(tmp_path / lab / "ab"[k // 4 % 2] / f"s{lab}{slide}" / f"{k}.png", k)
    dataset = open_images(workspace, tmp_path / "x", tmp_path / "y")
    suggested = [(each.pattern, each.n_groups) for each in compute_suggestions(workspace, dataset)]
    assert (r"^(?:[^/]+/){1}([^/]+)/", 8) in suggested
