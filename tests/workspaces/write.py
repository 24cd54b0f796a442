"""Write a small workspace, run and study as this version of coverslip writes them, which later versions must open.

Run `python tests/workspaces/write.py` after a change of the tables of the workspace, before the version of coverslip
that has it is released. Without a change of the tables, it writes the results only:

- `version_7.sql`: the workspace of `version_6.sql`, brought to this version of the tables, as statements.
- `results/`: a run with an evaluation, new images with the predictions of its classifier, and a study without weights.
"""

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).resolve().parent
FIRST = 6  # the first version of the tables that is kept
ROOT = "/images"  # in place of the folder that the images were in
LEFT_OUT = ("figures", "report.html", "model_card.md", "work.lock", "engines", "*.log")  # made from the rest, or logs


def write_workspace() -> Path:
    """Write the statements of the workspace of this version of the tables."""
    from coverslip.workspace.store.database import VERSION, open_database

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "workspace.sqlite")
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript((HERE / f"version_{FIRST}.sql").read_text(encoding="utf-8"))
        open_database(file).dispose()
        with closing(sqlite3.connect(file)) as connection:
            statements = [f"PRAGMA user_version = {VERSION};", *connection.iterdump()]
    target = HERE / f"version_{VERSION}.sql"
    target.write_text("\n".join(statements) + "\n", encoding="utf-8")
    return target


def write_results() -> Path:
    """Write a run, an evaluation, predictions and a study."""
    target = HERE / "results"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COVERSLIP_CACHE"] = str(Path(folder, "cache"))
        _write(Path(folder), target)
    return target


def _write(folder: Path, target: Path) -> None:
    from drawing import write_cells
    from trained import GROUPS, INSTANT, SMALL_NETWORK, import_small_network

    import coverslip as cs
    from coverslip import studies

    import_small_network(folder)
    cells = write_cells(folder / "cells", 54, side=24)
    run = cs.train(cs.open_dataset(cells, group_pattern=GROUPS), INSTANT, out=folder / "run")
    other = write_cells(folder / "other", 18, side=24, seed=1)
    cs.evaluate(run, cs.open_dataset(other, group_pattern=GROUPS), name="other")
    new = write_cells(folder / "new", 6, side=24, seed=2, is_sorted=False)
    shutil.copytree(new, target / "new")
    cs.predict(run, [str(target / "new")], out=folder / "predictions.csv")
    (folder / "plan.yaml").write_text(
        json.dumps(
            {
                "datasets": [{"path": "cells", "group_pattern": GROUPS}],
                "models": [SMALL_NETWORK],
                "regimes": ["imagenet", {"name": "tuned", "recipe": {"stage": "finetune"}}],
                "folds": 2,
                "recipe": {"image_size": 24, "tta": 1, "stage": "instant", "epochs": 1},
            }
        )
    )
    studies.run_study(folder / "plan.yaml", out=folder / "study")
    for name in ("run", "study"):
        shutil.copytree(folder / name, target / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    shutil.copy(folder / "predictions.csv", target)
    for weights in (target / "study").rglob("*.safetensors"):
        weights.unlink()
    for file in (each for each in target.rglob("*") if each.suffix in (".csv", ".json", ".jsonl", ".yaml")):
        _rewrite(file, {str(folder): ROOT, str(target): ROOT})


def _rewrite(file: Path, names: Mapping[str, str]) -> None:
    content = file.read_text(encoding="utf-8")
    for name, replacement in names.items():
        content = content.replace(name, replacement)
    file.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    print(write_workspace(), write_results(), sep="\n")  # noqa: T201  command-line output
