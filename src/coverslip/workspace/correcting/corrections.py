"""Answers of users about predicted images, exclusions, and the history of labels of a dataset."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    String,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)

from coverslip.datasets.columns import IMAGE_TABLES, TableChoices, plain_name
from coverslip.datasets.names import name_as_text
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.files import csv_text
from coverslip.images.reader import PLAN_COLUMNS
from coverslip.messages import text
from coverslip.runs.images import ImageSource
from coverslip.runs.prediction_tables import TEXT_FORMATS, Format, PredictionColumns
from coverslip.runs.predictions import ANSWER_COLUMNS, CLASSIFIER_COLUMN
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.image_rows import refuse_changed_files
from coverslip.workspace.datasets.labels import add_classes, label_before, label_rows
from coverslip.workspace.datasets.reading_images import search_duplicates
from coverslip.workspace.datasets.sources import Source, open_sources
from coverslip.workspace.datasets.state import DatasetState, change_images, clean_name
from coverslip.workspace.jobs.records import Job, find_job, find_measured_job, kind_of
from coverslip.workspace.lists import (
    KINDS,
    Answer,
    Exclusion,
    Row,
    answer_of,
    as_prediction,
    image_in_dataset,
    images_of_job,
)
from coverslip.workspace.predictions.predicting import INPUT_FILE, PredictionInput
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    ChangedSince,
    Page,
    Paging,
    acting_as,
    among_integers,
    author_name,
    change_rows,
    class_order,
    dataset_row,
    new_id,
    now,
    replace_rows,
    write_snapshot,
)
from coverslip.workspace.store.tables import changed_labels, images, jobs, label_changes
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import ImageSelection, selected_rows

# Exclusions of images, and the history of labels of a dataset.
#
# The history states when, by whom, from which label to which, and in which job each label was changed.

_CHANGE = "change:"  # prefix of its ID in `excluded_by`, which also holds IDs of predictions
_LONGEST = 500  # characters of `excluded_by`: the last change, and those before it after a space


def exclude(
    workspace: Workspace,
    dataset_id: str,
    selection: ImageSelection,
    *,
    is_excluded: bool,
) -> tuple[str | None, int]:
    """Exclude images, or include them.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images. An undo of an earlier change does not affect them any more.
        is_excluded: exclude them; otherwise include them.

    Returns:
        The ID for undoing the change (None if nothing changed), and the number of images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired, PreconditionFailed: as `selected_rows`.
        ImagesChanged: one of the images is not in it; nothing is changed.
        CoverslipError: the dataset does not support a filter.
    """
    change = new_id()
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        row_ids = selected_rows(connection, row, selection)
        refuse_changed_files(connection, row, row_ids)
        is_changed = images.c.is_excluded != is_excluded
        is_selected = images.c.row_id.in_(among_integers(row_ids))
        n = connection.execute(select(func.count()).where(is_selected, is_changed)).scalar_one()
        earlier = func.coalesce(" " + images.c.excluded_by, "")
        change_or_none = case((is_changed, func.substr(_CHANGE + change + earlier, 1, _LONGEST)), else_=None)
        _exclude(connection, dataset_id, row_ids, literal(is_excluded), change_or_none)
    search_duplicates(workspace, dataset_id)  # trainings search near-duplicates among the included images
    return (change if n else None), n


def undo_exclusion(workspace: Workspace, dataset_id: str, change: str) -> int:
    """Undo one change of `exclude`, for those of its images that were neither excluded nor included since then.

    Returns:
        The number of these images.

    Raises:
        NotFound: there is no such dataset.
        ChangedSince: there are none.
    """
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        marker = _CHANGE + change
        is_of_change = (images.c.excluded_by + " ").startswith(marker + " ", autoescape=True)
        is_selected = (images.c.dataset_id == dataset_id) & is_of_change
        row_ids = list(connection.execute(select(images.c.row_id).where(is_selected)).scalars())
        earlier = func.nullif(func.substr(images.c.excluded_by, len(marker) + 2), "")
        undone = {"is_excluded": ~images.c.is_excluded, "excluded_by": earlier}
        is_missing = (images.c.missing_from == dataset_id) & is_of_change
        n_missing = connection.execute(update(images).where(is_missing).values(**undone)).rowcount
        if not row_ids and not n_missing:
            raise ChangedSince("exclusion-changed-since")
        change_images(connection, dataset_id, among_integers(row_ids), **undone)
    search_duplicates(workspace, dataset_id)
    return len(row_ids) + n_missing


def exclude_by_job(
    connection: Connection, dataset_id: str, row_ids: Collection[int], *, is_excluded: bool, job_id: str
) -> None:
    """Exclude images because of answers in a prediction, or include those that it excluded.

    Images that are already excluded do not change, and only images that the prediction excluded are included. If such
    an image was included in the gallery since then, an undo of that has no effect any more. The next `inspection`
    searches near-duplicates among the remaining images: a search after each of many exclusions would take too long.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: the images, all of this dataset.
        is_excluded: exclude them; otherwise include them.
        job_id: the prediction.

    Raises:
        Conflict: files of the images changed since they were read.
    """
    refuse_changed_files(connection, dataset_row(connection, dataset_id), row_ids)
    is_selected = images.c.row_id.in_(among_integers(row_ids))
    is_changed = ~images.c.is_excluded if is_excluded else images.c.excluded_by == job_id
    changed_rows = connection.execute(select(images.c.row_id).where(is_selected, is_changed)).scalars().all()
    if not is_excluded:
        by_job = select(images.c.row_id, images.c.excluded_by).where(is_selected, is_excluded_by(job_id))
        later = [(row.row_id, row.excluded_by.split(" ")[:-2]) for row in connection.execute(by_job)]
        change_rows(connection, images, [{"row_id": each, "excluded_by": " ".join(ids) or None} for each, ids in later])
    excluded_by = literal(job_id if is_excluded else None, String)
    _exclude(connection, dataset_id, changed_rows, literal(is_excluded), excluded_by)


def is_excluded_by(job_id: str) -> ColumnElement[bool]:
    """Return whether a prediction excluded an image, whatever was changed in the gallery of the dataset since then."""
    return (" " + images.c.excluded_by).endswith(" " + job_id, autoescape=True)


def _exclude(
    connection: Connection,
    dataset_id: str,
    row_ids: Collection[int],
    is_excluded: ColumnElement[Any],
    excluded_by: ColumnElement[Any],
) -> None:
    affected = among_integers(row_ids)
    change_images(connection, dataset_id, affected, is_excluded=is_excluded, excluded_by=excluded_by)


_MOST_IMAGES = 12
_IS_PRESENT = (images.c.row_id == changed_labels.c.row_id) & images.c.dataset_id.is_not(None)
_CHANGED_IMAGES = (
    select(changed_labels, images.c.image_id, images.c.path, images.c.shown_path)
    .join_from(changed_labels, images, _IS_PRESENT)
    .order_by(changed_labels.c.row_id)
)
_OF_CHANGE = _CHANGED_IMAGES.where(changed_labels.c.change_id == bindparam("change_id"))  # run for each change
_OF_CHANGES = _CHANGED_IMAGES.where(changed_labels.c.change_id.in_(bindparam("change_ids", expanding=True)))
_FIRST_IMAGES = _OF_CHANGE.limit(_MOST_IMAGES)
_HISTORY_COLUMNS = ("path", "image_id", "label_before", "label", "made", "made_by", "is_undone", "seen_in")


@dataclass(frozen=True, slots=True)
class SeenIn:
    """The training, evaluation or prediction in which a label error was found."""

    id: str
    kind: str
    name: str
    classifier_id: Annotated[str | None, Field(description="The classifier of an evaluation or prediction.")]


@dataclass(frozen=True, slots=True)
class RelabeledImage:
    """An image whose label was changed."""

    row_id: Annotated[int, Field(description="The number of the image in the app.")]
    path: str
    label_before: Annotated[str | None, Field(description="The label before the change; null: it had none.")]


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A change of the labels of some images to the same label."""

    id: int
    made: Annotated[str, Field(description="When; ISO 8601, UTC.")]
    made_by: Annotated[str, Field(description="The author of the request, else the user account of the server.")]
    label: Annotated[str | None, Field(description="The new label of all images; null: their labels were removed.")]
    is_undone: bool
    seen_in: Annotated[SeenIn | None, Field(description="Null if the label was changed in the gallery of the dataset.")]
    n: Annotated[int, Field(description="How many images.")]
    images: Annotated[list[RelabeledImage], Field(description=f"The first {_MOST_IMAGES} of them.")]


