"""Second readings: labeled images are labeled again by readers who do not see the first label, and compared.

A draw stores the label that each image has then, with its author. Readings do not change the labels of the dataset. If
readers differ, somebody decides: the decision becomes the label, and all readings are kept.
"""

import json
import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, select

from coverslip.audit.readings import DECISION, LABEL, READING, READING_COLUMNS, read_readings
from coverslip.datasets.names import name_as_text, one_line
from coverslip.datasets.quality.findings import similar_names
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.evaluation.comparison import Agreement, agreement_of
from coverslip.files import csv_text
from coverslip.messages import text
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.reports.sections.data import agreement_section
from coverslip.table_cells import composed
from coverslip.workspace.datasets.image_rows import refuse_changed_files
from coverslip.workspace.datasets.labels import label_rows
from coverslip.workspace.store.change_log import ChangedField, add_change, last_changes, log_rows
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    Page,
    Paging,
    among_integers,
    author_name,
    class_order,
    dataset_row,
    is_present_in,
    now,
    replace_rows,
)
from coverslip.workspace.store.tables import (
    adjudications,
    changed_rows,
    changes,
    images,
    readings,
    second_reading_images,
)
from coverslip.workspace.store.workspace import Workspace

_ROWS_AT_ONCE = 2_000
# A decision counts while it is the label of its image.
_is_current_decision = (adjudications.c.row_id == images.c.row_id) & (adjudications.c.label == images.c.label)
_MOST_NAMES = 10  # of unknown images to return


@dataclass(frozen=True, slots=True)
class ImageToRead:
    """A drawn image, without its first label and its name."""

    row_id: Annotated[int, Field(description="The number of the image in the app.")]
    label: Annotated[str | None, Field(description="The label of this reader; null: not labeled.")]
    made: Annotated[str | None, Field(description="When this reader labeled it; null: not yet.")]


@dataclass(frozen=True, slots=True)
class SecondReading:
    """The images of a second reading for one reader."""

    reader: Annotated[str, Field(description="The author of the request, else the user account of the server.")]
    classes: Annotated[list[str], Field(description="The classes of the dataset.")]
    n_labeled: Annotated[int, Field(description="Images of the dataset with a label, of which images are drawn.")]
    n_drawn: Annotated[int, Field(description="Images that are drawn for a second reading.")]
    n_by_reader: Annotated[
        int, Field(description="Drawn images whose first label is by this reader, who does not read them again.")
    ]
    images: Annotated[list[ImageToRead], Field(description="The other drawn images, in random order.")]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """The agreement of two readers."""

    first: Annotated[str | None, Field(description="A reader; null: the first labels of the images.")]
    second: Annotated[str, Field(description="Another reader.")]
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class ReadingAgreement:
    """The agreement of all readers."""

    first_authors: Annotated[
        dict[str, int],
        Field(description="Number of first labels by author. Labels of folders and tables have no author."),
    ]
    readers: Annotated[dict[str, int], Field(description="Number of images by reader.")]
    pairs: Annotated[list[PairAgreement], Field(description="Pairs of readers with common images.")]
    n_disagreements: Annotated[int, Field(description="Images with different labels.")]
    n_decided: Annotated[int, Field(description="Number of these with a decision.")]
    similar_labels: Annotated[
        list[list[str]],
        Field(description="Labels that may be one class with several spellings. They count as different classes."),
    ]
    sections: Annotated[list[ReportSection], Field(description="The same as tables.")]


@dataclass(frozen=True, slots=True)
class ReadLabel:
    """A label of an image by one author."""

    label: str
    made_by: Annotated[str | None, Field(description="The author; null: a label of the folder or table.")]
    made: Annotated[str | None, Field(description="When: ISO 8601, UTC; null: unknown.")]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """An image with different labels."""

    row_id: Annotated[int, Field(description="The number of the image in the app.")]
    version: Annotated[str, Field(description="Changes with the file.")]
    first: Annotated[ReadLabel, Field(description="Its label when it was drawn.")]
    readings: Annotated[list[ReadLabel], Field(description="Its later readings.")]
    decision: Annotated[ReadLabel | None, Field(description="The decision, which is its label; null: none.")]
    change: Annotated[int | None, Field(description="The ID of the change with the decision; null: none.")]


