"""Near-duplicates: images that show the same though their pixels differ, being saved again, resized, turned or cropped.

What is found depends on the pixels of the images alone: not on their order or names, on the cache, or on the number of
threads, since a split depends on it.
"""

import hashlib
import json
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.aligning import Pairs
from coverslip.audit.copies.matching import AT_ONCE, match, place
from coverslip.audit.copies.searching import candidate_pairs
from coverslip.audit.copies.small_pictures import small_picture
from coverslip.audit.image_quality import image_quality
from coverslip.audit.memory import memory_for_checks
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.datasets import Dataset, ImageQuality, Inspection, Scan
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, ignore, telling
from coverslip.images import ImageFacts, Pixels
from coverslip.machine import n_cores, processor_name
from coverslip.stopping import BY_SIGNAL, Stop

NEAR_DUPLICATES = register(Kind("near-duplicates", "which images of a dataset show the same", RECORDS))

_VERSION = 10  # goes up when the same images would give other clusters
_FEWEST = 2  # images
_N_CLOSEST = 4  # pairs of an image that are compared in detail
_STAGES = "near-duplicates 2 of 3: aligning pairs", "near-duplicates 3 of 3: comparing pairs"

Clusters = tuple[tuple[int, ...], ...]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
T = TypeVar("T")
_searching = threading.Lock()  # the number of a process's BLAS threads is set by one search at a time


class SeenWhileScanning:
    """What is taken of images while they are decoded, so that they need not be decoded again: a scan's `on_pixels`.

    Args:
        with_quality: whether to measure how blurred, cut off or saturated they are.
    """

    def __init__(self, *, with_quality: bool = True) -> None:
        self.pictures: dict[int, Bytes | None] = {}  # small ones
        self.quality: dict[int, ImageQuality] = {}
        self._with_quality = with_quality

    def __call__(self, position: int, pixels: Pixels) -> None:
        with memory_for_checks(pixels.array):
            self.pictures[position] = small_picture(pixels.array)
            if self._with_quality:
                self.quality[position] = image_quality(pixels.array)


def with_cached_near_duplicates(scan: Scan) -> Scan:
    """The scan with the clusters that an earlier search among equal pixels found, whatever the files' names."""
    with RecordStore(NEAR_DUPLICATES, "images") as store:
        kept = store.find([_key(scan)]).get(_key(scan))
    return scan if kept is None else replace(scan, near_duplicates=_clusters(scan, json.loads(kept)))


def with_near_duplicates(
    dataset: Dataset, scan: Scan, seen: SeenWhileScanning | None = None, *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
) -> Scan:
    """The scan with the clusters of images that show the same, found now or read from the cache.

    Found are images saved anew, resized, blurred, brightened, mirrored, turned by any angle, and shifted or cropped by
    up to a tenth. Neighbouring frames of a film may be found, and may not.

    Args:
        dataset, scan: the images.
        seen: small pictures of some of them; others are decoded again, and added to it.
        emit: told about progress.
        stop: asked between steps.

    Raises:
        Stopped: on request.
    """
    cached = with_cached_near_duplicates(scan)
    if cached.near_duplicates is not None:
        return cached
    first_of = {fact.pixel_hash: i for i, fact in reversed([*enumerate(scan.facts)]) if isinstance(fact, ImageFacts)}
    positions = [first_of[pixels] for pixels in sorted(first_of)]
    pictures = _pictures(dataset, positions, seen or SeenWhileScanning(with_quality=False), emit, stop)
    shown = [i for i in positions if pictures.get(i) is not None]
    linked = []
    if len(shown) >= _FEWEST:
        with _one_blas_thread():
            linked = _linked(np.stack([picture for i in shown if (picture := pictures[i]) is not None]), emit, stop)
    hashes = [[_hash_of(scan, shown[row]) for row in rows] for rows in linked]
    with RecordStore(NEAR_DUPLICATES, "images") as store:
        store.keep({_key(scan): json.dumps(hashes).encode()})
    return replace(scan, near_duplicates=_clusters(scan, hashes))


