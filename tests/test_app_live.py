"""Live in the app: predictions by the current labels, orders and filters, and the reserved test set of trainings."""

import csv
import shutil
from pathlib import Path

import pytest
from drawing import save_cell, write_cells
from small_workspace import do_jobs, new_workspace, open_images, until
from sqlalchemy import select

from coverslip.errors import Conflict, NotFound, PreconditionFailed
from coverslip.workspace.cleanup import remove_dataset
from coverslip.workspace.correcting.corrections import exclude
from coverslip.workspace.correcting.undoing import undo
from coverslip.workspace.datasets.labels import set_labels, training_images
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.sources import change_dataset, refresh_dataset
from coverslip.workspace.datasets.state import dataset_state
from coverslip.workspace.live import LiveState, live_state, remove_reserved_test, start_live, stop_live
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.suggestions import compute_suggestions
from coverslip.workspace.viewing import live as viewed_live
from coverslip.workspace.viewing.images import DatasetImages, Filters, Image, digest_of
from coverslip.workspace.viewing.live import live_view

CLASSES = ("small", "large")
N = 48


def cells(tmp_path: Path) -> tuple[Workspace, str]:
    """A workspace, and a dataset of cells of two sizes without labels."""
    write_cells(tmp_path / "cells", N, classes=CLASSES, is_sorted=False)
    workspace = new_workspace(tmp_path)
    return workspace, open_images(workspace, tmp_path / "cells", is_labeled=False)


def switch_on(workspace: Workspace, dataset_id: str) -> LiveState:
    start_live(workspace, dataset_id)
    do_jobs(workspace)
    state = live_state(workspace, dataset_id)
    assert state.error is None
    return state


def listed(workspace: Workspace, dataset_id: str, **filters: str) -> list[Image]:
    return DatasetImages(workspace, dataset_id).page(Filters(**filters), limit=1_000).items  # type: ignore[arg-type]


def class_of(image: Image) -> str:
    return CLASSES[int(image.image_id.rpartition("_")[2].partition(".")[0]) % 2]


def label(workspace: Workspace, dataset_id: str, images: list[Image], name: str | None = None) -> int:
    """Label images with their class, or with a name; the last change."""
    change = None
    for each in images:
        selection = ImageSelection(rows=[each.row_id])
        change, _ = set_labels(workspace, dataset_id, selection, class_of(each) if name is None else name)
    assert change is not None
    return change


@pytest.mark.slow
def test_labels_undo_and_exclusions_change_the_predictions_of_all_others_at_once(tmp_path: Path) -> None:
    workspace, dataset_id = cells(tmp_path)
    assert live_state(workspace, dataset_id).state == "not-requested"
    with pytest.raises(Conflict):
        listed(workspace, dataset_id, sort="certainty")
    state = switch_on(workspace, dataset_id)
    assert (state.state, state.n_fitted, state.classes) == ("ready", 0, [])
    test = {image.row_id for image in listed(workspace, dataset_id, only="reserved")}
    assert len(test) == state.n_reserved > 3
    pool = [image for image in listed(workspace, dataset_id) if image.row_id not in test]

    # No prediction with labels of one class; then all images without a label outside the test set have one.
    first = label(workspace, dataset_id, [image for image in pool if class_of(image) == "small"][:4])
    assert {image.predicted for image in listed(workspace, dataset_id)} == {None}
    assert [(each.name, each.is_left_out) for each in live_state(workspace, dataset_id).classes] == [("small", False)]
    before = label(workspace, dataset_id, [image for image in pool if class_of(image) == "large"][:4])
    images = listed(workspace, dataset_id)
    predicted = [image for image in images if image.predicted is not None]
    assert {image.row_id for image in predicted} == {i.row_id for i in images if i.label is None} - test
    assert sum(class_of(image) == image.predicted for image in predicted) >= 0.8 * len(predicted)
    state = live_state(workspace, dataset_id)
    assert sum(each.n_predicted for each in state.classes) == len(predicted)
    assert state.n_fitted == 8

    # Filters and orders contain the same predictions.
    small = listed(workspace, dataset_id, predicted="small", sort="-certainty")
    assert {i.row_id for i in small} == {i.row_id for i in predicted if i.predicted == "small"}
    order = [image.row_id for image in listed(workspace, dataset_id, sort="certainty", label="")]
    assert [row in test for row in order[:6]] == [False, True] * 3
    most = [image.row_id for image in listed(workspace, dataset_id, sort="-certainty") if image.predicted]
    assert [row for row in order if row not in test] == most[::-1]
    suggested = [image.row_id for image in listed(workspace, dataset_id, only="suggested", sort="suggested")]
    assert [row in test for row in suggested[:4]] == [False, True] * 2

    # Objects on fields have the same predictions.
    everything = select(db.images.c.row_id).where(db.images.c.dataset_id == dataset_id).order_by(db.images.c.position)
    with workspace.engine.connect() as connection:
        on_field = DatasetImages(workspace, dataset_id).labels_of(connection, everything)
    assert on_field.predictions is not None
    shown = [on_field.classes[k] if k >= 0 else None for k in on_field.predictions.predicted]
    assert shown == [image.predicted for image in images]

    # Labels of the test set are counted, not fitted.
    label(workspace, dataset_id, [image for image in images if image.row_id in test])
    state = live_state(workspace, dataset_id)
    assert state.estimate is not None
    assert (state.estimate.n, state.n_fitted, state.n_reserved_labeled) == (len(test), 8, len(test))
    assert state.estimate.n_right >= 0.8 * len(test)
    assert [image.predicted for image in listed(workspace, dataset_id, predicted="small", sort="-certainty")]

    # Undo, and the exclusion of labeled images, are other labels.
    undo(workspace, before)
    assert live_state(workspace, dataset_id).n_fitted == 7
    undo(workspace, first)
    selection = ImageSelection(rows=[i.row_id for i in pool if class_of(i) == "large" and i.row_id not in test])
    exclude(workspace, dataset_id, selection, is_excluded=True)
    assert {image.predicted for image in listed(workspace, dataset_id)} == {None}
    stop_live(workspace, dataset_id)
    assert live_state(workspace, dataset_id).state == "not-requested"
    assert live_state(workspace, dataset_id).n_reserved == len(test)


