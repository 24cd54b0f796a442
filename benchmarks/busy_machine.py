"""Training beside other programs: what does it cost that threads wait for one another?

The same short training of the sample images again and again, on an otherwise idle machine and with all cores but one
taken by other programs: with GNU OpenMP's own way of waiting (spinning for milliseconds) and with coverslip's (sleeping
soon). Seconds are the median epoch's; the ratio is the first by the second, of one round.

    python benchmarks/busy_machine.py [--rounds 3] [--image-size 64]

Other work on the machine shows in every number.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _children import succeeded

from coverslip.machine import n_cores
from coverslip.samples import write_sample_images

SPINNING = {"GOMP_SPINCOUNT": "300000"}  # GNU OpenMP's default
ENDLESS = [sys.executable, "-c", "while True: pass"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image-size", type=int, default=64)
    asked = parser.parse_args()
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory() as scratch:
        images = write_sample_images(Path(scratch) / "images", n_images=140).folder
        print(f"{n_cores()} cores, {asked.image_size} px, seconds of an epoch")
        print("| cores taken by others | spinning | sleeping soon | ratio |")
        print("|---|---|---|---|", flush=True)
        for n_taken in (0, n_cores() - 1):
            for k in range(asked.rounds):
                with busy(n_taken):
                    both = []
                    for environment in (SPINNING, {}):
                        with others(environment):
                            both.append(
                                epoch_seconds(images, Path(scratch), asked.image_size, f"{n_taken}{k}{len(both)}")
                            )
                print(f"| {n_taken} | {both[0]:.2f} | {both[1]:.2f} | {both[0] / both[1]:.2f} |", flush=True)


def epoch_seconds(images: Path, scratch: Path, image_size: int, name: str) -> float:
    """The median epoch of one training, in seconds."""
    settings = {"image_size": image_size, "split.folds": 0, "views": 1, "epochs": 4, "patience": "null"}
    more = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    run = scratch / name
    succeeded("train", str(images), *more, "--out", str(run), cache=scratch / "cache")
    with (run / "history.csv").open(newline="", encoding="utf-8") as file:
        return statistics.median(float(row["seconds"]) for row in csv.DictReader(file))


@contextmanager
def busy(n: int) -> Iterator[None]:
    """So many programs that want a core each, all the time."""
    programs = [subprocess.Popen(ENDLESS) for _ in range(n)]
    try:
        yield
    finally:
        for program in programs:
            program.kill()
            program.wait()


@contextmanager
def others(environment: dict[str, str]) -> Iterator[None]:
    """With these variables for the commands that are run."""
    os.environ.update(environment)
    try:
        yield
    finally:
        for name in environment:
            del os.environ[name]


if __name__ == "__main__":
    main()
