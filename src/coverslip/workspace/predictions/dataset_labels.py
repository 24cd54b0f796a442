"""Labels of a dataset's images, as they are when a prediction of them is requested, for its rows."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, select

from coverslip.datasets import ImageRecord
from coverslip.images import ReadPlan, middle_of
from coverslip.workspace.predictions.relabelled import index_of_same_pixels
from coverslip.workspace.store.records import plan_of
from coverslip.workspace.store.rows import Json
from coverslip.workspace.store.tables import images

LabelsOfFiles = Mapping[str, Sequence[Json]]  # plan and label of each image, by its path as JSON


def labels_of_files(connection: Connection, dataset_id: str) -> LabelsOfFiles:
    """The labels of all images of a dataset, as JSON for the process that predicts them."""
    query = select(images.c.path, images.c.plan, images.c.label).where(images.c.dataset_id == dataset_id)
    labels: dict[str, list[Json]] = defaultdict(list)
    for path, plan, label in connection.execute(query.order_by(images.c.position)):
        labels[json.dumps(path)].append({"plan": plan, "label": label})  # JSON writes bytes that are no text
    return labels


def with_dataset_labels(records: Sequence[ImageRecord], labels: LabelsOfFiles) -> list[ImageRecord]:
    """The records with the labels of the dataset; images that are not in the dataset keep theirs."""
    by_center: dict[tuple[str, tuple[int, int] | None], list[Json]] = defaultdict(list)
    for path, of_file in labels.items():
        for image in of_file:
            by_center[path, _center(plan_of(image["plan"])[0])].append(image)
    labeled = []
    for record in records:
        path = json.dumps(str(record.path))
        # Fields of view can hold thousands of images: only those around the same point are compared.
        candidates = of_file if len(of_file := labels.get(path, ())) == 1 else by_center[path, _center(record.plan)]
        plans = [plan_of(image["plan"]) for image in candidates]
        index = index_of_same_pixels([plan for plan, _ in plans], record.plan, ["point" in of for _, of in plans])
        labeled.append(record if index is None else replace(record, label=candidates[index]["label"]))
    return labeled


def _center(plan: ReadPlan) -> tuple[int, int] | None:
    return None if plan.box is None else middle_of(plan.box)
