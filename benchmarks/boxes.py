"""Compare the speed of reading boxes in fields of view with decoding the field once, and once for each box.

The script writes synthetic fields of view and a table of boxes, and reads the boxes in one thread: as training and
prediction do (`predict`: in the order of the table, preprocessed), as `inspect` and the app do (`scan`), and as
galleries do (`thumbnails`, in sheets of 64). `shuffled` has the rows in random order, and `alone` decodes the field for
every box. Times are processor times, which depend little on other work on the machine.

    python benchmarks/boxes.py [--fields N] [--boxes N] [--width PX] [--height PX] [--alone N]
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from coverslip.datasets import ImageRecord, open_dataset, read_preprocessed, scan_images
from coverslip.images import Fields, Preprocessing, image_facts, preprocess, read_pixels, small_pixels

SIDE = 80  # pixels of a box
PREPROCESSING = Preprocessing(image_size=96)
SHEET = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("fields", 200), ("boxes", 30), ("width", 1360), ("height", 1024), ("alone", 120)):
        parser.add_argument(f"--{name}", type=int, default=number)
    options = parser.parse_args()
    print("| file format | work | boxes/s | boxes/s, separately | ratio | peak memory (MiB) |")
    print("|---|---|---|---|---|---|")
    for suffix in ("png", "tif"):
        with tempfile.TemporaryDirectory() as scratch:
            os.environ["COVERSLIP_CACHE"] = f"{scratch}/cache"
            measure(draw(Path(scratch), suffix, options), suffix, options.alone)


def measure(table: Path, suffix: str, n_alone: int) -> None:
    """Print a row for each kind of work."""
    data = open_dataset(table)
    records = list(data.records)
    order = np.random.default_rng(1).permutation(len(records))
    shuffled = [records[i] for i in order]
    few = shuffled[:n_alone]
    works: dict[str, tuple[Callable[[], Iterable[object]], Callable[[ImageRecord], object]]] = {
        "predict": (lambda: read_preprocessed(records, PREPROCESSING, n_threads=1), prepared_alone),
        "predict, shuffled": (lambda: read_preprocessed(shuffled, PREPROCESSING, n_threads=1), prepared_alone),
        "scan": (lambda: scan_images(data, n_threads=1).facts, lambda record: image_facts(record.read())),
        "thumbnails": (lambda: thumbnails(records), lambda record: small_pixels(record.read().array, SIDE)),
    }
    for name, (together, alone) in works.items():
        each = seconds(lambda together=together: sum(1 for _ in together())) / len(records)  # type: ignore[misc]
        each_alone = seconds(lambda alone=alone: list(map(alone, few))) / len(few)  # type: ignore[misc]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"| {suffix} | {name} | {1 / each:.0f} | {1 / each_alone:.0f} | {each_alone / each:.1f} | {peak:.0f} |",
            flush=True,
        )


def prepared_alone(record: ImageRecord) -> object:
    return preprocess(record.read().array, PREPROCESSING)


def thumbnails(records: Sequence[ImageRecord]) -> Iterable[object]:
    for start in range(0, len(records), SHEET):
        fields = Fields()
        for record in records[start : start + SHEET]:
            yield small_pixels(read_pixels(record.path, record.plan, fields=fields).array, SIDE)


def seconds(work: Callable[[], object]) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def draw(folder: Path, suffix: str, options: argparse.Namespace) -> Path:
    """Write fields of gray noise with discs, and a table of boxes, some of which extend beyond the edge."""
    rng = np.random.default_rng(0)
    rows = ["path,label,x_center,y_center,width,height"]
    for number in range(options.fields):
        field = rng.normal(200, 6, (options.height, options.width, 3))
        for _ in range(options.boxes):
            x, y = int(rng.integers(options.width)), int(rng.integers(options.height))
            field[max(0, y - 20) : y + 20, max(0, x - 20) : x + 20] -= 60
            rows.append(f"{number}.{suffix},cell,{x},{y},{SIDE},{SIDE}")
        pixels = field.clip(0, 255).astype(np.uint8)
        if suffix == "tif":
            tifffile.imwrite(folder / f"{number}.tif", pixels, compression="zlib", photometric="rgb")
        else:
            Image.fromarray(pixels).save(folder / f"{number}.png", compress_level=1)
    (folder / "boxes.csv").write_text("\n".join(rows) + "\n")
    return folder / "boxes.csv"


if __name__ == "__main__":
    main()
