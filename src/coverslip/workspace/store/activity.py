"""A key of the activity in the workspace: pages reload lists and results when it changes."""

import hashlib

from sqlalchemy import select

from coverslip.workspace.store.tables import datasets, jobs
from coverslip.workspace.store.workspace import Workspace


def activity_of(workspace: Workspace) -> str:
    """Return a key that changes with the jobs and datasets of the workspace and with their states."""
    with workspace.engine.connect() as connection:
        job_rows = connection.execute(select(jobs.c.id, jobs.c.state).order_by(jobs.c.id)).all()
        dataset_rows = connection.execute(
            select(datasets.c.id, datasets.c.state, datasets.c.forgotten).order_by(datasets.c.id)
        ).all()
    rows = [tuple(row) for row in (*job_rows, *dataset_rows)]
    return hashlib.blake2b(repr(rows).encode(), digest_size=8).hexdigest()
