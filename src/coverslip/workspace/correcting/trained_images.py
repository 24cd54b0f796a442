"""The images of a training today: differences from a new training on its dataset, and suspected label errors.

A search for label errors starts on request, in a separate process, and runs while the server runs.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import Connection, select

from coverslip.datasets.index.classes import ClassPlan, with_classes
from coverslip.datasets.index.records import ImageRecord
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict, NotFound
from coverslip.events import Emit
from coverslip.images.reader import ReadPlan
from coverslip.processes import Json
from coverslip.runs.results import CheckedClass, LabelIssue
from coverslip.runs.split import SplitRow
from coverslip.workspace.datasets.sources import grouping_for, groups_of_images
from coverslip.workspace.jobs.computing import ResultState, computation, request_result
from coverslip.workspace.jobs.records import Job, all_jobs, find_job, find_owned_job, register_function
from coverslip.workspace.lists import class_plan_of
from coverslip.workspace.store.rows import as_dataset, dataset_row, load_records, split_in_dataset
from coverslip.workspace.store.tables import images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import current_label_errors


@dataclass(frozen=True, slots=True)
class ImageChanges(DocumentedFields):
    """How the images of a new training would differ from those of an earlier one on the same dataset."""

    n_added: int
    """Labeled images that the earlier training did not have."""
    n_relabeled: int
    """Images that have another label."""
    n_relabeled_test: int
    """Of these, images in the test set of the earlier training."""
    n_removed: int
    """Images that the new training would lack: excluded, without a label, or not in the dataset."""
    n_removed_test: int
    """Of these, images in the test set of the earlier training."""


NO_CHANGES = ImageChanges(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A training that repeats an earlier training."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ChangesSinceTraining(ImageChanges):
    """The changes since a training, and a later training that already includes them."""

    n_ungrouped: int
    """Added images without a known group, if images of the training have groups."""
    trained: Repeat | None
    """A later training that repeats it with the current images."""


@dataclass(frozen=True, slots=True)
class CurrentImage:
    """The current state of an image of a dataset."""

    row_id: int
    image_id: str
    domain: str
    label: str | None
    is_excluded: bool


def current_images(connection: Connection, dataset_id: str) -> list[CurrentImage]:
    """Return all images of a dataset, with their current labels."""
    columns = (
        images.c.row_id,
        images.c.image_id,
        images.c.domain,
        images.c.label,
        images.c.is_excluded,
    )
    rows = connection.execute(select(*columns).where(images.c.dataset_id == dataset_id).order_by(images.c.position))
    return [CurrentImage(*row) for row in rows]


def changes_since(workspace: Workspace, run_id: str) -> ChangesSinceTraining:
    """Return how the images of a new training would differ from those of an earlier one.

    Raises:
        NotFound: there is no such training.
    """
    job = find_job(workspace, run_id, "train")
    changes, added = _changes_of(workspace, job)
    return ChangesSinceTraining(
        **asdict(changes),
        n_ungrouped=_n_ungrouped(workspace, job, added),
        trained=None if changes == NO_CHANGES else _current_repeat(workspace, job),
    )


def compare_images(
    workspace: Workspace, connection: Connection, job: Job, images_now: Sequence[CurrentImage]
) -> tuple[ImageChanges, Sequence[str]]:
    """Return how these images differ from those of a training on the same dataset, and the IDs of new images."""
    rows = split_in_dataset(connection, job.dataset_id or "", job.id)
    if not rows:  # without any recognized image, no comparison is possible
        return NO_CHANGES, ()
    plan = class_plan_of(workspace, job)
    used_images = {image_id: row for image_id, row in rows.items() if row.label and row.label not in plan.drop}
    label_of = _labels_for(connection, job, plan, images_now)
    relabeled_rows = [row for image_id, row in used_images.items() if label_of.get(image_id, row.label) != row.label]
    remaining_ids = {row.image_id for image_id, row in used_images.items() if image_id in label_of}
    removed_rows = [row for row in job.run.split if row.split != "excluded" and row.image_id not in remaining_ids]
    added_ids = [image_id for image_id in label_of if image_id not in used_images]
    return ImageChanges(
        len(added_ids), len(relabeled_rows), _n_test(relabeled_rows), len(removed_rows), _n_test(removed_rows)
    ), added_ids


def _changes_of(workspace: Workspace, job: Job) -> tuple[ImageChanges, Sequence[str]]:
    if job.dataset_id is None:
        return NO_CHANGES, ()
    with suppress(NotFound), workspace.engine.connect() as connection:
        dataset_row(connection, job.dataset_id)
        return compare_images(workspace, connection, job, current_images(connection, job.dataset_id))
    return NO_CHANGES, ()


def _labels_for(
    connection: Connection, job: Job, plan: ClassPlan, images_now: Sequence[CurrentImage]
) -> dict[str, str]:
    """Return the labels of the images that a training with these classes would use."""
    labeled = [image for image in images_now if not image.is_excluded and image.label is not None]
    kinds = list(dict.fromkeys((image.domain, image.label) for image in labeled))
    records = [ImageRecord("", Path(), label, None, domain, None, ReadPlan()) for domain, label in kinds]
    dataset = as_dataset(dataset_row(connection, job.dataset_id or ""), records)
    labels = [record.label for record in with_classes(dataset, plan).records]
    label_of = {kind: label for kind, label in zip(kinds, labels, strict=True) if label not in (None, *plan.drop)}
    return {
        image.image_id: label for image in labeled if (label := label_of.get((image.domain, image.label))) is not None
    }


def _n_test(rows: Sequence[SplitRow]) -> int:
    return sum(row.split == "test" for row in rows)


def _current_repeat(workspace: Workspace, job: Job) -> Repeat | None:
    """Return the newest finished training that repeats a training, directly or indirectly, with the current images."""
    repeats: list[Job] = []
    for each in reversed(all_jobs(workspace, "train")):
        if each.repeats_run in {job.id, *(repeat.id for repeat in repeats)}:
            repeats.append(each)
    finished = (
        each for each in reversed(repeats) if each.run.is_done and _changes_of(workspace, each)[0] == NO_CHANGES
    )
    return next((Repeat(each.id, each.name) for each in finished), None)


def _n_ungrouped(workspace: Workspace, job: Job, added: Sequence[str]) -> int:
    """Count the new images without a known group, by the grouping of the training."""
    if not added or not any(row.group for row in job.run.split):
        return 0
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, job.dataset_id or "")
        records = load_records(connection, row.id, image_ids=added)
    if (group := job.choices.get("group")) is not None:
        groups = groups_of_images(workspace, row, grouping_for(workspace, row, group))
        records = [replace(record, group=groups.get(record.image_id)) for record in records]
    return sum(record.group is None for record in records)


_MOST_IMAGES = 2000

LABEL_ERRORS = register_function("label-errors", "coverslip.workspace.correcting.trained_images:find_label_errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelErrorsState(ResultState):
    """Suspected label errors of a training's images."""

    kind: Literal["label-errors"]
    n: int | None = None
    """Number of misclassified images; null until the search is done."""
    n_suspected: int | None = None
    """Number of labels to check first that are not confirmed; no estimate of wrong labels."""
    n_confirmed: int = 0
    """Misclassified images whose labels were confirmed."""
    n_relabeled: int = 0
    """Misclassified images that were relabeled since: no other number counts them."""
    n_checked: int | None = None
    """null until the search is done."""
    n_not_checked: int | None = None
    """null until the search is done."""
    classes: list[CheckedClass]
    images: Annotated[
        list[LabelIssue],
        Field(description=f"The {_MOST_IMAGES:,} most likely errors that are not confirmed, in that order."),
    ]


