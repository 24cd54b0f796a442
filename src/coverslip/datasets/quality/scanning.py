"""The scan of a dataset: facts of each decoded image, equal pixels, and the sizes of classes and groups.

Facts are cached by the bytes of the files. A second scan of 100,000 files on a local disk opens no file, because the
hashes of unchanged files are found by their state; on other disks it reads every file, but decodes none.
"""

import hashlib
import json
import os
import sqlite3
import struct
import time
from array import array
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache, cached_property
from itertools import starmap
from operator import eq
from pathlib import Path
from statistics import median
from threading import Lock
from typing import Any, Literal, overload

import numpy as np
from pydantic import ConfigDict

from coverslip.cache.file_hashes import FileHashes, FileIdentity, state_of
from coverslip.cache.stores import Kind, RecordStore, unusable_note
from coverslip.counts import count_groups
from coverslip.datasets.content_hashes import ContentHashes, SharedReads, find_hashes, hash_files
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.names import natural_key
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, Progressed, ignore, paced
from coverslip.files import sha256_json
from coverslip.images.decoding import Fields
from coverslip.images.decoding_pool import READ_ALONE
from coverslip.images.formats import decoder_versions
from coverslip.images.preprocessing import PixelFacts, image_facts
from coverslip.images.reader import ReadPlan
from coverslip.images.reading import Pixels
from coverslip.machine import n_cores
from coverslip.messages import Message, message, note
from coverslip.stopping import BY_SIGNAL, Stop

