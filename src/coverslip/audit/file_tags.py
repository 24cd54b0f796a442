"""What a file says of how it was taken and saved, beside its pixels: camera, program, resolution, compression."""

import hashlib
import struct
from pathlib import Path

from PIL import ExifTags, Image

_FORMATS = ("JPEG", "PNG", "TIFF", "WEBP")  # others carry no such tags, or start other programs
# Dates are left out, since every image has its own, and so is what only tells the size or the place of the pixels.
_TAGS = {
    "Make",
    "Model",
    "Software",
    "Artist",
    "HostComputer",
    "XResolution",
    "YResolution",
    "ResolutionUnit",
    "Compression",
    "ExposureTime",
    "ISOSpeedRatings",
    "ColorSpace",
}
_INFO = ("dpi", "jfif_version", "Software", "progressive", "comment")
_DAMAGED = (OSError, ValueError, SyntaxError, TypeError, KeyError, OverflowError, struct.error)  # tags of a stranger
_LONGEST = 200  # characters of a value


def file_tags(path: Path) -> dict[str, str]:
    """Values by name; of a JPEG also which table it was compressed with. Empty where nothing is told.

    For files that could be decoded. No pixels are looked at.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            exif = image.getexif()
            by_number = {**exif.get_ifd(ExifTags.IFD.Exif), **exif}
            named = {ExifTags.TAGS.get(number, ""): value for number, value in by_number.items()}
            tags = {name: value for name, value in named.items() if name in _TAGS}
            tags |= {name: image.info[name] for name in _INFO if name in image.info}
            if tables := getattr(image, "quantization", None):
                tags["quantisation"] = hashlib.sha256(repr(sorted(tables.items())).encode()).hexdigest()[:8]
    except (*_DAMAGED, Image.DecompressionBombError):
        return {}
    return {name: str(value)[:_LONGEST] for name, value in tags.items()}