@pytest.mark.slow
def test_after_a_restart_and_with_new_and_vanished_files_predictions_are_those_of_labels_and_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, dataset_id = cells(tmp_path)
    switch_on(workspace, dataset_id)
    test = {image.row_id for image in listed(workspace, dataset_id, only="reserved")}
    label(workspace, dataset_id, [i for i in listed(workspace, dataset_id) if i.row_id not in test][:8])
    before = {image.image_id: image.predicted for image in listed(workspace, dataset_id)}
    viewed_live._loaded.clear()  # as after a restart, or for another dataset
    assert {image.image_id: image.predicted for image in listed(workspace, dataset_id)} == before

    vanished = next(name for name, predicted in before.items() if predicted is not None)
    (tmp_path / "cells" / vanished).unlink()
    save_cell(tmp_path / "cells" / "slide0_1000.png", 5)
    refresh_dataset(workspace, dataset_id)
    until(lambda: dataset_state(workspace, dataset_id).state != "reading")
    after = {image.image_id: image.predicted for image in listed(workspace, dataset_id)}
    assert after == {**{k: v for k, v in before.items() if k != vanished}, "slide0_1000.png": None}
    state = live_state(workspace, dataset_id)
    assert (state.state, state.n_missing) == ("outdated", 1)
    switch_on(workspace, dataset_id)
    assert live_state(workspace, dataset_id).n_missing == 0

    # Overwritten images are not predicted, but not missing either: users decide on them first.
    save_cell(tmp_path / "cells" / next(name for name, predicted in after.items() if predicted is None), 7)
    refresh_dataset(workspace, dataset_id)
    until(lambda: dataset_state(workspace, dataset_id).state != "reading")
    switch_on(workspace, dataset_id)
    with workspace.engine.connect() as connection:
        assert connection.execute(select(db.images.c.row_id).where(db.images.c.content_before.is_not(None))).all()
    assert live_state(workspace, dataset_id).n_missing == 0

    # The memory for features is bounded: the dataset used least recently is read again.
    monkeypatch.setattr(viewed_live, "MOST_BYTES", 1)
    shutil.copytree(tmp_path / "cells", tmp_path / "others")
    other = open_images(workspace, tmp_path / "others", is_labeled=False)
    switch_on(workspace, other)
    live_state(workspace, other)
    assert [key[1] for key in viewed_live._loaded] == [other]
    assert live_state(workspace, dataset_id).n_fitted == 7  # the overwritten image had a label
    stop_live(workspace, dataset_id)
    assert not [key for key in viewed_live._loaded if key[1] == dataset_id]
    live_state(workspace, other)
    remove_dataset(workspace, other)
    assert not viewed_live._loaded


@pytest.mark.slow
def test_all_images_that_live_lists_can_be_selected_and_other_images_are_refused(tmp_path: Path) -> None:
    workspace, dataset_id = cells(tmp_path)
    switch_on(workspace, dataset_id)
    test = {image.row_id for image in listed(workspace, dataset_id, only="reserved")}
    label(workspace, dataset_id, [i for i in listed(workspace, dataset_id) if i.row_id not in test][:8])
    images = DatasetImages(workspace, dataset_id)
    for filters in (
        Filters(only="suggested", sort="suggested"),
        Filters(label="", sort="certainty"),
        Filters(predicted="small", sort="-certainty"),
    ):
        rows = images.row_ids(filters)
        selection = ImageSelection(filters=filters, n_listed=len(rows), digest=digest_of(rows))
        change, n = set_labels(workspace, dataset_id, selection, "large")
        assert n == len(rows) > 0
        assert set(rows.tolist()) <= {image.row_id for image in listed(workspace, dataset_id, label="large")}
        with pytest.raises(PreconditionFailed):  # none matches any more
            exclude(workspace, dataset_id, selection, is_excluded=True)
        assert change is not None
        undo(workspace, change)


