"""Labels, confirmations and exclusions from the app, and blind labels of images that are drawn at random."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from fastapi import Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field, model_validator

from coverslip.app.files import TABLE, table_response
from coverslip.app.guard import accepting, needs, record_change, role_of
from coverslip.app.requests import BY_AUTHOR, RAW_BODY, ListId, ServedWorkspace, api_router, received
from coverslip.app.routes.images import ListedRowId
from coverslip.app.schemas import Answer, Body, problems
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Forbidden
from coverslip.inference.spot_check import DEFAULT_N
from coverslip.workspace.correcting import corrections, draws, undoing
from coverslip.workspace.correcting.corrections import AppliedLabels, exclude
from coverslip.workspace.correcting.draws import (
    Draw,
    DrawnImage,
    ImportedReadings,
    ReadingAgreement,
    ReadLabel,
    SpotCheckResult,
)
from coverslip.workspace.correcting.object_edits import ObjectEdit, edit_objects
from coverslip.workspace.correcting.undoing import ChangeStep
from coverslip.workspace.datasets import labels
from coverslip.workspace.datasets.selection import ImageSelection
from coverslip.workspace.datasets.state import DatasetState, dataset_state
from coverslip.workspace.store.rows import author_name
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.images import Text

ChangeId = Annotated[int, Path(ge=0, lt=2**63, description="As returned when something was changed.")]
Table = Literal["labels", "label-changes", "readings"]
_LINES: dict[Table, Callable[[Workspace, str], Iterable[str]]] = {
    "labels": labels.table_lines,
    "label-changes": corrections.history_lines,
    "readings": draws.readings_lines,
}
_CHANGES = {"label", "is_excluded", "is_confirmed", "is_kept"}
_MAX_BODY = 32 * 2**20  # bytes: 300,000 images whose IDs have 100 characters

router = api_router("labels", route_class=accepting(_MAX_BODY))


class ImageChange(ImageSelection):
    """What to change of some images: exactly one of `label`, `is_excluded`, `is_confirmed` and `is_kept`."""

    label: Annotated[Text, Field(max_length=200)] | None = None
    """Label them; a new name becomes a class. Null removes their labels."""
    job_id: str | None = None
    """With `label`: the training whose suspected label errors they are. Its pages can take the correction back."""
    is_excluded: bool = False
    """Exclude them, or include them. Excluded images are shown, but neither counted nor used in training."""
    is_confirmed: bool = False
    """Confirm their labels as right, or remove confirmations. A confirmed label is not listed as a suspected label
    error."""
    is_kept: bool = False
    """Of images whose files other content has overwritten since, keep labels, confirmations, exclusions and readings
    for the current content. Or drop them: they stay with the former content, and the files are new images. Other images
    of the selection stay as they are."""

    @model_validator(mode="after")
    def _one_change(self) -> Self:
        if len(self.model_fields_set & _CHANGES) != 1:
            raise ValueError("give exactly one of label, is_excluded, is_confirmed and is_kept")
        if self.job_id is not None and "label" not in self.model_fields_set:
            raise ValueError("job_id needs a label")
        return self


@dataclass(frozen=True, slots=True)
class SavedChange(DocumentedFields):
    """A change of labels, exclusions, confirmations or overwritten images."""

    change: int | None
    """Its ID, for undo; null for confirmations, or if nothing changed."""
    n: int
    """Images that changed."""
    rows: list[int]
    """row_ids of the images whose confirmation changed."""
    dataset: DatasetState


@router.post("/datasets/{dataset_id}/changes", responses=problems(409, 412, 428), dependencies=[BY_AUTHOR])
@needs("annotator")
def change_images(workspace: ServedWorkspace, dataset_id: str, new: ImageChange, request: Request) -> SavedChange:
    """Label images, exclude them, or confirm their labels, or undo this. Keep or drop labels of overwritten images.

    The change is saved at once.
    """
    change: int | None = None
    rows: list[int] = []
    (field,) = new.model_fields_set & _CHANGES
    if field == "is_confirmed":
        rows = labels.confirm_labels(workspace, dataset_id, new, is_confirmed=new.is_confirmed)
        n = len(rows)
    elif field == "is_kept":
        change, n = labels.resolve_overwritten(workspace, dataset_id, new, is_kept=new.is_kept)
    elif field == "is_excluded":
        change, n = exclude(workspace, dataset_id, new, is_excluded=new.is_excluded)
    else:
        change, n = labels.set_labels(workspace, dataset_id, new, new.label, new.job_id)
    value = getattr(new, field)
    record_change(request, field, after="" if value is None else str(value))
    return SavedChange(change, n, rows, dataset_state(workspace, dataset_id))


@router.post("/datasets/{dataset_id}/objects", responses=problems(409), dependencies=[BY_AUTHOR])
@needs("annotator")
def change_objects(workspace: ServedWorkspace, dataset_id: str, edit: ObjectEdit, request: Request) -> SavedChange:
    """Draw an object in a field, merge objects, or split one. The new objects replace the merged or split ones.

    The dataset is read again. An undo of the change exchanges them again.
    """
    change, n = edit_objects(workspace, dataset_id, edit)
    record_change(request, "objects", after=edit.act)
    return SavedChange(change, n, [], dataset_state(workspace, dataset_id))


@router.get("/datasets/{dataset_id}/download/{what}", response_class=StreamingResponse, responses=TABLE | problems(409))
def download_table(workspace: ServedWorkspace, dataset_id: str, what: Table) -> StreamingResponse:
    """A table of a dataset.

    | table | rows |
    |---|---|
    | `labels` | all images with their current labels and absolute paths |
    | `label-changes` | each image of each change of labels, and of dropped labels of overwritten images |
    | `readings` | each label, reading and decision of a second reading: image, label, author and time |
    """
    lines = _LINES[what](workspace, dataset_id)
    return table_response(lines, labels.file_name(workspace, dataset_id, what))


@router.post("/changes/{change_id}/{action}", responses=problems(409))
@needs("annotator")
def step_change(
    request: Request, workspace: ServedWorkspace, change_id: ChangeId, action: Literal["undo", "redo"]
) -> ChangeStep:
    """Undo one change of labels, exclusions, objects, answers, decisions, joined or overwritten images, or redo it.

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


