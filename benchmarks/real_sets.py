"""The main job on real image sets through the command line: numbers, seconds, memory, as a Markdown table.

Every row is one `coverslip train` with an empty cache, start-up included, after `inspect` and followed by `evaluate`
and by `predict` on the set's own files (their rows must be as many). Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/real_sets.py [--rows NAME…] [--seeds N] [--set key=value…]
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _children import number_cells, succeeded

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
INSTANT = ("--set", "stage=instant")


@dataclass(frozen=True)
class Row:
    """One way to train on one set."""

    source: str
    options: tuple[str, ...] = INSTANT


ROWS = {
    "blood_pbc, instant": Row("blood_pbc"),
    "blood_pbc, defaults": Row("blood_pbc", ()),
    "chromosomes_gband, by case": Row("chromosomes_gband/images.csv", ("--group", "case", *INSTANT)),
    "chromosomes_gband, 5 folds by case": Row(
        "chromosomes_gband/images.csv", ("--group", "case", "--set", "split.folds=5", *INSTANT)
    ),
    "nuclei_mitocheck, by movie": Row("nuclei_mitocheck/images.csv", ("--group", "movie", *INSTANT)),
    "nuclei_mitocheck, by image": Row("nuclei_mitocheck/images.csv"),
    "cellcycle_jurkat_16bit": Row("cellcycle_jurkat_16bit"),
    "micronuclei, by image": Row("micronuclei/images.csv", ("--group", "image", *INSTANT)),
    "micronuclei, by experiment": Row("micronuclei/images.csv", ("--group", "experiment", *INSTANT)),
    "pap_herlev, by image": Row("pap_herlev/images.csv", ("--group", "image", *INSTANT)),
    "chromosomes_qband, by cell": Row("chromosomes_qband/images.csv", ("--group", "cell", *INSTANT)),
    "blood_malaria, by patient": Row("blood_malaria/images.csv", ("--group", "patient", *INSTANT)),
    "blood_bccd": Row("blood_bccd"),
    "weak_labels_cric": Row("weak_labels_cric"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help=f"some of: {'; '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings of training")
    asked = parser.parse_args()
    print("| set | seed | test images (groups) | accuracy | macro-F1 (95 %) | wall s | processor s | peak MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for name in asked.rows:
        accuracies = [one_row(name, ROWS[name], seed, asked.set) for seed in range(asked.seeds)]
        if asked.seeds > 1:
            print(
                f"| **{name}** | mean of {asked.seeds} | | **{statistics.mean(accuracies):.4f}** | | | | |", flush=True
            )


def one_row(name: str, row: Row, seed: int, settings: list[str]) -> float:
    """Train, evaluate, predict; prints the row and gives the test accuracy."""
    source = str(DATA / row.source)
    more = [part for setting in [f"seed={seed}", *settings] for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        cache, run, predictions = (Path(folder) / name for name in ("cache", "run", "predictions.csv"))
        succeeded("inspect", source, cache=Path(folder) / "cache of inspect")
        done = succeeded("train", source, *row.options, *more, "--out", str(run), cache=cache)
        found = json.loads((run / "metrics.json").read_text())
        succeeded("evaluate", str(run), cache=cache)
        assert json.loads((run / "metrics.json").read_text()) == found, "evaluate gave other numbers than train"
        succeeded("predict", str(run), source, "--out", str(predictions), cache=cache)
        with predictions.open(newline="", encoding="utf-8") as file, (run / "split.csv").open(newline="") as split:
            n_rows, n_images = len(list(csv.DictReader(file))), len(list(csv.DictReader(split)))
        assert n_rows == n_images, f"{n_rows} predictions for {n_images} images"
    cost = f"{done.wall_s:.0f} | {done.processor_s:.0f} | {done.peak_mib:.0f}"
    print(f"| {name} | {seed} | {number_cells(found)} | {cost} |", flush=True)
    return float(found["metrics"]["accuracy"]["value"])


if __name__ == "__main__":
    main()
