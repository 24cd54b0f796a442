"""Submit a training, and adopt a run that was trained elsewhere."""

import math
import secrets
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import select

from coverslip.errors import CoverslipError
from coverslip.models import check_weights, model_info
from coverslip.runs import budget_seconds, is_run, open_run, save_recipe
from coverslip.workspace.datasets.reading_images import refuse_unready
from coverslip.workspace.datasets.snapshots import training_images
from coverslip.workspace.jobs.previews import refuse_untrainable
from coverslip.workspace.jobs.records import add_job, asked_recipe, change_job, find_job, new_job_folder, unused_name
from coverslip.workspace.recipes.advice import keeping_split_of
from coverslip.workspace.recipes.checking import groups_asked, recipe_of_dataset
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace


def queue_training(
    workspace: Workspace,
    *,
    dataset_id: str,
    name: str | None,
    recipe: Mapping[str, Any],
    allow_leakage: bool = False,
    budget: str | None = None,
    again_of: str | None = None,
) -> str:
    """Put a training behind those that wait; gives its id.

    Args:
        workspace: where it will lie.
        dataset_id: of labelled images.
        name: what people call it.
        recipe: what differs from the defaults, nested or with dotted keys; `init.run` may be a run's id.
        allow_leakage: accept a predefined split with the same pixels or groups on both sides.
        budget: how long it may take; fine-tuning is adapted to it.
        again_of: an earlier training on the same dataset: each image stays in the set that it was in.

    Raises:
        NotFound, Conflict: the dataset is not there, or not ready; or the earlier training's split cannot be kept.
        BadRecipe: a key or value is not valid, or the budget is no length of time.
        WeightsUnavailable: the network's pretrained weights are not here and cannot be fetched.
        CoverslipError: the split leaves a part or a class empty, or is refused otherwise.
    """
    limit = [] if budget is None else [f"--budget={math.ceil(budget_seconds(budget))}s"]
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    chosen = recipe_of_dataset(workspace, dataset, recipe)
    if chosen.init == "imagenet":
        check_weights(model_info(chosen.model))
    refuse_untrainable(workspace, dataset_id, recipe, allow_leakage=allow_leakage, again_of=again_of)
    if again_of is not None:
        chosen = keeping_split_of(workspace, again_of, dataset_id, chosen)
    images = training_images(workspace, dataset_id, grouped=groups_asked(workspace, dataset, recipe))
    name = name or unused_name(workspace, "train", dataset.name)
    job_id, folder = new_job_folder(workspace.runs, name)
    recipe_file = asked_recipe(folder)
    save_recipe(chosen, recipe_file, as_asked=True)
    leakage = ["--allow-leakage"] if allow_leakage else []
    options = [*images.options, *leakage, *limit, f"--recipe={recipe_file}", f"--out={folder}"]
    add_job(
        workspace,
        id=job_id,
        kind="train",
        name=name,
        dataset_id=dataset_id,
        dataset_name=dataset.name,
        again_of=again_of,
        folder=str(folder),
        command=["-m", "coverslip", "train", *options, "--", *images.sources],
        choices=chosen.model_dump(mode="json"),
    )
    return job_id


def rename(workspace: Workspace, run_id: str, name: str) -> None:
    """Call a training something else."""
    find_job(workspace, run_id, "train")
    change_job(workspace, run_id, name=name)


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
