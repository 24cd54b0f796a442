"""NASNet-A (4 @ 1056), known as NASNet-Mobile.

Source: Zoph, Vasudevan, Shlens, Le 2018, Learning Transferable Architectures for Scalable Image Recognition: the cells
of figure 4, the stacking of figure 2; 5.3 million parameters and 564 million multiply-adds at 224 pixels.

Padding follows TensorFlow, with which the published weights were trained: if the image side is even, windows with
stride 2 start one pixel later than with padding on both sides.

Differences: there are no auxiliary head and no scheduled drop path, which only serve training on ImageNet. The moving
statistics of batch norms have a momentum of 0.1 instead of 0.0003, with which they would hardly change in the few
thousand steps of a training on microscope images.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from coverslip.models._libraries import import_timm

_STEM = 32
_EPS = 1e-3  # of batch norms

Operation = Literal["separable 3", "separable 5", "separable 7", "average", "maximum", "identity"]


class _Cell(NamedTuple):
    """The operations of a cell.

    Maps 0 and 1 are the outputs of the cell before the previous cell and of the previous cell. Each sum of two
    operations on earlier maps adds a map: 2, 3, ... In a reduction cell, operations on 0 and 1 halve height and width.
    """

    sums: tuple[tuple[tuple[int, Operation], tuple[int, Operation]], ...]
    outputs: tuple[int, ...]  # maps that are concatenated


_NORMAL = _Cell(
    sums=(
        ((1, "separable 5"), (0, "separable 3")),
        ((0, "separable 5"), (0, "separable 3")),
        ((1, "average"), (0, "identity")),
        ((0, "average"), (0, "average")),
        ((1, "separable 3"), (1, "identity")),
    ),
    outputs=(0, 2, 3, 4, 5, 6),
)
_REDUCTION = _Cell(
    sums=(
        ((1, "separable 5"), (0, "separable 7")),
        ((1, "maximum"), (0, "separable 7")),
        ((1, "average"), (0, "separable 5")),
        ((2, "average"), (3, "identity")),
        ((2, "separable 3"), (1, "maximum")),
    ),
    outputs=(3, 4, 5, 6),
)

_CELLS = (  # with their widths; networks for ImageNet start with two narrow reduction cells
    *((_REDUCTION, 11), (_REDUCTION, 22)),
    *[(_NORMAL, 44)] * 4,
    *[(_REDUCTION, 88), *[(_NORMAL, 88)] * 4],
    *[(_REDUCTION, 176), *[(_NORMAL, 176)] * 4],
)  # 4 @ 1056: four normal cells at each width, and 6 x 176 = 1056 output channels


class NASNetMobile(nn.Module):
    """(B, channels, H, W) normalized float -> (B, n_classes) logits; any H and W from 32, made for 224.

    Args:
        n_classes: 0 returns the pooled (B, 1056) features.
        channels: of the images.
    """

    def __init__(self, *, n_classes: int = 1000, channels: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, _STEM, 3, stride=2, bias=False), _norm(_STEM))
        cells: list[_CellNetwork] = []
        n_previous, n_last, is_previous_larger = None, _STEM, False  # both inputs of the first cell are the stem
        for cell, width in _CELLS:
            cells.append(_CellNetwork(cell, n_previous, n_last, width, is_previous_larger))
            n_previous, n_last, is_previous_larger = n_last, width * len(cell.outputs), cell is _REDUCTION
        self.cells = nn.ModuleList(cells)
        self._n_features = n_last
        self.classifier: nn.Module = nn.Identity()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        self.reset_classifier(n_classes)

    def reset_classifier(self, n_classes: int) -> None:
        """Replace the last layer; with 0 classes the network returns pooled features."""
        self.classifier = nn.Linear(self._n_features, n_classes) if n_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        previous = last = self.stem(x)
        for cell in self.cells:
            previous, last = last, cell(previous, last)
        pooled = functional.relu(last).mean(dim=(2, 3))
        logits: Tensor = self.classifier(pooled)
        return logits


class _CellNetwork(nn.Module):
    """A cell: two input maps, and an output with `width` channels for each output map of the cell."""

    def __init__(self, cell: _Cell, n_previous: int | None, n_last: int, width: int, is_previous_larger: bool) -> None:
        super().__init__()
        if n_previous is None:
            self.previous: nn.Module = nn.Identity()
        else:
            self.previous = (_Halved if is_previous_larger else _Narrowed)(n_previous, width)
        self.last = _Narrowed(n_last, width)
        n_in = [n_last if n_previous is None else width, width]
        n_in += [width] * len(cell.sums)
        self.operations = nn.ModuleList(
            _operation(name, n_in[source], width, stride=2 if cell is _REDUCTION and source < 2 else 1)
            for pair in cell.sums
            for source, name in pair
        )
        self._cell = cell

    def forward(self, previous: Tensor, last: Tensor) -> Tensor:
        maps = [self.previous(previous), self.last(last)]
        operations = iter(self.operations)
        for pair in self._cell.sums:
            first, second = (next(operations)(maps[source]) for source, _ in pair)
            maps.append(first + second)
        return torch.cat([maps[index] for index in self._cell.outputs], dim=1)


class _Narrowed(nn.Module):
    """Adapts the number of channels to the width of the cell."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.norm = _norm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        narrowed: Tensor = self.norm(self.convolution(functional.relu(x)))
        return narrowed


class _Halved(nn.Module):
    """As `_Narrowed`, with half the height and width: half the channels from even, half from odd positions."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.even = nn.Conv2d(n_in, n_out // 2, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(n_in, n_out // 2, 1, stride=2, bias=False)
        self.norm = _norm(n_out)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(x)
        shifted = functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        halved: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))
        return halved


def _operation(name: Operation, n_in: int, n_out: int, *, stride: int) -> nn.Module:
    match name:
        case "separable 3" | "separable 5" | "separable 7":
            return _separable(n_in, n_out, int(name[-1]), stride)
        case "average":
            average = nn.AvgPool2d(3, stride, padding=1, count_include_pad=False)
            return average if stride == 1 else _HalvingPool(average)
        case "maximum":
            return _HalvingPool(nn.MaxPool2d(3, stride, padding=1))
        case "identity":
            return nn.Identity()


def _separable(n_in: int, n_out: int, kernel: int, stride: int) -> nn.Sequential:
    """Return two separable convolutions, of which only the first has a stride."""
    layers: list[nn.Module] = []
    for n_from, step in ((n_in, stride), (n_out, 1)):
        convolution = nn.Conv2d if step == 1 else import_timm().layers.Conv2dSame  # with the padding of TensorFlow
        layers += [
            nn.ReLU(),
            convolution(n_from, n_from, kernel, step, padding=kernel // 2, groups=n_from, bias=False),
            nn.Conv2d(n_from, n_out, 1, bias=False),
            _norm(n_out),
        ]
    return nn.Sequential(*layers)


class _HalvingPool(nn.Module):
    """Pooling with stride 2 and the padding of TensorFlow: if a side is even, windows start one position later.

    A row or column is prepended, which moves every window back by one, and the window that contains it is removed.
    Positions outside the image do not count.
    """

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = (1 - side % 2 for side in x.shape[2:])
        pooled: Tensor = self.pool(functional.pad(x, (columns, 0, rows, 0)))
        return pooled[:, :, rows:, columns:]


def _norm(n: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n, eps=_EPS)