@pytest.mark.slow
def test_other_groups_and_names_are_those_of_the_dataset_at_once(tmp_path: Path) -> None:
    workspace, dataset_id = cells(tmp_path)
    switch_on(workspace, dataset_id)
    before = live_view(workspace, dataset_id)
    assert before is not None
    assert set(before.live.images.groups) == {None}
    change_dataset(workspace, dataset_id, {"group_pattern": r"(slide\d+)"})
    until(lambda: dataset_state(workspace, dataset_id).state != "reading")
    grouped = live_view(workspace, dataset_id)
    assert grouped is not None
    assert grouped.live.images.groups == tuple(image.group for image in listed(workspace, dataset_id))
    assert None not in grouped.live.images.groups
    # Each group has test images: no label is fitted, for another reason than that there is none.
    test = {image.row_id for image in listed(workspace, dataset_id, only="reserved")}
    label(workspace, dataset_id, [image for image in listed(workspace, dataset_id) if image.row_id not in test][:3])
    state = live_state(workspace, dataset_id)
    assert (state.n_fitted, state.n_tied) == (0, 3)

    (tmp_path / "cells" / before.image_ids[0]).rename(tmp_path / "cells" / f"slide9_{N}.png")
    refresh_dataset(workspace, dataset_id)
    until(lambda: dataset_state(workspace, dataset_id).state != "reading")
    renamed = live_view(workspace, dataset_id)
    assert renamed is not None
    assert set(renamed.row_ids) == set(before.row_ids)
    assert set(renamed.image_ids) == {image.image_id for image in listed(workspace, dataset_id)}


def splits(workspace: Workspace, dataset_id: str) -> dict[str, str]:
    """The set of each image in the table of a training, which is empty if coverslip chooses it."""
    (file,) = training_images(workspace, dataset_id).sources
    with Path(file).open(newline="", encoding="utf-8") as opened:
        return {row["image_id"]: row.get("split", "") for row in csv.DictReader(opened)}


@pytest.mark.slow
def test_the_reserved_test_set_is_that_of_trainings(tmp_path: Path) -> None:
    workspace, dataset_id = cells(tmp_path)
    first = listed(workspace, dataset_id)[:4]
    label(workspace, dataset_id, first)
    switch_on(workspace, dataset_id)
    reserved = {image.image_id for image in listed(workspace, dataset_id, only="reserved")}
    assert not reserved & {image.image_id for image in first}  # they were not drawn at random

    # Without labeled images of the test set, a training chooses its own.
    assert set(splits(workspace, dataset_id).values()) == {""}
    of_test = sorted(reserved)[:2]
    set_labels(workspace, dataset_id, ImageSelection(images=of_test), "small")
    assert {image_id for image_id, split in splits(workspace, dataset_id).items() if split == "test"} == set(of_test)

    # Images that are added belong to the test set or not, and no image changes its side.
    write_cells(tmp_path / "cells", N + 20, classes=CLASSES, is_sorted=False)
    refresh_dataset(workspace, dataset_id)
    until(lambda: dataset_state(workspace, dataset_id).state != "reading")
    switch_on(workspace, dataset_id)
    reserved_now = {image.image_id for image in listed(workspace, dataset_id, only="reserved")}
    assert reserved < reserved_now
    assert not reserved_now & {image.image_id for image in first}

    remove_reserved_test(workspace, dataset_id)
    assert set(splits(workspace, dataset_id).values()) == {""}
    assert live_state(workspace, dataset_id).state == "not-requested"
    assert not listed(workspace, dataset_id, only="reserved")
    with pytest.raises(NotFound):
        live_state(workspace, "nowhere")


@pytest.mark.exhaustive
def test_the_test_set_stays_while_features_are_computed(tmp_path: Path) -> None:
    workspace, dataset_id = cells(tmp_path)
    start_live(workspace, dataset_id)
    with pytest.raises(Conflict):
        remove_reserved_test(workspace, dataset_id)
    do_jobs(workspace)
    state = live_state(workspace, dataset_id)
    assert (state.state, state.error) == ("ready", None)
    assert state.n_reserved == len(listed(workspace, dataset_id, only="reserved")) > 3


def test_groups_of_several_sources_are_suggested_by_the_paths_that_patterns_see(tmp_path: Path) -> None:
    workspace = new_workspace(tmp_path)
    for k in range(64):
        lab, slide = "xy"[k // 32], k % 4
        save_cell(tmp_path / lab / "ab"[k // 4 % 2] / f"s{lab}{slide}" / f"{k}.png", k)
    dataset = open_images(workspace, tmp_path / "x", tmp_path / "y")
    suggested = [(each.pattern, each.n_groups) for each in compute_suggestions(workspace, dataset)]
    assert (r"^(?:[^/]+/){1}([^/]+)/", 8) in suggested
