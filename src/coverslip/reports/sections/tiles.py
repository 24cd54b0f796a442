"""Thumbnails of the most confident misclassifications and of the least certain predictions."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coverslip.errors import CoverslipError
from coverslip.images import thumbnail
from coverslip.messages import text
from coverslip.reports.reported import ReportedRun
from coverslip.reports.sections.training import Section
from coverslip.reports.words import whole_percent
from coverslip.runs.lookup import ImageSource

N_MISTAKES, N_UNSURE, THUMBNAIL_PX = 12, 6, 160


@dataclass(frozen=True, slots=True)
class _Tile:
    image: str  # data URI, or empty if the file cannot be shown
    true: str
    predicted: str
    probability: str
    name: str
    short_name: str
    is_right: bool


def n_mistakes(run: ReportedRun) -> int:
    """Return the number of misclassified images."""
    return 0 if run.tested is None else int((run.tested.predicted != run.tested.label).sum())


def _mistakes(run: ReportedRun) -> list[_Tile]:
    """Return the most confident misclassifications."""
    if run.tested is None:
        return []
    sure = run.tested.probability_of_predicted
    wrong = np.flatnonzero(run.tested.predicted != run.tested.label)
    return _tiles(run, wrong[np.argsort(-sure[wrong], kind="stable")][:N_MISTAKES])


def _unsure(run: ReportedRun) -> list[_Tile]:
    """Return the least certain predictions, correct or wrong."""
    if run.tested is None:
        return []
    return _tiles(run, np.argsort(run.tested.probability_of_predicted, kind="stable")[:N_UNSURE])


def _tiles(run: ReportedRun, positions: Iterable[int]) -> list[_Tile]:
    return [_tile(run, int(i)) for i in positions]


def _tile(run: ReportedRun, i: int) -> _Tile:
    tested = run.tested
    assert tested is not None
    image_id = tested.rows[i].image_id
    return _Tile(
        image=_picture(run.images.find(image_id)),
        true=run.classes[tested.label[i]],
        predicted=run.classes[tested.predicted[i]],
        probability=whole_percent(float(tested.probability_of_predicted[i])),
        name=image_id,
        short_name=image_id.rsplit("/", 1)[-1],
        is_right=bool(tested.label[i] == tested.predicted[i]),
    )


def _picture(source: ImageSource | None) -> str:
    """Return a thumbnail as data URI; empty if the image was moved or deleted, which the tile then states."""
    if source is None:
        return ""
    try:
        picture = thumbnail(source.file, THUMBNAIL_PX, plan=source.plan)
    except CoverslipError:
        return ""
    kind = "png" if picture.startswith(b"\x89PNG") else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def _mistakes_subtitle(run: ReportedRun) -> str:
    n = n_mistakes(run)
    return text("report-misclassifications-shown", n_shown=min(n, N_MISTAKES), n_images=n)


_TEMPLATE = Path(__file__).with_name("tiles.html")
MISTAKES = Section(
    name="misclassified",
    title="Most confident misclassifications",
    order=400,
    subtitle=_mistakes_subtitle,
    applies=lambda run: n_mistakes(run) > 0,
    shown=lambda run: {"tiles": _mistakes(run)},
    template=_TEMPLATE,
)
LEAST_CERTAIN = Section(
    name="least_certain",
    title="Least certain predictions",
    order=500,
    subtitle=lambda run: "correct or wrong, with the lowest probability",
    applies=lambda run: run.tested is not None,
    shown=lambda run: {"tiles": _unsure(run)},
    template=_TEMPLATE,
)
