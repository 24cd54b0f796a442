"""Training, evaluation and prediction on real datasets with the command line, as a Markdown table.

Each row is one `coverslip train` with an empty cache, start-up included, after `inspect` and followed by `evaluate` and
by `predict` on the dataset's own files (one row per file is required). Images: COVERSLIP_DATA, default ../shared/data.

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
from _records import Record

RECORD = Record(
    "Training and prediction on real datasets",
    [f"src/coverslip/{name}" for name in ("training", "experiments", "evaluation")],
)
CLAIM = "Macro-F1 on test images (instant classifiers, except `defaults`)"
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
INSTANT = ("--set", "stage=instant", "--set", "split.folds=0")


@dataclass(frozen=True)
class Row:
    """A dataset and the options of a training on it."""

    source: str
    options: tuple[str, ...] = INSTANT


ROWS = {
    "blood_pbc, instant": Row("blood_pbc"),
    "blood_pbc, defaults": Row("blood_pbc", ()),
    "chromosomes_gband, by case": Row("chromosomes_gband/images.csv", ("--group", "case", *INSTANT)),
    "chromosomes_gband, 5 folds by case": Row(
        "chromosomes_gband/images.csv", ("--group", "case", *INSTANT, "--set", "split.folds=5")
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
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(
        "| dataset | seed | test images (groups) | accuracy | macro-F1 (95% CI) | s | processor s | peak memory (MiB) |"
    )
    print("|---|---|---|---|---|---|---|---|")
    peaks: list[tuple[float, str]] = []
    for name in options.rows:
        rows = [one_row(name, ROWS[name], seed, options.set) for seed in range(options.seeds)]
        accuracies = [accuracy for accuracy, _ in rows]
        peaks += ((peak, name) for _, peak in rows)
        if options.seeds > 1:
            print(
                f"| **{name}** | mean of {options.seeds} | | **{statistics.mean(accuracies):.4f}** | | | | |",
                flush=True,
            )
    RECORD.add("Largest peak memory of a training", round(max(peaks)[0]), "MiB", note=max(peaks)[1])
    RECORD.write()


def one_row(name: str, row: Row, seed: int, settings: list[str]) -> tuple[float, float]:
    """Train, evaluate and predict; print the row, and return the test accuracy and the peak memory of training."""
    source = str(DATA / row.source)
    more = [part for setting in [f"seed={seed}", *settings] for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        cache, run, predictions = (Path(folder) / name for name in ("cache", "run", "predictions.csv"))
        succeeded("inspect", source, cache=Path(folder) / "cache of inspect")
        done = succeeded("train", source, *row.options, *more, "--out", str(run), cache=cache)
        metrics = json.loads((run / "metrics.json").read_text())
        succeeded("evaluate", str(run), cache=cache)
        assert json.loads((run / "metrics.json").read_text()) == metrics, "evaluate and train give different metrics"
        succeeded("predict", str(run), source, "--out", str(predictions), cache=cache)
        with predictions.open(newline="", encoding="utf-8") as file, (run / "split.csv").open(newline="") as split:
            n_rows, n_images = len(list(csv.DictReader(file))), len(list(csv.DictReader(split)))
        assert n_rows == n_images, f"{n_rows} predictions for {n_images} images"
    f1, n_groups = metrics["metrics"]["macro_f1"], metrics["n_groups"]
    ends = None if f1["low"] is None else (round(f1["low"], 3), round(f1["high"], 3))
    n = f"{metrics['n']:,} images" + (f" of {n_groups} groups" if n_groups else "")
    RECORD.add(CLAIM, round(f1["value"], 4), of=f"{name}{f', seed {seed}' if seed else ''}", n=n, interval=ends)
    cost = f"{done.wall_s:.0f} | {done.processor_s:.0f} | {done.peak_mib:.0f}"
    print(f"| {name} | {seed} | {number_cells(metrics)} | {cost} |", flush=True)
    return float(metrics["metrics"]["accuracy"]["value"]), done.peak_mib


if __name__ == "__main__":
    main()
