"""Augmented copies of training images for a linear probe.

Fine-tuning samples new augmentation parameters in every epoch. A linear probe is trained on a few copies of each image,
the same ones in every training: lossless rotations and reflections, and some copies with changed light, focus and size.
Copies rotated by any angle, as in fine-tuning, made probes worse (benchmarks/NOT_KEPT.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from coverslip.augmentation.table import Amount

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
        import torch

        from coverslip.augmentation.transform import apply_changes, draw_changes

        top = float(np.iinfo(image.dtype).max)
        x = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / top
        changes = draw_changes(1, self.light_changes, torch.Generator().manual_seed(crc32(seed_text.encode())))
        changed = apply_changes(x, changes)[0].permute(1, 2, 0).numpy()
        return np.rint(changed * top).astype(image.dtype)


def _lossless(flip: Amount, degrees: float) -> tuple[int, ...]:
    if degrees >= 180:
        return tuple(range(8)) if flip else (0, 1, 6, 7)
    if flip == "horizontal":
        return (0, 2)
    return (0, 1, 2, 3) if flip else (0,)
