"""Measure time and memory of each step with objects: masks to `objects.csv`, reading, opening, inspecting, training.

    python benchmarks/objects.py --objects 10000 100000
    python benchmarks/objects.py --objects 1000000 --steps collect open_data

Each step runs in a process of its own, whose largest resident memory is printed: in all, and above that of the idle
process. With several numbers of objects, the last column is the growth per object from one number to the next. The
network is timm's smallest one with random weights, at 32 pixels, because memory is measured, not accuracy. With
`--naive`, each object is also kept as a dictionary with its outline as a list of points.
"""

import argparse
import csv
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

SIDE, PITCH = 2_000, 20  # pixels: a field of 10,000 objects
LARGE = 10  # pixels: the width from which an object belongs to the class "large"


def draw_fields(folder: Path, n_fields: int, n_of_side: int) -> None:
    """Write fields and label images of discs of noise on a jittered grid."""
    from tifffile import imwrite

    rng = np.random.default_rng(0)
    side = PITCH * n_of_side
    rows, columns = np.mgrid[:side, :side]
    for number in range(n_fields):
        centers = rng.integers(-3, 4, (2, n_of_side, n_of_side)) + PITCH // 2
        radius = rng.integers(3, 7, (n_of_side, n_of_side))
        cell = rows // PITCH, columns // PITCH
        distance = np.hypot(rows % PITCH - centers[0][cell], columns % PITCH - centers[1][cell])
        labels = np.where(distance < radius[cell], cell[0] * n_of_side + cell[1] + 1, 0).astype(np.int32)
        noise = rng.integers(0, 200, labels.shape, dtype=np.uint8)  # so that no two objects are near-duplicates
        pixels = np.where(labels > 0, noise + 50, noise // 10).astype(np.uint8)
        for name, array in (("fields", pixels), ("masks", labels)):
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


def inspect(folder: Path) -> None:
    """Inspect the labeled table."""
    import coverslip as cs

    cs.inspect(folder / "labeled.csv", emit=lambda event: None)


def train(folder: Path) -> None:
    """Train the instant classifier on the labeled table."""
    from trained import INSTANT, import_small_network

    import coverslip as cs

    if not (folder / "weights").exists():
        (folder / "weights").mkdir()
        import_small_network(folder / "weights")
    cs.train(
        cs.open_dataset(folder / "labeled.csv"), INSTANT.model_copy(update={"image_size": 32}),
        out=folder / "run", emit=lambda event: None,
    )  # fmt: skip


def predict(folder: Path) -> None:
    """Predict the objects of the table."""
    import coverslip as cs

    cs.predict(folder / "run", folder / "objects.csv", out=folder / "predictions.csv", emit=lambda event: None)


def export(folder: Path) -> None:
    """Write the predictions as GeoJSON."""
    import coverslip as cs

    cs.export_objects(
        folder / "predictions.csv", objects=folder / "objects.csv", to="geojson", out=folder / "geojson",
        emit=lambda event: None,
    )  # fmt: skip


def read_naively(folder: Path) -> list[dict[str, Any]]:
    """Read the table into a dictionary per object."""
    from coverslip.objects.outlines import polygons_of_wkt

    with (folder / "objects.csv").open(newline="") as stream:
        return [{**row, "outline": polygons_of_wkt(row["outline"])} for row in csv.DictReader(stream)]


STEPS: dict[str, Callable[[Path], object]] = {
    step.__name__: step for step in (collect, read, open_data, inspect, train, predict, export, read_naively)
}


def label(folder: Path) -> None:
    """Write the table with the classes `small` and `large`, by the width of the box."""
    with (folder / "objects.csv").open(newline="") as stream, (folder / "labeled.csv").open("w", newline="") as out:
        rows = csv.DictReader(stream)
        writer = csv.DictWriter(out, list(rows.fieldnames or ()))
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"label": "large" if int(row["width"]) >= LARGE else "small"})


def peak_mib() -> float:
    """Return the largest resident memory of this process since its program began; Linux only."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measured(step: str, folder: Path, result: Any) -> None:  # Any: a pipe
    """Send the seconds, the peak memory in MiB, and that before the step."""
    import coverslip.objects
    import coverslip.pipeline  # noqa: F401  imports are no part of the step

    if step in ("train", "predict"):
        import torch  # noqa: F401

    idle, began = peak_mib(), time.perf_counter()
    result_of_step = STEPS[step](folder)
    result.send((time.perf_counter() - began, peak_mib(), idle))
    del result_of_step


def main() -> None:
    """Print a row per step and number of objects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS)[:-1])
    parser.add_argument("--naive", action="store_true", help="also measure the comparison")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    before: dict[str, tuple[int, float]] = {}
    print("| step | objects | s | peak memory (MiB) | above idle (MiB) | bytes per additional object |")
    print("|---|---|---|---|---|---|", flush=True)
    for n_objects in sorted(options.objects):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            os.environ["COVERSLIP_CACHE"], os.environ["COVERSLIP_WEIGHTS"] = f"{name}/cache", f"{name}/weights"
            n_of_side = min(SIDE // PITCH, int((n_objects / 5) ** 0.5))
            draw_fields(folder, n_objects // n_of_side**2, n_of_side)
            for step in [*options.steps, *(["read_naively"] if options.naive else [])]:
                receiver, sender = context.Pipe()
                process = context.Process(target=measured, args=(step, folder, sender))
                process.start()
                sender.close()
                seconds, peak, idle = receiver.recv()
                process.join()
                if step == "collect":
                    label(folder)
                n_before, peak_before = before.get(step, (0, 0.0))
                growth = f"{2**20 * (peak - peak_before) / (n_objects - n_before):.0f}" if n_before else ""
                before[step] = n_objects, peak
                print(
                    f"| {step} | {n_objects:,} | {seconds:.1f} | {peak:.0f} | {peak - idle:.0f} | {growth} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
