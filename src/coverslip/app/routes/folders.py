"""Choosing a folder of images on the computer that the server runs on."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from coverslip.app.deps import Home
from coverslip.app.schemas.folders import ClassFolder, Folder, PlaceInFolder
from coverslip.workspace.datasets.folders import Place, look_into

router = APIRouter(tags=["folders"])


@router.get("/folders", operation_id="look_into_folder")
def look_into_folder(
    workspace: Home,
    path: Annotated[str | None, Query(description="A folder; without one, the folders that may be read.")] = None,
) -> Folder:
    """What lies in a folder: other folders, tables, and how many images."""
    found = look_into(workspace, path)
    return Folder(
        path=str(found.path) if found.path else None,
        parent=str(found.parent) if found.parent else None,
        folders=_places(found.folders),
        tables=_places(found.tables),
        n_images=found.n_images,
        class_folders=[ClassFolder(**asdict(one)) for one in found.class_folders],
        is_more=found.is_more,
        n_left_out=found.n_left_out,
    )


def _places(places: list[Place]) -> list[PlaceInFolder]:
    return [PlaceInFolder(name=place.name, path=str(place.path)) for place in places]
