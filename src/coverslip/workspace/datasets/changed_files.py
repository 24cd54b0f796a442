"""Refuse what is said about images, and trainings, if the content of files changed since the dataset was read.

A picture shows the file as it is now, and a label belongs to the content that was read. Without this check, the label
of an exchanged file would move to other pixels when the dataset is read again.
"""

import os
from collections.abc import Collection
from pathlib import Path

from sqlalchemy import Connection, select

from coverslip.cache import FileHashes
from coverslip.datasets import hash_files, some
from coverslip.errors import Conflict
from coverslip.workspace.datasets.image_rows import content_of, n_bytes_in, states_of_images
from coverslip.workspace.store.rows import AnyRow, are_rows, load_records, plan_of
from coverslip.workspace.store.sql import change_rows
from coverslip.workspace.store.tables import images

_MOST_BYTES_READ = 10**9  # to compare files within a request: some seconds


def refuse_changed_files(connection: Connection, row: AnyRow, row_ids: Collection[int] | None = None) -> None:
    """Raise Conflict if the content of files differs from what was read.

    Files whose state and size are those that were read count as unchanged without reading them, and missing files are
    reported where they are read. If too many bytes would have to be read, all files in another state count as changed.

    Args:
        connection: a connection to the database.
        row: the row of the dataset.
        row_ids: the images; None: all of the dataset. With images, the connection is in a writing transaction: new
            states of files with the same content are stored.
    """
    is_affected = images.c.dataset_id == row.id if row_ids is None else are_rows(row.id, row_ids)
    columns = (
        images.c.row_id,
        images.c.path,
        images.c.shown_path,
        images.c.plan,
        images.c.file_state,
        images.c.content,
    )
    is_known = images.c.file_state.is_not(None) & images.c.content.is_not(None)
    rows = {image.row_id: image for image in connection.execute(select(*columns).where(is_affected, is_known))}
    files = {image: plan_of(each.plan)[0].files(Path(each.path)) for image, each in rows.items()}
    state_now = states_of_images(files.values())
    states = ((image, state_now[of_image]) for image, of_image in files.items())
    touched = {image: state for image, state in states if state is not None and state != rows[image].file_state}
    if not touched:
        return
    changed = {image for image, state in touched.items() if n_bytes_in(state) != n_bytes_in(rows[image].file_state)}
    equal = sorted(touched.keys() - changed)
    if sum({files[image]: n_bytes_in(touched[image]) for image in equal}.values()) > _MOST_BYTES_READ:
        changed.update(equal)
    else:
        records = load_records(connection, row.id, row_ids=equal)
        order = connection.execute(select(images.c.row_id).where(are_rows(row.id, equal)).order_by(images.c.position))
        new_states = []
        with FileHashes() as hashes:
            for image, record, digest in zip(order.scalars(), records, hash_files(records, hashes), strict=True):
                if digest and content_of(record, digest) == rows[image].content:
                    new_states.append({"row_id": image, "file_state": touched[image]})
                elif digest:
                    changed.add(image)
        if row_ids is not None:
            change_rows(connection, images, new_states)
    if changed:
        names = [os.fspath(rows[image].shown_path) for image in sorted(changed)]
        raise Conflict("image-files-changed", n_images=len(changed), names=some(names))
