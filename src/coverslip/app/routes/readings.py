"""Second readings of a dataset: draw images, label them again, compare the readers, decide disagreements."""

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from coverslip.app.requests import RAW_BODY, Author, Paged, ServedWorkspace, api_router, received
from coverslip.app.routes.images import RowId
from coverslip.app.schemas.datasets import DecidedLabel, NewSecondReading, ReadingOf
from coverslip.app.schemas.system import problems
from coverslip.workspace.correcting import readings
from coverslip.workspace.correcting.readings import (
    Disagreement,
    ImageToRead,
    ImportedReadings,
    ReadingAgreement,
    ReadLabel,
    SecondReading,
)
from coverslip.workspace.store.rows import Page

router = api_router("labels")

_MOST_TABLE_BYTES = 64 * 2**20
_PATH = "/datasets/{dataset_id}/second-reading"


@router.get(_PATH)
def get_second_reading(workspace: ServedWorkspace, dataset_id: str, author: Author) -> SecondReading:
    """The drawn images for the author of the request, without their first labels and names."""
    return readings.second_reading(workspace, dataset_id, author)


@router.post(_PATH, responses=problems(409))
def draw_second_reading(
    workspace: ServedWorkspace, dataset_id: str, new: NewSecondReading, author: Author
) -> SecondReading:
    """Draw further labeled images at random. Their current labels are the first labels."""
    return readings.draw_images(workspace, dataset_id, new.n, author)


@router.delete(_PATH, status_code=204)
def remove_second_reading(workspace: ServedWorkspace, dataset_id: str) -> None:
    """Remove the drawn images and all readings. Decided labels stay as they are."""
    readings.remove_second_reading(workspace, dataset_id)


@router.put(_PATH + "/images/{row_id}", responses=problems(409))
def read_image(
    workspace: ServedWorkspace, dataset_id: str, row_id: RowId, body: ReadingOf, author: Author
) -> ImageToRead:
    """Store the label of the author for a drawn image. The label of the dataset does not change."""
    return readings.read_image(workspace, dataset_id, row_id, body.label, author)


@router.get(_PATH + "/agreement")
def get_reading_agreement(workspace: ServedWorkspace, dataset_id: str) -> ReadingAgreement:
    """Percent agreement and Cohen's kappa of the first labels and of all readers."""
    return readings.reading_agreement(workspace, dataset_id)


@router.get(_PATH + "/disagreements")
def list_disagreements(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[Disagreement]:
    """The images whose labels differ, those without a decision first."""
    return readings.list_disagreements(workspace, dataset_id, paging)


@router.put(_PATH + "/decisions/{row_id}", responses=problems(409))
def decide_label(
    workspace: ServedWorkspace, dataset_id: str, row_id: RowId, body: DecidedLabel, author: Author
) -> ReadLabel:
    """Decide the label of an image whose readings differ. It becomes the label of the dataset; readings are kept."""
    return readings.decide(workspace, dataset_id, row_id, body.label, author)


@router.delete(_PATH + "/decisions/{row_id}", status_code=204, responses=problems(409))
def undo_decision(workspace: ServedWorkspace, dataset_id: str, row_id: RowId) -> None:
    """Undo a decision: the image gets the label that it had before."""
    readings.undo_decision(workspace, dataset_id, row_id)


@router.post(_PATH + "/import", responses=problems(409, 413), openapi_extra=RAW_BODY)
async def import_readings(workspace: ServedWorkspace, request: Request, dataset_id: str) -> ImportedReadings:
    """Import readings from a table (the body) with the columns `image_id` or `path`, `label`, `author` and `time`."""
    folder = workspace.folder / "uploads"
    async with received(request, folder, most_bytes=_MOST_TABLE_BYTES, suffix=".csv") as file:
        return await run_in_threadpool(readings.import_readings, workspace, dataset_id, file)
