"""Back up a whole server, also while it runs, and restore it elsewhere.

A backup is a folder: `server.json`, the accounts in `accounts.sqlite`, and `projects/ID.zip`, each a backup of the
workspace of a project. It appears completely or not at all.

Backups that administrators start in the app are jobs. Each job belongs to a workspace: theirs is in the folder of the
server, and has no images.
"""

import os
import re
import secrets
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from coverslip._version import __version__
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadRun, Conflict, CoverslipError, NotFound
from coverslip.events import Emit, ignore
from coverslip.files import write_error
from coverslip.messages import ChooseOther, Failure
from coverslip.processes import Json
from coverslip.runs.documents import Document
from coverslip.runs.progress import Work
from coverslip.server.folder import VERSION, AccountServer, metadata, open_account_server, projects
from coverslip.workspace.backups import Manifest, Restored, copy_database, count_rows, restore_backup, write_backup
from coverslip.workspace.jobs.computing import cancel_result, computation, request_result
from coverslip.workspace.jobs.queue import Queue, Turns
from coverslip.workspace.jobs.records import find_job, register_function
from coverslip.workspace.store.database import open_database, record_backup
from coverslip.workspace.store.workspace import Workspace

_MANIFEST, _ACCOUNTS, _PROJECTS = "server.json", "accounts.sqlite", "projects"
_ID = re.compile("[0-9a-f]+")
_SECONDS_TO_STOP = 5.0
_KEY = "server"  # of all its backups: one is written at a time


class ServerManifest(Document):
    """`server.json`: what a backup of a server contains."""

    coverslip: str
    """Version that wrote the backup."""
    created: str
    """ISO 8601, UTC."""
    accounts: dict[str, int]
    """Rows of each table of the accounts."""
    projects: dict[str, Manifest]
    """The content of the backup of each project, by ID."""


def write_server_backup(server: AccountServer, folder: Path, emit: Emit = ignore) -> ServerManifest:
    """Write a backup of the accounts and of all projects, including removed ones, to a new folder.

    Accounts and each project are copied in one state. A project without a folder was never opened and has no content.

    Args:
        server: the server, which may be running.
        folder: the new folder, outside the folder of the server.
        emit: receives progress events.

    Raises:
        CoverslipError: there is no such server, the folder exists or is inside that of the server, a file cannot be
            read, or the disk is full.
        Conflict: jobs of a project were removed or restored meanwhile.
    """
    if os.path.lexists(folder):
        raise CoverslipError("backup-exists", file=folder, remedies=(ChooseOther("output"),))
    if folder.absolute().resolve().is_relative_to(server.folder):
        raise CoverslipError("backup-inside-workspace", file=folder, remedies=(ChooseOther("output"),))
    if not server.database_file.is_file():
        raise CoverslipError("backup-without-server", file=server.folder)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        (part / _PROJECTS).mkdir(parents=True)
        part.chmod(0o700)  # images of patients are private
        copy_database(server.database_file, part / _ACCOUNTS)
        written = {}
        for project_id in _project_ids(part / _ACCOUNTS):
            if (server.projects / project_id).is_dir():
                workspace = Workspace(server.projects / project_id, ())
                written[project_id] = write_backup(workspace, part / _PROJECTS / f"{project_id}.zip", emit)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = ServerManifest(
            coverslip=__version__, created=created, accounts=_count_accounts(part / _ACCOUNTS), projects=written
        )
        manifest.write(part / _MANIFEST)
        part.rename(folder)
        record_backup(server.folder, folder)
        for project_id in written:
            record_backup(server.projects / project_id, folder / _PROJECTS / f"{project_id}.zip")
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return manifest


def restore_server_backup(
    backup: Path, folder: Path, emit: Emit = ignore
) -> tuple[ServerManifest, dict[str, Restored]]:
    """Restore a server from a backup into a new or empty folder, completely or not at all.

    Args:
        backup: a folder of `write_server_backup`.
        folder: the folder of the server.
        emit: receives progress events.

    Returns:
        The content of the backup, and the restored workspaces by ID of the project.

    Raises:
        CoverslipError: the backup is not complete or is of another version, the folder has content, the disk is full,
            or the database cannot be used.
    """
    try:
        manifest = ServerManifest.read(backup / _MANIFEST)
    except BadRun as error:
        raise CoverslipError("backup-of-server-not-accepted", file=backup) from error
    # IDs become names of folders.
    ids = set(_project_ids(backup / _ACCOUNTS)) if (backup / _ACCOUNTS).is_file() else set()
    if not manifest.projects.keys() <= ids or not all(map(_ID.fullmatch, manifest.projects)):
        raise CoverslipError("backup-of-server-not-accepted", file=backup)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CoverslipError("restore-folder-not-empty", file=folder, remedies=(ChooseOther("workspace"),))
    is_new = not folder.exists()
    server = open_account_server(folder)
    restored: dict[str, Restored] = {}
    try:
        for project_id in manifest.projects:
            file = backup / _PROJECTS / f"{project_id}.zip"
            restored[project_id] = restore_backup(file, server.projects / project_id, emit)
        shutil.copy(backup / _ACCOUNTS, server.database_file)
        if _count_accounts(server.database_file) != manifest.accounts:
            raise CoverslipError("backup-of-server-not-accepted", file=backup)
    except BaseException:
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if is_new:
            folder.rmdir()
        raise
    return manifest, restored


