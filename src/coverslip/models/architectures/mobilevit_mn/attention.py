"""Attention of MobileViT-MN: SE and NAM, and behind which convolutions each sits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch.nn.functional as F
from torch import Tensor, nn

Attention = Literal["none", "se", "nam"]
Placement = Literal["text", "counts"]
Place = Literal[
    "stem",  # the first convolution, 3x3 with stride 2
    "expand",  # MV2: 1x1 that widens
    "depthwise, residual",  # MV2: 3x3 of a block that adds its input (stride 1)
    "depthwise, strided",  # MV2: 3x3 of a block that halves the map
    "project",  # MV2: 1x1 that narrows
    "local",  # MobileViT: first 3x3
    "to tokens",  # MobileViT: 1x1 to the transformer's width
    "from tokens",  # MobileViT: 1x1 back
    "fusion",  # MobileViT: 3x3 over input and result
    "final",  # the last 1x1
]

_SE_RATIO = 4  # of 1, 2, 4, ..., 32 the only one with which any placement gives the printed counts


def attention_places(mv2: Attention, mobilevit: Attention, placement: Placement) -> dict[Place, Attention]:
    """Which attention sits behind which kind of convolution; kinds that are not named have none.

    `text`: MV2 attention behind the depthwise convolution of every MV2 block (7 modules), MobileViT attention behind
    the local convolution of every MobileViT block (3 modules).

    `counts`, inferred from the printed counts of Table 2:

    - SE anywhere puts SE behind every convolution with groups=1: stem, expand, project, local, to tokens, from tokens,
      fusion, final (28 modules).
    - Beside SE, MV2 attention moreover sits behind the depthwise convolution of the three residual MV2 blocks (3).
    - NAM in the MobileViT blocks sits behind the local convolution, in the place of an SE if there is one (3).
    - MV2 NAM without SE sits behind all convolutions but local and fusion (29). Other placements would give this row's
      number too; the places of the SE rows would not.

    Combinations that the tables do not have follow the same rules.
    """
    if placement == "text":
        return {"depthwise, residual": mv2, "depthwise, strided": mv2, "local": mobilevit}
    all_places: tuple[Place, ...] = get_args(Place)
    places: dict[Place, Attention] = {}
    if "se" in (mv2, mobilevit):
        places = {place: "se" for place in all_places if not place.startswith("depthwise")}
        places["depthwise, residual"] = mv2
    elif mv2 == "nam":
        places = {place: "nam" for place in all_places if place not in ("local", "fusion")}
    if mobilevit == "nam":
        places["local"] = "nam"
    return places


class SqueezeExcite(nn.Module):
    """Weighs each channel by what the whole map holds: x * sigmoid(W2 silu(W1 mean(x))). Equations 1 and 2.

    The paper does not name the activation. SiLU is what the rest of the network has; with the ReLU of Hu et al. and no
    biases all four units behind the stem can be zero for every image, and the gate would never learn.

    No biases: C * C / 2 weights. A neutral start has W2 = 0 and twice the sigmoid: exactly the identity.
    """

    def __init__(self, n_channels: int, *, neutral_start: bool) -> None:
        super().__init__()
        self.squeeze = nn.Linear(n_channels, n_channels // _SE_RATIO, bias=False)
        self.excite = nn.Linear(n_channels // _SE_RATIO, n_channels, bias=False)
        self._is_neutral = neutral_start

    def start(self) -> None:
        self.squeeze.reset_parameters()
        if self._is_neutral:
            nn.init.zeros_(self.excite.weight)
        else:
            self.excite.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> same
        weight: Tensor = self.excite(F.silu(self.squeeze(x.mean(dim=(2, 3))))).sigmoid()  # (B, C) in (0, 1)
        if self._is_neutral:
            weight = 2 * weight
        return x * weight[:, :, None, None]


class NormalizationAttention(nn.Module):
    """Weighs each pixel of each channel by its normalised value: x * sigmoid(share * BN(x)), Liu et al. 2021.

    `share` is |scale| / sum of |scale| of the batch norm: channels that vary count more. Equations 3 to 5 of the paper
    name two convolutions besides (f_att, f_recon), but its counts have room for the batch norm's 2 C alone; the 1x1
    that follows does f_recon's work.

    A neutral start has twice the sigmoid and a small scale. That is nearly the identity, never quite: at scale 0 the
    shares have no meaning. How near is in proportion to the scale.
    """

    def __init__(self, n_channels: int, *, neutral_start: bool) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(n_channels)
        self._is_neutral = neutral_start
        if neutral_start:
            nn.init.constant_(self.bn.weight, 0.1)  # small against 1, large against a step of training

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> same
        scale = self.bn.weight.abs()
        share = (scale / scale.sum())[:, None, None]
        weight: Tensor = (share * self.bn(x)).sigmoid()
        return x * (2 * weight if self._is_neutral else weight)


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """What sits where, and how it starts."""

    places: Mapping[Place, Attention]
    neutral_start: bool

    def behind(self, place: Place, n_channels: int) -> nn.Module:
        """The attention behind one convolution of that kind with so many outputs; the identity where there is none."""
        match self.places.get(place, "none"):
            case "se":
                return SqueezeExcite(n_channels, neutral_start=self.neutral_start)
            case "nam":
                return NormalizationAttention(n_channels, neutral_start=self.neutral_start)
            case "none":
                return nn.Identity()
