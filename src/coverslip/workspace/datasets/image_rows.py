"""The images of a dataset as rows: the location of each, the pixels of its file, and whether it may be read.

Labels from the app survive when a dataset is read again: images that still exist keep their labels and history. Labels
of missing images (a disk was disconnected, a folder was removed) are stored separately, and restored when the images
come back.
"""

import hashlib
import json
import os
import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, literal, select, update

from coverslip.cache import FileHashes
from coverslip.datasets import Dataset, ImageRecord, find_hashes
from coverslip.errors import BadDataset
from coverslip.images import PLAN_COLUMNS
from coverslip.messages import ChooseOther
from coverslip.workspace.datasets.state import update_counts
from coverslip.workspace.store.rows import OUTSIDE, AnyRow, Json, opened_as_json, plan_as_json
from coverslip.workspace.store.sql import among_integers, replace_rows
from coverslip.workspace.store.tables import (
    TABLES_BY_IMAGE_ID,
    changed_labels,
    datasets,
    image_facts,
    images,
    removed_image_labels,
)
from coverslip.workspace.store.workspace import Workspace

_ROWS_AT_ONCE = 5_000

_Pixels = tuple[str, str]  # a file, and the pixels of it as JSON


class Exclusion(NamedTuple):
    """Whether an image is excluded, and the last change that excluded or included it."""

    is_excluded: bool
    by: str | None


_NOT_EXCLUDED = Exclusion(is_excluded=False, by=None)


def store_images(
    connection: Connection,
    workspace: Workspace,
    dataset_id: str,
    dataset: Dataset,
    labels: Mapping[str, str | None],
    exclusions: Mapping[str, Exclusion] | None = None,
    row_ids: Mapping[str, int] | None = None,
) -> None:
    """Insert rows for all images of a dataset, and count them.

    Args:
        connection: a connection in a writing transaction.
        workspace: the workspace with the readable folders.
        dataset_id: the ID of the dataset.
        dataset: its images.
        labels: labels from the app by image_id.
        exclusions: exclusions from the app by image_id.
        row_ids: permanent numbers of images that the dataset had before, by image_id; others get new ones.

    Raises:
        BadDataset: all of them are outside the readable folders.
    """
    outside = _insert_images(connection, workspace, dataset_id, dataset, labels, exclusions or {}, row_ids or {})
    update_counts(connection, dataset_id)
    if len(outside) == len(dataset.records):
        raise BadDataset("all-images-outside", file=dataset.root, remedies=(ChooseOther("root"),))


def replace_images(connection: Connection, workspace: Workspace, dataset_id: str, dataset: Dataset) -> None:
    """Replace the rows of the images of a dataset. The images must be read again.

    Args:
        connection: a connection in a writing transaction.
        workspace: the workspace with the readable folders.
        dataset_id: the ID of the dataset.
        dataset: its current images.

    Raises:
        BadDataset: all of them are outside the readable folders.
    """
    rows = connection.execute(select(images).where(images.c.dataset_id == dataset_id)).all()
    new_positions = _new_positions(rows, dataset)
    new_labels = {
        dataset.records[new_positions[row.position]].image_id: row.label
        for row in rows
        if row.label != row.label_before and row.position in new_positions
    }
    new_ids = {
        row.image_id: dataset.records[new_positions[row.position]].image_id
        for row in rows
        if row.position in new_positions
    }
    exclusions = {
        new_ids[row.image_id]: Exclusion(row.is_excluded, row.excluded_by)
        for row in rows
        if row.image_id in new_ids and (row.is_excluded or row.excluded_by is not None)
    }
    row_ids = {new_ids[row.image_id]: row.row_id for row in rows if row.image_id in new_ids}
    _store_removed_labels(connection, dataset_id, [row for row in rows if row.position not in new_positions])
    restored_labels = _restore_labels(connection, dataset_id, dataset)
    _remove_from_history(connection, sorted({row.row_id for row in rows}.difference(row_ids.values())))
    _update_image_ids(connection, dataset_id, new_ids)
    connection.execute(delete(images).where(images.c.dataset_id == dataset_id))
    connection.execute(
        update(datasets)
        .where(datasets.c.id == dataset_id)
        .values(state="reading", progress=None, error=None, opened=opened_as_json(dataset))
    )
    store_images(connection, workspace, dataset_id, dataset, {**restored_labels, **new_labels}, exclusions, row_ids)


