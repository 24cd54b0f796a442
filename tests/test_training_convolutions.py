"""Training's faster steps on the processor: the same function, the same gradients, fewer passes."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from parameters import only_first
from torch import Tensor, nn

from coverslip.models.networks import create_network, train_mode
from coverslip.training.processor import faster_convolutions


def trainable(model: str, **choices: Any) -> nn.Module:
    """In double precision, with norms that have seen something."""
    torch.manual_seed(3)
    network = create_network(model, n_classes=4, pretrained=False, **choices).double()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.3, 0.3)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
    train_mode(network, keep_statistics=True)
    for module in network.modules():
        if isinstance(module, nn.Dropout) or type(module).__name__ == "DropPath":
            module.eval()  # else two passes differ by chance
    return network.to(memory_format=torch.channels_last)


def outputs_and_gradients(network: nn.Module, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    network.zero_grad()
    logits = network(x)
    nn.functional.cross_entropy(logits, torch.arange(len(x)) % 4).backward()
    return logits.detach(), {name: p.grad.clone() for name, p in network.named_parameters() if p.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "choices", "n_changed"),
    only_first(
        1,
        [
            ("efficientnet_lite0", {}, 96),
            pytest.param("efficientnet_lite0", {"head": "native"}, 98, marks=pytest.mark.exhaustive),
            ("timm/mobilenetv3_small_050", {}, 68),  # hard swish, squeeze and excitation, 5 x 5 depthwise
            pytest.param("timm/resnet18", {"head": "native"}, 40, marks=pytest.mark.exhaustive),
            ("timm/convnext_atto", {"head": "native"}, 12),  # layer norms; its twelve 7 x 7 depthwise convolutions
            pytest.param(  # TensorFlow's padding
                "timm/tf_mobilenetv3_small_minimal_100", {"head": "native"}, 68, marks=pytest.mark.exhaustive
            ),
        ],
    ),
)
def test_outputs_and_gradients_are_the_same_and_nothing_stays_changed(
    model: str, choices: dict[str, Any], n_changed: int
) -> None:
    network = trainable(model, **choices)
    x = torch.rand(4, 3, 65, 65, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    logits, gradients = outputs_and_gradients(network, x)
    names = list(network.state_dict())
    with faster_convolutions(network, x[:2]):
        assert sum("forward" in vars(module) for module in network.modules()) == n_changed
        assert list(network.state_dict()) == names
        faster_logits, faster_gradients = outputs_and_gradients(network, x)
    torch.testing.assert_close(faster_logits, logits, rtol=1e-9, atol=1e-9)
    assert faster_gradients.keys() == gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(
            faster_gradients[name], gradient, rtol=1e-7, atol=1e-9 * float(gradient.abs().max() + 1), msg=name
        )
    assert not any("forward" in vars(module) for module in network.modules())


class UsedTwice(nn.Module):
    """The convolution's output goes past its norm too: folding would change what is added."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.convolution(x)
        both: Tensor = (y + self.norm(y)).mean(dim=(2, 3))
        return both


def test_a_convolution_that_is_used_past_its_norm_is_left_alone() -> None:
    network = UsedTwice().eval()
    network.norm.running_mean.fill_(0.7)  # type: ignore[union-attr]
    x = torch.rand(2, 3, 16, 16)
    with faster_convolutions(network, x):
        assert not any("forward" in vars(module) for module in network.modules())


def test_norms_that_follow_the_batch_are_not_folded() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).train()
    with faster_convolutions(network, torch.rand(2, 3, 16, 16)):
        assert not any("forward" in vars(module) for module in network.modules())


def stop_inside(network: nn.Sequential) -> None:
    with faster_convolutions(network, torch.rand(2, 3, 16, 16)):
        assert all("forward" in vars(module) for module in network)
        raise KeyboardInterrupt


def test_an_error_inside_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).eval()
    with pytest.raises(KeyboardInterrupt):
        stop_inside(network)
    assert not any("forward" in vars(module) for module in network.modules())


@given(
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    kernel=st.tuples(st.integers(1, 7), st.integers(4, 9)),
    stride=st.integers(1, 3),
    padding=st.integers(0, 4),
    has_bias=st.booleans(),
)
def test_gradients_of_any_wide_depthwise_convolution(
    height: int, width: int, kernel: tuple[int, int], stride: int, padding: int, has_bias: bool
) -> None:
    if height + 2 * padding < kernel[0] or width + 2 * padding < kernel[1]:
        return
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 5, kernel, stride, padding, groups=5, bias=has_bias).double()
    x = torch.rand(2, 5, height, width, dtype=torch.float64, requires_grad=True)

    def gradients() -> list[Tensor]:
        return list(torch.autograd.grad(layer(x).square().sum(), [x, *layer.parameters()]))

    expected = gradients()
    with faster_convolutions(layer, x):
        assert "forward" in vars(layer)
        for actual, exact in zip(gradients(), expected, strict=True):
            torch.testing.assert_close(actual, exact)
