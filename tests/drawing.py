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


def draw_field(
    rng: np.random.Generator,
    n: int,
    *,
    side: int = 512,
    radius: float = 12,
    touching: float = 0.0,
    noise: float = 0.02,
    dimmest: float = 0.5,
    shading: float = 0.3,
    pale: float = 0.0,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """Bright ellipses on an uneven background, and their labels; fewer than `n` if they do not fit.

    Args:
        rng: random numbers.
        n: number of ellipses.
        side: width and height of the field.
        radius: mean radius; single ones vary by a tenth, and axes by up to a third.
        touching: share of ellipses that are placed beside another one and overlap it by a tenth of the radius.
        noise: standard deviation, where the brightest ellipse is 1 above the background.
        dimmest: brightness of the dimmest ellipse.
        shading: fall of the background from the center to the corners.
        pale: the center of each ellipse is less bright by this share; 1 is as dark as the background.
    """
    from scipy.ndimage import gaussian_filter

    labels = np.zeros((side, side), np.int32)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    pixels = 0.2 + shading * (1 - ((y / side - 0.5) ** 2 + (x / side - 0.5) ** 2) * 2)
    placed: list[tuple[float, float, float]] = []
    for _ in range(200 * n):
        if len(placed) == n:
            break
        size = radius * rng.normal(1, 0.1)
        is_beside = bool(placed) and rng.random() < touching
        if is_beside:
            other_y, other_x, other_size = placed[int(rng.integers(len(placed)))]
            angle = rng.uniform(0, 2 * np.pi)
            distance = other_size + 0.9 * size
            center_y, center_x = other_y + distance * np.sin(angle), other_x + distance * np.cos(angle)
        else:
            center_y, center_x = rng.uniform(0, side, 2)
        top, left = (max(0, int(center - 2 * size - 4)) for center in (center_y, center_x))
        window = (slice(top, int(center_y + 2 * size + 5)), slice(left, int(center_x + 2 * size + 5)))
        angle, stretch = rng.uniform(0, np.pi), np.sqrt(1.0 if is_beside else rng.uniform(1, 1.5))
        dy, dx = y[window] - center_y, x[window] - center_x
        along, across = dx * np.cos(angle) + dy * np.sin(angle), dy * np.cos(angle) - dx * np.sin(angle)
        distances = np.hypot(along / stretch, across * stretch)
        inside = distances < size
        n_covered = (inside & (labels[window] > 0)).sum()
        if is_beside and not 0 < n_covered < 0.1 * inside.sum():
            continue
        if not is_beside and ((distances < size + 4) & (labels[window] > 0)).any():
            continue
        if inside.sum() < 0.3 * np.pi * size**2:  # mostly outside the field
            continue
        placed.append((center_y, center_x, size))
        inside &= labels[window] == 0
        labels[window][inside] = len(placed)
        center = np.exp(-((distances[inside] / (0.4 * size)) ** 4))
        pixels[window][inside] += rng.uniform(dimmest, 1) * (1 - pale * center)
    pixels = gaussian_filter(pixels, 1.0) + rng.normal(0, noise, pixels.shape)
    return pixels.astype(np.float32), labels
