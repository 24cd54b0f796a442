"""MobileViT-MN: MobileViT-XXS with separable convolutions and attention, for cells with micronuclei.

Wei, Cao, Li & Chen 2025, An efficient cell micronucleus classification network based on multi-layer perception
attention mechanism, Scientific Reports. Three options modify the extra-extra-small network of Mehta & Rastegari 2022,
MobileViT: Light-weight, General-purpose, and Mobile-friendly Vision Transformer:

- `dsc`: the two dense 3x3 convolutions of each MobileViT block are replaced by a depthwise 3x3 and a pointwise 1x1
  convolution with one batch norm after both (Fig. 4). The text states "1x1 kernels" for the depthwise convolution, but
  the printed parameter counts require 3x3.
- `mv2_attention`: attention in the inverted residual blocks of MobileNet-v2 ("MV2-DD", Fig. 3), in the paper SE
  (Hu et al. 2018).
- `mobilevit_attention`: attention in the MobileViT blocks ("MobileViT block-DD", Fig. 6), in the paper NAM
  (Liu et al. 2021).

The paper contradicts itself on the positions of attention, hence the option `placement`. `text` follows the text: 7
modules in the MV2 blocks and 3 in the MobileViT blocks. `counts` is inferred from the printed counts: the only rule
that gives the parameters and "FLOPs" of all SE rows of Table 2 puts SE after every convolution that mixes channels, 28
modules, and 3 more. See `attention_places`.

The defaults are the network that the text proposes (Table 3: "trans_DSC_SE_NAM"): 987,672 parameters with 1,000
classes. The printed 1.37 M (Table 2, MV2_SE_Mb_NAM: 1,373,880) correspond to `dsc=False, placement="counts"`, a network
without the separable convolutions that the paper proposes. Therefore the defaults follow the text, not the number.

With all options off, the network is MobileViT-XXS with the parameter names of timm's `mobilevit_xxs`, so that its
weights fit. `transfer_mobilevit` loads them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coverslip.errors import BadRecipe, WeightsUnavailable
from coverslip.models._libraries import import_timm, shapes_only

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
    """Return the attention after each kind of convolution; kinds that are missing have none.

    `text`: MV2 attention after the depthwise convolution of every MV2 block (7 modules), MobileViT attention after
    the local convolution of every MobileViT block (3 modules).

    `counts`, inferred from the printed counts of Table 2:

    - SE in any block puts SE after every convolution with groups=1: stem, expand, project, local, to tokens, from
      tokens, fusion, final (28 modules).
    - In addition to SE, MV2 attention follows the depthwise convolution of the three residual MV2 blocks (3).
    - NAM in the MobileViT blocks follows the local convolution, and replaces an SE there (3).
    - MV2 NAM without SE follows all convolutions except local and fusion (29). Other placements give the number of this
      row too, but the placement of the SE rows does not.

    Combinations that are not in the tables follow the same rules.
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
    """Weights each channel by the mean of all channels: x * sigmoid(W2 silu(W1 mean(x))). Equations 1 and 2.

    The paper does not name the activation. SiLU is the activation of the other layers. With the ReLU of Hu et al. and
    no biases, all four units after the stem could be zero for every image, and the weights would never be trained.

    There are no biases: C * C / 2 weights. With a neutral start, W2 = 0 and the sigmoid is doubled, which gives exactly
    the identity.
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
    """Weights each pixel of each channel by its normalized value: x * sigmoid(share * BN(x)), Liu et al. 2021.

    `share` is |scale| / sum of |scale| of the batch norm: channels with more variation get more weight. Equations 3 to
    5 of the paper contain two further convolutions (f_att, f_recon), but its counts only allow for the 2 C parameters
    of the batch norm. The following 1x1 convolution replaces f_recon.

    With a neutral start, the sigmoid is doubled and the scale is small. This is nearly the identity, with a difference
    proportional to the scale. A scale of 0 is not possible, because the shares would be undefined.
    """

    def __init__(self, n_channels: int, *, neutral_start: bool) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(n_channels)
        self._is_neutral = neutral_start
        if neutral_start:
            nn.init.constant_(self.bn.weight, 0.1)  # much smaller than 1, much larger than a training step

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> same
        scale = self.bn.weight.abs()
        share = (scale / scale.sum())[:, None, None]
        weight: Tensor = (share * self.bn(x)).sigmoid()
        return x * (2 * weight if self._is_neutral else weight)


@dataclass(frozen=True, slots=True)
class AttentionPlan:
    """The positions of attention modules, and their initialization."""

    places: Mapping[Place, Attention]
    neutral_start: bool

    def behind(self, place: Place, n_channels: int) -> nn.Module:
        """Return the attention after a convolution of this kind, or the identity if there is none."""
        match self.places.get(place, "none"):
            case "se":
                return SqueezeExcite(n_channels, neutral_start=self.neutral_start)
            case "nam":
                return NormalizationAttention(n_channels, neutral_start=self.neutral_start)
            case "none":
                return nn.Identity()


_PATCH_PX = 2  # patch side: the transformer attends to pixels at the same position in all patches
_N_HEADS = 4


class Separable(nn.Module):
    """A depthwise 3x3 and a pointwise 1x1 convolution: 9 I + I O weights instead of 9 I O."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(n_in, n_in, 3, padding=1, groups=n_in, bias=False)
        self.pointwise = nn.Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.pointwise(self.depthwise(x))
        return mixed


