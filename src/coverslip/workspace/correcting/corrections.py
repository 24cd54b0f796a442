"""Answers of users about predicted images, exclusions, and the history of labels of a dataset."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from sqlalchemy import (
    Connection,
    delete,
    func,
    literal,
    select,
)

from coverslip.datasets.columns import IMAGE_TABLES, TableChoices, plain_name
from coverslip.datasets.names import name_as_text
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.files import csv_text, stated_paths
from coverslip.images.reader import PLAN_COLUMNS
from coverslip.messages import text
from coverslip.runs.images import ImageSource
from coverslip.runs.prediction_tables import TEXT_FORMATS, Format, PredictionColumns
from coverslip.runs.predictions import ANSWER_COLUMNS, CLASSIFIER_COLUMN, FILE_COLUMN
from coverslip.workspace.correcting.draws import drawn_labels
from coverslip.workspace.datasets import sources
from coverslip.workspace.datasets.image_rows import refuse_changed_files
from coverslip.workspace.datasets.labels import add_classes, label_before, label_rows
from coverslip.workspace.datasets.reading_images import search_duplicates
from coverslip.workspace.datasets.selection import ImageSelection, selecting
from coverslip.workspace.datasets.sources import Source, open_sources
from coverslip.workspace.datasets.state import DatasetState, change_images, clean_name
from coverslip.workspace.jobs.records import Job, find_job, find_measured_job, kind_of
from coverslip.workspace.lists import (
    KINDS,
    Answer,
    Exclusion,
    Row,
    as_prediction,
    image_in_dataset,
    images_of_job,
    labels_of_other_classes,
)
from coverslip.workspace.predictions.predicting import INPUT_FILE, PredictionInput
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.change_log import (
    ChangedField,
    add_change,
    last_changes,
    log_images,
    log_rows,
    without_empty,
)
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    Json,
    among_integers,
    author_name,
    class_order,
    dataset_row,
    now,
    replace_rows,
    write_snapshot,
)
from coverslip.workspace.store.tables import changed_rows, changes, images, jobs
from coverslip.workspace.store.workspace import Workspace

# Exclusions of images, and the history of labels of a dataset.
#
# The history states when, by whom, from which label to which, and in which job each label was changed.


def exclude(
    workspace: Workspace,
    dataset_id: str,
    selection: ImageSelection,
    *,
    is_excluded: bool,
) -> tuple[int | None, int]:
    """Exclude images, or include them.

    Args:
        workspace: the workspace.
        dataset_id: the dataset.
        selection: the images. An undo of an earlier change does not affect them any more.
        is_excluded: exclude them; otherwise include them.

    Returns:
        The ID of the change (None if nothing changed), and the number of images that changed.

    Raises:
        NotFound: there is no such dataset.
        PreconditionRequired, PreconditionFailed: as `selecting`.
        ImagesChanged: one of the images is not in it; nothing is changed.
        CoverslipError: the dataset does not support a filter.
    """
    with selecting(workspace, dataset_id, selection) as (connection, row, row_ids):
        change = add_change(connection, dataset_id)
        n = exclude_rows(connection, row, row_ids, change, is_excluded=is_excluded)
    search_duplicates(workspace, dataset_id)  # trainings search near-duplicates among the included images
    return (change if n else None), n


def exclude_by_job(
    connection: Connection, dataset_id: str, row_ids: Collection[int], change_id: int, *, is_excluded: bool, job_id: str
) -> None:
    """Exclude images because of answers in a prediction, or include those that it excluded.

    Images that are already excluded do not change, and only images that the prediction excluded are included. If such
    an image was included in the gallery since then, that cannot be undone any more. The next `inspection` searches
    near-duplicates among the remaining images: a search after each of many exclusions would take too long.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: the images, all of this dataset.
        change_id: the change of the prediction.
        is_excluded: exclude them; otherwise include them.
        job_id: the prediction.

    Raises:
        Conflict: files of images that would be excluded or included changed since they were read.
    """
    if is_excluded:
        are_included = images.c.row_id.in_(among_integers(row_ids)) & ~images.c.is_excluded
        changed_images = connection.execute(select(images.c.row_id).where(are_included)).scalars().all()
    else:
        by_job = excluded_by_job(connection, job_id, row_ids)
        last = last_changes(ChangedField.EXCLUSION, changes.c.job_id)
        last = last.where(changed_rows.c.row_id.in_(among_integers(by_job)))
        changed_images = [row.row_id for row in connection.execute(last) if row.job_id == job_id]
        are_others = images.c.row_id.in_(among_integers(by_job.difference(changed_images)))
        others = connection.execute(select(images.c.row_id, images.c.is_excluded).where(are_others)).all()
        values = [(row.row_id, str(int(row.is_excluded))) for row in others]
        log_rows(connection, change_id, ChangedField.EXCLUSION, [(row_id, value, value) for row_id, value in values])
    if changed_images:
        row = dataset_row(connection, dataset_id)
        exclude_rows(connection, row, changed_images, change_id, is_excluded=is_excluded)


def excluded_by_job(connection: Connection, job_id: str, row_ids: Collection[int] | None = None) -> set[int]:
    """Return the images that a prediction excluded, whatever was changed in the gallery of the dataset since then.

    Args:
        connection: a connection to the database.
        job_id: the prediction.
        row_ids: the images; None: all.
    """
    last = last_changes(ChangedField.EXCLUSION, changed_rows.c.before, changed_rows.c.after, job_id=job_id)
    if row_ids is not None:
        last = last.where(changed_rows.c.row_id.in_(among_integers(row_ids)))
    # Equal values: the prediction withdrew its exclusion, and the gallery had excluded or included the image.
    return {row.row_id for row in connection.execute(last) if (row.before, row.after) == ("0", "1")}


def exclude_rows(
    connection: Connection, row: AnyRow, row_ids: Collection[int], change_id: int, *, is_excluded: bool
) -> int:
    """Exclude or include images as a part of a change; return how many changed."""
    refuse_changed_files(connection, row, row_ids)
    selected = among_integers(row_ids)
    is_changed = images.c.row_id.in_(selected) & (images.c.is_excluded != is_excluded)
    n: int = connection.execute(select(func.count()).where(is_changed)).scalar_one()
    are_selected = images.c.row_id.in_(selected)
    log_images(connection, change_id, ChangedField.EXCLUSION, are_selected, str(int(is_excluded)))
    if n:
        change_images(connection, row.id, selected, is_excluded=literal(is_excluded))
    return n


_AUTHOR = func.coalesce(changed_rows.c.made_by, changes.c.made_by)
_HISTORY_COLUMNS = ("path", "image_id", "label_before", "label", "made", "made_by", "is_undone", "seen_in")


def history_lines(workspace: Workspace, dataset_id: str) -> Iterator[str]:
    """Yield CSV with a row for each image of each change, the oldest first. Spreadsheets read no cell as a formula.

    Raises:
        NotFound: there is no such dataset; raised before the first line.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)

    def lines() -> Iterator[str]:
        yield csv_text([list(_HISTORY_COLUMNS)])
        columns = (images.c.path, images.c.image_id, changed_rows.c.before, changed_rows.c.after, changes.c.made)
        # An image whose labels were dropped is missing.
        is_replacement = changed_rows.c.field == ChangedField.REPLACEMENT
        is_label = (changed_rows.c.field == ChangedField.LABEL) & images.c.dataset_id.is_not(None)
        query = (
            select(*columns, _AUTHOR, changed_rows.c.is_undone, jobs.c.kind, jobs.c.name)
            .select_from(changes.join(changed_rows).join(images, images.c.row_id == changed_rows.c.row_id))
            .outerjoin(jobs, jobs.c.id == changes.c.job_id)
            .where(changes.c.dataset_id == dataset_id, is_replacement | is_label)
        )
        with workspace.engine.connect() as connection:
            ordered = connection.execute(query.order_by(changes.c.id, images.c.row_id))
            for batch in ordered.partitions(_ROWS_AT_ONCE):
                yield csv_text(
                    [name_as_text(path), *texts, "yes" if is_undone else "no", f"{kind}: {name}" if kind else ""]
                    for path, *texts, is_undone, kind, name in batch
                )

    return lines()


