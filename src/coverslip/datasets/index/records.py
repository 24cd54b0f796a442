"""Datasets: one record per image, in a fixed order, with its origin; images of other lists found in them."""

import os
import struct
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attr
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from coverslip.datasets.columns import plain_name
from coverslip.datasets.index.image_tables import ImageTable
from coverslip.datasets.names import counted, name_as_text, natural_key, posix_below, source_name
from coverslip.datasets.text_tables import is_table
from coverslip.files import stated_paths
from coverslip.images.decoding import Fields, read_pixels
from coverslip.images.formats import is_image_folder
from coverslip.images.reader import PLAN_COLUMNS, Channel, Decoded, ReadPlan, box_center, square_around
from coverslip.images.reading import Pixels, pixels_in_memory
from coverslip.messages import Note, text
from coverslip.notebooks import data_frame, html_table

if TYPE_CHECKING:
    from pandas import DataFrame

Side = Literal["train", "val", "test"]
Part = Literal["train", "val", "test", "excluded"]
Source = Literal["folders", "split folders", "table", "files"]

SIDES: tuple[Side, Side, Side] = ("train", "val", "test")

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
DECISIONS = (UNCERTAIN, UNFAMILIAR, UNREADABLE)


@dataclass(frozen=True, init=False, eq=False)
class ImageRecord:
    """One image: its file and the pixels to read, and its label, group and set.

    A record of an object takes about 400 bytes, so that a million of them fit into memory: all boxes of a file share
    one plan, and the other columns of a table are stored as one text.
    """

    __slots__ = (
        *("image_id", "path", "label", "group", "domain", "predefined_split", "stated", "in_memory"),
        *("_plan_of_file", "_box", "_columns", "_cells"),
    )

    image_id: str  # unique in its dataset; printable, "/" between folders
    path: Path  # absolute; the name of an image in memory
    label: str | None  # None: unknown
    group: str | None  # images of a group stay in the same set; None: it has no group
    domain: str  # its source if there are several sources, else ""
    predefined_split: Side | None
    stated: frozenset[str]  # fields of the plan that its table row states, or "point"
    in_memory: Decoded | None  # pixels without a file; `path` is then only a name
    if TYPE_CHECKING:  # no fields
        _plan_of_file: ReadPlan
        _box: bytes | None  # of `_BOX`; None: there is none, or it is in the plan
        _columns: tuple[str, ...]
        _cells: str | tuple[str, ...]  # joined by `_MARK` if no cell contains it
    plan: ReadPlan = property(lambda self: self._plan())  # type: ignore[assignment]  # noqa: RUF009  computed
    about: tuple[tuple[str, str], ...] = property(lambda self: self._about())  # type: ignore[assignment]  # computed

    def __init__(
        self,
        image_id: str,
        path: Path,
        label: str | None,
        group: str | None,
        domain: str,
        predefined_split: Side | None,
        plan: ReadPlan,
        stated: frozenset[str] = frozenset(),
        in_memory: Decoded | None = None,
        about: tuple[tuple[str, str], ...] = (),  # other columns of its table; to predict, all columns
    ) -> None:
        put = object.__setattr__
        put(self, "image_id", image_id)
        put(self, "path", path)
        put(self, "label", label)
        put(self, "group", group)
        put(self, "domain", domain)
        put(self, "predefined_split", predefined_split)
        put(self, "stated", stated)
        put(self, "in_memory", in_memory)
        self._put_plan(plan)
        put(self, "_columns", _same_columns(tuple([name for name, _ in about])) if about else ())
        cells = [cell for _, cell in about]
        put(self, "_cells", tuple(cells) if _MARK in "".join(cells) else _MARK.join(cells))

    def _put_plan(self, plan: ReadPlan) -> None:
        region = plan.region
        is_small = region is not None and min(region) >= -_MOST_PIXELS and max(region) <= _MOST_PIXELS
        of_file = _plan_without_box(**plan.__dict__ | {"region": None}) if is_small else plan
        object.__setattr__(self, "_plan_of_file", of_file)
        object.__setattr__(self, "_box", _BOX.pack(*region) if region is not None and is_small else None)

    def _copy(self) -> "ImageRecord":
        copied = object.__new__(ImageRecord)
        for name in ImageRecord.__slots__:
            object.__setattr__(copied, name, getattr(self, name))
        return copied

    def with_label(self, label: str | None) -> "ImageRecord":
        """Return the image with another label; faster than `dataclasses.replace`, as are the next two."""
        copied = self._copy()
        object.__setattr__(copied, "label", label)
        return copied

    def with_group(self, group: str | None) -> "ImageRecord":
        """Return the image in another group."""
        copied = self._copy()
        object.__setattr__(copied, "group", group)
        return copied

    def with_plan(self, plan: ReadPlan) -> "ImageRecord":
        """Return the image, read by another plan."""
        copied, box = self._copy(), self._box
        copied._put_plan(plan)
        if copied._box == box:
            object.__setattr__(copied, "_box", box)  # stored once
        return copied

    def _plan(self) -> ReadPlan:
        if self._box is None:
            return self._plan_of_file
        return self._plan_of_file.model_copy(update={"region": _BOX.unpack(self._box)})

    def _about(self) -> tuple[tuple[str, str], ...]:
        cells = self._cells.split(_MARK) if isinstance(self._cells, str) else self._cells
        return tuple(zip(self._columns, cells, strict=False))  # without columns, there is one empty text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageRecord) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self.image_id)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (*self._identity[:6], self.plan, self.stated, self.in_memory, self.about)

    @property
    def _identity(self) -> tuple[Any, ...]:
        """What equal records have in common: all but pixels in memory and other columns."""
        plan = self._plan_of_file, self._box
        return self.image_id, self.path, self.label, self.group, self.domain, self.predefined_split, plan, self.stated

    @property
    def unit(self) -> tuple[str | None, str]:
        """What images of the same group have in common. An image without a group has it alone, whatever its name."""
        return self.group, self.image_id if self.group is None else ""

    @property
    def pixels_read(self) -> str:
        """The pixels of the file that are read, as `ReadPlan` states them."""
        return self._plan_of_file.pixels_read

    @property
    def pixels(self) -> tuple[Any, ...]:
        """What images of the same pixels have in common."""
        return self.path, self._plan_of_file, self._box, id(self.in_memory)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns of `about`."""
        return self._columns

    @property
    def has_box(self) -> bool:
        """Whether the image is a region of its file."""
        return self._box is not None or self._plan_of_file.region is not None

    @property
    def files(self) -> tuple[Path, ...]:
        """The files of the image: several if its channels are in several files."""
        return self._plan_of_file.files(self.path)

    @property
    def series(self) -> tuple[Path, int]:
        """The file of the image, and the number of its series there: the field of view of a crop."""
        return self.path, self._plan_of_file.series

    @property
    def field(self) -> str:
        """The field of view of an object; empty if its table names none."""
        return self._cell("field")

    @property
    def object_id(self) -> str:
        """The identity of an object within its field of view; empty if its table names none."""
        return self._cell("object_id")

    @property
    def sample(self) -> str:
        """The sample (well, animal, patient); empty if its table names none."""
        return self._cell("sample")

    @property
    def finder(self) -> str:
        """How a finder found the object, as tables of objects state it; empty if its table does not."""
        return self._cell("finder")

    def _cell(self, column: str) -> str:
        return next((cell for name, cell in self.about if plain_name(name) == column), "")

    @property
    def exists(self) -> bool:
        """Whether the file exists, or the image is in memory. Whether it can be read is not checked."""
        return self.in_memory is not None or os.path.lexists(self.path)

    def read(self, fields: Fields | None = None) -> Pixels:
        """Return the pixels of the image by its plan; `fields` caches planes that contain several boxes.

        Raises:
            UnreadableImage: it cannot be read.
        """
        if self.in_memory is not None:
            return pixels_in_memory(self.path, self.in_memory, self.plan)
        return read_pixels(self.path, self.plan, fields=fields)


_BOX = struct.Struct("4i")
_MOST_PIXELS = 2**31 - 1  # in a stored box
_MARK = "\x1f"  # between cells


@lru_cache
def _same_columns(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names; the same object for equal names."""
    return columns


