"""Images as answers."""

from typing import Annotated, Any

from fastapi import Depends, Query, Response

from coverslip.workspace.viewing.pictures import View

_STARTS = ((b"\xff\xd8", "image/jpeg"), (b"\x89PNG", "image/png"))
_BINARY = {"schema": {"type": "string", "format": "binary"}}
IMAGE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The image.", "content": {"image/jpeg": _BINARY, "image/webp": _BINARY}}
}
PICTURE: dict[int | str, dict[str, Any]] = {200: {"description": "The image.", "content": {"image/png": _BINARY}}}


def kind_of(data: bytes) -> str:
    """The media type of a picture's bytes."""
    return next((kind for start, kind in _STARTS if data.startswith(start)), "image/webp")


def image_response(data: bytes) -> Response:
    """The bytes of a picture; a row's image does not change while it is looked at."""
    return Response(data, media_type=kind_of(data), headers={"Cache-Control": "private, max-age=3600"})


def _viewed(
    channel: Annotated[int | None, Query(ge=0, le=1_000, description="One channel in grey; else colour.")] = None,
    plane: Annotated[int | None, Query(ge=0, le=100_000, description="Of a stack; else the one that is used.")] = None,
    low: Annotated[float | None, Query(allow_inf_nan=False, description="Intensity shown black.")] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False, description="Intensity shown white.")] = None,
) -> View:
    return View(channel=channel, plane=plane, low=low, high=high)


Viewed = Annotated[View, Depends(_viewed)]
