"""Whether something began or ended in the workspace: pages ask for lists and results anew when this changes."""

import hashlib

from sqlalchemy import select

from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.tables import datasets, jobs


def activity_of(workspace: Workspace) -> str:
    """Changes when a job is asked for, begins, ends or is removed, and when a dataset is opened, read or forgotten."""
    with workspace.engine.connect() as connection:
        begun = connection.execute(select(jobs.c.id, jobs.c.state).order_by(jobs.c.id)).all()
        opened = connection.execute(
            select(datasets.c.id, datasets.c.state, datasets.c.forgotten).order_by(datasets.c.id)
        ).all()
    rows = [tuple(row) for row in (*begun, *opened)]
    return hashlib.blake2b(repr(rows).encode(), digest_size=8).hexdigest()
