"""Images that a browser uploads: raw bodies, streamed to disk, within limits."""

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from coverslip.app.guard import allow_body, announced
from coverslip.app.requests import ServedWorkspace, api_router
from coverslip.app.schemas.datasets import FinishUpload, NewUpload
from coverslip.app.schemas.system import problems
from coverslip.workspace.datasets import uploads
from coverslip.workspace.datasets.listing import DatasetState
from coverslip.workspace.datasets.uploads import Upload, UploadedTable
from coverslip.workspace.store.rows import TableChoices

router = api_router("uploads", responses=problems(422))

_RAW: dict[str, Any] = {  # Any: FastAPI's own type
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/uploads", status_code=201, responses=problems(422))
def create_upload(workspace: ServedWorkspace, new: NewUpload) -> Upload:
    """Start an upload."""
    return uploads.begin(workspace, new.name, is_labeled=new.is_labeled)


@router.get("/uploads/{upload_id}", responses=problems(404))
def get_upload(workspace: ServedWorkspace, upload_id: str) -> Upload:
    """The state of an upload."""
    return uploads.describe(workspace, upload_id)


@router.get("/uploads/{upload_id}/table", responses=problems(404, 409))
def get_uploaded_table(workspace: ServedWorkspace, upload_id: str) -> UploadedTable | None:
    """The table whose columns must be chosen before the upload becomes a dataset; null: none."""
    return uploads.table_of(workspace, upload_id)


@router.put(
    "/uploads/{upload_id}/files/{name:path}",
    status_code=201,
    responses=problems(404, 409, 413, 422),
    openapi_extra=_RAW,
)
async def send_file(workspace: ServedWorkspace, upload_id: str, name: str, request: Request) -> Upload:
    """Upload one file. Its name may contain folders (`class/cell.png`). It replaces a file of the same name."""
    return await _receive(partial(uploads.receive_file, workspace, upload_id, name), request)


@router.put(
    "/uploads/{upload_id}/archive",
    status_code=201,
    responses=problems(404, 409, 413, 422),
    openapi_extra=_RAW,
)
async def send_archive(workspace: ServedWorkspace, upload_id: str, request: Request) -> Upload:
    """Upload a zip file. All its entries are checked before it is unpacked as a whole."""
    return await _receive(partial(uploads.receive_archive, workspace, upload_id), request)


@router.post(
    "/uploads/{upload_id}/finish",
    status_code=201,
    responses=problems(404, 409, 422),
)
def finish_upload(workspace: ServedWorkspace, upload_id: str, finished: FinishUpload) -> DatasetState:
    """Create a dataset of the files. If this fails, the files are kept for another attempt."""
    table = finished.table
    choices = None if table is None else TableChoices(table.columns, table.crop_size)
    return uploads.finish(
        workspace,
        upload_id,
        is_labeled=finished.is_labeled,
        choices=choices,
        ignores_table=finished.ignores_table,
    )


@router.delete("/uploads/{upload_id}", status_code=204, responses=problems(404, 409))
def remove_upload(workspace: ServedWorkspace, upload_id: str) -> None:
    """Remove an upload."""
    uploads.drop(workspace, upload_id)


_AT_ONCE = 1 << 20  # bytes that are collected before a thread writes them


async def _receive(begin: Callable[[int | None], uploads.Sink], request: Request) -> Upload:
    """Stream a body to disk. If the client disconnects, nothing is kept."""
    allow_body(request, None)  # the upload counts all its files together
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
