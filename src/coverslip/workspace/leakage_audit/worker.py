"""A process that shows the images of a dataset to a network, and remembers what they tell.

Run as `python -m coverslip.workspace.leakage_audit.worker`, by `coverslip.workspace.asked`.
"""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from coverslip.datasets import is_table
from coverslip.errors import CoverslipError
from coverslip.events import Emit
from coverslip.pipes import Json
from coverslip.workspace.datasets.sources import opened_again
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_as_trained, load_scan
from coverslip.workspace.store.rows import AnyRow, dataset_row, source_paths
from coverslip.workspace.workers.worker import answer


def look(question: Json, emit: Emit) -> Json:
    """Look for copies, where that was not done, and at what the images tell of their labels.

    Raises:
        CoverslipError: it cannot be told.
    """
    from coverslip.audit import with_near_duplicates
    from coverslip.experiments.leakage_audit import audit_leakage
    from coverslip.runs import Recipe

    home = Workspace(Path(question["workspace"]), tuple(map(Path, question["roots"])))
    dataset_id = question["dataset_id"]
    with one_moment(home.engine) as connection:
        row = dataset_row(connection, dataset_id)
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
    about = _about(home, row)
    data = replace(data, records=tuple(replace(r, about=about.get(r.image_id, ())) for r in data.records))
    audit_leakage(data, with_near_duplicates(data, scan, emit=emit), Recipe(), emit=emit)
    return {}  # it is kept where the workspace finds it


def _about(home: Workspace, row: AnyRow) -> dict[str, tuple[tuple[str, str], ...]]:
    """What the dataset's tables say of images, by their ids; nothing where they are not there any more."""
    if not any(is_table(Path(source)) for source in source_paths(row)):
        return {}
    with suppress(CoverslipError):
        opened = opened_again(home, row, row.group_column, row.group_pattern)
        return {record.image_id: record.about for record in opened.records}
    return {}


if __name__ == "__main__":
    sys.exit(answer(look))
