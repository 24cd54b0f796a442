"""Measured and predicted images in the dataset that they come from: where they stand there, and their labels of now."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field
from sqlalchemy import Connection, or_, select

from coverslip.datasets import ClassPlan, ImageRecord, with_classes
from coverslip.errors import NotFound
from coverslip.images import ReadPlan, middle_of
from coverslip.runs import SplitRow
from coverslip.runs.lookup import ImageSource
from coverslip.workspace.datasets.sources import grouped_by, groups_by
from coverslip.workspace.jobs.records import Job, all_jobs, find_job
from coverslip.workspace.predictions.rows import reading
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import as_dataset, load_records, plan_of
from coverslip.workspace.store.rows import dataset_row
from coverslip.workspace.store.run_images import rows_in_dataset
from coverslip.workspace.store.tables import images, label_changes

_Box = tuple[int, int, int, int]  # x, y, width, height in pixels


def position_of(connection: Connection, dataset_id: str, picture: ImageSource) -> int | None:
    """Where an image stands in a dataset; None where it is not, or not any more, one of its images."""
    own = (images.c.dataset_id == dataset_id) & (images.c.path == str(picture.file))
    there = connection.execute(select(images.c.position, images.c.plan).where(own)).all()
    planned = [plan_of(row.plan) for row in there]
    chosen = index_of_same_pixels(
        [plan for plan, _ in planned], picture.plan, ["point" in stated for _, stated in planned]
    )
    return None if chosen is None else int(there[chosen].position)


def relabelled_since(workspace: Workspace, job: Job, classes: Sequence[str], file: Path) -> dict[int, str]:
    """What measured images have been relabelled to in their dataset since they were measured.

    Args:
        workspace: where the dataset is.
        job: a training or an evaluation.
        classes: of its classifier.
        file: the database of its rows.

    Returns:
        The class by the row's number, as the training names its classes; images whose label was taken away are
        not told of.
    """
    records = _changed_records(workspace, job, classes)
    if not records:
        return {}
    with reading(file) as connection:
        rows = connection.execute("SELECT k, file, plan, label FROM rows").fetchall()
    rows_of: dict[str, list[tuple[int, ReadPlan, str]]] = {json.dumps(str(record.path)): [] for record in records}
    for k, path, plan, label in rows:
        if path in rows_of:
            rows_of[path].append((k, ReadPlan.model_validate_json(plan), label))
    relabelled = {}
    for record in records:
        of_file = rows_of[json.dumps(str(record.path))]
        are_points = ["point" in record.stated] * len(of_file)
        chosen = index_of_same_pixels([plan for _, plan, _ in of_file], record.plan, are_points)
        if chosen is not None and record.label not in (None, of_file[chosen][2]):
            relabelled[of_file[chosen][0]] = str(record.label)
    return relabelled


@dataclass(frozen=True, slots=True)
class Repeat:
    """A training that repeats an earlier one."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RelabelledImages:
    """Images of a training's dataset whose label is another by now than when it was trained, or that are new."""

    n: Annotated[int, Field(description="Images of the training whose label was changed or removed.")]
    n_test: Annotated[int, Field(description="Of them those that it was tested on.")]
    n_added: Annotated[int, Field(description="Labeled images that the training did not have, or without a label.")]
    n_ungrouped: Annotated[
        int,
        Field(description="Of these new images those without a known group, where images of the training have one."),
    ]
    trained: Annotated[Repeat | None, Field(description="A later training that repeats it with the labels of now.")]


def count_relabelled(workspace: Workspace, run_id: str) -> RelabelledImages:
    """How many images of a training's dataset are labelled otherwise by now.

    Raises:
        NotFound: there is no such training.
    """
    job = find_job(workspace, run_id, "train")
    changed, added = _changed_and_added(workspace, job)
    return RelabelledImages(
        n=len(changed),
        n_test=sum(row.split == "test" for row in changed),
        n_added=len(added),
        n_ungrouped=_n_ungrouped(workspace, job, added),
        trained=_repeat_with_labels_of_now(workspace, job) if changed or added else None,
    )


def _repeat_with_labels_of_now(workspace: Workspace, job: Job) -> Repeat | None:
    """The newest finished training that repeats a training, directly or through others, with the labels of now."""
    repeats: list[Job] = []
    for each in reversed(all_jobs(workspace, "train")):
        if each.again_of in {job.id, *(repeat.id for repeat in repeats)}:
            repeats.append(each)
    done = (each for each in reversed(repeats) if each.run.is_done and not any(_changed_and_added(workspace, each)))
    return next((Repeat(each.id, each.name) for each in done), None)


