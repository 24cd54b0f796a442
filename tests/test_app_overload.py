"""Programs that ask too much, or never come to an end, neither stop the app nor keep others from it."""

import asyncio
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path

import pytest
import uvicorn
from browser import QUICK, RunningApp
from drawing import write_cells
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from image_sets import API, workspace_in

from coverslip.app import guard, streams
from coverslip.app.guard import Connection
from coverslip.app.server import create_app, runner_of
from coverslip.errors import TooManyStreams

HALF = b"GET / HTTP/1.1\r\nHost: x"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="sets the limit of another process")
@pytest.mark.exhaustive
def test_half_sent_requests_keep_nobody_from_the_app(other_app: Callable[..., RunningApp]) -> None:
    import resource

    app = other_app()
    assert app.process is not None
    _, most = resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(app.process.pid, resource.RLIMIT_NOFILE, (1024, most))  # what most systems give
    with ExitStack() as opened:
        for _ in range(1_200):
            half = opened.enter_context(socket.create_connection(_place(app.address), timeout=30))
            half.sendall(HALF)
        began = time.monotonic()
        assert app.get("system")["workspace"] == str(app.workspace)
        assert time.monotonic() - began < 5
    logs = [line for log in app.workspace.rglob("*.log*") for line in log.read_text().splitlines()]
    assert len(logs) < 200
    assert app.end() == 0


