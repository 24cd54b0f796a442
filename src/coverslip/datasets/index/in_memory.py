"""Sources in memory: tables of other libraries, arrays, Pillow images and iterables.

They are converted to tables, so that the rules for tables apply.
"""

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from coverslip.datasets.columns import IMAGE_TABLES, plain_name, refuse_repeated_names
from coverslip.datasets.index.image_tables import ImageTable
from coverslip.datasets.names import one_line, some
from coverslip.errors import BadDataset
from coverslip.images._pillow import decode_pillow
from coverslip.images.preprocessing import Depth
from coverslip.images.reader import Decoded
from coverslip.messages import text

Axes = Literal["HWC", "CHW"]

_USUAL_CHANNELS = 4  # largest number that is not compared with the size of the image


def is_image(candidate: object) -> bool:
    """Return whether this is one image: a Pillow image, or an object of two or three axes that becomes an array."""
    return isinstance(candidate, Image.Image) or n_axes(candidate) in (2, 3)


def n_axes(array: object) -> int | None:
    """Return the number of axes of an array, or of an object that becomes one; None: it is not an array."""
    if isinstance(array, np.ndarray):
        return array.ndim
    return len(getattr(array, "shape", ())) if hasattr(array, "__array__") else None


def image_in_memory(image: Any, name: str, axes: Axes = "HWC") -> Decoded:  # Any: whatever becomes an array
    """Return an image with the properties of a lossless file of these pixels. Arrays are not copied.

    Args:
        image: an image, see `is_image`. Booleans become black and white.
        name: of the image, for errors.
        axes: of an array with three axes: channels last or first. An array with two axes is gray.

    Raises:
        BadDataset: it has no pixels, does not contain real numbers, or seems to have other axes.
    """
    if isinstance(image, Image.Image):
        return _of_pillow(image, name)
    pixels = np.asarray(image)
    if pixels.ndim == 3 and axes == "CHW":
        pixels = pixels.transpose(1, 2, 0)
    if pixels.dtype.kind not in "buif":
        raise BadDataset("not-an-array-of-numbers", name=name, dtype=str(pixels.dtype))
    _check_shape(pixels, name, axes)
    if pixels.dtype.kind == "b":
        return Decoded(pixels.astype(np.uint8) * np.uint8(255), bit_depth=1)
    return Decoded(pixels, bit_depth=8 * pixels.dtype.itemsize)


def _of_pillow(image: Image.Image, name: str) -> Decoded:
    try:
        return decode_pillow(image)  # its file may be open but not read yet
    except (OSError, ValueError, SyntaxError) as error:
        raise BadDataset("not-decoded", name=name, reason=str(error)) from error


def _check_shape(array: np.ndarray, name: str, axes: Axes) -> None:
    if 0 in array.shape:
        raise BadDataset("no-pixels", name=name, shape=str(array.shape))
    if array.ndim == 3 and array.shape[2] > _USUAL_CHANNELS and array.shape[2] >= min(array.shape[:2]):
        other_axes = "CHW" if axes == "HWC" else "HWC"
        height, width, n_channels = array.shape
        raise BadDataset("wrong-axes", name=name, n_channels=n_channels, height=height, width=width, axes=other_axes)


def with_pixel_depth(tables: Sequence[Mapping[str, Decoded]], depth: Depth | None) -> list[dict[str, Decoded]]:
    """Convert arrays of 32-bit and 64-bit integers, in which NumPy often stores 8-bit and 16-bit pixels.

    All images get the same depth, so that dark and bright images of one microscope stay comparable.

    Args:
        tables: the images of each table, by name.
        depth: of all images. None takes uint8 if all values fit, else uint16.

    Raises:
        BadDataset: a value is below 0 or too large for the depth.
    """
    wide = {name: image.array for images in tables for name, image in images.items() if _is_wide(image.array)}
    if depth is None:
        depth = "uint8" if all(array.max() <= np.iinfo(np.uint8).max for array in wide.values()) else "uint16"
    if depth != "float32":
        for name, array in wide.items():
            _check_range(array, name, depth)
    return [
        {name: _converted(image, depth) if name in wide else image for name, image in images.items()}
        for images in tables
    ]


