"""Crops of predicted objects as OME-TIFF files: all channels at the depth of the field, without loss."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from coverslip.datasets import name_as_text, one_line
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Noted, OnProgress
from coverslip.files import CsvWriter, atomic_write, safe_cell
from coverslip.images import CropMargin, Fields, Pixels, ReadPlan, ZPlane, describe_image, read_pixels
from coverslip.messages import note
from coverslip.objects.exporting import PredictedObjects, file_of_field, polygons_of, prediction_cells, safe_path
from coverslip.objects.outlines import Array, OutlineBuilder, fill_outlines
from coverslip.objects.table import UNKNOWN, FieldImage, Objects

_COLUMNS = ("path", "image_id", "field", "object_id", "t", "z", "x", "y", "width", "height")
_MOST_NOTES = 5


class CropChoices(BaseModel):
    """The part of a field that is the crop of an object."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    margin: CropMargin = Field(
        default=0.0,
        description="Margin on each side of the box of an object: a share of its longer side, or a length (`2 um`).",
    )
    mask_neighbors: bool = Field(
        default=False,
        description="Whether pixels of other objects, which are not of this object, get the median of the "
        "background of the crop; without background, that of the crop.",
    )
    t: int | None = Field(
        default=None,
        ge=0,
        description="Time point, from 0, of objects whose table states none. Null: that of the prediction if it is "
        "known, otherwise the first.",
    )
    z: ZPlane | None = Field(
        default=None,
        description="Z-plane of objects whose table states none: its number from 0, `max`, `mean`, `best-focus` or "
        "`channels`. Null: that of the prediction if it is known, otherwise the first.",
    )

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
        planes, channels, names = Fields(), _channel_names(field), set[str]()
        for position in range(bounds[number], bounds[number + 1]):
            plan = choices.plan(objects, position, field.series)
            name = _unused(_file_name(objects, position), names)
            file = folders[number] / f"{name}.ome.tif"
            report(position, len(objects))
            try:
                pixels = read_pixels(field.path, plan, fields=planes)
            except UnreadableImage as error:
                n_faults += 1
                if n_faults <= _MOST_NOTES:
                    reason = one_line(f"{error.what}. {error.do}", 300)
                    image_id = one_line(objects.image_id(position))
                    emit(Noted.of(note("crop-not-written", level="warning", object=image_id, reason=reason)))
                continue
            region = plan.crop((field.width, field.height), field.pixel_size_um)
            assert region is not None
            array = pixels.array
            if choices.mask_neighbors:
                of_neighbors, is_object = _masks(objects, position, bounds[number], bounds[number + 1], region)
                array = _without_neighbors(array, of_neighbors, is_object)
            _write_ome(file, array, pixels, objects.image_id(position), channels, field)
            files.append(file)
            place = safe_cell(name_as_text(file.relative_to(out).as_posix()))
            rows.append((place, *_row(objects, position, region), *prediction_cells(predicted, position)))
    if n_faults > _MOST_NOTES:
        emit(Noted.of(note("more-crops-not-written", level="warning", n_objects=n_faults - _MOST_NOTES)))
    report(len(objects), len(objects))
    return [*files, _write_table(out / "crops.csv", rows)]


def _channel_names(field: FieldImage) -> tuple[str, ...]:
    try:
        return describe_image(field.path)[field.series or 0].channels
    except (UnreadableImage, IndexError):
        return ()


def _file_name(objects: Objects, position: int) -> str:
    t, z = int(objects.t[position]), int(objects.z[position])
    tag = f"{f'_t{t}' if t > 0 else ''}{f'_z{z}' if z > 0 else ''}"
    return f"{safe_path(str(objects.object_id[position]).replace('/', '_')).name}{tag}"


def _unused(name: str, used: set[str]) -> str:
    """Return the name, or one with a number that is not used yet, and add it; upper and lower case are the same."""
    numbered = next(each for n in count(1) if (each := name if n == 1 else f"{name}-{n}").casefold() not in used)
    used.add(numbered.casefold())
    return numbered


def _row(objects: Objects, position: int, region: Sequence[int]) -> Iterator[object]:
    field = objects.fields[objects.field[position]]
    yield safe_cell(objects.image_id(position))
    yield safe_cell(field.name)
    yield safe_cell(str(objects.object_id[position]))
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

    def mask_of(positions: Sequence[int]) -> Array:
        builder = OutlineBuilder()
        for each in positions:
            polygons = polygons_of(objects, each, with_box_of_points=True)
            builder.add([[ring - np.array([left, top], np.float32) for ring in polygon] for polygon in polygons])
        return fill_outlines(builder.finish(), np.ones(len(positions), np.uint8), (height, width)) > 0

    return mask_of(near), mask_of([position])


def _write_ome(file: Path, array: Array, pixels: Pixels, name: str, channels: Sequence[str], field: FieldImage) -> None:
    """Write (H, W, C) pixels. Three channels of 8 bit without names are colors."""
    from tifffile import imwrite

    n_channels = array.shape[2]
    is_color = n_channels == 3 and array.dtype.itemsize == 1 and not channels
    metadata: dict[str, object] = {"axes": "YXS" if is_color else "CYX", "Name": one_line(name, 200)}
    size = field.pixel_size_um or pixels.pixel_size_um
    if size is not None:
        metadata |= {"PhysicalSizeX": size[0], "PhysicalSizeXUnit": "µm"}
        metadata |= {"PhysicalSizeY": size[1], "PhysicalSizeYUnit": "µm"}
    if len(channels) == n_channels and not is_color:
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


def _write_table(file: Path, rows: Sequence[Sequence[object]]) -> Path:
    with atomic_write(file) as part, part.open("w", newline="", encoding="utf-8") as stream:
        writer = CsvWriter(stream)
        writer.writerow((*_COLUMNS, "predicted", "probability", "decision"))
        for row in rows:
            writer.writerow(row)
    return file