_ROW = struct.Struct("16s4I")  # hash, width, height, number of the kind, and position of the intensity range
FACTS = Kind("facts")
_FACTS_VERSION = 8  # increases if equal files would give other facts


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The reason why a file could not be read."""

    reason: Message


@cache
def not_scanned() -> Unreadable:
    """Return the facts of an image that the scan has not reached."""
    return Unreadable(message("image-not-reached"))


class PackedFacts(Sequence[PixelFacts | Unreadable]):
    """Facts of images by position, which take about 50 bytes for each image instead of 220 and more.

    Each access returns a new object.
    """

    def __init__(self, n: int) -> None:
        """Start with `n` images that are not scanned."""
        self._rows = bytearray(_ROW.size * n)
        self._ranges = array("d")  # low ends, then high ends, of the channels of each image
        # What most images share: all facts except the hash, the size and the intensity range.
        self._kinds: list[tuple[Any, ...] | Unreadable] = [not_scanned()]  # Any: of each fact another type
        self._number_of_kind: dict[tuple[Any, ...] | Unreadable, int] = {not_scanned(): 0}

    def __len__(self) -> int:
        return len(self._rows) // _ROW.size

    def __setitem__(self, position: int, facts: PixelFacts | Unreadable) -> None:
        if isinstance(facts, Unreadable):
            row = (b"", 0, 0, self._number(facts), 0)
        else:
            kind = (
                *(facts.n_channels, facts.dtype, facts.bit_depth, facts.file_format, facts.n_planes),
                *(facts.note, facts.pixel_size_um, facts.channel_names),
            )
            digest = bytes.fromhex(facts.pixel_hash)
            row = (digest, facts.width_px, facts.height_px, self._number(kind), len(self._ranges))
            self._ranges.extend((*facts.low, *facts.high))
        _ROW.pack_into(self._rows, position * _ROW.size, *row)

    def _number(self, kind: tuple[Any, ...] | Unreadable) -> int:
        number = self._number_of_kind.setdefault(kind, len(self._kinds))
        if number == len(self._kinds):
            self._kinds.append(kind)
        return number

    @overload
    def __getitem__(self, position: int) -> PixelFacts | Unreadable: ...

    @overload
    def __getitem__(self, position: slice) -> "list[PixelFacts | Unreadable]": ...

    def __getitem__(self, position: int | slice) -> "PixelFacts | Unreadable | list[PixelFacts | Unreadable]":
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        n = len(self)
        if not -n <= position < n:
            raise IndexError(position)
        return self._unpacked(*_ROW.unpack_from(self._rows, position % n * _ROW.size))

    def __iter__(self) -> Iterator[PixelFacts | Unreadable]:
        return starmap(self._unpacked, _ROW.iter_unpack(self._rows))

    def _unpacked(self, digest: bytes, width: int, height: int, number: int, start: int) -> PixelFacts | Unreadable:
        kind = self._kinds[number]
        if isinstance(kind, Unreadable):
            return kind
        n_channels, dtype, bit_depth, file_format, n_planes, *others = kind
        middle = start + n_channels
        low, high = tuple(self._ranges[start:middle]), tuple(self._ranges[middle : middle + n_channels])
        shape = digest.hex(), width, height, n_channels
        return PixelFacts(*shape, dtype, bit_depth, file_format, n_planes, low, high, *others)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # it changes


class FactsCache:
    """The cache of facts of earlier scans, for concurrent use by several processes. Its methods are thread-safe.

    Facts belong to the bytes of the image's files, to the plan by which they were read, and to the versions of the
    packages that decode images. If facts cannot be stored
    (the disk is full), one note is emitted, and the scan continues without the cache.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._lock = Lock()
        self._new: dict[str, tuple[FileIdentity, PixelFacts]] = {}
        self._store = RecordStore(FACTS, "images", on_failure=self._note_failure, is_synced=True)
        self._hashes = FileHashes()  # without a note: what prevents records of hashes prevents those of facts, too
        self._read = SharedReads(self._hashes)
        self._plans: dict[ReadPlan, bytes] = {}

    def find(self, records: Sequence[ImageRecord]) -> Iterator[tuple[int, bytes, PixelFacts | None]]:
        """Yield (position, hash, facts) of the images whose files are unchanged; None: facts are not in the cache."""
        return self._with_facts(records, find_hashes(records, self._hashes))

    def verify(self, records: Sequence[ImageRecord]) -> Iterator[tuple[int, bytes, PixelFacts | None]]:
        """Yield the same of all images with files, after reading the files."""
        digests = (bytes.fromhex(digest) or None for digest in hash_files(records, self._hashes, self._read))
        return self._with_facts(records, list(digests))

    def _with_facts(
        self, records: Sequence[ImageRecord], digests: Sequence[bytes | None]
    ) -> Iterator[tuple[int, bytes, PixelFacts | None]]:
        keys = {i: self._key(records[i], digest) for i, digest in enumerate(digests) if digest is not None}
        with self._lock:
            stored = self._store.find(keys.values())
        for i, key in keys.items():
            yield i, digests[i] or b"", _facts_from_json(stored.get(key))

    def read(self, record: ImageRecord) -> tuple[FileIdentity | None, PixelFacts | None]:
        """Return the identity of an image's files after reading them, and its facts if they are in the cache."""
        identity = self._read(record)
        if identity is None:
            return None, None
        key = self._key(record, identity.sha256)
        with self._lock:
            return identity, _facts_from_json(self._store.find([key]).get(key))

    def add(self, record: ImageRecord, identity: FileIdentity, facts: PixelFacts) -> None:
        """Add facts of pixels that were decoded after the files were read. The next `save` writes them."""
        with self._lock:
            self._new[self._key(record, identity.sha256)] = identity, facts

    def save(self) -> None:
        """Write the added facts in one transaction, without those of files that changed before they were decoded."""
        with self._lock:
            new, self._new = self._new, {}
        identities = {id(identity): identity for identity, _ in new.values()}  # images of one file share it
        is_current = {number: identity.is_current() for number, identity in identities.items()}
        records = {key: facts for key, (identity, facts) in new.items() if is_current[id(identity)]}
        with self._lock:
            self._store.keep({key: json.dumps(facts.as_json()).encode() for key, facts in records.items()})
        self._hashes.save()

    def close(self) -> None:
        """Save, and close the store."""
        self.save()
        with self._lock:  # threads of an interrupted scan can still use it
            self._store.close()
        self._hashes.close()

    def _key(self, record: ImageRecord, digest: bytes) -> str:
        plan = record.plan
        if (plan_bytes := self._plans.get(plan)) is None:
            plan_bytes = f"{_FACTS_VERSION} {decoder_versions()} {plan.as_json()}".encode()
            if not record.has_box:  # a box is that of a single record
                self._plans[plan] = plan_bytes
        # Some formats differ by their suffix only.
        suffix = os.fsencode(record.path.suffix.lower())
        return hashlib.blake2b(b"\0".join((digest, suffix, plan_bytes)), digest_size=16, key=b"facts").hexdigest()

    def _note_failure(self, error: OSError | sqlite3.Error) -> None:
        self._emit(Noted.of(unusable_note(error)))


