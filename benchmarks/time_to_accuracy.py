"""Time of fine-tuning to reach the accuracy of another version of the code: seconds and their ratio.

    git worktree add ../before COMMIT
    python benchmarks/time_to_accuracy.py --before ../before/src [--sets NAME…] [--seeds N] [--images N]

Both versions train in sequence with default settings except the image size, on the same images and split (the script
checks this). Times are from the first image to the end of the first epoch whose validation macro-F1 is at least the
best one of the other version; the instant classifier is epoch 0. Use a computer without other work.
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
from pathlib import Path

from _children import succeeded
from _records import Record
from finetuning import SETS, Images, write_part

RECORD = Record("Time to equal accuracy", ["src/coverslip/training"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="src folder of the other version")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["blood_pbc", "nuclei_mitocheck"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=1200)
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(
        "| dataset | seed | best macro-F1 before | after (s) | now as good after (s) | ratio "
        "| test macro-F1: before | now |"
    )
    print("|---|---|---|---|---|---|---|---|")
    ratios = [
        ratio
        for name in options.sets
        for seed in range(options.seeds)
        if (ratio := one_row(name, SETS[name], seed, options.images, options.before.resolve())) is not None
    ]
    if ratios:
        print(f"median ratio of the {len(ratios)} trainings that reach it: {statistics.median(ratios):.2f}")
        n = f"{len(ratios)} of {len(options.sets) * options.seeds} trainings that reach it"
        claim = (
            "Median time of fine-tuning to the best validation macro-F1 of the version in `--before`, relative to it"
        )
        RECORD.add(claim, round(statistics.median(ratios), 2), n=n, note="target: 0.75")
    RECORD.write()


def one_row(name: str, images: Images, seed: int, n: int, before: Path) -> float | None:
    """Train with both versions and print a row; return the ratio of times, None if the accuracy is not reached."""
    with tempfile.TemporaryDirectory() as folder:
        table = write_part(images, n, seed, Path(folder) / "images.csv")
        common = [str(table), *(("--group", images.group) if images.group else ())]
        for setting in (f"seed={seed}", f"image_size={images.side_px}", "split.folds=0"):
            common += ["--set", setting]
        runs = [trained(common, source, Path(folder) / run) for source, run in ((before, "before"), (None, "now"))]
        if split_of(runs[0]) != split_of(runs[1]):
            raise SystemExit(f"{name}: the two versions split these images differently")
        (target, slow), scores = max_of(epochs(runs[0])), epochs(runs[1])
        quick = next((seconds for score, seconds in scores if score >= target), None)
        ends = [json.loads((run / "metrics.json").read_text())["metrics"]["macro_f1"]["value"] for run in runs]
        ratio = None if quick is None else quick / slow
        reached = "never | – " if quick is None or ratio is None else f"{quick:.0f} | {ratio:.2f}"
        tested = " | ".join(f"{end:.3f}" for end in ends)
        print(f"| {name} | {seed} | {target:.3f} | {slow:.0f} | {reached} | {tested} |", flush=True)
        return ratio


def trained(common: list[str], source: Path | None, run: Path) -> Path:
    """Train with an empty cache, with the code in `source` or with this version."""
    python_path = os.environ.get("PYTHONPATH")
    if source is not None:
        os.environ["PYTHONPATH"] = str(source)
    try:
        succeeded("train", *common, "--out", str(run), cache=run.with_name(f"{run.name}-cache"))
    finally:
        if python_path is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = python_path
    return run


def split_of(run: Path) -> list[tuple[str, str]]:
    """Return the image and its set of the split for each row."""
    with (run / "split.csv").open(newline="", encoding="utf-8") as file:
        return sorted((Path(row["path"]).name, row["split"]) for row in csv.DictReader(file))


def epochs(run: Path) -> list[tuple[float, float]]:
    """Return validation macro-F1 and seconds since the first image, of epoch 0 and each later one."""
    events = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    began = events[0]["time"]
    return [(line["val_f1"], line["time"] - began) for line in events if line["event"] == "EpochEnded"]


def max_of(scores: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the best score and the time when it was first reached."""
    best = max(score for score, _ in scores)
    return best, next(seconds for score, seconds in scores if score == best)


if __name__ == "__main__":
    main()
