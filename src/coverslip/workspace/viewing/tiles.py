"""Tiles of images for the viewer, from pyramids of pixels: channels with colors and contrast limits."""

import io
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import ConfigDict, Field, model_validator

from coverslip.cache.stores import Kind, MemoryCache, RecordStore
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import NotFound, UnreadableImage
from coverslip.images.composites import channel_colors, composite, first_visible
from coverslip.images.decoding import describe_image
from coverslip.images.preprocessing import channel_order, intensity_range, normalized_names, resized
from coverslip.images.reader import MAX_BYTES, ReadPlan, Series
from coverslip.images.reading import LONGEST_CHANNEL_NAME, channel_numbers, crop_of
from coverslip.machine import n_cores
from coverslip.runs.progress import Work
from coverslip.workspace.store.rows import AnyRow, dataset_row
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import ImageList, PictureSource
from coverslip.workspace.viewing.pictures import encode, picture_threads

# Pyramids: blocks of pixels at dyadic levels, read from the file or computed once.
#
# Level 0 has the full resolution, and each further level half the width and height. The last level fits into one block.
# Blocks are read from the level of the file with the nearest finer resolution, of which only that part is decoded.
# Where the file has no such level, they are computed from the blocks of the next finer level, and stored in the cache
# folder. An image without levels that fits into memory is decoded once, as a whole.

Array = np.ndarray[Any, np.dtype[Any]]  # Any: shape and dtype are said in each docstring

BLOCK_PX = 1024
TILES = Kind("app-tiles", bound_bytes=4 * 10**9)
_VERSION = 2  # increases when blocks of the same image change
_MEMORY_BYTES = 256 * 2**20  # of blocks and whole planes in the memory of the server
_MOST_RATIO = 4  # between a level and the level of the file from which it is read
_TOGETHER = 4  # channels that are read together; of images with more, each is read alone
_LEVEL_TOLERANCE = 1.02  # of the ratio between two levels, which round their sizes
_PLAIN_DEPTHS = ("uint8", "uint16")
_SOON_S = 1.0  # of work that needs no progress

ViewedZ = Annotated[int, Field(ge=0, le=1_000_000)] | Literal["max", "mean", "best-focus"]


@dataclass(frozen=True, slots=True)
class Plane:
    """The series, time point and z-plane that are shown; None: those of the image."""

    series: int | None = None
    t: int | None = None
    z: ViewedZ | None = None


@dataclass(frozen=True, slots=True)
class ChannelRange:
    """The intensities of a channel."""

    low: float  # 0.1 percentile of an overview of the image
    high: float  # 99.9 percentile
    least: float  # least value of the overview
    most: float


def _n_bytes(value: object) -> int:
    return value.nbytes if isinstance(value, np.ndarray) else 2_000


MEMORY = MemoryCache[Any](_MEMORY_BYTES, _n_bytes)  # Any: blocks, planes, and facts of an image


