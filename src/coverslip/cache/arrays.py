"""Stores of equally sized arrays, found by what they were made from.

One folder per kind of record: `records.bin` holds them one after the other, `index.sqlite` says which digest lies in
which place. Several processes may fill one store at once: places are handed out in a transaction, a record is
written before the index names it, so a killed process leaves unused places but never half a record.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.cache.claims import claimed
from coverslip.cache.databases import open_database
from coverslip.cache.kinds import Kind, Layout
from coverslip.cache.stores import MADE_BY
from coverslip.errors import CoverslipError
from coverslip.files import sha256_json, write_json
from coverslip.messages import CleanCache

Array = npt.NDArray[Any]  # Any: the store's own dtype
ARRAYS = Layout("index.sqlite", "records")
_RECORDS = "records.bin"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (digest TEXT PRIMARY KEY, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS next (place INTEGER NOT NULL)
"""
_DIGESTS_PER_QUERY = 500
_MADE_ANEW = "Empty the cache; what is needed is made again."


class ArrayStore:
    """Arrays of one shape and dtype by digest.

    Args:
        kind: a registered one.
        made_by: all that shapes a record besides its digest, as JSON values; other choices are another store.
        shape, dtype: of every record.

    Raises:
        CoverslipError: the cache cannot be written to.
    """

    def __init__(self, kind: Kind, made_by: dict[str, Any], shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
        self.shape, self.dtype = shape, np.dtype(dtype)
        self.n_bytes = int(np.prod(shape)) * self.dtype.itemsize
        described = {**made_by, "shape": list(shape), "dtype": self.dtype.name}
        name = sha256_json(described)[:24]
        self.folder = kind.folder / name
        try:
            with claimed(kind, name) as self._claim:
                self._open(described)
        except (OSError, sqlite3.Error) as error:
            raise _cannot_keep(self.folder, error) from error
        except CoverslipError as error:  # of a file that is written whole
            if isinstance(error.__cause__, OSError):
                raise _cannot_keep(self.folder, error.__cause__) from error
            raise

    def _open(self, described: dict[str, Any]) -> None:
        if not (self.folder / MADE_BY).exists():
            write_json(self.folder / MADE_BY, described)
        self._index = open_database(self.folder / ARRAYS.database, _SCHEMA)
        if not self._index.execute("SELECT 1 FROM next").fetchone():
            # The index is new, perhaps in place of a damaged one by which another process still writes: not into ours.
            (self.folder / _RECORDS).unlink(missing_ok=True)
            self._index.execute("INSERT INTO next VALUES (0)")
        self._file = os.open(self.folder / _RECORDS, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        n_whole = os.fstat(self._file).st_size // self.n_bytes
        if self._index.execute("SELECT 1 FROM records WHERE place >= ? LIMIT 1", (n_whole,)).fetchone():
            # The file was deleted or cut: later writes would leave holes that read as zeros.
            self._index.execute("DELETE FROM records WHERE place >= ?", (n_whole,))

    def __enter__(self) -> "ArrayStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the files; from now on they may be removed to make room for others."""
        self._index.close()
        os.close(self._file)
        self._claim.release()

    def places(self, digests: Sequence[str]) -> npt.NDArray[np.int64]:
        """(n,) where each digest's record lies; -1 where there is none."""
        place_of: dict[str, int] = {}
        unique = list(dict.fromkeys(digests))
        for start in range(0, len(unique), _DIGESTS_PER_QUERY):
            some = unique[start : start + _DIGESTS_PER_QUERY]
            marks = ",".join("?" * len(some))
            try:
                place_of.update(
                    self._index.execute(f"SELECT digest, place FROM records WHERE digest IN ({marks})", some)
                )
            except sqlite3.Error as error:
                raise CoverslipError(
                    f"The cache could not be read: {error}", file=self.folder, do=_MADE_ANEW, remedies=(CleanCache(),)
                ) from error
        return np.array([place_of.get(digest, -1) for digest in digests], dtype=np.int64)

    def add(self, digests: Sequence[str], records: Array) -> None:
        """Keep (n, *shape) records; one that is there already stays as it was.

        Raises:
            CoverslipError: the disk is full or cannot be written to; what was there before is intact.
        """
        if records.shape != (len(digests), *self.shape) or records.dtype != self.dtype:
            raise ValueError(f"records {records.shape} {records.dtype} do not fit {self.shape} {self.dtype}")
        if not len(digests):
            return
        try:
            first = self._take_places(len(digests))
            self._write(np.ascontiguousarray(records).data.cast("B"), first * self.n_bytes)
            self._index.execute("BEGIN IMMEDIATE")
            rows = [(digest, first + i) for i, digest in enumerate(digests)]
            self._index.executemany("INSERT OR IGNORE INTO records VALUES (?, ?)", rows)
            self._index.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            if self._index.in_transaction:
                self._index.execute("ROLLBACK")
            raise _cannot_keep(self.folder, error) from error

    def read(self, places: Sequence[int] | npt.NDArray[np.int64]) -> Array:
        """(n, *shape) the records at these places.

        Read, not mapped: a mapped file counts as the process's memory, and a dataset may be larger than that.
        """
        records = np.empty((len(places), *self.shape), self.dtype)
        buffer, done = records.reshape(-1).view(np.uint8).data, 0
        for run in _runs(np.asarray(places, np.int64)):
            end = done + len(run) * self.n_bytes
            self._read_into(buffer[done:end], int(run[0]) * self.n_bytes)
            done = end
        return records

    def _take_places(self, n: int) -> int:
        self._index.execute("BEGIN IMMEDIATE")
        (first,) = self._index.execute("SELECT place FROM next").fetchone()
        self._index.execute("UPDATE next SET place = ?", (first + n,))
        self._index.execute("COMMIT")
        return int(first)

    def _write(self, data: memoryview, offset: int) -> None:
        while data:
            if hasattr(os, "pwrite"):
                n = os.pwrite(self._file, data, offset)
            else:  # Windows
                os.lseek(self._file, offset, os.SEEK_SET)
                n = os.write(self._file, data)
            data, offset = data[n:], offset + n
        os.fsync(self._file)  # the index must not name what a power cut can take back

    def _read_into(self, buffer: memoryview, offset: int) -> None:
        while buffer:
            if hasattr(os, "preadv"):
                n = os.preadv(self._file, [buffer], offset)
            else:
                data = self._read_at(len(buffer), offset)
                n = len(data)
                buffer[:n] = data
            if not n:
                raise CoverslipError(
                    "The cache was cut short", file=self.folder, do=_MADE_ANEW, remedies=(CleanCache(),)
                )
            buffer, offset = buffer[n:], offset + n

    def _read_at(self, n: int, offset: int) -> bytes:
        if hasattr(os, "pread"):  # macOS
            return os.pread(self._file, n, offset)
        os.lseek(self._file, offset, os.SEEK_SET)  # Windows
        return os.read(self._file, n)


def _runs(places: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """The places in pieces that lie one after the other in the file, to be read at once."""
    if len(places):
        yield from np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)


def _cannot_keep(folder: Path, error: OSError | sqlite3.Error) -> CoverslipError:
    """The one line for a cache that cannot be written to."""
    return CoverslipError(
        f"Could not write to the cache: {getattr(error, 'strerror', None) or error}",
        file=folder,
        do="Free some space, or set COVERSLIP_CACHE to a folder that you may write to; what was there is intact.",
    )
