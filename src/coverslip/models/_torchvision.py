"""Makes torchvision importable beside a CPU build of PyTorch.

PyPI's torchvision for Linux is built for CUDA. Beside a CPU-only PyTorch its compiled operators do not load, and
importing it fails since `torchvision::nms` does not exist. The Python parts that coverslip and timm use (model
definitions, transforms on tensors) need none of those operators: declaring the two that are looked up at import
is enough. `torchvision.ops.nms` and `torchvision.io.decode_*` stay unusable there.

Import this module before torchvision or timm.
"""

import sys
from typing import Any

import torch

try:
    import torchvision
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    # The object must stay alive: with it go the declarations.
    _declared: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # Any: untyped in PyTorch
    _declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    _declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import torchvision  # noqa: F401
