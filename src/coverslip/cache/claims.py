"""Claims: a store stays for as long as somebody has one on it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coverslip.cache.eviction import chosen_limit, trim
from coverslip.cache.locks import cache_alone, shared_lock
from coverslip.cache.stores import LOCK, Kind, describe
from coverslip.errors import CoverslipError


class Claim:
    """A store in use: it stays for as long as the claim is held, or the process lives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = shared_lock(folder / LOCK)
        self._is_used_now()

    def release(self, *, has_grown: bool = True) -> None:
        """Let it go, and, where it has grown, remove what is now too much."""
        self._is_used_now()
        self._lock.close()
        if has_grown:
            trim()

    def drop(self) -> None:
        """Let it go as if it had never been used."""
        self._lock.close()

    def _is_used_now(self) -> None:
        with suppress(OSError):  # on a disk that takes no times the oldest claim decides
            os.utime(self.folder / LOCK)


@contextmanager
def claimed(kind: Kind, name: str, *, will_grow: bool = True) -> Iterator[Claim]:
    """A claim on a store, whose folder is made if need be; it outlives the block, unless the block fails.

    While the block runs no other process opens or removes a store: files can be made and mended in peace.

    Args:
        kind: a registered one.
        name: of the store among those of its kind. What is kept about one thing that can be forgotten, such as a
            dataset, begins with its id; see `forget`.
        will_grow: whether to make room first.

    Raises:
        CoverslipError: the limit that the environment gives is not a size.
        OSError, sqlite3.Error: the folder cannot be made or locked.
    """
    chosen_limit()  # a wrong one is said before hours of work, not after
    with cache_alone():
        try:
            describe(kind)
        except CoverslipError as error:
            raise error.__cause__ if isinstance(error.__cause__, OSError) else error from error
        folder = kind.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        claim = Claim(folder)
        try:
            yield claim
        except BaseException:
            claim.drop()
            raise
    if will_grow:
        trim()
