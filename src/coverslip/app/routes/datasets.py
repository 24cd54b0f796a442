"""Datasets, folders to open, and uploads: open, describe, change and remove datasets; preview trainings on them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, StringConstraints

from coverslip.app.files import PICTURE
from coverslip.app.guard import needs, writes_much
from coverslip.app.requests import RAW_BODY, Locate, Paged, PreviewPool, ServedWorkspace, api_router, received
from coverslip.app.schemas import Body, Recipe, located, problems
from coverslip.datasets.columns import TableChoices
from coverslip.files import safe_name
from coverslip.images.reader import CropSize
from coverslip.workspace import cleanup, dataset_maps, live, suggestions
from coverslip.workspace.dataset_maps import MapPredictions
from coverslip.workspace.datasets import folders, grouping, pixel_options, reading_images, sources, state
from coverslip.workspace.datasets.folders import FolderContent, Upload, UploadedTable, list_folder
from coverslip.workspace.datasets.pixel_options import PixelChoice, PixelOptions
from coverslip.workspace.datasets.reading_images import DatasetInspection
from coverslip.workspace.datasets.sources import Name, Source
from coverslip.workspace.datasets.state import Classes, ClassThumbnails, DatasetState
from coverslip.workspace.predictions.classifiers import classes_of
from coverslip.workspace.store.rows import Page
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.suggestions import GroupSuggestion
from coverslip.workspace.trainings import queueing
from coverslip.workspace.viewing.images import Text
from coverslip.workspace.viewing.tiles import ChannelDisplay

_PNG: dict[int | str, dict[str, Any]] = {  # Any: FastAPI's own type
    200: {"content": {"image/png": {}}, "description": "A sheet with an image and five augmented versions in each row."}
}

_POINTS: dict[int | str, dict[str, Any]] = {  # Any: FastAPI's own type
    200: {"content": {"application/octet-stream": {}}, "description": "The points."}
}

router = api_router("datasets")


@router.get("/datasets")
def list_datasets(workspace: ServedWorkspace, paging: Paged) -> Page[DatasetState]:
    """The datasets, the newest first."""
    return state.list_datasets(workspace, paging)


GroupPattern = Annotated[Text, Field(examples=[r"slide\d+"])]


Sources = Annotated[list[Source], Field(min_length=1, max_length=1_000)]


TableColumns = Annotated[
    dict[Name, Annotated[str, StringConstraints(max_length=4_000, pattern=r"^[^\x00]*$")]], Field(max_length=100)
]


class TableReading(Body):
    """How to read tables."""

    columns: TableColumns = Field(default_factory=dict, examples=[{"label": "cell type"}])
    """The column for each meaning that the header does not give (path, label, group, split, x, y and the like); an
    empty name ignores the meaning."""
    crop_size: CropSize | None = None
    """Side of the square around each point of a table, in pixels, or in µm as text (`32 um`)."""


_LABELS_OF_CLASSIFIER = (
    "A classifier that will predict the images. Class folders then give the labels, also without `is_labeled`, if one "
    "of them has the name of a class of the classifier."
)


class NewDataset(TableReading):
    """A dataset to open."""

    sources: Sources
    name: Name | None = None
    """Default: named after the folder or table."""
    group: Text | None = None
    """The column of the table that gives the groups."""
    group_pattern: GroupPattern | None = None
    """A regular expression that finds the groups in paths."""
    is_labeled: bool = True
    """Whether folders or a table give the labels."""
    classifier_id: Text | None = Field(default=None, description=_LABELS_OF_CLASSIFIER)


@router.post("/datasets", status_code=201, responses=located(201) | problems(404))
@writes_much
def create_dataset(workspace: ServedWorkspace, new: NewDataset, locate: Locate) -> DatasetState:
    """Open folders or tables as one dataset. Each is a domain.

    Errors of the folders and tables are returned at once. The images are read in the background.
    """
    dataset = sources.open_sources(
        workspace,
        new.sources,
        name=new.name,
        group=new.group,
        group_pattern=new.group_pattern,
        is_labeled=new.is_labeled,
        classes=classes_of(workspace, new.classifier_id),
        choices=TableChoices(new.columns, crop_size=new.crop_size),
    )
    locate("datasets", dataset.id)
    return dataset


@router.post("/samples", status_code=201, responses=located(201))
@writes_much
def create_samples(workspace: ServedWorkspace, locate: Locate) -> DatasetState:
    """Open the synthetic sample images as a dataset. The first request draws them."""
    dataset = sources.open_samples(workspace)
    locate("datasets", dataset.id)
    return dataset


@router.get("/datasets/{dataset_id}")
def get_dataset(workspace: ServedWorkspace, dataset_id: str) -> DatasetState:
    """One dataset."""
    return state.dataset_state(workspace, dataset_id)


class DatasetChanges(Body):
    """The changes; missing fields stay as they are. To remove the groups, set group or group_pattern to null."""

    name: Name | None = None
    sources: Sources | None = None
    """All sources of the images from now on: add or remove folders, or name their domains."""
    group: Text | None = None
    """A column of the table; null removes the groups."""
    group_pattern: GroupPattern | None = None
    """A regular expression for paths; null removes the groups."""
    group_merge: (
        Annotated[dict[Text, Annotated[list[Text], Field(max_length=1_000)]], Field(max_length=10_000)] | None
    ) = None
    """Groups to join, because they are one group with several spellings: by the name of the joined group, the names of
    all. It replaces earlier joins; other groups, by a column or a pattern, end them."""
    class_plan: Classes | None = None
    classes: Annotated[list[Name], Field(max_length=1_000)] | None = None
    """Names in the order of their keys and colors, including classes without images."""
    pixels: PixelChoice | None = None
    """The pixels of each file that are an image, in trainings and predictions. The images are read again, and labels
    are kept."""
    display: Annotated[list[ChannelDisplay], Field(max_length=1_000)] | None = None
    """How the viewer shows each channel of all images; an empty list: automatic."""


@router.patch("/datasets/{dataset_id}", responses=problems(409))
def change_dataset(workspace: ServedWorkspace, dataset_id: str, changes: DatasetChanges) -> DatasetState:
    """Change the name, where images come from, the groups, the classes or their order.

    Labels from the app are kept, also those of images that no longer exist, until the images come back.
    """
    return sources.change_dataset(workspace, dataset_id, changes.model_dump(exclude_unset=True))


@router.delete("/datasets/{dataset_id}", status_code=204, responses=problems(409))
def remove_dataset(workspace: ServedWorkspace, dataset_id: str) -> None:
    """Remove a dataset from the list. After 30 days, its labels from the app and uploaded files are deleted."""
    cleanup.remove_dataset(workspace, dataset_id)


@router.post("/datasets/{dataset_id}/restore")
def restore_dataset(workspace: ServedWorkspace, dataset_id: str) -> DatasetState:
    """Restore a removed dataset, with its labels from the app."""
    return cleanup.restore_dataset(workspace, dataset_id)


@router.post("/datasets/{dataset_id}/refresh", responses=problems(409))
def refresh_dataset(workspace: ServedWorkspace, dataset_id: str) -> DatasetState:
    """Read the folders or tables again. Labels from the app are kept."""
    return sources.refresh_dataset(workspace, dataset_id)


@router.get("/datasets/{dataset_id}/inspection", responses=problems(409))
def get_inspection(workspace: ServedWorkspace, dataset_id: str) -> DatasetInspection:
    """The inspection of the images; 409 while they are being read."""
    return reading_images.inspection(workspace, dataset_id)


@router.delete("/datasets/{dataset_id}/reserved-test", status_code=204, responses=problems(409))
def remove_reserved_test(workspace: ServedWorkspace, dataset_id: str) -> None:
    """Remove the reserved test set, and switch live off. Trainings then choose test images among all labeled ones."""
    live.remove_reserved_test(workspace, dataset_id)


@router.delete("/datasets/{dataset_id}/live", status_code=204)
@needs("annotator")
def stop_live(workspace: ServedWorkspace, dataset_id: str) -> None:
    """Switch live off. The test set stays reserved."""
    live.stop_live(workspace, dataset_id)


@router.get("/datasets/{dataset_id}/map-points", response_class=Response, responses=_POINTS)
def get_map_points(workspace: ServedWorkspace, dataset_id: str) -> Response:
    """The points of the map. All numbers are little-endian and have 4 bytes, later ones 2.

    Three uint32: the number n of points, 0, 0. Then, of each point: its row_id (uint32); its box (4 int32: x, y, width
    and height, on a map whose side is 1,000,000). Then n + 2 uint32 of 0. Then, in four arrays of n uint16, of each
    point: its class and its group (positions in the lists of the map; 65535: none); its cluster of similar images (from
    0, the largest first); 1 if it is excluded, plus 2 if it belongs to the reserved test set.
    """
    return Response(dataset_maps.map_points(workspace, dataset_id), media_type="application/octet-stream")


@router.get("/datasets/{dataset_id}/map-predictions/{job_id}", responses=problems(409))
def get_map_predictions(workspace: ServedWorkspace, dataset_id: str, job_id: str) -> MapPredictions:
    """The predictions of a training, an evaluation or a prediction for images of the dataset, to color its map."""
    return dataset_maps.map_predictions(workspace, dataset_id, job_id)


@router.get("/datasets/{dataset_id}/class-thumbnails")
def list_class_thumbnails(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[ClassThumbnails]:
    """Some images of each class, evenly spread over the class."""
    return paging.page_of(state.class_thumbnails(workspace, dataset_id))


@router.get("/datasets/{dataset_id}/columns")
def list_columns(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[str]:
    """The columns of the dataset's tables that can name groups; none if it was opened from folders."""
    return paging.page_of(grouping.group_columns(workspace, dataset_id))


