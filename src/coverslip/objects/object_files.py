"""Files of objects of other programs, whose kind is recognized by their content.

Label images (masks): each object has the pixels of one number; 0 is background.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from coverslip.datasets.tables.columns import TableChoices
from coverslip.datasets.tables.reading import TABLE_SUFFIXES, is_table
from coverslip.errors import BadDataset, CoverslipError
from coverslip.images import check_size, open_image
from coverslip.objects.fields import FieldObjects
from coverslip.objects.object_tables import (
    columns_of,
    kind_of_table,
    open_object_table,
    read_object_table,
    read_points,
)
from coverslip.objects.outlines import Array
from coverslip.objects.polygon_files import (
    is_coco,
    is_geojson,
    is_roi,
    load_json,
    read_cellpose_outlines,
    read_coco,
    read_geojson,
    read_rois,
    read_yolo,
    yolo_classes,
)
from coverslip.objects.table import FieldImage, text_lines, words_of

LABEL_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".npy", ".bmp", ".gif"})
_MAX_BYTES = 2**30  # of one plane of labels
_MAX_INDEX = 2**31
OBJECT_SUFFIXES = frozenset({".geojson", ".json", ".zip", ".roi", ".npy", *TABLE_SUFFIXES})
_HEAD_BYTES = 4096
_N_FIRST_LINES = 50
# Files beside those of objects.
_COMPANIONS = re.compile(r"(?:classes|obj)\.(?:txt|names)|(?:.*_?(?:Image|Experiment))\.csv|readme.*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LabelPlane:
    """The objects of a plane of a field."""

    labels: Array  # (H, W) integers below 2**31; 0 is background
    names: Array | None = None  # (n,) the numbers in the file of labels 0 to n - 1; None: the same numbers
    is_binary: bool = False  # labels are numbers of connected pixels


def read_label_planes(file: Path) -> Iterator[LabelPlane]:
    """Yield the label planes of a file.

    Palette indices are labels. Each color of a color image is a label; the most frequent color is background unless the
    image contains black. A plane of a single value is a binary mask, whose connected pixels are objects; pixels that
    share an edge are connected.

    Raises:
        BadDataset: the file cannot be read, has no integers, or too many pixels.
    """
    try:
        planes = _planes(file)
        for plane in planes:
            yield _as_labels(file, plane)
    except CoverslipError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise BadDataset("labels-not-read", file=file, reason=reason) from error


def _planes(file: Path) -> Iterator[Array]:
    match file.suffix.lower():
        case ".npy":
            yield from _numpy_planes(file)
        case ".tif" | ".tiff":
            yield from _tiff_planes(file)
        case _:
            yield from _pillow_planes(file)


def _numpy_planes(file: Path) -> Iterator[Array]:
    from numpy.lib import format as npy

    with open_image(file) as stream:
        try:
            version = npy.read_magic(stream)
            read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
            shape, _, dtype = read_header(stream)
        except ValueError as error:
            raise BadDataset("labels-not-read", file=file, reason=str(error)[:160]) from error
        if dtype.hasobject:
            raise BadDataset("labels-pickled", file=file, is_cellpose=file.stem.endswith("_seg"))
        if len(shape) not in (2, 3):
            raise BadDataset("labels-of-other-shape", file=file, shape=" × ".join(map(str, shape)))
        check_size(file, int(shape[-1]), int(shape[-2]), _MAX_BYTES, bytes_per_pixel=dtype.itemsize)
        stream.seek(0)
        array = np.load(stream, allow_pickle=False)
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.shape[0] > 4 and array.dtype == np.uint8:
        yield array
    else:
        yield from array if array.ndim == 3 else [array]


def _tiff_planes(file: Path) -> Iterator[Array]:
    from tifffile import PLANARCONFIG, TiffFile

    with open_image(file) as stream, TiffFile(stream) as tiff:
        for number in range(len(tiff.series[0].pages)):
            page = tiff.series[0].pages[number]
            if page is None:
                continue
            page = page.aspage()
            check_size(
                file,
                page.imagewidth,
                page.imagelength,
                _MAX_BYTES,
                bytes_per_pixel=page.samplesperpixel * np.dtype(page.dtype).itemsize,
            )
            array = page.asarray()
            if page.samplesperpixel > 1 and page.planarconfig == PLANARCONFIG.SEPARATE:
                yield from array  # planes that a program wrote as samples of a pixel
            else:
                yield array


def _pillow_planes(file: Path) -> Iterator[Array]:
    from PIL import Image

    with open_image(file) as stream, Image.open(stream) as image:
        check_size(file, image.width, image.height, _MAX_BYTES, bytes_per_pixel=len(image.getbands()))
        is_plain = image.mode in ("1", "L", "P", "I", "I;16", "I;16B", "RGB", "RGBA")
        yield np.asarray(image if is_plain else image.convert("L" if image.mode == "LA" else "RGB"))


def _as_labels(file: Path, plane: Array) -> LabelPlane:
    if plane.ndim == 3 and plane.shape[2] == 1:
        plane = plane[..., 0]
    if plane.ndim == 3 and plane.shape[2] in (3, 4):
        plane = _colors_as_labels(plane)
    if plane.ndim != 2 or plane.dtype.kind not in "biuf":
        raise BadDataset("labels-of-other-shape", file=file, shape=" × ".join(map(str, plane.shape)))
    if plane.dtype.kind == "f":
        whole = np.nan_to_num(plane, nan=0, posinf=0.5, neginf=0.5)
        if not np.array_equal(whole, np.rint(whole)) or np.abs(whole).max(initial=0) >= 2**53:
            raise BadDataset("labels-with-decimals", file=file)
        plane = whole.astype(np.int64)
    if plane.dtype.kind == "i":
        plane = np.maximum(plane, 0)  # -1 is background in some programs
    largest = plane.max(initial=0)
    if largest and not ((plane != 0) & (plane != largest)).any():
        return LabelPlane(_connected(plane != 0), is_binary=True)
    if int(largest) < _MAX_INDEX:
        return LabelPlane(plane)
    values, index = np.unique(plane, return_inverse=True)
    if values[0]:
        values, index = np.concatenate([[0], values]), index + 1
    return LabelPlane(index.reshape(plane.shape), values)


def _colors_as_labels(plane: Array) -> Array:
    """Return a number for each color, 0 for black, or for the most frequent color if there is no black."""
    red, green, blue = (plane[..., k].astype(np.int64) for k in range(3))
    codes: Array = (red * 2**16 + green) * 2**16 + blue
    if plane.dtype.itemsize == 1:
        codes = (red * 2**8 + green) * 2**8 + blue
    if (codes == 0).any() or not codes.size:
        return codes
    values, counts = np.unique(codes, return_counts=True)
    codes[codes == values[counts.argmax()]] = 0
    return codes


def _connected(mask: Array) -> Array:
    from scipy import ndimage

    labels: Array = ndimage.label(mask)[0].astype(np.int32)
    return labels


@dataclass(slots=True)
class Sources:
    """What the files were."""

    kinds: dict[str, int] = field(default_factory=dict)  # number of files of each kind
    n_files: int = 0  # also those that were not read
    table: Path | None = None  # the first table


def is_companion(file: Path) -> bool:
    """Return whether a file in a folder belongs to files of objects, without containing any."""
    return bool(_COMPANIONS.fullmatch(file.name))


def read_object_file(
    file: Path, objects: FieldObjects, sources: Sources, *, choices: TableChoices, is_only_file: bool
) -> None:
    """Add the objects in a file.

    Args:
        file: the file.
        objects: receives them.
        sources: receives the kind of the file.
        choices: of the user, for tables.
        is_only_file: it then belongs to the only field, whatever its name is.

    Raises:
        BadDataset: the kind of the file is unknown, or the file is broken.
    """
    try:
        with open_image(file) as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise BadDataset("object-file-not-read", file=file, reason=error.strerror or str(error)) from error
    if file.suffix.lower() in LABEL_SUFFIXES:
        for _ in read_label_planes(file):  # its error about pickled files comes first
            break
        raise BadDataset("mask-instead-of-outlines", file=file)
    kind = "empty"
    if is_roi(head):
        kind = "rois"
        if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
            read_rois(file, of, objects)
    elif head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        kind = _read_json(file, objects, is_only_file=is_only_file)
    elif head.strip():
        kind = _read_text(file, objects, sources, choices, is_only_file=is_only_file)
    sources.kinds[kind] = sources.kinds.get(kind, 0) + 1


def _field_of(file: Path, objects: FieldObjects, *, is_only_file: bool) -> FieldImage | None:
    """Return the field of a file with objects of one field; None: there is none of its name."""
    names = objects.names
    if is_only_file and len(names.fields) == 1:
        return names.fields[0]
    return names.match(str(file))


def _read_json(file: Path, objects: FieldObjects, *, is_only_file: bool) -> str:
    content = load_json(file)
    if is_coco(content):
        read_coco(file, content, objects)
        return "coco"
    if not is_geojson(content):
        raise BadDataset("unknown-json", file=file)
    if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
        read_geojson(file, content, of, objects)
    return "geojson"


def _read_text(
    file: Path, objects: FieldObjects, sources: Sources, choices: TableChoices, *, is_only_file: bool
) -> str:
    kind = _kind_of_lines(text_lines(file, _N_FIRST_LINES))
    if kind is not None:
        if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
            lines = text_lines(file)
            match kind:
                case "yolo":
                    read_yolo(file, lines, yolo_classes(file), of, objects)
                case "cellpose":
                    read_cellpose_outlines(file, lines, of, objects)
                case _:
                    read_points(file, lines, of, objects, choices.unit)
        return kind
    table = open_object_table(file)
    if table is None:
        raise BadDataset("unknown-object-file", file=file)
    table_kind = kind_of_table(table.columns)
    sources.table = sources.table or file
    columns = columns_of(table, table_kind, choices)
    of = None
    if not {"path", "image_number"} & columns.keys():
        of = _field_of(file, objects, is_only_file=is_only_file)
        if of is None:
            return table_kind.name
    read_object_table(table, table_kind, columns, choices.unit, objects, of)
    return table_kind.name


def is_table_of_objects(file: Path) -> bool:
    """Return whether a file is a table with names of columns.

    Raises:
        BadDataset: the file cannot be read, or is not text.
    """
    if not is_table(file):
        return False
    lines = text_lines(file, _N_FIRST_LINES)
    return any(map(str.strip, lines)) and _kind_of_lines(lines) is None


def _kind_of_lines(lines: Sequence[str]) -> str | None:
    """Return the kind of a text file without names of columns; None if its first line has names."""
    read = words_of(lines)
    numbers = [read.numbers_at_start(words) for words in read.words if words]
    if not numbers or len(numbers[0]) < 2:
        return None
    if read.has_comma_separators and all(len(each) >= 6 and len(each) % 2 == 0 for each in numbers):
        return "cellpose"
    if not read.has_comma_separators and all(map(_is_yolo, numbers)):
        return "yolo"
    return "points"


def _is_yolo(numbers: Sequence[float]) -> bool:
    is_long = len(numbers) in (5, 6) or (len(numbers) >= 7 and len(numbers) % 2 == 1)
    return is_long and numbers[0].is_integer() and all(-0.01 <= each <= 1.01 for each in numbers[1:])
