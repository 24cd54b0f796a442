"""Tables of corrected and measured images, which become datasets or sources of datasets."""

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from coverslip.datasets import ALIASES, name_as_text, plain_name
from coverslip.errors import Conflict, NotFound
from coverslip.files import CsvWriter, safe_cell, write_bytes
from coverslip.runs.lookup import ImageSource
from coverslip.workspace.datasets.labels import give_label, label_before
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.corrections import position_of
from coverslip.workspace.predictions.measured import measured_row, row_of_measured
from coverslip.workspace.predictions.rows import Row
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.store.workspace import Workspace


def correct_measured(workspace: Workspace, job_id: str, k: int, label: str | None) -> tuple[Row, int | None]:
    """Change the label of an image of a training or an evaluation, in its dataset.

    Args:
        workspace: the workspace of the dataset.
        job_id: the training or evaluation.
        k: the number of the row.
        label: a class of the dataset, or a new one; None undoes the correction of this job, unless another change of
            the label followed.

    Returns:
        The row, and the number of the change of the dataset's labels (None if no label changed).

    Raises:
        NotFound: there is no such job or row, or its dataset was removed.
        Conflict: nothing was measured yet, or the image is not in a dataset of the app.
        CoverslipError: this cannot be the name of a class.
    """
    job = find_job(workspace, job_id, "train", "evaluate")
    picture = measured_row(workspace, job.id, k)
    if job.dataset_id is None:
        raise Conflict("labels-without-dataset")
    change = None
    with writing(workspace.engine) as connection:
        dataset = dataset_row(connection, job.dataset_id)
        place = position_of(connection, job.dataset_id, picture)
        if place is None:
            raise NotFound("image-left-dataset")
        is_changed = True
        if label is None:
            label, is_changed = label_before(connection, job.dataset_id, place, job_id=job.id)
        if is_changed:
            change, _ = give_label(connection, dataset, [place], label, job_id=job.id)
    return row_of_measured(workspace, job_id, k), change


LabeledImage = tuple[str, ImageSource, str]  # image_id, location of the pixels, label

_MEANINGS = ("path", "image_id", "label", "plane", "channel")
_BOXES = (
    ("x", "y", "width", "height"),
    ("x_center", "y_center", "width", "height"),
    ("x_min", "y_min", "x_max", "y_max"),
)
_BY_NAME: Mapping[str, str] = MappingProxyType({})


def table_of(workspace: Workspace, job: Job, labeled: Sequence[LabeledImage]) -> Path:
    """Write a table of labeled images of a prediction. Its name is a hash of its content."""
    return _write(workspace, f"{job.folder.name}-", labeled, _BY_NAME, ())


def joined_table_of(
    workspace: Workspace,
    job: Job,
    labeled: Sequence[LabeledImage],
    columns: Mapping[str, str],
    group_columns: Sequence[str],
) -> Path:
    """Write the same table as a source of a dataset with other tables. All its groups are empty.

    Args:
        workspace: the workspace of the table.
        job: the prediction.
        labeled: its labeled images.
        columns: the columns of the dataset's tables by meaning, as chosen when the dataset was opened.
        group_columns: the group columns of the dataset and of trainings on it.
    """
    return _write(workspace, _joined_prefix(job), labeled, columns, group_columns)


def is_joined_table_of(job: Job, path: str) -> bool:
    """Return whether a source of a dataset is a table that `joined_table_of` wrote for this prediction."""
    return re.fullmatch(re.escape(_joined_prefix(job)) + r"[0-9a-f]{16}\.csv", Path(path).name) is not None


def _joined_prefix(job: Job) -> str:
    return f"{job.folder.name}-joined-"


def _write(
    workspace: Workspace,
    prefix: str,
    labeled: Sequence[LabeledImage],
    columns: Mapping[str, str],
    group_columns: Sequence[str],
) -> Path:
    names = _names(columns)
    others = {plain_name(name): name for name in (*columns.values(), *group_columns) if name}
    empty = [name for plain, name in others.items() if plain not in map(plain_name, names.values())]
    text = io.StringIO()
    writer = CsvWriter(text)
    writer.writerow(map(safe_cell, [*names.values(), *empty]))
    for image in labeled:
        cells = _cells(image)
        row = [*(cells.get(meaning, "") for meaning in names), *([""] * len(empty))]
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in row])
    data = text.getvalue().encode()
    file = workspace.snapshots / f"{prefix}{hashlib.sha256(data).hexdigest()[:16]}.csv"
    write_bytes(file, data)
    return file


def _names(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns to write by meaning: the chosen ones, else unused standard names."""
    used = {plain_name(name) for name in columns.values()}
    box = next((box for box in _BOXES if all(columns.get(meaning) != "" for meaning in box)), _BOXES[0])
    names: dict[str, str] = {}
    for meaning in (*_MEANINGS, *box):
        usual = (name for name in (meaning, *ALIASES[meaning]) if plain_name(name) not in used)
        name = columns[meaning] if meaning in columns else next(usual, "")
        if name and name not in names.values():
            names[meaning] = name
    return names


def _cells(image: LabeledImage) -> dict[str, str | float]:
    image_id, picture, label = image
    plan = picture.plan
    cells: dict[str, str | float] = {"path": name_as_text(str(picture.file)), "image_id": image_id, "label": label}
    cells |= {"plane": str(plan.plane), "channel": " ".join(map(str, plan.channels or ()))}
    if plan.box is not None:
        x, y, width, height = plan.box
        cells |= {"x": x, "y": y, "width": width, "height": height}
        cells |= {"x_center": x + width / 2, "y_center": y + height / 2}
        cells |= {"x_min": x, "y_min": y, "x_max": x + width, "y_max": y + height}
    return cells
