"""The scan of a dataset: facts of each decoded image, equal pixels, image quality, and the signal of labels.

Facts are cached by file name, size and modification time, so that a second scan of 100,000 files opens no file.
"""

import hashlib
import json
import os
import sqlite3
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, overload

import numpy as np

from coverslip.cache import RECORDS, Kind, RecordStore, register, unusable_note
from coverslip.datasets.index import Dataset, ImageRecord
from coverslip.datasets.quality.packed_facts import PackedFacts, Unreadable, not_scanned
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.files import sha256_json
from coverslip.images import Fields, ImageFacts, Pixels, ReadPlan, image_facts
from coverslip.machine import n_cores
from coverslip.messages import note, text
from coverslip.stopping import BY_SIGNAL, Stop

FACTS = register(Kind("facts", RECORDS))
_FACTS_VERSION = 2  # increases if equal files would give other facts


@dataclass(frozen=True, slots=True)
class Identity:
    """Hashed path, size and modification time of a file, to detect changes."""

    key: str
    size: int
    mtime_ns: int


def identities_of(records: Iterable[ImageRecord]) -> Iterator[Identity | None]:
    """Yield the identity of each image's files: the sum of their sizes, and the last modification time.

    It is None for files that do not exist and for images in memory.
    """
    plans: dict[ReadPlan, bytes] = {}
    for record in records:
        if record.in_memory is not None:
            yield None
            continue
        plan = record.plan
        if (plan_bytes := plans.get(plan)) is None:
            plan_bytes = f"{_FACTS_VERSION} {plan.as_json()}".encode()
            if not record.has_box:  # a box is that of a single record
                plans[plan] = plan_bytes
        try:
            statuses = [file.stat() for file in plan.files(record.path)]
        except (OSError, ValueError):
            yield None
            continue
        key = hashlib.blake2b(os.fsencode(record.path), digest_size=16, key=b"facts")
        key.update(b"\0" + plan_bytes)
        size, changed = sum(status.st_size for status in statuses), max(status.st_mtime_ns for status in statuses)
        yield Identity(key.hexdigest(), size, changed)