@lru_cache(maxsize=1_000, typed=True)
def _plan_without_box(**fields: object) -> ReadPlan:
    """Return the plan of these fields; the same object for equal fields."""
    return ReadPlan().model_copy(update=fields)


@dataclass(frozen=True, slots=True)
class Opening:
    """The arguments of an opened dataset, to open it again."""

    sources: tuple[str | ImageTable, ...]  # absolute paths; a table if it, or its images, are in memory
    group: str | None  # column
    group_pattern: str | None
    plan: ReadPlan = attr(default_factory=ReadPlan)
    domains: tuple[str | None, ...] = ()  # one per source; empty: named after their folders
    columns: Mapping[str, str] = attr(default_factory=dict)  # meaning to column of the tables, as chosen
    column_pattern: str | None = None  # pattern that found the values of the group column in paths
    channels: tuple[Channel, ...] | None = None  # of all images that state none, whatever the plan; None: of the plan

    @property
    def is_grouped(self) -> bool:
        """Whether groups were chosen, by a column or by a pattern."""
        return self.group is not None or self.group_pattern is not None

    @property
    def are_tables(self) -> bool:
        """Whether all sources are tables, whose columns can name groups."""
        return all(isinstance(source, ImageTable) or Path(source).is_file() for source in self.sources)

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
    excluded: tuple[ImageRecord, ...] = ()  # not among the records: tables exclude them, if each image counts once

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
        return any(isinstance(source, ImageTable) for source in self.opening.sources)

    @cached_property
    def has_groups(self) -> bool:
        """Whether any image belongs to a group."""
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

    def subset(self, positions: Iterable[int]) -> "Dataset":
        """Return a dataset of the images at these positions."""
        return replace(self, records=tuple(self.records[int(i)] for i in positions))

    def relative_path(self, record: ImageRecord) -> str:
        """Return the record's file as POSIX text, as a file in its domain's root states it (`stated_paths`)."""
        stated = self._stated.get(record.domain, self._stated[None])
        return name_as_text(stated(str(record.path)).replace(os.sep, "/"))

    def path_below_source(self, record: ImageRecord) -> str:
        """Return the record's file relative to the folder or the table's folder that lists it, for group patterns.

        A file that is listed by itself, or by a pattern such as `new/*.tif`, is relative to the root.
        """
        folder = next((path for path in record.path.parents if path in self._source_folders), None)
        return self.relative_path(record) if folder is None else name_as_text(posix_below(record.path, folder))

    @cached_property
    def _source_folders(self) -> frozenset[Path]:
        """The folders of several sources: listed themselves, or of tables."""
        sources = self.opening.sources if len(self.opening.sources) > 1 else ()
        tables = [source.path.parent for source in sources if isinstance(source, ImageTable)]
        paths = [Path(source) for source in sources if not isinstance(source, ImageTable)]
        tables += [path.parent for path in paths if is_table(path) and path.is_file()]
        return frozenset([*tables, *(path for path in paths if path.is_dir() and not is_image_folder(path))])

    def read_with(self, plan: ReadPlan) -> "Dataset":
        """Return the same images by another plan.

        The `PLAN_COLUMNS` that a table row states are kept, and so are all boxes, which take the plan's crop size and
        margin. Squares around points take the plan's crop size, if it has one, and whole images one in µm.
        """

        by_column = {name: getattr(plan, name) for name in PLAN_COLUMNS}
        crop_size = plan.of_whole_image.crop_size

        def planned(record: ImageRecord) -> ImageRecord:
            changes = {name: value for name, value in by_column.items() if name not in record.stated}
            if record.plan.region is None or plan.has_physical_size:
                changes["crop_size"] = crop_size
            elif "point" in record.stated and isinstance(plan.crop_size, int):
                square = square_around(box_center(record.plan.region), plan.crop_size)
                changes |= {"region": square, "crop_size": None}
            if "region" in record.stated:
                changes |= {"crop_size": plan.crop_size, "crop_margin": plan.crop_margin}
            plan_of_record = record.plan
            if all(getattr(plan_of_record, name) == value for name, value in changes.items()):
                return record
            return record.with_plan(plan_of_record.model_copy(update=changes))

        records, excluded = (tuple(map(planned, each)) for each in (self.records, self.excluded))
        return replace(self, records=records, excluded=excluded, opening=replace(self.opening, plan=plan))

    def domain_of(self, record: ImageRecord) -> str:
        """Return the name of an image's domain. A single source has the name of its folder."""
        return record.domain or source_name(self.root)

    @cached_property
    def _stated(self) -> dict[str | None, Callable[[str], str]]:
        roots: list[tuple[str | None, Path]] = [(origin.domain, origin.root) for origin in self.origins]
        return {domain: stated_paths(root) for domain, root in [(None, self.root), *roots]}