@dataclass(frozen=True, slots=True)
class ImportedReadings:
    """Which rows of a table were imported."""

    n: Annotated[int, Field(description="Readings that were imported.")]
    n_same_author: Annotated[int, Field(description="Rows by the author of the first label, which are not imported.")]
    n_without_author: Annotated[int, Field(description="Rows without an author, which are not imported.")]
    n_unlabeled: Annotated[int, Field(description="Rows of images without a label, which are not imported.")]
    n_unknown: Annotated[
        int, Field(description="Rows whose image is not in the dataset, or whose path is that of several images.")
    ]
    unknown: Annotated[list[str], Field(description=f"The first {_MOST_NAMES} of these images.")]


def second_reading(workspace: Workspace, dataset_id: str) -> SecondReading:
    """Return the images of the second reading for the reader who asks for them.

    Raises:
        NotFound: there is no such dataset.
    """
    reader = author_name()
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        is_of_reader = (
            (readings.c.dataset_id == dataset_id)
            & (readings.c.row_id == second_reading_images.c.row_id)
            & (readings.c.made_by == reader)
        )
        query = (
            _drawn(dataset_id)
            .add_columns(readings.c.label.label("reading"), readings.c.made.label("read"))
            .outerjoin(readings, is_of_reader)
            .where(second_reading_images.c.position.is_not(None))
            .order_by(second_reading_images.c.position)
        )
        drawn = connection.execute(query).all()
        n_labeled = connection.execute(select(func.count()).where(*_can_be_read(dataset_id))).scalar_one()
    others = [each for each in drawn if each.made_by != reader]
    return SecondReading(
        reader=reader,
        classes=class_order(row.class_names, row.summary["classes"]),
        n_labeled=n_labeled,
        n_drawn=len(drawn),
        n_by_reader=len(drawn) - len(others),
        images=[ImageToRead(each.row_id, each.reading, each.read) for each in others],
    )


def draw_images(workspace: Workspace, dataset_id: str, n: int) -> SecondReading:
    """Draw up to `n` further labeled images at random, and return the images for the author of the request.

    Raises:
        NotFound: there is no such dataset.
        Conflict: there is no further labeled image.
    """
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        is_drawn = select(second_reading_images.c.row_id).where(
            second_reading_images.c.dataset_id == dataset_id, second_reading_images.c.position.is_not(None)
        )
        query = select(images.c.row_id).where(*_can_be_read(dataset_id), images.c.row_id.not_in(is_drawn))
        free = connection.execute(query.order_by(images.c.position)).scalars().all()
        if not free:
            raise Conflict("no-image-to-read")
        last = select(func.max(second_reading_images.c.position)).where(
            second_reading_images.c.dataset_id == dataset_id
        )
        start = connection.execute(last).scalar()
        order = np.random.default_rng(secrets.randbits(63)).permutation(len(free))[:n]
        drawn = [free[k] for k in order.tolist()]
        _store_first_labels(connection, dataset_id, drawn, 0 if start is None else start + 1)
    return second_reading(workspace, dataset_id)


def remove_second_reading(workspace: Workspace, dataset_id: str) -> None:
    """Remove the drawn images and all readings. Labels that were decided stay as they are.

    Raises:
        NotFound: there is no such dataset.
    """
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        for table in (second_reading_images, readings, adjudications):
            connection.execute(delete(table).where(table.c.dataset_id == dataset_id))


def read_image(workspace: Workspace, dataset_id: str, row_id: int, label: str | None) -> ImageToRead:
    """Store the label of the author of the request for a drawn image; None removes it.

    Raises:
        NotFound: there is no such dataset, or the image is not drawn.
        Conflict: the first label is by the author of the request.
        CoverslipError: the label is no class of the dataset.
    """
    reader = author_name()
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        image = _drawn_image(connection, dataset_id, row_id)
        if image.made_by == reader:
            raise Conflict("second-reading-by-first-author", author=reader)
        is_reading = (
            (readings.c.dataset_id == dataset_id) & (readings.c.row_id == row_id) & (readings.c.made_by == reader)
        )
        if label is None:
            connection.execute(delete(readings).where(is_reading))
            return ImageToRead(row_id, None, None)
        _refuse_other_class(row, label)
        refuse_changed_files(connection, row, [row_id])
        made = now()
        _store_readings(connection, [_reading(dataset_id, row_id, reader, label, made)])
        return ImageToRead(row_id, label, made)


