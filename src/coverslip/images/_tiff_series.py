"""What the series of a TIFF declare: axes, and the size of a pixel as OME, ImageJ and the plain tags write it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.images._tiff_guard import check_pages, check_series, opened_tiff
from coverslip.images.reader import Series

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

_UM_PER_UNIT = {
    **dict.fromkeys(("µm", "μm", "um", "micron", "microns", "micrometer", "\\u00b5m"), 1.0),
    **dict.fromkeys(("nm", "nanometer"), 1e-3),
    **dict.fromkeys(("mm", "millimeter"), 1e3),
    **dict.fromkeys(("cm", "centimeter"), 1e4),
    "m": 1e6,
}
_CENTIMETRE = 3  # ResolutionUnit


def describe_tiff(path: Path) -> tuple[Series, ...]:
    """Return every series, the full-resolution level of pyramids.

    Raises:
        UnreadableImage: its pages do not come to an end.
        Exception: whatever tifffile raises on damaged bytes.
    """
    check_pages(path)
    with opened_tiff(path) as (tiff, _):
        check_series(path, tiff)
        return tuple(
            Series(series.axes, tuple(map(int, series.shape)), _pixel_size(tiff, number, series), series.name)
            for number, series in enumerate(tiff.series)
        )


def _pixel_size(tiff: "TiffFile", number: int, series: "TiffPageSeries") -> tuple[float, float] | None:
    if tiff.ome_metadata:
        return _ome_pixel_size(tiff.ome_metadata, number)
    page = series.keyframe
    if tiff.imagej_metadata:
        return _resolved(page, _UM_PER_UNIT.get(str(tiff.imagej_metadata.get("unit")).lower()))
    # Per inch is what desktop programs write, 72 of them, whatever the picture shows.
    return _resolved(page, _UM_PER_UNIT["cm"] if page.resolutionunit == _CENTIMETRE else None)


def _ome_pixel_size(xml: str, number: int) -> tuple[float, float] | None:
    pixels = re.findall(r"<(?:\w+:)?Pixels\b[^>]*>", xml)
    if number >= len(pixels):
        return None
    attributes = dict(re.findall(r"\b(\w+)\s*=\s*\"([^\"]*)\"", pixels[number]))
    sizes = []
    for axis in "XY":
        unit = _UM_PER_UNIT.get(attributes.get(f"PhysicalSize{axis}Unit", "µm").lower())
        try:
            sizes.append(float(attributes[f"PhysicalSize{axis}"]) * (unit or 0))
        except (KeyError, ValueError):
            return None
    return _believable(*sizes)


def _resolved(page: "TiffPage", um_per_unit: float | None) -> tuple[float, float] | None:
    """From the tags XResolution and YResolution, pixels per unit."""
    if um_per_unit is None or not {"XResolution", "YResolution"} <= {tag.name for tag in page.tags}:
        return None
    sizes = []
    for name in ("XResolution", "YResolution"):
        pixels, units = page.tags[name].value
        sizes.append(um_per_unit * units / pixels if pixels else 0.0)
    return _believable(*sizes)


def _believable(width: float, height: float) -> tuple[float, float] | None:
    return (width, height) if min(width, height) > 0 else None
