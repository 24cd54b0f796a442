"""Datasets: one record per image, in a fixed order, with its origin."""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from coverslip.datasets.index.table import Table
from coverslip.images import Decoded, Fields, Pixels, ReadPlan, box_center, pixels_in_memory, read_pixels, square_around
from coverslip.messages import Note, escape_controls, text
from coverslip.tables import data_frame, html_table

if TYPE_CHECKING:
    from pandas import DataFrame

Side = Literal["train", "val", "test"]
Part = Literal["train", "val", "test", "excluded"]
Source = Literal["folders", "split folders", "table", "files"]

SIDES: tuple[Side, Side, Side] = ("train", "val", "test")

_BYTE = re.compile(r"\\x([89a-f][0-9a-f]|5c)")  # what `name_as_text` writes
_LIKE_BYTE = re.compile(r"\\(?=x(?:[89a-f][0-9a-f]|5c))")
_SIDES: dict[str, Side] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
SIDE_WORDS = tuple(_SIDES)

# What predictions contain instead of a class if a classifier assigns none. No class may have such a name.
UNCERTAIN, UNFAMILIAR, UNREADABLE = "uncertain", "unfamiliar", "unreadable"
DECISIONS = frozenset({UNCERTAIN, UNFAMILIAR, UNREADABLE})


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image: which pixels of which file, and what is known without opening it."""

    image_id: str  # unique in its dataset; printable, "/" between folders
    path: Path  # absolute; the name of an image that was given in memory
    label: str | None  # None: unknown
    group: str | None  # images that must stay in the same set; None: no groups are defined
    domain: str  # its source if there are several; "" for a single one
    predefined_split: Side | None
    plan: ReadPlan
    stated: frozenset[str] = frozenset()  # fields of the plan that its table row states; or "point"
    given: Decoded | None = field(default=None, compare=False)  # in memory: there is no file, `path` is only a name
    about: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # columns of its table without a meaning here

    @property
    def named_group(self) -> str | None:
        """The group; None if the image is a group of its own because no group was named for it."""
        return None if self.group == self.image_id else self.group

    @property
    def is_there(self) -> bool:
        """Whether the file exists, or the image is in memory. Whether it can be read is not checked."""
        return self.given is not None or os.path.lexists(self.path)

    def read(self, fields: Fields | None = None) -> Pixels:
        """Return the pixels of the image by its plan; `fields` caches planes that contain several boxes.

        Raises:
            UnreadableImage: it cannot be read, for whatever reason.
        """
        if self.given is not None:
            return pixels_in_memory(self.path, self.given, self.plan)
        return read_pixels(self.path, self.plan, fields=fields)


@dataclass(frozen=True, slots=True)
class Opening:
    """The arguments of an opened dataset, to open it again."""

    sources: tuple[str | Table, ...]  # absolute paths; a table if it, or its images, are in memory
    group: str | None  # column
    group_pattern: str | None
    plan: ReadPlan = field(default_factory=ReadPlan)
    domains: tuple[str | None, ...] = ()  # one per source; empty: named after their folders
    columns: Mapping[str, str] = field(default_factory=dict)  # meaning to column of the tables, as chosen
    column_pattern: str | None = None  # found the contents of the group column in earlier paths

    @property
    def is_grouped(self) -> bool:
        """Whether groups were chosen, by a column or by a pattern."""
        return self.group is not None or self.group_pattern is not None

    @property
    def are_tables(self) -> bool:
        """Whether all sources are tables, whose columns can name groups."""
        return all(isinstance(source, Table) or Path(source).is_file() for source in self.sources)

    @property
    def plan_of_each(self) -> ReadPlan:
        """The plan of each file, before files of channels are joined."""
        return self.plan.model_copy(update={"channel_files": None})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the images of one domain come from."""

    domain: str
    root: Path  # absolute; relative paths of this domain start from it
    sources: tuple[str, ...]  # absolute


