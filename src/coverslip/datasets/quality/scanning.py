"""The scan: decode every image once, remember its facts, and find equal pixels.

What was found is remembered in the cache folder by file name, size and time of change, so that a second scan of
100,000 files opens none of them.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from functools import cache, cached_property
from pathlib import Path

from coverslip.cache import RECORDS, Kind, RecordStore, register, unusable_note
from coverslip.datasets.index import Dataset, ImageRecord
from coverslip.datasets.quality.image_quality import ImageQuality
from coverslip.datasets.quality.signal import Signal
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.files import sha256_json
from coverslip.images import Fields, ImageFacts, Pixels, ReadPlan, image_facts
from coverslip.machine import n_cores
from coverslip.messages import note, text
from coverslip.stopping import BY_SIGNAL, Stop

FACTS = register(Kind("facts", "size, depth and hash of every image seen", RECORDS))
_FACTS_VERSION = 1  # increases when the same file would give other facts


@dataclass(frozen=True, slots=True)
class Identity:
    """Path, size and time of a file, by which a changed file is recognized."""

    key: str
    size: int
    mtime_ns: int


def identities_of(records: Sequence[ImageRecord]) -> list[Identity | None]:
    """Return the identity of each image's files: the sum of their sizes, and the last change.

    None stands for files that do not exist, and for images in memory.
    """
    plans: dict[ReadPlan, bytes] = {}
    identities: list[Identity | None] = []
    for record in records:
        if record.given is not None:
            identities.append(None)
            continue
        if record.plan not in plans:
            plans[record.plan] = f"{_FACTS_VERSION} {record.plan.as_json()}".encode()
        try:
            statuses = [file.stat() for file in record.plan.files(record.path)]
        except (OSError, ValueError):
            identities.append(None)
            continue
        key = hashlib.blake2b(os.fsencode(record.path), digest_size=16, key=b"facts")
        key.update(b"\0" + plans[record.plan])
        size, changed = sum(status.st_size for status in statuses), max(status.st_mtime_ns for status in statuses)
        identities.append(Identity(key.hexdigest(), size, changed))
    return identities


class Memory:
    """Facts of earlier scans, which several processes may read and add to at once.

    If they cannot be stored (a full disk), a note says so once, and the scan continues without them.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._new: dict[str, bytes] = {}
        self._store = RecordStore(FACTS, "images", on_failure=self._say_why_not, is_synced=True)

    def recall(self, identities: Sequence[Identity | None]) -> list[tuple[int, ImageFacts]]:
        """Return (position, facts) of the files that have not changed."""
        stored = self._store.find(identity.key for identity in identities if identity)
        recalled = []
        for i, identity in enumerate(identities):
            if identity is not None and identity.key in stored:
                facts = _facts_from_json(stored[identity.key], identity)
                if facts is not None:
                    recalled.append((i, facts))
        return recalled

    def remember(self, identity: Identity, facts: ImageFacts) -> None:
        """Collect facts for the next `save`."""
        record = {"size": identity.size, "mtime_ns": identity.mtime_ns, "facts": asdict(facts)}
        self._new[identity.key] = json.dumps(record).encode()

    def save(self) -> None:
        """Write new facts in one transaction."""
        new, self._new = self._new, {}
        self._store.keep(new)

    def close(self) -> None:
        """Save, and close the store."""
        self.save()
        self._store.close()

    def _say_why_not(self, error: OSError | sqlite3.Error) -> None:
        self._emit(Noted.of(unusable_note(error)))


def _facts_from_json(stored: bytes, identity: Identity) -> ImageFacts | None:
    """Return stored facts; None if the file has changed, or another version wrote other fields."""
    try:
        record = json.loads(stored)
        if (record["size"], record["mtime_ns"]) != (identity.size, identity.mtime_ns):
            return None
        fields = record["facts"]
        return ImageFacts(**{**fields, "low": tuple(fields["low"]), "high": tuple(fields["high"])})
    except (ValueError, TypeError, KeyError):
        return None