def reading_agreement(workspace: Workspace, dataset_id: str) -> ReadingAgreement:
    """Compare the readers of a dataset with the first labels and with each other.

    Raises:
        NotFound: there is no such dataset.
    """
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        first, of_reader = _first_labels(connection, dataset_id), _labels_of_readers(connection, dataset_id)
        decided = _by_image(connection, adjudications, dataset_id)
        groups = _groups(connection, dataset_id) if row.summary["n_groups"] else None
    classes = class_order(row.class_names, {label for labels in of_reader.values() for label in labels.values()})
    classes = class_order(classes, {each.label for each in first.values()})
    of_first = {row_id: each.label for row_id, each in first.items()}
    pairs = []
    for (a, of_a), (b, of_b) in combinations([(None, of_first), *of_reader.items()], 2):
        if b is not None and (common := [row_id for row_id in of_a if row_id in of_b]):
            of_groups = None if groups is None else [groups.get(each) for each in common]
            agreed = agreement_of([of_a[each] for each in common], [of_b[each] for each in common], classes, of_groups)
            pairs.append(PairAgreement(a, b, agreed))
    differing = {
        row_id
        for row_id, label in of_first.items()
        if len({label, *(labels[row_id] for labels in of_reader.values() if row_id in labels)}) > 1
    }
    similar_labels = [list(spellings) for spellings in similar_names(classes)]
    named = [(pair.first or text("agreement-first-labels"), pair.second, pair.agreement) for pair in pairs]
    return ReadingAgreement(
        first_authors=Counter(each.made_by for each in first.values() if each.made_by is not None),
        readers={reader: len(labels) for reader, labels in of_reader.items()},
        pairs=pairs,
        n_disagreements=len(differing),
        n_decided=len(differing & decided.keys()),
        similar_labels=similar_labels,
        sections=[as_data(agreement_section(named, similar_labels))],
    )


def list_disagreements(workspace: Workspace, dataset_id: str, paging: Paging) -> Page[Disagreement]:
    """Return the images with different labels, those without a decision first.

    Raises:
        NotFound: there is no such dataset.
    """
    with read_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        differs = (
            select(readings.c.row_id)
            .join(second_reading_images, second_reading_images.c.row_id == readings.c.row_id)
            .where(readings.c.dataset_id == dataset_id)
            .group_by(readings.c.row_id)
            .having(
                (func.count(readings.c.label.distinct()) > 1)
                | (func.max(readings.c.label) != func.max(second_reading_images.c.label))
            )
        )
        query = (
            _drawn(dataset_id)
            .add_columns(
                adjudications.c.label.label("decision"),
                adjudications.c.made.label("decided"),
                adjudications.c.made_by.label("decided_by"),
            )
            .outerjoin(adjudications, _is_current_decision)
            .where(second_reading_images.c.row_id.in_(differs))
        )
        total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
        ordered = query.order_by(adjudications.c.label.is_not(None), images.c.position)
        page = connection.execute(ordered.offset(paging.offset).limit(paging.limit)).all()
        is_on_page = readings.c.row_id.in_(among_integers(each.row_id for each in page))
        of_image: dict[int, list[ReadLabel]] = {}
        for each in connection.execute(
            select(readings).where(readings.c.dataset_id == dataset_id, is_on_page).order_by(readings.c.made)
        ):
            of_image.setdefault(each.row_id, []).append(ReadLabel(each.label, each.made_by, each.made or None))
        last = last_changes(ChangedField.DECISION).where(changes.c.dataset_id == dataset_id)
        change_of = {each.row_id: each.change_id for each in connection.execute(last)}
    return Page(
        [
            Disagreement(
                row_id=each.row_id,
                version=each.version,
                first=ReadLabel(each.label, each.made_by, each.made),
                readings=of_image[each.row_id],
                decision=None if each.decision is None else ReadLabel(each.decision, each.decided_by, each.decided),
                change=None if each.decision is None else change_of.get(each.row_id),
            )
            for each in page
        ],
        total,
    )


