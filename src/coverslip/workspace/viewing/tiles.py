"""Tiles of images for the viewer: channels with colors and contrast limits, added up as in Fiji and napari."""

import io
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, model_validator

from coverslip.errors import NotFound
from coverslip.workspace.store.rows import AnyRow, dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.lists import ImageList, PictureSource
from coverslip.workspace.viewing.pictures import encode
from coverslip.workspace.viewing.pyramids import (
    BLOCK_PX,
    Array,
    ChannelRange,
    Plane,
    Preparation,
    Pyramid,
    ViewedZ,
    channel_ranges,
    depth_of_pyramid,
    open_pyramid,
    preparation_of,
)

TILE_PX = 512
_TILES_PER_BLOCK = BLOCK_PX // TILE_PX
_QUALITY = 90
_MOST_VISIBLE = 7  # channels that are shown at first, as in a composite of Fiji
_COLORS = ("ff0000", "00ff00", "0000ff", "ffffff", "00ffff", "ff00ff", "ffff00")  # the order of Fiji
_TWO_COLORS = ("ff00ff", "00ff00")  # magenta and green, which color-blind people distinguish
# Colors of channels by words in their names; dyes have about the color of their emission.
_NAMED_COLORS = (
    (re.compile(r"^gr[ae]ys?$", re.I), "ffffff"),
    (re.compile(r"^cyan$", re.I), "00ffff"),
    (re.compile(r"^yellow$", re.I), "ffff00"),
    (re.compile(r"^blue$|dapi|hoechst|405|bfp|cfp", re.I), "0000ff"),
    (re.compile(r"^green$|fitc|gfp|488|yfp|cy2|fluo-?4", re.I), "00ff00"),
    (re.compile(r"^red$|tritc|rfp|cherry|texas|tomato|rhod|cy3|5[56]\d|594", re.I), "ff0000"),
    (re.compile(r"^magenta$|cy5|6[34]\d|far.?red", re.I), "ff00ff"),
    (re.compile(r"\bmono\b|bright|\bbf\b|\bdic\b|phase|\btl\b|trans|\btd\b", re.I), "ffffff"),
)
_MARGIN = 0.25  # of the sliders beyond the values of an overview, which averages pixels

Color = Annotated[str, Field(pattern=r"^[0-9a-f]{6}$", description="Red, green and blue as hexadecimal digits.")]
Limit = Annotated[float, Field(allow_inf_nan=False, ge=-1e38, le=1e38)]


