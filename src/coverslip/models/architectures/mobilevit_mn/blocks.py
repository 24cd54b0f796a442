"""Blocks of MobileViT-MN: inverted residuals, and transformers along the map between two convolutions."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coverslip.models.architectures.mobilevit_mn.attention import AttentionPlan, Place

_PATCH_PX = 2  # side of the patches in whose pixels the transformer looks along the map
_N_HEADS = 4


class Separable(nn.Module):
    """A 3x3 for each input channel alone, then a 1x1 over channels: 9 I + I O weights instead of 9 I O."""

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
        weighed: Tensor = self.attention(self.act(self.bn(self.conv(x))))
        return weighed


class MV2Block(nn.Module):
    """Inverted residual: 1x1 to twice the width, depthwise 3x3, linear 1x1; adds its input where shapes agree."""

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
        seen = F.scaled_dot_product_attention(query, key, value)
        mixed: Tensor = self.proj(seen.transpose(1, 2).reshape(n, length, width))
        return mixed


class FeedForward(nn.Module):
    """Two linear layers on each token, twice the width in between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * width)
        self.fc2 = nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        changed: Tensor = self.fc2(F.silu(self.fc1(tokens)))
        return changed


class Encoder(nn.Module):
    """One transformer encoder, norms first: (B, N, D) -> same."""

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
        seen = _fold(tokens, n_rows, n_columns)
        if is_uneven:
            seen = F.interpolate(seen, (height, width), mode="bilinear")
        fused: Tensor = self.conv_fusion(torch.cat((x, self.conv_proj(seen)), dim=1))
        return fused


def convolution(n_in: int, n_out: int, side: int) -> nn.Conv2d:
    """As many rows and columns come out as go in; a batch norm behind it makes a bias superfluous."""
    return nn.Conv2d(n_in, n_out, side, padding=side // 2, bias=False)


def _conv_3x3(n_in: int, n_out: int) -> nn.Module:
    return convolution(n_in, n_out, 3)


def _unfold(x: Tensor, n_rows: int, n_columns: int) -> Tensor:
    """(B, C, H, W) -> (B * 4, N, C): pixels that share a place in their 2x2 patch see one another in all N patches."""
    n, n_channels = x.shape[:2]
    patches = x.reshape(n * n_channels * n_rows, _PATCH_PX, n_columns, _PATCH_PX).transpose(1, 2)
    by_pixel = patches.reshape(n, n_channels, n_rows * n_columns, _PATCH_PX**2).transpose(1, 3)  # (B, 4, N, C)
    return by_pixel.reshape(n * _PATCH_PX**2, n_rows * n_columns, n_channels)


def _fold(tokens: Tensor, n_rows: int, n_columns: int) -> Tensor:
    """The way back: (B * 4, N, C) -> (B, C, H, W)."""
    n_channels = tokens.shape[2]
    by_pixel = tokens.reshape(-1, _PATCH_PX**2, n_rows * n_columns, n_channels).transpose(1, 3)  # (B, C, N, 4)
    patches = by_pixel.reshape(-1, n_columns, _PATCH_PX, _PATCH_PX).transpose(1, 2)
    return patches.reshape(-1, n_channels, n_rows * _PATCH_PX, n_columns * _PATCH_PX)