def _facts_from_json(stored: bytes | None) -> PixelFacts | None:
    """Return stored facts; None if there are none, or another version stored other fields."""
    try:
        return None if stored is None else PixelFacts.from_json(json.loads(stored))
    except (ValueError, TypeError, KeyError):
        return None


_SAVE_EVERY_S = 2.0
_PROGRESS_EVERY_S = 0.2
_AHEAD_PER_THREAD = 4  # images in flight per thread
_FOUND_AT_ONCE = 10_000  # facts that are read from the cache
_FIRST_VERIFIED, _VERIFIED_AT_ONCE = 64, 512  # images
_SMALL_BYTES = 2**24

OnPixels = Callable[[int, Pixels, PixelFacts], None]  # position of the image among the records, pixels, and facts


def join_facts(channels: Sequence[PixelFacts | Unreadable]) -> PixelFacts | Unreadable:
    """Return the facts of an image from those of its channel files.

    Its hash is comparable only with hashes of images with channel files.
    """
    readable = [facts for facts in channels if isinstance(facts, PixelFacts)]
    if len(readable) < len(channels):
        return next(facts for facts in channels if isinstance(facts, Unreadable))
    first, *further = readable
    if not further:
        return first
    if len({(facts.width_px, facts.height_px, facts.dtype) for facts in readable}) > 1:
        return Unreadable(message("channel-facts-differ"))
    return first._replace(
        pixel_hash=sha256_json([facts.pixel_hash for facts in readable])[:32],
        n_channels=sum(facts.n_channels for facts in readable),
        low=tuple(low for facts in readable for low in facts.low),
        high=tuple(high for facts in readable for high in facts.high),
    )


SignalSource = Literal["border", "background", "size", "format", "metadata", "name"]

NOT_IN_PIXELS: frozenset[SignalSource] = frozenset({"name"})  # not available to networks
_VISIBLE = 0.5  # visibility from which images are considered to show their plate or day
HIGHEST_P = 0.05  # significance level


@dataclass(frozen=True, slots=True)
class ProbeScore(DocumentedFields):
    """The score of a probe that predicts classes."""

    balanced_accuracy: float
    """Mean recall over classes, on held-out images."""
    p: float
    """P-value of a permutation test of the labels."""


@dataclass(frozen=True, slots=True)
class ColumnProbe(DocumentedFields):
    """How well a column of the table, such as plate or day, predicts classes, and whether images show its values."""

    score: ProbeScore  # of classes, predicted from the value alone
    visibility: float
    """How well images of a class predict it: 0 by chance, 1 perfect."""


@dataclass(frozen=True, slots=True)
class Signal(DocumentedFields):
    """The scores of probes that predict labels from the whole image and from other sources."""

    chance: float  # balanced accuracy of random predictions
    whole: ProbeScore
    by_source: Mapping[SignalSource, ProbeScore]
    """Such as the background."""
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
class ReadableFacts(Sequence[PixelFacts]):
    """Facts of some images, which are unpacked one at a time."""

    facts: Sequence[PixelFacts | Unreadable]
    positions: Sequence[int]  # of readable images, in any order

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, k: int) -> PixelFacts: ...

    @overload
    def __getitem__(self, k: slice) -> "ReadableFacts": ...

    def __getitem__(self, k: int | slice) -> "PixelFacts | ReadableFacts":
        if isinstance(k, slice):
            return ReadableFacts(self.facts, self.positions[k])
        facts = self.facts[self.positions[k]]
        assert isinstance(facts, PixelFacts)
        return facts


