"""Blind labels: images are drawn at random, and labeled by readers who see neither labels nor predictions.

Images of a dataset are drawn among those with a label (second reading). Each reader labels each of them. Their labels
are compared with those at the draw, the first labels, and do not change the labels of the dataset. If readers differ,
somebody decides: the decision becomes the label, and all readings are kept.

Images of a prediction are drawn from all of its samples (spot check), and their labels compared with the predictions.
One label of an image is enough; if it has several, the latest counts.
"""

import json
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field
from sqlalchemy import ColumnElement, Connection, Select, delete, func, select

from coverslip.audit.readings import DECISION, LABEL, READING, READING_COLUMNS, read_readings
from coverslip.datasets.names import name_as_text, one_line
from coverslip.datasets.quality.findings import similar_names
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict, CoverslipError, NotFound
from coverslip.evaluation.comparison import Agreement, agreement_of
from coverslip.files import csv_text
from coverslip.inference.spot_check import LabelsNeeded, drawn_images, needed_labels, spot_check_of
from coverslip.messages import text
from coverslip.reports.blocks import ReportSection, as_data
from coverslip.reports.sections.data import agreement_section
from coverslip.reports.spot_check import spot_check_sections
from coverslip.runs.documents import table_text
from coverslip.table_cells import composed
from coverslip.workspace.datasets.image_rows import refuse_changed_files
from coverslip.workspace.datasets.labels import label_rows
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.lists import Answer, Exclusion, answer_of, images_of_job
from coverslip.workspace.predictions.samples import (
    Sampling,
    classes_of,
    finished_prediction,
    measured_run,
    sampled_rows,
    saved_sampling,
)
from coverslip.workspace.store.change_log import ChangedField, add_change, last_changes, log_rows
from coverslip.workspace.store.database import read_transaction, write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
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
    blind_labels,
    changed_rows,
    changes,
    corrections,
    draws,
    images,
)
from coverslip.workspace.store.workspace import Workspace

_ROWS_AT_ONCE = 2_000
# A decision counts while it is the label of its image.
_is_current_decision = (adjudications.c.row_id == images.c.row_id) & (adjudications.c.label == images.c.label)
_MOST_NAMES = 10  # of unknown images to return
_DRAWN_COLUMNS = ("image_id", "path", "label", "made", "made_by")


@dataclass(frozen=True, slots=True)
class DrawnImage(DocumentedFields):
    """A drawn image, without its name, label and prediction."""

    row_id: int
    """Its number in the list."""
    label: str | None
    """Its class by this reader; null: not labeled, or excluded."""
    excluded: Exclusion | None
    """Why this reader excluded it; null: it is not."""
    made: str | None
    """When this reader labeled or excluded it; null: not yet."""
    is_labeled: bool
    """Whether this reader has labeled or excluded it; of a prediction, whether anybody has."""