def _count_accounts(accounts: Path) -> dict[str, int]:
    with closing(sqlite3.connect(accounts)) as connection:
        return count_rows(connection)


def _project_ids(accounts: Path) -> list[str]:
    engine = open_database(accounts, tables=metadata, version=VERSION, steps={})
    try:
        with engine.connect() as connection:
            return list(connection.execute(select(projects.c.id).order_by(projects.c.id)).scalars())
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Backup(DocumentedFields):
    """A complete backup of the server."""

    name: str
    """The name of its folder."""
    created: str
    """ISO 8601, UTC."""
    n_projects: int


@dataclass(frozen=True, slots=True)
class Backups(DocumentedFields):
    """Backups in the folder of the server for them, and the one that is written now."""

    folder: str | None
    """Where they are written. null: the server has no such folder."""
    progress: Work | None
    """In MB of the project that is copied now. null: none is written now."""
    error: Failure | None
    """Why the last one failed. null: it did not fail."""
    items: list[Backup]
    """Complete backups, the newest first."""


class BackupRuns:
    """The backups of a running server.

    Args:
        server: the server.
        folder: where backups are written; None: the app writes none.
    """

    def __init__(self, server: AccountServer, folder: Path | None) -> None:
        self._server, self._folder = server, folder
        self._workspace = Workspace(server.folder / "backup-jobs", ())
        self._queue: Queue | None = None

    def open(self) -> None:
        """Run the backups that are requested from now on."""
        if self._folder is not None and self._queue is None:
            self._workspace.folder.mkdir(mode=0o700, exist_ok=True)
            self._remove_unfinished()  # the server may have been killed
            self._queue = Queue(self._workspace, Turns())
            self._queue.start()

    def close(self) -> None:
        """Stop the backup that is being written, and run no others."""
        if self._queue is not None:
            self.stop()
            self._queue.close()
            self._queue = None
            self._workspace.engine.dispose()

    def state(self) -> Backups:
        """Return the backups, and the progress of the one that is written now."""
        if self._folder is None:
            return Backups(None, None, None, [])
        work = computation(self._workspace, BACKUP, _KEY)
        progress = None if work.state is None else work.progress or Work(done=0, total=0)
        items = sorted(_complete(self._folder), key=lambda each: each.name, reverse=True)
        return Backups(str(self._folder), progress, work.error, items)

    def start(self) -> Backups:
        """Start a backup in a new folder, whose name is the current time.

        Raises:
            NotFound: the server has no folder for backups.
            Conflict: a backup is being written.
        """
        if self._folder is None:
            raise NotFound("no-backup-folder")
        if computation(self._workspace, BACKUP, _KEY).state is not None:
            raise Conflict("backup-in-progress")
        self._remove_unfinished()
        new = self._folder / time.strftime("%Y-%m-%d-%H%M%S")
        arguments = {"server": str(self._server.folder), "folder": str(new)}
        request_result(self._workspace, BACKUP, _KEY, arguments, name=new.name, link="/backups")
        return self.state()

    def stop(self) -> None:
        """Stop the backup that is being written, if there is one. Nothing of it remains."""
        if self._folder is None:
            return
        cancel_result(self._workspace, BACKUP, _KEY)
        until = time.monotonic() + _SECONDS_TO_STOP
        while computation(self._workspace, BACKUP, _KEY).state is not None and time.monotonic() < until:
            time.sleep(0.05)
        self._remove_unfinished()

    def _remove_unfinished(self) -> None:
        """Remove what the last job has left, if it has ended. Other programs may write backups to the folder too."""
        work = computation(self._workspace, BACKUP, _KEY)
        if self._folder is None or work.id is None or work.state is not None:
            return
        for part in self._folder.glob(f".{find_job(self._workspace, work.id).name}.*.part"):
            shutil.rmtree(part, ignore_errors=True)


def write_requested(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Write the backup of a request of `BackupRuns`.

    Raises:
        CoverslipError: as of `write_server_backup`.
    """
    write_server_backup(AccountServer(Path(arguments["server"]), ()), Path(arguments["folder"]), emit)


BACKUP = register_function("server-backup", "coverslip.server.backups:write_requested")


def _complete(folder: Path) -> list[Backup]:
    backups = []
    for each in folder.glob("[0-9]*") if folder.is_dir() else ():
        try:
            manifest = ServerManifest.read(each / "server.json")
        except BadRun:  # not a backup, or of another version
            continue
        backups.append(Backup(each.name, manifest.created, len(manifest.projects)))
    return backups
