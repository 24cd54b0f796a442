"""The state of datasets, as the app shows it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from sqlalchemy import Connection, select

from coverslip.datasets import printable
from coverslip.messages import Failure, failure_of
from coverslip.workspace.datasets.classes import Classes
from coverslip.workspace.store.rows import AnyRow, Page, Paging, class_order, dataset_row, missing_sources
from coverslip.workspace.store.tables import datasets
from coverslip.workspace.store.workspace import Workspace

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