def decide(workspace: Workspace, dataset_id: str, row_id: int, label: str) -> ReadLabel:
    """Decide the label of an image whose readings differ, in place of an earlier decision. It is labeled with it.

    Raises:
        NotFound: there is no such dataset, or the image was not read again.
        CoverslipError: the label is no class of the dataset.
    """
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        _drawn_image(connection, dataset_id, row_id)
        _refuse_other_class(row, label)
        change = add_change(connection, dataset_id)
        label_rows(connection, row, [row_id], label, change)
        before = stored_decisions(connection, [row_id]).get(row_id)
        made, made_by = now(), author_name()
        after = json.dumps({"label": label, "made": made, "made_by": made_by})
        log_rows(connection, change, ChangedField.DECISION, [(row_id, before, after)])
        store_decisions(connection, dataset_id, {row_id: after})
    return ReadLabel(label, made_by, made)


def stored_decisions(connection: Connection, row_ids: Collection[int]) -> dict[int, str]:
    """Return the decisions about images, as `changed_rows` contains them."""
    columns = (adjudications.c[name] for name in ("row_id", "label", "made", "made_by"))
    decisions = connection.execute(select(*columns).where(adjudications.c.row_id.in_(among_integers(row_ids))))
    return {row.row_id: json.dumps({"label": row.label, "made": row.made, "made_by": row.made_by}) for row in decisions}


def store_decisions(connection: Connection, dataset_id: str, decisions: Mapping[int, str | None]) -> None:
    """Store decisions about images, or remove them.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        decisions: as `stored_decisions`; None: there is none.
    """
    connection.execute(delete(adjudications).where(adjudications.c.row_id.in_(among_integers(decisions))))
    stored = [
        {"dataset_id": dataset_id, "row_id": row_id, **json.loads(decision)}
        for row_id, decision in decisions.items()
        if decision is not None
    ]
    replace_rows(connection, adjudications, stored)


def import_readings(workspace: Workspace, dataset_id: str, file: Path) -> ImportedReadings:
    """Import the readings of a table. They replace earlier ones of the same reader and image.

    Images are matched by `image_id`, else by `path`, which is absolute or as the app shows it. The path of several
    images, such as objects of one field, matches none of them. Rows that repeat a reading count once.

    Raises:
        NotFound: there is no such dataset.
        BadDataset: the table cannot be read, or has no column of the images or labels.
        Conflict: files of these images changed since they were read.
        CoverslipError: a label cannot be a class, or a reader has two labels for an image.
    """
    table = [each for each in read_readings(file) if each.kind != DECISION]
    n_without_author = n_same_author = n_unlabeled = 0
    unknown: list[str] = []
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        listed = connection.execute(
            select(images.c.row_id, images.c.image_id, images.c.path, images.c.shown_path, images.c.label).where(
                images.c.dataset_id == dataset_id
            )
        ).all()
        by_name = _by_name(listed, lambda image: (name_as_text(image.path), image.shown_path))
        by_id = _by_name(listed, lambda image: (image.image_id,))
        matched = []
        for each in table:
            image = _named(by_id, each.image_id) if each.image_id else _named(by_name, each.path)
            if image is None:
                unknown.append(each.image_id or each.path)
            elif not each.author:
                n_without_author += 1
            elif image.label is None:
                n_unlabeled += 1
            else:
                matched.append((image, each))
        refuse_changed_files(connection, row, {image.row_id for image, _ in matched})
        first = _first_labels(connection, dataset_id)
        new_rows = {image.row_id for image, _ in matched if image.row_id not in first}
        _store_first_labels(connection, dataset_id, sorted(new_rows), None)
        first = _first_labels(connection, dataset_id)
        imported: dict[tuple[int, str], dict[str, str | int]] = {}
        for image, each in matched:
            if first[image.row_id].made_by == each.author:
                n_same_author += 1
                continue
            reading = _reading(dataset_id, image.row_id, each.author, each.label, each.time)
            if imported.setdefault((image.row_id, each.author), reading)["label"] != each.label:
                name = one_line(each.image_id or each.path)
                raise CoverslipError("readings-of-one-image", reader=one_line(each.author), image=name)
        _store_readings(connection, list(imported.values()))
        _remove_unread(connection, dataset_id)
    return ImportedReadings(
        n=len(imported),
        n_same_author=n_same_author,
        n_without_author=n_without_author,
        n_unlabeled=n_unlabeled,
        n_unknown=len(unknown),
        unknown=unknown[:_MOST_NAMES],
    )


