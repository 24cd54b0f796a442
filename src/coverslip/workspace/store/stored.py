"""From rows to the records that all other rooms know, and back."""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from coverslip.datasets import (
    ClassPlan,
    Dataset,
    ImageRecord,
    Opening,
    Origin,
    Scan,
    Unreadable,
    natural_key,
    with_classes,
)
from coverslip.errors import BadDataset
from coverslip.images import ImageFacts, ReadPlan
from coverslip.workspace.datasets.listing import AnyRow, Json, class_order, count_again, dataset_row
from coverslip.workspace.store.database import image_facts, images
from coverslip.workspace.store.home import Workspace

OUTSIDE = "It lies outside the folders that the app may read"
WHOLE = ReadPlan()
_ROWS_AT_ONCE = 5_000


def store_images(
    connection: Connection, home: Workspace, dataset_id: str, found: Dataset, labels: dict[str, str | None]
) -> None:
    """Rows for all images that were found, and how many there are of each class.

    Args:
        connection: in a transaction that writes.
        home: says which folders may be read.
        dataset_id: which set.
        found: the images.
        labels: that were given in the app, by image_id.

    Raises:
        BadDataset: all of them lie where the app may not read.
    """
    _insert_images(connection, home, dataset_id, found, labels)
    count_again(connection, dataset_id)
    outside = connection.execute(
        select(image_facts.c.position).where(image_facts.c.dataset_id == dataset_id, image_facts.c.reason == OUTSIDE)
    )
    if len(outside.all()) == len(found.records):
        raise BadDataset(
            f"{OUTSIDE[3:].capitalize()}: every image of it",
            file=found.root,
            do="Choose another one, or start the app with --root FOLDER.",
        )


def _insert_images(
    connection: Connection, home: Workspace, dataset_id: str, found: Dataset, labels: dict[str, str | None]
) -> None:
    look = _Look(home)
    rows: list[Json] = []
    unreadable: list[Json] = []
    for position, record in enumerate(found.records):
        plan = plan_as_json(record)
        version, is_allowed = look(record.path, plan)
        rows.append(
            {
                "dataset_id": dataset_id,
                "position": position,
                "image_id": record.image_id,
                "path": os.fspath(record.path),
                "shown_path": found.relative_path(record),
                "label_before": record.label,
                "label": labels.get(record.image_id, record.label),
                "group": record.group,
                "domain": record.domain,
                "given_split": record.given_split,
                "plan": plan,
                "problem": None if is_allowed else "unreadable",
                "version": version,
            }
        )
        if not is_allowed:
            unreadable.append({"dataset_id": dataset_id, "position": position, "reason": OUTSIDE})
        if len(rows) == _ROWS_AT_ONCE or position + 1 == len(found.records):
            connection.execute(insert(images), rows)
            rows = []
    if unreadable:
        connection.execute(insert(image_facts), unreadable)


def opened_as_json(found: Dataset) -> Json:
    """What is known about a set besides its images."""
    return {
        "root": os.fspath(found.root),
        "source": found.source,
        "notes": list(found.notes),
        "origins": [
            {"domain": origin.domain, "root": os.fspath(origin.root), "sources": list(origin.sources)}
            for origin in found.origins
        ],
    }


def plan_as_json(record: ImageRecord) -> Json | None:
    """Which pixels of its file an image is, and what of that its table's row states."""
    if record.plan == WHOLE and not record.stated:
        return None
    return {**record.plan.model_dump(mode="json"), "stated": sorted(record.stated)}


def plan_of(stored: Json | None) -> tuple[ReadPlan, frozenset[str]]:
    """The plan of a row, and what of it the table states."""
    if stored is None:
        return WHOLE, frozenset()
    box, channels = stored["box"], stored["channels"]
    return _plan(
        stored["plane"], None if channels is None else tuple(channels), None if box is None else tuple(box)
    ), frozenset(stored["stated"])


@lru_cache(maxsize=1_024)
def _plan(plane: Any, channels: tuple[int, ...] | None, box: Any) -> ReadPlan:  # Any: checked by the plan
    return ReadPlan(plane=plane, channels=channels, box=box)


def load_records(connection: Connection, dataset_id: str, start: int = 0, end: int | None = None) -> list[ImageRecord]:
    """The images at these positions, with their labels of now."""
    asked = select(
        images.c.image_id,
        images.c.path,
        images.c.label,
        images.c.group,
        images.c.domain,
        images.c.given_split,
        images.c.plan,
    ).where(images.c.dataset_id == dataset_id, images.c.position >= start)
    if end is not None:
        asked = asked.where(images.c.position < end)
    records = []
    for row in connection.execute(asked.order_by(images.c.position)):
        plan, stated = plan_of(row.plan)
        records.append(
            ImageRecord(row.image_id, Path(row.path), row.label, row.group, row.domain, row.given_split, plan, stated)
        )
    return records


