"""Add predicted images with a corrected or confirmed class to a dataset, as a source of it."""

import json
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from sqlalchemy import Connection, select

from coverslip.datasets.columns import find_column
from coverslip.datasets.index.opening import group_by_field, open_dataset
from coverslip.datasets.index.records import ImageRecord
from coverslip.datasets.names import name_as_text, natural_key
from coverslip.datasets.quality.scanning import scan_images
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Conflict, NotFound, UnreadableImage
from coverslip.images.decoding import describe_image
from coverslip.images.preprocessing import PixelFacts
from coverslip.images.reader import PixelSize
from coverslip.runs.images import ImageSource
from coverslip.workspace.correcting.corrections import (
    LabeledImage,
    exclude_by_job,
    excluded_by_job,
    is_joined_table_of,
    joined_table_of,
    table_of,
)
from coverslip.workspace.correcting.trained_images import CurrentImage, ImageChanges, compare_images, current_images
from coverslip.workspace.datasets import grouping
from coverslip.workspace.datasets.labels import label_rows
from coverslip.workspace.datasets.reading_images import search_duplicates
from coverslip.workspace.datasets.sources import Grouping, Source, change_dataset, grouping_for, reopen_sources
from coverslip.workspace.datasets.state import DatasetState, conflicts_by_hash, dataset_state
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.lists import Row, images_of_job, rows_in_dataset
from coverslip.workspace.store.change_log import ChangedField, add_change, log_rows, without_empty
from coverslip.workspace.store.database import write_transaction
from coverslip.workspace.store.rows import (
    AnyRow,
    Json,
    among_integers,
    dataset_row,
    plan_of_dataset,
    refuse_unready,
    table_choices,
)
from coverslip.workspace.store.tables import images, jobs
from coverslip.workspace.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class JoinCounts(DocumentedFields):
    """Images of a prediction with a corrected or confirmed class, by what adding them to a dataset does."""

    n_new: int
    """Images that the dataset does not have yet: they are added."""
    n_withdrawn: int
    """Images that an earlier call added and that have no such class any more: they are removed."""
    n_relabeled: int
    """Images of the dataset that get another label."""
    n_same_label: int
    """Images of the dataset that already have this label."""
    n_conflicting: int
    """Images of these two counts whose duplicates in the dataset have another label: trainings exclude all of them."""
    n_duplicates: int
    """Images that the dataset has under another name: their answers are not used."""
    n_unreadable: int
    """Images that are not in the dataset and cannot be read."""


@dataclass(frozen=True, slots=True)
class JoinResult(DocumentedFields):
    """A dataset after corrected and confirmed images of a prediction were added."""

    dataset: DatasetState
    counts: JoinCounts
    change: int | None
    """The ID of the change; null if nothing changed."""


