"""Near-duplicates: images that were compressed, resized, rotated or cropped, so that their pixels differ.

The result depends only on the pixels of the images, not on their order or names, the cache, or the number of threads,
since the split depends on it.

The effect of such changes on descriptors differs between, for example, cells and chromosomes. Therefore the weights of
descriptors are learned: a sample of pictures is rotated, shifted, scaled and overexposed at random, and descriptors
that change have small weights.
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

from coverslip.audit.alignment import AT_ONCE, Pairs, align_coarsely, compare
from coverslip.audit.small_pictures import SIDE, describe, disc, floats_of, small_picture, warp
from coverslip.cache.stores import Kind, RecordStore
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.inspecting import Inspection
from coverslip.datasets.quality.scanning import Scan
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, OnProgress, ignore, progress_reporter
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reading import Pixels
from coverslip.machine import n_cores, processor_name
from coverslip.messages import note
from coverslip.stopping import BY_SIGNAL, Stop

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_N_CHANGED = 400  # pictures, with repetition if there are fewer; with 200, duplicates are missed; 800 find no more
_MOST_SHIFTED = 0.1  # of the side, by moving and by cropping
_BRIGHTEST = (1.0, 5.0)  # standard deviations from the mean, beyond which an image is saturated
_N_NUMBERS = 48
_N_NEIGHBORS = 8
_CROPPED, _CROPPED_AT = 0.08, ((0, 0), (0.08, 0.08), (-0.08, -0.08))  # cropping changes descriptors most, so
_N_CROPPED = 4  # cropped pictures are searched for too, and this number of their neighbors is compared
_FARTHEST = 2.5  # times the distance within which 99% of changed pictures are from the original
_AT_ONCE = 1000  # pictures
_COMPARED_AT_ONCE = 100  # of them, with all others


def candidate_pairs(
    pictures: npt.NDArray[np.uint8], *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
) -> tuple[Ints, Ints]:
    """Return candidate pairs of (N, side, side) pictures by their descriptors; N is at least 2.

    Returns:
        (n,) and (n,) rows: distinct pairs that may be duplicates.
    """
    n = len(pictures)
    if n <= _N_NEIGHBORS + 1:  # all pairs of so few pictures
        return np.triu_indices(n, 1)
    step = _steps(n, 2 * (1 + len(_CROPPED_AT)), emit, stop)
    numbers = _descriptors(pictures, step)
    weights, farthest = _learn_weights(pictures, numbers)
    embedded = (numbers @ weights).astype(np.float32)
    neighbors = [_nearest_pairs(embedded, embedded, _N_NEIGHBORS, farthest, step)]
    for x, y in _CROPPED_AT:
        cropped = _descriptors(pictures, step, np.array(((1 - _CROPPED, 0, x, y),), np.float32))
        neighbors.append(_nearest_pairs((cropped @ weights).astype(np.float32), embedded, _N_CROPPED, farthest, step))
    return _distinct_pairs(
        np.concatenate([rows for rows, _ in neighbors]), np.concatenate([rows for _, rows in neighbors]), n
    )


def _steps(n: int, n_passes: int, emit: Emit, stop: Stop) -> Callable[[], None]:
    """Return a function to call after each block of pictures, in `n_passes` passes through all of them."""
    report_progress, total, done = (
        progress_reporter(emit, "finding-duplicate-candidates", "images"),
        -(-n // _AT_ONCE),
        0,
    )

    def step() -> None:
        nonlocal done
        stop.check()
        done += 1
        report_progress(n * done // (total * n_passes), n)

    return step


def _descriptors(pictures: npt.NDArray[np.uint8], step: Callable[[], None], pose: Floats | None = None) -> Floats:
    """Return (N, D) descriptors of the pictures, unchanged or all in one pose."""
    numbers = []
    for start in range(0, len(pictures), _AT_ONCE):
        block = floats_of(pictures[start : start + _AT_ONCE])
        numbers.append(describe(block if pose is None else _posed(block, pose)))
        step()
    return np.concatenate(numbers)


def _nearest_pairs(
    queries: Floats, embedded: Floats, n: int, farthest: float, step: Callable[[], None]
) -> tuple[Ints, Ints]:
    """Return rows of `queries`, and rows of their n nearest other pictures in `embedded` within a distance."""
    squares = np.einsum("nd,nd->n", embedded, embedded)
    rows, columns = [], []
    for start in range(0, len(queries), _COMPARED_AT_ONCE):
        block = queries[start : start + _COMPARED_AT_ONCE]
        distance = block @ embedded.T
        distance *= -2
        distance += squares
        distance += np.einsum("nd,nd->n", block, block)[:, None]
        row_in_block = np.arange(len(block))
        distance[row_in_block, row_in_block + start] = np.inf
        nearest = np.argpartition(distance, n - 1, axis=1)[:, :n]
        row, column = np.nonzero(np.take_along_axis(distance, nearest, axis=1) <= farthest)
        rows.append(row + start)
        columns.append(nearest[row, column])
        if start % _AT_ONCE == 0:
            step()
    return np.concatenate(rows), np.concatenate(columns)


def _distinct_pairs(first: Ints, second: Ints, n: int) -> tuple[Ints, Ints]:
    pair = np.unique(np.minimum(first, second) * n + np.maximum(first, second))
    return pair // n, pair % n


def _learn_weights(pictures: npt.NDArray[np.uint8], numbers: Floats) -> tuple[Floats, float]:
    """Return (D, d) weights that minimize distances between changed pictures, and the largest squared distance."""
    from scipy.linalg import eigh

    generator = np.random.default_rng(0)
    sampled = np.resize(generator.permutation(len(pictures)), _N_CHANGED)
    difference = describe(_changed(floats_of(pictures[sampled]), generator)) - numbers[sampled]
    within = (difference.T @ difference).astype(np.float64) / len(difference)
    within += (1e-3 * np.trace(within) / len(within) + 1e-9) * np.eye(len(within))
    weights = eigh(np.cov(numbers.T.astype(np.float64)), within)[1][:, ::-1][:, :_N_NUMBERS]
    distance = ((difference @ weights) ** 2).sum(axis=1)
    return weights.astype(np.float32), float(_FARTHEST * np.quantile(distance, 0.99))


def _changed(pictures: Floats, generator: np.random.Generator) -> Floats:
    """Return each picture rotated, shifted, scaled and overexposed at random; descriptors ignore mirroring."""
    n = len(pictures)
    angle, scale = generator.uniform(0, 2 * np.pi, n), generator.uniform(1 - _MOST_SHIFTED, 1 + _MOST_SHIFTED, n)
    shift = generator.uniform(-_MOST_SHIFTED, _MOST_SHIFTED, (2, n))
    pose = np.stack((scale * np.cos(angle), scale * np.sin(angle), *shift), axis=1).astype(np.float32)
    brightest = generator.uniform(*_BRIGHTEST, (n, 1, 1)).astype(np.float32)
    return np.minimum(_posed(pictures, pose), brightest)


def _posed(pictures: Floats, pose: Floats) -> Floats:
    """Return each picture in its pose, or all in one pose, with unchanged contrast."""
    n, side = len(pictures), pictures.shape[1]
    posed = warp(pictures.reshape(n, -1), np.arange(n), np.broadcast_to(pose, (n, 4)), side)[0]
    inner = disc(side)
    posed -= posed[:, inner].mean(axis=1, keepdims=True)
    posed /= np.maximum(posed[:, inner].std(axis=1, keepdims=True), 1e-3)
    return posed.reshape(pictures.shape)


NEAR_DUPLICATES = Kind("near-duplicates")

_VERSION = 10  # increases if equal images would give other clusters
_FEWEST = 2  # images
MOST_SEARCHED = 100_000  # images; the time increases with the square of the number, and memory with the number
_N_CLOSEST = 4  # pairs per image that are compared in detail

Clusters = tuple[tuple[int, ...], ...]
Bytes = npt.NDArray[np.uint8]
T = TypeVar("T")
_blas_lock = threading.Lock()  # one search at a time may set the number of BLAS threads of the process


class MemoryBudget:
    """A limit of concurrently used bytes; a larger request waits until no other memory is in use."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes, self._n_reserved = most_bytes, 0
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, n_bytes: int) -> Iterator[None]:
        with self._changed:
            self._changed.wait_for(lambda: not self._n_reserved or self._n_reserved + n_bytes <= self._most_bytes)
            self._n_reserved += n_bytes
        try:
            yield
        finally:
            with self._changed:
                self._n_reserved -= n_bytes
                self._changed.notify_all()


