"""The interface of file format readers, what readers share, and the part of a file that makes an image."""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from math import prod, sqrt
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, StringConstraints

from coverslip.documented_fields import DocumentedModel
from coverslip.errors import UnreadableImage, install_command
from coverslip.messages import Message, escape_controls, message, text

Array = np.ndarray[Any, np.dtype[Any]]  # Any: shape and dtype are said in each docstring


# Limit of one decoded plane in any format and depth. Decoding and preprocessing need three to five times as much
# memory, which stays below a gigabyte.
MAX_BYTES = 192 * 2**20
_MAX_FILE_BYTES = (
    256 * 2**20
)  # of a compressed image, which decoders read whole: larger than any plane within the limit
_BLOCK_BYTES = 4 * 2**20


UM_PER_UNIT = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "\\u00b5m"), 1.0),
    **dict.fromkeys(("nm", "nanometer"), 1e-3),
    **dict.fromkeys(("mm", "millimeter"), 1e3),
    **dict.fromkeys(("cm", "centimeter"), 1e4),
    **dict.fromkeys(("m", "meter"), 1e6),
}
"""Micrometers per unit of length, by the names that files use."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """Pixels as a reader returns them, before they are converted to one of three depths."""

    array: Array  # (H, W) or (H, W, C), any real dtype
    bit_depth: int  # as declared: 1, 2, 4, 8, 12, 16, 32, ...
    note: Message | None = None  # one short reason, equal for equal causes, so that callers can count them


def damaged(path: Path, cause: object) -> UnreadableImage:
    """Return the error for a file whose bytes are not a complete image."""
    reason = cause if isinstance(cause, Message) else reason_of(cause)
    return UnreadableImage("image-damaged", file=path, reason=reason)


_BYTES = re.compile(r"""\bb(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")""")  # as Python prints them


def reason_of(cause: object) -> str:
    """Return what a decoder says in one short line, without bytes of the file that are no text."""

    def readable(match: re.Match[str]) -> str:
        content = match[1] or match[2] or ""
        return "..." if "\\" in content else f"'{content}'"

    line = " ".join(_BYTES.sub(readable, str(cause)).split())
    return escape_controls(line[:160].rstrip(". ")) or type(cause).__name__


def check_size(path: Path, width: int, height: int, max_bytes: int, *, bytes_per_pixel: int = 1) -> None:
    """Check the declared size of an image before memory is allocated.

    Args:
        path: the file, for errors.
        width, height: in pixels.
        max_bytes: the limit for all pixels.
        bytes_per_pixel: for all channels together.

    Raises:
        UnreadableImage: the file declares no pixels, or more than `max_bytes`.
    """
    if width < 1 or height < 1 or bytes_per_pixel < 1:
        raise damaged(path, message("image-without-size", width=int(width), height=int(height)))
    if width * height * bytes_per_pixel > max_bytes:
        raise UnreadableImage(
            "image-too-large",
            file=path,
            width=int(width),
            height=int(height),
            pixel_bytes=int(bytes_per_pixel),
            limit_mb=max_bytes / 1e6,
        )


def check_length(path: Path) -> None:
    """Check the length of a compressed file before it is read.

    Raises:
        UnreadableImage: the file is longer than any image within the limit.
    """
    n_bytes = path.stat().st_size
    if n_bytes > _MAX_FILE_BYTES:
        raise UnreadableImage("image-file-too-long", file=path, n_mb=n_bytes / 1e6, limit_mb=_MAX_FILE_BYTES / 1e6)