def _is_wide(array: np.ndarray) -> bool:
    return array.dtype.kind in "iu" and array.dtype.itemsize > np.dtype(np.uint16).itemsize


def _converted(image: Decoded, depth: Depth) -> Decoded:
    return replace(image, array=image.array.astype(depth), bit_depth=8 * np.dtype(depth).itemsize)


def _check_range(array: np.ndarray, name: str, depth: Depth) -> None:
    low, high, top = int(array.min()), int(array.max()), np.iinfo(depth).max
    if low < 0 or high > top:
        raise BadDataset(
            "values-out-of-range", name=name, dtype=str(array.dtype), low=low, high=high, depth=depth, highest=int(top)
        )


def as_sources(source: object, axes: Axes, depth: Depth | None = None) -> list[str | Path | ImageTable]:
    """Return one or several sources from Python as paths and tables.

    Args:
        source: a path; a table; an image; a stack of images as an array of four axes; a tuple `(X, y)` of images and
            their labels; or an iterable of these.
        axes: of arrays of color images.
        depth: of arrays of integers of more than 16 bits, as of `with_pixel_depth`.

    Raises:
        BadDataset: it is none of these, or an invalid image or table.
    """
    sources = _sources_of(source, axes)
    tables = [table for table in sources if isinstance(table, ImageTable)]
    converted = iter(with_pixel_depth([table.images for table in tables], depth))
    return [replace(each, images=next(converted)) if isinstance(each, ImageTable) else each for each in sources]


def _sources_of(source: object, axes: Axes) -> list[str | Path | ImageTable]:
    if isinstance(source, (str, os.PathLike, ImageTable)) or _is_image(source) or is_table(source):
        return _sources([source], axes)
    if isinstance(source, tuple) and len(source) == 2 and _is_labels(source[1]):
        return _sources([_labeled(*source)], axes)
    if n_axes(source) not in (None, 1, 4):
        raise BadDataset("not-a-stack", n_axes=n_axes(source))
    if not isinstance(source, Iterable):
        raise BadDataset("not-images-in-memory", type_name=type(source).__name__)
    return _sources(list(source), axes)


def _sources(items: Sequence[object], axes: Axes) -> list[str | Path | ImageTable]:
    """Return each item as a path or a table; consecutive images form one table."""
    sources: list[str | Path | ImageTable] = []
    for are_images, group in groupby(enumerate(items), lambda numbered: _is_image(numbered[1])):
        numbered = list(group)
        if are_images:
            images = {f"image {k}": image_in_memory(item, f"image {k}", axes) for k, item in numbered}
            sources.append(_table(("image",), [(name,) for name in images], images))
        else:
            sources += [_source(item, k, len(items), axes) for k, item in numbered]
    return sources


def _source(item: object, k: int, n_items: int, axes: Axes) -> str | Path | ImageTable:
    if isinstance(item, (str, Path, ImageTable)):
        return item
    if isinstance(item, os.PathLike):
        return Path(item)
    if is_table(item):
        return _table_of(item, f"table {k} image" if n_items > 1 else "image", axes)
    raise BadDataset("unsupported-item", index=k, item=f"{item!r:.80}")


def _is_labels(candidate: object) -> bool:
    """Return whether it is the `y` of `(X, y)`: a list or an array of one axis, unlike any source of images."""
    return isinstance(candidate, list) or n_axes(candidate) == 1


def _labeled(images: Any, labels: Any) -> dict[str, list[Any]]:  # Any: each library's own
    """Return `(X, y)` as a table.

    Raises:
        BadDataset: the numbers of images and labels differ.
    """
    if not isinstance(images, Iterable) or isinstance(images, (str, Mapping)):
        raise BadDataset("x-without-images", type_name=type(images).__name__)
    table = {"image": list(images), "label": _cells(labels)}
    n_images, n_labels = map(len, table.values())
    if n_images != n_labels:
        raise BadDataset("unequal-labels", n_images=n_images, n_labels=n_labels)
    return table


def _is_image(candidate: object) -> bool:
    """Return whether it is one image. Data frames also convert to arrays of two axes, but are no images."""
    return is_image(candidate) and not is_table(candidate)


