"""Images that show the same though their pixels differ: saved anew, resized, turned, mirrored, cropped."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.audit.copies.aligning import Pairs
from coverslip.audit.copies.matching import AT_ONCE, match, place
from coverslip.audit.copies.searching import candidate_pairs
from coverslip.audit.copies.small_pictures import small_picture
from coverslip.audit.image_quality import image_quality
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.datasets import Dataset, ImageQuality, Scan
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, ignore, telling
from coverslip.images import ImageFacts, Pixels
from coverslip.machine import n_cores
from coverslip.stopping import BY_SIGNAL, Stop

COPIES = register(Kind("copies", "which images of a dataset show the same", RECORDS))

_VERSION = 9  # goes up when the same images would give other copies
_FEWEST = 2  # images
_N_CLOSEST = 4  # pairs of an image that are compared in detail

Clusters = tuple[tuple[int, ...], ...]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
T = TypeVar("T")


class SeenWhileScanning:
    """What is taken of images while they are decoded, so that they need not be decoded again: a scan's `on_pixels`."""

    def __init__(self) -> None:
        self.pictures: dict[int, Bytes | None] = {}  # small ones
        self.quality: dict[int, ImageQuality] = {}

    def __call__(self, position: int, pixels: Pixels) -> None:
        self.pictures[position] = small_picture(pixels.array)
        self.quality[position] = image_quality(pixels.array)


def with_known_copies(scan: Scan) -> Scan:
    """The scan with the copies that were found among equal pixels before, whatever the files were called then."""
    with RecordStore(COPIES, "images") as store:
        kept = store.find([_key(scan)]).get(_key(scan))
    return scan if kept is None else replace(scan, copies=_clusters(scan, json.loads(kept)))


def with_copies(
    dataset: Dataset, scan: Scan, seen: SeenWhileScanning | None = None, *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
) -> Scan:
    """The scan with the clusters of images that show the same; what was found is remembered for these pixels.

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
    known = with_known_copies(scan)
    if known.copies is not None:
        return known
    first_of = {fact.pixel_hash: i for i, fact in reversed([*enumerate(scan.facts)]) if isinstance(fact, ImageFacts)}
    positions = sorted(first_of.values())
    pictures = _pictures(dataset, positions, seen or SeenWhileScanning(), emit, stop)
    shown = [i for i in positions if pictures.get(i) is not None]
    linked = (
        _linked(np.stack([picture for i in shown if (picture := pictures[i]) is not None]), emit, stop)
        if (len(shown) >= _FEWEST)
        else []
    )
    hashes = [[_hash_of(scan, shown[row]) for row in rows] for rows in linked]
    with RecordStore(COPIES, "images") as store:
        store.keep({_key(scan): json.dumps(hashes).encode()})
    return replace(scan, copies=_clusters(scan, hashes))


def _linked(pictures: Bytes, emit: Emit, stop: Stop) -> list[list[int]]:
    """Rows that show the same, two or more each."""
    first, second = candidate_pairs(pictures, emit=emit, stop=stop)

    def lay(part: slice) -> tuple[Pairs, Floats]:
        return place(pictures, first[part], second[part])

    placed = [*_in_parts(len(first), lay, "comparing pairs of images coarsely", emit, stop)]
    pairs = _closest(placed, len(pictures))

    def compare(part: slice) -> list[tuple[int, int]]:
        matches = match(pictures, pairs[part])
        accepted = matches.are_copies
        return list(zip(matches.first[accepted].tolist(), matches.second[accepted].tolist(), strict=True))

    links = _in_parts(len(pairs.first), compare, "comparing pairs of images in detail", emit, stop)
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
    tell = telling(emit, "reading images for copies", "images")
    with ThreadPoolExecutor(n_cores()) as pool:
        for start in range(0, len(missing), AT_ONCE):
            stop.check()
            part = missing[start : start + AT_ONCE]
            for _ in pool.map(read, part):
                pass
            tell(start + len(part), len(missing))
    return {i: seen.pictures.get(i) for i in positions}


def _key(scan: Scan) -> str:
    """What tells images of the same pixels apart from all others, in whatever order and number."""
    hashes = sorted({fact.pixel_hash for fact in scan.facts if isinstance(fact, ImageFacts)})
    return hashlib.blake2b(f"{_VERSION} {' '.join(hashes)}".encode(), digest_size=16).hexdigest()


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