def _changed_and_added(workspace: Workspace, job: Job) -> tuple[Sequence[SplitRow], Sequence[ImageRecord]]:
    """Images of a training that have another label now, and labeled ones that its dataset has got since."""
    rows = _labelled_rows(workspace, job)
    changed = [
        row
        for record in _changed_records(workspace, job, ())
        if (row := rows.get(record.image_id)) is not None and record.label != row.label
    ]
    return changed, _added_records(workspace, job, rows)


def _n_ungrouped(workspace: Workspace, job: Job, added: Sequence[ImageRecord]) -> int:
    """How many of the new images of a training's dataset have no known group as the training groups them."""
    if not added or not any(row.named_group for row in job.run.split):
        return 0
    if (group := job.choices.get("group")) is not None:
        with workspace.engine.connect() as connection:
            row = dataset_row(connection, job.dataset_id or "")
        groups = groups_by(workspace, row, grouped_by(workspace, row, group))
        added = [replace(record, group=groups.get(record.image_id)) for record in added]
    return sum(record.named_group is None for record in added)


def _labelled_rows(workspace: Workspace, job: Job) -> dict[str, SplitRow]:
    """The labeled images of a training that are in its dataset, by the ids of now."""
    with workspace.engine.connect() as connection:
        rows = rows_in_dataset(connection, job.dataset_id or "", job.run)
    return {image_id: row for image_id, row in rows.items() if row.label}


def _added_records(workspace: Workspace, job: Job, rows: Mapping[str, SplitRow]) -> Sequence[ImageRecord]:
    """The labeled images of a dataset that a training did not have, or without labels."""
    if job.dataset_id is None or not rows:
        return ()
    with suppress(NotFound), workspace.engine.connect() as connection:
        row = dataset_row(connection, job.dataset_id)
        labelled = (images.c.dataset_id == job.dataset_id) & images.c.label.is_not(None) & ~images.c.is_left_out
        there = connection.execute(select(images.c.image_id).where(labelled)).scalars()
        new = [image_id for image_id in there if image_id not in rows]
        records = load_records(connection, job.dataset_id, image_ids=new) if new else []
        of_classes = with_classes(as_dataset(row, records), class_plan_of(workspace, job), ()).records
        return [record for record in of_classes if record.label is not None]
    return ()


def class_plan_of(workspace: Workspace, job: Job) -> ClassPlan:
    """What the training of a job made of the classes that images are labelled with."""
    choices: Mapping[str, object] = job.choices
    if job.kind == "evaluate":
        choices = find_job(workspace, job.classifier_id or "", "train").choices
    return ClassPlan.model_validate(choices.get("classes") or {})


def index_of_same_pixels(plans: Sequence[ReadPlan], plan: ReadPlan, are_points: Sequence[bool]) -> int | None:
    """Which of the images of one file is meant: the only one, that of the same crop, or that of the same whole plan.

    A recipe may read another plane, other channels or larger crops around points than a dataset shows.

    Args:
        plans: of the images of the file.
        plan: of the image that is meant.
        are_points: whether the dataset gives a point, whose crop has no size of its own, for each of the images.
    """
    chosen = [k for k in range(len(plans)) if _is_same_crop(plans[k].box, plan.box, is_point=are_points[k])]
    if not chosen and len(plans) == 1 and None in (plans[0].box, plan.box):
        chosen = [0]  # only one of dataset and classifier crops the file
    if len(chosen) > 1:
        chosen = [k for k in chosen if plans[k] == plan]
    return chosen[0] if len(chosen) == 1 else None


def _is_same_crop(box: _Box | None, other: _Box | None, *, is_point: bool) -> bool:
    if is_point and box is not None and other is not None:
        return middle_of(box) == middle_of(other)
    return box == other


def _changed_records(workspace: Workspace, job: Job, classes: Sequence[str]) -> Sequence[ImageRecord]:
    """The images, with the classes of now, that may have been relabelled since a job was asked for."""
    if job.dataset_id is None:
        return ()
    with suppress(NotFound), workspace.engine.connect() as connection:
        row = dataset_row(connection, job.dataset_id)
        places = _changed_places(connection, job)
        records = [record for at in places for record in load_records(connection, job.dataset_id, at, at + 1)]
        return with_classes(as_dataset(row, records), class_plan_of(workspace, job), classes).records
    return ()


def _changed_places(connection: Connection, job: Job) -> list[int]:
    """Where images stand whose label may be another than when a job was asked for."""
    since = or_(label_changes.c.made >= job.created, label_changes.c.is_undone)
    changes = select(label_changes.c.before).where(label_changes.c.dataset_id == job.dataset_id, since)
    return sorted({place for before in connection.execute(changes).scalars() for place, _ in before})
