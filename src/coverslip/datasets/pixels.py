"""Preprocessed pixels of a dataset: decoded for one pass, or cached on disk for many passes in any order."""

import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import overload

import numpy as np
import numpy.typing as npt
import PIL

from coverslip.cache.arrays import ArrayStore
from coverslip.cache.stores import Kind, limit_bytes, list_stores, unusable_note
from coverslip.datasets.index.records import Dataset, ImageRecord
from coverslip.datasets.quality.scanning import Scan, Unreadable, by_field
from coverslip.errors import CoverslipError, UnreadableImage
from coverslip.events import Emit, Noted, ignore, paced
from coverslip.images.decoding import Fields, read_preprocessed_image
from coverslip.images.preprocessing import (
    PixelFacts,
    PreprocessedImage,
    Preprocessing,
    Rescaling,
    key_in_order,
    pixel_hash,
    preprocess,
    preprocess_image,
    rescaled,
)
from coverslip.images.reader import PixelSize, box_center
from coverslip.images.reading import Pixels as DecodedImage
from coverslip.machine import n_cores
from coverslip.messages import CleanCache
from coverslip.stopping import BY_SIGNAL, Stop

Pixels = npt.NDArray[np.unsignedinteger]  # (n, S, S, C)

PREPROCESSED = Kind("pixels")
_N_AT_ONCE = 64
_AHEAD_PER_THREAD = 4
_FIELD_BYTES = 64 * 2**20  # of cached planes during a training, whose images are usually ordered by field


def read_preprocessed(
    records: Sequence[ImageRecord],
    preprocessing: Preprocessing,
    *,
    hashes: Sequence[str] | None = None,
    is_hashed: bool = False,
    fields: Fields | None = None,
    n_threads: int | None = None,
    n_ahead: int | None = None,
    rescaling: Rescaling | None = None,
    before_each: Callable[[int], None] | None = None,
) -> Iterator[PreprocessedImage | UnreadableImage]:
    """Yield the image of every record in order, or the error, decoded ahead on several cores.

    Memory does not grow with the number of images.

    Args:
        records: the images.
        preprocessing: how they are preprocessed.
        hashes: expected hashes of their pixels, if results are stored by hash. An image with other pixels is an error.
        is_hashed: whether to compute hashes, to search for duplicates.
        fields: cache of planes with several boxes; None caches them for this pass.
        n_threads: images decoded at the same time; None takes the number of processor cores.
        n_ahead: number of images that are decoded ahead; None: a few.
        rescaling: resamples images of known pixel size. Squares around points then cover the same
            area as those of the training images.
        before_each: called with the position of each image before it is read, in the reading threads.
    """
    n_threads, fields = n_threads or n_cores(), fields or Fields()
    n_ahead = max(_AHEAD_PER_THREAD * n_threads, n_ahead or 0)
    in_flight: deque[Future[PreprocessedImage | UnreadableImage]] = deque()
    expected: Sequence[str | None] = hashes or [None] * len(records)
    ahead = zip(records, expected, strict=True)
    read = partial(_read_one, preprocessing=preprocessing, is_hashed=is_hashed, fields=fields, rescaling=rescaling)
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="preprocess")

    def read_next(i: int, record: ImageRecord, expected_hash: str | None) -> PreprocessedImage | UnreadableImage:
        if before_each is not None:
            before_each(i)
        return read(record, expected_hash)

    try:
        for i, (record, expected_hash) in enumerate(ahead):
            in_flight.append(pool.submit(read_next, i, record, expected_hash))
            if len(in_flight) >= n_ahead:
                yield in_flight.popleft().result()
        while in_flight:
            yield in_flight.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # images in flight are no longer needed


def _read_one(
    record: ImageRecord,
    expected_hash: str | None,
    *,
    preprocessing: Preprocessing,
    is_hashed: bool,
    fields: Fields,
    rescaling: Rescaling | None,
) -> PreprocessedImage | UnreadableImage:
    is_hashed = is_hashed or expected_hash is not None
    try:
        if record.in_memory is None and record.plan.region is None and rescaling is None:
            image = read_preprocessed_image(record.path, record.plan, preprocessing, is_hashed=is_hashed)
        else:
            image = _separate_image(record, preprocessing, is_hashed, fields, rescaling)
        if expected_hash is not None and image.pixel_hash != expected_hash:
            return UnreadableImage("image-changed", file=record.path, remedies=(CleanCache("facts"),))
        return image
    except UnreadableImage as error:
        return error if error.file else UnreadableImage.of(replace(error.failure, file=str(record.path)))
    except MemoryError:
        return UnreadableImage("no-memory-for-image", file=record.path)


