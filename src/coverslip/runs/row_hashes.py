"""The hashes of the image files from which the rows of a growing table were computed, one line per row."""

import re
import time
from collections.abc import Iterator, Sequence
from itertools import takewhile
from pathlib import Path

from coverslip.cache import FileHashes
from coverslip.datasets import ContentHashes, ImageRecord, SharedReads, first_positions, hash_files

_NONE = "-" * 64  # of an image without a file, or with a file that could not be read
_LINE_BYTES = len(_NONE) + 1
_SECONDS_BETWEEN_SAVES = 10
_LINE = re.compile(r"(?:[0-9a-f]{64}|-{64})\n")


class RowHashes:
    """The hashes of the rows of a table, in a file beside it."""

    def __init__(self, file: Path) -> None:
        """Open the file, which is created if it does not exist."""
        self._file = file
        self._stream = file.open("a", encoding="ascii", newline="\n")

    def __enter__(self) -> "RowHashes":
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    def unchanged(self, records: Sequence[ImageRecord]) -> Iterator[bool]:
        """Yield for each row of an earlier process whether the files of its image still have the same bytes.

        Args:
            records: of all rows, also of those that are not computed yet.
        """
        lines = [*self._lines()]
        with FileHashes() as hashes:
            for line, digest in zip(lines, hash_files(records[: len(lines)], hashes), strict=True):
                yield line == (digest or _NONE)

    def keep(self, n_rows: int) -> None:
        """Remove the hashes after these rows."""
        self._stream.truncate(n_rows * _LINE_BYTES)

    def add(self, content_hash: str) -> None:
        """Add the hash of the next row, before the row itself is written. It stays if the process is killed."""
        self._stream.write(f"{content_hash or _NONE}\n")
        self._stream.flush()

    def _lines(self) -> Iterator[str]:
        """Yield the complete lines; a killed process can leave others at the end."""
        with self._file.open(encoding="ascii", errors="replace", newline="\n") as stream:
            yield from (line[:-1] for line in takewhile(_LINE.fullmatch, stream))


class HashedReading:
    """Computes the hashes of the files of images just before they are decoded. Thread-safe."""

    def __init__(self, records: Sequence[ImageRecord]) -> None:
        self._hashes, self._first = ContentHashes(len(records)), first_positions(records)
        self._records, self._file_hashes = records, FileHashes()
        self._read = SharedReads(self._file_hashes)
        self._saved_at = time.monotonic()

    def __enter__(self) -> "HashedReading":
        return self

    def __exit__(self, *error: object) -> None:
        self._file_hashes.close()

    def __call__(self, i: int) -> None:
        """Compute the hash of the files of the image at a position."""
        identity = self._read(self._records[i])
        if identity is not None:
            self._hashes[i] = identity.sha256

    def hash_of(self, i: int) -> str:
        """Return the hash of the files of the image at a position, which an equal earlier image was decoded for."""
        if time.monotonic() - self._saved_at > _SECONDS_BETWEEN_SAVES:  # they also take memory
            self._file_hashes.save()
            self._saved_at = time.monotonic()
        return self._hashes[int(self._first[i])]
