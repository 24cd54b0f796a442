"""What a network computes before anything that learns, taken apart from the rest, so that it need be computed once.

No architecture says where it can be cut: gradients do. Frozen are the outermost modules that ended before the first
output that a gradient flows back through. Each of their outputs is then cut off from what it was computed of: those
that get a gradient all the same are used by the rest of the network. So a shortcut around the boundary, or cells that
read the last two maps, take care of themselves. Whether the rest gives the same logits is for the caller to compare.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from coverslip.models.networks import MultiLayerPooling, Network


class CannotSplit(Exception):
    """A network that gives more than maps where it is frozen, or uses frozen modules again later."""


class _Reached(Exception):
    """All that is frozen was computed."""


@dataclass(frozen=True, slots=True)
class _Output:
    """What a frozen module gives."""

    module: nn.Module
    shape: tuple[int, ...]  # of one image
    is_channels_last: bool  # in memory
    is_used: bool  # by the rest of the network

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def as_rows(self, output: Tensor) -> Tensor:
        """(B, ...) -> (B, size), in the order in which it lies in memory."""
        return (output.permute(0, 2, 3, 1) if self.is_channels_last else output).flatten(1)

    def from_rows(self, rows: Tensor) -> Tensor:
        """(B, size) -> (B, ...)."""
        if not self.is_channels_last:
            return rows.reshape(-1, *self.shape)
        channels, height, width = self.shape
        maps = rows.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return maps.contiguous(memory_format=torch.channels_last)


class FrozenPart:
    """The part of a network before anything that learns.

    Args:
        network: some of whose parameters are frozen (`freeze_to`).
        x: (B, C, H, W) in [0, 1], at least two images of the size that it is going to see.

    Raises:
        CannotSplit: it cannot be taken apart there.
    """

    def __init__(self, network: Network, x: Tensor) -> None:
        self._network, self._image_shape = network, x.shape[1:]
        with evaluating(network):
            modules, self._first_learning = _frozen_modules(network, x)
            self._outputs = _outputs(network, modules, x)
        self._used = [output for output in self._outputs if output.is_used]
        if not self._used:
            raise CannotSplit
        backbone = network.backbone
        self._pooling = backbone if isinstance(backbone, MultiLayerPooling) and backbone not in modules else None

    def leaving(self, x: Tensor) -> Tensor:
        """What the rest of the network uses: (B, C, H, W) in [0, 1] -> (B, D).

        It is computed as in evaluation: batch norms on their moving statistics, nothing dropped.
        """
        seen: dict[nn.Module, Tensor] = {}

        def keep(module: nn.Module, inputs: Any, output: Tensor) -> None:  # Any: PyTorch's hook signature
            seen[module] = output

        def stop(module: nn.Module, inputs: Any) -> None:  # Any: PyTorch's hook signature
            raise _Reached

        hooks = [output.module.register_forward_hook(keep) for output in self._used]
        hooks.append(self._first_learning.register_forward_pre_hook(stop))
        try:
            with evaluating(self._network), torch.no_grad():
                self._network(x)
        except _Reached:
            pass
        finally:
            _remove(hooks)
        rows = [output.as_rows(seen[output.module]) for output in self._used]
        return torch.cat([*rows, *(self._pooling.pooled_so_far() if self._pooling else ())], dim=1)

    @contextmanager
    def replayed(self) -> Iterator[None]:
        """Within it the network takes rows that `leaving` gave in place of images, and computes the rest only."""
        network, pooling, outputs = self._network, self._pooling, dict[nn.Module, Tensor]()
        sizes = [output.size for output in self._used]
        latest = torch.empty(0)  # rows
        original_forwards = {output.module: vars(output.module).get("forward") for output in self._outputs}

        def features(rows: Tensor) -> Tensor:
            nonlocal latest
            latest = rows
            *parts, pooled = torch.split(rows, [*sizes, rows.shape[1] - sum(sizes)], dim=1)
            for output, part in zip(self._used, parts, strict=True):
                outputs[output.module] = output.from_rows(part)
            if pooling:
                pooling.begin_with(pooled, of=original_forwards)
            features: Tensor = network.backbone(rows.new_empty(len(rows), *self._image_shape))
            return features

        def forward_of(output: _Output) -> Callable[..., Tensor]:
            def forward(*inputs: Any, **named: Any) -> Tensor:  # Any: whatever the module takes
                if output.is_used:
                    return outputs[output.module]
                # Nobody reads it, but something may look at its shape.
                return latest.new_empty(len(latest), *output.shape)

            return forward

        for output in self._outputs:
            setattr(output.module, "forward", forward_of(output))  # noqa: B010 - on the instance: undone below
        setattr(network, "features", features)  # noqa: B010
        try:
            yield
        finally:
            del network.features
            if pooling:
                pooling.begin_with(None)
            for module, forward in original_forwards.items():
                del module.forward
                if forward is not None:  # it had another one for a time already
                    setattr(module, "forward", forward)  # noqa: B010


def _frozen_modules(network: nn.Module, x: Tensor) -> tuple[list[nn.Module], nn.Module]:
    """The outermost modules that ended before anything that learns, and the innermost first one that learns.

    Raises:
        CannotSplit: one of them is used more than once.
    """
    ended: list[nn.Module] = []
    began: list[int] = []  # for every module that has not ended, how many had when it began
    learning: list[nn.Module] = []
    n_calls: Counter[nn.Module] = Counter()

    def before(module: nn.Module, inputs: Any) -> None:  # Any: PyTorch's hook signature
        n_calls[module] += 1
        began.append(len(ended))

    def after(module: nn.Module, inputs: Any, output: Any) -> None:  # Any: PyTorch's hook signature
        start = began.pop()
        if learning:
            return
        if _learns(output):
            learning.append(module)
        else:
            ended[start:] = [module]

    hooks = [module.register_forward_pre_hook(before) for module in network.modules()]
    hooks += [module.register_forward_hook(after) for module in network.modules()]
    try:
        with torch.enable_grad():
            network(x)
    finally:
        _remove(hooks)
    if not learning or any(n_calls[module] > 1 for module in (*ended, *learning)):
        raise CannotSplit
    return ended, learning[0]


def _learns(output: Any) -> bool:  # Any: whatever a module gives
    """Whether a gradient flows back through it."""
    if isinstance(output, Tensor):
        return output.requires_grad
    return isinstance(output, list | tuple) and any(map(_learns, output))


def _detached(given: Any) -> Any:  # Any: whatever a module takes
    match given:
        case Tensor():
            return given.detach()
        case list() | tuple():
            return type(given)(map(_detached, given))
        case dict():
            return {name: _detached(value) for name, value in given.items()}
    return given


def _outputs(network: nn.Module, modules: list[nn.Module], x: Tensor) -> list[_Output]:
    """What frozen modules give, and whether the rest of the network uses it."""
    leaves: dict[nn.Module, Tensor] = {}

    def without_gradient(module: nn.Module, inputs: Any, named: Any) -> Any:  # Any: PyTorch's hook signature
        # Or what is pooled inside the module would follow from the one before it.
        return _detached(inputs), _detached(named)

    def cut_off(module: nn.Module, inputs: Any, output: Any) -> Tensor:  # Any: PyTorch's hook signature
        if not isinstance(output, Tensor) or len(output) != len(x):
            raise CannotSplit
        leaves[module] = output.detach().requires_grad_()
        return leaves[module].clone()  # what comes next may change it in place

    hooks = [module.register_forward_pre_hook(without_gradient, with_kwargs=True) for module in modules]
    hooks += [module.register_forward_hook(cut_off) for module in modules]
    try:
        with torch.enable_grad():
            summed = network(x).sum()
    finally:
        _remove(hooks)
    gradients = torch.autograd.grad(summed, list(leaves.values()), allow_unused=True)
    return [
        _Output(module, leaf.shape[1:], _is_channels_last(leaf), gradient is not None)
        for (module, leaf), gradient in zip(leaves.items(), gradients, strict=True)
    ]


def _is_channels_last(x: Tensor) -> bool:
    return x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode within, then each module's own."""
    mode_of = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, is_training in mode_of.items():
            module.training = is_training


def _remove(hooks: list[RemovableHandle]) -> None:
    for hook in hooks:
        hook.remove()
