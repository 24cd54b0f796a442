"""Files that tables name in another Unicode form than the disk, or without the ending of the file name."""

import os
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from coverslip.datasets.names import has_image_suffix, is_hidden, some, suffix_of
from coverslip.datasets.tables.faults import CellFault
from coverslip.images import is_image_folder
from coverslip.text_tables import composed

_MOST_FOLDERS = 200  # that are searched for the remedy of an error


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