@router.get("/datasets/{dataset_id}/group-suggestions", responses=problems(409))
def list_group_suggestions(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[GroupSuggestion]:
    """Columns and patterns that may group the images. A training would accept each of them."""
    return paging.page_of(suggestions.list_suggestions(workspace, dataset_id))


class RecipeOf(Body):
    """The recipe of a training; missing keys have their defaults."""

    recipe: Recipe = Field(default_factory=dict)


@router.post("/datasets/{dataset_id}/augmentation-preview", response_class=Response, responses=_PNG | problems(409))
@needs("viewer")
def preview_augmentation(workspace: ServedWorkspace, pool: PreviewPool, dataset_id: str, body: RecipeOf) -> Response:
    """Some training images after preprocessing and after data augmentation."""
    picture = queueing.preview_augmentation(workspace, pool, dataset_id, body.recipe)
    return Response(picture, media_type="image/png")


@router.get("/datasets/{dataset_id}/pixel-options")
def get_pixel_options(workspace: ServedWorkspace, dataset_id: str) -> PixelOptions:
    """The series, time points, z-planes, channels and levels of the files, among which users choose."""
    return pixel_options.pixel_options(workspace, dataset_id)


folders_router = api_router("folders")


class TableToOpen(TableReading):
    """A table, and how to read it."""

    path: Text = Field(examples=["/data/cells.csv"])
    """Absolute path of the table."""


@folders_router.post("/table-crops-preview", response_class=Response, responses=PICTURE | problems(404))
def preview_table_crops(workspace: ServedWorkspace, body: TableToOpen) -> Response:
    """Some of the images of a table, side by side."""
    return Response(folders.preview_crops(workspace, body.path, body.columns, body.crop_size), media_type="image/png")


@folders_router.get("/folders")
@needs("editor")  # shows names of files of the server
def get_folder(
    workspace: ServedWorkspace,
    path: Annotated[str | None, Query(description="A folder; without one, the folders that may be read.")] = None,
) -> FolderContent:
    """The content of a folder: folders, tables, and the number of images."""
    return list_folder(workspace, path)


uploads_router = api_router("uploads")


class NewUpload(Body):
    """An upload to start."""

    name: Name
    is_labeled: bool
    """Whether sub-folders or a table give the labels."""


@uploads_router.post("/uploads", status_code=201, responses=located(201))
@writes_much
def create_upload(workspace: ServedWorkspace, new: NewUpload, locate: Locate) -> Upload:
    """Start an upload."""
    upload = folders.start_upload(workspace, new.name, is_labeled=new.is_labeled)
    locate("uploads", upload.id)
    return upload


@uploads_router.get("/uploads/{upload_id}")
def get_upload(workspace: ServedWorkspace, upload_id: str) -> Upload:
    """The state of an upload."""
    return folders.upload_state(workspace, upload_id)


@uploads_router.get("/uploads/{upload_id}/table", responses=problems(409))
def get_uploaded_table(workspace: ServedWorkspace, upload_id: str) -> UploadedTable | None:
    """The table whose columns must be chosen before the upload becomes a dataset; null: none."""
    return folders.table_of(workspace, upload_id)


@uploads_router.put(
    "/uploads/{upload_id}/files/{name:path}",
    status_code=201,
    responses=located(201) | problems(409, 413),
    openapi_extra=RAW_BODY,
)
@writes_much
async def send_file(workspace: ServedWorkspace, upload_id: str, name: str, request: Request, locate: Locate) -> Upload:
    """Upload one file. Its name may contain folders (`class/cell.png`). It replaces a file of the same name."""
    locate("uploads", upload_id)
    path = safe_name(name)
    async with _received(workspace, upload_id, request) as file:
        return await run_in_threadpool(folders.store_file, workspace, upload_id, path, file)


@uploads_router.put(
    "/uploads/{upload_id}/archive", status_code=201, responses=located(201) | problems(409, 413), openapi_extra=RAW_BODY
)
@writes_much
async def send_archive(workspace: ServedWorkspace, upload_id: str, request: Request, locate: Locate) -> Upload:
    """Upload a zip file. All its entries are checked before it is unpacked as a whole."""
    locate("uploads", upload_id)
    async with _received(workspace, upload_id, request) as file:
        return await run_in_threadpool(folders.store_archive, workspace, upload_id, file)


@asynccontextmanager
async def _received(workspace: Workspace, upload_id: str, request: Request) -> AsyncIterator[Path]:
    """Write the body to a file beside the files of an upload."""
    n_bytes = await run_in_threadpool(folders.bytes_left, workspace, upload_id)
    folder, error = workspace.uploads / upload_id, folders.too_large(n_bytes)
    async with received(request, folder, most_bytes=n_bytes, too_large=error) as file:
        yield file


class FinishUpload(Body):
    """How to create a dataset of the files."""

    is_labeled: bool | None = None
    """Overrides the value from the start of the upload."""
    classifier_id: Text | None = Field(default=None, description=_LABELS_OF_CLASSIFIER)
    table: TableReading | None = None
    """How to read the table of the upload; null: by its header, if it gives the labels."""
    ignores_table: bool = False
    """Create a dataset of the images alone."""
    dataset_id: Text | None = None
    """Add the images to this dataset instead, as a domain with the name of the upload."""


@uploads_router.post("/uploads/{upload_id}/finish", status_code=201, responses=located(201) | problems(409))
@writes_much
def finish_upload(workspace: ServedWorkspace, upload_id: str, finished: FinishUpload, locate: Locate) -> DatasetState:
    """Create a dataset of the files. If this fails, the files are kept for another attempt."""
    table = finished.table
    choices = None if table is None else TableChoices(table.columns, crop_size=table.crop_size)
    dataset = folders.finish_upload(
        workspace,
        upload_id,
        is_labeled=finished.is_labeled,
        classes=classes_of(workspace, finished.classifier_id),
        choices=choices,
        ignores_table=finished.ignores_table,
        dataset_id=finished.dataset_id,
    )
    locate("datasets", dataset.id)
    return dataset


@uploads_router.delete("/uploads/{upload_id}", status_code=204, responses=problems(409))
def remove_upload(workspace: ServedWorkspace, upload_id: str) -> None:
    """Remove an upload."""
    folders.remove_upload(workspace, upload_id)
