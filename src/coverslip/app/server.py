"""The server: one workspace behind HTTP, and the background work beside its requests.

Compression of responses to other computers.

The length of a response reveals no secret (BREACH): the token is in headers only, which are not compressed. `Guard`,
which reflects an address with a token, is outside this layer.
"""

import asyncio
import gc
import ipaddress
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from coverslip._version import __version__
from coverslip.app.clients import Languages
from coverslip.app.files import add_pages
from coverslip.app.guard import PORT, BodyLimit, BriefWaits, Door, Guard, describe_access, is_loopback
from coverslip.app.problems import add_problem_handlers, logged_to, share_parts
from coverslip.app.requests import API, add_routes
from coverslip.app.routes import ROUTERS
from coverslip.app.streams import ended_by_signals
from coverslip.errors import CoverslipError
from coverslip.events import Emit, ignore
from coverslip.images.decoding import decode_in_processes, interrupt_decoding
from coverslip.messages import ChooseOther
from coverslip.stopping import ending_signals
from coverslip.workspace import cleanup
from coverslip.workspace.changes import Changes
from coverslip.workspace.datasets import reading_images
from coverslip.workspace.datasets.reading_images import SourceWatch
from coverslip.workspace.jobs.queue import DEFAULT, JobOptions, Queue, Turns
from coverslip.workspace.predictions.classifiers import LoadedClassifiers
from coverslip.workspace.store.workspace import (
    Workspace,
    compute_pool,
    make_token,
    only_server,
    record_address,
    token_hash,
)
from coverslip.workspace.trainings.queueing import adopt_runs
from coverslip.workspace.workers import WorkerPool

if TYPE_CHECKING:
    import uvicorn


LEVEL = 6  # 9 takes longer and saves at most 2% more
_TRIES = 20
_PATIENCE_SECONDS = 60.0  # to wait for what a page shows of all images: labels must not wait for it
_PREVIEW_SECONDS = 180.0  # for a picture or a search of objects that a page shows; then its process is killed
_PREVIEW_PROCESSES = 2  # at most one draws pictures, so that searches of objects need not wait for them
_THREAD_SECONDS = 1.0  # to end background threads, which may also be killed
_SECONDS_TO_END = 1  # event streams would keep the server alive while a page is open


