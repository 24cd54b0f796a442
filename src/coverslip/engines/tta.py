"""Test-time augmentation: the outputs of mirrored and turned copies of an image averaged, since cells have no 'up'."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from coverslip.engines.engine import Engine, FloatArray, images_at_once

_Number = TypeVar("_Number", bound=np.generic)


def run_tta(engine: Engine, pixels: npt.NDArray[np.unsignedinteger], tta: int) -> FloatArray:
    """Return the engine's outputs averaged over the copies: (N, D) float32.

    Args:
        engine: what to run.
        pixels: (N, S, S, C) uint8 or uint16.
        tta: 1 the image; 2 and its half turn; 4 and both mirror images; 8 and all of these turned by a quarter.
    """
    n = images_at_once(pixels.shape[1:])
    return np.concatenate([_average(engine, pixels[i : i + n], tta) for i in range(0, len(pixels), n)])


def as_input(pixels: npt.NDArray[np.unsignedinteger]) -> FloatArray:
    """Map (N, S, S, C) integers -> (N, C, S, S) float32 in [0, 1]."""
    top = np.float32(np.iinfo(pixels.dtype).max)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32) / top


def _average(engine: Engine, pixels: npt.NDArray[np.unsignedinteger], tta: int) -> FloatArray:
    x = as_input(pixels)
    total = engine.run(x)
    for copy in range(1, tta):
        total += engine.run(np.ascontiguousarray(turned(x, copy)))
    return total / np.float32(tta)


def turned(x: npt.NDArray[_Number], copy: int) -> npt.NDArray[_Number]:
    """(N, C, S, S). Copy 1 is the half turn, 2 and 3 the mirror images, 4 to 7 the same of the transposed image."""
    if copy >= 4:
        x = x.transpose(0, 1, 3, 2)
    match copy % 4:
        case 1:
            return x[:, :, ::-1, ::-1]
        case 2:
            return x[:, :, :, ::-1]
        case 3:
            return x[:, :, ::-1]
        case _:
            return x
