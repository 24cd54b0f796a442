"""Spot checks of predictions: images drawn at random, labeled without their predictions, and compared with these."""

import secrets
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, delete, func, insert, select, update

from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.inference.spot_check import (
    DEFAULT_HALF_WIDTH,
    LabelsNeeded,
    SpotCheck,
    drawn_images,
    needed_labels,
    spot_check_of,
)
from coverslip.runs.documents import table_text
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.lists.rows import Exclusion, answer_of, images_of_job
from coverslip.workspace.predictions.samples import (
    Sampling,
    classes_of,
    finished_prediction,
    measured_run,
    sampled_rows,
    saved_sampling,
)
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import AnyRow, author_name, now
from coverslip.workspace.store.tables import corrections, spot_check_images, spot_checks
from coverslip.workspace.store.workspace import Workspace

_COLUMNS = ("image_id", "path", "label", "made", "made_by")


@dataclass(frozen=True, slots=True)
class ImageToLabel:
    """An image of a spot check, without its prediction."""

    row_id: Annotated[int, Field(description="Its number in the prediction.")]
    label: Annotated[str | None, Field(description="Its class; null: not labeled, or excluded.")]
    excluded: Annotated[Exclusion | None, Field(description="Why it is excluded; null: it is not.")]
    made: Annotated[str | None, Field(description="When it was labeled; null: not yet.")]
    made_by: Annotated[str | None, Field(description="Who labeled it; null: nobody.")]


@dataclass(frozen=True, slots=True)
class SpotCheckState:
    """The images of a spot check and their labels."""

    classes: Annotated[list[str], Field(description="The classes of the classifier.")]
    n: Annotated[int | None, Field(description="Images of each condition that were requested; null: none are drawn.")]
    images: Annotated[list[ImageToLabel], Field(description="In random order.")]
    sampling: Annotated[
        Sampling, Field(description="Samples and conditions when the images were drawn, else as saved.")
    ]
    n_applied: Annotated[int, Field(description="Labels of the spot check that are corrections of the prediction.")]


def spot_check_state(workspace: Workspace, prediction_id: str) -> SpotCheckState:
    """Return the images of a spot check and their labels.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    with read_transaction(workspace.engine) as connection:
        check = _check_row(connection, job)
        images = [] if check is None else _images(connection, job)
        is_applied = (corrections.c.job_id == job.id) & corrections.c.is_of_spot_check
        n_applied = connection.execute(select(func.count()).where(is_applied)).scalar_one()
    sampling = saved_sampling(job) if check is None else Sampling.model_validate(check.sampling)
    return SpotCheckState(classes_of(job), None if check is None else check.n, images, sampling, n_applied)


def needed_for(workspace: Workspace, prediction_id: str, half_width: float = DEFAULT_HALF_WIDTH) -> list[LabelsNeeded]:
    """Return how many labels of each condition an interval of this half width needs.

    Raises:
        NotFound, Conflict, CoverslipError: as `draw`.
    """
    job = finished_prediction(workspace, prediction_id)
    rows = sampled_rows(workspace, job, saved_sampling(job))
    return list(needed_labels(classes_of(job), rows.predictions, measured_run(workspace, job), half_width))


def draw(workspace: Workspace, prediction_id: str, n: int) -> SpotCheckState:
    """Draw images of each condition at random, in place of earlier ones without labels.

    Raises:
        NotFound: there is no such prediction.
        Conflict: images of the spot check are labeled, or the prediction is not finished.
        CoverslipError: there are more samples in a condition than images to draw, or no image can be read.
    """
    job = finished_prediction(workspace, prediction_id)
    sampling = saved_sampling(job)
    rows = sampled_rows(workspace, job, sampling)
    numbers = [rows.row_ids[k] for k in drawn_images(rows.predictions, n, secrets.randbits(63))]
    with write_transaction(workspace.engine) as connection:
        if any(image.made for image in _images(connection, job)):
            raise Conflict("spot-check-is-labeled")
        connection.execute(delete(spot_checks).where(spot_checks.c.job_id == job.id))
        values = {"job_id": job.id, "n": n, "sampling": sampling.model_dump(), "created": now()}
        connection.execute(insert(spot_checks).values(**values))
        images = [{"job_id": job.id, "row_id": row, "position": k} for k, row in enumerate(numbers)]
        connection.execute(insert(spot_check_images), images)
    return spot_check_state(workspace, prediction_id)


def remove(workspace: Workspace, prediction_id: str) -> None:
    """Remove a spot check and its labels.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    with write_transaction(workspace.engine) as connection:
        connection.execute(delete(spot_checks).where(spot_checks.c.job_id == job.id))


