"""Asking for a study."""

from dataclasses import asdict

from coverslip.studies import cells_of, save_plan
from coverslip.workspace.jobs.records import add_job, new_job_folder
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.studies.planning import StudyChoices, plan_of


def queue_study(workspace: Workspace, choices: StudyChoices, *, name: str | None = None) -> str:
    """Put a study behind those that wait, with the labels of now; gives its id.

    The plan lies in its folder from now on: what is begun, and taken up again, is a study that is there.

    Raises:
        NotFound, Conflict: a dataset is not there, or not ready.
        BadDataset: no image of one has a label.
        BadRecipe: there is no such preset, or it does not fit these datasets.
    """
    plan, dataset_of = plan_of(workspace, choices)
    job_id, folder = new_job_folder(workspace.studies, name or choices.preset)
    cells_of(plan, folder)  # every recipe in it is checked before anything lies there
    folder.mkdir()
    save_plan(plan, folder / "study.yaml")
    add_job(
        workspace,
        id=job_id,
        kind="study",
        name=name or choices.preset,
        dataset_name=" · ".join(dict.fromkeys(dataset.name for dataset in plan.datasets)),
        folder=str(folder),
        command=["-m", "coverslip", "study", "resume", "--", str(folder)],
        choices={**asdict(choices), "dataset_of": dataset_of},
    )
    return job_id
