"""Images of a set: which match what is asked for, and what is known about each."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, select

from coverslip.datasets import Part, natural_key
from coverslip.errors import BadRun, CoverslipError, NotFound
from coverslip.images import ReadPlan
from coverslip.runs import read_table
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.records import plan_of
from coverslip.workspace.store.rows import Json, class_order, dataset_row, folder_of_run
from coverslip.workspace.store.tables import image_facts, images

ProblemFilter = Literal["unreadable", "duplicate", "conflicting", "changed", "any"]
ImageProblem = Literal["unreadable", "duplicate", "conflicting"]
Sort = Literal["position", "label", "group"]

_MOST_EQUAL = 100
_LISTED = (
    images.c.position.label("i"),
    images.c.image_id,
    images.c.shown_path.label("path"),
    images.c.label,
    images.c.label_before,
    images.c.group,
    images.c.domain,
    images.c.problem,
    images.c.width_px.label("width"),
    images.c.height_px.label("height"),
    images.c.version,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which images, and in which order; None lets all pass."""

    label: str | None = None  # "" for images without one
    group: str | None = None
    domain: str | None = None
    problem: ProblemFilter | None = None
    search: str | None = None  # part of the path
    part: Part | None = None  # of the split of `run`
    run: str | None = None
    sort: Sort = "position"


@dataclass(frozen=True, slots=True)
class PictureSource:
    """Where the pixels of one image come from."""

    path: Path
    plan: ReadPlan
    version: str
    is_readable: bool


def matching(home: Workspace, dataset_id: str, filters: Filters) -> list[int]:
    """Positions of the images that match, in order.

    Raises:
        NotFound: there is no such set, or no such run.
        CoverslipError: a part is asked for without a run.
    """
    with home.engine.connect() as connection:
        row = dataset_row(connection, dataset_id)
        if filters == Filters():
            return list(range(row.summary["n_images"]))
        where = [images.c.dataset_id == dataset_id, *_conditions(filters)]
        found = _in_order(connection, where, filters.sort, row.class_names)
        if filters.part is not None:
            wanted = _in_part(connection, home, dataset_id, filters)
            found = [position for position in found if position in wanted]
    return found


def list_images(home: Workspace, dataset_id: str, filters: Filters, *, offset: int, limit: int) -> Json:
    """A page of the images that match."""
    found = matching(home, dataset_id, filters)
    page = found[offset : offset + limit]
    with home.engine.connect() as connection:
        rows = connection.execute(select(*_LISTED).where(*_at(dataset_id, page))).mappings()
        at = {row["i"]: dict(row) for row in rows}
    return {"items": [at[position] for position in page if position in at], "total": len(found)}


def facts_of(home: Workspace, dataset_id: str, position: int) -> Json:
    """All that is known about one image.

    Raises:
        NotFound: there is no such set or image.
    """
    with home.engine.connect() as connection:
        dataset_row(connection, dataset_id)
        asked = select(*_LISTED, images.c.pixel_hash, images.c.given_split, images.c.path.label("file"))
        row = connection.execute(asked.where(*_at(dataset_id, [position]))).mappings().one_or_none()
        if row is None:
            raise _no_image(position)
        known = connection.execute(
            select(image_facts.c.facts, image_facts.c.reason).where(
                image_facts.c.dataset_id == dataset_id, image_facts.c.position == position
            )
        ).one_or_none()
        equal, n_equal = _equal(connection, dataset_id, position, row["pixel_hash"])
    facts = known.facts if known is not None and known.facts else {}
    try:
        size = home.allowed(row["file"]).stat().st_size
    except (CoverslipError, OSError):
        size = None
    return {
        **row,
        "file": _shown(row["file"]),
        "format": facts.get("file_format"),
        "note": known.reason if known is not None and not facts else facts.get("note"),
        **{name: facts.get(name) for name in ("bit_depth", "n_channels", "n_planes", "dtype", "low", "high")},
        "equal_to": equal,
        "duplicates": n_equal,
        "size_bytes": size,
    }


def picture_source(home: Workspace, dataset_id: str, position: int) -> PictureSource:
    """Where the pixels of one image come from.

    Raises:
        NotFound: there is no such set or image.
    """
    return picture_sources(home, dataset_id, [position])[0]


