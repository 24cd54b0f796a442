"""The session of the commands, with `--json`, exit codes and files, and of Python, with calls of the public API."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from _answers import content_of
from _sessions import CLASSES, FINETUNED, GROUPS, HERE, QUICK, SAMPLES, Counts, Recording, Refused, Version

TYPES = {".csv": "text/csv", ".json": "application/json", ".html": "text/html", ".yaml": "text/yaml"}
TYPES |= {".png": "image/png", ".tif": "image/tiff", ".jsonl": "text/plain", ".geojson": "application/json"}
TYPES |= {".coverslip": "application/zip", ".zip": "application/zip", ".md": "text/markdown"}
RUN_FILES = ("split.csv", "predictions.csv", "metrics.json", "training.json", "data.json", "recipe.yaml")
NETWORK = "efficientnet_lite1"  # whose weights are installed, and imported as if they were other ones


class Commands:
    """The commands of a version. Every command is a step: its exit code, output, files and counters are recorded."""

    def __init__(self, version: Version, record: Recording) -> None:
        self.version, self.record, self.counts = version, record, Counts(version.counts)

    def run(self, step: str, *arguments: object, files: Sequence[str | Path] = ()) -> Any:
        """Run `coverslip ARGUMENTS`, record it, and return its output as JSON, if it is."""
        return self.program(step, "-m", "coverslip", *arguments, files=files)

    def program(self, step: str, *arguments: object, files: Sequence[str | Path] = ()) -> Any:
        """Run `python ARGUMENTS`, record it, and return its output as JSON, if it is.

        Args:
            step: the name of the step.
            arguments: of Python.
            files: patterns of files that it writes, relative to the folder of the version.
        """
        out, err = self.version.work / "stdout.txt", self.version.work / "stderr.txt"
        position = self.counts.position()
        process = self.version.start(*map(str, arguments), out=out, err=err)
        code = process.wait()
        self.record.count(step, self.counts.settled(position), self.counts.sampled)
        printed = out.read_bytes()
        is_json = printed.lstrip()[:1] in (b"{", b"[")
        output = json.loads(printed) if is_json else {"lines": printed.decode().splitlines()}
        answer: dict[str, Any] = {"exit code": code, "output": output}
        if code:
            answer["errors"] = err.read_text(encoding="utf-8", errors="replace").splitlines()
        for pattern in files:
            paths = sorted(self.version.work.glob(str(pattern)))
            answer[f"file {pattern}"] = None if not paths else self._contents(paths, pattern)
        self.record.add(step, answer)
        return output

    def _contents(self, paths: Sequence[Path], pattern: str | Path) -> Any:
        contents = {}
        for path in paths:
            kind = TYPES.get(path.suffix, "application/octet-stream")
            contents[path.relative_to(self.version.work).as_posix()] = content_of(
                path.read_bytes(), kind, self.record.names
            )
        return next(iter(contents.values())) if str(pattern) in contents else contents


def settings(recipe: Mapping[str, object]) -> list[str]:
    """Return the options of a command for a recipe."""
    texts = {key: "null" if value is None else str(value) for key, value in recipe.items()}
    return [part for key, value in texts.items() for part in ("--set", f"{key}={value}")]


def use_commands(commands: Commands, images: Path) -> None:
    """Run every command that has `--json`, and those that write files."""
    check_installation(commands, images)
    train(commands, images)
    predict(commands, images)
    audit(commands, images)
    collect_objects(commands, images)
    study(commands, images)
    cause_faults(commands, images)


def check_installation(commands: Commands, images: Path) -> None:
    run = commands.run
    run("version", "--version")
    run("doctor", "doctor", "--json")
    run("models", "models", "--available", "--json")
    run("a model", "models", "efficientnet_lite0", "--classes", 3, "--json")
    listed = run("weights", "weights", "--json")["weights"]
    file = next(weights["file"] for weights in listed if weights["model"] == NETWORK)
    run("weights import", "weights", "import", file, "--model", NETWORK, "--license", "none", "--json")
    run("weights after the import", "weights", "--json")
    run("inspect", "inspect", images / "cells", "--group-pattern", GROUPS, "--json")
    run("inspect flawed", "inspect", images / "flawed", "--json")
    run("inspect an image", "inspect", images / "fields" / "slide0_field.png", "--json")
    preview = ("--out", "preview.png", "--n", 3, "--set", "image_size=32")
    run("preview", "preview", images / "cells", *preview, files=["preview.png"])
    region = ("--out", "read.tif", "--region", "10,20,64,48")
    run("read", "read", images / "fields" / "slide0_field.png", *region, files=["read.tif"])


def train(commands: Commands, images: Path) -> None:
    cells = (images / "cells", "--group-pattern", GROUPS, "--json")
    for name, recipe in {
        "first": QUICK,
        "folds": QUICK | {"split.folds": 2},
        "tuned": FINETUNED | {"classes.drop": "[medium]"},
        "other": QUICK | {"model": NETWORK},
    }.items():
        files = [f"runs/{name}/{file}" for file in (*RUN_FILES, "history.csv", "validation.csv", "report.html")]
        commands.run(f"train {name}", "train", *cells, "--out", f"runs/{name}", *settings(recipe), files=files)
    table = (images / "table.csv", "--group", "patient", *settings(QUICK), "--json")
    commands.run("train a table", "train", *table, "--out", "runs/table", files=["runs/table/split.csv"])
    external = ("evaluate", "runs/first", images / "external", "--group-pattern", GROUPS, "--json")
    commands.run("evaluate", *external, files=["runs/first/evaluations/external/*.csv"])
    commands.run("evaluate the test set", "evaluate", "runs/first", "--json")
    commands.run("compare", "compare", "runs/first", "runs/other", "--json")
    commands.run("decide", "decide", "runs/tuned", "--json")
    commands.run("decide by ROC", "decide", "runs/tuned", "--roc", "--json", files=["runs/tuned/predictions.csv"])
    commands.run("report", "report", "runs/tuned", files=["runs/tuned/report.html"])
    options = ("--to", "zip", "--out", "first.coverslip", "--json")
    commands.run("export", "export", "runs/first", *options, files=["first.coverslip"])


def predict(commands: Commands, images: Path) -> None:
    work = commands.version.work
    new = ("predict", "runs/first", images / "new", "--out", "predictions.csv", "--json")
    commands.run("predict", *new, files=["predictions.csv"])
    options = ("--top-k", 2, "--format", "jsonl", "--out", "table.jsonl", "--json")
    commands.run("predict a table", "predict", "first.coverslip", images / "table.csv", *options, files=["table.jsonl"])
    rows = read_table(work / "predictions.csv")
    write_table(
        work / "samples.csv",
        [
            {"path": row["path"], "well": sample, "dose": sample.partition("/")[0]}
            for row in rows
            for sample in SAMPLES
            if f"/new/{sample}/" in row["path"]
        ],
    )
    sampled = ("--by", "well", "--condition", "dose", "--table", "samples.csv", "--run", "runs/first", "--json")
    tables = ("--out", "summary.csv", "--prism", "prism.csv", "--report", "summary.html")
    files = ["summary.csv", "prism.csv", "summary.html"]
    commands.run("summarise", "summarise", "predictions.csv", *sampled, *tables, files=files)
    check = ("spot-check", "predictions.csv", *sampled)
    commands.run("draw a spot check", *check, "-n", 8, "--out", "to_label.csv", files=["to_label.csv"])
    predicted = {row["image_id"]: row["predicted"] for row in rows}
    drawn = read_table(work / "to_label.csv")
    for k, row in enumerate(drawn):
        label = predicted[row["image_id"]]
        row["label"] = label if k % 4 else CLASSES[(CLASSES.index(label) + 1) % 3]
    write_table(work / "to_label.csv", drawn)
    commands.run("spot check", *check, "--labels", "to_label.csv")
    image = next(iter(sorted((images / "new").rglob("*.png"))))
    explained = ("--out", "explained", "--method", "grad-cam", "--nearest", 1, "--json")
    commands.run("explain", "explain", "runs/first", image, *explained, files=["explained/*.csv"])


def audit(commands: Commands, images: Path) -> None:
    run = commands.run
    options = ("--out", "label_errors.csv", "--json")
    run("label errors", "label-errors", "runs/first", *options, files=["label_errors.csv"])
    run("distance", "distance", images / "cells", images / "external", "--run", "runs/first", "--json")
    suggested = ("--run", "runs/first", "-n", 5, "--out", "suggested.csv", "--json")
    run("suggest", "suggest", images / "pictures", *suggested, files=["suggested.csv"])
    readings = [
        {"image_id": f"image {k}", "patient": k // 4, "author": author, "label": CLASSES[(k + (k % every == 0)) % 3]}
        for k in range(40)
        for author, every in (("Ada", 41), ("Eve", 5), ("Grace", 7))
    ]
    write_table(commands.version.work / "readings.csv", readings)
    run("agreement", "agreement", "readings.csv", "--group", "patient", "--json")


def collect_objects(commands: Commands, images: Path) -> None:
    run, fields = commands.run, images / "fields"
    masks = ("--masks", images / "masks", "--out", "objects.csv", "--json")
    run("objects of masks", "objects", fields, *masks, files=["objects.csv"])
    finder = ("--finder", "classical", "--finder-set", "diameter=40", "--out", "finder.csv", "--json")
    run("objects of a finder", "objects", fields, *finder, files=["finder.csv"])
    run("predict objects", "predict", "runs/first", "objects.csv", "--out", "of_objects.csv", "--json")
    objects = ("--objects", "objects.csv", "--to", "geojson", "--out", "geojson", "--json")
    run("export objects", "export-objects", "of_objects.csv", *objects, files=["geojson/*"])


def study(commands: Commands, images: Path) -> None:
    plan = {
        "datasets": [{"path": str(images / "cells"), "name": "cells", "group_pattern": GROUPS}],
        "models": ["efficientnet_lite0", NETWORK],
        "folds": 0,
        "recipe": {key: value for key, value in QUICK.items() if not key.startswith("split.")},
    }
    (commands.version.work / "study.yaml").write_text(json.dumps(plan), encoding="utf-8")
    run = ("study", "run", "study.yaml", "--out", "study")
    commands.run("study preset", "study", "preset")
    commands.run("study", *run, "--json", files=["study/*.csv", "study/comparison.json"])
    commands.run("study compare", "study", "compare", "study", "--json")
    commands.run("study resume", "study", "resume", "study", "--json")
    commands.run("cache", "cache", "--json")


def cause_faults(commands: Commands, images: Path) -> None:
    commands.run("fault: missing folder", "train", images / "missing", "--json")
    commands.run("fault: unknown key", "train", images / "cells", "--set", "epoch=3", "--json")
    commands.run("fault: missing run", "predict", "runs/missing", images / "new", "--json")
    commands.run("fault: other classes", "compare", "runs/first", "runs/tuned", "--json")


def use_python(commands: Commands, images: Path) -> None:
    """Call the public API on the runs of the commands."""
    calls = commands.program("Python", "-P", HERE / "_python_session.py", images)
    if "calls" not in calls:
        raise Refused(f"the Python session failed: {calls}")


def read_table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def write_table(file: Path, rows: Sequence[Mapping[str, object]]) -> None:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
