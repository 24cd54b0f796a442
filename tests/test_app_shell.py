"""The app as a whole: starting and ending it, its pages, its errors, its limits, and what it may look into."""

import ast
import errno
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path

import psutil
import pytest
from browser import RunningApp
from drawing import save_cells
from fastapi import Request
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import BaseModel
from refusing import refusing

from coverslip.app import requests
from coverslip.app.files import add_pages
from coverslip.app.guard import allow_body
from coverslip.app.server import create_app
from coverslip.errors import Busy, Conflict, CoverslipError, DiskFull, NotFound, TooLarge
from coverslip.files import write_error
from coverslip.messages import text
from coverslip.workspace.store.workspace import Workspace, open_workspace

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"torch", "torchvision", "timm", "sklearn", "scipy", "matplotlib", "onnxruntime"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "images").mkdir()
    return open_workspace(tmp_path / "workspace", (tmp_path / "images",))


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace), raise_server_exceptions=False) as client:
        yield client


def save_image(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (4, 4)).save(file)


# Starting and ending


def test_it_says_where_it_is_and_answers_there(app_server: RunningApp) -> None:
    system = app_server.get("system")
    assert system["workspace"] == str(app_server.workspace)
    assert system["roots"][0] == str(app_server.root)
    assert system["n_cores"] >= 1
    assert system["memory_mib"] > 100
    assert re.search(r"Address +http://127\.0\.0\.1:\d+/\n", app_server.printed)


def test_it_listens_on_this_computer_alone(app_server: RunningApp) -> None:
    assert app_server.process is not None
    listening = [
        connection
        for connection in psutil.Process(app_server.process.pid).net_connections()
        if connection.status == "LISTEN"
    ]
    assert [connection.laddr.ip for connection in listening] == ["127.0.0.1"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_second_server_on_the_workspace_is_refused(app_server: RunningApp) -> None:
    done = run_app("--workspace", str(app_server.workspace))
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {text('workspace-open-elsewhere', has_address=False, address='')}")
    assert app_server.address in done.stderr
    assert "--workspace" in done.stderr


@pytest.mark.exhaustive
@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGKILL, marks=pytest.mark.exhaustive)])
@pytest.mark.new_interpreter
def test_it_ends_and_starts_again_on_the_same_workspace(
    other_app: Callable[..., RunningApp], how: signal.Signals
) -> None:
    app = other_app()
    code = app.end(how)
    if how is signal.SIGINT:
        assert code == 0
        assert text("command-app-ended") in app.printed
        assert "Traceback" not in app.printed
    assert app.start().get("system")["workspace"] == str(app.workspace)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGHUP", marks=pytest.mark.exhaustive)])
def test_it_ends_in_order_when_its_terminal_is_closed_or_the_system_ends_it(
    other_app: Callable[..., RunningApp], name: str
) -> None:
    app = other_app()
    app.opened(save_cells(app.root / "cells"))
    with socket.create_connection(("127.0.0.1", int(app.address.rstrip("/").rpartition(":")[2]))):
        assert app.end(signal.Signals[name]) == 0
    assert not (app.workspace / "workspace.sqlite-wal").exists()  # the database was closed


