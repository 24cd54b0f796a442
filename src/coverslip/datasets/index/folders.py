"""Images in folders: list them, read classes and sets from names, and join files of single channels."""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from coverslip.datasets.index.records import Dataset, ImageRecord, Side, Source, side_named
from coverslip.datasets.names import (
    clean_label,
    has_image_suffix,
    is_hidden,
    name_as_text,
    natural_key,
    one_line,
    printable,
    some,
    suffix_of,
)
from coverslip.datasets.text_tables import CellFault
from coverslip.errors import BadDataset
from coverslip.images.formats import is_image_folder, unread_formats
from coverslip.images.reader import MAX_CHANNEL_FILES, ReadPlan
from coverslip.messages import Note, note
from coverslip.table_cells import composed

_MOST_FOLDERS = 200  # that are searched for the remedy of an error


@dataclass(slots=True)
class Listing:
    """The content of a folder. Paths are tuples of names relative to it."""

    images: list[tuple[str, ...]] = field(default_factory=list)
    folders: list[tuple[str, ...]] = field(default_factory=list)
    n_hidden: int = 0
    other: Counter[str] = field(default_factory=Counter)  # suffix -> number of files that are not images
    n_circular: int = 0  # links to folders that are listed already
    closed: list[str] = field(default_factory=list)  # folders that could not be opened

    def notes(self) -> list[Note]:
        """Return notes on ignored files and folders."""
        notes = []
        for unread in unread_formats(path_parts[-1] for path_parts in self.images):
            notes.append(
                note("unread-format", level="warning", format=unread.title, n_files=unread.n_files, advice=unread.do)
            )
        if self.other:
            notes.append(note("not-images", suffixes=_suffixes(self.other)))
        if self.n_hidden:
            notes.append(note("hidden-files", n_files=self.n_hidden))
        if self.n_circular:
            notes.append(note("circular-links", n_links=self.n_circular))
        if self.closed:
            folders = some(self.closed)
            notes.append(note("closed-folders", level="warning", n_folders=len(self.closed), folders=folders))
        return notes


def list_images(root: Path) -> Listing:
    """List every image below `root`, in natural order. Links are followed, but not in circles.

    A folder that is one image, such as an OME-Zarr, is not searched.

    Raises:
        BadDataset: `root` itself may not be opened.
    """
    listing = Listing()
    real_root = os.path.realpath(root)
    followed: set[tuple[str, str]] = set()  # (first-level folder, link's target)
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        below = waiting.pop()
        folder = root.joinpath(*below)
        if below and is_image_folder(folder):
            listing.images.append(below)
            continue
        if below:
            listing.folders.append(below)
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            if not below:
                raise BadDataset("image-folder-not-opened", file=root, reason=error.strerror or str(error)) from error
            listing.closed.append(printable("/".join(below)))
            continue
        for entry in entries:
            if is_hidden(entry.name):
                listing.n_hidden += 1
            elif is_folder(entry):
                inner = (*below, entry.name)
                if entry.is_symlink() and _leads_back(entry.path, folder, real_root, inner[0], followed):
                    listing.n_circular += 1
                    continue
                waiting.append(inner)
            elif has_image_suffix(entry.name):
                listing.images.append((*below, entry.name))
            else:
                listing.other[suffix_of(entry.name) or "no suffix"] += 1
    listing.images.sort(key=_natural_path)
    listing.folders.sort(key=_natural_path)
    return listing


def open_folder(root: Path, plan: ReadPlan) -> tuple[Source, list[ImageRecord], list[Note]]:
    """Return the records of a folder of class folders, optionally under train / val / test, and notes.

    The first folder level is the class; deeper levels are ignored. Images beside the class folders have no label.

    Raises:
        BadDataset: there are no images, or no class folders. The message lists the content.
    """
    listing = list_images(root)
    if not listing.images:
        raise no_images(root, listing)
    layout = _read_layout(root, listing.images)
    records = []
    for path_parts in listing.images:
        side, label = layout.place(path_parts)
        identity = name_as_text("/".join(path_parts))
        records.append(ImageRecord(identity, root.joinpath(*path_parts), label, None, "", side, plan))
    return layout.source, records, layout.notes(listing, records) + listing.notes()


def labels_of_folders(images: Sequence[tuple[str, ...]]) -> list[str | None]:
    """Return the label of each image by its class folder, as `open_folder`; None for all without class folders.

    Args:
        images: path parts relative to the folder of class folders.
    """
    try:
        layout = _read_layout(Path(), images)
    except BadDataset:
        return [None] * len(images)
    return [layout.place(path_parts)[1] for path_parts in images]


