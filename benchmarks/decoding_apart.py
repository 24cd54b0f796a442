"""What decoding in processes that can be killed costs, and how long and how much damaged files take of them.

Reads small drawn cells with two threads, in this process and apart, in turn; facts of each are kept as in a scan. Then
reads damaged files one after the other, and prints the slowest of them and the peak of the process that decodes. Exit
code 1 if a damaged file takes over 10 s or 1 GB.

    python benchmarks/decode_in_processes.py [--cells N] [--damaged N] [--seed S]
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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        compare(write_cells(Path(scratch) / "cells", asked.cells, asked.seed))
        slowest, peak = read_damaged(write_mutated(Path(scratch) / "damaged", asked.damaged, asked.seed))
    sys.exit(1 if slowest > MOST_SECONDS or peak > MOST_MIB else 0)


def write_cells(folder: Path, n: int, seed: int) -> list[Path]:
    """Small color PNGs of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    paths = [folder / f"{i}.png" for i in range(n)]
    for path in paths:
        Image.fromarray(rng.integers(0, 255, (SIDE, SIDE, 3), np.uint8)).save(path)
    return paths


def compare(paths: list[Path]) -> None:
    """Print wall and processor time of both ways, and their ratios."""
    taken: dict[str, list[tuple[float, float]]] = {"here": [], "apart": []}
    for _ in range(ROUNDS):
        for name, how in (("here", nullcontext()), ("apart", decode_in_processes())):
            with how:
                taken[name].append(timed(paths))
    best = {name: tuple(min(column) for column in zip(*rows, strict=True)) for name, rows in taken.items()}
    for name, (wall, processor) in best.items():
        print(f"{len(paths):,} cells, {name}: {wall:.2f} s, {processor:.2f} s of processor time (best of {ROUNDS})")
    wall, processor = (best["apart"][k] / best["here"][k] for k in (0, 1))
    print(f"apart / here: {wall:.2f} of the time, {processor:.2f} of the processor time", flush=True)


def timed(paths: list[Path]) -> tuple[float, float]:
    """Seconds, and seconds of processor time of this process and its children, to read all; beginning not counted."""
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(read_pixels, paths[: 4 * THREADS]))
        began, before = time.perf_counter(), processor_seconds()
        list(pool.map(lambda path: image_facts(read_pixels(path)), paths))
        return time.perf_counter() - began, processor_seconds() - before


def processor_seconds() -> float:
    me = psutil.Process()
    return sum(sum(process.cpu_times()[:2]) for process in (me, *me.children(recursive=True)))


def peak_mib(pid: int) -> float:
    """The most memory that a process has held so far (Linux); 0 where it has just ended."""
    _, is_there, after = Path(f"/proc/{pid}/status").read_text(encoding="ascii").partition("VmHWM:")
    return int(after.split()[0]) / 1024 if is_there else 0.0


def read_damaged(paths: list[Path]) -> tuple[float, float]:
    """Print how many can be read, the slowest, and the peak of the process that decodes; gives the last two."""
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
    print(f"slowest: {seconds[slowest]:.2f} s ({slowest.name}); peak of the process that decodes: {peak:.0f} MiB")
    return seconds[slowest], peak


if __name__ == "__main__":
    main()
