"""Stores of records of any size by key, such as pictures or JSON, each in one SQLite file."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from coverslip.cache.eviction import Claim, claim_store
from coverslip.cache.stores import Kind, StoreLayout, is_damage, open_database, remove_database

RECORDS = StoreLayout("records.sqlite", "records")
_SCHEMA = "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT"
_KEYS_PER_QUERY = 500
_WAIT_S = 30
_CHECK_BYTES = 8  # prefix of each value: a hash of the key and the value

OnFailure = Callable[[OSError | sqlite3.Error], None]


class RecordStore:
    """Bytes by key. If the cache is not usable (a full disk, a folder that is not writable), the store is empty.

    A value with a wrong hash counts as missing, so damage on disk cannot change results.

    Several processes can use one store at the same time. An object must be used by one thread at a time.
    """

    def __init__(self, kind: Kind, name: str, *, on_failure: OnFailure | None = None, is_synced: bool = False) -> None:
        """Open a store of a registered kind.

        Args:
            kind, name: of the store.
            on_failure: called at most once, with the error due to which nothing is stored.
            is_synced: whether records survive a power failure, which is slower.

        Raises:
            CoverslipError: the size limit in the environment is not valid.
        """
        self._on_failure = on_failure
        self._claim: Claim | None = None
        self._database: sqlite3.Connection | None = None
        self._has_grown = False
        try:
            with claim_store(kind, name, will_grow=False) as claim:
                file = claim.folder / RECORDS.database
                self._database = open_database(file, _SCHEMA, is_synced=is_synced, wait_s=_WAIT_S)
            self._claim = claim
        except (OSError, sqlite3.Error) as error:
            self._disable(error)

    def __enter__(self) -> "RecordStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def folder(self) -> Path | None:
        """The folder of the store; None if the cache is not usable."""
        return None if self._claim is None else self._claim.folder

    def close(self) -> None:
        """Close the store; from now on it can be removed to free space."""
        self._disconnect()
        if self._claim is not None:
            claim, self._claim = self._claim, None
            claim.release(has_grown=self._has_grown)

    def find(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the undamaged records of these keys."""
        distinct, values = list(dict.fromkeys(keys)), dict[str, bytes]()
        if self._database is None:
            return values
        try:
            for start in range(0, len(distinct), _KEYS_PER_QUERY):
                batch = distinct[start : start + _KEYS_PER_QUERY]
                placeholders = ",".join("?" * len(batch))
                rows = self._database.execute(f"SELECT key, value FROM records WHERE key IN ({placeholders})", batch)  # noqa: S608 - only placeholders and fixed names are inserted
                values.update((key, value) for key, sealed in rows if (value := _unsealed(key, sealed)) is not None)
        except sqlite3.Error as error:
            self._disable(error)
        return values

    def keep(self, records: Mapping[str, bytes]) -> None:
        """Store all records, or none if an error occurs; existing records of the same keys are replaced."""
        if self._database is None or not records:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            sealed = [(key, _check(key, value) + value) for key, value in records.items()]
            self._database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", sealed)
            self._database.execute("COMMIT")
            self._has_grown = True
        except sqlite3.Error as error:
            self._disable(error)

    def _disable(self, error: OSError | sqlite3.Error) -> None:
        self._disconnect()
        if self._claim is not None and is_damage(error):
            with suppress(OSError):  # the next process creates a new file
                remove_database(self._claim.folder / RECORDS.database)
        if self._on_failure is not None:
            self._on_failure(error)

    def _disconnect(self) -> None:
        if self._database is not None:
            with suppress(sqlite3.Error):
                self._database.close()
            self._database = None


def _check(key: str, value: bytes) -> bytes:
    return hashlib.blake2b(key.encode() + b"\0" + value, digest_size=_CHECK_BYTES).digest()


def _unsealed(key: object, sealed: object) -> bytes | None:
    """Return a value without its hash; None if the hash is wrong."""
    if not isinstance(key, str) or not isinstance(sealed, bytes):
        return None
    value = sealed[_CHECK_BYTES:]
    return value if sealed[:_CHECK_BYTES] == _check(key, value) else None
