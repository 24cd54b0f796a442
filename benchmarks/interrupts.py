"""One Ctrl-C at ten moments of a training: how it ends, what is kept, and whether it can be gone on with.

Draws samples, trains once without interruption, then once for each moment: SIGINT when the run has come so far, then
`coverslip train --resume` (a new start where there was no run yet). Printed for each moment: exit code, seconds until
it ended, lines of error, files left half-written, and what is other than in the run that nobody interrupted. Exit code
1 where one does not end with 130 and one line, leaves half a file, or cannot be gone on with.

    python benchmarks/interrupts.py [--only MOMENT…]
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kills import differences, events_of, read_json, resumed, start

SETTINGS = ("image_size=48", "tta=1", "epochs=2", "batch_size=16", "split.folds=0")
SECONDS_TO_WAIT = 600


@dataclass(frozen=True)
class Ended:
    """How an interrupted training ended."""

    code: int
    seconds: float  # from the signal
    errors: list[str]  # lines
    half_written: list[str]


def told(event: str, **values: object) -> Callable[[Path, float], bool]:
    """Whether a run has told an event with these values."""

    def is_so(run: Path, _: float) -> bool:
        return any(is_such(line, event, values) for line in events_of(run))

    return is_so


def is_such(line: dict[str, Any], event: str, values: dict[str, object]) -> bool:
    return line["event"] == event and all(line.get(name) == value for name, value in values.items())


MOMENTS: dict[str, Callable[[Path, float], bool]] = {
    "Python starts": lambda run, seconds: seconds > 0.3,
    "libraries are imported": lambda run, seconds: seconds > 1.0,
    "images are read": lambda run, seconds: (run / "recipe.yaml").exists(),
    "the run has begun": told("RunStarted"),
    "the network looks at images": told("StageStarted", stage="instant"),
    "the head is fitted": told("Progressed", stage="looking at images", done=64),
    "fine-tuning begins": told("StageStarted", stage="finetune"),
    "an epoch has ended": told("EpochEnded", epoch=1),
    "a checkpoint is written": lambda run, seconds: any((run / "checkpoints").glob(".*.part")),
    "test images are predicted": told("Progressed", stage="predicting"),
    "the report is written": lambda run, seconds: (run / "metrics.json").exists(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MOMENTS, default=list(MOMENTS), metavar="MOMENT")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        is_right = all_moments(Path(scratch), chosen.only)
    sys.exit(0 if is_right else 1)


def all_moments(scratch: Path, moments: list[str]) -> bool:
    """Print a row for each moment; whether all ended as they should."""
    from coverslip.samples import write_sample_images

    images = write_sample_images(scratch / "cells", n_images=80).folder
    choices = [part for setting in SETTINGS for part in ("--set", setting)]
    new = ["train", str(images), "--group-pattern", r"slide\d+", *choices, "--out"]
    whole, cache = scratch / "whole", scratch / "cache"
    if start([*new, str(whole)], cache).wait():
        raise SystemExit("a training that nobody interrupted failed")
    print("| when | exit code | s to end | lines of error | half-written | gone on with, then other |")
    print("|---|---|---|---|---|---|")
    is_right = True
    for n, name in enumerate(moments):
        run = scratch / f"run{n}"
        ended = interrupted([*new, str(run)], cache, run, MOMENTS[name])
        code = start(resumed(run) or [*new, str(run)], cache).wait() if ended.code else 0
        other = differences(run, whole) if code == 0 else [f"exit code {code}", str(read_json(run / "status.json"))]
        print(
            f"| {name} | {ended.code} | {ended.seconds:.1f} | {len(ended.errors)}: {' / '.join(ended.errors)[:100]} "
            f"| {', '.join(ended.half_written) or 'none'} | {', '.join(other) or 'nothing'} |",
            flush=True,
        )
        is_right &= (ended.code, len(ended.errors), ended.half_written, other) == (130, 1, [], [])
    return is_right


def interrupted(arguments: list[str], cache: Path, run: Path, is_time: Callable[[Path, float], bool]) -> Ended:
    """Begin a training, and send it one SIGINT at its moment."""
    began = time.monotonic()
    process = start(arguments, cache, errors=subprocess.PIPE)
    while process.poll() is None and not is_time(run, time.monotonic() - began):
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    _, errors = process.communicate(timeout=SECONDS_TO_WAIT)
    lines = [line for line in errors.splitlines() if line.startswith(("Error", "Traceback", "KeyboardInterrupt"))]
    half = [path.name for path in run.rglob(".*.part")]
    return Ended(process.returncode, time.monotonic() - sent, lines, half)


if __name__ == "__main__":
    main()
