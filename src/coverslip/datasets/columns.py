"""The meanings of columns, and the names by which they are recognized: tables of images, and of objects by program."""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from coverslip.datasets.names import one_line, some
from coverslip.errors import BadDataset
from coverslip.images.reader import MAX_CHANNEL_FILES, PLAN_COLUMNS
from coverslip.messages import text

Unit = Literal["px", "um"]  # of positions
ColumnUnit = Unit | Literal["", "relative"]  # as the name of a column states it; relative: to the size of the image
PIXELS: tuple[ColumnUnit, ...] = ("", "px")
ABSOLUTE: tuple[ColumnUnit, ...] = ("", "px", "um")
RELATIVE: tuple[ColumnUnit, ...] = ("relative",)
_UNITS: tuple[tuple[ColumnUnit, re.Pattern[str]], ...] = (
    ("px", re.compile(r"[_(\[]+(?:px|pixels?)[)\]]*$")),
    ("um", re.compile(r"[_(\[]+(?:[µμu]m|microns?|micromet(?:er|re)s?)[)\]]*$")),
    ("relative", re.compile(r"_(?:relative|rel|normali[sz]ed|norm)$")),
)


@dataclass(frozen=True, slots=True)
class TableKind:
    """How a program names the columns of its tables. Names are compared without case, spaces and units."""

    name: str
    columns: Mapping[str, tuple[str, ...]]  # the accepted names of each meaning, best first
    needs: tuple[tuple[str, ...], ...] = ()  # columns by which the kind is recognized: all of one of these
    center_offset: float = 0.0  # 0.5: positions count centers of pixels from 0
    is_inclusive: bool = False  # whether the maximum of a box is its last pixel
    first_plane: int = 0  # number of the first time point and of the first z-plane


def _both_axes(meaning: str, *names: str, marks: str = "xy") -> dict[str, tuple[str, ...]]:
    """Return a meaning and the names of its columns for both axes, with `@` for the axis, or for its mark in names."""
    pairs = zip("xy", marks, strict=True)
    return {meaning.replace("@", axis): tuple(name.replace("@", mark) for name in names) for axis, mark in pairs}


_CORNERS = _both_axes("@", "bbox_@", "box_@")
POINT_COLUMNS = _both_axes("@", "@", "@_position", "position_@", "pos_@", "@_coordinate", "@_coord")
_CENTERS = _both_axes(
    *("@", "@_center", "@_centre", "center_@", "centre_@", "c@", "centroid_@", "@_centroid", "@center", "@centre")
)
_FIRST = _both_axes("@", "@_min", "@min", "min_@")
_LAST = _both_axes("@", "@_max", "@max", "max_@")
_SIDES = {
    "width": ("bbox_width", "box_width", "bbox_w", "box_w", "width", "w"),
    "height": ("bbox_height", "box_height", "bbox_h", "box_h", "height", "h"),
    "x_max": (*_LAST["x"], "maxc", "max_col", "right", "x2", "x1"),
    "y_max": (*_LAST["y"], "maxr", "max_row", "bottom", "y2", "y1"),
}
_LEFT = (*_FIRST["x"], "minc", "min_col", "left", "x0", "x1")
_TOP = (*_FIRST["y"], "minr", "min_row", "top", "y0", "y1")
# `image` is the path only if there is no better name: in tables of crops it often names the field of view.
_PATHS = ("path", "filepath", "file_path", "image_path", "filename", "file_name", "file", "image")
_CLASSES = ("class", "target", "class_name", "category")