def _insert_images(
    connection: Connection,
    workspace: Workspace,
    dataset_id: str,
    dataset: Dataset,
    labels: Mapping[str, str | None],
    exclusions: Mapping[str, Exclusion],
    row_ids: Mapping[str, int],
) -> list[int]:
    """Insert rows, and return the positions of the images that are outside the readable folders."""
    folders = _ReadableFolders(workspace)
    rows: list[Json] = []
    outside: list[int] = []
    # Images of a new dataset have no pictures that could be shown again.
    versions = _versions(dataset.records) if row_ids else repeat(None)
    for position, (record, version) in enumerate(zip(dataset.records, versions, strict=False)):
        plan = plan_as_json(record)
        exclusion = exclusions.get(record.image_id, _NOT_EXCLUDED)
        is_allowed = all(map(folders.contain, record.files))
        rows.append(
            {
                "row_id": row_ids.get(record.image_id),
                "dataset_id": dataset_id,
                "position": position,
                "image_id": record.image_id,
                "path": os.fspath(record.path),
                "shown_path": dataset.relative_path(record),
                "label_before": record.label,
                "label": labels.get(record.image_id, record.label),
                "group": record.group,
                "domain": record.domain,
                "predefined_split": record.predefined_split,
                "plan": plan,
                "about": list(record.about) or None,
                "problem": None if is_allowed else "unreadable",
                "version": version or secrets.token_hex(8),  # until the image is read
                "is_excluded": exclusion.is_excluded,
                "excluded_by": exclusion.by,
            }
        )
        if not is_allowed:
            outside.append(position)
        if len(rows) == _ROWS_AT_ONCE or position + 1 == len(dataset.records):
            numbered = [row for row in rows if row["row_id"] is not None]
            new = [{name: row[name] for name in row if name != "row_id"} for row in rows if row["row_id"] is None]
            for each in filter(None, (numbered, new)):
                connection.execute(insert(images), each)
            rows = []
    is_outside = (images.c.dataset_id == dataset_id) & images.c.position.in_(among_integers(outside))
    described = select(images.c.row_id, literal(OUTSIDE)).where(is_outside)
    connection.execute(insert(image_facts).from_select(["row_id", "reason"], described))
    return outside


def version_of(record: ImageRecord, content_hash: str) -> str:
    """Return the version of an image, which depends on the bytes of its files and on how they are read."""
    return hashlib.blake2b(f"{content_hash} {record.plan.as_json()}".encode(), digest_size=8).hexdigest()


def _versions(records: Sequence[ImageRecord]) -> Iterator[str | None]:
    """Yield the version of each image whose files are unchanged since they were read; None: they must be read."""
    with FileHashes() as hashes:
        for start in range(0, len(records), _ROWS_AT_ONCE):
            block = records[start : start + _ROWS_AT_ONCE]
            for record, digest in zip(block, find_hashes(block, hashes), strict=True):
                yield None if digest is None else version_of(record, digest.hex())


class _ReadableFolders:
    """Whether files are in the readable folders after links are resolved."""

    def __init__(self, workspace: Workspace) -> None:
        self._roots = tuple(os.fspath(root).rstrip(os.sep) + os.sep for root in (*workspace.roots, workspace.folder))
        self._folders: dict[str, bool] = {}

    def contain(self, path: Path) -> bool:
        text = os.fspath(path)
        return self._is_below(os.path.realpath(text)) if path.is_symlink() else self._is_allowed(os.fspath(path.parent))

    def _is_allowed(self, folder: str) -> bool:
        if folder not in self._folders:
            self._folders[folder] = self._is_below(os.path.realpath(folder))
        return self._folders[folder]

    def _is_below(self, real: str) -> bool:
        return (real.rstrip(os.sep) + os.sep).startswith(self._roots)


