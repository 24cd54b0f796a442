"""Random changes to whole batches of training images: one resampling and one multiplication for all of them.

Blur, stain and color cost a pass each, and are computed only where the recipe asks for them.

Stain: Ruifrok & Johnston 2001, Quantification of histochemical staining by color deconvolution (the three directions
of optical density), jittered as by Tellez et al. 2018, Whole-slide mitosis detection in H&E breast histology using PHH3
as a reference to train distilled stain-invariant convolutional networks: every stain's density times 1 + a, plus b.
Here densities are natural logarithms, and a and b have the same range. The three directions serve for other dyes than
haematoxylin, eosin and DAB too: any three that are apart span all colors.

Color: saturation and hue are scaled and turned in the chroma plane of YIQ, which keeps luminance and gray.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields

import torch
from torch import Tensor
from torch.nn import functional

# What random changes may draw for the transform, the first axis that of the images, and what stands for what none
# of them drew.
PARTS: Mapping[str, float | None] = {
    "angle": 0.0,  # (B,) radians
    "scale": 1.0,  # (B,)
    "flips": 1.0,  # (B, 2) of -1 or 1: left-right and top-bottom
    "shifts": 0.0,  # (B, 2): the image spans -1 to 1
    "gain": 1.0,  # (B,) around the image's mean
    "offset": 0.0,  # (B,)
    "slant": None,  # (B,) tangent
    "kept": None,  # (B,) share of the side
    "corner": None,  # (B, 2) in [-1, 1]: where the window of that share lies
    "stain": None,  # (B, 3, 4): from the three channels' densities, and 1, to what they gain
    "saturation": 1.0,  # (B,)
    "hue": 0.0,  # (B,) radians
    "blur": None,  # (B, taps): symmetric kernels that sum to 1
}

_STAIN_DENSITIES = torch.tensor([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])  # rows: H, E, DAB
_DARKEST = 1 / 255  # light that a density is taken of: what is darker is noise, and has no color worth taking apart
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


@dataclass(frozen=True, slots=True)
class Changes:
    """Random parameters for a batch; None: not applied."""

    maps: Tensor  # (B, 2, 3) affine, from output to input
    gain: Tensor  # (B,)
    offset: Tensor  # (B,)
    stain: Tensor | None = None  # as in `PARTS`
    color: Tensor | None = None  # (B, 3, 3): from red, green and blue to the same
    blur: Tensor | None = None  # as in `PARTS`
    others: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)  # by the change that uses them

    def mapped(self, move: Callable[[Tensor], Tensor]) -> "Changes":
        """Return the same with every tensor passed through `move`."""
        drawn = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "others"}
        others = {
            name: {part: move(tensor) for part, tensor in tensors.items()} for name, tensors in self.others.items()
        }
        return Changes(**{name: move(tensor) for name, tensor in drawn.items() if tensor is not None}, others=others)


def composed(n: int, drawn: Mapping[str, Tensor]) -> Changes:
    """Return the transform of n images from the parts that were drawn, named as in `PARTS`."""

    def part(name: str, *shape: int) -> Tensor:
        return drawn[name] if name in drawn else torch.full((n, *shape), PARTS[name] or 0.0)

    angle, scale, flips, shifts = part("angle"), part("scale"), part("flips", 2).T, part("shifts", 2).T
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    rows = [cos * flips[0], -sin * flips[0], shifts[0], sin * flips[1], cos * flips[1], shifts[1]]
    maps = torch.stack(rows, dim=1).reshape(n, 2, 3)
    if "slant" in drawn:
        maps = _after(maps, _slanted(drawn["slant"]))
    if "kept" in drawn:
        maps = _after(maps, _cropped(drawn["kept"], part("corner", 2)))
    has_color = "saturation" in drawn or "hue" in drawn
    return Changes(
        maps,
        part("gain"),
        part("offset"),
        stain=drawn.get("stain"),
        color=_color_matrices(part("saturation"), part("hue")) if has_color else None,
        blur=drawn.get("blur"),
    )


def apply_transform(x: Tensor, changes: Changes) -> Tensor:
    """Return (B, C, H, W) float in [0, 1], changed; what comes from outside the image is its mirror image.

    Contrast stretches around each image's own mean, so that it does not also act as brightness. Stain and color take
    three channels.
    """
    grid = functional.affine_grid(changes.maps.to(x), list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    if changes.stain is not None:
        x = _restained(x, changes.stain.to(x))
    if changes.color is not None:
        x = _mixed(changes.color.to(x), x)
    if changes.blur is not None:
        x = _blurred(x, changes.blur.to(x))
    gain, offset = (values.to(x).reshape(-1, 1, 1, 1) for values in (changes.gain, changes.offset))
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return torch.addcmul(mean * (1 - gain) + offset, x, gain).clamp_(0, 1)


def _slanted(slant: Tensor) -> Tensor:
    """Return (B, 2, 3) maps that move rows sideways by `slant` times their distance from the middle."""
    ones, zeros = torch.ones_like(slant), torch.zeros_like(slant)
    return torch.stack([ones, slant, zeros, zeros, ones, zeros], dim=1).reshape(-1, 2, 3)


def _cropped(side: Tensor, corner: Tensor) -> Tensor:
    """Return (B, 2, 3) maps onto a window with the share `side` of the side; `corner` in [-1, 1] says where it lies."""
    zeros, center = torch.zeros_like(side), corner * (1 - side)[:, None]
    return torch.stack([side, zeros, center[:, 0], zeros, side, center[:, 1]], dim=1).reshape(-1, 2, 3)


def _after(outer: Tensor, inner: Tensor) -> Tensor:
    """Return (B, 2, 3) maps that do `inner` first, then `outer`."""
    last_row = torch.tensor([0.0, 0.0, 1.0]).expand(len(inner), 1, 3)
    return outer @ torch.cat([inner, last_row], dim=1)


def stain_matrices(stronger: Tensor, added: Tensor) -> Tensor:
    """Return (B, 3, 4) from (B, 3) relative and absolute changes of each stain's density."""
    matrix = (_STAIN_DENSITIES / _STAIN_DENSITIES.norm(dim=1, keepdim=True)).T  # columns: stains
    of_density = matrix * stronger[:, None, :] @ torch.linalg.inv(matrix)
    return torch.cat([of_density, (added @ matrix.T)[:, :, None]], dim=2)


