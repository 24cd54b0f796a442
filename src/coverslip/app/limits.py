"""How much a request may send.

FastAPI reads a JSON body whole before the route sees it, so the limit must lie in front of it. A route that reads a
stream by itself, such as an upload, raises its own limit before it begins; one that takes much JSON is a `taking` one.
"""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 2**20  # bytes
_KEY = "coverslip.body"


class BodyLimit:
    """Stop reading a body once it is too large; the answer is 413."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY) -> None:
        self.app, self.limit = app, limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _Body(self.limit, announced(Headers(scope=scope)) or 0, receive)
        scope[_KEY] = body
        await self.app(scope, body.receive, send)


class _Body:
    def __init__(self, limit: int | None, announced: int, receive: Receive) -> None:
        self.limit, self._announced, self._inner, self._n_bytes = limit, announced, receive, 0

    async def receive(self) -> Message:
        if self.limit is not None and self._announced > self.limit:  # nothing of it need be read
            raise too_large(self.limit)
        message = await self._inner()
        self._n_bytes += len(message.get("body", b""))
        if self.limit is not None and self._n_bytes > self.limit:
            raise too_large(self.limit)
        return message


def allow_body(request: Request, n_bytes: int | None) -> None:
    """Let this request send so many bytes; None leaves counting to the route. To be called before the body is read."""
    body = request.scope.get(_KEY)
    if isinstance(body, _Body):
        body.limit = n_bytes


def taking(n_bytes: int) -> type[APIRoute]:
    """A kind of route whose JSON may be so large; for `APIRouter(route_class=…)`."""

    class _Taking(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # Any: FastAPI's own type
            answer = super().get_route_handler()

            async def answer_more(request: Request) -> Response:
                allow_body(request, n_bytes)
                return await answer(request)

            return answer_more

    return _Taking


def announced(headers: Headers) -> int | None:
    """How many bytes the sender says that the body has."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


def too_large(limit: int) -> HTTPException:
    """The error for a body of more than `limit` bytes."""
    return HTTPException(413, f"This is more than the {limit:,} bytes that the server takes at this address.")