# Images of a dataset or a prediction that are drawn at random: label them blindly, and compare the labels.

draws_router = api_router("draws", responses=problems(409))

_MOST_TABLE_BYTES = 64 * 2**20
_PATH = "/lists/{list_id}/draw"


@draws_router.get(_PATH, dependencies=[BY_AUTHOR])
def get_draw(workspace: ServedWorkspace, list_id: ListId) -> Draw:
    """The drawn images for the author of the request, without names, labels of others and predictions."""
    return draws.read_draw(workspace, list_id)


class NewDraw(Body):
    """How many images to draw."""

    n: int = Field(default=DEFAULT_N, ge=1, le=1_000_000)
    """Further images of a dataset, or images of each condition of a prediction. At most all are drawn."""


@draws_router.post(_PATH, dependencies=[BY_AUTHOR])
def draw_images(workspace: ServedWorkspace, list_id: ListId, new: NewDraw) -> Draw:
    """Draw images at random: further labeled ones of a dataset, whose current labels become the first labels.

    Images of each condition of a prediction replace earlier ones. This is refused if these are labeled.
    """
    return draws.draw_images(workspace, list_id, new.n)


@draws_router.delete(_PATH, status_code=204)
def remove_draw(workspace: ServedWorkspace, list_id: ListId) -> None:
    """Remove the drawn images and their labels. Decided labels and applied corrections stay as they are."""
    draws.remove_draw(workspace, list_id)


@draws_router.put(_PATH + "/rows/{row_id}", dependencies=[BY_AUTHOR])
@needs("annotator")
def label_drawn_image(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId, body: Answer) -> DrawnImage:
    """Store the label of the author for a drawn image. Labels of the dataset and corrections do not change.

    Only images of a prediction can be excluded.
    """
    return draws.label_image(workspace, list_id, row_id, body.excluded or body.label)


@draws_router.get(_PATH + "/result", dependencies=[BY_AUTHOR])
def get_draw_result(workspace: ServedWorkspace, list_id: ListId) -> ReadingAgreement | SpotCheckResult:
    """Of a dataset, the agreement of the first labels and all readers (percent agreement, Cohen's kappa).

    Of a prediction, the accuracy on the labeled images, and class proportions from labels and predictions.
    """
    return draws.draw_result(workspace, list_id)


@draws_router.put(_PATH + "/corrections", dependencies=[BY_AUTHOR])
def apply_drawn_labels(workspace: ServedWorkspace, list_id: ListId) -> AppliedLabels:
    """Use the labels as corrections of a prediction, if all drawn images are labeled. Earlier corrections are kept."""
    return corrections.apply_spot_check(workspace, list_id)


class DecidedLabel(Body):
    """The label that is decided for an image whose readings differ."""

    label: Annotated[Text, Field(max_length=200)]
    """A class of the dataset."""


@draws_router.put(_PATH + "/decisions/{row_id}", dependencies=[BY_AUTHOR])
def decide_label(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId, body: DecidedLabel) -> ReadLabel:
    """Decide the label of an image whose readings differ. It becomes the label of the dataset; readings are kept."""
    return draws.decide(workspace, list_id, row_id, body.label)


@draws_router.post(_PATH + "/import", responses=problems(413), openapi_extra=RAW_BODY)
async def import_readings(workspace: ServedWorkspace, request: Request, list_id: ListId) -> ImportedReadings:
    """Import readings of a dataset: a table with the columns `image_id` or `path`, `label`, `author` and `time`."""
    folder = workspace.folder / "uploads"
    async with received(request, folder, most_bytes=_MOST_TABLE_BYTES, suffix=".csv") as file:
        return await run_in_threadpool(draws.import_readings, workspace, list_id, file)
