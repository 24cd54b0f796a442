"""Answers of users about predicted images: save them, and create a dataset of them."""

import hashlib
import io
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import Connection, delete, select

from coverslip.datasets import name_as_text
from coverslip.datasets.tables.columns import IMAGE_TABLES, plain_name
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.files import CsvWriter, safe_cell, write_bytes
from coverslip.images import PLAN_COLUMNS
from coverslip.messages import text
from coverslip.runs.images import ImageSource
from coverslip.workspace.correcting.history import exclude_by_job
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.labels import add_classes, label_before, label_rows
from coverslip.workspace.datasets.sources import Source, open_sources
from coverslip.workspace.datasets.state import DatasetState, clean_name
from coverslip.workspace.jobs.kinds import find_measured_job, kind_of
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.lists.rows import KINDS, Answer, Exclusion, Row, answer_of, image_in_dataset, images_of_job
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import ChangedSince, author_name, class_order, dataset_row, now
from coverslip.workspace.store.sql import among_integers, replace_rows
from coverslip.workspace.store.workspace import Workspace


def correct_measured(
    workspace: Workspace,
    job_id: str,
    row_id: int,
    label: str | None,
    *,
    author: str | None = None,
) -> tuple[Row, int | None]:
    """Change the label of an image of a training or an evaluation, in its dataset.

    Args:
        workspace: the workspace of the dataset.
        job_id: the training or evaluation.
        row_id: the row.
        label: a class of the dataset, or a new one; None undoes the correction of this job, unless another change of
            the label followed.
        author: who changes the label; None: the user account of this process.

    Returns:
        The row, and the number of the change of the dataset's labels (None if no label changed).

    Raises:
        NotFound: there is no such job or row, or its dataset was removed.
        Conflict: nothing was measured yet, or the image is not in a dataset of the app.
        CoverslipError: this cannot be the name of a class.
    """
    job = find_measured_job(workspace, job_id)
    images_of_job(workspace, job_id).sources([row_id])  # reports rows that do not exist
    if job.dataset_id is None:
        raise Conflict("labels-without-dataset")
    change = None
    with write_transaction(workspace.engine) as connection:
        dataset = dataset_row(connection, job.dataset_id)
        image_row = image_in_dataset(connection, job, row_id)
        if image_row is None:
            raise NotFound("image-left-dataset")
        is_changed = True
        if label is None:
            label, is_changed = label_before(connection, image_row, job_id=job.id)
        if is_changed:
            change, _ = label_rows(connection, dataset, [image_row], label, job_id=job.id, author=author)
    return images_of_job(workspace, job_id).facts(row_id), change


LabeledImage = tuple[str, ImageSource, str]  # image_id, location of the pixels, label

_MEANINGS = ("path", "image_id", "label", *PLAN_COLUMNS)
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
    required_columns = {plain_name(name): name for name in (*columns.values(), *group_columns) if name}
    empty = [name for plain, name in required_columns.items() if plain not in map(plain_name, names.values())]
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
    used_names = {plain_name(name) for name in columns.values()}
    box = next((box for box in _BOXES if all(columns.get(meaning) != "" for meaning in box)), _BOXES[0])
    names: dict[str, str] = {}
    for meaning in (*_MEANINGS, *box):
        unused_names = (
            name for name in (meaning, *IMAGE_TABLES.columns[meaning]) if plain_name(name) not in used_names
        )
        name = columns[meaning] if meaning in columns else next(unused_names, "")
        if name and name not in names.values():
            names[meaning] = name
    return names


def _cells(image: LabeledImage) -> dict[str, str | float]:
    image_id, picture, label = image
    plan = picture.plan
    cells: dict[str, str | float] = {"path": name_as_text(str(picture.file)), "image_id": image_id, "label": label}
    cells |= {name: plan.cell(name) for name in PLAN_COLUMNS}
    if plan.region is not None:
        x, y, width, height = plan.region
        cells |= {"x": x, "y": y, "width": width, "height": height}
        cells |= {"x_center": x + width / 2, "y_center": y + height / 2}
        cells |= {"x_min": x, "y_min": y, "x_max": x + width, "y_max": y + height}
    return cells