IMAGE_TABLES = TableKind(
    "images",
    {
        "path": (*_PATHS, "channel_1"),
        **{f"channel_{n}": (f"channel_{n}",) for n in range(2, MAX_CHANNEL_FILES + 1)},  # files of further channels
        "label": ("label", *_CLASSES),
        **{name: (name,) for name in ("image_id", "split", "domain", "group", *PLAN_COLUMNS)},
        # The corner of a box precedes `x`, which may be the center if both exist.
        **{axis: (*_CORNERS[axis], *POINT_COLUMNS[axis]) for axis in "xy"},
        **{f"{axis}_center": _CENTERS[axis] for axis in "xy"},
        "x_min": _LEFT,
        "y_min": _TOP,
        **_SIDES,
    },
)
_OBJECT_PATHS = (*_PATHS, "image_name", "field", "field_of_view")
_OBJECT_CLASSES = (*_CLASSES, "classification", "cell_type", "phenotype", "type")
_OBJECTS = {
    "path": _OBJECT_PATHS,
    "series": ("series", "position"),
    "object_id": ("object_id", "objectid", "id", "cell_id", "nucleus_id", "object", "roi", "name"),
    "label": ("label", *_OBJECT_CLASSES, "predicted_class"),
    "t": ("t", "frame", "frame_i", "time_point", "timepoint", "timestep"),
    **{axis: (*_CENTERS[axis], *POINT_COLUMNS[axis]) for axis in "xy"},
    "x_min": (*_LEFT, *_CORNERS["x"], "bx"),
    "y_min": (*_TOP, *_CORNERS["y"], "by"),
    **_SIDES,
    "radius": ("radius",),
}
OBJECT_TABLE = TableKind("table", _OBJECTS, ((),))
IMAGEJ_TABLE = TableKind(  # the column Label names the image, and the ROI in it
    "imagej",
    {
        "path": ("label",),
        "object_id": ("",),
        "t": ("frame",),
        "z": ("slice",),
        **_both_axes("@", "@", "@m"),
        **_both_axes("@_min", "b@"),
        "width": ("width",),
        "height": ("height",),
    },
    (("", "label", "bx"), ("", "label", "xm"), ("", "label", "area", "x", "y")),
    first_plane=1,
)
OBJECT_KINDS = (
    TableKind(
        "cellprofiler",
        {
            "image_number": ("imagenumber",),
            "path": ("filename", "image_filename"),
            "object_id": ("objectnumber",),
            "label": _OBJECT_CLASSES,
            **_both_axes("@", "location_center_@", "areashape_center_@"),
            **_both_axes("@_min", "areashape_boundingboxminimum_@"),
            **_both_axes("@_max", "areashape_boundingboxmaximum_@"),
        },
        (("imagenumber", "objectnumber"),),
        center_offset=0.5,
    ),
    TableKind(
        "trackmate",
        {
            "object_id": ("id",),
            "t": ("frame",),
            **_both_axes("@", "position_@"),
            "radius": ("radius",),
        },
        (("track_id", "position_x", "position_y", "frame"),),
        center_offset=0.5,
    ),
    TableKind(
        "ilastik",
        {
            "object_id": ("labelimage_oid", "object_id"),
            "label": ("user_label", "predicted_class"),
            "t": ("timestep", "frame"),
            **_both_axes("@", "center_of_the_object_@", marks="01"),
            **_both_axes("@_min", "bounding_box_minimum_@", marks="01"),
            **_both_axes("@_max", "bounding_box_maximum_@", marks="01"),
        },
        (("center_of_the_object_0",),),
        center_offset=0.5,
        is_inclusive=True,
    ),
    TableKind(  # of labels in three dimensions, the first of which is z
        "scikit-image",
        {
            "path": _OBJECT_PATHS,
            "object_id": ("label",),
            "label": _OBJECT_CLASSES,
            "t": ("frame", "t"),
            "z": ("centroid_0",),
            **_both_axes("@", "centroid_@", marks="21"),
            **_both_axes("@_min", "bbox_@", marks="21"),
            **_both_axes("@_max", "bbox_@", marks="54"),
        },
        (("label", "bbox_5"), ("label", "centroid_2")),
        center_offset=0.5,
    ),
    TableKind(
        "scikit-image",
        {
            "path": _OBJECT_PATHS,
            "object_id": ("label",),
            "label": _OBJECT_CLASSES,
            "t": ("frame", "t"),
            **_both_axes("@", "centroid_@", marks="10"),
            "x_min": ("bbox_1", *_LEFT),
            "y_min": ("bbox_0", *_TOP),
            "x_max": ("bbox_3", *_SIDES["x_max"]),
            "y_max": ("bbox_2", *_SIDES["y_max"]),
        },
        (("label", "bbox_0"), ("label", "centroid_0")),
        center_offset=0.5,
    ),
    # Shapes, and points of which the first axis can be z, time or channel: not read
    TableKind("napari", {}, (("index", "vertex_index", "axis_0"), ("index", "axis_0", "axis_2"))),
    TableKind(  # of a layer of points
        "napari",
        {"object_id": ("index",), **_both_axes("@", "axis_@", marks="10")},
        (("index", "axis_0", "axis_1"),),
        center_offset=0.5,
    ),
    TableKind(
        "pyclesperanto",
        {
            "path": _OBJECT_PATHS,
            "object_id": ("label",),
            "label": _OBJECT_CLASSES,
            "t": ("frame", "t"),
            "z": ("centroid_z",),
            **_both_axes("@", "centroid_@"),
            **_both_axes("@_min", "bbox_min_@"),
            **_both_axes("@_max", "bbox_max_@"),
        },
        (("label", "bbox_min_x", "bbox_max_x"),),
        center_offset=0.5,
        is_inclusive=True,
    ),
    IMAGEJ_TABLE,
    TableKind(  # the column `type` is that of the shape
        "omero",
        {
            "path": ("image_name",),
            "object_id": ("shape_id",),
            "label": ("text",),
            "t": ("t",),
            "z": ("z",),
            **_both_axes("@", "@"),
            "width": ("width",),
            "height": ("height",),
        },
        (("image_name", "roi_id", "shape_id", "type"),),
        first_plane=1,
    ),
    TableKind(
        "qupath-table",
        {**_OBJECTS, "object_id": ("object_id",), "label": _OBJECT_CLASSES, "kind": ("object_type",)},
        (("image", "object_id", "centroid_x", "centroid_y"),),
    ),
    TableKind(  # of QuPath 0.2
        "qupath-table",
        {**_OBJECTS, "object_id": (), "label": _OBJECT_CLASSES, "kind": ("name",)},
        (("image", "name", "class", "parent", "roi", "centroid_x", "centroid_y"),),
    ),
    OBJECT_TABLE,
)
OBJECT_MEANINGS = tuple(_OBJECTS)
# The meanings that give the position of an image or object in its file. Names of their columns may end in a unit.
POSITIONS = ("x", "y", "x_center", "y_center", "width", "height", "x_min", "y_min", "x_max", "y_max", "radius")
IMAGE_COLUMNS = frozenset(
    name for names in IMAGE_TABLES.columns.values() for name in names
)  # accepted names, without units