class ConvLayer(nn.Module):
    """Convolution, batch norm, SiLU unless `is_linear`, attention."""

    def __init__(self, conv: nn.Module, n_out: int, attention: nn.Module, *, is_linear: bool = False) -> None:
        super().__init__()
        self.conv = conv
        self.bn = nn.BatchNorm2d(n_out)
        self.act = nn.Identity() if is_linear else nn.SiLU(inplace=True)
        self.attention = attention

    def forward(self, x: Tensor) -> Tensor:
        weighted: Tensor = self.attention(self.act(self.bn(self.conv(x))))
        return weighted


class MV2Block(nn.Module):
    """Inverted residual: 1x1 to twice the width, depthwise 3x3, linear 1x1; adds its input if shapes are equal."""

    def __init__(self, n_in: int, n_out: int, *, stride: int, plan: AttentionPlan) -> None:
        super().__init__()
        width = 2 * n_in
        self.adds_input = stride == 1 and n_in == n_out
        depthwise: Place = "depthwise, residual" if self.adds_input else "depthwise, strided"
        self.conv1_1x1 = ConvLayer(convolution(n_in, width, 1), width, plan.behind("expand", width))
        self.conv2_kxk = ConvLayer(
            nn.Conv2d(width, width, 3, stride, padding=1, groups=width, bias=False),
            width,
            plan.behind(depthwise, width),
        )
        self.conv3_1x1 = ConvLayer(convolution(width, n_out, 1), n_out, plan.behind("project", n_out), is_linear=True)

    def forward(self, x: Tensor) -> Tensor:  # (B, I, H, W) -> (B, O, H / stride, W / stride)
        result: Tensor = self.conv3_1x1(self.conv2_kxk(self.conv1_1x1(x)))
        return result + x if self.adds_input else result


class SelfAttention(nn.Module):
    """Multi-head self-attention over (B, N, D) tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        n, length, width = tokens.shape
        split = self.qkv(tokens).reshape(n, length, 3, _N_HEADS, width // _N_HEADS).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)  # each (B, heads, N, D / heads)
        attended = F.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.proj(attended.transpose(1, 2).reshape(n, length, width))
        return mixed


class FeedForward(nn.Module):
    """Two linear layers on each token, with twice the width in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        changed: Tensor = self.fc2(F.silu(self.fc1(tokens)))
        return changed


