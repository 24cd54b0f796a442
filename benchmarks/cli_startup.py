"""How long `coverslip --help` takes, beside a Python that does nothing. Aim: under 0.3 s."""

import statistics
import subprocess
import sys
import time

N_RUNS = 11


def median_seconds(command: list[str]) -> float:
    """Median wall time of `command` over `N_RUNS` runs, after one that fills the disk cache."""
    seconds = []
    for _ in range(N_RUNS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[1:])


def main() -> None:
    bare = median_seconds([sys.executable, "-c", "pass"])
    print(f"{'python -c pass':<26} {bare:.3f} s")
    for arguments in (["--help"], ["train", "--help"], ["--version"]):
        took = median_seconds([sys.executable, "-m", "coverslip", *arguments])
        print(f"{'coverslip ' + ' '.join(arguments):<26} {took:.3f} s   {took / bare:.1f} x a bare python")


if __name__ == "__main__":
    main()
