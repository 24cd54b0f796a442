"""Runs that lie in the workspace's folder, but not in its tables."""

import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from coverslip.errors import CoverslipError
from coverslip.runs import is_run, open_run
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace


def adopt_runs(workspace: Workspace) -> None:
    """List run folders that lie in the workspace but not in its tables: made in a terminal, or copied there."""
    with workspace.engine.connect() as connection:
        known = set(connection.execute(select(db.jobs.c.folder)).scalars())
    for folder in sorted(workspace.runs.glob("*")):
        if is_run(folder) and str(folder) not in known:
            with suppress(CoverslipError):  # half a run, or a damaged one, stays where it is
                _adopt(workspace, folder)


def _adopt(workspace: Workspace, folder: Path) -> None:
    run = open_run(folder)
    sources = run.environment.opened.sources
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind="train",
        name=folder.name,
        dataset_name=Path(sources[0]).name if sources else "",
        folder=str(folder),
        command=["-m", "coverslip", "train", f"--resume={folder}"],
        choices=run.recipe.model_dump(mode="json"),
        state="started",
        queued=None,
    )
