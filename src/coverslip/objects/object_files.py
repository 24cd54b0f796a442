"""Files of objects of other programs, recognized by their content: polygons, boxes, outlines, masks and tables."""

import base64
import codecs
import csv
import html
import io
import json
import math
import re
import sqlite3
import tempfile
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.names import is_hidden, one_line
from coverslip.datasets.text_tables import TABLE_SUFFIXES, CellFault, is_table
from coverslip.errors import BadArchive, BadDataset, CoverslipError
from coverslip.files import ArchiveLimits, open_archive, read_bytes
from coverslip.images.confining import open_image
from coverslip.images.reader import check_size
from coverslip.images.zarr_labels import read_label_folder
from coverslip.messages import text
from coverslip.objects.fields import FieldObjects, check_planes, rank_of_kind
from coverslip.objects.outlines import Array, Polygon, nested_rings, open_rings, trace_labels
from coverslip.objects.table import FieldImage, text_lines, words_of
from coverslip.objects.tables_of_programs import (
    columns_of,
    kind_of_table,
    open_object_table,
    read_object_table,
    read_points,
)

Json = dict[str, Any]
_MAX_BYTES = 2**30
_ELLIPSE_POINTS = 64
_NAME_SEPARATOR = ": "  # of the parts of a class, as QuPath shows it


def load_json(file: Path) -> Any:  # Any: JSON values
    """Return the content of a JSON file, which may be compressed with gzip.

    Raises:
        BadDataset: it cannot be read.
    """
    try:
        return json.loads(_unpacked(read_bytes(file, _MAX_BYTES)))
    except (OSError, ValueError, RecursionError, zlib.error) as error:
        raise BadDataset("object-file-not-read", file=file, reason=one_line(str(error))) from error


def _unpacked(data: bytes) -> bytes:
    """Return data without the compression of gzip; raises ValueError if they are too large."""
    if not data.startswith(_GZIP):
        return data
    gzip = zlib.decompressobj(wbits=31)
    unpacked = gzip.decompress(data, _MAX_BYTES)
    if not gzip.eof:
        raise ValueError(text("file-above-limit", limit_mib=_MAX_BYTES / 2**20))
    return unpacked


_GZIP = b"\x1f\x8b"


def is_geojson(content: Any) -> bool:  # Any: JSON values
    """Return whether a JSON value contains features of GeoJSON, as QuPath writes them."""
    if isinstance(content, list):
        return not content or (isinstance(content[0], dict) and "geometry" in content[0])
    return isinstance(content, dict) and content.get("type") in ("FeatureCollection", "Feature")


def read_geojson(file: Path, content: Any, of: FieldImage, objects: FieldObjects) -> None:  # Any: JSON values
    """Add the features of a GeoJSON file. Lines and empty geometries are ignored, and so is the nucleus of a cell.

    Raises:
        BadDataset: a geometry is invalid.
    """
    features = content if isinstance(content, list) else content.get("features", [content])
    for number, feature in enumerate(features, start=1):
        with _naming("geojson-feature-invalid", file, number):
            geometry, properties = feature["geometry"], feature.get("properties") or {}
            if geometry is None or not geometry["geometries" if "geometries" in geometry else "coordinates"]:
                objects.n_ignored += 1
                continue
            kind, coordinates = geometry["type"], geometry["coordinates"]
            metadata = properties.get("metadata") or {}
            identity = _first_text(metadata.get("object_id"), feature.get("id"))
            about: Json = {"object_id": "" if identity.startswith("Path") else identity}
            rank = rank_of_kind(_first_text(properties.get("objectType"), properties.get("object_type"), identity))
            classification = properties.get("classification") or {}
            if not isinstance(classification, str):
                names = classification.get("names") or [classification.get("name")]
                classification = _NAME_SEPARATOR.join(str(name) for name in names if name)
            about["label"] = _first_text(classification, properties.get("label"))
            objects.skip_properties(properties, _USED_OF_GEOJSON)
            plane = geometry.get("plane") or {}
            objects.skip_properties({"channel": plane.get("c") not in (None, -1)}, ())
            about |= _planes_of({axis: int(plane[axis]) for axis in "tz" if plane.get(axis) is not None}, of)
            match kind:
                case "Polygon" | "MultiPolygon":
                    polygons = [coordinates] if kind == "Polygon" else coordinates
                    objects.add_ranked(rank, of, file, polygons=map(_opened, polygons), **about)
                case "Point":
                    objects.add_ranked(rank, of, file, point=_pair(coordinates), **about)
                case "MultiPoint":
                    for k, pair in enumerate(coordinates, start=1):
                        identity = f"{about['object_id']}.{k}" if about["object_id"] else ""
                        objects.add_ranked(rank, of, file, point=_pair(pair), **{**about, "object_id": identity})
                case _:
                    objects.n_ignored += 1


