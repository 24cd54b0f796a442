"""coverslip: `coverslip train` with a preset and otherwise default settings, then `coverslip predict`."""

import csv
import os
import subprocess
import sys

import numpy as np
from _cell import read_cell


def main(preset: str) -> None:
    cell = read_cell()
    run, predictions = cell.folder / "run", cell.folder / "predictions.csv"
    os.environ["COVERSLIP_CACHE"] = str(cell.folder / "cache")
    command = [sys.executable, "-m", "coverslip"]
    settings = ["--set", f"seed={cell.seed}", "--set", "image_size=96", "--preset", preset, "--group", "group"]
    subprocess.run([*command, "train", str(cell.folder / "train.csv"), *settings, "--out", str(run)], check=True)
    test = str(cell.folder / "test.csv")
    subprocess.run([*command, "predict", str(run), test, "--out", str(predictions)], check=True)
    with predictions.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cell.write(np.array([[float(row[f"p:{name}"]) for name in cell.classes] for row in rows]))


if __name__ == "__main__":
    main(sys.argv.pop())
