"""Small pictures of images: thumbnails, sheets of them, and mean colors.

Colors and thumbnails are created while images are read. If they are missing, because facts were cached or the server
was killed, they are created afterwards in the background.
"""

import io
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from sqlalchemy import ColumnElement, Connection, exists, select

from coverslip.cache.stores import Kind, RecordStore
from coverslip.errors import CoverslipError, Stopped
from coverslip.images.decoding import Fields
from coverslip.images.output import small_picture_of
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reading import Pixels
from coverslip.machine import n_cores
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import replace_rows
from coverslip.workspace.store.tables import datasets, image_colors, images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import DatasetImages, PictureSource

SIDES = (128, 256, 512)  # px of the longer side
THUMBNAILS = Kind("app-thumbnails", bound_bytes=4 * 10**9)
_VERSION = 4  # increases when thumbnails of the same image change
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
    keys = [_picture_key(side, source.version) for source in sources]
    with RecordStore(THUMBNAILS, dataset_id) as store:
        stored = store.find(keys)
        missing = {key: source for key, source in zip(keys, sources, strict=True) if key not in stored}
        new: dict[str, bytes | None] = {}
        fields = Fields()
        try:
            pictures = picture_threads().map(
                lambda source: _create(workspace, source, side, fields, is_wanted), missing.values()
            )
            for key, data in zip(missing, pictures, strict=True):
                new[key] = data
        finally:
            store.keep({key: data for key, data in new.items() if data is not None})
    return [stored.get(key) or new.get(key) for key in keys]


def stored_side(side: int) -> int:
    """Return the member of `SIDES` from which a picture of `side` is created."""
    return next((each for each in SIDES if each >= side), SIDES[-1])


def decode(data: bytes) -> Image.Image:
    """Return a decoded thumbnail."""
    return Image.open(io.BytesIO(data), formats=("JPEG",)).convert("RGB")


def encode(image: Image.Image, quality: int = _QUALITY) -> bytes:
    """Return an image as JPEG."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


@cache
def picture_threads() -> ThreadPoolExecutor:
    """Return the threads that decode images for display. Their number limits the images in memory."""
    return ThreadPoolExecutor(n_cores(), thread_name_prefix="picture")


class PictureWriter:
    """Creates thumbnails and colors of images while they are read. It is thread-safe."""

    def __init__(self, dataset_id: str, version_of: Callable[[int], str]) -> None:
        """`version_of` returns the version of an image by the number with which it is reported."""
        self.colors: dict[int, int] = {}
        self._dataset_id, self._version_of = dataset_id, version_of
        self._pictures: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def __call__(self, k: int, pixels: Pixels, facts: PixelFacts) -> None:
        small = small_picture_of(pixels, SIDES[0])
        data = encode(as_image(small))
        full: dict[str, bytes] = {}
        with self._lock:
            self.colors[k] = color_of(small, pixels.array.shape[1], pixels.array.shape[0])
            self._pictures[_picture_key(SIDES[0], self._version_of(k))] = data
            if len(self._pictures) >= _STORED_AT_ONCE:
                full, self._pictures = self._pictures, {}
        self._store(full)

    def close(self) -> None:
        """Store the last thumbnails."""
        self._store(self._pictures)
        self._pictures = {}

    def _store(self, pictures: dict[str, bytes]) -> None:
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


def _picture_key(side: int, version: str) -> str:
    return f"{_VERSION} {side} {version}"


def _create(
    workspace: Workspace, source: PictureSource, side: int, fields: Fields, is_wanted: IsWanted
) -> bytes | None:
    if not source.is_readable:
        return None
    if not is_wanted():
        raise Stopped("pictures-not-needed")
    try:
        pixels = workspace.read_image(source.path, source.plan, fields)
        return encode(as_image(small_picture_of(pixels, side)))
    except CoverslipError:
        return None


def as_image(array: Any) -> Image.Image:  # Any: a NumPy array
    """Return an array of shape (height, width, 1 or 3), uint8, as a picture."""
    return Image.fromarray(array if array.shape[2] == 3 else array[..., 0])


COLUMNS = 8  # of a sheet
_SHEET_QUALITY = 80
_REST_S = 0.3  # pause after the last sheet, while a gallery may still be scrolled


def sheet(
    workspace: Workspace,
    dataset_id: str,
    sources: Sequence[PictureSource],
    side: int,
    is_wanted: IsWanted = lambda: True,
) -> tuple[bytes, bool]:
    """Return a sheet of rows of eight square cells, or of fewer if there are fewer images.

    Margins have the mean color of the image; a single image has none. A cell has `side` pixels, or fewer if all images
    are smaller: the browser enlarges them. Smaller images are enlarged to fill their cell. One picture of 64 images
    needs one request and one decoding. It is a JPEG, or a WebP with transparent cells if an image cannot be read.

    Returns:
        The picture, and whether it is final: False if a readable image is missing now.

    Raises:
        Stopped: the client has left.
    """
    with _DEMAND.held():
        thumbnails = thumbnails_of(workspace, dataset_id, sources, stored_side(side), is_wanted)
        picture = _grid([None if data is None else decode(data) for data in thumbnails], side)
        is_complete = not any(
            data is None and source.is_readable for data, source in zip(thumbnails, sources, strict=True)
        )
        return _webp(picture) if picture.mode == "RGBA" else encode(picture, _SHEET_QUALITY), is_complete


def _grid(cells: Sequence[Image.Image | None], side: int) -> Image.Image:
    if len(cells) == 1 and cells[0] is not None:
        cells[0].thumbnail((side, side), Image.Resampling.BILINEAR)
        return cells[0]
    side = min(side, max((max(cell.size) for cell in cells if cell is not None), default=side))
    size = min(COLUMNS, len(cells)) * side, -(-len(cells) // COLUMNS) * side
    grid = Image.new("RGBA" if None in cells else "RGB", size)
    for k, cell in enumerate(cells):
        if cell is not None:
            grid.paste(_filled(cell, side), (k % COLUMNS * side, k // COLUMNS * side))
    return grid


def has_demand() -> bool:
    """Return whether sheets of a gallery are being created."""
    return _DEMAND.is_held


def _filled(picture: Image.Image, side: int) -> Image.Image:
    """Return a square with the picture in its center."""
    scale = side / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    if size == (side, side):
        return picture
    cell = Image.new("RGB", (side, side), picture.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0)))
    cell.paste(picture, ((side - size[0]) // 2, (side - size[1]) // 2))
    return cell


def _webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_SHEET_QUALITY, method=0)
    return buffer.getvalue()


class _Demand:
    """Whether sheets are being created, or were shortly before."""

    def __init__(self) -> None:
        self._lock, self._n, self._last = threading.Lock(), 0, -_REST_S

    @contextmanager
    def held(self) -> Iterator[None]:
        with self._lock:
            self._n += 1
        try:
            yield
        finally:
            with self._lock:
                self._n -= 1
                self._last = time.monotonic()

    @property
    def is_held(self) -> bool:
        return self._n > 0 or time.monotonic() - self._last < _REST_S


_DEMAND = _Demand()


_BATCH_SIZE = 128
_DECODED_AT_ONCE = 4  # small, so that requests for pictures do not wait long
_PAUSE_S = 0.1
_ONE_DATASET = threading.Semaphore()  # datasets are processed one at a time


def store_colors(connection: Connection, by_row: Mapping[int, int]) -> None:
    """Store colors by row_id."""
    if by_row:
        rows = [{"row_id": row_id, "color": color} for row_id, color in by_row.items()]
        replace_rows(connection, image_colors, rows)


def datasets_without_colors(workspace: Workspace) -> list[str]:
    """Return the datasets that were read and have images without a color."""
    lacks_colors = exists().where(images.c.dataset_id == datasets.c.id, *_without_color())
    is_read = (datasets.c.state == "ready") & datasets.c.removed.is_(None)
    with workspace.engine.connect() as connection:
        return list(connection.execute(select(datasets.c.id).where(is_read, lacks_colors)).scalars())


def _without_color() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return the conditions for readable images without a color."""
    has_color = exists().where(image_colors.c.row_id == images.c.row_id)
    return images.c.problem.is_distinct_from("unreadable"), ~has_color