@dataclass(frozen=True, slots=True)
class TableChoices:
    """What a user states about tables, if their headers are not sufficient."""

    columns: Mapping[str, str] = field(default_factory=dict)  # from meaning to column; an empty name: none
    unit: Unit | None = None  # of positions; None: as the names of the columns state it, else pixels
    crop_size: int | str | None = None  # side of the square around each point, in pixels or in µm


def plain_name(column: str) -> str:
    """Return a column's name in the form in which names are compared."""
    return "_".join(column.casefold().replace("-", " ").replace("_", " ").split())


@lru_cache(maxsize=2**14)
def base_and_unit(column: str) -> tuple[str, ColumnUnit]:
    """Return the plain name of a column without its unit, and the unit: `centroid_x` and `um` for `Centroid X (µm)`."""
    name = plain_name(column)
    unit: ColumnUnit = ""
    for each, pattern in _UNITS:
        if match := pattern.search(name):
            name, unit = name[: match.start()], each
            break
    return re.sub(r"\W+|_+", "_", name).strip("_"), unit


def is_image_column(column: str) -> bool:
    """Return whether a column has an accepted name in tables of images."""
    return plain_name(column) in IMAGE_COLUMNS


def is_position(column: str) -> bool:
    """Return whether a column has the name of a position in tables of images, in pixels or relative to the image."""
    base, unit = base_and_unit(column)
    return unit != "um" and any(base in IMAGE_TABLES.columns.get(meaning, ()) for meaning in POSITIONS)


