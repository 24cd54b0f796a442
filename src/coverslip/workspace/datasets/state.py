"""The classes of datasets, their counts, and their state as the app shows it."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ConfigDict, Field, ValidationError
from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, update

from coverslip.datasets.index.classes import ClassPlan, check_classes, with_classes
from coverslip.datasets.index.records import DECISIONS, Dataset, ImageRecord
from coverslip.datasets.index.table_rows import GROUPED_BY_FIELD
from coverslip.datasets.names import clean_label, natural_key, one_line, printable
from coverslip.documented_fields import DocumentedFields, DocumentedModel
from coverslip.errors import BadRecipe, CoverslipError, NotFound
from coverslip.messages import Failure, failure_of
from coverslip.runs.progress import Work
from coverslip.workspace.datasets.pixel_options import PixelChoice
from coverslip.workspace.store.change_log import ChangedField
from coverslip.workspace.store.rows import (
    OUTSIDE,
    WHOLE,
    AnyRow,
    Json,
    Page,
    Paging,
    among,
    as_dataset,
    class_order,
    dataset_row,
    is_annotated,
    source_paths,
    table_choices,
)
from coverslip.workspace.store.tables import changed_rows, datasets, image_facts, images
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.tiles import ChannelDisplay, display_of

_LONGEST = 200  # characters


class Classes(DocumentedModel):
    """The classes for trainings: merged, excluded or renamed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    merge: dict[str, list[str]] = Field(default_factory=dict)
    """New name, old names."""
    drop: list[str] = Field(default_factory=list)
    """Classes whose images are excluded."""
    rename: dict[str, str] = Field(default_factory=dict)
    """Old name, new name."""


def clean_name(name: str) -> str:
    """Return the normalized name of a class.

    Raises:
        CoverslipError: this cannot be the name of a class.
    """
    cleaned = clean_label(name)
    if not cleaned:
        raise CoverslipError("empty-class-name")
    if len(cleaned) > _LONGEST or "\0" in cleaned:
        raise CoverslipError("long-class-name", n_characters=_LONGEST)
    if cleaned in DECISIONS:
        raise CoverslipError("reserved-name", name=one_line(cleaned))
    return cleaned


def validated_names(names: list[str]) -> list[str]:
    """Return the normalized names of classes.

    Raises:
        CoverslipError: a name is not valid, or is given twice.
    """
    cleaned = [clean_name(name) for name in names]
    if len(set(cleaned)) < len(cleaned):
        raise CoverslipError("repeated-class-name")
    return cleaned


def validated_plan(connection: Connection, row: AnyRow, plan: Json) -> Json:
    """Return the plan, if it fits the existing classes.

    Raises:
        BadRecipe: it contradicts itself, or names classes that do not exist.
    """
    try:
        class_plan = ClassPlan.model_validate(plan)
    except ValidationError as error:
        faults = "; ".join(str(fault.get("ctx", {}).get("error", fault["msg"])) for fault in error.errors())
        raise BadRecipe("invalid-classes", reason=faults) from error
    pairs = connection.execute(
        select(images.c.label, images.c.domain).where(images.c.dataset_id == row.id).distinct()
    ).all()
    if row.opened is not None:
        check_classes(_representatives(row, [(label, domain) for label, domain in pairs]), class_plan)
    return {
        "merge": {new: list(olds) for new, olds in class_plan.merge.items()},
        "drop": list(class_plan.drop),
        "rename": dict(class_plan.rename),
    }


def labels_for_training(
    row: AnyRow, kinds: Iterable[tuple[str | None, str]]
) -> dict[tuple[str | None, str], str | None]:
    """Return the class in trainings for each label and domain, by the dataset's plan; None: excluded."""
    kinds = list(kinds)
    data = with_classes(_representatives(row, kinds), ClassPlan.model_validate(row.class_plan))
    return {
        kind: record.label if data.has_class(record) else None for kind, record in zip(kinds, data.records, strict=True)
    }


