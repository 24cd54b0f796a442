"""Near-duplicates: images that show the same though their pixels differ, being saved again, resized, turned or cropped.

What is found depends on the pixels of the images alone: not on their order or names, on the cache, or on the number of
threads, since a split depends on it.

What these numbers do under such changes differs between cells and chromosomes, so it is learnt from the pictures at
hand: some are turned, shifted, scaled and overexposed at random, and numbers that this changes count less.
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

from coverslip.audit.alignment import AT_ONCE, Pairs, match, place
from coverslip.audit.image_quality import image_quality, memory_for_checks
from coverslip.audit.small_pictures import describe, disc, floats_of, small_picture, warp
from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.datasets import Dataset, ImageQuality, Inspection, Scan
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, ignore, telling
from coverslip.images import ImageFacts, Pixels
from coverslip.machine import n_cores, processor_name
from coverslip.stopping import BY_SIGNAL, Stop

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.intp]

_N_CHANGED = 400  # pictures, some several times where there are fewer; 200 lose copies, 800 find no more
_MOST_SHIFTED = 0.1  # of the side, by moving and by cropping
_BRIGHTEST = (1.0, 5.0)  # standard deviations from the mean, beyond which an image is saturated
_N_NUMBERS = 48
_N_NEIGHBOURS = 8
_CROPPED, _CROPPED_AT = 0.08, ((0, 0), (0.08, 0.08), (-0.08, -0.08))  # what crops lose changes the numbers most, so
_N_CROPPED = 4  # pictures are also looked for as if they were cropped, and so many neighbours of these compared
_FARTHEST = 2.5  # times the distance that 99 % of the changed pictures keep from what they were
_AT_ONCE = 1000  # pictures


def candidate_pairs(
    pictures: npt.NDArray[np.uint8], *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
) -> tuple[Ints, Ints]:
    """Which of (N, side, side) pictures to compare, two of them at least; found without comparing pixels.

    Returns:
        (n,) and (n,) rows: pairs that may be copies, each once.
    """
    n = len(pictures)
    if n <= _N_NEIGHBOURS + 1:  # so few are all compared with one another
        return np.triu_indices(n, 1)
    step = _steps(n, 2 * (1 + len(_CROPPED_AT)), emit, stop)
    numbers = _described(pictures, step)
    weights, farthest = _learn(pictures, numbers)
    embedded = (numbers @ weights).astype(np.float32)
    neighbors = [_near(embedded, embedded, _N_NEIGHBOURS, farthest, step)]
    for x, y in _CROPPED_AT:
        cropped = _described(pictures, step, np.array(((1 - _CROPPED, 0, x, y),), np.float32))
        neighbors.append(_near((cropped @ weights).astype(np.float32), embedded, _N_CROPPED, farthest, step))
    return _each_once(
        np.concatenate([rows for rows, _ in neighbors]), np.concatenate([rows for _, rows in neighbors]), n
    )


def _steps(n: int, n_passes: int, emit: Emit, stop: Stop) -> Callable[[], None]:
    """What is called after each block of pictures, in so many passes through all of them."""
    report_progress, total, done = (
        telling(emit, "near-duplicates 1 of 3: finding candidates", "images"),
        -(-n // _AT_ONCE),
        0,
    )

    def step() -> None:
        nonlocal done
        stop.check()
        done += 1
        report_progress(n * done // (total * n_passes), n)

    return step


def _described(pictures: npt.NDArray[np.uint8], step: Callable[[], None], pose: Floats | None = None) -> Floats:
    """(N, D) numbers of the pictures, as they are or all in one pose."""
    numbers = []
    for start in range(0, len(pictures), _AT_ONCE):
        block = floats_of(pictures[start : start + _AT_ONCE])
        numbers.append(describe(block if pose is None else _posed(block, pose)))
        step()
    return np.concatenate(numbers)


def _near(queries: Floats, embedded: Floats, n: int, farthest: float, step: Callable[[], None]) -> tuple[Ints, Ints]:
    """Rows of `queries`, and of the places that are among the n nearest to it, itself not, and not too far."""
    squares = np.einsum("nd,nd->n", embedded, embedded)
    rows, columns = [], []
    for start in range(0, len(queries), _AT_ONCE):
        block = queries[start : start + _AT_ONCE]
        distance = squares - 2 * (block @ embedded.T)
        distance += np.einsum("nd,nd->n", block, block)[:, None]
        row_in_block = np.arange(len(block))
        distance[row_in_block, row_in_block + start] = np.inf
        nearest = np.argpartition(distance, n - 1, axis=1)[:, :n]
        row, column = np.nonzero(np.take_along_axis(distance, nearest, axis=1) <= farthest)
        rows.append(row + start)
        columns.append(nearest[row, column])
        step()
    return np.concatenate(rows), np.concatenate(columns)


def _each_once(first: Ints, second: Ints, n: int) -> tuple[Ints, Ints]:
    pair = np.unique(np.minimum(first, second) * n + np.maximum(first, second))
    return pair // n, pair % n


def _learn(pictures: npt.NDArray[np.uint8], numbers: Floats) -> tuple[Floats, float]:
    """(D, d) weights that make what changed pictures differ by small, and the square of the farthest distance."""
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
    """Each turned at random, shifted, scaled, and overexposed; what describes them does not know of mirroring."""
    n = len(pictures)
    angle, scale = generator.uniform(0, 2 * np.pi, n), generator.uniform(1 - _MOST_SHIFTED, 1 + _MOST_SHIFTED, n)
    shift = generator.uniform(-_MOST_SHIFTED, _MOST_SHIFTED, (2, n))
    pose = np.stack((scale * np.cos(angle), scale * np.sin(angle), *shift), axis=1).astype(np.float32)
    brightest = generator.uniform(*_BRIGHTEST, (n, 1, 1)).astype(np.float32)
    return np.minimum(_posed(pictures, pose), brightest)


def _posed(pictures: Floats, pose: Floats) -> Floats:
    """Each in its pose, or all in one; of the same contrast as before."""
    n, side = len(pictures), pictures.shape[1]
    posed = warp(pictures.reshape(n, -1), np.arange(n), np.broadcast_to(pose, (n, 4)), side)[0]
    inner = disc(side)
    posed -= posed[:, inner].mean(axis=1, keepdims=True)
    posed /= np.maximum(posed[:, inner].std(axis=1, keepdims=True), 1e-3)
    return posed.reshape(pictures.shape)


NEAR_DUPLICATES = register(Kind("near-duplicates", "which images of a dataset show the same", RECORDS))

_VERSION = 10  # goes up when the same images would give other clusters
_FEWEST = 2  # images
_N_CLOSEST = 4  # pairs of an image that are compared in detail
_STAGES = "near-duplicates 2 of 3: aligning pairs", "near-duplicates 3 of 3: comparing pairs"

Clusters = tuple[tuple[int, ...], ...]
Bytes = npt.NDArray[np.uint8]
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
        stored = store.find([_key(scan)]).get(_key(scan))
    return scan if stored is None else replace(scan, near_duplicates=_clusters(scan, json.loads(stored)))


def with_near_duplicates(
    dataset: Dataset,
    scan: Scan,
    collector: SeenWhileScanning | None = None,
    *,
    emit: Emit = ignore,
    stop: Stop = BY_SIGNAL,
) -> Scan:
    """The scan with the clusters of images that show the same, found now or read from the cache.

    Found are images saved anew, resized, blurred, brightened, mirrored, turned by any angle, and shifted or cropped by
    up to a tenth. Neighbouring frames of a film may be found, and may not.

    Args:
        dataset, scan: the images.
        collector: small pictures of some of them; others are decoded again, and added to it.
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
    pictures = _pictures(dataset, positions, collector or SeenWhileScanning(with_quality=False), emit, stop)
    with_picture = [i for i in positions if pictures.get(i) is not None]
    linked = []
    if len(with_picture) >= _FEWEST:
        with _one_blas_thread():
            linked = _linked(
                np.stack([picture for i in with_picture if (picture := pictures[i]) is not None]), emit, stop
            )
    hashes = [[_hash_of(scan, with_picture[row]) for row in rows] for rows in linked]
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

    aligned = [*_in_parts(len(first), lay, _STAGES[0], emit, stop)]
    pairs = _closest(aligned, len(pictures))

    def compare(part: slice) -> list[tuple[int, int]]:
        matches = match(pictures, pairs[part])
        accepted = matches.are_copies
        return list(zip(matches.first[accepted].tolist(), matches.second[accepted].tolist(), strict=True))

    links = _in_parts(len(pairs.first), compare, _STAGES[1], emit, stop)
    return _components([link for links_of_part in links for link in links_of_part], len(pictures))