def join_dataset(workspace: Workspace, prediction_id: str, dataset_id: str) -> JoinResult:
    """Add the images of a prediction with a corrected or confirmed class to a dataset.

    Their files stay where they are: a table of them becomes a source of the dataset, and removing that source removes
    them. A table that an earlier call added is replaced, so that the dataset follows the current answers. Images whose
    file is in another source of the dataset are not added again: they get the label there, or are excluded. These
    changes stay if the source is removed. An image that an earlier call excluded is included if its answer is another
    one now. Images with the pixels of another image of the dataset are not added either.

    Raises:
        NotFound: there is no such prediction or dataset.
        Conflict: the dataset is not ready, no image has a corrected or confirmed class, or files of such images were
            changed after the prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    joining = _joining(workspace, job, dataset_id)
    if not joining.earlier and not any(row.correction is not None for row, _ in joining.answered):
        raise Conflict("no-answers-yet")
    dataset = joining.dataset
    added_sources: list[Json] = []
    with workspace.engine.connect() as connection:
        counts = _join_counts(connection, joining)
    if joining.images:
        domain = joining.earlier[0]["domain"] if joining.earlier else _free_domain(job.name, dataset)
        with workspace.engine.connect() as connection:
            group_columns = _group_columns(workspace, connection, dataset)
        table = joined_table_of(workspace, job, joining.images, table_choices(dataset).columns, group_columns)
        added_sources = [asdict(Source(str(table), domain))]
    sources = [*joining.other_sources, *added_sources]
    if sources != dataset.sources:
        change_dataset(workspace, dataset_id, {"sources": sources}, since=dataset)
    change = _apply_answers(workspace, job, dataset_id, joining, _joined(added_sources))
    return JoinResult(dataset_state(workspace, dataset_id), counts, change)


def joined_source(job: Job, dataset: AnyRow) -> str | None:
    """Return the table of a prediction in a dataset and its domain, as `changed_rows` contains them; None: none."""
    return _joined(_divided_by(job, dataset.sources)[0])


def restore_joined(workspace: Workspace, job: Job, dataset: AnyRow, joined: str | None) -> None:
    """Replace the table of a prediction in a dataset by another one, or remove it. Other sources do not change.

    Args:
        workspace: the workspace.
        job: the prediction.
        dataset: the row of the dataset.
        joined: the table, as of `joined_source`.

    Raises:
        NotFound: there is no such table any more.
        Conflict: the dataset has changed meanwhile, or would have no images.
    """
    _, sources = _divided_by(job, dataset.sources)
    if joined is not None:
        stated = json.loads(joined)
        table = workspace.snapshots / stated["table"]
        if not table.is_file():
            raise NotFound("no-joined-table")
        sources = [*sources, asdict(Source(str(table), stated["domain"]))]
    if not sources:
        raise Conflict("only-joined-images")
    change_dataset(workspace, dataset.id, {"sources": sources}, since=dataset)


def _joined(sources: Sequence[Json]) -> str | None:
    return json.dumps({"table": Path(sources[0]["path"]).name, "domain": sources[0]["domain"]}) if sources else None


@dataclass(frozen=True, slots=True)
class JoinPreview(DocumentedFields):
    """What adding the corrected and confirmed images of a prediction to a dataset would do."""

    counts: JoinCounts
    changes: ImageChanges | None
    """How images of a new training would then differ from those of the classifier's training; null if that training
    used another dataset."""
    grouped_by: Literal["column", "pattern"] | None
    """What defines the groups of the training."""
    group: str | None
    """That column or pattern."""
    n_ungrouped: int
    """Images of the prediction, also those added earlier, without a known group there."""
    groups: list[str]
    """Groups of the others: those that the pattern finds in their paths, and those of their fields of view."""


def preview_join(workspace: Workspace, prediction_id: str, dataset_id: str) -> JoinPreview:
    """Return what `join_dataset` would do, and the groups of these images.

    Raises:
        NotFound: there is no such prediction or dataset.
        Conflict: the dataset is not ready, or files of these images were changed after the prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    joining = _joining(workspace, job, dataset_id)
    with workspace.engine.connect() as connection:
        counts = _join_counts(connection, joining)
        group_by = _grouped_by(workspace, connection, joining.dataset, job)
        changes = _changes(workspace, connection, joining, job)
    groups: list[str | None] = [None] * len(joining.images)
    if group_by.pattern is not None:
        paths = [name_as_text(picture.file.as_posix()) for _, picture, _ in joining.images]
        groups = grouping.groups_of_paths(group_by.pattern, paths)
    if group_by.column is not None or group_by.pattern is not None:
        present = reopen_sources(workspace, joining.dataset, group_by.column, group_by.pattern).records
        added = [
            ImageRecord(image_id, picture.file, None, group, "", None, picture.plan)
            for (image_id, picture, _), group in zip(joining.images, groups, strict=True)
        ]
        groups = [record.group for record in group_by_field([*present, *added], group_by.column)[len(present) :]]
    known_groups = [group for group in groups if group is not None]
    return JoinPreview(
        counts=counts,
        changes=changes,
        grouped_by="column" if group_by.column is not None else "pattern" if group_by.pattern is not None else None,
        group=group_by.column or group_by.pattern,
        n_ungrouped=len(groups) - len(known_groups) if group_by.column or group_by.pattern else 0,
        groups=sorted(set(known_groups), key=natural_key),
    )


