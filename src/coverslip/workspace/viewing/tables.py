"""Previews of tables: columns, first rows and crops; and current label errors of trainings."""

import io
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from PIL import Image
from pydantic import Field
from sqlalchemy import Connection

from coverslip.datasets import describe_table, is_table, open_dataset, read_table, with_classes, with_mapping
from coverslip.errors import BadDataset, CoverslipError, NotFound
from coverslip.images import small_pixels
from coverslip.runs import LabelErrors, Run
from coverslip.workspace.store.rows import (
    as_dataset,
    confirmed_ids,
    dataset_row,
    ids_in_dataset,
    load_records,
    rows_in_dataset,
)
from coverslip.workspace.store.workspace import Workspace

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
        layout=content.layout,
        suggested_crop_size=content.suggested_crop_size,
    )


def preview_crops(workspace: Workspace, path: str, columns: Mapping[str, str], crop_size: int | None) -> bytes:
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
        cells.append(Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]))
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


@dataclass(frozen=True, slots=True)
class LabelErrorsNow:
    """Misclassified images of a training, by their current IDs in the dataset."""

    unchanged: LabelErrors  # of images that still exist with their label of the training
    left: LabelErrors  # of these, images without a confirmed label
    n_relabeled: int


def label_errors_now(connection: Connection, dataset_id: str, run: Run) -> LabelErrorsNow | None:
    """Return the current label errors; None without a search. Without the dataset, all of them are returned."""
    errors = run.label_errors
    if errors is None:
        return None
    with suppress(NotFound):
        dataset = dataset_row(connection, dataset_id)
        there = errors.renamed(ids_in_dataset(rows_in_dataset(connection, dataset_id, run)))
        labels = {image.image_id: image.label for image in there.images}
        records = load_records(connection, dataset_id, image_ids=labels)
        now = with_classes(as_dataset(dataset, records), run.recipe.classes).records if records else ()
        changed = {record.image_id for record in now if record.label != labels[record.image_id]}
        unchanged = there.without(changed)
        return LabelErrorsNow(unchanged, unchanged.without(confirmed_ids(connection, dataset_id)), len(changed))
    return LabelErrorsNow(errors, errors, 0)
