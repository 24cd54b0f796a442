"""Write a backup of a workspace, also while the app and its jobs run."""

import errno
import os
import secrets
import shutil
import sqlite3
import stat
import time
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from sqlalchemy import select, union

from coverslip._version import __version__
from coverslip.archives import safe_name
from coverslip.errors import Conflict, CoverslipError
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.files import atomic_write, write_error
from coverslip.messages import ChooseOther
from coverslip.runs import WORK_LOCK
from coverslip.workspace.backups.archive import (
    DATABASE,
    FOLDERS,
    LIMITS,
    MANIFEST,
    SQLITE,
    UPLOADS,
    Manifest,
    entry_name,
    quoted,
)
from coverslip.workspace.cleanup import PARTIAL
from coverslip.workspace.store import tables
from coverslip.workspace.store.database import record_backup
from coverslip.workspace.store.workspace import Workspace

_COMPRESSED = frozenset({".csv", ".css", ".html", ".json", ".jsonl", ".log", ".md", ".sqlite", ".svg", ".txt", ".yaml"})
_SIDE_FILES = (f"{SQLITE}-journal", f"{SQLITE}-shm", f"{SQLITE}-wal")
_PAGES_AT_ONCE = 4_096
_CHUNK_BYTES = 2**20
_YEARS, _EARLIEST = range(1980, 2108), (1980, 1, 1, 0, 0, 0)  # that a zip file can state
_MB = 10**6


@dataclass(slots=True)
class _Files:
    """The files of a backup, as paths in the workspace."""

    paths: list[PurePosixPath] = field(default_factory=list)
    n_bytes: int = 0
    n_links: int = 0


def write_backup(workspace: Workspace, file: Path, emit: Emit = ignore) -> Manifest:
    """Write a backup of a workspace as one zip file, which appears completely or not at all.

    The database is copied in one state. Files of running jobs are copied so that the jobs can be resumed: checkpoints
    before the log and the status, which are written later.

    Args:
        workspace: an existing workspace; the app may be using it.
        file: the new file, outside the workspace.
        emit: receives progress events.

    Returns:
        The content of the backup.

    Raises:
        CoverslipError: there is no workspace, the file exists or is inside the workspace, a file cannot be read, or the
            disk is full.
        Conflict: runs or classifiers were removed or restored meanwhile.
    """
    if not (workspace.folder / DATABASE).is_file():
        raise CoverslipError("backup-without-workspace", file=workspace.folder, remedies=(ChooseOther("workspace"),))
    if os.path.lexists(file):
        raise CoverslipError("backup-exists", file=file, remedies=(ChooseOther("output"),))
    if file.absolute().resolve().is_relative_to(workspace.folder):
        raise CoverslipError("backup-inside-workspace", file=file, remedies=(ChooseOther("output"),))
    workspace.upgrade_database(emit)  # also checks its tables
    with atomic_write(file) as part, part.open("xb") as stream:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            writer = _Writer(
                archive, workspace.folder, copy=file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
            )
            with writer.copied(workspace.folder / DATABASE) as database:
                files = _list_files(workspace.folder)
                manifest = _manifest(workspace, database, files)
                report = progress_reporter(emit, "writing-backup", "megabytes")
                writer.add(database, PurePosixPath(DATABASE))
                jobs = _removed_in(database)
            for path in files.paths:
                writer.add_file(path)
                report(writer.n_bytes // _MB, max(manifest.n_bytes, writer.n_bytes) // _MB)
            manifest = manifest.model_copy(update={"n_files": writer.n_files, "n_bytes": writer.n_bytes})
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
        stream.flush()
        os.fsync(stream.fileno())
        if _removed(workspace) != jobs:
            raise Conflict("backup-overtaken", file=workspace.folder)
    record_backup(workspace.folder, file)
    return manifest


@dataclass(slots=True)
class _Writer:
    """Adds files of a workspace to an archive.

    Args:
        archive: the archive.
        workspace: the folder of the workspace.
        copy: the path of a temporary file for copies of databases.
    """

    archive: zipfile.ZipFile
    workspace: Path
    copy: Path
    n_files: int = 0
    n_bytes: int = 0

    def add_file(self, path: PurePosixPath) -> None:
        """Add a file of the workspace; a database in one state. A file that was removed meanwhile is omitted."""
        file = self.workspace / path
        with suppress(FileNotFoundError):
            if path.suffix == SQLITE and path.parts[0] != UPLOADS:
                with self.copied(file) as copy:
                    self.add(copy, path)
            else:
                self.add(file, path)

    def add(self, file: Path, path: PurePosixPath) -> None:
        """Add a file as the file of the workspace at `path`.

        Raises:
            FileNotFoundError: there is no such file.
            CoverslipError: it cannot be read, or its name is too long.
        """
        name = entry_name(path)
        try:
            safe_name(name)
        except CoverslipError as error:
            raise CoverslipError("backup-name-not-accepted", file=self.workspace / path) from error
        try:
            source = file.open("rb")
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _read_error(file, error) from error
        with source:
            status = os.fstat(source.fileno())
            changed = time.localtime(status.st_mtime)
            info = zipfile.ZipInfo(name, changed[:6] if changed.tm_year in _YEARS else _EARLIEST)
            info.comment = str(status.st_mtime_ns).encode("ascii")
            info.external_attr = (stat.S_IFREG | 0o600) << 16
            info.compress_type = zipfile.ZIP_DEFLATED if path.suffix in _COMPRESSED else zipfile.ZIP_STORED
            info.file_size = status.st_size
            with self.archive.open(info, "w", force_zip64=status.st_size >= 2**30) as target:
                shutil.copyfileobj(source, target, _CHUNK_BYTES)
        self.n_files += 1
        self.n_bytes += info.file_size

    @contextmanager
    def copied(self, database: Path) -> Iterator[Path]:
        """Copy an SQLite database, which may be in use, in its current state to the temporary file.

        Raises:
            FileNotFoundError: there is no such file.
            CoverslipError: it cannot be copied.
        """
        try:
            copy_database(database, self.copy)
            yield self.copy
        finally:
            for suffix in ("", "-journal", "-shm", "-wal"):
                with suppress(OSError):
                    self.copy.with_name(f"{self.copy.name}{suffix}").unlink(missing_ok=True)


def copy_database(database: Path, copy: Path) -> None:
    """Copy an SQLite database, which may be in use, in its current state to a new file.

    Raises:
        FileNotFoundError: there is no such file.
        CoverslipError: it cannot be copied.
    """
    changed = database.stat().st_mtime_ns
    try:
        with (
            closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=30)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            target.execute("PRAGMA synchronous=OFF")
            source.execute("BEGIN")
            source.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()  # from now on, one state is read
            # The callback lets Ctrl-C interrupt the copy.
            source.backup(target, pages=_PAGES_AT_ONCE, progress=lambda *_: None)
            target.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise write_error(copy, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))) from error
        raise CoverslipError("backup-database-not-copied", file=database, reason=str(error)) from error
    os.utime(copy, ns=(changed, changed))


