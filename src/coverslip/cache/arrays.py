"""Stores of arrays of one shape by content hash.

A store is a folder: `records.bin` holds the arrays one after another, `index.sqlite` has the position and a checksum
for each digest. Several processes can fill one store at the same time: positions are allocated in a transaction, and a
record is written before it is added to the index. A killed process leaves unused positions, but no incomplete record.
"""

import os
import sqlite3
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.cache.stores import (
    INDEX,
    MADE_BY,
    Claim,
    Kind,
    claim_store,
    is_damage,
    open_records,
    remove_database,
)
from coverslip.errors import CoverslipError
from coverslip.files import sha256_json, write_json
from coverslip.messages import CleanCache, text

Array = npt.NDArray[Any]  # Any: the dtype of the store
OnFailure = Callable[[OSError | sqlite3.Error], None]
_RECORDS = "records.bin"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (digest TEXT PRIMARY KEY, place INTEGER NOT NULL, checksum INTEGER NOT NULL)
WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS next (place INTEGER NOT NULL)
"""
_DIGESTS_PER_QUERY = 500
_BYTES_PER_CHECK = 2**24  # read at a time to compare checksums
_VERSION = 2  # increased when the file format changes


class ArrayStore:
    """Arrays of one shape and dtype by digest.

    If the cache folder is not writable, the store is a temporary folder, which `close` removes.

    Args:
        kind: of the store.
        made_by: all settings that affect a record besides its digest, as JSON values; they identify the store.
        shape, dtype: of every record.
        on_failure: called with the error if a temporary folder replaces the cache.

    Raises:
        CoverslipError: a temporary folder is not writable either.
    """

    def __init__(
        self,
        kind: Kind,
        made_by: dict[str, Any],
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        on_failure: OnFailure = lambda error: None,
    ) -> None:
        self.made_by, self.shape, self.dtype = made_by, shape, np.dtype(dtype)
        self.n_bytes = int(np.prod(shape)) * self.dtype.itemsize
        settings = {**made_by, "shape": list(shape), "dtype": self.dtype.name, "version": _VERSION}
        name = sha256_json(settings)[:24]
        self.folder = kind.folder / name
        self._claim: Claim | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        try:
            with claim_store(kind, name) as claim:
                if not (self.folder / MADE_BY).exists():
                    write_json(self.folder / MADE_BY, settings)
                self._open()
            self._claim = claim
        except (OSError, sqlite3.Error, CoverslipError) as error:
            cause = error.__cause__ if isinstance(error, CoverslipError) else error
            if not isinstance(cause, OSError | sqlite3.Error):
                raise
            self._open_temporary(cause)
            on_failure(cause)

    def _open_temporary(self, why: OSError | sqlite3.Error) -> None:
        try:
            self._temporary = tempfile.TemporaryDirectory(prefix="coverslip-", ignore_cleanup_errors=True)
            self.folder = Path(self._temporary.name)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise _cannot_write(self.folder, why) from error

    def _open(self) -> None:
        self._index = open_records(self.folder / INDEX, _SCHEMA)
        self._index.execute("BEGIN IMMEDIATE")  # no other process may add records between the following comparisons
        if not self._index.execute("SELECT 1 FROM next").fetchone():
            # A new index can replace a damaged one with which another process still writes: start a new file.
            (self.folder / _RECORDS).unlink(missing_ok=True)
            self._index.execute("INSERT INTO next VALUES (0)")
        self._file = os.open(self.folder / _RECORDS, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        # If the file was deleted or truncated, later writes would leave gaps of zeros.
        self._index.execute("DELETE FROM records WHERE place >= ?", (self._n_whole(),))
        # A damaged counter must not allocate used positions.
        self._index.execute("UPDATE next SET place = max(place, (SELECT coalesce(max(place) + 1, 0) FROM records))")
        self._index.execute("COMMIT")
        self._is_verified = bytearray()  # by position

    def _n_whole(self) -> int:
        """Return the number of complete records in the file; call it after listing, as records are written first."""
        return os.fstat(self._file).st_size // self.n_bytes

    def __enter__(self) -> "ArrayStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; from now on the store can be removed to free space."""
        self._index.close()
        os.close(self._file)
        if self._claim is not None:
            self._claim.release()
        if self._temporary is not None:
            self._temporary.cleanup()

    def positions(self, digests: Sequence[str]) -> npt.NDArray[np.int64]:
        """Return the (n,) positions of the records of these digests; -1 for missing ones.

        Each record is read once to compare its checksum. Damaged records are removed, and count as missing.

        Raises:
            CoverslipError: the cache cannot be read.
        """
        positions = np.full(len(digests), -1, dtype=np.int64)
        try:
            for start in range(0, len(digests), _DIGESTS_PER_QUERY):
                block = digests[start : start + _DIGESTS_PER_QUERY]
                verified = self._check(list(dict.fromkeys(block)))
                positions[start : start + len(block)] = [verified.get(digest, -1) for digest in block]
        except sqlite3.Error as error:
            if not is_damage(error):
                raise self._cannot_read(str(error)) from error
            self._recreate()
            positions[:] = -1
        return positions

    def _check(self, digests: Sequence[str]) -> dict[str, int]:
        """Return the positions of undamaged records of these digests; remove damaged ones."""
        query = f"SELECT place, digest, checksum FROM records WHERE digest IN ({','.join('?' * len(digests))})"  # noqa: S608 - only marks and fixed names are put in
        listed = list(self._index.execute(query, digests))
        n_whole = self._n_whole()
        self._is_verified.extend(bytes(n_whole - len(self._is_verified)))
        in_file = sorted(row for row in listed if isinstance(row[0], int) and 0 <= row[0] < n_whole)
        verified = {digest: place for place, digest, _ in in_file if self._is_verified[place]}
        rows = [row for row in in_file if not self._is_verified[row[0]]]
        n_at_once = max(1, _BYTES_PER_CHECK // self.n_bytes)
        for start in range(0, len(rows), n_at_once):
            some = rows[start : start + n_at_once]
            records = self.read([place for place, _, _ in some])
            for (place, digest, checksum), record in zip(some, records, strict=True):
                if _checksum(digest, record) == checksum:
                    verified[digest] = place
                    self._is_verified[place] = True
        damaged = [(digest, place) for place, digest, _ in listed if digest not in verified]
        self._index.executemany("DELETE FROM records WHERE digest = ? AND place = ?", damaged)
        return verified

    def _recreate(self) -> None:
        """Replace a damaged index by an empty one."""
        try:
            self._index.close()
            os.close(self._file)
            remove_database(self.folder / INDEX)
            self._open()
        except (OSError, sqlite3.Error) as error:
            raise _cannot_write(self.folder, error) from error

    def add(self, digests: Sequence[str], records: Array) -> None:
        """Add (n, *shape) records; existing ones are not changed.

        Raises:
            CoverslipError: the disk is full or not writable; earlier records are intact.
        """
        if records.shape != (len(digests), *self.shape) or records.dtype != self.dtype:
            raise ValueError(f"records {records.shape} {records.dtype} do not fit {self.shape} {self.dtype}")
        if not len(digests):
            return
        try:
            first = self._allocate(len(digests))
            self._write(np.ascontiguousarray(records).data.cast("B"), first * self.n_bytes)
            self._index.execute("BEGIN IMMEDIATE")
            rows = [(digest, first + i, _checksum(digest, records[i])) for i, digest in enumerate(digests)]
            self._index.executemany("INSERT OR IGNORE INTO records VALUES (?, ?, ?)", rows)
            self._index.execute("COMMIT")
        except (OSError, sqlite3.Error) as error:
            if self._index.in_transaction:
                self._index.execute("ROLLBACK")
            raise _cannot_write(self.folder, error) from error

    def read(self, positions: Sequence[int] | npt.NDArray[np.int64]) -> Array:
        """Return the (n, *shape) records at these positions.

        The file is read, not mapped: a mapped file counts as memory of the process, and can be larger than the memory.
        """
        records = np.empty((len(positions), *self.shape), self.dtype)
        buffer, done = records.reshape(-1).view(np.uint8).data, 0
        for run in _runs(np.asarray(positions, np.int64)):
            end = done + len(run) * self.n_bytes
            self._read_into(buffer[done:end], int(run[0]) * self.n_bytes)
            done = end
        return records

    def _allocate(self, n: int) -> int:
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
        os.fsync(self._file)  # a record must be on disk before it is added to the index

    def _read_into(self, buffer: memoryview, offset: int) -> None:
        while buffer:
            if hasattr(os, "preadv"):
                n = os.preadv(self._file, [buffer], offset)
            else:
                data = self._read_at(len(buffer), offset)
                n = len(data)
                buffer[:n] = data
            if not n:
                raise self._cannot_read(text("cache-cut"))
            buffer, offset = buffer[n:], offset + n

    def _cannot_read(self, reason: str) -> CoverslipError:
        return CoverslipError("cache-not-read", file=self.folder, remedies=(CleanCache(),), reason=reason)

    def _read_at(self, n: int, offset: int) -> bytes:
        if hasattr(os, "pread"):  # macOS
            return os.pread(self._file, n, offset)
        os.lseek(self._file, offset, os.SEEK_SET)  # Windows
        return os.read(self._file, n)


def _runs(positions: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Split positions into runs of consecutive ones, each of which is read at once."""
    if len(positions):
        yield from np.split(positions, np.flatnonzero(np.diff(positions) != 1) + 1)


def _checksum(digest: str, record: Array) -> int:
    """Return the checksum of a record and its digest, which detects changed bytes and wrong positions."""
    return zlib.crc32(np.ascontiguousarray(record).reshape(-1).view(np.uint8).data, zlib.crc32(digest.encode()))


def _cannot_write(folder: Path, error: OSError | sqlite3.Error) -> CoverslipError:
    """Return the error for a cache that is not writable."""
    return CoverslipError("cache-not-written", file=folder, reason=getattr(error, "strerror", None) or str(error))
