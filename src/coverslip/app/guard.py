"""Access control: tokens, hosts, origins, limits for connections and bodies, and what a role allows.

The app acts with the rights of its user, so requests of other web pages must be refused. A page whose name was made to
point at this computer (DNS rebinding) sends its own name as Host. A page of another site sends its Origin or, if the
browser omits that, cross-site in Sec-Fetch-Site. If other computers can connect (not on loopback), a token is required.

The guard is plain ASGI: Starlette's BaseHTTPMiddleware ignores websockets and delays event streams.
"""

import asyncio
import hashlib
import hmac
import html
import ipaddress
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from coverslip.app.clients import ROLES, Change, Role, client_of
from coverslip.app.problems import Json, complete_document, problem
from coverslip.errors import DiskFull, Forbidden
from coverslip.messages import Failure, failure, language, text
from coverslip.workspace.store.database import waiting_briefly

PORT = 8765  # by default: Jupyter, TensorBoard and other trainers use other ports
MAX_CONNECTIONS = 512  # open at the same time; a browser opens six
BACKLOG = 128  # accepted in one iteration of the loop, before any of them can be refused
REQUEST_SECONDS = 10.0  # from the connection, or the first byte of a later request, to the end of its header
IDLE_SECONDS = 130  # between requests: longer than most proxies, whose next request would fail
BODY_SECONDS = 60.0  # within which more of a body must arrive
_REFUSAL_RESPONSE = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)


class Connection(H11Protocol):
    """A connection that is closed if its request stays incomplete, for which uvicorn has no time limit.

    A few hundred such connections, from one program on the same computer, would use all connections of the process
    before a token is checked."""

    _since = 0.0  # when it was opened or got its last response
    _is_in_header = True
    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._await_request()
        self._make_room()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self._is_idle:
            self._await_body()
        elif self.cycle is not None and str(self.conn.their_state) == "IDLE" and not self.conn.trailing_data[0]:
            self._await_request()  # it was the rest of a refused body
        elif not self._is_in_header:
            self._await_header()

    def on_response_complete(self) -> None:
        super().on_response_complete()  # which may start the next request if several were sent at once
        if self._is_idle:
            self._await_request()
        else:
            self._await_body()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_after(None)
        super().connection_lost(exc)

    @property
    def _is_idle(self) -> bool:
        """Whether no response is pending. The rest of a refused body does not count."""
        return self.cycle is None or self.cycle.response_complete

    def _await_request(self) -> None:
        self._since = time.monotonic()
        if self.cycle is None or self.conn.trailing_data[0]:
            self._await_header()
        else:
            self._is_in_header = False
            # uvicorn closes it after IDLE_SECONDS, which waits for clients that read nothing.
            self._end_after(REQUEST_SECONDS if self.transport.is_closing() else IDLE_SECONDS + REQUEST_SECONDS)

    def _await_header(self) -> None:
        self._is_in_header = True
        self._end_after(REQUEST_SECONDS)

    def _await_body(self) -> None:
        self._end_after(BODY_SECONDS if self.cycle.more_body else None)

    def _end_after(self, seconds: float | None) -> None:
        if self._end is not None:
            self._end.cancel()
        self._end = None if seconds is None else self.loop.call_later(seconds, self._on_timeout)

    def _on_timeout(self) -> None:
        if not self._is_idle and self.flow.read_paused:  # the server itself is slow
            self._await_body()
        else:
            self.transport.abort()

    def _make_room(self) -> None:
        """If there are too many connections, end the one that has been idle longest.

        If none is idle, end one of the address with the most connections, so that it keeps nobody else from the server.
        """
        open_connections = [
            each for each in self.connections if isinstance(each, Connection) and not each.transport.is_closing()
        ]
        if len(open_connections) <= MAX_CONNECTIONS:
            return
        # First those without any request so far.
        idle = [each for each in open_connections if each is not self and each._is_idle]  # of the same class
        if idle:
            min(idle, key=lambda each: (each.cycle is not None, each._since)).transport.abort()
            return
        counts = Counter(each._address for each in open_connections)
        address, n = counts.most_common(1)[0]
        if counts[self._address] < n:
            latest = max((each for each in open_connections if each._address == address), key=lambda each: each._since)
            latest.transport.abort()
        else:
            self.transport.write(_REFUSAL_RESPONSE)
            self.transport.close()

    @property
    def _address(self) -> str:
        return client_of(self.client[0]) if self.client else ""


MAX_BODY = 2**20  # bytes
_KEY = "coverslip.body"