def _grouped_by(workspace: Workspace, connection: Connection, dataset: AnyRow, job: Job) -> Grouping:
    """Return the grouping of the classifier's training on this dataset; else the grouping of the dataset."""
    training = _training_on(workspace, connection, dataset, job)
    if training is not None and training.choices.get("group") is not None:
        return grouping_for(workspace, dataset, training.choices["group"])
    return Grouping(dataset.group_column or _column_of_groups(workspace, dataset), dataset.group_pattern)


def _column_of_groups(workspace: Workspace, dataset: AnyRow) -> str | None:
    """Return the column that defines the groups by its name alone."""
    if dataset.group_pattern is not None or not dataset.summary["n_groups"]:
        return None
    columns = grouping.common_columns(workspace, dataset.id)
    at = find_column(columns, "group")
    return None if at is None else columns[at]


def _training_on(workspace: Workspace, connection: Connection, dataset: AnyRow, job: Job) -> Job | None:
    """Return the training of the classifier, if it used this dataset."""
    is_training = (jobs.c.id == job.classifier_id) & (jobs.c.kind == "train") & (jobs.c.dataset_id == dataset.id)
    run_id = connection.execute(select(jobs.c.id).where(is_training)).scalar_one_or_none()
    return None if run_id is None else find_job(workspace, run_id, "train")


@dataclass(frozen=True, slots=True)
class _Joining:
    """The images to add to a dataset, and its current content."""

    dataset: AnyRow
    now: Sequence[CurrentImage]
    answered: Sequence[tuple[Row, ImageSource]]  # rows that a user corrected, confirmed or excluded
    present: Mapping[int, str]  # answers by the row_ids of images that other sources of the dataset have
    added: Mapping[int, str]  # the same of images that an earlier call added and that stay
    excluded: frozenset[int]  # row_ids of images that are to be excluded
    images: Sequence[LabeledImage]  # to be in the table, also those that an earlier call added
    n_duplicates: int
    n_unreadable: int
    earlier: Sequence[Json]  # sources that earlier calls added
    earlier_domains: frozenset[str]
    other_sources: list[Json]

    @property
    def answers(self) -> dict[int, str]:
        """The answers by row_id, for images that remain in the dataset."""
        return {**self.present, **self.added}


def _joining(workspace: Workspace, job: Job, dataset_id: str) -> _Joining:
    listed = images_of_job(workspace, job.id)
    answered_rows = [
        (row, picture)
        for row, picture in listed.every_image()
        if row.correction is not None or row.excluded is not None
    ]
    listed.refuse_changed_files([row.row_id for row, _ in answered_rows])
    present: dict[int, str] = {}
    excluded: set[int] = set()
    candidates: list[LabeledImage] = []
    row_ids: list[int | None] = []  # of the others
    with workspace.engine.connect() as connection:
        dataset = refuse_unready(connection, dataset_id)
        earlier, other_sources = _divided_by(job, dataset.sources)
        earlier_domains = _domains_of(dataset, earlier)
        images_now = current_images(connection, dataset_id)
        added_before = {image.row_id for image in images_now if image.domain in earlier_domains}
        present_rows = _rows_of(connection, job, dataset_id, answered_rows)
        for (row, picture), row_id in zip(answered_rows, present_rows, strict=True):
            if row.correction is None:
                excluded.update([] if row_id is None else [row_id])
            elif row_id is None or row_id in added_before:
                candidates.append((row.image_id, picture, row.correction))
                row_ids.append(row_id)
            else:
                present[row_id] = row.correction
        hashes = set(_hashes_of_others(connection, dataset, earlier_domains))
    if table_choices(dataset).crop_size is None:
        candidates = _with_boxes(workspace, candidates)
    outcomes = _outcomes(job, dataset, hashes, candidates)
    added_indices = [k for k, outcome in enumerate(outcomes) if outcome == "added"]
    return _Joining(
        dataset=dataset,
        now=images_now,
        answered=answered_rows,
        present=present,
        added={row_id: candidates[k][2] for k in added_indices if (row_id := row_ids[k]) is not None},
        excluded=frozenset(excluded),
        images=[candidates[k] for k in added_indices],
        n_duplicates=outcomes.count("duplicate"),
        n_unreadable=outcomes.count("unreadable"),
        earlier=earlier,
        earlier_domains=earlier_domains,
        other_sources=other_sources,
    )


