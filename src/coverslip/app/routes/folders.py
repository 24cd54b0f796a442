"""Choose a folder of images on the computer of the server."""

from typing import Annotated

from fastapi import Query, Response

from coverslip.app.files import PICTURE
from coverslip.app.requests import ServedWorkspace, api_router
from coverslip.app.schemas.datasets import TableToOpen
from coverslip.app.schemas.system import problems
from coverslip.workspace.datasets.folders import FolderContent, list_folder
from coverslip.workspace.viewing import tables
from coverslip.workspace.viewing.tables import TablePreview

router = api_router("folders")


@router.post("/table-preview", responses=problems(404, 422))
def preview_table(workspace: ServedWorkspace, body: TableToOpen) -> TablePreview:
    """The columns of a table, their detected meanings, and the first rows."""
    return tables.preview_table(workspace, body.path, body.columns)


@router.post("/table-crops-preview", response_class=Response, responses=PICTURE | problems(404, 422))
def preview_table_crops(workspace: ServedWorkspace, body: TableToOpen) -> Response:
    """Some of the images of a table, side by side."""
    return Response(tables.preview_crops(workspace, body.path, body.columns, body.crop_size), media_type="image/png")


@router.get("/folders")
def get_folder(
    workspace: ServedWorkspace,
    path: Annotated[str | None, Query(description="A folder; without one, the folders that may be read.")] = None,
) -> FolderContent:
    """The content of a folder: folders, tables, and the number of images."""
    return list_folder(workspace, path)
