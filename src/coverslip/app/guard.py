"""Who is let in, and how much one client may send: tokens, hosts, connections, rates.

The app acts for the person at this computer, so any web page that they open elsewhere would like to speak to it. Three
things keep those out. A page whose name was made to point at this computer (DNS rebinding) sends its own name as Host.
A page of another site sends its Origin, or, where browsers leave that away, says cross-site in Sec-Fetch-Site. And
away from loopback, where other people's computers can connect, a token is asked for.

It is plain ASGI: middleware of Starlette's BaseHTTP kind never sees websockets, and holds back event streams.

uvicorn waits for ever for a request that was begun. A few hundred such connections, of one program on the same
computer, would take all that the process may open, before any token is asked for.

FastAPI reads a JSON body whole before the route sees it, so the limit must lie in front of it. A route that reads a
stream by itself, such as an upload, raises its own limit before it begins; one that takes much JSON is a `taking` one.
"""

import asyncio
import hashlib
import hmac
import html
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from coverslip.app.problems import problem
from coverslip.messages import Failure, failure, text
from coverslip.workspace.store.database import waiting_briefly

MAX_CONNECTIONS = 512  # open at the same time; a browser opens six
BACKLOG = 128  # that are taken in one turn of the loop, before any of them can be refused
REQUEST_SECONDS = 10.0  # from the connection, or the last answer, to the end of a request's header
BODY_SECONDS = 60.0  # in which more of a body must come
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Connection(H11Protocol):
    """Close connections with incomplete requests."""

    _since = 0.0  # when it was opened or got its last answer
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_request()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_idle:
            self._await_body()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # which may begin the next request, where several were sent at once
        if self._is_idle:
            self._await_request()
        else:
            self._await_body()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_after(None)
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Whether it has no answer to get; the rest of a body that was refused counts for nothing."""
        return self.cycle is None or self.cycle.response_complete

    def _await_request(self) -> None:
        self._since = time.monotonic()
        self._end_after(REQUEST_SECONDS)

    def _await_body(self) -> None:
        self._end_after(BODY_SECONDS if self.cycle.more_body else None)

    def _end_after(self, seconds: float | None) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = None if seconds is None else self.loop.call_later(seconds, self._on_timeout)

    def _on_timeout(self) -> None:
        if not self._is_idle and self.flow.read_paused:  # it is the server that takes long
            self._await_body()
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        """Where there are too many, end the one that has waited longest without a request, else this one."""
        open_connections = [
            each for each in self.connections if isinstance(each, Connection) and not each.transport.is_closing()
        ]
        if len(open_connections) <= MAX_CONNECTIONS:
            return
        # First those that have asked for nothing yet.
        idle = [each for each in open_connections if each is not self and each._is_idle]  # of the same class
        if idle:
            min(idle, key=lambda each: (each.cycle is not None, each._since)).transport.abort()
        else:
            self.transport.write(_FULL)
            self.transport.close()


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
    """Return the number of bytes that the sender announced for the body; None if there is no valid number."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def too_large(limit: int) -> HTTPException:
    """The error for a body of more than `limit` bytes."""
    return HTTPException(413, text("request-limit", n_bytes=limit))


POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_OWN_SITE = (None, "same-origin", "none")  # none: typed by the person; nothing: a program such as curl
_TOKEN = "token"  # noqa: S105 - the name of a field
_COOKIE_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Door:
    """What a request must show.

    Args:
        hosts: lower-case names with port that the server answers to.
        port: cookies ignore ports, so two servers on one computer need cookies of different names.
        token_sha256: hex digest of the token; None asks for none.
    """

    hosts: frozenset[str]
    port: int
    token_sha256: str | None = None

    @property
    def cookie(self) -> str:
        """Name of the cookie that holds the token."""
        return f"coverslip-{self.port}"

    def opens_for(self, token: str) -> bool:
        """Whether it is the token; the time that this takes tells nothing about it."""
        if self.token_sha256 is None:
            return True
        digest = hashlib.sha256(token.encode(errors="replace")).hexdigest()
        return hmac.compare_digest(digest, self.token_sha256)


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    failure: Callable[[], Failure]  # rendered when it is needed: the catalogue takes long to load


