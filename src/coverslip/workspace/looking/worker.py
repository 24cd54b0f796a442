"""A process that shows the images of a dataset to a network, and remembers what they tell.

Run as `python -m coverslip.workspace.looking.worker WORKSPACE DATASET_ID ROOT…`. How far it is goes to
stdout, as messages of `coverslip.pipes`; it ends when nobody reads them any more.
"""

import os
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO

from coverslip.datasets import is_table
from coverslip.errors import CoverslipError
from coverslip.events import Event, Progressed
from coverslip.pipes import write_message
from coverslip.workspace.datasets.sources import opened_again
from coverslip.workspace.store.database import one_moment
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_dataset, load_scan
from coverslip.workspace.store.rows import AnyRow, dataset_row, source_paths


def look(home: Workspace, dataset_id: str, answers: IO[bytes]) -> None:
    """Look for copies, where that was not done, and at what the images tell of their labels.

    Raises:
        CoverslipError: it cannot be told.
    """
    from coverslip.audit import with_copies
    from coverslip.experiments.looking import looked_at
    from coverslip.runs import Recipe

    with one_moment(home.engine) as connection:
        row = dataset_row(connection, dataset_id)
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    about = _about(home, row)
    data = replace(data, records=tuple(replace(r, about=about.get(r.image_id, ())) for r in data.records))

    def tell(event: Event) -> None:
        if isinstance(event, Progressed):
            left = event.seconds_left
            progress = {"stage": event.stage, "done": event.done, "total": event.total, "seconds_left": left}
            write_message(answers, {"progress": progress})

    looked_at(data, with_copies(data, scan, emit=tell), Recipe(), emit=tell)


def _about(home: Workspace, row: AnyRow) -> dict[str, tuple[tuple[str, str], ...]]:
    """What the dataset's tables say of images, by their ids; nothing where they are not there any more."""
    if not any(is_table(Path(source)) for source in source_paths(row)):
        return {}
    with suppress(CoverslipError):
        opened = opened_again(home, row, row.group_column, row.group_pattern)
        return {record.image_id: record.about for record in opened.records}
    return {}


def main(workspace_folder: Path, dataset_id: str, *roots: str) -> int:
    """Exit code 0 where the images were looked at; else the last message says why not."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not stand among messages
    try:
        look(Workspace(workspace_folder, tuple(map(Path, roots))), dataset_id, answers)
    except BrokenPipeError:
        return 1
    except CoverslipError as error:
        write_message(answers, {"error": asdict(error.failure)})
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
