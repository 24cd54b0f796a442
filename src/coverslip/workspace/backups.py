"""Backups of a workspace: their content, writing one while the app runs, and restoring it in any folder."""

import errno
import json
import os
import secrets
import shutil
import sqlite3
import stat
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote_to_bytes

from pydantic import Field, ValidationError
from sqlalchemy import select

from coverslip._version import __version__
from coverslip.errors import BadArchive, Conflict, CoverslipError, DiskFull
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.files import WORKSPACE_DATABASE, ArchiveLimits, Entry, atomic_write, open_archive, safe_name, write_error
from coverslip.messages import ChooseOther, text
from coverslip.runs.documents import Document
from coverslip.runs.status import WORK_LOCK
from coverslip.workspace.cleanup import PARTIAL
from coverslip.workspace.jobs.records import clear_processes
from coverslip.workspace.store import tables
from coverslip.workspace.store.database import STEPS, VERSION, can_upgrade, record_backup
from coverslip.workspace.store.workspace import Workspace

# The content of a backup: a zip file with the files of a workspace, and `backup.json`, its last entry.

FORMAT_VERSION = 1
MANIFEST = "backup.json"
UPLOADS = "uploads"  # files of the user, which are never changed
FOLDERS = ("classifiers", "jobs", "objects", "predictions", "runs", "samples", "snapshots", "studies", "trash", UPLOADS)
"""The folders of a workspace in a backup. The others hold temporary files, logs, locks and tokens."""

LIMITS = ArchiveLimits(
    max_entries=2_000_000,
    max_directory_bytes=2**29,
    max_ratio=1_000,
    min_ratio_bytes=2**30,
    allows_zip64=True,
)
SQLITE = ".sqlite"


class Manifest(Document):
    """`backup.json`: where a backup comes from, and what it contains."""

    coverslip: str
    """Version that wrote the backup."""
    database_version: int
    """Version of the tables of the database."""
    system: str
    """Kind of operating system: posix or nt."""
    created: str
    """ISO 8601, UTC."""
    n_files: int = Field(ge=1)
    """Files of the backup, without this one."""
    n_bytes: int = Field(ge=0)
    """Size of these files."""
    n_rows: dict[str, int]
    """Rows of each table of the database."""
    n_images_outside: int = Field(ge=0)
    """Images of datasets that are outside the workspace."""
    n_links: int = Field(ge=0)
    """Links in the workspace, which are not in the backup."""


_ENCODED = b"%\\:"  # besides bytes that are no visible ASCII characters


def entry_name(path: PurePosixPath) -> str:
    """Return the name of the entry of a file: its path in the workspace, with unusual characters as in `%3A`."""
    return "/".join(map(_encoded, path.parts))


def _encoded(part: str) -> str:
    if "%" not in part and _is_portable(part):
        return part
    data = os.fsencode(part)
    ends = (0, len(data) - 1)  # where a space, a dot or the name of a device is not portable
    return "".join(
        chr(byte) if 32 < byte < 127 and byte not in _ENCODED and i not in ends else f"%{byte:02X}"
        for i, byte in enumerate(data)
    )


def _is_portable(part: str) -> bool:
    try:
        return str(safe_name(part)) == part  # not if the normal form of Unicode differs
    except CoverslipError:
        return False


def path_of_entry(name: PurePosixPath) -> PurePosixPath | None:
    """Return the path of the file of an entry in the workspace; None if no file of a workspace has this name."""
    parts = [os.fsdecode(unquote_to_bytes(part)) if "%" in part else part for part in name.parts]
    separators = "/\0" if os.sep == "/" else "/\0\\:"
    if any(part in ("", ".", "..") or any(each in part for each in separators) for part in parts):
        return None
    if parts == [WORKSPACE_DATABASE] or (len(parts) > 1 and parts[0] in FOLDERS):
        return PurePosixPath(*parts)
    return None


