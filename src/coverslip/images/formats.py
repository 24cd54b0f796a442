"""The table of formats: built-in readers, formats that are recognized but not read yet, and readers of plug-ins."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.images import _pillow, _tiff
from coverslip.images.reader import Reader, starts
from coverslip.messages import text

# Asked before TIFF, since DICOM's free first 128 bytes may look like one.
_DICOM = Reader(
    name="DICOM",
    title="DICOM",
    suffixes=(".dcm",),
    is_this=lambda head: head[128:132] == b"DICM",
    export=lambda: text("export-from-fiji"),
)
_NOT_READ = (
    Reader(
        name="ND2",
        title="Nikon ND2",
        suffixes=(".nd2",),
        is_this=starts(b"\xda\xce\xbe\x0a"),
        export=lambda: text("export-nd2"),
    ),
    Reader(
        name="CZI",
        title="Zeiss CZI",
        suffixes=(".czi",),
        is_this=starts(b"ZISRAWFILE"),
        export=lambda: text("export-czi"),
    ),
    Reader(
        name="LIF",
        title="Leica LIF",
        suffixes=(".lif",),
        is_this=lambda head: head.startswith(b"\x70\0\0\0") and head[8:9] == b"\x2a",
        export=lambda: text("export-lif"),
    ),
    Reader(
        name="OIB",
        title="Olympus OIB or Zeiss ZVI",
        suffixes=(".oib", ".oif"),
        is_this=starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
        export=lambda: text("export-oib"),
    ),
    Reader(
        name="HDF5",
        title="HDF5 (Imaris and others)",
        suffixes=(".ims",),
        is_this=starts(b"\x89HDF\r\n\x1a\n"),
        export=lambda: text("export-ims"),
    ),
    # Their files are indexes of others beside them, and have no first bytes of their own.
    Reader(
        name="slides",
        title="slide scanners",
        suffixes=(".vsi", ".mrxs"),
        is_this=lambda head: False,
        export=lambda: text("export-slide"),
    ),
)

ENTRY_POINTS = "coverslip.readers"
_OURS = (_DICOM, _tiff.TIFF, *_NOT_READ, *_pillow.READERS)
_ADDED: list[Reader] = []


def register_reader(reader: Reader) -> Reader:
    """Add a format in this process alone; gives it back. A package that is installed brings its own: `ENTRY_POINTS`.

    One that has the name of a format that is refused takes its place.

    Raises:
        ValueError: there is a reader of this name, it can read but not describe, or a suffix is not in lower case.
    """
    _check(reader, {other.name for other in readers() if other.read is not None})
    _ADDED.append(reader)
    image_suffixes.cache_clear()
    return reader


def readers() -> tuple[Reader, ...]:
    """Return all formats in the order in which they are tried: added ones, those of installed packages, then ours.

    Raises:
        CoverslipError: an installed package's reader cannot be loaded.
    """
    return (*_ADDED, *_installed(), *_OURS)


@cache
def image_suffixes() -> frozenset[str]:
    """By which endings, in lower case with a dot, a file in a folder counts as an image."""
    return frozenset(suffix for reader in readers() for suffix in reader.suffixes)


def unread_suffixes() -> frozenset[str]:
    """Return the endings of formats that are known but cannot be read."""
    read = {suffix for reader in readers() if reader.read is not None for suffix in reader.suffixes}
    return image_suffixes() - read


@dataclass(frozen=True, slots=True)
class UnreadFormat:
    """Files of a known format that cannot be read."""

    title: str
    n_files: int
    do: str  # how to get files that can be read


def unread_formats(names: Iterable[str]) -> list[UnreadFormat]:
    """Return the formats that cannot be read among files of these names, those with the most files first."""
    n_of, unread = Counter(Path(name).suffix.lower() for name in names), unread_suffixes()
    formats = [
        UnreadFormat(reader.title, n_files, reader.export_advice)
        for reader in readers()
        if reader.read is None and (n_files := sum(n_of[suffix] for suffix in unread.intersection(reader.suffixes)))
    ]
    return sorted(formats, key=lambda each: -each.n_files)


def are_added() -> bool:
    """Return whether this process has formats that others lack."""
    return bool(_ADDED)


def reader_of(head: bytes) -> Reader | None:
    """Return the format of a file with these first bytes."""
    return next((reader for reader in readers() if reader.is_this(head)), None)


@cache
def _installed() -> tuple[Reader, ...]:
    taken = {reader.name for reader in _OURS if reader.read is not None}
    loaded = []
    for entry in entry_points(group=ENTRY_POINTS):
        loaded.append(_load(entry, taken))
        taken.add(loaded[-1].name)
    return tuple(loaded)


def _load(entry: EntryPoint, taken: set[str]) -> Reader:
    package = entry.dist.name if entry.dist else entry.value
    try:
        reader = entry.load()
        if not isinstance(reader, Reader):
            raise TypeError(text("format-no-reader", type=type(reader).__name__))
        _check(reader, taken)
        return reader
    except Exception as error:
        raise CoverslipError(
            "format-not-loaded", name=entry.name, package=package, reason=str(error) or type(error).__name__
        ) from error


def _check(reader: Reader, taken: set[str]) -> None:
    if reader.name in taken:
        raise ValueError(f"there are two readers called '{reader.name}'")
    if (reader.read is None) != (reader.describe is None):
        raise ValueError(f"the reader '{reader.name}' needs both read and describe")
    wrong = [suffix for suffix in reader.suffixes if suffix != Path(f"a{suffix}").suffix.lower()]
    if wrong:
        raise ValueError(f"suffixes are of lower case and begin with their only dot, not {', '.join(wrong)}")
