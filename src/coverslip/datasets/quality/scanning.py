"""Decoding every image once: what it is, whether it can be read, and which others have the same pixels.

What was found is remembered in the cache folder by file name, size and time of change, so that a second scan of
100,000 files opens none of them.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from coverslip.cache import Claim, opening
from coverslip.datasets.index import Dataset, ImageRecord, counted
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.images import ImageFacts, Pixels, ReadPlan, image_facts, read_pixels
from coverslip.machine import n_cores
from coverslip.stopping import BY_SIGNAL, Stop

_FACTS_VERSION = 1  # goes up when the same file would give other facts
_SAVE_EVERY_S = 2.0
_TELL_EVERY_S = 0.2
_KEYS_PER_QUERY = 500
_LOOK_AHEAD = 4  # images in flight per thread

OnPixels = Callable[[int, Pixels], None]  # the image's place among the records, and what was decoded


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a file gave no pixels."""

    reason: str


@dataclass(frozen=True)
class Scan:
    """What each image is, in the order of the dataset's records."""

    facts: tuple[ImageFacts | Unreadable, ...]

    @property
    def n_readable(self) -> int:
        """How many images gave pixels."""
        return sum(isinstance(fact, ImageFacts) for fact in self.facts)


@dataclass(frozen=True, slots=True)
class _Identity:
    """What tells whether a file is still the one that was read."""

    key: bytes
    size: int
    mtime_ns: int


def scan_images(
    dataset: Dataset,
    *,
    emit: Emit = ignore,
    stop: Stop = BY_SIGNAL,
    n_threads: int | None = None,
    on_pixels: OnPixels | None = None,
) -> Scan:
    """Decode every image once, several at a time, and remember the facts for the next scan.

    Images that cannot be read do not stop the others; they are `Unreadable` and are looked at again next time.
    What was reached is kept when the scan is interrupted.

    Args:
        dataset: whose records to read.
        emit: told about progress at most five times a second, and at the end what was noticed.
        stop: asked as often.
        n_threads: images decoded at the same time; None takes the number of processor cores.
        on_pixels: is given every image that had to be decoded, in the threads that decode. Those whose facts were
            remembered are not among them.

    Raises:
        Stopped: on request.
    """
    records = dataset.records
    facts: list[ImageFacts | Unreadable | None] = [None] * len(records)
    memory = _Memory.open(emit)
    try:
        identities = _identities(records)
        for i, known in memory.recall(identities):
            facts[i] = known
        waiting = [i for i, known in enumerate(facts) if known is None]
        _decode(records, waiting, identities, facts, memory, emit, stop, n_threads or n_cores(), on_pixels)
    finally:
        memory.close()
    complete = tuple(fact if fact is not None else Unreadable("it was not reached") for fact in facts)
    _tell_what_was_noticed(complete, emit)
    return Scan(complete)


def _decode(
    records: Sequence[ImageRecord],
    waiting: Sequence[int],
    identities: Sequence[_Identity | None],
    facts: list[ImageFacts | Unreadable | None],
    memory: "_Memory",
    emit: Emit,
    stop: Stop,
    n_threads: int,
    on_pixels: OnPixels | None,
) -> None:
    started = told = saved = time.monotonic()
    n_known = len(records) - len(waiting)
    in_flight: deque[tuple[int, Future[ImageFacts | Unreadable]]] = deque()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="read")
    try:
        ahead = iter(waiting)
        for n_done in range(len(waiting)):
            while len(in_flight) < _LOOK_AHEAD * n_threads and (i := next(ahead, None)) is not None:
                in_flight.append((i, pool.submit(_read, i, records[i], on_pixels)))
            i, future = in_flight.popleft()
            fact = facts[i] = future.result()
            identity = identities[i]
            if isinstance(fact, ImageFacts) and identity is not None:
                memory.remember(identity, fact)
            now = time.monotonic()
            if now - saved > _SAVE_EVERY_S:
                memory.save()
                saved = now
            if now - told > _TELL_EVERY_S:
                stop.check()
                emit(_progress(n_known + n_done + 1, len(records), (n_done + 1) / (now - started)))
                told = now
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    seconds = max(time.monotonic() - started, 1e-9)
    emit(_progress(len(records), len(records), len(waiting) / seconds if waiting else None))


def _read(i: int, record: ImageRecord, on_pixels: OnPixels | None) -> ImageFacts | Unreadable:
    try:
        pixels = read_pixels(record.path, record.plan)
        if on_pixels is not None:
            on_pixels(i, pixels)
        return image_facts(pixels)
    except UnreadableImage as error:
        return Unreadable(error.what)
    except MemoryError:
        return Unreadable("There is not enough memory for this image")


