"""Small pictures, drawn: cells whose size is their class, and noise where nobody looks at what is shown."""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image


def save_pixels(path: Path, pixels: npt.NDArray[np.generic]) -> Path:
    """An image file of these pixels, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def save_cell(path: Path, seed: int | None = None, side: int = 24) -> Path:
    """An image of noise, unlike any other but those of the same seed, which is that of the path if none is given."""
    rng = np.random.default_rng(zlib.crc32(os.fsencode(path)) if seed is None else seed)
    return save_pixels(path, rng.integers(0, 255, (side, side, 3), dtype=np.uint8))


def save_cells(folder: Path, classes: Sequence[str] = ("round", "flat"), n: int = 6) -> Path:
    """Images of noise in a folder for each class, `slide0_0.png` and so on."""
    for k, name in enumerate(classes):
        for i in range(n):
            save_cell(folder / name / f"slide{i % 3}_{i}.png", seed=100 * k + i)
    return folder


def write_cells(
    folder: Path,
    n: int = 90,
    *,
    classes: Sequence[str] = ("small", "medium", "large"),
    radii: Sequence[float] | None = None,
    n_slides: int = 9,
    side: int = 48,
    channels: int = 3,
    depth: type = np.uint8,
    ground: float | tuple[float, ...] = 0.25,
    is_sorted: bool = True,
    seed: int = 0,
) -> Path:
    """Bright cells on slides that differ in brightness, each class in a folder of its own.

    The i-th picture is of the i-th class in turn, named `slide0_000.png` and so on.

    Args:
        n: pictures of all classes together.
        classes: from the smallest cells to the largest.
        radii: of each class, as shares of the side; evenly from a tenth to three tenths, if they are not given.
        channels: of a picture; it is gray with one.
        ground: brightness of the background, 0 to 1, of all channels or of each.
        is_sorted: whether classes have folders; otherwise all pictures lie in one.
    """
    rng = np.random.default_rng(seed)
    radii = np.linspace(0.1, 0.3, len(classes)) if radii is None else radii
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    for i in range(n):
        kind, slide = i % len(classes), i // len(classes) % n_slides
        y, x = rng.uniform(0.4, 0.6, 2)
        cell = np.hypot(rows - y, columns - x) < radii[kind] + rng.normal(0, 0.015)
        light = np.broadcast_to(ground, channels) + 0.02 * (slide % 9)
        color = rng.uniform(0.35, 0.5, channels)
        picture = light + cell[..., None] * color + rng.normal(0, 0.03, (side, side, channels))
        pixels = (picture.clip(0, 1) * np.iinfo(depth).max).astype(depth)
        where = folder / classes[kind] if is_sorted else folder
        save_pixels(where / f"slide{slide}_{i:03d}.png", pixels if channels > 1 else pixels[..., 0])
    return folder
