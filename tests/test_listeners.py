"""Work goes on whatever becomes of those who listen to it."""

import json
from pathlib import Path

import pytest
from drawing import write_cells
from trained import INSTANT

import coverslip as cs
from coverslip.events import Event, Progressed, progress_reporter


@pytest.mark.slow
@pytest.mark.exhaustive
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


def test_of_work_that_takes_long_parts_are_told_and_of_short_work_nothing(monkeypatch):
    now = 100.0
    monkeypatch.setattr("coverslip.events.time.monotonic", lambda: now)
    told: list[Event] = []
    tell = progress_reporter(told.append, "fitting", "networks")
    for done in range(1, 5):  # a fifth of a second each
        now += 0.2
        tell(done, 5)
    tell(5, 5)
    assert told == []
    for done in range(1, 5):
        now += 0.6
        tell(done, 4)
    parts = [event for event in told if isinstance(event, Progressed)]
    assert [(part.done, part.total, part.unit) for part in parts] == [(done, 4, "networks") for done in range(1, 5)]
    assert [round(part.seconds_left or 0, 3) for part in parts] == [4.2, 2.0, 0.867, 0]