# Write a backup, also while the app and its jobs run.

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
        Conflict: jobs were removed or restored meanwhile.
    """
    if not (workspace.folder / WORKSPACE_DATABASE).is_file():
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
            with writer.copied(workspace.folder / WORKSPACE_DATABASE) as database:
                files = _list_files(workspace.folder)
                manifest = _manifest(database, files)
                report = progress_reporter(emit, "writing-backup", "megabytes")
                writer.add(database, PurePosixPath(WORKSPACE_DATABASE))
                jobs = _removed_in(database)
            for path in files.paths:
                writer.add_file(path)
                report(writer.n_bytes // _MB, max(manifest.n_bytes, writer.n_bytes) // _MB)
            manifest = manifest.model_copy(update={"n_files": writer.n_files, "n_bytes": writer.n_bytes})
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2))
        stream.flush()
        os.fsync(stream.fileno())
        if _removed(workspace) != jobs or writer.has_gaps():
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
    missing: list[PurePosixPath] = field(default_factory=list)

    def add_file(self, path: PurePosixPath) -> None:
        """Add a file of the workspace; a database in one state. A file that was removed meanwhile is omitted."""
        file = self.workspace / path
        try:
            if path.suffix == SQLITE and path.parts[0] != UPLOADS:
                with self.copied(file) as copy:
                    self.add(copy, path)
            else:
                self.add(file, path)
        except FileNotFoundError:
            self.missing.append(path)

    def has_gaps(self) -> bool:
        """Return whether a file of a run or classifier is missing because it was restored after it was to be added."""
        return any(path.parts[0] == "trash" or (self.workspace / path).exists() for path in self.missing)

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


def _manifest(database: Path, files: _Files) -> Manifest:
    with closing(sqlite3.connect(database)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        n_rows = count_rows(connection)
        paths = connection.execute("SELECT path FROM images WHERE dataset_id IS NOT NULL")
        n_outside = sum(Path(os.fsdecode(path)).is_absolute() for (path,) in paths)  # others are in the workspace
    return Manifest(
        coverslip=__version__,
        database_version=version,
        system=os.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        n_files=len(files.paths) + 1,
        n_bytes=files.n_bytes + database.stat().st_size,
        n_rows=n_rows,
        n_images_outside=n_outside,
        n_links=files.n_links,
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of rows of each table."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
    names = [name for (name,) in connection.execute(query)]
    return {name: connection.execute(f"SELECT count(*) FROM {_quoted(name)}").fetchone()[0] for name in names}  # noqa: S608


def _removed(workspace: Workspace) -> set[str]:
    """Return the IDs of jobs in the trash."""
    query = select(tables.jobs.c.id).where(tables.jobs.c.state == "removed")
    with workspace.engine.connect() as connection:
        return set(connection.execute(query).scalars())


def _removed_in(database: Path) -> set[str]:
    """Return the same from a file of SQLite."""
    with closing(sqlite3.connect(database)) as connection:
        return {job_id for (job_id,) in connection.execute("SELECT id FROM jobs WHERE state = 'removed'")}


# Restore a backup.

_MOST_MANIFEST_BYTES = 2**20
_LONGEST_VERSION = 40  # characters that an error shows of a version of coverslip


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored workspace."""

    folder: Path
    manifest: Manifest
    n_interrupted: int  # jobs that were running, which can be resumed


