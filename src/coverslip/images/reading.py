"""Any microscope file to pixels.

Rules, the same for every format:

- 8-bit stays uint8; 9 to 16 bit is uint16; int16 without negative values is uint16 too; all other numbers become
  float32. 1-bit is 0/255 and 2- and 4-bit grey is spread over 0-255. A declared depth is reported as `bit_depth`
  and does not change the numbers: 12-bit pixels stay 0-4095.
- A palette is looked up: RGB, or grey if all its entries are grey. CMYK becomes RGB. Alpha is dropped, not
  blended: what lies under a transparent pixel is still the camera's.
- Orientation (EXIF or TIFF tag) is applied; boxes count in the upright image.
- A page declared as axis C is a channel; other pages, and the frames of a GIF, are planes. See `ReadPlan`.
- In float images, NaN becomes the lowest finite value and infinities the nearest finite one, with a note.
- A file is read whole or refused: no picture with a grey lower half.
"""

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from coverslip.errors import UnreadableImage
from coverslip.images._decoded import EXPORT_AGAIN, SHRINK, Array, Decoded, damaged
from coverslip.images._pillow import read_with_pillow, unknown_format
from coverslip.images._tiff import read_tiff
from coverslip.images.plan import ReadPlan

# Twice Pillow's default warning size, where Pillow itself refuses: one limit for all formats.
MAX_PIXELS = 178_956_970

WHOLE_IMAGE = ReadPlan()
NO_SUCH_FILE = "There is no such file"  # the one reason that has nothing to do with what is in the file

_READ_SUFFIXES = (
    ".png .apng .jpg .jpeg .jpe .jfif .bmp .dib .gif .webp .jp2 .j2k .jpx .jpf .j2c .jpc .pgm .ppm .pbm .pnm "
    ".tif .tiff .btf .tf8 .svs .ndpi .scn .bif .qptiff .lsm .stk .flex"
)
# Known, and refused with a reason: a row that says so beats a file that is silently passed over.
_REFUSED_SUFFIXES = ".nd2 .lif .czi .oib .oif .dcm .vsi .mrxs .ims"
IMAGE_SUFFIXES = frozenset(f"{_READ_SUFFIXES} {_REFUSED_SUFFIXES}".split())


@dataclass(frozen=True, slots=True)
class Pixels:
    """One image as numbers."""

    array: Array  # (H, W, C) uint8, uint16 or float32, C >= 1, C-contiguous; may be read-only
    file_format: str  # "JPEG", "PNG", "TIFF", ...
    bit_depth: int  # as declared: 1, 2, 4, 8, 12, 16, 32, ...
    n_planes: int  # pages along other axes than C; 1 for plain images
    note: str | None = None  # one short reason, equal for equal causes, so that a caller can count


@dataclass(frozen=True, slots=True)
class _Format:
    """One row of the table of readers: how the first bytes tell the format, and who decodes it."""

    name: str
    is_this: Callable[[bytes], bool]  # given the first 512 bytes
    read: Callable[[Path, ReadPlan, int], Decoded]


def read_pixels(path: Path, plan: ReadPlan = WHOLE_IMAGE, *, max_pixels: int = MAX_PIXELS) -> Pixels:
    """Decode one image file.

    The format is told by the first bytes, never by the name. Safe to call from several threads.

    Args:
        path: a file.
        plan: which plane, channels and box to keep.
        max_pixels: a larger declared width x height is refused before it is decoded.

    Raises:
        UnreadableImage: for everything that can be wrong with one file; nothing else is raised.
    """
    head = _first_bytes(path)
    reader = next(row for row in _READERS if row.is_this(head))
    try:
        decoded = reader.read(path, plan, max_pixels)
        array, note = _to_three_depths(path, decoded.array)
        array = _crop(path, _select_channels(path, array, plan), plan)
        array = np.ascontiguousarray(array)
        return Pixels(array, decoded.file_format, decoded.bit_depth, decoded.n_planes, decoded.note or note)
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise unknown_format(path, head) from error
    except MemoryError as error:
        raise UnreadableImage("There is not enough memory for the image", file=path, do=SHRINK) from error
    except Image.DecompressionBombError as error:
        limit = f"the limit is {max_pixels / 1e6:.0f} million"
        raise UnreadableImage(f"The image declares too many pixels at once: {limit}", file=path, do=SHRINK) from error
    except PermissionError as error:
        raise _no_access(path, error) from error
    # A file from outside can make a decoder raise anything (struct.error, zlib.error, codecs' own families,
    # RuntimeError of corrupt tags). One bad file must not stop the other 100,000; the cause stays chained.
    except Exception as error:
        raise damaged(path, error or type(error).__name__) from error


