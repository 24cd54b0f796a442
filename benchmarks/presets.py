"""The presets by what they deliver: macro-F1 and accuracy on images of other groups, time, and the time shown before.

Half of the groups of each dataset are trained on with default settings in a single split, with an empty cache. The
delivered classifier predicts the images of the other half. A way such as 3m is a time budget. Use a computer without
other work. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/presets.py [--sets NAME…] [--ways first-look good best 3m…] [--seeds N] [--images N] [--record]
"""

import argparse
import csv
import os
import statistics
import tempfile
from collections import defaultdict
from pathlib import Path

from _children import succeeded
from _records import Record
from estimates import row_of
from finetuning import SETS, write_rows
from refit import FIVE_SETS, draw
from sklearn.metrics import f1_score

from coverslip.experiments.presets import PRESETS

RECORD = Record("Presets", ["src/coverslip/experiments", "src/coverslip/training"])
_FACTOR = 1.5  # of the time shown before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(FIVE_SETS), choices=SETS)
    parser.add_argument("--ways", nargs="+", default=list(PRESETS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--images", type=int, default=400, help="of which half are trained on")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| dataset | seed | training | macro-F1 | accuracy | other images | s | budget used | shown / true | load |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    scores: dict[str, list[float]] = defaultdict(list)
    shown: list[float] = []
    for name in options.sets:
        for seed in range(options.seeds):
            for way in options.ways:
                score, expected = one_row(name, seed, options.images, way)
                scores[way].append(score)
                shown += [] if expected is None else [expected]
    for way, values in scores.items():
        RECORD.add("Mean macro-F1 on images of other groups", round(statistics.mean(values), 3), of=way, n=len(values))
    near = sum(1 / _FACTOR <= ratio <= _FACTOR for ratio in shown)
    note = f"ratios {min(shown):.2f} to {max(shown):.2f}"
    RECORD.add("Times shown before that are within a factor of 1.5", near, n=f"{len(shown)} trainings", note=note)
    RECORD.write("" if set(options.ways) <= set(PRESETS) else "within a budget")


def one_row(name: str, seed: int, n: int, way: str) -> tuple[float, float | None]:
    """Train and print the row; return the macro-F1, and the time shown before as a ratio to the true one."""
    images, is_budget = SETS[name], way not in PRESETS
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        drawn = draw(images, n, seed, folder)
        run, predicted = folder / "run", folder / "predictions.csv"
        arguments = [str(drawn.table), "--set", f"seed={seed}", "--set", "split.folds=0", "--out", str(run)]
        arguments += ["--group", images.group] if images.group else []
        done = succeeded("train", *arguments, "--budget" if is_budget else "--preset", way, cache=folder / "cache")
        rows = [{"path": path, "label": label} for path, label in zip(drawn.paths, drawn.labels, strict=True)]
        others = write_rows(rows, None, folder / "others.csv")
        succeeded("predict", str(run), str(others), "--out", str(predicted), cache=folder / "cache")
        with predicted.open(newline="", encoding="utf-8") as file:
            answers = [row["predicted"] for row in csv.DictReader(file)]
        score = float(f1_score(drawn.labels, answers, average="macro"))
        right = statistics.mean(a == b for a, b in zip(drawn.labels, answers, strict=True))
        expected = row_of(run).expected
        used = f"{done.wall_s / 60 / float(way.rstrip('m')):.2f}" if is_budget else "–"
        ratio = "–" if expected is None else f"{expected:.2f}"
        cells = [name, str(seed), way, f"{score:.3f}", f"{right:.3f}", str(len(answers)), f"{done.wall_s:.0f}", used]
        print("|", " | ".join([*cells, ratio, f"{os.getloadavg()[0]:.1f}"]), "|", flush=True)
        return score, expected


if __name__ == "__main__":
    main()
