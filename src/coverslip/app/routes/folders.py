"""Choosing a folder of images on the computer that the server runs on."""

from typing import Annotated

from fastapi import Query

from coverslip.app.deps import Home
from coverslip.app.routing import api_router
from coverslip.workspace.datasets.folders import FolderContent, look_into

router = api_router("folders")


@router.get("/folders")
def get_folder(
    workspace: Home,
    path: Annotated[str | None, Query(description="A folder; without one, the folders that may be read.")] = None,
) -> FolderContent:
    """What lies in a folder: other folders, tables, and how many images."""
    return look_into(workspace, path)
