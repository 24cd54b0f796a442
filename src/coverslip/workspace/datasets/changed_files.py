"""Refuse labels and trainings of files whose content changed since the dataset was read.

A picture shows the file as it is now, and a label belongs to the content that was read. Without this check, the label
of an exchanged file would move to other pixels when the dataset is read again.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

from sqlalchemy import Connection, select

from coverslip.cache import FileHashes, state_of
from coverslip.datasets import hash_files, some
from coverslip.errors import Conflict
from coverslip.workspace.datasets.image_rows import content_of
from coverslip.workspace.store.rows import AnyRow, are_rows, load_records
from coverslip.workspace.store.sql import change_rows
from coverslip.workspace.store.tables import images

_THREADS, _PER_TASK = 8, 100  # files; network drives have a high latency
_MOST_CHECKED = 500  # images of a change whose files are checked: those that users see, not all of a large dataset
_MOST_BYTES_READ = 10**9


def state_text(path: Path | str) -> str | None:
    """Return what changes if a file is changed or replaced; None if there is no such file."""
    state = state_of(path)
    return None if state is None else f"{state.n_bytes} {state.mtime_ns} {state.ctime_ns} {state.inode}"


def _states(paths: Sequence[str]) -> list[str | None]:
    return list(map(state_text, paths))


def refuse_changed_files(connection: Connection, row: AnyRow, row_ids: Sequence[int] | None = None) -> None:
    """Raise Conflict if the content of files differs from what was read.

    Files whose state and size are those that were read count as unchanged without reading them, and missing files are
    reported where they are read.

    Args:
        connection: a connection to the database.
        row: the row of the dataset.
        row_ids: the images, of which none is checked if these are very many; None: all of the dataset. With images, the
            connection is in a writing transaction: new states of files with the same content are stored.
    """
    if row.state != "ready" or (row_ids is not None and len(row_ids) > _MOST_CHECKED):
        return
    is_affected = images.c.dataset_id == row.id if row_ids is None else are_rows(row.id, row_ids)
    columns = (images.c.row_id, images.c.path, images.c.shown_path, images.c.file_state, images.c.content)
    is_known = images.c.file_state.is_not(None) & images.c.content.is_not(None)
    rows = {image.row_id: image for image in connection.execute(select(*columns).where(is_affected, is_known))}
    paths = list(dict.fromkeys(image.path for image in rows.values()))
    parts = [paths[k : k + _PER_TASK] for k in range(0, len(paths), _PER_TASK)]
    if len(parts) < 2:  # starting threads takes longer
        states = list(map(_states, parts))
    else:
        with ThreadPoolExecutor(_THREADS) as threads:
            states = list(threads.map(_states, parts))
    state_now = dict(zip(paths, chain.from_iterable(states), strict=True))
    touched = [image.row_id for image in rows.values() if state_now[image.path] not in (None, image.file_state)]
    if not touched:
        return
    sizes = {image: int((state_now[rows[image].path] or "0").split()[0]) for image in touched}
    changed = {image for image in touched if sizes[image] != int(rows[image].file_state.split()[0])}
    equal = sorted(set(touched) - changed)
    if sum({rows[image].path: sizes[image] for image in equal}.values()) <= _MOST_BYTES_READ:
        records = load_records(connection, row.id, row_ids=equal)
        order = connection.execute(select(images.c.row_id).where(are_rows(row.id, equal)).order_by(images.c.position))
        with FileHashes() as hashes:
            for image, record, digest in zip(order.scalars(), records, hash_files(records, hashes), strict=True):
                if digest and content_of(record, digest) != rows[image].content:
                    changed.add(image)
        if row_ids is not None:
            unchanged = [image for image in equal if image not in changed]
            new_states = [{"row_id": image, "file_state": state_now[rows[image].path]} for image in unchanged]
            change_rows(connection, images, new_states)
    if changed:
        names = [os.fspath(rows[image].shown_path) for image in sorted(changed)]
        raise Conflict("image-files-changed", n_images=len(changed), names=some(names))