def load_versions(connection: Connection, dataset_id: str, places: Sequence[int]) -> list[str]:
    """The versions of the images at these places, which are in order."""
    if not places:
        return []
    asked = select(images.c.position, images.c.version).where(
        images.c.dataset_id == dataset_id, images.c.position.between(places[0], places[-1])
    )
    found = {row.position: row.version for row in connection.execute(asked)}
    return [found[place] for place in places]


def load_dataset(connection: Connection, dataset_id: str) -> Dataset:
    """The whole set as other rooms know it, with the labels and groups of now."""
    row = dataset_row(connection, dataset_id)
    return as_dataset(row, load_records(connection, dataset_id))


def as_dataset(row: AnyRow, records: Sequence[ImageRecord]) -> Dataset:
    """Some images of a set as other rooms know them."""
    opened = row.opened
    return Dataset(
        Path(opened["root"]),
        opened["source"],
        tuple(records),
        tuple(opened["notes"]),
        opening=Opening(tuple(row.sources), row.group_column, row.group_pattern),
        origins=tuple(Origin(o["domain"], Path(o["root"]), tuple(o["sources"])) for o in opened["origins"]),
    )


def one_of_each(row: AnyRow, kinds: Iterable[tuple[str | None, str]]) -> Dataset:
    """A set with one made-up image for each label and domain, which is all that a plan of classes looks at."""
    records = [
        ImageRecord(str(k), Path("/"), label, None, domain, None, WHOLE) for k, (label, domain) in enumerate(kinds)
    ]
    return as_dataset(row, records)


def trained_order(connection: Connection, row: AnyRow, plan: ClassPlan) -> list[str]:
    """The classes that a training makes of a set by a plan, in the order that they have on its pages.

    Only those that an image has: no other may stand in a recipe. Where sets have classes of their own
    (`classes.by_domain`), those of one set stay together; a set by itself is named after where its table lies, so that
    its classes' names are known to the training alone: then there are none here.
    """
    of_images = (images.c.dataset_id == image_facts.c.dataset_id) & (images.c.position == image_facts.c.position)
    kinds = connection.execute(
        select(images.c.label, images.c.domain)
        .select_from(images.outerjoin(image_facts, of_images))
        .where(images.c.dataset_id == row.id, images.c.label.is_not(None))
        .where(image_facts.c.reason.is_distinct_from(OUTSIDE))  # those are not among the training's images
        .distinct()
    ).all()
    place = {name: k for k, name in enumerate(class_order(row.class_names, {label for label, _ in kinds}))}
    if plan.by_domain:
        named = sorted(((k, d) for k, d in kinds if d), key=lambda kind: (natural_key(kind[1]), place[kind[0]]))
    else:
        named = sorted(kinds, key=lambda kind: (place[kind[0]], natural_key(kind[1])))
    labels = [record.label for record in with_classes(one_of_each(row, named), plan).records]
    return [label for label in dict.fromkeys(labels) if label is not None and label not in plan.drop]


def load_scan(connection: Connection, dataset_id: str) -> Scan:
    """What was found when the images were read."""
    rows = connection.execute(
        select(image_facts.c.facts, image_facts.c.reason)
        .where(image_facts.c.dataset_id == dataset_id)
        .order_by(image_facts.c.position)
    )
    return Scan(tuple(facts_of(row.facts) if row.facts else Unreadable(row.reason) for row in rows))


def facts_as_json(facts: ImageFacts) -> Json:
    """Facts for their column."""
    return asdict(facts)


def facts_of(stored: Json) -> ImageFacts:
    """Facts from their column."""
    return ImageFacts(**{**stored, "low": tuple(stored["low"]), "high": tuple(stored["high"])})


class _Look:
    """A file's version, and whether it lies where the app may read: links are followed before that is said."""

    def __init__(self, home: Workspace) -> None:
        self._roots = tuple(os.fspath(root).rstrip(os.sep) + os.sep for root in (*home.roots, home.folder))
        self._folders: dict[str, bool] = {}

    def __call__(self, path: Path, plan: Json | None) -> tuple[str, bool]:
        text = os.fspath(path)
        try:
            found = os.lstat(text)
            is_link = stat.S_ISLNK(found.st_mode)
            seen = f"{found.st_mtime_ns} {found.st_size}"
            if is_link:
                behind = path.stat()
                seen = f"{behind.st_mtime_ns} {behind.st_size}"
        except OSError:
            is_link, seen = False, "missing"
        digest = hashlib.blake2b(os.fsencode(text), digest_size=6)
        digest.update(f"\0{seen} {plan}".encode())
        is_allowed = self._is_below(os.path.realpath(text)) if is_link else self._is_allowed(os.fspath(path.parent))
        return digest.hexdigest(), is_allowed

    def _is_allowed(self, folder: str) -> bool:
        if folder not in self._folders:
            self._folders[folder] = self._is_below(os.path.realpath(folder))
        return self._folders[folder]

    def _is_below(self, real: str) -> bool:
        return (real.rstrip(os.sep) + os.sep).startswith(self._roots)


def ranges(n: int, size: int) -> Iterator[tuple[int, int]]:
    """Starts and ends of pieces of at most `size`."""
    for start in range(0, n, size):
        yield start, min(n, start + size)