def with_recorded_near_duplicates(dataset: Dataset, scan: Scan, inspection: Inspection) -> Scan:
    """The scan with the clusters that a run found when it began, so that a search cannot find others."""
    if not inspection.are_copies_known:
        return scan
    position_of = {record.image_id: i for i, record in enumerate(dataset.records)}
    clusters = [cluster for finding in inspection.of("near-duplicates") for cluster in finding.images]
    return replace(
        scan, near_duplicates=tuple(tuple(position_of[image_id] for image_id in cluster) for cluster in clusters)
    )


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Sums by several threads may differ in their last digits, which can decide on a pair."""
    import scipy.linalg  # noqa: F401  its BLAS is limited only if it is loaded
    from threadpoolctl import threadpool_limits

    with _searching, threadpool_limits(1, user_api="blas"):
        yield


def _linked(pictures: Bytes, emit: Emit, stop: Stop) -> list[list[int]]:
    """Rows that show the same, two or more each."""
    first, second = candidate_pairs(pictures, emit=emit, stop=stop)

    def lay(part: slice) -> tuple[Pairs, Floats]:
        return place(pictures, first[part], second[part])

    placed = [*_in_parts(len(first), lay, _STAGES[0], emit, stop)]
    pairs = _closest(placed, len(pictures))

    def compare(part: slice) -> list[tuple[int, int]]:
        matches = match(pictures, pairs[part])
        accepted = matches.are_copies
        return list(zip(matches.first[accepted].tolist(), matches.second[accepted].tolist(), strict=True))

    links = _in_parts(len(pairs.first), compare, _STAGES[1], emit, stop)
    return _components([link for found in links for link in found], len(pictures))


def _closest(placed: Sequence[tuple[Pairs, Floats]], n: int) -> Pairs:
    """Those of the pairs that are among the closest of one of their images, of n: detail takes the most time."""
    if not placed:
        return Pairs(np.empty(0, np.intp), np.empty(0, np.intp), np.empty((0, 4), np.float32))
    parts, scores = zip(*placed, strict=True)
    pairs = Pairs(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("first", "second", "pose")))
    score = np.concatenate(scores)
    image = np.concatenate((pairs.first, pairs.second % n))
    order = np.lexsort((-np.tile(score, 2), image))
    begins = np.searchsorted(image[order], image[order])
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - begins
    return pairs[rank.reshape(2, -1).min(axis=0) < _N_CLOSEST]


def _in_parts(n: int, do: Callable[[slice], T], doing: str, emit: Emit, stop: Stop) -> Iterator[T]:
    """What comes of n pairs, some at once on each core."""
    tell = telling(emit, doing, "pairs")
    starts = range(0, n, AT_ONCE)
    with ThreadPoolExecutor(n_cores()) as pool:
        try:
            for start, done in zip(starts, pool.map(lambda at: do(slice(at, at + AT_ONCE)), starts), strict=True):
                yield done
                stop.check()
                tell(min(start + AT_ONCE, n), n)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _components(links: Sequence[tuple[int, int]], n: int) -> list[list[int]]:
    """Rows out of n that links connect, two or more each."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not links:
        return []
    first, second = np.array(links).T
    component = connected_components(coo_array((np.ones(len(links)), (first, second)), shape=(n, n)), directed=False)[1]
    members: dict[int, list[int]] = defaultdict(list)
    for row in np.unique(links).tolist():
        members[int(component[row])].append(row)
    return sorted(members.values())


def _pictures(
    dataset: Dataset, positions: Sequence[int], seen: SeenWhileScanning, emit: Emit, stop: Stop
) -> dict[int, Bytes | None]:
    """A small picture of each image; None where it is the same everywhere, or cannot be read any more."""

    def read(position: int) -> None:
        with suppress(UnreadableImage, MemoryError):
            seen(position, dataset.records[position].read())

    missing = [i for i in positions if i not in seen.pictures]
    tell = telling(emit, "reading images for near-duplicates", "images")
    with ThreadPoolExecutor(n_cores()) as pool:
        for start in range(0, len(missing), AT_ONCE):
            stop.check()
            part = missing[start : start + AT_ONCE]
            for _ in pool.map(read, part):
                pass
            tell(start + len(part), len(missing))
    return {i: seen.pictures.get(i) for i in positions}


def _key(scan: Scan) -> str:
    """What tells images of the same pixels apart from all others, in whatever order and number.

    Other processors compute other last digits, and a cache may be shared by several computers.
    """
    hashes = sorted({fact.pixel_hash for fact in scan.facts if isinstance(fact, ImageFacts)})
    searched = f"{_VERSION} {np.__version__} {processor_name()} {' '.join(hashes)}"
    return hashlib.blake2b(searched.encode(), digest_size=16).hexdigest()


def _hash_of(scan: Scan, position: int) -> str:
    fact = scan.facts[position]
    assert isinstance(fact, ImageFacts)  # only images that were read have pictures
    return fact.pixel_hash


def _clusters(scan: Scan, hashes: Sequence[Sequence[str]]) -> Clusters:
    """The positions of all images with these pixels."""
    positions: dict[str, list[int]] = defaultdict(list)
    for i, fact in enumerate(scan.facts):
        if isinstance(fact, ImageFacts):
            positions[fact.pixel_hash].append(i)
    return tuple(tuple(sorted(i for pixels in cluster for i in positions[pixels])) for cluster in hashes)
