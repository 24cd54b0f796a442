"""The trainings of a study as runs of the workspace, each with pages of its own."""

import secrets
import threading
from pathlib import Path

from coverslip.runs import is_run
from coverslip.studies import Cell
from coverslip.workspace.jobs.records import Job, add_job, all_jobs
from coverslip.workspace.store.home import Workspace

_listing = threading.Lock()


def runs_of(workspace: Workspace, study: Job, cells: list[Cell]) -> dict[Path, Job]:
    """The trainings of a study that have begun, by folder; those that are not listed yet are."""
    with _listing:
        known = _listed(workspace, study)
        unlisted = [cell for cell in cells if cell.run.folder not in known and is_run(cell.run.folder)]
        for cell in unlisted:
            _list(workspace, study, cell)
    return _listed(workspace, study) if unlisted else known


def _listed(workspace: Workspace, study: Job) -> dict[Path, Job]:
    return {job.folder: job for job in all_jobs(workspace, "train", study_id=study.id)}


def _list(workspace: Workspace, study: Job, cell: Cell) -> None:
    is_one = len(cell.dataset.path) == 1  # several datasets as one are none of the workspace's
    add_job(
        workspace,
        id=secrets.token_hex(5),
        kind="train",
        name=f"{study.name}: {cell.label}" + (f", {cell.repeat}" if cell.repeat > 1 else ""),
        dataset_id=study.choices["dataset_of"].get(cell.dataset.path[0]) if is_one else None,
        dataset_name=cell.dataset.name,
        study_id=study.id,
        folder=str(cell.run.folder),
        command=["-m", "coverslip", "train", f"--resume={cell.run.folder}"],
        choices=cell.recipe.model_dump(mode="json"),
        state="started",
        queued=None,
    )
