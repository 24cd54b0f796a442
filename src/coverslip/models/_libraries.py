"""torchvision and timm beside a CPU build of PyTorch, and without PyTorch's compiler.

PyPI's torchvision for Linux is built for CUDA. Beside a CPU-only PyTorch its compiled operators do not load, and
importing it fails since `torchvision::nms` does not exist. The Python parts that coverslip and timm use (model
definitions, transforms on tensors) need none of those operators: declaring the two that are looked up at import
is enough. `torchvision.ops.nms` and `torchvision.io.decode_*` stay unusable there.

Both import the compiler (`torch._dynamo`) on behalf of parts that nothing here calls: 1.3 of the 1.6 processor seconds
that torchvision took, and of the 2 that timm took. A stand-in answers while they are imported.

Import this module before torchvision, and timm by `import_timm`.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch


@contextmanager
def without_compiler() -> Iterator[None]:
    """A stand-in is what others import meanwhile as PyTorch's compiler, unless that is there already."""
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


def _forget_torchvision() -> None:
    """What a failed import left behind."""
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]


with without_compiler():
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        _forget_torchvision()
        # The object must stay alive: with it go the declarations.
        _declared: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # Any: untyped in PyTorch
        _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision  # noqa: F401


def import_timm() -> Any:  # Any: untyped
    """Return the library; its first import takes half a second."""
    with without_compiler():
        import timm
    return timm
