"""Measure time and memory of objects in fields of view: masks to `objects.csv`, reading it, opening it as a dataset.

    python benchmarks/objects.py --objects 1000000

Each step runs in a process of its own, whose largest resident memory is printed, without that of an idle process. The
comparison keeps each object as a dictionary with its outline as a list of points.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SIDE, PITCH = 2_000, 20  # pixels: a field of 10,000 objects


def draw_fields(folder: Path, n_fields: int) -> None:
    """Write fields and label images of discs on a jittered grid."""
    from tifffile import imwrite

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for number in range(n_fields):
        centers = rng.integers(-3, 4, (2, SIDE // PITCH, SIDE // PITCH)) + PITCH // 2
        radius = rng.integers(3, 7, (SIDE // PITCH, SIDE // PITCH))
        cell = rows // PITCH, columns // PITCH
        distance = np.hypot(rows % PITCH - centers[0][cell], columns % PITCH - centers[1][cell])
        labels = np.where(distance < radius[cell], cell[0] * (SIDE // PITCH) + cell[1] + 1, 0).astype(np.int32)
        for name, array in (("fields", (labels > 0).astype(np.uint8)), ("masks", labels)):
            (folder / name).mkdir(exist_ok=True)
            imwrite(folder / name / f"{number:04}.tif", array, compression="zlib")


def collect(folder: Path) -> None:
    """Collect the objects of all masks into a table."""
    import coverslip as cs

    cs.collect_objects(folder / "fields", masks=folder / "masks", out=folder / "objects.csv", emit=lambda event: None)


def read(folder: Path) -> None:
    """Read the table into arrays."""
    from coverslip.objects import read_objects

    read_objects(folder / "objects.csv")


def open_data(folder: Path) -> None:
    """Open the table as a dataset of images."""
    import coverslip as cs

    cs.open_dataset(folder / "objects.csv", labeled=False)


def read_naively(folder: Path) -> list[dict[str, Any]]:
    """Read the table into a dictionary per object."""
    import csv

    from coverslip.objects.outlines import polygons_of_wkt

    with (folder / "objects.csv").open(newline="") as stream:
        return [{**row, "outline": polygons_of_wkt(row["outline"])} for row in csv.DictReader(stream)]


def peak_mib() -> float:
    """Return the largest resident memory of this process since its program began; Linux only."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(step: Callable[[Path], object], folder: Path, result: Any) -> None:  # Any: a pipe
    """Send the seconds and the additional memory of a step in MiB."""
    import coverslip.objects
    import coverslip.pipeline  # noqa: F401  imports are no part of the step

    idle, began = peak_mib(), time.perf_counter()
    result_of_step = step(folder)
    seconds = time.perf_counter() - began
    result.send((seconds, peak_mib() - idle))
    del result_of_step


def main() -> None:
    """Print a line per step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=100_000)
    parser.add_argument("--naive", action="store_true", help="also measure the comparison")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    results: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        draw_fields(folder, max(1, options.objects // (SIDE // PITCH) ** 2))
        for step in (collect, read, open_data, *([read_naively] if options.naive else [])):
            receiver, sender = context.Pipe()
            process = context.Process(target=measured, args=(step, folder, sender))
            process.start()
            seconds, memory = receiver.recv()
            process.join()
            results[step.__name__] = {"seconds": round(seconds, 1), "MiB": round(memory)}
            print(step.__name__, results[step.__name__], flush=True)
        print(json.dumps({"csv_MiB": round((folder / "objects.csv").stat().st_size / 2**20), **results}))


if __name__ == "__main__":
    main()