class Encoder(nn.Module):
    """A pre-norm transformer encoder: (B, N, D) -> same."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attn = SelfAttention(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = FeedForward(width)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.norm1(tokens))
        changed: Tensor = tokens + self.mlp(self.norm2(tokens))
        return changed


class MobileViTBlock(nn.Module):
    """Local 3x3, 1x1 to tokens, encoders along the map, 1x1 back, 3x3 over input and result (Fig. 6)."""

    def __init__(self, n_channels: int, width: int, depth: int, *, dsc: bool, plan: AttentionPlan) -> None:
        super().__init__()
        conv_3x3 = Separable if dsc else _conv_3x3
        self.conv_kxk = ConvLayer(conv_3x3(n_channels, n_channels), n_channels, plan.behind("local", n_channels))
        self.conv_1x1 = convolution(n_channels, width, 1)  # neither norm nor activation
        self.conv_1x1_attention = plan.behind("to tokens", width)
        self.transformer = nn.Sequential(*(Encoder(width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.conv_proj = ConvLayer(
            convolution(width, n_channels, 1), n_channels, plan.behind("from tokens", n_channels)
        )
        self.conv_fusion = ConvLayer(
            conv_3x3(2 * n_channels, n_channels), n_channels, plan.behind("fusion", n_channels)
        )

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> same
        local = self.conv_1x1_attention(self.conv_1x1(self.conv_kxk(x)))
        height, width = local.shape[2:]
        n_rows, n_columns = math.ceil(height / _PATCH_PX), math.ceil(width / _PATCH_PX)
        is_uneven = (n_rows * _PATCH_PX, n_columns * _PATCH_PX) != (height, width)
        if is_uneven:
            local = F.interpolate(local, (n_rows * _PATCH_PX, n_columns * _PATCH_PX), mode="bilinear")
        tokens = self.norm(self.transformer(_unfold(local, n_rows, n_columns)))
        folded = _fold(tokens, n_rows, n_columns)
        if is_uneven:
            folded = F.interpolate(folded, (height, width), mode="bilinear")
        fused: Tensor = self.conv_fusion(torch.cat((x, self.conv_proj(folded)), dim=1))
        return fused


def convolution(n_in: int, n_out: int, side: int) -> nn.Conv2d:
    """Return a convolution that keeps the size, without a bias because a batch norm follows."""
    return nn.Conv2d(n_in, n_out, side, padding=side // 2, bias=False)


def _conv_3x3(n_in: int, n_out: int) -> nn.Module:
    return convolution(n_in, n_out, 3)


def _unfold(x: Tensor, n_rows: int, n_columns: int) -> Tensor:
    """Convert (B, C, H, W) to (B * 4, N, C): a sequence of N patches for each position in the 2x2 patches."""
    n, n_channels = x.shape[:2]
    patches = x.reshape(n * n_channels * n_rows, _PATCH_PX, n_columns, _PATCH_PX).transpose(1, 2)
    by_pixel = patches.reshape(n, n_channels, n_rows * n_columns, _PATCH_PX**2).transpose(1, 3)  # (B, 4, N, C)
    return by_pixel.reshape(n * _PATCH_PX**2, n_rows * n_columns, n_channels)


def _fold(tokens: Tensor, n_rows: int, n_columns: int) -> Tensor:
    """Convert (B * 4, N, C) back to (B, C, H, W)."""
    n_channels = tokens.shape[2]
    by_pixel = tokens.reshape(-1, _PATCH_PX**2, n_rows * n_columns, n_channels).transpose(1, 3)  # (B, C, N, 4)
    patches = by_pixel.reshape(-1, n_columns, _PATCH_PX, _PATCH_PX).transpose(1, 2)
    return patches.reshape(-1, n_channels, n_rows * _PATCH_PX, n_columns * _PATCH_PX)


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
        n_classes: K; 0 returns the pooled 320 features.
        channels: C of the images.
        dsc: separable convolutions in the MobileViT blocks.
        mv2_attention: `none`, `se` or `nam`, in the inverted residual blocks.
        mobilevit_attention: the same, in the MobileViT blocks.
        depths: encoders in each of the three MobileViT blocks; (1, 1, 1) and (3, 3, 3) are the paper's tr1 and tr3.
        placement: of attention, by the `text` or by the printed `counts`.
        neutral_start: new attention starts as the identity, so that it does not disturb pretrained weights. This is not
            in the paper. Otherwise attention initially about halves its input.

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
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.final_conv(self.stages(self.stem(x))))
        return logits

    def reset_classifier(self, n_classes: int) -> None:
        """Replace the last layer; with 0 classes the network returns the pooled (B, 320) features."""
        self.head.reset(n_classes)
        self.head.apply(_initialize)


def _initialize(module: nn.Module) -> None:
    """Draw initial weights with the same distributions as timm's mobilevit_xxs."""
    match module:
        case nn.Conv2d():
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
            # PyTorch's fan-out does not take groups into account.
            with torch.no_grad():
                module.weight.mul_(math.sqrt(module.groups))
        case nn.Linear():
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        # `apply` visits a module after its submodules.
        case SqueezeExcite():
            module.start()
        case MV2Block() if module.adds_input:
            nn.init.zeros_(module.conv3_1x1.bn.weight)  # the block is initially the identity


