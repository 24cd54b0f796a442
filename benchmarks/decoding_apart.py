"""Cost of decoding in separate processes, and time and memory of damaged files.

The script reads small synthetic cells with two threads, alternately in this process and in separate processes, with the
metadata of a scan. Then it reads damaged files in sequence, and prints the slowest file and the peak memory of the
decoding process. Exit code 1 if a damaged file takes over 10 s or 1 GB.

    python benchmarks/decoding_apart.py [--cells N] [--damaged N] [--seed S]
"""

import argparse
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import psutil
from mutated_files import write_mutated
from PIL import Image

from coverslip.errors import UnreadableImage
from coverslip.images import decode_in_processes, image_facts, read_pixels

ROUNDS, THREADS, SIDE = 3, 2, 80
MOST_SECONDS, MOST_MIB = 10.0, 1000.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=2000)
    parser.add_argument("--damaged", type=int, default=5200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        compare(write_cells(Path(scratch) / "cells", options.cells, options.seed))
        slowest, peak = read_damaged(write_mutated(Path(scratch) / "damaged", options.damaged, options.seed))
    sys.exit(1 if slowest > MOST_SECONDS or peak > MOST_MIB else 0)


def write_cells(folder: Path, n: int, seed: int) -> list[Path]:
    """Write small color PNG files of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    paths = [folder / f"{i}.png" for i in range(n)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)).save(path)
    return paths


def compare(paths: list[Path]) -> None:
    """Print elapsed and processor times of both methods, and their ratios."""
    taken: dict[str, list[tuple[float, float]]] = {"here": [], "apart": []}
    for _ in range(ROUNDS):
        for name, how in (("here", nullcontext()), ("apart", decode_in_processes())):
            with how:
                taken[name].append(timed(paths))
    best = {name: tuple(min(column) for column in zip(*rows, strict=True)) for name, rows in taken.items()}
    for name, (wall, processor) in best.items():
        print(f"{len(paths):,} cells, {name}: {wall:.2f} s, {processor:.2f} s of processor time (best of {ROUNDS})")
    wall, processor = (best["apart"][k] / best["here"][k] for k in (0, 1))
    print(f"separate / same process: {wall:.2f} of the time, {processor:.2f} of the processor time", flush=True)


def timed(paths: list[Path]) -> tuple[float, float]:
    """Return elapsed and processor seconds (with children) for reading all files, start-up excluded."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read_pixels, paths[: 4 * THREADS]))
        began, before = time.perf_counter(), processor_seconds()
        list(pool.map(lambda path: image_facts(read_pixels(path)), paths))
        return time.perf_counter() - began, processor_seconds() - before


def processor_seconds() -> float:
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))


def peak_mib(pid: int) -> float:
    """Return the peak memory of a process (Linux); 0 if it has just ended."""
    _, is_there, after = Path(f"/proc/{pid}/status").read_text(encoding="ascii").partition("VmHWM:")
    return int(after.split()[0]) / 1024 if is_there else 0.0


def read_damaged(paths: list[Path]) -> tuple[float, float]:
    """Print the number of readable files, the slowest time and the peak memory; return the last two."""
    seconds: dict[Path, float] = {}
    n_readable, peak = 0, 0.0
    with decode_in_processes():
        for path in paths:
            began = time.perf_counter()
            try:
                read_pixels(path)
                n_readable += 1
            except UnreadableImage:
                pass
            seconds[path] = time.perf_counter() - began
            peak = max(peak, *(peak_mib(child.pid) for child in psutil.Process().children()), 0)
    slowest = max(seconds, key=lambda path: seconds[path])
    print(f"{len(paths):,} damaged files, {n_readable:,} readable, in {sum(seconds.values()):.0f} s")
    print(f"slowest: {seconds[slowest]:.2f} s ({slowest.name}); peak memory of the decoding process: {peak:.0f} MiB")
    return seconds[slowest], peak


if __name__ == "__main__":
    main()
