"""Labels, confirmations and exclusions from the app, and second readings of a dataset."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field

from coverslip.app.files import TABLE, table_response
from coverslip.app.guard import accepting, needs, record_change, role_of
from coverslip.app.requests import BY_AUTHOR, RAW_BODY, Paged, ServedWorkspace, api_router, received
from coverslip.app.routes.images import RowId
from coverslip.app.schemas import Body, problems
from coverslip.errors import Forbidden
from coverslip.workspace.correcting import corrections, readings, undoing
from coverslip.workspace.correcting.corrections import exclude
from coverslip.workspace.correcting.readings import (
    Disagreement,
    ImageToRead,
    ImportedReadings,
    ReadingAgreement,
    ReadLabel,
    SecondReading,
)
from coverslip.workspace.correcting.undoing import ChangeStep
from coverslip.workspace.datasets import labels
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.state import DatasetState, dataset_state
from coverslip.workspace.store.rows import Page, author_name
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import Text

ChangeId = Annotated[int, Path(ge=0, lt=2**63, description="As returned when something was changed.")]
Table = Literal["labels", "label-changes", "readings"]
_LINES: dict[Table, Callable[[Workspace, str], Iterable[str]]] = {
    "labels": labels.table_lines,
    "label-changes": corrections.history_lines,
    "readings": readings.readings_lines,
}
_MAX_BODY = 32 * 2**20  # bytes: 300,000 images whose IDs have 100 characters

router = api_router("labels", route_class=accepting(_MAX_BODY))


class NewLabels(ImageSelection):
    """A label for some images; null removes their labels."""

    label: Annotated[Text, Field(max_length=200)] | None


@dataclass(frozen=True, slots=True)
class LabelsGiven:
    """A change of labels."""

    change: Annotated[int | None, Field(description="ID of the change; null if all images had this label.")]
    n: Annotated[int, Field(description="Images whose label changed.")]
    dataset: DatasetState


@router.post("/datasets/{dataset_id}/labels", responses=problems(409, 412, 428), dependencies=[BY_AUTHOR])
@needs("annotator")
def set_labels(
    workspace: ServedWorkspace,
    dataset_id: str,
    new: NewLabels,
    request: Request,
) -> LabelsGiven:
    """Label some images, or remove their labels. The change is saved at once. A new name becomes a class."""
    change, n = labels.set_labels(workspace, dataset_id, new, new.label)
    record_change(request, "", after=new.label or "")
    return LabelsGiven(change=change, n=n, dataset=dataset_state(workspace, dataset_id))


class ExclusionChange(ImageSelection):
    """Images to exclude or include."""

    is_excluded: Annotated[bool, Field(description="Exclude the images; false includes them.")]


@dataclass(frozen=True, slots=True)
class ImagesExcluded:
    """An exclusion or inclusion of images."""

    change: Annotated[int | None, Field(description="ID of the change; null if nothing changed.")]
    n: Annotated[int, Field(description="Images that changed.")]
    dataset: DatasetState


@router.post("/datasets/{dataset_id}/exclusions", responses=problems(409, 412, 428), dependencies=[BY_AUTHOR])
@needs("annotator")
def exclude_images(workspace: ServedWorkspace, dataset_id: str, body: ExclusionChange) -> ImagesExcluded:
    """Exclude images, or include them. Excluded images are shown, but neither counted nor used in training."""
    change, n = exclude(workspace, dataset_id, body, is_excluded=body.is_excluded)
    return ImagesExcluded(change=change, n=n, dataset=dataset_state(workspace, dataset_id))


class ConfirmedLabels(ImageSelection):
    """Images whose labels are confirmed, or whose confirmation is removed."""

    is_confirmed: Annotated[bool, Field(description="Confirm the labels; false removes the confirmations.")]


@dataclass(frozen=True, slots=True)
class LabelsConfirmed:
    """A confirmation of labels, or its removal."""

    rows: Annotated[list[int], Field(description="row_ids of the images that changed.")]


@router.post("/datasets/{dataset_id}/confirmed-labels", responses=problems(409, 412, 428), dependencies=[BY_AUTHOR])
@needs("annotator")
def confirm_labels(workspace: ServedWorkspace, dataset_id: str, body: ConfirmedLabels) -> LabelsConfirmed:
    """Confirm labels as right, or remove confirmations: a confirmed label is not listed as a suspected label error."""
    confirmed = labels.confirm_labels(workspace, dataset_id, body, is_confirmed=body.is_confirmed)
    return LabelsConfirmed(confirmed)


@router.get("/datasets/{dataset_id}/download/{what}", response_class=StreamingResponse, responses=TABLE | problems(409))
def download_table(workspace: ServedWorkspace, dataset_id: str, what: Table) -> StreamingResponse:
    """A table of a dataset.

    | table | rows |
    |---|---|
    | `labels` | all images with their current labels and absolute paths |
    | `label-changes` | each image of each change of labels |
    | `readings` | each label, reading and decision of a second reading: image, label, author and time |
    """
    lines = _LINES[what](workspace, dataset_id)
    return table_response(lines, labels.file_name(workspace, dataset_id, what))


@router.post("/changes/{change_id}/{action}", responses=problems(409))
@needs("annotator")
def step_change(
    request: Request, workspace: ServedWorkspace, change_id: ChangeId, action: Literal["undo", "redo"]
) -> ChangeStep:
    """Undo one change of labels, exclusions, answers, decisions or joined images, or redo it.

    Images that were changed again since then stay as they are, and are named. If there are only others, the request is
    refused. On a server with accounts, annotators undo and redo their own changes only.
    """
    _check_author(request, workspace, change_id)
    return (undoing.undo if action == "undo" else undoing.redo)(workspace, change_id)


def _check_author(request: Request, workspace: Workspace, change_id: int) -> None:
    """Check that the user may undo or redo a change.

    Raises:
        Forbidden: an annotator did not make it.
    """
    if role_of(request) == "editor":
        return
    author = undoing.author_of(workspace, change_id)
    if author is not None and author != author_name():
        raise Forbidden("change-of-other-user", author=author)


# Second readings of a dataset: draw images, label them again, compare the readers, decide disagreements.

readings_router = api_router("labels")

_MOST_TABLE_BYTES = 64 * 2**20
_PATH = "/datasets/{dataset_id}/second-reading"


@readings_router.get(_PATH, dependencies=[BY_AUTHOR])
def get_second_reading(workspace: ServedWorkspace, dataset_id: str) -> SecondReading:
    """The drawn images for the author of the request, without their first labels and names."""
    return readings.second_reading(workspace, dataset_id)


class NewSecondReading(Body):
    """How many further images to draw for a second reading."""

    n: int = Field(default=100, ge=1, le=1_000_000, description="At most all labeled images are drawn.")


@readings_router.post(_PATH, responses=problems(409), dependencies=[BY_AUTHOR])
def draw_second_reading(workspace: ServedWorkspace, dataset_id: str, new: NewSecondReading) -> SecondReading:
    """Draw further labeled images at random. Their current labels are the first labels."""
    return readings.draw_images(workspace, dataset_id, new.n)


@readings_router.delete(_PATH, status_code=204)
def remove_second_reading(workspace: ServedWorkspace, dataset_id: str) -> None:
    """Remove the drawn images and all readings. Decided labels stay as they are."""
    readings.remove_second_reading(workspace, dataset_id)


class ReadingOf(Body):
    """The label of an image by a reader."""

    label: Annotated[Text, Field(max_length=200)] | None = Field(
        description="A class of the dataset; null removes the reading."
    )


@readings_router.put(_PATH + "/images/{row_id}", responses=problems(409), dependencies=[BY_AUTHOR])
@needs("annotator")
def read_image(workspace: ServedWorkspace, dataset_id: str, row_id: RowId, body: ReadingOf) -> ImageToRead:
    """Store the label of the author for a drawn image. The label of the dataset does not change."""
    return readings.read_image(workspace, dataset_id, row_id, body.label)


@readings_router.get(_PATH + "/agreement")
def get_reading_agreement(workspace: ServedWorkspace, dataset_id: str) -> ReadingAgreement:
    """Percent agreement and Cohen's kappa of the first labels and of all readers."""
    return readings.reading_agreement(workspace, dataset_id)


