"""Augmented copies of training images for a linear probe, which learns from them how features vary within an image.

Fine-tuning draws new random changes in every epoch. A linear probe uses few copies, the same ones in every training:
the rotated and mirrored ones that lose no pixel, and some with other light, focus and size. Copies at any angle, as
fine-tuning draws them, made probes worse (benchmarks/RESULTS.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from coverslip.augmentation.sets import Amount

Pixels = npt.NDArray[np.unsignedinteger]

_N_LIGHT = 4  # copies with other light
_OF_LIGHT = ("contrast", "brightness", "zoom", "stain", "saturation", "hue_degrees", "blur")  # and focus and size


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies of an image that random changes allow."""

    lossless: tuple[int, ...]  # rotated and mirrored ones, as `coverslip.engines.turned` numbers them; 0 is the image
    light_changes: dict[str, Amount]  # of light, focus and size; empty where there are none

    @staticmethod
    def within(amounts: Mapping[str, Amount]) -> "Copies":
        """Return those that random changes of these amounts allow."""
        light = {name: amount for name, amount in amounts.items() if name in _OF_LIGHT and amount}
        return Copies(_lossless(amounts["flip"], float(amounts["rotate_degrees"])), light)

    @property
    def n_light(self) -> int:
        """Copies with other light."""
        return _N_LIGHT if self.light_changes else 0

    def __len__(self) -> int:
        """Return the number of copies, the image among them; 0 if there is no other."""
        n = len(self.lossless) + self.n_light
        return n if n > 1 else 0

    def with_other_light(self, image: Pixels, drawn_from: str) -> Pixels:
        """Return (S, S, C) integers, changed at random; equal texts draw the same."""
        import torch

        from coverslip.augmentation.batch import apply_changes, draw_changes

        top = float(np.iinfo(image.dtype).max)
        x = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / top
        drawn = draw_changes(1, self.light_changes, torch.Generator().manual_seed(crc32(drawn_from.encode())))
        changed = apply_changes(x, drawn)[0].permute(1, 2, 0).numpy()
        return np.rint(changed * top).astype(image.dtype)


def _lossless(flip: Amount, degrees: float) -> tuple[int, ...]:
    if degrees >= 180:
        return tuple(range(8)) if flip else (0, 1, 6, 7)
    if flip == "horizontal":
        return (0, 2)
    return (0, 1, 2, 3) if flip else (0,)
