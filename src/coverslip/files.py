"""Files: atomic writing, hashes, CSV cells, the folder of imported weights, and untrusted zip archives."""

import codecs
import csv
import errno
import hashlib
import io
import json
import math
import os
import re
import secrets
import shutil
import stat
import struct
import time
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import IO, Any, TextIO

from coverslip.errors import BadArchive, CoverslipError, DiskFull
from coverslip.messages import text

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_SECONDS_UNTIL_ABANDONED = 86_400
WORKSPACE_DATABASE = "workspace.sqlite"  # in the folder of a workspace
_PART = re.compile(r"\..+\.[0-9a-f]{8}\.part")
_cleaned: set[Path] = set()  # folders

# Outlines of objects can be longer than the default. The limit is one for the process: it is set here alone, once, so
# that what a reader accepts does not depend on what else is read.
csv.field_size_limit(2**27)  # characters


def weights_folder() -> Path:
    """Return the folder of imported weights: `COVERSLIP_WEIGHTS`, else the data folder of the platform.

    It is not a cache: its files cannot be recomputed.
    """
    folder = os.environ.get("COVERSLIP_WEIGHTS")
    if folder:
        return Path(folder).expanduser().absolute()
    return _data_folder() / "weights"


def default_workspace_folder() -> Path:
    """Return the folder of the app: `COVERSLIP_HOME`, else `coverslip` in the home folder of the user."""
    folder = os.environ.get("COVERSLIP_HOME")
    return Path(folder).expanduser().absolute() if folder else Path.home() / "coverslip"


def stated_paths(folder: Path) -> Callable[[str], str]:
    """Return the function that states an absolute path in a file of a folder, which may be moved.

    Paths in the folder, or in the same workspace, are stated relative to the folder. `resolved_path` is the inverse.
    """
    folder = folder.absolute()
    home = next((each for each in (folder, *folder.parents) if (each / WORKSPACE_DATABASE).is_file()), folder)
    below, inside = (str(each).rstrip(os.sep) + os.sep for each in (folder, home))

    def stated(path: str) -> str:
        if path.startswith(below):  # of most images
            return path.removeprefix(below)
        return os.path.relpath(path, folder) if (path + os.sep).startswith(inside) else path

    return stated


def resolved_path(path: str, folder: Path) -> str:
    """Return the absolute path that a file in a folder states."""
    return os.path.normpath(folder.absolute() / path)


def _data_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_data_dir("coverslip", appauthor=False))


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which is renamed to `path` on success and removed on any error.

    Readers see the old file or the new one, never an incomplete one. The first write to a folder removes temporary
    files of killed processes that were not changed for a day.

    Raises:
        CoverslipError: the folder is not writable, or the disk is full.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        yield part
        part.replace(path)
    except OSError as error:
        raise write_error(path, error) from error
    finally:
        with suppress(OSError):  # the file may not exist
            part.unlink(missing_ok=True)


def _remove_abandoned(folder: Path) -> None:
    """Remove temporary files that were not changed for a day.

    A process does this once per folder, because folders can hold thousands of files.
    """
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    oldest = time.time() - _SECONDS_UNTIL_ABANDONED
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _PART.fullmatch(entry.name) and entry.stat(follow_symlinks=False).st_mtime < oldest:
                Path(entry).unlink(missing_ok=True)


