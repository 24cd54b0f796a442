"""Measure the time of `coverslip --help` relative to a Python that does nothing. Target: under 0.3 s.

With a run and an image, the script also measures the prediction of this image in pairs: without an engine in the cache,
and with the engine that the first prediction stored. Target: under 3 s.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _records import Record

RECORD = Record("Start-up time", ["src/coverslip/cli", "src/coverslip/inference"])
N_RUNS = 11
N_PAIRS = 3


def median_seconds(command: list[str]) -> float:
    """Return the median elapsed time of `command` over `N_RUNS` runs, after one run that fills the disk cache."""
    seconds = []
    for _ in range(N_RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def predicting(run: str, image: str) -> None:
    """Print seconds of `coverslip predict` for one image, in pairs."""
    seconds: dict[str, list[float]] = {}
    for _ in range(N_PAIRS):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "COVERSLIP_CACHE": folder}
            out = Path(folder) / "predictions.csv"
            command = [sys.executable, "-m", "coverslip", "predict", run, image, "--out", str(out)]
            for what in ("without an engine", "with one"):
                started, before = time.perf_counter(), os.times()
                subprocess.run(command, check=True, capture_output=True, env=environment)
                wall, after = time.perf_counter() - started, os.times()
                processor = sum(after[2:4]) - sum(before[2:4])
                seconds.setdefault(what, []).append(processor)
                print(f"predict one image, {what:<18} {wall:.2f} s, {processor:.2f} processor s")
    plain, stored = (statistics.median(seconds[what]) for what in ("without an engine", "with one"))
    claim = "Median of predict for one image with a stored engine, processor time"
    RECORD.add(claim, round(stored, 2), "s", n=N_PAIRS, note=f"without one {plain:.2f}; target: 3")
    RECORD.write(part="prediction")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predict", nargs=2, metavar=("RUN", "IMAGE"), help="measure only a prediction")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.predict:
        predicting(*options.predict)
        return
    bare = median_seconds([sys.executable, "-c", "pass"])
    print(f"{'python -c pass':<26} {bare:.3f} s")
    for arguments in (["--help"], ["train", "--help"], ["--version"]):
        took = median_seconds([sys.executable, "-m", "coverslip", *arguments])
        print(f"{'coverslip ' + ' '.join(arguments):<26} {took:.3f} s   {took / bare:.1f} x python -c pass")
        of, note = f"`coverslip {' '.join(arguments)}`", f"{took / bare:.1f} times `python -c pass`"
        RECORD.add("Median time (target: 0.3 s)", round(took, 3), "s", of=of, n=N_RUNS, note=note)
    RECORD.write()


if __name__ == "__main__":
    main()
