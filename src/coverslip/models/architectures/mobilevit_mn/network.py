"""MobileViT-MN: MobileViT-XXS with separable convolutions and attention, for cells with micronuclei.

Wei, Cao, Li & Chen 2025, An efficient cell micronucleus classification network based on multi-layer perception
attention mechanism, Scientific Reports. It changes the extra-extra-small network of Mehta & Rastegari 2022,
MobileViT: Light-weight, General-purpose, and Mobile-friendly Vision Transformer, in three places:

- `dsc`: the two dense 3x3 convolutions of each MobileViT block become a depthwise 3x3 and a pointwise 1x1 with one
  batch norm behind both (Fig. 4). The text speaks of "1x1 kernels" for the depthwise part; the printed parameter
  counts need 3x3.
- `mv2_attention`: attention in the inverted residual blocks of MobileNet-v2 ("MV2-DD", Fig. 3), in the paper SE
  (Hu et al. 2018).
- `mobilevit_attention`: attention in the MobileViT blocks ("MobileViT block-DD", Fig. 6), in the paper NAM
  (Liu et al. 2021).

The paper contradicts itself on where attention sits, hence `placement`. `text` is what the sections say: 7 modules in
the MV2 blocks and 3 in the MobileViT blocks. `counts` is inferred from the printed counts and said in no sentence: the
one rule that gives the parameters and "FLOPs" of all SE rows of Table 2 puts SE behind every convolution that mixes
channels, 28 modules, and 3 more. See `attention_places`.

The defaults are the network that the text proposes (Table 3: "trans_DSC_SE_NAM"): 987,672 parameters with 1,000
classes. The printed 1.37 M (Table 2, MV2_SE_Mb_NAM: 1,373,880) belong to `dsc=False, placement="counts"`, a network
without the separable convolutions that the paper is about; hence the words are followed, not the number.

With everything off this is MobileViT-XXS, parameter names as in timm's `mobilevit_xxs`: its weights fit, and
`transfer` moves them.
"""

import math
from collections.abc import Sequence
from typing import get_args

import torch
from torch import Tensor, nn

from coverslip.errors import BadRecipe
from coverslip.models.architectures.mobilevit_mn.attention import (
    Attention,
    AttentionPlan,
    Placement,
    SqueezeExcite,
    attention_places,
)
from coverslip.models.architectures.mobilevit_mn.blocks import ConvLayer, MobileViTBlock, MV2Block, convolution


class ClassifierHead(nn.Module):
    """Mean over the map, then one linear layer."""

    def __init__(self, n_features: int, n_classes: int) -> None:
        super().__init__()
        self._n_features = n_features
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reset(n_classes)

    def reset(self, n_classes: int) -> None:
        self.fc = nn.Linear(self._n_features, n_classes) if n_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # (B, D, H, W) -> (B, K)
        logits: Tensor = self.fc(self.pool(x).flatten(1))
        return logits


class MobileViTMN(nn.Module):
    """(B, C, H, W) float in [0, 1] -> (B, K) logits; sides of 32 pixels and more.

    Args:
        n_classes: K; 0 leaves the pooled 320 features.
        channels: C of the images.
        dsc: separable convolutions in the MobileViT blocks.
        mv2_attention: `none`, `se` or `nam`, in the inverted residual blocks.
        mobilevit_attention: the same, in the MobileViT blocks.
        depths: encoders in each of the three MobileViT blocks; (1, 1, 1) and (3, 3, 3) are the paper's tr1 and tr3.
        placement: of attention, as the `text` says or as the printed `counts` imply.
        neutral_start: new attention starts as the identity, so that it does not disturb pretrained weights; an addition
            to the paper. Otherwise each starts by about halving its input.

    Raises:
        BadRecipe: an option has none of the values above.
    """

    def __init__(
        self,
        *,
        n_classes: int = 1000,
        channels: int = 3,
        dsc: bool = True,
        mv2_attention: Attention = "se",
        mobilevit_attention: Attention = "nam",
        depths: Sequence[int] = (2, 4, 3),
        placement: Placement = "text",
        neutral_start: bool = False,
    ) -> None:
        super().__init__()
        _check_choice("mv2_attention", mv2_attention, get_args(Attention))
        _check_choice("mobilevit_attention", mobilevit_attention, get_args(Attention))
        _check_choice("placement", placement, get_args(Placement))
        _check_switch("dsc", dsc)
        _check_switch("neutral_start", neutral_start)
        _check_depths(depths)
        plan = AttentionPlan(attention_places(mv2_attention, mobilevit_attention, placement), neutral_start)
        self.stem = ConvLayer(nn.Conv2d(channels, 16, 3, 2, padding=1, bias=False), 16, plan.behind("stem", 16))
        self.stages = nn.Sequential(
            nn.Sequential(MV2Block(16, 16, stride=1, plan=plan)),
            nn.Sequential(
                MV2Block(16, 24, stride=2, plan=plan),
                MV2Block(24, 24, stride=1, plan=plan),
                MV2Block(24, 24, stride=1, plan=plan),
            ),
            nn.Sequential(MV2Block(24, 48, stride=2, plan=plan), MobileViTBlock(48, 64, depths[0], dsc=dsc, plan=plan)),
            nn.Sequential(MV2Block(48, 64, stride=2, plan=plan), MobileViTBlock(64, 80, depths[1], dsc=dsc, plan=plan)),
            nn.Sequential(MV2Block(64, 80, stride=2, plan=plan), MobileViTBlock(80, 96, depths[2], dsc=dsc, plan=plan)),
        )
        self.final_conv = ConvLayer(convolution(80, 320, 1), 320, plan.behind("final", 320))
        self.head = ClassifierHead(320, n_classes)
        self.apply(_initialise)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.final_conv(self.stages(self.stem(x))))
        return logits

    def reset_classifier(self, n_classes: int) -> None:
        """A new last layer for so many classes; 0 leaves the pooled (B, 320) features."""
        self.head.reset(n_classes)
        self.head.apply(_initialise)


def _initialise(module: nn.Module) -> None:
    """Random weights of the sizes that timm gives its mobilevit_xxs, so that the two start on equal terms."""
    match module:
        case nn.Conv2d():
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            # PyTorch leaves the groups out of the outputs that one input reaches.
            with torch.no_grad():
                module.weight.mul_(math.sqrt(module.groups))
        case nn.Linear():
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        # A module's turn comes after its parts'.
        case SqueezeExcite():
            module.start()
        case MV2Block() if module.adds_input:
            nn.init.zeros_(module.conv3_1x1.bn.weight)  # the block starts by passing its input on


def _check_choice(option: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadRecipe(f"{option} cannot be {value!r}", do=f"Choose one of {', '.join(allowed)}.")


def _check_switch(option: str, value: object) -> None:
    if not isinstance(value, bool):
        raise BadRecipe(f"{option} cannot be {value!r}", do="Choose true or false.")


def _check_depths(depths: object) -> None:
    if not isinstance(depths, list | tuple) or len(depths) != 3 or not all(type(d) is int and d >= 1 for d in depths):
        raise BadRecipe(f"depths cannot be {depths!r}", do="Give three whole numbers from 1, such as [2, 4, 3].")
