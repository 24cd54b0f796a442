"""The state of datasets, as the app shows it."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Connection, func, select, update

from coverslip.datasets import natural_key, printable
from coverslip.messages import Failure, failure_of
from coverslip.workspace.datasets.classes import Classes, trained_labels
from coverslip.workspace.store.rows import AnyRow, Json, Page, Paging, class_order, dataset_row, missing_sources, values
from coverslip.workspace.store.tables import datasets, images
from coverslip.workspace.store.workspace import Workspace

_N_THUMBNAILS = 12
_N_OF_CLASS = 8  # one row of a sheet of thumbnails
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
class ClassThumbnails:
    """Some images of a class, evenly spread over it."""

    name: Annotated[str | None, Field(description="Null: images without a label.")]
    images: Annotated[list[int], Field(description="Positions of up to 8 readable images.")]


def class_thumbnails(workspace: Workspace, dataset_id: str) -> list[ClassThumbnails]:
    """Return a few images of each class with images, in class order; images without a label are last.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        names = (*class_order(row.class_names, row.summary["classes"]), None)
        thumbnails = [ClassThumbnails(name, _spread(connection, dataset_id, name, _N_OF_CLASS)) for name in names]
    return [each for each in thumbnails if each.images]


def count_again(connection: Connection, dataset_id: str) -> None:
    """Update the counts and the revision of a dataset."""
    counts = _counts(connection, dataset_id)
    connection.execute(
        update(datasets).where(datasets.c.id == dataset_id).values(summary=counts, revision=datasets.c.revision + 1)
    )


def mark_equal_pixels(connection: Connection, dataset_id: str, positions: str | None = None) -> None:
    """Mark readable images with equal pixels: as duplicates, or as conflicting if their classes in trainings differ.

    Args:
        connection: a connection in a writing transaction.
        dataset_id: the dataset.
        positions: a JSON list; only images with the pixels of these are marked. None: all.
    """
    hashes = select(images.c.pixel_hash).where(images.c.dataset_id == dataset_id)
    if positions is not None:
        hashes = hashes.where(images.c.position.in_(values(positions)))
    concerned = list({pixel_hash for pixel_hash in connection.execute(hashes).scalars() if pixel_hash is not None})
    among = images.c.dataset_id == dataset_id, images.c.pixel_hash.in_(values(json.dumps(concerned)))
    connection.execute(update(images).where(*among, images.c.problem.is_not(None)).values(problem=None))
    several = (
        select(images.c.pixel_hash)
        .where(*among, ~images.c.is_excluded)
        .group_by(images.c.pixel_hash)
        .having(func.count() > 1)
    )
    equal = connection.execute(
        select(images.c.pixel_hash, images.c.label, images.c.domain)
        .where(images.c.dataset_id == dataset_id, images.c.pixel_hash.in_(several), ~images.c.is_excluded)
        .distinct()
    ).all()
    are_conflicts = conflicts_by_hash(dataset_row(connection, dataset_id), [tuple(image) for image in equal])
    for problem, is_conflict in (("conflicting", True), ("duplicate", False)):
        marked = json.dumps([pixel_hash for pixel_hash, conflicts in are_conflicts.items() if conflicts == is_conflict])
        connection.execute(
            update(images)
            .where(
                images.c.dataset_id == dataset_id,
                images.c.pixel_hash.in_(values(marked)),
                ~images.c.is_excluded,
            )
            .values(problem=problem)
        )


def conflicts_by_hash(row: AnyRow, equal: Collection[tuple[str, str | None, str]]) -> dict[str, bool]:
    """Return whether images with equal pixels have different labels in trainings, by pixel hash.

    Args:
        row: the row of their dataset.
        equal: pixel hash, label and domain of images.
    """
    trained = trained_labels(row, {(label, domain) for _, label, domain in equal})
    labels_of: dict[str, set[str | None]] = defaultdict(set)
    for pixel_hash, label, domain in equal:
        labels_of[pixel_hash].add(trained[label, domain])
    return {pixel_hash: len(labels - {None}) > 1 for pixel_hash, labels in labels_of.items()}


