"""A process that measures distances between the feature distributions of datasets.

Run as `python -m coverslip.workspace.leakage_audit.distance_worker`, by `coverslip.workspace.workers.submit`.
"""

import sys
from dataclasses import asdict
from pathlib import Path

from coverslip.events import Emit
from coverslip.processes import Json
from coverslip.workspace.store.database import read_transaction
from coverslip.workspace.store.rows import dataset_row, load_dataset
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers.worker import answer


def measure(question: Json, emit: Emit) -> Json:
    """Return the distances as data.

    Raises:
        CoverslipError: they cannot be measured.
    """
    from coverslip.audit.distance import distance

    workspace = Workspace(Path(question["workspace"]), tuple(map(Path, question["roots"])))
    with read_transaction(workspace.engine) as connection:
        names = [dataset_row(connection, each).name for each in question["datasets"]]
        datasets = [load_dataset(connection, each) for each in question["datasets"]]
    return asdict(distance(datasets, names=names, emit=emit))


if __name__ == "__main__":
    sys.exit(answer(measure))
