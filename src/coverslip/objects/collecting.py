"""Objects in fields of view from masks, outlines, points or a finder, in one table."""

import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from coverslip.datasets.columns import TableChoices, Unit
from coverslip.datasets.index.opening import ImageSource
from coverslip.datasets.index.records import Dataset
from coverslip.datasets.names import is_hidden, natural_key, one_line, some
from coverslip.errors import BadDataset, CoverslipError, UnreadableImage
from coverslip.events import Emit, Noted, progress_reporter, show
from coverslip.images.decoding import read_pixels
from coverslip.images.formats import is_image_folder
from coverslip.images.preprocessing import channel_order, usual_orders
from coverslip.images.reader import ReadPlan, pixel_side
from coverslip.images.zarr_labels import label_folders
from coverslip.messages import Message, Note, message, note
from coverslip.notebooks import html_table
from coverslip.objects.fields import FieldNames, FieldObjects, PointSize, list_fields
from coverslip.objects.finders import find_with, finder_record
from coverslip.objects.finding import FinderSettings
from coverslip.objects.measuring import with_measurements
from coverslip.objects.object_files import (
    LABEL_SUFFIXES,
    OBJECT_SUFFIXES,
    LabelPlane,
    Sources,
    is_companion,
    is_table_of_objects,
    read_label_planes,
    read_object_file,
)
from coverslip.objects.outlines import Array, OutlineBuilder, trace_labels
from coverslip.objects.table import FINDER, UNKNOWN, FieldImage, Objects, ObjectsBuilder
from coverslip.objects.tables_of_programs import ObjectTablePreview, preview_object_table
from coverslip.stopping import Deadline

_MEGAPIXEL = 10**6


@dataclass(frozen=True, slots=True)
class FirstObject:
    """One of the first objects, as it is in the table of objects."""

    image_id: str
    field: str
    object_id: str
    box: tuple[int, int, int, int]  # x, y, width, height in pixels
    label: str  # empty: unknown


@dataclass(frozen=True, slots=True)
class ObjectsSummary:
    """What was read, before and after it is written."""

    kind: str  # of the source, an identifier: "masks", "geojson", ...; of several kinds: with commas between them
    n_files: int  # of objects
    n_read: int  # files that were read; fewer than `n_files`, if the time was limited
    n_objects: int
    n_of_field: dict[str, int]  # objects of each field
    n_of_label: dict[str, int]  # objects of each class; empty: there are no classes
    n_at_edge: int
    side_px: tuple[float, float, float]  # smallest, median and largest side of the boxes
    area_um2: tuple[float, float, float] | None  # smallest, median, largest; None: unknown
    unmatched: tuple[str, ...]  # names of files and images that match no field
    ambiguous: tuple[str, ...]  # names that match several fields
    matches: dict[str, str]  # from names of files and images to fields
    fields: tuple[FieldImage, ...]  # with their sizes, groups and further columns
    first: tuple[FirstObject, ...]  # the first objects
    table: ObjectTablePreview | None = None  # the first table among the files

    def __repr__(self) -> str:
        """Return the numbers of objects, fields and classes."""
        classes = "".join(f", {name}: {n:,}" for name, n in self.n_of_label.items())
        return f"{self.n_objects:,} objects in {len(self.n_of_field):,} fields ({self.kind}){classes}"

    def _repr_html_(self) -> str:
        """Return the number of objects of each field, for notebooks."""
        return html_table(repr(self), ("field", "objects"), list(self.n_of_field.items()))

    @property
    def n_empty(self) -> int:
        """The number of fields without objects."""
        return sum(not n for n in self.n_of_field.values())


