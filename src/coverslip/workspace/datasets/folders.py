"""Folders and tables on the disk of the user: their content, and previews of tables. Nothing is written there."""

import io
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field

from coverslip.datasets import (
    describe_table,
    has_image_suffix,
    is_folder,
    is_hidden,
    natural_key,
    open_dataset,
    read_table,
    with_mapping,
)
from coverslip.datasets.tables.reading import PLAIN_TABLE_SUFFIXES, is_table
from coverslip.errors import BadDataset, CoverslipError
from coverslip.images import UnreadFormat, small_pixels, unread_formats, unread_suffixes
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.pictures import as_image

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
    class_folders: Annotated[list[ClassFolder], Field(description="Folders with images, which may be classes.")]
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
            None, None, [Place(_shown_name(root), root) for root in workspace.roots], [], 0, [], [], False, 0
        )
    folder = workspace.allowed(path)
    if not folder.is_dir():
        folder = workspace.allowed(folder.parent)
    parent = folder.parent if workspace.may_read(folder.parent) else None
    content = FolderContent(folder, parent, [], [], 0, [], [], False, 0)
    counter = _ImageCounter(workspace, time.monotonic() + MOST_SECONDS)
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: natural_key(entry.name))
    except OSError as error:
        raise CoverslipError("image-folder-not-opened", file=folder, reason=error.strerror) from error
    for entry in entries:
        if is_hidden(entry.name) or (entry.is_symlink() and not workspace.may_read(Path(entry.path))):
            continue
        if not _is_text(entry.name):
            content.n_excluded += 1  # JSON can contain text only
        elif is_folder(entry):
            content.folders.append(Place(entry.name, folder / entry.name))
            n = counter.below(entry.path)
            if n != 0:
                content.class_folders.append(ClassFolder(entry.name, n))
        elif Path(entry.name).suffix.lower() in PLAIN_TABLE_SUFFIXES and _is_file(entry):
            content.tables.append(Place(entry.name, folder / entry.name))
        else:
            counter.count([entry])
    content.n_images, content.is_more = counter.n_images, counter.is_more
    content.unread = unread_formats(counter.unread)
    return content


@dataclass(slots=True)
class _ImageCounter:
    """Counts image files, up to a time limit."""

    workspace: Workspace
    deadline: float  # monotonic seconds
    n_images: int = 0
    is_more: bool = False
    unread: list[str] = field(default_factory=list)  # names of files in unsupported formats

    def count(self, entries: Iterable[os.DirEntry[str]]) -> None:
        """Count the entries that are images by name and that the app may open."""
        image_files = (entry for entry in entries if has_image_suffix(entry.name) and _is_file(entry))
        allowed = [
            entry.name for entry in image_files if not entry.is_symlink() or self.workspace.may_read(Path(entry.path))
        ]
        suffixes = unread_suffixes()
        unread = [name for name in allowed if Path(name).suffix.lower() in suffixes]
        self.unread += unread
        self.n_images += len(allowed) - len(unread)

    def below(self, folder: str) -> int | None:
        """Return the number of images in `folder` and below; None after the time limit. Links are not followed."""
        n_before = self.n_images
        pending = [folder]
        while pending:
            if time.monotonic() > self.deadline:
                self.is_more = True
                return None
            try:
                entries = list(os.scandir(pending.pop()))
            except OSError:  # it may not be opened; the error is shown when a user opens it
                continue
            visible = [entry for entry in entries if not is_hidden(entry.name)]
            pending += [entry.path for entry in visible if entry.is_dir(follow_symlinks=False)]
            self.count(visible)
        return self.n_images - n_before


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


def _shown_name(root: Path) -> str:
    return root.name or str(root)


_N_CROPS = 8
_CROP_PX = 120  # of each in the sheet
_GAP_PX = 6


@dataclass(frozen=True, slots=True)
class TablePreview:
    """The content of a table."""

    columns: list[str]
    first_rows: list[list[str]]
    n_rows: int
    n_files: Annotated[int, Field(description="Number of files in its rows; 0 without a known column of paths.")]
    mapping: Annotated[
        dict[str, str],
        Field(
            description="The column for each meaning (path, label, group, split, x, y and the like), as chosen or "
            "detected."
        ),
    ]
    class_columns: Annotated[
        list[str], Field(description="Columns of 0 and 1, one for each class, that give the labels together.")
    ]
    layout: Annotated[
        Literal["corner", "center", "corners", "point"] | None,
        Field(description="The format of positions; null: each row is a whole image. Points need a crop size."),
    ]
    suggested_crop_size: Annotated[
        int | None, Field(description="Suggestion from the distances between points, in pixels.")
    ]


def preview_table(workspace: Workspace, path: str, columns: Mapping[str, str]) -> TablePreview:
    """Return the content of a table with these chosen columns.

    Raises:
        CoverslipError: it is outside the readable folders, is not a table, cannot be read, or has no such column.
    """
    content = describe_table(with_mapping(read_table(_allowed_table(workspace, path)), columns))
    return TablePreview(
        columns=list(content.columns),
        first_rows=[list(row) for row in content.first_rows],
        n_rows=content.n_rows,
        n_files=content.n_files,
        mapping=dict(content.mapping),
        class_columns=list(content.class_columns),
        layout=content.layout,
        suggested_crop_size=content.suggested_crop_size,
    )


def preview_crops(workspace: Workspace, path: str, columns: Mapping[str, str], crop_size: int | str | None) -> bytes:
    """Return a PNG of some of the images of a table, side by side.

    Raises:
        CoverslipError: it is outside the readable folders, is not a table, cannot be opened with these columns, or none
            of these images can be read.
    """
    file = str(_allowed_table(workspace, path))
    data = open_dataset([file], columns=columns, crop_size=crop_size, labeled=False, may_read=workspace.may_read)
    indices = np.unique(np.linspace(0, len(data) - 1, _N_CROPS).astype(int)).tolist()
    failures: list[CoverslipError] = []
    cells: list[Image.Image] = []
    for record in (data.records[k] for k in indices):
        try:
            pixels = small_pixels(workspace.read_image(record.path, record.plan).array, _CROP_PX)
        except CoverslipError as error:
            failures.append(error)
            continue
        cells.append(as_image(pixels))
    if not cells:
        raise failures[0]
    step = _CROP_PX + _GAP_PX
    sheet = Image.new("RGBA", (len(cells) * step - _GAP_PX, _CROP_PX))
    for k, cell in enumerate(cells):
        scale = _CROP_PX / max(cell.size)
        size = max(1, round(cell.width * scale)), max(1, round(cell.height * scale))
        sheet.paste(cell.resize(size).convert("RGBA"), (k * step, 0))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _allowed_table(workspace: Workspace, path: str) -> Path:
    """Return the real path of a table. Other text files, such as settings and keys, are never shown."""
    file = workspace.allowed(path)
    if not (is_table(file) and file.is_file()):
        raise BadDataset("not-a-table-file", file=file)
    return file