def _rows_of(
    connection: Connection, job: Job, dataset_id: str, answered: Sequence[tuple[Row, ImageSource]]
) -> list[int | None]:
    return rows_in_dataset(connection, job, dataset_id, [(row.row_id, source) for row, source in answered])


def _join_counts(connection: Connection, joining: _Joining) -> JoinCounts:
    answers = joining.answers
    n_relabeled = sum(image.label != answers.get(image.row_id, image.label) for image in joining.now)
    n_earlier = sum(image.domain in joining.earlier_domains for image in joining.now)
    return JoinCounts(
        n_new=len(joining.images) - len(joining.added),
        n_withdrawn=n_earlier - len(joining.added),
        n_relabeled=n_relabeled,
        n_same_label=len(answers) - n_relabeled,
        n_conflicting=_n_conflicting(connection, joining.dataset, answers),
        n_duplicates=joining.n_duplicates,
        n_unreadable=joining.n_unreadable,
    )


def _changes(workspace: Workspace, connection: Connection, joining: _Joining, job: Job) -> ImageChanges | None:
    """Return how images would differ from those of the classifier's training, if it used this dataset."""
    training = _training_on(workspace, connection, joining.dataset, job)
    if training is None:
        return None
    changes, _ = compare_images(workspace, connection, training, _images_after(connection, joining, job))
    return replace(changes, n_added=changes.n_added + len(joining.images) - len(joining.added))


def _images_after(connection: Connection, joining: _Joining, job: Job) -> list[CurrentImage]:
    """Return the images of the dataset after the addition, without the new ones."""
    answers, by_job = joining.answers, excluded_by_job(connection, job.id)
    return [
        replace(
            image,
            label=answers.get(image.row_id, image.label),
            is_excluded=image.row_id in joining.excluded or (image.is_excluded and image.row_id not in by_job),
        )
        for image in joining.now
        if image.row_id in joining.added or image.domain not in joining.earlier_domains
    ]


def _n_conflicting(connection: Connection, dataset: AnyRow, answers: Mapping[int, str]) -> int:
    """Count the images that will have duplicates with another label."""
    included = (images.c.dataset_id == dataset.id) & ~images.c.is_excluded
    is_answered = included & images.c.row_id.in_(among_integers(answers))
    hashes = select(images.c.pixel_hash).where(is_answered, images.c.pixel_hash.is_not(None))
    columns = (images.c.row_id, images.c.pixel_hash, images.c.label, images.c.domain)
    duplicates = connection.execute(select(*columns).where(included, images.c.pixel_hash.in_(hashes))).all()
    labeled = {(image.pixel_hash, answers.get(image.row_id, image.label), image.domain) for image in duplicates}
    are_conflicts = conflicts_by_hash(dataset, labeled)
    return sum(are_conflicts[image.pixel_hash] for image in duplicates if image.row_id in answers)


def _divided_by(job: Job, sources: Sequence[Json]) -> tuple[list[Json], list[Json]]:
    """Return the sources that earlier calls added for a prediction, and the others."""
    earlier = [source for source in sources if is_joined_table_of(job, source["path"])]
    return earlier, [source for source in sources if source not in earlier]


def _hashes_of_others(connection: Connection, dataset: AnyRow, earlier_domains: Set[str]) -> Sequence[str | None]:
    others = (images.c.dataset_id == dataset.id) & images.c.domain.not_in(earlier_domains)
    return connection.execute(select(images.c.pixel_hash).where(others)).scalars().all()


def _domains_of(dataset: AnyRow, sources: Sequence[Json]) -> frozenset[str]:
    """Return the domains of sources, including those without a given name."""
    paths = {source["path"] for source in sources}
    origins = dataset.opened["origins"]
    return frozenset(origin["domain"] for origin in origins if paths.intersection(origin["sources"]))


def _group_columns(workspace: Workspace, connection: Connection, dataset: AnyRow) -> list[str]:
    """Return the group columns of the dataset and of trainings on it. A table without them could not be added."""
    trained = (jobs.c.dataset_id == dataset.id) & (jobs.c.kind == "train")
    all_choices = connection.execute(select(jobs.c.choices).where(trained)).scalars()
    group_columns = {dataset.group_column, *(choices.get("group") for choices in all_choices)}
    return [column for column in grouping.common_columns(workspace, dataset.id) if column in group_columns]


