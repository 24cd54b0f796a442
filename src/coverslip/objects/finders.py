"""The table of finders: the built-in one, InstanSeg with a file of the user, and finders of other packages.

InstanSeg: nuclei by a network in a TorchScript file that the user supplies.

The file runs without the packages of InstanSeg. Files of InstanSeg are on BioImage.IO and in the releases of
https://github.com/instanseg/instanseg; a network for fluorescence takes any channels, a network for bright field three.

Source: Goldsborough et al., arXiv:2408.15954 (2024).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import CoverslipError
from coverslip.events import OnProgress
from coverslip.messages import note, text
from coverslip.objects.finding import FinderResult, FinderSettings, find_objects, tiles_of

_TILE_SIDE, _MARGIN = 1024, 96  # pixels at the scale of the network
_LEAST_SIDE = 32  # pixels that the network accepts
_PERCENTILES = (0.1, 99.9)  # of each channel, scaled to 0 and 1: as in the files' description for BioImage.IO
ENTRY_POINTS = "coverslip.finders"

# Takes pixels (H, W, channels), settings, the pixel size in micrometers or None, and the file that the finder needs or
# None. Returns labels (H, W): 0 is background, every other number an object.
Find = Callable[[NDArray[np.generic], FinderSettings, float | None, Path | None], NDArray[np.integer]]


def find_with_instanseg(
    pixels: NDArray[np.generic], settings: FinderSettings, pixel_size_um: float | None, file: Path | None
) -> NDArray[np.integer]:
    """Return the labels of nuclei.

    If the pixel size is known, the field is rescaled to the pixel size of the network. Of the settings, `channel` is
    used.
    """
    import torch
    from torch.nn.functional import interpolate, pad

    try:
        network = torch.jit.load(file, map_location="cpu").eval()  # type: ignore[no-untyped-call]
        scale = pixel_size_um / float(network.pixel_size) if pixel_size_um else 1.0
        outputs = torch.tensor([1, 0] if network.cells_and_nuclei else [1])
    except (RuntimeError, AttributeError) as error:
        raise CoverslipError("finder-no-instanseg", file=file) from error
    if settings.channel is not None:
        pixels = pixels[..., settings.channel : settings.channel + 1]
    step = max(1, math.isqrt(pixels.shape[0] * pixels.shape[1] // 1_000_000))
    low, high = np.percentile(pixels[::step, ::step].astype(np.float32), _PERCENTILES, axis=(0, 1))
    shape = (pixels.shape[0], pixels.shape[1])
    labels = np.zeros(shape, np.int32)
    n_objects = 0
    for core, tile in tiles_of(shape, round(_TILE_SIDE / scale), round(_MARGIN / scale)):
        scaled = (pixels[tile].astype(np.float32) - low) / np.maximum(high - low, 1e-6)
        field = torch.from_numpy(scaled.astype(np.float32)).permute(2, 0, 1)[None]
        height, width = field.shape[2:]
        if scale != 1:
            size = [max(1, round(side * scale)) for side in (height, width)]
            field = interpolate(field, size=size, mode="bilinear", antialias=True)
        missing = [max(0, _LEAST_SIDE - side) for side in field.shape[2:]]
        padded = pad(field, (0, missing[1], 0, missing[0]))
        with torch.inference_mode():
            result = network(padded, target_segmentation=outputs)[:, :1, : field.shape[2], : field.shape[3]]
        if scale != 1:
            result = interpolate(result, size=(height, width), mode="nearest-exact")
        n_objects = _add(labels, result[0, 0].numpy().astype(np.int32), core, tile, n_objects)
    return labels


def _add(
    labels: NDArray[np.int32],
    objects: NDArray[np.int32],
    core: tuple[slice, slice],
    tile: tuple[slice, slice],
    n_objects: int,
) -> int:
    """Write the objects whose center is in the core of a tile; return the number of objects so far."""
    from scipy.ndimage import center_of_mass

    numbers = np.unique(objects[objects > 0])
    if not numbers.size:
        return n_objects
    centers = np.array(center_of_mass(objects > 0, objects, numbers)) + [side.start for side in tile]
    is_owned = np.all([(at >= side.start) & (at < side.stop) for at, side in zip(centers.T, core, strict=True)], axis=0)
    new_of = np.zeros(int(numbers.max()) + 1, np.int32)
    new_of[numbers[is_owned]] = np.arange(1, is_owned.sum() + 1) + n_objects
    new, target = new_of[objects], labels[tile]
    np.copyto(target, new, where=(new > 0) & (target == 0))
    return n_objects + int(is_owned.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finder:
    """A finder of objects.

    To add one, return its record in `list_finders`. Other packages add finders with an entry point of the group
    `coverslip.finders`.
    """

    name: str  # short, for commands
    title: str  # shown to users
    license: str  # of the code and of its weights
    find: Find
    file: str = ""  # the file that the user supplies, in words; empty if none is needed


def _find_classical(
    pixels: NDArray[np.generic], settings: FinderSettings, pixel_size_um: float | None, file: Path | None
) -> NDArray[np.integer]:
    return find_objects(pixels, settings, pixel_size_um).labels


CLASSICAL = Finder(name="classical", title="coverslip's finder", license="BSD-3-Clause", find=_find_classical)
INSTANSEG = Finder(
    name="instanseg",
    title="InstanSeg, nuclei",
    license="Apache-2.0; the weights have the license of their file",
    find=find_with_instanseg,
    file="TorchScript file of InstanSeg (.pt)",
)


def list_finders() -> tuple[Finder, ...]:
    """Return all finders: the built-in ones, then those of installed packages.

    Raises:
        CoverslipError: the finder of an installed package cannot be loaded.
    """
    return (CLASSICAL, INSTANSEG, *_installed())


def find_with(
    name: str,
    pixels: NDArray[np.generic],
    settings: FinderSettings | None = None,
    pixel_size_um: float | None = None,
    file: Path | None = None,
    report: OnProgress = lambda done, total: None,
) -> FinderResult:
    """Find the objects of a field with the finder of this name.

    Args:
        name: a name of `list_finders()`.
        pixels, settings, pixel_size_um: as for `find_objects`. Other finders use those settings that suit them.
        file: the file that the finder needs.
        report: receives the numbers of searched pixels and of all pixels.

    Raises:
        CoverslipError: there is no such finder, its file is missing, it failed, or its result is no label image.
    """
    settings = settings or FinderSettings()
    if name == CLASSICAL.name:
        return find_objects(pixels, settings, pixel_size_um, report)
    table = {finder.name: finder for finder in list_finders()}
    if name not in table:
        raise CoverslipError("finder-unknown", name=name, names=", ".join(table))
    finder = table[name]
    if finder.file and (file is None or not file.is_file()):
        raise CoverslipError("finder-without-file", file=file, name=name, needs=finder.file)
    pixels = np.asarray(pixels)
    try:
        labels = finder.find(pixels[..., None] if pixels.ndim == 2 else pixels, settings, pixel_size_um, file)
    except CoverslipError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise CoverslipError("finder-failed", file=file, name=name, reason=reason) from error
    labels = _checked(name, labels, pixels.shape[:2])
    report(labels.size, labels.size)
    warnings = () if labels.any() else (note("finder-nothing", level="warning"),)
    return FinderResult(labels, warnings, settings)


def _checked(name: str, labels: NDArray[np.integer], shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the labels numbered from 1 without gaps."""
    labels = np.asarray(labels)
    if labels.shape != shape or labels.dtype.kind not in "iu" or labels.min(initial=0) < 0:
        reason = f"{labels.shape}, {labels.dtype}"
        raise CoverslipError("finder-wrong-labels", name=name, reason=reason)
    numbers, ranks = np.unique(labels, return_inverse=True)
    has_background = bool(numbers.size) and numbers[0] == 0
    consecutive: NDArray[np.int32] = (ranks.reshape(shape) + (0 if has_background else 1)).astype(np.int32)
    return consecutive


@cache
def _installed() -> tuple[Finder, ...]:
    names = {CLASSICAL.name, INSTANSEG.name}
    loaded = []
    for entry in entry_points(group=ENTRY_POINTS):
        loaded.append(_load(entry, names))
        names.add(loaded[-1].name)
    return tuple(loaded)


def _load(entry: EntryPoint, names: set[str]) -> Finder:
    package = entry.dist.name if entry.dist else entry.value
    try:
        finder = entry.load()
        if not isinstance(finder, Finder):
            raise TypeError(text("finder-no-record", type=type(finder).__name__))
        if finder.name in names:
            raise ValueError(f"there are two finders with the name '{finder.name}'")
        return finder
    except Exception as error:
        raise CoverslipError(
            "finder-not-loaded", name=entry.name, package=package, reason=str(error) or type(error).__name__
        ) from error