def _new_positions(rows: Sequence[AnyRow], dataset: Dataset) -> dict[int, int]:
    """Return the new positions of existing images: of the same pixels of the same file, else of the same image_id.

    The ID is not sufficient: rows with equal names and pixels are numbered in the order of the table.
    """
    position_of = _positions_by_pixels(dataset)
    by_id = {record.image_id: position for position, record in enumerate(dataset.records)}
    paths = {str(record.path) for record in dataset.records}
    new_positions = {}
    for row in rows:
        position = position_of.get(_pixels(row.path, row.plan))
        if position is None:
            position = by_id.get(row.image_id)
            if position is None or (str(dataset.records[position].path) != row.path and row.path in paths):
                continue
        new_positions[row.position] = position
    return new_positions


def _store_removed_labels(connection: Connection, dataset_id: str, removed_rows: Sequence[AnyRow]) -> None:
    """Store the labels from the app of removed images."""
    rows = []
    for row in removed_rows:
        if row.label != row.label_before:
            path, plan = _pixels(row.path, row.plan)
            rows.append({"dataset_id": dataset_id, "path": path, "plan": plan, "label": row.label})
    replace_rows(connection, removed_image_labels, rows)


def _restore_labels(connection: Connection, dataset_id: str, dataset: Dataset) -> dict[str, str | None]:
    """Return the stored labels of images that have come back, by image_id, and remove them from the store."""
    of_dataset = removed_image_labels.c.dataset_id == dataset_id
    rows = connection.execute(select(removed_image_labels).where(of_dataset)).all()
    position_of = _positions_by_pixels(dataset) if rows else {}
    labels = {}
    for row in rows:
        position = position_of.get((row.path, row.plan))
        if position is not None:
            labels[dataset.records[position].image_id] = row.label
            connection.execute(
                delete(removed_image_labels).where(
                    of_dataset, removed_image_labels.c.path == row.path, removed_image_labels.c.plan == row.plan
                )
            )
    return labels


def _remove_from_history(connection: Connection, row_ids: Sequence[int]) -> None:
    """Remove images from the history of labels.

    Changes without remaining images are kept, so that their numbers are never used again.
    """
    connection.execute(delete(changed_labels).where(changed_labels.c.row_id.in_(among_integers(row_ids))))


def _update_image_ids(connection: Connection, dataset_id: str, new_ids: Mapping[str, str]) -> None:
    """Update what is stored by the IDs of images: a second source changes IDs."""
    if all(before == after for before, after in new_ids.items()):
        return
    for table in TABLES_BY_IMAGE_ID:
        of_dataset = table.c.dataset_id == dataset_id
        stored = connection.execute(select(table).where(of_dataset)).mappings().all()
        renamed = [row for row in stored if new_ids.get(row["image_id"], row["image_id"]) != row["image_id"]]
        for row in renamed:
            connection.execute(delete(table).where(of_dataset, table.c.image_id == row["image_id"]))
        replace_rows(connection, table, [{**row, "image_id": new_ids[row["image_id"]]} for row in renamed])


def _positions_by_pixels(dataset: Dataset) -> dict[_Pixels, int]:
    """Return the position by file and pixels. Images that occur twice are ambiguous and not included."""
    pixels = [_pixels(str(record.path), plan_as_json(record)) for record in dataset.records]
    counts = Counter(pixels)
    return {key: position for position, key in enumerate(pixels) if counts[key] == 1}


def _pixels(path: str, plan: Json | None) -> _Pixels:
    """Return a file and its pixels, without what is chosen for all files of the dataset."""
    if plan is not None:
        stated = plan["stated"]
        plan = {name: value for name, value in plan.items() if name not in PLAN_COLUMNS or name in stated}
        if not stated and plan["region"] is None and not plan["other_files"]:
            plan = None
    return path, json.dumps(plan, sort_keys=True)