def _progress(done: int, total: int, per_second: float | None) -> Progressed:
    left = (total - done) / per_second if per_second else None
    return Progressed(stage="reading images", done=done, total=total, per_second=per_second, seconds_left=left)


def _tell_what_was_noticed(facts: Sequence[ImageFacts | Unreadable], emit: Emit) -> None:
    """One line per kind of thing, not one per file."""
    notes = Counter(fact.note for fact in facts if isinstance(fact, ImageFacts) and fact.note)
    for note, n in notes.most_common(5):
        emit(Noted(text=f"{counted(n, 'image')}: {note}"))
    n_unreadable = sum(isinstance(fact, Unreadable) for fact in facts)
    if n_unreadable:
        emit(Noted(text=f"{counted(n_unreadable, 'image')} could not be read.", level="warning"))


def _identities(records: Sequence[ImageRecord]) -> list[_Identity | None]:
    """None for files that are not there."""
    plans: dict[ReadPlan, bytes] = {}
    identities: list[_Identity | None] = []
    for record in records:
        if record.plan not in plans:
            plans[record.plan] = f"{_FACTS_VERSION} {record.plan.model_dump_json()}".encode()
        try:
            status = record.path.stat()
        except (OSError, ValueError):
            identities.append(None)
            continue
        key = hashlib.blake2b(os.fsencode(record.path), digest_size=16, key=b"facts")
        key.update(b"\0" + plans[record.plan])
        identities.append(_Identity(key.digest(), status.st_size, status.st_mtime_ns))
    return identities


class _Memory:
    """Facts of earlier scans in one SQLite file, which several processes may use at once.

    Where it cannot be used (a full disk, a damaged file) the scan says so once and goes on without it.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._claim: Claim | None = None
        self._connection: sqlite3.Connection | None = None
        self._new: list[tuple[bytes, int, int, str]] = []

    @staticmethod
    def open(emit: Emit) -> "_Memory":
        memory = _Memory(emit)
        try:
            with opening("facts", "images") as claim:
                memory._connect(claim.folder / "facts.sqlite")
            memory._claim = claim
        except (OSError, sqlite3.Error) as error:
            memory._give_up(error)
        return memory

    def _connect(self, file: Path) -> None:
        self._connection = sqlite3.connect(file, timeout=30, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS facts "
            "(key BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, facts TEXT) WITHOUT ROWID"
        )

    def recall(self, identities: Sequence[_Identity | None]) -> list[tuple[int, ImageFacts]]:
        """(position, facts) of the files that are as they were."""
        if self._connection is None:
            return []
        known: dict[bytes, tuple[int, int, str]] = {}
        keys = list({identity.key for identity in identities if identity})
        try:
            for start in range(0, len(keys), _KEYS_PER_QUERY):
                some_keys = keys[start : start + _KEYS_PER_QUERY]
                marks = ",".join("?" * len(some_keys))
                query = f"SELECT key, size, mtime_ns, facts FROM facts WHERE key IN ({marks})"
                known.update((row[0], row[1:]) for row in self._connection.execute(query, some_keys))
        except sqlite3.Error as error:
            self._give_up(error)
        recalled = []
        for i, identity in enumerate(identities):
            if identity is None or identity.key not in known:
                continue
            size, mtime_ns, text = known[identity.key]
            facts = _facts_from_json(text) if (size, mtime_ns) == (identity.size, identity.mtime_ns) else None
            if facts is not None:
                recalled.append((i, facts))
        return recalled

    def remember(self, identity: _Identity, facts: ImageFacts) -> None:
        """Keep for the next `save`."""
        if self._connection is not None:
            self._new.append((identity.key, identity.size, identity.mtime_ns, json.dumps(asdict(facts))))

    def save(self) -> None:
        """Write what is new in one transaction."""
        new, self._new = self._new, []
        if self._connection is None or not new:
            return
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?, ?)", new)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._give_up(error)

    def close(self) -> None:
        self.save()
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    def _give_up(self, error: Exception) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._emit(
            Noted(
                text=f"What is known about images could not be remembered ({error}); every scan reads all of them. "
                "Free some space, begin anew with `coverslip cache --clean --kind facts`, or set COVERSLIP_CACHE to a "
                "folder that you may write to.",
                level="warning",
            )
        )


def _facts_from_json(text: str) -> ImageFacts | None:
    """None where another version wrote other fields."""
    try:
        fields = json.loads(text)
        return ImageFacts(**{**fields, "low": tuple(fields["low"]), "high": tuple(fields["high"])})
    except (ValueError, TypeError, KeyError):
        return None
