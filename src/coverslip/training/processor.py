"""The steps of training on the processor in less time: the same function and gradients, to rounding.

Two things cost more than they need:

- A batch norm that keeps its statistics is one affine map per channel. As such it goes into the weights of the
  convolution before it, and its own passes over the activations, there and back, fall away, with the memory of its
  input.
- oneDNN has a fast gradient of depthwise weights for kernels of at most three columns. Wider ones take its general
  code, which treats every channel as a group of 16: ten times the time (5 x 5 over 672 channels of 14 x 14). Taken
  three columns at a time, they are fast too.
"""

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -2, -3, -8  # malloc.h
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to reuse freed blocks instead of handing them back; True where that was possible.

    Each step of training frees and asks again for the same large blocks. By default glibc returns them to the
    system, which must clear them every time: measured at 1.5-3.2 times the seconds per step. Peak memory rises;
    `return_freed_memory` bounds it. Elsewhere than on Linux with glibc this does nothing.
    """
    libc = _libc()
    if libc is None:
        return False

    def set_to(name: int, value: int) -> bool:
        return bool(libc.mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1)

    # Older ones take no larger threshold than 32 MiB. Without any the rest would make things worse: it ends glibc's
    # own raising of the threshold.
    if not (set_to(_MMAP_THRESHOLD, _LARGEST) or set_to(_MMAP_THRESHOLD, 32 * 1024 * 1024)):
        return False
    # One pool for all threads: what one frees another can use.
    return all([set_to(_ARENA_MAX, 1), set_to(_TRIM_THRESHOLD, _LARGEST), set_to(_TOP_PAD, 64 * 1024 * 1024)])


def return_freed_memory() -> None:
    """Hand freed blocks back to the system now.

    Training and validation ask for blocks of other sizes, and what one frees fits the other badly: memory that is
    never returned grew from 2.2 to 4.1 GiB within three epochs; emptied after each of both it stayed below 2.
    """
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _libc() -> Any:  # Any: ctypes gives functions by name
    """glibc, or None where the C library is another."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


_FAST_COLUMNS = 3
_SAME = 1e-3  # relative to the largest output


@contextmanager
def faster_convolutions(network: nn.Module, x: Tensor) -> Iterator[None]:
    """Within it `network` computes with less work on the processor; its parameters and their names stay as they are.

    A norm is folded where it is in evaluation mode, now and throughout, and takes the very tensor that a convolution
    gives, as seen on `x`. Whether the convolution's output is used for nothing else, an output compared with the
    original decides; where it differs nothing is changed.

    Args:
        network: in the mode in which it is going to train.
        x: (B, C, H, W), a batch that it takes.
    """
    mode_of = {module: module.training for module in network.modules()}
    network.eval()  # no statistic moves and no random number is drawn
    steps = _steps(network, x, {module for module, is_training in mode_of.items() if not is_training})
    with torch.no_grad():
        before = network(x)
        for step in steps:
            step.install()
        difference = (network(x) - before).abs().max()
    for module, is_training in mode_of.items():
        module.training = is_training
    if not difference <= _SAME * before.abs().max():  # nor where it is no number
        for step in steps:
            step.remove()
        steps = []
    try:
        yield
    finally:
        for step in steps:
            step.remove()


@dataclass(frozen=True, slots=True)
class _Step:
    """A convolution, with the norm that follows it if that is folded."""

    convolution: nn.Conv2d
    norm: nn.BatchNorm2d | None

    def install(self) -> None:
        setattr(self.convolution, "forward", self._convolve)  # noqa: B010 - on the instance: undone by `remove`
        if self.norm is not None:
            setattr(self.norm, "forward", self._after_norm)  # noqa: B010

    def remove(self) -> None:
        del self.convolution.forward
        if self.norm is not None:
            del self.norm.forward

    def _convolve(self, x: Tensor) -> Tensor:
        convolution, norm = self.convolution, self.norm
        weight, bias = convolution.weight, convolution.bias
        if norm is not None:
            mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
            scale = norm.weight * torch.rsqrt(variance + norm.eps)
            shift = norm.bias - mean * scale
            bias = shift if bias is None else shift + bias * scale
            weight = weight * scale[:, None, None, None]
        before, after = _padding(convolution, x)
        stride = (convolution.stride[0], convolution.stride[1])
        if _is_wide_depthwise(convolution):
            y: Tensor = _WideDepthwise.apply(x, weight, bias, stride, before, after)  # type: ignore[no-untyped-call]
            return y
        if before != after:
            x, before = functional.pad(x, (before[1], after[1], before[0], after[0])), (0, 0)
        return functional.conv2d(x, weight, bias, stride, before, 1, convolution.groups)

    def _after_norm(self, x: Tensor) -> Tensor:
        """What timm's norms do after normalizing; a plain one does nothing."""
        for name in ("drop", "act"):
            if hasattr(self.norm, name):
                x = getattr(self.norm, name)(x)
        return x


