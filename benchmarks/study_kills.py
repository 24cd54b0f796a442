"""A small study killed with -9 at ten moments and resumed each time: nothing is repeated or lost.

The script writes synthetic cells and runs a study of several trainings once without interruption. Then, after a random
part of this time, it kills the process of the study, every second time together with its trainings. It records the
complete trainings and resumes the study. At the end, no complete training may have been written again, and
`results.csv` must equal that of the uninterrupted study except for times. Otherwise, the exit code is 1.

    python benchmarks/study_kills.py [--kills N] [--seed S]
"""

import argparse
import csv
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PLAN = """\
datasets: [{path: cells, group_pattern: 'slide\\d+'}]
models: [mobilenet_v2]
regimes: [scratch]
seeds: [0, 1, 2]
folds: 0
threads: 1
recipe: {image_size: 48, tta: 1, epochs: 2, batch_size: 16}
perturbations: [{blur: 2}]
"""
_TIMES = ("train_seconds",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        faults = killed(Path(scratch), options.kills, random.Random(options.seed))
    for fault in faults:
        print(f"WRONG: {fault}")
    sys.exit(1 if faults else 0)


def killed(scratch: Path, kills: int, rng: random.Random) -> list[str]:
    """Run the study without and with kills; return the differences at the end."""
    from coverslip.synthetic_cells import write_sample_images

    write_sample_images(scratch / "cells", n_images=80)
    (scratch / "plan.yaml").write_text(PLAN)
    began = time.monotonic()
    end(start("run", str(scratch / "plan.yaml"), "--out", str(scratch / "whole")))
    seconds = time.monotonic() - began
    n_cells = len(list(scratch.glob("whole/cells/*/metrics.json")))
    print(f"uninterrupted: {n_cells} trainings, {seconds:.0f} s", flush=True)

    out, faults, n_killed = scratch / "killed", list[str](), 0
    finished: dict[Path, int] = {}
    while n_killed < kills:
        process = start(*command(scratch, out))
        with suppress(subprocess.TimeoutExpired):
            process.wait(rng.uniform(0.02, 2 / kills) * seconds)
        if process.poll() is not None:
            print(f"complete after {n_killed} kills", flush=True)
            break
        children = children_of(process.pid)
        process.kill()
        process.wait()
        n_killed += 1
        for child in children if n_killed % 2 else []:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        done = {file: file.stat().st_mtime_ns for file in out.glob("cells/*/metrics.json")}
        faults += touched(finished, done)
        finished = done
        print(f"kill {n_killed}: {len(finished)} of {n_cells} trainings complete", flush=True)
    end(start(*command(scratch, out)))
    faults += touched(finished, {file: file.stat().st_mtime_ns for file in out.glob("cells/*/metrics.json")})
    if rows(scratch / "whole") != rows(out):
        faults.append("results.csv differs")
    return faults


def command(scratch: Path, out: Path) -> list[str]:
    """Resume the study, or start it if there is none yet."""
    if (out / "study.yaml").is_file():
        return ["resume", str(out)]
    return ["run", str(scratch / "plan.yaml"), "--out", str(out)]


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "coverslip", "study", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """Wait until the study ends without an error."""
    _, stderr = process.communicate()
    if process.returncode:
        raise SystemExit(stderr.decode(errors="replace"))


def children_of(pid: int) -> list[int]:
    """Return the running trainings of a study."""
    return [int(each) for file in Path(f"/proc/{pid}/task").glob("*/children") for each in file.read_text().split()]


def touched(before: dict[Path, int], now: dict[Path, int]) -> list[str]:
    """Return complete trainings that are missing or were written again."""
    return [f"{file.parent.name} was written again" for file, at in before.items() if now.get(file) != at]


def rows(study: Path) -> list[dict[str, str]]:
    """`results.csv` without times."""
    with (study / "results.csv").open(newline="", encoding="utf-8") as file:
        return [{key: value for key, value in row.items() if key not in _TIMES} for row in csv.DictReader(file)]


if __name__ == "__main__":
    main()