class BodyLimit:
    """Stop reading a body as soon as it is too large; the response is 413.

    FastAPI reads the whole JSON body before the route runs, so the limit must apply before. A route that reads a stream
    itself, such as an upload, raises its limit before it starts. A route that accepts much JSON uses `accepting`.
    """

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
        if self.limit is not None and self._announced > self.limit:  # without reading any of it
            raise too_large(self.limit)
        message = await self._inner()
        self._n_bytes += len(message.get("body", b""))
        if self.limit is not None and self._n_bytes > self.limit:
            raise too_large(self.limit)
        return message


def allow_body(request: Request, n_bytes: int | None) -> None:
    """Set the size limit of this request's body; None: the route counts. Call this before the body is read."""
    body = request.scope.get(_KEY)
    if isinstance(body, _Body):
        body.limit = n_bytes


def accepting(n_bytes: int) -> type[APIRoute]:
    """Return a class of routes whose JSON body may have this size; for `APIRouter(route_class=…)`."""

    class _Accepting(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # Any: FastAPI's own type
            answer = super().get_route_handler()

            async def answer_large(request: Request) -> Response:
                allow_body(request, n_bytes)
                return await answer(request)

            return answer_large

    return _Accepting


def announced(headers: Headers) -> int | None:
    """Return the number of bytes that the sender announced for the body; None if there is no valid number."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def too_large(limit: int) -> HTTPException:
    """Return the error for a body of more than `limit` bytes."""
    return HTTPException(413, text("request-limit", n_bytes=limit))


POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_TRUSTED_SITES = (None, "same-origin", "none")  # none: typed by the user; no header: a program such as curl
_TOKEN = "token"  # noqa: S105 - the name of a field
_COOKIE_SECONDS = 30 * 24 * 3600


def _cookie(port: int) -> str:
    return f"coverslip-{port}"


def is_loopback(host: str) -> bool:
    """Return whether only this computer can use this address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True, slots=True)
class Door:
    """What a request must present.

    Args:
        hosts: the names, in lower case and with the port, under which the server is reachable.
        port: the port; cookies ignore it, so two servers on one computer need cookies with different names.
        token_sha256: the hex digest of the token; None: no token is required.
    """

    hosts: frozenset[str]
    port: int
    token_sha256: str | None = None

    @property
    def cookie(self) -> str:
        """The name of the cookie that holds the token."""
        return _cookie(self.port)

    def accepts(self, token: str) -> bool:
        """Return whether this is the token, in constant time."""
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


def describe_access(app: FastAPI) -> None:
    """Describe in the API document how a request presents the token."""

    def add(document: Json) -> None:
        document["components"]["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "The token that the app prints."},
            "cookie": {
                "type": "apiKey",
                "in": "cookie",
                "name": _cookie(PORT),
                "description": "The token, as a browser stores it. The number is the port of the server.",
            },
        }
        document["security"] = [{}, {"token": []}, {"cookie": []}]  # {}: the app may require no token

    complete_document(app, add)


class Guard:
    """Accept the requests that `door` allows, and set the security headers of every response."""

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
                await send({"type": "websocket.close", "code": 1008})  # before it was accepted: the response is a 403
            else:
                await self.app(scope, receive, send)
            return
        send = _with_headers(scope, send)
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        may_exchange = self.door.token_sha256 and scope["method"] == "GET" and _TOKEN in query
        if refusal in (None, _NO_TOKEN) and may_exchange and self.door.accepts(query[_TOKEN]):
            await self._exchange(scope, query)(scope, receive, send)
        elif refusal:
            await _refused(scope, headers, refusal)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope, headers: Headers) -> _Refusal | None:
        """Return why a request is refused; None if it is accepted."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self.door.hosts:
            return _WRONG_HOST
        origins = headers.getlist("origin")
        if any(origin.lower() != f"{scope['scheme']}://{hosts[0].lower()}" for origin in origins):
            return _WRONG_ORIGIN
        is_trusted = headers.get("sec-fetch-site") in _TRUSTED_SITES
        if not (is_trusted or origins or _follows_a_link(scope, headers)):
            return _WRONG_ORIGIN
        return None if self.door.token_sha256 is None or self._has_token(headers) else _NO_TOKEN

    def _has_token(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.door.accepts(token.strip())
        pairs = (pair.strip().partition("=") for line in headers.getlist("cookie") for pair in line.split(";"))
        return any(self.door.accepts(value) for name, _, value in pairs if name == self.door.cookie)

    def _exchange(self, scope: Scope, query: dict[str, str]) -> Response:
        """Move the token from the address to a cookie that pages cannot read.

        The response is a page that reloads itself, not a redirect: after a link on another site, browsers do not send a
        SameSite=Strict cookie with the redirects that follow.
        """
        query_rest = urlencode({name: value for name, value in query.items() if name != _TOKEN})
        # One slash: two would name another server.
        address = "/" + quote(scope["path"].lstrip("/\\")) + (f"?{query_rest}" if query_rest else "")
        escaped = html.escape(address)
        response = _page("coverslip", f'<p><a href="{escaped}">{text("open-coverslip")}</a></p>', refresh=escaped)
        response.set_cookie(
            self.door.cookie, query[_TOKEN], max_age=_COOKIE_SECONDS, path="/", httponly=True, samesite="strict"
        )
        response.headers["Cache-Control"] = "no-store"
        return response


def _follows_a_link(scope: Scope, headers: Headers) -> bool:
    """Return whether the request follows a link on another site. That site cannot read the page that opens."""
    return (
        scope.get("method") in SAFE_METHODS
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
    """Return a page without styles and scripts, for clients that are not admitted yet."""
    refresh_tag = f'<meta http-equiv="refresh" content="0;url={refresh}">' if refresh else ""
    return HTMLResponse(
        f'<!doctype html><html lang="{language()}"><head><meta charset="utf-8">'
        f'<meta name="color-scheme" content="light dark">'
        f"{refresh_tag}<title>{title}</title></head><body><main>{body}</main></body></html>",
        status,
    )


def _with_headers(scope: Scope, send: Send) -> Send:
    """Return a `send` that adds the security headers. Headers that the response sets itself are kept."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
            if "json" in headers.get("content-type", ""):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return sending