def picture_sources(home: Workspace, dataset_id: str, positions: list[int]) -> list[PictureSource]:
    """Where the pixels of some images come from, in the order asked for.

    Raises:
        NotFound: there is no such set, or one of the images is not in it.
    """
    asked = select(images.c.position, images.c.path, images.c.plan, images.c.version, images.c.problem)
    with home.engine.connect() as connection:
        rows = connection.execute(asked.where(*_at(dataset_id, positions))).all()
        if not rows:
            dataset_row(connection, dataset_id)
    at = {
        row.position: PictureSource(Path(row.path), plan_of(row.plan)[0], row.version, row.problem != "unreadable")
        for row in rows
    }
    missing = [position for position in positions if position not in at]
    if missing:
        raise _no_image(missing[0])
    return [at[position] for position in positions]


def _no_image(position: int) -> NotFound:
    return NotFound(f"There is no image {position} in this set", do="It may have been read again; load the page anew.")


def _shown(path: str) -> str:
    from coverslip.datasets import printable

    return printable(path)


def _at(dataset_id: str, positions: Iterable[int]) -> list[ColumnElement[bool]]:
    """Conditions for these positions, however many they are."""
    asked = func.json_each(json.dumps(list(positions))).table_valued("value")
    return [images.c.dataset_id == dataset_id, images.c.position.in_(select(asked.c.value))]


def _conditions(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if filters.label is not None:
        conditions.append(images.c.label == filters.label if filters.label else images.c.label.is_(None))
    if filters.group is not None:
        conditions.append(images.c.group == filters.group)
    if filters.domain is not None:
        conditions.append(images.c.domain == filters.domain)
    if filters.search:
        conditions.append(images.c.shown_path.icontains(filters.search, autoescape=True))
    match filters.problem:
        case "changed":
            conditions.append(images.c.label.is_distinct_from(images.c.label_before))
        case "any":
            conditions.append(images.c.problem.is_not(None))
        case str():
            conditions.append(images.c.problem == filters.problem)
    return conditions


def _in_order(
    connection: Connection, where: list[ColumnElement[bool]], sort: Sort, class_names: list[str]
) -> list[int]:
    if sort == "position":
        return list(connection.execute(select(images.c.position).where(*where).order_by(images.c.position)).scalars())
    column = images.c.label if sort == "label" else images.c.group
    places: dict[str | None, list[int]] = {}
    asked = select(column, images.c.position).where(*where).order_by(images.c.position)
    for name, position in connection.execute(asked):
        places.setdefault(name, []).append(position)
    names = [name for name in places if name is not None]
    ordered = class_order(class_names, names) if sort == "label" else sorted(names, key=natural_key)
    return [position for name in (*ordered, None) for position in places.get(name, ())]


def _in_part(connection: Connection, home: Workspace, dataset_id: str, filters: Filters) -> set[int]:
    """Positions of the images that a training put on one side of its split."""
    if filters.run is None:
        raise CoverslipError("A part was asked for without a run", do="Say of which training.")
    folder = folder_of_run(connection, filters.run)
    if folder is None:
        raise NotFound("There is no such training", do="Look at the list of trainings.")
    file = folder / "split.csv"
    if not file.is_file():
        raise BadRun("The training has no split yet", file=file, do="Wait until it has read the images.")
    wanted = {row["image_id"] for row in read_table(file) if row["split"] == filters.part}
    rows = connection.execute(select(images.c.image_id, images.c.position).where(images.c.dataset_id == dataset_id))
    return {position for image_id, position in rows if image_id in wanted}


def _equal(connection: Connection, dataset_id: str, position: int, pixel_hash: str | None) -> tuple[list[int], int]:
    """The first images with the same pixels, and how many there are."""
    if pixel_hash is None:
        return [], 0
    others: Any = (
        images.c.dataset_id == dataset_id,
        images.c.pixel_hash == pixel_hash,
        images.c.position != position,
    )
    n = connection.execute(select(func.count()).where(*others)).scalar_one()
    asked = select(images.c.position).where(*others).order_by(images.c.position).limit(_MOST_EQUAL)
    return list(connection.execute(asked).scalars()), n
