"""Records of any size by key, such as pictures or JSON: one SQLite file for each store."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from coverslip.cache.eviction import Claim, claimed
from coverslip.cache.stores import Kind, Layout, is_damage, open_database, remove_database

RECORDS = Layout("records.sqlite", "records")
_SCHEMA = "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT"
_KEYS_PER_QUERY = 500
_WAIT_S = 30
_CHECK_BYTES = 8  # in front of each value: a hash of its key and itself

OnFailure = Callable[[OSError | sqlite3.Error], None]


class RecordStore:
    """Bytes by key. Where they cannot be kept (a full disk, a folder that may not be written to) there are none.

    A value whose hash is wrong is as good as missing: a damaged disk changes no result.

    Several processes may use one store at once. One object serves one thread at a time.
    """

    def __init__(self, kind: Kind, name: str, *, on_failure: OnFailure | None = None, is_synced: bool = False) -> None:
        """Open a store of a registered kind.

        Args:
            kind, name: which one.
            on_failure: called at most once, with the reason why nothing is stored.
            is_synced: whether what is kept outlives a power cut; it is slower.

        Raises:
            CoverslipError: the limit that the environment gives is not a size.
        """
        self._on_failure = on_failure
        self._claim: Claim | None = None
        self._database: sqlite3.Connection | None = None
        self._has_grown = False
        try:
            with claimed(kind, name, will_grow=False) as claim:
                file = claim.folder / RECORDS.database
                self._database = open_database(file, _SCHEMA, is_synced=is_synced, wait_s=_WAIT_S)
            self._claim = claim
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def __enter__(self) -> "RecordStore":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the store go; from now on it may be removed to make room for others."""
        self._disconnect()
        if self._claim is not None:
            claim, self._claim = self._claim, None
            claim.release(has_grown=self._has_grown)

    def find(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return those that are kept and undamaged, by key."""
        wanted, values = list(dict.fromkeys(keys)), dict[str, bytes]()
        if self._database is None:
            return values
        try:
            for start in range(0, len(wanted), _KEYS_PER_QUERY):
                some = wanted[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(some))
                rows = self._database.execute(f"SELECT key, value FROM records WHERE key IN ({marks})", some)  # noqa: S608 - only marks and fixed names are put in
                values.update((key, value) for key, sealed in rows if (value := _unsealed(key, sealed)) is not None)
        except sqlite3.Error as error:
            self._give_up(error)
        return values

    def keep(self, records: Mapping[str, bytes]) -> None:
        """Keep them all, or, where they cannot be kept, none; one of the same key as before takes its place."""
        if self._database is None or not records:
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            sealed = [(key, _check(key, value) + value) for key, value in records.items()]
            self._database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?)", sealed)
            self._database.execute("COMMIT")
            self._has_grown = True
        except sqlite3.Error as error:
            self._give_up(error)

    def _give_up(self, error: OSError | sqlite3.Error) -> None:
        self._disconnect()
        if self._claim is not None and is_damage(error):
            with suppress(OSError):  # the next one to open it begins with an empty file
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
    """Return a value without its hash; None where that is wrong."""
    if not isinstance(key, str) or not isinstance(sealed, bytes):
        return None
    value = sealed[_CHECK_BYTES:]
    return value if sealed[:_CHECK_BYTES] == _check(key, value) else None
