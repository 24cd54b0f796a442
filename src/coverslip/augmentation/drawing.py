"""Sample the parameters of data augmentation for a batch of training images.

All geometric changes are one resampling; contrast and brightness are one multiplication and addition. Blur, stain and
color need one pass each, and are computed only if the recipe has them.

Sampling: angles are uniform, scales log-uniform, shifts uniform in both directions; each flip has probability 1/2. All
augmentations except flips draw random numbers even if their amount is 0, so that the others stay the same.

Stain: Ruifrok & Johnston 2001, Quantification of histochemical staining by color deconvolution (the three directions
of optical density), jittered as by Tellez et al. 2018, Whole-slide mitosis detection in H&E breast histology using PHH3
as a reference to train distilled stain-invariant convolutional networks: the density of every stain times 1 + a, plus
b. Here densities are natural logarithms, and a and b have the same range. The three directions also apply to other dyes
than hematoxylin, eosin and DAB: any three linearly independent directions span all colors.

Color: saturation and hue are scaled and rotated in the chroma plane of YIQ, which keeps luminance and gray.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np

from coverslip.augmentation.table import AUGMENTATIONS, Amount, Floats, Random
from coverslip.messages import text

# The tensors that augmentations can draw for the transform, with the images along the first axis, and the default of
# each; None: no default.
PARTS: Mapping[str, float | None] = {
    "angle": 0.0,  # (B,) radians
    "scale": 1.0,  # (B,)
    "flips": 1.0,  # (B, 2) of -1 or 1: left-right and top-bottom
    "shifts": 0.0,  # (B, 2): the image spans -1 to 1
    "gain": 1.0,  # (B,) around the image's mean
    "offset": 0.0,  # (B,)
    "slant": None,  # (B,) tangent of the shear angle
    "window": None,  # (B,) side of the crop as a fraction of the image side
    "corner": None,  # (B, 2) in [-1, 1]: position of the crop
    "stain": None,  # (B, 3, 4): from the densities of three channels, and 1, to the change of these densities
    "saturation": 1.0,  # (B,)
    "hue": 0.0,  # (B,) radians
    "blur": None,  # (B, taps): symmetric kernels that sum to 1
}

_STAIN_DENSITIES = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]], np.float32)  # rows: H, E, DAB
DARKEST = 1 / 255  # lowest intensity that a density is computed of; darker pixels are noise
_YIQ = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]], np.float32)


@dataclass(frozen=True, slots=True)
class AugmentationParameters:
    """The augmentation parameters of a batch. None: not applied."""

    maps: Floats  # (B, 2, 3) affine maps from output to input coordinates
    gain: Floats  # (B,)
    offset: Floats  # (B,)
    stain: Floats | None = None  # as in `PARTS`
    color: Floats | None = None  # (B, 3, 3): from red, green and blue to red, green and blue
    blur: Floats | None = None  # as in `PARTS`
    others: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)  # by augmentation with its own function

    def mapped(self, move: Callable[[Floats], Any]) -> "AugmentationParameters":  # Any: tensors or arrays
        """Return a copy with `move` applied to every array, for example to copy them to a device as tensors."""
        drawn = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "others"}
        others = {
            name: {part: move(tensor) for part, tensor in tensors.items()} for name, tensors in self.others.items()
        }
        return AugmentationParameters(
            **{name: move(tensor) for name, tensor in drawn.items() if tensor is not None}, others=others
        )


def draw_changes(
    n: int, amounts: Mapping[str, Amount] | Iterable[tuple[str, Amount]], generator: np.random.Generator
) -> AugmentationParameters:
    """Sample augmentation parameters for n images.

    Args:
        n: the number of images.
        amounts: by the name of the augmentation; those without an amount are off.
        generator: generators in equal states give equal parameters.

    Raises:
        ValueError: two augmentations drew the same tensor of the transform, or one that is not in `PARTS`.
    """
    random, amounts = Random(n, generator), dict(amounts)
    parts: dict[str, Floats] = {}
    others: dict[str, dict[str, Floats]] = {}  # of augmentations that have their own function
    for name, record in AUGMENTATIONS.items():
        drawn = record.sample(random, amounts.get(name, 0.0))
        if record.change is not None:
            others |= {name: drawn} if drawn else {}
        elif unknown := [part for part in drawn if part not in PARTS or part in parts]:
            raise ValueError(text("augmentation-draws-unknown", name=name, part=unknown[0]))
        else:
            parts |= drawn
    return replace(composed(n, parts), others=others)


def composed(n: int, drawn: Mapping[str, Floats]) -> AugmentationParameters:
    """Return the transform of n images from sampled tensors, named as in `PARTS`."""

    def part(name: str, *shape: int) -> Floats:
        return drawn[name] if name in drawn else np.full((n, *shape), PARTS[name] or 0.0, np.float32)

    angle, scale, flips, shifts = part("angle"), part("scale"), part("flips", 2).T, part("shifts", 2).T
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    rows = [cos * flips[0], -sin * flips[0], shifts[0], sin * flips[1], cos * flips[1], shifts[1]]
    maps = np.stack(rows, axis=1).reshape(n, 2, 3)
    if "slant" in drawn:
        maps = _after(maps, _slanted(drawn["slant"]))
    if "window" in drawn:
        maps = _after(maps, _cropped(drawn["window"], part("corner", 2)))
    has_color = "saturation" in drawn or "hue" in drawn
    return AugmentationParameters(
        maps,
        part("gain"),
        part("offset"),
        stain=drawn.get("stain"),
        color=_color_matrices(part("saturation"), part("hue")) if has_color else None,
        blur=drawn.get("blur"),
    )


def _slanted(slant: Floats) -> Floats:
    """Return (B, 2, 3) maps that shift each row by `slant` times its distance from the center."""
    ones, zeros = np.ones_like(slant), np.zeros_like(slant)
    return np.stack([ones, slant, zeros, zeros, ones, zeros], axis=1).reshape(-1, 2, 3)


def _cropped(side: Floats, corner: Floats) -> Floats:
    """Return (B, 2, 3) maps onto a window of relative size `side`; `corner` in [-1, 1] is its position."""
    zeros, center = np.zeros_like(side), corner * (1 - side)[:, None]
    return np.stack([side, zeros, center[:, 0], zeros, side, center[:, 1]], axis=1).reshape(-1, 2, 3)


def _after(outer: Floats, inner: Floats) -> Floats:
    """Return (B, 2, 3) maps that apply `inner` first, then `outer`."""
    last_row = np.broadcast_to(np.array([0.0, 0.0, 1.0], np.float32), (len(inner), 1, 3))
    composed: Floats = outer @ np.concatenate([inner, last_row], axis=1)
    return composed


def stain_matrices(relative: Floats, absolute: Floats) -> Floats:
    """Return (B, 3, 4) matrices from (B, 3) relative and absolute changes of the density of each stain."""
    matrix = (_STAIN_DENSITIES / np.linalg.norm(_STAIN_DENSITIES, axis=1, keepdims=True)).T  # columns: stains
    of_density = matrix * relative[:, None, :] @ np.linalg.inv(matrix)
    return np.concatenate([of_density, (absolute @ matrix.T)[:, :, None]], axis=2)


def _color_matrices(saturation: Floats, hue: Floats) -> Floats:
    """Return (B, 3, 3) matrices that scale and rotate chroma in YIQ."""
    cos, sin = saturation * np.cos(hue), saturation * np.sin(hue)
    ones, zeros = np.ones_like(cos), np.zeros_like(cos)
    rotation = np.stack([ones, zeros, zeros, zeros, cos, -sin, zeros, sin, cos], axis=1).reshape(-1, 3, 3)
    return (np.linalg.inv(_YIQ) @ rotation @ _YIQ).astype(np.float32)


def gaussians(sigma: Floats, largest: float) -> Floats:
    """Return (B, taps) Gaussian kernels with a radius of 3 x `largest`; a sigma of 0 is the identity."""
    radius = max(1, math.ceil(3 * largest))
    distance = np.arange(-radius, radius + 1)
    weight = np.exp(-0.5 * np.square(distance / np.maximum(sigma, 1e-3)[:, None], dtype=np.float64))
    kernels: Floats = (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)
    return kernels


# Functions that `AUGMENTATIONS` names: each samples the tensors of one augmentation, by their names in `PARTS`.
Drawn = dict[str, Floats]


def rotation(random: Random, degrees: float) -> Drawn:
    return {"angle": random.uniform(-1, 1) * math.radians(degrees)}


def zoom(random: Random, share: float) -> Drawn:
    return {"scale": np.exp(random.uniform(-1, 1) * math.log1p(share))}


def flip(random: Random, direction: bool | Literal["horizontal"]) -> Drawn:
    if not direction:
        return {}
    flips = random.signs(2)
    if direction == "horizontal":
        flips[1] = 1
    return {"flips": flips.T}


def shift(random: Random, share: float) -> Drawn:
    shifts = np.stack([random.uniform(-1, 1), random.uniform(-1, 1)], axis=1)
    return {"shifts": shifts * 2 * share}  # the image spans -1 to 1


def contrast(random: Random, share: float) -> Drawn:
    return {"gain": 1 + random.uniform(-1, 1) * share}


def brightness(random: Random, share: float) -> Drawn:
    return {"offset": random.uniform(-1, 1) * share}


def shear(random: Random, degrees: float) -> Drawn:
    slant = np.tan(random.uniform(-1, 1) * math.radians(degrees))
    return {"slant": slant} if degrees else {}


def crop(random: Random, share: float) -> Drawn:
    side = 1 - random.uniform(0, 1) * share
    corner = np.stack([random.uniform(-1, 1), random.uniform(-1, 1)], axis=1)
    return {"window": side, "corner": corner} if share else {}


def stain(random: Random, share: float) -> Drawn:
    relative, absolute = (np.stack([random.uniform(-1, 1) * share for _ in range(3)], axis=1) for _ in range(2))
    return {"stain": stain_matrices(relative, absolute)} if share else {}


def saturation(random: Random, share: float) -> Drawn:
    factor = 1 + random.uniform(-1, 1) * share
    return {"saturation": factor} if share else {}


def hue(random: Random, degrees: float) -> Drawn:
    angle = random.uniform(-1, 1) * math.radians(degrees)
    return {"hue": angle} if degrees else {}


def blur(random: Random, largest: float) -> Drawn:
    sigma = random.uniform(0, 1) * largest
    return {"blur": gaussians(sigma, largest)} if largest else {}
