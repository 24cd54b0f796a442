"""The main job on real image sets through the command line: numbers, seconds, memory, as a Markdown table.

Every row is one `coverslip train` with an empty cache, start-up included, after `inspect` and followed by `evaluate`
and by `predict` on the set's own files (their rows must be as many). Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/real_sets.py [--rows NAME…] [--seeds N] [--set key=value…]
"""

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

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
    "blood_bccd_augmented, by source": Row("blood_bccd_augmented/images.csv", ("--group", "source_image", *INSTANT)),
    "weak_labels_cric": Row("weak_labels_cric"),
}


@dataclass(frozen=True)
class Cost:
    """What a command took."""

    wall_s: float
    processor_s: float
    peak_mib: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", nargs="*", default=list(ROWS), help=f"some of: {'; '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="further settings of training")
    parser.add_argument("--measure", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measured(asked.measure).__dict__))
        return
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
    source = DATA / row.source
    more = [part for setting in [f"seed={seed}", *settings] for part in ("--set", setting)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["COVERSLIP_CACHE"] = str(Path(folder) / "cache")
        run, predictions = Path(folder) / "run", Path(folder) / "predictions.csv"
        in_a_process_of_its_own(["inspect", str(source)])
        os.environ["COVERSLIP_CACHE"] = str(Path(folder) / "cache of train")
        cost = in_a_process_of_its_own(["train", str(source), *row.options, *more, "--out", str(run)])
        found = json.loads((run / "metrics.json").read_text())
        in_a_process_of_its_own(["evaluate", str(run)])
        assert json.loads((run / "metrics.json").read_text()) == found, "evaluate gave other numbers than train"
        in_a_process_of_its_own(["predict", str(run), str(source), "--out", str(predictions)])
        with predictions.open(newline="", encoding="utf-8") as file, (run / "split.csv").open(newline="") as split:
            n_rows, n_images = len(list(csv.DictReader(file))), len(list(csv.DictReader(split)))
        assert n_rows == n_images, f"{n_rows} predictions for {n_images} images"
    accuracy, f1 = found["metrics"]["accuracy"], found["metrics"]["macro_f1"]
    interval = f"{f1['low']:.3f}-{f1['high']:.3f}" if f1["low"] is not None else f1["reason"]
    groups = f" ({found['n_groups']})" if found["n_groups"] else ""
    print(
        f"| {name} | {seed} | {found['n']:,}{groups} | {accuracy['value']:.4f} | {f1['value']:.4f} ({interval}) "
        f"| {cost.wall_s:.0f} | {cost.processor_s:.0f} | {cost.peak_mib:.0f} |",
        flush=True,
    )
    return float(accuracy["value"])


def in_a_process_of_its_own(arguments: list[str]) -> Cost:
    """The cost of one command: of a parent that has had no other child."""
    command = [sys.executable, __file__, "--measure", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"coverslip {' '.join(arguments)} failed:\n{done.stderr}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def measured(arguments: list[str]) -> Cost:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", "coverslip", *arguments], stdout=subprocess.DEVNULL, check=False)
    wall = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.returncode)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
