"""Conversion between rows and the records that other packages use."""

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from coverslip.datasets import ClassPlan, Dataset, ImageRecord, Opening, Origin, Scan, Unreadable, with_classes
from coverslip.images import ImageFacts, ReadPlan
from coverslip.messages import note_of, text
from coverslip.workspace.store.rows import AnyRow, Json, dataset_row, source_paths, values
from coverslip.workspace.store.tables import image_facts, images

OUTSIDE = "outside"  # the stored reason of an image that the app may not read
WHOLE = ReadPlan()


def opened_as_json(dataset: Dataset) -> Json:
    """Return the facts about a dataset besides its images as JSON."""
    return {
        "root": os.fspath(dataset.root),
        "source": dataset.source,
        "notes": [asdict(note) for note in dataset.notes],
        "columns": dict(dataset.opening.columns),
        "crop_size": dataset.opening.plan.crop_size,
        "origins": [
            {"domain": origin.domain, "root": os.fspath(origin.root), "sources": list(origin.sources)}
            for origin in dataset.origins
        ],
    }


@dataclass(frozen=True, slots=True)
class TableChoices:
    """How to read the tables of a dataset, if their headers are not sufficient."""

    columns: Mapping[str, str] = field(default_factory=dict)  # meaning to column
    crop_size: int | None = None  # side of the square around each point, in pixels


def table_choices(row: AnyRow) -> TableChoices:
    """Return the choices for the tables of a dataset."""
    opened = row.opened or {}
    return TableChoices(opened.get("columns", {}), opened.get("crop_size"))


def plan_as_json(record: ImageRecord) -> Json | None:
    """Return the plan of an image as JSON, with the parts that its table row states; None: the default plan."""
    if record.plan == WHOLE and not record.stated:
        return None
    return {**record.plan.model_dump(mode="json"), "stated": sorted(record.stated)}


def plan_of(stored: Json | None) -> tuple[ReadPlan, frozenset[str]]:
    """Return the plan of a row, and the parts that its table row states."""
    if stored is None:
        return WHOLE, frozenset()
    box, channels = stored["box"], stored["channels"]
    return _plan(
        stored["plane"],
        None if channels is None else tuple(channels),
        None if box is None else tuple(box),
        tuple(stored["other_files"]),
    ), frozenset(stored["stated"])


@lru_cache(maxsize=1_024)
def _plan(plane: Any, channels: Any, box: Any, other_files: Any) -> ReadPlan:  # Any: checked by the plan
    return ReadPlan(plane=plane, channels=channels, box=box, other_files=other_files)


def load_records(
    connection: Connection,
    dataset_id: str,
    start: int = 0,
    end: int | None = None,
    *,
    image_ids: Collection[str] | None = None,
    with_excluded: bool = True,
) -> list[ImageRecord]:
    """Return the images at these positions, or with these IDs, with their current labels."""
    query = select(
        images.c.image_id,
        images.c.path,
        images.c.label,
        images.c.group,
        images.c.domain,
        images.c.predefined_split,
        images.c.plan,
        images.c.about,
    ).where(images.c.dataset_id == dataset_id, images.c.position >= start)
    if end is not None:
        query = query.where(images.c.position < end)
    if image_ids is not None:
        query = query.where(images.c.image_id.in_(values(json.dumps(list(image_ids)))))
    if not with_excluded:
        query = query.where(~images.c.is_excluded)
    records = []
    for row in connection.execute(query.order_by(images.c.position)):
        plan, stated = plan_of(row.plan)
        records.append(
            ImageRecord(
                row.image_id,
                Path(row.path),
                row.label,
                row.group,
                row.domain,
                row.predefined_split,
                plan,
                stated,
                about=tuple((name, cell) for name, cell in row.about or ()),
            )
        )
    return records


def load_versions(connection: Connection, dataset_id: str, places: Sequence[int]) -> list[str]:
    """Return the versions of the images at these positions, which are in order."""
    if not places:
        return []
    query = select(images.c.position, images.c.version).where(
        images.c.dataset_id == dataset_id, images.c.position.between(places[0], places[-1])
    )
    versions = {row.position: row.version for row in connection.execute(query)}
    return [versions[place] for place in places]


def load_dataset(connection: Connection, dataset_id: str) -> Dataset:
    """Return a dataset with its current labels and groups, without excluded images."""
    row = dataset_row(connection, dataset_id)
    return as_dataset(row, load_records(connection, dataset_id, with_excluded=False))


def load_as_trained(connection: Connection, dataset_id: str) -> Dataset:
    """Return a dataset with the classes of trainings: merged, excluded or renamed by the dataset's plan."""
    plan = ClassPlan.model_validate(dataset_row(connection, dataset_id).class_plan)
    return with_classes(load_dataset(connection, dataset_id), plan)


def as_dataset(row: AnyRow, records: Sequence[ImageRecord]) -> Dataset:
    """Return images of a dataset as a `Dataset`."""
    opened, choices = row.opened, table_choices(row)
    return Dataset(
        Path(opened["root"]),
        opened["source"],
        tuple(records),
        tuple(map(note_of, opened["notes"])),
        opening=Opening(
            tuple(source_paths(row)),
            row.group_column,
            row.group_pattern,
            ReadPlan(crop_size=choices.crop_size),
            tuple(source["domain"] for source in row.sources),
            choices.columns,
        ),
        origins=tuple(Origin(o["domain"], Path(o["root"]), tuple(o["sources"])) for o in opened["origins"]),
    )


def load_scan(connection: Connection, dataset_id: str) -> Scan:
    """Return the scan of the images that `load_dataset` returns."""
    is_image = (images.c.dataset_id == image_facts.c.dataset_id) & (images.c.position == image_facts.c.position)
    rows = connection.execute(
        select(image_facts.c.facts, image_facts.c.reason)
        .join(images, is_image)
        .where(image_facts.c.dataset_id == dataset_id, ~images.c.is_excluded)
        .order_by(image_facts.c.position)
    )
    return Scan(tuple(facts_of(row.facts) if row.facts else Unreadable(reason_text(row.reason)) for row in rows))


def reason_text(reason: str) -> str:
    """Return why an image cannot be read, by its stored reason."""
    return text("reason-outside") if reason == OUTSIDE else reason


def facts_as_json(facts: ImageFacts) -> Json:
    """Return facts as JSON for their column."""
    return asdict(facts)


def facts_of(stored: Json) -> ImageFacts:
    """Return facts from the JSON of their column."""
    return ImageFacts(**{**stored, "low": tuple(stored["low"]), "high": tuple(stored["high"])})