_BYTES_A_SAMPLE = 8  # of copies as floats
_memory_for_pictures = MemoryBudget(10**9)


class ScanCollector:
    """Collector of small pictures during a scan (`on_pixels`), to decode images only once.

    Args:
        n_images: number of images. Of too many images for a search, no small pictures are collected.
    """

    def __init__(self, n_images: int) -> None:
        self.pictures: dict[int, Bytes | None] = {}  # small pictures by position; None: the image is uniform
        self._with_pictures = n_images <= MOST_SEARCHED

    def __call__(self, position: int, pixels: Pixels, facts: PixelFacts | None = None) -> None:
        if self._with_pictures:
            with _memory_for_pictures.reserve(np.size(pixels.array) * _BYTES_A_SAMPLE):
                self.pictures[position] = small_picture(pixels.array)


def with_cached_near_duplicates(scan: Scan) -> Scan:
    """Return the scan with the cached clusters of an earlier search among equal pixels, if there are any."""
    if scan.n_different > MOST_SEARCHED:
        return scan
    with RecordStore(NEAR_DUPLICATES, "images") as store:
        stored = store.find([_pixels_key(scan)]).get(_pixels_key(scan))
    return scan if stored is None else replace(scan, near_duplicates=_clusters(scan, json.loads(stored)))


