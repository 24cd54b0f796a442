"""Imports of torchvision and timm without PyTorch's compiler, and networks on PyTorch's meta device.

PyPI's torchvision for Linux is built for CUDA. Beside a CPU-only PyTorch its compiled operators do not load, and
importing it fails since `torchvision::nms` does not exist. The Python code that coverslip and timm use (model
definitions, transforms on tensors) needs none of those operators. It is sufficient to declare the two operators that
are looked up at import. `torchvision.ops.nms` and `torchvision.io.decode_*` stay unusable there.

Both libraries import the compiler (`torch._dynamo`) for functions that coverslip does not call. The compiler took 1.3
of the 1.6 processor seconds of importing torchvision, and of the 2 seconds of importing timm. Stand-in modules replace
the compiler during these imports.

Import this module before torchvision, and import timm with `import_timm`.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


@contextmanager
def without_compiler() -> Iterator[None]:
    """Replace PyTorch's compiler by stand-in modules inside the context, unless the compiler is already imported."""
    if "torch._dynamo" in sys.modules:
        yield
        return
    compiler, utils = ModuleType("torch._dynamo"), ModuleType("torch._dynamo.utils")
    compiler.__path__ = []
    compiler.disable = lambda function, *_, **__: function  # type: ignore[attr-defined]  # timm's NaFlexViT
    utils.is_compile_supported = lambda device: False  # type: ignore[attr-defined]  # torchvision's RoI align
    stand_ins = {"torch._dynamo": compiler, "torch._dynamo.utils": utils}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, module in stand_ins.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


def _remove_torchvision() -> None:
    """Remove the modules that a failed import of torchvision left behind."""
    for name in list(sys.modules):  # other threads import meanwhile
        if name.split(".")[0] == "torchvision":
            del sys.modules[name]


torchvision_fits = True
"""Whether torchvision's operators load beside this PyTorch. Otherwise only coverslip can import it."""

with without_compiler():
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        torchvision_fits = False
        _remove_torchvision()
        # The declarations exist only as long as this object.
        _declared: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # Any: untyped in PyTorch
        _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401


def import_timm() -> Any:  # Any: untyped
    """Return timm. The first import takes half a second."""
    with without_compiler():
        import timm
    return timm


_DRAWS = frozenset([Tensor.normal_, Tensor.uniform_, Tensor.bernoulli_, Tensor.fill_, Tensor.zero_])


@contextmanager
def shapes_only() -> Iterator[None]:
    """Build and run networks on PyTorch's meta device: tensors have shapes and types, but no numbers and no memory.

    Initial weights are not drawn, because PyTorch runs the Python code for it even on the meta device. PyTorch's
    compiler is not imported. Both would take longer than everything else.
    """
    with without_compiler(), torch.device("meta"), _SkipDraws():
        yield


class _SkipDraws(TorchFunctionMode):
    """Skips the functions that fill a tensor with initial weights if the tensor is on the meta device."""

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
