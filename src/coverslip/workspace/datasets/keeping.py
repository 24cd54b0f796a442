"""The images of a dataset as rows: where each lies, which pixels of its file it is, whether it may be read.

Labels that were given in the app are never lost when other images take their place: those that are there still keep
them and their history; labels of those that are gone (a disk was unplugged, a folder was left out) are put aside, and
given again once the images are back.
"""

import hashlib
import json
import os
import stat
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from coverslip.datasets import Dataset
from coverslip.errors import BadDataset
from coverslip.messages import ChooseOther
from coverslip.workspace.datasets.counting import count_again
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import OUTSIDE, opened_as_json, plan_as_json
from coverslip.workspace.store.rows import AnyRow, Json
from coverslip.workspace.store.tables import (
    confirmed_labels,
    datasets,
    image_facts,
    images,
    label_changes,
    labels_aside,
)

_ROWS_AT_ONCE = 5_000

_Pixels = tuple[str, str]  # a file, and which pixels of it, as JSON


class Exclusion(NamedTuple):
    """Whether an image is excluded, and what excluded or included it last."""

    is_excluded: bool
    by: str | None


_NOT_EXCLUDED = Exclusion(is_excluded=False, by=None)


def store_images(
    connection: Connection,
    home: Workspace,
    dataset_id: str,
    found: Dataset,
    labels: Mapping[str, str | None],
    exclusions: Mapping[str, Exclusion] | None = None,
) -> None:
    """Rows for all images that were found, and how many there are of each class.

    Args:
        connection: in a transaction that writes.
        home: says which folders may be read.
        dataset_id: which dataset.
        found: the images.
        labels: that were given in the app, by image_id.
        exclusions: of images that were excluded or included there, by image_id.

    Raises:
        BadDataset: all of them lie where the app may not read.
    """
    _insert_images(connection, home, dataset_id, found, labels, exclusions or {})
    count_again(connection, dataset_id)
    outside = connection.execute(
        select(image_facts.c.position).where(image_facts.c.dataset_id == dataset_id, image_facts.c.reason == OUTSIDE)
    )
    if len(outside.all()) == len(found.records):
        raise BadDataset("all-images-outside", file=found.root, remedies=(ChooseOther("root"),))


def replace_images(connection: Connection, home: Workspace, dataset_id: str, found: Dataset) -> None:
    """The images that were found, in place of those that are known; they are to be read anew.

    Args:
        connection: in a transaction that writes.
        home: says which folders may be read.
        dataset_id: of which dataset.
        found: all its images as they are now.

    Raises:
        BadDataset: all of them lie where the app may not read.
    """
    known = connection.execute(select(images).where(images.c.dataset_id == dataset_id)).all()
    moved = _found_again(known, found)
    new_labels = {
        found.records[moved[row.position]].image_id: row.label
        for row in known
        if row.label != row.label_before and row.position in moved
    }
    new_ids = {row.image_id: found.records[moved[row.position]].image_id for row in known if row.position in moved}
    exclusions = {
        new_ids[row.image_id]: Exclusion(row.is_excluded, row.excluded_by)
        for row in known
        if row.image_id in new_ids and (row.is_excluded or row.excluded_by is not None)
    }
    _put_aside(connection, dataset_id, [row for row in known if row.position not in moved])
    restored_labels = _given_again(connection, dataset_id, found)
    _keep_history(connection, dataset_id, moved)
    _keep_confirmations(connection, dataset_id, new_ids)
    connection.execute(delete(images).where(images.c.dataset_id == dataset_id))
    connection.execute(
        update(datasets)
        .where(datasets.c.id == dataset_id)
        .values(state="reading", progress=None, error=None, opened=opened_as_json(found))
    )
    store_images(connection, home, dataset_id, found, {**restored_labels, **new_labels}, exclusions)


def _insert_images(
    connection: Connection,
    home: Workspace,
    dataset_id: str,
    found: Dataset,
    labels: Mapping[str, str | None],
    exclusions: Mapping[str, Exclusion],
) -> None:
    look = _Look(home)
    rows: list[Json] = []
    unreadable: list[Json] = []
    for position, record in enumerate(found.records):
        plan = plan_as_json(record)
        exclusion = exclusions.get(record.image_id, _NOT_EXCLUDED)
        version, is_allowed = look.at_all(record.plan.files(record.path), plan)
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
                "predefined_split": record.predefined_split,
                "plan": plan,
                "about": list(record.about) or None,
                "problem": None if is_allowed else "unreadable",
                "version": version,
                "is_excluded": exclusion.is_excluded,
                "excluded_by": exclusion.by,
            }
        )
        if not is_allowed:
            unreadable.append({"dataset_id": dataset_id, "position": position, "reason": OUTSIDE})
        if len(rows) == _ROWS_AT_ONCE or position + 1 == len(found.records):
            connection.execute(insert(images), rows)
            rows = []
    if unreadable:
        connection.execute(insert(image_facts), unreadable)


