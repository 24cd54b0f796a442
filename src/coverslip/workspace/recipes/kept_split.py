"""The split of an earlier training, for one that shall be compared with it: a test image stays a test image."""

from sqlalchemy import select

from coverslip.datasets import SIDES, ImageRecord, Side
from coverslip.errors import BadRun, Conflict, CoverslipError, NotFound
from coverslip.runs import Recipe, Run
from coverslip.runs.images import images_of
from coverslip.workspace.datasets.snapshots import Pixels, pixels_of
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import load_records
from coverslip.workspace.store.rows import folder_of_run
from coverslip.workspace.store.tables import jobs


def kept_parts(workspace: Workspace, run_id: str, dataset_id: str, recipe: Recipe) -> dict[Pixels, Side] | None:
    """Which part each image took in an earlier training on the same dataset.

    Images that were left out then, or have come since, have none: they join training, or the part where their group
    or an equal picture is.

    Returns:
        None where one of the two trainings has folds, which test every image once anyway.

    Raises:
        NotFound: there is no such training.
        Conflict: it was of another dataset, or never came to its split; or its images cannot be found again.
    """
    with workspace.engine.connect() as connection:
        folder = folder_of_run(connection, run_id)
        its_dataset = connection.execute(select(jobs.c.dataset_id).where(jobs.c.id == run_id)).scalar_one_or_none()
    if folder is None:
        raise NotFound("There is no such training", do="It may have been deleted: look at the list.")
    if its_dataset != dataset_id:
        raise Conflict("That training was on another dataset", do="Train without the split of an earlier training.")
    run = Run(folder)
    try:
        rows = {row.image_id: row for row in run.split}
        if not rows:
            raise BadRun("It never came to its split", file=folder, do="Train without its split.")
        if recipe.split.folds or any(row.fold for row in rows.values()):
            return None
        records = _images_now(workspace, run, dataset_id)
    except CoverslipError as error:
        raise Conflict(f"The split of that training cannot be kept: {error.what}", do=error.do) from error
    sides = {record.image_id: part for record in records if (part := rows[record.image_id].split) in SIDES}
    return {pixels_of(record): sides[record.image_id] for record in records if record.image_id in sides}


def _images_now(workspace: Workspace, run: Run, dataset_id: str) -> list[ImageRecord]:
    """The images of a run where they lie now: their folder may have been moved, which their dataset was told."""
    with workspace.engine.connect() as connection:
        in_dataset = {record.image_id: record for record in load_records(connection, dataset_id)}
    try:
        records = images_of(run).records
    except CoverslipError:
        moved = [in_dataset[row.image_id] for row in run.split if row.image_id in in_dataset]
        if not moved:
            raise
        return moved
    return [record if record.path.exists() else in_dataset.get(record.image_id, record) for record in records]
