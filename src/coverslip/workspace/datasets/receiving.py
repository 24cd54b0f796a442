"""Files that a browser sends: streamed to disk under names that cannot lead anywhere else, within limits.

A file is written under a temporary name beside the others' folder and takes its own name when it is complete. A zip
file is unpacked beside, once all of it was looked at, and moved in as a whole.
"""

import shutil
import stat
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sqlalchemy import update

from coverslip.archives import Entry, Limits, opened_archive, safe_name
from coverslip.datasets import counted, one_line
from coverslip.errors import CoverslipError, TooLarge
from coverslip.files import cannot_write
from coverslip.workspace.datasets.uploads import LITTER, MAX_FILES, Upload, describe, open_row
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import new_id
from coverslip.workspace.store.tables import uploads

_PIECE = 1 << 20
_LIMITS = Limits(
    most_entries=2 * MAX_FILES,  # with folders
    most_directory_bytes=100 * 10**6,
    largest_ratio=300,  # blank 16-bit images shrink a hundredfold; a bomb shrinks a thousandfold and is large
    ratio_from=100 * 10**6,
    is_64_bit_taken=True,
)
_COUNTING = threading.Lock()  # sizes of replaced files and counts go together


def receive_file(home: Workspace, upload_id: str, name: str, declared: int | None) -> "Sink":
    """Where to put the bytes of one file.

    Args:
        home: the workspace.
        upload_id: which upload.
        name: below the upload's folder; sub-folders are made.
        declared: bytes that the sender announced.

    Raises:
        NotFound: there is no such upload.
        Conflict: it has become a dataset already.
        TooLarge: it would be too much.
        CoverslipError: the name is not taken.
    """
    return _FileSink(home, upload_id, safe_name(name), declared)


def receive_archive(home: Workspace, upload_id: str, declared: int | None) -> "Sink":
    """Where to put the bytes of a zip file; raises as `receive_file`."""
    return _ArchiveSink(home, upload_id, declared)


class Sink(ABC):
    """Takes the bytes of one body. Without `finish`, or where that fails, `close` takes all of them away again."""

    def __init__(self, home: Workspace, upload_id: str, declared: int | None) -> None:
        self.home, self.upload_id = home, upload_id
        with home.engine.connect() as connection:
            row = open_row(connection, upload_id)
        self.folder = home.uploads / upload_id
        self.n_bytes = 0
        self.left = row.max_bytes - row.n_bytes
        self.files_left = row.max_files - row.n_files
        if declared is not None and declared > self.left:
            raise self._too_large()
        self.part = self.folder / f".{new_id()}.part"
        try:
            self._file: BinaryIO = self.part.open("xb")
        except OSError as error:
            raise cannot_write(self.part, error) from error

    def write(self, data: bytes) -> None:
        """Take more bytes.

        Raises:
            TooLarge: it is too much by now.
            CoverslipError: the disk is full.
        """
        self.n_bytes += len(data)
        if self.n_bytes > self.left:
            raise self._too_large()
        try:
            self._file.write(data)
        except OSError as error:
            raise cannot_write(self.part, error) from error

    def finish(self, data: bytes) -> Upload:
        """Take the last bytes, and make them what they are to be."""
        self.write(data)
        try:
            self._file.close()
            self._settle()
        except OSError as error:
            raise cannot_write(self.folder, error) from error
        return describe(self.home, self.upload_id)

    def close(self) -> None:
        """Leave nothing half done."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.part.unlink(missing_ok=True)

    @abstractmethod
    def _settle(self) -> None:
        """Put what was received in its place."""

    def _count(self, n_files: int, n_bytes: int, *, has_folders: bool) -> None:
        """Add to what was received.

        Raises:
            TooLarge: others were quicker, and now it is too much.
        """
        with writing(self.home.engine) as connection:
            row = open_row(connection, self.upload_id)
            if row.n_files + n_files > row.max_files:
                raise self._too_many(row.max_files)
            if row.n_bytes + n_bytes > row.max_bytes:
                raise self._too_large()
            connection.execute(
                update(uploads)
                .where(uploads.c.id == self.upload_id)
                .values(
                    n_files=row.n_files + n_files,
                    n_bytes=row.n_bytes + n_bytes,
                    has_folders=row.has_folders or has_folders,
                )
            )

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"This is more than the {self.left / 1e9:,.1f} GB that are left for this upload",
            do="Send fewer images, or open the folder where it lies.",
        )

    def _too_many(self, most: int) -> TooLarge:
        return TooLarge(
            f"These are more than {counted(most, 'file')}", do="Send fewer images, or open the folder where it lies."
        )


class _FileSink(Sink):
    def __init__(self, home: Workspace, upload_id: str, name: PurePosixPath, declared: int | None) -> None:
        super().__init__(home, upload_id, declared)
        self.target = self.folder / "files" / name
        self.name = name

    def _settle(self) -> None:
        with _COUNTING:
            _make_folders(self.folder / "files", self.name)
            if self.target.is_dir():
                raise _taken(self.name)
            is_new = not self.target.exists()
            before = 0 if is_new else self.target.stat().st_size
            self._count(int(is_new), self.n_bytes - before, has_folders=len(self.name.parts) > 1)
            self.part.replace(self.target)


class _ArchiveSink(Sink):
    def _settle(self) -> None:
        beside = self.folder / f".{new_id()}.unpacked"
        try:
            n_files, n_bytes = self._unpack(beside)
            with _COUNTING:
                tops = sorted(beside.iterdir())
                for top in tops:
                    if (self.folder / "files" / top.name).exists():
                        raise _taken(PurePosixPath(top.name))
                self._count(n_files, n_bytes, has_folders=any(top.is_dir() for top in tops))
                for top in tops:
                    top.rename(self.folder / "files" / top.name)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _unpack(self, out: Path) -> tuple[int, int]:
        """Unpack into a new folder; gives the number of files and of bytes."""
        with opened_archive(self.part, _LIMITS) as (archive, entries):
            wanted = [entry for entry in entries if not _is_litter(entry.name)]
            self._refuse_too_much(wanted)
            out.mkdir()
            for entry in wanted:
                _make_folders(out, entry.name)
                with archive.open(entry.info) as source, (out / entry.name).open("xb") as file:
                    shutil.copyfileobj(source, file, _PIECE)
            return len(wanted), sum(entry.info.file_size for entry in wanted)

    def _refuse_too_much(self, entries: list[Entry]) -> None:
        if not entries:
            raise CoverslipError("There is no file in the archive", do="Make a new zip file of the images' folder.")
        if len(entries) > self.files_left:
            raise self._too_many(self.files_left)
        if sum(entry.info.file_size for entry in entries) > self.left:
            raise self._too_large()


def _is_litter(name: PurePosixPath) -> bool:
    """Whether macOS or another system hides it in archives."""
    return name.parts[0] == LITTER or any(part.startswith(".") for part in name.parts)


def _make_folders(start: Path, name: PurePosixPath) -> None:
    """The folders that a file lies in; each must be a real folder, not a file or a link."""
    folder = start
    for part in name.parts[:-1]:
        folder = folder / part
        with suppress(FileExistsError):
            folder.mkdir()
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise _taken(name)


def _taken(name: PurePosixPath) -> CoverslipError:
    return CoverslipError(
        f"'{one_line(str(name))}' exists already and is of another kind", do="Give it another name and send it again."
    )