def remove_file(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        CoverslipError: the folder is not writable.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise write_error(path, error) from error


def write_error(path: Path, error: OSError) -> CoverslipError:
    """Return the error for a file that cannot be written."""
    kind = DiskFull if error.errno in DISK_FULL else CoverslipError
    return kind("file-not-written", file=path, reason=error.strerror or str(error))


def check_replaceable(file: Path, begins_with: bytes) -> None:
    """Check that a table can be written without replacing an unrelated file.

    Args:
        file: the table to be written.
        begins_with: the first bytes of tables of the same kind, which may be replaced.

    Raises:
        CoverslipError: the path is a folder, or a file with other first bytes.
    """
    if file.is_dir():
        raise CoverslipError("folder-instead-of-table", file=file)
    try:
        if not file.exists():
            return
        if file.is_file():
            with file.open("rb") as opened:
                start = opened.read(len(codecs.BOM_UTF8) + len(begins_with)).removeprefix(codecs.BOM_UTF8)
            if not start or start.startswith(begins_with):
                return
    except OSError as error:
        raise write_error(file, error) from error
    raise CoverslipError("other-file-in-place", file=file)


def read_bytes(path: Path, most_bytes: int) -> bytes:
    """Return the content of an untrusted file.

    Raises:
        OSError: the file does not exist or cannot be read.
        ValueError: it is larger than `most_bytes`, or not a regular file, because pipes and devices can block.
    """
    if path.exists() and not path.is_file():
        raise ValueError(text("file-not-regular"))
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise ValueError(text("file-above-limit", limit_mib=most_bytes / 2**20))
    return data


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically.

    Bytes of file names that are not UTF-8 become `\\udcff`, which JSON restores.
    """
    with atomic_write(path) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def mark_for_excel(path: Path) -> None:
    """Write the mark at the start of a table in UTF-8 from which Excel for Windows knows its encoding (BOM).

    Raises:
        CoverslipError: the file cannot be written.
    """
    with atomic_write(path) as part, path.open("rb") as unmarked, part.open("wb") as marked:
        marked.write(codecs.BOM_UTF8)
        shutil.copyfileobj(unmarked, marked)


def write_bytes(path: Path, data: bytes) -> None:
    """Write bytes atomically."""
    with atomic_write(path) as part:
        part.write_bytes(data)


def write_link(path: Path, as_file: Path) -> None:
    """Write a copy of a file atomically, as a hard link if the disk supports links.

    Args:
        path: the new file.
        as_file: a file on the same disk, which is always replaced as a whole, never changed in place.
    """
    with atomic_write(path) as part:
        try:
            os.link(as_file, part)
        except OSError:  # FAT and some network drives do not support links
            shutil.copyfile(as_file, part)


def write_json(path: Path, value: Any) -> None:  # Any: JSON values
    """Write JSON atomically.

    Raises:
        ValueError: a number is NaN or infinite; write `null` and a `reason` instead.
    """
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def finite_or_none(value: float) -> float | None:
    """Return a value for JSON: None if it is NaN or infinite."""
    return value if math.isfinite(value) else None


def sha256_file(path: Path) -> str:
    """Return the hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:  # Any: JSON values
    """Return the hex SHA-256 of a JSON value, independent of the order of keys."""
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, ensure_ascii=False).encode(errors="backslashreplace")
    ).hexdigest()


_FORMULA_STARTS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")  # full-width characters too, as in Japanese
_NEGATIVE_NUMBER = re.compile(r"-[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)?")


class ReadyCell(str):
    """Text that a CSV table contains as it is: a number, or a cell of another table."""

    __slots__ = ()


class CsvWriter:
    """A CSV writer whose cells no spreadsheet reads as formulas, whose lines end in a line feed, and whose cells
    never start a new row.

    `csv` quotes cells that contain a character of its line terminator. With a line feed as terminator, a carriage
    return in a name would not be quoted, and some readers would start a new row there.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._writer = csv.writer(self, lineterminator="\r\n")

    def writerow(self, cells: Iterable[object]) -> None:
        """Write one row, with texts as of `safe_cell` unless they are a `ReadyCell`."""
        self._writer.writerow(
            safe_cell(cell) if isinstance(cell, str) and not isinstance(cell, ReadyCell) else cell for cell in cells
        )

    def writerows(self, rows: Iterable[Iterable[object]]) -> None:
        """Write several rows."""
        for row in rows:
            self.writerow(row)

    def write(self, line: str) -> None:
        """Write one line; called by `csv` once per row."""
        self._stream.write(line.removesuffix("\r\n") + "\n")


def write_csv(file: Path, columns: Iterable[str], rows: Iterable[Iterable[object]]) -> Path:
    """Write a table with the rows of `CsvWriter`, completely or not at all, and return the file."""
    with (
        atomic_write(file) as part,
        part.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        CsvWriter(stream).writerows(chain([columns], rows))
    return file


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """Return the text of rows of `CsvWriter`."""
    text = io.StringIO()
    CsvWriter(text).writerows(rows)
    return text.getvalue()


def access_fault(path: Path) -> str | None:
    """Return why a path cannot be accessed, such as an invalid name or missing permission; None: it can."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return error.strerror or str(error)
    except ValueError as error:
        return str(error)
    return None


