"""Work goes on whatever becomes of those who listen to it."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

import coverslip as cs
from coverslip.events import Event
from coverslip.runs import Recipe, SplitPlan

QUICK = Recipe(stage="instant", image_size=48, tta=1, split=SplitPlan(folds=0))


def write_squares(folder: Path, n: int = 24) -> Path:
    """Small and large squares on noise."""
    rng = np.random.default_rng(0)
    for i in range(n):
        pixels = rng.integers(0, 60, (48, 48), dtype=np.uint8)
        side = 10 if i % 2 else 30
        pixels[8 : 8 + side, 8 : 8 + side] += 150
        file = folder / ("large", "small")[i % 2] / f"{i}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(file)
    return folder


def test_a_listener_that_fails_does_not_end_a_training_and_is_told_of_once(tmp_path: Path) -> None:
    def fail(event: Event) -> None:
        raise ValueError("the window was closed")

    run = cs.train(cs.open_dataset(write_squares(tmp_path / "cells")), QUICK, out=tmp_path / "run", emit=fail)
    assert json.loads((run.folder / "status.json").read_text())["state"] == "done"
    assert 0 <= run.metrics["accuracy"].value <= 1
    events = [json.loads(line) for line in (run.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    faults = [event for event in events if "the window was closed" in event.get("text", "")]
    assert [event["level"] for event in faults] == ["warning"]
    assert events[-1]["event"] == "RunEnded"
    assert events[-1]["state"] == "done"
