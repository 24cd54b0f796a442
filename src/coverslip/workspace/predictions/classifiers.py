"""What can predict: the classifiers of trainings, and files that were brought."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert

from coverslip.errors import BadClassifier, CoverslipError
from coverslip.runs import find_classifier, open_classifier
from coverslip.workspace.jobs.records import Job, all_jobs, find_job
from coverslip.workspace.jobs.runs import Headline, headline_of, read_or_empty
from coverslip.workspace.store import tables as db
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import now


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained network; its id is that of its run."""

    id: str
    name: str
    classes: list[str]
    model: str
    headline: Headline | None
    is_imported: bool


def all_classifiers(workspace: Workspace) -> list[Classifier]:
    """All that can predict, those of trainings first, each the newest first; damaged ones are left out."""
    jobs = [*all_jobs(workspace, "train"), *all_jobs(workspace, "classifier")]
    return [found for job in jobs if (found := _classifier(job)) is not None]


def _classifier(job: Job) -> Classifier | None:
    try:
        card = open_classifier(find_classifier(job.folder)).card
    except CoverslipError:
        return None
    metrics = read_or_empty(job.folder / "metrics.json")
    return Classifier(job.id, job.name, list(card.classes), card.model, headline_of(metrics), job.kind == "classifier")


def bring(workspace: Workspace, file: Path, name: str | None) -> Classifier:
    """Take a `.coverslip` file into the workspace; its network is built only when it predicts.

    Raises:
        BadClassifier: it is none, or damaged.
    """
    try:
        packed = open_classifier(file)
    except BadClassifier as error:  # where it lies for the moment says nothing to whoever sent it
        raise BadClassifier(error.what, do=error.do) from error
    job_id = secrets.token_hex(5)
    place = workspace.folder / "classifiers" / f"{job_id}.coverslip"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, place)
    with workspace.engine.begin() as connection:
        connection.execute(
            insert(db.jobs).values(
                id=job_id,
                kind="classifier",
                name=name or " and ".join(packed.card.classes[:3]),
                dataset_name="",
                folder=str(place),
                command=[],
                choices={"model": packed.card.model},
                state="ended",
                created=now(),
            )
        )
    found = _classifier(find_job(workspace, job_id))
    assert found is not None
    return found