def safe_cell(text: str) -> str:
    """Return text for a CSV cell that spreadsheets do not interpret as a formula: `-neg` becomes `'-neg`.

    Text that already has this form, `'-neg`, gets one more quote, so that every text can be restored. A negative number
    stays as it is: cells of a user's table keep their values.
    """
    is_formula = text.startswith(_FORMULA_STARTS) and not _NEGATIVE_NUMBER.fullmatch(text)
    return f"'{text}" if is_formula or _is_marked(text) else text


def plain_cell(cell: str) -> str:
    """Return the original text from the result of `safe_cell`."""
    return cell[1:] if _is_marked(cell) else cell


def _is_marked(cell: str) -> bool:
    """Return whether a cell has one or more quotes before the start of a formula."""
    return cell.startswith("'") and cell.lstrip("'").startswith(_FORMULA_STARTS)


# Untrusted zip archives: all entries are checked before one is read.
#
# Names in an archive cannot lead out of a folder, and declared sizes cannot exhaust memory. Callers read entries in
# chunks; `zipfile` stops at the checked size of an entry and compares its checksum.

_MAX_NAME_BYTES = 255  # of one path component, on all usual file systems
_MAX_PATH_LENGTH = 1_000
_MAX_DEPTH = 20
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)  # device names of Windows