_WRONG_HOST = _Refusal(421, lambda: failure("wrong-host", kind="misdirected-request"))
_WRONG_ORIGIN = _Refusal(403, lambda: failure("wrong-origin", kind="forbidden"))
_NO_TOKEN = _Refusal(401, lambda: failure("missing-token", kind="unauthorized"))


class Guard:
    """Let in what may pass `door`, and give every answer the headers that keep pages apart."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        if scope["type"] == "websocket":
            if refusal:
                await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the answer is a 403
            else:
                await self.app(scope, receive, send)
            return
        send = _with_headers(scope, send)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        may_exchange = self.door.token_sha256 and scope["method"] == "GET" and _TOKEN in query
        if refusal in (None, _NO_TOKEN) and may_exchange and self.door.opens_for(query[_TOKEN]):
            await self._exchange(scope, query)(scope, receive, send)
        elif refusal:
            await _refused(scope, headers, refusal)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        """Why a request is not let in."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.door.hosts:
            return _WRONG_HOST
        origins = headers.getlist("origin")
        if any(origin.lower() != f"http://{hosts[0].lower()}" for origin in origins):
            return _WRONG_ORIGIN
        is_own = headers.get("sec-fetch-site") in _OWN_SITE
        if not (is_own or origins or _follows_a_link(scope, headers)):
            return _WRONG_ORIGIN
        return None if self.door.token_sha256 is None or self._has_token(headers) else _NO_TOKEN

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.door.opens_for(token.strip())
        pairs = (pair.strip().partition("=") for line in headers.getlist("cookie") for pair in line.split(";"))
        return any(self.door.opens_for(value) for name, _, value in pairs if name == self.door.cookie)

    def _exchange(self, scope: Scope, query: dict[str, str]) -> Response:
        """Take the token out of the address and put it into a cookie that pages can't read.

        A page that goes on by itself, not a redirect: after a link from elsewhere a browser would hold back a
        SameSite=Strict cookie from every redirect that follows.
        """
        rest = urlencode({name: value for name, value in query.items() if name != _TOKEN})
        # One slash: two would name another server.
        address = "/" + quote(scope["path"].lstrip("/\\")) + (f"?{rest}" if rest else "")
        shown = html.escape(address)
        response = _page("coverslip", f'<p><a href="{shown}">{text("open-coverslip")}</a></p>', refresh=shown)
        response.set_cookie(
            self.door.cookie, query[_TOKEN], max_age=_COOKIE_SECONDS, path="/", httponly=True, samesite="strict"
        )
        response.headers["Cache-Control"] = "no-store"
        return response


def _follows_a_link(scope: Scope, headers: Headers) -> bool:
    """Whether somebody came here by a link on another site: it opens a page, which that site can't read."""
    return (
        scope.get("method") in _SAFE_METHODS
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _refused(scope: Scope, headers: Headers, refusal: _Refusal) -> Response:
    is_page = not scope["path"].startswith("/api/") and "text/html" in headers.get("accept", "")
    reason = refusal.failure()
    response = (
        _page(reason.what, f"<h1>{reason.what}.</h1><p>{reason.do}</p>", status=refusal.status)
        if is_page
        else problem(refusal.status, reason)
    )
    if refusal.status == _NO_TOKEN.status:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _page(title: str, body: str, *, status: int = 200, refresh: str | None = None) -> HTMLResponse:
    """A page without styles or scripts, before anything of the app's is shown."""
    onwards = f'<meta http-equiv="refresh" content="0;url={refresh}">' if refresh else ""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">'
        f"{onwards}<title>{title}</title></head><body><main>{body}</main></body></html>",
        status,
    )


def _with_headers(scope: Scope, send: Send) -> Send:
    """`send` that adds the headers every answer must have; one that the answer set itself stays."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            is_api = scope["path"].startswith("/api/")
            if is_api and "json" in headers.get("content-type", ""):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


class BriefWaits:
    """Answer requests while another transaction writes, by 503 if need be, so that it never holds all threads."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the lifespan begins what works in the background
            await self.app(scope, receive, send)
            return
        with waiting_briefly():
            await self.app(scope, receive, send)
