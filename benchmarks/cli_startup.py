"""Measure the time of `coverslip --help` relative to a Python that does nothing. Target: under 0.3 s.

With a run and an image, the script measures processor seconds instead: of a prediction of this image (target: 0.7 s),
and of importing the app (1.2 s) and the process of a job (1 s). Modules are compiled before, as in an installation.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _records import Record

RECORD = Record("Start-up time", ["src/coverslip/app", "src/coverslip/cli", "src/coverslip/inference"])
N_RUNS = 11
N_STARTS = 6
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def median_seconds(command: list[str]) -> float:
    """Return the median elapsed time of `command` over `N_RUNS` runs, after one run that fills the disk cache."""
    seconds = []
    for _ in range(N_RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def measure_starts(run: str, image: str) -> None:
    """Print and record the least processor seconds of `N_STARTS` starts, after one that fills the caches."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "predictions.csv")
        starts = {
            "predict of one image": (["-m", "coverslip", "predict", run, image, "--out", out], 0.7),
            "app": (["-c", "import coverslip.app.server"], 1.2),
            "process of a job": (["-c", "import coverslip.workspace.jobs.process"], 1.0),
        }
        for what, (arguments, target) in starts.items():
            seconds = []
            for _ in range(N_STARTS + 1):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=ENVIRONMENT)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            least = min(seconds[1:])
            print(f"{what:<30} {least:.2f} processor s")
            note = f"target: {target}"
            RECORD.add("Least processor time of a start", round(least, 2), "s", of=what, n=N_STARTS, note=note)
    RECORD.write(part="starts")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--starts", nargs=2, metavar=("RUN", "IMAGE"), help="measure processor seconds of starts")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.starts:
        measure_starts(*options.starts)
        return
    bare = median_seconds([sys.executable, "-c", "pass"])
    print(f"{'python -c pass':<26} {bare:.3f} s")
    for arguments in (["--help"], ["train", "--help"]):
        took = median_seconds([sys.executable, "-m", "coverslip", *arguments])
        print(f"{'coverslip ' + ' '.join(arguments):<26} {took:.3f} s   {took / bare:.1f} x python -c pass")
        of, note = f"`coverslip {' '.join(arguments)}`", f"{took / bare:.1f} times `python -c pass`"
        RECORD.add("Median time (target: 0.3 s)", round(took, 3), "s", of=of, n=N_RUNS, note=note)
    RECORD.write()


if __name__ == "__main__":
    main()
