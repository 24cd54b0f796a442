"""Networks without their last layer as arrays: what features follow from, without PyTorch."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from coverslip.models.catalogue import model_info
from coverslip.models.zoo import Arrays, ModelRecord, Normalization, is_registered

Head = Literal["native", "multi_layer"]
Floats = npt.NDArray[np.float32]

N_FEATURES: dict[tuple[str, Head], int] = {
    ("efficientnet_lite0", "multi_layer"): 3680,
    ("efficientnet_lite0", "native"): 1280,
}
"""The numbers of features of the networks whose graphs are part of this package."""
EXPECTED = "expected"  # among the tensors of a classifier: the features of an image of noise
TENSORS = "tensors"  # among the metadata of a graph: types and shapes of `Backbone.tensors`


@dataclass(frozen=True)
class Architecture:
    """What the graph of a backbone follows from.

    Args:
        model: a registered name, or `timm/NAME`.
        head: the features that it computes.
        channels: of the images.
        image_size: side of the images in pixels.
        options: of the network.
    """

    model: str
    head: Head
    channels: int
    image_size: int
    options: Mapping[str, Any] = field(default_factory=dict)  # Any: the architecture checks them

    @property
    def is_packaged(self) -> bool:
        """Whether the graph is part of this package. It serves images of any size with any number of channels."""
        return (self.model, self.head) in N_FEATURES and not self.options

    @property
    def is_of_library(self) -> bool:
        """Whether the name stands for one architecture, as of `ModelRecord.is_of_library`."""
        return self._record is None or self._record.is_of_library

    @property
    def _record(self) -> ModelRecord | None:
        """The record; None for `timm/NAME`, because timm, which makes its record, imports PyTorch."""
        is_of_timm = self.model.startswith("timm/") and not is_registered(self.model)
        return None if is_of_timm else model_info(self.model)

    def as_json(self) -> list[Any]:  # Any: JSON values
        """Return what the graph depends on, besides the versions of the libraries."""
        side = None if self.is_packaged else self.image_size
        return [repr(self._record or self.model), self.head, self.channels, side, dict(self.options)]


@dataclass(frozen=True)
class Backbone:
    """A network without its last layer: scaled pixels -> D features.

    Args:
        architecture: its graph follows from it.
        arrays: by name, as in the weights of a classifier, without `head.weight` and `head.bias`.
        n_features: D.
        expected: (1, D) features of `noise` by the library that made the arrays, with which engines must agree; None:
            not known.
    """

    architecture: Architecture
    arrays: Arrays
    n_features: int
    expected: Floats | None = None

    @cached_property
    def fingerprint(self) -> str:
        """A hash in hexadecimal that is equal for backbones that compute equal features."""
        # Where the graph is not part of the package, the expected features stand for the code of the network.
        is_packaged = self.architecture.is_packaged
        expected = None if self.expected is None or is_packaged else self.expected.tobytes().hex()
        digest = hashlib.sha256(json.dumps([self.architecture.as_json(), expected]).encode())
        for name in sorted(self.arrays):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(self.arrays[name]).tobytes())
        return digest.hexdigest()

    def noise(self) -> Floats:
        """Return the (1, C, S, S) image in [0, 1] by which engines are compared."""
        architecture = self.architecture
        shape = (1, architecture.channels, architecture.image_size, architecture.image_size)
        return np.random.default_rng(0).random(shape, np.float32)

    def tensors(self) -> Arrays:
        """Return the arrays with the expected features, as in a packaged classifier."""
        assert self.expected is not None, "no engine has computed the expected features"
        return {**self.arrays, EXPECTED: self.expected}

    def normalized(self, normalization: Normalization) -> "Backbone":
        """Return the backbone with other means and standard deviations of pixels in [0, 1], one for each channel."""
        mean, std = (np.array(numbers, np.float32).reshape(1, -1, 1, 1) for numbers in normalization)
        return replace(self, arrays={**self.arrays, "mean": mean, "std": std}, expected=None)
