"""Reader of OME-Zarr folders (NGFF 0.4 and 0.5, with Zarr 2 and 3), whose chunks the package zarr decodes.

A folder is an image with its resolution levels, a plate of images, or a collection as bioformats2raw writes it. Every
image is a series.

Source: Moore et al. 2023, OME-Zarr; specifications https://ngff.openmicroscopy.org/0.4 and /0.5.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images.confining import confining_roots, open_image
from coverslip.images.reader import (
    UM_PER_UNIT,
    Array,
    Decoded,
    OpenImage,
    Reader,
    Selection,
    Series,
    check_size,
    damaged,
)
from coverslip.messages import message, text

if TYPE_CHECKING:
    import zarr

Json = dict[str, Any]  # Any: JSON values
_MARKS = ("zarr.json", ".zattrs", ".zgroup", ".zarray")
_MAX_METADATA_BYTES = 16 * 2**20
_MAX_IMAGES = 10_000
_DEFAULT_AXES = "tczyx"  # before version 0.3


def is_zarr(folder: Path) -> bool:
    """Return whether a folder has the metadata of a Zarr group or array; a folder that may not be read has none."""
    try:
        return any((folder / mark).is_file() for mark in _MARKS)
    except PermissionError:
        return False


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    yield ZarrSource(path)


@dataclass(frozen=True)
class _Image:
    """One multiscale image; `folder` is below that of the source."""

    name: str
    folder: PurePosixPath
    metadata: Json

    @property
    def axes(self) -> str:
        """A letter for each axis."""
        names = [axis["name"] if isinstance(axis, dict) else axis for axis in self.metadata.get("axes", _DEFAULT_AXES)]
        axes = ""
        for name in map(str, names):
            axes += next(letter for letter in f"{name[0].upper()}QIJKUVWDG" if letter not in axes)
        return axes

    @property
    def levels(self) -> list[PurePosixPath]:
        """The folders of the arrays, full resolution first."""
        return [self.folder / _below(level["path"]) for level in self.metadata["datasets"]]

    @property
    def scale(self) -> dict[str, float]:
        """The size of a voxel in µm along each axis that declares a unit of length."""
        steps = np.ones(len(self.axes))
        for holder in (self.metadata, self.metadata["datasets"][0]):
            for change in holder.get("coordinateTransformations", ()):
                if change.get("type") == "scale" and "scale" in change:
                    steps = steps * np.asarray(change["scale"], float)
        units = [
            axis.get("unit") if isinstance(axis, dict) else None for axis in self.metadata.get("axes", _DEFAULT_AXES)
        ]
        return {
            axis: float(step) * UM_PER_UNIT[str(unit)]
            for axis, step, unit in zip(self.axes, steps, units, strict=True)
            if str(unit) in UM_PER_UNIT
        }


class ZarrSource:
    """An OME-Zarr folder.

    Args:
        path: the folder.
        is_sparse: whether missing chunks consist of the fill value, as in label images; otherwise they are damage.
    """

    def __init__(self, path: Path, *, is_sparse: bool = False) -> None:
        self._path, self._is_sparse = path, is_sparse

    @cached_property
    def _images(self) -> list[_Image]:
        try:
            return self._find_images()
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise damaged(self._path, message("zarr-metadata", reason=str(error))) from error

    def _find_images(self) -> list[_Image]:
        attributes = self.attributes(PurePosixPath())
        if "plate" in attributes:
            fields = [
                well / _below(image["path"])
                for well in (_below(each["path"]) for each in attributes["plate"]["wells"][:_MAX_IMAGES])
                for image in self.attributes(well)["well"]["images"][:_MAX_IMAGES]
            ]
        elif "bioformats2raw.layout" in attributes:
            names = self.attributes(PurePosixPath("OME")).get("series")
            fields = [_below(name) for name in names] if names else list(self._numbered())
        else:
            fields = [PurePosixPath()]
        images = [
            _Image(str(metadata.get("name") or ("" if len(fields) == 1 else field)), field, metadata)
            for field in fields[:_MAX_IMAGES]
            for metadata in self._multiscales(field)
        ]
        if not images:
            raise ValueError("multiscales")
        return images

    def _multiscales(self, field: PurePosixPath) -> list[Json]:
        if not is_zarr(self._path / field):
            raise ValueError(str(field))
        attributes = self.attributes(field)
        if "multiscales" not in attributes:
            raise UnreadableImage("zarr-without-multiscales", file=self._path)
        multiscales: list[Json] = attributes["multiscales"]
        return multiscales

    def _numbered(self) -> Iterator[PurePosixPath]:
        for number in range(_MAX_IMAGES):
            if not is_zarr(self._path / str(number)):
                return
            yield PurePosixPath(str(number))

    def attributes(self, folder: PurePosixPath) -> Json:
        """Return the attributes of a group: of version 0.5 those below `ome`."""
        document = self._read(folder / "zarr.json")
        if document is not None:
            attributes: Json = document.get("attributes", {})
            ome: Json = attributes.get("ome", attributes)
            return ome
        return self._read(folder / ".zattrs") or {}

    def _read(self, name: PurePosixPath) -> Json | None:
        file = self._path / name
        try:
            with open_image(file) as opened:
                data = opened.read(_MAX_METADATA_BYTES + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(data) > _MAX_METADATA_BYTES:
            raise ValueError(name.name)
        document = json.loads(data)
        if not isinstance(document, dict):
            raise TypeError(name.name)
        return document

    def describe(self) -> tuple[Series, ...]:
        return tuple(map(self._describe, self._images))

    def label_folders(self) -> list[tuple[int, PurePosixPath]]:
        """Return the series and the folder of each label image that the group `labels` of an image lists.

        Raises:
            UnreadableImage: the metadata are damaged.
        """
        groups = [(series, image.folder / "labels") for series, image in enumerate(self._images)]
        try:
            return [
                (series, group / _below(name))
                for series, group in groups
                for name in self.attributes(group).get("labels", ())
            ]
        except (TypeError, ValueError) as error:
            raise damaged(self._path, message("zarr-metadata", reason=str(error))) from error

    def _describe(self, image: _Image) -> Series:
        arrays = [self._array(level) for level in image.levels]
        if any(len(array.shape) != len(image.axes) for array in arrays):
            raise damaged(self._path, message("zarr-metadata", reason="axes"))
        scale = image.scale
        series = Series(image.axes, tuple(map(int, arrays[0].shape)))
        row, column = series.plane_axes
        sizes = [
            (int(array.shape[image.axes.index(column)]), int(array.shape[image.axes.index(row)])) for array in arrays
        ]
        omero: Mapping[str, Any] = self.attributes(image.folder).get("omero", {})
        names = [str(channel.get("label") or "") for channel in omero.get("channels", ())]
        return Series(
            series.axes,
            series.shape,
            (scale[column], scale[row]) if {row, column} <= scale.keys() and min(scale.values()) > 0 else None,
            image.name,
            dtype=np.dtype(arrays[0].dtype).name,
            channels=tuple(names) if len(names) == series.n_channels and all(names) else (),
            levels=tuple(sizes) if len(sizes) > 1 else (),
        )

    def _array(self, folder: PurePosixPath) -> "zarr.Array[Any]":
        import zarr

        from coverslip.images._zarr_store import ChunkStore

        store = ChunkStore(self._path, confining_roots(), is_sparse=self._is_sparse)
        try:
            array = zarr.open_array(store, path=str(folder), mode="r")
        except FileNotFoundError as error:
            raise damaged(self._path, message("zarr-metadata", reason=str(folder))) from error
        if np.dtype(array.dtype).kind not in "uifb":
            raise UnreadableImage("tiff-pixel-type", file=self._path, dtype=str(array.dtype))
        return array

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        image = self._images[selection.series]
        array, full = self._array(image.levels[selection.level]), self._array(image.levels[0])
        if prod(array.chunks) * array.dtype.itemsize > max_bytes:
            raise damaged(self._path, message("zarr-chunk-too-large"))
        series = Series(image.axes, tuple(map(int, array.shape)))
        check_size(self._path, selection.window.width, selection.window.height, max_bytes)
        row, column = series.plane_axes
        rows, columns = selection.window.of_array
        at: dict[str, int | slice] = {row: rows, column: columns}
        for axis, position in selection.at.items():
            k = image.axes.index(axis)  # coarser levels can have fewer z-planes, too
            at[axis] = position * int(array.shape[k]) // int(full.shape[k])
        pixels = self._pixels(array, series, at, selection.channels)
        if pixels.dtype == bool:
            return Decoded(pixels.astype(np.uint8) * 255, 1)
        return Decoded(pixels, 8 * pixels.dtype.itemsize)

    def _pixels(
        self,
        array: "zarr.Array[Any]",
        series: Series,
        at: Mapping[str, int | slice],
        channels: tuple[int, ...] | None,
    ) -> Array:
        row, column = series.plane_axes
        remaining = "".join(axis for axis in series.axes if axis in series.channel_axes + row + column)
        order = [remaining.index(axis) for axis in (row, column, *series.channel_axes)]

        def read(at: Mapping[str, int | slice]) -> Array:
            return np.asarray(array[tuple(at.get(axis, slice(None)) for axis in series.axes)])

        if channels is None or len(series.channel_axes) != 1:
            pixels = read(at).transpose(order)
            pixels = pixels.reshape(*pixels.shape[:2], -1)
            return pixels if channels is None else pixels[..., list(channels)]
        axis = series.channel_axes
        planes = [read({**at, axis: channel}) for channel in channels]
        inner = remaining.replace(axis, "")
        return np.stack([each.transpose([inner.index(row), inner.index(column)]) for each in planes], axis=2)


def _below(name: object) -> PurePosixPath:
    """Return the path of a folder inside a group.

    Raises:
        ValueError: it leads out of the group.
    """
    path = PurePosixPath(str(name))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(str(name))
    return path


OME_ZARR = Reader(
    name="OME-Zarr",
    title="OME-Zarr",
    suffixes=(".zarr",),
    is_this=lambda head: False,
    is_this_folder=is_zarr,
    open=_open,
    package="zarr",
    export=lambda: text("export-from-fiji"),
)
