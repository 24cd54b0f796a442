"""One Ctrl-C at many moments of a training: exit code, saved files, and whether the training can be resumed.

The script writes synthetic cells and trains once without interruption (and once with two folds). Then, for each moment,
it sends SIGINT when the run has reached it, and runs `coverslip train --resume` (a new training if there is no run
yet). It prints for each moment the exit code, the seconds until the end, lines of error, partly written files, and
differences from the uninterrupted run. Exit code 1 if a training does not end with 130 and one line, leaves a partly
written file, or cannot be resumed; a training that is already evaluated may end with 0 and be complete.

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

from coverslip.events import COMPUTING_FEATURES

SETTINGS = ("image_size=48", "tta=1", "epochs=2", "batch_size=16")
N_IMAGES = 160  # so that training and validation images are read in more than one part
SECONDS_TO_WAIT = 600


@dataclass(frozen=True)
class Ended:
    """End of an interrupted training."""

    code: int
    seconds: float  # from the signal
    errors: list[str]  # lines
    half_written: list[str]


def reported(event: str, **values: object) -> Callable[[Path, float], bool]:
    """Return a condition: the run has reported an event with these values."""

    def is_so(run: Path, _: float) -> bool:
        return any(is_such(line, event, values) for line in events_of(run))

    return is_so


def is_such(line: dict[str, Any], event: str, values: dict[str, object]) -> bool:
    return line["event"] == event and all(line.get(name) == value for name, value in values.items())


@dataclass(frozen=True)
class Moment:
    """When to send the signal, and to which training."""

    is_now: Callable[[Path, float], bool]
    n_folds: int = 0
    is_all_new: bool = False  # with an empty cache, so that the network processes the images


MOMENTS = {
    "Python starts": Moment(lambda run, seconds: seconds > 0.3),
    "libraries are imported": Moment(lambda run, seconds: seconds > 1.0),
    "images are read": Moment(lambda run, seconds: (run / "recipe.yaml").exists()),
    "the run has begun": Moment(reported("RunStarted")),
    "the network is made ready": Moment(reported("StageStarted", stage="instant"), is_all_new=True),
    "half of the images are embedded": Moment(reported("Progressed", stage=COMPUTING_FEATURES), is_all_new=True),
    "the head is fitted": Moment(reported("StageStarted", stage="instant")),
    "fine-tuning begins": Moment(reported("StageStarted", stage="finetune")),
    "its first step has ended": Moment(reported("StepEnded", epoch=1)),
    "an epoch has ended": Moment(reported("EpochEnded", epoch=1)),
    "a checkpoint is written": Moment(lambda run, seconds: any((run / "checkpoints").glob(".*.part"))),
    "test images are predicted": Moment(reported("Progressed", stage="predicting")),
    "the report is written": Moment(lambda run, seconds: (run / "metrics.json").exists()),
    "the first of two folds is fine-tuned": Moment(reported("StageStarted", stage="finetune", fold=1), n_folds=2),
    "the second fold begins": Moment(reported("FoldStarted", fold=2), n_folds=2),
    "the second fold is fine-tuned": Moment(reported("EpochEnded", epoch=1, fold=2), n_folds=2),
    "both folds have ended": Moment(reported("FoldEnded", fold=2), n_folds=2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=MOMENTS, default=list(MOMENTS), metavar="MOMENT")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background commands, and theirs, ignore it
    with tempfile.TemporaryDirectory() as scratch:
        is_right = all_moments(Path(scratch), options.only)
    sys.exit(0 if is_right else 1)


def all_moments(scratch: Path, names: list[str]) -> bool:
    """Print a row for each moment; return whether all trainings ended as required."""
    from coverslip.synthetic_cells import write_sample_images

    images = write_sample_images(scratch / "cells", n_images=N_IMAGES).folder
    moments_chosen = [MOMENTS[name] for name in names]
    commands = {n: training(images, n) for n in {moment.n_folds for moment in moments_chosen}}
    for n_folds, command in commands.items():
        if start([*command, str(scratch / f"whole{n_folds}")], scratch / "cache").wait():
            raise SystemExit("a training without interruption failed")
    print(
        "| when | exit code | time to exit (s) | lines of error | partly written files | differences after resuming |"
    )
    print("|---|---|---|---|---|---|")
    is_right = True
    for n, (name, moment) in enumerate(zip(names, moments_chosen, strict=True)):
        run, whole = scratch / f"run{n}", scratch / f"whole{moment.n_folds}"
        command = [*commands[moment.n_folds], str(run)]
        cache = scratch / (f"cache{n}" if moment.is_all_new else "cache")
        ended = interrupted(command, cache, run, moment.is_now)
        code = start(resumed(run) or command, cache).wait() if ended.code else 0
        other = differences(run, whole) if code == 0 else [f"exit code {code}", str(read_json(run / "status.json"))]
        print(
            f"| {name} | {ended.code} | {ended.seconds:.1f} | {len(ended.errors)}: {' / '.join(ended.errors)[:100]} "
            f"| {', '.join(ended.half_written) or 'none'} | {', '.join(other) or 'nothing'} |",
            flush=True,
        )
        is_right &= (ended.code, len(ended.errors)) in ((130, 1), (0, 0)) and not ended.half_written and not other
    return is_right


def training(images: Path, n_folds: int) -> list[str]:
    """Return the command without the run folder."""
    choices = [part for setting in (*SETTINGS, f"split.folds={n_folds}") for part in ("--set", setting)]
    return ["train", str(images), "--group-pattern", r"slide\d+", *choices, "--out"]


def interrupted(arguments: list[str], cache: Path, run: Path, is_time: Callable[[Path, float], bool]) -> Ended:
    """Start a training, and send one SIGINT at its moment."""
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
