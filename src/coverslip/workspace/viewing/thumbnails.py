"""Thumbnails for galleries: made while images are read, or when first asked for, and kept.

They are kept in the cache, one store for each dataset, and found by the image's version, so a changed file gets a new
one. JPEG, since a gallery that is scrolled fast decodes hundreds in a second, and WebP takes twice as long to decode
and twenty times to encode.
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
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.viewing.images import PictureSource

SIDES = (128, 256, 512)  # px of the longer side; few, since each is made and kept
THUMBNAILS = register(Kind("app-thumbnails", "thumbnails of a dataset in the app", RECORDS, bound_bytes=4 * 10**9))
_MADE_BY = 2  # goes up when the same image would give another picture
_QUALITY = 85
_KEPT_AT_ONCE = 256

IsWanted = Callable[[], bool]


def thumbnails_of(
    home: Workspace, dataset_id: str, sources: Sequence[PictureSource], side: int, is_wanted: IsWanted = lambda: True
) -> list[bytes | None]:
    """JPEG of one of the `SIDES`: kept ones, and new ones made by a few threads; None where an image cannot be read.

    Raises:
        Stopped: nobody wants them any more.
    """
    keys = [_key(side, source.version) for source in sources]
    with RecordStore(THUMBNAILS, dataset_id) as kept:
        known = kept.find(keys)
        missing = {key: source for key, source in zip(keys, sources, strict=True) if key not in known}
        made: dict[str, bytes | None] = {}
        fields = Fields()
        try:
            pictures = picture_threads().map(
                lambda source: _make(home, source, side, fields, is_wanted), missing.values()
            )
            for key, data in zip(missing, pictures, strict=True):
                made[key] = data
        finally:
            kept.keep({key: data for key, data in made.items() if data is not None})
    return [known.get(key) or made.get(key) for key in keys]


def kept_side(side: int) -> int:
    """The one of the `SIDES` that a picture of `side` is made from."""
    return next((kept for kept in SIDES if kept >= side), SIDES[-1])


def opened(data: bytes) -> Image.Image:
    """A thumbnail, decoded."""
    return Image.open(io.BytesIO(data), formats=("JPEG",)).convert("RGB")


def encoded(image: Image.Image, quality: int = _QUALITY) -> bytes:
    """As JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@cache
def picture_threads() -> ThreadPoolExecutor:
    """What decodes images to be looked at: few at a time, or twenty requests would hold as many in memory."""
    return ThreadPoolExecutor(n_cores(), thread_name_prefix="picture")


class WhileReading:
    """Makes thumbnails of images that are decoded anyway, and notes their colours. Used by several threads."""

    def __init__(self, dataset_id: str, versions: Sequence[str]) -> None:
        """Versions of the images, in the order of the numbers by which they come."""
        self.colours: dict[int, int] = {}
        self._dataset_id, self._versions = dataset_id, versions
        self._made: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __call__(self, k: int, pixels: Pixels) -> None:
        small = small_pixels(pixels.array, SIDES[0])
        data = encoded(_as_image(small))
        full: dict[str, bytes] = {}
        with self._lock:
            self.colours[k] = colour_of(small, pixels.array.shape[1], pixels.array.shape[0])
            self._made[_key(SIDES[0], self._versions[k])] = data
            if len(self._made) >= _KEPT_AT_ONCE:
                full, self._made = self._made, {}
        self._keep(full)

    def close(self) -> None:
        """Keep the last ones."""
        self._keep(self._made)
        self._made = {}

    def _keep(self, made: dict[str, bytes]) -> None:
        if made:
            with RecordStore(THUMBNAILS, self._dataset_id) as kept:
                kept.keep(made)


def colour_of(array: Any, width: int, height: int) -> int:  # Any: what NumPy takes as an image
    """The average colour and the shape of an image in four bytes: red, green, blue, and its shape.

    The last is 128 for a square, 32 more for twice as wide as high, 32 less for half as wide. It is never 0.
    """
    pixels = np.asarray(array)
    means = np.atleast_1d(pixels.mean(axis=0, dtype=np.float32).mean(axis=0))  # ten times as fast as both at once
    red, green, blue = (round(float(means[k % len(means)])) for k in range(3))
    shape = min(255, max(1, 128 + round(32 * math.log2(width / height))))
    return red << 24 | green << 16 | blue << 8 | shape


def _key(side: int, version: str) -> str:
    return f"{_MADE_BY} {side} {version}"


def _make(home: Workspace, source: PictureSource, side: int, fields: Fields, is_wanted: IsWanted) -> bytes | None:
    if not source.is_readable:
        return None
    if not is_wanted():
        raise Stopped("pictures-not-needed")
    try:
        pixels = home.read_image(source.path, source.plan, fields)
        return encoded(_as_image(small_pixels(pixels.array, side)))
    except CoverslipError:
        return None


def _as_image(array: Any) -> Image.Image:
    return Image.fromarray(array if array.shape[2] == 3 else array[..., 0])
