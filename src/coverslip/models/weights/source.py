"""What is known about pretrained weights without opening them."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coverslip.models.records import Normalization

if TYPE_CHECKING:
    import torch

Tensors = dict[str, "torch.Tensor"]
SourceKind = Literal["imported", "package", "hub"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsSource:
    """Where a model's pretrained weights on this machine come from."""

    model: str
    kind: SourceKind
    source: str  # a package with its version, the name of the imported file, or the hub's repository
    license: str | None
    sha256: str  # of the file that the source hands out
    file: Path
    normalization: Normalization  # that they expect


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """Pretrained weights in memory, for `coverslip.models.weights.fitting`."""

    model: str
    tensors: Tensors
    n_classes: int  # of the classifier among them; 0: they have none
    file: Path  # where they come from, for messages
