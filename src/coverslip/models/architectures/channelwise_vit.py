"""A vision transformer that sees each channel of an image by itself: for any number of channels, with the same weights.

Source: Agrawal et al. 2025, CHAMMI-75, whose MorphEm is such a ViT-S/16 (Dosovitskiy et al. 2021), trained with DINO on
single channels of microscope images. As its authors use it: each channel of each image is brought to mean 0 and
standard deviation 1, goes through the network, and the channels' class tokens are put side by side.

What differs: pixels that are saturated get no random noise. Positions for other image sizes than 224 are fitted as timm
does it.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from coverslip.models._libraries import import_timm

_WIDTH = 384
_EPS = 1e-7  # of the variance, for pixels from 0 to 1
_TOGETHER = (2, 5, 8, 10, 11)  # after these blocks an image's channels can be seen side by side


class ChannelwiseViT(nn.Module):
    """(B, channels, H, W) float -> (B, n_classes) logits; H and W multiples of 16, made for 224.

    Args:
        n_classes: 0 gives the channels' class tokens side by side, (B, 384 x channels).
        channels: of the images; no weight but the classifier's depends on it.
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
        """A new last layer; with 0 classes the network gives its features."""
        self.classifier = nn.Linear(_WIDTH * self._channels, n_classes) if n_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=(2, 3), keepdim=True, correction=0)
        single = ((x - mean) / (variance + _EPS).sqrt()).flatten(0, 1).unsqueeze(1)
        tokens = self._with_positions(self.patch_embed(single))
        for number, block in enumerate(self.blocks):
            tokens = block(tokens)
            if number in _TOGETHER:
                side_by_side = self.together[_TOGETHER.index(number)](self._side_by_side(tokens))
                tokens = self._apart(side_by_side)
        features = self.norm(tokens)[:, 0].reshape(len(x), -1)
        logits: Tensor = self.classifier(features)
        return logits

    def _with_positions(self, patches: Tensor) -> Tensor:
        """Map (B, D, rows, columns) -> (B, 1 + rows x columns, D), the class token first."""
        fitted: Any = import_timm().layers.resample_abs_pos_embed  # Any: untyped; gives them back where they fit
        positions = fitted(self.pos_embed, new_size=list(patches.shape[2:]), num_prefix_tokens=1)
        tokens = patches.flatten(2).transpose(1, 2)
        with_class: Tensor = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], dim=1) + positions
        return with_class

    def _side_by_side(self, tokens: Tensor) -> Tensor:
        """Map (B x channels, tokens, D) -> (B, tokens, channels x D)."""
        return tokens.reshape(-1, self._channels, *tokens.shape[1:]).transpose(1, 2).flatten(2)

    def _apart(self, tokens: Tensor) -> Tensor:
        """Map (B, tokens, channels x D) -> (B x channels, tokens, D)."""
        return tokens.reshape(*tokens.shape[:2], self._channels, -1).transpose(1, 2).flatten(0, 1)


class _Patches(nn.Module):
    """(B, 1, H, W) -> (B, D, rows, columns)."""

    def __init__(self, proj: nn.Conv2d) -> None:
        super().__init__()
        self.proj = proj

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.proj(x)
        return patches
