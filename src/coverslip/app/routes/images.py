"""Lists of images, those of datasets and of jobs, and fields of view: pages, facts, pictures, tiles, corrections."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Self

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import Field, StringConstraints, model_validator

from coverslip.app.files import IMAGE, media_type_of
from coverslip.app.guard import needs
from coverslip.app.requests import (
    BY_AUTHOR,
    ListId,
    Paged,
    ServedWorkspace,
    api_router,
    until_disconnected,
)
from coverslip.app.schemas import Answer, problems
from coverslip.documented_fields import DocumentedFields
from coverslip.errors import Stopped
from coverslip.workspace import objects
from coverslip.workspace.correcting import corrections
from coverslip.workspace.lists import Row, open_list
from coverslip.workspace.objects import (
    FinderName,
)
from coverslip.workspace.store.rows import Limit, Page
from coverslip.workspace.viewing import fields, pictures, tiles
from coverslip.workspace.viewing.fields import FieldOfView
from coverslip.workspace.viewing.images import (
    Filters,
    Image,
    ImageFacts,
    ImagePage,
    ObjectLabels,
    PictureSource,
    Text,
    digest_of,
)
from coverslip.workspace.viewing.tiles import Plane, ViewedZ

router = api_router("images")

RowId = Annotated[int, Path(ge=1, lt=2**32, description="The permanent number of the image in the app.")]
ListedRowId = Annotated[
    int, Path(ge=0, lt=2**32, description="The permanent number of the image in its dataset or its job.")
]
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
        "description": "The picture; PNG if the image has one level only.",
    }
}
_DIGEST = {
    "description": "For requests that change all these images by the same filters.",
    "schema": {"type": "string"},
}
_ROW_IDS: Answers = {
    200: {
        "content": BINARY,
        "description": "The row_id of each image, as a little-endian unsigned integer of 32 bit.",
        "headers": {"Rows-Digest": _DIGEST},
    }
}
_COLORS: Answers = {
    200: {
        "content": BINARY,
        "description": "Eight bytes for each image with a known color, in the order of row_ids: the row_id as a "
        "little-endian unsigned integer of 32 bit, then red, green, blue and shape. Shape: 128 is a square, 160 is "
        "twice as wide as high, 96 is half as wide.",
    }
}


ListedRow = Annotated[int, Field(ge=0, lt=2**32)]


class _RowsOrFilters(Filters):
    rows: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}(,[0-9]{1,10}){0,255}$")] | None = Field(
        default=None,
        description="Up to 256 row_ids, such as 3,1,2, instead of filters. The response has their order, without "
        "missing images.",
    )

    @property
    def row_ids(self) -> list[int] | None:
        """Return the requested row_ids; None if filters are requested."""
        return None if self.rows is None else [int(text) for text in self.rows.split(",")]

    @model_validator(mode="after")
    def _check_rows(self) -> Self:
        if self.rows is not None and self.model_fields_set != {"rows"}:
            raise ValueError("rows cannot be combined with other parameters")
        return self


class ListQuery(_RowsOrFilters):
    """Filters and the image that precedes the page, or the row_ids of images."""

    after: ListedRow | None = Field(
        default=None, description="The row_id of the last image of the page before, which `next` gives."
    )
    limit: Limit = 200


@router.get("/lists/{list_id}/rows", responses=problems(409))
def list_rows(
    workspace: ServedWorkspace, list_id: ListId, query: Annotated[ListQuery, Query()]
) -> ImagePage[Image | Row]:
    """The first images that match, or those after another image; or the images with the given row_ids.

    The list is that of a dataset, or of a training, an evaluation or a prediction: `list_id` is its ID.
    """
    listed = open_list(workspace, list_id)
    if query.row_ids is not None:
        return ImagePage(listed.at(query.row_ids), None)
    return listed.page(query, after=query.after, limit=query.limit)


@router.get("/lists/{list_id}/row-ids", response_class=Response, responses=_ROW_IDS | NOT_MODIFIED | problems(409))
def list_row_ids(
    workspace: ServedWorkspace, list_id: ListId, query: Annotated[Filters, Query()], etag: Etag = None
) -> Response:
    """The row_ids of all matching images, in order. The response is small enough for a million images."""
    listed = open_list(workspace, list_id)
    revision = listed.revision(query)
    tag = _tag("row-ids", list_id, revision, query)
    if revision is not None and etag == tag:
        return _unchanged(tag, None)
    rows = listed.row_ids(query)
    data = rows.tobytes()
    if revision is None:
        tag = _tag("row-ids", hashlib.sha256(data).digest())
    if etag == tag:
        return _unchanged(tag, None)
    response = _picture(data, "application/octet-stream", tag, None)
    response.headers["Rows-Digest"] = digest_of(rows)
    return response


@router.get("/lists/{list_id}/colors", response_class=Response, responses=_COLORS | NOT_MODIFIED | problems(409))
def get_colors(workspace: ServedWorkspace, list_id: ListId, etag: Etag = None) -> Response:
    """The mean color of every image. Galleries show it before the thumbnails."""
    data = open_list(workspace, list_id).colors()
    return revalidated(lambda: data, hashlib.sha256(data).digest(), etag)


@router.get("/lists/{list_id}/rows/{row_id}", responses=problems(409))
def get_row(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId) -> ImageFacts | Row:
    """The facts about an image of a dataset, or about an image of a job and its prediction."""
    facts: ImageFacts | Row = open_list(workspace, list_id).facts(row_id)
    return facts


@router.get("/lists/{list_id}/sheet", response_class=Response, responses=IMAGE | NOT_MODIFIED | problems(409))
async def get_sheet(
    request: Request,
    workspace: ServedWorkspace,
    list_id: ListId,
    rows: SheetRows,
    side: SheetSide = 96,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """Many thumbnails as one picture: rows of eight square cells in the requested order; empty if unreadable.

    With fewer than eight images, the picture is narrower. A single image is not put into a square.
    """
    row_ids = [int(text) for text in rows.split(",")]

    def answer(is_wanted: Callable[[], bool]) -> Response:
        if not is_wanted():  # the client left before a thread was free
            return _no_content()
        sources = open_list(workspace, list_id).picture_sources(row_ids)
        tag = _tag("sheet", *(source.version for source in sources), side)
        if etag == tag:
            return _unchanged(tag, v)
        try:
            data, is_complete = pictures.sheet(workspace, list_id, sources, side, is_wanted)
        except Stopped:
            return _no_content()
        return _picture(data, media_type_of(data), tag, v) if is_complete else _uncached(data)

    return await until_disconnected(request, answer)


@dataclass(frozen=True, slots=True)
class CorrectedRow(DocumentedFields):
    """An image whose class was corrected."""

    row: Row
    change: int | None
    """ID of the change; null if nothing changed."""


@router.put("/lists/{list_id}/rows/{row_id}/correction", responses=problems(409, 412), dependencies=[BY_AUTHOR])
@needs("annotator")
def correct_row(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId, correction: Answer) -> CorrectedRow:
    """Correct or confirm the class of an image of a training, an evaluation or a prediction. It is saved at once.

    For an image that a training or an evaluation has measured, its label in the dataset is changed. A predicted image
    can also be excluded.
    """
    answer = correction.excluded or correction.label
    return CorrectedRow(*corrections.correct_row(workspace, list_id, row_id, answer))


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
WholeField = Annotated[bool, Query(description="Show the whole field of view of an object.")]
TilePosition = Annotated[int, Path(ge=0, le=1_000_000)]


@router.get("/lists/{list_id}/rows/{row_id}/tiles", responses=problems(409))
def get_tiled_image(
    workspace: ServedWorkspace,
    list_id: ListId,
    row_id: ListedRowId,
    plane: ViewedPlane,
    whole_field: WholeField = False,
) -> tiles.TiledImage:
    """The size, levels, planes and channels of an image, for a viewer that loads tiles."""
    listed = open_list(workspace, list_id)
    source = _shown(listed.picture_source(row_id), whole_field)
    return tiles.describe_tiles(workspace, list_id, source, plane, tiles.stored_display(listed))


@router.get(
    "/lists/{list_id}/rows/{row_id}/tiles/{level}/{x}/{y}",
    response_class=Response,
    responses=TILE | NOT_MODIFIED | problems(409),
)
async def get_tile(
    request: Request,
    workspace: ServedWorkspace,
    list_id: ListId,
    row_id: ListedRowId,
    level: TilePosition,
    x: TilePosition,
    y: TilePosition,
    plane: ViewedPlane,
    whole_field: WholeField = False,
    display: ViewedChannels = None,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """The tile in column `x` and row `y` of a level, from 0. Level 0 has the full resolution."""

    def answer(is_wanted: Callable[[], bool]) -> Response:
        if not is_wanted():  # the client left before a thread was free
            return _no_content()
        source = _shown(open_list(workspace, list_id).picture_source(row_id), whole_field)
        tag = _tag("tile", source.version, source.plan, plane, display, level, x, y)
        if etag == tag:
            return _unchanged(tag, v)
        channels = None if display is None else tiles.displays_of(display)
        data = tiles.tile(workspace, list_id, source, plane, channels, (level, x, y))
        return _picture(data, media_type_of(data), tag, v)

    return await until_disconnected(request, answer)


def _shown(source: PictureSource, whole_field: bool) -> PictureSource:
    return fields.whole_field(source) if whole_field else source


@router.get(
    "/lists/{list_id}/rows/{row_id}/overview", response_class=Response, responses=TILE | NOT_MODIFIED | problems(409)
)
def get_overview(
    workspace: ServedWorkspace,
    list_id: ListId,
    row_id: ListedRowId,
    plane: ViewedPlane,
    display: ViewedChannels = None,
    side: Annotated[int, Query(ge=16, le=1_024, description="Length of the longer side in pixels.")] = 256,
    v: Version = None,
    etag: Etag = None,
) -> Response:
    """The whole image as one picture, with several channels in their colors; by default as the viewer shows them."""
    listed = open_list(workspace, list_id)
    source, stored = listed.picture_source(row_id), tiles.stored_display(listed)
    tag = _tag("overview", source.version, plane, display, stored, side)
    if etag == tag:
        return _unchanged(tag, v)
    channels = stored if display is None else tiles.displays_of(display)
    data = tiles.overview(workspace, list_id, source, plane, channels, side)
    return _picture(data, media_type_of(data), tag, v)


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


def image_response(data: bytes, version: str | None, etag: str | None) -> Response:
    """Return the bytes of an image; with a version in its address, a browser does not ask for it again."""
    tag = _tag("image", data)
    return _unchanged(tag, version) if etag == tag else _picture(data, media_type_of(data), tag, version)


def _uncached(data: bytes) -> Response:
    """Return a picture of missing files without caching: a disconnected disk may come back."""
    return Response(data, media_type=media_type_of(data), headers={"Cache-Control": "no-store"})


def _unchanged(tag: str, version: str | None) -> Response:
    return Response(status_code=304, headers=_headers(tag, version))


def _no_content() -> Response:
    """Return the response to a client that has left."""
    return Response(status_code=204)


# Fields of view of lists of images: the whole image, and its objects, which are read or found.

fields_router = api_router("fields", responses=problems(409))

_OUTLINES: Answers = {
    200: {
        "content": BINARY,
        "description": "Little-endian numbers of 32 bits: the numbers of objects, rings and vertices; the row_id of "
        "each object; x, y, width and height of each box (signed, in pixels); the first ring of each object, and the "
        "number of rings; the first vertex of each ring, and the number of vertices; x and y of each vertex "
        "(floating point). A ring of one vertex is a point.",
    }
}


@fields_router.get("/lists/{list_id}/fields")
def list_fields(workspace: ServedWorkspace, list_id: ListId, paging: Paged) -> Page[FieldOfView]:
    """The fields of view of which the images of a dataset or a job are parts; none if they are whole files."""
    return fields.list_fields(open_list(workspace, list_id), paging)


@fields_router.get("/lists/{list_id}/rows/{row_id}/field")
def get_field(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId) -> FieldOfView:
    """The field of view of an object."""
    return fields.field_of(open_list(workspace, list_id), row_id)


@fields_router.get("/lists/{list_id}/rows/{row_id}/field/labels")
def get_field_labels(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId) -> ObjectLabels:
    """The labels of all objects in the field of an object, and for jobs their predictions."""
    return fields.field_labels(open_list(workspace, list_id), row_id)


@fields_router.get(
    "/lists/{list_id}/rows/{row_id}/field/outlines", response_class=Response, responses=_OUTLINES | NOT_MODIFIED
)
def get_field_outlines(workspace: ServedWorkspace, list_id: ListId, row_id: ListedRowId, etag: Etag = None) -> Response:
    """The boxes and outlines of all objects in the field of an object."""
    outlines = fields.field_outlines(open_list(workspace, list_id), row_id)
    return revalidated(outlines.encoded, outlines.version, etag)


@fields_router.get("/finders")
def list_finders(paging: Paged) -> Page[FinderName]:
    """The installed finders of objects."""
    return paging.page_of(objects.finders())
