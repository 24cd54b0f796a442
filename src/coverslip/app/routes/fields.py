"""Fields of view of lists of images: the whole image, and its objects, which are read or found."""

from fastapi import Response

from coverslip.app.requests import ListId, Locate, Paged, PreviewPool, ServedWorkspace, api_router
from coverslip.app.routes.images import (
    BINARY,
    NOT_MODIFIED,
    Answers,
    Etag,
    ListedRowId,
    RowId,
    revalidated,
)
from coverslip.app.schemas.system import located, problems
from coverslip.workspace import objects
from coverslip.workspace.lists.rows import open_list
from coverslip.workspace.objects import (
    FinderName,
    FinderPreview,
    FinderToPreview,
    ObjectsPreview,
    ObjectsState,
    ObjectsToCollect,
)
from coverslip.workspace.predictions import object_export
from coverslip.workspace.predictions.object_export import ObjectExport, ObjectExportState
from coverslip.workspace.store.rows import Page
from coverslip.workspace.viewing import fields
from coverslip.workspace.viewing.fields import FieldOfView
from coverslip.workspace.viewing.lists import ObjectLabels

router = api_router("fields", responses=problems(409))

_OUTLINES: Answers = {
    200: {
        "content": BINARY,
        "description": "Little-endian numbers of 32 bits: the numbers of objects, rings and vertices; the row_id of "
        "each object; x, y, width and height of each box (signed, in pixels); the first ring of each object, and the "
        "number of rings; the first vertex of each ring, and the number of vertices; x and y of each vertex "
        "(floating point). A ring of one vertex is a point.",
    }
}


@router.get("/lists/{list_id}/fields")
def list_fields(workspace: ServedWorkspace, list_id: ListId, paging: Paged) -> Page[FieldOfView]:
    """The fields of view of which the images of a dataset or a job are parts; none if they are whole files."""
    return fields.list_fields(open_list(workspace, list_id), paging)


@router.get("/lists/{list_id}/rows/{row_id}/field")
def get_field(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId) -> FieldOfView:
    """The field of view of an object."""
    return fields.field_of(open_list(workspace, list_id), row_id)


@router.get("/lists/{list_id}/rows/{row_id}/field/labels")
def get_field_labels(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId) -> ObjectLabels:
    """The labels of all objects in the field of an object, and for jobs their predictions."""
    return fields.field_labels(open_list(workspace, list_id), row_id)


@router.get(
    "/lists/{list_id}/rows/{row_id}/field/outlines", response_class=Response, responses=_OUTLINES | NOT_MODIFIED
)
def get_field_outlines(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId, etag: Etag = None) -> Response:
    """The boxes and outlines of all objects in the field of an object."""
    outlines = fields.field_outlines(open_list(workspace, list_id), row_id)
    return revalidated(outlines.encoded, outlines.version, etag)


@router.get("/finders")
def list_finders(paging: Paged) -> Page[FinderName]:
    """The installed finders of objects."""
    return paging.page_of(objects.finders())


@router.post("/datasets/{dataset_id}/images/{row_id}/finder-preview")
def preview_finder(
    workspace: ServedWorkspace, pool: PreviewPool, dataset_id: str, row_id: RowId, body: FinderToPreview
) -> FinderPreview:
    """The objects that a finder finds in an image with these settings, or in the center of a large image."""
    return objects.preview_finder(workspace, pool, dataset_id, row_id, body)


@router.post("/datasets/{dataset_id}/objects-preview", responses=problems(409))
def preview_objects(
    workspace: ServedWorkspace, pool: PreviewPool, dataset_id: str, body: ObjectsToCollect
) -> ObjectsPreview:
    """What is recognized in files of objects: formats, columns, names and groups. Nothing is created.

    Of many files, those are read for which 5 seconds suffice.
    """
    return objects.preview_files(workspace, pool, dataset_id, body)


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
