"""Decode any image file into pixels, and cut boxes out of planes.

Rules, the same for every format:

- 8-bit stays uint8; 9 to 16 bit becomes uint16; int16 without negative values becomes uint16; all other numbers become
  float32. 1-bit becomes 0/255, and 2- and 4-bit gray is scaled to 0-255. A declared depth is reported as `bit_depth`
  and does not change the values: 12-bit pixels stay 0-4095.
- Palettes are resolved to RGB, or to gray if all entries are gray. CMYK becomes RGB. Alpha is dropped, not blended:
  transparent pixels keep the values of the camera.
- Orientation (EXIF or TIFF tag) is applied; boxes refer to the upright image.
- A page declared as axis C is a channel; other pages, and the frames of a GIF, are planes. See `ReadPlan`.
- In float images, NaN becomes the lowest finite value and infinities the nearest finite value, with a note.
- A file is read completely or refused. A truncated file does not give an image with a gray lower half.
- A box that reaches beyond the edge keeps its size; the rest is filled with the color of its border, with a note.
"""

import stat
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from coverslip.errors import UnreadableImage
from coverslip.images._pillow import unknown_format
from coverslip.images.confining import open_image
from coverslip.images.formats import reader_of
from coverslip.images.plan import ReadPlan
from coverslip.images.reader import HEAD_BYTES, MAX_BYTES, Array, Decoded, Reader, Series, choose_plane, damaged
from coverslip.messages import text

WHOLE_IMAGE = ReadPlan()
BEYOND_EDGE = "the box reaches beyond the edge of its image, and is filled up with the color of its border"
# The text of the error "no-such-image", the only reason that does not depend on the content of a file. Datasets store
# the text of the reason, not its code.
NO_SUCH_FILE = "There is no such file"


@dataclass(frozen=True, slots=True)
class Pixels:
    """A decoded image."""

    array: Array  # (H, W, C) uint8, uint16 or float32, C >= 1, C-contiguous; may be read-only
    file_format: str  # the name of the reader: "JPEG", "PNG", "TIFF", ...
    bit_depth: int  # as declared: 1, 2, 4, 8, 12, 16, 32, ...
    n_planes: int  # pages along other axes than C; 1 for plain images
    note: str | None = None  # one short reason, equal for equal causes, so that callers can count them


def decode(path: Path, plan: ReadPlan = WHOLE_IMAGE, *, max_bytes: int = MAX_BYTES) -> Pixels:
    """Decode one image file in this process. Thread-safe.

    The format is identified by the first bytes, not by the file name.

    Args:
        path: the file.
        plan: the plane, channels and box to read.
        max_bytes: a plane that declares more bytes, over all channels, is refused before it is decoded.

    Raises:
        UnreadableImage: for any problem with the file; no other exception is raised.
    """
    head = _first_bytes(path)
    reader = _find_reader(path, head)
    assert reader.read is not None  # checked by _find_reader
    try:
        return _apply_plan(path, reader.read(path, plan, max_bytes), plan, reader.name, max_bytes)
    except UnreadableImage:
        raise
    except Exception as error:
        raise _as_unreadable(path, head, error, max_bytes) from error


def pixels_in_memory(name: Path, decoded: Decoded, plan: ReadPlan = WHOLE_IMAGE) -> Pixels:
    """Return an image in memory as if it had been read from a file.

    Args:
        name: a name in place of the path, for errors.
        decoded: all pixels.
        plan: the channels and the box to keep; the only plane is 0.

    Raises:
        UnreadableImage: there is no such plane or channel, the box is outside the image, or no pixel is finite.
    """
    plane = choose_plane(name, plan.plane, 1, lambda _: decoded.array)
    return _apply_plan(name, replace(decoded, array=plane), plan, "in memory")


def _apply_plan(path: Path, decoded: Decoded, plan: ReadPlan, file_format: str, max_bytes: int = MAX_BYTES) -> Pixels:
    """Convert the plane of a reader to one of three depths, and cut it to the channels and the box of the plan."""
    array, note = _to_three_depths(path, decoded.array)
    n_planes = 1 if plan.plane == "channels" else decoded.n_planes
    plane = Pixels(array, file_format, decoded.bit_depth, n_planes, decoded.note or note)
    return cut(path, plane, plan, max_bytes)


def cut(path: Path, plane: Pixels, plan: ReadPlan, max_bytes: int = MAX_BYTES) -> Pixels:
    """Return the channels and the box of a plan from a plane with all channels.

    Raises:
        UnreadableImage: there is no such channel, the box is outside the image, or it needs more than `max_bytes`.
    """
    array, note = _select_channels(path, plane.array, plan), plane.note
    if plan.box is not None:
        x, y, width, height = plan.box
        if min(x, y) < 0 or x + width > array.shape[1] or y + height > array.shape[0]:
            note = f"{note}; {BEYOND_EDGE}" if note else BEYOND_EDGE
        array = crop_box(path, array, plan.box, max_bytes)
    return replace(plane, array=np.ascontiguousarray(array), note=note)


