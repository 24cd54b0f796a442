"""The interface of file format readers, and the checks and conversions that readers share."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images.plan import Plane, ReadPlan
from coverslip.messages import text

Array = np.ndarray[Any, np.dtype[Any]]  # Any: shape and dtype are said in each docstring


# Limit of one decoded plane in any format and depth. Decoding and preprocessing need three to five times as much
# memory, which stays below a gigabyte.
MAX_BYTES = 192 * 2**20
_MAX_FILE_BYTES = (
    256 * 2**20
)  # of a compressed image, which decoders read whole: larger than any plane within the limit
_BLOCK_BYTES = 4 * 2**20
_MAX_PROJECTED_VALUES = 20_000_000_000  # pixels times channels over all planes of a projection


@dataclass(frozen=True, slots=True)
class Decoded:
    """One plane as a reader returns it, before the channels and the box of the plan are applied."""

    array: Array  # (H, W) or (H, W, C), any real dtype
    bit_depth: int  # as declared: 1, 2, 4, 8, 12, 16, 32, ...
    n_planes: int = 1
    note: str | None = None  # one short reason, equal for equal causes, so that callers can count them


def damaged(path: Path, cause: object) -> UnreadableImage:
    """Return the error for a file whose bytes are not a complete image."""
    reason = " ".join(str(cause).split())[:160].rstrip(". ") or type(cause).__name__
    return UnreadableImage("image-damaged", file=path, reason=reason)


def check_size(path: Path, width: int, height: int, max_bytes: int, *, bytes_per_pixel: int = 1) -> None:
    """Check the declared size of an image before memory is allocated.

    Args:
        path: the file, for errors.
        width, height: in pixels.
        max_bytes: the limit for all pixels.
        bytes_per_pixel: for all channels together.

    Raises:
        UnreadableImage: the file declares no pixels, or more than `max_bytes`.
    """
    if width < 1 or height < 1 or bytes_per_pixel < 1:
        raise damaged(path, text("image-without-size", width=int(width), height=int(height)))
    if width * height * bytes_per_pixel > max_bytes:
        raise UnreadableImage(
            "image-too-large",
            file=path,
            width=int(width),
            height=int(height),
            pixel_bytes=int(bytes_per_pixel),
            limit_mb=max_bytes / 1e6,
        )


def check_length(path: Path) -> None:
    """Check the length of a compressed file before it is read.

    Raises:
        UnreadableImage: the file is longer than any image within the limit.
    """
    n_bytes = path.stat().st_size
    if n_bytes > _MAX_FILE_BYTES:
        raise UnreadableImage("image-file-too-long", file=path, n_mb=n_bytes / 1e6, limit_mb=_MAX_FILE_BYTES / 1e6)


def by_rows(change: Callable[[Array], Array], array: Array) -> Array:
    """Return `change(array)`, applied to blocks of rows to limit memory; `change` must treat each row separately."""
    n_rows = max(1, _BLOCK_BYTES * len(array) // max(1, array.nbytes))
    if n_rows >= len(array):
        return change(array)
    first = change(array[:n_rows])
    changed = np.empty((len(array), *first.shape[1:]), first.dtype)
    changed[:n_rows] = first
    for top in range(n_rows, len(array), n_rows):
        changed[top : top + n_rows] = change(array[top : top + n_rows])
    return changed


def choose_plane(path: Path, plane: Plane, n_planes: int, read: Callable[[int], Array]) -> Array:
    """Return one plane by its number, the maximum or mean over all planes, or all planes as channels.

    A projection reads one plane at a time. The mean of integers is rounded to the nearest integer.

    Raises:
        UnreadableImage: there is no plane of that number, the planes differ in size, or they are too large.
    """
    if isinstance(plane, int):
        if not 0 <= plane < n_planes:
            raise UnreadableImage("no-such-plane", file=path, plane=str(plane), n_planes=int(n_planes))
        return read(plane)
    if n_planes == 1:
        return read(0)
    if plane == "channels":
        return _as_channels(path, n_planes, read)
    first = read(0)
    if n_planes * first.size > _MAX_PROJECTED_VALUES:
        n_values = int(n_planes * first.size)
        raise UnreadableImage(
            "projection-too-large", file=path, n_planes=int(n_planes), n_values=n_values, limit=_MAX_PROJECTED_VALUES
        )
    if plane == "max":
        highest = first.copy()
        for index in range(1, n_planes):
            np.maximum(highest, _same_shape(path, read(index), highest), out=highest)
        return highest
    return _mean(path, first, n_planes, read)


def _as_channels(path: Path, n_planes: int, read: Callable[[int], Array]) -> Array:
    """Return all planes, one after the other, as the channels of (H, W, C)."""
    first = read(0)
    check_size(path, first.shape[1], first.shape[0], MAX_BYTES, bytes_per_pixel=n_planes * first[:1, :1].nbytes)
    planes = [first, *(_same_shape(path, read(index), first) for index in range(1, n_planes))]
    return np.concatenate([np.atleast_3d(plane) for plane in planes], axis=2)


def _mean(path: Path, first: Array, n_planes: int, read: Callable[[int], Array]) -> Array:
    check_size(path, first.shape[1], first.shape[0], 2 * MAX_BYTES, bytes_per_pixel=8 * first[:1, :1].size)
    total, dtype = first.astype(np.float64), first.dtype
    del first
    for index in range(1, n_planes):
        total += _same_shape(path, read(index), total)
    total /= n_planes
    return (np.rint(total, out=total) if dtype.kind in "iu" else total).astype(dtype)


def _same_shape(path: Path, array: Array, first: Array) -> Array:
    if array.shape != first.shape:
        raise UnreadableImage("planes-differ-in-size", file=path)
    return array


def cmyk_to_rgb(array: Array) -> Array:
    """Convert (H, W, 4) CMYK to (H, W, 3) RGB of the same unsigned dtype: the light that inks and black transmit."""
    top = np.float32(np.iinfo(array.dtype).max)

    def light(inks: Array) -> Array:
        paper = 1 - inks.astype(np.float32) / top
        return np.rint(paper[..., :3] * paper[..., 3:4] * top).astype(array.dtype)

    return by_rows(light, array)


def palette_to_color(index: Array, palette: Array) -> Array:
    """Look pixels up in an (n, 3) palette: (H, W, 3), or (H, W) if the whole palette is gray."""
    is_gray = bool((palette == palette[:, :1]).all())
    if len(palette) <= int(index.max(initial=0)):
        raise ValueError(text("palette-too-short"))
    colors: Array = palette[:, 0] if is_gray else palette
    return by_rows(lambda rows: colors[rows], index)


HEAD_BYTES = 512  # first bytes of a file, by which its format is identified


@dataclass(frozen=True, slots=True)
class Series:
    """One image, stack or film in a file, as the file declares it."""

    axes: str  # a letter per dimension: Y, X; C channels, S samples of a pixel; others (T, Z, ...) count planes
    shape: tuple[int, ...]
    pixel_size_um: tuple[float, float] | None = None  # width and height of a pixel; None: not declared
    name: str = ""

    @property
    def n_planes(self) -> int:
        """The number of planes that `ReadPlan.plane` can select."""
        return prod(size for axis, size in zip(self.axes, self.shape, strict=True) if axis not in "CSYX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One file format. Other packages add formats with an entry point of the group `coverslip.readers`."""

    name: str  # short, shown in the counts of `inspect`
    title: str  # shown to users
    suffixes: tuple[str, ...]  # lower case, with a dot; files of these suffixes in a folder are images
    # Whether a file with these first 512 bytes has this format. File names are not used: a TIFF may be called .png.
    is_this: Callable[[bytes], bool]
    # Returns every series of a file; `read` reads the first one. Decodes no pixels.
    describe: Callable[[Path], tuple[Series, ...]] | None = None
    # Returns the plane that the plan selects; depth, channels and box are applied afterwards. The integer is the limit
    # of bytes for its pixels: check it with `check_size` before memory is allocated. Called by several threads.
    # Opens files with `open_image`, which confines the app to its folders.
    # Every exception except UnreadableImage is reported as damage. None: the format is identified, but cannot be read.
    read: Callable[[Path, ReadPlan, int], Decoded] | None = None
    # For a format that cannot be read: how to export readable files. A function if it is a message of the catalogue.
    export: str | Callable[[], str] = ""

    @property
    def export_advice(self) -> str:
        """How to export files that can be read; empty if unknown."""
        return self.export() if callable(self.export) else self.export


def starts(*signatures: bytes) -> Callable[[bytes], bool]:
    """Return an `is_this` function: whether a file begins with one of these signatures."""
    return lambda head: head.startswith(signatures)