class _Look:
    """A file's version, and whether it lies where the app may read: links are followed before that is said."""

    def __init__(self, home: Workspace) -> None:
        self._roots = tuple(os.fspath(root).rstrip(os.sep) + os.sep for root in (*home.roots, home.folder))
        self._folders: dict[str, bool] = {}

    def at_all(self, files: Sequence[Path], plan: Json | None) -> tuple[str, bool]:
        """The version of an image, and whether all of its files lie where the app may read."""
        looks = [self(file, plan) for file in files]
        if len(looks) == 1:
            return looks[0]
        digest = hashlib.blake2b(" ".join(version for version, _ in looks).encode(), digest_size=6)
        return digest.hexdigest(), all(is_allowed for _, is_allowed in looks)

    def __call__(self, path: Path, plan: Json | None) -> tuple[str, bool]:
        text = os.fspath(path)
        try:
            own = os.lstat(text)
            is_link = stat.S_ISLNK(own.st_mode)
            seen = f"{own.st_mtime_ns} {own.st_size}"
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


def _found_again(known: Sequence[AnyRow], found: Dataset) -> dict[int, int]:
    """Where images that are known stand now: those of the same pixels of the same file, else of the same image_id.

    The id alone will not do: rows of equal names and pixels are numbered in the order of the table.
    """
    place_of = _places(found)
    by_id = {record.image_id: position for position, record in enumerate(found.records)}
    there = {str(record.path) for record in found.records}
    moved = {}
    for row in known:
        position = place_of.get(_pixels(row.path, row.plan))
        if position is None:
            position = by_id.get(row.image_id)
            if position is None or (str(found.records[position].path) != row.path and row.path in there):
                continue
        moved[row.position] = position
    return moved


def _put_aside(connection: Connection, dataset_id: str, gone: Sequence[AnyRow]) -> None:
    """Labels that were given to images which are gone."""
    rows = []
    for row in gone:
        if row.label != row.label_before:
            path, plan = _pixels(row.path, row.plan)
            rows.append({"dataset_id": dataset_id, "path": path, "plan": plan, "label": row.label})
    if rows:
        connection.execute(insert(labels_aside).prefix_with("OR REPLACE"), rows)


def _given_again(connection: Connection, dataset_id: str, found: Dataset) -> dict[str, str | None]:
    """Labels, by image_id, of images that have come back; they are put aside no more."""
    own = labels_aside.c.dataset_id == dataset_id
    aside = connection.execute(select(labels_aside).where(own)).all()
    place_of = _places(found) if aside else {}
    back = {}
    for row in aside:
        position = place_of.get((row.path, row.plan))
        if position is not None:
            back[found.records[position].image_id] = row.label
            connection.execute(
                delete(labels_aside).where(own, labels_aside.c.path == row.path, labels_aside.c.plan == row.plan)
            )
    return back


def _keep_history(connection: Connection, dataset_id: str, moved: dict[int, int]) -> None:
    """What can be undone, at the places where the images stand now.

    Changes whose images are all gone stay as well: the number of one must never become that of another change.
    """
    changes = connection.execute(
        select(label_changes.c.id, label_changes.c.before).where(label_changes.c.dataset_id == dataset_id)
    ).all()
    for row in changes:
        before = [[moved[position], label] for position, label in row.before if position in moved]
        connection.execute(update(label_changes).where(label_changes.c.id == row.id).values(before=before))


def _keep_confirmations(connection: Connection, dataset_id: str, new_ids: Mapping[str, str]) -> None:
    """Labels that were confirmed as right, by the ids that the images have now: a second source changes those."""
    of_dataset = confirmed_labels.c.dataset_id == dataset_id
    confirmed = connection.execute(select(confirmed_labels).where(of_dataset)).mappings().all()
    changed = [row for row in confirmed if new_ids.get(row["image_id"], row["image_id"]) != row["image_id"]]
    for row in changed:
        connection.execute(delete(confirmed_labels).where(of_dataset, confirmed_labels.c.image_id == row["image_id"]))
    if changed:
        rows = [{**row, "image_id": new_ids[row["image_id"]]} for row in changed]
        connection.execute(insert(confirmed_labels).prefix_with("OR REPLACE"), rows)


def _places(found: Dataset) -> dict[_Pixels, int]:
    """Where an image of these pixels of this file stands; those that are named twice can't be told apart by them."""
    pixels = [_pixels(str(record.path), plan_as_json(record)) for record in found.records]
    times = Counter(pixels)
    return {key: position for position, key in enumerate(pixels) if times[key] == 1}


def _pixels(path: str, plan: Json | None) -> _Pixels:
    return path, json.dumps(plan, sort_keys=True)