def restore_backup(file: Path, folder: Path, emit: Emit = ignore) -> Restored:
    """Restore a workspace from a backup into a new or empty folder, completely or not at all.

    Jobs that were running can be resumed.

    Args:
        file: a file of `write_backup`, which is checked before anything is written.
        folder: the folder of the workspace.
        emit: receives progress events.

    Raises:
        CoverslipError: the file is no backup, is damaged or of another version, the folder has content, the disk is
            full, or the database cannot be used.
    """
    folder = folder.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise CoverslipError("restore-folder-not-empty", file=folder, remedies=(ChooseOther("workspace"),))
    try:
        with open_archive(file, LIMITS) as (archive, entries):
            manifest, files = _checked(archive, entries, file)
            with _new_folder(folder, manifest) as unpacked:
                report = progress_reporter(emit, "restoring-backup", "megabytes")
                n_bytes = 0
                for path, entry in files.items():
                    _unpack(archive, entry, unpacked / path)
                    n_bytes += entry.info.file_size
                    report(n_bytes // _MB, manifest.n_bytes // _MB)
                _check_rows(unpacked / WORKSPACE_DATABASE, manifest, file)
                # Otherwise a process of the same number could be taken for a job, and be stopped in its place.
                copy = Workspace(unpacked, ())
                n_interrupted = clear_processes(copy)
                copy.engine.dispose()
    except BadArchive as error:
        raise _not_accepted(file, str(error.parameters.get("why", error.what))) from error
    except OSError as error:
        raise CoverslipError("backup-file-not-read", file=file, reason=error.strerror or str(error)) from error
    return Restored(folder, manifest, n_interrupted)


def _not_accepted(file: Path, why: str) -> CoverslipError:
    return CoverslipError("backup-not-accepted", file=file, why=why)


def _can_open(version: object) -> bool:
    """Return whether this version of coverslip opens tables of a version."""
    return isinstance(version, int) and (version == VERSION or can_upgrade(STEPS, version, VERSION))


def _checked(
    archive: zipfile.ZipFile, entries: Sequence[Entry], file: Path
) -> tuple[Manifest, dict[PurePosixPath, Entry]]:
    """Return the manifest of a backup, and its entries by their paths in the workspace."""
    by_name = {str(entry.name): entry for entry in entries}
    stated = by_name.pop(MANIFEST, None)
    if stated is None or stated.info.file_size > _MOST_MANIFEST_BYTES:
        raise _not_accepted(file, text("backup-without-manifest", name=MANIFEST))
    try:
        content = json.loads(archive.read(stated.info))
        version = content.get("format_version") if isinstance(content, dict) else None
        if version != FORMAT_VERSION or not _can_open(content.get("database_version")):
            writer = str(content.get("coverslip") or "") if isinstance(content, dict) else ""
            raise CoverslipError("backup-version", file=file, has_needed=bool(writer), needed=writer[:_LONGEST_VERSION])
        manifest = Manifest.model_validate(content)
    except (ValueError, ValidationError) as error:
        raise _not_accepted(file, text("backup-without-manifest", name=MANIFEST)) from error
    if manifest.system != os.name:
        raise CoverslipError("backup-other-system", file=file)
    files = {}
    for entry in by_name.values():
        path = path_of_entry(entry.name)
        if path is None or path in files:
            raise _not_accepted(file, text("backup-other-file", name=str(entry.name)))
        files[path] = entry
    sizes = sum(entry.info.file_size for entry in files.values())
    if PurePosixPath(WORKSPACE_DATABASE) not in files or (len(files), sizes) != (manifest.n_files, manifest.n_bytes):
        raise _not_accepted(file, text("backup-incomplete"))
    return manifest, files


@contextmanager
def _new_folder(folder: Path, manifest: Manifest) -> Iterator[Path]:
    """Yield a temporary folder inside `folder`, whose content moves into `folder` at the end.

    After an error, everything is removed. The database moves last, since the app refuses results without a database.
    """
    is_new = not folder.exists()
    part = folder / f".restored.{secrets.token_hex(4)}.part"
    moved: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if is_new:
            folder.chmod(0o700)  # images of patients are private
        if manifest.n_bytes > (free := shutil.disk_usage(folder).free):
            raise DiskFull("restore-disk-full", file=folder, needed_mb=manifest.n_bytes / 1e6, free_mb=free / 1e6)
        part.mkdir()
        yield part
        for each in sorted(part.iterdir(), key=lambda each: each.name == WORKSPACE_DATABASE):
            moved.append(each.rename(folder / each.name))
        part.rmdir()
        moved.clear()
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        for each in (part, *moved):
            if each.is_dir():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # it has content
                folder.rmdir()


def _unpack(archive: zipfile.ZipFile, entry: Entry, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(entry.info) as source, target.open("xb") as out:
        shutil.copyfileobj(source, out, _CHUNK_BYTES)
    with suppress(ValueError, OverflowError):  # the time is not part of the content
        changed = int(entry.info.comment)
        os.utime(target, ns=(changed, changed))


def _check_rows(database: Path, manifest: Manifest, file: Path) -> None:
    try:
        with closing(sqlite3.connect(database)) as connection:
            is_complete = count_rows(connection) == manifest.n_rows
    except sqlite3.Error:
        is_complete = False
    if not is_complete:
        raise _not_accepted(file, text("backup-incomplete"))
