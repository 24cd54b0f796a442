"""Which file of the hub was used first for a network: from then on only that revision with that SHA-256 is used."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from coverslip.errors import WeightsUnavailable
from coverslip.files import sha256_file, weights_folder, write_json

_FORMAT_VERSION = 1
_COMMIT = re.compile("[0-9a-f]{40}")
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pin:
    """A file of a repository on the hub."""

    repository: str
    revision: str  # the commit
    file: str
    sha256: str


def pin_of(repository: str) -> Pin | None:
    """What is recorded about a repository; None: nothing of it was used yet.

    Raises:
        WeightsUnavailable: the record is damaged.
    """
    about = _record_of(repository)
    try:
        values = json.loads(about.read_text(encoding="utf-8"))
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
        raise WeightsUnavailable(
            f"The record of the weights {repository} cannot be read",
            file=about,
            do="Delete it: the weights that the hub then has are recorded anew.",
        ) from error
    return pin


def verified(repository: str, name: str, file: Path) -> Path:
    """A file in the hub's cache, if it is the recorded one; the first file of a repository is recorded.

    Raises:
        WeightsUnavailable: it is another one, or the record is damaged.
        CoverslipError: it could not be recorded.
    """
    pin, sha256 = pin_of(repository), sha256_file(file)
    if pin is None:
        revision = file.parents[name.count("/")].name  # the hub's client names the folder of a snapshot after it
        write_json(
            _record_of(repository),
            {"format_version": _FORMAT_VERSION, **asdict(Pin(repository, revision, name, sha256))},
        )
    elif sha256 != pin.sha256:
        raise WeightsUnavailable(
            f"The weights {repository} are not those that were used first: their SHA-256 differs",
            file=file.resolve(),
            do=f"Delete this file to fetch it again. To accept another one, delete {_record_of(repository)}.",
        )
    return file


def _record_of(repository: str) -> Path:
    return weights_folder() / "hub" / f"{repository.replace('/', '--')}.json"
