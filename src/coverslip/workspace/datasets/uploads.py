"""Images that a browser sends, from the first of them until they become a dataset. `receiving` takes the files."""

import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, delete, insert, select, update

from coverslip.datasets import PLAIN_TABLE_SUFFIXES, describe_table, gives_boxes, read_table
from coverslip.errors import BadDataset, Conflict, NotFound
from coverslip.files import cannot_write
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import TableChoices
from coverslip.workspace.store.rows import AnyRow, new_id, now
from coverslip.workspace.store.tables import uploads

MAX_FILES = 200_000
MAX_BYTES = 50 * 10**9
_SHARE_OF_DISK = 0.8  # of what is free, that one upload may take
LITTER = "__MACOSX"  # of macOS, in archives

_FINISHING = threading.Lock()  # asked for twice at once, an upload must not become two datasets


@dataclass(frozen=True, slots=True)
class Upload:
    """Files that were sent so far."""

    id: str
    name: str
    is_labelled: bool
    has_folders: Annotated[bool, Field(description="Whether it has sub-folders.")]
    n_files: int
    n_bytes: int
    max_bytes: int
    max_files: int


def begin(
    home: Workspace, name: str, *, is_labelled: bool, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
) -> Upload:
    """A new upload without files.

    Args:
        home: the workspace.
        name: of the dataset that it will become.
        is_labelled: whether sub-folders or a table give the labels.
        max_files, max_bytes: limits of all its files together; less on a small disk.
    """
    upload_id = new_id()
    folder = home.uploads / upload_id
    try:
        (folder / "files").mkdir(parents=True)
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise cannot_write(folder, error) from error
    with writing(home.engine) as connection:
        connection.execute(
            insert(uploads).values(
                id=upload_id,
                name=name,
                is_labelled=is_labelled,
                n_files=0,
                n_bytes=0,
                has_folders=False,
                max_files=max_files,
                max_bytes=min(max_bytes, int(free * _SHARE_OF_DISK)),
                created=now(),
            )
        )
    return describe(home, upload_id)


def describe(home: Workspace, upload_id: str) -> Upload:
    """What has been sent so far.

    Raises:
        NotFound: there is no such upload.
    """
    with home.engine.connect() as connection:
        row = _row(connection, upload_id)
    return Upload(**{each.name: getattr(row, each.name) for each in fields(Upload)})


@dataclass(frozen=True, slots=True)
class UploadedTable:
    """A table among the files that says what they show."""

    path: Annotated[str, Field(description="Absolute path, as `table-preview` takes it.")]
    name: str


def table_of(home: Workspace, upload_id: str) -> UploadedTable | None:
    """The one table beside the images whose rows name them and may give labels or positions, if there is one.

    Raises:
        NotFound: there is no such upload.
        Conflict: it has become a dataset already.
    """
    with home.engine.connect() as connection:
        row = open_row(connection, upload_id)
    file = _table_in(home.uploads / upload_id / "files", _may_be_labels if row.is_labelled else _gives_boxes)
    return None if file is None else UploadedTable(str(file), file.name)


def finish(
    home: Workspace,
    upload_id: str,
    *,
    is_labelled: bool | None = None,
    choices: TableChoices | None = None,
    ignores_table: bool = False,
) -> DatasetState:
    """Make a dataset of the files. A table with paths that lies beside the images gives the labels, and boxes.

    Without labels a table is used only where it gives boxes: another may name some of the images, for other purposes.

    Args:
        home: the workspace.
        upload_id: which upload.
        is_labelled: other than was said at first.
        choices: read the table that `table_of` gives with these columns and this crop size.
        ignores_table: make a dataset of the images alone.

    Raises:
        NotFound: there is no such upload.
        Conflict: it has become a dataset already.
        BadDataset: the files make no dataset; they stay, and it can be tried again.
    """
    with _FINISHING:
        with home.engine.connect() as connection:
            row = open_row(connection, upload_id)
        files = home.uploads / upload_id / "files"
        is_labelled = row.is_labelled if is_labelled is None else is_labelled
        if ignores_table:
            path = files
        elif choices is None:
            path = _table_in(files, _gives_labels if is_labelled else _gives_boxes) or files
        else:
            path = _chosen_table(home, upload_id)
        dataset = sources.open_sources(
            home,
            [sources.Source(str(path))],
            name=row.name,
            is_labelled=is_labelled,
            kind="upload",
            choices=choices or TableChoices(),
        )
        with writing(home.engine) as connection:
            connection.execute(update(uploads).where(uploads.c.id == upload_id).values(dataset_id=dataset.id))
    return dataset


def drop(home: Workspace, upload_id: str) -> None:
    """Remove what was sent.

    Raises:
        NotFound: there is no such upload.
        Conflict: it has become a dataset, which is to be forgotten instead.
    """
    with writing(home.engine) as connection:
        open_row(connection, upload_id)
        connection.execute(delete(uploads).where(uploads.c.id == upload_id))
    shutil.rmtree(home.uploads / upload_id, ignore_errors=True)


def _chosen_table(home: Workspace, upload_id: str) -> Path:
    table = table_of(home, upload_id)
    if table is None:
        raise BadDataset("There is no table among these files", do="Make a dataset of the images alone.")
    return Path(table.path)


def _table_in(files: Path, is_fitting: Callable[[Path], bool]) -> Path | None:
    """The one fitting table with paths that lies beside the images, or beside their folder's images."""
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
    return [entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name != LITTER]


def _gives_labels(file: Path) -> bool:
    table = read_table(file)
    return table.index("path") is not None and table.index("label") is not None


def _gives_boxes(file: Path) -> bool:
    table = read_table(file)
    return table.index("path") is not None and gives_boxes(table)


def _may_be_labels(file: Path) -> bool:
    """Whether people should choose what its columns hold: it names the images and tells something about them.

    Beside class folders a table must have labels or positions that are known by their names.
    """
    content = describe_table(read_table(file))
    if "path" not in content.mapping:
        return False
    folders = [entry for entry in _shown_entries(file.parent) if entry.is_dir()]
    return "label" in content.mapping or content.layout is not None or (len(content.columns) > 1 and len(folders) < 2)


def _row(connection: Connection, upload_id: str) -> AnyRow:
    row = connection.execute(select(uploads).where(uploads.c.id == upload_id)).one_or_none()
    if row is None:
        raise NotFound("There is no such upload", do="Start a new one.")
    return row


def open_row(connection: Connection, upload_id: str) -> AnyRow:
    row = _row(connection, upload_id)
    if row.dataset_id is not None:
        raise Conflict("The upload is finished", do="Start a new one for further images.")
    return row
