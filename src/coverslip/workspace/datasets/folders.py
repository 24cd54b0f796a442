"""What users open as datasets: folders and tables on their disk, and uploads of files from a browser."""

import io
import os
import shutil
import stat
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image
from sqlalchemy import Connection, delete, insert, select, update

from coverslip.datasets.columns import TableChoices
from coverslip.datasets.index.folders import is_folder
from coverslip.datasets.index.image_tables import (
    describe_table,
    gives_labels,
    has_box_columns,
    read_table,
    with_mapping,
)
from coverslip.datasets.index.opening import open_dataset
from coverslip.datasets.names import has_image_suffix, is_hidden, natural_key, one_line
from coverslip.datasets.text_tables import PLAIN_TABLE_SUFFIXES, is_table
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import BadDataset, Conflict, CoverslipError, NotFound, TooLarge
from coverslip.files import ArchiveLimits, open_archive, write_error
from coverslip.images.formats import UnreadFormat, unread_formats, unread_suffixes
from coverslip.images.output import small_picture_of
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.state import DatasetState
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import AnyRow, dataset_row, new_id, now
from coverslip.workspace.store.tables import uploads
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.pictures import as_image

# Folders and tables on the disk of the user: their content, and previews of tables. Nothing is written there.

MOST_SECONDS = 2.0  # limit for counting: a home folder on a network drive would take minutes


