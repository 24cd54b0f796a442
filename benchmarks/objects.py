"""Measure time and memory of each step with objects: masks to `objects.csv`, reading, opening, inspecting, training.

    python benchmarks/objects.py --objects 10000 100000
    python benchmarks/objects.py --objects 1000000 --steps collect open_data
    python benchmarks/objects.py --objects 102400 --one-field --steps collect
    python benchmarks/objects.py --objects 200000 --records

Each step runs in a process of its own, whose largest resident memory is printed: in all, and above that of the idle
process. With several numbers of objects, the last column is the growth per object from one number to the next. The
network is timm's smallest one with random weights, at 32 pixels, because memory is measured, not accuracy. With
`--naive`, each object is also kept as a dictionary with its outline as a list of points.

`--records` measures in one process what is kept for each object from the table to the split, and how much more memory
each of these steps needs while it runs. The table is generated, and no pixels are read.
"""

import argparse
import csv
import gc
import hashlib
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from _records import Record

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

RECORD = Record("Memory of objects", ["src/coverslip/objects", "src/coverslip/datasets"])
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
    from coverslip.objects.table import read_objects

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


def export_labels(folder: Path) -> None:
    """Write the predictions as label images."""
    import coverslip as cs

    cs.export_objects(
        folder / "predictions.csv", objects=folder / "objects.csv", to="label-tiff", out=folder / "labels",
        emit=lambda event: None,
    )  # fmt: skip


def summarise(folder: Path) -> None:
    """Count the classes in each field."""
    import coverslip as cs

    cs.summarise(folder / "predictions.csv", by="field", emit=lambda event: None)


def read_naively(folder: Path) -> list[dict[str, Any]]:
    """Read the table into a dictionary per object."""
    from coverslip.objects.outlines import polygons_of_wkt

    with (folder / "objects.csv").open(newline="") as stream:
        return [{**row, "outline": polygons_of_wkt(row["outline"])} for row in csv.DictReader(stream)]


STEPS: dict[str, Callable[[Path], object]] = {
    step.__name__: step
    for step in (collect, read, open_data, inspect, train, predict, export, export_labels, summarise, read_naively)
}


def label(folder: Path) -> None:
    """Write the table with the classes `small` and `large`, by the width of the box."""
    with (folder / "objects.csv").open(newline="") as stream, (folder / "labeled.csv").open("w", newline="") as out:
        rows = csv.DictReader(stream)
        writer = csv.DictWriter(out, list(rows.fieldnames or ()))
        writer.writeheader()
        for row in rows:
            writer.writerow(row | {"label": "large" if int(row["width"]) >= LARGE else "small"})


def print_records(n_objects: int) -> None:
    """Print the memory of each object after each step from the table to the split, in one process."""
    import torch  # noqa: F401

    import coverslip as cs
    from coverslip.audit.near_duplicates import with_near_duplicates
    from coverslip.datasets.quality.inspecting import inspect_dataset
    from coverslip.datasets.quality.scanning import PackedFacts, Scan
    from coverslip.datasets.splits.splitting import split_images
    from coverslip.experiments.preparation import validated
    from coverslip.experiments.split_data import SplitData
    from coverslip.images.preprocessing import PixelFacts
    from coverslip.inference.predicting import _fingerprint
    from coverslip.runs.split import read_split, split_rows, write_split

    recipe = cs.Recipe(model="efficientnet_lite0", crop_margin=0.2)
    print("| step | processor s | kept (bytes per object) | at most, while it runs | memory of the process (MiB) |")
    print("|---|---|---|---|---|")

    def step(name: str, compute: Callable[[], Any]) -> Any:  # Any: of each step another type
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
        before, began = _status_mib("VmRSS"), time.process_time()
        result = compute()
        seconds, peak = time.process_time() - began, _status_mib("VmHWM")
        gc.collect()
        lasting, peak = ((each - before) * 2**20 / n_objects for each in (_status_mib("VmRSS"), peak))
        RECORD.add("Memory that remains per object", round(lasting), "bytes", of=name, n=f"{n_objects:,} objects")
        print(f"| {name} | {seconds:.1f} | {lasting:.0f} | {peak:.0f} | {_status_mib('VmRSS'):.0f} |", flush=True)
        return result

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_large_table(folder, n_objects)
        validated(cs.open_dataset(folder / "labeled.csv").subset(range(10)), recipe)  # imports are no part of the steps
        data = step("open the table", lambda: cs.open_dataset(folder / "labeled.csv"))
        step("fingerprint of the images to predict", lambda: _fingerprint(data.records, ("field",)))

        def facts() -> Scan:
            hashes = (hashlib.blake2b(str(k).encode(), digest_size=16).hexdigest() for k in range(len(data)))
            values = ("uint8", 8, "TIFF", 1, (1.0,), (200.0,), None)
            packed = PackedFacts(len(data))
            for position, each in enumerate(hashes):
                packed[position] = PixelFacts(each, 9, 9, 1, *values)
            return Scan(packed)

        scan = step("facts of the scan", facts)
        if n_objects > 100_000:
            step("near-duplicates, not searched", lambda: with_near_duplicates(data, scan))
        step("findings of the inspection", lambda: inspect_dataset(data, scan))
        planned = step("apply the recipe", lambda: validated(data, recipe)[0])
        split = step("split by field", lambda: split_images(planned, scan, val=0.2, test=0.2, seed=0))
        split_data = step("positions and labels of each set", lambda: SplitData(planned, scan, split))
        step("write split.csv", lambda: write_split(folder / "split.csv", split_rows(planned, split)))
        step("read split.csv", lambda: read_split(folder / "split.csv"))
        del split_data