@dataclass(frozen=True, slots=True)
class HowDrawn(DocumentedFields):
    """How images were drawn."""

    n: int
    """Requested images; of a prediction, of each condition."""
    seed: int
    """Of the random selection."""
    made: str
    """When images were drawn last: ISO 8601, UTC."""
    made_by: str
    """Who drew them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw(DocumentedFields):
    """The drawn images of a dataset or a prediction, for one reader."""

    reader: str
    """The author of the request, else the user account of the server."""
    classes: list[str]
    """The classes of the dataset or the classifier."""
    how: HowDrawn | None
    """null: no images are drawn."""
    images: list[DrawnImage]
    """In random order; of a dataset, without those whose first label is by this reader."""
    n_by_reader: int
    """Drawn images whose first label is by this reader."""
    n_labeled: int | None
    """Labeled images of the dataset, of which images are drawn; null: a prediction."""
    sampling: Sampling | None
    """Samples and conditions of the prediction when images were drawn, else as saved; null: a dataset."""
    n_applied: int
    """Labels that are corrections of the prediction."""
    change: int | None
    """The ID of the last change that made them corrections."""


def read_draw(workspace: Workspace, list_id: str) -> Draw:
    """Return the drawn images of a dataset or a prediction for the reader who asks for them.

    Raises:
        NotFound: there is no such dataset or prediction.
    """
    reader = author_name()
    job = _prediction(workspace, list_id)
    sampling, n_labeled = None, None
    with read_transaction(workspace.engine) as connection:
        draw = connection.execute(select(draws).where(draws.c.list_id == list_id)).one_or_none()
        drawn: list[int] = [] if draw is None else draw.rows
        n_applied, change = _applied(connection, list_id)
        if job is None:
            row = dataset_row(connection, list_id)
            classes = class_order(row.class_names, row.summary["classes"])
            n_labeled = connection.execute(select(func.count()).where(*_can_be_read(list_id))).scalar_one()
            labels = connection.execute(_readings(list_id)).all()
        else:
            classes = classes_of(job)
            sampling = saved_sampling(workspace, job) if draw is None else Sampling.model_validate(draw.sampling)
            labels = connection.execute(select(blind_labels).where(blind_labels.c.list_id == list_id)).all()
    if job is None:
        first_author = {each.row_id: each.made_by for each in labels if each.is_first}
        drawn = [row_id for row_id in drawn if row_id in first_author]  # which are in the dataset now
        others = [row_id for row_id in drawn if not reader or first_author[row_id] != reader]
    else:
        others = drawn
    by_reader = {each.row_id: each for each in labels if each.made_by == reader and not each.is_first}
    labeled = by_reader.keys() if job is None else {each.row_id for each in labels}
    return Draw(
        reader=reader,
        classes=classes,
        how=None if draw is None else HowDrawn(draw.n, draw.seed, draw.made, draw.made_by),
        images=[_drawn_image(row_id, by_reader.get(row_id), is_labeled=row_id in labeled) for row_id in others],
        n_by_reader=len(drawn) - len(others),
        n_labeled=n_labeled,
        sampling=sampling,
        n_applied=n_applied,
        change=change,
    )


def draw_images(workspace: Workspace, list_id: str, n: int) -> Draw:
    """Draw images at random, and return those for the author of the request.

    Of a dataset, up to `n` further labeled images are drawn. Of a prediction, `n` images of each condition are drawn,
    in place of earlier ones without labels.

    Raises:
        NotFound: there is no such dataset or prediction.
        Conflict: the dataset has no further labeled image; images of the prediction are labeled, or it is not finished.
        CoverslipError: there are more samples in a condition than images to draw, or no image can be read.
    """
    if _prediction(workspace, list_id) is None:
        _draw_labeled(workspace, list_id, n)
    else:
        _draw_predicted(workspace, list_id, n)
    return read_draw(workspace, list_id)


def _draw_labeled(workspace: Workspace, dataset_id: str, n: int) -> None:
    with write_transaction(workspace.engine) as connection:
        dataset_row(connection, dataset_id)
        draw = connection.execute(select(draws).where(draws.c.list_id == dataset_id)).one_or_none()
        before, seed = ([], secrets.randbits(32)) if draw is None else (draw.rows, draw.seed)
        query = select(images.c.row_id).where(*_can_be_read(dataset_id)).order_by(images.c.position)
        drawn_before = set(before)
        free = [row_id for row_id in connection.execute(query).scalars() if row_id not in drawn_before]
        if not free:
            raise Conflict("no-image-to-read")
        order = np.random.default_rng([seed, len(before)]).permutation(len(free))[:n]
        drawn = [free[k] for k in order.tolist()]
        _store_draw(connection, dataset_id, n=len(before) + len(drawn), seed=seed, rows=[*before, *drawn])
        imported = {each.row_id for each in connection.execute(_readings(dataset_id))}
        new = _first_labels(connection, dataset_id, [row_id for row_id in drawn if row_id not in imported])
        replace_rows(connection, blind_labels, list(new.values()))


def _draw_predicted(workspace: Workspace, prediction_id: str, n: int) -> None:
    job = finished_prediction(workspace, prediction_id)
    sampling, seed = saved_sampling(workspace, job), secrets.randbits(32)
    rows = sampled_rows(workspace, job, sampling)
    drawn = [rows.row_ids[k] for k in drawn_images(rows.predictions, n, seed)]
    with write_transaction(workspace.engine) as connection:
        if _counting_labels(connection, job.id):
            raise Conflict("spot-check-is-labeled")
        _store_draw(connection, job.id, n=n, seed=seed, rows=drawn, sampling=sampling.model_dump())


def remove_draw(workspace: Workspace, list_id: str) -> None:
    """Remove the drawn images of a list and their labels. Labels that were decided or applied stay as they are.

    Raises:
        NotFound: there is no such dataset or prediction.
    """
    _prediction(workspace, list_id)
    with write_transaction(workspace.engine) as connection:
        connection.execute(delete(draws).where(draws.c.list_id == list_id))
        connection.execute(delete(adjudications).where(adjudications.c.dataset_id == list_id))


def label_image(workspace: Workspace, list_id: str, row_id: int, answer: Answer) -> DrawnImage:
    """Store the label of the author of the request for a drawn image; None removes it.

    Images of a prediction can also be excluded.

    Raises:
        NotFound: there is no such dataset or prediction, or the image is not drawn.
        Conflict: the file of the image was changed, or its first label is by the author of the request.
        CoverslipError: the label is no class.
    """
    reader, made = author_name(), now()
    is_excluded = isinstance(answer, Exclusion)
    job = _prediction(workspace, list_id)
    if job is not None and answer is not None:
        images_of_job(workspace, list_id).refuse_changed_files([row_id])
    is_label = (blind_labels.c.list_id == list_id) & (blind_labels.c.row_id == row_id) & ~blind_labels.c.is_first
    with write_transaction(workspace.engine) as connection:
        if job is None:
            row = dataset_row(connection, list_id)
            first_author = _first_author(connection, list_id, row_id)
            if reader and first_author == reader:
                raise Conflict("second-reading-by-first-author", author=reader)
            classes = class_order(row.class_names, row.summary["classes"])
        else:
            drawn = connection.execute(select(draws.c.rows).where(draws.c.list_id == list_id)).scalar()
            if row_id not in (drawn or ()):
                raise NotFound("row-not-drawn")
            classes = classes_of(job)
        if answer is None:
            connection.execute(delete(blind_labels).where(is_label, blind_labels.c.made_by == reader))
        else:
            _refuse_other_class(answer, classes, can_exclude=job is not None)
            if job is None:
                refuse_changed_files(connection, row, [row_id])
            label = _label(list_id, row_id, answer, reader, made, is_excluded=is_excluded)
            replace_rows(connection, blind_labels, [label])
        labels = connection.execute(select(blind_labels).where(is_label)).all()
    by_reader = next((each for each in labels if each.made_by == reader), None)
    return _drawn_image(row_id, by_reader, is_labeled=bool(by_reader if job is None else labels))


# Second readings: the agreement of the readers of a dataset, decisions, and tables of readings.


@dataclass(frozen=True, slots=True)
class PairAgreement(DocumentedFields):
    """The agreement of two readers."""

    first: str | None
    """A reader; null: the first labels of the images."""
    second: str
    """Another reader."""
    agreement: Agreement


@dataclass(frozen=True, slots=True)
class ReadLabel(DocumentedFields):
    """A label of an image by one author."""

    label: str
    made_by: str | None
    """The author; null: a label of the folder or table."""
    made: str | None
    """When: ISO 8601, UTC; null: unknown."""


@dataclass(frozen=True, slots=True)
class Disagreement(DocumentedFields):
    """An image with different labels."""

    row_id: int
    """The number of the image in the app."""
    first: ReadLabel
    """Its label when it was drawn."""
    readings: list[ReadLabel]
    """Its later readings."""
    decision: ReadLabel | None
    """The decision, which is its label; null: none."""
    change: int | None
    """The ID of the change with the decision; null: none."""


@dataclass(frozen=True, slots=True)
class ReadingAgreement(DocumentedFields):
    """The agreement of all readers."""

    first_authors: dict[str, int]
    """Number of first labels by author. Labels of folders and tables have no author."""
    readers: dict[str, int]
    """Number of images by reader."""
    pairs: list[PairAgreement]
    """Pairs of readers with common images."""
    disagreements: list[Disagreement]
    """Images with different labels, those without a decision first. A reader who has begun does not see those that this
    reader still has to label."""
    similar_labels: list[list[str]]
    """Labels that may be one class with several spellings. They count as different classes."""
    sections: list[ReportSection]
    """The same as tables."""


def reading_agreement(workspace: Workspace, dataset_id: str) -> ReadingAgreement:
    """Compare the readers of a dataset with the first labels and with each other.

    Raises:
        NotFound: there is no such dataset.
    """
    with read_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        readings = connection.execute(_readings(dataset_id)).all()
        drawn = {*(connection.execute(select(draws.c.rows).where(draws.c.list_id == dataset_id)).scalar() or ())}
        decisions = {each.row_id: each for each in connection.execute(_current_decisions(dataset_id))}
        last = last_changes(ChangedField.DECISION).where(changes.c.dataset_id == dataset_id)
        change_of = {each.row_id: each.change_id for each in connection.execute(last)}
    of_reader = defaultdict[str | None, dict[int, str]](dict)
    of_image = defaultdict[int, list[AnyRow]](list)
    for each in readings:
        of_reader[None if each.is_first else each.made_by][each.row_id] = each.label
        of_image[each.row_id].append(each)
    classes = class_order(row.class_names, {each.label for each in readings})
    groups = {each.row_id: each.group for each in readings} if row.summary["n_groups"] else None
    names = sorted(name for name in of_reader if name is not None)
    pairs = []
    for first, second in combinations([None, *names], 2):
        labels, others = of_reader[first], of_reader[second]
        if second is not None and (common := [row_id for row_id in labels if row_id in others]):
            of_groups = None if groups is None else [groups[each] for each in common]
            values = agreement_of(
                [labels[each] for each in common], [others[each] for each in common], classes, of_groups
            )
            pairs.append(PairAgreement(first, second, values))
    reader = author_name()
    disagreements = [
        _disagreement(labels, decisions.get(row_id), change_of.get(row_id))
        for row_id, labels in of_image.items()
        if len({each.label for each in labels}) > 1
        and (reader not in names or row_id not in drawn or any(each.made_by == reader for each in labels))
    ]
    position = {each.row_id: each.position for each in readings}
    similar_labels = [list(spellings) for spellings in similar_names(classes)]
    named = [(pair.first or text("agreement-first-labels"), pair.second, pair.agreement) for pair in pairs]
    return ReadingAgreement(
        first_authors=Counter(each.made_by for each in readings if each.is_first and each.made_by),
        readers={name: len(of_reader[name]) for name in names},
        pairs=pairs,
        disagreements=sorted(disagreements, key=lambda each: (each.decision is not None, position[each.row_id])),
        similar_labels=similar_labels,
        sections=[as_data(agreement_section(named, similar_labels))],
    )


def _disagreement(labels: list[AnyRow], decision: AnyRow | None, change_id: int | None) -> Disagreement:
    first, *readings = (ReadLabel(each.label, each.made_by or None, each.made or None) for each in labels)
    if decision is None:
        return Disagreement(labels[0].row_id, first, readings, None, None)
    decided = ReadLabel(decision.label, decision.made_by, decision.made)
    return Disagreement(labels[0].row_id, first, readings, decided, change_id)


def decide(workspace: Workspace, dataset_id: str, row_id: int, label: str) -> ReadLabel:
    """Decide the label of an image whose readings differ, in place of an earlier decision. It is labeled with it.

    Raises:
        NotFound: there is no such dataset, or the image was not read again.
        CoverslipError: the label is no class of the dataset.
    """
    with write_transaction(workspace.engine) as connection:
        row = dataset_row(connection, dataset_id)
        _first_author(connection, dataset_id, row_id)
        _refuse_other_class(label, class_order(row.class_names, row.summary["classes"]))
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


@dataclass(frozen=True, slots=True)
class ImportedReadings(DocumentedFields):
    """Which rows of a table were imported."""

    n: int
    """Readings that were imported."""
    n_same_author: int
    """Rows by the author of the first label, which are not imported."""
    n_without_author: int
    """Rows without an author, which are not imported."""
    n_unlabeled: int
    """Rows of images without a label, which are not imported."""
    n_unknown: int
    """Rows whose image is not in the dataset, or whose path is that of several images."""
    unknown: Annotated[list[str], Field(description=f"The first {_MOST_NAMES} of these images.")]


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
        row_ids = {image.row_id for image, _ in matched}
        refuse_changed_files(connection, row, row_ids)
        first_author = {
            each.row_id: each.made_by for each in connection.execute(_readings(dataset_id)) if each.is_first
        }
        new_first = _first_labels(connection, dataset_id, row_ids - first_author.keys())
        first_author |= {row_id: label["made_by"] for row_id, label in new_first.items()}
        imported: dict[tuple[int, str], dict[str, Any]] = {}
        for image, each in matched:
            if first_author[image.row_id] == each.author:
                n_same_author += 1
                continue
            reading = _label(dataset_id, image.row_id, each.label, each.author, each.time)
            if imported.setdefault((image.row_id, each.author), reading)["label"] != each.label:
                name = one_line(each.image_id or each.path)
                raise CoverslipError("readings-of-one-image", reader=one_line(each.author), image=name)
        if imported and connection.execute(select(draws).where(draws.c.list_id == dataset_id)).first() is None:
            _store_draw(connection, dataset_id, n=0, seed=secrets.randbits(32), rows=[])
        first = [new_first[row_id] for row_id, _ in imported if row_id in new_first]
        replace_rows(connection, blind_labels, [*first, *imported.values()])
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
            authors = _authors(connection, dataset_id)
            cells_of = defaultdict[int, list[tuple[str, str | None, str | None, str]]](list)
            first: set[int] = set()
            for each in connection.execute(_readings(dataset_id)):
                first.add(each.row_id)
                kind = LABEL if each.is_first else READING
                cells_of[each.row_id].append((each.label, each.made_by, each.made, kind))
            for each in connection.execute(_current_decisions(dataset_id)):
                cells_of[each.row_id].append((each.label, each.made_by, each.made, DECISION))
            stored = connection.execute(select(*columns).where(is_of_dataset).order_by(images.c.position))
            for batch in stored.partitions(_ROWS_AT_ONCE):  # a chunk for each image would take seconds of threads
                rows: list[list[str]] = []
                for image in batch:
                    cells = cells_of[image.row_id]
                    if image.row_id not in first and image.label is not None:
                        cells = [(image.label, *authors.get(image.row_id, (None, None)), LABEL), *cells]
                    name = name_as_text(image.path)
                    rows += [[image.image_id, name, *(cell or "" for cell in reading)] for reading in cells]
                yield csv_text(rows)

    return lines()


# Spot checks: the labels of images of a prediction, compared with the predictions.


@dataclass(frozen=True, slots=True)
class LabelsForWidth(DocumentedFields):
    """How many labels an interval of some width needs."""

    half_width: float
    """Half the width of the 95% interval."""
    needed: list[LabelsNeeded]
    """For the accuracy, and for each class including differences between samples, in each condition."""


def labels_needed(workspace: Workspace, prediction_id: str, half_width: float) -> LabelsForWidth:
    """Return how many labels of each condition an interval of this half width needs.

    Raises:
        NotFound, Conflict, CoverslipError: as `draw_images`.
    """
    job = finished_prediction(workspace, prediction_id)
    rows = sampled_rows(workspace, job, saved_sampling(workspace, job))
    needed = needed_labels(classes_of(job), rows.predictions, measured_run(workspace, job), half_width)
    return LabelsForWidth(half_width, list(needed))


@dataclass(frozen=True, slots=True)
class SpotCheckResult(DocumentedFields):
    """Whether a classifier works on predicted images, and class proportions with the help of labels."""

    n_drawn: int
    n_labeled: int
    n_excluded: int
    """Drawn images that show no class, or cannot be judged."""
    sections: list[ReportSection]
    """`accuracy` in each condition, and `proportions` of the classes in each."""


def draw_result(workspace: Workspace, list_id: str) -> ReadingAgreement | SpotCheckResult:
    """Compare the labels of a dataset with each other, or those of a prediction with the predictions.

    Raises:
        NotFound: there is no such dataset or prediction.
        Conflict: no image of the prediction is labeled, or it is not finished.
        CoverslipError: no image of the prediction can be read.
    """
    if _prediction(workspace, list_id) is None:
        return reading_agreement(workspace, list_id)
    job = finished_prediction(workspace, list_id)
    with read_transaction(workspace.engine) as connection:
        draw = connection.execute(select(draws).where(draws.c.list_id == list_id)).one_or_none()
        labels = _counting_labels(connection, list_id)
    if draw is None or not labels:
        raise Conflict("spot-check-not-labeled")
    rows = sampled_rows(workspace, job, Sampling.model_validate(draw.sampling))
    of_row = {k: labels[row_id].label for k, row_id in enumerate(rows.row_ids) if row_id in labels}
    run = measured_run(workspace, job)
    check = spot_check_of(classes_of(job), rows.predictions, of_row, run, n_drawn=len(draw.rows))
    sections = [*map(as_data, spot_check_sections(check))]
    return SpotCheckResult(check.n_drawn, check.n_labeled, check.n_excluded, sections)


def drawn_labels(workspace: Workspace, prediction_id: str) -> dict[int, AnyRow | None]:
    """Return the label that counts of each drawn image of a prediction in random order; None: it has none."""
    with read_transaction(workspace.engine) as connection:
        drawn = connection.execute(select(draws.c.rows).where(draws.c.list_id == prediction_id)).scalar()
        labels = _counting_labels(connection, prediction_id)
    return {row_id: labels.get(row_id) for row_id in drawn or ()}


def labels_table(workspace: Workspace, prediction_id: str) -> str:
    """Return a CSV table of the drawn images with labels, times and authors, as `coverslip spot-check --labels` reads.

    Raises:
        NotFound: there is no such prediction.
        Conflict: files of labeled images were changed after the prediction.
    """
    listed = images_of_job(workspace, prediction_id, "predict")
    labels = drawn_labels(workspace, prediction_id)
    listed.refuse_changed_files([row_id for row_id, label in labels.items() if label is not None])
    rows = {row.row_id: row for row in listed.at([*labels])}
    return table_text(
        _DRAWN_COLUMNS,
        (
            {
                "image_id": rows[row_id].image_id,
                "path": rows[row_id].path,
                **{name: "" if label is None else label._mapping[name] for name in ("label", "made", "made_by")},
            }
            for row_id, label in labels.items()
        ),
    )


def _prediction(workspace: Workspace, list_id: str) -> Job | None:
    """Return the prediction whose images are drawn; None: they are of a dataset.

    Raises:
        NotFound: there is no such dataset or prediction.
    """
    with suppress(NotFound), workspace.engine.connect() as connection:
        dataset_row(connection, list_id)
        return None
    return find_job(workspace, list_id, "predict")


def _store_draw(
    connection: Connection, list_id: str, *, n: int, seed: int, rows: list[int], sampling: object = None
) -> None:
    how = {"n": n, "seed": seed, "rows": rows, "sampling": sampling, "made": now(), "made_by": author_name()}
    replace_rows(connection, draws, [{"list_id": list_id, **how}])


def _label(
    list_id: str, row_id: int, label: str, made_by: str, made: str, *, is_excluded: bool = False, is_first: bool = False
) -> dict[str, Any]:
    """Return a row of `blind_labels`."""
    values = {"label": str(label), "made": made, "is_excluded": is_excluded, "is_first": is_first}
    return {"list_id": list_id, "row_id": row_id, "made_by": made_by, **values}


def _drawn_image(row_id: int, label: AnyRow | None, *, is_labeled: bool) -> DrawnImage:
    if label is None:
        return DrawnImage(row_id, None, None, None, is_labeled)
    answer = answer_of(label)
    if isinstance(answer, Exclusion):
        return DrawnImage(row_id, None, answer, label.made, is_labeled)
    return DrawnImage(row_id, answer, None, label.made, is_labeled)


def _refuse_other_class(answer: str, classes: Collection[str], *, can_exclude: bool = False) -> None:
    if not (can_exclude if isinstance(answer, Exclusion) else answer in classes):
        raise CoverslipError("blind-label-of-other-class", label=str(answer), classes=", ".join(classes))


def _readings(dataset_id: str) -> Select[Any]:  # Any: columns as the tables define them
    """Return a query for the first labels, then the readings, of images that are in a dataset now."""
    joined = blind_labels.join(images, is_present_in(dataset_id, blind_labels))
    query = select(*blind_labels.c, images.c.position, images.c.group).select_from(joined)
    ordered = query.order_by(blind_labels.c.is_first.desc(), blind_labels.c.made)
    return ordered.where(blind_labels.c.list_id == dataset_id)


def _current_decisions(dataset_id: str) -> Select[Any]:  # Any: columns as the table defines them
    is_present = is_present_in(dataset_id, adjudications)
    return select(adjudications).join(images, is_present & _is_current_decision)


def _counting_labels(connection: Connection, prediction_id: str) -> dict[int, AnyRow]:
    """Return the latest label of each labeled image of a prediction."""
    labels = select(blind_labels).where(blind_labels.c.list_id == prediction_id)
    latest_last = labels.order_by(blind_labels.c.made, blind_labels.c.made_by)
    return {each.row_id: each for each in connection.execute(latest_last)}


def _applied(connection: Connection, prediction_id: str) -> tuple[int, int | None]:
    """Return how many labels of a spot check are corrections, and the last change that made them."""
    is_applied = (corrections.c.job_id == prediction_id) & corrections.c.is_of_spot_check
    n_applied = connection.execute(select(func.count()).where(is_applied)).scalar_one()
    is_answer = (changes.c.job_id == prediction_id) & (changed_rows.c.field == ChangedField.ANSWER)
    applying = (
        select(func.max(changes.c.id))
        .join_from(changes, changed_rows)
        .where(is_answer, ~changed_rows.c.is_undone, func.json_extract(changed_rows.c.after, "$.is_of_spot_check"))
    )
    return n_applied, connection.execute(applying).scalar() if n_applied else None


def _can_be_read(dataset_id: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions for labeled images. Of images with equal pixels and classes, the first is read."""
    is_labeled = (images.c.dataset_id == dataset_id, images.c.label.is_not(None), ~images.c.is_excluded)
    first = select(func.min(images.c.position)).where(*is_labeled, images.c.problem == "duplicate")
    is_first = images.c.position.in_(first.group_by(images.c.pixel_hash).correlate(None))
    return (*is_labeled, images.c.problem.is_(None) | (images.c.problem == "conflicting") | is_first)


