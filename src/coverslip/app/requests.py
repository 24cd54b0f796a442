"""Dependencies of routes, and raw bodies that are written to a file as they arrive."""

import asyncio
import re
import secrets
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from io import RawIOBase
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi import Path as InAddress
from fastapi.concurrency import run_in_threadpool
from pydantic.warnings import UnsupportedFieldAttributeWarning

from coverslip.app.guard import allow_body, announced, check_role, is_signed_in
from coverslip.datasets.names import one_line
from coverslip.errors import CoverslipError, TooLarge
from coverslip.files import write_error
from coverslip.workspace.store.rows import Paging, acting_as
from coverslip.workspace.store.workspace import Workspace
from coverslip.workspace.workers import WorkerPool

API = "/api/v1"

# As FastAPI does while it makes routes: the validators of their bodies are made at the first request.
warnings.filterwarnings("ignore", category=UnsupportedFieldAttributeWarning)


def api_router(area: str, **options: Any) -> APIRouter:
    """Return the router of one area of the API; `options` (Any: of different types) are those of FastAPI."""
    return _Router(
        prefix=API,
        tags=[area],
        generate_unique_id_function=lambda route: route.name,
        dependencies=[Depends(check_role)],
        **options,
    )


class _Router(APIRouter):
    """A router that hands a request over to another thread only once.

    FastAPI also checks the result of a function in another thread, which takes long if all threads are busy.
    """

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # Any: as for FastAPI
        is_plain = not any(
            is_kind(endpoint) for is_kind in (iscoroutinefunction, isasyncgenfunction, isgeneratorfunction)
        )
        super().add_api_route(path, _in_thread(endpoint) if is_plain else endpoint, **options)


