"""A process that searches a dataset for near-duplicates and checks the quality of its images.

Run as `python -m coverslip.workspace.datasets.checks_worker`, by `coverslip.workspace.asked`. Decoded images and their
features take up to some gigabytes, which the server would keep. Results go to the cache.
"""

import sys
from pathlib import Path

from coverslip.events import Emit
from coverslip.pipes import Json
from coverslip.workspace.asked.answering import answer
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_dataset, load_scan
from coverslip.workspace.store.rows import dataset_row


def check(question: Json, emit: Emit) -> Json:
    """Check the images of a dataset that has been read.

    Raises:
        CoverslipError: there is no such dataset any more.
    """
    from coverslip.audit import SeenWhileScanning, with_near_duplicates, with_quality

    home = Workspace(Path(question["workspace"]), tuple(map(Path, question["roots"])))
    with one_moment(home.engine) as connection:
        if dataset_row(connection, question["dataset_id"]).state != "ready":
            return {}
        data, scan = load_dataset(connection, question["dataset_id"]), load_scan(connection, question["dataset_id"])
    seen = SeenWhileScanning()
    scan = with_near_duplicates(data, scan, seen, emit=emit)
    with_quality(data, scan, seen.quality, emit=emit)
    return {}


if __name__ == "__main__":
    sys.exit(answer(check))
