"""Predicted objects for other programs: GeoJSON, label images, ImageJ ROI sets, COCO, LabelMe, a table, and crops."""

import base64
import io
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

import numpy as np
from pydantic import ConfigDict, Field

from coverslip.datasets.names import name_as_text, one_line
from coverslip.documented_fields import DocumentedModel
from coverslip.errors import BadDataset, CoverslipError, UnreadableImage
from coverslip.events import Emit, Noted, OnProgress
from coverslip.files import ReadyCell, atomic_write, stated_paths, write_csv
from coverslip.images.decoding import Fields, read_pixels
from coverslip.images.reader import CropMargin, ReadPlan, ZPlane
from coverslip.images.reading import Pixels
from coverslip.messages import Note, note
from coverslip.objects.outlines import Array, OutlineBuilder, Outlines, fill_outlines, signed_area
from coverslip.objects.table import UNKNOWN, FieldImage, Objects, measurement_cell

Json = dict[str, Any]
ObjectFormat = Literal["geojson", "label-tiff", "rois", "coco", "labelme", "cellprofiler", "ome-tiff"]
OBJECT_FORMATS: tuple[ObjectFormat, ...] = get_args(ObjectFormat)
_SUFFIXES = {"geojson": ".geojson", "rois": ".zip", "coco": ".json", "labelme": ".json", "cellprofiler": ".csv"}
_NO_CLASS = UNKNOWN


@dataclass(frozen=True, slots=True)
class PredictedObjects:
    """Objects with the predictions of a classifier."""

    objects: Objects
    classes: tuple[str, ...]
    colors: tuple[str, ...]  # `#rrggbb` of each class
    predicted: Array  # (n,) int32 positions in `classes`; -1: not predicted
    probability: Array  # (n,) float32; NaN: unknown
    decision: Array  # (n,) text; empty: not predicted

    def class_name(self, position: int) -> str:
        """Return the predicted class of an object; empty if there is none."""
        k = int(self.predicted[position])
        return "" if k == _NO_CLASS else self.classes[k]

    def known_probability(self, position: int) -> float | None:
        """Return the probability of the class of an object; None if it is unknown."""
        probability = float(self.probability[position])
        return None if math.isnan(probability) else probability


def export_predicted(predicted: PredictedObjects, to: ObjectFormat, out: Path, report: OnProgress) -> list[Path]:
    """Write objects and their predicted classes.

    Args:
        predicted: the objects.
        to: the format.
        out: a file for `coco`, `cellprofiler` and objects of a single field; otherwise a folder, which gets a file for
            each field.
        report: receives the number of finished fields, and of all fields.

    Returns:
        The written files.

    Raises:
        BadDataset: the size of a field is unknown, because its file cannot be read.
        CoverslipError: a file cannot be written.
    """
    match to:
        case "coco":
            return [_write_json(_single(out, to), _coco(predicted, report))]
        case "cellprofiler":
            return [_write_cellprofiler(predicted, _single(out, to), report)]
    files = file_of_field(predicted.objects.fields, to, out)
    written: list[Path] = []
    positions = np.split(np.arange(len(predicted.objects)), np.cumsum(predicted.objects.n_of_field)[:-1])
    for number, (field, of_field) in enumerate(zip(predicted.objects.fields, positions, strict=True)):
        file = files[number]
        match to:
            case "geojson":
                written.append(_write_json(file, _geojson(predicted, of_field)))
            case "rois":
                written.append(_write_rois(predicted, of_field, file))
            case "labelme":
                _check_size(field)
                written.append(_write_json(file, _labelme(predicted, field, of_field, stated_paths(file.parent))))
            case _:
                written += _write_labels(predicted, field, of_field, file)
        report(number + 1, len(files))
    if to == "label-tiff":
        written += [_write_classes(predicted, out), _write_label_ids(predicted, out)]
    return written


