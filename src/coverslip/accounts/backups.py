"""Back up a whole server, also while it runs, and restore it elsewhere.

A backup is a folder: `server.json`, the accounts in `accounts.sqlite`, and `projects/ID.zip`, each a backup of the
workspace of a project. It appears completely or not at all.
"""

import os
import re
import secrets
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from pydantic import Field
from sqlalchemy import select

from coverslip._version import __version__
from coverslip.accounts.server import AccountServer, open_account_server
from coverslip.accounts.tables import VERSION, metadata, projects
from coverslip.errors import BadRun, CoverslipError
from coverslip.events import Emit, ignore
from coverslip.files import write_error
from coverslip.messages import ChooseOther
from coverslip.runs.documents import Document
from coverslip.workspace.backups.archive import Manifest
from coverslip.workspace.backups.restoring import Restored, restore_backup
from coverslip.workspace.backups.writing import copy_database, count_rows, write_backup
from coverslip.workspace.store.backup_records import record_backup
from coverslip.workspace.store.database import open_database
from coverslip.workspace.store.workspace import Workspace

_MANIFEST, _ACCOUNTS, _PROJECTS = "server.json", "accounts.sqlite", "projects"
_ID = re.compile("[0-9a-f]+")


class ServerManifest(Document):
    """`server.json`: what a backup of a server contains."""

    coverslip: str = Field(description="Version that wrote the backup.")
    created: str = Field(description="ISO 8601, UTC.")
    accounts: dict[str, int] = Field(description="Rows of each table of the accounts.")
    projects: dict[str, Manifest] = Field(description="The content of the backup of each project, by ID.")


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
        Conflict: runs or classifiers of a project were removed or restored meanwhile.
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