def _first_bytes(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableImage("This is a folder, not an image", file=path, do="Name the images in it.")
        if not stat.S_ISREG(mode):
            raise UnreadableImage("This is not a regular file", file=path, do="Name an image file.")
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError as error:
        raise UnreadableImage(NO_SUCH_FILE, file=path, do="Check the path.") from error
    except PermissionError as error:
        raise _no_access(path, error) from error
    except (OSError, ValueError) as error:
        raise UnreadableImage(f"The file cannot be opened: {error}", file=path, do="Check the path.") from error
    if not head:
        raise UnreadableImage("The file is empty (0 bytes)", file=path, do=EXPORT_AGAIN)
    return head


def _no_access(path: Path, error: OSError) -> UnreadableImage:
    what = f"The file may not be read: {error.strerror or error}"
    return UnreadableImage(what, file=path, do="Give yourself permission to read it.")


def _to_three_depths(path: Path, array: Array) -> tuple[Array, str | None]:
    """(H, W, C) uint8, uint16 or float32 in native byte order, and a note where values had to be replaced."""
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.dtype == np.uint8:
        return array, None
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return array.astype(np.uint16, copy=False), None
    if array.dtype.kind == "i" and array.dtype.itemsize <= 2 and array.min() >= 0:
        return array.astype(np.uint8 if array.dtype.itemsize == 1 else np.uint16), None
    with np.errstate(over="ignore", invalid="ignore"):  # infinities of both signs
        array = array.astype(np.float32)
        total = array.sum(dtype=np.float64)
    if np.isfinite(total):  # one pass for the usual case
        return array, None
    finite = array[np.isfinite(array)]
    if finite.size == 0:
        raise UnreadableImage("No pixel holds a finite number", file=path, do=EXPORT_AGAIN)
    low, high = float(finite.min()), float(finite.max())
    return np.nan_to_num(array, nan=low, posinf=high, neginf=low), "pixels that are NaN or infinite were replaced"


def _select_channels(path: Path, array: Array, plan: ReadPlan) -> Array:
    if plan.channels is None:
        return array
    n_channels = array.shape[2]
    if not plan.channels or not all(0 <= channel < n_channels for channel in plan.channels):
        asked = ", ".join(map(str, plan.channels)) or "none"
        raise UnreadableImage(
            f"Channels {asked} were asked for, but the image has {n_channels} (numbered from 0)",
            file=path,
            do="Change the channels in the recipe or table.",
        )
    return array[..., list(plan.channels)]


def _crop(path: Path, array: Array, plan: ReadPlan) -> Array:
    if plan.box is None:
        return array
    x, y, width, height = plan.box
    if min(x, y) < 0 or min(width, height) < 1 or x + width > array.shape[1] or y + height > array.shape[0]:
        raise UnreadableImage(
            f"The box x={x}, y={y}, width={width}, height={height} does not lie within the image "
            f"of {array.shape[1]} x {array.shape[0]} pixels",
            file=path,
            do="Correct the box in the table.",
        )
    return array[y : y + height, x : x + width]


def _refuse(name: str, how: str) -> Callable[[Path, ReadPlan, int], Decoded]:
    def read(path: Path, plan: ReadPlan, max_pixels: int) -> Decoded:
        raise UnreadableImage(f"Files of {name} cannot be read yet", file=path, do=how)

    return read


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


_EXPORT = "Export it as OME-TIFF or PNG from the microscope's program."

# First match wins. DICOM stands before TIFF, since its free first 128 bytes may look like one.
_READERS: tuple[_Format, ...] = (
    _Format("DICOM", lambda head: head[128:132] == b"DICM", _refuse("DICOM", _EXPORT)),
    _Format("TIFF", _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), read_tiff),
    _Format("ND2", _starts(b"\xda\xce\xbe\x0a"), _refuse("Nikon ND2", _EXPORT)),
    _Format("CZI", _starts(b"ZISRAWFILE"), _refuse("Zeiss CZI", _EXPORT)),
    _Format("LIF", lambda head: head.startswith(b"\x70\0\0\0") and head[8:9] == b"\x2a", _refuse("Leica LIF", _EXPORT)),
    _Format("OIB", _starts(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), _refuse("Olympus OIB or Zeiss ZVI", _EXPORT)),
    _Format("HDF5", _starts(b"\x89HDF\r\n\x1a\n"), _refuse("HDF5 (Imaris and others)", _EXPORT)),
    _Format("common", lambda head: True, read_with_pillow),
)
