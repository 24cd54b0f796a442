"""A classifier as one file: a zip with exactly what `classifier/` holds.

Such files come from strangers. Nothing is ever extracted: entries are read by their exact names, and only as many
bytes as the reader asks for.
"""

import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from coverslip.archives import Limits, opened_archive
from coverslip.errors import BadArchive, BadClassifier, CoverslipError
from coverslip.files import written_whole

_BEGINNING_OF_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_LARGEST_ZIP = 2**31 - 1  # beyond it zips are of another kind
_LIMITS = Limits(
    most_entries=64,
    most_directory_bytes=64 * 1024,
    largest_ratio=20,  # trained weights hardly shrink
    ratio_from=1024 * 1024,
    is_64_bit_taken=False,
)


def write_archive(file: Path, entries: Mapping[str, bytes]) -> None:
    """Write a zip, whole or not at all; equal entries give equal bytes.

    Raises:
        CoverslipError: it would be too large for a zip, or cannot be written.
    """
    if sum(map(len, entries.values())) > _LARGEST_ZIP - _LIMITS.most_directory_bytes:
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
    """One entry to read from, and how many bytes it says it has. Others with harmless names are ignored.

    Raises:
        BadClassifier: the file is no zip, is damaged, lacks the entry, or holds what no export writes.
    """
    try:
        with opened_archive(file, _LIMITS) as (archive, entries):
            info = next((entry.info for entry in entries if str(entry.name) == name), None)
            if info is None:
                raise _bad(f"it holds no {name}", file)
            with archive.open(info) as stream:
                yield stream, info.file_size
    except BadArchive as error:
        raise _bad(error.why, file) from error
    except OSError as error:
        raise _bad(f"it could not be read ({error})", file) from error


def _bad(why: str, file: Path) -> BadClassifier:
    return BadClassifier(
        f"This is no packaged classifier: {why}", file=file, do="Ask whoever made it to export it again."
    )
