"""The page "Use from a script": its blocks, in order, against a server."""

import ast
import csv
import json
import subprocess
import sys
import threading
import urllib.error
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import RunningApp
from drawing import write_cells
from parameters import only_first
from small_workspace import QUICK
from tables import label_changes
from test_docs import blocks

pytestmark = pytest.mark.slow

Json = dict[str, Any]  # Any: JSON values
COMMANDS = {"python": [sys.executable, "-"], "sh": ["bash", "-euo", "pipefail"]}


@pytest.mark.parametrize("language", only_first(1, COMMANDS))
def test_the_blocks_of_the_page_do_its_six_jobs(
    other_app: Callable[..., RunningApp], tmp_path: Path, language: str
) -> None:
    write_cells(tmp_path / "cells", 60, classes=("lymphocyte", "monocyte"))
    write_cells(tmp_path / "new", 4, is_sorted=False, seed=2)
    app = other_app()
    code = [
        block.code
        for block in blocks(language)
        if block.page.name == "script.md" and "coverslip app" not in block.code  # it is running
    ]
    assert len(code) >= 6
    script = "\n".join(code)
    values = {
        "http://127.0.0.1:8765": app.address.rstrip("/"),
        "/data/": f"{tmp_path}/",
        '{"stage": "instant"}' if language == "python" else '{stage: "instant"}': json.dumps(QUICK),  # takes less time
    }
    for name, value in values.items():
        assert name in script
        script = script.replace(name, value)
    command = COMMANDS[language]
    done = subprocess.run(
        command, input=script, cwd=tmp_path, text=True, check=True, timeout=300, stdout=subprocess.PIPE
    )

    (dataset,) = app.get("datasets")["items"]
    assert (dataset["state"], dataset["n_images"]) == ("ready", 60)
    (run,) = app.get("runs")["items"]
    assert (run["state"], run["dataset_id"]) == ("done", dataset["id"])
    (prediction,) = app.get("predictions")["items"]
    assert (prediction["state"], prediction["classifier_id"]) == ("done", run["id"])
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 4
    for row in rows:  # the predictions of images that were sent are equal
        expected = [f"{row['path'].rpartition('/')[2]} {row['decision']} ", f'"decision": "{row["decision"]}"']
        assert expected[0 if language == "python" else 1] in done.stdout
    address = f"{app.address}api/v1/datasets/{dataset['id']}"
    with httpx.Client() as client:
        changes = label_changes(client, address)
    assert {(row["label"], row["made_by"], row["is_undone"]) for row in changes[:-30]} == {("checked", "Ada", "yes")}
    assert [row["label"] for row in changes[-30:]] == ["reviewed"] * 30
    if language == "python":
        repeats_for_another_list(script, app, dataset["id"])


def repeats_for_another_list(script: str, app: RunningApp, dataset: str) -> None:
    """Run the page's function that changes all matching images, while another client labels one of them."""
    names = definitions(script)
    send, statuses = names["send"], []

    def send_after_another_client(method: str, address: str, body: Json) -> object:
        if not statuses:
            label_first(app, dataset)
        try:
            answer = send(method, address, body)
        except urllib.error.HTTPError as error:
            statuses.append(error.code)
            raise
        statuses.append(200)
        return answer

    names["send"] = send_after_another_client
    assert names["label_matching"](dataset, {"label": "reviewed"}, "counted") == 29
    assert statuses == [412, 200]
    with pytest.raises(urllib.error.HTTPError) as refused:
        send("POST", f"{names['API']}/datasets/{dataset}/changes", {"filters": {"label": "counted"}, "label": "again"})
    assert refused.value.code == 428


def label_first(app: RunningApp, dataset: str) -> None:
    image = app.get(f"lists/{dataset}/rows?limit=1&label=reviewed")["items"][0]["image_id"]
    app.send(f"datasets/{dataset}/changes", {"images": [image], "label": "other"})


def definitions(script: str) -> dict[str, Any]:  # Any: functions and constants
    """The functions and constants of the Python blocks, without their requests."""
    kinds = (ast.Import, ast.ImportFrom, ast.FunctionDef)
    body = [
        each
        for each in ast.parse(script).body
        if isinstance(each, kinds) or (isinstance(each, ast.Assign) and ast.unparse(each.targets[0]).isupper())
    ]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(body, []), "script.md", "exec"), names)
    return names


class BusyServer(BaseHTTPRequestHandler):
    """Refuses the first two requests."""

    n_requests = 0

    def do_GET(self) -> None:
        type(self).n_requests += 1
        self.send_response(503 if self.n_requests <= 2 else 200)
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(b"{}")


def test_the_page_repeats_a_request_that_a_busy_app_refused() -> None:
    names = definitions("\n".join(block.code for block in blocks("python") if block.page.name == "script.md"))
    with HTTPServer(("127.0.0.1", 0), BusyServer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer, _ = names["repeat"](lambda: names["send"]("GET", f"http://127.0.0.1:{server.server_port}"))
        server.shutdown()
    assert (answer, BusyServer.n_requests) == ({}, 3)