def _closest(aligned: Sequence[tuple[Pairs, Floats]], n: int) -> Pairs:
    """Those of the pairs that are among the closest of one of their images, of n: detail takes the most time."""
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


def _in_parts(n: int, do: Callable[[slice], T], doing: str, emit: Emit, stop: Stop) -> Iterator[T]:
    """What comes of n pairs, some at once on each core."""
    report_progress = telling(emit, doing, "pairs")
    starts = range(0, n, AT_ONCE)
    with ThreadPoolExecutor(n_cores()) as pool:
        try:
            for start, done in zip(starts, pool.map(lambda at: do(slice(at, at + AT_ONCE)), starts), strict=True):
                yield done
                stop.check()
                report_progress(min(start + AT_ONCE, n), n)
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
    dataset: Dataset, positions: Sequence[int], collected: SeenWhileScanning, emit: Emit, stop: Stop
) -> dict[int, Bytes | None]:
    """A small picture of each image; None where it is the same everywhere, or cannot be read any more."""

    def read(position: int) -> None:
        with suppress(UnreadableImage, MemoryError):
            collected(position, dataset.records[position].read())

    missing = [i for i in positions if i not in collected.pictures]
    report_progress = telling(emit, "reading images for near-duplicates", "images")
    with ThreadPoolExecutor(n_cores()) as pool:
        for start in range(0, len(missing), AT_ONCE):
            stop.check()
            batch = missing[start : start + AT_ONCE]
            for _ in pool.map(read, batch):
                pass
            report_progress(start + len(batch), len(missing))
    return {i: collected.pictures.get(i) for i in positions}


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
