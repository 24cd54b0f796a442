"""What a server leaves in the workspace for others while it runs."""

import threading
from pathlib import Path

import pytest
from image_sets import workspace_in

from coverslip.workspace.store import workspace


@pytest.mark.slow
def test_a_page_that_cannot_be_removed_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raised: list[object] = []
    monkeypatch.setattr(workspace, "_REDIRECT_SECONDS", 0.5)
    monkeypatch.setattr(threading, "excepthook", raised.append)
    other_threads = threading.enumerate()
    with workspace.redirect_file(workspace_in(tmp_path), "http://127.0.0.1/") as page:
        page.unlink()
        page.mkdir()  # as Windows refuses to remove a file that a browser reads
        for thread in threading.enumerate():
            if isinstance(thread, threading.Timer) and thread not in other_threads:
                thread.join()
    assert raised == []