def with_near_duplicates(
    dataset: Dataset,
    scan: Scan,
    collector: ScanCollector | None = None,
    *,
    emit: Emit = ignore,
    stop: Stop = BY_SIGNAL,
) -> Scan:
    """Return the scan with clusters of near-duplicates, computed or read from the cache.

    These are images that were compressed, resized, blurred, brightened, mirrored, rotated by any angle, and shifted or
    cropped by up to a tenth. Consecutive frames of a movie may or may not be near-duplicates. Of more than
    `MOST_SEARCHED` different images, near-duplicates stay unknown, and a note is emitted.

    Args:
        dataset, scan: the images.
        collector: small pictures of some images. Other images are decoded again and added to it.
        emit: receives progress and notes.
        stop: checked between steps.

    Raises:
        Stopped: on request.
    """
    cached = with_cached_near_duplicates(scan)
    if cached.near_duplicates is not None:
        return cached
    if (n_different := scan.n_different) > MOST_SEARCHED:
        emit(Noted.of(note("too-many-for-near-duplicates", level="warning", n_images=n_different, most=MOST_SEARCHED)))
        return scan
    first_of = {fact.pixel_hash: i for i, fact in reversed([*enumerate(scan.facts)]) if isinstance(fact, PixelFacts)}
    positions = [first_of[pixels] for pixels in sorted(first_of)]
    collector = collector or ScanCollector(len(positions))
    _add_pictures(dataset, positions, collector, emit, stop)
    with_picture = [i for i in positions if collector.pictures.get(i) is not None]
    row_clusters = []
    if len(with_picture) >= _FEWEST:
        with _one_blas_thread():
            stacked = np.empty((len(with_picture), SIDE, SIDE), np.uint8)
            for row, i in enumerate(with_picture):
                stacked[row] = np.asarray(collector.pictures.pop(i))
            row_clusters = _find_clusters(stacked, emit, stop)
    hashes = [[_hash_of(scan, with_picture[row]) for row in rows] for rows in row_clusters]
    with RecordStore(NEAR_DUPLICATES, "images") as store:
        store.keep({_pixels_key(scan): json.dumps(hashes).encode()})
    return replace(scan, near_duplicates=_clusters(scan, hashes))


def with_recorded_near_duplicates(dataset: Dataset, scan: Scan, inspection: Inspection) -> Scan:
    """Return the scan with the clusters recorded at the start of a run, so that the split is the same."""
    if not inspection.are_copies_known:
        return scan
    position_of = {record.image_id: i for i, record in enumerate(dataset.records)}
    clusters = [cluster for finding in inspection.of("near-duplicates") for cluster in finding.images]
    return replace(
        scan, near_duplicates=tuple(tuple(position_of[image_id] for image_id in cluster) for cluster in clusters)
    )


@contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread, since sums by several threads differ in their last digits, which can change pairs."""
    import scipy.linalg  # noqa: F401  its BLAS is limited only if it is loaded
    from threadpoolctl import threadpool_limits

    with _blas_lock, threadpool_limits(1, user_api="blas"):
        yield


def _find_clusters(pictures: Bytes, emit: Emit, stop: Stop) -> list[list[int]]:
    """Return clusters of rows that are near-duplicates, at least two rows each."""
    first, second = candidate_pairs(pictures, emit=emit, stop=stop)

    def align_block(part: slice) -> tuple[Pairs, Floats]:
        return align_coarsely(pictures, first[part], second[part])

    aligned = [
        *_in_parts(len(first), align_block, progress_reporter(emit, "aligning-duplicate-candidates", "pairs"), stop)
    ]
    pairs = _closest(aligned, len(pictures))

    def compare_block(part: slice) -> list[tuple[int, int]]:
        matches = compare(pictures, pairs[part])
        accepted = matches.are_duplicates
        return list(zip(matches.first[accepted].tolist(), matches.second[accepted].tolist(), strict=True))

    links = _in_parts(
        len(pairs.first), compare_block, progress_reporter(emit, "comparing-duplicate-candidates", "pairs"), stop
    )
    return _components([link for links_of_part in links for link in links_of_part], len(pictures))


def _closest(aligned: Sequence[tuple[Pairs, Floats]], n: int) -> Pairs:
    """Return the pairs that are among the closest of one of their images, to limit detailed comparisons."""
    if not aligned:
        return Pairs(np.empty(0, np.intp), np.empty(0, np.intp), np.empty((0, 4), np.float32))
    pairs_of_parts, scores = zip(*aligned, strict=True)
    pairs = Pairs(
        *(np.concatenate([getattr(part, name) for part in pairs_of_parts]) for name in ("first", "second", "pose"))
    )
    score = np.concatenate(scores)
    image = np.concatenate((pairs.first, pairs.second % n))
    order = np.lexsort((-np.tile(score, 2), image))
    begins = np.searchsorted(image[order], image[order])
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order)) - begins
    return pairs[rank.reshape(2, -1).min(axis=0) < _N_CLOSEST]


def _in_parts(n: int, compute: Callable[[slice], T], report_progress: OnProgress, stop: Stop) -> Iterator[T]:
    """Yield the results for n pairs, computed in blocks on all cores."""
    starts = range(0, n, AT_ONCE)
    with ThreadPoolExecutor(n_cores()) as pool:
        try:
            for start, done in zip(starts, pool.map(lambda at: compute(slice(at, at + AT_ONCE)), starts), strict=True):
                yield done
                stop.check()
                report_progress(min(start + AT_ONCE, n), n)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _components(links: Sequence[tuple[int, int]], n: int) -> list[list[int]]:
    """Return clusters of connected rows out of n, at least two rows each."""
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


def _add_pictures(dataset: Dataset, positions: Sequence[int], collector: ScanCollector, emit: Emit, stop: Stop) -> None:
    """Decode the images that have no small picture yet."""

    def read(position: int) -> None:
        with suppress(UnreadableImage, MemoryError):
            collector(position, dataset.records[position].read())

    missing = [i for i in positions if i not in collector.pictures]
    report_progress = progress_reporter(emit, "reading-images-for-duplicates", "images")
    with ThreadPoolExecutor(n_cores()) as pool:
        for start in range(0, len(missing), AT_ONCE):
            stop.check()
            batch = missing[start : start + AT_ONCE]
            for _ in pool.map(read, batch):
                pass
            report_progress(start + len(batch), len(missing))


def _pixels_key(scan: Scan) -> str:
    """Return a key of these pixels, independent of the order and number of images.

    It contains the processor, since last digits differ between processors, and computers may share a cache.
    """
    hashes = sorted({fact.pixel_hash for fact in scan.facts if isinstance(fact, PixelFacts)})
    key = f"{_VERSION} {np.__version__} {processor_name()} {' '.join(hashes)}"
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def _hash_of(scan: Scan, position: int) -> str:
    fact = scan.facts[position]
    assert isinstance(fact, PixelFacts)  # only readable images have pictures
    return fact.pixel_hash


def _clusters(scan: Scan, hashes: Sequence[Sequence[str]]) -> Clusters:
    """Return the clusters of positions of all images with these pixel hashes."""
    positions: dict[str, list[int]] = defaultdict(list)
    for i, fact in enumerate(scan.facts):
        if isinstance(fact, PixelFacts):
            positions[fact.pixel_hash].append(i)
    return tuple(tuple(sorted(i for pixels in cluster for i in positions[pixels])) for cluster in hashes)
