"""Thumbnails for galleries: created while images are read or on the first request, and cached.

The cache has one store for each dataset. The key contains the version of the image, so a changed file gets a new
thumbnail. The format is JPEG: fast scrolling decodes hundreds of thumbnails in a second, and WebP takes twice as long
to decode and twenty times as long to encode.
"""

import io
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from coverslip.cache import RECORDS, Kind, RecordStore, register
from coverslip.errors import CoverslipError, Stopped
from coverslip.images import Fields, Pixels, small_pixels
from coverslip.machine import n_cores
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import PictureSource

SIDES = (128, 256, 512)  # px of the longer side
THUMBNAILS = register(Kind("app-thumbnails", "thumbnails of a dataset in the app", RECORDS, bound_bytes=4 * 10**9))
_MADE_BY = 2  # increases when thumbnails of the same image change
_QUALITY = 85
_STORED_AT_ONCE = 256

IsWanted = Callable[[], bool]


def thumbnails_of(
    workspace: Workspace,
    dataset_id: str,
    sources: Sequence[PictureSource],
    side: int,
    is_wanted: IsWanted = lambda: True,
) -> list[bytes | None]:
    """Return JPEGs of one of the `SIDES`, cached or created by a few threads; None if an image cannot be read.

    Raises:
        Stopped: the client has left.
    """
    keys = [_key(side, source.version) for source in sources]
    with RecordStore(THUMBNAILS, dataset_id) as store:
        stored = store.find(keys)
        missing = {key: source for key, source in zip(keys, sources, strict=True) if key not in stored}
        new: dict[str, bytes | None] = {}
        fields = Fields()
        try:
            pictures = picture_threads().map(
                lambda source: _make(workspace, source, side, fields, is_wanted), missing.values()
            )
            for key, data in zip(missing, pictures, strict=True):
                new[key] = data
        finally:
            store.keep({key: data for key, data in new.items() if data is not None})
    return [stored.get(key) or new.get(key) for key in keys]


def kept_side(side: int) -> int:
    """Return the member of `SIDES` from which a picture of `side` is created."""
    return next((each for each in SIDES if each >= side), SIDES[-1])


def opened(data: bytes) -> Image.Image:
    """Return a decoded thumbnail."""
    return Image.open(io.BytesIO(data), formats=("JPEG",)).convert("RGB")


def encoded(image: Image.Image, quality: int = _QUALITY) -> bytes:
    """Return an image as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@cache
def picture_threads() -> ThreadPoolExecutor:
    """Return the threads that decode images for display. Their number limits the images in memory."""
    return ThreadPoolExecutor(n_cores(), thread_name_prefix="picture")


class WhileReading:
    """Creates thumbnails and colors of images while they are read. It is thread-safe."""

    def __init__(self, dataset_id: str, versions: Sequence[str]) -> None:
        """`versions` are those of the images, by the numbers with which they are reported."""
        self.colors: dict[int, int] = {}
        self._dataset_id, self._versions = dataset_id, versions
        self._made: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __call__(self, k: int, pixels: Pixels) -> None:
        small = small_pixels(pixels.array, SIDES[0])
        data = encoded(_as_image(small))
        full: dict[str, bytes] = {}
        with self._lock:
            self.colors[k] = color_of(small, pixels.array.shape[1], pixels.array.shape[0])
            self._made[_key(SIDES[0], self._versions[k])] = data
            if len(self._made) >= _STORED_AT_ONCE:
                full, self._made = self._made, {}
        self._keep(full)

    def close(self) -> None:
        """Store the last thumbnails."""
        self._keep(self._made)
        self._made = {}

    def _keep(self, pictures: dict[str, bytes]) -> None:
        if pictures:
            with RecordStore(THUMBNAILS, self._dataset_id) as store:
                store.keep(pictures)


def color_of(array: Any, width: int, height: int) -> int:  # Any: an array or PIL image
    """Return the mean color and the shape of an image in four bytes: red, green, blue, and shape.

    The shape is 128 for a square, 160 for twice as wide as high, 96 for half as wide. It is never 0.
    """
    pixels = np.asarray(array)
    means = np.atleast_1d(pixels.mean(axis=0, dtype=np.float32).mean(axis=0))  # ten times as fast as both at once
    red, green, blue = (round(float(means[k % len(means)])) for k in range(3))
    shape = min(255, max(1, 128 + round(32 * math.log2(width / height))))
    return red << 24 | green << 16 | blue << 8 | shape


def _key(side: int, version: str) -> str:
    return f"{_MADE_BY} {side} {version}"


def _make(workspace: Workspace, source: PictureSource, side: int, fields: Fields, is_wanted: IsWanted) -> bytes | None:
    if not source.is_readable:
        return None
    if not is_wanted():
        raise Stopped("pictures-not-needed")
    try:
        pixels = workspace.read_image(source.path, source.plan, fields)
        return encoded(_as_image(small_pixels(pixels.array, side)))
    except CoverslipError:
        return None


def _as_image(array: Any) -> Image.Image:
    return Image.fromarray(array if array.shape[2] == 3 else array[..., 0])
