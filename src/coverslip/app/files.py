"""Files, images and reports of the workspace as responses."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Query, Response
from fastapi import Path as InAddress
from fastapi.responses import StreamingResponse

from coverslip.images import open_below
from coverslip.workspace.jobs.downloads import disposition, sent
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing.pictures import View


def file_response(
    workspace: Workspace,
    file: Path,
    media_type: str,
    *,
    name: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> StreamingResponse:
    """Return a file that the app may read. The file that is checked is the file that is sent.

    Args:
        workspace: the workspace; the file must be in one of its folders, also after links are resolved.
        file: the file to send.
        media_type: the type of its content.
        name: the name under which a browser saves it; None: the browser shows it.
        headers: further headers of the response.

    Raises:
        UnreadableImage: the file is outside these folders.
    """
    opened = open_below(file, workspace.readable)
    of_file = {"Content-Length": str(os.fstat(opened.fileno()).st_size)}
    if name is not None:
        of_file["Content-Disposition"] = disposition(name)
    return StreamingResponse(sent(opened), media_type=media_type, headers={**of_file, **(headers or {})})


_STARTS = ((b"\xff\xd8", "image/jpeg"), (b"\x89PNG", "image/png"))
_BINARY = {"schema": {"type": "string", "format": "binary"}}
IMAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The image.", "content": {"image/jpeg": _BINARY, "image/webp": _BINARY}}
}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"description": "The image.", "content": {"image/png": _BINARY}}}


def kind_of(data: bytes) -> str:
    """Return the media type of the bytes of an image."""
    return next((kind for start, kind in _STARTS if data.startswith(start)), "image/webp")


def image_response(data: bytes) -> Response:
    """Return the bytes of an image, which browsers may cache for an hour."""
    return Response(data, media_type=kind_of(data), headers={"Cache-Control": "private, max-age=3600"})


def _viewed(
    channel: Annotated[int | None, Query(ge=0, le=1_000, description="One channel in gray. Default: color.")] = None,
    plane: Annotated[
        int | None, Query(ge=0, le=100_000, description="Plane of a stack. Default: the plane that classifiers use.")
    ] = None,
    low: Annotated[float | None, Query(allow_inf_nan=False, description="Intensity shown black.")] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False, description="Intensity shown white.")] = None,
) -> View:
    return View(channel=channel, plane=plane, low=low, high=high)


Viewed = Annotated[View, Depends(_viewed)]


RUNS_NOTHING = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-popups allow-downloads"
)


FigureFile = Annotated[str, InAddress(pattern=r"^[a-z0-9_-]{1,64}\.(svg|png|csv)$")]
_FIGURE_TYPES = {".svg": "image/svg+xml", ".png": "image/png", ".csv": "text/csv"}
FIGURE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The figure, or the table of its numbers.",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _FIGURE_TYPES.values()},
    }
}


def figure_response(workspace: Workspace, file: Path) -> StreamingResponse:
    """Return a file of `figures/`, with a policy that blocks scripts."""
    return file_response(workspace, file, _FIGURE_TYPES[file.suffix], headers={"Content-Security-Policy": RUNS_NOTHING})


def report_response(workspace: Workspace, file: Path) -> StreamingResponse:
    """Return a `report.html`, with a policy that blocks scripts."""
    return file_response(workspace, file, "text/html", headers={"Content-Security-Policy": RUNS_NOTHING})
