"""What several operations of the API document share, and errors as problem details (RFC 9457)."""

import errno
import json
import logging
import logging.handlers
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from http import HTTPStatus
from itertools import chain, count
from pathlib import Path
from queue import Full, Queue
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from coverslip.app.schemas import FieldProblem, Problem
from coverslip.errors import (
    BadRecipe,
    Busy,
    Conflict,
    CoverslipError,
    DiskFull,
    Forbidden,
    NotFound,
    NotSignedIn,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    TooManyAttempts,
    TooManyStreams,
)
from coverslip.files import DISK_FULL
from coverslip.messages import Failure, failure, subject_of, text

Json = dict[str, Any]  # Any: JSON values


def complete_document(app: FastAPI, complete: Callable[[Json], None]) -> None:
    """Let `complete` change the document when it is generated for the first time."""
    generate, lock, completed_once = app.openapi, threading.Lock(), list[Json]()

    def completed() -> Json:
        with lock:  # several first requests at a time
            if not completed_once:
                complete(document := generate())
                completed_once.append(document)
            return completed_once[0]

    app.openapi = completed  # type: ignore[method-assign]  # FastAPI's documented way


def add_schemas(document: Json, *described: type) -> None:
    """Add the schemas of types that no route returns, and of the types that they contain."""
    _, schemas = TypeAdapter.json_schemas(
        [(each.__name__, "serialization", TypeAdapter(each)) for each in described],
        ref_template="#/components/schemas/{model}",
    )
    all_schemas = document.setdefault("components", {}).setdefault("schemas", {})
    all_schemas |= {name: schema for name, schema in schemas["$defs"].items() if name not in all_schemas}


def share_parts(app: FastAPI) -> None:
    """Let operations of the API document refer to parameters and errors that several of them have."""

    def share(document: Json) -> None:
        parameters, errors = [], []
        for operation in chain.from_iterable(each.values() for each in document["paths"].values()):
            # Copies, because routes of other apps have the same ones.
            listed, responses = list(operation.get("parameters", [])), dict(operation["responses"])
            operation |= {"responses": responses, **({"parameters": listed} if listed else {})}
            parameters += [(listed, k, each["name"]) for k, each in enumerate(listed)]
            errors += [(responses, status, status) for status in responses if status >= "4"]
        for kind, places in (("parameters", parameters), ("responses", errors)):
            shared = document["components"][kind] = dict(document["components"].get(kind, {}))
            _share(shared, places, f"#/components/{kind}/")

    complete_document(app, share)


def _share(shared: Json, places: Sequence[tuple[Any, Any, str]], address: str) -> None:
    """Replace equal parts by references to `shared`.

    Args:
        shared: gets the parts that occur more than once, by name.
        places: the object or list that has the part, its key or position there, and a name for it.
        address: of `shared` in the document.
    """
    uses = defaultdict(list)
    for place in places:
        if "$ref" not in (part := place[0][place[1]]):
            uses[json.dumps(part, sort_keys=True)].append(place)
    for shape, of_part in uses.items():
        if len(of_part) == 1:
            continue
        title = of_part[0][2]
        name = next(each for each in chain((title,), (f"{title}-{k}" for k in count(2))) if each not in shared)
        shared[name] = json.loads(shape)
        for owner, key, _ in of_part:
            owner[key] = {"$ref": address + name}


_MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[CoverslipError], int] = {
    NotSignedIn: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    TooLarge: 413,
    PreconditionRequired: 428,
    TooManyAttempts: 429,
    TooManyStreams: 429,
    Busy: 503,
    DiskFull: 507,
}
_RETRY_SECONDS = "2"
_HELP = "/help/problems"  # a page for each subject of messages, with a section for each code
_DISK_ERRORS = (*DISK_FULL, errno.EROFS, errno.EACCES, errno.EPERM)


class _ProblemAnswer(JSONResponse):
    media_type = _MEDIA_TYPE

    def render(self, content: object) -> bytes:
        return json.dumps(content).encode("ascii")  # names of files may contain bytes that are not text