def label_image(
    workspace: Workspace, prediction_id: str, row_id: int, answer: str | Exclusion | None, author: str | None
) -> ImageToLabel:
    """Label an image of a spot check, or exclude it; None removes the label.

    Raises:
        NotFound: there is no such prediction, or the image was not drawn.
        CoverslipError: the label is no class of the classifier.
    """
    job = find_job(workspace, prediction_id, "predict")
    is_excluded = isinstance(answer, Exclusion)
    classes = classes_of(job)
    if answer is not None and not is_excluded and answer not in classes:
        raise CoverslipError("spot-check-other-class", label=answer, classes=", ".join(classes))
    is_image = (spot_check_images.c.job_id == job.id) & (spot_check_images.c.row_id == row_id)
    made, made_by = (None, None) if answer is None else (now(), author or author_name())
    values = {"label": None if answer is None else str(answer), "is_excluded": is_excluded}
    with write_transaction(workspace.engine) as connection:
        changed = connection.execute(
            update(spot_check_images).where(is_image).values(**values, made=made, made_by=made_by)
        )
        if not changed.rowcount:
            raise NotFound("spot-check-image-not-drawn")
        return _image(connection.execute(select(spot_check_images).where(is_image)).one())


def result(workspace: Workspace, prediction_id: str) -> SpotCheck:
    """Compare the labels so far with the predictions.

    Raises:
        NotFound: there is no such prediction.
        Conflict: no image is labeled, or the prediction is not finished.
        CoverslipError: no image can be read.
    """
    job = finished_prediction(workspace, prediction_id)
    state = spot_check_state(workspace, prediction_id)
    labels = {image.row_id: answer for image in state.images if (answer := image.excluded or image.label)}
    if not labels:
        raise Conflict("spot-check-not-labeled")
    rows = sampled_rows(workspace, job, state.sampling)
    of_row = {k: str(labels[row_id]) for k, row_id in enumerate(rows.row_ids) if row_id in labels}
    run = measured_run(workspace, job)
    return spot_check_of(state.classes, rows.predictions, of_row, run, n_drawn=len(state.images))


def labels_table(workspace: Workspace, prediction_id: str) -> str:
    """Return a CSV table of the drawn images with labels, times and authors, as `coverslip spot-check --labels` reads.

    Raises:
        NotFound: there is no such prediction.
    """
    images = {image.row_id: image for image in spot_check_state(workspace, prediction_id).images}
    rows = {row.row_id: row for row in images_of_job(workspace, prediction_id, "predict").at([*images])}
    return table_text(
        _COLUMNS,
        (
            {
                "image_id": rows[row_id].image_id,
                "path": rows[row_id].path,
                "label": str(image.excluded or image.label or ""),
                "made": image.made or "",
                "made_by": image.made_by or "",
            }
            for row_id, image in images.items()
        ),
    )


def _check_row(connection: Connection, job: Job) -> AnyRow | None:
    return connection.execute(select(spot_checks).where(spot_checks.c.job_id == job.id)).one_or_none()


def _images(connection: Connection, job: Job) -> list[ImageToLabel]:
    query = select(spot_check_images).where(spot_check_images.c.job_id == job.id)
    return [_image(row) for row in connection.execute(query.order_by(spot_check_images.c.position))]


def _image(row: AnyRow) -> ImageToLabel:
    answer = None if row.made is None else answer_of(row)
    return ImageToLabel(
        row_id=row.row_id,
        label=None if isinstance(answer, Exclusion) else answer,
        excluded=answer if isinstance(answer, Exclusion) else None,
        made=row.made,
        made_by=row.made_by,
    )
