"""NASNet-Mobile as Cadene's pretrained-models.pytorch names its parts: ours gives the same logits from its tensors.

The port is reimplemented here from its published structure: its names, and its padding, which is set for each cell and
right for the parities that images of 224 and of 96 pixels give.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from coverslip.errors import WeightsUnavailable
from coverslip.messages import text
from coverslip.models.architectures.nasnet_mobile import NASNetMobile
from coverslip.models.building import load_exactly
from coverslip.models.importing import import_weights
from coverslip.models.weights import local_weights

# name: cell, width, channels of the map before the last and of the last, whether the former is larger, padded like even
CELLS: dict[str, tuple[str, int, int, int, bool, bool]] = {
    "cell_stem_0": ("reduction", 11, 32, 32, False, False),
    "cell_stem_1": ("reduction", 22, 32, 44, True, True),
    "cell_0": ("normal", 44, 44, 88, True, False),
    **{f"cell_{n}": ("normal", 44, 88 if n == 1 else 264, 264, False, False) for n in (1, 2, 3)},
    "reduction_cell_0": ("reduction", 88, 264, 264, False, True),
    "cell_6": ("normal", 88, 264, 352, True, False),
    **{f"cell_{n}": ("normal", 88, 352 if n == 7 else 528, 528, False, False) for n in (7, 8, 9)},
    "reduction_cell_1": ("reduction", 176, 528, 528, False, True),
    "cell_12": ("normal", 176, 528, 704, True, False),
    **{f"cell_{n}": ("normal", 176, 704 if n == 13 else 1056, 1056, False, False) for n in (13, 14, 15)},
}


def norm(n: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(n, eps=0.001)


def shifted(operation: nn.Module, x: Tensor) -> Tensor:
    """With a row and a column in front, and without the first row and column of what comes out."""
    out: Tensor = operation(functional.pad(x, (1, 0, 1, 0)))[:, :, 1:, 1:]
    return out


class Separable(nn.Module):
    def __init__(self, n_in: int, n_out: int, side: int, stride: int) -> None:
        super().__init__()
        self.depthwise_conv2d = nn.Conv2d(n_in, n_in, side, stride, side // 2, groups=n_in, bias=False)
        self.pointwise_conv2d = nn.Conv2d(n_in, n_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.pointwise_conv2d(self.depthwise_conv2d(x))
        return out


class Branch(nn.Module):
    def __init__(self, n_in: int, n_out: int, side: int, stride: int, is_shifted: bool) -> None:
        super().__init__()
        self.separable_1, self.bn_sep_1 = Separable(n_in, n_out, side, stride), norm(n_out)
        self.separable_2, self.bn_sep_2 = Separable(n_out, n_out, side, 1), norm(n_out)
        self.is_shifted = is_shifted

    def forward(self, x: Tensor) -> Tensor:
        x = x.relu()
        x = shifted(self.separable_1, x) if self.is_shifted else self.separable_1(x)
        out: Tensor = self.bn_sep_2(self.separable_2(self.bn_sep_1(x).relu()))
        return out


class Cell(nn.Module):
    def __init__(self, kind: str, width: int, n_before: int, n_last: int, is_larger: bool, is_even: bool) -> None:
        super().__init__()
        self.kind, self.is_even = kind, is_even
        self.conv_1x1 = self._narrow(n_last, width)
        self.is_first = n_before == 32 and n_last == 32
        n_left = n_before if self.is_first else width
        if is_larger:
            self.path_1, self.path_2 = nn.Module(), nn.Module()
            self.path_1.conv = nn.Conv2d(n_before, width // 2, 1, bias=False)
            self.path_2.conv = nn.Conv2d(n_before, width // 2, 1, bias=False)
            self.final_path_bn = norm(width)
        elif not self.is_first:
            self.conv_prev_1x1 = self._narrow(n_before, width)
        branches = {"0_left": (width, 5), "0_right": (n_left, 3), "1_left": (n_left, 5), "1_right": (n_left, 3)}
        if kind == "reduction":
            branches = {"0_left": (width, 5), "0_right": (n_left, 7), "1_right": (n_left, 7), "2_right": (n_left, 5)}
        for name, (n_in, side) in branches.items():
            stride = 2 if kind == "reduction" else 1
            self.add_module(f"comb_iter_{name}", Branch(n_in, width, side, stride, is_even and stride == 2))
        self.comb_iter_4_left = Branch(width, width, 3, 1, False)

    def _narrow(self, n_in: int, n_out: int) -> nn.Sequential:
        layers = nn.Sequential()
        layers.add_module("relu", nn.ReLU())
        layers.add_module("conv", nn.Conv2d(n_in, n_out, 1, bias=False))
        layers.add_module("bn", norm(n_out))
        return layers

    def _left(self, before: Tensor) -> Tensor:
        if self.is_first:
            return before
        if hasattr(self, "conv_prev_1x1"):
            out: Tensor = self.conv_prev_1x1(before)
            return out
        before = before.relu()
        paths = (before, functional.pad(before, (0, 1, 0, 1))[:, :, 1:, 1:])
        halves = [
            path.conv(functional.avg_pool2d(x, 1, 2)) for path, x in zip((self.path_1, self.path_2), paths, strict=True)
        ]
        normed: Tensor = self.final_path_bn(torch.cat(halves, 1))
        return normed

    def forward(self, last: Tensor, before: Tensor) -> Tensor:
        left, right = self._left(before), self.conv_1x1(last)
        branch = {name: part for name, part in self.named_children() if name.startswith("comb_iter")}
        total = [branch["comb_iter_0_left"](right) + branch["comb_iter_0_right"](left)]
        same = nn.AvgPool2d(3, 1, 1, count_include_pad=False)
        if self.kind == "normal":
            total.append(branch["comb_iter_1_left"](left) + branch["comb_iter_1_right"](left))
            total += [same(right) + left, same(left) + same(left), branch["comb_iter_4_left"](right) + right]
            return torch.cat([left, *total], 1)
        largest, mean = nn.MaxPool2d(3, 2, 1), nn.AvgPool2d(3, 2, 1, count_include_pad=False)
        pooled, averaged = ((shifted(p, right) if self.is_even else p(right)) for p in (largest, mean))
        total.append(pooled + branch["comb_iter_1_right"](left))
        total.append(averaged + branch["comb_iter_2_right"](left))
        total += [same(total[0]) + total[1], branch["comb_iter_4_left"](total[0]) + pooled]
        return torch.cat(total[1:], 1)


class Ported(nn.Module):
    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.conv0 = nn.Sequential()
        self.conv0.add_module("conv", nn.Conv2d(3, 32, 3, 2, bias=False))
        self.conv0.add_module("bn", norm(32))
        for name, cell in CELLS.items():
            self.add_module(name, Cell(*cell))
        self.last_linear = nn.Linear(1056, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        before = last = self.conv0(x)
        for name in CELLS:
            before, last = last, self.get_submodule(name)(last, before)
        out: Tensor = self.last_linear(last.relu().mean((2, 3)))
        return out


@pytest.fixture
def ported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ported:
    monkeypatch.setenv("COVERSLIP_WEIGHTS", str(tmp_path / "weights"))
    torch.manual_seed(0)
    network = Ported(7)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 1.5)  # type: ignore[arg-type]  # both are tensors
            for tensor in (module.bias, module.running_mean):
                nn.init.normal_(tensor, 0, 0.1)  # type: ignore[arg-type]
    return network.eval()


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_port_and_ours_answer_alike(ported: Ported, tmp_path: Path) -> None:
    state = {name: tensor for name, tensor in ported.state_dict().items() if not name.endswith("batches_tracked")}
    torch.save(state, tmp_path / "nasnetamobile-7e03cead.pth")  # PyTorch counted no batches when it was published
    import_weights(tmp_path / "nasnetamobile-7e03cead.pth", "nasnet_mobile")
    weights, ours = local_weights("nasnet_mobile"), NASNetMobile(n_classes=7)
    assert weights is not None
    load_exactly(ours, weights)
    x = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = ported(x)
        assert (expected[0] - expected[1]).abs().max() > 1e-2, "the picture counts"
        torch.testing.assert_close(ours.eval()(x), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    strange = state | {"cell_99.conv_1x1.conv.weight": torch.zeros(1)}
    torch.save(strange, tmp_path / "strange.pth")
    with pytest.raises(WeightsUnavailable) as error:
        import_weights(tmp_path / "strange.pth", "nasnet_mobile")
    assert error.value.what.endswith(text("tensors-unknown", n=1, names="cell_99.conv_1x1.conv.weight"))