def describe_image(path: Path) -> tuple[Series, ...]:
    """Return the series that a file declares, with axes and pixel size, without decoding pixels.

    `read_pixels` reads the first series.

    Raises:
        UnreadableImage: as for `read_pixels`, except for damage that is only detected by decoding.
    """
    head = _first_bytes(path)
    reader = _find_reader(path, head)
    assert reader.describe is not None
    try:
        return reader.describe(path)
    except UnreadableImage:
        raise
    except Exception as error:
        raise _as_unreadable(path, head, error, MAX_BYTES) from error


def _find_reader(path: Path, head: bytes) -> Reader:
    reader = reader_of(head)
    if reader is None:
        raise unknown_format(path, head)
    if reader.read is None:
        advice = reader.export_advice or text("export-from-microscope")
        raise UnreadableImage("format-not-read", file=path, title=reader.title, advice=advice)
    return reader


def _as_unreadable(path: Path, head: bytes, error: Exception, max_bytes: int) -> UnreadableImage:
    """Convert any exception of a decoder (struct.error, zlib.error, RuntimeError for corrupt tags, ...) to one type.

    One damaged file must not stop the reading of 100,000 others.
    """
    match error:
        case UnidentifiedImageError():
            return unknown_format(path, head)
        case MemoryError():
            return UnreadableImage("image-out-of-memory", file=path)
        case Image.DecompressionBombError():
            return UnreadableImage("image-too-many-pixels", file=path, limit_mb=max_bytes / 1e6)
        case PermissionError():
            return _no_access(path, error)
    return damaged(path, error or type(error).__name__)


def _first_bytes(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableImage("folder-instead-of-image", file=path)
        if not stat.S_ISREG(mode):
            raise UnreadableImage("no-regular-file", file=path)
        with open_image(path) as file:
            head = file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        raise UnreadableImage("no-such-image", file=path) from error
    except PermissionError as error:
        raise _no_access(path, error) from error
    except (OSError, ValueError) as error:
        raise UnreadableImage("image-not-opened", file=path, reason=str(error)) from error
    if not head:
        raise UnreadableImage("image-file-empty", file=path)
    return head


def _no_access(path: Path, error: OSError) -> UnreadableImage:
    return UnreadableImage("image-no-permission", file=path, reason=error.strerror or str(error))


def _to_three_depths(path: Path, array: Array) -> tuple[Array, str | None]:
    """Return (H, W, C) uint8, uint16 or float32 in native byte order, and a note if values were replaced."""
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.dtype == np.uint8:
        return array, None
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return array.astype(np.uint16, copy=False), None
    if array.dtype.kind == "i" and array.dtype.itemsize <= 2 and array.min() >= 0:
        return array.astype(np.uint8 if array.dtype.itemsize == 1 else np.uint16), None
    with np.errstate(over="ignore", invalid="ignore"):  # sums with infinities of both signs
        array = array.astype(np.float32, copy=False)
        total = array.sum(dtype=np.float64)
    if np.isfinite(total):  # one pass in the usual case
        return array, None
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        raise UnreadableImage("no-finite-pixel", file=path)
    low, high = float(finite.min()), float(finite.max())
    return np.nan_to_num(array, nan=low, posinf=high, neginf=low), text("pixels-replaced")


def _select_channels(path: Path, array: Array, plan: ReadPlan) -> Array:
    if plan.channels is None:
        return array
    n_channels = array.shape[2]
    if not plan.channels or not all(0 <= channel < n_channels for channel in plan.channels):
        channels = ", ".join(map(str, plan.channels))
        raise UnreadableImage(
            "no-such-channels", file=path, channels=channels, has_channels=bool(channels), n_channels=n_channels
        )
    return array[..., list(plan.channels)]


def crop_box(path: Path, array: Array, box: tuple[int, int, int, int], max_bytes: int) -> Array:
    """Return the (height, width, C) pixels of a box, padded with the median border color beyond the image edge.

    Args:
        path: the path of the image, for errors.
        array: (H, W, C).
        box: x, y, width, height in pixels; x and y may be negative.
        max_bytes: a larger box is refused.

    Raises:
        UnreadableImage: the box lies entirely outside the image, or is too large.
    """
    x, y, width, height = box
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + width, array.shape[1]), min(y + height, array.shape[0])
    if left >= right or top >= bottom:
        raise _box_error(path, array, box, is_outside=True)
    if width * height * array.shape[2] * array.itemsize > max_bytes:
        raise _box_error(path, array, box, is_outside=False)
    part = array[top:bottom, left:right]
    if part.shape[:2] == (height, width):
        return part
    filled = np.empty((height, width, array.shape[2]), array.dtype)
    filled[:] = border_color(part)
    filled[top - y : bottom - y, left - x : right - x] = part
    return filled


def border_color(array: Array) -> Array:
    """Return the (C,) median of the outermost pixels; of two middle values the lower one, which occurs in the image."""
    border = np.concatenate([array[0], array[-1], array[1:-1, 0], array[1:-1, -1]])
    middle = (len(border) - 1) // 2
    color: Array = np.partition(border, middle, axis=0)[middle]
    return color


def _box_error(path: Path, array: Array, box: tuple[int, int, int, int], *, is_outside: bool) -> UnreadableImage:
    x, y, width, height = map(str, box)
    image_height, image_width = array.shape[:2]
    return UnreadableImage(
        "box-outside-image" if is_outside else "box-too-large",
        file=path,
        x=x,
        y=y,
        width=width,
        height=height,
        image_width=image_width,
        image_height=image_height,
    )