def _list_files(workspace: Path) -> _Files:
    """List the files of a backup: those of subfolders first, so that a log is never older than a checkpoint."""
    files = _Files()
    for name in FOLDERS:
        for folder, folders, names in os.walk(workspace / name, topdown=False, onerror=_refuse_unreadable):
            relative = PurePosixPath(*Path(folder).relative_to(workspace).parts)
            for each in sorted((*folders, *names), reverse=True):  # `last` before `best` checkpoint
                path = Path(folder, each)
                try:
                    status = path.lstat()
                except FileNotFoundError:  # it was removed meanwhile
                    continue
                if stat.S_ISREG(status.st_mode) and (name == UPLOADS or not _is_temporary(each)):
                    files.paths.append(relative / each)
                    files.n_bytes += status.st_size
                files.n_links += stat.S_ISLNK(status.st_mode)
    if len(files.paths) + 2 > LIMITS.max_entries:
        raise CoverslipError("backup-too-many-files", file=workspace, n_files=len(files.paths))
    return files


def _is_temporary(name: str) -> bool:
    return name == WORK_LOCK or name.endswith(_SIDE_FILES) or PARTIAL.fullmatch(name) is not None


def _refuse_unreadable(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise _read_error(Path(str(error.filename)), error)


def _read_error(file: Path, error: OSError) -> CoverslipError:
    return CoverslipError("backup-file-not-read", file=file, reason=error.strerror or str(error))


def _manifest(workspace: Workspace, database: Path, files: _Files) -> Manifest:
    below = os.fsencode(f"{workspace.folder}{os.sep}")
    with closing(sqlite3.connect(database)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        n_rows = count_rows(connection)
        paths = connection.execute("SELECT path FROM images WHERE dataset_id IS NOT NULL")
        n_outside = sum(not os.fsencode(path).startswith(below) for (path,) in paths)
    return Manifest(
        coverslip=__version__,
        database_version=version,
        system=os.name,
        workspace=str(workspace.folder),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        n_files=len(files.paths) + 1,
        n_bytes=files.n_bytes + database.stat().st_size,
        n_rows=n_rows,
        n_images_outside=n_outside,
        n_links=files.n_links,
    )


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of rows of each table."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    names = [name for (name,) in connection.execute(query)]
    return {name: connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0] for name in names}  # noqa: S608


def _removed(workspace: Workspace) -> set[str]:
    """Return the IDs of jobs and imported classifiers in the trash."""
    removed_jobs = select(tables.jobs.c.id).where(tables.jobs.c.state == "removed")
    removed_classifiers = select(tables.classifiers.c.id).where(tables.classifiers.c.removed.is_not(None))
    with workspace.engine.connect() as connection:
        return set(connection.execute(union(removed_jobs, removed_classifiers)).scalars())


def _removed_in(database: Path) -> set[str]:
    """Return the same from a file of SQLite."""
    query = "SELECT id FROM jobs WHERE state = 'removed' UNION SELECT id FROM classifiers WHERE removed IS NOT NULL"
    with closing(sqlite3.connect(database)) as connection:
        return {job_id for (job_id,) in connection.execute(query)}
