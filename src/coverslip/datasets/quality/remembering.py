"""What earlier scans found about images, by file name, size and time of change."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from coverslip.cache import RECORDS, Kind, RecordStore, not_usable, register
from coverslip.datasets.index import ImageRecord
from coverslip.events import Emit, Noted
from coverslip.images import ImageFacts, ReadPlan

FACTS = register(Kind("facts", "size, depth and hash of every image seen", RECORDS))
_FACTS_VERSION = 1  # goes up when the same file would give other facts


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells whether a file is still the one that was read."""

    key: str
    size: int
    mtime_ns: int


def identities_of(records: Sequence[ImageRecord]) -> list[Identity | None]:
    """None for files that are not there, and for images in memory; of several files their size, and the last change."""
    plans: dict[ReadPlan, bytes] = {}
    identities: list[Identity | None] = []
    for record in records:
        if record.given is not None:
            identities.append(None)
            continue
        if record.plan not in plans:
            plans[record.plan] = f"{_FACTS_VERSION} {record.plan.as_json()}".encode()
        try:
            statuses = [file.stat() for file in record.plan.files(record.path)]
        except (OSError, ValueError):
            identities.append(None)
            continue
        key = hashlib.blake2b(os.fsencode(record.path), digest_size=16, key=b"facts")
        key.update(b"\0" + plans[record.plan])
        size, changed = sum(status.st_size for status in statuses), max(status.st_mtime_ns for status in statuses)
        identities.append(Identity(key.hexdigest(), size, changed))
    return identities


class Memory:
    """Facts of earlier scans, which several processes may read and add to at once.

    Where they cannot be kept (a full disk) the scan is told so once and goes on without them.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._new: dict[str, bytes] = {}
        self._store = RecordStore(FACTS, "images", on_failure=self._say_why_not, is_synced=True)

    def recall(self, identities: Sequence[Identity | None]) -> list[tuple[int, ImageFacts]]:
        """(position, facts) of the files that are as they were."""
        known = self._store.find(identity.key for identity in identities if identity)
        recalled = []
        for i, identity in enumerate(identities):
            if identity is not None and identity.key in known:
                facts = _facts_from_json(known[identity.key], identity)
                if facts is not None:
                    recalled.append((i, facts))
        return recalled

    def remember(self, identity: Identity, facts: ImageFacts) -> None:
        """Keep for the next `save`."""
        record = {"size": identity.size, "mtime_ns": identity.mtime_ns, "facts": asdict(facts)}
        self._new[identity.key] = json.dumps(record).encode()

    def save(self) -> None:
        """Write what is new in one transaction."""
        new, self._new = self._new, {}
        self._store.keep(new)

    def close(self) -> None:
        """Save, and let the store go."""
        self.save()
        self._store.close()

    def _say_why_not(self, error: OSError | sqlite3.Error) -> None:
        self._emit(Noted.of(not_usable(error)))


def _facts_from_json(text: bytes, identity: Identity) -> ImageFacts | None:
    """None where the file has changed since, or another version wrote other fields."""
    try:
        record = json.loads(text)
        if (record["size"], record["mtime_ns"]) != (identity.size, identity.mtime_ns):
            return None
        fields = record["facts"]
        return ImageFacts(**{**fields, "low": tuple(fields["low"]), "high": tuple(fields["high"])})
    except (ValueError, TypeError, KeyError):
        return None
