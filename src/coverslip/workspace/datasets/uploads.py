"""Images that a browser sends: streamed to disk under names that cannot lead anywhere else, within limits.

A file is written under a temporary name beside the others' folder and takes its own name when it is complete. A zip
file is checked entry by entry before anything of it is unpacked; it is unpacked beside, and moved in as a whole.
"""

import lzma
import re
import shutil
import stat
import threading
import unicodedata
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Annotated, BinaryIO

from pydantic import Field
from sqlalchemy import Connection, delete, insert, select, update

from coverslip.datasets import PLAIN_TABLE_SUFFIXES, counted, one_line, read_table
from coverslip.errors import BadDataset, Conflict, CoverslipError, NotFound, TooLarge
from coverslip.files import cannot_write
from coverslip.workspace.datasets import opening
from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import AnyRow, new_id, now
from coverslip.workspace.store.tables import uploads

MAX_FILES = 200_000
MAX_BYTES = 50 * 10**9
_SHARE_OF_DISK = 0.8  # of what is free, that one upload may take
_LONGEST_NAME = 255  # bytes of one part, on all usual file systems
_LONGEST_PATH = 1_000
_MOST_FOLDERS = 20
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # Windows' devices
# Blank 16-bit images shrink a hundredfold; a bomb shrinks a thousandfold and is large.
_BOMB_RATIO = 300
_BOMB_BYTES = 100 * 10**6
_PIECE = 1 << 20
_LITTER = "__MACOSX"

_COUNTING = threading.Lock()  # sizes of replaced files and counts go together
_FINISHING = threading.Lock()  # asked for twice at once, an upload must not become two sets


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that were sent so far."""

    id: str
    name: str
    is_labelled: bool
    has_folders: Annotated[bool, Field(description="Whether it has sub-folders.")]
    n_files: int
    n_bytes: int
    max_bytes: int
    max_files: int


def begin(
    home: Workspace, name: str, *, is_labelled: bool, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> Upload:
    """A new upload without files.

    Args:
        home: the workspace.
        name: of the set of images that it will become.
        is_labelled: whether sub-folders or a table give the labels.
        max_files, max_bytes: limits of all its files together; less on a small disk.
    """
    upload_id = new_id()
    folder = home.uploads / upload_id
    try:
        (folder / "files").mkdir(parents=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise cannot_write(folder, error) from error
    with writing(home.engine) as connection:
        connection.execute(
            insert(uploads).values(
                id=upload_id,
                name=name,
                is_labelled=is_labelled,
                n_files=0,
                n_bytes=0,
                has_folders=False,
                max_files=max_files,
                max_bytes=min(max_bytes, int(free * _SHARE_OF_DISK)),
                created=now(),
            )
        )
    return describe(home, upload_id)


def describe(home: Workspace, upload_id: str) -> Upload:
    """What has been sent so far.

    Raises:
        NotFound: there is no such upload.
    """
    with home.engine.connect() as connection:
        row = _row(connection, upload_id)
    return Upload(**{each.name: getattr(row, each.name) for each in fields(Upload)})


def finish(home: Workspace, upload_id: str, *, is_labelled: bool | None = None) -> DatasetState:
    """Make a set of images of the files. A table with paths and labels that lies beside the images gives the labels.

    Raises:
        NotFound: there is no such upload.
        Conflict: it has become a set already.
        BadDataset: the files make no set; they stay, and it can be tried again.
    """
    with _FINISHING:
        with home.engine.connect() as connection:
            row = _open_row(connection, upload_id)
        files = home.uploads / upload_id / "files"
        is_labelled = row.is_labelled if is_labelled is None else is_labelled
        table = _table_in(files) if is_labelled else None
        found = opening.open_sources(home, [str(table or files)], name=row.name, is_labelled=is_labelled, kind="upload")
        with writing(home.engine) as connection:
            connection.execute(update(uploads).where(uploads.c.id == upload_id).values(dataset_id=found.id))
    return found


def drop(home: Workspace, upload_id: str) -> None:
    """Remove what was sent.

    Raises:
        NotFound: there is no such upload.
        Conflict: it has become a set of images, which is to be forgotten instead.
    """
    with writing(home.engine) as connection:
        _open_row(connection, upload_id)
        connection.execute(delete(uploads).where(uploads.c.id == upload_id))
    shutil.rmtree(home.uploads / upload_id, ignore_errors=True)


def safe_name(name: str) -> PurePosixPath:
    """`name` as a path below a folder, on any system.

    Raises:
        CoverslipError: it could lead elsewhere, or not every system can have a file of that name.
    """
    name = unicodedata.normalize("NFC", name)
    parts = name.split("/")
    fault = (
        "it is empty or has an empty part"
        if not all(parts)
        else "it leads out of its folder"
        if any(part in (".", "..") for part in parts)
        else "it has a backslash, colon or control character"
        if re.search(r"[\\:\x00-\x1f\x7f]", name)
        else "it is no text"
        if not name.isascii() and name.encode(errors="replace").decode() != name
        else "it ends in a space or dot"
        if any(part.endswith((" ", ".")) for part in parts)
        else "it is the name of a device"
        if any(_RESERVED.fullmatch(part) for part in parts)
        else "it is too long"
        if len(name) > _LONGEST_PATH or len(parts) > _MOST_FOLDERS or _longest_part(parts) > _LONGEST_NAME
        else None
    )
    if fault:
        raise CoverslipError(
            f"The name '{one_line(name)}' is not taken: {fault}", do="Give the file a plain name and send it again."
        )
    return PurePosixPath(*parts)


def _longest_part(parts: list[str]) -> int:
    return max(len(part.encode(errors="replace")) for part in parts)


def receive_file(home: Workspace, upload_id: str, name: str, declared: int | None) -> "Sink":
    """Where to put the bytes of one file.

    Args:
        home: the workspace.
        upload_id: which upload.
        name: below the upload's folder; sub-folders are made.
        declared: bytes that the sender announced.

    Raises:
        NotFound: there is no such upload.
        Conflict: it has become a set already.
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
            row = _open_row(connection, upload_id)
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
            row = _open_row(connection, self.upload_id)
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
            n_files, n_bytes = _unpack(self.part, beside, self._checked)
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

    def _checked(self, entries: list["_Entry"], packed: int) -> None:
        total = sum(entry.info.file_size for entry in entries)
        if len(entries) > self.files_left:
            raise self._too_many(self.files_left)
        if total > self.left:
            raise self._too_large()
        if total > _BOMB_BYTES and total > _BOMB_RATIO * max(packed, 1):
            raise _bad_archive(f"{packed:,} bytes of it would become {total:,}")


