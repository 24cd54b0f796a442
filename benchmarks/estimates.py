"""The times that trainings show: before they begin, and at a quarter of the time, in several kinds of trainings.

Kinds: the three presets, instant classifiers in three folds, fine-tuning in three folds, early stopping from random
weights. Each kind is trained on several datasets with empty caches. The remaining time is the one that was shown at 25%
of the time from the first event to the last. Images: COVERSLIP_DATA, default ../shared/data.

    python benchmarks/estimates.py [--kinds KIND…] [--sets NAME…] [--record]
"""

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from _children import succeeded
from _records import Record
from finetuning import Images, write_part

from coverslip.events import WorkPlanned, from_json
from coverslip.experiments.presets import PRESETS
from coverslip.runs.log import LogReader
from coverslip.runs.progress import LoggedProgress, fold_event, seconds_left

RECORD = Record(
    "Remaining time",
    [
        "src/coverslip/experiments/estimating.py",
        "src/coverslip/runs/progress.py",
        "src/coverslip/runs/timing.py",
    ],
)
SETS = {
    "blood_pbc": (Images("blood_pbc", None, 64), 120),
    "nuclei_mitocheck": (Images("nuclei_mitocheck/images.csv", "movie", 48), 160),
    "pap_herlev": (Images("pap_herlev/images.csv", "image", 64), 120),
    "micronuclei": (Images("micronuclei/images.csv", "image", 48), 240),
}
KINDS = {
    "first-look": ("split.folds=0",),
    "good": ("split.folds=0",),
    "best": ("epochs=6", "split.folds=0"),
    "instant in folds": ("stage=instant", "split.folds=3"),
    "fine-tuning in folds": ("epochs=3", "split.folds=3"),
    "early stopping": ("init=scratch", "epochs=40", "patience=5", "split.folds=0"),
}
_AT = 0.25  # of the time
_FACTOR = 1.5


@dataclass(frozen=True)
class Row:
    """A training, and what was shown of its remaining time."""

    seconds: float
    expected: float | None  # ratio of the time that was shown before the start to the true one
    ratio: float | None  # of the shown time to the true one, at a quarter of the time; None if none was shown
    largest_share: float  # that was shown before the end


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS)
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    RECORD.add_option(parser)
    options = parser.parse_args()
    print(
        "| training | dataset | s | shown / true before | at 25% | largest share before the end | load |\n"
        "|---|---|---|---|---|---|---|",
        flush=True,
    )
    rows = list(rows_of(options.kinds, options.sets))
    before, remaining = [row.expected for row in rows], [row.ratio for row in rows]
    for claim, target, ratios in (
        ("Trainings whose time, shown before they begin, is within a factor of 1.5", 80, before),
        ("Trainings whose remaining time, shown at a quarter of it, is within this factor", 90, remaining),
    ):
        shown = [ratio for ratio in ratios if ratio is not None]
        near = sum(1 / _FACTOR <= ratio <= _FACTOR for ratio in shown)
        note = f"target: {target}%; ratios {min(shown):.2f} to {max(shown):.2f}"
        RECORD.add(claim, near, n=f"{len(rows)} trainings", note=note)
    RECORD.write()


def rows_of(kinds: list[str], sets: list[str]) -> Iterator[Row]:
    """Train each kind on each dataset and print the rows."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for name in sets:
            for kind in kinds:
                images, n = SETS[name]
                table, run = write_part(images, n, 0, folder / "images.csv"), folder / f"{kind} {name}"
                settings = KINDS[kind]
                group = ["--group", images.group] if images.group else []
                more = [part for setting in settings for part in ("--set", setting)]
                more += ["--preset", kind] if kind in PRESETS else []
                succeeded("train", str(table), *group, *more, "--out", str(run), cache=folder / f"cache {run.name}")
                row = row_of(run)
                expected, ratio = ("none" if each is None else f"{each:.2f}" for each in (row.expected, row.ratio))
                cells = [kind, name, f"{row.seconds:.0f}", expected, ratio, f"{row.largest_share:.2f}"]
                print("|", " | ".join([*cells, f"{os.getloadavg()[0]:.1f}"]), "|", flush=True)
                yield row


def row_of(run: Path) -> Row:
    """Replay the events of a run as a terminal shows them."""
    lines = LogReader(run / "events.jsonl").new_lines()
    began, end = lines[0].time, lines[-1].time
    at = began + _AT * (end - began)
    progress, shown, largest, expected = LoggedProgress(), None, 0.0, None
    for line in lines:
        event = from_json({**line.values, "event": line.event})
        if isinstance(event, WorkPlanned) and event.seconds is not None:
            expected = event.seconds / (end - began)
        if line.time <= at and event is not None:
            shown = seconds_left(progress := fold_event(progress, event, line.time), at)
        elif event is not None:
            largest, progress = max(largest, progress.share), fold_event(progress, event, line.time)
    return Row(end - began, expected, None if shown is None else shown / (end - at), largest)


if __name__ == "__main__":
    main()
