"""Rows of a prediction, as they come and as people corrected them."""

from collections.abc import Iterator, Mapping

from sqlalchemy import select

from coverslip.runs.lookup import ImageSource
from coverslip.workspace.jobs.records import Job, find_job
from coverslip.workspace.predictions.rows import (
    FILE,
    Exclusion,
    Row,
    cells_in,
    count_in,
    page_in,
    reading,
    row_of,
    source_of,
)
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.store.rows import Page
from coverslip.workspace.store.tables import corrections
from coverslip.workspace.viewing.filters import Filters, Only


def page_of_prediction(
    workspace: Workspace, prediction_id: str, filters: Filters, *, offset: int, limit: int
) -> Page[Row]:
    """Rows of a prediction so far.

    Raises:
        NotFound: there is no such prediction.
    """
    job = find_job(workspace, prediction_id, "predict")
    if not (job.folder / FILE).is_file():
        return Page([], 0)
    corrected = corrections_of(workspace, prediction_id)
    return page_in(job.folder / FILE, job.choices["classes"], corrected, filters, offset=offset, limit=limit)


def corrections_of(workspace: Workspace, prediction_id: str) -> dict[int, str | Exclusion]:
    """The answers of people by row: a class, or why the image is excluded."""
    query = select(corrections).where(corrections.c.job_id == prediction_id)
    with workspace.engine.connect() as connection:
        return {
            answer.row: Exclusion(answer.label) if answer.is_excluded else answer.label
            for answer in connection.execute(query)
        }


def every_row(workspace: Workspace, job: Job) -> Iterator[tuple[Row, ImageSource]]:
    """All rows of a prediction, in order; memory does not grow with their number."""
    corrected = corrections_of(workspace, job.id)
    if not (job.folder / FILE).is_file():
        return
    with reading(job.folder / FILE) as connection:
        for cells in connection.execute("SELECT * FROM rows ORDER BY k"):
            yield row_of(cells, job.choices["classes"], corrected), source_of(cells)


def count_rows(job: Job) -> tuple[int, dict[str, int]]:
    """How many rows a prediction has so far, and how many of each decision, most frequent first."""
    if not (job.folder / FILE).is_file():
        return 0, {}
    with reading(job.folder / FILE) as connection:
        counts = connection.execute("SELECT decision, count(*) FROM rows GROUP BY decision").fetchall()
    decisions = dict(sorted(((str(name), int(n)) for name, n in counts), key=lambda pair: -pair[1]))
    return sum(decisions.values()), decisions


def count_only(job: Job, corrected: Mapping[int, str], only: Only) -> int:
    """How many rows a prediction has so far of those that a filter names."""
    if not (job.folder / FILE).is_file():
        return 0
    return count_in(job.folder / FILE, job.choices["classes"], corrected, Filters(only=only))


def prediction_row(workspace: Workspace, job: Job, k: int) -> Row:
    """One row of a prediction.

    Raises:
        NotFound: there is none of that number.
    """
    corrected = corrections_of(workspace, job.id)
    return row_of(cells_in(job.folder / FILE, k), job.choices["classes"], corrected)


def image_source_of_row(workspace: Workspace, prediction_id: str, k: int) -> ImageSource:
    """The picture of a predicted image."""
    return source_of(cells_in(find_job(workspace, prediction_id, "predict").folder / FILE, k))
