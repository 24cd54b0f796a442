"""Measured and predicted images in the dataset that they come from: positions and current labels."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from sqlalchemy import Connection, or_, select

from coverslip.datasets import ClassPlan, ImageRecord, with_classes
from coverslip.errors import NotFound
from coverslip.images import ReadPlan, box_center
from coverslip.runs.lookup import ImageSource
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.rows import reading
from coverslip.workspace.store.rows import Json, as_dataset, dataset_row, load_records, plan_of
from coverslip.workspace.store.tables import images, label_changes
from coverslip.workspace.store.workspace import Workspace

_Box = tuple[int, int, int, int]  # x, y, width, height in pixels


def position_of(connection: Connection, dataset_id: str, picture: ImageSource) -> int | None:
    """Return the position of an image in a dataset; None if the dataset does not contain it."""
    of_file = (images.c.dataset_id == dataset_id) & (images.c.path == str(picture.file))
    rows = connection.execute(select(images.c.position, images.c.plan).where(of_file)).all()
    planned = [plan_of(row.plan) for row in rows]
    index = index_of_same_pixels(
        [plan for plan, _ in planned], picture.plan, ["point" in stated for _, stated in planned]
    )
    return None if index is None else int(rows[index].position)


def relabeled_since(workspace: Workspace, job: Job, classes: Sequence[str], file: Path) -> dict[int, str]:
    """Return the new labels of measured images that were relabeled in their dataset since then.

    Args:
        workspace: the workspace of the dataset.
        job: a training or an evaluation.
        classes: the classes of its classifier.
        file: the database of its rows.

    Returns:
        The class by the number of the row, with the class names of the training. Images whose label was removed are not
        included.
    """
    records = _changed_records(workspace, job, classes)
    if not records:
        return {}
    with reading(file) as connection:
        rows = connection.execute("SELECT k, file, plan, label FROM rows").fetchall()
    rows_of: dict[str, list[tuple[int, ReadPlan, str]]] = {json.dumps(str(record.path)): [] for record in records}
    for k, path, plan, label in rows:
        if path in rows_of:
            rows_of[path].append((k, ReadPlan.from_json(plan), label))
    relabeled = {}
    for record in records:
        of_file = rows_of[json.dumps(str(record.path))]
        are_points = ["point" in record.stated] * len(of_file)
        index = index_of_same_pixels([plan for _, plan, _ in of_file], record.plan, are_points)
        if index is not None and record.label not in (None, of_file[index][2]):
            relabeled[of_file[index][0]] = str(record.label)
    return relabeled


def class_plan_of(workspace: Workspace, job: Job) -> ClassPlan:
    """Return the plan of classes of the training of a job."""
    choices: Mapping[str, object] = job.choices
    if job.kind == "evaluate":
        choices = find_job(workspace, job.classifier_id or "", "train").choices
    return ClassPlan.model_validate(choices.get("classes") or {})


def index_of_same_pixels(plans: Sequence[ReadPlan], plan: ReadPlan, are_points: Sequence[bool]) -> int | None:
    """Return the index of the matching image of one file: the only one, the same crop, or the same plan.

    A recipe may read another plane, other channels or larger crops around points than a dataset shows.

    Args:
        plans: the plans of the images of the file.
        plan: the plan of the image to find.
        are_points: for each image, whether the dataset gives a point without a crop size.
    """
    candidates = [k for k in range(len(plans)) if _is_same_crop(plans[k].box, plan.box, is_point=are_points[k])]
    if not candidates and len(plans) == 1 and None in (plans[0].box, plan.box):
        candidates = [0]  # only the dataset or only the classifier crops the file
    if len(candidates) > 1:
        candidates = [k for k in candidates if plans[k] == plan]
    return candidates[0] if len(candidates) == 1 else None


def _is_same_crop(box: _Box | None, other: _Box | None, *, is_point: bool) -> bool:
    if is_point and box is not None and other is not None:
        return box_center(box) == box_center(other)
    return box == other


def _changed_records(workspace: Workspace, job: Job, classes: Sequence[str]) -> Sequence[ImageRecord]:
    """Return the images, with their current classes, that may have been relabeled since a job was requested."""
    if job.dataset_id is None:
        return ()
    with suppress(NotFound), workspace.engine.connect() as connection:
        row = dataset_row(connection, job.dataset_id)
        places = _changed_places(connection, job)
        records = [record for at in places for record in load_records(connection, job.dataset_id, at, at + 1)]
        return with_classes(as_dataset(row, records), class_plan_of(workspace, job), classes).records
    return ()


def _changed_places(connection: Connection, job: Job) -> list[int]:
    """Return the positions of images whose labels may have changed since a job was requested."""
    since = or_(label_changes.c.made >= job.created, label_changes.c.is_undone)
    changes = select(label_changes.c.before).where(label_changes.c.dataset_id == job.dataset_id, since)
    return sorted({place for before in connection.execute(changes).scalars() for place, _ in before})


LabelsOfFiles = Mapping[str, Sequence[Json]]  # plan and label of each image, by its path as JSON


def labels_of_files(connection: Connection, dataset_id: str) -> LabelsOfFiles:
    """Return the labels of all images of a dataset, as JSON for the process of the prediction."""
    query = select(images.c.path, images.c.plan, images.c.label).where(images.c.dataset_id == dataset_id)
    labels: dict[str, list[Json]] = defaultdict(list)
    for path, plan, label in connection.execute(query.order_by(images.c.position)):
        labels[json.dumps(path)].append({"plan": plan, "label": label})  # JSON can represent bytes that are not text
    return labels


def with_dataset_labels(records: Sequence[ImageRecord], labels: LabelsOfFiles) -> list[ImageRecord]:
    """Return the records with the labels of the dataset. Images that are not in the dataset keep their labels."""
    by_center: dict[tuple[str, tuple[int, int] | None], list[Json]] = defaultdict(list)
    for path, of_file in labels.items():
        for image in of_file:
            by_center[path, _center(plan_of(image["plan"])[0])].append(image)
    labeled = []
    for record in records:
        path = json.dumps(str(record.path))
        # A field of view can contain thousands of images: only those around the same point are compared.
        candidates = of_file if len(of_file := labels.get(path, ())) == 1 else by_center[path, _center(record.plan)]
        plans = [plan_of(image["plan"]) for image in candidates]
        index = index_of_same_pixels([plan for plan, _ in plans], record.plan, ["point" in of for _, of in plans])
        labeled.append(record if index is None else replace(record, label=candidates[index]["label"]))
    return labeled


def _center(plan: ReadPlan) -> tuple[int, int] | None:
    return None if plan.box is None else box_center(plan.box)