_SAVE_EVERY_S = 2.0
_TELL_EVERY_S = 0.2
_LOOK_AHEAD = 4  # images in flight per thread

OnPixels = Callable[[int, Pixels], None]  # position of the image among the records, and its pixels


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The reason why a file could not be read."""

    reason: str


def joined_facts(channels: Sequence[ImageFacts | Unreadable]) -> ImageFacts | Unreadable:
    """Return the facts of an image whose channels are files of these facts.

    Its hash is comparable only with hashes of such images.
    """
    readable = [facts for facts in channels if isinstance(facts, ImageFacts)]
    if len(readable) < len(channels):
        return next(facts for facts in channels if isinstance(facts, Unreadable))
    first, *further = readable
    if not further:
        return first
    if len({(facts.width_px, facts.height_px, facts.dtype) for facts in readable}) > 1:
        return Unreadable(text("channel-facts-differ"))
    return replace(
        first,
        pixel_hash=sha256_json([facts.pixel_hash for facts in readable])[:32],
        n_channels=sum(facts.n_channels for facts in readable),
        low=tuple(low for facts in readable for low in facts.low),
        high=tuple(high for facts in readable for high in facts.high),
    )


@dataclass(frozen=True)
class Scan:
    """Facts about each image, in the order of the dataset's records."""

    facts: tuple[ImageFacts | Unreadable, ...]
    # Positions of images that show the same, two or more each, equal pixels among them; None: not searched for.
    near_duplicates: tuple[tuple[int, ...], ...] | None = None
    quality: tuple[ImageQuality | None, ...] | None = None  # of each image; None: not measured
    signal: Signal | None = None  # None: not measured, or not measurable

    @property
    def n_readable(self) -> int:
        """Number of readable images."""
        return sum(isinstance(fact, ImageFacts) for fact in self.facts)

    @cached_property
    def equal_pixels(self) -> tuple[tuple[int, ...], ...]:
        """Positions of readable images that have the same pixels, two or more each."""
        members: dict[str, list[int]] = defaultdict(list)
        for i, fact in enumerate(self.facts):
            if isinstance(fact, ImageFacts):
                members[fact.pixel_hash].append(i)
        return tuple(tuple(positions) for positions in members.values() if len(positions) > 1)

    def joined(self, positions: Sequence[Sequence[int | None]]) -> "Scan":
        """Return the scan of images whose channels are the images at these positions; None: the image is unknown."""
        facts = tuple(
            joined_facts([_not_reached() if i is None else self.facts[i] for i in files]) for files in positions
        )
        if self.near_duplicates is None:
            return Scan(facts)
        cluster_of = {i: k for k, cluster in enumerate(self.near_duplicates) for i in cluster}
        # Images are near-duplicates if each of their channels is a near-duplicate of the same channel.
        members: dict[tuple[object, ...], list[int]] = defaultdict(list)
        for k, files in enumerate(positions):
            members[tuple((cluster_of[i],) if i in cluster_of else i for i in files)].append(k)
        return Scan(facts, tuple(tuple(cluster) for cluster in members.values() if len(cluster) > 1))


def scan_images(
    dataset: Dataset,
    *,
    emit: Emit = ignore,
    stop: Stop = BY_SIGNAL,
    n_threads: int | None = None,
    on_pixels: OnPixels | None = None,
) -> Scan:
    """Decode every image once, several at a time, and remember the facts for the next scan.

    Images that cannot be read do not stop the others; they are `Unreadable` and are read again by the next scan. Facts
    from before an interruption are remembered.

    Args:
        dataset: whose records to read.
        emit: receives progress at most five times a second, and at the end a note for each kind of problem.
        stop: checked as often.
        n_threads: images decoded at the same time; None takes the number of processor cores.
        on_pixels: called with every image that had to be decoded, in the threads that decode. It is not called for
            images whose facts were remembered.

    Raises:
        Stopped: on request.
    """
    records = dataset.records
    facts: list[ImageFacts | Unreadable | None] = [None] * len(records)
    memory = Memory(emit)
    try:
        identities = identities_of(records)
        for i, remembered in memory.recall(identities):
            facts[i] = remembered
        to_decode = by_field(records, [i for i, remembered in enumerate(facts) if remembered is None])
        _decode(records, to_decode, identities, facts, memory, emit, stop, n_threads or n_cores(), on_pixels)
    finally:
        memory.close()
    complete = tuple(fact if fact is not None else _not_reached() for fact in facts)
    _emit_notes(complete, emit)
    return Scan(complete)


