"""A table of images as text, from a file or from a program, and the accepted names of its columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coverslip.images import MAX_CHANNEL_FILES, Decoded
from coverslip.messages import Note, text

# Accepted names of columns, best first. `image` is the path only if there is no better name: in tables of crops it
# often names the field of view.
ALIASES: dict[str, tuple[str, ...]] = {
    "path": ("path", "filepath", "file_path", "image_path", "filename", "file_name", "file", "image", "channel_1"),
    **{f"channel_{n}": (f"channel_{n}",) for n in range(2, MAX_CHANNEL_FILES + 1)},  # the files of further channels
    "label": ("label", "class", "target", "class_name", "category"),
    "image_id": ("image_id",),
    "split": ("split",),
    "domain": ("domain",),
    "group": ("group",),
    "channel": ("channel",),
    "plane": ("plane",),
    # The corner of a box goes first: a column `x` beside it holds the center.
    **{
        axis: (
            *(f"bbox_{axis}", f"box_{axis}", axis, f"{axis}_position", f"position_{axis}", f"pos_{axis}"),
            *(f"{axis}_coordinate", f"{axis}_coord"),
        )
        for axis in "xy"
    },
    **{
        f"{axis}_center": (
            *(f"{axis}_center", f"{axis}_centre", f"center_{axis}", f"centre_{axis}", f"c{axis}"),
            *(f"centroid_{axis}", f"{axis}_centroid", f"{axis}center", f"{axis}centre"),
        )
        for axis in "xy"
    },
    "width": ("bbox_width", "box_width", "bbox_w", "box_w", "width", "w"),
    "height": ("bbox_height", "box_height", "bbox_h", "box_h", "height", "h"),
    "x_min": ("x_min", "xmin", "min_x", "left", "x0", "x1"),
    "y_min": ("y_min", "ymin", "min_y", "top", "y0", "y1"),
    "x_max": ("x_max", "xmax", "max_x", "right", "x2", "x1"),
    "y_max": ("y_max", "ymax", "max_y", "bottom", "y2", "y1"),
}
# The meanings that give the position of an image in its file.
POSITIONS = ("x", "y", "x_center", "y_center", "width", "height", "x_min", "y_min", "x_max", "y_max")
# Suffixes of the names of columns in pixels.
PIXELS = ("", "_px", "_pixel", "_pixels", "_(px)", "_[px]", "_(pixel)", "_(pixels)", "_[pixels]")
# Suffixes of the names of columns that contain shares of the image's width and height instead of pixels.
RELATIVE = ("_relative", "_rel", "_normalized", "_normalised", "_norm")

# All accepted names of columns.
TABLE_NAMES = frozenset(name for names in ALIASES.values() for name in names)


@dataclass(frozen=True, slots=True)
class Table:
    """The cells of a table as text."""

    path: Path  # of the file; relative paths start from its folder
    columns: tuple[str, ...]  # as written
    rows: tuple[tuple[str, ...], ...]  # as many cells as columns, spaces around them removed
    lines: tuple[int, ...]  # as an editor numbers them; rows from 0 where there is no file
    notes: tuple[Note, ...]
    is_in_memory: bool = False  # there is no such file
    given: Mapping[str, Decoded] = field(default_factory=dict, compare=False)  # images in memory, by the cell of a path
    mapping: Mapping[str, str] = field(default_factory=dict, compare=False)  # meaning to column, as chosen; "": none

    def __str__(self) -> str:
        return "given in memory" if self.is_in_memory else str(self.path)

    @property
    def file(self) -> Path | None:
        """The file, for messages; None in memory."""
        return None if self.is_in_memory else self.path

    def place(self, line: int) -> str:
        """Return the number of a row, for messages."""
        return text("table-row", row=line) if self.is_in_memory else text("table-line", line=line)

    def index(self, meaning: str, suffixes: tuple[str, ...] = ("",)) -> int | None:
        """Return the column of a meaning (path, label, ...): the chosen one, else that with the best accepted name.

        Args:
            meaning: a key of `ALIASES`.
            suffixes: endings of the accepted names.
        """
        if (chosen_column := self.mapping.get(meaning)) is not None:
            return self.columns.index(chosen_column) if chosen_column else None
        mapped = set(self.mapping.values())
        plain_names = ["" if column in mapped else plain_name(column) for column in self.columns]
        names = (f"{alias}{suffix}" for alias in ALIASES[meaning] for suffix in suffixes)
        return next((plain_names.index(name) for name in names if name in plain_names), None)


class CellFault(ValueError):
    """A cell that is not valid.

    Its text is rendered when it is shown: of many invalid rows, only the first are.

    Args:
        code, parameters: of the message, as of `messages.text`.
    """

    def __init__(self, code: str, **parameters: Any) -> None:  # Any: JSON values
        super().__init__(code)
        self.code, self.parameters = code, parameters

    def __str__(self) -> str:
        return text(self.code, **self.parameters)


def plain_name(column: str) -> str:
    """Return a column's name in the form in which names are compared."""
    return "_".join(column.casefold().replace("-", " ").replace("_", " ").split())
