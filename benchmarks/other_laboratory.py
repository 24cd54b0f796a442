"""What helps a classifier on images of another laboratory: macro-F1 at home and there, as a Markdown table.

Every row is one pair of sets, cut to the classes in common and to a number of images, one seed, and one way to train;
both numbers are of the same classifier: on test images of home, and on images of the other set. Of these a few of each
class (and all others of their groups) are excluded from the test set: one way trains on them too. Images:
COVERSLIP_DATA, default ../shared/data.

    python benchmarks/other_laboratory.py [--pairs NAME…] [--seeds N] [--images N] [--instant]
"""

import argparse
import json
import os
import random
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

from _children import succeeded
from finetuning import rows_of, write_rows

DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))

# Home, away, the column that groups the images at home, and the side of images in training.
PAIRS = {
    "pbc-bccd": ("blood_pbc", "blood_bccd", None, 96),
    "bccd-pbc": ("blood_bccd", "blood_pbc", None, 96),
    "qband-gband": ("chromosomes_qband/images.csv", "chromosomes_gband/images.csv", "cell", 96),
    "gband-qband": ("chromosomes_gband/images.csv", "chromosomes_qband/images.csv", "cell", 96),
}
_FEW = 10  # images of each class from the other laboratory
WITH_A_FEW = f"instant, with {_FEW} images of each class from there"
WAYS = {
    "instant": ("stage=instant",),
    "instant, each image by its own range": ("stage=instant", "scaling=per-image"),
    WITH_A_FEW: ("stage=instant",),
    "fine-tuned": (),
    "fine-tuned, each image by its own range": ("scaling=per-image",),
    "fine-tuned, small changes of stain": ("augment.brightness=0.05", "augment.saturation=0.1", "augment.stain=0.05"),
    "fine-tuned, large changes of stain, color and light": ("augment=stain",),
    "fine-tuned, the same and of size": ("augment=stain", "augment.zoom=0.4"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="*", default=list(PAIRS), help=f"some of: {', '.join(PAIRS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--instant", action="store_true", help="without fine-tuning, which takes most of the time")
    asked = parser.parse_args()
    print("| pair | seed | training | macro-F1 at home | there |\n|---|---|---|---|---|", flush=True)
    gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair in asked.pairs:
        for seed in range(asked.seeds):
            found = one_pair(pair, seed, asked.images, only_instant=asked.instant)
            for way, (home, away) in found.items():
                plain = found["instant" if way.startswith("instant") else "fine-tuned"]
                gains[way].append((home - plain[0], away - plain[1]))
    for way, pairs in gains.items():
        home, away = (statistics.mean(pair[k] for pair in pairs) for k in (0, 1))
        print(f"| **mean gain of {len(pairs)}** | | {way} | {home:+.3f} | {away:+.3f} |")


def one_pair(pair: str, seed: int, n: int, *, only_instant: bool) -> dict[str, tuple[float, float]]:
    """Train each way; prints a row for each and gives macro-F1 at home and away."""
    home, away, group, side_px = PAIRS[pair]
    tables = [labeled_alike(rows_of(DATA / source)) for source in (home, away)]
    common = set.intersection(*({row["label"] for row in rows} for rows in tables))
    here, there = ([row for row in rows if row["label"] in common] for rows in tables)
    few, rest = set_aside(there, group, seed)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder) / name / "images.csv" for name in ("home", "away", "few")}
        for file in files.values():
            file.parent.mkdir()
        write_part(here, n, seed, files["home"], group)
        write_part(rest, n, seed, files["away"], group)
        write_rows(few, group, files["few"])
        for i, (way, settings) in enumerate(WAYS.items()):
            if only_instant and not way.startswith("instant"):
                continue
            run, cache = Path(folder) / str(i), Path(folder) / "cache"
            chosen = [f"seed={seed}", f"image_size={side_px}", "split.folds=0", *settings]
            options = [part for setting in chosen for part in ("--set", setting)]
            grouped = ["--group", group] if group else []
            sources = [files["home"], files["few"]] if way == WITH_A_FEW else [files["home"]]
            succeeded("train", *map(str, sources), *grouped, *options, "--out", str(run), cache=cache)
            done = succeeded("evaluate", str(run), str(files["away"]), "--json", cache=cache)
            metrics = json.loads((run / "metrics.json").read_text())
            home_metrics = metrics["by_domain"]["home"] if len(sources) > 1 else metrics
            found[way] = (macro_f1(home_metrics), macro_f1(json.loads(done.stdout)))
            print(f"| {pair} | {seed} | {way} | {found[way][0]:.3f} | {found[way][1]:.3f} |", flush=True)
    return found


def set_aside(
    rows: list[dict[str, str]], group: str | None, seed: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """A few images of each class, and those that share no group with them."""
    by_group: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_group[row[group] if group else row["path"]].append(row)
    n_of: dict[str, int] = defaultdict(int)
    few, rest = [], []
    for name in random.Random(seed).sample(sorted(by_group), len(by_group)):
        wanted = [row for row in by_group[name] if n_of[row["label"]] < _FEW]
        for row in wanted:
            n_of[row["label"]] += 1
        few += wanted
        rest += [] if wanted else by_group[name]
    return few, rest


def labeled_alike(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Class names as both sets of a pair would write them: in small letters, numbers without leading zeros."""
    return [{**row, "label": row["label"].lower().lstrip("0")} for row in rows]


def write_part(rows: list[dict[str, str]], n: int, seed: int, table: Path, group: str | None) -> Path:
    """A table of some of the images, as many of every class as there are."""
    by_label: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_label[row["label"]].append(row)
    draw = random.Random(seed)
    most = n // len(by_label)
    chosen = [
        row for label in sorted(by_label) for row in draw.sample(by_label[label], min(len(by_label[label]), most))
    ]
    return write_rows(chosen, group, table)


def macro_f1(metrics: dict[str, Any]) -> float:
    return float(metrics["metrics"]["macro_f1"]["value"])


if __name__ == "__main__":
    main()
