"""Preprocessed pixels of a dataset: decoded for one pass, or cached on disk for many passes in any order."""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import PIL

from coverslip.cache import ARRAYS, ArrayStore, Kind, register, unusable_note
from coverslip.datasets.index import Dataset, ImageRecord
from coverslip.datasets.quality import Scan, Unreadable, by_field
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, Progressed, ignore
from coverslip.images import (
    Fields,
    PixelSize,
    PreprocessedImage,
    Preprocessing,
    Rescaling,
    box_center,
    pixel_hash,
    preprocess_image,
    read_preprocessed_image,
    rescaled,
)
from coverslip.machine import n_cores
from coverslip.messages import CleanCache
from coverslip.stopping import BY_SIGNAL, Stop

Pixels = npt.NDArray[np.unsignedinteger]  # (n, S, S, C)

PREPROCESSED = register(Kind("pixels", ARRAYS))
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
    change: Callable[[np.ndarray], np.ndarray] | None = None,
    rescaling: Rescaling | None = None,
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
        change: changes (H, W, C) pixels before preprocessing, without changing their shape and type.
        rescaling: resamples images of known pixel size before all changes. Squares around points then cover the same
            area as those of the training images.
    """
    n_threads, fields = n_threads or n_cores(), fields or Fields()
    n_ahead = max(_AHEAD_PER_THREAD * n_threads, n_ahead or 0)
    in_flight: deque[Future[PreprocessedImage | UnreadableImage]] = deque()
    expected: Sequence[str | None] = hashes or [None] * len(records)
    ahead = zip(records, expected, strict=True)
    read = partial(
        _read_one, preprocessing=preprocessing, is_hashed=is_hashed, fields=fields, change=change, rescaling=rescaling
    )
    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="preprocess")
    try:
        for record, expected_hash in ahead:
            in_flight.append(pool.submit(read, record, expected_hash))
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
    change: Callable[[np.ndarray], np.ndarray] | None,
    rescaling: Rescaling | None,
) -> PreprocessedImage | UnreadableImage:
    is_hashed = is_hashed or expected_hash is not None
    try:
        if record.in_memory is None and record.plan.region is None and change is None and rescaling is None:
            image = read_preprocessed_image(record.path, record.plan, preprocessing, is_hashed=is_hashed)
        else:
            image = _changed(record, preprocessing, is_hashed, fields, change, rescaling)
        if expected_hash is not None and image.pixel_hash != expected_hash:
            return UnreadableImage("image-changed", file=record.path, remedies=(CleanCache("facts"),))
        return image
    except UnreadableImage as error:
        return error if error.file else UnreadableImage.of(replace(error.failure, file=str(record.path)))
    except MemoryError:
        return UnreadableImage("no-memory-for-image", file=record.path)


def _changed(
    record: ImageRecord,
    preprocessing: Preprocessing,
    is_hashed: bool,
    fields: Fields,
    change: Callable[[np.ndarray], np.ndarray] | None,
    rescaling: Rescaling | None,
) -> PreprocessedImage:
    """Return an image in memory, one of several boxes, or one that is rescaled or changed before preprocessing."""
    pixels = record.read(fields)
    array, digest = pixels.array, pixel_hash(pixels.array) if is_hashed else None
    size = array.shape[1], array.shape[0]
    if rescaling is not None and pixels.pixel_size_um is not None:
        array, size = _rescaled(record, array, pixels.pixel_size_um, rescaling, fields)
    is_rescaled = array is not pixels.array
    if change is not None:
        array = change(array)
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
        records, hashes = [self._dataset.records[i] for i in positions], [_digest(self._scan, i) for i in positions]
        for image in read_preprocessed(records, self._preprocessing, hashes=hashes, fields=self._fields):
            if isinstance(image, UnreadableImage):
                raise image
            pixels.append(image.pixels)
        return np.stack(pixels)


class PixelCache:
    """Preprocessed pixels by position in a dataset, stored on disk by content: for many passes over the images."""

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
        """Decode the images that are not stored yet.

        Args:
            dataset, scan: the images and their content.
            positions: of the images that will be requested; all must be readable.
            preprocessing: how they are preprocessed.
            emit: receives progress.
            stop: checked whenever progress is emitted.

        Raises:
            Stopped: on request; decoded images stay stored.
            UnreadableImage: an image changed since it was scanned.
            CoverslipError: the disk is full.
        """
        shape = (preprocessing.image_size, preprocessing.image_size, preprocessing.channels)
        made_by = {"preprocessing": preprocessing.model_dump(mode="json"), "pillow": PIL.__version__}

        def note_cache_failure(error: OSError | sqlite3.Error) -> None:
            emit(Noted.of(unusable_note(error)))

        self._store = ArrayStore(PREPROCESSED, made_by, shape, preprocessing.depth, note_cache_failure)
        try:
            self._store_positions = self._fill(dataset, scan, positions, preprocessing, emit, stop)
        except BaseException:
            self._store.close()  # the caller has no cache to close yet
            raise

    def __call__(self, positions: Sequence[int]) -> Pixels:
        """Return (n, S, S, C) uint8 or uint16 pixels of the images at these positions."""
        return self._store.read([self._store_positions[int(i)] for i in positions])

    def __enter__(self) -> "PixelCache":
        return self

    def __exit__(self, *error: object) -> None:
        self._store.close()

    def _fill(
        self,
        dataset: Dataset,
        scan: Scan,
        positions: Sequence[int],
        preprocessing: Preprocessing,
        emit: Emit,
        stop: Stop,
    ) -> dict[int, int]:
        """Store the missing pixels, and return the position in the store for each position in the dataset."""
        digests = [_digest(scan, i) for i in positions]
        positions_in_store = self._store.positions(digests)
        missing = list(
            {
                digest: i for digest, i, place in zip(digests, positions, positions_in_store, strict=True) if place < 0
            }.values()
        )
        if missing:
            self._decode(dataset, scan, by_field(dataset.records, missing), preprocessing, emit, stop)
            positions_in_store = self._store.positions(digests)
        return dict(zip(positions, positions_in_store.tolist(), strict=True))

    def _decode(
        self,
        dataset: Dataset,
        scan: Scan,
        missing: Sequence[int],
        preprocessing: Preprocessing,
        emit: Emit,
        stop: Stop,
    ) -> None:
        started = time.monotonic()
        batch: list[Pixels] = []
        records, digests = [dataset.records[i] for i in missing], [_digest(scan, i) for i in missing]
        for done, image in enumerate(read_preprocessed(records, preprocessing, hashes=digests), start=1):
            if isinstance(image, UnreadableImage):
                raise image
            batch.append(image.pixels)
            if len(batch) == _N_AT_ONCE or done == len(missing):
                first = done - len(batch)
                self._store.add(digests[first:done], np.stack(batch))
                batch.clear()
                stop.check()
                per_second = done / max(time.monotonic() - started, 1e-9)
                seconds_left = (len(missing) - done) / per_second
                emit(
                    Progressed(
                        stage="preprocessing-images",
                        done=done,
                        total=len(missing),
                        per_second=per_second,
                        seconds_left=seconds_left,
                    )
                )


def _digest(scan: Scan, position: int) -> str:
    facts = scan.facts[position]
    if isinstance(facts, Unreadable):
        raise ValueError(f"image {position} could not be read: {facts.reason}")
    return facts.pixel_hash
