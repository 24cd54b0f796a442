"""The cache folder: which stores it holds, who uses them, and how large they may grow together.

A store is a folder `KIND/NAME` that holds a file `used.lock`. Whoever uses a store has a shared lock on that file,
which the operating system takes back even from a killed process; whoever removes one needs it alone. The file's time
says when the store was last used. Stores are opened and removed one at a time, under the lock of the whole folder,
so that nobody opens what is about to go.

The locks are SQLite's: the same on Linux, macOS and Windows, and two uses within one process count as two.
"""

import json
import os
import re
import secrets
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.files import cache_folder

LIMIT_VARIABLE = "COVERSLIP_CACHE_LIMIT"

# 20 GB hold 130,000 colour images of 224 x 224 pixels. On a small or full disk a quarter of what would be free without
# the cache, so that it is never the cache that fills the disk.
_DEFAULT_LIMIT = 20 * 10**9
_SHARE_OF_DISK = 4

_LOCK = "used.lock"
_FOLDER_LOCK = "cache.lock"
_REMOVED = ".removed-"
_WAIT_S = 60.0
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


@dataclass(frozen=True, slots=True)
class Kind:
    """What the stores of one kind are for, and where they list their images."""

    meaning: str
    database: str = ""  # none: a folder of plain files
    table: str = ""
    files: str = ""  # of the app, whose stores are single files: what they are called


KINDS = {
    "pixels": Kind("prepared pixels of training images", "index.sqlite", "records"),
    "features": Kind("what a frozen network sees in images", "index.sqlite", "records"),
    "facts": Kind("size, depth and hash of every image seen", "facts.sqlite", "facts"),
    "app-thumbnails": Kind("small pictures of a set of images in the app", table="pictures", files="*.sqlite"),
    "app-previews": Kind("training images as a recipe would change them, in the app"),
}


@dataclass(frozen=True, slots=True)
class Store:
    """One store as it lies on disk."""

    folder: Path  # or the file that it is
    n_bytes: int
    last_used: float  # seconds since 1970

    @property
    def kind(self) -> str:
        """A key of `KINDS`."""
        return self.folder.parent.name


@dataclass(frozen=True, slots=True)
class Content:
    """What a store says about itself."""

    n_images: int | None  # None: it cannot be told, being damaged or written to
    each: str  # what one record is, such as `224 x 224 x 3 uint8`
    is_damaged: bool


class Claim:
    """A store in use: it stays for as long as the claim is held, or the process lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = _locked(folder / _LOCK, "BEGIN", "SELECT 1 FROM sqlite_master")
        self._is_used_now()

    def release(self) -> None:
        """Let it go, and remove what is now too much."""
        self._is_used_now()
        self._lock.close()
        trim()

    def _is_used_now(self) -> None:
        with suppress(OSError):  # on a disk that takes no times the oldest claim decides
            os.utime(self.folder / _LOCK)


@contextmanager
def opening(kind: str, name: str) -> Iterator[Claim]:
    """A claim on a store, whose folder is made if need be; it outlives the block, unless the block fails.

    While the block runs no other process opens or removes a store: files can be made and mended in peace.

    Raises:
        CoverslipError: the limit that the environment gives is not a size.
        OSError, sqlite3.Error: the folder cannot be made or locked.
    """
    chosen_limit()  # a wrong one is said before hours of work, not after
    folder = cache_folder() / kind / name
    with _alone():
        folder.mkdir(parents=True, exist_ok=True)
        claim = Claim(folder)
        try:
            yield claim
        except BaseException:
            claim._lock.close()
            raise
    trim()


def list_stores() -> list[Store]:
    """All stores, most recently used first."""
    stores = []
    for kind in KINDS:
        # Only what has a lock is ours: the folder may have been chosen badly, and hold other things.
        for lock in (cache_folder() / kind).glob(f"*/{_LOCK}"):
            with suppress(FileNotFoundError):  # another process has just removed it
                if not lock.parent.name.startswith("."):
                    stores.append(Store(lock.parent, _size(lock.parent), lock.stat().st_mtime))
    stores += _single_files()
    return sorted(stores, key=lambda store: (-store.last_used, store.folder))


def _single_files() -> list[Store]:
    """The app's stores; nobody has a claim on them, since each picture is made again when it is gone."""
    stores = []
    for name, kind in KINDS.items():
        for file in (cache_folder() / name).glob(kind.files) if kind.files else ():
            with suppress(FileNotFoundError):
                parts = [part.stat() for part in (file, *_beside(file)) if part.exists()]
                times = [part.st_mtime for part in parts]
                stores.append(Store(file, sum(part.st_size for part in parts), max(times)))
    return stores


def _beside(database: Path) -> list[Path]:
    """SQLite's own files beside a database."""
    return [database.with_name(f"{database.name}{end}") for end in ("-wal", "-shm")]