def _by_name(
    listed: Iterable[Any],
    names_of: Callable[[Any], Iterable[str]],  # Any: rows with some columns of images
) -> dict[str, Any]:
    """Return images by their names, as written and with composed accents, without names of several images."""
    by_name: dict[str, Any] = {}
    shared: set[str] = set()
    for image in listed:
        names = list(names_of(image))
        for name in (*names, *map(composed, names)):
            if by_name.setdefault(name, image) is not image:
                shared.add(name)
    return {name: image for name, image in by_name.items() if name not in shared}


def _named(by_name: Mapping[str, Any], name: str) -> Any:  # Any: rows with some columns of images
    return by_name.get(name) or by_name.get(composed(name))


def readings_lines(workspace: Workspace, dataset_id: str) -> Iterator[str]:
    """Yield CSV with a row for each label, reading and decision. Spreadsheets read no cell as a formula.

    Raises:
        NotFound: there is no such dataset; raised before the first line.
    """
    with workspace.engine.connect() as connection:
        dataset_row(connection, dataset_id)

    def lines() -> Iterator[str]:
        yield csv_text([READING_COLUMNS])
        with read_transaction(workspace.engine) as connection:
            columns = (images.c.row_id, images.c.image_id, images.c.path, images.c.label)
            is_of_dataset = images.c.dataset_id == dataset_id
            first, authors = _first_labels(connection, dataset_id), _authors(connection, dataset_id)
            later = {
                kind: _by_image(connection, table, dataset_id)
                for kind, table in ((READING, readings), (DECISION, adjudications))
            }
            stored = connection.execute(select(*columns).where(is_of_dataset).order_by(images.c.position))
            for batch in stored.partitions(_ROWS_AT_ONCE):  # a chunk for each image would take seconds of threads
                rows: list[list[str]] = []
                for image in batch:
                    cells: list[tuple[str, str | None, str | None, str]] = []
                    if image.row_id in first:
                        each = first[image.row_id]
                        cells.append((each.label, each.made_by, each.made, LABEL))
                    elif image.label is not None:
                        made_by, made = authors.get(image.row_id, (None, None))
                        cells.append((image.label, made_by, made, LABEL))
                    for kind, of_image in later.items():
                        cells += [(row.label, row.made_by, row.made, kind) for row in of_image.get(image.row_id, ())]
                    name = name_as_text(image.path)
                    rows += [[image.image_id, name, *(cell or "" for cell in reading)] for reading in cells]
                yield csv_text(rows)

    return lines()