def by_rows(change: Callable[[Array], Array], array: Array) -> Array:
    """Return `change(array)`, applied to blocks of rows to limit memory; `change` must treat each row separately."""
    n_rows = max(1, _BLOCK_BYTES * len(array) // max(1, array.nbytes))
    if n_rows >= len(array):
        return change(array)
    first = change(array[:n_rows])
    changed = np.empty((len(array), *first.shape[1:]), first.dtype)
    changed[:n_rows] = first
    for top in range(n_rows, len(array), n_rows):
        changed[top : top + n_rows] = change(array[top : top + n_rows])
    return changed


def cmyk_to_rgb(array: Array) -> Array:
    """Convert (H, W, 4) CMYK to (H, W, 3) RGB of the same unsigned dtype: the light that inks and black transmit."""
    top = np.float32(np.iinfo(array.dtype).max)

    def light(inks: Array) -> Array:
        paper = 1 - inks.astype(np.float32) / top
        return np.rint(paper[..., :3] * paper[..., 3:4] * top).astype(array.dtype)

    return by_rows(light, array)


def palette_to_color(index: Array, palette: Array) -> Array:
    """Look pixels up in an (n, 3) palette: (H, W, 3), or (H, W) if the whole palette is gray."""
    is_gray = bool((palette == palette[:, :1]).all())
    if len(palette) <= int(index.max(initial=0)):
        raise ValueError(text("palette-too-short"))
    colors: Array = palette[:, 0] if is_gray else palette
    return by_rows(lambda rows: colors[rows], index)


HEAD_BYTES = 512  # first bytes of a file, by which its format is identified


_CHANNEL_AXES = "CSλΛ"  # declared channels, samples of a pixel, emission and excitation wavelengths
_ROW_AND_COLUMN = (("Y", "X"), ("Z", "X"), ("Z", "Y"))  # of an image; without Y, a section along the optical axis

Size = tuple[int, int]  # width, height in pixels
PixelSize = tuple[float, float]  # width, height of a pixel in micrometers
PIXEL_SIZE_FACTOR = 1.1  # pixel sizes that differ by more matter
PIXEL_SIZES_UM = 1e-6, 1e6  # smallest and largest side of a pixel; others are errors of metadata


def pixel_side(pixel_size_um: PixelSize) -> float:
    """Return the side in µm of the square with the area of a pixel."""
    return sqrt(pixel_size_um[0] * pixel_size_um[1])


@dataclass(frozen=True, slots=True)
class Series:
    """One image, stack or film in a file, as the file declares it."""

    # A letter per dimension, in any order: Y, X; Z; T time; C channels, S samples of a pixel, λ wavelengths; others
    # count planes.
    axes: str
    shape: tuple[int, ...]  # of the full resolution
    pixel_size_um: PixelSize | None = None  # width and height of a pixel; None: not declared
    name: str = ""
    dtype: str = ""  # of the file, such as uint16; empty: unknown before decoding
    channels: tuple[str, ...] = ()  # names in the order of the channels; empty: not declared
    levels: tuple[Size, ...] = ()  # size of each pyramid level, full resolution first; empty: there is only one
    position_um: tuple[float, ...] | None = None  # x, y and optionally z of the stage; None: not declared
    acquired: str | None = None  # ISO 8601 date and time; None: not declared

    def size(self, axis: str) -> int:
        """The length of an axis; 1 if there is none."""
        return dict(zip(self.axes, self.shape, strict=True)).get(axis, 1)

    @property
    def plane_axes(self) -> tuple[str, str]:
        """The axes of the rows and the columns of an image.

        Raises:
            ValueError: there are not two such axes.
        """
        for row, column in _ROW_AND_COLUMN:
            if self.axes.count(row) == self.axes.count(column) == 1:
                return row, column
        raise ValueError(text("image-without-height-and-width", axes=self.axes))

    @property
    def channel_axes(self) -> str:
        """The axes whose positions are channels, in the order of the file."""
        return "".join(axis for axis in self.axes if axis in _CHANNEL_AXES)

    @property
    def n_channels(self) -> int:
        """The number of channels, counted before palettes are resolved and transparency is removed."""
        return prod(self.size(axis) for axis in self.channel_axes)

    @property
    def z_axes(self) -> str:
        """The axes whose positions are z-planes: Z, and axes without a meaning for coverslip."""
        return "".join(axis for axis in self.axes if axis != "T" and axis not in self.channel_axes + self._plane_axes)

    @property
    def n_z(self) -> int:
        """The number of planes that `ReadPlan.z` can select."""
        return prod(self.size(axis) for axis in self.z_axes)

    @property
    def n_planes(self) -> int:
        """The number of planes over time and z."""
        return self.size("T") * self.n_z

    @property
    def sizes(self) -> tuple[Size, ...]:
        """The width and height of each level, full resolution first."""
        row, column = self.plane_axes
        return self.levels or ((self.size(column), self.size(row)),)

    def pixel_size_at(self, level: int) -> PixelSize | None:
        """The width and height of a pixel of a level in µm; None: not declared, or not possible."""
        smallest, largest = PIXEL_SIZES_UM
        if self.pixel_size_um is None or not all(smallest <= side <= largest for side in self.pixel_size_um):
            return None
        (width, height), (level_width, level_height) = self.sizes[0], self.sizes[level]
        return self.pixel_size_um[0] * (width / level_width), self.pixel_size_um[1] * (height / level_height)

    @property
    def _plane_axes(self) -> str:
        try:
            return "".join(self.plane_axes)
        except ValueError:
            return "YX"


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a plane, in pixels of one level; right and bottom are the first pixels beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """The number of columns."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """The number of rows."""
        return self.bottom - self.top

    @property
    def of_array(self) -> tuple[slice, slice]:
        """The rows and columns in an array of the whole plane."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The pixels of one plane that `OpenImage.read_region` returns."""

    series: int
    level: int
    at: Mapping[str, int]  # the position on each axis that is not an axis of the plane or of channels
    window: Window  # within the level
    channels: tuple[int, ...] | None  # in this order; None: all


class OpenImage(Protocol):
    """An open file, or a folder that is one image."""

    def describe(self) -> tuple[Series, ...]:
        """Return every series. Decodes no pixels."""
        ...

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        """Return the selected pixels, (height, width, channels), decoding no more of the file than necessary.

        The region has no more than `max_bytes`. If more must be decoded, check it with `check_size` before memory is
        allocated.

        Raises:
            UnreadableImage: the file cannot be read.
            Exception: every other exception is reported as damage.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One file format.

    To add a format, write a module with its reader in this folder, and its name in `formats.py`. `open` yields a source
    with `describe` and `read_region`; `coverslip.images.reading` does the rest. Other packages add formats with an
    entry point of the group `coverslip.readers`.
    """

    name: str  # short, shown in the counts of `inspect`
    title: str  # shown to users
    suffixes: tuple[str, ...]  # lower case, with a dot; files of these suffixes in a folder are images
    # Whether a file with these first 512 bytes has this format. File names are not used: a TIFF may be called .png.
    is_this: Callable[[bytes], bool]
    # Opens a file; called by several threads. Opens files with `open_image`, which confines the app to its folders.
    # None: the format is identified, but cannot be read.
    open: Callable[[Path], AbstractContextManager[OpenImage]] | None = None
    # Whether a folder is one image of this format. None: no folder is.
    is_this_folder: Callable[[Path], bool] | None = None
    package: str = ""  # the module that reads the format, if it is not installed with coverslip
    python: tuple[int, int] = (3, 11)  # the first version of Python that has the package
    # For a format that cannot be read: how to export readable files. A function if it is a message of the catalogue.
    export: str | Callable[[], str] = ""

    @property
    def can_read(self) -> bool:
        """Whether files of this format can be read with what is installed."""
        if self.open is None:
            return False
        return not self.package or (sys.version_info >= self.python and _is_installed(self.package))

    @property
    def advice(self) -> str:
        """What to do about files that cannot be read; empty if unknown."""
        export = self.export() if callable(self.export) else self.export
        if self.open is None:
            return export
        if sys.version_info < self.python:
            return text("format-needs-python", version=".".join(map(str, self.python)), export=export)
        if (command := install_command("formats")) is None:
            return export
        return text("format-needs-package", command=command, package=self.package, export=export)


@cache
def _is_installed(package: str) -> bool:
    return find_spec(package) is not None


def starts(*signatures: bytes) -> Callable[[bytes], bool]:
    """Return an `is_this` function: whether a file begins with one of these signatures."""
    return lambda head: head.startswith(signatures)


def at_channels(array: Array, channels: tuple[int, ...] | None) -> Array:
    """Return the selected channels of (H, W, C)."""
    return array if channels is None else array[..., list(channels)]


# Read plans: the files, series, plane, channels and region of an image.

MAX_CHANNEL_FILES = 16

ZPlane = Annotated[int, Field(ge=0)] | Literal["max", "mean", "best-focus", "channels"]
Channel = int | Annotated[str, StringConstraints(min_length=1, max_length=200)]
Region = tuple[int, int, int, int]
PixelSizeUm = Annotated[float, Field(ge=PIXEL_SIZES_UM[0], le=PIXEL_SIZES_UM[1], allow_inf_nan=False)]
_IN_UM = re.compile(r"(\d{1,6}(?:\.\d{1,4})?) ?(?:um|µm|μm)", re.IGNORECASE | re.ASCII)


def _length(value: object) -> object:
    """Return a length such as `32µm` as `32 um`; other values unchanged."""
    match = _IN_UM.fullmatch(value.strip()) if isinstance(value, str) else None
    return value if match is None else f"{float(match[1]):.10g} um"


LENGTH_FORMAT = "length-um"  # in JSON Schema
Length = Annotated[
    str,
    BeforeValidator(_length),
    StringConstraints(pattern=r"^(0\.0*[1-9]|[1-9])\d*(\.\d+)? um$", max_length=20),
    Field(json_schema_extra={"format": LENGTH_FORMAT, "examples": ["32 um"]}),
]
CropSize = Annotated[int, Field(ge=4, le=10_000)] | Length
CropMargin = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | Length


def _distinct(marks: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(marks)) < len(marks):
        raise ValueError("each part of a name may occur once")
    return marks


# A part of a file name; no separators, so that it cannot lead to another folder.
_Mark = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^/\\\x00-\x1f]+$")]
ChannelFiles = Annotated[
    tuple[_Mark, ...], Field(min_length=2, max_length=MAX_CHANNEL_FILES), AfterValidator(_distinct)
]