@readings_router.get(_PATH + "/disagreements")
def list_disagreements(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[Disagreement]:
    """The images whose labels differ, those without a decision first."""
    return readings.list_disagreements(workspace, dataset_id, paging)


class DecidedLabel(Body):
    """The label that is decided for an image whose readings differ."""

    label: Annotated[Text, Field(max_length=200)] = Field(description="A class of the dataset.")


@readings_router.put(_PATH + "/decisions/{row_id}", responses=problems(409), dependencies=[BY_AUTHOR])
def decide_label(workspace: ServedWorkspace, dataset_id: str, row_id: RowId, body: DecidedLabel) -> ReadLabel:
    """Decide the label of an image whose readings differ. It becomes the label of the dataset; readings are kept."""
    return readings.decide(workspace, dataset_id, row_id, body.label)


@readings_router.post(_PATH + "/import", responses=problems(409, 413), openapi_extra=RAW_BODY)
async def import_readings(workspace: ServedWorkspace, request: Request, dataset_id: str) -> ImportedReadings:
    """Import readings from a table (the body) with the columns `image_id` or `path`, `label`, `author` and `time`."""
    folder = workspace.folder / "uploads"
    async with received(request, folder, most_bytes=_MOST_TABLE_BYTES, suffix=".csv") as file:
        return await run_in_threadpool(readings.import_readings, workspace, dataset_id, file)