class _WideDepthwise(torch.autograd.Function):
    """A depthwise convolution whose gradient of the weights is taken three columns at a time."""

    @staticmethod
    def forward(
        ctx: Any,  # Any: PyTorch's context
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        before: tuple[int, int],
        after: tuple[int, int],
    ) -> Tensor:
        padded, padding = x, before
        if before != after:
            padded, padding = functional.pad(x, (before[1], after[1], before[0], after[0])), (0, 0)
        ctx.save_for_backward(padded, weight)
        ctx.stride, ctx.padding, ctx.before, ctx.size = stride, padding, before, x.shape[2:]
        return functional.conv2d(padded, weight, bias, stride, padding, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:  # Any: PyTorch's context; one entry per argument of `forward`
        (gradient,) = gradients
        padded, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = _gradients(gradient, padded, weight, ctx.stride, ctx.padding, of_input=True)
            if ctx.padding != ctx.before:  # a view is enough: what comes next reads it once
                top, left = ctx.before
                of_x = of_x[:, :, top : top + ctx.size[0], left : left + ctx.size[1]]
        if ctx.needs_input_grad[1]:
            of_weight = _weight_gradient(gradient, padded, weight, ctx.stride, ctx.padding)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.sum(dim=(0, 2, 3))
        return of_x, of_weight, of_bias, None, None, None


def _weight_gradient(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    columns = weight.shape[3]
    parts = []
    for start in range(0, columns, _FAST_COLUMNS):
        kernel_part = weight[..., start : start + _FAST_COLUMNS]
        # The columns of x that these columns of the kernel meet; a negative pad cuts.
        n_met = (gradient.shape[3] - 1) * stride[1] + kernel_part.shape[3]
        left = padding[1] - start
        right = n_met - left - x.shape[3]
        if min(left, right) <= -x.shape[3]:  # they meet nothing but padding
            parts.append(torch.zeros_like(kernel_part))
            continue
        met = functional.pad(x, (left, right))
        parts.append(_gradients(gradient, met, kernel_part, stride, (padding[0], 0), of_input=False))
    return torch.cat(parts, dim=3)


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int], *, of_input: bool
) -> Tensor:
    output_mask = [of_input, not of_input, False]
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, list(stride), list(padding), [1, 1], False, [0, 0], len(weight), output_mask
    )
    result: Tensor = of_x if of_input else of_weight
    return result


def _steps(network: nn.Module, x: Tensor, in_evaluation: set[nn.Module]) -> list[_Step]:
    """Every convolution that can be computed faster; the norms that may be folded are among `in_evaluation`."""
    norm_of = {convolution: norm for convolution, norm in _following_norms(network, x) if norm in in_evaluation}
    steps = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_plain(module):
            norm = norm_of.get(module)
            if norm is not None or _is_wide_depthwise(module):
                steps.append(_Step(module, norm))
    return steps


def _following_norms(network: nn.Module, x: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions, each with the norm that takes its output."""
    convolution_of: dict[int, nn.Conv2d] = {}
    outputs: list[Tensor] = []  # kept alive, so that no two share an id
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after_convolution(module: nn.Module, inputs: Any, output: Tensor) -> None:  # Any: PyTorch's hook signature
        assert isinstance(module, nn.Conv2d)
        convolution_of[id(output)] = module
        outputs.append(output)

    def before_norm(module: nn.Module, inputs: Any) -> None:  # Any: PyTorch's hook signature
        assert isinstance(module, nn.BatchNorm2d)
        convolution = convolution_of.get(id(inputs[0]))
        if convolution is not None and module.affine and module.track_running_stats:
            pairs.append((convolution, module))

    hooks: list[RemovableHandle] = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(after_convolution))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(before_norm))
    try:
        with torch.no_grad():
            network(x)
    finally:
        for hook in hooks:
            hook.remove()
    return pairs


def _is_plain(convolution: nn.Conv2d) -> bool:
    return (
        convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and convolution.dilation == (1, 1)
        and (type(convolution) is nn.Conv2d or _is_same_padded(convolution))
    )


def _is_same_padded(convolution: nn.Conv2d) -> bool:
    """timm's convolution with TensorFlow's padding, where one side can get one more than the other."""
    return type(convolution).__name__ == "Conv2dSame"


def _padding(convolution: nn.Conv2d, x: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """Rows and columns of zeros (before, after)."""
    if not _is_same_padded(convolution):
        padding: Any = convolution.padding  # Any: mypy does not know that it is no string here
        return padding, padding
    totals = []
    for size, kernel, stride in zip(x.shape[2:], convolution.kernel_size, convolution.stride, strict=True):
        totals.append(max((-(-size // stride) - 1) * stride + kernel - size, 0))
    rows, columns = totals
    return (rows // 2, columns // 2), (rows - rows // 2, columns - columns // 2)


def _is_wide_depthwise(convolution: nn.Conv2d) -> bool:
    is_depthwise = convolution.groups == convolution.in_channels == convolution.out_channels
    return is_depthwise and convolution.kernel_size[1] > _FAST_COLUMNS