def _in_thread(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    async def endpoint(**values: Any) -> Any:
        return await run_in_threadpool(function, **values)

    return endpoint


def add_routes(app: FastAPI, router: APIRouter) -> None:
    """Let `app` answer at the router's routes.

    `include_router` would build each route a second time for every application, although the routes already have their
    prefix.
    """
    app.router.routes.extend(router.routes)


def from_app(name: str) -> Any:  # Any: FastAPI's own type
    """Return the dependency of routes on a service of the server, by its name in the state of the app."""

    async def service(request: Request) -> Any:  # Any: the type in the signature of the route
        return getattr(request.app.state, name)

    return Depends(service)


ServedWorkspace = Annotated[Workspace, from_app("workspace")]
PreviewPool = Annotated[WorkerPool, from_app("previews")]
Paged = Annotated[Paging, Query()]
ListId = Annotated[str, InAddress(description="The ID of a dataset, or of a training, an evaluation or a prediction.")]
ClassifierId = Annotated[str, InAddress(description="A classifier that was trained here has the ID of its training.")]


async def _locate(request: Request, response: Response) -> Callable[..., None]:
    def locate(*parts: str | int, **query: Sequence[str]) -> None:
        address = "/".join(quote(str(part), safe="") for part in parts)
        question = f"?{urlencode(query, doseq=True)}" if query else ""
        response.headers["Location"] = f"{request.scope.get('root_path', '')}{API}/{address}{question}"

    return locate


# Called with the parts of the address of a result, for example `locate("runs", run_id)`.
Locate = Annotated[Callable[..., None], Depends(_locate)]


async def _as_author(
    request: Request,
    x_author: Annotated[
        str | None,
        Header(
            max_length=200,
            description="Who makes the change, as UTF-8. The history of labels shows it. Default: the user account of "
            "the server. A server with accounts ignores it: the user who signed in makes the change.",
        ),
    ] = None,
) -> AsyncIterator[None]:
    author = "" if x_author is None or is_signed_in(request) else one_line(as_text(x_author)).strip()
    with acting_as(author) if author else nullcontext():
        yield


def as_text(header: str) -> str:
    """Return the value of a header, which servers decode as Latin-1, as the UTF-8 text that clients send."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeDecodeError:
        return header


BY_AUTHOR = Depends(_as_author)  # of routes whose changes are made by the author of the request
RAW_BODY: dict[str, Any] = {  # Any: FastAPI's own type
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


MOST_IMAGES = 256
IMAGES_BODY: dict[str, Any] = {  # Any: FastAPI's own type
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "files": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": MOST_IMAGES,
                            "items": {"type": "string", "format": "binary"},
                            "description": "Image files. Their names give the file type by the extension.",
                        }
                    },
                    "required": ["files"],
                }
            }
        },
    }
}
_CHUNK = 2**20


@asynccontextmanager
async def received(
    request: Request, folder: Path, *, most_bytes: int, suffix: str = "", too_large: TooLarge | None = None
) -> AsyncIterator[Path]:
    """Write the body to a file, which is removed afterwards unless it was moved.

    Args:
        request: a request whose body has not been read.
        folder: the folder of the file.
        most_bytes: a larger body is refused.
        suffix: the end of the file's name.
        too_large: the error for a larger body; None: it states the limit.

    Raises:
        TooLarge: the body is larger.
        CoverslipError: the disk is full.
    """
    allow_body(request, None)  # counted here
    error = too_large or _too_large(most_bytes)
    if (announced(request.headers) or 0) > most_bytes:
        raise error
    stream, file = await run_in_threadpool(_new_file, folder, suffix)
    try:
        with stream:
            n_bytes, waiting = 0, bytearray()
            async for chunk in request.stream():
                n_bytes += len(chunk)
                waiting += chunk
                if n_bytes > most_bytes:
                    raise error
                if len(waiting) >= _CHUNK:
                    await run_in_threadpool(_write_all, stream, bytes(waiting), folder)
                    waiting.clear()
            await run_in_threadpool(_write_all, stream, waiting, folder)
        yield file
    finally:
        file.unlink(missing_ok=True)


@asynccontextmanager
async def received_files(
    request: Request, folder: Path, *, most_bytes: int, most_files: int
) -> AsyncIterator[list[tuple[str, Path]]]:
    """Write the files of a form to a folder, and yield their names and paths. The files are removed afterwards.

    Args:
        request: a request whose body has not been read.
        folder: the folder of the files.
        most_bytes: a larger body is refused.
        most_files: a form with more files is refused.

    Raises:
        TooLarge: the body is larger.
        CoverslipError: the form contains no files, or the disk is full.
    """
    if (announced(request.headers) or 0) > most_bytes:
        raise _too_large(most_bytes)
    allow_body(request, most_bytes)
    async with request.form(max_files=most_files, max_fields=most_files) as form:
        uploads = [value for _, value in form.multi_items() if not isinstance(value, str)]
        if not uploads:
            raise CoverslipError("no-files-in-form")
        files: list[tuple[str, Path]] = []
        try:
            for upload in uploads:
                name = upload.filename or ""
                stream, file = await run_in_threadpool(_new_file, folder, safe_suffix(name))
                files.append((one_line(name), file))
                with stream:
                    while chunk := await upload.read(_CHUNK):
                        await run_in_threadpool(_write_all, stream, chunk, folder)
            yield files
        finally:
            for _, file in files:
                file.unlink(missing_ok=True)


def safe_suffix(name: str) -> str:
    """Return the extension of a file name from elsewhere, without characters that are special in paths."""
    return re.sub(r"[^.\w]", "", Path(name).suffix)[:12]


def _new_file(folder: Path, suffix: str) -> tuple[RawIOBase, Path]:
    file = folder / f".{secrets.token_hex(8)}{suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return file.open("xb", buffering=0), file  # unbuffered: write errors occur at once, not on close
    except OSError as error:
        raise write_error(folder, error) from error


def _write_all(file: RawIOBase, data: bytes | bytearray, folder: Path) -> None:
    remaining = memoryview(data)
    try:
        while remaining:
            remaining = remaining[file.write(remaining) or 0 :]
    except OSError as error:
        raise write_error(folder, error) from error


def _too_large(most_bytes: int) -> TooLarge:
    return TooLarge("file-too-large", n_mb=most_bytes // 2**20)


async def until_disconnected(request: Request, answer: Callable[[Callable[[], bool]], Response]) -> Response:
    """Return the result of `answer` from a thread. Its argument tests whether the client is still connected."""
    is_gone = threading.Event()
    watching = asyncio.create_task(_watch(request, is_gone))
    try:
        return await run_in_threadpool(answer, lambda: not is_gone.is_set())
    finally:
        watching.cancel()


async def _watch(request: Request, is_gone: threading.Event) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    is_gone.set()