def list_label_changes(workspace: Workspace, dataset_id: str, paging: Paging) -> Page[LabelChange]:
    """Return the changes of a dataset's labels in the app, the newest first.

    Raises:
        NotFound: there is no such dataset.
    """
    with read_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        changes = _changes(dataset_id)
        total = connection.execute(select(func.count()).select_from(changes.subquery())).scalar_one()
        newest = changes.order_by(label_changes.c.id.desc()).offset(paging.offset).limit(paging.limit)
        return Page(_described(connection, connection.execute(newest).all()), total)


def history_lines(workspace: Workspace, dataset_id: str) -> Iterator[str]:
    """Yield CSV with a row for each image of each change, the oldest first. Spreadsheets read no cell as a formula.

    Raises:
        NotFound: there is no such dataset; raised before the first line.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)

    def lines() -> Iterator[str]:
        yield csv_text([list(_HISTORY_COLUMNS)])
        with workspace.engine.connect() as connection:
            for change in connection.execute(_changes(dataset_id).order_by(label_changes.c.id)).all():
                yield csv_text(_change_cells(connection, change))

    return lines()


def _changes(dataset_id: str) -> Select[Any]:  # Any: columns as the tables define them
    columns = (jobs.c.kind, jobs.c.name.label("job_name"), jobs.c.classifier_id)
    joined = label_changes.outerjoin(jobs, jobs.c.id == label_changes.c.job_id)
    # Otherwise, all images are missing or were removed.
    has_images = exists().where(changed_labels.c.change_id == label_changes.c.id, _IS_PRESENT)
    return (
        select(label_changes, *columns).select_from(joined).where(label_changes.c.dataset_id == dataset_id, has_images)
    )


def _described(connection: Connection, changes: Sequence[AnyRow]) -> list[LabelChange]:
    change_id = changed_labels.c.change_id
    counted = select(change_id, func.count()).join_from(changed_labels, images, _IS_PRESENT)
    counted = counted.where(change_id.in_([change.id for change in changes]))
    n_of: dict[int, int] = {row[0]: row[1] for row in connection.execute(counted.group_by(change_id))}
    few = [change for change, n in n_of.items() if n <= _MOST_IMAGES]
    images_of = defaultdict[int, list[RelabeledImage]](list)
    for row in connection.execute(_OF_CHANGES, {"change_ids": few}):  # most changes are of one image
        images_of[row.change_id].append(RelabeledImage(row.row_id, row.shown_path, row.earlier_label))
    for change in n_of.keys() - few:
        for row in connection.execute(_FIRST_IMAGES, {"change_id": change}):
            images_of[change].append(RelabeledImage(row.row_id, row.shown_path, row.earlier_label))
    return [
        LabelChange(
            id=change.id,
            made=change.made,
            made_by=change.made_by,
            label=change.label,
            is_undone=change.is_undone,
            seen_in=_seen_in(change),
            n=n_of[change.id],
            images=images_of[change.id],
        )
        for change in changes
    ]


def _seen_in(change: AnyRow) -> SeenIn | None:
    if change.kind is None:
        return None
    return SeenIn(change.job_id, change.kind, change.job_name, change.classifier_id)


def _change_cells(connection: Connection, change: AnyRow) -> list[list[str]]:
    seen_in = "" if change.kind is None else f"{change.kind}: {change.job_name}"
    undone = "yes" if change.is_undone else "no"
    change_cells = [change.label or "", change.made, change.made_by, undone, seen_in]
    return [
        [name_as_text(row.path), row.image_id, row.earlier_label or "", *change_cells]
        for row in connection.execute(_OF_CHANGE, {"change_id": change.id})
    ]


# Answers of users about predicted images: save them, and create a dataset of them.


def correct_measured(workspace: Workspace, job_id: str, row_id: int, label: str | None) -> tuple[Row, int | None]:
    """Change the label of an image of a training or an evaluation, in its dataset.

    Args:
        workspace: the workspace of the dataset.
        job_id: the training or evaluation.
        row_id: the row.
        label: a class of the dataset, or a new one; None undoes the correction of this job.

    Returns:
        The row, and the number of the change of the dataset's labels (None if no label changed).

    Raises:
        NotFound: there is no such job or row, or its dataset was removed.
        Conflict: nothing was measured yet, the image is not in a dataset of the app, or the correction to undo is not
            of this job.
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
            change, _ = label_rows(connection, dataset, [image_row], label, job_id=job.id)
    row = images_of_job(workspace, job_id).facts(row_id)
    if row.correction is not None and not is_changed:
        raise Conflict("correction-not-of-job")
    return row, change


