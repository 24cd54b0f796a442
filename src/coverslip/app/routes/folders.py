"""Choosing a folder of images on the computer that the server runs on."""

from typing import Annotated

from fastapi import Query, Response

from coverslip.app.files import PICTURE
from coverslip.app.requests import Home, api_router
from coverslip.app.schemas.datasets import TableToOpen
from coverslip.app.schemas.system import problems
from coverslip.workspace.datasets.folders import FolderContent, look_into
from coverslip.workspace.viewing import tables
from coverslip.workspace.viewing.tables import TablePreview

router = api_router("folders")


@router.post("/table-preview", responses=problems(404, 422))
def preview_table(workspace: Home, body: TableToOpen) -> TablePreview:
    """The columns of a table, what each is taken for, and the first rows."""
    return tables.preview_table(workspace, body.path, body.columns)


@router.post("/table-crops-preview", response_class=Response, responses=PICTURE | problems(404, 422))
def preview_table_crops(workspace: Home, body: TableToOpen) -> Response:
    """Some of the images that a table gives, side by side."""
    return Response(tables.preview_crops(workspace, body.path, body.columns, body.crop_size), media_type="image/png")


@router.get("/folders")
def get_folder(
    workspace: Home,
    path: Annotated[str | None, Query(description="A folder; without one, the folders that may be read.")] = None,
) -> FolderContent:
    """What lies in a folder: other folders, tables, and how many images."""
    return look_into(workspace, path)
