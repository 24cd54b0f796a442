"""The random parameters that each augmentation draws for a batch.

Angles are uniform, scales log-uniform, shifts uniform in both directions; a flip has probability one half in either
direction. All but flips draw, used or not.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from coverslip.augmentation.transform import gaussians, stain_matrices


class Random:
    """Random numbers for a batch, the same for the same generator."""

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self.n = n
        self._generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        """Return (n,) in [low, high)."""
        return torch.rand(self.n, generator=self._generator) * (high - low) + low

    def signs(self, rows: int) -> Tensor:
        """Return (rows, n) of -1 and 1."""
        return torch.randint(0, 2, (rows, self.n), generator=self._generator) * 2 - 1


Drawn = dict[str, Tensor]


def rotation(random: Random, degrees: float) -> Drawn:
    return {"angle": random.uniform(-1, 1) * math.radians(degrees)}


def zoom(random: Random, share: float) -> Drawn:
    return {"scale": torch.exp(random.uniform(-1, 1) * math.log1p(share))}


def flip(random: Random, which: bool | Literal["horizontal"]) -> Drawn:
    if not which:
        return {}
    flips = random.signs(2)
    if which == "horizontal":
        flips[1] = 1
    return {"flips": flips.T}


def shift(random: Random, share: float) -> Drawn:
    shifts = torch.stack([random.uniform(-1, 1), random.uniform(-1, 1)], dim=1)
    return {"shifts": shifts * 2 * share}  # the image spans -1 to 1


def contrast(random: Random, share: float) -> Drawn:
    return {"gain": 1 + random.uniform(-1, 1) * share}


def brightness(random: Random, share: float) -> Drawn:
    return {"offset": random.uniform(-1, 1) * share}


def shear(random: Random, degrees: float) -> Drawn:
    slant = torch.tan(random.uniform(-1, 1) * math.radians(degrees))
    return {"slant": slant} if degrees else {}


def crop(random: Random, share: float) -> Drawn:
    side = 1 - random.uniform(0, 1) * share
    corner = torch.stack([random.uniform(-1, 1), random.uniform(-1, 1)], dim=1)
    return {"kept": side, "corner": corner} if share else {}


def stain(random: Random, share: float) -> Drawn:
    stronger, added = (torch.stack([random.uniform(-1, 1) * share for _ in range(3)], dim=1) for _ in range(2))
    return {"stain": stain_matrices(stronger, added)} if share else {}


def saturation(random: Random, share: float) -> Drawn:
    saturation = 1 + random.uniform(-1, 1) * share
    return {"saturation": saturation} if share else {}


def hue(random: Random, degrees: float) -> Drawn:
    hue = random.uniform(-1, 1) * math.radians(degrees)
    return {"hue": hue} if degrees else {}


def blur(random: Random, largest: float) -> Drawn:
    sigma = random.uniform(0, 1) * largest
    return {"blur": gaussians(sigma, largest)} if largest else {}