def no_images(folder: Path, listing: Listing) -> BadDataset:
    """Return the error for a folder without images, with its other content."""
    if listing.other:
        content = "other-files"
    elif listing.folders:
        content = "empty-folders"
    else:
        content = "hidden-files" if listing.n_hidden else "nothing"
    return BadDataset(
        "no-images",
        file=folder,
        content=content,
        suffixes=_suffixes(listing.other),
        n_folders=len(listing.folders),
        n_hidden=listing.n_hidden,
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    """The positions of set and class in a relative path."""

    prefix: tuple[str, ...]  # enclosing folders without a meaning, such as `images`
    source: Source

    def place(self, path_parts: Sequence[str]) -> tuple[Side | None, str | None]:
        """Return the set and label of an image with these path parts."""
        inner = path_parts[len(self.prefix) :]
        if tuple(path_parts[: len(self.prefix)]) != self.prefix:
            return None, None
        side = side_named(inner[0]) if self.source == "split folders" and len(inner) > 1 else None
        if self.source == "split folders":
            inner = inner[1:] if side else ()
        return side, clean_label(inner[0]) if len(inner) > 1 else None

    def notes(self, listing: Listing, records: Sequence[ImageRecord]) -> list[Note]:
        notes = []
        if self.prefix:
            notes.append(note("inner-class-folders", folder=one_line("/".join(self.prefix))))
        unlabeled = [record.image_id for record in records if record.label is None]
        if unlabeled:
            notes.append(note("no-class-folder", n_images=len(unlabeled), examples=some(unlabeled, 3)))
        full = {path_parts[:depth] for path_parts in listing.images for depth in range(1, len(path_parts))}
        depth = len(self.prefix) + (2 if self.source == "split folders" else 1)
        empty = ["/".join(f) for f in listing.folders if len(f) == depth and f not in full]
        if empty:
            notes.append(note("empty-folders", n_folders=len(empty), folders=some(empty)))
        return notes


def _read_layout(root: Path, images: Sequence[tuple[str, ...]]) -> _Layout:
    prefix: tuple[str, ...] = ()
    while True:
        inner = [path_parts[len(prefix) :] for path_parts in images]
        tops = sorted({path_parts[0] for path_parts in inner if len(path_parts) > 1}, key=natural_key)
        if not tops:
            raise BadDataset("no-class-folders", file=root, n_images=len(images))
        sides = {top: side_named(top) for top in tops}
        below_sides = [path_parts for path_parts in inner if len(path_parts) > 1 and sides[path_parts[0]]]
        divides = all(sides.values()) or {"train"} < {side for side in sides.values() if side}
        if divides and any(len(path_parts) > 2 for path_parts in below_sides):
            return _Layout(prefix, "split folders")
        if divides:
            raise BadDataset("split-folders-without-classes", file=root, folders=some(tops))
        # An unpacked archive often has one enclosing folder, which would be the only class.
        depth = _n_shared_folders(inner)
        if not depth or any(len(path_parts) == depth + 1 for path_parts in inner):
            return _Layout(prefix, "folders")
        prefix = (*prefix, tops[0])


def _n_shared_folders(images: Sequence[tuple[str, ...]]) -> int:
    """Return the number of nested folders that enclose all images."""
    first, last = min(images)[:-1], max(images)[:-1]  # all others share what these two share
    return next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder, or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _leads_back(link: str, folder: Path, real_root: str, top: str, followed: set[tuple[str, str]]) -> bool:
    """Return whether a linked folder encloses the folder of the link, or is already listed under the same class."""
    target = os.path.realpath(link)
    enclosing = target.rstrip(os.sep) + os.sep
    if any((place + os.sep).startswith(enclosing) for place in (real_root, os.path.realpath(folder))):
        return True
    if (top, target) in followed:
        return True
    followed.add((top, target))
    return False


def _natural_path(names: Iterable[str]) -> list[tuple[tuple[str | tuple[int, str], ...], str]]:
    return [natural_key(name) for name in names]


def _suffixes(counts: Counter[str]) -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:6]  # whatever the order of the folder
    listed = ", ".join(f"{n:,} {one_line(suffix, 20)}" for suffix, n in most)
    return listed if len(counts) <= 6 else f"{listed} and others"


