"""The table of formats: built-in readers, formats that are recognized but not read, and readers of plug-ins."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from coverslip.errors import CoverslipError
from coverslip.images import _dicom, _pillow, _tiff, _vendors, _zarr
from coverslip.images.reader import Reader, starts
from coverslip.machine import package_version
from coverslip.messages import text

_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_NOT_READ = (
    Reader(
        name="HDF5",
        title="HDF5 (Imaris and others)",
        suffixes=(".ims",),
        is_this=starts(b"\x89HDF\r\n\x1a\n"),
        export=lambda: text("export-ims"),
    ),
    Reader(
        name="HEIC",
        title="HEIC (photos of phones)",
        suffixes=(".heic", ".heif", ".hif"),
        is_this=lambda head: head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS,
        export=lambda: text("export-heic"),
    ),
    Reader(
        name="JPEG-XL",
        title="JPEG XL",
        suffixes=(".jxl",),
        is_this=starts(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
        export=lambda: text("export-picture"),
    ),
    Reader(
        name="JPEG-XR",
        title="JPEG XR",
        suffixes=(".jxr", ".wdp", ".hdp"),
        is_this=starts(b"II\xbc\x01"),
        export=lambda: text("export-picture"),
    ),
    Reader(
        name="PAM",
        title="portable maps PAM and PFM in color",
        suffixes=(".pam",),
        is_this=starts(b"P7\n", b"PF\n"),
        export=lambda: text("export-picture"),
    ),
    Reader(
        name="PSD",
        title="Photoshop",
        suffixes=(".psd", ".psb"),
        is_this=starts(b"8BPS"),
        export=lambda: text("export-picture"),
    ),
    # These files are indexes of other files beside them, without a signature.
    Reader(
        name="slides",
        title="slide scanners",
        suffixes=(".vsi", ".mrxs"),
        is_this=lambda head: False,
        export=lambda: text("export-slide"),
    ),
)

ENTRY_POINTS = "coverslip.readers"
# DICOM is tried before TIFF, because the arbitrary first 128 bytes of a DICOM file can look like TIFF.
_EXTRA = (_dicom.DICOM, _vendors.CZI, _vendors.LIF, _vendors.ND2, _vendors.OIF, _zarr.OME_ZARR)
_BUILT_IN = (*_EXTRA, _tiff.TIFF, _pillow.JPEG, *_pillow.READERS, *_NOT_READ)
_PACKAGES = ("imagecodecs", "pillow", "tifffile")


def readers() -> tuple[Reader, ...]:
    """Return all formats in the order in which they are tried: those of other packages, then built-in ones.

    A reader with the name of a format that cannot be read replaces that format.

    Raises:
        CoverslipError: the reader of an installed package cannot be loaded.
    """
    return (*_installed(), *_BUILT_IN)


@cache
def decoder_versions() -> str:
    """Return the packages that decode images, with their versions; another version can return other pixels."""
    packages = {*_PACKAGES, *(reader.package for reader in _BUILT_IN if reader.package and reader.can_read)}
    versions = {package: package_version(package) for package in packages}
    versions |= {entry.dist.name: entry.dist.version for entry in entry_points(group=ENTRY_POINTS) if entry.dist}
    return " ".join(f"{package} {versions[package]}" for package in sorted(versions))


@cache
def image_suffixes() -> frozenset[str]:
    """Return the suffixes, in lower case with a dot, of image files."""
    return frozenset(suffix for reader in readers() for suffix in reader.suffixes)


def unread_suffixes() -> frozenset[str]:
    """Return the suffixes of formats that are recognized but cannot be read."""
    readable = {suffix for reader in readers() if reader.can_read for suffix in reader.suffixes}
    return image_suffixes() - readable


@dataclass(frozen=True, slots=True)
class UnreadFormat:
    """Files of a format that is recognized but cannot be read."""

    title: str
    n_files: int
    do: str  # what to install, or how to export files that can be read


def unread_formats(names: Iterable[str]) -> list[UnreadFormat]:
    """Return the formats that cannot be read among files of these names, the most frequent first."""
    n_of, unread = Counter(Path(name).suffix.lower() for name in names), unread_suffixes()
    formats = [
        UnreadFormat(reader.title, n_files, reader.advice)
        for reader in readers()
        if not reader.can_read and (n_files := sum(n_of[suffix] for suffix in unread.intersection(reader.suffixes)))
    ]
    return sorted(formats, key=lambda each: -each.n_files)


def reader_of(head: bytes) -> Reader | None:
    """Return the format of a file with these first bytes."""
    return next((reader for reader in readers() if reader.is_this(head)), None)


def reader_of_folder(folder: Path) -> Reader | None:
    """Return the format of a folder that is one image; None for other folders."""
    return next((reader for reader in readers() if reader.is_this_folder and reader.is_this_folder(folder)), None)


def is_image_folder(folder: Path) -> bool:
    """Return whether a folder is one image, such as an OME-Zarr, and not a folder of images."""
    return reader_of_folder(folder) is not None


@cache
def _installed() -> tuple[Reader, ...]:
    taken = {reader.name for reader in _BUILT_IN if reader.can_read}
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
        _check_reader(reader, taken)
        return reader
    except Exception as error:
        raise CoverslipError(
            "format-not-loaded", name=entry.name, package=package, reason=str(error) or type(error).__name__
        ) from error


def _check_reader(reader: Reader, taken: set[str]) -> None:
    if reader.name in taken:
        raise ValueError(f"there are two readers with the name '{reader.name}'")
    wrong = [suffix for suffix in reader.suffixes if suffix != Path(f"a{suffix}").suffix.lower()]
    if wrong:
        raise ValueError(f"suffixes must be lower case and begin with their only dot, not {', '.join(wrong)}")