def is_table(candidate: object) -> bool:
    """Return whether it has named columns, like dictionaries and data frames of pandas, polars and PyArrow."""
    return isinstance(candidate, Mapping) or (hasattr(candidate, "columns") and hasattr(candidate, "__getitem__"))


def columns_of(table: Any) -> dict[str, list[Any]]:  # Any: each library's own, and its cells
    """Return the cells of each column of a table, as of `is_table`.

    Raises:
        BadDataset: two columns have the same name.
    """
    names = list(table if isinstance(table, Mapping) else getattr(table, "column_names", table.columns))
    refuse_repeated_names([str(name) for name in names], None)
    return {str(name): _cells(table[name]) for name in names}


def _table_of(frame: Any, name_prefix: str, axes: Axes) -> ImageTable:  # Any: each library's own
    columns = columns_of(frame)
    lengths = {len(cells) for cells in columns.values()}
    if len(lengths) > 1:
        sizes = ", ".join(text("column-length", column=name, n_cells=len(cells)) for name, cells in columns.items())
        raise BadDataset("unequal-columns", columns=sizes)
    if lengths in (set(), {0}):
        raise BadDataset("no-table-rows")
    texts, images = _texts_and_images(columns, name_prefix, axes)
    return _table(tuple(columns), list(zip(*texts, strict=True)), images)


def _cells(column: Any) -> list[Any]:  # Any: each library's own
    return column.to_pylist() if hasattr(column, "to_pylist") else list(column)  # PyArrow's cells are not plain values


def _texts_and_images(
    columns: Mapping[str, list[Any]],
    name_prefix: str,
    axes: Axes,  # Any: whatever stands in a data frame
) -> tuple[list[list[str]], dict[str, Decoded]]:
    """Return each column as text, and the images by name. In the text, `word` and row number replace images."""
    of_paths = [name for name in columns if plain_name(name) in IMAGE_TABLES.columns["path"]]
    of_images = [name for name in of_paths if any(map(is_image, columns[name]))]
    if of_images and len(of_paths) > 1:
        raise BadDataset("images-and-paths", columns=some(of_paths))
    images: dict[str, Decoded] = {}
    texts = []
    for column, cells in columns.items():
        if column in of_images:
            cell_of_name = {f"{name_prefix} {k}": cell for k, cell in enumerate(cells)}
            images = {name: image_in_memory(cell, name, axes) for name, cell in cell_of_name.items() if is_image(cell)}
            texts.append([name if name in images else _cell_text(cell) for name, cell in cell_of_name.items()])
        else:
            texts.append([_cell_text(cell) for cell in cells])
    return texts, images


def _cell_text(cell: Any) -> str:  # Any: whatever stands in a data frame
    """Return a cell as in a file: empty if a value is missing, 3 for a whole 3.0.

    Raises:
        BadDataset: it is an array of several values.
    """
    if n_axes(cell) is not None and not isinstance(cell, np.generic):
        cell = _value_of(cell)
    if isinstance(cell, bytes):
        cell = cell.decode(errors="backslashreplace")
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return ""
    if isinstance(cell, (float, np.floating)):
        if cell != cell:
            return ""
        return str(int(cell)) if cell.is_integer() else str(cell)
    return os.fspath(cell) if isinstance(cell, os.PathLike) else str(cell).strip()


def _value_of(array: Any) -> Any:  # Any: an array or tensor of each library, and its value
    """Return the only value of an array or tensor.

    Raises:
        BadDataset: it has several values, or none.
    """
    if math.prod(array.shape) != 1:
        raise BadDataset("array-in-cell", shape=str(tuple(array.shape)), value=one_line(str(array), 60))
    if isinstance(array, np.ndarray) or not hasattr(array, "item"):
        return np.asarray(array).reshape(-1)[0]
    return array.item()  # also of a tensor on a GPU


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], images: Mapping[str, Decoded]) -> ImageTable:
    """Return a table whose relative paths start from the current folder."""
    return ImageTable(
        path=Path.cwd() / "table in memory",
        columns=columns,
        rows=tuple(rows),
        lines=tuple(range(len(rows))),
        notes=(),
        is_in_memory=True,
        images=dict(images),
    )
