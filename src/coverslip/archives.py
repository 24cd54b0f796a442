"""Untrusted zip archives: all entries are checked before one is read.

Names in an archive cannot lead out of a folder, and declared sizes cannot exhaust memory. Callers read entries in
chunks; `zipfile` stops at the checked size of an entry and compares its checksum.
"""

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from coverslip.errors import BadArchive, CoverslipError
from coverslip.messages import text

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


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive, and its name as a relative path."""

    info: zipfile.ZipInfo
    name: PurePosixPath


@contextmanager
def open_archive(file: Path, limits: ArchiveLimits) -> Iterator[tuple[zipfile.ZipFile, list[Entry]]]:
    """Open and check an archive; yield it with its files.

    Raises:
        BadArchive: it is not a zip file, it is damaged (also detected while it is read in the block), or not allowed.
    """
    try:
        with file.open("rb") as stream:
            _check_end(stream, limits)
            with zipfile.ZipFile(stream) as archive:
                yield archive, _check_entries(archive, file.stat().st_size, limits)
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


def _check_end(stream: IO[bytes], limits: ArchiveLimits) -> None:
    """Check the declared size of the central directory, at the end of the file, before it is read."""
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


def _check_entries(archive: zipfile.ZipFile, n_bytes: int, limits: ArchiveLimits) -> list[Entry]:
    """Check all entries of an archive, and return its files."""
    infos = archive.infolist()
    if len(infos) > limits.max_entries:
        raise _bad(text("archive-too-large"))
    entries: dict[PurePosixPath, Entry] = {}
    for info in infos:
        # The original names: `ZipInfo.filename` is cut at a NUL and has backslashes replaced.
        entry_name = unicodedata.normalize("NFC", info.orig_filename)
        fault = _fault_of_name(entry_name.removesuffix("/") if _is_folder(info) else entry_name) or _fault(info, limits)
        if fault:
            raise _bad(text("archive-entry-not-accepted", name=_printable(entry_name), fault=fault))
        if not 0 <= info.header_offset < n_bytes:
            raise _bad(text("archive-entry-outside", name=_printable(entry_name)))
        name = PurePosixPath(entry_name)
        if name in entries:
            raise _bad(text("archive-entry-twice", name=_printable(entry_name)))
        if not _is_folder(info):
            entries[name] = Entry(info, name)
    if _is_bomb(sum(entry.info.file_size for entry in entries.values()), n_bytes, limits):
        raise _bad(text("archive-bomb"))
    return list(entries.values())


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.orig_filename.endswith("/")  # `ZipInfo.is_dir` fails for an empty name


def _fault(info: zipfile.ZipInfo, limits: ArchiveLimits) -> str | None:
    kinds = (0, stat.S_IFDIR) if _is_folder(info) else (0, stat.S_IFREG)
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
