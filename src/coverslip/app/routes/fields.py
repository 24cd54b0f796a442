"""Fields of view of datasets and predictions: the whole image, and its objects, which are read or found."""

from typing import Annotated

from fastapi import Path, Response
from fastapi.responses import StreamingResponse

from coverslip.app.requests import Locate, Paged, ServedWorkspace, api_router, from_app
from coverslip.app.routes.images import (
    BINARY,
    NOT_MODIFIED,
    TILE,
    Answers,
    Etag,
    RequestedTile,
    RowId,
    ViewedPlane,
    revalidated,
)
from coverslip.app.schemas.system import located, problems
from coverslip.workspace import objects
from coverslip.workspace.lists.rows import display_of_job
from coverslip.workspace.objects import (
    FinderName,
    FinderPreview,
    FinderToPreview,
    ObjectPreviews,
    ObjectsPreview,
    ObjectsState,
    ObjectsToCollect,
)
from coverslip.workspace.predictions import fields as predicted
from coverslip.workspace.predictions import object_export
from coverslip.workspace.predictions.fields import FieldPredictions
from coverslip.workspace.predictions.object_export import ObjectExport, ObjectExportState
from coverslip.workspace.store.rows import Page
from coverslip.workspace.trainings import downloads
from coverslip.workspace.viewing import fields, images, tiles
from coverslip.workspace.viewing.fields import FieldLabels, FieldOfView, FieldOutlines

router = api_router("fields", responses=problems(404, 409, 422))

_ZIP: Answers = {
    200: {
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The files as a zip.",
    }
}
PredictedRow = Annotated[int, Path(ge=0, lt=2**32, description="The number of the object in the job, from 0.")]
_OUTLINES: Answers = {
    200: {
        "content": BINARY,
        "description": "Little-endian numbers of 32 bits: the numbers of objects, rings and vertices; the row_id of "
        "each object; x, y, width and height of each box (signed, in pixels); the first ring of each object, and the "
        "number of rings; the first vertex of each ring, and the number of vertices; x and y of each vertex "
        "(floating point). A ring of one vertex is a point.",
    }
}


@router.get("/datasets/{dataset_id}/fields")
def list_fields(workspace: ServedWorkspace, dataset_id: str, paging: Paged) -> Page[FieldOfView]:
    """The fields of view of which the images of a dataset are parts; none if they are whole files."""
    return fields.list_fields(workspace, dataset_id, paging)


@router.get("/datasets/{dataset_id}/images/{row_id}/field")
def get_field(workspace: ServedWorkspace, dataset_id: str, row_id: RowId) -> FieldOfView:
    """The field of view of an object."""
    return fields.field_of(workspace, dataset_id, row_id)


@router.get("/datasets/{dataset_id}/images/{row_id}/field/labels")
def get_field_labels(workspace: ServedWorkspace, dataset_id: str, row_id: RowId) -> FieldLabels:
    """The labels of all objects in the field of an object."""
    return fields.field_labels(workspace, dataset_id, row_id)


@router.get(
    "/datasets/{dataset_id}/images/{row_id}/field/outlines",
    response_class=Response,
    responses=_OUTLINES | NOT_MODIFIED,
)
def get_field_outlines(workspace: ServedWorkspace, dataset_id: str, row_id: RowId, etag: Etag = None) -> Response:
    """The boxes and outlines of all objects in the field of an object."""
    return _outlines(fields.field_outlines(workspace, dataset_id, row_id), etag)


@router.get("/datasets/{dataset_id}/images/{row_id}/field/tiles")
def get_tiled_field(workspace: ServedWorkspace, dataset_id: str, row_id: RowId, plane: ViewedPlane) -> tiles.TiledImage:
    """The size, levels, planes and channels of the whole field of an object, for a viewer that loads tiles."""
    source = fields.whole_field(images.picture_source(workspace, dataset_id, row_id))
    return tiles.describe_tiles(workspace, dataset_id, source, plane, tiles.stored_display(workspace, dataset_id))


@router.get(
    "/datasets/{dataset_id}/images/{row_id}/field/tiles/{level}/{x}/{y}",
    response_class=Response,
    responses=TILE | NOT_MODIFIED,
)
async def get_field_tile(tile: RequestedTile, dataset_id: str, row_id: RowId) -> Response:
    """The tile in column `x` and row `y` of a level of the whole field of an object."""
    find_object = images.picture_source
    return await tile.respond(dataset_id, lambda: fields.whole_field(find_object(tile.workspace, dataset_id, row_id)))


@router.get("/finders")
def list_finders(paging: Paged) -> Page[FinderName]:
    """The installed finders of objects."""
    return paging.page_of(objects.finders())


@router.post("/datasets/{dataset_id}/images/{row_id}/finder-preview")
def preview_finder(
    dataset_id: str, row_id: RowId, body: FinderToPreview, previews: Annotated[ObjectPreviews, from_app("previews")]
) -> FinderPreview:
    """The objects that a finder finds in an image with these settings, or in the center of a large image."""
    return previews.preview_finder(dataset_id, row_id, body)


@router.post("/datasets/{dataset_id}/objects-preview", responses=problems(409))
def preview_objects(
    dataset_id: str, body: ObjectsToCollect, previews: Annotated[ObjectPreviews, from_app("previews")]
) -> ObjectsPreview:
    """What is recognized in files of objects: formats, columns, names and groups. Nothing is created.

    Of many files, those are read for which 5 seconds suffice.
    """
    return previews.preview_files(dataset_id, body)


