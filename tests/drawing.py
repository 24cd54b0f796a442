"""Small pictures, drawn: cells whose size is their class, and noise where nobody looks at what is shown."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZES = {"small": 0.1, "medium": 0.19, "large": 0.29}  # radius of a class's cells, as a share of the picture's side


def save_pixels(path: Path, pixels: npt.NDArray[np.generic]) -> Path:
    """An image file of these pixels, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def save_noise(path: Path, seed: int = 0, shape: tuple[int, ...] = (24, 24, 3), depth: type = np.uint8) -> Path:
    """An image unlike any other, but for those of the same seed."""
    return save_pixels(path, np.random.default_rng(seed).integers(0, np.iinfo(depth).max, shape, dtype=depth))


def write_noise(folder: Path, n: Mapping[str, int], *, n_slides: int = 3, side: int = 24) -> Path:
    """A folder for each class with so many images, `slide0_0.png` and so on, no two alike."""
    for k, (label, n_images) in enumerate(n.items()):
        for i in range(n_images):
            save_noise(folder / label / f"slide{i % n_slides}_{i}.png", 1000 * k + i, (side, side, 3))
    return folder


def write_cells(
    folder: Path,
    n: int = 90,
    *,
    sizes: Mapping[str, float] = SIZES,
    n_slides: int = 9,
    side: int = 48,
    channels: int = 3,
    depth: type = np.uint8,
    ground: float | tuple[float, ...] = 0.25,
    contrast: float = 0.45,
    spread: float = 0.017,
    noise: float = 0.03,
    is_sorted: bool = True,
    seed: int = 0,
) -> Path:
    """Bright cells on slides that differ in brightness, each class in a folder of its own.

    The i-th picture is of the i-th class in turn, named `slide0_000.png` and so on.

    Args:
        n: pictures of all classes together.
        sizes: name and radius of each class, the radius as a share of the side.
        channels: of a picture; it is grey with one.
        ground: brightness of the background, 0 to 1, of all channels or of each.
        contrast: how much brighter a cell is, 0 to 1.
        spread: standard deviation of the radius, as a share of the side.
        noise: standard deviation of each pixel.
        is_sorted: whether classes have folders; otherwise all pictures lie in one.
    """
    rng, labels = np.random.default_rng(seed), list(sizes)
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    for i in range(n):
        label, slide = labels[i % len(labels)], i // len(labels) % n_slides
        y, x = rng.uniform(0.4, 0.6, 2)
        cell = np.hypot(rows - y, columns - x) < sizes[label] + rng.normal(0, spread)
        light = np.broadcast_to(ground, channels) + 0.02 * (slide % 9)
        colour = contrast * rng.uniform(0.8, 1.2, channels)
        picture = light + cell[..., None] * colour + rng.normal(0, noise, (side, side, channels))
        pixels = (picture.clip(0, 1) * np.iinfo(depth).max).astype(depth)
        where = folder / label if is_sorted else folder
        save_pixels(where / f"slide{slide}_{i:03d}.png", pixels if channels == 3 else pixels[..., 0])
    return folder