def _restained(x: Tensor, stain: Tensor) -> Tensor:
    density = x.clamp(min=_DARKEST).log_().neg_()
    gained = _mixed(stain[:, :, :3], density) + stain[:, :, 3, None, None]
    return (x * gained.neg_().exp_()).clamp_(max=1)


def _color_matrices(saturation: Tensor, hue: Tensor) -> Tensor:
    """Return (B, 3, 3): into YIQ, chroma scaled and turned, and back."""
    cos, sin = saturation * torch.cos(hue), saturation * torch.sin(hue)
    ones, zeros = torch.ones_like(cos), torch.zeros_like(cos)
    turned = torch.stack([ones, zeros, zeros, zeros, cos, -sin, zeros, sin, cos], dim=1).reshape(-1, 3, 3)
    matrices: Tensor = torch.linalg.inv(_YIQ) @ turned @ _YIQ
    return matrices


def _mixed(matrices: Tensor, x: Tensor) -> Tensor:
    """Return (B, 3, 3) times the channels of (B, 3, H, W)."""
    return (matrices @ x.flatten(2)).reshape(x.shape)


def gaussians(sigma: Tensor, largest: float) -> Tensor:
    """Return (B, taps) kernels out to three times the largest sigma; a sigma of 0 leaves the image as it is."""
    radius = max(1, math.ceil(3 * largest))
    distance = torch.arange(-radius, radius + 1)
    weight = torch.exp(-0.5 * (distance / sigma.clamp(min=1e-3)[:, None]).square())
    return weight / weight.sum(dim=1, keepdim=True)


def _blurred(x: Tensor, kernels: Tensor) -> Tensor:
    """Along rows, then columns, each image by its own kernel; mirrored at the border, so that its mean stays."""
    n, channels, height, width = x.shape
    radius = kernels.shape[1] // 2
    weight = kernels.repeat_interleave(channels, dim=0)[:, None, None]  # (B C, 1, 1, taps)
    x = x.reshape(1, n * channels, height, width)
    x = functional.conv2d(x[..., _mirrored(width, radius, x.device)], weight, groups=n * channels)
    x = functional.conv2d(x[:, :, _mirrored(height, radius, x.device)], weight.transpose(2, 3), groups=n * channels)
    return x.reshape(n, channels, height, width)


def _mirrored(size: int, radius: int, device: torch.device) -> Tensor:
    """Positions -radius … size + radius - 1, those outside mirrored at the border: 1 0 | 0 1 2 | 2 1."""
    place = torch.arange(-radius, size + radius, device=device) % (2 * size)
    return torch.minimum(place, 2 * size - 1 - place)