@router.get("/datasets/{dataset_id}/objects")
def get_objects(workspace: ServedWorkspace, dataset_id: str) -> ObjectsState:
    """The objects that were collected last from the fields of a dataset, and the progress of new ones."""
    return objects.objects_state(workspace, dataset_id)


@router.post("/datasets/{dataset_id}/objects", status_code=202, responses=located(202) | problems(409))
def create_objects(workspace: ServedWorkspace, dataset_id: str, body: ObjectsToCollect, locate: Locate) -> ObjectsState:
    """Read the objects of the fields from files of another program, or find them, in a separate process.

    The table of objects becomes a dataset of its own. Files are matched to fields by their names.
    """
    locate("datasets", dataset_id, "objects")
    return objects.start_objects(workspace, dataset_id, body)


@router.delete("/datasets/{dataset_id}/objects", status_code=204)
def remove_objects(workspace: ServedWorkspace, dataset_id: str) -> None:
    """Cancel the collection of objects. Earlier ones are kept."""
    objects.cancel_objects(workspace, dataset_id)


@router.get("/jobs/{job_id}/fields")
def list_predicted_fields(workspace: ServedWorkspace, job_id: str, paging: Paged) -> Page[FieldOfView]:
    """The fields of view of the objects of a training (test images), an evaluation or a prediction so far."""
    return predicted.list_fields(workspace, job_id, paging)


@router.get("/jobs/{job_id}/rows/{row_id}/field")
def get_predicted_field(workspace: ServedWorkspace, job_id: str, row_id: PredictedRow) -> FieldOfView:
    """The field of view of a predicted object."""
    return predicted.field_of(workspace, job_id, row_id)


@router.get("/jobs/{job_id}/rows/{row_id}/field/predictions")
def get_field_predictions(workspace: ServedWorkspace, job_id: str, row_id: PredictedRow) -> FieldPredictions:
    """The predictions of all objects in the field of an object."""
    return predicted.field_predictions(workspace, job_id, row_id)


@router.get(
    "/jobs/{job_id}/rows/{row_id}/field/outlines",
    response_class=Response,
    responses=_OUTLINES | NOT_MODIFIED,
)
def get_predicted_field_outlines(
    workspace: ServedWorkspace, job_id: str, row_id: PredictedRow, etag: Etag = None
) -> Response:
    """The boxes and outlines of all objects in the field of a predicted object."""
    return _outlines(predicted.field_outlines(workspace, job_id, row_id), etag)


@router.get("/jobs/{job_id}/rows/{row_id}/field/tiles")
def get_predicted_tiled_field(
    workspace: ServedWorkspace, job_id: str, row_id: PredictedRow, plane: ViewedPlane
) -> tiles.TiledImage:
    """The whole field of a predicted object, for a viewer that loads tiles."""
    source = fields.whole_field(predicted.picture_source(workspace, job_id, row_id))
    return tiles.describe_tiles(workspace, job_id, source, plane, display_of_job(workspace, job_id))


@router.get(
    "/jobs/{job_id}/rows/{row_id}/field/tiles/{level}/{x}/{y}",
    response_class=Response,
    responses=TILE | NOT_MODIFIED,
)
async def get_predicted_field_tile(tile: RequestedTile, job_id: str, row_id: PredictedRow) -> Response:
    """The tile in column `x` and row `y` of a level of the whole field of a predicted object."""
    find_object = predicted.picture_source
    return await tile.respond(job_id, lambda: fields.whole_field(find_object(tile.workspace, job_id, row_id)))


@router.get("/predictions/{prediction_id}/objects-export")
def get_object_export(workspace: ServedWorkspace, prediction_id: str) -> ObjectExportState:
    """The last export of the objects of a prediction, and its progress."""
    return object_export.export_state(workspace, prediction_id)


@router.post("/predictions/{prediction_id}/objects-export", status_code=202, responses=located(202))
def create_object_export(
    workspace: ServedWorkspace, prediction_id: str, body: ObjectExport, locate: Locate
) -> ObjectExportState:
    """Write the predicted objects for QuPath, ImageJ, CellProfiler and others, or their crops, with corrections."""
    locate("predictions", prediction_id, "objects-export")
    return object_export.start_export(workspace, prediction_id, body)


@router.delete("/predictions/{prediction_id}/objects-export", status_code=204)
def remove_object_export(workspace: ServedWorkspace, prediction_id: str) -> None:
    """Cancel the export of the objects of a prediction."""
    object_export.cancel_export(workspace, prediction_id)


@router.get(
    "/predictions/{prediction_id}/download/objects", response_class=Response, responses=_ZIP | problems(404, 409)
)
def download_objects(workspace: ServedWorkspace, prediction_id: str) -> StreamingResponse:
    """The files of the last export of the objects of a prediction as one zip."""
    name, chunks = object_export.download(workspace, prediction_id)
    headers = {"Content-Disposition": downloads.disposition(name)}
    return StreamingResponse(chunks, media_type="application/zip", headers=headers)


def _outlines(outlines: FieldOutlines, etag: str | None) -> Response:
    return revalidated(outlines.encoded, outlines.version, etag)