def class_order_for_training(connection: Connection, row: AnyRow, plan: ClassPlan) -> list[str]:
    """Return the classes of a training by a plan, in the order of the dataset's pages.

    Only classes with images can be in a recipe. If each domain has its own classes (`classes.by_domain`), those of a
    domain stay together. A single dataset is named after the location of its table, so only the training can determine
    the names of its classes: then the list is empty.
    """
    kinds = connection.execute(
        select(images.c.label, images.c.domain)
        .select_from(images.outerjoin(image_facts, images.c.row_id == image_facts.c.row_id))
        .where(images.c.dataset_id == row.id, images.c.label.is_not(None), ~images.c.is_excluded)
        .where(image_facts.c.reason.is_distinct_from(OUTSIDE))  # trainings do not use these images
        .distinct()
    ).all()
    rank = {name: k for k, name in enumerate(class_order(row.class_names, {label for label, _ in kinds}))}
    if plan.by_domain:
        ordered = sorted(((k, d) for k, d in kinds if d), key=lambda kind: (natural_key(kind[1]), rank[kind[0]]))
    else:
        ordered = sorted(kinds, key=lambda kind: (rank[kind[0]], natural_key(kind[1])))
    labels = [record.label for record in with_classes(_representatives(row, ordered), plan).records]
    return [label for label in dict.fromkeys(labels) if label is not None and label not in plan.drop]


def _representatives(row: AnyRow, kinds: Iterable[tuple[str | None, str]]) -> Dataset:
    """Return a dataset with one artificial image for each label and domain: a plan depends on nothing else."""
    records = [
        ImageRecord(str(k), Path("/"), label, None, domain, None, WHOLE) for k, (label, domain) in enumerate(kinds)
    ]
    return as_dataset(row, records)


BEING_DELETED = ""  # the time of the removal of a dataset that cannot be restored any more
_MARKS = ("duplicate", "conflicting")  # problems of images with equal pixels
_N_THUMBNAILS = 12
_N_PER_CLASS = 8  # one row of a sheet of thumbnails
NO_COUNTS: Json = {
    "n_images": 0,
    "n_labeled": 0,
    "n_unreadable": 0,
    "n_excluded": 0,
    "n_changed": 0,
    "classes": {},
    "n_groups": 0,
    "domains": {},
    "thumbnail_images": [],
}


@dataclass(frozen=True, slots=True)
class ClassThumbnails(DocumentedFields):
    """Some images of a class, evenly spread over it."""

    name: str | None
    """Null: images without a label."""
    images: list[int]
    """row_ids of up to 8 readable images."""


