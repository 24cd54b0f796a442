"""A measured image says that its label is wrong: the label of its dataset is corrected."""

from coverslip.errors import Conflict, NotFound
from coverslip.workspace.datasets.labels import give_label, label_before
from coverslip.workspace.jobs.records import find_job
from coverslip.workspace.predictions.measured import measured_row, row_of_measured
from coverslip.workspace.predictions.relabelled import position_of
from coverslip.workspace.predictions.rows import Row
from coverslip.workspace.store.database import writing
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import dataset_row


def correct_measured(workspace: Workspace, job_id: str, k: int, label: str | None) -> tuple[Row, int | None]:
    """Give an image of a training or an evaluation another label, in the dataset that it comes from.

    Args:
        workspace: where the dataset is.
        job_id: of the training or evaluation.
        k: the row's number.
        label: a class of the dataset, or a new one; None takes back what was corrected here, unless the image got
            another label elsewhere since.

    Returns:
        The row, and the number of the change of the dataset's labels: None where none was changed.

    Raises:
        NotFound: there is nothing of this id, no row of that number, or its dataset was forgotten.
        Conflict: nothing was measured yet, or the image is in no dataset of the app.
        CoverslipError: no class can be called so.
    """
    job = find_job(workspace, job_id, "train", "evaluate")
    picture = measured_row(workspace, job.id, k)
    if job.dataset_id is None:
        raise Conflict(
            "This was not measured on a dataset of the app, so its labels cannot be corrected here",
            do="Open its images as a dataset, and train on that.",
        )
    change = None
    with writing(workspace.engine) as connection:
        dataset = dataset_row(connection, job.dataset_id)
        place = position_of(connection, job.dataset_id, picture)
        if place is None:
            raise NotFound(
                "The image is not in its dataset any more",
                do="Read the dataset again, or add the folder that it lay in.",
            )
        is_changed = True
        if label is None:
            label, is_changed = label_before(connection, job.dataset_id, place, job_id=job.id)
        if is_changed:
            change, _ = give_label(connection, dataset, [place], label, job_id=job.id)
    return row_of_measured(workspace, job_id, k), change
