"""Gain of fine-tuning over the instant classifier: paired differences on test images, as a Markdown table.

Each row is one dataset, reduced to a number of images (class proportions kept, at least 12 images per class), and one
seed: one `coverslip train` with default settings except the image size, and one with `stage=instant` on the same split
and cache. `--trained-head` also trains without the refit of the last layer. The loss ratio is the validation loss after
the first epoch, divided by that before it. With `--sets`, the record has the figures of each dataset and a file of its
own. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/finetuning.py [--sets NAME…] [--seeds N] [--images N] [--trained-head]
"""

import argparse
import csv
import json
import os
import random
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _children import Done, succeeded
from _records import Record
from scipy.special import stdtrit

RECORD = Record("Fine-tuning", ["src/coverslip/training"])
DATA = Path(os.environ.get("COVERSLIP_DATA", "../shared/data"))
_FEWEST = 12  # images of a class
_TRAINED_HEAD = ("refit_head=false",)


@dataclass(frozen=True)
class Images:
    """A dataset, its group column, and the image size of trainings."""

    source: str
    group: str | None
    side_px: int


SETS = {
    "blood_malaria": Images("blood_malaria/images.csv", "patient", 64),
    "blood_pbc": Images("blood_pbc", None, 96),
    "cellcycle_jurkat": Images("cellcycle_jurkat_16bit", None, 64),
    "micronuclei": Images("micronuclei/images.csv", "image", 64),
    "pap_herlev": Images("pap_herlev/images.csv", "image", 112),
    "nuclei_mitocheck": Images("nuclei_mitocheck/images.csv", "movie", 64),
    "chromosomes_qband": Images("chromosomes_qband/images.csv", "cell", 96),
    "chromosomes_gband": Images("chromosomes_gband/images.csv", "cell", 96),
    "blood_bccd": Images("blood_bccd", None, 128),
    "weak_labels_cric": Images("weak_labels_cric", None, 96),
}


@dataclass(frozen=True)
class Measured:
    """Metrics on the test set of the instant classifier and after fine-tuning."""

    f1: tuple[float, float]
    loss: tuple[float, float]
    n: int  # test images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="*", default=list(SETS), help=f"some of: {', '.join(SETS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=600)
    parser.add_argument("--trained-head", action="store_true", help="also without refitting the last layer")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(
        "| dataset | seed | training | macro-F1: instant | fine-tuned | log loss: instant | fine-tuned "
        "| loss ratio | s |"
    )
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    gains: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name in options.sets:
        rows = [
            one_row(name, SETS[name], seed, options.images, with_trained_head=options.trained_head)
            for seed in range(options.seeds)
        ]
        for row in rows:
            for way, measured in row.items():
                gains[way].append((measured.f1[1] - measured.f1[0], measured.loss[1] - measured.loss[0]))
        if options.sets != list(SETS):
            record_set(name, [row["defaults"] for row in rows])
    if options.sets != list(SETS):
        RECORD.write("by dataset")
        return
    for way, pairs in gains.items():
        f1, loss = (spread([pair[which] for pair in pairs]) for which in (0, 1))
        print(f"| **mean of {len(pairs)}** | | {way} | | {f1} | | {loss} | | |")
        for which, claim in enumerate(("Mean gain in macro-F1 over the instant classifier", "Mean change in log loss")):
            values = [pair[which] for pair in pairs]
            error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            note = f"SE {error:.3f}, lowest {min(values):.3f}"
            RECORD.add(claim, round(statistics.mean(values), 3), of=way, n=f"{len(values)} trainings", note=note)
    RECORD.write()


def spread(gains: list[float]) -> str:
    """Return the mean of paired differences with its standard error."""
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else float("nan")
    return f"{statistics.mean(gains):+.4f} (standard error {error:.4f}, lowest {min(gains):+.3f})"


