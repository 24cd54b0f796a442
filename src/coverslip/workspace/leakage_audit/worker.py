"""A process that audits a dataset for data leakage and shortcuts with a network.

Run as `python -m coverslip.workspace.leakage_audit.worker`, by `coverslip.workspace.workers.submit`.
"""

import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from coverslip.datasets import is_table
from coverslip.errors import CoverslipError
from coverslip.events import Emit
from coverslip.processes import Json
from coverslip.workspace.datasets.sources import reopen_sources
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import AnyRow, dataset_row, load_as_trained, load_scan, source_paths
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers.worker import answer


def audit(question: Json, emit: Emit) -> Json:
    """Search near-duplicates, unless this is done, and audit the images. The cache stores the results.

    Raises:
        CoverslipError: the audit is not possible.
    """
    from coverslip.audit import with_near_duplicates
    from coverslip.experiments.leakage_audit import audit_leakage
    from coverslip.runs import Recipe

    workspace = Workspace(Path(question["workspace"]), tuple(map(Path, question["roots"])))
    dataset_id = question["dataset_id"]
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        data, scan = load_as_trained(connection, dataset_id), load_scan(connection, dataset_id)
    about = _about(workspace, row)
    data = replace(data, records=tuple(replace(r, about=about.get(r.image_id, ())) for r in data.records))
    audit_leakage(data, with_near_duplicates(data, scan, emit=emit), Recipe(), emit=emit)
    return {}  # the results are in the cache


def _about(workspace: Workspace, row: AnyRow) -> dict[str, tuple[tuple[str, str], ...]]:
    """Return the further table cells of images by ID; empty if the tables do not exist any more."""
    if not any(is_table(Path(source)) for source in source_paths(row)):
        return {}
    with suppress(CoverslipError):
        opened = reopen_sources(workspace, row, row.group_column, row.group_pattern)
        return {record.image_id: record.about for record in opened.records}
    return {}


if __name__ == "__main__":
    sys.exit(answer(audit))
