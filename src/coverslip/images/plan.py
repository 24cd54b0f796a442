"""Read plans: the files, series, plane, channels and region of an image."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from coverslip.images.reader import PIXEL_SIZES_UM

MAX_CHANNEL_FILES = 16
MAX_CROP_MARGIN = 10.0

ZPlane = Annotated[int, Field(ge=0)] | Literal["max", "mean", "best-focus", "channels"]
Channel = int | Annotated[str, StringConstraints(min_length=1, max_length=200)]
Region = tuple[int, int, int, int]
PixelSizeUm = Annotated[float, Field(ge=PIXEL_SIZES_UM[0], le=PIXEL_SIZES_UM[1], allow_inf_nan=False)]


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
    crop_size: int | None = Field(
        default=None,
        ge=4,
        le=10_000,
        description="Side in pixels of the square around each point, or around the center of each box, of a table. For "
        "points, it is used when a dataset is opened; its images then have a `region`.",
    )
    crop_margin: float = Field(
        default=0.0,
        ge=0,
        le=MAX_CROP_MARGIN,
        allow_inf_nan=False,
        description="Margin that is read on each side of a box, as a share of the longer side of the box.",
    )
    other_files: tuple[str, ...] = Field(
        default=(),
        description="For one image: the files of further channels, relative to the folder of its file, or absolute.",
    )

    @property
    def crop(self) -> Region | None:
        """The pixels of level 0 that are read: the region, with its margin, or a square around its center."""
        if self.region is None:
            return None
        if self.crop_size is not None:
            return square_around(box_center(self.region), self.crop_size)
        x, y, width, height = self.region
        margin = round(self.crop_margin * max(width, height))
        return x - margin, y - margin, width + 2 * margin, height + 2 * margin

    @property
    def of_pixels(self) -> "ReadPlan":
        """The plan without the pixel size, which does not change the pixels."""
        return self if self.pixel_size_um is None else self.model_copy(update={"pixel_size_um": None})

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


def square_around(point: tuple[int, int], side: int) -> tuple[int, int, int, int]:
    """Return the box (x, y, width, height) of this side length with a point at its center."""
    return point[0] - side // 2, point[1] - side // 2, side, side


def box_center(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the point from which `square_around` made a box."""
    return box[0] + box[2] // 2, box[1] + box[3] // 2