def summarize(
    objects: Objects, names: FieldNames, sources: Sources, table: ObjectTablePreview | None = None
) -> ObjectsSummary:
    """Return the summary of objects.

    Args:
        objects: with all fields.
        names: that were matched to fields.
        sources: the files, or the finder.
        table: the first table among the files.
    """
    n_of_field = {each.name: 0 for each in names.fields}
    n_of_field |= {each.name: n for each, n in zip(objects.fields, objects.n_of_field, strict=True)}
    counts = np.bincount(objects.label[objects.label >= 0], minlength=len(objects.labels))
    sides = objects.box[:, 2:].max(axis=1)
    areas = objects.area_um2[~np.isnan(objects.area_um2)]
    return ObjectsSummary(
        kind=", ".join(sources.kinds),
        n_files=sources.n_files,
        n_read=sum(sources.kinds.values()),
        n_objects=len(objects),
        n_of_field=n_of_field,
        n_of_label={
            name: int(counts[k]) for k, name in sorted(enumerate(objects.labels), key=lambda p: natural_key(p[1]))
        },
        n_at_edge=int((objects.at_edge == 1).sum()),
        side_px=_spread(sides),
        area_um2=_spread(areas) if len(areas) else None,
        unmatched=tuple(names.unmatched),
        ambiguous=tuple(names.ambiguous),
        matches={name: of.name for name, of in names.matched.items()},
        fields=tuple(names.fields),
        first=tuple(_first_object(objects, k) for k in range(min(_N_FIRST, len(objects)))),
        table=table,
    )


_N_FIRST = 5


def _first_object(objects: Objects, k: int) -> FirstObject:
    x, y, width, height = objects.box[k].tolist()
    label = int(objects.label[k])
    return FirstObject(
        objects.image_id(k),
        objects.fields[objects.field[k]].name,
        str(objects.object_id[k]),
        (x, y, width, height),
        "" if label == UNKNOWN else objects.labels[label],
    )


def _spread(values: np.ndarray) -> tuple[float, float, float]:
    return float(values.min()), float(np.median(values)), float(values.max())


def objects_of_masks(
    names: FieldNames, sources: Sequence[Path], emit: Emit, most_s: float | None = None
) -> tuple[Objects, Sources]:
    """Return the objects in label images, each of which is named like its field, and what was read.

    Args:
        names: of the fields.
        sources: files, or folders that are searched for files; an OME-Zarr contains the label images of its images.
        emit: receives progress and notes.
        most_s: seconds after which no other file is read; None: no limit.

    Raises:
        BadDataset: there are no label images, none is named like a field, one cannot be read or has another size than
            its field, or they contain no object.
    """
    files, mask_of = list[Path](), dict[FieldImage, Path]()
    unused = dict[str, None]()
    for file, name, series, property_names in _label_images(sources):
        files.append(file)
        unused |= dict.fromkeys(property_names)
        matching = names.match(name, series)
        if matching is None:
            continue
        if matching.path == file:  # in the same folder as its label image
            continue
        if matching in mask_of:
            raise BadDataset(
                "two-files-of-field", file=file, field=one_line(matching.name), other=str(mask_of[matching])
            )
        mask_of[matching] = file
    if not mask_of and names.matched:
        raise BadDataset("field-as-mask", file=next(iter(names.matched.values())).path)
    if not mask_of:
        raise no_match(sources, [str(file) for file in files], names)
    builder, report = ObjectsBuilder(), progress_reporter(emit, "tracing-objects", "fields")
    n_binary = n_in_pieces = n_objects = n_with_background = 0
    of_fields = [each for each in names.fields if each in mask_of]
    read, deadline = Sources(n_files=len(of_fields)), Deadline.within(math.inf if most_s is None else most_s)
    for done, each in enumerate(of_fields, start=1):
        if n_objects and deadline.seconds_left() < 0:
            break
        read.kinds["masks"] = done
        file, outlines, object_ids, positions = mask_of[each], OutlineBuilder(), list[str](), list[int]()
        n_planes = 0
        for plane in read_label_planes(file):
            if plane.labels.shape != (each.height, each.width):
                raise _other_size(file, each, plane)
            labels, traced = trace_labels(plane.labels)
            object_ids += map(str, (labels if plane.names is None else plane.names[labels]).tolist())
            positions += [n_planes] * len(labels)
            outlines.add_all(traced)
            n_binary += plane.is_binary and len(labels) > 1
            n_with_background += _has_background_as_object(plane.labels)
            n_planes += 1
        joined = outlines.finish()
        n_in_pieces += int((joined.n_polygons() > 1).sum())
        n_objects += len(joined)
        t, z = _times_and_z(file, each, n_planes, positions)
        builder.add(each, joined, object_id=object_ids, t=t, z=z)
        report(done, len(of_fields))
    _emit_unused(unused, emit)
    if n_binary:
        emit(Noted.of(note("binary-masks", n_files=n_binary)))
    if n_with_background:
        emit(Noted.of(note("background-as-object", level="warning", n_planes=n_with_background)))
    if n_in_pieces:
        emit(Noted.of(note("objects-in-pieces", level="warning", n_objects=n_in_pieces, n_all=n_objects)))
    if not n_objects:
        raise BadDataset("masks-without-objects", file=files[0], n_files=len(mask_of))
    return builder.finish(), read


