"""Submit trainings, and adopt runs that were trained outside the app."""

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
from coverslip.workspace.jobs.records import (
    add_job,
    change_job,
    find_job,
    new_job_folder,
    requested_recipe,
    unused_name,
)
from coverslip.workspace.recipes import keeping_split_of, recipe_grouping, recipe_of_dataset
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.workspace import Workspace


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
    """Queue a training; return its ID.

    Args:
        workspace: the workspace of the training.
        dataset_id: a dataset of labeled images.
        name: the name; by default that of the dataset.
        recipe: values that differ from the defaults, nested or with dotted keys; `init.run` may be the ID of a run.
        allow_leakage: accept a predefined split with the same pixels or groups in training and test set.
        budget: the time budget; fine-tuning is adapted to it.
        again_of: an earlier training on the same dataset: each image stays in its set.

    Raises:
        NotFound, Conflict: the dataset does not exist or is not ready, or the earlier split cannot be reused.
        BadRecipe: a key or value is not valid, or the budget is no length of time.
        WeightsUnavailable: the pretrained weights of the network are not available.
        CoverslipError: the split is refused, for example because a set or a class would be empty.
    """
    limit = [] if budget is None else [f"--budget={math.ceil(budget_seconds(budget))}s"]
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
    settled = recipe_of_dataset(workspace, dataset, recipe)
    if settled.init == "imagenet":
        check_weights(model_info(settled.model))
    refuse_untrainable(workspace, dataset_id, recipe, allow_leakage=allow_leakage, again_of=again_of)
    if again_of is not None:
        settled = keeping_split_of(workspace, again_of, dataset_id, settled)
    images = training_images(workspace, dataset_id, grouped=recipe_grouping(workspace, dataset, recipe))
    name = name or unused_name(workspace, "train", dataset.name)
    job_id, folder = new_job_folder(workspace.runs, name)
    recipe_file = requested_recipe(folder)
    save_recipe(settled, recipe_file, only_set=True)
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
        choices=settled.model_dump(mode="json"),
    )
    return job_id


def rename(workspace: Workspace, run_id: str, name: str) -> None:
    """Rename a training."""
    find_job(workspace, run_id, "train")
    change_job(workspace, run_id, name=name)


def adopt_runs(workspace: Workspace) -> None:
    """Add run folders of the workspace that are not in its tables: trained in a terminal, or copied there."""
    with workspace.engine.connect() as connection:
        folders = set(connection.execute(select(db.jobs.c.folder)).scalars())
    for folder in sorted(workspace.runs.glob("*")):
        if is_run(folder) and str(folder) not in folders:
            with suppress(CoverslipError):  # incomplete and damaged runs are not listed
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
