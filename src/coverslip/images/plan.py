"""Which pixels of which files make one image."""

import json
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

MOST_CHANNEL_FILES = 16

Plane = Annotated[int, Field(ge=0)] | Literal["max", "mean", "channels"]


def _distinct(marks: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(marks)) < len(marks):
        raise ValueError("each part of a name may stand there once")
    return marks


# Part of a file's name, which leads to no other folder.
_Mark = Annotated[str, StringConstraints(min_length=1, max_length=60, pattern=r"^[^/\\\x00-\x1f]+$")]
ChannelFiles = Annotated[
    tuple[_Mark, ...], Field(min_length=2, max_length=MOST_CHANNEL_FILES), AfterValidator(_distinct)
]


class ReadPlan(BaseModel):
    """Which pixels of a file make one image; an empty plan reads the whole first plane with all its channels.

    A page of a multi-page file is a *channel* where the file declares it so (axis C of an ImageJ, OME or
    shaped TIFF); any other page (Z, T, unknown) is a *plane*, of which one is chosen or all are projected, unless
    `plane` says that all of them are channels. Channels that lie in files of their own follow those of the first file.
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
        description="What tells the files of one image apart by their names, a file per channel, in this order; a "
        "dataset is opened by it, and its images then have `other_files`.",
    )
    crop_size: int | None = Field(
        default=None,
        ge=4,
        le=10_000,
        description="Side in pixels of the square around each point of a table; a dataset is opened by it, and its "
        "images then have a `box`.",
    )
    other_files: tuple[str, ...] = Field(
        default=(),
        description="Of one image: the files of its further channels, from the folder of its file, or absolute.",
    )

    def files(self, path: Path) -> tuple[Path, ...]:
        """Return all files that an image is made of, that of its first channel first."""
        others = (os.path.normpath(path.parent / name) for name in self.other_files)
        return (path, *map(Path, others))

    def as_json(self) -> str:
        """What of the plan is not the default, as JSON in ASCII: bytes of a file name that are no UTF-8 are kept."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True))

    @classmethod
    def from_json(cls, text: str) -> "ReadPlan":
        """Return the plan that gave `as_json`."""
        return cls.model_validate(json.loads(text))


def square_around(point: tuple[int, int], side: int) -> tuple[int, int, int, int]:
    """Return the box (x, y, width, height) of this side length with a point at its center."""
    return point[0] - side // 2, point[1] - side // 2, side, side


def box_center(box: tuple[int, int, int, int]) -> tuple[int, int]:
    """Return the point from which `square_around` made a box."""
    return box[0] + box[2] // 2, box[1] + box[3] // 2