def write_large_table(folder: Path, n_objects: int) -> None:
    """Write empty fields of 10,000 objects each, and their table with outlines of eight vertices."""
    from tifffile import imwrite

    outline = f"POLYGON (({', '.join(f'{k} {k + 1}' for k in (100, 102, 104, 106, 108, 110, 112, 100))}))"
    (folder / "fields").mkdir()
    columns = "image_id path field object_id x y width height outline area_um2 at_edge label group"
    with (folder / "labeled.csv").open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(columns.split())
        for number in range(n_objects // 10_000):
            name = f"{number:04}.tif"
            imwrite(folder / "fields" / name, np.zeros((SIDE, SIDE), np.uint8), compression="zlib")
            for k in range(10_000):
                side, label = 7 + k % 7, ("small", "large")[k % 2]
                box = PITCH * (k % 100), PITCH * (k // 100), side, side
                cells = f"{name}#{k + 1}", f"fields/{name}", name, k + 1, *box, outline, f"{0.7 * side**2:.6g}", 0
                writer.writerow([*cells, label, ""])


def peak_mib() -> float:
    """Return the largest resident memory of this process since its program began; Linux only."""
    return _status_mib("VmHWM")


def _status_mib(name: str) -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


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
    parser.add_argument("--one-field", action="store_true", help="all objects in one large field")
    parser.add_argument("--records", action="store_true", help="measure records from the table to the split")
    RECORD.add_option(parser)
    options = parser.parse_args()
    if options.records:
        print_records(max(options.objects))
        RECORD.write(part="records")
        return
    context = multiprocessing.get_context("spawn")
    before: dict[str, tuple[int, float]] = {}
    print("| step | objects | s | peak memory (MiB) | above idle (MiB) | bytes per additional object |")
    print("|---|---|---|---|---|---|", flush=True)
    for n_objects in sorted(options.objects):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            os.environ["COVERSLIP_CACHE"], os.environ["COVERSLIP_WEIGHTS"] = f"{name}/cache", f"{name}/weights"
            n_of_side = int(n_objects**0.5) if options.one_field else min(SIDE // PITCH, int((n_objects / 5) ** 0.5))
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
                if n_objects == max(options.objects):
                    n, note = f"{n_objects:,} objects", f"idle {idle:.0f}"
                    RECORD.add("Peak memory of a step (target: 1,024 MiB)", round(peak), "MiB", of=step, n=n, note=note)
                print(
                    f"| {step} | {n_objects:,} | {seconds:.1f} | {peak:.0f} | {peak - idle:.0f} | {growth} |",
                    flush=True,
                )
    RECORD.write()


if __name__ == "__main__":
    main()