# Of features, with the settings of their display.
_USED_OF_GEOJSON = frozenset(
    {"objectType", "object_type", "classification", "label", "metadata", "isLocked", "isMissing", "color"}
)


def _planes_of(positions: Mapping[str, int], of: FieldImage) -> dict[str, int]:
    """Return the positions, from 0, that a file states. In a field with a single plane, 0 states none.

    Raises:
        CellFault: the field has no such plane.
    """
    n_planes = {"t": of.n_times, "z": of.n_z}
    planes = {axis: at for axis, at in positions.items() if at > 0 or (at == 0 and n_planes[axis] > 1)}
    check_planes(of, **planes)
    return planes


def _plane_in_stack(position: int, of: FieldImage) -> dict[str, int]:
    """Return the plane at a position, from 1, of a stack whose planes are on one axis; nothing of other images."""
    axes = [axis for axis, n_planes in (("z", of.n_z), ("t", of.n_times)) if n_planes > 1]
    return {axes[0]: position - 1} if len(axes) == 1 else {}


def _first_text(*values: object) -> str:
    """Return the first value that is there as text, also 0; empty if there is none."""
    return next((str(value) for value in values if value not in (None, "")), "")


def _opened(polygon: Sequence[Sequence[Sequence[float]]]) -> Polygon:
    rings = [[_pair(point) for point in ring] for ring in polygon]
    return open_rings(rings) if open_rings(rings[:1]) else []


def _pair(point: Sequence[float]) -> tuple[float, float]:
    x, y = float(point[0]), float(point[1])
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(point)
    return x, y


class _naming:
    """Turns errors of a broken entry of a file into one that names the entry."""

    def __init__(self, code: str, file: Path, number: int) -> None:
        self._code, self._file, self._number = code, file, number

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, CellFault):
            reason = str(error)
            raise BadDataset("object-entry-invalid", file=self._file, number=self._number, reason=reason) from error
        if isinstance(error, KeyError | TypeError | ValueError | IndexError | AttributeError | OverflowError):
            raise BadDataset(self._code, file=self._file, number=self._number) from error


def read_rois(file: Path, rois: Iterable[tuple[str, bytes]], of: FieldImage, objects: FieldObjects) -> None:
    """Add ROIs of ImageJ. Lines, angles and empty ROIs are ignored.

    Args:
        file: for errors.
        rois: the name and the content of each; empty: the name in the ROI.
        of: the field of the file.
        objects: receives the objects.

    Raises:
        BadDataset: a ROI is invalid.
    """
    from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

    for number, (name, data) in enumerate(rois, start=1):
        with _naming("roi-invalid", file, number):
            roi = ImagejRoi.frombytes(data)
            properties = roi_properties(roi.props)
            name = properties.get("object_id") or name or roi.name or str(number)
            about: Json = {"object_id": name, "label": properties.get("class", "")}
            in_hyperstack = {"t": roi.t_position - 1, "z": roi.z_position - 1}
            of_stack = _plane_in_stack(roi.position, of)
            about |= _planes_of(of_stack if roi.position > 0 else in_hyperstack, of)
            objects.skip_properties(properties, ("object_id", "class"))
            if not of_stack and roi.position > 1:
                objects.skip_properties({"position": roi.position}, ())
            counters = roi.counters is not None and bool(np.any(roi.counters))
            objects.skip_properties({"channel": roi.c_position, "group": roi.group, "counter": counters}, ())
            kind = roi.roitype
            if kind == ROI_TYPE.POINT:
                points = np.asarray(roi.coordinates()).tolist()
                for k, (x, y) in enumerate(points, start=1):
                    identity = name if len(points) == 1 else f"{name}.{k}"
                    objects.add(of, file, point=(x, y), **{**about, "object_id": identity})
            elif kind == ROI_TYPE.OVAL and roi.subtype == ROI_SUBTYPE.UNDEFINED:
                objects.add(of, file, polygons=[[_ellipse(roi.left, roi.top, roi.right, roi.bottom)]], **about)
            elif kind in (ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED, ROI_TYPE.RECT, ROI_TYPE.OVAL):
                coordinates = roi.coordinates(multi=True)
                assert isinstance(coordinates, list)
                rings = open_rings([_pair(p) for p in ring.tolist()] for ring in coordinates)
                objects.add(of, file, polygons=nested_rings(rings), **about)
            else:
                objects.n_ignored += 1


