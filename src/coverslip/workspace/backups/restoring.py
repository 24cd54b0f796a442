"""Restore a workspace from a backup, in any folder."""

import json
import os
import secrets
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import ValidationError

from coverslip.archives import Entry, open_archive
from coverslip.errors import BadArchive, CoverslipError, DiskFull
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.files import write_error
from coverslip.messages import ChooseOther, text
from coverslip.runs import Run, mark_interrupted
from coverslip.workspace.backups.archive import (
    DATABASE,
    FORMAT_VERSION,
    LIMITS,
    MANIFEST,
    UPLOADS,
    Manifest,
    Relocation,
    path_of_entry,
)
from coverslip.workspace.backups.writing import count_rows
from coverslip.workspace.store.database import VERSION
from coverslip.workspace.store.upgrades import STEPS, can_upgrade

_CHUNK_BYTES = 2**20
_MB = 10**6
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

    Paths in the workspace are replaced by those in the new folder. Jobs that were running can be resumed.

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
                _check_rows(unpacked / DATABASE, manifest, file)
                n_interrupted = _adapt(unpacked, manifest, folder.resolve())
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
    if PurePosixPath(DATABASE) not in files or (len(files), sizes) != (manifest.n_files, manifest.n_bytes):
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
        for each in sorted(part.iterdir(), key=lambda each: each.name == DATABASE):
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


def _adapt(unpacked: Path, manifest: Manifest, folder: Path) -> int:
    """Replace paths of the earlier workspace, and mark running jobs as interrupted; return their number."""
    relocation = Relocation(manifest.workspace, str(folder))
    interrupted = set[Path]()
    for current, folders, names in os.walk(unpacked):
        if Path(current) == unpacked:
            folders[:] = [name for name in folders if name != UPLOADS]
        for file in (Path(current, name) for name in names):
            relocation.file(file)
            if file == Run(file.parent).status_file and mark_interrupted(file):
                interrupted.add(folder / file.parent.relative_to(unpacked))
    with closing(sqlite3.connect(unpacked / DATABASE)) as connection, connection:
        # Otherwise a process of the same number could be taken for the job, and be stopped in its place.
        connection.execute("UPDATE jobs SET pid = NULL, process_started = NULL, launched = NULL")
        return sum(Path(path) in interrupted for (path,) in connection.execute("SELECT folder FROM jobs"))