def _single(out: Path, to: ObjectFormat) -> Path:
    if out.is_dir():
        raise CoverslipError("export-objects-to-folder", file=out, format=to, suffix=_SUFFIXES[to])
    return out


def file_of_field(fields: Sequence[FieldImage], to: str, out: Path) -> list[Path]:
    """Return the file of each field, no two of which are the same.

    If there is a single field and `out` has the suffix of the format, the file is `out` itself.

    Args:
        fields: the fields.
        to: the format; without a suffix of its own, the names have none.
        out: a file or a folder.

    Raises:
        CoverslipError: there are several fields, and `out` is a file.
    """
    suffix = _SUFFIXES.get(to, "")
    if suffix and len(fields) == 1 and out.suffix.lower() == suffix:
        return [out]
    if out.is_file() or (suffix and out.suffix.lower() == suffix):
        raise CoverslipError("export-objects-to-file", file=out, format=to, n_fields=len(fields))
    stems = [_file_name(field) for field in fields]
    counts = Counter(stems)
    names = [
        stem if counts[stem] == 1 else safe_path(field.name).as_posix()
        for stem, field in zip(stems, fields, strict=True)
    ]
    used = set[str]()
    return [out / f"{_unused(name, used)}{suffix}" for name in names]


def _file_name(field: FieldImage) -> str:
    path = safe_path(field.name_of_file)
    plain = path.with_name(re.sub(r"(?:\.ome)?\.[^.]+$", "", path.name) or path.name)
    return f"{plain}{'' if field.series is None else f'_series={field.series}'}"


def safe_path(name: str) -> PurePosixPath:
    """Return a name of a field as a relative path below the folder of the export."""
    parts = [re.sub(r'[<>:"|?*\\\x00-\x1f]', "_", part) for part in name.split("/") if part not in ("", ".", "..")]
    return PurePosixPath(*parts or ["field"])


def _write_json(file: Path, pieces: Iterator[str]) -> Path:
    with atomic_write(file) as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(pieces)
    return file


def _json_list(values: Iterator[Json]) -> Iterator[str]:
    yield "["
    for number, value in enumerate(values):
        yield (",\n" if number else "\n") + json.dumps(value, ensure_ascii=False, allow_nan=False)
    yield "\n]"


def _geojson(predicted: PredictedObjects, positions: Array) -> Iterator[str]:
    yield '{"type": "FeatureCollection", "features": '
    yield from _json_list(_feature(predicted, position) for position in positions.tolist())
    yield "}\n"


def _feature(predicted: PredictedObjects, position: int) -> Json:
    objects = predicted.objects
    object_id = str(objects.object_id[position])
    properties: Json = {"objectType": "detection", "name": object_id, "metadata": {"object_id": object_id}}
    if name := predicted.class_name(position):
        properties["classification"] = {"name": name, "color": _rgb(predicted, position)}
        if (probability := predicted.known_probability(position)) is not None:
            properties["measurements"] = {"probability": round(probability, 6)}
    if measurements := objects.measurements(position):
        properties["measurements"] = {**properties.get("measurements", {}), **measurements}
    if decision := str(predicted.decision[position]):
        properties["metadata"]["decision"] = decision
    geometry = _geometry(objects, position)
    positions = {"z": int(objects.z[position]), "t": int(objects.t[position])}
    if plane := {axis: at for axis, at in positions.items() if at != UNKNOWN}:
        geometry["plane"] = {"c": -1, **plane}
    feature: Json = {"type": "Feature", "geometry": geometry, "properties": properties}
    if _UUID.fullmatch(object_id):  # QuPath's, which keeps it
        feature["id"] = object_id
    return feature


_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def _rgb(predicted: PredictedObjects, position: int) -> list[int]:
    color = predicted.colors[int(predicted.predicted[position])]
    return [int(color[k : k + 2], 16) for k in (1, 3, 5)]