def _label_images(sources: Sequence[Path]) -> Iterator[tuple[Path, str, int | None, list[str]]]:
    """Yield each label image, the name of its field, the series of this in its file, and names of properties."""
    for file in files_in(sources, LABEL_SUFFIXES):
        if file.is_dir():
            for each in label_folders(file):
                yield each.folder, str(each.image), each.series, each.property_names()
        else:
            yield file, str(file), None, []


def _emit_unused(names: Collection[str], emit: Emit) -> None:
    """Emit which properties of objects files state and coverslip does not use."""
    if names:
        emit(Noted.of(note("object-properties-unused", n_names=len(names), names=some(names))))


def _has_background_as_object(labels: Array) -> bool:
    """Return whether an object touches all edges of its field, and covers a quarter of it or more."""
    edges = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
    at_all_edges = set.intersection(*(set(np.unique(edge).tolist()) for edge in edges)) - {0}
    return any(int((labels == label).sum()) * 4 >= labels.size for label in at_all_edges)


def _check_order_of_channels(fields: Sequence[FieldImage], settings: FinderSettings) -> None:
    """Check that a channel is named, or that all files give their channels the same order.

    Raises:
        BadDataset: files name the same channels in several orders, so that a number is another channel in each.
    """
    orders = usual_orders(field.channels for field in fields)
    other = next((field for field in fields if channel_order(field.channels, orders) is not None), None)
    if other is not None and not isinstance(settings.channel, str):
        names = ", ".join(f"'{one_line(name, 40)}'" for name in other.channels)
        raise BadDataset("finder-channel-order", file=other.path, names=names)


