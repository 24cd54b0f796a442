"""The app while a file hangs its reader: it answers, forgets, and ends."""

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