@pytest.mark.slow
@pytest.mark.exhaustive
def test_who_leaves_a_stream_is_no_line_in_the_log(other_app: Callable[..., RunningApp]) -> None:
    app = other_app()
    dataset = app.opened(write_cells(app.root / "cells"))
    run = app.send("runs", {"dataset_id": dataset["id"], "recipe": QUICK})["id"]
    host, port = _place(app.address)
    for k in range(20):
        with socket.create_connection((host, port), timeout=30) as stream:
            stream.sendall(f"GET /api/v1/events?job={run} HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
            assert stream.recv(4096).startswith(b"HTTP/1.1 200")
            if k % 2:  # a lost connection, else a closed page
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert app.ended(f"jobs/{run}")["state"] == "done"
    assert [line for log in app.workspace.glob("log/*") for line in log.read_text().splitlines()] == []


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.removeprefix("http://").rstrip("/").rpartition(":")
    return host, int(port)


# Connections, before an application of a few lines


LARGE = 2**23  # more than sockets hold


@contextmanager
def served(seconds: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """Where `/stream` never ends, `/large` is large, and others answer with the number of bytes of the body."""
    monkeypatch.setattr(guard, "REQUEST_SECONDS", seconds)
    monkeypatch.setattr(guard, "BODY_SECONDS", seconds)

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]  # ASGI
        if scope["type"] != "http":
            return
        n_bytes = 0
        while scope["path"] != "/refused" and (message := await receive())["type"] == "http.request":
            n_bytes += len(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/large":
            await send({"type": "http.response.body", "body": bytes(LARGE)})
        elif scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
            while (await receive())["type"] != "http.disconnect":
                await asyncio.sleep(0)
        else:
            await send({"type": "http.response.body", "body": b"%d" % n_bytes})

    config = uvicorn.Config(app, http=Connection, ws="none", log_config=None, timeout_graceful_shutdown=1)
    config.timeout_keep_alive = guard.IDLE_SECONDS
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[:2]
        finally:
            server.should_exit = True
            thread.join()


def has_ended(connection: socket.socket, seconds: float) -> bool:
    """Whether the server ends it within that time."""
    connection.settimeout(seconds)
    try:
        with suppress(ConnectionError):
            while connection.recv(4096):
                pass
    except TimeoutError:
        return False
    return True


BEGUN = {
    "nothing": b"",
    "half a header": HALF,
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nfive ",
    "a second header": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + HALF,
}


@pytest.mark.slow
def test_what_does_not_continue_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(0.5, monkeypatch) as place, ExitStack() as opened:
        connections = {name: opened.enter_context(socket.create_connection(place)) for name in BEGUN}
        for name, connection in connections.items():
            connection.sendall(BEGUN[name])
        assert [name for name, connection in connections.items() if not has_ended(connection, 5)] == []


@pytest.mark.slow
def test_a_kept_connection_answers_after_a_pause_and_half_a_header_there_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As of a proxy, which keeps connections for a minute."""
    with served(0.5, monkeypatch) as place, socket.create_connection(place) as connection:
        for _ in range(2):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(1)
            assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(HALF)
        assert has_ended(connection, 3)


@pytest.mark.slow
def test_who_does_not_read_a_response_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "IDLE_SECONDS", 1)
    headers = {"kept": b"", "closed": b"Connection: close\r\n"}
    with served(0.5, monkeypatch) as place, ExitStack() as opened:
        clients = {name: opened.enter_context(socket.create_connection(place)) for name in headers}
        for name, client in clients.items():
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n" + headers[name] + b"\r\n")
        time.sleep(3)
        for name, client in clients.items():
            n_bytes = 0
            client.settimeout(5)
            with suppress(ConnectionError):
                while data := client.recv(2**20):
                    n_bytes += len(data)
            assert n_bytes < LARGE, name


@pytest.mark.slow
def test_the_rest_of_a_refused_body_does_not_end_a_kept_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(0.5, monkeypatch) as place, socket.create_connection(place) as connection:
        connection.sendall(b"POST /refused HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
        time.sleep(0.2)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(b"rest")
        time.sleep(1)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


def test_servers_keep_connections_longer_than_proxies() -> None:
    assert runner_of(FastAPI()).config.timeout_keep_alive == guard.IDLE_SECONDS > 120


@pytest.mark.exhaustive
def test_a_header_in_drops_is_ended_and_a_body_in_drops_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with served(2, monkeypatch) as place:
        with socket.create_connection(place) as header:
            began = time.monotonic()
            with suppress(ConnectionError):
                while time.monotonic() - began < 20:
                    header.sendall(b"G")
                    time.sleep(0.1)
            assert time.monotonic() - began < 20
        with socket.create_connection(place) as body:
            body.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\n")
            for _ in range(30):
                time.sleep(0.1)
                body.sendall(b"x")
            answer = b""
            while not answer.endswith(b"0\r\n\r\n"):
                answer += body.recv(4096)
            assert b"\r\n30\r\n" in answer


@pytest.mark.slow
def test_streams_stay_open_beside_other_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a browser with six tabs: streams of which nothing comes for longer than a request may take."""
    with served(0.5, monkeypatch) as place, ExitStack() as opened:
        streams = [opened.enter_context(socket.create_connection(place)) for _ in range(6)]
        for stream in streams:
            stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in stream.recv(4096)
        time.sleep(1)
        with socket.create_connection(place) as other:
            other.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in other.recv(4096)
        assert not any(has_ended(stream, 0.2) for stream in streams)


@pytest.mark.slow
def test_if_all_connections_are_busy_one_more_is_told_to_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_CONNECTIONS", 3)
    with served(30, monkeypatch) as place, ExitStack() as opened:
        idle, *streams = (opened.enter_context(socket.create_connection(place)) for _ in range(3))
        for stream in streams:
            stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200" in stream.recv(4096)
        streams.append(opened.enter_context(socket.create_connection(place)))
        assert has_ended(idle, 5), "it gave way"
        streams[-1].sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" in streams[-1].recv(4096)
        more = opened.enter_context(socket.create_connection(place))
        assert more.recv(4096).startswith(b"HTTP/1.1 503")
        assert not any(has_ended(stream, 0.2) for stream in streams)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only there, each 127.x.y.z is an address of this computer")
def test_an_address_that_uses_all_connections_keeps_no_other_from_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_CONNECTIONS", 3)
    with served(30, monkeypatch) as place, ExitStack() as opened:

        def stream_from(address: str) -> socket.socket:
            stream = opened.enter_context(socket.create_connection(place, source_address=(address, 0)))
            stream.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
            return stream

        greedy = [stream_from("127.0.0.2") for _ in range(3)]
        assert all(b"200" in stream.recv(4096) for stream in greedy)
        other = stream_from("127.0.0.3")
        assert b"200" in other.recv(4096)
        assert [has_ended(stream, 0.2) for stream in greedy] == [False, False, True]  # the latest
        assert b"503" in stream_from("127.0.0.2").recv(4096)
        assert not has_ended(other, 0.2)


@pytest.mark.slow
def test_the_streams_of_an_address_are_limited_until_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST_STREAMS_OF_ADDRESS", 2)
    first, second = "10.0.0.1", "10.0.0.2"

    async def counted(address: str) -> AsyncExitStack:
        stack = AsyncExitStack()
        request = Request({"type": "http", "client": (address, 50_000), "headers": []})
        await stack.enter_async_context(asynccontextmanager(streams.count_stream)(request))
        return stack

    async def scenario() -> None:
        earlier = [await counted(first) for _ in range(2)]
        with pytest.raises(TooManyStreams) as refused:
            await counted(first)
        assert refused.value.parameters == {"of": "address", "n": 2, "seconds": 10}
        others = [await counted(second)]
        await earlier[0].aclose()
        for each in (earlier[1], *others, await counted(first)):
            await each.aclose()
        assert not streams._open_streams

    with ThreadPoolExecutor(1) as pool:  # a browser's event loop may run in this thread
        pool.submit(asyncio.run, scenario()).result()


# The log


_LOGS = """
import logging, sys
from pathlib import Path
from coverslip.app.server import open_server
from coverslip.workspace.store.workspace import open_workspace

home = open_workspace(Path(sys.argv[1]))
with open_server(home, port=0):
    for k in range(int(sys.argv[2])):
        logging.getLogger(f"of {k}").error("a line")
        logging.getLogger("always").error("%s", k)
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_writable", [True, False])
@pytest.mark.exhaustive
def test_whoever_logs_never_waits_and_the_same_is_logged_seldom(tmp_path: Path, is_writable: bool) -> None:
    log = tmp_path / "log" / "app.log"
    if not is_writable:
        log.mkdir(parents=True)
    # Nobody reads what it prints as an error: the pipe would soon be full.
    command = [sys.executable, "-c", _LOGS, str(tmp_path), "2000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=dict(os.environ)) as process:
        try:
            assert process.wait(60) == 0
        finally:
            process.kill()
    if is_writable:
        lines = log.read_text().splitlines()
        assert 1 <= sum(" always: " in line for line in lines) <= 10
        assert any(" of 0: " in line for line in lines)


_FULL = """
import logging, sys
from pathlib import Path
from coverslip.app import problems

problems._MOST_WAITING = 1
logging.raiseExceptions = True
for k in range(100):
    with problems.logged_to(Path(sys.argv[1])):
        logging.getLogger("of numbers").error("%d", "a")
        for n in range(3):
            logging.getLogger(f"of {k} {n}").error("a line")
"""


@pytest.mark.slow
def test_a_full_log_ends_and_a_line_of_wrong_values_is_not_printed(tmp_path: Path) -> None:
    log = tmp_path / "log" / "app.log"
    ended = subprocess.run([sys.executable, "-c", _FULL, str(log)], capture_output=True, check=True, timeout=60)
    assert ended.stderr == b""
    assert " of 0 " in log.read_text()


# A database that another program holds


@pytest.mark.slow
@pytest.mark.exhaustive
def test_while_another_program_writes_requests_are_asked_to_retry(tmp_path: Path) -> None:
    home = workspace_in(tmp_path)
    write_cells(tmp_path / "cells")
    with TestClient(create_app(home), raise_server_exceptions=False) as client:
        made = client.post(f"{API}/datasets", json={"sources": [{"path": str(tmp_path / "cells")}]}).json()
        address = f"{API}/datasets/{made['id']}"
        until = time.monotonic() + 60
        while client.get(address).json()["state"] == "reading" and time.monotonic() < until:
            time.sleep(0.1)
        with closing(sqlite3.connect(home.folder / "workspace.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with ThreadPoolExecutor(30) as threads:
                answers = list(threads.map(lambda k: client.patch(address, json={"name": f"{k}"}), range(30)))
            assert time.monotonic() - began < 15
            assert {answer.status_code for answer in answers} == {503}
            assert {answer.json()["code"] for answer in answers} == {"workspace-busy"}
            assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
            assert client.get(address).status_code == 200, "readers do not wait"
            other.execute("ROLLBACK")
        assert client.patch(address, json={"name": "free"}).status_code == 200
