"""Images of a dataset: lists for galleries, facts, and pictures."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header, Path, Query, Request, Response

from coverslip.app.files import IMAGE, PICTURE, image_response, kind_of
from coverslip.app.requests import Home, api_router, while_wanted
from coverslip.app.schemas.datasets import FilteredPage, Positions
from coverslip.app.schemas.system import problems
from coverslip.errors import Stopped
from coverslip.workspace.store.rows import Page
from coverslip.workspace.viewing import images, pictures
from coverslip.workspace.viewing.filters import Filters, Text

router = api_router("images", responses=problems(422))

Place = Annotated[int, Path(ge=0, le=2**31, description="The image's place in the dataset, from 0.")]
Version = Annotated[Text | None, Query(description="The image's version; with it the picture is kept for good.")]
Answers = dict[int | str, dict[str, Any]]  # Any: FastAPI's own type
Known = Annotated[str | None, Header(alias="If-None-Match", include_in_schema=False)]

_UNCHANGED = {"description": "It is unchanged."}
_NOT_NEW: Answers = {304: _UNCHANGED}
_COLOURS: Answers = {
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "Red, green, blue and shape of each image. Shape: 128 is a square, 32 more is twice as wide as "
        "high, 32 less half as wide. All four are 0 where it is not known.",
    }
}


@router.get(
    "/datasets/{dataset_id}/images",
    responses=problems(404, 422),
)
def list_images(home: Home, dataset_id: str, page: Annotated[FilteredPage, Query()]) -> Page[images.Image]:
    """A page of images."""
    return images.list_images(home, dataset_id, page, offset=page.offset, limit=page.limit)


@router.get(
    "/datasets/{dataset_id}/positions",
    response_model=Positions,
    responses=problems(404, 422),
)
def list_positions(home: Home, dataset_id: str, filters: Annotated[Filters, Query()]) -> Response:
    """The places of all images that match, in order, and their ids: small enough for galleries of 100,000."""
    found = images.matching(home, dataset_id, filters)
    positions, ids = [position for position, _ in found], [image_id for _, image_id in found]
    body = {"items": positions, "image_ids": ids, "total": len(found)}
    return Response(json.dumps(body, separators=(",", ":")), media_type="application/json")  # of 100,000: quickly


@router.get(
    "/datasets/{dataset_id}/colours",
    response_class=Response,
    responses=_COLOURS | _NOT_NEW | problems(404),
)
def get_colours(home: Home, dataset_id: str, known: Known = None) -> Response:
    """The average colour of every image in the order of their places, four bytes each: what a gallery shows at once."""
    data = pictures.colours(home, dataset_id)
    tag = _tag("colours", hashlib.sha256(data).digest())
    if known == tag:
        return _unchanged(tag, None)
    return _picture(data, "application/octet-stream", tag, None)


@router.get(
    "/datasets/{dataset_id}/images/{i}",
    responses=problems(404),
)
def get_image(home: Home, dataset_id: str, i: Place) -> images.ImageFacts:
    """All that is known about one image."""
    return images.facts_of(home, dataset_id, i)


@router.get(
    "/datasets/{dataset_id}/thumbnail",
    response_class=Response,
    responses=IMAGE | problems(404, 422),
)
def get_thumbnail_of(
    home: Home,
    dataset_id: str,
    image_id: Annotated[str, Query(max_length=4096)],
    side: Annotated[int, Query(ge=16, le=512, description="Of the longer side, in pixels.")] = 128,
) -> Response:
    """A thumbnail of the image with this id."""
    source = images.picture_source_of(home, dataset_id, image_id)
    return image_response(pictures.thumbnail(home, dataset_id, source, side))


@router.get(
    "/datasets/{dataset_id}/images/{i}/thumbnail",
    response_class=Response,
    responses=IMAGE | _NOT_NEW | problems(404, 422),
)
def get_thumbnail(
    home: Home,
    dataset_id: str,
    i: Place,
    side: Annotated[int, Query(ge=16, le=512, description="Of the longer side, in pixels.")] = 128,
    v: Version = None,
    known: Known = None,
) -> Response:
    """A thumbnail; its longer side is at most `side`. An unreadable image gives a blank one."""
    source = images.picture_source(home, dataset_id, i)
    tag = _tag("thumbnail", source.version, side)
    if known == tag:
        return _unchanged(tag, v)
    data = pictures.thumbnail(home, dataset_id, source, side)
    if source.is_readable and data == pictures.blank(side):
        return _passing(data)
    return _picture(data, kind_of(data), tag, v)


@router.get(
    "/datasets/{dataset_id}/sheet",
    response_class=Response,
    responses=IMAGE | _NOT_NEW | problems(404, 422),
)
async def get_sheet(
    request: Request,
    home: Home,
    dataset_id: str,
    places: Annotated[
        str,
        Query(
            alias="images",
            pattern=r"^\d{1,9}(,\d{1,9}){0,63}$",
            description="Up to 64 places, such as 3,1,2.",
        ),
    ],
    side: Annotated[
        int, Query(ge=16, le=256, description="Of a cell, in pixels; less where all images are smaller.")
    ] = 96,
    v: Version = None,
    known: Known = None,
) -> Response:
    """Many thumbnails as one: rows of eight square cells in the order asked for, an unreadable image's empty."""
    positions = [int(text) for text in places.split(",")]

    def answer(is_wanted: Callable[[], bool]) -> Response:
        if not is_wanted():  # it waited for a thread longer than the page waited for it
            return _nobody()
        sources = images.picture_sources(home, dataset_id, positions)
        tag = _tag("sheet", *(source.version for source in sources), side)
        if known == tag:
            return _unchanged(tag, v)
        try:
            data, is_whole = pictures.sheet(home, dataset_id, sources, side, is_wanted)
        except Stopped:
            return _nobody()
        return _picture(data, kind_of(data), tag, v) if is_whole else _passing(data)

    return await while_wanted(request, answer)


