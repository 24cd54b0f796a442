"""Image quality (objects cut off by the edge, blur, saturation), measured within a memory budget and cached."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from coverslip.audit.shortcuts import reduced_by_rows
from coverslip.cache.stores import Kind, RecordStore
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.quality.scanning import ImageQuality, Scan
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, ignore, progress_reporter
from coverslip.images.preprocessing import PixelFacts, effective_channels
from coverslip.machine import n_cores
from coverslip.stopping import BY_SIGNAL, Stop

_MOST_BYTES = 10**9
_BYTES_A_SAMPLE = 8  # of copies as floats, and of measures per pixel


class _MemoryBudget:
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


_budget = _MemoryBudget(_MOST_BYTES)


def memory_for_checks(array: npt.NDArray[Any]) -> AbstractContextManager[None]:  # Any: one of three
    """Wait until there is memory to check these (H, W, C) pixels."""
    return _budget.reserve(np.size(array) * _BYTES_A_SAMPLE)


QUALITY = Kind("image-quality")

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

_VERSION = 2  # increases if equal pixels would give other values
_AT_ONCE = 256  # images
_FOUND_AT_ONCE = 10_000  # images whose quality is read from the cache or added to it
_LONGEST_SHARP_PX = 192  # of larger images, the central part is measured
_SCALES = 0.7, 1.5, 6.0  # px, standard deviations of Gaussians: fine detail is between the first two
_LEAST_DETAIL = 1e-3  # of the range; less is a flat image
_DEVIATIONS = 4.0  # from the median along the border, for pixels of an object
_LEAST_CONTRAST = 0.06  # of the range
_LEAST_OBJECT = 0.04  # of the image's area
_CUT_OF_WIDTH = 0.7  # of the object's largest width: least width at the edge for a cut object
_OFF_MIDDLE = 0.1  # of the image: least distance of its center from the middle towards the edge
_CONVEX = 0.93  # of the area of its convex hull


def with_cached_quality(scan: Scan) -> Scan:
    """Return the scan with the cached quality of these pixels, if there is any."""
    quality: list[ImageQuality | None] = []
    with RecordStore(QUALITY, "images") as store:
        for start in range(0, len(scan.facts), _FOUND_AT_ONCE):
            facts = scan.facts[start : start + _FOUND_AT_ONCE]
            hashes = [fact.pixel_hash if isinstance(fact, PixelFacts) else "" for fact in facts]
            stored = store.find(hashes)
            quality += [_read(stored[each]) if each in stored else None for each in hashes]
    return _with_quality(scan, quality) if any(quality) else scan


def with_quality(
    dataset: Dataset, scan: Scan, measured: Mapping[int, ImageQuality], *, emit: Emit = ignore, stop: Stop = BY_SIGNAL
) -> Scan:
    """Return the scan with the quality of each image, and cache it for these pixels.

    Args:
        dataset, scan: the images.
        measured: the quality of some images, by position. Others that are not in the cache are decoded again.
        emit: receives progress.
        stop: checked whenever progress is emitted.

    Raises:
        Stopped: on request.
    """
    cached = with_cached_quality(scan).quality or (None,) * len(scan.facts)
    new = {i: measured[i] for i, quality in enumerate(cached) if quality is None and i in measured}
    missing = [
        i
        for i, quality in enumerate(cached)
        if quality is None and i not in measured and isinstance(scan.facts[i], PixelFacts)
    ]

    def measure(position: int) -> ImageQuality | None:
        try:
            array = dataset.records[position].read().array
            with memory_for_checks(array):
                return image_quality(array)
        except (UnreadableImage, MemoryError):
            return None

    report_progress = progress_reporter(emit, "measuring-image-quality", "images")
    with ThreadPoolExecutor(n_cores()) as pool:
        for start in range(0, len(missing), _AT_ONCE):
            stop.check()
            batch = missing[start : start + _AT_ONCE]
            results = zip(batch, pool.map(measure, batch), strict=True)
            new.update((i, quality) for i, quality in results if quality is not None)
            report_progress(start + len(batch), len(missing))
    with RecordStore(QUALITY, "images") as store:
        for start in range(0, len(added := list(new)), _FOUND_AT_ONCE):
            positions = added[start : start + _FOUND_AT_ONCE]
            hashes = [facts.pixel_hash for facts in scan.readable(positions)]
            qualities = [json.dumps([_VERSION, asdict(new[i])]).encode() for i in positions]
            store.keep(dict(zip(hashes, qualities, strict=True)))
    return _with_quality(scan, [new.get(i, quality) for i, quality in enumerate(cached)])


def _with_quality(scan: Scan, quality: Sequence[ImageQuality | None]) -> Scan:
    old_quality = scan.quality or (None,) * len(scan.facts)
    return replace(scan, quality=tuple(new or old for new, old in zip(quality, old_quality, strict=True)))


def _read(stored: bytes) -> ImageQuality | None:
    """Return a stored quality; None if another version measured it."""
    version, values = json.loads(stored)
    return ImageQuality(**values) if version == _VERSION else None


def image_quality(array: npt.NDArray[Any]) -> ImageQuality:  # Any: one of three
    """Return the quality of one image.

    Args:
        array: (H, W, C) uint8, uint16 or float32.
    """
    array = effective_channels(array)
    # Files of more bits rarely use all of their range: for them, the largest value counts as saturated.
    top = 255.0 if array.dtype == np.uint8 else float(array.max()) or 1.0
    # The largest magnitude is the divisor, since sums of values near the float32 maximum would overflow.
    divisor = np.float32(top if array.dtype.kind == "u" else max(abs(float(array.min())), abs(float(array.max()))) or 1)
    if min(array.shape[:2]) < 8:
        return ImageQuality(0.0, None, 0.0)

    def floats(part: npt.NDArray[Any]) -> Floats:
        scaled: npt.NDArray[Any] = part / divisor
        return scaled.astype(np.float32)

    def full(part: npt.NDArray[Any]) -> Floats:
        return np.asarray((part >= top).all(axis=2, keepdims=True), np.float32)

    small = reduced_by_rows(array, floats)
    is_object = _object_of(small)
    is_full = reduced_by_rows(array, full)[:, :, 0] > 0.5
    is_bright = array.any(axis=(0, 1)).all()  # an empty channel cannot be saturated
    saturated = float(is_full[is_object].mean()) if is_object.any() and is_bright else 0.0
    sharpness = _sharpness(floats(_middle(array)))
    return ImageQuality(saturated=round(saturated, 4), sharpness=sharpness, cut=_cut(is_object))


def _middle(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = array.shape[:2]
    top_row, left_column = max(0, (height - _LONGEST_SHARP_PX) // 2), max(0, (width - _LONGEST_SHARP_PX) // 2)
    return array[top_row : top_row + _LONGEST_SHARP_PX, left_column : left_column + _LONGEST_SHARP_PX]


def _sharpness(image: Floats) -> float | None:
    """Return the log ratio of fine to coarse detail; noise of single pixels has little weight."""
    from scipy.ndimage import gaussian_filter

    gray = image.mean(axis=2)
    least, fine, coarse = (gaussian_filter(gray, scale, mode="nearest") for scale in _SCALES)
    detail, shape = float((least - fine).std()), float((fine - coarse).std())
    if shape < _LEAST_DETAIL:
        return None
    return round(float(np.log(max(detail, 1e-6) / shape)), 3)


def _object_of(image: Floats) -> Bools:
    """Return (H, W), the mask of the central object; false everywhere if no object differs from the border."""
    from scipy.ndimage import binary_fill_holes, binary_opening, label

    border = np.concatenate([image[0], image[-1], image[1:-1, 0], image[1:-1, -1]])
    background = np.median(border, axis=0)
    deviation = 1.4826 * np.median(np.abs(border - background), axis=0)
    differs_from_border = (np.abs(image - background) > np.maximum(_DEVIATIONS * deviation, _LEAST_CONTRAST)).any(
        axis=2
    )
    components, _ = label(binary_fill_holes(binary_opening(differs_from_border)))
    height, width = components.shape
    middle = components[height // 4 : -(height // 4), width // 4 : -(width // 4)]
    counts = np.bincount(middle.ravel())
    counts[0] = 0
    if len(counts) < 2 or not counts.any():
        return np.zeros(components.shape, np.bool_)
    is_object: Bools = components == counts.argmax()
    return is_object if is_object.mean() >= _LEAST_OBJECT else np.zeros_like(is_object)


def _cut(is_object: Bools) -> float:
    """Return the share of a side along which the object is cut; 0 if it may end there, or touch other objects.

    A cut object is nearly as wide at the edge as elsewhere, is off center, and has no concavities, unlike touching
    objects.
    """
    sides = (is_object, is_object[::-1], is_object.T, is_object[:, ::-1].T)
    touched = [lines for lines in sides if lines[0].any()]
    if not touched or len(touched) > 2:  # a corner has two sides
        return 0.0
    lines = max(touched, key=lambda lines: lines[0].mean())
    width = lines.sum(axis=1)
    middle = float(np.average(np.arange(len(lines)), weights=width)) / len(lines)
    is_cut = width[0] >= _CUT_OF_WIDTH * width.max() and middle <= 0.5 - _OFF_MIDDLE and _is_convex(lines)
    return round(float(lines[0].mean()), 3) if is_cut else 0.0


def _is_convex(is_object: Bools) -> bool:
    from scipy.spatial import ConvexHull, QhullError

    rows = np.flatnonzero(is_object.any(axis=1))
    first, last = is_object[rows].argmax(axis=1), is_object.shape[1] - is_object[rows, ::-1].argmax(axis=1)
    corners = [np.stack([rows + down, column], axis=1) for down in (0, 1) for column in (first, last)]
    try:
        return bool(is_object.sum() >= _CONVEX * ConvexHull(np.concatenate(corners)).volume)
    except QhullError:
        return False