PIXEL_KEYS = ("series", "t", "z", "channels", "level")  # fields of a plan that select the pixels of a file
PLAN_COLUMNS = (*PIXEL_KEYS, "pixel_size_um")
"""The fields of a plan that a recipe states for all images, and a row of a table for one image."""


class ReadPlan(DocumentedModel):
    """The pixels of a file that are read as one image. An empty plan reads the first plane of the first series.

    A page of a multi-page file is a *channel* if the file declares it so (axis C of an ImageJ, OME or shaped TIFF), and
    a *time point* if it declares axis T. Any other page (Z, unknown) is a *z-plane*: one is selected, or all are
    projected. Channels in separate files follow those of the first file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: int = Field(default=0, ge=0)
    """0-based series (position, scene, image) of a file."""
    t: int = Field(default=0, ge=0)
    """0-based time point."""
    z: ZPlane = 0
    """0-based z-plane, 'max' or 'mean' over all z-planes, 'best-focus': the sharpest z-plane, or 'channels': all planes
    of the file, each as a channel."""
    channels: tuple[Channel, ...] | None = None
    """0-based numbers or names of the channels to keep, in this order; None keeps all."""
    level: int = Field(default=0, ge=0)
    """0-based level of a pyramid; 0 is the full resolution."""
    pixel_size_um: PixelSizeUm | None = None
    """Side in µm of a pixel of level 0, which replaces the pixel size that the file declares."""
    region: Region | None = None
    """x, y, width, height in pixels of level 0; None is the whole plane."""
    channel_files: ChannelFiles | None = None
    """Parts of file names that distinguish the files of one image, one file per channel, in this order. Used when a
    dataset is opened; its images then have `other_files`."""
    crop_size: CropSize | None = None
    """Side of the square around each point, or around the center of each box, of a table, in pixels of level 0 or in µm
    (`32 um`). In µm, it applies to the center of whole images, too. In pixels, it is used for points when a dataset is
    opened; its images then have a `region`."""
    crop_margin: CropMargin = 0.0
    """Margin that is read on each side of a box: a share of the longer side of the box, or a length in µm (`2 um`)."""
    other_files: tuple[str, ...] = ()
    """For one image: the files of further channels, relative to the folder of its file, or absolute."""

    def crop(self, size: Size, pixel_size_um: PixelSize | None) -> Region | None:
        """Return the pixels of level 0 that are read; None: the whole plane.

        This is the region with its margin, or a rectangle around its center. Without a region, a crop size in µm
        applies to the center of the plane.

        Args:
            size: width and height of level 0.
            pixel_size_um: width and height of its pixels.

        Raises:
            ValueError: there is a length in µm, and the pixel size is unknown.
        """
        if self.region is None and not self.has_physical_size:
            return None
        x, y, width, height = self.region or (0, 0, *size)
        if self.crop_size is not None:
            sides = _in_pixels(self.crop_size, pixel_size_um)
            return _around(box_center((x, y, width, height)), sides)
        if isinstance(self.crop_margin, str):
            horizontal, vertical = _in_pixels(self.crop_margin, pixel_size_um)
        else:
            horizontal = vertical = round(self.crop_margin * max(width, height))
        return x - horizontal, y - vertical, width + 2 * horizontal, height + 2 * vertical

    @property
    def has_physical_size(self) -> bool:
        """Whether images are squares of a size in µm, so that the pixel size does not change what they show."""
        return isinstance(self.crop_size, str)

    @property
    def of_whole_image(self) -> "ReadPlan":
        """The plan for images without a box or point: only a crop size in µm applies to them."""
        crop_size = self.crop_size if self.has_physical_size else None
        return self.model_copy(update={"crop_size": crop_size, "crop_margin": 0.0})

    @property
    def of_pixels(self) -> "ReadPlan":
        """The plan without a pixel size that does not change the pixels."""
        if self.pixel_size_um is None or self.has_physical_size or isinstance(self.crop_margin, str):
            return self
        return self.model_copy(update={"pixel_size_um": None})

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return all files of an image, that of the first channel first."""
        names = (os.path.normpath(path.parent / name) for name in self.other_files)
        return (path, *map(Path, names))

    def cell(self, column: str) -> str:
        """Return the cell of a table in one of the `PLAN_COLUMNS`."""
        value = getattr(self, column)
        if column == "pixel_size_um":
            return "" if value is None else repr(value)
        if column != "channels":
            return str(value)
        return (" " if all(isinstance(each, int) for each in value or ()) else ",").join(map(str, value or ()))

    @property
    def pixels_read(self) -> str:
        """The pixels of the file that are read, such as `z=1 channels=GFP`; empty: all channels of the first plane."""
        other_than_default = (name for name in PIXEL_KEYS if getattr(self, name) != ReadPlan.model_fields[name].default)
        return " ".join(f"{name}={self.cell(name)}" for name in other_than_default)

    def as_json(self) -> str:
        """Return the non-default values as ASCII JSON, which preserves bytes of file names that are not UTF-8."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True))

    @classmethod
    def from_json(cls, text: str) -> "ReadPlan":
        """Return the plan from the result of `as_json`."""
        return cls.model_validate(json.loads(text))


def square_around(point: tuple[int, int], side: int) -> Region:
    """Return the box (x, y, width, height) of this side length with a point at its center."""
    return _around(point, (side, side))


def _around(point: tuple[int, int], sides: Size) -> Region:
    return point[0] - sides[0] // 2, point[1] - sides[1] // 2, *sides


def _in_pixels(length: int | str, pixel_size_um: PixelSize | None) -> Size:
    """Return a length in pixels, horizontally and vertically."""
    if isinstance(length, int):
        return length, length
    if pixel_size_um is None:
        raise ValueError(length)
    um = float(length.removesuffix(" um"))
    return max(1, round(um / pixel_size_um[0])), max(1, round(um / pixel_size_um[1]))


def box_center(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the point from which `square_around` made a box."""
    return box[0] + box[2] // 2, box[1] + box[3] // 2
