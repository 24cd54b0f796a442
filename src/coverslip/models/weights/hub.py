"""timm's weights from the Hugging Face hub, each pinned to a revision and a hash at its first use.

The client of the hub (huggingface_hub) requests the size and tag of a file before it downloads the file. It names the
cached file after the tag (the SHA-256 of large files), checks the size, and renames the complete file into place. It
does not compute the hash of a download. `fetch_weights` does, and deletes a file that differs. The first file that is
used is recorded (`Pin`), and no other file is used afterwards.
"""

import json
import os
import re
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies

from coverslip.errors import WeightsUnavailable
from coverslip.files import sha256_file, weights_folder, write_json
from coverslip.messages import ImportWeights, text
from coverslip.models.records import Normalization, WeightsSource
from coverslip.models.zoo import registered

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
    from huggingface_hub import constants

    return not constants.HF_HUB_OFFLINE and is_reachable(constants.ENDPOINT)


def is_reachable(url: str) -> bool:
    """Return whether a host answers at once. The clients of the libraries would retry for a minute."""
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