def class_thumbnails(workspace: Workspace, dataset_id: str) -> list[ClassThumbnails]:
    """Return a few images of each class with images, in class order; images without a label are last.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        names = (*class_order(row.class_names, row.summary["classes"]), None)
        thumbnails = [
            ClassThumbnails(name, _evenly_spaced(connection, dataset_id, name, _N_PER_CLASS)) for name in names
        ]
    return [each for each in thumbnails if each.images]


def update_counts(connection: Connection, dataset_id: str) -> None:
    """Update the counts and the revision of a dataset."""
    connection.execute(
        update(datasets)
        .where(datasets.c.id == dataset_id)
        .values(summary=_dataset_counts(connection, dataset_id), revision=datasets.c.revision + 1)
    )


def change_images(
    connection: Connection,
    dataset_id: str,
    row_ids: Select[Any],
    *,
    label: ColumnElement[Any] | None = None,
    is_excluded: ColumnElement[Any] | None = None,
) -> int:
    """Label, exclude or include images, and update the counts, marks of equal pixels and revision of their dataset.

    Only these images are counted: counting 100,000 images at every key press would be slow.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: a query for the images.
        label: the new labels; None: they do not change.
        is_excluded: whether the images are excluded; None: this does not change.

    Returns:
        The number of images.
    """
    is_affected = images.c.row_id.in_(row_ids)
    changes: dict[str, Any] = {} if label is None else {"label": label}
    if is_excluded is not None:
        changes["is_excluded"] = is_excluded
    columns: dict[str, Any] = {"label": images.c.label, "is_excluded": images.c.is_excluded}
    n_groups = 0 if is_excluded is None else _n_groups_of(connection, dataset_id, row_ids)
    before, after = _tallies(connection, is_affected, columns, columns | changes)
    n: int = connection.execute(update(images).where(is_affected).values(**changes)).rowcount
    of_dataset = datasets.c.id == dataset_id
    summary: Json = dict(connection.execute(select(datasets.c.summary).where(of_dataset)).scalar_one())
    for name, n_after, n_before in (
        ("classes", after.labels, before.labels),
        ("domains", after.domains, before.domains),
    ):
        counts: Counter[str | None] = Counter(summary[name])
        counts.update(n_after)
        counts.subtract(n_before)
        summary[name] = _ordered(counts)
    summary["n_labeled"] += after.n_labeled - before.n_labeled
    summary["n_unreadable"] += after.n_unreadable - before.n_unreadable
    summary["n_changed"] += after.n_changed - before.n_changed
    summary["n_excluded"] += before.n_included - after.n_included
    if is_excluded is not None:
        summary["n_groups"] += _n_groups_of(connection, dataset_id, row_ids) - n_groups
        is_shown = images.c.row_id.in_(summary["thumbnail_images"]) & ~images.c.is_excluded
        n_shown = connection.execute(select(func.count()).where(is_shown)).scalar_one()
        if n_shown < _N_THUMBNAILS:
            summary["thumbnail_images"] = _thumbnail_rows(connection, dataset_id, summary["classes"])
    connection.execute(update(datasets).where(of_dataset).values(summary=summary, revision=datasets.c.revision + 1))
    if is_excluded is not None or before.has_marked_images:
        mark_equal_pixels(connection, dataset_id, row_ids, are_marked=is_excluded is None)
    return n


def mark_equal_pixels(
    connection: Connection, dataset_id: str, row_ids: Select[Any] | None = None, *, are_marked: bool = False
) -> None:
    """Mark readable images with equal pixels: as duplicates, or as conflicting if their classes in trainings differ.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        row_ids: a query; only images with the pixels of these are marked. None: all.
        are_marked: whether the images with equal pixels are marked, and only their labels have changed.
    """
    equal = images.alias("equal")
    is_equal = (equal.c.dataset_id == dataset_id) & (equal.c.pixel_hash == images.c.pixel_hash)
    is_repeated: ColumnElement[bool] = exists().where(is_equal, equal.c.row_id != images.c.row_id)
    if are_marked:
        is_repeated = images.c.problem.in_(_MARKS)
    hashes = select(images.c.pixel_hash).where(is_repeated).distinct()
    hashes = hashes.where(images.c.dataset_id == dataset_id if row_ids is None else images.c.row_id.in_(row_ids))
    affected = list(connection.execute(hashes).scalars())
    if not affected:  # an image without an equal one is not marked
        return
    is_affected = images.c.dataset_id == dataset_id, images.c.pixel_hash.in_(among(affected))
    connection.execute(update(images).where(*is_affected, images.c.problem.is_not(None)).values(problem=None))
    repeated = (
        select(images.c.pixel_hash)
        .where(*is_affected, ~images.c.is_excluded)
        .group_by(images.c.pixel_hash)
        .having(func.count() > 1)
    )
    duplicates = connection.execute(
        select(images.c.pixel_hash, images.c.label, images.c.domain)
        .where(images.c.dataset_id == dataset_id, images.c.pixel_hash.in_(repeated), ~images.c.is_excluded)
        .distinct()
    ).all()
    are_conflicts = conflicts_by_hash(dataset_row(connection, dataset_id), [tuple(image) for image in duplicates])
    for problem, is_conflict in (("conflicting", True), ("duplicate", False)):
        marked = [pixel_hash for pixel_hash, conflicts in are_conflicts.items() if conflicts == is_conflict]
        connection.execute(
            update(images)
            .where(
                images.c.dataset_id == dataset_id,
                images.c.pixel_hash.in_(among(marked)),
                ~images.c.is_excluded,
            )
            .values(problem=problem)
        )


def conflicts_by_hash(row: AnyRow, duplicates: Collection[tuple[str, str | None, str]]) -> dict[str, bool]:
    """Return whether images with equal pixels have different labels in trainings, by pixel hash.

    Args:
        row: the row of their dataset.
        duplicates: pixel hash, label and domain of images.
    """
    trained = labels_for_training(row, {(label, domain) for _, label, domain in duplicates})
    labels_of: dict[str, set[str | None]] = defaultdict(set)
    for pixel_hash, label, domain in duplicates:
        labels_of[pixel_hash].add(trained[label, domain])
    return {pixel_hash: len(labels - {None}) > 1 for pixel_hash, labels in labels_of.items()}


@dataclass(frozen=True, slots=True)
class _Tally:
    """Counts of selected images. Excluded images do not count, unless stated; unreadable images have no label."""

    n_included: int
    labels: Counter[str | None]
    domains: Counter[str]
    n_unreadable: int
    n_changed: int
    has_marked_images: bool  # whether an image, included or not, has the pixels of another one

    @property
    def n_labeled(self) -> int:
        return self.labels.total() - self.labels[None]


def _tallies(
    connection: Connection, condition: ColumnElement[bool], *states: Mapping[str, ColumnElement[Any]]
) -> list[_Tally]:
    """Count the images that meet a condition in one pass, with the `label` and `is_excluded` of each state."""
    columns: list[ColumnElement[Any]] = [images.c.domain.label("domain"), images.c.problem.label("problem")]
    for k, state in enumerate(states):
        is_changed = images.c.label_before.is_distinct_from(state["label"])
        columns += [state["label"].label(f"label_{k}"), is_changed.label(f"changed_{k}")]
        columns += [state["is_excluded"].label(f"excluded_{k}")]
    query = select(*columns, func.count()).where(condition).group_by(*(column.name for column in columns))
    rows = connection.execute(query).all()
    tallies = []
    for k in range(len(states)):
        labels, domains, n_included, n_unreadable, n_changed = Counter[str | None](), Counter[str](), 0, 0, 0
        for domain, problem, *cells, n in rows:
            label, is_changed, is_excluded = cells[3 * k : 3 * k + 3]
            if not is_excluded:
                is_readable = problem != "unreadable"
                n_included += n
                labels[label if is_readable else None] += n
                domains[domain] += n
                n_unreadable += n * (not is_readable)
                n_changed += n * is_changed
        has_marked_images = any(row.problem in _MARKS for row in rows)
        tallies.append(_Tally(n_included, labels, domains, n_unreadable, n_changed, has_marked_images))
    return tallies


def _n_groups_of(connection: Connection, dataset_id: str, row_ids: Select[Any]) -> int:
    """Count the groups of some images that have an included image that is readable."""
    groups = select(images.c.group).where(images.c.row_id.in_(row_ids)).distinct().subquery()
    member = images.alias("member")
    has_member = exists().where(
        member.c.dataset_id == dataset_id,
        member.c.group == groups.c.group,
        member.c.problem.is_distinct_from("unreadable"),
        ~member.c.is_excluded,
    )
    return connection.execute(select(func.count()).select_from(groups).where(has_member)).scalar_one()


def _dataset_counts(connection: Connection, dataset_id: str) -> Json:
    of_dataset = images.c.dataset_id == dataset_id
    (tally,) = _tallies(connection, of_dataset, {"label": images.c.label, "is_excluded": images.c.is_excluded})
    n_images = connection.execute(select(func.count()).where(of_dataset)).scalar_one()
    is_usable = of_dataset & ~images.c.is_excluded & images.c.problem.is_distinct_from("unreadable")
    classes = _ordered(tally.labels)
    return {
        "n_images": n_images,
        "n_labeled": tally.n_labeled,
        "n_unreadable": tally.n_unreadable,
        "n_excluded": n_images - tally.n_included,
        "n_changed": tally.n_changed,
        "classes": classes,
        "n_groups": connection.execute(select(func.count(images.c.group.distinct())).where(is_usable)).scalar_one(),
        "domains": _ordered(tally.domains),
        "thumbnail_images": _thumbnail_rows(connection, dataset_id, classes),
    }


def _ordered(counts: Mapping[str | None, int] | Mapping[str, int]) -> dict[str, int]:
    """Return the counts of names with images, in natural order."""
    return {name: counts[name] for name in sorted(filter(None, counts), key=natural_key) if counts[name]}


def _thumbnail_rows(connection: Connection, dataset_id: str, n_of: Mapping[str, int]) -> list[int]:
    """Return a few images of each class, alternating between classes; without classes, a few images."""
    names: Sequence[str | None] = list(n_of)[:_N_THUMBNAILS] or (None,)
    n_per_class = -(-_N_THUMBNAILS // len(names))
    rows_by_class = [_evenly_spaced(connection, dataset_id, name, n_per_class) for name in names]
    alternating = (row_ids[k] for k in range(n_per_class) for row_ids in rows_by_class if k < len(row_ids))
    return list(dict.fromkeys(alternating))[:_N_THUMBNAILS]


def _evenly_spaced(connection: Connection, dataset_id: str, name: str | None, n_most: int) -> list[int]:
    """Return readable images spread evenly over a class, in order."""
    query = select(images.c.row_id).where(
        images.c.dataset_id == dataset_id,
        images.c.label.is_not_distinct_from(name),
        images.c.problem.is_distinct_from("unreadable"),
        ~images.c.is_excluded,
    )
    n = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    n_shown = min(n, n_most)
    queries = (query.order_by(images.c.position).offset(n * k // n_shown).limit(1) for k in range(n_shown))
    return [connection.execute(each).scalar_one() for each in queries]


Kind = Literal["folders", "table", "files", "upload", "samples"]
State = Literal["reading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class ClassCount(DocumentedFields):
    """A class by the current labels."""

    name: str
    n: int
    """Images with this label."""


@dataclass(frozen=True, slots=True)
class Groups(DocumentedFields):
    """The groups of a dataset, which a split keeps together."""

    by: Literal["column", "pattern", "table", "file"] | None
    """table: the default for tables with a column `group`. file: the default for crops; all crops of a file are a
    group."""
    value: str | None
    """The column, or the regular expression."""
    n_groups: int
    merge: dict[str, list[str]]
    """Groups that were joined, because they are one group with several spellings: all by name."""


@dataclass(frozen=True, slots=True)
class SourceState(DocumentedFields):
    """A folder, table or file that images of a dataset come from."""

    path: str
    """Absolute."""
    contains: Literal["corrections", "objects", "upload"] | None
    """What coverslip saved there: corrected images of a prediction, objects of fields, or uploaded files; null if the
    user chose the path."""
    is_missing: bool
    """Whether it cannot be read: renamed, removed, on a disconnected disk, or outside the folders that the app may
    read."""
    domain: str | None
    """The given name of its domain; null: the name of its folder."""
    domains: list[str]
    """Domains of its images; empty if all come from one source."""


@dataclass(frozen=True, slots=True)
class DomainCount:
    """Images of one domain."""

    name: str
    n: int


@dataclass(frozen=True, slots=True)
class RemovedDataset(DocumentedFields):
    """A removed dataset that can be restored."""

    id: str
    name: str
    removed: str
    """ISO 8601, UTC."""
    n_annotated: int
    """Images that users labeled, confirmed, excluded or read."""


@dataclass(frozen=True, slots=True)
class DatasetState(DocumentedFields):
    """The current state of a dataset."""

    id: str
    name: str
    sources: list[SourceState]
    """Its folders, tables or files."""
    kind: Kind
    state: State
    is_labeled: bool
    """Whether it was opened with labels from its folders or table."""
    progress: Work | None
    """The progress of reading the images."""
    error: Failure | None
    n_images: int
    n_labeled: int
    """Readable images with a label."""
    n_unreadable: int
    n_excluded: int
    """Images that are shown, but neither counted as labeled nor used in training."""
    n_missing: int
    """Images that are not in the sources any more. They come back with their labels."""
    removed_before: list[RemovedDataset]
    """Removed datasets of the same folders or tables, in which users said something about images."""
    classes: list[ClassCount]
    """In the order of keys and colors."""
    groups: Groups
    domains: list[DomainCount]
    """Empty if all images come from one source without a domain name."""
    n_label_changes: int
    """Images whose label differs from that of their folder or table."""
    class_plan: Classes
    pixels: PixelChoice | None
    """The pixels of each file; null: nobody has chosen."""
    crop_size: int | str | None
    """Side of the square around each point of its tables, in pixels or in µm (`32 um`)."""
    display: list[ChannelDisplay]
    """How the viewer shows each channel of all images; empty: automatic."""
    fields_dataset_id: str | None
    """The dataset of the fields of view that contain its objects; null: there is none, or it was removed."""
    revision: int
    """Increases when labels, groups or images change."""
    created: str
    thumbnail_images: list[int]
    """row_ids of up to 12 readable images, from all classes."""


def list_datasets(workspace: Workspace, paging: Paging) -> Page[DatasetState]:
    """Return the datasets, the newest first."""
    with workspace.engine.connect() as connection:
        listed = select(datasets).where(datasets.c.removed.is_(None))
        rows = connection.execute(listed.order_by(datasets.c.created.desc(), datasets.c.id)).all()
        return Page([_state_of(workspace, connection, row) for row in paging.of(rows)], len(rows))


def dataset_state(workspace: Workspace, dataset_id: str) -> DatasetState:
    """Return the state of a dataset.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        return _state_of(workspace, connection, dataset_row(connection, dataset_id))