class ChannelDisplay(BaseModel):
    """How a channel is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    color: Color
    low: Limit | None = Field(default=None, description="Intensity shown black; null: automatic, for each image.")
    high: Limit | None = Field(default=None, description="Intensity shown in the full color; null: automatic.")
    is_visible: bool = True

    @model_validator(mode="after")
    def _check_limits(self) -> "ChannelDisplay":
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be less than high")
        return self


@dataclass(frozen=True, slots=True)
class ViewedChannel:
    """A channel of an image, and how it is shown."""

    name: Annotated[str, Field(description="The name in the file; empty: none.")]
    color: Color
    low: Annotated[float, Field(description="Intensity shown black.")]
    high: Annotated[float, Field(description="Intensity shown in the full color.")]
    is_visible: bool
    automatic_low: Annotated[float, Field(description="0 for 8 bit, else the 0.1 percentile of the image.")]
    automatic_high: Annotated[float, Field(description="255 for 8 bit, else the 99.9 percentile of the image.")]
    least: Annotated[float, Field(description="Lower end of sliders.")]
    most: Annotated[float, Field(description="Upper end of sliders.")]


@dataclass(frozen=True, slots=True)
class TiledImage:
    """An image for the viewer."""

    width: int
    height: int
    tile_px: Annotated[int, Field(description="Side of a tile in pixels; those at the right and bottom are smaller.")]
    n_levels: Annotated[int, Field(description="Level 0 has the full resolution, each further level half of it.")]
    pixel_size_um: Annotated[list[float] | None, Field(description="Width and height of a pixel in µm; null: unknown.")]
    series: Annotated[int, Field(description="Of the file, from 0.")]
    t: Annotated[int, Field(description="Time point, from 0.")]
    z: Annotated[ViewedZ | None, Field(description="z-plane from 0, or the projection; null: z-planes are channels.")]
    series_names: Annotated[list[str], Field(description="The name of each series of the file; empty: none.")]
    n_t: int
    n_z: int
    is_color: Annotated[bool, Field(description="Whether the channels are red, green and blue.")]
    channels: Annotated[list[ViewedChannel], Field(description="The channels in the order of the file.")]
    preparation: Annotated[
        Preparation | None,
        Field(description="Progress of the levels that are computed before the image can be shown; null: it can."),
    ]


# Channel, color, and optionally the two limits, for example `0:ff0000:100:4095,2:00ff00`.
_NUMBER = r"-?\d{1,39}(?:\.\d{1,20})?(?:e[+-]?\d{1,3})?"
DISPLAY_PATTERN = (
    rf"^(?:\d{{1,4}}:[0-9a-f]{{6}}(?::{_NUMBER}:{_NUMBER})?(?:,\d{{1,4}}:[0-9a-f]{{6}}(?::{_NUMBER}:{_NUMBER})?)*)?$"
)


def displays_of(text: str) -> dict[int, ChannelDisplay]:
    """Return the visible channels by their numbers, of a text of `DISPLAY_PATTERN`."""
    displays = {}
    for part in filter(None, text.split(",")):
        number, color, *limits = part.split(":")
        low, high = map(float, limits) if limits else (None, None)
        displays[int(number)] = ChannelDisplay.model_construct(color=color, low=low, high=high, is_visible=True)
    return displays


def stored_display(listed: ImageList[Any]) -> tuple[ChannelDisplay, ...]:
    """Return how the channels of the dataset of a list are shown; none: automatic, or there are several datasets."""
    if len(listed.dataset_ids) == 1:
        with suppress(NotFound), listed.workspace.engine.connect() as connection:  # deleted since
            return display_of(dataset_row(connection, listed.dataset_ids[0]))
    return ()


def display_of(row: AnyRow) -> tuple[ChannelDisplay, ...]:
    """Return how the channels of a dataset are shown, by its row; none: automatic."""
    return tuple(map(ChannelDisplay.model_validate, row.display or ()))


def describe_tiles(
    workspace: Workspace, owner: str, source: PictureSource, plane: Plane, stored: Sequence[ChannelDisplay]
) -> TiledImage:
    """Describe an image for the viewer.

    Args:
        workspace: the workspace.
        owner: its dataset or job.
        source: the image.
        plane: the series, time point and z-plane; None: those of the image.
        stored: the display of channels that was stored for all images.

    Raises:
        UnreadableImage: it cannot be read, or has no such plane.
        CoverslipError: the file is outside the readable folders or does not exist.
    """
    pyramid = open_pyramid(workspace, owner, source, plane)
    preparation = preparation_of(pyramid)
    plan, series, size_um = pyramid.plan, pyramid.series, pyramid.pixel_size_um
    has_planes = plan.z != "channels"
    return TiledImage(
        *pyramid.size,
        TILE_PX,
        pyramid.n_levels,
        None if size_um is None else list(size_um),
        plan.series,
        plan.t,
        None if plan.z == "channels" else plan.z,
        list(pyramid.series_names),
        series.size("T") if has_planes else 1,
        series.n_z if has_planes else 1,
        is_color="S" in series.channel_axes and not preparation and len(channel_ranges(pyramid)) == 3,
        channels=[] if preparation else _channels(pyramid, stored),
        preparation=preparation,
    )


def tile(
    workspace: Workspace,
    owner: str,
    source: PictureSource,
    plane: Plane,
    displays: dict[int, ChannelDisplay] | None,
    position: tuple[int, int, int],
) -> bytes:
    """Return a tile as JPEG, or as PNG if the image has one level only, so that its pixels are exact.

    Args:
        workspace, owner, source, plane: as for `describe_tiles`.
        displays: the visible channels; None: the default.
        position: level, column and row of the tile.

    Raises:
        NotFound: there is no such tile.
        UnreadableImage, CoverslipError: as `describe_tiles`.
    """
    pyramid = open_pyramid(workspace, owner, source, plane)
    level, x, y = position
    if level >= pyramid.n_levels:
        raise NotFound("no-such-tile")
    width, height = pyramid.size_at(level)
    if x * TILE_PX >= width or y * TILE_PX >= height:
        raise NotFound("no-such-tile")
    picture = _rendered(pyramid, displays, level, x // _TILES_PER_BLOCK, y // _TILES_PER_BLOCK, _part_of_block(x, y))
    if pyramid.n_levels > 1:
        return encode(picture, _QUALITY)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def overview(
    workspace: Workspace,
    owner: str,
    source: PictureSource,
    plane: Plane,
    displays: dict[int, ChannelDisplay] | None,
    side: int,
) -> bytes:
    """Return the whole image as JPEG whose longer side is at most `side`, at most 1,024 pixels.

    Raises:
        UnreadableImage, CoverslipError: as `describe_tiles`.
    """
    pyramid = open_pyramid(workspace, owner, source, plane)
    picture = _rendered(pyramid, displays, pyramid.n_levels - 1, 0, 0, (slice(None), slice(None)))
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    return encode(picture, _QUALITY)


def _part_of_block(x: int, y: int) -> tuple[slice, slice]:
    top, left = (y % _TILES_PER_BLOCK) * TILE_PX, (x % _TILES_PER_BLOCK) * TILE_PX
    return slice(top, top + TILE_PX), slice(left, left + TILE_PX)


def _channels(pyramid: Pyramid, stored: Sequence[ChannelDisplay]) -> list[ViewedChannel]:
    ranges, depth = channel_ranges(pyramid), depth_of_pyramid(pyramid)
    names = pyramid.series.channels if len(pyramid.series.channels) == len(ranges) else ("",) * len(ranges)
    colors = _default_colors(names)
    visible = pyramid.chosen_channels or range(_MOST_VISIBLE)
    channels = []
    for number, (name, color, values) in enumerate(zip(names, colors, ranges, strict=True)):
        low, high = _automatic(values, depth)
        least, most = _slider(values, depth)
        automatic = ChannelDisplay(color=color, is_visible=number in visible)
        display = stored[number] if len(stored) == len(ranges) else automatic
        channels.append(
            ViewedChannel(
                name,
                display.color,
                low if display.low is None else display.low,
                high if display.high is None else display.high,
                display.is_visible,
                low,
                high,
                least,
                most,
            )
        )
    return channels


def _default_colors(names: Sequence[str]) -> list[str]:
    """Return a color for each channel: by its name, else one that no other channel has."""
    if len(names) == 1:
        return ["ffffff"]
    by_name = [next((color for pattern, color in _NAMED_COLORS if pattern.search(name)), None) for name in names]
    order = _TWO_COLORS if len(names) == 2 else _COLORS
    unused = [color for color in order if color not in by_name] or list(order)
    colors = []
    for color in by_name:
        if color is None:
            color = unused.pop(0)
            unused = unused or list(order)
        colors.append(color)
    return colors


def _automatic(values: ChannelRange, depth: np.dtype[Any]) -> tuple[float, float]:
    """Return the limits that are shown at first: 8-bit images are shown unchanged."""
    if depth == np.uint8:
        return 0.0, 255.0
    return values.low, values.high if values.high > values.low else values.low + 1


def _slider(values: ChannelRange, depth: np.dtype[Any]) -> tuple[float, float]:
    if depth == np.uint8:
        return 0.0, 255.0
    margin = _MARGIN * (values.most - values.least) or 1.0
    least, most = values.least - margin, values.most + margin
    return (max(0.0, np.floor(least)), min(65_535.0, np.ceil(most))) if depth == np.uint16 else (least, most)


def _rendered(
    pyramid: Pyramid,
    displays: dict[int, ChannelDisplay] | None,
    level: int,
    x: int,
    y: int,
    part: tuple[slice, slice],
) -> Image.Image:
    """Return a part of a block as a picture."""
    ranges, depth = channel_ranges(pyramid), depth_of_pyramid(pyramid)
    if displays is None:
        displays = {
            number: ChannelDisplay(color=channel.color)
            for number, channel in enumerate(_channels(pyramid, ()))
            if channel.is_visible
        }
    numbers = [number for number in displays if number < len(ranges)]
    arrays = [array[part] for array in pyramid.channels(level, x, y, numbers)]
    if not arrays:
        return Image.new("RGB", _size_of_part(pyramid, level, x, y, part))
    limits = []
    for number in numbers:
        low, high = _automatic(ranges[number], depth)
        display = displays[number]
        limits.append((low if display.low is None else display.low, high if display.high is None else display.high))
    return Image.fromarray(composite(arrays, [displays[number].color for number in numbers], limits))


def _size_of_part(pyramid: Pyramid, level: int, x: int, y: int, part: tuple[slice, slice]) -> tuple[int, int]:
    width, height = pyramid.size_at(level)
    rows = range(min(BLOCK_PX, height - y * BLOCK_PX))[part[0]]
    columns = range(min(BLOCK_PX, width - x * BLOCK_PX))[part[1]]
    return len(columns), len(rows)


def composite(arrays: Sequence[Array], colors: Sequence[str], limits: Sequence[tuple[float, float]]) -> Array:
    """Return the sum of channels in their colors, (height, width, 3) uint8.

    Args:
        arrays: the channels, each (height, width) uint8, uint16 or float32.
        colors: six hexadecimal digits each.
        limits: the intensities that are shown black and in the full color; values between are linear.
    """
    if arrays[0].dtype == np.uint8 and set(limits) == {(0.0, 255.0)} and list(colors) == list(_COLORS[:3]):
        return np.ascontiguousarray(np.stack(arrays, axis=-1))
    total = np.zeros((*arrays[0].shape, 3), np.float32)
    for array, color, (low, high) in zip(arrays, colors, limits, strict=True):
        levels = _levels(array, low, high)
        for k in range(3):
            if share := int(color[2 * k : 2 * k + 2], 16) / 255:
                total[..., k] += levels * np.float32(share)
    return np.asarray(np.rint(np.minimum(total, 255)), np.uint8)


def _levels(array: Array, low: float, high: float) -> Array:
    """Return intensities mapped to 0 to 255, float32."""
    spread = max(high - low, float(np.finfo(np.float32).tiny))

    def scaled(values: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.asarray(np.clip((values - np.float64(low)) / spread, 0, 1) * 255, np.float32)

    if array.dtype.kind == "u":  # a table of all values is faster
        table = scaled(np.arange(np.iinfo(array.dtype).max + 1))
        levels: Array = table[array]
        return levels
    return scaled(array)