def first_positions(records: Sequence[ImageRecord]) -> npt.NDArray[np.int64]:
    """Return (n,) for each image the position of the first one that is read from the same pixels of the same file."""
    hashes = np.fromiter((hash(record.pixels) for record in records), np.int64, len(records))
    _, first, inverse = np.unique(hashes, return_index=True, return_inverse=True)
    positions = first[inverse].astype(np.int64)
    for k in np.flatnonzero(positions != np.arange(len(records))).tolist():
        if records[k].pixels != records[positions[k]].pixels:  # the hashes are equal by chance
            positions[k] = k
    return positions


def side_named(text: str) -> Side | None:
    """Return the set that a folder or a cell names (`Validation` is `val`), or None."""
    return _SIDES.get(text.strip().casefold())


# Find images from elsewhere in a list of images: those of another run, or of a table.

_POINT, _NO_PARTS = "point", frozenset[str]()
_PLANE = frozenset({"series", "t", "z"})


class ImageFinder:
    """Finds images by their files, and by what is read of these.

    Args:
        listed: the file of each image, its plan, and the parts of the plan that its table row states, or "point".
    """

    def __init__(self, listed: Iterable[tuple[str, ReadPlan, frozenset[str]]]) -> None:
        self._images = list(listed)
        self._of_file: dict[str, list[int]] = defaultdict(list)
        self._around: dict[tuple[str, tuple[int, int] | None], list[int]] = defaultdict(list)
        for k, (file, plan, _) in enumerate(self._images):
            self._of_file[file].append(k)
            self._around[file, _center(plan)].append(k)

    def find(self, file: str, plan: ReadPlan, stated: frozenset[str] = _NO_PARTS) -> int | None:
        """Return the index of an image: the only one of its file, the same crop, or the same plan.

        A recipe may read another plane, other channels or larger crops around points than a list states. The series,
        time point and z-plane that the table row of a listed image states are those of the image, though. If two images
        match, neither is chosen.

        Args:
            file: the file of the image.
            plan: its plan.
            stated: the parts of the plan that its table row states, or "point"; none: unknown.
        """
        of_file = self._of_file.get(file, [])
        # A field of view can contain thousands of images: only those around the same point are compared.
        candidates = of_file if len(of_file) == 1 else self._around.get((file, _center(plan)), [])
        candidates = [k for k in candidates if self._is_same_plane(k, plan)]
        same = [k for k in candidates if self._is_same_crop(k, plan, stated)]
        if not same and len(of_file) == 1 and None in (self._images[of_file[0]][1].region, plan.region):
            same = candidates  # only one of the two crops the file
        if len(same) > 1:
            same = [k for k in same if self._images[k][1].region == plan.region] or same
        if len(same) > 1:
            same = [k for k in same if self._images[k][1] == plan] or self._with_same_parts(same, plan, stated)
        return same[0] if len(same) == 1 else None

    def _is_same_plane(self, k: int, plan: ReadPlan) -> bool:
        _, listed, listed_parts = self._images[k]
        return all(getattr(listed, name) == getattr(plan, name) for name in listed_parts & _PLANE)

    def _is_same_crop(self, k: int, plan: ReadPlan, stated: frozenset[str]) -> bool:
        _, listed, listed_parts = self._images[k]
        is_around = _POINT in listed_parts | stated or listed.has_physical_size or plan.has_physical_size
        if is_around and None not in (listed.region, plan.region):
            return _center(listed) == _center(plan)
        return listed.region == plan.region

    def _with_same_parts(self, candidates: Sequence[int], plan: ReadPlan, stated: frozenset[str]) -> list[int]:
        values = _stated_values(plan, stated)
        return [k for k in candidates if stated and _stated_values(*self._images[k][1:]) == values]


def _stated_values(plan: ReadPlan, stated: frozenset[str]) -> dict[str, object]:
    return {name: getattr(plan, name) for name in stated - {_POINT, "region"}}


def _center(plan: ReadPlan) -> tuple[int, int] | None:
    return None if plan.region is None else box_center(plan.region)
