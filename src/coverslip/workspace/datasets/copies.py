"""Looking for changed copies in the background, once a dataset has been read."""

import threading
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from coverslip.audit import with_copies
from coverslip.datasets import inspect_dataset
from coverslip.errors import CoverslipError, Stopped
from coverslip.events import Event
from coverslip.workspace.datasets.inspections import keep_inspection
from coverslip.workspace.store.database import one_moment, writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_dataset, load_scan
from coverslip.workspace.store.rows import dataset_row


def look_for_copies(home: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    """Find them, unless that is known, and tell of them among the findings.

    Nothing else rests on it: where the dataset was forgotten meanwhile, or the server ends, nothing is told.
    """
    with suppress(CoverslipError, SQLAlchemyError, OSError):
        _look(home, dataset_id, is_over)


def _look(home: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    with one_moment(home.engine) as connection:
        row = dataset_row(connection, dataset_id)
        data, scan = load_dataset(connection, dataset_id), load_scan(connection, dataset_id)
    if row.state != "ready":
        return

    def end_with_server(_: Event) -> None:
        if is_over.is_set():
            raise Stopped("Looking for copies was stopped", do="An inspection looks for them.")

    inspected = inspect_dataset(data, with_copies(data, scan, emit=end_with_server))
    with writing(home.engine) as connection:
        if dataset_row(connection, dataset_id).revision == row.revision:
            keep_inspection(connection, dataset_id, inspected, row.revision)
