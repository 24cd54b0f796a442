"""A table of images as text, from a file or from a program, and how a column is known by any of its names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.images import MOST_CHANNEL_FILES, Decoded
from coverslip.messages import Note

# Names that a column may have, best first. `image` holds a path only where no better name does: in tables of crops
# it often names the field of view that the crops come from.
ALIASES: dict[str, tuple[str, ...]] = {
    "path": ("path", "filepath", "file_path", "image_path", "filename", "file_name", "file", "image", "channel_1"),
    **{f"channel_{n}": (f"channel_{n}",) for n in range(2, MOST_CHANNEL_FILES + 1)},  # the files of further channels
    "label": ("label", "class", "target", "class_name", "category"),
    "image_id": ("image_id",),
    "split": ("split",),
    "domain": ("domain",),
    "group": ("group",),
    "channel": ("channel",),
    "plane": ("plane",),
    "x": ("x",),
    "y": ("y",),
    "x_center": ("x_center", "x_centre", "center_x", "centre_x"),
    "y_center": ("y_center", "y_centre", "center_y", "centre_y"),
    "width": ("width",),
    "height": ("height",),
}
# What the names of columns end in that hold shares of the image's width and height in place of pixels.
RELATIVE = ("_relative", "_rel", "_normalized", "_normalised", "_norm")

# Every name by which a column is known.
TABLE_NAMES = frozenset(name for names in ALIASES.values() for name in names)


@dataclass(frozen=True, slots=True)
class Table:
    """A table's cells as text."""

    path: Path  # of the file; in its folder relative paths start
    columns: tuple[str, ...]  # as written
    rows: tuple[tuple[str, ...], ...]  # as many cells as columns, spaces around them removed
    lines: tuple[int, ...]  # as an editor numbers them; rows from 0 where there is no file
    notes: tuple[Note, ...]
    is_in_memory: bool = False  # there is no such file
    given: Mapping[str, Decoded] = field(default_factory=dict, compare=False)  # images in memory, by the cell of a path

    def __str__(self) -> str:
        return "given in memory" if self.is_in_memory else str(self.path)

    @property
    def file(self) -> Path | None:
        """Where it lies, for messages."""
        return None if self.is_in_memory else self.path

    def place(self, line: int) -> str:
        """A row's number, for messages."""
        return f"row {line} (from 0)" if self.is_in_memory else f"line {line}"

    def index(self, meaning: str, suffixes: tuple[str, ...] = ("",)) -> int | None:
        """Which column holds a path, label, ...: the best of its accepted names, each with one of these endings."""
        known = [plain_name(column) for column in self.columns]
        names = (f"{alias}{suffix}" for alias in ALIASES[meaning] for suffix in suffixes)
        return next((known.index(name) for name in names if name in known), None)


def plain_name(column: str) -> str:
    """A column's name as it is compared."""
    return "_".join(column.casefold().replace("-", " ").replace("_", " ").split())