def _counts(connection: Connection, dataset_id: str) -> Json:
    of_dataset = images.c.dataset_id == dataset_id
    included = of_dataset & ~images.c.is_excluded

    def numbered(column: Any) -> dict[str | None, int]:  # Any: SQLAlchemy's column
        pairs = connection.execute(select(column, func.count()).where(included).group_by(column)).all()
        return {value: n for value, n in pairs}  # noqa: C416 - rows, which dict() is not typed for

    labels, domains, problems = (numbered(images.c[name]) for name in ("label", "domain", "problem"))
    n_included = sum(labels.values())
    n_images = connection.execute(select(func.count()).where(of_dataset)).scalar_one()
    is_named = images.c.group != images.c.image_id
    n_groups = connection.execute(select(func.count(images.c.group.distinct())).where(included, is_named)).scalar_one()
    changed = images.c.label.is_distinct_from(images.c.label_before)
    n_changed = connection.execute(select(func.count()).where(included, changed)).scalar_one()
    classes = sorted((name for name in labels if name is not None), key=natural_key)
    named = sorted((name for name in domains if name), key=natural_key)
    return {
        "n_images": n_images,
        "n_labeled": n_included - labels.get(None, 0),
        "n_unreadable": problems.get("unreadable", 0),
        "n_excluded": n_images - n_included,
        "n_changed": n_changed,
        "classes": {name: labels[name] for name in classes},
        "n_groups": n_groups,
        "domains": {name: domains[name] for name in named},
        "thumbnail_images": _some_of_each(connection, dataset_id, {name: labels[name] for name in classes} or labels),
    }