def _geometry(objects: Objects, position: int) -> Json:
    polygons = objects.polygons(position)
    if len(polygons[0][0]) == 1:
        return {"type": "Point", "coordinates": _coordinates(polygons[0][0])[0]}
    closed = [[[*(points := _coordinates(ring)), points[0]] for ring in polygon] for polygon in polygons]
    if len(closed) == 1:
        return {"type": "Polygon", "coordinates": closed[0]}
    return {"type": "MultiPolygon", "coordinates": closed}


def _coordinates(ring: Array) -> list[list[float]]:
    return [[_plain_number(x), _plain_number(y)] for x, y in ring.tolist()]


def _plain_number(value: float) -> float:
    return int(value) if value == int(value) else round(value, 3)


def _coco(predicted: PredictedObjects, report: OnProgress) -> Iterator[str]:
    objects = predicted.objects
    yield '{"images": '
    yield from _json_list(
        {"id": k + 1, "file_name": field.name, "width": field.width, "height": field.height}
        for k, field in enumerate(objects.fields)
    )
    yield ', "categories": '
    no_class = [] if (predicted.predicted != _NO_CLASS).all() else [{"id": _NO_CLASS + 1, "name": ""}]
    yield from _json_list(chain(no_class, ({"id": k, "name": name} for k, name in enumerate(predicted.classes, 1))))
    yield ', "annotations": '
    yield from _json_list(_annotation(predicted, position) for position in range(len(objects)))
    yield "}\n"
    report(len(objects.fields), len(objects.fields))


def _annotation(predicted: PredictedObjects, position: int) -> Json:
    objects = predicted.objects
    x, y, width, height = objects.box[position].tolist()
    polygons = objects.outlines.polygons(position)
    area: float = width * height
    segmentation: object = []
    if polygons and len(polygons[0][0]) > 1:
        area = sum(signed_area(ring) for ring in chain.from_iterable(polygons))
        if all(len(polygon) == 1 for polygon in polygons):
            segmentation = [[n for point in _coordinates(polygon[0]) for n in point] for polygon in polygons]
        else:  # polygons of COCO have no holes
            segmentation = _run_lengths(objects, position)
    annotation: Json = {
        "id": position + 1,
        "image_id": int(objects.field[position]) + 1,
        "object_id": str(objects.object_id[position]),
        "bbox": [x, y, width, height],
        "area": round(area, 3),
        "iscrowd": 0,
        "segmentation": segmentation,
        "category_id": int(predicted.predicted[position]) + 1,  # which readers need, also of objects without a class
    }
    if (probability := predicted.known_probability(position)) is not None:
        annotation["score"] = round(probability, 6)
    if measurements := objects.measurements(position):
        annotation["measurements"] = measurements
    return annotation


def _run_lengths(objects: Objects, position: int) -> Json:
    field = objects.fields[objects.field[position]]
    _check_size(field)
    mask = fill_outlines(objects.outlines.take(np.array([position])), np.ones(1, np.uint8), (field.height, field.width))
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], edges, [len(flat)]])).tolist()
    return {"size": [field.height, field.width], "counts": [0, *counts] if flat[0] else counts}


def _labelme(
    predicted: PredictedObjects, field: FieldImage, positions: Array, stated: Callable[[str], str]
) -> Iterator[str]:
    """Yield a file of LabelMe, which keeps further keys of shapes, such as `object_id`."""
    about: Json = {
        "version": "5.4.1",
        "flags": {},
        "imagePath": Path(stated(str(field.path))).as_posix(),
        "imageData": None,
    }
    yield json.dumps({**about, "imageHeight": field.height, "imageWidth": field.width}, ensure_ascii=False)[:-1]
    yield ', "shapes": '
    yield from _json_list(
        shape for number, position in enumerate(positions.tolist(), 1) for shape in _shapes(predicted, position, number)
    )
    yield "}\n"


