"""Watch the folders and tables of datasets: which are missing, and which are available again."""

import logging
import threading

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from coverslip.errors import CoverslipError
from coverslip.workspace.datasets.reading_images import resume
from coverslip.workspace.store.rows import missing_sources
from coverslip.workspace.store.tables import datasets
from coverslip.workspace.store.workspace import Workspace

_SECONDS_BETWEEN_CHECKS = 3.0
_SECONDS_TO_END = 1.0  # a network drive may block the thread for longer
_log = logging.getLogger("coverslip")


class SourceWatch:
    """A thread that resumes interrupted datasets, and those whose missing folders are available again.

    It is a thread of its own, because a network drive can block whoever looks at it.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self.is_watched = False  # whether somebody wants to know what is missing
        self.missing: dict[str, list[str]] = {}  # paths by the ID of the dataset, if any is missing
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="coverslip sources", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._is_closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout=_SECONDS_TO_END)

    def _work(self) -> None:
        while not self._is_closed.wait(_SECONDS_BETWEEN_CHECKS):
            try:
                resume(self._workspace)
                if self.is_watched:
                    earlier, self.missing = self.missing, self._find_missing()
                    if self.missing != earlier:
                        self._workspace.pulse.beat()
            except (CoverslipError, SQLAlchemyError, OSError):  # the next check may succeed
                _log.exception("the folders of datasets could not be checked")

    def _find_missing(self) -> dict[str, list[str]]:
        with self._workspace.engine.connect() as connection:
            rows = connection.execute(select(datasets).where(datasets.c.removed.is_(None))).all()
        missing = {row.id: missing_sources(row) for row in rows}
        return {dataset_id: paths for dataset_id, paths in missing.items() if paths}