def objects_of_finder(
    names: FieldNames, finder: str, settings: FinderSettings, emit: Emit, *, measure: bool = False
) -> Objects:
    """Return the objects that a finder finds in each field, at each time point, in the maximum over z-planes.

    A field that cannot be read is reported and skipped.

    Args:
        names: of the fields.
        finder: a name of `list_finders()`.
        settings: of the finder.
        emit: receives progress and notes.
        measure: whether the objects will be measured, which their cells of the finder then state.

    Raises:
        BadDataset: no field can be read, there are no objects, or files name channels in several orders and none is
            selected by its name.
        CoverslipError: the finder does not exist, or it failed.
    """
    _check_order_of_channels(names.fields, settings)
    builder, report = ObjectsBuilder(), progress_reporter(emit, "finding-objects", "megapixels")
    n_pixels, n_done = sum(each.n_times * each.width * each.height for each in names.fields), 0
    warnings: dict[str, list[tuple[str, Note]]] = {}
    n_objects = n_excluded = n_read = 0
    origin = (FINDER, finder_record(finder, settings, measure=measure).as_text())

    def report_pixels(done: int, of_plane: int) -> None:
        report(math.ceil((n_done + done) / _MEGAPIXEL), math.ceil(n_pixels / _MEGAPIXEL))

    for each in names.fields:
        outlines, object_ids, times = OutlineBuilder(), list[str](), list[int]()
        n_of_plane, n_before = each.width * each.height, n_done
        try:
            for t in range(each.n_times):
                plan = ReadPlan(series=each.series or 0, t=t, z="max" if each.n_z > 1 else 0)
                pixels = read_pixels(each.path, plan).array
                size = None if each.pixel_size_um is None else pixel_side(each.pixel_size_um)
                of_field = settings.of_field(each.path, each.channels)
                result = find_with(finder, pixels, of_field, size, report_pixels)
                n_done += n_of_plane
                for warning in result.warnings:
                    warnings.setdefault(warning.code, []).append((each.name, warning))
                n_excluded += result.n_excluded
                labels, traced = trace_labels(result.labels)
                outlines.add_all(traced)
                object_ids += map(str, labels.tolist())
                times += [t if each.n_times > 1 else UNKNOWN] * len(labels)
        except UnreadableImage as error:
            name = one_line(each.name)
            emit(Noted.of(note("field-unreadable", level="warning", field=name, reason=error.advice)))
            continue
        finally:
            n_done = n_before + each.n_times * n_of_plane
        n_read += 1
        n_objects += len(object_ids)
        builder.add(replace(each, about=(*each.about, origin)), outlines.finish(), object_id=object_ids, t=times)
    for of_code in warnings.values():
        fields = dict.fromkeys(name for name, _ in of_code)
        emit(
            Noted.of(
                note(
                    "finder-warning-of-fields",
                    level=of_code[0][1].level,
                    n_fields=len(fields),
                    fields=some(fields, 3),
                    warning=_of_all([warning for _, warning in of_code]),
                )
            )
        )
    if n_excluded:
        emit(Noted.of(note("finder-excluded", n_excluded=n_excluded, n_objects=n_excluded + n_objects)))
    if not n_objects:
        raise BadDataset("finder-without-objects", file=names.fields[0].path, n_fields=n_read)
    return builder.finish()


def _of_all(warnings: Sequence[Note]) -> Message:
    """Return the warning of several fields, with the range of each number."""
    parameters = {
        name: values[0] if len(set(values)) == 1 else message("report-range", low=min(values), high=max(values))
        for name in warnings[0].parameters
        if (values := [warning.parameters[name] for warning in warnings])
    }
    return message(warnings[0].code, **parameters)


def objects_of_files(
    names: FieldNames,
    sources: Sequence[Path],
    *,
    are_points: bool,
    size: PointSize,
    choices: TableChoices,
    emit: Emit,
    most_s: float | None = None,
) -> tuple[Objects, Sources]:
    """Return the objects in files of other programs, and what these files were.

    Args:
        names: of the fields.
        sources: files, or folders that are searched for files.
        are_points: whether only the centers of objects are used.
        size: of the square around points.
        choices: of the user, for tables.
        emit: receives progress and notes.
        most_s: seconds after which no other file is read; None: no limit.

    Raises:
        BadDataset: there are no files, a file is broken or of an unknown kind, no field has a name as in the files, or
            there are no objects.
    """
    files = object_files(sources)
    read, deadline = Sources(n_files=len(files)), Deadline.within(math.inf if most_s is None else most_s)
    objects = FieldObjects(names, size, are_points=are_points)
    report = progress_reporter(emit, "reading-objects", "files")
    for done, each in enumerate(files, start=1):
        if objects.n and deadline.seconds_left() < 0:
            break
        objects.extent, n_before = 0.0, objects.n
        read_object_file(each, objects, read, choices=choices, is_only_file=len(files) == 1)
        if objects.n > n_before and 0 < objects.extent < 1:
            raise BadDataset("positions-below-one", file=each)
        report(done, len(files))
    if {"coco", "coco-results"} <= read.kinds.keys():
        raise BadDataset("coco-and-results", file=files[0].parent)
    objects.add_regions()
    if not objects.n and (names.unmatched or names.ambiguous):
        raise no_match(sources, [*names.unmatched], names)
    if objects.n_outside:
        n_all = objects.n + objects.n_outside
        emit(Noted.of(note("objects-outside", level="warning", n_objects=objects.n_outside, n_all=n_all)))
    if objects.n_ignored:
        emit(Noted.of(note("objects-ignored", n_objects=objects.n_ignored)))
    _emit_unused(objects.unused, emit)
    if objects.other_names:
        field_of_view = one_line(names.fields[0].name)
        emit(Noted.of(note("objects-of-only-field", names=some(objects.other_names), field=field_of_view)))
    if objects.n_regions:
        emit(Noted.of(note("regions-ignored", level="warning", n_regions=objects.n_regions)))
    if not objects.n:
        raise BadDataset("files-without-objects", file=files[0], n_files=len(files), n_outside=objects.n_outside)
    return objects.finish(), read