def _decode(
    records: Sequence[ImageRecord],
    to_decode: Sequence[int],
    identities: Sequence[Identity | None],
    facts: list[ImageFacts | Unreadable | None],
    memory: Memory,
    emit: Emit,
    stop: Stop,
    n_threads: int,
    on_pixels: OnPixels | None,
) -> None:
    started = reported = saved = time.monotonic()
    n_remembered = len(records) - len(to_decode)
    in_flight: deque[tuple[int, Future[ImageFacts | Unreadable]]] = deque()
    fields = Fields()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="read")
    try:
        ahead = iter(to_decode)
        for n_done in range(len(to_decode)):
            while len(in_flight) < _LOOK_AHEAD * n_threads and (i := next(ahead, None)) is not None:
                in_flight.append((i, pool.submit(_read, i, records[i], fields, on_pixels)))
            i, future = in_flight.popleft()
            while not wait([future], _TELL_EVERY_S).done:  # a file may take long, and the user may stop meanwhile
                stop.check()
                emit(_progress(n_remembered + n_done, len(records), n_done / (time.monotonic() - started)))
            fact = facts[i] = future.result()
            identity = identities[i]
            if isinstance(fact, ImageFacts) and identity is not None:
                memory.remember(identity, fact)
            now = time.monotonic()
            if now - saved > _SAVE_EVERY_S:
                memory.save()
                saved = now
            if now - reported > _TELL_EVERY_S:
                stop.check()
                emit(_progress(n_remembered + n_done + 1, len(records), (n_done + 1) / (now - started)))
                reported = now
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # images in flight are no longer needed
    seconds = max(time.monotonic() - started, 1e-9)
    emit(_progress(len(records), len(records), len(to_decode) / seconds if to_decode else None))


def by_field(records: Sequence[ImageRecord], positions: Sequence[int]) -> list[int]:
    """Return positions ordered so that boxes of one field are consecutive; others stay in place."""
    first: dict[Path, int] = {}
    for i in positions:
        if records[i].plan.box is not None:
            first.setdefault(records[i].path, i)
    return sorted(positions, key=lambda i: (first.get(records[i].path, i), i)) if first else list(positions)


def _read(i: int, record: ImageRecord, fields: Fields, on_pixels: OnPixels | None) -> ImageFacts | Unreadable:
    try:
        pixels = record.read(fields)
        if on_pixels is not None:
            on_pixels(i, pixels)
        return image_facts(pixels)
    except UnreadableImage as error:
        return Unreadable(error.what)
    except MemoryError:
        return Unreadable(text("no-memory-for-image"))


@cache
def _not_reached() -> Unreadable:
    return Unreadable(text("image-not-reached"))


def _progress(done: int, total: int, per_second: float | None) -> Progressed:
    seconds_left = (total - done) / per_second if per_second else None
    return Progressed(stage="reading images", done=done, total=total, per_second=per_second, seconds_left=seconds_left)


def _emit_notes(facts: Sequence[ImageFacts | Unreadable], emit: Emit) -> None:
    """Emit one note per kind of problem, not one per file."""
    reasons = Counter(fact.note for fact in facts if isinstance(fact, ImageFacts) and fact.note)
    for reason, n in reasons.most_common(5):
        emit(Noted.of(note("reading", n_images=n, reason=reason)))
    n_unreadable = sum(isinstance(fact, Unreadable) for fact in facts)
    if n_unreadable:
        emit(Noted.of(note("unreadable", level="warning", n_images=n_unreadable)))
