"""Trainings within a time budget: whether each gives a classifier, how much of the budget it uses, and its macro-F1.

Each row is a dataset, a budget and a kind of training: with fine-tuning, with the instant classifier only, or with
fine-tuning in five folds. Each kind is compared with the instant classifier of the same images and split without a
budget. `--busy` keeps one core busy meanwhile. Times are of the whole command. `load` is the mean number of busy
processes in the last minute of the training. Notes are those on the budget. Images: COVERSLIP_DATA, default
../shared/data.

    python benchmarks/budgets.py [--sets NAME…] [--minutes M…] [--kinds KIND…] [--busy] [--record]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _children import coverslip, succeeded
from _records import Record
from finetuning import Images, write_part

from coverslip.runs.log import LogReader

RECORD = Record(
    "Time budgets",
    [
        "src/coverslip/experiments/budgeting.py",
        "src/coverslip/experiments/estimating.py",
        "src/coverslip/training/pacing.py",
    ],
)
SETS = {
    "blood_pbc, 152": (Images("blood_pbc", None, 0), 150),
    "nuclei_mitocheck, 602": (Images("nuclei_mitocheck/images.csv", "movie", 0), 600),
    "pap_herlev, 917": (Images("pap_herlev/images.csv", "image", 0), 917),
    "blood_pbc, 2000": (Images("blood_pbc", None, 0), 2000),
    "blood_malaria, 7334": (Images("blood_malaria/images.csv", "patient", 0), 7334),
}
KINDS = {
    "fine-tuning": ("split.folds=0",),
    "instant": ("split.folds=0", "stage=instant"),
    "folds": ("split.folds=5",),
}
_NOTES = {
    "budget-exceeded",
    "budget-not-needed",
    "fewer-epochs",
    "no-time-for-folds",
    "no-time-to-fine-tune",
    "out-of-time",
    "smaller-images",
}


@dataclass(frozen=True)
class Row:
    """A training within a budget."""

    share: float  # of the budget that the command took
    has_classifier: bool
    stage: str
    preset: str
    gain: float  # in macro-F1 over the instant classifier without a budget
    error: float  # standard error of the macro-F1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--minutes", nargs="+", type=float, default=[1, 2, 5])
    parser.add_argument("--kinds", nargs="+", default=["fine-tuning", "instant"], choices=KINDS)
    parser.add_argument("--busy", action="store_true")
    RECORD.add_option(parser)
    options = parser.parse_args()
    print("| dataset | training | min | share of the budget | classifier | preset | F1 − instant | SE | load | notes |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    rows = [row for name in options.sets for row in rows_of(name, options.minutes, options.kinds, is_busy=options.busy)]
    shares = [row.share for row in rows]
    RECORD.add(
        "Trainings without a classifier",
        sum(not row.has_classifier for row in rows),
        n=f"{len(rows)} trainings",
    )
    RECORD.add("Share of the budget used, median", round(statistics.median(shares), 2), note=f"most {max(shares):.2f}")
    worse = sum(row.gain < -row.error for row in rows)
    RECORD.add("Below the instant classifier by more than one SE", worse)
    RECORD.write("one core taken" if options.busy else "folds" if options.kinds == ["folds"] else "")


def rows_of(name: str, minutes: list[float], kinds: list[str], *, is_busy: bool) -> Iterator[Row]:
    """Train with each kind and budget and print the rows."""
    images, n = SETS[name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        common = [str(write_part(images, n, 0, folder / "images.csv"))]
        common += ["--group", images.group] if images.group else []
        for kind in kinds:
            instant = folder / f"instant {KINDS[kind][0]}"
            if not instant.exists():
                settings = [KINDS[kind][0], "stage=instant"]
                succeeded("train", *common, *_set(settings), "--out", str(instant), cache=folder / "cache")
            for budget in minutes:
                run = folder / f"{kind} {budget}"
                arguments = ["train", *common, *_set(KINDS[kind]), "--budget", f"{budget:g}m", "--out", str(run)]
                with busy_core(is_busy=is_busy):
                    done = coverslip(*arguments, cache=folder / f"cache of {run.name}")
                row = row_of(run, instant, done.wall_s / (60 * budget))
                words = f"{row.stage if row.has_classifier else 'NONE'} | {row.preset}"
                cells = [name, kind, f"{budget:g}", f"{row.share:.2f}", words, f"{row.gain:+.3f}", f"{row.error:.3f}"]
                print("|", " | ".join([*cells, f"{os.getloadavg()[0]:.1f}", notes_of(run)]), "|", flush=True)
                yield row


def _set(settings: tuple[str, ...] | list[str]) -> list[str]:
    return [part for setting in settings for part in ("--set", setting)]


def row_of(run: Path, instant: Path, share: float) -> Row:
    if not (run / "metrics.json").is_file() or not (run / "classifier").is_dir():
        return Row(share, False, "", "", -1.0, 0.0)
    f1, baseline = macro_f1(run), macro_f1(instant)
    record, training = (json.loads((run / name).read_text()) for name in ("budget.json", "training.json"))
    error = (f1["high"] - f1["low"]) / 3.92 if f1["low"] is not None else 0.0
    return Row(share, True, training["chosen"], record["preset"], f1["value"] - baseline["value"], error)


def notes_of(run: Path) -> str:
    """Return the codes of the notes on the budget."""
    codes = [line.values.get("code") for line in LogReader(run / "events.jsonl").new_lines()]
    return ", ".join(str(code) for code in dict.fromkeys(codes) if code in _NOTES)


def macro_f1(run: Path) -> dict[str, Any]:
    metric: dict[str, Any] = json.loads((run / "metrics.json").read_text())["metrics"]["macro_f1"]
    return metric


@contextmanager
def busy_core(*, is_busy: bool) -> Iterator[None]:
    """Keep one core busy in the context."""
    if not is_busy:
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as child:
        try:
            yield
        finally:
            child.kill()


if __name__ == "__main__":
    main()
