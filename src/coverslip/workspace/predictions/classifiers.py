"""What can predict: the classifiers of trainings, and files that were brought."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from coverslip.errors import CoverslipError, NotFound
from coverslip.runs import find_classifier, open_classifier
from coverslip.workspace.jobs.records import Job, all_jobs, find_job
from coverslip.workspace.jobs.runs import Headline, headline_of
from coverslip.workspace.predictions.imported import ImportedClassifier, all_imported, find_imported
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Page, Paging


@dataclass(frozen=True, slots=True)
class Classifier:
    """A trained network that can predict; its id is that of its run, where it was trained here."""

    id: str
    name: str
    classes: list[str]
    model: str
    headline: Headline | None
    is_imported: bool
    is_finished: Annotated[
        bool, Field(description="Its training came to its end; else there are no test results, nor all checks.")
    ]
    study_id: Annotated[str | None, Field(description="The study that trained it.")]
    created: Annotated[str, Field(description="When its training was asked for, or its file was brought.")]
    stage: Annotated[
        Literal["instant", "finetune"] | None,
        Field(description="The stage whose network was kept; null where that is not recorded here."),
    ]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a classifier is read from."""

    name: str
    path: Path  # the folder of a run, or a file


def list_classifiers(workspace: Workspace, paging: Paging) -> Page[Classifier]:
    """What can predict: what was trained here, then what was brought, then a study's, each the newest first.

    Classifiers of unfinished trainings follow the others. Damaged ones are skipped.
    """
    usable: list[Classifier] = []
    of_studies: list[Classifier] = []
    for job in all_jobs(workspace, "train"):
        with suppress(CoverslipError):
            (usable if job.study_id is None else of_studies).append(_of_training(job))
    for imported in all_imported(workspace):
        with suppress(CoverslipError):
            usable.append(described(imported))
    return paging.page_of(
        sorted([*usable, *of_studies], key=lambda each: (each.study_id is not None, not each.is_finished))
    )


def place_of(workspace: Workspace, classifier_id: str) -> Place:
    """Where the classifier of a training, or one that was brought, is read from; it may not be there yet.

    Raises:
        NotFound: there is none of this id.
    """
    try:
        job = find_job(workspace, classifier_id, "train")
    except NotFound:
        imported = find_imported(workspace, classifier_id)
        return Place(imported.name, imported.file)
    return Place(job.name, job.folder)


def _of_training(job: Job) -> Classifier:
    headline = headline_of(job.run) if job.run.is_measured else None
    training = job.run.training
    return _described(
        job.id,
        job.name,
        job.folder,
        headline,
        is_finished=job.run.is_done,
        study_id=job.study_id,
        created=job.created,
        stage=None if training is None else training.chosen,
    )


def described(imported: ImportedClassifier) -> Classifier:
    """What is said of one that was brought.

    Raises:
        BadClassifier: its file is damaged by now.
    """
    return _described(
        imported.id, imported.name, imported.file, None, is_imported=True, is_finished=True, created=imported.created
    )


def _described(
    classifier_id: str,
    name: str,
    path: Path,
    headline: Headline | None,
    *,
    is_finished: bool,
    created: str,
    is_imported: bool = False,
    study_id: str | None = None,
    stage: Literal["instant", "finetune"] | None = None,
) -> Classifier:
    card = open_classifier(find_classifier(path)).card
    return Classifier(
        id=classifier_id,
        name=name,
        classes=list(card.classes),
        model=card.model,
        headline=headline,
        is_imported=is_imported,
        is_finished=is_finished,
        study_id=study_id,
        created=created,
        stage=stage,
    )