class FactsCache:
    """The cache of facts of earlier scans, for concurrent use by several processes.

    If facts cannot be stored (the disk is full), one note is emitted, and the scan continues without the cache.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._new: dict[str, bytes] = {}
        self._store = RecordStore(FACTS, "images", on_failure=self._note_failure, is_synced=True)

    def find(self, identities: Sequence[Identity | None]) -> list[tuple[int, ImageFacts]]:
        """Return (position, facts) of the unchanged files."""
        stored = self._store.find(identity.key for identity in identities if identity)
        unchanged = []
        for i, identity in enumerate(identities):
            if identity is not None and identity.key in stored:
                facts = _facts_from_json(stored[identity.key], identity)
                if facts is not None:
                    unchanged.append((i, facts))
        return unchanged

    def add(self, identity: Identity, facts: ImageFacts) -> None:
        """Add facts, which the next `save` writes."""
        record = {"size": identity.size, "mtime_ns": identity.mtime_ns, "facts": facts._asdict()}
        self._new[identity.key] = json.dumps(record).encode()

    def save(self) -> None:
        """Write the added facts in one transaction."""
        new, self._new = self._new, {}
        self._store.keep(new)

    def close(self) -> None:
        """Save, and close the store."""
        self.save()
        self._store.close()

    def _note_failure(self, error: OSError | sqlite3.Error) -> None:
        self._emit(Noted.of(unusable_note(error)))


def _facts_from_json(stored: bytes, identity: Identity) -> ImageFacts | None:
    """Return stored facts; None if the file has changed, or another version stored other fields."""
    try:
        record = json.loads(stored)
        if (record["size"], record["mtime_ns"]) != (identity.size, identity.mtime_ns):
            return None
        return ImageFacts.from_json(record["facts"])
    except (ValueError, TypeError, KeyError):
        return None


_SAVE_EVERY_S = 2.0
_PROGRESS_EVERY_S = 0.2
_AHEAD_PER_THREAD = 4  # images in flight per thread
_FOUND_AT_ONCE = 10_000  # facts that are read from the cache

OnPixels = Callable[[int, Pixels, ImageFacts], None]  # position of the image among the records, pixels, and facts


def join_facts(channels: Sequence[ImageFacts | Unreadable]) -> ImageFacts | Unreadable:
    """Return the facts of an image from those of its channel files.

    Its hash is comparable only with hashes of images with channel files.
    """
    readable = [facts for facts in channels if isinstance(facts, ImageFacts)]
    if len(readable) < len(channels):
        return next(facts for facts in channels if isinstance(facts, Unreadable))
    first, *further = readable
    if not further:
        return first
    if len({(facts.width_px, facts.height_px, facts.dtype) for facts in readable}) > 1:
        return Unreadable(text("channel-facts-differ"))
    return first._replace(
        pixel_hash=sha256_json([facts.pixel_hash for facts in readable])[:32],
        n_channels=sum(facts.n_channels for facts in readable),
        low=tuple(low for facts in readable for low in facts.low),
        high=tuple(high for facts in readable for high in facts.high),
    )


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """Saturation, sharpness and cut of one image. Saturation and cut are 0 without a measurable problem."""

    saturated: float  # share of the object's pixels with the largest value of the file, in all channels
    sharpness: float | None  # log ratio of fine to coarse detail; None without detail
    cut: float  # share of a side of the image along which the central object is cut


SignalSource = Literal["border", "background", "size", "format", "metadata", "name"]

NOT_IN_PIXELS: frozenset[SignalSource] = frozenset({"name"})  # not available to networks
_VISIBLE = 0.5  # visibility from which images are considered to show their plate or day
HIGHEST_P = 0.05  # significance level


@dataclass(frozen=True, slots=True)
class ProbeScore:
    """The score of a probe that predicts classes."""

    balanced_accuracy: float  # mean recall over classes, on held-out images
    p: float  # p-value of a permutation test of the labels


@dataclass(frozen=True, slots=True)
class ColumnProbe:
    """How well a column of the table, such as plate or day, predicts classes, and whether images show its values."""

    score: ProbeScore  # of classes, predicted from the value alone
    visibility: float  # accuracy of predicting its values from images of one class: 0 by chance, 1 perfect


@dataclass(frozen=True, slots=True)
class Signal:
    """The scores of probes that predict labels from the whole image and from other sources."""

    chance: float  # balanced accuracy of random predictions
    whole: ProbeScore
    by_source: Mapping[SignalSource, ProbeScore]
    by_column: Mapping[str, ColumnProbe] = field(default_factory=dict)

    @property
    def is_significant(self) -> bool:
        """Whether any source in the image predicts the labels significantly better than chance."""
        visible = (score for source, score in self.by_source.items() if source not in NOT_IN_PIXELS)
        return min(score.p for score in (self.whole, *visible)) <= HIGHEST_P

    def share(self, source: SignalSource) -> float:
        """Return the share of the whole image's gain over chance, at most 1; 0 without a significant gain.

        With few images, the probe of the source can be better than that of the whole image.
        """
        return self._share(self.by_source[source])

    def share_of_column(self, column: str) -> float:
        """Return the share for a column whose values are visible in images; 0 for other columns."""
        by_column = self.by_column[column]
        return self._share(by_column.score) if by_column.visibility >= _VISIBLE else 0.0

    def _share(self, score: ProbeScore) -> float:
        gain = score.balanced_accuracy - self.chance
        if score.p > HIGHEST_P or gain <= 0:
            return 0.0
        return gain / max(gain, self.whole.balanced_accuracy - self.chance)


@dataclass(frozen=True, slots=True)
class ReadableFacts(Sequence[ImageFacts]):
    """Facts of some images, which are unpacked one at a time."""

    facts: Sequence[ImageFacts | Unreadable]
    positions: Sequence[int]  # of readable images, in any order

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, k: int) -> ImageFacts: ...

    @overload
    def __getitem__(self, k: slice) -> "ReadableFacts": ...

    def __getitem__(self, k: int | slice) -> "ImageFacts | ReadableFacts":
        if isinstance(k, slice):
            return ReadableFacts(self.facts, self.positions[k])
        facts = self.facts[self.positions[k]]
        assert isinstance(facts, ImageFacts)
        return facts


@dataclass(frozen=True, slots=True)
class PixelHashes(Sequence[str]):
    """Hashes of the pixels of some images, which take no memory."""

    facts: ReadableFacts

    def __len__(self) -> int:
        return len(self.facts)

    @overload
    def __getitem__(self, k: int) -> str: ...

    @overload
    def __getitem__(self, k: slice) -> list[str]: ...

    def __getitem__(self, k: int | slice) -> str | list[str]:
        if isinstance(k, slice):
            return [facts.pixel_hash for facts in self.facts[k]]
        return self.facts[k].pixel_hash


@dataclass(frozen=True)
class Scan:
    """Facts about each image, in the order of the dataset's records."""

    facts: Sequence[ImageFacts | Unreadable]
    # Clusters of positions of near-duplicates, including equal pixels, at least two each; None: not searched for.
    near_duplicates: tuple[tuple[int, ...], ...] | None = None
    quality: tuple[ImageQuality | None, ...] | None = None  # of each image; None: not measured
    signal: Signal | None = None  # None: not measured, or not measurable
    # Whether the training decoded each image itself; facts of others are those of an earlier scan. Empty: none.
    is_decoded: bytes = b""

    @property
    def n_readable(self) -> int:
        """Number of readable images."""
        return sum(isinstance(fact, ImageFacts) for fact in self.facts)

    def readable(self, positions: Sequence[int] | None = None) -> "ReadableFacts":
        """Return the facts of the images at these positions, all readable; None: of all readable images."""
        if positions is None:
            positions = array("q", (i for i, fact in enumerate(self.facts) if isinstance(fact, ImageFacts)))
        return ReadableFacts(self.facts, positions)

    @property
    def n_different(self) -> int:
        """Number of readable images with different pixels."""
        return self.n_readable - sum(len(members) - 1 for members in self.equal_pixels)

    @cached_property
    def equal_pixels(self) -> tuple[tuple[int, ...], ...]:
        """Positions of readable images that have the same pixels, two or more each."""
        hashes = (fact.pixel_hash.encode() if isinstance(fact, ImageFacts) else b"" for fact in self.facts)
        values = np.fromiter(hashes, dtype="S32", count=len(self.facts))  # a dictionary takes 200 bytes per image
        order = np.argsort(values, kind="stable")
        values = values[order]
        is_next_equal = (values[1:] == values[:-1]) & (values[1:] != b"")
        is_member = np.append(is_next_equal, False) | np.append(False, is_next_equal)  # empty without images
        order, values = order[is_member[: len(order)]], values[is_member[: len(order)]]
        clusters = np.split(order, np.flatnonzero(values[1:] != values[:-1]) + 1)
        return tuple(sorted(tuple(members.tolist()) for members in clusters if len(members)))

    def joined(self, positions: Sequence[Sequence[int | None]]) -> "Scan":
        """Return the scan of images whose channels are the images at these positions; None: not scanned."""
        facts = tuple(join_facts([not_scanned() if i is None else self.facts[i] for i in files]) for files in positions)
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
    fields: Fields | None = None,
) -> Scan:
    """Decode every image once, in parallel, and cache the facts for the next scan.

    Unreadable images are `Unreadable` and do not stop the scan; the next scan reads them again. If the scan is
    interrupted, facts so far stay cached.

    Args:
        dataset: the images.
        emit: receives progress at most five times a second, and at the end a note for each kind of problem.
        stop: checked whenever progress is emitted.
        n_threads: images decoded at the same time; None takes the number of processor cores.
        on_pixels: called for every decoded image, in the decoding threads, but not for images with cached facts.
        fields: the decoded fields of view of an earlier scan, if its images are of the same fields.

    Raises:
        Stopped: on request.
    """
    records = dataset.records
    facts, is_cached = PackedFacts(len(records)), bytearray(len(records))
    facts_cache = FactsCache(emit)
    try:
        for start in range(0, len(records), _FOUND_AT_ONCE):
            identities = [*identities_of(records[start : start + _FOUND_AT_ONCE])]
            for i, cached_facts in facts_cache.find(identities):
                facts[start + i], is_cached[start + i] = cached_facts, True
        to_decode = by_field(records, [i for i, has_facts in enumerate(is_cached) if not has_facts])
        n_threads, fields = n_threads or n_cores(), fields or Fields()
        _decode(records, to_decode, facts, facts_cache, emit, stop, n_threads, on_pixels, fields)
    finally:
        facts_cache.close()
    _emit_notes(facts, emit)
    return Scan(facts)