def _shapes(predicted: PredictedObjects, position: int, number: int) -> Iterator[Json]:
    """Yield the shapes of an object: a point, a mask if it has holes, else polygons, which a number groups."""
    objects = predicted.objects
    about: Json = {"label": predicted.class_name(position), "group_id": None, "description": "", "flags": {}}
    about["object_id"] = str(objects.object_id[position])
    if (probability := predicted.known_probability(position)) is not None:
        about["probability"] = round(probability, 6)
    if measurements := objects.measurements(position):
        about["measurements"] = measurements
    about |= {axis: int(at[position]) for axis, at in (("t", objects.t), ("z", objects.z)) if at[position] != UNKNOWN}
    polygons = objects.polygons(position)
    if any(len(polygon) > 1 for polygon in polygons):
        left, top, *_ = box = objects.box[position].tolist()
        mask = objects.mask([position], box)
        corners = [[left, top], [left + mask.shape[1] - 1, top + mask.shape[0] - 1]]
        yield {**about, "shape_type": "mask", "points": corners, "mask": _png(mask)}
        return
    kind = "point" if len(polygons[0][0]) == 1 else "polygon"
    about["group_id"] = number if len(polygons) > 1 else None
    for polygon in polygons:
        yield {**about, "shape_type": kind, "points": _coordinates(polygon[0])}


def _png(mask: Array) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _check_size(field: FieldImage) -> None:
    if not field.width:
        raise BadDataset("field-of-unknown-size", file=field.path, field=one_line(field.name))


def _write_rois(predicted: PredictedObjects, positions: Array, file: Path) -> Path:
    import zipfile

    names = set[str]()
    with atomic_write(file) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for position in positions.tolist():
            name = _unused(safe_path(_roi_name(predicted, position).replace("/", "_")).as_posix(), names)
            archive.writestr(zipfile.ZipInfo(f"{name}.roi"), _roi(predicted, position, name))
    return file


def _roi_name(predicted: PredictedObjects, position: int) -> str:
    return f"{predicted.class_name(position)} {predicted.objects.object_id[position]}".strip()


def _roi(predicted: PredictedObjects, position: int, name: str) -> bytes:
    from roifile import ROI_TYPE, ImagejRoi

    objects = predicted.objects
    polygons = objects.polygons(position)
    is_single = len(polygons) == 1 and len(polygons[0]) == 1
    roi = ImagejRoi.frompoints(polygons[0][0].astype(np.float32), name=name)
    if not is_single:
        path = [number for ring in chain.from_iterable(polygons) for number in _path(ring)]
        left, top = np.floor(np.min([polygon[0].min(axis=0) for polygon in polygons], axis=0)).astype(int).tolist()
        right, bottom = np.ceil(np.max([polygon[0].max(axis=0) for polygon in polygons], axis=0)).astype(int).tolist()
        roi = ImagejRoi(name=name, roitype=ROI_TYPE.RECT, left=left, top=top, right=right, bottom=bottom)
        roi.multi_coordinates = np.array(path, np.float32)
        roi.shape_roi_size = len(path)
    elif len(polygons[0][0]) == 1:
        roi.roitype = ROI_TYPE.POINT
    else:
        roi.roitype = ROI_TYPE.POLYGON
    properties = [f"object_id: {one_line(str(objects.object_id[position]), 200)}"]
    if label := predicted.class_name(position):
        roi.stroke_color = bytes([255, *_rgb(predicted, position)])
        roi.group = int(predicted.predicted[position]) % 255 + 1
        properties.append(f"class: {one_line(label, 200)}")
        if (probability := predicted.known_probability(position)) is not None:
            properties.append(f"probability: {probability:.6f}")
    roi.props = "".join(f"{line}\n" for line in properties)
    if (t := int(objects.t[position])) != UNKNOWN:
        roi.t_position = t + 1
    if (z := int(objects.z[position])) != UNKNOWN:
        roi.z_position = z + 1
    data: bytes = roi.tobytes()
    return data


_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0


