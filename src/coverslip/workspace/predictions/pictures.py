"""Pictures of the images that rows are about."""

import hashlib
from pathlib import Path

from coverslip.errors import NotFound
from coverslip.images import ReadPlan
from coverslip.runs.lookup import ImageSource
from coverslip.workspace.store.home import Workspace
from coverslip.workspace.viewing.images import PictureSource
from coverslip.workspace.viewing.pictures import View, large_picture, thumbnail

NOT_FOUND = ImageSource(Path("/nowhere"), ReadPlan())  # its row still counts


def thumbnail_of(workspace: Workspace, job_id: str, picture: ImageSource, side: int) -> bytes:
    """A thumbnail of a row's image, kept for the next time; a blank one where it cannot be read."""
    return thumbnail(workspace, job_id, _source(picture), side)


def picture_of(workspace: Workspace, picture: ImageSource, view: View) -> bytes:
    """A row's image as it is looked at in a viewer.

    Raises:
        NotFound: where it lies is not known any more.
        CoverslipError: it lies outside the allowed roots, or cannot be read.
    """
    if picture == NOT_FOUND:
        do = "Put back the folder or table that it was opened from."
        raise NotFound("The image is no longer where it was", do=do)
    return large_picture(workspace, _source(picture), view)


def _source(picture: ImageSource) -> PictureSource:
    try:
        stat = picture.file.stat()
        version = f"{stat.st_mtime_ns:x}-{stat.st_size:x}"
    except (OSError, ValueError):
        version = "gone"
    described = f"{picture.file!r} {version} {picture.plan.as_json()}"
    return PictureSource(picture.file, picture.plan, hashlib.sha256(described.encode()).hexdigest()[:24], True)