def _check_choice(option: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise BadRecipe("model-option-no-choice", option=option, value=repr(value), allowed=", ".join(allowed))


def _check_switch(option: str, value: object) -> None:
    if not isinstance(value, bool):
        raise BadRecipe("model-option-no-boolean", option=option, value=repr(value))


def _check_depths(depths: object) -> None:
    if not isinstance(depths, list | tuple) or len(depths) != 3 or not all(type(d) is int and d >= 1 for d in depths):
        raise BadRecipe("model-option-depths", value=repr(depths))


def transfer_mobilevit(network: MobileViTMN, weights: Mapping[str, Tensor]) -> list[str]:
    """Load the weights of timm's `mobilevit_xxs` into `network` where tensors fit.

    Tensors with equal name and shape are copied. A dense 3x3 kernel is replaced by the nearest separable pair if the
    network has one (`nearest_separable`; the paper does not state how its weights were transferred). If there are not
    three channels, timm's `adapt_input_conv` adapts the first layer.

    Returns:
        Names of the unchanged tensors, in the order of the network: new attention, encoders beyond those of
        mobilevit_xxs, and the head if it has another number of classes.

    Raises:
        WeightsUnavailable: these are not the weights of a mobilevit_xxs; the network is unchanged.
    """
    adapt_input_conv = import_timm().models.adapt_input_conv

    _check_source(weights)
    transferred: dict[str, Tensor] = {}
    state = network.state_dict()
    for name, expected in state.items():
        if name.endswith(".depthwise.weight"):
            dense = name.replace(".depthwise.", ".")
            transferred[name], transferred[name.replace(".depthwise.", ".pointwise.")] = nearest_separable(
                weights[dense]
            )
        elif name == "stem.conv.weight":
            transferred[name] = adapt_input_conv(expected.shape[1], weights[name])
        elif name in weights and weights[name].shape == expected.shape:
            transferred[name] = weights[name]
    network.load_state_dict(transferred, strict=False)
    return [name for name in state if name not in transferred]


def nearest_separable(dense: Tensor) -> tuple[Tensor, Tensor]:
    """Return the depthwise and pointwise kernels whose product is nearest to a dense kernel in the sum of squares.

    The (O, k * k) slice of an input channel is approximated by an outer product, for which the first singular triple is
    optimal (Eckart & Young 1936). The singular value is divided evenly between both kernels.

    Args:
        dense: (O, I, k, k) float.

    Returns:
        depthwise (I, 1, k, k) and pointwise (O, I, 1, 1), of the same type.
    """
    n_out, n_in, *kernel = dense.shape
    slices = dense.double().transpose(0, 1).reshape(n_in, n_out, -1)
    left, value, right = torch.linalg.svd(slices, full_matrices=False)
    root = value[:, :1].sqrt()  # (I, 1)
    depthwise = (root * right[:, 0]).reshape(n_in, 1, *kernel)
    pointwise = (root * left[:, :, 0]).T.reshape(n_out, n_in, 1, 1)
    return depthwise.to(dense.dtype), pointwise.to(dense.dtype)


def _check_source(weights: Mapping[str, Tensor]) -> None:
    """Check that every tensor of a MobileViT-XXS except its head is present."""
    with shapes_only():
        source = MobileViTMN(dsc=False, mv2_attention="none", mobilevit_attention="none")
    faults = [
        name
        for name, expected in source.state_dict().items()
        if not name.startswith("head.") and (name not in weights or weights[name].shape != expected.shape)
    ]
    if faults:
        raise WeightsUnavailable("no-mobilevit-xxs-weights", n_tensors=len(faults), example=faults[0])
