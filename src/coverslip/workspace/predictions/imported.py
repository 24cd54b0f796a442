"""Classifiers that were brought as files: no job of ours made them."""

import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import insert, select, update

from coverslip.errors import BadClassifier, Conflict, NotFound
from coverslip.files import cannot_write
from coverslip.runs import open_classifier
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import now
from coverslip.workspace.store.tables import classifiers


@dataclass(frozen=True, slots=True)
class ImportedClassifier:
    """A `.coverslip` file of the workspace."""

    id: str
    name: str
    file: Path
    created: str  # when it came here


def bring(workspace: Workspace, file: Path, name: str | None) -> ImportedClassifier:
    """Take a `.coverslip` file into the workspace; its network is built only when it predicts.

    Raises:
        BadClassifier: it is none, or damaged.
    """
    try:
        card = open_classifier(file).card
    except BadClassifier as error:  # where it lies for the moment says nothing to whoever sent it
        raise BadClassifier(error.what, do=error.do, remedies=error.remedies) from error
    classifier_id = secrets.token_hex(5)
    place = workspace.folder / "classifiers" / f"{classifier_id}.coverslip"
    brought = ImportedClassifier(classifier_id, name or " and ".join(card.classes[:3]), place, now())
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(file, place)
    row = {"id": classifier_id, "name": brought.name, "file": str(place), "created": brought.created}
    with workspace.engine.begin() as connection:
        connection.execute(insert(classifiers).values(**row))
    return brought


def all_imported(workspace: Workspace) -> list[ImportedClassifier]:
    """All of them, the newest first."""
    query = select(classifiers).where(classifiers.c.removed.is_(None))
    with workspace.engine.connect() as connection:
        rows = connection.execute(query.order_by(classifiers.c.created.desc(), classifiers.c.id)).all()
    return [ImportedClassifier(row.id, row.name, Path(row.file), row.created) for row in rows]


def find_imported(workspace: Workspace, classifier_id: str, *, is_removed: bool = False) -> ImportedClassifier:
    """One by its id.

    Raises:
        NotFound: there is none.
    """
    with workspace.engine.connect() as connection:
        row = connection.execute(select(classifiers).where(classifiers.c.id == classifier_id)).first()
    if row is None or (row.removed is not None) != is_removed:
        raise NotFound("There is no classifier of this id here", do="Look at the list; it may have been removed.")
    return ImportedClassifier(row.id, row.name, Path(row.file), row.created)


def remove(workspace: Workspace, classifier_id: str) -> None:
    """Move it to the trash; predictions that it made stay.

    Raises:
        NotFound: there is none of this id.
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
    """Take it out of the trash.

    Raises:
        NotFound: it is not in the trash, or not any more.
        Conflict: something else lies in its place.
        BadClassifier: its file was damaged since; it stays in the trash.
    """
    classifier = find_imported(workspace, classifier_id, is_removed=True)
    place = workspace.trash / classifier.id
    file = place / classifier.file.name
    if not file.is_file():
        raise NotFound("It is no longer in the trash", do="It cannot be restored.")
    if classifier.file.exists():
        raise Conflict("Another file of that name lies where it was", do=f"Move '{file.name}' away.")
    open_classifier(file)
    shutil.move(file, classifier.file)
    place.rmdir()
    _set_removed(workspace, classifier.id, None)
    return classifier


def _set_removed(workspace: Workspace, classifier_id: str, when: str | None) -> None:
    with workspace.engine.begin() as connection:
        connection.execute(update(classifiers).where(classifiers.c.id == classifier_id).values(removed=when))