def _first_author(connection: Connection, dataset_id: str, row_id: int) -> str:
    """Return the author of the first label of an image; empty: a label of a folder or table.

    Raises:
        NotFound: the image has no first label, because it was neither drawn nor has imported readings.
    """
    is_first = (blind_labels.c.row_id == row_id) & blind_labels.c.is_first
    first = connection.execute(_readings(dataset_id).where(is_first)).one_or_none()
    if first is None:
        raise NotFound("row-not-drawn")
    return str(first.made_by)


def _authors(connection: Connection, dataset_id: str) -> dict[int, tuple[str, str]]:
    """Return who gave the current label of each image, and when; only labels that were changed in the app have them."""
    author = func.coalesce(changed_rows.c.made_by, changes.c.made_by).label("author")
    columns = (changed_rows.c.after, author, changes.c.made)
    last = last_changes(ChangedField.LABEL, *columns).where(changes.c.dataset_id == dataset_id).subquery()
    # A folder or table may have given another label since.
    is_current = (images.c.row_id == last.c.row_id) & images.c.label.is_not_distinct_from(last.c.after)
    query = select(last.c.row_id, last.c.author, last.c.made).join(images, is_current)
    return {row.row_id: (row.author, row.made) for row in connection.execute(query)}


def _first_labels(connection: Connection, dataset_id: str, row_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return the current labels of images as first labels, by row_id."""
    authors = _authors(connection, dataset_id)
    query = select(images.c.row_id, images.c.label).where(images.c.row_id.in_(among_integers(row_ids)))
    return {
        row_id: _label(dataset_id, row_id, label, *authors.get(row_id, ("", "")), is_first=True)
        for row_id, label in connection.execute(query)
    }
