"""Folders on the disk of the user: which folders, tables and images they contain. Nothing is written there."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field

from coverslip.datasets import PLAIN_TABLE_SUFFIXES, has_image_suffix, natural_key
from coverslip.errors import CoverslipError
from coverslip.images import UnreadFormat, unread_formats, unread_suffixes
from coverslip.workspace.store.workspace import Workspace

MOST_SECONDS = 2.0  # limit for counting: a home folder on a network drive would take minutes


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or table to choose."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """A folder of images, which may be a class."""

    name: str
    n_images: Annotated[int | None, Field(description="Null: counting took too long.")]


@dataclass(slots=True)
class FolderContent:
    """The content of a folder, without hidden files and folders."""

    path: Annotated[Path | None, Field(description="Null: this is the list of folders that may be read.")]
    parent: Annotated[Path | None, Field(description="Null: its parent may not be read.")]
    folders: list[Place]
    tables: list[Place]
    n_images: Annotated[int, Field(description="Readable images in the folder and its subfolders; see is_more.")]
    unread: Annotated[list[UnreadFormat], Field(description="Files of microscope formats that cannot be read.")]
    class_folders: list[ClassFolder]
    is_more: Annotated[bool, Field(description="Whether there may be more images than counted.")]
    n_excluded: Annotated[
        int, Field(description="Folders and tables that are not listed because their names are not text.")
    ]


def list_folder(workspace: Workspace, path: str | None) -> FolderContent:
    """Return the content of the folder `path`; without a path, the folders that may be read.

    For a file, such as a table, its folder is returned.

    Raises:
        CoverslipError: the folder is outside the allowed folders, or cannot be opened.
    """
    if path is None:
        return FolderContent(
            None, None, [Place(_name(root), root) for root in workspace.roots], [], 0, [], [], False, 0
        )
    folder = workspace.allowed(path)
    if not folder.is_dir():
        folder = workspace.allowed(folder.parent)
    parent = folder.parent if _is_allowed(workspace, folder.parent) else None
    content = FolderContent(folder, parent, [], [], 0, [], [], False, 0)
    counting = _Counting(workspace, time.monotonic() + MOST_SECONDS)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: natural_key(entry.name))
    except OSError as error:
        raise CoverslipError("image-folder-not-opened", file=folder, reason=error.strerror) from error
    for entry in entries:
        if entry.name.startswith(".") or (entry.is_symlink() and not _is_allowed(workspace, Path(entry.path))):
            continue
        if not _is_text(entry.name):
            content.n_excluded += 1  # JSON can contain text only
        elif _is_folder(entry):
            content.folders.append(Place(entry.name, folder / entry.name))
            n = counting.below(entry.path)
            if n != 0:
                content.class_folders.append(ClassFolder(entry.name, n))
        elif Path(entry.name).suffix.lower() in PLAIN_TABLE_SUFFIXES and _is_file(entry):
            content.tables.append(Place(entry.name, folder / entry.name))
        else:
            counting.count([entry])
    content.n_images, content.is_more = counting.n_images, counting.is_more
    content.unread = unread_formats(counting.unread)
    return content


@dataclass(slots=True)
class _Counting:
    """Counts image files, up to a time limit."""

    workspace: Workspace
    until: float  # monotonic seconds
    n_images: int = 0
    is_more: bool = False
    unread: list[str] = field(default_factory=list)  # names of files in unsupported formats

    def count(self, entries: Iterable[os.DirEntry[str]]) -> None:
        """Count the entries that are images by name and that the app may open."""
        named = (entry for entry in entries if has_image_suffix(entry.name) and _is_file(entry))
        allowed = [
            entry.name for entry in named if not entry.is_symlink() or _is_allowed(self.workspace, Path(entry.path))
        ]
        suffixes = unread_suffixes()
        unread = [name for name in allowed if Path(name).suffix.lower() in suffixes]
        self.unread += unread
        self.n_images += len(allowed) - len(unread)

    def below(self, folder: str) -> int | None:
        """Return the number of images in `folder` and below; None after the time limit. Links are not followed."""
        before = self.n_images
        waiting = [folder]
        while waiting:
            if time.monotonic() > self.until:
                self.is_more = True
                return None
            try:
                entries = list(os.scandir(waiting.pop()))
            except OSError:  # it may not be opened; the error is shown when a user opens it
                continue
            shown = [entry for entry in entries if not entry.name.startswith(".")]
            waiting += [entry.path for entry in shown if entry.is_dir(follow_symlinks=False)]
            self.count(shown)
        return self.n_images - before


def _is_allowed(workspace: Workspace, path: Path) -> bool:
    try:
        workspace.allowed(path)
    except CoverslipError:
        return False
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()  # reading a pipe would block
    except OSError:
        return False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _name(root: Path) -> str:
    return root.name or str(root)