def _some_of_each(connection: Connection, dataset_id: str, n_of: dict[str | None, int]) -> list[int]:
    """Return a few images of each class, alternating between classes."""
    shown = [name for name, n in n_of.items() if n][:_N_THUMBNAILS]
    each = -(-_N_THUMBNAILS // len(shown)) if shown else 0
    of_class = [_spread(connection, dataset_id, name, each) for name in shown]
    alternating = (positions[k] for k in range(each) for positions in of_class if k < len(positions))
    return list(dict.fromkeys(alternating))[:_N_THUMBNAILS]


def _spread(connection: Connection, dataset_id: str, name: str | None, n_wanted: int) -> list[int]:
    """Return readable images spread evenly over a class, in order."""
    wanted = select(images.c.position).where(
        images.c.dataset_id == dataset_id,
        images.c.label.is_not_distinct_from(name),
        images.c.problem.is_distinct_from("unreadable"),
        ~images.c.is_excluded,
    )
    n = connection.execute(select(func.count()).select_from(wanted.subquery())).scalar_one()
    n_shown = min(n, n_wanted)
    at = (wanted.order_by(images.c.position).offset(n * k // n_shown).limit(1) for k in range(n_shown))
    return [connection.execute(place).scalar_one() for place in at]


Kind = Literal["folders", "table", "files", "upload", "samples"]
State = Literal["reading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class ReadingProgress:
    """Progress of reading the images."""

    done: int
    total: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class ClassCount:
    """A class by the current labels."""

    name: str
    n: Annotated[int, Field(description="Images with this label.")]
    color_index: Annotated[int, Field(description="Its place among the classes, from 0; it determines color and key.")]


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of a dataset, which a split keeps together."""

    by: Annotated[
        Literal["column", "pattern", "file"] | None,
        Field(description="file: the default for crops; all crops of a file are a group."),
    ]
    value: Annotated[str | None, Field(description="The column, or the regular expression.")]
    n_groups: int


@dataclass(frozen=True, slots=True)
class SourceState:
    """A folder, table or file that images of a dataset come from."""

    path: Annotated[str, Field(description="Absolute.")]
    is_made: Annotated[bool, Field(description="Whether coverslip wrote this table of corrected predictions.")]
    is_missing: Annotated[bool, Field(description="Whether it is missing: renamed, removed or on a disconnected disk.")]
    domain: Annotated[str | None, Field(description="The given name of its domain; null: the name of its folder.")]
    domains: Annotated[list[str], Field(description="Domains of its images; empty if all come from one source.")]


@dataclass(frozen=True, slots=True)
class DomainCount:
    """Images of one domain."""

    name: str
    n: int


@dataclass(frozen=True, slots=True)
class DatasetState:
    """The current state of a dataset."""

    id: str
    name: str
    sources: Annotated[list[SourceState], Field(description="Its folders, tables or files.")]
    kind: Kind
    state: State
    is_labeled: Annotated[bool, Field(description="Whether it was opened with labels from its folders or table.")]
    progress: ReadingProgress | None
    error: Failure | None
    n_images: int
    n_labeled: int
    n_unreadable: int
    n_excluded: Annotated[
        int, Field(description="Images that are shown, but neither counted as labeled nor used in training.")
    ]
    classes: list[ClassCount]
    groups: Groups
    domains: Annotated[
        list[DomainCount],
        Field(description="Empty if all images come from one source without a domain name."),
    ]
    n_label_changes: Annotated[int, Field(description="Images whose label differs from that of their folder or table.")]
    class_plan: Classes
    created: str
    thumbnail_images: Annotated[
        list[int], Field(description="Positions of up to 12 readable images, from all classes.")
    ]


def list_datasets(workspace: Workspace, paging: Paging) -> Page[DatasetState]:
    """Return the datasets, the newest first."""
    with workspace.engine.connect() as connection:
        listed = select(datasets).where(datasets.c.forgotten.is_(None))
        rows = connection.execute(listed.order_by(datasets.c.created.desc(), datasets.c.id)).all()
        return Page([_described(workspace, connection, row) for row in paging.of(rows)], len(rows))


def describe(workspace: Workspace, dataset_id: str) -> DatasetState:
    """Return the state of a dataset.

    Raises:
        NotFound: there is no such dataset.
    """
    with workspace.engine.connect() as connection:
        return _described(workspace, connection, dataset_row(connection, dataset_id))


def _described(workspace: Workspace, connection: Connection, row: AnyRow) -> DatasetState:
    counts = row.summary
    missing = missing_sources(row)
    names = class_order(row.class_names, counts["classes"])
    return DatasetState(
        id=row.id,
        name=row.name,
        sources=[_source(workspace, row, **source, is_missing=source["path"] in missing) for source in row.sources],
        kind=row.kind,
        state=row.state,
        is_labeled=row.is_labeled,
        progress=ReadingProgress(**row.progress) if row.progress else None,
        error=failure_of(row.error) if row.error else None,
        n_images=counts["n_images"],
        n_labeled=counts["n_labeled"],
        n_unreadable=counts["n_unreadable"],
        n_excluded=counts["n_excluded"],
        classes=[ClassCount(name, counts["classes"].get(name, 0), k) for k, name in enumerate(names)],
        groups=_groups(row),
        domains=[DomainCount(name, n) for name, n in counts["domains"].items()],
        n_label_changes=counts["n_changed"],
        class_plan=Classes.model_validate(row.class_plan),
        created=row.created,
        thumbnail_images=counts["thumbnail_images"],
    )


def _source(workspace: Workspace, row: AnyRow, path: str, domain: str | None, is_missing: bool) -> SourceState:
    origins = row.opened["origins"] if row.opened is not None else []
    domains = [origin["domain"] for origin in origins if path in origin["sources"]]
    is_made = Path(path).parent == workspace.snapshots
    return SourceState(printable(path), is_made, is_missing, domain, [name for name in domains if name])


def _groups(row: AnyRow) -> Groups:
    if row.group_column is not None:
        return Groups("column", row.group_column, row.summary["n_groups"])
    if row.group_pattern is not None:
        return Groups("pattern", row.group_pattern, row.summary["n_groups"])
    codes = {note["code"] for note in row.opened["notes"]} if row.opened is not None else set()
    return Groups("file" if "grouped-by-field" in codes else None, None, row.summary["n_groups"])