@dataclass(frozen=True)
class Scan:
    """Facts about each image, in the order of the dataset's records."""

    facts: Sequence[PixelFacts | Unreadable]
    # Clusters of positions of near-duplicates, including equal pixels, at least two each; None: not searched for.
    near_duplicates: tuple[tuple[int, ...], ...] | None = None
    signal: Signal | None = None  # None: not measured, or not measurable
    # Whether the training decoded each image itself; facts of others are those of an earlier scan. Empty: none.
    is_decoded: bytes = b""
    content_hashes: Sequence[str] = ()  # SHA-256 of each image's files as hex; empty: not scanned, or no such image
    # Of the app: the labels by image_id of images whose files other content has overwritten since users labeled them.
    overwritten: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def n_readable(self) -> int:
        """Number of readable images."""
        return sum(isinstance(fact, PixelFacts) for fact in self.facts)

    def readable(self, positions: Sequence[int] | None = None) -> "ReadableFacts":
        """Return the facts of the images at these positions, all readable; None: of all readable images."""
        if positions is None:
            positions = array("q", (i for i, fact in enumerate(self.facts) if isinstance(fact, PixelFacts)))
        return ReadableFacts(self.facts, positions)

    @property
    def n_different(self) -> int:
        """Number of readable images with different pixels."""
        return self.n_readable - sum(len(members) - 1 for members in self.equal_pixels)

    @cached_property
    def equal_pixels(self) -> tuple[tuple[int, ...], ...]:
        """Positions of readable images that have the same pixels, two or more each."""
        hashes = (fact.pixel_hash.encode() if isinstance(fact, PixelFacts) else b"" for fact in self.facts)
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
    content_hashes: ContentHashes | None = None,
) -> Scan:
    """Decode every image once, in parallel, and cache the facts for the next scan.

    Facts of the same bytes are taken from the cache, also after files were renamed or exchanged.

    Unreadable images are `Unreadable` and do not stop the scan; the next scan reads them again. If the scan is
    interrupted, facts so far stay cached.

    Args:
        dataset: the images.
        emit: receives progress at most five times a second, and at the end a note for each kind of problem.
        stop: checked whenever progress is emitted.
        n_threads: images decoded at the same time; None takes the number of processor cores.
        on_pixels: called for every decoded image, in the decoding threads, but not for images with cached facts.
        fields: the decoded fields of view of an earlier scan, if its images are of the same fields.
        content_hashes: receives the hash of each image's files before `on_pixels` is called for it; `Scan` has it, too.

    Raises:
        Stopped: on request.
    """
    records = dataset.records
    facts, is_cached = PackedFacts(len(records)), bytearray(len(records))
    hashes = ContentHashes(len(records)) if content_hashes is None else content_hashes
    facts_cache = FactsCache(emit)
    try:
        for start in range(0, len(records), _FOUND_AT_ONCE):
            for i, digest, cached_facts in facts_cache.find(records[start : start + _FOUND_AT_ONCE]):
                hashes[start + i] = digest
                if cached_facts is not None:
                    facts[start + i], is_cached[start + i] = cached_facts, True
        unread = [i for i in range(len(records)) if not is_cached[i] and not hashes[i] and _is_small(records[i])]
        for n, (i, digest, cached_facts) in enumerate(_verified(facts_cache, records, unread)):
            hashes[i] = digest
            facts[i], is_cached[i] = cached_facts, True
            if n % _VERIFIED_AT_ONCE == 0:
                stop.check()
                emit(Progressed(stage="reading-images", done=is_cached.count(True), total=len(records)))
        to_decode = by_field(records, [i for i, has_facts in enumerate(is_cached) if not has_facts])
        reader = _Reader(records, facts_cache, hashes, on_pixels, fields or Fields())
        _decode(reader, to_decode, facts, emit, stop, n_threads or n_cores())
    finally:
        facts_cache.close()
    _emit_notes(facts, emit)
    return Scan(facts, content_hashes=hashes)


