"""Augmented copies of training images for a linear probe.

Fine-tuning samples new augmentation parameters in every epoch. A linear probe is trained on a few copies of each image,
the same ones in every training: lossless rotations and reflections, and some copies with changed light, focus and size.
Copies rotated by any angle, as in fine-tuning, made probes worse (benchmarks/NOT_KEPT.md).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from coverslip.augmentation.drawing import DARKEST, AugmentationParameters, draw_changes
from coverslip.augmentation.table import Amount, Floats
from coverslip.errors import require_extra

Pixels = npt.NDArray[np.unsignedinteger]

_N_LIGHT = 4  # copies of each image with changed light
_LIGHT_CHANGES = ("contrast", "brightness", "zoom", "stain", "saturation", "hue_degrees", "blur")  # light, focus, size


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies of each training image."""

    lossless: tuple[int, ...]  # numbers of rotations and reflections as in `coverslip.engines.turned`; 0: identity
    light_changes: dict[str, Amount]  # amounts by name; empty: no copies with changed light

    @staticmethod
    def within(amounts: Mapping[str, Amount]) -> "Copies":
        """Return the copies that stay within these amounts of augmentation."""
        light = {name: amount for name, amount in amounts.items() if name in _LIGHT_CHANGES and amount}
        return Copies(_lossless(amounts["flip"], float(amounts["rotate_degrees"])), light)

    @property
    def n_light(self) -> int:
        """The number of copies with changed light."""
        return _N_LIGHT if self.light_changes else 0

    def __len__(self) -> int:
        """Return the number of copies including the image itself; 0 if that is the only one."""
        n = len(self.lossless) + self.n_light
        return n if n > 1 else 0

    def with_other_light(self, image: Pixels, seed_text: str) -> Pixels:
        """Return (S, S, C) integers of a copy with changed light; equal texts give equal changes."""
        top, generator = np.float32(np.iinfo(image.dtype).max), np.random.default_rng(crc32(seed_text.encode()))
        changed = changed_image(image.astype(np.float32) / top, self.light_changes, generator)
        levels: Pixels = np.rint(changed * top).astype(image.dtype)
        return levels


def changed_image(
    image: Floats, amounts: Mapping[str, Amount] | Iterable[tuple[str, Amount]], generator: np.random.Generator
) -> Floats:
    """Return an (H, W, C) image in [0, 1] changed at random, as of `transform.apply_changes`, without PyTorch.

    An augmentation with a function of its own needs PyTorch.
    """
    from scipy.ndimage import affine_transform, correlate1d

    changes = draw_changes(1, amounts, generator)
    size, center = np.array(image.shape[:2]), (np.array(image.shape[:2]) - 1) / 2
    map_ = changes.maps[0][::-1, [1, 0, 2]].astype(np.float64)  # of rows and columns; the image spans -1 to 1
    matrix = map_[:, :2] * (size[:, None] / size)
    shift = map_[:, 2] * size / 2 + center - matrix @ center
    if not (matrix[0, 1] or matrix[1, 0]):
        matrix = np.diag(matrix)  # which SciPy computes faster
    x: Floats = np.stack(
        [affine_transform(image[..., c], matrix, shift, order=1, mode="reflect") for c in range(image.shape[2])], axis=2
    )
    if changes.stain is not None:
        density = -np.log(np.maximum(x, DARKEST))
        x = np.minimum(x * np.exp(-(density @ changes.stain[0, :, :3].T + changes.stain[0, :, 3])), 1)
    if changes.color is not None:
        x = x @ changes.color[0].T
    if changes.blur is not None:
        for axis in (1, 0):
            x = correlate1d(x, changes.blur[0], axis=axis, mode="reflect")
    mean = x.mean()
    x = np.clip((x - mean) * changes.gain[0] + mean + changes.offset[0], 0, 1).astype(np.float32)
    return _with_others(x, changes) if changes.others else x


def _with_others(image: Floats, changes: AugmentationParameters) -> Floats:
    require_extra("train")
    import torch

    from coverslip.augmentation.transform import apply_others

    x = apply_others(torch.from_numpy(image).permute(2, 0, 1)[None], changes)
    changed: Floats = x[0].permute(1, 2, 0).numpy()
    return changed


def _lossless(flip: Amount, degrees: float) -> tuple[int, ...]:
    if degrees >= 180:
        return tuple(range(8)) if flip else (0, 1, 6, 7)
    if flip == "horizontal":
        return (0, 2)
    return (0, 1, 2, 3) if flip else (0,)
