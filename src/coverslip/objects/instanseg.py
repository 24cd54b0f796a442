"""InstanSeg: nuclei by a network in a TorchScript file that the user supplies.

The file runs without the packages of InstanSeg. Files of InstanSeg are on BioImage.IO and in the releases of
https://github.com/instanseg/instanseg; a network for fluorescence takes any channels, a network for bright field three.

Source: Goldsborough et al., arXiv:2408.15954 (2024).
"""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import CoverslipError
from coverslip.objects.finding import FinderSettings, tiles_of

_TILE_SIDE, _MARGIN = 1024, 96  # pixels at the scale of the network
_LEAST_SIDE = 32  # pixels that the network accepts
_PERCENTILES = (0.1, 99.9)  # of each channel, scaled to 0 and 1: as in the files' description for BioImage.IO


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