def look_into(store: Store) -> Content:
    """What a store holds, or that it is damaged."""
    kind = KINDS[store.kind]
    if not kind.table:
        return Content(sum(1 for _ in store.folder.glob("*.png")), "", is_damaged=False)
    database_file = store.folder if kind.files else store.folder / kind.database
    each = ""
    with suppress(OSError, ValueError, KeyError, TypeError):  # only facts have no such file
        made_by = json.loads((store.folder / "made_by.json").read_text(encoding="utf-8"))
        each = f"{' x '.join(map(str, made_by['shape']))} {made_by['dtype']}"
    try:
        database = sqlite3.connect(f"{database_file.as_uri()}?mode=rw", uri=True, timeout=0.5)
        try:
            (n_images,) = database.execute(f"SELECT count(*) FROM {kind.table}").fetchone()
        finally:
            database.close()
    except sqlite3.Error as error:
        return Content(None, each, is_damaged=error.sqlite_errorcode != sqlite3.SQLITE_BUSY)
    return Content(int(n_images), each, is_damaged=False)


def is_in_use(store: Store) -> bool:
    """Whether a living process has it open."""
    if KINDS[store.kind].files:
        return False
    try:
        _locked(store.folder / _LOCK, "BEGIN EXCLUSIVE", wait_s=0).close()
    except sqlite3.OperationalError:  # locked; or it cannot be told, and then it must stay
        return True
    return False


def clean(stores: Iterable[Store]) -> list[Store]:
    """Remove the stores that nobody uses; gives those that are gone.

    Raises:
        CoverslipError: the cache folder cannot be written to.
    """
    try:
        _sweep()
        return [store for store in stores if _remove(store)]
    except (OSError, sqlite3.Error) as error:
        raise CoverslipError(
            f"The cache could not be cleaned: {error}", file=cache_folder(), do="See whether you may write to it."
        ) from error


def trim() -> None:
    """Remove the stores that were used least recently until the rest fits into the limit; those in use stay."""
    # What cannot be removed stays, and `coverslip cache` shows it: no reason to end a training.
    with suppress(OSError, sqlite3.Error):
        _sweep()
        stores = list_stores()
        total = sum(store.n_bytes for store in stores)
        limit = limit_bytes(total)
        for store in reversed(stores):
            if total <= limit:
                return
            if _remove(store) or not store.folder.exists():  # or another process was quicker
                total -= store.n_bytes


def limit_bytes(held: int) -> int:
    """How large the cache may grow.

    Args:
        held: bytes that it holds now.

    Raises:
        CoverslipError: the limit that the environment gives is not a size.
    """
    chosen = chosen_limit()
    if chosen is not None:
        return chosen
    folder = cache_folder()
    existing = next(place for place in (folder, *folder.parents) if place.exists())
    return min(_DEFAULT_LIMIT, (shutil.disk_usage(existing).free + held) // _SHARE_OF_DISK)


def chosen_limit() -> int | None:
    """Bytes that `COVERSLIP_CACHE_LIMIT` allows; None where it is not set.

    Raises:
        CoverslipError: it is not a size.
    """
    text = os.environ.get(LIMIT_VARIABLE, "").strip()
    if not text:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", text, re.IGNORECASE | re.ASCII)
    if not found:
        raise CoverslipError(
            f"{LIMIT_VARIABLE} is '{text}', which is not a size", do="Write a number and a unit, such as 5GB or 500MB."
        )
    unit = found[2].upper()
    return int(float(found[1]) * _UNITS[unit if unit in _UNITS else f"{unit}B"])


def _remove(store: Store) -> bool:
    """Whether it could be removed: it is there, and nobody uses it."""
    if KINDS[store.kind].files:
        if not store.folder.exists():
            return False
        for file in (*_beside(store.folder), store.folder):
            file.unlink(missing_ok=True)
        return True
    with _alone():
        if not (store.folder / _LOCK).exists() or is_in_use(store):
            return False
        aside = store.folder.with_name(f"{_REMOVED}{secrets.token_hex(8)}")
        store.folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)  # what is left of it, the next `_sweep` takes
    return True


def _sweep() -> None:
    """Take away what killed processes were removing."""
    for kind in KINDS:
        for aside in (cache_folder() / kind).glob(f"{_REMOVED}*"):
            shutil.rmtree(aside, ignore_errors=True)


def _size(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        with suppress(FileNotFoundError):  # a journal that has just been closed
            total += file.stat().st_size
    return total


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody else opens or removes a store."""
    root = cache_folder()
    root.mkdir(parents=True, exist_ok=True)
    lock = _locked(root / _FOLDER_LOCK, "BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        lock.close()


def _locked(file: Path, *statements: str, wait_s: float = _WAIT_S) -> sqlite3.Connection:
    """A connection that holds the lock; closing it, or the end of the process, gives it back."""
    connection = sqlite3.connect(file, timeout=wait_s, isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement).fetchall()
    except sqlite3.Error as error:
        connection.close()
        if error.sqlite_errorcode != sqlite3.SQLITE_NOTADB:
            raise
        file.unlink()  # the lock file itself is damaged: nobody can have locked it
        return _locked(file, *statements, wait_s=wait_s)
    return connection
