"""A vision transformer that processes each channel of an image separately, for any number of channels.

Source: Agrawal et al. 2025, CHAMMI-75. Its MorphEm is such a ViT-S/16 (Dosovitskiy et al. 2021), trained with DINO on
single channels of microscope images. As in the publication, each channel of each image is standardized to mean 0 and
standard deviation 1 and passes through the network, and the class tokens of the channels are concatenated.

Differences: saturated pixels get no random noise. Position embeddings for image sizes other than 224 are resized as in
timm.
"""

from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from coverslip.models._libraries import import_timm

_WIDTH = 384
_EPS = 1e-7  # added to the variance, for pixels from 0 to 1
_TOGETHER = (2, 5, 8, 10, 11)  # blocks after which the concatenated channels are accessible


class ChannelwiseViT(nn.Module):
    """(B, channels, H, W) float -> (B, n_classes) logits; H and W multiples of 16, made for 224.

    Args:
        n_classes: 0 returns the concatenated class tokens of the channels, (B, 384 x channels).
        channels: of the images; only the weights of the classifier depend on it.
    """

    takes_any_channels: ClassVar[bool] = True

    def __init__(self, *, n_classes: int = 1000, channels: int = 3) -> None:
        super().__init__()
        vit = import_timm().create_model("vit_small_patch16_224", in_chans=1, num_classes=0)
        self._channels = channels
        self.cls_token, self.pos_embed = vit.cls_token, vit.pos_embed
        self.patch_embed = _Patches(vit.patch_embed.proj)
        self.blocks, self.norm = vit.blocks, vit.norm
        self.together = nn.ModuleList(nn.Identity() for _ in _TOGETHER)
        self.classifier: nn.Module = nn.Identity()
        self.reset_classifier(n_classes)

    def reset_classifier(self, n_classes: int) -> None:
        """Replace the last layer; with 0 classes the network returns its features."""
        self.classifier = nn.Linear(_WIDTH * self._channels, n_classes) if n_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
        single = ((x - mean) / (variance + _EPS).sqrt()).flatten(0, 1).unsqueeze(1)
        tokens = self._with_positions(self.patch_embed(single))
        for number, block in enumerate(self.blocks):
            tokens = block(tokens)
            if number in _TOGETHER:
                concatenated = self.together[_TOGETHER.index(number)](self._concatenated(tokens))
                tokens = self._separated(concatenated)
        features = self.norm(tokens)[:, 0].reshape(x.shape[0], -1)
        logits: Tensor = self.classifier(features)
        return logits

    def _with_positions(self, patches: Tensor) -> Tensor:
        """Convert (B, D, rows, columns) to (B, 1 + rows x columns, D): class token first, positions added."""
        positions = self.pos_embed
        n_positions = positions.shape[1] - 1
        if patches.shape[2] ** 2 != n_positions or patches.shape[3] ** 2 != n_positions:
            weights = torch.from_numpy(_resizing(n_positions, patches.shape[2], patches.shape[3])).to(positions)
            positions = torch.cat([positions[:, :1], weights @ positions[:, 1:]], dim=1)
        tokens = patches.flatten(2).transpose(1, 2)
        with_class: Tensor = torch.cat([self.cls_token.expand(tokens.shape[0], -1, -1), tokens], dim=1) + positions
        return with_class

    def _concatenated(self, tokens: Tensor) -> Tensor:
        """Convert (B x channels, tokens, D) to (B, tokens, channels x D)."""
        return tokens.reshape(-1, self._channels, *tokens.shape[1:]).transpose(1, 2).flatten(2)

    def _separated(self, tokens: Tensor) -> Tensor:
        """Convert (B, tokens, channels x D) to (B x channels, tokens, D)."""
        return tokens.reshape(*tokens.shape[:2], self._channels, -1).transpose(1, 2).flatten(0, 1)


@lru_cache(maxsize=8)
def _resizing(n_positions: int, rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Return the (rows x columns, n_positions) weights with which timm resizes position embeddings.

    Multiplication by a constant can be exported to ONNX, which lacks this kind of resizing.
    """
    resized: Any = import_timm().layers.resample_abs_pos_embed  # Any: untyped
    with torch.no_grad():
        weights: Tensor = resized(
            torch.eye(n_positions, device="cpu")[None], new_size=[rows, columns], num_prefix_tokens=0
        )[0]
    matrix: npt.NDArray[np.float32] = weights.numpy()
    return matrix


class _Patches(nn.Module):
    """The patch embedding of timm's network: (B, 1, H, W) -> (B, D, rows, columns)."""

    def __init__(self, proj: nn.Conv2d) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.proj(x)
        return patches
