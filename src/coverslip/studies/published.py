"""Published values, and the values of a study that they are shown beside.

The values come from other images, splits and protocols, so they are not tested against those of the study.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from coverslip.runs.documents import Document
from coverslip.studies.averages import ImageKeys, disjoint_datasets
from coverslip.studies.plan import PUBLISHED, PublishedPlan, StudyPlan

_DIFFERENCE = "difference"
_MACRO = {"precision": "macro_precision", "recall": "macro_recall", "f1": "macro_f1"}

# Values of a study by dataset, network, images (`test`, `training`, `validation` or `difference`) and metric.
StudyValues = Mapping[tuple[str, str, str, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFigure:
    """A published value on other images, beside the mean of this study."""

    publication: Annotated[str, Field(description="Empty: a row of the plan.")]
    source: str
    dataset: str  # of the publication
    name: str  # of the network in the publication
    class_name: Annotated[str, Field(description="Empty: all classes.")]
    images: Annotated[str, Field(description="Training, validation or test.")]
    metric: str
    is_difference: bool  # from the baseline
    value: Annotated[float, Field(description="Or the lower end of a range.")]
    high: Annotated[float | None, Field(description="Upper end of a range; null: a single value.")]
    sd: float | None
    own: Annotated[
        Mapping[str, float],
        Field(description="Mean of this study on the datasets beside it, by arm; empty: nothing comparable."),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperItem:
    """A table or figure of a publication, and its counterpart."""

    item: str  # such as `Table 2`
    title: str
    sections: tuple[str, ...] = ()  # codes of the sections of a study's report with its counterpart
    command: str = ""  # that makes its counterpart, if the study alone does not


class Publication(Document):
    """A file of `presets/published/`."""

    publication: str  # short title
    protocol: str
    schemas: str  # figures and tables without results
    items: tuple[PaperItem, ...]  # in the order of the publication
    rows: tuple[PublishedPlan, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """The tables and figures of a publication."""

    publication: str
    protocol: str
    schemas: str
    items: tuple[PaperItem, ...]


def published_figures(plan: StudyPlan, values: StudyValues, images: Mapping[str, ImageKeys]) -> list[PublishedFigure]:
    """Return the published values of a plan, each beside the values of the study.

    A value is shown beside the mean over the datasets whose names contain the name of the published dataset, or over
    all datasets if there are none. A row with a pattern (`beside`) is shown only beside datasets that match it. Of
    datasets with common images, one counts, as in all means over datasets.
    """
    return [
        figure
        for title, row in published_rows(plan)
        for metric in row.metrics
        for figure in [_figure(title, row, metric, plan, values, images)]
    ]


def papers_of(plan: StudyPlan) -> tuple[Paper, ...]:
    """Return the publications of a plan."""
    files = [_publication(each) for each in plan.published if isinstance(each, str)]
    return tuple(
        Paper(publication=each.publication, protocol=each.protocol, schemas=each.schemas, items=each.items)
        for each in files
    )


def published_rows(plan: StudyPlan) -> Iterator[tuple[str, PublishedPlan]]:
    """Yield the published values of a plan, each after the title of its publication."""
    for each in plan.published:
        if isinstance(each, PublishedPlan):
            yield "", each
        else:
            publication = _publication(each)
            yield from ((publication.publication, row) for row in publication.rows)


@cache
def _publication(name: str) -> Publication:
    return Publication.read(Path(PUBLISHED / f"{name}.json"))


def _figure(
    title: str,
    row: PublishedPlan,
    metric: str,
    plan: StudyPlan,
    values: StudyValues,
    images: Mapping[str, ImageKeys],
) -> PublishedFigure:
    published = row.metrics[metric]
    value, high = published if isinstance(published, tuple) else (published, None)
    own_metric = metric if row.class_name else _MACRO.get(metric, metric)
    of_images = _DIFFERENCE if row.is_difference else row.images

    if row.class_name:
        of_images = f"{of_images} {row.class_name.casefold()}"
    own: dict[str, float] = {}
    for arm in dict.fromkeys(each.arm for each in plan.trained_datasets):
        names = {each.name: each.plan_name for each in plan.trained_datasets if each.arm == arm}
        measured = [name for name in names if (name, row.variant, of_images, own_metric) in values]
        beside = _shown_beside(row, {name: names[name] for name in measured})
        counted, _ = disjoint_datasets(beside, images)
        if counted:
            own[arm] = float(np.mean([values[name, row.variant, of_images, own_metric] for name in counted]))
    return PublishedFigure(
        publication=title,
        source=row.source,
        dataset=row.dataset,
        name=row.name,
        class_name=row.class_name,
        images=row.images,
        metric=metric,
        is_difference=row.is_difference,
        value=value,
        high=high,
        sd=row.sd.get(metric),
        own=own,
    )


def _shown_beside(row: PublishedPlan, datasets: Mapping[str, str]) -> list[str]:
    """Return the datasets, of those with their names in the plan, that a published value is shown beside."""
    if row.beside:
        return [name for name, planned in datasets.items() if re.search(row.beside, planned, re.IGNORECASE)]
    plain: Callable[[str], str] = lambda name: re.sub(r"[\W_]", "", name.casefold())  # noqa: E731
    matching = [name for name, planned in datasets.items() if row.dataset and plain(row.dataset) in plain(planned)]
    return matching or [*datasets]