def _entries(file: Path, suffixes: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file in a zip file whose name ends in one of the suffixes.

    Raises:
        BadDataset: the zip file cannot be read, or is larger than allowed.
    """
    try:
        with open_image(file) as stream, open_archive(stream, _LIMITS) as (archive, entries):
            wanted = [
                entry
                for entry in entries
                if entry.name.name.lower().endswith(suffixes) and not any(map(is_hidden, entry.name.parts))
            ]
            if sum(entry.info.file_size for entry in wanted) > _MAX_BYTES:
                raise BadDataset("object-file-not-read", file=file, reason=f"> {_MAX_BYTES // 2**20} MiB")
            for entry in wanted:
                yield str(entry.name), archive.read(entry.info)
    except BadArchive as error:
        raise BadDataset("object-file-not-read", file=file, reason=one_line(error.why)) from error
    except OSError as error:
        raise BadDataset("object-file-not-read", file=file, reason=one_line(str(error))) from error


_LIMITS = ArchiveLimits(
    max_entries=2_000_000,
    max_directory_bytes=2**28,
    max_ratio=300,
    min_ratio_bytes=2**26,
    allows_zip64=True,
    has_paths=False,  # the name of a ROI is that of an object
)


def _overlay(file: Path) -> list[bytes]:
    """Return the content of each ROI in the overlay of a TIFF of ImageJ, and of its selection."""
    from tifffile import TiffFile, TiffFileError

    try:
        with open_image(file) as stream, TiffFile(stream) as tiff:
            metadata = tiff.imagej_metadata or {}
    except (OSError, TiffFileError):
        return []
    rois: list[bytes] = []
    for content in (metadata.get("Overlays", ()), metadata.get("ROI", ())):
        rois += [content] if isinstance(content, bytes) else content
    return rois


def roi_properties(text: str | None) -> dict[str, str]:
    """Return the properties of a ROI, which ImageJ stores as lines `key: value`."""
    pairs = (line.partition(":") for line in (text or "").splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _ellipse(left: float, top: float, right: float, bottom: float) -> list[tuple[float, float]]:
    angles = np.linspace(0, 2 * np.pi, _ELLIPSE_POINTS, endpoint=False)
    x = (left + right) / 2 + (right - left) / 2 * np.cos(angles)
    y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(angles)
    return list(zip(x.tolist(), y.tolist(), strict=True))


def is_coco(content: Any) -> bool:  # Any: JSON values
    """Return whether a JSON value is a COCO dataset."""
    return isinstance(content, dict) and isinstance(content.get("annotations"), list) and "images" in content


def read_coco(file: Path, content: Json, objects: FieldObjects) -> None:
    """Add the annotations of a COCO file: polygons, run-length encoded masks, or boxes; regions of crowds are ignored.

    Raises:
        BadDataset: an annotation is invalid, or an image has another size than its field.
    """
    with _naming("coco-invalid", file, 0):
        image_of = {image["id"]: image for image in content["images"]}
        name_of = {each["id"]: str(each["name"]) for each in content.get("categories", [])}
    for number, annotation in enumerate(content["annotations"], start=1):
        with _naming("coco-annotation-invalid", file, number):
            image = image_of[annotation["image_id"]]
            of = objects.names.match(str(image["file_name"]))
            if of is None:
                continue
            _check_size_of(of, file, image.get("width"), image.get("height"))
            if annotation.get("iscrowd"):
                objects.n_ignored += 1
                continue
            about: Json = {
                "object_id": _first_text(annotation.get("object_id"), annotation.get("id")),
                "label": name_of[annotation["category_id"]] if name_of and "category_id" in annotation else "",
            }
            objects.skip_properties(annotation, _USED_OF_COCO)
            segmentation, box = annotation.get("segmentation"), annotation.get("bbox")
            if isinstance(segmentation, dict):
                height, width = segmentation["size"]
                _check_size_of(of, file, width, height)
                label, outlines = trace_labels(coco_mask(segmentation).astype(np.uint8))
                polygons = outlines.polygons(0) if len(label) else []
                objects.add(of, file, polygons=polygons, **about)
            elif segmentation:
                rings = open_rings(map(_ring, segmentation))
                objects.add(of, file, polygons=nested_rings(rings), **about)
            elif not box:
                objects.n_ignored += 1
            else:
                x, y, width, height = map(float, box)
                if not (width > 0 and height > 0 and math.isfinite(x) and math.isfinite(y)):
                    raise ValueError(box)
                objects.add(of, file, box=(x, y, x + width, y + height), **about)


_USED_OF_COCO = frozenset(
    {"id", "object_id", "image_id", "category_id", "segmentation", "bbox", "iscrowd", "area"}  # the area of the outline
)


def is_coco_results(content: Any) -> bool:  # Any: JSON values
    """Return whether a JSON value is a list of results for a COCO dataset, which is in another file."""
    first = content[0] if isinstance(content, list) and content else None
    return isinstance(first, dict) and {"image_id", "category_id"} <= first.keys() and "image" not in first


def read_coco_results(file: Path, content: Any, objects: FieldObjects) -> None:  # Any: JSON values
    """Add the results of a detector, with the images and classes of the COCO dataset beside them.

    Raises:
        BadDataset: there is no such dataset, or not one, or a result is invalid.
    """
    beside = [each for each in sorted(file.absolute().parent.glob("*.json")) if each.name != file.name]
    datasets = [(each, data) for each in beside if is_coco(data := load_json(each))]
    if len(datasets) != 1:
        raise BadDataset("coco-results-without-dataset", file=file, n_datasets=len(datasets))
    read_coco(file, {**datasets[0][1], "annotations": content}, objects)


def _check_size_of(of: FieldImage, file: Path, width: int | None, height: int | None) -> None:
    """Check that outlines were drawn on an image of the size of the field; a program may not state the size.

    Raises:
        BadDataset: it has another size.
    """
    if width and height and of.width and (width, height) != (of.width, of.height):
        raise BadDataset(
            "outlines-of-other-size",
            file=file,
            field=one_line(of.name, 60),
            width=width,
            height=height,
            field_width=of.width,
            field_height=of.height,
        )


def read_labelme(file: Path, content: Json, of: FieldImage, objects: FieldObjects) -> None:
    """Add the shapes of LabelMe: polygons, of a group together, masks, rectangles, circles and points, but no lines.

    Raises:
        BadDataset: a shape is invalid, or the image has another size than its field.
    """
    _check_size_of(of, file, content.get("imageWidth"), content.get("imageHeight"))
    polygons_of_group = defaultdict[tuple[int, str], list[Polygon]](list)
    for number, shape in enumerate(content["shapes"], start=1):
        with _naming("labelme-shape-invalid", file, number):
            kind, group = shape.get("shape_type") or "polygon", (shape.get("group_id"), str(shape.get("label")))
            if kind in ("polygon", "rotation") and group[0] is not None:
                polygons_of_group[group].append(open_rings([[_pair(point) for point in shape["points"]]]))
    for number, shape in enumerate(content["shapes"], start=1):
        with _naming("labelme-shape-invalid", file, number):
            points = [_pair(point) for point in shape["points"]]
            objects.skip_properties(shape, _USED_OF_LABELME)
            identity = _first_text(shape.get("object_id"), str(number))
            about: Json = {"label": _first_text(shape.get("label")), "object_id": identity}
            about |= _planes_of({axis: int(shape[axis]) for axis in "tz" if shape.get(axis) is not None}, of)
            match shape.get("shape_type") or "polygon":
                case "polygon" | "rotation":
                    group = (shape.get("group_id"), str(shape.get("label")))
                    polygons = [open_rings([points])] if group[0] is None else polygons_of_group.pop(group, [])
                    if polygons:  # once for a group
                        objects.add(of, file, polygons=polygons, **about)
                case "mask":
                    with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
                        check_size(file, picture.width, picture.height, _MAX_BYTES, bytes_per_pixel=4)
                        mask = (np.asarray(picture.convert("L")) > 0).astype(np.uint8)
                    label, outlines = trace_labels(mask)
                    corner = np.floor(np.min(points, axis=0)).astype(np.float32)
                    traced = outlines.polygons(0) if len(label) else []
                    moved = [[ring + corner for ring in polygon] for polygon in traced]
                    objects.add(of, file, polygons=[[ring.tolist() for ring in polygon] for polygon in moved], **about)
                case "rectangle":
                    x, y = ((min(values), max(values)) for values in zip(*points, strict=True))
                    objects.add(of, file, box=(x[0], y[0], x[1], y[1]), **about)
                case "circle":
                    (x_center, y_center), edge = points
                    radius = math.dist((x_center, y_center), edge)
                    box = (x_center - radius, y_center - radius, x_center + radius, y_center + radius)
                    objects.add(of, file, polygons=[[_ellipse(*box)]], **about)
                case "point":
                    objects.add(of, file, point=points[0], **about)
                case _:
                    objects.n_ignored += 1


_USED_OF_LABELME = frozenset({"label", "points", "shape_type", "group_id", "object_id", "mask", "t", "z"})


def _ring(numbers: Sequence[float]) -> list[tuple[float, float]]:
    if len(numbers) % 2:
        raise ValueError(len(numbers))
    return [_pair(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)]


def coco_mask(encoded: Json) -> Array:
    """Return the (H, W) mask of a COCO run-length encoding, as a list of counts or as a compressed string.

    Raises:
        ValueError: the counts do not fit the size.
    """
    height, width = map(int, encoded["size"])
    counts = encoded["counts"]
    lengths = _decompressed(counts) if isinstance(counts, str | bytes) else [int(count) for count in counts]
    if height * width > _MAX_BYTES or sum(lengths) != height * width or min(lengths, default=0) < 0:
        raise ValueError(encoded["size"])
    values = np.arange(len(lengths)) % 2 == 1
    mask: Array = np.repeat(values, lengths).reshape(width, height).T
    return mask


def _decompressed(text: str | bytes) -> list[int]:
    """Return run lengths: groups of five bits, lowest first; from the fourth on, differences to the last but one."""
    codes = text.encode("ascii") if isinstance(text, str) else text
    lengths: list[int] = []
    position = 0
    while position < len(codes):
        value = shift = 0
        while True:
            code = codes[position] - 48
            value |= (code & 31) << shift
            position, shift = position + 1, shift + 5
            if not code & 32:
                break
        if code & 16:
            value -= 1 << shift
        lengths.append(value + (lengths[-2] if len(lengths) > 2 else 0))
    return lengths


def read_yolo(file: Path, lines: Sequence[str], classes: Sequence[str], of: FieldImage, objects: FieldObjects) -> None:
    """Add the boxes of a YOLO file, whose numbers are shares of the width and height of the field.

    Args:
        file: for errors.
        lines: of the file: class, center x and y, width and height.
        classes: names by number; a missing name is the number.
        of: the field of the file.
        objects: receives the objects.

    Raises:
        BadDataset: a line is invalid, or has other numbers, such as key points, a polygon or a probability.
    """
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        with _naming("yolo-line-invalid", file, number):
            first, *numbers = map(float, line.split())
            if len(numbers) != _N_OF_BOX:
                raise BadDataset("objects-of-program", file=file, program="yolo")
            x, y, width, height = (n * side for n, side in zip(numbers, (of.width, of.height) * 2, strict=True))
            if not (first >= 0 and first.is_integer() and width > 0 and height > 0 and max(map(abs, numbers)) <= 2):
                raise ValueError(line)
            label = classes[int(first)] if first < len(classes) else str(int(first))
            box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
            objects.add(of, file, box=box, label=label, object_id=str(number))


_N_OF_BOX = 4


def yolo_classes(file: Path) -> list[str]:
    """Return the names of the classes of a YOLO file, from `classes.txt` or `data.yaml` in a folder above it."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    for folder in list(file.absolute().parents)[:3]:
        for name in ("classes.txt", "obj.names"):
            if (folder / name).is_file():
                return [line.strip() for line in text_lines(folder / name)]
        for name in ("data.yaml", "dataset.yaml"):
            if (folder / name).is_file():
                try:
                    names = YAML(typ="safe").load(folder / name)["names"]
                    if isinstance(names, dict):
                        return [str(names.get(k, k)) for k in range(max(map(int, names)) + 1)]
                    return list(map(str, names))
                except (YAMLError, KeyError, TypeError, ValueError, OSError):
                    continue
    return []


def read_cellpose_outlines(file: Path, lines: Sequence[str], of: FieldImage, objects: FieldObjects) -> None:
    """Add the outlines of a Cellpose text file: a line of `x,y,x,y,…` per object, which are centers of pixels.

    Raises:
        BadDataset: a line is invalid.
    """
    for number, line in enumerate(lines, start=1):
        if line.strip():
            with _naming("cellpose-line-invalid", file, number):
                numbers = [float(word) + 0.5 for word in line.strip().strip(",").split(",")]
                objects.add(of, file, polygons=[open_rings([_ring(numbers)])], object_id=str(number))


# Label images (masks), in which each object has the pixels of one number and 0 is background; the kind of a file.

LABEL_SUFFIXES = frozenset({".tif", ".tiff", ".png", ".npy", ".npz", ".bmp", ".gif", ".zarr"})
_MAX_INDEX = 2**31
OBJECT_SUFFIXES = frozenset(
    {".geojson", ".json", ".geojson.gz", ".json.gz", ".zip", ".roi", ".xml", ".npy", *TABLE_SUFFIXES}
)
_HEAD_BYTES = 4096
_N_FIRST_LINES = 50
# Files beside those of objects.
_COMPANIONS = re.compile(
    r"(?:classes|obj)\.(?:txt|names)|(?:.*_?(?:Image|Experiment))\.csv|readme.*|(?!CellCounter).*\.xml", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class LabelPlane:
    """The objects of a plane of a field."""

    labels: Array  # (H, W) integers below 2**31; 0 is background
    names: Array | None = None  # (n,) the numbers in the file of labels 0 to n - 1; None: the same numbers
    is_binary: bool = False  # labels are numbers of connected pixels


def read_label_planes(file: Path) -> Iterator[LabelPlane]:
    """Yield the label planes of a file, or of a folder that is an OME-Zarr.

    Palette indices are labels. Each color of a color image is a label; the most frequent color is background unless the
    image contains black. A plane of a single color, or of a single value as in binary masks, is a binary mask, whose
    connected pixels are objects; pixels that share an edge are connected.

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
    if file.is_dir():
        yield from read_label_folder(file, _MAX_BYTES)
        return
    match file.suffix.lower():
        case ".npy" | ".npz":
            yield from _numpy_planes(file)
        case ".tif" | ".tiff":
            yield from _tiff_planes(file)
        case _:
            yield from _pillow_planes(file)


def _numpy_planes(file: Path) -> Iterator[Array]:
    from numpy.lib import format as npy

    with open_image(file) as opened, _array_file(file, opened) as stream:
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


@contextmanager
def _array_file(file: Path, opened: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield a file of an array: of NPY itself, or the only one in NPZ, as of Cell-ACDC."""
    if file.suffix.lower() == ".npy":
        yield opened
        return
    with zipfile.ZipFile(opened) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise BadDataset("labels-not-read", file=file, reason=one_line(", ".join(names), 160))
        with archive.open(names[0]) as stream:
            yield stream


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
    binary_values = {1, 255, np.iinfo(plane.dtype).max if plane.dtype.kind in "iu" else 1}
    is_color = plane.ndim == 3 and plane.shape[2] in (3, 4)
    if is_color:
        plane = _colors_as_labels(plane)
    if plane.ndim != 2 or plane.dtype.kind not in "biuf":
        raise BadDataset("labels-of-other-shape", file=file, shape=" × ".join(map(str, plane.shape)))
    if plane.dtype.kind == "f":
        whole = np.nan_to_num(plane, nan=0, posinf=0.5, neginf=0.5)
        if not np.array_equal(whole, np.rint(whole)) or np.abs(whole).max(initial=0) >= 2**53:
            raise BadDataset("labels-with-decimals", file=file)
        plane = whole.astype(np.int64)
    if plane.dtype.kind == "i" and plane.min(initial=0) < 0:
        # -1 is background, and 0 an object, unless only the edge is -1, as OpenCV's watershed writes it.
        if np.count_nonzero(plane == -1) > np.count_nonzero(plane == 0):
            values, index = np.unique(np.maximum(plane, -1), return_inverse=True)
            return LabelPlane(index.reshape(plane.shape), values)
        plane = np.maximum(plane, 0)
    largest = plane.max(initial=0)
    is_binary = is_color or int(largest) in binary_values
    if largest and is_binary and not ((plane != 0) & (plane != largest)).any():
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
        kind = _read_overlay(file, objects, is_only_file=is_only_file)
    elif head.startswith(b"PK\x03\x04"):
        kind = _read_zip(file, objects, is_only_file=is_only_file)
    elif head.startswith(b"SQLite format 3\0"):
        kind = _read_database(file, objects, sources, choices)
    elif head.startswith(b"Iout"):
        kind = "rois"
        if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
            with open_image(file) as stream:
                read_rois(file, [(file.stem, stream.read(_MAX_BYTES))], of, objects)
    elif file.name.lower().endswith("json.gz") or _without_mark(head).lstrip()[:1] in (b"{", b"["):
        kind = _read_json(file, load_json(file), file, objects, is_only_file=is_only_file)
    elif b"<CellCounter_Marker_File>" in head:
        kind = "cell-counter"
        read_cell_counter(file, objects, is_only_file=is_only_file)
    elif (program := _program_of(head)) is not None:
        raise BadDataset("objects-of-program", file=file, program=program)
    elif head.strip():
        kind = _read_text(file, objects, sources, choices, is_only_file=is_only_file)
    else:
        kind = "empty"
    sources.kinds[kind] = sources.kinds.get(kind, 0) + 1


_PROGRAMS_OF_JSON = {
    "label-studio": {"annotations", "data"},
    "via": {"_via_img_metadata"},
}
"""Keys of the files of programs, or of the first entry of their lists."""

_PROGRAMS_OF_HEADS = {
    "voc": re.compile(rb"<annotation[\s>]"),
    "cvat": re.compile(rb"<annotations[\s>]"),
    "trackmate": re.compile(rb"<TrackMate[\s>]"),
    "ome-xml": re.compile(rb"<(?:\w+:)?OME[\s>]"),
    "xml": re.compile(rb"\s*<(?:\?xml|!DOCTYPE|\w+[\s>])"),
    "napari": re.compile(rb"index,shape-type,vertex-index,axis-0"),
}


def _without_mark(head: bytes) -> bytes:
    """Return the start of a text without the mark of its encoding, as ASCII also if it is in UTF-16."""
    start = head.removeprefix(codecs.BOM_UTF8)
    return start[2:].replace(b"\0", b"") if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else start


def _program_of(head: bytes) -> str | None:
    """Return the program that wrote a file whose objects are not read; None: another one."""
    start = _without_mark(head)
    is_xml = start.lstrip().startswith(b"<")
    for program, pattern in _PROGRAMS_OF_HEADS.items():
        if pattern.search(start) if is_xml else pattern.match(start):
            return program
    return None


def _field_of(file: Path, objects: FieldObjects, *, is_only_file: bool) -> FieldImage | None:
    """Return the field of a file with objects of one field; None: there is none of its name."""
    names = objects.names
    if is_only_file and len(names.fields) == 1:
        if replace(names, unmatched={}, ambiguous={}).match(str(file)) is None:
            objects.other_names[file.name] = None
        return names.fields[0]
    return names.match(str(file))


def _read_json(
    file: Path,
    content: Any,  # Any: JSON values
    name: Path,
    objects: FieldObjects,
    *,
    is_only_file: bool,
) -> str:
    if is_coco(content):
        read_coco(file, content, objects)
        return "coco"
    if is_coco_results(content):
        read_coco_results(file, content, objects)
        return "coco-results"
    if isinstance(content, dict) and {"shapes", "imagePath"} <= content.keys():
        image = str(content["imagePath"]).replace("\\", "/")
        of = replace(objects.names, unmatched={}, ambiguous={}).match(image)
        if (of := of or _field_of(name, objects, is_only_file=is_only_file)) is not None:
            read_labelme(file, content, of, objects)
        return "labelme"
    if not is_geojson(content):
        first = content[0] if isinstance(content, list) and content else content
        for program, keys in _PROGRAMS_OF_JSON.items():
            if isinstance(first, dict) and keys <= first.keys():
                raise BadDataset("objects-of-program", file=file, program=program)
        raise BadDataset("unknown-json", file=file)
    if (of := _field_of(name, objects, is_only_file=is_only_file)) is not None:
        read_geojson(file, content, of, objects)
    return "geojson"


def _read_zip(file: Path, objects: FieldObjects, *, is_only_file: bool) -> str:
    """Add the objects of a zip file: ROIs of one field, or GeoJSON files of fields, as QuPath exports them."""
    rois = [(Path(name).name[:-4], data) for name, data in _entries(file, (".roi",))]
    if rois:
        if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
            read_rois(file, rois, of, objects)
        return "rois"
    documents = list(_entries(file, (".geojson", ".json", ".geojson.gz")))
    if not documents:
        raise BadDataset("no-objects-in-archive", file=file)
    for name, data in documents:
        try:
            content = json.loads(_unpacked(data))
        except (ValueError, RecursionError, zlib.error) as error:
            raise BadDataset("object-file-not-read", file=file, reason=one_line(f"{name}: {error}")) from error
        kind = _read_json(file, content, Path(name), objects, is_only_file=is_only_file and len(documents) == 1)
    return kind


def _read_overlay(file: Path, objects: FieldObjects, *, is_only_file: bool) -> str:
    """Add the ROIs in the overlay of a TIFF of ImageJ.

    Raises:
        BadDataset: the image has no overlay.
    """
    rois = _overlay(file) if file.suffix.lower() in (".tif", ".tiff") else []
    if not rois:
        for _ in read_label_planes(file):  # its error about pickled files comes first
            break
        raise BadDataset("mask-instead-of-outlines", file=file)
    if (of := _field_of(file, objects, is_only_file=is_only_file)) is not None:
        read_rois(file, [("", data) for data in rois], of, objects)
    return "rois"


def _read_database(file: Path, objects: FieldObjects, sources: Sources, choices: TableChoices) -> str:
    """Add the objects of a SQLite database of CellProfiler, whose tables are those that it exports as CSV.

    Raises:
        BadDataset: the database cannot be read, or has not one table of objects and a table of images.
    """
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder, file.name)  # in errors
        tables.mkdir()
        try:
            with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database:
                names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
                used = [name for name in names if re.search(r"(?:^|_)Per_\w+$", name)]
                of_objects = [name for name in used if not name.endswith("Per_Image")]
                if not used or len(used) == len(of_objects):
                    raise BadDataset("objects-of-program", file=file, program="cellprofiler")
                if len(of_objects) != 1:
                    listed = one_line(", ".join(of_objects), 200)
                    raise BadDataset("cellprofiler-tables", file=file, n_tables=len(of_objects), names=listed)
                for name in used:
                    _write_table(database, name, tables / f"{name}.csv")
        except sqlite3.Error as error:
            raise BadDataset("object-file-not-read", file=file, reason=one_line(str(error))) from error
        _read_text(tables / f"{of_objects[0]}.csv", objects, sources, choices, is_only_file=False)
    sources.table = None  # it is not there any more
    return "cellprofiler"


def _write_table(database: sqlite3.Connection, name: str, file: Path) -> None:
    """Write a table of a database as CSV. The number of an object has the name that it has in CSV files."""
    quoted = name.replace('"', '""')
    cells = database.execute(f'SELECT * FROM "{quoted}"')  # noqa: S608 # a name in the database
    columns = [column for column, *_ in cells.description]
    if "ObjectNumber" not in columns:
        columns = [re.sub(r"^\w+_Number_Object_Number$", "ObjectNumber", column) for column in columns]
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(cells)


def read_cell_counter(file: Path, objects: FieldObjects, *, is_only_file: bool) -> None:
    """Add the markers of ImageJ's Cell Counter, whose file names the image. Their class is the name of their type.

    Raises:
        BadDataset: the file cannot be read, or a marker is invalid.
    """
    values: dict[str, str] = {}
    of: FieldImage | None = None
    number = 0
    for match in _CELL_COUNTER.finditer("".join(text_lines(file))):
        name, value = match[1], html.unescape(match[2].strip())
        values[name] = value
        if name == "Image_Filename":
            of = _field_of(Path(value), objects, is_only_file=is_only_file)
        elif name == "Type":
            values["Name"] = f"Type {value}"
        elif name == "MarkerZ" and of is not None:
            number += 1
            with _naming("cell-counter-invalid", file, number):
                plane = _plane_in_stack(int(value), of)
                point = float(values.pop("MarkerX")), float(values.pop("MarkerY"))
                about: Json = {"label": values["Name"], "object_id": str(number), **_planes_of(plane, of)}
                objects.add(of, file, point=_pair(point), **about)


_CELL_COUNTER = re.compile(r"<(Image_Filename|Type|Name|MarkerX|MarkerY|MarkerZ)>([^<]*)</")


def _read_text(
    file: Path, objects: FieldObjects, sources: Sources, choices: TableChoices, *, is_only_file: bool
) -> str:
    kind = _kind_of_lines(text_lines(file, _N_FIRST_LINES))
    if kind in ("tracks", "numbers"):
        raise BadDataset("numbers-without-names", file=file)
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
    table_kind = kind_of_table(table)
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
        return "tracks" if _are_tracks(numbers) else "cellpose"
    if not read.has_comma_separators and all(map(_is_yolo, numbers)):
        return "yolo"
    return (
        "points" if all(len(each) < 3 or (len(each) == 3 and each[2].is_integer()) for each in numbers) else "numbers"
    )


def _are_tracks(rows: Sequence[Sequence[float]]) -> bool:
    """Return whether rows of numbers are boxes of frames, as of MOT: frame, ID, x, y, width, height, probability, …"""
    lengths = {len(row) for row in rows}
    has_probabilities = min(lengths) > _AT_PROBABILITY and all(row[_AT_PROBABILITY] <= 1 for row in rows)
    return len(lengths) == 1 and max(lengths) <= _MOST_OF_TRACKS and (has_probabilities or rows[0][0] <= 1)


_AT_PROBABILITY, _MOST_OF_TRACKS = 6, 10


def _is_yolo(numbers: Sequence[float]) -> bool:
    """Return whether numbers are a class and shares of an image; then flags, a probability or an ID may follow."""
    shares = numbers[1 : 1 + _N_OF_BOX]
    return len(shares) == _N_OF_BOX and numbers[0].is_integer() and all(-0.01 <= each <= 1.01 for each in shares)
