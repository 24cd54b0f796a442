"""`classifier/engines/`: the network of a classifier prepared for an inference library, so that later predictions need
not import PyTorch.

Classifiers and run folders can come from other people, and inference libraries are not made to read untrusted networks.
The record of an engine is therefore signed with a key of the account, and files with another signature are not read.
"""

import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pydantic import Field

from coverslip.errors import BadRun
from coverslip.files import account_key, read_bytes, write_bytes
from coverslip.runs.documents import Document

_FOLDER, _RECORD, _NETWORK, _CHECK = "engines", "engine.json", "network.onnx", "check.npz"


class EngineRecord(Document):
    """`engine.json`: what an engine was made from and with."""

    library: str = Field(description="The library that runs it.")
    weights: str = Field(description="Hash of the weights, the architecture and the shape of the pixels.")
    software: tuple[str, ...] = Field(description="Versions of the libraries, and the processor with its instructions.")
    network_sha256: str
    network_bytes: int
    check_sha256: str
    check_bytes: int
    signature: str = ""

    def signed(self, key: bytes) -> Self:
        """Return the record with its signature."""
        return self.model_copy(update={"signature": self._signature(key)})

    def is_signed(self, key: bytes) -> bool:
        """Return whether this account wrote the record."""
        return hmac.compare_digest(self.signature, self._signature(key))

    def _signature(self, key: bytes) -> str:
        values = self.model_dump(mode="json", exclude={"signature"})
        return hmac.new(key, json.dumps(values, sort_keys=True).encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class StoredEngine:
    """An engine as files."""

    record: EngineRecord
    network: bytes
    check: bytes


def write_engine(
    classifier: Path,
    network: bytes,
    check: bytes,
    *,
    library: str,
    weights: str,
    software: tuple[str, ...],
) -> None:
    """Store an engine beside the weights of a classifier.

    Raises:
        OSError, CoverslipError: the folder of the classifier, or the key of the account, cannot be written.
    """
    folder = classifier / _FOLDER
    record = EngineRecord(
        library=library,
        weights=weights,
        software=software,
        network_sha256=hashlib.sha256(network).hexdigest(),
        network_bytes=len(network),
        check_sha256=hashlib.sha256(check).hexdigest(),
        check_bytes=len(check),
    )
    key = account_key()
    write_bytes(folder / _NETWORK, network)
    write_bytes(folder / _CHECK, check)
    record.signed(key).write(folder / _RECORD)


def read_engine(classifier: Path, *, weights: str, software: tuple[str, ...]) -> StoredEngine | None:
    """Return the engine that is stored with a classifier.

    Returns:
        None if there is none for these weights and this software that this account stored.

    Raises:
        ValueError: this account stored it, and its files are damaged.
    """
    folder = classifier / _FOLDER
    try:
        record = EngineRecord.read_if_there(folder / _RECORD)
        if record is None or not record.is_signed(account_key()):
            return None
    except (BadRun, OSError):
        return None
    if (record.weights, record.software) != (weights, software):
        return None
    try:
        network = read_bytes(folder / _NETWORK, record.network_bytes)
        check = read_bytes(folder / _CHECK, record.check_bytes)
    except OSError as error:
        raise ValueError(str(error)) from error
    hashes = tuple(hashlib.sha256(data).hexdigest() for data in (network, check))
    if hashes != (record.network_sha256, record.check_sha256):
        raise ValueError("hash")
    return StoredEngine(record, network, check)