def _decode(
    records: Sequence[ImageRecord],
    to_decode: Sequence[int],
    facts: PackedFacts,
    facts_cache: FactsCache,
    emit: Emit,
    stop: Stop,
    n_threads: int,
    on_pixels: OnPixels | None,
    fields: Fields,
) -> None:
    started = reported = saved = time.monotonic()
    n_cached = len(records) - len(to_decode)
    in_flight: deque[tuple[int, Identity | None, Future[ImageFacts | Unreadable]]] = deque()
    identities = identities_of(records[i] for i in to_decode)
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="read")
    try:
        ahead = iter(to_decode)
        for n_done in range(len(to_decode)):
            while len(in_flight) < _AHEAD_PER_THREAD * n_threads and (i := next(ahead, None)) is not None:
                in_flight.append((i, next(identities), pool.submit(_read, i, records[i], fields, on_pixels)))
            i, identity, future = in_flight.popleft()
            while not wait([future], _PROGRESS_EVERY_S).done:  # decoding can take long; the user may cancel
                stop.check()
                emit(_progress(n_cached + n_done, len(records), n_done / (time.monotonic() - started)))
            fact = facts[i] = future.result()
            if isinstance(fact, ImageFacts) and identity is not None:
                facts_cache.add(identity, fact)
            now = time.monotonic()
            if now - saved > _SAVE_EVERY_S:
                facts_cache.save()
                saved = now
            if now - reported > _PROGRESS_EVERY_S:
                stop.check()
                emit(_progress(n_cached + n_done + 1, len(records), (n_done + 1) / (now - started)))
                reported = now
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # images in flight are no longer needed
    seconds = max(time.monotonic() - started, 1e-9)
    emit(_progress(len(records), len(records), len(to_decode) / seconds if to_decode else None))