class FileFinder:
    """Finds the files that the cells of a table name, and lists each folder once.

    Tables may name them in another Unicode form than the disk, or without the ending of the file name.

    Args:
        may_read: returns whether a folder may be listed; None: all.
    """

    def __init__(self, may_read: Callable[[Path], bool] | None = None) -> None:
        self._may_read = may_read
        self._listed: dict[Path, _Names] = {}

    def find(self, path: Path) -> Path:
        """Return the file that a path names; the path itself if there is none.

        An existing path is returned as it is. Otherwise, the file is returned whose name has the same letters in
        another Unicode form, or the same letters before its ending.

        Args:
            path: absolute.

        Raises:
            CellFault: several files fit.
        """
        has_ending = has_image_suffix(path.name)
        if has_ending and os.fspath(path).isascii():  # only one name fits, and no disk access is needed
            return path
        if os.path.lexists(path) and (has_ending or not path.is_dir() or is_image_folder(path)):
            return path
        folder = self._folder(path.parent)
        if folder is None:
            return path
        names = self._names(folder)
        if same := names.of_form.get(composed(path.name), []):
            return folder / _single(path.name, same, "several-unicode-forms")
        if not has_ending and (same := names.of_stem.get(composed(path.name), [])):
            return folder / _single(path.name, same, "several-endings")
        return path

    def folder_with(self, name: str, root: Path) -> Path | None:
        """Return the first folder below `root` that contains a file of this name, with its ending or without.

        It is one of the first folders by depth.
        """
        name = composed(name)
        folders = [root]
        for folder in folders:  # grows
            names = self._names(folder)
            if folder != root and (name in names.of_form or name in names.of_stem):
                return folder
            inner = (folder / each for of_form in names.of_form.values() for each in of_form if "." not in each)
            if len(folders) < _MOST_FOLDERS:
                folders += sorted(each for each in inner if each.is_dir() and not each.is_symlink())
        return None

    def _folder(self, path: Path) -> Path | None:
        """Return an existing folder by its path in any Unicode form; None if there is none."""
        if path.is_dir() or path == path.parent:
            return path
        parent = self._folder(path.parent)
        if parent is None:
            return None
        same = self._names(parent).of_form.get(composed(path.name), [])
        return parent / _single(path.name, same, "several-unicode-forms") if same else None

    def _names(self, folder: Path) -> "_Names":
        if folder not in self._listed:
            is_listed = self._may_read is None or self._may_read(folder)
            self._listed[folder] = _Names(folder if is_listed else None)
        return self._listed[folder]


class _Names:
    """The names in a folder by their composed form, with ending and without."""

    def __init__(self, folder: Path | None) -> None:
        self.of_form, self.of_stem = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
        try:
            names = sorted(entry.name for entry in folder.iterdir()) if folder is not None else []
        except OSError:
            names = []
        for name in names:
            if is_hidden(name):
                continue
            form = composed(name)
            self.of_form[form].append(name)
            if has_image_suffix(name):
                stem = form[: -len(suffix_of(form))]
                self.of_stem[stem].append(name)
                if suffix_of(stem) == ".ome":
                    self.of_stem[stem[: -len(".ome")]].append(name)


def _single(cell: str, names: list[str], code: str) -> str:
    if len(names) > 1:
        raise CellFault(code, value=cell, names=some(names))
    return names[0]


# Images with each channel in a separate file, recognized by names: `a_w1.tif` and `a_w2.tif` are one image.

# Marks that acquisition programs write: _w1, _w2DAPI, _ch00, _C0, -ch1, _channel1.
_USUAL_MARK = re.compile(
    r"[_\-. ](?:w|ch|c|chan|channel)_?\d{1,2}(?:[A-Za-z][A-Za-z0-9]*)?(?![A-Za-z0-9])", re.IGNORECASE
)
_LEAST_SHARE = 0.8  # of images that have all their files, for marks to count as those of channels


def with_plan(data: Dataset, plan: ReadPlan) -> Dataset:
    """Return the same images with another plan. If it names channel files, the files of an image are joined."""
    return with_channel_files(data, plan).read_with(plan)


def with_channel_files(data: Dataset, plan: ReadPlan) -> Dataset:
    """Return the images of a dataset with the files that are channels of one image joined, and notes about it.

    An image takes the position of its first file. It is named after the file of its first channel, and has the label,
    group and set of that file. Missing files are detected when the image is read. Files without any of the marks stay
    separate images, and so do images whose channels are already joined. A file that is listed again is in a further
    image.

    Args:
        data: images.
        plan: contains the marks of channel files, if there are any.
    """
    if plan.channel_files is None:
        return data
    joiner = _ChannelJoiner(plan.channel_files)
    records = joiner.records_of(data.records)
    excluded = _ChannelJoiner(plan.channel_files).records_of(data.excluded)
    return replace(data, records=tuple(records), excluded=tuple(excluded), notes=(*data.notes, *joiner.notes()))