@dataclass(frozen=True, slots=True)
class Place:
    """A folder or table to choose."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class ClassFolder(DocumentedFields):
    """A folder of images, which may be a class."""

    name: str
    n_images: int | None
    """Null: counting took too long."""


@dataclass(slots=True)
class FolderContent(DocumentedFields):
    """The content of a folder, without hidden files and folders."""

    path: Path | None
    """Null: this is the list of folders that may be read."""
    parent: Path | None
    """Null: its parent may not be read."""
    folders: list[Place]
    tables: list[Place]
    n_images: int
    """Readable images in the folder and its subfolders; see is_more."""
    unread: list[UnreadFormat]
    """Files of microscope formats that cannot be read."""
    class_folders: list[ClassFolder]
    """Folders with images, which may be classes."""
    is_more: bool
    """Whether there may be more images than counted."""
    n_excluded: int
    """Folders and tables that are not listed because their names are not text."""


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
class TablePreview(DocumentedFields):
    """The content of a table."""

    columns: list[str]
    first_rows: list[list[str]]
    n_rows: int
    n_files: int
    """Number of files in its rows; 0 without a known column of paths."""
    mapping: dict[str, str]
    """The column for each meaning (path, label, group, split, x, y and the like), as chosen or detected."""
    class_columns: list[str]
    """Columns of 0 and 1, one for each class, that give the labels together."""
    layout: Literal["corner", "center", "corners", "point"] | None
    """The format of positions; null: each row is a whole image. Points need a crop size."""
    suggested_crop_size: int | None
    """Suggestion from the distances between points, in pixels."""


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
            pixels = small_picture_of(workspace.read_image(record.path, record.plan), _CROP_PX)
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


# Uploads: files from a browser, until they become a dataset.
#
# A file is written under a temporary name outside the folder of files, and moved there when it is complete. A zip file
# is unpacked outside after all entries were checked, and then moved as a whole.

MAX_FILES = 200_000
MAX_BYTES = 50 * 10**9
_SHARE_OF_DISK = 0.8  # of the free space that one upload may use

# By upload: simultaneous requests must not make it two datasets, or remove its files.
_finishing: dict[str, threading.Lock] = {}


@dataclass(frozen=True, slots=True)
class Upload(DocumentedFields):
    """An upload with its files so far."""

    id: str
    name: str
    is_labeled: bool
    has_folders: bool
    """Whether it has sub-folders."""
    n_files: int
    n_bytes: int
    max_bytes: int
    max_files: int


def start_upload(
    workspace: Workspace, name: str, *, is_labeled: bool, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> Upload:
    """Create an upload without files.

    Args:
        workspace: the workspace.
        name: the name of the dataset that it will become.
        is_labeled: whether sub-folders or a table give the labels.
        max_files, max_bytes: limits of all its files together; lower on a small disk.
    """
    upload_id = new_id()
    folder = workspace.uploads / upload_id
    try:
        (folder / "files").mkdir(parents=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise write_error(folder, error) from error
    with write_transaction(workspace.engine) as connection:
        connection.execute(
            insert(uploads).values(
                id=upload_id,
                name=name,
                is_labeled=is_labeled,
                n_files=0,
                n_bytes=0,
                has_folders=False,
                max_files=max_files,
                max_bytes=min(max_bytes, int(free * _SHARE_OF_DISK)),
                created=now(),
            )
        )
    return upload_state(workspace, upload_id)


def upload_state(workspace: Workspace, upload_id: str) -> Upload:
    """Return the state of an upload.

    Raises:
        NotFound: there is no such upload.
    """
    with workspace.engine.connect() as connection:
        row = _upload_row(connection, upload_id)
    return Upload(**{each.name: getattr(row, each.name) for each in fields(Upload)})


@dataclass(frozen=True, slots=True)
class UploadedTable(DocumentedFields):
    """A table among the files, with labels or positions."""

    path: str
    """Absolute path, as previews of tables take it."""
    name: str


def table_of(workspace: Workspace, upload_id: str) -> UploadedTable | None:
    """Return the only table that lists the images and may contain labels or positions; None if there is none.

    Raises:
        NotFound: there is no such upload.
        Conflict: it is already a dataset.
    """
    with workspace.engine.connect() as connection:
        row = open_row(connection, upload_id)
    file = _table_in(workspace.uploads / upload_id / "files", _may_be_labels if row.is_labeled else _gives_boxes)
    return None if file is None else UploadedTable(str(file), file.name)


def finish_upload(
    workspace: Workspace,
    upload_id: str,
    *,
    is_labeled: bool | None = None,
    classes: Collection[str] = (),
    choices: TableChoices | None = None,
    ignores_table: bool = False,
    dataset_id: str | None = None,
) -> DatasetState:
    """Create a dataset of the files. A table with paths next to the images gives the labels and boxes.

    Without labels, a table is used only if it contains boxes: other tables may list images for other purposes.

    Args:
        workspace: the workspace.
        upload_id: the upload.
        is_labeled: overrides the value from the start of the upload.
        classes: as of `open_sources`.
        choices: columns and crop size for the table that `table_of` returns.
        ignores_table: create a dataset of the images alone.
        dataset_id: add the files to this dataset instead, as a domain with the name of the upload.

    Raises:
        NotFound: there is no such upload or dataset.
        Conflict: it is already a dataset.
        BadDataset: the files cannot become a dataset; they are kept for another attempt.
    """
    with _finishing.setdefault(upload_id, threading.Lock()):
        with workspace.engine.connect() as connection:
            row = open_row(connection, upload_id)
            added_to = None if dataset_id is None else dataset_row(connection, dataset_id)
        files = workspace.uploads / upload_id / "files"
        if is_labeled is None:
            is_labeled = (added_to or row).is_labeled
        if ignores_table:
            path = files
        elif choices is None:
            path = _table_in(files, _gives_labels if is_labeled else _gives_boxes) or files
        else:
            path = _single_table(workspace, upload_id)
        if added_to is None:
            dataset = sources.open_sources(
                workspace,
                [sources.Source(str(path))],
                name=row.name,
                is_labeled=is_labeled,
                classes=classes,
                kind="upload",
                choices=choices or TableChoices(),
            )
        else:
            all_sources = [*added_to.sources, {"path": str(path), "domain": row.name}]
            dataset = sources.change_dataset(workspace, added_to.id, {"sources": all_sources}, since=added_to)
        with write_transaction(workspace.engine) as connection:
            connection.execute(update(uploads).where(uploads.c.id == upload_id).values(dataset_id=dataset.id))
    return dataset


def remove_upload(workspace: Workspace, upload_id: str) -> None:
    """Remove an upload.

    Raises:
        NotFound: there is no such upload.
        Conflict: it is already a dataset; remove that instead.
    """
    lock = _finishing.setdefault(upload_id, threading.Lock())
    with lock, write_transaction(workspace.engine) as connection:
        open_row(connection, upload_id)
        connection.execute(delete(uploads).where(uploads.c.id == upload_id))
    workspace.remove(workspace.uploads / upload_id)


def _single_table(workspace: Workspace, upload_id: str) -> Path:
    table = table_of(workspace, upload_id)
    if table is None:
        raise BadDataset("upload-without-table")
    return Path(table.path)


def _table_in(files: Path, is_fitting: Callable[[Path], bool]) -> Path | None:
    """Return the only matching table next to the images, or in their only folder."""
    folder = files
    while True:
        entries = _shown_entries(folder)
        tables = [entry for entry in entries if entry.is_file() and entry.suffix.lower() in PLAIN_TABLE_SUFFIXES]
        fitting = []
        for table in tables:
            with suppress(BadDataset):  # it cannot be read
                fitting += [table] if is_fitting(table) else []
        if len(fitting) == 1:
            return fitting[0]
        if len(entries) != 1 or not entries[0].is_dir():
            return None
        folder = entries[0]


def _shown_entries(folder: Path) -> list[Path]:
    return [entry for entry in folder.iterdir() if not is_hidden(entry.name)]


def _gives_labels(file: Path) -> bool:
    return gives_labels(read_table(file))


def _gives_boxes(file: Path) -> bool:
    table = read_table(file)
    return table.index("path") is not None and has_box_columns(table)


def _may_be_labels(file: Path) -> bool:
    """Return whether the user should choose the meanings of its columns: it lists the images with further content.

    Next to class folders, a table must have columns of labels or positions with standard names.
    """
    content = describe_table(read_table(file))
    if "path" not in content.mapping:
        return False
    folders = [entry for entry in _shown_entries(file.parent) if entry.is_dir()]
    is_of_labels = "label" in content.mapping or bool(content.class_columns)
    return is_of_labels or content.layout is not None or (len(content.columns) > 1 and len(folders) < 2)


def _upload_row(connection: Connection, upload_id: str) -> AnyRow:
    row = connection.execute(select(uploads).where(uploads.c.id == upload_id)).one_or_none()
    if row is None:
        raise NotFound("no-such-upload")
    return row


def open_row(connection: Connection, upload_id: str) -> AnyRow:
    """Return the row of an upload that is not a dataset yet.

    Raises:
        NotFound: there is no such upload.
        Conflict: it is already a dataset.
    """
    row = _upload_row(connection, upload_id)
    if row.dataset_id is not None:
        raise Conflict("upload-finished")
    return row


_CHUNK = 1 << 20
_LIMITS = ArchiveLimits(
    max_entries=2 * MAX_FILES,  # including folders
    max_directory_bytes=100 * 10**6,
    max_ratio=300,  # blank 16-bit images compress a hundredfold; a zip bomb compresses a thousandfold
    min_ratio_bytes=100 * 10**6,
    allows_zip64=True,
)
_COUNTING = threading.Lock()  # sizes of replaced files and counts must be consistent


def bytes_left(workspace: Workspace, upload_id: str) -> int:
    """Return how many bytes an upload may still receive.

    Raises:
        NotFound: there is no such upload.
        Conflict: it is already a dataset.
    """
    with workspace.engine.connect() as connection:
        row = open_row(connection, upload_id)
    n_bytes: int = row.max_bytes - row.n_bytes
    return n_bytes


def too_large(n_bytes: int) -> TooLarge:
    """Return the error for a body of more bytes than an upload may still receive."""
    return TooLarge("upload-too-large", n_gb=n_bytes / 1e9)


def store_file(workspace: Workspace, upload_id: str, name: PurePosixPath, file: Path) -> Upload:
    """Move a file that was received for an upload to its place.

    Args:
        workspace: the workspace.
        upload_id: the upload.
        name: the path below the folder of the upload, from `safe_name`; subfolders are created.
        file: the file, on the same disk.

    Raises:
        NotFound: there is no such upload.
        Conflict: it is already a dataset.
        TooLarge: the upload exceeds its limits.
        CoverslipError: a folder has this name, or the disk is full.
    """
    folder = workspace.uploads / upload_id / "files"
    target = folder / name
    try:
        with _COUNTING:
            _make_folders(folder, name)
            if target.is_dir():
                raise _name_taken(name)
            is_new = not target.exists()
            n_bytes = file.stat().st_size - (0 if is_new else target.stat().st_size)
            _count(workspace, upload_id, int(is_new), n_bytes, has_folders=len(name.parts) > 1)
            file.replace(target)
    except OSError as error:
        raise write_error(folder, error) from error
    return upload_state(workspace, upload_id)


def store_archive(workspace: Workspace, upload_id: str, file: Path) -> Upload:
    """Unpack a zip file that was received for an upload, as a whole; raises as `store_file`."""
    folder = workspace.uploads / upload_id
    unpacked = folder / f".{new_id()}.unpacked"
    with workspace.engine.connect() as connection:
        row = open_row(connection, upload_id)
    try:
        n_files, n_bytes = _unpack(file, unpacked, row)
        with _COUNTING:
            top_entries = sorted(unpacked.iterdir())
            for top in top_entries:
                if (folder / "files" / top.name).exists():
                    raise CoverslipError("upload-archive-name-taken", name=one_line(top.name))
            _count(workspace, upload_id, n_files, n_bytes, has_folders=any(top.is_dir() for top in top_entries))
            for top in top_entries:
                top.rename(folder / "files" / top.name)
    except OSError as error:
        raise write_error(folder, error) from error
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)
    return upload_state(workspace, upload_id)


def _count(workspace: Workspace, upload_id: str, n_files: int, n_bytes: int, *, has_folders: bool) -> None:
    """Update the counts of an upload.

    Raises:
        TooLarge: it exceeds its limits; simultaneous requests may have used the space.
    """
    with write_transaction(workspace.engine) as connection:
        row = open_row(connection, upload_id)
        _refuse_too_much(row, n_files, n_bytes)
        values = {"n_files": row.n_files + n_files, "n_bytes": row.n_bytes + n_bytes}
        values["has_folders"] = row.has_folders or has_folders
        connection.execute(update(uploads).where(uploads.c.id == upload_id).values(**values))


def _refuse_too_much(row: AnyRow, n_files: int, n_bytes: int) -> None:
    if row.n_files + n_files > row.max_files:
        raise TooLarge("upload-too-many-files", n_files=row.max_files)
    if row.n_bytes + n_bytes > row.max_bytes:
        raise too_large(row.max_bytes - row.n_bytes)


def _unpack(file: Path, out: Path, row: AnyRow) -> tuple[int, int]:
    """Unpack into a new folder; return the number of files and bytes."""
    with open_archive(file, _LIMITS) as (archive, entries):
        accepted = [entry for entry in entries if not _is_metadata(entry.name)]
        n_files, n_bytes = len(accepted), sum(entry.info.file_size for entry in accepted)
        if not accepted:
            raise CoverslipError("upload-archive-empty")
        _refuse_too_much(row, n_files, n_bytes)
        out.mkdir()
        for entry in accepted:
            _make_folders(out, entry.name)
            with archive.open(entry.info) as source, (out / entry.name).open("xb") as target:
                shutil.copyfileobj(source, target, _CHUNK)
        return n_files, n_bytes


def _is_metadata(name: PurePosixPath) -> bool:
    """Return whether an entry is hidden, or in a folder of a system, such as of macOS."""
    return any(map(is_hidden, name.parts))


def _make_folders(start: Path, name: PurePosixPath) -> None:
    """Create the folders of a file. Each must be a real folder, not a file or link."""
    folder = start
    for folder_name in name.parts[:-1]:
        folder = folder / folder_name
        with suppress(FileExistsError):
            folder.mkdir()
        if not stat.S_ISDIR(folder.lstat().st_mode):
            raise _name_taken(name)


def _name_taken(name: PurePosixPath) -> CoverslipError:
    return CoverslipError("upload-name-taken", name=one_line(str(name)))
