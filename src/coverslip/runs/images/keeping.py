"""Store images that were given in memory as files, because resuming, evaluation and reports read them again."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from coverslip.datasets import TABLE_NAMES, Dataset, ImageRecord, name_as_text, open_dataset, plain_name
from coverslip.errors import UnreadableImage
from coverslip.events import Emit, Progressed, ignore
from coverslip.files import written_whole
from coverslip.images import Decoded, middle_of, pixels_in_memory
from coverslip.messages import note
from coverslip.runs.documents import write_table
from coverslip.runs.folder import GIVEN_TABLE, Run

_TELL_EVERY_S = 0.2


def kept_as_files(data: Dataset, run: Run, *, emit: Emit = ignore) -> Dataset:
    """The same images as files and a table in a run's folder, where they or their table were given in memory.

    Pixels are those that were given; a file is named after them, so that equal images lie there once. What was given
    as a path stays where it is.

    Args:
        data: images as they were opened; those of files and folders are given back as they are.
        run: of a training or an evaluation.
        emit: receives progress events.

    Raises:
        CoverslipError: the files cannot be written.
    """
    if not data.is_in_memory:
        return data
    group = _group_column(data)
    rows = []
    last_emitted = time.monotonic()
    for done, record in enumerate(data.records, start=1):
        rows.append(_row(record, group, run.given_images_folder))
        if time.monotonic() - last_emitted > _TELL_EVERY_S:
            last_emitted = time.monotonic()
            emit(Progressed(stage="keeping images", done=done, total=len(data.records)))
    names = dict.fromkeys(name for row in rows for name in row)
    table = run.given_images_folder / GIVEN_TABLE
    write_table(table, tuple(names), ({name: row.get(name, "") for name in names} for row in rows))
    stored = open_dataset(table, group=group, plan=data.opening.plan)
    return with_note(replace(stored, notes=data.notes), run)


def kept_sources(run: Run) -> tuple[str, ...]:
    """The table of what a run keeps, wherever its folder lies by now; empty where nothing was given in memory."""
    table = run.given_images_folder / GIVEN_TABLE
    return (str(table.absolute()),) if table.is_file() else ()


def with_note(data: Dataset, run: Run) -> Dataset:
    """The images of a run that keeps them, with a note that says so."""
    folder = run.given_images_folder.absolute()
    n = sum(record.path.parent == folder for record in data.records)
    return replace(data, notes=(*data.notes, note("given-in-memory", n_images=n, folder=folder.name)))


def _group_column(data: Dataset) -> str | None:
    """The name of the column of groups, its own unless the table needs it for something else."""
    if not data.has_groups:
        return None
    column = data.opening.group
    return column if column is not None and plain_name(column) not in TABLE_NAMES else "group"


def _row(record: ImageRecord, group: str | None, folder: Path) -> dict[str, str]:
    """What is known of an image, by the names of columns; its pixels are written if there is no file of them yet."""
    plan, path = record.plan, name_as_text(str(record.path))
    row = {"image_id": record.image_id, "path": path, "label": record.label or ""}
    if record.given is not None:
        row["path"] = _write_once(record, record.given, folder)
    if group is not None:
        row[group] = record.group or ""
    values: Mapping[str, object] = {"split": record.predefined_split, "domain": record.domain}
    row |= {name: str(value) for name, value in values.items() if value}
    if "plane" in record.stated:
        row["plane"] = str(plan.plane)
    if "channels" in record.stated and plan.channels is not None:
        row["channel"] = " ".join(map(str, plan.channels))
    if "other_files" in record.stated:
        row |= {f"channel_{n}": name_as_text(str(file)) for n, file in enumerate(plan.files(record.path)[1:], start=2)}
    if "box" in record.stated and plan.box is not None:
        row |= dict(zip(("x", "y", "width", "height"), map(str, plan.box), strict=True))
    if "point" in record.stated and plan.box is not None:
        row |= dict(zip(("x", "y"), map(str, middle_of(plan.box)), strict=True))
    return row


def _write_once(record: ImageRecord, decoded: Decoded, folder: Path) -> str:
    """The name of a lossless file of all the image's pixels in the folder."""
    from tifffile import imwrite

    try:
        array = pixels_in_memory(record.path, decoded).array
    except UnreadableImage:
        array = decoded.array  # it will be refused again, for the same reason
    array = np.ascontiguousarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    digest.update(array.data)
    file = folder / f"{digest.hexdigest()[:32]}.tif"
    if not file.exists():
        colors = "rgb" if array.ndim == 3 and array.shape[2] == 3 else "minisblack"
        with written_whole(file) as part:
            imwrite(part, array, photometric=colors, planarconfig="contig" if array.ndim == 3 else None)
    return file.name
