"""The kinds of store that rooms keep, and where they lie.

A kind is a folder of the cache folder that holds a folder for each of its stores. `kind.json` in it says what the kind
is, so a process that knows nothing of a room shows, bounds and cleans that room's stores like its own.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coverslip.files import write_json

_FORMAT_VERSION = 1
_FILE = "kind.json"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a store of a kind lists what it holds; without a table every file counts as one."""

    database: str = ""
    table: str = ""


FILES = Layout()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of store."""

    name: str  # its folder, and what `coverslip cache --kind` takes
    title: str  # what its stores hold, for people
    layout: Layout
    bound_bytes: int | None = None  # all stores of the kind together; None: only what bounds the whole cache

    @property
    def folder(self) -> Path:
        """Where its stores lie."""
        return cache_folder() / self.name


def cache_folder() -> Path:
    """Where coverslip keeps what it can compute again: `COVERSLIP_CACHE`, else the platform's cache folder."""
    chosen = os.environ.get("COVERSLIP_CACHE")
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("coverslip", appauthor=False))


_REGISTERED: dict[str, Kind] = {}


def register(kind: Kind) -> Kind:
    """Add a kind of store; gives it back.

    Raises:
        ValueError: there is another kind of this name.
    """
    if _REGISTERED.setdefault(kind.name, kind) != kind:
        raise ValueError(f"there are two kinds of store called '{kind.name}'")
    return kind


def known_kinds() -> list[Kind]:
    """The registered kinds that have stores, and those of which only the cache folder tells, by name."""
    folders = sorted(file.parent for file in cache_folder().glob(f"*/{_FILE}"))
    return [_REGISTERED.get(folder.name) or _described(folder) for folder in folders]


def describe(kind: Kind) -> None:
    """Write down what a kind is, where that is not said yet."""
    record = {"format_version": _FORMAT_VERSION, **asdict(kind)}
    if _read(kind.folder) != record:
        write_json(kind.folder / _FILE, record)


def _described(folder: Path) -> Kind:
    """A kind as `kind.json` describes it; one that cannot be read is still bounded and cleaned."""
    record = _read(folder)
    try:
        bound = record["bound_bytes"]
        layout = Layout(str(record["layout"]["database"]), str(record["layout"]["table"]))
        return Kind(folder.name, str(record["title"]), layout, None if bound is None else int(bound))
    except (KeyError, TypeError, ValueError):
        return Kind(folder.name, "not known to this version", FILES)


def _read(folder: Path) -> dict[str, Any]:  # Any: JSON values
    try:
        record = json.loads((folder / _FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
