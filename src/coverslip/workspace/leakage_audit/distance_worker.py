"""A process that measures how far apart datasets are, as a network sees them.

Run as `python -m coverslip.workspace.leakage_audit.distance_worker`, by `coverslip.workspace.asked`.
"""

import sys
from dataclasses import asdict
from pathlib import Path

from coverslip.events import Emit
from coverslip.pipes import Json
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_dataset
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.workers.worker import answer


def measure(question: Json, emit: Emit) -> Json:
    """The distances as data.

    Raises:
        CoverslipError: they cannot be measured.
    """
    from coverslip.audit.distance import distance

    home = Workspace(Path(question["workspace"]), tuple(map(Path, question["roots"])))
    with one_moment(home.engine) as connection:
        names = [dataset_row(connection, each).name for each in question["datasets"]]
        datasets = [load_dataset(connection, each) for each in question["datasets"]]
    return asdict(distance(datasets, names=names, emit=emit))


if __name__ == "__main__":
    sys.exit(answer(measure))