def _verified(
    facts_cache: FactsCache, records: Sequence[ImageRecord], unread: Sequence[int]
) -> Iterator[tuple[int, bytes, PixelFacts]]:
    """Yield (position, hash, facts) of the images with facts in the cache, after reading the files.

    For small files this is faster than to read them one at a time, but files of other images are read again when they
    are decoded. It ends where most images of a block have no facts, as in a new dataset.
    """
    start, n = 0, _FIRST_VERIFIED
    while start < len(unread):
        block = unread[start : start + n]
        n_cached = 0
        for k, digest, facts in facts_cache.verify([records[i] for i in block]):
            if facts is not None:
                n_cached += 1
                yield block[k], digest, facts
        start, n = start + n, _VERIFIED_AT_ONCE
        if 2 * n_cached < len(block):
            return


def _is_small(record: ImageRecord) -> bool:
    """Return whether an image is the only one of its file, and the file is small."""
    if record.in_memory is not None or record.has_box or record.stated:
        return False
    state = state_of(record.path)
    return state is not None and state.n_bytes <= _SMALL_BYTES


def _decode(
    reader: "_Reader", to_decode: Sequence[int], facts: PackedFacts, emit: Emit, stop: Stop, n_threads: int
) -> None:
    started = reported = saved = time.monotonic()
    n_cached = len(facts) - len(to_decode)

    def report(n: int) -> None:
        seconds = time.monotonic() - started
        emit(paced(stage="reading-images", done=n_cached + n, total=len(facts), n=n, seconds=seconds))

    in_flight: deque[tuple[int, Future[PixelFacts | Unreadable]]] = deque()
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="read")
    try:
        ahead = iter(to_decode)
        for n_done in range(len(to_decode)):
            while len(in_flight) < _AHEAD_PER_THREAD * n_threads and (i := next(ahead, None)) is not None:
                in_flight.append((i, pool.submit(reader, i)))
            i, future = in_flight.popleft()
            while not wait([future], _PROGRESS_EVERY_S).done:  # decoding can take long; the user may cancel
                stop.check()
                report(n_done)
            facts[i] = future.result()
            now = time.monotonic()
            if now - saved > _SAVE_EVERY_S:
                reader.facts_cache.save()
                saved = now
            if now - reported > _PROGRESS_EVERY_S:
                stop.check()
                report(n_done + 1)
                reported = now
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # images in flight are no longer needed
    report(len(to_decode))


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the facts of an image: from the cache if its bytes are in it, else from its pixels. Thread-safe."""

    records: Sequence[ImageRecord]
    facts_cache: FactsCache
    hashes: ContentHashes
    on_pixels: OnPixels | None
    fields: Fields

    def __call__(self, i: int) -> PixelFacts | Unreadable:
        """Return the facts of the image at a position, or why it is unreadable."""
        record = self.records[i]
        try:
            # The bytes are decoded right after they were read: the disk is not needed twice.
            identity, facts = self.facts_cache.read(record)
            if identity is not None:
                self.hashes[i] = identity.sha256
            if facts is not None:
                return facts
            pixels = record.read(self.fields)
            facts = image_facts(pixels)
            if self.on_pixels is not None:
                self.on_pixels(i, pixels, facts)
        except UnreadableImage as error:
            return Unreadable(error.message)
        except MemoryError:
            return Unreadable(message("no-memory-for-image"))
        was_killed = pixels.note is not None and READ_ALONE in pixels.note  # this time, by another program
        if identity is not None and not pixels.has_other_files and not was_killed:
            self.facts_cache.add(record, identity, facts)
        return facts


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


def _emit_notes(facts: Sequence[PixelFacts | Unreadable], emit: Emit) -> None:
    """Emit one note per kind of problem."""
    reasons = Counter(fact.note for fact in facts if isinstance(fact, PixelFacts) and fact.note)
    for reason, n in reasons.most_common(5):
        emit(Noted.of(note("reading", n_images=n, reason=reason)))
    n_unreadable = sum(isinstance(fact, Unreadable) for fact in facts)
    if n_unreadable:
        emit(Noted.of(note("unreadable", level="warning", n_images=n_unreadable)))


# Facts about a dataset: class sizes, the distribution of groups, and frequencies of values.

FEW_GROUPS_FOR_ONE_SPLIT = (
    10  # with fewer, a single split tests on one or two patients, so cross-validation is always the default
)


class Spread(DocumentedModel):
    """Minimum, median and maximum of some numbers."""

    model_config = ConfigDict(frozen=True)

    min: float
    median: float
    max: float

    @staticmethod
    def of(numbers: Iterable[float]) -> "Spread | None":
        """Return the spread of numbers; None without numbers."""
        values = sorted(numbers)
        return Spread(min=values[0], median=median(values), max=values[-1]) if values else None


class GroupFacts(DocumentedModel):
    """The distribution of images over groups."""

    model_config = ConfigDict(frozen=True)

    n_groups: int
    n_ungrouped: int = 0  # images without a group
    images_per_group: Spread
    classes_per_group: Spread
    groups_per_class: dict[str, int]


def class_sizes(dataset: Dataset, scan: Scan) -> dict[str, int]:
    """Return the number of readable images per class, in the order of the dataset's classes."""
    labels = Counter(record.label for record in _readable_records(dataset, scan))
    return {label: labels[label] for label in dataset.classes}


