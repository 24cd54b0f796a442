"""Files of polygons and boxes of other programs: GeoJSON, ImageJ ROIs, COCO, YOLO, outlines of Cellpose."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from coverslip.datasets import one_line
from coverslip.errors import BadDataset
from coverslip.files import read_bytes
from coverslip.images import open_image
from coverslip.objects.fields import FieldObjects
from coverslip.objects.outlines import Array, Polygon, nested_rings, trace_labels, without_last
from coverslip.objects.table import FieldImage, text_lines

Json = dict[str, Any]
_MAX_BYTES = 2**30
_ELLIPSE_POINTS = 64


def load_json(file: Path) -> Any:  # Any: JSON values
    """Return the content of a JSON file.

    Raises:
        BadDataset: it cannot be read.
    """
    try:
        return json.loads(read_bytes(file, _MAX_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise BadDataset("object-file-not-read", file=file, reason=one_line(str(error))) from error


def is_geojson(content: Any) -> bool:  # Any: JSON values
    """Return whether a JSON value contains features of GeoJSON, as QuPath writes them."""
    if isinstance(content, list):
        return not content or (isinstance(content[0], dict) and "geometry" in content[0])
    return isinstance(content, dict) and content.get("type") in ("FeatureCollection", "Feature")


def read_geojson(file: Path, content: Any, of: FieldImage, objects: FieldObjects) -> None:  # Any: JSON values
    """Add the features of a GeoJSON file. Lines are ignored. The nucleus of a cell is ignored, too.

    Raises:
        BadDataset: a geometry is invalid.
    """
    features = content if isinstance(content, list) else content.get("features", [content])
    for number, feature in enumerate(features, start=1):
        with _naming("geojson-feature-invalid", file, number):
            geometry, properties = feature["geometry"], feature.get("properties") or {}
            kind, coordinates = geometry["type"], geometry["coordinates"]
            metadata = properties.get("metadata") or {}
            identity = str(metadata.get("object_id") or feature.get("id") or "")
            about: Json = {"object_id": "" if identity.startswith("Path") else identity}
            classification = properties.get("classification") or {}
            label = classification if isinstance(classification, str) else classification.get("name", "")
            about["label"] = label or str(properties.get("label") or "")
            plane = geometry.get("plane") or {}
            about |= {axis: int(plane[axis]) for axis in "tz" if plane.get(axis)}
            match kind:
                case "Polygon" | "MultiPolygon":
                    polygons = [coordinates] if kind == "Polygon" else coordinates
                    objects.add(of, file, polygons=[_closed(polygon) for polygon in polygons], **about)
                case "Point":
                    objects.add(of, file, point=_pair(coordinates), **about)
                case "MultiPoint":
                    for k, pair in enumerate(coordinates, start=1):
                        identity = f"{about['object_id']}.{k}" if about["object_id"] else ""
                        objects.add(of, file, point=_pair(pair), **{**about, "object_id": identity})
                case _:
                    objects.n_ignored += 1


def _closed(polygon: Sequence[Sequence[Sequence[float]]]) -> Polygon:
    return [without_last([_pair(point) for point in ring]) for ring in polygon]


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
        if isinstance(error, KeyError | TypeError | ValueError | IndexError | AttributeError | OverflowError):
            raise BadDataset(self._code, file=self._file, number=self._number) from error


def is_roi(head: bytes) -> bool:
    """Return whether a file with these first bytes is an ImageJ ROI, or a zip file that can contain some."""
    return head.startswith((b"Iout", b"PK\x03\x04"))


def read_rois(file: Path, of: FieldImage, objects: FieldObjects) -> None:
    """Add the ROIs of an ImageJ file. Lines and angles are ignored.

    Raises:
        BadDataset: the file cannot be read.
    """
    from roifile import ROI_SUBTYPE, ROI_TYPE, ImagejRoi

    for number, (name, data) in enumerate(_roi_bytes(file), start=1):
        with _naming("roi-invalid", file, number):
            roi = ImagejRoi.frombytes(data)
            properties = roi_properties(roi.props)
            name = properties.get("object_id") or name
            about: Json = {"object_id": name, "label": properties.get("class", "")}
            if roi.t_position > 1:
                about["t"] = roi.t_position - 1
            if roi.z_position > 1:
                about["z"] = roi.z_position - 1
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
                rings = [without_last([_pair(p) for p in ring.tolist()]) for ring in coordinates]
                objects.add(of, file, polygons=nested_rings(rings), **about)
            else:
                objects.n_ignored += 1


def _roi_bytes(file: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each ROI.

    Raises:
        BadDataset: the file cannot be read, is larger than allowed, or contains no ROI.
    """
    import zipfile

    try:
        with open_image(file) as stream:
            if stream.read(4) == b"Iout":
                stream.seek(0)
                yield file.stem, stream.read(_MAX_BYTES)
                return
            with zipfile.ZipFile(stream) as archive:
                entries = [entry for entry in archive.infolist() if entry.filename.lower().endswith(".roi")]
                if not entries:
                    raise BadDataset("no-roi-in-archive", file=file)
                if sum(entry.file_size for entry in entries) > _MAX_BYTES:
                    raise BadDataset("object-file-not-read", file=file, reason=f"> {_MAX_BYTES // 2**20} MiB")
                for entry in entries:
                    yield Path(entry.filename).name[:-4], archive.read(entry)
    except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
        raise BadDataset("object-file-not-read", file=file, reason=one_line(str(error))) from error


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
    """Add the annotations of a COCO file: polygons, run-length encoded masks, or boxes.

    Raises:
        BadDataset: an annotation is invalid.
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
            about: Json = {
                "object_id": str(annotation.get("object_id") or annotation.get("id") or ""),
                "label": name_of.get(annotation.get("category_id"), ""),
            }
            segmentation, box = annotation.get("segmentation"), annotation.get("bbox")
            if isinstance(segmentation, dict):
                label, outlines = trace_labels(coco_mask(segmentation).astype(np.uint8))
                polygons = outlines.polygons(0) if len(label) else []
                objects.add(of, file, polygons=polygons, **about)
            elif segmentation:
                rings = [_ring(numbers) for numbers in segmentation]
                objects.add(of, file, polygons=nested_rings(rings), **about)
            else:
                x, y, width, height = map(float, box)
                if not (width > 0 and height > 0 and math.isfinite(x) and math.isfinite(y)):
                    raise ValueError(box)
                objects.add(of, file, box=(x, y, x + width, y + height), **about)


def _ring(numbers: Sequence[float]) -> list[tuple[float, float]]:
    if len(numbers) % 2:
        raise ValueError(len(numbers))
    return without_last([_pair(pair) for pair in zip(numbers[::2], numbers[1::2], strict=True)])


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
    """Add the boxes or polygons of a YOLO file, whose numbers are shares of the width and height of the field.

    Args:
        file: for errors.
        lines: of the file.
        classes: names by number; a missing name is the number.
        of: the field of the file.
        objects: receives the objects.

    Raises:
        BadDataset: a line is invalid.
    """
    for number, line in enumerate(lines, start=1):
        words = line.split()
        if not words:
            continue
        with _naming("yolo-line-invalid", file, number):
            label, numbers = int(float(words[0])), list(map(float, words[1:]))
            if label < 0 or not all(-1 <= each <= 2 for each in numbers):
                raise ValueError(line)
            about: Json = {"label": classes[label] if label < len(classes) else str(label), "object_id": str(number)}
            if len(numbers) in (4, 5):  # five: with a probability
                x, y, width, height = (n * side for n, side in zip(numbers[:4], (of.width, of.height) * 2, strict=True))
                if not (width > 0 and height > 0):
                    raise ValueError(line)
                objects.add(of, file, box=(x - width / 2, y - height / 2, x + width / 2, y + height / 2), **about)
            else:
                ring = [(x * of.width, y * of.height) for x, y in _ring(numbers)]
                objects.add(of, file, polygons=[[ring]], **about)


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
                objects.add(of, file, polygons=[[_ring(numbers)]], object_id=str(number))