@dataclass(frozen=True, slots=True)
class _Entry:
    info: zipfile.ZipInfo
    name: PurePosixPath


def _unpack(archive: Path, out: Path, check: Callable[[list[_Entry], int], None]) -> tuple[int, int]:
    """Unpack into a new folder; gives the number of files and of bytes.

    Raises:
        CoverslipError: an entry leads elsewhere, is a link or no plain file, or the archive is damaged or locked.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            entries = _entries(packed)
            check(entries, archive.stat().st_size)
            out.mkdir()
            n_bytes = 0
            for entry in entries:
                _make_folders(out, entry.name)
                target = out / entry.name
                if target.exists():
                    raise _bad_archive(f"it has '{one_line(str(entry.name))}' twice")
                with packed.open(entry.info) as source, target.open("xb") as file:
                    while piece := source.read(_PIECE):
                        n_bytes += len(piece)
                        file.write(piece)
            return len(entries), n_bytes
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError) as error:
        raise _bad_archive(f"it is damaged, or no zip file ({one_line(str(error))})") from error


def _entries(packed: zipfile.ZipFile) -> list[_Entry]:
    """The files of an archive, all of them checked. What macOS and other systems hide in it is passed over."""
    entries = []
    for info in packed.infolist():
        # Names as they stand in the file: the module itself cuts them at a NUL and turns backslashes around.
        given = info.orig_filename
        if info.is_dir():
            safe_name(given.rstrip("/"))
            continue
        name = safe_name(given)
        mode = info.external_attr >> 16
        if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise _bad_archive(f"'{one_line(given)}' is a link or no plain file")
        if info.flag_bits & 1:
            raise _bad_archive("it is locked with a password")
        if name.parts[0] == _LITTER or any(part.startswith(".") for part in name.parts):
            continue
        entries.append(_Entry(info, name))
    if not entries:
        raise _bad_archive("there is no file in it")
    return entries


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
        f"'{one_line(str(name))}' is there already as something else", do="Give it another name and send it again."
    )


def _bad_archive(why: str) -> CoverslipError:
    return CoverslipError(
        f"The archive is not taken: {why}", do="Nothing of it was unpacked. Make a new zip file of the images' folder."
    )


def _table_in(files: Path) -> Path | None:
    """The one table with paths and labels that lies beside the images, or beside their folder's images."""
    folder = files
    while True:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name != _LITTER]
        tables = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in PLAIN_TABLE_SUFFIXES]
        with_labels = [table for table in tables if _names_images(table)]
        if len(with_labels) == 1:
            return with_labels[0]
        if len(entries) != 1 or not entries[0].is_dir():
            return None
        folder = entries[0]


def _names_images(path: Path) -> bool:
    try:
        table = read_table(path)
    except BadDataset:
        return False
    return table.index("path") is not None and table.index("label") is not None


def _row(connection: Connection, upload_id: str) -> AnyRow:
    row = connection.execute(select(uploads).where(uploads.c.id == upload_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such upload", do="Begin a new one.")
    return row


def _open_row(connection: Connection, upload_id: str) -> AnyRow:
    row = _row(connection, upload_id)
    if row.dataset_id is not None:
        raise Conflict("The upload is finished", do="Begin a new one for further images.")
    return row