def object_files(sources: Sequence[Path]) -> list[Path]:
    """Return the files of objects of other programs, also in subfolders of folders, in natural order.

    Files that usually accompany those of objects are returned if there are no others.

    Raises:
        BadDataset: there are none, or a file does not exist.
    """
    files = files_in(sources, OBJECT_SUFFIXES)
    return [each for each in files if each in sources or not is_companion(each)] or files


def preview_first_table(sources: Sequence[Path], choices: TableChoices) -> ObjectTablePreview | None:
    """Return the columns and first rows of the first file if it is a table with names of columns; None if it is not.

    Raises:
        BadDataset: there are no files, or the file cannot be read.
    """
    file = object_files(sources)[0]
    return preview_object_table(file, choices) if is_table_of_objects(file) else None


def _other_size(file: Path, field_of_view: FieldImage, plane: LabelPlane) -> BadDataset:
    height, width = plane.labels.shape
    return BadDataset(
        "mask-of-other-size",
        file=file,
        width=width,
        height=height,
        field=one_line(field_of_view.name),
        field_width=field_of_view.width,
        field_height=field_of_view.height,
    )


def _times_and_z(
    file: Path, of: FieldImage, n_planes: int, positions: Sequence[int]
) -> tuple[Array | int, Array | int]:
    """Return the time points and the z-planes of objects in the planes of a label image: z-planes follow each other.

    Raises:
        BadDataset: there is neither one plane, nor one for each z-plane at each time point.
    """
    if n_planes == 1:
        return UNKNOWN, UNKNOWN
    if n_planes != of.n_times * of.n_z:
        raise BadDataset(
            "mask-planes-differ", file=file, n_planes=n_planes, field=one_line(of.name), n_times=of.n_times, n_z=of.n_z
        )
    t, z = np.divmod(positions, of.n_z)
    return t if of.n_times > 1 else UNKNOWN, z if of.n_z > 1 else UNKNOWN


def no_match(sources: Sequence[Path], candidates: Sequence[str], names: FieldNames) -> BadDataset:
    """Return the error for names of which none, or none alone, is that of a field."""
    if names.ambiguous:
        return BadDataset("ambiguous-field-names", file=sources[0], names=some(names.ambiguous, 3))
    fields = some((each.name for each in names.fields), 3)
    return BadDataset("no-field-of-name", file=sources[0], names=some(candidates, 3), fields=fields)