class _ChannelJoiner:
    """Joins the channel files of each image, and counts cases for notes."""

    def __init__(self, marks: Sequence[str]) -> None:
        self._marks = marks
        longest_first = sorted(marks, key=len, reverse=True)
        self._any = re.compile(f"(?:{'|'.join(map(re.escape, longest_first))})(?![A-Za-z0-9])")
        self._n_files = self._n_images = self._n_different = 0
        self._ids_without_mark: list[str] = []

    def records_of(self, records: Iterable[ImageRecord]) -> list[ImageRecord]:
        """Return one record for each image."""
        images: list[list[tuple[int, ImageRecord]]] = []
        of_name: dict[object, list[tuple[int, ImageRecord]]] = {}
        n_listed: Counter[object] = Counter()  # times that a file is listed so far
        for record in records:
            mark = (
                None if record.in_memory is not None or record.plan.other_files else self._last_mark(record.path.name)
            )
            if mark is None:
                self._ids_without_mark += [] if record.plan.other_files else [record.image_id]
                images.append([(0, record)])
            else:
                name = _with_mark(record.path.name, mark, "")
                key = (record.path.parent, mark.start(), name, record.domain, record.plan)
                n_listed[key, mark.group()] += 1
                key_of_image = (*key, n_listed[key, mark.group()])
                if key_of_image not in of_name:
                    images.append(of_name.setdefault(key_of_image, []))
                of_name[key_of_image].append((self._marks.index(mark.group()), record))
        return [self._image(files) for files in images]

    def _image(self, files: list[tuple[int, ImageRecord]]) -> ImageRecord:
        channel, first = min(files, key=lambda file: file[0])
        mark = self._last_mark(first.path.name)
        if mark is None or first.plan.other_files or first.in_memory is not None:
            return first
        self._n_files += len(files)
        self._n_images += 1
        self._n_different += len({record.label for _, record in files}) > 1
        names = [_with_mark(first.path.name, mark, each) for each in self._marks]
        changed = replace(first, plan=first.plan.model_copy(update={"other_files": tuple(names[1:])}))
        if channel == 0:
            return changed
        identity = names[0].join(first.image_id.rsplit(first.path.name, 1))  # the first file does not exist
        return replace(changed, path=first.path.with_name(names[0]), image_id=identity)

    def _last_mark(self, name: str) -> re.Match[str] | None:
        return next(iter(reversed(list(self._any.finditer(name)))), None)

    def notes(self) -> list[Note]:
        """Return notes on the joined files, and on files that may not be joined as intended."""
        marks = ", ".join(f"'{one_line(mark, 40)}'" for mark in self._marks)
        notes = [note("channel-files", n_files=self._n_files, n_images=self._n_images, marks=marks)]
        if self._ids_without_mark:
            example = one_line(self._ids_without_mark[0], 80)
            notes.append(
                note("no-channel-mark", level="warning", n_images=len(self._ids_without_mark), example=example)
            )
        if self._n_different:
            notes.append(note("unlike-channel-labels", level="warning", n_images=self._n_different))
        return notes


@dataclass(frozen=True, slots=True)
class ChannelNames:
    """The marks in file names that seem to distinguish the channels of images."""

    marks: tuple[str, ...]  # in the order of channels
    n_files: int
    n_images: int
    example: tuple[str, ...]  # names of the files of one image


def channel_names(records: Sequence[ImageRecord]) -> ChannelNames | None:
    """Return the marks by which the files of most images differ, if all but a few names have one; else None."""
    marks_of: dict[tuple[Path, str], dict[str, str]] = defaultdict(dict)
    for record in records:
        if record.in_memory is None and not record.plan.other_files:
            last_mark = next(iter(reversed(list(_USUAL_MARK.finditer(record.path.name)))), None)
            if last_mark is not None:
                key = (record.path.parent, _with_mark(record.path.name, last_mark, "\0"))
                marks_of[key][last_mark.group()] = record.path.name
    if not marks_of:
        return None
    times = Counter(frozenset(marks) for marks in marks_of.values())
    marks, n_images = max(times.items(), key=lambda item: (item[1] * len(item[0]), sorted(item[0])))
    n_files = n_images * len(marks)
    if not 2 <= len(marks) <= MAX_CHANNEL_FILES or n_images < _LEAST_SHARE * len(marks_of):
        return None
    if n_files < _LEAST_SHARE * len(records):
        return None
    ordered = tuple(sorted(marks, key=lambda mark: [int(n) for n in re.findall(r"\d+", mark)]))
    example = next(names for names in marks_of.values() if names.keys() == marks)
    return ChannelNames(ordered, n_files, n_images, tuple(example[mark] for mark in ordered))


def _with_mark(name: str, mark: re.Match[str], replacement: str) -> str:
    return f"{name[: mark.start()]}{replacement}{name[mark.end() :]}"
