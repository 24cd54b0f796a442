"""Read plans: the files, series, plane, channels and region of an image."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from coverslip.images.reader import PIXEL_SIZES_UM, PixelSize, Size

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


PLAN_COLUMNS = ("series", "t", "z", "channels", "level", "pixel_size_um")
"""The fields of a plan that a recipe states for all images, and a row of a table for one image."""


class ReadPlan(BaseModel):
    """The pixels of a file that are read as one image. An empty plan reads the first plane of the first series.

    A page of a multi-page file is a *channel* if the file declares it so (axis C of an ImageJ, OME or shaped TIFF), and
    a *time point* if it declares axis T. Any other page (Z, unknown) is a *z-plane*: one is selected, or all are
    projected. Channels in separate files follow those of the first file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    series: int = Field(default=0, ge=0, description="0-based series (position, scene, image) of a file.")
    t: int = Field(default=0, ge=0, description="0-based time point.")
    z: ZPlane = Field(
        default=0,
        description="0-based z-plane, 'max' or 'mean' over all z-planes, 'best-focus': the sharpest z-plane, or "
        "'channels': all planes of the file, each as a channel.",
    )
    channels: tuple[Channel, ...] | None = Field(
        default=None, description="0-based numbers or names of the channels to keep, in this order; None keeps all."
    )
    level: int = Field(default=0, ge=0, description="0-based level of a pyramid; 0 is the full resolution.")
    pixel_size_um: PixelSizeUm | None = Field(
        default=None,
        description="Side in µm of a pixel of level 0, which replaces the pixel size that the file declares.",
    )
    region: Region | None = Field(
        default=None, description="x, y, width, height in pixels of level 0; None is the whole plane."
    )
    channel_files: ChannelFiles | None = Field(
        default=None,
        description="Parts of file names that distinguish the files of one image, one file per channel, in this order. "
        "Used when a dataset is opened; its images then have `other_files`.",
    )
    crop_size: CropSize | None = Field(
        default=None,
        description="Side of the square around each point, or around the center of each box, of a table, in pixels of "
        "level 0 or in µm (`32 um`). In µm, it applies to the center of whole images, too. In pixels, it is used for "
        "points when a dataset is opened; its images then have a `region`.",
    )
    crop_margin: CropMargin = Field(
        default=0.0,
        description="Margin that is read on each side of a box: a share of the longer side of the box, or a length in "
        "µm (`2 um`).",
    )
    other_files: tuple[str, ...] = Field(
        default=(),
        description="For one image: the files of further channels, relative to the folder of its file, or absolute.",
    )

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