class Compression(GZipMiddleware):
    """Compress responses to other computers with gzip, except event streams, images and archives.

    On the same computer, compression takes longer than it saves.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host, _ = scope.get("client") or ("localhost", 0)  # a socket without address is on this computer
        if scope["type"] == "http" and not is_loopback(host):
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def create_app(workspace: Workspace, turns: Turns | None = None, options: JobOptions = DEFAULT) -> FastAPI:
    """Create the application that serves `workspace`: the API and the pages. `open_server` adds the guard.

    Args:
        workspace: the workspace.
        turns: the queues that it shares with other workspaces; None: none.
        options: how jobs run.
    """
    app = new_app("coverslip", _at_work, ROUTERS, describe=(describe_access,))
    add_pages(app)
    app.state.workspace = workspace
    app.state.recipe_keys = {}  # by language
    _add_background(app, workspace, Queue(workspace, turns or Turns(), options))
    return app


def new_app(
    title: str,
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    routers: Iterable[APIRouter],
    *,
    describe: Iterable[Callable[[FastAPI], None]] = (),
) -> FastAPI:
    """Create an application with the errors, limits and document of all; `describe` adds to the document."""
    app = FastAPI(
        title=title,
        version=__version__,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    for add in (add_problem_handlers, *describe, share_parts):
        add(app)
    app.add_middleware(Compression, compresslevel=LEVEL)
    app.add_middleware(BodyLimit)
    app.add_middleware(BriefWaits)
    for router in routers:
        add_routes(app, router)
    return app


def _add_background(app: FastAPI, workspace: Workspace, queue: Queue) -> None:
    """Create the services that routes use; `_at_work` starts them."""
    app.state.queue = queue
    app.state.classifiers = LoadedClassifiers(workspace)
    app.state.previews = WorkerPool(
        workspace.readable, most_seconds=_PREVIEW_SECONDS, most_processes=_PREVIEW_PROCESSES
    )
    app.state.sources = SourceWatch(workspace)
    app.state.changes = Changes(workspace, app.state.sources)


@asynccontextmanager
async def _at_work(app: FastAPI) -> AsyncIterator[None]:
    """Run the background work while the server runs. Running jobs continue after the server ends."""
    # A file that blocks its reader must not block the server.
    with decode_in_processes(app.state.workspace.readable):
        async with background_of(app):
            try:
                with ended_by_signals(lambda: close_streams(app), interrupt_decoding):
                    yield
            finally:
                interrupt_decoding()


@asynccontextmanager
async def background_of(app: FastAPI) -> AsyncIterator[None]:
    """Run the background work of a workspace during the block. Running jobs continue afterwards."""
    workspace: Workspace = app.state.workspace
    await asyncio.to_thread(cleanup.remove_partial_files, workspace)  # before the first request creates new ones
    workspace.background.start("cleanup", lambda is_over: cleanup.delete_expired(workspace, is_over))
    await asyncio.to_thread(reading_images.begin, workspace)
    await asyncio.to_thread(adopt_runs, workspace)
    await asyncio.to_thread(app.state.queue.start)
    app.state.sources.start()
    try:
        yield
    finally:
        close_streams(app)
        await asyncio.to_thread(_end_background, app, workspace)


def close_streams(app: FastAPI) -> None:
    """End the event streams: the server waits for open responses, and these would never end."""
    app.state.changes.close()


def _end_background(app: FastAPI, workspace: Workspace) -> None:
    for service in (app.state.queue, app.state.sources, app.state.classifiers, app.state.previews):
        service.close()
    workspace.background.end_all(_THREAD_SECONDS)


@dataclass(frozen=True)
class Server:
    """A server that has its port and is ready to run."""

    workspace: Workspace
    door: Door
    socket: socket.socket
    host: str  # as requested
    new_token: str | None  # it can be shown only once
    runner: "uvicorn.Server"  # fully loaded: a Ctrl-C during imports can get lost

    @property
    def port(self) -> int:
        return self.door.port

    @property
    def address(self) -> str:
        """The address without the token, for other computers too if they can reach the server."""
        return address_of(outer_name(self.host), self.port)

    @property
    def own_address(self) -> str:
        """The address on this computer, with the token if it is new."""
        host = "127.0.0.1" if _is_any(self.host) else self.host
        return address_of(host, self.port) + (f"?token={self.new_token}" if self.new_token else "")

    def run(self) -> None:
        """Answer requests until Ctrl-C, SIGTERM or SIGHUP. All responses are sent before the signal is raised again."""
        # uvicorn handles SIGINT and SIGTERM itself, also while the app starts; signals reach only the main thread.
        in_main_thread = threading.current_thread() is threading.main_thread()
        if in_main_thread and sys.platform != "win32" and signal.SIGHUP in ending_signals():
            signal.signal(signal.SIGHUP, lambda _, frame: self.runner.handle_exit(signal.SIGTERM, frame))
        run_until_ended(self.runner, self.socket)


@contextmanager
def open_server(
    workspace: Workspace,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    new_token: bool = False,
    options: JobOptions = DEFAULT,
    emit: Emit = ignore,
) -> Iterator[Server]:
    """Open a server of the workspace on `port`, or on the next free port.

    Args:
        workspace: the workspace.
        host: the address to listen at. If it is not loopback, a token is created if there is none. If there is a token,
            it is also required on loopback.
        port: the first port to try.
        new_token: create a new token, which invalidates earlier ones.
        options: how jobs run.
        emit: receives progress events of an upgrade of the workspace.

    Raises:
        CoverslipError: another server uses the workspace, it cannot be used, or this computer has no such address.
    """
    with ExitStack() as stack:
        stack.enter_context(only_server(workspace.folder))
        workspace.check_database(emit)  # here, so that its errors and its progress reach the terminal
        bound = stack.enter_context(bound_socket(host, port))
        needs_one = new_token or (not is_loopback(host) and not token_hash(workspace))
        token = make_token(workspace) if needs_one else None
        port = int(bound.getsockname()[1])
        door = Door(names_of(host, port), port, token_hash(workspace))
        pool = compute_pool(_PATIENCE_SECONDS)
        stack.callback(pool.close)
        workspace = replace(workspace, pool=pool)  # another object, with an engine of its own
        stack.callback(workspace.engine.dispose)
        app = create_app(workspace, options=options)
        server = Server(workspace, door, bound, host, token, runner_of(Guard(app, door)))
        record_address(workspace.folder, server.address)
        stack.enter_context(logged_to(workspace.log))
        yield server


def runner_of(app: ASGIApp) -> "uvicorn.Server":
    """Return the HTTP server of an application, fully loaded: a Ctrl-C during imports can get lost."""
    import uvicorn

    from coverslip.app.guard import BACKLOG, IDLE_SECONDS, Connection

    config = uvicorn.Config(
        _Startup(Languages(app)),
        http=Connection,
        backlog=BACKLOG,
        ws="none",
        proxy_headers=False,  # clients could fake these headers
        server_header=False,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=_SECONDS_TO_END,
        timeout_keep_alive=IDLE_SECONDS,
    )
    config.load()
    # Otherwise, each full garbage collection visits all imported modules, while every request waits. Done before users
    # learn how to end the app: a Ctrl-C in a callback of the collection gets lost.
    gc.collect()
    gc.freeze()
    return uvicorn.Server(config)


class _Startup:
    """Keep the error of the start of background work: uvicorn would log it and exit without a message."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self.error: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            if scope["type"] == "lifespan":
                self.error = error
            raise


