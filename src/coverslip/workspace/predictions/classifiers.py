"""Classifiers: those of trainings, and imported files."""

import secrets
import shutil
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import insert, select, update

from coverslip.errors import BadClassifier, CoverslipError, NotFound
from coverslip.files import cannot_write
from coverslip.runs import find_classifier, open_classifier
from coverslip.workspace.jobs.records import Job, all_jobs, find_job
from coverslip.workspace.jobs.runs import Headline, headline_of
from coverslip.workspace.store.rows import Page, Paging, not_in_trash, now, original_location_taken
from coverslip.workspace.store.tables import classifiers
from coverslip.workspace.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class ImportedClassifier:
    """An imported `.coverslip` file of the workspace."""

    id: str
    name: str
    file: Path
    created: str  # time of the import


def import_file(workspace: Workspace, file: Path, name: str | None) -> ImportedClassifier:
    """Import a `.coverslip` file into the workspace. Its network is built only for predictions.

    Raises:
        BadClassifier: it is not a classifier, or is damaged.
    """
    try:
        card = open_classifier(file).card
    except BadClassifier as error:  # the temporary location means nothing to the sender
        raise BadClassifier.of(replace(error.failure, file=None)) from error
    classifier_id = secrets.token_hex(5)
    place = workspace.folder / "classifiers" / f"{classifier_id}.coverslip"
    imported = ImportedClassifier(classifier_id, name or " and ".join(card.classes[:3]), place, now())
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, place)
    row = {"id": classifier_id, "name": imported.name, "file": str(place), "created": imported.created}
    with workspace.engine.begin() as connection:
        connection.execute(insert(classifiers).values(**row))
    return imported


def all_imported(workspace: Workspace) -> list[ImportedClassifier]:
    """Return all imported classifiers, the newest first."""
    query = select(classifiers).where(classifiers.c.removed.is_(None))
    with workspace.engine.connect() as connection:
        rows = connection.execute(query.order_by(classifiers.c.created.desc(), classifiers.c.id)).all()
    return [ImportedClassifier(row.id, row.name, Path(row.file), row.created) for row in rows]


def find_imported(workspace: Workspace, classifier_id: str, *, is_removed: bool = False) -> ImportedClassifier:
    """Return an imported classifier by its ID.

    Raises:
        NotFound: there is no such classifier.
    """
    with workspace.engine.connect() as connection:
        row = connection.execute(select(classifiers).where(classifiers.c.id == classifier_id)).first()
    if row is None or (row.removed is not None) != is_removed:
        raise NotFound("no-such-classifier")
    return ImportedClassifier(row.id, row.name, Path(row.file), row.created)


def remove(workspace: Workspace, classifier_id: str) -> None:
    """Move an imported classifier to the trash. Its predictions are kept.

    Raises:
        NotFound: there is no such classifier.
    """
    classifier = find_imported(workspace, classifier_id)
    place = workspace.trash / classifier.id
    try:
        place.mkdir(parents=True, exist_ok=True)
        shutil.move(classifier.file, place / classifier.file.name)
    except OSError as error:
        raise cannot_write(place, error) from error
    _set_removed(workspace, classifier.id, now())


def restore(workspace: Workspace, classifier_id: str) -> ImportedClassifier:
    """Restore an imported classifier from the trash.

    Raises:
        NotFound: it is not in the trash.
        Conflict: something else is at its location.
        BadClassifier: its file is damaged; it stays in the trash.
    """
    classifier = find_imported(workspace, classifier_id, is_removed=True)
    place = workspace.trash / classifier.id
    file = place / classifier.file.name
    if not file.is_file():
        raise not_in_trash()
    if classifier.file.exists():
        raise original_location_taken(file.name)
    open_classifier(file)
    shutil.move(file, classifier.file)
    place.rmdir()
    _set_removed(workspace, classifier.id, None)
    return classifier


def _set_removed(workspace: Workspace, classifier_id: str, when: str | None) -> None:
    with workspace.engine.begin() as connection:
        connection.execute(update(classifiers).where(classifiers.c.id == classifier_id).values(removed=when))


@dataclass(frozen=True, slots=True)
class Classifier:
    """A classifier. If it was trained here, its ID is that of its run."""

    id: str
    name: str
    classes: list[str]
    model: str
    headline: Headline | None
    is_imported: bool
    is_finished: Annotated[
        bool, Field(description="Whether its training is finished; otherwise there are no test results.")
    ]
    study_id: Annotated[str | None, Field(description="The study of its training.")]
    created: Annotated[str, Field(description="Time of the request of its training, or of the import.")]
    stage: Annotated[
        Literal["instant", "finetune"] | None,
        Field(description="The stage of the selected network; null if unknown."),
    ]


@dataclass(frozen=True, slots=True)
class Place:
    """The location of a classifier."""

    name: str
    path: Path  # the folder of a run, or a file


def list_classifiers(workspace: Workspace, paging: Paging) -> Page[Classifier]:
    """Return the classifiers: trained here, imported, of studies; the newest of each first.

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
    """Return the location of the classifier of a training, or of an imported one. The file may not exist yet.

    Raises:
        NotFound: there is no such classifier.
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
    """Return the description of an imported classifier.

    Raises:
        BadClassifier: its file is damaged.
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
