"""Which images are looked at, and in which order: said in one way for datasets, measured images and predictions.

`Filters` is what pages ask with, as query parameters. A `Gallery` tells what a table of images can be asked for, and
`chosen` makes the SELECT of it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.dialects import sqlite

from coverslip.datasets import Part
from coverslip.errors import CoverslipError

Text = Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00]*$")]
Only = Literal[
    "unreadable",
    "duplicate",
    "conflicting",
    "problem",
    "excluded",
    "changed",
    "doubtful",
    "suspected",
    "confirmed",
    "copies",
    "mistakes",
    "review",
    "corrected",
    "warning",
]
Sort = Literal["position", "label", "group", "doubt", "copies", "probability", "-probability"]

_NAMED = ("label", "group", "domain", "predicted", "decision")


class Filters(BaseModel):
    """Which images, and in which order. Several filters hold at once; what a gallery does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Text | None = Field(default=None, description="As labeled now; empty for images without a label.")
    group: Text | None = None
    domain: Text | None = None
    predicted: Text | None = Field(default=None, description="The class that a classifier found most probable.")
    decision: Text | None = Field(default=None, description="A class, or `uncertain`, `unfamiliar` or `unreadable`.")
    only: Only | None = Field(
        default=None,
        description="Of a dataset: unreadable; duplicate: an equal image is of the same class for trainings; "
        "conflicting: of another one; problem: any of these; excluded: not trained on, as was said in the app; "
        "changed: labeled otherwise in the app; doubtful: misclassified by a classifier that was not trained on the "
        "image, as `run` knows; suspected: those of them whose labels are probably wrong; confirmed: the label was "
        "confirmed as right, which neither of the two lists; copies: another image shows the same, as far as was "
        "looked for. Of what was predicted: mistakes: "
        "not as labeled; review: no class was decided for, nor corrected to; corrected; warning: unlike all training "
        "images.",
    )
    search: Text | None = Field(
        default=None, description="Part of the path, in upper or lower case; of the image_id among rows of predictions."
    )
    part: Part | None = Field(default=None, description="Side of the split of `run`.")
    run: Text | None = Field(default=None, description="A training on this dataset.")
    sort: Sort = Field(
        default="position",
        description="`-probability` puts the surest first, `doubt` the label that is most doubtful by `run`.",
    )


@dataclass(frozen=True, slots=True)
class Gallery:
    """A table of images, and what of it can be asked for.

    Args:
        position: 0-based; the order without another, and among equals.
        path: that is searched in.
        named: columns, by the filter that names one of their values.
        only: conditions.
        names: for orders by name, all names of that column in their order; images without one stand last.
        own: what holds for all images of the gallery.
        in_part: holds for images of the part that is asked for.
    """

    position: ColumnElement[int]
    path: ColumnElement[str]
    named: Mapping[str, ColumnElement[Any]]  # Any: text, or none
    only: Mapping[Only, ColumnElement[bool]]
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)
    own: ColumnElement[bool] = field(default_factory=true)
    in_part: ColumnElement[bool] | None = None


def chosen(gallery: Gallery, filters: Filters) -> Select[Any]:
    """Positions of the images that match, in order.

    Raises:
        CoverslipError: the gallery does not know what is asked for.
    """
    wanted = select(gallery.position).where(gallery.own, *_conditions(gallery, filters))
    if filters.sort == "position":
        return wanted.order_by(gallery.position)
    column = filters.sort.removeprefix("-")
    if column in gallery.names:
        return _by_name(wanted, gallery, column)
    if column not in gallery.named:
        raise _unknown("sort", filters.sort)
    by = gallery.named[column]
    # What has none, such as the probability of an image that cannot be read, stands last either way.
    return wanted.order_by((by.desc() if filters.sort.startswith("-") else by.asc()).nulls_last(), gallery.position)


def among(values: Iterable[object]) -> Select[Any]:
    """What `column.in_` is given for values that are too many to be parameters."""
    return select(func.json_each(json.dumps(list(values))).table_valued("value").c.value)


def as_sqlite(wanted: Select[Any]) -> tuple[str, tuple[Any, ...]]:  # Any: what SQLite takes
    """A SELECT as SQLite's own interface takes it, which reads 100,000 rows in a tenth of the time."""
    compiled = wanted.compile(dialect=sqlite.dialect(paramstyle="qmark"), compile_kwargs={"render_postcompile": True})
    return str(compiled), tuple(compiled.params[name] for name in compiled.positiontup or ())


def _conditions(gallery: Gallery, filters: Filters) -> list[ColumnElement[bool]]:
    conditions = [_is_named(gallery, name, value) for name in _NAMED if (value := getattr(filters, name)) is not None]
    if filters.search:
        conditions.append(gallery.path.icontains(filters.search, autoescape=True))
    if filters.only is not None:
        if filters.only not in gallery.only:
            raise _unknown("only", filters.only)
        conditions.append(gallery.only[filters.only])
    if filters.part is not None:
        if gallery.in_part is None:
            raise _unknown("part", filters.part)
        conditions.append(gallery.in_part)
    return conditions


def _is_named(gallery: Gallery, name: str, value: str) -> ColumnElement[bool]:
    if name not in gallery.named:
        raise _unknown(name, value)
    return gallery.named[name] == value if value else gallery.named[name].is_(None)


def _by_name(wanted: Select[Any], gallery: Gallery, column: str) -> Select[tuple[int]]:
    listed = func.json_each(json.dumps(list(gallery.names[column]))).table_valued("key", "value")
    # Kept as a table, of which SQLite makes an index: there may be as many groups as images.
    ranked = select(listed.c.key, listed.c.value).cte("ranked").prefix_with("MATERIALIZED")
    return wanted.outerjoin_from(gallery.position.table, ranked, ranked.c.value == gallery.named[column]).order_by(
        ranked.c.key.is_(None), ranked.c.key, gallery.position
    )


def _unknown(name: str, value: str) -> CoverslipError:
    return CoverslipError("unknown-filter", name=name, value=value)
