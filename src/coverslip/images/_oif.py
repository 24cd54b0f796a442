"""Reader of Olympus OIB and OIF files, by the package oiffile. Each plane is a small TIFF inside the file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import UnreadableImage
from coverslip.images.confining import open_image
from coverslip.images.reader import Array, Decoded, OpenImage, Reader, Selection, Series, check_size, damaged, starts
from coverslip.messages import message, text

if TYPE_CHECKING:
    from oiffile import OifFile

_COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # also Zeiss ZVI and others
_SETTINGS = b"\xff\xfe[\0"  # the first section of settings in UTF-16


@contextmanager
def _open(path: Path) -> Iterator[OpenImage]:
    from oiffile import OifFile, oiffile

    oiffile.open = _open_for_oiffile  # replaces the builtin in this module
    try:
        file = OifFile(path)
    except (FileNotFoundError, KeyError) as error:  # another compound file has no OibInfo.txt
        with open_image(path) as opened:
            is_compound = opened.read(8) == _COMPOUND
        if not is_compound:
            raise
        advice = text("export-oib")
        raise UnreadableImage("format-not-read", file=path, title="Zeiss ZVI", advice=advice) from error
    with file:
        yield _OifSource(path, file)


def _open_for_oiffile(file: str, mode: str = "r", **options: Any) -> IO[Any]:  # Any: as for the builtin
    return open_image(Path(file)) if mode == "rb" else Path(file).open(mode, **options)


class _OifSource:
    def __init__(self, path: Path, file: "OifFile") -> None:
        self._path, self._file = path, file

    def describe(self) -> tuple[Series, ...]:
        return tuple(self._describe(number) for number in range(len(self._file.series)))

    def _describe(self, number: int) -> Series:
        series = self._file.series[number]
        first = self._plane(next(iter(series)))
        settings = self._file.mainfile
        image: Mapping[str, Any] = settings.get("Reference Image Parameter", {})
        scale = [float(image.get(f"{side}ConvertValue", 0)) for side in ("Width", "Height")]
        is_um = image.get("WidthUnit") == image.get("HeightUnit") == "um" and min(scale) > 0
        n_channels = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
        channels = [settings.get(f"GUI Channel {k} Parameters", {}) for k in range(1, n_channels + 1)]
        names = tuple(str(each.get("DyeName") or each.get("CH Name") or "") for each in channels)
        date = settings.get("Acquisition Parameters Common", {}).get("ImageCaputreDate")  # the file's own spelling
        return Series(
            f"{series.axes}YX",
            (*map(int, series.shape), *first.shape),
            (scale[0], scale[1]) if is_um else None,
            dtype=first.dtype.name,
            channels=names if all(names) else (),
            acquired=str(date).replace(" ", "T") if date else None,
        )

    def read_region(self, selection: Selection, max_bytes: int) -> Decoded:
        series = self._file.series[selection.series]
        names = dict(zip(series.indices, series, strict=True))
        n_channels = dict(zip(series.axes, series.shape, strict=True)).get("C", 1)
        planes = []
        for channel in selection.channels or range(n_channels):
            at = {**selection.at, "C": channel}
            name = names.get(tuple(at[axis] for axis in series.axes))
            if name is None:
                raise damaged(self._path, message("frame-missing", frame=str(at)))
            planes.append(self._plane(name, max_bytes)[selection.window.of_array])
        bits = int(self._file.mainfile["Reference Image Parameter"]["ValidBitCounts"])
        return Decoded(np.stack(planes, axis=2), bits)

    def _plane(self, name: str, max_bytes: int | None = None) -> Array:
        from tifffile import TiffFile

        with self._file.open_file(name) as file, TiffFile(file) as tiff:
            page = tiff.pages.first
            if max_bytes is not None and page.dtype is not None:
                check_size(
                    self._path, page.imagewidth, page.imagelength, max_bytes, bytes_per_pixel=page.dtype.itemsize
                )
            return np.asarray(page.asarray())


OIF = Reader(
    name="OIB",
    title="Olympus OIB and OIF",
    suffixes=(".oib", ".oif"),
    is_this=starts(_COMPOUND, _SETTINGS),
    open=_open,
    package="oiffile",
    export=lambda: text("export-oib"),
)
