"""Images that a browser sends: raw bodies, streamed to disk, within limits."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from coverslip.app.guard import allow_body, announced
from coverslip.app.requests import Home, api_router
from coverslip.app.schemas.datasets import FinishUpload, NewUpload
from coverslip.app.schemas.system import problems
from coverslip.workspace.datasets import uploads
from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.datasets.uploads import Upload, UploadedTable
from coverslip.workspace.store.records import TableChoices

router = api_router("uploads", responses=problems(422))

_RAW: dict[str, Any] = {  # Any: FastAPI's own type
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/uploads", status_code=201, responses=problems(422))
def create_upload(home: Home, new: NewUpload) -> Upload:
    """Begin to send images."""
    return uploads.begin(home, new.name, is_labelled=new.is_labelled)


@router.get("/uploads/{upload_id}", responses=problems(404))
def get_upload(home: Home, upload_id: str) -> Upload:
    """What has been sent so far."""
    return uploads.describe(home, upload_id)


@router.get("/uploads/{upload_id}/table", responses=problems(404, 409))
def get_uploaded_table(home: Home, upload_id: str) -> UploadedTable | None:
    """The table among the files whose columns are to be chosen before the upload becomes a dataset; null: none."""
    return uploads.table_of(home, upload_id)


@router.put(
    "/uploads/{upload_id}/files/{name:path}",
    status_code=201,
    responses=problems(404, 409, 413, 422),
    openapi_extra=_RAW,
)
async def send_file(home: Home, upload_id: str, name: str, request: Request) -> Upload:
    """Send one file. Its name may have folders, `class/cell.png`; sent again it replaces the earlier one."""
    return await _receive(partial(uploads.receive_file, home, upload_id, name), request)


@router.put(
    "/uploads/{upload_id}/archive",
    status_code=201,
    responses=problems(404, 409, 413, 422),
    openapi_extra=_RAW,
)
async def send_archive(home: Home, upload_id: str, request: Request) -> Upload:
    """Send a zip file. All its entries are checked; it is unpacked whole or not at all."""
    return await _receive(partial(uploads.receive_archive, home, upload_id), request)


@router.post(
    "/uploads/{upload_id}/finish",
    status_code=201,
    responses=problems(404, 409, 422),
)
def finish_upload(home: Home, upload_id: str, finished: FinishUpload) -> DatasetState:
    """Make the files a dataset. Where that fails, the files stay and it can be tried again."""
    table = finished.table
    choices = None if table is None else TableChoices(table.columns, table.crop_size)
    return uploads.finish(
        home,
        upload_id,
        is_labelled=finished.is_labelled,
        choices=choices,
        ignores_table=finished.ignores_table,
    )


@router.delete("/uploads/{upload_id}", status_code=204, responses=problems(404, 409))
def remove_upload(home: Home, upload_id: str) -> None:
    """Remove what was sent."""
    uploads.drop(home, upload_id)


_AT_ONCE = 1 << 20  # bytes gathered before a thread writes them


async def _receive(begin: Callable[[int | None], uploads.Sink], request: Request) -> Upload:
    """Stream a body to disk; where the sender breaks off, nothing of it stays."""
    allow_body(request, None)  # the upload counts for itself, all its files together
    sink = await run_in_threadpool(begin, announced(request.headers))
    try:
        waiting = bytearray()
        async for chunk in request.stream():
            waiting += chunk
            if len(waiting) >= _AT_ONCE:
                await run_in_threadpool(sink.write, bytes(waiting))
                waiting.clear()
        return await run_in_threadpool(sink.finish, bytes(waiting))
    finally:
        sink.close()
