"""What every reader gives back, and the refusals that all readers share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images.plan import Plane

Array = np.ndarray[Any, np.dtype[Any]]  # Any: shape and dtype are said in each docstring


EXPORT_AGAIN = "Copy or export it again; the other images are not affected."
SHRINK = "Crop or shrink it first."


@dataclass(frozen=True, slots=True)
class Decoded:
    """One plane as its reader found it, before depth, channels and box of the plan are applied."""

    array: Array  # (H, W) or (H, W, C), any real dtype
    bit_depth: int  # as declared: 1, 2, 4, 8, 12, 16, 32, ...
    n_planes: int = 1
    note: str | None = None  # one short reason, equal for equal causes, so that a caller can count


def damaged(path: Path, why: object) -> UnreadableImage:
    """The refusal of a file whose bytes do not make a whole image."""
    reason = " ".join(str(why).split())[:160].rstrip(". ") or type(why).__name__
    return UnreadableImage(
        f"The file is damaged, cut short or of an unknown kind: {reason}",
        file=path,
        do=EXPORT_AGAIN,
    )


def check_size(path: Path, width: int, height: int, max_pixels: int, *, n_samples: int = 1) -> None:
    """Refuse by the declared size, before memory is asked for.

    `n_samples` counts values per pixel over channels; more than four of them count like further pixels.

    Raises:
        UnreadableImage: the file declares no pixels, or more than `max_pixels`.
    """
    if width < 1 or height < 1 or n_samples < 1:
        raise damaged(path, f"it declares a size of {width} x {height} pixels")
    if width * height * max(1.0, n_samples / 4) > max_pixels:
        raise UnreadableImage(
            f"The image declares {width} x {height} pixels, too many at once: "
            f"the limit is {max_pixels / 1e6:.0f} million",
            file=path,
            do=SHRINK,
        )


def choose_plane(path: Path, plane: Plane, n_planes: int, read: Callable[[int], Array]) -> Array:
    """One plane by its number, or the maximum or mean over all, held one at a time.

    The mean of whole numbers is rounded to the nearest.

    Raises:
        UnreadableImage: there is no plane of that number.
    """
    if isinstance(plane, int):
        if not 0 <= plane < n_planes:
            raise UnreadableImage(
                f"Plane {plane} was asked for, but the file has {n_planes} (numbered from 0)",
                file=path,
                do="Choose a lower plane, or 'max' or 'mean' over all.",
            )
        return read(plane)
    if n_planes == 1:
        return read(0)
    first = read(0)
    if plane == "max":
        highest = first.copy()
        for index in range(1, n_planes):
            np.maximum(highest, _same_shape(path, read(index), first), out=highest)
        return highest
    total = first.astype(np.float64)
    for index in range(1, n_planes):
        total += _same_shape(path, read(index), first)
    total /= n_planes
    return np.rint(total).astype(first.dtype) if first.dtype.kind in "iu" else total.astype(first.dtype)


def _same_shape(path: Path, array: Array, first: Array) -> Array:
    if array.shape != first.shape:
        raise UnreadableImage("The planes of the file differ in size", file=path, do="Choose one plane by its number.")
    return array


def cmyk_to_rgb(array: Array) -> Array:
    """(H, W, 4) inks to (H, W, 3) light, same unsigned dtype: what ink and black let through."""
    top = np.float32(np.iinfo(array.dtype).max)
    paper = 1 - array.astype(np.float32) / top
    return np.rint(paper[..., :3] * paper[..., 3:4] * top).astype(array.dtype)


def palette_to_colour(index: Array, palette: Array) -> Array:
    """Look pixels up in a palette of shape (n, 3): (H, W, 3), or (H, W) where the whole palette is grey."""
    is_grey = bool((palette == palette[:, :1]).all())
    if len(palette) <= int(index.max(initial=0)):
        raise ValueError("a pixel points beyond the end of the palette")
    colour: Array = (palette[:, 0] if is_grey else palette)[index]
    return colour
