"""Backups that administrators start in the app: one at a time, in a thread, each a new folder.

They are no jobs, because jobs belong to a project and its tables. A backup is one of all projects and the accounts.
"""

import logging
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from coverslip.accounts.backups import ServerManifest, write_server_backup
from coverslip.accounts.server import AccountServer
from coverslip.errors import BadRun, Conflict, CoverslipError, NotFound
from coverslip.events import Event, Progressed
from coverslip.messages import Failure, failure, localized_failure

_SECONDS_TO_STOP = 5.0
_log = logging.getLogger("coverslip")


@dataclass(frozen=True, slots=True)
class Backup:
    """A complete backup of the server."""

    name: Annotated[str, Field(description="The name of its folder.")]
    created: Annotated[str, Field(description="ISO 8601, UTC.")]
    n_projects: int


@dataclass(frozen=True, slots=True)
class BackupProgress:
    """How far a backup is, in the project that is copied now."""

    done: Annotated[int, Field(description="MB that were copied.")]
    total: Annotated[int, Field(description="MB of the project; 0: not known yet.")]
    seconds_left: Annotated[float | None, Field(description="null: not known yet.")]


@dataclass(frozen=True, slots=True)
class Backups:
    """Backups in the folder of the server for them, and the one that is written now."""

    folder: Annotated[str | None, Field(description="Where they are written. null: the server has no such folder.")]
    progress: Annotated[BackupProgress | None, Field(description="null: none is written now.")]
    error: Annotated[Failure | None, Field(description="Why the last one failed. null: it did not fail.")]
    items: Annotated[list[Backup], Field(description="Complete backups, the newest first.")]


class _Stopped(Exception):
    """A stop was requested; the backup is removed."""


class BackupRuns:
    """The backups of a running server.

    Args:
        server: the server.
        folder: where backups are written; None: the app writes none.
    """

    def __init__(self, server: AccountServer, folder: Path | None) -> None:
        self._server, self._folder = server, folder
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._progress: BackupProgress | None = None
        self._error: Failure | None = None
        self._must_stop = False

    def state(self) -> Backups:
        """Return the backups, and the progress of the one that is written now."""
        error = None if self._error is None else localized_failure(self._error)
        items = (
            [] if self._folder is None else sorted(_complete(self._folder), key=lambda each: each.name, reverse=True)
        )
        return Backups(None if self._folder is None else str(self._folder), self._progress, error, items)

    def start(self) -> Backups:
        """Start a backup in a new folder, whose name is the current time.

        Raises:
            NotFound: the server has no folder for backups.
            Conflict: a backup is being written.
        """
        if self._folder is None:
            raise NotFound("no-backup-folder")
        with self._lock:
            if self._progress is not None:
                raise Conflict("backup-in-progress")
            self._progress, self._error, self._must_stop = BackupProgress(0, 0, None), None, False
            new = self._folder / time.strftime("%Y-%m-%d-%H%M%S")
            self._thread = threading.Thread(target=self._write, args=(new,), name="backup", daemon=True)
            self._thread.start()
        return self.state()

    def stop(self) -> None:
        """Stop the backup that is being written, if there is one. Nothing of it remains."""
        self._must_stop = True
        if self._thread is not None:
            self._thread.join(_SECONDS_TO_STOP)

    def _write(self, folder: Path) -> None:
        try:
            write_server_backup(self._server, folder, self._note)
        except _Stopped:
            pass
        except CoverslipError as error:
            self._error = error.failure
        except Exception as error:  # noqa: BLE001  the page shows it, and the server continues
            _log.exception("a backup failed")
            self._error = failure("job-fault", kind="fault", reason=f"{type(error).__name__}: {error}")
        finally:
            self._progress = None

    def _note(self, event: Event) -> None:
        if self._must_stop:
            raise _Stopped
        if isinstance(event, Progressed):
            self._progress = BackupProgress(event.done, event.total, event.seconds_left)


def _complete(folder: Path) -> list[Backup]:
    backups = []
    for each in folder.glob("[0-9]*") if folder.is_dir() else ():
        try:
            manifest = ServerManifest.read(each / "server.json")
        except BadRun:  # not a backup, or of another version
            continue
        backups.append(Backup(each.name, manifest.created, len(manifest.projects)))
    return backups
