"""Images of a dataset: lists for galleries, facts and pictures."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header, Path, Query, Request, Response

from coverslip.app.files import IMAGE, PICTURE, Viewed, image_response, media_type_of
from coverslip.app.requests import ServedWorkspace, api_router, until_disconnected
from coverslip.app.schemas.datasets import FilteredPage, Positions
from coverslip.app.schemas.system import problems
from coverslip.errors import Stopped
from coverslip.workspace.store.rows import Page
from coverslip.workspace.viewing import images, pictures
from coverslip.workspace.viewing.filters import Filters, Text

router = api_router("images", responses=problems(422))

Position = Annotated[int, Path(ge=0, le=2**31, description="Position of the image in the dataset, from 0.")]
Version = Annotated[
    Text | None, Query(description="Version of the image. With it, browsers cache the picture permanently.")
]
Answers = dict[int | str, dict[str, Any]]  # Any: FastAPI's own type
Etag = Annotated[str | None, Header(alias="If-None-Match", include_in_schema=False)]

_UNCHANGED = {"description": "The picture is unchanged."}
_NOT_MODIFIED: Answers = {304: _UNCHANGED}
_COLORS: Answers = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "Red, green, blue and shape of each image. Shape: 128 is a square, 160 is twice as wide as "
        "high, 96 is half as wide. All four are 0 if they are unknown.",
    }
}


@router.get(
    "/datasets/{dataset_id}/images",
    responses=problems(404, 422),
)
def list_images(
    workspace: ServedWorkspace, dataset_id: str, page: Annotated[FilteredPage, Query()]
) -> Page[images.Image]:
    """A page of images."""
    return images.list_images(workspace, dataset_id, page, offset=page.offset, limit=page.limit)


@router.get(
    "/datasets/{dataset_id}/positions",
    response_model=Positions,
    responses=problems(404, 422),
)
def list_positions(workspace: ServedWorkspace, dataset_id: str, filters: Annotated[Filters, Query()]) -> Response:
    """The positions and IDs of all matching images, in order. The response is small enough for 100,000 images."""
    matches = images.matching(workspace, dataset_id, filters)
    positions, ids = [position for position, _ in matches], [image_id for _, image_id in matches]
    body = {"items": positions, "image_ids": ids, "total": len(matches)}
    return Response(json.dumps(body, separators=(",", ":")), media_type="application/json")  # fast for 100,000 images


@router.get(
    "/datasets/{dataset_id}/colors",
    response_class=Response,
    responses=_COLORS | _NOT_MODIFIED | problems(404),
)
def get_colors(workspace: ServedWorkspace, dataset_id: str, etag: Etag = None) -> Response:
    """The mean color of every image by position, four bytes each. Galleries show it before the thumbnails."""
    data = pictures.colors(workspace, dataset_id)
    tag = _tag("colors", hashlib.sha256(data).digest())
    if etag == tag:
        return _unchanged(tag, None)
    return _picture(data, "application/octet-stream", tag, None)


@router.get(
    "/datasets/{dataset_id}/images/{i}",
    responses=problems(404),
)
def get_image(workspace: ServedWorkspace, dataset_id: str, i: Position) -> images.ImageFacts:
    """The facts about an image."""
    return images.facts_of(workspace, dataset_id, i)


@router.get(
    "/datasets/{dataset_id}/thumbnail",
    response_class=Response,
    responses=IMAGE | problems(404, 422),
)
def get_thumbnail_of(
    workspace: ServedWorkspace,
    dataset_id: str,
    image_id: Annotated[str, Query(max_length=4096)],
    side: Annotated[int, Query(ge=16, le=512, description="Length of the longer side in pixels.")] = 128,
) -> Response:
    """A thumbnail of the image with this ID."""
    source = images.picture_source_of(workspace, dataset_id, image_id)
    return image_response(pictures.thumbnail(workspace, dataset_id, source, side))


@router.get(
    "/datasets/{dataset_id}/images/{i}/thumbnail",
    response_class=Response,
    responses=IMAGE | _NOT_MODIFIED | problems(404, 422),
)
def get_thumbnail(
    workspace: ServedWorkspace,
    dataset_id: str,
    i: Position,
    side: Annotated[int, Query(ge=16, le=512, description="Length of the longer side in pixels.")] = 128,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """A thumbnail whose longer side is at most `side`. It is blank for an unreadable image."""
    source = images.picture_source(workspace, dataset_id, i)
    tag = _tag("thumbnail", source.version, side)
    if etag == tag:
        return _unchanged(tag, v)
    data = pictures.thumbnail(workspace, dataset_id, source, side)
    if source.is_readable and data == pictures.blank(side):
        return _uncached(data)
    return _picture(data, media_type_of(data), tag, v)


@router.get(
    "/datasets/{dataset_id}/sheet",
    response_class=Response,
    responses=IMAGE | _NOT_MODIFIED | problems(404, 422),
)
async def get_sheet(
    request: Request,
    workspace: ServedWorkspace,
    dataset_id: str,
    places: Annotated[
        str,
        Query(
            alias="images",
            pattern=r"^\d{1,9}(,\d{1,9}){0,63}$",
            description="Up to 64 positions, such as 3,1,2.",
        ),
    ],
    side: Annotated[
        int, Query(ge=16, le=256, description="Side of a cell in pixels; smaller if all images are smaller.")
    ] = 96,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """Many thumbnails as one picture: rows of eight square cells in the requested order; empty if unreadable."""
    positions = [int(text) for text in places.split(",")]

    def answer(is_wanted: Callable[[], bool]) -> Response:
        if not is_wanted():  # the client left before a thread was free
            return _no_content()
        sources = images.picture_sources(workspace, dataset_id, positions)
        tag = _tag("sheet", *(source.version for source in sources), side)
        if etag == tag:
            return _unchanged(tag, v)
        try:
            data, is_complete = pictures.sheet(workspace, dataset_id, sources, side, is_wanted)
        except Stopped:
            return _no_content()
        return _picture(data, media_type_of(data), tag, v) if is_complete else _uncached(data)

    return await until_disconnected(request, answer)


@router.get(
    "/datasets/{dataset_id}/images/{i}/picture",
    response_class=Response,
    responses=PICTURE | _NOT_MODIFIED | problems(404, 422),
)
def get_picture(
    workspace: ServedWorkspace,
    dataset_id: str,
    i: Position,
    view: Viewed,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """The image for the viewer, 8 bit. Without low and high, deeper images are scaled to their intensity range."""
    source = images.picture_source(workspace, dataset_id, i)
    tag = _tag("picture", source.version, view)
    if etag == tag:
        return _unchanged(tag, v)
    return _picture(pictures.large_picture(workspace, source, view), "image/png", tag, v)


def _tag(*values: object) -> str:
    return f'"{hashlib.sha256(repr(values).encode()).hexdigest()[:24]}"'


def _headers(tag: str, version: str | None) -> dict[str, str]:
    """Return caching headers: with a version the picture never changes, without one the browser revalidates it."""
    caching = "private, max-age=31536000, immutable" if version else "private, no-cache"
    return {"ETag": tag, "Cache-Control": caching}


def _picture(data: bytes, media_type: str, tag: str, version: str | None) -> Response:
    return Response(data, media_type=media_type, headers=_headers(tag, version))


def _uncached(data: bytes) -> Response:
    """Return a picture of missing files without caching: a disconnected disk may come back."""
    return Response(data, media_type=media_type_of(data), headers={"Cache-Control": "no-store"})


def _unchanged(tag: str, version: str | None) -> Response:
    return Response(status_code=304, headers=_headers(tag, version))


def _no_content() -> Response:
    """Return the response to a client that has left."""
    return Response(status_code=204)