def correct_row(
    workspace: Workspace,
    job_id: str,
    row_id: int,
    answer: Answer,
    *,
    undoes: tuple[Answer] | None = None,
    author: str | None = None,
) -> tuple[Row, int | None]:
    """Save the answer of a user about an image of a job, as `correct`, or as `correct_measured` for measurements.

    Returns:
        The row, and the number of the change of the dataset's labels (None if no label changed, or for a prediction).

    Raises:
        CoverslipError: a measured image can neither be excluded nor be corrected as an undo; also as these functions.
    """
    if not kind_of(find_job(workspace, job_id, *KINDS)).has_measurements:
        return correct(workspace, job_id, row_id, answer, undoes=undoes, author=author), None
    if isinstance(answer, Exclusion) or undoes is not None:
        raise CoverslipError("only-labels-of-measured")
    return correct_measured(workspace, job_id, row_id, answer, author=author)


def correct(
    workspace: Workspace,
    prediction_id: str,
    row_id: int,
    answer: Answer,
    *,
    undoes: tuple[Answer] | None = None,
    author: str | None = None,
) -> Row:
    """Save the answer of a user about an image: its class, or why it is excluded; None removes the answer.

    If the prediction has several rows of the image, all get the answer. The dataset of the image is changed in the same
    transaction.

    Args:
        workspace: the workspace of the prediction.
        prediction_id: the prediction.
        row_id: the row.
        answer: the answer.
        undoes: the answer that this one undoes.
        author: who answers; None: the user account of this process.

    Raises:
        NotFound: there is no such row.
        ChangedSince: the current answer of the row differs from `undoes`.
        CoverslipError: the label cannot be a class.
    """
    job = find_job(workspace, prediction_id, "predict")
    listed = images_of_job(workspace, prediction_id)
    row_ids = listed.rows_of_image(row_id)
    if not row_ids:
        raise NotFound("no-such-row")
    if answer is not None and not isinstance(answer, Exclusion):
        answer = clean_name(answer)
    with write_transaction(workspace.engine) as connection:
        is_of_job = db.corrections.c.job_id == prediction_id
        is_row = is_of_job & (db.corrections.c.row_id == row_id)
        saved = connection.execute(select(db.corrections).where(is_row)).one_or_none()
        if undoes is not None and (None if saved is None else answer_of(saved)) != undoes[0]:
            raise ChangedSince("answer-changed-since")
        if answer is None:
            connection.execute(
                delete(db.corrections).where(is_of_job & db.corrections.c.row_id.in_(among_integers(row_ids)))
            )
        else:
            made_by = author or author_name()
            is_excluded = isinstance(answer, Exclusion)
            values = {"label": str(answer), "made": now(), "made_by": made_by, "is_excluded": is_excluded}
            values |= {"job_id": prediction_id, "is_of_spot_check": False}
            replace_rows(connection, db.corrections, [{"row_id": each, **values} for each in row_ids])
        _answer_in_dataset(connection, job, row_id, answer, author)
    return listed.facts(row_id)


@dataclass(frozen=True, slots=True)
class AppliedLabels:
    """Labels of a spot check that are corrections of the prediction."""

    n: Annotated[int, Field(description="Labels of the spot check that are corrections now.")]
    n_corrected_before: Annotated[int, Field(description="Labeled images that had a correction, which is kept.")]