def _separate_image(
    record: ImageRecord,
    preprocessing: Preprocessing,
    is_hashed: bool,
    fields: Fields,
    rescaling: Rescaling | None,
) -> PreprocessedImage:
    """Return an image in memory, one of several boxes, or one that is rescaled."""
    pixels = record.read(fields)
    array, digest = pixels.array, pixel_hash(pixels) if is_hashed else None
    size = array.shape[1], array.shape[0]
    if rescaling is not None and pixels.pixel_size_um is not None:
        array, size = _rescaled(record, array, pixels.pixel_size_um, rescaling, fields)
    is_rescaled = array is not pixels.array
    image = preprocess_image(replace(pixels, array=array), preprocessing, is_hashed=False)
    width, height = size
    return replace(image, width_px=width, height_px=height, pixel_hash=digest, is_rescaled=is_rescaled)


def _rescaled(
    record: ImageRecord, array: np.ndarray, pixel_size_um: PixelSize, rescaling: Rescaling, fields: Fields
) -> tuple[np.ndarray, tuple[int, int]]:
    """Return the pixels of an image in the pixel size of a classifier, and their width and height without a frame."""
    size, region = (array.shape[1], array.shape[0]), record.plan.region
    if record.plan.has_physical_size:
        return array, size
    if region is None or ("point" not in record.stated and record.plan.crop_size is None):
        new_size = rescaling.size_of(size, pixel_size_um)
        return rescaled(record.path, array, new_size, rescaling.frame), new_size
    x, y = box_center(region)
    width, height = rescaling.source_size_of(size, pixel_size_um)
    if (width, height) == size:
        return array, size
    around = record.plan.model_copy(
        update={"region": (x - width // 2, y - height // 2, width, height), "crop_size": None}
    )
    return rescaled(record.path, replace(record, plan=around).read(fields).array, size), size


@dataclass(frozen=True, slots=True)
class PixelKeys(Sequence[str]):
    """Hashes by which preprocessed images and their features are stored, which take no memory.

    They are hashes of the pixels, except where channels are reordered: images with equal hashes can then differ.
    """

    dataset: Dataset
    scan: Scan
    positions: Sequence[int]  # of readable images
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, k: int) -> str: ...

    @overload
    def __getitem__(self, k: slice) -> list[str]: ...

    def __getitem__(self, k: int | slice) -> str | list[str]:
        if isinstance(k, slice):
            return [self._key(i) for i in self.positions[k]]
        return self._key(self.positions[k])

    def _key(self, position: int) -> str:
        are_chosen = self.dataset.records[position].plan.channels is not None
        return key_in_order(_facts(self.scan, position), self.preprocessing.channel_names, are_chosen=are_chosen)


class DecodedPixels:
    """Preprocessed pixels by position in a dataset, decoded at each request: for one pass over the images."""

    def __init__(self, dataset: Dataset, scan: Scan, preprocessing: Preprocessing) -> None:
        self._dataset, self._scan, self._preprocessing = dataset, scan, preprocessing
        self._fields = Fields(max_bytes=_FIELD_BYTES)

    def __enter__(self) -> "DecodedPixels":
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: unlike a `PixelCache`, this holds no files."""

    def __call__(self, positions: Sequence[int]) -> Pixels:
        """Return (n, S, S, C) uint8 or uint16 pixels of the images at these positions.

        Raises:
            UnreadableImage: an image changed since it was scanned.
        """
        pixels = []
        records, hashes = (
            [self._dataset.records[i] for i in positions],
            [_facts(self._scan, i).pixel_hash for i in positions],
        )
        for image in read_preprocessed(records, self._preprocessing, hashes=hashes, fields=self._fields):
            if isinstance(image, UnreadableImage):
                raise image
            pixels.append(image.pixels)
        return np.stack(pixels)


class PixelCache:
    """Preprocessed pixels by position in a dataset, stored on disk by content: each stored image is decoded once."""

    def __init__(
        self,
        dataset: Dataset,
        scan: Scan,
        positions: Sequence[int],
        preprocessing: Preprocessing,
        *,
        emit: Emit = ignore,
        stop: Stop = BY_SIGNAL,
    ) -> None:
        """Decode the images at these positions that are not stored yet.

        Args:
            dataset, scan: the images and their content.
            positions: of images that are decoded now; others are decoded at the first request. All must be readable.
            preprocessing: how they are preprocessed.
            emit: receives progress.
            stop: checked whenever progress is emitted.

        Raises:
            Stopped: on request; decoded images stay stored.
            UnreadableImage: an image changed since it was scanned.
            CoverslipError: the disk is full.
        """
        self._dataset, self._scan, self._preprocessing, self._stop = dataset, scan, preprocessing, stop
        self._fields = Fields(max_bytes=_FIELD_BYTES)
        self._keys = PixelKeys(dataset, scan, range(len(dataset)), preprocessing)
        self._store_positions: dict[int, int] = {}
        self._lock = threading.Lock()
        self._store = _open_store(preprocessing, lambda error: emit(Noted.of(unusable_note(error))))
        try:
            self._fill(positions, Fields(), emit)
        except BaseException:
            self._store.close()  # the caller has no cache to close yet
            raise

    def __call__(self, positions: Sequence[int]) -> Pixels:
        """Return (n, S, S, C) uint8 or uint16 pixels of the images at these positions.

        Raises:
            Stopped, UnreadableImage, CoverslipError: as of the constructor.
        """
        with self._lock:
            self._fill([int(i) for i in positions], self._fields, ignore)
        return self._store.read([self._store_positions[int(i)] for i in positions])

    def images(self, positions: Sequence[int]) -> Iterator[PreprocessedImage | UnreadableImage]:
        """Yield the image at each position, or the error. Images that are not stored are decoded, but not stored.

        Images that the training did not decode itself are decoded, too: test images are those in the files now.
        """
        is_decoded = self._scan.is_decoded
        for start in range(0, len(positions), _N_AT_ONCE):
            block = positions[start : start + _N_AT_ONCE]
            facts = self._scan.readable(block)
            places = self._store.positions([self._keys[i] for i in block])
            places[[not (is_decoded and is_decoded[i]) for i in block]] = -1
            stored = iter(self._store.read(places[places >= 0]))
            missing = [self._dataset.records[i] for i, place in zip(block, places, strict=True) if place < 0]
            decoded = read_preprocessed(missing, self._preprocessing, fields=self._fields)
            for fact, place in zip(facts, places, strict=True):
                yield _without_names(next(decoded)) if place < 0 else _with_pixels(fact, next(stored))

    def __enter__(self) -> "PixelCache":
        return self

    def __exit__(self, *error: object) -> None:
        self._store.close()

    def _fill(self, positions: Sequence[int], fields: Fields, emit: Emit) -> None:
        """Store the pixels of the images at these positions that are not stored yet."""
        unknown = [i for i in positions if i not in self._store_positions]
        if not unknown:
            return
        keys = [self._keys[i] for i in unknown]
        places = self._store.positions(keys)
        missing = {key: i for key, i, place in zip(keys, unknown, places, strict=True) if place < 0}
        if missing:
            self._decode(by_field(self._dataset.records, list(missing.values())), fields, emit)
            places = self._store.positions(keys)
        self._store_positions.update(zip(unknown, places.tolist(), strict=True))

    def _decode(self, missing: Sequence[int], fields: Fields, emit: Emit) -> None:
        started = time.monotonic()
        batch: list[Pixels] = []
        records, digests = (
            [self._dataset.records[i] for i in missing],
            [_facts(self._scan, i).pixel_hash for i in missing],
        )
        images = read_preprocessed(records, self._preprocessing, hashes=digests, fields=fields)
        for done, image in enumerate(images, start=1):
            if isinstance(image, UnreadableImage):
                raise image
            batch.append(image.pixels)
            if len(batch) == _N_AT_ONCE or done == len(missing):
                first = done - len(batch)
                self._store.add([self._keys[i] for i in missing[first:done]], np.stack(batch))
                batch.clear()
                self._stop.check()
                seconds = time.monotonic() - started
                emit(paced(stage="preprocessing-images", done=done, total=len(missing), n=done, seconds=seconds))


def _with_pixels(facts: PixelFacts, pixels: np.ndarray) -> PreprocessedImage:
    size, kind = (facts.width_px, facts.height_px), (facts.n_channels, facts.dtype)
    return PreprocessedImage(pixels, *size, *kind, facts.note, facts.pixel_hash, facts.pixel_size_um)


def _without_names(image: PreprocessedImage | UnreadableImage) -> PreprocessedImage | UnreadableImage:
    """Return an image as if it were stored: names of channels in own images of a training are no difference from it."""
    return image if isinstance(image, UnreadableImage) else replace(image, channel_names=(), is_reordered=False)


def fits_cache(n_images: int, preprocessing: Preprocessing) -> bool:
    """Return whether the pixels of this number of images take at most half of the cache, so that they stay in it."""
    n_bytes = preprocessing.image_size**2 * preprocessing.channels * np.dtype(preprocessing.depth).itemsize
    return 2 * n_images * n_bytes <= limit_bytes(held=sum(store.n_bytes for store in list_stores()))


class PixelWriter:
    """Stores preprocessed pixels of the images that a scan decodes (`on_pixels`), for a `PixelCache`.

    Nothing is stored if the pixels of all these images do not fit into the cache, or cannot be written: images are then
    decoded again when they are needed.

    Args:
        is_used: whether the image at each position will be needed.
        preprocessing_of: returns the preprocessing of an image; None if it depends on facts of other images.
    """

    def __init__(self, is_used: Sequence[int], preprocessing_of: Callable[[PixelFacts], Preprocessing | None]) -> None:
        self._is_used, self._preprocessing_of = is_used, preprocessing_of
        self._lock = threading.Lock()
        self.is_decoded = bytearray(len(is_used))  # of each image
        self._batches: dict[int, _Batch] = {}  # by number of channels, on which the preprocessing depends
        self._is_closed = False

    def __call__(self, position: int, image: DecodedImage, facts: PixelFacts) -> None:
        """Preprocess the image, and store it together with the next ones."""
        preprocessing = self._preprocessing_of(facts) if self._is_used[position] else None
        if preprocessing is None or self._is_closed:
            return
        try:
            pixels = preprocess(image.array, preprocessing)
        except MemoryError:
            return
        self.is_decoded[position] = True
        with self._lock:
            batch = self._batches.get(facts.n_channels)
            if batch is None:
                fits = fits_cache(sum(self._is_used), preprocessing)
                batch = self._batches[facts.n_channels] = _Batch(preprocessing, fits)
            if batch.fits and not self._is_closed:
                batch.pixels[facts.pixel_hash] = pixels
                if len(batch.pixels) == _N_AT_ONCE:
                    self._write(batch)

    def __enter__(self) -> "PixelWriter":
        return self

    def __exit__(self, *error: object) -> None:
        """Store the last images. Images that threads of an interrupted scan still decode are ignored."""
        with self._lock:
            for batch in self._batches.values():
                if not self._is_closed:
                    self._write(batch)
                if batch.store is not None:
                    batch.store.close()
            self._is_closed = True

    def _write(self, batch: "_Batch") -> None:
        try:
            batch.store = batch.store or _open_store(batch.preprocessing, self._note_failure)
            places = batch.store.positions(list(batch.pixels))
            missing = [digest for digest, place in zip(batch.pixels, places, strict=True) if place < 0]
            if missing:
                batch.store.add(missing, np.stack([batch.pixels[digest] for digest in missing]))
        except CoverslipError:  # a training that cannot do without the cache reports it
            self._is_closed = True
        batch.pixels.clear()

    def _note_failure(self, error: OSError | sqlite3.Error) -> None:
        self._is_closed = True  # a temporary folder replaces the cache, and is removed with the store


@dataclass(slots=True)
class _Batch:
    """Pixels that are not stored yet, by hash, and their store, which is opened to add the first ones."""

    preprocessing: Preprocessing
    fits: bool  # whether the pixels of all images fit into the cache
    pixels: dict[str, Pixels] = field(default_factory=dict)
    store: ArrayStore | None = None


def _open_store(preprocessing: Preprocessing, on_failure: Callable[[OSError | sqlite3.Error], None]) -> ArrayStore:
    shape = (preprocessing.image_size, preprocessing.image_size, preprocessing.channels)
    made_by = {"preprocessing": preprocessing.model_dump(mode="json"), "pillow": PIL.__version__}
    return ArrayStore(PREPROCESSED, made_by, shape, preprocessing.depth, on_failure)


def _facts(scan: Scan, position: int) -> PixelFacts:
    facts = scan.facts[position]
    if isinstance(facts, Unreadable):
        raise ValueError(f"image {position} could not be read: {facts.reason}")
    return facts
