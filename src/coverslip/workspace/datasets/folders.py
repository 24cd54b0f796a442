"""Looking for images on the user's disk: what lies in a folder that may be read. Nothing is ever written there."""

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
from coverslip.workspace.store.home import Workspace

MOST_SECONDS = 2.0  # of counting: a home folder on a network drive would take minutes


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or table that can be chosen."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class ClassFolder:
    """A folder that holds images, and so may be a class."""

    name: str
    n_images: Annotated[int | None, Field(description="Null: it was not counted to the end, since that takes long.")]


@dataclass(slots=True)
class FolderContent:
    """What lies in one folder; hidden things are left out."""

    path: Annotated[Path | None, Field(description="None: this is the list of folders that may be read at all.")]
    parent: Annotated[Path | None, Field(description="None: nothing above it may be read.")]
    folders: list[Place]
    tables: list[Place]
    n_images: Annotated[int, Field(description="That can be read, in the folder and below; see is_more.")]
    unread: Annotated[list[UnreadFormat], Field(description="Files of microscope formats that cannot be read.")]
    class_folders: list[ClassFolder]
    is_more: Annotated[bool, Field(description="There may be more images than were counted.")]
    n_excluded: Annotated[
        int, Field(description="Folders and tables that are not listed because their names are no text.")
    ]


def look_into(workspace: Workspace, path: str | None) -> FolderContent:
    """What a chooser of folders shows at `path`; without one, the folders that may be read at all.

    Of a file, such as a table whose path was pasted, its folder is shown.

    Raises:
        CoverslipError: the folder lies elsewhere, or may not be opened.
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
        raise CoverslipError("folder-not-opened", file=folder, reason=error.strerror) from error
    for entry in entries:
        if entry.name.startswith(".") or (entry.is_symlink() and not _is_allowed(workspace, Path(entry.path))):
            continue
        if not _is_text(entry.name):
            content.n_excluded += 1  # JSON holds text only
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
    """Counts files that may be read as images, until it has taken long enough."""

    workspace: Workspace
    until: float  # monotonic seconds
    n_images: int = 0
    is_more: bool = False
    unread: list[str] = field(default_factory=list)  # names of files of formats that are not read

    def count(self, entries: Iterable[os.DirEntry[str]]) -> None:
        """Those of these that are images by their names, and files that the app may open."""
        named = (entry for entry in entries if has_image_suffix(entry.name) and _is_file(entry))
        allowed = [
            entry.name for entry in named if not entry.is_symlink() or _is_allowed(self.workspace, Path(entry.path))
        ]
        suffixes = unread_suffixes()
        unread = [name for name in allowed if Path(name).suffix.lower() in suffixes]
        self.unread += unread
        self.n_images += len(allowed) - len(unread)

    def below(self, folder: str) -> int | None:
        """Images in `folder` and below; None where time was over. Links further down are not followed."""
        before = self.n_images
        waiting = [folder]
        while waiting:
            if time.monotonic() > self.until:
                self.is_more = True
                return None
            try:
                entries = list(os.scandir(waiting.pop()))
            except OSError:  # it may not be opened; the chooser says so when it is chosen
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
        return entry.is_file()  # a pipe would be waited for
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