def _can_be_read(dataset_id: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for labeled images. Of images with equal pixels and classes, the first is read."""
    is_labeled = (images.c.dataset_id == dataset_id, images.c.label.is_not(None), ~images.c.is_excluded)
    first = select(func.min(images.c.position)).where(*is_labeled, images.c.problem == "duplicate")
    is_first = images.c.position.in_(first.group_by(images.c.pixel_hash).correlate(None))
    return (*is_labeled, images.c.problem.is_(None) | (images.c.problem == "conflicting") | is_first)


def _drawn(dataset_id: str) -> Select[Any]:  # Any: columns as the tables define them
    columns = (second_reading_images.c[name] for name in ("row_id", "label", "made", "made_by"))
    return _of_present(second_reading_images, dataset_id, images.c.version, *columns)


def _of_present(table: Table, dataset_id: str, *columns: ColumnElement[Any]) -> Select[Any]:
    """Return a query for columns of a table, for images that are in the dataset now."""
    joined = table.join(images, is_present_in(dataset_id, table))
    return select(*columns).select_from(joined).where(table.c.dataset_id == dataset_id)


def _drawn_image(connection: Connection, dataset_id: str, row_id: int) -> AnyRow:
    image = connection.execute(_drawn(dataset_id).where(images.c.row_id == row_id)).one_or_none()
    if image is None:
        raise NotFound("second-reading-not-drawn")
    return image


def _refuse_other_class(row: AnyRow, label: str) -> None:
    classes = class_order(row.class_names, row.summary["classes"])
    if label not in classes:
        raise CoverslipError("reading-of-other-class", label=label, classes=", ".join(classes))


def _authors(connection: Connection, dataset_id: str) -> dict[int, tuple[str, str]]:
    """Return who gave the current label of each image, and when; only labels that were changed in the app have them."""
    author = func.coalesce(changed_rows.c.made_by, changes.c.made_by).label("author")
    columns = (changed_rows.c.after, author, changes.c.made)
    last = last_changes(ChangedField.LABEL, *columns).where(changes.c.dataset_id == dataset_id).subquery()
    # A folder or table may have given another label since.
    is_current = (images.c.row_id == last.c.row_id) & images.c.label.is_not_distinct_from(last.c.after)
    query = select(last.c.row_id, last.c.author, last.c.made).join(images, is_current)
    return {row.row_id: (row.author, row.made) for row in connection.execute(query)}


def _store_first_labels(connection: Connection, dataset_id: str, row_ids: list[int], start: int | None) -> None:
    """Store the current labels of images, with positions from `start`; None: they are not drawn.

    Images that are there with imported readings keep their first label.
    """
    authors = _authors(connection, dataset_id)
    query = select(images.c.row_id, images.c.label).where(images.c.row_id.in_(among_integers(row_ids)))
    label_of = {row.row_id: row.label for row in connection.execute(query)}
    new = []
    for k, row_id in enumerate(row_ids):
        made_by, made = authors.get(row_id, (None, None))
        position = None if start is None else start + k
        label = {"label": label_of[row_id], "made": made, "made_by": made_by}
        new.append({"dataset_id": dataset_id, "row_id": row_id, "position": position, **label})
    replace_rows(connection, second_reading_images, new, changed=("position",))


def _remove_unread(connection: Connection, dataset_id: str) -> None:
    """Remove images that were not drawn and have no reading."""
    is_read = select(readings.c.row_id).where(readings.c.dataset_id == dataset_id)
    connection.execute(
        delete(second_reading_images).where(
            second_reading_images.c.dataset_id == dataset_id,
            second_reading_images.c.position.is_(None),
            second_reading_images.c.row_id.not_in(is_read),
        )
    )


def _reading(dataset_id: str, row_id: int, reader: str, label: str, made: str) -> dict[str, str | int]:
    return {"dataset_id": dataset_id, "row_id": row_id, "made_by": reader, "label": label, "made": made}


def _store_readings(connection: Connection, new: list[dict[str, str | int]]) -> None:
    replace_rows(connection, readings, new)


def _first_labels(connection: Connection, dataset_id: str) -> dict[int, AnyRow]:
    return {row.row_id: row for row in connection.execute(_drawn(dataset_id))}


def _labels_of_readers(connection: Connection, dataset_id: str) -> dict[str, dict[int, str]]:
    """Return the labels of each reader by image."""
    of_reader: dict[str, dict[int, str]] = {}
    query = _of_present(readings, dataset_id, *readings.c).order_by(readings.c.made_by)
    for row in connection.execute(query):
        of_reader.setdefault(row.made_by, {})[row.row_id] = row.label
    return of_reader


def _by_image(connection: Connection, table: Table, dataset_id: str) -> dict[int, list[AnyRow]]:
    of_image: dict[int, list[AnyRow]] = {}
    query = _of_present(table, dataset_id, *table.c)
    if table is adjudications:
        query = query.where(_is_current_decision)
    for row in connection.execute(query):
        of_image.setdefault(row.row_id, []).append(row)
    return of_image


def _groups(connection: Connection, dataset_id: str) -> dict[int, str | None]:
    query = select(images.c.row_id, images.c.group).where(images.c.dataset_id == dataset_id)
    return {row.row_id: row.group for row in connection.execute(query)}
