"""A process that searches a dataset for near-duplicates and checks the quality of its images.

Run as `python -m coverslip.workspace.datasets.checks_worker`, by `coverslip.workspace.workers.submit`. Decoded images
and their features need up to some gigabytes, which the server process would not release.
"""

import sys
from pathlib import Path

from coverslip.events import Emit
from coverslip.processes import Json
from coverslip.workspace.datasets.inspections import fill_check_cache
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers.worker import answer


def check(question: Json, emit: Emit) -> Json:
    """Check the images of a dataset that was read.

    Raises:
        CoverslipError: the dataset does not exist any more.
    """
    workspace = Workspace(Path(question["workspace"]), tuple(map(Path, question["roots"])))
    fill_check_cache(workspace, question["dataset_id"], emit)
    return {}


if __name__ == "__main__":
    sys.exit(answer(check))
