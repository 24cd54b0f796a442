"""Mobincep: a small network for several types of microscope images.

Source: Tran, Meunier, Cheriet, Multi-domain learning CNN model for microscopy image classification.

Stated in the paper: the order of the modules (buffer convolution, inception module of four branches with 1 x 1, 3 x 3
and 5 x 5 kernels and average pooling, a stack of depthwise separable convolutions, average pooling, a linear layer); a
batch norm and a ReLU after each convolution; Kaiming uniform initialization; 4.3 million parameters.

Not stated in the paper and chosen here: all widths and strides, and the depth of the stack. They were chosen so that
the network has 4.3 million parameters: 4,319,842 with 2 classes, 4,333,167 with 15. The network matches the paper's
description, but it is unknown whether it is identical to the paper's network.
"""

import torch
from torch import Tensor, nn

_BUFFER = 32
_BRANCHES = (64, (64, 96), (32, 64), 32)  # widths: 1 x 1; before and after 3 x 3; before and after 5 x 5; after pooling
_STACK = ((256, 2), (512, 2), (512, 1), (512, 1), (512, 1), (512, 2), (512, 1), (1024, 2), (1024, 1), (1024, 1))
_FEATURES = _STACK[-1][0]


class Mobincep(nn.Module):
    """(B, channels, H, W) normalized float -> (B, n_classes) logits; any H and W from 32, made for 224.

    Args:
        n_classes: 0 returns the pooled (B, 1024) features.
        channels: of the images.
    """

    def __init__(self, *, n_classes: int = 1000, channels: int = 3) -> None:
        super().__init__()
        self.buffer = _convolution(channels, _BUFFER, 3, stride=2)
        self.inception = _Inception(_BUFFER)
        stack, width = [], self.inception.width
        for n_out, stride in _STACK:
            stack.append(_separable(width, n_out, stride))
            width = n_out
        self.stack = nn.Sequential(*stack)
        self.classifier: nn.Module = nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
        self.reset_classifier(n_classes)

    def reset_classifier(self, n_classes: int) -> None:
        """Replace the last layer; with 0 classes the network returns pooled features."""
        if n_classes == 0:
            self.classifier = nn.Identity()
            return
        self.classifier = nn.Linear(_FEATURES, n_classes)
        nn.init.kaiming_uniform_(self.classifier.weight, nonlinearity="linear")
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x: Tensor) -> Tensor:
        maps = self.stack(self.inception(self.buffer(x)))  # (B, 1024, H / 32, W / 32)
        logits: Tensor = self.classifier(maps.mean(dim=(2, 3)))
        return logits


class _Inception(nn.Module):
    """Four branches on the same maps, concatenated: (B, n_in, H, W) -> (B, width, H, W)."""

    def __init__(self, n_in: int) -> None:
        super().__init__()
        point, three, five, pooled = _BRANCHES
        self.width = point + three[1] + five[1] + pooled
        self.branches = nn.ModuleList(
            [
                _convolution(n_in, point, 1),
                nn.Sequential(_convolution(n_in, three[0], 1), _convolution(*three, 3)),
                nn.Sequential(_convolution(n_in, five[0], 1), _convolution(*five, 5)),
                nn.Sequential(
                    nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False), _convolution(n_in, pooled, 1)
                ),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def _convolution(n_in: int, n_out: int, kernel: int, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )


def _separable(n_in: int, n_out: int, stride: int) -> nn.Sequential:
    """Return a depthwise separable convolution."""
    return nn.Sequential(_convolution(n_in, n_in, 3, stride=stride, groups=n_in), _convolution(n_in, n_out, 1))
