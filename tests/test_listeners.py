"""Work goes on whatever becomes of those who listen to it."""

import json
from pathlib import Path

import pytest
from drawing import write_cells
from trained import INSTANT

import coverslip as cs
from coverslip.events import Event


@pytest.mark.slow
def test_a_listener_that_fails_does_not_end_a_training_and_is_told_of_once(tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        raise ValueError("the window was closed")

    cells = write_cells(tmp_path / "cells", 24, classes=("small", "large"))
    run = cs.train(cs.open_dataset(cells), INSTANT, out=tmp_path / "run", emit=fail)
    assert json.loads((run.folder / "status.json").read_text())["state"] == "done"
    assert 0 <= run.metrics["accuracy"].value <= 1
    events = [json.loads(line) for line in (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    faults = [event for event in events if "the window was closed" in event.get("text", "")]
    assert [event["level"] for event in faults] == ["warning"]
    assert events[-1]["event"] == "RunEnded"
    assert events[-1]["state"] == "done"