@router.get(
    "/datasets/{dataset_id}/images/{i}/picture",
    response_class=Response,
    responses=PICTURE | _NOT_NEW | problems(404, 422),
)
def get_picture(
    home: Home,
    dataset_id: str,
    i: Place,
    channel: Annotated[int | None, Query(ge=0, le=1_000, description="One channel in grey; else colour.")] = None,
    plane: Annotated[int | None, Query(ge=0, le=100_000, description="Of a stack; else the one that is used.")] = None,
    low: Annotated[float | None, Query(allow_inf_nan=False, description="Intensity shown black.")] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False, description="Intensity shown white.")] = None,
    v: Version = None,
    known: Known = None,
) -> Response:
    """The image for the viewer, 8 bit. Without low and high, deeper images are stretched over what they hold."""
    source = images.picture_source(home, dataset_id, i)
    view = pictures.View(channel=channel, plane=plane, low=low, high=high)
    tag = _tag("picture", source.version, view)
    if known == tag:
        return _unchanged(tag, v)
    return _picture(pictures.large_picture(home, source, view), "image/png", tag, v)


def _tag(*parts: object) -> str:
    return f'"{hashlib.sha256(repr(parts).encode()).hexdigest()[:24]}"'


def _headers(tag: str, version: str | None) -> dict[str, str]:
    """With a version in the address the picture never changes; without one the browser asks each time."""
    how = "private, max-age=31536000, immutable" if version else "private, no-cache"
    return {"ETag": tag, "Cache-Control": how}


def _picture(data: bytes, media_type: str, tag: str, version: str | None) -> Response:
    return Response(data, media_type=media_type, headers=_headers(tag, version))


def _passing(data: bytes) -> Response:
    """A picture of files that are not there now, on a disk that was unplugged: they may come back."""
    return Response(data, media_type=kind_of(data), headers={"Cache-Control": "no-store"})


def _unchanged(tag: str, version: str | None) -> Response:
    return Response(status_code=304, headers=_headers(tag, version))


def _nobody() -> Response:
    """For a client that has gone."""
    return Response(status_code=204)
