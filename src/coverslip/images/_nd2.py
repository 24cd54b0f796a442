"""Reader of Nikon ND2 files, by the package nd2. Every stage position is a series."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from coverslip.images.confining import open_image
from coverslip.images.reader import (
    Array,
    Decoded,
    OpenImage,
    Reader,
    Selection,
    Series,
    at_channels,
    check_size,
    damaged,
    starts,
)
from coverslip.messages import message, text

if TYPE_CHECKING:
    from nd2 import ND2File

_JULIAN_DAY_OF_1970 = 2440587.5
_PLANE_AXES = ("C", "Y", "X", "S")


class _Unmapped:
    """A binary file without a file descriptor, so that it is not mapped into memory.

    If a mapped file is truncated, the process is killed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:  # Any: a method of the file
        if name == "fileno":
            raise AttributeError(name)
        return getattr(self._file, name)


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    from nd2 import ND2File

    with open_image(path) as file:
        n_bytes = file.seek(0, 2)
        file.seek(0)
        with ND2File(_Unmapped(file)) as nd2:
            yield _Nd2Source(path, nd2, n_bytes)


class _Nd2Source:
    def __init__(self, path: Path, file: "ND2File", n_bytes: int) -> None:
        self._path, self._file, self._n_bytes = path, file, n_bytes
        self._sizes = dict(file.sizes)

    def describe(self) -> tuple[Series, ...]:
        sizes = {axis: int(size) for axis, size in self._sizes.items() if axis != "P"}
        sizes |= {axis: 1 for axis in "YX" if axis not in sizes}  # nd2 drops axes of length 1
        voxel = self._file.voxel_size()
        dtype = self._file.dtype
        names = self._file._position_names() if self._n_positions > 1 else [""]
        return tuple(
            Series(
                "".join(sizes),
                tuple(sizes.values()),
                (float(voxel.x), float(voxel.y)) if voxel.x > 0 and voxel.y > 0 else None,
                names[position] if position < len(names) else "",
                dtype=str(dtype),
                channels=self._channels,
                position_um=self._stage(position),
                acquired=self._acquired(position),
            )
            for position in range(self._n_positions)
        )

    @property
    def _n_positions(self) -> int:
        return int(self._sizes.get("P", 1))

    @property
    def _channels(self) -> tuple[str, ...]:
        names = tuple(map(str, self._file._channel_names))
        return names if len(names) == self._sizes.get("C", 1) and "S" not in self._sizes else ()

    @cached_property
    def _frames(self) -> dict[tuple[tuple[str, int], ...], int]:
        """The number of the frame of each position on the axes of stage, time, z and others.

        The order of the loops differs between files, so that it is taken from the file.
        """
        axes = [axis for axis in self._sizes if axis not in _PLANE_AXES]
        indices = self._file.loop_indices
        return {tuple((axis, each.get(axis, 0)) for axis in axes): number for number, each in enumerate(indices)}

    def _number(self, at: dict[str, int]) -> int:
        axes = [axis for axis in self._sizes if axis not in _PLANE_AXES]
        number = self._frames.get(tuple((axis, at.get(axis, 0)) for axis in axes))
        reader = self._file._rdr
        offset = None if number is None else reader._frame_offsets.get(number)
        # nd2 returns zeros for a frame that is missing or truncated.
        if number is None or offset is None:
            raise damaged(self._path, message("frame-missing", frame=str(at)))
        attributes = self._file.attributes
        n_bytes = 1 if attributes.compressionType else attributes.heightPx * (attributes.widthBytes or 0)
        if offset + n_bytes > self._n_bytes:
            raise damaged(self._path, message("frame-missing", frame=str(at)))
        return number

    def _stage(self, position: int) -> tuple[float, ...] | None:
        frame = self._first_frame(position)
        if frame is None:
            return None
        where = frame.channels[0].position.stagePositionUm
        return tuple(float(each) for each in where)

    def _acquired(self, position: int) -> str | None:
        frame = self._first_frame(position)
        days = frame.channels[0].time.absoluteJulianDayNumber - _JULIAN_DAY_OF_1970 if frame else 0.0
        if not 0 < days < 1e5:
            return None
        return (datetime.fromtimestamp(0, UTC) + timedelta(days=days)).isoformat(timespec="seconds")

    def _first_frame(self, position: int) -> "FrameMetadata | None":
        from nd2.structures import FrameMetadata

        try:
            frame = self._file.frame_metadata(self._number({"P": position}))
        except Exception:  # noqa: BLE001 - metadata of older files have other shapes; pixels are read without them
            return None
        return frame if isinstance(frame, FrameMetadata) and frame.channels else None

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        attributes = self._file.attributes
        n_components = int(attributes.componentCount)
        item = self._file.dtype.itemsize
        check_size(
            self._path, attributes.widthPx or 0, attributes.heightPx, max_bytes, bytes_per_pixel=n_components * item
        )
        frame = self._file.read_frame(self._number({"P": selection.series, **selection.at}))
        array = self._upright(np.asarray(frame))[selection.window.of_array]
        depth = attributes.bitsPerComponentSignificant or 8 * item
        return Decoded(at_channels(array, selection.channels), int(depth))

    def _upright(self, frame: Array) -> Array:
        """Return (H, W, C) of a frame, whose axes of length 1 nd2 drops."""
        height, width = self._file.attributes.heightPx, self._file.attributes.widthPx or 1
        n_channels, n_samples = self._file.attributes.channelCount or 1, self._file.components_per_channel
        planes = frame.reshape(n_channels, height, width, n_samples)
        return planes.transpose(1, 2, 0, 3).reshape(height, width, -1)


if TYPE_CHECKING:
    from nd2.structures import FrameMetadata

ND2 = Reader(
    name="ND2",
    title="Nikon ND2",
    suffixes=(".nd2",),
    is_this=starts(b"\xda\xce\xbe\x0a"),
    open=_open,
    package="nd2",
    export=lambda: text("export-nd2"),
)