def run_until_ended(runner: "uvicorn.Server", bound: socket.socket) -> None:
    """Answer requests at this socket until the server is to end.

    Raises:
        CoverslipError: the background work could not start.
    """
    try:
        runner.run(sockets=[bound])
    except SystemExit as ended:
        startup = runner.config.app
        if isinstance(startup, _Startup) and startup.error is not None:
            raise startup.error from ended
        raise


def bound_socket(host: str, port: int, *, n_ports: int = _TRIES) -> socket.socket:
    """Return a socket at the first free port from `port` on.

    Args:
        host: the address to listen at.
        port: the first port.
        n_ports: how many ports to try. If several, and all of them are in use, any free port is taken.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        raise CoverslipError("no-such-address", remedies=(ChooseOther("host"),), host=host) from error
    candidates = [*range(port, min(port + n_ports, 65536)), *([0] if n_ports > 1 else [])]
    for candidate in candidates:
        # asyncio sends without delay (TCP_NODELAY) only on sockets that name their protocol. With delay, each response
        # waits 40 ms for the acknowledgment of its headers.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if sys.platform != "win32":  # on Windows, two servers could then share a port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((address[0], candidate, *address[2:]))
            listening.listen()
        except OSError as error:
            listening.close()
            if candidate == candidates[-1]:
                raise CoverslipError(
                    "cannot-listen", remedies=(ChooseOther("host"),), host=host, reason=error.strerror
                ) from error
        else:
            return listening
    raise AssertionError("the last port is free, or raises an error")


def names_of(host: str, port: int) -> frozenset[str]:
    """Return the names under which browsers can reach this server, with the port."""
    names = {"127.0.0.1", "localhost", "::1", host.lower()}
    if not is_loopback(host):
        names |= {socket.gethostname().lower(), socket.getfqdn().lower(), *_own_addresses()}
    shown = {f"[{name}]" if ":" in name else name for name in names}
    # Browsers omit port 80.
    return frozenset({f"{name}:{port}" for name in shown} | (shown if port == 80 else set()))


def _own_addresses() -> list[str]:
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    addresses = [
        each for nic_addresses in psutil.net_if_addrs().values() for each in nic_addresses if each.family in families
    ]
    return [each.address.partition("%")[0].lower() for each in sorted(addresses, key=lambda each: each.family)]


def outer_name(host: str) -> str:
    if not _is_any(host):
        return host
    outer = (address for address in _own_addresses() if not ipaddress.ip_address(address).is_loopback)
    return next(outer, "127.0.0.1")


def address_of(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