def create_missing(workspace: Workspace, dataset_id: str, is_over: threading.Event) -> None:
    """Create missing colors and thumbnails, a few at a time, and pause while a gallery needs some."""
    while not _ONE_DATASET.acquire(timeout=_PAUSE_S):
        if is_over.is_set():
            return
    try:
        for row_ids in _rows_without_color(workspace, dataset_id):
            colors: dict[int, int] = {}
            for start in range(0, len(row_ids), _DECODED_AT_ONCE):
                while has_demand() and not is_over.wait(_PAUSE_S):
                    pass
                if is_over.is_set():
                    break
                colors |= _colors(workspace, dataset_id, row_ids[start : start + _DECODED_AT_ONCE])
            with write_transaction(workspace.engine) as connection:
                store_colors(connection, colors)
            if is_over.is_set():
                return
    finally:
        _ONE_DATASET.release()


def _rows_without_color(workspace: Workspace, dataset_id: str) -> Iterator[list[int]]:
    """Yield row_ids of readable images without a color, in batches."""
    after = -1
    while True:
        query = (
            select(images.c.row_id, images.c.position)
            .where(images.c.dataset_id == dataset_id, images.c.position > after, *_without_color())
            .order_by(images.c.position)
            .limit(_BATCH_SIZE)
        )
        with workspace.engine.connect() as connection:
            rows = connection.execute(query).all()
        if not rows:
            return
        yield [row.row_id for row in rows]
        after = rows[-1].position


def _colors(workspace: Workspace, dataset_id: str, row_ids: list[int]) -> dict[int, int]:
    by_row = {}
    pictures = thumbnails_of(
        workspace, dataset_id, DatasetImages(workspace, dataset_id).picture_sources(row_ids), SIDES[0]
    )
    for row_id, data in zip(row_ids, pictures, strict=True):
        if data is not None:
            picture = decode(data)
            by_row[row_id] = color_of(picture, picture.width, picture.height)
    return by_row