def _readable_records(dataset: Dataset, scan: Scan) -> list[ImageRecord]:
    pairs = zip(dataset.records, scan.facts, strict=True)
    return [record for record, fact in pairs if isinstance(fact, PixelFacts)]


def group_facts(dataset: Dataset, scan: Scan) -> GroupFacts | None:
    """Return the distribution of readable images over groups; None without groups.

    Images without a group are not counted.
    """
    labels_of_group: dict[str, set[str]] = defaultdict(set)
    groups_of_label: dict[str, set[str]] = defaultdict(set)
    n_of_group: Counter[str] = Counter()
    used = [record for record in _readable_records(dataset, scan) if record.label not in dataset.dropped]
    groups = count_groups(record.group for record in used)
    for record in used:
        if record.group is None:
            continue
        n_of_group[record.group] += 1
        if record.label is not None and dataset.has_class(record):
            labels_of_group[record.group].add(record.label)
            groups_of_label[record.label].add(record.group)
    images = Spread.of(n_of_group.values())
    per_group = Spread.of(len(labels_of_group[group]) for group in n_of_group)
    if images is None or per_group is None:
        return None
    return GroupFacts(
        n_groups=groups.n_groups,
        n_ungrouped=groups.n_ungrouped,
        images_per_group=images,
        classes_per_group=per_group,
        groups_per_class={label: len(groups_of_label[label]) for label in dataset.classes},
    )


def units_per_class(dataset: Dataset, scan: Scan) -> dict[str, int]:
    """Return the number of groups, and of images without a group, of each class: what a split divides at most.

    Unreadable images are not counted.
    """
    names: dict[str, list[str | None]] = {label: [] for label in dataset.classes}
    for record in _readable_records(dataset, scan):
        if record.label is not None and dataset.has_class(record):
            names[record.label].append(record.group)
    return {label: count_groups(groups).n_units for label, groups in names.items()}


def single_groups(dataset: Dataset) -> list[str]:
    """Return the groups if each class is in only one group, so that no split has a class in two sets; else nothing.

    With a predefined split, the result is empty.
    """
    units_of: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
    for record in dataset.records:
        if record.label is not None and dataset.has_class(record):
            units_of[record.label].add(record.unit)
    units = set().union(*units_of.values())
    is_grouped = dataset.has_groups and not dataset.has_predefined_split
    is_confounded = is_grouped and len(units) > 1 and all(len(of_class) == 1 for of_class in units_of.values())
    return sorted((group or image_id for group, image_id in units), key=natural_key) if is_confounded else []


def frequencies(values: Iterable[str]) -> dict[str, int]:
    """Return how often each value occurs: most frequent first, equal ones in natural order."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], natural_key(item[0]))))