def _path(ring: Array) -> Iterator[float]:
    """Yield a ring as a path of Java: move, lines, close."""
    for number, (x, y) in enumerate(ring.tolist()):
        yield from (_LINE if number else _MOVE, x, y)
    yield _CLOSE


def label_numbers(objects: Objects, positions: Array) -> Array:
    """Return the labels of objects in a label image: their IDs if all are different numbers, else 1 to n."""
    ids = [str(objects.object_id[position]) for position in positions.tolist()]
    are_numbers = all(each.isascii() and each.isdecimal() and 0 < int(each) < 2**32 for each in ids)
    if are_numbers and len(set(map(int, ids))) == len(ids):
        return np.array([int(each) for each in ids], np.uint32)
    return np.arange(1, len(ids) + 1, dtype=np.uint32)


def _write_labels(predicted: PredictedObjects, field: FieldImage, positions: Array, file: Path) -> list[Path]:
    """Write the label image and the image of class numbers of a field, with planes for each axis that objects state."""
    from tifffile import imwrite

    _check_size(field)
    objects = predicted.objects
    outlines, numbers = objects.outlines.take(positions), label_numbers(objects, positions)
    has_area = ~np.isnan(outlines.areas())
    if not has_area.all():
        outlines = _with_boxes(objects, positions)
    all_axes = (("T", field.n_times, objects.t[positions]), ("Z", field.n_z, objects.z[positions]))
    axes = [(axis, n, np.maximum(at, 0)) for axis, n, at in all_axes if (at != UNKNOWN).any()]
    n_planes, size = tuple(n for _, n, _ in axes), (field.height, field.width)
    classes = (predicted.predicted[positions] + 1).astype(np.uint16)
    files = []
    for name, values in (("labels", numbers), ("classes", classes)):
        planes = []
        for plane in np.ndindex(n_planes):
            is_inside = np.ones(len(values), bool)
            for k, (_, _, at) in zip(plane, axes, strict=True):
                is_inside &= at == k
            planes.append(fill_outlines(outlines.take(np.flatnonzero(is_inside)), values[is_inside], size))
        files.append(file.with_name(f"{file.name}_{name}.tif"))
        with atomic_write(files[-1]) as part:
            imwrite(
                part,
                np.stack(planes).reshape(*n_planes, *size),
                photometric="minisblack",
                compression="zlib",
                metadata={"axes": "".join([*(axis for axis, _, _ in axes), "YX"])},
            )
    return files


def _with_boxes(objects: Objects, positions: Array) -> Outlines:
    """Return the outlines of objects, with boxes for points and objects without an outline."""
    builder = OutlineBuilder()
    for position in positions.tolist():
        builder.add(objects.polygons(position, with_box_of_points=True))
    return builder.finish()


def _write_classes(predicted: PredictedObjects, out: Path) -> Path:
    file = out / "classes.csv"
    rows = ((k + 1, name, predicted.colors[k]) for k, name in enumerate(predicted.classes))
    return write_csv(file, ("class_number", "class", "color"), rows)


def _write_label_ids(predicted: PredictedObjects, out: Path) -> Path:
    objects = predicted.objects
    bounds = np.cumsum([0, *objects.n_of_field])

    def rows() -> Iterator[Sequence[object]]:
        for number, field in enumerate(objects.fields):
            positions = np.arange(bounds[number], bounds[number + 1])
            labels = label_numbers(objects, positions)
            for label, position in zip(labels.tolist(), positions.tolist(), strict=True):
                yield field.name, label, str(objects.object_id[position]), *prediction_cells(predicted, position)

    return write_csv(out / "labels.csv", ("field", "label", "object_id", *_PREDICTION_COLUMNS), rows())


_PREDICTION_COLUMNS = ("predicted", "probability", "decision")


def prediction_cells(predicted: PredictedObjects, position: int) -> tuple[str, str, str]:
    """Return the predicted class, its probability and the decision as cells of a table."""
    probability = predicted.known_probability(position)
    return (
        predicted.class_name(position),
        "" if probability is None else f"{probability:.6f}",
        str(predicted.decision[position]),
    )