def _with_boxes(workspace: Workspace, labeled: Sequence[LabeledImage]) -> list[LabeledImage]:
    """Return images with squares in µm around points as boxes in pixels, which need no crop size of the dataset."""
    pixel_sizes: dict[tuple[Path, int], PixelSize | None] = {}
    images_with_boxes = []
    for image_id, picture, label in labeled:
        plan, file = picture.plan, (picture.file, picture.plan.series)
        if plan.region is not None and plan.has_physical_size:
            if file not in pixel_sizes:
                pixel_sizes[file] = None
                with suppress(UnreadableImage, IndexError):
                    pixel_sizes[file] = describe_image(file[0], within=workspace.readable)[file[1]].pixel_size_um
            side = plan.pixel_size_um
            with suppress(ValueError):  # the pixel size is unknown
                box = plan.crop((0, 0), pixel_sizes[file] if side is None else (side, side))
                plan = plan.model_copy(update={"region": box, "crop_size": None})
        images_with_boxes.append((image_id, replace(picture, plan=plan), label))
    return images_with_boxes


def _outcomes(
    job: Job, dataset: AnyRow, hashes: set[str | None], labeled: Sequence[LabeledImage]
) -> list[Literal["added", "duplicate", "unreadable"]]:
    """Return the outcome for images that are not in other sources. Images with known pixels are duplicates."""
    if not labeled:
        return []
    with TemporaryDirectory() as folder:
        table = str(table_of(Path(folder), job, labeled))
        scan = scan_images(open_dataset([table], labeled=False, plan=plan_of_dataset(dataset)))
    earlier_hashes = set(hashes)
    outcomes: list[Literal["added", "duplicate", "unreadable"]] = []
    for facts in scan.facts:
        if not isinstance(facts, PixelFacts):
            outcomes.append("unreadable")
        elif facts.pixel_hash in earlier_hashes:
            outcomes.append("duplicate")
        else:
            earlier_hashes.add(facts.pixel_hash)
            outcomes.append("added")
    return outcomes


def _free_domain(name: str, dataset: AnyRow) -> str:
    """Return the name of the prediction, with a number if the dataset already has a domain of this name."""
    used_domains = {origin["domain"] for origin in dataset.opened["origins"]} | {s["domain"] for s in dataset.sources}
    numbered = (name if n == 1 else f"{name} {n}" for n in range(1, len(used_domains) + 2))
    return next(each for each in numbered if each not in used_domains)


def _apply_answers(
    workspace: Workspace, job: Job, dataset_id: str, joining: _Joining, joined: str | None
) -> int | None:
    """Label, exclude and include images in the dataset, as its images are now; return the change with the new table."""
    answered = joining.answered
    rows_by_label: dict[str, list[int]] = {}
    excluded: list[int] = []
    with write_transaction(workspace.engine) as connection:
        change = add_change(connection, dataset_row(connection, dataset_id).id, job.id)
        joined_before = _joined(joining.earlier)
        if joined != joined_before:
            log_rows(connection, change, ChangedField.JOIN, [(0, joined_before, joined)])
        for (row, _), row_id in zip(answered, _rows_of(connection, job, dataset_id, answered), strict=True):
            if row_id is not None and row.correction is not None:
                rows_by_label.setdefault(row.correction, []).append(row_id)
            elif row_id is not None:
                excluded.append(row_id)
        by_job = select(images.c.row_id).where(
            images.c.dataset_id == dataset_id, images.c.row_id.in_(among_integers(excluded_by_job(connection, job.id)))
        )
        included = sorted(set(connection.execute(by_job).scalars()).difference(excluded))
        for label, row_ids in rows_by_label.items():
            label_rows(connection, dataset_row(connection, dataset_id), row_ids, label, change)
        exclude_by_job(connection, dataset_id, excluded, change, is_excluded=True, job_id=job.id)
        exclude_by_job(connection, dataset_id, included, change, is_excluded=False, job_id=job.id)
        changed = without_empty(connection, change)
    if excluded or included:
        search_duplicates(workspace, dataset_id)
    return changed
