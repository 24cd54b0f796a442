"""What every reader gives back, and the refusals that all readers share."""

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


# Of one decoded plane, whatever its format and depth: decoders and what follows hold some three to five times as much,
# which stays below a gigabyte.
MAX_BYTES = 192 * 2**20
MOST_FILE_BYTES = 256 * 2**20  # of a compressed image, which decoders read whole: larger than any such plane
_PART_BYTES = 4 * 2**20
_MOST_PROJECTED = 20_000_000_000  # pixels times channels that a projection over all planes goes through


@dataclass(frozen=True, slots=True)
class Decoded:
    """One plane as its reader found it, before depth, channels and box of the plan are applied."""

    array: Array  # (H, W) or (H, W, C), any real dtype
    bit_depth: int  # as declared: 1, 2, 4, 8, 12, 16, 32, ...
    n_planes: int = 1
    note: str | None = None  # one short reason, equal for equal causes, so that a caller can count


def damaged(path: Path, cause: object) -> UnreadableImage:
    """Return the refusal of a file whose bytes do not make a whole image."""
    reason = " ".join(str(cause).split())[:160].rstrip(". ") or type(cause).__name__
    return UnreadableImage("image-damaged", file=path, reason=reason)


def check_size(path: Path, width: int, height: int, max_bytes: int, *, bytes_per_pixel: int = 1) -> None:
    """Refuse an image by its declared size, before memory is allocated.

    `bytes_per_pixel` counts all channels.

    Raises:
        UnreadableImage: the file declares no pixels, or such as take more than `max_bytes`.
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
    """Refuse a compressed image by the length of its file, before it is read.

    Raises:
        UnreadableImage: it is longer than an image can be that is small enough.
    """
    n_bytes = path.stat().st_size
    if n_bytes > MOST_FILE_BYTES:
        raise UnreadableImage("image-file-too-long", file=path, n_mb=n_bytes / 1e6, limit_mb=MOST_FILE_BYTES / 1e6)


def by_rows(change: Callable[[Array], Array], array: Array) -> Array:
    """`change(array)`, some rows at a time so that what it needs meanwhile stays small; it sees each row by itself."""
    n_rows = max(1, _PART_BYTES * len(array) // max(1, array.nbytes))
    if n_rows >= len(array):
        return change(array)
    first = change(array[:n_rows])
    changed = np.empty((len(array), *first.shape[1:]), first.dtype)
    changed[:n_rows] = first
    for top in range(n_rows, len(array), n_rows):
        changed[top : top + n_rows] = change(array[top : top + n_rows])
    return changed


def choose_plane(path: Path, plane: Plane, n_planes: int, read: Callable[[int], Array]) -> Array:
    """Return one plane by its number, the maximum or mean over all, held one at a time, or all of them as channels.

    The mean of whole numbers is rounded to the nearest.

    Raises:
        UnreadableImage: there is no plane of that number, or planes differ or take too much.
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
    if n_planes * first.size > _MOST_PROJECTED:
        n_values = int(n_planes * first.size)
        raise UnreadableImage(
            "projection-too-large", file=path, n_planes=int(n_planes), n_values=n_values, limit=_MOST_PROJECTED
        )
    if plane == "max":
        highest = first.copy()
        for index in range(1, n_planes):
            np.maximum(highest, _same_shape(path, read(index), highest), out=highest)
        return highest
    return _mean(path, first, n_planes, read)


def _as_channels(path: Path, n_planes: int, read: Callable[[int], Array]) -> Array:
    """Return (H, W, C) of all planes one after the other."""
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
    """Convert (H, W, 4) inks to (H, W, 3) light, same unsigned dtype: what ink and black let through."""
    top = np.float32(np.iinfo(array.dtype).max)

    def light(inks: Array) -> Array:
        paper = 1 - inks.astype(np.float32) / top
        return np.rint(paper[..., :3] * paper[..., 3:4] * top).astype(array.dtype)

    return by_rows(light, array)


def palette_to_color(index: Array, palette: Array) -> Array:
    """Look pixels up in a palette of shape (n, 3): (H, W, 3), or (H, W) where the whole palette is gray."""
    is_gray = bool((palette == palette[:, :1]).all())
    if len(palette) <= int(index.max(initial=0)):
        raise ValueError(text("palette-too-short"))
    colors: Array = palette[:, 0] if is_gray else palette
    return by_rows(lambda rows: colors[rows], index)


HEAD_BYTES = 512  # from which a format can be identified


@dataclass(frozen=True, slots=True)
class Series:
    """One picture, stack or film in a file, as the file declares it."""

    axes: str  # a letter for each of `shape`: Y, X; C channels, S samples of a pixel; others (T, Z, ...) count planes
    shape: tuple[int, ...]
    pixel_size_um: tuple[float, float] | None = None  # width and height of a pixel; None: the file does not say
    name: str = ""

    @property
    def n_planes(self) -> int:
        """How many planes `ReadPlan.plane` can choose from."""
        return prod(size for axis, size in zip(self.axes, self.shape, strict=True) if axis not in "CSYX")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One file format. An outside package adds one by an entry point of the group `coverslip.readers`."""

    name: str  # short: what `inspect` counts
    title: str  # for people
    suffixes: tuple[str, ...]  # lower case, with a dot: by these a file in a folder counts as an image
    # Given a file's first 512 bytes. Names are never used: a TIFF may be called .png.
    is_this: Callable[[bytes], bool]
    # Every series of a file; the first is the one that is read. No pixels are decoded.
    describe: Callable[[Path], tuple[Series, ...]] | None = None
    # The plane that the plan asks for; depth, channels and box are applied afterwards. The number is of bytes that its
    # pixels may take: a file that declares more is refused before memory is allocated; see `check_size`. Called by
    # several threads.
    # Opens files with `open_image`, so that the app is given none from outside its folders.
    # May raise anything: all but UnreadableImage is reported as damage. None: known, and refused with a reason.
    read: Callable[[Path, ReadPlan, int], Decoded] | None = None
    # Of a format that is not read: how to get files that are. A function where it is a message of the catalogue.
    export: str | Callable[[], str] = ""

    @property
    def export_advice(self) -> str:
        """How to get files that can be read; empty if nothing is known."""
        return self.export() if callable(self.export) else self.export


def starts(*signatures: bytes) -> Callable[[bytes], bool]:
    """Return whether a file begins with one of them, to be a reader's `is_this`."""
    return lambda head: head.startswith(signatures)
