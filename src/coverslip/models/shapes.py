"""Networks of shapes alone, to count, check and compare without numbers."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from coverslip.models._libraries import without_compiler

_DRAWS = frozenset([Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_, Tensor.fill_, Tensor.zero_])


@contextmanager
def shapes_only() -> Iterator[None]:
    """What is built and run inside lies on PyTorch's meta device: it has shapes and types, no numbers and no memory.

    First weights are not drawn either, for which PyTorch would go through the motions in Python, and its compiler, that
    it asks not to compile this, is not imported: both take longer than all else.
    """
    with without_compiler(), torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],  # Any: PyTorch's hook signature
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func in _DRAWS or getattr(func, "__module__", None) == "torch.nn.init":
            tensor = args[0] if args else kwargs["tensor"]
            if tensor.is_meta:
                return tensor
        return func(*args, **kwargs)