# Whether an object was replaced by another one, or was drawn, merged or split and this was undone.
_is_replaced_object = images.c.row_id.in_(
    select(changed_rows.c.row_id).where(
        changed_rows.c.field == ChangedField.OBJECT,
        changed_rows.c.is_undone == changed_rows.c.after.is_not(None),
    )
)


def _removed_before(connection: Connection, row: AnyRow) -> list[RemovedDataset]:
    """Return the removed datasets that share a folder or table with a dataset, the last removed one first."""
    columns = (datasets.c.id, datasets.c.name, datasets.c.removed, datasets.c.sources)
    removed: Select[Any] = select(*columns).where(datasets.c.removed != BEING_DELETED)
    paths = set(source_paths(row))
    datasets_before = []
    for other in connection.execute(removed.order_by(datasets.c.removed.desc())).all():
        if paths.isdisjoint(source_paths(other)):
            continue
        is_of_other = (images.c.dataset_id == other.id) | (images.c.missing_from == other.id)
        n = connection.execute(select(func.count()).where(is_of_other, is_annotated)).scalar_one()
        if n:
            datasets_before.append(RemovedDataset(other.id, other.name, other.removed, n))
    return datasets_before


def _state_of(workspace: Workspace, connection: Connection, row: AnyRow) -> DatasetState:
    counts = row.summary
    names = class_order(row.class_names, counts["classes"])
    missing = find_missing(workspace, row)
    return DatasetState(
        id=row.id,
        name=row.name,
        sources=[_source_state(workspace, row, missing, **source) for source in row.sources],
        kind=row.kind,
        state=row.state,
        is_labeled=row.is_labeled,
        progress=Work(**row.progress) if row.progress else None,
        error=failure_of(row.error) if row.error else None,
        n_images=counts["n_images"],
        n_labeled=counts["n_labeled"],
        n_unreadable=counts["n_unreadable"],
        n_excluded=counts["n_excluded"],
        n_missing=connection.execute(
            select(func.count()).where(images.c.missing_from == row.id, is_annotated, ~_is_replaced_object)
        ).scalar_one(),
        removed_before=_removed_before(connection, row),
        classes=[ClassCount(name, counts["classes"].get(name, 0)) for name in names],
        groups=_groups_of(row),
        domains=[DomainCount(name, n) for name, n in counts["domains"].items()],
        n_label_changes=counts["n_changed"],
        class_plan=Classes.model_validate(row.class_plan),
        pixels=None if row.pixel_choice is None else PixelChoice.model_validate(row.pixel_choice),
        crop_size=table_choices(row).crop_size,
        display=list(display_of(row)),
        fields_dataset_id=_fields_of(workspace, connection, row),
        revision=row.revision,
        created=row.created,
        thumbnail_images=counts["thumbnail_images"],
    )