def by_field(records: Sequence[ImageRecord], positions: Sequence[int]) -> list[int]:
    """Return positions ordered so that boxes of one field are consecutive; others stay in place."""
    first: dict[Path, int] = {}
    for i in positions:
        if records[i].has_box:
            first.setdefault(records[i].path, i)
    n = len(records)

    def order(i: int) -> int:
        return first.get(records[i].path, i) * n + i

    return sorted(positions, key=order) if first else list(positions)


def _read(i: int, record: ImageRecord, fields: Fields, on_pixels: OnPixels | None) -> ImageFacts | Unreadable:
    try:
        pixels = record.read(fields)
        facts = image_facts(pixels)
        if on_pixels is not None:
            on_pixels(i, pixels, facts)
        return facts
    except UnreadableImage as error:
        return Unreadable(error.what)
    except MemoryError:
        return Unreadable(text("no-memory-for-image"))


def _progress(done: int, total: int, per_second: float | None) -> Progressed:
    seconds_left = (total - done) / per_second if per_second else None
    return Progressed(stage="reading-images", done=done, total=total, per_second=per_second, seconds_left=seconds_left)


def _emit_notes(facts: Sequence[ImageFacts | Unreadable], emit: Emit) -> None:
    """Emit one note per kind of problem."""
    reasons = Counter(fact.note for fact in facts if isinstance(fact, ImageFacts) and fact.note)
    for reason, n in reasons.most_common(5):
        emit(Noted.of(note("reading", n_images=n, reason=reason)))
    n_unreadable = sum(isinstance(fact, Unreadable) for fact in facts)
    if n_unreadable:
        emit(Noted.of(note("unreadable", level="warning", n_images=n_unreadable)))
