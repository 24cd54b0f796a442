"""How long fine-tuning takes to be as good as that of another state of the code becomes: seconds and their ratio.

    git worktree add ../before COMMIT
    python benchmarks/time_to_accuracy.py --before ../before/src [--sets NAME…] [--seeds N] [--images N]

Both states train with all defaults but the image size, one after the other, on the same images and on the same split
(the script makes sure of that). Seconds count from the first image that is read to the end of the epoch whose
validation macro-F1 is, for the first time, no worse than the best that the other state reaches in all of its epochs;
the instant classifier is epoch 0. Run it on a computer that does nothing else.
"""

import argparse
import csv
import json
import os
import statistics
import tempfile
from pathlib import Path

from _children import succeeded
from finetuning import SETS, Images, write_part


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="src folder of the other state")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["blood_pbc", "nuclei_mitocheck"])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--images", type=int, default=1200)
    chosen = parser.parse_args()
    print("| set | seed | best macro-F1 before | after s | now as good after s | ratio | tested: before | now |")
    print("|---|---|---|---|---|---|---|---|")
    ratios = [
        ratio
        for name in chosen.sets
        for seed in range(chosen.seeds)
        if (ratio := one_row(name, SETS[name], seed, chosen.images, chosen.before.resolve())) is not None
    ]
    if ratios:
        print(f"median ratio of the {len(ratios)} that come to it: {statistics.median(ratios):.2f}")


def one_row(name: str, images: Images, seed: int, n: int, before: Path) -> float | None:
    """Train by both states; prints a row and gives the ratio of their seconds, None where it is never as good."""
    with tempfile.TemporaryDirectory() as folder:
        table = write_part(images, n, seed, Path(folder) / "images.csv")
        common = [str(table), *(("--group", images.group) if images.group else ())]
        for setting in (f"seed={seed}", f"image_size={images.side_px}", "split.folds=0"):
            common += ["--set", setting]
        runs = [trained(common, source, Path(folder) / run) for source, run in ((before, "before"), (None, "now"))]
        if split_of(runs[0]) != split_of(runs[1]):
            raise SystemExit(f"{name}: the two states divide these images differently")
        (target, slow), scores = max_of(epochs(runs[0])), epochs(runs[1])
        quick = next((seconds for score, seconds in scores if score >= target), None)
        ends = [json.loads((run / "metrics.json").read_text())["metrics"]["macro_f1"]["value"] for run in runs]
        ratio = None if quick is None else quick / slow
        found = "never | – " if quick is None or ratio is None else f"{quick:.0f} | {ratio:.2f}"
        tested = " | ".join(f"{end:.3f}" for end in ends)
        print(f"| {name} | {seed} | {target:.3f} | {slow:.0f} | {found} | {tested} |", flush=True)
        return ratio


def trained(common: list[str], source: Path | None, run: Path) -> Path:
    """One training with an empty cache, by the code in `source` or by this."""
    own = os.environ.get("PYTHONPATH")
    if source is not None:
        os.environ["PYTHONPATH"] = str(source)
    try:
        succeeded("train", *common, "--out", str(run), cache=run.with_name(f"{run.name}-cache"))
    finally:
        if own is None:
            os.environ.pop("PYTHONPATH", None)
        else:
            os.environ["PYTHONPATH"] = own
    return run


def split_of(run: Path) -> list[tuple[str, str]]:
    """Image and part of each."""
    with (run / "split.csv").open(newline="", encoding="utf-8") as file:
        return sorted((Path(row["path"]).name, row["split"]) for row in csv.DictReader(file))


def epochs(run: Path) -> list[tuple[float, float]]:
    """Validation macro-F1 and seconds since the first image, of epoch 0 and each later one."""
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines()]
    events = [line for line in lines if "event" in line]
    began = events[0]["time"]
    return [(line["val_f1"], line["time"] - began) for line in events if line["event"] == "EpochEnded"]


def max_of(scores: list[tuple[float, float]]) -> tuple[float, float]:
    """The best score, and when it was first there."""
    best = max(score for score, _ in scores)
    return best, next(seconds for score, seconds in scores if score == best)


if __name__ == "__main__":
    main()