class BriefWaits:
    """Answer requests quickly while another transaction writes, with 503 if needed, so that threads stay free."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the lifespan starts background work
            await self.app(scope, receive, send)
            return
        with waiting_briefly():
            await self.app(scope, receive, send)


# Who sends a request, and what the role in a project allows: viewer, annotator, editor.
#
# Without accounts, the user of the app may do everything.

# Keys in the scope of a request to a server with accounts:
USER = "coverslip.user"  # the user who sends it, or None
ROLE = "coverslip.role"  # of the user in the project of the address
PROJECT = "coverslip.project"  # the project of the address
IS_FULL = "coverslip.is_full"  # whether this project has reached its limit
CHANGE = "coverslip.change"  # what the request changes, for the record of activity
IS_SCRIPT = "coverslip.is_script"  # whether the key of a script was sent, not that of a session
_NEEDED, _WRITES_MUCH = "needed_role", "writes_much"  # attributes of the functions of routes

Route = TypeVar("Route", bound=Callable[..., Any])  # Any: of different arguments


def needs(role: Role) -> Callable[[Route], Route]:
    """Return a decorator that states which role a route needs.

    Without it, a route that reads needs a viewer, and one that changes something an editor. Routes of viewers change
    nothing that is shown to others.
    """

    def state(route: Route) -> Route:
        setattr(route, _NEEDED, role)
        return route

    return state


def writes_much(route: Route) -> Route:
    """State that a route is refused if the project has reached its limit."""
    setattr(route, _WRITES_MUCH, True)
    return route


def role_of(request: Request) -> Role:
    """Return the role of the user who sends a request."""
    role: Role = request.scope.get(ROLE, "editor")
    return role


def is_signed_in(request: Request) -> bool:
    """Return whether the server has accounts, and a user of them sends the request."""
    return ROLE in request.scope


def record_change(request: Request, name: str, before: str = "", after: str = "") -> None:
    """Note for the record of activity what a request changes. Without accounts, there is no such record."""
    change: Change | None = request.scope.get(CHANGE)
    if change is not None:
        change.object, change.before, change.after = name, before, after


async def check_role(request: Request) -> None:
    """Check that the user may use the route of a request.

    Raises:
        Forbidden: the role of the user does not suffice.
        DiskFull: the project has reached its limit, and the route writes much.
    """
    route = request.scope["route"].endpoint
    needed: Role = getattr(route, _NEEDED, "viewer" if request.method in SAFE_METHODS else "editor")
    if ROLES.index(role_of(request)) < ROLES.index(needed):
        raise Forbidden("role-too-low", role=role_of(request), needed=needed)
    if hasattr(route, _WRITES_MUCH):
        check_has_space(request)


def check_has_space(request: Request) -> None:
    """Raise DiskFull if the project has reached its limit."""
    if request.scope.get(IS_FULL):
        raise DiskFull("project-full")


def check_is_editor(request: Request) -> None:
    """Raise Forbidden if the user is no editor."""
    if role_of(request) != "editor":
        raise Forbidden("role-too-low", role=role_of(request), needed="editor")


def cookie_of(scope: Scope) -> tuple[str, str | None]:
    """Return the name of the session cookie of this server, and its value in a request."""
    # Cookies ignore ports. Two servers of one computer need different names.
    name = f"coverslip-session-{(scope.get('server') or ('', PORT))[1]}"
    return name, Request(scope).cookies.get(name)