_END_RECORD, _END_RECORD_BYTES, _MAX_COMMENT_BYTES = b"PK\x05\x06", 22, 2**16
_LOCATOR_64, _LOCATOR_64_BYTES = b"PK\x06\x07", 20
_END_RECORD_64, _END_RECORD_64_BYTES = b"PK\x06\x06", 56
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """The limits of an archive."""

    max_entries: int
    max_directory_bytes: int  # of the central directory, which is read as a whole
    max_ratio: int  # of unpacked to packed bytes; a larger ratio is an attack
    min_ratio_bytes: int  # unpacked bytes from which the ratio is checked, because small files can be repetitive
    allows_zip64: bool  # whether more than 4 GB or 65,535 entries are allowed
    has_paths: bool = True  # whether names become paths of files; others may repeat, and contain any character


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive, and its name as a relative path."""

    info: zipfile.ZipInfo
    name: PurePosixPath


@contextmanager
def open_archive(file: Path | IO[bytes], limits: ArchiveLimits) -> Iterator[tuple[zipfile.ZipFile, list[Entry]]]:
    """Open and check an archive; yield it with its files.

    Args:
        file: the archive, or its opened stream.
        limits: of the archive.

    Raises:
        BadArchive: it is not a zip file, it is damaged (also detected while it is read in the block), or not allowed.
    """
    try:
        with file.open("rb") if isinstance(file, Path) else nullcontext(file) as stream:
            n_bytes = _check_end(stream, limits)
            with zipfile.ZipFile(stream) as archive:
                yield archive, _check_entries(archive, n_bytes, limits)
    except _DAMAGED as error:
        raise _bad(text("archive-damaged", reason=_printable(str(error)))) from error


def safe_name(name: str) -> PurePosixPath:
    """Return `name` as a relative path that is valid on all operating systems.

    Raises:
        CoverslipError: the name could lead out of a folder, or is not valid on all operating systems.
    """
    name = unicodedata.normalize("NFC", name)
    if fault := _fault_of_name(name):
        raise CoverslipError("file-name-not-accepted", name=_printable(name), fault=fault)
    return PurePosixPath(name)


def _fault_of_name(name: str) -> str | None:
    parts = name.split("/")
    if not all(parts):
        return text("name-with-empty-part")
    if any(part in (".", "..") for part in parts):
        return text("name-leaves-folder")
    if re.search(r"[\\:\x00-\x1f\x7f]", name):
        return text("name-with-special-character")
    if not name.isascii() and name.encode(errors="replace").decode() != name:
        return text("name-no-text")
    if any(part.endswith((" ", ".")) for part in parts):
        return text("name-ends-in-space-or-dot")
    if any(_RESERVED.fullmatch(part) for part in parts):
        return text("name-of-device")
    if len(name) > _MAX_PATH_LENGTH or len(parts) > _MAX_DEPTH or _longest_component(parts) > _MAX_NAME_BYTES:
        return text("name-too-long")
    return None


def _longest_component(parts: list[str]) -> int:
    return max(len(part.encode(errors="replace")) for part in parts)


def _check_end(stream: IO[bytes], limits: ArchiveLimits) -> int:
    """Check the declared size of the central directory, before it is read, and return the size of the file."""
    size = stream.seek(0, 2)
    stream.seek(max(0, size - _END_RECORD_BYTES - _MAX_COMMENT_BYTES - _LOCATOR_64_BYTES - _END_RECORD_64_BYTES))
    tail = stream.read()
    at = tail.rfind(_END_RECORD)
    if at < 0 or len(tail) - at < _END_RECORD_BYTES:
        raise _bad(text("archive-no-zip"))
    n_directory_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    if tail[: max(0, at - _LOCATOR_64_BYTES) + 4].endswith(_LOCATOR_64):
        if not limits.allows_zip64:
            raise _bad(text("archive-too-large"))
        record = tail[max(0, at - _LOCATOR_64_BYTES - _END_RECORD_64_BYTES) :][:_END_RECORD_64_BYTES]
        if not record.startswith(_END_RECORD_64):
            raise _bad(text("archive-end-damaged"))
        n_directory_bytes = int.from_bytes(record[40:48], "little")
    if n_directory_bytes > limits.max_directory_bytes:
        raise _bad(text("archive-too-large"))
    return size


def _check_entries(archive: zipfile.ZipFile, n_bytes: int, limits: ArchiveLimits) -> list[Entry]:
    """Check all entries of an archive, and return its files."""
    infos = archive.infolist()
    if len(infos) > limits.max_entries:
        raise _bad(text("archive-too-large"))
    entries, names = list[Entry](), set[PurePosixPath]()
    for info in infos:
        entry_name = _entry_name(info)
        is_folder = entry_name.endswith("/")
        if not entry_name and info.orig_filename.endswith(("/", "\\")):
            continue  # `./`
        fault_of_name = _fault_of_name(entry_name.removesuffix("/")) if limits.has_paths else None
        if fault := fault_of_name or _fault(info, is_folder, limits):
            raise _bad(text("archive-entry-not-accepted", name=_printable(entry_name), fault=fault))
        if not 0 <= info.header_offset < n_bytes:
            raise _bad(text("archive-entry-outside", name=_printable(entry_name)))
        name = PurePosixPath(entry_name)
        if limits.has_paths and name in names:
            raise _bad(text("archive-entry-twice", name=_printable(entry_name)))
        if not is_folder:
            names.add(name)
            entries.append(Entry(info, name))
    if _is_bomb(sum(entry.info.file_size for entry in entries), n_bytes, limits):
        raise _bad(text("archive-bomb"))
    return entries


def _entry_name(info: zipfile.ZipInfo) -> str:
    """Return the name of an entry with `/` between its parts and without `./`. The name of a folder ends in `/`.

    Programs of macOS write UTF-8 without the flag that says so, and `zipfile` then decodes another encoding. Programs
    of Windows separate folders by backslashes. `ZipInfo.filename` would be cut at a NUL.
    """
    name = info.orig_filename
    if not info.flag_bits & _UTF8_FLAG:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    parts = unicodedata.normalize("NFC", name).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part != ".")


_UTF8_FLAG = 0x800


def _fault(info: zipfile.ZipInfo, is_folder: bool, limits: ArchiveLimits) -> str | None:
    kinds = (0, stat.S_IFDIR) if is_folder else (0, stat.S_IFREG)
    if stat.S_IFMT(info.external_attr >> 16) not in kinds:
        return text("archive-entry-link")
    if info.flag_bits & 1:
        return text("archive-entry-encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return text("archive-entry-compression")
    if _is_bomb(info.file_size, info.compress_size, limits):
        return text("archive-bomb")
    return None


def _is_bomb(n_unpacked: int, n_packed: int, limits: ArchiveLimits) -> bool:
    return n_unpacked > max(limits.min_ratio_bytes, limits.max_ratio * n_packed)


def _printable(name: str) -> str:
    """Return text as one short line without unprintable characters."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in name[:80])


def _bad(why: str) -> BadArchive:
    return BadArchive("archive-not-accepted", why=why)