LabeledImage = tuple[str, ImageSource, str]  # image_id, location of the pixels, label

_MEANINGS = ("path", "image_id", "label", *PLAN_COLUMNS)
_BOXES = (
    ("x", "y", "width", "height"),
    ("x_center", "y_center", "width", "height"),
    ("x_min", "y_min", "x_max", "y_max"),
)
_BY_NAME: Mapping[str, str] = MappingProxyType({})


def table_of(folder: Path, job: Job, labeled: Sequence[LabeledImage]) -> Path:
    """Write a table of labeled images of a prediction to a folder. Its name is a hash of its content."""
    return _write(folder, f"{job.folder.name}-", labeled, _BY_NAME, ())


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
    return _write(workspace.snapshots, _joined_prefix(job), labeled, columns, group_columns)


def is_joined_table_of(job: Job, path: str) -> bool:
    """Return whether a source of a dataset is a table that `joined_table_of` wrote for this prediction."""
    return re.fullmatch(re.escape(_joined_prefix(job)) + r"[0-9a-f]{16}\.csv", Path(path).name) is not None


def _joined_prefix(job: Job) -> str:
    return f"{job.folder.name}-joined-"


def _write(
    folder: Path,
    prefix: str,
    labeled: Sequence[LabeledImage],
    columns: Mapping[str, str],
    group_columns: Sequence[str],
) -> Path:
    names = _names(columns, max(len(picture.plan.files(picture.file)) for _, picture, _ in labeled))
    required_columns = {plain_name(name): name for name in (*columns.values(), *group_columns) if name}
    empty = [name for plain, name in required_columns.items() if plain not in map(plain_name, names.values())]
    rows: list[list[object]] = [[*names.values(), *empty]]
    for image in labeled:
        cells = _image_cells(image)
        rows.append([*(cells.get(meaning, "") for meaning in names), *([""] * len(empty))])
    return write_snapshot(folder, prefix, csv_text(rows).encode())


