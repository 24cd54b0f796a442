"""Requests on one dataset at the same moment: nothing is mixed, and nothing is lost."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from image_sets import images_at, workspace_in
from small_workspace import QUICK, once_before, open_images, write_cells
from sqlalchemy import select

from coverslip.errors import BadDataset, Conflict
from coverslip.workspace import suggestions
from coverslip.workspace.correcting.corrections import exclude
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.grouping import compute_group_preview
from coverslip.workspace.datasets.labels import set_labels
from coverslip.workspace.datasets.sources import Source, change_dataset, refresh_dataset
from coverslip.workspace.datasets.state import dataset_state, list_datasets
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.store.rows import Paging, keys_in
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.trainings.queueing import compute_split_preview, queue_training

FACTS = "SELECT image_facts.facts"


def open_cells(home: Workspace, folder: Path, n: int = 12) -> str:
    dataset_id = open_images(home, write_cells(folder, n))
    home.background.wait_all()
    return dataset_id


def exclude_first(home: Workspace, dataset_id: str) -> None:
    exclude(home, dataset_id, images_at(home, dataset_id, [0]), is_excluded=True)


@pytest.mark.parametrize(
    ("before", "late"),
    [
        ("SELECT images.path, ", refresh_dataset),
        ("SELECT images.shown_path", lambda *dataset: change_dataset(*dataset, {"group_pattern": "slide(1)"})),
    ],
)
def test_images_of_former_sources_do_not_replace_those_of_new_ones(
    tmp_path: Path, before: str, late: Callable[[Workspace, str], object]
) -> None:
    home, other = workspace_in(tmp_path), write_cells(tmp_path / "other", 9)
    dataset_id = open_cells(home, tmp_path / "cells")
    new = {"sources": [{"path": str(other)}], "group_pattern": r"slide\d"}
    with pytest.raises(Conflict) as refused, once_before(home, before, lambda: change_dataset(home, dataset_id, new)):
        late(home, dataset_id)
    assert refused.value.code == "dataset-changed-meanwhile"
    home.background.wait_all()
    state = dataset_state(home, dataset_id)
    assert ([each.path for each in state.sources], state.groups.value) == ([str(other)], r"slide\d")
    with home.engine.connect() as connection:
        query = select(images.c.path).where(images.c.dataset_id == dataset_id)
        paths = set(connection.execute(query).scalars())
    assert paths == {str(file) for file in other.rglob("*.png")}


@pytest.mark.slow
def test_a_training_knows_the_rows_of_the_images_in_its_table(tmp_path: Path) -> None:
    home, other = workspace_in(tmp_path), write_cells(tmp_path / "other", 9)
    dataset_id = open_cells(home, tmp_path / "cells", 30)
    set_labels(home, dataset_id, images_at(home, dataset_id, [0]), "medium")
    both = {"sources": [{"path": str(tmp_path / "cells")}, {"path": str(other)}]}  # images get other IDs
    with once_before(home, "SELECT images.image_id, images.row_id", lambda: change_dataset(home, dataset_id, both)):
        job = find_job(home, queue_training(home, dataset_id=dataset_id, name=None, recipe=QUICK))
    with Path(job.command[-1]).open(newline="") as table:
        names = {row["image_id"] for row in csv.DictReader(table)}
    assert keys_in(job.image_keys).keys() == names


def test_excluding_an_image_while_the_last_images_are_read_fails_nothing(tmp_path: Path) -> None:
    home, cells = workspace_in(tmp_path), write_cells(tmp_path / "cells", 12)
    with once_before(home, FACTS, lambda: exclude_first(home, list_datasets(home, Paging()).items[0].id)):
        dataset_id = sources.open_sources(home, [Source(str(cells))]).id
        home.background.wait_all()
    state = dataset_state(home, dataset_id)
    assert (state.state, state.error, state.n_excluded) == ("ready", None, 1)


@pytest.mark.parametrize(
    ("before", "compute"),
    [
        (FACTS, suggestions.compute_suggestions),
        (FACTS, lambda *dataset: compute_split_preview(*dataset, QUICK, allow_leakage=False, repeats_run=None)),
        ("SELECT images.shown_path", lambda *dataset: compute_group_preview(*dataset, pattern=r"slide\d", column=None)),
    ],
)
def test_a_preview_is_of_the_images_at_one_moment(
    tmp_path: Path, before: str, compute: Callable[[Workspace, str], object]
) -> None:
    home = workspace_in(tmp_path)
    dataset_id = open_cells(home, tmp_path / "cells", 30)
    expected = compute(home, dataset_id)
    with once_before(home, before, lambda: exclude_first(home, dataset_id)):
        assert compute(home, dataset_id) == expected


def test_of_a_refused_change_nothing_is_made(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    dataset_id = open_cells(home, tmp_path / "cells")
    before = dataset_state(home, dataset_id)
    pixels = {"series": 0, "t": 0, "z": "max", "channels": None, "level": 0}
    with pytest.raises(BadDataset):
        change_dataset(home, dataset_id, {"pixels": pixels, "group_pattern": "(((", "name": "new"})
    assert dataset_state(home, dataset_id) == before


def test_other_pixels_and_groups_are_set_by_one_change(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    dataset_id = open_cells(home, tmp_path / "cells")
    pixels = {"series": 0, "t": 0, "z": "max", "channels": None, "level": 0}
    change_dataset(home, dataset_id, {"pixels": pixels, "group_pattern": r"slide\d", "name": "new"})
    home.background.wait_all()
    state = dataset_state(home, dataset_id)
    assert (state.name, state.state, state.groups.value) == ("new", "ready", r"slide\d")
    assert state.pixels is not None
    assert state.pixels.z == "max"