def record_set(name: str, rows: Sequence[Measured]) -> None:
    """Record the mean over seeds of each metric of a dataset, and the paired gain with an interval over seeds."""
    instant, tuned = (statistics.mean(row.f1[k] for row in rows) for k in (0, 1))
    seeds = f"{len(rows)} seeds" if len(rows) > 1 else rows[0].n
    RECORD.add("Macro-F1 after fine-tuning (instant)", round(tuned, 3), of=name, n=seeds, note=f"{instant:.3f}")
    if len(rows) == 1:
        return
    gains = [row.f1[1] - row.f1[0] for row in rows]
    reach = float(stdtrit(len(rows) - 1, 0.975)) * statistics.stdev(gains) / len(rows) ** 0.5
    gain = statistics.mean(gains)
    ends = (round(gain - reach, 3), round(gain + reach, 3))
    RECORD.add("Gain in macro-F1", round(gain, 3), of=name, interval=ends)


def one_row(name: str, images: Images, seed: int, n: int, *, with_trained_head: bool) -> dict[str, Measured]:
    """Train with each setting and print a row; return the metrics by setting."""
    ways = {"defaults": ()} | ({"trained head": _TRAINED_HEAD} if with_trained_head else {})
    with tempfile.TemporaryDirectory() as folder:
        table = write_part(images, n, seed, Path(folder) / "images.csv")
        common = [str(table), *(("--group", images.group) if images.group else ())]
        settings = [f"seed={seed}", f"image_size={images.side_px}", "split.folds=0"]
        instant, _ = trained(common, [*settings, "stage=instant"], Path(folder) / "instant", Path(folder) / "cache")
        measured = {}
        for way, more in ways.items():
            run, done = trained(common, [*settings, *more], Path(folder) / way, Path(folder) / "cache")
            f1, loss = ((numbers(instant, metric), numbers(run, metric)) for metric in ("macro_f1", "log_loss"))
            print(
                f"| {name} | {seed} | {way} | {f1[0]:.3f} | {f1[1]:.3f} | {loss[0]:.3f} | {loss[1]:.3f} | "
                f"{first_losses(run):.2f} | {done.processor_s:.0f} |",
                flush=True,
            )
            measured[way] = Measured(f1, loss, n_test_images(run))
    return measured


def write_part(images: Images, n: int, seed: int, table: Path) -> Path:
    """Write a table of a sample of the images for each seed."""
    rows = rows_of(DATA / images.source)
    by_label: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_label[row["label"]].append(row)
    draw = random.Random(seed)
    selected_rows = [
        row
        for label in sorted(by_label)
        for row in draw.sample(
            by_label[label], min(len(by_label[label]), max(_FEWEST, round(n * len(by_label[label]) / len(rows))))
        )
    ]
    return write_rows(selected_rows, images.group, table)


def write_rows(rows: list[dict[str, str]], group: str | None, table: Path) -> Path:
    """Write a table of images: path, label and group column."""
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["path", "label", *([group] if group else [])], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return table


def rows_of(source: Path) -> list[dict[str, str]]:
    """Return path, label and groups of every image of a folder of class folders or a table."""
    if source.is_dir():
        files = sorted(file for folder in source.iterdir() if folder.is_dir() for file in folder.iterdir())
        return [{"path": str(file.resolve()), "label": file.parent.name} for file in files]
    with source.open(newline="", encoding="utf-8") as file:
        return [{**row, "path": str((source.parent / row["path"]).resolve())} for row in csv.DictReader(file)]


def trained(common: list[str], settings: list[str], run: Path, cache: Path) -> tuple[Path, Done]:
    more = [part for setting in settings for part in ("--set", setting)]
    return run, succeeded("train", *common, *more, "--out", str(run), cache=cache)


def numbers(run: Path, metric: str) -> float:
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())["metrics"]
    return float(metrics[metric]["value"])


def n_test_images(run: Path) -> int:
    return int(json.loads((run / "metrics.json").read_text())["n"])


def first_losses(run: Path) -> float:
    """Return the validation loss after the first epoch, divided by that before it."""
    with (run / "history.csv").open(newline="") as file:
        losses = [float(row["val_loss"]) for row in csv.DictReader(file)]
    return losses[1] / losses[0]


if __name__ == "__main__":
    main()