def _names(columns: Mapping[str, str], n_files: int) -> dict[str, str]:
    """Return the columns to write by meaning: the chosen ones, else unused standard names."""
    used_names = {plain_name(name) for name in columns.values()}
    box = next((box for box in _BOXES if all(columns.get(meaning) != "" for meaning in box)), _BOXES[0])
    names: dict[str, str] = {}
    channels = (f"channel_{n}" for n in range(2, n_files + 1))
    for meaning in (*_MEANINGS, *channels, *box):
        unused_names = (
            name for name in (meaning, *IMAGE_TABLES.columns[meaning]) if plain_name(name) not in used_names
        )
        name = columns[meaning] if meaning in columns else next(unused_names, "")
        if name and name not in names.values():
            names[meaning] = name
    return names


def _image_cells(image: LabeledImage) -> dict[str, str | float]:
    image_id, picture, label = image
    plan = picture.plan
    cells: dict[str, str | float] = {"path": name_as_text(str(picture.file)), "image_id": image_id, "label": label}
    cells |= {name: plan.cell(name) for name in PLAN_COLUMNS}
    further_files = plan.files(picture.file)[1:]
    cells |= {f"channel_{n}": name_as_text(str(file)) for n, file in enumerate(further_files, start=2)}
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
) -> tuple[Row, int | None]:
    """Save the answer of a user about an image of a job, as `correct`, or as `correct_measured` for measurements.

    Returns:
        The row, and the number of the change of the dataset's labels (None if no label changed, or for a prediction).

    Raises:
        CoverslipError: a measured image can neither be excluded nor be corrected as an undo; also as these functions.
    """
    if not kind_of(find_job(workspace, job_id, *KINDS)).has_measurements:
        return correct(workspace, job_id, row_id, answer, undoes=undoes), None
    if isinstance(answer, Exclusion) or undoes is not None:
        raise CoverslipError("only-labels-of-measured")
    return correct_measured(workspace, job_id, row_id, answer)