def apply_spot_check(workspace: Workspace, prediction_id: str) -> AppliedLabels:
    """Use the labels of a finished spot check as corrections, with their authors and times.

    Exclusions are not applied: excluded rows do not count in proportions, so that excluding drawn images alone would
    select images. Images that were corrected before keep their corrections. The numbers of the spot check do not
    change, since they compare predictions with labels, not with corrections.

    Raises:
        NotFound: there is no such prediction.
        Conflict: no image is drawn, or not all drawn images are labeled.
    """
    job = find_job(workspace, prediction_id, "predict")
    with read_transaction(workspace.engine) as connection:
        is_of_job = db.spot_check_images.c.job_id == prediction_id
        drawn = connection.execute(select(db.spot_check_images).where(is_of_job)).all()
    if not drawn or any(image.made is None for image in drawn):
        raise Conflict("spot-check-not-finished")
    labeled = [image for image in drawn if not image.is_excluded]
    listed = images_of_job(workspace, prediction_id)
    rows_of = {image.row_id: listed.rows_of_image(image.row_id) for image in labeled}
    with write_transaction(workspace.engine) as connection:
        is_by_hand = (db.corrections.c.job_id == prediction_id) & ~db.corrections.c.is_of_spot_check
        by_hand = set(connection.execute(select(db.corrections.c.row_id).where(is_by_hand)).scalars())
        applied = [image for image in labeled if image.row_id not in by_hand]
        for image in applied:
            values = {"label": image.label, "made": image.made, "made_by": image.made_by, "is_of_spot_check": True}
            rows = [{"job_id": prediction_id, "row_id": row_id, **values} for row_id in rows_of[image.row_id]]
            replace_rows(connection, db.corrections, rows)
            _answer_in_dataset(connection, job, image.row_id, image.label, image.made_by)
    return AppliedLabels(len(applied), len(labeled) - len(applied))


def undo_spot_check(workspace: Workspace, prediction_id: str) -> int:
    """Remove the corrections that are labels of the spot check; return how many. Others are kept.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    is_applied = (db.corrections.c.job_id == prediction_id) & db.corrections.c.is_of_spot_check
    with write_transaction(workspace.engine) as connection:
        removed = connection.execute(
            delete(db.corrections).where(is_applied).returning(db.corrections.c.row_id)
        ).scalars()
        row_ids = list(removed)
        for row_id in row_ids:
            _answer_in_dataset(connection, job, row_id, None, None)
    return len(row_ids)


def _answer_in_dataset(connection: Connection, job: Job, row_id: int, answer: Answer, author: str | None) -> None:
    """Label or exclude the image in its dataset, if it is still there.

    Images that were excluded in the gallery of the dataset stay excluded.
    """
    if job.dataset_id is None:
        return
    with suppress(NotFound):
        dataset_row(connection, job.dataset_id)
        image_row = image_in_dataset(connection, job, row_id)
        if image_row is None:
            return
        exclusion = select(db.images.c.is_excluded, db.images.c.excluded_by).where(db.images.c.row_id == image_row)
        image = connection.execute(exclusion).one()
        is_excluded = isinstance(answer, Exclusion)
        changes = not image.is_excluded if is_excluded else image.excluded_by == job.id
        if changes:
            exclude_by_job(connection, job.dataset_id, [image_row], is_excluded=is_excluded, job_id=job.id)
        if answer is None or isinstance(answer, Exclusion):
            label, is_changed = label_before(connection, image_row, job_id=job.id)
            if not is_changed:
                return
        else:
            label = answer
            add_classes(connection, dataset_row(connection, job.dataset_id), job.choices["classes"])
        dataset = dataset_row(connection, job.dataset_id)
        label_rows(connection, dataset, [image_row], label, job_id=job.id, author=author)


def dataset_of(
    workspace: Workspace, prediction_id: str, *, only: Literal["corrected", "all"], name: str | None
) -> DatasetState:
    """Create a dataset of the corrected images, or of all images with the predicted class where it is not corrected.

    Its classes have the order, and so the keys, of the classifier. It does not contain excluded images.

    Raises:
        NotFound: there is no such prediction.
        Conflict: the dataset would be empty.
    """
    job = find_job(workspace, prediction_id, "predict")
    labeled = [
        (row.image_id, picture, label)
        for row, picture in images_of_job(workspace, prediction_id).every_image()
        if row.excluded is None
        and (label := row.correction if only == "corrected" else row.correction or row.predicted) is not None
    ]
    if not labeled:
        raise Conflict("empty-new-dataset")
    code = "dataset-of-corrections" if only == "corrected" else "dataset-of-predictions"
    title = name or text(code, name=job.name)
    dataset = open_sources(workspace, [Source(str(table_of(workspace, job, labeled)))], name=title)
    classes = class_order(job.choices["classes"], (label for _, _, label in labeled))
    return sources.change_dataset(workspace, dataset.id, {"classes": classes})
