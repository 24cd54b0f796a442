"""Classifiers on images of another laboratory: macro-F1 in both laboratories by training setting, as a Markdown table.

Each row is one pair of datasets, reduced to the common classes and to a number of images, with one seed and one
training setting. Both values are of the same classifier: on its own test images, and on images of the other dataset. A
few images per class of the other dataset (and all other images of their groups) are excluded from the test set; one
setting uses them for training. Images: COVERSLIP_DATA, default ../shared/data.

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
from _records import Record
from finetuning import rows_of, write_rows

RECORD = Record(
    "Another laboratory",
    [f"src/coverslip/{name}" for name in ("training", "augmentation", "images/preprocessing.py")],
)
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))

# Dataset for training, other dataset, group column of the first, and image size.
PAIRS = {
    "pbc-bccd": ("blood_pbc", "blood_bccd", None, 96),
    "bccd-pbc": ("blood_bccd", "blood_pbc", None, 96),
    "qband-gband": ("chromosomes_qband/images.csv", "chromosomes_gband/images.csv", "cell", 96),
    "gband-qband": ("chromosomes_gband/images.csv", "chromosomes_qband/images.csv", "cell", 96),
}
CLAIM = "Macro-F1 in the second laboratory after training in the first (in parentheses: in the first), mean over seeds"
RECORDED = ("instant", "fine-tuned", "fine-tuned, large stain augmentation")
_FEW = 10  # images of each class from the other laboratory
WITH_A_FEW = f"instant, with {_FEW} images per class of the other laboratory"
WAYS = {
    "instant": ("stage=instant",),
    "instant, each image scaled by its own intensity range": ("stage=instant", "scaling=per-image"),
    WITH_A_FEW: ("stage=instant",),
    "fine-tuned": (),
    "fine-tuned, each image scaled by its own intensity range": ("scaling=per-image",),
    "fine-tuned, small stain augmentation": ("augment.brightness=0.05", "augment.saturation=0.1", "augment.stain=0.05"),
    "fine-tuned, large stain augmentation": ("augment=stain",),
    "fine-tuned, large stain and size augmentation": ("augment=stain", "augment.zoom=0.4"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", nargs="*", default=list(PAIRS), help=f"some of: {', '.join(PAIRS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--instant", action="store_true", help="without fine-tuning, which takes most of the time")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(
        "| pair | seed | training | macro-F1: same laboratory | other laboratory |\n|---|---|---|---|---|", flush=True
    )
    gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for pair in options.pairs:
        of_pair: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for seed in range(options.seeds):
            scores = one_pair(pair, seed, options.images, only_instant=options.instant)
            for way, (home, away) in scores.items():
                plain = scores["instant" if way.startswith("instant") else "fine-tuned"]
                gains[way].append((home - plain[0], away - plain[1]))
                of_pair[way].append((home, away))
        for way, scores_of_seeds in ((way, of_pair[way]) for way in RECORDED if way in of_pair):
            home, away = (statistics.mean(scores[k] for scores in scores_of_seeds) for k in (0, 1))
            n = f"{len(scores_of_seeds)} seeds"
            RECORD.add(CLAIM, round(away, 3), of=f"{pair}, {way}", n=n, note=f"{home:.3f}")
    for way, pairs in gains.items():
        home, away = (statistics.mean(pair[k] for pair in pairs) for k in (0, 1))
        print(f"| **mean gain of {len(pairs)}** | | {way} | {home:+.3f} | {away:+.3f} |")
    RECORD.write()


def one_pair(pair: str, seed: int, n: int, *, only_instant: bool) -> dict[str, tuple[float, float]]:
    """Train with each setting and print a row; return the macro-F1 in both laboratories."""
    home, away, group, side_px = PAIRS[pair]
    tables = [labeled_alike(rows_of(DATA / source)) for source in (home, away)]
    common = set.intersection(*({row["label"] for row in rows} for rows in tables))
    here, there = ([row for row in rows if row["label"] in common] for rows in tables)
    few, rest = few_and_rest(there, group, seed)
    scores = {}
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
            settings_of_run = [f"seed={seed}", f"image_size={side_px}", "split.folds=0", *settings]
            options = [part for setting in settings_of_run for part in ("--set", setting)]
            grouped = ["--group", group] if group else []
            sources = [files["home"], files["few"]] if way == WITH_A_FEW else [files["home"]]
            succeeded("train", *map(str, sources), *grouped, *options, "--out", str(run), cache=cache)
            done = succeeded("evaluate", str(run), str(files["away"]), "--json", cache=cache)
            metrics = json.loads((run / "metrics.json").read_text())
            home_metrics = metrics["by_domain"]["home"] if len(sources) > 1 else metrics
            scores[way] = (macro_f1(home_metrics), macro_f1(json.loads(done.stdout)))
            print(f"| {pair} | {seed} | {way} | {scores[way][0]:.3f} | {scores[way][1]:.3f} |", flush=True)
    return scores


def few_and_rest(
    rows: list[dict[str, str]], group: str | None, seed: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Return a few images of each class, and all images that share no group with them."""
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
    """Return class names that agree between both datasets: lower case, numbers without leading zeros."""
    return [{**row, "label": row["label"].lower().lstrip("0")} for row in rows]


def write_part(rows: list[dict[str, str]], n: int, seed: int, table: Path, group: str | None) -> Path:
    """Write a table of a sample of the images with the class proportions of the dataset."""
    by_label: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_label[row["label"]].append(row)
    draw = random.Random(seed)
    most = n // len(by_label)
    selected_rows = [
        row for label in sorted(by_label) for row in draw.sample(by_label[label], min(len(by_label[label]), most))
    ]
    return write_rows(selected_rows, group, table)


def macro_f1(metrics: dict[str, Any]) -> float:
    return float(metrics["metrics"]["macro_f1"]["value"])


if __name__ == "__main__":
    main()
