"""Choosing a folder of images on the computer that the server runs on."""

from typing import Annotated

from fastapi import APIRouter, Query

from coverslip.app.deps import Home
from coverslip.workspace.datasets.folders import FolderContent, look_into

router = APIRouter(tags=["folders"])


@router.get("/folders")
def get_folder(
    workspace: Home,
    path: Annotated[str | None, Query(description="A folder; without one, the folders that may be read.")] = None,
) -> FolderContent:
    """What lies in a folder: other folders, tables, and how many images."""
    return look_into(workspace, path)
