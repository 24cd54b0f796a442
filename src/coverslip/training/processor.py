"""Faster training on the CPU: reuse of freed memory, and faster convolutions with equal results up to rounding.

Two operations of PyTorch can be replaced by faster ones:

- A batch norm with fixed statistics is one affine map per channel. It can be folded into the weights of the preceding
  convolution. This saves its passes over the activations, forward and backward, and the memory of its input.
- oneDNN computes the gradient of depthwise weights fast for kernels of at most three columns. For wider kernels its
  general code treats every channel as a group of 16, which takes ten times as long (5 x 5 over 672 channels of
  14 x 14). Computing three columns at a time is fast for wider kernels too.
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
_MAX_INT = 2**31 - 1


def keep_freed_memory() -> bool:
    """Configure glibc to reuse freed blocks instead of returning them to the system; return whether it worked.

    Each training step frees and allocates the same large blocks. By default glibc returns them to the system, which
    clears them every time: steps took 1.5-3.2 times as long. Peak memory increases; `return_freed_memory` limits it.
    Without Linux and glibc this function does nothing.
    """
    libc = _libc()
    if libc is None:
        return False

    def set_to(name: int, value: int) -> bool:
        return bool(libc.mallopt(ctypes.c_int(name), ctypes.c_int(value)) == 1)

    # Older versions accept at most 32 MiB. Without this setting the others would be harmful: they disable glibc's
    # dynamic increase of the threshold.
    if not (set_to(_MMAP_THRESHOLD, _MAX_INT) or set_to(_MMAP_THRESHOLD, 32 * 1024 * 1024)):
        return False
    # One pool for all threads, so that each can reuse the blocks of the others.
    return all([set_to(_ARENA_MAX, 1), set_to(_TRIM_THRESHOLD, _MAX_INT), set_to(_TOP_PAD, 64 * 1024 * 1024)])


def return_freed_memory() -> None:
    """Return freed blocks to the system now.

    Training and validation allocate blocks of different sizes, which rarely fit each other. Without a return, memory
    grew from 2.2 to 4.1 GiB within three epochs; with a return after both it stayed below 2 GiB.
    """
    libc = _libc()
    if libc is not None:
        libc.malloc_trim(0)


def _libc() -> Any:  # Any: ctypes gives functions by name
    """Return glibc, or None if there is another C library."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None


_FAST_COLUMNS = 3
_TOLERANCE = 1e-3  # relative to the largest output


@contextmanager
def faster_convolutions(network: nn.Module, x: Tensor) -> Iterator[None]:
    """Accelerate the convolutions of `network` on the CPU inside the context; parameters and names do not change.

    A norm is folded if it is in evaluation mode, now and throughout, and its input is the output tensor of a
    convolution, as determined on `x`. The convolution's output could also be used elsewhere. Therefore the output of
    the network is compared with the original, and nothing is changed if it differs.

    Args:
        network: in the mode in which it will be trained.
        x: (B, C, H, W), a valid batch.
    """
    mode_of = {module: module.training for module in network.modules()}
    network.eval()  # no statistics change and no random numbers are drawn
    convolutions = _faster_convolutions(
        network, x, {module for module, is_training in mode_of.items() if not is_training}
    )
    with torch.no_grad():
        before = network(x)
        for each in convolutions:
            each.install()
        difference = (network(x) - before).abs().max()
    for module, is_training in mode_of.items():
        module.training = is_training
    if not difference <= _TOLERANCE * before.abs().max():  # also if the difference is not a number
        for each in convolutions:
            each.remove()
        convolutions = []
    try:
        yield
    finally:
        for each in convolutions:
            each.remove()


@dataclass(frozen=True, slots=True)
class _FasterConvolution:
    """A convolution, and the following norm if it is folded."""

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
        """Apply the operations of timm's norms after normalization; a plain norm has none."""
        for name in ("drop", "act"):
            if hasattr(self.norm, name):
                x = getattr(self.norm, name)(x)
        return x


class _WideDepthwise(torch.autograd.Function):
    """A depthwise convolution that computes the gradient of its weights three columns at a time."""

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
            if ctx.padding != ctx.before:  # a view is sufficient, because it is read once
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
    gradients = []
    for start in range(0, columns, _FAST_COLUMNS):
        kernel = weight[..., start : start + _FAST_COLUMNS]
        # The columns of x that overlap these columns of the kernel; a negative pad crops.
        n_overlapping = (gradient.shape[3] - 1) * stride[1] + kernel.shape[3]
        left = padding[1] - start
        right = n_overlapping - left - x.shape[3]
        if min(left, right) <= -x.shape[3]:  # they overlap padding only
            gradients.append(torch.zeros_like(kernel))
            continue
        overlapping = functional.pad(x, (left, right))
        gradients.append(_gradients(gradient, overlapping, kernel, stride, (padding[0], 0), of_input=False))
    return torch.cat(gradients, dim=3)


def _gradients(
    gradient: Tensor, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int], *, of_input: bool
) -> Tensor:
    output_mask = [of_input, not of_input, False]
    of_x, of_weight, _ = torch.ops.aten.convolution_backward(
        gradient, x, weight, None, list(stride), list(padding), [1, 1], False, [0, 0], len(weight), output_mask
    )
    result: Tensor = of_x if of_input else of_weight
    return result


def _faster_convolutions(network: nn.Module, x: Tensor, in_evaluation: set[nn.Module]) -> list[_FasterConvolution]:
    """Return the convolutions that can be computed faster. Only norms of `in_evaluation` can be folded."""
    norm_of = {convolution: norm for convolution, norm in _following_norms(network, x) if norm in in_evaluation}
    convolutions = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and _is_plain(module):
            norm = norm_of.get(module)
            if norm is not None or _is_wide_depthwise(module):
                convolutions.append(_FasterConvolution(module, norm))
    return convolutions


def _following_norms(network: nn.Module, x: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Return pairs of a convolution and the norm whose input is its output."""
    convolution_of: dict[int, nn.Conv2d] = {}
    outputs: list[Tensor] = []  # held, so that no identifier is reused
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
    """Return whether this is timm's convolution with TensorFlow's padding, which can differ between two sides."""
    return type(convolution).__name__ == "Conv2dSame"


def _padding(convolution: nn.Conv2d, x: Tensor) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return (rows, columns) of zeros before and after."""
    if not _is_same_padded(convolution):
        padding: Any = convolution.padding  # Any: not a string, which mypy cannot infer
        return padding, padding
    totals = []
    for size, kernel, stride in zip(x.shape[2:], convolution.kernel_size, convolution.stride, strict=True):
        totals.append(max((-(-size // stride) - 1) * stride + kernel - size, 0))
    rows, columns = totals
    return (rows // 2, columns // 2), (rows - rows // 2, columns - columns // 2)


def _is_wide_depthwise(convolution: nn.Conv2d) -> bool:
    is_depthwise = convolution.groups == convolution.in_channels == convolution.out_channels
    return is_depthwise and convolution.kernel_size[1] > _FAST_COLUMNS
