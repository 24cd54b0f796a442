"""Pages of a gallery of many images."""

import tracemalloc
from pathlib import Path

import pytest
from drawing import save_cells
from image_sets import workspace_in
from sqlalchemy import insert, select

from coverslip.workspace.datasets import sources
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import DatasetImages, Filters

MANY = 20_000


@pytest.fixture
def many(tmp_path: Path) -> tuple[Workspace, str]:
    """A dataset whose first image stands there thousands of times more."""
    home = workspace_in(tmp_path)
    dataset_id = sources.open_sources(home, [sources.Source(str(save_cells(tmp_path / "cells")))]).id
    home.background.wait_all()
    with home.engine.begin() as connection:
        first = dict(connection.execute(select(images).where(images.c.position == 0)).mappings().one())
        more = [
            first | {"row_id": None, "position": 1000 + k, "image_id": f"{k}", "shown_path": f"{k}"}
            for k in range(MANY)
        ]
        connection.execute(insert(images), more)
    return home, dataset_id


@pytest.mark.slow
def test_a_page_reads_the_rows_that_it_shows_and_no_others(many: tuple[Workspace, str]) -> None:
    home, dataset_id = many
    for filters in (Filters(), Filters(sort="label"), Filters(search="7")):
        rows = DatasetImages(home, dataset_id).row_ids(filters).tolist()
        DatasetImages(home, dataset_id).page(filters, limit=1)  # what is kept from the first time on
        tracemalloc.start()
        page = DatasetImages(home, dataset_id).page(filters, after=rows[1_499], limit=20)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert [image.row_id for image in page.items] == rows[1_500:1_520]
        assert page.next == rows[1_519]
        assert most < 300_000  # bytes; the ids of all take more than a million
