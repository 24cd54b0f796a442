"""The session of Python: calls of the public API on the images and runs of `same_answers.py`, printed as JSON.

It runs as a program of its own with the version of coverslip that is compared, in a folder with runs of the commands.
"""

import dataclasses
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import coverslip as cs

GROUPS = r"slide\d+"
QUICK: Mapping[str, Any] = {"stage": "instant", "image_size": 32, "tta": 1, "split": {"folds": 0}}


def as_json(value: Any) -> Any:
    """Return JSON for what the API returns."""
    match value:
        case None | str() | bool() | int() | float():
            return value
        case np.generic():
            return value.item()
        case np.ndarray():
            return {"shape": list(value.shape), "type": str(value.dtype), "values": value.ravel().tolist()}
        case Path():
            return str(value)
        case Mapping():
            return {str(key): as_json(inner) for key, inner in value.items()}
        case cs.Run():
            return {"folder": value.folder.name, "metrics": as_json(value.metrics)}
    if dataclasses.is_dataclass(value):
        return {field.name: as_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return as_json(value.model_dump())
    if isinstance(value, (list, tuple)):
        return [as_json(inner) for inner in value]
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    return f"{type(value).__module__}.{type(value).__qualname__}"


def main(images: Path) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (24, 32, 32, 3), dtype=np.uint8)
    data = cs.open_dataset(images / "cells", group_pattern=GROUPS)
    recipe = cs.Recipe.model_validate(QUICK)
    run = cs.train(data, recipe, out="runs/python")
    classifier = cs.load_classifier("runs/first")
    new = sorted((images / "new").rglob("*.png"))
    in_memory = cs.open_dataset((pixels, ["round", "flat"] * 12))
    external = cs.open_dataset(images / "external", group_pattern=GROUPS)
    predictions = cs.predict(run, images / "new", out="python.csv", prevalence={"small": 0.5})
    evaluated = cs.evaluate(run, external, name="external")
    calls: dict[str, Callable[[], Any]] = {
        "open_dataset": lambda: data,
        "open_dataset in memory": lambda: len(in_memory),
        "inspect": lambda: cs.inspect(data, recipe),
        "train": lambda: run,
        "train in memory": lambda: cs.train(in_memory, recipe, out="runs/memory"),
        "open_run": lambda: cs.open_run("runs/first"),
        "load_recipe": lambda: cs.load_recipe("runs/first/recipe.yaml"),
        "classes": lambda: classifier.classes,
        "classifier.predict": lambda: list(classifier.predict(new[:5])),
        "classifier.predict_proba": lambda: classifier.predict_proba(pixels[:4]),
        "evaluate": lambda: evaluated,
        "predict": lambda: predictions,
        "predictions.csv": lambda: Path("python.csv").read_text(encoding="utf-8").splitlines(),
        "summarise": lambda: cs.summarise("predictions.csv", by="folder", run="runs/first"),
        "draw_spot_check": lambda: cs.draw_spot_check(
            "predictions.csv", n=8, by="folder", run="runs/first", out="drawn.csv"
        ),
        "compare": lambda: cs.compare([run, "runs/other"]),
        "label_errors": lambda: cs.label_errors(run, out="python_label_errors.csv"),
        "distance": lambda: cs.distance([data, external], run=run),
        "agreement": lambda: cs.agreement(["readings.csv"], group="patient"),
        "suggest": lambda: cs.suggest(images / "pictures", n=3, run=run),
        "decide": lambda: cs.decide("runs/tuned", "threshold", threshold=0.4),
        "methods_text": lambda: cs.methods_text(run),
        "export": lambda: cs.export(run, to="zip", out="python.coverslip"),
        "preview": lambda: cs.preview(data, recipe, out="python_preview.png", n=2),
        "collect_objects": lambda: cs.collect_objects(
            images / "fields", masks=[images / "masks"], out="python_objects.csv"
        ),
        "write_report": lambda: cs.write_report(run),
    }
    print(json.dumps({"calls": {name: result_of(call) for name, call in calls.items()}}))


def result_of(call: Callable[[], Any]) -> Any:
    """Return what a call returns as JSON, or its error, which is an answer too."""
    try:
        return as_json(call())
    except Exception as error:  # noqa: BLE001  # every error is recorded
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
