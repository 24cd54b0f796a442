"""Runs that lie in the workspace's folder, but not in its tables."""

import json
import secrets
from contextlib import suppress
from pathlib import Path

from sqlalchemy import select

from coverslip.errors import CoverslipError
from coverslip.runs import load_recipe
from coverslip.workspace.jobs.records import add_job
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace


def adopt_runs(workspace: Workspace) -> None:
    """List run folders that lie in the workspace but not in its tables: made in a terminal, or copied there."""
    with workspace.engine.connect() as connection:
        known = set(connection.execute(select(db.jobs.c.folder)).scalars())
    for recipe_file in sorted(workspace.runs.glob("*/recipe.yaml")):
        if str(recipe_file.parent) not in known:
            # No run of ours, or half of one: it stays where it is.
            with suppress(CoverslipError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
                _adopt(workspace, recipe_file.parent)


def _adopt(workspace: Workspace, folder: Path) -> None:
    recipe = load_recipe(folder / "recipe.yaml")
    environment = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    source = str(environment["opened"]["sources"][0])
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind="train",
        name=folder.name,
        dataset_name=Path(source).name,
        folder=str(folder),
        command=["-m", "coverslip", "train", f"--resume={folder}"],
        choices=recipe.model_dump(mode="json"),
        state="started",
        queued=None,
    )
