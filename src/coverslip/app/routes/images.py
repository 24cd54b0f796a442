"""Images of a dataset: lists for galleries, facts and pictures."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Header, Path, Query, Request, Response

from coverslip.app.files import IMAGE, PICTURE, Viewed, image_response, media_type_of
from coverslip.app.requests import Author, ServedWorkspace, api_router, until_disconnected
from coverslip.app.schemas.datasets import FilteredPage, ImageQuery, RowsQuery
from coverslip.app.schemas.jobs import CorrectedRow, Correction
from coverslip.app.schemas.system import problems
from coverslip.errors import Stopped
from coverslip.workspace.correcting.corrections import correct_row
from coverslip.workspace.lists.rows import Row, display_of_job, images_of_job, picture_of
from coverslip.workspace.store.rows import Page
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.viewing import images, pictures, tiles
from coverslip.workspace.viewing.filters import Filters, Text
from coverslip.workspace.viewing.pyramids import Plane, ViewedZ

router = api_router("images", responses=problems(422))

RowId = Annotated[int, Path(ge=1, lt=2**32, description="The permanent number of the image in the app.")]
JobRowId = Annotated[int, Path(ge=0, lt=2**32, description="The number of the image in its job.")]
Version = Annotated[
    Text | None, Query(description="Version of the image. With it, browsers cache the picture permanently.")
]
SheetRows = Annotated[
    str, Query(pattern=r"^[0-9]{1,10}(,[0-9]{1,10}){0,63}$", description="Up to 64 row_ids, such as 3,1,2.")
]
SheetSide = Annotated[
    int, Query(ge=16, le=512, description="Side of a cell in pixels; smaller if all images are smaller.")
]
Answers = dict[int | str, dict[str, Any]]  # Any: FastAPI's own type
Etag = Annotated[str | None, Header(alias="If-None-Match", include_in_schema=False)]

_UNCHANGED = {"description": "The picture is unchanged."}
NOT_MODIFIED: Answers = {304: _UNCHANGED}
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
TILE: Answers = {
    200: {
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/jpeg", "image/png")},
        "description": "The tile; PNG if the image has one level only.",
    }
}
_ROWS: Answers = {
    200: {"content": BINARY, "description": "The row_id of each image, as a little-endian unsigned integer of 32 bit."}
}
_DIGEST = {
    "description": "For requests that change all these images by the same filters.",
    "schema": {"type": "string"},
}
_LISTED_ROWS: Answers = {200: {**_ROWS[200], "headers": {"Rows-Digest": _DIGEST}}}
_COLORS: Answers = {
    200: {
        "content": BINARY,
        "description": "Eight bytes for each image with a known color, in the order of row_ids: the row_id as a "
        "little-endian unsigned integer of 32 bit, then red, green, blue and shape. Shape: 128 is a square, 160 is "
        "twice as wide as high, 96 is half as wide.",
    }
}


@router.get(
    "/datasets/{dataset_id}/images",
    responses=problems(404, 422),
)
def list_images(workspace: ServedWorkspace, dataset_id: str, query: Annotated[ImageQuery, Query()]) -> images.ImageList:
    """The first images that match, or those after another image; or the images with the given row_ids."""
    if (row_ids := query.row_ids) is not None:
        return images.images_of_rows(workspace, dataset_id, row_ids)
    return images.list_images(workspace, dataset_id, query, after=query.after, limit=query.limit)


@router.get(
    "/datasets/{dataset_id}/rows",
    response_class=Response,
    responses=_LISTED_ROWS | NOT_MODIFIED | problems(404, 422),
)
def list_rows(
    workspace: ServedWorkspace, dataset_id: str, query: Annotated[RowsQuery, Query()], etag: Etag = None
) -> Response:
    """The row_ids of all matching images, in order. The response is small enough for a million images."""
    version = images.version_of_matches(workspace, dataset_id, query)
    tag = _tag("rows", dataset_id, version)
    if version is not None and etag == tag:
        return _unchanged(tag, None)
    rows = images.matching_rows(workspace, dataset_id, query, offset=query.offset, limit=query.limit)
    data = rows.tobytes()
    if version is None:
        tag = _tag("rows", hashlib.sha256(data).digest())
    if etag == tag:
        return _unchanged(tag, None)
    response = _picture(data, "application/octet-stream", tag, None)
    response.headers["Rows-Digest"] = images.digest_of(rows)
    return response


@router.get(
    "/datasets/{dataset_id}/colors",
    response_class=Response,
    responses=_COLORS | NOT_MODIFIED | problems(404),
)
def get_colors(workspace: ServedWorkspace, dataset_id: str, etag: Etag = None) -> Response:
    """The mean color of every image. Galleries show it before the thumbnails."""
    data = pictures.colors(workspace, dataset_id)
    return revalidated(lambda: data, hashlib.sha256(data).digest(), etag)


@router.get(
    "/datasets/{dataset_id}/images/{row_id}",
    responses=problems(404),
)
def get_image(workspace: ServedWorkspace, dataset_id: str, row_id: RowId) -> images.ImageFacts:
    """The facts about an image."""
    return images.facts_of(workspace, dataset_id, row_id)


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
    "/datasets/{dataset_id}/sheet",
    response_class=Response,
    responses=IMAGE | NOT_MODIFIED | problems(404, 422),
)
async def get_sheet(
    request: Request,
    workspace: ServedWorkspace,
    dataset_id: str,
    rows: SheetRows,
    side: SheetSide = 96,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """Many thumbnails as one picture: rows of eight square cells in the requested order; empty if unreadable.

    With fewer than eight images, the picture is narrower. A single image is not put into a square.
    """
    return await _sheet(request, workspace, dataset_id, images.picture_sources, rows, side, v, etag)


@router.get(
    "/jobs/{job_id}/sheet",
    response_class=Response,
    responses=IMAGE | NOT_MODIFIED | problems(404, 409, 422),
)
async def get_job_sheet(
    request: Request,
    workspace: ServedWorkspace,
    job_id: str,
    rows: SheetRows,
    side: SheetSide = 96,
    etag: Etag = None,
) -> Response:
    """The same for images that a training or an evaluation has measured, or a prediction has predicted."""
    return await _sheet(request, workspace, job_id, _pictures_of_job, rows, side, None, etag)


@router.get(
    "/jobs/{job_id}/row-ids",
    response_class=Response,
    responses=_ROWS | problems(404, 409, 422),
)
def list_job_row_ids(workspace: ServedWorkspace, job_id: str, query: Annotated[Filters, Query()]) -> Response:
    """The row_ids of all matching images of a training, an evaluation or a prediction, in order."""
    data = images_of_job(workspace, job_id).row_ids(query).tobytes()
    return Response(data, media_type="application/octet-stream")


@router.get("/jobs/{job_id}/rows", responses=problems(404, 409, 422))
def list_job_rows(workspace: ServedWorkspace, job_id: str, page: Annotated[FilteredPage, Query()]) -> Page[Row]:
    """A page of the images that a training or an evaluation has measured, or a prediction has predicted so far."""
    listed = images_of_job(workspace, job_id)
    if page.row_ids is not None:
        return listed.at(page.row_ids)
    return listed.page(page, offset=page.offset, limit=page.limit)


@router.get(
    "/jobs/{job_id}/rows/{row_id}/picture", response_class=Response, responses=PICTURE | problems(404, 409, 422)
)
def get_job_row_picture(workspace: ServedWorkspace, job_id: str, row_id: JobRowId, view: Viewed) -> Response:
    """An image of a job for the viewer."""
    (source,) = images_of_job(workspace, job_id).sources([row_id])
    return image_response(picture_of(workspace, source, view))


@router.put("/jobs/{job_id}/rows/{row_id}/correction", responses=problems(404, 409, 412, 422))
def correct_job_row(
    workspace: ServedWorkspace, job_id: str, row_id: JobRowId, correction: Correction, author: Author
) -> CorrectedRow:
    """Correct or confirm the class of an image. The answer is saved at once.

    For an image that a training or an evaluation has measured, its label in the dataset is changed. A predicted image
    can also be excluded.
    """
    undone = correction.undoes
    undoes = None if undone is None else (undone.excluded or undone.label,)
    answer = correction.excluded or correction.label
    return CorrectedRow(*correct_row(workspace, job_id, row_id, answer, undoes=undoes, author=author))


@router.get(
    "/datasets/{dataset_id}/images/{row_id}/picture",
    response_class=Response,
    responses=PICTURE | NOT_MODIFIED | problems(404, 422),
)
def get_picture(
    workspace: ServedWorkspace,
    dataset_id: str,
    row_id: RowId,
    view: Viewed,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """The image for the viewer, 8 bit. Without low and high, deeper images are scaled to their intensity range."""
    source = images.picture_source(workspace, dataset_id, row_id)
    tag = _tag("picture", source.version, view)
    if etag == tag:
        return _unchanged(tag, v)
    return _picture(pictures.large_picture(workspace, source, view), "image/png", tag, v)


async def _plane(
    series: Annotated[
        int | None, Query(ge=0, le=1_000_000, description="Series of the file. Default: that of the image.")
    ] = None,
    t: Annotated[int | None, Query(ge=0, le=1_000_000, description="Time point. Default: that of the image.")] = None,
    z: Annotated[
        ViewedZ | None, Query(description="z-plane, or max, mean or best-focus. Default: as the image is read.")
    ] = None,
) -> Plane:
    return Plane(series, t, z)


ViewedPlane = Annotated[Plane, Depends(_plane)]
ViewedChannels = Annotated[
    str | None,
    Query(
        max_length=20_000,
        pattern=tiles.DISPLAY_PATTERN,
        description="The visible channels: number, color, and optionally the intensities that are shown black and in "
        "the full color, for example `0:ff0000:100:4095,2:00ff00`. Without limits, they are automatic. Default: all "
        "channels in automatic colors.",
    ),
]
TilePosition = Annotated[int, Path(ge=0, le=1_000_000)]


@dataclass(frozen=True, slots=True)
class TileParameters:
    """The parameters of all routes of tiles."""

    request: Request
    workspace: ServedWorkspace
    level: TilePosition
    x: TilePosition
    y: TilePosition
    plane: ViewedPlane
    display: ViewedChannels = None
    v: Version = None
    etag: Etag = None

    async def respond(self, owner: str, find_source: Callable[[], images.PictureSource]) -> Response:
        """Return a tile of an image of a dataset or a job, its `owner`."""

        def answer(is_wanted: Callable[[], bool]) -> Response:
            if not is_wanted():  # the client left before a thread was free
                return _no_content()
            source, position = find_source(), (self.level, self.x, self.y)
            tag = _tag("tile", source.version, source.plan, self.plane, self.display, position)
            if self.etag == tag:
                return _unchanged(tag, self.v)
            channels = None if self.display is None else tiles.displays_of(self.display)
            data = tiles.tile(self.workspace, owner, source, self.plane, channels, position)
            return _picture(data, media_type_of(data), tag, self.v)

        return await until_disconnected(self.request, answer)


RequestedTile = Annotated[TileParameters, Depends()]


@router.get("/datasets/{dataset_id}/images/{row_id}/tiles", responses=problems(404, 422))
def get_tiled_image(workspace: ServedWorkspace, dataset_id: str, row_id: RowId, plane: ViewedPlane) -> tiles.TiledImage:
    """The size, levels, planes and channels of an image, for a viewer that loads tiles."""
    source = images.picture_source(workspace, dataset_id, row_id)
    return tiles.describe_tiles(workspace, dataset_id, source, plane, tiles.stored_display(workspace, dataset_id))


@router.get("/jobs/{job_id}/images/{row_id}/tiles", responses=problems(404, 409, 422))
def get_tiled_job_image(
    workspace: ServedWorkspace, job_id: str, row_id: JobRowId, plane: ViewedPlane
) -> tiles.TiledImage:
    """The same for images that a training or an evaluation has measured, or a prediction has predicted."""
    (source,) = _pictures_of_job(workspace, job_id, [row_id])
    return tiles.describe_tiles(workspace, job_id, source, plane, display_of_job(workspace, job_id))


@router.get(
    "/datasets/{dataset_id}/images/{row_id}/tiles/{level}/{x}/{y}",
    response_class=Response,
    responses=TILE | NOT_MODIFIED | problems(404, 422),
)
async def get_tile(tile: RequestedTile, dataset_id: str, row_id: RowId) -> Response:
    """The tile in column `x` and row `y` of a level. Level 0 has the full resolution."""
    return await tile.respond(dataset_id, lambda: images.picture_source(tile.workspace, dataset_id, row_id))


@router.get(
    "/jobs/{job_id}/images/{row_id}/tiles/{level}/{x}/{y}",
    response_class=Response,
    responses=TILE | NOT_MODIFIED | problems(404, 409, 422),
)
async def get_job_tile(tile: RequestedTile, job_id: str, row_id: JobRowId) -> Response:
    """The same for images that a training or an evaluation has measured, or a prediction has predicted."""
    return await tile.respond(job_id, lambda: _pictures_of_job(tile.workspace, job_id, [row_id])[0])


@router.get(
    "/datasets/{dataset_id}/images/{row_id}/overview",
    response_class=Response,
    responses=IMAGE | NOT_MODIFIED | problems(404, 422),
)
def get_overview(
    workspace: ServedWorkspace,
    dataset_id: str,
    row_id: RowId,
    plane: ViewedPlane,
    display: ViewedChannels = None,
    side: Annotated[int, Query(ge=16, le=1_024, description="Length of the longer side in pixels.")] = 256,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """A small picture of a plane of an image, with several channels in their colors."""
    source = images.picture_source(workspace, dataset_id, row_id)
    tag = _tag("overview", source.version, plane, display, side)
    if etag == tag:
        return _unchanged(tag, v)
    channels = None if display is None else tiles.displays_of(display)
    data = tiles.overview(workspace, dataset_id, source, plane, channels, side)
    return _picture(data, media_type_of(data), tag, v)


def _pictures_of_job(workspace: Workspace, job_id: str, row_ids: Sequence[int]) -> list[images.PictureSource]:
    return images_of_job(workspace, job_id).picture_sources(row_ids)


async def _sheet(
    request: Request,
    workspace: Workspace,
    owner: str,
    find_sources: Callable[[Workspace, str, Sequence[int]], Sequence[images.PictureSource]],
    rows: str,
    side: int,
    version: str | None,
    etag: str | None,
) -> Response:
    """Return a sheet of images of a dataset or a job, its `owner`."""
    row_ids = [int(text) for text in rows.split(",")]

    def answer(is_wanted: Callable[[], bool]) -> Response:
        if not is_wanted():  # the client left before a thread was free
            return _no_content()
        sources = find_sources(workspace, owner, row_ids)
        tag = _tag("sheet", *(source.version for source in sources), side)
        if etag == tag:
            return _unchanged(tag, version)
        try:
            data, is_complete = pictures.sheet(workspace, owner, sources, side, is_wanted)
        except Stopped:
            return _no_content()
        return _picture(data, media_type_of(data), tag, version) if is_complete else _uncached(data)

    return await until_disconnected(request, answer)


def _tag(*values: object) -> str:
    return f'"{hashlib.sha256(repr(values).encode()).hexdigest()[:24]}"'


def _headers(tag: str, version: str | None) -> dict[str, str]:
    """Return caching headers: with a version the picture never changes, without one the browser revalidates it."""
    caching = "private, max-age=31536000, immutable" if version else "private, no-cache"
    return {"ETag": tag, "Cache-Control": caching}


def _picture(data: bytes, media_type: str, tag: str, version: str | None) -> Response:
    return Response(data, media_type=media_type, headers=_headers(tag, version))


def revalidated(make: Callable[[], bytes], version: object, etag: str | None) -> Response:
    """Return bytes that a browser caches, but asks for at each use; `version` changes with them."""
    tag = _tag("data", version)
    return _unchanged(tag, None) if etag == tag else _picture(make(), "application/octet-stream", tag, None)


def _uncached(data: bytes) -> Response:
    """Return a picture of missing files without caching: a disconnected disk may come back."""
    return Response(data, media_type=media_type_of(data), headers={"Cache-Control": "no-store"})


def _unchanged(tag: str, version: str | None) -> Response:
    return Response(status_code=304, headers=_headers(tag, version))


def _no_content() -> Response:
    """Return the response to a client that has left."""
    return Response(status_code=204)