@dataclass(frozen=True, repr=False)
class Dataset:
    """Images as listed, before any of them is decoded."""

    root: Path  # absolute; the folder that encloses all of them
    source: Source
    records: tuple[ImageRecord, ...]
    notes: tuple[Note, ...]
    opening: Opening = Opening((), None, None)
    origins: tuple[Origin, ...] = ()  # one per domain
    dropped: frozenset[str] = frozenset()  # labels of images that are excluded on request
    class_order: tuple[str, ...] = ()  # the classes that come first
    made_classes: frozenset[str] = frozenset()  # labels from merging or renaming classes

    def __repr__(self) -> str:
        return f"Dataset({str(self.root)!r}, {counted(len(self.records), 'image')}, classes={list(self.classes)})"

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The labels that are not excluded: in the requested order, then in natural order ("2" before "10")."""
        labels = {r.label for r in self.records if r.label is not None} - self.dropped
        first = [label for label in self.class_order if label in labels]
        return (*first, *sorted(labels.difference(first), key=natural_key))

    def has_class(self, record: ImageRecord) -> bool:
        """Return whether an image has a label that is not excluded."""
        return record.label is not None and record.label not in self.dropped

    @property
    def is_in_memory(self) -> bool:
        """Whether images, or the table that names them, are in memory: they cannot be opened again later."""
        return any(isinstance(source, Table) for source in self.opening.sources)

    @cached_property
    def has_groups(self) -> bool:
        """Whether any image belongs to a named group."""
        return any(record.group is not None for record in self.records)

    @cached_property
    def has_predefined_split(self) -> bool:
        """Whether folders or a table assign images to training, validation or test set."""
        return any(record.predefined_split is not None for record in self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[ImageRecord]:
        return iter(self.records)

    def __getitem__(self, position: int) -> ImageRecord:
        return self.records[position]

    def to_pandas(self) -> "DataFrame":
        """Return one row per image: image_id, path, label, group, domain, split (None if unknown).

        Raises:
            CoverslipError: pandas is not installed.
        """
        columns = {name: [getattr(record, name) for record in self.records] for name in ("label", "group", "domain")}
        return data_frame(
            {
                "image_id": [record.image_id for record in self.records],
                "path": [self.relative_path(record) for record in self.records],
                **columns,
                "split": [record.predefined_split for record in self.records],
            }
        )

    def _repr_html_(self) -> str:
        """Return the number of images of each class, for notebooks."""
        title = text("dataset-title", n_images=len(self), n_classes=len(self.classes), root=self.root)
        n_of = Counter(record.label for record in self.records)
        return html_table(title, ("class", "images"), [(name, n_of[name]) for name in self.classes])

    def chosen(self, positions: Iterable[int]) -> "Dataset":
        """Return the images at these positions as a dataset."""
        return replace(self, records=tuple(self.records[int(i)] for i in positions))

    def relative_path(self, record: ImageRecord) -> str:
        """Return the record's file as POSIX text relative to its domain's root, or absolute if it is not below."""
        return name_as_text(posix_below(record.path, self._roots.get(record.domain, self.root)))

    def read_with(self, plan: ReadPlan) -> "Dataset":
        """Return the same images by another plan.

        A plane or channels that a table row states are kept, and so are all boxes. Squares around points take the
        plan's crop size, if it has one.
        """

        def planned(record: ImageRecord) -> ImageRecord:
            changes = {name: getattr(plan, name) for name in ("plane", "channels") if name not in record.stated}
            if "point" in record.stated and record.plan.box is not None and plan.crop_size is not None:
                changes["box"] = square_around(box_center(record.plan.box), plan.crop_size)
            return replace(record, plan=record.plan.model_copy(update=changes))

        return replace(self, records=tuple(map(planned, self.records)), opening=replace(self.opening, plan=plan))

    def domain_of(self, record: ImageRecord) -> str:
        """Return the name of an image's domain. A single source has the name that it would have among several."""
        return record.domain or source_name(self.root)

    @cached_property
    def _roots(self) -> dict[str, Path]:
        return {origin.domain: origin.root for origin in self.origins}


def source_name(root: Path) -> str:
    """Return a short name for a source: that of its folder, or of the folder of its table."""
    return printable(root.name) or "root"


def side_named(text: str) -> Side | None:
    """Return the set that a folder or a cell names (`Validation` is `val`), or None."""
    return _SIDES.get(text.strip().casefold())


def posix_below(path: Path, root: Path) -> str:
    """Return `path` relative to `root` with "/" between folders; absolute if it is not below `root`."""
    whole, start = os.fspath(path), os.fspath(root).rstrip(os.sep) + os.sep
    text = whole[len(start) :] if whole.startswith(start) else whole
    return text.replace(os.sep, "/")


def absolute_path(path: str | Path, start: Path | None = None) -> Path:
    """Return `path` from `start` (else the current folder) without ".."; links stay, and `~` is the home folder."""
    home = os.path.expanduser(path)  # noqa: PTH111 - Path.expanduser raises on a file named ~cell.tif
    return Path(os.path.normpath((start or Path.cwd()) / home))


def printable(text: str) -> str:
    """Return `text` as valid UTF-8: other bytes of a file name become `\\xff`."""
    return text if text.isascii() else os.fsencode(text).decode("utf-8", "backslashreplace")


def name_as_text(name: str) -> str:
    """Return a file name or path for hashes, ids, tables, SQLite and JSON; `name_from_text` is the inverse.

    Bytes that are not UTF-8 become `\\xff`, as in `printable`. If a name contains such characters itself, its backslash
    becomes `\\x5c`, so that no two files have the same text. On Windows, where backslashes separate folders, there are
    no such bytes.
    """
    return printable(name if os.sep == "\\" else _LIKE_BYTE.sub(r"\\x5c", name))


def name_from_text(text: str) -> str:
    """Return the name of which `name_as_text` made this text."""
    if os.sep == "\\":
        return text
    return _BYTE.sub(lambda match: os.fsdecode(bytes.fromhex(match[1])), text)


def one_line(text: str, longest: int = 120) -> str:
    """Return `text` for a message: control characters and line ends are escaped, and a long text is shortened."""
    escaped = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in printable(text))
    half = longest // 2 - 2
    return escaped if len(escaped) <= longest else f"{escaped[:half]} … {escaped[-half:]}"


def clean_label(text: str) -> str:
    """Return a label in the form in which labels are compared: stripped, and with composed accents.

    macOS stores accents decomposed. Control characters become readable escapes, so that every table, drawing and
    terminal shows the same class.
    """
    return escape_controls(unicodedata.normalize("NFC", printable(text)).strip())


def natural_key(text: str) -> tuple[tuple[str | tuple[int, str], ...], str]:
    """Return a key that sorts names naturally: "cell 2" before "cell 10", upper and lower case together."""
    pieces = re.split(r"([0-9]+)", text.casefold())
    numbers = (piece.lstrip("0") for piece in pieces[1::2])
    ordered: list[str | tuple[int, str]] = list(pieces)
    ordered[1::2] = [(len(number), number) for number in numbers]
    return tuple(ordered), text


def some(names: Iterable[str], n: int = 5) -> str:
    """Return the first names for a message, and the number of the others."""
    all_names = list(names)
    listed = ", ".join(f"'{one_line(name, 60)}'" for name in all_names[:n])
    return listed if len(all_names) <= n else f"{listed} and {len(all_names) - n:,} more"


def counted(n: int, singular: str, plural: str | None = None) -> str:
    """Return a number with its noun: "1 image", "2,000 images"."""
    return f"{n:,} {singular if n == 1 else plural or singular + 's'}"