@dataclass(frozen=True)
class Pyramid:
    """The levels of one plane of an image. Equal pyramids have equal pixels."""

    workspace: Workspace = field(compare=False, repr=False)
    owner: str  # the dataset or job, whose cache contains the computed blocks
    path: Path  # real
    plan: ReadPlan  # of all channels, at level 0
    version: str
    series: Series = field(compare=False, repr=False)
    series_names: tuple[str, ...] = field(compare=False)  # of all series of the file
    chosen_channels: tuple[int, ...] | None = field(compare=False)  # of the image's plan; None: all

    @property
    def size(self) -> tuple[int, int]:
        """The width and height of level 0."""
        return self.series.sizes[0] if self.plan.region is None else self.plan.region[2:]

    @property
    def n_levels(self) -> int:
        """The number of levels; the last fits into a block."""
        return 1 + max(0, math.ceil(math.log2(max(self.size) / BLOCK_PX)))

    def size_at(self, level: int) -> tuple[int, int]:
        """The width and height of a level."""
        width, height = self.size
        return -(-width // 2**level), -(-height // 2**level)

    @property
    def pixel_size_um(self) -> tuple[float, float] | None:
        """The width and height of a pixel of level 0; None: unknown."""
        if self.plan.pixel_size_um is not None:
            return self.plan.pixel_size_um, self.plan.pixel_size_um
        return self.series.pixel_size_at(0)

    @cached_property
    def layers(self) -> tuple[tuple[int, ...] | None, ...]:
        """The channels that are read together, as in a plan."""
        is_joined = "S" in self.series.channel_axes or self.plan.z == "channels" or bool(self.plan.other_files)
        if is_joined or self.series.n_channels <= _TOGETHER:
            return (None,)
        return tuple((channel,) for channel in range(self.series.n_channels))

    def channels(self, level: int, x: int, y: int, numbers: Sequence[int]) -> list[Array]:
        """Return some channels of the block in column `x` and row `y` of a level, each (height, width)."""
        if self.layers == (None,):
            block = self.block(None, level, x, y)
            return [block[..., number] for number in numbers if number < block.shape[2]]
        return [self.block((number,), level, x, y)[..., 0] for number in numbers if number < len(self.layers)]

    def block(self, layer: tuple[int, ...] | None, level: int, x: int, y: int) -> Array:
        """Return the pixels of a block, (height, width, channels).

        Raises:
            UnreadableImage: they cannot be read.
            CoverslipError: the file is outside the readable folders or does not exist.
        """
        block: Array = MEMORY.get((self, layer, level, x, y), lambda: self._make(layer, level, x, y))
        return block

    def stored_levels(self) -> range:
        """Return the levels that are computed from finer ones and stored."""
        first = next((level for level in range(1, self.n_levels) if self._is_derived(level)), self.n_levels)
        return range(first, self.n_levels)

    def has_overview(self) -> bool:
        """Return whether the last level can be shown at once."""
        if not self.stored_levels() or self._is_whole(self.layers[0]):
            return True
        with self._store() as store:
            return bool(store.find([self._key(self.layers[0], self.n_levels - 1, 0, 0)]))

    def prepare(self, must_end: threading.Event, report: Callable[[int, int], None]) -> None:
        """Compute the stored levels, on all cores. `report` gets the number of finished and all blocks."""
        levels = self.stored_levels()
        if not levels:
            return
        width, height = self.size_at(levels[0])
        numbers = [(x, y) for y in range(-(-height // BLOCK_PX)) for x in range(-(-width // BLOCK_PX))]
        n_done = 0
        with ThreadPoolExecutor(n_cores(), thread_name_prefix="tiles") as threads:

            def make(number: tuple[int, int]) -> None:
                if not must_end.is_set():
                    self.block(self.layers[0], levels[0], *number)

            for _ in threads.map(make, numbers):
                n_done += 1
                report(n_done, len(numbers))
        if not must_end.is_set():
            self.block(self.layers[0], self.n_levels - 1, 0, 0)

    def _make(self, layer: tuple[int, ...] | None, level: int, x: int, y: int) -> Array:
        if not self._is_derived(level):
            return self._part_of_whole(layer, x, y) if self._is_whole(layer) else self._read(layer, level, x, y)
        key = self._key(layer, level, x, y)
        with self._store() as store:
            if (stored := store.find([key]).get(key)) is not None:
                block: Array = np.load(io.BytesIO(stored), allow_pickle=False)
                return block
        block = self._halved(layer, level, x, y)
        buffer = io.BytesIO()
        np.save(buffer, block, allow_pickle=False)
        with self._store() as store:
            store.keep({key: buffer.getvalue()})
        return block

    def _is_derived(self, level: int) -> bool:
        if level == 0:
            return False
        if self._is_whole(self.layers[0]):
            return True
        return self._file_level(level)[1] > _MOST_RATIO

    def _is_whole(self, layer: tuple[int, ...] | None) -> bool:
        """Return whether the plane is decoded as a whole, and its levels are computed from it."""
        plan, series = self.plan, self.series
        if plan.region is not None or plan.other_files or plan.z == "best-focus":
            return True
        n_channels = series.n_channels if layer is None else len(layer)
        n_planes = series.n_planes if plan.z == "channels" else 1
        n_bytes = math.prod(self.size) * n_channels * n_planes * np.dtype(series.dtype or np.uint8).itemsize
        return n_bytes <= MAX_BYTES and (len(series.sizes) == 1 or series.dtype not in _PLAIN_DEPTHS)

    def _file_level(self, level: int) -> tuple[int, float]:
        """Return the level of the file from which a level is read, and the ratio of their resolutions."""
        sizes, scale = self.series.sizes, 2**level
        factors = [sizes[0][0] / width for width, _ in sizes]
        fitting = [number for number, factor in enumerate(factors) if factor <= scale * _LEVEL_TOLERANCE]
        best = max(fitting, key=lambda number: factors[number])
        return best, scale / factors[best]

    def _part_of_whole(self, layer: tuple[int, ...] | None, x: int, y: int) -> Array:
        plan = self.plan.model_copy(update={"channels": layer})
        if self.n_levels == 1:
            return self._pixels(plan)
        plane: Array = MEMORY.get((self, layer), lambda: self._pixels(plan))
        # A copy, because a view would keep the whole plane in memory.
        return plane[y * BLOCK_PX : (y + 1) * BLOCK_PX, x * BLOCK_PX : (x + 1) * BLOCK_PX].copy()

    def _read(self, layer: tuple[int, ...] | None, level: int, x: int, y: int) -> Array:
        """Read a block from the nearest finer level of the file."""
        number, _ = self._file_level(level)
        size, (file_width, file_height) = self.size_at(level), self.series.sizes[number]
        left, top = x * BLOCK_PX, y * BLOCK_PX
        right, bottom = min(left + BLOCK_PX, size[0]), min(top + BLOCK_PX, size[1])
        is_equal = abs(size[0] - file_width) <= 1 and abs(size[1] - file_height) <= 1
        scales = (1.0, 1.0) if is_equal else (file_width / size[0], file_height / size[1])
        box = left * scales[0], top * scales[1], right * scales[0], bottom * scales[1]
        first = math.floor(box[0]), math.floor(box[1])
        last = min(file_width, math.ceil(box[2])), min(file_height, math.ceil(box[3]))
        region = self._at_level_0((*first, last[0] - first[0], last[1] - first[1]), number)
        array = self._pixels(self.plan.model_copy(update={"channels": layer, "level": number, "region": region}))
        if is_equal:
            return _padded(array, right - left, bottom - top)
        inside = (box[0] - first[0], box[1] - first[1], box[2] - first[0], box[3] - first[1])
        return _as_dtype(resized(array, right - left, bottom - top, _within(inside, array)), array.dtype)

    def _at_level_0(self, region: tuple[int, int, int, int], number: int) -> tuple[int, int, int, int]:
        """Return the region of level 0 whose part in a level of the file is this one."""
        (width, height), (level_width, level_height) = self.series.sizes[0], self.series.sizes[number]
        x_scale, y_scale = width / level_width, height / level_height
        x, y, w, h = region
        return round(x * x_scale), round(y * y_scale), round(w * x_scale), round(h * y_scale)

    def _halved(self, layer: tuple[int, ...] | None, level: int, x: int, y: int) -> Array:
        """Compute a block from those of the next finer level."""
        width, height = self.size_at(level)
        width, height = min(BLOCK_PX, width - x * BLOCK_PX), min(BLOCK_PX, height - y * BLOCK_PX)
        finer_width, finer_height = self.size_at(level - 1)
        block: Array | None = None
        half = BLOCK_PX // 2
        for row in range(2):
            for column in range(2):
                finer_x, finer_y = 2 * x + column, 2 * y + row
                if finer_x * BLOCK_PX >= finer_width or finer_y * BLOCK_PX >= finer_height:
                    continue
                part = _half(self.block(layer, level - 1, finer_x, finer_y))
                if block is None:
                    block = np.empty((height, width, part.shape[2]), part.dtype)
                top, left = row * half, column * half
                block[top : top + part.shape[0], left : left + part.shape[1]] = part
        assert block is not None  # every block has pixels of the finer level
        return block

    def _pixels(self, plan: ReadPlan) -> Array:
        """Return decoded pixels. The thread pool limits the number of images in memory."""
        pixels = picture_threads().submit(lambda: self.workspace.read_image(self.path, plan)).result()
        return pixels.array

    def _store(self) -> RecordStore:
        return RecordStore(TILES, self.owner)

    def _key(self, layer: tuple[int, ...] | None, level: int, x: int, y: int) -> str:
        return f"{_VERSION} {self.version} {self.path} {self.plan.as_json()} {layer} {level} {x} {y}"


def open_pyramid(workspace: Workspace, owner: str, source: PictureSource, plane: Plane) -> Pyramid:
    """Return the pyramid of a plane of an image.

    Args:
        workspace: the workspace.
        owner: the dataset or job of the image.
        source: the image.
        plane: the series, time point and z-plane.

    Raises:
        UnreadableImage: the file cannot be described, or has no such series, time point or z-plane.
        CoverslipError: the file is outside the readable folders or does not exist.
    """
    path, plan = workspace.allowed_image(source.path, source.plan)
    series: tuple[Series, ...] = MEMORY.get(
        (path, source.version), lambda: describe_image(path, within=workspace.readable)
    )
    changes = {name: getattr(plane, name) for name in ("series", "t", "z") if getattr(plane, name) is not None}
    if changes.get("series", plan.series) != plan.series:
        changes = {"t": 0, "z": 0, "region": None, "crop_size": None, "crop_margin": 0.0, **changes}
    of_plane = plan.model_copy(update={**changes, "level": 0, "channels": None})
    if of_plane.series >= len(series):
        raise UnreadableImage("no-such-series", file=path, series=of_plane.series, n_series=len(series))
    shown = series[of_plane.series]
    if of_plane.t >= shown.size("T"):
        raise UnreadableImage("no-such-time", file=path, t=of_plane.t, n_times=shown.size("T"))
    if isinstance(of_plane.z, int) and of_plane.z >= shown.n_z:
        raise UnreadableImage("no-such-plane", file=path, plane=str(of_plane.z), n_planes=shown.n_z)
    region = crop_of(path, of_plane, shown)
    of_plane = of_plane.model_copy(update={"region": region, "crop_size": None, "crop_margin": 0.0})
    numbers = channel_numbers(path, plan.channels, shown.channels) if of_plane.series == plan.series else None
    return Pyramid(
        workspace, owner, path, of_plane, source.version, shown, tuple(each.name for each in series), numbers
    )


def channel_ranges(pyramid: Pyramid) -> tuple[ChannelRange, ...]:
    """Return the intensities of each channel, in the last level.

    Raises:
        UnreadableImage, CoverslipError: as `Pyramid.block`.
    """
    ranges: tuple[ChannelRange, ...] = MEMORY.get((pyramid, "ranges"), lambda: _ranges(pyramid))
    return ranges


def _ranges(pyramid: Pyramid) -> tuple[ChannelRange, ...]:
    ranges = []
    for layer in pyramid.layers:
        overview = pyramid.block(layer, pyramid.n_levels - 1, 0, 0)
        lows, highs = intensity_range(overview)
        for channel, (low, high) in enumerate(zip(lows, highs, strict=True)):
            values = overview[..., channel]
            ranges.append(ChannelRange(low, high, float(values.min()), float(values.max())))
    return tuple(ranges)


def depth_of_pyramid(pyramid: Pyramid) -> np.dtype[Any]:
    """Return the dtype of the pixels."""
    return pyramid.block(pyramid.layers[0], pyramid.n_levels - 1, 0, 0).dtype


_preparations: dict[Pyramid, Work | Exception] = {}


def preparation_of(pyramid: Pyramid) -> Work | None:
    """Return the progress of the levels that are being computed; None if the image can be shown.

    They are computed in the background, where the file has no levels and is too large to be decoded as a whole.

    Raises:
        UnreadableImage, CoverslipError: as `Pyramid.block`.
    """
    if pyramid.has_overview():
        _preparations.pop(pyramid, None)
        return None
    state = _preparations.get(pyramid)
    if isinstance(state, Exception):
        del _preparations[pyramid]
        raise state
    if state is None:
        _preparations[pyramid] = state = Work(done=0, total=1)
    pyramid.workspace.background.start(f"tiles of {pyramid.path} {pyramid.plan.as_json()}", _work(pyramid))
    return state


def _work(pyramid: Pyramid) -> Callable[[threading.Event], None]:
    def work(must_end: threading.Event) -> None:
        start = time.monotonic()

        def report(n_done: int, n_blocks: int) -> None:
            seconds = time.monotonic() - start
            left = seconds / n_done * (n_blocks - n_done) if seconds > _SOON_S else None
            _preparations[pyramid] = Work(done=n_done, total=n_blocks, seconds_left=left)

        try:
            pyramid.prepare(must_end, report)
        except Exception as error:  # noqa: BLE001 - raised in the next request
            _preparations[pyramid] = error

    return work


def _half(array: Array) -> Array:
    """Return the mean of each 2 × 2 pixels of (height, width, channels), in its dtype."""
    array = np.pad(array, ((0, array.shape[0] % 2), (0, array.shape[1] % 2), (0, 0)), mode="edge")
    if array.dtype.kind == "f":
        total = array[::2, ::2] / 4 + array[1::2, ::2] / 4 + array[::2, 1::2] / 4 + array[1::2, 1::2] / 4
        return np.asarray(total, array.dtype)
    total = array[::2, ::2].astype(np.uint32) + array[1::2, ::2] + array[::2, 1::2] + array[1::2, 1::2]
    return np.asarray((total + 2) >> 2, array.dtype)


def _padded(array: Array, width: int, height: int) -> Array:
    """Return the array with its last row and column repeated, where a level of the file is a pixel smaller."""
    rows, columns = height - array.shape[0], width - array.shape[1]
    return np.pad(array, ((0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else array


def _within(box: tuple[float, float, float, float], array: Array) -> tuple[float, float, float, float]:
    height, width = array.shape[:2]
    return max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3])


def _as_dtype(array: Array, dtype: np.dtype[Any]) -> Array:
    return np.rint(array).astype(dtype) if dtype.kind == "u" and array.dtype != dtype else array


# Tiles: channels with colors and contrast limits, added up as in Fiji and napari.

TILE_PX = 512
_TILES_PER_BLOCK = BLOCK_PX // TILE_PX
_QUALITY = 90
_MARGIN = 0.25  # of the sliders beyond the values of an overview, which averages pixels

Color = Annotated[str, Field(pattern=r"^[0-9a-f]{6}$", description="Red, green and blue as hexadecimal digits.")]
Limit = Annotated[float, Field(allow_inf_nan=False, ge=-1e38, le=1e38)]


class ChannelDisplay(DocumentedModel):
    """How a channel is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(max_length=LONGEST_CHANNEL_NAME)]
    """The name in the files; empty: none. Images whose channels have other names are shown automatically."""
    color: Color
    low: Limit | None = None
    """Intensity shown black; null: automatic, for each image."""
    high: Limit | None = None
    """Intensity shown in the full color; null: automatic."""
    is_visible: bool = True

    @model_validator(mode="after")
    def _check_limits(self) -> "ChannelDisplay":
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be less than high")
        return self


@dataclass(frozen=True, slots=True)
class ViewedChannel(DocumentedFields):
    """A channel of an image, and how it is shown."""

    name: str
    """The name in the file; empty: none."""
    color: Color
    low: float
    """Intensity shown black."""
    high: float
    """Intensity shown in the full color."""
    is_visible: bool
    automatic_low: float
    """0 for 8 bit, else the 0.1 percentile of the image."""
    automatic_high: float
    """255 for 8 bit, else the 99.9 percentile of the image."""
    least: float
    """Lower end of sliders."""
    most: float
    """Upper end of sliders."""


@dataclass(frozen=True, slots=True)
class TiledImage(DocumentedFields):
    """An image for the viewer."""

    width: int
    height: int
    tile_px: int
    """Side of a tile in pixels; those at the right and bottom are smaller."""
    n_levels: int
    """Level 0 has the full resolution, each further level half of it."""
    pixel_size_um: list[float] | None
    """Width and height of a pixel in µm; null: unknown."""
    series: int
    """Of the file, from 0."""
    t: int
    """Time point, from 0."""
    z: ViewedZ | None
    """z-plane from 0, or the projection; null: z-planes are channels."""
    series_names: list[str]
    """The name of each series of the file; empty: none."""
    n_t: int
    n_z: int
    is_color: bool
    """Whether the channels are red, green and blue."""
    channels: list[ViewedChannel]
    """The channels in the order of the file."""
    preparation: Work | None
    """Progress of the levels that are computed before the image can be shown; null: it can."""


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
        displays[int(number)] = ChannelDisplay.model_construct(name="", color=color, low=low, high=high)
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
    return _encoded(pyramid, picture)


def overview(
    workspace: Workspace,
    owner: str,
    source: PictureSource,
    plane: Plane,
    displays: dict[int, ChannelDisplay] | Sequence[ChannelDisplay],
    side: int,
) -> bytes:
    """Return the whole image as JPEG or PNG, as `tile`, whose longer side is at most `side`.

    Args:
        workspace, owner, source, plane: as for `describe_tiles`.
        displays: the visible channels by their numbers, or those that were stored for all images.
        side: in pixels.

    Raises:
        UnreadableImage, CoverslipError: as `describe_tiles`.
    """
    pyramid = open_pyramid(workspace, owner, source, plane)
    level = next((level for level in reversed(range(pyramid.n_levels)) if max(pyramid.size_at(level)) >= side), 0)
    if not isinstance(displays, dict):
        displays = _shown(pyramid, displays)
    width, height = pyramid.size_at(level)
    picture = Image.new("RGB", (width, height))
    for y in range(-(-height // BLOCK_PX)):
        for x in range(-(-width // BLOCK_PX)):
            block = _rendered(pyramid, displays, level, x, y, (slice(None), slice(None)))
            picture.paste(block, (x * BLOCK_PX, y * BLOCK_PX))
    picture.thumbnail((side, side), Image.Resampling.BILINEAR)
    return _encoded(pyramid, picture)


def _encoded(pyramid: Pyramid, picture: Image.Image) -> bytes:
    if pyramid.n_levels > 1:
        return encode(picture, _QUALITY)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _part_of_block(x: int, y: int) -> tuple[slice, slice]:
    top, left = (y % _TILES_PER_BLOCK) * TILE_PX, (x % _TILES_PER_BLOCK) * TILE_PX
    return slice(top, top + TILE_PX), slice(left, left + TILE_PX)


def _channels(pyramid: Pyramid, stored: Sequence[ChannelDisplay]) -> list[ViewedChannel]:
    ranges, depth = channel_ranges(pyramid), depth_of_pyramid(pyramid)
    names = tuple(name[:LONGEST_CHANNEL_NAME] for name in pyramid.series.channels)
    names = names if len(names) == len(ranges) else ("",) * len(ranges)
    colors = channel_colors(names)
    visible = pyramid.chosen_channels or first_visible(names)
    displays = _of_names(stored, names)
    channels = []
    for number, (name, color, values) in enumerate(zip(names, colors, ranges, strict=True)):
        low, high = _automatic(values, depth)
        least, most = _slider(values, depth)
        automatic = ChannelDisplay(name=name, color=color, is_visible=number in visible)
        display = displays[number] if displays else automatic
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


def _of_names(stored: Sequence[ChannelDisplay], names: Sequence[str]) -> Sequence[ChannelDisplay]:
    """Return the stored displays in the order of these channels; nothing if they are of channels with other names."""
    stored_names = [display.name for display in stored]
    if normalized_names(stored_names) == normalized_names(names):
        return stored
    order = channel_order(stored_names, [names])
    return () if order is None else [stored[k] for k in order]


def _shown(pyramid: Pyramid, stored: Sequence[ChannelDisplay]) -> dict[int, ChannelDisplay]:
    """Return the visible channels by their numbers."""
    return {
        number: ChannelDisplay(name=channel.name, color=channel.color, low=channel.low, high=channel.high)
        for number, channel in enumerate(_channels(pyramid, stored))
        if channel.is_visible
    }


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
        displays = _shown(pyramid, ())
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