# Answers of users about predicted images: save them, and create a dataset of them.


def correct_measured(workspace: Workspace, job_id: str, row_id: int, label: str | None) -> tuple[Row, int | None]:
    """Change the label of an image of a training or an evaluation, in its dataset.

    Args:
        workspace: the workspace of the dataset.
        job_id: the training or evaluation.
        row_id: the row.
        label: a class of the dataset, or a new one; None undoes the correction of this job.

    Returns:
        The row, and the ID of the change (None if no label changed).

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
            added = add_change(connection, job.dataset_id, job.id)
            label_rows(connection, dataset, [image_row], label, added)
            change = without_empty(connection, added)
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
    return _write_table(folder, f"{job.folder.name}-", labeled, _BY_NAME, ())


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
    return _write_table(workspace.snapshots, _joined_prefix(job), labeled, columns, group_columns)


def is_joined_table_of(job: Job, path: str) -> bool:
    """Return whether a source of a dataset is a table that `joined_table_of` wrote for this prediction."""
    return re.fullmatch(re.escape(_joined_prefix(job)) + r"[0-9a-f]{16}\.csv", Path(path).name) is not None


def _joined_prefix(job: Job) -> str:
    return f"{job.folder.name}-joined-"


def _write_table(
    folder: Path,
    prefix: str,
    labeled: Sequence[LabeledImage],
    columns: Mapping[str, str],
    group_columns: Sequence[str],
) -> Path:
    names = _column_names(columns, max(len(picture.plan.files(picture.file)) for _, picture, _ in labeled))
    required_columns = {plain_name(name): name for name in (*columns.values(), *group_columns) if name}
    empty = [name for plain, name in required_columns.items() if plain not in map(plain_name, names.values())]
    rows: list[list[object]] = [[*names.values(), *empty]]
    stated = stated_paths(folder)
    for image in labeled:
        cells = _image_cells(image, stated)
        rows.append([*(cells.get(meaning, "") for meaning in names), *([""] * len(empty))])
    return write_snapshot(folder, prefix, csv_text(rows).encode())


def _column_names(columns: Mapping[str, str], n_files: int) -> dict[str, str]:
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


def _image_cells(image: LabeledImage, stated: Callable[[str], str]) -> dict[str, str | float]:
    image_id, picture, label = image
    plan = picture.plan
    first, *others = (name_as_text(stated(str(file))) for file in plan.files(picture.file))
    cells: dict[str, str | float] = {"path": first, "image_id": image_id, "label": label}
    cells |= {name: plan.cell(name) for name in PLAN_COLUMNS}
    cells |= {f"channel_{n}": file for n, file in enumerate(others, start=2)}
    if plan.region is not None:
        x, y, width, height = plan.region
        cells |= {"x": x, "y": y, "width": width, "height": height}
        cells |= {"x_center": x + width / 2, "y_center": y + height / 2}
        cells |= {"x_min": x, "y_min": y, "x_max": x + width, "y_max": y + height}
    return cells


def correct_row(workspace: Workspace, job_id: str, row_id: int, answer: Answer) -> tuple[Row, int | None]:
    """Save the answer of a user about an image of a job, as `correct`, or as `correct_measured` for measurements.

    Raises:
        CoverslipError: a measured image cannot be excluded; also as these functions.
    """
    if not kind_of(find_job(workspace, job_id, *KINDS)).has_measurements:
        return correct(workspace, job_id, row_id, answer)
    if isinstance(answer, Exclusion):
        raise CoverslipError("only-labels-of-measured")
    return correct_measured(workspace, job_id, row_id, answer)


def correct(workspace: Workspace, prediction_id: str, row_id: int, answer: Answer) -> tuple[Row, int | None]:
    """Save the answer of a user about an image: its class, or why it is excluded; None removes the answer.

    If the prediction has several rows of the image, all get the answer. The dataset of the image is changed in the same
    transaction.

    Args:
        workspace: the workspace of the prediction.
        prediction_id: the prediction.
        row_id: the row.
        answer: the answer.

    Returns:
        The row, and the ID of the change (None if nothing changed).

    Raises:
        NotFound: there is no such row.
        Conflict: the file of the image was changed after the prediction.
        CoverslipError: the label cannot be a class.
    """
    job = find_job(workspace, prediction_id, "predict")
    listed = images_of_job(workspace, prediction_id)
    row_ids = listed.rows_of_image(row_id)
    if not row_ids:
        raise NotFound("no-such-row")
    values: Json | None = None
    if answer is not None:
        answer = answer if isinstance(answer, Exclusion) else clean_name(answer)
        values = {"label": str(answer), "made": now(), "made_by": author_name()}
        values |= {"is_excluded": isinstance(answer, Exclusion), "is_of_spot_check": False}
        listed.refuse_changed_files([row_id])
    other_labels = labels_of_other_classes(workspace, job) if answer == Exclusion.NONE_OF_THESE else ()
    with write_transaction(workspace.engine) as connection:
        change = _add_change(connection, job)
        _answer(connection, job, change, {row_ids[0]: values})
        _answer_in_dataset(connection, job, answer, [row_id], change, other_labels=other_labels)
        changed = without_empty(connection, change)
    return listed.facts(row_id), changed


def _add_change(connection: Connection, job: Job) -> int:
    """Add a change of answers, and of labels if the prediction has a dataset."""
    with suppress(NotFound):  # it was removed
        if job.dataset_id is not None:
            return add_change(connection, dataset_row(connection, job.dataset_id).id, job.id)
    return add_change(connection, None, job.id)


def _answer(connection: Connection, job: Job, change_id: int, answers: Mapping[int, Json | None]) -> None:
    """Store answers about images, by their first rows, as a part of a change."""
    before = stored_answers(connection, job.id, answers)
    after = {row_id: None if values is None else json.dumps(values) for row_id, values in answers.items()}
    rows = [(row_id, before.get(row_id), after[row_id]) for row_id in answers]
    # A label of a spot check that is applied again is the same answer.
    log_rows(connection, change_id, ChangedField.ANSWER, [row for row in rows if row[1] != row[2]])
    store_answers(connection, job.id, after)


_ANSWER_COLUMNS = ("label", "made", "made_by", "is_excluded", "is_of_spot_check")


def stored_answers(connection: Connection, job_id: str, row_ids: Collection[int]) -> dict[int, str]:
    """Return the answers about rows of a prediction, as `changed_rows` contains them."""
    are_rows = (db.corrections.c.job_id == job_id) & db.corrections.c.row_id.in_(among_integers(row_ids))
    columns = (db.corrections.c[name] for name in ("row_id", *_ANSWER_COLUMNS))
    answers = connection.execute(select(*columns).where(are_rows))
    return {row_id: json.dumps(dict(zip(_ANSWER_COLUMNS, values, strict=True))) for row_id, *values in answers}


def store_answers(connection: Connection, job_id: str, answers: Mapping[int, str | None]) -> None:
    """Store answers about images of a prediction, or remove them, for all rows of the images so far.

    Args:
        connection: a connection in a writing transaction.
        job_id: the prediction.
        answers: as `stored_answers`, by the first row of each image; None: there is none.
    """
    are_repeats = (db.results.c.job_id == job_id) & db.results.c.first_row.in_(among_integers(answers))
    repeats = connection.execute(select(db.results.c.row_id, db.results.c.first_row).where(are_repeats)).all()
    answer_of_row = {**answers, **{row.row_id: answers[row.first_row] for row in repeats}}
    are_rows = (db.corrections.c.job_id == job_id) & db.corrections.c.row_id.in_(among_integers(answer_of_row))
    connection.execute(delete(db.corrections).where(are_rows))
    stored = [
        {"job_id": job_id, "row_id": row_id, **json.loads(answer)}
        for row_id, answer in answer_of_row.items()
        if answer is not None
    ]
    replace_rows(connection, db.corrections, stored)


@dataclass(frozen=True, slots=True)
class AppliedLabels(DocumentedFields):
    """Labels of a spot check that are corrections of the prediction."""

    n: int
    """Labels of the spot check that are corrections now."""
    n_corrected_before: int
    """Labeled images that had a correction, which is kept."""
    change: int | None
    """The ID of the change; null if nothing changed."""


def apply_spot_check(workspace: Workspace, prediction_id: str) -> AppliedLabels:
    """Use the labels of a finished spot check as corrections, with their authors and times.

    Exclusions are not applied: excluded rows do not count in proportions, so that excluding drawn images alone would
    select images. Images that were corrected before keep their corrections. The numbers of the spot check do not
    change, since they compare predictions with labels, not with corrections.

    Raises:
        NotFound: there is no such prediction.
        Conflict: no image is drawn, not all drawn images are labeled, or files of labeled images were changed.
    """
    job = find_job(workspace, prediction_id, "predict")
    drawn = drawn_labels(workspace, prediction_id).values()
    labeled = [label for label in drawn if label is not None and not label.is_excluded]
    if not drawn or None in drawn:
        raise Conflict("spot-check-not-finished")
    listed = images_of_job(workspace, prediction_id)
    listed.refuse_changed_files([image.row_id for image in labeled])
    first_row = {image.row_id: listed.rows_of_image(image.row_id)[0] for image in labeled}
    with write_transaction(workspace.engine) as connection:
        is_by_hand = (db.corrections.c.job_id == prediction_id) & ~db.corrections.c.is_of_spot_check
        by_hand = set(connection.execute(select(db.corrections.c.row_id).where(is_by_hand)).scalars())
        applied = [image for image in labeled if image.row_id not in by_hand]
        change = _add_change(connection, job)
        answers: dict[int, Json | None] = {}
        rows_of = defaultdict[tuple[str, str], list[int]](list)
        for image in applied:
            values = {"label": image.label, "made": image.made, "made_by": image.made_by}
            answers[first_row[image.row_id]] = {**values, "is_excluded": False, "is_of_spot_check": True}
            rows_of[image.label, image.made_by].append(image.row_id)
        _answer(connection, job, change, answers)
        for (label, made_by), row_ids in rows_of.items():
            _answer_in_dataset(connection, job, label, row_ids, change, made_by=made_by)
        changed = without_empty(connection, change)
    return AppliedLabels(len(applied), len(labeled) - len(applied), changed)


def _answer_in_dataset(
    connection: Connection,
    job: Job,
    answer: Answer,
    row_ids: Sequence[int],
    change_id: int,
    *,
    made_by: str | None = None,
    other_labels: Collection[str] = (),
) -> None:
    """Label or exclude images in their dataset, if they are still there, as a part of a change.

    Images that were excluded in the gallery of the dataset stay excluded. An image that shows none of the classifier's
    classes is not excluded if its label is another class of the dataset.

    Args:
        connection: a connection in a writing transaction.
        job: the prediction.
        answer: the answer about the images.
        row_ids: their rows in the prediction.
        change_id: the change.
        made_by: who gave the answer, if not the author of the change.
        other_labels: labels of the dataset that are no class of the classifier.
    """
    if job.dataset_id is None:
        return
    with suppress(NotFound):
        dataset = dataset_row(connection, job.dataset_id)
        listed = [image_in_dataset(connection, job, row_id) for row_id in row_ids]
        image_rows = [image for image in listed if image is not None]
        if answer is not None and not isinstance(answer, Exclusion):
            exclude_by_job(connection, dataset.id, image_rows, change_id, is_excluded=False, job_id=job.id)
            if not class_order(dataset.class_names, dataset.summary["classes"]):
                add_classes(connection, dataset, job.choices["classes"])  # first labels: the keys of the classifier
                dataset = dataset_row(connection, dataset.id)
            label_rows(connection, dataset, image_rows, answer, change_id, made_by=made_by)
            return
        for image in image_rows:
            label, is_changed = label_before(connection, image, job_id=job.id)
            if is_changed:
                label_rows(connection, dataset, [image], label, change_id)
        excluded = set[int]() if answer is None else {*image_rows}
        if answer == Exclusion.NONE_OF_THESE:
            labels = select(images.c.row_id).where(images.c.row_id.in_(among_integers(image_rows)))
            excluded -= set(connection.execute(labels.where(images.c.label.in_(other_labels))).scalars())
        for is_excluded, rows in ((True, excluded), (False, {*image_rows} - excluded)):
            exclude_by_job(connection, dataset.id, rows, change_id, is_excluded=is_excluded, job_id=job.id)


def dataset_of(
    workspace: Workspace, prediction_id: str, *, only: Literal["corrected", "all"], name: str | None
) -> DatasetState:
    """Create a dataset of the corrected images, or of all images with the predicted class where it is not corrected.

    Its classes have the order, and so the keys, of the classifier. It does not contain excluded images.

    Raises:
        NotFound: there is no such prediction.
        Conflict: the dataset would be empty, or files of its images were changed after the prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    listed = images_of_job(workspace, prediction_id)
    of_row = {
        row.row_id: (row.image_id, picture, label)
        for row, picture in listed.every_image()
        if row.excluded is None
        and (label := row.correction if only == "corrected" else row.correction or row.predicted) is not None
    }
    if not of_row:
        raise Conflict("empty-new-dataset")
    listed.refuse_changed_files(of_row)
    labeled = list(of_row.values())
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
        Conflict: files of images with answers were changed after the prediction.
        CoverslipError: there are fewer classes.
    """
    listed = images_of_job(workspace, prediction_id, "predict")
    begun = PredictionInput.read_if_there(listed.job.folder / INPUT_FILE)
    identity = {} if begun is None else {CLASSIFIER_COLUMN: begun.identity}
    layout = PredictionColumns(tuple(listed.classes), top_k, (*listed.columns, FILE_COLUMN, *identity))
    record, has_answers = TEXT_FORMATS[format_].record, bool(listed.counts().n_corrected)
    listed.refuse_changed_files(listed.answered_rows())
    columns = [*layout.columns]
    columns[_AFTER:_AFTER] = ANSWER_COLUMNS if has_answers else ()

    def records() -> Iterator[str]:
        yield record(columns, None)
        for row, _ in listed.every_row():
            prediction = as_prediction(row)
            values = layout.values(prediction, {**row.cells, FILE_COLUMN: row.file_sha256 or "", **identity})
            if has_answers:
                final = None if row.excluded else row.correction or prediction.decision
                values[_AFTER:_AFTER] = (row.correction, row.excluded, row.corrected_by, final)
            yield record(columns, values)

    def pieces() -> Iterator[str]:
        remaining = records()
        for first in remaining:
            yield "".join(chain([first], islice(remaining, _ROWS_AT_ONCE - 1)))

    return pieces()
