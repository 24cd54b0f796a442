"""Random changes to whole batches of training images: one resampling and one multiplication for all of them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from coverslip.runs import Augment


@dataclass(frozen=True, slots=True)
class Changes:
    """What was drawn for a batch: (B, 2, 3) affine maps from output to input, (B,) gains and offsets."""

    maps: Tensor
    gain: Tensor
    offset: Tensor


def draw_changes(n: int, augment: Augment, generator: torch.Generator) -> Changes:
    """Random changes for n images.

    Angles are uniform, scales log-uniform, shifts uniform in both directions; a flip has probability one half in
    either direction.
    """

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(n, generator=generator) * (high - low) + low

    angle = uniform(-1, 1) * math.radians(augment.rotate_degrees)
    scale = torch.exp(uniform(-1, 1) * math.log1p(augment.zoom))
    flips = (torch.randint(0, 2, (2, n), generator=generator) * 2 - 1) if augment.flip else torch.ones(2, n)
    shifts = torch.stack([uniform(-1, 1), uniform(-1, 1)]) * 2 * augment.shift  # the image spans -1 to 1
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = [cos * flips[0], -sin * flips[0], shifts[0], sin * flips[1], cos * flips[1], shifts[1]]
    gain = 1 + uniform(-1, 1) * augment.contrast
    offset = uniform(-1, 1) * augment.brightness
    return Changes(torch.stack(rows, dim=1).reshape(n, 2, 3), gain, offset)


def apply_changes(x: Tensor, changes: Changes) -> Tensor:
    """(B, C, H, W) float in [0, 1], changed; what comes from outside the image is its mirror image.

    Contrast stretches around each image's own mean, so that it does not also act as brightness.
    """
    grid = functional.affine_grid(changes.maps.to(x), list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    gain, offset = (values.to(x).reshape(-1, 1, 1, 1) for values in (changes.gain, changes.offset))
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return torch.addcmul(mean * (1 - gain) + offset, x, gain).clamp_(0, 1)