def problem(
    status: int,
    reason: Failure,
    *,
    detail: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return the response that describes an error.

    Args:
        status: of the response.
        reason: what went wrong.
        detail: the whole error as text, if that is more than `reason` says.
        errors: which parts of the request are wrong.
        headers: further headers of the response.
    """
    title = f"{reason.what}."
    fields = asdict(reason)
    body = {
        "type": f"{_HELP}_{subject_of(reason.code)}#{reason.code}",
        "title": title,
        "status": status,
        "detail": detail or " ".join(filter(None, [title, reason.do])),
        **{name: fields[name] or None for name in ("kind", "code", "file", "do", "parameters", "remedies")},
        "errors": [error.model_dump() for error in errors] if errors else None,
    }
    return _ProblemAnswer({key: value for key, value in body.items() if value is not None}, status, headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error with a problem as JSON, and describe this in the OpenAPI document."""

    @app.exception_handler(CoverslipError)
    def _coverslip_error(_: Request, error: CoverslipError) -> JSONResponse:
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 422)
        errors = _faults_of(error) if isinstance(error, BadRecipe) else []
        headers = {"Retry-After": _RETRY_SECONDS} if isinstance(error, Busy) else None
        if isinstance(error, (TooManyAttempts, TooManyStreams)):
            headers = {"Retry-After": str(error.parameters["seconds"])}
        return problem(status, error.failure, detail=str(error), errors=errors, headers=headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return invalid_request([_field_problem(fault, error.body) for fault in error.errors()])

    def invalid_request(errors: list[FieldProblem]) -> JSONResponse:
        reasons = "; ".join(f"{fault.field}: {fault.message}" for fault in errors)
        reason = failure("invalid-request", kind="invalid-request", reasons=reasons)
        return problem(422, reason, detail=text("invalid-request.detail", reasons=reasons), errors=errors)

    @app.exception_handler(HTTPException)
    def _http_error(_: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, UnicodeDecodeError):  # FastAPI could not parse the body
            return invalid_request([FieldProblem(field="body", message=text("not-json"))])
        phrase = HTTPStatus(error.status_code).phrase
        detail = str(error.detail) if error.detail not in ("", phrase) else None
        headers = dict(error.headers) if error.headers else None
        return problem(error.status_code, _http_failure(error.status_code, phrase), detail=detail, headers=headers)

    @app.exception_handler(ValueError)
    def _not_unicode(_: Request, error: ValueError) -> JSONResponse:
        # JSON can contain lone surrogates, and file names can contain any bytes; neither can be stored.
        if "surrogates not allowed" not in str(error):
            raise error
        return problem(422, failure("not-unicode", kind="invalid-text"))

    @app.exception_handler(OSError)
    def _disk_error(_: Request, error: OSError) -> JSONResponse:
        if error.errno not in _DISK_ERRORS:
            raise error
        file = None if error.filename is None else str(error.filename)
        status, kind = (_STATUS[DiskFull], DiskFull.kind) if error.errno in DISK_FULL else (422, "disk")
        return problem(status, failure("disk-refused", kind=kind, file=file, reason=error.strerror))

    @app.exception_handler(ClientDisconnect)
    def _disconnected(_: Request, __: ClientDisconnect) -> JSONResponse:
        # The client is gone. This is not an error to log.
        return problem(400, failure("request-aborted", kind="bad-request"))

    @app.exception_handler(Exception)
    def _internal_error(request: Request, error: Exception) -> JSONResponse:
        # The error is raised again when the response is sent. The server logs it, with this line below the traceback.
        error.add_note(f"while answering {request.method} {request.url.path}")
        return problem(500, failure("internal-error", kind="fault"))

    complete_document(app, _describe_problems)


def _http_failure(status: int, phrase: str) -> Failure:
    """Return the reason of an error that has a status only."""
    kind = phrase.lower().replace(" ", "-")
    match status:
        case 400:
            return failure("request-not-understood", kind=kind)
        case 404:
            return failure("unknown-address", kind=kind)
        case 405:
            return failure("wrong-method", kind=kind)
        case 413:
            return failure("request-too-large", kind=kind)
    return failure("http-error", kind=kind, phrase=phrase)


def _faults_of(error: BadRecipe) -> list[FieldProblem]:
    return [FieldProblem(field=key, message=fault, line=error.lines.get(key)) for key, fault in error.faults]


def _field_problem(error: dict[str, Any], body: object) -> FieldProblem:  # Any: Pydantic's description of an error
    where = [str(part) for part in error["loc"]]
    if isinstance(body, dict) and where[:2] == ["body", body.get("kind")]:  # among the kinds of bodies of a route
        del where[1]
    if error["type"] == "json_invalid":
        return FieldProblem(field=where[0], message=text("not-json"))
    if error["type"] == "model_attributes_type":
        return FieldProblem(field=".".join(where[1:]) or where[0], message=text("not-a-json-object"))
    return FieldProblem(field=".".join(where[1:]) or where[0], message=str(error["msg"]))


_CONTENT = {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
_CHALLENGE = {"WWW-Authenticate": {"description": "Always `Bearer`.", "schema": {"type": "string"}}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
_RESPONSES: Json = {
    "Unauthorized": {"description": "The app requires a token, and the request has none.", "headers": _CHALLENGE},
    "Busy": {"description": "The server is busy. Repeat the request after some seconds.", "headers": _RETRY_AFTER},
    "DiskFull": {"description": "The disk is full, or the quota of the user is used up."},
    "NotFound": {"description": "Nothing has this ID."},
    "NotValid": {"description": "The request is not valid; `title` and `do` say why."},
    "Error": {"description": "The error, and what to do about it."},
}
_COMMON = {"401": "Unauthorized", "503": "Busy", "default": "Error"}


def _describe_problems(document: Json) -> None:
    """Document that every operation may return a problem, instead of FastAPI's own error format."""
    add_schemas(document, Problem)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    document["components"]["responses"] = {name: {**each, "content": _CONTENT} for name, each in _RESPONSES.items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            for status, response in responses.items():
                if status >= "400":
                    response["content"] = _CONTENT
            names = dict(_COMMON)
            if method != "get":
                names["507"] = "DiskFull"
            if "{" in path or "404" in responses:
                names["404"] = "NotFound"
            if "422" in responses:
                names["422"] = "NotValid"
            responses |= {status: {"$ref": f"#/components/responses/{name}"} for status, name in names.items()}


_MOST_WAITING = 1_000
_MOST_PER_WINDOW = 10
_WINDOW_SECONDS = 60.0
_MOST_KINDS = 1_000


@contextmanager
def logged_to(file: Path) -> Iterator[None]:
    """Write the log of this process, with warnings of libraries, to a file that is rotated at 1 MB."""
    file.parent.mkdir(exist_ok=True)
    target = _File(file, maxBytes=2**20, backupCount=3, encoding="utf-8", errors="backslashreplace", delay=True)
    target.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    waiting: Queue[logging.LogRecord | None] = Queue(_MOST_WAITING)
    handler, writer = _NonBlockingHandler(waiting), _Writer(waiting, target)
    handler.addFilter(_RateLimit())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    writer.start()
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(handler)
        writer.stop()
        target.close()


class _File(logging.handlers.RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore errors such as a full disk: writing to a terminal that nothing reads could block forever."""


class _NonBlockingHandler(logging.handlers.QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(Full):
            self.queue.put_nowait(record)

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop a call whose values do not match its format, instead of printing it to the terminal."""


class _Writer(logging.handlers.QueueListener):
    queue: Queue[logging.LogRecord | None]

    def enqueue_sentinel(self) -> None:
        self.queue.put(None)  # unlike the library's method, this waits if the queue is full


class _RateLimit(logging.Filter):
    """Let a kind of line pass a few times a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now, kind = time.monotonic(), (record.name, str(record.msg)[:100])
        since, n = self._counts.get(kind, (now, 0))
        if now - since > _WINDOW_SECONDS:
            since, n = now, 0
        if len(self._counts) >= _MOST_KINDS:
            self._counts.clear()
        self._counts[kind] = since, n + 1
        if n == _MOST_PER_WINDOW - 1:
            record.msg = f"{record.msg} (others like it within {_WINDOW_SECONDS:.0f} s are not logged)"
        return n < _MOST_PER_WINDOW