def correct(
    workspace: Workspace,
    prediction_id: str,
    row_id: int,
    answer: Answer,
    *,
    undoes: tuple[Answer] | None = None,
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
            is_excluded = isinstance(answer, Exclusion)
            values = {"label": str(answer), "made": now(), "made_by": author_name(), "is_excluded": is_excluded}
            values |= {"job_id": prediction_id, "is_of_spot_check": False}
            replace_rows(connection, db.corrections, [{"row_id": each, **values} for each in row_ids])
        _answer_in_dataset(connection, job, row_id, answer)
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
            with acting_as(image.made_by):
                _answer_in_dataset(connection, job, image.row_id, image.label)
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
            _answer_in_dataset(connection, job, row_id, None)
    return len(row_ids)


def _answer_in_dataset(connection: Connection, job: Job, row_id: int, answer: Answer) -> None:
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
        is_excluded = isinstance(answer, Exclusion)
        changes = ~db.images.c.is_excluded if is_excluded else is_excluded_by(job.id)
        if connection.execute(select(func.count()).where(db.images.c.row_id == image_row, changes)).scalar_one():
            exclude_by_job(connection, job.dataset_id, [image_row], is_excluded=is_excluded, job_id=job.id)
        if answer is None or isinstance(answer, Exclusion):
            label, is_changed = label_before(connection, image_row, job_id=job.id)
            if not is_changed:
                return
        else:
            label = answer
            add_classes(connection, dataset_row(connection, job.dataset_id), job.choices["classes"])
        dataset = dataset_row(connection, job.dataset_id)
        label_rows(connection, dataset, [image_row], label, job_id=job.id)


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
    sizes_um = (picture.plan.crop_size for _, picture, _ in labeled if picture.plan.has_physical_size)
    choices = TableChoices(crop_size=next(sizes_um, None))
    table = table_of(workspace.snapshots, job, labeled)
    dataset = open_sources(workspace, [Source(str(table))], name=title, choices=choices)
    classes = class_order(job.choices["classes"], (label for _, _, label in labeled))
    return sources.change_dataset(workspace, dataset.id, {"classes": classes})


# The table of a prediction with the answers of users, for downloads.

_ROWS_AT_ONCE = 500
_AFTER = 6  # `decision` and the columns before it


def answered_table(
    workspace: Workspace,
    prediction_id: str,
    format_: Format = "csv",
    *,
    top_k: int | None = None,
) -> Iterator[str]:
    """Yield the table of a prediction in pieces. If there are answers of users, their columns follow `decision`.

    Args:
        workspace: the workspace of the prediction.
        prediction_id: the prediction.
        format_: `csv` or `jsonl`.
        top_k: number of most probable classes in place of the probability of each class.

    Raises:
        NotFound: there is no such prediction.
        CoverslipError: there are fewer classes.
    """
    listed = images_of_job(workspace, prediction_id, "predict")
    begun = PredictionInput.read_if_there(listed.job.folder / INPUT_FILE)
    identity = {} if begun is None else {CLASSIFIER_COLUMN: begun.identity}
    layout = PredictionColumns(tuple(listed.classes), top_k, (*listed.columns, *identity))
    record, has_answers = TEXT_FORMATS[format_].record, bool(listed.counts().n_corrected)
    columns = [*layout.columns]
    columns[_AFTER:_AFTER] = ANSWER_COLUMNS if has_answers else ()

    def records() -> Iterator[str]:
        yield record(columns, None)
        for row, _ in listed.every_row():
            values = layout.values(as_prediction(row), {**row.cells, **identity})
            values[_AFTER:_AFTER] = (row.correction, row.excluded, row.corrected_by) if has_answers else ()
            yield record(columns, values)

    def pieces() -> Iterator[str]:
        remaining = records()
        for first in remaining:
            yield "".join(chain([first], islice(remaining, _ROWS_AT_ONCE - 1)))

    return pieces()