_ENDED_WHILE_STARTING = """
import os, signal, sys, time
from coverslip.__main__ import main
from coverslip.workspace import cleanup

name = sys.argv.pop()

def remove(workspace, remove=cleanup.remove_partial_files):
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(0.2)
    remove(workspace)

cleanup.remove_partial_files = remove
sys.exit(main())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGHUP", marks=pytest.mark.exhaustive)])
def test_it_ends_in_order_when_it_is_ended_while_it_starts(tmp_path: Path, name: str) -> None:
    arguments = ["app", "--port", "0", "--no-browser", "--workspace", str(tmp_path / "workspace")]
    command = [sys.executable, "-c", _ENDED_WHILE_STARTING, *arguments, name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_next_free_port_is_taken_and_said(other_app: Callable[..., RunningApp]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = other_app(options=("--port", str(port)))
        assert app.address != f"http://127.0.0.1:{port}/"
        assert f"Port {port} is in use" in app.printed
        assert app.get("system")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_away_from_loopback_the_token_is_shown_once_and_holds_after_a_restart(
    other_app: Callable[..., RunningApp],
) -> None:
    app = other_app(options=("--host", "0.0.0.0"))
    token = re.search(r"\?token=(\S+)", app.printed)
    assert token
    port = app.address.rstrip("/").rpartition(":")[2]
    app.address = f"http://127.0.0.1:{port}/"
    request = "GET /api/v1/system HTTP/1.1\nHost: HOST"
    assert app.raw(request).startswith("HTTP/1.1 401")
    assert app.raw(f"{request}\nAuthorization: Bearer {token[1]}").startswith("HTTP/1.1 200")
    assert app.raw(f"{request}\nCookie: coverslip-{port}={token[1]}").startswith("HTTP/1.1 200")
    app.end()
    assert token[1] not in "".join(file.read_text() for file in app.workspace.glob("*.json"))
    app.start()
    assert "?token=" not in app.printed
    app.address = f"http://127.0.0.1:{port}/"
    assert app.raw(f"{request}\nAuthorization: Bearer {token[1]}").startswith("HTTP/1.1 200")
    app.end()
    app.options += ("--new-token",)
    app.start()
    assert "?token=" in app.printed
    app.address = f"http://127.0.0.1:{port}/"
    assert app.raw(f"{request}\nAuthorization: Bearer {token[1]}").startswith("HTTP/1.1 401")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_token_can_be_required_on_a_computer_of_several_people(other_app: Callable[..., RunningApp]) -> None:
    app = other_app(options=("--new-token",))
    token = re.search(r"\?token=(\S+)", app.printed)
    assert token
    request = "GET /api/v1/system HTTP/1.1\nHost: HOST"
    assert app.raw(request).startswith("HTTP/1.1 401")
    assert app.raw(f"{request}\nAuthorization: Bearer {token[1]}").startswith("HTTP/1.1 200")


_BROWSER = """#!{python}
import os, pathlib, sys, urllib.parse
page = pathlib.Path(urllib.parse.unquote(sys.argv[1].removeprefix("file://")))
output = pathlib.Path({output!r})
output.with_suffix(".part").write_text(repr((sys.argv, oct(page.stat().st_mode & 0o777), page.read_text())))
output.with_suffix(".part").rename(output)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a program of a few lines stands for the browser")
def test_the_token_is_in_no_command_line_and_required_on_this_computer_ever_after(
    other_app: Callable[..., RunningApp], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output, browser = tmp_path / "output", tmp_path / "browser"
    browser.write_text(_BROWSER.format(python=sys.executable, output=str(output)))
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    app = other_app(options=("--new-token",), opens_browser=True)
    token = re.search(r"\?token=(\S+)", app.printed)
    assert token
    until = time.monotonic() + 60
    while not output.exists() and time.monotonic() < until:
        time.sleep(0.05)
    arguments, mode, page = ast.literal_eval(output.read_text())
    assert token[1] not in " ".join(arguments)
    assert mode == "0o600"
    assert f"{app.address}?token={token[1]}" in page
    assert (app.workspace / "open.html").exists()
    host = app.address.removeprefix("http://").rstrip("/")
    link = "Sec-Fetch-Site: cross-site\nSec-Fetch-Mode: navigate\nSec-Fetch-Dest: document"
    assert "HttpOnly" in app.raw(f"GET /?token={token[1]} HTTP/1.1\nHost: {host}\n{link}")
    app.end()
    assert not (app.workspace / "open.html").exists()
    app.options = ()
    app.start()
    request = "GET /api/v1/system HTTP/1.1\nHost: HOST"
    assert app.raw(request).startswith("HTTP/1.1 401")
    assert app.raw(f"{request}\nAuthorization: Bearer {token[1]}").startswith("HTTP/1.1 200")


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        ("--host", "192.0.2.1"),
        pytest.param(("--host", "no such"), marks=pytest.mark.exhaustive),
        pytest.param(("--root", "/nowhere/at/all"), marks=pytest.mark.exhaustive),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(tmp_path: Path, options: tuple[str, str]) -> None:
    done = run_app("--workspace", str(tmp_path), *options)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_workspace_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "workspace.sqlite")) as connection:
        connection.execute("CREATE TABLE later (number INTEGER)")
        connection.execute("PRAGMA user_version = 99")
    done = run_app("--workspace", str(tmp_path))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "format 99" in done.stderr
    (tmp_path / "server.lock").unlink()
    (tmp_path / "server.lock").mkdir()
    done = run_app("--workspace", str(tmp_path))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert text("workspace-not-locked", reason="") in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk to try with")
