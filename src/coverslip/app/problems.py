"""Errors as problem details (RFC 9457), whatever raised them."""

import errno
import json
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from coverslip.app.document import Json, add_schemas, complete_document
from coverslip.app.schemas.system import FieldProblem, Problem
from coverslip.errors import BadRecipe, Busy, Conflict, CoverslipError, NotFound, TooLarge
from coverslip.messages import Failure

_MEDIA_TYPE = "application/problem+json"
_STATUS: dict[type[CoverslipError], int] = {NotFound: 404, Conflict: 409, TooLarge: 413, Busy: 503}
_RETRY_SECONDS = "2"
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_TITLES = {
    400: "The request could not be understood",
    404: "There is nothing at this address",
    405: "This address does not take that kind of request",
    413: "This is larger than the server takes at this address",
}


class _ProblemAnswer(JSONResponse):
    media_type = _MEDIA_TYPE

    def render(self, content: object) -> bytes:
        return json.dumps(content).encode("ascii")  # names of files may hold bytes that are no text


def problem(
    status: int,
    failure: Failure,
    *,
    detail: str | None = None,
    errors: list[FieldProblem] | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """The answer that says what went wrong; `detail` is all of it in words, where that is more than `failure` says."""
    title = f"{failure.what}."
    known = asdict(failure)
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail or " ".join(filter(None, [title, failure.do])),
        **{name: known[name] or None for name in ("kind", "code", "file", "do", "parameters", "remedies")},
        "errors": [error.model_dump() for error in errors] if errors else None,
    }
    return _ProblemAnswer({key: value for key, value in body.items() if value is not None}, status, headers)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error with one JSON object that says what happened and what to do, and say so in the OpenAPI."""

    @app.exception_handler(CoverslipError)
    def _known(_: Request, error: CoverslipError) -> JSONResponse:
        status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 422)
        errors = _faults_of(error) if isinstance(error, BadRecipe) else []
        headers = {"Retry-After": _RETRY_SECONDS} if isinstance(error, Busy) else None
        return problem(status, error.failure, detail=str(error), errors=errors, headers=headers)

    @app.exception_handler(RequestValidationError)
    def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        errors = [_field_problem(fault) for fault in error.errors()]
        words = "; ".join(f"{fault.field}: {fault.message}" for fault in errors)
        failure = Failure(code="invalid-request", what="The request is not valid")
        return problem(422, failure, detail=f"The request is not valid: {words}.", errors=errors)

    @app.exception_handler(HTTPException)
    def _refused(_: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        failure = Failure(code=phrase.lower().replace(" ", "-"), what=_TITLES.get(error.status_code, phrase))
        detail = str(error.detail) if error.detail not in ("", phrase) else None
        headers = dict(error.headers) if error.headers else None
        return problem(error.status_code, failure, detail=detail, headers=headers)

    @app.exception_handler(ValueError)
    def _no_text(_: Request, error: ValueError) -> JSONResponse:
        # JSON can write half of a pair of surrogates, and a disk can give any bytes as a name; neither can be kept.
        if "surrogates not allowed" not in str(error):
            raise error
        what = "A name or text holds characters that are not Unicode"
        do = "Write it again without them; where it is the name of a file or folder, rename that."
        return problem(422, Failure(code="invalid-text", what=what, do=do))

    @app.exception_handler(OSError)
    def _refused_by_disk(_: Request, error: OSError) -> JSONResponse:
        if error.errno not in _OF_THE_DISK:
            raise error
        file = None if error.filename is None else str(error.filename)
        do = "Free some space, or see that you may write to the app's folder; what was there before is intact."
        return problem(422, Failure(code="disk", what=f"The disk refuses it: {error.strerror}", do=do, file=file))

    @app.exception_handler(ClientDisconnect)
    def _gone(_: Request, __: ClientDisconnect) -> JSONResponse:
        # Nobody hears the answer; it is no fault that would have to be logged.
        return problem(400, Failure(code="broken-off", what="The request was broken off", do="Send it again."))

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        # It is raised again when the answer is sent, and logged by the server, with this line below its traceback.
        error.add_note(f"while answering {request.method} {request.url.path}")
        what = "Something went wrong inside coverslip"
        do = "This is a fault of coverslip: please report it, with the end of log/app.log in the app's folder."
        return problem(500, Failure(code="fault", what=what, do=do))

    complete_document(app, _describe)


def _faults_of(error: BadRecipe) -> list[FieldProblem]:
    return [FieldProblem(field=key, message=text, line=error.lines.get(key)) for key, text in error.faults]


def _field_problem(error: dict[str, Any]) -> FieldProblem:  # Any: Pydantic's description of an error
    where = [str(part) for part in error["loc"]]
    if error["type"] == "json_invalid":
        return FieldProblem(field=where[0], message="This is not JSON")
    return FieldProblem(field=".".join(where[1:]) or where[0], message=str(error["msg"]))


def _describe(document: Json) -> None:
    """Say that every operation may answer with a problem, instead of FastAPI's own form."""
    add_schemas(document, Problem)
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    content = {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for operations in document["paths"].values():
        for operation in operations.values():
            answers = operation["responses"]
            answers["default"] = {"description": "What went wrong, and what to do about it."}
            for status, answer in answers.items():
                if status == "default" or status >= "400":
                    answer["content"] = content
