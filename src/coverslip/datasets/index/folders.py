"""Images in folders: list them, and read classes and sets from the names of the folders.

Files that tables name in another Unicode form than the disk, or without the ending of the file name.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coverslip.datasets.index.records import ImageRecord, Side, Source, side_named
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
from coverslip.datasets.tables.reading import CellFault
from coverslip.errors import BadDataset
from coverslip.images import ReadPlan, is_image_folder, unread_formats
from coverslip.messages import Note, note
from coverslip.text_tables import composed

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
    listed = ", ".join(f"{n:,} {one_line(suffix, 20)}" for suffix, n in counts.most_common(6))
    return listed if len(counts) <= 6 else f"{listed} and others"


class FileFinder:
    """Finds the files that the cells of a table name, and lists each folder once.

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
