"""A classifier as one file: a zip with exactly what `classifier/` holds.

Such files come from strangers. Nothing is ever extracted: entries are read by their exact names, and only as many
bytes as the reader asks for, so that neither a name nor a size in the file decides where anything goes.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PureWindowsPath
from typing import IO

from coverslip.errors import BadClassifier, CoverslipError
from coverslip.files import written_whole

_BEGINNING_OF_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_MOST_ENTRIES = 64
_LARGEST_DIRECTORY = 64 * 1024  # bytes that list the entries
_LARGEST_RATIO = 20  # trained weights hardly shrink; what unpacks to more is made to do so
_RATIO_FROM = 1024 * 1024  # bytes unpacked: a small file may well be repetitive
_LARGEST_ZIP = 2**31 - 1  # beyond it zips are of another kind
_END_RECORD = b"PK\x05\x06"
_END_RECORD_BYTES = 22
_LONGEST_COMMENT = 2**16
_UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, ValueError, OSError)
_AGAIN = "Ask whoever made it to export it again."


def write_archive(file: Path, entries: Mapping[str, bytes]) -> None:
    """Write a zip, whole or not at all; equal entries give equal bytes.

    Raises:
        CoverslipError: it would be too large for a zip, or cannot be written.
    """
    if sum(map(len, entries.values())) > _LARGEST_ZIP - _LARGEST_DIRECTORY:
        raise CoverslipError(
            "The classifier is larger than 2 GB, too large for one file", file=file, do="Pass on its folder instead."
        )
    with written_whole(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, _BEGINNING_OF_ZIP_TIME)
            entry.create_system = 3  # Unix, whatever wrote it
            entry.external_attr = _PLAIN_FILE
            archive.writestr(entry, data)


@contextmanager
def opened_entry(file: Path, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """One entry to read from, and how many bytes it says it has.

    Raises:
        BadClassifier: the file is no zip, is damaged, lacks the entry, or holds what no export writes.
    """
    try:
        with file.open("rb") as opened:
            _check_end(opened, file)
            with zipfile.ZipFile(opened) as archive:
                entry = _checked_entry(archive, name, file)
                with archive.open(entry) as stream:
                    yield stream, entry.file_size
    except _UNREADABLE as error:
        raise BadClassifier(f"The file could not be read as a classifier: {error}", file=file, do=_AGAIN) from error


def _check_end(opened: IO[bytes], file: Path) -> None:
    """Look at the end of a zip, where it says how long the list of its entries is, before that list is read."""
    size = opened.seek(0, 2)
    opened.seek(max(0, size - _END_RECORD_BYTES - _LONGEST_COMMENT))
    tail = opened.read()
    at = tail.rfind(_END_RECORD)
    if at < 0 or len(tail) - at < _END_RECORD_BYTES:
        raise BadClassifier(
            "This is no packaged classifier, or it is cut off",
            file=file,
            do="Give a run folder, its classifier/, or a file that `coverslip export` wrote.",
        )
    n_entries = int.from_bytes(tail[at + 10 : at + 12], "little")
    n_directory_bytes = int.from_bytes(tail[at + 12 : at + 16], "little")
    is_64_bit = b"PK\x06\x07" in tail[max(0, at - 20) : at]
    if is_64_bit or n_entries > _MOST_ENTRIES or n_directory_bytes > _LARGEST_DIRECTORY:
        raise BadClassifier("The file holds far more than a classifier", file=file, do=_AGAIN)


def _checked_entry(archive: zipfile.ZipFile, name: str, file: Path) -> zipfile.ZipInfo:
    """The entry of that name, once nothing about any entry is suspicious. Others with harmless names are ignored."""
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for entry in entries:
        if fault := _fault(entry, is_double=names.count(entry.filename) > 1):
            raise BadClassifier(f"The file holds {fault}: '{entry.orig_filename[:80]}'", file=file, do=_AGAIN)
    if name not in names:
        raise BadClassifier(f"The file holds no {name}, so it is no classifier", file=file, do=_AGAIN)
    return archive.getinfo(name)


def _fault(entry: zipfile.ZipInfo, *, is_double: bool) -> str | None:
    path = PureWindowsPath(entry.orig_filename)  # knows both kinds of slashes, and drives
    mode = entry.external_attr >> 16
    if ".." in path.parts or path.anchor or "\0" in entry.orig_filename:
        return "a name that leads outside"
    if is_double:
        return "one name twice"
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or another special file"
    if entry.flag_bits & 1:
        return "an encrypted entry"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "an entry packed in an unusual way"
    if entry.file_size > max(_RATIO_FROM, _LARGEST_RATIO * entry.compress_size):
        return "an entry that unpacks to far more than its size"
    return None