def _write_cellprofiler(predicted: PredictedObjects, file: Path, report: OnProgress) -> Path:
    """Write a table that joins with those of CellProfiler, whose positions count centers of pixels from 0."""
    objects = predicted.objects
    names_of = {name: _name_in_cellprofiler(name) for name in objects.measured}

    def rows() -> Iterator[Sequence[object]]:
        names = [name_as_text(field.path.name) for field in objects.fields]
        for position in range(len(objects)):
            field = int(objects.field[position])
            x, y = _center(objects, position)
            values = objects.measurements(position)
            yield (
                field + 1,
                str(objects.object_id[position]),
                names[field],
                str(objects.fields[field].path.parent),
                ReadyCell(f"{x - 0.5:.3f}"),
                ReadyCell(f"{y - 0.5:.3f}"),
                *prediction_cells(predicted, position),
                *(ReadyCell(measurement_cell(values.get(name, math.nan))) for name in names_of),
            )
            report(field + 1, len(objects.fields))

    columns = ("ImageNumber", "ObjectNumber", "FileName", "PathName", "Location_Center_X", "Location_Center_Y")
    return write_csv(file, (*columns, *_PREDICTION_COLUMNS, *names_of.values()), rows())


def _name_in_cellprofiler(column: str) -> str:
    """Return the name of a measurement in CellProfiler; solidity is that of the convex hull of pixels there, too."""
    name, _, channel = column.partition(" ")
    return _CELLPROFILER_NAMES[name] + (f"_{channel}" if channel else "")


_CELLPROFILER_NAMES = {
    "area_px": "AreaShape_Area",
    "perimeter_px": "AreaShape_Perimeter",
    "solidity": "AreaShape_Solidity",
    "intensity_mean": "Intensity_MeanIntensity",
    "intensity_sum": "Intensity_IntegratedIntensity",
}


def _center(objects: Objects, position: int) -> tuple[float, float]:
    """Return the centroid of an object; the center of its box if it has no area."""
    rings = objects.outlines.rings(position)
    x, y, width, height = objects.box[position].tolist()
    if len(rings) == 1 and len(rings[0]) == 1:
        return float(rings[0][0][0]), float(rings[0][0][1])
    moments = np.zeros(3)
    for ring in rings:
        (x0, y0), (x1, y1) = ring.astype(np.float64).T, np.roll(ring, -1, axis=0).astype(np.float64).T
        cross = x0 * y1 - x1 * y0
        moments += cross.sum() / 2, ((x0 + x1) * cross).sum() / 6, ((y0 + y1) * cross).sum() / 6
    if moments[0] <= 0:
        return x + width / 2, y + height / 2
    return float(moments[1] / moments[0]), float(moments[2] / moments[0])


def predicted_objects(
    objects: Objects, rows: Mapping[str, tuple[str, float, str]], classes: Sequence[str], colors: Sequence[str]
) -> tuple[PredictedObjects, int]:
    """Return objects with their predictions, and the number of predictions of other images.

    Args:
        objects: the objects.
        rows: predicted class (empty: none), probability (NaN: unknown) and decision by image_id.
        classes: in the order of the classifier.
        colors: of the classes.
    """
    number = {name: k for k, name in enumerate(classes)}
    predicted = np.full(len(objects), _NO_CLASS, np.int32)
    probability = np.full(len(objects), np.nan, np.float32)
    decision = np.full(len(objects), "", np.dtypes.StringDType())
    n_matched = 0
    for position, image_id in enumerate(objects.image_ids):
        row = rows.get(image_id)
        if row is None:
            continue
        n_matched += 1
        predicted[position], probability[position] = number.get(row[0], _NO_CLASS), row[1]
        decision[position] = row[2]
    result = PredictedObjects(objects, tuple(classes), tuple(colors), predicted, probability, decision)
    return result, len(rows) - n_matched