def label_errors_state(workspace: Workspace, run_id: str) -> LabelErrorsState:
    """Return the suspected label errors, without images that were relabeled or removed since the training.

    Raises:
        NotFound: there is no such training.
    """
    job = find_job(workspace, run_id, "train")
    work = computation(workspace, LABEL_ERRORS, job.id)
    if work.state is not None:
        return LabelErrorsState(**work.of_result(work.state), classes=[], images=[])
    with workspace.engine.connect() as connection:
        errors = current_label_errors(connection, job.dataset_id or "", job.id, job.run)
    if errors is not None:
        unchanged, unconfirmed = errors.unchanged, errors.unconfirmed
        return LabelErrorsState(
            **work.of_result("ready"),
            n=len(unchanged.images),
            n_suspected=unconfirmed.n_suspected,
            n_confirmed=len(unchanged.images) - len(unconfirmed.images),
            n_relabeled=errors.n_relabeled,
            n_checked=unchanged.n_checked,
            n_not_checked=unchanged.n_not_checked,
            classes=list(unchanged.classes),
            images=list(unconfirmed.images[:_MOST_IMAGES]),
        )
    return LabelErrorsState(**work.of_result("not-requested"), classes=[], images=[])


def start_label_check(workspace: Workspace, run_id: str) -> LabelErrorsState:
    """Start the search for label errors, unless it is running.

    Raises:
        NotFound: there is no such training.
        Conflict: the training is not finished.
    """
    job = find_owned_job(workspace, run_id, "train")
    if not job.run.is_done:
        raise Conflict("training-not-finished")
    request_result(
        workspace,
        LABEL_ERRORS,
        job.id,
        {"run": str(job.folder)},
        name=job.name,
        dataset_id=job.dataset_id,
    )
    return label_errors_state(workspace, run_id)


def find_label_errors(_: Workspace, arguments: Json, emit: Emit) -> None:
    """Search the images of a run for label errors. The folder of the run stores the results.

    Raises:
        CoverslipError: the images have changed, or the run cannot be read.
    """
    from coverslip.pipeline import label_errors

    label_errors(arguments["run"], emit=emit)
