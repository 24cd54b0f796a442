"""The images of a dataset as rows: where each lies, which pixels of its file it is, whether it may be read."""

import hashlib
import os
import stat
from pathlib import Path

from sqlalchemy import Connection, insert, select

from coverslip.datasets import Dataset
from coverslip.errors import BadDataset
from coverslip.messages import ChooseOther
from coverslip.workspace.datasets.counting import count_again
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import OUTSIDE, plan_as_json
from coverslip.workspace.store.rows import Json
from coverslip.workspace.store.tables import image_facts, images

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
            "All of these images lie outside the folders that the app may read",
            file=found.root,
            do="Choose another one, or let the app read this folder too.",
            remedies=(ChooseOther("root"),),
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
