"""Read plans: the files, plane, channels and box of an image."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MAX_CHANNEL_FILES = 16

Plane = Annotated[int, Field(ge=0)] | Literal["max", "mean", "channels"]


def _distinct(marks: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(marks)) < len(marks):
        raise ValueError("each part of a name may occur once")
    return marks


# A part of a file name; no separators, so that it cannot lead to another folder.
_Mark = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^/\\\x00-\x1f]+$")]
ChannelFiles = Annotated[
    tuple[_Mark, ...], Field(min_length=2, max_length=MAX_CHANNEL_FILES), AfterValidator(_distinct)
]


class ReadPlan(BaseModel):
    """The pixels of a file that are read as one image. An empty plan reads the whole first plane with all channels.

    A page of a multi-page file is a *channel* if the file declares it so (axis C of an ImageJ, OME or shaped TIFF). Any
    other page (Z, T, unknown) is a *plane*: one plane is selected or all are projected, unless `plane` declares all of
    them to be channels. Channels in separate files follow those of the first file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plane: Plane = Field(
        default=0,
        description="0-based page of a multi-page file, 'max' or 'mean' over all pages, or 'channels': all of them.",
    )
    channels: tuple[int, ...] | None = Field(
        default=None, description="0-based channels to keep, in this order; None keeps all."
    )
    box: tuple[int, int, int, int] | None = Field(
        default=None, description="x, y, width, height in pixels; None is the whole plane."
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
        description="Side in pixels of the square around each point of a table. Used when a dataset is opened; its "
        "images then have a `box`.",
    )
    other_files: tuple[str, ...] = Field(
        default=(),
        description="For one image: the files of further channels, relative to the folder of its file, or absolute.",
    )

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return all files of an image, that of the first channel first."""
        names = (os.path.normpath(path.parent / name) for name in self.other_files)
        return (path, *map(Path, names))

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
