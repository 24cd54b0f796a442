"""The app while a file hangs its reader, or uploads break off: it answers, forgets, keeps clean, and ends."""

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from browser import RunningApp
from drawing import save_cells
from odd_formats import install, write_odd


@pytest.mark.slow
def test_a_file_that_hangs_its_reader_holds_neither_the_app_nor_its_end(
    other_app: Callable[..., RunningApp], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", install(tmp_path / "site"))
    app = other_app()
    cells = save_cells(app.root / "cells")
    write_odd(cells / "round" / "hangs.odd", "loops")
    first, second = (
        app.send("datasets", {"sources": [{"path": str(cells)}], "name": name})["id"] for name in ("one", "two")
    )
    _until_one_hangs(app)
    began = time.monotonic()
    app.send(f"datasets/{first}", method="DELETE")
    assert app.get(f"datasets/{second}")["state"] == "reading"
    assert time.monotonic() - began < 5
    children = psutil.Process(app.process.pid).children(recursive=True)  # type: ignore[union-attr]  # it runs
    began = time.monotonic()
    assert app.end() == 0
    assert time.monotonic() - began < 5  # on a busy machine; 1 s is usual
    assert psutil.wait_procs(children, timeout=1)[1] == []


def _until_one_hangs(app: RunningApp) -> None:
    """A process of the app's has been at work for a second."""
    assert app.process is not None
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in psutil.Process(app.process.pid).children():
            used = child.cpu_times()
            if used.user + used.system > 2.5:
                return
        time.sleep(0.1)
    raise AssertionError("nothing hangs")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_uploads_that_are_broken_off_leave_nothing_behind(other_app: Callable[..., RunningApp]) -> None:
    """Fifty of them, as a lost connection breaks them off: no line in a log, no file, no memory."""
    app = other_app()
    assert app.process is not None
    upload = app.send("uploads", {"name": "broken", "is_labeled": True})["id"]
    _break_off(app, f"uploads/{upload}/files/a/0.png", 10)
    process = psutil.Process(app.process.pid)
    memory = process.memory_info().rss
    for n in range(25):
        _break_off(app, f"uploads/{upload}/files/a/{n}.png", 1)
        _break_off(app, f"uploads/{upload}/archive", 1)
    app.until(f"uploads/{upload}", lambda state: state["n_files"] == 0)
    time.sleep(0.5)
    logs = [line for log in app.workspace.rglob("*.log*") for line in log.read_text().splitlines()]
    assert logs == []
    assert [file for file in (app.workspace / "uploads").rglob("*") if file.is_file() and file.suffix != ".json"] == []
    assert process.memory_info().rss - memory < 25e6  # half of what was sent: threads keep some
    assert app.end() == 0


def _break_off(app: RunningApp, path: str, times: int) -> None:
    """Send the first megabyte of ten, and reset the connection."""
    host, port = app.address.removeprefix("http://").rstrip("/").split(":")
    head = f"PUT /api/v1/{path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 10000000\r\n"
    for _ in range(times):
        with socket.create_connection((host, int(port)), timeout=30) as connection:
            connection.sendall(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + bytes(2**20))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
