"""Reader of Zeiss CZI files, by the package czifile. Every scene is a series; tiles of a mosaic are one plane.

The coarser levels of a pyramid are not offered.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.images.confining import open_image
from coverslip.images.reader import Decoded, OpenImage, Reader, Selection, Series, starts
from coverslip.messages import text

if TYPE_CHECKING:
    from czifile import CziFile, CziImage


_UM_PER_METER = 1e6


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    from czifile import CziFile

    with open_image(path) as file, CziFile(file) as czi:
        yield _CziSource(czi)


class _CziSource:
    def __init__(self, file: "CziFile") -> None:
        self._scenes = list(file.scenes.values())
        self._metadata = file.xml_element

    def describe(self) -> tuple[Series, ...]:
        return tuple(map(self._describe, self._scenes))

    def _describe(self, image: "CziImage") -> Series:
        sizes = {axis: int(size) for axis, size in image.sizes.items()}
        sizes |= {axis: 1 for axis in "YX" if axis not in sizes}
        names = tuple(image.channels)
        return Series(
            "".join(sizes),
            tuple(sizes.values()),
            self._pixel_size,
            image.name if len(self._scenes) > 1 else "",
            dtype=str(image.dtype),
            channels=names if len(names) == sizes.get("C", 1) and "S" not in sizes else (),
            acquired=self._text(".//AcquisitionDateAndTime") or None,
        )

    @property
    def _pixel_size(self) -> tuple[float, float] | None:
        meters = [self._text(f".//Scaling/Items/Distance[@Id='{axis}']/Value") for axis in "XY"]
        try:
            width, height = (_UM_PER_METER * float(each) for each in meters)
        except ValueError:
            return None
        return (width, height) if min(width, height) > 0 else None

    def _text(self, path: str) -> str:
        return "" if self._metadata is None else str(self._metadata.findtext(path) or "")

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        image = self._scenes[selection.series]
        starts_at = dict(zip(image.dims, image.start, strict=True))
        x, y, _, _ = image.bbox
        window = selection.window
        region = (x + window.left, y + window.top, window.width, window.height)
        at = {axis: starts_at[axis] + position for axis, position in selection.at.items()}
        first = starts_at.get("C", 0)
        n_channels = image.sizes.get("C", 1)
        channels = selection.channels if "C" in image.sizes else None
        planes = []
        for channel in channels or range(n_channels):
            of_channel = {**at, "C": first + channel} if "C" in image.sizes else at
            array = image(roi=region, **of_channel).asarray(fillvalue=0, maxworkers=1)
            planes.append(array.reshape(window.height, window.width, -1))
        array = np.concatenate(planes, axis=2)
        return Decoded(array, 8 * array.dtype.itemsize)


CZI = Reader(
    name="CZI",
    title="Zeiss CZI",
    suffixes=(".czi",),
    is_this=starts(b"ZISRAWFILE"),
    open=_open,
    package="czifile",
    python=(3, 12),  # older Python gets the package of 2019, which reads wrongly
    export=lambda: text("export-czi"),
)