def column_named(columns: Sequence[str], name: str) -> int | None:
    """Return the position of a column by its name as written, else by its plain name; None if there is none."""
    if name in columns:
        return columns.index(name)
    plain_names = list(map(plain_name, columns))
    return plain_names.index(plain_name(name)) if plain_name(name) in plain_names else None


def chosen_columns(
    columns: Sequence[str], mapping: Mapping[str, str], meanings: Collection[str], file: Path | None
) -> dict[str, str]:
    """Return the columns that a user chose, by meaning and as the table writes them; "": no column.

    Raises:
        BadDataset: there is no such meaning or column.
    """
    column_of_meaning = {}
    for meaning, name in mapping.items():
        if meaning not in meanings:
            raise BadDataset(
                "unknown-meaning",
                meaning=one_line(meaning, 40),
                hint=spelling_hint(meaning, list(meanings)),
                meanings=", ".join(each for each in meanings if not each.startswith("channel_")),
            )
        at = column_named(columns, name)
        if at is None and name:
            raise BadDataset(
                "unknown-column",
                file=file,
                column=one_line(name, 60),
                hint=spelling_hint(name, columns),
                columns=some(columns, 12),
            )
        column_of_meaning[meaning] = "" if at is None else columns[at]
    return column_of_meaning


def find_column(
    columns: Sequence[str],
    meaning: str,
    kind: TableKind = IMAGE_TABLES,
    mapping: Mapping[str, str] | None = None,
    units: Sequence[ColumnUnit] = PIXELS,
) -> int | None:
    """Return the position of the column of a meaning: the chosen one, else the best name that was not chosen.

    Args:
        columns: of the table.
        meaning: such as path or label.
        kind: of the table.
        mapping: as of `chosen_columns`.
        units: in which the column of a position may be, best first.
    """
    mapping = mapping or {}
    if meaning in mapping:
        return columns.index(mapping[meaning]) if mapping[meaning] else None
    free = [(at, column) for at, column in enumerate(columns) if column not in mapping.values()]
    if meaning not in POSITIONS:
        position = {plain_name(column): at for at, column in reversed(free)}
        return next((position[name] for name in kind.columns.get(meaning, ()) if name in position), None)
    of_position = {base_and_unit(column): at for at, column in reversed(free)}
    names = ((name, unit) for name in kind.columns.get(meaning, ()) for unit in units)
    return next((of_position[name] for name in names if name in of_position), None)


def unique_columns(names: Sequence[str], is_taken: Callable[[str], bool] = lambda name: False) -> list[str]:
    """Return names of columns that differ from each other and from taken ones: with `input:` before them if needed.

    The prefix is repeated as often as needed, so that no column takes the name of another one.
    """
    unique: dict[str, None] = {}
    for name in names:
        candidate = name
        while candidate in unique or is_taken(candidate):
            candidate = f"input:{candidate}"
        unique[candidate] = None
    return list(unique)


def refuse_duplicates(columns: Sequence[str], names: Collection[str], file: Path | None) -> None:
    """Refuse two columns of the same name, since it would be unclear which of them is used.

    Args:
        columns: of the table.
        names: the plain names of the columns that are read.
        file: of the table.

    Raises:
        BadDataset: two columns that are read have the same name.
    """
    refuse_repeated_names([name for name in map(plain_name, columns) if name in names], file)


def refuse_repeated_names(names: Sequence[str], file: Path | None) -> None:
    """Raise BadDataset if a name is repeated."""
    for name, n_columns in Counter(names).items():
        if n_columns > 1:
            raise BadDataset("duplicate-column", file=file, n_columns=n_columns, column=one_line(name, 60))


def spelling_hint(name: str, names: Sequence[str]) -> str:
    """Return a hint with the most similar name, or "" if there is none."""
    names_by_plain_name = {plain_name(each): each for each in names}
    near = difflib.get_close_matches(plain_name(name), names_by_plain_name, n=1, cutoff=0.5)
    return f" {text('did-you-mean', name=one_line(names_by_plain_name[near[0]], 60))}" if near else ""