def test_a_body_that_the_disk_does_not_take_is_no_fault_of_ours() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, refusing(CoverslipError, "file-not-written"):
        requests._write_all(full, b"x", Path("/dev"))


def run_app(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "coverslip", "app", "--no-browser", "--port", "0", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_server_loads_nothing_heavy_for_any_list(workspace: Workspace) -> None:
    """PyTorch takes seconds and hundreds of megabytes; jobs, which need it, are processes of their own."""
    script = f"""
import sys
from pathlib import Path
from fastapi.testclient import TestClient
from coverslip.app.server import create_app
from coverslip.workspace.store.workspace import open_workspace

app = create_app(open_workspace(Path({str(workspace.folder)!r}), (Path({str(workspace.roots[0])!r}),)))
with TestClient(app) as client:
    for path, operations in app.openapi()["paths"].items():
        if "get" in operations and "{{" not in path and not path.endswith("/events"):  # which does not end
            assert client.get(path).status_code < 500, path
    client.get("/")
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert HEAVY & set(done.stdout.split()) == set()


def test_the_server_connects_to_nobody(app_server: RunningApp) -> None:
    app_server.get("system")
    assert app_server.process is not None
    others = [
        connection.raddr for connection in psutil.Process(app_server.process.pid).net_connections() if connection.raddr
    ]
    assert {connection.ip for connection in others} <= {"127.0.0.1"}


# Attacks on the real server, as they arrive


@pytest.mark.parametrize(
    "request_text, status",
    [
        ("GET /api/v1/system HTTP/1.1\nHost: HOST", 200),
        ("GET /api/v1/system HTTP/1.1\nHost: evil.example", 421),
        ("GET /api/v1/system HTTP/1.1\nHost: HOST\nHost: evil.example", 400),
        ("GET /api/v1/system HTTP/1.0", 421),
        ("GET http://evil.example/api/v1/system HTTP/1.1\nHost: evil.example", 421),
        ("GET /api/v1/system HTTP/1.1\nHost: HOST\nOrigin: http://evil.example", 403),
        ("GET /api/v1/system HTTP/1.1\nHost: HOST\nOrigin: null", 403),
        ("GET /api/v1/events HTTP/1.1\nHost: HOST\nAccept: text/event-stream\nOrigin: http://evil.example", 403),
        (
            "GET /api/v1/live HTTP/1.1\nHost: HOST\nOrigin: http://evil.example"
            "\nUpgrade: websocket\nConnection: Upgrade"
            "\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13",
            403,
        ),
        ("POST /api/v1/system HTTP/1.1\nHost: HOST\nSec-Fetch-Site: cross-site\nContent-Length: 0", 403),
    ],
)
def test_a_request_written_by_hand(app_server: RunningApp, request_text: str, status: int) -> None:
    assert app_server.raw(request_text).startswith(f"HTTP/1.1 {status}")


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py",
        "/../../../../../../../../etc/passwd",
        "/..%2fserver.py",
        "/%2e%2e/server.py",
        "/assets/../../server.py",
        "/assets/..%2f..%2fserver.py",
        "//etc/passwd",
        "/..%5cserver.py",
        "/index.html%00.js",
        "/" + "a" * 5000,
    ],
)
def test_no_path_leads_out_of_the_pages(app_server: RunningApp, path: str) -> None:
    answer = app_server.raw(f"GET {path} HTTP/1.1\nHost: HOST")
    assert answer.split()[1] in ("200", "404", "503")
    assert "root:" not in answer
    assert "create_app" not in answer


# Pages


@pytest.fixture
def built(workspace: Workspace, tmp_path: Path) -> TestClient:
    """An app with pages that a test wrote."""
    static = tmp_path / "static"
    for name, content in {
        "index.html": "the page",
        "assets/index-1a2b.js": "1",
        "assets/index-1a2b.css": "",
        "icon.svg": "<svg/>",
    }.items():
        (static / name).parent.mkdir(parents=True, exist_ok=True)
        (static / name).write_text(content)
    (static / "link.txt").symlink_to(tmp_path / "secret.txt")
    (tmp_path / "secret.txt").write_text("secret")
    app = create_app(workspace)
    add_pages(app, static)
    return TestClient(app)


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", "/datasets/x?tab=images", "/runs/a.b", "/apiary"])
def test_every_address_that_is_not_the_apis_is_the_page(built: TestClient, path: str) -> None:
    answer = built.get(path)
    assert answer.text == "the page"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache", "the next version's scripts have other names"
    assert built.head(path).status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    "path, kind", [("assets/index-1a2b.js", "text/javascript"), ("assets/index-1a2b.css", "text/css")]
)
def test_files_named_by_their_content_are_kept_for_ever(built: TestClient, path: str, kind: str) -> None:
    answer = built.get(path)
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-type"] == f"{kind}; charset=utf-8"


@pytest.mark.slow
def test_the_icon_is_kept_for_a_day(built: TestClient) -> None:
    answer = built.get("icon.svg")
    assert (answer.headers["cache-control"], answer.headers["content-type"]) == (
        "public, max-age=86400",
        "image/svg+xml",
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", ["assets/gone.js", "docs/gone.js", "api", "api/v1/nothing", "api/v2/system"])
def test_what_is_not_there_is_a_problem_not_the_page(built: TestClient, path: str) -> None:
    answer = built.get(path)
    assert answer.status_code == 404
    assert (answer.json()["kind"], answer.json()["code"]) == ("not-found", "unknown-address")


@pytest.mark.slow
def test_a_link_in_the_pages_leads_nowhere_else(built: TestClient) -> None:
    assert built.get("link.txt").text == "the page"


@pytest.mark.slow
def test_where_the_pages_are_not_built_the_page_says_how(workspace: Workspace, tmp_path: Path) -> None:
    app = create_app(workspace)
    add_pages(app, tmp_path / "nothing")
    answer = TestClient(app).get("/")
    assert answer.status_code == 503
    assert "make app" in answer.text


# Problems


class Given(BaseModel):
    name: str
    n: int = 0


@pytest.fixture
def failing(workspace: Workspace) -> TestClient:
    app = create_app(workspace)

    @app.get("/api/v1/fails/{kind}")
    def fails(kind: str) -> None:
        raise {
            "error": CoverslipError("image-folder-not-opened", file=Path("/images/a\udcff.png"), reason="it is broken"),
            "missing": NotFound("no-such-upload"),
            "conflict": Conflict("upload-finished"),
            "large": TooLarge("file-too-large", n_mb=1),
            "busy": Busy("workspace-busy"),
            "full": write_error(Path("/images/new"), OSError(errno.ENOSPC, "No space left on device")),
            "full-database": DiskFull("workspace-database-unusable", reason="full"),
            "full-unexpectedly": OSError(errno.EDQUOT, "Disk quota exceeded"),
            "read-only": OSError(errno.EROFS, "Read-only file system"),
            "bug": ZeroDivisionError("secret"),
        }[kind]

    @app.post("/api/v1/takes/{n}")
    def takes(n: int, sent: Given, by: int = 0) -> None:
        pass

    @app.post("/api/v1/says")
    def says(sent: Given) -> Given:
        return sent

    @app.put("/api/v1/uploads")
    async def uploads(request: Request, most: int) -> int:
        allow_body(request, most)
        return sum([len(chunk) async for chunk in request.stream()])

    return TestClient(app, raise_server_exceptions=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind, status",
    [
        *(("error", 422), ("missing", 404), ("conflict", 409), ("large", 413), ("busy", 503)),
        *(("full", 507), ("full-database", 507), ("full-unexpectedly", 507), ("read-only", 422)),
    ],
)
def test_an_error_of_ours_says_what_where_and_what_to_do(failing: TestClient, kind: str, status: int) -> None:
    answer = failing.get(f"/api/v1/fails/{kind}")
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    if kind == "error":
        what, do = text("image-folder-not-opened", reason="it is broken"), text("image-folder-not-opened.do")
        assert answer.json() == {
            "type": "/help/problems_datasets#image-folder-not-opened",
            "kind": "failed",
            "code": "image-folder-not-opened",
            "title": f"{what}.",
            "status": 422,
            "detail": f"{what} (/images/a\udcff.png). {do}",
            "file": "/images/a\udcff.png",
            "do": do,
            "parameters": {"reason": "it is broken"},
        }


@pytest.mark.slow
def test_a_fault_of_the_program_shows_no_details(failing: TestClient) -> None:
    answer = failing.get("/api/v1/fails/bug")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert answer.json()["code"] == "internal-error"


@pytest.mark.slow
@pytest.mark.parametrize(
    "path, body, fields",
    [
        ("1", '{"n": "x"}', ["name", "n"]),
        ("x?by=y", '{"name": "a"}', ["n", "by"]),
        ("1", "{", ["body"]),
        ("1", "", ["body"]),
        ("1", b"\xff\xfe\0", ["body"]),
        ("1", "[1]", ["body"]),
    ],
)
def test_a_request_that_is_not_valid_names_the_fields(
    failing: TestClient, path: str, body: str | bytes, fields: list[str]
) -> None:
    answer = failing.post(f"/api/v1/takes/{path}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert "b'" not in answer.json()["detail"]


@pytest.mark.slow
def test_text_that_is_no_unicode_is_refused(failing: TestClient) -> None:
    answer = failing.post("/api/v1/says", content='{"name": "\\ud800"}', headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "not-unicode"


@pytest.mark.slow
def test_a_wrong_method_is_a_problem_that_says_the_right_one(client: TestClient) -> None:
    answer = client.post("/api/v1/system")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == "GET"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_fault_is_written_to_the_log_not_to_the_terminal(tmp_path: Path) -> None:
    script = f"""
import threading, time, urllib.request, urllib.error
from pathlib import Path
from coverslip.app import server
from coverslip.workspace.store.workspace import open_workspace

make = server.create_app
def with_fault(workspace, **how):
    app = make(workspace, **how)
    @app.get("/api/v1/fails")
    def fails():
        raise ZeroDivisionError("planted")
    return app
server.create_app = with_fault

with server.open_server(open_workspace(Path({str(tmp_path)!r})), port=0) as running:
    threading.Thread(target=running.run, daemon=True).start()
    try:
        urllib.request.urlopen(running.address + "api/v1/fails", timeout=30)
    except urllib.error.HTTPError as error:
        print(error.code)
    log = Path({str(tmp_path)!r}) / "log" / "app.log"
    until = time.monotonic() + 20  # the answer goes out before the line is written
    while time.monotonic() < until and not (log.exists() and "planted" in log.read_text()):
        time.sleep(0.05)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "500\n"
    assert done.stderr == ""
    log = (tmp_path / "log" / "app.log").read_text()
    assert "ZeroDivisionError: planted" in log
    assert "while answering GET /api/v1/fails" in log


@pytest.mark.slow
def test_no_route_hides_another_and_every_list_comes_in_pages(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    paths, shared = document["paths"], document["components"]["parameters"]
    operations = [(method, path, operation) for path, methods in paths.items() for method, operation in methods.items()]

    def is_hidden(route: str, other: str) -> bool:
        parts = [path.split("/") for path in (route, other)]
        return len(parts[0]) == len(parts[1]) and all(a == b or "{" in (a + b) for a, b in zip(*parts, strict=True))

    for (method, path, _), (method2, path2, _) in combinations(operations, 2):
        assert method != method2 or not is_hidden(path, path2), (path, path2)
    for _, path, operation in operations:
        schema = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        if "Page_" in name:
            place = "after" if name.startswith("ImagePage_") else "offset"
            names = {
                shared.get(each.get("$ref", "").rpartition("/")[2], each)["name"] for each in operation["parameters"]
            }
            assert {place, "limit"} <= names, path


@pytest.mark.slow
def test_the_document_says_that_every_operation_may_answer_with_a_problem(client: TestClient) -> None:
    document = client.get("/api/v1/openapi.json").json()
    assert "HTTPValidationError" not in json.dumps(document)
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert {"401", "503", "default"} <= set(operation["responses"]), (method, path)
            assert ("507" in operation["responses"]) == (method != "get"), (method, path)
            for status, response in operation["responses"].items():
                name = response.get("$ref", "").rpartition("/")[2]
                content = document["components"]["responses"].get(name, response).get("content", {})
                assert status < "400" or content == problem, (method, path, status)


# Limits


@pytest.mark.slow
def test_a_body_that_is_too_large_is_refused_before_it_is_read(failing: TestClient) -> None:
    body = json.dumps({"name": "x" * 2**20})
    answer = failing.post("/api/v1/takes/1", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert answer.json()["code"] == "request-too-large"
    assert answer.json()["detail"] == text("request-limit", n_bytes=2**20)


@pytest.mark.slow
def test_a_body_that_does_not_say_its_size_is_counted(failing: TestClient) -> None:
    chunks = (b"x" * 65536 for _ in range(17))
    answer = failing.post("/api/v1/takes/1", content=chunks, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.slow
@pytest.mark.parametrize("n_bytes, status", [(3 * 2**20, 200), (3 * 2**20 + 1, 413)])
def test_an_upload_has_a_limit_of_its_own(failing: TestClient, n_bytes: int, status: int) -> None:
    for body in (b"x" * n_bytes, (part for part in (b"x" * n_bytes,))):
        assert failing.put(f"/api/v1/uploads?most={3 * 2**20}", content=body).status_code == status


# Folders


def test_the_chooser_begins_with_the_folders_that_may_be_read(client: TestClient, workspace: Workspace) -> None:
    folders = client.get("/api/v1/folders").json()
    assert folders["path"] is None
    assert folders["folders"] == [{"name": "images", "path": str(workspace.roots[0])}]


def test_a_folder_shows_what_could_be_trained_on(client: TestClient, workspace: Workspace) -> None:
    root = workspace.roots[0]
    for name in ("set/b/1.png", "set/b/deep/2.PNG", "set/a10/3.tif", "set/a9/4.jpg", "set/5.png", "set/.hidden/6.png"):
        save_image(root / name)
    (root / "set/table.csv").write_text("path,label\n")
    (root / "set/notes.md").write_text("")
    (root / "set/README.txt").write_text("")
    os.mkfifo(root / "set/pipe.csv")
    (root / "set/empty").mkdir()
    (root / "set/.secret.csv").write_text("")
    listing = client.get("/api/v1/folders", params={"path": str(root / "set")}).json()
    assert listing["parent"] == str(root)
    assert [folder["name"] for folder in listing["folders"]] == ["a9", "a10", "b", "empty"]
    assert listing["class_folders"] == [
        {"name": "a9", "n_images": 1},
        {"name": "a10", "n_images": 1},
        {"name": "b", "n_images": 2},
    ]
    assert listing["tables"] == [{"name": "table.csv", "path": str(root / "set/table.csv")}]
    assert (listing["n_images"], listing["is_more"], listing["n_excluded"]) == (5, False, 0)
    assert client.get("/api/v1/folders", params={"path": str(root)}).json()["parent"] is None


@pytest.mark.parametrize("path", ["/etc", "..", "../../..", "/", "~root", "", "nowhere", "a\0b", "x" * 5000])
def test_other_folders_are_refused(client: TestClient, path: str) -> None:
    answer = client.get("/api/v1/folders", params={"path": path})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_links_out_of_the_roots_are_neither_shown_nor_followed(
    client: TestClient, workspace: Workspace, tmp_path: Path
) -> None:
    save_image(tmp_path / "elsewhere/a/1.png")
    root = workspace.roots[0]
    save_image(root / "inside/1.png")
    (root / "out").symlink_to(tmp_path / "elsewhere")
    (root / "inside/out").symlink_to(tmp_path / "elsewhere")
    (root / "within").symlink_to(root / "inside")
    listing = client.get("/api/v1/folders", params={"path": str(root)}).json()
    assert [(folder["name"], folder["n_images"]) for folder in listing["class_folders"]] == [
        ("inside", 1),
        ("within", 1),
    ]
    assert client.get("/api/v1/folders", params={"path": str(root / "out")}).status_code == 422


def test_what_takes_too_long_to_count_is_not_counted(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coverslip.workspace.datasets.folders.MOST_SECONDS", -1)
    save_image(workspace.roots[0] / "a/1.png")
    listing = client.get("/api/v1/folders", params={"path": str(workspace.roots[0])}).json()
    assert listing["class_folders"] == [{"name": "a", "n_images": None}]
    assert (listing["n_images"], listing["is_more"]) == (0, True)


@pytest.mark.slow
def test_images_are_counted_to_the_last_and_those_that_cannot_be_read_are_not(
    client: TestClient, workspace: Workspace, tmp_path: Path
) -> None:
    root = workspace.roots[0]
    (root / "many").mkdir()
    for i in range(10_050):
        (root / f"many/{i}.png").touch()
    save_image(root / "few/1.png")
    (root / "few/folder.png").mkdir()
    save_image(tmp_path / "elsewhere/2.png")
    (root / "few/2.png").symlink_to(tmp_path / "elsewhere/2.png")
    (root / "few/gone.png").symlink_to(root / "nothing.png")
    listing = client.get("/api/v1/folders", params={"path": str(root)}).json()
    assert listing["class_folders"] == [{"name": "few", "n_images": 1}, {"name": "many", "n_images": 10_050}]
    assert (listing["n_images"], listing["is_more"]) == (10_051, False)


def test_of_a_file_whose_path_was_pasted_the_folder_is_shown(client: TestClient, workspace: Workspace) -> None:
    root = workspace.roots[0]
    (root / "set").mkdir()
    (root / "set/table.csv").write_text("path,label\n")
    listing = client.get("/api/v1/folders", params={"path": str(root / "set/table.csv")}).json()
    assert (listing["path"], len(listing["tables"])) == (str(root / "set"), 1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_a_name_that_is_no_text_is_counted_not_shown(client: TestClient, workspace: Workspace) -> None:
    os.mkdir(os.fsencode(workspace.roots[0]) + b"/bad\xff")  # noqa: PTH102  bytes
    (workspace.roots[0] / "<script>").mkdir()
    listing = client.get("/api/v1/folders", params={"path": str(workspace.roots[0])}).json()
    assert [folder["name"] for folder in listing["folders"]] == ["<script>"]
    assert listing["n_excluded"] == 1


# The whole API, and the package


@pytest.mark.slow
@pytest.mark.parametrize(
    "is_about_something",
    [pytest.param(False, marks=pytest.mark.exhaustive, id="made-up ids"), pytest.param(True, id="ids that exist")],
)
def test_no_request_that_fits_the_document_makes_the_server_fail(tmp_path: Path, is_about_something: bool) -> None:
    import schemathesis
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.strategies import just

    for i in range(6):
        save_image(tmp_path / f"images/{'ab'[i % 2]}/slide{i}.png")
    app = create_app(open_workspace(tmp_path / "workspace", (tmp_path / "images",)))
    # Streams do not end, and each picture of augmentation is a process that loads PyTorch first.
    omitted = "/(events|augmentation-preview)$" if is_about_something else "/events$"
    schema = schemathesis.openapi.from_dict(app.openapi()).exclude(path_regex=omitted)
    operations = [result.ok() for result in schema.get_all_operations()]
    failed: dict[str, str] = {}
    some = settings(
        max_examples=settings().max_examples // 10,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    with TestClient(app) as client:
        for operation in operations:
            ids = ids_that_exist(client, tmp_path / "images") if is_about_something else {}
            if is_about_something and not any(f"{{{name}}}" in operation.path for name in ids):
                continue

            @some
            @given(case=operation.as_strategy(), ids=just(ids))
            def ask(case: schemathesis.Case, ids: dict[str, object]) -> None:
                case.path_parameters |= {name: ids[name] for name in case.path_parameters if name in ids}
                arguments = case.as_transport_kwargs(base_url=str(client.base_url))
                del arguments["cookies"]
                if isinstance(arguments.get("data"), bytes):
                    arguments["content"] = arguments.pop("data")
                try:
                    client.build_request(**arguments).read()
                except AttributeError:  # a drawn file is a number, which no client can send
                    return
                try:
                    assert client.request(**arguments).status_code < 500
                except Exception as error:  # noqa: BLE001  all of them are to be seen at once
                    failed[f"{case.method} {case.path}"] = f"{error!r} for {arguments}"

            ask()
    assert failed == {}


def ids_that_exist(client: TestClient, images: Path) -> dict[str, object]:
    """IDs of existing objects for addresses; removed objects are created again."""
    ready = [dataset for dataset in client.get("/api/v1/datasets").json()["items"] if dataset["n_images"] == 6]
    if not ready:
        made = client.post("/api/v1/datasets", json={"sources": [{"path": str(images)}]})
        assert made.status_code == 201, made.text
        ready = [made.json()]
    until = time.monotonic() + 60
    while client.get(f"/api/v1/datasets/{ready[0]['id']}").json()["state"] == "reading":
        assert time.monotonic() < until
        time.sleep(0.05)
    upload = client.post("/api/v1/uploads", json={"name": "sent", "is_labeled": True}).json()
    return {"dataset_id": ready[0]["id"], "upload_id": upload["id"], "i": 0}


@pytest.mark.slow
@pytest.mark.exhaustive
def test_packages_contain_the_pages_and_nothing_else_of_this_computer_and_are_not_built_without_pages(
    tmp_path: Path,
) -> None:
    sources = tmp_path / "sources"
    shutil.copytree(
        ROOT,
        sources,
        ignore=shutil.ignore_patterns(
            ".git",
            ".venv",
            ".node",
            "node_modules",
            "*.egg-info",
            "build",
            "dist",
            "static",
            "demo",
            "runs",
            "docs",
            ".*_cache",
        ),
    )
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path / "built"), str(sources)]
    refused = subprocess.run(build, capture_output=True, text=True, check=False, timeout=300)
    assert refused.returncode != 0
    assert "make pages" in refused.stdout + refused.stderr
    static = sources / "src/coverslip/app/static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>")
    (static / "assets/index-1a2b.js").write_text("1")
    for stray in (
        ".venv/a.py",
        "node_modules/a.json",
        "web/node_modules/a.json",
        "shared/a.csv",
        "runs/a.json",
        ".env",
    ):
        (sources / stray).parent.mkdir(parents=True, exist_ok=True)
        (sources / stray).write_text("{}")
    subprocess.run(build, capture_output=True, check=True, timeout=300)
    (archive,) = (tmp_path / "built").glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        tops = {name.split("/")[1] for name in opened.getnames() if "/" in name}
    expected_files = {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "setup.cfg", "setup.py", "src", "tests"}
    assert tops == expected_files
    (wheel,) = (tmp_path / "built").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"coverslip/app/static/index.html", "coverslip/app/static/assets/index-1a2b.js"} <= set(names)
    assert not any("node_modules" in name for name in names)