def notes_on_matches(n_other: int, n_without: int) -> Iterator[Note]:
    """Yield a note on predictions that are of no object, and one on objects that have no prediction."""
    if n_other:
        yield note("predictions-without-object", level="warning", n_predictions=n_other)
    if n_without:
        yield note("objects-without-prediction", level="warning", n_objects=n_without)


# Crops of predicted objects as OME-TIFF files: all channels at the depth of the field, without loss.

_CROP_COLUMNS = ("path", "image_id", "field", "object_id", "t", "z", "x", "y", "width", "height")
_MOST_NOTES = 5


class CropChoices(DocumentedModel):
    """The part of a field that is the crop of an object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: CropMargin = 0.0
    """Margin on each side of the box of an object: a share of its longer side, or a length (`2 um`)."""
    mask_neighbors: bool = False
    """Whether pixels of other objects, which are not of this object, get the median of the background of the crop;
    without background, that of the crop."""
    t: int | None = Field(default=None, ge=0)
    """Time point, from 0, of objects whose table states none. Null: that of the prediction if it is known, otherwise
    the first."""
    z: ZPlane | None = None
    """Z-plane of objects whose table states none: its number from 0, `max`, `mean`, `best-focus` or `channels`. Null:
    that of the prediction if it is known, otherwise the first."""

    def plan(self, objects: Objects, position: int, series: int | None) -> ReadPlan:
        """Return the pixels of the crop of an object."""
        field = objects.fields[objects.field[position]]
        x, y, width, height = objects.box[position].tolist()
        size = field.pixel_size_um if field.is_pixel_size_stated else None
        return ReadPlan(
            series=series or 0,
            t=(self.t or 0) if objects.t[position] == UNKNOWN else int(objects.t[position]),
            z=(self.z or 0) if objects.z[position] == UNKNOWN else int(objects.z[position]),
            region=(x, y, width, height),
            crop_margin=self.margin,
            pixel_size_um=None if size is None else size[0],
        )


def write_crops(
    predicted: PredictedObjects, out: Path, choices: CropChoices, emit: Emit, report: OnProgress
) -> list[Path]:
    """Write the crop of each object, in a folder for each field, and `crops.csv` with their predictions.

    A crop that cannot be read is reported; the other crops are written.

    Args:
        predicted: the objects.
        out: the folder.
        choices: the margin, and whether neighbors are masked.
        emit: receives notes.
        report: receives the number of finished objects, and of all objects.

    Returns:
        The written files, `crops.csv` last.

    Raises:
        CoverslipError: a file cannot be written.
    """
    objects, files, rows = predicted.objects, list[Path](), list[Sequence[object]]()
    folders = file_of_field(objects.fields, "", out)
    bounds = np.cumsum([0, *objects.n_of_field]).tolist()
    n_faults = 0
    for number, field in enumerate(objects.fields):
        planes, names = Fields(), set[str]()
        for position in range(bounds[number], bounds[number + 1]):
            plan = choices.plan(objects, position, field.series)
            name = _unused(_crop_name(objects, position), names)
            file = folders[number] / f"{name}.ome.tif"
            report(position, len(objects))
            try:
                pixels = read_pixels(field.path, plan, fields=planes)
            except UnreadableImage as error:
                n_faults += 1
                if n_faults <= _MOST_NOTES:
                    image_id = one_line(objects.image_id(position))
                    emit(Noted.of(note("crop-not-written", level="warning", object=image_id, reason=error.advice)))
                continue
            region = plan.crop((field.width, field.height), field.pixel_size_um)
            assert region is not None
            array = pixels.array
            if choices.mask_neighbors:
                of_neighbors, is_object = _masks(objects, position, bounds[number], bounds[number + 1], region)
                array = _without_neighbors(array, of_neighbors, is_object)
            _write_ome(file, array, pixels, objects.image_id(position), field)
            files.append(file)
            place = name_as_text(file.relative_to(out).as_posix())
            rows.append((place, *_object_cells(objects, position, region), *prediction_cells(predicted, position)))
    if n_faults > _MOST_NOTES:
        emit(Noted.of(note("more-crops-not-written", level="warning", n_objects=n_faults - _MOST_NOTES)))
    report(len(objects), len(objects))
    return [*files, write_csv(out / "crops.csv", (*_CROP_COLUMNS, *_PREDICTION_COLUMNS), rows)]


def _crop_name(objects: Objects, position: int) -> str:
    t, z = int(objects.t[position]), int(objects.z[position])
    tag = f"{f'_t{t}' if t > 0 else ''}{f'_z{z}' if z > 0 else ''}"
    return f"{safe_path(str(objects.object_id[position]).replace('/', '_')).name}{tag}"


def _unused(name: str, used: set[str]) -> str:
    """Return the name, or one with a number that is not used yet, and add it; upper and lower case are the same."""
    numbered = next(each for n in count(1) if (each := name if n == 1 else f"{name}-{n}").casefold() not in used)
    used.add(numbered.casefold())
    return numbered


def _object_cells(objects: Objects, position: int, region: Sequence[int]) -> Iterator[object]:
    field = objects.fields[objects.field[position]]
    yield objects.image_id(position)
    yield field.name
    yield str(objects.object_id[position])
    for number in (int(objects.t[position]), int(objects.z[position])):
        yield "" if number == UNKNOWN else number
    yield from region


def _without_neighbors(array: Array, of_neighbors: Array, is_object: Array) -> Array:
    """Return a copy of (height, width, channels) pixels; those of neighbors have the median of the background.

    Without background, they have that of all pixels.
    """
    background = array[~of_neighbors & ~is_object]
    masked = array.copy()
    masked[of_neighbors & ~is_object] = np.median(
        background if len(background) else array.reshape(-1, array.shape[2]), axis=0
    ).astype(array.dtype)
    return masked


def _masks(objects: Objects, position: int, first: int, end: int, region: Sequence[int]) -> tuple[Array, Array]:
    """Return the (height, width) pixels of a region that belong to other objects of its plane, and to the object.

    An object without time point or z-plane is in all of them.
    """
    left, top, width, height = region
    x, y, box_width, box_height = objects.box[first:end].T
    is_near = (x < left + width) & (y < top + height) & (x + box_width > left) & (y + box_height > top)
    for plane in (objects.t[first:end], objects.z[first:end]):
        of_object = plane[position - first]
        is_near &= (plane == of_object) | (plane == UNKNOWN) | (of_object == UNKNOWN)
    near = [first + int(k) for k in np.flatnonzero(is_near) if first + int(k) != position]
    return objects.mask(near, region), objects.mask([position], region)


def _write_ome(file: Path, array: Array, pixels: Pixels, name: str, field: FieldImage) -> None:
    """Write (H, W, C) pixels. Three channels of 8 bit without names are colors."""
    from tifffile import imwrite

    channels = pixels.channel_names
    is_color = array.shape[2] == 3 and array.dtype.itemsize == 1 and not channels
    metadata: dict[str, object] = {"axes": "YXS" if is_color else "CYX", "Name": one_line(name, 200)}
    size = field.pixel_size_um or pixels.pixel_size_um
    if size is not None:
        metadata |= {"PhysicalSizeX": size[0], "PhysicalSizeXUnit": "µm"}
        metadata |= {"PhysicalSizeY": size[1], "PhysicalSizeYUnit": "µm"}
    if channels:
        metadata["Channel"] = {"Name": list(map(one_line, channels))}
    with atomic_write(file) as part:
        imwrite(
            part,
            array if is_color else array.transpose(2, 0, 1),
            ome=True,
            photometric="rgb" if is_color else "minisblack",
            compression="zlib",
            metadata=metadata,
        )
