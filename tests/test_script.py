"""The page "Use from a script": its blocks, in order, against a server."""

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import RunningApp
from drawing import write_cells
from parameters import only_first
from small_workspace import QUICK
from test_docs import blocks

pytestmark = pytest.mark.slow

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
    (change,) = app.get(f"datasets/{dataset['id']}/label-changes")["items"]
    assert (change["label"], change["made_by"], change["is_undone"]) == ("checked", "Ada", True)
