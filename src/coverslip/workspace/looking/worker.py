"""A process that shows the images of a dataset to a network, and remembers what they tell.

Run as `python -m coverslip.workspace.looking.worker WORKSPACE DATASET_ID`. How far it is goes to stdout, as messages of
`coverslip.pipes`; it ends when nobody reads them any more.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO

from coverslip.errors import CoverslipError
from coverslip.events import Event, Progressed
from coverslip.pipes import write_message


def look(workspace_folder: Path, dataset_id: str, answers: IO[bytes]) -> None:
    """Look for copies, where that was not done, and at what the images tell of their labels.

    Raises:
        CoverslipError: it cannot be told.
    """
    from coverslip.audit import with_copies
    from coverslip.experiments.looking import looked_at
    from coverslip.runs import Recipe
    from coverslip.workspace.store.database import one_moment
    from coverslip.workspace.store.home import Workspace
    from coverslip.workspace.store.records import load_dataset, load_scan

    home = Workspace(workspace_folder, ())
    with one_moment(home.engine) as connection:
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)

    def tell(event: Event) -> None:
        if isinstance(event, Progressed):
            left = event.seconds_left
            progress = {"stage": event.stage, "done": event.done, "total": event.total, "seconds_left": left}
            write_message(answers, {"progress": progress})

    looked_at(data, with_copies(data, scan, emit=tell), Recipe(), emit=tell)


def main(workspace_folder: Path, dataset_id: str) -> int:
    """Exit code 0 where the images were looked at; else the last message says why not."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not stand among messages
    try:
        look(workspace_folder, dataset_id, answers)
    except BrokenPipeError:
        return 1
    except CoverslipError as error:
        write_message(answers, {"error": asdict(error.failure)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