def _fields_of(workspace: Workspace, connection: Connection, row: AnyRow) -> str | None:
    """Return the dataset whose objects are in a table of the app."""
    for path in map(Path, source_paths(row)):
        if path.is_relative_to(workspace.objects):
            with suppress(NotFound):
                return str(dataset_row(connection, path.parent.name).id)
    return None


def find_missing(workspace: Workspace, row: AnyRow) -> list[str]:
    """Return the sources of a dataset that the app cannot read, and announce it if this has changed.

    Whoever reads them records them: a page that shows a folder as missing must learn that it is back, even if it was
    missing only between two checks of `SourceWatch`.
    """
    is_opened = row.opened is not None  # else samples may not be drawn yet
    missing = [path for path in source_paths(row) if is_opened and not workspace.may_read(Path(path))]
    workspace.missing_sources.record(row.id, missing)
    return missing


def _source_state(
    workspace: Workspace, row: AnyRow, missing: Collection[str], path: str, domain: str | None
) -> SourceState:
    origins = row.opened["origins"] if row.opened is not None else []
    domains = [origin["domain"] for origin in origins if path in origin["sources"]]
    contains: Literal["corrections", "objects", "upload"] | None = None
    if Path(path).is_relative_to(workspace.snapshots):
        contains = "corrections"
    elif Path(path).is_relative_to(workspace.objects):
        contains = "objects"
    elif Path(path).is_relative_to(workspace.uploads):
        contains = "upload"
    return SourceState(printable(path), contains, path in missing, domain, [name for name in domains if name])


def _groups_of(row: AnyRow) -> Groups:
    if row.group_column is not None:
        return Groups("column", row.group_column, row.summary["n_groups"], row.group_merge)
    if row.group_pattern is not None:
        return Groups("pattern", row.group_pattern, row.summary["n_groups"], row.group_merge)
    codes = {note["code"] for note in row.opened["notes"]} if row.opened is not None else set()
    by: Literal["table", "file"] | None = "table" if row.summary["n_groups"] else None
    return Groups("file" if GROUPED_BY_FIELD in codes else by, None, row.summary["n_groups"], row.group_merge)