def files_in(sources: Sequence[Path], suffixes: Collection[str]) -> list[Path]:
    """Return the files of these suffixes, also in subfolders of folders, in natural order.

    Raises:
        BadDataset: there are none, or a file does not exist.
    """
    files: list[Path] = []
    for source in sources:
        if source.is_dir() and not (is_image_folder(source) and ".zarr" in suffixes):
            below = list(_files_below(source, tuple(suffixes)))
            if not below:
                listed = ", ".join(sorted(suffixes))
                raise BadDataset("no-object-files", file=source, suffixes=listed, is_image=is_image_folder(source))
            files += sorted(below, key=lambda path: natural_key(str(path)))
        elif source.exists():
            files.append(source)
        else:
            raise BadDataset("no-such-object-file", file=source)
    return list(dict.fromkeys(files))


def _files_below(root: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files and image folders of these suffixes in a folder; nothing inside image folders."""
    for folder, folder_names, file_names in os.walk(root):
        image_folders = [name for name in folder_names if is_image_folder(Path(folder, name))]
        folder_names[:] = [name for name in folder_names if name not in image_folders and not is_hidden(name)]
        for name in (*image_folders, *file_names):
            if name.lower().endswith(suffixes) and not is_hidden(name):
                yield Path(folder, name)


def collect_objects(
    fields: Dataset | ImageSource,
    *,
    out: Path | str | None,
    masks: Path | str | Sequence[Path | str] | None = None,
    outlines: Path | str | Sequence[Path | str] | None = None,
    points: Path | str | Sequence[Path | str] | None = None,
    finder: str | None = None,
    finder_settings: FinderSettings | None = None,
    size_px: float | None = None,
    size_um: float | None = None,
    columns: Mapping[str, str] | None = None,
    unit: Unit | None = None,
    pixel_size_um: float | None = None,
    group: str | None = None,
    group_pattern: str | None = None,
    measure: bool = False,
    emit: Emit = show,
) -> ObjectsSummary:
    r"""Collect the objects in fields of view into one table, which `train`, `predict` and `inspect` read.

    The kind of a file is recognized by its content. Names of files and of images in tables are matched to the names of
    fields.

    Args:
        fields: files, folders, globs or tables, as of `open_dataset`.
        out: the table (`objects.csv`); None: only return the summary, as a preview.
        masks: label images, or folders of label images that are named like their fields.
        outlines: polygons or boxes: GeoJSON (QuPath), ImageJ ROI sets, COCO, LabelMe, YOLO, outlines of Cellpose, or
            tables of CellProfiler, ilastik, scikit-image and others; files or folders.
        points: files of the same kinds, of which only the centers of objects are used, and text files with `x y` and
            optionally a class on each line.
        finder: the name of a finder, such as `classical`, which finds the objects in the pixels of the fields.
        finder_settings: of the finder; None: estimated from each field.
        size_px: side in pixels of the square around points, and around objects without a box.
        size_um: the same in µm.
        columns: the column of each meaning of a table, if it is not recognized: `{"x": "Pos X", "path": "Slide"}`.
        unit: `"um"` or `"px"`: the unit of positions in tables and of points, if the names of columns do not state it.
        pixel_size_um: side in µm of a pixel of the fields, which replaces the pixel size that files declare.
        group: the column with the group of each field (slide, well, patient), if the fields are those of a table.
            Objects of a group stay in the same set; by default, each field is a group.
        group_pattern: regular expression for the group of a field in its path, as of `open_dataset`. Other named parts,
            such as `(?P<plate>P\d+)_(?P<well>[A-H]\d+)`, become further columns of the table of objects.
        measure: whether the table gets the area, perimeter and solidity of each object, and the mean and the sum of its
            pixels in each channel.
        emit: receives progress and notes.

    Returns:
        The number of objects of each field, their sizes and classes, the columns and first rows of a table, the group
        of each field, and the names that match no field.

    Raises:
        BadDataset: there are no fields or no objects, a file cannot be read, or names do not match.
        CoverslipError: not exactly one source of objects is chosen, or the table cannot be written.

    Examples:
        >>> summary = cs.collect_objects("fields/", points="points/", size_px=48, out="objects.csv")
        >>> summary.n_objects, summary.n_of_label
        (18, {'lymphocyte': 9, 'monocyte': 9})
        >>> data = cs.open_dataset("objects.csv")
    """
    chosen_sources = {"masks": _paths(masks), "outlines": _paths(outlines), "points": _paths(points)}
    used = {name: paths for name, paths in chosen_sources.items() if paths}
    if len(used) + (finder is not None) != 1:
        raise CoverslipError("no-object-source", n_sources=len(used) + (finder is not None))
    source, paths = next(iter(used.items()), ("finder", []))
    names = FieldNames(
        list_fields(fields, group=group, group_pattern=group_pattern, pixel_size_um=pixel_size_um, emit=emit)
    )
    if finder is not None:
        objects = objects_of_finder(names, finder, finder_settings or FinderSettings(), emit, measure=measure)
        summary = summarize(objects, names, Sources({finder: 0}))
        _note_names(summary, emit)
        _note_planes(objects, emit)
    else:
        size, choices = PointSize(size_px, size_um), TableChoices(columns or {}, unit)
        objects, summary = read_objects_of(source, names, paths, size=size, choices=choices, emit=emit)
    if out is not None:
        objects = with_measurements(objects, emit) if measure else objects
        objects.write_csv(Path(out), progress_reporter(emit, "writing-objects", "objects"))
    return summary


def read_objects_of(
    source: str,
    names: FieldNames,
    paths: Sequence[Path],
    *,
    size: PointSize,
    choices: TableChoices,
    emit: Emit,
    most_s: float | None = None,
) -> tuple[Objects, ObjectsSummary]:
    """Return the objects in files, and their summary.

    Args:
        source: `masks`, `outlines` or `points`.
        names: of the fields.
        paths: files, or folders that are searched for files.
        size: of the square around points.
        choices: of the user, for tables.
        emit: receives progress and notes.
        most_s: seconds after which no other file is read; None: no limit.

    Raises:
        BadDataset: as of `collect_objects`.
    """
    if source == "masks":
        objects, read = objects_of_masks(names, paths, emit, most_s)
    else:
        objects, read = objects_of_files(
            names, paths, are_points=source == "points", size=size, choices=choices, emit=emit, most_s=most_s
        )
    table = None if read.table is None else preview_object_table(read.table, choices)
    summary = summarize(objects, names, read, table)
    _note_names(summary, emit)
    _note_planes(objects, emit)
    return objects, summary


def _note_names(summary: ObjectsSummary, emit: Emit) -> None:
    if summary.unmatched:
        names = some(summary.unmatched)
        emit(Noted.of(note("objects-without-field", level="warning", n_names=len(summary.unmatched), names=names)))
    if summary.ambiguous:
        names = some(summary.ambiguous)
        emit(Noted.of(note("objects-of-several-fields", level="warning", n_names=len(summary.ambiguous), names=names)))
    if summary.n_empty and summary.n_read == summary.n_files:
        names = some(name for name, n in summary.n_of_field.items() if not n)
        emit(Noted.of(note("fields-without-objects", level="warning", n_fields=summary.n_empty, names=names)))


def _note_planes(objects: Objects, emit: Emit) -> None:
    """Note fields with several planes of which the objects state none."""
    for code, planes, n_planes in (
        ("objects-without-z", objects.z, [each.n_z for each in objects.fields]),
        ("objects-without-time", objects.t, [each.n_times for each in objects.fields]),
    ):
        fields = [k for k in np.unique(objects.field[planes == UNKNOWN]).tolist() if n_planes[k] > 1]
        if fields:
            names = some(objects.fields[k].name for k in fields)
            emit(Noted.of(note(code, level="warning", n_fields=len(fields), names=names)))


def _paths(sources: Path | str | Sequence[Path | str] | None) -> list[Path]:
    if sources is None:
        return []
    return [Path(each).expanduser() for each in ([sources] if isinstance(sources, Path | str) else sources)]
